"""Inputs of tables: other tables (`Reads`), and anything else with fingerprints (`Fingerprints`)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from weakref import WeakKeyDictionary

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta.ledger import WHOLE, fingerprint, mapping_fingerprint
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import PartitionValue, Table
from gamestats_assets.orchestration.freshness.blocking import known_keys
from gamestats_assets.orchestration.freshness.snapshot import CONSTANT, PASSED_ON, Snapshot, cached_in_snapshot
from gamestats_assets.orchestration.partitions import (
    DAY,
    dimensions,
    has_days,
    is_paired,
    part_of,
    partitions_of,
    shared_dimensions,
    values_of,
)

ALL_BEFORE = None
"""Number of days that an input by day is read for: every day up to the day itself."""
# More days than there are partitions.
_EVERY_DAY = 10_000
_ROWS_BY: WeakKeyDictionary[Stores, dict[tuple[type[Table], str], tuple[str, dict[str, str]]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Reads:
    """A table that another reads, and which of its partitions each partition reads.

    In dimensions (day, name) that both tables have, a partition reads the same key; in those that only the source has,
    it reads everything.

    Attributes:
        days: if both are by day, how many days are read up to the day itself; `ALL_BEFORE` means all of them.
        ahead: how many days are read after it.
    """

    source: type[Table]
    reader: type[Table]
    days: int | None = 1
    ahead: int = 0

    @property
    def name(self) -> str:
        """Name of the source table."""
        return self.source.spec.dotted

    @property
    def is_aligned(self) -> bool:
        """Whether both tables have the same partitions with the same units in them."""
        source, reader = ((table.spec.partitioned_by, table.spec.replaced_by) for table in (self.source, self.reader))
        return source == reader and source[1] is not None

    @property
    def shares_units(self) -> bool:
        """Whether both tables have the same units, in whichever partitions."""
        return self.source.spec.replaced_by == self.reader.spec.replaced_by is not None

    @property
    def _reads_other_days(self) -> bool:
        own = partitions_of(self.reader)
        return has_days(own) and own == partitions_of(self.source) and (self.days, self.ahead) != (1, 0)

    def mapping(self) -> dg.PartitionMapping | None:
        """Dagster's description of the partitions read; None is its default: the same, or all if one has none."""
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
        if not self._reads_other_days:
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

    def keys(self, snapshot: Snapshot) -> Iterable[str] | None:
        """Partitions of the reader that the source implies; None if the source implies none.

        An unpartitioned reader should exist as soon as its source does.
        """
        own, theirs = partitions_of(self.reader), partitions_of(self.source)
        held = snapshot.content(self.source)
        if own is None:
            return [WHOLE] if held else []
        if not {*dimensions(own)} <= {*dimensions(theirs)}:
            return None
        return held.keys() if own == theirs else {"|".join(part_of(theirs, key, dimensions(own))) for key in held}

    def keys_read(self, key: str, snapshot: Snapshot) -> Collection[str] | None:
        """Partitions of the source that a partition reads; None means all of them."""
        own, theirs = partitions_of(self.reader), partitions_of(self.source)
        if theirs is None:
            return [WHOLE]
        shared = shared_dimensions(theirs, own)
        if not shared:
            return None
        if self._reads_other_days:
            return self._keys_around(key, snapshot)
        if len(shared) == len(dimensions(theirs)):
            return ["|".join(part_of(own, key, shared))]
        return self._keys_by_shared_part(snapshot, tuple(shared)).get(part_of(own, key, shared), [])

    def _keys_around(self, key: str, snapshot: Snapshot) -> Collection[str]:
        day, bar, name = key.partition("|")
        last = date.fromisoformat(day) + timedelta(days=self.ahead)
        if self.days is None:
            known = known_keys(snapshot, self.source)
            return [each for each in known if each.endswith(bar + name) and each[:10] <= str(last)]
        days = (last - timedelta(days=back) for back in reversed(range(self.days + self.ahead)))
        return [f"{each.isoformat()}{bar}{name}" for each in days]

    @cached_in_snapshot
    def _keys_by_shared_part(self, snapshot: Snapshot, shared: tuple[str, ...]) -> dict[tuple[str, ...], list[str]]:
        """Keys of the source, grouped by the dimensions that they share with the reader."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for key in known_keys(snapshot, self.source):
            groups.setdefault(part_of(partitions_of(self.source), key, shared), []).append(key)
        return groups

    def digests(self, snapshot: Snapshot) -> Callable[[str], str]:
        """Returns a function from a partition to the fingerprint of the rows that it reads.

        A day that reads an unpartitioned table depends on that table's contents up to the day.
        """
        held = snapshot.content(self.source)
        if partitions_of(self.source) is None:
            by_day = snapshot.made_from(self.source)
            if has_days(partitions_of(self.reader)) and CONSTANT in by_day:
                constant = by_day.get(PASSED_ON, by_day[CONSTANT])
                days = {day: made for day, made in by_day.items() if day not in (WHOLE, PASSED_ON)}
                return _cumulative_digests({**days, CONSTANT: constant})
            return lambda key: held.get(WHOLE, "")
        if not shared_dimensions(partitions_of(self.source), partitions_of(self.reader)):
            everything = mapping_fingerprint(held)
            return lambda key: everything
        if (
            self._reads_other_days
            and self.days is None
            and not self.ahead
            and not is_paired(partitions_of(self.reader))
        ):
            return _cumulative_digests(held)

        def digest(key: str) -> str:
            return mapping_fingerprint(
                {each: held[each] for each in self.keys_read(key, snapshot) or () if each in held}
            )

        return digest

    def values(self, keys: Iterable[str], snapshot: Snapshot) -> list[PartitionValue] | None:
        """Values of the source's partition column that partitions read; None means all."""
        read: set[str] = set()
        for key in keys:
            keys_read = self.keys_read(key, snapshot)
            if keys_read is None:
                return None
            read.update(keys_read)
        return values_of(self.source, sorted(read))


def _cumulative_digests(held: Mapping[str, str]) -> Callable[[str], str]:
    """Returns a function from a day to one fingerprint of everything up to it.

    Each fingerprint extends the one before: comparing all pairs of days would take seconds for ten years.
    """
    keys = sorted(held)
    chain = [*accumulate(keys, lambda before, key: fingerprint(before, key, held[key]), initial="")]
    return lambda day: chain[bisect_right(keys, day)]


@dataclass(frozen=True)
class Fingerprints:
    """An input that is not a table read by partition: its fingerprint for each partition that should exist.

    Attributes:
        name: names the input in messages.
        find: returns the fingerprints by partition.
        describe_change: says which part of it changed, where its name alone says too little.
    """

    name: str
    find: Callable[[Snapshot], Mapping[str, str]]
    describe_change: Callable[[Snapshot], str] | None = None

    @cached_in_snapshot
    def keys(self, snapshot: Snapshot) -> Mapping[str, str]:
        """The fingerprints by partition."""
        return self.find(snapshot)

    def digests(self, snapshot: Snapshot) -> Callable[[str], str]:
        """Returns a function from a partition to its fingerprint."""
        by_key = self.keys(snapshot)
        return lambda key: by_key.get(key, "")


def landed(table: type[Table]) -> Fingerprints:
    """The files that landed for a table's partitions: days, or days of areas."""
    return Fingerprints(
        "landed files",
        lambda snapshot: {key: mapping_fingerprint(units) for key, units in snapshot.landed(table).items()},
    )


def names_in(table: type[Table], column: str) -> Fingerprints:
    """The values of a column, as the partitions that a table by names should have."""

    def find(snapshot: Snapshot) -> Mapping[str, str]:
        names = snapshot.lake.scan(table).select(column).drop_nulls().unique().collect().to_series()
        return dict.fromkeys(sorted(names), "")

    return Fingerprints(table.spec.dotted, find)


def rows_by(table: type[Table], column: str) -> Fingerprints:
    """An unpartitioned table whose rows belong to names: the fingerprint of each name's rows."""

    def find(snapshot: Snapshot) -> Mapping[str, str]:
        content, cache = snapshot.content(table).get(WHOLE, ""), _ROWS_BY.setdefault(snapshot.stores, {})
        if (table, column) not in cache or cache[table, column][0] != content:
            rows = snapshot.lake.scan(table).collect()
            hashes = rows.select(pl.col(column), digest=rows.hash_rows(seed=7))
            by_name = hashes.drop_nulls(column).group_by(column).agg(pl.col("digest").sort())
            digests = {str(name): fingerprint(*map(str, hashes)) for name, hashes in by_name.iter_rows()}
            cache[table, column] = content, digests
        return cache[table, column][1]

    return Fingerprints(table.spec.dotted, find)
