"""Tests of: Simulated League of Legends: what is planted in it, and its files."""
