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

Who asks: the sensor `behind`, `gamestats materialize` and `gamestats tables`, the check `is_up_to_date`, and every
step when it runs, for which the UI's Materialise passes over what is not behind. There is nothing else to know, and no
other place where it is decided: a table's declaration and its builder in the game's `assets.py` say what it reads.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.ledger import WHOLE, Ledger, Units, fingerprint, is_set_aside, row_fingerprints
from gamestats_assets.lakehouse.ops import migrate, snapshot, versions
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import PartitionValue, Table
from gamestats_assets.orchestration.landed import landed_hashes
from gamestats_assets.orchestration.partitions import (
    DAY,
    dimensions,
    has_days,
    is_paired,
    is_partition_day,
    part_of,
    partitions_of,
    shared_dimensions,
    values_of,
)

if TYPE_CHECKING:
    from gamestats_assets.orchestration.making import Produce

BATCH = 200
"""Units made and committed together, unless a step says otherwise: bounds memory to about 2 GB."""
ALL_BEFORE = None
"""Of an input by day: every day up to the day itself."""
CONSTANT = "(constant)"
"""Of a table without partitions, the part of what it is made from that is of no day; by alphabet before every day."""
PASSED_ON = "(passed on)"
"""As `CONSTANT`, for who reads the table by day: as it was when a change of it last gave the table other rows."""

# More days than there are partitions of.
_EVERY_DAY = 10_000
_P = ParamSpec("_P")
_T = TypeVar("_T")
_ENTERED: WeakKeyDictionary[Stores, dict[type[Table], tuple[int, dict[str, str]]]] = WeakKeyDictionary()
_ROWS_BY: WeakKeyDictionary[Stores, dict[tuple[type[Table], str], tuple[str, dict[str, str]]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Graph:
    """How the tables of a game are made and checked.

    Attributes:
        steps: by table, the step that makes it.
        checks: by table, the checks that stand on it.
    """

    steps: dict[type[Table], Step] = field(default_factory=dict)
    checks: dict[type[Table], list[Check]] = field(default_factory=dict)


def once(find: Callable[_P, _T]) -> Callable[_P, _T]:
    """A function of a look, and of what else it is given, that each look calls once with the same."""

    @functools.wraps(find)
    def found(*given: _P.args, **named: _P.kwargs) -> _T:
        look = next(each for each in given if isinstance(each, Look))
        known, what = look.known, (find, *(each for each in given if each is not look))
        if what not in known:
            known[what] = find(*given, **named)
        return known[what]

    return found


class Look:
    """What tables, the landing zone and people's entries hold; each is looked at once.

    Args:
        counted: count what is published, too, so that rows that somebody took out of PostgreSQL are missed.
        only: by dimension, the partitions that are asked about of what has no other dimension; without one, all. Of ten
            thousand players it is not looked at who is behind when it is asked of one.
    """

    def __init__(
        self,
        stores: Stores,
        graph: Graph,
        *,
        counted: bool = False,
        only: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.stores, self.graph, self.counted, self.only = stores, graph, counted, only or {}
        self.lake = stores.lake
        self.known: dict[object, Any] = {}

    @once
    def ledger(self, table: type[Table]) -> Ledger:
        """A table's ledger."""
        return self.lake.ledger(table)

    def asked(self, table: type[Table]) -> Collection[str] | None:
        """The partitions that are asked about; None: all."""
        own = dimensions(partitions_of(table))
        return self.only.get(own[0]) if len(own) == 1 else None

    @once
    def content(self, table: type[Table]) -> dict[str, str]:
        """By partition, the fingerprint of a table's rows."""
        return self.ledger(table).content()

    def made_from(self, table: type[Table]) -> dict[str, str]:
        """By partition, the fingerprint of what it was made from."""
        return {key: found.made_from for key, found in self.ledger(table).partitions.items()}

    @once
    def units(self, table: type[Table], key: str) -> Units:
        """A partition's units; read from its rows where somebody else wrote them."""
        known = self.ledger(table)[key].units
        if known is not None:
            return known
        rows = self.lake.scan(table, values_of(table, [key])).collect()
        return {unit: ("", content) for unit, content in row_fingerprints(table, rows).get(key, {}).items()}

    @once
    def units_everywhere(self, table: type[Table]) -> Mapping[str, str]:
        """By unit, a fingerprint of its rows in all partitions; of one that is set aside, what stands for them."""
        found: dict[str, list[str]] = {}
        for key in sorted(self.ledger(table).partitions):
            for unit, (_, rows) in self.units(table, key).items():
                found.setdefault(unit, []).append(rows)
        return {
            unit: next((each for each in rows if is_set_aside(each)), rows[0] if len(rows) == 1 else fingerprint(*rows))
            for unit, rows in found.items()
        }

    @once
    def _landed(self, game: str) -> dict[str, dict[str, str]]:
        return landed_hashes(self.stores.landing, game)

    @once
    def landed(self, table: type[Table]) -> dict[str, dict[str, str]]:
        """By partition (a day, or a day of an area) and id: one hash of all landed files of the id.

        With it those of the day before, where rows depend on these too.
        """
        files, spec, paired = self._landed(table.spec.game), table.spec, is_paired(partitions_of(table))
        keys = [key for key in files if ("|" in key) == paired and is_partition_day(key, spec.first_day)]
        if not spec.after_day_before:
            return {key: files[key] for key in keys}
        found: dict[str, dict[str, str]] = {}
        for key in keys:
            day, bar, name = key.partition("|")
            before = files.get(f"{date.fromisoformat(day) - timedelta(days=1)}{bar}{name}", {})
            found[key] = {
                unit: fingerprint(digest, before[unit]) if unit in before else digest
                for unit, digest in files[key].items()
            }
        return found

    @once
    def _entered_versions(self) -> Mapping[str, int]:
        url = self.stores.postgres_url
        known = versions(url)
        if not known:
            migrate(url)
        return known

    @once
    def entered(self, table: type[Table]) -> dict[str, str]:
        """By partition, a fingerprint of the rows of `ops` that a snapshot is taken of; read when somebody wrote."""
        version = self._entered_versions().get(table.spec.name, 0)
        read = _ENTERED.setdefault(self.stores, {})
        if read.get(table, (-1, {}))[0] != version:
            found = row_fingerprints(table, snapshot(self.stores.postgres_url, table))
            keys = found if table.spec.partitioned_by else {WHOLE: found.get(WHOLE, {})}
            read[table] = version, {key: fingerprint(*_flat(units)) for key, units in keys.items()}
        return read[table][1]


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
        """As Dagster says which partitions are read; None is its own rule: the same, or all where one has none."""
        source, own = partitions_of(self.source), partitions_of(self.reader)
        if source is None or own is None:
            return None
        shared = shared_dimensions(source, own)
        if not shared:
            return dg.AllPartitionMapping()
        if source != own and not (is_paired(source) and is_paired(own)):
            return dg.MultiToSingleDimensionPartitionMapping(shared[0])
        if source != own:
            return dg.MultiPartitionMapping({DAY: dg.DimensionPartitionMapping(DAY, dg.IdentityPartitionMapping())})
        if not self._spans:
            return None
        around = dg.TimeWindowPartitionMapping(
            start_offset=1 - (self.days or _EVERY_DAY),
            end_offset=self.ahead,
            allow_nonexistent_upstream_partitions=True,
        )
        if not is_paired(own):
            return around
        _, name = shared
        same = dg.DimensionPartitionMapping(name, dg.IdentityPartitionMapping())
        return dg.MultiPartitionMapping({DAY: dg.DimensionPartitionMapping(DAY, around), name: same})

    def keys(self, look: Look) -> Iterable[str] | None:
        """Partitions whose counterpart in the source was made; a table without any is there if the source is.

        None where the source has no say.
        """
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
        return self._of_shared(look, tuple(shared)).get(part_of(own, key, shared), [])

    def _span(self, key: str, look: Look) -> Collection[str]:
        day, bar, name = key.partition("|")
        last = date.fromisoformat(day) + timedelta(days=self.ahead)
        if self.days is None:
            known = known_keys(look, self.source)
            return [each for each in known if each.endswith(bar + name) and each[:10] <= str(last)]
        days = (last - timedelta(days=back) for back in reversed(range(self.days + self.ahead)))
        return [f"{each.isoformat()}{bar}{name}" for each in days]

    @once
    def _of_shared(self, look: Look, shared: tuple[str, ...]) -> dict[tuple[str, ...], list[str]]:
        """Keys of the source by what they share with the reader's."""
        found: dict[tuple[str, ...], list[str]] = {}
        for key in known_keys(look, self.source):
            found.setdefault(part_of(partitions_of(self.source), key, shared), []).append(key)
        return found

    def digests(self, look: Look) -> Callable[[str], str]:
        """Gives a fingerprint of the rows that a partition reads.

        Of a table without partitions, a day is made from what it held of the days up to it.
        """
        held = look.content(self.source)
        if partitions_of(self.source) is None:
            of_days = look.made_from(self.source)
            if has_days(partitions_of(self.reader)) and CONSTANT in of_days:
                constant = of_days.get(PASSED_ON, of_days[CONSTANT])
                days = {day: made for day, made in of_days.items() if day not in (WHOLE, PASSED_ON)}
                return _up_to({**days, CONSTANT: constant})
            return lambda key: held.get(WHOLE, "")
        if not shared_dimensions(partitions_of(self.source), partitions_of(self.reader)):
            everything = fingerprint(*_flat(held))
            return lambda key: everything
        if self._spans and self.days is None and not self.ahead and not is_paired(partitions_of(self.reader)):
            return _up_to(held)

        def read(key: str) -> str:
            return fingerprint(*_flat({each: held[each] for each in self.keys_read(key, look) or () if each in held}))

        return read

    def values(self, keys: Iterable[str], look: Look) -> list[PartitionValue] | None:
        """Values of the source's partition column that partitions read; None where all is read."""
        found: set[str] = set()
        for key in keys:
            read = self.keys_read(key, look)
            if read is None:
                return None
            found.update(read)
        return values_of(self.source, sorted(found))


@once
def known_keys(look: Look, table: type[Table]) -> Sequence[str]:
    """Partitions of a table that are there, or would be if no check kept them back."""
    return sorted({*look.ledger(table).partitions, *_kept_back(look, table)})


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
class Fingerprints:
    """Whatever else a table is made from: by partition that is to be there, a fingerprint of it.

    Attributes:
        name: what it is, in words.
        find: gives the fingerprints.
        told: what of it has changed, in words, where more can be said than its name.
    """

    name: str
    find: Callable[[Look], Mapping[str, str]]
    told: Callable[[Look], str] | None = None

    @once
    def keys(self, look: Look) -> Mapping[str, str]:
        """The fingerprints, by partition."""
        return self.find(look)

    def digests(self, look: Look) -> Callable[[str], str]:
        """Gives the fingerprint of a partition."""
        found = self.keys(look)
        return lambda key: found.get(key, "")


def landed(table: type[Table]) -> Fingerprints:
    """The files that landed for a table's partitions: of days, or of days of areas."""
    return Fingerprints(
        "landed files",
        lambda look: {key: fingerprint(*_flat(units)) for key, units in look.landed(table).items()},
    )


def names_in(table: type[Table], column: str) -> Fingerprints:
    """The values of a column of a table, as the partitions that there are of a table by names."""

    def find(look: Look) -> Mapping[str, str]:
        held = look.lake.scan(table).select(column).drop_nulls().unique().collect().to_series()
        return dict.fromkeys(sorted(held), "")

    return Fingerprints(table.spec.dotted, find)


def rows_by(table: type[Table], column: str) -> Fingerprints:
    """A table without partitions that has rows for each name: what stands in the rows of the name."""

    def find(look: Look) -> Mapping[str, str]:
        # Read when the rows are others than they were, as with what people entered.
        held, read = look.content(table).get(WHOLE, ""), _ROWS_BY.setdefault(look.stores, {})
        if (table, column) not in read or read[table, column][0] != held:
            rows = look.lake.scan(table).collect()
            hashes = rows.select(pl.col(column), digest=rows.hash_rows(seed=7))
            of_names = hashes.drop_nulls(column).group_by(column).agg(pl.col("digest").sort())
            found = {str(name): fingerprint(*map(str, digests)) for name, digests in of_names.iter_rows()}
            read[table, column] = held, found
        return read[table, column][1]

    return Fingerprints(table.spec.dotted, find)


@dataclass(frozen=True, eq=False)
class Step:
    """One way of making tables, and what they are made from.

    Attributes:
        tables: the tables that it makes together; of one kind of partitions.
        version: of the code; those of the declared columns are added.
        inputs: what it reads, whose changes make it stale.
        produce: makes the rows of batches.
        also_reads: tables that it reads besides, whose changes another input shows.
        by_unit: whether a unit is made from that unit's rows, and from partitions as a whole, alone.
        names: of a table by names, which there are, where no input says so.
        landed: whether it reads landed files, and nothing else.
        deps: assets that are no tables of it and must come first.
        at_once: units made and committed together.
        together: whether partitions that are made whole are made all together.
    """

    tables: tuple[type[Table], ...]
    version: str
    inputs: tuple[Reads | Fingerprints, ...]
    produce: Produce
    also_reads: tuple[type[Table], ...] = ()
    by_unit: bool = False
    names: Fingerprints | None = None
    landed: bool = False
    deps: tuple[dg.AssetKey, ...] = ()
    at_once: int = BATCH
    together: bool = False

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

    @once
    def wanted(self, look: Look) -> dict[str, str]:
        """By partition that is to be there, what it is to be made from: a fingerprint for the code and each input."""
        leads = [self.names.keys(look)] if self.names else [each.keys(look) for each in self.inputs]
        keys = {key for of in leads if of is not None for key in of} if self.inputs else {WHOLE}
        keys = keys if (asked := self._asked(look)) is None else keys & {*asked}
        digests = [self._digests(each, look) for each in self.inputs]
        code = fingerprint(self.version)
        return {key: ".".join([code, *(digest(key) for digest in digests)]) for key in sorted(keys)}

    def _asked(self, look: Look) -> Collection[str] | None:
        """The partitions that are asked about; None: all. Days read others, of which it matters how they are."""
        return None if has_days(partitions_of(self.table)) else look.asked(self.table)

    def _digests(self, read: Reads | Fingerprints, look: Look) -> Callable[[str], str]:
        """As the input's own; of units that stand in other partitions, by those that this partition has."""
        if not (self.by_unit and isinstance(read, Reads) and read.is_by_unit and not read.is_alike):
            return read.digests(look)
        alike = [each.source for each in self.reads if each.is_alike]

        def of_units(key: str) -> str:
            everywhere = look.units_everywhere(read.source)
            units = {unit for source in alike for unit in look.units(source, key)}
            return fingerprint(*_flat({unit: everywhere[unit] for unit in units if unit in everywhere}))

        return of_units

    @once
    def behind(self, look: Look) -> dict[str, str]:
        """By partition that is behind, why it is."""
        wanted, found, asked = self.wanted(look), dict[str, str](), self._asked(look)
        for table in self.tables:
            held = look.ledger(table).partitions
            keys = held.keys() if partitions_of(table) is not None else held.keys() & {WHOLE}
            keys = keys if asked is None else keys & {*asked}
            for key in (wanted.keys() | keys) - found.keys():
                made_from = held[key].made_from if key in held else ""
                if made_from != wanted.get(key, "") or (key not in wanted and held[key].units):
                    found[key] = self._why(look, key, made_from, wanted.get(key))
        return dict(sorted(found.items()))

    def _why(self, look: Look, key: str, made_from: str, wanted: str | None) -> str:
        if wanted is None:
            return "what it was made from is gone"
        before, now = made_from.split("."), wanted.split(".")
        if made_from and before[0] != now[0]:
            return "code version"
        if self.landed and (not made_from or before[1] != now[1]):
            return self._what_landed(look, key)
        if len(before) != len(now):
            return "new" if all(look.ledger(table)[key].units == {} for table in self.tables) else "begun, not finished"
        pairs = zip(self.inputs, before[1:], now[1:], strict=True)
        changed = [each for each, was, new in pairs if was != new]
        return ", ".join(
            each.told(look) if isinstance(each, Fingerprints) and each.told else f"{each.name} changed"
            for each in changed
        )

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
        if self.landed:
            of_key = look.landed(self.table).get(key, {})
            return {unit: fingerprint(code, digest) for unit, digest in of_key.items()}, {}
        alike = [each for each in self.reads if each.is_alike]
        elsewhere = [look.units_everywhere(each.source) for each in self.reads if each.is_by_unit and not each.is_alike]
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
                made_from = look.made_from(each.source)
                of_source = {day: made for day, made in made_from.items() if day not in (WHOLE, PASSED_ON)}
                held = of_source or {CONSTANT: held.get(WHOLE, "")}
            for key, digest in held.items():
                of_days.setdefault(key, []).append(f"{each.name} {digest}")
        return {key: fingerprint(*sorted(parts)) for key, parts in of_days.items()}


# --------------------------------------------------------------------------- what may not be read


def guarded_together(look: Look, table: type[Table]) -> Sequence[type[Table]]:
    """The table with those that its checks guard, too: all that is read together from the files of a day."""
    step = look.graph.steps.get(table)
    return [table] if step is None or step.by_unit or not step.landed else step.tables


def failed(look: Look, table: type[Table], key: str) -> str | None:
    """Why a partition must not be read, in words: the first check that stops it."""
    for each in guarded_together(look, table):
        found = look.ledger(each).partitions.get(key)
        if found is not None and found.failed:
            name, message = next(iter(found.failed.items()))
            return f"{each.spec.dotted} breaks the check {name!r} in {key or 'the table'}: {message}"
    return None


@once
def held(look: Look, step: Step, key: str) -> str | None:
    """Why a partition must stay as it is: something that it reads breaks a check, or is held itself."""
    for reads in step.reads:
        if is_unmade(look, reads.source):
            return f"It waits for {reads.name}, which must be materialised first."
        if (day := held_from(look, reads.source)) is not None and (key == WHOLE or day <= key):
            # Of a table without partitions, days before the one that it waits for may be read.
            return f"It waits for {reads.name}, which is behind" + (f" on {day}." if day != CONSTANT else ".")
        if kept_back := _kept_back(look, reads.source):
            read = reads.keys_read(key, look)
            if why := next((why for each, why in kept_back.items() if read is None or each in read), None):
                return why
    return None


def is_unmade(look: Look, table: type[Table]) -> bool:
    """Whether a table without partitions was never made, and is to be."""
    step = look.graph.steps.get(table)
    if step is None or partitions_of(table) is not None or WHOLE in look.ledger(table).partitions:
        return False
    return WHOLE in step.wanted(look)


@once
def _kept_back(look: Look, table: type[Table]) -> Mapping[str, str]:
    """Partitions of a table that must not be read, and why: they break a check, or are held and behind."""
    # Mostly nothing fails anywhere, and then nobody need look at what is behind.
    if not _anything_fails(look):
        return {}
    found = {key: why for key in look.ledger(table).partitions if (why := failed(look, table, key)) is not None}
    step = look.graph.steps.get(table)
    if step is not None and partitions_of(table) is not None:
        for key in step.behind(look):
            if key not in found and (why := held(look, step, key)) is not None:
                found[key] = why
    return found


@once
def _anything_fails(look: Look) -> bool:
    return any(found.failed for table in look.graph.checks for found in look.ledger(table).partitions.values())


@once
def held_from(look: Look, table: type[Table]) -> str | None:
    """Of a table without partitions that is held: the first day on which it is not what it is to be."""
    step = look.graph.steps.get(table)
    if step is None or partitions_of(table) is not None or not step.behind(look) or held(look, step, WHOLE) is None:
        return None
    recorded, wanted = look.made_from(table), step.made_of_days(look)
    return min((day for day, made_from in wanted.items() if recorded.get(day) != made_from), default=None)


def makes_before(look: Look, step: Step) -> str | None:
    """Of a held step without partitions: it can be made of the days before this one, as it is not yet.

    None where that gains nothing, or would lose later days that it was made from.
    """
    sources = [each.source for each in step.reads]
    days = [day for source in sources if (day := held_from(look, source)) is not None]
    days += [key for source in sources if has_days(partitions_of(source)) for key in _kept_back(look, source)]
    day, made = min(days, default=""), look.made_from(step.table)
    if not day or any(key >= day for key in made):
        return None
    wanted = {key: digest for key, digest in step.made_of_days(look).items() if key < day}
    is_made = made.get(WHOLE) == days_before(day) and all(made.get(key) == digest for key, digest in wanted.items())
    return None if is_made or not wanted.keys() - {CONSTANT} else day


def days_before(day: str) -> str:
    """What stands in the ledger of a table without partitions that is made of the days before one alone."""
    return f"days before {day}"


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
