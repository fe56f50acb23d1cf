"""Sessions: what a user does without a long break."""

from __future__ import annotations

import typing
from datetime import timedelta

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.activity.known_users import IDS, in_product_days, place, resolved
from gamestats_assets.demo_data.tables import Events, Sessions

INACTIVITY = timedelta(minutes=30)
"""A break of this length, or a longer one, ends a session."""
SESSION = ("product", "user_id", "started_at")
"""What tells sessions apart."""
_ONE_DAY = timedelta(days=1)


def sessions(events: dy.LazyFrame[Events]) -> dy.LazyFrame[Sessions]:
    """The sessions that start on each day; of what goes on after midnight the day after is needed.

    Where a session was, and with what, its first event tells that says so.
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
    """Events in order of time, with the session they are of: `SESSION`, `is_anonymous`, `day`, `occurred_at`,
    `event_id` and the given columns.

    Sessions that start on a day are whole when the two days before and after it are given.
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
    """Days that a user spent without a break, from one midnight to the next: `product`, `user_id` and `day`."""
    midnight = pl.col("day").cast(pl.Datetime("us", "UTC"))
    return (
        ordered.group_by("product", "user_id", "day")
        .agg(
            pl.col("occurred_at").min().alias("first_at"),
            pl.col("occurred_at").max().alias("last_at"),
            # That before the first event of the day is of the day before.
            pl.col("occurred_at").diff().max().alias("longest_pause"),
        )
        .filter(
            pl.col("first_at") - midnight < INACTIVITY,
            midnight + _ONE_DAY - pl.col("last_at") < INACTIVITY,
            pl.col("longest_pause") < INACTIVITY,
        )
        .select("product", "user_id", "day")
    )
