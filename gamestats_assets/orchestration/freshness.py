"""Freshness: which partitions of which tables are behind, and why. The one place that decides what is made.

**The rule.** A partition is *behind* when the fingerprint of what it is made from is not the fingerprint that stands
with its last commit. What it is made from is the version of the code and of the declared columns, the rows of the
partitions it reads, the files that landed for it, the rows that people entered. Fingerprints of rows do not depend on
when or how often the rows were made: what gave the same rows again changes nothing downstream.

**The ledger.** Each commit carries these fingerprints in its own metadata (see `lakehouse.ledger`): of every unit (a
match, a log file), and of a partition as a whole once all of it is made and checked. So a run that dies leaves a
partition that is behind, and the next one goes on where it ended.

**Incremental.** A `Step` says what its tables read and how: `by_unit` steps make a match from that match's rows alone,
and make no other match when one is new; all others make a partition whole. Either way only units whose rows are others
are written, and only these are news to whoever reads the table.

**Checks** run in the step of the table that they guard. One that blames a unit sets it aside: its rows go to the
quarantine, and nothing is made of that unit downstream. One that stops a partition keeps everybody from reading it:
what is made from it stays as it was (*held*) until the partition is mended. A partition whose checks nobody evaluated,
since a run died or somebody else wrote it, is checked before anything is made from it.

**Looking is cheap.** A look reads the heads of Delta logs, then the commits that are new; the listing of a landed day
only when its folder changed; one row per table of what people entered.

Who asks: the sensor of each game, `gamestats materialize` and `gamestats tables`, the check `is_up_to_date`, and every
step when it runs, for which the UI's Materialise passes over what is not behind. There is nothing else to know, and no
other place where it is decided: a table's declaration and its builder in the game's `assets.py` say what it reads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import accumulate
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ledger import WHOLE, Ledger, Note, Units, fingerprint, is_set_aside, row_fingerprints
from gamestats_assets.lakehouse.ops import migrate, snapshot, versions
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import PartitionValue, Table
from gamestats_assets.orchestration.landed import landed_inputs
from gamestats_assets.orchestration.partitions import (
    dimensions,
    has_days,
    is_paired,
    is_partition_day,
    key_of_day_before,
    part_of,
    partition_mapping,
    partitions_of,
    shared_dimensions,
    values_of,
)

ALL_BEFORE = None
"""Of an input by day: every day up to the day itself."""
CONSTANT = "(constant)"
"""Of a table without partitions, the part of what it is made from that is of no day; by alphabet before every day."""

_T = TypeVar("_T")
_ENTERED: WeakKeyDictionary[Stores, dict[type[Table], tuple[int, dict[str, str]]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Graph:
    """How the tables of a game are made and checked.

    Attributes:
        steps: by table, the step that makes it.
        checks: by table, the checks that stand on it.
    """

    steps: dict[type[Table], Step] = field(default_factory=dict)
    checks: dict[type[Table], list[Check]] = field(default_factory=dict)

    def stopping(self, table: type[Table]) -> list[Check]:
        """Checks that stop partitions of a table as a whole."""
        return [check for check in self.checks.get(table, ()) if check.blocking and check.unit is None]

    def blaming(self, table: type[Table]) -> list[Check]:
        """Checks that set units of a table aside."""
        return [check for check in self.checks.get(table, ()) if check.blocking and check.unit is not None]


class Look:
    """What tables, the landing zone and people's entries hold; each is looked at once."""

    def __init__(self, stores: Stores, graph: Graph) -> None:
        self.stores, self.graph = stores, graph
        self._seen: dict[object, Any] = {}

    @property
    def lake(self) -> Lake:
        """The lake."""
        return self.stores.lake

    def once(self, what: object, find: Callable[[], _T]) -> _T:
        """What `find` gives, found once."""
        if what not in self._seen:
            self._seen[what] = find()
        return cast(_T, self._seen[what])

    def forget(self, table: type[Table]) -> None:
        """Look at a table once more: something was written."""
        self._seen = {
            what: found for what, found in self._seen.items() if not (isinstance(what, tuple) and table in what)
        }

    def ledger(self, table: type[Table]) -> Ledger:
        """A table's ledger."""
        return self.once(("ledger", table), lambda: self.lake.ledger(table))

    def content(self, table: type[Table]) -> dict[str, str]:
        """By partition, the fingerprint of a table's rows."""
        return self.once(("content", table), lambda: self.ledger(table).content())

    def units(self, table: type[Table], key: str) -> Units:
        """A partition's units; read from its rows where somebody else wrote them."""
        known = self.ledger(table)[key].units
        if known is not None:
            return known

        def read() -> Units:
            rows = self.lake.scan(table, values_of(table, [key]) if table.spec.partitioned_by else None).collect()
            return {unit: ("", content) for unit, content in row_fingerprints(table, rows).get(key, {}).items()}

        return self.once(("units", table, key), read)

    def landed(self, game: str) -> dict[str, dict[str, str]]:
        """By partition key (a day, or a day of an area) and id: one hash of all landed files of the id."""
        return self.once(("landed", game), lambda: landed_inputs(self.stores.landing, game))

    def entered(self, table: type[Table]) -> dict[str, str]:
        """By partition, a fingerprint of the rows of `ops` that a snapshot is taken of; read when somebody wrote."""
        return self.once(("entered", table), lambda: self._entered(table))

    def _entered(self, table: type[Table]) -> dict[str, str]:
        url = self.stores.postgres_url
        known = self.once("changes", lambda: versions(url))
        if not known:
            migrate(url)
        version = known.get(table.spec.name, 0)
        read = _ENTERED.setdefault(self.stores, {})
        if read.get(table, (-1, {}))[0] != version:
            found = row_fingerprints(table, snapshot(url, table))
            keys = found if table.spec.partitioned_by else {WHOLE: found.get(WHOLE, {})}
            read[table] = version, {key: fingerprint(*_flat(units)) for key, units in keys.items()}
        return read[table][1]


class Input(Protocol):
    """Something that partitions are made from."""

    @property
    def name(self) -> str:
        """What it is called when it is why something is behind."""
        ...

    def keys(self, look: Look) -> Iterable[str] | None:
        """Partitions that are there because it holds something for them; None where it has no say."""
        ...

    def digests(self, look: Look) -> Callable[[str], str]:
        """Gives a fingerprint of what a partition reads of it."""
        ...


@dataclass(frozen=True)
class Reads:
    """A table that another is made from, and which partitions of it a partition reads.

    Of the dimensions (day, name) that both have, the same; of those that only the source has, everything.

    Attributes:
        days: of a source by day that is read by day, how many days up to the day itself; `ALL_BEFORE` is all of them.
        ahead: and how many days after it.
    """

    source: type[Table]
    reader: type[Table]
    days: int | None = 1
    ahead: int = 0

    @property
    def name(self) -> str:
        """The table."""
        return self.source.spec.dotted

    @property
    def is_alike(self) -> bool:
        """Whether both have the same partitions, and the same units in them."""
        of = [(table.spec.partitioned_by, table.spec.replaced_by) for table in (self.source, self.reader)]
        return of[0] == of[1] and of[0][1] is not None

    @property
    def is_by_unit(self) -> bool:
        """Whether both have the same units, in whichever partitions."""
        return self.source.spec.replaced_by == self.reader.spec.replaced_by is not None

    @property
    def _spans(self) -> bool:
        own = partitions_of(self.reader)
        return has_days(own) and own == partitions_of(self.source) and (self.days, self.ahead) != (1, 0)

    def mapping(self) -> dg.PartitionMapping | None:
        """As Dagster says which partitions are read."""
        return partition_mapping(self.source, self.reader, days=self.days, ahead=self.ahead)

    def keys(self, look: Look) -> Iterable[str] | None:
        """Partitions whose counterpart in the source was made; a table without any is there if the source is."""
        own, theirs = partitions_of(self.reader), partitions_of(self.source)
        held = look.content(self.source)
        if own is None:
            return [WHOLE] if held else []
        if not {*dimensions(own)} <= {*dimensions(theirs)}:
            return None
        return held.keys() if own == theirs else {"|".join(part_of(theirs, key, dimensions(own))) for key in held}

    def keys_read(self, key: str, look: Look) -> Collection[str] | None:
        """Partitions of the source that a partition reads; None is all of them."""
        own, theirs = partitions_of(self.reader), partitions_of(self.source)
        if theirs is None:
            return [WHOLE]
        shared = shared_dimensions(theirs, own)
        if not shared:
            return None
        if self._spans:
            return self._span(key, look)
        if len(shared) == len(dimensions(theirs)):
            return ["|".join(part_of(own, key, shared))]
        return self._gathered(look, shared).get(part_of(own, key, shared), [])

    def reads_key(self, key: str, theirs: str, look: Look) -> bool:
        """Whether a partition reads one of the source's, be it there yet or not."""
        own, source = partitions_of(self.reader), partitions_of(self.source)
        shared = shared_dimensions(source, own)
        if not shared:
            return True
        if self._spans and self.days is None:
            last = date.fromisoformat(key[:10]) + timedelta(days=self.ahead)
            return theirs[10:] == key[10:] and theirs[:10] <= str(last)
        if self._spans:
            return theirs in self._span(key, look)
        return part_of(own, key, shared) == part_of(source, theirs, shared)

    def _span(self, key: str, look: Look) -> Collection[str]:
        day, bar, name = key.partition("|")
        last = date.fromisoformat(day) + timedelta(days=self.ahead)
        if self.days is None:
            of = bar + name
            return [each for each in sorted(look.content(self.source)) if each.endswith(of) and each[:10] <= str(last)]
        days = (last - timedelta(days=back) for back in reversed(range(self.days + self.ahead)))
        return [f"{each.isoformat()}{bar}{name}" for each in days]

    def _gathered(self, look: Look, shared: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
        """Keys of the source by what they share with the reader's."""

        def gather() -> dict[tuple[str, ...], list[str]]:
            found: dict[tuple[str, ...], list[str]] = {}
            for key in sorted(look.content(self.source)):
                found.setdefault(part_of(partitions_of(self.source), key, shared), []).append(key)
            return found

        return look.once(("gathered", self.source, *shared), gather)

    def digests(self, look: Look) -> Callable[[str], str]:
        """By the rows read; of a table without partitions, a day is made from what it held of the days up to it."""
        held = look.content(self.source)
        if partitions_of(self.source) is None:
            days = look.ledger(self.source).partitions
            if has_days(partitions_of(self.reader)) and CONSTANT in days:
                made = {key: found.made_from for key, found in days.items() if key != WHOLE}
                return _up_to(made)
            return lambda key: held.get(WHOLE, "")
        if not shared_dimensions(partitions_of(self.source), partitions_of(self.reader)):
            everything = fingerprint(*_flat(held))
            return lambda key: everything
        if self._spans and self.days is None and not self.ahead and not is_paired(partitions_of(self.reader)):
            return _up_to(held)

        def read(key: str) -> str:
            keys = self.keys_read(key, look) or ()
            if len(keys) == 1:
                return held.get(next(iter(keys)), "")
            return fingerprint(*_flat({each: held[each] for each in keys if each in held}))

        return read

    def values(self, keys: Iterable[str], look: Look) -> list[PartitionValue] | None:
        """Values of the source's partition column that partitions read; None where all is read."""
        if partitions_of(self.source) is None:
            return None
        found: set[str] = set()
        for key in keys:
            read = self.keys_read(key, look)
            if read is None:
                return None
            found.update(read)
        return values_of(self.source, sorted(found))


def _up_to(held: Mapping[str, str]) -> Callable[[str], str]:
    """Gives for a day one fingerprint of all that is held up to it.

    In order, each from the one before: of ten years all pairs of days would take seconds.
    """
    keys = sorted(held)
    chain = [*accumulate(keys, lambda before, key: fingerprint(before, key, held[key]), initial="")]
    return lambda day: chain[bisect_right(keys, day)]


def _flat(pairs: Mapping[str, str]) -> list[str]:
    return [text for pair in sorted(pairs.items()) for text in pair]


@dataclass(frozen=True)
class Landed:
    """The files that landed for a table's partitions: of days, or of days of areas."""

    table: type[Table]
    name: str = "landed files"

    def units(self, look: Look, key: str) -> Mapping[str, str]:
        """By id, one hash of its landed files, and of those of the day before where rows depend on these too."""
        landed = look.landed(self.table.spec.game)
        of_key = landed.get(key, {})
        before = landed.get(key_of_day_before(key), {}) if self.table.spec.after_day_before else {}
        return {
            unit: fingerprint(digest, before[unit]) if unit in before else digest for unit, digest in of_key.items()
        }

    def keys(self, look: Look) -> Iterable[str]:
        """Days that gained files."""
        paired = is_paired(partitions_of(self.table))
        spec = self.table.spec
        landed = [key for key in look.landed(spec.game) if ("|" in key) == paired]
        return [key for key in landed if is_partition_day(key, spec.first_day)]

    def digests(self, look: Look) -> Callable[[str], str]:
        """By all files of the day."""
        return lambda key: fingerprint(*_flat(self.units(look, key)))


@dataclass(frozen=True)
class Entered:
    """What people enter in `ops`, of which a table takes a snapshot."""

    table: type[Table]
    name: str = "what was entered"

    def keys(self, look: Look) -> Iterable[str]:
        """Names that were entered; a table without partitions is always there."""
        return look.entered(self.table)

    def digests(self, look: Look) -> Callable[[str], str]:
        """By the rows entered."""
        return lambda key: look.entered(self.table).get(key, "")


@dataclass(frozen=True)
class Told:
    """What a function tells of each partition: another text whenever its rows would be others."""

    name: str
    tell: Callable[[Look], Mapping[str, str]] = field(repr=False)

    def _told(self, look: Look) -> Mapping[str, str]:
        return look.once(("told", self), lambda: self.tell(look))

    def keys(self, look: Look) -> Iterable[str]:
        """Those that it tells of."""
        return self._told(look)

    def digests(self, look: Look) -> Callable[[str], str]:
        """What it tells."""
        return lambda key: self._told(look).get(key, "")


def rows_of_names(table: type[Table], column: str) -> Told:
    """A table without partitions that has rows for each name: what stands in a row of the name."""

    def tell(look: Look) -> Mapping[str, str]:
        rows = look.lake.scan(table).collect()
        hashes = rows.select(pl.col(column), digest=rows.hash_rows(seed=7))
        of_names = hashes.drop_nulls(column).group_by(column).agg(pl.col("digest").sort())
        return {str(name): fingerprint(*map(str, found)) for name, found in of_names.iter_rows()}

    return Told(table.spec.dotted, tell)


@dataclass(frozen=True)
class Step:
    """One way of making tables, and what they are made from.

    Attributes:
        tables: the tables that it makes together; of one kind of partitions.
        version: of the code; those of the declared columns are added.
        inputs: what it reads, and tells it to make something.
        also_reads: tables that it reads and that no fingerprint need tell of, for an input does.
        by_unit: whether a unit is made from that unit's rows, and from partitions as a whole, alone.
        names: of a table by names, which there are, where not all inputs by name tell.
    """

    tables: tuple[type[Table], ...]
    version: str
    inputs: tuple[Input, ...]
    also_reads: tuple[type[Table], ...] = ()
    by_unit: bool = False
    names: Told | None = None

    @property
    def table(self) -> type[Table]:
        """The first of its tables."""
        return self.tables[0]

    @property
    def reads(self) -> list[Reads]:
        """Those of its inputs that are tables."""
        return [each for each in self.inputs if isinstance(each, Reads)]

    @property
    def sources(self) -> list[type[Table]]:
        """Every table that it reads."""
        return [*dict.fromkeys([*(each.source for each in self.reads), *self.also_reads])]

    def wanted(self, look: Look) -> dict[str, str]:
        """By partition that is to be there, what it is to be made from: a fingerprint for the code and each input."""
        return look.once(("wanted", self.tables), lambda: self._wanted(look))

    def _wanted(self, look: Look) -> dict[str, str]:
        leads = [self.names.keys(look)] if self.names else [each.keys(look) for each in self.inputs]
        keys = {key for of in leads if of is not None for key in of} if self.inputs else {WHOLE}
        digests = [self._digests(each, look) for each in self.inputs]
        code = fingerprint(self.version)
        return {key: ".".join([code, *(digest(key) for digest in digests)]) for key in sorted(keys)}

    def _digests(self, read: Input, look: Look) -> Callable[[str], str]:
        """As the input's own; of units that stand in other partitions, by those that this partition has."""
        if not (self.by_unit and isinstance(read, Reads) and read.is_by_unit and not read.is_alike):
            return read.digests(look)
        alike = [each.source for each in self.reads if each.is_alike]

        def of_units(key: str) -> str:
            everywhere = _units_everywhere(look, read.source)
            units = {unit for source in alike for unit in look.units(source, key)}
            return fingerprint(*_flat({unit: everywhere[unit] for unit in units if unit in everywhere}))

        return of_units

    def behind(self, look: Look) -> dict[str, str]:
        """By partition that is behind, why it is."""
        return look.once(("behind", self.tables), lambda: self._behind(look))

    def _behind(self, look: Look) -> dict[str, str]:
        wanted, found = self.wanted(look), dict[str, str]()
        for table in self.tables:
            held = look.ledger(table).partitions
            keys = held if partitions_of(table) is not None else [WHOLE] if WHOLE in held else []
            for key in (*wanted, *(key for key in keys if key not in wanted)):
                made_from = held[key].made_from if key in held else ""
                if key not in found and made_from != wanted.get(key, ""):
                    found[key] = self._why(look, key, made_from, wanted.get(key))
                elif key not in wanted and held[key].units and key not in found:
                    found[key] = "what it was made from is gone"
        return dict(sorted(found.items()))

    def _why(self, look: Look, key: str, made_from: str, wanted: str | None) -> str:
        if wanted is None:
            return "what it was made from is gone"
        before, now = made_from.split("."), wanted.split(".")
        if made_from and before[0] != now[0]:
            return "code version"
        landed = [each for each in self.inputs if isinstance(each, Landed)]
        if landed and (not made_from or before[1] != now[1]):
            return self._what_landed(look, key)
        if len(before) != len(now):
            return "new" if all(look.ledger(table)[key].units == {} for table in self.tables) else "begun, not finished"
        pairs = zip(self.inputs, before[1:], now[1:], strict=True)
        return ", ".join(f"{each.name} changed" for each, was, new in pairs if was != new)

    def _what_landed(self, look: Look, key: str) -> str:
        if not self.by_unit:
            return "files landed"
        wanted, _ = self.unit_inputs(look, key)
        held = look.ledger(self.table)[key].units or {}
        new = sum(held.get(unit, ("",))[0] != made_from for unit, made_from in wanted.items())
        unit = str(self.table.spec.replaced_by).removesuffix("_id")
        plural = f"{unit}es" if unit.endswith("ch") else f"{unit}s"
        if new:
            return f"{new} {unit if new == 1 else plural} landed"
        return "files are gone" if held.keys() - wanted.keys() else "begun, not finished"

    def unit_inputs(self, look: Look, key: str) -> tuple[dict[str, str], dict[str, str]]:
        """Of a step by unit: by unit of a partition what it is to be made from; those set aside, with the check."""
        code = fingerprint(self.version)
        landed = [each for each in self.inputs if isinstance(each, Landed)]
        if landed:
            return {unit: fingerprint(code, digest) for unit, digest in landed[0].units(look, key).items()}, {}
        alike = [each for each in self.reads if each.is_alike]
        elsewhere = [
            _units_everywhere(look, each.source) for each in self.reads if each.is_by_unit and not each.is_alike
        ]
        common = [each.digests(look)(key) for each in self.inputs if not (isinstance(each, Reads) and each.is_by_unit)]
        held = [look.units(each.source, key) for each in alike]
        wanted: dict[str, str] = {}
        aside: dict[str, str] = {}
        for unit in sorted({unit for units in held for unit in units}):
            rows = [units[unit][1] if unit in units else "" for units in held]
            rows += [found.get(unit, "") for found in elsewhere]
            wanted[unit] = fingerprint(code, *common, *rows)
            if blamed := [each[1:] for each in rows if is_set_aside(each)]:
                aside[unit] = blamed[0]
        return wanted, aside

    def made_of_days(self, look: Look) -> dict[str, str]:
        """Of a table without partitions: by day, what it is made from of that day; by `CONSTANT` the rest.

        Whoever reads it for a day looks at the days up to that one: what it takes of the table must depend on no later.
        """
        if partitions_of(self.table) is not None or not any(
            has_days(partitions_of(each.source)) for each in self.reads
        ):
            return {}
        of_days: dict[str, list[str]] = {CONSTANT: [self.version]}
        for each in self.reads:
            held: Mapping[str, str] = look.content(each.source)
            if partitions_of(each.source) is None:
                made = {key: found.made_from for key, found in look.ledger(each.source).partitions.items() if key}
                held = made or {CONSTANT: held.get(WHOLE, "")}
            for key, digest in held.items():
                of_days.setdefault(key, []).append(f"{each.name} {digest}")
        return {key: fingerprint(*sorted(parts)) for key, parts in of_days.items()}


def _units_everywhere(look: Look, table: type[Table]) -> Mapping[str, str]:
    """By unit, a fingerprint of its rows in all partitions; of one that is set aside, what stands for them."""

    def gather() -> Mapping[str, str]:
        found: dict[str, list[str]] = {}
        for key in sorted(look.ledger(table).partitions):
            for unit, (_, rows) in look.units(table, key).items():
                found.setdefault(unit, []).append(rows)
        return {
            unit: next((each for each in rows if is_set_aside(each)), rows[0] if len(rows) == 1 else fingerprint(*rows))
            for unit, rows in found.items()
        }

    return look.once(("everywhere", table), gather)


def finished(step: Step, look: Look, keys: Collection[str], note: Note) -> Note:
    """The note at the end of a step: what partitions are made from as a whole, besides which checks they break."""
    wanted = step.wanted(look)
    made_from = {key: wanted.get(key, "") for key in keys}
    if WHOLE in keys:
        made_from |= step.made_of_days(look)
    return replace(note, made_from=made_from)


# --------------------------------------------------------------------------- what may not be read


def guarded_together(look: Look, table: type[Table]) -> Sequence[type[Table]]:
    """The table with those that its checks speak for too: of a day's files that are read as one, all is of the day."""
    step = look.graph.steps.get(table)
    if step is None or step.by_unit or not any(isinstance(each, Landed) for each in step.inputs):
        return [table]
    return step.tables


def failed(look: Look, table: type[Table], key: str) -> str | None:
    """Why a partition must not be read, in words: the first check that stops it."""
    for each in guarded_together(look, table):
        found = look.ledger(each).partitions.get(key)
        if found is not None and found.failed:
            name, message = next(iter(found.failed.items()))
            return f"{each.spec.dotted} breaks the check {name!r} in {key or 'the table'}: {message}"
    return None


def held(look: Look, step: Step, key: str) -> str | None:
    """Why a partition must stay as it is: something that it reads breaks a check, or is held itself."""
    return look.once(("held", step.tables, key), lambda: _held(look, step, key))


def _held(look: Look, step: Step, key: str) -> str | None:
    for reads in step.reads:
        if is_unmade(look, reads.source):
            return f"It waits for {reads.name}, which must be materialised first."
        if (day := held_from(look, reads)) is not None and (not _has_day(key) or day <= key):
            # Of a table without partitions, days before the one that it waits for may be read.
            return f"It waits for {reads.name}, which is behind" + (f" on {day}." if day != CONSTANT else ".")
        for each, why in _kept_back(look, reads.source).items():
            if reads.reads_key(key, each, look):
                return why
    return None


def is_unmade(look: Look, table: type[Table]) -> bool:
    """Whether a table without partitions was never made, and is to be."""
    step = look.graph.steps.get(table)
    if step is None or partitions_of(table) is not None or WHOLE in look.ledger(table).partitions:
        return False
    return WHOLE in step.wanted(look)


def _has_day(key: str) -> bool:
    return key != WHOLE


def _kept_back(look: Look, table: type[Table]) -> Mapping[str, str]:
    """Partitions of a table that must not be read, and why: they break a check, or are held and behind."""
    # Mostly nothing fails anywhere, and then nobody need look at what is behind.
    if not look.once("failing", lambda: any(_fails(look, each) for each in look.graph.checks)):
        return {}

    def find() -> Mapping[str, str]:
        found = {key: why for key in look.ledger(table).partitions if (why := failed(look, table, key)) is not None}
        step = look.graph.steps.get(table)
        if step is not None and partitions_of(table) is not None:
            for key in step.behind(look):
                if key not in found and (why := held(look, step, key)) is not None:
                    found[key] = why
        return found

    return look.once(("kept back", table), find)


def _fails(look: Look, table: type[Table]) -> bool:
    return any(found.failed for found in look.ledger(table).partitions.values())


def held_from(look: Look, reads: Reads) -> str | None:
    """Of a source without partitions that is held: the first day on which it is not what it is to be."""
    step = look.graph.steps.get(reads.source)
    if step is None or partitions_of(reads.source) is not None:
        return None

    def find() -> str | None:
        if not step.behind(look) or held(look, step, WHOLE) is None:
            return None
        recorded = {key: found.made_from for key, found in look.ledger(reads.source).partitions.items()}
        wanted = step.made_of_days(look)
        return min((day for day, made_from in wanted.items() if recorded.get(day) != made_from), default=None)

    return look.once(("held from", reads.source), find)


def makes_before(look: Look, step: Step) -> str | None:
    """Of a held step without partitions: it can be made of the days before this one, as it is not yet.

    None where that gains nothing, or would lose later days that it was made from.
    """
    day = _readable_before(look, step)
    made = {key: found.made_from for key, found in look.ledger(step.table).partitions.items()}
    if day is None or any(key >= day for key in made):
        return None
    wanted = {key: digest for key, digest in step.made_of_days(look).items() if key < day}
    is_made = made.get(WHOLE) == days_before(day) and all(made.get(key) == digest for key, digest in wanted.items())
    return None if is_made or not wanted.keys() - {CONSTANT} else day


def days_before(day: str) -> str:
    """What stands in the ledger of a table without partitions that is made of the days before one alone."""
    return f"days before {day}"


def _readable_before(look: Look, step: Step) -> str | None:
    """The first day that it must not read; None where that is no matter of days."""
    days = {
        key for reads in step.reads for key in _kept_back(look, reads.source) if has_days(partitions_of(reads.source))
    }
    days |= {day for reads in step.reads if (day := held_from(look, reads)) is not None}
    return min(days, default=None)


def aside_of(look: Look, step: Step, keys: Iterable[str]) -> dict[str, set[str]]:
    """By column of units: those of what partitions read that are set aside; of pairs the unit is the pair."""
    found: dict[str, set[str]] = {}
    for reads in step.reads:
        unit, pair = reads.source.spec.replaced_by, is_paired(partitions_of(reads.source))
        if unit is None:
            continue
        ledger = look.ledger(reads.source).partitions
        for key in keys:
            read = reads.keys_read(key, look)
            for each in ledger if read is None else read:
                if each in ledger and (aside := ledger[each].set_aside):
                    column = str(reads.source.spec.partitioned_by) if pair else unit
                    found.setdefault(column, set()).update([each] if pair else aside)
    return found


def without(frame: pl.LazyFrame, source: type[Table], aside: Mapping[str, Collection[str]]) -> pl.LazyFrame:
    """Rows of a table without those of units that are set aside; by column of units."""
    for column, units in aside.items():
        if units and column in source.column_names():
            frame = frame.filter(~pl.col(column).is_in([*units]) | pl.col(column).is_null())
    return frame
