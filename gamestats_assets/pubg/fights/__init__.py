"""Knocks and what became of them, and the fights of teams."""
