"""Tracked players: their matches, the detail of those, their careers, and backfills."""
