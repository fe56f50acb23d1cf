"""Rules: how a product's users behave and what values its properties have.

One model, whoever makes it: the analyst (`analysis`), or a language model (`ai`), which is held to its
JSON schema. `soundness.problems` says where rules do not fit a taxonomy, or contradict each other.

A key that names a property is its dotted name (`price`, `items.count`), which holds wherever the
property stands, or `event/property` (`purchase/price`) for one event alone; the latter wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gamestats_assets.demo_data.taxonomies.value_rules import Scalar

RULES_VERSION = 2
"""Raised when the meaning of rules changes; a part of every cache key."""


class LifecycleStage(StrEnum):
    """How far a user has come; later ones are reached by events (`stage_events`) and by time."""

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
"""The segments that every product has; a configuration may add others."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


Share = Annotated[float, Field(ge=0, le=1)]


class ValueRange(_Part):
    """Where a number lies; of a time, how many seconds after its event it is, negative ones being before.

    Attributes:
        mean: expected value; None is the middle.
        spread: standard deviation; None is a sixth of the width at most, less near a bound.
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
        step: added by each event; 0 shows the count without moving it.
        max: where it stops.
        shared: name of the count, where several properties show one; None is the property's own.
        source: dotted name of the event's property whose value moves the count, in place of `step`;
            the count is then a balance, which never goes below zero. What is true moves it by 1.
        sign: -1 where `source` is spent.
        group_by: dotted name of the property that tells counts or balances apart.
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

    Of a number it is the sum of what `adds` tells. Of the properties of an object group, which then all need such a
    rule of the same events, each object tells of one thing that is there.

    Attributes:
        adds: by event that adds a thing, a formula of that event's properties: `price * quantity`; 1 counts the things.
        takes: events each of which takes away the thing that was added last; where nothing is left, they do not happen.
        until: events after which nothing is left, themselves still seeing everything.
    """

    adds: dict[str, str] = Field(min_length=1)
    takes: list[str] = Field(default_factory=list)
    until: list[str] = Field(default_factory=list)

    @property
    def events(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """What decides which things are there, whatever is told of them."""
        return tuple(sorted(self.adds)), tuple(sorted(self.takes)), tuple(sorted(self.until))


class PropertyConstraint(_Part):
    """What a property's values must keep; the first field given decides, in this order.

    Attributes:
        totals: of what the user has gathered, e.g. the value of an order of what was put into the cart.
        same_as_before: within a sequence, the value of the first event that has this property too, e.g. an order id;
            where none has, the other fields decide.
        recalls: what the user did before, in whichever session, and which then had this property or, after a `/`,
            another one: `create_order`, `create_order/id`. The latest of it gives the value, e.g. the id of an order
            that is delivered days later; where there was none, the other fields decide. Without an event in the key
            it does not hold for the events that it names.
        once_each: of each thing that is recalled the event tells once, the latest one that is left, e.g. a task that is
            completed; who signed up within the run does it again only once there is another one.
        copy_of: `#account_id`, `#distinct_id`, or another property of the event, the common ones or the user.
        elapsed: how long it has taken by the clock: the session so far, or what the event is a later step of, since its
            first step; where the event stands alone, the range decides.
        unit_s: seconds of the unit in which `elapsed` is told.
        initial: of what events change, the value before any did; of who was there before the run, `values` decide.
        first_only: true at a user's first event of the kind, false from then on.
        counter: a count per user, or a balance.
        depends_on, mapping: allowed values by the value of the property that it depends on, e.g. carrier by country.
        values, weights: allowed values; weights are relative, none are equal ones.
        rows: how many objects an object group has, or texts a list.
        rows_by: name of the event's number that says how many texts a list has, in place of `rows`.
        per_user: a value is drawn once for each user and kept; of what is recalled, where there was nothing before.
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
    """How a number follows from others of the event, the common ones or the user.

    Of a time the formula gives the seconds after its event, and times that it names are such seconds too:
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
        events: what happens: one of these.
        weights: relative, one for each of `events`; none are equal ones.
        probability: that it happens once the step before has; of the first step it must be 1.
        repeats: how often it happens at most, each time with `probability`, e.g. the steps of a tutorial.
        after_s: mean seconds since the step before.
        follows: of the step before, the events that this one follows; empty is any of them.
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

    An event of a later step happens only after one of the step before.

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
        daily: events that happen once on a user's day at most, such as an attendance.
        final: events after which a user does nothing any more, such as the deletion of the account.
        sequences: orders within a session; an event in none of them stands alone.
        prerequisites: by event, events that must all have happened to the user before.
        lifecycle: by event, the earliest stage in which it happens; without an entry, the first.
        stage_events: by event, the stage that it moves a user to.
        not_of_users: events of the system or of advertising, which are reported once a day without a user's doing.
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
    """How often and how long users of a segment are there.

    Attributes:
        daily_probability: that a user is active on a day, before the weekday and the decay.
        weekday_weights: seven multipliers of it, Monday first.
        hour_weights: 24 relative weights of the hour in which a session starts, in the user's time zone.
        sessions_per_day: mean of an active day, at least 1.
        session_minutes: mean length of a session.
        events_per_session: mean number of choices a user makes in a session, besides its start and end.
        decay_per_day: share by which `daily_probability` shrinks each day since the sign-up, or since the run began
            for who was there before.
        churn_per_day: probability that a user leaves for good, or until returning.
        return_per_day: probability that one who left comes back.
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
"""Of an event of which rules do not say how likely it is."""


class SegmentAnalysis(_Part):
    """How users of one segment differ from others.

    Attributes:
        property_ranges: where their numbers lie; without an entry, in `value_ranges`.
        event_sequence: what they typically do in a session, in order, before anything else.
        event_probabilities: by event, how likely it is in a session: the share of sessions in which an event of
            `event_sequence` is not left out, and the relative weight of an event that is chosen freely.
        activity: when they are there.
    """

    property_ranges: dict[str, ValueRange] = Field(default_factory=dict)
    event_sequence: list[str] = Field(default_factory=list)
    event_probabilities: dict[str, Share] = Field(default_factory=dict)
    activity: Activity

    def weight_of(self, event: str) -> float:
        """How much an event weighs among those that are chosen freely."""
        return self.event_probabilities.get(event, _USUAL_PROBABILITY)


class Update(_Part):
    """How an event changes a user's state.

    Attributes:
        type: `set_once` keeps the first value.
        value: a number, a text, true or false; `{{price}}` is a property of the event, `{{#time}}` its time,
            `{{items.count}}` the sum over an object group, `{{items[3].count}}` that of the object whose first
            property is 3; arithmetic with references is allowed (`{{price}} * 0.1`).
        allow_negative: whether a decrement may go below zero; else it stops there.
        once_per_day: only the first such event of a day counts.
    """

    type: Literal["increment", "decrement", "set", "set_once"]
    value: Scalar = 1
    allow_negative: bool = False
    once_per_day: bool = False

    def sets_to(self, name: str) -> bool:
        """Whether the property becomes what the event says under a name."""
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
        """The constraint that holds for a property of an event; of nothing where there is none."""
        return holding(self.property_constraints, event, name) or _UNCONSTRAINED

    def repeats(self, event: str, name: str, teller: str) -> bool:
        """Whether an event says of a property what an earlier one of its flow did: both mean the same by it."""
        own, theirs = (
            [holding(table, which, name) for table in (self.property_constraints, self.value_ranges)]
            for which in (event, teller)
        )
        return self.constraint_of(event, name).same_as_before or own in (theirs, [None, None])

    def followers(self) -> dict[str, set[str]]:
        """By event of a later step, the events of which one must stand before it in the session."""
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
    """What a table by property holds for an event's: its own entry, or else everybody's."""
    return table.get(f"{event}/{name}") or table.get(name)


def recalled_property(recalled: str, key: str) -> tuple[str, str]:
    """Event and property that a constraint `recalls`.

    Args:
        recalled: `create_order`, or `create_order/id`.
        key: of the constraint.
    """
    event, _, name = recalled.partition("/")
    return event, name or key.rpartition("/")[2]


def named_events(rules: Rules) -> Iterator[tuple[str, str]]:
    """Every event that rules name, with the place where they do."""
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
