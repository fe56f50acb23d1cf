"""Tracked players: their matches with details, their careers, and backfills."""
