"""CSV files of rosters with their teams, and of schedules; see `lakehouse.entries.csv_files`."""

from __future__ import annotations

from dataclasses import replace

from gamestats_assets.lakehouse.entries.csv_files import Column, Takes
from gamestats_assets.lakehouse.entries.fields import DAY, Field
from gamestats_assets.pubg.players.entered.files import ACCOUNT_COLUMN, PLAYER_COLUMN, look_up
from gamestats_assets.pubg.tournament.entered.schedule import OF_MATCH, OF_ROUND, SLOT
from gamestats_assets.pubg.tournament.entered.teams import OF_DIVISION, OF_GROUP, OF_SEASON, OF_TEAM, ROSTER_ENTRY, TEAM

_TEAM, _ENTRY, _SLOT = (
    {field.name: field for field in (*thing.beside, *thing.fields)} for thing in (TEAM, ROSTER_ENTRY, SLOT)
)
_SEASON = replace(OF_SEASON, required=["add"], positional=True)


ROSTER_FILE = Takes(
    (TEAM, ROSTER_ENTRY),
    (
        Column(OF_DIVISION, "its name", required=True),
        Column(_TEAM["group"], "the team's group; empty if the division has none"),
        Column(OF_TEAM, "its name; a new name adds a team", required=True),
        Column(_TEAM["tag"], "short form before players' names"),
        PLAYER_COLUMN,
        ACCOUNT_COLUMN,
        Column(_ENTRY["role"], "player, substitute or stand_in; player when empty"),
        Column(
            _ENTRY["valid_from"],
            "first day, 2026-10-03; --valid-from when empty",
            required=True,
            instead="write the first day, or give one for all with --valid-from",
        ),
        Column(_ENTRY["valid_until"], "last day; empty for an open end"),
    ),
    asked=(_SEASON, Field("valid_from", "First day of rows without one.", DAY)),
    look_up=look_up,
)
SCHEDULE_FILE = Takes(
    (SLOT,),
    (
        Column(OF_DIVISION, "its name", required=True),
        Column(OF_GROUP, "its name, if the round belongs to a group"),
        Column(OF_ROUND, "number of the round", required=True),
        Column(OF_MATCH, "number within the round", required=True),
        Column(
            _SLOT["scheduled_at"], "start, 2026-10-03 18:00, or with an offset, 2026-10-03 18:00+02:00", required=True
        ),
        Column(_SLOT["time_zone"], "zone of the time, Europe/Berlin; the season's when empty"),
        Column(_SLOT["map_name"], "in words, Erangel, or by id; empty or any for any map"),
        Column(_SLOT["status"], "scheduled, active, completed or cancelled; scheduled when empty"),
        Column(_SLOT["original_match_id"], "id of the failed match, if this is a remake"),
        Column(_SLOT["remake_reason"], "reason for the remake; required with original_match_id"),
    ),
    asked=(_SEASON,),
)
