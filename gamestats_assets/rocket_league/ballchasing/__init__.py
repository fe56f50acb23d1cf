"""Ballchasing.com: its API, what it tells of replays, and which replays of tracked players it has."""
