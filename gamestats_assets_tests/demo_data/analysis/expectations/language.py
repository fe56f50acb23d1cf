"""The small language in which people say what they expect of rules.

Each word is about what the rules mean, not how they say it: `path` holds however many steps lie between, `needs` holds
through other prerequisites, `recalls` whether a value is carried within a session or remembered from an earlier one,
`equation` whichever of its properties is calculated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data.reference.names import pattern_of
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import (
    CounterRule,
    LifecycleStage,
    PropertyConstraint,
    Rules,
    Update,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Scalar

REGISTERED, STARTED, COMPLETED = (
    LifecycleStage.REGISTERED,
    LifecycleStage.ONBOARDING_STARTED,
    LifecycleStage.ONBOARDING_COMPLETED,
)

# --------------------------------------------------------------------------- what rules mean: events


_Followers = Mapping[str, set[str]]


def _follows(
    rules: Rules,
    event: str,
    before: Iterable[str],
    seen: frozenset[str] = frozenset(),
    followers: _Followers | None = None,
) -> bool:
    """Whether `event` happens only after one of `before`, in every session that has it."""
    if event in seen:
        return False
    followers = rules.followers() if followers is None else followers
    starts = rules.event_constraints.session_start
    wanted = set(before)
    earlier = starts[: starts.index(event)] if event in starts else starts
    if wanted & set(earlier):
        return True
    direct = followers.get(event, set())
    return bool(direct) and all(d in wanted or _follows(rules, d, wanted, seen | {event}, followers) for d in direct)


def _requires(
    rules: Rules,
    event: str,
    before: Iterable[str],
    seen: frozenset[str] = frozenset(),
    followers: _Followers | None = None,
) -> bool:
    """Whether one of `before` has happened to every user whom `event` happens to."""
    if event in seen:
        return False
    followers = rules.followers() if followers is None else followers
    wanted, seen = set(before), seen | {event}
    asked = rules.event_constraints.prerequisites.get(event, [])
    if any(a in wanted or _requires(rules, a, wanted, seen, followers) for a in asked):
        return True
    if _follows(rules, event, wanted, followers=followers):
        return True
    direct = followers.get(event, set())
    return bool(direct) and all(d in wanted or _requires(rules, d, wanted, seen, followers) for d in direct)


def _happens_once(rules: Rules, event: str) -> bool:
    constraints = rules.event_constraints
    kinds = {s.kind for s in constraints.sequences if any(event in step.events for step in s.steps)}
    return event in constraints.once or kinds == {"onboarding"}


def _earliest_rank(rules: Rules, event: str) -> int:
    """Rank of the stage that a user has reached at least when `event` happens."""
    constraints = rules.event_constraints
    ranks = [stage.rank for found, stage in constraints.stage_events.items() if _requires(rules, event, {found})]
    return max([0, *ranks, constraints.lifecycle.get(event, LifecycleStage.INSTALLED).rank])


def _likelihood(rules: Rules, segment: str, event: str) -> float:
    """Of the event in a session; of one without a figure of its own, that of what leads to it."""
    analysis = rules.segment_analysis[segment]
    if event in analysis.event_probabilities:
        return analysis.event_probabilities[event]
    leading = [before for before in rules.event_constraints.sequences for step in before.steps if event in step.events]
    heads = {head for sequence in leading for head in sequence.steps[0].events}
    return max((analysis.event_probabilities.get(head, 0) for head in heads), default=0)


# --------------------------------------------------------------------------- what rules mean: properties


def bare(key: str) -> str:
    """A key without its event."""
    return key.rpartition("/")[2]


def _entries(table: dict, key: str) -> Iterator:
    """What holds for `event/property`; for a bare name, what holds anywhere, the general before the particular."""
    if "/" in key:
        found = [name for name in (key, bare(key)) if name in table][:1]
    else:
        found = sorted((name for name in table if bare(name) == key), key=lambda name: name != key)
    for name in found:
        yield table[name]


def _deciding(constraint: PropertyConstraint) -> str:
    """The field of a constraint that decides."""
    order = (
        "same_as_before",
        "recalls",
        "copy_of",
        "first_only",
        "counter",
        "depends_on",
        "values",
        "rows",
        "per_user",
    )
    return next((name for name in (*order, "template", "faker") if getattr(constraint, name)), "")


def _values(rules: Rules, key: str) -> set[Scalar]:
    for constraint in _entries(rules.property_constraints, key):
        found = {*constraint.values, *(value for allowed in constraint.mapping.values() for value in allowed)}
        if found:
            return found
    return set()


def _mapping(rules: Rules, prop: str, on: str) -> dict[str, list[Scalar]]:
    found = (c.mapping for c in _entries(rules.property_constraints, prop) if bare(c.depends_on or "") == on)
    return next(found, {})


def _rests_on(rules: Rules, key: str) -> set[str]:
    """Names of the properties that the values of one follow from."""
    found: list[str | None] = []
    for constraint in _entries(rules.property_constraints, key):
        found += [constraint.copy_of, constraint.depends_on, constraint.counter and constraint.counter.source]
    for relationship in _entries(rules.property_relationships, key):
        found += relationship.depends_on
        found += re.findall(r"[#A-Za-z_][\w.#]*", relationship.formula or "")
    return {bare(name) for name in found if name}


def _update(rules: Rules, event: str, prop: str) -> Update | None:
    return rules.update_patterns.get(event, {}).get(prop)


def _segment_range(rules: Rules, segment: str, prop: str) -> ValueRange | None:
    own = next(_entries(rules.segment_analysis[segment].property_ranges, prop), None)
    return own or next(_entries(rules.value_ranges, prop), None)


def _mean(found: ValueRange) -> float:
    return (found.min + found.max) / 2 if found.mean is None else found.mean


def _falls(figures: Iterable[float]) -> bool:
    """Whether each figure is below the one before."""
    row = list(figures)
    return all(high > low for high, low in pairwise(row))


# --------------------------------------------------------------------------- what rules mean: numbers

Numbers = npt.NDArray[np.float64]
_SAMPLES = 400
_YEAR = np.float64(2026)
"""In which the example's run begins."""
_DAY_S = 86_400.0


@dataclass
class _Example:
    """Values that the numbers of one event may have together, many times over.

    Attributes:
        event: empty where a property is meant wherever it stands.
        times: names of times, whose numbers are the seconds after the event.
    """

    rules: Rules
    event: str
    times: tuple[str, ...] = ()
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    found: dict[str, Numbers | None] = field(default_factory=dict)

    def told(self, name: str) -> Numbers | None:
        """Of a property of which the rules say something; a time that they only pass on lies before the event."""
        if name not in self.found:
            self.found[name] = None  # what follows from itself is not told
            self.found[name] = self._told(name)
        return self.found[name]

    def some(self, name: str) -> Numbers:
        """The same; of a property of which they say nothing, any numbers."""
        values = self.told(name)
        if values is None:
            low, high = (-_DAY_S, 0.0) if name in self.times else (1.0, 100.0)
            values = self.found[name] = self.random.uniform(low, high, _SAMPLES)
        return values

    def calculated(self, formula: str) -> Numbers:
        """What a formula gives, for those values of its names."""
        parsed = parse_formula(formula)
        values = {name: _YEAR if name == "#year" else self.some(name) for name in parsed.names}
        result = parsed.evaluate(values, lambda _: self.random.uniform(size=_SAMPLES))
        return np.broadcast_to(result, (_SAMPLES,)).astype(np.float64)

    def _told(self, name: str) -> Numbers | None:
        key = f"{self.event}/{name}" if self.event else name
        constraint = next(_entries(self.rules.property_constraints, key), PropertyConstraint())
        relationship = next(_entries(self.rules.property_relationships, key), None)
        match _deciding(constraint):
            case "same_as_before" | "recalls" if name in self.times:
                told = self._within(next(_entries(self.rules.value_ranges, name), None))
                late = self.random.uniform(-_DAY_S, -1, _SAMPLES)
                if told is not None and bool((told > _DAY_S).all()):
                    return told + late  # a date that is still to come when it is told
                return late
            case "copy_of":
                return self.some(bare(constraint.copy_of or ""))
            case "counter" if constraint.counter and not constraint.counter.source:
                return self._counted(constraint.counter)
            case "depends_on":
                return self._chosen(value for allowed in constraint.mapping.values() for value in allowed)
            case "values":
                return self._chosen(constraint.values)
        if relationship is not None and relationship.formula:
            return self.calculated(relationship.formula)
        return self._within(next(_entries(self.rules.value_ranges, key), None))

    def _counted(self, counter: CounterRule) -> Numbers:
        counted = counter.start + counter.step * np.arange(1, _SAMPLES + 1)
        return np.asarray(counted if counter.max is None else np.minimum(counted, counter.max), dtype=np.float64)

    def _chosen(self, values: Iterable[Scalar]) -> Numbers | None:
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        return self.random.choice(numbers, _SAMPLES) if numbers else None

    def _within(self, found: ValueRange | None) -> Numbers | None:
        if found is None:
            return None
        values = self.random.uniform(found.min, found.max, _SAMPLES)
        values[:20] = self.random.choice([found.min, found.max], 20)
        return values


# --------------------------------------------------------------------------- the words of the specification


@dataclass(frozen=True)
class Expectation:
    """Something that a person says about a product.

    Attributes:
        about: names of the events and properties that it is about.
    """

    says: str
    about: tuple[str, ...]
    holds: Callable[[Rules], bool]


LEADERS = ("power_user", "active_user", "new_user")


def starts_session(event: str) -> Expectation:
    return Expectation(
        f"every session begins with {event}", (event,), lambda r: event in r.event_constraints.session_start
    )


def ends_session(event: str) -> Expectation:
    return Expectation(f"every session ends with {event}", (event,), lambda r: event in r.event_constraints.session_end)


def once(*events: str) -> Expectation:
    says = f"{', '.join(events)}: once in a user's life"
    return Expectation(says, events, lambda r: all(_happens_once(r, event) for event in events))


def again(*events: str) -> Expectation:
    says = f"{', '.join(events)}: as often as one likes"
    return Expectation(says, events, lambda r: not any(_happens_once(r, event) for event in events))


def daily(*events: str) -> Expectation:
    says = f"{', '.join(events)}: once a day at most"
    return Expectation(says, events, lambda r: set(events) <= set(r.event_constraints.daily))


def final(event: str) -> Expectation:
    says = f"nothing happens after {event}"
    return Expectation(says, (event,), lambda r: event in r.event_constraints.final)


def path(*events: str) -> Expectation:
    """Within a session each event happens only after the one named before it."""
    pairs = list(pairwise(events))
    return Expectation(" -> ".join(events), events, lambda r: all(_follows(r, b, {a}) for a, b in pairs))


def either(*events: str) -> Expectation:
    """One step, of which exactly one event happens."""

    def holds(rules: Rules) -> bool:
        steps = [step for sequence in rules.event_constraints.sequences for step in sequence.steps]
        return any(set(events) <= set(step.events) for step in steps)

    return Expectation(f"either {' or '.join(events)}", events, holds)


def repeated(event: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        steps = [step for sequence in rules.event_constraints.sequences for step in sequence.steps]
        return any(event in step.events and step.repeats > 1 for step in steps)

    return Expectation(f"{event} happens several times in a row", (event,), holds)


def needs(event: str, *before: str) -> Expectation:
    """One of `before` has happened to the user, in this session or earlier."""
    says = f"{event} needs {' or '.join(before)}"
    return Expectation(says, (event, *before), lambda r: _requires(r, event, before))


def does_not_need(event: str, before: str) -> Expectation:
    says = f"{event} does not need {before}"
    return Expectation(says, (event, before), lambda r: not _requires(r, event, {before}))


def moves_to(event: str, stage: LifecycleStage) -> Expectation:
    says = f"{event} makes a user {stage}"
    return Expectation(says, (event,), lambda r: r.event_constraints.stage_events.get(event) == stage)


def not_before(event: str, stage: LifecycleStage) -> Expectation:
    says = f"{event} only when {stage}, or later"
    return Expectation(says, (event,), lambda r: _earliest_rank(r, event) >= stage.rank)


def not_of_users(*events: str) -> Expectation:
    says = f"{', '.join(events)}: reported without a user's doing"
    return Expectation(says, events, lambda r: set(events) <= set(r.event_constraints.not_of_users))


def of_users(*events: str) -> Expectation:
    says = f"{', '.join(events)}: a user's doing"
    return Expectation(says, events, lambda r: not set(events) & set(r.event_constraints.not_of_users))


def between(key: str, low: float, high: float, *, whole: bool | None = None) -> Expectation:
    """Bounds as in the sheet; where it leaves open whether only whole numbers occur, so do we."""

    def holds(rules: Rules) -> bool:
        found = next(_entries(rules.value_ranges, key), None)
        if found is None or (found.min, found.max) != (low, high):
            return False
        return whole is None or found.integer == whole

    return Expectation(f"{key} lies between {low:g} and {high:g}", (bare(key),), holds)


def one_of(key: str, *values: Scalar) -> Expectation:
    says = f"{key} is one of {', '.join(map(str, values))}"
    return Expectation(says, (bare(key),), lambda r: _values(r, key) == set(values))


def includes(key: str, *values: Scalar) -> Expectation:
    says = f"{key} is {', '.join(map(str, values))} or another"
    return Expectation(says, (bare(key),), lambda r: set(values) <= _values(r, key))


def free_text(key: str) -> Expectation:
    return Expectation(f"{key} is free text", (bare(key),), lambda r: not _values(r, key))


def currency_code(key: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        constraint = next(_entries(rules.property_constraints, key), PropertyConstraint())
        codes = _values(rules, key)
        written = bool(codes) and all(re.fullmatch("[A-Z]{3}", str(code)) for code in codes)
        return written or "currency" in (constraint.faker or "")

    return Expectation(f"{key} is an ISO 4217 code", (bare(key),), holds)


def true_at_first(key: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        return any(_deciding(c) == "first_only" for c in _entries(rules.property_constraints, key))

    return Expectation(f"{key} is true the first time alone", (bare(key),), holds)


def counts(key: str, start: float, step: float, to: float | None = None) -> Expectation:
    def holds(rules: Rules) -> bool:
        counters = [c.counter for c in _entries(rules.property_constraints, key) if c.counter and not c.counter.source]
        return any((c.start, c.step, c.max) == (start, step, to) for c in counters)

    return Expectation(f"{key} counts from {start:g} by {step:g}", (bare(key),), holds)


def one_count(shows: str, moves: str, shows_too: str) -> Expectation:
    """Three properties that tell one count, which the second moves by one."""

    def holds(rules: Rules) -> bool:
        found = [next(_entries(rules.property_constraints, key), None) for key in (shows, moves, shows_too)]
        counters = [c.counter for c in found if c and c.counter]
        names = {c.shared for c in counters}
        return [c.step for c in counters] == [0, 1, 0] and len(names) == 1 and None not in names

    return Expectation(f"{shows}, {moves}, {shows_too} tell one count", (bare(shows),), holds)


def balance(key: str, source: str, *, spent: bool, group_by: str | None = None) -> Expectation:
    """What is left after `source` has been added, or spent."""

    def holds(rules: Rules) -> bool:
        found = [c.counter for c in _entries(rules.property_constraints, key) if c.counter]
        return any(
            bare(c.source or "") == source
            and c.sign == (-1 if spent else 1)
            and (group_by is None or bare(c.group_by or "") == group_by)
            for c in found
        )

    return Expectation(f"{key} {'falls' if spent else 'grows'} by {source}", (bare(key), source), holds)


def carries(prop: str, *events: str) -> Expectation:
    """Each event repeats the value of the step before."""

    def holds(rules: Rules) -> bool:
        found = [next(_entries(rules.property_constraints, f"{event}/{prop}"), None) for event in events]
        return all(c is not None and _deciding(c) == "same_as_before" for c in found)

    return Expectation(f"{', '.join(events)}: {prop} as in the step before", (prop, *events), holds)


def recalls(prop: str, *events: str) -> Expectation:
    """Each event after the first tells what one named before it told, be it in this session or an earlier one."""

    def holds(rules: Rules) -> bool:
        reached = [_reached(rules, prop, event, set(events)) for event in events]
        begins = reached[0].isdisjoint(events[1:])
        return begins and all(reached[place] & set().union(*reached[:place]) for place in range(1, len(events)))

    return Expectation(f"{', '.join(events)}: the same {prop}", (prop, *events), holds)


def _reached(rules: Rules, prop: str, event: str, among: set[str]) -> set[str]:
    """An event and those from which, directly or not, it has the value of a property that `among` have."""
    keys = [key.rpartition("/") for key in rules.property_constraints]
    named = {name.partition("/")[0] for c in _entries(rules.property_constraints, prop) for name in c.recalls}
    having = {*among, *named, *(found for found, _, name in keys if found and name == prop)}
    reached, ahead = {event}, [event]
    while ahead:
        found = (_sources(rules, prop, ahead.pop()) & having) - reached
        reached |= found
        ahead += found
    return reached


def _sources(rules: Rules, prop: str, event: str) -> set[str]:
    """Events one of which gives an event the value of a property."""
    constraint = next(_entries(rules.property_constraints, f"{event}/{prop}"), PropertyConstraint())
    found = {name.partition("/")[0] for name in constraint.recalls}
    if f"{event}/{prop}" not in rules.property_constraints and event in found:
        found = set()  # of the events that it recalls, a general constraint says nothing
    if constraint.copy_of:
        updates_of = {source: _update(rules, source, bare(constraint.copy_of)) for source in rules.update_patterns}
        found |= {source for source, how in updates_of.items() if how and how.value == f"{{{{{prop}}}}}"}
    if constraint.same_as_before:
        for sequence in rules.event_constraints.sequences:
            steps = [set(step.events) for step in sequence.steps]
            found |= {name for place, step in enumerate(steps) if event in step for name in set().union(*steps[:place])}
    return found


def told_by(key: str, *sources: str) -> Expectation:
    """A property repeats what another property of an earlier event told; any of the sources will do."""

    def holds(rules: Rules) -> bool:
        recalled = {name for c in _entries(rules.property_constraints, key) for name in c.recalls}
        return bool(recalled & set(sources))

    return Expectation(f"{key} is what {' or '.join(sources)} was", (bare(key), *map(bare, sources)), holds)


def follows_from(prop: str, *others: str) -> Expectation:
    says = f"{prop} follows from {' and '.join(others)}"
    return Expectation(says, (bare(prop), *others), lambda r: set(others) <= _rests_on(r, prop))


def tied(prop: str, other: str) -> Expectation:
    """One of the two is calculated from the other."""

    def holds(rules: Rules) -> bool:
        return bare(other) in _rests_on(rules, prop) or bare(prop) in _rests_on(rules, other)

    return Expectation(f"{prop} and {other} belong together", (bare(prop), bare(other)), holds)


def carriers_by_country(carrier: str, country: str, **some: str) -> Expectation:
    """Each country has carriers of its own; `some` are among them."""

    def holds(rules: Rules) -> bool:
        mapping = _mapping(rules, carrier, country)
        own = [set(mapping.get(code, [])) for code in some]
        apart = len(set().union(*own)) == sum(map(len, own))
        return apart and all(name in mapping.get(code, []) for code, name in some.items())

    return Expectation(f"{carrier} by {country}", (carrier, country), holds)


def within(key: str, low: float, high: float) -> Expectation:
    """Bounds that no sensible value leaves; the rules may be narrower, and must say something."""

    def holds(rules: Rules) -> bool:
        values = _Example(rules, key.rpartition("/")[0]).told(bare(key))
        return values is not None and bool(((low <= values) & (values <= high)).all())

    return Expectation(f"{key} lies somewhere within {low:g} and {high:g}", (bare(key),), holds)


def equation(
    event: str, prop: str, formula: str, *, times: tuple[str, ...] = (), rounding: float = 0.02
) -> Expectation:
    """It holds whichever of the properties is calculated from the others, rounding aside."""

    def holds(rules: Rules) -> bool:
        example = _Example(rules, event, times)
        right = example.calculated(formula)
        return bool(np.isclose(example.some(prop), right, rtol=0.02, atol=rounding).mean() > 0.9)

    names = tuple(sorted({prop, *parse_formula(formula).names}))
    return Expectation(f"{event}: {prop} = {formula}", (event, *names), holds)


def not_above(event: str, low: str, high: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        example = _Example(rules, event)
        return bool((example.some(low) <= example.some(high)).all())

    return Expectation(f"{event}: {low} is at most {high}", (event, low, high), holds)


def later(event: str, late: str, early: str) -> Expectation:
    """Of two times of an event."""

    def holds(rules: Rules) -> bool:
        example = _Example(rules, event, (late, early))
        return bool((example.some(late) > example.some(early)).all())

    return Expectation(f"{event}: {late} is later than {early}", (event, late, early), holds)


def after_event(key: str) -> Expectation:
    return Expectation(f"{key} is after its event", (bare(key),), lambda r: bool((_moment(r, key) > 0).all()))


def before_event(key: str) -> Expectation:
    return Expectation(f"{key} is before its event", (bare(key),), lambda r: bool((_moment(r, key) < 0).all()))


def _moment(rules: Rules, key: str) -> Numbers:
    event, _, prop = key.rpartition("/")
    return _Example(rules, event, (prop,)).some(prop)


def goes_with(prop: str, on: str, pairs: dict[str, Scalar]) -> Expectation:
    """Each value of one has its value of the other, whichever of them is chosen first."""

    def holds(rules: Rules) -> bool:
        forth = {key: set(map(str, allowed)) for key, allowed in _mapping(rules, prop, on).items()}
        back: dict[str, set[str]] = {}
        for value, keys in _mapping(rules, on, prop).items():
            for key in keys:
                back.setdefault(str(key), set()).add(value)
        wanted = {key: {str(value)} for key, value in pairs.items()}
        return any(wanted.items() <= found.items() for found in (forth, back))

    return Expectation(f"{prop} goes with {on}", (prop, on), holds)


def each_of(key: str, on: str, some: dict[str, tuple[Scalar, ...]]) -> Expectation:
    """Each value of one has several of the other, which no other value has; `some` are among them."""

    def holds(rules: Rules) -> bool:
        mapping = _mapping(rules, key, on)
        others = {told: {v for value, values in mapping.items() if value != told for v in values} for told in some}
        return all(
            set(values) <= set(mapping.get(told, ())) and not set(values) <= others[told]
            for told, values in some.items()
        )

    return Expectation(f"{key} by {on}", (bare(key), bare(on)), holds)


def differs(prop: str, other: str) -> Expectation:
    """The one decides which values the other may have, and its own is none of them."""

    def holds(rules: Rules) -> bool:
        mapping = _mapping(rules, prop, other) or _mapping(rules, other, prop)
        return bool(mapping) and not any(key in map(str, allowed) for key, allowed in mapping.items())

    return Expectation(f"{prop} is never {other}", (prop, other), holds)


def kept(prop: str) -> Expectation:
    """A user has one value for good."""

    def holds(rules: Rules) -> bool:
        updates_of = [changes[prop].type for changes in rules.update_patterns.values() if prop in changes]
        drawn_once = any(constraint.per_user for constraint in _entries(rules.property_constraints, prop))
        return drawn_once or set(updates_of) == {"set_once"}

    return Expectation(f"{prop} stays the same", (prop,), holds)


def looks_like(key: str, *patterns: str) -> Expectation:
    """A text of one of the patterns of `names`, which its name speaks of where the rules say nothing."""

    def holds(rules: Rules) -> bool:
        constraint = next(_entries(rules.property_constraints, key), PropertyConstraint())
        spoken = pattern_of(bare(key), PropertyType.STRING) if not _deciding(constraint) else constraint.faker
        return spoken in patterns

    return Expectation(f"{key} looks like {' or '.join(patterns)}", (bare(key),), holds)


def updates(event: str, prop: str, how: str, value: Scalar, *, once_a_day: bool = False) -> Expectation:
    def holds(rules: Rules) -> bool:
        found = _update(rules, event, prop)
        if found is None or (found.type, found.once_per_day) != (how, once_a_day):
            return False
        return found.value == value or str(found.value).replace(" ", "") == value

    return Expectation(f"{event}: {prop} {how} {value}", (event, prop), holds)


def remembers(event: str, prop: str, source: str) -> Expectation:
    """A property tells what the event told last: by an update, or by a count that both show."""

    def holds(rules: Rules) -> bool:
        found = _update(rules, event, prop)
        if found is not None:
            return found.type == "set" and str(found.value).replace(" ", "") == f"{{{{{source}}}}}"
        shown = [c.counter for c in _entries(rules.property_constraints, prop) if c.counter and c.counter.step == 0]
        told = [c.counter for c in _entries(rules.property_constraints, f"{event}/{source}") if c.counter]
        return any(a.shared is not None and a.shared == b.shared for a in shown for b in told)

    return Expectation(f"{prop} is the last {source} of {event}", (event, prop, source), holds)


def likelier(event: str) -> Expectation:
    says = f"{event} is likelier the more engaged the segment"
    return Expectation(says, (event,), lambda r: _falls(_likelihood(r, segment, event) for segment in LEADERS))


def more(prop: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        ranges = [_segment_range(rules, segment, prop) for segment in LEADERS]
        return all(ranges) and _falls(_mean(found) for found in ranges if found)

    return Expectation(f"{prop} is higher the more engaged the segment", (prop,), holds)


def rarer_than(event: str, other: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        return all(_likelihood(rules, s, event) < _likelihood(rules, s, other) for s in LEADERS)

    return Expectation(f"{event} is rarer than {other}", (event, other), holds)


def quiet_weekends() -> Expectation:
    """Fewer users come on a Saturday or Sunday than on any other day."""

    def holds(rules: Rules) -> bool:
        weeks = [analysis.activity.weekday_weights for analysis in rules.segment_analysis.values()]
        return all(max(week[5:]) < min(week[:5]) for week in weeks)

    return Expectation("weekends are quiet", (), holds)


def any_of(*ways: Expectation) -> Expectation:
    """Ways to say the same thing."""
    about = tuple(dict.fromkeys(name for way in ways for name in way.about))
    return Expectation(" or ".join(way.says for way in ways), about, lambda r: any(way.holds(r) for way in ways))


def said_about(rules: Rules, names: tuple[str, ...]) -> str:
    """Everything that rules say about some names, for the reader of a failure."""
    events = rules.event_constraints
    lines = [
        f"sequence {s.name}: {' -> '.join('|'.join(step.events) for step in s.steps)} ({s.kind})"
        for s in events.sequences
        if any(set(names) & set(step.events) for step in s.steps)
    ]
    lines += [f"{n} needs {', '.join(events.prerequisites[n])}" for n in names if n in events.prerequisites]
    for place in ("session_start", "session_end", "once", "daily", "final", "not_of_users"):
        lines += [f"{n} is in {place}" for n in names if n in getattr(events, place)]
    for place in ("lifecycle", "stage_events"):
        lines += [f"{place}: {n} {getattr(events, place)[n]}" for n in names if n in getattr(events, place)]
    for table in (rules.property_constraints, rules.property_relationships, rules.value_ranges):
        lines += [f"{k}: {v.model_dump(exclude_defaults=True)}" for k, v in table.items() if bare(k) in names]
    for event, changes in rules.update_patterns.items():
        lines += [f"{event} changes {prop}: {how.type} {how.value}" for prop, how in changes.items() if prop in names]
    for segment, analysis in rules.segment_analysis.items():
        told = {name: chance for name, chance in analysis.event_probabilities.items() if name in names}
        lines += [f"{segment}: {told}"] if told else []
    return "\n".join(lines) or "nothing"
