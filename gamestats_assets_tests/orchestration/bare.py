"""Steps of a game without Dagster: the same code, a hundred times as fast."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness import Look, Step, held
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.making import Done, Making


class BareGame(Game):
    """A game whose steps are run by themselves."""

    @classmethod
    def of(cls, game: Game) -> BareGame:
        """The same game so."""
        bare = cls(game.name, game.tables, game.checks)
        bare.steps, bare.graph = game.steps, game.graph
        return bare

    def run(
        self, stores: Stores, only: Collection[type[Table]] | None = None, keys: Collection[str] | None = None
    ) -> list[tuple[str, str]]:
        """Run the steps of some tables or all for what is behind, or for some partitions of that; what was made."""
        made: list[tuple[str, str]] = []
        for step in self.steps:
            if only is not None and not {*step.tables} & {*only}:
                continue
            behind = [key for key in step.behind(self.look(stores)) if keys is None or key in ("", *keys)]
            if behind:
                done = self.make(stores, step, behind)
                made += [(step.table.spec.name, key) for key in done.made]
        return made

    def make(self, stores: Stores, step: Step, keys: Sequence[str]) -> Done:
        """Run one step for some partitions, behind or not."""
        return Making(step, stores, self.graph, keys).run()

    def look(self, stores: Stores, only: Mapping[str, Collection[str]] | None = None) -> Look:
        """What there is now; see `Look`."""
        return Look(stores, self.graph, only=only)

    def stopped(self, stores: Stores) -> dict[tuple[str, str], list[str]]:
        """By table and partition, the checks that keep it from everybody, publication included."""
        look = self.look(stores)
        return {
            (table.spec.name, key): sorted(found.failed)
            for table in self.tables
            for key, found in look.ledger(table).partitions.items()
            if found.failed
        }

    def quarantined(self, stores: Stores) -> dict[str, str]:
        """By match or other unit that is in quarantine as a whole, the rule that set it aside; the first by table."""
        entries = stores.lake.scan(quarantine_of(self.name)).filter(pl.col("scope") != "row").collect()
        told = entries.sort("table_name", descending=True).select("unit_id", "rule").rows()
        return dict(told)

    def behind(self, stores: Stores) -> dict[tuple[str, str], str]:
        """By table and partition, why it is behind; what must stay as it is is left out."""
        look = self.look(stores)
        return {
            (table.spec.name, key): why
            for step in self.steps
            for key, why in step.behind(look).items()
            if held(look, step, key) is None
            for table in step.tables
        }
