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
