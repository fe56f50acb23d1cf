"""Rows that reach the lake in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import dataframely as dy
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyarrow.parquet import ParquetWriter

from gamestats_assets.lakehouse.delta.lake import Lake, MissingPredicateError, OutsidePredicateError
from gamestats_assets.lakehouse.quality import Rejection, SchemaMismatchError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lakehouse.traces import paths_under
from gamestats_assets_tests.lakehouse.declared import MARCH_1, MARCH_2, QUARANTINE, Clubs, Goals, clubs, goals, stored
from gamestats_assets_tests.lakehouse.processes import at_once

if TYPE_CHECKING:
    pass


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
