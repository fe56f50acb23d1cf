"""States, counts and balances of users, at the beginning of the run and after each event that changes them.

What users did before the run follows from their habits in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import (
    MOMENT,
    as_written,
    constant,
    lists,
    moments,
    numbers,
    objects,
    rounded,
    texts,
    typed,
)
from gamestats_assets.demo_data.generator.random_streams import USER, Streams, count_start, everybody
from gamestats_assets.demo_data.generator.state import State, running_count, running_state
from gamestats_assets.demo_data.generator.users import Users
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import CounterRule, Update
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType

if TYPE_CHECKING:
    from gamestats_assets.demo_data.generator.properties import Properties

_JOINING_MS = 6 * 3_600_000
"""Time after midnight of the sign-up within which everything about joining happened."""
_LAST_DAYS = 14
"""Days before the run that hold users' latest activity before it."""
_Updates = list[tuple[str, Update]]


def reference_of(value: object) -> str | None:
    """Returns the only property that an update's value names: `price` of `{{price}}`."""
    text = value.strip() if isinstance(value, str) else ""
    inside = text[2:-2].strip()
    return inside if text.startswith("{{") and text.endswith("}}") and not {"{", "}"} & set(inside) else None


class UserStates:
    """The states of a group of users, each made on first use."""

    def __init__(self, properties: Properties) -> None:
        self._of, self._plan, self._users = properties, properties.plan, properties.users
        self._streams = properties.streams
        self._states: dict[str, State] = {}

    def of(self, name: str) -> State:
        """Returns the state of a user or common property that events change.

        Raises:
            CyclicRulesError: when it follows from itself.
        """
        if name not in self._states:
            with self._of.asking(f"state {name}"):
                self._states[name] = self._made(name)
        return self._states[name]

    def shown(self, name: str, rows: Array) -> pl.Series:
        """Returns a state after each of these rows; empty while it is unknown."""
        found = as_written(self.of(name).at(rows))
        type_ = self._plan.state_type(name)
        nothing = constant("" if type_ is PropertyType.TIME else _nothing(type_), type_, rows.size)
        return found.zip_with(found.is_not_null(), nothing.cast(found.dtype))

    def evaluated(self, event: str, value: str) -> pl.Series:
        """Returns the result of an update with references in the rows of an event."""
        rows = self._of.rows(event)
        reference = reference_of(value)
        if reference == "#time":
            return moments(rows.at_ms)
        if reference is not None:
            return self._of.values.named(rows, reference, "")
        return pl.Series(self._of.values.evaluated(rows, "", value))

    # ----------------------------------------------------------------- changes

    def _made(self, name: str) -> State:
        updates, type_ = self._plan.updates[name], self._plan.state_type(name)
        numeric = type_ is PropertyType.NUMBER
        initial = self._initial_numbers(name, updates) if numeric else self._initial(name, type_, updates)
        for still, value in self._of.still.get(name, ()):
            initial = initial.set(pl.Series(still), typed([value], type_).cast(initial.dtype).item())
        parts: list[tuple[Array, Array, pl.Series]] = []
        for event, update in updates:
            rows = self._of.rows_of(event)
            change = self._change(event, update, type_, initial.dtype) if rows.size else initial.head(0)
            counts = ~np.isnan(numbers(change)) if numeric else change.is_not_null().to_numpy()
            if update.once_per_day:
                counts &= self._of.first_of_day(rows)
            for still, _ in self._of.still.get(name, ()):
                counts &= ~still[self._of.happened.user[rows]]
            parts.append((rows[counts], np.full(counts.sum(), update.type), change.filter(pl.Series(counts))))
        order = np.argsort(np.concatenate([rows for rows, _, _ in parts]), kind="stable")
        rows, kinds = (np.concatenate([part[n] for part in parts])[order] for n in (0, 1))
        changes = pl.concat([change.cast(initial.dtype) for _, _, change in parts]).gather(order)
        every = {update.type for _, update in updates}
        negative = any(update.allow_negative for _, update in updates)
        if numeric and not negative and every == {"increment", "decrement"}:
            lacking = self._most_lacking(rows, np.where(kinds == "decrement", -1.0, 1.0) * numbers(changes))
            initial = pl.Series(np.maximum(numbers(initial), lacking))
        return running_state(
            self._of.happened.user,
            rows,
            kinds,
            changes,
            initial,
            negative=negative,
            decimals=self._decimals(name),
            most=self._plan.limit_of(name) if every == {"increment"} else None,
        )

    def _change(self, event: str, update: Update, type_: PropertyType, dtype: pl.DataType) -> pl.Series:
        size = self._of.rows_of(event).size
        refers = isinstance(update.value, str) and (type_ is PropertyType.NUMBER or reference_of(update.value))
        found = self.evaluated(event, str(update.value)) if refers else constant(update.value, type_, size)
        if type_ is PropertyType.NUMBER:
            return pl.Series(numbers(found))
        return found if found.dtype == dtype else found.cast(dtype, strict=False)

    def _most_lacking(self, rows: Array, moves: Array) -> Array:
        """Returns by user the amount needed at the beginning for everything that is spent to be present then."""
        user = self._of.happened.user[rows]
        total = pl.DataFrame({"user": user, "move": moves}).select(pl.col("move").cum_sum().over("user"))
        lacking = np.zeros(len(self._users))
        np.maximum.at(lacking, user, -total.to_series().to_numpy())
        return lacking

    def _decimals(self, name: str) -> int:
        if self._plan.ranges.known(USER, name):
            return self._plan.ranges.decimals(USER, name)
        formulas = [update.value for _, update in self._plan.updates[name] if isinstance(update.value, str)]
        return 2 if any("#time" not in value for value in formulas) else 0

    # ----------------------------------------------------------------- before the run

    def _initial_numbers(self, name: str, updates: _Updates) -> pl.Series:
        """Returns a number's value at the beginning of the run or at the sign-up."""
        users, ranges = self._users, self._plan.ranges
        for event, update in updates:
            source = reference_of(update.value) or ""
            if update.type == "set" and source in self._plan.properties_of[event]:
                rule = self._plan.rules.constraint_of(event, source).counter
                if rule is not None and rule.source is None:
                    start = count_start(self._plan, self._streams, users, rule.shared or f"{event}/{source}")
                    return pl.Series(start)
        constraint = self._plan.rules.constraint_of(USER, name)
        given = float(constraint.initial) if isinstance(constraint.initial, int | float) else None
        start = np.full(len(users), given or 0.0)
        known = users.signed_up_day < 0
        if all(update.type == "increment" for _, update in updates) and updates:
            added = start + self._added_before(updates)
            if ranges.known(USER, name):
                low, high = ranges.bounds(USER, name)
                start = start if given is not None else np.maximum(low, 0)[users.segment]
                added = np.clip(added, max(low.min(), 0), high[users.segment])
            if all(update.once_per_day for _, update in updates):
                added = np.minimum(added, -users.signed_up_day)  # at most the days there were
            return pl.Series(np.where(known, np.round(added, self._decimals(name)), start))
        if not ranges.known(USER, name):
            return pl.Series(start)
        formula = self._of.values.formula_of(USER, name)
        if formula is not None and "#year" in parse_formula(formula).names:
            return self._of.values.made(everybody(users), name, Property(name=name, type=PropertyType.NUMBER))
        # A number that is set only once has its value from the beginning, like a year of birth.
        facts = bool(updates) and all(update.type == "set_once" for _, update in updates)
        experience = None if facts else users.experience
        drawn = numbers(ranges.numbers(self._streams, users, everybody(users), name, experience))
        start = start if given is not None else np.maximum(ranges.bounds(USER, name)[0], 0)[users.segment]
        return pl.Series(drawn if facts else np.where(known, drawn, start))

    def _added_before(self, updates: _Updates) -> Array:
        """Returns by user the expected sum that events added before the run."""
        added = np.zeros(len(self._users))
        for event, update in updates:
            happened = self._of.happened_before(event)
            if update.once_per_day:
                happened = np.minimum(happened, days_before(self._plan, self._streams, self._users))
            usual = self._expected(event, str(update.value))[self._users.segment]
            added += happened * usual
        return added

    def _expected(self, event: str, value: str) -> Array:
        """Returns by segment the result of a formula of an event's numbers, each at its mean."""
        formula = parse_formula(value)
        means = {name: self._mean(event, name) for name in formula.names}
        found = formula.evaluate(means, lambda _: np.full(1, 0.5))
        return np.broadcast_to(found, (len(self._plan.segments),))

    def _mean(self, event: str, name: str) -> Array:
        constraint = self._plan.rules.constraint_of(event, name)
        listed = [value for value in constraint.values if isinstance(value, int | float)]
        if (formula := self._of.values.formula_of(event, name)) is not None:
            return self._expected(event, formula)
        if constraint.totals is not None:
            return np.sum([self._expected(*added) for added in constraint.totals.adds.items()], axis=0)
        if listed and len(listed) == len(constraint.values):
            return np.full(len(self._plan.segments), np.average(listed, weights=constraint.weights or None))
        return self._plan.ranges.means(event, name)

    def _initial(self, name: str, type_: PropertyType, updates: _Updates) -> pl.Series:
        """Returns a state that is not a number, at the beginning of the run or at the sign-up.

        Users from before the run have one of the state's values, or a moment in the days before it; new users have what
        the rules say, or nothing.
        """
        users = self._users
        given = Property(name=name, type=type_)
        constraint = self._plan.rules.constraint_of(USER, name)
        first = constraint.initial if constraint.initial is not None or type_ is not PropertyType.BOOLEAN else False
        dtype = MOMENT if type_ is PropertyType.TIME else constant(_nothing(type_), type_, 1).dtype
        new = pl.repeat(None, len(users), dtype=dtype, eager=True)
        if first is not None and type_ is not PropertyType.TIME:
            new = constant(first, type_, len(users)).cast(dtype)
        if type_ is PropertyType.TIME:
            known = self._moments_before(name, updates)
        elif constraint.values and type_ is not PropertyType.LIST:
            known = self._of.values.made(everybody(users), name, given)
        elif type_ is PropertyType.STRING and all(update.type == "set_once" for _, update in updates):
            known = self._of.user_column(name, self._plan.user_properties.get(name, given))
        else:
            return new
        return known.cast(dtype).zip_with(pl.Series(users.signed_up_day < 0), new)

    def _moments_before(self, name: str, updates: _Updates) -> pl.Series:
        """Returns moments before the run: of joining, of first times, and of latest times, in this order."""
        users, start_ms = self._users, self._plan.start_ms
        age = np.maximum(start_ms - users.signed_up_ms, 0)
        drawn = self._streams.uniform(f"user {name} before", users.number)
        quarter = np.minimum(age // 4, _JOINING_MS)
        if any(update.type != "set_once" for _, update in updates):
            at_ms = start_ms - (drawn * np.minimum(age // 2, _LAST_DAYS * DAY_MS)).astype(np.int64)
        elif all(event in self._plan.rules.event_constraints.once for event, _ in updates):
            at_ms = users.signed_up_ms + (drawn * quarter).astype(np.int64)
        else:
            at_ms = users.signed_up_ms + quarter + (drawn * (age // 2 - quarter)).astype(np.int64)
        done = np.logical_or.reduce([self._of.happened_before(event) > 0 for event, _ in updates] or [age >= 0])
        return moments(at_ms).set(pl.Series(~done), None)


def _nothing(type_: PropertyType) -> object:
    return {PropertyType.NUMBER: 0, PropertyType.BOOLEAN: False, PropertyType.LIST: []}.get(type_, "")


# --------------------------------------------------------------------------- counts and balances

_Columns = dict[tuple[str, str], pl.Series]


class Counts:
    """The counts of a group of users, each made on first use."""

    def __init__(self, properties: Properties) -> None:
        self._of, self._plan = properties, properties.plan
        self._made: dict[str, _Columns] = {}
        self._inner: dict[tuple[str, str], dict[str, pl.Series]] = {}

    def shown(self, event: str, name: str) -> pl.Series:
        """Returns a count after each of the events that move it."""
        rule = self._plan.rules.constraint_of(event, name).counter
        assert rule is not None
        return self.all(rule.shared or f"{event}/{name}")[event, name]

    def all(self, shared: str) -> _Columns:
        """Returns by event and property a count after each event, and what moved it: no more than was present."""
        if shared not in self._made:
            with self._of.asking(f"count {shared}"):
                self._made[shared] = self._counted(shared)
        return self._made[shared]

    def in_objects(self, event: str, name: str) -> pl.Series:
        """Returns an object group with balances."""
        given = self._plan.properties_of[event][name]
        inner = dict(self._objects(event, name))
        for child in given.properties:
            dotted = f"{name}.{child.name}"
            rule = self._plan.rules.constraint_of(event, dotted).counter
            if rule is not None and rule.source is not None:
                found = self.all(rule.shared or f"{event}/{dotted}")
                source = rule.source.rpartition(".")[2]
                inner[child.name], inner[source] = found[event, dotted], found[event, f"{name}.{source}"]
        ordered = {child.name: inner[child.name] for child in given.properties}
        rows, count = self._of.rows_of(event).size, self._of.values.objects_in(event, name)
        return lists(np.repeat(np.arange(rows), count), objects(ordered, rows * count), rows)

    def _objects(self, event: str, name: str) -> dict[str, pl.Series]:
        if (event, name) not in self._inner:
            count = self._of.values.objects_in(event, name)
            each = self._of.rows(event).repeated(count)
            given = self._plan.properties_of[event][name]
            self._inner[event, name] = self._of.values.inner(each, name, given, count)
        return self._inner[event, name]

    def _counted(self, shared: str) -> _Columns:
        members = self._plan.counters[shared]
        start = count_start(self._plan, self._of.streams, self._of.users, shared)
        raws = [self._moving(*member) for member in members]
        keyed = any(rule.group_by for _, _, rule in members)
        parts: list[pl.DataFrame] = []
        for number, ((event, name, rule), raw) in enumerate(zip(members, raws, strict=True)):
            rows = np.repeat(self._of.rows_of(event), self._repeats(event, name))
            moves = np.full(rows.size, float(rule.step)) if raw is None else rule.sign * np.nan_to_num(numbers(raw))
            user = self._of.happened.user[rows]
            part = {
                "member": np.full(rows.size, number),
                "row": rows,
                "user": user,
                "move": moves,
                "start": start[user],
            }
            parts.append(pl.DataFrame(part).with_columns(key=self._keys(event, name, rule, rows.size)))
        every = pl.concat(parts).with_row_index("place").sort("row", "place")
        group = every["user"] if not keyed else every.select(pl.struct("user", "key").rank("dense")).to_series()
        most = max((rule.max for _, _, rule in members if rule.max is not None), default=None)
        before, after = running_count(group.to_numpy(), every["move"].to_numpy(), every["start"].to_numpy(), most)
        done = every.with_columns(after=after, moved=np.abs(after - before)).sort("place")
        found: _Columns = {}
        for number, ((event, name, rule), raw) in enumerate(zip(members, raws, strict=True)):
            own = done.filter(pl.col("member") == number)
            decimals = 0 if float(rule.step).is_integer() else 2
            if raw is not None:
                decimals = 2 if raw.dtype == pl.Float64 else 0
                moved = raw if raw.dtype == pl.Boolean else rounded(own["moved"].to_numpy(), decimals)
                found[event, self._source(name, rule)] = moved
            found[event, name] = rounded(own["after"].to_numpy(), decimals)
        return found

    def _repeats(self, event: str, name: str) -> int:
        """Returns how many rows a count has per event: one for each object of its group."""
        return self._of.values.objects_in(event, name.partition(".")[0]) if "." in name else 1

    def _source(self, name: str, rule: CounterRule) -> str:
        """Returns the full name of the property that moves a count: in a group, one of the same object."""
        source = rule.source or ""
        return f"{name.rpartition('.')[0]}.{source.rpartition('.')[2]}" if "." in name else source

    def _moving(self, event: str, name: str, rule: CounterRule) -> pl.Series | None:
        """Returns what moves a count, before shortage limits it; None if each event moves it by the same step."""
        if rule.source is None:
            return None
        if "." in name:
            return self._objects(event, name.partition(".")[0])[rule.source.rpartition(".")[2]]
        return self._of.objects_total(event, rule.source) if "." in rule.source else self._of.raw(event, rule.source)

    def _keys(self, event: str, name: str, rule: CounterRule, size: int) -> pl.Series:
        """Returns what separates a user's counts."""
        if rule.group_by is None:
            return pl.Series([""]).gather(np.zeros(size, np.uint32))
        if "." in name:
            return texts(self._objects(event, name.partition(".")[0])[rule.group_by.rpartition(".")[2]])
        return texts(self._of.column(event, rule.group_by))


# --------------------------------------------------------------------------- before the run


def days_before(plan: Blueprint, streams: Streams, users: Users) -> Array:
    """Returns on how many days each user was there before the run, including the day of the sign-up."""
    probability = np.array([activity.daily_probability for activity in plan.activities])[users.segment]
    age = np.maximum(-users.signed_up_day, 0)
    others = np.maximum(age - 1, 0) * probability + streams.uniform("days before", users.number)
    return np.minimum(1 + np.floor(others).astype(np.int64), age)


def happened_before(plan: Blueprint, streams: Streams, users: Users, event: str) -> Array:
    """Returns how often each user did an event before the run."""
    days, number = days_before(plan, streams, users), plan.event_index[event]
    if plan.once[number]:
        return np.minimum(days, 1)
    means = np.array([activity.sessions_per_day for activity in plan.activities])[users.segment]
    sessions = days * (1 + (means - 1) * users.keenness)
    given, chosen = (rates[users.segment, number] for rates in plan.per_session)
    expected = sessions * (given + chosen * users.keenness)
    drawn = np.floor(expected + streams.uniform(f"{event} before", users.number)).astype(np.int64)
    return np.minimum(drawn, days) if plan.daily[number] else np.where(days > 0, drawn, 0)
