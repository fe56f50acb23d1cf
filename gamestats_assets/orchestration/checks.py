"""Asset checks: what a table declares about itself, and what tables must keep together.

- `declared_checks` stand on every table: its own rules, read back from what was committed,
  and whether anything of it is in quarantine.
- `table_checks` runs the game's `breaking_rows` checks of one table as one step.

A range run gives one evaluation for all its partitions, so a failing check names the
partitions that fail.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import Check, destination, quarantine_of, screen
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table, partition_key_of
from gamestats_assets.orchestration.metadata import asset_key, frame_metadata
from gamestats_assets.orchestration.partitions import partitions_of, values_of

RULES = "declared_rules"
QUARANTINE = "nothing_quarantined"


class BlockingCheckError(GamestatsError):
    """Data that is about to be published breaks a blocking check."""


def _spec(table: type[Table], name: str, **keywords: Any) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset_key(table), partitions_def=partitions_of(table), **keywords)


def declared_check_specs(table: type[Table]) -> list[dg.AssetCheckSpec]:
    """Specs of the two checks that every table has."""
    return [
        _spec(
            table,
            RULES,
            blocking=True,
            description="What was committed has the declared keys, bounds and rules when read back.",
        ),
        _spec(
            table,
            QUARANTINE,
            description="Nothing of this table is in quarantine. Only a warning: what is there is kept and counted.",
        ),
    ]


def declared_check_results(table: type[Table], lake: Lake, keys: Sequence[str]) -> Iterator[dg.AssetCheckResult]:
    """Results of the two checks on the partitions `keys`."""
    committed = lake.scan(table, values_of(table, keys) if table.spec.partitioned_by else None).collect()
    screened = screen(table, committed)
    yield dg.AssetCheckResult(
        check_name=RULES,
        asset_key=asset_key(table),
        passed=not screened.rejections,
        metadata={
            "rows_checked": committed.height,
            **({"broken": "\n".join(r.reason for r in screened.rejections[:20])} if screened.rejections else {}),
        },
    )
    quarantine = quarantine_of(table.spec.game)
    places = [destination(table, key) for key in (keys or ["all"])]
    entries = lake.scan(quarantine, places).drop("content").collect()
    rejected = int(entries.get_column("rejected_rows").sum())
    yield dg.AssetCheckResult(
        check_name=QUARANTINE,
        asset_key=asset_key(table),
        passed=entries.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "quarantined_rows": rejected,
            **(
                {
                    "entries": frame_metadata(entries.select("partition_key", "unit_id", "scope", "rule", "reason")),
                    "by_rule": dg.MetadataValue.json(
                        dict(entries.group_by("rule").agg(pl.col("rejected_rows").sum()).sort("rule").iter_rows())
                    ),
                }
                if not entries.is_empty()
                else {}
            ),
        },
    )


def evaluate(check: Check, lake: Lake, keys: Sequence[str] | None) -> pl.DataFrame:
    """The rows that break a check in the partitions `keys`; None looks at all partitions."""
    frames = {
        name: lake.scan(table, values_of(table, keys) if table.spec.partitioned_by and keys is not None else None)
        for name, table in check.inputs.items()
    }
    return check.rows(**frames).collect()


def check_result(check: Check, broken: pl.DataFrame) -> dg.AssetCheckResult:
    """A check's result from the rows that break it, naming the partitions."""
    partition = check.table.spec.partitioned_by
    metadata: dict[str, Any] = {"violations": broken.height}
    if not broken.is_empty():
        metadata["examples"] = frame_metadata(broken)
        if partition in broken.columns:
            days = broken.get_column(partition).unique().sort().drop_nulls()
            metadata["failing_partitions"] = ", ".join(partition_key_of(day) for day in days)
    return dg.AssetCheckResult(
        check_name=check.name,
        asset_key=asset_key(check.table),
        passed=broken.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def table_checks(table: type[Table], checks: Sequence[Check]) -> dg.AssetChecksDefinition:
    """All checks of one table as one step, each selectable on its own."""
    specs = [
        _spec(
            table,
            check.name,
            blocking=check.blocking,
            description=check.description,
            additional_deps=sorted({asset_key(other) for other in check.inputs.values() if other is not table}),
        )
        for check in checks
    ]
    by_name = {check.name: check for check in checks}

    @dg.multi_asset_check(
        name=f"{table.spec.game}_{table.spec.name}_checks",
        specs=specs,
        can_subset=True,
        required_resource_keys={"stores"},
        pool=f"{table.spec.game}_checks",
    )
    def run(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        stores: Stores = context.op_execution_context.resources.stores
        keys = list(context.partition_keys) if partitions_of(table) is not None and _has_partitions(context) else None
        for key in sorted(context.selected_asset_check_keys, key=lambda key: key.name):
            check = by_name[key.name]
            yield check_result(check, evaluate(check, stores.lake, keys))

    return run


def _has_partitions(context: dg.AssetCheckExecutionContext) -> bool:
    return context.has_partition_key or context.has_partition_key_range


def refuse_broken(checks: Sequence[Check], lake: Lake, keys: Sequence[str]) -> None:
    """Raise `BlockingCheckError` when the partitions break one of the blocking checks.

    A blocking check stops only what runs with it; a later run of a publication alone would
    go ahead. So a publication asks again.
    """
    for check in checks:
        if not check.blocking:
            continue
        broken = evaluate(check, lake, keys)
        if not broken.is_empty():
            raise BlockingCheckError(
                f"Nothing was published: {check.table.spec.dotted} breaks the check {check.name!r} in "
                f"{broken.height} rows of {', '.join(keys[:5])}. {check.description} "
                f"First: {broken.row(0, named=True)}. Correct the input, materialise the table again, then publish."
            )
