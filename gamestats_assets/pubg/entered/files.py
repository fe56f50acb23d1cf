"""CSV files of rosters with their teams, of schedules, and of tracked players; see `lakehouse.entry_files`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gamestats_assets.lakehouse.entry_fields import DAY, Field
from gamestats_assets.lakehouse.entry_files import Column, Takes
from gamestats_assets.pubg.entered.people import ACCOUNT, PLAYER, Matches, Seen
from gamestats_assets.pubg.entered.players import TRACKED_PLAYER
from gamestats_assets.pubg.entered.schedule import OF_MATCH, OF_ROUND, SLOT
from gamestats_assets.pubg.entered.teams import OF_DIVISION, OF_GROUP, OF_SEASON, OF_TEAM, ROSTER_ENTRY, TEAM

_TEAM, _ENTRY, _SLOT, _TRACKED = (
    {field.name: field for field in (*thing.beside, *thing.fields)}
    for thing in (TEAM, ROSTER_ENTRY, SLOT, TRACKED_PLAYER)
)
_SEASON = replace(OF_SEASON, required=["add"], positional=True)
_ACCOUNT = Column(ACCOUNT, "account of the name, where known for certain; else matches tell it")
_PLAYER = Column(PLAYER, "in-game name with its capitals, or account id", required=True)


class _LookedUp(Matches):
    """What is known of the players of a file, looked up once."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def players(self, names: Collection[str]) -> Seen:
        return self.seen


def _look_up(known: Matches, rows: Sequence[Mapping[str, Any]]) -> Matches:
    return _LookedUp(known.players([given["player"] for given in rows if "player" in given]))


ROSTER_FILE = Takes(
    (TEAM, ROSTER_ENTRY),
    (
        Column(OF_DIVISION, "its name", required=True),
        Column(_TEAM["group"], "the team's group; empty where the division has none"),
        Column(OF_TEAM, "its name; made when there is none of that name", required=True),
        Column(_TEAM["tag"], "short form before players' names"),
        _PLAYER,
        _ACCOUNT,
        Column(_ENTRY["role"], "player, substitute or stand_in; player when empty"),
        Column(
            _ENTRY["valid_from"],
            "first day, 2026-10-03; --valid-from when empty",
            required=True,
            instead="write the first day, or give one for all with --valid-from",
        ),
        Column(_ENTRY["valid_until"], "last day; empty while it goes on"),
    ),
    asked=(_SEASON, Field("valid_from", "First day of rows that give none.", DAY)),
    look_up=_look_up,
)
SCHEDULE_FILE = Takes(
    (SLOT,),
    (
        Column(OF_DIVISION, "its name", required=True),
        Column(OF_GROUP, "its name, where the round is one of a group"),
        Column(OF_ROUND, "number of the round", required=True),
        Column(OF_MATCH, "number within the round", required=True),
        Column(
            _SLOT["scheduled_at"], "start, 2026-10-03 18:00, or with an offset, 2026-10-03 18:00+02:00", required=True
        ),
        Column(_SLOT["time_zone"], "zone of the time, Europe/Berlin; the season's when empty"),
        Column(_SLOT["map_name"], "in words, Erangel, or by id; empty or any when any will do"),
        Column(_SLOT["status"], "scheduled, active, completed or cancelled; scheduled when empty"),
        Column(_SLOT["original_match_id"], "of a remake: id of the match that failed"),
        Column(_SLOT["remake_reason"], "of a remake: why it is played again; needed with original_match_id"),
    ),
    asked=(_SEASON,),
)
PLAYER_FILE = Takes(
    (TRACKED_PLAYER,),
    (
        _PLAYER,
        _ACCOUNT,
        Column(_TRACKED["shard"], "platform; steam when empty"),
        Column(_TRACKED["backfill_days"], "days of history to take up; 180 when empty"),
        Column(_TRACKED["is_active"], "yes or no; yes when empty"),
    ),
    look_up=_look_up,
)
