"""The columns of the raw logs: what they are called, which a log cannot do without, and how values are read.

A studio's own names are given by a mapping, our name to theirs. What a value cannot be read as is told row by row; what
is read is exact: a fraction of an item, or a fifth decimal of an amount, is no value.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp, parse_one

from gamestats_assets.l2m.tables import RATES
from gamestats_assets.lakehouse.errors import GamestatsError

LINE, TEXT, FAULT, PROBLEM = "__line__", "__text__", "__fault__", "__problem__"
"""Columns beside those of a log: see `typed`."""
SEPARATOR = "\x1f"
"""Between the names of columns in `PROBLEM`."""
_UTC = "TIMESTAMP WITH TIME ZONE"
_FLOATS = frozenset(("FLOAT", "DOUBLE"))
_INTEGERS = frozenset(
    f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)


class ColumnMappingError(GamestatsError):
    """A column mapping cannot be read, or names what no log has."""


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column of a raw log.

    Attributes:
        name: what it is called in the log, unless a mapping says otherwise.
        to: column of the table that it becomes.
        type: type of that, as DuckDB has it.
        required: whether a row without it is none; so is a log without the column.
    """

    name: str
    type: str
    required: bool = False
    to: str = ""

    @property
    def target(self) -> str:
        """Column of the table."""
        return self.to or self.name


_WHO = (RawColumn("user_id", "VARCHAR", True), RawColumn("server_id", "VARCHAR", True))
_TIME = RawColumn("time", _UTC)
_LEVEL = RawColumn("level", "SMALLINT")
_VISIT = (
    *_WHO,
    _LEVEL,
    RawColumn("ip", "VARCHAR"),
    RawColumn("device", "VARCHAR"),
    RawColumn("country", "VARCHAR"),
    RawColumn("time", _UTC, True),
)
_ITEM = (
    *_WHO,
    RawColumn("item_id", "VARCHAR", True),
    RawColumn("count", "BIGINT", True, to="item_count"),
    RawColumn("reason_id", "VARCHAR", True),
    _LEVEL,
    _TIME,
)
_MONEY = (
    *_WHO,
    RawColumn("money_type", "VARCHAR", True),
    RawColumn("amount", "BIGINT", True),
    RawColumn("reason_id", "VARCHAR", True),
    _LEVEL,
    RawColumn("balance_after", "BIGINT"),
    RawColumn("guild_id", "VARCHAR"),
    RawColumn("guild_name", "VARCHAR"),
    _TIME,
)
COLUMNS: Mapping[str, tuple[RawColumn, ...]] = {
    "login": _VISIT,
    "logout": _VISIT,
    "recharge": (
        *_WHO,
        RawColumn("pmc", "VARCHAR", True),
        RawColumn("currency", "VARCHAR", True),
        RawColumn("amount", "DECIMAL(18,4)", True),
        _TIME,
    ),
    "increase_item": _ITEM,
    "decrease_item": _ITEM,
    "increase_money": _MONEY,
    "decrease_money": _MONEY,
    RATES: (RawColumn("currency", "VARCHAR", True), RawColumn("usd_per_unit", "DECIMAL(18,8)", True)),
}
"""Columns of each log."""
NAMES: Mapping[str, str] = {
    **{log: log for log in COLUMNS},
    "item_gain": "increase_item",
    "item_spend": "decrease_item",
    "money_gain": "increase_money",
    "money_spend": "decrease_money",
    "rates": RATES,
}
"""What logs may be called, and what they are."""


def read_mapping(text: bytes, where: str) -> dict[str, dict[str, str]]:
    """Per log, our column's name to a studio's own, from JSON: `{"login": {"ip": "addr"}, "*": {"user_id": "uid"}}`.

    What stands under `*` holds for every log that has the column and says nothing else of it.

    Args:
        where: the file, for the message.

    Raises:
        ColumnMappingError: when it is no such JSON, or names a log or a column that does not exist.
    """
    try:
        told = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ColumnMappingError(f"{where}: expected JSON; {error}.") from None
    if not isinstance(told, dict) or not all(
        isinstance(names, dict) and all(isinstance(name, str) and name.strip() for name in names.values())
        for names in told.values()
    ):
        raise ColumnMappingError(
            f'{where}: expected, for each log, our column names and yours: {{"login": {{"user_id": "uid"}}}}.'
        )
    if unknown := sorted({*told} - {*NAMES, "*"}):
        raise ColumnMappingError(f"{where}: there is no log {unknown[0]!r}. Logs: {', '.join(NAMES)}; * is every one.")
    found: dict[str, dict[str, str]] = {log: {} for log in COLUMNS}
    for called, names in sorted(told.items(), key=lambda item: item[0] != "*"):
        logs = [*COLUMNS] if called == "*" else [NAMES[called]]
        known = {column.name for log in logs for column in COLUMNS[log]}
        if unknown := sorted({*names} - known):
            raise ColumnMappingError(
                f"{where}: {called} has no column {unknown[0]!r}. Its columns: {', '.join(sorted(known))}. "
                "Our name stands before the colon, yours after it."
            )
        for log in logs:
            of_log = {column.name for column in COLUMNS[log]}
            found[log] |= {ours: theirs.strip() for ours, theirs in names.items() if ours in of_log}
    return found


def missing(log: str, names: Mapping[str, str], found: Collection[str]) -> list[RawColumn]:
    """Required columns of a log that a file does not have."""
    return [column for column in COLUMNS[log] if column.required and names.get(column.name, column.name) not in found]


_MUST_BE: Mapping[str, str] = {
    "VARCHAR": "a text",
    "SMALLINT": "a whole number up to 32,767",
    "BIGINT": "a whole number",
    "DECIMAL(18,4)": "a number with at most 4 decimals",
    "DECIMAL(18,8)": "a number with at most 8 decimals",
    _UTC: "a time of this century (2026-03-01 10:00:00, with or without +09:00, or seconds or milliseconds since 1970)",
}


def must_be(log: str, names: Mapping[str, str], called: str) -> str:
    """What values of a file's column have to be, in words."""
    [column, *_] = [column for column in COLUMNS[log] if names.get(column.name, column.name) == called]
    return f"{called} must be {_MUST_BE[column.type]}" + (", and may not lack" if column.required else "")


# --------------------------------------------------------------------------- values


def typed(log: str, names: Mapping[str, str], found: Mapping[str, str]) -> Sequence[str]:
    """What to select of a raw file, one after another, to get the columns of the log's table and what is wrong.

    The latter are `LINE`, the number of a row's line (null where rows are no lines); `FAULT`, what is wrong with the
    line; `PROBLEM`, the columns whose values cannot be read, with a `SEPARATOR` (null where all can); and `TEXT`,
    such a row as it stands in the file. Texts are trimmed, and empty ones are none.

    Args:
        names: our column's name to that of the file, where it is another.
        found: the file's columns and their types, as DuckDB tells them.
    """
    return _typed(log, tuple(names.items()), tuple(found.items()))


@functools.lru_cache(maxsize=256)
def _typed(log: str, renamed: tuple[tuple[str, str], ...], types: tuple[tuple[str, str], ...]) -> Sequence[str]:
    # Files of a log are mostly alike, and may be many small ones.
    names, found = dict(renamed), dict(types)
    of_lines = [exp.column(name, quoted=True) for name in (LINE, TEXT, FAULT) if name in found]
    # Step by step, for DuckDB reckons anew what an expression says twice.
    all_told: dict[str, exp.Expr] = {}
    all_tried: list[exp.Expr] = []
    values: list[exp.Expr] = []
    wrong: dict[str, exp.Expr] = {}
    for column in COLUMNS[log]:
        called = names.get(column.name, column.name)
        if called not in found:
            values.append(_named(exp.cast(exp.null(), column.type, dialect="duckdb"), column.target))
            continue
        raw, told, tried = (exp.column(f"{step}{called}", quoted=True) for step in ("", "told ", "tried "))
        all_told[called], type = _told(raw, found[called], column.type)
        all_tried.append(_named(_tried(told, type, column.type), tried.name))
        values.append(_named(_value(told, tried, type, column.type), column.target))
        lacks = filled("value IS NULL", value=exp.column(column.target, quoted=True))
        wrong[called] = lacks if column.required else exp.and_(filled("told IS NOT NULL", told=told), lacks)
    is_bad = exp.or_(*(each.copy() for each in wrong.values()))
    each_wrong = [exp.Case().when(condition, exp.Literal.string(called)) for called, condition in wrong.items()]
    problem = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(SEPARATOR), *each_wrong])
    told_all = [
        p for called in all_told for p in (exp.Literal.string(called), exp.column(f"told {called}", quoted=True))
    ]
    text = exp.column(TEXT, quoted=True) if TEXT in found else exp.Anonymous(this="json_object", expressions=told_all)
    rows = [
        *(exp.column(column.target, quoted=True) for column in COLUMNS[log]),
        _named(_column_of(found, LINE, "BIGINT"), LINE),
        _named(_column_of(found, FAULT, "VARCHAR"), FAULT),
        _named(filled("CASE WHEN is_bad THEN problem END", is_bad=is_bad, problem=problem), PROBLEM),
        _named(filled("CASE WHEN is_bad THEN CAST(text AS VARCHAR) END", is_bad=is_bad, text=text), TEXT),
    ]
    first = [*(_named(told, f"told {called}") for called, told in all_told.items()), *of_lines]
    return [_text_of(selected) for selected in (first, [exp.Star(), *all_tried], [exp.Star(), *values], rows)]


def _text_of(selected: Sequence[exp.Expr]) -> str:
    return ", ".join(each.sql("duckdb") for each in selected)


def _column_of(found: Mapping[str, str], name: str, type: str) -> exp.Expr:
    return exp.column(name, quoted=True) if name in found else exp.cast(exp.null(), type, dialect="duckdb")


def filled(template: str, **parts: exp.Expr) -> exp.Expr:
    """An expression with others in the place of the names that stand for them.

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


def _told(raw: exp.Expr, found: str, wanted: str) -> tuple[exp.Expr, str]:
    """What a row says, null where it says nothing, and the type of that: as it is stored, or a text."""
    is_number = _is_number(found)
    if found in _FLOATS:
        raw = filled("CASE WHEN NOT isnan(x) THEN x END", x=raw)
    if wanted != "VARCHAR" and (is_number or (wanted == _UTC and _is_moment(found))):
        return raw, found
    text = raw if found == "VARCHAR" else exp.cast(raw, "VARCHAR", dialect="duckdb")
    if is_number:
        # Ids become fractions where a library has no other way to say that one lacks: 17.0 is 17.
        whole = "CASE WHEN x = trunc(x) AND abs(x) < 1e15 THEN CAST(CAST(x AS BIGINT) AS VARCHAR) ELSE text END"
        text = filled(whole, x=raw, text=text)
    return filled("nullif(trim(x), '')", x=text), "VARCHAR"


def _tried(told: exp.Expr, found: str, wanted: str) -> exp.Expr:
    """What is told in the wanted type; null where it cannot be."""
    if wanted == _UTC and _is_number(found):
        return _moment_of_number(told)
    if found.endswith("_NS"):
        # As in texts, what is beyond a microsecond is cut off.
        told = filled("make_timestamp(epoch_ns(CAST(x AS TIMESTAMP_NS)) // 1000)", x=told)
    return told if found == wanted else _try(told, wanted)


def _value(told: exp.Expr, tried: exp.Expr, found: str, wanted: str) -> exp.Expr:
    """What was tried, where that is what is told; else null."""
    if wanted == "VARCHAR":
        # PostgreSQL keeps no text with a zero character.
        return filled("CASE WHEN NOT contains(x, chr(0)) THEN x END", x=tried)
    if wanted == _UTC:
        otherwise = _moment_of_number(told) if found == "VARCHAR" else exp.cast(exp.null(), _UTC, dialect="duckdb")
        first, last = "TIMESTAMPTZ '2000-01-01 00:00:00+00'", "TIMESTAMPTZ '2100-01-01 00:00:00+00'"
        return filled(f"CASE WHEN x >= {first} AND x < {last} THEN x ELSE otherwise END", x=tried, otherwise=otherwise)
    if found == wanted or found in _INTEGERS:
        return tried
    if found != "VARCHAR":
        return filled("CASE WHEN back = x THEN tried END", back=_try(tried, found), x=told, tried=tried)
    # DuckDB itself takes 0x10 and 1_000 for numbers, and rounds what is none of the wanted type.
    if not wanted.startswith("DECIMAL"):
        return filled(r"CASE WHEN regexp_full_match(x, '[+-]?\d+(\.0*)?') THEN tried END", x=told, tried=tried)
    exact = (
        r"CASE WHEN regexp_full_match(x, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?') AND "
        "TRY_CAST(x AS DECIMAL(38, 18)) = tried THEN tried END"
    )
    return filled(exact, x=told, tried=tried)


def _is_number(type: str) -> bool:
    return type in _FLOATS or type in _INTEGERS or type.startswith("DECIMAL")


def _is_moment(type: str) -> bool:
    return type.startswith("TIMESTAMP") or type == "DATE"


def _moment_of_number(number: exp.Expr) -> exp.Expr:
    """A time in UTC of the seconds since 1970, or the milliseconds, microseconds or nanoseconds, as its size tells."""
    since_us = filled(
        "TRY_CAST(floor(CASE WHEN n < 1e11 THEN n * 1000000 WHEN n < 1e14 THEN n * 1000 WHEN n < 1e17 THEN n "
        "ELSE n * 0.001 END) AS BIGINT)",
        n=_try(number, "DECIMAL(27,6)"),
    )
    # Of 2000 to 2099, for of others there may be no timestamp at all.
    between = (
        "CASE WHEN us >= 946684800000000 AND us < 4102444800000000 THEN CAST(make_timestamp(us) AS TIMESTAMPTZ) END"
    )
    return filled(between, us=since_us)


def _try(value: exp.Expr, to: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(to, dialect="duckdb"))
