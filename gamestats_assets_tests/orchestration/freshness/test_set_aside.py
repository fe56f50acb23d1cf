"""A bad match never stops the others: it is set aside, and comes back when it is mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import Check, breaking_rows, quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration.bare import BareGame
from gamestats_assets_tests.orchestration.goals import (
    TABLES,
    DayGoals,
    MatchGoals,
    RawFiles,
    RawGoals,
    day_goals,
    decode,
    land,
    match_goals,
)

DAY = "2026-01-01"


@breaking_rows(of=RawFiles)
def files_have_few_goals(files: dy.LazyFrame[RawFiles]) -> pl.LazyFrame:
    """A file has fewer than 100 goals."""
    return files.filter(pl.col("goals") >= 100)


@breaking_rows(of=MatchGoals)
def matches_have_few_goals(matches: dy.LazyFrame[MatchGoals]) -> pl.LazyFrame:
    """A match has fewer than 100 goals."""
    return matches.filter(pl.col("goals") >= 100)


@breaking_rows(of=MatchGoals)
def every_file_is_a_match(matches: dy.LazyFrame[MatchGoals], files: dy.LazyFrame[RawFiles]) -> pl.LazyFrame:
    """Every file is a match, and no other is."""
    expected = files.select("match_id", "day", expected=pl.lit(value=True))
    joined = matches.select("match_id", "day", made=pl.lit(value=True)).join(
        expected, on=["match_id", "day"], how="full", coalesce=True
    )
    return joined.filter(pl.col("made").is_null() | pl.col("expected").is_null())


@breaking_rows(of=DayGoals)
def goals_of_days_are_those_of_matches(days: dy.LazyFrame[DayGoals], raw: dy.LazyFrame[MatchGoals]) -> pl.LazyFrame:
    """A day has the goals of its matches."""
    expected = raw.group_by("day").agg(expected=pl.col("goals").sum())
    return days.join(expected, on="day", how="full", coalesce=True).filter(
        pl.col("goals").ne_missing(pl.col("expected"))
    )


def losing(matches: pl.LazyFrame) -> pl.LazyFrame:
    """Matches with a hundred goals and more get lost on the way."""
    return matches.filter(pl.col("goals") < 100)


def breaking_a_rule(matches: pl.LazyFrame) -> pl.LazyFrame:
    """Matches with a hundred goals and more get fewer than none."""
    return matches.with_columns(pl.when(pl.col("goals") < 100).then("goals").otherwise(-1).alias("goals"))


class House:
    """The tiny game over a folder."""

    def __init__(self, folder: Path, *checks: Check, way: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None) -> None:
        self.stores = Stores(Settings(data=str(folder), workers=1))
        self.start(*checks, way=way)

    def start(self, *checks: Check, way: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None) -> None:
        """As with other code."""

        def on_the_way(goals: dy.LazyFrame[RawGoals], files: dy.LazyFrame[RawFiles]) -> dy.LazyFrame[MatchGoals]:
            made: Any = match_goals(goals, files)
            return way(made) if way else made  # type: ignore[return-value]

        self.game = BareGame("demo", TABLES, checks)
        self.game.landed([RawGoals, RawFiles], decode)
        self.game.function(on_the_way)
        self.game.function(day_goals)

    def lands(self, **matches: int) -> None:
        """Files with so many goals."""
        for match_id, goals in matches.items():
            land(self.stores.landing, match_id, DAY, [*range(goals)])

    def replaces(self, match_id: str, goals: int) -> None:
        """The file was wrong."""
        for file in self.stores.landing.files("demo", DAY):
            if file.unit_id == match_id:
                self.stores.landing.remove(file)
        self.lands(**{match_id: goals})

    def run(self) -> None:
        """Bring all up to date; nothing is left."""
        self.game.run(self.stores)
        assert self.game.behind(self.stores) == {}

    def matches(self, table: type[Table]) -> list[str]:
        """Matches that a table has."""
        return sorted(self.stores.lake.scan(table).collect()["match_id"].unique())

    @property
    def goals(self) -> list[int]:
        """Goals of the day; none where it is stopped."""
        return self.stores.lake.scan(DayGoals).collect()["goals"].to_list()

    @property
    def quarantined(self) -> list[tuple[str, ...]]:
        """Table, match and rule of what is in quarantine as a whole."""
        entries = self.stores.lake.scan(quarantine_of("demo")).filter(pl.col("scope") == "unit").collect()
        return sorted(entries.select("table_name", "unit_id", "rule").rows())

    @property
    def failed(self) -> dict[str, Any]:
        """What stops the day."""
        found = {table.spec.name: self.stores.lake.ledger(table)[DAY].failed or {} for table in TABLES}
        return {name: failed for name, failed in found.items() if failed}


CASES: dict[str, tuple[tuple[Check, ...], Callable[[pl.LazyFrame], pl.LazyFrame] | None, tuple[str, str]]] = {
    "a check of its file": ((files_have_few_goals,), None, ("raw_files", "files_have_few_goals")),
    "a check of the match": ((matches_have_few_goals,), None, ("match_goals", "matches_have_few_goals")),
    "none of its rows is there": ((every_file_is_a_match,), losing, ("match_goals", "every_file_is_a_match")),
    "a rule of the table": ((every_file_is_a_match,), breaking_a_rule, ("match_goals", "goals|min")),
}
of_cases = pytest.mark.parametrize(("checks", "way", "by"), [*CASES.values()], ids=[*CASES])
Way = Callable[[pl.LazyFrame], pl.LazyFrame] | None


@of_cases
def test_a_day_of_a_single_match_is_not_stopped_by_it(
    checks: tuple[Check, ...], way: Way, by: tuple[str, str], tmp_path: Path
) -> None:
    house = House(tmp_path, *checks, way=way)
    house.lands(odd=100)
    house.run()
    assert (house.matches(MatchGoals), house.failed) == ([], {})
    house.lands(a=1)
    house.run()
    assert (house.goals, house.failed) == ([1], {})


def test_a_blamed_unit_is_in_no_table_of_its_step(tmp_path: Path) -> None:
    house = House(tmp_path, files_have_few_goals)
    house.lands(a=1, odd=100)
    house.run()
    assert house.matches(RawGoals) == house.matches(RawFiles) == ["a"]


def test_checks_do_not_count_units_that_are_already_set_aside(tmp_path: Path) -> None:
    @breaking_rows(of=DayGoals)
    def goals_are_those_of_files(days: dy.LazyFrame[DayGoals], files: dy.LazyFrame[RawFiles]) -> pl.LazyFrame:
        """A day has the goals of its files."""
        return goals_of_days_are_those_of_matches.rows(days, files)

    house = House(tmp_path, matches_have_few_goals, goals_are_those_of_files)
    house.lands(a=1, odd=100)
    house.run()
    assert (house.goals, house.failed) == ([1], {})


def test_a_check_that_is_mended_brings_back_what_it_blamed(tmp_path: Path) -> None:
    house = House(tmp_path, matches_have_few_goals)
    house.lands(a=1, odd=100)
    house.run()

    def mended(matches: dy.LazyFrame[MatchGoals]) -> pl.LazyFrame:
        """A match has fewer than 200 goals."""
        return matches.filter(pl.col("goals") >= 200)

    mended.__name__ = matches_have_few_goals.name
    house.start(breaking_rows(of=MatchGoals)(mended))
    assert {*house.game.behind(house.stores).values()} == {"code version"}
    house.run()
    assert (house.goals, house.quarantined) == ([101], [])
