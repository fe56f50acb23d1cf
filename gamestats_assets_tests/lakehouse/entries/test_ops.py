"""The schema `ops`: migrations, entered rows, versions."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit, urlunsplit

import polars as pl
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import MigrationError, entered_rows, migrate
from gamestats_assets.lakehouse.postgres.server import PostgresError, connect
from gamestats_assets.lakehouse.published.tables import postgres_types
from gamestats_assets.pubg.tables import SNAPSHOTS
from gamestats_assets.pubg.tournament.tables import ScheduledMatches, Seasons
from gamestats_assets_tests.lakehouse.entries.entry import Entry
from gamestats_assets_tests.lakehouse.processes import at_once

ENTERED = (
    "seasons",
    "divisions",
    "groups",
    "teams",
    "roster_entries",
    "rounds",
    "scheduled_matches",
    "match_overrides",
    "tracked_players",
)


# --- migrations ----------------------------------------------------------------------------------


def test_processes_that_migrate_at_once_all_find_it_done(fresh_database: str) -> None:
    url = SecretStr(fresh_database)
    at_once(migrate, [(url,)] * 3)
    assert ops.current_revision(url) == ops.known_revisions()[-1]
    assert set(ENTERED) < ops.versions(url).keys()


def test_going_back_drops_everything_and_coming_again_makes_it_anew(
    conn: psycopg.Connection, url: SecretStr, everything: None
) -> None:
    ops.downgrade(url)
    assert ops.current_revision(url) is None
    left = conn.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE nspname = 'ops' AND relkind IN ('r', 'v', 'S') "
        "UNION ALL SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname = 'ops'"
    ).fetchall()
    assert left == [("alembic_version",)]
    migrate(url)
    assert ops.versions(url)["seasons"] == 0
    Entry(conn).season()


def test_every_revision_can_be_taken_back_alone(url: SecretStr) -> None:
    for revision in reversed(["base", *ops.known_revisions()[:-1]]):
        ops.downgrade(url, revision)
        assert ops.current_revision(url) == (None if revision == "base" else revision)
    migrate(url)


def test_what_a_newer_gamestats_has_migrated_is_left_alone(conn: psycopg.Connection, url: SecretStr) -> None:
    conn.execute("UPDATE ops.alembic_version SET version_num = '9999'")
    with pytest.raises(MigrationError, match=r"revision 9999.*upgrade this one"):
        migrate(url)
    assert ops.current_revision(url) == "9999"


def test_a_user_who_may_not_migrate_is_told_without_the_password(fresh_database: str) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS nobody_much")
        admin.execute("CREATE ROLE nobody_much LOGIN PASSWORD 'tell-no-one'")
    parts = urlsplit(fresh_database)
    host = parse_qs(parts.query).get("host", [parts.hostname])[0]
    url = urlunsplit(
        parts._replace(netloc="nobody_much:tell-no-one@", query=f"host={host}")
        if parts.query
        else parts._replace(netloc=f"nobody_much:tell-no-one@{host}")
    )
    try:
        with pytest.raises(PostgresError, match="permission denied") as caught:
            migrate(SecretStr(url))
        assert "tell-no-one" not in str(caught.value)
        assert ops.current_revision(SecretStr(fresh_database)) is None
    finally:
        with psycopg.connect(fresh_database, autocommit=True) as admin:
            admin.execute("DROP ROLE nobody_much")


def test_readers_may_read_what_people_enter_and_not_write_it(conn: psycopg.Connection, everything: None) -> None:
    conn.execute("SET ROLE gamestats_reader")
    for table in (*ENTERED, "round_status_changes", "backfills", "changes"):
        conn.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("ops", table)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("UPDATE ops.seasons SET name = 'mine'")


# --- the declared snapshots ----------------------------------------------------------------------


def test_every_declared_column_is_in_ops_with_its_type(conn: psycopg.Connection) -> None:
    for table in SNAPSHOTS:
        found = {
            name: (kind, nullable)
            for name, kind, nullable in conn.execute(
                "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                [f"ops.{table.spec.name}"],
            )
        }
        declared = {name: (kind, bool(table.columns()[name].nullable)) for name, kind in postgres_types(table).items()}
        assert {name: found.get(name) for name in declared} == declared, table.spec.dotted
        keys = conn.execute(
            "SELECT attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = indrelid AND attnum = ANY (indkey) "
            "WHERE indrelid = %s::regclass AND indisprimary",
            [f"ops.{table.spec.name}"],
        ).fetchall()
        assert [name for (name,) in keys] == table.primary_key()


def test_what_is_entered_passes_the_rules_of_its_snapshot(url: SecretStr, everything: None) -> None:
    for table in SNAPSHOTS:
        frame = entered_rows(url, table)
        assert frame.height == 1
        table.validate(frame)


def test_a_snapshot_has_moments_in_utc_and_lists(url: SecretStr, everything: None) -> None:
    with psycopg.connect(url.get_secret_value(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'").format(sql.Identifier(admin.info.dbname))
        )
    assert entered_rows(url, ScheduledMatches)["scheduled_at"].to_list() == [datetime(2026, 10, 3, 16, tzinfo=UTC)]
    assert entered_rows(url, Seasons).select("placement_points", "tie_breakers").row(0) == (
        [10, 6, 5, 4, 3, 2, 1, 1],
        ["wins", "kills", "latest_placement"],
    )


def test_before_the_first_migration_nothing_is_entered(fresh_database: str) -> None:
    url = SecretStr(fresh_database)
    assert entered_rows(url, Seasons).equals(pl.DataFrame(schema=Seasons.schema()))
    assert ops.versions(url) == {}


# --- versions ------------------------------------------------------------------------------------


def test_every_statement_that_changes_an_entered_table_raises_its_version(
    conn: psycopg.Connection, url: SecretStr, everything: None
) -> None:
    for table in ENTERED:
        name = sql.Identifier("ops", table)
        before = ops.versions(url)
        conn.execute(sql.SQL("UPDATE {} SET created_by = 'x'").format(name))
        assert ops.versions(url) == {**before, table: before[table] + 1}
        conn.execute(sql.SQL("UPDATE {} SET created_by = 'x' WHERE false").format(name))
        assert ops.versions(url)[table] == before[table] + 1
    assert ops.versions(url)["match_overrides"] == 2
    conn.execute("DELETE FROM ops.match_overrides")
    assert ops.versions(url)["match_overrides"] == 3
    conn.execute("TRUNCATE ops.match_overrides")
    assert ops.versions(url)["match_overrides"] == 4


def test_who_writes_and_when_is_kept(url: SecretStr, everything: None) -> None:
    with ops.entering(url, "ada") as conn:
        [row] = ops.update(conn, "teams", {"team_name": "Alpha"}, {"tag": "A"})
        [same] = ops.update(conn, "divisions", {"division": "Division 1"}, {"division": "Division 1"})
    assert (row["changed_by"], row["updated_at"] > row["created_at"]) == ("ada", True)
    assert same["updated_at"] == same["created_at"]
    with connect(url) as conn:
        [by_sql] = ops.select(conn, "seasons", {})
        login = conn.execute("SELECT session_user").fetchone()
    assert (by_sql["created_by"],) == login
