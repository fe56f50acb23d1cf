"""PostgreSQL's schema `ops`: what people enter, and the registers that processes share.

Its tables are made by the Alembic revisions under `sql/postgres/`. Nothing that is published
touches them; a `Table` that names one takes a snapshot of its rows. What is written and breaks a rule
raises `RefusedEntryError`; what was written before in the transaction stands.

    migrate(url)
    with entering(url, "alice") as conn:
        insert(conn, "divisions", {"season_id": 1, "division": "Division 1"})
    frame = snapshot(url, Divisions)
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

from gamestats_assets.lakehouse.postgres import PostgresError, connect, explained, has_table, kept
from gamestats_assets.lakehouse.roles import ensure_reader
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import shipped

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA = "ops"
Row = dict[str, Any]
"""One row by column."""

_REVISIONS = ("sql", "postgres")


class MigrationError(PostgresError):
    """The schema `ops` cannot be brought to the state this version of gamestats needs."""


class RefusedEntryError(PostgresError):
    """PostgreSQL refused what was entered; the message says which rule was broken."""


# --- migrations ----------------------------------------------------------------------------------


def migrate(url: SecretStr) -> None:
    """Bring `ops` to the newest revision, in one transaction; one query when it is there already.

    Any number of processes may call it at once: one works, the others wait for it. The role
    `gamestats_reader` may then read the tables; where it cannot be made, publication says so.

    Raises:
        MigrationError: when a newer gamestats has changed `ops`, or PostgreSQL refuses a revision.
    """
    newest = known_revisions()[-1]
    if current_revision(url) != newest:
        _run(url, "upgrade", newest)


def downgrade(url: SecretStr, revision: str = "base") -> None:
    """Take `ops` back to an older revision; `base` drops its tables with all that people entered.

    Raises:
        MigrationError: when PostgreSQL refuses, as when a view stands on a table.
    """
    _run(url, "downgrade", revision)


def known_revisions() -> list[str]:
    """The revisions this version of gamestats has, in their order: `0001`, ..."""
    # Their files begin with their number, so that nothing need be loaded to know the newest.
    return sorted(path.name.split("_")[0] for path in shipped(*_REVISIONS, "versions").glob("[0-9]*_*.py"))


def current_revision(url: SecretStr) -> str | None:
    """The revision `ops` stands at; None before the first."""
    with connect(url) as conn, explained("ops"):
        return _revision(conn)


def _revision(conn: psycopg.Connection) -> str | None:
    if not has_table(conn, SCHEMA, "alembic_version"):
        return None
    row = conn.execute("SELECT version_num FROM ops.alembic_version").fetchone()
    return str(row[0]) if row else None


def _run(url: SecretStr, command: str, revision: str) -> None:
    # Alembic brings SQLAlchemy along; a process that finds everything done does without.
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


def _refuse_newer(found: str | None) -> None:
    known = known_revisions()
    if found is not None and found not in known:
        raise MigrationError(
            f"Schema ops in PostgreSQL is at revision {found}; this gamestats knows revisions up to {known[-1]}. "
            "A newer gamestats has changed it: upgrade this one."
        )


# --- reading -------------------------------------------------------------------------------------


def snapshot(url: SecretStr | str, table: type[Table]) -> pl.DataFrame:
    """The rows of `ops.<name of the table>`, in the declared columns and types, by primary key.

    Empty while `ops` has no such table: before the first migration nobody has entered anything.
    """
    columns, key = (sql.SQL(", ").join(map(sql.Identifier, names)) for names in (table.columns(), table.primary_key()))
    query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(columns, _identifier(table.spec.name), key)
    found: list[Any] = []
    with explained(f"snapshot of {SCHEMA}.{table.spec.name}"), suppress(psycopg.errors.UndefinedTable):
        found = kept(url).execute(query).fetchall()
    return pl.DataFrame(found, schema=table.schema(), orient="row")


def versions(url: SecretStr | str) -> dict[str, int]:
    """A number per table that grows whenever its rows change; empty before the first migration."""
    # Asked for all the time by the sensor, for every game.
    with explained("ops.changes"), suppress(psycopg.errors.UndefinedTable):
        return dict(kept(url).execute("SELECT table_name, version FROM ops.changes").fetchall())
    return {}


def rows(
    conn: psycopg.Connection, query: LiteralString | sql.Composed, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> list[Row]:
    """The rows of a query with bound parameters."""
    with explained("ops"), conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def select(conn: psycopg.Connection, table: str, where: Mapping[str, Any]) -> list[Row]:
    """The rows of a table whose columns have the values, None being null; by primary key."""
    query = sql.SQL("SELECT * FROM {} WHERE {} ORDER BY 1").format(_identifier(table), _condition(where))
    with explained(f"{SCHEMA}.{table}"), conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, list(where.values())).fetchall()


def select_of(
    conn: psycopg.Connection, query: LiteralString, where: Mapping[str, Any], order: Sequence[LiteralString] = ()
) -> list[Row]:
    """The rows of a query whose columns have the values, None being null."""
    with explained("ops"), conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_narrowed(query, where, order), list(where.values())).fetchall()


def frame_of(
    conn: psycopg.Connection, query: LiteralString, where: Mapping[str, Any], order: Sequence[LiteralString] = ()
) -> pl.DataFrame:
    """As `select_of`, as a frame in PostgreSQL's types."""
    with explained("ops"), conn.cursor() as cursor:
        found = cursor.execute(_narrowed(query, where, order), list(where.values())).fetchall()
        schema = {column.name: _TYPES[column.type_code] for column in cursor.description or ()}
    return pl.DataFrame(found, schema=schema, orient="row")


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
"""Of PostgreSQL's types by their numbers, those that `ops` has."""


def _narrowed(query: LiteralString, where: Mapping[str, Any], order: Sequence[LiteralString]) -> sql.Composed:
    ordered = sql.SQL(" ORDER BY ") + sql.SQL(", ").join(map(sql.SQL, order)) if order else sql.SQL("")
    return sql.SQL("SELECT * FROM ({}) AS entered WHERE {}{}").format(sql.SQL(query), _condition(where), ordered)


CHANNEL = "gamestats_changed"
"""PostgreSQL tells on this channel of every change of what people enter, as it is committed."""


class Changes:
    """Hears of changes from when it is entered: of what people enter, and of whatever `tell` is told."""

    def __init__(self, url: SecretStr | str) -> None:
        self._url = url

    def __enter__(self) -> Changes:
        self._conn = connect(self._url)
        self._conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        return self

    def __exit__(self, *_: object) -> None:
        self._conn.close()

    def came_within(self, seconds: float) -> bool:
        """Wait; whether something changed meanwhile, or before and was not told yet."""
        with explained("hearing of changes"):
            return next(iter(self._conn.notifies(timeout=seconds, stop_after=1)), None) is not None


def tell(url: SecretStr | str, what: str) -> None:
    """Tell whoever hears of changes of something else: that files have `landed`, or that all is `stopping`."""
    with explained("telling of a change"):
        kept(url).execute("SELECT pg_notify(%s, %s)", [CHANNEL, what])


# --- writing -------------------------------------------------------------------------------------


@contextmanager
def entering(url: SecretStr, person: str) -> Iterator[psycopg.Connection]:
    """A connection in a transaction in which a person enters things; `ops` is migrated first."""
    migrate(url)
    with connect(url) as conn, explained("ops", RefusedEntryError), conn.transaction():
        conn.execute("SET LOCAL timezone = 'UTC'")
        conn.execute("SELECT set_config('gamestats.person', %s, true)", [person])
        yield conn


def person(conn: psycopg.Connection) -> str:
    """Who enters things in this transaction, as `entering` was told."""
    [row] = rows(conn, "SELECT coalesce(nullif(current_setting('gamestats.person', true), ''), session_user) AS name")
    return row["name"]


def insert(conn: psycopg.Connection, table: str, values: Mapping[str, Any]) -> Row:
    """Insert one row and give it back with its defaults."""
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    places = sql.SQL(", ").join([sql.Placeholder()] * len(values))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *").format(_identifier(table), names, places)
    return write(conn, table, statement, list(values.values()))[0]


def update(conn: psycopg.Connection, table: str, where: Mapping[str, Any], values: Mapping[str, Any]) -> list[Row]:
    """Set columns of the rows whose columns have the values of `where`, and give the rows back."""
    pairs = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in values)
    statement = sql.SQL("UPDATE {} SET {} WHERE {} RETURNING *").format(_identifier(table), pairs, _condition(where))
    return write(conn, table, statement, [*values.values(), *where.values()])


def delete(conn: psycopg.Connection, table: str, where: Mapping[str, Any]) -> list[Row]:
    """Delete the rows whose columns have the values, and give them back."""
    statement = sql.SQL("DELETE FROM {} WHERE {} RETURNING *").format(_identifier(table), _condition(where))
    return write(conn, table, statement, list(where.values()))


def write(conn: psycopg.Connection, table: str, statement: sql.Composed, values: Sequence[Any]) -> list[Row]:
    """The rows that a statement returns which writes a table."""
    with explained(f"{SCHEMA}.{table}", RefusedEntryError):
        try:
            with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(statement, values).fetchall()
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            # The line of a trigger helps nobody, nor does the whole row that broke a rule.
            broken = isinstance(error, psycopg.errors.CheckViolation)
            told = (error.diag.message_primary, None if broken else error.diag.message_detail)
            raise RefusedEntryError(". ".join(part.rstrip(".") for part in told if part) + ".") from None


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, table)


def _condition(where: Mapping[str, Any]) -> sql.Composed:
    equal = (sql.SQL("{} IS NOT DISTINCT FROM {}").format(sql.Identifier(name), sql.Placeholder()) for name in where)
    return sql.SQL(" AND ").join([sql.SQL("true"), *equal])
