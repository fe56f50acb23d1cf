"""A day of logs: payments in dollars to the last digit, rates, quarantine, and that every row is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

import polars as pl
import pytest

from gamestats_assets.l2m.checks import Quarantine
from gamestats_assets.l2m.logs import decoding as logs
from gamestats_assets.l2m.tables import ETL, EtlIncreaseItem, EtlLogin, ExchangeRates
from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets_tests.l2m.log_day import (
    Read,
    csv_bytes,
    delivered,
    exact,
    json_bytes,
    put,
    read_content,
    read_day,
    rows,
    write,
)


def rates(*entries: tuple[str, str]) -> bytes:
    """A file of rates."""
    return csv_bytes([{"currency": currency, "usd_per_unit": rate} for currency, rate in entries])


def read_payments(tmp_path: Path, paid: list[tuple[str, str]], *entries: bytes) -> Read:
    """Payments (amount, currency), with files of rates."""
    for number, content in enumerate(entries):
        put(tmp_path / "logs", f"exchange_rates-{number}.csv", content)
    given_rows = [
        row | {"amount": a, "currency": c} for row, (a, c) in zip(rows("recharge", len(paid)), paid, strict=True)
    ]
    put(tmp_path / "logs", "recharge.csv", csv_bytes(given_rows))
    delivered(tmp_path, [tmp_path / "logs"])
    return read_day(Landing(tmp_path / "landing"))


def dollars(amount: Decimal, rate: Decimal) -> Decimal:
    """Amount times rate, rounded once to six decimals, a half to the even one."""
    with localcontext(prec=60):
        return (amount * rate).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


# --------------------------------------------------------------------------- dollars


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [
        ("25000", "0.00003850", "0.962500"),
        ("4.99", "1", "4.990000"),
        # A half goes to the even neighbour, up and down.
        ("0.5", "0.000001", "0.000000"),
        ("1.5", "0.000001", "0.000002"),
        ("2.5", "0.000001", "0.000002"),
        ("0.5001", "0.000001", "0.000001"),
        # Rounded first to seven decimals or to eight, this would be 0.000003.
        ("2.4999", "0.000001", "0.000002"),
        ("0.0001", "0.00009999", "0.000000"),
        ("0.0001", "0.00500000", "0.000000"),
        ("0.0003", "0.00500000", "0.000002"),
        ("99999999999999.9999", "0.00000001", "1000000.000000"),
        ("12345678901234.5678", "0.98765432", "12193263100137.174221"),
        ("0", "23000.12345678", "0.000000"),
        ("1234.5678", "9999999999.99999999", "12345677999999.999988"),
    ],
)
def test_dollars_are_amount_times_rate_rounded_once_a_half_to_the_even_neighbour(
    tmp_path: Path, amount: str, rate: str, expected: str
) -> None:
    assert dollars(Decimal(amount), Decimal(rate)) == Decimal(expected)
    found = read_payments(tmp_path, [(amount, "KRW")], rates(("KRW", rate)))
    assert found.column("recharge", "daily_rev_usd") == exact(expected)
    assert found.column("recharge", "usd_per_unit") == exact(rate)


def test_a_payment_that_is_worth_more_than_can_be_stored_is_quarantined(tmp_path: Path) -> None:
    found = read_payments(
        tmp_path, [("99999999999999", "KRW"), ("1", "KRW"), ("100000", "KRW")], rates(("KRW", "1000000000"))
    )
    assert found.column("recharge", "daily_rev_usd") == exact("1000000000")
    assert [(each.rule, each.rejected_rows) for each in found.rejected("recharge")] == [("too_large", 1)] * 2
    assert "more dollars than can be stored" in found.rejected("recharge")[0].reason


# --------------------------------------------------------------------------- currencies and rates


def test_a_payment_in_an_unknown_currency_is_quarantined_with_the_currency(tmp_path: Path) -> None:
    found = read_payments(tmp_path, [("1", "USD"), ("2", "XXX"), ("3", "usd")], rates(("USD", "1"), ("XXX", "2")))
    assert found.column("recharge", "amount") == exact("1")
    entries = found.rejected("recharge")
    assert [each.rule for each in entries] == ["unknown_currency"] * 2
    assert entries[0].reason == ("Line 3: 'XXX' is not a known currency; data/reference/l2m/currencies.csv lists them.")
    assert json.loads(entries[0].content or "")["amount"] == "2.0000"
    assert found.counts["recharge"]["payments_without_rate"] == 0


def test_a_payment_without_a_rate_is_quarantined_with_currency_and_day_and_counted(tmp_path: Path) -> None:
    found = read_payments(tmp_path, [("1", "USD"), ("2", "VND"), ("3", "VND")], rates(("USD", "1")))
    assert found.column("recharge", "amount") == exact("1")
    assert [each.rule for each in found.rejected("recharge")] == ["no_rate"] * 2
    assert found.rejected("recharge")[1].reason == (
        "Line 4: there is no rate of VND for 2026-03-01. Deliver it: gamestats ingest l2m rates.csv --day 2026-03-01 "
        "(columns currency, usd_per_unit)."
    )
    assert found.counts["recharge"]["payments_without_rate"] == 2


@pytest.mark.parametrize("in_files", [1, 2])
def test_a_currency_with_different_rates_has_none_and_multiplies_no_payment(tmp_path: Path, in_files: int) -> None:
    entries = [("USD", "1"), ("VND", "0.00004")], [("VND", "0.00005")]
    files = [rates(*entries[0], *entries[1])] if in_files == 1 else [rates(*each) for each in entries]
    found = read_payments(tmp_path, [("1", "USD"), ("2", "VND")], *files)
    assert found.column("recharge", "amount") == exact("1")
    assert found.counts["recharge"]["payments_without_rate"] == 1
    assert found.column("exchange_rates", "currency") == ["USD"]
    doubled = found.rejected("exchange_rates")
    assert [each.rule for each in doubled] == ["doubled_rate"] * 2
    assert doubled[0].reason.startswith("Line 3: VND has more than one rate on 2026-03-01.")
    assert [each.unit_id for each in doubled] == [f"2026-03-01/exchange_rates-{n}.csv" for n in (0, in_files - 1)]
    assert found.counts["exchange_rates"]["rows_read"] == 3


@pytest.mark.parametrize("rate", ["0", "-1", "x", "", "0.000000001", "10000000000"])
def test_a_rate_that_is_none_values_no_payment_and_costs_no_other_rate(tmp_path: Path, rate: str) -> None:
    found = read_payments(tmp_path, [("1", "USD"), ("2", "VND")], rates(("USD", "1"), ("VND", rate)))
    assert found.column("recharge", "amount") == exact("1")
    assert found.counts["recharge"]["payments_without_rate"] == 1
    lake = Lake(tmp_path / "lake")
    commit = write(lake, Landing(tmp_path / "landing"))[ExchangeRates]
    assert (commit.rows, commit.rejected_rows) == (1, 1)


# --------------------------------------------------------------------------- into the lake


def quarantined(lake: Lake) -> pl.DataFrame:
    """What the quarantine holds."""
    return lake.scan(Quarantine).collect().sort("table_name", "unit_id", "entry")


def items(number: int, *bad: tuple[int, str]) -> bytes:
    """A log of items, some rows with another count."""
    given_rows = rows("increase_item", number)
    for row, count in bad:
        given_rows[row]["count"] = count
    return csv_bytes(given_rows)


def test_above_five_percent_the_whole_log_of_the_day_is_rejected_and_no_other(tmp_path: Path) -> None:
    lake, landing = Lake(tmp_path / "lake"), Landing(tmp_path / "landing")
    put(tmp_path / "logs", "increase_item.csv", items(300, *((row, "x") for row in range(16))))
    put(tmp_path / "logs", "login.csv", csv_bytes(rows("login", 3)))
    delivered(tmp_path, [tmp_path / "logs"])
    commits = write(lake, landing)
    assert (commits[EtlIncreaseItem].rows, commits[EtlIncreaseItem].rejected_rows) == (0, 300)
    assert commits[EtlLogin].rows == 3
    entries = quarantined(lake)
    assert entries.get_column("rejected_rows").sum() == 300
    [whole] = entries.filter(pl.col("scope") == "unit").rows(named=True)
    assert whole["rejected_rows"] == 284
    assert "16 of 300 rows broke a rule, more than 5.0%" in whole["reason"]
    # Mended, it is all there, and nothing of it is in quarantine.
    delivered(tmp_path, [put(tmp_path / "mended", "increase_item.csv", items(300))])
    assert write(lake, landing)[EtlIncreaseItem].rows == 300
    assert quarantined(lake).is_empty()


def test_rows_are_told_one_by_one_up_to_a_number_and_then_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_TOLD_ROW_BY_ROW", 3)
    monkeypatch.setattr(logs, "_PIECE_ROWS", 2)
    found = read_content(tmp_path, "increase_item.csv", items(9, *((row, "x") for row in range(8))))
    entries = found.rejected("increase_item")
    assert [each.rejected_rows for each in entries[:3]] == [1, 1, 1]
    assert sum(each.rejected_rows for each in entries) == 8
    assert all("more rows are not listed one by one" in each.reason for each in entries[3:])
    assert found.column("increase_item", "user_id") == ["u8"]


def test_a_day_is_the_same_in_pieces_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "logs", "increase_item-0.csv", items(20, (3, "x"), (11, "")))
    put(tmp_path / "logs", "increase_item-1.jsonl", json_bytes(rows("increase_item", 7)))
    delivered(tmp_path, [tmp_path / "logs"])
    landing = Landing(tmp_path / "landing")
    whole = read_day(landing)
    monkeypatch.setattr(logs, "_PIECE_ROWS", 3)
    in_pieces = read_day(landing)
    for log in ETL:
        assert in_pieces.of(log).equals(whole.of(log))
        assert in_pieces.rejected(log) == whole.rejected(log)
    assert in_pieces.counts == whole.counts
    assert Counter(whole.column("increase_item", "row_number")).most_common(1)[0][1] == 1
