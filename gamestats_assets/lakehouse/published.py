"""Published tables in PostgreSQL: made from their declaration, replaced in one transaction, counted.

What stands in PostgreSQL can always be published again from Delta, so a table whose
declaration changed beyond adding columns is rebuilt, never migrated. One publication is
one transaction that replaces exactly the partitions it is given and counts them again
before it commits: a reader sees the old rows or the new, and so does whoever looks after
the publisher was killed. What content a partition was published from is noted with it,
where the caller names it.

A table that grows with time (`TableSpec.months_of`) is partitioned by PostgreSQL into one
table per month, so that a question about some weeks reads no more than their months and
an index grows no further than one. Whoever reads or writes names the table itself.

Of a binary column PostgreSQL holds names of objects (`objects`), at `<game>/<table>/<partition>/<unit>/<hash>`. They
are put before the commit, so that what a reader is told is there; those that no row names go after it. A publisher that
was killed in between leaves objects that nobody names, and the next publication of the partition removes them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import dataframely as dy
import polars as pl
import psycopg
import tenacity
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.objects import Objects
from gamestats_assets.lakehouse.own_rows import guard
from gamestats_assets.lakehouse.postgres import (
    PostgresError,
    connect,
    explained,
    has_table,
    is_transient,
    kept,
    lock_definitions,
)
from gamestats_assets.lakehouse.published_objects import folder_of, with_names
from gamestats_assets.lakehouse.quality import check_schema
from gamestats_assets.lakehouse.roles import grant_reader
from gamestats_assets.lakehouse.table import JSON, PartitionValue, Table, partition_key_of

_ROWS_PER_COPY = 50_000
_ROWS_SORTED = 1_000_000  # at a time, so that sorting takes no second copy of a large frame
_LOCKS = 1_000  # for all partitions of a table, however many: PostgreSQL's lock table is finite
_FLOAT_TOLERANCE = 1e-9
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


class OvertakenError(PublicationError):
    """A partition holds other content than that in which some units were to be replaced; nothing was changed."""


class ReconciliationError(PublicationError):
    """What arrived in PostgreSQL is not what was sent; the transaction was rolled back."""


# --- definition of a table -----------------------------------------------------------------------


class _PublishedPartition(Table):
    table_name = dy.String(primary_key=True, description="Table of this schema.")
    partition_key = dy.String(primary_key=True, description="Partition; empty for a table without partitions.")
    content_hash = dy.String(min_length=1, description="Names the content that was published.")
    rows = dy.Int64(min=0, description="Rows published.")
    units = dy.String(
        nullable=True, metadata={**JSON}, description="By unit (a match) what names its rows; null where not known."
    )
    published_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Start of the publication, UTC.")


@functools.cache
def notes_of(game: str) -> type[Table]:
    """The table of what is published of a game, `<game>.published_partitions`."""

    # Partitions may be people.
    class PublishedPartitions(
        _PublishedPartition, key=f"{game}/published_partitions", layer="gold", guarded_by=("partition_key",)
    ):
        """What content the partitions of the published tables hold; one that is not here is of unknown content."""

    return PublishedPartitions


class _PublishedVersion(Table):
    table_name = dy.String(primary_key=True, description="Table of this schema.")
    version = dy.Int64(min=1, description="Another, higher one after each publication that changed rows.")
    published_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it was published last, UTC.")


@functools.cache
def versions_of(game: str) -> type[Table]:
    """The table of the versions of the published tables of a game, `<game>.published_versions`."""

    class PublishedVersions(_PublishedVersion, key=f"{game}/published_versions", layer="gold"):
        """Which version of each published table stands here: what was answered from it holds as long as it does."""

    return PublishedVersions


CHANNEL = "gamestats_published"
"""PostgreSQL tells on this channel of every publication, as it is committed: `<game>.<table> <version>`.

Of a table that is guarded by players a JSON list of those follows of whom rows were replaced, unless they are too many.
"""
FORGET = "forget"
"""On that channel: what is kept in memory of publications is to go, for somebody was forgotten."""
_MOST_TOLD_BYTES = 7_900


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
    declared = {each: _declared(each) for each in tables}
    with explained(table.spec.dotted), conn.transaction():
        if _found(conn, tables) == declared:
            return ()
        lock_definitions(conn)
        # Read again: another process may have done the work while this one waited.
        found = _found(conn, tables)
        return [_made_as_declared(conn, each, found.get(each)) for each in declared][-1]


def _made_as_declared(conn: psycopg.Connection, table: type[Table], before: _Definition | None) -> tuple[str, ...]:
    changes = _create(conn, table) if before is None else []
    found = _found(conn, [table])[table] if before is None else before
    changes += _evolve(conn, table, _declared(table), found)
    if before is None or any(kind == "column" for kind, _ in _declared(table).keys() - before.keys()):
        # Nothing is known any more of what the table holds: it is new, or its rows lack a column.
        _forget_notes(conn, table)
    is_opened = before is None or before.get(_GUARD) != _declared(table).get(_GUARD)
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
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_identifier(table)))
        changes = ensure_table(conn, table)
        _raise_version(conn, table)
        return changes


def _identifier(table: type[Table]) -> sql.Identifier:
    return sql.Identifier(table.spec.game, table.spec.name)


def _list(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


@functools.cache
def _declared(table: type[Table]) -> _Definition:
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


def _found(conn: psycopg.Connection, tables: Sequence[type[Table]]) -> dict[type[Table], _Definition]:
    """Those tables of a game that stand in PostgreSQL, as they stand there."""
    by_name = {table.spec.name: table for table in tables}
    found: dict[type[Table], _Definition] = {}
    for name, kind, part, text in conn.execute(_CATALOGUE, [tables[0].spec.game, [*by_name]]):
        found.setdefault(by_name[name], {})[kind, part] = text
    return found


def _create(conn: psycopg.Connection, table: type[Table]) -> list[str]:
    """Make the table with its columns, key and months; the rest is what it is evolved by."""
    declared = _declared(table)
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(text))  # pyright: ignore[reportArgumentType]
        for (kind, name), text in declared.items()
        if kind == "column"
    ]
    # While a partition is replaced every key stands twice, deleted and new; merging the two takes longer than it saves.
    key = sql.SQL("PRIMARY KEY ({}) WITH (deduplicate_items = off)").format(_list(table.primary_key()))
    create = sql.SQL("CREATE TABLE {} ({})").format(_identifier(table), sql.SQL(", ").join([*columns, key]))
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
    whole, changes = _identifier(table), list[str]()

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
                    create = sql.SQL("CREATE INDEX {} ON {} ({})").format(of, whole, _list(now.split(", ")))
                    change(f"index on {now} made", create)
    return changes


def _loses_nothing(kind: str, name: str, now: str | None, was: str | None) -> bool:
    """Whether a part of a table can become as declared without its rows being published again."""
    if kind == "column":
        return was == f"{now} not null" or (was is None and now is not None and not now.endswith(" not null"))
    return kind in ("description", "index", "guard")


# --- months of a table that grows with time ------------------------------------------------------

_Month = tuple[int, int]  # year and month


def _months(table: type[Table], frame: pl.DataFrame) -> list[_Month]:
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


def _ensure_months(conn: psycopg.Connection, table: type[Table], months: Sequence[_Month]) -> list[str]:
    """Make those of the monthly partitions that are not there yet; a line for each.

    In a transaction of its own: held through a publication, the lock on the table would keep
    every other publication waiting that needs a new month, too.
    """
    whole = _identifier(table)
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


# --- publication ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication that was committed.

    Attributes:
        rows_deleted: rows the replaced partitions held before.
        rows_inserted: rows they hold now.
        attempts: 1, and one more for every connection lost on the way.
        changes: what had to be changed in the table's own definition, see `ensure_table`.
    """

    rows_deleted: int
    rows_inserted: int
    attempts: int
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """What of a partition is replaced, where that is not all.

    Attributes:
        ids: of the units; the others stay as they are.
        content_hash: names the content that the partition was published with last, as `units_published` tells it.
    """

    ids: Sequence[str]
    content_hash: str


_Figures = dict[str, Any]
"""What a partition holds: rows, and of each reconciled column nulls, sum and sum of sizes."""


def publish(
    url: SecretStr | str,
    table: type[Table],
    partitions: Sequence[PartitionValue] | None,
    frame: pl.DataFrame,
    *,
    objects: Objects | None = None,
    content_hash: Mapping[PartitionValue | None, str] | None = None,
    units: Mapping[PartitionValue | None, Mapping[str, str]] | None = None,
    within: Within | None = None,
    before_commit: Callable[[psycopg.Cursor], None] | None = None,
    patience: float = 60.0,
) -> Publication:
    """Replace exactly the given partitions by the rows of the frame, in one transaction.

    Or some units of one partition: what is published of a day with many matches and a new one is the new one.

    The table is made or brought up to date first, and the months that the rows need (they
    stay, empty, should the publication fail). Publications of the same partition wait
    for each other, those of different partitions hardly ever. A lost connection, a restarting
    server or a deadlock is tried again from the start; what is committed is exact whichever
    attempt did it.

    Args:
        partitions: values of the partition column that the frame replaces; those without a
            row in it become empty. None for an unpartitioned table, which is replaced whole.
        frame: rows with the declared columns and types, in any order.
        objects: where the values of binary columns are kept; needed by a table that has any.
        content_hash: a short text for partitions (None for an unpartitioned table) that names their content. It
            is noted in the same transaction, for `everything_published`; of the others nothing stays noted.
        units: of partitions whose content is named, what names that of each of their units, for `units_published`.
        within: which units of the only partition the frame replaces; all without it.
        before_commit: called in the transaction when all is checked, once per attempt.
        patience: seconds for which a lost connection is tried again.

    Raises:
        SchemaMismatchError: when the frame is not the table's.
        PublicationError: when it has rows of other partitions or times past the years of which months are made
            (nothing is sent then), or when PostgreSQL refuses a row.
        OvertakenError: when the partition is not as `within` says; it can be published whole.
        ReconciliationError: when the partition's figures in PostgreSQL are not the frame's.
        IncompatibleTableError: when the table must be rebuilt first.
        PostgresUnavailableError: when the server stays away longer than `patience`.
    """
    hashes, ids = content_hash or {}, within.ids if within else None
    _refuse_unfit(table, partitions, frame, objects, ids)
    if partitions is not None and not partitions:
        return Publication(0, 0, 0, ())
    figures, months = _figures(table, partitions, frame), _months(table, frame)
    named = f"{table.spec.dotted}{_named(partitions)}"

    def attempt() -> tuple[int, list[str]]:
        with connect(url) as conn:
            changes = [*ensure_table(conn, table)]
            changes += _ensure_months(conn, table, months)
            with conn.transaction(), conn.cursor() as cursor:
                _lock(cursor, table, partitions)
                if within is not None and partitions is not None:
                    _refuse_overtaken(conn, table, partitions[0], within)
                deleted, players = _delete(cursor, table, partitions, ids)
                _copy(cursor, table, with_names(table, partitions, frame, objects))
                if differences := _differences(cursor, table, partitions, figures, ids):
                    raise ReconciliationError(
                        f"{named} does not hold what was sent:\n- "
                        + "\n- ".join(differences[:20])
                        + (f"\n- and {len(differences) - 20} more" if len(differences) > 20 else "")
                        + "\nAll was rolled back. Look for triggers or rules on the table in PostgreSQL."
                    )
                rows = {value: part["rows"] for value, part in figures.items()}
                rows |= _counts(conn, table, partitions) if within else {}
                _note(conn, table, rows, hashes, units or {})
                if before_commit is not None:
                    before_commit(cursor)
                # Last, for publications of other partitions of the table wait for it.
                _raise_version(conn, table, None if players is None else players | _players(table, frame))
            return deleted, changes

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5.0),
        stop=tenacity.stop_after_delay(patience),
        reraise=True,
    )
    with explained(named, PublicationError):
        deleted, changes = attempts(attempt)
        if objects is not None:
            sweep(url, table, partitions, objects)
    return Publication(deleted, frame.height, int(attempts.statistics["attempt_number"]), tuple(changes))


def _refuse_unfit(
    table: type[Table],
    partitions: Sequence[PartitionValue] | None,
    frame: pl.DataFrame,
    objects: Objects | None,
    ids: Sequence[str] | None,
) -> None:
    """Raise when the frame is not the table's, or not all of it of the partitions."""
    column = table.spec.partitioned_by
    if (column is None) != (partitions is None):
        expected = "no partitions" if column is None else f"the values of {column} that it replaces"
        given = "none" if partitions is None else f"{len(partitions)}"
        raise PublicationError(f"Publishing {table.spec.dotted} takes {expected}; {given} given.")
    if table.objects() and objects is None:
        raise PublicationError(
            f"Publishing {table.spec.dotted} takes the objects for its {', '.join(table.objects())}; none given."
        )
    check_schema(table, frame.schema)
    if ids is not None:
        unit = table.spec.replaced_by
        if unit is None or partitions is None or len(partitions) != 1:
            raise PublicationError(f"Publishing units of {table.spec.dotted} takes one partition, and units.")
        if others := sorted({*frame.get_column(unit).unique()} - {*ids}):
            raise PublicationError(
                f"The rows for {table.spec.dotted} are of {', '.join(others[:5])} too, which are not to be replaced. "
                "Nothing was sent."
            )
    if partitions is None or column is None:
        return
    foreign = frame.get_column(column).filter(~frame.get_column(column).is_in([*partitions]).fill_null(False))
    if len(foreign):
        examples = ", ".join(map(str, foreign.unique(maintain_order=True).head(5)))
        raise PublicationError(
            f"{len(foreign)} rows for {table.spec.dotted} are of other partitions than the"
            f"{_named(partitions)} being replaced: {column} is {examples}. Nothing was sent."
        )


def _named(partitions: Sequence[PartitionValue] | None) -> str:
    if partitions is None:
        return ""
    keys = sorted({*map(partition_key_of, partitions)})
    return f" [{', '.join(keys)}]" if len(keys) <= 5 else f" [{keys[0]} ... {keys[-1]}, {len(keys)} partitions]"


def _values(table: type[Table], keys: Sequence[str] | None) -> list[PartitionValue] | None:
    return None if keys is None or table.spec.partitioned_by is None else [*map(table.partition_value, keys)]


def _key(value: PartitionValue | None) -> str:
    return "" if value is None else partition_key_of(value)


def _lock(cursor: psycopg.Cursor, table: type[Table], partitions: Sequence[PartitionValue] | None) -> None:
    """Wait for publications of the same partitions, in an order that is the same for all."""
    locks = sorted({zlib.crc32(_key(value).encode()) % _LOCKS for value in partitions or [None]})
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtext(%s), number) FROM unnest(%s::int[]) AS number",
        [f"gamestats publication {table.spec.key}", locks],
    )


def _where(
    table: type[Table], partitions: Sequence[PartitionValue] | None, ids: Sequence[str] | None = None
) -> tuple[sql.Composable, list[Any]]:
    """The condition of partitions' rows, or of some units' in them, and what is bound to it."""
    columns = ((table.spec.partitioned_by, partitions), (table.spec.replaced_by, ids))
    only = [(column, values) for column, values in columns if column is not None and values is not None]
    if not only:
        return sql.SQL(""), []
    conditions = [sql.SQL("{} = ANY(%s)").format(sql.Identifier(column)) for column, _ in only]
    return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions), [list(values) for _, values in only]


def _refuse_overtaken(conn: psycopg.Connection, table: type[Table], partition: PartitionValue, within: Within) -> None:
    query = sql.SQL("SELECT content_hash FROM {} WHERE table_name = %s AND partition_key = %s").format(
        _identifier(notes_of(table.spec.game))
    )
    found = conn.execute(query, [table.spec.name, _key(partition)]).fetchone()
    if found != (within.content_hash,):
        raise OvertakenError(
            f"{table.spec.dotted}{_named([partition])} was published meanwhile, or is of unknown content; "
            "publish it whole."
        )


_PLAYER = "player_id"


def _delete(
    cursor: psycopg.Cursor,
    table: type[Table],
    partitions: Sequence[PartitionValue] | None,
    ids: Sequence[str] | None = None,
) -> tuple[int, set[str] | None]:
    """Delete the partitions' rows; how many there were, and of which players, if the table is guarded by these."""
    where, bound = _where(table, partitions, ids)
    delete = sql.SQL("DELETE FROM {}{}").format(_identifier(table), where)
    if _PLAYER not in table.spec.guarded_by:
        return cursor.execute(delete, bound).rowcount, None
    if table.spec.partitioned_by == _PLAYER:
        return cursor.execute(delete, bound).rowcount, {*map(_key, partitions or ())}
    told = sql.SQL("WITH gone AS ({} RETURNING {}) SELECT count(*), array_agg(DISTINCT {}) FROM gone").format(
        delete, sql.Identifier(_PLAYER), sql.Identifier(_PLAYER)
    )
    [(deleted, players)] = cursor.execute(told, bound).fetchall()
    return deleted, {*players} if players else set()


def _players(table: type[Table], frame: pl.DataFrame) -> set[str]:
    return {*frame.get_column(_PLAYER).unique()}


def _copy(cursor: psycopg.Cursor, table: type[Table], frame: pl.DataFrame) -> None:
    """COPY the rows into the table itself: nobody sees them before the commit.

    They go in the order of the key, where the next index entry stands beside the last: half the cost of a COPY.
    """
    fields = [_as_field(name, dtype) for name, dtype in table.schema().items()]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(_identifier(table), _list(table.columns()))
    with cursor.copy(statement) as copy:
        for part in frame.iter_slices(_ROWS_SORTED):
            for chunk in part.sort(table.primary_key()).iter_slices(_ROWS_PER_COPY):
                buffer = io.BytesIO()
                # Every text is quoted: an unquoted empty field is null, a quoted one the empty text.
                chunk.select(fields).write_csv(buffer, include_header=False, quote_style="non_numeric")
                copy.write(buffer.getbuffer())


def _as_field(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as PostgreSQL and CSV can hold it: no NUL in texts, lists as array literals."""

    def text(value: pl.Expr) -> pl.Expr:
        # PostgreSQL refuses the character; the lake keeps it.
        return value.str.replace_all("\0", "\N{REPLACEMENT CHARACTER}", literal=True)

    column = pl.col(name)
    if isinstance(dtype, pl.String):
        return text(column)
    if isinstance(dtype, pl.Binary):
        # A name already.
        return column
    if not isinstance(dtype, pl.List):
        return column
    escaped = text(pl.element().cast(pl.String)).str.replace_all("\\", "\\\\", literal=True)
    quoted = pl.lit('"') + escaped.str.replace_all('"', '\\"', literal=True) + pl.lit('"')
    return (pl.lit("{") + column.list.eval(quoted.fill_null("NULL")).list.join(",") + pl.lit("}")).alias(name)


# --- objects -------------------------------------------------------------------------------------


def sweep(
    url: SecretStr | str, table: type[Table], partitions: Sequence[PartitionValue] | None, objects: Objects
) -> int:
    """Remove the objects of partitions that no published row names; how many there were."""
    if not table.objects():
        return 0
    where, bound = _where(table, partitions)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.objects()))
    query = sql.SQL("SELECT {} FROM {}{}").format(columns, _identifier(table), where)
    with connect(url) as conn, conn.transaction(), conn.cursor() as cursor:
        # Whoever puts objects of a partition and has not committed yet holds it.
        _lock(cursor, table, partitions)
        is_there = has_table(conn, table.spec.game, table.spec.name)
        named = {name for row in cursor.execute(query, bound) for name in row} if is_there else set[str]()
        return sum(len(objects.keep_only(folder_of(table, value), named)) for value in partitions or [None])


# --- reconciliation ------------------------------------------------------------------------------


def _figures(
    table: type[Table], partitions: Sequence[PartitionValue] | None, frame: pl.DataFrame
) -> dict[PartitionValue | None, _Figures]:
    """What each of the partitions must hold of the frame."""
    aggregates = [pl.len().alias("rows")]
    for name in table.spec.reconciled:
        value = pl.col(name).cast(_summed(table, name))
        aggregates += [
            pl.col(name).null_count().alias(f"nulls of {name}"),
            value.sum().alias(f"sum of {name}"),
            value.abs().sum().alias(f"size of sum of {name}"),
        ]
    key = pl.col(table.spec.partitioned_by) if table.spec.partitioned_by else pl.lit(None)
    found = {row.pop("of"): row for row in frame.group_by(key.alias("of")).agg(aggregates).iter_rows(named=True)}
    none = {each.meta.output_name(): 0 for each in aggregates}
    return {value: found.get(value, none) for value in partitions or [None]}


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


def _differences(
    cursor: psycopg.Cursor,
    table: type[Table],
    partitions: Sequence[PartitionValue] | None,
    figures: Mapping[PartitionValue | None, _Figures],
    ids: Sequence[str] | None,
) -> list[str]:
    """Count the partitions again in PostgreSQL: where they are not as they were sent, a line each."""
    key = sql.SQL("NULL") if partitions is None else sql.Identifier(table.spec.partitioned_by or "")
    selected: list[sql.Composable] = [key, sql.SQL("count(*)")]
    for name in table.spec.reconciled:
        column = sql.Identifier(name)
        # PostgreSQL sums `real` in single precision unless told otherwise.
        value = sql.SQL("{}::double precision" if table.schema()[name] == pl.Float32 else "{}").format(column)
        selected += [sql.SQL("count(*) - count({})").format(column), sql.SQL("coalesce(sum({}), 0)").format(value)]
    where, bound = _where(table, partitions, ids)
    query = sql.SQL("SELECT {} FROM {}{} GROUP BY 1").format(sql.SQL(", ").join(selected), _identifier(table), where)
    arrived = {value: rest for value, *rest in cursor.execute(query, bound)}
    differences: list[str] = []
    for partition, sent in figures.items():
        compared = [name for name in sent if not name.startswith("size of ")]
        for name, got in zip(compared, arrived.get(partition, [0] * len(compared)), strict=True):
            if not _agree(sent[name], got, sent.get(f"size of {name}", 0)):
                where_ = "" if partition is None else f"{partition_key_of(partition)}: "
                differences.append(f"{where_}{name} {sent[name]} sent, {got} in the table")
    return differences


def _agree(sent: int | float | Decimal, got: int | float | Decimal, size: int | float | Decimal) -> bool:
    """Whether two figures agree: exactly, and sums of floats to 1e-9 of the sum of the sizes summed."""
    if not isinstance(sent, float):
        return sent == got
    is_close = math.isclose(sent, got, rel_tol=0, abs_tol=_FLOAT_TOLERANCE * float(size))
    return is_close or (math.isnan(sent) and math.isnan(got))


# --- what is published ---------------------------------------------------------------------------


def _note(
    conn: psycopg.Connection,
    table: type[Table],
    rows: Mapping[PartitionValue | None, int],
    hashes: Mapping[PartitionValue | None, str],
    units: Mapping[PartitionValue | None, Mapping[str, str]],
) -> None:
    """Note what content the partitions hold from now on; of a partition whose content has no name, nothing."""
    _forget_notes(conn, table, [_key(value) for value in rows])
    note = sql.SQL(
        "INSERT INTO {} (table_name, partition_key, content_hash, rows, units, published_at)"
        " SELECT %s, key, digest, rows, units, now()"
        " FROM unnest(%s::text[], %s::text[], %s::int8[], %s::jsonb[]) AS n (key, digest, rows, units)"
    ).format(_identifier(notes_of(table.spec.game)))
    if hashes:
        told = [json.dumps(units[value]) if value in units else None for value in hashes]
        noted = [[*map(_key, hashes)], [*hashes.values()], [rows[value] for value in hashes], told]
        conn.execute(note, [table.spec.name, *noted])


def _forget_notes(conn: psycopg.Connection, table: type[Table], keys: Sequence[str] | None = None) -> None:
    """Forget what is noted of partitions of a table, or of all."""
    forget = "DELETE FROM {} WHERE table_name = %s AND (%s::text[] IS NULL OR partition_key = ANY(%s::text[]))"
    conn.execute(sql.SQL(forget).format(_identifier(notes_of(table.spec.game))), [table.spec.name, keys, keys])


def _raise_version(conn: psycopg.Connection, table: type[Table], players: Iterable[str | None] | None = None) -> None:
    """Give a table another version, and have that told when the transaction is committed.

    Microseconds since 1970, or one more than before where the clock is behind: so that no version comes twice, not even
    in a database that was made anew.

    Args:
        players: of whom alone rows were replaced.
    """
    raised = sql.SQL(
        "INSERT INTO {} AS v (table_name, version, published_at)"
        " VALUES (%s, extract(epoch FROM clock_timestamp()) * 1000000, now()) ON CONFLICT (table_name) DO UPDATE"
        " SET version = greatest(v.version + 1, excluded.version), published_at = excluded.published_at"
        " RETURNING pg_notify(%s, concat_ws(' ', %s::text, version, %s::text))"
    ).format(_identifier(versions_of(table.spec.game)))
    told = None if players is None else json.dumps(sorted(filter(None, players)), separators=(",", ":"))
    if told is not None and len(told) > _MOST_TOLD_BYTES:
        told = None
    conn.execute(raised, [table.spec.name, CHANNEL, table.spec.dotted, told])


def forget_answers(url: SecretStr | str) -> None:
    """Have what serves forget the answers that it keeps in memory."""
    with connect(url) as conn, explained("telling of what was forgotten"):
        conn.execute("SELECT pg_notify(%s, %s)", [CHANNEL, FORGET])


def forget_partition(url: SecretStr | str, table: type[Table], partition: PartitionValue) -> int:
    """Delete a partition's rows, and the note of what was published of it; how many rows there were."""
    with connect(url) as conn, explained(table.spec.dotted), conn.transaction():
        if not has_table(conn, table.spec.game, table.spec.name):
            return 0
        _forget_notes(conn, table, [_key(partition)])
        deleted, players = _delete(conn.cursor(), table, [partition])
        _raise_version(conn, table, players)
        return deleted


def counts(conn: psycopg.Connection, table: type[Table]) -> dict[PartitionValue | None, int]:
    """Published rows by partition; under None for an unpartitioned table; empty before the first publication."""
    with explained(table.spec.dotted):
        return _counts(conn, table) if has_table(conn, table.spec.game, table.spec.name) else {}


def _counts(
    conn: psycopg.Connection, table: type[Table], partitions: Sequence[PartitionValue] | None = None
) -> dict[PartitionValue | None, int]:
    column = table.spec.partitioned_by
    key = sql.SQL("NULL") if column is None else sql.Identifier(column)
    where, bound = _where(table, partitions)
    query = sql.SQL("SELECT {}, count(*) FROM {}{} GROUP BY 1 ORDER BY 1").format(key, _identifier(table), where)
    return {row[0]: row[1] for row in conn.execute(query, bound)}


def units_published(
    url: SecretStr | str, table: type[Table], keys: Sequence[str]
) -> dict[str, tuple[str, dict[str, str]]]:
    """Of partitions of a table, by key, what names their content, and that of each of their units.

    A partition is missing where that is not known.
    """
    notes = notes_of(table.spec.game)
    conn = kept(url)
    with explained(f"what is published of {table.spec.dotted}"):
        if _found(conn, [notes]).get(notes) != _declared(notes):
            return {}
        query = sql.SQL(
            "SELECT partition_key, content_hash, units FROM {}"
            " WHERE table_name = %s AND partition_key = ANY(%s) AND units IS NOT NULL"
        ).format(_identifier(notes))
        return {key: (digest, units) for key, digest, units in conn.execute(query, [table.spec.name, [*keys]])}


def everything_published(
    url: SecretStr | str, tables: Sequence[type[Table]], *, counted: bool = False, keys: Sequence[str] | None = None
) -> dict[type[Table], dict[str, str]]:
    """Names of the content published, by partition key, of those tables of a game that stand in PostgreSQL.

    The key is "" for a table without partitions. A partition is missing when it was not published, or last without a
    name of its content. So is one of a table that does not stand as declared: publishing it brings the table up to
    date, or says that it must be rebuilt. Rows that people changed by hand are not noticed.

    Args:
        counted: count rows, too; a partition that holds other than were published is missing. Costs a scan.
        keys: of the partitions that are asked for; all without them.

    Raises:
        UnpublishableTableError: see `postgres_types`.
    """
    if not tables:
        return {}
    notes = notes_of(tables[0].spec.game)
    conn = kept(url)
    with explained(f"what is published of {tables[0].spec.game}"):
        found = _found(conn, [notes, *tables])
        if notes not in found:
            return {}
        query = sql.SQL(
            "SELECT table_name, partition_key, content_hash, rows FROM {}"
            " WHERE %s::text[] IS NULL OR partition_key = ANY(%s::text[]) ORDER BY 2"
        )
        wanted = None if keys is None else [*keys]
        published: dict[type[Table], dict[str, str]] = {table: {} for table in tables if table in found}
        held = {
            table: {_key(of): rows for of, rows in _counts(conn, table, _values(table, wanted)).items()}
            for table in published
            if counted
        }
        named = {table.spec.name: table for table in published}
        for name, key, digest, rows in conn.execute(query.format(_identifier(notes)), [wanted, wanted]):
            if (table := named.get(name)) and (not counted or held[table].get(key, 0) == rows):
                published[table][key] = digest
        for table, contents in published.items():
            if contents and found[table] != _declared(table):
                contents.popitem()
        return published
