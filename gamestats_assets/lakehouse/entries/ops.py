"""PostgreSQL's schema `ops`: entered data, and registers that processes share.

The Alembic revisions under `sql/postgres/` create its tables. Publication never touches them; a `Table` of the same
name takes a snapshot of its rows. A write that breaks a rule raises `RefusedEntryError`; earlier writes of the
transaction remain.

    migrate(url)
    with entering(url, "alice") as conn:
        insert(conn, "divisions", {"season_id": 1, "division": "Division 1"})
    frame = entered_rows(url, Divisions)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString

import polars as pl
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.roles import ensure_reader
from gamestats_assets.lakehouse.postgres.server import PostgresError, connect, explained, has_table, shared_connection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import shipped

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA = "ops"
Row = dict[str, Any]
"""One row, by column."""

_REVISIONS = ("sql", "postgres")


class MigrationError(PostgresError):
    """The schema `ops` cannot be migrated to the revision that this version of gamestats needs."""


class RefusedEntryError(PostgresError):
    """PostgreSQL refused an entry; the message names the broken rule."""


# --- migrations ----------------------------------------------------------------------------------


def migrate(url: SecretStr) -> None:
    """Migrates `ops` to the newest revision in one transaction; takes one query if it is there already.

    Any number of processes may call it at once: one works, and the others wait for it. The role `gamestats_reader` may
    then read the tables; if it cannot be created, publication reports that.

    Raises:
        MigrationError: if a newer gamestats has changed `ops`, or PostgreSQL refuses a revision.
    """
    newest = known_revisions()[-1]
    if current_revision(url) != newest:
        _run(url, "upgrade", newest)


def downgrade(url: SecretStr, revision: str = "base") -> None:
    """Migrates `ops` back to an older revision; `base` drops its tables with all entered data.

    Raises:
        MigrationError: if PostgreSQL refuses, for example because a view depends on a table.
    """
    _run(url, "downgrade", revision)


def known_revisions() -> list[str]:
    """The revisions of this version of gamestats, in order: `0001`, ..."""
    # File names begin with the revision, so that nothing must be imported to know the newest.
    return sorted(path.name.split("_")[0] for path in shipped(*_REVISIONS, "versions").glob("[0-9]*_*.py"))


def current_revision(url: SecretStr) -> str | None:
    """The current revision of `ops`; None before the first."""
    with connect(url) as conn, explained("ops"):
        return _revision(conn)


def _revision(conn: psycopg.Connection) -> str | None:
    if not has_table(conn, SCHEMA, "alembic_version"):
        return None
    row = conn.execute("SELECT version_num FROM ops.alembic_version").fetchone()
    return str(row[0]) if row else None


def _run(url: SecretStr, command: str, revision: str) -> None:
    # Imported only if there is something to migrate, since Alembic loads SQLAlchemy.
    from alembic import command as alembic
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    with connect(url) as conn, explained("migrating ops", MigrationError):
        conn.autocommit = False
        engine = create_engine("postgresql+psycopg://", creator=lambda: conn, poolclass=StaticPool)
        try:
            with engine.begin() as connection:
                conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('gamestats ops', 0))")
                _refuse_newer(_revision(conn))
                ensure_reader(conn, [SCHEMA])
                getattr(alembic, command)(_config(connection), revision)
        except DBAPIError as error:
            # SQLAlchemy's own message quotes the whole revision.
            if isinstance(error.orig, psycopg.Error):
                raise error.orig from None
            raise
        except CommandError as error:
            raise MigrationError(f"migrating ops: {error}.") from None


def _config(connection: Any) -> Config:
    from alembic.config import Config

    config = Config()
    # Option values are templates, in which a % is written twice.
    config.set_main_option("script_location", str(shipped(*_REVISIONS)).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


def _refuse_newer(revision: str | None) -> None:
    known = known_revisions()
    if revision is not None and revision not in known:
        raise MigrationError(
            f"Schema ops in PostgreSQL is at revision {revision}; this gamestats knows revisions up to {known[-1]}. "
            "A newer gamestats has changed it: upgrade this one."
        )


# --- reading -------------------------------------------------------------------------------------


def entered_rows(url: SecretStr | str, table: type[Table]) -> pl.DataFrame:
    """The rows of `ops.<name of the table>`, with the declared columns and types, ordered by primary key.

    Empty if `ops` has no such table, as before the first migration.
    """
    columns, key = (sql.SQL(", ").join(map(sql.Identifier, names)) for names in (table.columns(), table.primary_key()))
    query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(columns, _identifier(table.spec.name), key)
    rows: list[Any] = []
    with explained(f"snapshot of {SCHEMA}.{table.spec.name}"), suppress(psycopg.errors.UndefinedTable):
        rows = shared_connection(url).execute(query).fetchall()
    return pl.DataFrame(rows, schema=table.schema(), orient="row")


def versions(url: SecretStr | str) -> dict[str, int]:
    """A number per table that grows whenever its rows change; empty before the first migration."""
    # The sensor asks for this all the time, for every game.
    with explained("ops.changes"), suppress(psycopg.errors.UndefinedTable):
        return dict(shared_connection(url).execute("SELECT table_name, version FROM ops.changes").fetchall())
    return {}


def rows(
    conn: psycopg.Connection, query: LiteralString | sql.Composed, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> list[Row]:
    """The rows of a query with bound parameters."""
    with explained("ops"), conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def select(conn: psycopg.Connection, table: str, where: Mapping[str, Any]) -> list[Row]:
    """The rows of a table whose columns have the given values (None means null), ordered by primary key."""
    query = sql.SQL("SELECT * FROM {} WHERE {} ORDER BY 1").format(_identifier(table), _condition(where))
    with explained(f"{SCHEMA}.{table}"), conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, list(where.values())).fetchall()


def select_of(
    conn: psycopg.Connection, query: LiteralString, where: Mapping[str, Any], order: Sequence[LiteralString] = ()
) -> list[Row]:
    """The rows of a query whose columns have the given values (None means null)."""
    with explained("ops"), conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_filtered_query(query, where, order), list(where.values())).fetchall()


def frame_of(
    conn: psycopg.Connection, query: LiteralString, where: Mapping[str, Any], order: Sequence[LiteralString] = ()
) -> pl.DataFrame:
    """As `select_of`, but returns a frame whose types follow PostgreSQL's."""
    with explained("ops"), conn.cursor() as cursor:
        rows = cursor.execute(_filtered_query(query, where, order), list(where.values())).fetchall()
        schema = {column.name: _TYPES[column.type_code] for column in cursor.description or ()}
    return pl.DataFrame(rows, schema=schema, orient="row")


_TYPES: Mapping[int, Any] = {
    16: pl.Boolean,
    20: pl.Int64,
    23: pl.Int32,
    25: pl.String,
    1007: pl.List(pl.Int32),
    1009: pl.List(pl.String),
    1082: pl.Date,
    1184: pl.Datetime("us", "UTC"),
}
"""The PostgreSQL types in `ops`, by their numbers."""


def _filtered_query(query: LiteralString, where: Mapping[str, Any], order: Sequence[LiteralString]) -> sql.Composed:
    ordered = sql.SQL(" ORDER BY ") + sql.SQL(", ").join(map(sql.SQL, order)) if order else sql.SQL("")
    return sql.SQL("SELECT * FROM ({}) AS entered WHERE {}{}").format(sql.SQL(query), _condition(where), ordered)


CHANNEL = "gamestats_changed"
"""PostgreSQL's notification channel for committed changes of entered data."""


class Changes:
    """A context that receives notifications: changes of entered data, and those that `tell` sends."""

    def __init__(self, url: SecretStr | str) -> None:
        self._url = url

    def __enter__(self) -> Changes:
        self._conn = connect(self._url)
        self._conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        return self

    def __exit__(self, *_: object) -> None:
        self._conn.close()

    def came_within(self, seconds: float) -> bool:
        """Waits for a change, and returns whether one came in time or was already pending."""
        with explained("hearing of changes"):
            return next(iter(self._conn.notifies(timeout=seconds, stop_after=1)), None) is not None


def tell(url: SecretStr | str, what: str) -> None:
    """Notifies listeners of another event: that files have `landed`, or that everything is `stopping`."""
    with explained("telling of a change"):
        shared_connection(url).execute("SELECT pg_notify(%s, %s)", [CHANNEL, what])


# --- writing -------------------------------------------------------------------------------------


@contextmanager
def entering(url: SecretStr, person: str) -> Iterator[psycopg.Connection]:
    """Migrates `ops` and opens a connection in a transaction in which a person enters things."""
    migrate(url)
    with connect(url) as conn, explained("ops", RefusedEntryError), conn.transaction():
        conn.execute("SET LOCAL timezone = 'UTC'")
        conn.execute("SELECT set_config('gamestats.person', %s, true)", [person])
        yield conn


def person(conn: psycopg.Connection) -> str:
    """The person who enters things in this transaction; see `entering`."""
    [row] = rows(conn, "SELECT coalesce(nullif(current_setting('gamestats.person', true), ''), session_user) AS name")
    return row["name"]


def insert(conn: psycopg.Connection, table: str, values: Mapping[str, Any]) -> Row:
    """Inserts one row and returns it with its defaults."""
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    places = sql.SQL(", ").join([sql.Placeholder()] * len(values))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *").format(_identifier(table), names, places)
    return write(conn, table, statement, list(values.values()))[0]


def update(conn: psycopg.Connection, table: str, where: Mapping[str, Any], values: Mapping[str, Any]) -> list[Row]:
    """Sets columns of the rows whose columns have the values of `where`; returns these rows."""
    pairs = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in values)
    statement = sql.SQL("UPDATE {} SET {} WHERE {} RETURNING *").format(_identifier(table), pairs, _condition(where))
    return write(conn, table, statement, [*values.values(), *where.values()])


def delete(conn: psycopg.Connection, table: str, where: Mapping[str, Any]) -> list[Row]:
    """Deletes the rows whose columns have the given values; returns them."""
    statement = sql.SQL("DELETE FROM {} WHERE {} RETURNING *").format(_identifier(table), _condition(where))
    return write(conn, table, statement, list(where.values()))


def write(conn: psycopg.Connection, table: str, statement: sql.Composed, values: Sequence[Any]) -> list[Row]:
    """Executes a statement that writes a table, and returns its rows."""
    with explained(f"{SCHEMA}.{table}", RefusedEntryError):
        try:
            with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(statement, values).fetchall()
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            # Neither a trigger's line nor the whole row that broke a rule would help people.
            broken = isinstance(error, psycopg.errors.CheckViolation)
            details = (error.diag.message_primary, None if broken else error.diag.message_detail)
            raise RefusedEntryError(". ".join(part.rstrip(".") for part in details if part) + ".") from None


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, table)


def _condition(where: Mapping[str, Any]) -> sql.Composed:
    equal = (sql.SQL("{} IS NOT DISTINCT FROM {}").format(sql.Identifier(name), sql.Placeholder()) for name in where)
    return sql.SQL(" AND ").join([sql.SQL("true"), *equal])
