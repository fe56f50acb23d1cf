"""A game's tables as Dagster assets: what makes each, what stops it, what is published.

    DEMO = Game("demo", TABLES, CHECKS)
    DEMO.landed([RawGoals, RawFiles], decode)
    DEMO.function(match_goals)
    DEMO.sql(SqlModel.load(...))
    DEMO.publications()
    definitions = dg.Definitions(DEMO.assets())

Each builder says which partitions a partition reads and in which units rows are replaced; all else follows from the
rule of `freshness`. There is one for functions, one for SELECTs, one for landed files, one for whatever else rows are
read from (`external`, and of that what people entered), and one for publications.
"""

import typing
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.landing import Landing
from gamestats_assets.lakehouse.ledger import WHOLE, LedgerRow, fingerprint, step_version
from gamestats_assets.lakehouse.lineage import column_lineage
from gamestats_assets.lakehouse.ops import migrate, snapshot
from gamestats_assets.lakehouse.quality import Check, Rejection, quarantine_of, table_inputs
from gamestats_assets.lakehouse.sql import SqlModel, stream_model
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import PartitionValue, Table
from gamestats_assets.orchestration.checks import QUARANTINE, check_specs, results
from gamestats_assets.orchestration.freshness import (
    BATCH,
    Fingerprints,
    Graph,
    Look,
    Reads,
    Step,
    aside_of,
    landed,
    rows_by,
    without,
)
from gamestats_assets.orchestration.making import (
    Batch,
    Decode,
    Decoded,
    Done,
    Making,
    Output,
    Rows,
    Scope,
    from_files,
    from_rows,
    of_partitions,
)
from gamestats_assets.orchestration.metadata import (
    asset_key,
    column_schema,
    done_metadata,
    frame_metadata,
    freshness_policy,
    materializations,
    publication_key,
)
from gamestats_assets.orchestration.partitions import has_days, is_paired, partitions_of, values_of
from gamestats_assets.orchestration.publications import contents_published, publication, unpublished
from gamestats_assets.orchestration.requests import REQUESTED_BY_TAG, keys_of_run

# Of the quarantine on its asset's page; more are in the table.
_UNITS_SHOWN = 100
DECODED_BATCH = 40
"""Landed units decoded and committed together: while one batch is committed the next is decoded."""


class Processing(dg.Config):
    """How much a step does."""

    everything: bool = False
    """Make every unit of the partitions again, not only what is behind."""
    batch_size: int = 0
    """Units made and committed together; 0 is as many as suit the table."""


@dataclass(frozen=True)
class Node:
    """Assets that one step of a run makes together, the assets that they are made from, and what builds them."""

    keys: tuple[dg.AssetKey, ...]
    partitions: dg.PartitionsDefinition | None
    upstream: frozenset[dg.AssetKey]
    build: Callable[[], dg.AssetsDefinition]


@dataclass(frozen=True)
class OtherAsset:
    """An asset that is no table.

    Attributes:
        like: the table whose partitions it has.
        behind: by partition that is behind, why.
        wanted: by partition that is to be there, what it is to be made from.
    """

    key: dg.AssetKey
    like: type[Table]
    behind: Callable[[Look], Mapping[str, str]]
    wanted: Callable[[Look], Mapping[str, str]]


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
            at_once=at_once,
        )
        self._add(step, {"python"})

    def external(
        self,
        tables: Sequence[type[Table]],
        inputs: Sequence[Fingerprints],
        read: Callable[[Look, Sequence[str]], Output],
        *,
        also_reads: Sequence[type[Table]] = (),
        code_version: str = "1",
        kinds: Collection[str] = ("python",),
    ) -> None:
        """One step that reads rows from, or writes to, whatever is outside the lake, all partitions of a run together.

        Args:
            inputs: what the tables are made from.
            read: gives the rows of some partitions.
            also_reads: tables that are read besides, whose changes `inputs` show.
        """

        def produce(making: Making, batches: Sequence[Batch]) -> Generator[Decoded, None, None]:
            for batch in batches:
                output = read(making.look, sorted(batch))
                frames = {table: of_partitions(table, rows, batch) for table, rows in output.frames.items()}
                yield replace(output, frames=frames)

        version = step_version(tables, code_version)
        self._add(Step(tuple(tables), version, tuple(inputs), produce, tuple(also_reads), together=True), {*kinds})

    def entered(
        self,
        tables: Sequence[type[Table]],
        named: Mapping[type[Table], Callable[[Look, pl.DataFrame], Sequence[str]]] | None = None,
    ) -> None:
        """One step that takes snapshots of tables of `ops` when somebody entered something.

        Args:
            tables: tables with the same `made_by`: without partitions, or by the same names.
            named: what people call rows of a table that changed; else these are counted.
        """

        def read(look: Look, keys: Sequence[str]) -> Output:
            url = look.stores.postgres_url
            migrate(url)
            return Output({table: snapshot(url, table).lazy() for table in tables})

        inputs = [
            Fingerprints(
                table.spec.name.replace("_", " "),
                lambda look, of=table: look.entered(of),
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
        at_once: int = BATCH,
    ) -> None:
        """A table made by a pure function, whose annotations name its inputs and its output.

        `def goals(matches: dy.LazyFrame[Matches]) -> dy.LazyFrame[Goals]` becomes the asset of `Goals` with the
        dependency `Matches`. A table whose units are also those of an input with the same partitions is made unit by
        unit. A function may take its own table's rows as they stand, which are no reason to make it again, and a ledger
        (`ledger_of`), which shows what was made of a table.

        Args:
            code_version: raise it when the function's result changes.
            days: of inputs by day, how many days up to the day itself are read; `ALL_BEFORE` is all of them.
            days_around: so many days before and after a day are read of all inputs by day. Several days may be made in
                one batch: rows of a day may depend on these days alone.
            whole_partitions: rows of one unit depend on others, so that partitions are made whole.
            made_from: of a table by names, what tells of each whether it is behind, in place of the inputs with other
                partitions, which are read of that name. A table without partitions tells it by its rows of the name.
            names: of a table by names, which there are, where no input says so.
            at_once: units made and committed together.
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
            # A ledger may be that of a table which comes later.
            inputs, read = [made_from], [each for each in read if each in given.values()]
        own = [each for each in read if made_from is None or partitions_of(each) == partitions_of(table)]
        inputs += [Reads(each, table, spans.get(each, 1 + days_around), days_around) for each in own]
        also = tuple(each for each in read if each not in own)
        is_whole = whole_partitions or made_from is not None or days_around > 0
        version = step_version([table], fingerprint(" ".join([code_version, *_told(spans), str(days_around)])))
        by_unit = not is_whole and _follows_units(table, read)
        produce = from_rows(lambda look, step, scope: function(**_frames(look, step, scope, given)))
        step = Step((table,), version, tuple(inputs), produce, also, by_unit, names, at_once=at_once)
        self._add(step, {"polars"})

    def sql(
        self,
        table: type[Table],
        model: SqlModel,
        *,
        days: Mapping[type[Table], int | None] | None = None,
    ) -> None:
        """A table made by one SELECT; the tables it names are its inputs; `days` is as for a function."""
        spans = days or {}
        known = {each.spec.dotted: each for each in self.tables}
        read = [known[name] for name in model.reads]
        inputs = tuple(Reads(each, table, spans.get(each, 1)) for each in read)
        version = step_version([table], fingerprint(model.version, *_told(spans)))

        def rows(look: Look, step: Step, scope: Scope) -> Rows:
            aside = aside_of(look, step, scope.keys)
            sources: dict[str, Any] = {}
            for reads in step.reads:
                source, selected = reads.source, _selected(look, reads, scope)
                if any(units and column in source.column_names() for column, units in aside.items()):
                    sources[source.spec.dotted] = without(look.lake.scan(source, *selected), source, aside)
                else:
                    sources[source.spec.dotted] = look.lake.source(source, *selected)
            parameters = {"ds": date.fromisoformat(scope.keys[0])} if model.parameters else {}
            made = stream_model(model, sources, parameters)
            if table.spec.replaced_by is None:
                return made
            return pl.concat([*made] or [pl.DataFrame(schema=table.schema())]).lazy()

        by_unit = not spans and _follows_units(table, read)
        step = Step((table,), version, inputs, from_rows(rows), by_unit=by_unit)
        self._add(step, {"sql", "duckdb"}, lambda: _sql_metadata(model))

    def asset(
        self,
        build: Callable[[], dg.AssetsDefinition],
        key: dg.AssetKey,
        like: type[Table],
        *,
        deps: Sequence[dg.AssetKey] = (),
        behind: Callable[[Look], Mapping[str, str]] = lambda look: {},
        wanted: Callable[[Look], Mapping[str, str]] = lambda look: {},
    ) -> None:
        """An asset that is no table; see `OtherAsset`."""
        self.nodes.append(Node((key,), partitions_of(like), frozenset(deps), build))
        self.others.append(OtherAsset(key, like, behind, wanted))

    def publications(self) -> None:
        """Every published table's copy in PostgreSQL."""
        tables = tuple(table for table in self.tables if table.spec.published)
        for table in tables:
            self.asset(
                partial(publication, self.graph, table),
                publication_key(table),
                table,
                deps=[asset_key(table)],
                behind=lambda look, table=table: unpublished(
                    look, table, contents_published(look, tables), look.asked(table)
                ),
                wanted=lambda look, table=table: look.content(table),
            )

    # ------------------------------------------------------------ as assets

    def _add(self, step: Step, kinds: set[str], metadata: Callable[[], Mapping[str, Any]] = dict) -> None:
        # A check that was mended, or is stricter, looks at everything once more.
        checks = [check.version for table in step.tables for check in self.graph.checks[table] if check.blocking]
        step = replace(step, version=fingerprint(step.version, *checks)) if checks else step
        self.steps.append(step)
        self.graph.steps.update(dict.fromkeys(step.tables, step))
        keys = tuple(map(asset_key, step.tables))
        upstream = frozenset([*map(asset_key, step.sources), *step.deps]).difference(keys)
        build = partial(self._asset, step, kinds, metadata)
        self.nodes.append(Node(keys, partitions_of(step.table), upstream, build))

    def _asset(self, step: Step, kinds: set[str], metadata: Callable[[], Mapping[str, Any]]) -> dg.AssetsDefinition:
        spec, partitions, told = step.table.spec, partitions_of(step.table), metadata()
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
                    **common_definition(table, kinds, told),
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
            # A run of days may have tables without any beside it.
            keys = keys_of_run(context) if partitions is not None else [WHOLE]
            making = Making(step, stores, self.graph, keys, everything=config.everything, log=context.log.info)
            rejected = quarantine_of(self.name)
            quarantined = stores.lake.version(rejected)
            # Two writers of one Delta partition would only try again and again.
            with stores.alone(name, context.log.info):
                done = making.run(config.batch_size or step.at_once)
            if stores.lake.version(rejected) != quarantined:
                report_quarantine(context.instance, stores, rejected)
            if done.is_nothing and REQUESTED_BY_TAG not in context.run.tags:
                # Somebody asked for this very table.
                raise dg.Failure(f"Nothing was made. {next(iter(done.held.values()))}", allow_retries=False)
            yield from self._events(context, step, done)
            making.refuse_total_loss()

        return run

    def _events(self, context: dg.AssetExecutionContext, step: Step, done: Done) -> Iterator[Any]:
        """What Dagster gets of a step: rows, units, checks; of one that made nothing the checks alone."""
        look = Look(context.resources.stores, self.graph)
        several = len(done.keys) > 1 or (context.has_partition_key_range and not context.has_partition_key)
        for table in step.tables:
            keys = [*done.keys] if table.spec.partitioned_by else []
            if not done.is_nothing:
                yield from materializations(
                    context, look.lake, table, done_metadata(look, table, done), keys, done.made
                )
            yield from results(look, step, table, done, several=several)

    def assets(self) -> list[dg.AssetsDefinition]:
        """Every asset of the game that something makes."""
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
        description="Nothing is in quarantine. Only a warning: what is there is kept, counted, and goes when its file, "
        "or what reads it, is mended.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return _quarantined(context.resources.stores, table)

    return [dg.AssetSpec(asset_key(table), **definition), check]


def report_quarantine(instance: dg.DagsterInstance, stores: Stores, table: type[Table]) -> None:
    """Have Dagster show what stands in a quarantine by now."""
    key, found = asset_key(table), _quarantined(stores, table)
    instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata=found.metadata))
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(key, QUARANTINE, found.passed, found.metadata, severity=found.severity)
    )


def _quarantined(stores: Stores, table: type[Table]) -> dg.AssetCheckResult:
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
        metadata["failing_tables"] = frame_metadata(of_tables, rows=_UNITS_SHOWN)
    if not units.is_empty():
        metadata["units"] = frame_metadata(units, rows=_UNITS_SHOWN)
    return dg.AssetCheckResult(passed=entries.is_empty(), severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


def common_definition(table: type[Table], kinds: set[str], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that the asset of every table has."""
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
    look: Look, table: type[Table], named: Callable[[Look, pl.DataFrame], Sequence[str]] | None
) -> str:
    """Which rows of `ops` are others than those of the snapshot, in words."""
    now, before = snapshot(look.stores.postgres_url, table), look.lake.scan(table).collect()
    pairs = ((now, before), (before, now))
    changed = pl.concat([one.filter(~one.hash_rows().is_in(other.hash_rows().implode())) for one, other in pairs])
    if named is not None and (names := named(look, changed)):
        return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''} changed"
    number = changed.select(table.primary_key()).n_unique()
    return f"{number} {'row' if number == 1 else 'rows'} of {table.spec.name.replace('_', ' ')} changed"


def _told(spans: Mapping[type[Table], int | None]) -> list[str]:
    return [f"{source.spec.key} {days}" for source, days in spans.items()]


def _follows_units(table: type[Table], sources: Collection[type[Table]]) -> bool:
    """Whether units can be made one by one: an input has the same partitions and units; of a pair all inputs do.

    The unit of a pair is the whole day of a name, so that nothing smaller is left to tell apart.
    """
    alike = [Reads(source, table).is_alike for source in sources]
    return table.spec.replaced_by is not None and any(alike) and (all(alike) or not table.pair_dimension())


# --------------------------------------------------------------------------- reading


def _selected(look: Look, reads: Reads, scope: Scope) -> tuple[list[PartitionValue] | None, Sequence[str] | None]:
    """Partitions and units of a source to read; None is all."""
    source, units = reads.source, scope.ids if reads.is_by_unit else None
    if scope.before is not None and has_days(partitions_of(source)):
        return values_of(source, [key for key in sorted(look.content(source)) if key < scope.before]), units
    values = reads.values(scope.keys, look)
    if values is None and units is not None and source.spec.partitioned_by:
        held = {key: found.units for key, found in look.ledger(source).partitions.items()}
        values = values_of(source, [key for key, of in held.items() if of is None or not of.keys().isdisjoint(units)])
    return values, units


def _frames(look: Look, step: Step, scope: Scope, given: Mapping[str, type[Table]]) -> dict[str, pl.LazyFrame]:
    """What a function takes: the rows of its inputs that partitions are made from; of some units only those."""
    table, lake, aside = step.table, look.lake, aside_of(look, step, scope.keys)
    reads = {each.source: each for each in step.reads}
    frames: dict[str, pl.LazyFrame] = {}
    for name, source in given.items():
        if issubclass(source, LedgerRow):
            is_alike = partitions_of(source.of) == partitions_of(table)
            frames[name] = lake.scan(source, scope.keys if is_alike else None)
        elif source in reads:
            rows = lake.scan(source, *_selected(look, reads[source], scope))
            frames[name] = without(rows, source, aside)
        else:
            frames[name] = _of_names(table, source, lake.scan(source), scope.keys)
    return frames


def _of_names(table: type[Table], source: type[Table], rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Rows of the names that are made, of a source whose changes another input shows."""
    column = table.spec.partitioned_by
    if column is None or source is table or column not in source.column_names():
        return rows
    # What a table without partitions calls so may be something else, such as the patch of a list of items.
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
