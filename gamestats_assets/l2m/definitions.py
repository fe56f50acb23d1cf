"""The MMO's part of the code location."""

from __future__ import annotations

import functools

import dagster as dg

from gamestats_assets.l2m import sensors, tables
from gamestats_assets.l2m.assets import CHECKS, assets, settled
from gamestats_assets.orchestration.checks import checks_of_tables


@functools.cache
def definitions() -> dg.Definitions:
    """Assets, checks, and what starts work."""
    return dg.Definitions(
        assets=assets(),
        asset_checks=checks_of_tables(tables.ALL, CHECKS, settled()),
        sensors=[sensors.new_logs(), sensors.days_behind(), sensors.whitelist_entered()],
        schedules=[sensors.every_night()],
    )
