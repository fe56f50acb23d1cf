"""Small facts that no log has: VIP tiers, countries, key items, kinds of money, currencies.

They are CSV files under `data/reference/l2m`, so that a studio's own items or tiers take lines and no code. All but the
currencies are tables of the lake as well, because SQL models join them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import polars as pl

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import shipped


@functools.cache
def currencies() -> tuple[str, ...]:
    """Returns the currencies of payments."""
    return tuple(pl.read_csv(_path("currencies")).get_column("currency"))


def text_of(table: type[Table]) -> str:
    """Returns the file of a table; a change of it makes the table again."""
    return _path(table.spec.name).read_text(encoding="utf-8")


def reader(table: type[Table]) -> Callable[[], pl.LazyFrame]:
    """Returns a function that reads the file of a table."""

    def rows() -> pl.LazyFrame:
        return table.cast(pl.read_csv(_path(table.spec.name), infer_schema=False).lazy())

    return rows


def _path(name: str) -> Path:
    return shipped("data", "reference", "l2m", f"{name}.csv")
