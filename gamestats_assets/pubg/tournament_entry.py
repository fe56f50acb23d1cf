"""What people enter for tournaments and tracked players, as functions on a connection.

People name things by their names: a season by its short name, a division, group or team by
its name (capitals do not matter for finding it), a round and a slot by their numbers. Every
function works in the transaction of its caller (see `lakehouse.ops.entering`), checks what it
is given, and tells what it did.
"""

from __future__ import annotations

import difflib
import functools
import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, TypedDict, Unpack
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.entries import Entered, EntryError, ExistsAlreadyError, UnknownNameError
from gamestats_assets.lakehouse.ops import Row
from gamestats_assets.pubg import local_times, reference
from gamestats_assets.pubg.context import DAY_BEGINS, day_of, is_time_zone
from gamestats_assets.pubg.local_times import LocalTimeError
from gamestats_assets.pubg.players import TAKEN
from gamestats_assets.pubg.tables import MatchSummaries, PlayerMatches, TournamentLineups
from gamestats_assets.pubg.tables.ops import ROUND_STATUSES, SLOT_STATUSES, TIE_BREAKERS, VALIDATION_STATUSES
from gamestats_assets.pubg.tables.rows import MATCH_ID

ROLES = ("player", "substitute", "stand_in")
BACKFILL_DAYS = 180
"""Days of history taken up of a player who is newly tracked, unless said otherwise."""

_SHORT_NAME = re.compile(r"[a-z0-9_.-]+")
_ACCOUNT = re.compile(r"account\.[0-9a-f]{32}")


class StillNeededError(EntryError):
    """Something is to be removed that something else refers to; the message tells what, and how to go on."""


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


HasLanded = Callable[[str], bool]
"""Whether anything of a match has landed."""


def any_match(match_id: str) -> bool:
    """The answer where it is not known which matches have landed."""
    return True


MatchesOf = Callable[[int], int]
"""Of a roster entry, by its number: in how many matches somebody played by it."""


def no_matches(roster_entry_id: int) -> int:
    """The answer where no match is known."""
    return 0


def matches_by_entry(lake: Lake, roster_entry_id: int) -> int:
    """In how many matches of the lake somebody played for a team by a roster entry."""
    of_entry = lake.scan(TournamentLineups).filter(pl.col("roster_entry_id") == roster_entry_id)
    return of_entry.select(pl.col("match_id").n_unique()).collect().item()


MatchesTaken = Callable[[str], int]
"""Of a tracked player, by account: how many matches were taken up."""


def nothing_taken(account_id: str) -> int:
    """The answer where nothing was taken up of anybody."""
    return 0


def matches_taken(lake: Lake, account_id: str) -> int:
    """How many matches the tables of a tracked player hold, or have processed."""
    held = lake.scan(PlayerMatches, [account_id]).select("match_id")
    taken = [lake.scan(ledger, [account_id]).select(match_id="unit_id") for ledger in TAKEN]
    return pl.concat([held, *taken]).select(pl.col("match_id").n_unique()).collect().item()


@dataclass(frozen=True, slots=True)
class Player:
    """A player as entered, and what is known by now."""

    name: str
    account_id: str | None
    notes: tuple[str, ...] = ()


def player_of(player: str, account_id: str | None, seen: Seen) -> Player:
    """Name and account of a player given by name, by account, or by both; an explicit account wins.

    Raises:
        EntryError: when the name cannot be one or the account is no account id.
    """
    player = _player_name(player, "player")
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
        raise UnknownNameError(f"There is a team {team!r} in {places}; say which with --division.", "division")
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
            f"Round {number} of {division['division']} is one of groups ({names}); "
            "say which with --group, in a file in the column group.",
            "group",
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


def _player_name(text: str, column: str) -> str:
    """A name that the API can be asked for: it takes several in one request, with commas between them."""
    name = _filled(text, column)
    if "," in name:
        raise EntryError(
            f"{name!r} has a comma, which no in-game name has, and the API cannot be asked for it; enter one player "
            "at a time, by the name as the game shows it or by account id.",
            column,
        )
    return name


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
    """A match id as matches have it: in small letters, without blanks around it.

    Raises:
        EntryError: when it can be none.
    """
    written = match_id.strip()
    if not re.fullmatch(MATCH_ID, written):
        raise EntryError(f"{match_id!r} is no match id; the API writes them with letters, digits and dashes.", column)
    return written.lower()


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
        return _known_zone(name)
    except LocalTimeError as error:
        raise EntryError(str(error), "time_zone") from None


@functools.cache
def _known_zone(name: str) -> ZoneInfo:
    # Listing the time zone database takes a while, and a schedule names its zone in every row.
    return local_times.time_zone(name)


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
    zone: ZoneInfo | None = None,
) -> Entered:
    """Set what differs; a row that has it all already is not written. Times are told in the zone, else in UTC."""
    differing = {name: value for name, value in values.items() if row[name] != value}
    if not differing:
        return Entered(kind, what, "unchanged", notes=tuple(notes))
    key = next(iter(row))
    ops.update(conn, table, {key: row[key]}, differing)
    zone = zone or ZoneInfo("UTC")
    changes = tuple(f"{name} {_told(row[name], zone)} -> {_told(value, zone)}" for name, value in differing.items())
    return Entered(kind, what, "changed", changes, tuple(notes))


def _told(value: Any, zone: ZoneInfo) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return local_times.written_local(value, zone) if isinstance(value, datetime) else str(value)


def _remove(
    conn: psycopg.Connection,
    table: str,
    kind: str,
    what: str,
    row: Row,
    needed_by: Iterable[_NeededBy] = (),
    notes: Sequence[str] = (),
) -> Entered:
    """Delete a row that nothing refers to."""
    needed_by = [one for one in needed_by if one.names]
    if needed_by:
        told = "; ".join(one.told() for one in needed_by)
        raise StillNeededError(f"{what[0].upper()}{what[1:]} cannot be removed while something refers to it: {told}")
    key = next(iter(row))
    ops.delete(conn, table, {key: row[key]})
    return Entered(kind, what, "removed", notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _NeededBy:
    """What refers to a row: of which kind, the names, and the command that ends it."""

    kind: str
    names: Sequence[str]
    advice: str

    def told(self) -> str:
        shown = ", ".join(self.names[:8]) + (f" and {len(self.names) - 8} more" if len(self.names) > 8 else "")
        plural = {"roster entry": "roster entries", "match": "matches"}.get(self.kind, f"{self.kind}s")
        kind = self.kind if len(self.names) == 1 else plural
        return f"{kind} {shown} ({self.advice})"


def _command(*words: object) -> str:
    return "gamestats tournament " + " ".join(shlex.quote(str(word)) for word in words)


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


def remove_season(conn: psycopg.Connection, season: str) -> Entered:
    """Take back a season that was a mistake.

    Raises:
        UnknownNameError: when there is none.
        StillNeededError: when it has divisions.
    """
    row = find_season(conn, season)
    divisions = [one["division"] for one in ops.select(conn, "divisions", {"season_id": row["season_id"]})]
    advice = _command("division", "remove", row["season"], "DIVISION")
    needed_by = [_NeededBy("division", divisions, advice)]
    return _remove(conn, "seasons", "season", f"season {row['season']}", row, needed_by)


def _season_values(fields: SeasonFields) -> dict[str, Any]:
    values: dict[str, Any] = dict(fields)
    if "name" in fields:
        values["name"] = _filled(fields["name"], "name")
    if "time_zone" in fields:
        zone = values["time_zone"] = zone_of(fields["time_zone"]).key
        if not is_time_zone(zone):
            raise EntryError(f"{zone} is a time zone that the tables cannot be read in; choose another.", "time_zone")
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


def remove_division(conn: psycopg.Connection, season: str, division: str) -> Entered:
    """Take back a division that was a mistake.

    Raises:
        UnknownNameError: when there is none.
        StillNeededError: when it has groups, teams or rounds.
    """
    season_row = find_season(conn, season)
    row = _division_in(conn, season_row, division)
    of_division, name = {"division_id": row["division_id"]}, season_row["season"]
    teams = [one["team_name"] for one in ops.select(conn, "teams", of_division)]
    rounds = [_number_told(conn, one) for one in ops.select(conn, "rounds", of_division)]
    groups = [one["group_name"] for one in ops.select(conn, "groups", of_division)]
    needed_by = [
        _NeededBy("team", teams, _command("team", "remove", name, "TEAM")),
        _NeededBy("round", rounds, _command("round", "remove", name, row["division"], "ROUND")),
        _NeededBy("group", groups, _command("group", "remove", name, row["division"], "GROUP")),
    ]
    return _remove(conn, "divisions", "division", f"division {row['division']} of season {name}", row, needed_by)


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


def remove_group(conn: psycopg.Connection, season: str, division: str, group: str) -> Entered:
    """Take back a group that was a mistake.

    Raises:
        UnknownNameError: when there is none.
        StillNeededError: when teams or rounds are of it.
    """
    season_row = find_season(conn, season)
    division_row = _division_in(conn, season_row, division)
    row = _group_in(conn, division_row, group)
    of_group, name = {"group_id": row["group_id"]}, season_row["season"]
    teams = [one["team_name"] for one in ops.select(conn, "teams", of_group)]
    rounds = [str(one["round_number"]) for one in ops.select(conn, "rounds", of_group)]
    of_round = (name, division_row["division"], "ROUND", "--group", row["group_name"])
    needed_by = [
        _NeededBy("team", teams, _command("team", "change", name, "TEAM", "--group", "none")),
        _NeededBy("round", rounds, _command("round", "remove", *of_round)),
    ]
    what = f"group {row['group_name']} of {division_row['division']}"
    return _remove(conn, "groups", "group", what, row, needed_by)


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


def remove_team(conn: psycopg.Connection, season: str, team: str, *, division: str | None = None) -> Entered:
    """Take back a team that was a mistake.

    Raises:
        UnknownNameError: when there is none.
        StillNeededError: when somebody is or was on its roster.
    """
    found = find_team(conn, season, team, division)
    row = {name: found[name] for name in ("team_id", "team_name", "division_id")}
    [of] = ops.select(conn, "divisions", {"division_id": row["division_id"]})
    names = [one["player_name"] for one in ops.select(conn, "roster_entries", {"team_id": row["team_id"]})]
    advice = _command("roster", "remove", find_season(conn, season)["season"], row["team_name"], "PLAYER")
    needed_by = [_NeededBy("roster entry", names, advice)]
    return _remove(conn, "teams", "team", f"team {row['team_name']} of {of['division']}", row, needed_by)


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
            f"{player} is on the roster of {team_row['team_name']} several times, from {days}; "
            f"say which by its first day: --since {found[-1]['valid_from']}",
            "valid_from",
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
        values["player_name"] = _player_name(fields["player_name"], "player_name")
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
    matches_of: MatchesOf = no_matches,
) -> Entered:
    """Take back a roster entry that was a mistake; a player who leaves gets a last day instead.

    Args:
        matches_of: in how many matches somebody played by the entry, which is told.

    Raises:
        EntryError: when there is no such entry.
    """
    team_row, row = _only_entry(conn, season, team, player, division, since)
    period = _period(row["valid_from"], row["valid_until"])
    what = f"{row['player_name']} on the roster of {team_row['team_name']}, {period}"
    notes: list[str] = []
    if played := matches_of(row["roster_entry_id"]):
        matches, they = ("1 match", "it is") if played == 1 else (f"{played} matches", "they are")
        notes.append(
            f"{row['player_name']} played {matches} for {team_row['team_name']} by this entry; "
            f"{they} counted anew without it. Who only leaves gets a last day: roster change ... --until DAY"
        )
    return _remove(conn, "roster_entries", "roster entry", what, row, notes=notes)


# --- rounds --------------------------------------------------------------------------------------


class RoundFields(TypedDict, total=False):
    """What may change of a round."""

    new_number: int
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
        last_day: the first day when None; both are days of the season's time zone, each until 5 in the morning.
        name: `Round <number>` when None.

    Raises:
        EntryError: when it exists, a field is wrong, or division or group do not exist.
    """
    row = find_division(conn, season, division)
    group_id = _group_id(conn, row, group)
    place = {"division_id": row["division_id"], "group_id": group_id, "round_number": number}
    what = f"round {number} of {row['division']}{_of_group(conn, place)}"
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
    """Change number, name, days or status of a round; every status is remembered with its time.

    Raises:
        EntryError: when there is no such round, or a field is wrong.
    """
    season_row = find_season(conn, season)
    division_row = _division_in(conn, season_row, division)
    row = find_round(conn, division_row, number, group)
    what = f"round {number} of {division_row['division']}{_of_group(conn, row)}"
    values: dict[str, Any] = dict(fields)
    if "new_number" in values:
        values["round_number"] = values.pop("new_number")
        _refuse_taken(conn, "rounds", row, "round_number", values["round_number"], what)
        if row["round_name"] == f"Round {number}":
            values["round_name"] = f"Round {values['round_number']}"
    if "name" in values:
        values["round_name"] = _filled(values.pop("name"), "name")
    if "status" in fields:
        one_of(fields["status"], ROUND_STATUSES, "status")
    merged = {**row, **values}
    _in_order(merged["first_day"], merged["last_day"], ("first_day", "last_day"))
    notes: list[str] = []
    if {"first_day", "last_day"} & fields.keys():
        notes += _shared_days(conn, merged)
        if outside := _outside(conn, season_row, merged):
            told = f"Outside its days now: match {', '.join(outside)}."
            notes.append(f"{told} Change their times too, unless they are postponed.")
    if row["group_id"] is None and (names := _groups_with(conn, division_row, row["round_number"])):
        has = "has a round" if len(names) == 1 else "have rounds"
        notes.append(f"Group {', '.join(names)} {has} {number} too; --group means that one.")
    return _change(conn, "rounds", "round", what, row, values, notes)


def remove_round(
    conn: psycopg.Connection, season: str, division: str, number: int, *, group: str | None = None
) -> Entered:
    """Take back a round that was a mistake; one that is not played gets the status cancelled instead.

    Raises:
        UnknownNameError: when there is none.
        StillNeededError: when it has a schedule, or an override names it.
    """
    season_row = find_season(conn, season)
    division_row = _division_in(conn, season_row, division)
    row = find_round(conn, division_row, number, group)
    slots = ops.select(conn, "scheduled_matches", {"round_id": row["round_id"]})
    overrides = ops.select(conn, "match_overrides", {"round_id": row["round_id"]})
    where = (season_row["season"], division_row["division"], number)
    of_group = () if row["group_id"] is None else ("--group", group)
    numbers = [str(slot["match_number"]) for slot in slots]
    needed_by = [
        _NeededBy("match", numbers, _command("schedule", "remove", *where, "MATCH", *of_group)),
        _overrides_naming(overrides),
    ]
    what = f"round {number} of {division_row['division']}{_of_group(conn, row)}"
    has_begun = row["first_day"] <= datetime.now(UTC).date()
    return _remove(conn, "rounds", "round", what, row, needed_by, [_PLACED_ANEW] if has_begun else [])


_PLACED_ANEW = "If matches were placed there, they are placed anew."


def _overrides_naming(overrides: Sequence[Row]) -> _NeededBy:
    advice = _command("override", "remove", "MATCH_ID") + ", or change it"
    return _NeededBy("override", [f"of match {row['match_id']}" for row in overrides], advice)


def _refuse_taken(conn: psycopg.Connection, table: str, row: Row, column: str, number: int, what: str) -> None:
    """Refuse a number that another row of the same place has."""
    if number < 1:
        raise EntryError(f"{number} is no number of a round or match; they count from 1.", "new_number")
    place = ("division_id", "group_id") if table == "rounds" else ("round_id",)
    key = next(iter(row))
    found = ops.select(conn, table, {**{name: row[name] for name in place}, column: number})
    if any(other[key] != row[key] for other in found):
        told = what.replace(str(row[column]), str(number), 1)
        raise ExistsAlreadyError(
            f"{told[0].upper()}{told[1:]} exists already; give it another number first, or remove it.", "new_number"
        )


def _of_group(conn: psycopg.Connection, round_row: Mapping[str, Any]) -> str:
    """For whom a round is, where its division has groups: `, group A` or `, all groups`."""
    groups = ops.select(conn, "groups", {"division_id": round_row["division_id"]})
    if round_row["group_id"] is None:
        return ", all groups" if groups else ""
    return f", group {next(row['group_name'] for row in groups if row['group_id'] == round_row['group_id'])}"


def _number_told(conn: psycopg.Connection, round_row: Row) -> str:
    return f"{round_row['round_number']}{_of_group(conn, round_row).replace(',', ' of')}"


def _groups_with(conn: psycopg.Connection, division: Row, number: int) -> list[str]:
    """Names of the groups that have a round of the number."""
    rounds = ops.select(conn, "rounds", {"division_id": division["division_id"], "round_number": number})
    having = {row["group_id"] for row in rounds}
    groups = ops.select(conn, "groups", {"division_id": division["division_id"]})
    return [row["group_name"] for row in groups if row["group_id"] in having]


def _outside(conn: psycopg.Connection, season: Row, round_row: Mapping[str, Any]) -> list[str]:
    """Numbers of the round's slots that are on none of its days."""
    slots = ops.select(conn, "scheduled_matches", {"round_id": round_row["round_id"]})
    if not slots:
        return []
    zone = zone_of_season(season)
    return [
        str(slot["match_number"])
        for slot in slots
        if not round_row["first_day"] <= day_of(slot["scheduled_at"], zone) <= round_row["last_day"]
    ]


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

    new_number: int
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
    has_landed: HasLanded = any_match,
) -> Entered:
    """Create a slot of a round's schedule.

    Args:
        scheduled_at: `2026-10-03 18:00` in the time zone, or with an offset of its own.
        time_zone: zone of the time; the season's when None.
        map_name: map in words or by id; None or `any` when any will do.
        original_match_id: the match that failed, which makes the slot a remake and needs a reason.
        remake_reason: why a match is played again; it makes the slot a remake too.
        has_landed: tells whether there is such a match; one that is still to come may be named too.

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
    done = enter_slot(conn, season_row, round_row, match_number, time_zone=time_zone, has_landed=has_landed, **fields)
    return _with_notes(done, at_the_same_time(conn, season_row, round_row, match_number))


def change_slot(
    conn: psycopg.Connection,
    season: str,
    division: str,
    round_number: int,
    match_number: int,
    *,
    group: str | None = None,
    time_zone: str | None = None,
    postponed: bool = False,
    has_landed: HasLanded = any_match,
    **fields: Unpack[SlotFields],
) -> Entered:
    """Change a slot: its number, its time, its map, its status, or that it is played again.

    Args:
        postponed: take a time outside the round's days; the match counts for the round all the same.

    Raises:
        EntryError: when there is no such slot, or a field is wrong.
    """
    season_row = find_season(conn, season)
    round_row = find_round(conn, _division_in(conn, season_row, division), round_number, group)
    find_slot(conn, round_row, match_number)
    done = enter_slot(
        conn,
        season_row,
        round_row,
        match_number,
        time_zone=time_zone,
        postponed=postponed,
        has_landed=has_landed,
        **fields,
    )
    if not {"scheduled_at", "status"} & fields.keys():
        return done
    number = fields.get("new_number", match_number)
    return _with_notes(done, at_the_same_time(conn, season_row, round_row, number))


def remove_slot(
    conn: psycopg.Connection,
    season: str,
    division: str,
    round_number: int,
    match_number: int,
    *,
    group: str | None = None,
) -> Entered:
    """Take back a slot that was a mistake; a match that is not played gets the status cancelled instead.

    Raises:
        UnknownNameError: when there is none.
        StillNeededError: when an override names it.
    """
    season_row = find_season(conn, season)
    round_row = find_round(conn, _division_in(conn, season_row, division), round_number, group)
    row = find_slot(conn, round_row, match_number)
    overrides = ops.select(conn, "match_overrides", {"scheduled_match_id": row["scheduled_match_id"]})
    what = f"match {match_number} of {round_row['round_name']}{_of_group(conn, round_row)}"
    notes = [_PLACED_ANEW] if row["scheduled_at"] <= datetime.now(UTC) else []
    return _remove(conn, "scheduled_matches", "slot", what, row, [_overrides_naming(overrides)], notes)


def enter_slot(
    conn: psycopg.Connection,
    season: Row,
    round_row: Row,
    match_number: int,
    *,
    time_zone: str | None = None,
    postponed: bool = False,
    has_landed: HasLanded = any_match,
    **fields: Unpack[SlotFields],
) -> Entered:
    """Create the slot of a round that was found before, or set the given fields of it.

    Slots at the same time are not told here, see `at_the_same_time`: the next one entered may leave it.

    Raises:
        EntryError: when a field is wrong, or the time is outside the round's days and the slot not postponed.
    """
    of_season = zone_of_season(season)
    zone = zone_of(time_zone) if time_zone is not None else of_season
    place = {"round_id": round_row["round_id"], "match_number": match_number}
    found = next(iter(ops.select(conn, "scheduled_matches", place)), None)
    what = f"match {match_number} of {round_row['round_name']}{_of_group(conn, round_row)}"
    values: dict[str, Any] = dict(fields)
    notes: list[str] = []
    if "new_number" in values:
        values["match_number"] = values.pop("new_number")
        if found is not None:
            _refuse_taken(conn, "scheduled_matches", found, "match_number", values["match_number"], what)
    if "scheduled_at" in fields:
        values["scheduled_at"] = moment_of(fields["scheduled_at"], zone)
        notes += _outside_round(values["scheduled_at"], of_season, round_row, found, postponed=postponed)
    if "map_name" in fields:
        values["map_name"], told = map_named(fields["map_name"] or "any")
        notes += told
    if "status" in fields:
        one_of(fields["status"], SLOT_STATUSES, "status")
    if {"original_match_id", "remake_reason"} & fields.keys():
        values |= _remake_values(values, found)
        original: str | None = values["original_match_id"]
        is_known = original is None or (found is not None and found["original_match_id"] == original)
        if original is not None and not is_known and not has_landed(original):
            notes.append(f"No match {original} has landed; if the id is right, one that is to land counts as failed.")
    if found is not None:
        return _change(conn, "scheduled_matches", "slot", what, found, values, notes, of_season)
    what += f", {local_times.written_local(values['scheduled_at'], of_season)}"
    return _create(conn, "scheduled_matches", "slot", what, {**place, **values}, notes)


def _remake_values(given: Mapping[str, Any], found: Row | None) -> dict[str, Any]:
    """What makes a slot a remake, of what is given and what it has."""
    merged = {name: given[name] if name in given else (found or {}).get(name) for name in _REMAKE}
    if merged["original_match_id"] is not None:
        merged["original_match_id"] = checked_match_id(merged["original_match_id"], "original_match_id")
    if merged["remake_reason"] is not None:
        merged["remake_reason"] = _filled(merged["remake_reason"], "remake_reason")
    elif merged["original_match_id"] is not None:
        raise EntryError(
            f"Say why match {merged['original_match_id']} is played again: with --remake-reason, "
            "in a file in the column remake_reason.",
            "remake_reason",
        )
    return {**merged, "is_remake": any(value is not None for value in merged.values())}


_REMAKE = ("original_match_id", "remake_reason")


def _outside_round(
    moment: datetime, zone: ZoneInfo, round_row: Row, found: Row | None, *, postponed: bool
) -> list[str]:
    """Refuse a time outside the round's days, unless it is the slot's by now or that of a postponed match.

    Returns:
        What to tell of a postponed match.
    """
    day = day_of(moment, zone)
    if round_row["first_day"] <= day <= round_row["last_day"]:
        return []
    if found is not None and found["scheduled_at"] == moment:
        return []
    if found is not None and postponed:
        return [f"It counts for {round_row['round_name']}, though {day} is none of its days."]
    hour = (datetime.min + DAY_BEGINS).strftime("%H:%M")
    night = f": before {hour} it is still the evening of {day}" if day != moment.astimezone(zone).date() else ""
    advice = "change the time, or the round's days first"
    if found is not None:
        advice = (
            "change the time, or the round's days; or, where the match is postponed and still counts for this round, "
            "say so: gamestats tournament schedule change ... --postponed"
        )
    raise EntryError(
        f"{local_times.written_local(moment, zone)} is outside {round_row['round_name']}, "
        f"which is {_period(round_row['first_day'], round_row['last_day'])}{night}; {advice}.",
        "scheduled_at",
    )


def at_the_same_time(
    conn: psycopg.Connection, season: Row, round_row: Row, match_number: int | None = None
) -> list[str]:
    """A note for every time that several slots of a round have, or that a slot of it shares with others."""
    slots: defaultdict[datetime, list[int]] = defaultdict(list)
    for slot in ops.select(conn, "scheduled_matches", {"round_id": round_row["round_id"]}):
        if slot["status"] != "cancelled":
            slots[slot["scheduled_at"]].append(slot["match_number"])
    zone = zone_of_season(season)
    return [
        f"Matches {', '.join(map(str, sorted(numbers)))} of {round_row['round_name']}{_of_group(conn, round_row)} are "
        f"at the same time, {local_times.written_local(moment, zone)}: only its map can tell which of them a match is."
        for moment, numbers in sorted(slots.items())
        if len(numbers) > 1 and match_number in (None, *numbers)
    ]


def _with_notes(done: Entered, notes: Sequence[str]) -> Entered:
    return replace(done, notes=(*done.notes, *notes))


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
    conn: psycopg.Connection,
    match_id: str,
    *,
    reason: str,
    admin: str,
    has_landed: HasLanded = any_match,
    **fields: Unpack[OverrideFields],
) -> Entered:
    """Decide something of a match; it wins over what is derived.

    Args:
        has_landed: tells whether there is such a match; one that is still to come may be overridden too.

    Raises:
        EntryError: when nothing is decided, a field is wrong, or the match has an override.
    """
    match_id = checked_match_id(match_id, "match_id")
    if ops.select(conn, "match_overrides", {"match_id": match_id}):
        raise ExistsAlreadyError(f"Match {match_id} has an override already; `change` changes it.", "match_id")
    values = _override_values(conn, fields, reason, admin)
    _refuse_contradiction({"is_tournament_match": None, "round_id": None, "scheduled_match_id": None, **values})
    notes = () if has_landed(match_id) else (f"No match {match_id} has landed; the override waits for one.",)
    what = f"override of match {match_id}"
    return _create(conn, "match_overrides", "override", what, {"match_id": match_id, **values}, notes)


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
    return _change(conn, "match_overrides", "override", f"override of match {row['match_id']}", row, values)


def remove_override(conn: psycopg.Connection, match_id: str) -> Entered:
    """Take an override back: what is derived holds again.

    Raises:
        EntryError: when the match has none.
    """
    row = _override_of(conn, match_id)
    ops.delete(conn, "match_overrides", {"match_id": row["match_id"]})
    return Entered("override", f"override of match {row['match_id']}", "removed")


def _override_of(conn: psycopg.Connection, match_id: str) -> Row:
    match_id = match_id.strip()
    # As written first: an id with capitals may stand beside one without, entered before they were written small.
    found = [
        row
        for written in (match_id, match_id.lower())
        for row in ops.select(conn, "match_overrides", {"match_id": written})
    ]
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


def remove_tracked_player(
    conn: psycopg.Connection, player: str, *, shard: str | None = None, taken: MatchesTaken = nothing_taken
) -> Entered:
    """Take back a tracked player who was a mistake, with the backfills asked for.

    Args:
        taken: how many matches were taken up of an account.

    Raises:
        UnknownNameError: when nobody of that name is tracked, or more than one.
        StillNeededError: when something was taken up: whoever has data stays, if inactive.
    """
    row = tracked_row(conn, player, shard=shard)
    what = f"player {row['player_name']} on {row['shard']}"
    if row["account_id"] is not None and (matches := taken(row["account_id"])):
        told = "1 match was" if matches == 1 else f"{matches} matches were"
        raise StillNeededError(
            f"{row['player_name']} on {row['shard']} cannot be removed: {told} taken up already. Make the player "
            "inactive, which keeps them and takes up no more: "
            f"gamestats players change {shlex.quote(player)} --inactive",
            "player",
        )
    number = row["tracked_player_id"]
    # PostgreSQL cannot look into the tables that hold what was taken up, and believes whoever has.
    ops.rows(conn, "SELECT set_config('gamestats.nothing_taken_of', %s, true)", [str(number)])
    ops.delete(conn, "backfills", {"tracked_player_id": number})
    return _remove(conn, "tracked_players", "tracked player", what, row)


def change_tracked_row(
    conn: psycopg.Connection, row: Row, *, notes: Sequence[str] = (), **fields: Unpack[TrackedFields]
) -> Entered:
    """Change a tracked player that was found before; see `change_tracked_player`."""
    values: dict[str, Any] = dict(fields)
    if "backfill_days" in fields:
        _days(fields["backfill_days"])
    if "player_name" in fields:
        values["player_name"] = _player_name(fields["player_name"], "player_name")
    if "account_id" in fields:
        player_of(row["player_name"], fields["account_id"], Seen())
    return _change(conn, "tracked_players", "tracked player", f"player {row['player_name']}", row, values, notes)


def _days(days: int) -> int:
    if not 0 <= days <= 3650:
        raise EntryError(f"{days} days of history cannot be taken up; 0 to 3650 can.", "backfill_days")
    return days
