"""The lake: replacement in one commit, reading, damage."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dataframely as dy
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import LocalStore
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.delta.lake import Lake, MissingPredicateError, OutsidePredicateError
from gamestats_assets.lakehouse.delta.reader import DamagedTableError
from gamestats_assets.lakehouse.files.storage import object_store
from gamestats_assets.lakehouse.models.sql import ParquetSource, query
from gamestats_assets.lakehouse.quality import SchemaMismatchError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.declared import (
    MARCH_1,
    MARCH_2,
    QUARANTINE,
    Clubs,
    Fans,
    Goals,
    Sales,
    goal_rows,
    goals,
    sales,
    stored,
)

if TYPE_CHECKING:
    pass


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
