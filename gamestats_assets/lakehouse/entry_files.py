"""CSV files of what people enter, whichever game it is of.

A file is taken whole or not at all. Every mistake is found and told with its row, counted as
spreadsheets count them (the heading is row 1), and its column. What a file says of something
that is entered already is changed; an empty cell, and what no row names, is left as it is. So
taking the same file again changes nothing.

Files are UTF-8, with commas, semicolons or tabs between the cells.
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

from gamestats_assets.lakehouse.entries import UTC_ZONE, Entered, Thing, told_value
from gamestats_assets.lakehouse.entry_fields import EntryError, Field
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.local_times import LocalTimeError
from gamestats_assets.lakehouse.ops import RefusedEntryError, Row


class CsvFile(Protocol):
    """A file, on disk or sent by somebody."""

    @property
    def name(self) -> str:
        """As people know it."""
        ...

    def read_bytes(self) -> bytes:
        """What it holds."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that somebody sent."""

    name: str
    content: bytes

    def read_bytes(self) -> bytes:
        """What it holds."""
        return self.content


@dataclass(frozen=True, slots=True)
class Column:
    """A column a file may have.

    Attributes:
        field: what it says.
        told: what to write, for people.
        required: whether a file and its rows must have it.
        instead: what to do where it is empty; a file need not have the column then.
    """

    field: Field
    told: str
    required: bool = False
    instead: str = ""

    @property
    def name(self) -> str:
        """Its heading."""
        return self.field.told


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

    def __init__(self, file: CsvFile, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        number = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = "\n".join(f"- {line}" for line in _lines(self.mistakes))
        super().__init__(f"{file.name} has {number}; nothing of it was taken.\n{lines}")


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
    message = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
    return f"row {message}" if len(rows) == 1 else f"rows {message}"


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


# --------------------------------------------------------------------------- reading a file


@dataclass(frozen=True, slots=True)
class Cells:
    """One row of a file. A cell that cannot be read is a mistake, and reads as None."""

    row: int
    columns: Mapping[str, Column]
    values: Mapping[str, str]
    mistakes: list[Mistake]

    def wrong(self, column: str, message: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(self.row, column, message))

    def given(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is asked for all rows and what cells say, where they can be read, by the names of fields."""
        found = {**asked}
        for name, column in self.columns.items():
            field, text = column.field, self.values.get(name)
            try:
                if text:
                    found[field.name] = field.checked(field.kind.read(text))
                elif column.required and field.name not in found:
                    self.wrong(name, f"is empty{column.instead and f'; {column.instead}'}.")
            except (EntryError, LocalTimeError) as error:
                self.wrong(name, str(error))
        return found

    @property
    def are_right(self) -> bool:
        """Whether nothing of the row is wrong so far."""
        return all(mistake.row != self.row for mistake in self.mistakes)


def read(file: CsvFile, columns: Sequence[Column], mistakes: list[Mistake]) -> list[Cells]:
    """The rows that are not blank; mistakes of the file itself are told at once."""
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
        # A list that gamestats wrote has a ' before a text such as -Alpha-, lest a spreadsheet computes it.
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
    """What a file of things is, and takes it.

    Attributes:
        things: what a row is of, outermost first: each is added where it is not there, and changed where it is.
        columns: those that a file may have.
        asked: what is asked for the file; it holds where a row does not say it itself.
        look_up: what is known of the things that rows name, of what is known.
    """

    things: Sequence[Thing]
    columns: Sequence[Column]
    asked: Sequence[Field] = ()
    look_up: Callable[[Any, Sequence[Mapping[str, Any]]], Any] = lambda known, rows: known

    def take(
        self, conn: psycopg.Connection, *, file: CsvFile, known: Any = None, dry_run: bool = False, **asked: Any
    ) -> Import:
        """Take a file. The order of the rows does not matter.

        Args:
            known: what is known of what rows name.
            dry_run: find the mistakes and tell what would be done, and do nothing.
            asked: by the names of what is asked for.

        Raises:
            ImportRefusedError: when there is a mistake; it lists all of them.
            UnknownNameError: when something that is asked for is not there.
        """
        thing = self.things[-1]
        asked = {name: value for name, value in asked.items() if value is not None}
        for owner in thing.owners:
            if owner.own.name in asked:
                owner.find(conn, asked[owner.own.name])
        mistakes: list[Mistake] = []
        with conn.transaction(force_rollback=dry_run):
            rows = [(cells, cells.given(asked)) for cells in read(file, self.columns, mistakes)]
            taken = _Taken(conn, self.things, self.look_up(known or thing.knows, [given for _, given in rows]))
            waiting = rows
            while waiting:
                # What PostgreSQL refuses may wait for another row, which ends what it begins anew.
                refused = [(row, told) for row in waiting if (told := taken.refuses(*row))]
                if len(refused) == len(waiting):
                    for (cells, _), told in refused:
                        cells.wrong(thing.own.told, told)
                    break
                waiting = [row for row, _ in refused]
            if mistakes:
                raise ImportRefusedError(file, mistakes)
            notes = taken.noticed()
        return Import(len(rows), tuple(taken.entered), tuple(dict.fromkeys(notes)))


class _Taken:
    """What is taken of a file so far."""

    def __init__(self, conn: psycopg.Connection, things: Sequence[Thing], known: Any) -> None:
        self.conn, self.things, self.known = conn, things, known
        self.entered: list[Entered] = []
        self._rows: dict[Any, int] = {}
        self._said: dict[Any, tuple[Any, int]] = {}
        self._last: list[tuple[Row, Mapping[str, Any]]] = []

    def refuses(self, cells: Cells, given: Mapping[str, Any]) -> str:
        """Enter a row; why PostgreSQL refuses it, where it does.

        What is right of a row that is wrong is tried too, so that all that is wrong with it is told.
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
        """What the table tells of all rows together."""
        return [note for row, given in self._last for note in self.things[-1].noticed(self.conn, row, given)]

    def _enter(self, thing: Thing, cells: Cells, given: Mapping[str, Any]) -> list[Entered]:
        """Enter what a row says of one thing; nothing where a row before has said it."""
        names = {each.name for each in (*thing.names, *thing.beside, *thing.fields)}
        own = {name: value for name, value in given.items() if name in names}
        for each in thing.names:
            if each.name not in own:
                raise EntryError("is empty.", each.told)
        done = thing.take(self.conn, known=self.known, **own)
        if thing is self.things[-1]:
            first = self._rows.setdefault(done.row[thing.key], cells.row)
            if first != cells.row:
                raise EntryError(f"row {first} says it already: {done.what}.", thing.own.told)
            self._last.append((done.row, own))
            return [done]
        key = (thing.kind, *(str(own[each.name]).casefold() for each in thing.names))
        for each in thing.fields:
            if each.name in own:
                said, row = self._said.setdefault((*key, each.name), (own[each.name], cells.row))
                if said != own[each.name]:
                    message = f"{told_value(own[each.name], UTC_ZONE)!r} is not what row {row} says of {done.what}"
                    raise EntryError(f"{message}: {told_value(said, UTC_ZONE)!r}.", each.told)
        is_first = self._rows.setdefault(key, cells.row) == cells.row
        return [done] if is_first or done.outcome == "changed" else []
