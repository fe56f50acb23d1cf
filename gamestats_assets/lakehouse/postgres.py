"""Published tables in PostgreSQL: made from their declaration, replaced in one transaction, read back.

What stands in PostgreSQL can always be published again from Delta, so a table whose
declaration changed beyond adding columns is rebuilt, never migrated. One publication is
one transaction that replaces exactly the partitions it is given and counts them again
before it commits: a reader sees the old rows or the new, and so does whoever looks after
the publisher was killed. What content a partition was published from is noted with it,
where the caller names it.

A table that grows with time (`TableSpec.months_of`) is partitioned by PostgreSQL into one
table per month, so that a question about some weeks reads no more than their months and
an index grows no further than one. Whoever reads or writes names the table itself.

A URL may hold a password. It is passed as a `SecretStr`, and no message carries it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import dataframely as dy
import polars as pl
import psycopg
import tenacity
from psycopg import errors, sql
from psycopg.types.json import set_json_loads
from pydantic import SecretStr

from gamestats_assets.lakehouse.embedded_postgres import postgres_url
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of
from gamestats_assets.settings import Settings

READER_ROLE = "gamestats_reader"
DAGSTER_SCHEMA = "dagster"

_ROWS_PER_COPY = 50_000
_ROWS_SORTED = 1_000_000  # at a time, so that sorting takes no second copy of a large frame
_LOCKED_PARTITIONS = 500  # more than that lock the whole table: PostgreSQL's lock table is finite
_FLOAT_TOLERANCE = 1e-9
_IDENTIFIER_BYTES = 63
_LAST_YEAR = 9999  # the last that Python can read back
# A refused connection carries no code, only words.
_PASSING_REFUSALS = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "too many",
    "terminating",
)

_SCALAR_TYPES: dict[type[pl.DataType], str] = {
    pl.Boolean: "boolean",
    pl.Int8: "smallint",
    pl.Int16: "smallint",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.Float32: "real",
    pl.Float64: "double precision",
    pl.String: "text",
    pl.Date: "date",
}


class PostgresError(GamestatsError):
    """PostgreSQL refused a statement."""


class PostgresUnavailableError(PostgresError):
    """PostgreSQL cannot be reached, or the connection was lost and did not come back.

    Attributes:
        transient: whether trying again may help; a wrong password never heals.
    """

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class UnpublishableTableError(PostgresError):
    """A table's declaration has something PostgreSQL could not keep."""


class IncompatibleTableError(PostgresError):
    """A table in PostgreSQL differs from its declaration in a way only a rebuild can mend."""


class PublicationError(PostgresError):
    """Rows were refused, by us before anything was sent or by PostgreSQL; nothing was changed."""


class ReconciliationError(PublicationError):
    """What arrived in PostgreSQL is not what was sent; the transaction was rolled back."""


class QueryError(PostgresError):
    """A query a person wrote cannot be answered."""


@dataclass(frozen=True, slots=True)
class TableChange:
    """What `ensure_table` did: a line per change, and what it could not grant."""

    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication that was committed.

    Attributes:
        rows_deleted: rows the replaced partitions held before.
        rows_inserted: rows they hold now.
        seconds: wall clock of the whole publication, attempts that failed included.
        attempts: 1, and one more for every connection lost on the way.
        table: what had to be changed in the table's own definition.
    """

    rows_deleted: int
    rows_inserted: int
    seconds: float
    attempts: int
    table: TableChange


# --- servers and connections ---------------------------------------------------------------------


def dagster_url(settings: Settings) -> SecretStr:
    """URL for Dagster's own storage: the same database, in a schema `dagster` that is made when missing.

    The schema is chosen by the URL itself (`options=-csearch_path=dagster`). So is the
    driver: left to itself SQLAlchemy 2.1 takes psycopg 3, which refuses the bound NOTIFY
    that Dagster sends with every event. It is a URL for SQLAlchemy, not for libpq.

    Raises:
        PostgresUnavailableError: when the server cannot be reached.
    """
    url = postgres_url(settings)
    with connect(url) as conn, _explained(url, "Dagster's schema"), conn.transaction():
        _lock_definitions(conn)
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(DAGSTER_SCHEMA)))
    # Dagster writes many small events and waits for each. Should PostgreSQL itself crash, its log may lack
    # the last moments; what was published is committed by connections of its own, and waited for.
    url = _with_options(url, f"-csearch_path={DAGSTER_SCHEMA} -csynchronous_commit=off")
    return _with_url(url, lambda parts: parts._replace(scheme="postgresql+psycopg2"))


def _with_options(url: SecretStr, options: str) -> SecretStr:
    """A URL whose connections begin with further options of the server's command line."""

    def added(parts: SplitResult) -> SplitResult:
        parameters = dict(parse_qsl(parts.query))
        parameters["options"] = f"{parameters.get('options', '')} {options}".strip()
        return parts._replace(query=urlencode(parameters, safe="/", quote_via=quote))

    return _with_url(url, added)


def _with_url(url: SecretStr, change: Callable[[SplitResult], SplitResult]) -> SecretStr:
    return SecretStr(urlunsplit(change(urlsplit(_plain_url(url)))))


def connect(url: SecretStr | str) -> psycopg.Connection:
    """A connection in autocommit mode; use it with `with`, and `conn.transaction()` inside.

    Raises:
        PostgresError: when the URL is not one of PostgreSQL.
        PostgresUnavailableError: when the server does not take the connection; without the password.
    """
    plain = _plain_url(url)
    try:
        return psycopg.connect(
            plain, autocommit=True, connect_timeout=10, client_encoding="utf8", application_name="gamestats"
        )
    except psycopg.OperationalError as error:
        refusal = _redacted(str(error).strip(), plain)
    except psycopg.Error:
        # libpq quotes the part it cannot read, which may be the password.
        raise PostgresError("libpq cannot read the PostgreSQL URL; check GAMESTATS_POSTGRES_URL.") from None
    raise PostgresUnavailableError(
        f"PostgreSQL at {_address(plain)} does not take a connection: {refusal}. "
        "Check that it runs and that GAMESTATS_POSTGRES_URL is right.",
        transient="FATAL" not in refusal or any(words in refusal for words in _PASSING_REFUSALS),
    ) from None


def _plain_url(url: SecretStr | str) -> str:
    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.split("+")[0] not in ("postgresql", "postgres"):
        raise PostgresError(
            "GAMESTATS_POSTGRES_URL is not a PostgreSQL URL; write postgresql://user:password@host:5432/database."
        )
    return f"postgresql://{rest}"


def _address(plain: str) -> str:
    try:
        parts = urlsplit(plain)
        parameters = dict(parse_qsl(parts.query))
        host = parts.hostname or parameters.get("host", "localhost")
        port = parts.port or parameters.get("port", 5432)
    except ValueError:
        return "the given URL"
    return f"{host}, port {port}, database {parts.path.lstrip('/') or 'by default'}"


def _redacted(text: str, url: SecretStr | str) -> str:
    """Text without the URL's password, as it stands there or unquoted."""
    try:
        parts = urlsplit(_plain_url(url))
        secrets = {parts.password or "", dict(parse_qsl(parts.query)).get("password", "")}
    except ValueError:
        return "(message withheld: the URL cannot be taken apart)"
    for secret in sorted({*secrets, *map(unquote, secrets)} - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed on a new connection: lost server, restart, deadlock."""
    if isinstance(error, PostgresUnavailableError):
        return error.transient
    if not isinstance(error, psycopg.OperationalError):
        return False
    # No code at all is a connection that broke. 08 connection, 40 deadlock and serialization, 57P shutdown.
    return error.sqlstate is None or error.sqlstate.startswith(("08", "40", "57P", "53300"))


def _told(error: psycopg.Error, url: SecretStr | str | None) -> str:
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.context)
    text = "; ".join(part for part in parts if part) or str(error).strip()
    return text if url is None else _redacted(text, url)


@contextmanager
def _explained(url: SecretStr | str | None, what: str, kind: type[PostgresError] = PostgresError) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if _is_transient(error):
            lost = f"{what}: the connection to PostgreSQL was lost: {_told(error, url)}."
            raise PostgresUnavailableError(lost) from None
        raise kind(f"{what}: PostgreSQL refused: {_told(error, url)}.") from None


# --- definition of a table -----------------------------------------------------------------------


class _PublishedPartition(Table):
    table_name = dy.String(primary_key=True, description="Table of this schema.")
    partition_key = dy.String(primary_key=True, description="Partition; empty for a table without partitions.")
    content_hash = dy.String(min_length=1, description="Names the content that was published.")
    rows = dy.Int64(min=0, description="Rows published.")
    published_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Start of the publication, UTC.")


@functools.cache
def _notes_of(game: str) -> type[Table]:
    """The table of what is published of a game, `<game>.published_partitions`."""

    class PublishedPartitions(_PublishedPartition, key=f"{game}/published_partitions", layer="gold"):
        """What content the partitions of the published tables hold; one that is not here is of unknown content."""

    return PublishedPartitions


_Month = tuple[int, int]  # year and month


@dataclass(frozen=True, slots=True)
class _Column:
    type: str
    not_null: bool
    comment: str

    def __str__(self) -> str:
        return f"{self.type}{' not null' if self.not_null else ''}"


@dataclass(frozen=True, slots=True)
class _Definition:
    """A table as declared or as found. Indexes are those made by gamestats, by name."""

    columns: dict[str, _Column]
    primary_key: tuple[str, ...]
    months_of: str | None
    indexes: dict[str, tuple[str, ...]]
    comment: str


@dataclass(frozen=True, slots=True)
class _Step:
    told: str
    statement: sql.Composed


def postgres_types(table: type[Table]) -> Mapping[str, str]:
    """PostgreSQL type of every column, as `format_type` writes it.

    Taken from the polars types rather than from `to_sqlalchemy_columns`, which turns a
    pattern or a length rule into `char(n)` (padding what it stores) and `dy.Integer`,
    64 bits wide, into a 32-bit integer.

    Raises:
        UnpublishableTableError: when a column is a list of lists, or a name is taken or longer than PostgreSQL keeps.
    """
    schema = table.schema()
    longest = _month_name(table, (_LAST_YEAR, 12)) if table.spec.months_of else table.spec.name
    names = [table.spec.game, longest, *schema]
    long = [name for name in names if len(name.encode()) > _IDENTIFIER_BYTES]
    problems = [f"name {name!r} is longer than {_IDENTIFIER_BYTES} bytes" for name in long]
    notes = _notes_of(table.spec.game)
    if table.spec.key == notes.spec.key and table is not notes:
        problems.append(f"the name {table.spec.name!r} is taken: {notes.description()}")
    types: dict[str, str] = {}
    for name, dtype in schema.items():
        declared = table.columns()[name].metadata or {}
        try:
            types[name] = declared.get("postgres_type") or _postgres_type(dtype)
        except KeyError:
            problems.append(f"column {name!r} is {dtype}, for which PostgreSQL has no plain type")
    if problems:
        raise UnpublishableTableError(f"{table.spec.key} cannot be published:\n- " + "\n- ".join(problems))
    return types


def _postgres_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        inner = pl.Series(dtype=dtype.inner).dtype
        if isinstance(inner, pl.List):
            raise KeyError(inner)
        return f"{_postgres_type(inner)}[]"
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return "timestamp with time zone" if dtype.time_zone else "timestamp without time zone"
    return _SCALAR_TYPES[type(dtype)]


def ensure_table(conn: psycopg.Connection, table: type[Table]) -> TableChange:
    """Make the table as declared, or bring it up to its declaration where that loses nothing.

    New nullable columns, columns that became nullable, comments and indexes are applied;
    nothing is locked when there is nothing to do (two catalog queries).

    Raises:
        IncompatibleTableError: when only a rebuild can do it; it names every difference.
        UnpublishableTableError: see `postgres_types`.
        PostgresError: when PostgreSQL refuses.
    """
    with _explained(None, table.spec.dotted):
        return _ensure_table(conn, table)


DERIVED_VIEW = "gamestats: "
"""What the comment of a view begins with that a step makes, and makes again after its table was rebuilt."""
_DERIVED_VIEWS = """
SELECT DISTINCT n.nspname, v.relname
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
JOIN pg_namespace n ON n.oid = v.relnamespace
JOIN pg_class t ON t.oid = d.refobjid
JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE tn.nspname = %s AND t.relname = %s AND starts_with(obj_description(v.oid, 'pg_class'), %s)
"""


def rebuild_table(conn: psycopg.Connection, table: type[Table]) -> TableChange:
    """Drop the table with its rows and make it anew, empty, in one transaction. Publish it again afterwards.

    Views on it that are derived (`DERIVED_VIEW`) go with it; the steps that made them make them again.

    Raises:
        PostgresError: when PostgreSQL refuses, as when somebody's own view stands on the table.
    """
    with _explained(None, f"rebuilding {table.spec.dotted}"), conn.transaction():
        _lock_definitions(conn)
        for schema, view in conn.execute(_DERIVED_VIEWS, [table.spec.game, table.spec.name, DERIVED_VIEW]).fetchall():
            conn.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, view)))
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_identifier(table)))
        return _ensure_table(conn, table)


def _ensure_table(conn: psycopg.Connection, table: type[Table]) -> TableChange:
    declared = _declared(table)
    with conn.transaction():
        if declared == _found(conn, table):
            return TableChange()
        _lock_definitions(conn)
        # Read again: another process may have done the work while this one waited.
        found = _found(conn, table)
        steps = _creation(table, declared) if found is None else _evolution(table, declared, found)
        for step in steps:
            conn.execute(step.statement)
        if found is None or declared.columns.keys() - found.columns.keys():
            _forget_published(conn, table)
        warnings = _grant_reader(conn, [table.spec.game]) if found is None else ()
    return TableChange(tuple(step.told for step in steps), warnings)


def _forget_published(conn: psycopg.Connection, table: type[Table]) -> None:
    """Nothing is known any more of what the table holds: it is new, or its rows lack a column."""
    notes = _notes_of(table.spec.game)
    if _exists(conn, notes):
        forget = sql.SQL("DELETE FROM {} WHERE table_name = %s").format(_identifier(notes))
        conn.execute(forget, [table.spec.name])


def _lock_definitions(conn: psycopg.Connection) -> None:
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('gamestats definitions', 0))")


def _identifier(table: type[Table]) -> sql.Identifier:
    return sql.Identifier(table.spec.game, table.spec.name)


def _declared(table: type[Table]) -> _Definition:
    columns, descriptions = table.columns(), table.descriptions()
    key = tuple(table.primary_key())
    indexed = list(table.spec.indexes)
    partition = table.spec.partitioned_by
    if partition and all(leading[0] != partition for leading in (key, *indexed)):
        indexed.append((partition,))
    return _Definition(
        columns={
            name: _Column(kind, not columns[name].nullable, descriptions[name])
            for name, kind in postgres_types(table).items()
        },
        primary_key=key,
        months_of=table.spec.months_of,
        indexes={_index_name(table, names): names for names in indexed},
        comment=table.description(),
    )


def _index_name(table: type[Table], columns: tuple[str, ...]) -> str:
    # The prefix tells our indexes from those an administrator made; the hash tells the columns.
    digest = hashlib.sha256(",".join(columns).encode()).hexdigest()[:8]
    return f"gs_{table.spec.name[:48]}_{digest}"


def _found(conn: psycopg.Connection, table: type[Table]) -> _Definition | None:
    row = conn.execute(
        """
        SELECT c.oid, coalesce(obj_description(c.oid, 'pg_class'), ''),
               ARRAY(SELECT a.attname::text
                     FROM pg_constraint k, unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
                     JOIN pg_attribute a ON a.attnum = u.attnum
                     WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attrelid = c.oid ORDER BY u.place),
               (SELECT a.attname::text
                FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid
                WHERE p.partrelid = c.oid AND p.partnatts = 1 AND a.attnum = p.partattrs[0])
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s
        """,
        [table.spec.game, table.spec.name],
    ).fetchone()
    if row is None:
        return None
    oid, comment, primary_key, months_of = row
    columns = conn.execute(
        """
        SELECT attname, format_type(atttypid, atttypmod), attnotnull,
               coalesce(col_description(attrelid, attnum), '')
        FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        """,
        [oid],
    ).fetchall()
    indexes = conn.execute(
        """
        SELECT i.relname,
               ARRAY(SELECT a.attname::text
                     FROM unnest(x.indkey) WITH ORDINALITY AS u(attnum, place)
                     JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.attnum ORDER BY u.place)
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        WHERE x.indrelid = %s AND starts_with(i.relname, 'gs_')
        """,
        [oid],
    ).fetchall()
    return _Definition(
        columns={name: _Column(kind, not_null, told) for name, kind, not_null, told in columns},
        primary_key=tuple(primary_key),
        months_of=months_of,
        indexes={name: tuple(names) for name, names in indexes},
        comment=comment,
    )


def _creation(table: type[Table], declared: _Definition) -> list[_Step]:
    columns = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(name),
            sql.SQL(column.type),  # pyright: ignore[reportArgumentType]
            sql.SQL(" NOT NULL" if column.not_null else ""),
        )
        for name, column in declared.columns.items()
    ]
    # While a partition is replaced every key stands twice, deleted and new; merging the two takes longer than it saves.
    key = sql.SQL("PRIMARY KEY ({}) WITH (deduplicate_items = off)").format(_list(declared.primary_key))
    schema = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table.spec.game))
    create = sql.SQL("CREATE TABLE {} ({})").format(_identifier(table), sql.SQL(", ").join([*columns, key]))
    if declared.months_of is not None:
        create += sql.SQL(" PARTITION BY RANGE ({})").format(sql.Identifier(declared.months_of))
    bare = _Definition(
        {name: _Column(column.type, column.not_null, "") for name, column in declared.columns.items()},
        declared.primary_key,
        declared.months_of,
        {},
        "",
    )
    return [
        _Step(f"schema {table.spec.game} made when missing", schema),
        _Step(f"table {table.spec.dotted} made", create),
        *_evolution(table, declared, bare),
    ]


def _evolution(table: type[Table], declared: _Definition, found: _Definition) -> list[_Step]:
    """The statements that turn `found` into `declared` without losing anything."""
    _refuse_incompatible(table, declared, found)
    identifier = _identifier(table)
    alter = sql.SQL("ALTER TABLE {} ").format(identifier)
    steps: list[_Step] = []
    for name, column in declared.columns.items():
        before = found.columns.get(name)
        if before is None:
            kind = sql.SQL(column.type)  # pyright: ignore[reportArgumentType]
            steps.append(
                _Step(
                    f"column {name} added, {column.type}",
                    alter + sql.SQL("ADD COLUMN {} {}").format(sql.Identifier(name), kind),
                )
            )
        elif before.not_null and not column.not_null:
            steps.append(
                _Step(
                    f"column {name} may be null",
                    alter + sql.SQL("ALTER COLUMN {} DROP NOT NULL").format(sql.Identifier(name)),
                )
            )
        if column.comment != (before.comment if before else ""):
            target = sql.Identifier(table.spec.game, table.spec.name, name)
            comment = sql.SQL("COMMENT ON COLUMN {} IS {}").format(target, sql.Literal(column.comment))
            steps.append(_Step(f"column {name} described", comment))
    if declared.comment != found.comment:
        comment = sql.SQL("COMMENT ON TABLE {} IS {}").format(identifier, sql.Literal(declared.comment))
        steps.append(_Step("table described", comment))
    for name in found.indexes.keys() - declared.indexes.keys():
        drop = sql.SQL("DROP INDEX {}").format(sql.Identifier(table.spec.game, name))
        steps.append(_Step(f"index on {', '.join(found.indexes[name])} dropped", drop))
    for name in declared.indexes.keys() - found.indexes.keys():
        columns = declared.indexes[name]
        create = sql.SQL("CREATE INDEX {} ON {} ({})").format(sql.Identifier(name), identifier, _list(columns))
        steps.append(_Step(f"index on {', '.join(columns)} made", create))
    return steps


def _refuse_incompatible(table: type[Table], declared: _Definition, found: _Definition) -> None:
    differences: list[str] = []
    for name, column in declared.columns.items():
        before = found.columns.get(name)
        if before is None:
            if column.not_null:
                differences.append(f"{name}: declared {column}, found no such column")
        elif before.type != column.type or (column.not_null and not before.not_null):
            differences.append(f"{name}: declared {column}, found {before}")
    for name in found.columns.keys() - declared.columns.keys():
        differences.append(f"{name}: not declared, found {found.columns[name]}")
    if declared.primary_key != found.primary_key:
        was = ", ".join(found.primary_key) or "none"
        differences.append(f"primary key: declared {', '.join(declared.primary_key)}, found {was}")
    if declared.months_of != found.months_of:
        differences.append(f"months of: declared {declared.months_of or 'none'}, found {found.months_of or 'none'}")
    if differences:
        raise IncompatibleTableError(
            f"{table.spec.dotted} in PostgreSQL is not as declared:\n- "
            + "\n- ".join(differences)
            + f"\nIts rows can all be published again; run: gamestats rebuild {table.spec.dotted}"
        )


def _list(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


# --- months of a table that grows with time ------------------------------------------------------


def _months(table: type[Table], frame: pl.DataFrame) -> set[_Month]:
    """The months (UTC) of the rows, of a table that PostgreSQL partitions by month."""
    column = table.spec.months_of
    if column is None:
        return set()
    at = frame.get_column(column).drop_nulls()  # PostgreSQL refuses a null, and names the row
    months = set(pl.select(year=at.dt.year(), month=at.dt.month()).unique().iter_rows())
    if far := sorted(year for year, _ in months if not 1 <= year <= _LAST_YEAR):
        raise PublicationError(
            f"The rows for {table.spec.dotted} have times in the year {far[0]} in column {column}, "
            f"expected years 1 to {_LAST_YEAR}. Nothing was sent; correct or quarantine them in the lake."
        )
    return months


def _month_name(table: type[Table], month: _Month) -> str:
    return f"{table.spec.name}_{month[0]:04}_{month[1]:02}"


def _ensure_months(conn: psycopg.Connection, table: type[Table], months: Iterable[_Month]) -> list[str]:
    """Make those of the monthly partitions that are not there yet; a line for each.

    In a transaction of its own: held through a publication, the lock on the table would keep
    every other publication waiting that needs a new month, too.
    """
    if not months:
        return []
    wanted = {_month_name(table, month): month for month in sorted(months)}
    named = _identifier(table)
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass"
    with conn.transaction():

        def missing() -> list[str]:
            present = {name for (name,) in conn.execute(query, [named.as_string(conn)])}
            return [name for name in wanted if name not in present]

        if not missing():
            return []
        _lock_definitions(conn)
        # Read again: another process may have done the work while this one waited.
        made = missing()
        for name in made:
            year, month = wanted[name]
            month_table = sql.Identifier(table.spec.game, name)
            bounds = [f"{y:04}-{m:02}-01 00:00:00+00" for y, m in ((year, month), (year + month // 12, month % 12 + 1))]
            # CREATE TABLE ... PARTITION OF would wait for every reader of the table, and they for it; ATTACH does not.
            conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING CONSTRAINTS)").format(month_table, named))
            conn.execute(
                sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                    named, month_table, *map(sql.Literal, bounds)
                )
            )
    return [f"month {name} made" for name in made]


# --- who may read --------------------------------------------------------------------------------


def ensure_reader(conn: psycopg.Connection, schemas: Sequence[str]) -> tuple[str, ...]:
    """Let the role `gamestats_reader` read every table, present and future, of the schemas.

    Role and schemas are made when missing.

    The role cannot log in: it is granted to those who can, `GRANT gamestats_reader TO alice;`.

    Returns:
        What could not be done for want of a privilege, one sentence each, with the remedy.
    """
    with _explained(None, READER_ROLE), conn.transaction():
        _lock_definitions(conn)
        for schema in schemas:
            conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        return _grant_reader(conn, schemas)


def reading_url(settings: Settings) -> SecretStr:
    """URL of PostgreSQL for what people ask: as one who reads, never as a superuser.

    That is `gamestats_reader` itself on the embedded server. On another it is the user of
    GAMESTATS_POSTGRES_READER_URL, or else that of GAMESTATS_POSTGRES_URL in the role
    `gamestats_reader`, where neither is a superuser.

    Raises:
        QueryError: when that user is a superuser, or may not take the role.
        PostgresUnavailableError: when the server cannot be reached.
    """
    url = settings.postgres_reader_url or postgres_url(settings)
    is_embedded = settings.postgres_reader_url is None and settings.postgres_url is None
    with connect(url) as conn, _explained(url, "The query", QueryError):
        if is_embedded:
            _let_reader_log_in(conn)
            return _with_url(url, lambda parts: parts._replace(netloc=f"{READER_ROLE}@"))
        user, is_superuser = conn.execute(
            "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = session_user"
        ).fetchall()[0]
        if is_superuser:
            raise QueryError(
                f"{user} is a superuser, as whom no query is asked. Let an administrator run "
                f"CREATE ROLE alice LOGIN PASSWORD '...' IN ROLE {READER_ROLE}; "
                "and name that user in GAMESTATS_POSTGRES_READER_URL."
            )
        if settings.postgres_reader_url is not None:
            return url
        try:
            conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(READER_ROLE)))
        except (errors.InsufficientPrivilege, errors.InvalidParameterValue):
            raise QueryError(
                f"{user} may not take the role {READER_ROLE}, in which queries are asked. Let an administrator run "
                f"GRANT {READER_ROLE} TO {user}; or name one who reads in GAMESTATS_POSTGRES_READER_URL."
            ) from None
    return _with_options(url, f"-crole={READER_ROLE}")


def _let_reader_log_in(conn: psycopg.Connection) -> None:
    """Let the role itself connect, to a server whose socket is for its owner alone."""
    found = conn.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [READER_ROLE]).fetchone()
    if found == (True,):
        return
    with conn.transaction():
        _lock_definitions(conn)
        _grant_reader(conn, [])
        conn.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(READER_ROLE)))


_GRANTS = (
    sql.SQL("GRANT USAGE ON SCHEMA {} TO {}"),
    sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}"),
    sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}"),
)


def _grant_reader(conn: psycopg.Connection, schemas: Sequence[str]) -> tuple[str, ...]:
    """The grants, inside a transaction that holds the definitions' lock."""
    role = sql.Identifier(READER_ROLE)
    if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [READER_ROLE]).fetchone() is None:
        try:
            with conn.transaction():
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        except (errors.DuplicateObject, errors.UniqueViolation):
            pass  # made meanwhile from another database of the same server
        except errors.InsufficientPrivilege:
            return (
                f"The role {READER_ROLE} is missing and this user may not make it. Everything else works. "
                f"Let an administrator run: CREATE ROLE {READER_ROLE} NOLOGIN;",
            )
    refused: list[str] = []
    for schema in schemas:
        named = sql.Identifier(schema)
        try:
            with conn.transaction():
                for grant in _GRANTS:
                    conn.execute(grant.format(named, role))
        except errors.InsufficientPrivilege as error:
            refused.append(
                f"{READER_ROLE} could not be allowed to read schema {schema}: {error.diag.message_primary}. "
                "Let the schema's owner run: "
                f"GRANT USAGE ON SCHEMA {schema} TO {READER_ROLE}; "
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {READER_ROLE};"
            )
    return tuple(refused)


# --- publication ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Figures:
    """What a partition must hold: rows, and of each reconciled column nulls, sum and sum of sizes."""

    rows: int
    nulls: tuple[int, ...] = ()
    sums: tuple[int | float | Decimal, ...] = ()
    sizes: tuple[int | float | Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class _Replacement:
    """All a publication needs to know, so that it can be tried again from the start."""

    table: type[Table]
    partitions: list[PartitionValue] | None
    chunks: Callable[[], Iterator[pl.DataFrame]]
    figures: Mapping[PartitionValue | None, _Figures]
    months: Set[_Month]
    content_hash: Mapping[PartitionValue | None, str]
    before_commit: Callable[[psycopg.Cursor], None] | None

    @property
    def named(self) -> str:
        return f"{self.table.spec.dotted}{_named(self.partitions)}"


def publish(
    url: SecretStr | str,
    table: type[Table],
    partitions: Sequence[PartitionValue] | None,
    frame: pl.DataFrame | Iterable[pl.DataFrame],
    *,
    content_hash: Mapping[PartitionValue | None, str] | None = None,
    before_commit: Callable[[psycopg.Cursor], None] | None = None,
    patience: float = 60.0,
) -> Publication:
    """Replace exactly the given partitions by the rows of the frame, in one transaction.

    The table is made or brought up to date first, and the months that the rows need (they
    stay, empty, should the publication fail). Publications of the same partition wait
    for each other, those of different partitions do not. A lost connection, a restarting
    server or a deadlock is tried again from the start; what is committed is exact whichever
    attempt did it.

    Args:
        url: the server, see `postgres_url`.
        table: the declaration; the frame has its columns and types, in any order.
        partitions: values of the partition column that the frame replaces; those without a
            row in it become empty. None for an unpartitioned table, which is replaced whole.
        frame: the rows, or frames of them, which are kept on disk meanwhile so that they
            need not fit in memory and can be sent again.
        content_hash: a short text per partition (under None for an unpartitioned table) that names
            the content published. It is noted in the same transaction, for `published_hashes`;
            nothing stays noted of a partition without one.
        before_commit: called in the transaction when all is checked, once per attempt.
        patience: seconds for which a lost connection is tried again.

    Raises:
        PublicationError: when the frame is not the table's, has rows of other partitions or times past the
            years of which months are made, or a hash is of another partition or empty (nothing is sent
            then), or when PostgreSQL refuses a row.
        ReconciliationError: when the partition's figures in PostgreSQL are not the frame's.
        IncompatibleTableError: when the table must be rebuilt first.
        PostgresUnavailableError: when the server stays away longer than `patience`.
    """
    started = time.monotonic()
    owned = _owned(table, partitions)
    hashes = _hashes(table, owned, content_hash or {})
    with _replayable(table, owned, frame) as (chunks, figures, months):
        if owned == []:
            return Publication(0, 0, time.monotonic() - started, 0, TableChange())
        replacement = _Replacement(table, owned, chunks, figures, months, hashes, before_commit)
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5.0),
            stop=tenacity.stop_after_delay(patience),
            reraise=True,
        )
        with _explained(url, replacement.named, PublicationError):
            change, deleted = attempts(_replace, url, replacement)
    return Publication(
        rows_deleted=deleted,
        rows_inserted=sum(part.rows for part in figures.values()),
        seconds=time.monotonic() - started,
        attempts=int(attempts.statistics["attempt_number"]),
        table=change,
    )


def _named(partitions: Sequence[PartitionValue] | None) -> str:
    if partitions is None:
        return ""
    keys = [partition_key_of(value) for value in partitions]
    if len(keys) > 5:
        return f" [{keys[0]} ... {keys[-1]}, {len(keys)} partitions]"
    return f" [{', '.join(keys)}]"


def _owned(table: type[Table], partitions: Sequence[PartitionValue] | None) -> list[PartitionValue] | None:
    """The partitions once each, in order, so that two publications lock them in the same order."""
    column = table.spec.partitioned_by
    if (column is None) != (partitions is None):
        expected = "no partitions" if column is None else f"the values of {column} that it replaces"
        given = "none" if partitions is None else f"{len(partitions)}"
        raise PublicationError(f"Publishing {table.spec.dotted} takes {expected}; {given} given.")
    if column is None or partitions is None:
        return None
    dtype = table.schema()[column]
    if wrong := [value for value in partitions if isinstance(value, str) != isinstance(dtype, pl.String)]:
        raise PublicationError(f"{table.spec.dotted}: partition {wrong[0]!r} is no value of {column}, a {dtype}.")
    return sorted(set(partitions), key=partition_key_of)


def _hashes(
    table: type[Table], owned: list[PartitionValue] | None, content_hash: Mapping[PartitionValue | None, str]
) -> Mapping[PartitionValue | None, str]:
    places: list[PartitionValue | None] = [None] if owned is None else [*owned]
    if wrong := [place for place, digest in content_hash.items() if place not in places or not digest]:
        raise PublicationError(
            f"{table.spec.dotted}: {content_hash[wrong[0]]!r} cannot be the hash of partition {wrong[0]!r}. "
            f"Give a text that is not empty, for no partitions but those replaced{_named(owned)}. Nothing was sent."
        )
    return content_hash


@contextmanager
def _replayable(
    table: type[Table], owned: list[PartitionValue] | None, frame: pl.DataFrame | Iterable[pl.DataFrame]
) -> Iterator[tuple[Callable[[], Iterator[pl.DataFrame]], Mapping[PartitionValue | None, _Figures], Set[_Month]]]:
    """The rows as chunks that can be gone through several times, checked, and their figures and months."""
    if isinstance(frame, pl.DataFrame):
        totals = _totals(table, owned, [_figures(table, owned, frame)])
        yield lambda: _in_order(table, frame), totals, _months(table, frame)
        return
    with tempfile.TemporaryDirectory(prefix="gamestats-publication-") as folder:
        paths: list[Path] = []
        parts: list[pl.DataFrame] = []
        months: set[_Month] = set()
        for number, part in enumerate(frame):
            parts.append(_figures(table, owned, part))
            months |= _months(table, part)
            paths.append(Path(folder) / f"{number:06}.arrow")
            part.write_ipc(paths[-1], compression="lz4")

        def chunks() -> Iterator[pl.DataFrame]:
            for path in paths:
                yield from _in_order(table, pl.read_ipc(path))

        yield chunks, _totals(table, owned, parts), months


def _in_order(table: type[Table], frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows in the order of the key, where the next index entry stands beside the last: half the cost of a COPY."""
    for part in frame.iter_slices(_ROWS_SORTED):
        yield from part.sort(table.primary_key()).iter_slices(_ROWS_PER_COPY)


def _figures(table: type[Table], owned: list[PartitionValue] | None, frame: pl.DataFrame) -> pl.DataFrame:
    """Figures per partition of a frame, once it is seen to be the table's and within the partitions."""
    schema = table.schema()
    found = frame.schema
    wrong = [
        f"{name} is {found.get(name, 'missing')}, not {kind}"
        for name, kind in schema.items()
        if found.get(name) != kind
    ]
    wrong += [f"{name} is not declared" for name in found if name not in schema]
    if wrong:
        raise PublicationError(f"The rows for {table.spec.dotted} are not as declared: {'; '.join(wrong)}.")
    column = table.spec.partitioned_by
    if owned is not None and column is not None:
        inside = pl.col(column).is_in(pl.Series(owned, dtype=schema[column]).implode())
        foreign = frame.filter(~inside.fill_null(False))
        if foreign.height:
            examples = foreign[column].unique(maintain_order=True).head(5).to_list()
            raise PublicationError(
                f"{foreign.height} rows for {table.spec.dotted} are of other partitions than the"
                f"{_named(owned)} being replaced: {column} is {', '.join(map(str, examples))}. "
                "Nothing was sent."
            )
    aggregates = [pl.len().cast(pl.Int64).alias("rows")]
    for name in table.spec.reconciled:
        value = pl.col(name).cast(_summed(table, name))
        aggregates += [
            pl.col(name).null_count().cast(pl.Int64).alias(f"nulls {name}"),
            value.sum().alias(f"sum {name}"),
            value.abs().sum().alias(f"size {name}"),
        ]
    grouped = pl.lit(None).alias("partition") if column is None else pl.col(column).alias("partition")
    return frame.group_by(grouped).agg(aggregates)


def _summed(table: type[Table], name: str) -> pl.DataType:
    """A type wide enough to sum a column exactly, or as exactly as floats go."""
    dtype = table.schema()[name]
    if isinstance(dtype, pl.Decimal):
        return pl.Decimal(38, dtype.scale)
    if dtype.is_integer():
        return pl.Int128()
    if dtype.is_float():
        return pl.Float64()
    raise UnpublishableTableError(f"{table.spec.key}: reconciled column {name!r} is {dtype}; only numbers have a sum.")


def _totals(
    table: type[Table], owned: list[PartitionValue] | None, parts: list[pl.DataFrame]
) -> Mapping[PartitionValue | None, _Figures]:
    names = table.spec.reconciled
    totals: dict[PartitionValue | None, _Figures] = {}
    if parts:
        for row in pl.concat(parts).group_by("partition").sum().iter_rows(named=True):
            totals[row["partition"]] = _Figures(
                row["rows"],
                tuple(row[f"nulls {name}"] for name in names),
                tuple(row[f"sum {name}"] for name in names),
                tuple(row[f"size {name}"] for name in names),
            )
    none = (0,) * len(names)
    return {value: totals.get(value, _Figures(0, none, none, none)) for value in owned or [None]}


def _replace(url: SecretStr | str, replacement: _Replacement) -> tuple[TableChange, int]:
    """One attempt; the rows deleted."""
    table, partitions = replacement.table, replacement.partitions
    with connect(url) as conn:
        change = _ensure_table(conn, table)
        if replacement.content_hash:
            _ensure_table(conn, _notes_of(table.spec.game))
        if made := _ensure_months(conn, table, replacement.months):
            change = replace(change, changes=(*change.changes, *made))
        with conn.transaction(), conn.cursor() as cursor:
            _lock_partitions(cursor, table, partitions)
            delete = sql.SQL("DELETE FROM {}{}").format(_identifier(table), _where(table, partitions))
            deleted = cursor.execute(delete, _bound(partitions)).rowcount
            _copy(cursor, table, replacement.chunks())
            _reconcile(cursor, replacement)
            _note_published(cursor, replacement)
            if replacement.before_commit is not None:
                replacement.before_commit(cursor)
    return change, deleted


def _lock_partitions(cursor: psycopg.Cursor, table: type[Table], partitions: list[PartitionValue] | None) -> None:
    whole = f"gamestats publication {table.spec.key}"
    if partitions is None or len(partitions) > _LOCKED_PARTITIONS:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [whole])
        return
    cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [whole])
    for value in partitions:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{whole} {partition_key_of(value)}"])


def _copy(cursor: psycopg.Cursor, table: type[Table], chunks: Iterator[pl.DataFrame]) -> None:
    """COPY the rows into the table itself: nobody sees them before the commit."""
    fields = [_as_field(name, dtype) for name, dtype in table.schema().items()]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(_identifier(table), _list(table.columns()))
    with cursor.copy(statement) as copy:
        for chunk in chunks:
            buffer = io.BytesIO()
            # Every text is quoted: an unquoted empty field is null, a quoted one the empty text.
            chunk.select(fields).write_csv(buffer, include_header=False, quote_style="non_numeric")
            copy.write(buffer.getbuffer())


def _as_field(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as PostgreSQL and CSV can hold it: no NUL in texts, lists as array literals."""
    column = pl.col(name)
    if isinstance(dtype, pl.String):
        # PostgreSQL refuses the character; the lake keeps it.
        return column.str.replace_all("\0", "\N{REPLACEMENT CHARACTER}", literal=True)
    if not isinstance(dtype, pl.List):
        return column
    element, inner = pl.element(), pl.Series(dtype=dtype.inner).dtype
    if isinstance(inner, pl.String):
        clean = element.str.replace_all("\0", "\N{REPLACEMENT CHARACTER}", literal=True)
        escaped = clean.str.replace_all("\\", "\\\\", literal=True)
        text = pl.lit('"') + escaped.str.replace_all('"', '\\"', literal=True) + pl.lit('"')
    elif isinstance(inner, pl.Datetime):
        text = element.dt.to_string("iso:strict")
        text = pl.lit('"') + text + pl.lit('"')
    else:
        text = element.cast(pl.String)
    return (pl.lit("{") + column.list.eval(text.fill_null("NULL")).list.join(",") + pl.lit("}")).alias(name)


def _where(table: type[Table], partitions: list[PartitionValue] | None) -> sql.Composable:
    column = table.spec.partitioned_by
    if partitions is None or column is None:
        return sql.SQL("")
    kind = sql.SQL(postgres_types(table)[column])  # pyright: ignore[reportArgumentType]
    return sql.SQL(" WHERE {} = ANY(%s::{}[])").format(sql.Identifier(column), kind)


def _bound(partitions: list[PartitionValue] | None) -> list[Any]:
    return [] if partitions is None else [partitions]


def _reconcile(cursor: psycopg.Cursor, replacement: _Replacement) -> None:
    """Count the partitions again in PostgreSQL and compare with what was sent."""
    table, names = replacement.table, replacement.table.spec.reconciled
    column = table.spec.partitioned_by
    partition = sql.SQL("NULL") if column is None else sql.Identifier(column)
    selected: list[sql.Composable] = [partition, sql.SQL("count(*)")]
    for name in names:
        # PostgreSQL sums `real` in single precision unless told otherwise.
        value = sql.SQL("{}::double precision" if table.schema()[name] == pl.Float32 else "{}").format(
            sql.Identifier(name)
        )
        selected += [
            sql.SQL("count(*) - count({})").format(sql.Identifier(name)),
            sql.SQL("coalesce(sum({}), 0)").format(value),
        ]
    query = sql.SQL("SELECT {} FROM {}{} GROUP BY 1").format(
        sql.SQL(", ").join(selected), _identifier(table), _where(table, replacement.partitions)
    )
    arrived = {
        row[0]: _Figures(row[1], tuple(row[2::2]), tuple(row[3::2]))
        for row in cursor.execute(query, _bound(replacement.partitions))
    }
    differences: list[str] = []
    for value, sent in replacement.figures.items():
        got = arrived.get(value, _Figures(0, (0,) * len(names), (0,) * len(names)))
        where = "" if value is None else f"{partition_key_of(value)}: "
        if got.rows != sent.rows:
            differences.append(f"{where}{sent.rows} rows sent, {got.rows} in the table")
        for place, name in enumerate(names):
            nulls, total = (sent.nulls[place], got.nulls[place]), (sent.sums[place], got.sums[place])
            if nulls[0] != nulls[1]:
                differences.append(f"{where}{name} null in {nulls[0]} rows sent, {nulls[1]} in the table")
            if not _agree(*total, sent.sizes[place]):
                differences.append(f"{where}sum of {name} {total[0]} sent, {total[1]} in the table")
    if differences:
        more = f"\n- and {len(differences) - 20} more" if len(differences) > 20 else ""
        raise ReconciliationError(
            f"{replacement.named} does not hold what was sent:\n- "
            + "\n- ".join(differences[:20])
            + f"{more}\nAll was rolled back. Look for triggers or rules on the table in PostgreSQL."
        )


def _note_published(cursor: psycopg.Cursor, replacement: _Replacement) -> None:
    """Note what content the partitions hold from now on; of a partition whose content has no name, nothing."""
    notes, name = _notes_of(replacement.table.spec.game), replacement.table.spec.name
    if not _exists(cursor.connection, notes):
        return
    known = _identifier(notes)
    replaced = [_note_key(value) for value in replacement.figures]
    forget = sql.SQL("DELETE FROM {} WHERE table_name = %s AND partition_key = ANY(%s)").format(known)
    cursor.execute(forget, [name, replaced])
    note = sql.SQL(
        "INSERT INTO {} (table_name, partition_key, content_hash, rows, published_at) VALUES (%s, %s, %s, %s, now())"
    ).format(known)
    rows = [
        (name, _note_key(value), digest, replacement.figures[value].rows)
        for value, digest in replacement.content_hash.items()
    ]
    cursor.executemany(note, rows)


def _note_key(value: PartitionValue | None) -> str:
    return "" if value is None else partition_key_of(value)


def _agree(sent: int | float | Decimal, got: int | float | Decimal, size: int | float | Decimal) -> bool:
    """Whether two sums agree: exactly, and for floats to 1e-9 of the sum of the sizes summed."""
    if not isinstance(sent, float):
        return sent == got
    if not math.isfinite(sent):
        return str(sent) == str(float(got))
    return abs(sent - float(got)) <= _FLOAT_TOLERANCE * float(size)


# --- forgetting ----------------------------------------------------------------------------------


def forget_partition(url: SecretStr | str, table: type[Table], partition: PartitionValue) -> int:
    """Delete a partition's rows, and the note of what was published of it; how many rows there were.

    Raises:
        PostgresError: when PostgreSQL refuses or cannot be reached.
    """
    notes = _notes_of(table.spec.game)
    with connect(url) as conn, _explained(url, table.spec.dotted), conn.transaction():
        if not _exists(conn, table):
            return 0
        delete = sql.SQL("DELETE FROM {}{}").format(_identifier(table), _where(table, [partition]))
        gone = conn.execute(delete, _bound([partition])).rowcount
        if _exists(conn, notes):
            forget = sql.SQL("DELETE FROM {} WHERE table_name = %s AND partition_key = %s").format(_identifier(notes))
            conn.execute(forget, [table.spec.name, _note_key(partition)])
        return gone


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
    """Leave nothing of deleted rows in the tables of schemas, nor in PostgreSQL's statistics of them.

    Each table is locked and written anew. The write-ahead log keeps what was deleted until it is used again, which a
    checkpoint and a new segment hasten.

    Returns:
        What this user may not do, a sentence each.

    Raises:
        PostgresError: when PostgreSQL refuses or cannot be reached.
    """
    refused: list[str] = []
    with connect(url) as conn, _explained(url, "deleted rows"):
        found = conn.execute(_WHOLE_TABLES, [list(schemas)]).fetchall()
        statements = [
            *(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier(*place)) for place in found),
            *map(sql.SQL, ("VACUUM FULL pg_catalog.pg_statistic", "CHECKPOINT", "SELECT pg_switch_wal()")),
        ]
        if conn.info.server_version >= _STATISTICS_CLEARED_SINCE:
            # First, for of a table that is empty by now none are taken any more.
            statements.insert(0, _CLEAR_STATISTICS.format(sql.Literal(list(schemas))))
        for statement in statements:
            try:
                conn.execute(statement)
            except errors.InsufficientPrivilege as error:
                told = f"{statement.as_string(conn)}: {error.diag.message_primary}."
                refused.append(f"{told} Let an administrator run it.")
    return refused


# --- reading -------------------------------------------------------------------------------------


def counts(conn: psycopg.Connection, table: type[Table]) -> dict[PartitionValue | None, int]:
    """Published rows by partition; under None for an unpartitioned table; empty before the first publication.

    Raises:
        PostgresError: when PostgreSQL refuses.
    """
    column = table.spec.partitioned_by
    key = sql.SQL("NULL") if column is None else sql.Identifier(column)
    with _explained(None, table.spec.dotted):
        if not _exists(conn, table):
            return {}
        query = sql.SQL("SELECT {}, count(*) FROM {} GROUP BY 1 ORDER BY 1").format(key, _identifier(table))
        return {row[0]: row[1] for row in conn.execute(query)}


def published_rows(url: SecretStr | str, table: type[Table], partition: PartitionValue | None = None) -> int:
    """Rows published of one partition, or of the whole table; 0 before the first publication.

    Raises:
        PostgresError: when PostgreSQL refuses or cannot be reached.
    """
    partitions = None if partition is None else [partition]
    with connect(url) as conn, _explained(url, table.spec.dotted):
        if not _exists(conn, table):
            return 0
        query = sql.SQL("SELECT count(*) FROM {}{}").format(_identifier(table), _where(table, partitions))
        row = conn.execute(query, _bound(partitions)).fetchone()
        return int(row[0]) if row else 0


def published_hashes(url: SecretStr | str, table: type[Table]) -> dict[str, str]:
    """Names of the content published, by partition key; under "" for an unpartitioned table.

    A partition is missing when it was not published, or last without a name of its content. All
    are when the table does not stand in PostgreSQL as declared: publishing any brings it up to date.
    Rows that people changed by hand are not noticed.

    Raises:
        UnpublishableTableError: see `postgres_types`.
        PostgresError: when PostgreSQL refuses or cannot be reached.
    """
    notes = _notes_of(table.spec.game)
    with connect(url) as conn, _explained(url, table.spec.dotted):
        if _found(conn, table) != _declared(table) or not _exists(conn, notes):
            return {}
        noted = sql.SQL("SELECT partition_key, content_hash FROM {} WHERE table_name = %s ORDER BY 1")
        return dict(conn.execute(noted.format(_identifier(notes)), [table.spec.name]).fetchall())


def everything_published(
    url: SecretStr | str, tables: Sequence[type[Table]], *, counted: bool = False
) -> dict[type[Table], dict[str, str]]:
    """As `published_hashes`, of all tables of a game that stand in PostgreSQL, in two queries.

    Args:
        counted: count rows, too; a partition that holds other than were published is missing. Costs a scan.

    Raises:
        PostgresError: when PostgreSQL refuses or cannot be reached.
    """
    if not tables:
        return {}
    game = tables[0].spec.game
    notes = _notes_of(game)
    with connect(url) as conn, _explained(url, f"what is published of {game}"):
        known = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [game]).fetchall()
        there = {name for (name,) in known}
        if notes.spec.name not in there:
            return {}
        query = sql.SQL("SELECT table_name, partition_key, content_hash, rows FROM {}").format(_identifier(notes))
        by_name = {table.spec.name: table for table in tables if table.spec.name in there}
        found: dict[type[Table], dict[str, str]] = {table: {} for table in by_name.values()}
        noted: dict[type[Table], dict[str, int]] = {table: {} for table in by_name.values()}
        for name, key, digest, rows in conn.execute(query).fetchall():
            if name in by_name:
                found[by_name[name]][key] = digest
                noted[by_name[name]][key] = rows
        for table in found if counted else ():
            held = {_note_key(value): rows for value, rows in counts(conn, table).items()}
            for key in {*held, *noted[table]}:
                if held.get(key, 0) != noted[table].get(key, 0):
                    found[table].pop(key, None)
        return found


def read_published(
    url: SecretStr | str, table: type[Table], partitions: Sequence[PartitionValue] | None = None
) -> pl.DataFrame:
    """The published rows of the partitions, or of all, in the declared columns and types; in no order.

    Raises:
        PostgresError: when PostgreSQL refuses or cannot be reached, as when nothing was published yet.
    """
    owned = None if partitions is None else _owned(table, partitions)
    columns = _list(table.columns())
    query = sql.SQL("SELECT {} FROM {}{}").format(columns, _identifier(table), _where(table, owned))
    with connect(url) as conn, _explained(url, table.spec.dotted):
        set_json_loads(_as_text, conn)
        rows = conn.execute(query, _bound(owned)).fetchall()
    return pl.DataFrame(rows, schema=table.schema(), orient="row")


def _exists(conn: psycopg.Connection, table: type[Table]) -> bool:
    known = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = %s"
    return conn.execute(known, [table.spec.game, table.spec.name]).fetchone() is not None


_POLARS_TYPES: dict[str, pl.DataType] = {
    "bool": pl.Boolean(),
    "int2": pl.Int16(),
    "int4": pl.Int32(),
    "int8": pl.Int64(),
    "float4": pl.Float32(),
    "float8": pl.Float64(),
    "date": pl.Date(),
    "time": pl.Time(),
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
    "interval": pl.Duration("us"),
    "bytea": pl.Binary(),
}


def query(url: SecretStr | str, statement: str) -> pl.DataFrame:
    """The answer to one SQL statement a person wrote, in a transaction that can only read.

    `numeric` becomes a Decimal as wide as the values need; types polars has not become text.
    Of columns with the same name the later ones are numbered. A statement without rows
    gives an empty frame.

    Raises:
        QueryError: when the statement is wrong, would write, or is more than one.
        PostgresUnavailableError: when the server cannot be reached.
    """
    with connect(url) as conn, _explained(url, "The query", QueryError):
        conn.read_only = True
        set_json_loads(_as_text, conn)
        with conn.transaction(force_rollback=True), conn.cursor() as cursor:
            cursor.execute("SET LOCAL timezone = 'UTC'")
            # Prepared: PostgreSQL then takes one statement only, so nobody can leave the transaction.
            cursor.execute(statement, prepare=True)  # pyright: ignore[reportCallIssue, reportArgumentType]
            if cursor.description is None:
                return pl.DataFrame()
            rows = cursor.fetchall()
            names = _numbered([column.name for column in cursor.description])
            kinds = [_type_name(conn, column.type_code) for column in cursor.description]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(
        [_series(name, kind, list(values)) for name, kind, values in zip(names, kinds, columns, strict=True)]
    )


def _as_text(document: str | bytes) -> str:
    return document if isinstance(document, str) else document.decode()


def _type_name(conn: psycopg.Connection, oid: int) -> str:
    info = conn.adapters.types.get(oid)
    if info is None:
        return "text"
    return f"{info.name}[]" if oid == info.array_oid else info.name


def _series(name: str, kind: str, values: list[Any]) -> pl.Series:
    inner = kind.removesuffix("[]")
    if inner == "numeric":
        flat = [value for value in values if value is not None]
        if inner == kind and flat and all(value.is_finite() for value in flat):
            scale = max(-value.as_tuple().exponent for value in flat)
            return pl.Series(name, values, dtype=pl.Decimal(38, max(scale, 0)))
        dtype: pl.DataType = pl.Float64()
        values = [_floats(value) for value in values]
    else:
        dtype = _POLARS_TYPES.get(inner, pl.String())
    if inner != kind:
        dtype = pl.List(dtype)
    elif dtype == pl.String:
        values = [value if value is None or isinstance(value, str) else str(value) for value in values]
    return pl.Series(name, values, dtype=dtype)


def _floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_floats(element) for element in value]
    return None if value is None else float(value)


def _numbered(names: Sequence[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        number, unique = 2, name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.append(unique)
    return taken
