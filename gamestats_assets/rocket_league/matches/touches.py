"""Touches, possessions, and challenges (50/50s)."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league.tables import Challenges, Possessions, ReplayEvents, Touches

AERIAL_Z_UU = 300.0
"""Height from which a car counts as in the air: about the height of a jump from the ground."""
CHALLENGE_S = 0.4
"""Touches of both teams within this time are a challenge."""
LEAVES_UU_S = 300.0
"""Speed along the field with which the ball leaves a challenge in a team's favour."""
DOUBLE_COMMIT_S, DOUBLE_COMMIT_UU = 1.0, 1000.0
"""Touches of two mates within this time and distance are a double commit."""
DECIDED_S = 3.0
"""Time within which the next touch decides a challenge after which the ball leaves in no one's favour."""
_MATCH = ("match_id", "match_date")
_TEAM_SIDE = pl.when(pl.col("team") == "blue").then(1.0).otherwise(-1.0)


def touches(events: dy.LazyFrame[ReplayEvents]) -> dy.LazyFrame[Touches]:
    """Returns the touches of the ball: player, place and effect."""
    rows = (
        events.filter(pl.col("kind") == "touch")
        .sort("match_id", "event_number")
        .with_columns(
            touch_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("match_id"),
            is_kickoff=pl.int_range(pl.len()).over("match_id", "kickoff_number") == 0,
            ball_team_y_uu=pl.col("ball_y_uu") * _TEAM_SIDE,
            ball_speed_before_uu_s=length("ball_vx_before_uu_s", "ball_vy_before_uu_s", "ball_vz_before_uu_s"),
            ball_speed_after_uu_s=length("ball_vx_after_uu_s", "ball_vy_after_uu_s", "ball_vz_after_uu_s"),
            ball_team_vy_after_uu_s=pl.col("ball_vy_after_uu_s") * _TEAM_SIDE,
            car_z_uu=pl.col("player_z_uu"),
            is_aerial=pl.col("player_z_uu") >= AERIAL_Z_UU,
        )
    )
    return Touches.cast(rows)


def length(*columns: str) -> pl.Expr:
    """Returns the length of a vector with these components."""
    return pl.sum_horizontal((pl.col(column) ** 2 for column in columns), ignore_nulls=False).sqrt()


def with_double_commits(touches: pl.LazyFrame) -> pl.LazyFrame:
    """Returns touches in order, with `double_commit_with`: the mate who touched just before; null otherwise.

    A pass is not a double commit, because the ball moves further.
    """
    before = {
        name: pl.col(name).shift(1).over("match_id")
        for name in ("time_s", "team", "player_id", "ball_x_uu", "ball_y_uu")
    }
    moved_uu = (
        (pl.col("ball_x_uu") - before["ball_x_uu"]) ** 2 + (pl.col("ball_y_uu") - before["ball_y_uu"]) ** 2
    ).sqrt()
    is_double = (
        (pl.col("player_id") != before["player_id"])
        & (pl.col("team") == before["team"])
        & (pl.col("time_s") - before["time_s"] <= DOUBLE_COMMIT_S)
        & (moved_uu <= DOUBLE_COMMIT_UU)
    )
    return touches.sort("match_id", "touch_number").with_columns(
        double_commit_with=pl.when(is_double).then(before["player_id"])
    )


def possessions(touches: dy.LazyFrame[Touches], events: dy.LazyFrame[ReplayEvents]) -> dy.LazyFrame[Possessions]:
    """Returns stretches with touches of one team alone.

    A possession ends with the other team's touch, or with the goal before the next kick-off; if neither follows, with
    its last touch.
    """
    numbered = events.filter(pl.col("kind") == "touch").sort("match_id", "event_number").with_columns(
        touch_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("match_id")
    ).select("match_id", "touch_number", "kickoff_number")  # fmt: skip
    goals = (
        events.filter(pl.col("kind") == "goal")
        .sort("match_id", "time_s")
        .unique(["match_id", "kickoff_number"], keep="first", maintain_order=True)
        .select("match_id", "kickoff_number", goal_s="time_s", goal_team="team")
    )
    changes = (pl.col("team") != pl.col("team").shift()) | (
        pl.col("kickoff_number") != pl.col("kickoff_number").shift()
    )
    rows = (
        touches.join(numbered, on=["match_id", "touch_number"])
        .sort("match_id", "touch_number")
        .with_columns(possession_number=changes.fill_null(True).cum_sum().over("match_id").cast(pl.Int32))
        .group_by(*_MATCH, "possession_number", "team", "kickoff_number", maintain_order=True)
        .agg(
            start_s=pl.col("time_s").first(),
            last_s=pl.col("time_s").last(),
            touches=pl.len().cast(pl.Int32),
            players=pl.col("player_id").drop_nulls().n_unique().cast(pl.Int32),
            first_player_id=pl.col("player_id").first(),
            last_player_id=pl.col("player_id").last(),
            start_team_y_uu=pl.col("ball_team_y_uu").first(),
            end_team_y_uu=pl.col("ball_team_y_uu").last(),
        )
        .sort("match_id", "possession_number")
        .with_columns(
            next_s=pl.col("start_s").shift(-1).over("match_id"),
            next_kickoff=pl.col("kickoff_number").shift(-1).over("match_id"),
        )
        .join(goals, on=["match_id", "kickoff_number"], how="left")
    )
    goes_over = pl.col("next_kickoff") == pl.col("kickoff_number")
    ends_in_goal = ~goes_over.fill_null(False) & (pl.col("goal_s") >= pl.col("last_s")).fill_null(False)
    result = rows.with_columns(
        end_s=pl.when(goes_over).then("next_s").when(ends_in_goal).then("goal_s").otherwise("last_s"),
        ended_by=pl.when(goes_over)
        .then(pl.lit("turnover"))
        .when(ends_in_goal & (pl.col("goal_team") == pl.col("team")))
        .then(pl.lit("goal"))
        .otherwise(pl.lit("stoppage")),
    ).with_columns(duration_s=pl.col("end_s") - pl.col("start_s"))
    return Possessions.cast(result)


def challenges(touches: dy.LazyFrame[Touches]) -> dy.LazyFrame[Challenges]:
    """Returns 50/50s: touches of both teams within a moment.

    The winner is the team towards whose opponents' goal the ball leaves; if it leaves towards neither, the team that
    touches next within three seconds and before the next kick-off; else no one.
    """
    follows = (
        touches.sort("match_id", "touch_number")
        .with_columns(
            pl.col("time_s", "team", "player_id", "is_aerial", "ball_team_vy_after_uu_s")
            .shift(-1)
            .over("match_id")
            .name.prefix("next_"),
            after_s=pl.col("time_s").shift(-2).over("match_id"),
            after_team=pl.col("team").shift(-2).over("match_id"),
            after_kickoff=pl.col("is_kickoff").shift(-2).over("match_id"),
            before_s=pl.col("time_s").shift(1).over("match_id"),
            before_team=pl.col("team").shift(1).over("match_id"),
        )
        .filter(
            (pl.col("next_team") != pl.col("team"))
            & (pl.col("next_time_s") - pl.col("time_s") <= CHALLENGE_S)
            # Of three touches in a moment, the first two are the challenge.
            & ~(
                (pl.col("before_team") != pl.col("team")) & (pl.col("time_s") - pl.col("before_s") <= CHALLENGE_S)
            ).fill_null(False)
        )
    )
    is_decided = (pl.col("after_s") - pl.col("next_time_s") <= DECIDED_S) & ~pl.col("after_kickoff")
    leaves = pl.col("next_ball_team_vy_after_uu_s")
    is_blue_first = pl.col("team") == "blue"
    rows = follows.with_columns(
        challenge_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("match_id"),
        blue_player_id=pl.when(is_blue_first).then("player_id").otherwise("next_player_id"),
        orange_player_id=pl.when(is_blue_first).then("next_player_id").otherwise("player_id"),
        winner=pl.when(leaves > LEAVES_UU_S)
        .then("next_team")
        .when(leaves < -LEAVES_UU_S)
        .then("team")
        .when(is_decided)
        .then("after_team"),
        is_aerial=pl.col("is_aerial") | pl.col("next_is_aerial"),
    )
    return Challenges.cast(rows)
