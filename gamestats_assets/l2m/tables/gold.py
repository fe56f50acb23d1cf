"""Gold: one table for each question of a live-ops team. All of them are published."""

from __future__ import annotations

from datetime import date

import dataframely as dy
import polars as pl

from gamestats_assets.l2m.tables.rows import (
    FARMER_TYPES,
    GOLD,
    PUBLISHED,
    AccountDayRow,
    DayRow,
    FigureRow,
    average_usd,
    count,
    one_of,
    share,
    text,
    usd,
)
from gamestats_assets.lakehouse.table import Table

_COUNTRY = "Country of the account: the first that any of its logs told, of those that are told apart; else Other."
_VIP = "VIP tier by what the account had paid until the end of that day."


class Active(
    AccountDayRow, key="l2m/active", subject="players", **GOLD, indexes=(("user_id",),), reconciled=("revenue_usd",)
):
    """Who was active on a day, and who that was: country, first days, payments, VIP tier, and whether it farms."""

    level = dy.Int16(
        nullable=True, min=0, description="Highest level that any log of the day tells; null where none does."
    )
    country = text(_COUNTRY)
    first_active_ds = dy.Date(description="First day on which any log names the account.")
    first_login_ds = dy.Date(nullable=True, description="Day of its first login, where that is not later.")
    first_charge_ds = dy.Date(nullable=True, description="Day of its first payment, where that is not later.")
    revenue_usd = usd("What it paid on that day on that server, in US dollars.")
    total_rev_usd = usd("What it had paid in its life until the end of that day, on all servers.")
    vip = text(_VIP)
    farmer_type = one_of(FARMER_TYPES, "PU farmer (ever paid), Non-PU farmer, or Normal; by the flags of that day.")


class Recharge(
    AccountDayRow, key="l2m/recharge", subject="economy", **GOLD, reconciled=("amount", "daily_rev_usd", "payments")
):
    """What was paid: by account, server, channel and currency."""

    pmc = text("Payment channel.", primary_key=True)
    currency = dy.String(primary_key=True, regex=r"^[A-Z]{3}$", description="Currency of the payments.")
    payments = dy.Int64(min=1, description="Payments.")
    amount = dy.Decimal(20, 4, min=0, description="Amount, in major units of its currency.")
    daily_rev_usd = usd("Amount in US dollars, at the day's rate.")


class CumulativeRevenue(DayRow, key="l2m/cumulative_revenue", subject="economy", **GOLD, reconciled=("total_rev_usd",)):
    """What every account that ever paid had paid until the end of a day."""

    user_id = text("Account.", primary_key=True)
    first_charge_ds = dy.Date(description="Day of its first payment.")
    daily_rev_usd = usd("What it paid on that day, in US dollars.")
    total_rev_usd = usd("What it had paid in its life until the end of that day.")
    vip = text(_VIP)


class _ItemFlow(AccountDayRow):
    item_id = text("Key item.", primary_key=True)
    reason_id = text("Why, as the game numbers reasons.", primary_key=True)
    item_count = count("How many of it.")
    log_rows = dy.Int64(min=1, description="Rows of the log.")
    country = text(_COUNTRY)


class ItemGain(
    _ItemFlow, key="l2m/item_gain", subject="economy", **GOLD, indexes=(("item_id",),), reconciled=("item_count",)
):
    """Key items gained: who, which and why."""


class ItemSpend(
    _ItemFlow, key="l2m/item_spend", subject="economy", **GOLD, indexes=(("item_id",),), reconciled=("item_count",)
):
    """Key items spent: who, which and why."""


class _MoneyFlow(AccountDayRow):
    money_type = text("Kind of diamonds.", primary_key=True)
    reason_id = text("Why, as the game numbers reasons.", primary_key=True)
    amount = count("How many.")
    log_rows = dy.Int64(min=1, description="Rows of the log.")
    country = text(_COUNTRY)
    vip = text(_VIP)


class MoneyGain(
    _MoneyFlow, key="l2m/money_gain", subject="economy", **GOLD, indexes=(("reason_id",),), reconciled=("amount",)
):
    """Diamonds gained: who, how many and why."""


class MoneySpend(
    _MoneyFlow, key="l2m/money_spend", subject="economy", **GOLD, indexes=(("reason_id",),), reconciled=("amount",)
):
    """Diamonds spent: who, how many and why."""


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


class EconomyBalance(DayRow, key="l2m/economy_balance", subject="economy", **GOLD, reconciled=("source", "sink")):
    """Where items and money come from and go to: each key item and each kind of money, by day."""

    kind = one_of(("item", "money"), "item or money.", primary_key=True)
    id = text("Item, or kind of money.", primary_key=True)
    source = count("How much came into the accounts.")
    sink = count("How much went out of them.")
    net = dy.Int64(description="Source minus sink.")
    gaining_accounts = count("Accounts that gained any.")
    spending_accounts = count("Accounts that spent any.")
    top_1_percent_share = share(
        "Share of the source that went to the top 1 % of the gaining accounts, at least one; null without any."
    )


# --------------------------------------------------------------------------- of all days


class UserProfile(Table, key="l2m/user_profile", subject="players", **PUBLISHED, indexes=(("country",), ("vip",))):
    """Every account: since when, from where, what it has paid, and when it was last seen."""

    user_id = text("Account.", primary_key=True)
    first_active_ds = dy.Date(description="First day on which any log names it.")
    first_login_ds = dy.Date(nullable=True, description="Day of its first login.")
    first_charge_ds = dy.Date(nullable=True, description="Day of its first payment.")
    country = text(_COUNTRY)
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
