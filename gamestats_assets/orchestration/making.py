"""How a step brings its tables up to date: what is behind is read, made, checked and committed, and nothing else.

A step looks at what is behind among the partitions of its run (see `freshness`), makes that, sets units aside that a
check blames, and ends with a note in the ledger. A run that dies on the way leaves partitions that are behind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from gamestats_assets.lakehouse.delta import Commit, Made
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import WHOLE, set_aside
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import Verdict, blamed, judge, kept, settle_owed
from gamestats_assets.orchestration.freshness import (
    Graph,
    Look,
    Step,
    days_before,
    finished,
    held,
    makes_before,
)
from gamestats_assets.orchestration.landed import landed_units
from gamestats_assets.orchestration.partitions import is_paired, partitions_of, values_of

BATCH = 200
"""Units made and committed together, unless a step says otherwise: bounds memory to about 2 GB."""
# Partitions looked at by the checks of a run that makes nothing.
_AUDITED = 31

Rows = pl.LazyFrame | pl.DataFrame | Iterable[pl.DataFrame]
MakeRows = Callable[[Look, Sequence[str], Sequence[str] | None, str | None], Rows]
"""Gives a table's rows of some partitions: of some units or of all, and of a table without partitions those that are
made from days before one."""
Tell = Callable[[str], object]


class NothingLoadedError(GamestatsError):
    """Everything a step was asked for was rejected."""


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
        """Units of which nothing could be read."""
        ...


Decode = Callable[[Landing, Sequence[Sequence[LandedFile]], int], Iterator[Decoded]]
"""Decodes batches of landed files with a number of worker processes, and gives one result after another."""


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
        """Partitions that the checks looked at."""
        return self.made or self.keys[:_AUDITED]


@dataclass(slots=True)
class _Work:
    """Units to make, by partition with what they are made from; units that are gone; units that are set aside."""

    pending: dict[str, dict[str, str]] = field(default_factory=dict)
    total: int = 0
    gone: dict[str, list[str]] = field(default_factory=dict)
    aside: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Units to make."""
        return sum(len(units) for units in self.pending.values())

    def batches(self, size: int) -> list[dict[str, dict[str, str]]]:
        """The units to make in parts of at most so many, in a fixed order."""
        flat = [(key, unit, made) for key in sorted(self.pending) for unit, made in sorted(self.pending[key].items())]
        found: list[dict[str, dict[str, str]]] = []
        for start in range(0, len(flat), size):
            batch: dict[str, dict[str, str]] = {}
            for key, unit, made in flat[start : start + size]:
                batch.setdefault(key, {})[unit] = made
            found.append(batch)
        return found


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
        tell: Tell = lambda message: None,
    ) -> None:
        self.step, self.stores, self.graph, self.tell = step, stores, graph, tell
        self.everything = everything
        self.look = Look(stores, graph)
        self.done = Done(keys, commits={table: [] for table in step.tables})

    def _due(self) -> list[str]:
        """Partitions to make, in order; those that must stay as they are go to `held`."""
        step, look = self.step, self.look
        # Before anything is looked at: what was written without its checks is checked first.
        settle_owed(look, step, self.done.keys)
        self.look = look = Look(self.stores, self.graph)
        behind = step.behind(look)
        due: list[str] = []
        for key in self.done.keys:
            if key not in behind and not (self.everything and key in step.wanted(look)):
                continue
            why = held(look, step, key)
            if why is None:
                due.append(key)
            elif key == WHOLE and (day := makes_before(look, step)) is not None:
                self.done.before = day
                due.append(key)
                self.done.held[key] = why
            else:
                self.done.held[key] = why
        if self.done.held:
            first = next(iter(self.done.held.values()))
            self.tell(f"{len(self.done.held)} partitions stay as they are. {first}")
        return due

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
    ) -> Commit:
        commit = self.stores.lake.replace(
            table,
            rows,
            partitions=values_of(table, keys) if table.spec.partitioned_by else None,
            ids=ids,
            rejections=rejections,
            partition_of=partition_of,
            made=made,
        )
        self.done.commits[table].append(commit)
        return commit

    def _finish(self, due: Sequence[str], unread: Collection[str] = ()) -> Done:
        """Evaluate the checks of what was made, and enter that it is done; not of what nobody could read."""
        self.done.made = [key for key in due if key not in self.done.held]
        after = Look(self.stores, self.graph)
        for table in self.step.tables:
            self.stores.lake.ensure(table)
            verdict = self.done.verdicts[table] = judge(after, table, self.done.looked_at)
            if due:
                note = finished(self.step, self.look, due, verdict.note(due))
                note.made_from = {key: made for key, made in note.made_from.items() if key not in unread}
                if (day := self.done.before) is not None:
                    # Of days that may not be read it is not made.
                    note.made_from = {key: made for key, made in note.made_from.items() if WHOLE < key < day}
                    note.made_from[WHOLE] = days_before(day)
                self.stores.lake.note(table, note)
        return self.done

    def _empty(self, keys: Sequence[str]) -> None:
        """Empty partitions whose inputs are gone."""
        for table in self.step.tables:
            for key in keys:
                self._commit(table, pl.DataFrame(schema=table.schema()), [key], Made())

    # ------------------------------------------------------------ frames to frame

    def rows(self, make: MakeRows, *, at_once: int = BATCH, in_one_piece: bool = False) -> Done:
        """Bring a table up to date whose rows a function or a SELECT makes."""
        due = self._due()
        wanted = self.step.wanted(self.look)
        gone = [key for key in due if key not in wanted]
        self._empty(gone)
        keys = [key for key in due if key in wanted]
        if keys and self.step.by_unit:
            self._by_unit(make, keys, at_once)
        elif keys:
            self._whole(make, [keys] if in_one_piece else _pieces(self.step.table, keys))
        self.tell(f"{len(due)} of {len(self.done.keys)} partitions were behind.")
        return self._finish(due)

    def _work(self, keys: Sequence[str]) -> _Work:
        work = _Work()
        for key in keys:
            wanted, aside = self.step.unit_inputs(self.look, key)
            held_units = [self.look.ledger(table)[key].units or {} for table in self.step.tables]
            pending = {
                unit: made_from
                for unit, made_from in wanted.items()
                if unit not in aside
                and (self.everything or any(of.get(unit, ("",))[0] != made_from for of in held_units))
            }
            work.total += len(wanted)
            work.pending[key] = pending
            work.gone[key] = sorted({unit for of in held_units for unit in of} - wanted.keys())
            new_aside = {
                unit: name
                for unit, name in aside.items()
                if any(of.get(unit) != (wanted[unit], set_aside(name)) for of in held_units)
            }
            if new_aside:
                work.aside[key] = new_aside
                self._set_aside(key, {unit: wanted[unit] for unit in new_aside}, new_aside)
        return work

    def _set_aside(self, key: str, made_from: Mapping[str, str], aside: Mapping[str, str]) -> None:
        """Take units out that an input holds no more, for a check blames them there."""
        for table in self.step.tables:
            made = Made({key: made_from}, {key: aside})
            self._commit(table, pl.DataFrame(schema=table.schema()), [key], made, ids=sorted(aside))

    def _by_unit(self, make: MakeRows, keys: Sequence[str], at_once: int) -> None:
        table = self.step.table
        work = self._work(keys)
        self.done.units = work.count
        self.tell(f"{work.count} of {work.total} units are new or changed in {len(keys)} partitions.")
        for key, units in work.gone.items():
            if units:
                self._commit(table, pl.DataFrame(schema=table.schema()), [key], Made(), ids=units)
        paired = is_paired(partitions_of(table))
        batches = work.batches(1 if paired else at_once)

        def rows_of(batch: Mapping[str, Mapping[str, str]]) -> pl.DataFrame:
            ids = sorted({unit for units in batch.values() for unit in units})
            rows = make(self.look, sorted(batch), ids, None)
            assert isinstance(rows, pl.LazyFrame)
            # A unit may be of other partitions too, whose turn is another batch's.
            return _of_keys(table, rows, sorted(batch)).collect()

        with _Ahead([lambda batch=batch: rows_of(batch) for batch in batches]) as computed:
            for batch, rows in zip(batches, computed, strict=True):
                aside, entries = self._blamed({table: rows.lazy()}, batch)
                self._commit_units(table, rows, batch, aside, entries[table], whole=paired)

    def _blamed(
        self, fresh: Mapping[type[Table], pl.LazyFrame], batch: Mapping[str, Collection[str]], *, whole: bool = False
    ) -> tuple[dict[str, dict[str, str]], dict[type[Table], list[Rejection]]]:
        """By partition the units that checks of any of the step's tables blame: no table takes their rows.

        Args:
            fresh: the rows that are made.
            batch: partitions, each with the units that are made.
            whole: all units of the partitions are made.
        """
        ids = None if whole else sorted({unit for units in batch.values() for unit in units})
        aside: dict[str, dict[str, str]] = {}
        entries: dict[type[Table], list[Rejection]] = {}
        for table in self.step.tables:
            checks = self.graph.blaming(table)
            names, entries[table] = blamed(checks, self.look, table, sorted(batch), fresh, ids)
            for key, units in names.items():
                aside[key] = units | aside.get(key, {})
        return aside, entries

    def _commit_units(
        self,
        table: type[Table],
        rows: pl.DataFrame,
        batch: Mapping[str, Mapping[str, str]],
        aside: Mapping[str, Mapping[str, str]],
        rejections: Sequence[Rejection],
        *,
        whole: bool = False,
    ) -> Commit:
        """Commit units' rows, without those that are set aside; `whole` replaces their partitions."""
        partition_of = {unit: key for key, units in batch.items() for unit in units}
        return self._commit(
            table,
            kept(table, rows.lazy(), aside),
            sorted(batch),
            Made(batch, aside),
            ids=None if whole else sorted(partition_of),
            rejections=rejections,
            partition_of=partition_of,
        )

    def _whole(self, make: MakeRows, pieces: Sequence[Sequence[str]]) -> None:
        """Make partitions whole; of a table with units only those are written whose rows are others."""
        table = self.step.table
        wanted = self.step.wanted(self.look)
        for number, piece in enumerate(pieces, 1):
            rows = make(self.look, piece, None, self.done.before)
            if table.spec.replaced_by is None:
                if isinstance(rows, (pl.LazyFrame, pl.DataFrame)):
                    rows = _of_keys(table, rows.lazy(), piece)
                self._commit(table, rows, piece, Made({key: {WHOLE: wanted[key]} for key in piece}))
            else:
                frame = rows.lazy() if isinstance(rows, (pl.LazyFrame, pl.DataFrame)) else pl.concat(rows).lazy()
                self._units_of(table, _of_keys(table, frame, piece).collect(), piece)
            if len(pieces) > 1:
                self.tell(f"{number} of {len(pieces)} partitions made.")

    def _units_of(self, table: type[Table], rows: pl.DataFrame, keys: Sequence[str]) -> None:
        alike = [self.look.ledger(each.source) for each in self.step.reads if each.is_alike]
        upstream = {key: {unit: name for of in alike for unit, name in of[key].set_aside.items()} for key in keys}
        names, entries = self._blamed({table: rows.lazy()}, dict.fromkeys(keys, ()), whole=True)
        aside = {key: names.get(key, {}) | upstream[key] for key in keys}
        left = kept(table, rows.lazy(), aside).collect()
        self.done.units += left.get_column(str(table.spec.replaced_by)).n_unique()
        self._commit(table, left, keys, Made({}, aside), rejections=entries[table])

    def together(
        self, read: Callable[[], tuple[Mapping[type[Table], pl.DataFrame], Mapping[type[Table], Sequence[Rejection]]]]
    ) -> Done:
        """Bring tables up to date that one reading gives together, all partitions of them."""
        due = self._due()
        wanted = self.step.wanted(self.look)
        frames, rejections = read() if due else ({}, {})
        for table in self.step.tables if due else ():
            is_whole = table.spec.replaced_by is None
            made = Made({key: {WHOLE: wanted[key]} for key in due if key in wanted} if is_whole else {})
            rows = _of_keys(table, frames[table].lazy(), due)
            self._commit(table, rows, due, made, rejections=rejections.get(table, ()))
        return self._finish(due)

    # ------------------------------------------------------------ landing to bronze

    def landed(self, decode: Decode, *, at_once: int, everything_of_a_day: bool) -> Done:
        """Bring tables up to date that one reading of landed files feeds.

        Args:
            everything_of_a_day: whether a partition is decoded and replaced as one.
        """
        step, game = self.step, self.step.table.spec.game
        due = self._due()
        wanted = step.wanted(self.look)
        self._empty([key for key in due if key not in wanted])
        keys = [key for key in due if key in wanted]
        files: dict[str, dict[str, list[LandedFile]]] = {}
        if everything_of_a_day:
            batches = [{key: {WHOLE: wanted[key]}} for key in keys]
            self.done.units = len(keys)
        else:
            work = self._work(keys)
            for key, units in work.gone.items():
                for table in step.tables if units else ():
                    self._commit(table, pl.DataFrame(schema=table.schema()), [key], Made(), ids=units)
            batches = work.batches(at_once)
            self.done.units = work.count
            self.tell(f"{work.count} of {work.total} units are new or changed in {len(keys)} partitions.")
        for key in keys:
            files[key] = landed_units(self.stores.landing, game, key)
        to_decode = [
            [
                file
                for key, units in batch.items()
                for unit in (files[key] if everything_of_a_day else units)
                for file in files[key].get(unit, ())
            ]
            for batch in batches
        ]
        workers = self.stores.settings.workers
        done = 0
        with closing(decode(self.stores.landing, to_decode, workers)) as decoded:  # type: ignore[type-var]
            unread: set[str] = set()
            for batch, found in zip(batches, decoded, strict=True):
                size = sum(map(len, batch.values()))
                # What nobody could read stays behind: the next run fails as this one does, and says why again.
                if found.unreadable >= size:
                    unread |= {*batch}
                self._commit_decoded(batch, found, whole=everything_of_a_day, is_read=found.unreadable < size)
                self.done.unreadable += found.unreadable
                done += size
                self.tell(f"{done} of {self.done.units} committed.")
        return self._finish(due, unread)

    def _commit_decoded(
        self, batch: Mapping[str, Mapping[str, str]], found: Decoded, *, whole: bool, is_read: bool
    ) -> None:
        """Commit to several tables; rows in pieces two at a time, for writing keeps one core busy.

        The last table's turn is when all others are done.
        """
        frames = found.frames
        if not is_read:
            batch = {key: dict.fromkeys(units, "") for key, units in batch.items()}
        fresh = {table: rows for table, rows in frames.items() if isinstance(rows, pl.LazyFrame)}
        aside, entries = self._blamed(fresh, batch, whole=whole)

        def commit(table: type[Table]) -> None:
            # Of rows in pieces, what is rejected is known when the last one has come.
            rows, rejections = frames[table], found.rejections.get(table, ())
            if not whole:
                assert isinstance(rows, pl.LazyFrame)
                self._commit_units(table, rows.collect(), batch, aside, [*rejections, *entries[table]])
            elif table.spec.replaced_by is not None and isinstance(rows, pl.LazyFrame):
                left, told = kept(table, rows, aside), [*rejections, *entries[table]]
                self._commit(table, left, sorted(batch), Made({}, aside), rejections=told)
            else:
                self._commit(table, rows, sorted(batch), Made(batch), rejections=rejections)

        *first, last = self.step.tables
        together = [table for table in first if not isinstance(frames[table], pl.LazyFrame)]
        with ThreadPoolExecutor(2) as pool:
            tasks = {table: pool.submit(commit, table) for table in together}
            for table in first:
                tasks[table].result() if table in tasks else commit(table)
        commit(last)

    def refuse_total_loss(self) -> None:
        """Raise `NothingLoadedError` when something came, every bit of it was rejected, and nothing stood there before.

        Units that are set aside are no loss, be it all that came: they are told, and nothing waits for them.
        """
        game = self.step.table.spec.game
        advice = f'What was found is in quarantine: gamestats query "from {game}.quarantine"'
        if self.done.units and self.done.unreadable >= self.done.units:
            raise NothingLoadedError(
                f"None of the {self.done.units} units of {', '.join(self.done.made[:5])} could be read. {advice}"
            )
        for table, commits in self.done.commits.items():
            rejections = [found for commit in commits for found in commit.rejections]
            is_whole = len(self.step.tables) == 1 and table.spec.replaced_by is None
            if is_whole and rejections and not self._holds_rows(table):
                raise NothingLoadedError(
                    f"{table.spec.dotted}: everything was rejected ({sum(c.rejected_rows for c in commits)} rows). "
                    f"First reason: {rejections[0].reason} {advice}"
                )

    def _holds_rows(self, table: type[Table]) -> bool:
        """Whether a table holds anything in the partitions that were made."""
        state = self.stores.lake.state(table)
        counts = {**state.rows_per_partition, WHOLE: state.rows} if state is not None else {}
        return any(counts.get(key) for key in self.done.made)


def _pieces(table: type[Table], keys: Sequence[str]) -> list[Sequence[str]]:
    """Partitions whose rows are made in one piece.

    Days of names one by one: they are big, and one name is the unit of rows in all of them. So are partitions that are
    replaced whole.
    """
    one_by_one = table.spec.replaced_by is None or is_paired(partitions_of(table))
    return [[key] for key in keys] if one_by_one and partitions_of(table) is not None else [keys]


def _of_keys(table: type[Table], rows: pl.LazyFrame, keys: Collection[str]) -> pl.LazyFrame:
    """The rows of the run's own partitions: a table with wider inputs may make others too."""
    column = table.spec.partitioned_by
    return rows.filter(pl.col(column).is_in(values_of(table, [*keys]))) if column else rows


class _Ahead:
    """What tasks give, in order: while one is committed, which keeps one core busy, the next is computed."""

    def __init__(self, tasks: Sequence[Callable[[], pl.DataFrame]]) -> None:
        self._tasks = [*tasks]
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Iterator[pl.DataFrame]:
        return self._results()

    def _results(self) -> Iterator[pl.DataFrame]:
        begun: Future[pl.DataFrame] | None = None
        for task in self._tasks:
            before, begun = begun, self._pool.submit(task)
            if before is not None:
                yield before.result()
        if begun is not None:
            yield begun.result()

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)
