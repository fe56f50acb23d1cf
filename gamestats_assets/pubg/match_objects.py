"""One match object of the API (JSON:API) to a row of `RawMatches` and rows of `RawParticipants`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t

STATISTICS: dict[str, str] = {
    "DBNOs": "dbnos",
    "assists": "assists",
    "boosts": "boosts",
    "damageDealt": "damage_dealt",
    "deathType": "death_type",
    "headshotKills": "headshot_kills",
    "heals": "heals",
    "killPlace": "kill_place",
    "killStreaks": "kill_streaks",
    "kills": "kills",
    "longestKill": "longest_kill_m",
    "revives": "revives",
    "rideDistance": "ride_distance_m",
    "roadKills": "road_kills",
    "swimDistance": "swim_distance_m",
    "teamKills": "team_kills",
    "timeSurvived": "time_survived_s",
    "vehicleDestroys": "vehicle_destroys",
    "walkDistance": "walk_distance_m",
    "weaponsAcquired": "weapons_acquired",
    "winPlace": "placement",
}
"""Key of a participant's statistics to column; `name` and `playerId` stand beside them."""

_KNOWN_KEYS = frozenset({*STATISTICS, "name", "playerId"})


class UnreadableMatchError(GamestatsError):
    """A content is no match object, or lacks what identifies a match."""


class _Resource(msgspec.Struct):
    type: str
    id: str
    attributes: dict[str, Any] = {}
    relationships: dict[str, Any] | None = None


class _Document(msgspec.Struct):
    data: _Resource
    included: list[_Resource] = []


@dataclass
class DecodedMatch:
    """One match object as rows; rejected participants are in `rejections`."""

    match: pl.DataFrame
    participants: pl.DataFrame
    rejections: dict[type[Table], list[Rejection]] = field(default_factory=dict)


def decode_match(content: bytes, match_id: str, match_date: date, content_hash: str) -> DecodedMatch:
    """Rows of one match object (decompressed).

    Raises:
        UnreadableMatchError: when the content is no match object or has no readable createdAt.
    """
    try:
        document = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableMatchError(f"Expected a match object (JSON:API): {error}.") from None
    if document.data.type != "match":
        raise UnreadableMatchError(f"Expected a match object, found a resource of type {document.data.type!r}.")
    attributes = document.data.attributes
    created_at = _time(attributes.get("createdAt"))
    if created_at is None:
        raise UnreadableMatchError(f"The match object has no readable createdAt: {attributes.get('createdAt')!r}.")
    rosters = _rosters(document)
    rows: list[dict[str, Any]] = []
    rejections: list[Rejection] = []
    unknown: set[str] = set()
    for resource in document.included:
        if resource.type != "participant":
            continue
        try:
            stats = _object(resource.attributes.get("stats"), "stats")
            unknown |= stats.keys() - _KNOWN_KEYS
            rows.append({"participant_id": resource.id, **_participant(stats), **rosters.get(resource.id, {})})
        except UnreadableMatchError as error:
            reason = f"Participant {resource.id} cannot be read: {error}"
            raw = msgspec.json.encode(resource).decode()[:4000]
            rejections.append(Rejection(match_id, "row", "participant_readable", reason, 1, raw))
    url, stored_at = _telemetry_asset(document)
    match = {
        "content_hash": content_hash,
        "created_at": created_at,
        "duration_s": _whole(attributes.get("duration")),
        "game_mode": _text(attributes.get("gameMode")),
        "match_type": _text(attributes.get("matchType")),
        "map_id": _text(attributes.get("mapName")),
        "is_custom_match": _flag(attributes.get("isCustomMatch")),
        "season_state": _text(attributes.get("seasonState")),
        "shard_id": _text(attributes.get("shardId")),
        "title_id": _text(attributes.get("titleId")),
        "telemetry_url": url,
        "telemetry_created_at": stored_at,
        "participants": len(rows),
        "rosters": sum(resource.type == "roster" for resource in document.included),
        "unknown_stat_keys": len(unknown),
    }
    return DecodedMatch(
        _frame(t.RawMatches, [match], match_id, match_date),
        _frame(t.RawParticipants, rows, match_id, match_date),
        {t.RawParticipants: rejections} if rejections else {},
    )


def _frame(table: type[Table], rows: list[dict[str, Any]], match_id: str, match_date: date) -> pl.DataFrame:
    identified = [{"match_id": match_id, "match_date": match_date, **row} for row in rows]
    return pl.DataFrame(identified, schema=table.schema())


def _participant(stats: dict[str, Any]) -> dict[str, Any]:
    account, name = stats.get("playerId"), stats.get("name")
    if not isinstance(account, str) or not account:
        raise UnreadableMatchError(f"expected playerId to be an account id, found {account!r}.")
    row: dict[str, Any] = {"account_id": account, "player_name": name if isinstance(name, str) else account}
    schema = t.RawParticipants.schema()
    for key, column in STATISTICS.items():
        value = stats.get(key)
        if value is None:
            row[column] = None
        elif schema[column] == pl.String:
            row[column] = _expect(_text(value), key, value, "a text")
        elif schema[column].is_float():
            row[column] = _expect(_number(value), key, value, "a number")
        else:
            row[column] = _expect(_whole(value), key, value, "a whole number")
    return row


def _expect(read: Any, key: str, value: object, what: str) -> Any:
    if read is None:
        raise UnreadableMatchError(f"expected {key} to be {what}, found {value!r}.")
    return read


def _rosters(document: _Document) -> dict[str, dict[str, Any]]:
    """Participant id to its roster's id, team, rank and result."""
    found: dict[str, dict[str, Any]] = {}
    for resource in document.included:
        if resource.type != "roster":
            continue
        stats = resource.attributes.get("stats")
        stats = stats if isinstance(stats, dict) else {}
        won = resource.attributes.get("won")
        roster = {
            "roster_id": resource.id,
            "team_id": _whole(stats.get("teamId")),
            "roster_rank": _whole(stats.get("rank")),
            # The API writes the text "true" or "false".
            "won": won if isinstance(won, bool) else {"true": True, "false": False}.get(str(won).lower()),
        }
        members = ((resource.relationships or {}).get("participants") or {}).get("data") or ()
        found |= {member["id"]: roster for member in members if isinstance(member, dict) and "id" in member}
    return found


def _telemetry_asset(document: _Document) -> tuple[str | None, datetime | None]:
    for resource in document.included:
        if resource.type == "asset" and resource.attributes.get("name") == "telemetry":
            return _text(resource.attributes.get("URL")), _time(resource.attributes.get("createdAt"))
    return None, None


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableMatchError(f"expected {name} to be an object, found {value!r}.")
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**31 else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
