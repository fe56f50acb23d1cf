"""The PostgreSQL server: connections, errors, and queries of people.

A URL may contain a password. It is passed as a `SecretStr`, and no message shows it. All access raises `PostgresError`
if PostgreSQL refuses, and `PostgresUnavailableError` if it cannot be reached.
"""

from __future__ import annotations

import functools
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.string import TextLoader
from pydantic import SecretStr

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.postgres.embedded import postgres_url
from gamestats_assets.settings import Settings

if TYPE_CHECKING:
    import polars as pl

DAGSTER_SCHEMA = "dagster"

# A refused connection has no error code, only a text.
_PASSING_REFUSALS = ("starting up", "shutting down", "recovery", "not yet accepting", "too many", "terminating")


class PostgresError(GamestatsError):
    """PostgreSQL refused a statement."""


class PostgresUnavailableError(PostgresError):
    """PostgreSQL cannot be reached, or the connection was lost and did not come back.

    Attributes:
        transient: whether a retry may help; it never does with a wrong password.
    """

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class QueryError(PostgresError):
    """A person's query cannot be answered."""


# --- connections ---------------------------------------------------------------------------------


def connect(url: SecretStr | str) -> psycopg.Connection:
    """Opens a connection in autocommit mode; use it with `with`, and `conn.transaction()` inside.

    Raises:
        PostgresError: if the URL is not a PostgreSQL URL.
        PostgresUnavailableError: if the server does not accept the connection; the message shows no password.
    """
    options = parameters(url)
    ours = {"connect_timeout": 10, "client_encoding": "utf8", "application_name": "gamestats"}
    try:
        return psycopg.connect(autocommit=True, **{**options, **ours})
    except psycopg.Error as error:
        refusal = str(error).strip().rstrip(".?")
    host, port, name = (options.get(part) for part in ("host", "port", "dbname"))
    raise PostgresUnavailableError(
        f"PostgreSQL at {host or 'localhost'}, port {port or 5432}, database {name or 'by default'} does not take a "
        f"connection: {refusal}. Check that it runs and that GAMESTATS_POSTGRES_URL is right.",
        transient="FATAL" not in refusal or any(words in refusal for words in _PASSING_REFUSALS),
    ) from None


_SHARED: dict[str, psycopg.Connection] = {}


def shared_connection(url: SecretStr | str) -> psycopg.Connection:
    """A connection in UTC that the process shares, for frequent single statements; never close it.

    If the server has closed its end, a new connection replaces it.
    """
    key = url.get_secret_value() if isinstance(url, SecretStr) else url
    conn = _SHARED.get(key)
    if conn is None or conn.closed or select.select([conn], [], [], 0)[0]:
        conn = _SHARED[key] = connect(url)
        conn.execute("SET timezone = 'UTC'")
    return conn


def parameters(url: SecretStr | str) -> dict[str, Any]:
    """Parses a URL with libpq, ignoring SQLAlchemy's driver in it."""
    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    scheme, separator, rest = text.partition("://")
    options: dict[str, Any] | None = None
    if separator and scheme.partition("+")[0] in ("postgresql", "postgres"):
        # libpq's error would quote the invalid part, which may be the password.
        with suppress(psycopg.ProgrammingError):
            options = conninfo_to_dict(f"postgresql://{rest}")
    # With an unescaped / or @ in the password, the rest of it would become the name of the database or host.
    if options is None or "@" in options.get("dbname", "") or "@" in options.get("host", "").partition("/")[0][1:]:
        raise PostgresError(
            "GAMESTATS_POSTGRES_URL is not a PostgreSQL URL; write postgresql://user:password@host:5432/database, "
            "and in the password %40 for @, %2F for /."
        )
    return options


def url_of(parameters: Mapping[str, Any], driver: str = "postgresql") -> SecretStr:
    """The URL for connection parameters."""
    return SecretStr(f"{driver}:///?{urlencode(parameters, safe='/', quote_via=quote)}")


def with_options(parameters: Mapping[str, Any], options: str) -> dict[str, Any]:
    """Connection parameters with further command-line options for the server."""
    return {**parameters, "options": f"{parameters.get('options', '')} {options}".strip()}


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed on a new connection, as after a lost server, a restart or a deadlock."""
    if isinstance(error, PostgresUnavailableError):
        return error.transient
    if not isinstance(error, psycopg.OperationalError):
        return False
    # A broken connection has no code. 08: connection, 40: deadlock and serialization, 57P: shutdown.
    return error.sqlstate is None or error.sqlstate.startswith(("08", "40", "57P", "53300"))


@contextmanager
def explained(what: str, kind: type[PostgresError] = PostgresError) -> Iterator[None]:
    """Turns PostgreSQL's errors inside into an error of a kind that names the operation."""
    try:
        yield
    except psycopg.Error as error:
        parts = (error.diag.message_primary, error.diag.message_detail, error.diag.context)
        reason = ("; ".join(part for part in parts if part) or str(error).strip()).rstrip(".")
        if is_transient(error):
            raise PostgresUnavailableError(f"{what}: the connection to PostgreSQL was lost: {reason}.") from None
        raise kind(f"{what}: PostgreSQL refused: {reason}.") from None


def lock_definitions(conn: psycopg.Connection) -> None:
    """Locks out other transactions that change definitions, until this one ends."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('gamestats definitions', 0))")


def has_table(conn: psycopg.Connection, schema: str, name: str) -> bool:
    """Whether a table exists."""
    known = "SELECT 1 WHERE to_regclass(format('%%I.%%I', %s::text, %s::text)) IS NOT NULL"
    return conn.execute(known, [schema, name]).fetchone() is not None


def dagster_url(settings: Settings) -> SecretStr:
    """URL for Dagster's own storage: the same database, in a schema `dagster`, which is created if missing.

    It is a URL for SQLAlchemy, not for libpq, and selects the schema (`options=-csearch_path=dagster`) and the driver:
    SQLAlchemy 2.1 would use psycopg 3, which refuses the bound NOTIFY that Dagster sends with every event.
    """
    url = postgres_url(settings)
    with connect(url) as conn, explained("Dagster's schema"), conn.transaction():
        lock_definitions(conn)
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(DAGSTER_SCHEMA)))
    # Dagster writes many small events and waits for each. If PostgreSQL itself crashes, Dagster's log may lack the last
    # moments. Publications use other connections, whose commits are synchronous.
    options = f"-csearch_path={DAGSTER_SCHEMA} -csynchronous_commit=off"
    return url_of(with_options(parameters(url), options), "postgresql+psycopg2")


# --- queries of people ---------------------------------------------------------------------------


def query(url: SecretStr | str, statement: str) -> pl.DataFrame:
    """Runs one SQL statement that a person wrote, in a read-only transaction.

    `numeric` becomes a Decimal as wide as the values need; types that polars lacks become text. If columns have the
    same name, later ones are numbered. A statement without rows returns an empty frame.

    Raises:
        QueryError: if the statement is invalid, would write, or is more than one.
    """
    # Dagster's daemon and webserver read this module, and no tables.
    import polars as pl

    with connect(url) as conn, explained("The query", QueryError):
        conn.read_only = True
        for known in conn.adapters.types:
            if known.name not in _polars_types():
                conn.adapters.register_loader(known.oid, TextLoader)
        with conn.transaction(force_rollback=True), conn.cursor() as cursor:
            cursor.execute("SET LOCAL timezone = 'UTC'")
            # PostgreSQL prepares only single statements, so a query cannot leave the transaction.
            cursor.execute(statement, prepare=True)  # pyright: ignore[reportCallIssue, reportArgumentType]
            if cursor.description is None:
                return pl.DataFrame()
            rows = cursor.fetchall()
            columns = list(cursor.description)
    answer: dict[str, pl.Series] = {}
    for place, column in enumerate(columns):
        number, name = 2, column.name
        while name in answer:
            name, number = f"{column.name}_{number}", number + 1
        type_info = conn.adapters.types.get(column.type_code)
        is_array = type_info is not None and column.type_code == type_info.array_oid
        answer[name] = _series(type_info.name if type_info else "text", is_array, [row[place] for row in rows])
    return pl.DataFrame(answer)


def _series(kind: str, is_array: bool, values: list[Any]) -> pl.Series:
    import polars as pl

    dtype = _polars_types().get(kind, pl.String)
    if kind == "numeric" and (is_array or not all(value is None or value.is_finite() for value in values)):
        dtype = pl.Float64
    try:
        return pl.Series(values, dtype=pl.List(dtype) if is_array else dtype)
    except (TypeError, RuntimeError):
        # Nested arrays, or numbers with more digits than a Decimal has.
        return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)


@functools.cache
def _polars_types() -> dict[str, type[pl.DataType] | pl.DataType]:
    import polars as pl

    return {
        "bool": pl.Boolean, "int2": pl.Int16, "int4": pl.Int32, "int8": pl.Int64, "float4": pl.Float32,
        "float8": pl.Float64, "numeric": pl.Decimal, "bytea": pl.Binary, "date": pl.Date, "time": pl.Time,
        "timestamp": pl.Datetime("us"), "timestamptz": pl.Datetime("us", "UTC"), "interval": pl.Duration("us"),
    }  # fmt: skip


# --- remains of deleted rows ---------------------------------------------------------------------

_WHOLE_TABLES = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
ORDER BY 1, 2
"""
_CLEAR_STATISTICS = sql.SQL(
    "SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited) FROM pg_stats"
    " WHERE schemaname = ANY({})"
)
_STATISTICS_CLEARED_SINCE = 180000


def forget_dead_rows(url: SecretStr | str, schemas: Sequence[str]) -> list[str]:
    """Removes the remains of deleted rows from the tables of some schemas and from PostgreSQL's statistics.

    Each table is locked and rewritten. The write-ahead log contains deleted rows until its segments are reused, which a
    checkpoint and a new segment hasten.

    Returns:
        Statements that this user may not run, a sentence each.
    """
    refused: list[str] = []
    with connect(url) as conn, explained("deleted rows"):
        tables = conn.execute(_WHOLE_TABLES, [list(schemas)]).fetchall()
        statements = [
            *(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier(*place)) for place in tables),
            *map(sql.SQL, ("VACUUM FULL pg_catalog.pg_statistic", "CHECKPOINT", "SELECT pg_switch_wal()")),
        ]
        if conn.info.server_version >= _STATISTICS_CLEARED_SINCE:
            # Comes first, because ANALYZE takes no new statistics of an empty table.
            statements.insert(0, _CLEAR_STATISTICS.format(sql.Literal(list(schemas))))
        for statement in statements:
            try:
                conn.execute(statement)
            except errors.InsufficientPrivilege as error:
                message = f"{statement.as_string(conn)}: {error.diag.message_primary}."
                refused.append(f"{message} Let an administrator run it.")
    return refused
