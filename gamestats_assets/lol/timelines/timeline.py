"""Decodes one timeline of match-v5: frames of every participant, and events of every kind.

A timeline is decoded at once, each event as one flat struct with the keys of every kind, so events of a new kind are
rows too. If that fails, each event and each participant's frame is decoded separately, and the unreadable ones become
rejections.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Generic, Optional, TypeVar, cast

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.documents import UNREADABLE, Int16, Int32, Int64, Millis
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.timelines.api_keys import api_keys, camel_case, struct_fields
from gamestats_assets.lol.timelines.tables import TimelineEventCounts, TimelineEvents, TimelineFiles, TimelineFrames

NO_TYPE = "(none)"
KNOWN_TYPES = frozenset(
    """
    ASCENDED_EVENT BUILDING_KILL CAPTURE_POINT CHAMPION_KILL CHAMPION_SPECIAL_KILL CHAMPION_TRANSFORM DRAGON_SOUL_GIVEN
    ELITE_MONSTER_KILL FEAT_UPDATE GAME_END ITEM_DESTROYED ITEM_PURCHASED ITEM_SOLD ITEM_UNDO LEVEL_UP
    OBJECTIVE_BOUNTY_FINISH OBJECTIVE_BOUNTY_PRESTART PAUSE_END PAUSE_START PORO_KING_SUMMON SKILL_LEVEL_UP
    TURRET_PLATE_DESTROYED WARD_KILL WARD_PLACED
    """.split()  # noqa: SIM905
)
"""Known kinds of events."""
TABLES: tuple[type[Table], ...] = (TimelineFrames, TimelineEvents, TimelineEventCounts)
"""Tables fed by a timeline, except `TimelineFiles`."""
_CONTENT_CHARACTERS = 4000
# A file with a higher share of unreadable events is not used at all.
_MOST_BAD = 0.05


class UnreadableTimelineError(GamestatsError):
    """A document is not a timeline: truncated, malformed, or without frames."""


@dataclass(frozen=True, slots=True)
class DecodedTimeline:
    """One timeline, decoded; `rows_of` makes tables of many.

    Attributes:
        match_id: id in the document.
        match_date: day under which the match is filed.
        found: contents; only the counts if the timeline is not used.
        quarantined: number of unreadable events of each kind.
        facts: facts about the whole file; columns of `TimelineFiles`.
        rejections: unreadable parts, by table.
        unreadable_reason: reason why a well-formed timeline is not used.
    """

    match_id: str
    match_date: date
    found: Found
    quarantined: Mapping[str, int]
    facts: dict[str, Any]
    rejections: dict[type[Table], list[Rejection]]
    unreadable_reason: str | None = None


# --------------------------------------------------------------------------- contents of a file


class _Part(msgspec.Struct, gc=False, rename="camel"):
    """An object of a timeline."""


def _part_of_states(group: str, *more: tuple[str, Any, Any]) -> Any:
    """Returns the struct of a participant's frame, or of an object in it."""
    own = {name: key.removeprefix(group) for name, key in _STATES.items() if key.rpartition(".")[0] == group[:-1]}
    fields = [*struct_fields(TimelineFrames, own), *more]
    return msgspec.defstruct("State", fields, rename=own | {name: camel_case(name) for name, *_ in more}, gc=False)


_STATES = api_keys(TimelineFrames, without=("match_id", "match_date", "frame_index", "timestamp_ms"))
_PARTS = {part: _part_of_states(f"{camel_case(part)}.") for part in ("position", "damage_stats", "champion_stats")}
_Position = _PARTS["position"]
_Participant = _part_of_states("", *((name, part | None, None) for name, part in _PARTS.items()))


E = TypeVar("E")
P = TypeVar("P")


class _Frame(_Part, Generic[E, P]):
    timestamp: Int64
    events: list[E] | None = None
    participant_frames: dict[str, P] | None = None


class _Info(_Part, Generic[E, P]):
    frames: list[_Frame[E, P]]
    frame_interval: Int32 | None = None


class _Metadata(_Part):
    match_id: str


class _Timeline(_Part, Generic[E, P]):
    metadata: _Metadata
    info: _Info[E, P]


class _Typed(_Part):
    type: str | None = None


_OTHERS: Mapping[str, Any] = {
    "creator_id": Optional[Int16],  # noqa: UP045
    "killer_id": Optional[Int16],  # noqa: UP045
    "real_timestamp": Optional[Millis],  # noqa: UP045
    "position": _Position | None,
}
"""Event fields with a column."""
_MADE = (
    "match_id",
    "match_date",
    "event_index",
    "frame_index",
    "event_type",
    "occurred_at",
    "position_x",
    "position_y",
)
_KEYS = api_keys(TimelineEvents, without=_MADE)
_FIELDS = {name: field for name, *field in struct_fields(TimelineEvents, _KEYS)}
_FIELDS |= {name: [kind, None] for name, kind in _OTHERS.items()}
_KEYS |= {name: camel_case(name) for name in _OTHERS}
_Event = msgspec.defstruct(
    "Event", [("type", str), *((name, *field) for name, field in _FIELDS.items())], rename=_KEYS, gc=False
)
"""An event of any kind."""
_WHOLE: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Timeline[_Event, _Participant])
_PIECEWISE = msgspec.json.Decoder(_Timeline[msgspec.Raw, msgspec.Raw])
_ONE_EVENT: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Event)
_ONE_PARTICIPANT = msgspec.json.Decoder(_Participant)
_ONE_TYPE = msgspec.json.Decoder(_Typed)
_NOTHING = {name: part() for name, part in _PARTS.items()}
_NUMBERS = [name for part in (_Participant, *_PARTS.values()) for name in part.__struct_fields__ if name in _STATES]
"""Columns of a participant's frame in the order of its parts."""
_OF_STATE = operator.attrgetter(*_Participant.__struct_fields__[: -len(_PARTS)])
_OF_PARTS = {name: operator.attrgetter(*part.__struct_fields__) for name, part in _PARTS.items()}


# --------------------------------------------------------------------------- bytes to rows


@dataclass(slots=True)
class Found:
    """Contents of a timeline.

    Attributes:
        timestamps: time of each frame.
        events: readable events.
        event_frames: frame of each event.
        event_indexes: position of each event in the timeline.
        states: numbers of the participants' readable frames in the order of `_NUMBERS`, one after another.
        state_frames: frame of each state.
        counts: events of each kind.
        bad: kinds of unreadable events, with their rejections.
        bad_states: rejected participants' frames.
    """

    match_id: str
    frame_interval: int | None
    timestamps: list[int]
    events: list[Any]
    event_frames: Sequence[int] | np.ndarray
    event_indexes: Sequence[int] | np.ndarray
    states: pl.Series
    state_frames: Sequence[int] | np.ndarray
    counts: Counter[str]
    bad: list[tuple[str, Rejection]]
    bad_states: list[Rejection]


def decode(content: bytes, match_id: str, match_date: date) -> DecodedTimeline:
    """Returns the contents of a timeline.

    Args:
        content: the document, decompressed.
        match_id: match for which it landed.
        match_date: day under which the match is filed.

    Raises:
        UnreadableTimelineError: if it is not a timeline of that match.
    """
    found = _read(content, match_id)
    if found.match_id != match_id:
        raise UnreadableTimelineError(f"Expected the timeline of {match_id}, found that of {found.match_id}.")
    total = sum(found.counts.values())
    bad = Counter(kind for kind, _ in found.bad)
    facts = {
        "frame_interval_ms": found.frame_interval,
        "frames": len(found.timestamps),
        "events": total,
        "last_timestamp_ms": max(found.timestamps, default=None),
    }
    reason = None
    if len(found.bad) > _MOST_BAD * total:
        reason = (
            f"{len(found.bad)} of {total} events cannot be read, more than {_MOST_BAD:.0%}: {found.bad[0][1].reason}"
        )
        bad = found.counts
    rejections: dict[type[Table], list[Rejection]] = {}
    if reason is not None:
        rejections[TimelineFiles] = [Rejection(match_id, "file", "unreadable_events", reason, total)]
        found = replace(found, events=[], event_frames=[], event_indexes=[], states=_numbers([]), state_frames=[])
    else:
        rejections[TimelineEvents] = [rejection for _, rejection in found.bad]
        rejections[TimelineFrames] = found.bad_states
    by_table = {table: each for table, each in rejections.items() if each}
    return DecodedTimeline(match_id, match_date, found, bad, facts, by_table, reason)


def rows_of(timelines: Sequence[DecodedTimeline]) -> dict[type[Table], pl.DataFrame]:
    """Returns the rows of all tables of `TABLES` for many timelines, whose columns are built together."""
    counts = [
        {
            "match_id": timeline.match_id,
            "match_date": timeline.match_date,
            "event_type": kind,
            "is_known": kind in KNOWN_TYPES,
            "events": events,
            "quarantined": timeline.quarantined.get(kind, 0),
        }
        for timeline in timelines
        for kind, events in sorted(timeline.found.counts.items())
    ]
    return {
        TimelineFrames: _frame_rows(timelines),
        TimelineEvents: _event_rows(timelines),
        TimelineEventCounts: pl.DataFrame(counts, schema=TimelineEventCounts.schema()),
    }


def _read(content: bytes, match_id: str) -> Found:
    try:
        return _found(_WHOLE.decode(content))
    except UNREADABLE:
        return _read_piece_by_piece(content, match_id)


def _found(read: _Timeline[Any, Any]) -> Found:
    frames = read.info.frames
    # Separate lists instead of tuples: the garbage collector's work on tens of thousands of objects costs more than
    # creating them.
    events = [event for frame in frames for event in frame.events or ()]
    states = _numbers([state for frame in frames for state in (frame.participant_frames or {}).values()])
    numbers = np.arange(len(frames))
    return Found(
        read.metadata.match_id,
        read.info.frame_interval,
        [frame.timestamp for frame in frames],
        events,
        np.repeat(numbers, [len(frame.events or ()) for frame in frames]),
        np.arange(len(events)),
        states,
        np.repeat(numbers, [len(frame.participant_frames or ()) for frame in frames]),
        Counter([event.type for event in events]),
        [],
        [],
    )


def _read_piece_by_piece(content: bytes, match_id: str) -> Found:
    try:
        read = _PIECEWISE.decode(content)
    except UNREADABLE as error:
        raise UnreadableTimelineError(
            f"Expected a timeline of match-v5, with metadata and info.frames: {error}."
        ) from None
    frames = read.info.frames
    states: list[Any] = []
    found = Found(
        read.metadata.match_id,
        read.info.frame_interval,
        [frame.timestamp for frame in frames],
        [],
        event_frames := [],
        event_indexes := [],
        _numbers([]),
        state_frames := [],
        Counter(),
        [],
        [],
    )
    index = 0
    for number, frame in enumerate(frames):
        for raw in frame.events or ():
            try:
                event = _ONE_EVENT.decode(raw)
            except UNREADABLE as error:
                kind = _kind_of(raw)
                where = f"Event {index} of frame {number}"
                found.bad.append((kind, _rejection(match_id, "event_shape", f"{where}: {error}.", raw)))
            else:
                kind = event.type
                found.events.append(event)
                event_frames.append(number)
                event_indexes.append(index)
            found.counts[kind] += 1
            index += 1
        for key, raw in (frame.participant_frames or {}).items():
            try:
                states.append(_ONE_PARTICIPANT.decode(raw))
                state_frames.append(number)
            except UNREADABLE as error:
                reason = f"Participant {key} of frame {number}: {error}."
                found.bad_states.append(_rejection(match_id, "participant_frame_shape", reason, raw))
    return replace(found, states=_numbers(states))


def _numbers(states: Sequence[Any]) -> pl.Series:
    # Objects are scattered in memory, so each one's values are read at once and split into columns later.
    numbers: list[int | None] = []
    for state in states:
        numbers += _OF_STATE(state)
        for name, values_of in _OF_PARTS.items():
            numbers += values_of(getattr(state, name) or _NOTHING[name])
    return pl.Series(numbers, dtype=pl.Int32)


def _kind_of(raw: msgspec.Raw) -> str:
    try:
        return _ONE_TYPE.decode(raw).type or NO_TYPE
    except UNREADABLE:
        return NO_TYPE


def _rejection(match_id: str, rule: str, reason: str, raw: msgspec.Raw) -> Rejection:
    content = bytes(raw).decode(errors="replace")[:_CONTENT_CHARACTERS]
    return Rejection(match_id, "row", rule, reason, 1, content)


def _joined(parts: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts]).astype(np.int64)


def _series(values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    if not isinstance(dtype, pl.List):
        return pl.Series(values, dtype=dtype)
    # Arrow imports lists a hundred times as fast.
    return cast(pl.Series, pl.from_arrow(pa.array(values, pl.Series([], dtype=dtype).to_arrow().type)))


def _of_matches(timelines: Sequence[DecodedTimeline], rows: Sequence[int]) -> dict[str, pl.Series]:
    """Returns the columns of each row's match, for as many rows as each timeline has."""
    timeline_of_row = np.repeat(np.arange(len(timelines)), rows)
    return {
        "match_id": pl.Series([timeline.match_id for timeline in timelines], dtype=pl.String).gather(timeline_of_row),
        "match_date": pl.Series([timeline.match_date for timeline in timelines], dtype=pl.Date).gather(timeline_of_row),
    }


_UNDECLARED = {"creator_id": pl.Int16(), "killer_id": pl.Int16(), "real_timestamp": pl.Int64()}
"""Event fields that are merged into another column."""


def _event_rows(timelines: Sequence[DecodedTimeline]) -> pl.DataFrame:
    events = [event for timeline in timelines for event in timeline.found.events]
    columns = {name: [*map(operator.attrgetter(name), events)] for name in ("type", *_FIELDS)}
    columns["event_type"] = columns.pop("type")
    positions = columns.pop("position")
    for name in _Position.__struct_fields__:
        columns[name] = [None if position is None else getattr(position, name) for position in positions]
    schema = {**TimelineEvents.schema(), **_UNDECLARED}
    rows = pl.DataFrame({name: _series(values, schema[name]) for name, values in columns.items()})
    at = pl.col("real_timestamp").cast(pl.Datetime("ms", "UTC")).cast(TimelineEvents.schema()["occurred_at"])
    return rows.with_columns(
        **_of_matches(timelines, [len(timeline.found.events) for timeline in timelines]),
        event_index=pl.Series(_joined([timeline.found.event_indexes for timeline in timelines]), dtype=pl.Int32),
        frame_index=pl.Series(_joined([timeline.found.event_frames for timeline in timelines]), dtype=pl.Int16),
        # The key of the acting participant differs by kind.
        participant_id=pl.coalesce("participant_id", "creator_id", "killer_id"),
        occurred_at=at,
    ).select(TimelineEvents.column_names())


def _frame_rows(timelines: Sequence[DecodedTimeline]) -> pl.DataFrame:
    numbers = pl.concat([_numbers([]), *(timeline.found.states for timeline in timelines)])
    columns = {name: numbers.gather_every(len(_NUMBERS), place) for place, name in enumerate(_NUMBERS)}
    at = [np.asarray(each.found.timestamps, dtype=np.int64)[each.found.state_frames] for each in timelines]
    rows = {
        **_of_matches(timelines, [len(timeline.found.state_frames) for timeline in timelines]),
        **columns,
        "frame_index": pl.Series(_joined([timeline.found.state_frames for timeline in timelines])),
        "timestamp_ms": pl.Series(_joined(at)),
    }
    return pl.DataFrame({name: rows[name].cast(dtype) for name, dtype in TimelineFrames.schema().items()})
