"""The MMO's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.l2m import sensors
from gamestats_assets.l2m.assets import game
from gamestats_assets.orchestration.game import quarantine
from gamestats_assets.orchestration.runs.sensor import WatchedGame


@functools.cache
def definitions() -> dg.Definitions:
    """Returns assets with their checks, and schedules."""
    quarantined, check = quarantine(game())
    return dg.Definitions(
        assets=[*game().assets(), quarantined],
        asset_checks=[check],
        schedules=[sensors.every_night()],
    )


def watched() -> WatchedGame:
    """Returns how stale data of this game are found."""
    return WatchedGame(game())
