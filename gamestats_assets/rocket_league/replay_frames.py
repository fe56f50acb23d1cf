"""A replay's frames, ten a second: where the ball and everybody was.

Read as a matrix of samples, which takes a tenth of the time that every update takes. A replay in which players come
and go has no such matrix; its frames are then taken from its updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.rocket_league.replay_network import Flags, Floats, Network, Numbers, Player
from gamestats_assets.rocket_league.tables.bronze import BALL, ReplayFrames

FPS = 10.0
"""Frames a second."""
WORLD = ("BallRigidBodyQuaternionVelocities", "FrameTime", "SecondsRemaining", "ReplicatedStateName",
         "ReplicatedGameStateTimeRemaining", "BallHasBeenHit")  # fmt: skip
CAR = ("PlayerRigidBodyQuaternionVelocities", "PlayerBoost", "PlayerAnyJump", "PlayerDemolishedBy")
"""What the library is asked for of the ball and the game, and of each car."""
# Position, quaternion, velocity, angular velocity.
_BODY = 13
_COLUMNS = tuple(name for name in ReplayFrames.column_names() if name not in ("match_id", "match_date"))


def frames_from_matrix(matrix: npt.NDArray[Any], players: Sequence[Player]) -> pl.DataFrame:
    """Rows of `ReplayFrames` without the columns of the match.

    Args:
        matrix: as the replay library gives it for `WORLD` and `CAR`.
        players: who played, in the order of its columns: blue first.
    """
    table = matrix.astype(np.float64)
    # Over a goal replay one frame is repeated.
    table = table[np.r_[True, np.diff(table[:, _BODY]) > 0]]
    time, seconds, state, countdown, is_hit = (table[:, _BODY + number] for number in range(5))
    first = _BODY + len(WORLD) - 1
    width = (table.shape[1] - first) // max(len(players), 1)
    frames = [_frame_columns(time, state, countdown > 0, seconds, is_hit > 0)]
    rows = [_rows(frames[0], BALL, None, table[:, :_BODY], np.ones(len(table), dtype=bool))]
    for number, player in enumerate(players):
        car = table[:, first + number * width : first + (number + 1) * width]
        present = _present(car[:, :_BODY], car[:, _BODY + 2])
        rows.append(
            _rows(
                frames[0], player.player_id, player.is_orange, car[:, :_BODY], present, car[:, _BODY], car[:, _BODY + 1]
            )
        )
    return pl.concat(rows).select(_COLUMNS)


def _frame_columns(time: Floats, state: Floats, is_countdown: Flags, seconds: Floats, is_hit: Flags) -> pl.DataFrame:
    before = state == state[0]
    starts = before & ~np.r_[False, before[:-1]]
    step = np.diff(time, prepend=time[0])
    step[starts] = 0
    played = state[state != state[0]]
    numbers, counts = np.unique(played, return_counts=True)
    is_live = state == numbers[counts.argmax()] if len(numbers) else np.zeros(len(state), dtype=bool)
    return pl.DataFrame(
        {
            "frame": np.arange(len(time), dtype=np.int32),
            "time_s": (time - time[0]).astype(np.float32),
            "step_s": np.maximum(step, 0).astype(np.float32),
            "kickoff_number": np.cumsum(starts).astype(np.int32),
            "is_countdown": is_countdown,
            "is_live": is_live,
            "seconds_remaining": seconds.astype(np.int32),
            "is_ball_hit": is_hit,
        }
    )


def _present(body: Floats, demolished_by: Floats) -> Flags:
    """Frames in which a car is on the field: there is a place, and from a demolition on it moves again."""
    there = (body[:, :3] != 0).any(axis=1)
    moves = np.r_[True, (np.diff(body[:, 7:], axis=0) != 0).any(axis=1)]
    is_out = False
    for frame in np.flatnonzero((demolished_by >= 0) | moves):
        # The flag is gone before the new car is there, whose place is that of the old one until then.
        if demolished_by[frame] >= 0:
            is_out = True
            after = np.flatnonzero(moves[frame + 1 :] & (demolished_by[frame + 1 :] < 0))
            there[frame : frame + 1 + after[0] if len(after) else len(there)] = False
        elif is_out:
            is_out = False
    return there


def _rows(
    frames: pl.DataFrame,
    player_id: str,
    is_orange: bool | None,
    body: Floats,
    present: Flags,
    boost: Floats | None = None,
    jumps: Floats | None = None,
) -> pl.DataFrame:
    values: dict[str, Any] = {}
    names = (
        "x_uu",
        "y_uu",
        "z_uu",
        "rotation_x",
        "rotation_y",
        "rotation_z",
        "rotation_w",
        "vx_uu_s",
        "vy_uu_s",
        "vz_uu_s",
    )
    for number, name in enumerate(names):
        values[name] = body[:, number].astype(np.float32)
    side = None if is_orange is None else "orange" if is_orange else "blue"
    return frames.with_columns(
        pl.lit(player_id).alias("player_id"),
        pl.lit(side, dtype=pl.String).alias("team"),
        *(pl.Series(name, column).fill_nan(None) for name, column in values.items()),
        pl.Series("boost", boost.astype(np.float32)) if boost is not None else pl.lit(None, pl.Float32).alias("boost"),
        pl.Series("is_jumping", jumps > 0) if jumps is not None else pl.lit(None, pl.Boolean).alias("is_jumping"),
    ).filter(pl.Series(present))


def frames_from_updates(network: Network) -> pl.DataFrame:
    """The same from every update: the first frame at or after each tenth of a second."""
    at = _ticks(network.time)
    frames = _frame_columns(
        network.time[at],
        np.where(network.in_countdown, 0, np.where(network.is_live, 1, 2))[at].astype(float),
        network.in_countdown[at],
        network.seconds_remaining[at].astype(float),
        np.maximum.accumulate(network.touch >= 0)[at],
    ).with_columns(
        kickoff_number=pl.Series(network.round[at].astype(np.int32)),
        step_s=pl.Series(np.diff(network.clock[at], prepend=network.clock[at][0]).astype(np.float32)),
        is_live=pl.Series(network.is_live[at]),
    )
    no_turn = np.zeros((len(at), 4))
    ball = np.concatenate([network.ball[at], no_turn, network.ball_velocity[at]], axis=1)
    rows = [_rows(frames, BALL, None, ball, ~np.isnan(ball[:, 0]))]
    for number, player in enumerate(network.players):
        car = np.concatenate(
            [network.position[at, number], network.rotation[at, number], network.velocity[at, number]], axis=1
        )
        present = network.life[at, number] >= 0
        rows.append(_rows(frames, player.player_id, player.is_orange, car, present, network.boost[at, number]))
    return pl.concat(rows).select(_COLUMNS)


def _ticks(time: Floats) -> Numbers:
    ticks = time[0] + np.arange(int((time[-1] - time[0]) * FPS) + 1) / FPS
    return np.unique(np.minimum(np.searchsorted(time, ticks, side="left"), len(time) - 1))
