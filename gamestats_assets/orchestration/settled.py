"""Tables of whole days, of all days, or of names (patches): whether they are as their inputs are now.

Rows of a day may depend on days before.

The ledger of such a table holds for each day a hash of all that its rows were made from, and one of the rows
themselves. What is made from the table looks at the second: a day that was made again with the same rows changes
nothing that follows. So every day can be made in any order and as often as one likes; what is behind is made again, and
where nothing is, the lake is what one run over all days in their order would have made.

A table without days (a history, a profile of every user) has in its ledger, for each day, what it was made from of that
day. Whoever reads it for a day looks at the entries up to that day: what it takes of the table must depend on no later
one.

A table without days may go on from its own rows as they stand (versions of a model): its function takes it as an input,
too. Of the same other inputs it must then give the same rows.

A table by names is made from rows of the name, wherever they stand. What they are, a table without partitions tells
that has a row for each name: it must be another row whenever anything is another that is read of the name's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from weakref import WeakKeyDictionary

import dagster as dg
import duckdb
import polars as pl

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ledger import (
    Ledger,
    combined_hash,
    ledger_of,
    step_version,
)
from gamestats_assets.lakehouse.quality import table_inputs
from gamestats_assets.lakehouse.sql import SqlModel, stream_model
from gamestats_assets.lakehouse.table import PartitionValue, Table, is_day, partition_key_of
from gamestats_assets.orchestration.io_manager import Replacement
from gamestats_assets.orchestration.partitions import DAYS, partitions_of

INPUTS, ROWS = "inputs", "rows"
"""What the ledger's entries of a day are of."""
ALWAYS = "(always)"
"""The ledger's key of what is of no day. By alphabet it comes before every day."""
_BEING_MADE = "(being made)"
ALL_BEFORE = None
"""Of an input, every day up to the day itself."""

Function = Callable[..., pl.LazyFrame]


@dataclass(frozen=True, eq=False)
class Settled:
    """A table that is made again when, and only when, what it is made from is not what it was.

    Attributes:
        made_by: the SELECT, or the pure function of frames.
        reads: each table it is made from, with how many of its days up to the day itself; `ALL_BEFORE` is all of them.
            Of a table without days everything is read; of names, the rows of the name. A ledger that is read stands
            here as the table that it is of.
        upstream: those of the tables it is made from that are settled ones.
        version: version of the code and of the declared columns.
    """

    table: type[Table]
    made_by: SqlModel | Function
    reads: Mapping[type[Table], int | None]
    upstream: tuple[Settled, ...] = field(repr=False)
    version: str = field(repr=False)

    @classmethod
    def of(
        cls,
        table: type[Table],
        made_by: SqlModel | Function,
        known: Mapping[str, type[Table]],
        days_read: Mapping[type[Table], int | None] | None = None,
        code_version: str = "1",
        made: Mapping[type[Table], Settled] | None = None,
        told_by: type[Table] | None = None,
    ) -> Settled:
        """As the model or the annotations of the function tell; a function without inputs gives what never changes.

        Args:
            known: every table a model may name, by `game.table`.
            days_read: days read of inputs of which it is not the same day alone.
            code_version: to be raised when a function gives other rows of the same inputs.
            made: the settled tables that it may be made from.
            told_by: of a table by names, the one that tells of them, where it is not among the inputs.
        """
        if isinstance(made_by, SqlModel):
            sources = [known[name] for name in made_by.dependencies]
            own = combined_hash([made_by.spark_sql])[:8]
        else:
            of_step = {(table.spec.game, table.spec.step): table for table in known.values()}
            ledgers: dict[type[Table], type[Table]] = {ledger_of(*step): source for step, source in of_step.items()}
            # Its own rows are no reason to make it again.
            sources = [ledgers.get(source, source) for source in table_inputs(made_by).values() if source is not table]
            own = code_version
        if told_by is not None and told_by not in sources:
            sources.append(told_by)
        far = days_read or {}
        if unread := [source.spec.dotted for source in far if source not in sources]:
            raise ValueError(f"{table.spec.dotted} does not read {', '.join(unread)}")
        # The number of days is a part of what the rows are.
        spans = [f"{source.spec.key} {days}" for source, days in far.items()]
        version = step_version([table], combined_hash([own, *spans])[:8])
        upstream = tuple(made[source] for source in sources if made and source in made)
        return cls(table, made_by, {source: far.get(source, 1) for source in sources}, upstream, version)

    @property
    def has_days(self) -> bool:
        """Whether the table has a partition for each day."""
        return partitions_of(self.table) == DAYS

    @property
    def by_name(self) -> bool:
        """Whether the table has a partition for each of some names, such as patches."""
        return isinstance(partitions_of(self.table), dg.DynamicPartitionsDefinition)

    @property
    def has_partitions(self) -> bool:
        """Whether the table has days or names."""
        return self.has_days or self.by_name

    def frame(self, source: type[Table], key: str | None, lake: Lake) -> pl.LazyFrame:
        """The rows of an input that a day or a name is made from, or a table without either.

        Args:
            key: as of `days_of`; or the name.
        """
        column = self.table.spec.partitioned_by
        if not self.by_name or key is None or column is None:
            return lake.scan(source, self.days_of(source, key, lake))
        if partitions_of(source) == partitions_of(self.table):
            return lake.scan(source, [key])
        rows = lake.scan(source)
        # What a table without partitions calls so may be something else, such as the patch of a list of items.
        has_rows_of_names = column in source.column_names() and partitions_of(source) is not None
        return rows.filter(pl.col(column) == key) if has_rows_of_names or tells_names(source, column) else rows

    def days_of(self, source: type[Table], up_to: str | None, lake: Lake) -> list[PartitionValue] | None:
        """Which days of an input a day is made from, or a table without days; None where it has none, or all are read.

        Args:
            up_to: the day, or the last one that a table without days may be made from; None is any.
        """
        if partitions_of(source) != DAYS or up_to is None:
            return None
        number = self.reads[source] if self.has_days else ALL_BEFORE
        if number is not None:
            day = date.fromisoformat(up_to)
            return [day - timedelta(days=back) for back in reversed(range(number))]
        state = lake.state(source)
        return [date.fromisoformat(held) for held in (state.rows_per_partition if state else ()) if held <= up_to]

    def wanted(self, contents: Contents) -> dict[str, str]:
        """By day or name, the hash of what the rows are to be made from; by `ALWAYS`, that of what is of neither."""
        if not self.reads:
            return {ALWAYS: self._hash([])}
        if self.by_name:
            told: dict[str, list[str]] = {}
            for source in self.reads:
                for key, found in contents.of_names(source, self.table).items():
                    told.setdefault(key, []).append(f"{source.spec.key} {found}")
            return {key: self._hash(of_key) for key, of_key in told.items()}
        of = {source: contents.of(source) for source in self.reads}
        daily = [source for source in self.reads if partitions_of(source) == DAYS]
        if not self.has_days:
            keys = sorted({key for held in of.values() for key in held})
            return {
                key: self._hash(f"{source.spec.key} {held[key]}" for source, held in of.items() if key in held)
                for key in keys
            }
        days = sorted({day for source in daily for day in of[source]})
        parts: dict[str, list[str]] = {day: [] for day in days}
        for source, number in self.reads.items():
            span = number if source in daily else ALL_BEFORE
            for day, found in _up_to(of[source], days, span).items():
                parts[day].append(f"{source.spec.key} {found}")
        return {day: self._hash(of_day) for day, of_day in parts.items()}

    def _hash(self, parts: Iterable[str]) -> str:
        return combined_hash([*parts, f"code {self.version}"])

    def behind(self, lake: Lake, contents: Contents | None = None) -> dict[str, str]:
        """What is not as it should be: by day (or `ALWAYS`) what it is to be made from; "" where it is to go."""
        wanted = self.wanted(contents or Contents(lake))
        entry = INPUTS if self.has_partitions else ROWS
        done = {key: units.get(entry, "") for key, units in (_entered(lake, self.table) or {}).items()}
        return {key: wanted.get(key, "") for key in sorted({*wanted, *done}) if wanted.get(key) != done.get(key)}

    def waiting(self, contents: Contents, keys: Iterable[str]) -> dict[str, str]:
        """Which days must not be made yet, and why: where they look, a table they are made from is not what it will be.

        Their rows would be wrong until it is, and nobody could tell.
        """
        found: dict[str, str] = {}
        keys = [*keys]
        for source in self.upstream:
            late = contents.late(source)
            if self.by_name:
                # What tells of names is late as a whole.
                for key in keys if late else ():
                    if not source.by_name or key in late:
                        found.setdefault(key, f"It waits for {source.table.spec.dotted}, which is behind.")
                continue
            number = self.reads[source.table] if self.has_days and source.has_days else ALL_BEFORE
            for key in keys if late else ():
                seen = [day for day in _days_up_to(key, number) if day in late] if number else [min(late)]
                if seen and min(seen) <= key:
                    where = f"is behind on {min(seen)}" if is_day(min(seen)) else "must be materialised first"
                    found.setdefault(key, f"It waits for {source.table.spec.dotted}, which {where}.")
        return found

    def held_from(self, contents: Contents) -> str | None:
        """The first day on which a table that it is made from is not what it will be."""
        return min((day for source in self.upstream for day in contents.late(source)), default=None)


_ENTERED: WeakKeyDictionary[Lake, dict[type[Table], tuple[int, dict[str, dict[str, str]]]]] = WeakKeyDictionary()


def _entered(lake: Lake, table: type[Table]) -> Mapping[str, Mapping[str, str]] | None:
    """What the ledger of a table's step holds, if there is one; it is read once in each of its versions.

    Every step of a run looks at the ledgers of all that comes before it.
    """
    spec = table.spec
    version = lake.version(ledger_of(spec.game, spec.step))
    if version is None:
        return None
    known = _ENTERED.setdefault(lake, {})
    if table not in known or known[table][0] != version:
        # What is entered meanwhile is of a later version, and is read again.
        known[table] = version, Ledger(lake, spec.game, spec.step).entries()
    return known[table][1]


class Contents:
    """What tables hold of each day, as hashes; each is looked at once."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[type[Table], dict[str, str]] = {}
        self._late: dict[Settled, frozenset[str]] = {}

    def of(self, table: type[Table]) -> dict[str, str]:
        """By day, the hash of the table's rows; `ALWAYS` of a table that has no days and no ledger."""
        if table not in self._known:
            self._known[table] = self._look(table)
        return self._known[table]

    def of_names(self, source: type[Table], table: type[Table]) -> dict[str, str]:
        """What an input of a table by names holds of each name; nothing of one that does not tell it."""
        column = table.spec.partitioned_by
        if partitions_of(source) == partitions_of(table):
            return self.of(source)
        if column is None or not tells_names(source, column):
            return {}
        if self._lake.version(source) is None:
            return {}
        rows = self._lake.scan(source).collect()
        by_name = rows.partition_by(column, as_dict=True)
        return {key: RowsHash().add_all([of_name]).hexdigest() for (key,), of_name in by_name.items()}

    def late(self, settled: Settled) -> frozenset[str]:
        """Days on which a table is behind, or one that it is made from is where it looks."""
        if settled not in self._late:
            sources = [source for source in settled.upstream if source.by_name or not settled.by_name]
            upstream = {day for source in sources for day in self.late(source)}
            concerned = {*settled.wanted(self), *(day for day in upstream if is_day(day) or not settled.has_days)}
            late = {*settled.behind(self._lake, self), *settled.waiting(self, concerned)}
            self._late[settled] = frozenset(late)
        return self._late[settled]

    def _look(self, table: type[Table]) -> dict[str, str]:
        entries = _entered(self._lake, table)
        if entries is None:
            if partitions_of(table) is not None or self._lake.version(table) is None:
                return {}
            return {ALWAYS: RowsHash().add_all(self._lake.pieces(table)).hexdigest()}
        return {
            key: units.get(ROWS) or combined_hash(f"{unit} {digest}" for unit, digest in units.items())
            for key, units in entries.items()
            if units and key != _BEING_MADE
        }


def tells_names(table: type[Table], column: str) -> bool:
    """Whether a table without partitions has one row for each name."""
    return partitions_of(table) is None and table.primary_key() == [column]


def published_contents(settled: Settled, contents: Contents) -> dict[str, str]:
    """What names the content of each partition of a published table; under "" that of a table without days."""
    held = contents.of(settled.table)
    if settled.has_partitions:
        return held
    return {"": combined_hash(f"{key} {digest}" for key, digest in held.items())} if held else {}


class RowsHash:
    """A hash of rows, whatever their order.

    Another release of polars may hash differently; what is made from the rows is then made once more.
    """

    def __init__(self) -> None:
        self._rows, self._sums = 0, [0, 0]

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Take rows; gives them back."""
        if not rows.is_empty():
            self._rows += rows.height
            self._sums = [(known + int(rows.hash_rows(seed).sum())) % 2**64 for seed, known in enumerate(self._sums)]
        return rows

    def add_all(self, pieces: Iterable[pl.DataFrame]) -> RowsHash:
        """Take the rows of all frames."""
        for piece in pieces:
            self.add(piece)
        return self

    def hexdigest(self) -> str:
        """The hash, with the number of rows."""
        return f"{self._rows:x}-" + "".join(f"{each:016x}" for each in self._sums)


def _up_to(held: Mapping[str, str], days: Sequence[str], number: int | None) -> dict[str, str]:
    """For each of some days, one hash of what is held of so many days up to it."""
    if number == 1:
        return {day: held.get(day, "") for day in days}
    if number is not None:
        return {
            day: combined_hash(f"{each} {held[each]}" for each in _days_up_to(day, number) if each in held)
            for day in days
        }
    # In order, each from the one before: of ten years all pairs of days would take seconds.
    keys = sorted(held)
    chain = [*accumulate(keys, lambda before, key: combined_hash([before, f"{key} {held[key]}"]), initial="")]
    return {day: chain[bisect_right(keys, day)] for day in days}


def _days_up_to(day: str, number: int) -> Iterator[str]:
    last = date.fromisoformat(day)
    for back in range(number):
        yield partition_key_of(last - timedelta(days=back))


def remade(
    settled: Settled,
    lake: Lake,
    keys: Sequence[str],
    *,
    contents: Contents | None = None,
    everything: bool = False,
    session: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]] | None = None,
    tell: Callable[[str], object] = lambda message: None,
) -> Iterator[Replacement]:
    """What is behind of some days or names (of a table without either: of all), made again, one after another.

    Days that wait are left as they are; so is a table without days that holds such a day already. Each is entered in
    the ledger after the next one is asked for: whoever takes it must have committed it by then.

    Args:
        contents: what the inputs hold, if that was looked up just now.
        everything: make all of the days again, behind or not.
        session: gives the DuckDB session of a model; without it one of its own is opened.
        tell: is told how far it is.
    """
    table = settled.table
    ledger = Ledger(lake, table.spec.game, table.spec.step)
    # Before any rows are read: what changes meanwhile is then found to be behind.
    contents = contents or Contents(lake)
    due = settled.behind(lake, contents)
    wanted = settled.wanted(contents) if everything else {}
    days = keys if settled.has_partitions else sorted({*due, *wanted})
    again = {key: wanted.get(key) or due[key] for key in days if key in due or key in wanted}
    tell(f"{len(again)} of {len(keys) or 'all'} days are new or changed.")
    if waits := settled.waiting(contents, again):
        tell(f"{len(waits)} of them stay as they are. {next(iter(waits.values()))}")
        again = {key: digest for key, digest in again.items() if key not in waits}
    # What is left half made is behind, even when what it was to be made from is by then what it was before.
    if not settled.has_partitions:
        held_from = settled.held_from(contents)
        if held_from is not None and any(held_from <= key for key in _entered(lake, table) or ()):
            tell(f"It stays as it is, for it holds days from {held_from} on, where an input is behind.")
        elif again:
            up_to = held_from and max((key for key in settled.wanted(contents) if key < held_from), default=ALWAYS)
            ledger.record({_BEING_MADE: {ROWS: _BEING_MADE}})
            yield Replacement(_made(settled, lake, up_to, session), [])
            gone = [_BEING_MADE, *(key for key, digest in again.items() if not digest)]
            ledger.record(
                {key: {ROWS: digest} for key, digest in again.items() if digest}, {key: [ROWS] for key in gone}
            )
        return
    ledger.record({key: {INPUTS: _BEING_MADE} for key, entries in ledger.entries([*again]).items() if entries})
    with ledger.entering() as enter:
        for number, (key, digest) in enumerate(again.items(), 1):
            if digest:
                rows = RowsHash()
                yield Replacement(map(rows.add, _made(settled, lake, key, session)), [key])
                enter({key: {INPUTS: digest, ROWS: rows.hexdigest()}})
            else:
                yield Replacement(pl.LazyFrame(schema=table.schema()), [key])
                enter({}, {key: [INPUTS, ROWS]})
            tell(f"{number} of {len(again)} days committed.")


def _made(
    settled: Settled,
    lake: Lake,
    up_to: str | None,
    session: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]] | None,
) -> Iterator[pl.DataFrame]:
    """The rows of a day, or of all days up to one, in pieces."""
    made_by = settled.made_by
    if not isinstance(made_by, SqlModel):
        frames = {name: settled.frame(source, up_to, lake) for name, source in table_inputs(made_by).items()}
        yield made_by(**frames).collect(engine="streaming")
        return
    sources = {
        source.spec.dotted: lake.source(source, settled.days_of(source, up_to, lake)) for source in settled.reads
    }
    parameters = {"ds": date.fromisoformat(up_to)} if up_to and settled.has_days and made_by.parameters else {}
    with (session or duckdb.connect)() as connection:
        try:
            yield from stream_model(made_by, sources, parameters, connection=connection)
        finally:
            # Dagster's resource closes the connection only when nothing is raised.
            connection.close()
