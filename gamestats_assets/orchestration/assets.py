"""Builders: from a table and the function or SELECT that makes it, to a Dagster asset.

- `landed_tables`: the bronze tables that one reading of landed files feeds.
- `table_asset`: a table made by a pure function of frames.
- `sql_asset`: a table made by one SELECT.
- `publication`: a published table's copy in PostgreSQL.

Each step keeps a ledger of the ids it has processed (see `lakehouse.ledger`), so a
partition that gained a match processes that match and no other.
"""

import contextlib
import functools
import hashlib
import typing
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta import Commit, Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import Ledger, LedgerRow, Work, input_hashes, step_version, unit_hashes
from gamestats_assets.lakehouse.quality import Check, Rejection, screen, table_inputs
from gamestats_assets.lakehouse.sql import SqlModel, run_model
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.automation import ON_ANY_INPUT, ON_CHECKED_INPUTS
from gamestats_assets.orchestration.checks import (
    BlockingCheckError,
    declared_check_results,
    declared_check_specs,
    refusals,
)
from gamestats_assets.orchestration.io_manager import NothingLoadedError, Replacement, commit
from gamestats_assets.orchestration.landed import file_refused, landed_hashes, landed_units
from gamestats_assets.orchestration.metadata import (
    asset_key,
    column_schema,
    definition_metadata,
    frame_metadata,
    materialisation_metadata,
    partition_row_counts,
    publication_key,
)
from gamestats_assets.orchestration.partitions import partition_mapping, partitions_of, values_of

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.postgres import Publication

# Ids in one batch: one commit and one ledger entry each. Bounds memory to about 2 GB.
BATCH = 200
# While a batch of files is committed the next is decoded: small ones keep all cores busy.
DECODED_BATCH = 40


# For steps that reach outside this process: a store or a server may be away for a moment.
_OUTSIDE = dg.RetryPolicy(max_retries=1, delay=5)
_SAME_ROWS = "rows_equal_the_lake"
_PUBLISHING_ATTEMPTS = 5


class Processing(dg.Config):
    """How much a step does."""

    everything: bool = False
    """Process every id of the partitions again, not only new and changed ones."""
    batch_size: int = BATCH
    """Ids processed and committed together."""


class Decoding(Processing):
    """How much a step that reads landed files does."""

    batch_size: int = DECODED_BATCH
    """Ids decoded and committed together."""


class Decoded(Protocol):
    """What decoding landed files gives."""

    @property
    def frames(self) -> Mapping[type[Table], pl.LazyFrame]:
        """Rows per table; they can be read until the next batch is asked for."""
        ...

    @property
    def rejections(self) -> Mapping[type[Table], Sequence[Rejection]]:
        """What was rejected, by the table it was meant for."""
        ...

    @property
    def unreadable(self) -> int:
        """Ids of which nothing could be read."""
        ...


Decode = Callable[[Landing, Sequence[Sequence[LandedFile]], int], Generator[Decoded, None, None]]
"""Decodes batches of landed files with a number of worker processes, and gives one result after another."""


Days = tuple[str, str] | None
"""First and last day of a range."""


def common_definition(table: type[Table], kinds: set[str]) -> dict[str, Any]:
    """What every asset of a table says of itself."""
    return {
        "description": table.description(),
        "metadata": definition_metadata(table),
        "group_name": table.spec.game,
        "owners": [f"team:{table.spec.game}"],
        "tags": {"layer": table.spec.layer},
        "kinds": {*kinds, table.spec.layer, "deltalake"},
        "freshness_policy": _freshness(table),
    }


def _freshness(table: type[Table]) -> dg.FreshnessPolicy | None:
    window = table.spec.fresh_within
    return dg.FreshnessPolicy.time_window(fail_window=window) if window else None


def _keys(context: dg.AssetExecutionContext) -> list[str]:
    return list(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else []


# --------------------------------------------------------------------------- landing to bronze


def upstream_of(
    table: type[Table], assets: Sequence[dg.AssetsDefinition], known: Mapping[str, type[Table]]
) -> set[type[Table]]:
    """Every table that a table is made from, directly or not, as the assets' dependencies tell."""
    dependencies = {spec.key: [dep.asset_key for dep in spec.deps] for asset in assets for spec in asset.specs}
    found: set[type[Table]] = set()
    waiting = list(dependencies.get(asset_key(table), ()))
    while waiting:
        key = waiting.pop()
        source = known[".".join(key.path)]
        if source not in found:
            found.add(source)
            waiting += dependencies.get(key, ())
    return found


def landed_tables(
    tables: Sequence[type[Table]],
    decode: Decode,
    *,
    refused: Callable[[Landing], Sequence[Rejection]] = lambda landing: (),
    code_version: str = "1",
) -> dg.AssetsDefinition:
    """One step that reads landed files once and feeds all the given bronze tables.

    Args:
        tables: tables of one game with the same `made_by`, partitions and replaced ids.
        decode: reads batches of files; gives the frames and rejections of each.
        refused: landed files that belong to no id and that nobody can read, for the quarantine.
    """
    game, step = tables[0].spec.game, tables[0].spec.step
    version = step_version(tables, code_version)

    @dg.multi_asset(
        name=f"{game}_{step}",
        specs=[
            dg.AssetSpec(
                asset_key(table),
                partitions_def=partitions_of(table),
                code_version=version,
                **common_definition(table, {"python"}),
            )
            for table in tables
        ],
        check_specs=[spec for table in tables for spec in declared_check_specs(table)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"stores"},
        pool=f"{game}_{step}",
    )
    def land(context: dg.AssetExecutionContext, config: Decoding) -> Iterator[Any]:
        stores: Stores = context.resources.stores
        keys = _keys(context)
        units = {key: landed_units(stores.landing, game, key) for key in keys}
        ledger = Ledger(stores.lake, game, step)
        inputs = {key: landed_hashes(day) for key, day in units.items()}
        work = ledger.work(inputs, code_version=version, everything=config.everything)
        context.log.info(f"{work.count} of {work.total} matches are new or changed in {len(keys)} partitions.")
        commits: dict[type[Table], list[Commit]] = {table: [] for table in tables}
        file_refused(stores, game, refused(stores.landing))
        unreadable = done = 0
        for key, gone in work.vanished.items():
            if gone:
                for table in tables:
                    rows = Replacement(pl.LazyFrame(schema=table.schema()), [key], list(gone))
                    commits[table].append(commit(stores, table, rows, keys))
                ledger.record({}, {key: gone})
        batches = list(work.batches(config.batch_size))
        files = [[file for key, ids in batch.items() for unit in ids for file in units[key][unit]] for batch in batches]
        with contextlib.closing(decode(stores.landing, files, stores.settings.workers)) as results:
            for batch, decoded in zip(batches, results, strict=True):
                partition_of = {unit: key for key, day in batch.items() for unit in day}
                ids = sorted(partition_of)
                for table in tables:
                    rows = Replacement(
                        decoded.frames[table], sorted(batch), ids, decoded.rejections.get(table, ()), partition_of
                    )
                    commits[table].append(commit(stores, table, rows, keys))
                if decoded.unreadable < len(ids):
                    ledger.record(batch)
                unreadable += decoded.unreadable
                done += len(ids)
                context.log.info(f"{done} of {work.count} matches committed.")
        for table in tables:
            for key, metadata in partition_row_counts(stores.lake, table, keys).items():
                context.add_asset_metadata(metadata, asset_key(table), key)
            values = values_of(table, keys) if table.spec.partitioned_by else None
            yield dg.MaterializeResult(
                asset_key=asset_key(table),
                metadata={
                    **materialisation_metadata(stores.lake, table, values, commits[table]),
                    "matches_processed": work.count,
                },
            )
            yield from declared_check_results(table, stores.lake, keys, context)
        if work.count and unreadable == work.count:
            raise NothingLoadedError(
                f"None of the {work.count} matches of {', '.join(keys[:5])} could be read. What was found is in "
                f'quarantine: gamestats query "from {game}.quarantine"'
            )

    return land


# --------------------------------------------------------------------------- frames to frame


def table_asset(
    function: Callable[..., pl.LazyFrame],
    *,
    code_version: str = "1",
    jointly: bool = False,
    unasked: Collection[type[Table]] = (),
    by_itself: bool = True,
) -> dg.AssetsDefinition:
    """A table made by a pure function, whose annotations name its inputs and its output.

    `def goals(matches: dy.LazyFrame[Matches]) -> dy.LazyFrame[Goals]` becomes the asset of
    `Goals` with the dependency `Matches`. An input whose partitions are others than the table's
    is read whole, or in the ids that are new or changed where both are replaced by them. An input
    that is a ledger (`ledger_of`) is what its step has processed of the run's partitions.

    Args:
        code_version: raise it when the function's result changes; partitions are then made
            anew when they are next materialised.
        jointly: rows of one id depend on other ids of its day and of the days around it. All of
            them are computed each time, and the ids whose rows changed are replaced.
        unasked: inputs whose change does not request the table: somebody else does, for fewer partitions.
        by_itself: whether changed inputs request the table; else a sensor does, which knows whom they concern.
    """
    read = table_inputs(function)
    ledgers = {name: source for name, source in read.items() if issubclass(source, LedgerRow)}
    inputs = {name: source for name, source in read.items() if name not in ledgers}
    table = typing.get_args(typing.get_type_hints(function)["return"])[0]

    def make(
        context: dg.AssetExecutionContext, frames: Mapping[str, pl.LazyFrame], ids: Sequence[str] | None
    ) -> pl.LazyFrame:
        lake, keys = context.resources.stores.lake, _keys(context)
        if ids is not None and not jointly:
            # The ledgers were read after Dagster opened the inputs: what they name may be newer than those.
            frames = _of_ids_alone(lake, table, inputs, keys, ids)
        return function(**frames, **{name: lake.scan(ledger, keys) for name, ledger in ledgers.items()})

    return _asset(
        table,
        inputs,
        make,
        kinds={"polars"},
        code_version=code_version,
        jointly=jointly,
        unasked=unasked,
        by_itself=by_itself,
    )


def _of_ids_alone(
    lake: Lake, table: type[Table], inputs: Mapping[str, type[Table]], keys: Sequence[str], ids: Sequence[str]
) -> dict[str, pl.LazyFrame]:
    """The inputs' rows of some ids; of inputs with other partitions, only those partitions that hold them."""
    alike = {n: source for n, source in inputs.items() if source.spec.partitioned_by == table.spec.partitioned_by}
    frames: dict[str, pl.LazyFrame] = {}
    for name, source in alike.items():
        own = lake.scan(source, values_of(source, keys) if source.spec.partitioned_by else None)
        frames[name] = _of_ids(source, own, ids)
    for name, source in inputs.items():
        column = source.spec.partitioned_by
        if name in alike:
            continue
        telling = [frame for other, frame in frames.items() if column in alike[other].column_names()] if column else []
        held = telling[0].select(column).unique().collect().to_series().to_list() if telling else None
        frames[name] = _of_ids(source, lake.scan(source, held), ids)
    return frames


def _of_ids(table: type[Table], frame: pl.LazyFrame, ids: Sequence[str] | None) -> pl.LazyFrame:
    if ids is None or table.spec.replaced_by is None:
        return frame
    return frame.filter(pl.col(table.spec.replaced_by).is_in(list(ids)))


def sql_asset(table: type[Table], model: SqlModel, known: Mapping[str, type[Table]]) -> dg.AssetsDefinition:
    """A table made by one SELECT; the tables it names are the dependencies."""
    inputs = {name.replace(".", "__"): known[name] for name in model.dependencies}

    def make(
        context: dg.AssetExecutionContext, frames: Mapping[str, pl.LazyFrame], ids: Sequence[str] | None
    ) -> pl.LazyFrame:
        lake = context.resources.stores.lake
        keys = _keys(context)
        sources = {
            source.spec.dotted: lake.source(
                source, values_of(source, keys) if source.spec.partitioned_by else None, ids
            )
            for source in inputs.values()
        }
        with context.resources.duckdb.get_connection() as connection:
            try:
                return run_model(model, sources, connection=connection).lazy()
            finally:
                # The resource closes the connection only when nothing is raised.
                connection.close()

    lineage = dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key(known[name]), source) for name, source in origins]
            for column, origins in model.column_lineage.items()
        }
    )
    return _asset(
        table,
        inputs,
        make,
        kinds={"sql", "duckdb"},
        code_version=hashlib.sha256(model.spark_sql().encode()).hexdigest()[:8],
        resources={"duckdb"},
        metadata={"dagster/column_lineage": lineage, "sql": dg.MetadataValue.md(f"```sql\n{model.text}\n```")},
    )


def _of_keys(table: type[Table], rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """The rows of the run's own partitions: a table with wider inputs may make others too."""
    column = table.spec.partitioned_by
    return rows.filter(pl.col(column).is_in(values_of(table, keys))) if column else rows


def _reads_own_partitions(table: type[Table], inputs: Mapping[str, type[Table]], jointly: bool) -> bool:
    return not jointly and all(partitions_of(source) == partitions_of(table) for source in inputs.values())


Make = Callable[[dg.AssetExecutionContext, Mapping[str, pl.LazyFrame], Sequence[str] | None], pl.LazyFrame]


def _asset(
    table: type[Table],
    inputs: Mapping[str, type[Table]],
    make: Make,
    *,
    kinds: set[str],
    code_version: str,
    resources: set[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    jointly: bool = False,
    unasked: Collection[type[Table]] = (),
    by_itself: bool = True,
) -> dg.AssetsDefinition:
    spec = table.spec
    condition = ON_CHECKED_INPUTS if _reads_own_partitions(table, inputs, jointly) else ON_ANY_INPUT
    if not by_itself:
        condition = None
    elif unasked:
        condition = condition.ignore(dg.AssetSelection.assets(*map(asset_key, unasked)))
    common = common_definition(table, kinds)
    common["metadata"] = {**common["metadata"], **(metadata or {})}
    version = step_version([table], code_version)
    is_incremental = any(source.spec.replaced_by == spec.replaced_by for source in inputs.values())

    def replacements(
        context: dg.AssetExecutionContext, config: Processing, frames: Mapping[str, pl.LazyFrame]
    ) -> Iterator[Replacement]:
        stores: Stores = context.resources.stores
        keys = _keys(context)
        make_ids = functools.partial(make, context, frames)
        if jointly:
            rows = _of_keys(table, make(context, frames, None), keys).collect()
            found = unit_hashes(table, rows)
            make_ids = functools.partial(_of_ids, table, rows.lazy())
        elif spec.replaced_by is None or not is_incremental:
            yield Replacement(_of_keys(table, make(context, frames, None), keys))
            return
        else:
            found = input_hashes(stores.lake, table, inputs.values(), keys)
        ledger = Ledger(stores.lake, spec.game, spec.step)
        work = ledger.work({**{key: {} for key in keys}, **found}, code_version=version, everything=config.everything)
        context.log.info(f"{work.count} of {work.total} ids are new or changed in {len(keys)} partitions.")
        yield from _whole_or_batches(work, config.batch_size, ledger, make_ids, keys, table)

    @dg.asset(
        key=asset_key(table),
        ins={
            # By the table's name: an argument's, such as `context`, may be one that Dagster keeps for itself.
            source.spec.name: dg.AssetIn(
                key=asset_key(source),
                input_manager_key="lake",
                partition_mapping=partition_mapping(source, table, neighbours=jointly),
            )
            for source in inputs.values()
        },
        check_specs=declared_check_specs(table),
        partitions_def=partitions_of(table),
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_of(table) else None,
        automation_condition=condition,
        io_manager_key="lake",
        required_resource_keys={"stores", *(resources or set())},
        code_version=version,
        pool=f"{spec.game}_{spec.name}",
        **common,
    )
    def run(context: dg.AssetExecutionContext, config: Processing, **frames: Any) -> Iterator[Any]:
        given = {name: frames[source.spec.name] for name, source in inputs.items()}
        yield dg.Output(replacements(context, config, given))
        yield from declared_check_results(table, context.resources.stores.lake, _keys(context), context)

    # The keywords from `common_definition` hide from the type checker which overload of `asset` this is.
    return cast(dg.AssetsDefinition, run)


def _whole_or_batches(
    work: Work,
    size: int,
    ledger: Ledger,
    make: Callable[[Sequence[str] | None], pl.LazyFrame],
    keys: Sequence[str],
    table: type[Table],
) -> Iterator[Replacement]:
    """The replacements that bring a table up to date, each entered in the ledger once it is committed."""
    if work.count == work.total and work.count <= size and not work.is_empty:
        # All there is: replacing the partitions whole is cheaper than naming every id. The input is
        # still limited to what the ledgers hold: an id may be half written in an upstream table.
        yield Replacement(make(sorted(unit for units in work.pending.values() for unit in units)), keys)
        ledger.record(work.pending, work.vanished)
        return
    for key, units in work.vanished.items():
        if units:
            yield Replacement(pl.LazyFrame(schema=table.schema()), [key], list(units))
            ledger.record({}, {key: units})
    for batch in work.batches(size):
        ids = sorted({unit for units in batch.values() for unit in units})
        # An id may be of other partitions too, whose turn is another batch's.
        yield Replacement(_of_keys(table, make(ids), sorted(batch)), sorted(batch), ids)
        ledger.record(batch)


# --------------------------------------------------------------------------- publication


class MissingPartitionError(GamestatsError):
    """A publication was asked for a table that was never materialised."""


class ChangedMeanwhileError(GamestatsError):
    """The table in the lake changed again and again while it was being published."""


def publication(
    table: type[Table], checks: Sequence[Check], upstream: Collection[type[Table]] = ()
) -> dg.AssetsDefinition:
    """The table's copy in PostgreSQL: exactly the run's partitions, replaced in one transaction each.

    Args:
        checks: the game's checks; before anything is published, the blocking ones of this table
            and of the upstream tables with the same partitions are evaluated again.
        upstream: every table this one is made from, directly or not.
    """
    spec = table.spec
    guarding = [
        check
        for check in checks
        if check.table is table or (check.table in upstream and partitions_of(check.table) == partitions_of(table))
    ]

    @dg.asset(
        key=publication_key(table),
        deps=[asset_key(table)],
        description=f"{spec.dotted} in PostgreSQL, as {spec.game}.{spec.name}. {table.description()}",
        metadata={
            "dagster/column_schema": column_schema(table),
            "dagster/table_name": spec.dotted,
            "dagster/storage_kind": "postgresql",
        },
        group_name=spec.game,
        owners=[f"team:{spec.game}"],
        tags={"layer": "published"},
        kinds={"postgres"},
        partitions_def=partitions_of(table),
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_of(table) else None,
        automation_condition=ON_CHECKED_INPUTS,
        required_resource_keys={"stores"},
        code_version="1",
        check_specs=[
            dg.AssetCheckSpec(
                _SAME_ROWS,
                asset=publication_key(table),
                partitions_def=partitions_of(table),
                description="PostgreSQL holds as many rows of the partition as the lake.",
            )
        ],
        retry_policy=_OUTSIDE,
        pool=f"postgres_{spec.game}_{spec.name}",
        freshness_policy=_freshness(table),
    )
    def publish_table(context: dg.AssetExecutionContext) -> Iterator[Any]:
        from gamestats_assets.lakehouse.postgres import published_rows

        stores: Stores = context.resources.stores
        keys = _keys(context)
        state = stores.lake.state(table)
        if state is None:
            raise MissingPartitionError(
                f"{spec.dotted} has never been materialised, so there is nothing to publish. "
                f"Materialise it first: gamestats materialize --select {spec.dotted}"
            )
        inserted = deleted = 0
        preview = pl.DataFrame(schema=table.schema())
        different: dict[str, str] = {}
        guard = _Guard(stores, table, guarding, keys)
        refused: dict[str, BlockingCheckError] = {}
        for key in keys or [None]:
            try:
                rows, done = _publish_partition(stores, table, guard, key)
            except BlockingCheckError as error:
                refused[key or ""] = error
                continue
            inserted, deleted = inserted + done.rows_inserted, deleted + done.rows_deleted
            preview = rows.head(5) if not rows.is_empty() else preview
            value = table.partition_value(key) if key is not None else None
            found = published_rows(stores.postgres_url, table, value)
            if found != rows.height:
                different[key or "all"] = f"{rows.height} in the lake, {found} in PostgreSQL"
            if key is not None:
                context.add_asset_metadata({"dagster/partition_row_count": rows.height}, publication_key(table), key)
        if refused:
            # One bad day does not hold up the others: they are published, and Dagster is told.
            for key in [key for key in keys if key not in refused]:
                context.instance.report_runless_asset_event(
                    dg.AssetMaterialization(publication_key(table), partition=key)
                )
            raise dg.Failure(str(next(iter(refused.values()))), allow_retries=False)
        yield dg.MaterializeResult(
            metadata={
                "rows_written": inserted,
                "rows_replaced": deleted,
                "delta_version": state.version,
                "preview": frame_metadata(preview),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=_SAME_ROWS,
                    passed=not different,
                    metadata={
                        "rows": inserted,
                        **({"different": dg.MetadataValue.json(different)} if different else {}),
                    },
                )
            ],
        )

    return publish_table


class _Guard:
    """The blocking checks of a run's partitions, evaluated together and again when the table changed."""

    def __init__(self, stores: Stores, table: type[Table], checks: Sequence[Check], keys: Sequence[str]) -> None:
        self._stores, self._table, self._checks, self._keys = stores, table, checks, keys
        self._version: int | None = None
        self._refusals: dict[str, BlockingCheckError] = {}

    def pass_version(self, key: str | None) -> int | None:
        """The table's version, in which the partition breaks no check.

        Raises:
            BlockingCheckError: when it breaks one.
        """
        version = self._stores.lake.version(self._table)
        if version != self._version:
            self._refusals = refusals(self._checks, self._stores.lake, self._keys)
            self._version = version
        if (key or "") in self._refusals:
            raise self._refusals[key or ""]
        return version


def _publish_partition(
    stores: Stores, table: type[Table], guard: _Guard, key: str | None
) -> "tuple[pl.DataFrame, Publication]":
    """Check, read and publish one partition of one version of the table; again when it changed meanwhile."""
    from gamestats_assets.lakehouse.postgres import publish

    values = values_of(table, [key]) if key is not None else None
    attempt = 0
    while True:
        attempt += 1
        version = guard.pass_version(key)
        rows = stores.lake.scan(table, values).collect()
        broken = screen(table, rows).rejections
        if broken:
            raise BlockingCheckError(f"Nothing of {table.spec.dotted} was published: {broken[0].reason}")

        def unchanged(cursor: object, version: int | None = version) -> None:
            # Inside the publishing transaction: what was checked is what is committed.
            if stores.lake.version(table) != version:
                raise ChangedMeanwhileError(
                    f"{table.spec.dotted} changed in the lake while it was being published. Publish it again."
                )

        try:
            return rows, publish(stores.postgres_url, table, values, rows, before_commit=unchanged)
        except ChangedMeanwhileError:
            if attempt == _PUBLISHING_ATTEMPTS:
                raise
