"""Tables that read more than their own partition: neighbouring days, days before, partitions of another kind."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import dataframely as dy
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.landing.decoding import Decoded
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.inputs import ALL_BEFORE, Fingerprints
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as game
from gamestats_assets_tests.orchestration.bare import BareGame
from gamestats_assets_tests.orchestration.freshness.test_freshness import Ranks, Season, ranks, season
from gamestats_assets_tests.orchestration.goals import DayGoals, MatchGoals, RawFiles, RawGoals, land

DAY, NEXT, AFTER = "2020-01-01", "2020-01-02", "2020-01-03"


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(Settings(data=str(tmp_path), postgres_url=SecretStr("postgresql://nowhere"), workers=1))


@pytest.fixture
def demo() -> BareGame:
    demo = BareGame("demo", (*game.TABLES, Ranks, Season), game.CHECKS)
    demo.landed([RawGoals, RawFiles], game.decode)
    demo.function(game.match_goals)
    demo.function(game.day_goals)
    demo.function(ranks, whole_partitions=True, days_around=1)
    demo.function(season, days={DayGoals: ALL_BEFORE})
    return demo


def stored(stores: Stores) -> dict[str, int]:
    return dict(stores.lake.scan(Ranks).select("match_id", "rank").collect().iter_rows())


def files(stores: Stores) -> set[str]:
    delta = stores.lake.open(Ranks)
    assert delta is not None
    return {*delta.file_uris()}


def test_the_days_around_are_read_and_the_own_ones_written(stores: Stores, demo: BareGame) -> None:
    for number, (day, goals) in enumerate([(DAY, 1), (NEXT, 2), (AFTER, 3)]):
        land(stores.landing, f"m{number}", day, list(range(goals)))
    demo.run(stores, [RawGoals, MatchGoals])
    demo.run(stores, [Ranks], [DAY])
    assert stored(stores) == {"m0": 2}
    demo.run(stores, [Ranks])
    assert stored(stores) == {"m0": 2, "m1": 2, "m2": 1}
    land(stores.landing, "m4", AFTER, [])
    demo.run(stores, [RawGoals, MatchGoals])
    assert {*demo.behind(stores)} >= {("ranks", NEXT), ("ranks", AFTER)}
    assert ("ranks", DAY) not in demo.behind(stores), "two days away"


def test_only_ids_whose_rows_changed_are_written_and_one_that_is_gone_goes(stores: Stores, demo: BareGame) -> None:
    for number, goals in enumerate([5, 4, 3]):
        land(stores.landing, f"m{number}", DAY, list(range(goals)))
    demo.run(stores)
    before = files(stores)
    land(stores.landing, "m4", DAY, list(range(3)))
    demo.run(stores)
    assert stored(stores) == {"m0": 1, "m1": 2, "m2": 3, "m4": 4}
    assert before < files(stores), "a new match touched the others' files"
    for file in stores.landing.files("demo", DAY):
        if file.unit_id == "m1":
            stores.landing.remove(file)
    demo.run(stores)
    assert stored(stores) == {"m0": 1, "m2": 2, "m4": 3}


def test_all_days_before_are_read_and_only_these_are_news(stores: Stores, demo: BareGame) -> None:
    for number, day in enumerate((DAY, NEXT, AFTER)):
        land(stores.landing, f"m{number}", day, [1])
    demo.run(stores)
    assert stores.lake.scan(Season).sort("day").collect().get_column("goals").to_list() == [1, 2, 3]
    land(stores.landing, "m4", NEXT, [1, 2])
    made = demo.run(stores, [RawGoals, MatchGoals, DayGoals, Season])
    assert [key for name, key in made if name == "season"] == [NEXT, AFTER]
    assert stores.lake.scan(Season).sort("day").collect().get_column("goals").to_list() == [1, 4, 5]


def test_a_day_that_a_check_stops_keeps_its_neighbours_as_they_were(stores: Stores, demo: BareGame) -> None:
    land(stores.landing, "m0", DAY, [1, 2])
    land(stores.landing, "m1", NEXT, [1])
    demo.run(stores)
    before = stored(stores)
    for number in range(2, 13):
        land(stores.landing, f"m{number}", NEXT, [*range(99)])
    made = demo.run(stores)
    assert not [key for name, key in made if name in ("ranks", "season", "day_goals")]
    assert stored(stores) == before
    assert demo.behind(stores) == {}


# --------------------------------------------------------------------------- all of history, read by day


class Limits(Table, key="demo/limits", layer="bronze"):
    """Goals of a day that count at most, as somebody says."""

    most = dy.Int64(primary_key=True, description="Goals.")


class Capped(Table, key="demo/capped", layer="gold"):
    """Goals of every day that count, in one piece."""

    day = dy.Date(primary_key=True, description="UTC day.")
    goals = dy.Int64(description="Goals.")


class Lost(Table, key="demo/lost", layer="gold", partitioned_by="day"):
    """Goals of a day that do not count."""

    day = dy.Date(primary_key=True, description="UTC day.")
    goals = dy.Int64(description="Goals.")


def capped(days: dy.LazyFrame[DayGoals], limits: dy.LazyFrame[Limits]) -> dy.LazyFrame[Capped]:
    """At most so many goals of each day."""
    rows = days.join(limits, how="cross").select("day", goals=pl.min_horizontal("goals", "most"))
    return cast(dy.LazyFrame[Capped], rows)


def lost(days: dy.LazyFrame[DayGoals], counted: dy.LazyFrame[Capped]) -> dy.LazyFrame[Lost]:
    """What is left of a day."""
    rows = days.join(counted.rename({"goals": "counted"}), on="day")
    return cast(dy.LazyFrame[Lost], rows.select("day", goals=pl.col("goals") - pl.col("counted")))


def test_an_undated_change_without_new_rows_puts_no_day_behind(stores: Stores) -> None:
    most = {"": "100"}
    demo = BareGame("demo", (RawGoals, RawFiles, MatchGoals, DayGoals, Limits, Capped, Lost), ())
    demo.landed([RawGoals, RawFiles], game.decode)
    demo.function(game.match_goals)
    demo.function(game.day_goals)
    demo.external(
        [Limits],
        [Fingerprints("limits", lambda snapshot: dict(most))],
        lambda snapshot, keys: Decoded({Limits: pl.LazyFrame({"most": [int(most[""])]}, schema=Limits.schema())}),
    )
    demo.function(capped)
    demo.function(lost)
    for number, day in enumerate([DAY, NEXT]):
        land(stores.landing, f"m{number}", day, [1, 2, 3])
    demo.run(stores)
    assert demo.run(stores) == []
    for limit, makes in (("90", ["limits", "capped"]), ("90", []), ("2", ["limits", "capped", "lost", "lost"])):
        most[""] = limit
        assert [table for table, _ in demo.run(stores)] == makes
    assert stores.lake.scan(Lost).collect().get_column("goals").to_list() == [1, 1]
    most[""] = "1"
    land(stores.landing, "m2", AFTER, [5])
    assert [key for table, key in demo.run(stores) if table == "lost"] == [DAY, NEXT, AFTER]
    land(stores.landing, "m3", AFTER, [5])
    assert [key for table, key in demo.run(stores) if table == "lost"] == [AFTER]
