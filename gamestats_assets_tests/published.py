"""What PostgreSQL holds of a published table, as a test reads it."""

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql
from psycopg.types.json import set_json_loads
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres import connect
from gamestats_assets.lakehouse.published import everything_published
from gamestats_assets.lakehouse.table import PartitionValue, Table


def read_published(
    url: SecretStr | str, table: type[Table], partitions: Sequence[PartitionValue] | None = None
) -> pl.DataFrame:
    """The published rows of the partitions, or of all, in the declared columns and types; in no order."""
    place, columns = sql.Identifier(table.spec.game, table.spec.name), map(sql.Identifier, table.columns())
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), place)
    if partitions is not None:
        query += sql.SQL(" WHERE {} = ANY(%s)").format(sql.Identifier(table.spec.partitioned_by or ""))
    with connect(url) as conn:
        set_json_loads(lambda document: document if isinstance(document, str) else document.decode(), conn)
        rows = conn.execute(query, [] if partitions is None else [list(partitions)]).fetchall()
    return pl.DataFrame(rows, schema=table.schema(), orient="row")


def published_rows(url: SecretStr | str, table: type[Table], partition: PartitionValue | None = None) -> int:
    """Rows published of one partition, or of the whole table; 0 before the first publication."""
    try:
        return read_published(url, table, None if partition is None else [partition]).height
    except psycopg.errors.UndefinedTable:
        return 0


def published_hashes(url: SecretStr | str, table: type[Table]) -> dict[str, str]:
    """Names of the content published, by partition key; nothing before the first publication."""
    return everything_published(url, [table]).get(table, {})
