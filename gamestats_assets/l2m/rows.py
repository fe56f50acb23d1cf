"""What several tables of the MMO share: keywords, column types, and the columns that rows begin with."""

from __future__ import annotations

from datetime import date
from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table

DAILY: dict[str, Any] = {"partitioned_by": "ds", "first_day": date(2019, 11, 27)}
"""Whole days since the game's release: a day is replaced by what is made of it now."""
LANDED: dict[str, Any] = {**DAILY, "subject": "logs", "layer": "bronze", "made_by": "logs", "fresh_by_hour": 2}
"""One step reads the files of a day and feeds every bronze table."""
LOG: dict[str, Any] = {**LANDED, "tolerance": 0.05}
"""A log of which more rows are bad is rejected as a whole, and its day stopped."""
SILVER: dict[str, Any] = {**DAILY, "subject": "players", "layer": "silver"}
PUBLISHED: dict[str, Any] = {"layer": "gold", "published": True, "fresh_by_hour": 4}
GOLD: dict[str, Any] = {**DAILY, **PUBLISHED}

FARMER_TYPES = ("PU farmer", "Non-PU farmer", "Normal")
"""Farmers who ever paid, those who never did, and everybody else."""
DIMENSIONS = ("all", "server", "country")
"""What a key figure is of: everybody, the accounts of a server, or those of a country."""
COUNTRY = "Country of the account: the first that any of its logs told, of those that are told apart; else Other."
VIP = "VIP tier by what the account had paid until the end of that day."


def text(description: str, *, nullable: bool = False, primary_key: bool = False) -> dy.String:
    """A column of ids or names, none of them empty."""
    return dy.String(nullable=nullable, primary_key=primary_key, min_length=1, description=description)


def utc(description: str, *, nullable: bool = False) -> dy.Datetime:
    """A column of times in UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, description=description)


def usd(description: str, *, least: int | None = 0) -> dy.Decimal:
    """A column of amounts in US dollars, exact to six decimals."""
    return dy.Decimal(20, 6, min=least, description=description)


def average_usd(description: str) -> dy.Decimal:
    """A column of dollars for one account; null where there is no account."""
    return dy.Decimal(20, 6, min=0, nullable=True, description=description)


def count(description: str, *, nullable: bool = False) -> dy.Int64:
    """A column that counts."""
    return dy.Int64(min=0, nullable=nullable, description=description)


def share(description: str) -> dy.Float64:
    """A column of shares, from 0 to 1; null where there is nothing to have a share of."""
    return dy.Float64(min=0, max=1, nullable=True, description=description)


def one_of(values: tuple[str, ...], description: str, *, primary_key: bool = False) -> dy.String:
    """A column that holds one of a few words."""
    return dy.String(primary_key=primary_key, check=lambda column: column.is_in(values), description=description)


class DayRow(Table):
    """The column of every table by day."""

    ds = dy.Date(primary_key=True, description="UTC day of the logs.")


class AccountDayRow(DayRow):
    """Columns of rows about one account on one server on one day."""

    user_id = text("Account.", primary_key=True)
    server_id = text("Server it played on.", primary_key=True)


class FigureRow(DayRow):
    """Columns of key figures of everybody, of each server, and of each country."""

    dimension = one_of(DIMENSIONS, "What the figures are of: all, server or country.", primary_key=True)
    member = text("Which server or country; 'all' for everybody.", primary_key=True)
