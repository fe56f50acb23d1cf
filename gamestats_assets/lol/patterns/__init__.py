"""Hypotheses about winning, tested together on each patch, and the report on them."""
