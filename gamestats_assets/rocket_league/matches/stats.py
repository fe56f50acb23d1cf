"""Ballchasing's statistics of each player in each match, as given and as computed from the replay."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.source import BALLCHASING, REPLAY

_PLAYER = ("match_id", "player_id")


def player_match_stats(
    raw: dy.LazyFrame[t.RawPlayerStats],
    figures: dy.LazyFrame[t.ReplayFigures],
    pickups: dy.LazyFrame[t.BoostPickups],
    events: dy.LazyFrame[t.ReplayEvents],
) -> dy.LazyFrame[t.PlayerMatchStats]:
    """Returns a row per player and available source.

    Amounts of boost are integers by pad size, because ballchasing rounds them down.
    """
    theirs = raw.filter(pl.col("source") == BALLCHASING).with_columns(
        counted_s=_counted(pl.col("boost_collected"), pl.col("boost_collected_per_minute"))
    )
    has_pads = pickups.select("match_id").unique().with_columns(has_pads=pl.lit(True))
    goals = events.filter(pl.col("kind") == "goal")
    last = goals.group_by("match_id", player_id="other_player_id").agg(
        goals_against_while_last_defender=pl.len().cast(pl.Int32)
    )
    ours = (
        figures.with_columns(source=pl.lit(REPLAY))
        .join(_boost(pickups), on=_PLAYER, how="left")
        .join(has_pads, on="match_id", how="left")
        .join(last, on=_PLAYER, how="left")
        .with_columns(
            # In a match with pads, a player without pickups has zeros.
            *(pl.when(pl.col("has_pads")).then(pl.col(name).fill_null(0)).alias(name) for name in _AMOUNTS),
            goals_against_while_last_defender=pl.col("goals_against_while_last_defender").fill_null(0),
        )
        .with_columns(
            boost_collected_per_minute=pl.when(pl.col("counted_s") > 0).then(
                60 * pl.col("boost_collected") / pl.col("counted_s")
            )
        )
    )
    return t.PlayerMatchStats.cast(pl.concat([theirs, ours], how="diagonal_relaxed"))


def _counted(amount: pl.Expr, per_minute: pl.Expr) -> pl.Expr:
    """Returns the counted time, which ballchasing does not give, from an amount and the amount per minute."""
    return pl.when((amount > 0) & (per_minute > 0)).then(60 * amount / per_minute)


_SIZES = (("big", pl.col("is_big")), ("small", ~pl.col("is_big")))
_AMOUNTS = (
    "boost_collected", "boost_stolen", "boost_collected_big", "boost_stolen_big", "boost_collected_small",
    "boost_stolen_small", "big_pads_collected", "big_pads_stolen", "small_pads_collected", "small_pads_stolen",
    "boost_overfill", "boost_overfill_stolen",
)  # fmt: skip


def _boost(pickups: pl.LazyFrame) -> pl.LazyFrame:
    stolen = pl.col("is_stolen")
    by_size: dict[str, pl.Expr] = {}
    for size, of_size in _SIZES:
        by_size[f"boost_collected_{size}"] = _whole(pl.col("boost_gained").filter(of_size))
        by_size[f"boost_stolen_{size}"] = _whole(pl.col("boost_gained").filter(of_size & stolen))
        by_size[f"{size}_pads_collected"] = of_size.sum().cast(pl.Int32)
        by_size[f"{size}_pads_stolen"] = (of_size & stolen).sum().cast(pl.Int32)
    return (
        pickups.group_by(_PLAYER)
        .agg(
            **by_size,
            boost_overfill=_whole(pl.col("boost_overfill")),
            boost_overfill_stolen=_whole(pl.col("boost_overfill").filter(stolen)),
        )
        .with_columns(
            boost_collected=pl.col("boost_collected_big") + pl.col("boost_collected_small"),
            boost_stolen=pl.col("boost_stolen_big") + pl.col("boost_stolen_small"),
        )
    )


def _whole(amounts: pl.Expr) -> pl.Expr:
    """Returns the sum rounded down, except that it ignores rounding errors of its parts."""
    return amounts.sum().round(6).floor()
