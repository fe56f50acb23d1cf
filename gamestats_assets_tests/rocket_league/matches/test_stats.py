"""Ballchasing's statistics beside those computed from the replay: two rows of a player where both are there."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.play import boost_pickups
from gamestats_assets.rocket_league.matches.stats import player_match_stats
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BEA,
    MATCH,
    OTHER_MATCH,
    XAN,
    event,
    events,
    goal,
    made,
    rows,
)

BIG, SMALL = {"is_big_pad": True, "pad_x_uu": 0.0}, {"is_big_pad": False, "pad_x_uu": 0.0}


def pickup(player: str, before: float, after: float, y: float, pad: dict[str, Any]) -> dict[str, Any]:
    """A pickup by amounts from 0 to 100."""
    tank = {"boost_before": before * 255 / 100, "boost_after": after * 255 / 100}
    return event("boost_pickup", 1.0, player, pad_y_uu=y, **tank, **pad)


def stats(
    happened: pl.DataFrame, raw: tuple[dict[str, Any], ...] = (), figures: tuple[dict[str, Any], ...] = ()
) -> dict[tuple[str, str], dict[str, Any]]:
    found = made(
        player_match_stats,
        rows(t.RawPlayerStats, ({"player_name": "?"} | row for row in raw)),
        rows(t.ReplayFigures, figures),
        made(boost_pickups, happened),
        happened,
    )
    return {(row["player_id"], row["source"]): row for row in found.to_dicts()}


def test_what_ballchasing_tells_stands_beside_what_the_replay_tells() -> None:
    theirs = {"source": "ballchasing", "player_id": ANN, "avg_speed_uu_s": 1500.0, "powerslides": 9, "goals": 3}
    theirs |= {"boost_collected": 2100.0, "boost_collected_per_minute": 420.0, "team_possession_s": 100.0}
    found = stats(
        events(),
        raw=(theirs, {"player_id": ANN, "score": 300}),
        figures=({"player_id": ANN, "avg_speed_uu_s": 1501.0, "powerslides": 8, "counted_s": 310.0},),
    )
    assert found.keys() == {(ANN, "ballchasing"), (ANN, "replay")}, "a scoreboard has no statistics"
    ours, told = found[ANN, "replay"], found[ANN, "ballchasing"]
    assert (ours["avg_speed_uu_s"], ours["powerslides"], ours["counted_s"]) == (1501, 8, 310)
    assert (told["avg_speed_uu_s"], told["powerslides"], told["team_possession_s"]) == (1500, 9, 100)
    # It counts the time of which 420 a minute are 2100.
    assert told["counted_s"] == 300


@pytest.mark.parametrize("amounts", [(0.0, 0.0), (None, None), (100.0, 0.0)])
def test_who_collected_nothing_tells_no_time(amounts: tuple[float | None, float | None]) -> None:
    planted = dict(zip(("boost_collected", "boost_collected_per_minute"), amounts, strict=True))
    found = stats(events(), raw=({"source": "ballchasing", "player_id": ANN} | planted,))
    assert found[ANN, "ballchasing"]["counted_s"] is None


def test_boost_is_summed_by_the_size_of_pads() -> None:
    happened = events(
        pickup(ANN, 10.25, 100, 4000, BIG),
        pickup(ANN, 60, 100, -4000, BIG),
        pickup(ANN, 0, 12, 1000, SMALL),
        pickup(ANN, 95, 100, 1000, SMALL),
        pickup(ANN, 50, 62, 0, SMALL),
        pickup(XAN, 0, 12, -1000, SMALL),
    )
    found = stats(happened, figures=tuple({"player_id": who, "counted_s": 120.0} for who in (ANN, BEA, XAN)))
    expected = {
        # 89.75 and 40, 12 and 5 and 12; sums are rounded down, as ballchasing does it.
        "boost_collected_big": 129, "boost_collected_small": 29, "boost_collected": 158,
        "boost_stolen_big": 89, "boost_stolen_small": 17, "boost_stolen": 106,
        "big_pads_collected": 2, "big_pads_stolen": 1, "small_pads_collected": 3, "small_pads_stolen": 2,
        # 10.25 and 60 of the big ones, 7 of a small one.
        "boost_overfill": 77, "boost_overfill_stolen": 17, "boost_collected_per_minute": 79,
    }  # fmt: skip
    assert {name: found[ANN, "replay"][name] for name in expected} == expected
    assert found[XAN, "replay"]["boost_stolen"] == found[XAN, "replay"]["boost_collected"] == 12
    # Who took none took nought.
    assert {found[BEA, "replay"][name] for name in expected} == {0}


def test_without_pads_nothing_is_known_of_boost() -> None:
    (row,) = stats(events(), figures=({"player_id": ANN, "counted_s": 120.0},)).values()
    assert (row["boost_collected"], row["big_pads_collected"], row["boost_collected_per_minute"]) == (None, None, None)
    other = events(pickup(XAN, 0, 12, 1000, SMALL) | {"match_id": OTHER_MATCH})
    assert stats(other, figures=({"player_id": ANN},))[ANN, "replay"]["boost_collected"] is None


def test_goals_conceded_as_the_last_of_the_team_are_counted() -> None:
    happened = events(
        goal(10, XAN, other_player_id=ANN),
        goal(20, XAN, other_player_id=ANN),
        goal(30, XAN, other_player_id=BEA),
        goal(40, ANN, other_player_id=XAN),
        goal(50, XAN, other_player_id=ANN, match_id=OTHER_MATCH),
    )
    found = stats(happened, figures=tuple({"player_id": who, "match_id": MATCH} for who in (ANN, BEA, XAN, "epic_9")))
    conceded = {who: row["goals_against_while_last_defender"] for (who, _), row in found.items()}
    assert conceded == {ANN: 2, BEA: 1, XAN: 1, "epic_9": 0}


def test_parts_that_add_up_to_a_whole_number_are_that_number() -> None:
    # 255 in all, a tank; in floating point the sum of the parts falls a hair short of 100.
    parts = (15, 23, 4, 2, 30, 23, 11, 16, 13, 13, 3, 28, 13, 15, 15, 2, 6, 1, 13, 9)
    assert sum(part * (100 / 255) for part in parts) < 100
    happened = (pickup(ANN, 0, 0, 1000, SMALL) | {"boost_after": float(part)} for part in parts)
    found = stats(events(*happened), figures=({"player_id": ANN, "counted_s": 60.0},))
    assert found[ANN, "replay"]["boost_collected_small"] == 100
