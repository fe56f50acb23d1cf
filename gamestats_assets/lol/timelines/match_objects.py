"""Decodes one match object of match-v5: the match, its teams, and its participants.

Keys appear and disappear over the years, so all optional ones may be missing or null.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Optional

import msgspec
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.documents import UNREADABLE, Int16, Int32, Int64, Millis
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.timelines.api_keys import api_keys, struct_fields
from gamestats_assets.lol.timelines.tables import RawMatches, RawParticipants, RawTeams

TABLES: tuple[type[Table], ...] = (RawMatches, RawTeams, RawParticipants)
"""Tables fed by a match object."""
_CONTENT_CHARACTERS = 4000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnreadableMatchError(GamestatsError):
    """A document is not a match object, or lacks the id or date of a match."""


@dataclass(frozen=True, slots=True)
class DecodedMatch:
    """One match object, decoded.

    Attributes:
        match_id: id in the document.
        rows: rows of each table of `TABLES`.
        rejections: unreadable participants and teams, by table.
    """

    match_id: str
    rows: dict[type[Table], list[dict[str, Any]]]
    rejections: dict[type[Table], list[Rejection]]


# --------------------------------------------------------------------------- contents of a file


class _Metadata(msgspec.Struct, rename="camel"):
    match_id: str


class _Info(msgspec.Struct, rename="camel"):
    game_duration: Int64
    game_version: str
    queue_id: Int32
    game_creation: Millis | None = None
    game_start_timestamp: Millis | None = None
    game_end_timestamp: Millis | None = None
    platform_id: str | None = None
    map_id: Int32 | None = None
    game_mode: str | None = None
    game_type: str | None = None
    end_of_game_result: str | None = None
    tournament_code: str | None = None
    teams: list[msgspec.Raw] = []
    participants: list[msgspec.Raw] = []


class _Match(msgspec.Struct):
    metadata: _Metadata
    info: _Info


class _Objective(msgspec.Struct):
    first: bool | None = None
    kills: Int32 | None = None


class _Ban(msgspec.Struct, rename="camel"):
    champion_id: Int32


class _Team(msgspec.Struct, rename="camel"):
    team_id: Int16
    win: bool | None = None
    bans: list[_Ban] = []
    objectives: dict[str, _Objective] = {}


_OBJECTIVES = {
    "baron": "baron",
    "champion": "champion",
    "dragon": "dragon",
    "horde": "grub",
    "riftHerald": "herald",
    "atakhan": "atakhan",
    "inhibitor": "inhibitor",
    "tower": "tower",
}
"""Objectives of a team: the API's name and our column."""
_FIRST = {"grub": "first_grubs"}

_AUGMENTS = tuple(f"playerAugment{number}" for number in range(1, 7))


class _Selection(msgspec.Struct):
    perk: Int32 | None = None


class _Style(msgspec.Struct):
    description: str | None = None
    style: Int32 | None = None
    selections: list[_Selection] = []


class _Perks(msgspec.Struct):
    styles: list[_Style] = []


# The key of the name changed when Riot ids were introduced.
_OTHERS: Mapping[str, tuple[str, Any]] = {
    "riot_id_name": ("riotIdName", str | None),
    "riot_id_game_name": ("riotIdGameName", str | None),
    "perks": ("perks", _Perks | None),
    **{name.lower(): (name, Optional[Int32]) for name in _AUGMENTS},  # noqa: UP045
}
"""Sources of columns: field, with the API's key and its type."""
_MADE = ("match_id", "match_date", "riot_id_name", "primary_style_id", "sub_style_id", "keystone_id")
_KEYS = api_keys(RawParticipants, without=_MADE)
_COLUMNS = tuple(_KEYS)
_FIELDS: list[Any] = [
    *struct_fields(RawParticipants, _COLUMNS),
    *((name, kind, None) for name, (_, kind) in _OTHERS.items()),
]
_KEYS |= {name: key for name, (key, _) in _OTHERS.items()}
_Participant = msgspec.defstruct("_Participant", _FIELDS, rename=_KEYS, kw_only=True)
_PASSED_OVER = frozenset(
    """
    allInPings assistMePings baitPings basicPings bountyLevel challenges championSkinId commandPings
    consumablesPurchased damageDealtToBuildings damageDealtToEpicMonsters dangerPings eligibleForProgression
    enemyMissingPings enemyVisionPings getBackPings holdPings inhibitorTakedowns inhibitorsLost killingSprees lane
    largestCriticalStrike magicDamageDealt magicDamageTaken missions needVisionPings nexusKills nexusLost
    nexusTakedowns objectivesStolenAssists onMyWayPings physicalDamageDealt physicalDamageTaken PlayerScore0
    PlayerScore1 PlayerScore2 PlayerScore3 PlayerScore4 PlayerScore5 PlayerScore6 PlayerScore7 PlayerScore8
    PlayerScore9 PlayerScore10 PlayerScore11 positionAssignedByMatchmaking profileIcon pushPings retreatPings role
    roleBoundItem selectedRolePreferences sightWardsBoughtInGame subteamPlacement summoner1Casts summoner2Casts
    summonerId teamEarlySurrendered totalAllyJungleMinionsKilled totalEnemyJungleMinionsKilled totalUnitsHealed
    trueDamageDealt trueDamageTaken turretTakedowns turretsLost unrealKills visionClearedPings
    """.split()  # noqa: SIM905
)
"""Known keys of participants without a column."""
_KNOWN = _PASSED_OVER | frozenset(_KEYS.values())
_passed_over = {f"passed_over_{key}": key for key in sorted(_PASSED_OVER)}
_KnownParticipant = msgspec.defstruct(
    "_KnownParticipant",
    [*_FIELDS, *((name, msgspec.Raw, msgspec.Raw()) for name in _passed_over)],
    rename=_KEYS | _passed_over,
    kw_only=True,
    forbid_unknown_fields=True,
)
"""A participant without unknown keys."""

_MATCH = msgspec.json.Decoder(_Match)
_TEAM = msgspec.json.Decoder(_Team)
_KNOWN_PARTICIPANT = msgspec.json.Decoder(_KnownParticipant)
_PARTICIPANT = msgspec.json.Decoder(_Participant)
_ANY_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])


_IN_COLUMNS = operator.attrgetter(*_COLUMNS)


# --------------------------------------------------------------------------- bytes to rows


def decode_match(content: bytes, match_date: date, content_hash: str) -> DecodedMatch:
    """Returns the contents of a match object.

    Args:
        content: the document, decompressed.
        match_date: day under which the match is filed.
        content_hash: hash of the document.

    Raises:
        UnreadableMatchError: if it is not a match object, or lacks the id or date of a match.
    """
    try:
        document = _MATCH.decode(content)
    except UNREADABLE as error:
        raise UnreadableMatchError(f"Expected a match object of match-v5, with metadata and info: {error}.") from None
    match_id, info = document.metadata.match_id, document.info
    rejections: dict[type[Table], list[Rejection]] = {RawTeams: [], RawParticipants: []}
    teams = [row for raw in info.teams if (row := _team(raw, match_id, rejections[RawTeams]))]
    participants: list[dict[str, Any]] = []
    unknown: set[str] = set()
    for number, raw in enumerate(info.participants, 1):
        try:
            read, others = _read_participant(raw)
            participants.append(_participant(read))
            unknown |= others
        except UNREADABLE as error:
            reason = f"Participant {number}: {error}."
            rejections[RawParticipants].append(_rejection(match_id, "participant_shape", reason, raw))
    winners = [team["team_id"] for team in teams if team["won"]]
    match = {
        "content_hash": content_hash,
        "other_files": 0,
        "platform_id": info.platform_id,
        "game_version": info.game_version,
        "queue_id": info.queue_id,
        "map_id": info.map_id,
        "game_mode": info.game_mode,
        "game_type": info.game_type,
        "tournament_code": info.tournament_code or None,
        "created_at": _at(info.game_creation),
        "started_at": _started_at(info),
        "ended_at": _at(info.game_end_timestamp),
        "game_duration": info.game_duration,
        "end_of_game_result": info.end_of_game_result or None,
        "winning_team_id": winners[0] if len(winners) == 1 else None,
        "participants": len(info.participants),
        "unknown_keys": len(unknown),
    }
    rows: dict[type[Table], list[dict[str, Any]]] = {
        table: [{"match_id": match_id, "match_date": match_date, **row} for row in rows]
        for table, rows in ((RawMatches, [match]), (RawTeams, teams), (RawParticipants, participants))
    }
    return DecodedMatch(match_id, rows, {table: each for table, each in rejections.items() if each})


def rows_of(matches: Sequence[DecodedMatch]) -> dict[type[Table], pl.DataFrame]:
    """Returns the rows of all tables of `TABLES` for many matches."""
    return {
        table: pl.DataFrame([row for match in matches for row in match.rows[table]], schema=table.schema())
        for table in TABLES
    }


def _started_at(info: _Info) -> datetime:
    # A game that was aborted before it began has only an end; its other times are 0.
    at = _at(info.game_start_timestamp or info.game_creation or info.game_end_timestamp)
    if at is None:
        raise UnreadableMatchError("Expected gameStartTimestamp, gameCreation or gameEndTimestamp, found none.")
    return at


def _at(millis: int | None) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=millis) if millis else None


def _team(raw: msgspec.Raw, match_id: str, rejected: list[Rejection]) -> dict[str, Any] | None:
    try:
        team = _TEAM.decode(raw)
    except UNREADABLE as error:
        rejected.append(_rejection(match_id, "team_shape", f"A team: {error}.", raw))
        return None
    objectives = {ours: team.objectives.get(theirs, _Objective()) for theirs, ours in _OBJECTIVES.items()}
    return {
        "team_id": team.team_id,
        "won": team.win,
        "banned_champion_ids": [ban.champion_id for ban in team.bans],
        **{f"{name}s": objective.kills for name, objective in objectives.items()},
        **{
            _FIRST.get(name, f"first_{name}"): objective.first
            for name, objective in objectives.items()
            if name != "atakhan"
        },
    }


def _read_participant(raw: msgspec.Raw) -> tuple[Any, Set[str]]:
    """Returns a participant and its unknown keys; finding these takes as long as reading it."""
    try:
        return _KNOWN_PARTICIPANT.decode(raw), frozenset()
    except UNREADABLE:
        return _PARTICIPANT.decode(raw), _ANY_KEYS.decode(raw).keys() - _KNOWN


def _participant(read: Any) -> dict[str, Any]:
    row = dict(zip(_COLUMNS, _IN_COLUMNS(read), strict=True))
    styles = {style.description: style for style in (read.perks.styles if read.perks is not None else ())}
    primary, sub = (styles.get(name, _Style()) for name in ("primaryStyle", "subStyle"))
    return {
        **row,
        "riot_id_name": read.riot_id_game_name or read.riot_id_name,
        "primary_style_id": primary.style,
        "sub_style_id": sub.style,
        "keystone_id": primary.selections[0].perk if primary.selections else None,
        "augment_ids": [augment for name in _AUGMENTS if (augment := getattr(read, name.lower()))],
    }


def _rejection(match_id: str, rule: str, reason: str, raw: msgspec.Raw) -> Rejection:
    return Rejection(match_id, "row", rule, reason, 1, bytes(raw).decode(errors="replace")[:_CONTENT_CHARACTERS])
