"""Entered data: things that are declared once, with the same operations for all of them.

A `Thing` declares its identity (for a team: its season, its division, its own name), its fields, its rows, and its
owner. Adding, changing, removing and listing work the same for all things; the command line, files, the API and pages
use only these. The caller holds the transaction (see `ops.entering`).
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

from gamestats_assets.lakehouse.entries import local_times, ops
from gamestats_assets.lakehouse.entries.fields import EntryError, Field, Verb
from gamestats_assets.lakehouse.entries.ops import Row

Outcome = Literal["created", "changed", "unchanged", "removed"]
UTC_ZONE = ZoneInfo("UTC")


class UnknownNameError(EntryError):
    """A name that nothing has, or more than one thing."""


class ExistsAlreadyError(EntryError):
    """The thing to create exists already."""


class StillNeededError(EntryError):
    """Other things refer to the thing to remove; the message names them and says how to proceed."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The result of an entry.

    Attributes:
        kind: kind of thing, such as `roster entry`.
        what: describes the thing.
        outcome: the effect of the entry.
        changes: changes, each as `column before -> after`.
        notes: further information for the person.
        row: the row as it was found or created.
    """

    kind: str
    what: str
    outcome: Outcome
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    row: Row = field(default_factory=dict, repr=False)

    def line(self) -> str:
        """The result in one line."""
        return f"{self.outcome:<10}{self.what}" + (f": {'; '.join(self.changes)}" if self.changes else "")


def nearest(wanted: object, known: Iterable[object]) -> str:
    """Suggests similar names, or otherwise lists the existing ones."""
    names = [str(each) for each in sorted({*known})]  # type: ignore[type-var]
    if not names:
        return "there is none yet."
    folded = {name.casefold(): name for name in names}
    # Similar numbers are no suggestions.
    close = difflib.get_close_matches(wanted.casefold(), folded, n=3) if isinstance(wanted, str) else []
    if close:
        return f"did you mean {' or '.join(folded[name] for name in close)}?"
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"there {'is' if len(names) == 1 else 'are'} {listed}."


def plural(kind: str) -> str:
    """The plural of a kind."""
    return f"{kind[:-1]}ies" if kind.endswith("ry") else f"{kind}es" if kind.endswith("ch") else f"{kind}s"


def command(*words: object) -> str:
    """A command, quoted for a shell."""
    return "gamestats " + " ".join(shlex.quote(str(word)) for word in words)


def capitalised(text: str) -> str:
    """A text with its first letter in upper case."""
    return f"{text[0].upper()}{text[1:]}"


def format_value(value: Any, zone: ZoneInfo) -> str:
    """Formats a value of a column; times are shown in a time zone."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return local_times.format_local(value, zone) if isinstance(value, datetime) else str(value)


@dataclass(slots=True)
class Entry:
    """An entry while it is validated.

    Attributes:
        conn: a connection in the entry's transaction.
        names: the names that identify the thing, and all other values needed to find or place it.
        given: values of the given fields, as stored.
        row: the existing row; for a new thing, the values that follow from its names.
        is_new: whether the thing is to be added.
        context: facts that the game knows about entered names (see `Thing.default_context`).
        notes: further information for the person.
    """

    conn: psycopg.Connection
    names: Mapping[str, Any]
    given: Mapping[str, Any]
    row: Row
    is_new: bool
    context: Any
    notes: list[str] = field(default_factory=list)

    def would_be(self, values: Mapping[str, Any]) -> Row:
        """The row with some values replaced."""
        return {**self.row, **values}


class Thing:
    """A kind of thing that people enter, declared as a class with these attributes; methods may be overridden.

    Attributes:
        kind: its name, such as `roster entry`.
        noun: its name in sentences, if it differs.
        table: its table in `ops`.
        key: the numeric key column of the table.
        at: the columns that identify a row, if the key alone does not.
        command: its words on the command line, such as `tournament`, `roster`.
        query: selects all rows with the names of their owners, and further columns for lists.
        within: the thing that it belongs to (its owner).
        refers_to: other things that it may refer to, by columns named like their keys.
        column: the column with its own name; without one, it has no name, and an added thing is always new.
        placed_by: columns that a new thing takes from its owner, if not only the owner's key.
        names: fields that name a new thing, outermost first; the last is its own name.
        found_by: fields that name an existing thing, if fewer suffice.
        beside: further fields that may be needed to find or place a thing.
        fields: its other fields.
        narrowed_by: fields that filter lists, besides the outermost owner.
        listed: columns of lists, as columns of the query or `column AS name`.
        order: order of lists, as columns of the query.
        called: describes a thing; a format string with the query's columns.
        lacking: says that a thing does not exist; a format string with names, columns of the owner, and `there` for the
            existing ones.
        stays: whether removal only makes it inactive (column `is_active`), because it has data.
        default_context: facts that the game knows about entered names, unless the caller provides them.
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
    default_context: ClassVar[Any] = None

    def __init__(self) -> None:
        self._referring: list[Thing] = []
        for other in (self.within, *self.refers_to):
            if other is not None:
                other._referring.append(self)

    # ------------------------------------------------------------ may be overridden

    def siblings(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, list[Row]]:
        """The owner, and all its things of this kind.

        Raises:
            UnknownNameError: if the owner does not exist.
        """
        if self.within is None:
            return {}, self.rows(conn)
        owner = self.within.find(conn, **names)
        return owner, self.rows(conn, **{self.within.key: owner[self.within.key]})

    def alike(self, rows: Sequence[Row], names: Mapping[str, Any]) -> list[Row]:
        """Rows with the given name: those that match exactly, or otherwise those that match without case."""
        wanted = names[self.own.name]
        if not isinstance(wanted, str):
            return [row for row in rows if row[self.column] == wanted]
        wanted = wanted.strip()
        exact = [row for row in rows if row[self.column] == wanted]
        return exact or [row for row in rows if row[self.column].casefold() == wanted.casefold()]

    def which(self, rows: Sequence[Row], names: Mapping[str, Any]) -> UnknownNameError:
        """The error that several things have this name; may say how to tell them apart."""
        return UnknownNameError(f"Several {plural(self.kind)} are called {names[self.own.name]}.", self.own.label)

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """The message that nothing has this name, with the existing names."""
        owner, rows = self.siblings(conn, names)
        wanted = names[self.own.name]
        wanted = wanted.strip() if isinstance(wanted, str) else wanted
        advice = nearest(wanted, [row[self.column] for row in rows])
        return self.lacking.format_map(
            {**owner, **names, "noun": self.noun or self.kind, "wanted": wanted, "there": advice}
        )

    def recognised(self, names: Mapping[str, Any], context: Any) -> Mapping[str, Any]:
        """Completes the names of a possibly new thing from known facts.

        Raises:
            EntryError: if it cannot have these names.
        """
        return names

    def there(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """The existing row of a possibly new thing."""
        return self.seek(conn, names) if self.column else None

    def exists(self, row: Row, names: Mapping[str, Any]) -> str:
        """The message that it exists already."""
        return f"{capitalised(self.describe(row))} exists already"

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, Row]:
        """The columns that follow from the names of a new thing, without and with those of its owner.

        Raises:
            EntryError: if it cannot have these names, or its owner does not exist.
        """
        columns = {self.column: self.own.checked(names[self.own.name])} if self.column else {}
        owner = self.siblings(conn, names)[0]
        columns |= {each: owner[each] for each in self.placed_by or ((self.within.key,) if self.within else ())}
        return columns, {**owner, **columns}

    def settle(self, entry: Entry) -> dict[str, Any]:
        """Validates an entry and returns the columns to write; may add notes.

        Raises:
            EntryError: if the entry is invalid.
        """
        return self.stored(entry.given)

    def noticed(self, conn: psycopg.Connection, row: Row, given: Mapping[str, Any]) -> Sequence[str]:
        """Notes that depend on the table after everything was entered."""
        return ()

    def leave(self, entry: Entry) -> None:
        """Adds notes on a removal, or refuses it."""

    def describe(self, row: Row) -> str:
        """Describes a thing."""
        return self.called.format_map(row)

    def detail(self, row: Row) -> str:
        """Further description of an added thing."""
        return ""

    def short(self, row: Row) -> str:
        """Short description among things of its kind."""
        return str(row[self.column])

    def zone(self, row: Row) -> ZoneInfo:
        """The time zone in which its times are shown."""
        return UTC_ZONE

    # ------------------------------------------------------------ the same for all

    @property
    def own(self) -> Field:
        """The field with its own name."""
        return self.names[-1]

    @property
    def owners(self) -> Iterator[Thing]:
        """Its owner, the owner of that, and so on."""
        each = self.within
        while each is not None:
            yield each
            each = each.within

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the query, by their names in lists."""
        parts = [each.partition(" AS ") for each in self.listed]
        return {name or column: column for column, _, name in parts}

    @property
    def lists_by(self) -> tuple[Field, ...]:
        """The fields that filter lists."""
        outermost = [replace(each.own, help=f"Only of this {each.kind}.", positional=True) for each in self.owners][-1:]
        return (*outermost, *self.narrowed_by)

    def stored(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values of given fields, by their columns in the table."""
        columns = {each.name: each.in_table for each in self.fields}
        return {columns[name]: value for name, value in given.items() if columns.get(name)}

    def rows(self, conn: psycopg.Connection, **where: Any) -> list[Row]:
        """Rows of `query` whose columns have the given values."""
        return ops.select_of(conn, self.query, where, self.order)

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """The row of `query` with these names; None if there is none.

        Raises:
            UnknownNameError: if the owner does not exist, or several things have this name.
        """
        matching = self.alike(self.siblings(conn, names)[1], names)
        if len(matching) > 1:
            raise self.which(matching, names)
        return matching[0] if matching else None

    def find(self, conn: psycopg.Connection, *names: Any, **beside: Any) -> Row:
        """The row with these names.

        Raises:
            UnknownNameError: if there is none, or more than one.
        """
        by_name = _named(self.found_by or self.names, names, beside)
        row = self.seek(conn, by_name)
        if row is None:
            raise UnknownNameError(self.missing(conn, by_name), self.own.label)
        return row

    def add(self, conn: psycopg.Connection, *names: Any, context: Any = None, **given: Any) -> Entered:
        """Adds a thing.

        Args:
            conn: a connection in a transaction.
            names: the values of `names`.
            context: facts that the game knows about these names.
            given: its fields, and values needed to place it.

        Raises:
            EntryError: if it exists already or something is invalid.
            RefusedEntryError: if PostgreSQL refuses it.
        """
        return self._add_or_take(conn, names, given, context, takes=False)

    def take(self, conn: psycopg.Connection, *names: Any, context: Any = None, **given: Any) -> Entered:
        """Changes a thing if it exists, and otherwise adds it, as for a row of a file.

        It adds no notes that depend on the table, because the next row may change it.
        """
        return self._add_or_take(conn, names, given, context, takes=True)

    def change(self, conn: psycopg.Connection, *names: Any, context: Any = None, **given: Any) -> Entered:
        """Changes given fields of a thing; a row that already has these values is not written.

        Raises:
            EntryError: if it does not exist or something is invalid.
            RefusedEntryError: if PostgreSQL refuses it.
        """
        by_name = _named(self.found_by or self.names, names, given)
        return self.change_row(conn, self.find(conn, **by_name), context=context, **by_name)

    def change_row(self, conn: psycopg.Connection, row: Row, *, context: Any = None, **given: Any) -> Entered:
        """As `change`, for a row that was found before."""
        checked = self._checked("change", given)
        entry = Entry(conn, given, checked, row, is_new=False, context=context or self.default_context)
        return self._written(entry, self.settle(entry))

    def remove(self, conn: psycopg.Connection, *names: Any, context: Any = None, **beside: Any) -> Entered:
        """Removes a thing, or makes it inactive if it `stays`.

        Raises:
            UnknownNameError: if it does not exist.
            StillNeededError: if something refers to it.
        """
        return self.remove_row(conn, self.find(conn, *names, **beside), context)

    def remove_row(self, conn: psycopg.Connection, row: Row, context: Any = None) -> Entered:
        """As `remove`, for a row that was found before."""
        if not self.stays and (message := "; ".join(self._needs(conn, row))):
            raise StillNeededError(
                f"{capitalised(self.describe(row))} cannot be removed while something refers to it: {message}"
            )
        entry = Entry(conn, {}, {}, row, is_new=False, context=context or self.default_context)
        self.leave(entry)
        if self.stays:
            return self._written(entry, {"is_active": False})
        ops.delete(conn, self.table, self._at(row))
        return Entered(self.kind, self.describe(row), "removed", notes=tuple(entry.notes), row=row)

    def list(self, conn: psycopg.Connection, *names: Any, context: Any = None, **where: Any) -> pl.DataFrame:
        """Lists entered things, with the columns of `listed` and filtered by `lists_by`.

        Raises:
            UnknownNameError: if a given name does not exist.
        """
        by_name = _named(self.lists_by, names, where)
        kept: dict[str, list[Any]] = {}
        for owner in reversed([*self.owners]):
            if (wanted := by_name.get(owner.own.name)) is not None:
                rows = [row for row in owner.rows(conn) if all(row[key] in keys for key, keys in kept.items())]
                kept[owner.key] = [row[owner.key] for row in owner.alike(rows, {owner.own.name: wanted})]
                if not kept[owner.key]:
                    advice = nearest(wanted, [row[owner.column] for row in rows])
                    raise UnknownNameError(f"There is no {owner.kind} {wanted!r}; {advice}", owner.own.label)
        frame = ops.frame_of(conn, self.query, {}, self.order)
        frame = frame.filter(pl.lit(True), *(pl.col(key).is_in(keys) for key, keys in kept.items()))
        return frame.select(pl.col(column).alias(name) for name, column in self.columns.items())

    # ------------------------------------------------------------ internal

    def _at(self, row: Row) -> Row:
        return {name: row[name] for name in self.at or (self.key,)}

    def _add_or_take(
        self, conn: psycopg.Connection, names: Sequence[Any], given: Mapping[str, Any], context: Any, *, takes: bool
    ) -> Entered:
        context = context or self.default_context
        by_name = self.recognised(_named(self.names, names, given), context)
        row = self.there(conn, by_name)
        if row is not None and takes:
            entry = Entry(conn, by_name, self._checked("change", given), row, is_new=False, context=context)
            return self._written(entry, self.settle(entry), is_alone=False)
        checked = self._checked("add", given)
        if row is not None:
            raise ExistsAlreadyError(f"{self.exists(row, by_name)}; `change` changes it.", self.own.label)
        columns, row = self.place(conn, by_name)
        entry = Entry(conn, by_name, checked, row, is_new=True, context=context)
        values = {**columns, **self.settle(entry)}
        made = ops.insert(conn, self.table, {name: value for name, value in values.items() if value is not None})
        [row] = self.rows(conn, **self._at(made))
        notes = [*entry.notes, *(() if takes else self.noticed(conn, row, checked))]
        return Entered(self.kind, self.describe(row) + self.detail(row), "created", notes=tuple(notes), row=row)

    def _written(self, entry: Entry, values: Mapping[str, Any], *, is_alone: bool = True) -> Entered:
        """Writes the values that differ from the existing row."""
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
        """A change of a column as `column before -> after`; referenced things are shown by name."""
        other = next((other for other in self.refers_to if other.key == column), None)
        if other is None:
            return f"{column} {format_value(before, zone)} -> {format_value(after, zone)}"
        referenced = [
            next(iter(other.rows(conn, **{other.key: key})), None) if key else None for key in (before, after)
        ]
        plain = [format_value(row and row[other.column], zone) for row in referenced]
        # Things with different owners may have the same name.
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
        """Describes the things that refer to a row, each with the command that ends the reference."""
        for each in reversed(self._referring):
            if names := [each.short(one) for one in each.rows(conn, **{self.key: row[self.key]})]:
                shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
                noun = each.noun or each.kind
                yield f"{noun if len(names) == 1 else plural(noun)} {shown} ({self._ending(each, row)})"

    def _ending(self, referring: Thing, row: Row) -> str:
        """The command after which a referring thing no longer refers to a row."""
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
    """Merges positional names, in the order of fields, with values given by name."""
    return {**given, **dict(zip((each.name for each in fields), names, strict=False))}
