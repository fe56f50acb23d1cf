"""Expressions of DuckDB that read values of raw logs.

Unreadable values are reported row by row, and readable ones are exact: a fraction of an item, or a fifth decimal of an
amount, is invalid.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from sqlglot import exp, parse_one

from gamestats_assets.l2m.logs.columns import COLUMNS, FAULT, LINE, PROBLEM, SEPARATOR, TEXT, UTC_TYPE

_FLOATS = frozenset(("FLOAT", "DOUBLE"))
_INTEGERS = frozenset(
    f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)


def typed(log: str, names: Mapping[str, str], found: Mapping[str, str]) -> Sequence[str]:
    """Returns what to select of a raw file, step by step, for the columns of the log's table and the problems of rows.

    The problems are `LINE`, the number of a row's line (null if rows are not lines); `FAULT`, the fault of the line;
    `PROBLEM`, the columns with unreadable values, joined by `SEPARATOR` (null if all are readable); and `TEXT`, the row
    as it is in the file. Texts are trimmed, and empty ones are null.

    Args:
        names: from the name here to the name in the file, if it differs.
        found: the file's columns with their DuckDB types.
    """
    return _typed(log, tuple(names.items()), tuple(found.items()))


@functools.lru_cache(maxsize=256)
def _typed(log: str, renamed: tuple[tuple[str, str], ...], types: tuple[tuple[str, str], ...]) -> Sequence[str]:
    # Files of a log are mostly alike, and may be many small ones.
    names, found = dict(renamed), dict(types)
    of_lines = [exp.column(name, quoted=True) for name in (LINE, TEXT, FAULT) if name in found]
    # Step by step, because DuckDB evaluates a repeated expression each time.
    all_stated: dict[str, exp.Expr] = {}
    all_tried: list[exp.Expr] = []
    values: list[exp.Expr] = []
    wrong: dict[str, exp.Expr] = {}
    for column in COLUMNS[log]:
        called = names.get(column.name, column.name)
        if called not in found:
            values.append(_named(exp.cast(exp.null(), column.type, dialect="duckdb"), column.target))
            continue
        raw, stated, tried = (exp.column(f"{step}{called}", quoted=True) for step in ("", "stated ", "tried "))
        all_stated[called], type = _stated(raw, found[called], column.type)
        all_tried.append(_named(_tried(stated, type, column.type), tried.name))
        values.append(_named(_value(stated, tried, type, column.type), column.target))
        lacks = filled("value IS NULL", value=exp.column(column.target, quoted=True))
        wrong[called] = lacks if column.required else exp.and_(filled("stated IS NOT NULL", stated=stated), lacks)
    is_bad = exp.or_(*(each.copy() for each in wrong.values()))
    each_wrong = [exp.Case().when(condition, exp.Literal.string(called)) for called, condition in wrong.items()]
    problem = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(SEPARATOR), *each_wrong])
    stated_all = [
        p for called in all_stated for p in (exp.Literal.string(called), exp.column(f"stated {called}", quoted=True))
    ]
    text = exp.column(TEXT, quoted=True) if TEXT in found else exp.Anonymous(this="json_object", expressions=stated_all)
    rows = [
        *(exp.column(column.target, quoted=True) for column in COLUMNS[log]),
        _named(_column_of(found, LINE, "BIGINT"), LINE),
        _named(_column_of(found, FAULT, "VARCHAR"), FAULT),
        _named(filled("CASE WHEN is_bad THEN problem END", is_bad=is_bad, problem=problem), PROBLEM),
        _named(filled("CASE WHEN is_bad THEN CAST(text AS VARCHAR) END", is_bad=is_bad, text=text), TEXT),
    ]
    first = [*(_named(stated, f"stated {called}") for called, stated in all_stated.items()), *of_lines]
    return [_text_of(selected) for selected in (first, [exp.Star(), *all_tried], [exp.Star(), *values], rows)]


def _text_of(selected: Sequence[exp.Expr]) -> str:
    return ", ".join(each.sql("duckdb") for each in selected)


def _column_of(found: Mapping[str, str], name: str, type: str) -> exp.Expr:
    return exp.column(name, quoted=True) if name in found else exp.cast(exp.null(), type, dialect="duckdb")


def filled(template: str, **parts: exp.Expr) -> exp.Expr:
    """Returns an expression with its placeholder names replaced by other expressions.

    >>> filled("nullif(trim(x), '')", x=exp.column("user_id")).sql("duckdb")
    "NULLIF(TRIM(user_id), '')"
    """
    return _parsed(template).transform(
        lambda node: parts[node.name].copy() if isinstance(node, exp.Column) and node.name in parts else node
    )


@functools.cache
def _parsed(template: str) -> exp.Expr:
    return parse_one(template, dialect="duckdb")


def _named(value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(value.copy(), name, quoted=True)


def _stated(raw: exp.Expr, found: str, wanted: str) -> tuple[exp.Expr, str]:
    """Returns a row's value, null if there is none, and its type: the stored one, or a text."""
    is_number = _is_number(found)
    if found in _FLOATS:
        raw = filled("CASE WHEN NOT isnan(x) THEN x END", x=raw)
    if wanted != "VARCHAR" and (is_number or (wanted == UTC_TYPE and _is_moment(found))):
        return raw, found
    text = raw if found == "VARCHAR" else exp.cast(raw, "VARCHAR", dialect="duckdb")
    if is_number:
        # Some libraries turn ids into fractions when one is missing: 17.0 is 17.
        whole = "CASE WHEN x = trunc(x) AND abs(x) < 1e15 THEN CAST(CAST(x AS BIGINT) AS VARCHAR) ELSE text END"
        text = filled(whole, x=raw, text=text)
    return filled("nullif(trim(x), '')", x=text), "VARCHAR"


def _tried(stated: exp.Expr, found: str, wanted: str) -> exp.Expr:
    """Returns the value in the wanted type; null if that is impossible."""
    if wanted == UTC_TYPE and _is_number(found):
        return _moment_of_number(stated)
    if found.endswith("_NS"):
        # As in texts, digits beyond a microsecond are cut off.
        stated = filled("make_timestamp(epoch_ns(CAST(x AS TIMESTAMP_NS)) // 1000)", x=stated)
    return stated if found == wanted else _try(stated, wanted)


def _value(stated: exp.Expr, tried: exp.Expr, found: str, wanted: str) -> exp.Expr:
    """Returns the converted value if it is exactly the original; else null."""
    if wanted == "VARCHAR":
        # PostgreSQL texts cannot have a zero character.
        return filled("CASE WHEN NOT contains(x, chr(0)) THEN x END", x=tried)
    if wanted == UTC_TYPE:
        otherwise = (
            _moment_of_number(stated) if found == "VARCHAR" else exp.cast(exp.null(), UTC_TYPE, dialect="duckdb")
        )
        first, last = "TIMESTAMPTZ '2000-01-01 00:00:00+00'", "TIMESTAMPTZ '2100-01-01 00:00:00+00'"
        return filled(f"CASE WHEN x >= {first} AND x < {last} THEN x ELSE otherwise END", x=tried, otherwise=otherwise)
    if found == wanted or found in _INTEGERS:
        return tried
    if found != "VARCHAR":
        return filled("CASE WHEN back = x THEN tried END", back=_try(tried, found), x=stated, tried=tried)
    # DuckDB itself reads 0x10 and 1_000 as numbers, and rounds values to the wanted type.
    if not wanted.startswith("DECIMAL"):
        return filled(r"CASE WHEN regexp_full_match(x, '[+-]?\d+(\.0*)?') THEN tried END", x=stated, tried=tried)
    exact = (
        r"CASE WHEN regexp_full_match(x, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?') AND "
        "TRY_CAST(x AS DECIMAL(38, 18)) = tried THEN tried END"
    )
    return filled(exact, x=stated, tried=tried)


def _is_number(type: str) -> bool:
    return type in _FLOATS or type in _INTEGERS or type.startswith("DECIMAL")


def _is_moment(type: str) -> bool:
    return type.startswith("TIMESTAMP") or type == "DATE"


def _moment_of_number(number: exp.Expr) -> exp.Expr:
    """Returns a time in UTC from seconds, milliseconds, microseconds or nanoseconds since 1970, by its size."""
    since_us = filled(
        "TRY_CAST(floor(CASE WHEN n < 1e11 THEN n * 1000000 WHEN n < 1e14 THEN n * 1000 WHEN n < 1e17 THEN n "
        "ELSE n * 0.001 END) AS BIGINT)",
        n=_try(number, "DECIMAL(27,6)"),
    )
    # Only 2000 to 2099: other years may have no timestamp at all.
    between = (
        "CASE WHEN us >= 946684800000000 AND us < 4102444800000000 THEN CAST(make_timestamp(us) AS TIMESTAMPTZ) END"
    )
    return filled(between, us=since_us)


def _try(value: exp.Expr, to: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(to, dialect="duckdb"))
