"""The lake: Delta tables, read lazily and replaced in one commit."""
