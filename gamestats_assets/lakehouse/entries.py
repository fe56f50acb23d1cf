"""What people enter: things that are declared once, and what can be done with all of them.

A `Thing` says what names one (a team: its season, its division, its own name), which fields it has, which rows there
are, what must hold of it, and what needs it. To add, change, remove and list is the same for all of them; the command
line, files, the API and pages do nothing else. Whoever calls holds the transaction (see `ops.entering`).
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, LiteralString
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from gamestats_assets.lakehouse import local_times, ops
from gamestats_assets.lakehouse.entry_fields import EntryError, Field, Verb
from gamestats_assets.lakehouse.ops import Row

Outcome = Literal["created", "changed", "unchanged", "removed"]
UTC_ZONE = ZoneInfo("UTC")


class UnknownNameError(EntryError):
    """A name is given that nothing has, or more than one thing."""


class ExistsAlreadyError(EntryError):
    """Something is to be created that is there."""


class StillNeededError(EntryError):
    """Something is to be removed that something else refers to; the message tells what, and how to go on."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What an entry did.

    Attributes:
        kind: what sort of thing, such as `roster entry`.
        what: which one, in words.
        outcome: what was done to it.
        changes: `column: before -> after` of a change.
        notes: what the person should know.
        row: as it was found, or as it was made.
    """

    kind: str
    what: str
    outcome: Outcome
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    row: Row = field(default_factory=dict, repr=False)

    def line(self) -> str:
        """One line for a person."""
        return f"{self.outcome:<10}{self.what}" + (f": {'; '.join(self.changes)}" if self.changes else "")


# --------------------------------------------------------------------------- names


def nearest(wanted: str, known: Iterable[str]) -> str:
    """What is called nearly so, or else what there is."""
    names = sorted(set(known))
    if not names:
        return "there is none yet."
    folded = {name.casefold(): name for name in names}
    near = [folded[name] for name in difflib.get_close_matches(wanted.casefold(), folded, n=3)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"there {'is' if len(names) == 1 else 'are'} {listed}."


def named(found: Sequence[Row], column: str, wanted: str) -> Row | None:
    """The row of a name, whatever its capitals; one with these very capitals goes before others."""
    wanted = wanted.strip()
    exact = [row for row in found if row[column] == wanted]
    chosen = exact or [row for row in found if row[column].casefold() == wanted.casefold()]
    return chosen[0] if len(chosen) == 1 else None


@dataclass(frozen=True, slots=True)
class NeededBy:
    """What refers to a row: of which kind, the names, and the command that ends it."""

    kind: str
    names: Sequence[str]
    advice: str

    def told(self) -> str:
        """In words."""
        shown = ", ".join(self.names[:8]) + (f" and {len(self.names) - 8} more" if len(self.names) > 8 else "")
        return f"{self.kind if len(self.names) == 1 else plural(self.kind)} {shown} ({self.advice})"


def plural(kind: str) -> str:
    """Several of a kind."""
    return f"{kind[:-1]}ies" if kind.endswith("ry") else f"{kind}es" if kind.endswith("ch") else f"{kind}s"


def command(*words: object) -> str:
    """A command as one gives it to a shell."""
    return "gamestats " + " ".join(shlex.quote(str(word)) for word in words)


# --------------------------------------------------------------------------- things


@dataclass(slots=True)
class Entry:
    """What somebody wants, while it is looked at.

    Attributes:
        names: what the thing is named by, and what else is said to find it.
        given: the fields that are given, as they are kept.
        row: the row that is there; of a new one what its names make of it.
        is_new: whether it is to be added.
        known: what the game knows of what people name (see `Thing.knows`).
        notes: what the person should know.
    """

    conn: psycopg.Connection
    names: Mapping[str, Any]
    given: Mapping[str, Any]
    row: Row
    is_new: bool
    known: Any
    notes: list[str] = field(default_factory=list)

    def would_be(self, values: Mapping[str, Any]) -> Row:
        """The row as it would be with some values."""
        return {**self.row, **values}


class Thing:
    """Something that people enter, declared by a class; see the attributes, and the methods that one may say anew.

    Attributes:
        kind: what it is, such as `roster entry`.
        table: of `ops`.
        key: its column that numbers the rows.
        command: of the command line, such as `tournament`, `roster`.
        query: every row, with the names of what it is of, and what lists tell besides.
        names: what a new one is named by, outermost first; the last is its own name.
        found_by: what one that is there is named by, where that is less.
        beside: what may have to be said besides to find or to place one.
        fields: what is said of it.
        narrowed_by: what a list may be asked for by.
        listed: columns of a list, by the query's columns or `column AS name`.
        order: of lists, by columns of the query.
        knows: what is known of what people name, where the caller says nothing else.
    """

    kind: ClassVar[str]
    table: ClassVar[str]
    key: ClassVar[str]
    command: ClassVar[tuple[str, ...]]
    query: ClassVar[LiteralString]
    names: ClassVar[tuple[Field, ...]]
    found_by: ClassVar[tuple[Field, ...]] = ()
    beside: ClassVar[tuple[Field, ...]] = ()
    fields: ClassVar[tuple[Field, ...]] = ()
    narrowed_by: ClassVar[tuple[Field, ...]] = ()
    listed: ClassVar[tuple[str, ...]]
    order: ClassVar[tuple[LiteralString, ...]]
    knows: ClassVar[Any] = None

    # ------------------------------------------------------------ what differs

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """The row that is named so, as `query` gives it; None where there is none.

        Raises:
            UnknownNameError: when there is not what it would be of, or more than one is named so.
        """
        raise NotImplementedError

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """That nothing is named so, in words, with what there is."""
        raise NotImplementedError

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any], known: Any) -> tuple[Row, Row]:
        """The columns that the names of a new one make, and these with the names of what it is of.

        Raises:
            EntryError: when it cannot be called so, or there is not what it is to be of.
        """
        raise NotImplementedError

    def what(self, row: Row) -> str:
        """Which one it is, in words."""
        raise NotImplementedError

    def detail(self, row: Row) -> str:
        """What is told besides of one that is added."""
        return ""

    def settle(self, entry: Entry) -> dict[str, Any]:
        """The columns to write; what should be known goes to the notes.

        Raises:
            EntryError: when it cannot stand.
        """
        return self.stored(entry.given)

    def entered(self, entry: Entry) -> None:
        """Add notes that only the table as it is now tells."""

    def needed_by(self, conn: psycopg.Connection, row: Row) -> Sequence[NeededBy]:
        """What refers to it."""
        return ()

    def leave(self, entry: Entry) -> None:
        """Add notes on a removal, or refuse it."""

    def at(self, row: Row) -> Row:
        """The columns that tell its row from all others."""
        return {self.key: row[self.key]}

    def zone(self, row: Row) -> ZoneInfo:
        """The time zone in which its moments are told."""
        return UTC_ZONE

    # ------------------------------------------------------------ what is the same

    @property
    def own(self) -> Field:
        """Its own name."""
        return self.names[-1]

    def stored(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Columns of fields that are given."""
        columns = {each.name: each.name if each.stored is None else each.stored for each in self.fields}
        return {columns[name]: value for name, value in given.items() if columns.get(name)}

    def rows(self, conn: psycopg.Connection, **where: Any) -> list[Row]:
        """Rows whose columns have the values, as `query` gives them."""
        return ops.select_of(conn, self.query, where, self.order)

    def find(self, conn: psycopg.Connection, *names: Any, **beside: Any) -> Row:
        """The row that is named so.

        Raises:
            UnknownNameError: when there is none, or more than one.
        """
        return self._found(conn, self._asked(self.found_by or self.names, names, beside))

    def add(self, conn: psycopg.Connection, *names: Any, known: Any = None, **given: Any) -> Entered:
        """Add one.

        Args:
            names: what it is named by.
            known: what is known of what it names.
            given: its fields, and what is needed to place it.

        Raises:
            EntryError: when it is there already, or something is wrong.
            RefusedEntryError: when PostgreSQL refuses it.
        """
        asked, checked = self._given("add", self.names, names, given)
        return self._add(conn, asked, checked, known or self.knows)

    def change(self, conn: psycopg.Connection, *names: Any, known: Any = None, **given: Any) -> Entered:
        """Change what is given of one; a row that has it all already is not written.

        Raises:
            EntryError: when there is none that is named so, or something is wrong.
            RefusedEntryError: when PostgreSQL refuses it.
        """
        asked, checked = self._given("change", self.found_by or self.names, names, given)
        return self._change(conn, asked, checked, self._found(conn, asked), known or self.knows)

    def change_row(self, conn: psycopg.Connection, row: Row, *, known: Any = None, **given: Any) -> Entered:
        """As `change`, of one that was found before."""
        return self._change(conn, given, self._checked("change", given), row, known or self.knows)

    def take(self, conn: psycopg.Connection, *names: Any, known: Any = None, **given: Any) -> Entered:
        """Change what is given of one that is there, and add one that is not: as a row of a file means it.

        What only the table as it is then tells is not told: the next row may change it.
        """
        asked = self._asked(self.names, names, given)
        row = self.seek(conn, asked)
        checked = self._checked("add" if row is None else "change", given)
        if row is None:
            return self._add(conn, asked, checked, known or self.knows, is_alone=False)
        return self._change(conn, asked, checked, row, known or self.knows, is_alone=False)

    def remove(self, conn: psycopg.Connection, *names: Any, known: Any = None, **beside: Any) -> Entered:
        """Take back one that was a mistake.

        Raises:
            UnknownNameError: when there is none.
            StillNeededError: when something refers to it.
        """
        return self.remove_row(conn, self._found(conn, self._asked(self.found_by or self.names, names, beside)), known)

    def remove_row(self, conn: psycopg.Connection, row: Row, known: Any = None) -> Entered:
        """As `remove`, of one that was found before."""
        if needed_by := [each for each in self.needed_by(conn, row) if each.names]:
            told = "; ".join(each.told() for each in needed_by)
            raise StillNeededError(f"{_begun(self.what(row))} cannot be removed while something refers to it: {told}")
        entry = Entry(conn, {}, {}, row, is_new=False, known=known or self.knows)
        self.leave(entry)
        ops.delete(conn, self.table, self.at(row))
        return Entered(self.kind, self.what(row), "removed", notes=tuple(entry.notes), row=row)

    def list(self, conn: psycopg.Connection, *, known: Any = None, **where: Any) -> pl.DataFrame:
        """What is entered, in the columns of `listed`; of it what has some values, or what is of what is named."""
        columns = [each.partition(" AS ") for each in self.listed]
        frame = ops.frame_of(conn, self.query, where, self.order)
        return frame.select(pl.col(column).alias(name or column) for column, _, name in columns)

    def refuse_existing(self, row: Row | None, column: str | None = None) -> None:
        """Refuse to add what is there.

        Raises:
            ExistsAlreadyError: when there is a row.
        """
        if row is not None:
            told = f"{_begun(self.what(row))} exists already; `change` changes it."
            raise ExistsAlreadyError(told, column or self.own.told)

    # ------------------------------------------------------------ within

    def _add(
        self,
        conn: psycopg.Connection,
        asked: Mapping[str, Any],
        given: Mapping[str, Any],
        known: Any,
        *,
        is_alone: bool = True,
    ) -> Entered:
        columns, row = self.place(conn, asked, known)
        entry = Entry(conn, asked, given, row, is_new=True, known=known)
        values = {**columns, **self.settle(entry)}
        row = ops.insert(conn, self.table, {name: value for name, value in values.items() if value is not None})
        entry.row = {**entry.row, **row}
        if is_alone:
            self.entered(entry)
        what = self.what(entry.row) + self.detail(entry.row)
        return Entered(self.kind, what, "created", notes=tuple(entry.notes), row=entry.row)

    def _change(
        self,
        conn: psycopg.Connection,
        asked: Mapping[str, Any],
        given: Mapping[str, Any],
        row: Row,
        known: Any,
        *,
        is_alone: bool = True,
    ) -> Entered:
        entry = Entry(conn, asked, given, row, is_new=False, known=known)
        return self._written(entry, self.settle(entry), is_alone=is_alone)

    def _written(self, entry: Entry, values: Mapping[str, Any], *, is_alone: bool = True) -> Entered:
        """Write what differs from the row that is there."""
        row, zone = entry.row, self.zone(entry.row)
        differing = {name: value for name, value in values.items() if row[name] != value}
        if differing:
            ops.update(entry.conn, self.table, self.at(row), differing)
        hidden = {each.name if each.stored is None else each.stored for each in self.fields if each.secret}
        changes = tuple(
            name if name in hidden else f"{name} {told_value(row[name], zone)} -> {told_value(value, zone)}"
            for name, value in differing.items()
        )
        entry.row = entry.would_be(values)
        if is_alone:
            self.entered(entry)
        outcome: Outcome = "changed" if differing else "unchanged"
        return Entered(self.kind, self.what(row), outcome, changes, tuple(entry.notes), row)

    def _found(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row:
        row = self.seek(conn, names)
        if row is None:
            raise UnknownNameError(self.missing(conn, names), self.own.told)
        return row

    def _given(
        self, verb: Verb, fields: Sequence[Field], names: Sequence[Any], given: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._asked(fields, names, given), self._checked(verb, given)

    def _asked(self, fields: Sequence[Field], names: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """What it is named by, and what is said besides to find or to place it."""
        beside = {each.name: given.get(each.name) for each in (*self.beside, *self.fields) if each.name in given}
        by_name = {each.name: given[each.name] for each in fields[len(names) :]}
        return {**beside, **by_name, **dict(zip((each.name for each in fields), names, strict=False))}

    def _checked(self, verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
        known = {each.name: each for each in self.fields}
        others = {each.name for each in (*self.beside, *self.names, *self.found_by)}
        if unknown := given.keys() - known.keys() - others:
            raise TypeError(f"A {self.kind} has no {', '.join(sorted(unknown))}.")
        for each in self.fields:
            if verb in each.required and given.get(each.name) is None:
                raise EntryError(f"{each.told} must be given: {each.help}", each.told)
        return {
            name: known[name].checked(value)
            for name, value in given.items()
            if name in known and verb in known[name].verbs
        }


def told_value(value: Any, zone: ZoneInfo) -> str:
    """A value of a column in words, moments as the zone's clocks show them."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return local_times.written_local(value, zone) if isinstance(value, datetime) else str(value)


def _begun(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


class Kept(Thing):
    """A thing that has data, and stays: to remove it makes it inactive (column `is_active`)."""

    def remove_row(self, conn: psycopg.Connection, row: Row, known: Any = None) -> Entered:
        """See `Thing.remove_row`."""
        entry = Entry(conn, {}, {}, row, is_new=False, known=known or self.knows)
        self.leave(entry)
        return self._written(entry, {"is_active": False})


class Named(Thing):
    """A thing that has a name of its own, unique within another thing, or everywhere.

    Attributes:
        within: what it is of.
        name_column: its column with the name.
    """

    within: ClassVar[Thing | None] = None
    name_column: ClassVar[str]

    def siblings(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, list[Row]]:
        """What it is of, and what that has of the kind.

        Raises:
            UnknownNameError: when there is not what it is of.
        """
        if self.within is None:
            return {}, self.rows(conn)
        of = self.within.find(conn, **names)
        return of, self.rows(conn, **{self.within.key: of[self.within.key]})

    def where(self, of: Row) -> str:
        """Where it is missing, in words, after a blank."""
        return f" in {of[self.within.name_column]}" if isinstance(self.within, Named) else ""

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """See `Thing.seek`."""
        return named(self.siblings(conn, names)[1], self.name_column, names[self.own.name])

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        (of, found), wanted = self.siblings(conn, names), names[self.own.name].strip()
        there = nearest(wanted, [row[self.name_column] for row in found])
        return f"There is no {self.kind} {wanted!r}{self.where(of)}; {there}"

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any], known: Any) -> tuple[Row, Row]:
        """See `Thing.place`."""
        name = self.own.checked(names[self.own.name])
        of, found = self.siblings(conn, names)
        place = {self.name_column: name} | ({self.within.key: of[self.within.key]} if self.within else {})
        if any(row[self.name_column].casefold() == name.casefold() for row in found):
            self.refuse_existing({**of, **place})
        return place, {**of, **place}
