"""The check of the wire format finds each violation once, by name and place, and nothing else."""

from __future__ import annotations

import copy
import gzip
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.apis.thinkingdata import TRACK_TYPES, USER_TYPES
from gamestats_assets.demo_data.logs import partitions, wire_check
from gamestats_assets.demo_data.logs.log_files import UnreadableLogError
from gamestats_assets.demo_data.logs.wire_check import EXAMPLES, check_files
from gamestats_assets.demo_data.logs.wire_report import Problem, WireReport
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy

Record = dict[str, Any]

SOME = [
    ("track", "login", {}),
    ("track_first", "login", {"#first_check_id": "device-1"}),
    ("track_update", "order", {"#event_id": "order-1"}),
    ("track_overwrite", "order", {"#event_id": "order-1"}),
    ("user_set", None, {}),
    ("user_setOnce", None, {}),
]
PROPERTIES: Record = {
    "#os": "iOS",
    "#zone_offset": 9,
    "level": 3,
    "ratio": 0.5,
    "name": "한글 이름",
    "vip": True,
    "since": "2026-01-01 00:00:00.000",
    "tags": ["a", "b"],
    "bag": {"item_id": 1, "label": "x"},
    "items": [{"item_id": 1, "count": 2}, {"item_id": 2, "count": 3}],
}


def good(number: int = 0) -> Record:
    """A record without fault; its number only makes its #uuid."""
    return {
        "#account_id": "account-1",
        "#distinct_id": "device-1",
        "#type": "track",
        "#time": "2026-01-01 12:00:00.000",
        "#event_name": "login",
        "#ip": "192.168.0.1",
        "#uuid": str(uuid.UUID(int=number)),
        "properties": copy.deepcopy(PROPERTIES),
    }


def of_user(operation: str, properties: Record | None = None, number: int = 1) -> Record:
    record = good(number) | {"#type": operation, "properties": properties}
    del record["#event_name"]
    if properties is None:
        del record["properties"]
    return record


def dumped(record: Record | bytes) -> bytes:
    return record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()


def checked(folder: Path, *records: Record | bytes, taxonomy: Taxonomy | None = None) -> WireReport:
    path = folder / "day.jsonl"
    path.write_bytes(b"".join(dumped(record) + b"\n" for record in records))
    return check_files([path], taxonomy=taxonomy)


def counts(report: WireReport) -> dict[Problem, int]:
    return {problem: finding.count for problem, finding in report.problems.items()}


def with_root(**changes: Any) -> Record:
    """Keys of the root by their names without #; None takes a key away."""
    record = good(1)
    for name, value in changes.items():
        key = name if name == "properties" else f"#{name}"
        if value is None:
            record.pop(key, None)
        else:
            record[key] = value
    return record


def with_properties(**changes: Any) -> Record:
    record = good(1)
    record["properties"] |= changes
    return record


# --------------------------------------------------------------------------- what is right


def test_records_of_every_type_are_clean_and_counted(tmp_path: Path) -> None:
    records = []
    for number, (kind, event, companions) in enumerate(SOME):
        record = good(number) | {"#type": kind, "#event_name": event} | companions
        if event is None:
            del record["#event_name"]
        records.append(record)
    records += [
        of_user("user_add", {"level": 2, "coins": -5.5}, 10),
        of_user("user_unset", {"level": 0, "name": 0}, 11),
        of_user("user_append", {"tags": ["c"]}, 12),
        of_user("user_uniq_append", {"tags": ["c"]}, 13),
        of_user("user_del", None, 14),
        of_user("user_del", {}, 15),
    ]
    report = checked(tmp_path, *records)
    assert report.is_clean, list(report.lines_of_text())
    assert report.lines == 12
    assert report.bytes == (tmp_path / "day.jsonl").stat().st_size
    assert report.events == {
        ("track", "login"): 1,
        ("track_first", "login"): 1,
        ("track_update", "order"): 1,
        ("track_overwrite", "order"): 1,
        ("user_set", ""): 1,
        ("user_setOnce", ""): 1,
        ("user_add", ""): 1,
        ("user_unset", ""): 1,
        ("user_append", ""): 1,
        ("user_uniq_append", ""): 1,
        ("user_del", ""): 2,
    }


@pytest.mark.parametrize(
    "record",
    [
        with_root(account_id=None),
        with_root(distinct_id=None),
        with_root(uuid=None, ip=None),
        with_root(account_id="가" * 128, distinct_id=None),
        with_root(ip="2001:db8::1"),
        with_root(time="2024-02-29 23:59:59.999"),
        with_root(uuid="F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"),
        with_root(properties={}),
        with_root(event_name="e" * 50),
        with_properties(**{"p" * 50: 1}),
        with_properties(name="x" * 2048),
        with_properties(name="가" * 682),
        with_properties(name='"quoted": not a key, and "x" : neither'),
        with_properties(name="2026-01-01 00:00:00.000"),
        with_properties(name=""),
        with_properties(since="2026-01-01 00:00:00"),
        with_properties(level=9_000_000_000_000_000, ratio=-9e15),
        with_properties(level=2.5, ratio=1),
        with_properties(tags=["x" * 255] * 500),
        with_properties(tags=[], items=[]),
        with_properties(bag={f"k{number}": number for number in range(100)}),
        with_properties(bag={}),
        json.dumps(good(1)).encode(),
        json.dumps(good(1), separators=(" , ", " : ")).encode(),
        dumped(good(1)) + b"\r",
    ],
)
def test_what_the_limits_still_allow_is_clean(tmp_path: Path, record: Record | bytes) -> None:
    report = checked(tmp_path, good(0), record)
    assert report.is_clean, list(report.lines_of_text())


def test_an_empty_file_and_no_file_are_clean(tmp_path: Path) -> None:
    assert checked(tmp_path).is_clean
    report = check_files([])
    assert (report.lines, report.first_time, report.is_clean) == (0, None, True)


def test_files_may_be_compressed_whatever_their_name(tmp_path: Path) -> None:
    content = b"".join(dumped(good(number)) + b"\n" for number in range(3))
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(content))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(dumped(good(3))) + gzip.compress(b"\n" + dumped(good(4))))
    report = check_files([tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"])
    assert (report.files, report.lines, report.is_clean) == (2, 5, True)
    assert report.bytes == len(content) + 2 * len(dumped(good(3))) + 1


def test_the_times_span_from_the_first_to_the_last_whatever_their_order(tmp_path: Path) -> None:
    times = ["2026-01-02 00:00:00.000", "2025-12-31 23:59:59.999", "2026-01-03 00:00:00.001", "2026-99-01 00:00:00.000"]
    records = [good(number) | {"#time": time} for number, time in enumerate(times)]
    report = checked(tmp_path, *records)
    assert (report.first_time, report.last_time) == ("2025-12-31 23:59:59.999", "2026-01-03 00:00:00.001")


# --------------------------------------------------------------------------- each rule, violated once

VIOLATIONS: list[tuple[str, Problem, Record | bytes]] = [
    ("cut off", Problem.NOT_JSON, dumped(good(1))[:-20]),
    ("empty line", Problem.NOT_JSON, b""),
    ("more behind it", Problem.NOT_JSON, dumped(good(1)) + b"}"),
    ("two in a line", Problem.NOT_JSON, dumped(good(1)) + dumped(good(2))),
    ("byte order mark", Problem.NOT_JSON, b"\xef\xbb\xbf" + dumped(good(1))),
    ("half a surrogate", Problem.NOT_JSON, dumped(with_properties(name="@")).replace(b'"@"', rb'"\ud800"')),
    ("nested too deep", Problem.NOT_JSON, b"[" * 5000 + b"]" * 5000),
    ("latin-1", Problem.NOT_UTF8, dumped(with_properties(name="@")).replace(b"@", b"\xe9")),
    ("list", Problem.NOT_AN_OBJECT, b"[1]"),
    ("text", Problem.NOT_AN_OBJECT, b'"#type"'),
    ("preset at the root", Problem.ROOT_KEY, with_root(os="iOS")),
    ("stranger at the root", Problem.ROOT_KEY, good(1) | {"level": 1}),
    ("capitals at the root", Problem.ROOT_KEY, good(1) | {"Properties": {}}),
    ("time among the properties", Problem.MISPLACED_KEY, with_properties(**{"#time": "2026-01-01 00:00:00.000"})),
    ("unknown type", Problem.TYPE, with_root(type="trick")),
    ("other spelling", Problem.TYPE, of_user("user_setonce", {"level": 1})),
    ("number as type", Problem.TYPE, with_root(type=1)),
    ("no type", Problem.TYPE, with_root(type=None)),
    ("no event name", Problem.COMPANION, with_root(event_name=None)),
    ("no event id", Problem.COMPANION, with_root(type="track_update")),
    ("no event id to overwrite", Problem.COMPANION, with_root(type="track_overwrite")),
    ("no first check id", Problem.COMPANION, with_root(type="track_first")),
    ("event id of a plain event", Problem.COMPANION, with_root(event_id="x")),
    ("event name of a user", Problem.COMPANION, with_root(type="user_set")),
    ("no id", Problem.NO_ID, with_root(account_id=None, distinct_id=None)),
    ("number as id", Problem.ID, with_root(account_id=7)),
    ("null as id", Problem.ID, good(1) | {"#distinct_id": None}),
    ("empty id", Problem.ID, with_root(distinct_id="")),
    ("long id", Problem.ID, with_root(distinct_id="x" * 129)),
    ("long event id", Problem.ID, with_root(type="track_update", event_id="x" * 129)),
    ("another account", Problem.OWNER, with_root(account_id="account-2")),
    ("event name with a space", Problem.EVENT_NAME, with_root(event_name="log in")),
    ("event name of 51", Problem.EVENT_NAME, with_root(event_name="e" * 51)),
    ("no time", Problem.TIME, with_root(time=None)),
    ("time without milliseconds", Problem.TIME, with_root(time="2026-01-01 00:00:00")),
    ("time with a T", Problem.TIME, with_root(time="2026-01-01T00:00:00.000")),
    ("time with a zone", Problem.TIME, with_root(time="2026-01-01 00:00:00.000Z")),
    ("time in other digits", Problem.TIME, with_root(time="２026-01-01 00:00:00.000")),
    ("30th of February", Problem.TIME, with_root(time="2026-02-30 00:00:00.000")),
    ("hour 24", Problem.TIME, with_root(time="2026-01-01 24:00:00.000")),
    ("second 60", Problem.TIME, with_root(time="2026-01-01 00:00:60.000")),
    ("time as a number", Problem.TIME, with_root(time=1767225600000)),
    ("uuid without dashes", Problem.UUID, with_root(uuid="f81d4fae7dec11d0a76500a0c91e6bf6")),
    ("uuid with a g", Problem.UUID, with_root(uuid="g81d4fae-7dec-11d0-a765-00a0c91e6bf6")),
    ("uuid as a number", Problem.UUID, with_root(uuid=5)),
    ("uuid again", Problem.DUPLICATE_UUID, with_root(uuid=str(uuid.UUID(int=0)))),
    ("no address", Problem.IP, with_root(ip="256.1.1.1")),
    ("no properties", Problem.PROPERTIES, with_root(properties=None)),
    ("list of properties", Problem.PROPERTIES, with_root(properties=[])),
    ("properties are null", Problem.PROPERTIES, good(1) | {"properties": None}),
    ("no properties of a user", Problem.PROPERTIES, of_user("user_set")),
    ("name with a dash", Problem.KEY, with_properties(**{"my-level": 1})),
    ("name with a digit first", Problem.KEY, with_properties(**{"1st": 1})),
    ("name in Korean", Problem.KEY, with_properties(레벨=1)),
    ("empty name", Problem.KEY, with_properties(**{"": 1})),
    ("name of 51", Problem.KEY, with_properties(**{"p" * 51: 1})),
    ("name in an object", Problem.KEY, with_properties(bag={"item-id": 1})),
    ("name in an object group", Problem.KEY, with_properties(items=[{"item id": 1}])),
    ("capitals differ", Problem.DUPLICATE_KEY, with_properties(Level=4)),
    ("capitals differ in an object", Problem.DUPLICATE_KEY, with_properties(bag={"item_id": 1, "Item_ID": 2})),
    ("property twice", Problem.DUPLICATE_KEY, dumped(good(1)).replace(b'"vip": true', b'"vip": true, "vip": true')),
    ("root key twice", Problem.DUPLICATE_KEY, dumped(good(1)).replace(b'{"#acc', b'{"#type":"track", "#acc')),
    (
        "twice with a space before the colon",
        Problem.DUPLICATE_KEY,
        dumped(good(1)).replace(b'"vip": true', b'"vip" : true, "vip": true'),
    ),
    (
        "twice with a tab before the colon",
        Problem.DUPLICATE_KEY,
        dumped(good(1)).replace(b'"vip": true', b'"vip"\t: true, "vip": true'),
    ),
    ("null", Problem.NULL, with_properties(level=None)),
    ("null in a list", Problem.NULL, with_properties(tags=["a", None])),
    ("null in an object", Problem.NULL, with_properties(bag={"item_id": None})),
    ("long text to unset", Problem.TEXT_SIZE, of_user("user_unset", {"level": "x" * 2049})),
    ("null to unset", Problem.NULL, of_user("user_unset", {"level": None})),
    ("NaN", Problem.NOT_FINITE, with_properties(ratio=float("nan"))),
    ("infinite", Problem.NOT_FINITE, with_properties(ratio=float("-inf"))),
    ("number too large", Problem.NUMBER_RANGE, with_properties(level=9_000_000_000_000_001)),
    ("number too small", Problem.NUMBER_RANGE, with_properties(ratio=-9.1e15)),
    ("number of forty digits", Problem.NUMBER_RANGE, with_properties(level=10**40)),
    ("number beyond floats", Problem.NUMBER_RANGE, dumped(with_properties(level="@")).replace(b'"@"', b"1e999")),
    ("number too large in an object", Problem.NUMBER_RANGE, with_properties(items=[{"count": 10**16}])),
    ("long text", Problem.TEXT_SIZE, with_properties(name="x" * 2049)),
    ("long text in bytes", Problem.TEXT_SIZE, with_properties(name="가" * 683)),
    ("long text in an object", Problem.TEXT_SIZE, with_properties(bag={"label": "x" * 2049})),
    ("501 items", Problem.LIST_SIZE, with_properties(tags=["a"] * 501)),
    ("501 objects", Problem.LIST_SIZE, with_properties(items=[{"count": 1}] * 501)),
    ("list of numbers", Problem.LIST_ITEM, with_properties(tags=["a", 1])),
    ("list of lists", Problem.LIST_ITEM, with_properties(tags=[["a"]])),
    ("mixed list", Problem.LIST_ITEM, with_properties(tags=["a", {"b": 1}])),
    ("long item", Problem.LIST_ITEM_SIZE, with_properties(tags=["x" * 256])),
    ("long item in bytes", Problem.LIST_ITEM_SIZE, with_properties(tags=["가" * 86])),
    ("101 keys", Problem.OBJECT_SIZE, with_properties(bag={f"k{number}": 1 for number in range(101)})),
    ("adding a text", Problem.OPERATION, of_user("user_add", {"coins": "5"})),
    ("adding a truth", Problem.OPERATION, of_user("user_add", {"coins": True})),
    ("appending a text", Problem.OPERATION, of_user("user_append", {"tags": "a"})),
    ("appending a number once", Problem.OPERATION, of_user("user_uniq_append", {"tags": 1})),
    ("number becomes text", Problem.TYPE_CHANGED, with_properties(level="3")),
    ("text becomes number", Problem.TYPE_CHANGED, with_properties(name=3)),
    ("truth becomes number", Problem.TYPE_CHANGED, with_properties(vip=1)),
    ("number becomes truth", Problem.TYPE_CHANGED, with_properties(level=True)),
    ("time becomes text", Problem.TYPE_CHANGED, with_properties(since="yesterday")),
    ("list becomes text", Problem.TYPE_CHANGED, with_properties(tags="a")),
    ("list becomes objects", Problem.TYPE_CHANGED, with_properties(tags=[{"a": 1}])),
    ("object becomes list", Problem.TYPE_CHANGED, with_properties(bag=["a"])),
    ("object becomes objects", Problem.TYPE_CHANGED, with_properties(bag=[{"item_id": 1}])),
    ("objects become an object", Problem.TYPE_CHANGED, with_properties(items={"item_id": 1})),
    ("type within an object", Problem.TYPE_CHANGED, with_properties(bag={"item_id": "1"})),
    ("type within objects", Problem.TYPE_CHANGED, with_properties(items=[{"count": 1}, {"count": "1"}])),
    (
        "another type under other capitals",
        Problem.TYPE_CHANGED,
        with_root(properties={"LEVEL": "3"}),
    ),
]


@pytest.mark.parametrize(("problem", "record"), [case[1:] for case in VIOLATIONS], ids=[case[0] for case in VIOLATIONS])
def test_a_violation_is_found_once_by_name_and_place(tmp_path: Path, problem: Problem, record: Record | bytes) -> None:
    report = checked(tmp_path, good(0), record, good(9))
    assert counts(report) == {problem: 1}, list(report.lines_of_text())
    (example,) = report.problems[problem].examples
    assert (example.file, example.line) == (str(tmp_path / "day.jsonl"), 2)
    assert not report.is_clean
    assert f"{example.file}:2: expected {example.expected}, found {example.found}" in "\n".join(report.lines_of_text())


def test_every_problem_has_a_case() -> None:
    elsewhere = {
        *(Problem.DAMAGED_FILE, Problem.TOO_MANY_EVENTS, Problem.TOO_MANY_PROPERTIES),
        *(Problem.UNKNOWN_EVENT, Problem.UNDECLARED_PROPERTY, Problem.DECLARED_TYPE),
    }
    assert {problem for _, problem, _ in VIOLATIONS} | elsewhere == set(Problem)


def test_several_problems_of_one_line_are_all_told(tmp_path: Path) -> None:
    record = with_properties(level=None, name="x" * 3000, **{"bad-name": 1})
    record["#time"] = "soon"
    report = checked(tmp_path, good(0), record)
    assert counts(report) == {Problem.TIME: 1, Problem.NULL: 1, Problem.TEXT_SIZE: 1, Problem.KEY: 1}


def test_a_problem_is_counted_always_and_shown_a_few_times(tmp_path: Path) -> None:
    report = checked(tmp_path, *(with_properties(level=None) | {"#uuid": str(uuid.UUID(int=n))} for n in range(12)))
    finding = report.problems[Problem.NULL]
    assert finding.count == 12
    assert [example.line for example in finding.examples] == list(range(1, EXAMPLES + 1))


def test_events_and_users_have_types_of_their_own(tmp_path: Path) -> None:
    assert checked(tmp_path, good(0), of_user("user_set", {"level": "three"})).is_clean
    report = checked(tmp_path, of_user("user_set", {"level": "three"}), of_user("user_add", {"level": 1}, 2))
    assert counts(report) == {Problem.TYPE_CHANGED: 1}


def test_unset_fixes_no_type(tmp_path: Path) -> None:
    assert checked(tmp_path, of_user("user_unset", {"name": 0}), of_user("user_set", {"name": "a"}, 2)).is_clean


def test_the_place_of_a_problem_is_in_the_file_that_has_it(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("1", "2", "3")]
    paths[0].write_bytes(dumped(good(0)) + b"\n" + dumped(good(1)) + b"\n")
    paths[1].write_bytes(b"")
    paths[2].write_bytes(dumped(good(2)) + b"\n" + dumped(good(1)) + b"\n" + b"{\n")
    report = check_files(paths)
    (repeated,) = report.problems[Problem.DUPLICATE_UUID].examples
    (cut,) = report.problems[Problem.NOT_JSON].examples
    assert (repeated.file, repeated.line, cut.file, cut.line) == (str(paths[2]), 2, str(paths[2]), 3)
    assert f"{paths[0]}:2" in repeated.expected
    assert report.duplicates == 1


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda data: data[:200] + b"\xff" * 60 + data[260:]])
def test_a_damaged_compressed_file_is_a_problem_of_the_line_where_it_ends(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    whole, cut = tmp_path / "whole.gz", tmp_path / "cut.gz"
    whole.write_bytes(gzip.compress(dumped(good(1000)) + b"\n"))
    cut.write_bytes(damage(gzip.compress(b"".join(dumped(good(n)) + b"\n" for n in range(500)))))
    report = check_files([cut, whole])
    (example,) = report.problems[Problem.DAMAGED_FILE].examples
    assert counts(report)[Problem.DAMAGED_FILE] == 1
    assert example.file == str(cut)
    assert example.line == report.lines  # one line of the other file, and the line behind the last whole one here


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UnreadableLogError, match="Expected a log file at"):
            check_files([path])


# --------------------------------------------------------------------------- how many there may be


def test_a_project_has_at_most_500_kinds_of_events(tmp_path: Path) -> None:
    records = [good(number) | {"#event_name": f"e{number}"} for number in range(502)]
    report = checked(tmp_path, *records, good(900) | {"#event_name": "e0"})
    assert counts(report) == {Problem.TOO_MANY_EVENTS: 2}
    assert report.problems[Problem.TOO_MANY_EVENTS].examples[0].line == 501
    assert report.events["track", "(others)"] == 2
    assert report.events["track", "e0"] == 2


def test_events_have_at_most_1000_properties_and_users_500(tmp_path: Path) -> None:
    def named(first: int, count: int) -> Record:
        return {f"p{number}": 1 for number in range(first, first + count)}

    full = [good(0) | {"properties": named(0, 1000)}, of_user("user_set", named(0, 500), 2)]
    assert checked(tmp_path, *full).is_clean
    report = checked(tmp_path, *full, with_root(properties=named(999, 2)), of_user("user_set", named(499, 3), 3))
    assert counts(report) == {Problem.TOO_MANY_PROPERTIES: 3}
    assert [example.line for example in report.problems[Problem.TOO_MANY_PROPERTIES].examples] == [3, 4, 4]


# --------------------------------------------------------------------------- against a taxonomy


def typed(name: str, type: PropertyType, *nested: Property) -> Property:
    return Property(name=name, type=type, properties=nested)


TAXONOMY = Taxonomy(
    name="shop",
    events=(
        Event(
            name="login",
            properties=(
                typed("level", PropertyType.NUMBER),
                typed("name", PropertyType.STRING),
                typed("vip", PropertyType.BOOLEAN),
                typed("since", PropertyType.TIME),
                typed("tags", PropertyType.LIST),
                typed("bag", PropertyType.OBJECT),
                typed(
                    "items",
                    PropertyType.OBJECT_GROUP,
                    typed("item_id", PropertyType.NUMBER),
                    typed("count", PropertyType.NUMBER),
                ),
            ),
        ),
        Event(name="logout"),
    ),
    common_properties=(typed("ratio", PropertyType.NUMBER), typed("#zone_offset", PropertyType.NUMBER)),
    user_properties=(typed("coins", PropertyType.NUMBER), typed("names", PropertyType.LIST)),
)


def test_what_a_taxonomy_declares_is_clean(tmp_path: Path) -> None:
    records = [
        good(0),
        with_root(event_name="logout", properties={"ratio": 1, "#carrier": "SKT"}),
        of_user("user_add", {"coins": 1}, 2),
        of_user("user_append", {"names": ["a"]}, 3),
        of_user("user_unset", {"names": 0}, 4),
        with_properties(items=[], tags=[], name="2026-01-01 00:00:00") | {"#uuid": str(uuid.UUID(int=5))},
    ]
    report = checked(tmp_path, *records, taxonomy=TAXONOMY)
    assert report.is_clean, list(report.lines_of_text())


@pytest.mark.parametrize(
    ("problem", "record"),
    [
        (Problem.UNKNOWN_EVENT, with_root(event_name="login2")),
        (Problem.UNKNOWN_EVENT, with_root(event_name="Login")),
        (Problem.UNDECLARED_PROPERTY, with_properties(mana=1)),
        (Problem.UNDECLARED_PROPERTY, with_root(event_name="logout", properties={"level": 1})),
        (Problem.UNDECLARED_PROPERTY, with_properties(items=[{"item_id": 1, "colour": "red"}])),
        (Problem.UNDECLARED_PROPERTY, of_user("user_set", {"level": 1})),
        (Problem.DECLARED_TYPE, with_properties(level="3")),
        (Problem.DECLARED_TYPE, with_properties(since="soon")),
        (Problem.DECLARED_TYPE, with_properties(tags="a")),
        (Problem.DECLARED_TYPE, with_properties(bag=[{"a": 1}])),
        (Problem.DECLARED_TYPE, with_properties(items=[{"item_id": "1"}])),
        (Problem.DECLARED_TYPE, with_properties(**{"#zone_offset": "9"})),
        (Problem.DECLARED_TYPE, of_user("user_setOnce", {"coins": "1"})),
    ],
)
def test_what_a_taxonomy_does_not_declare_is_found_even_in_the_first_line(
    tmp_path: Path, problem: Problem, record: Record
) -> None:
    report = checked(tmp_path, record, good(8), taxonomy=TAXONOMY)
    assert counts(report) == {problem: 1}, list(report.lines_of_text())
    assert report.problems[problem].examples[0].line == 1


def test_an_object_that_events_declare_differently_may_hold_what_any_of_them_says(tmp_path: Path) -> None:
    number = PropertyType.NUMBER
    events = tuple(
        Event(name=name, properties=(typed("info", PropertyType.OBJECT, typed(inner, number)),))
        for name, inner in (("buy", "price"), ("sell", "profit"))
    )
    taxonomy = Taxonomy(name="shop", events=events)
    records = [
        good(number) | {"#event_name": event, "properties": {"info": {inner: 1}}}
        for number, (event, inner) in enumerate([("buy", "price"), ("sell", "profit")])
    ]
    assert checked(tmp_path, *records, taxonomy=taxonomy).is_clean
    wrong = with_root(event_name="sell", properties={"info": {"profit": "1", "loss": 1}})
    assert counts(checked(tmp_path, wrong, taxonomy=taxonomy)) == {
        Problem.DECLARED_TYPE: 1,
        Problem.UNDECLARED_PROPERTY: 1,
    }


# --------------------------------------------------------------------------- across many lines


@settings(max_examples=50)
@given(
    numbers=st.lists(st.integers(0, 12), max_size=40),
    owners=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([None, "x", "y", "z"])), max_size=40),
    piece=st.integers(1, 7),
)
def test_repeated_uuids_and_second_owners_are_those_a_plain_reading_finds(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    owners: list[tuple[str, str | None]],
    piece: int,
) -> None:
    lines = max(len(numbers), len(owners))
    records = []
    for line in range(lines):
        record = good()
        del record["#uuid"]
        if line < len(numbers):
            record["#uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, str(numbers[line])))
        device, account = owners[line] if line < len(owners) else ("e", "x")
        record["#distinct_id"] = device
        if account is None:
            del record["#account_id"]
        else:
            record["#account_id"] = account
        records.append(record)

    seen: set[int] = set()
    repeated = [line for line, number in enumerate(numbers, 1) if number in seen or seen.add(number)]
    owner: dict[str, str] = {}
    strange: dict[tuple[str, str], int] = {}
    for line, (device, account) in enumerate(owners, 1):
        if account is not None and owner.setdefault(device, account) != account:
            strange.setdefault((device, account), line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire_check, "_LINES_A_PIECE", piece)
        patch.setattr(wire_check, "_RECENT_PAIRS", 2)
        patch.setattr(partitions, "_IN_MEMORY_BYTES", 64)
        report = checked(tmp_path_factory.mktemp("lines"), *records)
    assert report.duplicates == len(repeated)
    found = report.problems.get(Problem.DUPLICATE_UUID)
    assert [e.line for e in found.examples] == repeated[:EXAMPLES] if found else not repeated
    found = report.problems.get(Problem.OWNER)
    # An account that comes again after others were forgotten is the same second owner.
    assert (found.count if found else 0) == len(strange)
    assert [e.line for e in found.examples] == sorted(strange.values())[:EXAMPLES] if found else not strange


# --------------------------------------------------------------------------- the grammar

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.integers(-(9 * 10**15), 9 * 10**15) | st.floats(-9e15, 9e15)
TIMES = st.datetimes().map(lambda time: time.isoformat(" ", "milliseconds"))
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
SCALARS = {"n": NUMBERS, "s": TEXT.map(lambda text: f"x{text}"), "b": st.booleans(), "t": TIMES}


def objects(prefix: str) -> st.SearchStrategy[Record]:
    """Objects whose keys tell the type of the value by their first letter after the prefix."""
    keys = {f"{prefix}{letter}_{number}": values for letter, values in SCALARS.items() for number in range(2)}
    return st.fixed_dictionaries({}, optional=keys)


PROPERTY_SETS = st.fixed_dictionaries(
    {},
    optional={
        **{f"{letter}_{number}": values for letter, values in SCALARS.items() for number in range(3)},
        "#os": st.sampled_from(["iOS", "Android"]),
        "list_1": st.lists(TEXT, max_size=5),
        "object_1": objects("in"),
        "group_1": st.lists(objects("of"), max_size=3),
    },
)


@st.composite
def valid_records(draw: st.DrawFn) -> Record:
    kind = draw(st.sampled_from(sorted((*TRACK_TYPES, *USER_TYPES))))
    record: Record = {"#type": kind, "#time": draw(TIMES)}
    if draw(st.booleans()):
        record["#uuid"] = str(draw(st.uuids()))
    if draw(st.booleans()):
        record["#ip"] = str(draw(st.ip_addresses()))
    ids = draw(st.sampled_from(["account", "distinct", "both"]))
    if ids == "distinct":
        record["#distinct_id"] = draw(IDS)
    else:
        account = record["#account_id"] = draw(IDS)
        if ids == "both":
            record["#distinct_id"] = f"{account[:100]}#{abs(hash(account))}"[-128:]
    if kind in TRACK_TYPES:
        record["#event_name"] = draw(st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9_]{0,49}\Z"))
    if kind in ("track_update", "track_overwrite"):
        record["#event_id"] = draw(IDS)
    if kind == "track_first":
        record["#first_check_id"] = draw(IDS)
    if kind == "user_add":
        record["properties"] = draw(st.fixed_dictionaries({}, optional={"n_0": NUMBERS, "n_1": NUMBERS}))
    elif "append" in kind:
        record["properties"] = draw(st.fixed_dictionaries({}, optional={"list_1": st.lists(TEXT, max_size=3)}))
    elif kind != "user_del":
        record["properties"] = draw(PROPERTY_SETS)
    return record


@settings(max_examples=40)
@given(records=st.lists(valid_records(), max_size=8, unique_by=lambda r: r.get("#uuid", id(r))), spaced=st.booleans())
def test_whatever_the_grammar_allows_is_clean(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record], spaced: bool
) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    lines = [json.dumps(record, ensure_ascii=spaced, separators=separators).encode() for record in records]
    report = checked(tmp_path_factory.mktemp("valid"), *lines)
    assert report.is_clean, list(report.lines_of_text())
    assert sum(report.events.values()) == report.lines == len(records)


def without(record: Record, *keys: str) -> Record:
    return {key: value for key, value in record.items() if key not in keys}


def among(record: Record, **changes: Any) -> Record:
    return record | {"properties": record.get("properties", {}) | changes}


MUTATIONS: dict[Problem, Callable[[Record], Record | bytes]] = {
    Problem.NOT_JSON: lambda record: dumped(record)[:-1],
    Problem.NOT_AN_OBJECT: lambda record: dumped([record]),  # type: ignore[arg-type]
    Problem.ROOT_KEY: lambda record: record | {"#device_model": "x"},
    Problem.MISPLACED_KEY: lambda record: among(record, **{"#event_name": 0}),
    Problem.TYPE: lambda record: record | {"#type": record["#type"].upper()},
    Problem.NO_ID: lambda record: without(record, "#account_id", "#distinct_id"),
    Problem.ID: lambda record: record | {"#account_id": "x" * 200},
    Problem.TIME: lambda record: record | {"#time": record["#time"][:-1]},
    Problem.UUID: lambda record: record | {"#uuid": "1234"},
    Problem.IP: lambda record: record | {"#ip": "here"},
    Problem.PROPERTIES: lambda record: record | {"properties": 1},
    Problem.KEY: lambda record: among(record, **{"not ok": 1}),
    Problem.DUPLICATE_KEY: lambda record: among(record, N_9=1, n_9=1),
    Problem.NULL: lambda record: among(record, n_0=None),
    Problem.NOT_FINITE: lambda record: among(record, n_0=float("inf")),
    Problem.NUMBER_RANGE: lambda record: among(record, n_0=9.1e15),
    Problem.TEXT_SIZE: lambda record: among(record, s_0="é" * 1025),
    Problem.LIST_SIZE: lambda record: among(record, list_1=["x"] * 501),
    Problem.LIST_ITEM: lambda record: among(record, list_1=["x", 1]),
    Problem.LIST_ITEM_SIZE: lambda record: among(record, list_1=["é" * 128]),
    Problem.OBJECT_SIZE: lambda record: among(record, object_1={f"inn_{n}": n for n in range(101)}),
}


@settings(max_examples=70)
@given(
    before=st.lists(valid_records(), max_size=3, unique_by=lambda r: r.get("#uuid", id(r))),
    record=valid_records(),
    problem=st.sampled_from(sorted(MUTATIONS)),
)
def test_one_mutation_of_a_valid_record_is_found_in_its_line(
    tmp_path_factory: pytest.TempPathFactory, before: list[Record], record: Record, problem: Problem
) -> None:
    report = checked(tmp_path_factory.mktemp("mutated"), *before, MUTATIONS[problem](record))
    assert problem in report.problems, list(report.lines_of_text())
    assert report.problems[problem].examples[-1].line == len(before) + 1
    assert {e.line for finding in report.problems.values() for e in finding.examples} == {len(before) + 1}
