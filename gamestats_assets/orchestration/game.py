"""A game's tables as Dagster assets: what makes each, what stops it, what is published.

    DEMO = Game("demo", TABLES, CHECKS)
    DEMO.landed([RawGoals, RawFiles], decode)
    DEMO.function(match_goals)
    DEMO.sql(SqlModel.load(...))
    DEMO.publications()
    definitions = DEMO.definitions()

Each builder says which partitions a partition reads and in which units rows are replaced; all else follows from the
rule of `freshness`. There is one for functions, one for SELECTs, one for landed files, one for what people entered and
one for publications; `custom` is for what reaches outside.
"""

import functools
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import WHOLE, LedgerRow, fingerprint, step_version
from gamestats_assets.lakehouse.lineage import column_lineage
from gamestats_assets.lakehouse.ops import migrate, snapshot
from gamestats_assets.lakehouse.quality import Check, Rejection, quarantine_of, table_inputs
from gamestats_assets.lakehouse.sql import SqlModel, stream_model
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import PartitionValue, Table
from gamestats_assets.orchestration.checks import (
    QUARANTINE,
    RULES,
    UP_TO_DATE,
    check_specs,
    own_results,
    results,
    rules_broken,
)
from gamestats_assets.orchestration.freshness import (
    Entered,
    Graph,
    Input,
    Landed,
    Look,
    Reads,
    Step,
    Told,
    aside_of,
    rows_of_names,
    without,
)
from gamestats_assets.orchestration.landed import file_refused
from gamestats_assets.orchestration.making import BATCH, Decode, Done, MakeRows, Making
from gamestats_assets.orchestration.metadata import (
    asset_key,
    definition_metadata,
    done_metadata,
    frame_metadata,
    partition_row_counts,
)
from gamestats_assets.orchestration.partitions import (
    dimensions,
    has_days,
    is_paired,
    partitions_of,
    shared_dimensions,
    values_of,
)
from gamestats_assets.orchestration.requests import PARTITIONS_TAG, REQUESTED_BY_TAG, partitions_of_run

DECODED_BATCH = 40
"""Landed units decoded and committed together: while one batch is committed the next is decoded."""


class Processing(dg.Config):
    """How much a step does."""

    everything: bool = False
    """Make every unit of the partitions again, not only what is behind."""
    batch_size: int = 0
    """Units made and committed together; 0 is as many as suit the table."""


Maker = Callable[[Making, Processing], Done]
"""Does a step's work."""


def keys_of_run(context: dg.AssetExecutionContext) -> list[str]:
    """Partition keys of a run; none where it has no partitions."""
    if PARTITIONS_TAG in context.run.tags:
        return partitions_of_run(context.run)
    # Those of pairs are a class of Dagster's own, which not every library takes for texts.
    return [*map(str, context.partition_keys)] if context.has_partition_key or context.has_partition_key_range else []


class Game:
    """The tables of one game and how each is made.

    Args:
        name: of the game: its folder, and the first part of its tables' names.
        tables: every table.
        checks: every check of them.
    """

    def __init__(self, name: str, tables: Sequence[type[Table]], checks: Sequence[Check]) -> None:
        self.name, self.tables, self.checks = name, tuple(tables), tuple(checks)
        self.graph = Graph(checks={table: [check for check in checks if check.table is table] for table in tables})
        self.steps: list[Step] = []
        self.makers: list[tuple[Step, Maker]] = []
        self._bodies: list[Callable[[], dg.AssetsDefinition]] = []
        self.others: dict[dg.AssetKey, Callable[[Look], Mapping[str, str]]] = {}
        self.other_partitions: dict[dg.AssetKey, dg.PartitionsDefinition | None] = {}
        self.other_deps: dict[dg.AssetKey, Sequence[dg.AssetKey]] = {}
        self.deps: dict[tuple[type[Table], ...], Sequence[dg.AssetKey]] = {}
        self._named: dict[str, Told] = {}
        self.published: list[type[Table]] = []

    # ------------------------------------------------------------ declaring

    def names(self, of: type[Table], table: type[Table], column: str) -> None:
        """Say which partitions there are of tables by names: the values of a column of another table.

        Args:
            of: any table with these partitions.
        """
        (dimension,) = dimensions(partitions_of(of))

        def tell(look: Look) -> Mapping[str, str]:
            held = look.lake.scan(table).select(column).drop_nulls().unique().collect().to_series()
            return dict.fromkeys(sorted(held), "")

        self._named[dimension] = Told(table.spec.dotted, tell)

    def landed(
        self,
        tables: Sequence[type[Table]],
        decode: Decode,
        *,
        refused: Callable[[Landing], Sequence[Rejection]] | None = None,
        deps: Sequence[dg.AssetKey] = (),
        code_version: str = "1",
        at_once: int = DECODED_BATCH,
    ) -> None:
        """One step that reads landed files once and feeds all the given tables.

        Of tables by day and name the unit is the name, and all its files of a day are decoded together; so are the
        files of a day, of tables by day that are replaced whole.

        Args:
            tables: tables with the same `made_by`, partitions and replaced ids.
            decode: reads batches of files; gives the frames and rejections of each.
            refused: landed files that belong to no unit and that nobody can read, for the quarantine.
            deps: assets that must come first, such as one that fetches or generates the files.
            at_once: units decoded and committed together.
        """
        first = tables[0]
        whole = is_paired(partitions_of(first)) or first.spec.replaced_by is None
        step = self._add(Step(tuple(tables), step_version(tables, code_version), (Landed(first),), by_unit=not whole))

        def make(making: Making, config: Processing) -> Done:
            if refused is not None:
                file_refused(making.stores, self.name, refused(making.stores.landing))
            return making.landed(decode, at_once=config.batch_size or at_once, everything_of_a_day=whole)

        self.deps[step.tables] = deps
        self._make(step, make, {"python"}, deps=deps)

    def documents(
        self,
        tables: Sequence[type[Table]],
        listed: Callable[[Landing], Sequence[LandedFile]],
        read: Callable[[Landing], tuple[Mapping[type[Table], pl.DataFrame], Mapping[type[Table], Sequence[Rejection]]]],
        *,
        code_version: str = "1",
    ) -> None:
        """One step that reads landed documents of no day, all together, when one is new."""

        def told(look: Look) -> Mapping[str, str]:
            files = listed(look.stores.landing)
            return {WHOLE: fingerprint(*sorted(f"{file.kind} {file.content_hash}" for file in files))} if files else {}

        documents = Told("landed documents", told)
        step = self._add(Step(tuple(tables), step_version(tables, code_version), (documents,)))

        def make(making: Making, config: Processing) -> Done:
            return making.together(lambda: read(making.stores.landing))

        self._make(step, make, {"python"})

    def entered(self, tables: Sequence[type[Table]]) -> None:
        """One step that takes snapshots of tables of `ops` when somebody entered something.

        Args:
            tables: tables with the same `made_by`: without partitions, or by the same names.
        """
        step = self._add(Step(tuple(tables), step_version(tables, "1"), tuple(map(Entered, tables))))

        def make(making: Making, config: Processing) -> Done:
            url = making.stores.postgres_url
            migrate(url)
            return making.together(lambda: ({table: snapshot(url, table) for table in tables}, {}))

        self._make(step, make, {"postgres"})

    def function(
        self,
        function: Callable[..., pl.LazyFrame],
        *,
        table: type[Table] | None = None,
        code_version: str = "1",
        days: Mapping[type[Table], int | None] | None = None,
        days_around: int = 0,
        jointly: bool = False,
        told_by: type[Table] | None = None,
        tell: Told | None = None,
        at_once: int = BATCH,
    ) -> None:
        """A table made by a pure function, whose annotations name its inputs and its output.

        `def goals(matches: dy.LazyFrame[Matches]) -> dy.LazyFrame[Goals]` becomes the asset of `Goals` with the
        dependency `Matches`. A table whose units are also those of an input with the same partitions is made unit by
        unit. A function may take its own table's rows as they stand, which are no reason to make it again, and a ledger
        (`ledger_of`), which tells what was made of a table.

        Args:
            code_version: raise it when the function's result changes.
            days: of inputs by day, how many days up to the day itself are read; `ALL_BEFORE` is all of them.
            days_around: so many days before and after a day are read of all inputs by day. Several days may be made in
                one piece: rows of a day may depend on these days alone.
            jointly: rows of one unit depend on others: partitions are computed whole.
            told_by: of a table by names, an input without partitions whose row of a name is another whenever anything
                is another that is read of the name; the other inputs are read of that name, and tell nothing.
            tell: tells what the rows are made from, in place of the inputs.
            at_once: units made and committed together.
        """
        table = table or typing.get_args(typing.get_type_hints(function)["return"])[0]
        assert table is not None
        given = table_inputs(function)
        sources = {name: source.of if issubclass(source, LedgerRow) else source for name, source in given.items()}
        read = [source for source in dict.fromkeys(sources.values()) if source is not table]
        if told_by is not None:
            assert table.spec.partitioned_by is not None
            alike = [each for each in read if partitions_of(each) == partitions_of(table)]
            inputs: list[Input] = [rows_of_names(told_by, table.spec.partitioned_by)]
            inputs += [Reads(each, table) for each in alike]
        elif tell is not None:
            inputs = [tell]
        else:
            spans = days or {}
            inputs = [Reads(each, table, spans.get(each, 1 + days_around), days_around) for each in read]
        by_unit = not jointly and told_by is None and tell is None and not days_around and _follows_units(table, read)
        spans_told = [f"{source.spec.key} {number}" for source, number in (days or {}).items()]
        own = f"{code_version} {' '.join([*spans_told, str(days_around)])}".strip()
        version = step_version([table], fingerprint(own))
        # With what it tells by itself, a ledger may be that of a table which comes later.
        rows_read = [source for source in given.values() if not issubclass(source, LedgerRow) and source is not table]
        also = [*dict.fromkeys(rows_read if tell else read)]
        also = [each for each in also if each not in {one.source for one in inputs if isinstance(one, Reads)}]
        also += [told_by] if told_by is not None and told_by not in also else []
        step = self._add(Step((table,), version, tuple(inputs), tuple(also), by_unit, self._names_of(table, inputs)))

        def rows(look: Look, keys: Sequence[str], ids: Sequence[str] | None, before: str | None) -> pl.LazyFrame:
            frames = _frames(step, {name: each for name, each in given.items()}, look, keys, ids, before)
            return function(**frames)

        self._rows(step, rows, {"polars"}, at_once=at_once)

    def sql(
        self,
        table: type[Table],
        model: SqlModel,
        *,
        days: Mapping[type[Table], int | None] | None = None,
        at_once: int = BATCH,
    ) -> None:
        """A table made by one SELECT; the tables it names are its inputs; `days` is as for a function."""
        spans = days or {}
        known = {each.spec.dotted: each for each in self.tables}
        read = [known[name] for name in model.reads]
        inputs = tuple(Reads(each, table, spans.get(each, 1)) for each in read)
        spans_told = [f"{source.spec.key} {number}" for source, number in spans.items()]
        version = step_version([table], fingerprint(model.version, *spans_told))
        by_unit = not spans and _follows_units(table, read)
        step = self._add(Step((table,), version, inputs, (), by_unit, self._names_of(table, inputs)))

        def rows(look: Look, keys: Sequence[str], ids: Sequence[str] | None, before: str | None) -> Any:
            aside = aside_of(look, step, keys)
            sources = {
                reads.source.spec.dotted: _source(look, reads, _limited(look, reads, keys, before), ids, table, aside)
                for reads in step.reads
            }
            parameters = {"ds": date.fromisoformat(keys[0])} if model.parameters else {}
            made = stream_model(model, sources, parameters)
            if table.spec.replaced_by is None:
                return made
            return pl.concat([*made] or [pl.DataFrame(schema=table.schema())]).lazy()

        self._rows(step, rows, {"sql", "duckdb"}, at_once=at_once, metadata=lambda: _sql_metadata(model))

    def custom(
        self,
        tables: Sequence[type[Table]],
        tell: Told,
        rows: MakeRows,
        *,
        also_reads: Sequence[type[Table]] = (),
        code_version: str = "1",
    ) -> None:
        """A table that something outside is made with or from, all partitions of a run together.

        Args:
            tell: what it is to be made from.
            also_reads: tables that are read besides, of which `tell` tells.
        """
        step = self._add(Step(tuple(tables), step_version(tables, code_version), (tell,), tuple(also_reads)))

        def make(making: Making, config: Processing) -> Done:
            return making.rows(rows, in_one_piece=True)

        self._make(step, make, {"python"})

    def asset(
        self,
        build: Callable[[], dg.AssetsDefinition],
        key: dg.AssetKey,
        like: type[Table],
        *,
        deps: Sequence[dg.AssetKey] = (),
        behind: Callable[[Look], Mapping[str, str]] = lambda look: {},
    ) -> None:
        """An asset that is no table.

        Args:
            like: a table with the same partitions.
            deps: what it is made from.
            behind: by partition that is behind, why.
        """
        self._bodies.append(build)
        self.others[key], self.other_partitions[key], self.other_deps[key] = behind, partitions_of(like), deps

    def publications(self) -> None:
        """Every published table's copy in PostgreSQL."""
        self.published = [table for table in self.tables if table.spec.published]

    def _add(self, step: Step) -> Step:
        # A check that was mended, or is stricter, looks at everything once more.
        checks = [check.version for table in step.tables for check in self.graph.checks[table] if check.blocking]
        step = replace(step, version=fingerprint(step.version, *checks)) if checks else step
        self.steps.append(step)
        for table in step.tables:
            self.graph.steps[table] = step
        return step

    def _names_of(self, table: type[Table], inputs: Iterable[Input]) -> Told | None:
        """What says which partitions a table by names has, where no input does."""
        own = partitions_of(table)
        if not isinstance(own, dg.DynamicPartitionsDefinition):
            return None
        leads = [
            each for each in inputs if not isinstance(each, Reads) or shared_dimensions(partitions_of(each.source), own)
        ]
        return None if leads else self._named.get(dimensions(own)[0])

    # ------------------------------------------------------------ as assets

    def _rows(
        self,
        step: Step,
        rows: MakeRows,
        kinds: set[str],
        *,
        at_once: int = BATCH,
        metadata: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        def make(making: Making, config: Processing) -> Done:
            return making.rows(rows, at_once=config.batch_size or at_once)

        self._make(step, make, kinds, metadata=metadata)

    def _make(self, step: Step, make: Maker, kinds: set[str], **keywords: Any) -> None:
        self.makers.append((step, make))
        self._bodies.append(lambda: self._asset(step, make, kinds, **keywords))

    def _asset(
        self,
        step: Step,
        make: Maker,
        kinds: set[str],
        *,
        deps: Sequence[dg.AssetKey] = (),
        metadata: Callable[[], Mapping[str, Any]] = dict,
    ) -> dg.AssetsDefinition:
        spec, partitions = step.table.spec, partitions_of(step.table)
        name = f"{spec.game}__{spec.name}" if len(step.tables) == 1 else f"{spec.game}_{spec.step}"
        reads = {source: Reads(source, step.table) for source in step.sources} | {r.source: r for r in step.reads}
        upstream = [
            dg.AssetDep(asset_key(source), partition_mapping=reads[source].mapping())
            for source in step.sources
            if source not in step.tables
        ]

        @dg.multi_asset(
            name=name,
            specs=[
                dg.AssetSpec(
                    asset_key(table),
                    deps=[*upstream, *deps],
                    partitions_def=partitions,
                    code_version=step.version,
                    skippable=True,
                    **common_definition(table, kinds, metadata()),
                )
                for table in step.tables
            ],
            check_specs=[
                each
                for table in step.tables
                for each in check_specs(table, self.graph.checks.get(table, ()), follows=not step.by_unit)
            ],
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
            required_resource_keys={"stores"},
            pool=name,
        )
        def run(context: dg.AssetExecutionContext, config: Processing) -> Iterator[Any]:
            stores: Stores = context.resources.stores
            # A run of days may have tables without any beside it.
            keys = keys_of_run(context) if partitions is not None else [WHOLE]
            tell = context.log.info
            making = Making(step, stores, self.graph, keys, everything=config.everything, tell=tell)
            quarantined = stores.lake.version(quarantine_of(self.name))
            done = make(making, config)
            if stores.lake.version(quarantine_of(self.name)) != quarantined:
                tell_quarantine(context.instance, stores, self.name)
            if done.is_nothing and REQUESTED_BY_TAG not in context.run.tags:
                # Somebody asked for this very table.
                raise dg.Failure(f"Nothing was made. {next(iter(done.held.values()))}", allow_retries=False)
            yield from self._told(context, step, done, without_tables=done.is_nothing)
            making.refuse_total_loss()

        return run

    def _told(
        self, context: dg.AssetExecutionContext, step: Step, done: Done, *, without_tables: bool
    ) -> Iterator[Any]:
        """What Dagster is told of a step: rows, units, checks; `without_tables` only checks, and what follows waits."""
        stores: Stores = context.resources.stores
        look = Look(stores, self.graph)
        is_range = context.has_partition_key_range and not context.has_partition_key
        several = len(done.keys) > 1 or is_range
        for table in step.tables:
            keys = [*done.keys] if table.spec.partitioned_by else []
            counts = partition_row_counts(stores.lake, table, keys)
            for key in () if without_tables else keys if is_range else keys[:1]:
                context.add_asset_metadata(counts[key], asset_key(table), key)
            if not without_tables:
                yield dg.MaterializeResult(asset_key=asset_key(table), metadata=done_metadata(look, table, done))
            for key in done.made if several and not is_range else ():
                if key != keys[0]:
                    yield dg.AssetMaterialization(asset_key(table), partition=key, metadata=counts[key])
            one = None if several or not keys else keys[0]
            told = [*(done.looked_at if several else ()), one]
            broken = rules_broken(look, table, keys or None) if not done.made else _NOTHING_BROKEN
            yield from results(table, RULES, broken, told, blocking=True, metadata={})
            if not step.by_unit:
                behind = pl.DataFrame(
                    [(key or None, why) for key, why in done.held.items()],
                    schema={"partition": pl.String, "reason": pl.String},
                    orient="row",
                )
                yield from results(
                    table, UP_TO_DATE, behind, [*(done.held if several else ()), one], blocking=False, metadata={}
                )
            yield from own_results(look, table, done.verdicts[table], done.looked_at, told)

    def assets(self) -> list[dg.AssetsDefinition]:
        """Every asset of the game that something makes."""
        from gamestats_assets.orchestration.publications import publication

        made = [build() for build in self._bodies]
        return [*made, *(publication(self.graph, table) for table in self.published)]


def quarantine(game: Game) -> list[Any]:
    """A game's quarantine as an asset: the steps that reject rows fill it and tell of it (see `tell_quarantine`)."""
    table = quarantine_of(game.name)
    definition = common_definition(table, {"python"}, {})
    definition.pop("freshness_policy")

    @dg.asset_check(
        asset=asset_key(table),
        name=QUARANTINE,
        required_resource_keys={"stores"},
        description="Nothing is in quarantine. Only a warning: what is there is kept, counted, and goes when its file, "
        "or what reads it, is mended.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        passed, metadata = _quarantined(context.resources.stores, table)
        return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)

    return [dg.AssetSpec(asset_key(table), **definition), check]


def tell_quarantine(instance: dg.DagsterInstance, stores: Stores, game: str) -> None:
    """Tell Dagster what stands in a game's quarantine by now."""
    table = quarantine_of(game)
    passed, metadata = _quarantined(stores, table)
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key(table), metadata=metadata))
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=asset_key(table),
            check_name=QUARANTINE,
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=metadata,
        )
    )


def _quarantined(stores: Stores, table: type[Table]) -> tuple[bool, dict[str, Any]]:
    """Whether nothing is in quarantine, and what is: by table, and unit by unit."""
    entries = stores.lake.scan(table).collect()
    of_tables = (
        entries.group_by("table_name").agg(entries=pl.len(), rows=pl.col("rejected_rows").sum()).sort("table_name")
    )
    whole = entries.filter(pl.col("scope") != "row")
    units = whole.select("table_name", "partition_key", "unit_id", "rule", "reason").unique(maintain_order=True)
    metadata: dict[str, Any] = {
        "dagster/row_count": entries.height,
        "quarantined_rows": int(entries.get_column("rejected_rows").sum()),
    }
    if not entries.is_empty():
        metadata["failing_tables"] = frame_metadata(of_tables, rows=_UNITS_TOLD)
    if not units.is_empty():
        metadata["units"] = frame_metadata(units, rows=_UNITS_TOLD)
    return entries.is_empty(), metadata


# More are in the table.
_UNITS_TOLD = 100

_NOTHING_BROKEN = pl.DataFrame(schema={"partition": pl.String, "reason": pl.String})


def common_definition(table: type[Table], kinds: set[str], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What every asset of a table says of itself."""
    return {
        "description": table.description(),
        "metadata": {**definition_metadata(table), **metadata},
        "group_name": table.spec.group,
        "owners": [f"team:{table.spec.game}"],
        "tags": {"layer": table.spec.layer},
        "kinds": {*kinds, table.spec.layer, "deltalake"},
        "freshness_policy": freshness_policy(table),
    }


def freshness_policy(table: type[Table]) -> dg.FreshnessPolicy | None:
    """How old a table may become, as declared."""
    if (hour := table.spec.fresh_by_hour) is not None:
        return _by_hour(hour)
    window = table.spec.fresh_within
    return dg.FreshnessPolicy.time_window(fail_window=window) if window else None


@functools.cache
def _by_hour(hour: int) -> dg.FreshnessPolicy:
    """Made once: Dagster reckons through a thousand days for each, to see how far apart they are."""
    return dg.FreshnessPolicy.cron(
        deadline_cron=f"0 {hour} * * *", lower_bound_delta=timedelta(hours=hour), timezone="UTC"
    )


def _follows_units(table: type[Table], sources: Collection[type[Table]]) -> bool:
    """Whether units can be made one by one: an input has the same partitions and units; of a pair all inputs do.

    The unit of a pair is the whole day of a name, so that nothing smaller is left to tell apart.
    """
    alike = [Reads(source, table).is_alike for source in sources]
    return table.spec.replaced_by is not None and any(alike) and (all(alike) or not table.pair_dimension())


# --------------------------------------------------------------------------- reading


def _limited(look: Look, reads: Reads, keys: Sequence[str], before: str | None) -> list[PartitionValue] | None:
    """Values of the source's partition column to read; of a table without partitions perhaps days before one alone."""
    values = reads.values(keys, look)
    if before is None or not has_days(partitions_of(reads.source)):
        return values
    return values_of(reads.source, [key for key in sorted(look.content(reads.source)) if key < before])


def _source(
    look: Look,
    reads: Reads,
    values: list[PartitionValue] | None,
    ids: Sequence[str] | None,
    table: type[Table],
    aside: Mapping[str, Collection[str]],
) -> Any:
    same = ids if reads.source.spec.replaced_by == table.spec.replaced_by else None
    if any(column in reads.source.column_names() for column, units in aside.items() if units):
        return without(look.lake.scan(reads.source, values, same), reads.source, aside)
    return look.lake.source(reads.source, values, same)


def _frames(
    step: Step,
    given: Mapping[str, type[Table]],
    look: Look,
    keys: Sequence[str],
    ids: Sequence[str] | None,
    before: str | None,
) -> dict[str, pl.LazyFrame]:
    """What a function takes: the rows of its inputs that partitions are made from; of some units only those."""
    table, lake = step.table, look.lake
    aside = aside_of(look, step, keys)
    reads = {each.source: each for each in step.reads}
    values = {source: _limited(look, each, keys, before) for source, each in reads.items()}
    frames: dict[str, pl.LazyFrame] = {}

    def read(source: type[Table]) -> pl.LazyFrame:
        unit = source.spec.replaced_by
        same = ids if unit is not None and unit == table.spec.replaced_by else None
        held = values[source]
        if held is None and same is not None and source.spec.partitioned_by:
            held = _days_of_units(source, same)
        return without(lake.scan(source, held, same), source, aside)

    def _days_of_units(source: type[Table], units: Sequence[str]) -> list[PartitionValue]:
        wanted = {*units}
        found = [
            key for key, of in look.ledger(source).partitions.items() if of.units is None or wanted & of.units.keys()
        ]
        return values_of(source, found)

    for name, source in given.items():
        if issubclass(source, LedgerRow):
            is_alike = partitions_of(source.of) == partitions_of(table)
            frames[name] = lake.scan(source, keys if is_alike else None)
        elif source in reads:
            frames[name] = read(source)
        else:
            frames[name] = _of_names(table, source, lake.scan(source), keys)
    return frames


def _of_names(table: type[Table], source: type[Table], rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Rows of names, of a source that tells none by itself."""
    column = table.spec.partitioned_by
    if column is None or source is table or column not in source.column_names():
        return rows
    # What a table without partitions calls so may be something else, such as the patch of a list of items.
    tells = partitions_of(source) is not None or source.primary_key() == [column]
    return rows.filter(pl.col(column).is_in(list(keys))) if tells else rows


def _sql_metadata(model: SqlModel) -> dict[str, Any]:
    lineage = dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key(model.reads[name]), source) for name, source in origins]
            for column, origins in column_lineage(model).items()
        }
    )
    return {"dagster/column_lineage": lineage, "sql": dg.MetadataValue.md(f"```sql\n{model.text}\n```")}
