"""Tests of: Simulated PUBG matches and tournaments."""
