"""One line of a ThinkingData log: what it says, or which rule of the wire format it breaks.

A property's type is nobody's business here: whether it is always the same, only all records together tell.
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
"""How much older than the log's day a record may be."""
DAYS_AFTER_LOG = 3
"""How far ahead of the log's day a user's clock may be."""
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
        rule: name of the rule, as the quarantine gives it.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class _KnownRoot(Record, gc=False, forbid_unknown_fields=True):
    """A record without any other root key."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Names and types of a record's properties; records of one kind share few of them, each one object.

    Attributes:
        invalid: a name that breaks the rules, or None.
        scalars: name and JSON type of each property whose type its Python type tells.
        numbers, texts, containers: names by kind.
    """

    invalid: str | None
    scalars: tuple[tuple[str, str], ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that keeps the rules.

    Attributes:
        record: what it says.
        properties: of the record, empty where it has none.
        occurred_at: its time in UTC, without a time zone.
        zone_offset: hours that `#time` was before UTC, where the line tells them.
        shape: of its properties.
        has_unknown_root_key: whether its root has a key that the format does not have.
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
    """When a line says that it happened, in UTC without a time zone; None when it does not say so readably.

    It reads no more of the line than that, and is quick.
    """
    try:
        found = _TIMED.decode(line)
        return _utc(found.time, found.zone_offset)[0]
    except (*UNREADABLE, InvalidLineError):
        return None


def uuid_of(line: bytes) -> str | None:
    """The #uuid of a line; None where it tells none readably. As quick as `time_of`."""
    try:
        return _IDENTIFIED.decode(line).uuid
    except UNREADABLE:
        return None


def is_near(occurred_at: datetime, log_date: date) -> bool:
    """Whether a record of that time can be in a log of that day: not over three years before, or three days after."""
    return -DAYS_BEFORE_LOG <= (occurred_at.date() - log_date).days <= DAYS_AFTER_LOG


def _utc(time: str, zone_offset: object) -> tuple[datetime, float | None]:
    hours = _hours(zone_offset)
    try:
        local = datetime.fromisoformat(time if _TIME.fullmatch(time) else "")
        return local - timedelta(hours=hours or 0.0), hours
    except (ValueError, OverflowError):
        raise InvalidLineError("time", f"#time: expected yyyy-MM-dd HH:mm:ss.SSS, found {time[:_SHOWN]!r}") from None


def _hours(offset: object) -> float | None:
    hours = None if offset is None else zone_hours(offset)
    if hours is None and offset is not None:
        raise InvalidLineError(
            "zone_offset", f"#zone_offset: expected hours from -12 to 14, found {offset!r:.{_SHOWN}}"
        )
    return hours


# --------------------------------------------------------------------------- a line


def read_line(line: bytes, log_date: date) -> Line:
    """What a line of a log of some day says.

    Raises:
        InvalidLineError: when it is no JSON object, or breaks a rule of the wire format.
    """
    record, has_unknown_root_key = _decoded(line)
    if b"\\u0000" in line and _NUL.search(line):
        # PostgreSQL has no texts with it, and would refuse all events for one.
        raise InvalidLineError("nul_character", "expected texts without the character U+0000, found one with it")
    _expect_ids(record)
    properties = record.properties or {}
    occurred_at, zone_offset = _utc(record.time, properties.get("#zone_offset"))
    if not is_near(occurred_at, log_date):
        raise InvalidLineError(
            "time_range",
            f"#time: expected at most three years before, or three days after, the log's day {log_date}, "
            f"found {occurred_at:%Y-%m-%d %H:%M:%S}; if the file's name tells a wrong day, rename it",
        )
    shape = _shape(properties)
    try:
        _expect_values(properties, shape, short=len(line) <= TEXT_BYTES)
    except RecursionError:
        raise InvalidLineError("property_value", "expected few objects within objects, found too many") from None
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
        raise InvalidLineError("record_shape", f"{error}"[:400]) from None
    except UNREADABLE as error:
        raise InvalidLineError("json", f"expected a JSON object, found none: {error}"[:400]) from None


def _expect_ids(record: Record) -> None:
    if record.type not in _TYPES:
        raise InvalidLineError("type", f"#type: expected one of the format's types, found {record.type[:_SHOWN]!r}")
    if not record.account_id and not record.distinct_id:
        raise InvalidLineError("id", "expected #account_id or #distinct_id, found neither")
    ids = (record.account_id, record.distinct_id, record.uuid, record.event_id, record.first_check_id)
    for key, found in zip(_ID_KEYS, ids, strict=True):
        if found and len(found) > ID_CHARACTERS:
            raise InvalidLineError("id", f"{key}: expected at most {ID_CHARACTERS} characters, found {len(found)}")


def _expect_fitting(record: Record, properties: Properties) -> None:
    """What the type of the record asks for."""
    if record.type in _EVENTS:
        name = record.event_name or ""
        if name not in _names and not _is_name(name):
            found = f"{name[:_SHOWN]!r}" if name else "nothing"
            raise InvalidLineError("event_name", f"#event_name: expected a name of the format, found {found}")
        if record.type == "track":
            return
        for key, companion in (("#first_check_id", record.first_check_id), ("#event_id", record.event_id)):
            if record.type in COMPANIONS[key] and not companion:
                raise InvalidLineError(key[1:], f"{key}: expected with {record.type}, found nothing")
        return
    expected: tuple[type, ...] | None = None
    if record.type == "user_add":
        expected = (int, float, NoneType)
    elif record.type in APPENDING_TYPES:
        expected = (list, NoneType)
    if expected is not None:
        for name, value in properties.items():
            if not name.startswith("#") and (not isinstance(value, expected) or isinstance(value, bool)):
                wanted = "a number" if float in expected else "a list"
                raise InvalidLineError(
                    "operation", f"{name}: expected {wanted} with {record.type}, found {_json_type(value)}"
                )


# --------------------------------------------------------------------------- properties

# Few kinds of records make up a log, with few names: each is looked at once.
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
    """JSON type of a list or an object: `object`, `object_group`, `list` or `empty_list`."""
    if isinstance(value, list):
        if not value:
            return "empty_list"
        return "object_group" if all(isinstance(item, dict) for item in value) else "list"
    return "object"


def _json_type(value: Any) -> str:
    return _SCALARS.get(type(value)) or container_type(value)


def _expect_values(properties: Properties, shape: Shape, *, short: bool) -> None:
    """Raise unless names and values keep the limits; a short line cannot hold a text that is too long."""
    if shape.invalid is not None:
        raise InvalidLineError("property_name", f"expected a property's name, found {shape.invalid[:_SHOWN]!r}")
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
    raise InvalidLineError("property_value", f"{name}: expected {expected}, found {found}")
