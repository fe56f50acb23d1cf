"""Editing of entries for any game: the verbs of a declared `Thing`, on behalf of a signed-in user.

Every row has a version, a hash of its content. A change names the version that it is based on, and is refused if the
row has changed since: the message says what changed, and nothing is overwritten. Every change is recorded in
`ops.entry_history`, from which it can be undone, and in the audit log. Users whose role is limited to a season or
division see and enter nothing else.

Everything happens in the caller's transaction, which ends when something is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.csv_files import CsvFile, Import, ImportRefusedError
from gamestats_assets.lakehouse.entries.declared import Entered, Thing, capitalised
from gamestats_assets.lakehouse.entries.fields import EntryError, Field
from gamestats_assets.lakehouse.entries.local_times import LocalTimeError
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError, Row
from gamestats_assets.serving.accounts.audit import audit
from gamestats_assets.serving.middleware.principal import Person, Role
from gamestats_assets.serving.middleware.problems import CONFLICTS, ProblemError

Take = Callable[..., Import]
"""Imports a file of a thing, given a connection, the file, known names, and further options."""


class Effects(Protocol):
    """The consequences of an edit, for a preview."""

    def concerns(self, conn: psycopg.Connection, rows: Sequence[Row]) -> Collection[int]:
        """Returns the ids of what some rows affect, such as divisions."""
        ...

    def state(self, conn: psycopg.Connection, concerned: Collection[int]) -> Any:
        """Returns the state of these under the entries of this transaction."""
        ...

    def difference(self, before: Any, after: Any) -> Sequence[Mapping[str, Any]]:
        """Returns the differences between two states."""
        ...


@dataclass(frozen=True, slots=True)
class Editable:
    """A thing that is edited over HTTP.

    Attributes:
        thing: its declaration.
        path: name of the rows in addresses, such as `teams`.
        role: the role that may edit it.
        known: names that the game knows, to resolve references.
        belongs: returns the ids of the seasons and divisions that a row belongs to.
        effects: computes the consequences of an edit.
        take: imports a file.
        takes: further options of `take`.
        left_out: names of fields that the session fills in.
    """

    thing: Thing
    path: str
    role: Role = "tournament_admin"
    known: Callable[[psycopg.Connection], Any] = lambda conn: None
    belongs: Callable[[psycopg.Connection, Row], Collection[tuple[int | None, int | None]]] = lambda conn, row: [
        (row.get("season_id"), row.get("division_id"))
    ]
    effects: Effects | None = None
    take: Take | None = None
    takes: Sequence[Field] = ()
    left_out: Collection[str] = ()

    @property
    def named_by(self) -> tuple[Field, ...]:
        """The fields that name a new row."""
        return self.thing.names

    @property
    def added_with(self) -> tuple[Field, ...]:
        """The other fields of a new row."""
        both = (*self.thing.beside, *self.thing.fields)
        return tuple(each for each in both if "add" in each.verbs and self._is(each))

    @property
    def changed_by(self) -> tuple[Field, ...]:
        """The fields that may be changed; those that only identify a row may not."""
        beside = [each for each in self.thing.beside if "remove" not in each.verbs]
        return tuple(each for each in (*beside, *self.thing.fields) if "change" in each.verbs and self._is(each))

    def _is(self, each: Field) -> bool:
        return each.name not in self.left_out and each.name not in {name.name for name in self.thing.names}

    def shown(self, row: Row) -> dict[str, Any]:
        """Returns a row as the API shows it: its ids, the columns of lists, and its version."""
        numbers = {name: row[name] for name in ("season_id", "division_id", self.thing.key) if name in row}
        values = {name: row[column] for name, column in self.thing.columns.items()}
        return {**numbers, **values, **{name: row[name] for name in ("version",) if name in row}}


@dataclass(frozen=True, slots=True)
class Edit:
    """A completed edit.

    Attributes:
        done: the edit in words.
        row: the row now, with its version; None if it was removed.
    """

    done: Entered
    row: Row | None = None


_OPTION = re.compile(r"--[a-z-]+")
_ACTS = {"created": "add", "changed": "change", "removed": "remove"}


class Editor:
    """One user's edits of a thing, in one transaction.

    Args:
        conn: the transaction; its time zone becomes UTC, and its entries are recorded under the user.
    """

    def __init__(self, of: Editable, conn: psycopg.Connection, person: Person) -> None:
        self.of, self.thing, self.conn, self.person = of, of.thing, conn, person
        conn.execute("SET LOCAL timezone = 'UTC'")
        conn.execute("SELECT set_config('gamestats.person', %s, true)", [person.name])

    # ------------------------------------------------------------ reading

    def rows(self, **where: Any) -> list[Row]:
        """Returns the rows that the user may edit, with their versions, in the order of lists."""
        return [row for row in self._rows(**where) if self._may(row)]

    def _rows(self, **where: Any) -> list[Row]:
        found = self.thing.rows(self.conn, **where)
        query = sql.SQL("SELECT {key}, md5(ops.entry_of(to_jsonb(t))::text) FROM {table} t WHERE {key} = ANY(%s)")
        keys = [row[self.thing.key] for row in found]
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            versions = dict(cursor.execute(query.format(**self._parts()), [keys]).fetchall())
        return [{**row, "version": versions[row[self.thing.key]]} for row in found]

    def row(self, key: int | str) -> Row:
        """Returns a row with its version.

        Raises:
            ProblemError: 404 if there is none, 403 if the user may not edit it.
        """
        if (found := self._row(key)) is None:
            raise ProblemError(404, f"There is no {self.thing.kind} {str(key)[:80]!r}.")
        self._allow(found)
        return found

    def as_seen(self, key: int | str, version: str) -> Row:
        """Returns a row as it was at a version; as it is now if the version is unknown.

        Raises:
            ProblemError: 404 if there is none, 403 if the user may not edit it.
        """
        row = self.row(key)
        for entry in [] if row["version"] == version else self._history(key):
            if entry["before"] is not None and self._version(entry["before"]) == version:
                return {**row, **self._restored(entry["before"])}
        return row

    def hold(self, key: int | str) -> Row:
        """Returns a row with its version, and locks it until the transaction ends.

        Raises:
            ProblemError: 404 if there is none, 403 if the user may not edit it.
        """
        self._lock(key)
        return self.row(key)

    def history(self, key: int | str) -> list[Row]:
        """Returns a row's changes, newest first: `entry_history_id`, `before`, `after`, `changed_at`, `changed_by`.

        Raises:
            ProblemError: 403 if the user may not edit it.
        """
        entries = self._history(key)
        if (row := self._row(key) or self._as_it_was(key, entries)) is not None:
            self._allow(row)
        elif entries and not self.person.may(self.of.role):
            raise ProblemError(403, "It was removed, together with what it belonged to.")
        return entries

    def _history(self, key: int | str) -> list[Row]:
        query = """
            SELECT entry_history_id, before, after, changed_at, changed_by FROM ops.entry_history
            WHERE table_name = %s AND row_key = %s ORDER BY entry_history_id DESC
        """
        return ops.rows(self.conn, query, [self.thing.table, str(key)])

    def changes_of(self, entry: Row, zone: ZoneInfo) -> tuple[str, ...]:
        """Returns a change of a history in words: `column before -> after`, moments in a time zone."""
        before, after = entry["before"], entry["after"]
        if before is None or after is None:
            return ("added",) if before is None else ("removed",)
        was, now = self._restored(before), self._restored(after)
        return self._differences(was, now, after, zone)

    # ------------------------------------------------------------ the verbs

    def add(self, **given: Any) -> Edit:
        """Adds a row, given its names and fields.

        Raises:
            ProblemError: if it is invalid.
        """
        # If two users add the same row at once, the second gets an error.
        self.conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ops.{self.thing.table}"])
        with self._as_problems():
            done = self.thing.add(self.conn, context=self.of.known(self.conn), **given)
        return self._written(done, None, done.row[self.thing.key])

    def change(self, key: int | str, version: str, **given: Any) -> Edit:
        """Changes the given fields of a row.

        Raises:
            ProblemError: 412 if it has another version by now; or if the result is invalid.
        """
        row = self._held(key, version)
        with self._as_problems():
            done = self.thing.change_row(self.conn, row, context=self.of.known(self.conn), **given)
        return self._written(done, row, key)

    def remove(self, key: int | str, version: str) -> Edit:
        """Removes a row.

        Raises:
            ProblemError: 412 if it has another version by now; or if other rows need it.
        """
        row = self._held(key, version)
        with self._as_problems():
            done = self.thing.remove_row(self.conn, row, self.of.known(self.conn))
        return self._written(done, row, key)

    def undo(self, key: int | str, version: str, entry_history_id: int | None = None) -> Edit:
        """Restores a row to its state before its last change, or before an earlier one.

        Args:
            version: version of the row; empty if it was removed.

        Raises:
            ProblemError: if there is nothing to undo, or the former state is invalid now.
        """
        row = self._held(key, version, may_lack=True)
        entries = self._history(key)
        chosen = [each for each in entries if entry_history_id in (None, each["entry_history_id"])]
        if not chosen:
            raise ProblemError(404, f"There is no such change of {self.thing.kind} {str(key)[:80]!r}.")
        wanted = chosen[0]["before"]
        with self._as_problems():
            if wanted is None:
                if row is None:
                    raise ProblemError(409, "It is removed already.")
                done = self.thing.remove_row(self.conn, row, self.of.known(self.conn))
            else:
                self._restore(key, wanted, is_new=row is None)
                now = self.row(key)
                changes = () if row is None else self._differences(row, now, wanted, self.thing.zone(now))
                done = Entered(
                    self.thing.kind, self.thing.describe(now), "changed" if row else "created", changes, row=now
                )
        return self._written(done, row, key, verb="undo")

    def take(self, file: CsvFile, *, dry_run: bool = False, **asked: Any) -> Import:
        """Imports a file, as a whole or not at all.

        Raises:
            ProblemError: if it has mistakes; names all of them by row.
        """
        assert self.of.take is not None
        self.conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ops.{self.thing.table}"])
        with self._as_problems(), self.conn.transaction(force_rollback=dry_run):
            done = self.of.take(self.conn, file=file, context=self.of.known(self.conn), **asked)
            for entered in done.entered:
                self._allow(entered.row)
            counts = ", ".join(f"{number} {kind} {outcome}" for (kind, outcome), number in done.counts.items())
            what = f"{file.name[:80]}: {counts or 'nothing to do'}"
            audit(self.conn, self.person, f"{self.of.path}.import", what)
        return done

    # ------------------------------------------------------------ within

    def _version(self, entry: Mapping[str, Any]) -> str:
        return ops.rows(self.conn, "SELECT md5(%s::jsonb::text) AS version", [Jsonb(entry)])[0]["version"]

    def _lock(self, key: int | str) -> None:
        query = sql.SQL("SELECT 1 FROM {table} WHERE {key} = %s FOR UPDATE").format(**self._parts())
        self.conn.execute(query, [key])

    def _row(self, key: int | str) -> Row | None:
        return next(iter(self._rows(**{self.thing.key: key})), None)

    def _as_it_was(self, key: int | str, entries: Sequence[Row]) -> Row | None:
        """Returns a removed row; None if there was none, or if what it belonged to was removed, too."""
        if not entries or entries[0]["before"] is None:
            return None
        try:
            with self.conn.transaction(force_rollback=True):
                self._restore(key, entries[0]["before"], is_new=True)
                return self._row(key)
        except RefusedEntryError:
            return None

    def _held(self, key: int | str, version: str, *, may_lack: bool = False) -> Any:
        self._lock(key)
        row = self._row(key)
        if row is not None:
            self._allow(row)
            if row["version"] != version:
                raise ProblemError(412, self._meanwhile(row, version), headers={"ETag": f'"{row["version"]}"'})
        elif not (may_lack and not version):
            self._refuse_removed(key)
        return row

    def _refuse_removed(self, key: int | str) -> None:
        entries = self.history(key)
        if not entries:
            raise ProblemError(404, f"There is no {self.thing.kind} {str(key)[:80]!r}.")
        last = entries[0]
        raise ProblemError(412, f"{last['changed_by']} removed it at {_moment(last['changed_at'])}.")

    def _meanwhile(self, row: Row, version: str) -> str:
        """Returns the changes since a version, in words."""
        # The version is the state before the first of the later changes.
        query = """
            SELECT before, changed_at, changed_by, coalesce(md5(before::text), '') = %s AS had FROM ops.entry_history
            WHERE table_name = %s AND row_key = %s ORDER BY entry_history_id DESC
        """
        entries = ops.rows(self.conn, query, [version, self.thing.table, str(row[self.thing.key])])
        since = next((number for number, each in enumerate(entries) if each["had"]), None)
        message = f"{capitalised(self.thing.describe(row))} is not as you saw it"
        if since is None:
            return f"{message}: load it again, and then change it. Nothing was overwritten."
        before = entries[since]["before"]
        people = " and ".join(dict.fromkeys(each["changed_by"] for each in entries[: since + 1]))
        when = _moment(entries[0]["changed_at"])
        if before is None:
            return f"{message}: {people} added it in the meantime ({when}). Look at it first. Nothing was overwritten."
        differences = self._differences(self._restored(before), row, before, self.thing.zone(row))
        return f"{message}: {people} changed it ({when}): {'; '.join(differences)}. Nothing was overwritten."

    def _restored(self, entry: Mapping[str, Any]) -> Row:
        """Returns a row of the table from its history."""
        query = sql.SQL("SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %s)")
        with self.conn.cursor(row_factory=dict_row) as cursor:
            [row] = cursor.execute(query.format(**self._parts(entry)), [Jsonb(entry)]).fetchall()
        return row

    def _restore(self, key: int | str, entry: Mapping[str, Any], *, is_new: bool) -> None:
        if is_new:
            query = sql.SQL(
                "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
                "SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %s) RETURNING *"
            )
            ops.write(self.conn, self.thing.table, query.format(**self._parts(entry)), [Jsonb(entry)])
            return
        query = sql.SQL(
            "UPDATE {table} SET ({columns}) = (SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %s)) "
            "WHERE {key} = %s RETURNING *"
        )
        others = [name for name in entry if name != self.thing.key]
        ops.write(self.conn, self.thing.table, query.format(**self._parts(others)), [Jsonb(entry), key])

    def _parts(self, columns: Collection[str] = ()) -> dict[str, sql.Composable]:
        return {
            "table": sql.Identifier("ops", self.thing.table),
            "key": sql.Identifier(self.thing.key),
            "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        }

    def _may(self, row: Row) -> bool:
        return self.person.may(self.of.role) or all(
            self.person.may(self.of.role, season_id=season, division_id=division)
            for season, division in self.of.belongs(self.conn, row)
        )

    def _allow(self, row: Row) -> None:
        if not self._may(row):
            where = row.get("division") or row.get("season") or "what is of no season"
            raise ProblemError(403, f"Your role does not extend to {where}.")

    def _written(self, done: Entered, before: Row | None, key: int | str, verb: str = "") -> Edit:
        done = replace(done, notes=tuple(map(self._here, done.notes)))
        after = None if done.outcome == "removed" else self.row(key)
        if done.outcome != "unchanged":
            last = self._history(key)[0]
            act = f"{self.thing.kind}.{verb or _ACTS[done.outcome]}"
            audit(self.conn, self.person, act, done.what, last["before"], last["after"])
        return Edit(done, after)

    @contextmanager
    def _as_problems(self) -> Iterator[None]:
        """Turns mistakes into problems that name the given fields."""
        try:
            yield
        except ImportRefusedError as error:
            errors = [
                {"row": mistake.row, "name": mistake.column, "message": self._here(mistake.message)}
                for mistake in error.mistakes
            ]
            raise ProblemError(422, self._here(str(error)), errors=errors) from None
        except (EntryError, LocalTimeError, RefusedEntryError) as error:
            column = error.column if isinstance(error, EntryError) else ""
            names = {each.label: each.name for each in self._fields}
            message = self._here(str(error))
            status = 409 if isinstance(error, CONFLICTS) else 422
            errors = [{"name": names.get(column, column), "message": message}] if column else []
            raise ProblemError(status, message, errors=errors) from None

    def _differences(self, before: Row, after: Row, columns: Collection[str], zone: ZoneInfo) -> tuple[str, ...]:
        return tuple(
            self.thing.difference(self.conn, name, before[name], after[name], zone)
            for name in columns
            if before[name] != after[name]
        )

    @property
    def _fields(self) -> Sequence[Field]:
        return (*self.of.named_by, *self.of.added_with, *self.of.changed_by)

    def _here(self, message: str) -> str:
        """Returns a message without command line options: they become names of fields."""
        names = {each.flag: each.label for each in self._fields}
        # Whole commands stay, so that they can be copied.
        return message if "gamestats " in message else _OPTION.sub(lambda found: names.get(found[0], found[0]), message)


Consequences = Sequence[Mapping[str, Any]] | None
"""Consequences of edits; None if they are unknown or were not asked for."""


def previewed(
    conn: psycopg.Connection, effects: Effects | None, work: Callable[[], Sequence[Edit]]
) -> tuple[Sequence[Edit], Consequences]:
    """Tries edits, returns them with their consequences, and rolls them back."""
    concerned: Collection[int] = ()
    after = None
    with conn.transaction(force_rollback=True):
        edits = work()
        if effects is not None:
            rows = [row for edit in edits for row in (edit.done.row, edit.row) if row]
            concerned = effects.concerns(conn, rows)
            after = effects.state(conn, concerned)
    if effects is None:
        return edits, None
    return edits, effects.difference(effects.state(conn, concerned), after)


def _moment(at: Any) -> str:
    return at.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%M UTC")
