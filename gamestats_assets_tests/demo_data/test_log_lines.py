"""One line of a log: what it says, and which rule of the wire format it breaks."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.demo_data.logs.lines import InvalidLineError, is_near, read_line, time_of
from gamestats_assets_tests.demo_data.log_scenario import DAY, record


def line(**given: Any) -> bytes:
    return json.dumps(record("10:00:00", **given), ensure_ascii=False).encode()


def broken_rule(text: bytes, log_date: date = DAY) -> str:
    with pytest.raises(InvalidLineError) as caught:
        read_line(text, log_date)
    assert str(caught.value), "a violation explains itself"
    return caught.value.rule


# --------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("written", "offset", "utc"),
    [
        ("2026-01-10 10:00:00.250", None, datetime(2026, 1, 10, 10, 0, 0, 250_000)),
        ("2026-01-10 10:00:00", None, datetime(2026, 1, 10, 10)),
        ("2026-01-10 08:00:00.000", 9, datetime(2026, 1, 9, 23)),
        ("2026-01-10 20:00:00.000", -5.5, datetime(2026, 1, 11, 1, 30)),
        ("2026-01-10 08:00:00.000", "9", datetime(2026, 1, 9, 23)),
    ],
)
def test_time_is_local_where_the_line_tells_an_offset(written: str, offset: Any, utc: datetime) -> None:
    properties = {} if offset is None else {"#zone_offset": offset}
    text = json.dumps({**record("10:00:00", properties=properties), "#time": written}).encode()
    assert time_of(text) == utc
    assert read_line(text, DAY).occurred_at == utc


@pytest.mark.parametrize(
    "written",
    ["2026-01-10T10:00:00", "2026-01-10 10:00", "20260110 100000", "2026-02-30 10:00:00.000", "10:00:00", "", "now",
     "2026-01-10 10:00:00.000Z", "2026-01-10 10:00:00.000000", "0000-01-10 10:00:00.000"],
)  # fmt: skip
def test_a_time_of_another_form_is_refused(written: str) -> None:
    text = json.dumps({**record("10:00:00"), "#time": written}).encode()
    assert broken_rule(text) == "time"
    assert time_of(text) is None


@pytest.mark.parametrize("offset", [15, -13, True, "nine", [9], "nan", 10**400])
def test_an_offset_that_is_none_leaves_no_time(offset: Any) -> None:
    text = line(properties={"#zone_offset": offset})
    assert broken_rule(text) == "zone_offset"
    assert time_of(text) is None


def test_a_time_before_all_days_is_refused() -> None:
    text = json.dumps({**record("10:00:00", properties={"#zone_offset": 14}), "#time": "0001-01-01 00:00:00"}).encode()
    assert time_of(text) is None


@pytest.mark.parametrize(("days", "fits"), [(-1098, True), (-1099, False), (3, True), (4, False), (0, True)])
def test_a_record_is_of_about_the_time_of_its_log(days: int, fits: bool) -> None:
    occurred_at = datetime(2026, 1, 10, 23, 59) + timedelta(days=days)
    text = json.dumps({**record("10:00:00"), "#time": f"{occurred_at:%Y-%m-%d %H:%M:%S}"}).encode()
    assert is_near(occurred_at, DAY) == fits
    if fits:
        assert read_line(text, DAY).occurred_at == occurred_at
    else:
        assert broken_rule(text) == "time_range"


# --------------------------------------------------------------------------- rules

DEEP = b'{"#time":"2026-01-10 10:00:00","#account_id":"a","#type":"user_set","properties":{"x":%s}}'

BROKEN: list[tuple[str, bytes]] = [
    ("json", b"{"),
    ("json", b'{"#type":"\xff"}'),
    ("json", line()[:-5]),
    ("record_shape", b"[1]"),
    ("record_shape", line(account_id=7)),
    ("record_shape", line(properties=[1])),
    ("type", line(type="track_")),
    ("type", line(type="user_setonce")),
    ("id", line(account_id=None, distinct_id=None)),
    ("id", line(account_id="x" * 129)),
    ("id", line(uuid="x" * 129)),
    ("event_name", line(event_name=None)),
    ("event_name", line(name="two words")),
    ("event_name", line(name="x" * 51)),
    ("first_check_id", line(type="track_first")),
    ("event_id", line(type="track_update")),
    ("event_id", line(type="track_overwrite")),
    ("operation", line(type="user_add", properties={"gold": "5"})),
    ("operation", line(type="user_append", properties={"items": "sword"})),
    ("operation", line(type="user_uniq_append", properties={"items": {"a": 1}})),
    ("property_name", line(properties={"two words": 1})),
    ("property_name", line(properties={"x" * 51: 1})),
    ("property_name", line(properties={"": 1})),
    ("property_value", line(properties={"x": 9e15 + 2})),
    ("property_value", line(properties={"x": 10**400})),
    ("property_value", line(properties={"x": "a" * 2049})),
    ("property_value", line(properties={"x": "가" * 683})),
    ("property_value", line(properties={"x": ["a"] * 501})),
    ("property_value", line(properties={"x": ["a" * 256]})),
    ("property_value", line(properties={"x": {f"k{number}": 1 for number in range(101)}})),
    ("property_value", line(properties={"x": {"two words": 1}})),
    ("property_value", line(properties={"x": {"y": "a" * 2049}})),
    ("property_value", line(properties={"x": {"y": {"z": 10**16}}})),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), BROKEN, ids=[f"{n}-{rule}" for n, (rule, _) in enumerate(BROKEN)])
def test_a_broken_rule_is_named(rule: str, text: bytes) -> None:
    assert broken_rule(text) == rule


@pytest.mark.parametrize("depth", [600, 100_000])
def test_objects_within_objects_without_end_are_refused(depth: int) -> None:
    nested = b'{"x":' * depth + b"1" + b"}" * depth
    assert broken_rule(DEEP % nested) in ("json", "property_value", "record_shape")


@pytest.mark.parametrize(
    "text",
    [
        line(account_id=None),
        line(distinct_id=None),
        line(distinct_id=""),
        line(account_id="x" * 128),
        line(properties=None),
        line(name="x" * 50),
        line(properties={"x" * 50: 1, "#os": "iOS", "n": None}),
        line(properties={"x": 9e15, "y": -(9 * 10**15)}),
        line(properties={"x": "a" * 2048}),
        line(properties={"x": "가" * 682}),
        line(properties={"x": ["a" * 255] * 500, "y": []}),
        line(properties={"x": {f"k{number}": 1 for number in range(100)}}),
        line(properties={"x": [{"y": "a" * 2048, "z": None}]}),
        line(type="track_first", first_check_id="c"),
        line(type="track_update", event_id="e"),
        line(type="user_add", properties={"gold": -5.5, "n": None}),
        line(type="user_append", properties={"items": ["sword"], "n": None}),
        line(type="user_unset", properties={"gold": 0, "items": ""}),
        line(type="user_del", properties=None),
        line(type="user_setOnce", event_name="is passed over"),
        line() + b"\r",
    ],
)
def test_the_limits_themselves_are_kept(text: bytes) -> None:
    read_line(text, DAY)


@pytest.mark.parametrize(
    ("written", "is_kept"),
    [(r"a\u0000b", False), (r"\\\u0000", False), (r"a\\u0000b", True), (r"\\\\u0000", True), (r"\u0001", True)],
)
def test_a_text_with_the_character_that_no_database_takes_is_refused(written: str, is_kept: bool) -> None:
    text = line(properties={"name": "NAME"}).replace(b"NAME", written.encode())
    if is_kept:
        read_line(text, DAY)
    else:
        assert broken_rule(text) == "nul_character"


NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
SCALARS = st.none() | st.booleans() | st.integers(-9 * 10**15, 9 * 10**15) | st.floats(-9e15, 9e15) | TEXTS
VALUES = SCALARS | st.lists(SCALARS, max_size=4) | st.dictionaries(NAMES, SCALARS, max_size=4)


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.datetimes(datetime(2025, 1, 1), datetime(2026, 1, 12)))
def test_any_valid_record_is_read_as_json_says(properties: dict[str, Any], occurred_at: datetime) -> None:
    written = f"{occurred_at:%Y-%m-%d %H:%M:%S}.{occurred_at.microsecond // 1000:03d}"
    text = json.dumps({**record("10:00:00", properties=properties), "#time": written}).encode()
    found = read_line(text, DAY)
    assert found.properties == properties
    assert list(found.properties) == list(properties)
    assert found.occurred_at == occurred_at.replace(microsecond=occurred_at.microsecond // 1000 * 1000)
