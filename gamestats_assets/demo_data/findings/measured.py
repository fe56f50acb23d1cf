"""Measurements of a run's logs: figures about users, order, values and dirt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data.rules.configuration import Configuration

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Moments:
    """Statistics of numbers: count, mean, standard deviation of the population, smallest and largest."""

    n: int
    mean: float
    sd: float
    min: float
    max: float

    def with_others(self, other: Moments) -> Moments:
        """Returns the statistics of both together."""
        n = self.n + other.n
        apart = other.mean - self.mean
        squares = self.n * self.sd**2 + other.n * other.sd**2 + apart**2 * self.n * other.n / n
        mean = self.mean + apart * other.n / n
        return Moments(n, mean, (squares / n) ** 0.5, min(self.min, other.min), max(self.max, other.max))


@dataclass(frozen=True, slots=True)
class Distribution:
    """Distribution of whole numbers.

    Attributes:
        counts: by number, from 0, how often it occurred.
    """

    counts: Array = field(repr=False)

    @property
    def n(self) -> int:
        """Count of numbers."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean; NaN of no numbers."""
        return float(self.counts @ np.arange(self.counts.size) / self.n) if self.n else float("nan")

    def quantile(self, share: float) -> float:
        """Returns the smallest number that at least this share does not exceed; NaN of no numbers."""
        if not self.n:
            return float("nan")
        return float(np.searchsorted(np.cumsum(self.counts), share * self.n, side="left"))


@dataclass(frozen=True, slots=True)
class Conversion:
    """How often one event was followed by another.

    Attributes:
        design_effect: factor on the variance of the rate against independent attempts, because attempts of one user are
            alike; at least 1.
    """

    attempts: int
    converted: int
    design_effect: float = 1.0

    @property
    def rate(self) -> float:
        """Share of attempts that converted; NaN without attempts."""
        return self.converted / self.attempts if self.attempts else float("nan")


@dataclass(frozen=True, slots=True)
class Funnel:
    """How far attempts at a sequence came.

    An attempt begins with each event of the first step and ends with the next such event, or with the session. If these
    events come again in later steps, a session is one attempt.

    Attributes:
        steps: event names of each step; a repeated step appears as often as it may happen.
        step_numbers: for each of `steps`, its number among the rule's steps, from 0.
        tried: for each of `steps`, the attempts at an event that it follows; for the first step, all.
        reached: for each of `steps`, the attempts that came that far.
    """

    name: str
    kind: str
    steps: tuple[str, ...]
    step_numbers: tuple[int, ...]
    tried: tuple[int, ...]
    reached: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Violations:
    """How many events were checked against a rule, and how many broke it."""

    checked: int
    broken: int


@dataclass(frozen=True, slots=True)
class DirtFound:
    """Dirt in the records; of event records unless stated otherwise.

    Attributes:
        events: different event records, including unreadable ones: the base of the shares.
        with_properties: event records that can have a null, because their kind has properties.
        late: in the file of a later day than their own.
        too_late: more than three days late, in any type of record; not measured otherwise.
        duplicates: copies of a record with the same `#uuid`.
        out_of_order: earlier than a record before them in their file, but neither late nor copies.
        visible_order: share of records that would be visibly out of order if moved back by up to an hour, evenly.
        nulls, drifted, undeclared_properties: records with a null, with a value of another type than declared, with a
            property that the taxonomy does not have.
        off_schema: records that drifted or have undeclared properties.
        unknown_events: records of events that the taxonomy does not have.
        unreadable: lines that are not records.
        outside: records of any type before the run's first day or after its last; not measured otherwise.
    """

    events: int
    with_properties: int
    late: int
    too_late: int
    duplicates: int
    out_of_order: int
    visible_order: float
    nulls: int
    drifted: int
    undeclared_properties: int
    off_schema: int
    unknown_events: int
    unreadable: int
    outside: int

    @property
    def lost_share(self) -> float:
        """Share of event records that no longer show what happened."""
        return (self.unreadable + self.unknown_events) / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of a run's files.

    Attributes:
        configuration: the run's configuration.
        records_by_type, records_by_event: counts in the files, copies included.
        size_bytes: size of all files.
        users: people with an event.
        users_by_country, users_by_os: by each user's first event.
        sign_ups: by day.
        active_users, active_before: by day, people with an event; those of them from before the run.
        first_seen_before: by day, people from before the run with their first event in it.
        retained: by day n since the sign-up, people who could be active and people who were, on exactly that day.
        seen_again: the same by days since anyone's first event in the run, sign-up or not.
        session_s, session_events, sessions_by_user: length in whole seconds, events, and sessions per user.
        sessions_before, events_before: of people from before the run: sessions, and events by name.
        events_by_hour: of people, by hour UTC.
        funnels: one for each sequence of the rules.
        conversions: planted ones by from, to and variant; the variant is empty outside experiments.
        variants: users by variant, such as `button:A`.
        together: by pair of days, people from before the run who were active on both; None unless a seasonality is
            planted.
        numbers: by `event/property`, dotted if nested; `user/property` of user records that set it; copies included.
        choices: by `event/property`, counts of each value that rules list, or of true and false.
        order: by event, events without one of the previous step before them in their session.
        prerequisites: by event, events before their prerequisites, of people who signed up within the run.
        once: by event, repetitions of events that happen once.
        totals: by `event/property`, totals that differ from what users gathered, whether wrong or made so by dirt that
            removes or moves records.
        address_of, standstills: as in `Accounts`, of people.
    """

    configuration: Configuration
    records_by_type: Mapping[str, int]
    records_by_event: Mapping[str, int]
    size_bytes: int
    users: int
    users_by_country: Mapping[str, int]
    users_by_os: Mapping[str, int]
    sign_ups: Sequence[int]
    active_users: Sequence[int]
    active_before: Sequence[int]
    first_seen_before: Sequence[int]
    retained: Sequence[tuple[int, int]]
    seen_again: Sequence[tuple[int, int]]
    session_s: Distribution
    session_events: Distribution
    sessions_by_user: Distribution
    sessions_before: int
    events_before: Mapping[str, int]
    events_by_hour: Sequence[int]
    funnels: Sequence[Funnel]
    conversions: Mapping[tuple[str, str, str], Conversion]
    variants: Mapping[str, int]
    together: Array | None = field(repr=False)
    numbers: Mapping[str, Moments]
    choices: Mapping[str, Mapping[str, int]]
    order: Mapping[str, Violations]
    prerequisites: Mapping[str, Violations]
    once: Mapping[str, Violations]
    totals: Mapping[str, Violations]
    address_of: Mapping[str, str] = field(repr=False)
    standstills: Mapping[int, tuple[frozenset[str], frozenset[str]]] = field(repr=False)
    dirt: DirtFound

    @property
    def records(self) -> int:
        """Number of readable records."""
        return sum(self.records_by_type.values())

    @property
    def active_user_days(self) -> int:
        """Days on which people were active, summed over people."""
        return sum(self.active_users)
