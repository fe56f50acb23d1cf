"""CSV files of rosters with their teams, of schedules, and of tracked players; see `lakehouse.entry_files`."""

from __future__ import annotations

import functools
from collections.abc import Collection
from datetime import date
from typing import Any

import psycopg

from gamestats_assets.lakehouse.entries import Entered
from gamestats_assets.lakehouse.entry_fields import Field
from gamestats_assets.lakehouse.entry_files import (
    Cells,
    Column,
    CsvFile,
    Import,
    Mistake,
    Write,
    in_any_order,
    read,
    whole_or_nothing,
)
from gamestats_assets.lakehouse.ops import Row
from gamestats_assets.pubg.entered.people import ACCOUNT, PLAYER, Matches, Player, Seen, player_of
from gamestats_assets.pubg.entered.players import SHARD, TRACKED_PLAYER
from gamestats_assets.pubg.entered.schedule import OF_MATCH, OF_ROUND, ROUND, SLOT, moment_of
from gamestats_assets.pubg.entered.teams import (
    OF_DIVISION,
    OF_GROUP,
    OF_TEAM,
    ROSTER_ENTRY,
    SEASON,
    TEAM,
    zone_of,
    zone_of_season,
)

_TEAM, _ENTRY, _SLOT, _TRACKED = (
    {field.name: field for field in (*thing.beside, *thing.fields)}
    for thing in (TEAM, ROSTER_ENTRY, SLOT, TRACKED_PLAYER)
)
_ACCOUNT = Column(ACCOUNT, "account of the name, where known for certain; else matches tell it")
_PLAYER = Column(PLAYER, "in-game name with its capitals, or account id", required=True)
ROSTER_COLUMNS = (
    Column(OF_DIVISION, "its name", required=True),
    Column(_TEAM["group"], "the team's group; empty where the division has none"),
    Column(OF_TEAM, "its name; made when there is none of that name", required=True),
    Column(_TEAM["tag"], "short form before players' names"),
    _PLAYER,
    _ACCOUNT,
    Column(_ENTRY["role"], "player, substitute or stand_in; player when empty"),
    Column(_ENTRY["valid_from"], "first day, 2026-10-03; --valid-from when empty"),
    Column(_ENTRY["valid_until"], "last day; empty while it goes on"),
)
SCHEDULE_COLUMNS = (
    Column(OF_DIVISION, "its name", required=True),
    Column(OF_GROUP, "its name, where the round is one of a group"),
    Column(OF_ROUND, "number of the round", required=True),
    Column(OF_MATCH, "number within the round", required=True),
    Column(_SLOT["scheduled_at"], "start, 2026-10-03 18:00, or with an offset, 2026-10-03 18:00+02:00", required=True),
    Column(_SLOT["time_zone"], "zone of the time, Europe/Berlin; the season's when empty"),
    Column(_SLOT["map_name"], "in words, Erangel, or by id; empty or any when any will do"),
    Column(_SLOT["status"], "scheduled, active, completed or cancelled; scheduled when empty"),
    Column(_SLOT["original_match_id"], "of a remake: id of the match that failed"),
    Column(_SLOT["remake_reason"], "of a remake: why it is played again; needed with original_match_id"),
)
PLAYER_COLUMNS = (
    _PLAYER,
    _ACCOUNT,
    Column(Field("shard", "Platform."), "platform; steam when empty"),
    Column(_TRACKED["backfill_days"], "days of history to take up; 180 when empty"),
    Column(_TRACKED["is_active"], "yes or no; yes when empty"),
)


class _LookedUp(Matches):
    """What is known of the players of a file, looked up once."""

    def __init__(self, known: Matches, rows: list[Cells]) -> None:
        self.seen = known.players([cells.values["player"] for cells in rows if cells.values.get("player")])

    def players(self, names: Collection[str]) -> Seen:
        return self.seen


def import_rosters(
    conn: psycopg.Connection,
    season: str,
    file: CsvFile,
    *,
    valid_from: date | None = None,
    known: Matches | None = None,
    dry_run: bool = False,
) -> Import:
    """Take teams and their rosters from a CSV file with the columns `ROSTER_COLUMNS`.

    Divisions and groups must be there; teams are made. Players are recognised by account or
    name and their first day. The order of the rows does not matter.

    Args:
        valid_from: first day of the rows that give none.
        known: where accounts of names are looked up.
        dry_run: find the mistakes and tell what would be done, and do nothing.

    Raises:
        ImportRefusedError: when there is a mistake; it lists all of them.
        UnknownNameError: when there is no such season.
    """
    SEASON.find(conn, season)
    mistakes: list[Mistake] = []
    entered: list[Entered] = []
    with whole_or_nothing(conn, file, mistakes, dry_run=dry_run):
        rows = read(file, ROSTER_COLUMNS, mistakes)
        looked_up = _LookedUp(known or ROSTER_ENTRY.knows, rows)
        teams, people = _Teams(conn, season), dict[Any, int]()
        writes: list[Write] = []
        for cells in rows:
            division, name, player = (cells.value(column) for column in ("division", "team", "player"))
            fields = cells.fields("role", "valid_from", "valid_until")
            if cells.text("valid_from") is None:
                fields["valid_from"] = valid_from
                if valid_from is None:
                    cells.wrong("valid_from", "is empty; write the first day, or give one for all with --valid-from.")
            team = recognised = None
            if division and name:
                with cells.entering("team", name="team"):
                    team = teams.row_of(cells, division, name, entered)
            if player:
                with cells.entering("player"):
                    recognised = player_of(player, cells.text("account_id"), looked_up.seen)
            if team is None or recognised is None or not cells.are_right:
                continue
            first = fields["valid_from"]
            person = (team["team_id"], recognised.account_id or recognised.name.casefold(), first)
            if cells.refuse_second(people, person, "player", f"{recognised.name} from {first}"):
                write = functools.partial(_on_roster, conn, team, player, recognised, fields, looked_up)
                writes.append((cells, write))
        entered += in_any_order(writes, "player", player_name="player")
    return Import(len(rows), tuple(entered))


class _Teams:
    """The teams that a file names, each created or changed at its first row."""

    def __init__(self, conn: psycopg.Connection, season: str) -> None:
        self._conn, self._season = conn, season
        self._rows: dict[tuple[str, str], Row] = {}
        self._said: dict[tuple[str, str, str], tuple[str, int]] = {}

    def row_of(self, cells: Cells, division: str, name: str, entered: list[Entered]) -> Row | None:
        """The team of a row; what the row says of the team must be what rows before said."""
        key = (division.casefold(), name.casefold())
        for column in ("group", "tag"):
            text = cells.text(column)
            said, row = self._said.setdefault((*key, column), (text, cells.row)) if text else (None, 0)
            if said != text:
                cells.wrong(column, f"{text!r} is not what row {row} says of {name}: {said!r}.")
                return None
        given = cells.fields("group", "tag")
        if key not in self._rows or given:
            done = TEAM.take(self._conn, self._season, division, name, **given)
            if key not in self._rows or done.outcome == "changed":
                entered.append(done)
            self._rows[key] = TEAM.find(self._conn, self._season, name, division=division)
        return self._rows[key]


def _on_roster(
    conn: psycopg.Connection, team: Row, name: str, player: Player, fields: dict[str, Any], known: Matches
) -> Entered:
    account = {} if player.account_id is None else {"account_id": player.account_id}
    where = (conn, team["season"], team["team_name"])
    same = [row for row in ROSTER_ENTRY.of_player(conn, team, player) if row["valid_from"] == fields["valid_from"]]
    if not same:
        return ROSTER_ENTRY.add(*where, name, division=team["division"], known=known, **account, **fields)
    return ROSTER_ENTRY.change_row(conn, same[0], **account, **fields)


def import_schedule(
    conn: psycopg.Connection, season: str, file: CsvFile, *, known: Matches | None = None, dry_run: bool = False
) -> Import:
    """Take slots from a CSV file with the columns `SCHEDULE_COLUMNS`; the rounds must be there.

    A time outside the round's days is refused, unless the slot has it already: a file cannot postpone a match.

    Args:
        known: tells whether there is a match that a remake names as failed.
        dry_run: find the mistakes and tell what would be done, and do nothing.

    Raises:
        ImportRefusedError: when there is a mistake; it lists all of them.
        EntryError: when there is no such season, or its time zone is none.
    """
    of_season = zone_of_season(SEASON.find(conn, season))
    mistakes: list[Mistake] = []
    entered: list[Entered] = []
    slots, rounds = dict[Any, int](), dict[int, Row]()
    notes: list[str] = []
    with whole_or_nothing(conn, file, mistakes, dry_run=dry_run):
        rows = read(file, SCHEDULE_COLUMNS, mistakes)
        for cells in rows:
            division, number, match = (cells.value(column) for column in ("division", "round", "match"))
            group, zone = cells.value("group"), cells.value("time_zone")
            written = cells.value("scheduled_at")
            fields = cells.fields("map", "status", "original_match_id", "remake_reason")
            if written and (zone or cells.text("time_zone") is None):
                with cells.entering(None):
                    moment_of(written, zone_of(zone) if zone else of_season)
            round_row = None
            if division and number is not None:
                with cells.entering("round"):
                    round_row = ROUND.find(conn, season, division, number, group=group)
            if round_row is None or match is None or not cells.are_right:
                continue
            slot, told = (round_row["round_id"], match), f"match {match} of {round_row['round_name']}"
            if not cells.refuse_second(slots, slot, "match", told):
                continue
            rounds[round_row["round_id"]] = round_row
            with cells.entering(""):
                where, at = (conn, season, division, number, match), {"scheduled_at": written, "time_zone": zone}
                entered.append(SLOT.take(*where, group=group, known=known, **at, **fields))
        for round_row in rounds.values():
            notes += SLOT.at_the_same_time(conn, round_row)
    return Import(len(rows), tuple(entered), tuple(notes))


def import_players(
    conn: psycopg.Connection, file: CsvFile, *, known: Matches | None = None, dry_run: bool = False
) -> Import:
    """Take tracked players from a CSV file with the columns `PLAYER_COLUMNS`.

    Args:
        known: where accounts of names are looked up.
        dry_run: find the mistakes and tell what would be done, and do nothing.

    Raises:
        ImportRefusedError: when there is a mistake; it lists all of them.
    """
    mistakes: list[Mistake] = []
    entered: list[Entered] = []
    people = dict[Any, int]()
    with whole_or_nothing(conn, file, mistakes, dry_run=dry_run):
        rows = read(file, PLAYER_COLUMNS, mistakes)
        looked_up = _LookedUp(known or TRACKED_PLAYER.knows, rows)
        for cells in rows:
            player, shard = cells.value("player"), cells.value("shard") or SHARD
            fields, recognised = cells.fields("backfill_days", "active"), None
            if player:
                with cells.entering("player"):
                    recognised = player_of(player, cells.text("account_id"), looked_up.seen)
            if recognised is None or not cells.are_right:
                continue
            person = (recognised.account_id or recognised.name, shard)
            if not cells.refuse_second(people, person, "player", recognised.name):
                continue
            if recognised.account_id is not None:
                fields["account_id"] = recognised.account_id
            with cells.entering("player", is_active="active", player_name="player"):
                row = TRACKED_PLAYER.of_player(conn, recognised, shard)
                entered.append(
                    TRACKED_PLAYER.add(conn, player, shard=shard, known=looked_up, **fields)
                    if row is None
                    else TRACKED_PLAYER.change_row(conn, row, **fields)
                )
    return Import(len(rows), tuple(entered))
