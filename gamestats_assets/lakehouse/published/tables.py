"""Tables in PostgreSQL as their declarations define them: their statements, and whether they are up to date.

Everything in PostgreSQL can be published again from Delta. A table whose declaration changed is therefore never
altered, except for its comments: it is rebuilt beside the old one, which readers see until it is replaced (see
`publication.rebuild`). The declaration of each table is recorded, as a hash, with its version (`notes.versions_of`).

A table that grows with time (`TableSpec.months_of`) is partitioned by PostgreSQL into one table per month, so that a
query about some weeks reads only their months, and no index grows beyond a month. Readers and writers name the table
itself.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from gamestats_assets.lakehouse.postgres.own_rows import guards
from gamestats_assets.lakehouse.postgres.roles import grant_reader
from gamestats_assets.lakehouse.postgres.server import PostgresError, explained, has_table, lock_definitions
from gamestats_assets.lakehouse.published.notes import forget_notes, identifier, notes_of, raise_version, versions_of
from gamestats_assets.lakehouse.table import Table

_IDENTIFIER_BYTES = 63
_LAST_YEAR = 9999  # the last that Python can read

_SCALAR_TYPES: Mapping[Any, str] = {
    pl.Boolean: "boolean",
    pl.Int8: "smallint",
    pl.Int16: "smallint",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.Float32: "real",
    pl.Float64: "double precision",
    pl.String: "text",
    pl.Date: "date",
    pl.Datetime: "timestamp with time zone",
}


class UnpublishableTableError(PostgresError):
    """A table's declaration contains something that PostgreSQL cannot store."""


class OutdatedTableError(PostgresError):
    """A table in PostgreSQL was made from another declaration; it must be rebuilt before anything is published."""


class PublicationError(PostgresError):
    """Rows were refused, before anything was sent or by PostgreSQL; nothing was changed."""


def postgres_types(table: type[Table]) -> Mapping[str, str]:
    """PostgreSQL type of every column.

    Derived from the polars types rather than `to_sqlalchemy_columns`, which turns a pattern or length rule into
    `char(n)`, which pads values, and the 64-bit `dy.Integer` into a 32-bit integer.

    Raises:
        UnpublishableTableError: if a column is a list of lists, or a name is taken or too long for PostgreSQL.
    """
    longest = _month_name(table, (_LAST_YEAR, 12)) if table.spec.months_of else table.spec.name
    names = [table.spec.game, longest, *table.columns()]
    long = [name for name in names if len(name.encode()) > _IDENTIFIER_BYTES]
    problems = [f"name {name!r} is longer than {_IDENTIFIER_BYTES} bytes" for name in long]
    for own in (notes_of(table.spec.game), versions_of(table.spec.game)):
        if table.spec.key == own.spec.key and table is not own:
            problems.append(f"the name {table.spec.name!r} is taken: {own.description()}")
    types: dict[str, str] = {}
    for name, column in table.columns().items():
        try:
            types[name] = (column.metadata or {}).get("postgres_type") or _postgres_type(column.dtype)
        except KeyError:
            problems.append(f"column {name!r} is {column.dtype}, for which PostgreSQL has no plain type")
    if problems:
        raise UnpublishableTableError(f"{table.spec.key} cannot be published:\n- " + "\n- ".join(problems))
    return types


def _postgres_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return f"{_SCALAR_TYPES[type(dtype.inner)]}[]"
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision},{dtype.scale})"
    return _SCALAR_TYPES[type(dtype)]


# --- statements ----------------------------------------------------------------------------------


def column_list(columns: Iterable[str]) -> sql.Composed:
    """A list of column names for statements."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _columns(table: type[Table]) -> list[sql.Composed]:
    columns = table.columns()
    return [
        sql.SQL("{} {}").format(
            sql.Identifier(name),
            sql.SQL(kind if columns[name].nullable else f"{kind} NOT NULL"),  # pyright: ignore[reportArgumentType]
        )
        for name, kind in postgres_types(table).items()
    ]


def _structure(table: type[Table]) -> list[sql.Composed]:
    """The statements that create a table without comments: columns, key, months, indexes, row security."""
    spec, place, key = table.spec, identifier(table), tuple(table.primary_key())
    # While a partition is replaced, every key exists twice, deleted and new; merging the two costs more than it saves.
    primary_key = sql.SQL("PRIMARY KEY ({}) WITH (deduplicate_items = off)").format(column_list(key))
    create = sql.SQL("CREATE TABLE {} ({})").format(place, sql.SQL(", ").join([*_columns(table), primary_key]))
    if spec.months_of is not None:
        create += sql.SQL(" PARTITION BY RANGE ({})").format(sql.Identifier(spec.months_of))
    indexes = list(spec.indexes)
    if spec.partitioned_by and all(leading[0] != spec.partitioned_by for leading in (key, *indexes)):
        indexes.append((spec.partitioned_by,))
    index = sql.SQL("CREATE INDEX ON {} ({})")
    return [create, *(index.format(place, column_list(names)) for names in indexes), *guards(place, spec.guarded_by)]


def _comments(table: type[Table]) -> list[sql.Composed]:
    place = identifier(table)
    whole = sql.SQL("COMMENT ON TABLE {} IS {}").format(place, sql.Literal(table.description()))
    column = sql.SQL("COMMENT ON COLUMN {}.{} IS {}")
    return [
        whole,
        *(column.format(place, sql.Identifier(name), sql.Literal(text)) for name, text in table.descriptions().items()),
    ]


@functools.cache
def definition(table: type[Table]) -> str:
    """A hash of everything but the comments, and one of the comments."""
    hashes = (
        hashlib.sha256("\n".join(statement.as_string(None) for statement in statements).encode()).hexdigest()[:16]
        for statements in (_structure(table), _comments(table))
    )
    return " ".join(hashes)


_DEFINITIONS = "SELECT table_name, definition FROM {} WHERE to_regclass(%s || quote_ident(table_name)) IS NOT NULL"
_HAS_DEFINITIONS = """
SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'definition' AND NOT attisdropped
"""


def definitions(conn: psycopg.Connection, game: str) -> dict[str, str | None]:
    """The recorded definitions of those published tables of a game that exist, by name."""
    records = identifier(versions_of(game))
    if conn.execute(_HAS_DEFINITIONS, [records.as_string(conn)]).fetchone() is None:
        return {}
    return dict(conn.execute(sql.SQL(_DEFINITIONS).format(records), [f'"{game}".']).fetchall())


# --- tables --------------------------------------------------------------------------------------


def create_table(conn: psycopg.Connection, table: type[Table]) -> None:
    """Creates a table in its schema."""
    for statement in (*_structure(table), *_comments(table)):
        conn.execute(statement)


def ensure_table(conn: psycopg.Connection, table: type[Table]) -> None:
    """Creates a missing table, and its game's records; updates its comments. An up-to-date table takes two queries.

    Raises:
        OutdatedTableError: if the table must be rebuilt, because its declaration changed.
        UnpublishableTableError: see `postgres_types`.
    """
    game, declared = table.spec.game, definition(table)
    with explained(table.spec.dotted):
        if definitions(conn, game).get(table.spec.name) == declared:
            return
        _ensure_records(conn, game)
    with explained(table.spec.dotted), conn.transaction():
        lock_definitions(conn)
        # Another process may have done the work while this one waited.
        found = definitions(conn, game).get(table.spec.name)
        if not has_table(conn, game, table.spec.name):
            create_table(conn, table)
            forget_notes(conn, table)
            grant_reader(conn, [game])
            record_definition(conn, table)
            return
        if (found or "").split(" ")[0] != declared.split(" ")[0]:
            raise OutdatedTableError(
                f"{table.spec.dotted} in PostgreSQL is not as declared; publication through Dagster rebuilds it."
            )
        if found != declared:
            for statement in _comments(table):
                conn.execute(statement)
            record_definition(conn, table)


def record_definition(conn: psycopg.Connection, table: type[Table]) -> None:
    """Records that a table was made from its present declaration, and gives it a new version."""
    raise_version(conn, table)
    record = sql.SQL("UPDATE {} SET definition = %s WHERE table_name = %s")
    conn.execute(record.format(identifier(versions_of(table.spec.game))), [definition(table), table.spec.name])


def _ensure_records(conn: psycopg.Connection, game: str) -> None:
    """Creates the records of a game, or adds the columns that an earlier release did not have."""
    has_definitions = [identifier(versions_of(game)).as_string(conn)]
    with conn.transaction():
        lock_definitions(conn)
        # Comes first: querying a catalogue makes the session notice objects that others created while it waited.
        if conn.execute(_HAS_DEFINITIONS, has_definitions).fetchone() is not None:
            return
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(game)))
        for records in (notes_of(game), versions_of(game)):
            if not has_table(conn, game, records.spec.name):
                create_table(conn, records)
            for column in _columns(records):
                conn.execute(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {}").format(identifier(records), column))


DERIVED_VIEW = "gamestats: "
"""Start of the comment of a view that a step creates, and creates again after its table was rebuilt."""

_DERIVED_VIEWS = """
SELECT DISTINCT n.nspname, v.relname
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
JOIN pg_namespace n ON n.oid = v.relnamespace
WHERE d.refobjid = to_regclass(%s) AND starts_with(obj_description(v.oid, 'pg_class'), %s)
"""


def replace_table(conn: psycopg.Connection, table: type[Table], beside: type[Table]) -> None:
    """Replaces a table by one that was built beside it, in a schema of its own, inside a transaction.

    Derived views on it (`DERIVED_VIEW`) are dropped as well; the steps that created them create them again.
    """
    lock_definitions(conn)
    place, schema = identifier(table), sql.Identifier(beside.spec.game)
    for view in conn.execute(_DERIVED_VIEWS, [place.as_string(conn), DERIVED_VIEW]).fetchall():
        conn.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(*view)))
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(place))
    move = sql.SQL("ALTER TABLE {} SET SCHEMA {}")
    parts = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')",
        [beside.spec.game],
    )
    for (name,) in parts.fetchall():
        conn.execute(move.format(sql.Identifier(beside.spec.game, name), sql.Identifier(table.spec.game)))
    conn.execute(sql.SQL("DROP SCHEMA {}").format(schema))
    grant_reader(conn, [table.spec.game])


# --- months --------------------------------------------------------------------------------------

_Month = tuple[int, int]  # year and month


def months_of_rows(table: type[Table], frame: pl.DataFrame) -> list[_Month]:
    """The months (UTC) of the rows, if PostgreSQL partitions the table by month."""
    column = table.spec.months_of
    if column is None:
        return []
    at = frame.get_column(column).drop_nulls()  # PostgreSQL refuses a null, and names the row
    months = sorted(pl.select(year=at.dt.year(), month=at.dt.month()).unique().rows())
    if far := [year for year, _ in months if not 1 <= year <= _LAST_YEAR]:
        raise PublicationError(
            f"The rows for {table.spec.dotted} have times in the year {far[0]} in column {column}, "
            f"expected years 1 to {_LAST_YEAR}. Nothing was sent; correct or quarantine them in the lake."
        )
    return months


def _month_name(table: type[Table], month: _Month) -> str:
    return f"{table.spec.name}_{month[0]:04}_{month[1]:02}"


def ensure_months(conn: psycopg.Connection, table: type[Table], months: Sequence[_Month]) -> None:
    """Creates missing monthly partitions.

    Outside a publication's transaction: if the lock on the table lasted through it, every other publication that needs
    a new month would wait.
    """
    whole = identifier(table)
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass"

    def missing() -> list[_Month]:
        present = {name for (name,) in conn.execute(query, [whole.as_string(conn)])}
        return [month for month in months if _month_name(table, month) not in present]

    if not months or not missing():
        return
    with conn.transaction():
        lock_definitions(conn)
        # Another process may have done the work while this one waited.
        for month in missing():
            create_month(conn, table, month)


def create_month(conn: psycopg.Connection, table: type[Table], month: _Month) -> None:
    """Creates one monthly partition."""
    whole, (year, number) = identifier(table), month
    new = sql.Identifier(table.spec.game, _month_name(table, month))
    bounds = [f"{y:04}-{m:02}-01 00:00:00+00" for y, m in ((year, number), (year + number // 12, number % 12 + 1))]
    # CREATE TABLE ... PARTITION OF would block readers of the table and wait for them; ATTACH does not.
    conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING CONSTRAINTS)").format(new, whole))
    if table.spec.guarded_by:
        # The table's own policy applies to reads through the table; a single month cannot be read directly.
        conn.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(new))
    attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})")
    conn.execute(attach.format(whole, new, *map(sql.Literal, bounds)))
