"""How good the models of the rank are that serve, for the metrics; loads nothing."""

from typing import LiteralString

SCORES: LiteralString = """
    SELECT 'rank in ' || playlist || CASE WHEN is_simulated THEN ' (simulated)' ELSE '' END, version, within_one_tier
    FROM rocket_league.rank_models WHERE state = 'served' AND within_one_tier IS NOT NULL
"""
"""Model, version, and the share of players whose rank it tells to one rank."""
