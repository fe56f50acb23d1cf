"""Tables made from documents that belong to no day: all of them are read together, when one has landed that is new."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import Ledger, combined_hash, step_version
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import Processing, common_definition
from gamestats_assets.orchestration.checks import declared_check_results, declared_check_specs
from gamestats_assets.orchestration.io_manager import Replacement, commit
from gamestats_assets.orchestration.metadata import FROM_LANDING, asset_key, materialisation_metadata
from gamestats_assets.orchestration.settled import ALWAYS, ROWS

Frames = Mapping[type[Table], pl.DataFrame]
Rejections = Mapping[type[Table], Sequence[Rejection]]


@dataclass(frozen=True)
class Documents:
    """A step that reads landed documents.

    Attributes:
        tables: tables without partitions, of one game and with the same `made_by`.
        listed: the landed documents.
        read: their rows, and what could not be read of them, by table.
        code_version: to be raised when the same documents give other rows.
    """

    tables: tuple[type[Table], ...]
    listed: Callable[[Landing], Sequence[LandedFile]]
    read: Callable[[Landing], tuple[Frames, Rejections]]
    code_version: str = "1"

    def behind(self, stores: Stores) -> str:
        """A hash of the documents when the tables are made from others, or by other code; else ""."""
        wanted = self._wanted(stores)
        return "" if self._ledger(stores).entries([ALWAYS]).get(ALWAYS, {}).get(ROWS) == wanted else wanted

    def _wanted(self, stores: Stores) -> str:
        version = step_version(self.tables, self.code_version)
        return combined_hash(
            [*(f"{file.kind} {file.content_hash}" for file in self.listed(stores.landing)), f"code {version}"]
        )

    def _ledger(self, stores: Stores) -> Ledger:
        spec = self.tables[0].spec
        return Ledger(stores.lake, spec.game, spec.step)

    def asset(self) -> dg.AssetsDefinition:
        """The step."""
        spec = self.tables[0].spec

        @dg.multi_asset(
            name=f"{spec.game}_{spec.step}",
            specs=[
                dg.AssetSpec(
                    asset_key(table),
                    code_version=step_version(self.tables, self.code_version),
                    **common_definition(table, {"python"}, {FROM_LANDING: "true"}),
                )
                for table in self.tables
            ],
            check_specs=[each for table in self.tables for each in declared_check_specs(table, by_conditions=False)],
            required_resource_keys={"stores"},
            pool=f"{spec.game}_{spec.step}",
        )
        def read(context: dg.AssetExecutionContext, config: Processing) -> Iterator[Any]:
            stores: Stores = context.resources.stores
            # Before anything is read: what lands meanwhile is then found to be new.
            wanted = self._wanted(stores)
            due = config.everything or self.behind(stores) != ""
            context.log.info(f"{len(self.listed(stores.landing))} documents have landed{'' if due else ', none new'}.")
            frames, rejections = self.read(stores.landing) if due else ({}, {})
            for table in self.tables:
                written = (
                    [commit(stores, table, Replacement(frames[table], rejections=rejections.get(table, ())), [])]
                    if due
                    else []
                )
                yield dg.MaterializeResult(
                    asset_key=asset_key(table), metadata=materialisation_metadata(stores.lake, table, None, written)
                )
                yield from declared_check_results(table, stores.lake, [], context)
            if due:
                self._ledger(stores).record({ALWAYS: {ROWS: wanted}})

        return read
