"""Rotations: which player of a team is first man (nearest to the ball), second, third, and for how long."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league.matches.field import live_cars
from gamestats_assets.rocket_league.tables import ReplayFrames, Rotations

SHORTEST_STINT_S = 0.5
"""Shortest time for which a role counts: players close to each other swap roles from frame to frame."""
_PLAYER = ("match_id", "match_date", "player_id", "team")


def rotations(frames: dy.LazyFrame[ReplayFrames]) -> dy.LazyFrame[Rotations]:
    """Returns consecutive stints in a role; stints in the same role without another role between are merged.

    A stint ends with the next stint, with a kick-off, or when play stops.
    """
    cars = (
        live_cars(frames)
        .filter(pl.col("team_cars") > 1)
        .select(
            *_PLAYER, "frame", "kickoff_number", "time_s", "step_s",
            role=pl.col("nearness").cast(pl.Int16),
            is_goal_side=pl.col("team_y_uu") < pl.col("ball_team_y_uu"),
        )
        .sort("match_id", "player_id", "frame")
    )  # fmt: skip
    held = _runs(cars).filter(pl.col("held_s") >= SHORTEST_STINT_S)
    # After dropping short runs, neighbours of the same role are merged.
    rows = (
        _numbered(held)
        .group_by(*_PLAYER, "kickoff_number", "run", maintain_order=True)
        .agg(
            role=pl.col("role").first(),
            start_s=pl.col("start_s").first(),
            end_s=pl.col("end_s").last(),
            goal_side_share=(pl.col("goal_side_s").sum() / pl.col("held_s").sum()).clip(0, 1),
        )
        .sort("match_id", "player_id", "start_s")
        .with_columns(
            stint_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("match_id", "player_id"),
            next_role=pl.col("role").shift(-1).over("match_id", "player_id", "kickoff_number"),
            duration_s=pl.col("end_s") - pl.col("start_s"),
        )
    )
    return Rotations.cast(rows)


def with_turns(rotations: pl.LazyFrame) -> pl.LazyFrame:
    """Returns stints with `has_rotated`: whether a first man in a team of three or more went last afterwards.

    One role between is allowed. Null for other stints, and if play stopped first; in a team of two every change is a
    rotation.
    """
    last = pl.col("role").max().over("match_id", "team")
    after_next = pl.col("next_role").shift(-1).over("match_id", "player_id")
    goes_last = pl.when(pl.col("next_role") == last).then(True).otherwise(after_next == last)
    is_turn = (pl.col("role") == 1) & pl.col("next_role").is_not_null() & (last > 2)
    return rotations.sort("match_id", "player_id", "stint_number").with_columns(
        has_rotated=pl.when(is_turn).then(goes_last)
    )


def _numbered(rows: pl.LazyFrame) -> pl.LazyFrame:
    by = ["match_id", "player_id"]
    changes = (pl.col("role") != pl.col("role").shift()) | (
        pl.col("kickoff_number") != pl.col("kickoff_number").shift()
    )
    return rows.with_columns(run=changes.fill_null(True).cum_sum().over(by))


def _runs(cars: pl.LazyFrame) -> pl.LazyFrame:
    return (
        _numbered(cars)
        .group_by(*_PLAYER, "kickoff_number", "run", maintain_order=True)
        .agg(
            role=pl.col("role").first(),
            start_s=(pl.col("time_s") - pl.col("step_s")).first().clip(0),
            end_s=pl.col("time_s").last(),
            held_s=pl.col("step_s").sum(),
            goal_side_s=pl.col("step_s").filter(pl.col("is_goal_side")).sum(),
        )
        .drop("run")
    )
