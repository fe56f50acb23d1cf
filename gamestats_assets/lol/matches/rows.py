"""Keywords, column types and leading columns shared by several League of Legends tables.

`api` is the API's name of a column, where it is not the column's name in camel case.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table

DAILY: dict[str, Any] = {
    "partitioned_by": "match_date",
    "replaced_by": "match_id",
    "fresh_within": timedelta(days=1),
    # Release date of the game.
    "first_day": date(2009, 10, 27),
}
LANDED: dict[str, Any] = {**DAILY, "subject": "timelines", "layer": "bronze", "made_by": "raw"}
"""One step reads a landed file once and feeds every bronze table."""
SILVER: dict[str, Any] = {**DAILY, "subject": "matches", "layer": "silver"}
BY_PATCH: dict[str, Any] = {
    "subject": "statistics",
    "layer": "gold",
    "partitioned_by": "patch",
    "published": True,
    "significant_digits": 10,
}
"""Statistics of a patch are built together."""

MATCH_ID = r"^[A-Z0-9]+_[0-9]+$"


def _api(key: str | None) -> dict[str, str] | None:
    return None if key is None else {"api": key}


def utc(description: str, *, nullable: bool = False, api: str | None = None) -> dy.Datetime:
    """Returns a column of times in UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, description=description, metadata=_api(api))


def text(description: str, *, nullable: bool = True, api: str | None = None) -> dy.String:
    """Returns a column of names or ids as the API writes them."""
    return dy.String(nullable=nullable, description=description, metadata=_api(api))


def count(description: str, *, nullable: bool = True, api: str | None = None) -> dy.Int32:
    """Returns a column of counts or sums of whole numbers."""
    return dy.Int32(nullable=nullable, min=0, description=description, metadata=_api(api))


def number(description: str, *, api: str | None = None) -> dy.Int32:
    """Returns a nullable column of whole numbers that may be negative."""
    return dy.Int32(nullable=True, description=description, metadata=_api(api))


def real(description: str, *, minimum: float | None = None) -> dy.Float64:
    """Returns a nullable column of measured or computed numbers."""
    return dy.Float64(nullable=True, min=minimum, description=description)


def share(description: str) -> dy.Float64:
    """Returns a nullable column of shares, from 0 to 1."""
    return dy.Float64(nullable=True, min=0, max=1, description=description)


def seconds(description: str, *, nullable: bool = False) -> dy.Float64:
    """Returns a column of times since the game began, or of lengths."""
    return dy.Float64(nullable=nullable, min=0, description=f"{description} In seconds.")


def flag(description: str, *, api: str | None = None) -> dy.Bool:
    """Returns a column of booleans."""
    return dy.Bool(nullable=True, description=description, metadata=_api(api))


class MatchRow(Table):
    """Columns of every table whose rows belong to one match."""

    match_id = dy.String(primary_key=True, regex=MATCH_ID, description="Match id, such as NA1_4736000000.")
    match_date = dy.Date(description="UTC day under which the match is filed; never changes.")


class ParticipantRow(MatchRow):
    """Columns of rows about one participant of a match."""

    participant_id = dy.Int16(
        primary_key=True, min=1, description="Number of the participant within the match, from 1."
    )
