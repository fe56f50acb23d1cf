"""Event logs' part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.demo_data import sensors, tables
from gamestats_assets.demo_data.assets import CHECKS, GAME, assets
from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import table_checks


@functools.cache
def definitions() -> dg.Definitions:
    """Assets, checks, and what starts work."""
    by_table = {table: [check for check in CHECKS if check.table is table] for table in tables.ALL}
    return dg.Definitions(
        assets=assets(),
        asset_checks=[table_checks(table, found) for table, found in by_table.items() if found],
        sensors=[
            sensors.new_logs(),
            sensors.products_entered(),
            automation_sensor("demo_data_automation", dg.AssetSelection.groups(GAME)),
        ],
    )
