"""Access to all storage of one process, opened on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import SecretStr

from gamestats_assets.settings import Settings

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.delta.lake import Lake
    from gamestats_assets.lakehouse.files.objects import Objects
    from gamestats_assets.lakehouse.files.unpacking import ReadLimits
    from gamestats_assets.lakehouse.landing.zone import Landing


class Stores:
    """The landing zone, the lake, the objects and PostgreSQL that the settings name."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @property
    def read_limits(self) -> ReadLimits:
        """Limits on the size of one file and on the time to read it."""
        from gamestats_assets.lakehouse.files.unpacking import ReadLimits
        from gamestats_assets.lakehouse.worker import TaskLimits

        decoding = TaskLimits(self.settings.decoding_mb, self.settings.longest_decoding_s)
        return ReadLimits(self.settings.largest_file_mb, self.settings.longest_read_s, decoding)

    @cached_property
    def landing(self) -> Landing:
        """Raw files as received."""
        from gamestats_assets.lakehouse.landing.zone import Landing

        return Landing(self.settings.under_data("landing"), self.settings.storage_options, self.read_limits)

    @cached_property
    def lake(self) -> Lake:
        """Delta tables."""
        from gamestats_assets.lakehouse.delta.lake import Lake

        return Lake(self.settings.under_data("lake"), self.settings.storage_options)

    @cached_property
    def objects(self) -> Objects:
        """Binary values of published rows, and files that wait to be processed."""
        from gamestats_assets.lakehouse.files.objects import Objects

        return Objects(self.settings.under_data("objects"), self.settings.storage_options)

    @cached_property
    def postgres_url(self) -> SecretStr:
        """PostgreSQL to publish to; starts the embedded server if none is configured."""
        from gamestats_assets.lakehouse.postgres.embedded import postgres_url

        return postgres_url(self.settings)

    @contextmanager
    def alone(self, name: str, log: Callable[[str], object]) -> Iterator[None]:
        """Excludes other processes under this name; they wait, and log that once.

        If the process is killed, PostgreSQL frees the name with its connection.
        """
        from gamestats_assets.lakehouse.postgres.server import connect

        with connect(self.postgres_url) as conn:
            free = conn.execute("SELECT pg_try_advisory_lock(hashtextextended('alone ' || %s, 0))", [name]).fetchone()
            if free == (False,):
                log(f"Another run works on {name}; this one waits for it.")
                conn.execute("SELECT pg_advisory_lock(hashtextextended('alone ' || %s, 0))", [name])
            yield
