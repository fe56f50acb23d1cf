"""What people enter in PostgreSQL's schema `ops`, as tables of the lake: snapshots, and the sensor that takes them.

A snapshot is made anew only when somebody changed something, so that what follows from it knows
that there is something to follow. The partitions in which something is not right any more are requested
after it: nothing else would ask for those that gained no file.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.ops import migrate, snapshot, versions
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import Days, common_definition, keys_of_run
from gamestats_assets.orchestration.checks import declared_check_results, declared_check_specs
from gamestats_assets.orchestration.instance import ranges, ranges_behind
from gamestats_assets.orchestration.io_manager import Replacement, commit
from gamestats_assets.orchestration.metadata import FROM_PEOPLE, asset_key, materialisation_metadata
from gamestats_assets.orchestration.partitions import dimensions, partitions_of
from gamestats_assets.orchestration.requests import (
    FOLLOWING_PRIORITY,
    REQUESTED_BY_TAG,
    due_attempt,
    is_on_its_way,
    range_tags,
    request,
)

# How soon to look again at what is behind and must wait, or was given up.
_LOOK_AGAIN_S = 60


def entered_tables(
    tables: Sequence[type[Table]],
    partition_keys: Mapping[type[Table], tuple[str, str]] | None = None,
    *,
    by_conditions: bool = True,
) -> dg.AssetsDefinition:
    """One step that takes snapshots of tables of `ops`; those that nobody changed are passed over.

    Args:
        tables: tables of one game with the same `made_by`: without partitions, or by the same names, of which only
            those are taken up that a run is of.
        partition_keys: tables whose rows are partitions of others: the column that holds the key
            (null where there is none yet), and the name of the dynamic partitions.
        by_conditions: whether what is made from them is requested by automation conditions.
    """
    game, step = tables[0].spec.game, tables[0].spec.step
    own_partitions = partitions_of(tables[0])

    @dg.multi_asset(
        name=f"{game}_{step}",
        specs=[
            dg.AssetSpec(
                asset_key(table),
                skippable=True,
                code_version="1",
                **common_definition(table, {"postgres"}, {FROM_PEOPLE: "true"}),
            )
            for table in tables
        ],
        check_specs=[spec for table in tables for spec in declared_check_specs(table, by_conditions=by_conditions)],
        partitions_def=own_partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if own_partitions else None,
        required_resource_keys={"stores"},
        pool=f"{game}_{step}",
    )
    def enter(context: dg.AssetExecutionContext) -> Iterator[Any]:
        stores: Stores = context.resources.stores
        migrate(stores.postgres_url)
        # A run of partitions may have assets without any beside it.
        keys = keys_of_run(context) if own_partitions else []
        for table in tables:
            rows = _entered(stores, table, keys)
            column, partitions = (partition_keys or {}).get(table, (None, ""))
            if column is not None:
                # Ahead of the snapshot: what has a row in the lake has its partition.
                names = rows.get_column(column).drop_nulls().unique(maintain_order=True).to_list()
                context.instance.add_dynamic_partitions(partitions, names)
            current = is_current(stores, table, keys, rows=rows)
            written = [] if current else [commit(stores, table, Replacement(rows), keys)]
            # Where conditions follow it, only what has changed may be told; a backfill waits to be told in any case.
            if written or keys or not by_conditions:
                yield dg.MaterializeResult(
                    asset_key=asset_key(table),
                    metadata=materialisation_metadata(stores.lake, table, keys or None, written),
                )
            yield from declared_check_results(table, stores.lake, keys, context)

    return enter


def _entered(stores: Stores, table: type[Table], keys: Sequence[str]) -> pl.DataFrame:
    """Rows of `ops`, of some partitions where there are any."""
    rows = snapshot(stores.postgres_url, table)
    return rows.filter(pl.col(table.spec.partitioned_by or "").is_in(list(keys))) if keys else rows


def is_current(stores: Stores, table: type[Table], keys: Sequence[str] = (), *, rows: Any = None) -> bool:
    """Whether the lake's snapshot of a table, or of some of its partitions, is what stands in `ops`."""
    if stores.lake.open(table) is None:
        return False
    rows = _entered(stores, table, keys) if rows is None else rows
    by = table.primary_key()
    return bool(stores.lake.scan(table, list(keys) or None).collect().sort(by).equals(rows.sort(by)))


def not_current(stores: Stores, table: type[Table], instance: dg.DagsterInstance) -> list[str]:
    """Partitions whose snapshot is not what stands in `ops`, or was never taken; "" is that of a table without any.

    Names that are new become partitions.
    """
    rows = snapshot(stores.postgres_url, table)
    column, partitions = table.spec.partitioned_by, partitions_of(table)
    if column is None or partitions is None:
        return [] if is_current(stores, table, rows=rows) else [""]
    (names,) = dimensions(partitions)
    held = stores.lake.scan(table).collect()
    wanted, there = (
        {key: of.sort(table.primary_key()) for (key,), of in frame.partition_by(column, as_dict=True).items()}
        for frame in (rows, held)
    )
    known = instance.get_dynamic_partitions(names)
    if new := sorted(wanted.keys() - {*known}):
        instance.add_dynamic_partitions(names, new)
    taken = instance.get_materialized_partitions(asset_key(table))
    nothing = rows.clear()
    return [
        key
        for key in (*known, *new)
        if key not in taken or not there.get(key, nothing).equals(wanted.get(key, nothing))
    ]


def entered_sensor(
    name: str,
    tables: Sequence[type[Table]],
    followers: Sequence[dg.AssetKey],
    behind: Callable[[Stores], Mapping[str, str]],
    *,
    behind_of: type[Table],
    description: str,
    after: Sequence[str] = (),
    interval_s: int = 10,
) -> dg.SensorDefinition:
    """A sensor that requests snapshots when something was entered, and then the partitions that are not right any more.

    It asks again when a run failed, and as long as something is behind; the cursor only spares it looking.

    Args:
        tables: the snapshots.
        followers: assets that are made from them, in whichever way, all with the same partitions.
        behind: those partitions that are not as the snapshots would have them, each with a hash of what is to do.
        behind_of: a table with these partitions.
        after: sensors whose runs make the same days; their end is waited for.
    """
    snapshots = [asset_key(table) for table in tables]
    partitions = partitions_of(tables[0])
    targets: dict[str, Any] = {"target": dg.AssetSelection.assets(*snapshots, *followers)}
    taking = making = None
    if partitions is not None:
        # One job cannot have assets of different partitions.
        taking, making = f"{name}_entered", f"{name}_made"
        of_jobs = {taking: snapshots, making: followers}
        targets = {"jobs": [dg.define_asset_job(job, dg.AssetSelection.assets(*of)) for job, of in of_jobs.items()]}

    @dg.sensor(
        name=name,
        **targets,
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        told = json.loads(context.cursor) if context.cursor else {}
        migrate(stores.postgres_url)
        instance = context.instance
        requests: list[dg.RunRequest] = []

        def ask(reason: str, job: str | None, assets: Sequence[dg.AssetKey], span: Days) -> None:
            if (attempt := due_attempt(instance, reason)) is not None:
                tags = {"dagster/priority": FOLLOWING_PRIORITY, REQUESTED_BY_TAG: name}
                tags |= range_tags(*span) if span else {}
                requests.append(request(reason, attempt, assets, tags=tags, job_name=job))

        known = versions(stores.postgres_url)
        names = [] if partitions is None else partitions.get_partition_keys(dynamic_partitions_store=instance)
        entered = combined_hash([*(f"{table.spec.name} {known.get(table.spec.name, 0)}" for table in tables), *names])
        if told.get("entered") != entered:
            due = {key for table in tables for key in not_current(stores, table, instance)}
            for span in ranges(partitions, due, instance):
                ask(" ".join(["entered", *(span or ()), entered]), taking, snapshots, span)
            if not due:
                told["entered"] = entered
        held = combined_hash(f"{table.spec.key} {stores.lake.version(table)}" for table in tables)
        is_due = told.get("held") != held or told.get("again_at", float("inf")) <= time.time()
        if is_due and not any(is_on_its_way(instance, sensor) for sensor in (name, *after)):
            days = behind(stores)
            for first, last, work in ranges_behind(partitions_of(behind_of), days, instance):
                # With the snapshots' versions: what is entered, taken back and entered again is three reasons.
                ask(f"placed {first} {combined_hash([held, work])}", making, followers, (first, last))
            told["held"] = held
            told.pop("again_at", None)
            if days:
                told["again_at"] = time.time() + (interval_s if requests else _LOOK_AGAIN_S)
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps(told, sort_keys=True),
            skip_reason=None if requests else "Nobody entered anything that is not taken or on its way.",
        )

    return sensor
