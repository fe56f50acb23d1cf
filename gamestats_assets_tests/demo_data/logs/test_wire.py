"""The wire format: what a line says, which rule it breaks for landing, and what the check of logs finds besides."""

from __future__ import annotations

import gzip
import json
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.demo_data.logs import wire_check
from gamestats_assets.demo_data.logs.lines import InvalidLineError, read_line, time_of
from gamestats_assets.demo_data.logs.log_files import UnreadableLogError
from gamestats_assets.demo_data.logs.wire_check import EXAMPLES, check_files
from gamestats_assets.demo_data.logs.wire_report import MEANINGS, WireReport
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets_tests.demo_data.log_scenario import DAY

Record = dict[str, Any]

PROPERTIES: Record = {
    "#os": "iOS", "#zone_offset": 9, "level": 3, "ratio": 0.5, "name": "한글 이름", "vip": True,
    "since": "2026-01-01 00:00:00.000", "tags": ["a", "b"], "bag": {"item_id": 1, "label": "x"},
    "items": [{"item_id": 1, "count": 2}, {"item_id": 2, "count": 3}],
}  # fmt: skip


def sent(number: int = 1, properties: Record | None = PROPERTIES, **changes: Any) -> Record:
    """A record without fault, of a #uuid with this number; changes of root keys without #, None takes one away."""
    found = {
        "#account_id": "account-1",
        "#distinct_id": "device-1",
        "#type": "track",
        "#time": "2026-01-10 12:00:00.000",
        "#event_name": "login",
        "#ip": "192.168.0.1",
        "#uuid": str(uuid.UUID(int=number)),
        "properties": properties,
    } | {f"#{key}": value for key, value in changes.items()}
    return {key: value for key, value in found.items() if value is not None}


def having(**changes: Any) -> Record:
    return sent(properties=PROPERTIES | changes)


def of_user(operation: str, properties: Record | None = None, number: int = 1) -> Record:
    return sent(number, properties, type=operation, event_name=None)


def dumped(record: Record | bytes) -> bytes:
    return record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()


def checked(folder: Path, *records: Record | bytes, taxonomy: Taxonomy | None = None) -> WireReport:
    path = folder / "day.jsonl"
    path.write_bytes(b"".join(dumped(record) + b"\n" for record in records))
    return check_files([path], taxonomy=taxonomy)


def counts(report: WireReport) -> dict[str, int]:
    return {problem: finding.count for problem, finding in report.problems.items()}


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
def test_time_is_local_where_the_line_has_an_offset(written: str, offset: Any, utc: datetime) -> None:
    text = dumped(sent(properties={} if offset is None else {"#zone_offset": offset}, time=written))
    assert time_of(text) == utc
    assert read_line(text, DAY).occurred_at == utc


@pytest.mark.parametrize(("days", "fits"), [(-1098, True), (-1099, False), (3, True), (4, False), (0, True)])
def test_a_record_is_of_about_the_time_of_its_log(days: int, fits: bool) -> None:
    occurred_at = datetime(2026, 1, 10, 23, 59) + timedelta(days=days)
    text = dumped(sent(properties={}, time=f"{occurred_at:%Y-%m-%d %H:%M:%S}"))
    assert read_line(text).occurred_at == occurred_at
    if not fits:
        with pytest.raises(InvalidLineError) as caught:
            read_line(text, DAY)
        assert caught.value.rule == "time_range"


# --------------------------------------------------------------------------- what is right

RIGHT: list[Record | bytes] = [
    sent(account_id=None),
    sent(distinct_id=None),
    sent(uuid=None, ip=None),
    sent(account_id="가" * 128, distinct_id=None),
    sent(ip="2001:db8::1"),
    sent(time="2024-02-29 23:59:59.999"),
    sent(uuid="F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"),
    sent(properties={}),
    sent(event_name="e" * 50),
    sent(type="track_first", first_check_id="device-1"),
    sent(type="track_update", event_id="order-1"),
    sent(type="track_overwrite", event_id="order-1"),
    of_user("user_set", {}),
    of_user("user_setOnce", {}),
    of_user("user_add", {"level": 2, "coins": -5.5}),
    of_user("user_unset", {"level": 0, "name": 0}),
    of_user("user_append", {"tags": ["c"]}),
    of_user("user_uniq_append", {"tags": ["c"]}),
    of_user("user_del", None),
    of_user("user_del", {}),
    having(**{"p" * 50: 1}),
    having(name="x" * 2048),
    having(name="가" * 682),
    having(name='"quoted": not a key, and "x" : neither'),
    having(name="2026-01-01 00:00:00.000"),
    having(name=""),
    having(since="2026-01-01 00:00:00"),
    having(level=9_000_000_000_000_000, ratio=-9e15),
    having(level=2.5, ratio=1),
    having(tags=["x" * 255] * 500),
    having(tags=[], items=[]),
    having(bag={f"k{number}": number for number in range(100)}),
    having(bag={}),
    having(name=r"a\u0000b"),
    json.dumps(sent()).encode(),
    json.dumps(sent(), separators=(" , ", " : ")).encode(),
    dumped(sent()) + b"\r",
]


def one_by_one(*records: Record | bytes) -> list[bytes]:
    """Lines of records that differ in their #uuid."""
    one = str(uuid.UUID(int=1)).encode()
    return [dumped(each).replace(one, str(uuid.UUID(int=100 + n)).encode()) for n, each in enumerate(records)]


def test_what_the_limits_allow_is_read_and_clean(tmp_path: Path) -> None:
    lines = one_by_one(*RIGHT)
    report = checked(tmp_path, sent(0), *lines)
    assert report.is_clean, list(report.lines_of_text())
    assert (report.lines, report.bytes) == (1 + len(RIGHT), (tmp_path / "day.jsonl").stat().st_size)
    kinds = Counter({("track", "login"): 1})
    for line in lines:
        found, expected = read_line(line), json.loads(line)
        assert (found.record.type, found.properties) == (expected["#type"], expected.get("properties", {}))
        kinds[expected["#type"], expected.get("#event_name", "")] += 1
    assert report.events == kinds


# --------------------------------------------------------------------------- each rule, broken once

TWICE = b'"vip": true'
REFUSED: list[tuple[str, Record | bytes]] = [
    ("json", dumped(sent())[:-20]),
    ("json", b""),
    ("json", dumped(sent()) + b"}"),
    ("json", dumped(having(name="@")).replace(b"@", b"\xe9")),
    ("json", having(ratio=float("nan"))),
    ("nul_character", dumped(having(name="@")).replace(b"@", rb"a\u0000b")),
    ("nul_character", dumped(having(name="@")).replace(b"@", rb"\\\u0000")),
    ("record_shape", b"[1]"),
    ("record_shape", b"[" * 5000 + b"]" * 5000),
    ("record_shape", sent(account_id=7)),
    ("record_shape", sent() | {"properties": [1]}),
    *[("type", sent(type=word)) for word in ("trick", None, "user_setonce")],
    ("id", sent(account_id=None, distinct_id=None)),
    *[("id", sent(**{key: "x" * 129})) for key in ("account_id", "distinct_id", "uuid")],
    *[
        ("time", sent(time=written))
        for written in ("2026-01-10T10:00:00", "2026-01-10 10:00", "20260110 100000", "2026-02-30 10:00:00.000", "now",
                        None, "2026-01-10 10:00:00.000Z", "0000-01-10 10:00:00.000", "２026-01-10 10:00:00.000")
    ],
    ("time", sent(properties={"#zone_offset": 14}, time="0001-01-01 00:00:00.000")),
    *[("zone_offset", having(**{"#zone_offset": offset})) for offset in (15, -13, True, "nine", [9], "nan")],
    *[("event_name", sent(event_name=name)) for name in (None, "log in", "x" * 51)],
    ("first_check_id", sent(type="track_first")),
    ("event_id", sent(type="track_update")),
    ("event_id", sent(type="track_overwrite")),
    ("operation", of_user("user_add", {"coins": "5"})),
    ("operation", of_user("user_append", {"tags": "a"})),
    ("operation", of_user("user_uniq_append", {"tags": {"a": 1}})),
    *[("property_name", having(**{name: 1})) for name in ("my-level", "레벨", "", "x" * 51)],
    *[
        ("property_value", having(x=value))
        for value in (9_000_000_000_000_001, 9e15 + 2, 10**400, "x" * 2049, "가" * 683, ["a"] * 501, ["x" * 256],
                      {f"k{number}": 1 for number in range(101)}, {"item-id": 1}, {"y": "a" * 2049},
                      {"y": {"z": 10**16}}, [{"count": 10**16}])
    ],
    ("property_value", of_user("user_unset", {"level": "x" * 2049})),
]  # fmt: skip
FOUND: list[tuple[str, Record | bytes]] = [
    ("root_key", sent(os="iOS")),
    ("root_key", sent() | {"level": 1}),
    ("misplaced_key", having(**{"#time": "2026-01-01 00:00:00.000"})),
    ("companion", sent(event_id="x")),
    ("companion", sent(type="user_set")),
    ("owner", sent(account_id="account-2")),
    ("time", sent(time="2026-01-01 00:00:00")),
    ("uuid", sent(uuid="f81d4fae7dec11d0a76500a0c91e6bf6")),
    ("duplicate_uuid", sent(0)),
    ("ip", sent(ip="256.1.1.1")),
    ("properties", sent(properties=None)),
    ("properties", of_user("user_set")),
    ("duplicate_key", having(Level=4)),
    ("duplicate_key", dumped(sent()).replace(TWICE, TWICE + b', "vip": true')),
    ("duplicate_key", dumped(sent()).replace(TWICE, b'"vip" : true, "vip": true')),
    ("duplicate_key", dumped(sent()).replace(TWICE, b'"vip"\t: true, "vip": true')),
    ("null", having(level=None)),
    ("null", having(tags=["a", None])),
    ("list_item", having(tags=["a", 1])),
    ("list_item", having(tags=["a", {"b": 1}])),
    ("type_changed", having(level="3")),
    ("type_changed", having(vip=1)),
    ("type_changed", having(since="yesterday")),
    ("type_changed", having(tags=[{"a": 1}])),
    ("type_changed", having(bag=[{"item_id": 1}])),
    ("type_changed", having(items=[{"count": 1}, {"count": "1"}])),
    ("type_changed", sent(properties={"LEVEL": "3"})),
]


def found_in(report: WireReport) -> list[tuple[int, str]]:
    """Line and rule of every problem."""
    assert all(finding.count == len(finding.examples) for finding in report.problems.values())
    return sorted((each.line, rule) for rule, finding in report.problems.items() for each in finding.examples)


@pytest.fixture
def all_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_check, "EXAMPLES", 1000)


@pytest.mark.usefixtures("all_shown")
@pytest.mark.parametrize("cases", [REFUSED, FOUND], ids=["refused", "found"])
def test_a_broken_rule_is_named_once_with_its_place(tmp_path: Path, cases: list[tuple[str, Record | bytes]]) -> None:
    report = checked(tmp_path, sent(0), *one_by_one(*(record for _, record in cases)), sent(9))
    assert found_in(report) == [(line, rule) for line, (rule, _) in enumerate(cases, 2)]
    text, path = "\n".join(report.lines_of_text()), tmp_path / "day.jsonl"
    for finding in report.problems.values():
        for example in finding.examples:
            assert f"{path}:{example.line}: expected {example.expected}, found {example.found}" in text


def test_landing_refuses_a_line_by_the_rule_that_it_breaks() -> None:
    for _, record in FOUND:
        read_line(dumped(record), DAY)
    for rule, record in REFUSED:
        with pytest.raises(InvalidLineError) as caught:
            read_line(dumped(record), DAY)
        assert caught.value.rule == rule, record
        if rule in ("time", "zone_offset"):
            assert time_of(dumped(record)) is None


def test_every_problem_has_a_case() -> None:
    elsewhere = {"damaged_file", "too_many_events", "too_many_properties"}
    against_a_taxonomy = {"unknown_event", "undeclared_property", "declared_type"}
    assert {rule for rule, _ in (*REFUSED, *FOUND)} | elsewhere | against_a_taxonomy == set(MEANINGS)


@pytest.mark.parametrize("depth", [600, 100_000])
def test_objects_within_objects_without_end_are_refused(depth: int) -> None:
    nested = b'{"x":' * depth + b"1" + b"}" * depth
    with pytest.raises(InvalidLineError):
        read_line(dumped(sent(properties={"x": "@"})).replace(b'"@"', nested), DAY)


NAMES = st.text("abyzABYZ019_", max_size=20).map("n".__add__)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
SCALARS = st.none() | st.booleans() | st.integers(-9 * 10**15, 9 * 10**15) | st.floats(-9e15, 9e15) | TEXTS
VALUES = SCALARS | st.lists(SCALARS, max_size=4) | st.dictionaries(NAMES, SCALARS, max_size=4)


@settings(max_examples=50)
@given(st.dictionaries(NAMES, VALUES, max_size=8), st.datetimes(datetime(2025, 1, 1), datetime(2026, 1, 12)))
def test_any_valid_record_is_read_as_json_says(properties: Record, occurred_at: datetime) -> None:
    occurred_at = occurred_at.replace(microsecond=occurred_at.microsecond // 1000 * 1000)
    found = read_line(dumped(sent(properties=properties, time=occurred_at.isoformat(" ", "milliseconds"))), DAY)
    assert (found.properties, list(found.properties)) == (properties, list(properties))
    assert found.occurred_at == occurred_at


# --------------------------------------------------------------------------- many lines and files


def test_a_problem_is_counted_always_and_shown_a_few_times(tmp_path: Path) -> None:
    report = checked(tmp_path, *(sent(n, PROPERTIES | {"level": None}) for n in range(12)))
    finding = report.problems["null"]
    assert (finding.count, [e.line for e in finding.examples]) == (12, list(range(1, EXAMPLES + 1)))


def test_the_place_of_a_problem_is_in_the_file_that_has_it(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("1", "2", "3")]
    for path, content in zip(paths, ([sent(0), sent(1)], [], [sent(2), sent(1), b"{"]), strict=True):
        path.write_bytes(b"".join(dumped(record) + b"\n" for record in content))
    report = check_files(paths)
    (repeated,) = report.problems["duplicate_uuid"].examples
    (cut,) = report.problems["json"].examples
    assert (repeated.file, repeated.line, cut.file, cut.line) == (str(paths[2]), 2, str(paths[2]), 3)
    assert f"{paths[0]}:2" in repeated.expected


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda data: data[:200] + b"\xff" * 60 + data[260:]])
def test_a_damaged_file_is_a_problem_of_the_line_where_it_ends(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    whole, cut = tmp_path / "whole.gz", tmp_path / "cut.gz"
    whole.write_bytes(gzip.compress(dumped(sent(1000)) + b"\n"))
    cut.write_bytes(damage(gzip.compress(b"".join(dumped(sent(n)) + b"\n" for n in range(500)))))
    report = check_files([cut, whole])
    (example,) = report.problems["damaged_file"].examples
    # One line of the other file, and the line behind the last whole one here.
    assert (example.file, example.line) == (str(cut), report.lines)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UnreadableLogError, match="Expected a log file at"):
            check_files([path])


def test_a_project_has_at_most_500_kinds_of_events(tmp_path: Path) -> None:
    records = [sent(number, event_name=f"e{number}") for number in range(502)]
    report = checked(tmp_path, *records, sent(900, event_name="e0"))
    assert counts(report) == {"too_many_events": 2}
    assert report.problems["too_many_events"].examples[0].line == 501
    assert (report.events["track", "(others)"], report.events["track", "e0"]) == (2, 2)


def test_events_have_at_most_1000_properties_and_users_500(tmp_path: Path) -> None:
    def named(first: int, count: int) -> Record:
        return {f"p{number}": 1 for number in range(first, first + count)}

    full = [sent(0, named(0, 1000)), of_user("user_set", named(0, 500), 2)]
    assert checked(tmp_path, *full).is_clean
    report = checked(tmp_path, *full, sent(1, named(999, 2)), of_user("user_set", named(499, 3), 3))
    assert counts(report) == {"too_many_properties": 3}


@settings(max_examples=12)
@given(
    numbers=st.lists(st.integers(0, 12), min_size=20, max_size=20),
    owners=st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from([None, "x", "y", "z"])), min_size=20, max_size=20
    ),
    piece=st.integers(1, 7),
)
def test_repeated_uuids_and_second_owners_are_those_a_plain_reading_finds(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], owners: list[tuple[str, str | None]], piece: int
) -> None:
    records = [
        sent(number, distinct_id=device, account_id=account)
        for number, (device, account) in zip(numbers, owners, strict=True)
    ]
    repeated = [line for line, number in enumerate(numbers, 1) if number in numbers[: line - 1]]
    owner: dict[str, str] = {}
    second: dict[tuple[str, str], int] = {}
    for line, (device, account) in enumerate(owners, 1):
        if account is not None and owner.setdefault(device, account) != account:
            second.setdefault((device, account), line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire_check, "_LINES_A_PIECE", piece)
        report = checked(tmp_path_factory.mktemp("lines"), *records)
    for problem, places in (("duplicate_uuid", repeated), ("owner", sorted(second.values()))):
        found = report.problems.get(problem)
        shown = [example.line for example in found.examples] if found else []
        assert (found.count if found else 0, shown) == (len(places), places[:EXAMPLES])


# --------------------------------------------------------------------------- against a taxonomy


def typed(name: str, type: str, *nested: Property) -> Property:
    return Property(name=name, type=PropertyType(type), properties=nested)


ITEMS = typed("items", "object_group", typed("item_id", "number"), typed("count", "number"))
KINDS = {"level": "number", "name": "string", "vip": "boolean", "since": "time", "tags": "list", "bag": "object"}
TAXONOMY = Taxonomy(
    name="shop",
    events=(
        Event(name="login", properties=(*(typed(name, kind) for name, kind in KINDS.items()), ITEMS)),
        Event(name="logout", properties=(typed("info", "object", typed("price", "number")),)),
        Event(name="leave", properties=(typed("info", "object", typed("profit", "number")),)),
    ),
    common_properties=(typed("ratio", "number"), typed("#zone_offset", "number")),
    user_properties=(typed("coins", "number"), typed("names", "list")),
)


DECLARED: list[tuple[str | None, Record]] = [
    (None, sent()),
    (None, sent(event_name="logout", properties={"ratio": 1, "#carrier": "SKT"})),
    (None, sent(event_name="logout", properties={"info": {"price": 1, "profit": 1}})),
    (None, of_user("user_add", {"coins": 1})),
    (None, of_user("user_append", {"names": ["a"]})),
    (None, of_user("user_unset", {"names": 0})),
    (None, having(items=[], tags=[], name="2026-01-01 00:00:00")),
    ("unknown_event", sent(event_name="login2")),
    ("unknown_event", sent(event_name="Login")),
    ("undeclared_property", having(mana=1)),
    ("undeclared_property", sent(event_name="logout", properties={"level": 1})),
    ("undeclared_property", having(items=[{"item_id": 1, "colour": "red"}])),
    ("undeclared_property", of_user("user_set", {"level": 1})),
    ("undeclared_property", sent(event_name="leave", properties={"info": {"profit": 1, "loss": 1}})),
    ("declared_type", sent(event_name="leave", properties={"info": {"profit": "1"}})),
    ("declared_type", having(level="3")),
    ("declared_type", having(since="soon")),
    ("declared_type", having(tags="a")),
    ("declared_type", having(bag=[{"a": 1}])),
    ("declared_type", having(items=[{"item_id": "1"}])),
    ("declared_type", having(**{"#zone_offset": "9"})),
    ("declared_type", of_user("user_setOnce", {"coins": "1"})),
]


@pytest.mark.usefixtures("all_shown")
def test_what_a_taxonomy_does_not_declare_is_found_even_in_the_first_line(tmp_path: Path) -> None:
    cases = sorted(DECLARED, key=lambda case: case[0] is None)
    report = checked(tmp_path, *one_by_one(*(record for _, record in cases)), taxonomy=TAXONOMY)
    assert found_in(report) == [(line, problem) for line, (problem, _) in enumerate(cases, 1) if problem]
