"""Keywords, column types and leading columns that several tables of the MMO share."""

from __future__ import annotations

from datetime import date
from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table

DAILY: dict[str, Any] = {"partitioned_by": "ds", "first_day": date(2019, 11, 27)}
"""Whole days since the game's release: a day is replaced when it is made again."""
LANDED: dict[str, Any] = {**DAILY, "subject": "logs", "layer": "bronze", "made_by": "logs", "fresh_by_hour": 2}
"""One step reads the files of a day and feeds every bronze table."""
LOG: dict[str, Any] = {**LANDED, "tolerance": 0.05}
"""A log with a larger share of bad rows is rejected as a whole, and its day stopped."""
SILVER: dict[str, Any] = {**DAILY, "subject": "players", "layer": "silver"}
PUBLISHED: dict[str, Any] = {"layer": "gold", "published": True, "fresh_by_hour": 4}
GOLD: dict[str, Any] = {**DAILY, **PUBLISHED}

FARMER_TYPES = ("PU farmer", "Non-PU farmer", "Normal")
"""Farmers who ever paid, farmers who never did, and all others."""
DIMENSIONS = ("all", "server", "country")
"""Subjects of key figures: all accounts, the accounts of a server, or those of a country."""
COUNTRY = "Country of the account: the first in its logs, if it is listed in countries; else Other."
VIP = "VIP tier by lifetime payments until the end of that day."


def text(description: str, *, nullable: bool = False, primary_key: bool = False) -> dy.String:
    """Returns a column of ids or names that are not empty."""
    return dy.String(nullable=nullable, primary_key=primary_key, min_length=1, description=description)


def utc(description: str, *, nullable: bool = False) -> dy.Datetime:
    """Returns a column of times in UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, description=description)


def usd(description: str, *, least: int | None = 0) -> dy.Decimal:
    """Returns a column of amounts in US dollars, exact to six decimals."""
    return dy.Decimal(20, 6, min=least, description=description)


def average_usd(description: str) -> dy.Decimal:
    """Returns a column of dollars per account; null without accounts."""
    return dy.Decimal(20, 6, min=0, nullable=True, description=description)


def count(description: str, *, nullable: bool = False) -> dy.Int64:
    """Returns a column of counts."""
    return dy.Int64(min=0, nullable=nullable, description=description)


def share(description: str) -> dy.Float64:
    """Returns a column of shares, from 0 to 1; null if there is no total."""
    return dy.Float64(min=0, max=1, nullable=True, description=description)


def one_of(values: tuple[str, ...], description: str, *, primary_key: bool = False) -> dy.String:
    """Returns a column with one of a few words."""
    return dy.String(primary_key=primary_key, check=lambda column: column.is_in(values), description=description)


class DayRow(Table):
    """Column of every table by day."""

    ds = dy.Date(primary_key=True, description="UTC day of the logs.")


class AccountDayRow(DayRow):
    """Columns of rows about one account on one server on one day."""

    user_id = text("Account.", primary_key=True)
    server_id = text("Server of the account.", primary_key=True)


class FigureRow(DayRow):
    """Columns of key figures in all, by server, and by country."""

    dimension = one_of(DIMENSIONS, "Subject of the figures: all, server or country.", primary_key=True)
    member = text("Server or country; 'all' for all accounts.", primary_key=True)
