"""Publication to PostgreSQL: replaces rows of a table in one transaction, and reconciles them.

A publication is one transaction that replaces exactly the given partitions, or some units of one, and counts them again
before it commits: readers see the old rows or the new ones, even after the publisher was killed. If the caller gives
the fingerprint of a partition's content, it is recorded with the partition. A table with a changed declaration is
likewise replaced in one transaction by a complete copy that was built beside it (`rebuild`).

For a binary column, PostgreSQL stores names of objects (`objects`), at `<game>/<table>/<partition>/<unit>/<hash>`. They
are stored before the commit, so that readers find every object that a row names; objects that no row names are removed
after it. If a publisher is killed in between, the next publication of the partition removes its leftovers.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

import polars as pl
import psycopg
import tenacity
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.postgres.server import connect, explained, has_table, is_transient, shared_connection
from gamestats_assets.lakehouse.published.notes import forget_notes, identifier, key_of, note, notes_of, raise_version
from gamestats_assets.lakehouse.published.objects import folder_of, with_names
from gamestats_assets.lakehouse.published.tables import (
    PublicationError,
    UnpublishableTableError,
    column_list,
    create_month,
    create_table,
    definition,
    definitions,
    ensure_months,
    ensure_table,
    months_of_rows,
    record_definition,
    replace_table,
)
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of

_ROWS_PER_COPY = 50_000
_ROWS_SORTED = 1_000_000  # at a time, so that sorting takes no second copy of a large frame
_LOCKS = 1_000  # for all partitions of a table, however many: PostgreSQL's lock table is finite
_FLOAT_TOLERANCE = 1e-9
_T = TypeVar("_T")


class OvertakenError(PublicationError):
    """A partition no longer has the content in which some units were to be replaced; nothing was changed."""


class ReconciliationError(PublicationError):
    """PostgreSQL does not contain what was sent; the transaction was rolled back."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A committed publication.

    Attributes:
        rows_deleted: number of rows in the replaced partitions before.
        rows_inserted: number of rows in them now.
        attempts: 1, plus one for every lost connection.
    """

    rows_deleted: int
    rows_inserted: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Within:
    """The part of a partition that is replaced, if not all of it.

    Attributes:
        ids: the units to replace; the others stay as they are.
        content_hash: fingerprint of the partition's published content, from `units_published`.
    """

    ids: Sequence[str]
    content_hash: str


_Figures = dict[str, Any]
"""Figures of a partition: rows, and for each reconciled column its nulls, sum, and sum of absolute values."""


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
    """Replaces exactly the given partitions, or some units of one, by the rows of the frame, in one transaction.

    With units, a new match on a day with many matches is published alone.

    A missing table is created first, with the months that the rows need; these stay, empty, if the publication fails.
    Publications of the same partition wait for each other, those of different partitions hardly ever. After a lost
    connection, a server restart or a deadlock, it starts again; the committed result is the same in every attempt.

    Args:
        url: PostgreSQL.
        table: the table.
        partitions: values of the partition column to replace; those without a row become empty. None for an
            unpartitioned table, which is replaced whole.
        frame: rows with the declared columns and types, in any order.
        objects: storage for the values of binary columns, if the table has any.
        content_hash: fingerprint of each partition's content (None for an unpartitioned table), which is recorded in
            the same transaction for `everything_published`. Other partitions lose their record.
        units: fingerprints of units, for partitions with a fingerprint; for `units_published`.
        within: the units of the only partition to replace; all by default.
        before_commit: called in the transaction after all checks, once per attempt.
        patience: seconds for which lost connections are retried.

    Raises:
        PublicationError: if rows are of other partitions or have times outside the supported years (nothing is sent
            then), or if PostgreSQL refuses a row.
        OvertakenError: if the partition is not as `within` says; it can be published whole.
        ReconciliationError: if the partition's figures in PostgreSQL differ from the frame's.
        OutdatedTableError: if the table must be rebuilt first.
        PostgresUnavailableError: if the server stays unavailable longer than `patience`.
    """
    hashes, ids = content_hash or {}, within.ids if within else None
    _refuse_outsiders(table, partitions, frame, ids)
    if partitions is not None and not partitions:
        return Publication(0, 0, 0)
    figures, months = _figures(table, partitions, frame), months_of_rows(table, frame)

    def attempt() -> int:
        with connect(url) as conn:
            ensure_table(conn, table)
            ensure_months(conn, table, months)
            with conn.transaction(), conn.cursor() as cursor:
                _lock(cursor, table, partitions)
                if within is not None and partitions is not None:
                    _refuse_if_overtaken(conn, table, partitions[0], within)
                deleted, players = _delete(cursor, table, partitions, ids)
                _copy(cursor, table, with_names(table, partitions, frame, objects))
                _reconcile(cursor, table, partitions, figures, ids)
                rows = {value: part["rows"] for value, part in figures.items()}
                rows |= _counts(conn, table, partitions) if within else {}
                note(conn, table, rows, hashes, units or {})
                if before_commit is not None:
                    before_commit(cursor)
                # Comes last, because publications of the table's other partitions wait for it.
                raise_version(conn, table, None if players is None else players | _players(table, frame))
            return deleted

    deleted, attempts = _persistently(f"{table.spec.dotted}{_partition_text(partitions)}", attempt, patience)
    if objects is not None:
        sweep(url, table, partitions, objects)
    return Publication(deleted, frame.height, attempts)


@dataclass(frozen=True, slots=True)
class Part:
    """Some partitions of a table with all their rows; attributes as the arguments of `publish`."""

    partitions: Sequence[PartitionValue] | None
    frame: pl.DataFrame
    content_hash: Mapping[PartitionValue | None, str]
    units: Mapping[PartitionValue | None, Mapping[str, str]]


def rebuild(
    url: SecretStr | str,
    table: type[Table],
    parts: Callable[[], Iterable[Part]],
    *,
    objects: Objects | None = None,
    before_commit: Callable[[psycopg.Cursor], None] | None = None,
    patience: float = 60.0,
) -> int:
    """Makes a table with all its rows beside the old one, and replaces that, in one transaction.

    Readers see the old table until the commit. If several processes rebuild a table at once, one works, and the others
    wait for it.

    Args:
        url: PostgreSQL.
        table: the table.
        parts: returns all partitions of the table, in parts that fit into memory; called once per attempt.
        objects: as in `publish`.
        before_commit: as in `publish`.
        patience: as in `publish`.

    Returns:
        The number of rows; 0 if another process has rebuilt the table in the meantime.

    Raises:
        PublicationError: as in `publish`, and if something that is not ours depends on the table, such as a view.
        ReconciliationError: as in `publish`.
        PostgresUnavailableError: as in `publish`.
    """

    def attempt() -> int:
        with connect(url) as conn, conn.transaction(), conn.cursor() as cursor:
            _lock_numbers(cursor, f"rebuild {table.spec.key}", [0])
            if definitions(conn, table.spec.game).get(table.spec.name) == definition(table):
                return 0
            beside = _beside(table, f"gamestats_{conn.info.backend_pid}")
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(beside.spec.game)))
            create_table(conn, beside)
            made: list[tuple[dict[PartitionValue | None, int], Part]] = []
            months: set[tuple[int, int]] = set()
            for part in parts():
                for month in {*months_of_rows(table, part.frame)} - months:
                    create_month(conn, beside, month)
                    months.add(month)
                figures = _figures(table, part.partitions, part.frame)
                _copy(cursor, beside, with_names(table, part.partitions, part.frame, objects))
                _reconcile(cursor, beside, part.partitions, figures, None)
                made.append(({value: each["rows"] for value, each in figures.items()}, replace(part, frame=_NO_FRAME)))
            replace_table(conn, table, beside)
            forget_notes(conn, table)
            for rows, part in made:
                note(conn, table, rows, part.content_hash, part.units)
            if before_commit is not None:
                before_commit(cursor)
            record_definition(conn, table)
            return sum(sum(rows.values()) for rows, _ in made)

    return _persistently(f"rebuilding {table.spec.dotted}", attempt, patience)[0]


_NO_FRAME = pl.DataFrame()


def _beside(table: type[Table], schema: str) -> type[Table]:
    """The same table in another schema."""

    class Beside(table):
        __doc__ = table.__doc__

    Beside.spec = replace(table.spec, key=f"{schema}/{table.spec.name}")
    return Beside


def _persistently(subject: str, attempt: Callable[[], _T], patience: float) -> tuple[_T, int]:
    """The result of an attempt, which is repeated on a new connection if that may help, and the number of attempts."""
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5.0),
        stop=tenacity.stop_after_delay(patience),
        reraise=True,
    )
    with explained(subject, PublicationError):
        result = attempts(attempt)
    return result, int(attempts.statistics["attempt_number"])


def _refuse_outsiders(
    table: type[Table], partitions: Sequence[PartitionValue] | None, frame: pl.DataFrame, ids: Sequence[str] | None
) -> None:
    """Raises if the frame has rows of partitions or units that are not to be replaced."""
    for column, owned in ((table.spec.partitioned_by, partitions), (table.spec.replaced_by, ids)):
        if column is None or owned is None:
            continue
        if outsiders := {*frame.get_column(column).unique()} - {*owned}:
            raise PublicationError(
                f"The rows for {table.spec.dotted} have {column} {', '.join(sorted(map(str, outsiders))[:5])}, "
                "which is not to be replaced. Nothing was sent."
            )


def _partition_text(partitions: Sequence[PartitionValue] | None) -> str:
    if partitions is None:
        return ""
    keys = sorted({*map(partition_key_of, partitions)})
    return f" [{', '.join(keys)}]" if len(keys) <= 5 else f" [{keys[0]} ... {keys[-1]}, {len(keys)} partitions]"


def _values(table: type[Table], keys: Sequence[str] | None) -> list[PartitionValue] | None:
    return None if keys is None or table.spec.partitioned_by is None else [*map(table.partition_value, keys)]


def _lock(cursor: psycopg.Cursor, table: type[Table], partitions: Sequence[PartitionValue] | None) -> None:
    """Waits for publications of the same partitions, in an order that is the same for all."""
    locks = {zlib.crc32(key_of(value).encode()) % _LOCKS for value in partitions or [None]}
    _lock_numbers(cursor, f"publication {table.spec.key}", sorted(locks))


def _lock_numbers(cursor: psycopg.Cursor, name: str, numbers: Sequence[int]) -> None:
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtext(%s), number) FROM unnest(%s::int[]) AS number",
        [f"gamestats {name}", numbers],
    )


def _where(
    table: type[Table], partitions: Sequence[PartitionValue] | None, ids: Sequence[str] | None = None
) -> tuple[sql.Composable, list[Any]]:
    """The condition for rows of partitions, or of some units in them, and its parameters."""
    columns = ((table.spec.partitioned_by, partitions), (table.spec.replaced_by, ids))
    only = [(column, values) for column, values in columns if column is not None and values is not None]
    if not only:
        return sql.SQL(""), []
    conditions = [sql.SQL("{} = ANY(%s)").format(sql.Identifier(column)) for column, _ in only]
    return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions), [list(values) for _, values in only]


def _refuse_if_overtaken(
    conn: psycopg.Connection, table: type[Table], partition: PartitionValue, within: Within
) -> None:
    query = sql.SQL("SELECT content_hash FROM {} WHERE table_name = %s AND partition_key = %s").format(
        identifier(notes_of(table.spec.game))
    )
    found = conn.execute(query, [table.spec.name, key_of(partition)]).fetchone()
    if found != (within.content_hash,):
        raise OvertakenError(
            f"{table.spec.dotted}{_partition_text([partition])} was published meanwhile, or is of unknown content; "
            "publish it whole."
        )


_PLAYER = "player_id"


def _delete(
    cursor: psycopg.Cursor,
    table: type[Table],
    partitions: Sequence[PartitionValue] | None,
    ids: Sequence[str] | None = None,
) -> tuple[int, set[str] | None]:
    """Deletes the partitions' rows; returns their number, and their players if the table is guarded by players."""
    where, bound = _where(table, partitions, ids)
    delete = sql.SQL("DELETE FROM {}{}").format(identifier(table), where)
    if _PLAYER not in table.spec.guarded_by:
        return cursor.execute(delete, bound).rowcount, None
    if table.spec.partitioned_by == _PLAYER:
        return cursor.execute(delete, bound).rowcount, {*map(key_of, partitions or ())}
    statement = sql.SQL("WITH gone AS ({} RETURNING {}) SELECT count(*), array_agg(DISTINCT {}) FROM gone").format(
        delete, sql.Identifier(_PLAYER), sql.Identifier(_PLAYER)
    )
    [(deleted, players)] = cursor.execute(statement, bound).fetchall()
    return deleted, {*players} if players else set()


def _players(table: type[Table], frame: pl.DataFrame) -> set[str]:
    return {*frame.get_column(_PLAYER).unique()}


def _copy(cursor: psycopg.Cursor, table: type[Table], frame: pl.DataFrame) -> None:
    """Copies the rows into the table itself; they are invisible before the commit.

    They are sorted by key, so that index entries are added side by side, which halves the cost of the COPY.
    """
    fields = [_as_field(name, dtype) for name, dtype in table.schema().items()]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(identifier(table), column_list(table.columns()))
    with cursor.copy(statement) as copy:
        for part in frame.iter_slices(_ROWS_SORTED):
            for chunk in part.sort(table.primary_key()).iter_slices(_ROWS_PER_COPY):
                buffer = io.BytesIO()
                # Quotes every text: an unquoted empty field is null, a quoted one the empty text.
                chunk.select(fields).write_csv(buffer, include_header=False, quote_style="non_numeric")
                copy.write(buffer.getbuffer())


def _as_field(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column in a form for PostgreSQL and CSV: no NUL in texts, lists as array literals."""

    def text(value: pl.Expr) -> pl.Expr:
        # PostgreSQL refuses the character; the lake keeps it.
        return value.str.replace_all("\0", "\N{REPLACEMENT CHARACTER}", literal=True)

    column = pl.col(name)
    if isinstance(dtype, pl.String):
        return text(column)
    if isinstance(dtype, pl.Binary):
        # Contains object names already.
        return column
    if not isinstance(dtype, pl.List):
        return column
    escaped = text(pl.element().cast(pl.String)).str.replace_all("\\", "\\\\", literal=True)
    quoted = pl.lit('"') + escaped.str.replace_all('"', '\\"', literal=True) + pl.lit('"')
    return (pl.lit("{") + column.list.eval(quoted.fill_null("NULL")).list.join(",") + pl.lit("}")).alias(name)


def sweep(
    url: SecretStr | str, table: type[Table], partitions: Sequence[PartitionValue] | None, objects: Objects
) -> int:
    """Removes the objects of partitions that no published row names; returns their number."""
    if not table.objects():
        return 0
    where, bound = _where(table, partitions)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.objects()))
    query = sql.SQL("SELECT {} FROM {}{}").format(columns, identifier(table), where)
    with connect(url) as conn, conn.transaction(), conn.cursor() as cursor:
        # Waits for publishers that have stored objects but not committed yet.
        _lock(cursor, table, partitions)
        is_there = has_table(conn, table.spec.game, table.spec.name)
        named = {name for row in cursor.execute(query, bound) for name in row} if is_there else set[str]()
        return sum(len(objects.keep_only(folder_of(table, value), named)) for value in partitions or [None])


# --- reconciliation ------------------------------------------------------------------------------


def _figures(
    table: type[Table], partitions: Sequence[PartitionValue] | None, frame: pl.DataFrame
) -> dict[PartitionValue | None, _Figures]:
    """The figures that each partition must have according to the frame."""
    aggregates = [pl.len().alias("rows")]
    for name in table.spec.reconciled:
        value = pl.col(name).cast(_sum_type(table, name))
        aggregates += [
            pl.col(name).null_count().alias(f"nulls of {name}"),
            value.sum().alias(f"sum of {name}"),
            value.abs().sum().alias(f"size of sum of {name}"),
        ]
    key = pl.col(table.spec.partitioned_by) if table.spec.partitioned_by else pl.lit(None)
    by_partition = {row.pop("of"): row for row in frame.group_by(key.alias("of")).agg(aggregates).iter_rows(named=True)}
    empty = {each.meta.output_name(): 0 for each in aggregates}
    return {value: by_partition.get(value, empty) for value in partitions or [None]}


def _sum_type(table: type[Table], name: str) -> pl.DataType:
    """A type wide enough to sum a column exactly, or as exactly as floats allow."""
    dtype = table.schema()[name]
    if isinstance(dtype, pl.Decimal):
        return pl.Decimal(38, dtype.scale)
    if dtype.is_integer():
        return pl.Int128()
    if dtype.is_float():
        return pl.Float64()
    raise UnpublishableTableError(f"{table.spec.key}: reconciled column {name!r} is {dtype}; only numbers have a sum.")


def _reconcile(
    cursor: psycopg.Cursor,
    table: type[Table],
    partitions: Sequence[PartitionValue] | None,
    figures: Mapping[PartitionValue | None, _Figures],
    ids: Sequence[str] | None,
) -> None:
    """Counts the partitions again in PostgreSQL, and raises if the count differs from the rows sent."""
    key = sql.SQL("NULL") if partitions is None else sql.Identifier(table.spec.partitioned_by or "")
    selected: list[sql.Composable] = [key, sql.SQL("count(*)")]
    for name in table.spec.reconciled:
        column = sql.Identifier(name)
        # By default, PostgreSQL sums `real` in single precision.
        value = sql.SQL("{}::double precision" if table.schema()[name] == pl.Float32 else "{}").format(column)
        selected += [sql.SQL("count(*) - count({})").format(column), sql.SQL("coalesce(sum({}), 0)").format(value)]
    where, bound = _where(table, partitions, ids)
    query = sql.SQL("SELECT {} FROM {}{} GROUP BY 1").format(sql.SQL(", ").join(selected), identifier(table), where)
    arrived = {value: figures_found for value, *figures_found in cursor.execute(query, bound)}
    differences: list[str] = []
    for partition, sent in figures.items():
        compared = [name for name in sent if not name.startswith("size of ")]
        for name, got in zip(compared, arrived.get(partition, [0] * len(compared)), strict=True):
            if not _is_equal(sent[name], got, sent.get(f"size of {name}", 0)):
                where_ = "" if partition is None else f"{partition_key_of(partition)}: "
                differences.append(f"{where_}{name} {sent[name]} sent, {got} in the table")
    if differences:
        raise ReconciliationError(
            f"{table.spec.dotted}{_partition_text(partitions)} does not hold what was sent:\n- "
            + "\n- ".join(differences[:20])
            + (f"\n- and {len(differences) - 20} more" if len(differences) > 20 else "")
            + "\nAll was rolled back. Look for triggers or rules on the table in PostgreSQL."
        )


def _is_equal(sent: int | float | Decimal, got: int | float | Decimal, size: int | float | Decimal) -> bool:
    """Whether two figures agree: exactly, or for sums of floats to 1e-9 of the sum of absolute values."""
    if not isinstance(sent, float):
        return sent == got
    is_close = math.isclose(sent, got, rel_tol=0, abs_tol=_FLOAT_TOLERANCE * float(size))
    return is_close or (math.isnan(sent) and math.isnan(got))


# --- published content ---------------------------------------------------------------------------


def forget_partition(url: SecretStr | str, table: type[Table], partition: PartitionValue) -> int:
    """Deletes a partition's rows and the record of its publication; returns the number of rows."""
    with connect(url) as conn, explained(table.spec.dotted), conn.transaction():
        if not has_table(conn, table.spec.game, table.spec.name):
            return 0
        forget_notes(conn, table, [key_of(partition)])
        deleted, players = _delete(conn.cursor(), table, [partition])
        raise_version(conn, table, players)
        return deleted


def counts(conn: psycopg.Connection, table: type[Table]) -> dict[PartitionValue | None, int]:
    """Number of published rows by partition (None for an unpartitioned table); empty before the first publication."""
    with explained(table.spec.dotted):
        return _counts(conn, table) if has_table(conn, table.spec.game, table.spec.name) else {}


def _counts(
    conn: psycopg.Connection, table: type[Table], partitions: Sequence[PartitionValue] | None = None
) -> dict[PartitionValue | None, int]:
    column = table.spec.partitioned_by
    key = sql.SQL("NULL") if column is None else sql.Identifier(column)
    where, bound = _where(table, partitions)
    query = sql.SQL("SELECT {}, count(*) FROM {}{} GROUP BY 1 ORDER BY 1").format(key, identifier(table), where)
    return {row[0]: row[1] for row in conn.execute(query, bound)}


def units_published(
    url: SecretStr | str, table: type[Table], keys: Sequence[str]
) -> dict[str, tuple[str, dict[str, str]]]:
    """Fingerprints of partitions' published contents and of their units, by key.

    A partition is missing if they are not known.
    """
    notes = notes_of(table.spec.game)
    conn = shared_connection(url)
    with explained(f"what is published of {table.spec.dotted}"):
        if not definitions(conn, table.spec.game):
            return {}
        query = sql.SQL(
            "SELECT partition_key, content_hash, units FROM {}"
            " WHERE table_name = %s AND partition_key = ANY(%s) AND units IS NOT NULL"
        ).format(identifier(notes))
        return {key: (digest, units) for key, digest, units in conn.execute(query, [table.spec.name, [*keys]])}


def everything_published(
    url: SecretStr | str, tables: Sequence[type[Table]], *, counted: bool = False, keys: Collection[str] | None = None
) -> dict[type[Table], dict[str, str]]:
    """Fingerprints of published contents by partition key, for those tables of a game that exist in PostgreSQL.

    The key is "" for an unpartitioned table. A partition is missing if it was not published, or last without a
    fingerprint. One partition is also missing if the table's declaration changed, since publishing it brings the table
    up to date. Manual changes of rows are not noticed.

    Args:
        url: PostgreSQL.
        tables: tables of one game.
        counted: also counts rows; a partition with another number of rows than published is missing. Costs a scan.
        keys: keys of the partitions of interest; all by default.

    Raises:
        UnpublishableTableError: see `postgres_types`.
    """
    if not tables:
        return {}
    notes = notes_of(tables[0].spec.game)
    conn = shared_connection(url)
    with explained(f"what is published of {tables[0].spec.game}"):
        stored = definitions(conn, tables[0].spec.game)
        published: dict[type[Table], dict[str, str]] = {table: {} for table in tables if table.spec.name in stored}
        if not published:
            return {}
        query = sql.SQL(
            "SELECT table_name, partition_key, content_hash, rows FROM {}"
            " WHERE %s::text[] IS NULL OR partition_key = ANY(%s::text[]) ORDER BY 2"
        )
        wanted = None if keys is None else [*keys]
        held = {
            table: {key_of(value): rows for value, rows in _counts(conn, table, _values(table, wanted)).items()}
            for table in published
            if counted
        }
        named = {table.spec.name: table for table in published}
        for name, key, digest, rows in conn.execute(query.format(identifier(notes)), [wanted, wanted]):
            if (table := named.get(name)) and (not counted or held[table].get(key, 0) == rows):
                published[table][key] = digest
        for table, contents in published.items():
            if contents and stored[table.spec.name] != definition(table):
                contents.popitem()
        return published
