"""Silver: who, in which session, for how much; duplicates gone, one meaning per column."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.demo_data.tables.bronze import JSON_TYPES
from gamestats_assets.demo_data.tables.rows import (
    BY_DAY,
    BY_PRODUCT,
    ProductRow,
    UserRow,
    count,
    money,
    nullable_text,
    share,
    utc,
)


class Sessions(
    UserRow,
    key="demo_data/sessions",
    subject="activity",
    layer="silver",
    published=True,
    indexes=(("user_id", "started_at"),),
    reconciled=("events",),
    **BY_DAY,
):
    """Sessions: a user's events without a break of 30 minutes. A session is of the day on which it starts.

    Whoever has no such break from one midnight to the next begins a new one there, so that none lasts for two days.
    """

    session_id = dy.String(
        primary_key=True, description="The user, @, and the start in microseconds since 1970; unique in a product."
    )
    started_at = utc("Time of the first event.")
    ended_at = utc("Time of the last event.")
    duration_s = dy.Float64(min=0, description="Seconds between the two.")
    events = count("Events.", least=1)
    events_next_day = count("Those of them that are of the day after.")
    first_event = dy.String(description="Name of the first event.")
    last_event = dy.String(description="Name of the last event.")
    country = nullable_text("Country as the first event with one tells it, by code rather than by name.")
    os = nullable_text("Operating system, likewise.")
    app_version = nullable_text("Version of the product, likewise.")

    @dy.rule()
    def ends_after_it_starts(cls):
        return cls.started_at.col <= cls.ended_at.col

    @dy.rule()
    def is_of_the_day_it_starts_on(cls):
        return cls.started_at.col.dt.date() == cls.day.col


class Payments(UserRow, key="demo_data/payments", subject="activity", layer="silver", **BY_DAY):
    """Payments: the events that a product's settings name, with amount and currency."""

    event_id = dy.String(primary_key=True, description="Event that is the payment.")
    paid_at = utc("When it was paid.")
    amount = money("Amount; null where the event tells no number.", nullable=True)
    currency = dy.String(
        min_length=1, description="Currency as sent, in capitals; else the product's; XXX where nothing tells it."
    )


class UserDays(UserRow, key="demo_data/user_days", subject="activity", layer="silver", **BY_DAY):
    """What each user did on a day; users without an event have no row."""

    user_id = dy.String(primary_key=True, min_length=1, description="As in sessions.")
    events = count("Events of the day.", least=1)
    sessions = count("Sessions that started on the day.")
    session_s = dy.Float64(min=0, description="Seconds of these sessions.")
    payments = count("Payments.")
    revenue = money("Sum of their amounts; null when they are in several currencies.", nullable=True, digits=38)
    currency = nullable_text("Currency of the revenue; null without a payment, or with several.")
    first_at = utc("Time of the first event.")
    last_at = utc("Time of the last event.")
    country = nullable_text("Country as the first event with one tells it, by code rather than by name.")
    os = nullable_text("Operating system, likewise.")
    app_version = nullable_text("Version of the product, likewise.")
    is_new_hint = dy.Bool(
        description="Whether a record of the day says that something happened for the first time: track_first, or "
        "user_setOnce. Only a hint; daily_active_users knows who is new."
    )


class FunnelProgress(UserRow, key="demo_data/funnel_progress", subject="activity", layer="silver", **BY_DAY):
    """How far each attempt at a funnel came: one row per step reached.

    An attempt begins with the funnel's first event and lasts until the next one, or the end of the session; it is of
    the day on which the session starts. A step is reached by the first event of it after the step before.
    """

    funnel = dy.Int16(primary_key=True, min=1, description="Number of the funnel in the product's settings, from 1.")
    attempt_id = dy.String(primary_key=True, description="Event that began the attempt.")
    step = dy.Int16(primary_key=True, min=1, description="Number of the step, from 1.")
    event_name = dy.String(description="Event of the step.")
    reached_at = utc("When the step was reached.")
    after_s = dy.Float64(nullable=True, min=0, description="Seconds since the step before; null for the first step.")


# --------------------------------------------------------------------------- of all history


class Identities(ProductRow, key="demo_data/identities", subject="activity", layer="silver", **BY_PRODUCT):
    """Which account each distinct_id belongs to: the first one that was seen with it, in all history.

    To have the user of any row of single days: the account bound to its user_id where is_anonymous, else user_id.
    """

    distinct_id = dy.String(primary_key=True, description="The distinct_id.")
    account_id = dy.String(min_length=1, description="The account.")
    bound_at = utc("When they were first seen together.")
    accounts = count("Accounts seen with it; more than one breaks the rule.", least=1)
    records_of_others = count("Records in which it stood with another account.")


class FunnelSteps(ProductRow, key="demo_data/funnel_steps", subject="activity", layer="silver", **BY_PRODUCT):
    """The funnels of a product's settings, step by step."""

    funnel = dy.Int16(primary_key=True, min=1, description="Number of the funnel in the settings, from 1.")
    step = dy.Int16(primary_key=True, min=1, description="Number of the step, from 1.")
    steps = dy.Int16(min=2, description="Steps of the funnel.")
    event_name = dy.String(min_length=1, description="Event of the step.")


class ActiveDays(ProductRow, key="demo_data/active_days", subject="activity", layer="silver", **BY_PRODUCT):
    """The days on which each user was active, users resolved with everything that is known of them."""

    user_id = dy.String(primary_key=True, description="Account, or else the distinct_id.")
    day = dy.Date(primary_key=True, description="A UTC day with an event of the user.")
    is_anonymous = dy.Bool(description="Whether user_id is a distinct_id, because no account is known.")
    first_day = dy.Date(description="The user's first such day.")
    days_away = dy.Int32(nullable=True, min=0, description="Days without an event before this one; null for the first.")
    events = count("Events of the day.", least=1)
    sessions = count("Sessions that started on the day.")
    session_s = dy.Float64(min=0, description="Seconds of these sessions.")
    first_at = utc("Time of the day's first event.")
    last_at = utc("Time of the day's last event.")


class ObservedProperties(
    ProductRow, key="demo_data/observed_properties", subject="activity", layer="silver", **BY_PRODUCT
):
    """Every property that was ever sent, by event and JSON type: the schema as it is, and how it changed."""

    event_name = dy.String(primary_key=True, description="Event; empty for user properties.")
    property = dy.String(primary_key=True, description="Property, in small letters: names differ in no more than case.")
    json_type = dy.String(
        primary_key=True, check=lambda column: column.is_in(JSON_TYPES), description="Type, as in property_types."
    )
    records = count("Records with the property in this type.", least=1)
    share_of_records = share("Share of the records with the property that have it in this type.")
    first_at = utc("Earliest time of such a record.")
    first_day = dy.Date(description="First day with such a record.")
    last_day = dy.Date(description="Last day with such a record.")
    first_type = nullable_text(
        "Type that the property had first, in all events or all user records; null if it never had any."
    )
