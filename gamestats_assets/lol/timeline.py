"""Decode one timeline of match-v5: frames of every participant, and events of every kind.

Events are one flat struct with every key that any kind has: a kind that is new is a row as well, with the keys that
are known. A timeline is read in one go; where something in it is not as it should be, each event and each
participant's frame is read by itself, and those that cannot be are rejections.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, TypeAlias, cast

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.tables import TimelineEventCounts, TimelineEvents, TimelineFiles, TimelineFrames

NO_TYPE = "(none)"
KNOWN_TYPES = frozenset(
    """
    ASCENDED_EVENT BUILDING_KILL CAPTURE_POINT CHAMPION_KILL CHAMPION_SPECIAL_KILL CHAMPION_TRANSFORM DRAGON_SOUL_GIVEN
    ELITE_MONSTER_KILL FEAT_UPDATE GAME_END ITEM_DESTROYED ITEM_PURCHASED ITEM_SOLD ITEM_UNDO LEVEL_UP
    OBJECTIVE_BOUNTY_FINISH OBJECTIVE_BOUNTY_PRESTART PAUSE_END PAUSE_START PORO_KING_SUMMON SKILL_LEVEL_UP
    TURRET_PLATE_DESTROYED WARD_KILL WARD_PLACED
    """.split()  # noqa: SIM905
)
"""Kinds of events that the API has been seen to write."""
TABLES: tuple[type[Table], ...] = (TimelineFrames, TimelineEvents, TimelineEventCounts)
"""The tables a timeline feeds, `TimelineFiles` aside."""
_CONTENT_CHARACTERS = 4000
# More of a file than that, and nothing of it is used.
_MOST_BAD = 0.05

Int16: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**15), le=2**15 - 1)]
Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
# The years 1970 to 2262, which is as far as a time in microseconds is certain to be held everywhere.
Millis: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=9_214_646_400_000)]


class UnreadableTimelineError(GamestatsError):
    """A document is not a timeline: truncated, malformed, or without frames."""


@dataclass(frozen=True, slots=True)
class DecodedTimeline:
    """One timeline, decoded; `rows_of` makes tables of many.

    Attributes:
        match_id: id the document gives.
        match_date: day the match is filed under.
        found: what it holds; nothing but the counts of a timeline of which nothing is used.
        quarantined: events of each kind that could not be read.
        facts: what the file says as a whole; columns of `TimelineFiles`.
        rejections: what could not be read, by table.
        unreadable_reason: why nothing of it is used although it is well-formed.
    """

    match_id: str
    match_date: date
    found: Found
    quarantined: Mapping[str, int]
    facts: dict[str, Any]
    rejections: dict[type[Table], list[Rejection]]
    unreadable_reason: str | None = None


# --------------------------------------------------------------------------- what stands in a file


class _Part(msgspec.Struct, gc=False, rename="camel"):
    """An object of a timeline."""


class _Position(_Part):
    x: Int32 | None = None
    y: Int32 | None = None


class _Event(_Part):
    type: str
    timestamp: Int64
    participant_id: Int16 | None = None
    creator_id: Int16 | None = None
    killer_id: Int16 | None = None
    victim_id: Int16 | None = None
    assisting_participant_ids: list[Int16] | None = None
    team_id: Int16 | None = None
    killer_team_id: Int16 | None = None
    item_id: Int32 | None = None
    before_id: Int32 | None = None
    after_id: Int32 | None = None
    gold_gain: Int32 | None = None
    level: Int32 | None = None
    skill_slot: Int32 | None = None
    level_up_type: str | None = None
    ward_type: str | None = None
    monster_type: str | None = None
    monster_sub_type: str | None = None
    building_type: str | None = None
    tower_type: str | None = None
    lane_type: str | None = None
    kill_type: str | None = None
    multi_kill_length: Int32 | None = None
    kill_streak_length: Int32 | None = None
    bounty: Int32 | None = None
    shutdown_bounty: Int32 | None = None
    transform_type: str | None = None
    name: str | None = None
    winning_team: Int16 | None = None
    real_timestamp: Millis | None = None
    position: _Position | None = None


class _Damage(_Part):
    total_damage_done_to_champions: Int32 | None = None
    physical_damage_done_to_champions: Int32 | None = None
    magic_damage_done_to_champions: Int32 | None = None
    true_damage_done_to_champions: Int32 | None = None
    total_damage_done: Int32 | None = None
    total_damage_taken: Int32 | None = None


class _Champion(_Part):
    health: Int32 | None = None
    health_max: Int32 | None = None
    power: Int32 | None = None
    power_max: Int32 | None = None
    attack_damage: Int32 | None = None
    attack_speed: Int32 | None = None
    ability_power: Int32 | None = None
    ability_haste: Int32 | None = None
    armor: Int32 | None = None
    magic_resist: Int32 | None = None
    movement_speed: Int32 | None = None


class _Participant(_Part):
    participant_id: Int16
    level: Int32 | None = None
    xp: Int32 | None = None
    total_gold: Int32 | None = None
    current_gold: Int32 | None = None
    gold_per_second: Int32 | None = None
    minions_killed: Int32 | None = None
    jungle_minions_killed: Int32 | None = None
    time_enemy_spent_controlled: Int32 | None = None
    position: _Position | None = None
    damage_stats: _Damage | None = None
    champion_stats: _Champion | None = None


class _Frame(_Part):
    timestamp: Int64
    events: list[_Event] | None = None
    participant_frames: dict[str, _Participant] | None = None


class _Info(_Part):
    frames: list[_Frame]
    frame_interval: Int32 | None = None


class _Metadata(_Part):
    match_id: str


class _Timeline(_Part):
    metadata: _Metadata
    info: _Info


class _RawFrame(_Part):
    timestamp: Int64
    events: list[msgspec.Raw] | None = None
    participant_frames: dict[str, msgspec.Raw] | None = None


class _RawInfo(_Part):
    frames: list[_RawFrame]
    frame_interval: Int32 | None = None


class _RawTimeline(_Part):
    metadata: _Metadata
    info: _RawInfo


class _Typed(_Part):
    type: str | None = None


_READABLE = (msgspec.DecodeError, UnicodeDecodeError)
_WHOLE = msgspec.json.Decoder(_Timeline)
_PIECEWISE = msgspec.json.Decoder(_RawTimeline)
_ONE_EVENT = msgspec.json.Decoder(_Event)
_ONE_PARTICIPANT = msgspec.json.Decoder(_Participant)
_ONE_TYPE = msgspec.json.Decoder(_Typed)
_NOWHERE, _NO_DAMAGE, _NO_CHAMPION = _Position(), _Damage(), _Champion()


# --------------------------------------------------------------------------- bytes to rows


@dataclass(slots=True)
class Found:
    """What a timeline holds.

    Attributes:
        timestamps: time of each frame.
        events: those that could be read.
        event_frames: the frame of each.
        event_indexes: the position of each in the timeline.
        states: participants' frames that could be read.
        state_frames: the frame of each.
        counts: events of each kind.
        bad: kinds of the events that could not be read, with what is rejected.
        bad_states: participants' frames that are rejected.
    """

    match_id: str
    frame_interval: int | None
    timestamps: list[int]
    events: list[_Event]
    event_frames: Sequence[int] | np.ndarray
    event_indexes: Sequence[int] | np.ndarray
    states: list[_Participant]
    state_frames: Sequence[int] | np.ndarray
    counts: Counter[str]
    bad: list[tuple[str, Rejection]]
    bad_states: list[Rejection]


def decode(content: bytes, match_id: str, match_date: date) -> DecodedTimeline:
    """What a timeline holds.

    Args:
        content: the document, decompressed.
        match_id: the match it landed for.
        match_date: day the match is filed under.

    Raises:
        UnreadableTimelineError: when it is no timeline of that match.
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
        found = replace(found, events=[], event_frames=[], event_indexes=[], states=[], state_frames=[])
    else:
        rejections[TimelineEvents] = [rejection for _, rejection in found.bad]
        rejections[TimelineFrames] = found.bad_states
    told = {table: each for table, each in rejections.items() if each}
    return DecodedTimeline(match_id, match_date, found, bad, facts, told, reason)


def rows_of(timelines: Sequence[DecodedTimeline]) -> dict[type[Table], pl.DataFrame]:
    """The rows of all tables of `TABLES`, of many timelines: columns are built once for all of them."""
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
        read = _WHOLE.decode(content)
    except _READABLE:
        return _read_piece_by_piece(content, match_id)
    frames = read.info.frames
    # No pairs of events and numbers: objects by the ten thousand cost more to be watched than to be made.
    events = [event for frame in frames for event in frame.events or ()]
    states = [state for frame in frames for state in (frame.participant_frames or {}).values()]
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
    except _READABLE as error:
        raise UnreadableTimelineError(
            f"Expected a timeline of match-v5, with metadata and info.frames: {error}."
        ) from None
    frames = read.info.frames
    found = Found(
        read.metadata.match_id,
        read.info.frame_interval,
        [frame.timestamp for frame in frames],
        [],
        event_frames := [],
        event_indexes := [],
        [],
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
            except _READABLE as error:
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
                found.states.append(_ONE_PARTICIPANT.decode(raw))
                state_frames.append(number)
            except _READABLE as error:
                reason = f"Participant {key} of frame {number}: {error}."
                found.bad_states.append(_rejection(match_id, "participant_frame_shape", reason, raw))
    return found


def _kind_of(raw: msgspec.Raw) -> str:
    try:
        return _ONE_TYPE.decode(raw).type or NO_TYPE
    except _READABLE:
        return NO_TYPE


def _rejection(match_id: str, rule: str, reason: str, raw: msgspec.Raw) -> Rejection:
    content = bytes(raw).decode(errors="replace")[:_CONTENT_CHARACTERS]
    return Rejection(match_id, "row", rule, reason, 1, content)


_RENAMED = {"type": "event_type", "timestamp": "timestamp_ms", "winning_team": "winning_team_id"}


def _columns(kind: type[msgspec.Struct], parts: Sequence[msgspec.Struct]) -> dict[str, Sequence[Any]]:
    """The fields of structs, as columns."""
    return {name: [*map(operator.attrgetter(name), parts)] for name in kind.__struct_fields__}


def _joined(parts: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts]).astype(np.int64)


def _series(values: Sequence[Any] | np.ndarray, dtype: pl.DataType) -> pl.Series:
    # Arrow takes values that are mostly null several times as fast.
    arrow = pl.Series([], dtype=dtype).to_arrow().type
    return cast(pl.Series, pl.from_arrow(pa.array(values, arrow))).cast(dtype)


def _of_matches(
    timelines: Sequence[DecodedTimeline], rows: Sequence[int], columns: Mapping[str, Sequence[Any] | np.ndarray], table: type[Table]
) -> pl.DataFrame:
    """Columns with the match of each row before them.

    Args:
        rows: how many rows each timeline has.
    """
    schema = table.schema()
    of = np.repeat(np.arange(len(timelines)), rows)
    matches = {
        "match_id": pl.Series([timeline.match_id for timeline in timelines], dtype=pl.String).gather(of),
        "match_date": pl.Series([timeline.match_date for timeline in timelines], dtype=pl.Date).gather(of),
    }
    return pl.DataFrame(matches | {name: _series(values, schema.get(name) or _UNDECLARED[name]) for name, values in columns.items()})


_UNDECLARED = {"creator_id": pl.Int16(), "killer_id": pl.Int16(), "real_timestamp": pl.Int64()}
"""Fields of events that are told in another column."""


def _event_rows(timelines: Sequence[DecodedTimeline]) -> pl.DataFrame:
    told = _columns(_Event, [event for timeline in timelines for event in timeline.found.events])
    positions = told.pop("position")
    columns: dict[str, Sequence[Any] | np.ndarray] = {_RENAMED.get(name, name): values for name, values in told.items()}
    columns |= {
        "event_index": _joined([timeline.found.event_indexes for timeline in timelines]),
        "frame_index": _joined([timeline.found.event_frames for timeline in timelines]),
        "position_x": [None if position is None else position.x for position in positions],
        "position_y": [None if position is None else position.y for position in positions],
    }
    rows = _of_matches(timelines, [len(timeline.found.events) for timeline in timelines], columns, TimelineEvents)
    at = pl.col("real_timestamp").cast(pl.Datetime("ms", "UTC")).cast(TimelineEvents.schema()["occurred_at"])
    # Who did it has another name in some kinds.
    actor = pl.coalesce("participant_id", "creator_id", "killer_id")
    return rows.with_columns(participant_id=actor, occurred_at=at).select(TimelineEvents.column_names())


_OF_STATE = {"minions_killed": "lane_minions_killed", "time_enemy_spent_controlled": "time_enemy_spent_controlled_ms"}
_OF_DAMAGE = {
    "total_damage_done_to_champions": "damage_to_champions",
    "physical_damage_done_to_champions": "physical_damage_to_champions",
    "magic_damage_done_to_champions": "magic_damage_to_champions",
    "true_damage_done_to_champions": "true_damage_to_champions",
    "total_damage_done": "damage_dealt",
    "total_damage_taken": "damage_taken",
}


def _frame_rows(timelines: Sequence[DecodedTimeline]) -> pl.DataFrame:
    told = _columns(_Participant, [state for timeline in timelines for state in timeline.found.states])
    positions = _columns(_Position, [each or _NOWHERE for each in told.pop("position")])
    damage = _columns(_Damage, [each or _NO_DAMAGE for each in told.pop("damage_stats")])
    champion = _columns(_Champion, [each or _NO_CHAMPION for each in told.pop("champion_stats")])
    columns: dict[str, Sequence[Any] | np.ndarray] = {
        **{_OF_STATE.get(name, name): values for name, values in told.items()},
        **{_OF_DAMAGE[name]: values for name, values in damage.items()},
        **champion,
        **{f"position_{axis}": values for axis, values in positions.items()},
        "frame_index": _joined([timeline.found.state_frames for timeline in timelines]),
        "timestamp_ms": _joined(
            [np.asarray(timeline.found.timestamps, dtype=np.int64)[timeline.found.state_frames] for timeline in timelines]
        ),
    }
    rows = _of_matches(timelines, [len(timeline.found.states) for timeline in timelines], columns, TimelineFrames)
    return rows.select(TimelineFrames.column_names())
