"""What several tables of event logs share: keywords, column types, and the columns that rows begin with."""

from __future__ import annotations

from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.rules.configuration import PRODUCT_NAME
from gamestats_assets.lakehouse.table import Table

PRODUCT = f"^{PRODUCT_NAME.pattern}$"

# Dagster's UI looks at every day of every name: with those of ten years a look takes seconds.
BY_DAY: dict[str, Any] = {"partitioned_by": "product_day", "replaced_by": "product", "first_day": date(2024, 1, 1)}
# One step reads a landed file once and feeds every bronze table.
LANDED: dict[str, Any] = {**BY_DAY, "subject": "logs", "layer": "bronze", "made_by": "logs", "after_day_before": True}
BY_PRODUCT: dict[str, Any] = {"partitioned_by": "product"}
PUBLISHED: dict[str, Any] = {**BY_PRODUCT, "subject": "metrics", "layer": "gold", "published": True}

Money = pl.Decimal(20, 4)
"""Amounts, in major units of their currency; the largest number of the wire format fits."""


def utc(description: str, *, nullable: bool = False) -> dy.Datetime:
    """A column of times in UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable, description=description)


def money(description: str, *, nullable: bool = False, digits: int = 20) -> dy.Decimal:
    """A column of amounts, in major units of their currency."""
    return dy.Decimal(digits, 4, nullable=nullable, description=description)


def count(description: str, *, least: int = 0) -> dy.Int64:
    """A column that counts."""
    return dy.Int64(min=least, description=description)


def share(description: str, *, nullable: bool = False) -> dy.Float64:
    """A column of shares, from 0 to 1."""
    return dy.Float64(nullable=nullable, min=0, max=1, description=description)


def nullable_text(description: str) -> dy.String:
    """A text that a record may lack."""
    return dy.String(nullable=True, description=description)


class ProductRow(Table):
    """The column of every table whose partition is a product."""

    product = dy.String(primary_key=True, regex=PRODUCT, description="Product whose logs these are.")


class ProductDayRow(Table):
    """Columns of every table whose partition is one day of one product."""

    product_day = dy.String(primary_key=True, description="Day and product, as 2026-01-01|shop.")
    product = dy.String(regex=PRODUCT, description="Product whose logs these are.")
    day = dy.Date(description="UTC day of the record's own time.")

    @dy.rule()
    def product_day_is_day_and_product(cls):
        return cls.product_day.col == cls.day.col.dt.to_string("%Y-%m-%d") + "|" + cls.product.col


class UserRow(ProductDayRow):
    """Columns of rows about one user on one day."""

    user_id = dy.String(
        min_length=1,
        description="Account, where a record tells it, or where events of the day, of the day before or of the day "
        "after bind the distinct_id to one; else the distinct_id. A login further away does not reach it: active_days, "
        "revenue and user_profiles know all of them, by identities.",
    )
    is_anonymous = dy.Bool(description="Whether user_id is a distinct_id, because no account was known.")
