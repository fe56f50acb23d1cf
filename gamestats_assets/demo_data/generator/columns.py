"""Columns of property values: Polars series, numbers to calculate with, and the JSON that is written.

Numbers are whole or rounded decimals, moments are `Datetime`, objects are structs, and object groups lists of structs;
unknown values are null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from gamestats_assets.demo_data.taxonomies.model import PropertyType

Array = npt.NDArray[Any]
MOMENT = pl.Datetime("ms")

_TRUE = ("y", "yes", "true", "1", "예")


@dataclass(frozen=True, slots=True)
class Coded:
    """A fact about users with few distinct values, stored as a code per row."""

    codes: Array
    values: tuple[Any, ...]

    def at(self, rows: Array | slice = slice(None)) -> pl.Series:
        """Returns the values of these rows, by default all."""
        return pl.Series(self.values, dtype=pl.String).gather(self.codes[rows])


def as_json(value: object) -> str:
    """Returns a value as JSON; whole numbers have no decimals.

    >>> as_json(2.0), as_json("Gold"), as_json(True)
    ('2', '"Gold"', 'true')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode()


def typed(values: Sequence[Any], type_: PropertyType) -> pl.Series:
    """Returns values of rules or of a sheet as a property of a type has them."""
    if type_ is PropertyType.BOOLEAN:
        flags = [value.strip().lower() in _TRUE if isinstance(value, str) else bool(value) for value in values]
        return pl.Series(flags, dtype=pl.Boolean)
    if type_ is PropertyType.NUMBER and all(isinstance(value, int | float) for value in values):
        whole = all(float(value).is_integer() for value in values)
        return pl.Series(values, dtype=pl.Float64, strict=False).cast(pl.Int64 if whole else pl.Float64)
    texts = [as_json(value) if isinstance(value, float) else str(value) for value in values]
    return pl.Series(texts, dtype=pl.String)


def constant(value: Any, type_: PropertyType, size: int) -> pl.Series:
    """Returns one value repeated; an empty list for lists."""
    if type_ is PropertyType.LIST and not isinstance(value, str):
        return pl.Series([value or []], dtype=pl.List(pl.String)).gather(np.zeros(size, np.uint32))
    return typed([value], type_).gather(np.zeros(size, np.uint32))


def rounded(values: Array, decimals: int = 0) -> pl.Series:
    """Returns numbers rounded to so many decimals; 0 gives whole numbers."""
    if decimals == 0:
        return pl.Series(np.rint(values).astype(np.int64))
    return pl.Series(np.round(values, decimals) + 0.0)


def moments(at_ms: Array) -> pl.Series:
    """Returns moments from ms since 1970 UTC."""
    return pl.Series(at_ms.astype(np.int64)).cast(MOMENT)


def numbers(column: pl.Series) -> Array:
    """Returns values as numbers: true as 1, a moment as seconds since 1970, NaN for other values."""
    if column.dtype == MOMENT:
        return column.cast(pl.Int64).cast(pl.Float64).fill_null(np.nan).to_numpy() / 1000
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        return np.full(column.len(), np.nan)
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def scattered(parts: Sequence[tuple[Array, pl.Series]], size: int) -> pl.Series:
    """Returns one column from several, each with the rows that it fills."""
    if len(parts) == 1 and parts[0][0].size == size:
        return parts[0][1]
    inverse = np.empty(size, np.int64)
    inverse[np.concatenate([rows for rows, _ in parts])] = np.arange(size)
    kinds = {column.dtype for _, column in parts}
    columns = [column for _, column in parts]
    if len(kinds) > 1:
        numeric = all(kind.is_numeric() for kind in kinds)
        columns = [column.cast(pl.Float64 if numeric else pl.String) for column in columns]
    return pl.concat(columns).gather(inverse)


def lists(which: Array, items: pl.Series, size: int) -> pl.Series:
    """Returns for each of so many rows its items as a list.

    Args:
        which: row of each item, rising.
    """
    found = pl.DataFrame({"row": which, "item": items}).group_by("row", maintain_order=True).agg("item")
    every = pl.DataFrame({"row": np.arange(size)}).join(found, on="row", how="left", maintain_order="left")
    return every.get_column("item").fill_null(pl.Series([[]], dtype=pl.List(items.dtype)))


def objects(inner: Mapping[str, pl.Series], size: int) -> pl.Series:
    """Returns columns side by side as objects."""
    if not inner:
        return pl.Series([{}] * size, dtype=pl.Struct([]))
    return pl.DataFrame({name: as_written(column) for name, column in inner.items()}).to_struct("objects")


def as_written(column: pl.Series) -> pl.Series:
    """Returns a column as it is in records: moments as texts."""
    return column.dt.to_string("%Y-%m-%d %H:%M:%S%.3f") if column.dtype == MOMENT else column


def texts(column: pl.Series) -> pl.Series:
    """Returns values as plain texts; whole numbers without decimals, whatever their column has."""
    if column.dtype == pl.Float64:
        return column.fill_nan(None).cast(pl.String).str.strip_suffix(".0")
    if column.dtype.is_nested():
        return in_object({"": column})
    return as_written(column).cast(pl.String)


def in_object(columns: Mapping[str, pl.Series]) -> pl.Series:
    """Returns columns side by side as the inside of JSON objects, without braces."""
    decimals = {name: column for name, column in columns.items() if column.dtype == pl.Float64}
    rest = {name: as_written(column) for name, column in columns.items() if name not in decimals}
    parts: list[pl.Expr] = []
    if rest:
        frame = pl.DataFrame(rest)
        encoded = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        parts.append(pl.lit(encoded.str.slice(1).str.strip_suffix("}")))
    for name, column in decimals.items():
        parts.append(pl.concat_str(pl.lit(f"{as_json(name)}:"), pl.lit(texts(column).fill_null("null"))))
    return pl.select(pl.concat_str(parts, separator=",")).to_series()


_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)


def hex_texts(*words: Array, dashes: bool = False) -> pl.Series:
    """Returns 64-bit words side by side as hexadecimal digits; two words with dashes make a UUID of version 4.

    >>> hex_texts(np.array([0xAB], np.uint64)).to_list()
    ['00000000000000ab']
    >>> hex_texts(np.zeros(0, np.uint64), np.zeros(0, np.uint64), dashes=True).len()
    0
    """
    count = words[0].size
    raw = np.stack(words, axis=1).astype(">u8").view(np.uint8).reshape(count, 8 * len(words))
    if dashes:
        raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
        raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    digits = np.ascontiguousarray(_HEX[raw]).view(np.uint8).reshape(count, 16 * len(words))
    if dashes:
        digits = np.insert(digits, (8, 12, 16, 20), ord("-"), axis=1)
    width = digits.shape[1]
    offsets = np.arange(count + 1, dtype=np.int64) * width
    texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(digits)))
    return pl.Series(texts)
