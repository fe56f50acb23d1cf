"""Partitions: which keys there are, and how a step's keys become values of a partition column."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.table import PartitionValue, Table

# Before the first game we read was released; one definition, so that every game's days map one to one.
DAYS = dg.DailyPartitionsDefinition(start_date="2017-03-01", timezone="UTC", end_offset=1)


def partitions_of(table: type[Table]) -> dg.PartitionsDefinition | None:
    """The Dagster partitions of a table: UTC days for a Date column, else none is known here."""
    column = table.spec.partitioned_by
    if column is None:
        return None
    if isinstance(table.columns()[column].dtype, pl.Date):
        return DAYS
    return dg.DynamicPartitionsDefinition(name=column)


def values_of(table: type[Table], keys: Sequence[str]) -> list[PartitionValue]:
    """Values of the table's partition column for Dagster's keys."""
    return [table.partition_value(key) for key in keys]


def partition_mapping(source: type[Table], table: type[Table], *, neighbours: bool) -> dg.PartitionMapping | None:
    """Which partitions of `source` one partition of `table` is made from; None is Dagster's own rule.

    Args:
        neighbours: take the days before and after too, where both are made by day.
    """
    of_source, of_table = partitions_of(source), partitions_of(table)
    if of_source is None or of_table is None:
        return None
    if of_source != of_table:
        return dg.AllPartitionMapping()
    if neighbours and of_table == DAYS:
        return dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=1, allow_nonexistent_upstream_partitions=True)
    return None
