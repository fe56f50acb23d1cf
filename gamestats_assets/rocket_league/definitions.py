"""Rocket League's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import checks_of_tables
from gamestats_assets.rocket_league import sensors, tables
from gamestats_assets.rocket_league.assets import CHECKS, assets, settled


@functools.cache
def definitions() -> dg.Definitions:
    """Assets, checks, the job that archives replays, and what starts work."""
    by_settling = {each.table for each in settled()}
    return dg.Definitions(
        assets=assets(),
        asset_checks=[
            *checks_of_tables([table for table in tables.ALL if table not in by_settling], CHECKS),
            *checks_of_tables([*by_settling], CHECKS, settled()),
        ],
        jobs=[sensors.archive_rocket_league_replays],
        schedules=[sensors.every_night()],
        sensors=[
            sensors.replays_landed(),
            sensors.entries(),
            sensors.players_behind(),
            sensors.tracked_player_replays(),
            automation_sensor("rocket_league_automation", dg.AssetSelection.groups("rocket_league")),
        ],
    )
