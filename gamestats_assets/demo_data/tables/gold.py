"""Gold: one table per question, over all days of a product. All are published."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.demo_data.tables.rows import PUBLISHED, ProductRow, count, money, nullable_text, share, utc

SEGMENTS = ("new", "power", "active", "churning", "churned", "returning")
LAST_DAY_NUMBER = 90
"""Last day number of retention."""


def _mean(description: str) -> dy.Float64:
    return dy.Float64(nullable=True, description=description)


class UserProfiles(
    ProductRow,
    key="demo_data/user_profiles",
    indexes=(("last_seen_at",),),
    reconciled=("operations",),
    **PUBLISHED,
):
    """Each user's profile: the state after all user operations, in order of time.

    A deleted user has no row without a later event or operation.
    """

    user_id = dy.String(primary_key=True, description="Account, or else the distinct_id.")
    account_id = nullable_text("Account; null if unknown.")
    distinct_ids = count("Distinct_ids that belong to the user.")
    first_seen_at = utc("Time of the earliest event or user operation, deleted ones included.")
    last_seen_at = utc("Time of the latest event or user operation.")
    updated_at = utc("Time of the latest user operation; null without any.", nullable=True)
    operations = count("User operations.")
    misfits = count("Ignored values that did not fit the present one (added to a text, appended to a number).")
    properties = dy.String(description="Properties as JSON, in alphabetical order.")


class DailyActiveUsers(ProductRow, key="demo_data/daily_active_users", reconciled=("dau", "events"), **PUBLISHED):
    """Active users of each day, from a product's first day with data to its last.

    A day without active users has a row as well, and so has a day without logs; log_files has no rows of the latter.
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
    """Users of a first day who came back, for each of the 90 days after it.

    Null for days after the last day with data.
    """

    cohort_day = dy.Date(primary_key=True, description="First active day of the users.")
    day_number = dy.Int16(primary_key=True, min=0, max=LAST_DAY_NUMBER, description="Days since the first day, from 0.")
    cohort_users = count("Users of the cohort.", least=1)
    strict_users = dy.Int64(nullable=True, min=0, description="Users active on exactly that day.")
    rolling_users = dy.Int64(nullable=True, min=0, description="Users active on that day or a later one.")
    strict_share = share("strict_users / cohort_users.", nullable=True)
    rolling_share = share("rolling_users / cohort_users.", nullable=True)


class Funnels(ProductRow, key="demo_data/funnels", reconciled=("users", "attempts"), **PUBLISHED):
    """Users and attempts at each step of a funnel, by the day on which they began it."""

    day = dy.Date(primary_key=True, description="UTC day on which the session starts.")
    funnel = dy.Int16(primary_key=True, min=1, description="Number of the funnel in the product's settings, from 1.")
    step = dy.Int16(primary_key=True, min=1, description="Number of the step, from 1.")
    event_name = dy.String(description="Event of the step.")
    users = count("Users, as in sessions, who reached the step.")
    attempts = count("Attempts that reached the step; each first event of the funnel begins an attempt.")
    converted_users = dy.Int64(nullable=True, min=0, description="Users who reached the next step; null for the last.")
    converted_attempts = dy.Int64(nullable=True, min=0, description="Attempts that reached it; null for the last.")
    step_conversion = share("Share of the attempts at the previous step that reached this one.", nullable=True)
    overall_conversion = share("Share of all attempts that reached the step.")
    user_conversion = share("Share of all users who began that reached the step.")
    mean_s = _mean("Mean seconds since the previous step; null for the first.")


class Revenue(
    ProductRow,
    key="demo_data/revenue",
    indexes=(("currency", "day"),),
    reconciled=("revenue", "payments"),
    **PUBLISHED,
):
    """Payments of each day with data, by currency, without conversion."""

    day = dy.Date(primary_key=True, description="UTC day.")
    currency = dy.String(primary_key=True, description="Currency of the payments; XXX if unknown.")
    revenue = money("Sum of the amounts.", digits=38)
    payments = count("Payments, including those without an amount.")
    payers = count("Users who paid.")
    new_payers = count("Payers without an earlier payment in any currency.")
    arpu = dy.Float64(description="Revenue per active user of the day.")
    arppu = _mean("Revenue per payer; null without any.")
    cumulative_revenue = money("Sum of the amounts since the first day.", digits=38)


class Segments(ProductRow, key="demo_data/segments", reconciled=("users",), **PUBLISHED):
    """Users by segment on each day with data. Every user seen so far is in exactly one segment.

    The first that fits: `new`, in the first 3 days of a user; `churned`, not seen for 7 days; `returning`, seen again
    in the last 7 days, after 7 days or more without an event; `power`, the tenth (rounded down) of the rest with the
    most events in the last 7 days, then the most active days, then the smaller id; `churning`, active on less than half
    as many of the last 7 days as of the 7 before; `active`, all others.
    """

    day = dy.Date(primary_key=True, description="UTC day, at its end.")
    segment = dy.String(
        primary_key=True,
        check=lambda column: column.is_in(SEGMENTS),
        description="new, power, active, churning, churned or returning.",
    )
    users = count("Users in the segment.")
    share = share("Share of all users seen so far.")
