"""Sample tables and rows for tests of PostgreSQL."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.table import Table

DAY, NEXT = date(2026, 3, 14), date(2026, 3, 15)
OLD, NEW = 1, 2
"""Kills of every row: they tell which publication it came from."""


class Results(
    Table,
    key="demo/results",
    layer="gold",
    partitioned_by="day",
    published=True,
    indexes=(("player", "at"),),
    reconciled=("kills", "damage", "prize", "ping"),
):
    """One player's result
    in one match; "quoted" and it's described."""

    match_id = dy.String(primary_key=True, description="Match id.")
    player = dy.String(primary_key=True, description="Player's \\ name, with 'quotes'.")
    day = dy.Date(description="UTC day.")
    at = dy.Datetime(time_unit="us", time_zone="UTC", nullable=True, description="End of the match, UTC.")
    won = dy.Bool(nullable=True, description="Whether the match was won.")
    kills = dy.Int16(nullable=True, description="Kills.")
    damage = dy.Float64(nullable=True, description="Damage, hit points.")
    ping = dy.Float32(nullable=True, description="Ping, ms.")
    prize = dy.Decimal(12, 2, nullable=True, description="Prize, EUR.")
    note = dy.String(nullable=True, description="Free text.")


class Everything(Table, key="demo/everything", layer="gold", published=True, reconciled=("i64",)):
    """A column of every type that can be published."""

    id = dy.String(primary_key=True, description="Id.")
    i8 = dy.Int8(nullable=True, description="8 bits.")
    i16 = dy.Int16(nullable=True, description="16 bits.")
    i32 = dy.Int32(nullable=True, description="32 bits.")
    i64 = dy.Int64(nullable=True, description="64 bits.")
    whole = dy.Integer(nullable=True, description="64 bits by default.")
    f32 = dy.Float32(nullable=True, description="Single.")
    f64 = dy.Float64(nullable=True, description="Double.")
    money = dy.Decimal(20, 4, nullable=True, description="Money.")
    flag = dy.Bool(nullable=True, description="Flag.")
    day = dy.Date(nullable=True, description="Day.")
    at = dy.Datetime(time_unit="us", time_zone="UTC", nullable=True, description="Instant.")
    code = dy.String(nullable=True, regex=r"^[a-z]{4}$", description="Four letters.")
    names = dy.List(dy.String(nullable=True), nullable=True, description="Names.")
    scores = dy.List(dy.Float64(nullable=True), nullable=True, description="Scores.")
    flags = dy.List(dy.Bool(nullable=True), nullable=True, description="Flags.")
    days = dy.List(dy.Date(nullable=True), nullable=True, description="Days.")
    instants = dy.List(
        dy.Datetime(time_unit="us", time_zone="UTC", nullable=True), nullable=True, description="Instants."
    )


def results(day: date, rows: int, *, kills: int = 1, match: str = "m") -> pl.DataFrame:
    """Rows of `Results` of one day."""
    return pl.DataFrame(
        {
            "match_id": [f"{match}-{day}-{row // 100}" for row in range(rows)],
            "player": [f"p{row % 100}" for row in range(rows)],
            "day": [day] * rows,
            "at": [datetime(2026, 3, 14, 12, tzinfo=UTC)] * rows,
            "won": [row % 2 == 0 for row in range(rows)],
            "kills": [kills] * rows,
            "damage": [row * 0.1 for row in range(rows)],
            "ping": [row * 0.7 for row in range(rows)],
            "prize": [Decimal("0.10")] * rows,
            "note": [None] * rows,
        },
        schema=Results.schema(),
    )


def by_id(frame: pl.DataFrame, table: type[Table]) -> pl.DataFrame:
    """The declared columns, in the order of the key."""
    return frame.select(list(table.columns())).sort(table.primary_key())


def declared(
    name: str = "players",
    /,
    *,
    doc: str = "Players.",
    indexes: Any = (),
    months_of: str | None = None,
    partitioned_by: str | None = None,
    guarded_by: tuple[str, ...] = (),
    **columns: Any,
) -> type[Table]:
    """A table of schema `evolving`, declared again as a later version of the code would."""
    base = {"id": dy.String(primary_key=True, description="Id.")}
    body = {"__doc__": doc, **base, **columns}
    keywords: Any = {"layer": "gold", "published": True, "partitioned_by": partitioned_by}
    keywords |= {"indexes": indexes, "months_of": months_of, "guarded_by": guarded_by}
    return type(name, (Table,), body, key=f"evolving/{name}", **keywords)  # pyright: ignore[reportReturnType]


def text(**more: Any) -> Any:
    """A column of texts."""
    return dy.String(**{"nullable": True, "description": "Text.", **more})


def timed(**more: Any) -> Any:
    """A column of times in the key."""
    return dy.Datetime(time_unit="us", time_zone="UTC", primary_key=True, description="Time.", **more)
