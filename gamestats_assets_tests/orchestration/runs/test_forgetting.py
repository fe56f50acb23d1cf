"""Dagster keeps no previews of personal rows, and nothing at all of forgotten people."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import dataframely as dy
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lakehouse.traces import Sought, files_with, rows_with
from gamestats_assets.orchestration.execution import StepResult
from gamestats_assets.orchestration.freshness.snapshot import Graph, Snapshot
from gamestats_assets.orchestration.metadata import step_metadata
from gamestats_assets.orchestration.runs.forgetting import forget_in_dagster
from gamestats_assets.orchestration.runs.instance import dagster_instance
from gamestats_assets.settings import Settings

PLAYERS = dg.DynamicPartitionsDefinition(name="fan")


class Visitors(Table, key="demo/visitors", layer="bronze"):
    """Who came."""

    visitor = dy.String(primary_key=True, description="Name.")


class Guests(Table, key="demo/guests", layer="bronze", personal=True):
    """Who came, and wants nobody to know."""

    visitor = dy.String(primary_key=True, description="Name.")


@pytest.fixture
def stores(tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """Stores over an empty database."""
    monkeypatch.setenv("GAMESTATS_POSTGRES_URL", fresh_database)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return Stores(Settings(data=str(tmp_path), state=tmp_path, postgres_url=SecretStr(fresh_database)))


@pytest.fixture
def instance(stores: Stores) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance in that database."""
    with dagster_instance(stores) as instance:
        yield instance


@dg.asset(partitions_def=PLAYERS)
def visits(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    print(f"{context.partition_key} came")  # noqa: T201
    return dg.MaterializeResult(metadata={"who": context.partition_key})


@dg.asset
def everybody(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    context.log.info("ann was seen")
    return dg.MaterializeResult(metadata={"rows": 2})


def places(stores: Stores, text: str) -> list[str]:
    """Tables and logs in which a text stands."""
    sought = Sought([text])
    return [*rows_with(stores.postgres_url, sought), *files_with(str(stores.settings.state_folder / "dagster"), sought)]


def test_dagster_forgets_a_person_and_keeps_everyone_else(stores: Stores, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("fan", ["ann", "bob"])
    for key in ("bob", "ann"):
        assert dg.materialize([visits], partition_key=key, instance=instance).success
    run = dg.materialize([everybody], instance=instance)
    found = places(stores, "ann")
    assert {"dagster.event_logs", "dagster.runs", "dagster.run_tags", "dagster.dynamic_partitions"} <= {*found}
    assert any(place.endswith(".out") for place in found)
    before = places(stores, "bob")
    assert forget_in_dagster(instance, stores, ["ann"], {"fan": "ann"}) > 0
    assert places(stores, "ann") == []
    # Nothing but the last event of the asset was of both.
    assert {*before} - {*places(stores, "bob")} <= {"dagster.asset_keys"}
    assert instance.get_materialized_partitions(dg.AssetKey("visits")) == {"bob"}
    # Of a run that named her by the way the event alone is gone.
    assert instance.get_run_by_id(run.run_id) is not None
    assert instance.get_latest_materialization_event(dg.AssetKey("everybody")) is not None
    assert forget_in_dagster(instance, stores, ["ann"], {"fan": "ann"}) == 0
    instance.add_dynamic_partitions("fan", ["cid"])
    assert dg.materialize([visits], partition_key="cid", instance=instance).success


def test_no_preview_is_kept_of_rows_that_name_people(stores: Stores) -> None:
    for table in (Visitors, Guests):
        written = stores.lake.replace(table, pl.DataFrame({"visitor": ["ann"]}))
        for commits in ([written], []):
            metadata = step_metadata(Snapshot(stores, Graph()), table, StepResult([""], commits={table: commits}))
            assert ("ann" in str(metadata)) == ("preview" in metadata) == (table is Visitors)
            assert metadata["dagster/row_count"] == 1
