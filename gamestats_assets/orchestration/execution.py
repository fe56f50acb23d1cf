"""Brings the tables of a step up to date: makes, checks and commits only stale partitions and units.

A step finds the stale partitions of its run (see `freshness`), divides them into batches, makes the rows of each batch,
sets aside the units that a check blames, commits, and finally writes a note to the ledger. A run that dies on the way
leaves partitions that are behind.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Commit, Made
from gamestats_assets.lakehouse.delta.ledger import WHOLE, set_aside
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing.decoding import Decoded, Rows
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import Verdict, blamed, check_unchecked, drop_blamed, judge
from gamestats_assets.orchestration.freshness.blocking import cutoff_day, days_before, held_reason
from gamestats_assets.orchestration.freshness.landed import file_refused, landed_units
from gamestats_assets.orchestration.freshness.snapshot import CONSTANT, PASSED_ON, Graph, Snapshot
from gamestats_assets.orchestration.freshness.step import Step
from gamestats_assets.orchestration.partitions import dimensions, is_paired, partitions_of, values_of

# A run that makes nothing checks at most this many partitions.
_AUDITED = 31

Batch = Mapping[str, Mapping[str, str]]
"""Units to make together, by partition, each with the fingerprint of its inputs; `WHOLE` means the whole partition."""


class NothingLoadedError(GamestatsError):
    """Everything that a step was asked to make was rejected."""


Produce = Callable[["StepRun", Sequence[Batch]], Generator[Decoded, None, None]]
"""Makes the rows of batches one after another."""
Decode = Callable[[Landing, Sequence[Sequence[LandedFile]], int], Generator[Decoded, None, None]]
"""Decodes batches of landed files with a number of worker processes and yields one result after another."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a table to make.

    Attributes:
        keys: partitions.
        ids: units; None means all.
        cutoff_day: if the table has no partitions, only days before this one are read; None means all days.
    """

    keys: Sequence[str]
    ids: Sequence[str] | None = None
    cutoff_day: str | None = None


@dataclass(slots=True)
class StepResult:
    """Result of a step.

    Attributes:
        keys: requested partitions.
        made: partitions that were behind and are now made.
        held: partitions that stay as they were, and why.
        cutoff_day: for a held, unpartitioned table, the day before which it was still made.
        units: number of units made.
        unreadable: number of units that could not be read at all.
        commits: commits by table.
        verdicts: findings of the checks by table.
    """

    keys: Sequence[str]
    made: list[str] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    cutoff_day: str | None = None
    units: int = 0
    unreadable: int = 0
    commits: dict[type[Table], list[Commit]] = field(default_factory=dict)
    verdicts: dict[type[Table], Verdict] = field(default_factory=dict)

    @property
    def made_nothing(self) -> bool:
        """Whether all requested partitions stay as they were."""
        return bool(self.held) and not self.made and self.cutoff_day is None and {*self.held} == {*self.keys}

    @property
    def checked_keys(self) -> Sequence[str]:
        """The partitions to check. Held ones are left out, since they may lack current rows of their inputs."""
        stands = [key for key in self.keys if key not in self.held or self.cutoff_day is not None]
        return self.made or stands[:_AUDITED]


class StepRun:
    """One run of a step over some partitions."""

    def __init__(
        self,
        step: Step,
        stores: Stores,
        graph: Graph,
        keys: Sequence[str],
        *,
        everything: bool = False,
        log: Callable[[str], object] = lambda message: None,
    ) -> None:
        self.step, self.stores, self.graph, self.log = step, stores, graph, log
        self.everything = everything
        names = dimensions(partitions_of(step.table))
        self._only = {names[0]: keys} if len(names) == 1 else None
        self.snapshot = self._take_snapshot()
        self.done = StepResult(keys, commits={table: [] for table in step.tables})
        # Content and inputs of unpartitioned tables before the run.
        self._before_run: dict[type[Table], tuple[str | None, Mapping[str, str]]] = {}
        # Tables with rows that were committed before any check saw them.
        self.unscreened: set[type[Table]] = set()

    def _take_snapshot(self) -> Snapshot:
        return Snapshot(self.stores, self.graph, only=self._only)

    def run(self, batch_size: int | None = None) -> StepResult:
        """Brings the tables up to date, in batches of the given size or of the step's own."""
        due = self._due()
        expected = self.step.expected(self.snapshot)
        keys = [key for key in due if key in expected]
        for key in due:
            if key not in expected:
                self._remove(key, None, Made())
        self.log(f"{len(due)} of {len(self.done.keys)} partitions are behind.")
        batches = (
            self._units_behind(keys, batch_size or self.step.batch_size)
            if self.step.by_unit
            else self._whole_partitions(keys)
        )
        self.done.units = sum(map(_size, batches))
        committed, unread = 0, set[str]()
        with closing(self.step.produce(self, batches)) as results:
            for batch, output in zip(batches, results, strict=True):
                # Unreadable units stay behind: the next run fails as this one does and repeats the reason.
                is_read = output.unreadable < _size(batch)
                unread |= set() if is_read else {*batch}
                self._commit_batch(batch if is_read else {key: dict.fromkeys(batch[key], "") for key in batch}, output)
                self.done.unreadable += output.unreadable
                committed += _size(batch)
                if len(batches) > 1:
                    self.log(f"{committed} of {self.done.units} committed.")
        return self._finish(due, unread)

    def _due(self) -> list[str]:
        """Returns the partitions to make, in order; those that must stay as they are go to `Done.held`."""
        step, done = self.step, self.done
        # Partitions that were written but never checked are checked first.
        for reads in step.reads:
            read = {each for key in done.keys for each in reads.keys_read(key, self.snapshot) or ()}
            check_unchecked(self.snapshot, reads.source, read or None)
        self.snapshot = snapshot = self._take_snapshot()
        held_units = {table: snapshot.ledger(table).partitions for table in step.tables}
        if WHOLE in done.keys:
            self._before_run = {
                table: (snapshot.content(table).get(WHOLE), snapshot.made_from(table)) for table in step.tables
            }
        self.unscreened = {
            table
            for table, partitions in held_units.items()
            if any(partitions[key].units is None for key in done.keys if key in partitions)
        }
        behind, expected = step.behind(snapshot), step.expected(snapshot)
        due = [key for key in done.keys if key in behind or (self.everything and key in expected)]
        done.held = {key: why for key in due if (why := held_reason(snapshot, step, key)) is not None}
        if WHOLE in done.held:
            done.cutoff_day = cutoff_day(snapshot, step)
        if done.held:
            self.log(f"{len(done.held)} partitions stay as they are. {next(iter(done.held.values()))}")
        return [key for key in due if key not in done.held or done.cutoff_day is not None]

    def _units_behind(self, keys: Sequence[str], batch_size: int) -> list[Batch]:
        """Returns batches of new and changed units. Removes units that are gone or that an input sets aside."""
        tables, total = self.step.tables, 0
        pending: list[tuple[str, str, str]] = []
        for key in sorted(keys):
            expected, aside = self.step.unit_inputs(self.snapshot, key)
            known = [self.snapshot.ledger(table)[key].units or {} for table in tables]
            total += len(expected)
            pending += [
                (key, unit, made_from)
                for unit, made_from in sorted(expected.items())
                if unit not in aside
                and (self.everything or any(units.get(unit, ("",))[0] != made_from for units in known))
            ]
            if gone := sorted({unit for units in known for unit in units} - expected.keys()):
                self._remove(key, gone, Made())
            new = {
                unit: check
                for unit, check in aside.items()
                if any(units.get(unit) != (expected[unit], set_aside(check)) for units in known)
            }
            if new:
                self._remove(key, sorted(new), Made({key: {unit: expected[unit] for unit in new}}, {key: new}))
        self.log(f"{len(pending)} of {total} units are new or changed in {len(keys)} partitions.")
        size = 1 if is_paired(partitions_of(self.step.table)) else batch_size
        batches: list[Batch] = []
        for start in range(0, len(pending), size):
            batch: dict[str, dict[str, str]] = {}
            for key, unit, made_from in pending[start : start + size]:
                batch.setdefault(key, {})[unit] = made_from
            batches.append(batch)
        return batches

    def _whole_partitions(self, keys: Sequence[str]) -> list[Batch]:
        """Returns batches of whole partitions: one partition each if it is big or has no units that could stay."""
        table, expected = self.step.table, self.step.expected(self.snapshot)
        by_partition = {key: {WHOLE: expected[key]} for key in keys}
        if not self.step.together and (table.spec.replaced_by is None or is_paired(partitions_of(table))):
            return [{key: units} for key, units in by_partition.items()]
        return [by_partition] if by_partition else []

    def _remove(self, key: str, ids: Sequence[str] | None, made: Made) -> None:
        """Removes units of a partition, or the whole partition, from every table."""
        for table in self.step.tables:
            self._commit(table, pl.LazyFrame(schema=table.schema()), [key], made, ids=ids)

    def _commit_batch(self, batch: Batch, output: Decoded) -> None:
        """Commits to every table, and streams two tables at a time, since writing one keeps only one core busy."""
        frames, keys = output.frames, [*batch]
        partition_of = {unit: key for key, units in batch.items() for unit in units}
        is_paired_step = is_paired(partitions_of(self.step.table))
        aside, blames = self._blamed(batch, {t: rows for t, rows in frames.items() if isinstance(rows, pl.LazyFrame)})

        def commit(table: type[Table]) -> None:
            # The rejections of a stream are known at its end.
            rows, rejections = frames[table], output.rejections.get(table, ())
            if not isinstance(rows, pl.LazyFrame):
                self.unscreened.add(table)
                self._commit(table, rows, keys, Made(batch), rejections=rejections)
                return
            is_whole = not self.step.by_unit
            self._commit(
                table,
                drop_blamed(table, rows, aside),
                keys,
                Made({} if is_whole and table.spec.replaced_by else batch, aside),
                ids=None if is_whole or is_paired_step else sorted(partition_of),
                rejections=[*rejections, *blames[table]],
                partition_of=None if is_whole else partition_of,
            )

        *first, last = self.step.tables
        streams = [table for table in first if not isinstance(frames[table], pl.LazyFrame)]
        with ThreadPoolExecutor(2) as pool:
            tasks = {table: pool.submit(commit, table) for table in streams}
            for table in first:
                tasks[table].result() if table in tasks else commit(table)
        # The last table's stream starts when all others are exhausted.
        commit(last)

    def _blamed(
        self, batch: Batch, fresh: Mapping[type[Table], pl.LazyFrame]
    ) -> tuple[dict[str, dict[str, str]], dict[type[Table], list[Rejection]]]:
        """Units by partition that a check of any of the step's tables or inputs blames. No table takes their rows."""
        ids = sorted({unit for units in batch.values() for unit in units}) if self.step.by_unit else None
        aside: dict[str, dict[str, str]] = {}
        entries: dict[type[Table], list[Rejection]] = {}
        for table in self.step.tables:
            units_blamed, entries[table] = blamed(self.snapshot, table, sorted(batch), fresh, ids)
            for key, units in units_blamed.items():
                aside[key] = units | aside.get(key, {})
        for reads in self.step.reads:
            for key in batch if reads.is_aligned and ids is None else ():
                aside[key] = aside.get(key, {}) | self.snapshot.ledger(reads.source)[key].set_aside
        return aside, entries

    def _commit(
        self,
        table: type[Table],
        rows: Rows,
        keys: Sequence[str],
        made: Made,
        *,
        ids: Sequence[str] | None = None,
        rejections: Sequence[Rejection] = (),
        partition_of: Mapping[str, str] | None = None,
    ) -> None:
        commit = self.stores.lake.replace(
            table,
            rows,
            partitions=values_of(table, keys),
            ids=ids,
            rejections=rejections,
            partition_of=partition_of,
            made=made,
        )
        self.done.commits[table].append(commit)

    def _finish(self, due: Sequence[str], unread: Iterable[str]) -> StepResult:
        """Evaluates the checks of the made partitions and records their inputs, except those of unreadable
        partitions."""
        step, done = self.step, self.done
        done.made = [key for key in due if key not in done.held]
        after = self._take_snapshot()
        expected = step.expected(self.snapshot)
        made_from = {key: expected.get(key, "") for key in due if key not in unread}
        if WHOLE in made_from:
            made_from |= step.made_from_by_day(self.snapshot)
        if (day := done.cutoff_day) is not None:
            # Days that must not be read did not go into it.
            made_from = {key: made for key, made in made_from.items() if WHOLE < key < day} | {WHOLE: days_before(day)}
        for table in step.tables:
            self.stores.lake.ensure(table)
            is_screened = bool(done.made) and table not in self.unscreened
            verdict = done.verdicts[table] = judge(after, table, done.checked_keys, screened=is_screened)
            if due:
                made_from |= self._passed_on(after, table, made_from)
                self.stores.lake.note(table, replace(verdict.note(due), made_from=made_from))
        return done

    def _passed_on(self, after: Snapshot, table: type[Table], made_from: Mapping[str, str]) -> dict[str, str]:
        """The `PASSED_ON` entry: undated inputs affect tables by day only if they changed this table's rows."""
        if CONSTANT not in made_from:
            return {}
        stood, before = self._before_run[table]
        is_same = before.get(CONSTANT) == made_from[CONSTANT] or stood == after.content(table).get(WHOLE)
        known = before.get(PASSED_ON, before.get(CONSTANT))
        return {PASSED_ON: known if is_same and known else made_from[CONSTANT]}

    def refuse_total_loss(self) -> None:
        """Raises `NothingLoadedError` if all input was rejected and the table is empty.

        Set-aside units are no loss, even if they are all of the input: they are counted, and nothing waits for them.
        """
        done, table = self.done, self.step.table
        advice = f'What was found is in quarantine: gamestats query "from {table.spec.game}.quarantine"'
        if done.units and done.unreadable >= done.units:
            raise NothingLoadedError(
                f"None of the {done.units} units of {', '.join(done.made[:5])} could be read. {advice}"
            )
        rejections = [found for commit in done.commits[table] for found in commit.rejections]
        if len(self.step.tables) == 1 and table.spec.replaced_by is None and rejections:
            state = self.stores.lake.state(table)
            counts = {**state.rows_per_partition, WHOLE: state.rows} if state is not None else {}
            if not any(counts.get(key) for key in done.made):
                raise NothingLoadedError(
                    f"{table.spec.dotted}: everything was rejected ({sum(r.rejected_rows for r in rejections)} rows). "
                    f"First reason: {rejections[0].reason} {advice}"
                )


def _size(batch: Batch) -> int:
    return sum(map(len, batch.values()))


def filter_partitions(table: type[Table], rows: Rows, keys: Iterable[str]) -> Rows:
    """Keeps the rows of some partitions. Wider inputs may also yield rows of others, which another batch makes."""
    column = table.spec.partitioned_by
    if column is None or not isinstance(rows, pl.LazyFrame):
        return rows
    return rows.filter(pl.col(column).is_in(values_of(table, keys) or ()))


def from_rows(make: Callable[[Snapshot, Step, Scope], Rows]) -> Produce:
    """Produces the rows of one table with a function or a SELECT."""

    def produce(step_run: StepRun, batches: Sequence[Batch]) -> Generator[Decoded, None, None]:
        step = step_run.step

        def output(batch: Batch) -> Decoded:
            ids = sorted({unit for units in batch.values() for unit in units}) if step.by_unit else None
            made = make(step_run.snapshot, step, Scope(sorted(batch), ids, step_run.done.cutoff_day))
            rows = filter_partitions(step.table, made, batch)
            return Decoded({step.table: rows.collect().lazy() if isinstance(rows, pl.LazyFrame) else rows})

        yield from _computed_ahead(output, batches) if step.by_unit else map(output, batches)

    return produce


def _computed_ahead(make: Callable[[Batch], Decoded], batches: Sequence[Batch]) -> Iterator[Decoded]:
    """Yields the results of batches in order, computing the next one while the current one is committed."""
    if len(batches) == 1:
        yield make(batches[0])
        return
    with ThreadPoolExecutor(1) as pool:
        running: Future[Decoded] | None = None
        for batch in batches:
            previous, running = running, pool.submit(make, batch)
            if previous is not None:
                yield previous.result()
        if running is not None:
            yield running.result()


def from_files(decode: Decode, refused: Callable[[Landing], Sequence[Rejection]] | None) -> Produce:
    """Produces the rows of several tables in one reading of landed files; `refused` files go to the quarantine."""

    def produce(step_run: StepRun, batches: Sequence[Batch]) -> Generator[Decoded, None, None]:
        landing, game = step_run.stores.landing, step_run.step.table.spec.game
        if refused is not None:
            file_refused(step_run.stores, game, refused(landing))
        files = {key: landed_units(landing, game, key) for batch in batches for key in batch}
        files_by_batch = [
            [
                file
                for key, units in batch.items()
                for unit in (files[key] if WHOLE in units else units)
                for file in files[key].get(unit, ())
            ]
            for batch in batches
        ]
        return decode(landing, files_by_batch, step_run.stores.settings.workers)

    return produce
