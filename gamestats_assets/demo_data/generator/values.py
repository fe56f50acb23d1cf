"""Values of one property: each kind of constraint, evaluated for all rows at once.

A value is looked up by the user and by the counter of the row, never drawn in turn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array
from gamestats_assets.demo_data.generator.columns import (
    Coded,
    hex_texts,
    lists,
    moments,
    numbers,
    objects,
    rounded,
    texts,
    typed,
)
from gamestats_assets.demo_data.generator.random_streams import MOST_OBJECTS, USER, Rows
from gamestats_assets.demo_data.reference import names
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import PropertyConstraint, holding
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType

if TYPE_CHECKING:
    from gamestats_assets.demo_data.generator.properties import Properties

_DEFAULT_OBJECTS = 2
_DEFAULT_TEXTS = 3
_NUMBERED = 12
"""Count of numbered names of things of an unknown kind."""
_IDENTIFIERS = ("id", "code", "key", "uuid", "token")


class Values:
    """Makes values; values of other properties come from `Properties`."""

    def __init__(self, properties: Properties) -> None:
        self._of = properties
        self._plan, self._streams, self._users = properties.plan, properties.streams, properties.users

    def made(self, rows: Rows, name: str, given: Property) -> pl.Series:
        """Returns values by the first kind of constraint that the property has, or else by its type."""
        constraint = self._plan.rules.constraint_of(rows.key, name)
        for kind in _KINDS:
            if (found := kind(self, rows, name, given, constraint)) is not None:
                return found
        return _BY_TYPE.get(given.type, Values._text)(self, rows, name, given, constraint)

    def formula_of(self, event: str, name: str) -> str | None:
        """Returns the formula that a property follows."""
        found = holding(self._plan.rules.property_relationships, event, name)
        return found.formula if found else None

    def objects_in(self, event: str, name: str) -> int:
        """Returns the number of objects in a group."""
        return self._plan.rules.constraint_of(event, name).rows or _DEFAULT_OBJECTS

    def evaluated(self, rows: Rows, name: str, text: str) -> Array:
        """Returns results of a formula.

        Args:
            name: name of the formula's property.
        """
        formula = parse_formula(text)
        values = {wanted: numbers(self.named(rows, wanted, name)) for wanted in formula.names}
        for wanted in formula.names:
            if self._is_time(rows.key, wanted):
                values[wanted] = values[wanted] - rows.at_ms / 1000
        users = self._users.number[rows.user]

        def uniform(place: int) -> Array:
            return self._streams.uniform(f"{rows.key} {name or text} formula {place}", users, rows.counter)

        return np.broadcast_to(formula.evaluate(values, uniform), (len(rows),)).astype(np.float64)

    def inner(self, rows: Rows, name: str, given: Property, count: int) -> dict[str, pl.Series]:
        """Returns columns of objects, without balances, which other events move as well."""
        inner: dict[str, pl.Series] = {}
        for child in given.properties:
            dotted = f"{name}.{child.name}"
            rule = self._plan.rules.constraint_of(rows.key, dotted).counter
            if rule is None:
                inner[child.name] = self.made(rows, dotted, child)
            elif rule.source is None:
                # Within one list a count numbers the objects.
                reached = rule.start + rule.step * np.tile(np.arange(1, count + 1), len(rows) // count)
                inner[child.name] = rounded(np.minimum(reached, rule.max if rule.max is not None else np.inf))
        return inner

    # ----------------------------------------------------------------- kinds of constraints

    def _copied(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        source = constraint.copy_of
        if source in ("#account_id", "#distinct_id"):
            return (self._users.accounts if source == "#account_id" else self._users.distincts).gather(rows.user)
        if source is None:
            return None
        if rows.key != USER and source in self._plan.properties_of[rows.key]:
            return self._of.column(rows.key, source).gather(rows.place)
        if rows.key != USER and source in self._plan.updates:
            return self._of.states.shown(source, self._of.rows_of(rows.key)[rows.place])
        return self._of.user_column(source, self._plan.user_properties.get(source, given)).gather(rows.user)

    def _first(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns whether each is the user's first of its kind; users from before the run have had theirs."""
        if not constraint.first_only:
            return None
        first = np.append(True, rows.user[1:] != rows.user[:-1])[: len(rows)]
        return pl.Series(first & (self._users.signed_up_day[rows.user] >= 0))

    def _counted(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        if constraint.counter is None or rows.key == USER or "." in name:
            return None
        return self._of.counts.shown(rows.key, name).gather(rows.place)

    def _fact(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns a known fact about the user, such as the country."""
        fact = self._users.facets.get(name.lstrip("#").lower())
        if fact is None or given.type is not PropertyType.STRING or constraint.template is not None:
            return None
        listed = {str(value) for values in (constraint.values, *constraint.mapping.values()) for value in values}
        return fact.at(rows.user) if not listed or listed.issuperset(fact.values) else None

    def _mapped(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns one of the values that go with another property's."""
        labels = self._labels(rows, constraint.depends_on) if constraint.depends_on else None
        if labels is None:
            return None
        distinct = labels.unique().to_list()
        allowed = [constraint.mapping.get(str(label)) for label in distinct]
        if not any(allowed):
            return None
        every = list(itertools.chain.from_iterable(constraint.mapping.values()))
        choices = [found or every for found in allowed]
        codes = labels.cast(pl.Enum(distinct)).to_physical().to_numpy()
        starts, sizes = _spans(choices)
        drawn = starts[codes] + (self._uniform(rows, name) * sizes[codes]).astype(np.int64)
        return typed(list(itertools.chain.from_iterable(choices)), given.type).gather(drawn)

    def _labels(self, rows: Rows, name: str) -> pl.Series | None:
        """Returns another property's values as texts."""
        if rows.key != USER and name in self._plan.properties_of[rows.key]:
            return texts(self._of.column(rows.key, name).gather(rows.place))
        if rows.key != USER and name in self._plan.updates:
            return texts(self._of.states.shown(name, self._of.rows_of(rows.key)[rows.place]))
        if name in self._plan.user_properties:
            return texts(self._of.user_column(name, self._plan.user_properties[name]).gather(rows.user))
        bare = name.lstrip("#")
        fact: Coded | None = self._users.country if bare == "country" else self._users.facets.get(bare)
        return fact.at(rows.user) if fact is not None else None

    def _one_of(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        if not constraint.values or given.type is PropertyType.LIST:
            return None
        totals = np.cumsum(constraint.weights or np.ones(len(constraint.values)))
        drawn = np.searchsorted(totals, self._uniform(rows, name) * totals[-1], side="right")
        return typed(constraint.values, given.type).gather(np.minimum(drawn, totals.size - 1))

    def _calculated(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        formula = self.formula_of(rows.key, name)
        if formula is None or given.type not in (PropertyType.NUMBER, PropertyType.BOOLEAN):
            return None
        found = self._within_range(rows, name, formula)
        return found if given.type is PropertyType.NUMBER else pl.Series(numbers(found) != 0)

    def _within_range(self, rows: Rows, name: str, formula: str) -> pl.Series:
        result, ranges = self.evaluated(rows, name, formula), self._plan.ranges
        if not ranges.known(rows.key, name) or "#year" in parse_formula(formula).names:
            return rounded(result, 2)
        low, high = ranges.bounds(rows.key, name)
        segment = self._users.segment[rows.user]
        return rounded(np.clip(result, low[segment], high[segment]), 2 if ranges.decimals(rows.key, name) else 0)

    # ----------------------------------------------------------------- types

    def _number(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        if name == "age" and "age" in self._plan.user_properties and rows.key != USER:
            return self._of.user_column(name, self._plan.user_properties[name]).gather(rows.user)
        return self._plan.ranges.numbers(self._streams, self._users, rows, name)

    def _flag(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        found = holding(self._plan.rules.value_ranges, rows.key, name)
        share = found.mean if found is not None and found.mean is not None and found.mean <= 1 else 0.5
        return pl.Series(self._uniform(rows, name) < share)

    def _time(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        """Returns a moment so many seconds after its event; within the day before it if nothing is known."""
        formula = self.formula_of(rows.key, name)
        if formula is not None:
            after_s = numbers(self._within_range(rows, name, formula))
        elif self._plan.ranges.known(rows.key, name):
            after_s = numbers(self._number(rows, name, given, constraint))
        else:
            after_s = -self._uniform(rows, name) * (DAY_MS // 1000)
        return moments(rows.at_ms + np.rint(np.nan_to_num(after_s) * 1000))

    def _text(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        last = name.rpartition(".")[2]
        if constraint.template is not None:
            ranged = self._plan.ranges.known(rows.key, name)
            number = self._number(rows, name, given, constraint) if ranged else rounded(self._digits(rows, name))
            before, _, after = constraint.template.partition("{n}")
            return pl.select(pl.concat_str(pl.lit(before), pl.lit(texts(number)), pl.lit(after))).to_series()
        pattern = constraint.faker or names.pattern_of(last, PropertyType.STRING)
        if pattern is not None:
            locale = self._users.locale.codes[rows.user]
            pools = [names.pool(pattern, str(found)) for found in self._users.locale.values]
            starts, sizes = _spans(pools)
            drawn = starts[locale] + (self._uniform(rows, name) * sizes[locale]).astype(np.int64)
            return pl.Series([str(value) for pool in pools for value in pool]).gather(drawn)
        if last.lower().endswith(_IDENTIFIERS):
            bits = self._streams.bits(f"{rows.key} {name}", self._users.number[rows.user], rows.counter)
            return f"{last.lower()[:12]}_" + hex_texts(bits).str.head(8)
        # Popularity falls: the first names are common, the last ones rare.
        drawn = (self._uniform(rows, name) ** 2 * _NUMBERED).astype(np.int64)
        return pl.Series([f"{last.lstrip('#')}_{number}" for number in range(1, _NUMBERED + 1)]).gather(drawn)

    def _texts(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        """Returns a list of texts, as many as another number of the event if the constraint names one."""
        wanted = np.full(len(rows), constraint.rows or _DEFAULT_TEXTS)
        if constraint.rows_by is not None and rows.key != USER:
            asked = np.nan_to_num(numbers(self.named(rows, constraint.rows_by, name)))
            wanted = np.clip(asked, 0, MOST_OBJECTS).astype(np.int64)
        count = max(int(wanted.max(initial=1)), 1)
        each = rows.repeated(count)
        one = Property(name=name, type=PropertyType.STRING)
        if constraint.values:
            totals = np.cumsum(constraint.weights or np.ones(len(constraint.values)))
            drawn = np.searchsorted(totals, self._uniform(each, name) * totals[-1], side="right")
            codes = _apart(np.minimum(drawn, totals.size - 1).reshape(-1, count), totals.size).ravel()
            items = typed(constraint.values, PropertyType.STRING).gather(codes)
        else:
            items = self._text(each, name, one, constraint)
        which = np.repeat(np.arange(len(rows)), count)
        kept = np.tile(np.arange(count), len(rows)) < wanted[which]
        return lists(which[kept], items.filter(pl.Series(kept)), len(rows))

    def _object(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        return objects(self.inner(rows, name, given, 1), len(rows))

    def _group(self, rows: Rows, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        count = self.objects_in(rows.key, name)
        found = objects(self.inner(rows.repeated(count), name, given, count), len(rows) * count)
        return lists(np.repeat(np.arange(len(rows)), count), found, len(rows))

    # ----------------------------------------------------------------- inputs

    def _uniform(self, rows: Rows, name: str) -> Array:
        return self._streams.uniform(f"{rows.key} {name}", self._users.number[rows.user], rows.counter)

    def _digits(self, rows: Rows, name: str) -> Array:
        return np.floor(self._uniform(rows, name) * 10**9)

    def named(self, rows: Rows, wanted: str, own: str) -> pl.Series:
        """Returns what a name in a formula refers to: in the same object, the event, the common properties, the user.

        `#year` is the year in which the run begins.
        """
        plan, of = self._plan, self._of
        unknown = pl.Series(np.full(len(rows), np.nan if rows.key == USER else 0.0))
        if wanted == "#year":
            return pl.Series(np.full(len(rows), plan.configuration.start.year))
        if rows.key != USER:
            beside = f"{own.rpartition('.')[0]}.{wanted}"
            if beside in plan.nested_of.get(rows.key, {}):
                return self.made(rows, beside, plan.nested_of[rows.key][beside])
            is_own = wanted in plan.properties_of[rows.key]
            moved = wanted in plan.updates and (
                not is_own or (wanted in plan.common_types and not plan.sets(rows.key, wanted))
            )
            if "." in wanted and not is_own:
                return of.objects_total(rows.key, wanted).gather(rows.place)
            if moved:
                return of.states.of(wanted).at(of.rows_of(rows.key)[rows.place], before=True)
            if is_own:
                return of.column(rows.key, wanted).gather(rows.place)
        if wanted not in plan.user_properties:
            return unknown
        if rows.key == USER and wanted in plan.updates:
            return of.states.of(wanted).initial.gather(rows.user)
        return of.user_column(wanted, plan.user_properties[wanted]).gather(rows.user)

    def _is_time(self, event: str, name: str) -> bool:
        given = {} if event == USER else self._plan.properties_of[event]
        found = given.get(name) or self._plan.user_properties.get(name)
        return found is not None and found.type is PropertyType.TIME


_Kind = Callable[[Values, Rows, str, Property, PropertyConstraint], pl.Series | None]
_KINDS: tuple[_Kind, ...] = (
    Values._copied,
    Values._first,
    Values._counted,
    Values._fact,
    Values._mapped,
    Values._one_of,
    Values._calculated,
)
"""Kinds of constraints; the first that applies wins."""
_BY_TYPE: Mapping[PropertyType, Callable[[Values, Rows, str, Property, PropertyConstraint], pl.Series]] = {
    PropertyType.NUMBER: Values._number,
    PropertyType.BOOLEAN: Values._flag,
    PropertyType.TIME: Values._time,
    PropertyType.LIST: Values._texts,
    PropertyType.OBJECT: Values._object,
    PropertyType.OBJECT_GROUP: Values._group,
}


def _spans(choices: Sequence[Sequence[Any]]) -> tuple[Array, Array]:
    """Returns the first place and the size of each list in all lists together."""
    sizes = np.array([len(found) for found in choices], np.int64)
    return np.cumsum(sizes) - sizes, sizes


def _apart(codes: Array, values: int) -> Array:
    """Moves repeated codes within each row's list to the next free one, as long as there are enough values."""
    codes = codes.copy()
    for place in range(1, min(codes.shape[1], values)):
        before = codes[:, :place]
        while (again := (before == codes[:, place : place + 1]).any(axis=1)).any():
            codes[again, place] = (codes[again, place] + 1) % values
    return codes
