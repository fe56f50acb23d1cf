"""What people enter in PostgreSQL's schema `ops`, as tables of the lake: snapshots, and the sensor that takes them.

A snapshot is made anew only when somebody changed something, so that what follows from it knows
that there is something to follow. The days that a change concerns are requested together with it:
nothing else would ask for days that gained no file.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.ops import migrate, snapshot, versions
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import Days, common_definition
from gamestats_assets.orchestration.checks import declared_check_results, declared_check_specs
from gamestats_assets.orchestration.io_manager import Replacement, commit
from gamestats_assets.orchestration.metadata import asset_key, materialisation_metadata


def entered_tables(
    tables: Sequence[type[Table]], partition_keys: Mapping[type[Table], tuple[str, str]] | None = None
) -> dg.AssetsDefinition:
    """One step that takes snapshots of tables of `ops`; those that nobody changed are passed over.

    Args:
        tables: unpartitioned tables of one game with the same `made_by`.
        partition_keys: tables whose rows are partitions of others: the column that holds the key
            (null where there is none yet), and the name of the dynamic partitions.
    """
    game, step = tables[0].spec.game, tables[0].spec.step

    @dg.multi_asset(
        name=f"{game}_{step}",
        specs=[
            dg.AssetSpec(asset_key(table), skippable=True, code_version="1", **common_definition(table, {"postgres"}))
            for table in tables
        ],
        check_specs=[spec for table in tables for spec in declared_check_specs(table)],
        required_resource_keys={"stores"},
        pool=f"{game}_{step}",
    )
    def enter(context: dg.AssetExecutionContext) -> Iterator[Any]:
        stores: Stores = context.resources.stores
        migrate(stores.postgres_url)
        for table in tables:
            rows = snapshot(stores.postgres_url, table)
            if is_current(stores, table, rows=rows):
                yield from declared_check_results(table, stores.lake, [], context)
                continue
            written = commit(stores, table, Replacement(rows), [])
            column, partitions = (partition_keys or {}).get(table, (None, ""))
            if column is not None:
                keys = rows.get_column(column).drop_nulls().unique(maintain_order=True).to_list()
                context.instance.add_dynamic_partitions(partitions, keys)
            yield dg.MaterializeResult(
                asset_key=asset_key(table), metadata=materialisation_metadata(stores.lake, table, None, [written])
            )
            yield from declared_check_results(table, stores.lake, [], context)

    return enter


def is_current(stores: Stores, table: type[Table], *, rows: Any = None) -> bool:
    """Whether the lake's snapshot of a table is what stands in `ops`."""
    if stores.lake.open(table) is None:
        return False
    rows = snapshot(stores.postgres_url, table) if rows is None else rows
    keys = table.primary_key()
    return bool(stores.lake.scan(table).collect().sort(keys).equals(rows.sort(keys)))


def entered_sensor(
    name: str,
    tables: Sequence[type[Table]],
    concerned: Sequence[type[Table]],
    days: Callable[[Stores], Days],
    *,
    description: str,
    interval_s: int = 10,
) -> dg.SensorDefinition:
    """A sensor that requests snapshots when something was entered, and then the days that it concerns.

    Args:
        tables: the snapshots.
        concerned: tables by day that are made from them and from the matches.
        days: first and last day on which what is entered can matter; None while there is none.
    """
    snapshots, followers = [asset_key(t) for t in tables], [asset_key(t) for t in concerned]

    @dg.sensor(
        name=name,
        target=dg.AssetSelection.assets(*snapshots, *followers),
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        told = json.loads(context.cursor) if context.cursor else {}
        migrate(stores.postgres_url)
        found = combined_hash(f"{table} {version}" for table, version in versions(stores.postgres_url).items())
        taken = max((_newest(context.instance, key) for key in snapshots), default=0)
        requests: list[dg.RunRequest] = []
        if told.get("entered") != found:
            requests.append(dg.RunRequest(run_key=f"entered {found}", asset_selection=snapshots))
        if taken > told.get("taken", 0) and (span := days(stores)):
            requests.append(
                dg.RunRequest(
                    run_key=f"concerned {taken}",
                    asset_selection=followers,
                    tags={
                        "dagster/asset_partition_range_start": span[0],
                        "dagster/asset_partition_range_end": span[1],
                        "gamestats/requested_by": name,
                    },
                )
            )
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps({"entered": found, "taken": taken}, sort_keys=True),
            skip_reason=None if requests else "Nobody entered anything.",
        )

    return sensor


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> int:
    records = instance.fetch_materializations(key, limit=1).records
    return records[0].storage_id if records else 0
