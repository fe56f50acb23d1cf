"""The columns of the raw logs: what they are called, which a log cannot do without, and how values are read.

A studio's own names are given by a mapping, our name to theirs. What a value cannot be read as is told row by row; what
is read is exact: a fraction of an item, or a fifth decimal of an amount, is no value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp, parse_one

from gamestats_assets.l2m.tables import RATES
from gamestats_assets.lakehouse.errors import GamestatsError

_INTEGERS = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT)")


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
_TIME = RawColumn("time", "TIMESTAMP WITH TIME ZONE")
_LEVEL = RawColumn("level", "SMALLINT")
_VISIT = (
    *_WHO,
    _LEVEL,
    RawColumn("ip", "VARCHAR"),
    RawColumn("device", "VARCHAR"),
    RawColumn("country", "VARCHAR"),
    RawColumn("time", "TIMESTAMP WITH TIME ZONE", True),
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


def read_mapping(text: str, where: str) -> dict[str, dict[str, str]]:
    """Per log, our column's name to a studio's own, from JSON: `{"login": {"user_id": "uid"}, "*": {"ds": "dt"}}`.

    What stands under `*` holds for every log that has the column and says nothing else of it.

    Args:
        where: the file, for the message.

    Raises:
        ColumnMappingError: when it is no such JSON, or names a log or a column that does not exist.
    """
    try:
        told = json.loads(text)
    except ValueError as error:
        raise ColumnMappingError(f"{where}: expected JSON; {error}.") from None
    if not isinstance(told, dict) or not all(
        isinstance(names, dict) and all(isinstance(name, str) and name for name in names.values())
        for names in told.values()
    ):
        raise ColumnMappingError(
            f'{where}: expected, for each log, our column names and yours: {{"login": {{"user_id": "uid"}}}}.'
        )
    if unknown := sorted({*told} - {*COLUMNS, "*"}):
        raise ColumnMappingError(
            f"{where}: there is no log {unknown[0]!r}. Logs: {', '.join(COLUMNS)}; * is every one."
        )
    for log, names in told.items():
        known = {column.name for of in ([log] if log != "*" else COLUMNS) for column in COLUMNS[of]}
        if unknown := sorted({*names} - known):
            raise ColumnMappingError(
                f"{where}: {log} has no column {unknown[0]!r}. Its columns: {', '.join(sorted(known))}. "
                "Our name stands before the colon, yours after it."
            )
    everywhere = told.get("*", {})
    return {
        log: {
            column.name: names[column.name]
            for column in COLUMNS[log]
            for names in [{**everywhere, **told.get(log, {})}]
            if column.name in names
        }
        for log in COLUMNS
    }


def missing(log: str, names: Mapping[str, str], found: Sequence[str]) -> list[str]:
    """Required columns of a log that a file does not have, as the file would call them."""
    return [
        called
        for column in COLUMNS[log]
        if column.required and (called := names.get(column.name, column.name)) not in found
    ]


def typed(log: str, names: Mapping[str, str], found: Mapping[str, str]) -> list[exp.Expr]:
    """What to select of a raw log: its columns typed, `problem` (null where a row can be read) and `content`.

    Args:
        names: our column's name to that of the file, where it is another.
        found: the file's columns and their types, as DuckDB tells them. Texts are trimmed, and empty ones are none.
    """
    selected: list[exp.Expr] = []
    problems: list[exp.Expr] = []
    raw: list[exp.Expr] = []
    for column in COLUMNS[log]:
        called = names.get(column.name, column.name)
        if called not in found:
            selected.append(exp.alias_(exp.cast(exp.null(), column.type, dialect="duckdb"), column.target, quoted=True))
            continue
        raw.append(exp.column(called, quoted=True))
        value, is_told, is_exact = _read(exp.column(called, quoted=True), found[called], column.type)
        selected.append(exp.alias_(value.copy(), column.target, quoted=True))
        wrong: list[exp.Expr] = []
        if column.required:
            wrong.append(exp.Is(this=value.copy(), expression=exp.null()))
        elif is_told is not None:
            wrong.append(exp.and_(is_told, exp.Is(this=value.copy(), expression=exp.null())))
        if is_exact is not None:
            wrong.append(exp.not_(exp.func("coalesce", is_exact, exp.true(), dialect="duckdb")))
        if wrong:
            problems.append(exp.Case().when(exp.or_(*wrong), exp.Literal.string(called)))
    named = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(", "), *problems])
    problem = exp.Nullif(this=named, expression=exp.Literal.string("")) if problems else exp.null()
    content = exp.Case().when(
        exp.not_(exp.Is(this=problem.copy(), expression=exp.null())),
        exp.Anonymous(this="to_json", expressions=[exp.Anonymous(this="row", expressions=raw)]),
    )
    return [
        *selected,
        exp.alias_(exp.cast(problem, "VARCHAR", dialect="duckdb"), "__problem__", quoted=True),
        exp.alias_(exp.cast(content, "VARCHAR", dialect="duckdb"), "__content__", quoted=True),
    ]


def _read(value: exp.Expr, found: str, wanted: str) -> tuple[exp.Expr, exp.Expr | None, exp.Expr | None]:
    """A value of the wanted type, whether there is one to be read, and whether reading it changes nothing.

    The last two are None where no value can fail, and where none can change.
    """
    is_text = found == "VARCHAR"
    if is_text:
        value = parse_one("nullif(trim(x), '')", dialect="duckdb").transform(
            lambda node: value.copy() if isinstance(node, exp.Column) else node
        )
    is_told = exp.not_(exp.Is(this=value.copy(), expression=exp.null()))
    if wanted == found or wanted == "VARCHAR":
        return exp.cast(value, wanted, dialect="duckdb"), None, None
    if wanted.startswith("TIMESTAMP"):
        return _moment(value, found, wanted), is_told, None
    tried = _try(value, wanted)
    if _INTEGERS.fullmatch(found):
        return tried, is_told, None
    wide = "DECIMAL(38,12)" if wanted.startswith("DECIMAL") else "DOUBLE"
    exact = exp.EQ(this=_try(value, wide), expression=_try(tried, wide))
    return tried, is_told, exact


def _moment(value: exp.Expr, found: str, wanted: str) -> exp.Expr:
    """A time in UTC: as it is, or of a number the seconds, or milliseconds, since 1970."""
    if found.startswith("TIMESTAMP") or found == "DATE":
        return _try(value, wanted)
    number = _try(value, "BIGINT")
    since_1970 = parse_one(
        "CASE WHEN abs(n) >= 100000000000 THEN to_timestamp(n / 1000) ELSE to_timestamp(n) END", dialect="duckdb"
    )
    epoch = since_1970.transform(
        lambda node: number.copy() if isinstance(node, exp.Column) and node.name == "n" else node
    )
    if found != "VARCHAR":
        return epoch
    return exp.func("coalesce", _try(value, wanted), epoch, dialect="duckdb")


def _try(value: exp.Expr, to: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(to, dialect="duckdb"))
