"""How a step brings its tables up to date: what is behind is made, checked and committed, and nothing else.

A step looks at what is behind among the partitions of its run (see `freshness`), divides it into batches, has the rows
of each made, sets units aside that a check blames, commits, and ends with a note in the ledger. A run that dies on the
way leaves partitions that are behind.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Protocol

import polars as pl

from gamestats_assets.lakehouse.delta import Commit, Made
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import WHOLE, set_aside
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import Verdict, blamed, check_unchecked, judge, kept
from gamestats_assets.orchestration.freshness import (
    CONSTANT,
    PASSED_ON,
    Graph,
    Look,
    Step,
    days_before,
    held,
    makes_before,
)
from gamestats_assets.orchestration.landed import file_refused, landed_units
from gamestats_assets.orchestration.partitions import dimensions, is_paired, partitions_of, values_of

# Partitions looked at by the checks of a run that makes nothing.
_AUDITED = 31

Rows = pl.LazyFrame | Iterable[pl.DataFrame]
Batch = Mapping[str, Mapping[str, str]]
"""Units to make together, by partition, each with the fingerprint of what it is made from; `WHOLE` is all of one."""


class NothingLoadedError(GamestatsError):
    """Everything a step was asked for was rejected."""


class Decoded(Protocol):
    """What a batch gives: rows per table, what was rejected by the table it was meant for, how many are unreadable.

    The rows can be read until the next batch is asked for. Frames one after another can be gone through once, those of
    two tables at the same time; those of the last table come when all others have been gone through. What is rejected
    of them is known when the last one has come. Units are unreadable when nothing of them could be read.
    """

    @property
    def frames(self) -> Mapping[type[Table], Rows]: ...
    @property
    def rejections(self) -> Mapping[type[Table], Sequence[Rejection]]: ...
    @property
    def unreadable(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Output:
    """What a batch gives all at once; attributes as in `Decoded`."""

    frames: Mapping[type[Table], Rows]
    rejections: Mapping[type[Table], Sequence[Rejection]] = field(default_factory=dict)
    unreadable: int = 0


Produce = Callable[["Making", Sequence[Batch]], Generator[Decoded, None, None]]
"""Makes the rows of batches, one after another."""
Decode = Callable[[Landing, Sequence[Sequence[LandedFile]], int], Generator[Decoded, None, None]]
"""Decodes batches of landed files with a number of worker processes, and gives one result after another."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What rows are to be made of.

    Attributes:
        keys: partitions.
        ids: units; None is all.
        before: of a table without partitions, the day before which days are read; None is all.
    """

    keys: Sequence[str]
    ids: Sequence[str] | None = None
    before: str | None = None


@dataclass(slots=True)
class Done:
    """What a step did.

    Attributes:
        keys: partitions that it was asked for.
        made: those that were behind and are made.
        held: those that stay as they were, and why.
        before: of a table without partitions that is held, the day before which it was made all the same.
        units: units that were made.
        unreadable: units of which nothing could be read.
        commits: by table.
        verdicts: by table, what its checks found.
    """

    keys: Sequence[str]
    made: list[str] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    before: str | None = None
    units: int = 0
    unreadable: int = 0
    commits: dict[type[Table], list[Commit]] = field(default_factory=dict)
    verdicts: dict[type[Table], Verdict] = field(default_factory=dict)

    @property
    def is_nothing(self) -> bool:
        """Whether all that was asked for stays as it was."""
        return bool(self.held) and not self.made and self.before is None and {*self.held} == {*self.keys}

    @property
    def looked_at(self) -> Sequence[str]:
        """Partitions that the checks looked at; one that stays as it is may lack what its inputs have by now."""
        stands = [key for key in self.keys if key not in self.held or self.before is not None]
        return self.made or stands[:_AUDITED]


class Making:
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
        self.look = self._look()
        self.done = Done(keys, commits={table: [] for table in step.tables})
        # What tables without partitions held before, and what they had passed on to who reads them by day.
        self._stood: dict[type[Table], tuple[str | None, Mapping[str, str]]] = {}
        # Tables of which rows came that no check has looked at before they were committed.
        self.unscreened: set[type[Table]] = set()

    def _look(self) -> Look:
        return Look(self.stores, self.graph, only=self._only)

    def run(self, at_once: int | None = None) -> Done:
        """Bring the tables up to date, so many units at once, or as many as suit the step."""
        due = self._due()
        wanted = self.step.wanted(self.look)
        keys = [key for key in due if key in wanted]
        for key in due:
            if key not in wanted:
                self._remove(key, None, Made())
        self.log(f"{len(due)} of {len(self.done.keys)} partitions are behind.")
        batches = (
            self._units_behind(keys, at_once or self.step.at_once)
            if self.step.by_unit
            else self._whole_partitions(keys)
        )
        self.done.units = sum(map(_size, batches))
        committed, unread = 0, set[str]()
        with closing(self.step.produce(self, batches)) as results:
            for batch, output in zip(batches, results, strict=True):
                # What nobody could read stays behind: the next run fails as this one does, and says why again.
                is_read = output.unreadable < _size(batch)
                unread |= set() if is_read else {*batch}
                self._commit_batch(batch if is_read else {key: dict.fromkeys(batch[key], "") for key in batch}, output)
                self.done.unreadable += output.unreadable
                committed += _size(batch)
                if len(batches) > 1:
                    self.log(f"{committed} of {self.done.units} committed.")
        return self._finish(due, unread)

    def _due(self) -> list[str]:
        """Partitions to make, in order; those that must stay as they are go to `held`."""
        step, done = self.step, self.done
        # Before anything is looked at: what was written without its checks is checked first.
        for reads in step.reads:
            read = {each for key in done.keys for each in reads.keys_read(key, self.look) or ()}
            check_unchecked(self.look, reads.source, read or None)
        self.look = look = self._look()
        held_units = {table: look.ledger(table).partitions for table in step.tables}
        if WHOLE in done.keys:
            self._stood = {table: (look.content(table).get(WHOLE), look.made_from(table)) for table in step.tables}
        self.unscreened = {
            table for table, of in held_units.items() if any(of[key].units is None for key in done.keys if key in of)
        }
        behind, wanted = step.behind(look), step.wanted(look)
        due = [key for key in done.keys if key in behind or (self.everything and key in wanted)]
        done.held = {key: why for key in due if (why := held(look, step, key)) is not None}
        if WHOLE in done.held:
            done.before = makes_before(look, step)
        if done.held:
            self.log(f"{len(done.held)} partitions stay as they are. {next(iter(done.held.values()))}")
        return [key for key in due if key not in done.held or done.before is not None]

    def _units_behind(self, keys: Sequence[str], at_once: int) -> list[Batch]:
        """Units that are new or changed; takes out at once those that are gone, or that an input sets aside."""
        tables, total = self.step.tables, 0
        pending: list[tuple[str, str, str]] = []
        for key in sorted(keys):
            wanted, aside = self.step.unit_inputs(self.look, key)
            known = [self.look.ledger(table)[key].units or {} for table in tables]
            total += len(wanted)
            pending += [
                (key, unit, made_from)
                for unit, made_from in sorted(wanted.items())
                if unit not in aside and (self.everything or any(of.get(unit, ("",))[0] != made_from for of in known))
            ]
            if gone := sorted({unit for of in known for unit in of} - wanted.keys()):
                self._remove(key, gone, Made())
            new = {
                unit: check
                for unit, check in aside.items()
                if any(of.get(unit) != (wanted[unit], set_aside(check)) for of in known)
            }
            if new:
                self._remove(key, sorted(new), Made({key: {unit: wanted[unit] for unit in new}}, {key: new}))
        self.log(f"{len(pending)} of {total} units are new or changed in {len(keys)} partitions.")
        size = 1 if is_paired(partitions_of(self.step.table)) else at_once
        batches: list[Batch] = []
        for start in range(0, len(pending), size):
            batch: dict[str, dict[str, str]] = {}
            for key, unit, made_from in pending[start : start + size]:
                batch.setdefault(key, {})[unit] = made_from
            batches.append(batch)
        return batches

    def _whole_partitions(self, keys: Sequence[str]) -> list[Batch]:
        """Partitions to make whole; one by one where they are big, or have no units that could stay as they are."""
        table, wanted = self.step.table, self.step.wanted(self.look)
        whole = {key: {WHOLE: wanted[key]} for key in keys}
        if not self.step.together and (table.spec.replaced_by is None or is_paired(partitions_of(table))):
            return [{key: units} for key, units in whole.items()]
        return [whole] if whole else []

    def _remove(self, key: str, ids: Sequence[str] | None, made: Made) -> None:
        """Remove units of a partition, or all of it, from every table."""
        for table in self.step.tables:
            self._commit(table, pl.LazyFrame(schema=table.schema()), [key], made, ids=ids)

    def _commit_batch(self, batch: Batch, output: Decoded) -> None:
        """Commit to every table; frames one after another two tables at a time, for writing keeps one core busy."""
        frames, keys = output.frames, [*batch]
        partition_of = {unit: key for key, units in batch.items() for unit in units}
        is_paired_day = is_paired(partitions_of(self.step.table))
        aside, blames = self._blamed(batch, {t: rows for t, rows in frames.items() if isinstance(rows, pl.LazyFrame)})

        def commit(table: type[Table]) -> None:
            # Of frames one after another, what is rejected is known when the last one has come.
            rows, rejections = frames[table], output.rejections.get(table, ())
            if not isinstance(rows, pl.LazyFrame):
                self.unscreened.add(table)
                self._commit(table, rows, keys, Made(batch), rejections=rejections)
                return
            is_whole = not self.step.by_unit
            self._commit(
                table,
                kept(table, rows, aside),
                keys,
                Made({} if is_whole and table.spec.replaced_by else batch, aside),
                ids=None if is_whole or is_paired_day else sorted(partition_of),
                rejections=[*rejections, *blames[table]],
                partition_of=None if is_whole else partition_of,
            )

        *first, last = self.step.tables
        streams = [table for table in first if not isinstance(frames[table], pl.LazyFrame)]
        with ThreadPoolExecutor(2) as pool:
            tasks = {table: pool.submit(commit, table) for table in streams}
            for table in first:
                tasks[table].result() if table in tasks else commit(table)
        # Its turn is when all others are done.
        commit(last)

    def _blamed(
        self, batch: Batch, fresh: Mapping[type[Table], pl.LazyFrame]
    ) -> tuple[dict[str, dict[str, str]], dict[type[Table], list[Rejection]]]:
        """By partition the units that checks of any table of the step, or of an input, blame: no table takes them."""
        ids = sorted({unit for units in batch.values() for unit in units}) if self.step.by_unit else None
        aside: dict[str, dict[str, str]] = {}
        entries: dict[type[Table], list[Rejection]] = {}
        for table in self.step.tables:
            units_blamed, entries[table] = blamed(self.look, table, sorted(batch), fresh, ids)
            for key, units in units_blamed.items():
                aside[key] = units | aside.get(key, {})
        for reads in self.step.reads:
            for key in batch if reads.is_alike and ids is None else ():
                aside[key] = aside.get(key, {}) | self.look.ledger(reads.source)[key].set_aside
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

    def _finish(self, due: Sequence[str], unread: Iterable[str]) -> Done:
        """Evaluate the checks of what was made, and note what it is made from; not of what nobody could read."""
        step, done = self.step, self.done
        done.made = [key for key in due if key not in done.held]
        after = self._look()
        wanted = step.wanted(self.look)
        made_from = {key: wanted.get(key, "") for key in due if key not in unread}
        if WHOLE in made_from:
            made_from |= step.made_of_days(self.look)
        if (day := done.before) is not None:
            # Of days that may not be read it is not made.
            made_from = {key: made for key, made in made_from.items() if WHOLE < key < day} | {WHOLE: days_before(day)}
        for table in step.tables:
            self.stores.lake.ensure(table)
            is_screened = bool(done.made) and table not in self.unscreened
            verdict = done.verdicts[table] = judge(after, table, done.looked_at, screened=is_screened)
            if due:
                made_from |= self._passed_on(after, table, made_from)
                self.stores.lake.note(table, replace(verdict.note(due), made_from=made_from))
        return done

    def _passed_on(self, after: Look, table: type[Table], made_from: Mapping[str, str]) -> dict[str, str]:
        """What of no day changes what is made of the table by day: nothing that left its rows as they were."""
        if CONSTANT not in made_from:
            return {}
        stood, before = self._stood[table]
        is_same = before.get(CONSTANT) == made_from[CONSTANT] or stood == after.content(table).get(WHOLE)
        known = before.get(PASSED_ON, before.get(CONSTANT))
        return {PASSED_ON: known if is_same and known else made_from[CONSTANT]}

    def refuse_total_loss(self) -> None:
        """Raise `NothingLoadedError` when something came, every bit of it was rejected, and nothing stood there before.

        Units that are set aside are no loss, be it all that came: they are counted, and nothing waits for them.
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


def of_partitions(table: type[Table], rows: Rows, keys: Iterable[str]) -> Rows:
    """The rows of some partitions: what has wider inputs may make rows of others, whose turn is another batch's."""
    column = table.spec.partitioned_by
    if column is None or not isinstance(rows, pl.LazyFrame):
        return rows
    return rows.filter(pl.col(column).is_in(values_of(table, keys) or ()))


def from_rows(make: Callable[[Look, Step, Scope], Rows]) -> Produce:
    """The rows of one table, as a function or a SELECT makes them."""

    def produce(making: Making, batches: Sequence[Batch]) -> Generator[Decoded, None, None]:
        step = making.step

        def output(batch: Batch) -> Output:
            ids = sorted({unit for units in batch.values() for unit in units}) if step.by_unit else None
            made = make(making.look, step, Scope(sorted(batch), ids, making.done.before))
            rows = of_partitions(step.table, made, batch)
            return Output({step.table: rows.collect().lazy() if isinstance(rows, pl.LazyFrame) else rows})

        yield from _ahead(output, batches) if step.by_unit else map(output, batches)

    return produce


def _ahead(make: Callable[[Batch], Output], batches: Sequence[Batch]) -> Iterator[Output]:
    """What batches give, in order: while one is committed, which keeps one core busy, the next is computed."""
    if len(batches) == 1:
        yield make(batches[0])
        return
    with ThreadPoolExecutor(1) as pool:
        begun: Future[Output] | None = None
        for batch in batches:
            before, begun = begun, pool.submit(make, batch)
            if before is not None:
                yield before.result()
        if begun is not None:
            yield begun.result()


def from_files(decode: Decode, refused: Callable[[Landing], Sequence[Rejection]] | None) -> Produce:
    """The rows of several tables, as one reading of landed files gives them; `refused` files go to the quarantine."""

    def produce(making: Making, batches: Sequence[Batch]) -> Generator[Decoded, None, None]:
        landing, game = making.stores.landing, making.step.table.spec.game
        if refused is not None:
            file_refused(making.stores, game, refused(landing))
        files = {key: landed_units(landing, game, key) for batch in batches for key in batch}
        of_batches = [
            [
                file
                for key, units in batch.items()
                for unit in (files[key] if WHOLE in units else units)
                for file in files[key].get(unit, ())
            ]
            for batch in batches
        ]
        return decode(landing, of_batches, making.stores.settings.workers)

    return produce
