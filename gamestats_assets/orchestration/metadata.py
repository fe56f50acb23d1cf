"""Metadata of assets, materialisations and checks for the Dagster UI, derived from `Table` declarations."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.partitions import values_of

if TYPE_CHECKING:
    from gamestats_assets.orchestration.execution import StepResult
    from gamestats_assets.orchestration.freshness.snapshot import Snapshot

_COLUMNS_SHOWN = 12


def asset_key(table: type[Table]) -> dg.AssetKey:
    """`[game, table]`."""
    return dg.AssetKey([table.spec.game, table.spec.name])


def publication_key(table: type[Table]) -> dg.AssetKey:
    """`["postgres", game, table]`."""
    return dg.AssetKey(["postgres", table.spec.game, table.spec.name])


@functools.cache
def column_schema(table: type[Table]) -> dg.TableSchema:
    """The declared columns as Dagster shows them."""
    keys = set(table.primary_key())
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable,
                    unique=len(keys) == 1 and name in keys,
                    other=["primary key"] if name in keys else [],
                ),
                tags={"partition": ""} if name == table.spec.partitioned_by else None,
            )
            for name, column in table.columns().items()
        ]
    )


def step_metadata(snapshot: Snapshot, table: type[Table], done: StepResult) -> dict[str, Any]:
    """Metadata of one materialisation: rows, units, version, quarantine, and a preview unless rows name people."""
    commits, lake = done.commits[table], snapshot.lake
    rules: dict[str, int] = {}
    for commit in commits:
        for rejection in commit.rejections:
            rules[rejection.rule] = rules.get(rejection.rule, 0) + rejection.rejected_rows
    state = lake.state(table)
    # The first entries show on a run's page without being opened.
    metadata: dict[str, Any] = {}
    if table.spec.replaced_by is not None:
        held = {key: snapshot.ledger(table)[key] for key in done.keys}
        units = {key: len(found.units or ()) for key, found in held.items()}
        made = done.units if snapshot.graph.steps[table].by_unit else sum(units[key] for key in done.made)
        metadata["units_made"] = made
        metadata["units_set_aside"] = sum(len(found.set_aside) for found in held.values())
        metadata["units_passed_over"] = max(sum(units.values()) - made, 0)
    metadata |= {
        "rows_written": sum(commit.written for commit in commits),
        "partitions_made": len(done.made),
        "partitions_passed_over": len(done.keys) - len(done.made) - len(done.held),
        "quarantined_rows": sum(commit.rejected_rows for commit in commits),
        "dagster/uri": lake.uri(table),
    }
    if not table.spec.personal:
        first = values_of(table, done.keys[:1])
        shown = commits[-1].preview if commits else lake.scan(table, first).head(5).collect()
        metadata["preview"] = frame_metadata(shown)
    if state is not None:
        metadata |= {"delta_version": state.version, "dagster/row_count": state.rows}
    if rules:
        metadata["quarantined_by_rule"] = dg.MetadataValue.json(rules)
    return metadata


def frame_metadata(frame: pl.DataFrame, *, rows: int = 5) -> dg.TableMetadataValue:
    """The first rows and columns of a frame as a table in the UI."""
    shown = frame.head(rows).select(frame.columns[:_COLUMNS_SHOWN])
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({name: _plain(value) for name, value in row.items()}) for row in shown.iter_rows(named=True)
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, str(dtype)) for name, dtype in shown.schema.items()]),
    )


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def materializations(
    context: dg.AssetExecutionContext,
    lake: Lake,
    table: type[Table],
    metadata: Mapping[str, Any],
    keys: Sequence[str],
    made: Sequence[str],
    *,
    asset: dg.AssetKey | None = None,
) -> Iterator[Any]:
    """A step's result with the row count of each partition. Dagster's own results know only one, or a range of days.

    Args:
        metadata: of the asset. As part of the result, Dagster would store it a second time with the step's output.
        keys: partitions of the run; empty for an unpartitioned table.
        made: the partitions that were made.
        asset: the asset, if it is not the table itself.
    """
    asset = asset or asset_key(table)
    is_range = context.has_partition_key_range and not context.has_partition_key
    state = lake.state(table)
    rows = state.rows_per_partition if state is not None else {}
    counts = {key: {"dagster/partition_row_count": rows.get(key, 0)} for key in keys}
    # With a partition given, Dagster would ask the server whether it exists.
    context.add_asset_metadata(metadata if is_range or not keys else {**metadata, **counts[keys[0]]}, asset)
    for key in keys if is_range else ():
        context.add_asset_metadata(counts[key], asset, key)
    yield dg.MaterializeResult(asset_key=asset)
    for key in made if keys and not is_range else ():
        if key != keys[0]:
            yield dg.AssetMaterialization(asset, partition=key, metadata=counts[key])


def freshness_policy(table: type[Table]) -> dg.FreshnessPolicy | None:
    """How old a table may become. A table that is due by an hour may age until that hour of the next day.

    A policy with a deadline would say the same of a table made in time. But Dagster's daemon evaluates every policy
    each minute, and for a deadline it iterates over a thousand days.
    """
    hour, window = table.spec.fresh_by_hour, table.spec.fresh_within
    if hour is not None:
        window = timedelta(days=1, hours=hour)
    return dg.FreshnessPolicy.time_window(fail_window=window) if window else None
