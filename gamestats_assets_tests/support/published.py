"""What PostgreSQL holds of a published table, as a test reads it."""

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql
from psycopg.types.json import set_json_loads
from pydantic import SecretStr

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.published.publication import everything_published
from gamestats_assets.lakehouse.table import PartitionValue, Table


def read_published(
    url: SecretStr | str,
    table: type[Table],
    partitions: Sequence[PartitionValue] | None = None,
    objects: Objects | None = None,
) -> pl.DataFrame:
    """The published rows of the partitions, or of all, in the declared columns and types; in no order.

    Binary values are found in the objects by the names that are published.
    """
    place, columns = sql.Identifier(table.spec.game, table.spec.name), map(sql.Identifier, table.columns())
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), place)
    if partitions is not None:
        query += sql.SQL(" WHERE {} = ANY(%s)").format(sql.Identifier(table.spec.partitioned_by or ""))
    with connect(url) as conn:
        set_json_loads(lambda document: document if isinstance(document, str) else document.decode(), conn)
        rows = conn.execute(query, [] if partitions is None else [list(partitions)]).fetchall()
    published = pl.DataFrame(rows, schema={**table.schema(), **dict.fromkeys(table.objects(), pl.String)}, orient="row")
    if objects is None:
        assert not table.objects()
        return published
    return published.with_columns(
        pl.Series(name, [objects.get(each) if each else None for each in published[name]], dtype=pl.Binary)
        for name in table.objects()
    )


def published_rows(url: SecretStr | str, table: type[Table], partition: PartitionValue | None = None) -> int:
    """Rows published of one partition, or of the whole table; 0 before the first publication."""
    try:
        return read_published(url, table, None if partition is None else [partition]).height
    except psycopg.errors.UndefinedTable:
        return 0


def published_hashes(url: SecretStr | str, table: type[Table]) -> dict[str, str]:
    """Names of the content published, by partition key; nothing before the first publication."""
    return everything_published(url, [table]).get(table, {})
