"""A publication copies exactly its partitions to PostgreSQL, and only what passes its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import psycopg
import pytest
from deltalake import write_deltalake
from pydantic import SecretStr

from gamestats_assets.lakehouse.models.sql import SqlModel
from gamestats_assets.lakehouse.published import publication as kernel
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as game
from gamestats_assets_tests.orchestration.goals import DayGoals, MatchGoals, RawFiles, RawGoals, land
from gamestats_assets_tests.support.published import read_published

DAY, NEXT = "2026-01-01", "2026-01-02"
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def stores(tmp_path: Path, fresh_database: str) -> Stores:
    return Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database), workers=1))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run(stores: Stores, tmp_path: Path, instance: dg.DagsterInstance) -> Run:
    model = tmp_path / "sql" / "demo" / "day_goals.sql"
    model.parent.mkdir(parents=True)
    model.write_text(
        "-- Goals of every day.\n"
        "select m.day, cast(sum(m.goals) as bigint) as goals from demo.match_goals m group by m.day"
    )
    known = {table.spec.dotted: table for table in game.TABLES}
    demo = Game("demo", game.TABLES, game.CHECKS)
    demo.landed([RawGoals, RawFiles], game.decode)
    demo.function(game.match_goals)
    demo.sql(DayGoals, SqlModel.load(model, DayGoals, known))
    demo.publications()
    assets = demo.assets()

    def run_them(*days: str, only: list[dg.AssetKey] | None = None) -> dg.ExecuteInProcessResult:
        tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
        return dg.materialize(
            assets,
            instance=instance,
            resources={"stores": dg.ResourceDefinition.hardcoded_resource(stores)},
            selection=dg.AssetSelection.assets(*only) if only else None,
            raise_on_error=False,
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    return run_them


def land_too_much(stores: Stores, day: str) -> None:
    """What stops a day: a thousand goals and more."""
    for number in range(11):
        land(stores.landing, f"b{number}", day, [*range(99)])


def published(stores: Stores) -> list[tuple[str, int]]:
    return read_published(stores.postgres_url, MatchGoals).sort("match_id").select("match_id", "goals").rows()


def test_a_day_goes_from_landing_to_postgresql(stores: Stores, run: Run) -> None:
    land(stores.landing, "a", DAY, [3, 90])
    land(stores.landing, "b", NEXT, [])
    assert run(DAY, NEXT).success
    assert published(stores) == [("a", 2), ("b", 0)]


def test_a_failed_blocking_check_stops_publication_in_a_separate_run(stores: Stores, run: Run) -> None:
    land(stores.landing, "a", DAY, [3])
    assert run(DAY).success
    land_too_much(stores, DAY)
    assert not run(DAY).success
    alone = run(DAY, only=[publication_key(MatchGoals)])
    assert not alone.success
    failure = alone.failure_data_for_node("postgres__demo__match_goals")
    assert failure is not None
    assert "days_are_quiet" in str(failure.error)
    assert published(stores) == [("a", 1)], "what was published last"
    days = read_published(stores.postgres_url, DayGoals)
    assert days.get_column("goals").to_list() == [1], "what follows stays as it was, too"


def test_a_broken_day_does_not_hold_up_the_other_days_of_a_range(
    stores: Stores, run: Run, instance: dg.DagsterInstance
) -> None:
    land_too_much(stores, DAY)
    land(stores.landing, "a", NEXT, [3])
    assert not run(DAY, NEXT).success
    assert published(stores) == [("a", 1)]
    assert instance.get_materialized_partitions(publication_key(MatchGoals)) == {NEXT}
    alone = run(DAY, NEXT, only=[publication_key(MatchGoals)])
    failure = alone.failure_data_for_node("postgres__demo__match_goals")
    assert failure is not None
    assert "days_are_quiet" in str(failure.error)
    assert read_published(stores.postgres_url, DayGoals).get_column("day").cast(pl.String).to_list() == [NEXT]


def test_unchecked_rows_that_break_a_check_are_not_published(stores: Stores, run: Run) -> None:
    land(stores.landing, "a", DAY, [3])
    assert run(DAY).success
    rows = stores.lake.scan(MatchGoals).with_columns(goals=pl.lit(1000, pl.Int64)).collect()
    write_deltalake(stores.lake.uri(MatchGoals), rows, mode="overwrite")
    alone = run(DAY, only=[publication_key(MatchGoals)])
    failure = alone.failure_data_for_node("postgres__demo__match_goals")
    assert failure is not None
    assert "days_are_quiet" in str(failure.error)
    assert published(stores) == [("a", 1)]


def test_what_is_published_already_is_not_published_again(stores: Stores, run: Run) -> None:
    land(stores.landing, "a", DAY, [3])
    written = [
        sum(
            event.materialization.metadata["rows_written"].value  # type: ignore[misc]
            for event in run(DAY).get_asset_materialization_events()
            if event.materialization.asset_key == publication_key(MatchGoals)
        )
        for _ in range(2)
    ]
    assert written == [1, 0]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Matches of which rows were sent to PostgreSQL, publication by publication."""
    matches: list[list[str]] = []
    copy = kernel._copy  # pyright: ignore[reportPrivateUsage]

    def copied(cursor: Any, table: type[Table], frame: pl.DataFrame) -> None:
        if table.spec.name == MatchGoals.spec.name:
            matches.append(sorted(frame["match_id"]))
        copy(cursor, table, frame)

    monkeypatch.setattr(kernel, "_copy", copied)
    return matches


def test_of_a_day_with_a_new_match_the_new_one_is_sent(stores: Stores, run: Run, sent: list[list[str]]) -> None:
    for match_id in ("a", "b", "c"):
        land(stores.landing, match_id, DAY, [3])
    assert run(DAY).success
    land(stores.landing, "d", DAY, [5])
    land(stores.landing, "b", DAY, [7, 8])
    assert run(DAY).success
    assert sent == [["a", "b", "c"], ["b", "d"]]
    assert published(stores) == [("a", 1), ("b", 2), ("c", 1), ("d", 1)]


def test_a_partition_of_unknown_content_is_sent_whole(stores: Stores, run: Run, sent: list[list[str]]) -> None:
    land(stores.landing, "a", DAY, [3])
    land(stores.landing, "b", DAY, [3])
    assert run(DAY).success
    with psycopg.connect(stores.postgres_url.get_secret_value()) as conn:
        conn.execute("DELETE FROM demo.match_goals WHERE match_id = 'a'")
    land(stores.landing, "c", DAY, [5])
    assert run(DAY).success
    assert sent[-1] == ["a", "b", "c"]
    assert published(stores) == [("a", 1), ("b", 1), ("c", 1)]


def test_a_table_of_another_declaration_is_made_anew_with_all_its_days(
    stores: Stores, run: Run, sent: list[list[str]]
) -> None:
    land(stores.landing, "a", DAY, [3])
    land(stores.landing, "b", NEXT, [3])
    assert run(DAY, NEXT).success
    with psycopg.connect(stores.postgres_url.get_secret_value()) as conn:
        conn.execute("UPDATE demo.published_versions SET definition = 'another'")
    land(stores.landing, "c", DAY, [5])
    assert run(DAY).success
    assert sent[1:] == [["a", "b", "c"]]
    assert published(stores) == [("a", 1), ("b", 1), ("c", 1)]


def test_a_day_that_lost_its_matches_is_published_empty(stores: Stores, run: Run) -> None:
    land(stores.landing, "a", DAY, [3])
    assert run(DAY).success
    stores.lake.replace(MatchGoals, stores.lake.scan(MatchGoals).limit(0), partitions=[MatchGoals.partition_value(DAY)])
    assert run(DAY, only=[publication_key(MatchGoals)]).success
    assert published(stores) == []


def test_a_publication_before_anything_was_made_says_what_to_do(run: Run) -> None:
    alone = run(DAY, only=[publication_key(MatchGoals)])
    failure = alone.failure_data_for_node("postgres__demo__match_goals")
    assert failure is not None
    assert "gamestats materialize" in str(failure.error)


def test_a_sql_table_follows_its_input_and_tells_its_lineage(stores: Stores, run: Run) -> None:
    land(stores.landing, "a", DAY, [3, 4])
    result = run(DAY)
    assert result.success
    assert stores.lake.scan(DayGoals).collect().rows() == [(DayGoals.partition_value(DAY), 2)]
    lineage = next(
        spec.metadata["dagster/column_lineage"]
        for spec in result.job_def.asset_layer.asset_graph.assets_defs  # type: ignore[union-attr]
        for spec in spec.specs
        if spec.key == asset_key(DayGoals)
    )
    assert lineage.deps_by_column["goals"] == [dg.TableColumnDep(asset_key(MatchGoals), "goals")]
