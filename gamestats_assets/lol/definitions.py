"""League of Legends' part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.lol import sensors, tables
from gamestats_assets.lol.assets import CHECKS, assets, settled
from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import checks_of_tables


@functools.cache
def definitions() -> dg.Definitions:
    """Assets, checks, the job that archives matches, and what starts work."""
    of_patches = {each.table for each in settled()}
    return dg.Definitions(
        assets=assets(),
        asset_checks=[
            *checks_of_tables([table for table in tables.ALL if table not in of_patches], CHECKS),
            *checks_of_tables([*of_patches], CHECKS, settled()),
        ],
        jobs=[sensors.archive_lol_matches],
        sensors=[
            sensors.new_lol_matches(),
            sensors.seeded_player_matches(),
            sensors.lists_landed(),
            sensors.patches_behind(),
            automation_sensor("lol_automation", dg.AssetSelection.groups("lol")),
        ],
    )
