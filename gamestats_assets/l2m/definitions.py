"""The MMO's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.l2m import sensors, tables
from gamestats_assets.l2m.assets import CHECKS, assets
from gamestats_assets.orchestration.checks import table_checks


@functools.cache
def definitions() -> dg.Definitions:
    """Assets, checks, and what starts work."""
    by_table = {table: [check for check in CHECKS if check.table is table] for table in tables.ALL}
    return dg.Definitions(
        assets=assets(),
        asset_checks=[table_checks(table, found) for table, found in by_table.items() if found],
        sensors=[sensors.new_logs(), sensors.days_behind(), sensors.whitelist_entered()],
        schedules=[sensors.every_night()],
    )
