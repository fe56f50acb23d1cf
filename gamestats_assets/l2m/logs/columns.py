"""The columns of the raw logs: their names and types, and which of them a log must have.

A mapping gives a studio's own names: from the name here to the studio's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gamestats_assets.l2m.logs.tables import RATES
from gamestats_assets.lakehouse.errors import GamestatsError

LINE, TEXT, FAULT, PROBLEM = "__line__", "__text__", "__fault__", "__problem__"
"""Columns beside those of a log, see `typed`."""
SEPARATOR = "\x1f"
"""Separates the names of columns in `PROBLEM`."""
UTC_TYPE = "TIMESTAMP WITH TIME ZONE"
"""DuckDB's type of a moment."""


class ColumnMappingError(GamestatsError):
    """A column mapping cannot be read, or names something that no log has."""


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column of a raw log.

    Attributes:
        name: name in the log, unless a mapping has another.
        to: column of the table that it becomes.
        type: DuckDB type of that column.
        required: whether rows without a value, and logs without the column, are invalid.
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
_TIME = RawColumn("time", UTC_TYPE)
_LEVEL = RawColumn("level", "SMALLINT")
_VISIT = (
    *_WHO,
    _LEVEL,
    RawColumn("ip", "VARCHAR"),
    RawColumn("device", "VARCHAR"),
    RawColumn("country", "VARCHAR"),
    RawColumn("time", UTC_TYPE, True),
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
"""Possible names of logs, and what each is."""


def read_mapping(text: bytes, where: str) -> dict[str, dict[str, str]]:
    """Reads, per log, a studio's name for each column from JSON: `{"login": {"ip": "addr"}, "*": {"user_id": "uid"}}`.

    Entries under `*` apply to every log that has the column and no entry of its own for it.

    Args:
        where: the file, for messages.

    Raises:
        ColumnMappingError: when it is not such JSON, or names a log or a column that does not exist.
    """
    try:
        parsed = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ColumnMappingError(f"{where}: expected JSON; {error}.") from None
    if not isinstance(parsed, dict) or not all(
        isinstance(names, dict) and all(isinstance(name, str) and name.strip() for name in names.values())
        for names in parsed.values()
    ):
        raise ColumnMappingError(
            f'{where}: expected, for each log, our column names and yours: {{"login": {{"user_id": "uid"}}}}.'
        )
    if unknown := sorted({*parsed} - {*NAMES, "*"}):
        raise ColumnMappingError(f"{where}: there is no log {unknown[0]!r}. Logs: {', '.join(NAMES)}; * is every one.")
    found: dict[str, dict[str, str]] = {log: {} for log in COLUMNS}
    for called, names in sorted(parsed.items(), key=lambda item: item[0] != "*"):
        logs = [*COLUMNS] if called == "*" else [NAMES[called]]
        known = {column.name for log in logs for column in COLUMNS[log]}
        if unknown := sorted({*names} - known):
            raise ColumnMappingError(
                f"{where}: {called} has no column {unknown[0]!r}. Its columns: {', '.join(sorted(known))}. "
                "Our name comes before the colon, yours after it."
            )
        for log in logs:
            of_log = {column.name for column in COLUMNS[log]}
            found[log] |= {ours: theirs.strip() for ours, theirs in names.items() if ours in of_log}
    return found


def missing(log: str, names: Mapping[str, str], found: Collection[str]) -> list[RawColumn]:
    """Returns the required columns of a log that a file does not have."""
    return [column for column in COLUMNS[log] if column.required and names.get(column.name, column.name) not in found]


_MUST_BE: Mapping[str, str] = {
    "VARCHAR": "a text",
    "SMALLINT": "a whole number up to 32,767",
    "BIGINT": "a whole number",
    "DECIMAL(18,4)": "a number with at most 4 decimals",
    "DECIMAL(18,8)": "a number with at most 8 decimals",
    UTC_TYPE: "a time of this century "
    "(2026-03-01 10:00:00, with or without +09:00, or seconds or milliseconds since 1970)",
}


def must_be(log: str, names: Mapping[str, str], called: str) -> str:
    """Returns in words what values of a file's column must be."""
    [column, *_] = [column for column in COLUMNS[log] if names.get(column.name, column.name) == called]
    return f"{called} must be {_MUST_BE[column.type]}" + (", and is required" if column.required else "")
