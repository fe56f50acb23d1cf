"""Partitions: which keys there are, which of them a table reads, and how keys become values of a partition column.

A table's partitions have dimensions: none, a day, a name (a season, a product), or a day and a name, whose
key is written `2026-01-01|shop`. What two tables have in common decides what one reads of the other: of the
dimensions that both have, the same; of those that only the source has, everything.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.table import PartitionValue, Table, is_day

_DAY = "day"
# Of a table that says no first day.
_FIRST_DAY = date(2015, 1, 1)
# More days than there are partitions of.
_EVERY_DAY = 10_000


class _Days(dg.DailyPartitionsDefinition):
    """Days whose list is made once a day: each step of a run asks for it, and Dagster takes 50 ms for ten years."""

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        if current_time is not None:
            return super().get_partition_keys(current_time, dynamic_partitions_store)
        return list(_keys_on(self, datetime.now(UTC).date()))


@functools.lru_cache(maxsize=64)
def _keys_on(days: _Days, today: date) -> Sequence[str]:
    return super(_Days, days).get_partition_keys()


@functools.cache
def days_from(first: date | None) -> dg.TimeWindowPartitionsDefinition:
    """UTC days from a first one to today; the same definition for all tables of a game, so that days map one to one."""
    return _Days(start_date=f"{first or _FIRST_DAY}", timezone="UTC", end_offset=1)


@functools.cache
def partitions_of(table: type[Table]) -> dg.PartitionsDefinition | None:
    """The Dagster partitions of a table: UTC days for a Date column, days and names for a pair, else only names."""
    column = table.spec.partitioned_by
    if column is None:
        return None
    if isinstance(table.columns()[column].dtype, pl.Date):
        return days_from(table.spec.first_day)
    if (dimension := table.pair_dimension()) is not None:
        names = dg.DynamicPartitionsDefinition(name=dimension)
        return dg.MultiPartitionsDefinition({_DAY: days_from(table.spec.first_day), dimension: names})
    return dg.DynamicPartitionsDefinition(name=table.spec.named or column)


def dimensions(partitions: dg.PartitionsDefinition | None) -> tuple[str, ...]:
    """Names of the dimensions, in the order in which a key has them: `()`, `("day",)`, `("day", "product")`."""
    if partitions is None:
        return ()
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return tuple(partitions.partition_dimension_names)
    return (partitions.name or "",) if isinstance(partitions, dg.DynamicPartitionsDefinition) else (_DAY,)


def part_of(partitions: dg.PartitionsDefinition | None, key: str, of: Sequence[str]) -> tuple[str, ...]:
    """What a key says of some of its dimensions.

    >>> days = days_from(date(2026, 1, 1))
    >>> part_of(dg.MultiPartitionsDefinition({"day": days, "product": days}), "2026-01-01|2026-01-02", ["day"])
    ('2026-01-01',)
    """
    told = dict(zip(dimensions(partitions), key.split("|") if is_paired(partitions) else [key], strict=False))
    return tuple(told[dimension] for dimension in of)


def shared_dimensions(one: dg.PartitionsDefinition | None, other: dg.PartitionsDefinition | None) -> list[str]:
    """Dimensions that both have."""
    return [dimension for dimension in dimensions(one) if dimension in dimensions(other)]


def is_paired(partitions: dg.PartitionsDefinition | None) -> bool:
    """Whether the keys are a day and a name."""
    return isinstance(partitions, dg.MultiPartitionsDefinition)


def has_days(partitions: dg.PartitionsDefinition | None) -> bool:
    """Whether the keys are days, or a day and a name."""
    return _DAY in dimensions(partitions)


def days_of(partitions: dg.PartitionsDefinition | None) -> dg.TimeWindowPartitionsDefinition | None:
    """The days among the dimensions of partitions."""
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        partitions = partitions.get_partitions_def_for_dimension(_DAY)
    return partitions if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else None


def day_of(key: str) -> str:
    """The day of a key that has one."""
    return key.partition("|")[0]


def is_partition_day(key: str, first: date | None) -> bool:
    """Whether the day of a key is one that partitions exist of: none is before the first, or in the future."""
    return is_day(day_of(key)) and days_from(first).has_partition_key(day_of(key))


def values_of(table: type[Table], keys: Sequence[str]) -> list[PartitionValue]:
    """Values of the table's partition column for Dagster's keys."""
    return [table.partition_value(key) for key in keys]


def key_of_day_before(key: str) -> str:
    """The key of the day before, of the same name.

    >>> key_of_day_before("2026-01-01|shop")
    '2025-12-31|shop'
    """
    day, bar, name = key.partition("|")
    return f"{date.fromisoformat(day) - timedelta(days=1)}{bar}{name}"


def partition_mapping(
    source: type[Table], table: type[Table], *, days: int | None = 1, ahead: int = 0
) -> dg.PartitionMapping | None:
    """The partitions of `source` that one of `table` is made from, as Dagster says it.

    None is Dagster's own rule: the same partition, or all where one of the two has none.

    Args:
        days: where both have days, how many up to the day itself; None is all of them.
        ahead: and how many after it.
    """
    of_source, of_table = partitions_of(source), partitions_of(table)
    if of_source is None or of_table is None:
        return None
    shared = shared_dimensions(of_source, of_table)
    if not shared:
        return dg.AllPartitionMapping()
    if of_source != of_table:
        if is_paired(of_source) and is_paired(of_table):
            return dg.MultiPartitionMapping({_DAY: dg.DimensionPartitionMapping(_DAY, dg.IdentityPartitionMapping())})
        return dg.MultiToSingleDimensionPartitionMapping(shared[0])
    if not has_days(of_table) or (days, ahead) == (1, 0):
        return None
    around = dg.TimeWindowPartitionMapping(
        start_offset=1 - (days or _EVERY_DAY), end_offset=ahead, allow_nonexistent_upstream_partitions=True
    )
    if not is_paired(of_table):
        return around
    _, name = shared
    same = dg.DimensionPartitionMapping(name, dg.IdentityPartitionMapping())
    return dg.MultiPartitionMapping({_DAY: dg.DimensionPartitionMapping(_DAY, around), name: same})
