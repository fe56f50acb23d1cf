"""The code location: every game's definitions with the resources they share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from gamestats_assets.demo_data import definitions as demo_data
from gamestats_assets.l2m import definitions as l2m
from gamestats_assets.lol import definitions as lol
from gamestats_assets.orchestration.io_manager import lake_io_manager, stores_resource
from gamestats_assets.orchestration.maintenance import lake_maintenance
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.pubg import definitions as pubg
from gamestats_assets.rocket_league import definitions as rocket_league
from gamestats_assets.tables import ALL as TABLES


def build_defs(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Definitions over resources of their own; others can be given by name (`stores`, `lake`, `duckdb`)."""
    from dagster_duckdb import DuckDBResource

    maintenance, daily = lake_maintenance(TABLES)
    shared = dg.Definitions(
        jobs=[maintenance],
        schedules=[daily],
        executor=dg.in_process_executor,
        resources={
            "stores": stores_resource,
            "lake": lake_io_manager({asset_key(table): table for table in TABLES}),
            # In memory, one per step: a DuckDB file has a single writer.
            "duckdb": DuckDBResource(database=":memory:"),
            **(resource_overrides or {}),
        },
    )
    with warnings.catch_warnings():
        # Single-run backfills and partitioned checks are new in Dagster, which says so at every asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.Definitions.merge(
            pubg.definitions(),
            demo_data.definitions(),
            l2m.definitions(),
            lol.definitions(),
            rocket_league.definitions(),
            shared,
        )


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads."""
    return build_defs()
