"""Keywords, column types and leading columns of match rows shared by several PUBG tables."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table

DAILY: dict[str, Any] = {
    "partitioned_by": "match_date",
    "replaced_by": "match_id",
    "fresh_within": timedelta(days=1),
    # Start of early access.
    "first_day": date(2017, 3, 23),
}
SILVER: dict[str, Any] = {**DAILY, "layer": "silver"}
GOLD: dict[str, Any] = {**DAILY, "layer": "gold", "published": True}
# One step reads a landed file once and feeds every bronze table.
LANDED: dict[str, Any] = {**DAILY, "layer": "bronze", "made_by": "raw"}
# Snapshots of entered data.
ENTERED: dict[str, Any] = {"layer": "bronze", "subject": "entered", "made_by": "ops"}
MATCH_ID = r"^[A-Za-z0-9_-]+$"


def utc(description: str, *, nullable: bool = False) -> dy.Datetime:
    """Returns a column of times in UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, description=description)


def entered_id(of: str, *, primary_key: bool = False, nullable: bool = False) -> dy.Int64:
    """Returns a column of ids that PostgreSQL assigned to entered data."""
    return dy.Int64(primary_key=primary_key, nullable=nullable, description=f"Id of the {of}, assigned by PostgreSQL.")


_PLACES = {"x": "x", "y": "y", "z": "height"}
_BOT_OR_NOT = {
    "type": lambda noun, nullable: dy.String(nullable=True, description="user or user_ai."),
    "is_bot": lambda noun, nullable: dy.Bool(nullable=nullable, description=f"Whether the {noun} is a bot."),
}


def person(
    role: str, who: str, *further: str, nullable: bool = True, noun: str = "", unit: str = "m"
) -> dict[str, dy.Column]:
    """Returns the columns of a person in an event, such as the victim: account, name, team, and optional further ones.

    Add them in the body of a table with `vars().update(...)`.

    Args:
        role: prefix of the columns, such as `victim`.
        who: description of the account.
        further: `type` or `is_bot`, and `x`, `y` and `z` for the place.
        nullable: whether the person may be missing.
        noun: word for the person in descriptions; the role if empty.
        unit: unit of places, `m` or `cm`.
    """
    noun = noun or role
    columns: dict[str, dy.Column] = {
        f"{role}_account_id": dy.String(nullable=nullable, description=who),
        f"{role}_name": dy.String(nullable=True, description=f"Name of the {noun}."),
        f"{role}_team_id": dy.Int32(nullable=True, description=f"Team of the {noun}."),
    }
    for name in further:
        if name in _PLACES:
            description = f"Place of the {noun}, {_PLACES[name]}."
            columns[f"{role}_{name}_{unit}"] = dy.Float64(nullable=True, description=description)
        else:
            columns[f"{role}_{name}"] = _BOT_OR_NOT[name](noun, nullable)
    return columns


class MatchRow(Table):
    """Columns of every table whose rows belong to one match."""

    match_id = dy.String(primary_key=True, regex=MATCH_ID, description="Match id given by the API.")
    match_date = dy.Date(description="UTC day under which the match is filed; never changes.")


class TelemetryEvent(MatchRow):
    """Columns of every row for one telemetry event."""

    event_index = dy.Int32(primary_key=True, min=0, description="Position of the event in its file, from 0.")
    occurred_at = utc("The event's own time (_D).")
    phase = dy.Float64(
        nullable=True,
        description="common.isGame rounded to one digit: 0 lobby, 0.1 plane, 1 first zone, 1.5 first shrink, ...",
    )
