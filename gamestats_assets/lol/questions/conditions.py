"""Conditions of questions: a text such as `completed('Muramana') and not team_first_dragon`, as a polars expression.

The text is read by sqlglot's parser and translated node by node; other nodes are refused. No part of it is ever run as
SQL.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl
import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lol.matches.tables import POSITIONS, ParticipantFeatures
from gamestats_assets.lol.reference.items import UnknownNameError
from gamestats_assets.lol.reference.versions import patch_number

_COMPARED: dict[type[exp.Expr], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    exp.EQ: lambda left, right: left == right,
    exp.NEQ: lambda left, right: left != right,
    exp.GT: lambda left, right: left > right,
    exp.GTE: lambda left, right: left >= right,
    exp.LT: lambda left, right: left < right,
    exp.LTE: lambda left, right: left <= right,
}
FUNCTIONS = {
    "completed": "completed('Item', ...): all of them were completed",
    "in_order": "in_order('Item', 'Item', ...): completed in this order",
    "core_item": "core_item(1, 'Item'): it was the 1st core item, or a transformation of it",
    "completed_by": "completed_by('Item', 15): completed within 15 minutes",
}
"""Functions of conditions, in words."""
_OF_ITEMS = ("completed", "in_order", "core_item")
"""Functions that belong to the moment at which an item was completed."""
CHAMPION = "champion"
"""Column name for a champion by its name, in any language."""
_POSITION_CALLED = {
    "MID": "MIDDLE",
    **dict.fromkeys(("BOT", "ADC"), "BOTTOM"),
    **dict.fromkeys(("SUPPORT", "SUPP", "SUP"), "UTILITY"),
    **dict.fromkeys(("JGL", "JG", "JNG"), "JUNGLE"),
}
_MOST_LISTED = 10


class Lookup(Protocol):
    """Resolves names in a condition; `names.Names` is one."""

    @property
    def most_core_items(self) -> int | None:
        """The largest number of core items in a game; higher numbers are refused."""
        ...

    def item(self, name: str) -> Collection[int]:
        """Returns the ids of an item."""
        ...

    def champion(self, name: str) -> Collection[int]:
        """Returns the ids of a champion."""
        ...

    def bases(self, name: str) -> Collection[int]:
        """Returns the ids of items that transform into an item, such as Manamune into Muramana."""
        ...

    def values(self, column: str) -> Collection[str]:
        """Returns the values allowed in comparisons with a text column; an empty result allows any."""
        ...


class ConditionError(GamestatsError):
    """A condition cannot be read, or contains an unknown name."""


def question_columns() -> dict[str, pl.DataType]:
    """Returns the columns that conditions, metrics and groups may name."""
    return {name: dtype for name, dtype in ParticipantFeatures.schema().items() if not isinstance(dtype, pl.List)}


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns advice for an unknown name: similar known names."""
    near = difflib.get_close_matches(name.lower(), list(known), n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "`gamestats lol ask --metrics` lists all of them."


def position_called(name: str) -> str:
    """Returns the position for a name, such as MIDDLE for `mid`.

    Raises:
        UnknownNameError: if there is none.
    """
    wanted = _POSITION_CALLED.get(name.upper(), name.upper())
    if wanted not in POSITIONS:
        near = difflib.get_close_matches(wanted, POSITIONS, n=1, cutoff=0.3)
        raise UnknownNameError(
            f"There is no position {name!r}. {f'Did you mean {near[0]}? ' if near else ''}"
            f"There are {', '.join(POSITIONS)}."
        )
    return wanted


def in_order_of_patches(patches: Iterable[str]) -> list[str]:
    """Returns patches, oldest first: 13.9 comes before 13.10."""
    named = pl.DataFrame({"patch": [*patches]}, schema={"patch": pl.String})
    return named.sort(patch_number(pl.col("patch")), "patch").get_column("patch").to_list()


def value_called(column: str, text: str, there: Iterable[str]) -> str:
    """Returns the value of a column for a text in any case; any text is allowed if the column has no values.

    Raises:
        UnknownNameError: if there is none, with similar or existing values.
    """
    known = {each.casefold(): each for each in sorted(there)}
    if not known or text.casefold() in known:
        return known.get(text.casefold(), text)
    if column == "patch":
        patches = in_order_of_patches(known.values())
        newest = "The newest are" if len(patches) > _MOST_LISTED else "There are"
        raise UnknownNameError(f"There is no patch {text!r}. {newest} {', '.join(patches[-_MOST_LISTED:])}.")
    near = [each for each in known if len(text) > 1 and each.startswith(text.casefold())]
    near = [*dict.fromkeys([*near, *difflib.get_close_matches(text.casefold(), known, n=3, cutoff=0.5)])][:3]
    advice = "Did you mean" if near else "There are"
    names = " or ".join(known[each] for each in near) or ", ".join(sorted(known.values())[:_MOST_LISTED])
    more = " and more" if not near and len(known) > _MOST_LISTED else ""
    raise UnknownNameError(f"There is no {column} {text!r}. {advice} {names}{more}{'?' if near else '.'}")


def completed(item_ids: Sequence[Collection[int]], *, in_order: bool = False) -> pl.Expr:
    """Whether all items were completed, each given as its possible ids; null without a timeline.

    Args:
        in_order: whether each must have been completed after the previous one.
    """
    has = [pl.col("completed_item_ids").list.eval(pl.element().is_in([*ids])).list.any() for ids in item_ids]
    found = pl.all_horizontal(has)
    if in_order:
        times = [completed_at(ids) for ids in item_ids]
        found &= pl.all_horizontal(pl.lit(value=True), *(early < late for early, late in itertools.pairwise(times)))
    return found


def completed_at(ids: Collection[int]) -> pl.Expr:
    """Returns when the first of some items was completed, in seconds; null if none was."""
    return (
        pl.struct("completed_item_ids", "completed_items_at_s")
        .map_batches(lambda rows: _times(rows, ids), return_dtype=pl.Float64)
        .alias("completed_at_s")
    )


def _times(rows: pl.Series, ids: Collection[int]) -> pl.Series:
    frame = rows.struct.unnest().with_row_index("__row__")
    exploded = frame.explode("completed_item_ids", "completed_items_at_s")
    first = (
        exploded.filter(pl.col("completed_item_ids").is_in([*ids]))
        .group_by("__row__")
        .agg(pl.col("completed_items_at_s").min())
    )
    return frame.select("__row__").join(first, on="__row__", how="left", maintain_order="left")["completed_items_at_s"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as expressions over `ParticipantFeatures`, null if undecidable, as in SQL.

    Among parts joined by `and`, those about completed items (`completed`, `in_order`, `core_item`) have a moment;
    without any, the one about a first objective has.

    Attributes:
        whole: the complete condition.
        momentary: the parts with a moment; None without any.
        rest: the other parts; the complete condition if no part has a moment.
        items: ids of each item that the momentary parts name.
        is_plain: whether the momentary parts only require each of these items to be completed.
        first: objective of the momentary part, such as dragon.
        took_first: whether the requested teams took it first; otherwise they are the others.
    """

    whole: pl.Expr
    momentary: pl.Expr | None
    rest: pl.Expr
    items: tuple[Collection[int], ...] = ()
    is_plain: bool = True
    first: str | None = None
    took_first: bool = True


def read_condition(text: str, names: Lookup) -> Condition:
    """Reads a condition.

    >>> from types import SimpleNamespace
    >>> rows = pl.DataFrame({"position": ["TOP", "JUNGLE"], "kills": [3, 9]})
    >>> asked = read_condition("kills > 5 and not position = 'TOP'", SimpleNamespace(values=lambda column: ()))
    >>> rows.filter(asked.whole).height
    1

    Args:
        text: conditions on columns, and the `FUNCTIONS`, joined by and, or, not and parentheses.
        names: resolves the names in it.

    Raises:
        ConditionError: if it cannot be read, or uses something unsupported.
        UnknownNameError: if an item, a champion, a position or another value is unknown.
    """
    try:
        parsed = sqlglot.parse_one(text, dialect="duckdb")
    except SqlglotError as error:
        problem = re.sub(r"^Required keyword: .*?>\.", "something is missing on one side.", str(error).splitlines()[0])
        # The parser's names for its tokens mean nothing to a reader.
        problem = "" if "<Token" in problem else f"{problem} "
        raise ConditionError(f"The condition {text!r} cannot be read: {problem}{_OFFERED}") from None
    return _Reader(text, names).condition(parsed)


_OFFERED = f"Join conditions on columns (kills > 5, position = 'TOP') and {', '.join(FUNCTIONS)} by and, or, not."


def _joined_by_and(node: exp.Expr) -> Iterator[exp.Expr]:
    node = node.unnest()
    if isinstance(node, exp.And):
        yield from _joined_by_and(node.left)
        yield from _joined_by_and(node.right)
    else:
        yield node


def _said_so(node: exp.Expr) -> tuple[exp.Expr, bool]:
    """Returns the subject of a part, and whether it is affirmed: `not x` and `x = false` negate it."""
    node = node.unnest()
    if isinstance(node, exp.Not):
        part, is_so = _said_so(node.this)
        return part, not is_so
    if isinstance(node, (exp.EQ, exp.NEQ)) and isinstance(node.expression, exp.Boolean):
        part, is_so = _said_so(node.this)
        return part, is_so == (bool(node.expression.this) == isinstance(node, exp.EQ))
    return node, True


def _called(node: exp.Expr) -> str | None:
    """Returns the called function."""
    return str(node.this).lower() if isinstance(node, exp.Anonymous) else None


def _first_taken(node: exp.Expr) -> str | None:
    """Returns the objective in `team_first_dragon`, such as dragon."""
    taken = node.name.lower().removeprefix("team_first_") if isinstance(node, exp.Column) else ""
    return taken if f"first_{taken}_at_s" in question_columns() and node.name.lower().startswith("team_") else None


class _Reader:
    def __init__(self, text: str, names: Lookup) -> None:
        self._text, self._names = text, names

    def condition(self, node: exp.Expr) -> Condition:
        """Returns the condition, split into its parts."""
        whole = self.boolean(node)
        parts = [*_joined_by_and(node)]
        about = [_said_so(part) for part in parts]
        of_items = {n for n, (subject, is_so) in enumerate(about) if is_so and _called(subject) in _OF_ITEMS}
        of_firsts = {n for n, (subject, _) in enumerate(about) if _first_taken(subject)}
        momentary = of_items or (of_firsts if len(of_firsts) == 1 else set())
        if not momentary:
            return Condition(whole, None, whole)
        own, rest = (
            pl.all_horizontal(
                pl.lit(value=True), *(self.boolean(part) for n, part in enumerate(parts) if (n in momentary) == is_own)
            )
            for is_own in (True, False)
        )
        if not of_items:
            [(subject, took_first)] = [about[n] for n in momentary]
            return Condition(whole, own, rest, first=_first_taken(subject), took_first=took_first)
        calls = [about[n][0] for n in sorted(of_items)]
        # The first argument of core_item is a number.
        named = [each for call in calls for each in call.expressions[_called(call) == "core_item" :]]
        ids = [self._names.item(name) for name in dict.fromkeys(self._text_of(each) for each in named)]
        return Condition(whole, own, rest, tuple(ids), all(_called(call) == "completed" for call in calls))

    def boolean(self, node: exp.Expr) -> pl.Expr:
        if isinstance(node, exp.Paren):
            return self.boolean(node.this)
        if isinstance(node, exp.And):
            return self.boolean(node.left) & self.boolean(node.right)
        if isinstance(node, exp.Or):
            return self.boolean(node.left) | self.boolean(node.right)
        if isinstance(node, exp.Not):
            return ~self.boolean(node.this)
        if isinstance(node, exp.Boolean):
            return pl.lit(bool(node.this))
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return self._column(node.this).is_null()
        if isinstance(node, exp.Between):
            column = self._column(node.this)
            low, high = node.args["low"], node.args["high"]
            if self._is(node.this, "patch"):
                return patch_number(column).is_between(self._patch(low), self._patch(high))
            return column.is_between(self._literal(low, node.this), self._literal(high, node.this))
        if isinstance(node, exp.In) and node.expressions:
            return self._any_of(node)
        if type(node) in _COMPARED:
            return self._comparison(node)
        if isinstance(node, exp.Column):
            return self._flag(node)
        if isinstance(node, exp.Anonymous):
            return self._call(node)
        raise self._error(f"{node.sql(dialect='duckdb')!r} is not understood")

    def _comparison(self, node: exp.Expr) -> pl.Expr:
        left, right = node.this, node.expression
        if isinstance(right, exp.Boolean) and not isinstance(left, exp.Column):
            return _COMPARED[type(node)](self.boolean(left), pl.lit(bool(right.this)))
        if self._is(left, CHAMPION):
            if not isinstance(node, (exp.EQ, exp.NEQ)):
                raise self._error("a champion can be compared with = or <> only")
            is_one = pl.col("champion_id").is_in([*self._names.champion(self._text_of(right))])
            return is_one if isinstance(node, exp.EQ) else ~is_one
        if isinstance(right, exp.Column) and not isinstance(left, exp.Column):
            raise self._error(f"{node.sql(dialect='duckdb')!r}: name the column first")
        if self._is(left, "patch") and not isinstance(node, (exp.EQ, exp.NEQ)):
            return _COMPARED[type(node)](patch_number(self._column(left)), self._patch(right))
        value = self._column(right) if isinstance(right, exp.Column) and self._is_known(right) else None
        if value is None:
            value = self._literal(right, left, is_one_of=isinstance(node, (exp.EQ, exp.NEQ)))
        return _COMPARED[type(node)](self._column(left), value)

    def _any_of(self, node: exp.In) -> pl.Expr:
        if self._is(node.this, CHAMPION):
            ids = {one for each in node.expressions for one in self._names.champion(self._text_of(each))}
            return pl.col("champion_id").is_in([*ids])
        column = self._column(node.this)
        return pl.any_horizontal(column == self._literal(each, node.this, is_one_of=True) for each in node.expressions)

    def _call(self, node: exp.Anonymous) -> pl.Expr:
        name, given = str(_called(node)), node.expressions
        if name not in FUNCTIONS:
            raise self._error(f"there is no {name}(); there are {'; '.join(FUNCTIONS.values())}")
        try:
            if name in ("completed", "in_order"):
                ids = [self._names.item(self._text_of(each)) for each in given]
                if not ids:
                    raise IndexError
                if len({tuple(sorted(each)) for each in ids}) < len(ids):
                    raise self._error(f"{node.sql(dialect='duckdb')!r} names an item twice")
                return completed(ids, in_order=name == "in_order")
            if name == "core_item":
                number, item = given
                slot = int(number.this)
                ids = self._names.item(self._text_of(item))
                if slot < 1:
                    raise self._error(f"{node.sql(dialect='duckdb')!r}: core items are counted from 1")
                if self._names.most_core_items is not None and slot > self._names.most_core_items:
                    most = f"no available game has more than {self._names.most_core_items} core items"
                    raise self._error(f"{node.sql(dialect='duckdb')!r}: {most}")
                built = pl.col("core_item_ids")
                at_slot = built.list.get(slot - 1, null_on_oob=True)
                is_it = at_slot.is_in([*ids]).fill_null(value=False)
                if turned_from := self._names.bases(self._text_of(item)):
                    is_it |= at_slot.is_in([*turned_from]).fill_null(value=False) & completed([ids])
                return pl.when(built.is_not_null()).then(is_it)
            item, minutes = given
            ids = self._names.item(self._text_of(item))
            return completed([ids]) & (completed_at(ids) <= 60 * float(minutes.this))
        except (IndexError, ValueError, TypeError):
            raise self._error(f"{node.sql(dialect='duckdb')!r} is not of the form {FUNCTIONS[name]}") from None

    def _flag(self, node: exp.Column) -> pl.Expr:
        column = self._column(node)
        if question_columns()[node.name.lower()] != pl.Boolean:
            raise self._error(f"{node.name} is not a boolean; compare it with a value")
        return column

    def _column(self, node: exp.Expr) -> pl.Expr:
        if not isinstance(node, exp.Column) or node.table:
            raise self._error(f"{node.sql(dialect='duckdb')!r} is not a column")
        if not self._is_known(node):
            is_champion = node.name.lower() in ("champion_name", "champion_name_ko")
            advice = f"Write {CHAMPION}" if is_champion else nearest(node.name, [*question_columns(), CHAMPION])
            raise self._error(f"there is no column {node.name!r}. {advice}")
        return pl.col(node.name.lower())

    def _is_known(self, node: exp.Column) -> bool:
        return node.name.lower() in question_columns()

    def _patch(self, node: exp.Expr) -> pl.Expr:
        """Returns the number of a patch, even of one without games."""
        patch = self._text_of(node)
        if re.fullmatch(r"\d{1,4}\.\d{1,3}", patch) is None:
            raise self._error(f"{patch!r} is not a patch; write it as '13.14'")
        return patch_number(pl.lit(patch))

    def _is(self, node: exp.Expr, name: str) -> bool:
        return isinstance(node, exp.Column) and node.name.lower() == name

    def _text_of(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Column) and not node.table:
            # In double quotes, or without quotes.
            return node.name
        if not isinstance(node, exp.Literal):
            raise self._error(f"{node.sql(dialect='duckdb')!r} is not a name; write it as 'Name'")
        return str(node.this)

    def _literal(self, node: exp.Expr, column: exp.Expr, *, is_one_of: bool = False) -> pl.Expr:
        name = getattr(column, "name", "").lower()
        # Unknown columns are reported first.
        self._column(column)
        dtype = question_columns().get(name)
        negative = isinstance(node, exp.Neg)
        inner = node.this if isinstance(node, exp.Neg) else node
        if isinstance(inner, exp.Boolean):
            return pl.lit(bool(inner.this))
        if dtype == pl.String:
            text = self._text_of(inner)
            return pl.lit(self._value(name, text) if is_one_of else text)
        if isinstance(inner, exp.Literal) and not inner.is_string:
            return pl.lit(float(inner.this) * (-1 if negative else 1))
        if dtype == pl.Date and isinstance(inner, exp.Literal):
            return pl.lit(str(inner.this)).str.to_date()
        raise self._error(f"{node.sql(dialect='duckdb')!r} is not a number")

    def _value(self, column: str, text: str) -> str:
        """Returns the value of a column for a text."""
        if column == "position":
            return position_called(text)
        return value_called(column, text, self._names.values(column))

    def _error(self, what: str) -> ConditionError:
        return ConditionError(f"The condition {self._text!r}: {what}.".replace("?.", "?"))
