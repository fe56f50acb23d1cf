"""Event logs' part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.demo_data import sensors, tables
from gamestats_assets.demo_data.assets import CHECKS, GAME, assets
from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import checks_of_tables


@functools.cache
def definitions() -> dg.Definitions:
    """Assets, checks, and what starts work."""
    return dg.Definitions(
        assets=assets(),
        asset_checks=checks_of_tables(tables.ALL, CHECKS),
        sensors=[
            sensors.new_logs(),
            sensors.products_entered(),
            automation_sensor("demo_data_automation", dg.AssetSelection.groups(GAME)),
        ],
    )
