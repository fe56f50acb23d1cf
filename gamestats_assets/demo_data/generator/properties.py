"""What values properties have: each rule of `PropertyConstraint`, evaluated for all rows of an event at once.

A value is looked up by the user and by the user's own count of events, never drawn in turn. Values that follow
from others (counts, balances, copies, formulas, states) are evaluated when they are first asked for; what would
need itself is an error that names the cycle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.demo_data import names
from gamestats_assets.demo_data.generator.behaviour import LONGEST_GAP_S, Happenings, History, Sessions
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import (
    Coded,
    Column,
    Flags,
    Numbers,
    Pieces,
    Times,
    as_json,
    hex_texts,
    merged,
)
from gamestats_assets.demo_data.generator.random_streams import Streams, quantile_table
from gamestats_assets.demo_data.generator.state import Gathering, State, running_count, running_state
from gamestats_assets.demo_data.generator.users import Users, app_versions
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import (
    PropertyConstraint,
    TotalRule,
    Update,
    ValueRange,
    holding,
    recalled_property,
)
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Scalar
from gamestats_assets.lakehouse.errors import GamestatsError

_MOST_ROWS = 64
_DEFAULT_ROWS = 2
_DURATIONS = ("#duration", "duration", "duration_s", "duration_seconds", "duration_sec")


class CyclicRulesError(GamestatsError):
    """Values that need each other."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that values are made for.

    Attributes:
        user: position of each row's user.
        counter: what tells the user's rows apart.
        at_ms: when, in ms since 1970.
        key: the event's name, `user` for what belongs to users.
    """

    user: Array
    counter: Array
    at_ms: Array
    key: str

    def __len__(self) -> int:
        return self.user.size

    def take(self, rows: Array) -> Rows:
        """Some of the rows."""
        return Rows(self.user[rows], self.counter[rows], self.at_ms[rows], self.key)

    def repeated(self, times: int) -> Rows:
        """Each row several times, for the objects of a group."""
        within = np.tile(np.arange(times), len(self))
        return Rows(
            np.repeat(self.user, times), np.repeat(self.counter, times) * _MOST_ROWS + within,
            np.repeat(self.at_ms, times), self.key,
        )  # fmt: skip


class Properties:
    """The values of the events of some users, and of these users."""

    def __init__(self, history: History) -> None:
        self.plan, self.streams, self.users = history.plan, history.streams, history.users
        self.sessions, self.happened = history.sessions, history.happened
        self.at_ms, self.ordinal = history.at_ms, history.ordinal
        happened = history.happened
        order = np.argsort(happened.event, kind="stable")
        bounds = np.searchsorted(happened.event[order], np.arange(len(self.plan.event_names) + 1))
        self._rows = {
            name: order[start:stop]
            for name, start, stop in zip(self.plan.event_names, bounds, bounds[1:], strict=False)
        }
        self._columns: dict[tuple[str, str], Column] = {}
        self._states: dict[str, State] = {}
        self._user_columns: dict[str, Column] = {}
        self._inners: dict[tuple[str, str], dict[str, Column]] = {}
        self._counted: dict[str, dict[tuple[str, str], Column]] = {}
        self._balanced_columns: dict[str, dict[tuple[str, str, str], tuple[Column, Column]]] = {}
        self._gatherings: dict[tuple[Any, ...], Gathering] = {}
        self._asked: list[str] = []
        self._still: dict[str, list[tuple[Array, Scalar]]] = {}
        for number, truth in self.plan.standstills.items():
            self._still.setdefault(truth.property, []).append((self.users.truth == number, truth.value))

    # ----------------------------------------------------------------- what is where

    def rows_of(self, event: str) -> Array:
        """Rows of an event, in the order of the chunk."""
        return self._rows[event]

    def properties_of(self, event: str) -> Mapping[str, Property]:
        """An event's own properties and the common ones, by name."""
        return self.plan.properties_of[event]

    def _constraint(self, event: str, name: str) -> PropertyConstraint:
        return self.plan.rules.constraint_of(event, name)

    def _formula(self, event: str, name: str) -> str | None:
        found = holding(self.plan.rules.property_relationships, event, name)
        return found.formula if found else None

    def _is_state(self, name: str) -> bool:
        return name in self.plan.updates

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        if what in self._asked:
            path = " -> ".join([*self._asked[self._asked.index(what) :], what])
            raise CyclicRulesError(
                f"These values need each other, so none of them can be made: {path}. "
                "Take one of the references out of the rules."
            )
        self._asked.append(what)
        try:
            yield
        finally:
            self._asked.pop()

    # ----------------------------------------------------------------- events

    def column(self, event: str, name: str) -> Column:
        """Values of an event's property, or a common one, in the event's rows.

        Raises:
            CyclicRulesError: when they follow from themselves.
        """
        if (event, name) not in self._columns:
            with self._asking(f"{event}.{name}"):
                column = self._event_column(event, name)
                self._columns[event, name] = self._with_standstill(
                    name, self.happened.user[self.rows_of(event)], column
                )
        return self._columns[event, name]

    def _event_column(self, event: str, name: str) -> Column:
        rows = self.rows_of(event)
        given = self.properties_of(event)[name]
        constraint = self._constraint(event, name)
        if constraint.totals is not None:
            return self._total(event, constraint.totals)
        if (listed := self._listed(event, name)) is not None:
            return self._gathered_objects(event, name, listed)
        if constraint.elapsed == "session" or (name in _DURATIONS and event in self.plan.session_ends):
            seconds = self.since_session_start_s(rows)
            return Numbers(np.round(seconds / constraint.unit_s, 1), 0 if constraint.unit_s <= 1 else 1)
        if constraint.elapsed == "flow" or name in _DURATIONS:
            return self._since_flow_start(event, name, rows, constraint.unit_s)
        if (count := self.plan.moved_by.get((event, name))) is not None and f"raw {event}.{name}" not in self._asked:
            # What was not there cannot have been spent.
            return self._counts(count)[event, name]
        is_common = self.plan.common_types.get(name) is given.type and not self._sets(event, name)
        if is_common and not constraint.copy_of and not constraint.counter:
            if (version := self._app_version(rows, name, constraint, given)) is not None:
                return version
            if self._is_state(name):
                return self._state_column(name, rows, given)
            if name in self.plan.user_names or self._per_user(constraint, given):
                return self.user_column(name, given).take(self.happened.user[rows])
        if constraint.counter is not None and "." not in name and not constraint.same_as_before:
            return self.counted(event, name)
        if any(self._moves(event, f"{name}.{child.name}") for child in given.properties):
            return self._balanced(event, name)
        if constraint.per_user and f"{event}/{name}" not in self.plan.rules.property_constraints:
            return self.user_column(name, given).take(self.happened.user[rows])
        if constraint.per_user and not constraint.recalls:
            return self._value(self._context(event, rows, np.zeros(rows.size, np.int64)), name, given)
        if not self._shares_values(constraint, name, event):
            return self._value(self._context(event, rows, self.ordinal[rows]), name, given)
        parts: list[tuple[Array, Column]] = []
        source = self._told_by(rows, name)
        whose = self.happened.event[source]
        for number in np.unique(whose):
            own = np.flatnonzero(whose == number)
            teller = self.plan.event_names[number]
            if teller != event and (self._creators(teller, name) or self._gathers(teller, name)):
                told = np.searchsorted(self.rows_of(teller), source[own])
                parts.append((own, self.column(teller, name).take(told)))
                continue
            if teller == event and (creators := self._creators(event, name)):
                recalled = self._recalled(event, rows[own], creators)
                parts += [(own[found], column) for found, column in recalled]
                own = np.delete(own, np.concatenate([np.zeros(0, np.int64), *(found for found, _ in recalled)]))
            counter = np.zeros(own.size, np.int64) if constraint.per_user else self.ordinal[source[own]]
            context = self._context(teller, source[own], counter)
            parts.append((own, self._value(context, name, self.properties_of(teller)[name])))
        return merged(parts, rows.size) if parts else self._value(self._context(event, rows, rows), name, given)

    def _app_version(self, rows: Array, name: str, constraint: PropertyConstraint, given: Property) -> Column | None:
        """The version of the app in each row's session, where a property is that."""
        named = self.users.facets.get(name.lstrip("#").lower()) is self.users.app_version
        if not named or given.type is not PropertyType.STRING or constraint.template is not None:
            return None
        release = self.users.release(self.happened.user[rows], self.sessions.day[self.happened.session[rows]])
        if not constraint.values:
            return app_versions(release)
        # The last of those that the sheet lists is the newest when the run ends.
        listed = sorted(map(str, constraint.values), key=_version_key)
        newest = self.users.newest_release(self.plan.configuration.days - 1)
        return Coded(np.clip(len(listed) - 1 - newest + release, 0, len(listed) - 1), tuple(listed))

    def _sets(self, event: str, name: str) -> bool:
        """Whether an event says of itself what a state becomes."""
        updates = self.plan.updates.get(name, ())
        return any(who == event and how.sets_to(name) for who, how in updates)

    def _context(self, event: str, rows: Array, counter: Array) -> Rows:
        return Rows(self.happened.user[rows], counter, self.at_ms[rows], event)

    def _per_user(self, constraint: PropertyConstraint, given: Property) -> bool:
        """Whether a common property is one value per user: said so, or a text."""
        return constraint.per_user or (
            given.type in (PropertyType.STRING, PropertyType.LIST)
            and not given.properties
            and not constraint.first_only
        )

    def _shares_values(self, constraint: PropertyConstraint, name: str, event: str) -> bool:
        """Whether an event repeats what an earlier one said: of its flow, or of the user's life."""
        return (
            constraint.same_as_before
            or bool(constraint.recalls)
            or not (
                constraint.copy_of
                or constraint.first_only
                or constraint.counter
                or name in _DURATIONS
                or self._formula(event, name)
            )
        )

    def _told_by(self, rows: Array, name: str) -> Array:
        """For each row, the first row of its flow whose event has the property: itself, or one before."""
        step = self.happened.step[rows]
        source = rows.copy()
        own = self.plan.event_names[int(self.happened.event[rows[0]])] if rows.size else ""
        having = np.array(
            [
                name in self.properties_of(event) and self.plan.rules.repeats(own, name, event)
                for event in self.plan.event_names
            ]
        )
        waiting = np.flatnonzero(step > 0)
        earlier = 0
        while waiting.size:
            candidate = rows[waiting] - step[waiting] + earlier
            of_event = self.happened.event[candidate]
            tells = having[of_event] & (of_event != self.happened.event[rows[waiting]])
            source[waiting[tells]] = candidate[tells]
            waiting = waiting[~tells]
            earlier += 1
            waiting = waiting[step[waiting] > earlier]
        return source

    def _creators(self, event: str, name: str) -> list[tuple[str, str]]:
        """Events, each with its property, one of which said before what an event says of a property."""
        constraints = self.plan.rules.property_constraints
        key = next((key for key in (f"{event}/{name}", name) if key in constraints), "")
        found = [recalled_property(told, name) for told in self._constraint(event, name).recalls]
        return [] if "/" not in key and event in {creator for creator, _ in found} else found

    def _recalled(self, event: str, rows: Array, creators: Sequence[tuple[str, str]]) -> list[tuple[Array, Column]]:
        """What the user's latest of some events said before each row: places among the rows, and values there.

        An event that takes a thing away, or tells of each one once, tells of the latest one that is left.
        """
        for rule in (*self.plan.gathered.values(), *self.plan.told_once):
            if event in rule.takes and {creator for creator, _ in creators} <= rule.adds.keys():
                taken = self._gathering(rule).taken(rows)
                known = np.flatnonzero(taken >= 0)
                return [(known[own], column) for own, column in self._told_of(taken[known], dict(creators))]
        every = [self.rows_of(event) for event, _ in creators]
        made = np.concatenate(every)
        order = np.argsort(made, kind="stable")
        which = np.repeat(np.arange(len(every)), [found.size for found in every])[order]
        within = np.concatenate([np.arange(found.size) for found in every])[order]
        place = np.searchsorted(made[order], rows) - 1
        known = place >= 0
        known[known] = self.happened.user[made[order][place[known]]] == self.happened.user[rows[known]]
        parts: list[tuple[Array, Column]] = []
        for number, (event, name) in enumerate(creators):
            own = np.flatnonzero(known)[which[place[known]] == number]
            if own.size:
                parts.append((own, self.column(event, name).take(within[place[own]])))
        return parts

    def _since_flow_start(self, event: str, name: str, rows: Array, unit_s: float) -> Column:
        """How long a flow has taken up to each row; of a row that begins one, what its range says."""
        ranged = self._number(self._context(event, rows, self.ordinal[rows]), name)
        step = self.happened.step[rows]
        lasted = (self.at_ms[rows] - self.at_ms[rows - step]) / 1000 / unit_s
        decimals = ranged.decimals if isinstance(ranged, Numbers) else 0
        return Numbers(np.round(np.where(step > 0, lasted, ranged.numbers()), decimals), decimals)

    def since_session_start_s(self, rows: Array) -> Array:
        """Seconds from the first event of each row's session."""
        session = self.happened.session
        first = np.ones(session.size, bool)
        first[1:] = session[1:] != session[:-1]
        begin = np.maximum.accumulate(np.where(first, np.arange(session.size), 0))
        return np.rint((self.at_ms[rows] - self.at_ms[begin[rows]]) / 1000)

    def _with_standstill(self, name: str, user: Array, column: Column) -> Column:
        """Values of a property, those of users of whom it stays at a value being that."""
        for still, value in self._still.get(name, ()):
            own = still[user]
            if own.any():
                rest = np.flatnonzero(~own)
                constant = _constant(value, int(own.sum()), like=column)
                column = merged([(np.flatnonzero(own), constant), (rest, column.take(rest))], own.size)
        return column

    # ----------------------------------------------------------------- users

    def user_column(self, name: str, given: Property) -> Column:
        """A value for each user, kept for life."""
        if name not in self._user_columns:
            size = len(self.users)
            context = Rows(np.arange(size), np.zeros(size, np.int64), self.users.signed_up_ms, "user")
            with self._asking(f"user.{name}"):
                self._user_columns[name] = self._with_standstill(name, context.user, self._value(context, name, given))
        return self._user_columns[name]

    # ----------------------------------------------------------------- one value

    def _value(self, context: Rows, name: str, given: Property) -> Column:
        """Values by the property's constraint, its formula, its range, or its name, in this order."""
        event = context.key
        constraint = self._constraint(event, name)
        if constraint.copy_of is not None:
            return self._copied(context, constraint.copy_of, given)
        if constraint.first_only:
            return Flags(self._is_first(context))
        if constraint.counter is not None and event != "user" and "." not in name:
            return self.counted(event, name).take(self._positions(context))
        if (facet := self._facet(context, name, constraint, given)) is not None:
            return facet
        if constraint.depends_on is not None:
            found = self._mapped(context, name, constraint)
            if found is not None:
                return found
        if constraint.values and given.type is not PropertyType.LIST:
            return self._one_of(context, name, constraint, given)
        formula = self._formula(event, name)
        if formula is not None and given.type is PropertyType.NUMBER:
            return self._reckoned(context, name, formula)
        if formula is not None and given.type is PropertyType.BOOLEAN:
            return Flags(self._reckoned(context, name, formula).numbers() != 0)
        match given.type:
            case PropertyType.NUMBER:
                return self._number(context, name)
            case PropertyType.BOOLEAN:
                return Flags(self._uniform(context, name) < self._share_true(event, name))
            case PropertyType.TIME:
                return self._time(context, name, formula)
            case PropertyType.LIST:
                return self._texts(context, name, constraint)
            case PropertyType.OBJECT:
                return self._objects(context, name, given, 1)
            case PropertyType.OBJECT_GROUP:
                return self._objects(context, name, given, constraint.rows or _DEFAULT_ROWS)
            case _:
                return self._text(context, name, constraint)

    def _uniform(self, context: Rows, name: str) -> Array:
        return self.streams.uniform(f"{context.key} {name}", self.users.number[context.user], context.counter)

    def _facet(self, context: Rows, name: str, constraint: PropertyConstraint, given: Property) -> Column | None:
        """What is known of the user anyway, such as the country; None where the property is something else."""
        column = self.users.facets.get(name.lstrip("#").lower()) if given.type is PropertyType.STRING else None
        if column is None or constraint.template is not None:
            return None
        listed = (constraint.values, *constraint.mapping.values())
        allowed = {str(value) for values in listed for value in values}
        if allowed and not allowed.issuperset(map(str, column.values)):
            return None
        return column.take(context.user)

    def _copied(self, context: Rows, source: str, given: Property) -> Column:
        if source in ("#account_id", "#distinct_id"):
            texts = self.users.account_texts if source == "#account_id" else self.users.distinct_texts
            quoted = pl.select(pl.concat_str(pl.lit('"'), pl.lit(texts), pl.lit('"'))).to_series()
            return Pieces(quoted.gather(context.user))
        if context.key != "user" and source in self.properties_of(context.key):
            return self.column(context.key, source).take(self._positions(context))
        if self._is_state(source) and context.key != "user":
            rows = self.rows_of(context.key)[self._positions(context)]
            return self._state_column(source, rows, given)
        return self.user_column(source, self.plan.user_properties.get(source, given)).take(context.user)

    def _positions(self, context: Rows) -> Array:
        """Where the context's rows stand among the rows of their event."""
        rows = self.rows_of(context.key)
        if len(context) == rows.size:
            return np.arange(rows.size)
        per_row = len(context) // max(rows.size, 1)
        if rows.size and len(context) == rows.size * per_row:
            return np.repeat(np.arange(rows.size), per_row)
        # By user and count, which are unique.
        own = self.happened.user[rows] * (self.ordinal.max(initial=0) + 1) + self.ordinal[rows]
        return np.searchsorted(own, context.user * (self.ordinal.max(initial=0) + 1) + context.counter)

    def _is_first(self, context: Rows) -> Array:
        """Whether each is the user's first of its kind; who was there before has had it."""
        first = np.ones(len(context), bool)
        first[1:] = context.user[1:] != context.user[:-1]
        return first & (self.users.signed_up_day[context.user] >= 0)

    def _mapped(self, context: Rows, name: str, constraint: PropertyConstraint) -> Column | None:
        """One of the values that go with another property's; None where that other one is not there."""
        on = self._label(context, constraint.depends_on or "")
        if on is None:
            return None
        codes, labels = on
        allowed = [constraint.mapping.get(str(label)) for label in labels]
        if all(found is None for found in allowed):
            return None
        everything = [value for values in constraint.mapping.values() for value in values]
        choices = [found or everything for found in allowed]
        starts = np.cumsum([0, *(len(found) for found in choices)])
        drawn = self._uniform(context, name)
        sizes = np.array([len(found) for found in choices])
        code = starts[codes] + (drawn * sizes[codes]).astype(np.int64)
        return Coded(code, tuple(value for found in choices for value in found))

    def _label(self, context: Rows, name: str) -> tuple[Array, tuple[Any, ...]] | None:
        """A property's values as numbers of labels, where it has few."""
        found: Column | None = None
        if context.key != "user" and name in self.properties_of(context.key):
            found = self.column(context.key, name).take(self._positions(context))
        elif name in self.plan.user_names:
            found = self.user_column(name, self.plan.user_properties[name]).take(context.user)
        elif name in ("country", "#country"):
            found = self.users.country.take(context.user)
        elif (facet := self.users.facets.get(name.lstrip("#"))) is not None:
            found = facet.take(context.user)
        return (found.codes, found.values) if isinstance(found, Coded) else None

    def _one_of(self, context: Rows, name: str, constraint: PropertyConstraint, given: Property) -> Column:
        weights = constraint.weights or [1.0] * len(constraint.values)
        totals = np.cumsum(weights)
        codes = np.searchsorted(totals, self._uniform(context, name) * totals[-1], side="right")
        values = tuple(_as_type(value, given.type) for value in constraint.values)
        return Coded(np.minimum(codes, len(values) - 1), values)

    def _share_true(self, event: str, name: str) -> float:
        found = holding(self.plan.rules.value_ranges, event, name)
        return found.mean if found is not None and found.mean is not None and found.mean <= 1 else 0.5

    def _number(self, context: Rows, name: str) -> Column:
        if name == "age" and "age" in self.plan.user_names and context.key != "user":
            return self.user_column(name, self.plan.user_properties[name]).take(context.user)
        return numbers_of(self.plan, self.streams, self.users, context, name)

    def _time(self, context: Rows, name: str, formula: str | None) -> Column:
        """A moment so many seconds after its event; within the day before it where nothing is known."""
        if formula is not None:
            after_s = self._reckoned(context, name, formula).numbers()
        elif has_range(self.plan, context.key, name):
            after_s = self._number(context, name).numbers()
        else:
            after_s = -self._uniform(context, name) * (DAY_MS // 1000)
        return Times(context.at_ms + np.rint(np.nan_to_num(after_s) * 1000).astype(np.int64))

    def _text(self, context: Rows, name: str, constraint: PropertyConstraint) -> Column:
        if constraint.template is not None:
            number = self._number(context, name) if has_range(self.plan, context.key, name) else None
            digits = (
                number.json()
                if number is not None
                else pl.Series((self._uniform(context, name) * 10**9).astype(np.int64)).cast(pl.String)
            )
            before, _, after = constraint.template.partition("{n}")
            ends = as_json(before)[:-1], as_json(after)[1:]
            return Pieces(pl.select(pl.concat_str(pl.lit(ends[0]), pl.lit(digits), pl.lit(ends[1]))).to_series())
        pattern = constraint.faker or names.pattern_of(name.rpartition(".")[2], PropertyType.STRING)
        if pattern is None:
            return self._numbered_text(context, name)
        drawn = self._uniform(context, name)
        locale = self.users.locale.codes[context.user]
        pools = [names.pool(pattern, str(found)) for found in self.users.locale.values]
        starts = np.cumsum([0, *(len(pool) for pool in pools)])
        sizes = np.array([len(pool) for pool in pools])
        codes = starts[locale] + (drawn * sizes[locale]).astype(np.int64)
        return Coded(codes, tuple(str(value) for pool in pools for value in pool))

    def _numbered_text(self, context: Rows, name: str) -> Column:
        """An identifier, or one of a handful of numbered names, when nothing else is known."""
        last = name.rpartition(".")[2]
        if last.lower().endswith(("id", "code", "key", "uuid", "token")):
            bits = self.streams.bits(f"{context.key} {name}", self.users.number[context.user], context.counter)
            digits = hex_texts(bits).str.head(8)
            return Pieces(
                pl.select(pl.concat_str(pl.lit(f'"{last.lower()[:12]}_'), pl.lit(digits), pl.lit('"'))).to_series()
            )
        # Popularity falls: the first names are common, the last ones rare.
        codes = (self._uniform(context, name) ** 2 * _NUMBERED).astype(np.int64)
        return Coded(codes, tuple(f"{last.lstrip('#')}_{number}" for number in range(1, _NUMBERED + 1)))

    def _texts(self, context: Rows, name: str, constraint: PropertyConstraint) -> Column:
        """A list of texts, as many as another number of the event says, if it is to be that."""
        wanted = None
        count = constraint.rows or 3
        if constraint.rows_by is not None and context.key != "user" and len(context):
            wanted = np.clip(np.nan_to_num(self._named_numbers(context, constraint.rows_by, name)), 0, _MOST_ROWS)
            count = max(int(wanted.max()), 1)
        each = context.repeated(count)
        one = Property(name=name, type=PropertyType.STRING)
        inner = self._one_of(each, name, constraint, one) if constraint.values else self._text(each, name, constraint)
        if isinstance(inner, Coded):
            inner = Coded(_apart(inner.codes.reshape(-1, count), len(inner.values)).ravel(), inner.values)
        return Pieces(_grouped(inner.json(), count) if wanted is None else _counted_lists(inner.json(), count, wanted))

    # ----------------------------------------------------------------- objects

    def _objects(self, context: Rows, name: str, given: Property, count: int) -> Column:
        many = given.type is PropertyType.OBJECT_GROUP
        inner = self._inner(context.repeated(count) if many else context, name, given, count)
        return _as_objects(inner, count if many else 0)

    def _inner(self, each: Rows, name: str, given: Property, count: int) -> dict[str, Column]:
        """Columns of the objects; balances, which other events move too, are still missing."""
        inner: dict[str, Column] = {}
        for child in given.properties:
            dotted = f"{name}.{child.name}"
            rule = self._constraint(each.key, dotted).counter
            if rule is None:
                inner[child.name] = self._value(each, dotted, child)
            elif rule.source is None:
                # Within one list a count numbers the objects.
                place = np.tile(np.arange(1, count + 1), len(each) // count)
                reached = rule.start + rule.step * place
                inner[child.name] = Numbers(np.minimum(reached, rule.max) if rule.max is not None else reached)
        return inner

    def _balanced(self, event: str, name: str) -> Column:
        """An object group that holds balances."""
        given = self.properties_of(event)[name]
        inner = dict(self._group_inner(event, name))
        for child in given.properties:
            rule = self._constraint(event, f"{name}.{child.name}").counter
            if rule is not None and rule.source is not None:
                moved, after = self._balances(rule.shared or f"{event}/{name}.{child.name}")[event, name, child.name]
                inner[child.name] = after
                inner[rule.source.rpartition(".")[2]] = moved
        ordered = {child.name: inner[child.name] for child in given.properties}
        return _as_objects(ordered, self._group_size(event, name))

    def _group_size(self, event: str, name: str) -> int:
        return self._constraint(event, name).rows or _DEFAULT_ROWS

    def _group_inner(self, event: str, name: str) -> dict[str, Column]:
        if (event, name) not in self._inners:
            rows = self.rows_of(event)
            count = self._group_size(event, name)
            each = self._context(event, rows, self.ordinal[rows]).repeated(count)
            self._inners[event, name] = self._inner(each, name, self.properties_of(event)[name], count)
        return self._inners[event, name]

    def _balances(self, shared: str) -> dict[tuple[str, str, str], tuple[Column, Column]]:
        """By event, group and property: what moved a balance, and the balance after it.

        What would take a balance below zero takes only what is there.
        """
        if shared not in self._balanced_columns:
            members = self.plan.balances[shared]
            parts: list[pl.DataFrame] = []
            for number, (event, group, _, rule) in enumerate(members):
                inner, count = self._group_inner(event, group), self._group_size(event, group)
                rows = np.repeat(self.rows_of(event), count)
                source = inner[(rule.source or "").rpartition(".")[2]].numbers()
                key = inner[rule.group_by.rpartition(".")[2]].json() if rule.group_by else pl.Series([""] * rows.size)
                parts.append(
                    pl.DataFrame(
                        {
                            "member": np.full(rows.size, number),
                            "row": rows,
                            "place": np.arange(rows.size),
                            "user": self.happened.user[rows],
                            "key": key,
                            "move": rule.sign * source,
                            "start": np.full(rows.size, rule.start),
                        }
                    )
                )
            every = pl.concat(parts).sort("row", "place")
            group = every.select(pl.struct("user", "key").rank("dense")).to_series().to_numpy()
            before, after = running_count(group, every["move"].to_numpy(), every["start"].to_numpy(), None)
            done = every.with_columns(after=after, moved=np.abs(after - before)).sort("member", "row", "place")
            found: dict[tuple[str, str, str], tuple[Column, Column]] = {}
            for number, (event, group_name, child, rule) in enumerate(members):
                own = done.filter(pl.col("member") == number)
                source = self._group_inner(event, group_name)[(rule.source or "").rpartition(".")[2]]
                decimals = source.decimals if isinstance(source, Numbers) else 0
                found[event, group_name, child] = (
                    Numbers(own["moved"].to_numpy(), decimals),
                    Numbers(own["after"].to_numpy(), decimals),
                )
            self._balanced_columns[shared] = found
        return self._balanced_columns[shared]

    def _moves(self, event: str, name: str) -> bool:
        return self._constraint(event, name).counter is not None

    # ----------------------------------------------------------------- what is gathered

    def _gathering(self, rule: TotalRule) -> Gathering:
        if rule.events not in self._gatherings:
            rows = [
                np.concatenate([np.zeros(0, np.int64), *map(self.rows_of, events)])
                for events in (rule.adds, rule.takes, rule.until)
            ]
            self._gatherings[rule.events] = Gathering(self.happened.user, *rows)
        return self._gatherings[rule.events]

    def _there(self, event: str, rule: TotalRule) -> tuple[Array, Array]:
        """What is there at each row of an event: its places among them, and the rows that had added it."""
        return self._gathering(rule).there(self.rows_of(event), before=event in rule.until)

    def _told_of(self, things: Array, names: Mapping[str, str]) -> list[tuple[Array, Column]]:
        """What adding events told of things, by event and property or formula: places among the things, and values."""
        whose = self.happened.event[things]
        found: list[tuple[Array, Column]] = []
        for event, name in names.items():
            own = np.flatnonzero(whose == self.plan.event_index[event])
            if own.size:
                at = np.searchsorted(self.rows_of(event), things[own])
                known = name in self.properties_of(event)
                column = self.column(event, name) if known else Numbers(self._evaluated(event, name), 2)
                found.append((own, column.take(at)))
        return found

    def _total(self, event: str, rule: TotalRule) -> Column:
        """The sum over what is there."""
        which, things = self._there(event, rule)
        values = np.zeros(things.size)
        for own, column in self._told_of(things, rule.adds):
            values[own] = np.nan_to_num(column.numbers())
        return Numbers(np.bincount(which, values, self.rows_of(event).size), 2)

    def _gathers(self, event: str, name: str) -> bool:
        return self._constraint(event, name).totals is not None or self._listed(event, name) is not None

    def _listed(self, event: str, name: str) -> Mapping[str, TotalRule] | None:
        """By property of a group's objects, what it tells of what is there; None where they tell of other things."""
        children = self.properties_of(event)[name].properties
        found = {child.name: self._constraint(event, f"{name}.{child.name}").totals for child in children}
        rules = {child: rule for child, rule in found.items() if rule is not None}
        return rules if children and len(rules) == len(children) else None

    def _gathered_objects(self, event: str, name: str, rules: Mapping[str, TotalRule]) -> Column:
        """A list with an object for each thing that is there, as many as there are."""
        size = self.rows_of(event).size
        which, things = self._there(event, next(iter(rules.values())))
        if not things.size:
            return Pieces(pl.Series(["[]"]).gather(np.zeros(size, np.uint32)))
        inner = {child: merged(self._told_of(things, rule.adds), things.size) for child, rule in rules.items()}
        listed = _lists(which, _as_objects(inner, 0).texts, size)
        # As many places for each row, so that formulas can look into them.
        count = np.bincount(which, minlength=size)
        most = int(count.max(initial=1))
        place = which * most + np.arange(which.size) - np.repeat(np.cumsum(count) - count, count)
        padded: dict[str, Column] = {}
        for child, column in inner.items():
            if isinstance(column, Numbers):
                values = np.zeros(size * most)
                values[place] = column.values
                padded[child] = Numbers(values, column.decimals)
            else:
                filled = pl.Series(['""']).gather(np.zeros(size * most, np.uint32))
                padded[child] = Pieces(filled.scatter(place, column.json()))
        return Pieces(listed, padded, most)

    # ----------------------------------------------------------------- formulas

    def _reckoned(self, context: Rows, name: str, text: str) -> Column:
        formula = parse_formula(text)
        values = {wanted: self._named_numbers(context, wanted, name) for wanted in formula.names}
        for wanted in formula.names:
            if self._is_time(context.key, wanted):
                values[wanted] = values[wanted] - context.at_ms / 1000
        users = self.users.number[context.user]

        def uniform(place: int) -> Array:
            return self.streams.uniform(f"{context.key} {name} formula {place}", users, context.counter)

        result = np.broadcast_to(formula.evaluate(values, uniform), (len(context),)).astype(np.float64)
        ranges = [range_of(self.plan, number, context.key, name) for number in range(len(self.plan.segments))]
        if has_range(self.plan, context.key, name) and "#year" not in formula.names:
            segment = self.users.segment[context.user]
            low, high = (np.array([getattr(found, end) for found in ranges])[segment] for end in ("min", "max"))
            result = np.clip(result, low, high)
            whole = all(found.integer for found in ranges)
        else:
            whole = bool(np.all(np.abs(result - np.rint(result)) < 1e-9))
        return Numbers(result, 0 if whole else 2)

    def _named_numbers(self, context: Rows, wanted: str, own: str) -> Array:
        """What a name in a formula stands for: of the same object, the event, the common properties, the user.

        `#year` is the year in which the run begins.
        """
        if wanted == "#year":
            return np.full(len(context), float(self.plan.configuration.start.year))
        if context.key == "user":
            if wanted in self.plan.user_properties:
                if self._is_state(wanted):
                    return self.state(wanted).initial[context.user]
                return self.user_column(wanted, self.plan.user_properties[wanted]).numbers()[context.user]
            return np.full(len(context), np.nan)
        parent = own.rpartition(".")[0]
        if parent and f"{parent}.{wanted}" in self.plan.nested_of.get(context.key, {}):
            child = self.plan.nested_of[context.key][f"{parent}.{wanted}"]
            return self._value(context, f"{parent}.{wanted}", child).numbers()
        if wanted in self.properties_of(context.key):
            if wanted in self.plan.common_types and self._is_state(wanted) and not self._sets(context.key, wanted):
                return self.state(wanted).before(self.rows_of(context.key)[self._positions(context)])
            return self.column(context.key, wanted).numbers()[self._positions(context)]
        if "." in wanted:
            return self._of_objects(context.key, wanted)[self._positions(context)]
        if self._is_state(wanted):
            return self.state(wanted).before(self.rows_of(context.key)[self._positions(context)])
        if wanted in self.plan.user_properties:
            return self.user_column(wanted, self.plan.user_properties[wanted]).numbers()[context.user]
        return np.zeros(len(context))

    def _is_time(self, event: str, name: str) -> bool:
        given = {} if event == "user" else self.properties_of(event)
        found = given.get(name) or self.plan.user_properties.get(name)
        return found is not None and found.type is PropertyType.TIME

    def _of_objects(self, event: str, reference: str) -> Array:
        """A number out of an object group: `items.count` is the sum, `items[3].count` that of the object with key 3."""
        head, _, child = reference.partition(".")
        name, _, key = head.rstrip("]").partition("[")
        group = self.column(event, name)
        rows = self.rows_of(event).size
        if not isinstance(group, Pieces) or group.inner is None or child not in group.inner:
            return np.zeros(rows)
        values = group.inner[child].numbers().reshape(rows, group.per_row)
        if not key:
            return values.sum(axis=1)
        first = next(iter(group.inner.values()))
        keys = first.json().str.strip_chars('"').to_numpy().reshape(rows, group.per_row) == key
        return np.where(keys.any(axis=1), np.where(keys, values, 0).sum(axis=1), np.nan)

    # ----------------------------------------------------------------- counts and balances

    def counted(self, event: str, name: str) -> Column:
        """A count that events move, as it stands after each of them."""
        rule = self._constraint(event, name).counter
        assert rule is not None
        shared = rule.shared or f"{event}/{name}"
        return self._counts(shared)[event, name]

    def _counts(self, shared: str) -> dict[tuple[str, str], Column]:
        known = self._counted.get(shared)
        if known is None:
            with self._asking(f"count {shared}"):
                known = self._counted[shared] = self._make_counts(shared)
        return known

    def _make_counts(self, shared: str) -> dict[tuple[str, str], Column]:
        members = self.plan.counters[shared]
        rows = np.concatenate([self.rows_of(event) for event, _, _ in members])
        which = np.repeat(np.arange(len(members)), [self.rows_of(event).size for event, _, _ in members])
        order = np.argsort(rows, kind="stable")
        moves = np.zeros(rows.size)
        for number, (event, _, rule) in enumerate(members):
            own = which == number
            if rule.source is None:
                moves[own] = rule.step
            elif "." in rule.source:
                moves[own] = rule.sign * np.nan_to_num(self._of_objects(event, rule.source))
            else:
                moves[own] = rule.sign * np.nan_to_num(self._raw(event, rule.source).numbers())
        user = self.happened.user[rows]
        start = count_start(self.plan, self.streams, self.users, shared)
        most = [rule.max for _, _, rule in members if rule.max is not None]
        group = user
        if any(rule.group_by for _, _, rule in members):
            keys = [
                self.column(event, rule.group_by).json()
                if rule.group_by
                else pl.Series([""]).gather(np.zeros(self.rows_of(event).size, np.uint32))
                for event, _, rule in members
            ]
            keyed = pl.DataFrame({"user": user, "key": pl.concat(keys)})
            group = keyed.select(pl.struct("user", "key").rank("dense")).to_series().to_numpy()
        before, after = np.empty(rows.size), np.empty(rows.size)
        before[order], after[order] = running_count(
            group[order], moves[order], start[user[order]], max(most) if most else None
        )
        found: dict[tuple[str, str], Column] = {}
        for number, (event, name, rule) in enumerate(members):
            own = which == number
            decimals = 0 if float(rule.step).is_integer() else 2
            if rule.source in self.properties_of(event):
                raw = self._raw(event, rule.source or "")
                decimals = raw.decimals if isinstance(raw, Numbers) else 0
                is_flag = self.properties_of(event)[rule.source or ""].type is PropertyType.BOOLEAN
                moved = raw if is_flag else Numbers(np.abs(after[own] - before[own]), decimals)
                found[event, rule.source or ""] = moved
            found[event, name] = Numbers(after[own], decimals)
        return found

    def _raw(self, event: str, name: str) -> Column:
        """A property's values before a balance limits them."""
        with self._asking(f"raw {event}.{name}"):
            user = self.happened.user[self.rows_of(event)]
            return self._with_standstill(name, user, self._event_column(event, name))

    # ----------------------------------------------------------------- states of users

    def state(self, name: str) -> State:
        """A user property, or a common one, that events change: its values after each change.

        Raises:
            CyclicRulesError: when it follows from itself.
        """
        if name not in self._states:
            with self._asking(f"state {name}"):
                self._states[name] = self._make_state(name)
        return self._states[name]

    def _make_state(self, name: str) -> State:
        updates = [(event, update) for event, update in self.plan.updates[name] if self.rows_of(event).size]
        type_ = self.plan.state_type(name)
        numeric = type_ is PropertyType.NUMBER
        rows = np.concatenate([self.rows_of(event) for event, _ in updates] or [np.zeros(0, np.int64)])
        which = np.repeat(np.arange(len(updates)), [self.rows_of(event).size for event, _ in updates])
        values = np.zeros(rows.size)
        texts: list[pl.Series] = []
        counts = np.ones(rows.size, bool)
        for number, (event, update) in enumerate(updates):
            own = np.flatnonzero(which == number)
            if numeric:
                values[own] = self._update_numbers(event, update)
                counts[own] &= ~np.isnan(values[own])
            else:
                texts.append(self._update_texts(event, update, type_))
            if update.once_per_day:
                counts[own] &= self._first_of_day(rows[own])
        for still, _ in self._still.get(name, ()):
            counts &= ~still[self.happened.user[rows]]
        order = np.argsort(rows, kind="stable")
        order = order[counts[order]]
        kinds = np.array([update.type for _, update in updates] or ["set"])
        negative = any(update.allow_negative for _, update in updates)
        initial = self._initial(name, updates) if numeric else np.full(len(self.users), np.nan)
        if numeric and not negative and {*kinds} == {"increment", "decrement"}:
            signs = np.where(kinds[which[order]] == "decrement", -1.0, 1.0)
            initial = np.maximum(initial, self._most_lacking(self.happened.user[rows[order]], signs * values[order]))
        initial_texts = None if numeric else self._initial_texts(name, type_, updates)
        for still, value in self._still.get(name, ()):
            initial = np.where(still, value, initial) if numeric else initial
            if initial_texts is not None:
                initial_texts = initial_texts.set(pl.Series(still), as_json(value))
        return running_state(
            user=self.happened.user,
            rows=rows[order],
            kinds=kinds[which[order]] if rows.size else np.zeros(0, "U9"),
            values=values[order] if numeric else None,
            texts=pl.concat(texts).gather(order) if texts else None,
            initial_texts=initial_texts,
            negative=negative,
            initial=initial,
            most=self.plan.limit_of(name) if {*kinds} == {"increment"} else None,
            decimals=self._state_decimals(name),
        )

    def _most_lacking(self, user: Array, moves: Array) -> Array:
        """By user, what must have been there from the beginning for all that is spent to be there when it is."""
        total = pl.DataFrame({"user": user, "move": moves}).select(pl.col("move").cum_sum().over("user"))
        lacking = np.zeros(len(self.users))
        np.maximum.at(lacking, user, -total.to_series().to_numpy())
        return lacking

    def _update_numbers(self, event: str, update: Update) -> Array:
        size = self.rows_of(event).size
        if isinstance(update.value, str):
            return self._evaluated(event, update.value)
        return np.full(size, float(update.value))

    def _evaluated(self, event: str, text: str) -> Array:
        reference = text.strip().removeprefix("{{").removesuffix("}}").strip()
        rows = self.rows_of(event)
        context = self._context(event, rows, self.ordinal[rows])
        if "{" not in reference and "}" not in reference and text.strip().startswith("{{"):
            if reference == "#time":
                return self.at_ms[rows] / 1000
            return self._named_numbers(context, reference, "")
        formula = parse_formula(text)
        values = {name: self._named_numbers(context, name, "") for name in formula.names}

        def uniform(place: int) -> Array:
            return self.streams.uniform(f"{event} {text} {place}", self.users.number[context.user], context.counter)

        return np.broadcast_to(formula.evaluate(values, uniform), (rows.size,)).astype(np.float64)

    def _update_texts(self, event: str, update: Update, type_: PropertyType) -> pl.Series:
        rows = self.rows_of(event)
        if isinstance(update.value, str) and update.value.strip().startswith("{{"):
            reference = update.value.strip()[2:-2].strip()
            if reference == "#time":
                return Times(self.at_ms[rows]).json()
            if reference in self.properties_of(event):
                return self.column(event, reference).json()
            if "." in reference:
                return Numbers(np.nan_to_num(self._of_objects(event, reference))).json()
        return pl.Series([as_json(_as_type(update.value, type_))], dtype=pl.String).gather(
            np.zeros(rows.size, np.uint32)
        )

    def _first_of_day(self, rows: Array) -> Array:
        day = self.at_ms[rows] // DAY_MS
        user = self.happened.user[rows]
        first = np.ones(rows.size, bool)
        first[1:] = (user[1:] != user[:-1]) | (day[1:] != day[:-1])
        return first

    def _initial(self, name: str, updates: list[tuple[str, Update]]) -> Array:
        """A state's value when the run begins, or the user signs up."""
        size = len(self.users)
        for event, update in updates:
            if update.type == "set" and isinstance(update.value, str):
                source = update.value.strip()[2:-2].strip()
                rule = self._constraint(event, source).counter if source in self.properties_of(event) else None
                if rule is not None and rule.source is None:
                    return count_start(self.plan, self.streams, self.users, rule.shared or f"{event}/{source}")
        constraint = self._constraint("user", name)
        initial = np.zeros(size)
        if isinstance(constraint.initial, int | float):
            initial += constraint.initial
        if has_range(self.plan, "user", name):
            everybody = Rows(np.arange(size), np.zeros(size, np.int64), self.users.signed_up_ms, "user")
            formula = self._formula("user", name)
            if formula is not None and "#year" in parse_formula(formula).names:
                return self._reckoned(everybody, name, formula).numbers()
            drawn = self._number(everybody, name).numbers()
            segments = range(len(self.plan.segments))
            least = np.array([range_of(self.plan, number, "user", name).min for number in segments])
            start = initial if constraint.initial is not None else np.maximum(least, 0)[self.users.segment]
            if all(update.once_per_day and update.type == "increment" for _, update in updates):
                drawn = np.minimum(drawn, -self.users.signed_up_day)  # as many days as there were
            facts = bool(updates) and all(update.type == "set_once" for _, update in updates)
            # What never changes is so from the beginning: nobody is born twice.
            initial = drawn if facts else np.where(self.users.signed_up_day >= 0, start, drawn)
        return initial

    def _initial_texts(self, name: str, type_: PropertyType, updates: list[tuple[str, Update]]) -> pl.Series:
        """A state that is no number, as JSON, when the run begins, or the user signs up.

        Who was there before the run has one of the state's values, or a moment in the days before it; new users
        have what the rules say, or nothing.
        """
        size = len(self.users)
        constraint = self._constraint("user", name)
        before = self.users.signed_up_day < 0
        first = _empty(type_) if constraint.initial is None else _as_type(constraint.initial, type_)
        nothing = pl.Series([as_json(first)], dtype=pl.String).gather(np.zeros(size, np.uint32))
        if type_ is PropertyType.TIME:
            known = self._moments_before(name, updates).json()
        elif constraint.values and type_ is not PropertyType.LIST:
            given = Property(name=name, type=type_)
            rows = Rows(np.arange(size), np.zeros(size, np.int64), self.users.signed_up_ms, "user")
            known = self._one_of(rows, name, constraint, given).json()
        elif type_ is PropertyType.STRING and all(update.type == "set_once" for _, update in updates):
            known = self.user_column(name, self.plan.user_properties.get(name, Property(name=name, type=type_))).json()
        else:
            return nothing
        return (
            pl.DataFrame({"known": known, "nothing": nothing, "before": before})
            .select(pl.when("before").then("known").otherwise("nothing"))
            .to_series()
        )

    def _moments_before(self, name: str, updates: list[tuple[str, Update]]) -> Times:
        """When something happened to users before the run: on joining, for the first time, or lately, in this order."""
        age = np.maximum(self.plan.start_ms - self.users.signed_up_ms, 0)
        drawn = self.streams.uniform(f"user {name} before", self.users.number)
        quarter = np.minimum(age // 4, _JOINING_MS)
        if any(update.type != "set_once" for _, update in updates):
            longest = np.minimum(age // 2, _LAST_DAYS * DAY_MS)
            return Times(self.plan.start_ms - (drawn * longest).astype(np.int64))
        if all(event in self.plan.rules.event_constraints.once for event, _ in updates):
            return Times(self.users.signed_up_ms + (drawn * quarter).astype(np.int64))
        return Times(self.users.signed_up_ms + quarter + (drawn * (age // 2 - quarter)).astype(np.int64))

    def _state_decimals(self, name: str) -> int:
        ranges = [range_of(self.plan, number, "user", name) for number in range(len(self.plan.segments))]
        if has_range(self.plan, "user", name):
            return max(decimals_of(found) for found in ranges)
        return (
            2
            if any(
                isinstance(update.value, str) and "#time" not in update.value for _, update in self.plan.updates[name]
            )
            else 0
        )

    def _state_column(self, name: str, rows: Array, given: Property) -> Column:
        """A state as it stands after each of some rows."""
        state = self.state(name)
        if state.texts is not None:
            return Pieces(state.texts_after(rows))
        return Numbers(np.nan_to_num(state.after(rows)), state.decimals)


_ANY_NUMBER = ValueRange(min=1, max=100, mean=30)
_NUMBERED = 12
_JOINING_MS = 6 * 3_600_000
"""Within which from midnight of the sign-up what belongs to it happened."""
_LAST_DAYS = 14
"""Days before the run in which what users last did then lies."""


def range_of(plan: Blueprint, segment: int, event: str, name: str) -> ValueRange:
    """Where a number of a segment's users lies."""
    for ranges in (plan.analyses[segment].property_ranges, plan.rules.value_ranges):
        if (found := holding(ranges, event, name)) is not None:
            return found
    return _ANY_NUMBER


def has_range(plan: Blueprint, event: str, name: str) -> bool:
    """Whether the rules say where a number lies."""
    return any(
        key in ranges
        for ranges in (plan.rules.value_ranges, *(analysis.property_ranges for analysis in plan.analyses))
        for key in (f"{event}/{name}", name)
    )


def numbers_of(plan: Blueprint, streams: Streams, users: Users, context: Rows, name: str) -> Numbers:
    """Numbers in the range of each user's segment."""
    drawn = streams.uniform(f"{context.key} {name}", users.number[context.user], context.counter)
    values = np.zeros(len(context))
    segment = users.segment[context.user]
    ranges = [range_of(plan, number, context.key, name) for number in range(len(plan.segments))]
    for wanted in dict.fromkeys(ranges):
        own = np.isin(segment, [number for number, found in enumerate(ranges) if found == wanted])
        values[own] = quantile_table(wanted).sample(drawn[own])
    return Numbers(values, max(decimals_of(found) for found in ranges))


def count_start(plan: Blueprint, streams: Streams, users: Users, shared: str) -> Array:
    """Where each user's count begins: at its start, and for who was there before, in the segment's range."""
    members = plan.counters[shared]
    rule = next((rule for _, _, rule in members if rule.step or rule.source), members[0][2])
    start = np.full(len(users), max(member.start for _, _, member in members), np.float64)
    before = np.flatnonzero(users.signed_up_day < 0)
    key = _range_key(plan, shared)
    if before.size and key is not None and rule.source is None:
        context = Rows(before, np.zeros(before.size, np.int64), users.signed_up_ms[before], key[0])
        drawn = numbers_of(plan, streams, users, context, key[1]).numbers()
        most = [member.max for _, _, member in members if member.max is not None]
        start[before] = np.clip(drawn, rule.start, max(most) if most else None)
    return start


def _range_key(plan: Blueprint, shared: str) -> tuple[str, str] | None:
    """Event and property whose range tells how far users are: of the count, or of a state that is set from it."""
    members = plan.counters[shared]
    for event, name, _ in members:
        if has_range(plan, event, name):
            return event, name
    shown = {(event, f"{{{{{name}}}}}") for event, name, _ in members}
    for state, updates in plan.updates.items():
        told = any(update.type == "set" and (event, update.value) in shown for event, update in updates)
        if told and has_range(plan, "user", state):
            return "user", state
    return None


def durations_s(plan: Blueprint, streams: Streams, users: Users, found: Happenings, ordinal: Array) -> Array:
    """How long what each later step of a flow ends has taken, by the step's own duration; NaN without one."""
    seconds = np.full(len(found), np.nan)
    for event, properties in plan.properties_of.items():
        told = {name: _elapsed_unit_s(plan, event, name) for name in properties}
        name = next((name for name, unit_s in told.items() if unit_s is not None), None)
        if name is None or event in plan.session_ends:
            continue
        rows = np.flatnonzero((found.event == plan.event_index[event]) & (found.step > 0))
        context = Rows(found.user[rows], ordinal[rows], np.zeros(rows.size, np.int64), event)
        seconds[rows] = numbers_of(plan, streams, users, context, name).numbers() * (told[name] or 1)
    # What takes longer than a session allows nears the longest gap, rather than that many take just as long.
    half = LONGEST_GAP_S / 2
    return np.where(seconds > half, half + half * (1 - np.exp(1 - seconds / half)), seconds)


def _elapsed_unit_s(plan: Blueprint, event: str, name: str) -> float | None:
    """Seconds of the unit in which a property tells how long a flow took; None where it tells something else."""
    constraint = plan.rules.constraint_of(event, name)
    return constraint.unit_s if constraint.elapsed == "flow" or name in _DURATIONS else None


def person_names(streams: Streams, users: Users) -> pl.Series:
    """A name for each user, as is usual in the country."""
    pools = [names.pool("name", str(locale)) for locale in users.locale.values]
    drawn = streams.uniform("name", users.number)
    places = zip(users.locale.codes, drawn, strict=True)
    return pl.Series([str(pools[code][int(share * len(pools[code]))]) for code, share in places], dtype=pl.String)


def first_properties(plan: Blueprint, streams: Streams, users: Users) -> pl.Series:
    """The user properties that each user begins with, as JSON."""
    none = np.zeros(0, np.int64)
    nothing = Happenings(none, none, none, none, none, none, np.zeros(0, bool))
    properties = Properties(History(plan, streams, users, Sessions(none, none, none, none), nothing, none, none))
    fragments: list[pl.Expr] = []
    for name, given in plan.user_properties.items():
        if name not in plan.updates:
            texts = properties.user_column(name, given).json()
        elif given.type is PropertyType.NUMBER:
            state = properties.state(name)
            texts = Numbers(np.nan_to_num(state.initial), state.decimals).json()
        else:
            texts = properties.state(name).known_texts()
        # What is not known of a user yet is left out.
        told = pl.concat_str(pl.lit(f",{as_json(name)}:"), pl.lit(texts)).fill_null("")
        fragments.append(told)
    if not fragments:
        return pl.Series(["{}"] * len(users), dtype=pl.String)
    inside = pl.select(pl.concat_str(*fragments)).to_series()
    return pl.select(pl.concat_str(pl.lit("{"), pl.lit(inside.str.strip_prefix(",")), pl.lit("}"))).to_series()


def decimals_of(wanted: ValueRange) -> int:
    """Decimals that a range's numbers are written with."""
    if wanted.integer:
        return 0
    width = wanted.max - wanted.min
    return 2 if width >= 0.2 else 4 if width >= 0.01 else 6


def _apart(codes: Array, values: int) -> Array:
    """Codes of lists, one a row, no list having a code twice as long as there are enough: the next one that is free."""
    codes = codes.copy()
    for place in range(1, min(codes.shape[1], values)):
        before = codes[:, :place]
        while (again := (before == codes[:, place : place + 1]).any(axis=1)).any():
            codes[again, place] = (codes[again, place] + 1) % values
    return codes


def _constant(value: Scalar, size: int, *, like: Column) -> Column:
    """One value again and again, as a column of the same kind where that can hold it."""
    if isinstance(like, Numbers) and isinstance(value, int | float):
        return Numbers(np.full(size, float(value)), max(like.decimals, 0 if float(value).is_integer() else 2))
    if isinstance(like, Flags) and isinstance(value, bool):
        return Flags(np.full(size, value))
    return Coded(np.zeros(size, np.int64), (value,))


def _as_type(value: Any, type_: PropertyType) -> Any:
    if type_ is PropertyType.STRING and not isinstance(value, str):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if type_ is PropertyType.BOOLEAN and isinstance(value, str):
        return value.strip().lower() in ("y", "yes", "true", "1", "예")
    return value


def _version_key(version: str) -> list[tuple[int, str]]:
    """What orders versions: 1.9 before 1.10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"[.\-+_ ]", version)]


def _empty(type_: PropertyType) -> Any:
    return {PropertyType.NUMBER: 0, PropertyType.BOOLEAN: False, PropertyType.LIST: []}.get(type_, "")


def _grouped(texts: pl.Series, count: int) -> pl.Series:
    """Every `count` texts as one JSON list."""
    parts: list[pl.Expr] = [pl.lit("[")]
    for place in range(count):
        if place:
            parts.append(pl.lit(","))
        parts.append(pl.lit(texts.gather_every(count, place)))
    return pl.select(pl.concat_str(*parts, pl.lit("]"))).to_series()


def _counted_lists(texts: pl.Series, count: int, wanted: Array) -> pl.Series:
    """The first few of every `count` texts, as many as wanted, as one JSON list."""
    row = np.repeat(np.arange(wanted.size), count)
    kept = np.tile(np.arange(count), wanted.size) < wanted[row]
    return _lists(row[kept], texts.filter(pl.Series(kept)), wanted.size)


def _lists(row: Array, texts: pl.Series, rows: int) -> pl.Series:
    """For each of so many rows, the texts that belong to it as one JSON list."""
    lists = pl.DataFrame({"row": row, "text": texts}).group_by("row", maintain_order=True)
    joined = lists.agg(pl.col("text").str.join(","))
    every = pl.DataFrame({"row": np.arange(rows)}).join(joined, on="row", how="left", maintain_order="left")
    return every.select(pl.concat_str(pl.lit("["), pl.col("text").fill_null(""), pl.lit("]"))).to_series()


def _as_objects(inner: Mapping[str, Column], count: int) -> Pieces:
    """Columns side by side as objects; `count` of them as one list, 0 leaves them single."""
    parts: list[pl.Expr] = []
    for place, (name, column) in enumerate(inner.items()):
        parts += [pl.lit(("{" if not place else ",") + as_json(name) + ":"), pl.lit(column.json())]
    size = len(next(iter(inner.values())).json()) if inner else 0
    texts = pl.select(pl.concat_str(*parts, pl.lit("}"))).to_series() if parts else pl.Series(["{}"] * size)
    return Pieces(_grouped(texts, count) if count else texts, dict(inner), max(count, 1))
