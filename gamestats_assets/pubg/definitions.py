"""PUBG's part of the code location."""

from __future__ import annotations

import dagster as dg

from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import table_checks
from gamestats_assets.pubg import checks, tables
from gamestats_assets.pubg.assets import assets
from gamestats_assets.pubg.sensors import new_pubg_matches


def definitions() -> dg.Definitions:
    """Assets, checks, the landing sensor and the automation sensor of PUBG."""
    by_table = {table: [check for check in checks.ALL if check.table is table] for table in tables.ALL}
    return dg.Definitions(
        assets=assets(),
        asset_checks=[table_checks(table, found) for table, found in by_table.items() if found],
        sensors=[
            new_pubg_matches(),
            automation_sensor("pubg_automation", dg.AssetSelection.groups("pubg")),
        ],
    )
