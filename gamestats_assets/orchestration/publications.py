"""Publishes a table to PostgreSQL: replaces exactly the partitions of a run, many in one transaction.

PostgreSQL stores the fingerprint of the rows with each published partition, so a partition whose rows are already
published is skipped. The transaction verifies before its commit that the rows which were checked are still current.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta.lake import first_rows
from gamestats_assets.lakehouse.delta.ledger import WHOLE
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import check_unchecked
from gamestats_assets.orchestration.freshness.blocking import blocked_reason
from gamestats_assets.orchestration.freshness.snapshot import Graph, Snapshot, cached_in_snapshot
from gamestats_assets.orchestration.metadata import (
    asset_key,
    column_schema,
    frame_metadata,
    freshness_policy,
    materializations,
    publication_key,
)
from gamestats_assets.orchestration.partitions import partitions_of, values_of
from gamestats_assets.orchestration.run_requests import keys_of_run

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.published.publication import Part, Within

SAME_ROWS = "rows_equal_the_lake"
# A store or a server may be away for a moment, or the lake may change in the meantime.
_OUTSIDE = dg.RetryPolicy(max_retries=1, delay=5)
# Rows published together, unless a single partition has more; rows with objects are large.
_ROWS_AT_ONCE, _OBJECTS_AT_ONCE = 500_000, 200
# Up to this many partitions, only changed units are published; more partitions are faster whole and together.
_APART = 10


class ChangedMeanwhileError(GamestatsError):
    """The table in the lake changed while it was being published."""


@dataclass(slots=True)
class _Published:
    """Result of a publication; `refused` are the partitions that must not be published, and why."""

    preview: pl.DataFrame
    rows_written: int = 0
    rows_replaced: int = 0
    refused: dict[str, str] = field(default_factory=dict)


@cached_in_snapshot
def contents_published(snapshot: Snapshot, tables: tuple[type[Table], ...]) -> dict[type[Table], dict[str, str]]:
    """Fingerprint of the published rows, by table of a game that exists in PostgreSQL and by partition."""
    from gamestats_assets.lakehouse.published.publication import everything_published

    scopes = [snapshot.keys_in_scope(table) if partitions_of(table) else [WHOLE] for table in tables]
    keys = None if None in scopes else {key for scope in scopes for key in scope or ()}
    return everything_published(snapshot.stores.postgres_url, tables, counted=snapshot.counted, keys=keys)


def _contents(stores: Stores, table: type[Table], keys: Sequence[str]) -> dict[type[Table], dict[str, str]]:
    """As `contents_published`, for some partitions of one table, with their rows counted."""
    from gamestats_assets.lakehouse.published.publication import everything_published

    return everything_published(stores.postgres_url, (table,), counted=True, keys=keys)


def unpublished(
    snapshot: Snapshot,
    table: type[Table],
    published: Mapping[type[Table], Mapping[str, str]],
    keys: Collection[str] | None = None,
) -> dict[str, str]:
    """Partitions whose rows in PostgreSQL differ from the lake, among some or all, and why.

    Partitions that break a check are left out: they stay as last published.
    """
    held, known = snapshot.content(table), published.get(table, {})
    if keys is not None:
        held = {key: content for key, content in held.items() if key in keys}
    if table not in published and not held:
        # A table that was made but is empty should exist, empty, in PostgreSQL.
        made = sorted(key for key, made_from in snapshot.made_from(table).items() if made_from)[:1]
        return dict.fromkeys(made, "not published yet")
    return {
        key: "not published yet" if key not in known else "its rows changed"
        for key in sorted({*held, *known})
        if held.get(key) != known.get(key) and blocked_reason(snapshot, table, key) is None
    }


def publication(graph: Graph, table: type[Table]) -> dg.AssetsDefinition:
    """The asset for a table's copy in PostgreSQL."""
    spec, partitions, asset = table.spec, partitions_of(table), publication_key(table)

    same_rows = dg.AssetCheckSpec(
        SAME_ROWS,
        asset=asset,
        partitions_def=partitions,
        description="PostgreSQL holds as many rows of the partition as the lake.",
    )

    @dg.asset(
        key=asset,
        deps=[asset_key(table)],
        description=f"{spec.dotted} in PostgreSQL, as {spec.game}.{spec.name}. {table.description()}",
        metadata={"dagster/table_name": spec.dotted, "dagster/storage_kind": "postgresql"},
        group_name=spec.group,
        owners=[f"team:{spec.game}"],
        tags={"layer": "published"},
        kinds={"postgres"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        required_resource_keys={"stores"},
        code_version="1",
        check_specs=[same_rows],
        retry_policy=_OUTSIDE,
        freshness_policy=freshness_policy(table),
    )
    def publish_table(context: dg.AssetExecutionContext) -> Iterator[Any]:
        stores: Stores = context.resources.stores
        # A run of days may include unpartitioned tables.
        keys = keys_of_run(context) if partitions is not None else [WHOLE]
        if (version := stores.lake.version(table)) is None:
            raise dg.Failure(
                f"{spec.dotted} has never been materialised, so there is nothing to publish. "
                f"Materialise it first: gamestats materialize --select {spec.dotted}",
                allow_retries=False,
            )
        check_unchecked(Snapshot(stores, graph), table, {*keys})
        snapshot = Snapshot(stores, graph)
        done = _publish(snapshot, table, keys)
        if done.refused:
            # One bad day does not hold up the others: they are published and reported.
            for key in (key for key in keys if key not in done.refused):
                event = dg.AssetMaterialization(asset, partition=key or None)
                context.instance.report_runless_asset_event(event)
            raise dg.Failure(next(iter(done.refused.values())), allow_retries=False)
        found = unpublished(snapshot, table, _contents(stores, table, keys), keys)
        different = {key or "all": why for key, why in found.items()}
        metadata = {
            "rows_written": done.rows_written,
            "rows_replaced": done.rows_replaced,
            "delta_version": version,
            # Only here, because Dagster's daemon reloads the content of each definition every minute.
            "dagster/column_schema": column_schema(table),
            **({} if spec.personal else {"preview": frame_metadata(done.preview)}),
        }
        own = keys if partitions is not None else []
        yield from materializations(context, stores.lake, table, metadata, own, own, asset=asset)
        # For a check result, Dagster would look up the materialisation that was just reported.
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=SAME_ROWS,
            passed=not different,
            partition=context.partition_key if context.has_partition_key else None,
            metadata={
                "rows": done.rows_written,
                **({"different": dg.MetadataValue.json(different)} if different else {}),
            },
        )
        yield dg.Output(None, output_name=same_rows.get_python_identifier())

    return publish_table


def _publish(snapshot: Snapshot, table: type[Table], keys: Sequence[str]) -> _Published:
    """Publishes the partitions that differ from the lake and break no check; all of them if the table is outdated.

    Raises:
        ChangedMeanwhileError: if one of them changes in the meantime.
    """
    from gamestats_assets.lakehouse.published.publication import (
        OvertakenError,
        publish,
        rebuild,
        sweep,
        units_published,
    )
    from gamestats_assets.lakehouse.published.tables import OutdatedTableError

    url, objects, content = snapshot.stores.postgres_url, snapshot.stores.objects, snapshot.content(table)
    known = _contents(snapshot.stores, table, keys).get(table)
    done = _Published(pl.DataFrame(schema=table.schema()))
    due = _allowed(snapshot, table, [key for key in keys if known is None or known.get(key) != content.get(key)], done)
    # The state of a partition that lost rows to a manual change is unknown.
    counted = [key for key in due if key in (known or {}) and key in content and table.spec.replaced_by is not None]
    before = units_published(url, table, counted) if 0 < len(counted) <= _APART else {}
    changed = _changed({key: snapshot.ledger(table)[key].rows_of for key in before}, before)
    queue = [[key] for key in changed] + _batches(snapshot, table, [key for key in due if key not in changed])
    try:
        for batch, part in _parts(snapshot, table, queue, changed, done):
            try:
                written = publish(
                    url,
                    table,
                    part.partitions,
                    part.frame,
                    objects=objects,
                    content_hash=part.content_hash,
                    units=part.units,
                    within=changed.get(batch[0]),
                    before_commit=partial(_refuse_changed, snapshot, table, batch),
                )
            except OvertakenError:
                del changed[batch[0]]
                queue.append(batch)
                continue
            done.rows_written += written.rows_inserted
            done.rows_replaced += written.rows_deleted
    except OutdatedTableError:
        everything = _batches(snapshot, table, _allowed(snapshot, table, sorted(content), done))
        done.rows_written += rebuild(
            url,
            table,
            lambda: (part for _, part in _parts(snapshot, table, [*everything], {}, done)),
            objects=objects,
            before_commit=partial(_refuse_changed, snapshot, table, sorted(content)),
        )
    if passed_over := [key for key in keys if key not in due]:
        # The process that published them may have been killed before it removed the objects of old rows.
        sweep(url, table, values_of(table, passed_over), objects)
    return done


def _refuse_changed(snapshot: Snapshot, table: type[Table], keys: Sequence[str], cursor: object) -> None:
    """Raises if partitions in the lake are not as examined; runs inside the publishing transaction."""
    now, before = snapshot.lake.ledger(table).content(), snapshot.content(table)
    if any(now.get(key) != before.get(key) for key in keys):
        raise ChangedMeanwhileError(
            f"{table.spec.dotted} changed in the lake while it was being published. Publish it again."
        )


def _allowed(snapshot: Snapshot, table: type[Table], keys: Sequence[str], done: _Published) -> list[str]:
    """The partitions that break no check; the others are refused."""
    for key in keys:
        if (why := blocked_reason(snapshot, table, key)) is not None:
            done.refused[key] = (
                f"Nothing was published: {why} "
                f"Correct the input: {table.spec.dotted} is then made again, and what follows."
            )
    return [key for key in keys if key not in done.refused]


def _parts(
    snapshot: Snapshot, table: type[Table], queue: list[list[str]], within: "Mapping[str, Within]", done: _Published
) -> "Iterator[tuple[list[str], Part]]":
    """Takes batches of partitions from a queue and yields their rows. A partition that breaks a rule is refused."""
    from gamestats_assets.lakehouse.published.publication import Part

    content, has_units = snapshot.content(table), table.spec.replaced_by is not None and table.spec.partitioned_by
    while queue:
        batch = queue.pop(0)
        values = values_of(table, batch)
        rows = snapshot.lake.scan(table, values, within[batch[0]].ids if batch[0] in within else None).collect()
        if broken := screen(table, rows).rejections:
            if len(batch) == 1:
                done.refused[batch[0]] = f"Nothing of {table.spec.dotted} was published: {broken[0].reason}"
            else:
                queue[:0] = [[key] for key in batch]
            continue
        key_of = {value: key for key, value in zip(batch, values or [None], strict=True) if key in content}
        units = {value: snapshot.ledger(table)[key].rows_of for value, key in key_of.items()} if has_units else {}
        done.preview = first_rows(rows) if not rows.is_empty() else done.preview
        hashes = {value: content[key] for value, key in key_of.items()}
        yield batch, Part(values, rows, hashes, {value: of for value, of in units.items() if of})


def _changed(
    units: Mapping[str, Mapping[str, str]], published: Mapping[str, tuple[str, Mapping[str, str]]]
) -> "dict[str, Within]":
    """The changed units of partitions in which only some units differ from the published ones."""
    from gamestats_assets.lakehouse.published.publication import Within

    found: dict[str, Within] = {}
    for key, (content, before) in published.items():
        now = units[key]
        ids = sorted(unit for unit in {*now, *before} if now.get(unit) != before.get(unit))
        if ids and len(ids) < len(now):
            found[key] = Within(ids, content)
    return found


def _batches(snapshot: Snapshot, table: type[Table], keys: Sequence[str]) -> list[list[str]]:
    """Groups partitions to publish together, as many as fit into memory."""
    state = snapshot.lake.state(table)
    rows, most = state.rows_per_partition if state else {}, _OBJECTS_AT_ONCE if table.objects() else _ROWS_AT_ONCE
    batches: list[list[str]] = []
    size = 0
    for key in keys:
        size += rows.get(key, 0)
        if not batches or size > most:
            batches.append([])
            size = rows.get(key, 0)
        batches[-1].append(key)
    return batches
