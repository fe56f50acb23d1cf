"""Replays that people bring: uploads, imports, and changes in whose matches they are."""
