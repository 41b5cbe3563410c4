"""Collect, clean, scrub, deduplicate, make examples."""
