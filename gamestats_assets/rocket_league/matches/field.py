"""Frames for analysis: cars relative to the ball and their mates, during play, seen from their own goal."""

from __future__ import annotations

import polars as pl

from gamestats_assets.rocket_league.tables.bronze import BALL

FRAME = ("match_id", "frame")
"""Columns that identify a frame."""


def live_cars(frames: pl.LazyFrame) -> pl.LazyFrame:
    """Returns every car in every frame during play, with the ball.

    Columns of `ReplayFrames`, and: team_y_uu and ball_team_y_uu (along the field, own goal line at -5120),
    ball_distance_uu, speed_uu_s, team_cars (cars of the team on the field), nearness (1 is the team's nearest to the
    ball), depth (1 is the team's last, nearest to its own goal).
    """
    live = frames.filter(pl.col("is_live"))
    ball = live.filter(pl.col("player_id") == BALL).select(*FRAME, ball_x_uu="x_uu", ball_y_uu="y_uu", ball_z_uu="z_uu")
    side = pl.when(pl.col("team") == "blue").then(1.0).otherwise(-1.0)
    of_team = [*FRAME, "team"]
    return (
        live.filter(pl.col("player_id") != BALL)
        .join(ball, on=FRAME, how="inner")
        .with_columns(
            team_y_uu=pl.col("y_uu") * side,
            ball_team_y_uu=pl.col("ball_y_uu") * side,
            ball_distance_uu=_length(
                pl.col("x_uu") - pl.col("ball_x_uu"),
                pl.col("y_uu") - pl.col("ball_y_uu"),
                pl.col("z_uu") - pl.col("ball_z_uu"),
            ),
            speed_uu_s=_length(pl.col("vx_uu_s"), pl.col("vy_uu_s"), pl.col("vz_uu_s")),
        )
        # At kick-offs two cars are often equally near: then the player_id decides.
        .sort(*FRAME, "player_id")
        .with_columns(
            team_cars=pl.len().over(of_team),
            nearness=pl.col("ball_distance_uu").rank("ordinal").over(of_team),
            depth=pl.col("team_y_uu").rank("ordinal").over(of_team),
        )
    )


def _length(*parts: pl.Expr) -> pl.Expr:
    squares = [part**2 for part in parts]
    return (squares[0] + squares[1] + squares[2]).sqrt()
