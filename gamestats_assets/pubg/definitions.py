"""PUBG's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.orchestration.game import quarantine
from gamestats_assets.orchestration.sensor import behind_sensor
from gamestats_assets.pubg import sensors
from gamestats_assets.pubg.assets import game


@functools.cache
def definitions() -> dg.Definitions:
    """Assets with their checks, the job that archives matches, and what starts work."""
    quarantined, check = quarantine(game())
    behind = behind_sensor(game(), lots=sensors.lots, before=sensors.learn_accounts)
    return dg.Definitions(
        assets=[*game().assets(), quarantined],
        asset_checks=[check],
        jobs=[sensors.archive_pubg_matches],
        sensors=[behind, sensors.tracked_player_matches(), sensors.tournament_matches_found()],
    )
