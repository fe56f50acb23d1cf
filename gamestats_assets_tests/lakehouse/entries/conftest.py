"""A database with the schema `ops`, and what is entered in it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets_tests.lakehouse.entries.entry import ACCOUNTS, DAY, Entry


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    """An empty database with `ops` in it."""
    return SecretStr(ops_database)


@pytest.fixture
def conn(url: SecretStr) -> Iterator[psycopg.Connection]:
    """A connection to it, every statement a transaction."""
    with connect(url) as connection:
        yield connection


@pytest.fixture
def entry(conn: psycopg.Connection) -> Entry:
    return Entry(conn)


@pytest.fixture
def division(entry: Entry) -> int:
    return entry.division(entry.season())


@pytest.fixture
def everything(entry: Entry, division: int) -> None:
    """A row in every table that people enter."""
    group = entry.group(division)
    entry.roster(entry.team(division, group_id=group, tag="ALP"), "Kim", DAY, account_id=ACCOUNTS[0])
    slot = entry.slot(entry.round(division, group_id=group), map_name="Erangel")
    override = {"match_id": "m-1", "scheduled_match_id": slot, "reason": "late", "admin": "ada"}
    ops.insert(entry.conn, "match_overrides", override)
    ops.insert(entry.conn, "tracked_players", {"player_name": "Kim"})
