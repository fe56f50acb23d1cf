"""Writers of the lake at the same time, and their sudden death."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.declared import MARCH_1, QUARANTINE, Goals, goal_rows, goals, stored
from gamestats_assets_tests.lakehouse.delta.conftest import Place
from gamestats_assets_tests.lakehouse.delta.test_lake import DAYS, scored
from gamestats_assets_tests.lakehouse.delta.test_maintenance import GoalsWithAssists
from gamestats_assets_tests.lakehouse.processes import at_once, killed

if TYPE_CHECKING:
    from gamestats_assets_tests.support.s3_fixture import S3


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
    matches = [[f"m{writer}-{number}" for number in range(2)] for writer in range(3)]
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


def declare_in_four_lakes(root: str, options: Mapping[str, str], table: type[Table]) -> None:
    for number in range(4):
        Lake(f"{root}/{number}", options).ensure(table)


def test_processes_that_declare_tables_at_once_commit_each_schema_once(place: Place) -> None:
    """A schema that is committed again breaks off the writers that have begun."""
    for expected, table in enumerate((Goals, GoalsWithAssists)):
        at_once(declare_in_four_lakes, [(*place, table), (*place, table)])
        root, options = place
        assert [Lake(f"{root}/{number}", options).version(table) for number in range(4)] == [expected] * 4


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
    for number in range(6):
        lake.replace(Goals, goals(MARCH_1, f"m{number}"), partitions=[MARCH_1], ids=[f"m{number}"])
    stop.set()
    maintenance.join()
    assert not faults
    assert set(scored(lake)) == {(MARCH_1, match) for match in ["m", *(f"m{number}" for number in range(6))]}


def test_a_commit_to_s3_is_a_conditional_put(s3: S3) -> None:
    root = s3.empty()
    before = len(s3.puts)
    lake = Lake(root, {name.upper(): value for name, value in s3.storage_options.items()})
    for number in range(2):
        lake.replace(Goals, goals(MARCH_1, "m1", scored=number), partitions=[MARCH_1])
    commits = [condition for path, condition in s3.puts[before:] if "_delta_log/" in path and path.endswith(".json")]
    assert commits == ["*"] * 3


# --- Sudden death ----------------------------------------------------------------------------


def season(goals_each: int) -> pl.DataFrame:
    """Two days of matches, with a few rows in each that go to the quarantine."""
    rows = [
        (f"m{match}", f"p{player}", day, goals_each if player % 10 else -goals_each, None)
        for day in DAYS
        for match in range(40)
        for player in range(50)
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
    while number < 4 or (not died and number < 60):
        died += killed(write, str(disturbed), 2, after=chance.uniform(0, 1.5 * takes / (1 + number // 4)))
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
