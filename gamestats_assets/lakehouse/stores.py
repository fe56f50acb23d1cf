"""Everything one process needs to reach storage, opened on first use."""

from __future__ import annotations

from functools import cached_property

from pydantic import SecretStr

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.landing import Landing
from gamestats_assets.settings import Settings


class Stores:
    """The landing zone, the lake and PostgreSQL that the settings name."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @cached_property
    def landing(self) -> Landing:
        """Raw files as received."""
        return Landing(self.settings.under_data("landing"), self.settings.storage_options)

    @cached_property
    def lake(self) -> Lake:
        """Delta tables."""
        return Lake(self.settings.under_data("lake"), self.settings.storage_options)

    @cached_property
    def postgres_url(self) -> SecretStr:
        """PostgreSQL to publish to; starts the embedded server when none is configured."""
        from gamestats_assets.lakehouse.postgres import postgres_url

        return postgres_url(self.settings)
