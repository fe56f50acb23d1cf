"""What tests need thousands of times is made once: connections of Dagster's instances, certificates, commands."""

from __future__ import annotations

import functools
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import in_memory
from dagster._core.storage.runs import in_memory as runs_in_memory
from sqlalchemy.engine import Connection
from sqlalchemy.pool import SingletonThreadPool
from typer import testing
from typer.main import get_command


def keep_connections() -> None:
    """Let ephemeral instances of this process keep one connection per thread to the events in their memory.

    Left to themselves they reconnect, and configure the connection, for each of the thousands of events of a run.
    """
    setattr(in_memory, "NullPool", SingletonThreadPool)  # noqa: B010
    setattr(in_memory.InMemoryEventLogStorage, "_connect", _kept)  # noqa: B010


def keep_no_revisions() -> None:
    """Let ephemeral instances not note which revision their tables are of: to know it, 89 are read, and nobody asks."""
    for module in (in_memory, runs_in_memory):
        setattr(module, "stamp_alembic_rev", lambda *_: None)  # noqa: B010


@contextmanager
def _kept(storage: Any) -> Iterator[Connection]:
    with storage._db_lock, storage._engine.begin() as connection:
        yield connection


@contextmanager
def copy_of(instance: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """An ephemeral instance with the runs and the events of another."""
    with dg.DagsterInstance.ephemeral() as copy:
        _memory(instance.run_storage).backup(_memory(copy.run_storage))
        _memory(instance.event_log_storage).backup(_memory(copy.event_log_storage))
        yield copy


def _memory(storage: Any) -> sqlite3.Connection:
    return storage._held_conn.connection.driver_connection


def keep_certificates() -> None:
    """Load the certificates that a client of HTTP trusts once, not for each client; the servers of tests have none."""
    setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))  # noqa: B010


def keep_commands() -> None:
    """Build the commands of the program once: there are a hundred, which takes longer than most of them do."""
    setattr(testing, "_get_command", functools.cache(get_command))  # noqa: B010
