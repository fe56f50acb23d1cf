"""Matches, their events, and the actions of each participant."""
