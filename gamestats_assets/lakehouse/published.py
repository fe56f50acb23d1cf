"""Publication to PostgreSQL: rows of a table replaced in one transaction, and counted.

One publication is one transaction that replaces exactly the partitions it is given, or some units of one, and counts
them again before it commits: a reader sees the old rows or the new, and so does whoever looks after the publisher was
killed. What content a partition was published from is noted with it, where the caller names it.

Of a binary column PostgreSQL holds names of objects (`objects`), at `<game>/<table>/<partition>/<unit>/<hash>`. They
are put before the commit, so that what a reader is told is there; those that no row names go after it. A publisher that
was killed in between leaves objects that nobody names, and the next publication of the partition removes them.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
import psycopg
import tenacity
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.objects import Objects
from gamestats_assets.lakehouse.postgres import connect, explained, has_table, is_transient, kept
from gamestats_assets.lakehouse.published_notes import (
    forget_notes,
    identifier,
    key_of,
    note,
    notes_of,
    raise_version,
)
from gamestats_assets.lakehouse.published_objects import folder_of, with_names
from gamestats_assets.lakehouse.published_tables import (
    PublicationError,
    UnpublishableTableError,
    as_declared,
    as_found,
    column_list,
    ensure_months,
    ensure_table,
    months_of_rows,
)
from gamestats_assets.lakehouse.quality import check_schema
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of

_ROWS_PER_COPY = 50_000
_ROWS_SORTED = 1_000_000  # at a time, so that sorting takes no second copy of a large frame
_LOCKS = 1_000  # for all partitions of a table, however many: PostgreSQL's lock table is finite
_FLOAT_TOLERANCE = 1e-9


class OvertakenError(PublicationError):
    """A partition holds other content than that in which some units were to be replaced; nothing was changed."""


class ReconciliationError(PublicationError):
    """What arrived in PostgreSQL is not what was sent; the transaction was rolled back."""


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
    figures, months = _figures(table, partitions, frame), months_of_rows(table, frame)
    named = f"{table.spec.dotted}{_named(partitions)}"

    def attempt() -> tuple[int, list[str]]:
        with connect(url) as conn:
            changes = [*ensure_table(conn, table)]
            changes += ensure_months(conn, table, months)
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
                note(conn, table, rows, hashes, units or {})
                if before_commit is not None:
                    before_commit(cursor)
                # Last, for publications of other partitions of the table wait for it.
                raise_version(conn, table, None if players is None else players | _players(table, frame))
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


def _lock(cursor: psycopg.Cursor, table: type[Table], partitions: Sequence[PartitionValue] | None) -> None:
    """Wait for publications of the same partitions, in an order that is the same for all."""
    locks = sorted({zlib.crc32(key_of(value).encode()) % _LOCKS for value in partitions or [None]})
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
        identifier(notes_of(table.spec.game))
    )
    found = conn.execute(query, [table.spec.name, key_of(partition)]).fetchone()
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
    delete = sql.SQL("DELETE FROM {}{}").format(identifier(table), where)
    if _PLAYER not in table.spec.guarded_by:
        return cursor.execute(delete, bound).rowcount, None
    if table.spec.partitioned_by == _PLAYER:
        return cursor.execute(delete, bound).rowcount, {*map(key_of, partitions or ())}
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
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(identifier(table), column_list(table.columns()))
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


def sweep(
    url: SecretStr | str, table: type[Table], partitions: Sequence[PartitionValue] | None, objects: Objects
) -> int:
    """Remove the objects of partitions that no published row names; how many there were."""
    if not table.objects():
        return 0
    where, bound = _where(table, partitions)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.objects()))
    query = sql.SQL("SELECT {} FROM {}{}").format(columns, identifier(table), where)
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
    query = sql.SQL("SELECT {} FROM {}{} GROUP BY 1").format(sql.SQL(", ").join(selected), identifier(table), where)
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


def forget_partition(url: SecretStr | str, table: type[Table], partition: PartitionValue) -> int:
    """Delete a partition's rows, and the note of what was published of it; how many rows there were."""
    with connect(url) as conn, explained(table.spec.dotted), conn.transaction():
        if not has_table(conn, table.spec.game, table.spec.name):
            return 0
        forget_notes(conn, table, [key_of(partition)])
        deleted, players = _delete(conn.cursor(), table, [partition])
        raise_version(conn, table, players)
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
    query = sql.SQL("SELECT {}, count(*) FROM {}{} GROUP BY 1 ORDER BY 1").format(key, identifier(table), where)
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
        if as_found(conn, [notes]).get(notes) != as_declared(notes):
            return {}
        query = sql.SQL(
            "SELECT partition_key, content_hash, units FROM {}"
            " WHERE table_name = %s AND partition_key = ANY(%s) AND units IS NOT NULL"
        ).format(identifier(notes))
        return {key: (digest, units) for key, digest, units in conn.execute(query, [table.spec.name, [*keys]])}


def everything_published(
    url: SecretStr | str, tables: Sequence[type[Table]], *, counted: bool = False, keys: Collection[str] | None = None
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
        found = as_found(conn, [notes, *tables])
        if notes not in found:
            return {}
        query = sql.SQL(
            "SELECT table_name, partition_key, content_hash, rows FROM {}"
            " WHERE %s::text[] IS NULL OR partition_key = ANY(%s::text[]) ORDER BY 2"
        )
        wanted = None if keys is None else [*keys]
        published: dict[type[Table], dict[str, str]] = {table: {} for table in tables if table in found}
        held = {
            table: {key_of(of): rows for of, rows in _counts(conn, table, _values(table, wanted)).items()}
            for table in published
            if counted
        }
        named = {table.spec.name: table for table in published}
        for name, key, digest, rows in conn.execute(query.format(identifier(notes)), [wanted, wanted]):
            if (table := named.get(name)) and (not counted or held[table].get(key, 0) == rows):
                published[table][key] = digest
        for table, contents in published.items():
            if contents and found[table] != as_declared(table):
                contents.popitem()
        return published
