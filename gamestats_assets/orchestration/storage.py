"""Dagster's own storage, in the PostgreSQL that the settings name, named by `dagster.yaml`.

Every process of Dagster (webserver, daemon, code server, run) asks for it by itself, so no
connection string stands in a file or an environment variable, and the embedded server is
started by whichever process comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData  # the type that Dagster's own storages take
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import create_engine

from gamestats_assets.lakehouse.postgres import dagster_url
from gamestats_assets.settings import Settings


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
        url = dagster_url(Settings()).get_secret_value()
        storage = cls(postgres_url=url, inst_data=inst_data)
        # A run stores some thousand events. Left to itself, Dagster connects anew for each of them, and starting
        # a server process takes longer than all the rest. A connection that broke is found before it is used.
        engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=20, pool_pre_ping=True)
        for part in (storage._run_storage, storage._event_log_storage, storage._schedule_storage):
            part._engine = engine
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
