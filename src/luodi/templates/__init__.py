"""What `luodi new` copies."""
