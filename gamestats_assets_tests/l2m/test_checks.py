"""Every check of the MMO passes on what is right, and finds what is planted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from gamestats_assets.l2m import checks
from gamestats_assets.l2m import tables as t
from gamestats_assets.lakehouse.quality import Check, quarantine_of
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.l2m.lake import PLAN, SmallLake

Change = Callable[[pl.DataFrame], pl.DataFrame]


def broken(small: SmallLake, check: Check, changes: dict[type[Table], Change] | None = None) -> pl.DataFrame:
    """The rows that break a check, after some of its inputs were changed."""
    frames = {}
    for name, table in check.inputs.items():
        rows = small.lake.scan(table).collect()
        frames[name] = (changes or {}).get(table, lambda same: same)(rows).lazy()
    return check.rows(**frames).collect()


def one_less(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without the last one."""
    return rows.head(rows.height - 1)


def one_cent(column: str) -> Change:
    """The rows with a millionth of a dollar more in the first one."""
    first = pl.int_range(pl.len()) == 0
    more = pl.lit(Decimal("0.000001"))
    return lambda rows: rows.with_columns(
        pl.when(first).then(pl.col(column) + more).otherwise(pl.col(column)).cast(rows.schema[column]).alias(column)
    )


def as_first(**values: object) -> Change:
    """The rows with other values in the first one."""
    first = pl.int_range(pl.len()) == 0
    return lambda rows: rows.with_columns(
        pl.when(first).then(pl.lit(value)).otherwise(pl.col(name)).cast(rows.schema[name]).alias(name)
        for name, value in values.items()
    )


def as_of(**values: object) -> Change:
    """The rows with other values in all of them."""
    return lambda rows: rows.with_columns(
        pl.lit(value).cast(rows.schema[name]).alias(name) for name, value in values.items()
    )


def _rejected(log: str) -> Change:
    """A quarantine that holds all of a log."""
    entry = {
        "destination": f"{log}@{PLAN.start}", "table_name": log, "partition_key": str(PLAN.start), "unit_id": "(all)",
        "entry": 0, "scope": "unit", "rule": "amount|min", "reason": "All rows are rejected.", "rejected_rows": 9,
        "content": None,
    }  # fmt: skip
    return lambda rows: pl.DataFrame([entry], schema=quarantine_of("l2m").schema())


PLANTED: list[tuple[Check, dict[type[Table], Change]]] = [
    (checks.every_row_is_counted, {t.EtlRecharge: one_less}),
    (checks.every_row_is_counted, {t.EtlLogout: one_less}),
    (checks.every_row_is_counted, {t.EtlIncreaseItem: lambda rows: pl.concat([rows, rows.head(1)])}),
    (checks.every_row_is_counted, {t.EtlDecreaseMoney: lambda rows: rows.clear()}),
    (checks.every_log_was_taken, {quarantine_of("l2m"): _rejected("etl_recharge")}),
    (checks.every_log_was_taken, {quarantine_of("l2m"): _rejected("etl_logout")}),
    (checks.rows_are_of_their_day, {t.LogCounts: as_of(rows_read=30, rows_of_other_days=7)}),
    (checks.rows_are_of_their_day, {t.LogCounts: as_of(rows_read=2, rows_of_other_days=2)}),
    (checks.every_log_was_delivered, {t.LogCounts: one_less}),
    (checks.every_payment_has_a_rate, {t.LogCounts: as_first(payments_without_rate=1)}),
    (checks.dollars_are_amount_times_rate, {t.EtlRecharge: one_cent("daily_rev_usd")}),
    (checks.dollars_are_amount_times_rate, {t.ExchangeRates: lambda rows: rows.clear()}),
    (checks.active_accounts_are_those_of_the_seven_logs, {t.StdActive: one_less}),
    (checks.active_accounts_are_those_of_the_seven_logs, {t.StdActive: as_first(user_id="nobody")}),
    (checks.revenue_is_that_of_the_payments, {t.Recharge: one_cent("daily_rev_usd")}),
    (checks.revenue_is_that_of_the_payments, {t.EtlRecharge: one_less}),
    (checks.what_was_paid_on_the_day_is_the_days_revenue, {t.CumulativeRevenue: one_cent("daily_rev_usd")}),
    (checks.every_active_account_is_there, {t.Active: one_less}),
    (checks.active_accounts_have_the_days_revenue, {t.Active: one_cent("revenue_usd")}),
    (checks.servers_add_up_to_the_days_revenue, {t.ServerPerformance: one_cent("revenue_usd")}),
    (checks.figures_of_all_parts_are_those_of_the_whole, {t.KpiDaily: one_cent("revenue_usd")}),
    (checks.balances_follow_from_gains_and_spendings, {t.MoneyBalances: as_first(gained=1_000_000_007)}),
    (checks.few_balances_do_not_follow, {t.MoneyBalances: as_of(gained=1_000_000_007)}),
    *(
        (
            check,
            {
                t.MoneyBalances: lambda rows: rows.with_columns(pl.col("opening_balance") + 1),
                t.EtlIncreaseMoney: lambda rows: rows.with_columns(pl.col("balance_after") + pl.col("row_number")),
            },
        )
        for check in (checks.balances_go_on_from_the_day_before, checks.few_balances_jump_overnight)
    ),
]
WARNINGS = (
    checks.every_log_was_delivered,
    checks.balances_follow_from_gains_and_spendings,
    checks.balances_go_on_from_the_day_before,
)


def test_every_check_but_warnings_blocks_and_passes_on_what_is_right(small: SmallLake) -> None:
    assert {check.name for check, _ in PLANTED} == {check.name for check in checks.ALL}
    for check in checks.ALL:
        assert check.blocking == (check not in WARNINGS)
        assert broken(small, check).is_empty(), check.name


@pytest.mark.parametrize(("check", "changes"), PLANTED, ids=lambda part: getattr(part, "name", ""))
def test_every_check_finds_what_is_planted(small: SmallLake, check: Check, changes: dict[type[Table], Change]) -> None:
    assert not broken(small, check, changes).is_empty()


def test_money_of_one_account_that_does_not_add_up_stops_nothing(small: SmallLake) -> None:
    odd: dict[type[Table], Change] = {t.MoneyBalances: as_first(gained=1_000_000_007)}
    assert broken(small, checks.balances_follow_from_gains_and_spendings, odd).height == 1
    assert broken(small, checks.few_balances_do_not_follow, odd).is_empty()


@pytest.mark.parametrize(("accounts", "jumping", "days"), [(1, 1, 0), (40, 2, 0), (40, 3, 2), (40, 40, 2)])
def test_single_balances_that_jump_overnight_stop_nothing(accounts: int, jumping: int, days: int) -> None:
    numbers = pl.DataFrame({"number": range(accounts)})
    balances = pl.concat(
        numbers.select(
            ds=pl.lit(ds),
            user_id=pl.format("u{}", "number"),
            server_id=pl.lit("S1"),
            money_type=pl.lit("902"),
            gained=pl.lit(0),
            spent=pl.lit(0),
            opening_balance=pl.when(pl.col("number") < jumping).then(opening).otherwise(10),
            closing_balance=pl.lit(10),
            untold=pl.lit(0),
        )
        for ds, opening in ((date(2026, 3, 1), 10), (date(2026, 3, 2), 11))
    )
    moved = [table.create_empty().lazy() for table in (t.EtlIncreaseMoney, t.EtlDecreaseMoney)]
    entry, stopped = (
        check.rows(balances.cast(t.MoneyBalances.schema()).lazy(), *moved).collect()
        for check in (checks.balances_go_on_from_the_day_before, checks.few_balances_jump_overnight)
    )
    assert entry.height == 2 * jumping
    assert stopped.get_column("ds").n_unique() == days


@pytest.mark.parametrize(("rows_read", "others"), [(30, 6), (3, 1), (4, 2), (0, 0)])
def test_clocks_that_are_wrong_in_a_few_rows_stop_nothing(small: SmallLake, rows_read: int, others: int) -> None:
    changes: dict[type[Table], Change] = {t.LogCounts: as_of(rows_read=rows_read, rows_of_other_days=others)}
    assert broken(small, checks.rows_are_of_their_day, changes).is_empty()


def test_what_is_in_quarantine_counts_as_accounted_for(small: SmallLake) -> None:
    row = {
        "destination": f"etl_recharge@{PLAN.start}",
        "table_name": "etl_recharge",
        "partition_key": str(PLAN.start),
        "unit_id": "(all)",
        "entry": 0,
        "scope": "row",
        "rule": "unreadable_value",
        "reason": "Row 1: amount must be a number.",
        "rejected_rows": 1,
        "content": None,
    }
    quarantine = quarantine_of("l2m")
    held = pl.DataFrame([row], schema=quarantine.schema())
    first_of_the_day = pl.int_range(pl.len()).over("ds") > 0
    without_one = {
        t.EtlRecharge: lambda rows: rows.filter(first_of_the_day | (pl.col("ds") != PLAN.start)),
        quarantine: lambda _: held,
    }
    assert broken(small, checks.every_row_is_counted, without_one).is_empty()


def test_what_was_lost_at_the_end_of_a_day_is_missed_on_the_next(tmp_path: Path) -> None:
    account = {"user_id": "u1", "server_id": "S1", "money_type": "902", "reason_id": "31"}
    rows = [("2026-03-01", 10, 15), ("2026-03-01", 5, 20), ("2026-03-02", 3, 23), ("2026-03-04", 1, 30)]
    for name, kept, found in (
        ("right", rows, []),
        ("lost", [rows[0], *rows[2:]], [date(2026, 3, 2), date(2026, 3, 1)]),
    ):
        lake = SmallLake(tmp_path / f"{name}_lake")
        days = sorted({ds for ds, _, _ in kept})
        for ds in days:
            folder = tmp_path / name / ds
            folder.mkdir(parents=True)
            entry = [
                {**account, "amount": amount, "balance_after": after, "time": f"{ds} 10:00:0{place}"}
                for place, (day, amount, after) in enumerate(kept)
                if day == ds
            ]
            pl.DataFrame(entry).write_csv(folder / "increase_money.csv")
        lake.take(tmp_path / name, days)
        lake.make(days, [t.MoneyBalances])
        assert broken(lake, checks.balances_follow_from_gains_and_spendings).is_empty()
        # On the fourth it is not known what moved on the third.
        assert broken(lake, checks.balances_go_on_from_the_day_before).get_column("ds").to_list() == found


def test_rows_of_one_moment_may_have_come_in_any_order_and_a_lost_one_is_found(tmp_path: Path) -> None:
    at = pl.lit("2026-03-01 10:00:00").str.to_datetime(time_unit="us", time_zone="UTC")
    columns = {"user_id": "u1", "server_id": "S1", "money_type": "902", "reason_id": "31"}
    # 10 before; at one moment 5 go and 20 come, in this order: balances of 5 and 25.
    gains = pl.DataFrame([{**columns, "amount": 20, "balance_after": 25}])
    spends = pl.DataFrame([{**columns, "amount": 5, "balance_after": 5}])
    gains, spends = gains.with_columns(time=at), spends.with_columns(time=at)
    for name, spendings, is_right in (("right", spends, True), ("lost", spends.with_columns(balance_after=4), False)):
        folder = tmp_path / name
        folder.mkdir()
        gains.write_parquet(folder / "increase_money.parquet")
        spendings.write_parquet(folder / "decrease_money.parquet")
        lake = SmallLake(tmp_path / f"{name}_lake")
        lake.deliver(folder, "2026-03-01")
        lake.extract("2026-03-01")
        lake.make(["2026-03-01"], [t.MoneyBalances])
        assert broken(lake, checks.balances_follow_from_gains_and_spendings).is_empty() == is_right
