"""Tests of: Tournaments: what people plan, what a match counts for, results, standings, and how they are served."""
