"""Rules about data: what a frame must keep before it is committed, and what tables must keep together.

- `screen` divides a frame into rows that may be committed and rows that are quarantined.
- `quarantine_of` gives the table that keeps the latter, one per game.
- `breaking_rows` declares a check: a pure function that returns the rows which break it.
"""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.table import Table

Frame = pl.LazyFrame


class SchemaMismatchError(GamestatsError):
    """A frame does not have the columns or types its table declares."""


class QuarantineRow(Table):
    """Columns of every game's quarantine; `quarantine_of` declares the table of a game."""

    destination = dy.String(description="Table and partition the row was meant for, as table@partition.")
    table_name = dy.String(primary_key=True, description="Table the row was meant for, without the game.")
    partition_key = dy.String(primary_key=True, description="Partition the row was meant for, as Dagster writes it.")
    unit_id = dy.String(primary_key=True, description="Match or log file the row belongs to.")
    entry = dy.Int32(primary_key=True, min=0, description="Number of the entry within its unit, from 0.")
    scope = dy.String(
        check=lambda column: column.is_in(["row", "unit", "file"]),
        description="What was rejected: one row, the whole unit in this table, or a whole file.",
    )
    rule = dy.String(description="Name of the rule that was broken.")
    reason = dy.String(description="What was expected and what was found.")
    rejected_rows = dy.Int64(min=0, description="Rows or events that did not pass because of this entry.")
    content = dy.String(nullable=True, description="The rejected row or event as JSON, cut at 4,000 characters.")


@functools.cache
def quarantine_of(game: str) -> type[QuarantineRow]:
    """The quarantine table of a game, `<game>/quarantine`."""

    class Quarantine(
        QuarantineRow, key=f"{game}/quarantine", layer="bronze", partitioned_by="destination", replaced_by="unit_id"
    ):
        """What was rejected and why: one row per rejected row, match or file, in every table of the game."""

    return Quarantine


@dataclass(frozen=True, slots=True)
class Rejection:
    """One quarantine entry before it is numbered; fields as in `QuarantineRow`."""

    unit_id: str
    scope: typing.Literal["row", "unit", "file"]
    rule: str
    reason: str
    rejected_rows: int
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Screened:
    """A frame divided by its table's rules."""

    rows: pl.DataFrame
    rejections: list[Rejection]

    @property
    def rejected_rows(self) -> int:
        """Rows of the input that are not in `rows`."""
        return sum(rejection.rejected_rows for rejection in self.rejections)


def check_schema(table: type[Table], schema: Mapping[str, pl.DataType]) -> None:
    """Raise `SchemaMismatchError` unless names and types are exactly the declared ones, in any order."""
    declared = table.schema()
    problems = [f"column {name} is missing" for name in declared if name not in schema]
    problems += [f"column {name} is not declared" for name in schema if name not in declared]
    problems += [
        f"column {name} is {schema[name]}, declared {dtype}"
        for name, dtype in declared.items()
        if name in schema and schema[name] != dtype
    ]
    if problems:
        raise SchemaMismatchError(
            f"The frame for {table.spec.key} does not fit its declaration: {'; '.join(problems)}."
        )


def screen(table: type[Table], frame: pl.DataFrame) -> Screened:
    """Divide a frame by its table's rules, unit by unit.

    Within one unit (the value of `spec.replaced_by`, or the whole frame), rows that break
    a value rule are rejected up to the table's tolerance. Above it, or when a key is null
    or doubled, the whole unit is rejected with counts and five examples.

    Raises:
        SchemaMismatchError: when columns or types are not the declared ones: a fault of the
            program, not of the data.
    """
    check_schema(table, frame.schema)
    frame = frame.select(table.column_names())
    good, failure = table.filter(frame)
    if good.height == frame.height:
        return Screened(good, [])
    keys = table.primary_key()
    fatal_rules = {"primary_key", *(f"{key}|nullability" for key in keys)}
    details = failure.details()
    rule_names = [name for name in details.columns if name not in frame.columns]
    broken = details.with_columns(
        pl.concat_list([pl.when(pl.col(name) == "invalid").then(pl.lit(name)) for name in rule_names])
        .list.drop_nulls()
        .alias("__broken__")
    )
    unit = table.spec.replaced_by
    unit_column = pl.col(unit).fill_null("(none)") if unit else pl.lit("(all)")
    totals = dict(frame.group_by(unit_column.alias("u")).len().iter_rows())
    rejections: list[Rejection] = []
    condemned: list[str] = []
    for (unit_id,), rows in broken.group_by(unit_column.alias("u"), maintain_order=True):
        unit_id = str(unit_id)
        total = totals[unit_id]
        rules = rows.get_column("__broken__").explode().value_counts(sort=True)
        fatal = [name for name in rules.get_column("__broken__") if name in fatal_rules]
        if not fatal and rows.height / total <= table.spec.tolerance:
            rejections += [
                Rejection(unit_id, "row", ", ".join(names), _what_broke(table, row, names), 1, _as_json(row))
                for row, names in zip(
                    rows.select(frame.columns).iter_rows(named=True), rows.get_column("__broken__"), strict=True
                )
            ]
            continue
        condemned.append(unit_id)
        counts = ", ".join(f"{name} {count}x" for name, count in rules.iter_rows())
        examples = [_as_json(row) for row in rows.select(frame.columns).head(5).iter_rows(named=True)]
        why = (
            f"a key is null or doubled ({', '.join(fatal)})"
            if fatal
            else f"{rows.height} of {total} rows broke a rule, more than {table.spec.tolerance:.1%}"
        )
        rejections.append(
            Rejection(
                unit_id,
                "unit",
                rules.get_column("__broken__")[0],
                f"All {total} rows of {unit_id} for {table.spec.dotted} are rejected: {why}. Rules broken: {counts}.",
                total,
                f"[{', '.join(examples)}]"[:4000],
            )
        )
    if condemned:
        good = good.filter(~unit_column.is_in(condemned))
    return Screened(good, rejections)


def _what_broke(table: type[Table], row: Mapping[str, object], rules: Sequence[str]) -> str:
    columns = table.columns()
    found: list[str] = []
    for rule in rules:
        name, _, kind = rule.partition("|")
        if name in columns and kind:
            bound = getattr(columns[name], kind, None)
            found.append(f"{name} = {row[name]!r} breaks {kind}" + (f" ({bound})" if bound is not None else ""))
        else:
            found.append(f"the row breaks {rule}")
    return "; ".join(found) + "."


def _as_json(row: Mapping[str, object]) -> str:
    text = json.dumps(row, default=str)
    return text if len(text) <= 4000 else json.dumps({key: str(value)[:80] for key, value in row.items()})[:4000]


def destination(table: type[Table], partition_key: str) -> str:
    """The quarantine partition for one partition of a table."""
    return f"{table.spec.name}@{partition_key}"


def quarantine_frame(table: type[Table], partition_key: str, rejections: Sequence[Rejection]) -> pl.DataFrame:
    """Rejections of one table and partition as rows of its game's quarantine, numbered within their unit."""
    numbers: dict[str, int] = {}
    records: list[dict[str, object]] = []
    for rejection in rejections:
        number = numbers.get(rejection.unit_id, 0)
        numbers[rejection.unit_id] = number + 1
        records.append(
            {
                "destination": destination(table, partition_key),
                "table_name": table.spec.name,
                "partition_key": partition_key,
                "unit_id": rejection.unit_id,
                "entry": number,
                "scope": rejection.scope,
                "rule": rejection.rule,
                "reason": rejection.reason,
                "rejected_rows": rejection.rejected_rows,
                "content": rejection.content,
            }
        )
    return pl.DataFrame(records, schema=quarantine_of(table.spec.game).schema())


# --------------------------------------------------------------------------- checks across tables


@dataclass(frozen=True, slots=True)
class Check:
    """A declared check: which rows break it, on which table it stands, and how grave it is.

    Attributes:
        table: the table it is attached to; it runs on that table's partitions.
        inputs: argument name to table, in the order of the function's signature.
        blocking: whether a violation stops what is downstream, publication included.
        figures: columns of the table whose sums are told with every result, be it passed or not.
        rows: the pure function; returns the rows that break the rule, partition column included.
    """

    name: str
    table: type[Table]
    inputs: Mapping[str, type[Table]]
    blocking: bool
    description: str
    rows: Callable[..., Frame] = field(repr=False)
    figures: tuple[str, ...] = ()


def table_inputs(function: Callable[..., object]) -> dict[str, type[Table]]:
    """Argument name to table, read from annotations such as `dy.LazyFrame[Goals]`.

    Raises:
        TypeError: when an argument is not annotated with a table's frame.
    """
    hints = typing.get_type_hints(function)
    inputs: dict[str, type[Table]] = {}
    for name in inspect.signature(function).parameters:
        arguments = typing.get_args(hints.get(name))
        if not arguments or not (isinstance(arguments[0], type) and issubclass(arguments[0], Table)):
            raise TypeError(f"{function.__name__}: argument {name!r} must be annotated dy.LazyFrame[SomeTable].")
        inputs[name] = arguments[0]
    return inputs


def breaking_rows(
    *, of: type[Table], blocking: bool = True, figures: tuple[str, ...] = ()
) -> Callable[[Callable[..., Frame]], Check]:
    """Declare a check from a function that returns the rows which break it.

    The function's name is the check's name and its docstring the description. It is called
    with the frames of the partitions under check; it must return the table's partition
    column and whatever columns explain the violation. `figures` are columns of the table whose
    sums somebody wants to see even where nothing is wrong.
    """

    def declare(function: Callable[..., Frame]) -> Check:
        return Check(
            name=function.__name__,
            table=of,
            inputs=table_inputs(function),
            blocking=blocking,
            description=inspect.cleandoc(function.__doc__ or ""),
            rows=function,
            figures=figures,
        )

    return declare
