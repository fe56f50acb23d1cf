"""PUBG's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.orchestration.game import quarantine
from gamestats_assets.orchestration.runs.sensor import WatchedGame
from gamestats_assets.pubg import sensors
from gamestats_assets.pubg.assets import game


@functools.cache
def definitions() -> dg.Definitions:
    """Returns the assets with their checks, the job that archives matches, and the sensors."""
    quarantined, check = quarantine(game())
    return dg.Definitions(
        assets=[*game().assets(), quarantined],
        asset_checks=[check],
        jobs=[sensors.archive_pubg_matches],
        sensors=[sensors.tracked_player_matches(), sensors.tournament_matches_found()],
    )


def watched() -> WatchedGame:
    """Returns how stale tables of the game are detected and refreshed."""
    return WatchedGame(game(), divide=sensors.by_priority, before=sensors.look_at_players)
