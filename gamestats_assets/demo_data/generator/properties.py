"""Values of the properties in the events of a group of users.

Values that follow from others (counts, balances, copies, formulas, states) are made on first use; a value that would
need itself is an error that names the circle. An event's value is its own, or comes from an earlier event: of its flow,
of the user's life, or of the things that the user has gathered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.behaviour import NOTHING, History, Sessions
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import (
    in_object,
    lists,
    numbers,
    objects,
    rounded,
    scattered,
    texts,
    typed,
)
from gamestats_assets.demo_data.generator.random_streams import DURATIONS, Rows, Streams, everybody
from gamestats_assets.demo_data.generator.state import Gathering, begins, latest
from gamestats_assets.demo_data.generator.user_states import Counts, UserStates, happened_before
from gamestats_assets.demo_data.generator.users import Users, app_versions
from gamestats_assets.demo_data.generator.values import Values
from gamestats_assets.demo_data.reference import names
from gamestats_assets.demo_data.rules.model import PropertyConstraint, TotalRule, recalled_property
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Scalar
from gamestats_assets.lakehouse.errors import GamestatsError

_Parts = list[tuple[Array, pl.Series]]


class CyclicRulesError(GamestatsError):
    """Values need each other."""


class Properties:
    """The property values of a group of users and of their events."""

    def __init__(self, history: History) -> None:
        self.plan, self.streams, self.users = history.plan, history.streams, history.users
        self.history, self.happened, self.at_ms = history, history.happened, history.at_ms
        self.values, self.counts, self.states = Values(self), Counts(self), UserStates(self)
        order = np.argsort(self.happened.event, kind="stable")
        bounds = np.searchsorted(self.happened.event[order], np.arange(len(self.plan.event_names) + 1))
        self._rows = dict(zip(self.plan.event_names, np.split(order, bounds[1:-1]), strict=True))
        self._columns: dict[tuple[str, str], pl.Series] = {}
        self._user_columns: dict[str, pl.Series] = {}
        self._gatherings: dict[tuple[Any, ...], Gathering] = {}
        self._before: dict[str, Array] = {}
        self._asked: list[str] = []
        self.still: dict[str, list[tuple[Array, Scalar]]] = {}
        """By property, the users for whom it stays at a value, and the value."""
        for number, truth in self.plan.standstills.items():
            self.still.setdefault(truth.property, []).append((self.users.truth == number, truth.value))

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Guards the making of a value against circles."""
        if what in self._asked:
            path = " -> ".join([*self._asked[self._asked.index(what) :], what])
            raise CyclicRulesError(
                f"These values need each other, so none of them can be made: {path}. "
                "Remove one of the references from the rules."
            )
        self._asked.append(what)
        try:
            yield
        finally:
            self._asked.pop()

    # ----------------------------------------------------------------- rows

    def rows_of(self, event: str) -> Array:
        """Returns the rows of an event, in the order of the chunk."""
        return self._rows[event]

    def rows(self, event: str) -> Rows:
        """Returns the rows of an event in the form that values are made for."""
        found = self._rows[event]
        return Rows(
            event, self.happened.user[found], self.history.ordinal[found], self.at_ms[found], np.arange(found.size)
        )

    def _some_rows(self, event: str, rows: Array, *, once: bool) -> Rows:
        """Returns the rows of an event; for values that a user keeps, rows count as the first one."""
        counter = np.zeros(rows.size, np.int64) if once else self.history.ordinal[rows]
        place = np.searchsorted(self._rows[event], rows)
        return Rows(event, self.happened.user[rows], counter, self.at_ms[rows], place)

    def first_of_day(self, rows: Array) -> Array:
        """Returns whether each of these rows is its user's first of them on its day."""
        return begins(self.happened.user[rows], self.at_ms[rows] // DAY_MS)

    def happened_before(self, event: str) -> Array:
        """Returns by user how often an event happened before the run."""
        if event not in self._before:
            self._before[event] = happened_before(self.plan, self.streams, self.users, event)
        return self._before[event]

    def _constraint(self, event: str, name: str) -> PropertyConstraint:
        return self.plan.rules.constraint_of(event, name)

    # ----------------------------------------------------------------- columns

    def column(self, event: str, name: str) -> pl.Series:
        """Returns the values of an event's own or common property, in the event's rows.

        Raises:
            CyclicRulesError: when they follow from themselves.
        """
        if (event, name) not in self._columns:
            with self.asking(f"{event}.{name}"):
                self._columns[event, name] = self._event_column(event, name)
        return self._columns[event, name]

    def raw(self, event: str, name: str) -> pl.Series:
        """Returns a property's values before a balance limits them."""
        with self.asking(f"raw {event}.{name}"):
            return self._event_column(event, name)

    def user_column(self, name: str, given: Property) -> pl.Series:
        """Returns a value for each user, kept for life."""
        if name not in self._user_columns:
            with self.asking(f"user.{name}"):
                found = self.values.made(everybody(self.users), name, given)
                self._user_columns[name] = self._with_standstill(name, np.arange(len(self.users)), given, found)
        return self._user_columns[name]

    def _event_column(self, event: str, name: str) -> pl.Series:
        given, constraint = self.plan.properties_of[event][name], self._constraint(event, name)
        for source in _SOURCES:
            if (found := source(self, event, name, given, constraint)) is not None:
                break
        else:
            found = self._shared(event, name, given, constraint)
        return self._with_standstill(name, self.happened.user[self.rows_of(event)], given, found)

    def _with_standstill(self, name: str, user: Array, given: Property, column: pl.Series) -> pl.Series:
        """Returns values of a property, fixed for users for whom it must stand still."""
        for still, value in self.still.get(name, ()):
            own = np.flatnonzero(still[user])
            rest = np.flatnonzero(~still[user])
            stays = typed([value], given.type).gather(np.zeros(own.size, np.uint32))
            column = scattered([(own, stays), (rest, column.gather(rest))], user.size) if own.size else column
        return column

    # ----------------------------------------------------------------- sources of an event's values

    def _total(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns the sum over the things that are present."""
        if constraint.totals is None:
            return None
        which, things = self._there(event, constraint.totals)
        values = np.zeros(things.size)
        for own, column in self._values_of(things, constraint.totals.adds):
            values[own] = np.nan_to_num(numbers(column))
        return rounded(np.bincount(which, values, self.rows_of(event).size), 2)

    def _gathered(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns a list with an object for each thing that is present."""
        rules = self._listed(event, name)
        if rules is None:
            return None
        which, things = self._there(event, next(iter(rules.values())))
        inner: dict[str, pl.Series] = {}
        for child, rule in rules.items():
            found = scattered(self._values_of(things, rule.adds), things.size) if things.size else None
            numeric = next(p.type for p in given.properties if p.name == child) is PropertyType.NUMBER
            inner[child] = pl.Series([], dtype=pl.Float64 if numeric else pl.String) if found is None else found
            inner[child] = inner[child].cast(pl.Float64) if numeric else inner[child]
        return lists(which, objects(inner, things.size), self.rows_of(event).size)

    def _duration(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns how long the session or the flow has taken; for the first event of a flow, a value from its range."""
        rows = self.rows_of(event)
        ends_session = name in DURATIONS and event in self.plan.session_ends
        if constraint.elapsed == "session" or (ends_session and constraint.elapsed is None):
            since = np.rint((self.at_ms[rows] - self._session_begin_ms[rows]) / 1000)
            return rounded(since / constraint.unit_s, 0 if constraint.unit_s <= 1 else 1)
        if constraint.elapsed is None and name not in DURATIONS:
            return None
        ranged = numbers(self.plan.ranges.numbers(self.streams, self.users, self.rows(event), name))
        step = self.happened.step[rows]
        lasted = (self.at_ms[rows] - self.at_ms[rows - step]) / 1000 / constraint.unit_s
        return rounded(np.where(step > 0, lasted, ranged), self.plan.ranges.decimals(event, name))

    @cached_property
    def _session_begin_ms(self) -> Array:
        rows = np.arange(self.at_ms.size)
        return self.at_ms[np.maximum.accumulate(np.where(begins(self.happened.session), rows, 0))]

    def _limited(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns what moves a balance: no more can be spent than is present."""
        count = self.plan.moved_by.get((event, name))
        if count is None or f"raw {event}.{name}" in self._asked:
            return None
        return self.counts.all(count)[event, name]

    def _common(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns a common property that is the app's version, a state, or one value for each user."""
        is_common = self.plan.common_types.get(name) is given.type and not self.plan.sets(event, name)
        if not is_common or constraint.copy_of or constraint.counter:
            return None
        rows = self.rows_of(event)
        if (version := self._app_version(rows, name, constraint, given)) is not None:
            return version
        if name in self.plan.updates:
            return self.states.shown(name, rows)
        flat = given.type in (PropertyType.STRING, PropertyType.LIST) and not given.properties
        kept = constraint.per_user or (flat and not constraint.first_only)
        if name in self.plan.user_properties or kept:
            return self.user_column(name, given).gather(self.happened.user[rows])
        return None

    def _app_version(self, rows: Array, name: str, constraint: PropertyConstraint, given: Property) -> pl.Series | None:
        """Returns the app's version in each row's session, if the property is that."""
        named = self.users.facets.get(name.lstrip("#").lower()) is self.users.app_version
        if not named or given.type is not PropertyType.STRING or constraint.template is not None:
            return None
        release = self.users.release(self.happened.user[rows], self.history.sessions.day[self.happened.session[rows]])
        if not constraint.values:
            return app_versions(release).at()
        # The last version in the sheet is the newest at the end of the run.
        listed = sorted(map(str, constraint.values), key=_version_key)
        newest = self.users.newest_release(self.plan.configuration.days - 1)
        return pl.Series(listed).gather(np.clip(len(listed) - 1 - newest + release, 0, len(listed) - 1))

    def _counted(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        if constraint.counter is not None and not constraint.same_as_before:
            return self.counts.shown(event, name)
        dotted = (self._constraint(event, f"{name}.{child.name}").counter for child in given.properties)
        holds_balance = any(rule is not None and rule.source is not None for rule in dotted)
        return self.counts.in_objects(event, name) if holds_balance else None

    def _own(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series | None:
        """Returns the event's own values, regardless of earlier events."""
        rows = self.rows_of(event)
        if constraint.per_user and f"{event}/{name}" not in self.plan.rules.property_constraints:
            return self.user_column(name, given).gather(self.happened.user[rows])
        once = constraint.per_user and not constraint.recalls
        repeats = constraint.same_as_before or constraint.recalls
        alone = constraint.copy_of or constraint.first_only or constraint.counter
        if once or (not repeats and (alone or self.values.formula_of(event, name))):
            return self.values.made(self._some_rows(event, rows, once=once), name, given)
        return None

    # ----------------------------------------------------------------- values from earlier events

    def _shared(self, event: str, name: str, given: Property, constraint: PropertyConstraint) -> pl.Series:
        """Returns the value of the first event with the property in each row's flow, or one from the user's life."""
        rows = self.rows_of(event)
        parts: _Parts = []
        source = self._source_rows(rows, name)
        for number in np.unique(self.happened.event[source]):
            own = np.flatnonzero(self.happened.event[source] == number)
            source_name = self.plan.event_names[number]
            if source_name != event and (self._creators(source_name, name) or self._gathers(source_name, name)):
                parts.append(
                    (
                        own,
                        self.column(source_name, name).gather(np.searchsorted(self.rows_of(source_name), source[own])),
                    )
                )
                continue
            if source_name == event and (creators := self._creators(event, name)):
                recalled = self._recalled(event, rows[own], creators)
                parts += [(own[found], column) for found, column in recalled]
                own = np.delete(own, np.concatenate([np.zeros(0, np.int64), *(found for found, _ in recalled)]))
            context = self._some_rows(source_name, source[own], once=constraint.per_user)
            parts.append((own, self.values.made(context, name, self.plan.properties_of[source_name][name])))
        return scattered(parts, rows.size) if parts else self.values.made(self.rows(event), name, given)

    def _source_rows(self, rows: Array, name: str) -> Array:
        """Returns for each row the first row of its flow whose event has the property: itself, or an earlier one."""
        source, step = rows.copy(), self.happened.step[rows]
        if not step.any():
            return source
        own = self.plan.event_names[int(self.happened.event[rows[0]])]
        having = np.array(
            [
                name in self.plan.properties_of[event] and self.plan.rules.repeats(own, name, event)
                for event in self.plan.event_names
            ]
        )
        waiting, earlier = np.flatnonzero(step > 0), 0
        while waiting.size:
            candidate = rows[waiting] - step[waiting] + earlier
            of_event = self.happened.event[candidate]
            has_property = having[of_event] & (of_event != self.happened.event[rows[waiting]])
            source[waiting[has_property]] = candidate[has_property]
            earlier += 1
            waiting = waiting[~has_property & (step[waiting] > earlier)]
        return source

    def _creators(self, event: str, name: str) -> list[tuple[str, str]]:
        """Returns the events, each with its property, from which a property of an event can be recalled."""
        constraints = self.plan.rules.property_constraints
        found = [recalled_property(recalled, name) for recalled in self._constraint(event, name).recalls]
        is_of_all = f"{event}/{name}" not in constraints
        return [] if is_of_all and event in {creator for creator, _ in found} else found

    def _recalled(self, event: str, rows: Array, creators: Sequence[tuple[str, str]]) -> _Parts:
        """Returns the values of the user's latest of these events before each row: places among the rows, and values.

        An event that takes a thing away, or uses each thing once, recalls the latest one that is left.
        """
        for rule in (*self.plan.gathered.values(), *self.plan.used_once):
            if event in rule.takes and {creator for creator, _ in creators} <= rule.adds.keys():
                things = self._gathering(rule).taken(rows)
                known = things >= 0
                break
        else:
            made = np.sort(np.concatenate([self.rows_of(creator) for creator, _ in creators]))
            at, known = latest(self.happened.user, made, rows, before=True)
            things = made[at] if made.size else at
        places = np.flatnonzero(known)
        return [(places[own], column) for own, column in self._values_of(things[known], dict(creators))]

    # ----------------------------------------------------------------- gathered things

    def _gathering(self, rule: TotalRule) -> Gathering:
        if rule.events not in self._gatherings:
            none = np.zeros(0, np.int64)
            rows = [
                np.concatenate([none, *map(self.rows_of, events)]) for events in (rule.adds, rule.takes, rule.until)
            ]
            self._gatherings[rule.events] = Gathering(self.happened.user, *rows)
        return self._gatherings[rule.events]

    def _there(self, event: str, rule: TotalRule) -> tuple[Array, Array]:
        """Returns the things present at each row of an event: places among the rows, and the rows that added the
        things."""
        return self._gathering(rule).there(self.rows_of(event), before=event in rule.until)

    def _values_of(self, things: Array, sources: Mapping[str, str]) -> _Parts:
        """Returns values of things from the events that added them: places among the things, and values."""
        found: _Parts = []
        for event, name in sources.items():
            own = np.flatnonzero(self.happened.event[things] == self.plan.event_index[event])
            if own.size:
                known = name in self.plan.properties_of[event]
                column = (
                    self.column(event, name) if known else rounded(self.values.evaluated(self.rows(event), "", name), 2)
                )
                found.append((own, column.gather(np.searchsorted(self.rows_of(event), things[own]))))
        return found

    def _gathers(self, event: str, name: str) -> bool:
        return self._constraint(event, name).totals is not None or self._listed(event, name) is not None

    def _listed(self, event: str, name: str) -> Mapping[str, TotalRule] | None:
        """Returns the rules of a group's properties if they list the things present; None if they list others."""
        children = self.plan.properties_of[event][name].properties
        found = {child.name: self._constraint(event, f"{name}.{child.name}").totals for child in children}
        rules = {child: rule for child, rule in found.items() if rule is not None}
        return rules if children and len(rules) == len(children) else None

    def objects_total(self, event: str, reference: str) -> pl.Series:
        """Returns a number from an object group: `items.count` is the sum, `items[3].count` that of the object with key
        3."""
        head, _, child = reference.partition(".")
        name, _, key = head.rstrip("]").partition("[")
        size = self.rows_of(event).size
        group = self.column(event, name) if name in self.plan.properties_of[event] else pl.Series([], dtype=pl.String)
        within = group.dtype.inner if isinstance(group.dtype, pl.List) else None
        if not isinstance(within, pl.Struct) or child not in [field.name for field in within.fields]:
            return pl.Series(np.zeros(size))
        count = group.list.len().to_numpy()
        row = np.repeat(np.arange(size), count)
        each = group.filter(pl.Series(count > 0)).explode().struct
        values = np.nan_to_num(numbers(each.field(child)))
        if not key:
            return pl.Series(np.bincount(row, values, size))
        own = (texts(each.field(within.fields[0].name)) == key).to_numpy()
        found = np.bincount(row[own], values[own], size)
        return pl.Series(np.where(np.bincount(row[own], minlength=size) > 0, found, np.nan))


_Source = Callable[[Properties, str, str, Property, PropertyConstraint], pl.Series | None]
_SOURCES: tuple[_Source, ...] = (
    Properties._total,
    Properties._gathered,
    Properties._duration,
    Properties._limited,
    Properties._common,
    Properties._counted,
    Properties._own,
)
"""Sources of an event's values; the first that applies wins, otherwise values come from earlier events."""


def _version_key(version: str) -> list[tuple[int, str]]:
    """Returns a sort key for versions: 1.9 comes before 1.10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"[.\-+_ ]", version)]


def person_names(streams: Streams, users: Users) -> pl.Series:
    """Returns a name for each user, in the style of the country."""
    pools = [names.pool("name", str(locale)) for locale in users.locale.values]
    drawn = streams.uniform("name", users.number)
    places = zip(users.locale.codes, drawn, strict=True)
    return pl.Series([str(pools[code][int(share * len(pools[code]))]) for code, share in places], dtype=pl.String)


def first_properties(plan: Blueprint, streams: Streams, users: Users) -> pl.Series:
    """Returns the user properties that each user begins with, as JSON, without unknown ones."""
    none = np.zeros(0, np.int64)
    properties = Properties(History(plan, streams, users, Sessions(none, none, none, none), NOTHING, none, none))
    parts: list[pl.Expr] = []
    for name, given in plan.user_properties.items():
        changes = name in plan.updates
        column = properties.states.of(name).initial if changes else properties.user_column(name, given)
        known = pl.DataFrame({"inside": in_object({name: column}), "is_known": column.is_not_null()})
        parts.append(pl.lit(known.select(pl.when("is_known").then("inside")).to_series()))
    if not parts:
        return pl.Series(["{}"] * len(users), dtype=pl.String)
    inside = pl.concat_str(parts, separator=",", ignore_nulls=True)
    return pl.select(pl.concat_str(pl.lit("{"), inside, pl.lit("}"))).to_series()
