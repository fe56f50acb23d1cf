"""Tests of: Simulated matches and tournaments, with the truth about them; nothing is shared with what they test."""
