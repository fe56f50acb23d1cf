"""Logs read line by line, each line once: what each says by itself is counted, who did what when is kept.

Words used here are those of `measure`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from operator import itemgetter
from pathlib import Path
from types import NoneType
from typing import IO, Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.apis.thinkingdata import TRACK_TYPES
from gamestats_assets.demo_data.configuration import Configuration, ExperimentTruth
from gamestats_assets.demo_data.findings.accounts import Accounts, label
from gamestats_assets.demo_data.findings.measured import Moments
from gamestats_assets.demo_data.findings.totals import Totals
from gamestats_assets.demo_data.logs.spool import Spool
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy
from gamestats_assets.lakehouse.files.documents import UNREADABLE

Array = npt.NDArray[Any]

SYSTEM = "system-"
"""How the distinct ids begin that are no people."""
LATEST_DAYS = 3
"""How many days after its own a record is still waited for."""
OUT_OF_ORDER_MS = 3_600_000
"""How far out of order a planted record stands at most."""
DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1).toordinal()
ROW = {"user": pl.Int32, "at_ms": pl.Int64, "event": pl.Int16, "uuid": pl.Int64, "flags": pl.UInt8}
"""A record: `user` is -1 for no person; `event` is -1 for no event, the number of events for one that is undeclared."""
LATE, OUT_OF_ORDER = 1, 2
"""Values of `flags`."""

_BATCH = 65_536
_MOST_VALUES = 500
_MOST_SHAPES = 20_000
_STATES = frozenset(("user_set", "user_setOnce"))
_NEVER = -(2**62)
_TYPES: Mapping[PropertyType, tuple[type, ...]] = {
    PropertyType.NUMBER: (int, float),
    PropertyType.STRING: (str,),
    PropertyType.BOOLEAN: (bool,),
    PropertyType.TIME: (str,),
    PropertyType.LIST: (list,),
    PropertyType.OBJECT: (dict,),
    PropertyType.OBJECT_GROUP: (list,),
}


class _Record(msgspec.Struct, gc=False):
    """What is read of a record; one without `#type` or `#time` is none."""

    type: str = msgspec.field(name="#type")
    time: str = msgspec.field(name="#time")
    account_id: str | None = msgspec.field(default=None, name="#account_id")
    distinct_id: str | None = msgspec.field(default=None, name="#distinct_id")
    event_name: str | None = msgspec.field(default=None, name="#event_name")
    uuid: str | None = msgspec.field(default=None, name="#uuid")
    ip: str | None = msgspec.field(default=None, name="#ip")
    properties: dict[str, Any] = {}


class _Shape:
    """Records of one kind with the same properties of the same types: looked at once, counted together."""

    __slots__ = ("event", "flags", "has_zone", "is_totalled", "name", "rows", "take", "type", "wanted")

    def __init__(self, type_: str, name: str, event: int, flags: Sequence[str], wanted: Sequence[_Wanted]) -> None:
        self.type, self.name, self.event, self.flags, self.wanted = type_, name, event, flags, wanted
        names = [found.name for found in wanted]
        self.take = itemgetter(*names) if names else None
        self.has_zone = self.is_totalled = False
        self.rows: list[Any] = []


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A property to look into.

    Attributes:
        key: `event/property`.
        children: names within an object, or the objects of a group; empty for the property itself.
    """

    name: str
    key: str
    is_number: bool = False
    is_choice: bool = False
    children: tuple[_Wanted, ...] = ()


class LogReading:
    """Reads lines; counts what a line tells by itself, and stores who did what when in `rows`."""

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> None:
        self._rules = rules
        self._start = configuration.start.toordinal() - EPOCH
        self._days = configuration.days
        self._events = {name: number for number, name in enumerate(taxonomy.event_names())}
        common = {found.name: found for found in taxonomy.common_properties}
        self._declared = {event.name: common | {p.name: p for p in event.properties} for event in taxonomy.events}
        # Where a sheet declares a property with several types, a value of any of them is none that drifted.
        self._types: dict[str, set[type]] = {}
        for found in (found for of_event in self._declared.values() for found in of_event.values()):
            self._types.setdefault(found.name, set()).update(_TYPES[found.type])
        self._state = {found.name: found for found in taxonomy.user_properties}
        self.totals = Totals(taxonomy, rules)
        self.accounts = Accounts(configuration.truths)
        self._experiment = any(isinstance(truth, ExperimentTruth) for truth in configuration.truths)
        self._shapes: dict[tuple[Any, ...], _Shape] = {}
        self._users: dict[str, int] = {}
        self._unknown = bytearray()
        self._variant = bytearray()
        self.rows = Spool({"records": ROW})
        self._batch: tuple[list[Any], ...] = ([], [], [], [], [])
        self._file_day, self._latest = _NEVER, _NEVER
        self.variants: list[str] = [""]
        self.size_bytes = 0
        self.by_type: Counter[str] = Counter()
        self.by_event: Counter[str] = Counter()
        self.dirt: Counter[str] = Counter()
        self.countries: Counter[str] = Counter()
        self.systems: Counter[str] = Counter()
        self.numbers: dict[str, Moments] = {}
        self.choices: dict[str, Counter[str]] = defaultdict(Counter)
        self.visible, self.in_order = 0.0, 0

    def variant_of(self) -> Array:
        """By user, the place among `variants`."""
        return np.frombuffer(bytes(self._variant), np.uint8)

    def users_by_variant(self) -> dict[str, int]:
        """Users by variant."""
        counts = np.bincount(self.variant_of(), minlength=len(self.variants))
        return {name: int(counts[place]) for place, name in enumerate(self.variants) if name and counts[place]}

    def read(self, path: Path, file_day: int) -> None:
        """Take up every line of a file."""
        self.size_bytes += path.stat().st_size
        if file_day != self._file_day:
            self._file_day, self._latest = file_day, _NEVER
        users, times, zones, events, uuids = self._batch
        decode = msgspec.json.Decoder(_Record).decode
        known, shapes, unknown, totals = self._users, self._shapes, self._unknown, self.totals
        accounts = self.accounts if self.accounts.is_needed else None
        with _opened(path) as file:
            for line in file:
                try:
                    record = decode(line)
                except UNREADABLE:
                    self.dirt["unreadable"] += not line.isspace()
                    continue
                properties = record.properties
                type_ = record.type
                signature = (type_, record.event_name, *properties, *map(type, properties.values()))
                shape = shapes.get(signature)
                if shape is None:
                    shape = self._new_shape(signature, record)
                shape.rows.append(shape.take(properties) if shape.take is not None else None)
                user_id = record.distinct_id or record.account_id or ""
                if shape.is_totalled:
                    totals.take(user_id, shape.name, properties)
                user = known.get(user_id)
                if user is None:
                    user = self._new_user(user_id)
                if user >= 0 and unknown[user] and shape.event >= 0:
                    self._know(user, properties)
                if accounts is not None and user >= 0 and type_ != "user_add":
                    accounts.take(user_id, record.ip, record.event_name or "", properties)
                users.append(user)
                times.append(record.time)
                zones.append(properties["#zone_offset"] if shape.has_zone else 0)
                events.append(shape.event)
                uuids.append(hash(record.uuid) if record.uuid else 0)
                if len(users) >= _BATCH:
                    self._flush(file_day)
        self._flush(file_day)

    def _new_user(self, user_id: str) -> int:
        if not user_id or user_id.startswith(SYSTEM):
            self._users[user_id] = -1
            return -1
        user = self._users[user_id] = len(self._unknown)
        self._unknown.append(2)
        self._variant.append(0)
        return user

    def _know(self, user: int, properties: Mapping[str, Any]) -> None:
        """What a user's first events tell: country, system and variant."""
        if self._unknown[user] == 2:
            self.countries[str(properties.get("#country_code") or properties.get("#country") or "unknown")] += 1
            self.systems[str(properties.get("#os") or "unknown")] += 1
        variant = properties.get("ab_test")
        self._unknown[user] = self._experiment and not isinstance(variant, str)
        if isinstance(variant, str):
            if variant not in self.variants and len(self.variants) < 256:
                self.variants.append(variant)
            self._variant[user] = self.variants.index(variant) if variant in self.variants else 0

    # ----------------------------------------------------------------- shapes

    def _new_shape(self, signature: tuple[Any, ...], record: _Record) -> _Shape:
        types = {name: type(value) for name, value in record.properties.items()}
        flags: list[str] = []
        wanted: list[_Wanted] = []
        name, event = record.event_name or "", -1
        if record.type in TRACK_TYPES:
            flags.append("events")
            event = self._events.get(name, len(self._events))
            declared = self._declared.get(name)
            if declared is None:
                flags.append("unknown")
            else:
                flags += self._wrong(declared, types)
                wanted = self._wanted(name, declared, types)
        elif record.type in _STATES:
            name = "user"
            wanted = self._wanted(name, self._state, types)
        shape = _Shape(record.type, name, event, flags, wanted)
        shape.has_zone = "#zone_offset" in types
        shape.is_totalled = "events" in flags and name in self.totals.events
        if len(self._shapes) >= _MOST_SHAPES:
            self._flush_shapes()
            self._shapes.clear()
        self._shapes[signature] = shape
        return shape

    def _wrong(self, declared: Mapping[str, Property], types: Mapping[str, type]) -> Iterator[str]:
        """What is wrong with a record whose properties have these types."""
        yield "with_properties" if declared else "without_properties"
        if NoneType in types.values():
            yield "nulls"
        drifted = any(
            found is not NoneType and name in declared and found not in self._types[name]
            for name, found in types.items()
        )
        added = any(name not in declared and name[:1] != "#" and name != "ab_test" for name in types)
        if drifted:
            yield "drifted"
        if added:
            yield "undeclared"
        if drifted or added:
            yield "off_schema"

    def _wanted(self, event: str, declared: Mapping[str, Property], types: Mapping[str, type]) -> list[_Wanted]:
        """Properties to look into, of those that are there and of the type that they should be."""
        there = (found for name, found in declared.items() if types.get(name) in _TYPES[found.type])
        each = (self._look(event, found, found.name) for found in there)
        return [found for found in each if found.is_number or found.is_choice or found.children]

    def _look(self, event: str, given: Property, dotted: str) -> _Wanted:
        key = f"{event}/{dotted}"
        has_values = bool(self._rules.constraint_of(event, dotted).values)
        children = [self._look(event, child, f"{dotted}.{child.name}") for child in given.properties]
        return _Wanted(
            given.name,
            key,
            is_number=given.type is PropertyType.NUMBER,
            is_choice=given.type is PropertyType.BOOLEAN or (has_values and not children),
            children=tuple(child for child in children if child.is_number or child.is_choice or child.children),
        )

    # ----------------------------------------------------------------- batches

    def _flush(self, file_day: int) -> None:
        self._flush_shapes()
        texts, zones = pl.Series(self._batch[1], dtype=pl.String), self._batch[2]
        offset_h = pl.Series(zones, dtype=pl.Float64, strict=False).fill_null(0).to_numpy()
        local = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ms", strict=False)
        readable = local.is_not_null().to_numpy()
        at_ms = local.cast(pl.Int64).fill_null(0).to_numpy() - (offset_h * 3_600_000).astype(np.int64)
        user = np.array(self._batch[0], np.int32)
        event = np.array(self._batch[3], np.int16)
        uuid = np.array(self._batch[4], np.int64)
        for column in self._batch:
            column.clear()
        day = at_ms // DAY_MS - self._start
        late = day < file_day
        flags = np.where(late, LATE, 0).astype(np.uint8)
        flags[self._disordered(at_ms, (event >= 0) & ~late & readable)] |= OUT_OF_ORDER
        inside = (day >= 0) & (day < self._days)
        self.dirt["unreadable"] += int((~readable).sum())
        self.dirt["events"] -= int((~readable & (event >= 0)).sum())
        self.dirt["outside"] += int((readable & ~inside).sum())
        too_late = day < file_day - LATEST_DAYS
        self.dirt["too_late"] += int((readable & inside & too_late).sum())
        kept = readable & inside & ~too_late
        columns = {"user": user, "at_ms": at_ms, "event": event, "uuid": uuid, "flags": flags}
        self.rows.add("records", pl.DataFrame(columns, schema=ROW).filter(pl.Series(kept)))

    def _disordered(self, at_ms: Array, of_order: Array) -> Array:
        """Rows that are earlier than one before them; notes how many would be seen so if they stood later."""
        rows = np.flatnonzero(of_order)
        latest = np.maximum.accumulate(np.concatenate([[self._latest], at_ms[rows]]))
        ahead = np.concatenate([[self._latest], at_ms[rows][at_ms[rows] >= latest[:-1]]])
        gap = np.diff(ahead[1:] if ahead[0] == _NEVER else ahead)
        self.visible += float(np.clip(1 - gap / OUT_OF_ORDER_MS, 0, None).sum())
        self.in_order += ahead.size - 1
        self._latest = int(latest[-1])
        return rows[at_ms[rows] < latest[:-1]]

    def _flush_shapes(self) -> None:
        for shape in self._shapes.values():
            if not shape.rows:
                continue
            rows, shape.rows = shape.rows, []
            self.by_type[shape.type] += len(rows)
            if shape.event >= 0:
                self.by_event[shape.name] += len(rows)
            for flag in shape.flags:
                self.dirt[flag] += len(rows)
            if shape.wanted:
                columns = zip(*rows, strict=True) if len(shape.wanted) > 1 else [rows]
                for found, column in zip(shape.wanted, columns, strict=True):
                    self._note(found, column)

    def _note(self, found: _Wanted, column: Sequence[Any]) -> None:
        if found.children:
            objects = [o for given in column for o in (given if isinstance(given, list) else (given,))]
            for child in found.children:
                values = [o.get(child.name) for o in objects if isinstance(o, dict)]
                self._note(child, [v for v in values if v is not None and not (child.is_number and _is_text(v))])
            return
        if found.is_number and column:
            values = np.asarray(column, float)
            spread = float(values.std())
            new = Moments(values.size, float(values.mean()), spread, float(values.min()), float(values.max()))
            self.numbers[found.key] = self.numbers[found.key].with_others(new) if found.key in self.numbers else new
        if found.is_choice and column:
            counts = self.choices[found.key]
            each = chain.from_iterable(column) if isinstance(column[0], list) else column
            for value, count in Counter(each).items():
                named = label(value)
                counts[named if named in counts or len(counts) < _MOST_VALUES else "..."] += count


def _is_text(value: Any) -> bool:
    return not isinstance(value, (int, float)) or isinstance(value, bool)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        from isal import igzip

        return igzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")
