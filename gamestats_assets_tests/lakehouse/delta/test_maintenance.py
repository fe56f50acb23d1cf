"""Tables of the lake over time: schema changes, maintenance, forgetting."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import dataframely as dy
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.schema import IncompatibleSchemaError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lakehouse.traces import contents_under, paths_under
from gamestats_assets_tests.lakehouse.declared import MARCH_1, MARCH_2, Fans, Goals, goals, stored
from gamestats_assets_tests.lakehouse.delta.test_lake import scored
from gamestats_assets_tests.lakehouse.processes import at_once

if TYPE_CHECKING:
    pass


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
