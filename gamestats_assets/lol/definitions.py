"""League of Legends' part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.lol import sensors
from gamestats_assets.lol.assets import game
from gamestats_assets.orchestration.game import quarantine
from gamestats_assets.orchestration.sensor import behind_sensor

_PATCHES_EVERY_S = 3600


@functools.cache
def definitions() -> dg.Definitions:
    """Assets with their checks, the job that archives matches, and what starts work."""
    # Matches come all the time, and each would have the statistics of its patch made again.
    quarantined, check = quarantine(game())
    behind = behind_sensor(game(), rests_s={"patch": _PATCHES_EVERY_S})
    return dg.Definitions(
        assets=[*game().assets(), quarantined],
        asset_checks=[check],
        jobs=[sensors.archive_lol_matches],
        sensors=[behind, sensors.seeded_player_matches()],
    )
