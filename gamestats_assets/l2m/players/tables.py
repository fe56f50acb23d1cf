"""Who was active on a day (silver), and what a live-ops team asks about players (gold)."""

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
    """Who was active: accounts that any of the seven logs of a day names, on each server."""

    level = dy.Int16(
        nullable=True, min=0, description="Highest level that any log of the day tells; null where none does."
    )
    country = dy.String(
        nullable=True, description="Country that the day's visits tell; by alphabet the first of several."
    )
    logins = count("Logins of the day.")
    items_gained = count("Items gained, of any kind.")
    log_rows = count("Rows of all seven logs.")
    first_at = utc("Time of its first row that tells one.", nullable=True)
    last_at = utc("Time of its last row that tells one.", nullable=True)


class SharedAddresses(DayRow, key="l2m/shared_addresses", **SILVER):
    """Accounts that came from an address of which ten or more accounts came on that day, cafes included."""

    ip = text("Address.", primary_key=True)
    user_id = text("Account.", primary_key=True)
    accounts = count("Accounts that came from the address on that day.")


class ActivityRhythms(DayRow, key="l2m/activity_rhythms", **SILVER):
    """How alike the hours of an account's day are: people play now this and now that, programs do the same all day.

    Of each hour with something in it the seven logs' rows are a vector; its cosine similarity to the even vector is
    taken, and of all hours' similarities the standard deviation sigma. Self-similarity is 1 - sigma / 2, as in Lee and
    others, You are a game bot! (NDSS 2016).
    """

    user_id = text("Account.", primary_key=True)
    active_hours = count("Hours of the day with at least one row.")
    log_rows = count("Rows of item and money logs.")
    self_similarity = dy.Float64(min=0, max=1, description="1 where all hours are alike.")


class GuildMembers(DayRow, key="l2m/guild_members", **SILVER):
    """The guild that an account's last money log of the day names."""

    user_id = text("Account.", primary_key=True)
    guild_id = text("Guild (clan).")
    guild_name = dy.String(nullable=True, description="Its name.")
    told_at = utc("Time of that row.")


class Active(
    AccountDayRow, key="l2m/active", subject="players", **GOLD, indexes=(("user_id",),), reconciled=("revenue_usd",)
):
    """Who was active on a day, and who that was: country, first days, payments, VIP tier, and whether it farms."""

    level = dy.Int16(
        nullable=True, min=0, description="Highest level that any log of the day tells; null where none does."
    )
    country = text(COUNTRY)
    first_active_ds = dy.Date(description="First day on which any log names the account.")
    first_login_ds = dy.Date(nullable=True, description="Day of its first login, where that is not later.")
    first_charge_ds = dy.Date(nullable=True, description="Day of its first payment, where that is not later.")
    revenue_usd = usd("What it paid on that day on that server, in US dollars.")
    total_rev_usd = usd("What it had paid in its life until the end of that day, on all servers.")
    vip = text(VIP)
    farmer_type = one_of(FARMER_TYPES, "PU farmer (ever paid), Non-PU farmer, or Normal; by the flags of that day.")


class _Figures(Table):
    dau = count("Daily active users (DAU).")
    nru = count("New registered users (NRU): the day is their first active one.")
    pu = count("Paying users (PU) of the day.")
    npu = count("New paying users (NPU): the day is that of their first payment.")
    nnpu = count("New new paying users (NNPU): first login and first payment are both on that day.")
    revenue_usd = usd("Revenue of the day, in US dollars.")
    arpu_usd = average_usd("Revenue for each active user (ARPU); null without any.")
    arppu_usd = average_usd("Revenue for each paying user (ARPPU); null without any.")
    paying_rate = share("Share of active users who paid; null without any.")

    @dy.rule()
    def payers_are_active_and_new_ones_are_payers(cls):
        return (cls.dau.col >= cls.pu.col) & (cls.pu.col >= cls.npu.col) & (cls.npu.col >= cls.nnpu.col)


class ServerPerformance(_Figures, key="l2m/server_performance", subject="players", **GOLD, reconciled=("revenue_usd",)):
    """How each server does on a day. An account that plays on two servers counts on both."""

    ds = dy.Date(primary_key=True, description="UTC day of the logs.")
    server_id = text("Server.", primary_key=True)


class FarmersPerformance(DayRow, key="l2m/farmers_performance", subject="players", **GOLD, reconciled=("revenue_usd",)):
    """What farmers and the others do on each server on a day."""

    server_id = text("Server.", primary_key=True)
    farmer_type = one_of(FARMER_TYPES, "PU farmer (ever paid), Non-PU farmer, or Normal.", primary_key=True)
    dau = count("Active accounts.")
    nru = count("Those whose first active day it is.")
    pu = count("Those who paid on that day.")
    revenue_usd = usd("Their revenue of the day, in US dollars.")
    items_gained = count("Items that they gained, of any kind.")


class KpiDaily(FigureRow, _Figures, key="l2m/kpi_daily", subject="players", **GOLD, reconciled=("revenue_usd",)):
    """Key figures of a day: of everybody, of each server, and of each country."""

    wau = count("Weekly active users (WAU): active on at least one of the seven days up to this one.")
    mau = count("Monthly active users (MAU): active on at least one of the thirty days up to this one.")
    stickiness = share("DAU / MAU; null without any.")


class Retention(FigureRow, key="l2m/retention", subject="players", **GOLD):
    """Strict retention: of the accounts whose first active day lies n days back, those who are active on this day."""

    day_number = dy.Int16(
        primary_key=True,
        check=lambda column: column.is_in([1, 3, 7, 14, 30]),
        description="Days since: 1, 3, 7, 14, 30.",
    )
    cohort_ds = dy.Date(description="First active day of the cohort.")
    cohort_users = dy.Int64(min=1, description="Accounts of the cohort.")
    retained_users = count("Those of them who are active on this day.")
    retention_rate = share("Share of them.")


class Ltv(FigureRow, key="l2m/ltv", subject="players", **GOLD):
    """Lifetime value until the end of a day, by the accounts' first active day."""

    cohort_ds = dy.Date(primary_key=True, description="First active day of the cohort.")
    day_number = dy.Int32(min=0, description="Days from the cohort's first day to this one.")
    cohort_users = dy.Int64(min=1, description="Accounts of the cohort.")
    paying_users = count("Those of them who have paid.")
    revenue_usd = usd("What they have paid in their lives until the end of this day.")
    ltv_usd = usd("That for each account of the cohort.")


class UserProfile(Table, key="l2m/user_profile", subject="players", **PUBLISHED, indexes=(("country",), ("vip",))):
    """Every account: since when, from where, what it has paid, and when it was last seen."""

    user_id = text("Account.", primary_key=True)
    first_active_ds = dy.Date(description="First day on which any log names it.")
    first_login_ds = dy.Date(nullable=True, description="Day of its first login.")
    first_charge_ds = dy.Date(nullable=True, description="Day of its first payment.")
    country = text(COUNTRY)
    first_server_id = text("Server of its first active day; by alphabet the first of several.")
    country_since_ds = dy.Date(nullable=True, description="Day on which a log first told its country.")
    total_rev_usd = usd("What it has paid in its life, in US dollars.")
    vip = text("VIP tier by that.")
    level = dy.Int16(nullable=True, min=0, description="Highest level that any log tells; null where none does.")
    active_days = dy.Int64(min=1, description="Days on which it was active.")
    last_seen_ds = dy.Date(description="Last day on which any log names it.")


class _History(Table):
    user_id = text("Account.", primary_key=True)
    valid_from = dy.Date(primary_key=True, description="First day on which this holds.")
    valid_to = dy.Date(nullable=True, description="First day on which it does not hold any more; null while it does.")

    @dy.rule()
    def it_ends_after_it_begins(cls):
        return cls.valid_to.col.fill_null(date.max) > cls.valid_from.col


class GuildInfo(_History, key="l2m/guild_info", subject="players", **PUBLISHED, indexes=(("guild_id",),)):
    """Who is of which guild, and who was when: as the last money log of a day tells."""

    guild_id = text("Guild (clan).")
    guild_name = dy.String(nullable=True, description="Its name, as last told.")


class FarmersSnapshot(_History, key="l2m/farmers_snapshot", subject="players", **PUBLISHED):
    """Accounts that look like farmers, since when and until when, and why.

    The flags are those of the account's active days; until it is active again those of the last one hold.
    """

    reasons = dy.String(
        regex=r"^(shared_ip)?,?(level_one)?,?(self_similar)?$",
        min_length=1,
        description="Flags, divided by commas: shared_ip, level_one, self_similar.",
    )
    score = dy.Int16(min=1, max=3, description="How many flags there are.")
    shared_ip_accounts = count("Score of shared_ip: most accounts behind an address of the account on a day; else 0.")
    level_one_items = count("Score of level_one: items gained until then while never above the first level; else 0.")
    self_similarity = share("Score of self_similar: the highest on a day; null where it is not flagged.")

    @dy.rule()
    def score_counts_the_reasons(cls):
        return cls.score.col == cls.reasons.col.str.count_matches(",").cast(pl.Int16) + 1
