"""ThinkingData logs are read into the seven raw logs, and no line is lost without being counted."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.l2m.logs.thinkingdata import COLUMNS, LogFileError, ThinkingDataLogs, read_logs, split_days
from gamestats_assets.simulators.l2m.logs import TABLES, Plan, simulate

AT = "2026-03-01 10:00:00.000"


def record(event: str, at: str = AT, **more: Any) -> dict[str, Any]:
    """An event; what begins with _ stands at the root: `_uuid`, `_type`; the rest are properties."""
    root = {f"#{name[1:]}": value for name, value in more.items() if name.startswith("_")}
    properties = {name: value for name, value in more.items() if not name.startswith("_")}
    return {
        "#account_id": "u1", "#distinct_id": "d1", "#ip": "203.0.113.9", "#type": "track", "#time": at,
        "#event_name": event, **root, "properties": properties,
    }  # fmt: skip


def payload(*lines: dict[str, Any] | str | bytes) -> bytes:
    """Lines of a file: records, or lines as they are."""
    raw = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in raw)


def accounted(found: ThinkingDataLogs) -> int:
    """Lines that became something."""
    return rows(found) + sum(found.duplicates.values()) + found.not_wanted + len(found.unreadable)


def rows(found: ThinkingDataLogs) -> int:
    return sum(frame.height for frame in found.frames.values())


# --------------------------------------------------------------------------- the logs and their columns


def test_logs_and_columns_are_those_of_the_raw_files(tmp_path: Path) -> None:
    simulate(Plan(accounts=400, days=1), tmp_path, "jsonl")
    assert tuple(COLUMNS) == TABLES
    for log, columns in COLUMNS.items():
        (file,) = tmp_path.rglob(f"{log}-*.jsonl")
        assert set(json.loads(file.open().readline())) == set(columns)
    empty = read_logs([b""])
    assert {log: tuple(frame.columns) for log, frame in empty.frames.items()} == dict(COLUMNS)
    assert {frame.schema["time"] for frame in empty.frames.values() if "time" in frame.columns} == {
        pl.Datetime("us", "UTC")
    }


def test_a_record_is_a_row_of_the_log_that_its_event_is_called_like() -> None:
    gain = record(
        "increase_money", server_id="S01", money_type="902", amount=5, reason_id="31", level=7, balance_after=5
    )
    found = read_logs([payload(record("login", server_id="S01", level=6, country="VN", device="PC", more=1), gain)])
    assert found.frames["login"].rows(named=True) == [
        {
            "user_id": "u1", "server_id": "S01", "level": "6", "ip": "203.0.113.9", "device": "PC", "country": "VN",
            "time": datetime(2026, 3, 1, 10, tzinfo=UTC),
        }
    ]  # fmt: skip
    assert found.frames["increase_money"].rows(named=True) == [
        {
            "user_id": "u1", "server_id": "S01", "money_type": "902", "amount": "5", "reason_id": "31", "level": "7",
            "balance_after": "5", "guild_id": None, "guild_name": None, "time": datetime(2026, 3, 1, 10, tzinfo=UTC),
        }
    ]  # fmt: skip
    assert (found.lines, rows(found)) == (2, 2)


@pytest.mark.parametrize(
    ("written", "text"), [("0.1", "0.1"), ("9" * 400, "9" * 400), ("12345678901234.123456789",) * 2, ("true", "true")]
)
@pytest.mark.parametrize("beside", ["", "7", '"x"', "1.5"])
def test_values_are_told_as_they_were_sent_whatever_their_type(written: str, text: str | None, beside: str) -> None:
    lines = [
        f'{{"#type":"track","#event_name":"recharge","#account_id":"u","#time":"{AT}","properties":{{"amount":{value}}}}}'
        for value in [written, *([beside] if beside else [])]
    ]
    assert read_logs([payload(*lines)]).frames["recharge"]["amount"].to_list()[0] == text


# --------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("time", "offset", "utc"),
    [
        ("2026-03-01 10:00:00.123", None, "2026-03-01T10:00:00.123"),
        ("2026-03-01 10:00:00", 0, "2026-03-01T10:00:00"),
        ("2026-03-01 06:59:59.999", 7, "2026-02-28T23:59:59.999"),
        ("2026-03-01 07:00:00.000", "7", "2026-03-01T00:00:00"),
        ("2026-02-28 20:30:00.000", -3.5, "2026-03-01T00:00:00"),
        ("2026-03-01 05:30:00", 5.5, "2026-03-01T00:00:00"),
        ("2026-03-01 10:00:00.123456", None, "2026-03-01T10:00:00.123456"),
    ],
)
def test_times_are_in_utc(time: str, offset: Any, utc: str, tmp_path: Path) -> None:
    said = {"#zone_offset": offset} if offset is not None else {}
    line = payload(record("logout", time, **said))
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert read_logs([line]).frames["logout"]["time"].to_list() == [expected]
    (tmp_path / "log").write_bytes(line)
    assert split_days(tmp_path / "log").days == {expected.date(): line}


BAD_TIMES: list[tuple[dict[str, Any], str]] = [
    ({"_time": "yesterday"}, "#time: expected yyyy-MM-dd HH:mm:ss.SSS, found 'yesterday'"),
    ({"_time": ""}, "#time: expected yyyy-MM-dd HH:mm:ss.SSS, found ''"),
    ({"_time": "2026-02-30 10:00:00"}, "found '2026-02-30 10:00:00'"),
    ({"_time": "2026-03-01"}, "found '2026-03-01'"),
    ({"_time": "2026-03-01 10:00:00Z"}, "found '2026-03-01 10:00:00Z'"),
    ({"_time": 1772359200}, r"Expected `str`, got `int` - at `\$\.#time`"),
    ({"#zone_offset": 15}, "#zone_offset: expected hours from -12 to 14, found '15'"),
    ({"#zone_offset": "east"}, "found 'east'"),
    ({"#zone_offset": True}, "found 'True'"),
    ({"#zone_offset": [7]}, r"found '\[7\]'"),
]


@pytest.mark.parametrize(("wrong", "reason"), BAD_TIMES)
def test_a_line_without_a_usable_time_is_told_by_both(wrong: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """Whatever stands beside it: a bad line does not change how others are read."""
    good = record("login", level=1)
    lines = payload(good, {**record("login", **wrong)}, good, {**good, "properties": {"#zone_offset": "7"}})
    found = read_logs([lines])
    assert (found.frames["login"].height, found.lines) == (3, 4)
    (tmp_path / "log").write_bytes(lines)
    split = split_days(tmp_path / "log")
    assert split.lines == 4
    for bad in (*found.unreadable, *split.undated):
        assert bad.line == 2
        assert bad.content == lines.split(b"\n")[1]
        assert re.search(reason, bad.reason), bad.reason
    assert len(found.unreadable) == len(split.undated) == 1


# --------------------------------------------------------------------------- what is no row


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "expected a JSON object, found none"),
        (b"[]", "Expected `object`, got `array`"),
        (b"[{}]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`"),
        (b"{}", "missing required field `#type`"),
        (b'{"#type":"track","#event_name":"login","properties":[]}', r"got `array` - at `\$\.properties`"),
        (b'{"#type":"track","#event_name":"login","#time":"2026-03-01 10:00:00"}', "#account_id or #distinct_id"),
        (b'{"#type":"track","#event_name":"log\xffin"}', "expected a JSON object"),
        (b'{"#type":"track","properties":{"level":' + b"[" * 5000, "expected a JSON object"),
        (payload(record("login", device="a\0b")).strip(), r"without the character U\+0000"),
        (payload(record("login", _account_id="a\0b")).strip(), r"without the character U\+0000"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_reason(line: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(payload(record("login"), "", line, "  ", record("logout")))
    found = read_logs([payload(record("login")), file])
    assert (found.lines, rows(found)) == (4, 3)
    (bad,) = found.unreadable
    assert (bad.file, bad.line, bad.content) == (str(file), 3, line)
    assert str(bad).startswith(f"{file}:3: ")
    assert re.search(reason, bad.reason), bad.reason


def test_the_character_that_databases_refuse_is_no_matter_in_what_is_not_read() -> None:
    line = payload(record("login", note="a\0b", device="\\u0000"))
    assert read_logs([line]).frames["login"]["device"].to_list() == ["\\u0000"]


# --------------------------------------------------------------------------- copies


def test_of_records_with_one_uuid_the_first_stays_and_copies_are_counted() -> None:
    one, other = record("login", _uuid="a", level=1), record("login", _uuid="a", level=2)
    found = read_logs([payload(one, record("login", _uuid="b", level=5)), payload(one, other, one)])
    assert found.frames["login"]["level"].to_list() == ["1", "5"]
    assert found.duplicates["login"] == 3
    assert accounted(found) == found.lines == 5


# --------------------------------------------------------------------------- files


def test_files_are_plain_or_gzip_with_or_without_an_end(tmp_path: Path) -> None:
    lines = payload(record("login"), record("logout"))
    shapes = {
        "plain": lines,
        "gzip": gzip.compress(lines),
        "two members": gzip.compress(lines[:50]) + gzip.compress(lines[50:]),
        "no end": lines.rstrip(b"\n"),
        "mark": b"\xef\xbb\xbf" + lines,
    }
    for name, content in shapes.items():
        (tmp_path / name).write_bytes(content)
        split = split_days(tmp_path / name)
        assert (dict(split.days), split.undated, split.lines) == ({date(2026, 3, 1): lines}, (), 2), name
        assert rows(read_logs([tmp_path / name])) == rows(read_logs([content])) == 2, name


@pytest.mark.parametrize(("time", "offset"), [("9999-12-31 23:59:59.999", -12), ("0001-01-01 00:00:00.000", 14)])
def test_a_time_of_no_year_that_can_be_leaves_its_line_without_a_day(tmp_path: Path, time: str, offset: int) -> None:
    bad = {**record("login"), "#time": time, "properties": {"#zone_offset": offset}}
    (tmp_path / "log").write_bytes(payload(bad, record("login")))
    split = split_days(tmp_path / "log")
    assert (len(split.undated), sum(day.count(b"\n") for day in split.days.values())) == (1, 1)


def test_a_file_that_cannot_be_read_to_its_end_is_refused(tmp_path: Path) -> None:
    cut = gzip.compress(payload(*[record("login", level=level) for level in range(500)]))[:-20]
    (tmp_path / "cut.gz").write_bytes(cut)
    for read in (split_days, lambda path: read_logs([path])):
        with pytest.raises(LogFileError, match=r"cut\.gz cannot be read to its end\. The gzip stream ends early"):
            read(tmp_path / "cut.gz")
        with pytest.raises(LogFileError, match=r"Expected a log file at .*nowhere; it cannot be read: No such file"):
            read(tmp_path / "nowhere")
    with pytest.raises(LogFileError, match="The payload cannot be read to its end"):
        read_logs([cut])
