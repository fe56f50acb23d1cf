"""Dagster's own storage, in the PostgreSQL that the settings name, named by `dagster.yaml`.

Every process of Dagster (webserver, daemon, code server, run) asks for it by itself, so no
connection string stands in a file or an environment variable, and the embedded server is
started by whichever process comes first.
"""

from __future__ import annotations

import functools
import select
import time
from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData  # the type that Dagster's own storages take
from dagster_postgres import DagsterPostgresStorage
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from gamestats_assets.lakehouse.embedded_postgres import is_running
from gamestats_assets.lakehouse.postgres import dagster_url
from gamestats_assets.settings import Settings

# A run asks for a connection thousands of times, one right after another.
_PAUSE_S = 1.0


class GamestatsStorage(DagsterPostgresStorage):
    """Runs, events and schedules of Dagster, in the schema `dagster` of our PostgreSQL."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """It takes no configuration: the settings are all it needs."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> GamestatsStorage:
        """The storage by the settings of this process; called by Dagster."""
        # Sensors are given an instance, and so a storage, at every tick: what is the same for all is made once.
        url = _url(Settings()).get_secret_value()
        storage = cls(postgres_url=url, inst_data=inst_data, should_autocreate_tables=url not in _PREPARED)
        _PREPARED.add(url)
        engine = _engine(url)
        for part in (storage._run_storage, storage._event_log_storage, storage._schedule_storage):
            part._engine = engine
        # Asked at every event, and a schema that was migrated when the storage was made changes no more.
        events = storage._event_log_storage
        setattr(events, "has_table", functools.cache(events.has_table))  # noqa: B010
        return storage

    @property
    def event_storage_data(self) -> None:
        """Other processes make the whole storage, never one part of it."""

    @property
    def run_storage_data(self) -> None:
        """As `event_storage_data`."""

    @property
    def schedule_storage_data(self) -> None:
        """As `event_storage_data`."""


_PREPARED: set[str] = set()
"""Servers whose tables this process has seen."""
_URLS: list[tuple[Settings, SecretStr]] = []


def _url(settings: Settings) -> SecretStr:
    """The URL of the storage; it is looked up, and the embedded server started, once for the same settings."""
    if settings.postgres_url is None and not is_running(settings):
        _URLS.clear()
    if not _URLS or _URLS[-1][0] != settings:
        _URLS[:] = [(settings, dagster_url(settings))]
    return _URLS[-1][1]


@functools.cache
def _engine(url: str) -> Engine:
    """Connections of this process that are kept.

    A run stores some thousand events. Left to itself, Dagster connects anew for each of them, and starting a server
    process takes longer than all the rest.
    """
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=20)
    _replace_broken_connections(engine)
    return engine


def _replace_broken_connections(engine: Engine) -> None:
    """Find a connection that broke before it is used again.

    A server that went has closed its end, which costs nothing to see. Only after a pause is the server asked: what lies
    between may have forgotten the connection without a word.
    """

    @event.listens_for(engine, "checkin")
    def used(connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, _: Any) -> None:
        dialect = engine.dialect
        try:
            told = select.poll()
            told.register(connection.fileno(), select.POLLIN)
            if told.poll(0) or time.monotonic() - record.info.get("used", 0.0) > _PAUSE_S:
                dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error
