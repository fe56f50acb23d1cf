"""Partitions: their keys and dimensions, and how keys become values of a partition column.

A table's partitions have dimensions: none, a day, a name (a season, a product), or a day and a name, with keys such as
`2026-01-01|shop`. The dimensions that two tables share decide what one reads from the other: in a shared dimension the
same key, in one that only the source has everything.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.table import PartitionValue, Table, is_day

DAY = "day"
# For tables that declare no first day.
_FIRST_DAY = date(2015, 1, 1)


class _Days(dg.DailyPartitionsDefinition):
    """Days to today, listed once a day: every step of a run asks, and Dagster needs 50 ms to list ten years."""

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        if current_time is not None:
            return super().get_partition_keys(current_time, dynamic_partitions_store)
        return list(_keys_on(self, datetime.now(UTC).date()))


@functools.lru_cache(maxsize=64)
def _keys_on(days: _Days, today: date) -> Sequence[str]:
    return pl.date_range(days.start.date(), today, eager=True).cast(pl.String).to_list()


@functools.cache
def days_from(first: date | None) -> dg.TimeWindowPartitionsDefinition:
    """UTC days from a first one to today. All tables of a game share one definition, so that days map one to one."""
    return _Days(start_date=f"{first or _FIRST_DAY}", timezone="UTC", end_offset=1)


@functools.cache
def partitions_of(table: type[Table]) -> dg.PartitionsDefinition | None:
    """The Dagster partitions of a table: UTC days for a Date column, days and names for a pair, otherwise names."""
    column = table.spec.partitioned_by
    if column is None:
        return None
    if isinstance(table.columns()[column].dtype, pl.Date):
        return days_from(table.spec.first_day)
    if (dimension := table.pair_dimension()) is not None:
        names = dg.DynamicPartitionsDefinition(name=dimension)
        return dg.MultiPartitionsDefinition({DAY: days_from(table.spec.first_day), dimension: names})
    return dg.DynamicPartitionsDefinition(name=table.spec.named or column)


def dimensions(partitions: dg.PartitionsDefinition | None) -> tuple[str, ...]:
    """Names of the dimensions in the order of a key: `()`, `("day",)`, `("day", "product")`."""
    if partitions is None:
        return ()
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return tuple(partitions.partition_dimension_names)
    return (partitions.name or "",) if isinstance(partitions, dg.DynamicPartitionsDefinition) else (DAY,)


def part_of(partitions: dg.PartitionsDefinition | None, key: str, wanted_dimensions: Sequence[str]) -> tuple[str, ...]:
    """The parts of a key for some of its dimensions.

    >>> days = days_from(date(2026, 1, 1))
    >>> part_of(dg.MultiPartitionsDefinition({"day": days, "product": days}), "2026-01-01|2026-01-02", ["day"])
    ('2026-01-01',)
    """
    parts = dict(zip(dimensions(partitions), key.split("|") if is_paired(partitions) else [key], strict=False))
    return tuple(parts[dimension] for dimension in wanted_dimensions)


def shared_dimensions(one: dg.PartitionsDefinition | None, other: dg.PartitionsDefinition | None) -> list[str]:
    """Dimensions that both partitions have."""
    return [dimension for dimension in dimensions(one) if dimension in dimensions(other)]


def is_paired(partitions: dg.PartitionsDefinition | None) -> bool:
    """Whether the keys are a day and a name."""
    return isinstance(partitions, dg.MultiPartitionsDefinition)


def has_days(partitions: dg.PartitionsDefinition | None) -> bool:
    """Whether the keys are days, or a day and a name."""
    return DAY in dimensions(partitions)


def days_of(partitions: dg.PartitionsDefinition | None) -> dg.TimeWindowPartitionsDefinition | None:
    """The days among the dimensions of partitions."""
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        partitions = partitions.get_partitions_def_for_dimension(DAY)
    return partitions if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else None


def day_of(key: str) -> str:
    """The day of a key that has one."""
    return key.partition("|")[0]


def is_partition_day(key: str, first: date | None) -> bool:
    """Whether the day of a key has partitions: it is neither before the first day nor in the future."""
    return is_day(day_of(key)) and days_from(first).has_partition_key(day_of(key))


def values_of(table: type[Table], keys: Iterable[str]) -> list[PartitionValue] | None:
    """Values of the table's partition column for Dagster's keys; None if it has no partitions."""
    return [table.partition_value(key) for key in keys] if table.spec.partitioned_by else None
