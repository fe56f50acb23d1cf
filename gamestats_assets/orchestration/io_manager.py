"""The lake as Dagster's IO manager: loads a table's partitions for whoever asks Dagster for an asset's value.

Steps read their inputs and commit their rows themselves, when the ledgers have told what is behind.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.partitions import values_of
from gamestats_assets.settings import Settings


class LakeIOManager(dg.IOManager):
    """Loads a table as a LazyFrame of the partitions asked for; stores a frame in place of them."""

    def __init__(self, tables: Mapping[dg.AssetKey, type[Table]]) -> None:
        self._tables = tables

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """The lazy frame of an upstream table."""
        table = self._tables[context.asset_key]
        stores: Stores = context.resources.stores
        if table.spec.partitioned_by and context.has_asset_partitions:
            return stores.lake.scan(table, values_of(table, context.asset_partition_keys))
        return stores.lake.scan(table)

    def handle_output(self, context: dg.OutputContext, obj: pl.LazyFrame | pl.DataFrame) -> None:
        """Replace the run's partitions by a frame."""
        table = self._tables[context.asset_key]
        stores: Stores = context.resources.stores
        keys = [*map(str, context.asset_partition_keys)] if context.has_asset_partitions else []
        stores.lake.replace(table, obj, partitions=values_of(table, keys) if table.spec.partitioned_by else None)


def lake_io_manager(tables: Mapping[dg.AssetKey, type[Table]]) -> dg.IOManagerDefinition:
    """The IO manager for a set of tables; it needs the resource `stores`."""

    @dg.io_manager(required_resource_keys={"stores"}, input_config_schema={}, output_config_schema={})
    def lake() -> LakeIOManager:
        return LakeIOManager(tables)

    return lake


@dg.resource(description="The landing zone, the lake and PostgreSQL that the settings name.")
def stores_resource() -> Stores:
    """Stores by the environment of the process; the same as long as that is the same, for they know what they read."""
    settings = Settings()
    if _LAST and _LAST[-1].settings == settings:
        return _LAST[-1]
    _LAST[:] = [Stores(settings)]
    return _LAST[-1]


_LAST: list[Stores] = []
