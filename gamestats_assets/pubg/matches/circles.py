"""Positions of people relative to the circles.

A file contains positions and circles about every ten seconds each, at different instants. The blue circle, the current
boundary, shrinks steadily, so it is interpolated in time between two states; outside the states, the first or last one
is used. The white circle, the next one, stands still and then jumps to the announced place, so the last state before
the sample is used.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.kills import distinct_kills, lives
from gamestats_assets.pubg.matches.matches import is_bot, metres, seconds_since

FIRST_ZONE = 1.0
"""Phase from which positions count."""


def circle_positions(
    positions: dy.LazyFrame[t.TelemetryPositions],
    states: dy.LazyFrame[t.TelemetryGameStates],
    kills: dy.LazyFrame[t.TelemetryKills],
    landings: dy.LazyFrame[t.TelemetryLandings],
    files: dy.LazyFrame[t.TelemetryFiles],
) -> dy.LazyFrame[t.CirclePositions]:
    """Returns people's position samples against both circles in metres, from the first zone until elimination.

    Dead players' positions are still logged for a while; those samples are left out, and so are bots and matches
    without a circle.
    """
    return t.CirclePositions.cast(
        _of_the_living(positions, kills, landings)
        .join_asof(_circles(states), on="occurred_at", by="match_id", check_sortedness=False)
        .filter(pl.col("radius_0").is_not_null())
        .join(_starts(positions, states, files), on="match_id", how="left")
        .with_columns(_between("state_at", "next_at").alias("share"))
        .with_columns(
            seconds_since("started_at").alias("elapsed_time_s"),
            pl.col("player_name").fill_null(pl.col("account_id")),
            metres(pl.col("x_cm")).alias("x_m"),
            metres(pl.col("y_cm")).alias("y_m"),
            _interpolated("x").alias("blue_x_m"),
            _interpolated("y").alias("blue_y_m"),
            _interpolated("radius").alias("blue_radius_m"),
        )
        .with_columns(
            _distance("blue").alias("distance_from_blue_center_m"),
            _distance("white").alias("distance_from_white_center_m"),
        )
        .with_columns(
            (pl.col(f"{color}_radius_m") - pl.col(f"distance_from_{color}_center_m")).alias(
                f"distance_from_{color}_edge_m"
            )
            for color in ("blue", "white")
        )
        .with_columns((pl.col("distance_from_blue_edge_m") >= 0).alias("is_in_safe_zone"))
    )


def _starts(positions: pl.LazyFrame, states: pl.LazyFrame, files: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the start of each match: match_id, started_at.

    If a file lost its start event, the first game state still has the start; otherwise the first sample is used.
    """
    starts = (
        states.filter(pl.col("elapsed_time_s").is_not_null())
        .sort("occurred_at", "event_index")
        .group_by("match_id", maintain_order=True)
        .agg((pl.col("occurred_at") - pl.duration(seconds=pl.col("elapsed_time_s"))).first().alias("told_at"))
    )
    return (
        positions.group_by("match_id")
        .agg(pl.col("occurred_at").min().alias("first_at"))
        .join(starts, on="match_id", how="left")
        .join(files.select("match_id", "started_at"), on="match_id", how="left")
        .select("match_id", pl.coalesce("started_at", "told_at", "first_at").alias("started_at"))
    )


def _of_the_living(positions: pl.LazyFrame, kills: pl.LazyFrame, landings: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the samples of people who are in the match, each once, in order of time."""
    return (
        positions.filter(
            (pl.col("phase") >= FIRST_ZONE) & (pl.col("account_id") != "") & ~is_bot("account_id", "character_type")
        )
        .sort("occurred_at", "event_index")
        .filter(pl.struct("match_id", "account_id", "occurred_at").is_first_distinct())
        .join_asof(
            lives(distinct_kills(kills), landings),
            on="occurred_at",
            by=["match_id", "account_id"],
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .filter(~pl.col("is_out").fill_null(False))
    )


def _circles(states: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the circles from one state to the next: state_at, next_at, x_0, x_1, ... in metres; and the white one.

    A state with the same circle is added long before each match's first state, so every sample has a state.
    """
    blue = {"x": "safety_zone_x_cm", "y": "safety_zone_y_cm", "radius": "safety_zone_radius_cm"}
    white = {"x": "poison_gas_warning_x_cm", "y": "poison_gas_warning_y_cm", "radius": "poison_gas_warning_radius_cm"}
    shown = pl.col(white["radius"]) > 0
    known = (
        states.filter(
            # States without a boundary have zeros in its place, which would pull the circle to the map's corner.
            pl.all_horizontal(pl.col(name).is_not_null() for name in blue.values()) & (pl.col(blue["radius"]) > 0)
        )
        .sort("occurred_at", "event_index")
        .unique(["match_id", "occurred_at"], keep="first", maintain_order=True)
        .select(
            "match_id",
            "occurred_at",
            *(metres(pl.col(source)).alias(f"{name}_0") for name, source in blue.items()),
            *(pl.when(shown).then(metres(pl.col(source))).alias(f"white_{name}_m") for name, source in white.items()),
        )
    )
    before = known.group_by("match_id", maintain_order=True).first()
    before = before.with_columns(pl.col("occurred_at") - pl.duration(days=1)).select(known.collect_schema().names())
    ordered = pl.concat([before, known]).sort("occurred_at")
    following = [pl.col(name).shift(-1).over("match_id") for name in ("occurred_at", "x_0", "y_0", "radius_0")]
    return ordered.with_columns(
        pl.col("occurred_at").alias("state_at"),
        *(
            pl.coalesce(later, name).alias(alias)
            for later, name, alias in zip(
                following,
                ("occurred_at", "x_0", "y_0", "radius_0"),
                ("next_at", "x_1", "y_1", "radius_1"),
                strict=True,
            )
        ),
    )


def _between(start: str, end: str) -> pl.Expr:
    """Returns the position of a sample between two instants, 0 to 1; 0 if they are equal."""
    span = (pl.col(end) - pl.col(start)).dt.total_microseconds()
    return pl.when(span > 0).then((pl.col("occurred_at") - pl.col(start)).dt.total_microseconds() / span).otherwise(0.0)


def _interpolated(name: str) -> pl.Expr:
    return pl.col(f"{name}_0") + pl.col("share") * (pl.col(f"{name}_1") - pl.col(f"{name}_0"))


def _distance(color: str) -> pl.Expr:
    return ((pl.col("x_m") - pl.col(f"{color}_x_m")).pow(2) + (pl.col("y_m") - pl.col(f"{color}_y_m")).pow(2)).sqrt()
