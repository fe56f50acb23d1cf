"""Small facts that no file of a match holds: queues and what they count for, and highest ranks of skills.

The lists are CSV files under `data/reference/lol`, one line per id, so that a new id is a line and no code.
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
    """Every queue that is known; `has_positions` is null where the matches themselves tell it."""
    return Queues.cast(pl.read_csv(shipped(*QUEUES)).lazy())


@functools.cache
def max_ranks() -> pl.DataFrame:
    """Columns `champion_id`, `max_ranks` (of Q, W, E and R): champions that differ from `USUAL_MAX_RANKS`."""
    listed = pl.read_csv(shipped("data", "reference", "lol", "max_ranks.csv"))
    return listed.select(
        pl.col("champion_id").cast(pl.Int32), max_ranks=pl.concat_list(pl.col("q", "w", "e", "r").cast(pl.Int32))
    )


def queues_text() -> str:
    """The file of queues, whose every change makes the table again."""
    return shipped(*QUEUES).read_text(encoding="utf-8")
