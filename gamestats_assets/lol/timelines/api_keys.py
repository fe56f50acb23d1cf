"""Columns of bronze tables in the API's spelling: their keys, and the types to decode them."""

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
    """Returns the API's key of each column that is copied as it is; `position.x` is `x` in `position`."""
    return {
        name: (column.metadata or {}).get("api", camel_case(name))
        for name, column in table.columns().items()
        if name not in without and column.dtype in _KINDS
    }


def struct_fields(table: type[Table], columns: Iterable[str]) -> list[tuple[str, Any] | tuple[str, Any, Any]]:
    """Returns fields for `msgspec.defstruct`, named like the columns; nullable ones may be missing."""
    declared = table.columns()
    return [
        (name, Optional[_KINDS[declared[name].dtype]], None)  # noqa: UP045 (what is annotated knows no `|`)
        if declared[name].nullable
        else (name, _KINDS[declared[name].dtype])
        for name in columns
    ]


def camel_case(name: str) -> str:
    """Returns a name in the API's spelling: `total_gold` becomes `totalGold`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
