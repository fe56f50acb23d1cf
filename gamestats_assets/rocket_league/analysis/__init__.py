"""Analyses for a player: skills against a cohort, ranks, training, and similar players."""
