"""Touches, possessions and challenges of matches by hand, against what plain Python tells of them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.rocket_league.matches.touches import challenges, possessions, touches
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BEA,
    MATCH,
    OTHER_MATCH,
    XAN,
    YVE,
    dicts,
    event,
    events,
    goal,
    made,
    touch,
)


def possessed(happened: pl.DataFrame) -> pl.DataFrame:
    return made(possessions, made(touches, happened), happened)


def challenged(*happened: dict[str, Any]) -> pl.DataFrame:
    return made(challenges, made(touches, events(*happened)))


# ---------------------------------------------------------------------------------------------- touches


def test_a_touch_is_seen_from_the_team_that_touched() -> None:
    ball: dict[str, Any] = {
        "ball_x_uu": 100.0, "ball_y_uu": 2000.0, "ball_z_uu": 400.0, "attribution_confidence": 0.75,
        "car_distance_uu": 12.0, "ball_vx_before_uu_s": 3.0, "ball_vy_before_uu_s": 4.0, "ball_vz_before_uu_s": 12.0,
        "ball_vx_after_uu_s": 600.0, "ball_vy_after_uu_s": -800.0, "ball_vz_after_uu_s": 0.0,
    }  # fmt: skip
    found = made(
        touches,
        events(
            event("boost_pickup", 0.5, ANN),
            touch(1, ANN) | ball,
            touch(2, XAN) | ball | {"player_z_uu": 300.0},
            touch(3, None, team="orange", player_z_uu=None) | {"ball_vx_before_uu_s": None},
        ),
    )
    (ann, xan, nobody) = found.to_dicts()
    assert (ann["touch_number"], ann["time_s"], ann["player_id"], ann["team"]) == (1, 1.0, ANN, "blue")
    assert (ann["ball_team_y_uu"], xan["ball_team_y_uu"]) == (2000.0, -2000.0)
    assert (ann["ball_team_vy_after_uu_s"], xan["ball_team_vy_after_uu_s"]) == (-800.0, 800.0)
    assert (ann["ball_speed_before_uu_s"], ann["ball_speed_after_uu_s"]) == (13.0, 1000.0)
    assert (ann["is_aerial"], xan["is_aerial"], nobody["is_aerial"]) == (False, True, None)
    assert (ann["attribution_confidence"], ann["car_distance_uu"]) == (0.75, 12.0)
    assert (nobody["player_id"], nobody["team"], nobody["ball_speed_before_uu_s"]) == (None, "orange", None)


def test_the_first_touch_after_each_kickoff_is_marked() -> None:
    found = made(
        touches,
        events(
            touch(1, ANN), touch(2, XAN), touch(9, XAN, kickoff_number=2), touch(9.5, ANN, kickoff_number=2),
            touch(1, BEA, match_id=OTHER_MATCH),
        ),
    )  # fmt: skip
    assert dicts(found, "match_id", "touch_number", "is_kickoff") == [
        {"match_id": MATCH, "touch_number": 1, "is_kickoff": True},
        {"match_id": MATCH, "touch_number": 2, "is_kickoff": False},
        {"match_id": MATCH, "touch_number": 3, "is_kickoff": True},
        {"match_id": MATCH, "touch_number": 4, "is_kickoff": False},
        {"match_id": OTHER_MATCH, "touch_number": 1, "is_kickoff": True},
    ]


# ---------------------------------------------------------------------------------------------- possessions


def test_possessions_end_by_the_other_team_by_a_goal_or_by_a_stop() -> None:
    happened = events(
        touch(1, ANN, ball_y_uu=-500.0),
        touch(3, BEA),
        touch(4, ANN, ball_y_uu=700.0),
        touch(6, XAN, ball_y_uu=800.0),
        touch(7, BEA),
        goal(9, BEA),
        # Nobody of blue touches it, and in it goes: the goal is not that of the team that had the ball.
        touch(20, XAN, kickoff_number=2),
        goal(22, None, team="blue", kickoff_number=2),
        # Time is up.
        touch(30, YVE, kickoff_number=3),
        touch(33, None, team="orange", kickoff_number=3),
    )
    columns = (
        "possession_number", "team", "start_s", "end_s", "duration_s", "ended_by", "touches", "players",
        "first_player_id", "last_player_id", "start_team_y_uu", "end_team_y_uu",
    )  # fmt: skip
    assert possessed(happened).select(columns).rows() == [
        (1, "blue", 1, 6, 5, "turnover", 3, 2, ANN, ANN, -500, 700),
        (2, "orange", 6, 7, 1, "turnover", 1, 1, XAN, XAN, -800, -800),
        (3, "blue", 7, 9, 2, "goal", 1, 1, BEA, BEA, 0, 0),
        (4, "orange", 20, 22, 2, "stoppage", 1, 1, XAN, XAN, 0, 0),
        (5, "orange", 30, 33, 3, "stoppage", 2, 1, YVE, None, 0, 0),
    ]


def test_one_team_before_and_after_a_kickoff_has_two_possessions() -> None:
    happened = events(touch(1, ANN), goal(2, ANN), touch(9, ANN, kickoff_number=2))
    assert possessed(happened).select("start_s", "end_s", "ended_by").rows() == [(1, 2, "goal"), (9, 9, "stoppage")]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from([ANN, BEA, XAN, YVE, "nobody of blue", "nobody of orange"]),
        st.integers(1, 40),
        # What comes next: more play, a goal of a team and a kick-off, or a kick-off (overtime).
        st.sampled_from(["", "", "", "blue", "orange", "stop"]),
    ),
    min_size=1,
    max_size=15,
)


def played(steps: list[tuple[str, int, str]]) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    """Events of a match, and its possessions as plain counting tells them."""
    happened: list[dict[str, Any]] = []
    expected: list[list[Any]] = []
    at, kickoff, is_new = 0.0, 1, True
    for who, tenths, then in steps:
        at += tenths / 10
        player = None if who.startswith("nobody") else who
        team = who.split()[-1] if player is None else "blue" if who in (ANN, BEA) else "orange"
        happened.append(touch(at, player, team=team, kickoff_number=kickoff))
        if is_new or expected[-1][0] != team:
            if not is_new:
                expected[-1][2:4] = [at, "turnover"]
            expected.append([team, at, at, "stoppage", 0])
        expected[-1][2], expected[-1][4] = at, expected[-1][4] + 1
        is_new = bool(then)
        if then in ("blue", "orange"):
            at += 0.5
            happened.append(goal(at, None, team=then, kickoff_number=kickoff))
            expected[-1][2:4] = [at, "goal" if then == team else "stoppage"]
        kickoff += bool(then)
    return happened, [tuple(row) for row in expected]


@settings(max_examples=30)
@given(_STEPS)
def test_possessions_are_what_counting_tells_and_cover_each_touch_once(steps: list[tuple[str, int, str]]) -> None:
    happened, expected = played(steps)
    found = possessed(events(*happened))
    columns = ("team", "start_s", "end_s", "ended_by", "touches")
    assert [tuple(row[name] for name in columns) for row in found.to_dicts()] == [
        tuple(pytest.approx(value) if isinstance(value, float) else value for value in row) for row in expected
    ]
    assert found["touches"].sum() == len(steps)
    assert (found["duration_s"] >= 0).all()


# ---------------------------------------------------------------------------------------------- challenges


@pytest.mark.parametrize(
    ("first_vy", "second_vy", "winner"),
    [
        # As the second touch leaves the ball; blue plays towards positive y.
        (-900, 301, "blue"),
        (900, -301, "orange"),
        (900, 300, None),
        (-900, -300, None),
    ],
)
@pytest.mark.parametrize("players", [(ANN, XAN), (XAN, ANN)])
def test_a_challenge_is_won_by_whom_the_ball_leaves_for(
    first_vy: float, second_vy: float, winner: str | None, players: tuple[str, str]
) -> None:
    first, second = players
    found = challenged(touch(1, first, vy=first_vy), touch(1.4, second, vy=second_vy, ball_x_uu=5.0))
    assert dicts(found, "time_s", "blue_player_id", "orange_player_id", "winner", "is_kickoff") == [
        {"time_s": 1.0, "blue_player_id": ANN, "orange_player_id": XAN, "winner": winner, "is_kickoff": True}
    ]


@pytest.mark.parametrize(
    ("after", "winner"),
    [
        (touch(4.25, BEA), "blue"),
        (touch(4.25, YVE), "orange"),
        (touch(4.25, None, team="orange"), "orange"),
        (touch(4.5, BEA), None),
        (touch(4.25, BEA, kickoff_number=2), None),
    ],
    ids=["blue", "orange", "somebody of orange", "too late", "after a kick-off"],
)
def test_who_touches_next_wins_where_the_ball_leaves_for_none(after: dict[str, Any], winner: str | None) -> None:
    found = challenged(touch(1, ANN), touch(1.25, XAN), after)
    assert found["winner"].to_list() == [winner]


def test_touches_of_one_team_or_far_apart_are_no_challenge() -> None:
    assert challenged(touch(1, ANN), touch(1.2, BEA)).is_empty()
    assert challenged(touch(1, ANN), touch(1.5, XAN)).is_empty()
    assert challenged(touch(1, ANN), touch(1.1, XAN, match_id=OTHER_MATCH)).is_empty()


def test_of_several_touches_in_a_moment_the_first_two_are_the_challenge() -> None:
    found = challenged(touch(1, ANN), touch(1.2, XAN), touch(1.4, BEA), touch(1.6, YVE))
    assert dicts(found, "time_s", "blue_player_id", "orange_player_id", "winner") == [
        {"time_s": 1.0, "blue_player_id": ANN, "orange_player_id": XAN, "winner": "blue"}
    ]
    # A touch of a mate before is no challenge yet.
    found = challenged(touch(1, ANN), touch(1.2, BEA), touch(1.4, XAN), touch(5, XAN), touch(5.1, ANN))
    assert dicts(found, "challenge_number", "time_s", "blue_player_id", "is_kickoff") == [
        {"challenge_number": 1, "time_s": 1.2, "blue_player_id": BEA, "is_kickoff": False},
        {"challenge_number": 2, "time_s": 5.0, "blue_player_id": ANN, "is_kickoff": False},
    ]


def test_a_challenge_is_known_of_whom_nobody_knows_and_is_aerial_by_either() -> None:
    found = challenged(touch(1, ANN), touch(1.1, None, team="orange", player_z_uu=None), touch(2, ANN))
    assert dicts(found, "blue_player_id", "orange_player_id", "winner", "is_aerial") == [
        {"blue_player_id": ANN, "orange_player_id": None, "winner": "blue", "is_aerial": None}
    ]
    for heights in ((17.0, 500.0), (500.0, 17.0)):
        first, second = (
            touch(at, who, player_z_uu=z) for at, who, z in zip((1, 1.1), (ANN, XAN), heights, strict=True)
        )
        assert challenged(first, second)["is_aerial"].to_list() == [True]
