"""Seasons, divisions, groups, teams, and who plays for them."""

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

from gamestats_assets.lakehouse import local_times, ops
from gamestats_assets.lakehouse.entries import (
    Entry,
    ExistsAlreadyError,
    Named,
    NeededBy,
    Thing,
    UnknownNameError,
    command,
    nearest,
)
from gamestats_assets.lakehouse.entry_fields import DAY, TEXT, EntryError, Field, Kind, choice, several, whole
from gamestats_assets.lakehouse.local_times import LocalTimeError
from gamestats_assets.lakehouse.ops import Row
from gamestats_assets.pubg.context import is_time_zone
from gamestats_assets.pubg.entered.people import ACCOUNT, NEW_NAME, PLAYER, Matches, Player, player_of
from gamestats_assets.pubg.tables.ops import TIE_BREAKERS

ROLES = ("player", "substitute", "stand_in")
_SHORT_NAME = re.compile(r"[a-z0-9_.-]+")


@functools.cache
def _known_zone(name: str) -> ZoneInfo:
    # Listing the time zone database takes a while, and a schedule names its zone in every row.
    return local_times.time_zone(name)


def zone_of(name: str, column: str = "time_zone") -> ZoneInfo:
    """The time zone of a name.

    Raises:
        EntryError: when there is none of that name.
    """
    try:
        return _known_zone(name)
    except LocalTimeError as error:
        raise EntryError(str(error), column) from None


def zone_of_season(season: Row) -> ZoneInfo:
    """The time zone that a season's days and times are read in.

    Raises:
        EntryError: when it was entered with one that is none.
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
    """Days in words."""
    if last is None:
        return f"from {first} on"
    return f"on {first}" if first == last else f"from {first} to {last}"


def in_order(first: date, last: date | None, columns: tuple[str, str]) -> None:
    """Refuse a last day before the first.

    Raises:
        EntryError: when it is.
    """
    if last is not None and last < first:
        raise EntryError(f"{columns[1]} {last} is before {columns[0]} {first}.", columns[1])


def _short_name(text: str, column: str) -> str:
    if not _SHORT_NAME.fullmatch(text):
        raise EntryError(
            f"{text!r} cannot be a season's short name: small letters, digits, '_', '.' and '-' make one.", column
        )
    return text


def _season_zone(text: str, column: str) -> str:
    zone = zone_of(text, column).key
    if not is_time_zone(zone):
        raise EntryError(f"{zone} is a time zone that the tables cannot be read in; choose another.", column)
    return zone


ZONE = Kind(str, str, lambda text, column: zone_of(text, column).key)
OF_SEASON = Field("season", "Short name of the season.", Kind(str, str, _short_name))
OF_DIVISION = Field("division", "Name of the division.")
OF_GROUP = Field("group", "Name of the group.")
OF_TEAM = Field("team", "Name of the team.")
_FINDS = ("change", "remove")
DIVISION_OF_TEAM = Field("division", "Its division, where two have a team of that name.", verbs=_FINDS)
NEW = Field("name", "The new name.", verbs=["change"], required=["change"])


class Season(Named):
    """A season and its points rules; without other ones it has those of SUPER."""

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
    name_column = "season"
    fields = (
        Field("name", "Name in words.", default="its short name"),
        Field("time_zone", "Time zone of its days, as Europe/Berlin.", Kind(str, str, _season_zone), required=["add"]),
        Field("shard", "Platform of its players.", TEXT, default="steam"),
        Field(
            "placement_points",
            "Points of placements 1, 2, ...",
            several(whole(0, told="number of points"), "N,N,..."),
            option="points",
            default="10,6,5,4,3,2,1,1",
        ),
        Field("kill_points", "Points of one kill.", whole(0), default="1"),
        Field(
            "player_points_with_placement",
            "What a player gets: with-placement, the team's placement points too, or by-kills, own kills alone.",
            choice(with_placement=True, by_kills=False),
            option="player-points",
            default="with-placement",
        ),
        Field(
            "tie_breakers",
            f"What decides between equal points, in order: of {', '.join(TIE_BREAKERS)}.",
            several(choice(*TIE_BREAKERS), "WORD,..."),
            default="wins,kills,latest_placement",
        ),
        Field("minimum_teams", "Teams below which a match may be a warm-up or remade.", whole(2), default="8"),
        Field(
            "slot_window_min",
            "Minutes a match may start before or after its slot.",
            whole(1),
            option="slot-window",
            default="45",
        ),
    )
    listed = (
        "season",
        *(field.name for field in fields[:1]),
        "shard",
        "time_zone",
        *(field.name for field in fields[3:]),
        "divisions",
        "teams",
    )
    order = ("season_id",)

    def what(self, row: Row) -> str:
        """See `Thing.what`."""
        return f"season {row['season']}"

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`. A new time zone leaves the slots' times: they are moments, however they were written."""
        values = self.stored(entry.given)
        if entry.is_new:
            return {"name": entry.row["season"], **values}
        if values.get("time_zone", entry.row["time_zone"]) != entry.row["time_zone"] and _has_slots(entry):
            entry.notes.append(
                "The slots already entered keep their moments; rounds and rosters now follow the new zone's days."
            )
        return values

    def needed_by(self, conn: psycopg.Connection, row: Row) -> Sequence[NeededBy]:
        """See `Thing.needed_by`."""
        divisions = [one["division"] for one in ops.select(conn, "divisions", {"season_id": row["season_id"]})]
        return [NeededBy("division", divisions, command(*DIVISION.command, "remove", row["season"], "DIVISION"))]


def _has_slots(entry: Entry) -> bool:
    query = (
        "SELECT 1 FROM ops.scheduled_matches JOIN ops.rounds USING (round_id) JOIN ops.divisions USING (division_id) "
        "WHERE season_id = %s LIMIT 1"
    )
    return bool(ops.rows(entry.conn, query, [entry.row["season_id"]]))


SEASON = Season()


class OfSeason(Thing):
    """A thing that is of a season."""

    narrowed_by = (Field("season", "Only of this season.", positional=True),)

    def list(
        self, conn: psycopg.Connection, season: str | None = None, *, known: Any = None, **where: Any
    ) -> pl.DataFrame:
        """What is entered, or of it what is of a season.

        Raises:
            UnknownNameError: when there is no such season.
        """
        of = {} if season is None else {"season": SEASON.find(conn, season)["season"]}
        return super().list(conn, **of, **where)


class Division(OfSeason, Named):
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
    name_column = "division"
    fields = (NEW,)
    listed = ("season", "division", "groups", "teams", "rounds")
    order = ("season_id", "division_id")

    def where(self, of: Row) -> str:
        """See `Named.where`."""
        return f" in season {of['season']}"

    def what(self, row: Row) -> str:
        """See `Thing.what`."""
        return f"division {row['division']} of season {row['season']}"

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        return {} if entry.is_new else {"division": entry.given["name"]}

    def needed_by(self, conn: psycopg.Connection, row: Row) -> Sequence[NeededBy]:
        """See `Thing.needed_by`."""
        from gamestats_assets.pubg.entered.schedule import ROUND

        of, names = {"division_id": row["division_id"]}, (row["season"], row["division"])
        rounds = [f"{one['round_number']}{ROUND.of_group(one).replace(',', ' of')}" for one in ROUND.rows(conn, **of)]
        teams = [one["team_name"] for one in ops.select(conn, "teams", of)]
        groups = [one["group_name"] for one in ops.select(conn, "groups", of)]
        return [
            NeededBy("team", teams, command(*TEAM.command, "remove", row["season"], "TEAM")),
            NeededBy("round", rounds, command(*ROUND.command, "remove", *names, "ROUND")),
            NeededBy("group", groups, command(*GROUP.command, "remove", *names, "GROUP")),
        ]


DIVISION = Division()


class Group(OfSeason, Named):
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
    name_column = "group_name"
    fields = (NEW,)
    listed = ("season", "division", "group_name AS group", "teams")
    order = ("season_id", "division_id", "group_id")

    def what(self, row: Row) -> str:
        """See `Thing.what`."""
        return f"group {row['group_name']} of {row['division']}"

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        return {} if entry.is_new else {"group_name": entry.given["name"]}

    def needed_by(self, conn: psycopg.Connection, row: Row) -> Sequence[NeededBy]:
        """See `Thing.needed_by`."""
        of = {"group_id": row["group_id"]}
        teams = [one["team_name"] for one in ops.select(conn, "teams", of)]
        rounds = [str(one["round_number"]) for one in ops.select(conn, "rounds", of)]
        leave = command(*TEAM.command, "change", row["season"], "TEAM", "--group", "none")
        of_round = (row["season"], row["division"], "ROUND", "--group", row["group_name"])
        return [
            NeededBy("team", teams, leave),
            NeededBy("round", rounds, command("tournament", "round", "remove", *of_round)),
        ]


GROUP = Group()


def group_id(conn: psycopg.Connection, division: Row, group: str | None) -> int | None:
    """The number of a division's group; None of none.

    Raises:
        UnknownNameError: when there is none of that name.
    """
    if group is None:
        return None
    return GROUP.find(conn, season=division["season"], division=division["division"], group=group)["group_id"]


class Team(OfSeason, Named):
    """A team of a division, and the group it plays in."""

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
    names = (OF_SEASON, OF_DIVISION, OF_TEAM)
    found_by = (OF_SEASON, OF_TEAM)
    beside = (DIVISION_OF_TEAM,)
    name_column = "team_name"
    fields = (
        Field("name", "The new name.", verbs=["change"], stored="team_name"),
        Field("group", "Group it plays in.", lacks=True, stored=""),
        Field("tag", "Short form before players' names.", lacks=True),
    )
    listed = ("season", "division", "group_name AS group", "team_name AS team", "tag", "players")
    order = ("season_id", "division_id", "group_id NULLS FIRST", "team_id")

    def siblings(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, list[Row]]:
        """See `Named.siblings`: teams of a division where it is named, else those of the season."""
        if names.get("division") is not None:
            return super().siblings(conn, names)
        season = SEASON.find(conn, **names)
        return season, self.rows(conn, season_id=season["season_id"])

    def where(self, of: Row) -> str:
        """See `Named.where`."""
        return f" in {of['division']}" if "division" in of else f" in season {of['season']}"

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        wanted = names["team"]
        places = [
            row["division"]
            for row in self.siblings(conn, names)[1]
            if row["team_name"].casefold() == wanted.strip().casefold()
        ]
        if places:
            raise UnknownNameError(
                f"There is a team {wanted!r} in {' and '.join(places)}; say which with --division.", "division"
            )
        return super().missing(conn, names)

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """See `Thing.seek`: of two divisions that have a team of the name neither is meant."""
        found = self.siblings(conn, names)[1]
        of_name = [row for row in found if row["team_name"].casefold() == names["team"].strip().casefold()]
        return of_name[0] if len(of_name) == 1 else None

    def what(self, row: Row) -> str:
        """See `Thing.what`."""
        return f"team {row['team_name']} of {row['division']}"

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        values = self.stored(entry.given)
        if "group" in entry.given:
            values["group_id"] = group_id(entry.conn, entry.row, entry.given["group"])
        return values

    def needed_by(self, conn: psycopg.Connection, row: Row) -> Sequence[NeededBy]:
        """See `Thing.needed_by`."""
        names = [one["player_name"] for one in ops.select(conn, "roster_entries", {"team_id": row["team_id"]})]
        advice = command(*ROSTER_ENTRY.command, "remove", row["season"], row["team_name"], "PLAYER")
        return [NeededBy("roster entry", names, advice)]


TEAM = Team()


class RosterEntry(OfSeason):
    """That a player is on a team's roster, from a day to a day, both included."""

    kind = "roster entry"
    table = "roster_entries"
    key = "roster_entry_id"
    command = ("tournament", "roster")
    query = """
        SELECT e.*, t.team_name, d.division, d.division_id, d.season_id, s.season
        FROM ops.roster_entries e JOIN ops.teams t USING (team_id)
            JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
    """
    names = (OF_SEASON, OF_TEAM, PLAYER)
    beside = (
        replace(DIVISION_OF_TEAM, verbs=("add", *_FINDS)),
        Field("since", "First day of the entry, where there are several.", DAY, verbs=_FINDS),
    )
    fields = (
        Field("valid_until", "Last day; without it, it goes on.", DAY, lacks=True, option="until"),
        Field("valid_from", "First day.", DAY, required=["add"], option="from"),
        Field("role", f"{', '.join(ROLES[:-1])} or {ROLES[-1]}.", choice(*ROLES), default="player"),
        ACCOUNT,
        NEW_NAME,
    )
    narrowed_by = (
        *OfSeason.narrowed_by,
        Field("team", "Only of this team."),
        Field("on", "Only who is on a roster that day.", DAY),
    )
    listed = (
        *("season", "division", "team_name AS team", "player_name AS player", "account_id", "role"),
        *("valid_from", "valid_until"),
    )
    order = ("season_id", "division_id", "team_id", "valid_from", "roster_entry_id")
    knows: ClassVar[Matches] = Matches()

    def of_player(self, conn: psycopg.Connection, team: Row, player: Player) -> list[Row]:
        """Entries of the team that are the player's: of the account, else of the name where an account is unknown."""
        return [
            row
            for row in self.rows(conn, team_id=team["team_id"])
            if (
                row["account_id"] == player.account_id
                if row["account_id"] is not None and player.account_id is not None
                else row["player_name"].casefold() == player.name.casefold()
            )
        ]

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """See `Thing.seek`."""
        team = TEAM.find(conn, names["season"], names["team"], division=names.get("division"))
        player, since = names["player"], names.get("since")
        found = self.of_player(conn, team, Player(player, player if player.startswith("account.") else None))
        found = [row for row in found if since in (None, row["valid_from"])]
        if len(found) > 1:
            days = ", ".join(str(row["valid_from"]) for row in found)
            raise UnknownNameError(
                f"{player} is on the roster of {team['team_name']} several times, from {days}; "
                f"say which by its first day: --since {found[-1]['valid_from']}",
                "valid_from",
            )
        return found[0] if found else None

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        team = TEAM.find(conn, names["season"], names["team"], division=names.get("division"))
        there = nearest(names["player"], [row["player_name"] for row in self.rows(conn, team_id=team["team_id"])])
        on = f" from {names['since']}" if names.get("since") is not None else ""
        return f"{names['player']!r} is not on the roster of {team['team_name']}{on}; {there}"

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any], known: Matches) -> tuple[Row, Row]:
        """See `Thing.place`."""
        team = TEAM.find(conn, names["season"], names["team"], division=names.get("division"))
        player = player_of(names["player"], names.get("account_id"), known.players([names["player"]]))
        columns = {"team_id": team["team_id"], "player_name": player.name, "account_id": player.account_id}
        return columns, {**team, **columns, "player": player}

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        values = self.stored(entry.given)
        would_be = entry.would_be(values)
        if entry.is_new:
            player: Player = entry.row["player"]
            entry.notes += player.notes
            values = {"role": "player", **values, "account_id": player.account_id}
            first = would_be["valid_from"]
            if any(row["valid_from"] == first for row in self.of_player(entry.conn, entry.row, player)):
                told = f"{player.name} is on the roster of {entry.row['team_name']} from {first} already"
                raise ExistsAlreadyError(f"{told}; `change` changes it.", "player")
        in_order(would_be["valid_from"], would_be.get("valid_until"), ("valid_from", "valid_until"))
        return values

    def what(self, row: Row) -> str:
        """See `Thing.what`."""
        told = f"{row['player_name']} on the roster of {row['team_name']}"
        return f"{told}, {period(row['valid_from'], row['valid_until'])}"

    def list(
        self,
        conn: psycopg.Connection,
        season: str | None = None,
        *,
        known: Any = None,
        team: str | None = None,
        on: date | None = None,
        **where: Any,
    ) -> pl.DataFrame:
        """Roster entries: of one team, of those on a roster on a day, or all.

        Raises:
            UnknownNameError: when there is no such season or team.
        """
        frame = super().list(conn, season, **where)
        if on is not None:
            goes_on = pl.col("valid_until").is_null() | (pl.col("valid_until") >= on)
            frame = frame.filter(pl.col("valid_from") <= on, goes_on)
        if team is None:
            return frame
        named = [name for name in TEAM.list(conn, season)["team"] if name.casefold() == team.strip().casefold()]
        if not named:
            raise UnknownNameError(f"There is no team {team!r}" + (f" in season {season}." if season else "."), "team")
        return frame.filter(pl.col("team").is_in(named))

    def leave(self, entry: Entry) -> None:
        """See `Thing.leave`: who has played is told."""
        row = entry.row
        if played := entry.known.played_by(row["roster_entry_id"]):
            matches, they = ("1 match", "it is") if played == 1 else (f"{played} matches", "they are")
            entry.notes.append(
                f"{row['player_name']} played {matches} for {row['team_name']} by this entry; {they} counted anew "
                "without it. Who only leaves gets a last day: roster change ... --until DAY"
            )


ROSTER_ENTRY = RosterEntry()
