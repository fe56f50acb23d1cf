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

from gamestats_assets.demo_data.logs import wire_check
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


# --------------------------------------------------------------------------- each rule, violated once

VIOLATIONS: list[tuple[str, Problem, Record | bytes]] = [
    ("cut off", Problem.NOT_JSON, dumped(good(1))[:-20]),
    ("empty line", Problem.NOT_JSON, b""),
    ("more behind it", Problem.NOT_JSON, dumped(good(1)) + b"}"),
    ("nested too deep", Problem.NOT_JSON, b"[" * 5000 + b"]" * 5000),
    ("latin-1", Problem.NOT_UTF8, dumped(with_properties(name="@")).replace(b"@", b"\xe9")),
    ("list", Problem.NOT_AN_OBJECT, b"[1]"),
    ("preset at the root", Problem.ROOT_KEY, with_root(os="iOS")),
    ("stranger at the root", Problem.ROOT_KEY, good(1) | {"level": 1}),
    ("time among the properties", Problem.MISPLACED_KEY, with_properties(**{"#time": "2026-01-01 00:00:00.000"})),
    ("unknown type", Problem.TYPE, with_root(type="trick")),
    ("no type", Problem.TYPE, with_root(type=None)),
    ("no event name", Problem.COMPANION, with_root(event_name=None)),
    ("no event id", Problem.COMPANION, with_root(type="track_update")),
    ("no first check id", Problem.COMPANION, with_root(type="track_first")),
    ("event id of a plain event", Problem.COMPANION, with_root(event_id="x")),
    ("event name of a user", Problem.COMPANION, with_root(type="user_set")),
    ("no id", Problem.NO_ID, with_root(account_id=None, distinct_id=None)),
    ("number as id", Problem.ID, with_root(account_id=7)),
    ("long id", Problem.ID, with_root(distinct_id="x" * 129)),
    ("another account", Problem.OWNER, with_root(account_id="account-2")),
    ("event name with a space", Problem.EVENT_NAME, with_root(event_name="log in")),
    ("no time", Problem.TIME, with_root(time=None)),
    ("time without milliseconds", Problem.TIME, with_root(time="2026-01-01 00:00:00")),
    ("time in other digits", Problem.TIME, with_root(time="２026-01-01 00:00:00.000")),
    ("30th of February", Problem.TIME, with_root(time="2026-02-30 00:00:00.000")),
    ("uuid without dashes", Problem.UUID, with_root(uuid="f81d4fae7dec11d0a76500a0c91e6bf6")),
    ("uuid again", Problem.DUPLICATE_UUID, with_root(uuid=str(uuid.UUID(int=0)))),
    ("no address", Problem.IP, with_root(ip="256.1.1.1")),
    ("no properties", Problem.PROPERTIES, with_root(properties=None)),
    ("no properties of a user", Problem.PROPERTIES, of_user("user_set")),
    ("name with a dash", Problem.KEY, with_properties(**{"my-level": 1})),
    ("name in Korean", Problem.KEY, with_properties(레벨=1)),
    ("name in an object", Problem.KEY, with_properties(bag={"item-id": 1})),
    ("capitals differ", Problem.DUPLICATE_KEY, with_properties(Level=4)),
    ("property twice", Problem.DUPLICATE_KEY, dumped(good(1)).replace(b'"vip": true', b'"vip": true, "vip": true')),
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
    ("long text to unset", Problem.TEXT_SIZE, of_user("user_unset", {"level": "x" * 2049})),
    ("NaN", Problem.NOT_FINITE, with_properties(ratio=float("nan"))),
    ("number too large", Problem.NUMBER_RANGE, with_properties(level=9_000_000_000_000_001)),
    ("number beyond floats", Problem.NUMBER_RANGE, dumped(with_properties(level="@")).replace(b'"@"', b"1e999")),
    ("number too large in an object", Problem.NUMBER_RANGE, with_properties(items=[{"count": 10**16}])),
    ("long text", Problem.TEXT_SIZE, with_properties(name="x" * 2049)),
    ("long text in bytes", Problem.TEXT_SIZE, with_properties(name="가" * 683)),
    ("501 items", Problem.LIST_SIZE, with_properties(tags=["a"] * 501)),
    ("list of numbers", Problem.LIST_ITEM, with_properties(tags=["a", 1])),
    ("mixed list", Problem.LIST_ITEM, with_properties(tags=["a", {"b": 1}])),
    ("long item", Problem.LIST_ITEM_SIZE, with_properties(tags=["x" * 256])),
    ("101 keys", Problem.OBJECT_SIZE, with_properties(bag={f"k{number}": 1 for number in range(101)})),
    ("adding a text", Problem.OPERATION, of_user("user_add", {"coins": "5"})),
    ("appending a text", Problem.OPERATION, of_user("user_append", {"tags": "a"})),
    ("number becomes text", Problem.TYPE_CHANGED, with_properties(level="3")),
    ("truth becomes number", Problem.TYPE_CHANGED, with_properties(vip=1)),
    ("time becomes text", Problem.TYPE_CHANGED, with_properties(since="yesterday")),
    ("list becomes objects", Problem.TYPE_CHANGED, with_properties(tags=[{"a": 1}])),
    ("object becomes objects", Problem.TYPE_CHANGED, with_properties(bag=[{"item_id": 1}])),
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


def test_a_problem_is_counted_always_and_shown_a_few_times(tmp_path: Path) -> None:
    report = checked(tmp_path, *(with_properties(level=None) | {"#uuid": str(uuid.UUID(int=n))} for n in range(12)))
    finding = report.problems[Problem.NULL]
    assert finding.count == 12
    assert [example.line for example in finding.examples] == list(range(1, EXAMPLES + 1))


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
SCALARS = {"n": NUMBERS, "s": TEXT.map(lambda text: f"x{text}"), "b": st.booleans(), "t": TIMES}


def objects(prefix: str) -> st.SearchStrategy[Record]:
    """Objects whose keys tell the type of the value by their first letter after the prefix."""
    keys = {f"{prefix}{letter}_{number}": values for letter, values in SCALARS.items() for number in range(2)}
    return st.fixed_dictionaries({}, optional=keys)


def without(record: Record, *keys: str) -> Record:
    return {key: value for key, value in record.items() if key not in keys}


def among(record: Record, **changes: Any) -> Record:
    return record | {"properties": record.get("properties", {}) | changes}
