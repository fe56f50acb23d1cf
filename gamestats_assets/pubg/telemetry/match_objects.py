"""Decodes one match object of the API: one row per match and one row per participant.

Match objects are JSON:API documents: `data` is the match, `included` lists participants, rosters and assets. Keys
appear and disappear over the years, so all optional ones may be missing or null, and whole numbers may be written as
3.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.documents import LAST_YEAR, UNREADABLE
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.telemetry.tables import RawMatches, RawParticipants

_CONTENT_CHARACTERS = 4000


class UnreadableMatchError(GamestatsError):
    """A document is not a match object, or lacks the id or date of a match."""


class _UnexpectedValueError(GamestatsError):
    """A value has another type than its key should have."""


@dataclass(frozen=True, slots=True)
class DecodedMatch:
    """One match object, decoded.

    Attributes:
        match_id: id in the document.
        frames: `RawMatches` with one row, `RawParticipants` with one row per participant.
        rejections: unreadable participants and rosters, by table.
    """

    match_id: str
    frames: dict[type[Table], pl.DataFrame]
    rejections: dict[type[Table], list[Rejection]]


# --------------------------------------------------------------------------- values


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _UnexpectedValueError(f"expected text, found {value!r:.80}")


def _number(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with suppress(OverflowError):  # a whole number of hundreds of digits
            if math.isfinite(number := float(value)):
                return number
    raise _UnexpectedValueError(f"expected a number, found {value!r:.80}")


def _whole(bits: int) -> Callable[[object], int]:
    limit = 2 ** (bits - 1)

    def whole(value: object) -> int:
        number = _number(value)
        if number.is_integer() and -limit <= number < limit:
            return int(number)
        raise _UnexpectedValueError(f"expected a whole number of {bits} bits, found {value!r:.80}")

    return whole


_int16, _int32 = _whole(16), _whole(32)


def _seconds(value: object) -> int:
    return _int32(round(_number(value)))


def _flag(value: object) -> bool:
    """Returns a truth value; rosters write theirs as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _UnexpectedValueError(f"expected true or false, found {value!r:.80}")


def _instant(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(_text(value))
        # The API writes UTC, which is assumed for times without a zone.
        instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _UnexpectedValueError(f"expected a time, found {value!r:.80}") from None
    if instant.year > LAST_YEAR:
        raise _UnexpectedValueError(f"expected a time up to the year {LAST_YEAR}, found {value!r:.80}")
    return instant


def _object(value: object) -> Mapping[str, Any]:
    """Returns an object; null and absent ones become empty."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise _UnexpectedValueError(f"expected an object, found {value!r:.80}")


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise _UnexpectedValueError(f"expected a list, found {value!r:.80}")


_Reading = tuple[str, Callable[[object], Any]]

_STATISTICS: dict[str, _Reading] = {
    "DBNOs": ("dbnos", _int32),
    "assists": ("assists", _int32),
    "boosts": ("boosts", _int32),
    "damageDealt": ("damage_dealt", _number),
    "deathType": ("death_type", _text),
    "headshotKills": ("headshot_kills", _int32),
    "heals": ("heals", _int32),
    "killPlace": ("kill_place", _int16),
    "killStreaks": ("kill_streaks", _int32),
    "kills": ("kills", _int32),
    "longestKill": ("longest_kill_m", _number),
    "name": ("player_name", _text),
    "playerId": ("account_id", _text),
    "revives": ("revives", _int32),
    "rideDistance": ("ride_distance_m", _number),
    "roadKills": ("road_kills", _int32),
    "swimDistance": ("swim_distance_m", _number),
    "teamKills": ("team_kills", _int32),
    "timeSurvived": ("time_survived_s", _number),
    "vehicleDestroys": ("vehicle_destroys", _int32),
    "walkDistance": ("walk_distance_m", _number),
    "weaponsAcquired": ("weapons_acquired", _int32),
    "winPlace": ("win_place", _int16),
}
_ROSTER_STATISTICS: dict[str, _Reading] = {"teamId": ("team_id", _int32), "rank": ("roster_rank", _int16)}
_ROSTER_ATTRIBUTES: dict[str, _Reading] = {"won": ("won", _flag)}
_MATCH_ATTRIBUTES: dict[str, _Reading] = {
    "createdAt": ("created_at", _instant),
    "duration": ("duration_s", _seconds),
    "gameMode": ("game_mode", _text),
    "matchType": ("match_type", _text),
    "mapName": ("map_id", _text),
    "isCustomMatch": ("is_custom_match", _flag),
    "seasonState": ("season_state", _text),
    "shardId": ("shard_id", _text),
    "titleId": ("title_id", _text),
}


def _row(values: Mapping[str, Any], readings: Mapping[str, _Reading]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, (column, read) in readings.items():
        value = values.get(key)
        try:
            row[column] = None if value is None else read(value)
        except _UnexpectedValueError as error:
            raise _UnexpectedValueError(f"{key}: {error}") from None
    return row


# --------------------------------------------------------------------------- records


def _rosters(records: Iterable[object], match_id: str, rejections: list[Rejection]) -> dict[str, dict[str, Any]]:
    """Returns the columns from its roster, by participant id."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        try:
            roster = _object(record)
            attributes = _object(roster.get("attributes"))
            columns = {
                "roster_id": _text(roster.get("id")),
                **_row(_object(attributes.get("stats")), _ROSTER_STATISTICS),
                **_row(attributes, _ROSTER_ATTRIBUTES),
            }
            members = _object(_object(roster.get("relationships")).get("participants")).get("data")
            for member in _list(members):
                found[_text(_object(member).get("id"))] = columns
        except _UnexpectedValueError as error:
            # Its participants stay, but without the roster's columns.
            reason = f"A roster could not be read: {error}."
            rejections.append(Rejection(match_id, "row", "roster_shape", reason, 0, _excerpt(record)))
    return found


def _participant(record: object, rosters: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], set[str]]:
    """Returns the columns of one participant, and the statistics keys without a column."""
    participant = _object(record)
    participant_id = _text(participant.get("id"))
    statistics = _object(_object(participant.get("attributes")).get("stats"))
    row = {"participant_id": participant_id, **rosters.get(participant_id, {}), **_row(statistics, _STATISTICS)}
    for column in ("account_id", "player_name"):
        if row[column] is None:
            raise _UnexpectedValueError(f"{column}: expected text, found nothing")
    return row, statistics.keys() - _STATISTICS.keys()


def _telemetry_asset(records: Iterable[object]) -> dict[str, Any]:
    """Returns address and time of upload of the telemetry: from the asset of that name, or any asset with an
    address."""
    found: dict[bool, dict[str, Any]] = {}
    for record in records:
        attributes = record.get("attributes") if isinstance(record, dict) else None
        if isinstance(attributes, dict) and isinstance(url := attributes.get("URL"), str) and url:
            try:
                uploaded = _instant(attributes.get("createdAt"))
            except _UnexpectedValueError:
                uploaded = None
            asset = {"telemetry_url": url, "telemetry_created_at": uploaded}
            found.setdefault(attributes.get("name") == "telemetry", asset)
    return found.get(True) or found.get(False) or {}


def _excerpt(record: object) -> str:
    return msgspec.json.encode(record).decode()[:_CONTENT_CHARACTERS]


def _beyond_tolerance(match_id: str, bad: list[Rejection], total: int) -> Rejection:
    lost = sum(rejection.rejected_rows for rejection in bad)
    examples = "\n".join((rejection.content or "")[: _CONTENT_CHARACTERS // 5 - 2] for rejection in bad[:5])
    reason = (
        f"{lost} of {total} participants could not be read, more than {RawParticipants.spec.tolerance:.0%}. "
        f"First: {bad[0].reason}"
    )
    return Rejection(match_id, "unit", bad[0].rule, reason, total, examples)


def _parsed(content: bytes) -> tuple[Mapping[str, Any], list[Any]]:
    """Returns the match and the included records of a document."""
    try:
        document = _object(msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf")))
        return _object(document.get("data")), _list(document.get("included"))
    except UNREADABLE as error:
        raise UnreadableMatchError(f"Expected a match object, found no JSON: {error}. Fetch the file again.") from None
    except _UnexpectedValueError as error:
        raise UnreadableMatchError(f"Expected a match object with data and included: {error}.") from None


def decode_match(content: bytes, match_date: date, content_hash: str) -> DecodedMatch:
    """Decodes the decompressed content of one match object.

    An unreadable participant becomes a rejection; beyond the table's tolerance all participants of the match do.

    Args:
        match_date: day under which the match is filed.
        content_hash: hash of the landed document.

    Raises:
        UnreadableMatchError: if the document is no match object, or has no id or no createdAt.
    """
    match, included = _parsed(content)
    if match.get("type") != "match":
        raise UnreadableMatchError(f"Expected a document of type match, found {match.get('type')!r:.80}.")
    try:
        match_id = _text(match.get("id"))
        attributes = _row(_object(match.get("attributes")), _MATCH_ATTRIBUTES)
    except _UnexpectedValueError as error:
        raise UnreadableMatchError(f"The match object cannot be read: {error}.") from None
    created_at = attributes["created_at"]
    if not match_id or created_at is None:
        raise UnreadableMatchError(f"Expected an id and a createdAt, found {match_id!r} and {created_at}.")

    records: dict[str, list[Any]] = {"participant": [], "roster": [], "asset": []}
    for record in included:
        kind = record.get("type") if isinstance(record, dict) else None
        if isinstance(kind, str) and kind in records:
            records[kind].append(record)

    odd_rosters: list[Rejection] = []
    rosters = _rosters(records["roster"], match_id, odd_rosters)
    rows: list[dict[str, Any]] = []
    bad: list[Rejection] = []
    unknown: set[str] = set()
    for record in records["participant"]:
        try:
            row, unknown_keys = _participant(record, rosters)
        except _UnexpectedValueError as error:
            reason = f"A participant could not be read: {error}."
            bad.append(Rejection(match_id, "row", "participant_shape", reason, 1, _excerpt(record)))
        else:
            rows.append({"match_id": match_id, "match_date": match_date, **row})
            unknown |= unknown_keys
    total = len(records["participant"])
    if len(bad) > RawParticipants.spec.tolerance * total:
        rows, bad = [], [_beyond_tolerance(match_id, bad, total)]
    rejected = [*odd_rosters, *bad]
    summary = {
        "match_id": match_id,
        "match_date": match_date,
        "content_hash": content_hash,
        **attributes,
        **_telemetry_asset(records["asset"]),
        "other_files": 0,
        "participants": total,
        "rosters": len(records["roster"]),
        "unknown_stat_keys": len(unknown),
    }
    return DecodedMatch(
        match_id,
        {
            RawMatches: pl.DataFrame([summary], schema=RawMatches.schema()),
            RawParticipants: pl.DataFrame(rows, schema=RawParticipants.schema()),
        },
        {RawParticipants: rejected} if rejected else {},
    )
