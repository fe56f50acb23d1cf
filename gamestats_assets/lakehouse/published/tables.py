"""Tables in PostgreSQL: created from their declaration, brought up to date, rebuilt, partitioned by month.

Everything in PostgreSQL can be published again from Delta, so a table whose declaration changed beyond added columns is
rebuilt, never migrated.

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

from gamestats_assets.lakehouse.postgres.own_rows import guard
from gamestats_assets.lakehouse.postgres.roles import grant_reader
from gamestats_assets.lakehouse.postgres.server import PostgresError, explained, lock_definitions
from gamestats_assets.lakehouse.published.notes import (
    forget_notes,
    identifier,
    notes_of,
    raise_version,
    versions_of,
)
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


class IncompatibleTableError(PostgresError):
    """A table in PostgreSQL differs from its declaration, and only a rebuild can fix that."""


class PublicationError(PostgresError):
    """Rows were refused, before anything was sent or by PostgreSQL; nothing was changed."""


_Definition = dict[tuple[str, str], str]
"""A table as declared or as found: the catalogue's description of each part, by its kind and name."""


def postgres_types(table: type[Table]) -> Mapping[str, str]:
    """PostgreSQL type of every column, as `format_type` writes it.

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


def ensure_table(conn: psycopg.Connection, table: type[Table]) -> tuple[str, ...]:
    """Creates a table, or brings it up to its declaration if no data are lost; also its game's records.

    New nullable columns, columns that became nullable, comments and indexes are applied. If there is nothing to do, it
    takes one query of the catalogue and no lock.

    Returns:
        A line for each change, and for each privilege that could not be granted to readers.

    Raises:
        IncompatibleTableError: if only a rebuild can do it; it names every difference.
        UnpublishableTableError: see `postgres_types`.
    """
    tables = [notes_of(table.spec.game), versions_of(table.spec.game), table]
    declared = {each: as_declared(each) for each in tables}
    with explained(table.spec.dotted), conn.transaction():
        if as_found(conn, tables) == declared:
            return ()
        lock_definitions(conn)
        # Another process may have done the work while this one waited.
        found = as_found(conn, tables)
        return [_bring_up_to_date(conn, each, found.get(each)) for each in declared][-1]


def _bring_up_to_date(conn: psycopg.Connection, table: type[Table], before: _Definition | None) -> tuple[str, ...]:
    changes = _create(conn, table) if before is None else []
    found = as_found(conn, [table])[table] if before is None else before
    changes += _evolve(conn, table, as_declared(table), found)
    if before is None or any(kind == "column" for kind, _ in as_declared(table).keys() - before.keys()):
        # The table is new, or its rows lack a column, so records of its content no longer hold.
        forget_notes(conn, table)
    is_opened = before is None or before.get(_GUARD) != as_declared(table).get(_GUARD)
    return (*changes, *(grant_reader(conn, [table.spec.game]) if is_opened else ()))


_GUARD = ("guard", "")

DERIVED_VIEW = "gamestats: "
"""Start of the comment of a view that a step creates, and creates again after its table was rebuilt."""

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


def rebuild_table(conn: psycopg.Connection, table: type[Table]) -> tuple[str, ...]:
    """Drops the table with its rows and creates it again, empty, in one transaction. Publish it again afterwards.

    Derived views on it (`DERIVED_VIEW`) are dropped as well; the steps that created them create them again.
    """
    with explained(f"rebuilding {table.spec.dotted}"), conn.transaction():
        lock_definitions(conn)
        for schema, view in conn.execute(_DERIVED_VIEWS, [table.spec.game, table.spec.name, DERIVED_VIEW]).fetchall():
            conn.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, view)))
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(identifier(table)))
        changes = ensure_table(conn, table)
        raise_version(conn, table)
        return changes


def column_list(columns: Iterable[str]) -> sql.Composed:
    """A list of column names for statements."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


@functools.cache
def as_declared(table: type[Table]) -> _Definition:
    """The definition that a table should have in PostgreSQL according to its declaration."""
    spec, key = table.spec, tuple(table.primary_key())
    columns = table.columns()
    indexes = list(spec.indexes)
    if spec.partitioned_by and all(leading[0] != spec.partitioned_by for leading in (key, *indexes)):
        indexes.append((spec.partitioned_by,))
    return {
        **{
            ("column", name): kind if columns[name].nullable else f"{kind} not null"
            for name, kind in postgres_types(table).items()
        },
        ("primary key", ""): ", ".join(key),
        **({("months of", ""): spec.months_of} if spec.months_of else {}),
        **({_GUARD: ", ".join(spec.guarded_by)} if spec.guarded_by else {}),
        ("description", ""): table.description(),
        **{("description", name): text for name, text in table.descriptions().items()},
        **{("index", _index_name(table, names)): ", ".join(names) for names in indexes},
    }


def _index_name(table: type[Table], columns: tuple[str, ...]) -> str:
    # The prefix distinguishes our indexes from an administrator's; the hash identifies the columns.
    digest = hashlib.sha256(",".join(columns).encode()).hexdigest()[:8]
    return f"gs_{table.spec.name[:48]}_{digest}"


_CATALOGUE = """
WITH t AS (
    SELECT c.oid, c.relname::text AS named FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = ANY(%s)
), lists (oid, kind, name, keys) AS (
    SELECT conrelid, 'primary key', '', conkey FROM pg_constraint WHERE contype = 'p'
    UNION ALL SELECT partrelid, 'months of', '', partattrs::int2[] FROM pg_partitioned_table
    UNION ALL SELECT indrelid, 'index', relname, indkey::int2[]
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE starts_with(relname, 'gs_')
)
SELECT named, 'column', attname::text,
       format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
FROM t JOIN pg_attribute ON attrelid = oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT named, 'description', attname, coalesce(col_description(oid, attnum), '')
FROM t JOIN pg_attribute ON attrelid = oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT named, 'description', '', coalesce(obj_description(oid, 'pg_class'), '') FROM t
UNION ALL SELECT named, 'guard', '', coalesce(obj_description(pg_policy.oid, 'pg_policy'), '')
FROM t JOIN pg_class USING (oid) JOIN pg_policy ON polrelid = t.oid AND polname = 'own' WHERE relrowsecurity
UNION ALL SELECT named, kind, name, string_agg(attname, ', ' ORDER BY place)
FROM t JOIN lists USING (oid), unnest(keys) WITH ORDINALITY AS listed (number, place)
JOIN pg_attribute ON attnum = number WHERE attrelid = oid GROUP BY 1, 2, 3
"""


def as_found(conn: psycopg.Connection, tables: Sequence[type[Table]]) -> dict[type[Table], _Definition]:
    """The definitions of those tables of a game that exist in PostgreSQL."""
    by_name = {table.spec.name: table for table in tables}
    found: dict[type[Table], _Definition] = {}
    for name, kind, part, text in conn.execute(_CATALOGUE, [tables[0].spec.game, [*by_name]]):
        found.setdefault(by_name[name], {})[kind, part] = text
    return found


def _create(conn: psycopg.Connection, table: type[Table]) -> list[str]:
    """Creates the table with its columns, key and partitioning; `_evolve` adds the rest."""
    declared = as_declared(table)
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(text))  # pyright: ignore[reportArgumentType]
        for (kind, name), text in declared.items()
        if kind == "column"
    ]
    # While a partition is replaced, every key exists twice, deleted and new; merging the two costs more than it saves.
    key = sql.SQL("PRIMARY KEY ({}) WITH (deduplicate_items = off)").format(column_list(table.primary_key()))
    create = sql.SQL("CREATE TABLE {} ({})").format(identifier(table), sql.SQL(", ").join([*columns, key]))
    if table.spec.months_of is not None:
        create += sql.SQL(" PARTITION BY RANGE ({})").format(sql.Identifier(table.spec.months_of))
    conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table.spec.game)))
    conn.execute(create)
    return [f"table {table.spec.dotted} made"]


def _evolve(conn: psycopg.Connection, table: type[Table], declared: _Definition, found: _Definition) -> list[str]:
    """Turns `found` into `declared` if no data are lost; returns a line for each change."""
    differences = [
        (*part, declared.get(part), found.get(part))
        for part in {**declared, **found}
        if declared.get(part) != found.get(part)
    ]
    if lost := [difference for difference in differences if not _is_lossless(*difference)]:
        raise IncompatibleTableError(
            f"{table.spec.dotted} in PostgreSQL is not as declared:\n- "
            + "\n- ".join(
                f"{name or kind}: declared {new or 'none'}, found {old or 'none'}" for kind, name, new, old in lost
            )
            + f"\nIts rows can all be published again; run: gamestats rebuild {table.spec.dotted}"
        )
    whole, changes = identifier(table), list[str]()

    def change(line: str, statement: sql.Composed) -> None:
        conn.execute(statement)
        changes.append(line)

    for kind, name, new, old in differences:
        part = sql.Identifier(name)
        match kind:
            case "column" if old is None:
                type_ = sql.SQL(new or "")  # pyright: ignore[reportArgumentType]
                change(
                    f"column {name} added, {new}",
                    sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(whole, part, type_),
                )
            case "column":
                drop = sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL")
                change(f"column {name} may be null", drop.format(whole, part))
            case "description" if new is not None:
                on = sql.SQL("COLUMN {}.{}").format(whole, part) if name else sql.SQL("TABLE {}").format(whole)
                comment = sql.SQL("COMMENT ON {} IS {}").format(on, sql.Literal(new))
                change(f"column {name} described" if name else "table described", comment)
            case "guard":
                guard(conn, table.spec.game, table.spec.name, table.spec.guarded_by)
                changes.append(f"rows are guarded by {new}" if new else "rows are not guarded any more")
            case "index":
                if old is not None:
                    drop = sql.SQL("DROP INDEX {}").format(sql.Identifier(table.spec.game, name))
                    change(f"index on {old} dropped", drop)
                if new is not None:
                    create = sql.SQL("CREATE INDEX {} ON {} ({})").format(part, whole, column_list(new.split(", ")))
                    change(f"index on {new} made", create)
    return changes


def _is_lossless(kind: str, name: str, now: str | None, was: str | None) -> bool:
    """Whether a part of a table can be changed without publishing its rows again."""
    if kind == "column":
        return was == f"{now} not null" or (was is None and now is not None and not now.endswith(" not null"))
    return kind in ("description", "index", "guard")


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


def ensure_months(conn: psycopg.Connection, table: type[Table], months: Sequence[_Month]) -> list[str]:
    """Creates missing monthly partitions; returns a line for each.

    It uses its own transaction: if the lock on the table lasted through a publication, every other publication that
    needs a new month would wait.
    """
    whole = identifier(table)
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass"

    def missing() -> list[_Month]:
        present = {name for (name,) in conn.execute(query, [whole.as_string(conn)])}
        return [month for month in months if _month_name(table, month) not in present]

    if not months or not missing():
        return []
    with conn.transaction():
        lock_definitions(conn)
        # Another process may have done the work while this one waited.
        new_months = missing()
        for year, month in new_months:
            new = sql.Identifier(table.spec.game, _month_name(table, (year, month)))
            bounds = [f"{y:04}-{m:02}-01 00:00:00+00" for y, m in ((year, month), (year + month // 12, month % 12 + 1))]
            # CREATE TABLE ... PARTITION OF would block readers of the table and wait for them; ATTACH does not.
            conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING CONSTRAINTS)").format(new, whole))
            if table.spec.guarded_by:
                # The table's own policy applies to reads through the table; a month alone can be read by nobody.
                conn.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(new))
            conn.execute(
                sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                    whole, new, *map(sql.Literal, bounds)
                )
            )
    return [f"month {_month_name(table, month)} made" for month in new_months]
