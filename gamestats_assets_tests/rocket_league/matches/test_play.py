"""Boost pickups, and shots with their goals, saves and assists, of matches by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.play import boost_pickups, shots_and_saves
from gamestats_assets.rocket_league.matches.touches import touches
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BEA,
    MATCH,
    OTHER_MATCH,
    TEAM,
    XAN,
    YVE,
    event,
    events,
    goal,
    made,
    rows,
    touch,
)

TANK = 255.0


def pickup(player: str, before: float, after: float, y: float, *, is_big: bool = False) -> dict[str, Any]:
    pad = {"pad_x_uu": 100.0, "pad_y_uu": y, "is_big_pad": is_big}
    return event("boost_pickup", 1.0, player, boost_before=before, boost_after=after, **pad)


# ---------------------------------------------------------------------------------------------- boost


@pytest.mark.parametrize(
    ("player", "y", "is_stolen"),
    [(ANN, 2816.0, True), (ANN, -2816.0, False), (XAN, -2816.0, True), (XAN, 2816.0, False), (ANN, 0.0, False)],
)
def test_a_pad_in_the_opponents_half_is_stolen(player: str, y: float, is_stolen: bool) -> None:
    assert made(boost_pickups, events(pickup(player, 0, 31, y)))["is_stolen"].to_list() == [is_stolen]


@pytest.mark.parametrize(
    ("before", "after", "is_big", "gained", "overfill"),
    [
        (0, TANK, True, 100, 0),
        (0.2 * TANK, TANK, True, 80, 20),
        (0.5 * TANK, 0.62 * TANK, False, 12, 0),
        (0.95 * TANK, TANK, False, 5, 7),
        # Burning goes on while it is taken: the tank is not full, and nothing found no room.
        (0.95 * TANK, 0.97 * TANK, False, 2, 0),
    ],
)
def test_what_finds_no_room_in_the_tank_is_overfill(
    before: float, after: float, is_big: bool, gained: float, overfill: float
) -> None:
    (found,) = made(boost_pickups, events(pickup(ANN, before, after, 0.0, is_big=is_big))).to_dicts()
    assert found["is_big"] is is_big
    assert (found["boost_before"], found["boost_gained"], found["boost_overfill"]) == (
        pytest.approx(100 * before / TANK),
        pytest.approx(gained),
        pytest.approx(overfill),
    )


def test_pickups_are_numbered_in_their_match() -> None:
    other = pickup(XAN, 0, 31, 0.0) | {"match_id": OTHER_MATCH}
    found = made(boost_pickups, events(touch(0.5, ANN), pickup(ANN, 0, 31, 0.0), pickup(BEA, 0, 31, 0.0), other))
    assert found.select("pickup_number", "player_id", "pad_x_uu").rows() == [
        (1, ANN, 100),
        (2, BEA, 100),
        (1, XAN, 100),
    ]


# ---------------------------------------------------------------------------------------------- shots

BEFORE_GOAL = {"ball_x_uu": 300.0, "ball_y_uu": 4720.0, "ball_z_uu": 150.0, "player_z_uu": 40.0}


def facts(**of_match: Any) -> pl.DataFrame:
    both = [{"match_id": match_id} for match_id in (MATCH, OTHER_MATCH)]
    return rows(t.MatchFacts, both, **({"playlist": "ranked-doubles", "map_code": "stadium_p"} | of_match))


def shots(*happened: dict[str, Any], **of_match: Any) -> list[dict[str, Any]]:
    """Shots of these events, sorted by time as a replay tells them."""
    in_order = events(*sorted(happened, key=lambda each: each["time_s"]))
    return made(shots_and_saves, in_order, made(touches, in_order), facts(**of_match)).to_dicts()


def outcomes(*happened: dict[str, Any]) -> list[tuple[Any, ...]]:
    columns = ("player_id", "time_s", "outcome", "saver_id", "saved_after_s", "assister_id")
    found = [tuple(row[name] for name in columns) for row in shots(*happened)]
    return [tuple(pytest.approx(each) if isinstance(each, float) else each for each in row) for row in found]


def test_a_shot_is_where_the_shooter_touched_the_ball() -> None:
    struck = touch(5, XAN) | {
        "ball_x_uu": 300.0, "ball_y_uu": -4720.0, "ball_z_uu": 150.0, "player_z_uu": 40.0,
        "ball_vx_after_uu_s": 1000.0, "ball_vy_after_uu_s": -2000.0, "ball_vz_after_uu_s": 2000.0,
    }  # fmt: skip
    (found,) = shots(touch(1, XAN), struck, touch(5.5, ANN), event("shot", 6, XAN, ball_x_uu=9.0, ball_y_uu=9.0))
    expected = {
        "shot_number": 1, "is_counted": True, "time_s": 6.0, "player_id": XAN, "team": "orange", "ball_x_uu": 300.0,
        # Orange shoots at blue's goal, at y = -5120.
        "ball_team_y_uu": 4720.0, "ball_z_uu": 150.0, "distance_to_goal_uu": (300.0**2 + 400.0**2) ** 0.5,
        "shot_speed_uu_s": 3000.0, "shooter_z_uu": 40.0, "outcome": "missed",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_without_a_touch_in_six_seconds_a_shot_is_where_it_was_counted() -> None:
    (found,) = shots(touch(1, ANN), touch(7, BEA), event("shot", 7.5, ANN, **BEFORE_GOAL))
    assert (found["shot_speed_uu_s"], found["ball_team_y_uu"], found["shooter_z_uu"]) == (None, 4720.0, 40.0)
    assert found["distance_to_goal_uu"] == 500.0
    (found,) = shots(touch(2, ANN, vy=900.0), event("shot", 8, ANN, **BEFORE_GOAL))
    assert (found["shot_speed_uu_s"], found["ball_team_y_uu"]) == (900.0, 0.0)


def test_goals_are_of_the_last_shot_of_the_scorer() -> None:
    found = outcomes(
        event("shot", 1, ANN), event("shot", 3, ANN), event("shot", 3.5, BEA), goal(4, ANN), event("assist", 4.3, BEA),
    )  # fmt: skip
    assert found == [
        (ANN, 1, "missed", None, None, None),
        (ANN, 3, "goal", None, None, BEA),
        (BEA, 3.5, "missed", None, None, None),
    ]


@pytest.mark.parametrize(
    ("scored", "outcome"),
    [
        (goal(18, ANN), "goal"),
        (goal(18.1, ANN), "missed"),
        (goal(12, ANN, kickoff_number=2), "missed"),
        (goal(12, BEA), "missed"),
        (goal(12, ANN, match_id=OTHER_MATCH), "missed"),
        # The shot is counted when the ball is in.
        (goal(9.5, ANN), "goal"),
        (goal(9.4, ANN), "missed"),
    ],
)
def test_which_goal_is_of_a_shot(scored: dict[str, Any], outcome: str) -> None:
    found = shots(event("shot", 10, ANN), scored)
    assert [row["outcome"] for row in found if row["is_counted"]] == [outcome]
    # Whether or not it is of the shot, the goal has a row.
    assert [row["outcome"] for row in found].count("goal") == 1


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        (event("save", 11.5, XAN), ("saved", XAN, 1.5)),
        (event("save", 14, XAN), ("saved", XAN, 4.0)),
        (event("save", 14.1, XAN), ("missed", None, None)),
        # A mate saves nothing.
        (event("save", 11, BEA), ("missed", None, None)),
        (event("save", 11, XAN, match_id=OTHER_MATCH), ("missed", None, None)),
        # The game counts a save a moment before its shot.
        (event("save", 9.78, XAN), ("saved", XAN, 0.0)),
        (event("save", 9.4, XAN), ("missed", None, None)),
    ],
)
def test_which_save_is_of_a_shot(saved: dict[str, Any], expected: tuple[Any, ...]) -> None:
    ((_, _, *found),) = outcomes(event("shot", 10, ANN), saved)
    assert tuple(found[:3]) == expected


def test_each_save_is_of_one_shot() -> None:
    # The rebound is shot less than half a second after the save.
    found = outcomes(
        event("shot", 10, ANN), event("save", 10.5, XAN), event("shot", 10.8, ANN), event("save", 11.6, YVE),
    )  # fmt: skip
    assert [row[2:5] for row in found] == [("saved", XAN, 0.5), ("saved", YVE, pytest.approx(0.8))]
    # Of two saves of one shot the next one counts, of two shots before one save the last.
    found = outcomes(event("shot", 10, ANN), event("save", 10.5, XAN), event("save", 11, YVE))
    assert [row[2:5] for row in found] == [("saved", XAN, 0.5)]
    found = outcomes(event("shot", 10, ANN), event("shot", 10.5, BEA), event("save", 11, YVE))
    assert [row[2:4] for row in found] == [("missed", None), ("saved", YVE)]
    # The second save is of the shot that was counted late, for the one before has its save.
    found = outcomes(
        event("shot", 10, ANN), event("save", 10.4, XAN), event("save", 12, YVE), event("shot", 12.1, BEA),
    )  # fmt: skip
    assert [row[2:5] for row in found] == [("saved", XAN, pytest.approx(0.4)), ("saved", YVE, 0.0)]


def test_what_goes_in_was_not_saved_and_has_an_assist_of_its_own_goal() -> None:
    found = outcomes(
        event("shot", 1, ANN), event("save", 1.5, XAN), goal(2, ANN), event("assist", 2.2, BEA),
        event("shot", 20, ANN, kickoff_number=2), goal(21, ANN, kickoff_number=2),
        event("shot", 30, XAN, kickoff_number=3), event("save", 31, BEA, kickoff_number=3),
        event("shot", 32, XAN, kickoff_number=3), goal(33, XAN, kickoff_number=3),
        event("assist", 33.3, YVE, kickoff_number=3),
    )  # fmt: skip
    assert found == [
        (ANN, 1, "goal", None, None, BEA),
        (ANN, 20, "goal", None, None, None),
        (XAN, 30, "saved", BEA, 1.0, None),
        (XAN, 32, "goal", None, None, YVE),
    ]


SENT_IN: dict[str, Any] = {"ball_x_uu": 10.0, "ball_y_uu": 5212.0, "ball_z_uu": 200.0, "player_z_uu": 17.0}


def test_a_goal_without_a_shot_is_a_row_from_where_its_scorer_touched_the_ball() -> None:
    struck = touch(5, ANN, vy=900.0) | {"ball_x_uu": -300.0, "ball_y_uu": 4720.0, "player_z_uu": 40.0}
    found = shots(
        touch(2, ANN), event("shot", 4, BEA), struck, touch(7, XAN), goal(8, ANN, **SENT_IN), event("assist", 8.4, BEA),
        event("shot", 20, ANN, kickoff_number=2),
    )  # fmt: skip
    assert [(row["shot_number"], row["player_id"], row["is_counted"], row["outcome"]) for row in found] == [
        (1, BEA, True, "missed"),
        (2, ANN, False, "goal"),
        (3, ANN, True, "missed"),
    ]
    expected = {
        "time_s": 8.0, "team": "blue", "ball_x_uu": -300.0, "ball_team_y_uu": 4720.0, "ball_z_uu": 93.0,
        "distance_to_goal_uu": 500.0, "shot_speed_uu_s": 900.0, "shooter_z_uu": 40.0, "saver_id": None,
        "saved_after_s": None, "assister_id": BEA,
    }  # fmt: skip
    assert {name: found[1][name] for name in expected} == expected


@pytest.mark.parametrize(
    ("before", "scorer"),
    [
        # Too long ago.
        (touch(1, ANN), ANN),
        (touch(6, BEA), ANN),
        # Whom the game credits with it is not known, nor who touched.
        (touch(6, None), None),
    ],
)
def test_where_a_goal_was_shot_is_unknown_without_a_touch_of_its_scorer(
    before: dict[str, Any], scorer: str | None
) -> None:
    (found,) = shots(before, goal(7.5, scorer, team="blue", **SENT_IN))
    assert (found["player_id"], found["team"], found["is_counted"], found["outcome"]) == (scorer, "blue", False, "goal")
    where = ("ball_x_uu", "ball_team_y_uu", "ball_z_uu", "distance_to_goal_uu", "shot_speed_uu_s", "shooter_z_uu")
    assert {name: found[name] for name in where} == dict.fromkeys(where)


@pytest.mark.parametrize(
    ("playlist", "map_code", "has_goals"),
    [
        ("ranked-doubles", "stadium_p", True),
        ("private", None, True),
        ("unknown", "farm_p", True),
        ("ranked-rumble", "stadium_p", True),
        ("ranked-snowday", "stadium_p", True),
        ("ranked-dropshot", "shattershot_p", False),
        ("dropshot-rumble", "stadium_p", False),
        ("ranked-hoops", "hoopsstadium_p", False),
        ("private", "hoopsstreet_p", False),
        ("private", "shattershot_p", False),
        ("rocketlabs", "labs_basin_p", False),
    ],
)
def test_on_a_field_without_the_goals_of_soccar_nothing_is_missed(
    playlist: str, map_code: str | None, has_goals: bool
) -> None:
    found = shots(
        event("shot", 1, ANN, **BEFORE_GOAL), event("shot", 10, ANN, **BEFORE_GOAL), event("save", 11, XAN),
        event("shot", 20, ANN, **BEFORE_GOAL), goal(21, ANN), touch(30, BEA), goal(31, BEA),
        playlist=playlist, map_code=map_code,
    )  # fmt: skip
    assert [row["outcome"] for row in found] == ["missed" if has_goals else None, "saved", "goal", "goal"]
    distances = [500.0, 500.0, 500.0, 5120.0]
    assert [row["distance_to_goal_uu"] for row in found] == (distances if has_goals else [None] * 4)
    # Where it was is told anyway.
    assert [row["ball_team_y_uu"] for row in found] == [4720.0, 4720.0, 4720.0, 0.0]


HAPPENED = st.tuples(
    st.sampled_from(["shot", "save", "goal", "assist", "touch"]),
    st.integers(0, 80).map(lambda quarters: quarters / 4),
    st.sampled_from([ANN, BEA, XAN, None]),
)


@settings(max_examples=30)
@given(st.lists(HAPPENED, min_size=1, max_size=25))
def test_every_shot_and_every_goal_has_one_row(happened: list[tuple[str, float, str | None]]) -> None:
    planted = [event(kind, at, who) for kind, at, who in happened if who or kind == "goal"]
    found = shots(touch(0, XAN), *planted)
    counted = [(row["player_id"], row["time_s"]) for row in found if row["is_counted"]]
    assert sorted(counted) == sorted((each["player_id"], each["time_s"]) for each in planted if each["kind"] == "shot")
    goals = [row["player_id"] or "" for row in found if row["outcome"] == "goal"]
    assert sorted(goals) == sorted(each["player_id"] or "" for each in planted if each["kind"] == "goal")
    assert [row["shot_number"] for row in found] == [*range(1, len(found) + 1)]
    assert [row["time_s"] for row in found] == sorted(row["time_s"] for row in found)
    # A save is of one shot, of an opponent.
    saves = [(row["saver_id"], row["team"]) for row in found if row["saver_id"]]
    told_saves = [each["player_id"] for each in planted if each["kind"] == "save"]
    assert all(saves.count((who, team)) <= told_saves.count(who) and TEAM[who] != team for who, team in saves)
