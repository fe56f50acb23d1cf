"""PUBG's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import checks_of_tables
from gamestats_assets.pubg import sensors, tables
from gamestats_assets.pubg.assets import CHECKS, assets


@functools.cache
def definitions() -> dg.Definitions:
    """Assets, checks, the job that archives matches, and what starts work."""
    return dg.Definitions(
        assets=assets(),
        asset_checks=checks_of_tables(tables.ALL, CHECKS),
        jobs=[sensors.archive_pubg_matches],
        sensors=[
            sensors.new_pubg_matches(),
            sensors.tracked_player_matches(),
            sensors.tournament_matches_found(),
            sensors.tournament_entries(),
            sensors.tracked_player_details(),
            automation_sensor("pubg_automation", dg.AssetSelection.groups("pubg")),
        ],
    )
