"""Ballchasing.com: its API, its statistics of replays, and the search for replays of tracked players."""
