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
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from gamestats_assets.lakehouse.entries import Entered
from gamestats_assets.lakehouse.entry_fields import EntryError, Field
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.local_times import LocalTimeError
from gamestats_assets.lakehouse.ops import RefusedEntryError


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
    """A column a file may have: a field, and what a file says of it."""

    field: Field
    told: str
    required: bool = False

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

    def text(self, column: str) -> str | None:
        """A cell as it is written; None where it is empty."""
        return self.values.get(column) or None

    def value(self, column: str) -> Any:
        """What a cell says."""
        declared, text = self.columns[column], self.text(column)
        if text is None:
            if declared.required:
                self.wrong(column, "is empty.")
            return None
        try:
            return declared.field.checked(declared.field.kind.read(text))
        except (EntryError, LocalTimeError) as error:
            self.wrong(column, str(error))
            return None

    def fields(self, *columns: str) -> dict[str, Any]:
        """What cells say that are not empty, by the names of their fields."""
        return {self.columns[name].field.name: self.value(name) for name in columns if self.text(name) is not None}

    @property
    def are_right(self) -> bool:
        """Whether nothing of the row is wrong so far."""
        return all(mistake.row != self.row for mistake in self.mistakes)

    @contextmanager
    def entering(self, refused: str | None, **columns: str) -> Iterator[None]:
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

    def refuse_second(self, seen: dict[Any, int], key: Any, column: str, what: str) -> bool:
        """Whether no row before has the key; else that is a mistake."""
        first = seen.setdefault(key, self.row)
        if first != self.row:
            self.wrong(column, f"{what} stands in row {first} already.")
        return first == self.row


def read(file: CsvFile, columns: Sequence[Column], mistakes: list[Mistake]) -> list[Cells]:
    """The rows that are not blank; mistakes of the file itself are told at once."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        told = "the file is not UTF-8; save it as `CSV UTF-8`."
        raise ImportRefusedError(file, [Mistake(1, "", told)]) from None
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
def whole_or_nothing(
    conn: psycopg.Connection, file: CsvFile, mistakes: list[Mistake], *, dry_run: bool
) -> Iterator[None]:
    """A transaction that is undone when there are mistakes, which are told; or in any case, in a dry run.

    Raises:
        ImportRefusedError: when there are.
    """
    with conn.transaction(force_rollback=dry_run):
        yield
        if mistakes:
            raise ImportRefusedError(file, mistakes)


Write = tuple[Cells, Callable[[], Entered]]
"""A row, and what enters it."""


def in_any_order(writes: Sequence[Write], refused_in: str, **columns: str) -> list[Entered]:
    """Enter rows. One that is refused may wait for another, which ends what it begins anew."""
    entered: list[Entered] = []
    waiting: Sequence[Write] = writes
    while waiting:
        refused: list[tuple[Write, RefusedEntryError]] = []
        for cells, write in waiting:
            try:
                with cells.entering(None, **columns):
                    entered.append(write())
            except RefusedEntryError as error:
                refused.append(((cells, write), error))
        if len(refused) == len(waiting):
            for (cells, _), error in refused:
                cells.wrong(refused_in, str(error))
            break
        waiting = [each for each, _ in refused]
    return entered
