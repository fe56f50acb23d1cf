"""Tables as frames: made by SQL and checked without an asset, and faults planted in them that a check must find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.sql import SqlModel, run_model
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import shipped
from gamestats_assets.tables import ALL

KNOWN = {table.spec.dotted: table for table in ALL}
Frames = Mapping[type[Table], pl.DataFrame]
Planted = dict[type[Table], pl.DataFrame]
"""The tables that a fault changes, in place of the sound ones."""


def changed(table: type[Table], where: pl.Expr | None = None, **values: Any) -> Callable[[Frames], Planted]:
    """Give the first row that `where` holds for other values."""

    def plant(frames: Frames) -> Planted:
        frame = frames[table].sort(table.primary_key()).with_row_index("__row__")
        row = frame.filter(True if where is None else where).get_column("__row__")[0]
        new = [
            pl.when(pl.col("__row__") == row)
            .then(value if isinstance(value, pl.Expr) else pl.lit(value))
            .otherwise(pl.col(name))
            .cast(frame.schema[name])
            .alias(name)
            for name, value in values.items()
        ]
        return {table: frame.with_columns(new).drop("__row__")}

    return plant


def without(table: type[Table], where: pl.Expr | None = None) -> Callable[[Frames], Planted]:
    """Take out the first row that `where` holds for."""

    def plant(frames: Frames) -> Planted:
        frame = frames[table].sort(table.primary_key()).with_row_index("__row__")
        row = frame.filter(True if where is None else where).get_column("__row__")[0]
        return {table: frame.filter(pl.col("__row__") != row).drop("__row__")}

    return plant


def doubled(table: type[Table], where: pl.Expr | None = None, **values: Any) -> Callable[[Frames], Planted]:
    """Add a copy of the first row that `where` holds for, with other values."""

    def plant(frames: Frames) -> Planted:
        frame = frames[table].sort(table.primary_key())
        row = frame.filter(True if where is None else where).head(1)
        new = row.with_columns(pl.lit(value).cast(frame.schema[name]).alias(name) for name, value in values.items())
        return {table: pl.concat([frame, new])}

    return plant


def model(table: type[Table]) -> SqlModel:
    """The SQL model of a table."""
    return SqlModel.load(shipped("sql", table.spec.game, f"{table.spec.name}.sql"), table, KNOWN)


def run_sql(table: type[Table], frames: Frames) -> pl.DataFrame:
    """Rows of a table made by SQL."""
    wanted = model(table)
    return run_model(wanted, {name: frames[KNOWN[name]] for name in wanted.dependencies})


def breaking(check: Check, frames: Frames) -> pl.DataFrame:
    """The rows that break a check."""
    return check.rows(**{name: frames[table].lazy() for name, table in check.inputs.items()}).collect()
