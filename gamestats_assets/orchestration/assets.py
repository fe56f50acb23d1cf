"""Builders: from a table and the function or SELECT that makes it, to a Dagster asset.

- `landed_tables`: the bronze tables that one reading of landed files feeds.
- `table_asset`: a table made by a pure function of frames.
- `sql_asset`: a table made by one SELECT.
- `settled_asset`: a table of whole days, of all days that depends on days before, or of names (patches).
- `publication`: a published table's copy in PostgreSQL.

Each step keeps a ledger of the ids it has processed (see `lakehouse.ledger`), so a
partition that gained a match processes that match and no other.
"""

import contextlib
import functools
import hashlib
import typing
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta import Commit, Lake, first_rows
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import (
    Ledger,
    LedgerRow,
    Work,
    follows_ids,
    input_hashes,
    step_version,
    unit_hashes,
)
from gamestats_assets.lakehouse.quality import Check, Rejection, screen, table_inputs
from gamestats_assets.lakehouse.sql import SqlModel, run_model
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.automation import ON_ANY_INPUT, ON_CHECKED_INPUTS, on_inputs_of_pairs
from gamestats_assets.orchestration.checks import (
    BlockingCheckError,
    declared_check_results,
    declared_check_specs,
    refusals,
    up_to_date_results,
    up_to_date_spec,
)
from gamestats_assets.orchestration.io_manager import NothingLoadedError, Replacement, commit
from gamestats_assets.orchestration.landed import file_refused, inputs_of, landed_hashes, landed_units
from gamestats_assets.orchestration.metadata import (
    DAYS_AROUND,
    FROM_LANDING,
    SETTLED,
    asset_key,
    column_schema,
    definition_metadata,
    frame_metadata,
    materialisation_metadata,
    partition_row_counts,
    publication_key,
)
from gamestats_assets.orchestration.partitions import (
    dimensions,
    has_days,
    is_paired,
    key_of_day_before,
    partition_mapping,
    partitions_of,
    pieces,
    shared_dimensions,
    values_of,
    values_read,
)
from gamestats_assets.orchestration.settled import Contents, Settled, published_contents, remade

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.postgres import Publication

# Ids in one batch: one commit and one ledger entry each. Bounds memory to about 2 GB.
BATCH = 200
# While a batch of files is committed the next is decoded: small ones keep all cores busy.
DECODED_BATCH = 40


# For steps that reach outside this process: a store or a server may be away for a moment.
_OUTSIDE = dg.RetryPolicy(max_retries=1, delay=5)
_SAME_ROWS = "rows_equal_the_lake"
_CHANGED = "What it was made from has changed meanwhile."
_PUBLISHING_ATTEMPTS = 5


class Processing(dg.Config):
    """How much a step does."""

    everything: bool = False
    """Process every id of the partitions again, not only new and changed ones."""
    batch_size: int = 0
    """Ids processed and committed together; 0 is as many as suit the table."""


class Decoded(Protocol):
    """What decoding landed files gives."""

    @property
    def frames(self) -> Mapping[type[Table], pl.LazyFrame | Iterable[pl.DataFrame]]:
        """Rows per table, which can be read until the next batch is asked for.

        Frames one after another can be gone through once, those of two tables at the same time; those of the last table
        come when all others have been gone through.
        """
        ...

    @property
    def rejections(self) -> Mapping[type[Table], Sequence[Rejection]]:
        """What was rejected, by the table it was meant for; of frames one after another when the last one has come."""
        ...

    @property
    def unreadable(self) -> int:
        """Ids of which nothing could be read."""
        ...


Decode = Callable[[Landing, Sequence[Sequence[LandedFile]], int], Generator[Decoded, None, None]]
"""Decodes batches of landed files with a number of worker processes, and gives one result after another."""


Days = tuple[str, str] | None
"""First and last day of a range."""


def common_definition(table: type[Table], kinds: set[str], tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What every asset of a table says of itself."""
    return {
        "description": table.description(),
        "metadata": definition_metadata(table),
        "group_name": table.spec.game,
        "owners": [f"team:{table.spec.game}"],
        "tags": {"layer": table.spec.layer, **(tags or {})},
        "kinds": {*kinds, table.spec.layer, "deltalake"},
        "freshness_policy": _freshness(table),
    }


def _freshness(table: type[Table]) -> dg.FreshnessPolicy | None:
    if (hour := table.spec.fresh_by_hour) is not None:
        return dg.FreshnessPolicy.cron(
            deadline_cron=f"0 {hour} * * *", lower_bound_delta=timedelta(hours=hour), timezone="UTC"
        )
    window = table.spec.fresh_within
    return dg.FreshnessPolicy.time_window(fail_window=window) if window else None


def keys_of_run(context: dg.AssetExecutionContext) -> list[str]:
    """Partition keys of a run; none where it has no partitions."""
    # Those of pairs are a class of Dagster's own, which not every library takes for texts.
    return [*map(str, context.partition_keys)] if context.has_partition_key or context.has_partition_key_range else []


# --------------------------------------------------------------------------- landing to bronze


def upstream_of(
    table: type[Table], assets: Sequence[dg.AssetsDefinition], known: Mapping[str, type[Table]]
) -> set[type[Table]]:
    """Every table that a table is made from, directly or not, as the assets' dependencies tell.

    What is no table (a step that fetches or generates files) is passed over, and what it is made from is not.
    """
    dependencies = {spec.key: [dep.asset_key for dep in spec.deps] for asset in assets for spec in asset.specs}
    found: set[dg.AssetKey] = set()
    waiting = list(dependencies.get(asset_key(table), ()))
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += dependencies.get(key, ())
    return {known[name] for name in (".".join(key.path) for key in found) if name in known}


def landed_tables(
    tables: Sequence[type[Table]],
    decode: Decode,
    *,
    refused: Callable[[Landing], Sequence[Rejection]] | None = None,
    deps: Sequence[dg.AssetKey] = (),
    code_version: str = "1",
    by_conditions: bool = True,
    at_once: int = DECODED_BATCH,
) -> dg.AssetsDefinition:
    """One step that reads landed files once and feeds all the given bronze tables.

    Of tables by day and name (`product_day`) the id is the name: `replaced_by="product"`. All files of that product
    and day are decoded together, by themselves, so a new file makes the product's whole day anew, and no other but
    the day after where its rows depend on the files of the day before (`after_day_before`). So are the files of a day,
    of tables by day that are replaced whole.

    Args:
        tables: tables of one game with the same `made_by`, partitions and replaced ids.
        decode: reads batches of files; gives the frames and rejections of each.
        refused: landed files that belong to no id and that nobody can read, for the quarantine; one step of a game
            files them.
        deps: assets that must come first and are not read, such as one that fetches or generates the files.
        by_conditions: whether what is made from them is requested by automation conditions.
        at_once: ids decoded and committed together.
    """
    game, step, unit = tables[0].spec.game, tables[0].spec.step, tables[0].spec.replaced_by or "file"
    version = step_version(tables, code_version)
    # A name is the id of all its days, which must not be screened or quarantined as one; a whole day has no id.
    whole = is_paired(partitions_of(tables[0])) or tables[0].spec.replaced_by is None
    named = {"match_id": "matches", "file": "days"}
    units_named = named.get(unit, f"{unit.removesuffix('_id')}s")

    @dg.multi_asset(
        name=f"{game}_{step}",
        specs=[
            dg.AssetSpec(
                asset_key(table),
                deps=deps,
                partitions_def=partitions_of(table),
                code_version=version,
                **common_definition(table, {"python"}, {FROM_LANDING: "true"}),
            )
            for table in tables
        ],
        check_specs=[spec for table in tables for spec in declared_check_specs(table, by_conditions=by_conditions)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"stores"},
        pool=f"{game}_{step}",
    )
    def land(context: dg.AssetExecutionContext, config: Processing) -> Iterator[Any]:
        stores: Stores = context.resources.stores
        keys = keys_of_run(context)
        read = {*keys, *map(key_of_day_before, keys)} if tables[0].spec.after_day_before else keys
        units = {key: landed_units(stores.landing, game, key) for key in read}
        ledger = Ledger(stores.lake, game, step)
        inputs = inputs_of(tables[0], {key: landed_hashes(day) for key, day in units.items()})
        work = ledger.work({key: inputs[key] for key in keys}, code_version=version, everything=config.everything)
        context.log.info(f"{work.count} of {work.total} {units_named} are new or changed in {len(keys)} partitions.")
        commits: dict[type[Table], list[Commit]] = {table: [] for table in tables}
        if refused is not None:
            file_refused(stores, game, refused(stores.landing))
        unreadable = done = 0
        for key, gone in work.vanished.items():
            if gone:
                for table in tables:
                    rows = Replacement(pl.LazyFrame(schema=table.schema()), [key], None if whole else list(gone))
                    commits[table].append(commit(stores, table, rows, keys))
                ledger.record({}, {key: gone})
        batches = list(work.batches(1 if whole else config.batch_size or at_once))
        files = [[file for key, ids in batch.items() for unit in ids for file in units[key][unit]] for batch in batches]
        with (
            contextlib.closing(decode(stores.landing, files, stores.settings.workers)) as results,
            ledger.entering() as enter,
        ):
            for batch, decoded in zip(batches, results, strict=True):
                partition_of = {unit: key for key, day in batch.items() for unit in day}
                ids = None if whole else sorted(partition_of)
                frames = decoded.frames
                replacements = {
                    table: Replacement(
                        frames[table], sorted(batch), ids, decoded.rejections.get(table, ()), partition_of
                    )
                    for table in tables
                }
                for table, done_to in _committed(stores, replacements, keys):
                    commits[table].append(done_to)
                if decoded.unreadable < len(partition_of):
                    enter(batch)
                unreadable += decoded.unreadable
                done += len(partition_of)
                context.log.info(f"{done} of {work.count} {units_named} committed.")
        for table in tables:
            for key, metadata in partition_row_counts(stores.lake, table, keys).items():
                context.add_asset_metadata(metadata, asset_key(table), key)
            values = values_of(table, keys) if table.spec.partitioned_by else None
            yield dg.MaterializeResult(
                asset_key=asset_key(table),
                metadata={
                    **materialisation_metadata(stores.lake, table, values, commits[table]),
                    f"{units_named}_processed": work.count,
                },
            )
            yield from declared_check_results(table, stores.lake, keys, context)
        if work.count and unreadable == work.count:
            raise NothingLoadedError(
                f"None of the {work.count} {units_named} of {', '.join(keys[:5])} could be read. What was found is in "
                f'quarantine: gamestats query "from {game}.quarantine"'
            )

    return land


def _committed(
    stores: Stores, replacements: Mapping[type[Table], Replacement], keys: Sequence[str]
) -> Iterator[tuple[type[Table], Commit]]:
    """Commit to several tables; where rows come in pieces to two at a time, for writing keeps one core busy.

    The last table's turn is when all others are done.
    """
    *first, last = replacements
    together = [table for table in first if isinstance(replacements[table].rows, Iterator)]
    with ThreadPoolExecutor(2) as pool:
        tasks = {table: pool.submit(commit, stores, table, replacements[table], keys) for table in together}
        for table in first:
            yield table, tasks[table].result() if table in tasks else commit(stores, table, replacements[table], keys)
    yield last, commit(stores, last, replacements[last], keys)


# --------------------------------------------------------------------------- frames to frame


def table_asset(
    function: Callable[..., pl.LazyFrame],
    *,
    code_version: str = "1",
    jointly: bool = False,
    days_around: int = 1,
    unasked: Collection[type[Table]] = (),
    by_itself: bool = True,
    at_once: int = BATCH,
) -> dg.AssetsDefinition:
    """A table made by a pure function, whose annotations name its inputs and its output.

    `def goals(matches: dy.LazyFrame[Matches]) -> dy.LazyFrame[Goals]` becomes the asset of
    `Goals` with the dependency `Matches`. Of an input the same partitions are read; those of the same day, or the same
    name, where only one of the two is by both (see `values_read`); else all of it, or the ids that are new or changed
    where both are replaced by them. An input that is a ledger (`ledger_of`) is what its step has processed of the
    run's partitions.

    A table by day and name whose inputs' ledgers do not tell every change (`follows_ids`) is computed each time, and
    the days whose rows changed are replaced.

    Args:
        code_version: raise it when the function's result changes; partitions are then made
            anew when they are next materialised.
        jointly: rows of one id depend on other ids of its day and of the days around it. All of
            them are computed each time, and the ids whose rows changed are replaced.
        days_around: how many days before and after that are, of a table that is made jointly.
        unasked: inputs whose change does not request the table: somebody else does, for fewer partitions.
        by_itself: whether changed inputs request the table; else a sensor does, which knows whom they concern.
        at_once: ids processed and committed together.
    """
    read = table_inputs(function)
    ledgers = {name: source for name, source in read.items() if issubclass(source, LedgerRow)}
    inputs = {name: source for name, source in read.items() if name not in ledgers}
    table = typing.get_args(typing.get_type_hints(function)["return"])[0]
    around = days_around if jointly and has_days(partitions_of(table)) else 0

    def make(context: dg.AssetExecutionContext, keys: Sequence[str], ids: Sequence[str] | None) -> pl.LazyFrame:
        lake = context.resources.stores.lake
        frames = _read(lake, table, inputs, keys, ids, days_around=around)
        return function(**frames, **{name: lake.scan(ledger, keys) for name, ledger in ledgers.items()})

    return _asset(
        table,
        inputs,
        make,
        kinds={"polars"},
        code_version=code_version,
        jointly=jointly,
        days_around=around,
        unasked=unasked,
        by_itself=by_itself,
        at_once=at_once,
    )


def _read(
    lake: Lake,
    table: type[Table],
    inputs: Mapping[str, type[Table]],
    keys: Sequence[str],
    ids: Sequence[str] | None,
    *,
    days_around: int,
) -> dict[str, pl.LazyFrame]:
    """The inputs' rows that partitions are made from; of some ids only those, wherever they are."""
    values = {name: values_read(source, table, keys, lake, days_around=days_around) for name, source in inputs.items()}
    frames: dict[str, pl.LazyFrame] = {}
    # What is read whole comes last: the others tell in which of its partitions the ids are.
    for name in sorted(inputs, key=lambda name: values[name] is None):
        held, column = values[name], inputs[name].spec.partitioned_by
        if held is None and ids is not None:
            telling = [other for other in frames if values[other] and column in inputs[other].column_names()]
            held = frames[telling[0]].select(column).unique().collect().to_series().to_list() if telling else None
        frames[name] = _of_ids(inputs[name], lake.scan(inputs[name], held), ids)
    return frames


def _of_ids(table: type[Table], frame: pl.LazyFrame, ids: Sequence[str] | None) -> pl.LazyFrame:
    if ids is None or table.spec.replaced_by is None:
        return frame
    return frame.filter(pl.col(table.spec.replaced_by).is_in(list(ids)))


def _of_rows(table: type[Table], rows: pl.DataFrame, keys: Sequence[str], ids: Sequence[str] | None) -> pl.LazyFrame:
    """As `_of_ids`, of rows that were made already, of these keys."""
    return _of_ids(table, rows.lazy(), ids)


def sql_asset(table: type[Table], model: SqlModel, known: Mapping[str, type[Table]]) -> dg.AssetsDefinition:
    """A table made by one SELECT; the tables it names are the dependencies."""
    inputs = {name.replace(".", "__"): known[name] for name in model.dependencies}

    def make(context: dg.AssetExecutionContext, keys: Sequence[str], ids: Sequence[str] | None) -> pl.LazyFrame:
        lake = context.resources.stores.lake
        sources = {
            source.spec.dotted: lake.source(source, values_read(source, table, keys, lake), ids)
            for source in inputs.values()
        }
        with context.resources.duckdb.get_connection() as connection:
            try:
                return run_model(model, sources, connection=connection).lazy()
            finally:
                # The resource closes the connection only when nothing is raised.
                connection.close()

    return _asset(
        table,
        inputs,
        make,
        kinds={"sql", "duckdb"},
        code_version=hashlib.sha256(model.spark_sql.encode()).hexdigest()[:8],
        resources={"duckdb"},
        metadata=_sql_metadata(model),
    )


def settled_asset(settled: Settled, checks: Sequence[Check] = ()) -> dg.AssetsDefinition:
    """A table of whole days, of all days, or of names, that is made again when what it is made from is not what it was.

    Days that are as they should be are passed over, unless `everything` is asked for; so are those that break a
    blocking check of a table they are made from, which stay as they were. No condition requests the table: a
    `settling_sensor` does.

    Args:
        checks: the game's checks.
    """
    table, spec, made_by = settled.table, settled.table.spec, settled.made_by
    steps = {(source.spec.game, source.spec.step) for source in settled.reads}
    # Of what one step makes of a day's files all is of the day, or nothing.
    guarding = [
        check
        for check in checks
        if (check.table.spec.game, check.table.spec.step) in steps
        and partitions_of(check.table) == partitions_of(table)
    ]
    is_sql = isinstance(made_by, SqlModel)
    common = common_definition(table, {"sql", "duckdb"} if is_sql else {"polars"}, {SETTLED: "true"})
    common["metadata"] = {**common["metadata"], **(_sql_metadata(made_by) if isinstance(made_by, SqlModel) else {})}

    @dg.asset(
        key=asset_key(table),
        # Dagster is told of the same day alone: it would take a backfill of some days to the days after them, with logs
        # or without, and of each table in a run of its own. Who looks back further is known to the ledgers.
        deps=[
            dg.AssetDep(asset_key(source), partition_mapping=partition_mapping(source, table))
            for source in settled.reads
        ],
        check_specs=[*declared_check_specs(table, by_conditions=False), up_to_date_spec(table)],
        partitions_def=partitions_of(table),
        backfill_policy=dg.BackfillPolicy.single_run() if settled.has_partitions else None,
        io_manager_key="lake",
        required_resource_keys={"stores", *({"duckdb"} if is_sql else ())},
        code_version=settled.version,
        pool=f"{spec.game}_{spec.name}",
        **common,
    )
    def run(context: dg.AssetExecutionContext, config: Processing) -> Iterator[Any]:
        # A run of days may have tables without any beside it.
        keys = keys_of_run(context) if settled.has_partitions else []
        lake: Lake = context.resources.stores.lake
        session = context.resources.duckdb.get_connection if is_sql else None
        contents = Contents(lake)
        waits = settled.waiting(contents, contents.late(settled) & {*keys})
        ready = [key for key in keys if key not in waits]
        refused = refusals(guarding, lake, ready, "made") if ready else {}
        for error in refused.values():
            context.log.warning(str(error))
        if keys and len(undone := {**refused, **waits}) == len(keys):
            first = next(iter(undone.values()))
            raise dg.Failure(str(first) if refused else f"Nothing was made. {first}", allow_retries=False)
        made = [key for key in keys if key not in refused]
        yield dg.Output(
            remade(
                settled,
                lake,
                made,
                contents=contents,
                everything=config.everything,
                session=session,
                tell=context.log.info,
            )
        )
        yield from declared_check_results(table, lake, keys, context)
        contents = Contents(lake)
        left = contents.late(settled)
        waits = settled.waiting(contents, left)
        if settled.has_partitions:
            why = {key: waits.get(key, _CHANGED) for key in left if key in keys}
            why |= {key: str(error) for key, error in refused.items()}
        else:
            why = {"": min(waits.values(), default=_CHANGED)} if left else {}
        yield from up_to_date_results(table, why, keys, context)

    # The keywords from `common_definition` hide from the type checker which overload of `asset` this is.
    return cast(dg.AssetsDefinition, run)


def _sql_metadata(model: SqlModel) -> dict[str, Any]:
    lineage = dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key(model.reads[name]), source) for name, source in origins]
            for column, origins in model.column_lineage.items()
        }
    )
    return {"dagster/column_lineage": lineage, "sql": dg.MetadataValue.md(f"```sql\n{model.text}\n```")}


def _of_keys(table: type[Table], rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """The rows of the run's own partitions: a table with wider inputs may make others too."""
    column = table.spec.partitioned_by
    return rows.filter(pl.col(column).is_in(values_of(table, keys))) if column else rows


def _condition(
    table: type[Table], sources: Collection[type[Table]], unasked: Collection[type[Table]], *, jointly: bool
) -> dg.AutomationCondition:
    """When changed inputs request a table: with all of them there where it reads one partition of each."""
    own = dimensions(partitions_of(table))
    of = {source: dimensions(partitions_of(source)) for source in sources}
    wide = [s for s, its in of.items() if (jointly if its == own else not its or not set(its) < set(own))]
    ignored = dg.AssetSelection.assets(*map(asset_key, unasked))
    if any(len(each) == 2 for each in (own, *of.values())):
        some_of = [source for source in wide if shared_dimensions(partitions_of(source), partitions_of(table))]
        return on_inputs_of_pairs([*map(asset_key, wide)], [*map(asset_key, some_of)], ignored if unasked else None)
    condition = ON_ANY_INPUT if wide else ON_CHECKED_INPUTS
    return condition.ignore(ignored) if unasked else condition


Made = Callable[[Sequence[str], Sequence[str] | None], pl.LazyFrame]
"""A table's rows in some partitions: those of some ids, or all."""
Make = Callable[[dg.AssetExecutionContext, Sequence[str], Sequence[str] | None], pl.LazyFrame]
"""Makes them in a run."""


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
    days_around: int = 0,
    unasked: Collection[type[Table]] = (),
    by_itself: bool = True,
    at_once: int = BATCH,
) -> dg.AssetsDefinition:
    spec = table.spec
    condition = _condition(table, inputs.values(), unasked, jointly=jointly) if by_itself else None
    common = common_definition(table, kinds, {DAYS_AROUND: str(days_around)} if days_around else None)
    common["metadata"] = {**common["metadata"], **(metadata or {})}
    version = step_version([table], code_version)
    paired = is_paired(partitions_of(table))
    by_ids = follows_ids(table, inputs.values()) and not jointly
    # What the ledgers of its inputs do not tell of a pair, its own rows do.
    by_rows = jointly or (paired and spec.replaced_by is not None and not by_ids)

    def replacements(
        context: dg.AssetExecutionContext, config: Processing, keys: Sequence[str]
    ) -> Iterator[Replacement]:
        lake: Lake = context.resources.stores.lake
        ledger = Ledger(lake, spec.game, spec.step)
        size = 1 if paired else config.batch_size or at_once

        def work_of(found: Mapping[str, Mapping[str, str]], keys: Sequence[str]) -> Work:
            inputs = {**{key: {} for key in keys}, **found}
            return ledger.work(inputs, code_version=version, everything=config.everything)

        with ledger.entering() as enter:
            if by_ids:
                work = work_of(input_hashes(lake, table, inputs.values(), keys), keys)
                context.log.info(f"{work.count} of {work.total} ids are new or changed in {len(keys)} partitions.")
                yield from _whole_or_batches(work, size, enter, functools.partial(make, context), keys, table)
                return
            changed = total = 0
            for piece in pieces(table, keys):
                of_keys = _of_keys(table, make(context, piece, None), piece)
                if not by_rows:
                    yield Replacement(of_keys, piece)
                    continue
                rows = of_keys.collect()
                work = work_of(unit_hashes(table, rows), piece)
                changed, total = changed + work.count, total + work.total
                yield from _whole_or_batches(work, size, enter, functools.partial(_of_rows, table, rows), piece, table)
            if by_rows:
                context.log.info(f"{changed} of {total} ids are new or changed in {len(keys)} partitions.")

    @dg.asset(
        key=asset_key(table),
        deps=[
            dg.AssetDep(asset_key(source), partition_mapping=partition_mapping(source, table, days_around=days_around))
            for source in dict.fromkeys(inputs.values())
        ],
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
    def run(context: dg.AssetExecutionContext, config: Processing) -> Iterator[Any]:
        keys = keys_of_run(context)
        yield dg.Output(replacements(context, config, keys))
        yield from declared_check_results(table, context.resources.stores.lake, keys, context)

    # The keywords from `common_definition` hide from the type checker which overload of `asset` this is.
    return cast(dg.AssetsDefinition, run)


def _whole_or_batches(
    work: Work,
    size: int,
    enter: Callable[..., None],
    made: Made,
    keys: Sequence[str],
    table: type[Table],
) -> Iterator[Replacement]:
    """The replacements that bring a table up to date, each entered in the ledger once it is committed."""
    paired = is_paired(partitions_of(table))
    in_one_piece = work.count <= size and len(pieces(table, keys)) == 1
    if work.count == work.total and in_one_piece and not work.is_empty:
        # All there is: replacing the partitions whole is cheaper than naming every id. The input is
        # still limited to what the ledgers hold: an id may be half written in an upstream table.
        yield Replacement(made(keys, _ids_of(work.pending)), keys)
        enter(work.pending, work.vanished)
        return
    for key, units in work.vanished.items():
        if units:
            yield Replacement(pl.LazyFrame(schema=table.schema()), [key], None if paired else list(units))
            enter({}, {key: units})
    if paired:
        for batch in work.batches(size):
            yield Replacement(made(sorted(batch), _ids_of(batch)), sorted(batch))
            enter(batch)
        return
    batches = [(batch, _ids_of(batch)) for batch in work.batches(size)]

    def rows_of(batch: Collection[str], ids: Sequence[str]) -> pl.DataFrame:
        # An id may be of other partitions too, whose turn is another batch's.
        return _of_keys(table, made(sorted(batch), ids), sorted(batch)).collect()

    computed = _ahead([functools.partial(rows_of, *batch) for batch in batches])
    for (batch, ids), rows in zip(batches, computed, strict=True):
        yield Replacement(rows, sorted(batch), ids)
        enter(batch)


def _ids_of(batch: Mapping[str, Mapping[str, str]]) -> list[str]:
    return sorted({unit for units in batch.values() for unit in units})


def _ahead(tasks: Iterable[Callable[[], pl.DataFrame]]) -> Iterator[pl.DataFrame]:
    """What tasks give, in order: while one is committed, which keeps one core busy, the next is computed."""
    with ThreadPoolExecutor(1) as pool:
        begun: Future[pl.DataFrame] | None = None
        for task in tasks:
            before, begun = begun, pool.submit(task)
            if before is not None:
                yield before.result()
        if begun is not None:
            yield begun.result()


# --------------------------------------------------------------------------- publication


class MissingPartitionError(GamestatsError):
    """A publication was asked for a table that was never materialised."""


class ChangedMeanwhileError(GamestatsError):
    """The table in the lake changed again and again while it was being published."""


def publication(
    table: type[Table],
    checks: Sequence[Check],
    upstream: Collection[type[Table]] = (),
    *,
    settled: Settled | None = None,
) -> dg.AssetsDefinition:
    """The table's copy in PostgreSQL: exactly the run's partitions, replaced in one transaction each.

    Of a settled table those are passed over whose very content is published already.

    Args:
        checks: the game's checks; before anything is published, the blocking ones of this table
            and of the upstream tables with the same partitions are evaluated again.
        upstream: every table this one is made from, directly or not.
        settled: how the table is made, where it is a settled one.
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
        automation_condition=None if settled else _condition(table, [table], (), jointly=False),
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
        from gamestats_assets.lakehouse.postgres import published_hashes, published_rows

        stores: Stores = context.resources.stores
        # A run of days may have tables without any beside it.
        keys = keys_of_run(context) if partitions_of(table) is not None else []
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
        # Before any rows are read: what is published then under an old name is published once more.
        held = Contents(stores.lake)
        contents = published_contents(settled, held) if settled else {}
        published = published_hashes(stores.postgres_url, table) if settled else {}
        # A day that is not made is no empty one.
        has_keys = settled is not None and settled.has_partitions
        waits = settled.waiting(held, held.late(settled) - contents.keys()) if settled and has_keys else {}
        for key in keys or [None]:
            value = table.partition_value(key) if key is not None else None
            height = state.rows_per_partition.get(key, 0) if key is not None else state.rows
            is_there = contents.get(key or "") is not None and contents[key or ""] == published.get(key or "")
            found = published_rows(stores.postgres_url, table, value) if is_there else None
            if found != height:
                try:
                    if key in waits:
                        raise BlockingCheckError(
                            f"Nothing was published: {spec.dotted} of {key} is not made yet. {waits[key]}"
                        )
                    rows, done = _publish_partition(stores, table, guard, key, contents.get(key or ""))
                except BlockingCheckError as error:
                    refused[key or ""] = error
                    continue
                inserted, deleted, height = inserted + done.rows_inserted, deleted + done.rows_deleted, rows.height
                preview = first_rows(rows) if not rows.is_empty() else preview
                found = published_rows(stores.postgres_url, table, value)
            if found != height:
                different[key or "all"] = f"{height} in the lake, {found} in PostgreSQL"
            if key is not None:
                context.add_asset_metadata({"dagster/partition_row_count": height}, publication_key(table), key)
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
                **({} if spec.personal else {"preview": frame_metadata(preview)}),
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
            self._refusals = refusals(self._checks, self._stores.lake, self._keys, "published")
            self._version = version
        if (key or "") in self._refusals:
            raise self._refusals[key or ""]
        return version


def _publish_partition(
    stores: Stores, table: type[Table], guard: _Guard, key: str | None, content: str | None
) -> "tuple[pl.DataFrame, Publication]":
    """Check, read and publish one partition of one version of the table; again when it changed meanwhile.

    Args:
        content: names what is published, where that is known.
    """
    from gamestats_assets.lakehouse.postgres import publish

    values = values_of(table, [key]) if key is not None else None
    named = {values[0] if values else None: content} if content else None
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
            return rows, publish(stores.postgres_url, table, values, rows, before_commit=unchanged, content_hash=named)
        except ChangedMeanwhileError:
            if attempt == _PUBLISHING_ATTEMPTS:
                raise
