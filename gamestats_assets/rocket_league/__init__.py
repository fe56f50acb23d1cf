"""Rocket League: replays and ballchasing statistics to what a player should train next."""
