"""Who asks hears what the answer lacks because it is set aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.quality import Rejection, destination, quarantine_frame, quarantine_of
from gamestats_assets.lol.tables import Matches, Objectives
from gamestats_assets_tests.cli.runner import Gamestats

DAY = "2026-03-01"


@pytest.fixture
def gamestats(tmp_path: Path) -> Gamestats:
    """Two matches are set aside, one of them in two tables; of a third one row is."""
    lake = Lake(tmp_path / "lake")
    rejected = {
        Matches: [Rejection("NA1_1", "unit", "a_check", "It is odd.", 1)],
        Objectives: [
            Rejection("NA1_1", "unit", "a_check", "It is odd.", 1),
            Rejection("NA1_2", "unit", "a_rule", "It is odder.", 1),
            Rejection("NA1_3", "row", "a_rule", "It is a little odd.", 1),
        ],
    }
    for table, entries in rejected.items():
        rows = quarantine_frame(table, DAY, entries)
        lake.replace(quarantine_of("lol"), rows, partitions=[destination(table, DAY)])
    return Gamestats(tmp_path)


@pytest.mark.parametrize(
    ("sql", "is_told"),
    [
        ("select count(*) as n from lol.matches", True),
        ('select count(*) as n from "lol"."matches"', True),
        ("select count(*) as n from pubg.matches", False),
        ("select count(*) as n from lol.quarantine", False),
        ("select 1 as n", False),
    ],
)
def test_an_answer_of_a_game_says_what_is_set_aside_of_it(sql: str, is_told: bool, gamestats: Gamestats) -> None:
    result = gamestats("query", sql, "--format", "json")
    assert result.exit_code == 0, result.output
    assert ("2 matches or logs of lol are set aside. Which, and why:" in result.stderr) == is_told
    assert result.stdout.startswith('[{"n":')


def test_the_list_of_tables_names_them_with_their_reasons(gamestats: Gamestats) -> None:
    said = " ".join(gamestats("tables").output.split())
    assert f"In quarantine of lol.matches: NA1_1 ({DAY}). It is odd." in said
    assert f"In quarantine of lol.objectives: NA1_1 ({DAY}), NA1_2 ({DAY})." in said
