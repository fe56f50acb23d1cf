"""Taxonomy, rules and configuration as tables of numbers for the vectorised simulation.

Events, flows and segments are numbered. A door is an event that is a prerequisite of another or happens only once; the
simulation tracks which doors each user has passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from gamestats_assets.demo_data.generator.columns import Array
from gamestats_assets.demo_data.generator.flows import flows_of, tables_of
from gamestats_assets.demo_data.generator.random_streams import Ranges
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConfigurationError,
    ExperimentTruth,
    RetentionTruth,
    SeasonalityTruth,
    StandstillTruth,
)
from gamestats_assets.demo_data.rules.model import (
    CounterRule,
    LifecycleStage,
    Rules,
    TotalRule,
    Update,
    recalled_property,
)
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between

DAY_MS = 86_400_000
LEAST_CHOICES = 0.3
"""Smallest mean of free choices in a session."""
_BIRTH_RANK = LifecycleStage.REGISTERED.rank
"""Once-only events of stages up to this one open a first session, unless they come after the last event in the sheet
that reaches such a stage."""
_Truth = TypeVar("_Truth")


@dataclass(frozen=True, slots=True)
class Fixed:
    """An event at a fixed place of every session: its start, its end, or a first time.

    Attributes:
        probability: by segment; 1 except for optional events (a registration).
        needs: doors that must be open.
        stage: rank of the earliest stage.
    """

    event: int
    once: bool
    probability: Array
    needs: Array
    stage: int


class Blueprint:
    """Tables of the simulation.

    Attributes:
        event_names, event_index: names by number, and numbers by name.
        segments, analyses, activities: the segments with users, and their behaviour.
        shares: cumulative shares of the segments.
        once, daily, final: whether each event happens only once, once on a user's day, or as the last one.
        doors: number of each door.
        door_of: door of each event; -1 without one.
        stage_of: rank of the stage that each event moves a user to; -1 without one.
        start, end: events at the start of a session, including those of the first session, and at its end.
        flows, tables: the flows of users.
        always: by number of a standstill, the flow that its users begin in every session; none if the event has a fixed
            place in it.
        properties_of: by event, its own and the common properties.
        nested_of: by event, its own properties by dotted name.
        experiment, retention, seasonality: the truth of that kind.
        standstills: by number of the truth, standstills: users whose property stays at a value.
    """

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> None:
        self.taxonomy, self.rules, self.configuration = taxonomy, rules, configuration
        constraints = rules.event_constraints
        self.event_names = taxonomy.event_names()
        self.event_index = {name: number for number, name in enumerate(self.event_names)}
        of_segments = configuration.analyses(rules)
        self.segments, self.analyses = tuple(of_segments), tuple(of_segments.values())
        self.activities = tuple(analysis.activity for analysis in self.analyses)
        self.shares = np.cumsum([configuration.segments.get(name, 0.0) for name in self.segments])
        self.once, self.daily, self.final = (
            np.isin(self.event_names, names) for names in (constraints.once, constraints.daily, constraints.final)
        )
        needed = (before for befores in constraints.prerequisites.values() for before in befores)
        self.doors = {name: number for number, name in enumerate(sorted({*constraints.once, *needed}))}
        self.door_of = np.array([self.doors.get(name, -1) for name in self.event_names], np.int64)
        stages = constraints.stage_events
        self.stage_of = np.array([stages[n].rank if n in stages else -1 for n in self.event_names], np.int64)
        self.start, self.end = self._fixed()
        fixed = {self.event_names[item.event] for item in (*self.start, *self.end)}
        self.flows = flows_of(taxonomy, constraints, fixed, configuration)
        self.tables = tables_of(self.flows, constraints, configuration, self.event_index, self.doors)
        self.properties_of = _properties_of(taxonomy)
        self.nested_of = {event.name: dict(flattened(event.properties)) for event in taxonomy.events}
        self.user_properties = {found.name: found for found in taxonomy.user_properties}
        self.common_types = {found.name: found.type for found in taxonomy.common_properties}
        self.experiment = self._only(ExperimentTruth)
        self.retention = self._only(RetentionTruth)
        self.seasonality = self._only(SeasonalityTruth)
        truths = enumerate(configuration.truths)
        self.standstills = {number: truth for number, truth in truths if isinstance(truth, StandstillTruth)}
        for truth in self.standstills.values():
            _require_property(taxonomy, truth)
        every_session = {self.event_names[item.event] for item in (*self.start, *self.end) if not item.once}
        apart = {number: truth for number, truth in self.standstills.items() if truth.event not in every_session}
        self.always = {number: self._flow_of(truth) for number, truth in apart.items()}

    # ----------------------------------------------------------------- the run

    @property
    def first_day(self) -> int:
        """The run's first day as a day number, for looking up what belongs to dates."""
        return self.configuration.start.toordinal()

    @property
    def start_ms(self) -> int:
        """Midnight of the first day, UTC, in ms since 1970."""
        return (self.first_day - date(1970, 1, 1).toordinal()) * DAY_MS

    def _only(self, kind: type[_Truth]) -> _Truth | None:
        found = [truth for truth in self.configuration.truths if isinstance(truth, kind)]
        if len(found) > 1:
            name: Any = found[0]
            raise ConfigurationError(f"A run can have one planted {name.kind}; the configuration has {len(found)}.")
        return found[0] if found else None

    # ----------------------------------------------------------------- sessions

    @cached_property
    def daily_system(self) -> list[int]:
        """Events that the system reports once a day."""
        return [self.event_index[name] for name in self.rules.event_constraints.not_of_users]

    @cached_property
    def session_ends(self) -> frozenset[str]:
        """Events at the end of every session."""
        return frozenset(self.event_names[item.event] for item in self.end)

    @cached_property
    def onboarding(self) -> list[int]:
        """Flows of the first session."""
        return [number for number, flow in enumerate(self.flows) if flow.kind == "onboarding"]

    @cached_property
    def has_registration(self) -> bool:
        """Whether an event registers users; without one, all users have an account."""
        return LifecycleStage.REGISTERED in self.rules.event_constraints.stage_events.values()

    @cached_property
    def known_stage(self) -> int:
        """Rank of the stage of users after the opening of the product."""
        if LifecycleStage.ONBOARDING_COMPLETED in self.rules.event_constraints.stage_events.values():
            return LifecycleStage.ONBOARDING_COMPLETED.rank
        return (LifecycleStage.REGISTERED if self.has_registration else LifecycleStage.FIRST_SESSION).rank

    @cached_property
    def sequences(self) -> list[list[tuple[list[int], float]]]:
        """Typical session by segment: the flows that begin with each of its events, and their probabilities."""
        free = [(number, flow) for number, flow in enumerate(self.flows) if flow.kind != "onboarding"]
        begins = {event: [n for n, flow in free if event in flow.heads] for event in self.event_names}
        return [
            [
                (begins[event], analysis.event_probabilities.get(event, 1.0))
                for event in analysis.event_sequence
                if begins[event]
            ]
            for analysis in self.analyses
        ]

    @cached_property
    def free_weights(self) -> Array:
        """Relative weight of each free choice, by segment and flow."""
        weights = np.zeros((len(self.analyses), max(len(self.flows), 1)))
        for number, flow in enumerate(self.flows):
            if flow.kind != "onboarding":
                sharing = sum(bool(set(flow.heads) & set(other.heads)) for other in self.flows)
                chances = [max(analysis.weight_of(head) for head in flow.heads) for analysis in self.analyses]
                weights[:, number] = np.array(chances) / sharing
        return weights

    @cached_property
    def per_session(self) -> tuple[Array, Array]:
        """How often a session has each event, by segment: through what users always do, and through free choices."""
        brings = np.zeros((max(len(self.flows), 1), len(self.event_names)))
        for number, flow in enumerate(self.flows):
            reached = np.cumprod(self.tables.probability[0, number])
            for place, step in enumerate(flow.steps):
                weights = self.tables.weights[number, place, : len(step.events)]
                of_step = self.tables.events[number, place, : len(step.events)]
                brings[number, of_step] += reached[place] * weights / weights.sum()
        given = np.zeros((len(self.segments), len(self.event_names)))
        given[:, [item.event for item in (*self.start, *self.end)]] = 1
        chosen = np.zeros_like(given)
        for segment, (slots, activity) in enumerate(zip(self.sequences, self.activities, strict=True)):
            for flows, probability in slots:
                given[segment] += probability * brings[flows].mean(axis=0)
            choices = max(activity.events_per_session - sum(probability for _, probability in slots), LEAST_CHOICES)
            weights = self.free_weights[segment]
            chosen[segment] = choices * (weights @ brings) / max(weights.sum(), 1e-12)
        return given, chosen

    def _fixed(self) -> tuple[list[Fixed], list[Fixed]]:
        constraints, index = self.rules.event_constraints, self.event_index
        in_flows = {event for sequence in constraints.sequences for step in sequence.steps for event in step.events}
        entering = [index[name] for name, stage in constraints.stage_events.items() if stage.rank <= _BIRTH_RANK]
        birth = {
            name
            for name in constraints.once
            if name not in in_flows
            and name not in constraints.session_end
            and index[name] <= max(entering, default=-1)
            and constraints.lifecycle.get(name, LifecycleStage.INSTALLED).rank <= _BIRTH_RANK
        }
        opening = {*birth, *constraints.session_start}
        # Events with a prerequisite outside the opening happen later, as flows.
        while late := {n for n in opening & birth if set(constraints.prerequisites.get(n, ())) - opening}:
            opening -= late
        ranked = sorted(opening, key=lambda name: (self._opening_rank(name), index[name]))
        ends = [name for name in constraints.session_end if name not in opening]

        def fixed(name: str) -> Fixed:
            chances = [a.event_probabilities.get(name, 1.0) if name in birth else 1.0 for a in self.analyses]
            needs = [self.doors[before] for before in constraints.prerequisites.get(name, ())]
            stage = constraints.lifecycle.get(name, LifecycleStage.INSTALLED).rank
            return Fixed(index[name], name in constraints.once, np.array(chances), np.array(needs, np.int64), stage)

        return [fixed(n) for n in _after_prerequisites(ranked, constraints.prerequisites)], [fixed(n) for n in ends]

    def _opening_rank(self, name: str) -> int:
        constraints = self.rules.event_constraints
        stage = constraints.stage_events.get(name)
        if stage is LifecycleStage.INSTALLED:
            return -1
        return 0 if name in constraints.session_start or stage is None or stage.rank <= _BIRTH_RANK else 1

    def _flow_of(self, truth: StandstillTruth) -> int:
        """Returns the flow by which users do the event of a standstill: preferably one that surely has it."""
        begun = [n for n, flow in enumerate(self.flows) if truth.event in flow.heads and flow.kind != "onboarding"]
        if not begun or truth.event in self.rules.event_constraints.once:
            raise ConfigurationError(
                f"The planted standstill of {truth.property!r} is impossible: {truth.event!r} is not an event that "
                "users from before the run may do at any time. Name one that begins a sequence of the rules, or "
                "is in none, and happens more than once in a life."
            )
        return min(begun, key=lambda n: len(self.flows[n].heads))

    # ----------------------------------------------------------------- values

    @cached_property
    def ranges(self) -> Ranges:
        """Ranges of numbers."""
        return Ranges(self.rules, self.analyses)

    @cached_property
    def updates(self) -> Mapping[str, list[tuple[str, Update]]]:
        """Events that change each user or common property, with their updates, in the order of the sheet."""
        known = {*self.user_properties, *self.common_types}
        found: dict[str, list[tuple[str, Update]]] = {}
        for event in self.taxonomy.events:
            own = {given.name for given in event.properties}
            for name, update in self.rules.update_patterns.get(event.name, {}).items():
                # A user property that is set from the common property of the same name is that property.
                if name in known and (name in own or update.value != f"{{{{{name}}}}}"):
                    found.setdefault(name, []).append((event.name, update))
        return found

    def sets(self, event: str, name: str) -> bool:
        """Whether an event itself carries the new value of a state."""
        return any(who == event and how.sets_to(name) for who, how in self.updates.get(name, ()))

    def state_type(self, name: str) -> PropertyType:
        """Returns the type of a property that events change."""
        return self.user_properties[name].type if name in self.user_properties else self.common_types[name]

    def limit_of(self, name: str) -> float | None:
        """Returns the sheet's largest number for a property that events change; None without limits."""
        given = self.user_properties.get(name)
        return given.rule.max if given is not None and isinstance(given.rule, Between) else None

    @cached_property
    def counters(self) -> Mapping[str, list[tuple[str, str, CounterRule]]]:
        """Events and properties that show each count; those in object groups are dotted, and balances."""
        found: dict[str, list[tuple[str, str, CounterRule]]] = {}
        for event, properties in self.properties_of.items():
            dotted = [f"{group.name}.{child.name}" for group in properties.values() for child in group.properties]
            for name in (*properties, *dotted):
                constraint = self.rules.constraint_of(event, name)
                rule = constraint.counter if constraint.copy_of is None and not constraint.first_only else None
                # Within a list a count numbers the objects; only balances belong to the user.
                if rule is not None and (rule.source is not None or "." not in name):
                    found.setdefault(rule.shared or f"{event}/{name}", []).append((event, name, rule))
        return found

    @cached_property
    def moved_by(self) -> Mapping[tuple[str, str], str]:
        """Balance that an event's property moves, by event and property."""
        return {
            (event, rule.source): shared
            for shared, members in self.counters.items()
            for event, name, rule in members
            if rule.source is not None and "." not in name and rule.source in self.properties_of[event]
        }

    @cached_property
    def gathered(self) -> Mapping[tuple[Any, ...], TotalRule]:
        """One rule for each kind of things that users gather, by the events that add and remove them."""
        totals = (constraint.totals for constraint in self.rules.property_constraints.values())
        return {rule.events: rule for rule in totals if rule is not None}

    @cached_property
    def used_once(self) -> tuple[TotalRule, ...]:
        """Things that an event uses once each, with the events that make them."""
        found: dict[tuple[Any, ...], TotalRule] = {}
        for key, constraint in self.rules.property_constraints.items():
            if constraint.once_each:
                makers = dict.fromkeys((recalled_property(recalled, key)[0] for recalled in constraint.recalls), "1")
                rule = TotalRule(adds=makers, takes=[key.partition("/")[0]])
                found[rule.events] = rule
        return tuple(found.values())


def blueprint(taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> Blueprint:
    """Compiles everything that decides a run.

    Raises:
        ConfigurationError: when a truth cannot be planted; names it and the reason.
    """
    return Blueprint(taxonomy, rules, configuration)


_KINDS_OF_VALUES: Mapping[PropertyType, tuple[type, ...]] = {
    PropertyType.NUMBER: (int, float),
    PropertyType.STRING: (str,),
    PropertyType.BOOLEAN: (bool,),
}


def _require_property(taxonomy: Taxonomy, truth: StandstillTruth) -> None:
    """Raises ConfigurationError unless a property exists and can have the value at which it must stand still."""
    types = {found.type for found in _top_level(taxonomy) if found.name == truth.property}
    impossible = f"The planted standstill of {truth.property!r} is impossible: "
    if not types:
        raise ConfigurationError(f"{impossible}neither users nor events have this property. Name one of the taxonomy.")
    for type_ in types:
        kinds = _KINDS_OF_VALUES.get(type_, ())
        if not isinstance(truth.value, kinds) or (isinstance(truth.value, bool) and bool not in kinds):
            raise ConfigurationError(
                f"{impossible}its type is {type_.replace('_', ' ')}, which excludes {truth.value!r}."
            )


def _top_level(taxonomy: Taxonomy) -> list[Property]:
    of_events = (found for event in taxonomy.events for found in event.properties)
    return [*taxonomy.common_properties, *taxonomy.user_properties, *of_events]


def _properties_of(taxonomy: Taxonomy) -> dict[str, dict[str, Property]]:
    """Returns by event its own and the common properties; its own prevail.

    A name has one type everywhere, as receivers of logs require: the first one in the sheet.
    """
    types: dict[str, PropertyType] = {}
    for found in _top_level(taxonomy):
        types.setdefault(found.name, found.type)
    common = {found.name: found for found in taxonomy.common_properties}
    return {
        event.name: {p.name: p.model_copy(update={"type": types[p.name]}) for p in event.properties}
        | {name: found for name, found in common.items() if name not in {own.name for own in event.properties}}
        for event in taxonomy.events
    }


def _after_prerequisites(names: Sequence[str], prerequisites: Mapping[str, Sequence[str]]) -> list[str]:
    placed: list[str] = []
    waiting = list(names)
    while waiting:
        ready = (n for n in waiting if not set(prerequisites.get(n, ())) & (set(waiting) - {n}))
        placed.append(next(ready, waiting[0]))
        waiting.remove(placed[-1])
    return placed
