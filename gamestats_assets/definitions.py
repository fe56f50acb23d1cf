"""The code location: every game's definitions with their shared resources."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import dagster as dg

from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.runs.instance import stores_resource
from gamestats_assets.orchestration.runs.maintenance import lake_maintenance
from gamestats_assets.orchestration.runs.sensor import WAITS_S, behind_sensor
from gamestats_assets.tables import GAMES, tables_of


def build_defs(
    resource_overrides: Mapping[str, Any] | None = None,
    games: Collection[str] | None = None,
    *,
    sensor_waits_s: float = 0,
) -> dg.Definitions:
    """Returns definitions with their own resources.

    Args:
        resource_overrides: other resources by name (`stores`, `duckdb`).
        games: games to define; None means all. Games do not depend on each other, and modules of other games are not
            imported.
        sensor_waits_s: seconds that an idle tick of the sensor `behind` waits for a change.
    """
    from dagster_duckdb import DuckDBResource

    chosen = [game for game in GAMES if games is None or game in games]
    tables = tables_of(*chosen) if chosen else ()
    maintenance, daily = lake_maintenance(tables)
    shared = dg.Definitions(
        jobs=[maintenance],
        schedules=[daily],
        executor=dg.in_process_executor,
        resources={
            "stores": stores_resource,
            # In memory, one per step: a DuckDB file has a single writer.
            "duckdb": DuckDBResource(database=":memory:"),
            **(resource_overrides or {}),
        },
    )
    with warnings.catch_warnings(), _uncollected():
        # Single-run backfills and partitioned checks are beta features, which Dagster reports for every asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        modules = [import_module(f"gamestats_assets.{game}.definitions") for game in chosen]
        watched = [module.watched() for module in modules]
        behind = dg.Definitions(sensors=[behind_sensor(watched, sensor_waits_s)] if watched else [])
        return dg.Definitions.merge(*(module.definitions() for module in modules), behind, shared)


def game_of(name: str) -> Game:
    """Returns a game by its name."""
    return import_module(f"gamestats_assets.{name}.assets").game()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pauses garbage collection: nearly all objects created by loading stay in use, and searching for the others takes
    a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dg.definitions
def defs() -> dg.Definitions:
    """Returns the definitions that `workspace.yaml` loads."""
    return build_defs(sensor_waits_s=WAITS_S)
