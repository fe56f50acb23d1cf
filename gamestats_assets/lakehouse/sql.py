"""SQL over the lake: the models under `sql/`, and the questions people ask, on embedded DuckDB.

A model is one SELECT in `sql/<game>/<table>.sql` that makes the table of the same name. It names
the tables it reads as `game.table`, so its text alone tells what it depends on and where each
of its columns comes from. Reading a model checks it against the declared tables; running it
binds parameters, shows every table it names as a view with the declared columns, and casts the
result to the declared types, refusing what a cast would change.

    model = SqlModel.load(folder / "demo" / "totals.sql", Totals, {"demo.goals": Goals})
    frame = run_model(model, {"demo.goals": ParquetSource(files, {"day": "DATE"})})

A model keeps to the SQL that means the same on Spark; `SqlModel.load` refuses the rest. What no text tells
is left to its author, who

- divides by nullif(x, 0): a zero there is infinite in DuckDB and an error on Spark;
- takes ln of what is above 0: of the rest Spark says null, DuckDB minus infinity or an error;
- sums fractions as DECIMAL wherever the last digit counts: a sum of DOUBLE follows the order of its rows;
- gives lower and upper plain letters: of the likes of ß and İ the engines make different ones.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import duckdb
import polars as pl
import sqlglot
from duckdb import ColumnExpression, ConstantExpression, DuckDBPyConnection, DuckDBPyRelation
from polars import selectors
from sqlglot import exp
from sqlglot.errors import ErrorLevel, OptimizeError, SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.table import Table

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType
    from pyarrow.dataset import Dataset

_NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})
_READ_PARQUET = """
    FROM read_parquet($files, hive_partitioning = true, union_by_name = true, hive_types = $hive_types)
"""


class SqlModelError(GamestatsError):
    """A SQL model cannot be read, or its result is not what its table declares."""


class QueryError(GamestatsError):
    """A question to the lake cannot be answered as it is written."""


# --- What a model or a query reads -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Rows of one table in Parquet files on local disk.

    Attributes:
        files: paths of the files, as Delta lists them; none means no rows.
        hive_types: DuckDB type of each column that stands in the folder names
            (`{"day": "DATE"}`); empty when there is none.
        only: column to the values wanted; rows with another value are left out.
    """

    files: Sequence[str]
    hive_types: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, Collection[Any]] = field(default_factory=dict)


Source: TypeAlias = "ParquetSource | pl.LazyFrame | pl.DataFrame | Dataset"
"""What a table's rows can be read from.

A Dataset is read batch by batch, and is the way to read an object store; a LazyFrame is
collected first.
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """Limits of one DuckDB session; None leaves DuckDB's own default.

    Attributes:
        memory_limit: memory DuckDB may use before it spills, such as `"2GB"`.
        threads: worker threads.
        temp_directory: folder it spills to.
    """

    memory_limit: str | None = None
    threads: int | None = None
    temp_directory: Path | None = None

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        chosen = {
            "memory_limit": self.memory_limit,
            "threads": self.threads,
            "temp_directory": str(self.temp_directory) if self.temp_directory else None,
        }
        # Off, so that no statement can make the engine download something.
        return {"autoinstall_known_extensions": "false"} | {k: v for k, v in chosen.items() if v is not None}


# --- Types -----------------------------------------------------------------------------------

_SQL_TYPES: Mapping[type[pl.DataType], str] = {
    pl.Boolean: "BOOLEAN",
    pl.Int8: "TINYINT",
    pl.Int16: "SMALLINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float32: "FLOAT",
    pl.Float64: "DOUBLE",
    pl.String: "VARCHAR",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
}
# Bits of value an integer type can hold.
_INTEGER_BITS: Mapping[str, int] = {
    "TINYINT": 7,
    "UTINYINT": 8,
    "SMALLINT": 15,
    "USMALLINT": 16,
    "INTEGER": 31,
    "UINTEGER": 32,
    "BIGINT": 63,
    "UBIGINT": 64,
    "HUGEINT": 127,
}
_EXACT_BITS: Mapping[str, int] = {"FLOAT": 24, "DOUBLE": 53}
# Types that polars cannot take, also as part of a list or a struct.
_NOT_IN_FRAMES = re.compile(r"INTERVAL|UNION|BIT\b|BIGNUM|VARIANT|\bTIME WITH")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def sql_type(dtype: pl.DataType) -> str:
    """DuckDB's name of a declared column type.

    >>> sql_type(pl.List(pl.Decimal(12, 2)))
    'DECIMAL(12,2)[]'
    """
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision or 38},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"{sql_type(cast(pl.DataType, dtype.inner))}[]"
    return _SQL_TYPES[dtype.base_type()]


def keeps_every_value(found: str, declared: str) -> bool:
    """Whether a cast between two DuckDB types either keeps a value exactly or fails on it.

    Integers and decimals of another width pass, since a value out of range fails the cast;
    what rounds, or reads a time zone into a timestamp, does not pass.

    >>> keeps_every_value("HUGEINT", "BIGINT"), keeps_every_value("DOUBLE", "BIGINT")
    (True, False)
    """
    if found == declared or found == '"NULL"':
        return True
    if found.endswith("[]") and declared.endswith("[]"):
        return keeps_every_value(found[:-2], declared[:-2])
    if declared == "VARCHAR":
        return found.startswith("ENUM(") and not found.endswith("[]")
    if declared in _EXACT_BITS:
        return (found == "FLOAT") or _INTEGER_BITS.get(found, 999) <= _EXACT_BITS[declared]
    scale_found, scale_declared = _scale(found), _scale(declared)
    return scale_found is not None and scale_declared is not None and scale_found <= scale_declared


def _scale(type_name: str) -> int | None:
    """Digits after the point of an exact number type; None for any other type."""
    if type_name in _INTEGER_BITS:
        return 0
    decimal = _DECIMAL.fullmatch(type_name)
    return int(decimal[2]) if decimal else None


# --- What would not mean the same on Spark ---------------------------------------------------

_RANKED = "Spark gets an approximation or another interpolation; rank with row_number and average the middle rows"
_CLOCK = "its value changes from run to run; bind a $parameter instead"
_OUTSIDE = "a model reads tables of the lake only"
_WEEKDAY = "the engines number the days of the week differently; use date_diff from a known Monday, modulo 7"
_EPOCH = "Spark has only whole seconds there; use date_diff with the unit wanted"
_ANY_ROW = "which row comes first is not told; use min or max, or order and take row_number() = 1"
_MOMENTS = "the engines have different formulas; write it with sums"
_NAMES_OF_DAYS = "the engines write other names; join a table of them"
_ABSENT = "Spark has no such function"
# By class name: sqlglot adds and renames expression classes between releases.
_DIFFERENT_ON_SPARK: Mapping[str, str] = {
    "Median": _RANKED,
    "Quantile": _RANKED,
    "PercentileCont": _RANKED,
    "PercentileDisc": _RANKED,
    "ApproxQuantile": _RANKED,
    "ApproxDistinct": "the engines approximate differently; use count(DISTINCT ...)",
    "Mode": "ties are broken differently; count, order and take row_number() = 1",
    "AnyValue": _ANY_ROW,
    "First": _ANY_ROW,
    "Last": _ANY_ROW,
    "CountIf": "where there are only nulls it is null in DuckDB and 0 on Spark; use count(*) FILTER (WHERE ...)",
    "Corr": "where nothing varies it is NaN in DuckDB and null on Spark; write it with covar_pop and stddev_pop",
    "Skewness": _MOMENTS,
    "Kurtosis": _MOMENTS,
    "IsNan": "of null it is null in DuckDB and false on Spark; compare with 'nan'::DOUBLE",
    "Rand": _CLOCK,
    "Uuid": _CLOCK,
    "CurrentDate": _CLOCK,
    "CurrentTime": _CLOCK,
    "CurrentTimestamp": _CLOCK,
    "Localtimestamp": _CLOCK,
    "TableSample": _CLOCK,
    "ReadCSV": _OUTSIDE,
    "ReadParquet": _OUTSIDE,
    "Pivot": "Spark writes PIVOT differently; write one aggregate with FILTER for each column",
    "Columns": "Spark has no COLUMNS(...); name the columns",
    "Comprehension": "Spark has no list comprehension; use list_transform and list_filter",
    "Slice": "Spark has no [from:to]; use substr for texts, and list_filter for lists",
    "SimilarTo": "Spark has no SIMILAR TO; use regexp_matches",
    "Glob": "Spark has no GLOB; use LIKE or regexp_matches",
    "RegexpFullMatch": f"{_ABSENT}; use regexp_matches with ^ and $",
    "Format": "Spark fills in other marks; put texts together with ||",
    "AtTimeZone": "Spark turns it into a shift of the same type; every timestamp of the lake is UTC already",
    "DateBin": "Spark has no date_bin; use date_trunc",
    "DateAdd": "Spark counts days there; use + INTERVAL",
    "ToDays": f"{_ABSENT}; multiply INTERVAL 1 DAY",
    "Week": f"{_ABSENT}; use date_trunc('week', ...), or weekofyear",
    "DayOfWeek": _WEEKDAY,
    "DayOfWeekIso": _WEEKDAY,
    "Dayname": _NAMES_OF_DAYS,
    "Monthname": _NAMES_OF_DAYS,
    "TimeToUnix": _EPOCH,
    "UnixToTime": _EPOCH,
}


def _on_spark(tree: exp.Expr) -> tuple[str, list[str]]:
    """A query in Spark's dialect, and everything in it that Spark would refuse or, worse, compute differently."""
    objections = [
        f"{_excerpt(node)}: {reason}"
        for node in tree.walk()
        if (reason := _DIFFERENT_ON_SPARK.get(type(node).__name__) or _particular_objection(node))
    ]
    text = ""
    try:
        text = _spelt_out(tree).sql("spark", pretty=True, unsupported_level=ErrorLevel.RAISE)
        sqlglot.parse_one(text, dialect="spark")
    except SqlglotError as error:
        objections.append(_first_line(error))
    return text, list(dict.fromkeys(objections))


def _spelt_out(tree: exp.Expr) -> exp.Expr:
    """The query with what DuckDB does on its own accord written out, where Spark would do something else.

    - DuckDB divides and averages decimals as DOUBLE, Spark to a few decimal places.
    - Between two times DuckDB counts how often an hour, a day, ... begins, Spark how many whole ones there are.
    - arg_max leaves nulls out, and of what it orders by they come last; Spark takes them, and has them first.
    - A \\ in the pattern of LIKE is a character like any other; on Spark it escapes.
    """
    tree = tree.copy()
    # The innermost first: what is put into another expression is a copy.
    for node in reversed(
        list(tree.find_all(exp.Div, exp.Avg, exp.DateDiff, exp.ArgMax, exp.ArgMin, exp.Like, exp.ILike))
    ):
        match node:
            case exp.Div() if not isinstance(node.this, exp.Div):
                node.set("this", exp.cast(node.this, exp.DType.DOUBLE))
            case exp.Avg():
                averaged = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
                averaged.replace(exp.cast(averaged.copy(), exp.DType.DOUBLE))
            case exp.DateDiff() if (unit := node.text("unit").upper()) != "MICROSECOND":
                for side in ("this", "expression"):
                    time = node.args[side]
                    day, begun = exp.cast(time, exp.DType.DATE), exp.TimestampTrunc(this=time, unit=exp.var(unit))
                    node.set(side, day if unit in ("DAY", "WEEK") else begun)
            case exp.ArgMax() | exp.ArgMin():
                _spell_out_nulls(node)
            case exp.Like() | exp.ILike() if not isinstance(node.parent, exp.Escape) and _may_escape(node.expression):
                backslash = [exp.Literal.string(text) for text in ("\\", "\\\\")]
                node.set("expression", exp.func("REPLACE", node.expression, *backslash, dialect="duckdb"))
    return tree


def _spell_out_nulls(node: exp.ArgMax | exp.ArgMin) -> None:
    parts = [part.expression if isinstance(part, exp.PropertyEQ) else part for part in node.expression.expressions]
    ordered = [each for part in parts for each in (part.is_(exp.null()), part.copy())]
    told = exp.not_(node.this.is_(exp.null()))
    node.set("expression", exp.Tuple(expressions=ordered))
    if isinstance(node.parent, exp.Filter):
        only = node.parent.expression
        only.set("this", exp.and_(only.this, told))
    else:
        node.replace(exp.Filter(this=node.copy(), expression=exp.Where(this=told)))


def _may_escape(pattern: exp.Expr) -> bool:
    return not isinstance(pattern, exp.Literal) or "\\" in pattern.name


def _particular_objection(node: exp.Expr) -> str | None:
    """Objections that depend on how a construct is used."""
    match node:
        case exp.Join() if node.method == "ASOF":
            return "Spark has no ASOF JOIN; join on a range whose end is lead(time) over the joined table"
        case exp.Join() if node.method:
            return f"Spark has no {node.method} JOIN; join on columns"
        case exp.With() if node.recursive:
            return "Spark before 4.1 has no WITH RECURSIVE; unroll it, or write the table in Python"
        case exp.CTE() if node.args.get("materialized") is not None:
            return "Spark decides that itself; leave [NOT] MATERIALIZED out"
        case exp.SetOperation() if node.args.get("by_name"):
            return "Spark has no UNION BY NAME; name the columns in order"
        case exp.Star() if node.args.get("replace") or node.args.get("rename"):
            return "Spark has only * EXCLUDE; name the columns"
        case exp.Anonymous():
            return f"the function {node.name!r} has no known translation to Spark"
        case exp.Select() if node.args.get("qualify") and _groups_by_all(node):
            return "its Spark form would group by the window too; name the columns of GROUP BY"
        case exp.Window() if node.this.find(exp.Distinct):
            return "Spark counts nothing DISTINCT over a window; group first"
        case exp.WindowSpec() if str(node.args.get("kind")).upper() == "GROUPS":
            return "Spark has no GROUPS; use RANGE or ROWS"
        case exp.Log() if node.expression is None:
            return "log(x) is base 10 in DuckDB and base e in Spark; use log10 or ln"
        case exp.RegexpReplace() if "g" not in str(node.args.get("modifiers") or ""):
            return "without 'g' DuckDB replaces the first match and Spark all of them; add 'g'"
        case exp.RegexpReplace() if re.search(r"[\\$]", node.text("replacement")):
            return "the engines name groups differently, \\1 and $1; use regexp_extract"
        case exp.ArgMax() | exp.ArgMin() if not isinstance(node.expression, (exp.Struct, exp.Tuple)):
            return "of ties each engine takes another; order by what tells them apart too, such as (time, row_number)"
        case exp.Substring() if node.text("start") == "0":
            return "what begins at 0 lacks a character in DuckDB; begin at 1"
        case exp.ArrayAgg() if isinstance(node.this, exp.Order):
            return "Spark drops the order inside it; sort with list_sort"
        case exp.ArrayAgg() if not _is_list_without_nulls(node):
            return (
                "Spark leaves nulls out, and has an empty list where DuckDB has null; "
                "write coalesce(list_sort(list(x) FILTER (WHERE x IS NOT NULL)), [])"
            )
        case exp.GroupConcat() if not isinstance(node.this, exp.Order):
            return "the order of rows is not told; add ORDER BY inside it"
        case exp.GroupConcat() if _is_beside_distinct(node):
            return "Spark fails on it beside another aggregate that is DISTINCT; join two SELECTs"
        case exp.Max() | exp.Min() if isinstance(node.this, (exp.Struct, exp.Tuple)):
            return "nulls in it come last in DuckDB and first on Spark; order and take row_number() = 1"
        case exp.Explode() if not isinstance(node.parent, exp.Select) and not (
            isinstance(node.parent, exp.Alias) and isinstance(node.parent.parent, exp.Select)
        ):
            return "Spark takes it only by itself in a SELECT; put what is around it into an outer one"
        case exp.In() if node.args.get("query") and type(node.find_ancestor(*_CONDITIONS, exp.Select)) is exp.Select:
            return "where DuckDB says null Spark says false; use EXISTS or a join"
        case exp.Extract() if node.name.upper() == "EPOCH":
            return _EPOCH
        case exp.Extract() if node.name.upper() == "SECOND":
            return "it has a fraction on Spark only; use second(...)"
        case exp.Interval() if not isinstance(node.this, exp.Literal):
            return "Spark takes a number there only; multiply INTERVAL 1 DAY"
        case exp.Collate():
            return "the engines name collations differently; compare lower(...)"
        case exp.DataType() if node.this in (exp.DType.INT128, exp.DType.UINT128):
            return "Spark has no 128 bit integer; use BIGINT or DECIMAL(38, 0)"
        case _:
            return None


# Where null and false come to the same.
_CONDITIONS = (exp.Where, exp.Having, exp.Qualify, exp.Join, exp.If)


def _groups_by_all(select: exp.Select) -> bool:
    group = select.args.get("group")
    return group is not None and bool(group.args.get("all"))


def _is_beside_distinct(aggregate: exp.GroupConcat) -> bool:
    select = aggregate.parent_select
    found = [d for one in (select.expressions if select else []) for d in one.find_all(exp.Distinct)]
    return any(distinct.find_ancestor(exp.GroupConcat) is not aggregate for distinct in found)


def _is_list_without_nulls(aggregate: exp.ArrayAgg) -> bool:
    """Whether a list is sorted, without nulls, and [] where it has nothing."""
    listed = aggregate.this.expressions[0] if isinstance(aggregate.this, exp.Distinct) else aggregate.this
    kept = aggregate.parent
    if not isinstance(kept, exp.Filter) or not isinstance(kept.parent, exp.ArraySort):
        return False
    only = [found.this for found in kept.expression.find_all(exp.Is) if isinstance(found.parent, exp.Not)]
    return listed in only and isinstance(kept.parent.parent, exp.Coalesce)


def _typed_objections(qualified: exp.Query) -> list[str]:
    """What Spark would compute differently because of the types that it is given."""
    objections = [
        f"{_excerpt(node)}: {reason}"
        for node in qualified.walk()
        if isinstance(node.this, exp.Expr) and (reason := _typed_objection(node, node.this))
    ]
    return list(dict.fromkeys(objections))


_INTEGERS = exp.DataType.INTEGER_TYPES
_FLOATS = exp.DataType.FLOAT_TYPES
_TIMESTAMPS = exp.DataType.TEMPORAL_TYPES - {exp.DType.DATE}
_WHOLE = (exp.Round, exp.Floor, exp.Ceil, exp.Trunc)


def _typed_objection(node: exp.Expr, operand: exp.Expr) -> str | None:
    match node:
        case exp.Cast() if node.to.is_type(*_INTEGERS) and _has_fraction(operand.unnest()):
            return "DuckDB rounds and Spark cuts off; write round, floor or ceil inside of it"
        case exp.Cast() if node.to.is_type(*exp.DataType.TEXT_TYPES) and operand.is_type(*_FLOATS, *_TIMESTAMPS):
            return "the engines write it differently; use strftime, or cast to DECIMAL first"
        case exp.Round() if not _is_whole(node) and operand.is_type(*_FLOATS):
            return "of a DOUBLE such as 1.005 DuckDB rounds the binary value, Spark the text; CAST it AS DECIMAL before"
        case exp.IntDiv() if not (operand.is_type(*_INTEGERS) and node.expression.is_type(*_INTEGERS)):
            return "of fractions DuckDB makes a DOUBLE, Spark an integer; use floor(x / y)"
        case exp.Sub() if operand.is_type(exp.DType.DATE) and node.expression.is_type(exp.DType.DATE):
            return "it is a number in DuckDB and an INTERVAL on Spark; use date_diff('day', earlier, later)"
        case exp.Length() if operand.is_type(exp.DType.ARRAY, exp.DType.LIST):
            return "Spark has it for texts only; use array_length"
        case exp.Bracket() if operand.is_type(*exp.DataType.TEXT_TYPES):
            return "Spark has it for lists only; use substr"
        case _:
            return None


def _is_whole(rounded: exp.Expr) -> bool:
    decimals = rounded.args.get("decimals")
    return decimals is None or decimals.name == "0"


def _has_fraction(operand: exp.Expr) -> bool:
    if isinstance(operand, _WHOLE) and _is_whole(operand):
        return False
    if operand.is_type(exp.DType.DECIMAL):
        scale = operand.type.expressions[1:] if operand.type else []
        return not scale or scale[0].name != "0"
    return operand.is_type(*_FLOATS)


# --- Models ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SqlModel:
    """One SELECT that makes one table; made by `SqlModel.load`.

    Attributes:
        path: the file.
        table: the table its rows become.
        text: the file's text, DuckDB dialect.
        description: the comment block at the head of the file, or "".
        reads: the tables it names, by `game.table`, in alphabetical order.
        parameters: names bound as `$name`, in alphabetical order.
        spark_sql: the same query in Spark's dialect; parameters become `:name`.
    """

    path: Path
    table: type[Table]
    text: str
    description: str
    reads: Mapping[str, type[Table]]
    parameters: tuple[str, ...]
    spark_sql: str = field(repr=False)
    _qualified: exp.Query = field(repr=False)

    @classmethod
    def load(
        cls,
        path: Path,
        table: type[Table],
        known: Mapping[str, type[Table]],
        parameters: Collection[str] = (),
    ) -> SqlModel:
        """Read and check the model of a table.

        Args:
            path: `.../<game>/<table>.sql`.
            table: the table the model makes.
            known: every table a model may name, by `game.table`.
            parameters: names the caller will bind.

        Raises:
            SqlModelError: when the file cannot be read or stands under another table's name, is not
                exactly one SELECT, names an unknown table, column or parameter, gives other
                columns than the table declares, or uses what would not mean the same on Spark.
        """
        if (path.parent.name, path.stem) != (table.spec.game, table.spec.name):
            raise SqlModelError(
                f"{path}: the model of {table.spec.dotted} is expected at {table.spec.key}.sql; "
                f"move the file, or load it for the table it makes."
            )
        text = _text_of(path)
        tree = _one_select(path, text)
        reads = _tables_read(path, tree, table, known)
        bound = _parameters_of(path, tree, parameters)
        spark, objections = _on_spark(tree)
        if objections:
            raise SqlModelError(f"{path}: this would not mean the same on Spark:" + _bullets(objections))
        qualified = _qualify(path, tree, reads)
        if objections := _typed_objections(qualified):
            raise SqlModelError(f"{path}: this would not mean the same on Spark:" + _bullets(objections))
        _expect_columns(path, qualified, table)
        return cls(path, table, text, _leading_comment(text), reads, bound, spark, qualified)

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The tables it names, as `game.table`, in alphabetical order."""
        return tuple(self.reads)

    @cached_property
    def column_lineage(self) -> Mapping[str, list[tuple[str, str]]]:
        """Output column to the (`game.table`, column) pairs its value is computed from.

        A column computed from no column, such as count(*), has an empty list. Computed at first use.
        """
        roots = lineage(
            None,
            self._qualified,
            _sqlglot_schema(self.reads),
            dialect="duckdb",
            # What is qualified already is not qualified once more.
            scope=build_scope(self._qualified),
            trim_selects=False,
            copy=False,
        )
        return {name: self._origins(roots[name.lower()]) for name in self.table.columns()}

    def _origins(self, root: Node) -> list[tuple[str, str]]:
        # A column may also come from a series or an unnested list, which no table holds.
        sources = ((node.source, node.name) for node in root.walk() if isinstance(node.source, exp.Table))
        named = {(f"{source.db}.{source.name}", exp.to_column(column).name) for source, column in sources}
        return sorted(pair for pair in named if pair[0] in self.reads)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SqlModelError(f"{path}: a SQL file in UTF-8 is expected there; {error}.") from error


def _one_select(path: Path, text: str) -> exp.Query:
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect="duckdb") if tree is not None]
    except SqlglotError as error:
        raise SqlModelError(f"{path}: cannot be read as DuckDB SQL: {_first_line(error)}") from error
    if len(trees) != 1 or not isinstance(trees[0], (exp.Select, exp.SetOperation)):
        found = ", ".join(tree.key.upper() for tree in trees) or "nothing"
        raise SqlModelError(
            f"{path}: expected exactly one SELECT, CTEs welcome, and nothing after its semicolon; found {found}."
        )
    return trees[0]


def _tables_read(
    path: Path, tree: exp.Query, table: type[Table], known: Mapping[str, type[Table]]
) -> dict[str, type[Table]]:
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    names: set[str] = set()
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier):
            raise SqlModelError(
                f"{path}: {_excerpt(node)}: {_OUTSIDE}; name a declared table as game.table. "
                f"Numbers or days come from a SELECT of unnest(generate_series(...))."
            )
        if node.db or node.name.lower() not in ctes:
            names.add(".".join(part.name for part in node.parts).lower())
    for name in sorted(names):
        if name not in known:
            raise SqlModelError(
                f"{path}: there is no table {name!r}. {_nearest(name, known, 'Tables')} "
                f"Tables are named game.table, as declared in the game's tables."
            )
        if name == table.spec.dotted:
            raise SqlModelError(f"{path}: reads {name}, the table it makes; read the tables it is made from.")
    return {name: known[name] for name in sorted(names)}


def _parameters_of(path: Path, tree: exp.Query, declared: Collection[str]) -> tuple[str, ...]:
    names = sorted({node.name for node in tree.find_all(exp.Placeholder, exp.Parameter)})
    for name in names:
        if not name.isidentifier():
            raise SqlModelError(f"{path}: parameters are bound by name; write $name in place of each ? or $1.")
        if name not in declared:
            raise SqlModelError(
                f"{path}: nobody binds the parameter ${name}. {_nearest(name, declared, 'Parameters')} "
                f"Declare it where the model is made an asset, or take it out."
            )
    return tuple(names)


def _qualify(path: Path, tree: exp.Query, reads: Mapping[str, type[Table]]) -> exp.Query:
    schema = _sqlglot_schema(reads)
    try:
        return annotate_types(qualify(tree.copy(), schema=schema, dialect="duckdb"), schema=schema, dialect="duckdb")
    except OptimizeError as error:
        message = _first_line(error)
        named = re.search(r"column:? [\"']?(\w+)", message, re.IGNORECASE)
        columns = sorted({column for table in reads.values() for column in table.columns()})
        advice = _nearest(named[1], columns, f"Columns of {', '.join(reads)}") if named else ""
        raise SqlModelError(f"{path}: {message} {advice}".rstrip()) from error


def _sqlglot_schema(reads: Mapping[str, type[Table]]) -> dict[str, object]:
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table in reads.values():
        types = {name: sql_type(dtype) for name, dtype in table.schema().items()}
        schema.setdefault(table.spec.game, {})[table.spec.name] = types
    return cast(dict[str, object], schema)


def _expect_columns(path: Path, qualified: exp.Query, table: type[Table]) -> None:
    given = [name.lower() for name in qualified.named_selects]
    declared = {name.lower(): name for name in table.columns()}
    problems = [
        *(f"gives {name!r} twice" for name in dict.fromkeys(given) if given.count(name) > 1),
        *(f"does not give {name!r}" for lower, name in declared.items() if lower not in given),
        *(_extra_column(name) for name in dict.fromkeys(given) if name not in declared),
    ]
    if problems:
        raise SqlModelError(
            f"{path}: the columns are not those {table.__name__} declares for {table.spec.dotted}. "
            f"Change the SELECT or the declaration; the query{_bullets(problems)}"
        )


def _extra_column(name: str) -> str:
    if name.startswith("_col_"):
        return f"gives an expression without a name, number {int(name[5:]) + 1} of the SELECT; add AS"
    return f"gives {name!r}, which is not declared"


def _leading_comment(text: str) -> str:
    block = re.match(r"(?:\s*(?:--[^\n]*(?:\n|\Z)|/\*.*?\*/))+", text, re.DOTALL)
    if not block:
        return ""
    lines = (re.sub(r"^\s*(?:--+|/\*+|\*(?!/))? ?|\s*\*+/\s*$", "", line) for line in block[0].strip().splitlines())
    return "\n".join(line.rstrip() for line in lines).strip()


# --- Running ---------------------------------------------------------------------------------


def run_model(
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
    *,
    engine: Engine = Engine(),
    connection: DuckDBPyConnection | None = None,
) -> pl.DataFrame:
    """The model's rows, with the declared columns in declared order and type.

    Args:
        model: what to run.
        sources: rows of every table the model names, by `game.table`.
        parameters: value of every `$name` of the model.
        engine: limits of the DuckDB session.
        connection: a session to run in instead of a new one. It is left open with its clock set to UTC
            and a view for each table; `engine` is then not looked at.

    Raises:
        SqlModelError: as `stream_model` does.
    """
    batches = stream_model(model, sources, parameters, engine=engine, connection=connection)
    return pl.concat([pl.DataFrame(schema=model.table.schema()), *batches], rechunk=True)


def stream_model(
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
    *,
    engine: Engine = Engine(),
    connection: DuckDBPyConnection | None = None,
    batch_rows: int = 100_000,
) -> Iterator[pl.DataFrame]:
    """The model's rows in frames of about `batch_rows`, never held all at once.

    The other arguments are those of `run_model`. Nothing is yielded when there are no rows. The session
    opens with the first frame asked for and closes after the last, on an error, or when the
    iterator is closed.

    Raises:
        SqlModelError: when sources or parameters are missing or unknown, when the engine refuses
            the query, when a column's type is not the declared one and a cast could change
            values, or when a value does not fit the declared type.
    """
    expect_given(model, sources, parameters)
    with _blamed_on(model), _session(engine, connection) as con:
        for name, table in model.reads.items():
            _create_view(con, table, sources[name])
        result = _declared_columns(con.sql(model.text, params=dict(parameters)), model)
        for batch in cast(Iterable[Any], result.to_arrow_reader(batch_rows)):
            yield declared_types(cast(pl.DataFrame, pl.from_arrow(batch)), model)


def expect_given(model: SqlModel, sources: Collection[str], parameters: Collection[str]) -> None:
    """Refuse to run a model without exactly the sources and the parameters that it names.

    Raises:
        SqlModelError: with the missing, or else the unknown names.
    """
    for kind, expected, given in (("source", model.reads, sources), ("parameter", model.parameters, parameters)):
        problems = [f"{kind} {name!r} is missing" for name in expected if name not in given]
        problems += [f"{kind} {name!r} is not used by the model" for name in given if name not in expected]
        if problems:
            raise SqlModelError(f"{model.path}: expected exactly the {kind}s the model names:{_bullets(problems)}")


def declared_rows(table: type[Table], source: Source) -> pl.DataFrame:
    """The rows of a source with exactly the declared columns and types, as a model is shown them.

    Raises:
        SqlModelError: when a column is stored as a type whose cast could change values.
    """
    with _session(Engine(), None) as con:
        _create_view(con, table, source)
        rows = con.sql(exp.select("*").from_(exp.table_(table.spec.name, table.spec.game, quoted=True)).sql("duckdb"))
        return cast(pl.DataFrame, pl.from_arrow(rows.to_arrow_table(), schema=dict(table.schema())))


def check_types(model: SqlModel) -> None:
    """Let the engine read the model over empty tables, so that type errors show without data.

    Raises:
        SqlModelError: as `stream_model` does.
    """
    empty = {name: pl.DataFrame(schema=table.schema()) for name, table in model.reads.items()}
    run_model(model, empty, dict.fromkeys(model.parameters))


def query(
    sql: str,
    sources: Callable[[str], Source],
    known: Mapping[str, type[Table]],
    *,
    engine: Engine = Engine(),
) -> pl.DataFrame:
    """Answer one SELECT, DESCRIBE, SUMMARIZE or SHOW over tables of the lake.

    Only the tables it names are opened, and no other file can be reached. Types that polars lacks
    (INTERVAL and the like) come as text.

    Args:
        sql: the question, DuckDB dialect, tables named `game.table`.
        sources: gives the rows of a table by its `game.table`.
        known: every table of the lake, by `game.table`.
        engine: limits of the DuckDB session.

    Raises:
        QueryError: when it is something else than one such statement, names an unknown table, or
            the engine refuses it.
    """
    try:
        with _session(engine, None) as con:
            named = _tables_asked_for(con, sql, known)
            opened = {name: sources(name) for name in named}
            for name, source in opened.items():
                _create_view(con, known[name], source)
            if not named:
                # SHOW ALL TABLES then lists the lake, without opening any of it.
                for table in known.values():
                    _create_view(con, table, pl.DataFrame(schema=table.schema()))
            _shut_off(con, [file for s in opened.values() if isinstance(s, ParquetSource) for file in s.files])
            return _as_frame(con.sql(sql))
    except duckdb.Error as error:
        raise QueryError(f"The query cannot be answered: {error}") from error


def _tables_asked_for(con: DuckDBPyConnection, sql: str, known: Mapping[str, type[Table]]) -> list[str]:
    kinds = [statement.type for statement in con.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise QueryError(
            f"Expected one SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE statement, found {found}. "
            f"The lake is only read here; a PIVOT goes inside a SELECT, with its values in IN (...)."
        )
    # The engine's own reading, which looks nothing up: names alone decide what is opened.
    parsed = con.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()[0][0]
    nodes = list(_objects(json.loads(parsed)))
    ctes = {entry["key"].lower() for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    tables = [node for node in nodes if node.get("type") == "BASE_TABLE"]
    named = sorted(
        {
            f"{table['schema_name']}.{table['table_name']}".removeprefix(".").lower()
            for table in tables
            if table["schema_name"] or table["table_name"].lower() not in ctes
        }
    )
    for name in named:
        if name not in known:
            raise QueryError(
                f"There is no table {name!r}. {_nearest(name, known)} "
                f"Tables are named game.table; `gamestats tables` lists them."
            )
    return named


def _objects(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object anywhere in a JSON value."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _objects(part)


def _shut_off(con: DuckDBPyConnection, files: Sequence[str]) -> None:
    """Leave the session the given files and nothing else of the disk, for good."""
    con.execute("SET allowed_paths = $files", {"files": list(files)})
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


@contextmanager
def _session(engine: Engine, connection: DuckDBPyConnection | None) -> Iterator[DuckDBPyConnection]:
    con = connection or duckdb.connect(":memory:", config=engine._config())
    try:
        # Days and hours are cut at UTC, whatever the machine's own time zone.
        con.execute("SET TimeZone = 'UTC'")
        # A misspelt table must not find a Python variable of that name.
        con.execute("SET python_enable_replacements = false")
        # In a process without a script of its own DuckDB would draw a bar, into whatever stdout is.
        con.execute("SET enable_progress_bar = false")
        yield con
    finally:
        if connection is None:
            con.close()


def _create_view(con: DuckDBPyConnection, table: type[Table], source: Source) -> None:
    """Show a source as `game.table`, with exactly the declared columns."""
    relation = _relation(con, table, source)
    found = {name.lower(): str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    columns: list[duckdb.Expression] = []
    for name, dtype in table.schema().items():
        declared = sql_type(dtype)
        stored = found.get(name.lower())
        if stored is not None and not keeps_every_value(stored, declared):
            raise SqlModelError(
                f"{table.spec.dotted}: column {name!r} is declared {declared} and stored as {stored}; "
                f"rebuild the table, or declare the stored type."
            )
        # Files written before a column was declared lack it.
        column = ColumnExpression(name) if stored is not None else ConstantExpression(None)
        columns.append(column.cast(cast("DuckDBPyType", declared)).alias(name))
    schema = exp.to_identifier(table.spec.game, quoted=True)
    con.execute(exp.Create(this=schema, kind="SCHEMA", exists=True).sql("duckdb"))
    con.execute("SET schema = $schema", {"schema": table.spec.game})
    relation.select(*columns).create_view(table.spec.name, replace=True)
    con.execute("SET schema = 'main'")


def _relation(con: DuckDBPyConnection, table: type[Table], source: Source) -> DuckDBPyRelation:
    if isinstance(source, ParquetSource):
        return _parquet(con, source, table.schema())
    if isinstance(source, pl.LazyFrame):
        source = source.select(selectors.by_name(*table.columns(), require_all=False)).collect(engine="streaming")
    return con.from_arrow(source.to_arrow() if isinstance(source, pl.DataFrame) else source)


def _parquet(con: DuckDBPyConnection, source: ParquetSource, schema: pl.Schema) -> DuckDBPyRelation:
    files = list(source.files)
    if not files:
        return con.from_arrow(pl.DataFrame(schema=schema).to_arrow())
    if source.hive_types:
        # Told, not guessed: a text partition such as 2026-01-01 would be taken for a date.
        relation = con.sql(_READ_PARQUET, params={"files": files, "hive_types": dict(source.hive_types)})
    else:
        relation = con.read_parquet(files, union_by_name=True)
    for column, values in source.only.items():
        wanted = pl.DataFrame({column: list(values)}, schema={column: schema[column]}).unique()
        relation = relation.join(con.from_arrow(wanted.to_arrow()), column, how="semi")
    return relation


def _declared_columns(result: DuckDBPyRelation, model: SqlModel) -> DuckDBPyRelation:
    """The result with declared columns in declared order, refused where a cast could change values."""
    refuse_lossy(model, {name: str(kind) for name, kind in zip(result.columns, result.types, strict=True)})
    return result.select(*(ColumnExpression(name).alias(name) for name in model.table.columns()))


def refuse_lossy(model: SqlModel, types: Mapping[str, str]) -> None:
    """Refuse a result whose cast to the declared types could change values.

    Args:
        model: whose result it is.
        types: DuckDB type of each column of the result.

    Raises:
        SqlModelError: with every such column.
    """
    found = {name.lower(): kind for name, kind in types.items()}
    problems = [
        f"column {name!r} is declared {sql_type(dtype)}, found {found[name.lower()]}"
        for name, dtype in model.table.schema().items()
        if not keeps_every_value(found[name.lower()], sql_type(dtype))
    ]
    if problems:
        raise SqlModelError(
            f"{model.path}: a cast to the declared type could change values. Write the CAST in the model, "
            f"or declare the type found:{_bullets(problems)}"
        )


def declared_types(batch: pl.DataFrame, model: SqlModel) -> pl.DataFrame:
    """Rows of a model's result, cast to the declared types.

    Raises:
        SqlModelError: when a value does not fit.
    """
    columns: list[pl.Series] = []
    for name, dtype in model.table.schema().items():
        try:
            columns.append(batch.get_column(name).cast(dtype, strict=True))
        except pl.exceptions.InvalidOperationError as error:
            raise SqlModelError(
                f"{model.path}: column {name!r} has values that do not fit the declared {sql_type(dtype)}: "
                f"{_first_line(error)}. Mend the model, or declare a wider type."
            ) from error
    return pl.DataFrame(columns)


def _as_frame(result: DuckDBPyRelation) -> pl.DataFrame:
    # Columns of one name get a suffix each this way, where a frame would refuse them.
    result = result.set_alias("answer")
    columns: list[duckdb.Expression] = []
    for name, kind in zip(result.columns, result.types, strict=True):
        column = ColumnExpression(name)
        if _NOT_IN_FRAMES.search(str(kind)):
            column = column.cast(cast("DuckDBPyType", "VARCHAR")).alias(name)
        columns.append(column)
    return cast(pl.DataFrame, pl.from_arrow(cast(Any, result.select(*columns).to_arrow_table())))


# --- Messages --------------------------------------------------------------------------------


@contextmanager
def _blamed_on(model: SqlModel) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:  # pyarrow turns what fails amid the stream into an OSError
        raise SqlModelError(f"{model.path}: the engine refuses the query: {error}") from error


def _nearest(name: str, among: Iterable[str], heading: str | None = None) -> str:
    """Advice on a name that does not exist; with a heading, all names when none is near."""
    names = list(among)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    near += [other for other in names if other.split(".")[-1] == name and other not in near]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"{heading}: {', '.join(sorted(names)) or 'none'}." if heading else ""


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"\n- {line}" for line in lines)


def _excerpt(node: exp.Expr) -> str:
    text = " ".join(node.sql("duckdb", comments=False).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _first_line(error: Exception) -> str:
    # sqlglot underlines with terminal codes, which do not belong in a log.
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()[0]
