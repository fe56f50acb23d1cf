"""Decodes landed log pieces for bronze: days of products go in, one frame per table comes out.

One task reads all pieces of one day of one product, because a record may repeat or change another one of its day. It
also reads the ids in the pieces of the day before, because a record with a row there gets no second one. The result
depends on the set of pieces, never on their order or on the number of workers.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import polars as pl

from gamestats_assets.demo_data.logs.landing import KIND, landing_game
from gamestats_assets.demo_data.logs.lines import InvalidLineError, Line, Shape, container_type, read_line, uuid_of
from gamestats_assets.demo_data.tables import (
    INVALID,
    Events,
    LogFiles,
    PropertyTypes,
    RecordCounts,
    UserOperations,
)
from gamestats_assets.lakehouse.landing.decoding import DecodedUnits, Decoder, Unit
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table

TABLES: tuple[type[Table], ...] = (Events, UserOperations, RecordCounts, PropertyTypes, LogFiles)
"""Every table that landed pieces feed."""

# Most lines of a day that are quarantined one by one for one rule; further ones share one entry with their count.
_MOST_REJECTIONS = 1000
_CONTENT_CHARACTERS = 4000
_COUNTS = (
    "records",
    "kept",
    "duplicates",
    "differing",
    "merged",
    "not_first",
    "quarantined",
    "late",
    "unknown_root_keys",
)
_PRESETS = {
    "os": "#os",
    "os_version": "#os_version",
    "app_version": "#app_version",
    "country": "#country",
    "country_code": "#country_code",
    "language": "#system_language",
    "manufacturer": "#manufacturer",
    "device_model": "#device_model",
    "network_type": "#network_type",
    "carrier": "#carrier",
}
_RECORD_COLUMNS = (
    *("occurred_at", "log_date", "log_file", "log_line", "is_late"),
    *("account_id", "distinct_id", "user_id", "properties"),
)
_EVENT_COLUMNS = (
    *_RECORD_COLUMNS,
    *("event_id", "event_type", "event_name", "overwrite_id", "first_check_id", "ip", "zone_offset_h"),
    *_PRESETS,
)
_OPERATION_COLUMNS = (*_RECORD_COLUMNS, "operation_id", "operation")


# --------------------------------------------------------------------------- one day of a product


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a record; earlier ones come first."""

    log_date: date
    log_file: str
    log_line: int

    @property
    def order(self) -> tuple[date, str, int]:
        return self.log_date, self.log_file, self.log_line


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of a record that came several times with different contents."""

    line: Line
    place: _Place

    def content(self) -> bytes:
        """Returns its content, whatever the order of its keys."""
        return msgspec.json.encode(self.line.record, order="deterministic")


@dataclass(slots=True)
class _Changing:
    """A record that others of its day may change or precede."""

    line: Line
    place: _Place
    event_id: str

    @property
    def order(self) -> tuple[Any, ...]:
        return self.line.occurred_at, *self.place.order


@dataclass(slots=True)
class _Day:
    """The records of one day of one product, as they are read piece by piece.

    Attributes:
        before: ids of records with a row on the day before, known from an earlier read of both days.
        held: copies of records whose copies differ, by id; the ids are known from an earlier read of the day.
        seen: hash of the first line of every other record, by id.
        differing: ids of records that came again in another line.
        refused_lines: digests of the lines in quarantine.
    """

    product: str
    day: date
    before: Collection[str] = ()
    held: dict[str, list[_Copy]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    differing: set[str] = field(default_factory=set)
    refused_lines: set[bytes] = field(default_factory=set)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    operations: list[tuple[Any, ...]] = field(default_factory=list)
    counts: defaultdict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    shapes: dict[tuple[str, Shape], list[Any]] = field(default_factory=dict)
    containers: dict[tuple[str, str, str], list[Any]] = field(default_factory=dict)
    changing: defaultdict[tuple[str, str, str], list[_Changing]] = field(default_factory=lambda: defaultdict(list))
    files: list[dict[str, Any]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    frames: dict[type[Table], list[pl.DataFrame]] = field(default_factory=dict)

    # ----------------------------------------------------------------- reading

    def read(self, file: LandedFile, content: bytes) -> None:
        """Reads every line of a piece."""
        log_date = _log_date(file)
        lines = 0
        for number, text in enumerate(content.split(b"\n"), 1):
            if not text or text.isspace():
                continue
            lines += 1
            try:
                line = read_line(text, log_date)
                if line.occurred_at.date() != self.day:
                    found = f"{line.occurred_at:%Y-%m-%d %H:%M:%S}"
                    raise InvalidLineError("day", f"a time of {self.day}", found, "#time")
            except InvalidLineError as error:
                self.refuse(error, f"{file.path}, line {number}", text)
                continue
            record_id = line.record.uuid or _digest(text).hex()
            counts = self.counts_of(line)
            counts["records"] += 1
            place = _Place(log_date, file.unit_id, number)
            if record_id in self.before:
                counts.update(duplicates=1, differing=1)
            elif record_id in self.held:
                self.held[record_id].append(_Copy(line, place))
            elif (known := self.seen.get(record_id)) is None:
                self.seen[record_id] = hash(text)
                self.take(line, place, record_id)
            else:
                counts["duplicates"] += 1
                if known != hash(text):
                    self.differing.add(record_id)
        self.add_rows()
        self.note_file(file, log_date, len(content), lines, "processed")

    def counts_of(self, line: Line) -> Counter[str]:
        record = line.record
        return self.counts[record.type, record.event_name or "" if record.is_event else ""]

    def take(self, line: Line, place: _Place, record_id: str) -> None:
        """Takes up a record, once of all its copies."""
        record, counts = line.record, self.counts_of(line)
        counts["late"] += place.log_date > self.day
        counts["unknown_root_keys"] += line.has_unknown_root_key
        self.note_types(line)
        if not record.is_event:
            counts["kept"] += 1
            self.operations.append((*self.columns(line, place), record_id, record.type))
        elif record.type == "track":
            counts["kept"] += 1
            self.events.append(self.event(line, place, record_id))
        else:
            of = record.first_check_id if record.type == "track_first" else record.event_id
            kind = "first" if record.type == "track_first" else "changed"
            self.changing[kind, record.event_name or "", of or ""].append(_Changing(line, place, record_id))

    def take_held(self) -> None:
        """Takes up the content of the latest log for records whose copies differ, in the first copy that has it."""
        for record_id, copies in self.held.items():
            copies.sort(key=lambda copy: copy.place.order)
            contents = [copy.content() for copy in copies]
            _, counting = max((copy.place.log_date, content) for copy, content in zip(copies, contents, strict=True))
            taken = contents.index(counting)
            for number, (copy, content) in enumerate(zip(copies, contents, strict=True)):
                if number == taken:
                    self.take(copy.line, copy.place, record_id)
                else:
                    self.counts_of(copy.line).update(duplicates=1, differing=int(content != counting))
        self.add_rows()

    def add_rows(self) -> None:
        self.add(Events, self.events, _EVENT_COLUMNS)
        self.add(UserOperations, self.operations, _OPERATION_COLUMNS)
        self.events, self.operations = [], []

    def note_file(self, file: LandedFile, log_date: date, size: int, lines: int, status: str) -> None:
        self.files.append(
            {
                "log_file": file.unit_id,
                "log_date": log_date,
                "content_hash": file.content_hash,
                "size_bytes": size,
                "lines": lines,
                "status": status,
            }
        )

    def refuse(self, error: InvalidLineError, where: str, text: bytes) -> None:
        """Quarantines a line unless it came before; beyond a limit per rule, lines are only counted."""
        digest = _digest(text)
        if digest in self.refused_lines:
            self.counts[INVALID, ""].update(("records", "duplicates"))
            return
        self.refused_lines.add(digest)
        self.counts[INVALID, ""].update(("records", "quarantined"))
        self.refused[error.rule] += 1
        if self.refused[error.rule] <= _MOST_REJECTIONS:
            content = text[: 4 * _CONTENT_CHARACTERS].decode("utf-8", "replace")[:_CONTENT_CHARACTERS]
            self.rejections.append(Rejection(self.product, "row", error.rule, f"{where}: {error}", 1, content))

    def refuse_file(self, file: LandedFile, reason: str) -> None:
        self.rejections.append(Rejection(self.product, "file", "unreadable_file", f"{file.path}: {reason}", 0))
        self.note_file(file, _log_date(file), 0, 0, "unreadable")

    def note_types(self, line: Line) -> None:
        name = line.record.event_name or "" if line.record.is_event else ""
        _note(self.shapes, (name, line.shape), line.occurred_at)
        for key in line.shape.containers:
            _note(self.containers, (name, key, container_type(line.properties[key])), line.occurred_at)

    # ----------------------------------------------------------------- rows

    def columns(self, line: Line, place: _Place) -> tuple[Any, ...]:
        """Returns values of `_RECORD_COLUMNS`."""
        record = line.record
        return (
            line.occurred_at,
            place.log_date,
            place.log_file,
            place.log_line,
            place.log_date > self.day,
            record.account_id or None,
            record.distinct_id or None,
            record.account_id or record.distinct_id,
            msgspec.json.encode(line.properties).decode(),
        )

    def event(self, line: Line, place: _Place, event_id: str) -> tuple[Any, ...]:
        """Returns values of `_EVENT_COLUMNS`."""
        record, get = line.record, line.properties.get
        return (
            *self.columns(line, place),
            event_id,
            record.type,
            record.event_name,
            record.event_id,
            record.first_check_id,
            record.ip,
            line.zone_offset,
            *[
                value if (value := get(preset)) is None or value.__class__ is str else _text(value)
                for preset in _PRESETS.values()
            ],
        )

    def add(self, table: type[Table], rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> None:
        if not rows:
            return
        schema: dict[str, Any] = dict(table.schema())
        columns = {
            name: pl.Series(name, values, pl.Datetime("us") if name == "occurred_at" else schema[name])
            for name, values in zip(names, zip(*rows, strict=True), strict=True)
        }
        frame = pl.DataFrame(columns).with_columns(pl.col("occurred_at").dt.replace_time_zone("UTC"))
        self.frames.setdefault(table, []).append(self.of_day(table, frame))

    def of_day(self, table: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
        """Returns the frame with the columns of its partition, in declared order and type."""
        return frame.with_columns(
            product_day=pl.lit(f"{self.day}|{self.product}"), product=pl.lit(self.product), day=pl.lit(self.day)
        ).select(pl.col(name).cast(dtype) for name, dtype in table.schema().items())

    # ----------------------------------------------------------------- the end

    def end(self) -> None:
        """Adds the rows that depend on all records of the day, and the tables that count records."""
        self.take_held()
        events: list[tuple[Any, ...]] = []
        for (kind, name, _), changing in self.changing.items():
            changing.sort(key=lambda found: found.order)
            row = changing[0] if kind == "first" else _merged(changing)
            without_row = "not_first" if kind == "first" else "merged"
            for found in changing:
                became = "kept" if found.event_id == row.event_id else without_row
                self.counts[found.line.record.type, name][became] += 1
            events.append(self.event(row.line, row.place, row.event_id))
        self.add(Events, events, _EVENT_COLUMNS)
        for rule, refused in self.refused.items():
            if refused > _MOST_REJECTIONS:
                more = refused - _MOST_REJECTIONS
                reason = f"{more} more lines of {self.day} break the rule; they are in the same landed files."
                self.rejections.append(Rejection(self.product, "row", rule, reason, more))
        self.frames[RecordCounts] = [self.table_of(RecordCounts, self.count_rows())]
        self.frames[PropertyTypes] = [self.table_of(PropertyTypes, self.type_rows())]
        self.frames[LogFiles] = [self.table_of(LogFiles, self.files)]

    def table_of(self, table: type[Table], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        own = {n: dtype for n, dtype in table.schema().items() if n not in ("product_day", "product", "day")}
        return self.of_day(table, pl.DataFrame(rows, schema=own))

    def count_rows(self) -> list[dict[str, Any]]:
        return [
            {"event_type": kind, "event_name": name} | {column: counts[column] for column in _COUNTS}
            for (kind, name), counts in sorted(self.counts.items())
        ]

    def type_rows(self) -> list[dict[str, Any]]:
        found: dict[tuple[str, str, str], list[Any]] = {}
        for (name, shape), (records, first_at) in self.shapes.items():
            for key, json_type in shape.scalars:
                _note(found, (name, key, json_type), first_at, records)
        for of, (records, first_at) in self.containers.items():
            _note(found, of, first_at, records)
        names = ("event_name", "property", "json_type")
        return [
            dict(zip(names, of, strict=True)) | {"records": records, "first_at": first_at.replace(tzinfo=UTC)}
            for of, (records, first_at) in sorted(found.items())
        ]


def _merged(changing: Sequence[_Changing]) -> _Changing:
    """Merges records of one event and one #event_id, in order."""
    row = changing[0]
    for change in changing[1:]:
        if change.line.record.type == "track_overwrite":
            row = change
        else:
            properties = {**row.line.properties, **change.line.properties}
            row = _Changing(replace(row.line, properties=properties), row.place, row.event_id)
    return row


def _note(found: dict[Any, list[Any]], key: Any, at: datetime, records: int = 1) -> None:
    entry = found.get(key)
    if entry is None:
        found[key] = [records, at]
    else:
        entry[0] += records
        if at < entry[1]:
            entry[1] = at


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _digest(line: bytes) -> bytes:
    """Returns a digest by which equal lines are recognised anywhere."""
    return hashlib.sha256(line.strip()).digest()[:16]


def _log_date(file: LandedFile) -> date:
    """Returns the day of a piece's log, with which its unit begins."""
    return datetime.strptime(file.unit_id[:8], "%Y%m%d").date()


# --------------------------------------------------------------------------- many days


def _decoded(landing: Landing, unit: Unit) -> _Day:
    day = _read(landing, unit)
    before = _before(landing, unit, day.seen)
    if day.differing or before:
        # Only the last copy decides which one counts. Differing copies are rare enough to read the day again.
        day = _read(landing, unit, before, day.differing - before)
    day.end()
    return day


def _before(landing: Landing, unit: Unit, ids: Collection[str]) -> set[str]:
    """Returns the ids under which a valid record of the day before has landed."""
    day = unit.day - timedelta(days=1)
    found: set[str] = set()
    for file in landing.files(landing_game(unit.unit_id), day.isoformat()):
        try:
            content = landing.content(file) if file.kind == KIND else b""
        except UnreadableContentError:
            continue  # Reading its own day reports it.
        for text in content.split(b"\n"):
            record_id = uuid_of(text)
            if record_id and record_id in ids and record_id not in found and _is_of(text, _log_date(file), day):
                found.add(record_id)
    return found


def _is_of(text: bytes, log_date: date, day: date) -> bool:
    try:
        return read_line(text, log_date).occurred_at.date() == day
    except InvalidLineError:
        return False


def _read(landing: Landing, unit: Unit, before: Collection[str] = (), held: Collection[str] = ()) -> _Day:
    day = _Day(unit.unit_id, unit.day, before, {record_id: [] for record_id in held})
    for file in unit.files:
        try:
            content = landing.content(file)
        except UnreadableContentError as error:
            day.refuse_file(file, str(error))
        else:
            day.read(file, content)
    return day


def _decode_units(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    """Yields the days of products, one after the other.

    Records are identified by their #uuid; records without one, and unreadable lines, by the line itself. Equal ones are
    one record, wherever they are. Of copies with different contents, the latest log's counts; within one log, the one
    whose JSON sorts last. A record that has also landed with a time on the day before is a duplicate of that one; days
    further apart are not compared. A day without a readable line is processed as well, with no rows: its lines are
    counted and in quarantine, and would be unreadable the next time, too.
    """
    decoded = DecodedUnits()
    for unit in units:
        day = _decoded(landing, unit)
        decoded.add_frames({table: pl.concat(frames) for table, frames in day.frames.items()})
        decoded.add_rejections({Events: day.rejections})
    return decoded


# A worker has one day of one product in memory.
DECODER = Decoder("demo_data", TABLES, (KIND,), _decode_units, part=1, unit="area")
"""Decodes landed pieces; all pieces of one day of a product are in one batch."""
