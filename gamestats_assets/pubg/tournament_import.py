"""CSV files of what people enter: rosters with their teams, schedules, tracked players.

A file is taken whole or not at all. Every mistake is found and told with its row, counted as
spreadsheets count them (the heading is row 1), and its column. What a file says of something
that is entered already is changed; an empty cell, and what no row names, is left as it is. So
taking the same file again changes nothing.

Files are UTF-8, with commas, semicolons or tabs between the cells.
"""

from __future__ import annotations

import csv
import difflib
import functools
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from gamestats_assets.lakehouse.entries import Entered, EntryError
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.ops import RefusedEntryError, Row
from gamestats_assets.pubg import local_times
from gamestats_assets.pubg import tournament_entry as entry
from gamestats_assets.pubg.local_times import LocalTimeError
from gamestats_assets.pubg.tables.ops import SLOT_STATUSES
from gamestats_assets.pubg.tournament_entry import HasLanded, LookUp, Seen, any_match, nobody

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column:
    """A column a file may have."""

    name: str
    told: str
    required: bool = False


ROSTER_COLUMNS = (
    Column("division", "its name", required=True),
    Column("group", "the team's group; empty where the division has none"),
    Column("team", "its name; made when there is none of that name", required=True),
    Column("tag", "short form before players' names"),
    Column("player", "in-game name with its capitals, or account id", required=True),
    Column("account_id", "account of the name, where known for certain; else matches tell it"),
    Column("role", "player, substitute or stand_in; player when empty"),
    Column("valid_from", "first day, 2026-10-03; --valid-from when empty"),
    Column("valid_until", "last day; empty while it goes on"),
)
SCHEDULE_COLUMNS = (
    Column("division", "its name", required=True),
    Column("group", "its name, where the round is one of a group"),
    Column("round", "number of the round", required=True),
    Column("match", "number within the round", required=True),
    Column("scheduled_at", "start, 2026-10-03 18:00, or with an offset, 2026-10-03 18:00+02:00", required=True),
    Column("time_zone", "zone of the time, Europe/Berlin; the season's when empty"),
    Column("map", "in words, Erangel, or by id; empty or any when any will do"),
    Column("status", "scheduled, active, completed or cancelled; scheduled when empty"),
    Column("original_match_id", "of a remake: id of the match that failed"),
    Column("remake_reason", "of a remake: why it is played again; needed with original_match_id"),
)
PLAYER_COLUMNS = (
    Column("player", "in-game name with its capitals, or account id", required=True),
    Column("account_id", "account of the name, where known for certain; else matches tell it"),
    Column("shard", "platform; steam when empty"),
    Column("backfill_days", "days of history to take up; 180 when empty"),
    Column("active", "yes or no; yes when empty"),
)


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """Something wrong in a file.

    Attributes:
        row: row of the file as spreadsheets count, the heading being 1.
        column: column of the file; empty when the row as a whole is wrong.
        message: what is wrong, and what to write.
    """

    row: int
    column: str
    message: str


class ImportRefusedError(GamestatsError):
    """A file has mistakes; nothing of it was taken.

    Attributes:
        mistakes: all of them, in the order of the rows. The message tells one that several rows have once.
    """

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        number = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = "\n".join(f"- {line}" for line in _lines(self.mistakes))
        super().__init__(f"{path.name} has {number}; nothing of it was taken.\n{lines}")


def _lines(mistakes: Sequence[Mistake]) -> Iterator[str]:
    """A line for a person of every mistake, with all rows that have it, in the order of the first of them."""
    rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for mistake in mistakes:
        rows[mistake.column, mistake.message].append(mistake.row)
    for (column, message), numbers in rows.items():
        yield f"{_rows_told(numbers)}{f', {column}' if column else ''}: {message}"


def _rows_told(rows: Sequence[int]) -> str:
    """Rows in order, as in `row 2` or `rows 2 to 9, 12`."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row <= spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    told = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
    return f"row {told}" if len(rows) == 1 else f"rows {told}"


@dataclass(frozen=True, slots=True)
class Import:
    """What a file did, entry by entry, and what the person should know of them together."""

    rows: int
    entered: tuple[Entered, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Number of entries by (kind, outcome)."""
        return dict(Counter((done.kind, done.outcome) for done in self.entered))


# --- reading a file ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row of a file. A cell that cannot be read is a mistake, and reads as None."""

    row: int
    values: Mapping[str, str]
    mistakes: list[Mistake]

    def wrong(self, column: str, message: str) -> None:
        self.mistakes.append(Mistake(self.row, column, message))

    def text(self, column: str) -> str | None:
        return self.values.get(column) or None

    def required(self, column: str) -> str:
        text = self.text(column)
        if text is None:
            self.wrong(column, "is empty.")
        return text or ""

    def whole(self, column: str, least: int, *, required: bool = False) -> int | None:
        text = self.required(column) if required else self.text(column)
        return self._read(column, lambda: _whole(text, least)) if text else None

    def day(self, column: str) -> date | None:
        text = self.text(column)
        return None if text is None else self._read(column, lambda: local_times.day(text))

    def one_of(self, column: str, allowed: Sequence[str]) -> str | None:
        text = self.text(column)
        return None if text is None else self._read(column, lambda: entry.one_of(text, allowed, column))

    def _read(self, column: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (EntryError, LocalTimeError) as error:
            self.wrong(column, str(error))
            return None

    @property
    def are_right(self) -> bool:
        return all(mistake.row != self.row for mistake in self.mistakes)

    @contextmanager
    def entering(self, columns: Mapping[str, str], refused: str | None) -> Iterator[None]:
        """What cannot be entered is a mistake of this row, in the column of that name in the file.

        What PostgreSQL refuses is one in the column `refused`; without that it is raised.
        """
        try:
            yield
        except EntryError as error:
            self.wrong(columns.get(error.column, error.column), str(error))
        except RefusedEntryError as error:
            if refused is None:
                raise
            self.wrong(refused, str(error))


def _whole(text: str, least: int) -> int:
    # A spreadsheet may write 3 as 3.0; more digits than these are no number of anything here.
    digits = text.removesuffix(".0")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 7 and int(digits) >= least):
        raise EntryError(f"{text!r} is no whole number from {least} on.")
    return int(digits)


def _read(path: Path, columns: Sequence[Column], mistakes: list[Mistake]) -> list[_Cells]:
    """The rows that are not blank; mistakes of the file itself are told at once."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        told = "the file is not UTF-8; save it as `CSV UTF-8`."
        raise ImportRefusedError(path, [Mistake(1, "", told)]) from None
    heading = text.split("\n", 1)[0]
    separator = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[list[str]] = []
    try:
        # A list that gamestats wrote has a ' before a text such as -Alpha-, lest a spreadsheet computes it.
        lines.extend([re.sub(r"^'(?=[=+@-])", "", cell.strip()) for cell in line] for line in reader)
    except csv.Error as error:
        raise ImportRefusedError(path, [Mistake(len(lines) + 1, "", f"cannot be read as CSV: {error}.")]) from None
    names = [name.lower() for name in lines[0]] if lines else []
    if wrong := list(_wrong_heading(names, columns)):
        raise ImportRefusedError(path, wrong)
    rows: list[_Cells] = []
    for number, line in enumerate(lines[1:], 2):
        if not any(line):
            continue
        if any(line[len(names) :]):
            mistakes.append(Mistake(number, "", f"has {len(line)} cells, the heading has {len(names)}."))
            continue
        rows.append(_Cells(number, dict(zip(names, line, strict=False)), mistakes))
    return rows


def _wrong_heading(names: Sequence[str], columns: Sequence[Column]) -> Iterator[Mistake]:
    known = [column.name for column in columns]
    for column in columns:
        if column.required and column.name not in names:
            yield Mistake(1, column.name, "this column is missing.")
    for name, times in Counter(filter(None, names)).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            told = f"did you mean {near[0]}?" if near else f"there may be {', '.join(known)}."
            yield Mistake(1, name, f"no such column is known; {told}")
        elif times > 1:
            yield Mistake(1, name, f"stands {times} times in the heading.")


@contextmanager
def _whole_or_nothing(
    conn: psycopg.Connection, path: Path, mistakes: list[Mistake], *, dry_run: bool
) -> Iterator[None]:
    with conn.transaction(force_rollback=dry_run):
        yield
        if mistakes:
            raise ImportRefusedError(path, mistakes)


def _refuse_second(seen: dict[Any, int], key: Any, cells: _Cells, column: str, what: str) -> bool:
    first = seen.setdefault(key, cells.row)
    if first != cells.row:
        cells.wrong(column, f"{what} stands in row {first} already.")
    return first == cells.row


# --- rosters -------------------------------------------------------------------------------------


def import_rosters(
    conn: psycopg.Connection,
    season: str,
    path: Path,
    *,
    valid_from: date | None = None,
    look_up: LookUp = nobody,
    dry_run: bool = False,
) -> Import:
    """Take teams and their rosters from a CSV file with the columns `ROSTER_COLUMNS`.

    Divisions and groups must be there; teams are made. Players are recognised by account or
    name and their first day. The order of the rows does not matter.

    Args:
        valid_from: first day of the rows that give none.
        look_up: where accounts of names are looked up.
        dry_run: find the mistakes and tell what would be done, and do nothing.

    Raises:
        ImportRefusedError: when there is a mistake; it lists all of them.
        UnknownNameError: when there is no such season.
    """
    entry.find_season(conn, season)
    mistakes: list[Mistake] = []
    entered: list[Entered] = []
    with _whole_or_nothing(conn, path, mistakes, dry_run=dry_run):
        rows = _read(path, ROSTER_COLUMNS, mistakes)
        seen = look_up([cells.values["player"] for cells in rows if cells.values.get("player")])
        teams, people = _Teams(conn, season), {}
        writes: list[_Write] = []
        for cells in rows:
            division, name = cells.required("division"), cells.required("team")
            player, role = cells.required("player"), cells.one_of("role", entry.ROLES)
            first, last = cells.day("valid_from"), cells.day("valid_until")
            if cells.text("valid_from") is None:
                first = valid_from
                if first is None:
                    cells.wrong("valid_from", "is empty; write the first day, or give one for all with --valid-from.")
            team = None
            if division and name:
                with cells.entering({"name": "team"}, "team"):
                    team = teams.row_of(cells, division, name, entered)
            known = None
            if player:
                with cells.entering({}, "player"):
                    known = entry.player_of(player, cells.text("account_id"), seen)
            if team is None or known is None or first is None or not cells.are_right:
                continue
            person = (team["team_id"], known.account_id or known.name.casefold(), first)
            told = f"{known.name} from {first}"
            if not _refuse_second(people, person, cells, "player", told):
                continue
            writes.append((cells, functools.partial(_on_roster, conn, team, known, first, last, role)))
        entered += _in_any_order(writes)
    return Import(len(rows), tuple(entered))


_Write = tuple[_Cells, Callable[[], Entered]]


def _in_any_order(writes: Sequence[_Write]) -> list[Entered]:
    """Write rosters' rows. One that is refused may wait for another, which ends what it begins anew."""
    entered: list[Entered] = []
    waiting: Sequence[_Write] = writes
    while waiting:
        refused: list[tuple[_Write, RefusedEntryError]] = []
        for cells, write in waiting:
            try:
                with cells.entering({"player_name": "player"}, None):
                    entered.append(write())
            except RefusedEntryError as error:
                refused.append(((cells, write), error))
        if len(refused) == len(waiting):
            for (cells, _), error in refused:
                cells.wrong("player", str(error))
            break
        waiting = [each for each, _ in refused]
    return entered


class _Teams:
    """The teams that a file names, each created or changed at its first row."""

    def __init__(self, conn: psycopg.Connection, season: str) -> None:
        self._conn, self._season = conn, season
        self._rows: dict[tuple[str, str], Row] = {}
        self._said: dict[tuple[str, str, str], tuple[str, int]] = {}

    def row_of(self, cells: _Cells, division: str, name: str, entered: list[Entered]) -> Row | None:
        """The team of a row; what the row says of the team must be what rows before said."""
        key = (division.casefold(), name.casefold())
        for column in ("group", "tag"):
            text = cells.text(column)
            said, row = self._said.setdefault((*key, column), (text, cells.row)) if text else (None, 0)
            if said != text:
                cells.wrong(column, f"{text!r} is not what row {row} says of {name}: {said!r}.")
                return None
        given = {column: cells.text(column) for column in ("group", "tag") if cells.text(column)}
        if key in self._rows and not given:
            return self._rows[key]
        found = self._find(division, name)
        if found is None:
            entered.append(entry.create_team(self._conn, self._season, division, name, **given))
        elif key not in self._rows or given:
            done = entry.change_team_row(self._conn, found, **given)  # type: ignore[arg-type]
            if key not in self._rows or done.outcome == "changed":
                entered.append(done)
        self._rows[key] = entry.find_team(self._conn, self._season, name, division)
        return self._rows[key]

    def _find(self, division: str, name: str) -> Row | None:
        entry.find_division(self._conn, self._season, division)
        try:
            return entry.find_team(self._conn, self._season, name, division)
        except entry.UnknownNameError:
            return None


def _on_roster(
    conn: psycopg.Connection, team: Row, player: entry.Player, first: date, last: date | None, role: str | None
) -> Entered:
    found = entry.find_roster_entry(conn, team, player, first)
    if found is None:
        return entry.enter_on_roster(conn, team, player, valid_from=first, valid_until=last, role=role or "player")
    fields: entry.RosterFields = {}
    if player.account_id is not None:
        fields["account_id"] = player.account_id
    if role is not None:
        fields["role"] = role
    if last is not None:
        fields["valid_until"] = last
    return entry.change_roster_row(conn, team, found, **fields)


# --- schedule ------------------------------------------------------------------------------------


def import_schedule(
    conn: psycopg.Connection,
    season: str,
    path: Path,
    *,
    has_landed: HasLanded = any_match,
    dry_run: bool = False,
) -> Import:
    """Take slots from a CSV file with the columns `SCHEDULE_COLUMNS`; the rounds must be there.

    A time outside the round's days is refused, unless the slot has it already: a file cannot postpone a match.

    Args:
        has_landed: tells whether there is a match that a remake names as failed.
        dry_run: find the mistakes and tell what would be done, and do nothing.

    Raises:
        ImportRefusedError: when there is a mistake; it lists all of them.
        EntryError: when there is no such season, or its time zone is none.
    """
    season_row = entry.find_season(conn, season)
    of_season = entry.zone_of_season(season_row)
    mistakes: list[Mistake] = []
    entered: list[Entered] = []
    slots: dict[tuple[int, int], int] = {}
    rounds: dict[int, Row] = {}
    notes: list[str] = []
    with _whole_or_nothing(conn, path, mistakes, dry_run=dry_run):
        rows = _read(path, SCHEDULE_COLUMNS, mistakes)
        for cells in rows:
            division, written = cells.required("division"), cells.required("scheduled_at")
            number, match_number = cells.whole("round", 1, required=True), cells.whole("match", 1, required=True)
            fields: entry.SlotFields = {"scheduled_at": written}
            if (status := cells.one_of("status", SLOT_STATUSES)) is not None:
                fields["status"] = status
            if (map_name := cells.text("map")) is not None:
                fields["map_name"] = map_name
                with cells.entering({}, "map"):
                    entry.map_named(map_name)
            if (original := cells.text("original_match_id")) is not None:
                with cells.entering({}, "original_match_id"):
                    fields["original_match_id"] = entry.checked_match_id(original, "original_match_id")
            if (reason := cells.text("remake_reason")) is not None:
                fields["remake_reason"] = reason
            with cells.entering({}, "scheduled_at"):
                named = cells.text("time_zone")
                zone = entry.zone_of(named) if named is not None else of_season
                if written:
                    entry.moment_of(written, zone)
            round_row = None
            if division and number is not None:
                with cells.entering({}, "round"):
                    division_row = entry.find_division(conn, season, division)
                    round_row = entry.find_round(conn, division_row, number, cells.text("group"))
            if round_row is None or match_number is None or not cells.are_right:
                continue
            slot, told = (round_row["round_id"], match_number), f"match {match_number} of {round_row['round_name']}"
            if not _refuse_second(slots, slot, cells, "match", told):
                continue
            rounds[round_row["round_id"]] = round_row
            with cells.entering({}, ""):
                named, of_round = cells.text("time_zone"), (season_row, round_row, match_number)
                entered.append(entry.enter_slot(conn, *of_round, time_zone=named, has_landed=has_landed, **fields))
        for round_row in rounds.values():
            notes += entry.at_the_same_time(conn, season_row, round_row)
    return Import(len(rows), tuple(entered), tuple(notes))


# --- tracked players -----------------------------------------------------------------------------

_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def import_players(conn: psycopg.Connection, path: Path, *, look_up: LookUp = nobody, dry_run: bool = False) -> Import:
    """Take tracked players from a CSV file with the columns `PLAYER_COLUMNS`.

    Args:
        look_up: where accounts of names are looked up.
        dry_run: find the mistakes and tell what would be done, and do nothing.

    Raises:
        ImportRefusedError: when there is a mistake; it lists all of them.
    """
    mistakes: list[Mistake] = []
    entered: list[Entered] = []
    people: dict[Any, int] = {}
    with _whole_or_nothing(conn, path, mistakes, dry_run=dry_run):
        rows = _read(path, PLAYER_COLUMNS, mistakes)
        seen: Seen = look_up([cells.values["player"] for cells in rows if cells.values.get("player")])
        for cells in rows:
            player, shard = cells.required("player"), cells.text("shard") or "steam"
            days = cells.whole("backfill_days", 0)
            active = cells.one_of("active", [*_YES_NO]) if cells.text("active") else None
            known = None
            if player:
                with cells.entering({}, "player"):
                    known = entry.player_of(player, cells.text("account_id"), seen)
            if known is None or not cells.are_right:
                continue
            if not _refuse_second(people, (known.account_id or known.name, shard), cells, "player", known.name):
                continue
            fields: entry.TrackedFields = {}
            if days is not None:
                fields["backfill_days"] = days
            if active is not None:
                fields["is_active"] = _YES_NO[active]
            with cells.entering({"is_active": "active", "player_name": "player"}, "player"):
                entered.append(_tracked(conn, known, shard, fields))
    return Import(len(rows), tuple(entered))


def _tracked(conn: psycopg.Connection, player: entry.Player, shard: str, fields: entry.TrackedFields) -> Entered:
    found = entry.find_tracked(conn, player, shard)
    if found is None:
        return entry.enter_tracked(
            conn,
            player,
            shard=shard,
            backfill_days=fields.get("backfill_days", entry.BACKFILL_DAYS),
            is_active=fields.get("is_active", True),
        )
    if player.account_id is not None:
        fields["account_id"] = player.account_id
    return entry.change_tracked_row(conn, found, **fields)
