"""Set-aside matches are counted once, whichever tables they are missing from."""

from __future__ import annotations

from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.set_aside import SetAside, set_aside
from gamestats_assets.lakehouse.quality import Rejection, destination, quarantine_frame
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.declared import MARCH_1, QUARANTINE, Goals, goals


class Scores(Table, key="demo/scores", layer="gold", partitioned_by="day", replaced_by="match_id"):
    """Goals of a match."""

    match_id = dy.String(primary_key=True, description="Match id.")
    day = dy.Date(description="UTC day of the match.")
    goals = dy.Int64(min=0, description="Goals scored.")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Of five matches that landed three have scores: m4 and m5 have none."""
    lake = Lake(tmp_path)
    landed = goals(MARCH_1, "m1", "m2", "m3", "m4", "m5")
    lake.replace(Goals, landed, partitions=[MARCH_1])
    scores = landed.group_by("match_id", "day").agg(pl.col("goals").sum().cast(pl.Int64))
    lake.replace(Scores, scores.filter(pl.col("match_id") < "m4"), partitions=[MARCH_1])
    return lake


def quarantined(lake: Lake, table: type[Table], *of: tuple[str, str, str]) -> None:
    """Put matches into quarantine: id, scope and rule of each."""
    rejections = [Rejection(match, scope, rule, "It is odd.", 2) for match, scope, rule in of]  # type: ignore[arg-type]
    entries = quarantine_frame(table, str(MARCH_1), rejections)
    lake.replace(QUARANTINE, entries, partitions=[destination(table, str(MARCH_1))])


def test_a_match_counts_once_whichever_tables_it_was_rejected_in(lake: Lake) -> None:
    quarantined(lake, Goals, ("m4", "unit", "goals|max"))
    quarantined(lake, Scores, ("m4", "unit", "one_team_wins"), ("m5", "unit", "one_team_wins"))
    counts = set_aside(lake, Goals, Scores)
    assert (counts.units, counts.known, dict(counts.rules)) == (2, 5, {"goals|max": 1, "one_team_wins": 1})


def test_single_rows_and_matches_with_an_answer_are_not_set_aside(lake: Lake) -> None:
    quarantined(lake, Goals, ("m4", "row", "goals|max"), ("m1", "unit", "goals|max"))
    assert set_aside(lake, Goals, Scores).units == 0


def test_unreadable_matches_count_unless_matches_are_chosen(lake: Lake) -> None:
    quarantined(lake, Goals, ("m9", "unit", "primary_key"), ("m5", "unit", "primary_key"))
    assert set_aside(lake, Goals, Scores) == SetAside("demo", 2, 6, {"primary_key": 2})
    few = set_aside(lake, Goals, Scores, pl.col("match_id").is_in(["m1", "m5"]))
    assert few == SetAside("demo", 1, 2, {"primary_key": 1})


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (SetAside("demo", 0, 5, {}), ""),
        (SetAside("demo", 1, 1, {"a": 1}), "1 of 1 match is set aside: 1 by a. "),
        (SetAside("demo", 1, 5, {"a": 1}), "1 of 5 matches is set aside: 1 by a. "),
        (
            SetAside("demo", 9, 1068, {"a": 4, "b": 2, "c": 1, "d": 1, "e": 1}),
            "9 of 1,068 matches are set aside: 4 by a, 2 by b, 1 by c, others by 2 more. ",
        ),
    ],
)
def test_it_is_said_in_one_sentence_and_where_to_read_more(counts: SetAside, words: str) -> None:
    where = "Which, and why: gamestats query \"from demo.quarantine where scope = 'unit'\"" if words else ""
    assert counts.words("match", "matches") == words + where
