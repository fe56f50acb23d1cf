"""Tables as frames: made by SQL and checked without an asset, compared, and with faults that a check must find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.models.sql import SqlModel, run_model
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import shipped
from gamestats_assets.tables import tables_of

KNOWN = {table.spec.dotted: table for table in tables_of()}
Frames = Mapping[type[Table], pl.DataFrame]
Planted = dict[type[Table], pl.DataFrame]
"""The tables that a fault changes, in place of the sound ones."""


def rows_of(
    table: type[Table],
    given: Iterable[Mapping[str, Any]],
    named: Mapping[str, Any] | None = None,
    typed: Mapping[Any, Any] | None = None,
    other: Any = 0,
) -> pl.DataFrame:
    """Rows of a table by hand.

    Args:
        table: the table.
        given: what each row says.
        named: values of columns that a row does not give; where there is none, a column that may be null is.
        typed: values of other columns by the class of their type, besides empty texts and lists, and False.
        other: value of the rest.
    """
    by_type = {pl.String: "", pl.List: [], pl.Boolean: False} | dict(typed or {})
    usual = {
        name: None if column.nullable else by_type.get(type(column.dtype), other)
        for name, column in table.columns().items()
    } | {name: value for name, value in (named or {}).items() if name in table.columns()}
    return pl.DataFrame([{name: row.get(name, usual[name]) for name in usual} for row in given], schema=table.schema())


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
    """The SQL model of a table; it may bind the day `ds`."""
    return SqlModel.load(shipped("sql", table.spec.game, f"{table.spec.name}.sql"), table, KNOWN, ["ds"])


def run_sql(table: type[Table], frames: Frames) -> pl.DataFrame:
    """Rows of a table made by SQL."""
    wanted = model(table)
    return run_model(wanted, {name: frames[KNOWN[name]] for name in wanted.reads})


def run_without_rows(model: SqlModel) -> None:
    """Let the engine read a model over empty tables, so that an error of its text or types shows without data."""
    empty = {name: pl.DataFrame(schema=table.schema()) for name, table in model.reads.items()}
    run_model(model, empty, dict.fromkeys(model.parameters))


def breaking(check: Check, frames: Frames) -> pl.DataFrame:
    """The rows that break a check."""
    return check.rows(**{name: frames[table].lazy() for name, table in check.inputs.items()}).collect()


RELATIVE = 1e-9
"""How far apart two floats may be, of the larger one, and still be the same."""


def differences(left: pl.DataFrame, right: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Where two frames of the same columns and types differ, row by row; no rows when they are the same.

    Floats are the same within `RELATIVE`, everything else only exactly; nulls are the same, and so are NaNs.

    Returns:
        The columns of the key; `column` that differs, `(rows)` where a key does not have one row on either side;
        `left` and `right`, its values (or the number of rows) as text.

    Raises:
        ValueError: when the frames have other columns or types.
    """
    if left.schema != right.schema:
        raise ValueError(f"Two frames of one schema are expected; found {left.schema} and {right.schema}.")
    counts = left.group_by(key).len("left").join(right.group_by(key).len("right"), on=key, how="full", **_SAME_KEY)
    counts = counts.with_columns(pl.col("left", "right").fill_null(0))
    single = pl.col("left", "right") == 1
    found = [_differing(counts.filter(~pl.all_horizontal(single)), key, "(rows)", "left", "right")]
    paired = counts.filter(pl.all_horizontal(single)).select(key)
    for side, frame in (("left", left), ("right", right)):
        paired = paired.join(frame.select(key).with_row_index(side), on=key, how="left", **_SAME_KEY)
    for name, dtype in left.schema.items():
        if name not in key:
            values = paired.with_columns(
                left=left[name].gather(paired["left"]), right=right[name].gather(paired["right"])
            )
            same = pl.col("left").eq_missing(pl.col("right"))
            if dtype.is_float():
                larger = pl.max_horizontal(pl.col("left").abs(), pl.col("right").abs())
                near = (pl.col("left") - pl.col("right")).abs() <= RELATIVE * larger
                same |= near.fill_null(False) & larger.is_finite()
            found.append(_differing(values.filter(~same), key, name, "left", "right"))
    return pl.concat(found)


_SAME_KEY: dict[str, Any] = {"nulls_equal": True, "coalesce": True}


def _differing(rows: pl.DataFrame, key: Sequence[str], column: str, *sides: str) -> pl.DataFrame:
    texts = [pl.Series(side, [str(value) for value in rows[side]], pl.String) for side in sides]
    return rows.select(*key, pl.lit(column).alias("column")).with_columns(texts)
