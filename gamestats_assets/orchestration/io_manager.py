"""How frames get from the lake into a step and back: the only writer that assets know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta import Commit
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.metadata import materialisation_metadata, partition_row_counts
from gamestats_assets.orchestration.partitions import values_of


class NothingLoadedError(GamestatsError):
    """Everything a step was asked for was rejected."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Rows, and what they replace.

    Attributes:
        rows: frame with the declared columns; may be empty. Or frames, one after another, of whole partitions.
        keys: partition keys the rows belong to; None means the keys of the run.
        ids: ids that are replaced within those partitions; None replaces the partitions.
        rejections: what was rejected before it became a row; read after the rows.
        partition_of: id to its partition key, for the rejections of ids without a row.
    """

    rows: pl.LazyFrame | pl.DataFrame | Iterable[pl.DataFrame]
    keys: Sequence[str] | None = None
    ids: Sequence[str] | None = None
    rejections: Sequence[Rejection] = field(default=())
    partition_of: Mapping[str, str] = field(default_factory=dict)


def commit(stores: Stores, table: type[Table], replacement: Replacement, run_keys: Sequence[str]) -> Commit:
    """Write one replacement into the lake."""
    keys = list(replacement.keys if replacement.keys is not None else run_keys)
    return stores.lake.replace(
        table,
        replacement.rows,
        partitions=values_of(table, keys) if table.spec.partitioned_by else None,
        ids=replacement.ids,
        rejections=replacement.rejections,
        partition_of=replacement.partition_of,
    )


def refuse_total_loss(table: type[Table], commits: Sequence[Commit]) -> None:
    """Raise `NothingLoadedError` when rows came and every one was quarantined."""
    rejections = [rejection for commit in commits for rejection in commit.rejections]
    if rejections and not any(commit.rows for commit in commits):
        raise NothingLoadedError(
            f"{table.spec.dotted}: everything was rejected ({sum(c.rejected_rows for c in commits)} rows). "
            f"First reason: {rejections[0].reason} "
            f'All of them: gamestats query "from {table.spec.game}.quarantine"'
        )


class LakeIOManager(dg.IOManager):
    """Loads a table as a LazyFrame of the partitions asked for; stores a frame or Replacements.

    Steps read their inputs themselves, when their ledgers have told what is to be done; loading is for
    whoever asks Dagster for an asset's value. A frame replaces the run's partitions whole. An iterator of
    `Replacement` is consumed one by one, each in one commit, so a step of many matches needs the memory of
    one batch.
    """

    def __init__(self, tables: Mapping[dg.AssetKey, type[Table]]) -> None:
        self._tables = tables

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """The lazy frame of an upstream table."""
        table = self._tables[context.asset_key]
        stores: Stores = context.resources.stores
        if table.spec.partitioned_by and context.has_asset_partitions:
            return stores.lake.scan(table, values_of(table, context.asset_partition_keys))
        return stores.lake.scan(table)

    def handle_output(
        self, context: dg.OutputContext, obj: pl.LazyFrame | pl.DataFrame | Replacement | Iterator[Replacement]
    ) -> None:
        """Write what a step returned, and tell the UI about it."""
        table = self._tables[context.asset_key]
        stores: Stores = context.resources.stores
        keys = [*map(str, context.asset_partition_keys)] if context.has_asset_partitions else []
        if isinstance(obj, (pl.LazyFrame, pl.DataFrame)):
            obj = Replacement(obj)
        replacements = iter([obj]) if isinstance(obj, Replacement) else obj
        commits = [commit(stores, table, replacement, keys) for replacement in replacements]
        if not commits:
            stores.lake.ensure(table)
        values = values_of(table, keys) if table.spec.partitioned_by else None
        context.add_output_metadata(materialisation_metadata(stores.lake, table, values, commits))
        # The total above is repeated on every partition of a range; this is each one's own.
        for key, metadata in partition_row_counts(stores.lake, table, keys).items():
            context.step_context.add_asset_metadata(metadata, context.asset_key, partition_key=key)
        refuse_total_loss(table, commits)


def lake_io_manager(tables: Mapping[dg.AssetKey, type[Table]]) -> dg.IOManagerDefinition:
    """The IO manager for a set of tables; it needs the resource `stores`."""

    @dg.io_manager(required_resource_keys={"stores"}, input_config_schema={}, output_config_schema={})
    def lake() -> LakeIOManager:
        return LakeIOManager(tables)

    return lake


@dg.resource(description="The landing zone, the lake and PostgreSQL that the settings name.")
def stores_resource() -> Stores:
    """Stores by the environment of the process that runs the step."""
    return Stores()
