"""A lake and a PostgreSQL, whose steps run without Dagster, and the same in Dagster."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from pydantic import SecretStr

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.execution import StepResult
from gamestats_assets.orchestration.freshness.step import Step
from gamestats_assets.pubg.assets import game
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration.bare import BareGame
from gamestats_assets_tests.support.operations import BySensors


class PubgInDagster(BySensors):
    """The code location."""

    game = "pubg"


class Pubg(BareGame):
    """The game.

    Attributes:
        checked: names of all checks that were evaluated, each with whether it always passed.
    """

    checked: dict[str, bool]

    def make(self, stores: Stores, step: Step, keys: list[str]) -> StepResult:
        """Runs one step; what its checks say is kept."""
        done = super().make(stores, step, keys)
        for verdict in done.verdicts.values():
            for name, broken in verdict.broken.items():
                self.checked[name] = broken.is_empty() and self.checked.get(name, True)
        return done


class House:
    """Tables in a folder, over a database that has `ops`."""

    def __init__(self, folder: Path, postgres_url: str) -> None:
        self.folder, self.url = folder, postgres_url
        self.stores = Stores(Settings(data=str(folder / "data"), postgres_url=SecretStr(postgres_url), workers=1))
        self.game = Pubg.of(game())
        self.game.checked = {}

    def rows(self, table: type[Table]) -> pl.DataFrame:
        """All rows of a table."""
        return self.stores.lake.scan(table).collect()
