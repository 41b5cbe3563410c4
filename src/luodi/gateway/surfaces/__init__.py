"""Surfaces translate: from the wire to a call, from a reply to the wire. Policy is in the steps."""
