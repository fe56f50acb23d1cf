"""Reads one line of a ThinkingData log, or names the rule of the wire format that it breaks.

A property's type is not checked here: only all records together show whether it stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import NoneType
from typing import Any

import msgspec

from gamestats_assets.apis.thinkingdata import (
    APPENDING_TYPES,
    COMPANIONS,
    ID_CHARACTERS,
    LARGEST_NUMBER,
    LIST_ITEM_BYTES,
    LIST_ITEMS,
    NAME,
    OBJECT_KEYS,
    TEXT_BYTES,
    TRACK_TYPES,
    USER_TYPES,
    Moment,
    Record,
    zone_hours,
)
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.documents import UNREADABLE

Properties = dict[str, Any]

DAYS_BEFORE_LOG = 3 * 366
"""Largest age of a record relative to the log's day."""
DAYS_AFTER_LOG = 3
"""Largest lead of a record over the log's day, because of users' clocks."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?", re.ASCII)
_TYPES = frozenset((*TRACK_TYPES, *USER_TYPES))
_EVENTS = frozenset(TRACK_TYPES)
_SCALARS = {int: "number", float: "number", str: "string", bool: "boolean", NoneType: "null"}
_MOST_SHAPES = 20_000
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ID_KEYS = ("#account_id", "#distinct_id", "#uuid", "#event_id", "#first_check_id")
_SHOWN = 80


class InvalidLineError(GamestatsError):
    """A line breaks a rule of the wire format.

    Attributes:
        rule: name of the rule, as in the quarantine and in the check of logs.
        expected, found: for people; `expected` begins with the key that it is about, if there is one.
    """

    def __init__(self, rule: str, expected: str, found: str, key: str = "") -> None:
        self.rule, self.found = rule, found
        self.expected = f"{key} to be {expected}" if key else expected
        super().__init__(f"{key}: expected {expected}, found {found}" if key else f"expected {expected}, found {found}")


class _KnownRoot(Record, gc=False, forbid_unknown_fields=True):
    """A record without other root keys."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Names and types of a record's properties; records of one kind share a few of these objects.

    Attributes:
        invalid: a name that breaks the rules, or None.
        scalars: name and JSON type of each property whose Python type determines it.
        numbers, texts, containers: names by kind.
    """

    invalid: str | None
    scalars: tuple[tuple[str, str], ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A valid line.

    Attributes:
        record: its record.
        properties: of the record; empty if it has none.
        occurred_at: its time in UTC, without a time zone.
        zone_offset: hours by which `#time` is ahead of UTC, if the line has them.
        shape: shape of its properties.
        has_unknown_root_key: whether its root has a key unknown to the format.
    """

    record: Record
    properties: Properties
    occurred_at: datetime
    zone_offset: float | None
    shape: Shape
    has_unknown_root_key: bool


class _Identified(msgspec.Struct, gc=False):
    uuid: str | None = msgspec.field(default=None, name="#uuid")


_STRICT = msgspec.json.Decoder(_KnownRoot)
_LENIENT = msgspec.json.Decoder(Record)
_TIMED = msgspec.json.Decoder(Moment)
_IDENTIFIED = msgspec.json.Decoder(_Identified)


# --------------------------------------------------------------------------- time


def time_of(line: bytes) -> datetime | None:
    """Returns the time of a line, in UTC without a time zone; None if it has no readable one.

    Reads nothing else of the line, and so is quick.
    """
    try:
        found = _TIMED.decode(line)
        return _utc(found.time, found.zone_offset)[0]
    except (*UNREADABLE, InvalidLineError):
        return None


def uuid_of(line: bytes) -> str | None:
    """Returns the #uuid of a line; None if it has no readable one. As quick as `time_of`."""
    try:
        return _IDENTIFIED.decode(line).uuid
    except UNREADABLE:
        return None


def is_near(occurred_at: datetime, log_date: date) -> bool:
    """Whether a log of a day can have a record of a time: at most three years before, or three days after."""
    return -DAYS_BEFORE_LOG <= (occurred_at.date() - log_date).days <= DAYS_AFTER_LOG


def _utc(time: str, zone_offset: object) -> tuple[datetime, float | None]:
    hours = None if zone_offset is None else zone_hours(zone_offset)
    if hours is None and zone_offset is not None:
        raise InvalidLineError("zone_offset", "hours from -12 to 14", f"{zone_offset!r:.{_SHOWN}}", "#zone_offset")
    try:
        local = datetime.fromisoformat(time if _TIME.fullmatch(time) else "")
        return local - timedelta(hours=hours or 0.0), hours
    except (ValueError, OverflowError):
        raise InvalidLineError("time", "yyyy-MM-dd HH:mm:ss.SSS", f"{time[:_SHOWN]!r}", "#time") from None


# --------------------------------------------------------------------------- a line


def read_line(line: bytes, log_date: date | None = None) -> Line:
    """Reads a line of a log of some day; without one, of any.

    Raises:
        InvalidLineError: if it is not a JSON object, or breaks a rule of the wire format.
    """
    record, has_unknown_root_key = _decoded(line)
    if b"\\u0000" in line and _NUL.search(line):
        # PostgreSQL texts cannot have it, and one would make it refuse all events.
        raise InvalidLineError("nul_character", "texts without the character U+0000", "one with it")
    _expect_ids(record)
    properties = record.properties or {}
    occurred_at, zone_offset = _utc(record.time, properties.get("#zone_offset"))
    if log_date is not None and not is_near(occurred_at, log_date):
        raise InvalidLineError(
            "time_range",
            f"at most three years before, or three days after, the log's day {log_date}",
            f"{occurred_at:%Y-%m-%d %H:%M:%S}; if the file's name has the wrong day, rename it",
            "#time",
        )
    shape = _shape(properties)
    try:
        _expect_values(properties, shape, short=len(line) <= TEXT_BYTES)
    except RecursionError:
        raise InvalidLineError("property_value", "few objects within objects", "too many") from None
    _expect_fitting(record, properties)
    return Line(record, properties, occurred_at, zone_offset, shape, has_unknown_root_key)


def _decoded(line: bytes) -> tuple[Record, bool]:
    try:
        return _STRICT.decode(line), False
    except UNREADABLE:
        pass
    try:
        return _LENIENT.decode(line), True
    except msgspec.ValidationError as error:
        raise InvalidLineError("record_shape", "a record's keys and types", f"{error}"[:400]) from None
    except UNREADABLE as error:
        raise InvalidLineError("json", "a JSON object", f"none: {error}"[:400]) from None


def _expect_ids(record: Record) -> None:
    if record.type not in _TYPES:
        raise InvalidLineError("type", "one of the format's types", f"{record.type[:_SHOWN]!r}", "#type")
    if not record.account_id and not record.distinct_id:
        raise InvalidLineError("id", "#account_id or #distinct_id", "neither")
    ids = (record.account_id, record.distinct_id, record.uuid, record.event_id, record.first_check_id)
    for key, found in zip(_ID_KEYS, ids, strict=True):
        if found and len(found) > ID_CHARACTERS:
            raise InvalidLineError("id", f"at most {ID_CHARACTERS} characters", f"{len(found)}", key)


def _expect_fitting(record: Record, properties: Properties) -> None:
    """Raises unless a record meets the demands of its type."""
    if record.type in _EVENTS:
        name = record.event_name or ""
        if name not in _names and not _is_name(name):
            found = f"{name[:_SHOWN]!r}" if name else "nothing"
            raise InvalidLineError("event_name", "a name of the format", found, "#event_name")
        if record.type == "track":
            return
        for key, companion in (("#first_check_id", record.first_check_id), ("#event_id", record.event_id)):
            if record.type in COMPANIONS[key] and not companion:
                raise InvalidLineError(key[1:], f"a text with {record.type}", "nothing", key)
    elif operands := _OPERANDS.get(record.type):
        kinds, wanted = operands
        for name, value in properties.items():
            if not name.startswith("#") and (not isinstance(value, kinds) or isinstance(value, bool)):
                raise InvalidLineError("operation", f"{wanted} with {record.type}", _json_type(value), name)


_OPERANDS = {"user_add": ((int, float, NoneType), "a number")} | dict.fromkeys(
    APPENDING_TYPES, ((list, NoneType), "a list")
)
"""Types of values by type of a user record."""


# --------------------------------------------------------------------------- properties

# A log consists of few kinds of records, with few names: each is checked once.
_shapes: dict[tuple[tuple[str, ...], tuple[type, ...]], Shape] = {}
_names: set[str] = set()


def _is_name(text: str) -> bool:
    if not NAME.fullmatch(text):
        return False
    if len(_names) >= _MOST_SHAPES:
        _names.clear()
    _names.add(text)
    return True


def _shape(properties: Properties) -> Shape:
    signature = tuple(properties), tuple(map(type, properties.values()))
    shape = _shapes.get(signature)
    if shape is None:
        if len(_shapes) >= _MOST_SHAPES:
            _shapes.clear()
        shape = _shapes[signature] = _new_shape(*signature)
    return shape


def _new_shape(names: tuple[str, ...], types: tuple[type, ...]) -> Shape:
    def of(*wanted: type) -> tuple[str, ...]:
        return tuple(name for name, found in zip(names, types, strict=True) if found in wanted)

    return Shape(
        next((name for name in names if not _is_name(name)), None),
        tuple((name, _SCALARS[found]) for name, found in zip(names, types, strict=True) if found in _SCALARS),
        of(int, float),
        of(str),
        of(list, dict),
    )


def container_type(value: list[Any] | Mapping[str, Any]) -> str:
    """Returns the JSON type of a list or an object: `object`, `object_group`, `list` or `empty_list`."""
    if isinstance(value, list):
        if not value:
            return "empty_list"
        return "object_group" if all(isinstance(item, dict) for item in value) else "list"
    return "object"


def _json_type(value: Any) -> str:
    return _SCALARS.get(type(value)) or container_type(value)


def _expect_values(properties: Properties, shape: Shape, *, short: bool) -> None:
    """Raises unless names and values keep the limits; texts of a short line cannot be too long."""
    if shape.invalid is not None:
        raise InvalidLineError("property_name", "a property's name", f"{shape.invalid[:_SHOWN]!r}")
    for name in shape.numbers:
        if not -LARGEST_NUMBER <= properties[name] <= LARGEST_NUMBER:
            _refuse(name, f"a number within {LARGEST_NUMBER:g}", str(properties[name])[:_SHOWN])
    if not short:
        for name in shape.texts:
            _expect_text(name, properties[name], TEXT_BYTES)
    for name in shape.containers:
        _expect_container(name, properties[name], short=short)


def _expect_container(name: str, value: list[Any] | dict[str, Any], *, short: bool) -> None:
    if isinstance(value, dict):
        _expect_object(name, value, short=short)
        return
    if len(value) > LIST_ITEMS:
        _refuse(name, f"at most {LIST_ITEMS} items", f"{len(value)}")
    for item in value:
        kind = type(item)
        if kind is dict:
            _expect_object(name, item, short=short)
        elif kind is str:
            if len(item) * 4 > LIST_ITEM_BYTES:
                _expect_text(name, item, LIST_ITEM_BYTES)
        else:
            _expect_other(name, item, short=short)


def _expect_object(name: str, value: dict[str, Any], *, short: bool) -> None:
    if len(value) > OBJECT_KEYS:
        _refuse(name, f"at most {OBJECT_KEYS} keys", f"{len(value)}")
    for key, item in value.items():
        if key not in _names and not _is_name(key):
            _refuse(name, "keys that are names of properties", f"{key[:_SHOWN]!r}")
        if type(item) is not str:
            _expect_other(f"{name}.{key}", item, short=short)
        elif not short:
            _expect_text(f"{name}.{key}", item, TEXT_BYTES)


def _expect_other(name: str, value: Any, *, short: bool) -> None:
    if isinstance(value, (list, dict)):
        _expect_container(name, value, short=short)
    elif value is not None and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        _refuse(name, f"a number within {LARGEST_NUMBER:g}", str(value)[:_SHOWN])


def _expect_text(name: str, value: str, most: int) -> None:
    if len(value) * 4 > most and (size := len(value.encode())) > most:
        _refuse(name, f"a text of at most {most} bytes", f"one of {size}")


def _refuse(name: str, expected: str, found: str) -> None:
    raise InvalidLineError("property_value", expected, found, name)
