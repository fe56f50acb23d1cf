"""Active accounts of a day (silver), and a live-ops team's tables of players (gold)."""

from __future__ import annotations

from datetime import date

import dataframely as dy
import polars as pl

from gamestats_assets.l2m.rows import (
    COUNTRY,
    FARMER_TYPES,
    GOLD,
    PUBLISHED,
    SILVER,
    VIP,
    AccountDayRow,
    DayRow,
    FigureRow,
    average_usd,
    count,
    one_of,
    share,
    text,
    usd,
    utc,
)
from gamestats_assets.lakehouse.table import Table


class StdActive(AccountDayRow, key="l2m/std_active", **SILVER):
    """Active accounts: those that any of the seven logs of a day names, on each server."""

    level = dy.Int16(nullable=True, min=0, description="Highest level in any log of the day; null if unknown.")
    country = dy.String(nullable=True, description="Country in the day's visits; the first by alphabet of several.")
    logins = count("Logins of the day.")
    items_gained = count("Items gained, of any kind.")
    log_rows = count("Rows of all seven logs.")
    first_at = utc("Time of its first row with one.", nullable=True)
    last_at = utc("Time of its last row with one.", nullable=True)


class SharedAddresses(DayRow, key="l2m/shared_addresses", **SILVER):
    """Accounts behind an address with ten or more accounts on that day, including cafes."""

    ip = text("Address.", primary_key=True)
    user_id = text("Account.", primary_key=True)
    accounts = count("Accounts with the address on that day.")


class ActivityRhythms(DayRow, key="l2m/activity_rhythms", **SILVER):
    """Similarity of the hours of an account's day: people vary what they do, programs do the same all day.

    Each active hour is a vector of its rows in the seven logs, with a cosine similarity to the even vector; sigma is
    the standard deviation of all hours' similarities. Self-similarity is 1 - sigma / 2, as in Lee and others, You are a
    game bot! (NDSS 2016).
    """

    user_id = text("Account.", primary_key=True)
    active_hours = count("Hours of the day with at least one row.")
    log_rows = count("Rows of item and money logs.")
    self_similarity = dy.Float64(min=0, max=1, description="Self-similarity, from 0 to 1 (all hours alike).")


class GuildMembers(DayRow, key="l2m/guild_members", **SILVER):
    """The guild in an account's last money log of the day."""

    user_id = text("Account.", primary_key=True)
    guild_id = text("Guild (clan).")
    guild_name = dy.String(nullable=True, description="Its name.")
    told_at = utc("Time of that log row.")


class Active(
    AccountDayRow, key="l2m/active", subject="players", **GOLD, indexes=(("user_id",),), reconciled=("revenue_usd",)
):
    """Active accounts of a day: country, first days, payments, VIP tier, and whether they farm."""

    level = dy.Int16(nullable=True, min=0, description="Highest level in any log of the day; null if unknown.")
    country = text(COUNTRY)
    first_active_ds = dy.Date(description="First day with the account in any log.")
    first_login_ds = dy.Date(nullable=True, description="Day of its first login; null if that is later.")
    first_charge_ds = dy.Date(nullable=True, description="Day of its first payment; null if that is later.")
    revenue_usd = usd("Payments on that day on that server, in US dollars.")
    total_rev_usd = usd("Lifetime payments until the end of that day, on all servers, in US dollars.")
    vip = text(VIP)
    farmer_type = one_of(FARMER_TYPES, "PU farmer (ever paid), Non-PU farmer, or Normal; by the flags of that day.")


class _Figures(Table):
    dau = count("Daily active users (DAU).")
    nru = count("New registered users (NRU), with their first active day.")
    pu = count("Paying users (PU) of the day.")
    npu = count("New paying users (NPU), with their first payment.")
    nnpu = count("New new paying users (NNPU), with both first login and first payment.")
    revenue_usd = usd("Revenue of the day, in US dollars.")
    arpu_usd = average_usd("Revenue per active user (ARPU); null without any.")
    arppu_usd = average_usd("Revenue per paying user (ARPPU); null without any.")
    paying_rate = share("Share of active users who paid; null without any.")

    @dy.rule()
    def payers_are_active_and_new_ones_are_payers(cls):
        return (cls.dau.col >= cls.pu.col) & (cls.pu.col >= cls.npu.col) & (cls.npu.col >= cls.nnpu.col)


class ServerPerformance(_Figures, key="l2m/server_performance", subject="players", **GOLD, reconciled=("revenue_usd",)):
    """Figures of each server on a day. An account that plays on two servers counts on both."""

    ds = dy.Date(primary_key=True, description="UTC day of the logs.")
    server_id = text("Server.", primary_key=True)


class FarmersPerformance(DayRow, key="l2m/farmers_performance", subject="players", **GOLD, reconciled=("revenue_usd",)):
    """Figures of farmers and others on each server on a day."""

    server_id = text("Server.", primary_key=True)
    farmer_type = one_of(FARMER_TYPES, "PU farmer (ever paid), Non-PU farmer, or Normal.", primary_key=True)
    dau = count("Active accounts.")
    nru = count("Accounts with their first active day.")
    pu = count("Accounts that paid on that day.")
    revenue_usd = usd("Revenue of the day, in US dollars.")
    items_gained = count("Items gained, of any kind.")


class KpiDaily(FigureRow, _Figures, key="l2m/kpi_daily", subject="players", **GOLD, reconciled=("revenue_usd",)):
    """Key figures of a day: in all, of each server, and of each country."""

    wau = count("Weekly active users (WAU): active on at least one of the seven days up to this one.")
    mau = count("Monthly active users (MAU): active on at least one of the thirty days up to this one.")
    stickiness = share("DAU / MAU; null without any.")


class Retention(FigureRow, key="l2m/retention", subject="players", **GOLD):
    """Strict retention: of the accounts whose first active day was n days ago, those active on this day."""

    day_number = dy.Int16(
        primary_key=True,
        check=lambda column: column.is_in([1, 3, 7, 14, 30]),
        description="Days since: 1, 3, 7, 14, 30.",
    )
    cohort_ds = dy.Date(description="First active day of the cohort.")
    cohort_users = dy.Int64(min=1, description="Accounts of the cohort.")
    retained_users = count("Accounts of the cohort that are active on this day.")
    retention_rate = share("Share of the cohort that is active on this day.")


class Ltv(FigureRow, key="l2m/ltv", subject="players", **GOLD):
    """Lifetime value until the end of a day, by the accounts' first active day."""

    cohort_ds = dy.Date(primary_key=True, description="First active day of the cohort.")
    day_number = dy.Int32(min=0, description="Days from the cohort's first day to this one.")
    cohort_users = dy.Int64(min=1, description="Accounts of the cohort.")
    paying_users = count("Accounts of the cohort that have paid.")
    revenue_usd = usd("Lifetime payments until the end of this day, in US dollars.")
    ltv_usd = usd("Lifetime payments per account of the cohort, in US dollars.")


class UserProfile(Table, key="l2m/user_profile", subject="players", **PUBLISHED, indexes=(("country",), ("vip",))):
    """Every account: first and last days, origin and payments."""

    user_id = text("Account.", primary_key=True)
    first_active_ds = dy.Date(description="First day in any log.")
    first_login_ds = dy.Date(nullable=True, description="Day of its first login.")
    first_charge_ds = dy.Date(nullable=True, description="Day of its first payment.")
    country = text(COUNTRY)
    first_server_id = text("Server of its first active day; the first by alphabet of several.")
    country_since_ds = dy.Date(nullable=True, description="First day with its country in a log.")
    total_rev_usd = usd("Lifetime payments, in US dollars.")
    vip = text("VIP tier by lifetime payments.")
    level = dy.Int16(nullable=True, min=0, description="Highest level in any log; null if unknown.")
    active_days = dy.Int64(min=1, description="Days on which it was active.")
    last_seen_ds = dy.Date(description="Last day in any log.")


class _History(Table):
    user_id = text("Account.", primary_key=True)
    valid_from = dy.Date(primary_key=True, description="First day of validity.")
    valid_to = dy.Date(nullable=True, description="First day after validity; null while valid.")

    @dy.rule()
    def it_ends_after_it_begins(cls):
        return cls.valid_to.col.fill_null(date.max) > cls.valid_from.col


class GuildInfo(_History, key="l2m/guild_info", subject="players", **PUBLISHED, indexes=(("guild_id",),)):
    """Guild memberships with their history, by the last money log of a day."""

    guild_id = text("Guild (clan).")
    guild_name = dy.String(nullable=True, description="Latest name of the guild.")


class FarmersSnapshot(_History, key="l2m/farmers_snapshot", subject="players", **PUBLISHED):
    """Accounts that look like farmers, with dates and reasons.

    The flags are those of the account's active days; between these the flags of the last one stay.
    """

    reasons = dy.String(
        regex=r"^(shared_ip)?,?(level_one)?,?(self_similar)?$",
        min_length=1,
        description="Flags, separated by commas: shared_ip, level_one, self_similar.",
    )
    score = dy.Int16(min=1, max=3, description="Number of flags.")
    shared_ip_accounts = count("Score of shared_ip: most accounts behind an address of the account on a day; else 0.")
    level_one_items = count("Score of level_one: items gained until then without a level above the first; else 0.")
    self_similarity = share("Score of self_similar: the highest on a day; null if not flagged.")

    @dy.rule()
    def score_counts_the_reasons(cls):
        return cls.score.col == cls.reasons.col.str.count_matches(",").cast(pl.Int16) + 1
