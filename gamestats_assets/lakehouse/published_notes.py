"""What is noted of published tables beside them: what content their partitions hold, and which version they are.

Every publication gives its table another version, and PostgreSQL tells of it as it is committed (`CHANNEL`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence

import dataframely as dy
import psycopg
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres import connect, explained
from gamestats_assets.lakehouse.table import JSON, PartitionValue, Table, partition_key_of


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


def identifier(table: type[Table]) -> sql.Identifier:
    """A published table, as statements name it."""
    return sql.Identifier(table.spec.game, table.spec.name)


def key_of(value: PartitionValue | None) -> str:
    """The key of a partition in the notes: empty where a table has none."""
    return "" if value is None else partition_key_of(value)


def note(
    conn: psycopg.Connection,
    table: type[Table],
    rows: Mapping[PartitionValue | None, int],
    hashes: Mapping[PartitionValue | None, str],
    units: Mapping[PartitionValue | None, Mapping[str, str]],
) -> None:
    """Note what content the partitions hold from now on; of a partition whose content has no name, nothing."""
    forget_notes(conn, table, [key_of(value) for value in rows])
    note = sql.SQL(
        "INSERT INTO {} (table_name, partition_key, content_hash, rows, units, published_at)"
        " SELECT %s, key, digest, rows, units, now()"
        " FROM unnest(%s::text[], %s::text[], %s::int8[], %s::jsonb[]) AS n (key, digest, rows, units)"
    ).format(identifier(notes_of(table.spec.game)))
    if hashes:
        told = [json.dumps(units[value]) if value in units else None for value in hashes]
        noted = [[*map(key_of, hashes)], [*hashes.values()], [rows[value] for value in hashes], told]
        conn.execute(note, [table.spec.name, *noted])


def forget_notes(conn: psycopg.Connection, table: type[Table], keys: Sequence[str] | None = None) -> None:
    """Forget what is noted of partitions of a table, or of all."""
    forget = "DELETE FROM {} WHERE table_name = %s AND (%s::text[] IS NULL OR partition_key = ANY(%s::text[]))"
    conn.execute(sql.SQL(forget).format(identifier(notes_of(table.spec.game))), [table.spec.name, keys, keys])


def raise_version(conn: psycopg.Connection, table: type[Table], players: Iterable[str | None] | None = None) -> None:
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
    ).format(identifier(versions_of(table.spec.game)))
    told = None if players is None else json.dumps(sorted(filter(None, players)), separators=(",", ":"))
    if told is not None and len(told) > _MOST_TOLD_BYTES:
        told = None
    conn.execute(raised, [table.spec.name, CHANNEL, table.spec.dotted, told])


def forget_answers(url: SecretStr | str) -> None:
    """Have what serves forget the answers that it keeps in memory."""
    with connect(url) as conn, explained("telling of what was forgotten"):
        conn.execute("SELECT pg_notify(%s, %s)", [CHANNEL, FORGET])
