"""A PostgreSQL server for tests: one embedded server per test session, one database per test that asks."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.postgres import embedded
from gamestats_assets.lakehouse.postgres.embedded import start_embedded, stop_embedded
from gamestats_assets.settings import Settings

_IN_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30  # bytes
# What it holds need not outlive the machine. Each database that is made or dropped writes what has changed in the
# buffers, and looks through all of them.
_SHORT_LIVED = {
    "shared_buffers": "32MB",
    "max_wal_size": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


@pytest.fixture(scope="session")
def postgres_settings() -> Iterator[Settings]:
    """Settings whose state folder holds a running embedded server, stopped after the session.

    The folder is in memory where there is room. It is not pytest's own temporary one: the next session closes that one
    for other users, and as root the server runs as another user.
    """
    has_room = _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > _ROOM
    folder = Path(tempfile.mkdtemp(prefix="gamestats-postgres-", dir=_IN_MEMORY if has_room else None))
    settings = Settings(data=str(folder), postgres_url=None)
    tuning = embedded._tuning() | _SHORT_LIVED
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embedded, "_tuning", lambda: tuning)
            start_embedded(settings)
        yield settings
    finally:
        stop_embedded(settings)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(postgres_settings: Settings) -> str:
    """URL of the session's embedded server, database `gamestats`."""
    return start_embedded(postgres_settings)


@contextmanager
def database(server: str, copy_of: str = "/template1") -> Iterator[str]:
    """URL of an empty database on a server, or of a copy of one, whose connections are ended; dropped afterwards."""
    name, copied = f"test_{uuid4().hex[:12]}", urlsplit(copy_of).path[1:]
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")  # by default, each page goes through the log
    with psycopg.connect(server, autocommit=True) as conn:
        # The program keeps one open, which it replaces.
        conn.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [copied])
        conn.execute(copy.format(sql.Identifier(name), sql.Identifier(copied)))
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[str]:
    """URL of an empty database on the session's server, dropped after the test."""
    with database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def ops_template(postgres_url: str) -> Iterator[str]:
    """URL of a database with `ops` and nothing entered, for copies alone: nobody may be connected to it."""
    with database(postgres_url) as url:
        migrate(SecretStr(url))
        yield url


@pytest.fixture
def ops_database(postgres_url: str, ops_template: str) -> Iterator[str]:
    """URL of a database where nothing was entered yet, dropped after the test."""
    with database(postgres_url, ops_template) as url:
        yield url
