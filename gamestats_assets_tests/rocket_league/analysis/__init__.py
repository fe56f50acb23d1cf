"""Tests of: What is made of matches for a player: skills against a cohort, ranks, training, and who plays alike."""
