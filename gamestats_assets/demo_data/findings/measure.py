"""What produced logs hold, told by the files alone: nothing here knows how they were made.

One pass reads every line once and keeps, of the last few days only, who did what when; a day is reckoned as soon as
nothing can be added to it any more. Memory grows with the users and with the records of a day, not with the number of
days.

Words used here: a user is a distinct id, or where a record has none an account id; people are users whose id does not
begin with `system-`. A day is a UTC day of the run, numbered from 0. A session ends with a break of half an hour. Who
signs up does so on the day of the first event, which then is a once-only one; everybody else was there before the run.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

from gamestats_assets.demo_data.configuration import (
    Configuration,
    ConversionTruth,
    ExperimentTruth,
    SeasonalityTruth,
)
from gamestats_assets.demo_data.findings.accounts import Accounts, label
from gamestats_assets.demo_data.findings.totals import Totals
from gamestats_assets.demo_data.rules.model import EventSequence, Rules
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy
from gamestats_assets.lakehouse.errors import GamestatsError

Array = npt.NDArray[Any]

SYSTEM = "system-"
"""How the distinct ids begin that are no people."""
BREAK_MS = 30 * 60_000
"""A break of this length, or a longer one, ends a session."""
LATEST_DAYS = 3
"""How many days after its own a record is still waited for."""
OUT_OF_ORDER_MS = 3_600_000
"""How far out of order a planted record stands at most."""

_DAY_MS = 86_400_000
_BATCH = 65_536
_MOST_VALUES = 500
_MOST_SHAPES = 20_000
_NAME = re.compile(r"logs_(\d{4})(\d\d)(\d\d)(?:\.\d+)?\.jsonl(?:\.gz)?")
_EVENTS = frozenset(("track", "track_first", "track_update", "track_overwrite"))
_STATES = frozenset(("user_set", "user_setOnce"))
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_EPOCH = date(1970, 1, 1).toordinal()
_LATE, _OUT_OF_ORDER = 1, 2
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


class MeasureError(GamestatsError):
    """There is nothing to measure."""


# --------------------------------------------------------------------------- what is found


@dataclass(frozen=True, slots=True)
class Moments:
    """Numbers seen: how many, mean, standard deviation of all of them, smallest and largest."""

    n: int
    mean: float
    sd: float
    min: float
    max: float

    def with_others(self, other: Moments) -> Moments:
        """Both together."""
        n = self.n + other.n
        apart = other.mean - self.mean
        squares = self.n * self.sd**2 + other.n * other.sd**2 + apart**2 * self.n * other.n / n
        mean = self.mean + apart * other.n / n
        return Moments(n, mean, (squares / n) ** 0.5, min(self.min, other.min), max(self.max, other.max))


@dataclass(frozen=True, slots=True)
class Distribution:
    """Whole numbers seen.

    Attributes:
        counts: by the number, from 0, how often it was seen.
    """

    counts: Array = field(repr=False)

    @property
    def n(self) -> int:
        """How many numbers."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """NaN of none."""
        return float(self.counts @ np.arange(self.counts.size) / self.n) if self.n else float("nan")

    def quantile(self, share: float) -> float:
        """The smallest number that at least this share does not exceed; NaN of none."""
        if not self.n:
            return float("nan")
        return float(np.searchsorted(np.cumsum(self.counts), share * self.n, side="left"))


@dataclass(frozen=True, slots=True)
class Conversion:
    """How often one event was followed by another.

    Attributes:
        design_effect: how much larger the variance of the rate is than that of independent attempts, because a
            user's are alike; at least 1.
    """

    attempts: int
    converted: int
    design_effect: float = 1.0

    @property
    def rate(self) -> float:
        """NaN without attempts."""
        return self.converted / self.attempts if self.attempts else float("nan")


@dataclass(frozen=True, slots=True)
class Funnel:
    """How far attempts at a sequence came.

    An attempt begins with each event of the first step and ends with the next one, or with the session; where such
    events come again in later steps, a session is one attempt.

    Attributes:
        steps: names of the events of each step, a repeated step as often as it may happen.
        step_numbers: for each of `steps`, its number among the rule's steps, from 0.
        tried: attempts that stood at an event which the step follows, in this order; of the first step, all.
        reached: attempts that came that far, in this order.
    """

    name: str
    kind: str
    steps: tuple[str, ...]
    step_numbers: tuple[int, ...]
    tried: tuple[int, ...]
    reached: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Violations:
    """How many events a rule was looked at for, and how many broke it."""

    checked: int
    broken: int


@dataclass(frozen=True, slots=True)
class DirtFound:
    """What went wrong on the way; of event records unless said otherwise.

    Attributes:
        events: different event records, those that nobody can read among them: what shares are shares of.
        with_properties: those of them that can have a null: of kinds with properties.
        late: in the file of a later day than their own.
        too_late: over three days late, in any type of record; not measured otherwise.
        duplicates: copies of a record with the same `#uuid`.
        out_of_order: earlier than one that stands before them in their file, but neither late nor copies.
        visible_order: share of records that would be seen out of order if they stood up to an hour later, evenly.
        nulls, drifted, undeclared_properties: records with a null, a value of another type than declared, a property
            that the taxonomy does not have.
        off_schema: records with at least one of the latter two.
        unknown_events: of kinds that the taxonomy does not have.
        unreadable: lines that are no record.
        outside: records of any type before the run's first day or after its last; not measured otherwise.
    """

    events: int
    with_properties: int
    late: int
    too_late: int
    duplicates: int
    out_of_order: int
    visible_order: float
    nulls: int
    drifted: int
    undeclared_properties: int
    off_schema: int
    unknown_events: int
    unreadable: int
    outside: int

    @property
    def lost_share(self) -> float:
        """Share of event records that say nothing any more of what happened."""
        return (self.unreadable + self.unknown_events) / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What the files of a run hold.

    Attributes:
        configuration: the run's.
        records_by_type, records_by_event: as they stand in the files, copies included.
        size_bytes: of all files.
        users: people with an event.
        users_by_country, users_by_os: by what their first event says.
        sign_ups: by day.
        active_users, active_before: by day, people with an event; those of them who were there before the run.
        first_seen_before: by day, those who were there before the run and have their first event in it.
        retained: by day n since the sign-up, those who could be and those who were active on exactly that day.
        seen_again: likewise by days since anybody's first event in the run, be it that of a sign-up or not.
        session_s, session_events, sessions_by_user: length in whole seconds, events, and sessions per user.
        sessions_before, events_before: of those who were there before the run: sessions, and events by name.
        events_by_hour: of people, by hour UTC.
        funnels: one for each sequence of the rules.
        conversions: by from, to and variant, of planted ones; the variant is empty outside experiments.
        variants: users by variant, such as `button:A`.
        together: day by day, how many of those who were there before were active on both; None unless a seasonality
            is planted.
        numbers: by `event/property`, dotted where nested; `user/property` of what user records set; copies included.
        choices: by `event/property`, how often each value was seen, where the rules list values, or true and false.
        order: by event, events without one of the step before in their session.
        prerequisites: by event, events before what they need, of people who signed up within the run.
        once: by event, second times of events that happen once.
        totals: by `event/property`, totals that are not what users gathered; records that dirt takes away or moves
            make them so, too.
        address_of, standstills: as in `Accounts`; of people.
    """

    configuration: Configuration
    records_by_type: Mapping[str, int]
    records_by_event: Mapping[str, int]
    size_bytes: int
    users: int
    users_by_country: Mapping[str, int]
    users_by_os: Mapping[str, int]
    sign_ups: Sequence[int]
    active_users: Sequence[int]
    active_before: Sequence[int]
    first_seen_before: Sequence[int]
    retained: Sequence[tuple[int, int]]
    seen_again: Sequence[tuple[int, int]]
    session_s: Distribution
    session_events: Distribution
    sessions_by_user: Distribution
    sessions_before: int
    events_before: Mapping[str, int]
    events_by_hour: Sequence[int]
    funnels: Sequence[Funnel]
    conversions: Mapping[tuple[str, str, str], Conversion]
    variants: Mapping[str, int]
    together: Array | None = field(repr=False)
    numbers: Mapping[str, Moments]
    choices: Mapping[str, Mapping[str, int]]
    order: Mapping[str, Violations]
    prerequisites: Mapping[str, Violations]
    once: Mapping[str, Violations]
    totals: Mapping[str, Violations]
    address_of: Mapping[str, str] = field(repr=False)
    standstills: Mapping[int, tuple[frozenset[str], frozenset[str]]] = field(repr=False)
    dirt: DirtFound

    @property
    def records(self) -> int:
        """Records that could be read."""
        return sum(self.records_by_type.values())

    @property
    def active_user_days(self) -> int:
        """Days on which people were active, summed over people."""
        return sum(self.active_users)


def measure(folder: Path, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> Measured:
    """Measure the logs in a folder: files named `logs_YYYYMMDD.jsonl`, with a number before the ending where a day
    is divided, and `.gz` behind it where compressed.

    Raises:
        MeasureError: when there is no such file.
    """
    names = sorted(path.name for path in folder.glob("logs_*") if _NAME.fullmatch(path.name))
    found = [(_file_day(name), folder / name) for name in names]
    if not found:
        raise MeasureError(
            f"There is nothing to measure in {folder}: expected files such as "
            f"logs_{configuration.start:%Y%m%d}.jsonl, found none. Give the folder that a run has written to."
        )
    start = configuration.start.toordinal() - _EPOCH
    log = _Log(taxonomy, rules, configuration)
    lives = _Lives(taxonomy, rules, configuration)
    for file_day, path in chain(found, [(2**31, None)]):
        until = min(file_day - start - LATEST_DAYS, configuration.days)
        for day in range(log.reckoned, until):
            lives.take(day, log.rows_of(day), log.people)
        log.reckoned = max(log.reckoned, until)
        if path is not None:
            log.read(path, file_day - start)
    lives.finish()
    return _measured(log, lives, taxonomy, configuration)


def _file_day(name: str) -> int:
    found = _NAME.fullmatch(name)
    try:
        return date(*map(int, found.groups() if found else ())).toordinal() - _EPOCH
    except ValueError:
        raise MeasureError(f"{name} names no day: expected logs_YYYYMMDD.jsonl. Rename the file.") from None


def _measured(log: _Log, lives: _Lives, taxonomy: Taxonomy, configuration: Configuration) -> Measured:
    dirt = log.dirt
    unreadable = dirt["unreadable"]
    events = dirt["events"] - lives.duplicates + unreadable
    declared = dirt["with_properties"] + dirt["without_properties"]
    return Measured(
        configuration=configuration,
        records_by_type=dict(log.by_type.most_common()),
        records_by_event=dict(log.by_event.most_common()),
        size_bytes=log.size_bytes,
        users=int((lives.first_day >= 0).sum()),
        users_by_country=dict(log.countries.most_common()),
        users_by_os=dict(log.systems.most_common()),
        sign_ups=lives.sign_ups.tolist(),
        active_users=lives.active.tolist(),
        active_before=lives.active_before.tolist(),
        first_seen_before=lives.first_seen_before.tolist(),
        retained=lives.retained(),
        seen_again=lives.seen_again(),
        session_s=Distribution(lives.session_s),
        session_events=Distribution(lives.session_events),
        sessions_by_user=Distribution(np.bincount(lives.sessions[lives.first_day >= 0])),
        sessions_before=lives.sessions_before,
        events_before=dict(zip(taxonomy.event_names(), lives.events_before.tolist(), strict=False)),
        events_by_hour=lives.hours.tolist(),
        funnels=[path.funnel() for path in lives.paths],
        conversions=lives.conversions(log),
        variants=log.users_by_variant(),
        together=lives.together(),
        numbers={key: log.numbers[key] for key in sorted(log.numbers)},
        choices={key: dict(log.choices[key].most_common()) for key in sorted(log.choices)},
        order=_violations(lives.order),
        prerequisites=_violations(lives.needs),
        once=_violations(lives.again),
        totals=_violations(log.totals.counts),
        address_of=log.accounts.address_of,
        standstills=log.accounts.standstills,
        dirt=DirtFound(
            events=events,
            with_properties=round(events * dirt["with_properties"] / declared) if declared else 0,
            late=lives.late,
            too_late=dirt["too_late"],
            duplicates=lives.duplicates,
            out_of_order=lives.out_of_order,
            visible_order=log.visible / log.in_order if log.in_order else 0.0,
            nulls=dirt["nulls"],
            drifted=dirt["drifted"],
            undeclared_properties=dirt["undeclared"],
            off_schema=dirt["off_schema"],
            unknown_events=dirt["unknown"],
            unreadable=unreadable,
            outside=dirt["outside"],
        ),
    )


def _violations(found: Mapping[str, list[int]]) -> dict[str, Violations]:
    return {name: Violations(*counts) for name, counts in sorted(found.items())}


# --------------------------------------------------------------------------- lines


class _Record(msgspec.Struct, gc=False):
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


class _Log:
    """Reads lines; counts what a line tells by itself, and keeps the rest in columns by day."""

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> None:
        self._rules = rules
        self._start = configuration.start.toordinal() - _EPOCH
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
        self._rows: dict[int, list[tuple[Array, ...]]] = defaultdict(list)
        self._batch: tuple[list[Any], ...] = ([], [], [], [], [])
        self._file_day, self._latest = _NEVER, _NEVER
        self.variants: list[str] = [""]
        self.reckoned = 0
        self.size_bytes = 0
        self.by_type: Counter[str] = Counter()
        self.by_event: Counter[str] = Counter()
        self.dirt: Counter[str] = Counter()
        self.countries: Counter[str] = Counter()
        self.systems: Counter[str] = Counter()
        self.numbers: dict[str, Moments] = {}
        self.choices: dict[str, Counter[str]] = defaultdict(Counter)
        self.visible, self.in_order = 0.0, 0

    @property
    def people(self) -> int:
        """How many have been met."""
        return len(self._unknown)

    def variant_of(self) -> Array:
        """By user, the place among `variants`."""
        return np.frombuffer(bytes(self._variant), np.uint8)

    def users_by_variant(self) -> dict[str, int]:
        """Users by variant."""
        counts = np.bincount(self.variant_of(), minlength=len(self.variants))
        return {name: int(counts[place]) for place, name in enumerate(self.variants) if name and counts[place]}

    def rows_of(self, day: int) -> tuple[Array, ...]:
        """User, time in ms, event, uuid and flags of a day's records, in the order of the files; given only once."""
        parts = self._rows.pop(day, [])
        if not parts:
            return tuple(np.zeros(0, dtype) for dtype in (np.int32, np.int64, np.int16, np.int64, np.uint8))
        return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))

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
                except _UNREADABLE:
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
        if record.type in _EVENTS:
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
        told = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ms", strict=False)
        readable = told.is_not_null().to_numpy()
        at_ms = told.cast(pl.Int64).fill_null(0).to_numpy() - (offset_h * 3_600_000).astype(np.int64)
        user = np.array(self._batch[0], np.int32)
        event = np.array(self._batch[3], np.int16)
        uuid = np.array(self._batch[4], np.int64)
        for column in self._batch:
            column.clear()
        day = at_ms // _DAY_MS - self._start
        late = day < file_day
        flags = np.where(late, _LATE, 0).astype(np.uint8)
        flags[self._disordered(at_ms, (event >= 0) & ~late & readable)] |= _OUT_OF_ORDER
        inside = (day >= 0) & (day < self._days)
        self.dirt["unreadable"] += int((~readable).sum())
        self.dirt["events"] -= int((~readable & (event >= 0)).sum())
        self.dirt["outside"] += int((readable & ~inside).sum())
        self.dirt["too_late"] += int((readable & inside & (day < self.reckoned)).sum())
        kept = readable & inside & (day >= self.reckoned)
        for each in np.unique(day[kept]):
            own = kept & (day == each)
            self._rows[int(each)].append((user[own], at_ms[own], event[own], uuid[own], flags[own]))

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


# --------------------------------------------------------------------------- lives


def _before(marked: Array, start: Array) -> Array:
    """For each row, whether a marked one stands before it in its group, which begins at `start`."""
    earlier = np.cumsum(marked) - marked
    return earlier > earlier[start]


def _starts(new: Array) -> Array:
    """For each row, the row at which its group begins."""
    return np.maximum.accumulate(np.where(new, np.arange(new.size), 0))


class _Path:
    """Attempts at one sequence."""

    def __init__(self, sequence: EventSequence, events: Mapping[str, int]) -> None:
        each = [
            (number, step if again == 0 else step.model_copy(update={"follows": []}))
            for number, step in enumerate(sequence.steps)
            for again in range(step.repeats)
        ]
        self._sequence = sequence
        self._numbers = tuple(number for number, _ in each)
        self._of_step = [_lookup(events, step.events) for _, step in each]
        self._follows = [_lookup(events, step.follows or list(events)) for _, step in each]
        heads = set(sequence.steps[0].events)
        self._once_a_session = any(heads & set(step.events) for _, step in each[1:])
        self._tried = np.zeros(len(each), np.int64)
        self._reached = np.zeros(len(each), np.int64)

    def follow(self, event: Array, session: Array, start: Array) -> None:
        """Take up sessions: rows by session and in the order of time."""
        head = self._of_step[0][event]
        if self._once_a_session:
            head &= ~_before(head, start)
        place = np.flatnonzero(head)
        self._tried[0] += place.size
        self._reached[0] += place.size
        attempt = np.cumsum(head) - 1
        within = (attempt >= 0) & (session == session[place[np.maximum(attempt, 0)]]) if place.size else head
        for number, (of_step, follows) in enumerate(zip(self._of_step[1:], self._follows[1:], strict=True), 1):
            at = np.flatnonzero(place < event.size)
            place[at[~follows[event[place[at]]]]] = event.size
            self._tried[number] += np.count_nonzero(place < event.size)
            rows = np.flatnonzero(of_step[event] & within)
            rows = rows[rows > place[attempt[rows]]]
            reached, first = np.unique(attempt[rows], return_index=True)
            if not reached.size:
                return
            self._reached[number] += reached.size
            place = np.full(place.size, event.size)
            place[reached] = rows[first]

    def funnel(self) -> Funnel:
        """How far they came."""
        steps = self._sequence.steps
        names = tuple(" / ".join(steps[number].events) for number in self._numbers)
        tried, reached = tuple(self._tried.tolist()), tuple(self._reached.tolist())
        return Funnel(self._sequence.name, self._sequence.kind, names, self._numbers, tried, reached)


class _Pair:
    """Attempts and conversions by user, of one event that leads to another."""

    def __init__(self, from_event: str, to_event: str, events: Mapping[str, int]) -> None:
        self.names = from_event, to_event
        self._codes = events.get(from_event, -2), events.get(to_event, -2)
        self.attempts, self.converted = np.zeros(0, np.int32), np.zeros(0, np.int32)

    def follow(self, user: Array, event: Array, session: Array) -> None:
        """Take up sessions: rows by session and in the order of time."""
        begins = event == self._codes[0]
        place = np.flatnonzero(begins)
        rows = np.flatnonzero(event == self._codes[1])
        attempt = (np.cumsum(begins) - 1)[rows]
        rows, attempt = rows[attempt >= 0], attempt[attempt >= 0]
        done = np.unique(attempt[session[rows] == session[place[attempt]]])
        size = int(user.max(initial=-1)) + 1
        self.attempts = _fitted(self.attempts, size)
        self.converted = _fitted(self.converted, size)
        np.add.at(self.attempts, user[place], 1)
        np.add.at(self.converted, user[place[done]], 1)

    def conversion(self, chosen: Array) -> Conversion:
        """Of some users."""
        attempts, converted = (column[chosen[chosen < column.size]] for column in (self.attempts, self.converted))
        attempts, converted = attempts[attempts > 0].astype(float), converted[attempts > 0].astype(float)
        n, k = attempts.sum(), converted.sum()
        effect = 1.0
        if 0 < k < n and attempts.size > 1:
            rate = k / n
            variance = ((converted - rate * attempts) ** 2).sum() * attempts.size / (attempts.size - 1) / n**2
            effect = max(1.0, float(variance / (rate * (1 - rate) / n)))
        return Conversion(int(n), int(k), effect)


def _lookup(events: Mapping[str, int], names: Sequence[str]) -> Array:
    """By number of an event, whether it is one of these."""
    found = np.zeros(len(events) + 1, bool)
    found[[events[name] for name in names if name in events]] = True
    return found


def _fitted(array: Array, size: int, fill: int = 0) -> Array:
    """The array, made longer when it must be."""
    if array.shape[0] >= size:
        return array
    longer = np.full((max(size, 2 * array.shape[0]), *array.shape[1:]), fill, array.dtype)
    longer[: array.shape[0]] = array
    return longer


class _Lives:
    """Reckons day after day what people did."""

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> None:
        events = {name: number for number, name in enumerate(taxonomy.event_names())}
        constraints = rules.event_constraints
        days = configuration.days
        self._start = configuration.start.toordinal() - _EPOCH
        self._days = days
        self._events = events
        self._once = _lookup(events, constraints.once)
        self._followers = {
            name: _lookup(events, sorted(before)) for name, before in rules.followers().items() if name in events
        }
        self._prerequisites = {name: before for name, before in constraints.prerequisites.items() if name in events}
        told = {*constraints.once, *chain.from_iterable(constraints.prerequisites.values())}
        self._told = {name: place for place, name in enumerate(sorted(told & events.keys()))}
        self._once_names = [name for name in constraints.once if name in events]
        self.paths = [_Path(sequence, events) for sequence in constraints.sequences]
        pairs = {
            (truth.from_event, truth.to_event)
            for truth in configuration.truths
            if isinstance(truth, ConversionTruth | ExperimentTruth)
        }
        self._pairs = [_Pair(*pair, events) for pair in sorted(pairs)]
        self._experiments = [truth for truth in configuration.truths if isinstance(truth, ExperimentTruth)]
        self._keeps_days = any(isinstance(truth, SeasonalityTruth) for truth in configuration.truths)
        self._held: tuple[Array, ...] = (np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int16))
        self._happened = np.zeros((0, len(self._told)), bool)
        self._active_on = np.zeros((0, -(-days // 8)), np.uint8)
        self.first_day = np.zeros(0, np.int32)
        self.signed_up = np.zeros(0, bool)
        self.sessions = np.zeros(0, np.int32)
        self.sign_ups = np.zeros(days, np.int64)
        self.active = np.zeros(days, np.int64)
        self.active_before = np.zeros(days, np.int64)
        self.first_seen_before = np.zeros(days, np.int64)
        self._returned = np.zeros(days, np.int64)
        self._seen_again = np.zeros(days, np.int64)
        self.session_s = np.zeros(1, np.int64)
        self.session_events = np.zeros(1, np.int64)
        self.sessions_before = 0
        self.events_before = np.zeros(len(events) + 1, np.int64)
        self.hours = np.zeros(24, np.int64)
        self.order: dict[str, list[int]] = {name: [0, 0] for name in self._followers}
        self.needs: dict[str, list[int]] = {name: [0, 0] for name in self._prerequisites}
        self.again: dict[str, list[int]] = {name: [0, 0] for name in self._once_names}
        self.late = self.duplicates = self.out_of_order = 0

    def take(self, day: int, rows: tuple[Array, ...], people: int) -> None:
        """Reckon a day: its records in the order in which they stand in the files."""
        self.first_day = _fitted(self.first_day, people, -1)
        self.signed_up = _fitted(self.signed_up, people)
        self.sessions = _fitted(self.sessions, people)
        self._happened = _fitted(self._happened, people)
        user, at_ms, event = self._different(*rows)
        order = np.lexsort((at_ms, user))
        user, at_ms, event = user[order], at_ms[order], event[order]
        self._note_activity(day, user, event)
        self.hours += np.bincount(at_ms // 3_600_000 % 24, minlength=24)
        self._sessions(user, at_ms, event, (self._start + day + 1) * _DAY_MS - BREAK_MS)

    def finish(self) -> None:
        """Reckon the sessions that went on at the end."""
        nothing = (np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int16))
        self._sessions(*nothing, 2**62)

    def _different(self, user: Array, at_ms: Array, event: Array, uuid: Array, flags: Array) -> tuple[Array, ...]:
        """People's events, each once."""
        _, first = np.unique(uuid, return_index=True)
        is_copy = uuid != 0
        is_copy[first] = False
        is_event = event >= 0
        self.duplicates += int((is_copy & is_event).sum())
        self.late += int(((flags & _LATE > 0) & ~is_copy & is_event).sum())
        self.out_of_order += int(((flags & _OUT_OF_ORDER > 0) & ~is_copy).sum())
        kept = ~is_copy & is_event & (user >= 0)
        return user[kept], at_ms[kept], event[kept]

    def _note_activity(self, day: int, user: Array, event: Array) -> None:
        """Who was there, and who for the first time; rows by user and in the order of time."""
        there, of_row = np.unique(user, return_inverse=True)
        # Only who is new does what happens once in a life: who was there before has done it.
        signs_up = np.zeros(there.size, bool)
        signs_up[of_row[self._once[event]]] = True
        new = self.first_day[there] < 0
        self.first_day[there[new]] = day
        self.signed_up[there[new]] = signs_up[new]
        signed_up = self.signed_up[there]
        self.active[day] = there.size
        self.active_before[day] = there.size - signed_up.sum()
        self.sign_ups[day] = (new & signed_up).sum()
        self.first_seen_before[day] = (new & ~signed_up).sum()
        since = day - self.first_day[there]
        self._returned += np.bincount(since[signed_up], minlength=self._days)[: self._days]
        self._seen_again += np.bincount(since, minlength=self._days)[: self._days]
        if self._keeps_days:
            self._active_on = _fitted(self._active_on, self.first_day.size)
            self._active_on[there, day // 8] |= np.uint8(128 >> day % 8)

    def _sessions(self, user: Array, at_ms: Array, event: Array, open_from_ms: int) -> None:
        """Sessions that are over; those with an event at or after a time wait for the next day."""
        user, at_ms, event = (np.concatenate(pair) for pair in zip(self._held, (user, at_ms, event), strict=True))
        order = np.lexsort((at_ms, user))
        user, at_ms, event = user[order], at_ms[order], event[order]
        new = np.ones(user.size, bool)
        new[1:] = (user[1:] != user[:-1]) | (np.diff(at_ms) >= BREAK_MS)
        session = np.cumsum(new) - 1
        ends_ms = np.zeros(int(new.sum()), np.int64)
        ends_ms[session] = at_ms  # the last one of each stays
        over = (ends_ms <= open_from_ms)[session]
        self._held = user[~over], at_ms[~over], event[~over]
        user, at_ms, event, session, new = (column[over] for column in (user, at_ms, event, session, new))
        if user.size:
            self._note_sessions(user, at_ms, np.unique(session, return_counts=True)[1], new)
            before = ~self.signed_up[user]
            self.sessions_before += int(np.count_nonzero(new & before))
            self.events_before += np.bincount(event[before], minlength=self.events_before.size)
            self._note_order(user, event, session, _starts(new))

    def _note_sessions(self, user: Array, at_ms: Array, events: Array, new: Array) -> None:
        first = np.flatnonzero(new)
        seconds = (at_ms[np.append(first[1:], at_ms.size) - 1] - at_ms[first]) // 1000
        np.add.at(self.sessions, user[first], 1)
        self.session_s = _added(self.session_s, np.bincount(seconds))
        self.session_events = _added(self.session_events, np.bincount(events))

    def _note_order(self, user: Array, event: Array, session: Array, start: Array) -> None:
        for path in self.paths:
            path.follow(event, session, start)
        for pair in self._pairs:
            pair.follow(user, event, session)
        for name, before in self._followers.items():
            rows = np.flatnonzero(event == self._events[name])
            if rows.size:
                _count(self.order[name], ~_before(before[event], start)[rows])
        new = np.ones(user.size, bool)
        new[1:] = user[1:] != user[:-1]
        life = _starts(new)

        def had(name: str, rows: Array) -> Array:
            code, place = self._events.get(name, -2), self._told.get(name)
            earlier = self._happened[user[rows], place] if place is not None else False
            return earlier | _before(event == code, life)[rows]

        for name, needed in self._prerequisites.items():
            rows = np.flatnonzero((event == self._events[name]) & self.signed_up[user])
            if rows.size:
                _count(self.needs[name], ~np.logical_and.reduce([had(before, rows) for before in needed]))
        for name in self._once_names:
            rows = np.flatnonzero(event == self._events[name])
            if rows.size:
                _count(self.again[name], had(name, rows))
        for name, place in self._told.items():
            self._happened[user[event == self._events[name]], place] = True

    # ----------------------------------------------------------------- the end

    def retained(self) -> list[tuple[int, int]]:
        """By days since the sign-up: who could be active, and who was."""
        return _by_days_since(self.sign_ups, self._returned)

    def seen_again(self) -> list[tuple[int, int]]:
        """By days since the first event in the run: who could be active, and who was."""
        return _by_days_since(self.sign_ups + self.first_seen_before, self._seen_again)

    def conversions(self, log: _Log) -> dict[tuple[str, str, str], Conversion]:
        """Of every planted pair: of all people, and of each variant."""
        variant = log.variant_of()
        found: dict[tuple[str, str, str], Conversion] = {}
        for pair in self._pairs:
            found[*pair.names, ""] = pair.conversion(np.arange(variant.size))
            for truth in self._experiments:
                if (truth.from_event, truth.to_event) == pair.names:
                    for name in (f"{truth.name}:A", f"{truth.name}:B"):
                        place = log.variants.index(name) if name in log.variants else -1
                        found[*pair.names, name] = pair.conversion(np.flatnonzero(variant == place))
        return found

    def together(self) -> Array | None:
        """Day by day, how many of those who were there before were active on both."""
        if not self._keeps_days:
            return None
        found = np.zeros((self._days, self._days))
        before = np.flatnonzero((self.first_day >= 0) & ~self.signed_up)
        for rows in np.array_split(before, before.size // 20_000 + 1):
            days = np.unpackbits(self._active_on[rows], axis=1)[:, : self._days].astype(np.float32)
            found += days.T @ days
        return found


def _by_days_since(begun: Array, active: Array) -> list[tuple[int, int]]:
    """By days since they began, by day: who could be active, and who was."""
    return list(zip(np.cumsum(begun)[::-1].tolist(), active.tolist(), strict=True))


def _added(one: Array, other: Array) -> Array:
    one = _fitted(one, other.size)
    one[: other.size] += other
    return one


def _count(counts: list[int], broken: Array) -> None:
    counts[0] += broken.size
    counts[1] += int(broken.sum())
