"""Records beside published tables: the content of their partitions, and the version of each table.

Every publication gives its table a new version, and PostgreSQL sends a notification when it is committed (`CHANNEL`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence

import dataframely as dy
import psycopg
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.server import connect, explained
from gamestats_assets.lakehouse.table import JSON, PartitionValue, Table, partition_key_of


class _PublishedPartition(Table):
    table_name = dy.String(primary_key=True, description="Table of this schema.")
    partition_key = dy.String(primary_key=True, description="Partition; empty for a table without partitions.")
    content_hash = dy.String(min_length=1, description="Names the content that was published.")
    rows = dy.Int64(min=0, description="Rows published.")
    units = dy.String(
        nullable=True, metadata={**JSON}, description="Name of the rows of each unit (a match); null if unknown."
    )
    published_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Start of the publication, UTC.")


@functools.cache
def notes_of(game: str) -> type[Table]:
    """The table `<game>.published_partitions`, which records what is published."""

    # Guarded, because partitions may be people.
    class PublishedPartitions(
        _PublishedPartition, key=f"{game}/published_partitions", layer="gold", guarded_by=("partition_key",)
    ):
        """Contents of the partitions of the published tables; a missing one has unknown content."""

    return PublishedPartitions


class _PublishedVersion(Table):
    table_name = dy.String(primary_key=True, description="Table of this schema.")
    version = dy.Int64(min=1, description="Another, higher one after each publication that changed rows.")
    published_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it was published last, UTC.")
    definition = dy.String(nullable=True, description="Names the declaration that the table was made from.")


@functools.cache
def versions_of(game: str) -> type[Table]:
    """The table `<game>.published_versions` with the versions of a game's published tables."""

    class PublishedVersions(_PublishedVersion, key=f"{game}/published_versions", layer="gold"):
        """Version of each published table; an answer from it stays valid until the version changes."""

    return PublishedVersions


CHANNEL = "gamestats_published"
"""PostgreSQL's notification channel for committed publications: `<game>.<table> <version>`.

For a table that is guarded by players, a JSON list of the players with replaced rows follows, unless it is too long.
"""
FORGET = "forget"
"""Payload on that channel: listeners must drop answers from memory, because a person was forgotten."""
_MAX_PAYLOAD_BYTES = 7_900


def identifier(table: type[Table]) -> sql.Identifier:
    """The identifier of a published table for statements."""
    return sql.Identifier(table.spec.game, table.spec.name)


def key_of(value: PartitionValue | None) -> str:
    """The key of a partition in the records: empty for an unpartitioned table."""
    return "" if value is None else partition_key_of(value)


def note(
    conn: psycopg.Connection,
    table: type[Table],
    rows: Mapping[PartitionValue | None, int],
    hashes: Mapping[PartitionValue | None, str],
    units: Mapping[PartitionValue | None, Mapping[str, str]],
) -> None:
    """Records the new contents of partitions; those without a fingerprint lose their record."""
    forget_notes(conn, table, [key_of(value) for value in rows])
    note = sql.SQL(
        "INSERT INTO {} (table_name, partition_key, content_hash, rows, units, published_at)"
        " SELECT %s, key, digest, rows, units, now()"
        " FROM unnest(%s::text[], %s::text[], %s::int8[], %s::jsonb[]) AS n (key, digest, rows, units)"
    ).format(identifier(notes_of(table.spec.game)))
    if hashes:
        units_json = [json.dumps(units[value]) if value in units else None for value in hashes]
        columns = [[*map(key_of, hashes)], [*hashes.values()], [rows[value] for value in hashes], units_json]
        conn.execute(note, [table.spec.name, *columns])


def forget_notes(conn: psycopg.Connection, table: type[Table], keys: Sequence[str] | None = None) -> None:
    """Deletes the records of some or all partitions of a table."""
    forget = "DELETE FROM {} WHERE table_name = %s AND (%s::text[] IS NULL OR partition_key = ANY(%s::text[]))"
    conn.execute(sql.SQL(forget).format(identifier(notes_of(table.spec.game))), [table.spec.name, keys, keys])


def raise_version(conn: psycopg.Connection, table: type[Table], players: Iterable[str | None] | None = None) -> None:
    """Gives a table a new version, and sends a notification when the transaction is committed.

    The version is the time in microseconds since 1970, or one more than before if the clock is behind, so that no
    version repeats, not even in a recreated database.

    Args:
        conn: a connection in a transaction.
        table: the table.
        players: the only players with replaced rows, if known.
    """
    raised = sql.SQL(
        "INSERT INTO {} AS v (table_name, version, published_at)"
        " VALUES (%s, extract(epoch FROM clock_timestamp()) * 1000000, now()) ON CONFLICT (table_name) DO UPDATE"
        " SET version = greatest(v.version + 1, excluded.version), published_at = excluded.published_at"
        " RETURNING pg_notify(%s, concat_ws(' ', %s::text, version, %s::text))"
    ).format(identifier(versions_of(table.spec.game)))
    players_json = None if players is None else json.dumps(sorted(filter(None, players)), separators=(",", ":"))
    if players_json is not None and len(players_json) > _MAX_PAYLOAD_BYTES:
        players_json = None
    conn.execute(raised, [table.spec.name, CHANNEL, table.spec.dotted, players_json])


def forget_answers(url: SecretStr | str) -> None:
    """Makes servers drop the answers that they keep in memory."""
    with connect(url) as conn, explained("telling of what was forgotten"):
        conn.execute("SELECT pg_notify(%s, %s)", [CHANNEL, FORGET])
