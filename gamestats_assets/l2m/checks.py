"""Checks that span the MMO's tables: nothing lost, the same money in every layer, balances that follow from the logs.

All but warnings block: figures that do not add up are not published. A day's figures need all seven logs, so an error
in one log stops the day; oddities in the money of a few accounts only warn.
"""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.l2m import tables as t
from gamestats_assets.l2m.logs.tables import ETL
from gamestats_assets.lakehouse.quality import Check, QuarantineRow, breaking_rows, quarantine_of, unequal

Quarantine: type[QuarantineRow] = quarantine_of("l2m")


# --------------------------------------------------------------------------- extracts


def _rejected(quarantine: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the quarantine of the seven logs: ds, log, scope, reason, rejected_rows."""
    names = {table.spec.name: log for log, table in ETL.items()}
    return quarantine.filter(pl.col("table_name").is_in(list(names))).select(
        pl.col("partition_key").str.to_date("%Y-%m-%d", strict=False).alias("ds"),
        pl.col("table_name").replace(names).alias("log"),
        "scope",
        "reason",
        "rejected_rows",
    )


@breaking_rows(of=t.LogCounts)
def every_row_is_counted(
    counts: dy.LazyFrame[t.LogCounts],
    login: dy.LazyFrame[t.EtlLogin],
    logout: dy.LazyFrame[t.EtlLogout],
    recharge: dy.LazyFrame[t.EtlRecharge],
    increase_item: dy.LazyFrame[t.EtlIncreaseItem],
    decrease_item: dy.LazyFrame[t.EtlDecreaseItem],
    increase_money: dy.LazyFrame[t.EtlIncreaseMoney],
    decrease_money: dy.LazyFrame[t.EtlDecreaseMoney],
    quarantine: dy.LazyFrame[Quarantine],  # type: ignore[valid-type]
) -> pl.LazyFrame:
    """The rows of each log are in its extract, in quarantine, or duplicates."""
    logs = {
        "login": login,
        "logout": logout,
        "recharge": recharge,
        "increase_item": increase_item,
        "decrease_item": decrease_item,
        "increase_money": increase_money,
        "decrease_money": decrease_money,
    }
    kept = [
        frame.group_by("ds").agg(pl.len().cast(pl.Int64).alias("rows")).select("ds", pl.lit(log).alias("log"), "rows")
        for log, frame in logs.items()
    ]
    rejected = _rejected(quarantine).select("ds", "log", pl.col("rejected_rows").alias("rows"))
    read = counts.filter(pl.col("log").is_in(list(logs))).select(
        "ds", "log", (pl.col("rows_read") - pl.col("duplicates")).alias("rows_read")
    )
    accounted = pl.concat([*kept, rejected]).group_by("ds", "log").agg(pl.col("rows").sum())
    days = pl.concat([read.select("ds"), *(frame.select("ds") for frame in logs.values())]).unique()
    return unequal(read, accounted.join(days, on="ds", how="semi"), ["ds", "log"], [("rows_read", "rows")])


@breaking_rows(of=t.LogCounts)
def every_log_was_taken(
    counts: dy.LazyFrame[t.LogCounts],
    quarantine: dy.LazyFrame[Quarantine],  # type: ignore[valid-type]
) -> pl.LazyFrame:
    """No file of a log was rejected, and no log as a whole: without it the day is incomplete. Deliver the log again."""
    not_taken = _rejected(quarantine).filter(pl.col("scope") != "row").select("ds", "log", "reason")
    return not_taken.join(counts.select("ds").unique(), on="ds", how="semi")


# Another day's log is off by a day at least; every game has single wrong clocks.
_MOST_OF_OTHER_DAYS, _FEWEST_OF_OTHER_DAYS = 0.2, 3


@breaking_rows(of=t.LogCounts)
def rows_are_of_their_day(counts: dy.LazyFrame[t.LogCounts]) -> pl.LazyFrame:
    """By their times at most one in five rows of a log are of another day; more mean that another day was delivered."""
    return counts.filter(
        pl.col("log").is_in(list(ETL)),
        pl.col("rows_of_other_days") > _MOST_OF_OTHER_DAYS * pl.col("rows_read"),
        pl.col("rows_of_other_days") >= pl.min_horizontal(pl.lit(_FEWEST_OF_OTHER_DAYS), "rows_read"),
    ).select("ds", "log", "rows_read", "rows_of_other_days")


@breaking_rows(of=t.LogCounts, blocking=False)
def every_log_was_delivered(counts: dy.LazyFrame[t.LogCounts]) -> pl.LazyFrame:
    """Each of the seven logs has come. Only a warning: a studio may not keep all of them."""
    wanted = counts.select("ds").unique().join(pl.LazyFrame({"log": [*ETL]}), how="cross")
    return wanted.join(counts, on=["ds", "log"], how="anti")


@breaking_rows(of=t.EtlRecharge)
def every_payment_has_a_rate(recharge: dy.LazyFrame[t.EtlRecharge], counts: dy.LazyFrame[t.LogCounts]) -> pl.LazyFrame:
    """Every payment in a known currency has the day's rate. To deliver it: gamestats ingest l2m rates.csv --day DAY."""
    return counts.filter(pl.col("payments_without_rate") > 0).select(
        "ds", "currencies_without_rate", "payments_without_rate"
    )


@breaking_rows(of=t.EtlRecharge)
def dollars_are_amount_times_rate(
    recharge: dy.LazyFrame[t.EtlRecharge], rates: dy.LazyFrame[t.ExchangeRates]
) -> pl.LazyFrame:
    """Every payment in dollars is its amount times the day's rate of its currency."""
    wide = pl.Decimal(38, 12)
    worth = (pl.col("amount").cast(wide) * pl.col("usd_per_unit_of_day").cast(wide)).cast(pl.Decimal(20, 6))
    return (
        recharge.join(
            rates.select("ds", "currency", pl.col("usd_per_unit").alias("usd_per_unit_of_day")),
            on=["ds", "currency"],
            how="left",
        )
        .filter(pl.col("daily_rev_usd").ne_missing(worth))
        .select("ds", "row_number", "currency", "amount", "usd_per_unit_of_day", "daily_rev_usd")
    )


# --------------------------------------------------------------------------- active users and money


@breaking_rows(of=t.StdActive)
def active_accounts_are_those_of_the_seven_logs(
    active: dy.LazyFrame[t.StdActive],
    login: dy.LazyFrame[t.EtlLogin],
    logout: dy.LazyFrame[t.EtlLogout],
    recharge: dy.LazyFrame[t.EtlRecharge],
    increase_item: dy.LazyFrame[t.EtlIncreaseItem],
    decrease_item: dy.LazyFrame[t.EtlDecreaseItem],
    increase_money: dy.LazyFrame[t.EtlIncreaseMoney],
    decrease_money: dy.LazyFrame[t.EtlDecreaseMoney],
) -> pl.LazyFrame:
    """An account is active on a server on a day exactly if any of the seven logs names it there."""
    logs = [login, logout, recharge, increase_item, decrease_item, increase_money, decrease_money]
    by = ["ds", "user_id", "server_id"]
    named = pl.concat([frame.select(by).unique() for frame in logs]).unique()
    return pl.concat(
        [
            named.join(active, on=by, how="anti").with_columns(pl.lit("not active").alias("what")),
            active.join(named, on=by, how="anti").select(*by, pl.lit("in no log").alias("what")),
        ]
    )


def _revenue(frame: pl.LazyFrame, column: str, name: str, by: Sequence[str] = ("ds",)) -> pl.LazyFrame:
    return frame.group_by(by).agg(pl.col(column).sum().cast(pl.Decimal(38, 6)).alias(name))


def _other_revenue(frame: pl.LazyFrame, column: str, name: str, recharge: pl.LazyFrame) -> pl.LazyFrame:
    """Returns days whose revenue in a table differs from what was recharged."""
    wanted = _revenue(recharge, "daily_rev_usd", "revenue_usd")
    return unequal(_revenue(frame, column, name), wanted, ["ds"], [(name, "revenue_usd")])


@breaking_rows(of=t.Recharge)
def revenue_is_that_of_the_payments(
    recharge: dy.LazyFrame[t.Recharge], payments: dy.LazyFrame[t.EtlRecharge]
) -> pl.LazyFrame:
    """The day's revenue is the sum of its payments, to the last decimal."""
    return _other_revenue(payments, "daily_rev_usd", "payments_usd", recharge)


@breaking_rows(of=t.Active)
def active_accounts_have_the_days_revenue(
    active: dy.LazyFrame[t.Active], recharge: dy.LazyFrame[t.Recharge]
) -> pl.LazyFrame:
    """The payments of the active accounts are the day's revenue, to the last decimal."""
    return _other_revenue(active, "revenue_usd", "revenue_of_active_usd", recharge)


@breaking_rows(of=t.Active)
def every_active_account_is_there(active: dy.LazyFrame[t.Active], seen: dy.LazyFrame[t.StdActive]) -> pl.LazyFrame:
    """The table has exactly the accounts that were active on the day, each once per server."""
    return unequal(
        active.group_by("ds").agg(pl.len().alias("accounts")),
        seen.group_by("ds").agg(pl.len().alias("active_accounts")),
        ["ds"],
        [("accounts", "active_accounts")],
    )


@breaking_rows(of=t.CumulativeRevenue)
def what_was_paid_on_the_day_is_the_days_revenue(
    lifetime: dy.LazyFrame[t.CumulativeRevenue], recharge: dy.LazyFrame[t.Recharge]
) -> pl.LazyFrame:
    """The day's part of lifetime payments is the day's revenue, to the last decimal."""
    return _other_revenue(lifetime, "daily_rev_usd", "lifetime_usd", recharge)


@breaking_rows(of=t.ServerPerformance)
def servers_add_up_to_the_days_revenue(
    servers: dy.LazyFrame[t.ServerPerformance], recharge: dy.LazyFrame[t.Recharge]
) -> pl.LazyFrame:
    """The servers' revenue is the day's revenue, to the last decimal."""
    return _other_revenue(servers, "revenue_usd", "servers_usd", recharge)


@breaking_rows(of=t.KpiDaily)
def figures_of_all_parts_are_those_of_the_whole(
    kpis: dy.LazyFrame[t.KpiDaily], recharge: dy.LazyFrame[t.Recharge]
) -> pl.LazyFrame:
    """The revenue in all, of all servers and of all countries is the day's revenue, to the last decimal."""
    found = _revenue(kpis, "revenue_usd", "parts_usd", ["ds", "dimension"])
    wanted = _revenue(recharge, "daily_rev_usd", "revenue_usd")
    expected = found.select("ds", "dimension").join(wanted, on="ds", how="left")
    return unequal(found, expected, ["ds", "dimension"], [("parts_usd", "revenue_usd")])


# --------------------------------------------------------------------------- balances


_ACCOUNT = ("user_id", "server_id", "money_type")
MOST_ACCOUNTS = 0.05
"""Share of a day's accounts above which oddities mean that rows of the day are lost."""


def _unchained(accounts: pl.LazyFrame, gains: pl.LazyFrame, spendings: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the sums of accounts' rows, and how many of their balances follow from no other row.

    Rows can form a chain in some order if all balances but the first and the last are left as often as they are met.

    Args:
        accounts: the account's columns, `day` for grouping rows, and `ds` of the rows.

    Returns:
        `day`, the account's columns, gained_in_logs, spent_in_logs, loose_ends: 0 or 1 in a chain.
    """
    by = ["day", *_ACCOUNT]
    moved = pl.concat(
        [
            frame.join(accounts, on=["ds", *_ACCOUNT]).select(
                *by,
                pl.lit(sign).alias("sign"),
                "amount",
                after="balance_after",
                before=pl.col("balance_after") - change,
            )
            for frame, sign, change in ((gains, 1, pl.col("amount")), (spendings, -1, -pl.col("amount")))
        ]
    )
    logged = moved.group_by(by).agg(
        pl.col("amount").filter(pl.col("sign") > 0).sum().alias("gained_in_logs"),
        pl.col("amount").filter(pl.col("sign") < 0).sum().alias("spent_in_logs"),
    )
    ends = (
        pl.concat(
            [
                moved.select(*by, pl.col("after").alias("balance"), pl.lit(1).alias("times")),
                moved.select(*by, pl.col("before").alias("balance"), pl.lit(-1).alias("times")),
            ]
        )
        .group_by(*by, "balance")
        .agg(pl.col("times").sum())
        .group_by(by)
        .agg(pl.col("times").filter(pl.col("times") > 0).sum().alias("loose_ends"))
    )
    return logged.join(ends, on=by, how="left")


@breaking_rows(of=t.MoneyBalances, blocking=False)
def balances_follow_from_gains_and_spendings(
    balances: dy.LazyFrame[t.MoneyBalances],
    gains: dy.LazyFrame[t.EtlIncreaseMoney],
    spendings: dy.LazyFrame[t.EtlDecreaseMoney],
) -> pl.LazyFrame:
    """An account's money at the end of the day is what it had, plus gains, minus spendings.

    Rows of one moment may come in any order.
    """
    return _not_following(balances, gains, spendings)


@breaking_rows(of=t.MoneyBalances)
def few_balances_do_not_follow(
    balances: dy.LazyFrame[t.MoneyBalances],
    gains: dy.LazyFrame[t.EtlIncreaseMoney],
    spendings: dy.LazyFrame[t.EtlDecreaseMoney],
) -> pl.LazyFrame:
    """For at most one in twenty of a day's accounts the money does not follow from gains and spendings.

    More mean that rows of the day are lost. A single account is never too many.
    """
    return _too_many(_not_following(balances, gains, spendings), balances)


def _too_many(odd: pl.LazyFrame, among: pl.LazyFrame) -> pl.LazyFrame:
    """Returns days with more than a few odd accounts."""
    accounts = pl.col("user_id").n_unique()
    most = among.group_by("ds").agg(most=(MOST_ACCOUNTS * accounts).clip(lower_bound=1))
    return odd.group_by("ds").agg(accounts=accounts).join(most, on="ds").filter(pl.col("accounts") > pl.col("most"))


def _not_following(balances: pl.LazyFrame, gains: pl.LazyFrame, spendings: pl.LazyFrame) -> pl.LazyFrame:
    """Returns accounts whose money at the end of the day is not what they had, plus gains, minus spendings."""
    net = pl.col("gained") - pl.col("spent")
    columns = ["ds", *_ACCOUNT, "opening_balance", "gained", "spent", "closing_balance"]
    doubtful = (
        balances.filter((pl.col("untold") == 0) & (pl.col("closing_balance") - pl.col("opening_balance") != net))
        .select(columns)
        .collect()
    )
    if doubtful.is_empty():
        return doubtful.lazy()
    accounts = doubtful.lazy().with_columns(day="ds")
    added_up = (pl.col("gained") == pl.col("gained_in_logs")) & (pl.col("spent") == pl.col("spent_in_logs"))
    return (
        accounts.join(
            _unchained(accounts.select("ds", "day", *_ACCOUNT), gains, spendings), on=["day", *_ACCOUNT], how="left"
        )
        .filter(~added_up.fill_null(False) | (pl.col("loose_ends").fill_null(2) > 1))
        .select(columns)
    )


@breaking_rows(of=t.MoneyBalances, blocking=False, days_around=1)
def balances_go_on_from_the_day_before(
    balances: dy.LazyFrame[t.MoneyBalances],
    gains: dy.LazyFrame[t.EtlIncreaseMoney],
    spendings: dy.LazyFrame[t.EtlDecreaseMoney],
) -> pl.LazyFrame:
    """An account that moves a money on two consecutive days begins the second with what the first left it.

    Otherwise rows of either day are lost, or someone changed the balance without a log; both days are reported. Rows of
    one moment may come in any order.
    """
    return _jumps(_two_days_running(balances), gains, spendings)


@breaking_rows(of=t.MoneyBalances, days_around=1)
def few_balances_jump_overnight(
    balances: dy.LazyFrame[t.MoneyBalances],
    gains: dy.LazyFrame[t.EtlIncreaseMoney],
    spendings: dy.LazyFrame[t.EtlDecreaseMoney],
) -> pl.LazyFrame:
    """At most one in twenty of the accounts that move a money on two consecutive days begin the second otherwise.

    More mean that rows of either day are lost, rather than balances changed. A single account is never too many.
    """
    running = _two_days_running(balances)
    # The first of two days is reported with the jumps of the second.
    both = pl.concat([running, running.with_columns(pl.col("ds").dt.offset_by("-1d"))])
    return _too_many(_jumps(running, gains, spendings), both)


def _two_days_running(balances: pl.LazyFrame) -> pl.LazyFrame:
    """Returns accounts on the second of two days with moves of a money: their first balance, and the one left
    before."""
    known = balances.filter(pl.col("untold") == 0)
    left = known.select(*_ACCOUNT, pl.col("ds").dt.offset_by("1d"), left_the_day_before="closing_balance")
    return known.join(left, on=["ds", *_ACCOUNT]).select("ds", *_ACCOUNT, "left_the_day_before", "opening_balance")


def _jumps(running: pl.LazyFrame, gains: pl.LazyFrame, spendings: pl.LazyFrame) -> pl.LazyFrame:
    """Returns accounts with another first balance, in any order of the two days' rows, once for each of the days."""
    doubtful = running.filter(pl.col("opening_balance") != pl.col("left_the_day_before")).collect()
    if doubtful.is_empty():
        return doubtful.lazy()
    both = pl.concat(
        [doubtful.lazy().select(*_ACCOUNT, pl.col("ds").dt.offset_by(back), day="ds") for back in ("0d", "-1d")]
    )
    unchained = _unchained(both, gains, spendings).rename({"day": "ds"})
    broken = (
        doubtful.lazy()
        .join(unchained, on=["ds", *_ACCOUNT], how="left")
        .filter(pl.col("loose_ends").fill_null(2) > 1)
        .select(doubtful.columns)
    )
    return pl.concat([broken, broken.with_columns(pl.col("ds").dt.offset_by("-1d"))])


ALL: tuple[Check, ...] = (
    every_payment_has_a_rate,
    every_row_is_counted,
    every_log_was_taken,
    rows_are_of_their_day,
    every_log_was_delivered,
    dollars_are_amount_times_rate,
    active_accounts_are_those_of_the_seven_logs,
    revenue_is_that_of_the_payments,
    what_was_paid_on_the_day_is_the_days_revenue,
    every_active_account_is_there,
    active_accounts_have_the_days_revenue,
    servers_add_up_to_the_days_revenue,
    figures_of_all_parts_are_those_of_the_whole,
    balances_follow_from_gains_and_spendings,
    few_balances_do_not_follow,
    balances_go_on_from_the_day_before,
    few_balances_jump_overnight,
)
