"""A player's movement and position from frames alone: ten a second, during play."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league.matches.field import FRAME, live_cars
from gamestats_assets.rocket_league.replays.figures import (
    BOOST_SPEED_UU_S,
    GROUND_Z_UU,
    HIGH_AIR_Z_UU,
    SUPERSONIC_UU_S,
    THIRD_Y_UU,
)
from gamestats_assets.rocket_league.replays.network import FULL_BOOST
from gamestats_assets.rocket_league.tables import FrameFigures, ReplayFrames

_PLAYER = ("match_id", "match_date", "player_id")


def frame_figures(frames: dy.LazyFrame[ReplayFrames]) -> dy.LazyFrame[FrameFigures]:
    """Returns one row per player and match; each frame counts for the time since the previous one."""
    cars = live_cars(frames)
    # Sums of thousands of 32-bit numbers would depend on their order.
    w = pl.col("step_s").cast(pl.Float64)
    x, v, z, y, ball_y = (
        pl.col(name).cast(pl.Float64) for name in ("x_uu", "speed_uu_s", "z_uu", "team_y_uu", "ball_team_y_uu")
    )

    def share(where: pl.Expr, *, of: pl.Expr | None = None) -> pl.Expr:
        counted = pl.lit(True) if of is None else of
        # Rounding can give slightly more than 1.
        return pl.when(w.filter(counted).sum() > 0).then(
            (w.filter(where & counted).sum() / w.filter(counted).sum()).clip(0, 1)
        )

    def mean(value: pl.Expr) -> pl.Expr:
        known_s = w.filter(value.is_not_null()).sum()
        return pl.when(known_s > 0).then((value * w).sum() / known_s)

    has_mates = pl.col("team_cars") > 1
    boost = pl.col("boost")
    rows = (
        cars.group_by(_PLAYER)
        .agg(
            counted_s=w.sum(),
            avg_x_uu=mean(x.abs()),
            avg_team_y_uu=mean(y),
            avg_z_uu=mean(z),
            position_spread_uu=(x.var(ddof=0) + y.var(ddof=0)).sqrt(),
            avg_speed_uu_s=mean(v),
            total_distance_uu=(v * w).sum(),
            supersonic_share=share(v >= SUPERSONIC_UU_S),
            boost_speed_share=share((v >= BOOST_SPEED_UU_S) & (v < SUPERSONIC_UU_S)),
            slow_share=share(v < BOOST_SPEED_UU_S),
            ground_share=share(z < GROUND_Z_UU),
            low_air_share=share((z >= GROUND_Z_UU) & (z <= HIGH_AIR_Z_UU)),
            high_air_share=share(z > HIGH_AIR_Z_UU),
            defensive_third_share=share(y < -THIRD_Y_UU),
            neutral_third_share=share(y.abs() <= THIRD_Y_UU),
            offensive_third_share=share(y > THIRD_Y_UU),
            defensive_half_share=share(y < 0),
            behind_ball_share=share(y < ball_y),
            avg_distance_to_ball_uu=mean(pl.col("ball_distance_uu")),
            most_back_share=share(pl.col("depth") == 1, of=has_mates),
            most_forward_share=share(pl.col("depth") == pl.col("team_cars"), of=has_mates),
            closest_to_ball_share=share(pl.col("nearness") == 1, of=has_mates),
            avg_boost=mean(boost) * 100 / FULL_BOOST,
            zero_boost_share=share(boost < 0.5, of=boost.is_not_null()),
            full_boost_share=share(boost > FULL_BOOST - 0.5, of=boost.is_not_null()),
        )
        .join(_distances_to_mates(cars), on=["match_id", "player_id"], how="left")
        .filter(pl.col("counted_s") > 0)
    )
    return FrameFigures.cast(rows)


def _distances_to_mates(cars: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the mean distance of each player to the team mates."""
    places = cars.select(*FRAME, "team", "player_id", "x_uu", "y_uu", "z_uu")
    pairs = places.join(places, on=[*FRAME, "team"], suffix="_mate").filter(
        pl.col("player_id") != pl.col("player_id_mate")
    )
    parts = [(pl.col(f"{axis}_uu") - pl.col(f"{axis}_uu_mate")) ** 2 for axis in "xyz"]
    return (
        pairs.group_by("match_id", "player_id", "player_id_mate")
        .agg((parts[0] + parts[1] + parts[2]).sqrt().cast(pl.Float64).mean().alias("to_mate"))
        .group_by("match_id", "player_id")
        .agg(avg_distance_to_mates_uu=pl.col("to_mate").mean())
    )
