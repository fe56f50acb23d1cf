"""Tables by name, such as patches: made from the rows of a name, and again when the deciding input changes."""

from __future__ import annotations

import typing
from datetime import date
from pathlib import Path

import dagster as dg
import dataframely as dy
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.delta.lake import Made
from gamestats_assets.lakehouse.delta.ledger import ledger_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.runs.behind import behind_of
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration.bare import BareGame


class Games(Table, key="demo/games", layer="silver", partitioned_by="day", replaced_by="match_id"):
    """Games of a day, each of a season."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="UTC day.")
    season = dy.String(description="Season.")
    goals = dy.Int64(description="Goals.")


class Seasons(Table, key="demo/seasons", layer="silver"):
    """Seasons, each with a text that identifies its content."""

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


class Leaders(Table, key="demo/leaders", layer="gold"):
    """Every season that has led, in order."""

    place = dy.Int64(primary_key=True, description="Which leader it was.")
    season = dy.String(description="Season.")


class Lists(Table, key="demo/lists", layer="silver"):
    """Lists, where `season` means something else."""

    list_id = dy.Int64(primary_key=True, description="List.")
    season = dy.String(description="What the list is called.")


Taken = ledger_of(Games)
calls: list[list[str]] = []


def seasons(games: dy.LazyFrame[Games], taken: dy.LazyFrame[Taken]) -> dy.LazyFrame[Seasons]:  # type: ignore[valid-type]
    """Seasons, identified by the ledger of their games."""
    done = taken.select(match_id="unit_id", digest="input_hash")
    rows = games.join(done, on="match_id").group_by("season").agg(content=pl.col("digest").sort().str.join(" "))
    return typing.cast("dy.LazyFrame[Seasons]", rows)


def scorers(
    games: dy.LazyFrame[Games], seasons: dy.LazyFrame[Seasons], lists: dy.LazyFrame[Lists]
) -> dy.LazyFrame[Scorers]:
    """Goals of each season. The frames have only the seasons being made, but all lists."""
    named = sorted(seasons.select("season").collect().to_series())
    calls.append(named)
    assert lists.collect().height == 2
    rows = games.filter(pl.col("season").is_in(named)).group_by("season").agg(pl.col("goals").sum())
    return typing.cast("dy.LazyFrame[Scorers]", rows)


def records(scorers: dy.LazyFrame[Scorers]) -> dy.LazyFrame[Records]:
    """The season with the most goals."""
    return typing.cast("dy.LazyFrame[Records]", scorers.sort("goals", "season").tail(1))


def leaders(records: dy.LazyFrame[Records], leaders: dy.LazyFrame[Leaders]) -> dy.LazyFrame[Leaders]:
    """The leaders so far, followed by the current one if it is new."""
    before = leaders.sort("place").collect()
    now = records.collect().get_column("season").to_list()
    if before.get_column("season").to_list()[-1:] == now:
        return typing.cast("dy.LazyFrame[Leaders]", before.lazy())
    added = pl.DataFrame({"place": [before.height + 1], "season": now}, schema=Leaders.schema())
    return typing.cast("dy.LazyFrame[Leaders]", pl.concat([before, added]).lazy())


def make_game(code_version: str = "1") -> BareGame:
    demo = BareGame("demo", (Games, Seasons, Scorers, Records, Leaders, Lists), ())
    demo.function(seasons)
    demo.function(scorers, made_from=Seasons, code_version=code_version)
    demo.function(records)
    demo.function(leaders)
    return demo


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    calls.clear()
    stores = Stores(Settings(data=str(tmp_path), postgres_url=SecretStr("postgresql://nowhere")))
    lists = pl.DataFrame({"list_id": [1, 2], "season": ["of lists", "spring"]}, schema=Lists.schema())
    stores.lake.replace(Lists, lists)
    return stores


def play(stores: Stores, match_id: str, season: str, goals: int, day: int = 1) -> None:
    """Commits a game."""
    of_day = date(2026, 3, day)
    rows = pl.DataFrame([(match_id, of_day, season, goals)], schema=Games.schema(), orient="row")
    units = Made({str(of_day): {match_id: f"{goals} in {season}"}})
    stores.lake.replace(Games, rows, partitions=[of_day], ids=[match_id], made=units)


def rows(stores: Stores, table: type[Table]) -> list[tuple[object, ...]]:
    return stores.lake.scan(table).collect().sort(table.primary_key()).rows()


def test_only_a_changed_name_is_made_again(stores: Stores) -> None:
    play(stores, "a", "spring", 2)
    play(stores, "b", "fall", 3)
    make_game().run(stores)
    calls.clear()
    play(stores, "c", "fall", 4, day=3)
    assert make_game().behind(stores) == {("seasons", ""): "demo.games changed"}
    make_game().run(stores)
    assert calls == [["fall"]]
    assert rows(stores, Scorers) == [("fall", 7), ("spring", 2)]
    assert rows(stores, Records) == [("fall", 7)]
    play(stores, "a", "spring", 9)
    make_game().run(stores)
    assert calls == [["fall"], ["spring"]]
    assert rows(stores, Records) == [("spring", 9)]
    assert make_game().run(stores) == []


def test_a_look_at_one_name_agrees_with_a_look_at_all(stores: Stores) -> None:
    play(stores, "a", "spring", 2)
    play(stores, "b", "fall", 3)
    make_game().run(stores)
    play(stores, "a", "spring", 4)
    play(stores, "b", "fall", 5)
    demo = make_game()
    demo.run(stores, [Seasons])
    all_names, only_fall = (behind_of(demo, demo.snapshot(stores, only=only)) for only in (None, {"season": ["fall"]}))
    scorers, others = asset_key(Scorers), [asset_key(table) for table in (Seasons, Records, Leaders)]
    assert all_names.reasons[scorers] == dict.fromkeys(("fall", "spring"), "demo.seasons changed")
    for attribute in ("reasons", "expected", "held"):
        whole, part = getattr(all_names, attribute), getattr(only_fall, attribute)
        assert part[scorers] == {key: text for key, text in whole[scorers].items() if key == "fall"}
        assert [part[key] for key in others] == [whole[key] for key in others]


def test_changes_of_its_own_rows_do_not_put_a_table_behind(stores: Stores) -> None:
    for number, (season, goals) in enumerate([("spring", 2), ("fall", 5), ("fall", 1)], 1):
        play(stores, f"m{number}", season, goals, day=number)
        make_game().run(stores)
        assert make_game().behind(stores) == {}
    assert rows(stores, Leaders) == [(1, "spring"), (2, "fall")]
    *_, asset = make_game().assets()
    assert [dep.asset_key.path[-1] for spec in asset.specs for dep in spec.deps] == ["records"]


def test_an_asset_by_name_reads_every_day_but_only_its_own_name() -> None:
    _, asset, *_ = make_game().assets()
    [spec] = asset.specs
    assert isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
    mappings = {dep.asset_key.path[-1]: dep.partition_mapping for dep in spec.deps}
    assert mappings.keys() == {"games", "seasons", "lists"}
    assert isinstance(mappings["games"], dg.AllPartitionMapping)
    assert mappings["seasons"] is None


def test_names_become_partitions_once(fresh_database: str, stores: Stores) -> None:
    stores.postgres_url = SecretStr(fresh_database)
    play(stores, "a", "spring", 2)
    make_game().run(stores)
    play(stores, "b", "fall", 2)
    make_game().run(stores, [Seasons])
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            demo = make_game()
            behind_of(demo, demo.snapshot(stores)).add_names(instance)
            assert sorted(instance.get_dynamic_partitions("season")) == ["fall", "spring"]
