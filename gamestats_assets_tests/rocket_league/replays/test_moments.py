"""Moments of replays: by hand, and of real replays against ballchasing's and the features' counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.replays.moments import moments as made
from gamestats_assets.rocket_league.replays.moments import player_mistakes, replay_moments
from gamestats_assets.rocket_league.tables.replays import HAPPENED, MISTAKES
from gamestats_assets_tests.rocket_league.support.building import assert_order_does_not_matter, make
from gamestats_assets_tests.rocket_league.support.building import rows as tracked_rows
from gamestats_assets_tests.rocket_league.support.real_files import PAIRS, derived, paths, silver
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BALL,
    BEA,
    CAL,
    XAN,
    YVE,
    Row,
    at_distances,
    event,
    events,
    frames,
    goal,
    rows,
    touch,
)

DOUBLES, STANDARD = PAIRS
FAR = at_distances({ANN: 3000, BEA: 4000, XAN: 3000, YVE: 4000})


def moments(*happened: Row, at_each: list[dict[str, Any]] | None = None, playlist: str = "ranked-doubles") -> list[Row]:
    """Moments of a match in which something happened, and in whose frames everybody was somewhere: else far off."""
    raw = {
        t.RawReplays: rows(t.RawReplays, [{"playlist": playlist, "frames": 50, "team_size": 2}]),
        t.ReplayFrames: frames(*(at_each or [FAR] * 50)),
        t.ReplayEvents: events(*happened),
    }
    return derived(raw)[t.Moments].drop("match_id", "match_date").to_dicts()


def values_of(found: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [
        tuple(round(row[name], 2) if isinstance(row[name], float) else row[name] for name in columns) for row in found
    ]


# ---------------------------------------------------------------- what happened


def test_what_happened_comes_by_time_with_who_and_who_else() -> None:
    found = moments(
        touch(0.9, ANN, ball_x_uu=500.0, ball_y_uu=1000.0, ball_z_uu=400.0, vy=1500.0, player_z_uu=350.0),
        event("shot", 1, ANN, ball_x_uu=0.0, ball_y_uu=4000.0, ball_z_uu=93.0),
        event("save", 2, XAN, ball_x_uu=10.0, ball_y_uu=5000.0, ball_z_uu=600.0, player_z_uu=500.0),
        event("assist", 30, BEA),
        goal(30, ANN, ball_x_uu=0.0, ball_y_uu=5200.0, ball_z_uu=300.0, ball_vx_before_uu_s=0.0,
             ball_vy_before_uu_s=3000.0, ball_vz_before_uu_s=4000.0),
        event("demolition", 40, YVE, other_player_id=CAL, player_x_uu=1.0, player_y_uu=2.0, player_z_uu=17.0),
        event("pad_taken", 41, YVE),
        event("ball_cam_on", 42, YVE),
    )  # fmt: skip
    assert values_of(found, "moment_number", "kind", "time_s", "player_id", "other_player_id", "team") == [
        (1, "shot", 1, ANN, XAN, "blue"),
        (2, "save", 2, XAN, None, "orange"),
        (3, "goal", 30, ANN, BEA, "blue"),
        (4, "demolition", 40, YVE, CAL, "orange"),
    ]
    # A shot is where the ball was struck.
    assert values_of(found, "x_uu", "y_uu", "z_uu", "is_aerial", "speed_uu_s") == [
        (500, 1000, 400, True, 1500),
        (10, 5000, 600, True, None),
        (0, 5200, 300, None, 5000),
        (1, 2, 17, False, None),
    ]


def test_shots_of_orange_are_where_they_were_too() -> None:
    (shot,) = moments(event("shot", 1, XAN, ball_x_uu=300.0, ball_y_uu=-2000.0, ball_z_uu=93.0))
    assert (shot["x_uu"], shot["y_uu"]) == (300, -2000)


def test_what_is_counted_several_times_at_once_is_one_shot() -> None:
    found = moments(
        *(event("shot", at, ANN, ball_x_uu=0.0, ball_y_uu=900.0, ball_z_uu=93.0) for at in (1, 1, 1, 8)),
        event("shot", 8, BEA, ball_x_uu=0.0, ball_y_uu=900.0, ball_z_uu=93.0),
        event("save", 2, XAN),
        playlist="ranked-dropshot",
    )
    assert values_of(found, "kind", "time_s", "player_id", "other_player_id") == [
        ("shot", 1, ANN, XAN),
        ("save", 2, XAN, None),
        ("shot", 8, ANN, None),
        ("shot", 8, BEA, None),
    ]


# ---------------------------------------------------------------- mistakes


def test_a_goal_conceded_is_of_who_was_last_where_the_car_was() -> None:
    at = FAR | {XAN: (100.0, 4900.0, 17.0)}
    found = moments(goal(2, ANN, other_player_id=XAN), at_each=[at] * 50)
    assert values_of(found, "kind", "player_id", "other_player_id", "team", "x_uu", "y_uu") == [
        ("conceded", XAN, ANN, "orange", 100, 4900),
        ("goal", ANN, None, "blue", None, None),
    ]


def test_the_later_of_two_mates_at_the_ball_has_committed_double() -> None:
    found = moments(touch(1, ANN), touch(1.5, BEA, ball_x_uu=500.0, vy=800.0), touch(3, ANN), touch(3.5, XAN))
    assert values_of(found, "kind", "time_s", "player_id", "other_player_id", "x_uu", "speed_uu_s") == [
        ("double_commit", 1.5, BEA, ANN, 500, 800)
    ]


def test_who_was_first_man_and_did_not_go_last_has_missed_a_rotation() -> None:
    def order(*who: str) -> dict[str, Any]:
        return at_distances({each: 500.0 * (place + 1) for place, each in enumerate(who)})

    orders = ((ANN, BEA, CAL), (BEA, ANN, CAL), (BEA, CAL, ANN), (ANN, BEA, CAL), (BEA, ANN, CAL))
    found = moments(at_each=[order(*who) for who in orders for _ in range(8)])
    # Of the second time nothing is known: play stopped. And who follows went on to be last at once, or was not first.
    missed = [row for row in found if row["kind"] == "missed_rotation"]
    assert values_of(missed, "player_id", "time_s") == [(BEA, 2.4)]


@pytest.mark.parametrize(("y", "expected"), [(700.0, [(ANN, 1.0, 3.5)]), (-700.0, [])])
def test_in_a_team_of_two_who_stays_in_front_of_the_ball_has_missed_a_rotation(
    y: float, expected: list[tuple[str, float, float]]
) -> None:
    first = FAR | {ANN: (0.0, y, 17.0), BEA: (0.0, -900.0, 17.0)}
    second = FAR | {ANN: (0.0, y, 17.0), BEA: (0.0, -300.0, 17.0)}
    found = moments(at_each=[first] * 10 + [second] * 25 + [first] * 10 + [second] * 19)
    # The second time it is for less than two seconds.
    missed = [row for row in found if row["kind"] == "missed_rotation"]
    assert values_of(missed, "player_id", "time_s", "end_s") == expected


def test_three_seconds_with_an_empty_tank_are_a_mistake_and_less_is_none() -> None:
    def tanks(*boosts: tuple[int, float]) -> list[dict[str, Any]]:
        return [FAR | {ANN: (0.0, -3000.0, 17.0, 0.0, boost)} for count, boost in boosts for _ in range(count)]

    found = moments(at_each=tanks((5, 80.0), (30, 0.4), (5, 30.0), (29, 0.0), (5, 1.0)))
    assert values_of(found, "kind", "player_id", "time_s", "end_s", "y_uu") == [("boost_starved", ANN, 0.5, 3.5, -3000)]
    stopped = frames(*tanks((40, 0.0)), is_live=False)
    assert not [row for row in moments(at_each=tanks((20, 0.0))) if row["kind"] == "boost_starved"]
    raw = {
        t.RawReplays: rows(t.RawReplays, [{"playlist": "ranked-doubles", "frames": 40, "team_size": 2}]),
        t.ReplayFrames: stopped,
    }
    assert derived(raw)[t.Moments].is_empty()


BALL_AT = (0.0, 0.0, 800.0)


@pytest.mark.parametrize(
    ("car", "touched_at", "expected"),
    [
        pytest.param((0.0, -300.0, 750.0), None, [("missed_aerial", 1.0)], id="near-it"),
        pytest.param((0.0, -300.0, 750.0), 1.5, [], id="touched"),
        pytest.param((0.0, -300.0, 750.0), 3.0, [("missed_aerial", 1.0)], id="touched-later"),
        pytest.param((0.0, -600.0, 750.0), None, [], id="not-near"),
        pytest.param((0.0, -300.0, 290.0), None, [], id="a-jump"),
    ],
)
def test_who_flies_near_the_ball_and_does_not_touch_it_has_missed_an_aerial(
    car: tuple[float, float, float], touched_at: float | None, expected: list[tuple[str, float]]
) -> None:
    ground = FAR | {BALL: BALL_AT, ANN: (0.0, -900.0, 17.0)}
    away = FAR | {BALL: BALL_AT, ANN: (0.0, -500.0, 400.0)}
    at_each = [ground] * 6 + [away] * 3 + [FAR | {BALL: BALL_AT, ANN: car}] + [away] * 3 + [ground] * 30
    happened = [touch(touched_at, ANN)] if touched_at else []
    assert values_of(moments(*happened, at_each=at_each), "kind", "time_s") == expected


@pytest.mark.parametrize("place", [(4070.0, 0.0), (0.0, 5100.0), (3500.0, 4400.0)])
def test_who_drives_along_a_wall_does_not_fly(place: tuple[float, float]) -> None:
    at = FAR | {BALL: (*place, 900.0), ANN: (*place, 800.0)}
    assert moments(at_each=[at] * 20) == []


def test_on_a_field_of_another_game_nothing_is_a_mistake() -> None:
    happened = (touch(1, ANN), touch(1.5, BEA), goal(2, XAN, other_player_id=ANN))
    kinds = [row["kind"] for row in moments(*happened, playlist="ranked-dropshot")]
    assert kinds == ["goal"]
    assert {row["kind"] for row in moments(*happened)} == {"double_commit", "goal", "conceded"}


def test_the_order_of_rows_does_not_matter(realdata: Path) -> None:
    assert_order_does_not_matter(made, dict(silver(realdata, STANDARD)))


# ---------------------------------------------------------------- real replays


@pytest.mark.parametrize("name", PAIRS)
def test_moments_of_everybody_are_as_many_as_ballchasing_counts(realdata: Path, name: str) -> None:
    found = silver(realdata, name)[t.Moments]
    people = silver(realdata, name)[t.Participants]
    names = dict(people.select("player_id", "player_name").rows())
    counts = Counter((names[row["player_id"]], row["kind"]) for row in found.to_dicts() if row["player_id"])
    (theirs,) = (json.loads(path.read_text()) for path in paths(realdata, name) if path.suffix == ".json")
    for player in (*theirs["blue"]["players"], *theirs["orange"]["players"]):
        stats = player["stats"]
        expected = {
            "goal": stats["core"]["goals"], "shot": stats["core"]["shots"], "save": stats["core"]["saves"],
            "demolition": stats["demo"]["inflicted"],
        }  # fmt: skip
        assert {kind: counts[player["name"], kind] for kind in expected} == expected, player["name"]
        # In one goal of six another player is last for them.
        last = stats["positioning"].get("goals_against_while_last_defender", 0)
        assert abs(counts[player["name"], "conceded"] - last) <= 1


@pytest.mark.parametrize("name", PAIRS)
def test_mistakes_are_as_many_as_the_features_count(realdata: Path, name: str) -> None:
    known = silver(realdata, name)
    found = known[t.Moments]
    turns = known[t.Rotations].filter(role=1).group_by("player_id").len("turns")
    features = known[t.PlayerMatchFeatures].join(turns, on="player_id", how="left")
    for row in features.to_dicts():
        of = found.filter(player_id=row["player_id"])
        double = of.filter(kind="double_commit").height
        assert double == pytest.approx(row["double_commits_per_minute"] * row["played_s"] / 60)
        missed = of.filter(kind="missed_rotation").height
        if row["rotation_efficiency"] is None:
            # In a team of two every change counts as a rotation there.
            assert missed < 0.3 * row["turns"]
        else:
            # Of the stints as first man those count that went on.
            assert 0.6 * row["turns"] <= missed / (1 - row["rotation_efficiency"]) <= row["turns"]
        starved = of.filter(kind="boost_starved")
        assert (starved["end_s"] - starved["time_s"]).sum() <= row["zero_boost_share"] * row["played_s"] + 5
        assert of.filter(kind="missed_aerial").height <= 6
    assert found.filter(pl.col("kind").is_in(MISTAKES)).height > 30


def test_mistakes_are_of_those_who_agreed_alone_and_what_happened_is_of_all(realdata: Path) -> None:
    known = silver(realdata, STANDARD)[t.Moments]
    one, *others = known.filter(kind="boost_starved")["player_id"].unique().sort()
    assert others
    tracked = tracked_rows(t.TrackedPlayers, {"player_id": one, "kept_from": known["match_date"][0]})
    own = make(player_mistakes, {t.TrackedPlayers: tracked, t.Moments: known})
    expected = known.filter(pl.col("kind").is_in(MISTAKES), player_id=one)
    assert own.select(expected.columns).equals(expected)
    for kept_out in (tracked.clear(), tracked.with_columns(kept_from=pl.col("kept_from") + pl.duration(days=1))):
        assert make(player_mistakes, {t.TrackedPlayers: kept_out, t.Moments: known}).is_empty()
    happened = make(replay_moments, {t.Moments: known})
    assert {*happened["kind"]} == {*HAPPENED}
    assert happened.height + known.filter(pl.col("kind").is_in(MISTAKES)).height == known.height
