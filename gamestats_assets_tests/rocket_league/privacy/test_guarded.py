"""PostgreSQL shows those who serve nothing of a person but what their transaction is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.postgres.own_rows import own_settings, setting
from gamestats_assets.lakehouse.postgres.roles import READER_ROLE, SERVING_ROLE, WRITER_ROLE, grant_duties
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.rocket_league.support.people_rows import OF_PEOPLE, publish_people
from gamestats_assets_tests.support.postgres_fixture import database

ANN, BOB = "steam_1", "steam_2"
FIRST, SECOND = "A" * 32, "B" * 32


@pytest.fixture(scope="module")
def url(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    objects = Objects(str(tmp_path_factory.mktemp("objects")))
    with database(postgres_url) as found:
        publish_people(found, objects, [(ANN, FIRST), (BOB, FIRST), (BOB, SECOND)])
        with psycopg.connect(found) as conn:
            grant_duties(conn)
        yield found


@contextmanager
def as_role(url: str, role: str, **settings: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url) as conn:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        conn.execute(*setting(settings))
        yield conn


def held(conn: psycopg.Connection, table: type[Table], *columns: str) -> set[tuple[Any, ...]]:
    of = sql.SQL(", ").join(map(sql.Identifier, columns))
    return {*conn.execute(sql.SQL("SELECT {} FROM {}").format(of, sql.Identifier("rocket_league", table.spec.name)))}


def test_every_published_table_about_people_is_guarded() -> None:
    assert len(OF_PEOPLE) >= 9
    assert [table.spec.name for table in OF_PEOPLE if not table.spec.guarded_by] == []


@pytest.mark.parametrize("role", [SERVING_ROLE, WRITER_ROLE])
def test_a_transaction_that_is_about_nobody_sees_no_rows(url: str, role: str) -> None:
    """Of everything that stands in the schema, months and notes of publications too."""
    walk = "SELECT c.oid::regclass::text, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace " \
           "WHERE nspname = 'rocket_league' AND relkind IN ('r', 'p', 'v', 'm')"  # fmt: skip
    with psycopg.connect(url) as owner:
        found = owner.execute(walk).fetchall()
        full = {name for name, _ in found if owner.execute(f"SELECT FROM {name} LIMIT 1").fetchone() is not None}
    assert len(full) > len(OF_PEOPLE)
    seen: set[str] = set()
    for settings in ({}, own_settings(None), own_settings(7, ["steam_3"], ["C" * 32])):
        for name in full:
            with as_role(url, role, **settings) as conn:
                try:
                    seen |= {name} if conn.execute(f"SELECT FROM {name} LIMIT 1").fetchone() is not None else set()
                except psycopg.errors.InsufficientPrivilege:
                    continue
    assert seen == {"rocket_league.published_versions"}


@pytest.mark.parametrize("table", OF_PEOPLE, ids=lambda table: table.spec.name)
def test_a_transaction_sees_the_rows_that_it_is_about_and_a_reader_all(url: str, table: type[Table]) -> None:
    columns = [name for name in ("player_id", "match_id") if name in table.columns()]

    def place(player: str, match: str) -> tuple[str, ...]:
        return tuple({"player_id": player, "match_id": match}[name] for name in columns)

    every = {place(ANN, FIRST), place(BOB, FIRST), place(BOB, SECOND)}
    with as_role(url, SERVING_ROLE, **own_settings(7, [BOB])) as conn:
        own = {row for row in every if "player_id" in columns and row[0] == BOB}
        assert held(conn, table, *columns) == (own if "player_id" in table.spec.guarded_by else set())
    with as_role(url, SERVING_ROLE, **own_settings(7, [], [FIRST])) as conn:
        shown = {row for row in every if "match_id" in table.spec.guarded_by and row[-1] == FIRST}
        assert held(conn, table, *columns) == shown
    with as_role(url, READER_ROLE) as conn:
        assert held(conn, table, *columns) == every


def test_who_serves_changes_no_published_row_and_no_policy(url: str) -> None:
    with (
        as_role(url, WRITER_ROLE, **own_settings(7, [BOB])) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("DELETE FROM rocket_league.users")
    with as_role(url, WRITER_ROLE) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("ALTER TABLE rocket_league.users DISABLE ROW LEVEL SECURITY")
