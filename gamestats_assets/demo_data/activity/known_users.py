"""Who a record is of, as the events of its day and of the days around it tell.

An account is who it says it is. A record without one is of the account that its distinct_id was first seen with in
the events of its own day, the day before and the day after, or of nobody but the distinct_id. A record so is of the
same user whatever is made of it, and whether one day is made or many at once.

A login that comes later than that does not reach it: days that were made would change with every login. Tables of
all history (`identities`, and what is resolved by them) know it.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

IDS = ("account_id", "distinct_id")
_ONE_DAY = timedelta(days=1)
_SHIFTS = (-_ONE_DAY, timedelta(0), _ONE_DAY)


def resolved(records: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """Records with `user_id` and `is_anonymous`, as the events of the three days around their own tell.

    Args:
        records: with `product`, `day` and `IDS`.
        events: those of the days around.
    """
    return (
        records.join(_bindings(events), on=["product", "day", "distinct_id"], how="left")
        .with_columns(
            user_id=pl.coalesce("account_id", "bound_account", "distinct_id"),
            is_anonymous=pl.col("account_id").is_null() & pl.col("bound_account").is_null(),
        )
        .drop("bound_account")
    )


def in_product_days(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with `product_day`, from their `product` and `day`."""
    return rows.with_columns(
        product_day=pl.concat_str(pl.col("day").dt.to_string("%Y-%m-%d"), pl.col("product"), separator="|")
    )


def place() -> pl.Expr:
    """Country of an event, by code rather than by name."""
    return pl.coalesce("country_code", "country")


def _bindings(events: pl.LazyFrame) -> pl.LazyFrame:
    """By product, day and distinct_id, the first account of the three days around."""
    together = (
        events.filter(pl.col("account_id").is_not_null() & pl.col("distinct_id").is_not_null())
        .group_by("product", "day", *IDS)
        .agg(pl.col("occurred_at").min())
    )
    return (
        pl.concat([together.with_columns(pl.col("day") + shift) for shift in _SHIFTS])
        .sort("occurred_at", "account_id")
        .group_by("product", "day", "distinct_id")
        .agg(pl.col("account_id").first().alias("bound_account"))
    )
