"""Ten frames a second, from the library's matrix and from every update: the same rows either way."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.rocket_league.replays.files import read_replay
from gamestats_assets.rocket_league.replays.frames import frames_from_matrix, frames_from_updates
from gamestats_assets.rocket_league.replays.network import Player, read_network
from gamestats_assets.rocket_league.tables import ReplayFrames
from gamestats_assets.rocket_league.tables.bronze import BALL
from gamestats_assets_tests.rocket_league.replays.recordings import ANN, BOB
from gamestats_assets_tests.rocket_league.replays.test_network import ANYTHING, read, recording_of
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.real_files import COME_AND_GO, DUEL, LAN

ANN_ID, BOB_ID = f"steam_{ANN}", f"steam_{BOB}"
PLAYERS = [Player(ANN_ID, "Ann", False, False), Player(BOB_ID, "Bob", True, False)]
_KEYS = {"match_id": pl.lit("A" * 32), "match_date": pl.lit(date(2026, 1, 1))}


def keeps_the_rules(frames: pl.DataFrame) -> bool:
    """Whether the rows keep the rules of `ReplayFrames`, a row for each frame and player among them."""
    whole = frames.with_columns(**_KEYS).select(ReplayFrames.column_names())
    return screen(ReplayFrames, ReplayFrames.cast(whole)).rejections == []


def body(x: float = 0.0, speed: float = 0.0, spin: float = 0.0, y: float = 0.0) -> list[float]:
    """Place, rotation, velocity, angular velocity."""
    return [x, y, 17.0, 0.0, 0.0, 0.0, 1.0, speed, 0.0, 0.0, spin, 0.0, 0.0]


def matrix(*rows: dict[str, Any]) -> np.ndarray[Any, Any]:
    """As the library gives it: `ann` and `bob` are body, boost, jump and demolished by (-1: by nobody)."""
    defaults: dict[str, Any] = {"state": 1.0, "countdown": 0.0, "clock": 300.0, "hit": 0.0, "ball": body(1.0)}
    found = []
    for number, row in enumerate(rows):
        row = {"time": 7.0 + number / 10, **defaults, **row}
        cars = [row.get(name, [*body(number + 1.0), 85.0, 0.0, -1.0]) for name in ("ann", "bob")]
        of_world = [*row["ball"], row["time"], row["clock"], row["state"], row["countdown"], row["hit"]]
        found.append([*of_world, *cars[0], *cars[1]])
    return np.array(found, dtype=np.float32)


def of(frames: pl.DataFrame, player_id: str, *columns: str) -> list[Any]:
    """Values of a player, or the ball, by frame; of several columns rows of them."""
    rows = frames.filter(pl.col("player_id") == player_id).sort("frame").select(columns)
    return rows.to_series().to_list() if len(columns) == 1 else rows.rows()


# --- The matrix -----------------------------------------------------------------------------------


def test_the_ball_and_every_player_have_a_row_in_every_frame() -> None:
    cars = {"ann": [*body(1.0, 2.0), 90.0, 0.0, -1.0], "bob": [*body(3.0, 4.0), 80.0, 1.0, -1.0]}
    frames = frames_from_matrix(matrix({"ball": body(5.0, 7.0), **cars}), PLAYERS)
    found = frames.select("player_id", "team", "x_uu", "vx_uu_s", "rotation_w", "boost", "is_jumping").rows()
    assert found == [
        (BALL, None, 5, 7, 1, None, None),
        (ANN_ID, "blue", 1, 2, 1, 90, False),
        (BOB_ID, "orange", 3, 4, 1, 80, True),
    ]
    assert keeps_the_rules(frames)


def test_a_demolished_car_is_away_until_it_moves_where_the_flag_is_gone() -> None:
    still = body(9.0, 500.0)
    frames = frames_from_matrix(
        matrix(
            {"ann": [*body(8.0, 400.0), 85, 0, -1]},
            {"ann": [*still, 85, 0, 1]},
            {"ann": [*still, 85, 0, 1]},
            # The flag is gone, the old place stays.
            {"ann": [*still, 85, 0, -1]},
            {"ann": [*still, 85, 0, -1]},
            {"ann": [*body(3000.0), 85, 0, -1]},
            # Standing still is being there.
            {"ann": [*body(3000.0), 85, 0, -1]},
        ),
        PLAYERS,
    )
    assert of(frames, ANN_ID, "frame") == [0, 5, 6]
    assert of(frames, BOB_ID, "frame") == [*range(7)]


def test_a_car_without_a_place_is_not_there() -> None:
    nowhere = [0.0] * 13 + [0.0, 0.0, -1.0]
    frames = frames_from_matrix(matrix({"bob": nowhere}, {}, {"bob": nowhere}), PLAYERS)
    assert of(frames, BOB_ID, "frame") == [1]


def test_a_frame_that_is_repeated_over_a_goal_replay_is_there_once() -> None:
    frames = frames_from_matrix(
        matrix({"time": 7.0}, {"time": 7.1}, {"time": 7.1}, {"time": 7.1}, {"time": 12.0}), PLAYERS
    )
    assert of(frames, BALL, "frame", "time_s") == [(0, 0), (1, pytest.approx(0.1)), (2, 5)]


def test_phases_are_those_of_the_whole_match() -> None:
    kickoff, play, goal = {"state": 9.0, "countdown": 2.0}, {"state": 4.0, "hit": 1.0}, {"state": 6.0, "hit": 1.0}
    frames = frames_from_matrix(
        matrix(kickoff, play, play, goal, {**kickoff, "time": 20.0}, play | {"time": 20.5}), PLAYERS
    )
    assert of(frames, BALL, "kickoff_number") == [1, 1, 1, 1, 2, 2]
    assert of(frames, BALL, "is_live") == [False, True, True, False, False, True]
    assert of(frames, BALL, "is_countdown") == [True, False, False, False, True, False]
    assert of(frames, BALL, "is_ball_hit") == [False, True, True, True, False, True]
    assert of(frames, BALL, "step_s") == pytest.approx([0, 0.1, 0.1, 0.1, 0, 0.5], abs=1e-5)


# --- Every update ---------------------------------------------------------------------------------


def test_of_updates_the_first_at_or_after_each_tenth_is_taken() -> None:
    # At 0.04, 0.08, 0.12, ... seconds; after a gap the next one there is.
    moves = (f"0.04: body ann {number * 4},0,17 0,0,0" for number in range(1, 12))
    frames = frames_from_updates(read("driver ann", *moves, "1:"))
    assert of(frames, ANN_ID, "x_uu") == [0, 12, 20, 32, 40, 44]
    assert of(frames, ANN_ID, "time_s") == pytest.approx([0, 0.12, 0.2, 0.32, 0.4, 1.44])
    assert of(frames, ANN_ID, "frame") == [0, 1, 2, 3, 4, 5]


def test_updates_know_who_is_there_as_the_matrix_does() -> None:
    network = read(
        "ball 5,0,93 7,0,0; driver bob 3,0,17 4,0,0", "0.11: wreck bob; driver ann 1,0,17 2,0,0; boost ann 90; hit 1"
    )
    frames = frames_from_updates(network)
    found = frames.select("frame", "player_id", "team", "x_uu", "vx_uu_s", "boost", "is_ball_hit").sort("frame", "x_uu")
    assert found.rows() == [
        (0, BOB_ID, "orange", 3, 4, 85, False),
        (0, BALL, None, 5, 7, None, False),
        (1, ANN_ID, "blue", 1, 2, 90, True),
        (1, BALL, None, 5, 7, None, True),
    ]
    assert keeps_the_rules(frames)


@given(ANYTHING)
def test_whatever_is_sent_frames_keep_the_tables_rules(acts: list[tuple[str, int]]) -> None:
    network = read_network(recording_of(acts).parsed())
    frames = frames_from_updates(network)
    assert keeps_the_rules(frames)
    assert set(frames["player_id"]) <= {BALL, *(player.player_id for player in network.players)}


# --- Real ones ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [DUEL, LAN])
def test_updates_give_what_the_matrix_gives(realdata: Path, name: str) -> None:
    by_matrix = read_replay(real_files.replay(realdata, name))
    by_updates = frames_from_updates(real_files.network(realdata, name))
    assert by_matrix.frames_method == "matrix"
    assert by_updates.schema == by_matrix.frames.schema
    seconds = [_seconds(frames) for frames in (by_matrix.frames, by_updates)]
    assert seconds[0] == pytest.approx(seconds[1], abs=0.3)
    counts = [frames.group_by("player_id").len().sort("player_id") for frames in (by_matrix.frames, by_updates)]
    assert counts[0]["player_id"].equals(counts[1]["player_id"])
    assert ((counts[0]["len"].cast(pl.Int64) - counts[1]["len"].cast(pl.Int64)).abs() <= 40).all()
    # Frames that both took, by the time: everybody is in the same place, of the same team, in the same phase.
    timed = [
        frames.with_columns(at=(pl.col("time_s") * 1000).round().cast(pl.Int64))
        for frames in (by_matrix.frames, by_updates)
    ]
    both = timed[0].join(timed[1], on=["at", "player_id"], suffix="_of_updates")
    assert both.height > 0.3 * by_matrix.frames.height
    for column in ("team", "kickoff_number", "is_live", "is_countdown", "seconds_remaining", "is_ball_hit"):
        assert both[column].eq_missing(both[f"{column}_of_updates"]).all(), column
    for column in ("x_uu", "y_uu", "z_uu", "vx_uu_s", "vy_uu_s", "vz_uu_s"):
        assert ((both[column] - both[f"{column}_of_updates"]).abs() < 1).sum() > 0.99 * both.height, column
    # Turned alike: a quaternion and its negative are the same.
    axes = [f"rotation_{axis}" for axis in "xyzw"]
    cars = both.filter(pl.col("player_id") != BALL)
    alike = sum(cars[axis] * cars[f"{axis}_of_updates"] for axis in axes)
    assert isinstance(alike, pl.Series)
    assert (alike.abs() > 0.999).sum() > 0.99 * cars.height


def _seconds(frames: pl.DataFrame) -> float:
    return float(frames.group_by("frame").agg(pl.col("step_s").first())["step_s"].sum())


def test_a_real_match_in_which_people_came_and_went_is_read_from_updates(realdata: Path) -> None:
    replay = read_replay(real_files.replay(realdata, COME_AND_GO))
    assert replay.frames_method == "updates"
    assert keeps_the_rules(replay.frames)
    # Never more than three a side, and most of the time three.
    sides = replay.frames.filter(pl.col("team").is_not_null()).group_by("frame", "team").len()
    assert sides["len"].max() == 3
    assert (sides["len"] == 3).sum() > 0.75 * sides.height
    assert replay.frames["frame"].n_unique() == pytest.approx(_seconds(replay.frames) * 10, rel=0.02)
    # On the field of play.
    cars = replay.frames.filter(pl.col("team").is_not_null())
    assert (cars["x_uu"].abs() < 4200).all()
    assert (cars["y_uu"].abs() < 6100).all()
    assert (cars["z_uu"] < 25).sum() > 0.4 * cars.height
