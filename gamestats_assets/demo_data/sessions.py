"""Sessions: what a user does without a long break."""

from __future__ import annotations

import typing
from datetime import timedelta

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.known_users import IDS, TARGET, in_product_days, place, resolved
from gamestats_assets.demo_data.tables import Events, Sessions

INACTIVITY = timedelta(minutes=30)
"""A break of this length, or a longer one, ends a session."""
SESSION = ("product", TARGET, "user_id", "started_at")
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
            (pl.col("day") > pl.col(TARGET)).sum().alias("events_next_day"),
            pl.col("event_name").first().alias("first_event"),
            pl.col("event_name").last().alias("last_event"),
            *(pl.col(name).drop_nulls().first() for name in ("country", "os", "app_version")),
        )
        .with_columns(
            duration_s=(pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1e6,
            session_id=pl.concat_str("user_id", pl.col("started_at").dt.epoch("us").cast(pl.String), separator="@"),
        )
    )
    result = in_product_days(found, TARGET).select(
        pl.col(name).cast(dtype) for name, dtype in Sessions.schema().items()
    )
    return typing.cast("dy.LazyFrame[Sessions]", result)


def in_sessions(events: pl.LazyFrame, *columns: str | pl.Expr) -> pl.LazyFrame:
    """The events of the sessions that start on each day, in order of time: `SESSION`, `is_anonymous`, `day`,
    `occurred_at`, `event_id` and the given columns.
    """
    needed = events.select("product", "day", "occurred_at", "event_id", *IDS, *columns)
    midnight = pl.col("day").cast(pl.Datetime("us", "UTC")) + _ONE_DAY
    around = [
        # Of the day before, what a session can begin with that goes on.
        (needed.filter(pl.col("occurred_at") > midnight - INACTIVITY), _ONE_DAY),
        (needed, timedelta(0)),
        (needed, -_ONE_DAY),
    ]
    users = ["product", TARGET, "user_id"]
    break_before = pl.col("occurred_at") - pl.col("occurred_at").shift().over(users)
    starts = (break_before >= INACTIVITY).fill_null(True)
    rows = pl.concat([frame.with_columns((pl.col("day") + shift).alias(TARGET)) for frame, shift in around])
    return (
        resolved(rows, events)
        .sort(*users, "occurred_at", "event_id")
        # A user's first event starts a session, so nothing is carried over from one user to the next.
        .with_columns(started_at=pl.when(starts).then("occurred_at").forward_fill())
        .filter(pl.col("started_at").dt.date() == pl.col(TARGET))
    )
