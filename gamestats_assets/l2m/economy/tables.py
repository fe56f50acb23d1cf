"""What a live-ops team asks about payments, items and money (gold), and what accounts had of it (silver)."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.l2m.rows import COUNTRY, GOLD, SILVER, VIP, AccountDayRow, DayRow, count, one_of, share, text, usd


class MoneyBalances(AccountDayRow, key="l2m/money_balances", **SILVER):
    """What an account had of a kind of money before and after the day, and what came and went."""

    money_type = text("Kind of money.", primary_key=True)
    gained = count("How much came.")
    spent = count("How much went.")
    opening_balance = dy.Int64(nullable=True, description="Before the first row of the day that tells a balance.")
    closing_balance = dy.Int64(nullable=True, description="After the last row of the day that tells a balance.")
    untold = count("Rows that tell no balance or no time.")


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
    vip = text(VIP)


class _ItemFlow(AccountDayRow):
    item_id = text("Key item.", primary_key=True)
    reason_id = text("Why, as the game numbers reasons.", primary_key=True)
    item_count = count("How many of it.")
    log_rows = dy.Int64(min=1, description="Rows of the log.")
    country = text(COUNTRY)


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
    country = text(COUNTRY)
    vip = text(VIP)


class MoneyGain(
    _MoneyFlow, key="l2m/money_gain", subject="economy", **GOLD, indexes=(("reason_id",),), reconciled=("amount",)
):
    """Diamonds gained: who, how many and why."""


class MoneySpend(
    _MoneyFlow, key="l2m/money_spend", subject="economy", **GOLD, indexes=(("reason_id",),), reconciled=("amount",)
):
    """Diamonds spent: who, how many and why."""


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
