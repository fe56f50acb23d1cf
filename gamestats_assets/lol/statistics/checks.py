"""Checks across the tables of statistics, beyond each table's own rules."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lol.statistics.tables import FirstObjectiveStats, ItemBuildStats


@breaking_rows(of=ItemBuildStats)
def builds_add_up(stats: dy.LazyFrame[ItemBuildStats]) -> pl.LazyFrame:
    """Builds of one length have at most as many games together as reached it, and no build has more wins than games."""
    cell = ["patch", "queue_group", "position", "champion_id", "items"]
    shares = stats.select(*cell, "build", "games", "wins", shared=pl.col("pick_share").sum().over(cell))
    return shares.filter((pl.col("shared") > 1 + 1e-9) | (pl.col("wins") > pl.col("games")))


@breaking_rows(of=FirstObjectiveStats)
def somebody_wins(stats: dy.LazyFrame[FirstObjectiveStats]) -> pl.LazyFrame:
    """Win rates lie within their intervals, and wins do not exceed games."""
    inside = pl.col("win_rate").is_between(pl.col("win_rate_low"), pl.col("win_rate_high"))
    return stats.filter(~inside | (pl.col("wins") > pl.col("games")))


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
