"""Raw files: the three formats say the same, dirt costs a line and no other, and every line is accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.l2m.logs import raw_files
from gamestats_assets.l2m.logs.raw_files import FAULTS, lines
from gamestats_assets.l2m.tables import LANDED_TABLES
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.simulators.l2m.logs import TABLES, Format, Plan, simulate
from gamestats_assets_tests.l2m.log_day import (
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

PLAN = Plan(accounts=200, days=1, farms=1)


def simulated(folder: Path, format: Format) -> Read:
    """A simulated day, read."""
    simulate(PLAN, folder / "logs", format, rates=True)
    delivered(folder, [folder / "logs"])
    return read_day(Landing(folder / "landing"))


# --------------------------------------------------------------------------- the formats


def test_the_three_formats_give_the_same_rows_which_are_those_that_were_written(tmp_path: Path) -> None:
    found = {format: simulated(tmp_path / format, format) for format in ("parquet", "csv", "jsonl")}
    for table in LANDED_TABLES:
        for format in ("csv", "jsonl"):
            assert_frame_equal(found[format].tables[table], found["parquet"].tables[table])
    assert all(not rejected for read in found.values() for rejected in read.rejections.values())
    for log in TABLES:
        written = pl.read_parquet(tmp_path / f"parquet/logs/2026-03-01/{log}-000.parquet")
        renamed = written.rename({"count": "item_count"}, strict=False)
        assert_frame_equal(found["parquet"].of(log).select(renamed.columns), renamed)
        assert found["csv"].counts[log]["rows_read"] == written.height > 0


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: b"\xef\xbb\xbf" + content, id="BOM"),
        pytest.param(lambda content: content.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(lambda content: content.rstrip(b"\n"), id="no-last-line-end"),
        pytest.param(lambda content: b"\n \n" + content.replace(b"\n", b"\n\n") + b"\t\n", id="blank-lines"),
    ],
)
def test_marks_and_line_ends_of_other_systems_change_nothing(tmp_path: Path, format: str, change: Any) -> None:
    content = csv_bytes(rows("login", 3)) if format == "csv" else json_bytes(rows("login", 3))
    expected = read_content(tmp_path / "plain", f"login.{format}", content)
    found = read_content(tmp_path / "changed", f"login.{format}", change(content))
    assert_frame_equal(found.of("login"), expected.of("login"))
    assert found.column("login", "user_id") == ["u0", "u1", "u2"]
    assert found.rejected("login") == []


def test_identical_rows_of_a_file_are_distinct_events(tmp_path: Path) -> None:
    found = read_content(tmp_path, "increase_item.csv", csv_bytes(rows("increase_item") * 4))
    assert found.of("increase_item").height == 4
    assert found.column("increase_item", "row_number") == [0, 1, 2, 3]


def test_a_file_is_read_by_what_it_holds_and_not_by_what_it_is_called(tmp_path: Path) -> None:
    parquet = put_parquet(tmp_path, "login-0.parquet", {name: [value] for name, value in rows("login")[0].items()})
    put(tmp_path / "logs", "login-0.csv", parquet.read_bytes())
    put(tmp_path / "logs", "login-1.csv", json_bytes(rows("login", 2)))
    delivered(tmp_path, [tmp_path / "logs"])
    assert read_day(Landing(tmp_path / "landing")).column("login", "user_id") == ["u0", "u0", "u1"]


# --------------------------------------------------------------------------- empty files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("login.csv", b""),
        ("login.csv", b"\n\n"),
        ("login.csv", b"\xef\xbb\xbf"),
        ("login.csv", csv_bytes(rows("login")).splitlines(keepends=True)[0]),
        ("login.csv.gz", b""),
        ("login.jsonl", b""),
        ("login.jsonl", b" \n"),
    ],
)
def test_an_empty_file_and_one_of_a_header_alone_have_no_rows(tmp_path: Path, name: str, content: bytes) -> None:
    found = read_content(tmp_path, name, content)
    assert found.of("login").is_empty()
    assert (found.counts["login"]["files"], found.counts["login"]["rows_read"]) == (1, 0)
    assert found.rejected("login") == []


# --------------------------------------------------------------------------- CSV


def test_torn_lines_are_quarantined_with_number_and_content(tmp_path: Path) -> None:
    header, *sound = csv_bytes(rows("login", 4)).decode().splitlines()
    torn = ["u9,S1,7", sound[0] + ",more", 'u9,S1,7,"10.0.0.1,PC,VN,2026-03-01 12:00:00']
    content = "\n".join([header, sound[0], torn[0], sound[1], torn[1], torn[2], sound[2], sound[3]])
    found = read_content(tmp_path, "login.csv", content.encode())
    assert found.column("login", "user_id") == ["u0", "u1", "u2", "u3"]
    assert found.column("login", "row_number") == [0, 2, 5, 6]
    told = [(each.unit_id, each.scope, each.rule, each.content) for each in found.rejected("login")]
    assert told == [("login.csv", "row", "torn_line", line) for line in torn]
    reason = "it has more or fewer fields than the header, or a quote that is not closed."
    assert [each.reason for each in found.rejected("login")] == [f"Line {n}: {reason}" for n in (3, 5, 6)]


def test_a_stray_quote_costs_its_line_and_no_other(tmp_path: Path) -> None:
    content = csv_bytes(rows("increase_money", 50)).decode().replace("u7,S1", '"u7,S1').replace("u30,S1", 'u30",S1')
    found = read_content(tmp_path, "increase_money.csv", content.encode())
    # A quote within a field that does not begin with one is a character like any other.
    assert found.column("increase_money", "user_id") == [f"u{n}" if n != 30 else 'u30"' for n in range(50) if n != 7]
    assert [each.rule for each in found.rejected("increase_money")] == ["torn_line"]


# --------------------------------------------------------------------------- JSON lines


def test_lines_that_are_no_json_objects_are_quarantined_with_their_content(tmp_path: Path) -> None:
    sound = json_bytes(rows("login", 2)).decode().splitlines()
    bad = ['{"user_id": "u9", "server_id"', "[1, 2]", '"text"', "5", "null", "not json at all", '{"a": "\\ud800"}']
    found = read_content(tmp_path, "login.jsonl", "\n".join([sound[0], *bad, sound[1]]).encode())
    assert found.column("login", "user_id") == ["u0", "u1"]
    told = found.rejected("login")
    assert [(each.rule, each.content) for each in told] == [("no_object", line) for line in bad]
    assert [each.reason for each in told] == [f"Line {n}: {FAULTS['no_object']}." for n in range(2, 9)]


def test_keys_may_be_in_any_order_lack_where_they_may_or_be_more(tmp_path: Path) -> None:
    given_rows = rows("login", 3)
    del given_rows[1]["level"]
    given_rows[1] |= {"extra": {"deep": [1]}, "ip": None}
    given_rows[2] = dict(reversed(given_rows[2].items()))
    found = read_content(tmp_path, "login.jsonl", json_bytes(given_rows))
    assert found.column("login", "level") == [7, None, 7]
    assert found.column("login", "ip") == ["10.0.0.1", None, "10.0.0.1"]
    assert found.rejected("login") == []


def test_an_optional_key_that_comes_late_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_files, "_LOOKED_AT", 2)
    given_rows = rows("login", 4)
    for row in given_rows[:3]:
        del row["device"]
    assert read_content(tmp_path, "login.jsonl", json_bytes(given_rows)).column("login", "device") == [None] * 3 + [
        "PC"
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("4.99", "4.9900"),
        ('"4.99"', "4.9900"),
        ("5", "5.0000"),
        ("12345678901234.5678", "12345678901234.5678"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("1e3", "1000.0000"),
        ("2.5E-3", "0.0025"),
    ],
)
def test_numbers_of_json_keep_every_digit(tmp_path: Path, written: str, expected: str) -> None:
    line = json.dumps(rows("recharge")[0]).replace('"4.99"', written)
    delivered(tmp_path, [put(tmp_path / "logs", "rates.csv", csv_bytes(rows("exchange_rates", usd_per_unit="0.001")))])
    found = read_content(tmp_path, "recharge.jsonl", line.encode())
    assert found.column("recharge", "amount") == exact(expected)


def test_an_amount_of_another_object_in_the_line_is_not_taken_for_it(tmp_path: Path) -> None:
    line = '{"detail": {"amount": 7.25}, "note": "\\"amount\\": 8.5", ' + json.dumps(rows("recharge")[0])[1:]
    line = line.replace('"4.99"', "4.99")
    delivered(tmp_path, [put(tmp_path / "logs", "rates.csv", csv_bytes(rows("exchange_rates")))])
    assert read_content(tmp_path, "recharge.jsonl", line.encode()).column("recharge", "amount") == exact("4.99")


# --------------------------------------------------------------------------- lines


def test_bytes_that_are_no_text_cost_their_line(tmp_path: Path) -> None:
    for format, content in (("csv", csv_bytes(rows("login", 3))), ("jsonl", json_bytes(rows("login", 3)))):
        found = read_content(tmp_path / format, f"login.{format}", content.replace(b"u1", b"u\xff1"))
        assert found.column("login", "user_id") == ["u0", "u2"]
        [told] = found.rejected("login")
        assert (told.rule, told.reason) == ("no_text", f"Line {3 if format == 'csv' else 2}: it is not UTF-8.")
        assert "\ufffd" in (told.content or "")


def test_lines_are_numbered_across_blocks_and_long_ones_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(raw_files, "_LONGEST_LINE_BYTES", 40)
    text = ["a", "", "b" * 30, "c" * 41, "d", "e" * 500, "f" * 40, "  ", "g"]
    (tmp_path / "x").write_text("\n".join(text))
    found = pl.concat(lines(tmp_path / "x"))
    assert found.get_column("__line__").to_list() == [1, 3, 4, 5, 6, 7, 9]
    faults = [None, None, "long_line", None, "long_line", None, None]
    assert found.get_column("__fault__").to_list() == faults
    whole = found.filter(pl.col("__fault__").is_null()).get_column("__text__").to_list()
    assert whole == ["a", "b" * 30, "d", "f" * 40, "g"]
