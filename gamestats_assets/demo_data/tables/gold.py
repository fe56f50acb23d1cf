"""Gold: one table per question, of all days of a product. All of it is published."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.demo_data.tables.rows import PUBLISHED, ProductRow, count, money, nullable_text, share, utc

SEGMENTS = ("new", "power", "active", "churning", "churned", "returning")
LAST_DAY_NUMBER = 90
"""Day number up to which retention is told."""


def _mean(description: str) -> dy.Float64:
    return dy.Float64(nullable=True, description=description)


class UserProfiles(
    ProductRow,
    key="demo_data/user_profiles",
    indexes=(("last_seen_at",),),
    reconciled=("operations",),
    **PUBLISHED,
):
    """Each user as they are: the state after all user operations, in order of time.

    A deleted user has no row, unless something came afterwards.
    """

    user_id = dy.String(primary_key=True, description="Account, or else the distinct_id.")
    account_id = nullable_text("Account; null while none is known.")
    distinct_ids = count("Distinct_ids that belong to the user.")
    first_seen_at = utc("Earliest event or user operation, whatever was deleted since.")
    last_seen_at = utc("Latest event or user operation.")
    updated_at = utc("Latest user operation; null without any.", nullable=True)
    operations = count("User operations.")
    misfits = count("Values that did not fit what was there (added to a text, appended to a number), and were ignored.")
    properties = dy.String(description="Properties as JSON, in alphabetical order.")


class DailyActiveUsers(ProductRow, key="demo_data/daily_active_users", reconciled=("dau", "events"), **PUBLISHED):
    """How many users there were on each day, from a product's first one with data to its last.

    A day in between on which nobody was active has a row like any other, and so has one whose logs never landed; what
    tells the two apart is log_files, which has nothing of the latter.
    """

    day = dy.Date(primary_key=True, description="UTC day.")
    dau = count("Users active on the day.")
    wau = count("Users active on the day or the 6 days before.")
    mau = count("Users active on the day or the 29 days before.")
    stickiness = share("dau / mau; null where mau is 0.", nullable=True)
    new_users = count("Users active for the first time.")
    returning_users = count("The other active users.")
    events = count("Events.")
    sessions = count("Sessions that started on the day.")
    mean_session_min = _mean("Mean length of these sessions, in minutes; null without any.")


class Retention(ProductRow, key="demo_data/retention", reconciled=("cohort_users",), **PUBLISHED):
    """Who of the users of a first day came back, for each of the 90 days after it.

    Null for days after the last one with data.
    """

    cohort_day = dy.Date(primary_key=True, description="The users' first active day.")
    day_number = dy.Int16(primary_key=True, min=0, max=LAST_DAY_NUMBER, description="Days since; 0 is the first day.")
    cohort_users = count("Users of the cohort.", least=1)
    strict_users = dy.Int64(nullable=True, min=0, description="Users active on exactly that day.")
    rolling_users = dy.Int64(nullable=True, min=0, description="Users active on that day or a later one.")
    strict_share = share("strict_users / cohort_users.", nullable=True)
    rolling_share = share("rolling_users / cohort_users.", nullable=True)


class Funnels(ProductRow, key="demo_data/funnels", reconciled=("users", "attempts"), **PUBLISHED):
    """How many came to each step of a funnel, on each day on which somebody began it."""

    day = dy.Date(primary_key=True, description="UTC day on which the session starts.")
    funnel = dy.Int16(primary_key=True, min=1, description="Number of the funnel in the product's settings, from 1.")
    step = dy.Int16(primary_key=True, min=1, description="Number of the step, from 1.")
    event_name = dy.String(description="Event of the step.")
    users = count("Users who reached the step, told apart as in sessions.")
    attempts = count("Attempts that reached the step; each first event of the funnel begins one.")
    converted_users = dy.Int64(nullable=True, min=0, description="Users who reached the next step; null for the last.")
    converted_attempts = dy.Int64(nullable=True, min=0, description="Attempts that did; null for the last step.")
    step_conversion = share("Attempts that reached the step, of those that reached the one before.", nullable=True)
    overall_conversion = share("Attempts that reached the step, of all.")
    user_conversion = share("Users who reached the step, of all who began.")
    mean_s = _mean("Mean seconds since the step before; null for the first step.")


class Revenue(
    ProductRow,
    key="demo_data/revenue",
    indexes=(("currency", "day"),),
    reconciled=("revenue", "payments"),
    **PUBLISHED,
):
    """What was paid on each day with data, by currency; nothing is converted."""

    day = dy.Date(primary_key=True, description="UTC day.")
    currency = dy.String(primary_key=True, description="Currency of the payments; XXX where nothing tells it.")
    revenue = money("Sum of the amounts.", digits=38)
    payments = count("Payments, those without an amount included.")
    payers = count("Users who paid.")
    new_payers = count("Those of them who had never paid before, in no currency.")
    arpu = dy.Float64(description="Revenue per active user of the day.")
    arppu = _mean("Revenue per payer; null without any.")
    cumulative_revenue = money("Sum of the amounts since the first day.", digits=38)


class Segments(ProductRow, key="demo_data/segments", reconciled=("users",), **PUBLISHED):
    """How many users are in which segment, on each day with data. Every user seen so far is in exactly one.

    The first that holds: `new`, the first 3 days of a user; `churned`, not seen for 7 days; `returning`, seen
    again in the last 7 days, after 7 days or more without an event; `power`, the tenth (rounded down) of those that
    remain with most events in the last 7 days, then most active days, then the smaller id; `churning`, active on
    less than half as many of the last 7 days as of the 7 before; `active`, everybody else.
    """

    day = dy.Date(primary_key=True, description="UTC day, at whose end this is so.")
    segment = dy.String(
        primary_key=True,
        check=lambda column: column.is_in(SEGMENTS),
        description="new, power, active, churning, churned or returning.",
    )
    users = count("Users in the segment.")
    share = share("Share of all users seen so far.")
