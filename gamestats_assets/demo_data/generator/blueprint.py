"""Taxonomy, rules and configuration as tables of numbers: what the vectorised simulation looks up.

Events and flows are numbered. A flow is what a user sets out to do: a sequence of the rules, or a single
event that stands in none. What a flow needs and what an event gives are bits of a mask: one for each
event that is a prerequisite of another or happens only once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data.configuration import (
    Configuration,
    ConfigurationError,
    ConversionTruth,
    ExperimentTruth,
    RetentionTruth,
    SeasonalityTruth,
    StandstillTruth,
)
from gamestats_assets.demo_data.generator.ranges import Ranges
from gamestats_assets.demo_data.rules.model import (
    Activity,
    CounterRule,
    EventSequence,
    LifecycleStage,
    Rules,
    SegmentAnalysis,
    Step,
    TotalRule,
    Update,
    recalled_property,
)
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between

Array = npt.NDArray[Any]

_BIRTH_RANK = LifecycleStage.REGISTERED.rank
"""Once-only events of stages up to this one, and of the sheet's rows up to theirs, open a user's first session."""
DAY_MS = 86_400_000
LEAST_CHOICES = 0.3
"""Mean of free choices in a session, at least."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """An event at a fixed place of every session: its start, its end, or a first time.

    Attributes:
        probability: by segment; 1 but for what users may leave undone (a registration).
    """

    event: int
    once: bool
    probability: Array


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow before it becomes a row of the tables: each step's events, weights, probability and delay."""

    name: str
    kind: str
    steps: tuple[Step, ...]

    @property
    def heads(self) -> list[str]:
        """Events that begin it."""
        return self.steps[0].events


@dataclass(frozen=True, slots=True)
class FlowTables:
    """Every flow, padded to the longest: axes are flow, step, alternative.

    Attributes:
        events: event number, -1 is none.
        weights: relative weight of the alternatives.
        probability: variant, flow, step: that the step happens once the one before has.
        after_s: flow, step: mean seconds since the step before.
        needs: flow, step, alternative, word: bits that a user must have.
        stages: flow, step, alternative: earliest stage.
        follows: flow, step, event: whether the step may come after an event.
        together: flow: number of steps that must be wholly open for the flow to begin, because a truth is planted in
            it; of other flows one alternative of the first step must be.
    """

    events: Array
    weights: Array
    probability: Array
    after_s: Array
    needs: Array
    stages: Array
    follows: Array
    together: Array


@dataclass(frozen=True)
class Blueprint:
    """What the simulation looks up.

    Attributes:
        words: 64-bit words of a mask.
        bit_of: event to its bit, -1 is none.
        stage_of: event to the rank of the stage that it moves a user to, -1 is none.
        once: whether an event happens only once.
        daily: whether an event happens once on a user's day at most.
        final: whether nothing follows an event.
        start, end: events at the start of a session, those of the first session among them, and at its end.
        onboarding: flows of the first session.
        sequences: by segment, the flows of a typical session, each with its probability.
        free_weights: segment, flow: relative weight of being chosen freely.
        activities: by segment.
        shares: cumulative shares of the segments.
        daily_system: events that the system reports once a day.
        has_registration: whether an event registers users; without one, all have an account.
        has_onboarding: whether an event ends the onboarding.
        event_index: number of an event.
        properties_of: by event, its own properties and the common ones.
        nested_of: by event, its own properties by their dotted names.
        updates: by user or common property, the events that change it, and how.
        counters: by count, the events and properties that show it; in an object group they are dotted and balances.
        standstills: by number of the truth, those of users of whom a property stays at a value.
        always: by number of such a truth, the flow that its users begin in every session; none where the event has a
            fixed place in it.
    """

    taxonomy: Taxonomy
    rules: Rules
    configuration: Configuration
    event_names: tuple[str, ...]
    segments: tuple[str, ...]
    analyses: tuple[SegmentAnalysis, ...]
    shares: Array
    words: int
    bit_of: Array
    stage_of: Array
    once: Array
    daily: Array
    final: Array
    flows: tuple[Flow, ...]
    tables: FlowTables
    start: tuple[Fixed, ...]
    end: tuple[Fixed, ...]
    onboarding: tuple[int, ...]
    sequences: tuple[tuple[tuple[tuple[int, ...], float], ...], ...]
    free_weights: Array
    activities: tuple[Activity, ...]
    daily_system: tuple[int, ...]
    has_registration: bool
    has_onboarding: bool
    experiment: ExperimentTruth | None = None
    retention: RetentionTruth | None = None
    seasonality: SeasonalityTruth | None = None
    event_index: Mapping[str, int] = field(default_factory=dict)
    properties_of: Mapping[str, Mapping[str, Property]] = field(default_factory=dict)
    nested_of: Mapping[str, Mapping[str, Property]] = field(default_factory=dict)
    user_properties: Mapping[str, Property] = field(default_factory=dict)
    common_types: Mapping[str, PropertyType] = field(default_factory=dict)
    updates: Mapping[str, list[tuple[str, Update]]] = field(default_factory=dict)
    counters: Mapping[str, list[tuple[str, str, CounterRule]]] = field(default_factory=dict)
    standstills: Mapping[int, StandstillTruth] = field(default_factory=dict)
    always: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def moved_by(self) -> Mapping[tuple[str, str], str]:
        """The balance that an event's property moves, by event and property."""
        return {
            (event, rule.source): shared
            for shared, members in self.counters.items()
            for event, name, rule in members
            if rule.source is not None and "." not in name and rule.source in self.properties_of[event]
        }

    @cached_property
    def ranges(self) -> Ranges:
        """Where numbers lie."""
        return Ranges(self.rules, self.analyses)

    @cached_property
    def per_session(self) -> tuple[Array, Array]:
        """By segment and event, how often a session brings it by what users always do, and by what they choose."""
        brings = np.zeros((len(self.flows), len(self.event_names)))
        for number, flow in enumerate(self.flows):
            reached = np.cumprod(self.tables.probability[0, number])
            for place, step in enumerate(flow.steps):
                weights = np.array(step.weights or [1.0] * len(step.events))
                of_step = [self.event_index[event] for event in step.events]
                brings[number, of_step] += reached[place] * weights / weights.sum()
        given = np.zeros((len(self.segments), len(self.event_names)))
        chosen = np.zeros_like(given)
        for segment, (slots, activity) in enumerate(zip(self.sequences, self.activities, strict=True)):
            for item in (*self.start, *self.end):
                given[segment, item.event] += 1
            for flows, probability in slots:
                given[segment] += probability * brings[list(flows)].mean(axis=0)
            weights = self.free_weights[segment]
            choices = max(activity.events_per_session - sum(probability for _, probability in slots), LEAST_CHOICES)
            if weights.sum():
                chosen[segment] = choices * (weights[: len(brings)] @ brings) / weights.sum()
        return given, chosen

    def sets(self, event: str, name: str) -> bool:
        """Whether an event says of itself what a state becomes."""
        return any(who == event and how.sets_to(name) for who, how in self.updates.get(name, ()))

    @cached_property
    def gathered(self) -> Mapping[tuple[Any, ...], TotalRule]:
        """One rule of each kind of things that users gather, by the events that decide what is there."""
        told = (constraint.totals for constraint in self.rules.property_constraints.values())
        return {rule.events: rule for rule in told if rule is not None}

    @cached_property
    def told_once(self) -> tuple[TotalRule, ...]:
        """Things of each of which an event tells once, with the events that made them."""
        found: dict[tuple[Any, ...], TotalRule] = {}
        for key, constraint in self.rules.property_constraints.items():
            if constraint.once_each:
                makers = dict.fromkeys((recalled_property(told, key)[0] for told in constraint.recalls), "1")
                rule = TotalRule(adds=makers, takes=[key.partition("/")[0]])
                found[rule.events] = rule
        return tuple(found.values())

    @property
    def first_day(self) -> int:
        """The run's first day as a number of days, which looks up what belongs to a date."""
        return self.configuration.start.toordinal()

    @property
    def start_ms(self) -> int:
        """Midnight of the first day, UTC, in ms since 1970."""
        return (self.first_day - date(1970, 1, 1).toordinal()) * DAY_MS

    @property
    def session_ends(self) -> frozenset[str]:
        """Events at the end of every session."""
        return frozenset(self.event_names[item.event] for item in self.end)

    @property
    def user_names(self) -> frozenset[str]:
        """Names of the user properties."""
        return frozenset(self.user_properties)

    def limit_of(self, name: str) -> float | None:
        """The largest number that the sheet allows a property that events change; None without limits."""
        told = (found for found in self.taxonomy.user_properties if found.name == name)
        return next((found.rule.max for found in told if isinstance(found.rule, Between)), None)

    def state_type(self, name: str) -> PropertyType:
        """Type of a property that events change."""
        if name in self.user_properties:
            return self.user_properties[name].type
        return self.common_types[name]


def blueprint(taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> Blueprint:
    """Compile what decides a run.

    Raises:
        ConfigurationError: when a truth cannot be planted, naming it and why.
    """
    names = taxonomy.event_names()
    index = {name: number for number, name in enumerate(names)}
    constraints = rules.event_constraints
    of_segments = configuration.analyses(rules)
    segments, analyses = tuple(of_segments), tuple(of_segments.values())
    bits = sorted({*constraints.once, *(b for before in constraints.prerequisites.values() for b in before)})
    bit_of = np.full(len(names), -1, np.int64)
    bit_of[[index[name] for name in bits]] = np.arange(len(bits))
    stage_of = np.full(len(names), -1, np.int64)
    for name, stage in constraints.stage_events.items():
        stage_of[index[name]] = stage.rank
    once, daily, final = (
        np.array([name in told for name in names], bool)
        for told in (constraints.once, constraints.daily, constraints.final)
    )
    start, end = _session_events(taxonomy, rules, analyses, index)
    fixed = {names[item.event] for item in (*start, *end)}
    flows = _flows(taxonomy, rules, fixed)
    flows = _without_strays(flows, configuration)
    words = max(1, math.ceil(len(bits) / 64))
    tables = _tables(flows, rules, configuration, index, bit_of, words)
    truths = configuration.truths
    standstills = {number: truth for number, truth in enumerate(truths) if isinstance(truth, StandstillTruth)}
    for truth in standstills.values():
        _require_property(taxonomy, truth)
    return Blueprint(
        taxonomy=taxonomy,
        rules=rules,
        configuration=configuration,
        event_names=names,
        segments=segments,
        analyses=analyses,
        shares=np.cumsum([configuration.segments.get(name, 0.0) for name in segments]),
        words=words,
        bit_of=bit_of,
        stage_of=stage_of,
        once=once,
        daily=daily,
        final=final,
        flows=flows,
        tables=tables,
        start=start,
        end=end,
        onboarding=tuple(number for number, flow in enumerate(flows) if flow.kind == "onboarding"),
        sequences=tuple(_sequence_slots(analysis, flows, fixed) for analysis in analyses),
        free_weights=_free_weights(analyses, flows),
        activities=tuple(analysis.activity for analysis in analyses),
        daily_system=tuple(index[name] for name in constraints.not_of_users),
        has_registration=LifecycleStage.REGISTERED in constraints.stage_events.values(),
        has_onboarding=LifecycleStage.ONBOARDING_COMPLETED in constraints.stage_events.values(),
        experiment=_only(truths, ExperimentTruth),
        retention=_only(truths, RetentionTruth),
        seasonality=_only(truths, SeasonalityTruth),
        event_index=index,
        properties_of=_properties_of(taxonomy),
        nested_of={event.name: dict(flattened(event.properties)) for event in taxonomy.events},
        user_properties={found.name: found for found in taxonomy.user_properties},
        common_types={found.name: found.type for found in taxonomy.common_properties},
        updates=_updates(taxonomy, rules),
        counters=_counters(taxonomy, rules),
        standstills=standstills,
        always={
            number: _flow_of(truth, flows, rules)
            for number, truth in standstills.items()
            if truth.event not in {names[item.event] for item in (*start, *end) if not item.once}
        },
    )


_KINDS_OF_VALUES: Mapping[PropertyType, tuple[type, ...]] = {
    PropertyType.NUMBER: (int, float),
    PropertyType.STRING: (str,),
    PropertyType.BOOLEAN: (bool,),
}


def _require_property(taxonomy: Taxonomy, truth: StandstillTruth) -> None:
    """Raises ConfigurationError unless a property is there and can have the value at which it is to stand still."""
    every = (*taxonomy.common_properties, *taxonomy.user_properties, *_all_properties(taxonomy))
    types = {found.type for found in every if found.name == truth.property}
    if not types:
        raise ConfigurationError(
            f"The planted standstill of {truth.property!r} is impossible: there is no such property of users, the "
            "common ones or events. Name one of the taxonomy."
        )
    for type_ in types:
        kinds = _KINDS_OF_VALUES.get(type_, ())
        if not isinstance(truth.value, kinds) or (isinstance(truth.value, bool) and bool not in kinds):
            raise ConfigurationError(
                f"The planted standstill of {truth.property!r} is impossible: its type is "
                f"{type_.replace('_', ' ')}, which {truth.value!r} is no value of."
            )


def _flow_of(truth: StandstillTruth, flows: Sequence[Flow], rules: Rules) -> int:
    """The flow with which users do the event of a standstill: the one that surely brings it, if any does."""
    constraints = rules.event_constraints
    begun = [n for n, flow in enumerate(flows) if truth.event in flow.heads and flow.kind != "onboarding"]
    if not begun or truth.event in constraints.once:
        raise ConfigurationError(
            f"The planted standstill of {truth.property!r} is impossible: {truth.event!r} is no event that users who "
            "were there before the run may do at any time. Name one that begins a sequence of the rules, or stands in "
            "none, and happens more than once in a life."
        )
    return min(begun, key=lambda n: len(flows[n].heads))


def _properties_of(taxonomy: Taxonomy) -> dict[str, dict[str, Property]]:
    """By event, its own properties and the common ones; its own win where both have a name.

    A name has one type, as everywhere where logs are taken: the first that the sheet gives it.
    """
    common = {found.name: found for found in taxonomy.common_properties}
    types: dict[str, PropertyType] = {}
    for found in (*taxonomy.common_properties, *taxonomy.user_properties, *_all_properties(taxonomy)):
        types.setdefault(found.name, found.type)
    return {
        event.name: {
            **{found.name: found.model_copy(update={"type": types[found.name]}) for found in event.properties},
            **{name: found for name, found in common.items() if name not in {own.name for own in event.properties}},
        }
        for event in taxonomy.events
    }


def _all_properties(taxonomy: Taxonomy) -> Iterable[Property]:
    return (found for event in taxonomy.events for found in event.properties)


def _updates(taxonomy: Taxonomy, rules: Rules) -> dict[str, list[tuple[str, Update]]]:
    """By user or common property, the events that change it, in the order of the sheet."""
    known = {found.name for found in (*taxonomy.user_properties, *taxonomy.common_properties)}
    found: dict[str, list[tuple[str, Update]]] = {}
    for event in taxonomy.events:
        own = {given.name for given in event.properties}
        for name, update in rules.update_patterns.get(event.name, {}).items():
            # A user property that is set from the common property of its name is that property.
            if name in known and (name in own or update.value != f"{{{{{name}}}}}"):
                found.setdefault(name, []).append((event.name, update))
    return found


def _counter_of(rules: Rules, event: str, name: str) -> CounterRule | None:
    found = rules.constraint_of(event, name)
    return found.counter if found.copy_of is None and not found.first_only else None


def _counters(taxonomy: Taxonomy, rules: Rules) -> dict[str, list[tuple[str, str, CounterRule]]]:
    """By count, the events and properties that show it."""
    found: dict[str, list[tuple[str, str, CounterRule]]] = {}
    for event, properties in _properties_of(taxonomy).items():
        dotted = [f"{group.name}.{child.name}" for group in properties.values() for child in group.properties]
        for name in (*properties, *dotted):
            rule = _counter_of(rules, event, name)
            # Within one list a count numbers the objects; only a balance is one of the user.
            if rule is not None and (rule.source is not None or "." not in name):
                found.setdefault(rule.shared or f"{event}/{name}", []).append((event, name, rule))
    return found


def _only(truths: Iterable[Any], kind: type[Any]) -> Any:
    found = [truth for truth in truths if isinstance(truth, kind)]
    if len(found) > 1:
        raise ConfigurationError(f"A run can have one planted {found[0].kind}; the configuration has {len(found)}.")
    return found[0] if found else None


def _session_events(
    taxonomy: Taxonomy, rules: Rules, analyses: Sequence[SegmentAnalysis], index: Mapping[str, int]
) -> tuple[tuple[Fixed, ...], tuple[Fixed, ...]]:
    constraints = rules.event_constraints
    in_flows = {event for sequence in constraints.sequences for step in sequence.steps for event in step.events}
    entering = {name for name, stage in constraints.stage_events.items() if stage.rank <= _BIRTH_RANK}
    last = max((index[name] for name in entering), default=-1)
    birth = [
        name
        for name in constraints.once
        if name not in in_flows
        and name not in constraints.session_end
        and index[name] <= last
        and constraints.lifecycle.get(name, LifecycleStage.INSTALLED).rank <= _BIRTH_RANK
    ]
    opening = dict.fromkeys((*birth, *constraints.session_start))
    while True:  # those whose prerequisites no other event of the opening gives happen later, as flows
        late = [n for n in opening if n in birth and set(constraints.prerequisites.get(n, ())) - set(opening)]
        if not late:
            break
        for name in late:
            del opening[name]
    order = [name for name in taxonomy.event_names() if name in opening]
    ranked = sorted(order, key=lambda name: (_opening_rank(name, constraints.session_start, rules), order.index(name)))

    def fixed(name: str) -> Fixed:
        chances = [analysis.event_probabilities.get(name, 1.0) if name in birth else 1.0 for analysis in analyses]
        return Fixed(index[name], name in constraints.once, np.array(chances))

    start = tuple(fixed(name) for name in _after_prerequisites(ranked, constraints.prerequisites))
    end = tuple(fixed(name) for name in constraints.session_end if name not in opening)
    return start, end


def _opening_rank(name: str, session_start: Sequence[str], rules: Rules) -> int:
    stage = rules.event_constraints.stage_events.get(name)
    if stage is LifecycleStage.INSTALLED:
        return -1
    return 0 if name in session_start or stage is None or stage.rank <= _BIRTH_RANK else 1


def _after_prerequisites(names: Sequence[str], prerequisites: Mapping[str, Sequence[str]]) -> list[str]:
    placed: list[str] = []
    waiting = list(names)
    while waiting:
        ready = next(
            (n for n in waiting if not set(prerequisites.get(n, ())) & (set(waiting) - {n})),
            waiting[0],
        )
        placed.append(ready)
        waiting.remove(ready)
    return placed


def _flows(taxonomy: Taxonomy, rules: Rules, fixed: set[str]) -> tuple[Flow, ...]:
    """The rules' sequences without what stands at fixed places, and every other event by itself."""
    found: list[Flow] = []
    for sequence in rules.event_constraints.sequences:
        steps = _expanded(sequence, fixed)
        if steps:
            found.append(Flow(sequence.name, sequence.kind, tuple(steps)))
    told = {event for flow in found for step in flow.steps for event in step.events}
    told |= {*fixed, *rules.event_constraints.not_of_users}
    found += [Flow(name, "sequence", (Step(events=[name]),)) for name in taxonomy.event_names() if name not in told]
    return tuple(found)


def _expanded(sequence: EventSequence, fixed: set[str]) -> list[Step]:
    """A sequence's steps with repeats written out; a step whose events all stand elsewhere is left out."""
    steps: list[Step] = []
    for step in sequence.steps:
        kept = [
            (event, weight)
            for event, weight in zip(step.events, step.weights or [1.0] * len(step.events), strict=True)
            if event not in fixed
        ]
        if not kept:
            continue
        single = Step(
            events=[event for event, _ in kept],
            weights=[weight for _, weight in kept] if sum(weight for _, weight in kept) else [],
            probability=step.probability if steps else 1,
            after_s=step.after_s,
            follows=[event for event in step.follows if event not in fixed] if steps else [],
        )
        steps.append(single)
        again = single.model_copy(update={"probability": step.probability, "follows": []})
        steps += [again] * (step.repeats - 1)
    return steps


def _pairs(configuration: Configuration) -> list[ConversionTruth | ExperimentTruth]:
    return [truth for truth in configuration.truths if isinstance(truth, ConversionTruth | ExperimentTruth)]


def _without_strays(flows: tuple[Flow, ...], configuration: Configuration) -> tuple[Flow, ...]:
    """Flows in which `from` of a planted conversion leads to `to`, and nothing else gives either of them.

    Raises:
        ConfigurationError: when no sequence leads from one to the other.
    """
    for truth in _pairs(configuration):
        leading = [flow for flow in flows if _span(flow, truth) is not None]
        if not leading:
            raise ConfigurationError(
                f"The planted {truth.kind} from {truth.from_event} to {truth.to_event} is impossible: no sequence of "
                f"the rules has {truth.to_event} after {truth.from_event}. "
                "Name two events of one sequence, or put one into the rules."
            )
        kept: list[Flow] = []
        for flow in flows:
            if flow in leading:
                kept.append(flow)
                continue
            steps: list[Step] = []
            for step in flow.steps:
                if {truth.from_event, truth.to_event} & set(step.events):
                    break
                steps.append(step)
            if steps:
                kept.append(Flow(flow.name, flow.kind, tuple(steps)))
        flows = tuple(kept)
    return flows


def _span(flow: Flow, truth: ConversionTruth | ExperimentTruth) -> tuple[int, int] | None:
    """Steps of `from` and `to` in a flow that leads from one to the other."""
    begins = [number for number, step in enumerate(flow.steps) if truth.from_event in step.events]
    ends = [number for number, step in enumerate(flow.steps) if truth.to_event in step.events]
    return (begins[0], ends[0]) if begins and ends and begins[0] < ends[0] else None


def _tables(
    flows: Sequence[Flow],
    rules: Rules,
    configuration: Configuration,
    index: Mapping[str, int],
    bit_of: Array,
    words: int,
) -> FlowTables:
    steps = max((len(flow.steps) for flow in flows), default=1)
    width = max((len(step.events) for flow in flows for step in flow.steps), default=1)
    shape = (max(len(flows), 1), steps, width)
    events = np.full(shape, -1, np.int64)
    weights = np.zeros(shape)
    stages = np.zeros(shape, np.int64)
    needs = np.zeros((*shape, words), np.uint64)
    probability = np.zeros((2, *shape[:2]))
    after_s = np.full(shape[:2], 20.0)
    follows = np.ones((*shape[:2], len(index)), bool)
    constraints = rules.event_constraints
    for f, flow in enumerate(flows):
        given: set[str] = set()
        for s, step in enumerate(flow.steps):
            probability[:, f, s] = step.probability
            after_s[f, s] = step.after_s
            if step.follows:
                follows[f, s] = False
                follows[f, s, [index[name] for name in step.follows]] = True
            if len(step.follows) == 1:
                given.add(step.follows[0])
            for a, name in enumerate(step.events):
                events[f, s, a] = index[name]
                weights[f, s, a] = step.weights[a] if step.weights else 1.0
                stages[f, s, a] = constraints.lifecycle.get(name, LifecycleStage.INSTALLED).rank
                for before in constraints.prerequisites.get(name, ()):
                    # What an earlier step of the flow surely gave is not asked for again.
                    if before not in given:
                        bit = int(bit_of[index[before]])
                        needs[f, s, a, bit // 64] |= np.uint64(1) << np.uint64(bit % 64)
            if len(step.events) == 1:
                given.add(step.events[0])
    together = np.zeros(len(flows) or 1, np.int64)
    planted: dict[int, set[int]] = {}
    for truth in _pairs(configuration):
        for f, flow in enumerate(flows):
            span = _span(flow, truth)
            if span is not None:
                own = set(range(span[0] + 1, span[1] + 1))
                if own & planted.setdefault(f, set()):
                    raise ConfigurationError(
                        f"The planted {truth.kind} from {truth.from_event} to {truth.to_event} shares steps of the "
                        f"sequence {flow.name!r} with another planted truth. Plant them in steps of their own."
                    )
                planted[f] |= own
                _plant(truth, flow, span, probability[:, f])
                together[f] = max(together[f], span[1] + 1)
    return FlowTables(events, weights, probability, after_s, needs, stages, follows, together)


def _plant(truth: ConversionTruth | ExperimentTruth, flow: Flow, span: tuple[int, int], probability: Array) -> None:
    """Make the steps between `from` and `to` lead to it with exactly the planted rate."""
    begin, end = span
    if any(sum(name in step.events for step in flow.steps) > 1 for name in (truth.from_event, truth.to_event)):
        raise ConfigurationError(
            f"The planted {truth.kind} from {truth.from_event} to {truth.to_event} is impossible: in the sequence "
            f"{flow.name!r} one of them stands in several steps. Plant it between events that stand in one."
        )
    share = _share_that_can_reach(truth, flow, span)
    for variant, rate in enumerate(
        (truth.rate_a, truth.rate_b) if isinstance(truth, ExperimentTruth) else (truth.rate, truth.rate)
    ):
        if rate > share:
            raise ConfigurationError(
                f"The planted {truth.kind} from {truth.from_event} to {truth.to_event} is impossible: in the sequence "
                f"{flow.name!r} at most {share:.0%} can reach it, because its steps have other outcomes."
            )
        product = float(np.prod(probability[variant, begin + 1 : end + 1]))
        wanted = min(rate / share, 1.0) if rate else 0.0
        if 0 < product < 1 and wanted > 0:
            probability[variant, begin + 1 : end + 1] **= math.log(wanted) / math.log(product)
        else:
            probability[variant, begin + 1 : end + 1] = 1
            probability[variant, end] = wanted


def _share_that_can_reach(truth: ConversionTruth | ExperimentTruth, flow: Flow, span: tuple[int, int]) -> float:
    """Of those at `from`, the share that is at `to` when nobody leaves on the way: what alternatives leave of all."""
    at = {truth.from_event: 1.0}
    for step in flow.steps[span[0] + 1 : span[1] + 1]:
        going = sum(share for event, share in at.items() if not step.follows or event in step.follows)
        weights = step.weights or [1.0] * len(step.events)
        at = {event: going * weight / sum(weights) for event, weight in zip(step.events, weights, strict=True)}
    return at[truth.to_event]


def _sequence_slots(
    analysis: SegmentAnalysis, flows: Sequence[Flow], fixed: set[str]
) -> tuple[tuple[tuple[int, ...], float], ...]:
    """A segment's typical session: flows that begin with each event of it, and how likely they are."""
    slots: list[tuple[tuple[int, ...], float]] = []
    for event in analysis.event_sequence:
        if event in fixed:
            continue
        chosen = tuple(n for n, flow in enumerate(flows) if event in flow.heads and flow.kind != "onboarding")
        if chosen:
            slots.append((chosen, analysis.event_probabilities.get(event, 1.0)))
    return tuple(slots)


def _free_weights(analyses: Sequence[SegmentAnalysis], flows: Sequence[Flow]) -> Array:
    weights = np.zeros((len(analyses), max(len(flows), 1)))
    sharing = [sum(bool(set(flow.heads) & set(other.heads)) for other in flows) for flow in flows]
    for s, analysis in enumerate(analyses):
        for f, flow in enumerate(flows):
            if flow.kind != "onboarding":
                chance = max(analysis.weight_of(head) for head in flow.heads)
                weights[s, f] = chance / sharing[f]
    return weights
