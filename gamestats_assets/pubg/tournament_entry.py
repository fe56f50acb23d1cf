"""What people enter for tournaments and tracked players, as functions on a connection.

People name things by their names: a season by its short name, a division, group or team by
its name (capitals do not matter for finding it), a round and a slot by their numbers. Every
function works in the transaction of its caller (see `lakehouse.ops.entering`), checks what it
is given, and tells what it did.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypedDict, Unpack
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.ops import Row
from gamestats_assets.pubg import local_times, reference
from gamestats_assets.pubg.local_times import LocalTimeError
from gamestats_assets.pubg.tables import MatchSummaries
from gamestats_assets.pubg.tables.ops import ROUND_STATUSES, SLOT_STATUSES, TIE_BREAKERS, VALIDATION_STATUSES
from gamestats_assets.pubg.tables.rows import MATCH_ID

ROLES = ("player", "substitute", "stand_in")
BACKFILL_DAYS = 180
"""Days of history taken up of a player who is newly tracked, unless said otherwise."""

_SHORT_NAME = re.compile(r"[a-z0-9_.-]+")
_ACCOUNT = re.compile(r"account\.[0-9a-f]{32}")

Outcome = Literal["created", "changed", "unchanged", "removed"]


class EntryError(GamestatsError):
    """Something entered cannot stand.

    Attributes:
        column: the part of the entry that is wrong, by its name in the table or the CSV file.
    """

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.column = column


class UnknownNameError(EntryError):
    """A name is given that nothing has, or more than one thing."""


class ExistsAlreadyError(EntryError):
    """Something is to be created that is there."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What an entry did.

    Attributes:
        kind: what sort of thing, such as `roster entry`.
        what: which one, in words.
        outcome: what was done to it.
        changes: `column: before -> after` of a change.
        notes: what the person should know.
    """

    kind: str
    what: str
    outcome: Outcome
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """One line for a person."""
        return f"{self.outcome:<10}{self.what}" + (f": {'; '.join(self.changes)}" if self.changes else "")


# --- players by name -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """What the matches know of some players.

    Attributes:
        accounts: name to the account that had it in the newest match; a name that two accounts
            had on that day is left out.
        names: account to its name in the newest match.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def other_capitals(self, name: str) -> str | None:
        """The name as matches show it, when it was written with other capitals."""
        return next((other for other in self.accounts if other != name and other.lower() == name.lower()), None)


LookUp = Callable[[Collection[str]], Seen]
"""What is known of players, given by names or accounts."""


def nobody(players: Collection[str]) -> Seen:
    """The look-up where no match is known."""
    return Seen()


def seen_players(lake: Lake, players: Collection[str]) -> Seen:
    """What the newest match summaries of the lake know of players, given by names or accounts."""
    wanted = {player.lower() for player in players}
    rows = (
        lake.scan(MatchSummaries)
        .select("player_name", "account_id", "match_date")
        .filter(pl.col("player_name").str.to_lowercase().is_in(wanted) | pl.col("account_id").is_in(wanted))
        .unique()
        .collect()
    )
    newest = rows.filter(pl.col("match_date") == pl.col("match_date").max().over("player_name"))
    accounts = (
        newest.group_by("player_name").agg(pl.col("account_id").unique()).filter(pl.col("account_id").list.len() == 1)
    )
    # Of two names on the newest day the lake does not say which is the newer; either is as good for showing.
    names = rows.sort("match_date", "player_name").group_by("account_id").agg(pl.col("player_name").last())
    return Seen(
        {name: account for name, [account] in accounts.sort("player_name").iter_rows()},
        dict(names.iter_rows()),
    )


@dataclass(frozen=True, slots=True)
class Player:
    """A player as entered, and what is known by now."""

    name: str
    account_id: str | None
    notes: tuple[str, ...] = ()


def player_of(player: str, account_id: str | None, seen: Seen) -> Player:
    """Name and account of a player given by name, by account, or by both; an explicit account wins.

    Raises:
        EntryError: when the name is empty or the account is no account id.
    """
    player = _filled(player, "player")
    if player.startswith("account."):
        if account_id not in (None, player):
            raise EntryError(f"{player} is an account, and so is {account_id}; which one is it?", "account_id")
        account_id, player = player, seen.names.get(player, player)
    if account_id is not None:
        if not _ACCOUNT.fullmatch(account_id):
            raise EntryError(
                f"{account_id!r} is no account id; one is `account.` and 32 digits from 0 to f.", "account_id"
            )
        note = (f"{account_id} is in no match yet; the account stands for the name until it is.",)
        return Player(player, account_id, note if player == account_id else ())
    known = seen.accounts.get(player)
    if known is not None:
        return Player(player, known)
    note = f"No match knows {player} yet; the account stays unknown until one does."
    if other := seen.other_capitals(player):
        note = f"No match knows {player}, but one knows {other}; capitals matter."
    return Player(player, None, (note,))


# --- finding things by name ----------------------------------------------------------------------


def find_season(conn: psycopg.Connection, season: str) -> Row:
    """The season of a short name.

    Raises:
        UnknownNameError: when there is none.
    """
    return _choose(ops.select(conn, "seasons", {}), "season", season, "season", "")


def find_division(conn: psycopg.Connection, season: str, division: str) -> Row:
    """The division of a season.

    Raises:
        UnknownNameError: when there is none.
    """
    return _division_in(conn, find_season(conn, season), division)


def _division_in(conn: psycopg.Connection, season: Row, division: str) -> Row:
    found = ops.select(conn, "divisions", {"season_id": season["season_id"]})
    return _choose(found, "division", division, "division", f" in season {season['season']}")


def _group_in(conn: psycopg.Connection, division: Row, group: str) -> Row:
    found = ops.select(conn, "groups", {"division_id": division["division_id"]})
    return _choose(found, "group_name", group, "group", f" in {division['division']}", column_told="group")


def _group_id(conn: psycopg.Connection, division: Row, group: str | None) -> int | None:
    return None if group is None else _group_in(conn, division, group)["group_id"]


def find_team(conn: psycopg.Connection, season: str, team: str, division: str | None = None) -> Row:
    """The team of a season; the division need be given only where two have a team of that name.

    Raises:
        UnknownNameError: when there is none, or more than one.
    """
    row = find_season(conn, season)
    if division is not None:
        chosen = _division_in(conn, row, division)
        return _team_in(conn, chosen, team)
    found = ops.rows(
        conn,
        "SELECT t.*, d.division FROM ops.teams t JOIN ops.divisions d USING (division_id) "
        "WHERE d.season_id = %s ORDER BY t.team_id",
        [row["season_id"]],
    )
    named = [team_row for team_row in found if team_row["team_name"].casefold() == team.strip().casefold()]
    if len(named) > 1:
        places = " and ".join(team_row["division"] for team_row in named)
        raise UnknownNameError(f"There is a team {team!r} in {places}; say which division.", "division")
    return _choose(found, "team_name", team, "team", f" in season {row['season']}", column_told="team")


def _team_in(conn: psycopg.Connection, division: Row, team: str) -> Row:
    found = ops.select(conn, "teams", {"division_id": division["division_id"]})
    return _choose(found, "team_name", team, "team", f" in {division['division']}", column_told="team")


def find_round(conn: psycopg.Connection, division: Row, number: int, group: str | None = None) -> Row:
    """The round of a division, or of one of its groups.

    Raises:
        UnknownNameError: when there is none.
    """
    group_id = _group_id(conn, division, group)
    found = ops.select(conn, "rounds", {"division_id": division["division_id"]})
    for row in found:
        if (row["round_number"], row["group_id"]) == (number, group_id):
            return row
    of_groups = [row["group_id"] for row in found if row["round_number"] == number and row["group_id"] is not None]
    if group is None and of_groups:
        groups = ops.select(conn, "groups", {"division_id": division["division_id"]})
        names = ", ".join(row["group_name"] for row in groups if row["group_id"] in of_groups)
        raise UnknownNameError(
            f"Round {number} of {division['division']} is one of groups ({names}); say which.", "group"
        )
    place = division["division"] + (f", group {group}" if group is not None else "")
    numbers = [str(row["round_number"]) for row in found if row["group_id"] == group_id]
    there = f"it has round {', '.join(numbers)}" if numbers else "it has none yet"
    raise UnknownNameError(f"There is no round {number} in {place}; {there}.", "round")


def find_slot(conn: psycopg.Connection, round_row: Row, match_number: int) -> Row:
    """The slot of a round.

    Raises:
        UnknownNameError: when there is none.
    """
    found = ops.select(conn, "scheduled_matches", {"round_id": round_row["round_id"]})
    for row in found:
        if row["match_number"] == match_number:
            return row
    numbers = ", ".join(str(row["match_number"]) for row in found)
    there = f"it has match {numbers}" if found else "its schedule is empty"
    raise UnknownNameError(f"There is no match {match_number} in {round_row['round_name']}; {there}.", "match")


def _choose(
    found: Sequence[Row], column: str, wanted: str, what: str, place: str, *, column_told: str | None = None
) -> Row:
    wanted = wanted.strip()
    exact = [row for row in found if row[column] == wanted]
    chosen = exact or [row for row in found if row[column].casefold() == wanted.casefold()]
    if len(chosen) == 1:
        return chosen[0]
    raise UnknownNameError(
        f"There is no {what} {wanted!r}{place}; {_nearest(wanted, [row[column] for row in found])}",
        column_told or column,
    )


def _nearest(wanted: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    if not names:
        return "there is none yet."
    folded = {name.casefold(): name for name in names}
    near = [folded[name] for name in difflib.get_close_matches(wanted.casefold(), folded, n=3)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"there {'is' if len(names) == 1 else 'are'} {listed}."


# --- checking what is entered --------------------------------------------------------------------


def _filled(text: str, column: str) -> str:
    """A text without blanks around it, refused when nothing is left."""
    stripped = text.strip()
    if not stripped or not stripped.isprintable():
        raise EntryError(f"{column} is empty or has characters that cannot be seen.", column)
    return stripped


def one_of(value: str, allowed: Sequence[str], column: str) -> str:
    """A value that must be one of a few.

    Raises:
        EntryError: when it is none of them.
    """
    if value not in allowed:
        raise EntryError(f"{value!r} is none of {', '.join(allowed)}.", column)
    return value


def map_named(written: str) -> tuple[str | None, tuple[str, ...]]:
    """The map's name in words, and what to tell; None for `any`.

    Ids such as Baltic_Main are understood. A map nobody knows is taken as written, as new maps
    come, unless it looks like a slip of the pen.

    Raises:
        EntryError: when a known map is spelt nearly so.
    """
    written = written.strip()
    if written.lower() in ("", "any"):
        return None, ()
    known = reference.maps()
    names = dict(zip(known["map_id"].str.to_lowercase(), known["map_name"], strict=True))
    names |= {name.lower(): name for name in known["map_name"]}
    if written.lower() in names:
        return names[written.lower()], ()
    near = difflib.get_close_matches(written.lower(), names, n=1, cutoff=0.75)
    if near:
        raise EntryError(f"There is no map {written!r}; did you mean {names[near[0]]}?", "map")
    return written, (f"{written} is no map known here; a match fits the slot only if its map has exactly this name.",)


def checked_match_id(match_id: str, column: str) -> str:
    """A match id.

    Raises:
        EntryError: when it can be none.
    """
    if not re.fullmatch(MATCH_ID, match_id):
        raise EntryError(f"{match_id!r} is no match id; the API writes them with letters, digits and dashes.", column)
    return match_id


def moment_of(written: str, zone: ZoneInfo) -> datetime:
    """The moment of a time as people write it; see `local_times.instant`.

    Raises:
        EntryError: when it names none, or two.
    """
    try:
        return local_times.instant(written, zone)
    except LocalTimeError as error:
        raise EntryError(str(error), "scheduled_at") from None


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name.

    Raises:
        EntryError: when there is none of that name.
    """
    try:
        return local_times.time_zone(name)
    except LocalTimeError as error:
        raise EntryError(str(error), "time_zone") from None


def _period(first: date, last: date | None) -> str:
    if last is None:
        return f"from {first} on"
    return f"on {first}" if first == last else f"from {first} to {last}"


def _in_order(first: date, last: date | None, columns: tuple[str, str]) -> None:
    if last is not None and last < first:
        raise EntryError(f"{columns[1]} {last} is before {columns[0]} {first}.", columns[1])


# --- writing -------------------------------------------------------------------------------------


def _create(
    conn: psycopg.Connection, table: str, kind: str, what: str, values: Mapping[str, Any], notes: Sequence[str] = ()
) -> Entered:
    ops.insert(conn, table, {name: value for name, value in values.items() if value is not None})
    return Entered(kind, what, "created", notes=tuple(notes))


def _change(
    conn: psycopg.Connection,
    table: str,
    kind: str,
    what: str,
    row: Row,
    values: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> Entered:
    """Set what differs; a row that has it all already is not written."""
    differing = {name: value for name, value in values.items() if row[name] != value}
    if not differing:
        return Entered(kind, what, "unchanged", notes=tuple(notes))
    key = next(iter(row))
    ops.update(conn, table, {key: row[key]}, differing)
    changes = tuple(f"{name} {_told(row[name])} -> {_told(value)}" for name, value in differing.items())
    return Entered(kind, what, "changed", changes, tuple(notes))


def _told(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return local_times.written_local(value, ZoneInfo("UTC")) if isinstance(value, datetime) else str(value)


def _refuse_existing(found: Sequence[Row], column: str, name: str, what: str) -> None:
    if any(row[column].casefold() == name.casefold() for row in found):
        raise ExistsAlreadyError(f"{what} exists already; `change` changes it.", column)


# --- seasons, divisions, groups, teams -----------------------------------------------------------


class SeasonFields(TypedDict, total=False):
    """What a season has besides its short name; see the table `seasons`."""

    name: str
    shard: str
    time_zone: str
    placement_points: list[int]
    kill_points: int
    player_points_with_placement: bool
    tie_breakers: list[str]
    minimum_teams: int
    slot_window_min: int


def create_season(conn: psycopg.Connection, season: str, **fields: Unpack[SeasonFields]) -> Entered:
    """Create a season; without other rules it has those of SUPER: 10, 6, 5, 4, 3, 2, 1, 1 and 1 a kill.

    Raises:
        EntryError: when a field is missing or wrong, or the season exists.
    """
    if not _SHORT_NAME.fullmatch(season):
        raise EntryError(
            f"{season!r} cannot be a season's short name: small letters, digits, '_', '.' and '-' make one.", "season"
        )
    if "time_zone" not in fields:
        raise EntryError("A season needs a time zone: its days and times are read in it.", "time_zone")
    _refuse_existing(ops.select(conn, "seasons", {}), "season", season, f"Season {season}")
    values = {"season": season, "name": season, **_season_values(fields)}
    return _create(conn, "seasons", "season", f"season {season}", values)


def change_season(conn: psycopg.Connection, season: str, **fields: Unpack[SeasonFields]) -> Entered:
    """Change fields of a season.

    A new time zone leaves the slots' times: they are moments, however they were written.

    Raises:
        EntryError: when a field is wrong or there is no such season.
    """
    row = find_season(conn, season)
    notes: list[str] = []
    if fields.get("time_zone", row["time_zone"]) != row["time_zone"] and _has_slots(conn, row):
        notes.append("The slots already entered keep their moments; rounds and rosters now follow the new zone's days.")
    return _change(conn, "seasons", "season", f"season {row['season']}", row, _season_values(fields), notes)


def _season_values(fields: SeasonFields) -> dict[str, Any]:
    values: dict[str, Any] = dict(fields)
    if "name" in fields:
        values["name"] = _filled(fields["name"], "name")
    if "time_zone" in fields:
        values["time_zone"] = zone_of(fields["time_zone"]).key
    if any(points < 0 for points in fields.get("placement_points", [])):
        raise EntryError("Points of a placement cannot be negative.", "placement_points")
    breakers = fields.get("tie_breakers", [])
    for breaker in breakers:
        one_of(breaker, TIE_BREAKERS, "tie_breakers")
    if len(set(breakers)) < len(breakers):
        raise EntryError(f"A tie breaker is named twice in {', '.join(breakers)}.", "tie_breakers")
    return values


def _has_slots(conn: psycopg.Connection, season: Row) -> bool:
    query = (
        "SELECT 1 FROM ops.scheduled_matches JOIN ops.rounds USING (round_id) JOIN ops.divisions USING (division_id) "
        "WHERE season_id = %s LIMIT 1"
    )
    return bool(ops.rows(conn, query, [season["season_id"]]))


def create_division(conn: psycopg.Connection, season: str, division: str) -> Entered:
    """Create a division of a season.

    Raises:
        EntryError: when it exists, or the season does not.
    """
    row, name = find_season(conn, season), _filled(division, "division")
    what = f"division {name} of season {row['season']}"
    _refuse_existing(ops.select(conn, "divisions", {"season_id": row["season_id"]}), "division", name, what)
    return _create(conn, "divisions", "division", what, {"season_id": row["season_id"], "division": name})


def change_division(conn: psycopg.Connection, season: str, division: str, *, name: str) -> Entered:
    """Give a division another name.

    Raises:
        EntryError: when the name is taken, or there is no such division.
    """
    row = find_division(conn, season, division)
    values = {"division": _filled(name, "name")}
    return _change(conn, "divisions", "division", f"division {row['division']}", row, values)


def create_group(conn: psycopg.Connection, season: str, division: str, group: str) -> Entered:
    """Create a group of a division.

    Raises:
        EntryError: when it exists, or the division does not.
    """
    row, name = find_division(conn, season, division), _filled(group, "group")
    what = f"group {name} of {row['division']}"
    _refuse_existing(ops.select(conn, "groups", {"division_id": row["division_id"]}), "group_name", name, what)
    return _create(conn, "groups", "group", what, {"division_id": row["division_id"], "group_name": name})


def change_group(conn: psycopg.Connection, season: str, division: str, group: str, *, name: str) -> Entered:
    """Give a group another name.

    Raises:
        EntryError: when the name is taken, or there is no such group.
    """
    row = _group_in(conn, find_division(conn, season, division), group)
    values = {"group_name": _filled(name, "name")}
    return _change(conn, "groups", "group", f"group {row['group_name']}", row, values)


class TeamFields(TypedDict, total=False):
    """What may change of a team; None takes it from its group, or its tag away."""

    name: str
    group: str | None
    tag: str | None


def create_team(
    conn: psycopg.Connection,
    season: str,
    division: str,
    team: str,
    *,
    group: str | None = None,
    tag: str | None = None,
) -> Entered:
    """Create a team of a division, in one of its groups where it has groups.

    Raises:
        EntryError: when it exists, or division or group do not.
    """
    row, name = find_division(conn, season, division), _filled(team, "team")
    what = f"team {name} of {row['division']}"
    _refuse_existing(ops.select(conn, "teams", {"division_id": row["division_id"]}), "team_name", name, what)
    values = {
        "division_id": row["division_id"],
        "team_name": name,
        "group_id": _group_id(conn, row, group),
        "tag": tag if tag is None else _filled(tag, "tag"),
    }
    return _create(conn, "teams", "team", what, values)


def change_team(
    conn: psycopg.Connection,
    season: str,
    team: str,
    *,
    division: str | None = None,
    **fields: Unpack[TeamFields],
) -> Entered:
    """Change name, group or tag of a team.

    Raises:
        EntryError: when the name is taken, or there is no such team or group.
    """
    row = find_team(conn, season, team, division)
    return change_team_row(conn, row, **fields)


def change_team_row(conn: psycopg.Connection, row: Row, **fields: Unpack[TeamFields]) -> Entered:
    """Change a team that was found before; see `change_team`."""
    values: dict[str, Any] = {}
    if "name" in fields:
        values["team_name"] = _filled(fields["name"], "name")
    if "tag" in fields:
        values["tag"] = fields["tag"] if fields["tag"] is None else _filled(fields["tag"], "tag")
    if "group" in fields:
        [division] = ops.select(conn, "divisions", {"division_id": row["division_id"]})
        values["group_id"] = _group_id(conn, division, fields["group"])
    team = {name: row[name] for name in ("team_id", "team_name", "tag", "group_id")}
    return _change(conn, "teams", "team", f"team {row['team_name']}", team, values)


# --- rosters -------------------------------------------------------------------------------------


class RosterFields(TypedDict, total=False):
    """What may change of a roster entry; None in `valid_until` lets it go on."""

    player_name: str
    account_id: str | None
    role: str
    valid_from: date
    valid_until: date | None


def create_roster_entry(
    conn: psycopg.Connection,
    season: str,
    team: str,
    player: str,
    *,
    valid_from: date,
    valid_until: date | None = None,
    role: str = "player",
    account_id: str | None = None,
    division: str | None = None,
    look_up: LookUp = nobody,
) -> Entered:
    """Put a player on a team's roster, from a day to a day, both included.

    Args:
        player: in-game name, or account id.
        valid_until: last day; None while it goes on.
        account_id: the account, where it is known for certain; else it is looked up.

    Raises:
        EntryError: when a field is wrong, or the player is on the roster from that day already.
        RefusedEntryError: when the player is on a roster of the season on one of the days.
    """
    row = find_team(conn, season, team, division)
    known = player_of(player, account_id, look_up([player]))
    if find_roster_entry(conn, row, known, valid_from) is not None:
        told = f"{known.name} is on the roster of {row['team_name']} from {valid_from} already; `change` changes it."
        raise ExistsAlreadyError(told, "player")
    return enter_on_roster(conn, row, known, valid_from=valid_from, valid_until=valid_until, role=role)


def find_roster_entry(conn: psycopg.Connection, team: Row, player: Player, valid_from: date) -> Row | None:
    """The entry of a player on a team's roster that begins on a day, by account or by name."""
    return next((row for row in _entries_of(conn, team, player) if row["valid_from"] == valid_from), None)


def enter_on_roster(
    conn: psycopg.Connection,
    team: Row,
    player: Player,
    *,
    valid_from: date,
    valid_until: date | None = None,
    role: str = "player",
) -> Entered:
    """Write a new roster entry of a team that was found before; see `create_roster_entry`."""
    _in_order(valid_from, valid_until, ("valid_from", "valid_until"))
    values = {
        "team_id": team["team_id"],
        "player_name": player.name,
        "account_id": player.account_id,
        "role": one_of(role, ROLES, "role"),
        "valid_from": valid_from,
        "valid_until": valid_until,
    }
    what = f"{player.name} on the roster of {team['team_name']}, {_period(valid_from, valid_until)}"
    return _create(conn, "roster_entries", "roster entry", what, values, player.notes)


def _entries_of(conn: psycopg.Connection, team: Row, player: Player) -> list[Row]:
    """Entries of the team that are the player's: of the account, else of the name where an account is unknown."""
    found = ops.select(conn, "roster_entries", {"team_id": team["team_id"]})
    return [
        row
        for row in found
        if (
            row["account_id"] == player.account_id
            if row["account_id"] is not None and player.account_id is not None
            else row["player_name"].casefold() == player.name.casefold()
        )
    ]


def _only_entry(
    conn: psycopg.Connection, season: str, team: str, player: str, division: str | None, since: date | None
) -> tuple[Row, Row]:
    team_row = find_team(conn, season, team, division)
    wanted = Player(player, player if player.startswith("account.") else None)
    found = _entries_of(conn, team_row, wanted)
    if since is not None:
        found = [row for row in found if row["valid_from"] == since]
    if len(found) == 1:
        return team_row, found[0]
    if found:
        days = ", ".join(str(row["valid_from"]) for row in found)
        raise UnknownNameError(
            f"{player} is on the roster of {team_row['team_name']} several times, from {days}; say which.", "valid_from"
        )
    names = [row["player_name"] for row in ops.select(conn, "roster_entries", {"team_id": team_row["team_id"]})]
    on = f" from {since}" if since is not None else ""
    raise UnknownNameError(
        f"{player!r} is not on the roster of {team_row['team_name']}{on}; {_nearest(player, names)}", "player"
    )


def change_roster_entry(
    conn: psycopg.Connection,
    season: str,
    team: str,
    player: str,
    *,
    division: str | None = None,
    since: date | None = None,
    **fields: Unpack[RosterFields],
) -> Entered:
    """Change a roster entry: most often its last day.

    Args:
        player: name or account id.
        since: its first day as it is; needed only where the player has several entries in the team.

    Raises:
        EntryError: when there is no such entry, or a field is wrong.
        RefusedEntryError: when the player would be on two rosters on one day.
    """
    team_row, row = _only_entry(conn, season, team, player, division, since)
    return change_roster_row(conn, team_row, row, **fields)


def change_roster_row(
    conn: psycopg.Connection, team: Row, row: Row, *, notes: Sequence[str] = (), **fields: Unpack[RosterFields]
) -> Entered:
    """Change a roster entry that was found before; see `change_roster_entry`."""
    values: dict[str, Any] = dict(fields)
    if "role" in fields:
        one_of(fields["role"], ROLES, "role")
    if "player_name" in fields:
        values["player_name"] = _filled(fields["player_name"], "player_name")
    if fields.get("account_id") is not None:
        player_of(row["player_name"], fields.get("account_id"), Seen())
    merged = {**row, **values}
    _in_order(merged["valid_from"], merged["valid_until"], ("valid_from", "valid_until"))
    what = f"{row['player_name']} on the roster of {team['team_name']}"
    return _change(conn, "roster_entries", "roster entry", what, row, values, notes)


def remove_roster_entry(
    conn: psycopg.Connection,
    season: str,
    team: str,
    player: str,
    *,
    division: str | None = None,
    since: date | None = None,
) -> Entered:
    """Take back a roster entry that was a mistake; a player who leaves gets a last day instead.

    Raises:
        EntryError: when there is no such entry.
    """
    team_row, row = _only_entry(conn, season, team, player, division, since)
    ops.delete(conn, "roster_entries", {"roster_entry_id": row["roster_entry_id"]})
    period = _period(row["valid_from"], row["valid_until"])
    what = f"{row['player_name']} on the roster of {team_row['team_name']}, {period}"
    return Entered("roster entry", what, "removed")


# --- rounds --------------------------------------------------------------------------------------


class RoundFields(TypedDict, total=False):
    """What may change of a round."""

    name: str
    first_day: date
    last_day: date
    status: str


def create_round(
    conn: psycopg.Connection,
    season: str,
    division: str,
    number: int,
    *,
    first_day: date,
    last_day: date | None = None,
    group: str | None = None,
    name: str | None = None,
    status: str = "scheduled",
) -> Entered:
    """Create a round of a division, or of one of its groups.

    Args:
        last_day: the first day when None; both are days of the season's time zone.
        name: `Round <number>` when None.

    Raises:
        EntryError: when it exists, a field is wrong, or division or group do not exist.
    """
    row = find_division(conn, season, division)
    group_id = _group_id(conn, row, group)
    what = f"round {number} of {row['division']}" + (f", group {group}" if group is not None else "")
    place = {"division_id": row["division_id"], "group_id": group_id, "round_number": number}
    if ops.select(conn, "rounds", place):
        raise ExistsAlreadyError(f"{what[0].upper()}{what[1:]} exists already; `change` changes it.", "round")
    last_day = last_day or first_day
    _in_order(first_day, last_day, ("first_day", "last_day"))
    values = {
        **place,
        "round_name": _filled(name, "name") if name is not None else f"Round {number}",
        "first_day": first_day,
        "last_day": last_day,
        "status": one_of(status, ROUND_STATUSES, "status"),
    }
    return _create(conn, "rounds", "round", what, values, _shared_days(conn, {**values, "round_id": None}))


def change_round(
    conn: psycopg.Connection,
    season: str,
    division: str,
    number: int,
    *,
    group: str | None = None,
    **fields: Unpack[RoundFields],
) -> Entered:
    """Change name, days or status of a round; every status is remembered with its time.

    Raises:
        EntryError: when there is no such round, or a field is wrong.
    """
    season_row = find_season(conn, season)
    row = find_round(conn, _division_in(conn, season_row, division), number, group)
    values: dict[str, Any] = dict(fields)
    if "name" in values:
        values["round_name"] = _filled(values.pop("name"), "name")
    if "status" in fields:
        one_of(fields["status"], ROUND_STATUSES, "status")
    merged = {**row, **values}
    _in_order(merged["first_day"], merged["last_day"], ("first_day", "last_day"))
    notes = _shared_days(conn, merged) if {"first_day", "last_day"} & fields.keys() else []
    outside = [
        str(slot["match_number"])
        for slot in ops.select(conn, "scheduled_matches", {"round_id": row["round_id"]})
        if not merged["first_day"] <= _local_day(slot["scheduled_at"], season_row) <= merged["last_day"]
    ]
    if outside:
        notes.append(f"Outside its days now: match {', '.join(outside)}. Change their times too.")
    return _change(conn, "rounds", "round", f"round {number} of {division}", row, values, notes)


def _shared_days(conn: psycopg.Connection, round_row: Mapping[str, Any]) -> list[str]:
    """A note for every round that the same teams play on some of the days."""
    if round_row["status"] == "cancelled":
        return []
    return [
        f"It shares days with {other['round_name']} ({_period(other['first_day'], other['last_day'])}): "
        "only the schedule can tell whose a match of these days is."
        for other in ops.select(conn, "rounds", {"division_id": round_row["division_id"]})
        if other["round_id"] != round_row["round_id"]
        and other["status"] != "cancelled"
        and (other["group_id"] == round_row["group_id"] or None in (other["group_id"], round_row["group_id"]))
        and other["first_day"] <= round_row["last_day"]
        and round_row["first_day"] <= other["last_day"]
    ]


# --- schedule ------------------------------------------------------------------------------------


class SlotFields(TypedDict, total=False):
    """What may change of a slot; None takes it away."""

    scheduled_at: str
    map_name: str | None
    status: str
    original_match_id: str | None
    remake_reason: str | None


def create_slot(
    conn: psycopg.Connection,
    season: str,
    division: str,
    round_number: int,
    match_number: int,
    *,
    scheduled_at: str,
    group: str | None = None,
    time_zone: str | None = None,
    map_name: str | None = None,
    status: str = "scheduled",
    original_match_id: str | None = None,
    remake_reason: str | None = None,
) -> Entered:
    """Create a slot of a round's schedule.

    Args:
        scheduled_at: `2026-10-03 18:00` in the time zone, or with an offset of its own.
        time_zone: zone of the time; the season's when None.
        map_name: map in words or by id; None or `any` when any will do.
        original_match_id: the match that failed, which makes the slot a remake; so does a reason.

    Raises:
        EntryError: when it exists, a field is wrong, or the time is outside the round's days.
    """
    season_row = find_season(conn, season)
    round_row = find_round(conn, _division_in(conn, season_row, division), round_number, group)
    if ops.select(conn, "scheduled_matches", {"round_id": round_row["round_id"], "match_number": match_number}):
        told = f"Match {match_number} of {round_row['round_name']} exists already; `change` changes it."
        raise ExistsAlreadyError(told, "match")
    fields: SlotFields = {
        "scheduled_at": scheduled_at,
        "map_name": map_name,
        "status": status,
        "original_match_id": original_match_id,
        "remake_reason": remake_reason,
    }
    return enter_slot(conn, season_row, round_row, match_number, time_zone=time_zone, **fields)


def change_slot(
    conn: psycopg.Connection,
    season: str,
    division: str,
    round_number: int,
    match_number: int,
    *,
    group: str | None = None,
    time_zone: str | None = None,
    **fields: Unpack[SlotFields],
) -> Entered:
    """Change a slot: its time, its map, its status, or that it is played again.

    Raises:
        EntryError: when there is no such slot, or a field is wrong.
    """
    season_row = find_season(conn, season)
    round_row = find_round(conn, _division_in(conn, season_row, division), round_number, group)
    find_slot(conn, round_row, match_number)
    return enter_slot(conn, season_row, round_row, match_number, time_zone=time_zone, **fields)


def enter_slot(
    conn: psycopg.Connection,
    season: Row,
    round_row: Row,
    match_number: int,
    *,
    time_zone: str | None = None,
    **fields: Unpack[SlotFields],
) -> Entered:
    """Create the slot of a round that was found before, or set the given fields of it.

    Raises:
        EntryError: when a field is wrong, or the time is outside the round's days.
    """
    zone = zone_of(time_zone) if time_zone is not None else ZoneInfo(season["time_zone"])
    values: dict[str, Any] = dict(fields)
    notes: tuple[str, ...] = ()
    if "scheduled_at" in fields:
        values["scheduled_at"] = moment_of(fields["scheduled_at"], zone)
        _refuse_outside(values["scheduled_at"], season, round_row)
    if "map_name" in fields:
        values["map_name"], notes = map_named(fields["map_name"] or "any")
    if "status" in fields:
        one_of(fields["status"], SLOT_STATUSES, "status")
    if fields.get("original_match_id") is not None:
        checked_match_id(str(fields.get("original_match_id")), "original_match_id")
    if fields.get("remake_reason") is not None:
        values["remake_reason"] = _filled(str(fields.get("remake_reason")), "remake_reason")
    place = {"round_id": round_row["round_id"], "match_number": match_number}
    found = ops.select(conn, "scheduled_matches", place)
    if {"original_match_id", "remake_reason"} & fields.keys():
        merged = {"original_match_id": None, "remake_reason": None, **(found[0] if found else {}), **values}
        values["is_remake"] = merged["original_match_id"] is not None or merged["remake_reason"] is not None
    what = f"match {match_number} of {round_row['round_name']}"
    if found:
        return _change(conn, "scheduled_matches", "slot", what, found[0], values, notes)
    what += f", {local_times.written_local(values['scheduled_at'], ZoneInfo(season['time_zone']))}"
    return _create(conn, "scheduled_matches", "slot", what, {**place, **values}, notes)


def _refuse_outside(moment: datetime, season: Row, round_row: Row) -> None:
    day = _local_day(moment, season)
    if not round_row["first_day"] <= day <= round_row["last_day"]:
        period = _period(round_row["first_day"], round_row["last_day"])
        raise EntryError(
            f"{local_times.written_local(moment, ZoneInfo(season['time_zone']))} is outside {round_row['round_name']}, "
            f"which is {period}; change the time, or the round's days first.",
            "scheduled_at",
        )


def _local_day(moment: datetime, season: Row) -> date:
    return moment.astimezone(ZoneInfo(season["time_zone"])).date()


# --- overrides -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where an admin puts a match: in a round, and in one of its slots where `match_number` is given."""

    season: str
    division: str
    round_number: int
    match_number: int | None = None
    group: str | None = None


class OverrideFields(TypedDict, total=False):
    """What an admin decides of a match; None leaves the derived value."""

    is_tournament_match: bool | None
    place: Place | None
    validation_status: str | None


def create_override(
    conn: psycopg.Connection, match_id: str, *, reason: str, admin: str, **fields: Unpack[OverrideFields]
) -> Entered:
    """Decide something of a match; it wins over what is derived.

    Raises:
        EntryError: when nothing is decided, a field is wrong, or the match has an override.
    """
    checked_match_id(match_id, "match_id")
    if ops.select(conn, "match_overrides", {"match_id": match_id}):
        raise ExistsAlreadyError(f"Match {match_id} has an override already; `change` changes it.", "match_id")
    values = _override_values(conn, fields, reason, admin)
    _refuse_contradiction({"is_tournament_match": None, "round_id": None, "scheduled_match_id": None, **values})
    return _create(
        conn, "match_overrides", "override", f"override of match {match_id}", {"match_id": match_id, **values}
    )


def change_override(
    conn: psycopg.Connection, match_id: str, *, reason: str, admin: str, **fields: Unpack[OverrideFields]
) -> Entered:
    """Decide otherwise of a match; why and who are said again.

    Raises:
        EntryError: when the match has no override, or a field is wrong.
    """
    row = _override_of(conn, match_id)
    values = _override_values(conn, fields, reason, admin)
    _refuse_contradiction({**row, **values})
    return _change(conn, "match_overrides", "override", f"override of match {match_id}", row, values)


def remove_override(conn: psycopg.Connection, match_id: str) -> Entered:
    """Take an override back: what is derived holds again.

    Raises:
        EntryError: when the match has none.
    """
    _override_of(conn, match_id)
    ops.delete(conn, "match_overrides", {"match_id": match_id})
    return Entered("override", f"override of match {match_id}", "removed")


def _override_of(conn: psycopg.Connection, match_id: str) -> Row:
    found = ops.select(conn, "match_overrides", {"match_id": match_id})
    if not found:
        raise UnknownNameError(f"Match {match_id} has no override.", "match_id")
    return found[0]


def _override_values(conn: psycopg.Connection, fields: OverrideFields, reason: str, admin: str) -> dict[str, Any]:
    values: dict[str, Any] = {"reason": _filled(reason, "reason"), "admin": _filled(admin, "admin")}
    if "is_tournament_match" in fields:
        values["is_tournament_match"] = fields["is_tournament_match"]
    status = fields.get("validation_status")
    if "validation_status" in fields:
        values["validation_status"] = status if status is None else one_of(status, VALIDATION_STATUSES, "status")
    if "place" in fields:
        values |= _place_values(conn, fields["place"])
    return values


def _place_values(conn: psycopg.Connection, place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"round_id": None, "scheduled_match_id": None}
    division = find_division(conn, place.season, place.division)
    round_row = find_round(conn, division, place.round_number, place.group)
    slot = None if place.match_number is None else find_slot(conn, round_row, place.match_number)["scheduled_match_id"]
    return {"round_id": round_row["round_id"], "scheduled_match_id": slot}


def _refuse_contradiction(row: Mapping[str, Any]) -> None:
    deciding = ("is_tournament_match", "round_id", "scheduled_match_id", "validation_status")
    if all(row.get(name) is None for name in deciding):
        raise EntryError(
            "Nothing is decided: say whether it is a tournament match, its round or slot, or its status. "
            "To take an override back, remove it."
        )
    if row["is_tournament_match"] is False and row["round_id"] is not None:
        raise EntryError("A match that is no tournament match has no round and no slot.", "is_tournament_match")


# --- tracked players -----------------------------------------------------------------------------


class TrackedFields(TypedDict, total=False):
    """What may change of a tracked player."""

    player_name: str
    account_id: str
    is_active: bool
    backfill_days: int


def track_player(
    conn: psycopg.Connection,
    player: str,
    *,
    account_id: str | None = None,
    shard: str = "steam",
    backfill_days: int = BACKFILL_DAYS,
    is_active: bool = True,
    look_up: LookUp = nobody,
) -> Entered:
    """Track a player, given by name or account id: detail is published, history is taken up.

    Raises:
        EntryError: when a field is wrong, or the player is tracked already.
    """
    known = player_of(player, account_id, look_up([player]))
    row = find_tracked(conn, known, shard)
    if row is not None:
        state = "" if row["is_active"] else ", but inactive"
        name = row["player_name"] if row["player_name"] == known.name else f"{known.name} (as {row['player_name']})"
        raise ExistsAlreadyError(f"{name} is tracked already{state}; `change` changes it.", "player")
    return enter_tracked(conn, known, shard=shard, backfill_days=backfill_days, is_active=is_active)


def find_tracked(conn: psycopg.Connection, player: Player, shard: str) -> Row | None:
    """The tracked player of the account, else of the name where one of both accounts is unknown."""
    found = ops.select(conn, "tracked_players", {})
    if player.account_id is not None:
        for row in found:
            if row["account_id"] == player.account_id:
                return row
    named = [row for row in found if (row["player_name"], row["shard"]) == (player.name, shard)]
    unknown = [row for row in named if row["account_id"] is None]
    # By a name alone, whoever is tracked under it is meant; an account of its own is somebody else.
    return next(iter(unknown or ([] if player.account_id is not None else named)), None)


def enter_tracked(
    conn: psycopg.Connection,
    player: Player,
    *,
    shard: str = "steam",
    backfill_days: int = BACKFILL_DAYS,
    is_active: bool = True,
) -> Entered:
    """Write a new tracked player; see `track_player`."""
    if not re.fullmatch(r"[a-z0-9-]+", shard):
        raise EntryError(f"{shard!r} is no shard; write it as in steam, kakao, psn, xbox.", "shard")
    values = {
        "player_name": player.name,
        "account_id": player.account_id,
        "shard": shard,
        "backfill_days": _days(backfill_days),
        "is_active": is_active,
    }
    return _create(conn, "tracked_players", "tracked player", f"player {player.name} on {shard}", values, player.notes)


def change_tracked_player(
    conn: psycopg.Connection, player: str, *, shard: str | None = None, **fields: Unpack[TrackedFields]
) -> Entered:
    """Change a tracked player, given by name or account id; an inactive one keeps all data.

    Raises:
        EntryError: when nobody of that name is tracked, or more than one, or a field is wrong.
    """
    return change_tracked_row(conn, tracked_row(conn, player, shard=shard), **fields)


def tracked_row(conn: psycopg.Connection, player: str, *, shard: str | None = None) -> Row:
    """The row of a tracked player, given by name or account id.

    Raises:
        UnknownNameError: when nobody of that name is tracked, or more than one.
    """
    found = [
        row
        for row in ops.select(conn, "tracked_players", {})
        if player in (row["player_name"], row["account_id"]) and shard in (None, row["shard"])
    ]
    if not found:
        names = [row["player_name"] for row in ops.select(conn, "tracked_players", {})]
        raise UnknownNameError(f"No player {player!r} is tracked; {_nearest(player, names)}", "player")
    if len(found) > 1:
        which = ", ".join(f"{row['account_id'] or 'account unknown'} on {row['shard']}" for row in found)
        raise UnknownNameError(f"Several players named {player} are tracked ({which}); give the account id.", "player")
    return found[0]


def change_tracked_row(
    conn: psycopg.Connection, row: Row, *, notes: Sequence[str] = (), **fields: Unpack[TrackedFields]
) -> Entered:
    """Change a tracked player that was found before; see `change_tracked_player`."""
    values: dict[str, Any] = dict(fields)
    if "backfill_days" in fields:
        _days(fields["backfill_days"])
    if "player_name" in fields:
        values["player_name"] = _filled(fields["player_name"], "player_name")
    if "account_id" in fields:
        player_of(row["player_name"], fields["account_id"], Seen())
    return _change(conn, "tracked_players", "tracked player", f"player {row['player_name']}", row, values, notes)


def _days(days: int) -> int:
    if not 0 <= days <= 3650:
        raise EntryError(f"{days} days of history cannot be taken up; 0 to 3650 can.", "backfill_days")
    return days
