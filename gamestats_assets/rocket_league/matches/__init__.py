"""Matches: their events, and how their players played."""
