"""Commands of single games."""
