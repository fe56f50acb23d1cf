"""Columns of property values: numbers to reckon with, and the JSON text that is written.

A column has one value per row. `json` gives each value as a piece of JSON, ready to be put into a line.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Array = npt.NDArray[Any]

_TABLED_DECIMALS = 4


class Column(Protocol):
    """Values of one property."""

    def json(self) -> pl.Series:
        """Each value as JSON text."""
        ...

    def numbers(self) -> Array:
        """Each value as a number; NaN where it is none."""
        ...

    def take(self, rows: Array) -> Column:
        """Some of the rows."""
        ...


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers, written with a number of decimals at most; 0 writes whole numbers."""

    values: Array
    decimals: int = 0

    def json(self) -> pl.Series:
        """Digits, as short as they are exact."""
        if self.decimals == 0:
            return pl.Series(np.rint(self.values).astype(np.int64)).cast(pl.String)
        if self.decimals > _TABLED_DECIMALS:
            return pl.Series(np.round(self.values, self.decimals)).cast(pl.String)
        return _decimal_texts(np.rint(self.values * 10**self.decimals).astype(np.int64), self.decimals)

    def numbers(self) -> Array:
        """The values, rounded as they are written."""
        return np.round(self.values, self.decimals)

    def take(self, rows: Array) -> Numbers:
        """Some of the rows."""
        return Numbers(self.values[rows], self.decimals)


@dataclass(frozen=True, slots=True)
class Flags:
    """True or false."""

    values: Array

    def json(self) -> pl.Series:
        """`true` or `false`."""
        return pl.Series(["false", "true"]).gather(self.values.astype(np.uint32))

    def numbers(self) -> Array:
        """1 or 0."""
        return self.values.astype(np.float64)

    def take(self, rows: Array) -> Flags:
        """Some of the rows."""
        return Flags(self.values[rows])


@dataclass(frozen=True, slots=True)
class Coded:
    """Few distinct values, each row the number of one.

    Attributes:
        values: the distinct values: texts, numbers, true or false.
    """

    codes: Array
    values: tuple[Any, ...]

    def json(self) -> pl.Series:
        """The values as JSON."""
        return pl.Series([as_json(value) for value in self.values], dtype=pl.String).gather(
            self.codes.astype(np.uint32)
        )

    def numbers(self) -> Array:
        """The values that are numbers."""
        told = [float(v) if isinstance(v, int | float) else np.nan for v in self.values]
        return np.array(told)[self.codes]

    def take(self, rows: Array) -> Coded:
        """Some of the rows."""
        return Coded(self.codes[rows], self.values)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Ready JSON: identifiers, lists, objects.

    Attributes:
        inner: of an object group the columns within, by name, one row per object, `per_row` for each row.
    """

    texts: pl.Series
    inner: Mapping[str, Column] | None = None
    per_row: int = 1

    def json(self) -> pl.Series:
        """The texts themselves."""
        return self.texts

    def numbers(self) -> Array:
        """Not a number."""
        return np.full(len(self.texts), np.nan)

    def take(self, rows: Array) -> Pieces:
        """Some of the rows."""
        within = None
        if self.inner is not None:
            each = (rows[:, None] * self.per_row + np.arange(self.per_row)).ravel()
            within = {name: column.take(each) for name, column in self.inner.items()}
        return Pieces(self.texts.gather(rows), within, self.per_row)


@dataclass(frozen=True, slots=True)
class Times:
    """Moments, in ms since 1970 UTC; written as the wire has them."""

    at_ms: Array

    def json(self) -> pl.Series:
        """`"2026-01-01 00:00:00.000"`."""
        return pl.select(pl.concat_str(pl.lit('"'), pl.lit(time_texts(self.at_ms)), pl.lit('"'))).to_series()

    def numbers(self) -> Array:
        """Seconds since 1970."""
        return self.at_ms / 1000

    def take(self, rows: Array) -> Times:
        """Some of the rows."""
        return Times(self.at_ms[rows])


def as_json(value: object) -> str:
    """One value as JSON; a whole number is written as such.

    >>> as_json(2.0), as_json("Gold"), as_json(True)
    ('2', '"Gold"', 'true')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode()


def merged(parts: Sequence[tuple[Array, Column]], size: int) -> Column:
    """One column of several, each with the rows it fills."""
    if len(parts) == 1 and parts[0][0].size == size:
        return parts[0][1]
    if all(isinstance(column, Numbers) for _, column in parts):
        values = np.zeros(size)
        for rows, column in parts:
            values[rows] = column.values  # type: ignore[attr-defined]
        return Numbers(values, max(column.decimals for _, column in parts))  # type: ignore[attr-defined]
    if all(isinstance(column, Times) for _, column in parts):
        at_ms = np.zeros(size, np.int64)
        for rows, column in parts:
            at_ms[rows] = column.at_ms  # type: ignore[attr-defined]
        return Times(at_ms)
    if all(isinstance(column, Coded) for _, column in parts):
        values_of = tuple(dict.fromkeys(value for _, column in parts for value in column.values))  # type: ignore[attr-defined]
        place = {value: number for number, value in enumerate(values_of)}
        codes = np.zeros(size, np.int64)
        for rows, column in parts:
            codes[rows] = np.array([place[value] for value in column.values], np.int64)[column.codes]  # type: ignore[attr-defined]
        return Coded(codes, values_of)
    order = np.concatenate([rows for rows, _ in parts])
    texts = pl.concat([column.json() for _, column in parts])
    inverse = np.empty(size, np.int64)
    inverse[order] = np.arange(size)
    groups = [column for _, column in parts if isinstance(column, Pieces) and column.inner is not None]
    if len(groups) == len(parts) and len({group.per_row for group in groups}) == 1:
        names = [name for name in groups[0].inner or {} if all(name in (group.inner or {}) for group in groups)]
        per_row = groups[0].per_row
        each = (order[:, None] * per_row + np.arange(per_row)).ravel()
        bounds = np.cumsum([0, *(rows.size * per_row for rows, _ in parts)])
        inner = {
            name: merged(
                [
                    (each[start:stop], (group.inner or {})[name])
                    for start, stop, group in zip(bounds, bounds[1:], groups, strict=False)
                ],
                size * per_row,
            )
            for name in names
        }
        return Pieces(texts.gather(inverse), inner, per_row)
    return Pieces(texts.gather(inverse))


# --------------------------------------------------------------------------- fast texts


def _decimal_texts(scaled: Array, decimals: int) -> pl.Series:
    """Whole numbers of the last decimal as decimal texts, trailing zeros included."""
    sign = pl.Series(["", "-"]).gather((scaled < 0).astype(np.uint32))
    whole, rest = np.divmod(np.abs(scaled), 10**decimals)
    ends = _endings(decimals).gather(rest.astype(np.uint32))
    frame = pl.DataFrame({"sign": sign, "whole": pl.Series(whole).cast(pl.String), "ends": ends})
    return frame.select(pl.concat_str("sign", "whole", "ends")).to_series()


@functools.cache
def _endings(decimals: int) -> pl.Series:
    """`.00` to `.99`, shortened by trailing zeros."""
    texts = [f".{number:0{decimals}d}".rstrip("0").rstrip(".") for number in range(10**decimals)]
    return pl.Series(texts, dtype=pl.String)


@functools.cache
def _seconds() -> pl.Series:
    return pl.Series([f" {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}." for s in range(86_400)], dtype=pl.String)


@functools.cache
def _thousandths() -> pl.Series:
    return pl.Series([f"{ms:03}" for ms in range(1000)], dtype=pl.String)


def time_texts(at_ms: Array) -> pl.Series:
    """Moments in ms since 1970 as `yyyy-MM-dd HH:mm:ss.SSS`.

    >>> time_texts(np.array([1_767_225_600_123])).to_list()
    ['2026-01-01 00:00:00.123']
    """
    second, ms = np.divmod(at_ms, 1000)
    day, second = np.divmod(second, 86_400)
    first = int(day.min()) if day.size else 0
    days = pl.Series(np.arange(first, (int(day.max()) if day.size else 0) + 1)).cast(pl.Int32).cast(pl.Date)
    frame = pl.DataFrame(
        {
            "day": days.dt.to_string("%Y-%m-%d").gather((day - first).astype(np.uint32)),
            "second": _seconds().gather(second.astype(np.uint32)),
            "ms": _thousandths().gather(ms.astype(np.uint32)),
        }
    )
    return frame.select(pl.concat_str("day", "second", "ms")).to_series()


_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)


def hex_texts(*words: Array, dashes: bool = False) -> pl.Series:
    """64-bit words side by side as hexadecimal digits; two of them with dashes are a UUID of version 4.

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
        whole = np.full((count, 36), ord("-"), np.uint8)
        for to, start, stop in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
            whole[:, to : to + stop - start] = digits[:, start:stop]
        digits = whole
    width = digits.shape[1]
    offsets = np.arange(count + 1, dtype=np.int64) * width
    texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(digits)))
    return pl.Series(texts)
