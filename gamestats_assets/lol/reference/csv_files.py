"""Small facts that no file of a match holds: queues and what they count for, and highest ranks of skills.

The lists are CSV files under `data/reference/lol`, one line per id, so that a new id is a line and no code. They are
read when first asked for.
"""

from __future__ import annotations

import functools

import polars as pl

from gamestats_assets.settings import shipped

USUAL_MAX_RANKS: tuple[int, ...] = (5, 5, 5, 3)
"""Highest ranks of Q, W, E and R of nearly every champion."""


@functools.cache
def queues() -> pl.DataFrame:
    """Columns `queue_id`, `queue_name`, `queue_group`, `has_positions`, `in_statistics`.

    `has_positions` is null where the matches themselves tell it.
    """
    schema = {
        "queue_id": pl.Int32,
        "queue_name": pl.String,
        "queue_group": pl.String,
        "has_positions": pl.Boolean,
        "in_statistics": pl.Boolean,
    }
    return _read("queues.csv", schema)


@functools.cache
def max_ranks() -> pl.DataFrame:
    """Columns `champion_id`, `max_ranks` (of Q, W, E and R): champions that differ from `USUAL_MAX_RANKS`."""
    slots = dict.fromkeys("qwer", pl.Int32)
    listed = _read("max_ranks.csv", {"champion_id": pl.Int32, "champion_key": pl.String, **slots})
    return listed.select("champion_id", max_ranks=pl.concat_list(list(slots)))


def _read(name: str, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.read_csv(shipped("data", "reference", "lol", name), schema=schema)


def text_of_queues() -> str:
    """The file of queues; a change of it makes what is made of it anew."""
    return shipped("data", "reference", "lol", "queues.csv").read_text(encoding="utf-8")
