"""Decodes one telemetry file: one read feeds every bronze table of events.

A file is a JSON array of events, distinguished by `_T`; `events` declares the wanted ones. The array is read in pieces
that fit the processor's cache; a piece with anything unexpected is read again event by event, so a bad event costs only
itself.

All events are counted by type: `events = kept + not_wanted + quarantined`. LogMatchStart, LogMatchEnd and
LogMatchDefinition count as kept even without a row: the first two feed `TelemetryCharacters` (a list may be empty), and
all three the facts of the file.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Union

import msgspec
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import reference
from gamestats_assets.pubg.telemetry.events import (
    CLASSES,
    EVENTS,
    TABLE_OF,
    Columns,
    LogMatchDefinition,
    LogMatchEnd,
    LogMatchStart,
    columns_of,
)
from gamestats_assets.pubg.telemetry.tables import TelemetryCharacters, TelemetryEventCounts, TelemetryFiles

NO_TYPE = "(none)"
"""Event type for events without a readable `_T`."""

# Larger pieces do not fit the cache, smaller ones need more calls.
_PIECE_BYTES = 200_000
# Number of events after which they become columns, so that their memory is reused while still in the cache.
_EVENTS_HELD = 2000
# How far to search for the end of an event; beyond it the rest of the file is one piece.
_CUT_WINDOW_BYTES = 1_000_000
_CONTENT_CHARACTERS = 4000
# A type not listed below costs one slow piece; files with more new types than this stay slow.
_LEARNED_TYPES = 100
_JSON_SPACE = b" \t\r\n"
# The API writes `_T` last in an event. Inside a string the quotes would be escaped.
_EVENT_END = re.compile(rb'"_T"\s*:\s*"[^"\\]*"\s*\}\s*(,)\s*(?=\{)')
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.f%#z"


class UnreadableTelemetryError(GamestatsError):
    """A document is not a telemetry file: truncated, malformed, or not an array."""


@dataclass(frozen=True, slots=True)
class TelemetryFacts:
    """Facts of a file about its match as a whole; fields as in `TelemetryFiles`."""

    events: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    map_id: str | None = None
    is_custom_match: bool | None = None
    team_size: int | None = None
    camera_view: str | None = None
    weather_id: str | None = None
    definition_id: str | None = None


@dataclass(frozen=True, slots=True)
class DecodedTelemetry:
    """One telemetry file, decoded.

    Attributes:
        frames: one frame per telemetry table except `TelemetryFiles`, with the declared columns; includes
            `TelemetryEventCounts`.
        facts: facts for the match's row of `TelemetryFiles`.
        rejections: unreadable events, by their intended table; `TelemetryEventCounts` for events without a type,
            `TelemetryFiles` for LogMatchDefinition and for the rejection of the whole file.
        unreadable_reason: reason why a well-formed file is not used: too many unreadable events. The tables are then
            empty, and all wanted events count as quarantined.
    """

    frames: dict[type[Table], pl.DataFrame]
    facts: TelemetryFacts
    rejections: dict[type[Table], list[Rejection]]
    unreadable_reason: str | None = None


TABLES: tuple[type[Table], ...] = (
    *dict.fromkeys(rows.table for rows in EVENTS.values()),
    TelemetryCharacters,
    TelemetryEventCounts,
)
"""Tables fed by a telemetry file, except `TelemetryFiles`."""


# --------------------------------------------------------------------------- bytes to events

_RAW_EVENTS = msgspec.json.Decoder(list[msgspec.Raw])
_READABLE = (msgspec.DecodeError, UnicodeDecodeError)


class _Tagged(msgspec.Struct):
    tag: str | None = msgspec.field(default=None, name="_T")


_TAG = msgspec.json.Decoder(_Tagged)
_ONE = {name: msgspec.json.Decoder(event) for name, event in CLASSES.items()}


@functools.lru_cache(maxsize=16)
def _events_decoder(passed_over: frozenset[str]) -> msgspec.json.Decoder[list[Any]]:
    skipped = [msgspec.defstruct(name, [], tag_field="_T", tag=name, gc=False) for name in sorted(passed_over)]
    return msgspec.json.Decoder(list[Union[tuple([*CLASSES.values(), *skipped])]])  # noqa: UP007


@functools.cache
def _passed_over() -> frozenset[str]:
    """Returns known types without a table: the parser skips them without slowing down."""
    return frozenset(reference.event_types().get_column("event_type")).difference(CLASSES)


@dataclass(slots=True)
class _Bad:
    """An unreadable event."""

    index: int
    event_type: str
    rule: str
    reason: str
    content: str


@dataclass(slots=True)
class _Found:
    """Contents of a file, as far as it has been read.

    Attributes:
        total: number of events read.
        indices: positions in the file of the readable wanted events, by type.
        columns: values of events that become rows, by type; `time` is the text of `_D`.
        events: the events themselves: of row types those not yet in `columns`, of the others all.
        not_wanted: number of events without a table, by type.
        bad: unreadable events.
        learned: types to skip.
    """

    total: int = 0
    indices: dict[type, list[int]] = field(default_factory=lambda: defaultdict(list))
    columns: dict[type, Columns] = field(default_factory=dict)
    events: dict[type, list[Any]] = field(default_factory=lambda: defaultdict(list))
    not_wanted: Counter[str] = field(default_factory=Counter)
    bad: list[_Bad] = field(default_factory=list)
    learned: frozenset[str] = field(default_factory=_passed_over)
    held: int = 0

    def take(self, piece: bytes) -> None:
        """Reads a piece, which is an array of whole events; a malformed one is ignored completely."""
        try:
            events = _events_decoder(self.learned).decode(piece)
        except _READABLE:
            self._take_one_by_one(_RAW_EVENTS.decode(piece))
            return
        indices, members = self.indices, self.events
        for index, event in enumerate(events, self.total):
            kind = type(event)
            indices[kind].append(index)
            members[kind].append(event)
        self.total += len(events)
        self.held += len(events)
        if self.held >= _EVENTS_HELD:
            self.to_columns()

    def to_columns(self) -> None:
        """Turns the collected events into columns and counts, and releases them."""
        self.held = 0
        for kind in list(self.events):
            name = kind.__name__
            if name not in CLASSES:
                self.not_wanted[name] += len(self.events.pop(kind))
                del self.indices[kind]
            elif name in EVENTS and (events := self.events.pop(kind)):
                known = self.columns.setdefault(kind, {})
                for column, values in columns_of(name, events).items():
                    known.setdefault(column, []).extend(values)

    def _take_one_by_one(self, raws: Sequence[msgspec.Raw]) -> None:
        for index, raw in enumerate(raws, self.total):
            try:
                tag = _TAG.decode(raw).tag
            except _READABLE as error:
                self._reject(index, NO_TYPE, "event_type", f"The event's _T cannot be read: {error}.", raw)
                continue
            if not tag:
                self._reject(index, NO_TYPE, "event_type", "The event has no _T.", raw)
            elif tag in _ONE:
                try:
                    event = _ONE[tag].decode(raw)
                except _READABLE as error:
                    self._reject(index, tag, "event_shape", f"The event does not fit its type: {error}.", raw)
                else:
                    self.indices[type(event)].append(index)
                    self.events[type(event)].append(event)
            else:
                self.not_wanted[tag] += 1
                if len(self.learned) < len(_passed_over()) + _LEARNED_TYPES:
                    self.learned |= {tag}
        self.total += len(raws)

    def _reject(self, index: int, event_type: str, rule: str, reason: str, raw: msgspec.Raw) -> None:
        self.bad.append(_Bad(index, event_type, rule, reason, _excerpt(raw)))

    def reject_times(self, content: bytes) -> dict[type, pl.Series]:
        """Returns the times of the wanted events; events with an invalid `_D` become bad ones."""
        kinds = list(CLASSES.values())
        texts = {kind: self._time_texts(kind) for kind in kinds}
        every = _times([text for kind in kinds for text in texts[kind]])
        raws = _RAW_EVENTS.decode(content) if every.null_count() else []
        times: dict[type, pl.Series] = {}
        start = 0
        for kind in kinds:
            times[kind] = every.slice(start, len(texts[kind]))
            start += len(texts[kind])
            if times[kind].null_count():
                self._reject_without_time(kind, texts[kind], times[kind].is_not_null(), raws)
                times[kind] = times[kind].drop_nulls()
        return times

    def _time_texts(self, kind: type) -> list[str]:
        if kind.__name__ in EVENTS:
            return self.columns.get(kind, {}).get("time", [])
        return [event.time for event in self.events[kind]]

    def _reject_without_time(
        self, kind: type, texts: Sequence[str], has_time: pl.Series, raws: Sequence[msgspec.Raw]
    ) -> None:
        for index, text, good in zip(self.indices[kind], texts, has_time, strict=True):
            if not good:
                reason = f"Expected a UTC time in _D, found {text[:80]!r}."
                self._reject(index, kind.__name__, "event_time", reason, raws[index])
        self.indices[kind] = list(itertools.compress(self.indices[kind], has_time))
        if kind.__name__ in EVENTS:
            self.columns[kind] = {
                name: list(itertools.compress(values, has_time)) for name, values in self.columns[kind].items()
            }
        else:
            self.events[kind] = list(itertools.compress(self.events[kind], has_time))


def _excerpt(raw: msgspec.Raw) -> str:
    return bytes(raw)[: 4 * _CONTENT_CHARACTERS].decode(errors="replace")[:_CONTENT_CHARACTERS]


def _times(texts: Sequence[str]) -> pl.Series:
    return pl.Series("occurred_at", texts, dtype=pl.String).str.to_datetime(
        _TIME_FORMAT, time_unit="us", time_zone="UTC", strict=False
    )


def _array(content: bytes) -> bytes:
    """Returns the JSON array of a document, without surrounding text.

    Raises:
        UnreadableTelemetryError: if the document does not begin or end like an array.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").strip(_JSON_SPACE)
    if not text.startswith(b"["):
        found = repr(bytes(text[:40])) if text else "an empty file"
        raise UnreadableTelemetryError(f"Expected a JSON array of events, found {found}.")
    if len(text) < 2 or not text.endswith(b"]"):
        raise UnreadableTelemetryError(
            f"The array of events does not end after {len(content)} bytes: the file is truncated. Fetch it again."
        )
    return text


def _cuts(array: bytes) -> Iterator[int]:
    """Yields positions of commas that probably separate two events, about a piece apart."""
    position = _PIECE_BYTES
    while cut := _EVENT_END.search(array, position, position + _CUT_WINDOW_BYTES):
        yield cut.start(1)
        position = cut.start(1) + _PIECE_BYTES


def _find_events(array: bytes) -> _Found:
    """Returns every event of the array, by type.

    A cut inside an event leaves brackets or a string open, so its piece never parses: it is then read together with the
    next one, and finally with the whole rest.

    Raises:
        UnreadableTelemetryError: if the array is malformed.
    """
    found = _Found()
    view = memoryview(array)
    commas = [0, *_cuts(array), len(array) - 1]
    last = len(commas) - 1
    piece = 0
    while piece < last:
        for end in sorted({piece + 1, min(piece + 2, last), last}):
            try:
                found.take(b"".join((b"[", view[commas[piece] + 1 : commas[end]], b"]")))
            except (msgspec.DecodeError, RecursionError) as error:
                if end == last:
                    raise UnreadableTelemetryError(
                        f"The array of events is malformed after event {found.total}: {error}. Fetch the file again."
                    ) from None
            else:
                piece = end
                break
    found.to_columns()
    return found


# --------------------------------------------------------------------------- events to frames


def _frame(
    table: type[Table], match_id: str, match_date: date, indices: Sequence[int], times: pl.Series, columns: Columns
) -> pl.DataFrame:
    rows = len(indices)
    made = {
        "match_id": pl.Series([match_id]).new_from_index(0, rows),
        "match_date": pl.Series([match_date]).new_from_index(0, rows),
        "event_index": pl.Series(indices, dtype=pl.Int32),
        "occurred_at": times,
        # The file widens 32-bit floats: 0.1 is written as 0.10000000149011612.
        "phase": pl.Series(columns["phase"], dtype=pl.Float64).round(1),
    }
    for name, dtype in table.schema().items():
        if name in columns and name not in made:
            made[name] = pl.Series(columns[name], dtype=dtype)
        elif name not in made:
            made[name] = pl.Series([None], dtype=dtype).new_from_index(0, rows)
    return pl.DataFrame({name: made[name] for name in table.schema()})


def _frames(
    found: _Found, times: Mapping[type, pl.Series], match_id: str, match_date: date
) -> dict[type[Table], pl.DataFrame]:
    parts: dict[type[Table], list[pl.DataFrame]] = {table: [] for table in TABLES if table is not TelemetryEventCounts}
    for name, rows in EVENTS.items():
        kind = CLASSES[name]
        if found.indices[kind]:
            parts[rows.table].append(
                _frame(rows.table, match_id, match_date, found.indices[kind], times[kind], found.columns[kind])
            )
    for kind, moment in ((LogMatchStart, "start"), (LogMatchEnd, "end")):
        rows = _characters(found, kind, moment, times[kind])
        if rows is not None:
            parts[TelemetryCharacters].append(_frame(TelemetryCharacters, match_id, match_date, *rows))
    return {table: _together(table, frames) for table, frames in parts.items()}


def _together(table: type[Table], frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if not frames:
        return pl.DataFrame(schema=table.schema())
    # Two types of one table are interleaved in the file.
    return frames[0] if len(frames) == 1 else pl.concat(frames).sort("event_index", maintain_order=True)


def _characters(
    found: _Found, kind: type[LogMatchStart | LogMatchEnd], moment: str, times: pl.Series
) -> tuple[list[int], pl.Series, Columns] | None:
    """Returns the entries of the lists of one type, as arguments of `_frame`."""
    events = found.events[kind]
    rows = [
        (which, place, entry.listed)
        for which, event in enumerate(events)
        for place, entry in enumerate(event.characters or ())
    ]
    if not rows:
        return None
    people = [person for _, _, person in rows]
    which = [which for which, _, _ in rows]
    columns: Columns = {
        "phase": [events[number].phase for number in which],
        "list_index": [place for _, place, _ in rows],
        "moment": [moment] * len(rows),
        "player_name": [person.name for person in people],
        "character_type": [person.type for person in people],
        **{
            name: [getattr(person, name) for person in people]
            for name in ("account_id", "team_id", "ranking", "individual_ranking", "health")
        },
    }
    return [found.indices[kind][number] for number in which], times.gather(which), columns


def _facts(found: _Found, times: Mapping[type, pl.Series]) -> TelemetryFacts:
    """Returns facts of the file, from the earliest start, the latest end and the first definition."""
    started: datetime | None = times[LogMatchStart].min()  # pyright: ignore[reportAssignmentType]
    ended: datetime | None = times[LogMatchEnd].max()  # pyright: ignore[reportAssignmentType]
    definitions = [event.match_id for event in found.events[LogMatchDefinition] if event.match_id]
    definition_id = definitions[0] if definitions else None
    first = times[LogMatchStart].arg_min()
    if first is None:
        return TelemetryFacts(found.total, started, ended, definition_id=definition_id)
    start: LogMatchStart = found.events[LogMatchStart][first]
    return TelemetryFacts(
        events=found.total,
        started_at=started,
        ended_at=ended,
        map_id=start.map_id,
        is_custom_match=start.is_custom_match,
        team_size=start.team_size,
        camera_view=start.camera_view,
        weather_id=start.weather_id,
        definition_id=definition_id,
    )


def _event_counts(found: _Found, match_id: str, match_date: date, *, is_used: bool) -> pl.DataFrame:
    """Returns one row per type; if the file is not used, all wanted events count as quarantined."""
    kept = Counter({kind.__name__: len(indices) for kind, indices in found.indices.items()})
    not_wanted = found.not_wanted
    quarantined = Counter(bad.event_type for bad in found.bad)
    if not is_used:
        kept, quarantined = Counter(), quarantined + kept
    rows = [
        (
            match_id,
            match_date,
            name,
            kept[name] + not_wanted[name] + quarantined[name],
            kept[name],
            not_wanted[name],
            quarantined[name],
            name in CLASSES,
        )
        for name in sorted(kept.keys() | not_wanted.keys() | quarantined.keys())
        if kept[name] + not_wanted[name] + quarantined[name]
    ]
    names = ("match_id", "match_date", "event_type", "events", "kept", "not_wanted", "quarantined", "is_wanted")
    schema = TelemetryEventCounts.schema()
    return pl.DataFrame(rows, schema={name: schema[name] for name in names}, orient="row").select(schema.names())


def decode(content: bytes, match_id: str, match_date: date) -> DecodedTelemetry:
    """Decodes the decompressed content of one telemetry file.

    Raises:
        UnreadableTelemetryError: if the content is not a complete JSON array. A well-formed file with too many bad
            events does not raise: see `DecodedTelemetry.unreadable_reason`.
    """
    array = _array(content)
    found = _find_events(array)
    times = found.reject_times(array)
    found.bad.sort(key=lambda bad: bad.index)
    if len(found.bad) > TelemetryFiles.spec.tolerance * found.total:
        return _unreadable(found, match_id, match_date)
    rejections: dict[type[Table], list[Rejection]] = {}
    for bad in found.bad:
        rejections.setdefault(TABLE_OF.get(bad.event_type, TelemetryEventCounts), []).append(
            Rejection(match_id, "row", bad.rule, f"Event {bad.index}, {bad.event_type}: {bad.reason}", 1, bad.content)
        )
    frames = _frames(found, times, match_id, match_date)
    frames[TelemetryEventCounts] = _event_counts(found, match_id, match_date, is_used=True)
    return DecodedTelemetry(frames, _facts(found, times), rejections)


def _unreadable(found: _Found, match_id: str, match_date: date) -> DecodedTelemetry:
    counts = _event_counts(found, match_id, match_date, is_used=False)
    types = Counter(bad.event_type for bad in found.bad)
    by_type = ", ".join(f"{name} {count}x" for name, count in types.most_common())
    reason = (
        f"{len(found.bad)} of {found.total} events could not be read, more than {TelemetryFiles.spec.tolerance:.0%}: "
        f"{by_type}. First: event {found.bad[0].index}: {found.bad[0].reason}"
    )
    share = _CONTENT_CHARACTERS // 5 - 2
    rejection = Rejection(
        match_id,
        "file",
        Counter(bad.rule for bad in found.bad).most_common(1)[0][0],
        reason,
        int(counts.get_column("quarantined").sum()),
        "\n".join(bad.content[:share] for bad in found.bad[:5]),
    )
    frames: dict[type[Table], pl.DataFrame] = {table: pl.DataFrame(schema=table.schema()) for table in TABLES}
    frames[TelemetryEventCounts] = counts
    return DecodedTelemetry(frames, TelemetryFacts(found.total), {TelemetryFiles: [rejection]}, reason)
