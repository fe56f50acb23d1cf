"""Columns of bronze tables as the API writes them: their keys, and the types with which they are decoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

import polars as pl

from gamestats_assets.lakehouse.files.documents import Int16, Int32, Int64
from gamestats_assets.lakehouse.table import Table

_KINDS: Mapping[pl.DataType, Any] = {
    pl.Int16(): Int16,
    pl.Int32(): Int32,
    pl.Int64(): Int64,
    pl.Boolean(): bool,
    pl.String(): str,
    pl.List(pl.Int16()): list[Int16],
}


def api_keys(table: type[Table], without: Iterable[str] = ()) -> dict[str, str]:
    """Column to the API's key, of the columns that are written as they are; `position.x` is `x` in `position`."""
    return {
        name: (column.metadata or {}).get("api", camel_case(name))
        for name, column in table.columns().items()
        if name not in without and column.dtype in _KINDS
    }


def struct_fields(table: type[Table], columns: Iterable[str]) -> list[tuple[str, Any] | tuple[str, Any, Any]]:
    """Fields for `msgspec.defstruct`, named as the columns; those that may be null may be missing."""
    declared = table.columns()
    return [
        (name, Optional[_KINDS[declared[name].dtype]], None)  # noqa: UP045 (what is annotated knows no `|`)
        if declared[name].nullable
        else (name, _KINDS[declared[name].dtype])
        for name in columns
    ]


def camel_case(name: str) -> str:
    """A name in the API's spelling: `total_gold` is `totalGold`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
