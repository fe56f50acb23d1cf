"""What the logs say, row by row (bronze)."""

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
"""The log of the day's rates, which payments are turned into dollars with."""


class LogRow(DayRow):
    """Columns of every row of a log."""

    row_number = dy.Int64(primary_key=True, min=0, description="Number of the row in the day's files, from 0.")
    user_id = text("Account.")
    server_id = text("Server.")


class _Visit(LogRow):
    level = dy.Int16(nullable=True, min=0, description="Level of the character at that moment.")
    ip = dy.String(nullable=True, description="Address that the account came from.")
    device = dy.String(nullable=True, description="Model of the device.")
    country = dy.String(nullable=True, description="Country, as the log tells it.")
    time = utc("When it happened.")


class EtlLogin(_Visit, key="l2m/etl_login", **LOG):
    """Logins, as logged."""


class EtlLogout(_Visit, key="l2m/etl_logout", **LOG):
    """Logouts, as logged."""


class EtlRecharge(LogRow, key="l2m/etl_recharge", **LOG):
    """Payments, as logged, with their worth in US dollars at the day's rate."""

    pmc = text("Payment channel.")
    currency = dy.String(regex=r"^[A-Z]{3}$", description="Currency of the payment, as ISO 4217 has it.")
    amount = dy.Decimal(18, 4, min=0, description="Amount, in major units of its currency.")
    usd_per_unit = dy.Decimal(18, 8, min=0, description="US dollars for one unit of the currency on that day.")
    daily_rev_usd = usd("Amount times the day's rate, in US dollars, rounded to six decimals, a half to the even one.")
    time = utc("When it happened, where the log tells.", nullable=True)


class _ItemLog(LogRow):
    item_id = text("Item.")
    item_count = count("How many of it.")
    reason_id = text("Why, as the game numbers reasons.")
    level = dy.Int16(nullable=True, min=0, description="Level of the character at that moment.")
    time = utc("When it happened.", nullable=True)


class EtlIncreaseItem(_ItemLog, key="l2m/etl_increase_item", **LOG):
    """Items gained, as logged: all of them, the key items and the others."""


class EtlDecreaseItem(_ItemLog, key="l2m/etl_decrease_item", **LOG):
    """Items spent, as logged: all of them, the key items and the others."""


class _MoneyLog(LogRow):
    money_type = text("Kind of money; which of them are diamonds, money_kinds tells.")
    amount = count("How much of it.")
    reason_id = text("Why, as the game numbers reasons.")
    level = dy.Int16(nullable=True, min=0, description="Level of the character at that moment.")
    balance_after = dy.Int64(nullable=True, description="What the account has of it afterwards.")
    guild_id = dy.String(nullable=True, description="Guild (clan) of the account at that moment.")
    guild_name = dy.String(nullable=True, description="Its name.")
    time = utc("When it happened.", nullable=True)


class EtlIncreaseMoney(_MoneyLog, key="l2m/etl_increase_money", **LOG):
    """Money gained, as logged: diamonds and every other kind."""


class EtlDecreaseMoney(_MoneyLog, key="l2m/etl_decrease_money", **LOG):
    """Money spent, as logged: diamonds and every other kind."""


class ExchangeRates(DayRow, key="l2m/exchange_rates", tolerance=1, **LANDED):
    """What one unit of a currency is worth on a day.

    A rate that is none costs that rate alone: they are few, and payments without one are told.
    """

    currency = dy.String(primary_key=True, regex=r"^[A-Z]{3}$", description="Currency, as ISO 4217 has it.")
    usd_per_unit = dy.Decimal(18, 8, min_exclusive=0, description="US dollars for one unit of it.")


# Lines that are of no log are rejected under this table, whose own rows they are not.
class LogCounts(DayRow, key="l2m/log_counts", tolerance=1, **LANDED):
    """What became of the rows of each log of a day: those that were read stand in its table, in quarantine, or here."""

    log = one_of(
        (*LOGS, RATES, "thinkingdata"), "Which log, or thinkingdata for what is none of them.", primary_key=True
    )
    files = count("Landed files that were read.")
    rows_read = count("Rows, or lines, in these files.")
    unreadable = count("Those that could not be read as rows of the log's table; the quarantine has them.")
    duplicates = count("ThinkingData records that had come before, by their #uuid.")
    not_wanted = count("ThinkingData records of other events.")
    rows_of_other_days = count(
        "Rows that were taken, whose time is of the day in no time zone: more than 14 hours off."
    )
    payments_without_rate = count("Payments in a known currency of which the day has no rate; they are quarantined.")
    currencies_without_rate = dy.String(nullable=True, description="These currencies; null where there are none.")


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
