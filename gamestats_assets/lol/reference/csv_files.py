"""Facts that match files lack: queues and their use, and highest ranks of skills.

The lists are CSV files in `data/reference/lol` with one line per id, so a new id needs no code.
"""

from __future__ import annotations

import functools

import dataframely as dy
import polars as pl

from gamestats_assets.lol.reference.tables import Queues
from gamestats_assets.settings import shipped

USUAL_MAX_RANKS: tuple[int, ...] = (5, 5, 5, 3)
"""Highest ranks of Q, W, E and R of nearly every champion."""
QUEUES = ("data", "reference", "lol", "queues.csv")


@functools.cache
def queues() -> dy.LazyFrame[Queues]:
    """Returns every known queue; `has_positions` is null if the matches themselves decide."""
    return Queues.cast(pl.read_csv(shipped(*QUEUES)).lazy())


@functools.cache
def max_ranks() -> pl.DataFrame:
    """Returns champions that differ from `USUAL_MAX_RANKS`: columns `champion_id`, `max_ranks` (of Q, W, E and R)."""
    listed = pl.read_csv(shipped("data", "reference", "lol", "max_ranks.csv"))
    return listed.select(
        pl.col("champion_id").cast(pl.Int32), max_ranks=pl.concat_list(pl.col("q", "w", "e", "r").cast(pl.Int32))
    )


def queues_text() -> str:
    """Returns the file of queues; any change to it rebuilds the table."""
    return shipped(*QUEUES).read_text(encoding="utf-8")
