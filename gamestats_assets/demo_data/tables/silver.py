"""Silver: users, sessions and payments, without duplicates and with one meaning per column."""

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
    """Sessions: a user's events without a break of 30 minutes. A session belongs to the day on which it starts.

    A user without such a break from one midnight to the next begins a new session there, so that none lasts two days.
    """

    session_id = dy.String(
        primary_key=True, description="User, @, and start in microseconds since 1970; unique per product."
    )
    started_at = utc("Time of the first event.")
    ended_at = utc("Time of the last event.")
    duration_s = dy.Float64(min=0, description="Length, in seconds.")
    events = count("Events.", least=1)
    events_next_day = count("Events of the session on the next day.")
    first_event = dy.String(description="Name of the first event.")
    last_event = dy.String(description="Name of the last event.")
    country = nullable_text("Country of the first event with one: its code, else its name.")
    os = nullable_text("Operating system of the first event with one.")
    app_version = nullable_text("Version of the product in the first event with one.")

    @dy.rule()
    def ends_after_it_starts(cls):
        return cls.started_at.col <= cls.ended_at.col

    @dy.rule()
    def is_of_the_day_it_starts_on(cls):
        return cls.started_at.col.dt.date() == cls.day.col


class Payments(UserRow, key="demo_data/payments", subject="activity", layer="silver", **BY_DAY):
    """Payments: a product's payment events by its settings, with amount and currency."""

    event_id = dy.String(primary_key=True, description="Payment event.")
    paid_at = utc("Time of the payment.")
    amount = money("Amount; null if the event has no number.", nullable=True)
    currency = dy.String(min_length=1, description="Currency as sent, in capitals; else the product's; XXX if unknown.")


class UserDays(UserRow, key="demo_data/user_days", subject="activity", layer="silver", **BY_DAY):
    """Activity of each user on a day; users without an event have no row."""

    user_id = dy.String(primary_key=True, min_length=1, description="As in sessions.")
    events = count("Events of the day.", least=1)
    sessions = count("Sessions that started on the day.")
    session_s = dy.Float64(min=0, description="Length of these sessions, in seconds.")
    payments = count("Payments.")
    revenue = money("Sum of the amounts paid; null if in several currencies.", nullable=True, digits=38)
    currency = nullable_text("Currency of the revenue; null without a payment, or with several.")
    first_at = utc("Time of the first event.")
    last_at = utc("Time of the last event.")
    country = nullable_text("Country of the first event with one: its code, else its name.")
    os = nullable_text("Operating system of the first event with one.")
    app_version = nullable_text("Version of the product in the first event with one.")
    is_new_hint = dy.Bool(
        description="Whether a record of the day marks a first time: track_first or user_setOnce. Only a hint; "
        "daily_active_users has the new users."
    )


class FunnelProgress(UserRow, key="demo_data/funnel_progress", subject="activity", layer="silver", **BY_DAY):
    """Progress of each attempt at a funnel: one row per step reached.

    An attempt begins with the funnel's first event and lasts until the next such event or the end of the session; it
    belongs to the day on which the session starts. The first event of a step after the previous step reaches it.
    """

    funnel = dy.Int16(primary_key=True, min=1, description="Number of the funnel in the product's settings, from 1.")
    attempt_id = dy.String(primary_key=True, description="Event that began the attempt.")
    step = dy.Int16(primary_key=True, min=1, description="Number of the step, from 1.")
    event_name = dy.String(description="Event of the step.")
    reached_at = utc("Time when the step was reached.")
    after_s = dy.Float64(nullable=True, min=0, description="Seconds since the previous step; null for the first.")


# --------------------------------------------------------------------------- tables of all history


class Identities(ProductRow, key="demo_data/identities", subject="activity", layer="silver", **BY_PRODUCT):
    """The account of each distinct_id: the first one seen with it, in all history.

    The user of a row of a single day is the account bound to its user_id if is_anonymous, else its user_id.
    """

    distinct_id = dy.String(primary_key=True, description="The distinct_id.")
    account_id = dy.String(min_length=1, description="The account.")
    bound_at = utc("Time when they were first seen together.")
    accounts = count("Accounts seen with it; more than one breaks the rule.", least=1)
    records_of_others = count("Records of it with another account.")


class FunnelSteps(ProductRow, key="demo_data/funnel_steps", subject="activity", layer="silver", **BY_PRODUCT):
    """The funnels of a product's settings, step by step."""

    funnel = dy.Int16(primary_key=True, min=1, description="Number of the funnel in the settings, from 1.")
    step = dy.Int16(primary_key=True, min=1, description="Number of the step, from 1.")
    steps = dy.Int16(min=2, description="Steps of the funnel.")
    event_name = dy.String(min_length=1, description="Event of the step.")


class ActiveDays(ProductRow, key="demo_data/active_days", subject="activity", layer="silver", **BY_PRODUCT):
    """Active days of each user, with users resolved by all history."""

    user_id = dy.String(primary_key=True, description="Account, or else the distinct_id.")
    day = dy.Date(primary_key=True, description="UTC day with an event of the user.")
    is_anonymous = dy.Bool(description="Whether user_id is a distinct_id, without a known account.")
    first_day = dy.Date(description="First active day of the user.")
    days_away = dy.Int32(nullable=True, min=0, description="Days without an event before this one; null for the first.")
    events = count("Events of the day.", least=1)
    sessions = count("Sessions that started on the day.")
    session_s = dy.Float64(min=0, description="Length of these sessions, in seconds.")
    first_at = utc("Time of the day's first event.")
    last_at = utc("Time of the day's last event.")


class ObservedProperties(
    ProductRow, key="demo_data/observed_properties", subject="activity", layer="silver", **BY_PRODUCT
):
    """Every property ever sent, by event and JSON type: the actual schema and its changes."""

    event_name = dy.String(primary_key=True, description="Event; empty for user properties.")
    property = dy.String(primary_key=True, description="Property in small letters; names are compared without case.")
    json_type = dy.String(
        primary_key=True, check=lambda column: column.is_in(JSON_TYPES), description="Type, as in property_types."
    )
    records = count("Records with the property in this type.", least=1)
    share_of_records = share("Share of the records with the property that have it in this type.")
    first_at = utc("Earliest time of such a record.")
    first_day = dy.Date(description="First day with such a record.")
    last_day = dy.Date(description="Last day with such a record.")
    first_type = nullable_text(
        "First type of the property, in all events or all user records; null if it never had any."
    )
