"""Data quality: rules that a frame must satisfy before its commit, and checks across tables.

- `screen` divides a frame into rows to commit and rows to quarantine.
- `quarantine_of` returns a game's table of quarantined rows.
- `breaking_rows` declares a check: a pure function that returns the rows which break it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import itertools
import json
import typing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from types import CodeType, FunctionType
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.table import Table

Frame = pl.LazyFrame
_ALL = "(all)"
_BROKEN = "__broken__"
_LONGEST_CONTENT = 4_000
# Rejected rows of a stream that are listed one by one; the others are only counted.
_MAX_LISTED_ROWS = 10_000


class SchemaMismatchError(GamestatsError):
    """A frame does not have the columns or types that its table declares."""


class QuarantineRow(Table):
    """Columns of every game's quarantine; `quarantine_of` declares the table of a game."""

    destination = dy.String(description="Table and partition the row was meant for, as table@partition.")
    table_name = dy.String(primary_key=True, description="Table the row was meant for, without the game.")
    partition_key = dy.String(primary_key=True, description="Partition the row was meant for, as Dagster writes it.")
    unit_id = dy.String(primary_key=True, description="Match or log file the row belongs to.")
    entry = dy.Int32(primary_key=True, min=0, description="Number of the entry within its unit, from 0.")
    scope = dy.String(
        check=lambda column: column.is_in(["row", "unit", "file"]),
        description="Kind of rejection: one row, the whole unit in this table, or a whole file.",
    )
    rule = dy.String(description="Name of the rule that was broken.")
    reason = dy.String(description="Expected and found content.")
    rejected_rows = dy.Int64(min=0, description="Rows or events that did not pass because of this entry.")
    content = dy.String(nullable=True, description="The rejected row or event as JSON, cut at 4,000 characters.")


@functools.cache
def quarantine_of(game: str) -> type[QuarantineRow]:
    """The quarantine table of a game, `<game>/quarantine`."""

    class Quarantine(
        QuarantineRow,
        key=f"{game}/quarantine",
        layer="bronze",
        subject="quarantine",
        partitioned_by="destination",
        replaced_by="unit_id",
    ):
        """Rejections with their reasons: one row per rejected row, match or file, in every table of the game."""

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
        """Number of input rows that are not in `rows`."""
        return sum(rejection.rejected_rows for rejection in self.rejections)


def check_schema(table: type[Table], schema: Mapping[str, pl.DataType]) -> None:
    """Raises `SchemaMismatchError` unless names and types are exactly the declared ones, in any order."""
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
    """Divides a frame by its table's rules, unit by unit.

    Within one unit (a value of `spec.replaced_by`, or the whole frame), rows that break a value rule are rejected up to
    the table's tolerance. Above it, or if a key is null or duplicated, the whole unit is rejected with counts and five
    examples.

    Raises:
        SchemaMismatchError: if columns or types are not the declared ones, which is an error of the program.
    """
    valid, broken = _split(table, frame)
    if broken.is_empty():
        return Screened(valid, [])
    unit = table.spec.replaced_by
    unit_column = pl.col(unit).fill_null("(none)") if unit else pl.lit(_ALL)
    totals = dict(frame.group_by(unit_column.alias("u")).len().iter_rows())
    rejections: list[Rejection] = []
    rejected_units: list[str] = []
    for (unit_id,), rows in broken.group_by(unit_column.alias("u"), maintain_order=True):
        unit_id = str(unit_id)
        total = totals[unit_id]
        rules = Counter(rows.get_column(_BROKEN).explode())
        reason = _rejection_reason(table, rules, rows.height, total)
        if reason is None:
            rejections += _row_rejections(table, unit_id, rows)
            continue
        rejected_units.append(unit_id)
        rejections.append(_rejected_unit(table, unit_id, reason, rules, total, _examples(table, rows)))
    if rejected_units:
        valid = valid.filter(~unit_column.is_in(rejected_units))
    return Screened(valid, rejections)


class PieceScreening:
    """As `screen`, for streamed rows that together are one unit; `verdict` returns the result at the end.

    Duplicate keys across pieces are found exactly and cheaply if each piece is in ascending order of its last key
    column and constant in the others; otherwise by a 64-bit hash of each key.
    """

    def __init__(self, table: type[Table]) -> None:
        self._table = table
        self._total = 0
        self._broken = 0
        self._rules: Counter[str] = Counter()
        self._examples: list[str] = []
        self._rejections: list[Rejection] = []
        self._keys = _StreamedKeys(table)

    def rows(self, piece: pl.DataFrame) -> pl.DataFrame:
        """The rows of a piece that break no rule.

        Raises:
            SchemaMismatchError: as in `screen`.
        """
        # Comparing keys within a piece costs twenty times as much as all other rules, and ignores other pieces.
        valid, broken = _split(_without_key_rule(self._table), piece)
        self._total += piece.height
        self._keys.add(piece)
        if not broken.is_empty():
            self._broken += broken.height
            self._rules.update(broken.get_column(_BROKEN).explode())
            self._examples += _examples(self._table, broken)[: 5 - len(self._examples)]
            listed = broken.head(max(0, _MAX_LISTED_ROWS - len(self._rejections)))
            self._rejections += _row_rejections(self._table, _ALL, listed)
        return valid

    def verdict(self, before: Sequence[Rejection] = ()) -> tuple[bool, list[Rejection]]:
        """Whether the valid rows may be committed, and the rejections: of rows or of everything.

        Args:
            before: rejections from before there were rows; single rows count as broken ones.
        """
        unread = Counter[str]()
        for rejection in before:
            if rejection.scope == "row":
                unread[rejection.rule] += rejection.rejected_rows
        rules = self._rules + unread
        if self._keys.has_duplicates() and not rules["primary_key"]:
            rules = rules + Counter(primary_key=1)
        broken, total = self._broken + unread.total(), self._total + unread.total()
        reason = _rejection_reason(self._table, rules, broken, total) if rules else None
        if reason is not None:
            return False, [_rejected_unit(self._table, _ALL, reason, rules, self._total, self._examples)]
        if unlisted := self._broken - len(self._rejections):
            named = ", ".join(f"{name} {count}x" for name, count in rules.most_common())
            message = f"{unlisted} more rows broke a rule and are not listed one by one. Rules broken in all: {named}."
            self._rejections.append(Rejection(_ALL, "row", rules.most_common(1)[0][0], message, unlisted))
        return True, self._rejections


class _StreamedKeys:
    """Keys of streamed pieces: ranges of numbers if all other key columns are constant, otherwise 64-bit hashes."""

    def __init__(self, table: type[Table]) -> None:
        self._schema = {name: table.schema()[name] for name in table.primary_key()}
        self._runs: list[tuple[tuple[object, ...], pl.DataFrame]] = []
        self._hashes: list[pl.Series] = []

    def add(self, piece: pl.DataFrame) -> None:
        if piece.is_empty():
            return
        keys = piece.select(*self._schema)
        *others, last = keys.get_columns()
        if last.dtype.is_integer() and not last.null_count() and all(column.n_unique() == 1 for column in others):
            steps = last.diff()
            begins, ends = (last.filter((step != 1).fill_null(True)) for step in (steps, steps.shift(-1)))
            if (steps > 0).all() and 2 * begins.len() <= max(2, last.len()):
                self._runs.append((keys.row(0)[:-1], pl.DataFrame({"begin": begins, "end": ends})))
                return
        self._hashes.append(keys.hash_rows())

    def has_duplicates(self) -> bool:
        ordered = sorted(self._runs, key=lambda run: (str(run[0]), run[1].item(0, "begin")))
        apart = all(
            one != other or before.item(-1, "end") < after.item(0, "begin")
            for (one, before), (other, after) in itertools.pairwise(ordered)
        )
        if apart and not self._hashes:
            return False
        hashes = pl.concat([*self._hashes, *(self._hashes_of(*run) for run in ordered)])
        return hashes.n_unique() < hashes.len()

    def _hashes_of(self, others: tuple[object, ...], stretches: pl.DataFrame) -> pl.Series:
        """Hashes of the keys of a range, as `hash_rows` computes them."""
        *names, last = self._schema
        same = [pl.lit(value, self._schema[name]).alias(name) for name, value in zip(names, others, strict=True)]
        numbers = stretches.select(pl.int_ranges("begin", pl.col("end") + 1).alias(last)).explode(last)
        return numbers.select(*same, pl.col(last).cast(self._schema[last])).hash_rows()


@functools.cache
def _without_key_rule(table: type[Table]) -> type[Table]:
    """A table's columns and rules, without the uniqueness of its keys."""

    class Keyless(table):
        @classmethod
        def _validation_rules(cls, *, with_cast: bool) -> dict[str, Any]:
            rules = super()._validation_rules(with_cast=with_cast)
            return {name: rule for name, rule in rules.items() if name != "primary_key"}

    return Keyless


def _split(table: type[Table], frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that break no rule, and those that do, with the names of the rules in the column `_BROKEN`."""
    check_schema(table, frame.schema)
    frame = frame.select(table.column_names())
    # Usually all rows are valid, and none has to be copied.
    if table.is_valid(frame):
        return frame, frame.clear()
    good, failure = table.filter(frame)
    details = failure.details()
    rule_names = [name for name in details.columns if name not in frame.columns]
    broken = pl.concat_list([pl.when(pl.col(name) == "invalid").then(pl.lit(name)) for name in rule_names])
    return good, details.select(*frame.columns, broken.list.drop_nulls().alias(_BROKEN))


def _rejection_reason(table: type[Table], rules: Counter[str], broken: int, total: int) -> str | None:
    """Why a whole unit is rejected; None if it is not."""
    fatal_rules = {"primary_key", *(f"{key}|nullability" for key in table.primary_key())}
    if fatal := [name for name, _ in rules.most_common() if name in fatal_rules]:
        return f"a key is null or doubled ({', '.join(fatal)})"
    if broken / total > table.spec.tolerance:
        return f"{broken} of {total} rows broke a rule, more than {table.spec.tolerance:.1%}"
    return None


def _row_rejections(table: type[Table], unit_id: str, broken: pl.DataFrame) -> list[Rejection]:
    return [
        Rejection(unit_id, "row", ", ".join(names), _what_broke(table, row, names), 1, _as_json(row))
        for row, names in zip(
            broken.drop(_BROKEN).iter_rows(named=True), broken.get_column(_BROKEN).to_list(), strict=True
        )
    ]


def _examples(table: type[Table], broken: pl.DataFrame) -> list[str]:
    return [_as_json(row) for row in broken.select(table.column_names()).head(5).iter_rows(named=True)]


def _rejected_unit(
    table: type[Table], unit_id: str, reason: str, rules: Counter[str], total: int, examples: Sequence[str]
) -> Rejection:
    counts = ", ".join(f"{name} {count}x" for name, count in rules.most_common())
    return Rejection(
        unit_id,
        "unit",
        rules.most_common(1)[0][0],
        f"All rows of {unit_id} for {table.spec.dotted} are rejected: {reason}. Rules broken: {counts}.",
        total,
        f"[{', '.join(examples)}]",
    )


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
    return text if len(text) <= _LONGEST_CONTENT else json.dumps({key: str(value)[:80] for key, value in row.items()})


def destination(table: type[Table], partition_key: str) -> str:
    """The quarantine partition for one partition of a table."""
    return f"{table.spec.name}@{partition_key}"


def quarantine_frame(table: type[Table], partition_key: str, rejections: Sequence[Rejection]) -> pl.DataFrame:
    """Rejections of one table and partition as rows of its game's quarantine, numbered within their unit."""
    schema = quarantine_of(table.spec.game).schema()
    frame = pl.DataFrame(list(rejections), schema={each.name: schema[each.name] for each in fields(Rejection)})
    return frame.select(
        destination=pl.lit(destination(table, partition_key)),
        table_name=pl.lit(table.spec.name),
        partition_key=pl.lit(partition_key),
        unit_id="unit_id",
        entry=pl.int_range(pl.len(), dtype=pl.Int32).over("unit_id"),
        scope="scope",
        rule="rule",
        reason="reason",
        rejected_rows="rejected_rows",
        content=pl.col("content").str.head(_LONGEST_CONTENT),
    )


# --------------------------------------------------------------------------- checks across tables


@dataclass(frozen=True, slots=True)
class Check:
    """A declared check.

    Attributes:
        table: the table it guards; it runs on that table's partitions.
        inputs: argument name to table, in the order of the function's signature.
        blocking: whether a violation stops everything downstream, publication included.
        figures: columns of the table whose sums are reported with every result.
        days_around: how many days before and after those under check it sees in tables with the same partitions.
        unit: column of its result with the unit to blame (a match, a log file); None if its findings belong to no unit.
        most_units: share of a partition's units above which the whole partition is stopped; one unit is never too
            many.
        rows: the pure function; returns the rows that break the rule, partition column included.
    """

    name: str
    table: type[Table]
    inputs: Mapping[str, type[Table]]
    blocking: bool
    description: str
    rows: Callable[..., Frame] = field(repr=False)
    figures: tuple[str, ...] = ()
    days_around: int = 0
    unit: str | None = None
    most_units: float = 0.05

    @property
    def blames(self) -> bool:
        """Whether it sets aside the units that break it."""
        return self.blocking and self.unit is not None

    @property
    def version(self) -> str:
        """A hash of its code and of our functions that it calls."""
        read = [f"{name} {table.spec.key}" for name, table in self.inputs.items()]
        parts = [self.name, read, self.unit, self.most_units, _code(self.rows, set())]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


def _code(function: Callable[..., object], known: set[object]) -> list[object]:
    """Code of a function with the constants and functions that it uses, without docstrings."""
    if function in known:
        return []
    known.add(function)
    found: list[object] = []
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        nested = [each for each in code.co_consts if isinstance(each, CodeType)]
        plain = [each for each in code.co_consts if each not in nested and each != function.__doc__]
        found += [code.co_code, code.co_names, repr(plain)]
        codes += nested
        for name in code.co_names:
            used = function.__globals__.get(name)
            if isinstance(used, FunctionType) and used.__module__.partition(".")[0] == __name__.partition(".")[0]:
                found += _code(used, known)
            elif isinstance(used, (str, int, float, tuple, list, datetime, timedelta)):
                found.append(used)
    return found


def table_inputs(function: Callable[..., object]) -> dict[str, type[Table]]:
    """The table of each argument, from annotations such as `dy.LazyFrame[Goals]`.

    Raises:
        TypeError: if an argument is not annotated with a table's frame.
    """
    hints = typing.get_type_hints(function)
    inputs: dict[str, type[Table]] = {}
    for name in inspect.signature(function).parameters:
        arguments = typing.get_args(hints.get(name))
        if not arguments or not (isinstance(arguments[0], type) and issubclass(arguments[0], Table)):
            raise TypeError(f"{function.__name__}: argument {name!r} must be annotated dy.LazyFrame[SomeTable].")
        inputs[name] = arguments[0]
    return inputs


def unequal(
    left: Frame, right: Frame, by: Sequence[str], pairs: Sequence[str | tuple[str, str]], *, within: float = 0.0
) -> Frame:
    """Keys whose figures differ between two frames, for checks; a key that one side lacks counts as zero there.

    Args:
        pairs: figures that must be equal, one of the left frame and one of the right; a single name for both is shown
            as `name_expected` of the right one.
        within: relative tolerance of sums of floating-point numbers.
    """
    same = {pair: f"{pair}_expected" for pair in pairs if isinstance(pair, str)}
    compared = [(pair, same[pair]) if isinstance(pair, str) else pair for pair in pairs]
    columns = list(dict.fromkeys(column for pair in compared for column in pair))
    differs = [differ(*pair, within=within) if within else pl.col(pair[0]) != pl.col(pair[1]) for pair in compared]
    return (
        left.join(right.rename(same), on=list(by), how="full", coalesce=True)
        .with_columns(pl.col(columns).fill_null(0))
        .filter(pl.any_horizontal(differs))
        .select(*by, *columns)
    )


def only_in_one(left: Frame, right: Frame, by: Sequence[str], *, left_alone: str, right_alone: str) -> Frame:
    """Keys that only one of two frames has, for checks; `problem` describes the problem."""
    return pl.concat(
        frame.join(other, on=list(by), how="anti", nulls_equal=True).select(*by, problem=pl.lit(problem))
        for frame, other, problem in ((left, right, left_alone), (right, left, right_alone))
    )


def differ(first: str, second: str, *, within: float) -> pl.Expr:
    """Whether two figures differ by more than a share of the first, or of 1 where that is less."""
    return (pl.col(first) - pl.col(second)).abs() > within * pl.max_horizontal(pl.col(first).abs(), 1.0)


def breaking_rows(
    *,
    of: type[Table],
    blocking: bool = True,
    figures: tuple[str, ...] = (),
    days_around: int = 0,
    local: bool = True,
    most_units: float = 0.05,
    inputs: Mapping[str, type[Table]] | None = None,
) -> Callable[[Callable[..., Frame]], Check]:
    """Declares a check from a function that returns the rows which break it; the options are fields of `Check`.

    The function's name is the check's name, and its docstring the description. It receives the frames of the partitions
    under check, and returns the table's partition column with columns that explain the violation.

    A local check blames a unit of the table (`spec.replaced_by`), whose column it must return. Its result for a unit
    depends only on that unit's rows in its inputs and on unpartitioned tables. It can therefore run for a few units
    alone, and those that it blames are set aside while the others go on. A check that compares units, sums up a day or
    reads neighbouring days stops the partition.

    The tables that it reads are those of its arguments' annotations, unless `inputs` gives them by argument.

    Raises:
        ValueError: if `most_units` is not a share from 0 to 1.
    """
    blamed = of.spec.replaced_by if local and not days_around else None
    if not 0 <= most_units <= 1:
        raise ValueError(f"most_units of a check of {of.spec.dotted} must be a share from 0 to 1, found {most_units}.")

    def declare(function: Callable[..., Frame]) -> Check:
        return Check(
            name=function.__name__,
            table=of,
            inputs=table_inputs(function) if inputs is None else inputs,
            blocking=blocking,
            description=inspect.cleandoc(function.__doc__ or ""),
            rows=function,
            figures=figures,
            days_around=days_around,
            unit=blamed,
            most_units=most_units,
        )

    return declare
