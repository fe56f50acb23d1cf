"""CSV files with entries of people, for every game.

A file is imported whole or not at all. Every mistake is reported with its column and its row, counted as in
spreadsheets (the heading is row 1). A row changes a thing that exists already; empty cells, and things that no row
names, stay as they are. Importing the same file again therefore changes nothing.

Files are UTF-8, with cells separated by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from gamestats_assets.lakehouse.entries.declared import UTC_ZONE, Entered, Thing, format_value
from gamestats_assets.lakehouse.entries.fields import EntryError, Field
from gamestats_assets.lakehouse.entries.local_times import LocalTimeError
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError, Row
from gamestats_assets.lakehouse.errors import GamestatsError


class CsvFile(Protocol):
    """A file, on disk or uploaded."""

    @property
    def name(self) -> str:
        """Its name for people."""
        ...

    def read_bytes(self) -> bytes:
        """Its content."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """An uploaded file."""

    name: str
    content: bytes

    def read_bytes(self) -> bytes:
        """Its content."""
        return self.content


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a file may have.

    Attributes:
        field: the field that it contains.
        hint: the expected content, for people.
        required: whether a file and its rows must have it.
        instead: advice if it is empty; the column is then optional.
    """

    field: Field
    hint: str
    required: bool = False
    instead: str = ""

    @property
    def name(self) -> str:
        """Its heading."""
        return self.field.label


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """Something wrong in a file.

    Attributes:
        row: row of the file as spreadsheets count, the heading being 1.
        column: column of the file; empty when the row as a whole is wrong.
        message: the problem, and the expected content.
    """

    row: int
    column: str
    message: str


class ImportRefusedError(GamestatsError):
    """A file has mistakes; nothing of it was imported.

    Attributes:
        mistakes: all mistakes, in the order of rows. The message lists the same mistake of several rows once.
    """

    def __init__(self, file: CsvFile, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        number = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = "\n".join(f"- {line}" for line in _lines(self.mistakes))
        super().__init__(f"{file.name} has {number}; nothing was imported.\n{lines}")


def _lines(mistakes: Sequence[Mistake]) -> Iterator[str]:
    """One line for each distinct mistake with all its rows, in the order of the first row."""
    rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for mistake in mistakes:
        rows[mistake.column, mistake.message].append(mistake.row)
    for (column, message), numbers in rows.items():
        yield f"{_format_rows(numbers)}{f', {column}' if column else ''}: {message}"


def _format_rows(rows: Sequence[int]) -> str:
    """Formats ordered row numbers as in `row 2` or `rows 2 to 9, 12`."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row <= spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    message = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
    return f"row {message}" if len(rows) == 1 else f"rows {message}"


@dataclass(frozen=True, slots=True)
class Import:
    """Result of an import: its entries, and notes on all of them together."""

    rows: int
    entered: tuple[Entered, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Number of entries by (kind, outcome)."""
        return dict(Counter((done.kind, done.outcome) for done in self.entered))


# --------------------------------------------------------------------------- reading a file


@dataclass(frozen=True, slots=True)
class Cells:
    """One row of a file. An invalid cell is a mistake and has no value."""

    row: int
    columns: Mapping[str, Column]
    values: Mapping[str, str]
    mistakes: list[Mistake]

    def wrong(self, column: str, message: str) -> None:
        """Adds a mistake."""
        self.mistakes.append(Mistake(self.row, column, message))

    def given(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Values by field name: those given for all rows, and those of valid cells."""
        values = {**asked}
        for name, column in self.columns.items():
            field, text = column.field, self.values.get(name)
            try:
                if text:
                    values[field.name] = field.checked(field.kind.read(text))
                elif column.required and field.name not in values:
                    self.wrong(name, f"is empty{column.instead and f'; {column.instead}'}.")
            except (EntryError, LocalTimeError) as error:
                self.wrong(name, str(error))
        return values

    @property
    def are_right(self) -> bool:
        """Whether the row has no mistakes so far."""
        return all(mistake.row != self.row for mistake in self.mistakes)


def read(file: CsvFile, columns: Sequence[Column], mistakes: list[Mistake]) -> list[Cells]:
    """Reads the rows that are not blank. Mistakes of the file as a whole are raised at once."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "the file is not UTF-8; save it as `CSV UTF-8`."
        raise ImportRefusedError(file, [Mistake(1, "", message)]) from None
    heading = text.split("\n", 1)[0]
    separator = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[list[str]] = []
    try:
        # Lists from gamestats have a ' before texts such as -Alpha-, so that spreadsheets do not evaluate them.
        lines.extend([re.sub(r"^'(?=[=+@-])", "", cell.strip()) for cell in line] for line in reader)
    except csv.Error as error:
        raise ImportRefusedError(file, [Mistake(len(lines) + 1, "", f"cannot be read as CSV: {error}.")]) from None
    names = [name.lower() for name in lines[0]] if lines else []
    if wrong := list(_wrong_heading(names, columns)):
        raise ImportRefusedError(file, wrong)
    known = {column.name: column for column in columns}
    rows: list[Cells] = []
    for number, line in enumerate(lines[1:], 2):
        if not any(line):
            continue
        if any(line[len(names) :]):
            mistakes.append(Mistake(number, "", f"has {len(line)} cells, the heading has {len(names)}."))
            continue
        rows.append(Cells(number, known, dict(zip(names, line, strict=False)), mistakes))
    return rows


def _wrong_heading(names: Sequence[str], columns: Sequence[Column]) -> Iterator[Mistake]:
    known = [column.name for column in columns]
    for column in columns:
        if column.required and not column.instead and column.name not in names:
            yield Mistake(1, column.name, "this column is missing.")
    for name, times in Counter(filter(None, names)).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            message = f"did you mean {near[0]}?" if near else f"there may be {', '.join(known)}."
            yield Mistake(1, name, f"no such column is known; {message}")
        elif times > 1:
            yield Mistake(1, name, f"stands {times} times in the heading.")


# --------------------------------------------------------------------------- taking a file


@dataclass(frozen=True, slots=True)
class Takes:
    """Describes and imports files of things.

    Attributes:
        things: the things of a row, outermost first: each is added if it does not exist, and otherwise changed.
        columns: columns that a file may have.
        asked: fields given for the whole file; they apply unless a row has its own value.
        look_up: looks up known facts about the things that rows name.
    """

    things: Sequence[Thing]
    columns: Sequence[Column]
    asked: Sequence[Field] = ()
    look_up: Callable[[Any, Sequence[Mapping[str, Any]]], Any] = lambda context, rows: context

    def take(
        self, conn: psycopg.Connection, *, file: CsvFile, context: Any = None, dry_run: bool = False, **asked: Any
    ) -> Import:
        """Imports a file. The order of the rows does not matter.

        Args:
            conn: a connection in a transaction.
            file: the file.
            context: known facts about the things that rows name.
            dry_run: only finds mistakes and reports the effects.
            asked: values given for the whole file, by field name.

        Raises:
            ImportRefusedError: if there are mistakes; it lists all of them.
            UnknownNameError: if a given name does not exist.
        """
        thing = self.things[-1]
        asked = {name: value for name, value in asked.items() if value is not None}
        for owner in thing.owners:
            if owner.own.name in asked:
                owner.find(conn, asked[owner.own.name])
        mistakes: list[Mistake] = []
        with conn.transaction(force_rollback=dry_run):
            rows = [(cells, cells.given(asked)) for cells in read(file, self.columns, mistakes)]
            taken = _Taken(
                conn, self.things, self.look_up(context or thing.default_context, [given for _, given in rows])
            )
            waiting = rows
            while waiting:
                # A row that PostgreSQL refuses may become valid after another row of the file.
                refused = [(row, reason) for row in waiting if (reason := taken.refuses(*row))]
                if len(refused) == len(waiting):
                    for (cells, _), reason in refused:
                        cells.wrong(thing.own.label, reason)
                    break
                waiting = [row for row, _ in refused]
            if mistakes:
                raise ImportRefusedError(file, mistakes)
            notes = taken.noticed()
        return Import(len(rows), tuple(taken.entered), tuple(dict.fromkeys(notes)))


class _Taken:
    """The part of a file that is imported so far."""

    def __init__(self, conn: psycopg.Connection, things: Sequence[Thing], context: Any) -> None:
        self.conn, self.things, self.context = conn, things, context
        self.entered: list[Entered] = []
        self._rows: dict[Any, int] = {}
        self._first_values: dict[Any, tuple[Any, int]] = {}
        self._entered_rows: list[tuple[Row, Mapping[str, Any]]] = []

    def refuses(self, cells: Cells, given: Mapping[str, Any]) -> str:
        """Enters a row; returns why PostgreSQL refuses it, if it does.

        The valid part of an invalid row is tried, too, so that all its mistakes are found.
        """
        try:
            with self.conn.transaction(force_rollback=not cells.are_right):
                done = [each for thing in self.things for each in self._enter(thing, cells, given)]
        except RefusedEntryError as error:
            return str(error) if cells.are_right else ""
        except EntryError as error:
            if not any((mistake.row, mistake.column) == (cells.row, error.column) for mistake in cells.mistakes):
                cells.wrong(error.column, str(error))
            return ""
        self.entered += done
        return ""

    def noticed(self) -> list[str]:
        """Notes on all rows together."""
        return [note for row, given in self._entered_rows for note in self.things[-1].noticed(self.conn, row, given)]

    def _enter(self, thing: Thing, cells: Cells, given: Mapping[str, Any]) -> list[Entered]:
        """Enters a row's values of one thing; returns nothing if an earlier row has entered the same."""
        names = {each.name for each in (*thing.names, *thing.beside, *thing.fields)}
        own = {name: value for name, value in given.items() if name in names}
        for each in thing.names:
            if each.name not in own:
                raise EntryError("is empty.", each.label)
        done = thing.take(self.conn, context=self.context, **own)
        if thing is self.things[-1]:
            first = self._rows.setdefault(done.row[thing.key], cells.row)
            if first != cells.row:
                raise EntryError(f"row {first} says it already: {done.what}.", thing.own.label)
            self._entered_rows.append((done.row, own))
            return [done]
        key = (thing.kind, *(str(own[each.name]).casefold() for each in thing.names))
        for each in thing.fields:
            if each.name in own:
                first_value, row = self._first_values.setdefault((*key, each.name), (own[each.name], cells.row))
                if first_value != own[each.name]:
                    message = f"{format_value(own[each.name], UTC_ZONE)!r} is not what row {row} says of {done.what}"
                    raise EntryError(f"{message}: {format_value(first_value, UTC_ZONE)!r}.", each.label)
        is_first = self._rows.setdefault(key, cells.row) == cells.row
        return [done] if is_first or done.outcome == "changed" else []
