"""Replays that people bring: sent, imported, and taken up or out where a player is theirs."""
