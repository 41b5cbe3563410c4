"""Evidence: whether intervals cover, gates hold their level, judges are known, and what an evaluation costs."""
