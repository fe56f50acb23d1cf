"""Declared columns as a Delta schema, and the differences that a stored table cannot accept."""

from __future__ import annotations

import functools

import polars as pl
from deltalake import DeltaTable, Field, Schema

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.table import Table


class IncompatibleSchemaError(GamestatsError):
    """A table in the lake cannot accept its declared columns."""


@functools.cache
def delta_schema(table: type[Table]) -> Schema:
    """The declared columns as a Delta schema: types, nullability, descriptions as comments."""
    stored = Schema.from_arrow(table.schema().to_frame().to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
    declared = table.columns()
    return Schema(
        [
            Field(
                field.name,
                field.type,
                nullable=declared[field.name].nullable,
                metadata={"comment": declared[field.name].description or ""},
            )
            for field in stored.fields
        ]
    )


def partition_columns(table: type[Table]) -> list[str]:
    """The declared partition column, as Delta lists such columns."""
    return [table.spec.partitioned_by] if table.spec.partitioned_by else []


def refuse_incompatible(table: type[Table], delta: DeltaTable | None) -> None:
    """Raises `IncompatibleSchemaError` if a stored table cannot accept the declared columns."""
    problems = _differences(table, delta) if delta is not None else []
    if problems:
        raise IncompatibleSchemaError(
            f"The lake's {table.spec.dotted} does not fit its declaration:\n- "
            + "\n- ".join(problems)
            + f"\nRebuild it from the landing zone: gamestats rebuild {table.spec.dotted}"
        )


def _differences(table: type[Table], delta: DeltaTable) -> list[str]:
    """Differences that keep a stored table from accepting the declared columns; new nullable columns do not."""
    stored = {column.name: column for column in delta.schema().fields}
    declared = {column.name: column for column in delta_schema(table).fields}
    problems = [f"column {name} is stored but not declared any more" for name in stored if name not in declared]
    for name, column in declared.items():
        if name not in stored:
            if not column.nullable:
                problems.append(f"column {name} is new and not nullable; stored rows would have no value")
        elif stored[name].type != column.type:
            problems.append(f"column {name} is stored as {stored[name].type}, declared {column.type}")
        elif stored[name].nullable != column.nullable:
            texts = {True: "nullable", False: "not nullable"}
            problems.append(
                f"column {name} is stored {texts[stored[name].nullable]}, declared {texts[column.nullable]}"
            )
    partitioned = partition_columns(table)
    if delta.metadata().partition_columns != partitioned:
        problems.append(f"stored partitions are by {delta.metadata().partition_columns}, declared by {partitioned}")
    return problems
