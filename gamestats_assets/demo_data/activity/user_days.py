"""What each user did on each day."""

from __future__ import annotations

import typing

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.activity.known_users import IDS, in_product_days, place, resolved
from gamestats_assets.demo_data.tables import Events, Payments, Sessions, UserDays, UserOperations
from gamestats_assets.lakehouse.sums import exact_sum

_USER = ("product", "day", "user_id")


def user_days(
    events: dy.LazyFrame[Events],
    operations: dy.LazyFrame[UserOperations],
    sessions: dy.LazyFrame[Sessions],
    payments: dy.LazyFrame[Payments],
) -> dy.LazyFrame[UserDays]:
    """One row per user and day with an event."""
    needed = events.select(
        "product", "day", "event_id", "occurred_at", "event_type", *IDS, place().alias("country"), "os", "app_version"
    )
    done = (
        resolved(needed, events)
        .sort(*_USER, "occurred_at", "event_id")
        .group_by(_USER)
        .agg(
            pl.col("is_anonymous").all(),
            pl.len().alias("events"),
            pl.col("occurred_at").min().alias("first_at"),
            pl.col("occurred_at").max().alias("last_at"),
            *(pl.col(name).drop_nulls().first() for name in ("country", "os", "app_version")),
            (pl.col("event_type") == "track_first").any().alias("has_first_event"),
        )
    )
    started = sessions.group_by(_USER).agg(
        pl.len().alias("sessions"), exact_sum(pl.col("duration_s")).alias("session_s")
    )
    one_currency = pl.col("currency").n_unique() == 1
    paid = payments.group_by(_USER).agg(
        pl.len().alias("payments"),
        pl.when(one_currency).then(pl.col("amount").sum()).alias("revenue"),
        pl.when(one_currency).then(pl.col("currency").first()).alias("currency"),
    )
    set_once = (
        resolved(operations.filter(pl.col("operation") == "user_setOnce").select("product", "day", *IDS), events)
        .select(_USER)
        .unique()
        .with_columns(has_set_once=pl.lit(True))
    )
    result = done
    for part in (started, paid, set_once):
        result = result.join(part, on=_USER, how="left")
    without_payment = pl.col("payments").is_null()
    result = in_product_days(
        result.with_columns(
            pl.col("sessions", "session_s").fill_null(0),
            revenue=pl.when(without_payment).then(pl.lit(0)).otherwise("revenue"),
            payments=pl.col("payments").fill_null(0),
            is_new_hint=pl.col("has_first_event") | pl.col("has_set_once").fill_null(False),
        )
    ).select(pl.col(name).cast(dtype) for name, dtype in UserDays.schema().items())
    return typing.cast("dy.LazyFrame[UserDays]", result)
