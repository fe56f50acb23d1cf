"""The logs, row by row (bronze)."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.l2m.rows import LANDED, LOG, DayRow, count, one_of, text, usd, utc
from gamestats_assets.lakehouse.table import Table

LOGS = (
    "login",
    "logout",
    "recharge",
    "increase_item",
    "decrease_item",
    "increase_money",
    "decrease_money",
)
"""The seven raw logs."""
RATES = "exchange_rates"
"""The log of the day's rates, which turn payments into dollars."""


class LogRow(DayRow):
    """Columns of every row of a log."""

    row_number = dy.Int64(primary_key=True, min=0, description="Number of the row in the day's files, from 0.")
    user_id = text("Account.")
    server_id = text("Server.")


class _Visit(LogRow):
    level = dy.Int16(nullable=True, min=0, description="Level of the character at that moment.")
    ip = dy.String(nullable=True, description="Address of the account.")
    device = dy.String(nullable=True, description="Model of the device.")
    country = dy.String(nullable=True, description="Country in the log.")
    time = utc("Time of the event.")


class EtlLogin(_Visit, key="l2m/etl_login", **LOG):
    """Logins, as logged."""


class EtlLogout(_Visit, key="l2m/etl_logout", **LOG):
    """Logouts, as logged."""


class EtlRecharge(LogRow, key="l2m/etl_recharge", **LOG):
    """Payments, as logged, with their worth in US dollars at the day's rate."""

    pmc = text("Payment channel.")
    currency = dy.String(regex=r"^[A-Z]{3}$", description="Currency of the payment, ISO 4217 code.")
    amount = dy.Decimal(18, 4, min=0, description="Amount, in major units of its currency.")
    usd_per_unit = dy.Decimal(18, 8, min=0, description="US dollars for one unit of the currency on that day.")
    daily_rev_usd = usd("Amount times the day's rate, in US dollars, rounded to six decimals, halves to even.")
    time = utc("Time of the payment; null if unknown.", nullable=True)


class _ItemLog(LogRow):
    item_id = text("Item.")
    item_count = count("Number of items.")
    reason_id = text("The game's number of the reason.")
    level = dy.Int16(nullable=True, min=0, description="Level of the character at that moment.")
    time = utc("Time of the event.", nullable=True)


class EtlIncreaseItem(_ItemLog, key="l2m/etl_increase_item", **LOG):
    """Items gained, as logged: key items and others."""


class EtlDecreaseItem(_ItemLog, key="l2m/etl_decrease_item", **LOG):
    """Items spent, as logged: key items and others."""


class _MoneyLog(LogRow):
    money_type = text("Kind of money; money_kinds has the kinds of diamonds.")
    amount = count("Amount.")
    reason_id = text("The game's number of the reason.")
    level = dy.Int16(nullable=True, min=0, description="Level of the character at that moment.")
    balance_after = dy.Int64(nullable=True, description="Balance afterwards.")
    guild_id = dy.String(nullable=True, description="Guild (clan) of the account at that moment.")
    guild_name = dy.String(nullable=True, description="Its name.")
    time = utc("Time of the event.", nullable=True)


class EtlIncreaseMoney(_MoneyLog, key="l2m/etl_increase_money", **LOG):
    """Money gained, as logged: diamonds and every other kind."""


class EtlDecreaseMoney(_MoneyLog, key="l2m/etl_decrease_money", **LOG):
    """Money spent, as logged: diamonds and every other kind."""


class ExchangeRates(DayRow, key="l2m/exchange_rates", tolerance=1, **LANDED):
    """US dollars per unit of each currency on a day.

    An invalid rate is rejected alone: there are few, and payments without one are reported.
    """

    currency = dy.String(primary_key=True, regex=r"^[A-Z]{3}$", description="Currency, ISO 4217 code.")
    usd_per_unit = dy.Decimal(18, 8, min_exclusive=0, description="US dollars for one unit.")


# Lines that belong to no log are rejected under this table, although they are not its rows.
class LogCounts(DayRow, key="l2m/log_counts", tolerance=1, **LANDED):
    """Counts of the rows of each log of a day, by their fate: in its table, in quarantine, or only here."""

    log = one_of((*LOGS, RATES, "thinkingdata"), "Log, or thinkingdata for records of none.", primary_key=True)
    files = count("Landed files that were read.")
    rows_read = count("Rows, or lines, in these files.")
    unreadable = count("Quarantined rows, unreadable as rows of the log's table.")
    duplicates = count("ThinkingData records that came before, by their #uuid.")
    not_wanted = count("ThinkingData records of other events.")
    rows_of_other_days = count("Accepted rows with a time outside the day in every time zone: more than 14 hours off.")
    payments_without_rate = count("Quarantined payments in a known currency without a rate on the day.")
    currencies_without_rate = dy.String(nullable=True, description="Currencies of these payments; null without any.")


LANDED_TABLES: tuple[type[Table], ...] = (
    EtlLogin,
    EtlLogout,
    EtlRecharge,
    EtlIncreaseItem,
    EtlDecreaseItem,
    EtlIncreaseMoney,
    EtlDecreaseMoney,
    ExchangeRates,
    LogCounts,
)
ETL: dict[str, type[LogRow]] = {
    "login": EtlLogin,
    "logout": EtlLogout,
    "recharge": EtlRecharge,
    "increase_item": EtlIncreaseItem,
    "decrease_item": EtlDecreaseItem,
    "increase_money": EtlIncreaseMoney,
    "decrease_money": EtlDecreaseMoney,
}
"""The extract of each log."""
