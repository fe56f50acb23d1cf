"""What a model should not say, for it means something else on Spark where the rows compared may happen to agree.

What Spark refuses, or makes another value of in most rows, needs no list: every model runs on both engines.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp

_RANKED = "Spark gets an approximation or another interpolation; rank with row_number and average the middle rows"
_CLOCK = "its value changes from run to run; bind a $parameter instead"
_ANY_ROW = "which row comes first is undefined; use min or max, or order and take row_number() = 1"
# By class name: sqlglot adds and renames expression classes between releases.
_DIFFERENT: Mapping[str, str] = {
    **dict.fromkeys(("Median", "Quantile", "PercentileCont", "PercentileDisc", "ApproxQuantile"), _RANKED),
    **dict.fromkeys(("Rand", "Uuid", "CurrentDate", "CurrentTime", "CurrentTimestamp", "TableSample"), _CLOCK),
    **dict.fromkeys(("AnyValue", "First", "Last", "Mode"), _ANY_ROW),
}


def objections(text: str) -> list[str]:
    """What to change in a model, with the reasons."""
    nodes = sqlglot.parse_one(text, dialect="duckdb").walk()
    return [f"{node.sql('duckdb', comments=False)}: {reason}" for node in nodes if (reason := _objection(node))]


def _objection(node: exp.Expr) -> str | None:
    match node:
        case exp.ArgMax() | exp.ArgMin() if not isinstance(node.expression, (exp.Struct, exp.Tuple)):
            return "of ties each engine takes another; order by what tells them apart too, such as (time, row_number)"
        case exp.ArgMax() | exp.ArgMin() if not isinstance(node.parent, exp.Filter):
            return "DuckDB leaves nulls out, Spark takes them; add FILTER (WHERE ... IS NOT NULL)"
        case exp.ArrayAgg() if not node.find_ancestor(exp.ArraySort):
            return "Spark drops the order inside it, and leaves nulls out; sort with list_sort"
        case exp.GroupConcat() if not isinstance(node.this, exp.Order):
            return "the order of rows is undefined; add ORDER BY inside it"
        case exp.Like() | exp.ILike() if not isinstance(node.parent, exp.Escape):
            if isinstance(node.expression, exp.Literal) and "\\" not in node.expression.name:
                return None
            return "a \\ in the pattern is a character in DuckDB, and on Spark escapes; add ESCAPE '!'"
        case exp.RegexpReplace() if "g" not in str(node.args.get("modifiers") or ""):
            return "without 'g' DuckDB replaces the first match and Spark all of them; add 'g'"
        case exp.Round() if node.args.get("decimals") and not _is_decimal(node):
            return "of a DOUBLE such as 1.005 DuckDB rounds the binary value, Spark the text; CAST it AS DECIMAL before"
        case _:
            return _DIFFERENT.get(type(node).__name__)


def _is_decimal(rounded: exp.Expr) -> bool:
    return any(cast.to.is_type(exp.DType.DECIMAL) for cast in rounded.find_all(exp.Cast))
