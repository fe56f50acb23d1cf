"""A live-ops team's tables of payments, items and money (gold), and accounts' balances (silver)."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.l2m.rows import COUNTRY, GOLD, SILVER, VIP, AccountDayRow, DayRow, count, one_of, share, text, usd


class MoneyBalances(AccountDayRow, key="l2m/money_balances", **SILVER):
    """An account's balance of a kind of money before and after the day, with gains and spendings."""

    money_type = text("Kind of money.", primary_key=True)
    gained = count("Amount gained.")
    spent = count("Amount spent.")
    opening_balance = dy.Int64(nullable=True, description="Balance before the day's first row with one.")
    closing_balance = dy.Int64(nullable=True, description="Balance after the day's last row with one.")
    untold = count("Rows without a balance or a time.")


class Recharge(
    AccountDayRow, key="l2m/recharge", subject="economy", **GOLD, reconciled=("amount", "daily_rev_usd", "payments")
):
    """Payments by account, server, channel and currency."""

    pmc = text("Payment channel.", primary_key=True)
    currency = dy.String(primary_key=True, regex=r"^[A-Z]{3}$", description="Currency of the payments.")
    payments = dy.Int64(min=1, description="Payments.")
    amount = dy.Decimal(20, 4, min=0, description="Amount, in major units of its currency.")
    daily_rev_usd = usd("Amount in US dollars, at the day's rate.")


class CumulativeRevenue(DayRow, key="l2m/cumulative_revenue", subject="economy", **GOLD, reconciled=("total_rev_usd",)):
    """Lifetime payments of every account that ever paid, until the end of a day."""

    user_id = text("Account.", primary_key=True)
    first_charge_ds = dy.Date(description="Day of the first payment.")
    daily_rev_usd = usd("Payments on that day, in US dollars.")
    total_rev_usd = usd("Lifetime payments until the end of that day, in US dollars.")
    vip = text(VIP)


class _ItemFlow(AccountDayRow):
    item_id = text("Key item.", primary_key=True)
    reason_id = text("The game's number of the reason.", primary_key=True)
    item_count = count("Number of items.")
    log_rows = dy.Int64(min=1, description="Rows of the log.")
    country = text(COUNTRY)


class ItemGain(
    _ItemFlow, key="l2m/item_gain", subject="economy", **GOLD, indexes=(("item_id",),), reconciled=("item_count",)
):
    """Key items gained, by account, item and reason."""


class ItemSpend(
    _ItemFlow, key="l2m/item_spend", subject="economy", **GOLD, indexes=(("item_id",),), reconciled=("item_count",)
):
    """Key items spent, by account, item and reason."""


class _MoneyFlow(AccountDayRow):
    money_type = text("Kind of diamonds.", primary_key=True)
    reason_id = text("The game's number of the reason.", primary_key=True)
    amount = count("How many.")
    log_rows = dy.Int64(min=1, description="Rows of the log.")
    country = text(COUNTRY)
    vip = text(VIP)


class MoneyGain(
    _MoneyFlow, key="l2m/money_gain", subject="economy", **GOLD, indexes=(("reason_id",),), reconciled=("amount",)
):
    """Diamonds gained, by account, kind and reason."""


class MoneySpend(
    _MoneyFlow, key="l2m/money_spend", subject="economy", **GOLD, indexes=(("reason_id",),), reconciled=("amount",)
):
    """Diamonds spent, by account, kind and reason."""


class EconomyBalance(DayRow, key="l2m/economy_balance", subject="economy", **GOLD, reconciled=("source", "sink")):
    """Sources and sinks of items and money: each key item and each kind of money, by day."""

    kind = one_of(("item", "money"), "item or money.", primary_key=True)
    id = text("Item, or kind of money.", primary_key=True)
    source = count("Amount that accounts gained.")
    sink = count("Amount that accounts spent.")
    net = dy.Int64(description="Source minus sink.")
    gaining_accounts = count("Accounts with a gain.")
    spending_accounts = count("Accounts with a spending.")
    top_1_percent_share = share(
        "Share of the source that went to the top 1 % of gaining accounts (at least one); null without any."
    )
