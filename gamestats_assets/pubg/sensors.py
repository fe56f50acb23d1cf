"""What starts PUBG work: files that landed."""

from __future__ import annotations

import dagster as dg

from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.pubg import tables


def new_pubg_matches() -> dg.SensorDefinition:
    """Requests the bronze tables of every day that gained files; the rest follows by its conditions."""
    return landed_sensor(
        "new_pubg_matches",
        [table for table in tables.ALL if table.spec.layer == "bronze"],
        description="Watches the landing zone and requests the days that gained match or telemetry files.",
    )
