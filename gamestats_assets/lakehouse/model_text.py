"""What sqlglot reads in a SQL model's text: where each column comes from, its Spark form, and what Spark would say.

Running a model needs none of it, so nothing here is imported until it is asked for. `objections` is for tests, which
ask it of every model; that a model gives the same rows on both engines is shown by running it on both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from gamestats_assets.lakehouse.sql import SqlModelError, sql_type

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.sql import SqlModel

Lineage = Mapping[str, list[tuple[str, str]]]
"""Output column to the (`game.table`, column) pairs that its value is computed from."""


def column_lineage(model: SqlModel) -> Lineage:
    """Where each declared column comes from; one computed from no column, such as count(*), has an empty list.

    Raises:
        SqlModelError: when the text is not one SELECT of the declared columns of what it reads.
    """
    qualified = _qualified(model, _one_select(model))
    roots = lineage(
        None,
        qualified,
        _schema(model),
        dialect="duckdb",
        # What is qualified already is not qualified once more.
        scope=build_scope(qualified),
        trim_selects=False,
        copy=False,
    )
    if absent := [name for name in model.table.columns() if name.lower() not in roots]:
        raise SqlModelError(f"{model.path}: does not give {', '.join(absent)}.")
    return {name: _origins(model, roots[name.lower()]) for name in model.table.columns()}


def _origins(model: SqlModel, root: Node) -> list[tuple[str, str]]:
    # A column may also come from a series or an unnested list, which no table holds.
    sources = ((node.source, node.name) for node in root.walk() if isinstance(node.source, exp.Table))
    named = {(f"{source.db}.{source.name}", exp.to_column(column).name) for source, column in sources}
    return sorted(pair for pair in named if pair[0] in model.reads)


def spark_sql(model: SqlModel) -> str:
    """The model's query in Spark's dialect; parameters become `:name`.

    Raises:
        SqlModelError: when the text is not one SELECT, or when Spark has no word for something in it.
    """
    try:
        return _spelt_out(_one_select(model)).sql("spark", pretty=True, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise SqlModelError(f"{model.path}: cannot be written for Spark: {_first_line(error)}") from error


def objections(model: SqlModel) -> list[str]:
    """What an engine would run and a model should not say: it looks past the lake, or means something else on Spark.

    Raises:
        SqlModelError: as `column_lineage` and `spark_sql` do.
    """
    tree = _one_select(model)
    spark_sql(model)
    found = [*_outside(model, tree), *(_told(node, reason) for node in tree.walk() if (reason := _objection(node)))]
    if not found:
        found = [_told(node, reason) for node in _qualified(model, tree).walk() if (reason := _typed_objection(node))]
    return list(dict.fromkeys(found))


def _one_select(model: SqlModel) -> exp.Query:
    try:
        trees = [tree for tree in sqlglot.parse(model.text, dialect="duckdb") if tree is not None]
    except SqlglotError as error:
        raise SqlModelError(f"{model.path}: cannot be read as DuckDB SQL: {_first_line(error)}") from error
    if len(trees) != 1 or not isinstance(trees[0], (exp.Select, exp.SetOperation)):
        found = ", ".join(tree.key.upper() for tree in trees) or "nothing"
        raise SqlModelError(f"{model.path}: expected exactly one SELECT, found {found}.")
    return trees[0]


def _qualified(model: SqlModel, tree: exp.Query) -> exp.Query:
    schema = _schema(model)
    try:
        return annotate_types(qualify(tree.copy(), schema=schema, dialect="duckdb"), schema=schema, dialect="duckdb")
    except SqlglotError as error:
        raise SqlModelError(f"{model.path}: {_first_line(error)}") from error


def _schema(model: SqlModel) -> dict[str, object]:
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table in model.reads.values():
        types = {name: sql_type(dtype) for name, dtype in table.schema().items()}
        schema.setdefault(table.spec.game, {})[table.spec.name] = types
    return cast(dict[str, object], schema)


def _outside(model: SqlModel, tree: exp.Query) -> list[str]:
    """Files, functions and names in place of declared tables, and parameters that have no name."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    names = {
        ".".join(part.name for part in node.parts).lower() if isinstance(node.this, exp.Identifier) else _excerpt(node)
        for node in tree.find_all(exp.Table)
        if node.db or node.name.lower() not in ctes
    }
    unnamed = {_excerpt(node) for node in tree.find_all(exp.Placeholder, exp.Parameter) if not node.name.isidentifier()}
    return [
        *(
            f"{name}: not a table of the lake; name a declared one as game.table"
            for name in sorted(names - {*model.reads})
        ),
        *(f"{name}: named in the text, and not read by the query" for name in sorted({*model.reads} - names)),
        *(f"{name}: parameters are bound by name, as $name" for name in sorted(unnamed)),
    ]


# --- Spark -----------------------------------------------------------------------------------


def _spelt_out(tree: exp.Query) -> exp.Query:
    """The query with what DuckDB does on its own accord written out, where Spark would do something else.

    - DuckDB divides and averages decimals as DOUBLE, Spark to a few decimal places.
    - Between two times DuckDB counts how often an hour, a day, ... begins, Spark how many whole ones there are.
    - arg_max leaves nulls out, and of what it orders by they come last; Spark takes them, and has them first.
    - A \\ in the pattern of LIKE is a character like any other; on Spark it escapes.
    """
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


_RANKED = "Spark gets an approximation or another interpolation; rank with row_number and average the middle rows"
_CLOCK = "its value changes from run to run; bind a $parameter instead"
_ANY_ROW = "which row comes first is not told; use min or max, or order and take row_number() = 1"
# Differences that would pass unseen where the rows compared happen to agree. By class name: sqlglot adds and renames
# expression classes between releases.
_DIFFERENT_ON_SPARK: Mapping[str, str] = {
    **dict.fromkeys(("Median", "Quantile", "PercentileCont", "PercentileDisc", "ApproxQuantile"), _RANKED),
    **dict.fromkeys(("Rand", "Uuid", "CurrentDate", "CurrentTime", "CurrentTimestamp", "TableSample"), _CLOCK),
    **dict.fromkeys(("AnyValue", "First", "Last", "Mode"), _ANY_ROW),
    **dict.fromkeys(("DayOfWeek", "DayOfWeekIso"), "the engines number days differently; use date_diff modulo 7"),
}


def _objection(node: exp.Expr) -> str | None:
    """What Spark would refuse or, worse, compute differently."""
    match node:
        case _ if reason := _DIFFERENT_ON_SPARK.get(type(node).__name__):
            return reason
        case exp.Join() if node.method:
            return f"Spark has no {node.method} JOIN; join on columns, or on a range whose end is lead(time)"
        case exp.Anonymous():
            return f"the function {node.name!r} has no known translation to Spark"
        case exp.Log() if node.expression is None:
            return "log(x) is base 10 in DuckDB and base e in Spark; use log10 or ln"
        case exp.RegexpReplace() if "g" not in str(node.args.get("modifiers") or ""):
            return "without 'g' DuckDB replaces the first match and Spark all of them; add 'g'"
        case exp.ArgMax() | exp.ArgMin() if not isinstance(node.expression, (exp.Struct, exp.Tuple)):
            return "of ties each engine takes another; order by what tells them apart too, such as (time, row_number)"
        case exp.ArrayAgg() if not node.find_ancestor(exp.ArraySort):
            return "Spark drops the order inside it, and leaves nulls out; sort with list_sort"
        case exp.GroupConcat() if not isinstance(node.this, exp.Order):
            return "the order of rows is not told; add ORDER BY inside it"
        case _:
            return None


def _typed_objection(node: exp.Expr) -> str | None:
    """What Spark would compute differently because of the types that it is given."""
    match node:
        case exp.Cast() if node.to.is_type(*exp.DataType.INTEGER_TYPES) and _has_fraction(node.this.unnest()):
            return "DuckDB rounds and Spark cuts off; write round, floor or ceil inside of it"
        case exp.Round() if not _is_whole(node) and node.this.is_type(*exp.DataType.FLOAT_TYPES):
            return "of a DOUBLE such as 1.005 DuckDB rounds the binary value, Spark the text; CAST it AS DECIMAL before"
        case exp.Sub() if node.this.is_type(exp.DType.DATE) and node.expression.is_type(exp.DType.DATE):
            return "it is a number in DuckDB and an INTERVAL on Spark; use date_diff('day', earlier, later)"
        case _:
            return None


def _is_whole(rounded: exp.Expr) -> bool:
    decimals = rounded.args.get("decimals")
    return decimals is None or decimals.name == "0"


def _has_fraction(operand: exp.Expr) -> bool:
    if isinstance(operand, (exp.Round, exp.Floor, exp.Ceil, exp.Trunc)) and _is_whole(operand):
        return False
    if operand.is_type(exp.DType.DECIMAL):
        scale = operand.type.expressions[1:] if operand.type else []
        return not scale or scale[0].name != "0"
    return operand.is_type(*exp.DataType.FLOAT_TYPES)


# --- Messages --------------------------------------------------------------------------------


def _told(node: exp.Expr, reason: str) -> str:
    return f"{_excerpt(node)}: {reason}"


def _excerpt(node: exp.Expr) -> str:
    text = " ".join(node.sql("duckdb", comments=False).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _first_line(error: Exception) -> str:
    # sqlglot underlines with terminal codes, which do not belong in a log.
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()[0]
