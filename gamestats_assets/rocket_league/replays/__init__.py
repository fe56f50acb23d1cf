"""Replays: read from their files, and made ready to be watched."""
