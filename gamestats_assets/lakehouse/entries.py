"""What people enter: things that are declared once, and what can be done with all of them.

A `Thing` says what names one (a team: its season, its division, its own name), which fields it has, which rows there
are, and what it is of. To add, change, remove and list is the same for all of them; the command line, files, the API
and pages do nothing else. Whoever calls holds the transaction (see `ops.entering`).
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


def nearest(wanted: object, known: Iterable[object]) -> str:
    """What is called nearly so, or else what there is."""
    names = [str(each) for each in sorted({*known})]  # type: ignore[type-var]
    if not names:
        return "there is none yet."
    folded = {name.casefold(): name for name in names}
    # Of numbers that are alike none is nearly another.
    close = difflib.get_close_matches(wanted.casefold(), folded, n=3) if isinstance(wanted, str) else []
    if close:
        return f"did you mean {' or '.join(folded[name] for name in close)}?"
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"there {'is' if len(names) == 1 else 'are'} {listed}."


def plural(kind: str) -> str:
    """Several of a kind."""
    return f"{kind[:-1]}ies" if kind.endswith("ry") else f"{kind}es" if kind.endswith("ch") else f"{kind}s"


def command(*words: object) -> str:
    """A command as one gives it to a shell."""
    return "gamestats " + " ".join(shlex.quote(str(word)) for word in words)


def capitalised(text: str) -> str:
    """A text as a sentence begins."""
    return f"{text[0].upper()}{text[1:]}"


def format_value(value: Any, zone: ZoneInfo) -> str:
    """A value of a column in words, moments as the zone's clocks show them."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return local_times.format_local(value, zone) if isinstance(value, datetime) else str(value)


@dataclass(slots=True)
class Entry:
    """What somebody wants, while it is looked at.

    Attributes:
        names: what the thing is named by, with all else that is said to find or to place it.
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
        noun: what one is called in a sentence, where not by its kind.
        table: of `ops`.
        key: its column that numbers the rows.
        at: the columns that tell its row from all others, where the key alone does not.
        command: of the command line, such as `tournament`, `roster`.
        query: every row, with the names of what it is of, and what lists tell besides.
        within: what it is of.
        refers_to: what else it may refer to, by columns called as its key.
        column: its column with its own name; without one it has none, and what is added is always new.
        placed_by: columns that a new one has of what it is of, where not the key alone.
        names: what a new one is named by, outermost first; the last is its own name.
        found_by: what one that is there is named by, where that is less.
        beside: what may have to be said besides to find or to place one.
        fields: what is said of it.
        narrowed_by: what a list may be asked for by besides what is outermost.
        listed: columns of a list, by the query's columns or `column AS name`.
        order: of lists, by columns of the query.
        called: which one it is, in words with the query's columns in braces.
        lacking: that there is none, in words with names and columns of what it would be of; `there` is what there is.
        stays: whether it has data, so that to remove it makes it inactive (column `is_active`).
        knows: what is known of what people name, where the caller says nothing else.
    """

    kind: ClassVar[str]
    noun: ClassVar[str] = ""
    table: ClassVar[str]
    key: ClassVar[str]
    at: ClassVar[tuple[str, ...]] = ()
    command: ClassVar[tuple[str, ...]]
    query: ClassVar[LiteralString]
    within: ClassVar[Thing | None] = None
    refers_to: ClassVar[tuple[Thing, ...]] = ()
    column: ClassVar[str] = ""
    placed_by: ClassVar[tuple[str, ...]] = ()
    names: ClassVar[tuple[Field, ...]]
    found_by: ClassVar[tuple[Field, ...]] = ()
    beside: ClassVar[tuple[Field, ...]] = ()
    fields: ClassVar[tuple[Field, ...]] = ()
    narrowed_by: ClassVar[tuple[Field, ...]] = ()
    listed: ClassVar[tuple[str, ...]]
    order: ClassVar[tuple[LiteralString, ...]]
    called: ClassVar[str]
    lacking: ClassVar[str] = "There is no {noun} {wanted!r}; {there}"
    stays: ClassVar[bool] = False
    knows: ClassVar[Any] = None

    def __init__(self) -> None:
        self._referring: list[Thing] = []
        for other in (self.within, *self.refers_to):
            if other is not None:
                other._referring.append(self)

    # ------------------------------------------------------------ what may differ

    def siblings(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, list[Row]]:
        """What it is of, and what that has of the kind.

        Raises:
            UnknownNameError: when there is not what it is of.
        """
        if self.within is None:
            return {}, self.rows(conn)
        owner = self.within.find(conn, **names)
        return owner, self.rows(conn, **{self.within.key: owner[self.within.key]})

    def alike(self, rows: Sequence[Row], names: Mapping[str, Any]) -> list[Row]:
        """Of some rows those that are named so, whatever their capitals; one with these very capitals alone."""
        wanted = names[self.own.name]
        if not isinstance(wanted, str):
            return [row for row in rows if row[self.column] == wanted]
        wanted = wanted.strip()
        exact = [row for row in rows if row[self.column] == wanted]
        return exact or [row for row in rows if row[self.column].casefold() == wanted.casefold()]

    def which(self, rows: Sequence[Row], names: Mapping[str, Any]) -> UnknownNameError:
        """That several are named so, with what tells them apart."""
        return UnknownNameError(f"Several {plural(self.kind)} are called {names[self.own.name]}.", self.own.label)

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """That nothing is named so, in words, with what there is."""
        owner, rows = self.siblings(conn, names)
        wanted = names[self.own.name]
        wanted = wanted.strip() if isinstance(wanted, str) else wanted
        there = nearest(wanted, [row[self.column] for row in rows])
        return self.lacking.format_map(
            {**owner, **names, "noun": self.noun or self.kind, "wanted": wanted, "there": there}
        )

    def recognised(self, names: Mapping[str, Any], known: Any) -> Mapping[str, Any]:
        """The names of one that may be new, with what is known of them.

        Raises:
            EntryError: when it cannot be called so.
        """
        return names

    def there(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """The row that one has already that may be new."""
        return self.seek(conn, names) if self.column else None

    def exists(self, row: Row, names: Mapping[str, Any]) -> str:
        """That it is there already, in words."""
        return f"{capitalised(self.describe(row))} exists already"

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, Row]:
        """The columns that the names of a new one make, and these with those of what it is of.

        Raises:
            EntryError: when it cannot be called so, or there is not what it is to be of.
        """
        columns = {self.column: self.own.checked(names[self.own.name])} if self.column else {}
        owner = self.siblings(conn, names)[0]
        columns |= {each: owner[each] for each in self.placed_by or ((self.within.key,) if self.within else ())}
        return columns, {**owner, **columns}

    def settle(self, entry: Entry) -> dict[str, Any]:
        """The columns to write; what should be known goes to the notes.

        Raises:
            EntryError: when it cannot stand.
        """
        return self.stored(entry.given)

    def noticed(self, conn: psycopg.Connection, row: Row, given: Mapping[str, Any]) -> Sequence[str]:
        """What only the table tells as it is now that all is entered that was given."""
        return ()

    def leave(self, entry: Entry) -> None:
        """Add notes on a removal, or refuse it."""

    def describe(self, row: Row) -> str:
        """Which one it is, in words."""
        return self.called.format_map(row)

    def detail(self, row: Row) -> str:
        """What is told besides of one that is added."""
        return ""

    def short(self, row: Row) -> str:
        """Which one it is among those of its kind."""
        return str(row[self.column])

    def zone(self, row: Row) -> ZoneInfo:
        """The time zone in which its moments are told."""
        return UTC_ZONE

    # ------------------------------------------------------------ what is the same

    @property
    def own(self) -> Field:
        """Its own name."""
        return self.names[-1]

    @property
    def owners(self) -> Iterator[Thing]:
        """What it is of, what that is of, ..."""
        each = self.within
        while each is not None:
            yield each
            each = each.within

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the query by the names that lists give them."""
        parts = [each.partition(" AS ") for each in self.listed]
        return {name or column: column for column, _, name in parts}

    @property
    def lists_by(self) -> tuple[Field, ...]:
        """What a list may be asked for by."""
        outermost = [replace(each.own, help=f"Only of this {each.kind}.", positional=True) for each in self.owners][-1:]
        return (*outermost, *self.narrowed_by)

    def stored(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Columns of fields that are given."""
        columns = {each.name: each.in_table for each in self.fields}
        return {columns[name]: value for name, value in given.items() if columns.get(name)}

    def rows(self, conn: psycopg.Connection, **where: Any) -> list[Row]:
        """Rows whose columns have the values, as `query` gives them."""
        return ops.select_of(conn, self.query, where, self.order)

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """The row that is named so, as `query` gives it; None where there is none.

        Raises:
            UnknownNameError: when there is not what it would be of, or more than one is named so.
        """
        matching = self.alike(self.siblings(conn, names)[1], names)
        if len(matching) > 1:
            raise self.which(matching, names)
        return matching[0] if matching else None

    def find(self, conn: psycopg.Connection, *names: Any, **beside: Any) -> Row:
        """The row that is named so.

        Raises:
            UnknownNameError: when there is none, or more than one.
        """
        by_name = _named(self.found_by or self.names, names, beside)
        row = self.seek(conn, by_name)
        if row is None:
            raise UnknownNameError(self.missing(conn, by_name), self.own.label)
        return row

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
        return self._add_or_take(conn, names, given, known, takes=False)

    def take(self, conn: psycopg.Connection, *names: Any, known: Any = None, **given: Any) -> Entered:
        """Change what is given of one that is there, and add one that is not: as a row of a file means it.

        What only the table as it is then tells is not told: the next row may change it.
        """
        return self._add_or_take(conn, names, given, known, takes=True)

    def change(self, conn: psycopg.Connection, *names: Any, known: Any = None, **given: Any) -> Entered:
        """Change what is given of one; a row that has it all already is not written.

        Raises:
            EntryError: when there is none that is named so, or something is wrong.
            RefusedEntryError: when PostgreSQL refuses it.
        """
        by_name = _named(self.found_by or self.names, names, given)
        return self.change_row(conn, self.find(conn, **by_name), known=known, **by_name)

    def change_row(self, conn: psycopg.Connection, row: Row, *, known: Any = None, **given: Any) -> Entered:
        """As `change`, of one that was found before."""
        checked = self._checked("change", given)
        entry = Entry(conn, given, checked, row, is_new=False, known=known or self.knows)
        return self._written(entry, self.settle(entry))

    def remove(self, conn: psycopg.Connection, *names: Any, known: Any = None, **beside: Any) -> Entered:
        """Take back one that was a mistake; what stays is made inactive.

        Raises:
            UnknownNameError: when there is none.
            StillNeededError: when something refers to it.
        """
        return self.remove_row(conn, self.find(conn, *names, **beside), known)

    def remove_row(self, conn: psycopg.Connection, row: Row, known: Any = None) -> Entered:
        """As `remove`, of one that was found before."""
        if not self.stays and (message := "; ".join(self._needs(conn, row))):
            raise StillNeededError(
                f"{capitalised(self.describe(row))} cannot be removed while something refers to it: {message}"
            )
        entry = Entry(conn, {}, {}, row, is_new=False, known=known or self.knows)
        self.leave(entry)
        if self.stays:
            return self._written(entry, {"is_active": False})
        ops.delete(conn, self.table, self._at(row))
        return Entered(self.kind, self.describe(row), "removed", notes=tuple(entry.notes), row=row)

    def list(self, conn: psycopg.Connection, *names: Any, known: Any = None, **where: Any) -> pl.DataFrame:
        """What is entered, in the columns of `listed`; of it what is of what is named (see `lists_by`).

        Raises:
            UnknownNameError: when nothing is so called.
        """
        by_name = _named(self.lists_by, names, where)
        kept: dict[str, list[Any]] = {}
        for owner in reversed([*self.owners]):
            if (wanted := by_name.get(owner.own.name)) is not None:
                rows = [row for row in owner.rows(conn) if all(row[key] in keys for key, keys in kept.items())]
                kept[owner.key] = [row[owner.key] for row in owner.alike(rows, {owner.own.name: wanted})]
                if not kept[owner.key]:
                    there = nearest(wanted, [row[owner.column] for row in rows])
                    raise UnknownNameError(f"There is no {owner.kind} {wanted!r}; {there}", owner.own.label)
        frame = ops.frame_of(conn, self.query, {}, self.order)
        frame = frame.filter(pl.lit(True), *(pl.col(key).is_in(keys) for key, keys in kept.items()))
        return frame.select(pl.col(column).alias(name) for name, column in self.columns.items())

    # ------------------------------------------------------------ within

    def _at(self, row: Row) -> Row:
        return {name: row[name] for name in self.at or (self.key,)}

    def _add_or_take(
        self, conn: psycopg.Connection, names: Sequence[Any], given: Mapping[str, Any], known: Any, *, takes: bool
    ) -> Entered:
        known = known or self.knows
        by_name = self.recognised(_named(self.names, names, given), known)
        row = self.there(conn, by_name)
        if row is not None and takes:
            entry = Entry(conn, by_name, self._checked("change", given), row, is_new=False, known=known)
            return self._written(entry, self.settle(entry), is_alone=False)
        checked = self._checked("add", given)
        if row is not None:
            raise ExistsAlreadyError(f"{self.exists(row, by_name)}; `change` changes it.", self.own.label)
        columns, row = self.place(conn, by_name)
        entry = Entry(conn, by_name, checked, row, is_new=True, known=known)
        values = {**columns, **self.settle(entry)}
        made = ops.insert(conn, self.table, {name: value for name, value in values.items() if value is not None})
        [row] = self.rows(conn, **self._at(made))
        notes = [*entry.notes, *(() if takes else self.noticed(conn, row, checked))]
        return Entered(self.kind, self.describe(row) + self.detail(row), "created", notes=tuple(notes), row=row)

    def _written(self, entry: Entry, values: Mapping[str, Any], *, is_alone: bool = True) -> Entered:
        """Write what differs from the row that is there."""
        row, zone = entry.row, self.zone(entry.row)
        differing = {name: value for name, value in values.items() if row[name] != value}
        if differing:
            ops.update(entry.conn, self.table, self._at(row), differing)
        hidden = {each.in_table for each in self.fields if each.secret}
        refers = any(other.key in differing for other in self.refers_to)
        now = self.rows(entry.conn, **self._at(row))[0] if refers else entry.would_be(values)
        changes = [
            column if column in hidden else self.difference(entry.conn, column, row[column], now[column], zone)
            for column in differing
        ]
        notes = [*entry.notes, *(self.noticed(entry.conn, now, entry.given) if is_alone else ())]
        outcome: Outcome = "changed" if differing else "unchanged"
        return Entered(self.kind, self.describe(row), outcome, tuple(changes), tuple(notes), row)

    def difference(self, conn: psycopg.Connection, column: str, before: Any, after: Any, zone: ZoneInfo) -> str:
        """A change of a column in words: `column before -> after`; what it refers to is told by name."""
        other = next((other for other in self.refers_to if other.key == column), None)
        if other is None:
            return f"{column} {format_value(before, zone)} -> {format_value(after, zone)}"
        referenced = [
            next(iter(other.rows(conn, **{other.key: key})), None) if key else None for key in (before, after)
        ]
        plain = [format_value(row and row[other.column], zone) for row in referenced]
        # Two of different places may be called the same.
        texts = plain if plain[0] != plain[1] else [other.describe(row) if row else "none" for row in referenced]
        return f"{other.own.name} {texts[0]} -> {texts[1]}"

    def _checked(self, verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
        known = {each.name: each for each in self.fields}
        others = {each.name for each in (*self.beside, *self.names, *self.found_by)}
        if unknown := given.keys() - known.keys() - others:
            raise TypeError(f"A {self.kind} has no {', '.join(sorted(unknown))}.")
        for each in self.fields:
            if verb in each.required and given.get(each.name) is None:
                raise EntryError(f"{each.label} must be given: {each.help}", each.label)
        return {
            name: known[name].checked(value)
            for name, value in given.items()
            if name in known and verb in known[name].verbs
        }

    def _needs(self, conn: psycopg.Connection, row: Row) -> Iterator[str]:
        """What refers to a row, in words, with the command that ends it."""
        for each in reversed(self._referring):
            if names := [each.short(one) for one in each.rows(conn, **{self.key: row[self.key]})]:
                shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
                noun = each.noun or each.kind
                yield f"{noun if len(names) == 1 else plural(noun)} {shown} ({self._ending(each, row)})"

    def _ending(self, referring: Thing, row: Row) -> str:
        """The command after which one of another thing refers no more to a row."""
        known = {name: row[column] for name, column in self.columns.items()}
        words: list[Any] = [known.get(each.name, each.name.upper()) for each in referring.found_by or referring.names]
        for each in referring.beside:
            words += [each.flag, known[each.name]] if known.get(each.name) is not None else []
        if not any(each.name == self.own.name and each.lacks for each in referring.fields):
            return command(*referring.command, "remove", *words)
        needed = [
            word for each in referring.fields if "change" in each.required for word in (each.flag, each.name.upper())
        ]
        return f"{command(*referring.command, 'change', *words, f'--{self.own.name}', 'none', *needed)}, or remove it"


def _named(fields: Sequence[Field], names: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is said, with what is said in the order of fields."""
    return {**given, **dict(zip((each.name for each in fields), names, strict=False))}
