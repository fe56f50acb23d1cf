"""Tables that read more than their own partition: joint ids, neighbouring days, partitions of another kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import dataframely as dy
import polars as pl
import pytest

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import landed_tables, table_asset
from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import table_checks
from gamestats_assets.orchestration.io_manager import lake_io_manager
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as game
from gamestats_assets_tests.orchestration.goals import DAILY, MatchGoals, RawFiles, RawGoals, land

DAY, NEXT, AFTER = "2020-01-01", "2020-01-02", "2020-01-03"


class Ranks(Table, key="demo/ranks", layer="gold", **DAILY):
    """Rank of a match by its goals, among its day and the days around it."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="UTC day.")
    rank = dy.Int64(description="1 for most goals.")


class Leagues(Table, key="demo/leagues", layer="gold", partitioned_by="league"):
    """Goals of a league: even and odd match numbers play in two."""

    league = dy.String(primary_key=True, description="League.")
    goals = dy.Int64(description="Goals of all days.")


def ranks(matches: dy.LazyFrame[MatchGoals]) -> dy.LazyFrame[Ranks]:
    """Ranks by goals, equal ones by name."""
    ordered = matches.sort(-pl.col("goals"), "match_id")
    return ordered.with_columns(rank=pl.int_range(pl.len()) + 1).select(Ranks.column_names())  # type: ignore[return-value]


def leagues(matches: dy.LazyFrame[MatchGoals]) -> dy.LazyFrame[Leagues]:
    """Goals by league."""
    odd = pl.col("match_id").str.slice(-1).cast(pl.Int64) % 2 == 1
    named = matches.with_columns(league=pl.when(odd).then(pl.lit("odd")).otherwise(pl.lit("even")))
    return named.group_by("league").agg(pl.col("goals").sum())  # type: ignore[return-value]


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(Settings(data=str(tmp_path), workers=1))


@pytest.fixture
def defs(stores: Stores) -> dg.Definitions:
    tables = (*game.TABLES, Ranks, Leagues)
    return dg.Definitions(
        assets=[
            landed_tables([RawGoals, RawFiles], game.decode),
            table_asset(game.match_goals),
            table_asset(ranks, jointly=True),
            table_asset(leagues),
        ],
        asset_checks=[table_checks(MatchGoals, game.CHECKS)],
        sensors=[automation_sensor("automation", dg.AssetSelection.all())],
        resources={
            "stores": dg.ResourceDefinition.hardcoded_resource(stores),
            "lake": lake_io_manager({asset_key(table): table for table in tables}),
        },
        executor=dg.in_process_executor,
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("league", ["even", "odd"])
        yield instance


def run(
    defs: dg.Definitions, instance: dg.DagsterInstance, tables: Sequence[type[Table]], first: str, last: str = ""
) -> bool:
    """Materialise tables for one partition, or for a range in one run; whether it succeeded."""
    spread: dict[str, Any] = (
        {"tags": {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}}
        if last
        else {"partition_key": first}
    )
    return (
        defs.resolve_implicit_global_asset_job_def()
        .execute_in_process(
            instance=instance,
            asset_selection=[asset_key(table) for table in tables],
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            **spread,
        )
        .success
    )


MADE_FIRST = (RawGoals, RawFiles, MatchGoals)


def stored(stores: Stores) -> dict[str, int]:
    return dict(stores.lake.scan(Ranks).select("match_id", "rank").collect().iter_rows())


def test_the_days_around_are_read_and_the_own_ones_written(
    stores: Stores, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    for number, (day, goals) in enumerate([(DAY, 1), (NEXT, 2), (AFTER, 3)]):
        land(stores.landing, f"m{number}", day, list(range(goals)))
    assert run(defs, instance, MADE_FIRST, DAY, AFTER)
    assert run(defs, instance, [Ranks], DAY)
    assert stored(stores) == {"m0": 2}
    assert run(defs, instance, [Ranks], DAY, AFTER)
    assert stored(stores) == {"m0": 3, "m1": 2, "m2": 1}


def test_only_ids_whose_rows_changed_are_replaced(
    stores: Stores, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    for number, goals in enumerate([5, 4, 3]):
        land(stores.landing, f"m{number}", DAY, list(range(goals)))
    assert run(defs, instance, [*MADE_FIRST, Ranks], DAY)
    before = stores.lake.state(Ranks)
    assert run(defs, instance, [Ranks], DAY)
    assert stores.lake.state(Ranks) == before
    land(stores.landing, "m4", DAY, list(range(3)))
    files = {add["path"] for add in _adds(stores)}
    assert run(defs, instance, [*MADE_FIRST, Ranks], DAY)
    assert stored(stores) == {"m0": 1, "m1": 2, "m2": 3, "m4": 4}
    assert len({add["path"] for add in _adds(stores)} & files) == len(files), "a new match touched the others' files"


def _adds(stores: Stores) -> list[dict[str, Any]]:
    table = stores.lake.open(Ranks)
    assert table is not None
    return pl.DataFrame(table.get_add_actions(flatten=True)).select("path").to_dicts()


def test_an_id_that_is_no_longer_made_goes(stores: Stores, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    land(stores.landing, "m0", DAY, [1])
    land(stores.landing, "m1", DAY, [1, 2])
    assert run(defs, instance, [*MADE_FIRST, Ranks], DAY)
    kept = stores.lake.scan(MatchGoals).filter(pl.col("match_id") == "m0")
    stores.lake.replace(MatchGoals, kept, partitions=[date.fromisoformat(DAY)])
    assert run(defs, instance, [Ranks], DAY)
    assert stored(stores) == {"m0": 1}


def test_a_table_of_other_partitions_reads_everything_and_writes_its_own(
    stores: Stores, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    land(stores.landing, "m1", DAY, [1, 2])
    land(stores.landing, "m2", NEXT, [1])
    land(stores.landing, "m3", NEXT, [1])
    assert run(defs, instance, MADE_FIRST, DAY, NEXT)
    assert run(defs, instance, [Leagues], "odd")
    assert stores.lake.scan(Leagues).collect().rows() == [("odd", 3)]
    assert run(defs, instance, [Leagues], "even")
    assert sorted(stores.lake.scan(Leagues).collect().rows()) == [("even", 1), ("odd", 3)]


def requested(defs: dg.Definitions, instance: dg.DagsterInstance, cursor: Any = None) -> tuple[set[str], Any]:
    """What the conditions of the wide tables ask for, as table@partition, and the next cursor."""
    result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
    found = {
        f"{key.path[-1]}@{partition}"
        for key in (asset_key(Ranks), asset_key(Leagues))
        for partition in result.get_requested_partitions(key)
    }
    return found, result.cursor


def test_a_day_that_changed_asks_for_its_neighbours_and_for_every_league(
    stores: Stores, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, cursor = requested(defs, instance)
    land(stores.landing, "m1", NEXT, [1])
    assert run(defs, instance, MADE_FIRST, NEXT)
    found, cursor = requested(defs, instance, cursor)
    assert found == {f"ranks@{DAY}", f"ranks@{NEXT}", f"ranks@{AFTER}", "leagues@even", "leagues@odd"}
    assert run(defs, instance, [Ranks], DAY, AFTER)
    assert run(defs, instance, [Leagues], "even")
    assert run(defs, instance, [Leagues], "odd")
    found, _ = requested(defs, instance, cursor)
    assert found == set()


def test_nothing_is_asked_for_past_a_failed_blocking_check(
    stores: Stores, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, cursor = requested(defs, instance)
    land(stores.landing, "m1", NEXT, list(range(100)))
    assert not run(defs, instance, MADE_FIRST, NEXT)
    found, _ = requested(defs, instance, cursor)
    assert found == set()
