"""The lake: replacement in one commit, schema changes, maintenance, races and sudden death."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dataframely as dy
import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import LocalStore
from polars.testing import assert_frame_equal
from pyarrow.parquet import ParquetWriter

from gamestats_assets.lakehouse.delta.lake import Lake, MissingPredicateError, OutsidePredicateError
from gamestats_assets.lakehouse.delta.reader import DamagedTableError
from gamestats_assets.lakehouse.delta.schema import IncompatibleSchemaError
from gamestats_assets.lakehouse.files.objects import object_store
from gamestats_assets.lakehouse.models.sql import ParquetSource, query
from gamestats_assets.lakehouse.quality import Rejection, SchemaMismatchError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lakehouse.traces import contents_under, paths_under
from gamestats_assets_tests.lakehouse.declared import (
    MARCH_1,
    MARCH_2,
    QUARANTINE,
    Clubs,
    Fans,
    Goals,
    Sales,
    clubs,
    goal_rows,
    goals,
    sales,
    stored,
)
from gamestats_assets_tests.lakehouse.processes import at_once, killed

if TYPE_CHECKING:
    from gamestats_assets_tests.support.s3_fixture import S3

Place = tuple[str, Mapping[str, str]]


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Root and options of an empty lake, in a folder and in an object store."""
    if request.param == "folder":
        return str(tmp_path), {}
    s3: S3 = request.getfixturevalue("s3")
    return s3.empty(), s3.storage_options


@pytest.fixture
def anywhere(place: Place) -> Lake:
    """An empty lake, in a folder and in an object store."""
    return Lake(*place)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake in a folder."""
    return Lake(tmp_path)


def scored(lake: Lake) -> dict[tuple[date, str], list[int]]:
    """Goals per day and match, as stored."""
    found: dict[tuple[date, str], list[int]] = {}
    for match, _, day, count, _ in stored(lake, Goals).iter_rows():
        found.setdefault((day, match), []).append(count)
    return found


# --- Replacing -------------------------------------------------------------------------------


class Averages(Table, key="demo/averages", layer="gold", significant_digits=10):
    """A statistic by player."""

    player = dy.String(primary_key=True, description="Player.")
    mean = dy.Float64(description="Mean goals.")
    matches = dy.Int64(description="Matches.")


def test_summing_floats_in_another_order_writes_nothing(lake: Lake) -> None:
    sums = ((0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3))
    assert sums[0] != sums[1]
    first, again = (
        lake.replace(Averages, pl.DataFrame({"player": ["Ada"], "mean": [mean], "matches": [12_345_678_901]}))
        for mean in sums
    )
    assert (first.written, again.written) == (1, 0)
    parts = [pl.DataFrame({"player": ["Ada"], "mean": [sums[1]], "matches": [12_345_678_901]})]
    assert lake.replace(Averages, iter(parts)).written == 0
    assert lake.scan(Averages).collect().row(0) == ("Ada", 0.6, 12_345_678_901)


def test_ids_are_replaced_within_their_partition_and_the_other_ids_stay(anywhere: Lake) -> None:
    anywhere.replace(Goals, goals(MARCH_1, "m1", "m2"), partitions=[MARCH_1])
    anywhere.replace(Goals, goals(MARCH_2, "m1"), partitions=[MARCH_2])
    anywhere.replace(Goals, goals(MARCH_1, "m1", "m3", scored=7), partitions=[MARCH_1], ids=["m1", "m3"])
    assert scored(anywhere) == {
        (MARCH_1, "m1"): [7, 7],
        (MARCH_1, "m2"): [1, 1],
        (MARCH_1, "m3"): [7, 7],
        (MARCH_2, "m1"): [1, 1],
    }


def test_several_partitions_are_replaced_in_one_commit(lake: Lake) -> None:
    frame = pl.concat([goals(MARCH_1, "m1"), goals(MARCH_2, "m2")])
    first = lake.replace(Goals, frame, partitions=[MARCH_1, MARCH_2])
    frame = frame.with_columns(pl.lit(2, pl.Int16).alias("goals"))
    second = lake.replace(Goals, frame, partitions=[MARCH_1, MARCH_2])
    assert second.version == first.version + 1
    assert scored(lake) == {(MARCH_1, "m1"): [2, 2], (MARCH_2, "m2"): [2, 2]}


def test_what_is_there_already_is_not_written_again(lake: Lake) -> None:
    frame = pl.concat([goals(MARCH_1, "m1", "m2"), goals(MARCH_2, "m3")])
    first = lake.replace(Goals, frame, partitions=[MARCH_1, MARCH_2])
    assert (first.rows, first.written) == (6, 6)
    again = lake.replace(Goals, frame.reverse(), partitions=[MARCH_1, MARCH_2])
    assert (again.version, again.rows, again.written) == (first.version, 6, 0)
    changed = pl.concat([goals(MARCH_1, "m1"), goals(MARCH_1, "m2", scored=2), goals(MARCH_2, "m3")])
    third = lake.replace(Goals, changed, partitions=[MARCH_1, MARCH_2])
    assert (third.version, third.rows, third.written) == (first.version + 1, 6, 2)
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1], (MARCH_1, "m2"): [2, 2], (MARCH_2, "m3"): [1, 1]}


def test_an_empty_frame_empties_what_it_replaces_and_nothing_else(lake: Lake) -> None:
    nothing = Goals.create_empty()
    lake.replace(Goals, goals(MARCH_1, "m1", "m2"), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_2, "m3"), partitions=[MARCH_2])
    assert lake.replace(Goals, nothing, partitions=[MARCH_1], ids=["m1"]).rows == 0
    assert set(scored(lake)) == {(MARCH_1, "m2"), (MARCH_2, "m3")}
    lake.replace(Goals, nothing, partitions=[MARCH_1])
    assert set(scored(lake)) == {(MARCH_2, "m3")}
    lake.replace(Clubs, clubs(red="Oslo"))
    lake.replace(Clubs, clubs())
    assert stored(lake, Clubs).is_empty()


def test_any_write_twice_changes_nothing(lake: Lake) -> None:
    writes: list[Callable[[], object]] = [
        lambda: lake.replace(Goals, goals(MARCH_1, "m1", "m2"), partitions=[MARCH_1]),
        lambda: lake.replace(Goals, goals(MARCH_1, "m2", scored=3), partitions=[MARCH_1], ids=["m2"]),
        lambda: lake.replace(Goals, goals(MARCH_1, "m3", scored=-1), partitions=[MARCH_1], ids=["m3"]),
        lambda: lake.replace(Goals, Goals.create_empty(), partitions=[MARCH_1], ids=["m1"]),
        lambda: lake.replace(Goals, Goals.create_empty(), partitions=[MARCH_1]),
        lambda: lake.compact(Goals),
        lambda: lake.rebuild(Goals),
    ]
    for write in writes:
        write()
        once = stored(lake, Goals), stored(lake, QUARANTINE)
        write()
        assert_frame_equal(stored(lake, Goals), once[0])
        assert_frame_equal(stored(lake, QUARANTINE), once[1])


@pytest.mark.parametrize(
    ("table", "keywords", "said"),
    [
        pytest.param(Goals, {}, "say which values of day this write replaces", id="no-partitions"),
        pytest.param(Goals, {"partitions": []}, "say which values of day this write replaces", id="empty-partitions"),
        pytest.param(Goals, {"ids": ["m1"]}, "say which values of day this write replaces", id="ids-only"),
        pytest.param(
            Goals, {"partitions": [MARCH_1], "ids": []}, "the list of ids to replace is empty", id="empty-ids"
        ),
        pytest.param(Fans, {"partitions": ["red"], "ids": ["x"]}, "it takes no ids", id="ids-of-a-table-without"),
        pytest.param(
            Clubs, {"partitions": ["red"]}, "demo/clubs has no partitions", id="partitions-of-a-table-without"
        ),
    ],
)
def test_a_write_that_does_not_say_what_it_replaces_is_refused(
    lake: Lake, table: type[Table], keywords: dict[str, Any], said: str
) -> None:
    with pytest.raises(MissingPredicateError, match=said):
        lake.replace(table, table.create_empty(), **keywords)
    assert lake.state(table) is None


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        pytest.param(
            goals(MARCH_2, "m1"), "replaces day in 2026-03-01, but the frame holds 2026-03-02", id="partition"
        ),
        pytest.param(goals(MARCH_1, "m1", "m2"), "replaces match_id in m1, but the frame holds m2", id="id"),
    ],
)
def test_rows_outside_of_what_a_write_replaces_are_refused(lake: Lake, frame: pl.DataFrame, said: str) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    with pytest.raises(OutsidePredicateError, match=said):
        lake.replace(Goals, frame, partitions=[MARCH_1], ids=["m1"])
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1]}


def test_a_frame_of_other_columns_is_refused_before_anything_is_written(lake: Lake) -> None:
    with pytest.raises(SchemaMismatchError, match="column goals is missing"):
        lake.replace(Goals, goals(MARCH_1, "m1").drop("goals"), partitions=[MARCH_1])
    assert lake.state(Goals) is None


def test_a_partition_may_be_given_by_its_key(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=["2026-03-01"])
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1]}


def fans(club: str, number: int) -> pl.DataFrame:
    return pl.DataFrame({"club": [club], "fans": [number]}, schema=Fans.schema())


def test_a_partition_may_be_any_text(lake: Lake) -> None:
    clubs_of_the_world = [
        "FC Köln",
        "it's",
        "50%/x=é",
        "..",
        'q"q',
        "back\\slash",
        "a,b",
        "null",
        " ",
        "1",
        "line\nend",
    ]
    for number in (1, 2):
        for club in clubs_of_the_world:
            lake.replace(Fans, fans(club, number), partitions=[club])
    for club in clubs_of_the_world:
        assert lake.scan(Fans, [club]).collect().rows() == [(club, 2)]
        assert isinstance(source := lake.source(Fans, [club]), ParquetSource)
        assert len(source.files) == 1
    state = lake.state(Fans)
    assert state is not None
    assert state.rows_per_partition == dict.fromkeys(clubs_of_the_world, 1)


def test_a_day_and_a_product_are_a_partition_like_any_other(lake: Lake) -> None:
    shop, later, quiz = "2026-03-01|shop", "2026-03-02|shop", "2026-03-01|qu iz/50%"
    for partition, cents in ((shop, 1), (later, 2), (quiz, 3)):
        lake.replace(Sales, sales(partition, cents), partitions=[partition])
    lake.replace(Sales, sales(shop, 4, 5), partitions=[shop], ids=["shop"])
    lake.replace(Sales, sales(later, 6, -6), partitions=[later])
    lake.compact(Sales)
    state = lake.state(Sales)
    assert state is not None
    assert dict(state.rows_per_partition) == {shop: 2, quiz: 1}
    assert lake.scan(Sales, [shop]).sort("cents").collect().equals(sales(shop, 4, 5))
    assert lake.scan(Sales, [quiz], ["qu iz/50%"]).collect().equals(sales(quiz, 3))
    assert lake.scan(QUARANTINE).select("partition_key", "unit_id").collect().rows() == [(later, "shop")]
    model = "select s.product_day, s.cents from demo.sales s order by s.cents"
    answer = query(model, lambda _: lake.source(Sales, [shop, quiz]), {"demo.sales": Sales})
    assert answer.rows() == [(quiz, 3), (shop, 4), (shop, 5)]
    lake.replace(Sales, Sales.create_empty(), partitions=[shop])
    assert lake.scan(Sales).select("product_day").collect().to_series().to_list() == [quiz]


def test_rows_whose_product_is_not_that_of_their_partition_are_refused(lake: Lake) -> None:
    torn = sales("2026-03-01|shop", 1, 2).with_columns(product=pl.Series(["shop", "quiz"]))
    with pytest.raises(OutsidePredicateError, match="1 rows have another product than their product_day says"):
        lake.replace(Sales, torn, partitions=["2026-03-01|shop"])
    assert lake.open(Sales) is None


def test_an_id_may_be_any_text(lake: Lake) -> None:
    odd = ["it's", "x') OR ('1' = '1", 'q"q', "back\\slash", "%", "é"]
    lake.replace(Goals, goals(MARCH_1, "m1", *odd), partitions=[MARCH_1])
    for match in odd:
        lake.replace(Goals, goals(MARCH_1, match, scored=2), partitions=[MARCH_1], ids=[match])
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1], **{(MARCH_1, match): [2, 2] for match in odd}}


DAYS, MATCHES = (MARCH_1, MARCH_2), ("m1", "m2", "m3")
Model = dict[tuple[date, str, str], int]


@st.composite
def replacements(draw: st.DrawFn) -> tuple[list[date], list[str] | None, Model]:
    """What a write replaces, and the rows it brings."""
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))
    ids = draw(st.none() | st.lists(st.sampled_from(MATCHES), min_size=1, unique=True))
    cells = st.tuples(st.sampled_from(days), st.sampled_from(ids or MATCHES), st.sampled_from(["ann", "bob"]))
    return days, ids, draw(st.dictionaries(cells, st.integers(0, 20), max_size=6))


@settings(max_examples=25)
@given(st.lists(replacements() | st.just("compact"), min_size=1, max_size=5))
def test_any_sequence_of_replacements_is_what_a_dict_would_hold(
    operations: list[tuple[list[date], list[str] | None, Model] | str],
) -> None:
    model: Model = {}
    with tempfile.TemporaryDirectory() as root:
        lake = Lake(root)
        for operation in operations:
            if isinstance(operation, str):
                lake.compact(Goals, retain_hours=0)
                continue
            days, ids, rows = operation
            frame = goal_rows([(match, player, day, count, None) for (day, match, player), count in rows.items()])
            lake.replace(Goals, frame, partitions=days, ids=ids)
            model = {cell: n for cell, n in model.items() if cell[0] not in days or cell[1] not in (ids or MATCHES)}
            model |= rows
            found = {(day, match, player): n for match, player, day, n, _ in lake.scan(Goals).collect().iter_rows()}
            assert found == model
            state = lake.state(Goals)
            assert state is not None
            assert state.rows_per_partition == {
                str(day): number for day in DAYS if (number := sum(cell[0] == day for cell in model))
            }


def test_a_mended_match_leaves_the_quarantine_alone(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1", "m2", scored=-1), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1], ids=["m1"])
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1]}
    assert stored(lake, QUARANTINE).get_column("unit_id").to_list() == ["m2"]


# --- Damage ----------------------------------------------------------------------------------


def _cut_newest_commit(lake: Lake, length: int) -> None:
    """Leave of the newest commit of Goals so many bytes."""
    url = f"{lake.uri(Goals)}/_delta_log/"
    store = object_store(url, lake.storage_options) if lake.is_remote else LocalStore(url)
    newest = max(entry["path"] for entry in store.list().collect() if entry["path"].endswith(".json"))
    store.put(newest, bytes(store.get(newest).bytes())[:length])


def test_a_damaged_log_is_told_in_one_line_and_a_rebuild_begins_it_anew(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_2, "m2"), partitions=[MARCH_2])
    _cut_newest_commit(lake, 200)

    damaged = Lake(lake.root, lake.storage_options)
    for work in (
        lambda: damaged.scan(Goals),
        lambda: damaged.state(Goals),
        lambda: damaged.replace(Goals, goals(MARCH_2, "m2"), partitions=[MARCH_2]),
    ):
        with pytest.raises(DamagedTableError, match=r"^The log of demo.goals is .*: gamestats rebuild demo.goals$"):
            work()

    damaged.rebuild(Goals)
    assert damaged.scan(Goals).collect().is_empty()
    damaged.replace(Goals, goals(MARCH_2, "m2"), partitions=[MARCH_2])
    assert [*scored(damaged)] == [(MARCH_2, "m2")]


def test_a_log_that_is_tidied_up_under_its_reader_is_read_once_more(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    kind, gone = lake._kind, [DeltaError("_delta_log/00000000000000000002.json not found")]

    def opened(*given: Any, **named: Any) -> Any:
        if gone:
            raise gone.pop()
        return kind(*given, **named)

    monkeypatch.setattr(Lake, "_kind", property(lambda lake: opened))
    assert [*scored(Lake(lake.root))] == [(MARCH_1, "m1")]
    assert not gone


def test_a_commit_of_no_bytes_is_damage_and_not_passed_over(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_2, "m2"), partitions=[MARCH_2])
    _cut_newest_commit(lake, 0)

    with pytest.raises(DamagedTableError, match=r"0+2\.json is empty"):
        Lake(lake.root).scan(Goals)


# --- Reading ---------------------------------------------------------------------------------


def test_a_table_never_written_reads_as_empty(lake: Lake) -> None:
    assert lake.scan(Goals, [MARCH_1], ["m1"]).collect().schema == Goals.schema()
    assert lake.state(Goals) is None
    assert lake.compact(Goals) == {"files_before": 0, "files_after": 0, "files_removed": 0}
    lake.rebuild(Goals)
    assert lake.state(Goals) is None


def test_only_the_partitions_and_ids_asked_for_are_read(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1", "m2"), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_2, "m1", "m3"), partitions=[MARCH_2])
    assert set(lake.scan(Goals, [MARCH_1]).collect().get_column("match_id")) == {"m1", "m2"}
    assert lake.scan(Goals, ids=["m1"]).collect().height == 4
    assert lake.scan(Goals, [MARCH_2], ["m1", "m2"]).collect().height == 2
    assert lake.scan(Goals, []).collect().is_empty()
    assert lake.scan(Goals, [MARCH_1], []).collect().is_empty()


def test_a_commit_s_preview_does_not_keep_all_rows_in_memory(lake: Lake) -> None:
    rows = goals(MARCH_1, "m1", players=50_000)
    preview = lake.replace(Goals, rows, partitions=[MARCH_1]).preview
    assert preview.equals(goals(MARCH_1, "m1", players=5))
    assert not np.shares_memory(rows.get_column("goals").to_numpy(), preview.get_column("goals").to_numpy())


def test_files_of_other_partitions_are_not_opened(lake: Lake, tmp_path: Path) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_2, "m2"), partitions=[MARCH_2])
    shutil.rmtree(tmp_path / "demo" / "goals" / "day=2026-03-02")
    assert_frame_equal(lake.scan(Goals, [MARCH_1]).collect(), goals(MARCH_1, "m1"))
    lake.replace(Goals, goals(MARCH_1, "m1", scored=4), partitions=[MARCH_1], ids=["m1"])
    with pytest.raises(FileNotFoundError):
        lake.scan(Goals).collect()


def test_a_sql_source_names_the_files_of_the_partitions_asked_for(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_2, "m2"), partitions=[MARCH_2])
    source = lake.source(Goals, [MARCH_2], ["m2"])
    assert isinstance(source, ParquetSource)
    assert [Path(file).parent.name for file in source.files] == ["day=2026-03-02"]
    assert source.only == {"match_id": ["m2"]}


def test_the_state_tells_rows_bytes_and_files(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1", "m2"), partitions=[MARCH_1])
    lake.replace(Goals, goals(MARCH_2, "m3"), partitions=[MARCH_2])
    state = lake.state(Goals)
    assert state is not None
    assert (state.rows, state.files, state.version) == (6, 2, 2)
    assert state.rows_per_partition == {"2026-03-01": 4, "2026-03-02": 2}
    assert state.size_bytes > 0


def test_every_type_a_table_may_declare_comes_back_as_it_was(lake: Lake) -> None:
    class Everything(Table, key="demo/everything", layer="bronze"):
        """One column of every type."""

        id = dy.String(primary_key=True, description="Id.")
        flag = dy.Bool(nullable=True, description="Flag.")
        tiny = dy.Int8(nullable=True, description="8 bits.")
        big = dy.Int64(nullable=True, description="64 bits.")
        half = dy.Float32(nullable=True, description="32 bits.")
        money = dy.Decimal(12, 2, nullable=True, description="Euro.")
        at = dy.Datetime(time_unit="us", time_zone="UTC", nullable=True, description="Time.")
        places = dy.List(dy.Float64(nullable=True), nullable=True, description="Places.")

    frame = Everything.sample(50)
    lake.replace(Everything, frame)
    assert_frame_equal(stored(lake, Everything), frame.sort("id"))


# --- Schema changes --------------------------------------------------------------------------


class GoalsWithAssists(Goals, key="demo/goals", layer="silver", partitioned_by="day", replaced_by="match_id"):
    """Goals and assists."""

    assists = dy.Int16(nullable=True, description="Assists.")


class OtherGoals(Table, key="demo/goals", layer="silver", partitioned_by="match_id"):
    """Goals with columns that do not fit the stored ones."""

    match_id = dy.String(primary_key=True, description="Match id.")
    day = dy.Date(description="UTC day of the match.")
    goals = dy.Int32(description="Goals scored.")
    minute = dy.Float64(description="Minute of the first goal.")
    own = dy.Bool(description="Whether it was an own goal.")


def test_a_new_nullable_column_is_null_until_the_next_write(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    before = lake.scan(GoalsWithAssists).collect()
    assert before.schema == GoalsWithAssists.schema()
    assert before.get_column("assists").to_list() == [None, None]
    lake.replace(GoalsWithAssists, goals(MARCH_2, "m2").with_columns(assists=pl.lit(3, pl.Int16)), partitions=[MARCH_2])
    after = stored(lake, GoalsWithAssists)
    assert after.get_column("assists").to_list() == [None, None, 3, 3]
    assert_frame_equal(after.drop("assists"), pl.concat([goals(MARCH_1, "m1"), goals(MARCH_2, "m2")]))


def test_rows_older_than_a_column_survive_replacement_of_their_neighbours(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1", "m2", "m3"), partitions=[MARCH_1])
    widened = goals(MARCH_1, "m2").with_columns(assists=pl.lit(3, pl.Int16))
    lake.replace(GoalsWithAssists, widened, partitions=[MARCH_1], ids=["m2"])
    assert stored(lake, GoalsWithAssists).get_column("assists").to_list() == [None, None, 3, 3, None, None]


def test_a_table_stored_with_other_partitions_is_reported(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    with pytest.raises(IncompatibleSchemaError, match="stored partitions are by") as refused:
        lake.state(OtherGoals)
    assert "gamestats rebuild" in str(refused.value)


def test_an_incompatible_change_names_the_rebuild_command(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    with pytest.raises(IncompatibleSchemaError) as refused:
        lake.replace(OtherGoals, OtherGoals.create_empty(), partitions=["m1"])
    said = str(refused.value)
    for line in (
        "column player is stored but not declared any more",
        'column goals is stored as PrimitiveType("short"), declared PrimitiveType("integer")',
        "column minute is stored nullable, declared not nullable",
        "column own is new and not nullable; stored rows would have no value",
        "stored partitions are by ['day'], declared by ['match_id']",
        "gamestats rebuild demo.goals",
    ):
        assert line in said
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1]}


def test_a_rebuild_takes_the_new_declaration_and_keeps_the_old_versions(lake: Lake) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    old = lake.open(Goals)
    assert old is not None
    lake.rebuild(OtherGoals)
    assert stored(lake, OtherGoals).is_empty()
    lake.replace(OtherGoals, OtherGoals.sample(overrides={"match_id": ["m1"]}), partitions=["m1"])
    assert stored(lake, OtherGoals).height == 1
    assert pl.scan_delta(old).collect().height == 2


# --- Maintenance -----------------------------------------------------------------------------


def test_compaction_merges_small_files_and_changes_no_row(anywhere: Lake) -> None:
    for number in range(5):
        anywhere.replace(Goals, goals(MARCH_1, f"m{number}"), partitions=[MARCH_1], ids=[f"m{number}"])
    before = stored(anywhere, Goals)
    done = anywhere.compact(Goals)
    assert (done["files_before"], done["files_after"], done["files_removed"]) == (5, 1, 0)
    assert_frame_equal(stored(anywhere, Goals), before)


def test_vacuum_removes_files_of_killed_writers_only(lake: Lake, tmp_path: Path) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    (known,) = (tmp_path / "demo" / "goals").rglob("*.parquet")
    orphan, fresh = known.with_name("part-orphan.parquet"), known.with_name("part-fresh.parquet")
    for copy in (orphan, fresh):
        shutil.copy(known, copy)
    eight_days_ago = time.time() - 8 * 24 * 3600
    os.utime(orphan, (eight_days_ago, eight_days_ago))
    assert lake.compact(Goals)["files_removed"] == 1
    assert (known.exists(), orphan.exists(), fresh.exists()) == (True, False, True)


def test_a_lake_is_read_from_its_checkpoint(lake: Lake, tmp_path: Path) -> None:
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    lake.compact(Goals)
    log = tmp_path / "demo" / "goals" / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet"))
    (log / f"{0:020}.json").unlink()
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1]}


# --- Forgetting ------------------------------------------------------------------------------


def fans_by_club(**counts: int) -> pl.DataFrame:
    """Rows of `Fans`."""
    return pl.DataFrame({"club": list(counts), "fans": list(counts.values())}, schema=Fans.schema())


def forget(root: str, options: dict[str, str], table: type[Table]) -> None:
    """Forget the history of a table."""
    Lake(root, options).forget_history(table)


def forget_elsewhere(lake: Lake, table: type[Table]) -> None:
    """Forget the history in another process: the library keeps Python from running meanwhile, the test's store too."""
    at_once(forget, [(lake.root, lake.storage_options, table)])


def places_of(lake: Lake, text: str) -> list[str]:
    """Files and folders in whose path or bytes a text stands."""
    held = contents_under(lake.root, lake.storage_options)
    return [path for path, content in held if text in path or text.encode() in content]


def test_forgetting_history_leaves_no_row_file_folder_or_log_line(anywhere: Lake) -> None:
    for club in ("arsenal", "bern", "celtic"):
        anywhere.replace(Fans, fans_by_club(**{club: 1}), partitions=[club])
    anywhere.compact(Fans)
    anywhere.replace(Fans, fans_by_club(), partitions=["arsenal"])
    anywhere.replace(Fans, fans_by_club(bern=2), partitions=["bern"])
    before = stored(anywhere, Fans)
    assert len(places_of(anywhere, "arsenal")) >= 3  # a file, a checkpoint, commits
    forget_elsewhere(anywhere, Fans)
    assert places_of(anywhere, "arsenal") == []
    data = [path for path in paths_under(anywhere.root, anywhere.storage_options) if path.endswith("zstd.parquet")]
    assert [path.split("/")[-2] for path in sorted(data)] == ["club=bern", "club=celtic"]
    assert_frame_equal(stored(anywhere, Fans), before)
    # It is a table like any other afterwards, for a reader that knew it and for one that did not.
    anywhere.replace(Fans, fans_by_club(dundee=4), partitions=["dundee"])
    other = Lake(anywhere.root, anywhere.storage_options)
    assert stored(anywhere, Fans).rows() == stored(other, Fans).rows() == [("bern", 2), ("celtic", 1), ("dundee", 4)]
    settings = other.open(Fans)
    assert settings is not None
    assert settings.metadata().configuration["delta.deletedFileRetentionDuration"] == "interval 1 week"


def test_a_history_is_forgotten_twice_and_where_there_is_none(lake: Lake) -> None:
    forget_elsewhere(lake, Clubs)
    assert lake.version(Clubs) is None
    lake.replace(Clubs, clubs(red="Oslo"))
    lake.replace(Clubs, clubs(blue="Bern"))
    for _ in range(2):
        forget_elsewhere(lake, Clubs)
        assert stored(lake, Clubs).rows() == [("blue", "Bern")]
        assert places_of(lake, "Oslo") == []


# --- Races -----------------------------------------------------------------------------------


class Overtaken(Lake):
    """A lake whose writer is overtaken by another one between reading the table and committing."""

    overtaking: Sequence[Callable[[], object]] = ()
    attempts = 0

    def _prepared(self, table: type[Table]) -> DeltaTable:
        delta = super()._prepared(table)
        if table is Goals:
            self.attempts += 1
            if self.attempts <= len(self.overtaking):
                self.overtaking[self.attempts - 1]()
        return delta


@pytest.mark.parametrize(
    ("frame", "left"),
    [
        pytest.param(goals(MARCH_1, "m1", scored=3), {"m1": [3, 3], "m2": [9, 9]}, id="rows"),
        pytest.param(Goals.create_empty(), {"m2": [9, 9]}, id="nothing"),
    ],
)
def test_a_writer_that_is_overtaken_tries_again_and_nothing_is_lost(
    tmp_path: Path, frame: pl.DataFrame, left: dict[str, list[int]]
) -> None:
    other = Lake(tmp_path)
    other.replace(Goals, goals(MARCH_1, "m1", "m2"), partitions=[MARCH_1])
    lake = Overtaken(tmp_path)
    lake.overtaking = [
        lambda: other.replace(Goals, goals(MARCH_1, "m2", scored=8), partitions=[MARCH_1], ids=["m2"]),
        lambda: other.replace(Goals, goals(MARCH_1, "m2", scored=9), partitions=[MARCH_1], ids=["m2"]),
    ]
    lake.replace(Goals, frame, partitions=[MARCH_1], ids=["m1"])
    assert lake.attempts == 3
    assert scored(lake) == {(MARCH_1, match): counts for match, counts in left.items()}


def test_a_writer_of_another_partition_is_not_held_up(tmp_path: Path) -> None:
    other = Lake(tmp_path)
    other.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    lake = Overtaken(tmp_path)
    lake.overtaking = [lambda: other.replace(Goals, goals(MARCH_2, "m2"), partitions=[MARCH_2])]
    lake.replace(Goals, goals(MARCH_1, "m1", scored=3), partitions=[MARCH_1])
    assert lake.attempts == 1
    assert scored(lake) == {(MARCH_1, "m1"): [3, 3], (MARCH_2, "m2"): [1, 1]}


def test_a_writer_that_is_overtaken_for_ever_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    other = Lake(tmp_path)
    other.replace(Goals, goals(MARCH_1, "m1", "m2"), partitions=[MARCH_1])
    lake = Overtaken(tmp_path)

    def overtake() -> None:
        # Its own rows again would be no commit.
        scored = 8 if lake.attempts % 2 else 9
        other.replace(Goals, goals(MARCH_1, "m2", scored=scored), partitions=[MARCH_1], ids=["m2"])

    lake.overtaking = [overtake] * 100
    with pytest.raises(CommitFailedError):
        lake.replace(Goals, goals(MARCH_1, "m1", scored=3), partitions=[MARCH_1], ids=["m1"])
    assert lake.attempts == 12
    assert scored(lake) == {(MARCH_1, "m1"): [1, 1], (MARCH_1, "m2"): [9, 9]}


def write_matches(root: str, options: Mapping[str, str], day: date, matches: list[str]) -> None:
    lake = Lake(root, options)
    for match in matches:
        # A tenth of the rows goes to the quarantine, which all writers share.
        frame = pl.concat([goals(day, match, players=9), goal_rows([(match, "p9", day, -1, None)])])
        lake.replace(Goals, frame, partitions=[day], ids=[match])


def test_processes_that_write_ids_of_one_partition_at_once_lose_nothing(place: Place) -> None:
    matches = [[f"m{writer}-{number}" for number in range(3)] for writer in range(3)]
    at_once(write_matches, [(*place, MARCH_1, mine) for mine in matches])
    lake = Lake(*place)
    assert scored(lake) == {(MARCH_1, match): [1] * 9 for mine in matches for match in mine}
    assert set(stored(lake, QUARANTINE).get_column("unit_id")) == {match for mine in matches for match in mine}


def widen_and_write(root: str, match: str) -> None:
    frame = goals(MARCH_1, match).with_columns(assists=pl.lit(1, pl.Int16))
    Lake(root).replace(GoalsWithAssists, frame, partitions=[MARCH_1], ids=[match])


def test_processes_that_add_the_same_column_at_once_both_succeed(lake: Lake, tmp_path: Path) -> None:
    lake.replace(Goals, goals(MARCH_1, "m0"), partitions=[MARCH_1])
    at_once(widen_and_write, [(str(tmp_path), f"m{number}") for number in (1, 2, 3)])
    assert stored(lake, GoalsWithAssists).group_by("match_id").agg("assists").sort("match_id").rows() == [
        ("m0", [None, None]),
        ("m1", [1, 1]),
        ("m2", [1, 1]),
        ("m3", [1, 1]),
    ]


def declare_in_ten_lakes(root: str, options: Mapping[str, str], table: type[Table]) -> None:
    for number in range(10):
        Lake(f"{root}/{number}", options).ensure(table)


def test_processes_that_declare_tables_at_once_commit_each_schema_once(place: Place) -> None:
    """A schema that is committed again breaks off the writers that have begun."""
    for expected, table in enumerate((Goals, GoalsWithAssists)):
        at_once(declare_in_ten_lakes, [(*place, table), (*place, table)])
        root, options = place
        assert [Lake(f"{root}/{number}", options).version(table) for number in range(10)] == [expected] * 10


def test_compaction_beside_a_writer_loses_nothing(lake: Lake, tmp_path: Path) -> None:
    lake.replace(Goals, goals(MARCH_1, "m"), partitions=[MARCH_1])
    faults: list[BaseException] = []

    def maintain() -> None:
        try:
            while not stop.is_set():
                Lake(tmp_path).compact(Goals)
        except BaseException as fault:  # noqa: BLE001 - raised in the test's own thread
            faults.append(fault)

    stop = threading.Event()
    maintenance = threading.Thread(target=maintain)
    maintenance.start()
    for number in range(12):
        lake.replace(Goals, goals(MARCH_1, f"m{number}"), partitions=[MARCH_1], ids=[f"m{number}"])
    stop.set()
    maintenance.join()
    assert not faults
    assert set(scored(lake)) == {(MARCH_1, match) for match in ["m", *(f"m{number}" for number in range(12))]}


def test_a_commit_to_s3_is_a_conditional_put(s3: S3) -> None:
    root = s3.empty()
    before = len(s3.puts)
    lake = Lake(root, {name.upper(): value for name, value in s3.storage_options.items()})
    for number in range(2):
        lake.replace(Goals, goals(MARCH_1, "m1", scored=number), partitions=[MARCH_1])
    commits = [condition for path, condition in s3.puts[before:] if "_delta_log/" in path and path.endswith(".json")]
    assert commits == ["*"] * 3


# --- Rows in pieces --------------------------------------------------------------------------


class Steps(Table, key="demo/steps", layer="bronze", partitioned_by="day"):
    """Steps of a day, numbered."""

    day = dy.Date(primary_key=True, description="UTC day.")
    number = dy.Int64(primary_key=True, description="Number of the step.")
    length_cm = dy.Int32(min=0, description="Length.")


def steps(begin: int, end: int, *bad: int, day: date = MARCH_1) -> pl.DataFrame:
    """Steps of these numbers, some of them shorter than can be."""
    numbers = pl.int_range(begin, end, dtype=pl.Int64, eager=True)
    length = pl.when(pl.col("number").is_in(list(bad))).then(-1).otherwise(70).cast(pl.Int32)
    return pl.DataFrame({"number": numbers}).select(pl.lit(day).alias("day"), "number", length.alias("length_cm"))


def rejected(lake: Lake) -> list[tuple[str, str, str, int]]:
    """What the quarantine holds: destination, scope, rule, rejected rows."""
    found = stored(lake, QUARANTINE)
    return found.select("destination", "scope", "rule", "rejected_rows").sort(pl.all()).rows()


def numbers(lake: Lake, day: date = MARCH_1) -> list[int]:
    """Numbers of the stored steps of a day."""
    return lake.scan(Steps, [day]).collect().get_column("number").sort().to_list()


@pytest.mark.parametrize("bad", [(), (5, 250)])
def test_pieces_leave_what_one_frame_of_them_leaves(lake: Lake, tmp_path: Path, bad: tuple[int, ...]) -> None:
    pieces = [steps(0, 100, *bad), steps(100, 100), steps(100, 101), steps(101, 300, *bad)]
    unread = [Rejection("file.csv", "row", "torn_line", "Line 7.", 1)]
    one = Lake(tmp_path / "one")
    for each in (lake, one):
        each.replace(Steps, steps(0, 50, 3), partitions=[MARCH_1])
        each.replace(Steps, steps(0, 2, day=MARCH_2), partitions=[MARCH_2])
    expected = one.replace(Steps, pl.concat(pieces), partitions=[MARCH_1], rejections=unread)
    found = lake.replace(Steps, iter(pieces), partitions=[MARCH_1], rejections=unread)
    assert_frame_equal(stored(lake, Steps), stored(one, Steps))
    assert_frame_equal(stored(lake, QUARANTINE), stored(one, QUARANTINE))
    assert (found.rows, found.rejections) == (expected.rows, expected.rejections)
    assert found.rows + found.rejected_rows == 301
    assert found.preview.height == 5
    assert found.version == lake.version(Steps)


def test_rejections_are_read_when_the_last_piece_has_come(lake: Lake) -> None:
    rejections: list[Rejection] = []

    def pieces() -> Iterator[pl.DataFrame]:
        for number in range(3):
            rejections.append(Rejection("f", "file", "lost", f"{number}", 1))
            yield steps(number, number + 1)

    commit = lake.replace(Steps, pieces(), partitions=[MARCH_1], rejections=rejections)
    assert [each.reason for each in commit.rejections] == ["0", "1", "2"]
    assert rejected(lake) == [("steps@2026-03-01", "file", "lost", 1)] * 3


@pytest.mark.parametrize(
    ("pieces", "rule"),
    [
        ([steps(0, 100), steps(100, 200, *range(150, 160))], "length_cm|min"),
        ([steps(0, 100, *range(100))], "length_cm|min"),
        ([steps(0, 100), steps(50, 150)], "primary_key"),
        ([steps(0, 100), steps(0, 100).reverse()], "primary_key"),
        ([pl.concat([steps(0, 100), steps(0, 1)])], "primary_key"),
    ],
)
@pytest.mark.parametrize("there_before", [False, True])
def test_pieces_that_are_rejected_leave_the_partition_empty_and_say_why(
    lake: Lake, pieces: list[pl.DataFrame], rule: str, there_before: bool
) -> None:
    if there_before:
        for day in (MARCH_1, MARCH_2):
            lake.replace(Steps, steps(0, 5, day=day), partitions=[day])
    commit = lake.replace(Steps, iter(pieces), partitions=[MARCH_1])
    height = sum(piece.height for piece in pieces)
    assert (commit.rows, commit.preview.height, commit.rejected_rows) == (0, 0, height)
    assert rejected(lake) == [("steps@2026-03-01", "unit", rule, height)]
    assert (numbers(lake), len(numbers(lake, MARCH_2))) == ([], 5 * there_before)
    assert commit.version == lake.version(Steps)


class BrokenSourceError(Exception):
    """A source of rows that breaks."""


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_source_that_breaks_leaves_the_old_rows_and_says_so_itself(lake: Lake, after: int) -> None:
    lake.replace(Steps, iter([steps(0, 300, 7)]), partitions=[MARCH_1])
    before = rejected(lake)

    def pieces() -> Iterator[pl.DataFrame]:
        for number in range(after):
            yield steps(1000 + number, 1001 + number)
        raise BrokenSourceError("the file ends")

    with pytest.raises(BrokenSourceError, match="the file ends"):
        lake.replace(Steps, pieces(), partitions=[MARCH_1])
    assert len(numbers(lake)) == 299
    assert rejected(lake) == before
    lake.replace(Steps, iter([steps(0, 2)]), partitions=[MARCH_1])
    assert numbers(lake) == [0, 1]


@pytest.mark.parametrize(
    ("piece", "error"),
    [
        (steps(9, 10, day=MARCH_2), OutsidePredicateError),
        (steps(9, 10).drop("length_cm"), SchemaMismatchError),
        (steps(9, 10).cast({"length_cm": pl.Int64}), SchemaMismatchError),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_piece_that_does_not_belong_there_keeps_all_of_them_out(
    lake: Lake, piece: pl.DataFrame, error: type[Exception], place: int
) -> None:
    lake.replace(Steps, steps(0, 5), partitions=[MARCH_1])
    pieces = [steps(0, 1), steps(1, 2)]
    pieces.insert(place, piece)
    with pytest.raises(error):
        lake.replace(Steps, iter(pieces), partitions=[MARCH_1])
    assert numbers(lake) == [0, 1, 2, 3, 4]


def test_pieces_replace_whole_partitions_and_say_which(lake: Lake) -> None:
    with pytest.raises(MissingPredicateError, match="rows that come in pieces replace whole partitions, not ids"):
        lake.replace(Goals, iter([goals(MARCH_1, "m1")]), partitions=[MARCH_1], ids=["m1"])
    with pytest.raises(MissingPredicateError, match="say which values of day"):
        lake.replace(Steps, iter([steps(0, 1)]))
    lake.replace(Clubs, iter([clubs(red="Oslo"), clubs(blue="Bern")]))
    assert stored(lake, Clubs).height == 2


def test_a_writer_that_gives_up_says_why(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.replace(Steps, steps(0, 5), partitions=[MARCH_1])

    before = paths_under(lake.root)

    def full(writer: ParquetWriter, rows: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        lake.replace(Steps, (steps(n, n + 1) for n in range(10)), partitions=[MARCH_1])
    assert numbers(lake) == [0, 1, 2, 3, 4]
    assert paths_under(lake.root) == before, "nothing of it takes up room"


def memory_of(root: str, pieces: int) -> int:
    """Most memory that writing so many pieces needed, in megabytes."""
    import resource

    of_piece = 100_000
    rows = (steps(n * of_piece, (n + 1) * of_piece) for n in range(pieces))
    commit = Lake(root).replace(Steps, rows, partitions=[MARCH_1])
    assert commit.rows == pieces * of_piece
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_memory_does_not_grow_with_the_pieces(tmp_path: Path) -> None:
    [few] = at_once(memory_of, [(str(tmp_path / "few"), 5)])
    [many] = at_once(memory_of, [(str(tmp_path / "many"), 60)])
    # The rows of the difference alone are 90 MB, and held as frames and as keys twice that.
    assert many - few < 60


# --- Sudden death ----------------------------------------------------------------------------


def season(goals_each: int) -> pl.DataFrame:
    """Two days of matches, with a few rows in each that go to the quarantine."""
    rows = [
        (f"m{match}", f"p{player}", day, goals_each if player % 10 else -goals_each, None)
        for day in DAYS
        for match in range(40)
        for player in range(100)
    ]
    return goal_rows(rows)


def write_season(root: str, goals_each: int) -> None:
    Lake(root).replace(Goals, season(goals_each), partitions=DAYS)


def write_some_matches(root: str, goals_each: int) -> None:
    some = [f"m{match}" for match in range(0, 40, 2)]
    frame = season(goals_each).filter(pl.col("match_id").is_in(some))
    Lake(root).replace(Goals, frame, partitions=DAYS, ids=some)


@pytest.mark.parametrize("write", [write_season, write_some_matches])
def test_a_killed_writer_leaves_old_or_new_rows_and_can_run_again(
    tmp_path: Path, write: Callable[[str, int], None]
) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    states: list[pl.DataFrame] = []
    for first, root in ((write_season, undisturbed), (write_season, disturbed)):
        first(str(root), 1)
    states.append(stored(Lake(undisturbed), Goals))
    started = time.monotonic()
    write(str(undisturbed), 2)
    takes = time.monotonic() - started
    states.append(stored(Lake(undisturbed), Goals))
    assert not states[0].equals(states[1])

    chance = random.Random(11)
    died = number = 0
    # On a busy machine the write that was timed may have taken much longer than these do: then earlier.
    while number < 10 or (not died and number < 60):
        died += killed(write, str(disturbed), 2, after=chance.uniform(0, 1.5 * takes / (1 + number // 10)))
        assert any(stored(Lake(disturbed), Goals).equals(state) for state in states)
        if number % 2:
            write(str(disturbed), 2)
            assert stored(Lake(disturbed), Goals).equals(states[1])
            write_season(str(disturbed), 1)
        number += 1
    assert died
    write(str(disturbed), 2)
    assert_frame_equal(stored(Lake(disturbed), Goals), states[1])
    assert_frame_equal(stored(Lake(disturbed), QUARANTINE), stored(Lake(undisturbed), QUARANTINE))
