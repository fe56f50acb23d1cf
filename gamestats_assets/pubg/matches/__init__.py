"""Matches, their events, and each person's results."""
