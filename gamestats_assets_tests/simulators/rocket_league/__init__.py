"""Tests of: Simulated seasons, with a known truth planted in them; it shares nothing with what it is to test."""
