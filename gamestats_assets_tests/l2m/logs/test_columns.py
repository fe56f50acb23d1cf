"""Columns of raw logs: what they may be called, and what their values may be, to the last digit and microsecond."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from gamestats_assets.l2m.logs.columns import ColumnMappingError, read_mapping
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets_tests.l2m.log_day import (
    NOON,
    Read,
    csv_bytes,
    delivered,
    exact,
    json_bytes,
    put,
    put_parquet,
    read_content,
    read_day,
    rows,
)


def read_csv(tmp_path: Path, log: str, column: str, value: Any) -> Read:
    """A log of one sound row and one with this value."""
    return read_content(tmp_path, f"{log}.csv", csv_bytes([*rows(log), *rows(log, 1, **{column: value})]))


def read_parquet(tmp_path: Path, log: str, **columns: pa.Array | Sequence[Any]) -> Read:
    """A log as a Parquet file of two sound rows, with these columns in place of its own."""
    sound = {name: [row[name] for row in rows(log, 2)] for name in rows(log)[0]}
    delivered(tmp_path, [put_parquet(tmp_path / "logs", f"{log}.parquet", {**sound, **columns})])
    return read_day(Landing(tmp_path / "landing"))


# --------------------------------------------------------------------------- values that cannot be read


@pytest.mark.parametrize(
    ("log", "column", "value", "told"),
    [
        ("login", "level", "seven", "level must be a whole number up to 32,767."),
        ("login", "level", "7.5", "level must be a whole number up to 32,767."),
        ("login", "level", "0x10", "level must be a whole number up to 32,767."),
        ("increase_item", "count", "1.5", "count must be a whole number, and is required."),
        ("increase_item", "count", "9223372036854775808", "count must be a whole number, and is required."),
        ("increase_money", "balance_after", "much", "balance_after must be a whole number."),
        ("recharge", "amount", "4.99001", "amount must be a number with at most 4 decimals, and is required."),
        ("recharge", "amount", "$4.99", "amount must be a number with at most 4 decimals, and is required."),
        (
            "recharge",
            "amount",
            "100000000000000",
            "amount must be a number with at most 4 decimals, and is required.",
        ),
        ("login", "user_id", "   ", "user_id must be a text, and is required."),
    ],
)
def test_what_is_no_value_is_quarantined_with_file_line_column_and_content(
    tmp_path: Path, log: str, column: str, value: str, told: str
) -> None:
    found = read_csv(tmp_path, log, column, value)
    [rejection] = [each for each in found.rejected(log) if each.rule == "unreadable_value"]
    assert (rejection.unit_id, rejection.scope, rejection.rejected_rows) == (f"{log}.csv", "row", 1)
    assert rejection.reason == f"Line 3: {told}"
    assert rejection.content == csv_bytes(rows(log, 1, **{column: value})).decode().splitlines()[1]


def test_every_column_of_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    bad = rows("increase_item", user_id="", count="x", level="y", time="z")
    found = read_content(tmp_path, "increase_item.jsonl", json_bytes([*rows("increase_item"), *bad]))
    [rejection] = found.rejected("increase_item")
    assert rejection.reason.startswith("Line 2: user_id must be a text, and is required; count must be a whole")
    assert "level must be" in rejection.reason
    assert "time must be a time" in rejection.reason
    assert json.loads(rejection.content or "") == bad[0]


def test_a_row_of_parquet_that_cannot_be_read_is_told_by_its_number_and_values(tmp_path: Path) -> None:
    found = read_parquet(tmp_path, "increase_item", count=pa.array([3.0, 1.5]), level=["7", "high"])
    [rejection] = found.rejected("increase_item")
    assert rejection.reason.startswith("Row 2: count must be a whole number, and is required; level must be a whole")
    told = json.loads(rejection.content or "")
    assert (told["user_id"], told["count"], told["level"]) == ("u1", 1.5, "high")


@pytest.mark.parametrize(
    ("value", "expected"), [("7", 7), (" 7 ", 7), ("+7", 7), ("7.0", 7), ("7.", 7), ("007", 7), ("32767", 32767)]
)
def test_whole_numbers_may_be_written_in_several_ways(tmp_path: Path, value: str, expected: int) -> None:
    assert read_csv(tmp_path, "login", "level", value).column("login", "level") == [7, expected]


# --------------------------------------------------------------------------- times

SEOUL = timezone(timedelta(hours=9))
AT = datetime(2026, 3, 1, 10, 0, 0, 123456, UTC)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-03-01 10:00:00.123456", AT),
        ("2026-03-01T10:00:00.123456Z", AT),
        ("2026-03-01T19:00:00.123456+09:00", AT),
        ("2026-03-01T05:30:00.123456-04:30", AT),
        ("2026-03-01 10:00:00.123456999", AT),
        ("1772359200", AT.replace(microsecond=0)),
        ("1772359200.123456", AT),
        ("1772359200123456", AT),
        ("1772359200123456789", AT),
    ],
)
def test_a_time_may_be_iso_with_and_without_a_zone_or_a_number_since_1970(
    tmp_path: Path, written: str, expected: datetime
) -> None:
    assert read_csv(tmp_path, "login", "time", written).column("login", "time") == [NOON, expected]


@pytest.mark.parametrize(
    "written",
    ["2026-02-30 10:00:00", "now", "infinity", "1999-12-31 23:59:59", "2100-01-01 00:00:00", "-1772359200", "9" * 30],
)
def test_an_impossible_time_is_none(tmp_path: Path, written: str) -> None:
    for log in ("login", "increase_item"):
        [rejection] = read_csv(tmp_path / log, log, "time", written).rejected(log)
        assert rejection.reason.startswith("Line 3: time must be a time of this century")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Seoul"])
def test_timestamps_of_parquet_are_the_moment_whatever_their_unit_and_zone(
    tmp_path: Path, unit: Any, zone: str | None
) -> None:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    since = [int(NOON.timestamp()) * per_second + part for part in (0, per_second - 1)]
    values = pa.array(since, pa.int64()).cast(pa.timestamp(unit, zone))
    last = NOON + timedelta(microseconds=(per_second - 1) * 10**6 // per_second)
    assert read_parquet(tmp_path, "login", time=values).column("login", "time") == [NOON, last]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1772359200, 1772359201], pa.int64()), [AT.replace(microsecond=0, second=s) for s in (0, 1)]),
        (pa.array([1772359200123, None], pa.int64()), [AT.replace(microsecond=123000), None]),
        (pa.array([1772359200.25, float("nan")]), [AT.replace(microsecond=250000), None]),
        (pa.array([Decimal("1772359200.123456"), None]), [AT, None]),
        (pa.array([date(2026, 3, 1), None]), [datetime(2026, 3, 1, tzinfo=UTC), None]),
        (pa.array([datetime(2026, 3, 1, 19, tzinfo=SEOUL), None]), [AT.replace(microsecond=0), None]),
        (pa.array(["2026-03-01T10:00:00.123456Z", " "]), [AT, None]),
    ],
)  # fmt: skip
def test_numbers_days_and_texts_of_parquet_may_be_times(tmp_path: Path, values: pa.Array, expected: list[Any]) -> None:
    assert read_parquet(tmp_path, "increase_item", time=values).column("increase_item", "time") == expected


# --------------------------------------------------------------------------- types of Parquet

WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float32(),
         pa.float64(), pa.decimal128(9, 0), pa.decimal128(18, 4), pa.string(), pa.large_string()]  # fmt: skip


@pytest.mark.parametrize("type", WHOLE, ids=str)
def test_whole_numbers_may_have_any_type_that_holds_them(tmp_path: Path, type: pa.DataType) -> None:
    values = pa.array(["3", None]) if pa.types.is_string(type) else pa.array([3, None]).cast(pa.decimal128(19, 0))
    values = values.cast(type)
    found = read_parquet(tmp_path, "increase_money", balance_after=values, amount=values.fill_null(values[0]))
    assert found.column("increase_money", "balance_after") == [3, None]
    assert found.column("increase_money", "amount") == [3, 3]
    found = read_parquet(tmp_path / "ids", "increase_item", item_id=values.fill_null(values[0]), level=values)
    assert found.column("increase_item", "item_id") == ["3", "3"]
    assert found.column("increase_item", "level") == [3, None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([4.99, 1290000.1], pa.float64()), ("4.99", "1290000.1")),
        (pa.array([4.99, 12345.5], pa.float32()), ("4.99", "12345.5")),
        (pa.array([Decimal("4.99"), Decimal("12.5")], pa.decimal128(38, 18)), ("4.99", "12.5")),
        (pa.array([Decimal("4.99"), Decimal("12.5")], pa.decimal128(5, 2)), ("4.99", "12.5")),
        (pa.array(["4.9900000", "12.50"]), ("4.99", "12.5")),
        (pa.array(["4.99", "499e-2"]).dictionary_encode(), ("4.99", "4.99")),
        (pa.array([5, 7], pa.int32()), ("5", "7")),
    ],
    ids=lambda values: str(values.type) if isinstance(values, pa.Array) else "",
)
def test_amounts_may_have_any_type_and_stay_what_they_were(
    tmp_path: Path, values: pa.Array, expected: tuple[str, ...]
) -> None:
    delivered(tmp_path, [put(tmp_path / "logs", "rates.csv", csv_bytes(rows("exchange_rates")))])
    assert read_parquet(tmp_path, "recharge", amount=values).column("recharge", "amount") == exact(*expected)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["u1", "u2"]).dictionary_encode(),
        pa.array(["u1", "u2"], pa.large_string()),
        pa.array([b"u1", b"u2"], pa.binary()),
        pa.array(["u1", "u2"], pa.string_view()),
    ],
    ids=lambda values: str(values.type),
)
def test_texts_may_be_stored_in_any_way(tmp_path: Path, values: pa.Array) -> None:
    assert read_parquet(tmp_path, "login", user_id=values).column("login", "user_id") == ["u1", "u2"]


def test_numbers_may_be_ids_and_those_with_a_fraction_of_zero_are_whole(tmp_path: Path) -> None:
    found = read_parquet(
        tmp_path,
        "increase_money",
        user_id=pa.array([2**63 - 1, 12], pa.int64()),
        guild_id=pa.array([17.0, float("nan")]),
        guild_name=pa.array([1.5, None]),
        reason_id=pa.array([Decimal("31.00"), Decimal("31.50")]),
    )
    assert found.column("increase_money", "user_id") == ["9223372036854775807", "12"]
    assert found.column("increase_money", "guild_id") == ["17", None]
    assert found.column("increase_money", "guild_name") == ["1.5", None]
    assert found.column("increase_money", "reason_id") == ["31", "31.50"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([date(2026, 3, 1)] * 2),
        pa.array([True, False]),
        pa.array([5, 6], pa.time64("us")),
        pa.array([b"\0\1", b"\0\2"]),
    ],
    ids=lambda values: str(values.type),
)
def test_columns_of_a_type_that_is_none_of_ours_are_told_row_by_row(tmp_path: Path, values: pa.Array) -> None:
    found = read_parquet(tmp_path, "login", level=values)
    assert [each.rule for each in found.rejected("login")] == ["unreadable_value"] * 2


# --------------------------------------------------------------------------- which columns there are


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_a_file_without_a_required_column_is_rejected_with_advice(tmp_path: Path, format: str) -> None:
    given = [{"uid" if name == "user_id" else name: value for name, value in row.items()} for row in rows("login", 3)]
    if format == "parquet":
        path = put_parquet(
            tmp_path / "logs", "login-a.parquet", {name: [row[name] for row in given] for name in given[0]}
        )
    else:
        path = put(tmp_path / "logs", f"login-a.{format}", csv_bytes(given) if format == "csv" else json_bytes(given))
    sound = put(tmp_path / "logs", "login-b.csv", csv_bytes(rows("login")))
    delivered(tmp_path, [path, sound])
    found = read_day(Landing(tmp_path / "landing"))
    assert found.column("login", "user_id") == ["u0"]
    [rejection] = found.rejected("login")
    assert (rejection.unit_id, rejection.scope, rejection.rule) == (path.name, "file", "missing_column")
    assert rejection.rejected_rows == 3
    assert rejection.reason == (
        "The login log of 2026-03-01 has no column user_id; its columns are uid, server_id, level, ip, device, "
        "country, time. Deliver the day again with a mapping: gamestats ingest l2m PATH --day 2026-03-01 --log login "
        '--columns FILE, where FILE says {"login": {"user_id": "YOURS"}}.'
    )
    assert found.counts["login"] == {
        "files": 2, "rows_read": 4, "unreadable": 3, "duplicates": 0, "not_wanted": 0, "rows_of_other_days": 0,
        "payments_without_rate": 0,
        "currencies_without_rate": None,
    }  # fmt: skip


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_columns_may_be_called_otherwise(tmp_path: Path, format: str) -> None:
    called = {"user_id": "uid", "count": "the number, of", "item_id": 'a"b/c~d'}
    given = [{called.get(name, name): value for name, value in row.items()} for row in rows("increase_item", 2)]
    mapping = read_mapping(json.dumps({"*": {"user_id": "uid"}, "item_gain": called}).encode(), "columns.json")
    if format == "parquet":
        columns = {name: [row[name] for row in given] for name in given[0]}
        path = put_parquet(tmp_path / "logs", "increase_item.parquet", columns)
    else:
        content = csv_bytes(given) if format == "csv" else json_bytes(given)
        path = put(tmp_path / "logs", f"increase_item.{format}", content)
    delivered(tmp_path, [path], columns=mapping)
    found = read_day(Landing(tmp_path / "landing"))
    assert found.column("increase_item", "user_id") == ["u0", "u1"]
    assert found.column("increase_item", "item_count") == [3, 3]
    assert found.column("increase_item", "item_id") == ["1001", "1001"]


# --------------------------------------------------------------------------- the mapping


def test_a_star_holds_for_every_log_that_has_the_column_and_says_nothing_else() -> None:
    told = {
        "*": {"user_id": "uid", "amount": "value"},
        "recharge": {"amount": "paid"},
        "rates": {"usd_per_unit": "usd"},
    }
    found = read_mapping(b"\xef\xbb\xbf" + json.dumps(told).encode(), "columns.json")
    assert found["login"] == {"user_id": "uid"}
    assert found["recharge"] == {"user_id": "uid", "amount": "paid"}
    assert found["decrease_money"] == {"user_id": "uid", "amount": "value"}
    assert found["exchange_rates"] == {"usd_per_unit": "usd"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"{cut", "columns.json: expected JSON"),
        (b"\xff\xfe{}", "columns.json: expected JSON"),
        (b"[" * 100_000, "columns.json: expected JSON"),
        (b"[]", 'expected, for each log, our column names and yours: {"login": {"user_id": "uid"}}'),
        (b'{"login": "uid"}', "expected, for each log"),
        (b'{"login": {"user_id": 5}}', "expected, for each log"),
        (b'{"login": {"user_id": " "}}', "expected, for each log"),
        (b'{"logins": {}}', "there is no log 'logins'. Logs: login, logout, recharge"),
        (b'{"login": {"uid": "user_id"}}', "login has no column 'uid'. Its columns: country, device, ip, level"),
        (b'{"login": {"uid": "user_id"}}', "Our name comes before the colon, yours after it."),
        (b'{"*": {"ds": "dt"}}', "* has no column 'ds'"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused_with_advice(text: bytes, told: str) -> None:
    with pytest.raises(ColumnMappingError) as refused:
        read_mapping(text, "columns.json")
    assert told in str(refused.value)
