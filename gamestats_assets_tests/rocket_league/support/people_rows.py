"""Rows of people in every published table about people, with as little else in them as the tables take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.tables import ALL

OF_PEOPLE = [
    table for table in ALL if table.spec.published and {"player_id", "match_id", "other_player_id"} & {*table.columns()}
]
"""The published tables that have rows about people."""


def publish_people(url: str, objects: Objects, people: Sequence[tuple[str, str]], text: str = "x") -> None:
    """Publish a row of each player in a match, in every table about people.

    Args:
        text: what stands in all columns of texts.
    """
    for table in OF_PEOPLE:
        column = table.spec.partitioned_by
        rows = [_row(table, number, *person, text) for number, person in enumerate(people, start=1)]
        keys = {tuple(row[name] for name in table.primary_key()): row for row in rows}
        frame = pl.DataFrame([*keys.values()], schema=table.schema())
        parts = frame.get_column(column).unique().to_list() if column else None
        publish(url, table, parts, frame, objects=objects, content_hash=dict.fromkeys(parts or [None], "x"))


def _row(table: type[Table], number: int, player: str, match: str, text: str) -> dict[str, Any]:
    values = {pl.String: text, pl.Int32: number, pl.Int64: number, pl.Float64: 1.0, pl.Float32: 1.0, pl.Boolean: True}
    values |= {pl.Date: date(2026, 3, 14), pl.Datetime: datetime(2026, 3, 14, tzinfo=UTC)}
    values |= {pl.List: [], pl.Binary: text.encode()}

    def value(name: str, column: dy.Column) -> Any:
        if name in (known := {"player_id": player, "match_id": match}):
            return known[name]
        if (column.metadata or {}).get("postgres_type") == "jsonb":
            return "{}"
        return None if column.nullable and column.dtype != pl.String else values.get(type(column.dtype))

    return {name: value(name, column) for name, column in table.columns().items()}
