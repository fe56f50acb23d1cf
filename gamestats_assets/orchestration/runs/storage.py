"""Dagster's own storage, in the PostgreSQL that the settings name, named by `dagster.yaml`.

Every process of Dagster (webserver, daemon, code server, run) resolves it by itself, so no file or environment variable
contains a connection string, and whichever process comes first starts the embedded server.

A run of a day stores some five hundred events. Dagster by itself opens a connection and commits for each of them. Here
connections are kept, and the events at the end of a step are written together.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, column, create_engine, event, func
from sqlalchemy.exc import InvalidatePoolError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from gamestats_assets.lakehouse.postgres.embedded import is_available
from gamestats_assets.lakehouse.postgres.server import PostgresError, PostgresUnavailableError, dagster_url
from gamestats_assets.settings import Settings

# An idle connection is pinged before it is used again after so many seconds.
_PAUSE_S = 30.0
# A server that is started again takes some seconds.
_PATIENCE_S = 10.0
_DISK_FULL = "53100"
"""PostgreSQL's error code for a full disk."""
_TABLES_LOCK = 0x6461677374657231
_OF_ASSETS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
}
_OF_CHECKS = {dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
# These events may wait: a step's start, a message, a failure or the end of the run soon follows.
_CAN_WAIT = {
    *_OF_ASSETS,
    *_OF_CHECKS,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.HANDLED_OUTPUT,
}
_MOST_WAITING = 200


class _Runs(PostgresRunStorage):
    """Storage of runs over kept connections."""

    def connect(self) -> Connection:
        return _engine(self.postgres_url).connect()


class _Schedules(PostgresScheduleStorage):
    """Storage of sensor and schedule ticks over kept connections."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _cache_answers(self, "has_built_index", "has_instigators_table")

    def connect(self, run_id: str | None = None) -> Connection:
        return _engine(self.postgres_url).connect()


class _Events(PostgresEventLogStorage):
    """Storage of events. Events that may wait are written together, and constant facts are queried once."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self._waiting: list[dg.EventLogEntry] = []
        self._writing = threading.RLock()
        super().__init__(*arguments, **keywords)
        _cache_answers(self, "has_table", "has_asset_key_col")

    def run_connection(self, run_id: str | None = None) -> Connection:
        return _engine(self.postgres_url).connect()

    def index_connection(self) -> Connection:
        return _engine(self.postgres_url).connect()

    def store_event(self, event: dg.EventLogEntry) -> None:
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Writes events in order. Those of a run that may wait are written with the next one that may not."""
        with self._writing:
            self._waiting += events
            last = events[-1]
            if not last.run_id or last.dagster_event_type not in _CAN_WAIT or len(self._waiting) >= _MOST_WAITING:
                self._write()

    def dispose(self) -> None:
        with self._writing:
            self._write()
        super().dispose()

    def _write(self) -> None:
        events, self._waiting = self._waiting, []
        if not events:
            return
        with self.index_connection() as connection:
            insert = self.prepare_insert_event_batch(events).returning(column("id"))
            ids = [int(number) for (number,) in connection.execute(insert)]
        stored = [*zip(events, ids, strict=True)]
        of_assets = [each for each in stored if each[0].dagster_event_type in _OF_ASSETS]
        if of_assets:
            self.store_asset_event_tags(*zip(*of_assets, strict=True))
        # Only the newest event of each kind counts for an asset.
        newest = {(each[0].dagster_event_type, each[0].get_dagster_event().asset_key): each for each in of_assets}
        for entry, number in newest.values():
            self.store_asset_event(entry, number)
        for entry, number in stored:
            if entry.dagster_event_type in _OF_CHECKS:
                self.store_asset_check_event(entry, number)


class GamestatsStorage(DagsterPostgresStorage):
    """Dagster's runs, events and schedules in the schema `dagster` of our PostgreSQL."""

    def __init__(self, url: str, inst_data: Any) -> None:
        # Each tick of a sensor makes an instance and so a storage; tables and connections are prepared once.
        new = url not in _PREPARED
        with _table_lock(url, new):
            self._parts = _Runs(url, new), _Events(url, new), _Schedules(url, new)
        super().__init__(url, should_autocreate_tables=False, inst_data=inst_data)
        _PREPARED.add(url)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration: the settings are all it needs."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> GamestatsStorage:
        """The storage for this process's settings; called by Dagster."""
        return cls(_url(Settings()).get_secret_value(), inst_data)

    @property
    def run_storage(self) -> _Runs:
        """Storage of runs."""
        return self._parts[0]

    @property
    def event_log_storage(self) -> _Events:
        """Storage of events."""
        return self._parts[1]

    @property
    def schedule_storage(self) -> _Schedules:
        """Storage of ticks."""
        return self._parts[2]

    @property
    def event_storage_data(self) -> None:
        """None: other processes recreate the whole storage, never one part of it."""

    @property
    def run_storage_data(self) -> None:
        """As `event_storage_data`."""

    @property
    def schedule_storage_data(self) -> None:
        """As `event_storage_data`."""


def _cache_answers(storage: object, *questions: str) -> None:
    """Caches the answers of methods about the schema, which does not change after the storage has migrated it."""
    for name in questions:
        setattr(storage, name, functools.cache(getattr(storage, name)))


_PREPARED: set[str] = set()
"""Servers whose tables this process has prepared."""
_URLS: list[tuple[Settings, SecretStr]] = []


def _url(settings: Settings) -> SecretStr:
    """The URL of the storage. For the same settings it is resolved, and the embedded server started, once."""
    if not is_available(settings):
        _URLS.clear()
    if not _URLS or _URLS[-1][0] != settings:
        _URLS[:] = [(settings, dagster_url(settings))]
    return _URLS[-1][1]


@contextmanager
def _table_lock(url: str, new: bool) -> Iterator[None]:
    """Keeps processes from creating the same tables at the same time, if they may be new."""
    if not new:
        yield
        return
    with _engine(url).connect() as connection:
        connection.scalar(func.pg_advisory_lock(_TABLES_LOCK))
        yield
        connection.scalar(func.pg_advisory_unlock(_TABLES_LOCK))


@functools.cache
def _engine(url: str) -> Engine:
    """This process's kept connections: starting a server process takes longer than everything else."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=20)
    _replace_broken_connections(engine)
    _explain_lost_connections(engine)
    return engine


def _replace_broken_connections(engine: Engine) -> None:
    """Detects a broken connection before it is used again.

    Seeing that the server has closed its end costs nothing. Only after a pause is the server pinged, since something on
    the way may have dropped the connection silently.
    """

    @event.listens_for(engine, "checkin")
    def used(connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, _: Any) -> None:
        dialect = engine.dialect
        try:
            poll = select.poll()
            poll.register(connection.fileno(), select.POLLIN)
            if poll.poll(0) or time.monotonic() - record.info.get("used", 0.0) > _PAUSE_S:
                dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _explain_lost_connections(engine: Engine) -> None:
    """Waits for a server that is restarting, and explains in one sentence if it does not come back."""
    gone = False

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _: Any, arguments: Any, keywords: Any) -> Any:
        nonlocal gone
        # Waits only once for a server that is gone, or each of a run's last events would wait again.
        attempts = Retrying(
            retry=retry_if_exception_type(dialect.loaded_dbapi.OperationalError),
            wait=wait_exponential(0.1, max=1),
            stop=stop_after_delay(0 if gone else _PATIENCE_S),
            reraise=True,
        )
        gone = True
        connection = attempts(dialect.connect, *arguments, **keywords)
        gone = False
        return connection

    @event.listens_for(engine, "handle_error")
    def explain(context: Any) -> PostgresError | None:
        if getattr(context.original_exception, "pgcode", None) == _DISK_FULL:
            return PostgresError(f"PostgreSQL cannot write: {os.strerror(errno.ENOSPC)}.")
        if not context.is_disconnect and context.connection is not None:
            return None
        return PostgresUnavailableError(
            f"The connection to PostgreSQL was lost: {str(context.original_exception).strip().splitlines()[0]}. "
            "Nothing is left half done; give the same command again."
        )
