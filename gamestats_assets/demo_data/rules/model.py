"""Rules: how a product's users behave, and what values its properties have.

The analyst (`analysis`) and language models (`ai`) make the same model; language models are held to its JSON schema.
`soundness.problems` finds rules that do not fit a taxonomy, or contradict each other.

A key for a property is its dotted name (`price`, `items.count`), which applies wherever the property occurs, or
`event/property` (`purchase/price`) for one event alone, which prevails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gamestats_assets.demo_data.taxonomies.value_rules import Scalar

RULES_VERSION = 2
"""Raise this when the meaning of rules changes; it is part of every cache key."""


class LifecycleStage(StrEnum):
    """How far a user has come; events (`stage_events`) and time lead to later stages."""

    INSTALLED = "installed"
    FIRST_SESSION = "first_session"
    REGISTERED = "registered"
    ONBOARDING_STARTED = "onboarding_started"
    ONBOARDING_COMPLETED = "onboarding_completed"
    ACTIVE = "active"
    ADVANCED = "advanced"

    @property
    def rank(self) -> int:
        """0 for the first stage."""
        return list(LifecycleStage).index(self)


SEGMENTS = ("new_user", "active_user", "power_user", "churning_user", "churned_user", "returning_user")
"""The segments of every product; a configuration may add others."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


Share = Annotated[float, Field(ge=0, le=1)]


class ValueRange(_Part):
    """Range of a number; for a time, the seconds after its event, negative before it.

    Attributes:
        mean: expected value; None takes the middle.
        spread: standard deviation; None takes at most a sixth of the width, less near a bound.
        integer: whether only whole numbers occur.
    """

    min: float
    max: float
    mean: float | None = None
    spread: float | None = Field(default=None, ge=0)
    integer: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.mean is not None and not self.min <= self.mean <= self.max:
            raise ValueError(f"mean {self.mean} is not between {self.min} and {self.max}")
        return self


class CounterRule(_Part):
    """A count per user.

    Attributes:
        start: value before the first event.
        step: amount added by each event; 0 shows the count without moving it.
        max: limit of the count.
        shared: name of the count if several properties show it; None is a count of the property's own.
        source: dotted name of the event's property that moves the count by its value, in place of `step`; the count is
            then a balance, which never falls below zero. A true value moves it by 1.
        sign: -1 if `source` is spent.
        group_by: dotted name of the property that separates counts or balances.
    """

    start: float = 0
    step: float = 1
    max: float | None = None
    shared: str | None = None
    source: str | None = None
    sign: Literal[1, -1] = 1
    group_by: str | None = None


class TotalRule(_Part):
    """What a user has gathered, e.g. in a cart, since it was last emptied.

    A number is the sum of the `adds` formulas. In an object group each object is one gathered thing, so all properties
    of the group need such a rule with the same events.

    Attributes:
        adds: by event that adds a thing, a formula of that event's properties: `price * quantity`; 1 counts the things.
        takes: events that each remove the latest thing; they do not happen if nothing is left.
        until: events after which nothing is left; they themselves still see everything.
    """

    adds: dict[str, str] = Field(min_length=1)
    takes: list[str] = Field(default_factory=list)
    until: list[str] = Field(default_factory=list)

    @property
    def events(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The events that decide which things are present."""
        return tuple(sorted(self.adds)), tuple(sorted(self.takes)), tuple(sorted(self.until))


class PropertyConstraint(_Part):
    """Constraint of a property's values; the first given field decides, in this order.

    Attributes:
        totals: total of gathered things, e.g. the value of an order from its cart.
        same_as_before: within a sequence, the value of the first event that has this property too, e.g. an order id; if
            none has, the other fields decide.
        recalls: earlier events of the user, in any session, with this property or, after a `/`, another one:
            `create_order`, `create_order/id`. The latest of them gives the value, e.g. the id of an order that is
            delivered days later; if there was none, the other fields decide. A key without an event does not apply to
            the events named here.
        once_each: the event uses each recalled thing once, the latest one that is left, e.g. a completed task; users
            who sign up within the run repeat the event only if there is another thing.
        copy_of: `#account_id`, `#distinct_id`, or another property of the event, common or of the user.
        elapsed: elapsed time by the clock: of the session so far, or since the first step of the event's sequence; if
            the event stands alone, the range decides.
        unit_s: seconds in the unit of `elapsed`.
        initial: value of a state before any event changes it; for users from before the run, `values` decide.
        first_only: true at a user's first event of the kind, false from then on.
        counter: a count per user, or a balance.
        depends_on, mapping: allowed values by the value of another property, e.g. carrier by country.
        values, weights: allowed values; weights are relative, and equal if missing.
        rows: number of objects in an object group, or of texts in a list.
        rows_by: name of the event's number that gives the number of texts in a list, in place of `rows`.
        per_user: a value is drawn once per user and kept; for recalled values, only if nothing came before.
        template: a text with `{n}` for a number from the property's range, e.g. `item_{n}`.
        faker: name of a pattern of `names`, for texts.
    """

    totals: TotalRule | None = None
    same_as_before: bool = False
    recalls: list[str] = Field(default_factory=list)
    once_each: bool = False
    copy_of: str | None = None
    elapsed: Literal["session", "flow"] | None = None
    unit_s: float = Field(default=1, gt=0)
    initial: Scalar | None = None
    first_only: bool = False
    counter: CounterRule | None = None
    depends_on: str | None = None
    mapping: dict[str, list[Scalar]] = Field(default_factory=dict)
    values: list[Scalar] = Field(default_factory=list)
    weights: list[float] = Field(default_factory=list)
    rows: int | None = Field(default=None, ge=1, le=500)
    rows_by: str | None = None
    per_user: bool = False
    template: str | None = None
    faker: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.weights and len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.weights)} weights for {len(self.values)} values")
        if any(weight < 0 for weight in self.weights) or (self.weights and not sum(self.weights)):
            raise ValueError("weights must not be negative, and not all of them zero")
        if bool(self.mapping) != (self.depends_on is not None):
            raise ValueError("depends_on and mapping belong together")
        if any(not allowed for allowed in self.mapping.values()):
            raise ValueError("mapping has a value without any allowed value")
        if self.once_each and not self.recalls:
            raise ValueError("once_each belongs to recalls")
        return self


class PropertyRelationship(_Part):
    """How a number follows from others of the event, the common properties or the user.

    For a time the formula gives the seconds after its event, and times that it names are such seconds too:
    `start_time + duration_min * 60`.

    Attributes:
        depends_on: names that the formula uses.
        affects: names of properties that depend on it, for people.
        formula: in the grammar of `formulas`, e.g. `level * 100 + random(0-50)`.
    """

    type: Literal["number", "string", "boolean"] = "number"
    depends_on: list[str] = Field(default_factory=list)
    affects: list[str] = Field(default_factory=list)
    formula: str | None = None


class Step(_Part):
    """One step of a sequence.

    Attributes:
        events: one of these happens.
        weights: relative weights of `events`; equal if missing.
        probability: probability that it happens once the previous step has; must be 1 for the first step.
        repeats: how often it happens at most, each time with `probability`, e.g. the steps of a tutorial.
        after_s: mean seconds since the previous step.
        follows: events of the previous step that this one follows; empty for any of them.
    """

    events: list[str] = Field(min_length=1)
    weights: list[float] = Field(default_factory=list)
    probability: Share = 1
    repeats: int = Field(default=1, ge=1, le=100)
    after_s: float = Field(default=20, gt=0)
    follows: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _weighed(self) -> Self:
        if self.weights and (len(self.weights) != len(self.events) or min(self.weights) < 0 or not sum(self.weights)):
            raise ValueError(f"weights {self.weights} do not fit the events {self.events}")
        return self


class EventSequence(_Part):
    """Events that happen in this order, within one session.

    An event of a later step happens only after one of the previous step.

    Attributes:
        kind: `funnel` loses users at every step, `sequence` is a process (start to end), `onboarding` happens
            once in a user's life, in the first session.
    """

    name: str
    kind: Literal["funnel", "sequence", "onboarding"] = "sequence"
    steps: list[Step] = Field(min_length=1)


class EventConstraints(_Part):
    """When events may happen.

    Attributes:
        session_start: events at the beginning of every session, in this order.
        session_end: events at the end of every session, in this order.
        once: events that happen once in a user's life.
        daily: events that happen at most once on a user's day, such as an attendance.
        final: events after which a user does nothing more, such as the deletion of the account.
        sequences: orders within a session; an event outside them stands alone.
        prerequisites: by event, events that must all have happened to the user before.
        lifecycle: by event, the earliest stage in which it happens; by default the first.
        stage_events: by event, the stage that it moves a user to.
        not_of_users: events of the system or of advertising, which are reported once a day without action of a user.
    """

    session_start: list[str] = Field(default_factory=list)
    session_end: list[str] = Field(default_factory=list)
    once: list[str] = Field(default_factory=list)
    daily: list[str] = Field(default_factory=list)
    final: list[str] = Field(default_factory=list)
    sequences: list[EventSequence] = Field(default_factory=list)
    prerequisites: dict[str, list[str]] = Field(default_factory=dict)
    lifecycle: dict[str, LifecycleStage] = Field(default_factory=dict)
    stage_events: dict[str, LifecycleStage] = Field(default_factory=dict)
    not_of_users: list[str] = Field(default_factory=list)


class Activity(_Part):
    """How often and how long users of a segment are active.

    Attributes:
        daily_probability: probability that a user is active on a day, before weekday and decay.
        weekday_weights: seven multipliers of it, Monday first.
        hour_weights: 24 relative weights of the hour in which a session starts, in the user's time zone.
        sessions_per_day: mean number of sessions on an active day, at least 1.
        session_minutes: mean length of a session.
        events_per_session: mean number of choices a user makes in a session, besides its start and end.
        decay_per_day: share by which `daily_probability` shrinks each day since the sign-up, or for users from before
            the run, since it began.
        churn_per_day: probability that a user leaves for good, or until returning.
        return_per_day: probability that a user who left comes back.
    """

    daily_probability: Share
    weekday_weights: list[float] = Field(default_factory=lambda: [1.0] * 7, min_length=7, max_length=7)
    hour_weights: list[float] = Field(
        default_factory=lambda: [
            *(1.2, 0.7, 0.4, 0.3, 0.3, 0.5, 1.0, 1.8, 2.4, 2.2, 2.0, 2.2),
            *(3.0, 2.6, 2.2, 2.1, 2.2, 2.8, 3.6, 4.4, 5.0, 5.2, 4.2, 2.4),
        ],
        min_length=24,
        max_length=24,
    )
    sessions_per_day: float = Field(default=1.5, ge=1, le=20)
    session_minutes: float = Field(default=12, gt=0, le=600)
    events_per_session: float = Field(default=8, ge=0, le=200)
    decay_per_day: Share = 0
    churn_per_day: Share = 0
    return_per_day: Share = 0

    @model_validator(mode="after")
    def _weights(self) -> Self:
        for name, weights in (("weekday_weights", self.weekday_weights), ("hour_weights", self.hour_weights)):
            if min(weights) < 0 or not sum(weights):
                raise ValueError(f"{name} must not be negative, and not all of them zero")
        return self


_USUAL_PROBABILITY = 0.3
"""Probability of an event without one in the rules."""


class SegmentAnalysis(_Part):
    """How users of one segment differ from others.

    Attributes:
        property_ranges: ranges of their numbers; by default those in `value_ranges`.
        event_sequence: what they typically do in a session, in order, before anything else.
        event_probabilities: probability of each event in a session: for events of `event_sequence`, the share of
            sessions that include it; for other events, the relative weight in free choices.
        activity: when they are active.
    """

    property_ranges: dict[str, ValueRange] = Field(default_factory=dict)
    event_sequence: list[str] = Field(default_factory=list)
    event_probabilities: dict[str, Share] = Field(default_factory=dict)
    activity: Activity

    def weight_of(self, event: str) -> float:
        """Returns the weight of an event in free choices."""
        return self.event_probabilities.get(event, _USUAL_PROBABILITY)


class Update(_Part):
    """How an event changes a user's state.

    Attributes:
        type: `set_once` keeps the first value.
        value: a number, a text, true or false; `{{price}}` is a property of the event, `{{#time}}` its time,
            `{{items.count}}` the sum over an object group, `{{items[3].count}}` that of the object whose first
            property is 3; arithmetic with references is allowed (`{{price}} * 0.1`).
        allow_negative: whether a decrement may go below zero; otherwise it stops there.
        once_per_day: only the first such event of a day counts.
    """

    type: Literal["increment", "decrement", "set", "set_once"]
    value: Scalar = 1
    allow_negative: bool = False
    once_per_day: bool = False

    def sets_to(self, name: str) -> bool:
        """Whether the property is set to the event's property of a name."""
        return self.type in ("set", "set_once") and self.value == f"{{{{{name}}}}}"


class Rules(_Part):
    """Everything that decides a product's data besides its taxonomy and the run's configuration."""

    property_constraints: dict[str, PropertyConstraint] = Field(default_factory=dict)
    event_constraints: EventConstraints = Field(default_factory=EventConstraints)
    property_relationships: dict[str, PropertyRelationship] = Field(default_factory=dict)
    value_ranges: dict[str, ValueRange] = Field(default_factory=dict)
    segment_analysis: dict[str, SegmentAnalysis]
    update_patterns: dict[str, dict[str, Update]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _six(self) -> Self:
        missing = [name for name in SEGMENTS if name not in self.segment_analysis]
        if missing:
            raise ValueError(f"segment_analysis lacks {', '.join(missing)}")
        return self

    def constraint_of(self, event: str, name: str) -> PropertyConstraint:
        """Returns the constraint of a property of an event; an empty one by default."""
        return holding(self.property_constraints, event, name) or _UNCONSTRAINED

    def repeats(self, event: str, name: str, source: str) -> bool:
        """Whether an event repeats a property of an earlier event of its flow: both give it the same meaning."""
        own, theirs = (
            [holding(table, which, name) for table in (self.property_constraints, self.value_ranges)]
            for which in (event, source)
        )
        return self.constraint_of(event, name).same_as_before or own in (theirs, [None, None])

    def followers(self) -> dict[str, set[str]]:
        """Returns for each event of a later step the events, one of which must precede it in the session."""
        found: dict[str, set[str]] = {}
        heads: set[str] = set()
        for sequence in self.event_constraints.sequences:
            heads.update(sequence.steps[0].events)
            for before, step in zip(sequence.steps, sequence.steps[1:], strict=False):
                for event in step.events:
                    found.setdefault(event, set()).update(step.follows or before.events)
        return {event: before for event, before in found.items() if event not in heads}


_UNCONSTRAINED = PropertyConstraint()
_Held = TypeVar("_Held")


def holding(table: Mapping[str, _Held], event: str, name: str) -> _Held | None:
    """Returns a table's entry for an event's property: its own, or else the general one."""
    return table.get(f"{event}/{name}") or table.get(name)


def recalled_property(recalled: str, key: str) -> tuple[str, str]:
    """Returns the event and the property that a constraint `recalls`.

    Args:
        recalled: `create_order`, or `create_order/id`.
        key: key of the constraint.
    """
    event, _, name = recalled.partition("/")
    return event, name or key.rpartition("/")[2]


def named_events(rules: Rules) -> Iterator[tuple[str, str]]:
    """Yields every event that rules name, with its place there."""
    constraints = rules.event_constraints
    for place in ("session_start", "session_end", "once", "daily", "final", "not_of_users"):
        for event in getattr(constraints, place):
            yield event, f"event_constraints.{place}"
    for sequence in constraints.sequences:
        for step in sequence.steps:
            for event in step.events:
                yield event, f"event_constraints.sequences.{sequence.name}"
    for event, before in constraints.prerequisites.items():
        for name in (event, *before):
            yield name, f"event_constraints.prerequisites.{event}"
    for place in ("lifecycle", "stage_events"):
        for event in getattr(constraints, place):
            yield event, f"event_constraints.{place}"
    for segment, analysis in rules.segment_analysis.items():
        for event in (*analysis.event_sequence, *analysis.event_probabilities):
            yield event, f"segment_analysis.{segment}"
    for event in rules.update_patterns:
        yield event, "update_patterns"
