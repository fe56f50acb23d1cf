"""A connection on which somebody enters things, and a season to enter them into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, ROUND, SEASON, TEAM


@pytest.fixture
def conn(ops_database: str) -> Iterator[psycopg.Connection]:
    """A transaction in which ada enters things."""
    with ops.entering(SecretStr(ops_database), "ada") as connection:
        yield connection


@pytest.fixture
def season(conn: psycopg.Connection) -> str:
    """A season with a division of two teams, one of them in a group, and a round over the end of summer time."""
    SEASON.add(conn, "fall", name="Fall 2026", time_zone="Europe/Berlin")
    DIVISION.add(conn, "fall", "Division 1")
    DIVISION.add(conn, "fall", "Division 2")
    GROUP.add(conn, "fall", "Division 1", "A")
    TEAM.add(conn, "fall", "Division 1", "Alpha", group="A", tag="ALP")
    TEAM.add(conn, "fall", "Division 1", "Beta")
    ROUND.add(conn, "fall", "Division 1", 1, first_day=date(2026, 10, 24), last_day=date(2026, 10, 25))
    return "fall"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file."""

    def written(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "entered.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return written
