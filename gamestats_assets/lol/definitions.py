"""League of Legends' part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.lol import sensors
from gamestats_assets.lol.assets import game
from gamestats_assets.orchestration.game import quarantine
from gamestats_assets.orchestration.runs.sensor import WatchedGame

# Matches arrive continuously; without a limit each would refresh the statistics of its patch.
_PATCHES_EVERY_S = 3600


@functools.cache
def definitions() -> dg.Definitions:
    """Returns the assets with their checks, and the job that archives matches with its sensor."""
    quarantined, check = quarantine(game())
    return dg.Definitions(
        assets=[*game().assets(), quarantined],
        asset_checks=[check],
        jobs=[sensors.archive_lol_matches],
        sensors=[sensors.seeded_player_matches()],
    )


def watched() -> WatchedGame:
    """Returns how stale tables of the game are detected and refreshed."""
    return WatchedGame(game(), rests_s={"patch": _PATCHES_EVERY_S})
