"""A published table's copy in PostgreSQL: exactly the run's partitions, each replaced in one transaction.

What was published stands beside it by the fingerprint of its rows, so that a partition whose very rows are published is
passed over. Inside the transaction it is made sure that what was checked is what is committed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta import first_rows
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.ledger import WHOLE
from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import BlockingCheckError, refusal, settle
from gamestats_assets.orchestration.freshness import Graph, Look
from gamestats_assets.orchestration.metadata import asset_key, column_schema, frame_metadata, publication_key
from gamestats_assets.orchestration.partitions import partitions_of, values_of

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.published import Publication

SAME_ROWS = "rows_equal_the_lake"
# A store or a server may be away for a moment.
_OUTSIDE = dg.RetryPolicy(max_retries=1, delay=5)
_ATTEMPTS = 5


class MissingPartitionError(GamestatsError):
    """A publication was asked for a table that was never materialised."""


class ChangedMeanwhileError(GamestatsError):
    """The table in the lake changed again and again while it was being published."""


def unpublished(
    look: Look, tables: Sequence[type[Table]], *, counted: bool = False
) -> dict[type[Table], dict[str, str]]:
    """By published table, the partitions that PostgreSQL does not hold as the lake does, and why.

    Partitions that break a check are left out: they stay as they were published last.

    Args:
        counted: count what PostgreSQL holds, which costs a scan.
    """
    from gamestats_assets.lakehouse.published import everything_published

    published = everything_published(look.stores.postgres_url, tables, counted=counted)
    found: dict[type[Table], dict[str, str]] = {}
    for table in tables:
        held, known = look.content(table), published.get(table)
        if known is None and not held:
            # Who asks for what was made and is empty is to find it empty.
            made = sorted(key for key, found in look.ledger(table).partitions.items() if found.made_from)[:1]
            found[table] = dict.fromkeys(made, "not published yet")
            continue
        known = known or {}
        found[table] = {
            key: "not published yet" if key not in known else "its rows changed"
            for key in sorted({*held, *known})
            if held.get(key) != known.get(key) and refusal(look, table, key, "published") is None
        }
    return found


def publication(graph: Graph, table: type[Table]) -> dg.AssetsDefinition:
    """The asset of a table's copy in PostgreSQL."""
    from gamestats_assets.orchestration.game import freshness_policy, keys_of_run

    spec = table.spec

    @dg.asset(
        key=publication_key(table),
        deps=[asset_key(table)],
        description=f"{spec.dotted} in PostgreSQL, as {spec.game}.{spec.name}. {table.description()}",
        metadata={
            "dagster/column_schema": column_schema(table),
            "dagster/table_name": spec.dotted,
            "dagster/storage_kind": "postgresql",
        },
        group_name=spec.group,
        owners=[f"team:{spec.game}"],
        tags={"layer": "published"},
        kinds={"postgres"},
        partitions_def=partitions_of(table),
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_of(table) else None,
        required_resource_keys={"stores"},
        code_version="1",
        check_specs=[
            dg.AssetCheckSpec(
                SAME_ROWS,
                asset=publication_key(table),
                partitions_def=partitions_of(table),
                description="PostgreSQL holds as many rows of the partition as the lake.",
            )
        ],
        retry_policy=_OUTSIDE,
        pool=f"postgres_{spec.game}_{spec.name}",
        freshness_policy=freshness_policy(table),
    )
    def publish_table(context: dg.AssetExecutionContext) -> Iterator[Any]:
        from gamestats_assets.lakehouse.published import everything_published

        stores: Stores = context.resources.stores
        url = stores.postgres_url
        # A run of days may have tables without any beside it.
        keys = keys_of_run(context) if partitions_of(table) is not None else [WHOLE]
        state = stores.lake.state(table)
        if state is None:
            raise MissingPartitionError(
                f"{spec.dotted} has never been materialised, so there is nothing to publish. "
                f"Materialise it first: gamestats materialize --select {spec.dotted}"
            )
        look = Look(stores, graph)
        settle(look, table, {*keys})
        look = Look(stores, graph)
        known = everything_published(url, [table], counted=True).get(table)
        refused: dict[str, BlockingCheckError] = {}
        inserted = deleted = 0
        preview = pl.DataFrame(schema=table.schema())
        for key in keys:
            content = look.content(table).get(key)
            if known is not None and known.get(key) == content:
                continue
            if (error := refusal(look, table, key, "published")) is not None:
                refused[key] = error
                continue
            try:
                rows, done = _publish(stores, graph, table, key)
            except BlockingCheckError as broken:
                refused[key] = broken
                continue
            inserted, deleted = inserted + done.rows_inserted, deleted + done.rows_deleted
            preview = first_rows(rows) if not rows.is_empty() else preview
        different = _different(stores, table, [key for key in keys if key not in refused])
        counts = {key: {"dagster/partition_row_count": state.rows_per_partition.get(key, 0)} for key in keys}
        is_range = context.has_partition_key_range and not context.has_partition_key
        if partitions_of(table) is not None:
            for key in keys if is_range else keys[:1]:
                context.add_asset_metadata(counts[key], publication_key(table), key)
        if refused:
            # One bad day does not hold up the others: they are published, and Dagster is told.
            for key in [key for key in keys if key not in refused]:
                context.instance.report_runless_asset_event(
                    dg.AssetMaterialization(publication_key(table), partition=key or None)
                )
            raise dg.Failure(str(next(iter(refused.values()))), allow_retries=False)
        for key in keys[1:] if not is_range else ():
            yield dg.AssetMaterialization(publication_key(table), partition=key, metadata=counts[key])
        yield dg.MaterializeResult(
            metadata={
                "rows_written": inserted,
                "rows_replaced": deleted,
                "delta_version": state.version,
                **({} if spec.personal else {"preview": frame_metadata(preview)}),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=SAME_ROWS,
                    passed=not different,
                    metadata={
                        "rows": inserted,
                        **({"different": dg.MetadataValue.json(different)} if different else {}),
                    },
                )
            ],
        )

    return publish_table


def _publish(stores: Stores, graph: Graph, table: type[Table], key: str) -> tuple[pl.DataFrame, "Publication"]:
    """Read and publish one partition of one version of the table; again when it changed meanwhile.

    Raises:
        BlockingCheckError: when it breaks a check by then.
    """
    from gamestats_assets.lakehouse.published import publish

    values = values_of(table, [key]) if table.spec.partitioned_by else None
    attempt = 0
    while True:
        attempt += 1
        settle(Look(stores, graph), table, {key})
        look = Look(stores, graph)
        if (error := refusal(look, table, key, "published")) is not None:
            raise error
        version, content = stores.lake.version(table), look.content(table).get(key)
        rows = stores.lake.scan(table, values).collect()
        if broken := screen(table, rows).rejections:
            raise BlockingCheckError(f"Nothing of {table.spec.dotted} was published: {broken[0].reason}")

        def unchanged(cursor: object, version: int | None = version) -> None:
            # Inside the publishing transaction: what was checked is what is committed.
            if stores.lake.version(table) != version:
                raise ChangedMeanwhileError(
                    f"{table.spec.dotted} changed in the lake while it was being published. Publish it again."
                )

        named = {values[0] if values else None: content} if content else None
        try:
            done = publish(stores.postgres_url, table, values, rows, before_commit=unchanged, content_hash=named)
        except ChangedMeanwhileError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return rows, done


def _different(stores: Stores, table: type[Table], keys: Sequence[str]) -> dict[str, str]:
    """Partitions of which PostgreSQL holds another number of rows than the lake."""
    from gamestats_assets.lakehouse.postgres import connect
    from gamestats_assets.lakehouse.published import counts
    from gamestats_assets.lakehouse.table import partition_key_of

    state = stores.lake.state(table)
    with connect(stores.postgres_url) as connection:
        found = {
            WHOLE if value is None else partition_key_of(value): n for value, n in counts(connection, table).items()
        }
    held: Mapping[str, int] = {} if state is None else {**state.rows_per_partition, WHOLE: state.rows}
    return {
        key or "all": f"{held.get(key, 0)} in the lake, {found.get(key, 0)} in PostgreSQL"
        for key in keys
        if held.get(key, 0) != found.get(key, 0)
    }
