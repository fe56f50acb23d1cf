"""Published tables as PostgreSQL has them: made from their declaration, brought up to it, rebuilt, kept in months.

What stands in PostgreSQL can always be published again from Delta, so a table whose declaration changed beyond adding
columns is rebuilt, never migrated.

A table that grows with time (`TableSpec.months_of`) is partitioned by PostgreSQL into one table per month, so that a
question about some weeks reads no more than their months and an index grows no further than one. Whoever reads or
writes names the table itself.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from gamestats_assets.lakehouse.own_rows import guard
from gamestats_assets.lakehouse.postgres import PostgresError, explained, lock_definitions
from gamestats_assets.lakehouse.published_notes import (
    forget_notes,
    identifier,
    notes_of,
    raise_version,
    versions_of,
)
from gamestats_assets.lakehouse.roles import grant_reader
from gamestats_assets.lakehouse.table import Table

_IDENTIFIER_BYTES = 63
_LAST_YEAR = 9999  # the last that Python can read back

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
    """A table's declaration has something PostgreSQL could not keep."""


class IncompatibleTableError(PostgresError):
    """A table in PostgreSQL differs from its declaration in a way only a rebuild can mend."""


class PublicationError(PostgresError):
    """Rows were refused, by us before anything was sent or by PostgreSQL; nothing was changed."""


_Definition = dict[tuple[str, str], str]
"""A table as declared or as found: of each part, by its kind and name, what PostgreSQL's catalogue says of it."""


def postgres_types(table: type[Table]) -> Mapping[str, str]:
    """PostgreSQL type of every column, as `format_type` writes it.

    Taken from the polars types rather than from `to_sqlalchemy_columns`, which turns a
    pattern or a length rule into `char(n)` (padding what it stores) and `dy.Integer`,
    64 bits wide, into a 32-bit integer.

    Raises:
        UnpublishableTableError: when a column is a list of lists, or a name is taken or longer than PostgreSQL keeps.
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
    """Make the table as declared, or bring it up to its declaration where that loses nothing; so its game's notes.

    New nullable columns, columns that became nullable, comments and indexes are applied;
    nothing is locked when there is nothing to do (one query of the catalogue).

    Returns:
        A line for each change, and for what could not be granted to those who read.

    Raises:
        IncompatibleTableError: when only a rebuild can do it; it names every difference.
        UnpublishableTableError: see `postgres_types`.
    """
    tables = [notes_of(table.spec.game), versions_of(table.spec.game), table]
    declared = {each: as_declared(each) for each in tables}
    with explained(table.spec.dotted), conn.transaction():
        if as_found(conn, tables) == declared:
            return ()
        lock_definitions(conn)
        # Read again: another process may have done the work while this one waited.
        found = as_found(conn, tables)
        return [_made_as_declared(conn, each, found.get(each)) for each in declared][-1]


def _made_as_declared(conn: psycopg.Connection, table: type[Table], before: _Definition | None) -> tuple[str, ...]:
    changes = _create(conn, table) if before is None else []
    found = as_found(conn, [table])[table] if before is None else before
    changes += _evolve(conn, table, as_declared(table), found)
    if before is None or any(kind == "column" for kind, _ in as_declared(table).keys() - before.keys()):
        # Nothing is known any more of what the table holds: it is new, or its rows lack a column.
        forget_notes(conn, table)
    is_opened = before is None or before.get(_GUARD) != as_declared(table).get(_GUARD)
    return (*changes, *(grant_reader(conn, [table.spec.game]) if is_opened else ()))


_GUARD = ("guard", "")

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


def rebuild_table(conn: psycopg.Connection, table: type[Table]) -> tuple[str, ...]:
    """Drop the table with its rows and make it anew, empty, in one transaction. Publish it again afterwards.

    Views on it that are derived (`DERIVED_VIEW`) go with it; the steps that made them make them again.
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
    """Names of columns, as statements list them."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


@functools.cache
def as_declared(table: type[Table]) -> _Definition:
    """A table as its declaration says it is to stand in PostgreSQL."""
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
    # The prefix tells our indexes from those an administrator made; the hash tells the columns.
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
    """Those tables of a game that stand in PostgreSQL, as they stand there."""
    by_name = {table.spec.name: table for table in tables}
    found: dict[type[Table], _Definition] = {}
    for name, kind, part, text in conn.execute(_CATALOGUE, [tables[0].spec.game, [*by_name]]):
        found.setdefault(by_name[name], {})[kind, part] = text
    return found


def _create(conn: psycopg.Connection, table: type[Table]) -> list[str]:
    """Make the table with its columns, key and months; the rest is what it is evolved by."""
    declared = as_declared(table)
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(text))  # pyright: ignore[reportArgumentType]
        for (kind, name), text in declared.items()
        if kind == "column"
    ]
    # While a partition is replaced every key stands twice, deleted and new; merging the two takes longer than it saves.
    key = sql.SQL("PRIMARY KEY ({}) WITH (deduplicate_items = off)").format(column_list(table.primary_key()))
    create = sql.SQL("CREATE TABLE {} ({})").format(identifier(table), sql.SQL(", ").join([*columns, key]))
    if table.spec.months_of is not None:
        create += sql.SQL(" PARTITION BY RANGE ({})").format(sql.Identifier(table.spec.months_of))
    conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table.spec.game)))
    conn.execute(create)
    return [f"table {table.spec.dotted} made"]


def _evolve(conn: psycopg.Connection, table: type[Table], declared: _Definition, found: _Definition) -> list[str]:
    """Turn `found` into `declared`, where that loses nothing; a line for each change."""
    differences = [
        (*part, declared.get(part), found.get(part))
        for part in {**declared, **found}
        if declared.get(part) != found.get(part)
    ]
    if lost := [difference for difference in differences if not _loses_nothing(*difference)]:
        raise IncompatibleTableError(
            f"{table.spec.dotted} in PostgreSQL is not as declared:\n- "
            + "\n- ".join(
                f"{name or kind}: declared {now or 'none'}, found {was or 'none'}" for kind, name, now, was in lost
            )
            + f"\nIts rows can all be published again; run: gamestats rebuild {table.spec.dotted}"
        )
    whole, changes = identifier(table), list[str]()

    def change(line: str, statement: sql.Composed) -> None:
        conn.execute(statement)
        changes.append(line)

    for kind, name, now, was in differences:
        of = sql.Identifier(name)
        match kind:
            case "column" if was is None:
                type_ = sql.SQL(now or "")  # pyright: ignore[reportArgumentType]
                change(
                    f"column {name} added, {now}", sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(whole, of, type_)
                )
            case "column":
                drop = sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL")
                change(f"column {name} may be null", drop.format(whole, of))
            case "description" if now is not None:
                on = sql.SQL("COLUMN {}.{}").format(whole, of) if name else sql.SQL("TABLE {}").format(whole)
                comment = sql.SQL("COMMENT ON {} IS {}").format(on, sql.Literal(now))
                change(f"column {name} described" if name else "table described", comment)
            case "guard":
                guard(conn, table.spec.game, table.spec.name, table.spec.guarded_by)
                changes.append(f"rows are guarded by {now}" if now else "rows are not guarded any more")
            case "index":
                if was is not None:
                    drop = sql.SQL("DROP INDEX {}").format(sql.Identifier(table.spec.game, name))
                    change(f"index on {was} dropped", drop)
                if now is not None:
                    create = sql.SQL("CREATE INDEX {} ON {} ({})").format(of, whole, column_list(now.split(", ")))
                    change(f"index on {now} made", create)
    return changes


def _loses_nothing(kind: str, name: str, now: str | None, was: str | None) -> bool:
    """Whether a part of a table can become as declared without its rows being published again."""
    if kind == "column":
        return was == f"{now} not null" or (was is None and now is not None and not now.endswith(" not null"))
    return kind in ("description", "index", "guard")


_Month = tuple[int, int]  # year and month


def months_of_rows(table: type[Table], frame: pl.DataFrame) -> list[_Month]:
    """The months (UTC) of the rows, of a table that PostgreSQL partitions by month."""
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
    """Make those of the monthly partitions that are not there yet; a line for each.

    In a transaction of its own: held through a publication, the lock on the table would keep
    every other publication waiting that needs a new month, too.
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
        # Read again: another process may have done the work while this one waited.
        made = missing()
        for year, month in made:
            new = sql.Identifier(table.spec.game, _month_name(table, (year, month)))
            bounds = [f"{y:04}-{m:02}-01 00:00:00+00" for y, m in ((year, month), (year + month // 12, month % 12 + 1))]
            # CREATE TABLE ... PARTITION OF would wait for every reader of the table, and they for it; ATTACH does not.
            conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING CONSTRAINTS)").format(new, whole))
            if table.spec.guarded_by:
                # By the table itself rows are read according to its policy, and a month alone by nobody.
                conn.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(new))
            conn.execute(
                sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                    whole, new, *map(sql.Literal, bounds)
                )
            )
    return [f"month {_month_name(table, month)} made" for month in made]
