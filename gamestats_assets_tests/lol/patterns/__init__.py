"""Tests of: Hypotheses about what goes with winning, tested together on each patch, and the report on them."""
