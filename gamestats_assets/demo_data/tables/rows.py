"""Keywords, column types and leading columns that several tables of event logs share."""

from __future__ import annotations

from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.rules.configuration import PRODUCT_NAME
from gamestats_assets.lakehouse.table import Table

PRODUCT = f"^{PRODUCT_NAME.pattern}$"

# Dagster's UI walks through every day of every name: ten years of them take seconds.
BY_DAY: dict[str, Any] = {"partitioned_by": "product_day", "replaced_by": "product", "first_day": date(2024, 1, 1)}
# One step reads a landed file once and feeds every bronze table.
LANDED: dict[str, Any] = {**BY_DAY, "subject": "logs", "layer": "bronze", "made_by": "logs", "after_day_before": True}
BY_PRODUCT: dict[str, Any] = {"partitioned_by": "product"}
PUBLISHED: dict[str, Any] = {**BY_PRODUCT, "subject": "metrics", "layer": "gold", "published": True}

Money = pl.Decimal(20, 4)
"""Amounts in major units of their currency; the largest number of the wire format fits."""


def utc(description: str, *, nullable: bool = False) -> dy.Datetime:
    """Returns a column of times in UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, description=description)


def money(description: str, *, nullable: bool = False, digits: int = 20) -> dy.Decimal:
    """Returns a column of amounts, in major units of their currency."""
    return dy.Decimal(digits, 4, nullable=nullable, description=description)


def count(description: str, *, least: int = 0) -> dy.Int64:
    """Returns a column of counts."""
    return dy.Int64(min=least, description=description)


def share(description: str, *, nullable: bool = False) -> dy.Float64:
    """Returns a column of shares, from 0 to 1."""
    return dy.Float64(nullable=nullable, min=0, max=1, description=description)


def nullable_text(description: str) -> dy.String:
    """Returns a column of texts that may be missing."""
    return dy.String(nullable=True, description=description)


class ProductRow(Table):
    """Column of every table with one partition per product."""

    product = dy.String(primary_key=True, regex=PRODUCT, description="Product of the logs.")


class ProductDayRow(Table):
    """Columns of every table with one partition per day and product."""

    product_day = dy.String(primary_key=True, description="Day and product, such as 2026-01-01|shop.")
    product = dy.String(regex=PRODUCT, description="Product of the logs.")
    day = dy.Date(description="UTC day of the record's own time.")

    @dy.rule()
    def product_day_is_day_and_product(cls):
        return cls.product_day.col == cls.day.col.dt.to_string("%Y-%m-%d") + "|" + cls.product.col


class UserRow(ProductDayRow):
    """Columns of rows about one user on one day."""

    user_id = dy.String(
        min_length=1,
        description="Account of the record, or else the first one bound to its distinct_id by events of the day, the "
        "day before or the day after; else the distinct_id. Logins on other days count only in tables resolved by "
        "identities: active_days, revenue and user_profiles.",
    )
    is_anonymous = dy.Bool(description="Whether user_id is a distinct_id, without a known account.")
