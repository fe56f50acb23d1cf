"""A replay's frames, ten a second: positions of the ball and all players.

They are read as a matrix of samples, which takes a tenth of the time of reading every update. Replays whose players
come and go have no such matrix; their frames come from the updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.rocket_league.replays.network import Flags, Floats, Network, Numbers, Player, phases
from gamestats_assets.rocket_league.tables.bronze import BALL, ReplayFrames

FPS = 10.0
"""Frames per second."""
WORLD = ("BallRigidBodyQuaternionVelocities", "FrameTime", "SecondsRemaining", "ReplicatedStateName",
         "ReplicatedGameStateTimeRemaining", "BallHasBeenHit")  # fmt: skip
CAR = ("PlayerRigidBodyQuaternionVelocities", "PlayerBoost", "PlayerAnyJump", "PlayerDemolishedBy")
"""Columns requested from the library: for the ball and the game, and for each car."""
# Position, quaternion, velocity, angular velocity.
_BODY = 13
_OF_BODY = ("x_uu", "y_uu", "z_uu", "rotation_x", "rotation_y", "rotation_z", "rotation_w",
            "vx_uu_s", "vy_uu_s", "vz_uu_s")  # fmt: skip
_COLUMNS = tuple(name for name in ReplayFrames.column_names() if name not in ("match_id", "match_date"))


def frames_from_matrix(matrix: npt.NDArray[Any], players: Sequence[Player]) -> pl.DataFrame:
    """Returns rows of `ReplayFrames` without the columns of the match.

    Args:
        matrix: the replay library's matrix for `WORLD` and `CAR`.
        players: the players in the order of its columns: blue first.
    """
    table = matrix.astype(np.float64)
    # During a goal replay one frame is repeated.
    table = table[np.r_[True, np.diff(table[:, _BODY]) > 0]]
    time, seconds, state, countdown, is_hit = (table[:, _BODY + number] for number in range(5))
    first = _BODY + len(WORLD) - 1
    width = (table.shape[1] - first) // max(len(players), 1)
    number, step, is_live = phases(time, state, countdown > 0)
    frames = _frame_columns(time, step, number, countdown > 0, is_live, seconds, is_hit > 0)
    rows = [_rows(frames, BALL, None, table[:, :_BODY], np.ones(len(table), dtype=bool))]
    for place, player in enumerate(players):
        car = table[:, first + place * width : first + (place + 1) * width]
        present = _present(car[:, :_BODY], car[:, _BODY + 2])
        boost, jumps = car[:, _BODY], car[:, _BODY + 1]
        rows.append(_rows(frames, player.player_id, player.is_orange, car[:, :_BODY], present, boost, jumps))
    return pl.concat(rows).select(_COLUMNS)


def _frame_columns(
    time: Floats, step: Floats, kickoff: Numbers, countdown: Flags, live: Flags, seconds: Floats, hit: Flags
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "frame": np.arange(len(time), dtype=np.int32),
            "time_s": (time - time[0]).astype(np.float32),
            "step_s": step.astype(np.float32),
            "kickoff_number": kickoff.astype(np.int32),
            "is_countdown": countdown,
            "is_live": live,
            "seconds_remaining": seconds.astype(np.int32),
            "is_ball_hit": hit,
        }
    )


def _present(body: Floats, demolished_by: Floats) -> Flags:
    """Returns the frames with a car on the field: it has a position and, after a demolition, moves again."""
    is_out = demolished_by >= 0
    # The flag disappears before the new car exists; until then the old car's position is repeated.
    is_back = np.r_[True, (np.diff(body[:, 7:], axis=0) != 0).any(axis=1)] & ~is_out
    changed = np.maximum.accumulate(np.where(is_out | is_back, np.arange(len(body)), 0))
    return (body[:, :3] != 0).any(axis=1) & ~is_out[changed]


def _rows(
    frames: pl.DataFrame,
    player_id: str,
    is_orange: bool | None,
    body: Floats,
    present: Flags,
    boost: Floats | None = None,
    jumps: Floats | None = None,
) -> pl.DataFrame:
    values = {name: body[:, number].astype(np.float32) for number, name in enumerate(_OF_BODY)}
    side = None if is_orange is None else "orange" if is_orange else "blue"
    return frames.with_columns(
        pl.lit(player_id).alias("player_id"),
        pl.lit(side, dtype=pl.String).alias("team"),
        *(pl.Series(name, column).fill_nan(None) for name, column in values.items()),
        pl.Series("boost", boost.astype(np.float32)) if boost is not None else pl.lit(None, pl.Float32).alias("boost"),
        pl.Series("is_jumping", jumps > 0) if jumps is not None else pl.lit(None, pl.Boolean).alias("is_jumping"),
    ).filter(pl.Series(present))


def frames_from_updates(network: Network) -> pl.DataFrame:
    """Returns the same rows from every update: the first frame at or after each tenth of a second."""
    at = _ticks(network.time)
    clock = network.clock[at]
    frames = _frame_columns(
        network.time[at],
        np.diff(clock, prepend=clock[0]),
        network.round[at],
        network.in_countdown[at],
        network.is_live[at],
        network.seconds_remaining[at].astype(float),
        network.is_ball_hit[at],
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
    tenths = np.floor((np.maximum.accumulate(time) - time[0]) * FPS)
    return np.flatnonzero(np.diff(tenths, prepend=-1) > 0)
