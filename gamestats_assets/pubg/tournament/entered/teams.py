"""Seasons, divisions, groups, teams, and rosters."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from gamestats_assets.lakehouse.entries import local_times, ops
from gamestats_assets.lakehouse.entries.declared import Entry, Thing, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import DAY, TEXT, EntryError, Field, Kind, choice, several, whole_number
from gamestats_assets.lakehouse.entries.local_times import LocalTimeError
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.pubg.players.entered.people import (
    ACCOUNT,
    NEW_NAME,
    PLAYER,
    Matches,
    Player,
    account_of,
    recognised,
)
from gamestats_assets.pubg.tournament.context import is_time_zone
from gamestats_assets.pubg.tournament.tables import TIE_BREAKERS

ROLES = ("player", "substitute", "stand_in")
_SHORT_NAME = re.compile(r"[a-z0-9_.-]+")


@functools.cache
def _known_zone(name: str) -> ZoneInfo:
    # Listing the time zone database takes a while, and every row of a schedule names its zone.
    return local_times.time_zone(name)


def zone_of(name: str, column: str = "time_zone") -> ZoneInfo:
    """Returns the time zone with a name.

    Raises:
        EntryError: if there is none.
    """
    try:
        return _known_zone(name)
    except LocalTimeError as error:
        raise EntryError(str(error), column) from None


def zone_of_season(season: Row) -> ZoneInfo:
    """Returns the time zone of a season's days and times.

    Raises:
        EntryError: if the season was entered with an invalid one.
    """
    try:
        return zone_of(season["time_zone"])
    except EntryError as error:
        raise EntryError(
            f"The time zone of season {season['season']} cannot be read: {error} Correct it first: "
            f"gamestats tournament season change {season['season']} --time-zone ZONE",
            "time_zone",
        ) from None


def period(first: date, last: date | None) -> str:
    """Returns a range of days in words."""
    if last is None:
        return f"from {first} on"
    return f"on {first}" if first == last else f"from {first} to {last}"


def in_order(first: date, last: date | None, columns: tuple[str, str]) -> None:
    """Refuses a last day before the first.

    Raises:
        EntryError: if it is.
    """
    if last is not None and last < first:
        raise EntryError(f"{columns[1]} {last} is before {columns[0]} {first}.", columns[1])


def _short_name(text: str, column: str) -> str:
    if not _SHORT_NAME.fullmatch(text):
        raise EntryError(
            f"{text!r} is not a valid short name of a season: it may only contain small letters, digits, '_', '.' and "
            "'-'.",
            column,
        )
    return text


def _season_zone(text: str, column: str) -> str:
    zone = zone_of(text, column).key
    if not is_time_zone(zone):
        raise EntryError(f"The tables do not support the time zone {zone}; choose another.", column)
    return zone


ZONE = Kind(str, str, lambda text, column: zone_of(text, column).key)
OF_SEASON = Field("season", "Short name of the season.", Kind(str, str, _short_name, longest=100))
OF_DIVISION = Field("division", "Name of the division.")
OF_GROUP = Field("group", "Name of the group.")
OF_TEAM = Field("team", "Name of the team.")
_FINDS = ("change", "remove")
DIVISION_OF_TEAM = Field("division", "Its division, if two divisions have a team of that name.", verbs=_FINDS)
NEW = Field("name", "The new name.", verbs=["change"], required=["change"])


class Season(Thing):
    """A season and its points rules, by default those of SUPER."""

    kind = "season"
    table = "seasons"
    key = "season_id"
    command = ("tournament", "season")
    query = """
        SELECT s.*,
               (SELECT count(*) FROM ops.divisions d WHERE d.season_id = s.season_id) AS divisions,
               (SELECT count(*) FROM ops.teams JOIN ops.divisions d USING (division_id)
                WHERE d.season_id = s.season_id) AS teams
        FROM ops.seasons s
    """
    names = (OF_SEASON,)
    column = "season"
    called = "season {season}"
    fields = (
        Field("name", "Display name.", default="its short name"),
        Field(
            "time_zone", "Time zone of its days, such as Europe/Berlin.", Kind(str, str, _season_zone), required=["add"]
        ),
        Field("shard", "Platform of its players.", TEXT, default="steam"),
        Field(
            "placement_points",
            "Points of placements 1, 2, ...",
            several(whole_number(0, noun="number of points"), "N,N,..."),
            option="points",
            default="10,6,5,4,3,2,1,1",
        ),
        Field("kill_points", "Points of one kill.", whole_number(0), default="1"),
        Field(
            "player_points_with_placement",
            "Points of a player: with-placement includes the team's placement points, by-kills only the player's kill "
            "points.",
            choice(with_placement=True, by_kills=False),
            option="player-points",
            default="with-placement",
        ),
        Field(
            "tie_breakers",
            f"Tie breakers in order, from {', '.join(TIE_BREAKERS)}.",
            several(choice(*TIE_BREAKERS), "WORD,..."),
            default="wins,kills,latest_placement",
        ),
        Field(
            "minimum_teams",
            "Number of teams below which a match may be a warm-up or remade.",
            whole_number(2),
            default="8",
        ),
        Field(
            "slot_window_min",
            "Largest difference between a match's start and its slot, in minutes.",
            whole_number(1),
            option="slot-window",
            default="45",
        ),
    )
    listed = ("season", "name", "shard", "time_zone", *(field.name for field in fields[3:]), "divisions", "teams")
    order = ("season_id",)

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`. A new time zone does not change the slots' times, which are stored as moments."""
        values = self.stored(entry.given)
        if entry.is_new:
            return {"name": entry.row["season"], **values}
        if values.get("time_zone", entry.row["time_zone"]) != entry.row["time_zone"] and _has_slots(entry):
            entry.notes.append("Existing slots keep their moments; rounds and rosters now use the new zone's days.")
        return values


def _has_slots(entry: Entry) -> bool:
    query = (
        "SELECT 1 FROM ops.scheduled_matches JOIN ops.rounds USING (round_id) JOIN ops.divisions USING (division_id) "
        "WHERE season_id = %s LIMIT 1"
    )
    return bool(ops.rows(entry.conn, query, [entry.row["season_id"]]))


SEASON = Season()


class Division(Thing):
    """A division of a season."""

    kind = "division"
    table = "divisions"
    key = "division_id"
    command = ("tournament", "division")
    query = """
        SELECT d.*, s.season, s.time_zone,
               ARRAY(SELECT g.group_name FROM ops.groups g WHERE g.division_id = d.division_id ORDER BY 1) AS groups,
               (SELECT count(*) FROM ops.teams t WHERE t.division_id = d.division_id) AS teams,
               (SELECT count(*) FROM ops.rounds r WHERE r.division_id = d.division_id) AS rounds
        FROM ops.divisions d JOIN ops.seasons s USING (season_id)
    """
    within = SEASON
    names = (OF_SEASON, OF_DIVISION)
    column = "division"
    called = "division {division} of season {season}"
    lacking = "There is no division {wanted!r} in season {season}; {there}"
    fields = (replace(NEW, stored="division"),)
    listed = ("season", "division", "groups", "teams", "rounds")
    order = ("season_id", "division_id")


DIVISION = Division()


class Group(Thing):
    """A group of a division; a division may have none."""

    kind = "group"
    table = "groups"
    key = "group_id"
    command = ("tournament", "group")
    query = """
        SELECT g.*, d.division, d.season_id, s.season,
               (SELECT count(*) FROM ops.teams t WHERE t.group_id = g.group_id) AS teams
        FROM ops.groups g JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
    """
    within = DIVISION
    names = (OF_SEASON, OF_DIVISION, OF_GROUP)
    column = "group_name"
    called = "group {group_name} of {division}"
    lacking = "There is no group {wanted!r} in {division}; {there}"
    fields = (replace(NEW, stored="group_name"),)
    listed = ("season", "division", "group_name AS group", "teams")
    order = ("season_id", "division_id", "group_id")


GROUP = Group()


def group_of(conn: psycopg.Connection, division: Row, group: str | None) -> Row:
    """Returns number and name of a division's group; None without a group.

    Raises:
        UnknownNameError: if there is none of that name.
    """
    if group is None:
        return {"group_id": None, "group_name": None}
    found = GROUP.find(conn, division["season"], division["division"], group)
    return {name: found[name] for name in ("group_id", "group_name")}


class Team(Thing):
    """A team of a division, with its group."""

    kind = "team"
    table = "teams"
    key = "team_id"
    command = ("tournament", "team")
    query = """
        SELECT t.*, d.division, d.season_id, s.season, s.time_zone, g.group_name,
               (SELECT count(DISTINCT coalesce(e.account_id, lower(e.player_name)))
                FROM ops.roster_entries e WHERE e.team_id = t.team_id) AS players
        FROM ops.teams t JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g USING (group_id)
    """
    within = DIVISION
    refers_to = (GROUP,)
    names = (OF_SEASON, OF_DIVISION, OF_TEAM)
    found_by = (OF_SEASON, OF_TEAM)
    beside = (DIVISION_OF_TEAM,)
    column = "team_name"
    called = "team {team_name} of {division}"
    lacking = "There is no team {wanted!r} in {division}; {there}"
    fields = (
        replace(NEW, required=(), stored="team_name"),
        Field("group", "Group it plays in.", lacks=True, stored=""),
        Field("tag", "Short form before players' names.", lacks=True),
    )
    listed = ("season", "division", "group_name AS group", "team_name AS team", "tag", "players")
    order = ("season_id", "division_id", "group_id NULLS FIRST", "team_id")

    def siblings(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, list[Row]]:
        """See `Thing.siblings`: teams of a division if given, else those of the season."""
        if names.get("division") is not None:
            return super().siblings(conn, names)
        season = SEASON.find(conn, **names)
        return {**season, "division": f"season {season['season']}"}, self.rows(conn, season_id=season["season_id"])

    def which(self, rows: Sequence[Row], names: Mapping[str, Any]) -> UnknownNameError:
        """See `Thing.which`."""
        places = " and ".join(row["division"] for row in rows)
        message = f"There is a team {names['team']!r} in {places}; choose one with --division."
        return UnknownNameError(message, "division")

    def alike(self, rows: Sequence[Row], names: Mapping[str, Any]) -> list[Row]:
        """See `Thing.alike`: a name that teams of two divisions have is ambiguous, whatever its capitals."""
        wanted = names["team"].strip().casefold()
        return [row for row in rows if row["team_name"].casefold() == wanted]

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        values = self.stored(entry.given)
        if "group" in entry.given:
            values["group_id"] = group_of(entry.conn, entry.row, entry.given["group"])["group_id"]
        return values


TEAM = Team()


class RosterEntry(Thing):
    """A player's membership in a team's roster, from a first to a last day, both included."""

    kind = "roster entry"
    table = "roster_entries"
    key = "roster_entry_id"
    command = ("tournament", "roster")
    query = """
        SELECT e.*, t.team_name, d.division, d.division_id, d.season_id, s.season
        FROM ops.roster_entries e JOIN ops.teams t USING (team_id)
            JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
    """
    within = TEAM
    names = (OF_SEASON, OF_TEAM, PLAYER)
    beside = (
        replace(DIVISION_OF_TEAM, verbs=("add", *_FINDS)),
        Field("since", "First day of the entry, if there are several.", DAY, verbs=_FINDS),
    )
    column = "player_name"
    lacking = "{player!r} is not on the roster of {team_name}{since_told}; {there}"
    fields = (
        Field("valid_until", "Last day; open end if missing.", DAY, lacks=True, option="until"),
        Field("valid_from", "First day.", DAY, required=["add"], option="from"),
        Field("role", f"{', '.join(ROLES[:-1])} or {ROLES[-1]}.", choice(*ROLES), default="player"),
        ACCOUNT,
        NEW_NAME,
    )
    narrowed_by = (Field("team", "Only of this team."), Field("on", "Only players on a roster that day.", DAY))
    listed = (
        *("season", "division", "team_name AS team", "player_name AS player", "account_id", "role"),
        *("valid_from", "valid_until"),
    )
    order = ("season_id", "division_id", "team_id", "valid_from", "roster_entry_id")
    default_context: ClassVar[Matches] = Matches()

    def describe(self, row: Row) -> str:
        """See `Thing.describe`."""
        message = f"{row['player_name']} on the roster of {row['team_name']}"
        return f"{message}, {period(row['valid_from'], row['valid_until'])}"

    def alike(self, rows: Sequence[Row], names: Mapping[str, Any]) -> list[Row]:
        """See `Thing.alike`: by account, or by name if an account is unknown."""
        name, since = names["player"], names.get("since")
        player = names.get("recognised") or Player(name, name if name.startswith("account.") else None)
        return [row for row in rows if player.is_of(row) and since in (None, row["valid_from"])]

    def which(self, rows: Sequence[Row], names: Mapping[str, Any]) -> UnknownNameError:
        """See `Thing.which`."""
        days = ", ".join(str(row["valid_from"]) for row in rows)
        message = f"{names['player']} is on the roster of {rows[0]['team_name']} several times, from {days}"
        advice = f"choose one by its first day: --since {rows[-1]['valid_from']}"
        return UnknownNameError(f"{message}; {advice}", "valid_from")

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        since = f" from {names['since']}" if names.get("since") is not None else ""
        return super().missing(conn, {**names, "since_told": since})

    def recognised(self, names: Mapping[str, Any], context: Matches) -> Mapping[str, Any]:
        """See `Thing.recognised`: the same player may be on the roster again from another first day."""
        return {**recognised(names, context), "since": names.get("valid_from")}

    def exists(self, row: Row, names: Mapping[str, Any]) -> str:
        """See `Thing.exists`."""
        return f"{names['recognised'].name} is already on the roster of {row['team_name']} from {row['valid_from']}"

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, Row]:
        """See `Thing.place`."""
        columns, row = super().place(conn, names)
        columns |= names["recognised"].columns
        return columns, {**row, **columns}

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        values = {**({"role": "player"} if entry.is_new else {}), **self.stored(entry.given), **account_of(entry)}
        would_be = entry.would_be(values)
        in_order(would_be["valid_from"], would_be.get("valid_until"), ("valid_from", "valid_until"))
        return values

    def list(self, conn: psycopg.Connection, *of: Any, context: Any = None, **where: Any) -> pl.DataFrame:
        """See `Thing.list`; `on` a day lists players on a roster that day."""
        frame, on = super().list(conn, *of, **where), where.get("on")
        if on is None:
            return frame
        goes_on = pl.col("valid_until").is_null() | (pl.col("valid_until") >= on)
        return frame.filter(pl.col("valid_from") <= on, goes_on)

    def leave(self, entry: Entry) -> None:
        """See `Thing.leave`: reports players who have played."""
        row = entry.row
        if played := entry.context.played_by(row["roster_entry_id"]):
            matches, they = ("1 match", "it is") if played == 1 else (f"{played} matches", "they are")
            entry.notes.append(
                f"{row['player_name']} played {matches} for {row['team_name']} by this entry; {they} counted again "
                "without it. For a player who only leaves, enter a last day: roster change ... --until DAY"
            )


ROSTER_ENTRY = RosterEntry()
