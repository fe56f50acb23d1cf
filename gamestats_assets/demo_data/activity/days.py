"""What users did on a day: sessions, payments and their sums; and the user of each record.

A record with an account belongs to that account. A record without one belongs to the first account that is seen with
its distinct_id in the events of its own day, the day before and the day after; without any, to the distinct_id. So
every table assigns a record to the same user, whether one day is made or many at once.

A login outside these days does not reach the record: otherwise every login would change days that are already made.
Tables of all history (`identities`, and tables resolved by it) include it.
"""

from __future__ import annotations

import typing
from datetime import timedelta

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.tables import Events, Money, Payments, Products, Sessions, UserDays, UserOperations
from gamestats_assets.lakehouse.sums import exact_sum

# --------------------------------------------------------------------------- users of records

IDS = ("account_id", "distinct_id")
_ONE_DAY = timedelta(days=1)
_SHIFTS = (-_ONE_DAY, timedelta(0), _ONE_DAY)


def resolved(records: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """Returns records with `user_id` and `is_anonymous`, resolved by the events of the three days around each.

    Args:
        records: with `product`, `day` and `IDS`.
        events: events of the days around.
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
    """Returns rows with `product_day`, from their `product` and `day`."""
    return rows.with_columns(
        product_day=pl.concat_str(pl.col("day").dt.to_string("%Y-%m-%d"), pl.col("product"), separator="|")
    )


def place() -> pl.Expr:
    """Country of an event: its code, else its name."""
    return pl.coalesce("country_code", "country")


def _bindings(events: pl.LazyFrame) -> pl.LazyFrame:
    """Returns by product, day and distinct_id the first account of the three days around."""
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


# --------------------------------------------------------------------------- sessions

INACTIVITY = timedelta(minutes=30)
"""Shortest break that ends a session."""
SESSION = ("product", "user_id", "started_at")
"""Key of a session."""


def sessions(events: dy.LazyFrame[Events]) -> dy.LazyFrame[Sessions]:
    """Returns the sessions that start on each day; those that last past midnight need the next day's events.

    Country, operating system and app version come from the first event that has them.
    """
    found = (
        in_sessions(events, "event_name", place().alias("country"), "os", "app_version")
        .group_by(SESSION)
        .agg(
            pl.col("is_anonymous").all(),
            pl.col("occurred_at").last().alias("ended_at"),
            pl.len().alias("events"),
            (pl.col("day") > pl.col("started_at").dt.date()).sum().alias("events_next_day"),
            pl.col("event_name").first().alias("first_event"),
            pl.col("event_name").last().alias("last_event"),
            *(pl.col(name).drop_nulls().first() for name in ("country", "os", "app_version")),
        )
        .with_columns(
            day=pl.col("started_at").dt.date(),
            duration_s=(pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1e6,
            session_id=pl.concat_str("user_id", pl.col("started_at").dt.epoch("us").cast(pl.String), separator="@"),
        )
    )
    result = in_product_days(found).select(pl.col(name).cast(dtype) for name, dtype in Sessions.schema().items())
    return typing.cast("dy.LazyFrame[Sessions]", result)


def in_sessions(events: pl.LazyFrame, *columns: str | pl.Expr) -> pl.LazyFrame:
    """Returns events in order of time with their session: `SESSION`, `is_anonymous`, `day`, `occurred_at`, `event_id`
    and the given columns.

    The sessions of a day are whole if the two days before it and the two after it are given.
    """
    needed = events.select("product", "day", "occurred_at", "event_id", *IDS, *columns)
    user = ["product", "user_id"]
    ordered = (
        resolved(needed, events)
        .sort(*user, "occurred_at", "event_id")
        .with_columns(pause=pl.col("occurred_at") - pl.col("occurred_at").shift().over(user))
    )
    after_whole_day = _whole_days(ordered).with_columns(pl.col("day") + _ONE_DAY, is_cut=pl.lit(True))
    is_first_of_day = (pl.col("day") != pl.col("day").shift().over(user)).fill_null(True)
    starts = (pl.col("pause") >= INACTIVITY).fill_null(True) | (pl.col("is_cut").fill_null(False) & is_first_of_day)
    return (
        ordered.join(after_whole_day, on=[*user, "day"], how="left", maintain_order="left")
        # A user's first event starts a session, so nothing is carried over from one user to the next.
        .with_columns(started_at=pl.when(starts).then("occurred_at").forward_fill())
        .drop("pause", "is_cut")
    )


def _whole_days(ordered: pl.LazyFrame) -> pl.LazyFrame:
    """Returns days that a user spent without a break from midnight to midnight: `product`, `user_id` and `day`."""
    midnight = pl.col("day").cast(pl.Datetime("us", "UTC"))
    return (
        ordered.group_by("product", "user_id", "day")
        .agg(
            pl.col("occurred_at").min().alias("first_at"),
            pl.col("occurred_at").max().alias("last_at"),
            # The break before the first event of the day belongs to the day before.
            pl.col("occurred_at").diff().max().alias("longest_pause"),
        )
        .filter(
            pl.col("first_at") - midnight < INACTIVITY,
            midnight + _ONE_DAY - pl.col("last_at") < INACTIVITY,
            pl.col("longest_pause") < INACTIVITY,
        )
        .select("product", "user_id", "day")
    )


# --------------------------------------------------------------------------- payments

NO_CURRENCY = "XXX"
"""ISO 4217 code for no currency."""


def payments(events: dy.LazyFrame[Events], products: dy.LazyFrame[Products]) -> dy.LazyFrame[Payments]:
    """Returns every payment of each day.

    The amount is the number in the property that the settings name, rounded to four places; numbers sent as texts
    count. The currency is the text in its property, else the one of the settings. Names of properties are compared
    without case.
    """
    settings = products.filter(pl.col("payment_event").is_not_null()).select(
        "product",
        pl.col("payment_event").alias("event_name"),
        _path("amount_property"),
        _path("currency_property"),
        pl.col("currency").alias("usual_currency"),
    )
    needed = events.select("product", "day", "event_id", "occurred_at", "event_name", *IDS, "properties")
    paid = resolved(needed.join(settings, on=["product", "event_name"]), events)
    sent = _value("currency_property").str.strip_chars().str.to_uppercase()
    result = in_product_days(paid).select(
        "product_day",
        "product",
        "day",
        "user_id",
        "is_anonymous",
        "event_id",
        pl.col("occurred_at").alias("paid_at"),
        _value("amount_property").cast(Money, strict=False).alias("amount"),
        pl.coalesce(
            pl.when(sent != "").then(sent),
            pl.col("usual_currency").str.to_uppercase(),
            pl.lit(NO_CURRENCY),
        ).alias("currency"),
    )
    return typing.cast("dy.LazyFrame[Payments]", result)


def _path(setting: str) -> pl.Expr:
    """Returns the JSON path of a property in small letters; a.b is property b of object a."""
    names = pl.col(setting).str.to_lowercase().str.replace_all(".", "']['", literal=True)
    return pl.concat_str(pl.lit("$['"), names, pl.lit("']")).alias(setting)


def _value(setting: str) -> pl.Expr:
    # Numbers and currencies mean the same in small letters.
    return pl.col("properties").str.to_lowercase().str.json_path_match(pl.col(setting))


# --------------------------------------------------------------------------- days of users

_USER = ("product", "day", "user_id")


def user_days(
    events: dy.LazyFrame[Events],
    operations: dy.LazyFrame[UserOperations],
    sessions: dy.LazyFrame[Sessions],
    payments: dy.LazyFrame[Payments],
) -> dy.LazyFrame[UserDays]:
    """Returns one row per user and day with an event."""
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
