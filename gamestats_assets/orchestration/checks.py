"""Asset checks: what a table declares about itself, and what tables must keep together.

- `declared_checks` stand on every table: its own rules, read back from what was committed,
  and whether anything of it is in quarantine.
- `up_to_date_spec` stands on every settled table: whether it is made from what its inputs hold now. A run says so of
  what it made, and the sensor that looks for what is behind says where it is not.
- `table_checks` runs the game's `breaking_rows` checks of one table as one step.

A range run tells each partition's result, and names in the result of all those that fail.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg
import polars as pl

# What a check looked at has no public name in Dagster (1.13), and a range run has to say it itself.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import Check, PieceScreening, QuarantineRow, destination, quarantine_of, screen
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table, partition_key_of
from gamestats_assets.orchestration.automation import WITH_ITS_ASSET
from gamestats_assets.orchestration.metadata import asset_key, frame_metadata
from gamestats_assets.orchestration.partitions import is_paired, partitions_of, pieces, values_of, values_read
from gamestats_assets.orchestration.requests import PARTITION_TAG
from gamestats_assets.orchestration.settled import Contents, Settled

RULES = "declared_rules"
QUARANTINE = "nothing_quarantined"
UP_TO_DATE = "is_up_to_date"
STOPS = "gamestats/stops"
"""Metadata of a check that stops what follows, though not the whole run."""
_FOUND: WeakKeyDictionary[Lake, dict[tuple[Any, ...], pl.DataFrame]] = WeakKeyDictionary()
_MOST_FOUND = 1000
_PARAGRAPH = "\n\n"


class BlockingCheckError(GamestatsError):
    """Data that is about to be published breaks a blocking check."""


def _spec(table: type[Table], name: str, **keywords: Any) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset_key(table), partitions_def=partitions_of(table), **keywords)


def declared_check_specs(table: type[Table], *, by_conditions: bool = True) -> list[dg.AssetCheckSpec]:
    """Specs of the two checks that every table has.

    Args:
        by_conditions: whether tables of its game are requested by automation conditions.
    """
    return [
        _spec(
            table,
            RULES,
            blocking=True,
            automation_condition=WITH_ITS_ASSET if by_conditions else None,
            description="What was committed has the declared keys, bounds and rules when read back.",
        ),
        _spec(
            table,
            QUARANTINE,
            description="Nothing of this table is in quarantine. Only a warning: what is there is kept and counted.",
        ),
    ]


def declared_check_results(
    table: type[Table], lake: Lake, keys: Sequence[str], context: dg.AssetExecutionContext | dg.OpExecutionContext
) -> Iterator[dg.AssetCheckEvaluation | dg.AssetCheckResult]:
    """Results of the two checks on the partitions `keys`, for each of them and in all."""
    partition = table.spec.partitioned_by
    found: list[tuple[str | None, str, str]] = []
    rows_checked = 0
    for piece in pieces(table, keys):
        values = values_of(table, piece) if partition else None
        if table.spec.replaced_by is None:
            screening = PieceScreening(table)
            for rows in lake.pieces(table, values):
                screening.rows(rows)
                rows_checked += rows.height
            of = piece[0] if len(piece) == 1 else None
            found += [(of, rejection.unit_id, rejection.reason) for rejection in screening.verdict()[1]]
            continue
        for rows in lake.whole_ids(table, values):
            rows_checked += rows.height
            for rejection in screen(table, rows).rejections:
                # A name is the id of rows in all of its days, so the rows would not tell of which one this is.
                of = piece[0] if is_paired(partitions_of(table)) else _partition_of(table, rows, rejection.unit_id)
                found.append((of, rejection.unit_id, rejection.reason))
    columns = {"partition": pl.String, "unit_id": pl.String, "reason": pl.String}
    broken = pl.DataFrame(found, schema=columns, orient="row")
    made = _materialisations(context, table, keys)
    yield from _results(table, RULES, broken, made, blocking=True, metadata={"rows_checked": rows_checked})
    places = [destination(table, key) for key in (keys or ["all"])]
    entries = (
        lake.scan(quarantine_of(table.spec.game), places)
        .select(pl.col("partition_key").alias("partition"), "unit_id", "scope", "rule", "reason", "rejected_rows")
        .collect()
    )
    metadata: dict[str, Any] = {
        "quarantined_rows": int(entries.get_column("rejected_rows").sum()),
        "quarantined_files": entries.filter(pl.col("scope") == "file").height,
    }
    if not entries.is_empty():
        by_rule = entries.group_by("rule").len().sort("rule")
        metadata["entries_by_rule"] = dg.MetadataValue.json(dict(by_rule.iter_rows()))
    yield from _results(table, QUARANTINE, entries, made, blocking=False, metadata=metadata)


def _partition_of(table: type[Table], rows: pl.DataFrame, unit_id: str) -> str | None:
    partition, unit = table.spec.partitioned_by, table.spec.replaced_by
    if partition is None or unit is None:
        return None
    found = rows.filter(pl.col(unit) == unit_id).get_column(partition)
    return partition_key_of(found[0]) if found.len() else None


_Materialisations = Mapping[str, AssetCheckEvaluationTargetMaterializationData | None]
"""By partition of a range run, its newest materialisation."""


def _materialisations(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, table: type[Table], keys: Sequence[str]
) -> _Materialisations:
    """What a range run, be it of one, looked at; nothing for a run of a partition, which Dagster files itself."""
    if not keys or context.run.tags.get(PARTITION_TAG) is not None:
        return {}
    return _newest(context.instance, table, keys)


def _newest(instance: dg.DagsterInstance, table: type[Table], keys: Sequence[str]) -> _Materialisations:
    """Of each partition the newest materialisation; "" is a table without partitions."""
    if keys == [""]:
        records = instance.fetch_materializations(asset_key(table), limit=1).records
    else:
        ids = instance.get_latest_storage_id_by_partition(
            asset_key(table), dg.DagsterEventType.ASSET_MATERIALIZATION, {*keys}
        )
        wanted = dg.AssetRecordsFilter(asset_key=asset_key(table), storage_ids=list(ids.values()))
        records = instance.fetch_materializations(wanted, limit=len(ids)).records if ids else []
    found = {
        record.partition_key or "": AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
    }
    return {key: found.get(key) for key in keys}


def up_to_date_spec(table: type[Table]) -> dg.AssetCheckSpec:
    """Spec of the check that a settled table has besides the declared ones."""
    return _spec(
        table,
        UP_TO_DATE,
        description="It is made from what its inputs hold now. Only a warning: what is behind is made again by itself, "
        "save a day for which an input breaks a blocking check.",
    )


def up_to_date_results(
    table: type[Table],
    behind: Mapping[str, str],
    keys: Sequence[str],
    context: dg.AssetExecutionContext,
) -> Iterator[dg.AssetCheckEvaluation | dg.AssetCheckResult]:
    """Results of a run over the partitions `keys`, of which some could not be made, and why; "" has no partitions."""
    rows = [(key or None, reason) for key, reason in behind.items()]
    broken = pl.DataFrame(rows, schema={"partition": pl.String, "reason": pl.String}, orient="row")
    made = _materialisations(context, table, keys)
    yield from _results(table, UP_TO_DATE, broken, made, blocking=False, metadata={"partitions": len(keys)})


def behind_evaluations(
    instance: dg.DagsterInstance, table: type[Table], keys: Sequence[str]
) -> list[dg.AssetCheckEvaluation]:
    """That partitions of a settled table are behind from now on; "" is a table without partitions."""
    return [
        dg.AssetCheckEvaluation(
            asset_key=asset_key(table),
            check_name=UP_TO_DATE,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            partition=key or None,
            target_materialization_data=materialisation,
            metadata={"reason": "What it was made from has changed since. It is made again by itself."},
        )
        for key, materialisation in _newest(instance, table, keys).items()
        if materialisation is not None
    ]


def _results(
    table: type[Table],
    name: str,
    broken: pl.DataFrame,
    made: _Materialisations,
    *,
    blocking: bool,
    metadata: Mapping[str, Any],
    of_partitions: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[dg.AssetCheckEvaluation | dg.AssetCheckResult]:
    """A check's result from what breaks it (with a column `partition`): for each partition, then in all.

    `metadata` is told of all, `of_partitions` of each.

    Dagster evaluates a check once for a whole range of partitions. So that each partition
    shows its own state, a range run tells them one by one first, each of its own materialisation:
    of an older one it would not count, and nothing that waits for the check would ever go on.
    """
    severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
    failing = sorted({*broken.get_column("partition")} - {None})
    for key, materialisation in made.items():
        own = broken.filter(pl.col("partition") == key) if key in failing else broken.clear()
        yield dg.AssetCheckEvaluation(
            asset_key=asset_key(table),
            check_name=name,
            passed=own.is_empty(),
            severity=severity,
            blocking=blocking,
            partition=key,
            target_materialization_data=materialisation,
            metadata={**(of_partitions or {}).get(key, {}), **_told(own, [])},
        )
    yield dg.AssetCheckResult(
        asset_key=asset_key(table),
        check_name=name,
        passed=broken.is_empty(),
        severity=severity,
        metadata={**metadata, **_told(broken, failing)},
    )


def _told(broken: pl.DataFrame, failing: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"violations": broken.height}
    if not broken.is_empty():
        told["examples"] = frame_metadata(broken.drop("partition"))
    if failing:
        told["failing_partitions"] = ", ".join(failing)
    return told


def evaluate(check: Check, lake: Lake, keys: Sequence[str] | None) -> pl.DataFrame:
    """The rows that break a check in the partitions `keys` of its table; None looks at all partitions.

    Of inputs with other partitions, what a table would read is looked at (see `values_read`). What was found in the
    same versions of the inputs is not looked for again: every publication of a run asks for the checks of all that
    is upstream.
    """
    of = None if keys is None else tuple(keys)
    seen = (check.table, check.name, of, *map(lake.version, check.inputs.values()))
    known = _FOUND.setdefault(lake, {})
    if seen not in known:
        if len(known) >= _MOST_FOUND:
            known.clear()
        known[seen] = _evaluate(check, lake, keys)
    return known[seen]


def _evaluate(check: Check, lake: Lake, keys: Sequence[str] | None) -> pl.DataFrame:
    frames = {
        name: lake.scan(
            table, None if keys is None else values_read(table, check.table, keys, lake, days_around=check.days_around)
        )
        for name, table in check.inputs.items()
    }
    rows = check.rows(**frames).collect()
    column = check.table.spec.partitioned_by
    if keys is None or column not in rows.columns:
        return rows
    # A row that breaks a rule and tells no partition belongs to whoever looks.
    return rows.filter(pl.col(column).is_in(values_of(check.table, keys)) | pl.col(column).is_null())


def check_results(
    check: Check,
    broken: pl.DataFrame,
    keys: Sequence[str],
    lake: Lake,
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
) -> Iterator[dg.AssetCheckEvaluation | dg.AssetCheckResult]:
    """A check's results from the rows that break it, for each partition and in all."""
    partition = check.table.spec.partitioned_by
    named = (
        broken.with_columns(partition=pl.col(partition).cast(pl.String))
        if partition in broken.columns
        else broken.with_columns(partition=pl.lit(None, dtype=pl.String))
    )
    made = _materialisations(context, check.table, keys)
    yield from _results(
        check.table,
        check.name,
        named,
        made,
        blocking=check.blocking,
        metadata=figures_of(check, lake, keys or None),
        of_partitions={key: figures_of(check, lake, [key]) for key in made} if check.figures else None,
    )


def figures_of(check: Check, lake: Lake, keys: Sequence[str] | None) -> dict[str, int | float]:
    """Sums of the check's figures in partitions of its table; None is all of them."""
    if not check.figures:
        return {}
    rows = lake.scan(check.table, None if keys is None else values_of(check.table, keys))
    return rows.select(pl.col(check.figures).sum()).collect().row(0, named=True)


def checks_of_tables(
    tables: Sequence[type[Table]], checks: Sequence[Check], settled: Sequence[Settled] = ()
) -> list[dg.AssetChecksDefinition]:
    """The checks of a game: one step for each table that has any.

    Args:
        settled: those of the tables that are settled ones.
    """
    by_table = {table: [check for check in checks if check.table is table] for table in tables}
    made = {each.table: each for each in settled}
    stops_days = bool(settled)
    return [
        table_checks(table, found, made.get(table), stops_days=stops_days) for table, found in by_table.items() if found
    ]


def table_checks(
    table: type[Table], checks: Sequence[Check], settled: Settled | None = None, *, stops_days: bool = False
) -> dg.AssetChecksDefinition:
    """All checks of one table as one step, each selectable on its own.

    Dagster's own blocking stops a run with all of its days. Where every step looks by itself whether its days may be
    made (`stops_days`), that is left to them: a day that breaks a check does not hold up the days beside it.

    Days of a settled table that the run itself could not make are left out: what is behind is not what it should be,
    is published by none, and must not hold up the days beside it.
    """
    specs = [
        _spec(
            table,
            check.name,
            blocking=check.blocking and not stops_days,
            metadata={STOPS: "its day"} if check.blocking and stops_days else None,
            description=check.description,
            # The quarantine is written with the tables; it is no asset.
            additional_deps=sorted(
                asset_key(other) for other in {*check.inputs.values()} - {table} if not issubclass(other, QuarantineRow)
            ),
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
    def run(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
        stores: Stores = context.op_execution_context.resources.stores
        has_keys = partitions_of(table) is not None and _has_partitions(context)
        keys = [*map(str, context.partition_keys)] if has_keys else None
        if (
            keys
            and settled is not None
            and asset_key(table) in (context.op_execution_context.run.asset_selection or ())
        ):
            late = Contents(stores.lake).late(settled)
            keys = [key for key in keys if key not in late] or keys
        for key in sorted(context.selected_asset_check_keys, key=lambda key: key.name):
            check = by_name[key.name]
            broken = evaluate(check, stores.lake, keys)
            yield from check_results(check, broken, keys or [], stores.lake, context.op_execution_context)

    return run


def _has_partitions(context: dg.AssetCheckExecutionContext) -> bool:
    return context.has_partition_key or context.has_partition_key_range


def refusals(checks: Sequence[Check], lake: Lake, keys: Sequence[str], undone: str) -> dict[str, BlockingCheckError]:
    """By partition, the first blocking check that it breaks; "" is a table without partitions.

    A blocking check stops only what runs with it; a later run of what follows alone would
    go ahead. So that asks again.

    Args:
        undone: what is not done therefore, such as "published".
    """
    found: dict[str, BlockingCheckError] = {}
    for check in checks:
        rows = evaluate(check, lake, keys) if check.blocking else pl.DataFrame()
        column = check.table.spec.partitioned_by
        for key in keys or [""] if not rows.is_empty() else ():
            # A row that breaks a rule and tells no partition belongs to every one.
            own = (
                pl.col(column).is_null() | pl.col(column).is_in(values_of(check.table, [key]))
                if key and column in rows.columns
                else True
            )
            broken = rows.filter(own)
            if not broken.is_empty():
                found.setdefault(
                    key,
                    BlockingCheckError(
                        f"Nothing was {undone}: {check.table.spec.dotted} breaks the check {check.name!r} in "
                        f"{broken.height} {'rows' if broken.height > 1 else 'row'} of {key or 'the table'}. "
                        f"{' '.join(check.description.partition(_PARAGRAPH)[0].split())} "
                        f"First: {', '.join(f'{name} {value}' for name, value in broken.row(0, named=True).items())}. "
                        f"Correct the input, materialise {check.table.spec.dotted} again, then what follows from it."
                    ),
                )
    return found
