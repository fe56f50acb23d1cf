"""Quality of the serving models of the rank, for the metrics; imports nothing of the game."""

from typing import LiteralString

SCORES: LiteralString = """
    SELECT 'rank in ' || playlist || CASE WHEN is_simulated THEN ' (simulated)' ELSE '' END, version, within_one_tier
    FROM rocket_league.rank_models WHERE state = 'served' AND within_one_tier IS NOT NULL
"""
"""Model, version, and the share of players whose rank is predicted at most one rank off."""
