"""Whether log files are what ThinkingData takes: every rule of its wire format, line by line.

It knows the format and nothing of how the files were made, so that it can judge whoever made them.
Files are read as a stream. What must be compared across all lines (`#uuid`, the account of a
`#distinct_id`) goes to temporary files in pieces, so that memory does not grow with the number of lines.
"""

from __future__ import annotations

import io
import json
import math
import re
import socket
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from gamestats_assets.apis.thinkingdata import (
    APPENDING_TYPES,
    COMPANIONS,
    ID_CHARACTERS,
    LARGEST_NUMBER,
    LIST_ITEM_BYTES,
    LIST_ITEMS,
    MOST_EVENTS,
    NAME,
    OBJECT_KEYS,
    ROOT_KEYS,
    TEXT_BYTES,
    TRACK_TYPES,
    USER_TYPES,
)
from gamestats_assets.demo_data.logs.log_files import DAMAGE, open_log
from gamestats_assets.demo_data.logs.spool import Spool
from gamestats_assets.demo_data.logs.wire_names import (
    ABSENT,
    CACHED_SHAPES,
    NAME_RULE,
    Scope,
    Shape,
    Slot,
    scopes,
    shown,
)
from gamestats_assets.demo_data.logs.wire_report import Example, Finding, Problem, WireReport
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy
from gamestats_assets.lakehouse.files.documents import UNREADABLE

EXAMPLES = 5
"""How many examples of a problem are kept."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}").fullmatch
_TRACK_TYPES = frozenset(TRACK_TYPES)
_TYPE_NAMES = _TRACK_TYPES.union(USER_TYPES)
# A character has at most four bytes in UTF-8, so that shorter texts and items need not be encoded.
_SHORT_TEXT, _SHORT_ITEM = TEXT_BYTES // 4, LIST_ITEM_BYTES // 4
_LINES_A_PIECE = 32_768


def check_files(paths: Sequence[Path], *, taxonomy: Taxonomy | None = None) -> WireReport:
    """Every problem of some log files, counted, with examples.

    The files are one stream, in this order: what comes first fixes the type of a property. A property whose
    first value is a text in the format of a time holds times from then on.

    Args:
        paths: plain or gzip files of one JSON object per line.
        taxonomy: where given, events and properties must be declared in it and have its types. Presets
            (names that start with #) need no declaration.

    Raises:
        UnreadableLogError: when a file cannot be opened. Damage within a file is a problem, not an error.
    """
    check = _Check(taxonomy)
    for path in paths:
        with open_log(path) as file:
            check.file(str(path), file)
    return check.report()


# --------------------------------------------------------------------------- what is compared across lines

_TABLES = {
    "uuids": {"uuid": pl.String, "line": pl.Int64},
    "owners": {"distinct_id": pl.String, "account_id": pl.String, "line": pl.Int64},
}
_REPEATED = """
    SELECT line, min(line) OVER (PARTITION BY uuid) AS earlier FROM uuids QUALIFY line > earlier ORDER BY line
"""
_SECOND_OWNERS = """
    WITH first AS (
        SELECT distinct_id, min(line) AS earlier, arg_min(account_id, line) AS owner FROM owners GROUP BY distinct_id
    )
    SELECT min(line) AS line, any_value(earlier) AS earlier FROM owners JOIN first USING (distinct_id)
    WHERE account_id <> owner GROUP BY distinct_id, account_id ORDER BY line
"""


# --------------------------------------------------------------------------- lines


class _Check:
    def __init__(self, taxonomy: Taxonomy | None) -> None:
        self._event_scopes, self._other_events, self._users = scopes(taxonomy)
        self._knows_events = taxonomy is not None
        self._decode = msgspec.json.Decoder().decode
        self._counts: Counter[Problem] = Counter()
        self._examples: dict[Problem, list[Example]] = {}
        self._events: Counter[tuple[str, str]] = Counter()
        self._event_names: set[str] = set()
        self._roots: dict[tuple[str, ...], tuple[tuple[Problem, str, str], ...]] = {}
        self._first_time, self._last_time = "~", ""
        self._bytes = 0
        self._line = 0  # of all files
        self._files: list[str] = []
        self._starts: list[int] = []
        self._keys = 0
        self._uuids: list[tuple[str, int]] = []
        self._owners: list[tuple[str, str, int]] = []
        self._spool = Spool(_TABLES)

    def file(self, name: str, lines: io.BufferedReader) -> None:
        self._files.append(name)
        self._starts.append(self._line)
        try:
            for raw in lines:
                self._line += 1
                self._bytes += len(raw)
                self._check(raw)
                if not self._line % _LINES_A_PIECE:
                    self._settle()
        except DAMAGE as error:
            self._at(self._line + 1, Problem.DAMAGED_FILE, "the rest of the file", str(error))
        self._settle()

    def report(self) -> WireReport:
        self._compare(_REPEATED, Problem.DUPLICATE_UUID, "another #uuid than that of {}", "the same")
        self._compare(_SECOND_OWNERS, Problem.OWNER, "the account that its #distinct_id has in {}", "another")
        self._spool.close()
        return WireReport(
            files=len(self._files),
            lines=self._line,
            bytes=self._bytes,
            events=dict(sorted(self._events.items())),
            problems={
                problem: Finding(self._counts[problem], tuple(self._examples[problem]))
                for problem in Problem
                if self._counts[problem]
            },
            first_time=self._first_time if self._last_time else None,
            last_time=self._last_time or None,
        )

    # -- telling

    def _problem(self, problem: Problem, expected: str, found: str) -> None:
        self._at(self._line, problem, expected, found)

    def _at(self, line: int, problem: Problem, expected: str, found: str) -> None:
        self._counts[problem] += 1
        examples = self._examples.setdefault(problem, [])
        if len(examples) < EXAMPLES:
            examples.append(Example(*self._place(line), expected, found))

    def _place(self, line: int) -> tuple[str, int]:
        # A line is looked for among the files that start before it; empty ones start where the next does.
        at = bisect_right(self._starts, line - 1) - 1
        return self._files[at], line - self._starts[at]

    # -- across lines

    def _settle(self) -> None:
        """Store what is to be compared across lines."""
        for table, rows in (("uuids", self._uuids), ("owners", self._owners)):
            if rows:
                self._spool.add(table, pl.DataFrame(rows, schema=_TABLES[table], orient="row"))
                rows.clear()

    def _compare(self, sql: str, problem: Problem, expected: str, found: str) -> None:
        pairs = self._spool.query(sql)
        for line, earlier in pairs.head(EXAMPLES).iter_rows():
            file, number = self._place(earlier)
            self._at(line, problem, expected.format(f"{file}:{number}"), found)
        self._counts[problem] += max(pairs.height - EXAMPLES, 0)

    # -- one line

    def _check(self, raw: bytes) -> None:
        try:
            record = self._decode(raw)
        except UNREADABLE as error:
            self._undecodable(raw, error)
            return
        if record.__class__ is not dict:
            self._problem(Problem.NOT_AN_OBJECT, "a JSON object", shown(record))
            return
        kind = record.get("#type")
        if kind.__class__ is not str:
            kind = ""
        shape = (kind, *record)
        problems = self._roots.get(shape)
        if problems is None:
            problems = self._judged_root(kind, shape)
        for problem in problems:
            self._problem(*problem)
        self._root(record)
        name = ""
        if kind in _TRACK_TYPES:
            if "#event_name" in record:
                name = self._event(record["#event_name"])
            if kind != "track":
                self._id(record, "#event_id")
                self._id(record, "#first_check_id")
        self._events[kind if kind in _TYPE_NAMES else "(unknown)", name] += 1
        self._keys = len(record)
        properties = record.get("properties", ABSENT)
        if properties.__class__ is dict:
            self._properties(kind, name, properties)
        elif kind != "user_del" or properties is not ABSENT:
            self._problem(Problem.PROPERTIES, "an object of properties", shown(properties))
        # A key that comes twice is decoded once; whatever makes the numbers differ is looked at closely,
        # and so is white space before a colon, which would hide one.
        if raw.count(b'":') != self._keys or b" :" in raw or b"\t" in raw or b"\r:" in raw:
            self._look_for_twins(raw)

    def _undecodable(self, raw: bytes, error: Exception) -> None:
        if isinstance(error, UnicodeDecodeError):
            self._problem(Problem.NOT_UTF8, "UTF-8", str(error))
            return
        # A laxer reader tells what it is that the strict one does not take.
        constants: list[str] = []
        numbers: list[str] = []
        try:
            json.loads(raw, parse_constant=constants.append, parse_float=numbers.append)
        except (ValueError, RecursionError):
            constants, numbers = [], []
        too_large = [number for number in numbers if math.isinf(float(number))]
        if constants:
            self._problem(Problem.NOT_FINITE, "a finite number", constants[0])
        elif too_large:
            self._problem(Problem.NUMBER_RANGE, f"a number within {LARGEST_NUMBER:.0e}", too_large[0])
        else:
            self._problem(Problem.NOT_JSON, "a JSON object", f"{shown(raw[:60])}: {error}")

    def _judged_root(self, kind: str, shape: tuple[str, ...]) -> tuple[tuple[Problem, str, str], ...]:
        """What is wrong with the keys of a record; kept, for most records have the same ones."""
        problems: list[tuple[Problem, str, str]] = []
        keys = shape[1:]
        if kind not in _TYPE_NAMES:
            expected = f"#type to be one of {', '.join(sorted(_TYPE_NAMES))}"
            problems.append((Problem.TYPE, expected, shown(kind) if kind else "no text"))
        for key in keys:
            if key not in ROOT_KEYS:
                problems.append((Problem.ROOT_KEY, "it among the properties", shown(key)))
        if "#account_id" not in keys and "#distinct_id" not in keys:
            problems.append((Problem.NO_ID, "#account_id or #distinct_id", "neither"))
        for companion, kinds in COMPANIONS.items():
            if kind in kinds and companion not in keys:
                problems.append((Problem.COMPANION, f"{companion} with {kind}", "none"))
            elif kind in _TYPE_NAMES and kind not in kinds and companion in keys:
                problems.append((Problem.COMPANION, f"no {companion} with {kind}", "one"))
        if len(self._roots) >= CACHED_SHAPES:
            self._roots.clear()
        self._roots[shape] = tuple(problems)
        return self._roots[shape]

    def _root(self, record: dict[str, Any]) -> None:
        account, distinct = record.get("#account_id"), record.get("#distinct_id")
        if isinstance(account, str) and isinstance(distinct, str):
            self._owners.append((distinct, account, self._line))
        for key, value in (("#account_id", account), ("#distinct_id", distinct)):
            if not isinstance(value, str) or not 0 < len(value) <= ID_CHARACTERS:
                self._id(record, key)
        time = record.get("#time")
        if isinstance(time, str) and _TIME(time) and _is_day(time[:10]):
            if time < self._first_time:
                self._first_time = time
            if time > self._last_time:
                self._last_time = time
        else:
            self._problem(Problem.TIME, "#time as yyyy-MM-dd HH:mm:ss.SSS", shown(record.get("#time", ABSENT)))
        uuid = record.get("#uuid")
        if isinstance(uuid, str) and _UUID(uuid):
            self._uuids.append((uuid.lower(), self._line))
        elif "#uuid" in record:
            self._problem(Problem.UUID, "#uuid as 8-4-4-4-12 hexadecimal digits", shown(uuid))
        ip = record.get("#ip")
        if not (isinstance(ip, str) and _is_address(ip)) and "#ip" in record:
            self._problem(Problem.IP, "#ip to be an IPv4 or IPv6 address", shown(ip))

    def _id(self, record: dict[str, Any], key: str) -> None:
        value = record.get(key, "")
        if key not in record or (isinstance(value, str) and 0 < len(value) <= ID_CHARACTERS):
            return
        found = f"{len(value)} characters" if isinstance(value, str) else shown(value)
        self._problem(Problem.ID, f"{key} to be a text of 1 to {ID_CHARACTERS} characters", found)

    def _event(self, name: object) -> str:
        """The event's name as it is counted."""
        if not isinstance(name, str) or (name not in self._event_names and not NAME.fullmatch(name)):
            self._problem(Problem.EVENT_NAME, NAME_RULE, shown(name))
            return "(invalid)"
        if self._knows_events and name not in self._event_scopes:
            self._problem(Problem.UNKNOWN_EVENT, "an event of the taxonomy", name)
        if name not in self._event_names:
            if len(self._event_names) >= MOST_EVENTS:
                self._problem(Problem.TOO_MANY_EVENTS, f"at most {MOST_EVENTS} kinds of events", f"also {name}")
                return "(others)"
            self._event_names.add(name)
        return name

    def _look_for_twins(self, raw: bytes) -> None:
        def looked_at(pairs: list[tuple[str, object]]) -> None:
            for key, count in Counter(key for key, _ in pairs).items():
                if count > 1:
                    self._problem(Problem.DUPLICATE_KEY, "a key once", f"{shown(key)} {count} times")

        json.loads(raw, object_pairs_hook=looked_at)

    # -- properties

    def _properties(self, kind: str, name: str, properties: dict[str, Any]) -> None:
        scope = self._users if kind.startswith("user_") else self._event_scopes.get(name, self._other_events)
        shape = scope.shape(tuple(properties))
        self._keys += len(properties)
        for problem in shape.problems:
            self._problem(*problem)
        if kind == "user_unset":
            # Whatever value stands there, only the name counts, and no type is fixed.
            shape = Shape(tuple(map(Slot, properties)), ())
        self._values(properties, shape)
        if kind == "user_add":
            self._operable(kind, properties, (int, float), "numbers")
        elif kind in APPENDING_TYPES:
            self._operable(kind, properties, (list,), "lists")

    def _operable(self, kind: str, properties: dict[str, Any], types: tuple[type, ...], what: str) -> None:
        for name, value in properties.items():
            if value.__class__ not in types and value is not None:
                self._problem(Problem.OPERATION, f"{what} with {kind}", f"{shown(name)} = {shown(value)}")

    def _values(self, content: dict[str, Any], shape: Shape) -> None:
        # What most values are is seen here, everything else in _value: this is where the time goes.
        for value, slot in zip(content.values(), shape.slots):  # noqa: B905
            type_ = value.__class__
            if type_ is str:
                if slot.kind is _STRING and len(value) <= _SHORT_TEXT:
                    continue
            elif type_ is int or type_ is float:
                if slot.kind is _NUMBER and -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
                    continue
            elif type_ is bool and slot.kind is _BOOLEAN:
                continue
            self._value(slot, value)

    def _value(self, slot: Slot, value: Any) -> None:
        if value is None:
            self._problem(Problem.NULL, f"{slot.name} to have a value", "null")
            return
        found = _type_of(value)
        if slot.kind is None:
            slot.kind = found
        elif found is not slot.kind and not _fits(slot.kind, found):
            problem = Problem.DECLARED_TYPE if slot.declared else Problem.TYPE_CHANGED
            self._problem(problem, f"{slot.name} to be of type {slot.kind}", shown(value))
        if isinstance(value, str):
            if len(value) > _SHORT_TEXT and (size := len(value.encode())) > TEXT_BYTES:
                self._problem(Problem.TEXT_SIZE, f"{slot.name} to have at most {TEXT_BYTES} bytes", f"{size} bytes")
        elif isinstance(value, dict):
            self._object(slot, value)
        elif isinstance(value, list):
            self._list(slot, value)
        elif not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            self._problem(Problem.NUMBER_RANGE, f"{slot.name} within {LARGEST_NUMBER:.0e}", shown(value))

    def _list(self, slot: Slot, items: list[Any]) -> None:
        if len(items) > LIST_ITEMS:
            self._problem(Problem.LIST_SIZE, f"{slot.name} to have at most {LIST_ITEMS} items", f"{len(items)} items")
        if set(map(type, items)) == {dict}:
            for item in items:
                self._object(slot, item)
            return
        for item in items:
            if item is None:
                self._problem(Problem.NULL, f"{slot.name} to have a value", "null")
            elif not isinstance(item, str):
                self._keys += _keys_within(item)
                self._problem(Problem.LIST_ITEM, f"texts alone, or objects alone, in {slot.name}", shown(item))
            elif len(item) > _SHORT_ITEM and (size := len(item.encode())) > LIST_ITEM_BYTES:
                self._problem(
                    Problem.LIST_ITEM_SIZE, f"items of at most {LIST_ITEM_BYTES} bytes in {slot.name}", f"{size} bytes"
                )

    def _object(self, slot: Slot, content: dict[str, Any]) -> None:
        self._keys += len(content)
        if len(content) > OBJECT_KEYS:
            self._problem(
                Problem.OBJECT_SIZE, f"{slot.name} to have at most {OBJECT_KEYS} keys", f"{len(content)} keys"
            )
        if slot.inside is None:
            slot.inside = Scope({}, None, parent=f"{slot.name}.")
        shape = slot.inside.shape(tuple(content))
        for problem in shape.problems:
            self._problem(*problem)
        self._values(content, shape)


_STRING, _NUMBER, _BOOLEAN = PropertyType.STRING, PropertyType.NUMBER, PropertyType.BOOLEAN
_TYPES = {bool: _BOOLEAN, int: _NUMBER, float: _NUMBER, dict: PropertyType.OBJECT}


def _type_of(value: Any) -> PropertyType | None:
    """The type of a value; None for an empty list, which may be of texts or of objects."""
    if isinstance(value, list):
        if not value:
            return None
        return PropertyType.OBJECT_GROUP if isinstance(value[0], dict) else PropertyType.LIST
    if isinstance(value, str):
        return PropertyType.TIME if _is_time(value) else _STRING
    return _TYPES[value.__class__]


def _fits(fixed: PropertyType, found: PropertyType | None) -> bool:
    """Whether a value of another type may stand there: a text may look like a time, and a list be empty."""
    if found is None:
        return fixed in (PropertyType.LIST, PropertyType.OBJECT_GROUP)
    return fixed is _STRING and found is PropertyType.TIME


def _is_time(text: str) -> bool:
    """Whether a text is in the format of a time, with or without milliseconds."""
    if len(text) == 19:
        text += ".000"
    return len(text) == 23 and _TIME(text) is not None and _is_day(text[:10])


@lru_cache(maxsize=4096)
def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _keys_within(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_keys_within, value.values()))
    return sum(map(_keys_within, value)) if isinstance(value, list) else 0
