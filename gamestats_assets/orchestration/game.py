"""A game's tables as Dagster assets: their steps, their checks, and their publications.

    DEMO = Game("demo", TABLES, CHECKS)
    DEMO.landed([RawGoals, RawFiles], decode)
    DEMO.function(match_goals)
    DEMO.sql(SqlModel.load(...))
    DEMO.publications()
    definitions = dg.Definitions(DEMO.assets())

Each builder determines which partitions a partition reads and in which units rows are replaced; the rule of `freshness`
does the rest. There are builders for functions, for SELECTs, for landed files, for any other source of rows
(`external`, and `entered` for what people entered), and for publications.
"""

import typing
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta.ledger import WHOLE, LedgerRow, fingerprint, step_version
from gamestats_assets.lakehouse.entries.ops import entered_rows, migrate
from gamestats_assets.lakehouse.landing.decoding import Decoded, Rows
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.models.lineage import column_lineage
from gamestats_assets.lakehouse.models.sql import SqlModel, stream_model
from gamestats_assets.lakehouse.quality import Check, Rejection, quarantine_of, table_inputs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import PartitionValue, Table
from gamestats_assets.orchestration.checks import QUARANTINE, check_specs, results
from gamestats_assets.orchestration.execution import (
    Batch,
    Decode,
    Scope,
    StepResult,
    StepRun,
    filter_partitions,
    from_files,
    from_rows,
)
from gamestats_assets.orchestration.freshness.blocking import drop_set_aside, set_aside_units
from gamestats_assets.orchestration.freshness.inputs import Fingerprints, Reads, landed, rows_by
from gamestats_assets.orchestration.freshness.snapshot import Graph, Snapshot
from gamestats_assets.orchestration.freshness.step import BATCH_SIZE, Step
from gamestats_assets.orchestration.metadata import (
    asset_key,
    column_schema,
    frame_metadata,
    freshness_policy,
    materializations,
    publication_key,
    step_metadata,
)
from gamestats_assets.orchestration.partitions import has_days, is_paired, partitions_of, values_of
from gamestats_assets.orchestration.publications import contents_published, publication, unpublished
from gamestats_assets.orchestration.run_requests import REQUESTED_BY_TAG, keys_of_run

# Quarantined units shown on the asset's page; the table has all of them.
_UNITS_SHOWN = 100
DECODE_BATCH_SIZE = 40
"""Landed units decoded and committed together; the next batch is decoded while one is committed."""


class Processing(dg.Config):
    """How much a step does."""

    everything: bool = False
    """Makes every unit of the partitions again, not only those that are behind."""
    batch_size: int = 0
    """Units made and committed together; 0 means the table's default."""


@dataclass(frozen=True)
class Node:
    """Assets that one step of a run makes together, the assets upstream of them, and a function that builds them."""

    keys: tuple[dg.AssetKey, ...]
    partitions: dg.PartitionsDefinition | None
    upstream: frozenset[dg.AssetKey]
    build: Callable[[], dg.AssetsDefinition]


@dataclass(frozen=True)
class OtherAsset:
    """An asset that is not a table.

    Attributes:
        partitions_like: a table that has the same partitions.
        behind: the partitions that are behind, each with the reason.
        expected: the inputs of each partition that should exist.
    """

    key: dg.AssetKey
    partitions_like: type[Table]
    behind: Callable[[Snapshot], Mapping[str, str]]
    expected: Callable[[Snapshot], Mapping[str, str]]


class Game:
    """The tables of one game and their steps.

    Args:
        name: name of the game's folder, and first part of its tables' names.
        tables: all tables of the game.
        checks: all checks of these tables.
    """

    def __init__(self, name: str, tables: Sequence[type[Table]], checks: Sequence[Check]) -> None:
        self.name, self.tables, self.checks = name, tuple(tables), tuple(checks)
        self.graph = Graph(checks={table: [check for check in checks if check.table is table] for table in tables})
        self.steps: list[Step] = []
        self.others: list[OtherAsset] = []
        self.nodes: list[Node] = []
        self.snapshots: list[type[Table]] = []

    # ------------------------------------------------------------ declaring

    def landed(
        self,
        tables: Sequence[type[Table]],
        decode: Decode,
        *,
        refused: Callable[[Landing], Sequence[Rejection]] | None = None,
        deps: Sequence[dg.AssetKey] = (),
        code_version: str = "1",
        batch_size: int = DECODE_BATCH_SIZE,
    ) -> None:
        """Adds one step that reads landed files once and feeds all the given tables.

        If tables are by day and name, the name is the unit, and all its files of a day are decoded together. If tables
        are by day and replaced whole, all files of a day are decoded together.

        Args:
            tables: tables with the same `made_by`, partitions and replaced ids.
            decode: reads batches of files; yields the frames and rejections of each.
            refused: finds unreadable landed files that belong to no unit, for the quarantine.
            deps: assets that must come first, such as one that fetches or generates the files.
            code_version: raise it when the result of `decode` changes.
            batch_size: units decoded and committed together.
        """
        first = tables[0]
        by_unit = first.spec.replaced_by is not None and not is_paired(partitions_of(first))
        version = step_version(tables, code_version)
        step = Step(
            tuple(tables),
            version,
            (landed(first),),
            from_files(decode, refused),
            by_unit=by_unit,
            landed=True,
            deps=tuple(deps),
            batch_size=batch_size,
        )
        self._add(step, {"python"})

    def external(
        self,
        tables: Sequence[type[Table]],
        inputs: Sequence[Fingerprints],
        read: Callable[[Snapshot, Sequence[str]], Decoded],
        *,
        also_reads: Sequence[type[Table]] = (),
        code_version: str = "1",
        kinds: Collection[str] = ("python",),
    ) -> None:
        """Adds one step that reads from (or writes to) something outside the lake, all partitions of a run at once.

        Args:
            tables: tables with the same `made_by` and partitions.
            inputs: inputs of the tables.
            read: returns the rows of some partitions.
            also_reads: other tables that it reads, whose changes show in `inputs`.
            code_version: raise it when the result of `read` changes.
            kinds: kinds of the assets, for Dagster's UI.
        """

        def produce(step_run: StepRun, batches: Sequence[Batch]) -> Generator[Decoded, None, None]:
            for batch in batches:
                output = read(step_run.snapshot, sorted(batch))
                frames = {table: filter_partitions(table, rows, batch) for table, rows in output.frames.items()}
                yield replace(output, frames=frames)

        version = step_version(tables, code_version)
        self._add(Step(tuple(tables), version, tuple(inputs), produce, tuple(also_reads), together=True), {*kinds})

    def entered(
        self,
        tables: Sequence[type[Table]],
        named: Mapping[type[Table], Callable[[Snapshot, pl.DataFrame], Sequence[str]]] | None = None,
    ) -> None:
        """Adds one step that takes snapshots of tables of `ops` after people edit them.

        Args:
            tables: tables with the same `made_by`, unpartitioned or partitioned by the same names.
            named: by table, returns readable names of changed rows; without it, a message only counts them.
        """

        def read(snapshot: Snapshot, keys: Sequence[str]) -> Decoded:
            url = snapshot.stores.postgres_url
            migrate(url)
            return Decoded({table: entered_rows(url, table).lazy() for table in tables})

        inputs = [
            Fingerprints(
                table.spec.name.replace("_", " "),
                lambda snapshot, of=table: snapshot.entered(of),
                partial(_entries_changed, table=table, named=(named or {}).get(table)),
            )
            for table in tables
        ]
        self.snapshots += tables
        self.external(tables, inputs, read, kinds=["postgres"])

    def function(
        self,
        function: Callable[..., pl.LazyFrame],
        *,
        table: type[Table] | None = None,
        code_version: str = "1",
        days: Mapping[type[Table], int | None] | None = None,
        days_around: int = 0,
        whole_partitions: bool = False,
        made_from: type[Table] | Fingerprints | None = None,
        names: Fingerprints | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Adds a table made by a pure function, whose annotations name its inputs and its output.

        `def goals(matches: dy.LazyFrame[Matches]) -> dy.LazyFrame[Goals]` becomes the asset of `Goals` with the
        dependency `Matches`. The table is made unit by unit if an input has the same partitions and units. A function
        may also take the current rows of its own table, whose changes do not make it stale, and a ledger (`ledger_of`),
        which shows the units already made of a table.

        Args:
            function: the function.
            table: the table that it makes; by default the one in its return annotation.
            code_version: raise it when the function's result changes.
            days: for inputs by day, how many days up to the day itself are read; `ALL_BEFORE` means all of them.
            days_around: how many days before and after a day are read from all inputs by day. One batch may make
                several days, so rows of a day must depend on these days only.
            whole_partitions: makes partitions whole, since the rows of a unit depend on other units.
            made_from: for a table by names, the input that decides whether a name is behind. It replaces inputs with
                other partitions, which are read for the name only. An unpartitioned table decides by its rows of the
                name.
            names: for a table by names, which names there are, if no input implies them.
            batch_size: units made and committed together.
        """
        table = table or typing.get_args(typing.get_type_hints(function)["return"])[0]
        assert table is not None
        given = table_inputs(function)
        sources = [source.of if issubclass(source, LedgerRow) else source for source in given.values()]
        read = [source for source in dict.fromkeys(sources) if source is not table]
        spans, inputs = days or {}, list[Reads | Fingerprints]()
        if isinstance(made_from, type):
            inputs, read = [rows_by(made_from, str(table.spec.partitioned_by))], [*dict.fromkeys([*read, made_from])]
        elif made_from is not None:
            # A ledger may belong to a table that is made later.
            inputs, read = [made_from], [each for each in read if each in given.values()]
        own = [each for each in read if made_from is None or partitions_of(each) == partitions_of(table)]
        inputs += [Reads(each, table, spans.get(each, 1 + days_around), days_around) for each in own]
        also = tuple(each for each in read if each not in own)
        is_whole = whole_partitions or made_from is not None or days_around > 0
        version = step_version([table], fingerprint(" ".join([code_version, *_span_texts(spans), str(days_around)])))
        by_unit = not is_whole and _can_go_by_unit(table, read)
        produce = from_rows(lambda snapshot, step, scope: function(**_input_frames(snapshot, step, scope, given)))
        step = Step((table,), version, tuple(inputs), produce, also, by_unit, names, batch_size=batch_size)
        self._add(step, {"polars"})

    def sql(self, table: type[Table], model: SqlModel, *, days: Mapping[type[Table], int | None] | None = None) -> None:
        """Adds a table made by one SELECT, whose inputs are the tables that it names; `days` is as for a function."""
        spans = days or {}
        known = {each.spec.dotted: each for each in self.tables}
        read = [known[name] for name in model.reads]
        inputs = tuple(Reads(each, table, spans.get(each, 1)) for each in read)
        version = step_version([table], fingerprint(model.version, *_span_texts(spans)))

        def rows(snapshot: Snapshot, step: Step, scope: Scope) -> Rows:
            aside = set_aside_units(snapshot, step, scope.keys)
            sources: dict[str, Any] = {}
            for reads in step.reads:
                source, selected = reads.source, _selection(snapshot, reads, scope)
                if any(units and column in source.column_names() for column, units in aside.items()):
                    sources[source.spec.dotted] = drop_set_aside(snapshot.lake.scan(source, *selected), source, aside)
                else:
                    sources[source.spec.dotted] = snapshot.lake.source(source, *selected)
            parameters = {"ds": date.fromisoformat(scope.keys[0])} if model.parameters else {}
            made = stream_model(model, sources, parameters)
            if table.spec.replaced_by is None:
                return made
            return pl.concat([*made] or [pl.DataFrame(schema=table.schema())]).lazy()

        by_unit = not spans and _can_go_by_unit(table, read)
        step = Step((table,), version, inputs, from_rows(rows), by_unit=by_unit)
        self._add(step, {"sql", "duckdb"}, lambda: _sql_metadata(model))

    def asset(
        self,
        build: Callable[[], dg.AssetsDefinition],
        key: dg.AssetKey,
        partitions_like: type[Table],
        *,
        deps: Sequence[dg.AssetKey] = (),
        behind: Callable[[Snapshot], Mapping[str, str]] = lambda snapshot: {},
        expected: Callable[[Snapshot], Mapping[str, str]] = lambda snapshot: {},
    ) -> None:
        """Adds an asset that is not a table; see `OtherAsset`."""
        self.nodes.append(Node((key,), partitions_of(partitions_like), frozenset(deps), build))
        self.others.append(OtherAsset(key, partitions_like, behind, expected))

    def publications(self) -> None:
        """Adds the copy in PostgreSQL of every published table."""
        tables = tuple(table for table in self.tables if table.spec.published)
        for table in tables:
            self.asset(
                partial(publication, self.graph, table),
                publication_key(table),
                table,
                deps=[asset_key(table)],
                behind=lambda snapshot, table=table: unpublished(
                    snapshot, table, contents_published(snapshot, tables), snapshot.keys_in_scope(table)
                ),
                expected=lambda snapshot, table=table: snapshot.content(table),
            )

    # ------------------------------------------------------------ as assets

    def _add(self, step: Step, kinds: set[str], metadata: Callable[[], Mapping[str, Any]] = dict) -> None:
        # A changed check examines everything once more.
        checks = [check.version for table in step.tables for check in self.graph.checks[table] if check.blocking]
        step = replace(step, version=fingerprint(step.version, *checks)) if checks else step
        self.steps.append(step)
        self.graph.steps.update(dict.fromkeys(step.tables, step))
        keys = tuple(map(asset_key, step.tables))
        upstream = frozenset([*map(asset_key, step.sources), *step.deps]).difference(keys)
        build = partial(self._asset, step, kinds, metadata)
        self.nodes.append(Node(keys, partitions_of(step.table), upstream, build))

    def _asset(self, step: Step, kinds: set[str], metadata: Callable[[], Mapping[str, Any]]) -> dg.AssetsDefinition:
        spec, partitions, extra_metadata = step.table.spec, partitions_of(step.table), metadata()
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
                    deps=[*upstream, *step.deps],
                    partitions_def=partitions,
                    code_version=step.version,
                    skippable=True,
                    **common_definition(table, kinds, extra_metadata),
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
        )
        def run(context: dg.AssetExecutionContext, config: Processing) -> Iterator[Any]:
            stores: Stores = context.resources.stores
            # A run of days may include unpartitioned tables.
            keys = keys_of_run(context) if partitions is not None else [WHOLE]
            step_run = StepRun(step, stores, self.graph, keys, everything=config.everything, log=context.log.info)
            rejected = quarantine_of(self.name)
            quarantined = stores.lake.version(rejected)
            # Two writers of one Delta partition would only keep retrying.
            with stores.alone(name, context.log.info):
                done = step_run.run(config.batch_size or step.batch_size)
            if stores.lake.version(rejected) != quarantined:
                report_quarantine(context.instance, stores, rejected)
            if done.made_nothing and REQUESTED_BY_TAG not in context.run.tags:
                # A person asked for this very table.
                raise dg.Failure(f"Nothing was made. {next(iter(done.held.values()))}", allow_retries=False)
            yield from self._events(context, step, done)
            step_run.refuse_total_loss()

        return run

    def _events(self, context: dg.AssetExecutionContext, step: Step, done: StepResult) -> Iterator[Any]:
        """A step's events for Dagster: materialisations and check results, or only the latter if it made nothing."""
        snapshot = Snapshot(context.resources.stores, self.graph)
        several = len(done.keys) > 1 or (context.has_partition_key_range and not context.has_partition_key)
        for table in step.tables:
            keys = [*done.keys] if table.spec.partitioned_by else []
            if not done.made_nothing:
                yield from materializations(
                    context, snapshot.lake, table, step_metadata(snapshot, table, done), keys, done.made
                )
            yield from results(snapshot, step, table, done, several=several)

    def assets(self) -> list[dg.AssetsDefinition]:
        """Every asset of the game that a step makes."""
        return [node.build() for node in self.nodes]


def quarantine(game: Game) -> list[Any]:
    """A game's quarantine as an asset: the steps that reject rows fill it and report it (see `report_quarantine`)."""
    table = quarantine_of(game.name)
    definition = common_definition(table, {"python"}, {})
    definition.pop("freshness_policy")

    @dg.asset_check(
        asset=asset_key(table),
        name=QUARANTINE,
        required_resource_keys={"stores"},
        description="Nothing is in quarantine. This is only a warning: entries are kept and counted until their file, "
        "or the code that reads it, is mended.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return _quarantined(context.resources.stores, table)

    return [dg.AssetSpec(asset_key(table), **definition), check]


def report_quarantine(instance: dg.DagsterInstance, stores: Stores, table: type[Table]) -> None:
    """Makes Dagster show the current content of a quarantine."""
    key, found = asset_key(table), _quarantined(stores, table)
    instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata=found.metadata))
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(key, QUARANTINE, found.passed, found.metadata, severity=found.severity)
    )


def _quarantined(stores: Stores, table: type[Table]) -> dg.AssetCheckResult:
    """Whether the quarantine is empty, with its contents by table and by unit."""
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
        metadata["failing_tables"] = frame_metadata(of_tables, rows=_UNITS_SHOWN)
    if not units.is_empty():
        metadata["units"] = frame_metadata(units, rows=_UNITS_SHOWN)
    return dg.AssetCheckResult(passed=entries.is_empty(), severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


def common_definition(table: type[Table], kinds: set[str], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that the assets of all tables have."""
    return {
        "description": table.description(),
        "metadata": {
            "dagster/column_schema": column_schema(table),
            "dagster/table_name": table.spec.dotted,
            "dagster/storage_kind": "deltalake",
            "layer": table.spec.layer,
            "replaced_by": table.spec.replaced_by or "whole partitions",
            **metadata,
        },
        "group_name": table.spec.group,
        "owners": [f"team:{table.spec.game}"],
        "tags": {"layer": table.spec.layer},
        "kinds": {*kinds, table.spec.layer, "deltalake"},
        "freshness_policy": freshness_policy(table),
    }


def _entries_changed(
    snapshot: Snapshot, table: type[Table], named: Callable[[Snapshot, pl.DataFrame], Sequence[str]] | None
) -> str:
    """Says which rows of `ops` differ from the snapshot."""
    now, before = entered_rows(snapshot.stores.postgres_url, table), snapshot.lake.scan(table).collect()
    pairs = ((now, before), (before, now))
    changed = pl.concat([one.filter(~one.hash_rows().is_in(other.hash_rows().implode())) for one, other in pairs])
    if named is not None and (names := named(snapshot, changed)):
        return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''} changed"
    number = changed.select(table.primary_key()).n_unique()
    return f"{number} {'row' if number == 1 else 'rows'} of {table.spec.name.replace('_', ' ')} changed"


def _span_texts(spans: Mapping[type[Table], int | None]) -> list[str]:
    return [f"{source.spec.key} {days}" for source, days in spans.items()]


def _can_go_by_unit(table: type[Table], sources: Collection[type[Table]]) -> bool:
    """Whether units can be made one by one: an input has the same partitions and units.

    For a table by day and name, all inputs must have them, since its unit is the whole day of a name.
    """
    alike = [Reads(source, table).is_aligned for source in sources]
    return table.spec.replaced_by is not None and any(alike) and (all(alike) or not table.pair_dimension())


# --------------------------------------------------------------------------- reading


def _selection(
    snapshot: Snapshot, reads: Reads, scope: Scope
) -> tuple[list[PartitionValue] | None, Sequence[str] | None]:
    """Partitions and units of a source to read; None means all."""
    source, units = reads.source, scope.ids if reads.shares_units else None
    if scope.cutoff_day is not None and has_days(partitions_of(source)):
        return values_of(source, [key for key in sorted(snapshot.content(source)) if key < scope.cutoff_day]), units
    values = reads.values(scope.keys, snapshot)
    if values is None and units is not None and source.spec.partitioned_by:
        units_by_key = {key: found.units for key, found in snapshot.ledger(source).partitions.items()}
        values = values_of(
            source,
            [
                key
                for key, held_units in units_by_key.items()
                if held_units is None or not held_units.keys().isdisjoint(units)
            ],
        )
    return values, units


def _input_frames(
    snapshot: Snapshot, step: Step, scope: Scope, given: Mapping[str, type[Table]]
) -> dict[str, pl.LazyFrame]:
    """The arguments of a function: the rows of its inputs that the scope needs."""
    table, lake, aside = step.table, snapshot.lake, set_aside_units(snapshot, step, scope.keys)
    reads = {each.source: each for each in step.reads}
    frames: dict[str, pl.LazyFrame] = {}
    for name, source in given.items():
        if issubclass(source, LedgerRow):
            is_alike = partitions_of(source.of) == partitions_of(table)
            frames[name] = lake.scan(source, scope.keys if is_alike else None)
        elif source in reads:
            rows = lake.scan(source, *_selection(snapshot, reads[source], scope))
            frames[name] = drop_set_aside(rows, source, aside)
        else:
            frames[name] = _filter_names(table, source, lake.scan(source), scope.keys)
    return frames


def _filter_names(table: type[Table], source: type[Table], rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Keeps the rows of the names being made, in a source whose changes show in another input."""
    column = table.spec.partitioned_by
    if column is None or source is table or column not in source.column_names():
        return rows
    # An unpartitioned table may use this column name for something else, such as the patch of a list of items.
    is_name = partitions_of(source) is not None or source.primary_key() == [column]
    return rows.filter(pl.col(column).is_in(list(keys))) if is_name else rows


def _sql_metadata(model: SqlModel) -> dict[str, Any]:
    lineage = dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key(model.reads[name]), source) for name, source in origins]
            for column, origins in column_lineage(model).items()
        }
    )
    return {"dagster/column_lineage": lineage, "sql": dg.MetadataValue.md(f"```sql\n{model.text}\n```")}
