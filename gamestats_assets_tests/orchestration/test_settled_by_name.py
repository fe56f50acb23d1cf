"""Tables by name (patches, say): made of the rows of the name, and again when what tells of the name says so."""

from __future__ import annotations

import typing
from datetime import date
from pathlib import Path

import dagster as dg
import dataframely as dy
import polars as pl
import pytest

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ledger import Ledger, ledger_of
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import settled_asset
from gamestats_assets.orchestration.settled import Contents, Settled, remade
from gamestats_assets.orchestration.settling import add_names, days_behind


class Games(Table, key="demo/games", layer="silver", partitioned_by="day", replaced_by="match_id"):
    """Games of a day, each of a season."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="UTC day.")
    season = dy.String(description="Season.")
    goals = dy.Int64(description="Goals.")


Taken = ledger_of("demo", "games")


class Seasons(Table, key="demo/seasons", layer="silver"):
    """Seasons, and what names their content."""

    season = dy.String(primary_key=True, description="Season.")
    content = dy.String(description="What names the content.")


class Scorers(Table, key="demo/scorers", layer="gold", partitioned_by="season"):
    """Goals of a season."""

    season = dy.String(primary_key=True, description="Season.")
    goals = dy.Int64(description="Goals.")


class Records(Table, key="demo/records", layer="gold"):
    """The most goals of any season."""

    season = dy.String(primary_key=True, description="Season.")
    goals = dy.Int64(description="Goals.")


class Lists(Table, key="demo/lists", layer="silver"):
    """Lists, whose season is something else."""

    list_id = dy.Int64(primary_key=True, description="List.")
    season = dy.String(description="What the list is called.")


def seasons(games: dy.LazyFrame[Games], taken: dy.LazyFrame[Taken]) -> dy.LazyFrame[Seasons]:  # type: ignore[valid-type]
    """Seasons by the ledger of their games."""
    done = taken.select(match_id="unit_id", digest="input_hash")
    rows = games.join(done, on="match_id").group_by("season").agg(content=pl.col("digest").sort().str.join(" "))
    return typing.cast("dy.LazyFrame[Seasons]", rows)


calls: list[list[str]] = []


def scorers(games: dy.LazyFrame[Games], seasons: dy.LazyFrame[Seasons]) -> dy.LazyFrame[Scorers]:
    """Goals of each season; only those of the season's own games are given."""
    rows = games.collect()
    calls.append(sorted(rows.get_column("season").unique()))
    assert seasons.collect().height == rows.get_column("season").n_unique()
    return typing.cast("dy.LazyFrame[Scorers]", rows.lazy().group_by("season").agg(pl.col("goals").sum()))


def records(scorers: dy.LazyFrame[Scorers]) -> dy.LazyFrame[Records]:
    """The season with most goals."""
    return typing.cast("dy.LazyFrame[Records]", scorers.sort("goals", "season").tail(1))


KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in (Games, Seasons, Scorers, Records)}
OF_SEASONS = Settled.of(Seasons, seasons, KNOWN)
OF_SCORERS = Settled.of(Scorers, scorers, KNOWN, made={Seasons: OF_SEASONS})
OF_RECORDS = Settled.of(Records, records, KNOWN, made={Scorers: OF_SCORERS})
ALL = (OF_SEASONS, OF_SCORERS, OF_RECORDS)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    calls.clear()
    return Lake(tmp_path / "lake")


def play(lake: Lake, match_id: str, season: str, goals: int, day: int = 1) -> None:
    """A game is committed, and entered in the ledger of its step."""
    of_day = date(2026, 3, day)
    rows = pl.DataFrame(
        {"match_id": [match_id], "day": [of_day], "season": [season], "goals": [goals]}, schema=Games.schema()
    )
    lake.replace(Games, rows, partitions=[of_day], ids=[match_id])
    Ledger(lake, "demo", "games").record({str(of_day): {match_id: f"{goals} in {season}"}})


def make(lake: Lake, each: Settled, names: list[str] | None = None) -> None:
    for replacement in remade(each, lake, names or []):
        lake.replace(each.table, replacement.rows, partitions=list(replacement.keys or ()) or None)


def rows(lake: Lake, table: type[Table]) -> list[tuple[object, ...]]:
    return lake.scan(table).collect().sort(table.primary_key()).rows()


def settle(lake: Lake) -> None:
    for _ in range(5):
        due = days_behind(lake, ALL)
        if not due.names and not due.alone:
            return
        for each in ALL:
            make(lake, each, sorted(due.names))
    raise AssertionError("it does not settle")


def test_a_name_is_made_of_its_own_rows_on_whichever_days_they_are(lake: Lake) -> None:
    play(lake, "a", "spring", 2, day=1)
    play(lake, "b", "spring", 3, day=2)
    play(lake, "c", "fall", 7, day=2)
    make(lake, OF_SEASONS)
    make(lake, OF_SCORERS, ["spring"])
    assert rows(lake, Scorers) == [("spring", 5)]
    assert calls == [["spring"]]
    assert {*days_behind(lake, ALL).names} == {"fall"}


def test_only_the_name_that_gained_something_is_made_again(lake: Lake) -> None:
    play(lake, "a", "spring", 2)
    play(lake, "b", "fall", 3)
    settle(lake)
    calls.clear()
    play(lake, "c", "fall", 4, day=3)
    settle(lake)
    assert calls == [["fall"]]
    assert rows(lake, Scorers) == [("fall", 7), ("spring", 2)]
    assert rows(lake, Records) == [("fall", 7)]


def test_a_corrected_game_makes_its_name_again(lake: Lake) -> None:
    play(lake, "a", "spring", 2)
    settle(lake)
    play(lake, "a", "spring", 9)
    settle(lake)
    assert rows(lake, Records) == [("spring", 9)]


def test_a_name_waits_while_what_tells_of_it_is_behind(lake: Lake) -> None:
    play(lake, "a", "spring", 2)
    settle(lake)
    play(lake, "b", "spring", 5)
    contents = Contents(lake)
    assert OF_SCORERS.waiting(contents, ["spring"]) == {"spring": "It waits for demo.seasons, which is behind."}
    make(lake, OF_SCORERS, ["spring"])
    assert rows(lake, Scorers) == [("spring", 2)]


def test_a_name_that_has_nothing_any_more_is_taken_out(lake: Lake) -> None:
    play(lake, "a", "spring", 2)
    play(lake, "b", "fall", 3)
    settle(lake)
    day = date(2026, 3, 1)
    lake.replace(Games, pl.DataFrame(schema=Games.schema()), partitions=[day], ids=["b"])
    Ledger(lake, "demo", "games").record({}, {str(day): ["b"]})
    settle(lake)
    assert rows(lake, Scorers) == [("spring", 2)]
    assert rows(lake, Records) == [("spring", 2)]


def test_other_code_makes_every_name_again(lake: Lake) -> None:
    play(lake, "a", "spring", 2)
    play(lake, "b", "fall", 3)
    settle(lake)
    changed = Settled.of(Scorers, scorers, KNOWN, made={Seasons: OF_SEASONS}, code_version="2")
    assert {*changed.behind(lake)} == {"spring", "fall"}


def test_what_was_cut_off_is_made_again(lake: Lake) -> None:
    play(lake, "a", "spring", 2)
    settle(lake)
    play(lake, "a", "spring", 3)
    make(lake, OF_SEASONS)
    making = remade(OF_SCORERS, lake, ["spring"])
    replacement = next(making)
    lake.replace(Scorers, replacement.rows, partitions=["spring"])
    # Killed before the ledger knew.
    making.close()
    play(lake, "a", "spring", 2)
    settle(lake)
    assert rows(lake, Scorers) == [("spring", 2)]


def test_the_asset_of_a_name_reads_every_day_and_its_own_name_of_the_others() -> None:
    asset = settled_asset(OF_SCORERS)
    (spec,) = asset.specs
    assert isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
    mappings = {dep.asset_key.path[-1]: dep.partition_mapping for dep in spec.deps}
    assert isinstance(mappings["games"], dg.AllPartitionMapping)
    assert mappings["seasons"] is None


def goals_alone(games: dy.LazyFrame[Games], lists: dy.LazyFrame[Lists]) -> dy.LazyFrame[Scorers]:
    """Goals of each season, as long as there is a list; the season of lists is none of the games'."""
    listed = lists.select(pl.len()).collect().item()
    rows = games.group_by("season").agg(pl.col("goals").sum() * listed)
    return typing.cast("dy.LazyFrame[Scorers]", rows)


def test_what_tells_of_names_need_not_be_an_input_and_what_only_calls_a_column_so_tells_nothing(lake: Lake) -> None:
    known = {**KNOWN, Lists.spec.dotted: Lists}
    each = Settled.of(Scorers, goals_alone, known, made={Seasons: OF_SEASONS}, told_by=Seasons)
    lake.replace(Lists, pl.DataFrame({"list_id": [1, 2], "season": ["of lists", "spring"]}, schema=Lists.schema()))
    play(lake, "a", "spring", 2)
    make(lake, OF_SEASONS)
    assert {*each.behind(lake)} == {"spring"}
    make(lake, each, ["spring"])
    assert rows(lake, Scorers) == [("spring", 4)]
    assert each.behind(lake) == {}


def test_names_become_partitions_once() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        add_names(instance, OF_SCORERS, ["spring", "fall"])
        add_names(instance, OF_SCORERS, ["fall", "winter"])
        add_names(instance, OF_SEASONS, ["nothing"])
        assert sorted(instance.get_dynamic_partitions("season")) == ["fall", "spring", "winter"]


class Leaders(Table, key="demo/leaders", layer="gold"):
    """Every season that led once, in the order in which they came to lead."""

    place = dy.Int64(primary_key=True, description="Which leader it was.")
    season = dy.String(description="Season.")


def leaders(records: dy.LazyFrame[Records], leaders: dy.LazyFrame[Leaders]) -> dy.LazyFrame[Leaders]:
    """The leaders there were, and the one of now where that is another."""
    before = leaders.sort("place").collect()
    now = records.collect().get_column("season").to_list()
    if before.get_column("season").to_list()[-1:] == now:
        return typing.cast("dy.LazyFrame[Leaders]", before.lazy())
    added = pl.DataFrame({"place": [before.height + 1], "season": now}, schema=Leaders.schema())
    return typing.cast("dy.LazyFrame[Leaders]", pl.concat([before, added]).lazy())


OF_LEADERS = Settled.of(Leaders, leaders, {**KNOWN, Leaders.spec.dotted: Leaders}, made={Records: OF_RECORDS})


def test_a_table_that_goes_on_from_its_own_rows_is_made_for_its_other_inputs_alone(lake: Lake) -> None:
    assert OF_LEADERS.reads.keys() == {Records}
    play(lake, "a", "spring", 2)
    settle(lake)
    make(lake, OF_LEADERS)
    assert OF_LEADERS.behind(lake) == {}
    play(lake, "b", "fall", 5)
    settle(lake)
    assert OF_LEADERS.behind(lake) != {}
    make(lake, OF_LEADERS)
    play(lake, "c", "fall", 1, day=2)
    settle(lake)
    make(lake, OF_LEADERS)
    assert rows(lake, Leaders) == [(1, "spring"), (2, "fall")]
    (spec,) = settled_asset(OF_LEADERS).specs
    assert [dep.asset_key.path[-1] for dep in spec.deps] == ["records"]
