"""What happened in a replay: touches and whose they were, pickups of boost, goals and who was last before them."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.rocket_league.replays.events import PADS, confidence, events
from gamestats_assets.rocket_league.replays.network import read_network
from gamestats_assets.rocket_league.tables import ReplayEvents
from gamestats_assets_tests.rocket_league.replays.recordings import ANN, BOB, CEM, PEOPLE, Recording, recorded
from gamestats_assets_tests.rocket_league.replays.test_network import ANYTHING, recording_of
from gamestats_assets_tests.rocket_league.support.real_files import PAIRS, network

Row = dict[str, Any]
ANN_ID, BOB_ID, CEM_ID = (f"steam_{account}" for account in (ANN, BOB, CEM))
# Of the car's box from its place: as far as its front reaches, with the ball's radius.
REACH = 118.01 / 2 + 13.88 + 92.75
HALF = math.sqrt(0.5)


def found(recording: Recording, kind: str | None = None) -> list[Row]:
    """Events of a replay made by hand, of one kind or all."""
    return [row for row in events(read_network(recording.parsed())) if kind in (None, row["kind"])]


def beside_the_ball(*frames: str, ann: float = 3000, bob: float = 3000, cem: float = 3000) -> Recording:
    """Ann (blue), Cem (blue) and Bob (orange), each so far from the ball's surface, along x, facing it."""
    people = (f"driver {name} {-gap - REACH},0,72.25" for name, gap in (("ann", ann), ("bob", bob), ("cem", cem)))
    return recorded("; ".join(("ball 0,0,93 0,0,0", *people)), *frames)


def touches(*frames: str, **gaps: float) -> list[Row]:
    """The touches of such a replay."""
    return found(beside_the_ball(*frames, **gaps), "touch")


# --- Touches --------------------------------------------------------------------------------------


def test_the_servers_touch_is_the_nearest_cars_of_the_team() -> None:
    [row] = touches("touch 0", ann=40, bob=0, cem=120)
    assert (row["player_id"], row["team"], row["told_by"]) == (ANN_ID, "blue", "server")
    assert row["car_distance_uu"] == pytest.approx(40)
    # At the ball, and 80 nearer than the next: 0.5 + 80 / 200.
    assert row["attribution_confidence"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("gap", "margin", "expected"),
    [(0, 500, 1), (60, 100, 1), (110, 500, 0.5), (160, 500, 0), (0, 0, 0.5), (0, 50, 0.75), (-9, math.inf, 1)],
)
def test_confidence_falls_with_the_distance_and_with_the_next_car(gap: float, margin: float, expected: float) -> None:
    assert confidence(gap, margin) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("frames", "gaps", "player", "gap"),
    [
        # A touch may have been some frames before the server says so.
        (
            [f"body ann {-REACH - gap},0,72.25 -4000,0,0" for gap in (400, 800)]
            + [f"body ann {-REACH - 1200},0,72.25 -4000,0,0; touch 0"],
            {"ann": 10},
            ANN_ID,
            10,
        ),
        # A turned car reaches the ball with half its width.
        ([f"body ann {-(84.20 / 2 + 92.75)},-13.88,72.25 - 0,0,{HALF},{HALF}; touch 0"], {}, ANN_ID, 0),
        # A jump of the ball beside a car.
        (["ball 0,0,93 700,0,0"], {"bob": 5}, BOB_ID, 5),
    ],
)
def test_a_touch_is_by_the_car_at_the_ball(frames: list[str], gaps: dict[str, float], player: str, gap: float) -> None:
    [row] = touches(*frames, **gaps)
    assert (row["player_id"], row["told_by"]) == (player, "server" if player == ANN_ID else "ball")
    assert row["car_distance_uu"] == pytest.approx(gap, abs=1)


def test_a_car_that_arrives_between_two_updates_of_the_ball_touches_it() -> None:
    arrives = f"driver bob {-300 - REACH},0,72.25 3000,0,0"
    [row] = found(
        recorded(f"ball 0,0,93 0,0,0; {arrives}", "body bob -700,0,72.25 -3000,0,0; ball 0,0,93 1500,0,0"), "touch"
    )
    assert row["player_id"] == BOB_ID
    assert row["car_distance_uu"] == pytest.approx(0, abs=1)


def test_a_team_touches_once_until_the_other_does_or_a_kickoff_comes() -> None:
    wait = ["", ""]
    rows = touches(
        *wait, "state Active; countdown 0; touch 0", *wait, "touch 0", *wait, "touch 1", *wait, "touch 0",
        *wait, "state Countdown; countdown 1", *wait, "state Active; countdown 0; touch 0", ann=0, bob=0,
    )  # fmt: skip
    assert [(row["team"], row["frame"]) for row in rows] == [("blue", 3), ("orange", 9), ("blue", 12), ("blue", 18)]


def test_a_touch_of_a_team_without_a_car_is_nobodys() -> None:
    [row] = touches("wreck bob", *[""] * 4, "touch 1", ann=0)
    assert (row["player_id"], row["team"], row["attribution_confidence"]) == (None, "orange", 0)
    assert row.get("car_distance_uu") is None


@pytest.mark.parametrize(
    "frames",
    [
        # Off the wall, with every car far away; and a free fall, which changes the velocity all the time.
        ["ball 0,0,1000 0,2000,0", "ball 0,0,995 0,-1200,-65", "ball 0,0,985 0,-1200,-130"],
        # In countdowns and over kick-offs the game moves the ball, beside a car, too.
        [
            "state Countdown; countdown 3; body bob -150,0,72.25",
            "countdown 3; ball 0,0,93 900,0,0",
            "countdown 0; state Active; ball 0,0,93 900,0,0",
            "countdown 0; state Countdown; ball 0,0,93 0,0,0",
        ],
    ],
)
def test_a_bounce_or_what_the_game_does_is_no_touch(frames: list[str]) -> None:
    assert touches(*frames) == []


def test_one_contact_that_takes_some_moments_is_one_touch() -> None:
    rows = touches(*(f"0.04: ball 0,0,93 {200 * number},0,0; touch 1" for number in range(1, 6)), bob=5)
    assert [row["frame"] for row in rows] == [1, 5]


def test_a_touch_has_the_ball_before_and_after() -> None:
    velocities = ("0,0,0", "10,0,0", "20,0,0", "30,0,0", "2030,7,0", "2040,7,0")
    [row] = touches(*(f"0.03: ball 0,0,93 {velocity}" for velocity in velocities), ann=5)
    assert row["frame"] == 5
    assert [row[f"ball_v{axis}_before_uu_s"] for axis in "xyz"] == [10, 0, 0]
    assert [row[f"ball_v{axis}_after_uu_s"] for axis in "xyz"] == [2040, 7, 0]
    assert row["time_s"] == pytest.approx(0.15)
    assert row["player_x_uu"] == pytest.approx(-5 - REACH)


# --- Boost ----------------------------------------------------------------------------------------


def test_there_are_34_pads_of_which_six_are_big_the_same_from_both_sides() -> None:
    pads = {tuple(pad) for pad in PADS.tolist()}
    assert (len(PADS), len(pads), PADS[:, 2].sum()) == (34, 34, 6)
    assert {(-x, -y, big) for x, y, big in pads} == pads


def test_a_tank_that_rises_is_a_pickup_at_the_nearest_pad() -> None:
    tank = ((0, 2816, 60), (3, 1000, 90), (3, 1000, 90), (-3500, 10, 255), (-3500, 10, 200))
    filled = recorded("driver ann", *(f"body ann {x},{y},17 0,0,0; boost ann {amount}" for x, y, amount in tank))
    rows = found(filled, "boost_pickup")
    names = ("frame", "pad_x_uu", "pad_y_uu", "is_big_pad", "boost_before", "boost_after")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (2, 0, 1024, False, 60, 90), (4, -3584, 0, True, 90, 255),
    ]  # fmt: skip
    assert {(row["player_id"], row["team"]) for row in rows} == {(ANN_ID, "blue")}
    # The tank of a new car is none.
    assert found(recorded("driver ann 0,2816,17", "boost ann 10", "wreck ann", "car ann 0,2816,17", "")) == []


def test_a_pad_that_is_taken_with_a_full_tank_is_an_event_and_no_pickup() -> None:
    # Where there is no pad, nobody can have taken one.
    taken = recorded("driver ann 3100,4050,17", "pad 11 ann 1", "body ann 0,2000,17; pad 12 ann 1")
    [row] = found(taken)
    assert (row["kind"], row["frame"], row["player_id"]) == ("pad_taken", 1, ANN_ID)
    assert (row["pad_x_uu"], row["pad_y_uu"], row["is_big_pad"]) == (3072, 4096, True)
    assert events(read_network(taken.parsed()), has_pads=False) == []


# --- Goals and the rest ---------------------------------------------------------------------------


def test_a_goal_is_the_headers_by_who_scored_against_who_was_last() -> None:
    rows = found(
        recorded(
            "driver ann; driver bob 0,3000,17; driver cem orange 0,4000,17", *[""] * 4,
            f"body bob 0,5000,17; goal 0 {PEOPLE[1][0]}", "stat ann Goals 1; stat ann Shots 1",
        )
    )  # fmt: skip
    goal = {"kind": "goal", "frame": 5, "player_id": ANN_ID, "other_player_id": CEM_ID, "team": "blue"}
    assert goal.items() <= rows[0].items()
    # In the frame before it Cem was nearer to the goal line.
    assert [(row["kind"], row["player_id"], row["event_number"]) for row in rows[1:]] == [("shot", ANN_ID, 1)]


def test_a_goal_without_a_scorer_is_the_teams_and_a_demolition_names_both() -> None:
    [goal] = found(recorded("driver ann", "goal 1"))
    assert (goal["player_id"], goal["team"], goal["other_player_id"]) == (None, "orange", ANN_ID)
    [row] = found(beside_the_ball("demolition bob ann"), "demolition")
    assert (row["player_id"], row["other_player_id"], row["team"]) == (BOB_ID, ANN_ID, "orange")


def test_time_goes_on_over_goal_replays_and_the_clock_of_play_does_not() -> None:
    [row] = found(
        recorded(
            "state Countdown; countdown 3; driver ann", "1: state Active; countdown 0",
            "1: state PostGoalScored; countdown 0", "30: state Countdown; countdown 3",
            "1: state Active; countdown 0; stat ann Shots 1",
        )
    )  # fmt: skip
    assert (row["time_s"], row["clock_s"], row["kickoff_number"], row["is_live"]) == (33, 3, 2, True)


@given(ANYTHING)
def test_whatever_is_sent_events_keep_the_tables_rules(acts: list[tuple[str, int]]) -> None:
    rows = events(read_network(recording_of(acts).parsed()))
    keys = {"match_id": "A" * 32, "match_date": None}
    frame = pl.DataFrame([{**keys, **row} for row in rows], schema=ReplayEvents.schema())
    frame = frame.with_columns(match_date=pl.date(2026, 1, 1))
    assert screen(ReplayEvents, frame).rejections == []
    assert [row["event_number"] for row in rows] == list(range(len(rows)))
    assert [row["frame"] for row in rows] == sorted(row["frame"] for row in rows)


def test_real_touches_are_by_cars_at_the_ball_and_mostly_sure(realdata: Path) -> None:
    walked = network(realdata, PAIRS[1])
    rows = [row for row in events(walked) if row["kind"] == "touch"]
    by_server = [row for row in rows if row["told_by"] == "server"]
    # Every change of team that the server sent is there, by it or by the ball's jump a moment before.
    teams = np.flatnonzero(walked.touch >= 0)
    changes = [frame for before, frame in itertools.pairwise(teams) if walked.touch[before] != walked.touch[frame]]
    for frame in changes:
        near = [row for row in rows if abs(row["time_s"] - (walked.time[frame] - walked.time[0])) < 0.2]
        assert any((row["team"] == "orange") == (walked.touch[frame] == 1) for row in near), frame
    assert 100 < len(changes) < len(rows) < 250
    assert all(row["player_id"] is not None and row["car_distance_uu"] < 110 for row in by_server)
    assert np.mean([row["attribution_confidence"] > 0.8 for row in rows]) > 0.8
    # A touch changes the way of the ball.
    change = [math.dist(*([row[f"ball_v{axis}_{when}_uu_s"] for axis in "xyz"] for when in ("before", "after")))
              for row in rows]  # fmt: skip
    assert np.median(change) > 400
