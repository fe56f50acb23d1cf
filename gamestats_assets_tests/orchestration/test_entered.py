"""What people enter reaches the lake when it changed, and the days it concerns are requested with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.entered import entered_sensor, entered_tables, is_current
from gamestats_assets.orchestration.io_manager import lake_io_manager
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.pubg.tables import Divisions, MatchTournamentContext, Seasons
from gamestats_assets.settings import Settings

TABLES = (Seasons, Divisions)


@pytest.fixture
def stores(tmp_path: Path, fresh_database: str) -> Stores:
    return Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database)))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def execute(stores: Stores, statement: LiteralString, *values: Any) -> None:
    with psycopg.connect(stores.postgres_url.get_secret_value(), autocommit=True) as conn:
        conn.execute(statement, values)


def enter_season(stores: Stores, season: str) -> None:
    migrate(stores.postgres_url)
    execute(stores, "INSERT INTO ops.seasons (season, name, time_zone) VALUES (%s, 'S', 'UTC')", season)


def take(stores: Stores, instance: dg.DagsterInstance) -> set[str]:
    """Take snapshots; the tables that were made anew."""
    result = dg.materialize(
        [entered_tables(TABLES, {Seasons: ("season", "season")})],
        instance=instance,
        resources={
            "stores": dg.ResourceDefinition.hardcoded_resource(stores),
            "lake": lake_io_manager({asset_key(table): table for table in TABLES}),
        },
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}


def test_only_tables_that_somebody_changed_are_made_anew(stores: Stores, instance: dg.DagsterInstance) -> None:
    assert take(stores, instance) == {"seasons", "divisions"}, "the first time, empty as they are"
    assert take(stores, instance) == set()
    enter_season(stores, "s1")
    assert not is_current(stores, Seasons)
    assert take(stores, instance) == {"seasons"}
    assert is_current(stores, Seasons)
    assert stores.lake.scan(Seasons).collect().get_column("season").to_list() == ["s1"]
    execute(stores, "UPDATE ops.seasons SET kill_points = 2")
    assert take(stores, instance) == {"seasons"}
    assert stores.lake.scan(Seasons).collect().get_column("kill_points").to_list() == [2]
    execute(stores, "DELETE FROM ops.seasons")
    assert take(stores, instance) == {"seasons"}
    assert stores.lake.scan(Seasons).collect().is_empty()


def test_a_season_becomes_a_partition_and_stays_one(stores: Stores, instance: dg.DagsterInstance) -> None:
    for season in ("s1", "s2"):
        enter_season(stores, season)
        take(stores, instance)
    assert list(instance.get_dynamic_partitions("season")) == ["s1", "s2"]


def test_the_sensor_asks_for_snapshots_once_and_then_for_the_days(stores: Stores, instance: dg.DagsterInstance) -> None:
    sensor = entered_sensor(
        "entries", TABLES, [MatchTournamentContext], lambda stores: ("2026-03-01", "2026-03-09"), description="."
    )

    def tick(cursor: str | None = None) -> tuple[list[list[str]], dict[str, Any], str]:
        result: Any = sensor(dg.build_sensor_context(instance, cursor=cursor, resources={"stores": stores}))
        requests = result.run_requests or []
        tags = requests[-1].tags if requests else {}
        return [[k.path[-1] for k in r.asset_selection] for r in requests], tags, result.cursor

    asked, _, cursor = tick()
    assert asked == [["seasons", "divisions"]]
    assert tick(cursor)[0] == []
    take(stores, instance)
    asked, tags, cursor = tick(cursor)
    assert asked == [["match_tournament_context"]]
    assert tags["dagster/asset_partition_range_start"] == "2026-03-01"
    assert tags["dagster/asset_partition_range_end"] == "2026-03-09"
    assert tick(cursor)[0] == []
    enter_season(stores, "s1")
    asked, _, cursor = tick(cursor)
    assert asked == [["seasons", "divisions"]]
    assert json.loads(cursor)["entered"]
