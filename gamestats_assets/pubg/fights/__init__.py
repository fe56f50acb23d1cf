"""Knocks and their outcomes, and the fights of teams."""
