"""Rocket League's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.orchestration.game import quarantine
from gamestats_assets.orchestration.runs.sensor import WatchedGame
from gamestats_assets.rocket_league import sensors
from gamestats_assets.rocket_league.assets import game

_PLAYERS_EVERY_S = 60


@functools.cache
def definitions() -> dg.Definitions:
    """Returns the assets with their checks, the job that archives replays, and the sensor."""
    quarantined, check = quarantine(game())
    return dg.Definitions(
        assets=[*game().assets(), quarantined],
        asset_checks=[check],
        jobs=[sensors.archive_rocket_league_replays],
        sensors=[sensors.tracked_player_replays()],
    )


def watched() -> WatchedGame:
    """Returns the game for the sensor that requests stale assets."""
    return WatchedGame(game(), rests_s={"rl_player": _PLAYERS_EVERY_S})
