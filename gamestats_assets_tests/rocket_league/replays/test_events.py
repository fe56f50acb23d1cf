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
from gamestats_assets.rocket_league.replays.files import network_of
from gamestats_assets.rocket_league.replays.network import Network, read_network
from gamestats_assets.rocket_league.tables import ReplayEvents
from gamestats_assets_tests.rocket_league.files import BALL, ORANGE, Recording, header_of
from gamestats_assets_tests.rocket_league.real_files import PAIRS
from gamestats_assets_tests.rocket_league.replays.test_network import ACTS, ANN, BOB, CEM, recording_of

Row = dict[str, Any]
ANN_ID, BOB_ID, CEM_ID = (f"steam_{account}" for account in (ANN, BOB, CEM))
# Of the car's box from its place: as far as its front reaches, with the ball's radius.
REACH = 118.01 / 2 + 13.88 + 92.75


def found(recording: Recording, kind: str | None = None) -> list[Row]:
    """Events of a replay made by hand, of one kind or all."""
    return [row for row in events(read_network(recording.parsed())) if kind in (None, row["kind"])]


class Field:
    """Ann (blue), Cem (blue) and Bob (orange), each so far from the ball's surface, along x, facing it."""

    def __init__(self, ann: float = 3000.0, bob: float = 3000.0, cem: float = 3000.0) -> None:
        self.recording = Recording()
        self.recording.body(BALL, (0.0, 0.0, 93.0), (0.0, 0.0, 0.0))
        for number, (account, gap) in enumerate(((ANN, ann), (BOB, bob), (CEM, cem)), 1):
            self.recording.person(number, account, account=account, team=ORANGE if number == 2 else 101)
            self.recording.car(number, (-gap - REACH, 0.0, 93.0 - 20.75))

    def ball(self, velocity: tuple[float, float, float], place: tuple[float, float, float] = (0.0, 0.0, 93.0)) -> None:
        """The ball is sent."""
        self.recording.body(BALL, place, velocity)

    def found(self, kind: str = "touch") -> list[Row]:
        """Events of a kind."""
        return found(self.recording, kind)


# --- Touches --------------------------------------------------------------------------------------


def test_the_servers_touch_is_the_nearest_cars_of_the_team() -> None:
    field = Field(ann=40, bob=0, cem=120)
    field.recording.frame()
    field.recording.touch(0)
    [row] = field.found()
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


def test_a_touch_may_have_been_some_frames_before_it_is_told() -> None:
    field = Field(ann=10)
    for distance in (400.0, 800.0, 1200.0):
        field.recording.frame()
        field.recording.body(10, (-REACH - distance, 0.0, 72.25), (-4000.0, 0.0, 0.0))
    field.recording.touch(0)
    [row] = field.found()
    assert row["car_distance_uu"] == pytest.approx(10)


def test_turned_cars_reach_the_ball_with_another_side() -> None:
    field = Field(ann=3000)
    field.recording.frame()
    # Facing along y: half its width towards the ball.
    half = math.sqrt(0.5)
    field.recording.body(10, (-(84.20 / 2 + 92.75), -13.88, 72.25), None, (0.0, 0.0, half, half))
    field.recording.touch(0)
    [row] = field.found()
    assert row["car_distance_uu"] == pytest.approx(0, abs=1e-6)


def test_a_team_touches_once_until_the_other_does_or_a_kickoff_comes() -> None:
    field = Field(ann=0, bob=0)
    recording = field.recording
    for state, team in (("Active", 0), (None, 0), (None, 1), (None, 0), ("Countdown", None), ("Active", 0)):
        for _ in range(3):
            recording.frame()
        if state is not None:
            recording.state(state)
            recording.countdown(int(state == "Countdown"))
        if team is not None:
            recording.touch(team)
    assert [(row["team"], row["frame"]) for row in field.found()] == [
        ("blue", 3),
        ("orange", 9),
        ("blue", 12),
        ("blue", 18),
    ]


def test_a_touch_of_a_team_without_a_car_is_nobodys() -> None:
    field = Field(ann=0)
    field.recording.frame()
    field.recording.gone(20, 21)
    for _ in range(5):
        field.recording.frame()
    field.recording.touch(1)
    [row] = field.found()
    assert (row["player_id"], row["team"], row["attribution_confidence"]) == (None, "orange", 0)
    assert row.get("car_distance_uu") is None


def test_a_jump_of_the_ball_beside_a_car_is_a_touch() -> None:
    field = Field(bob=5)
    field.recording.frame()
    field.ball((700.0, 0.0, 0.0))
    [row] = field.found()
    assert (row["player_id"], row["team"], row["told_by"]) == (BOB_ID, "orange", "ball")
    assert row["car_distance_uu"] == pytest.approx(5)


def test_a_bounce_is_no_touch() -> None:
    # Off the wall, with every car far away; and a free fall, which changes the velocity all the time.
    field = Field()
    for velocity, height in (
        ((0.0, 2000.0, 0.0), 1000.0),
        ((0.0, -1200.0, -65.0), 995.0),
        ((0.0, -1200.0, -130.0), 985.0),
    ):
        field.recording.frame()
        field.ball(velocity, (0.0, 0.0, height))
    assert field.found() == []


def test_a_car_that_arrives_between_two_words_of_the_ball_is_found() -> None:
    field = Field(bob=1000)
    field.recording.body(20, (-300 - REACH, 0.0, 72.25), (3000.0, 0.0, 0.0))
    field.recording.frame()
    field.recording.body(20, (-700.0, 0.0, 72.25), (-3000.0, 0.0, 0.0))
    field.ball((1500.0, 0.0, 0.0))
    [row] = field.found()
    assert row["player_id"] == BOB_ID
    assert row["car_distance_uu"] == pytest.approx(0, abs=1)


def test_one_contact_that_takes_some_moments_is_one_touch() -> None:
    field = Field(bob=5)
    for number in range(1, 6):
        field.recording.frame(0.04)
        field.ball((200.0 * number, 0.0, 0.0))
        field.recording.touch(1)
    assert [row["frame"] for row in field.found()] == [1, 5]


def test_a_touch_tells_the_ball_before_and_after() -> None:
    field = Field(ann=5)
    recording = field.recording
    for velocity in (
        (0.0, 0.0, 0.0),
        (10.0, 0.0, 0.0),
        (20.0, 0.0, 0.0),
        (30.0, 0.0, 0.0),
        (2030.0, 7.0, 0.0),
        (2040.0, 7.0, 0.0),
    ):
        recording.frame(0.03)
        field.ball(velocity)
    [row] = field.found()
    assert row["frame"] == 5
    assert [row[f"ball_v{axis}_before_uu_s"] for axis in "xyz"] == [10, 0, 0]
    assert [row[f"ball_v{axis}_after_uu_s"] for axis in "xyz"] == [2040, 7, 0]
    assert row["time_s"] == pytest.approx(0.15)
    assert row["player_x_uu"] == pytest.approx(-5 - REACH)


def test_in_countdowns_and_over_kickoffs_the_ball_is_moved_by_the_game() -> None:
    field = Field(bob=5)
    recording = field.recording
    recording.state("Countdown")
    recording.countdown(3)
    for velocity, state, countdown in (
        ((900.0, 0.0, 0.0), None, 3), ((900.0, 0.0, 0.0), "Active", 0), ((0.0, 0.0, 0.0), "Countdown", 0),
    ):  # fmt: skip
        recording.frame()
        recording.countdown(countdown)
        if state:
            recording.state(state)
        field.ball(velocity)
    assert field.found() == []


# --- Boost ----------------------------------------------------------------------------------------


def test_there_are_34_pads_of_which_six_are_big_the_same_from_both_sides() -> None:
    assert len(PADS) == 34
    assert PADS[:, 2].sum() == 6
    pads = {tuple(pad) for pad in PADS.tolist()}
    assert len(pads) == 34
    assert {(-x, -y, big) for x, y, big in pads} == pads


def _filled(*tank: tuple[float, float, int]) -> list[Row]:
    recording = Recording()
    recording.person(1, "Ann", account=ANN)
    recording.car(1)
    for x, y, amount in tank:
        recording.frame()
        recording.body(10, (x, y, 17.0), (0.0, 0.0, 0.0))
        recording.boost(10, amount)
    return found(recording, "boost_pickup")


def test_a_tank_that_rises_is_a_pickup_at_the_nearest_pad_and_one_that_falls_is_none() -> None:
    rows = _filled((0, 2816, 60), (3, 1000, 90), (3, 1000, 90), (-3500, 10, 255), (-3500, 10, 200))
    found = [
        (row["frame"], row["pad_x_uu"], row["pad_y_uu"], row["is_big_pad"], row["boost_before"], row["boost_after"])
        for row in rows
    ]
    assert found == [(2, 0, 1024, False, 60, 90), (4, -3584, 0, True, 90, 255)]
    assert {(row["player_id"], row["team"]) for row in rows} == {(ANN_ID, "blue")}


def test_the_tank_of_a_new_car_is_no_pickup() -> None:
    recording = Recording()
    recording.person(1, "Ann", account=ANN)
    recording.car(1, (0.0, 2816.0, 17.0))
    recording.frame()
    recording.boost(10, 10)
    recording.frame()
    recording.gone(10, 11)
    recording.frame()
    recording.car(1, (0.0, 2816.0, 17.0))
    recording.frame()
    assert found(recording, "boost_pickup") == []


# --- Goals and the rest ---------------------------------------------------------------------------


def test_a_goal_is_the_headers_by_who_scored_against_who_was_last() -> None:
    recording = Recording()
    for number, (account, team, y) in enumerate(((ANN, 101, 0.0), (BOB, ORANGE, 3000.0), (CEM, ORANGE, 4000.0)), 1):
        recording.person(number, account, account=account, team=team)
        recording.car(number, (0.0, y, 17.0))
    for _ in range(5):
        recording.frame()
    recording.body(20, (0.0, 5000.0, 17.0))
    recording.goal(0, ANN)
    recording.frame()
    recording.stat(1, "Goals", 1)
    recording.stat(1, "Shots", 1)
    rows = found(recording)
    goal = {"kind": "goal", "frame": 5, "player_id": ANN_ID, "other_player_id": CEM_ID, "team": "blue"}
    assert goal.items() <= rows[0].items()
    # In the frame before it Cem was nearer to the goal line.
    assert [(row["kind"], row["player_id"], row["event_number"]) for row in rows[1:]] == [("shot", ANN_ID, 1)]


def test_a_goal_nobody_scored_is_the_teams() -> None:
    recording = Recording()
    recording.person(1, "Ann", account=ANN)
    recording.car(1)
    recording.frame()
    recording.goal(1)
    [row] = found(recording)
    assert (row["player_id"], row["team"], row["other_player_id"]) == (None, "orange", ANN_ID)


def test_a_demolition_names_both() -> None:
    field = Field()
    field.recording.frame()
    field.recording.demolition(20, 10)
    [row] = field.found("demolition")
    assert (row["player_id"], row["other_player_id"], row["team"]) == (BOB_ID, ANN_ID, "orange")


def test_time_goes_on_over_goal_replays_and_the_clock_of_play_does_not() -> None:
    recording = Recording()
    recording.state("Countdown")
    recording.countdown(3)
    recording.person(1, "Ann", account=ANN)
    recording.car(1)
    for step, state, countdown in ((1, "Active", 0), (1, "PostGoalScored", 0), (30, "Countdown", 3), (1, "Active", 0)):
        recording.frame(step)
        recording.state(state)
        recording.countdown(countdown)
    recording.stat(1, "Shots", 1)
    [row] = found(recording)
    assert (row["time_s"], row["clock_s"], row["kickoff_number"], row["is_live"]) == (33, 3, 2, True)


def test_a_pad_that_is_taken_with_a_full_tank_is_told_and_no_pickup() -> None:
    recording = Recording()
    recording.person(1, "Ann", account=ANN)
    car = recording.car(1, (3100.0, 4050.0, 17.0))
    recording.frame()
    recording.pad(11, car, 1)
    recording.frame()
    # Where there is no pad, nobody can have taken one.
    recording.body(car, (0.0, 2000.0, 17.0))
    recording.pad(12, car, 1)
    [row] = found(recording)
    assert (row["kind"], row["frame"], row["player_id"]) == ("pad_taken", 1, f"steam_{ANN}")
    assert (row["pad_x_uu"], row["pad_y_uu"], row["is_big_pad"]) == (3072, 4096, True)
    assert events(read_network(recording.parsed()), has_pads=False) == []


@given(ACTS)
def test_whatever_is_sent_events_keep_the_tables_rules(acts: list[tuple[str, int]]) -> None:
    rows = events(read_network(recording_of(acts).parsed()))
    keys = {"match_id": "A" * 32, "match_date": None}
    frame = pl.DataFrame([{**keys, **row} for row in rows], schema=ReplayEvents.schema())
    frame = frame.with_columns(match_date=pl.date(2026, 1, 1))
    assert screen(ReplayEvents, frame).rejections == []
    assert [row["event_number"] for row in rows] == list(range(len(rows)))
    assert [row["frame"] for row in rows] == sorted(row["frame"] for row in rows)


@pytest.fixture(scope="module")
def real(realdata: Path) -> tuple[Network, list[Row], dict[str, Any]]:
    """Three a side."""
    content = (realdata / "rocket_league" / f"{PAIRS[1]}.replay").read_bytes()
    network, _ = network_of(content)
    return network, events(network), header_of(content)


def test_real_touches_are_by_cars_at_the_ball_and_mostly_sure(real: tuple[Network, list[Row], dict[str, Any]]) -> None:
    network, rows, _ = real
    touches = [row for row in rows if row["kind"] == "touch"]
    found = [row for row in touches if row["told_by"] == "server"]
    # Every change of team that the server told is there, by it or by the ball's jump a moment before.
    teams = np.flatnonzero(network.touch >= 0)
    changes = [frame for before, frame in itertools.pairwise(teams) if network.touch[before] != network.touch[frame]]
    for frame in changes:
        near = [row for row in touches if abs(row["time_s"] - (network.time[frame] - network.time[0])) < 0.2]
        assert any((row["team"] == "orange") == (network.touch[frame] == 1) for row in near), frame
    assert 100 < len(changes) < len(touches) < 250
    assert all(row["player_id"] is not None and row["car_distance_uu"] < 110 for row in found)
    assert np.mean([row["attribution_confidence"] > 0.8 for row in touches]) > 0.8
    # A touch changes the way of the ball.
    change = [math.dist(*([row[f"ball_v{axis}_{when}_uu_s"] for axis in "xyz"] for when in ("before", "after")))
              for row in touches]  # fmt: skip
    assert np.median(change) > 400
