"""What can be found in the logs of a run: figures about people, order, values and dirt."""

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
    """Numbers seen: how many, mean, standard deviation of all of them, smallest and largest."""

    n: int
    mean: float
    sd: float
    min: float
    max: float

    def with_others(self, other: Moments) -> Moments:
        """Both together."""
        n = self.n + other.n
        apart = other.mean - self.mean
        squares = self.n * self.sd**2 + other.n * other.sd**2 + apart**2 * self.n * other.n / n
        mean = self.mean + apart * other.n / n
        return Moments(n, mean, (squares / n) ** 0.5, min(self.min, other.min), max(self.max, other.max))


@dataclass(frozen=True, slots=True)
class Distribution:
    """Whole numbers seen.

    Attributes:
        counts: by the number, from 0, how often it was seen.
    """

    counts: Array = field(repr=False)

    @property
    def n(self) -> int:
        """How many numbers."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """NaN of none."""
        return float(self.counts @ np.arange(self.counts.size) / self.n) if self.n else float("nan")

    def quantile(self, share: float) -> float:
        """The smallest number that at least this share does not exceed; NaN of none."""
        if not self.n:
            return float("nan")
        return float(np.searchsorted(np.cumsum(self.counts), share * self.n, side="left"))


@dataclass(frozen=True, slots=True)
class Conversion:
    """How often one event was followed by another.

    Attributes:
        design_effect: how much larger the variance of the rate is than that of independent attempts, because a
            user's are alike; at least 1.
    """

    attempts: int
    converted: int
    design_effect: float = 1.0

    @property
    def rate(self) -> float:
        """NaN without attempts."""
        return self.converted / self.attempts if self.attempts else float("nan")


@dataclass(frozen=True, slots=True)
class Funnel:
    """How far attempts at a sequence came.

    An attempt begins with each event of the first step and ends with the next one, or with the session; where such
    events come again in later steps, a session is one attempt.

    Attributes:
        steps: names of the events of each step, a repeated step as often as it may happen.
        step_numbers: for each of `steps`, its number among the rule's steps, from 0.
        tried: attempts that stood at an event which the step follows, in this order; of the first step, all.
        reached: attempts that came that far, in this order.
    """

    name: str
    kind: str
    steps: tuple[str, ...]
    step_numbers: tuple[int, ...]
    tried: tuple[int, ...]
    reached: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Violations:
    """How many events a rule was looked at for, and how many broke it."""

    checked: int
    broken: int


@dataclass(frozen=True, slots=True)
class DirtFound:
    """What went wrong on the way; of event records unless said otherwise.

    Attributes:
        events: different event records, those that nobody can read among them: what shares are shares of.
        with_properties: those of them that can have a null: of kinds with properties.
        late: in the file of a later day than their own.
        too_late: over three days late, in any type of record; not measured otherwise.
        duplicates: copies of a record with the same `#uuid`.
        out_of_order: earlier than one that stands before them in their file, but neither late nor copies.
        visible_order: share of records that would be seen out of order if they stood up to an hour later, evenly.
        nulls, drifted, undeclared_properties: records with a null, a value of another type than declared, a property
            that the taxonomy does not have.
        off_schema: records with at least one of the latter two.
        unknown_events: of kinds that the taxonomy does not have.
        unreadable: lines that are no record.
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
        """Share of event records that say nothing any more of what happened."""
        return (self.unreadable + self.unknown_events) / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What the files of a run hold.

    Attributes:
        configuration: the run's.
        records_by_type, records_by_event: as they stand in the files, copies included.
        size_bytes: of all files.
        users: people with an event.
        users_by_country, users_by_os: by what their first event says.
        sign_ups: by day.
        active_users, active_before: by day, people with an event; those of them who were there before the run.
        first_seen_before: by day, those who were there before the run and have their first event in it.
        retained: by day n since the sign-up, those who could be and those who were active on exactly that day.
        seen_again: likewise by days since anybody's first event in the run, be it that of a sign-up or not.
        session_s, session_events, sessions_by_user: length in whole seconds, events, and sessions per user.
        sessions_before, events_before: of those who were there before the run: sessions, and events by name.
        events_by_hour: of people, by hour UTC.
        funnels: one for each sequence of the rules.
        conversions: by from, to and variant, of planted ones; the variant is empty outside experiments.
        variants: users by variant, such as `button:A`.
        together: day by day, how many of those who were there before were active on both; None unless a seasonality
            is planted.
        numbers: by `event/property`, dotted where nested; `user/property` of what user records set; copies included.
        choices: by `event/property`, how often each value was seen, where the rules list values, or true and false.
        order: by event, events without one of the step before in their session.
        prerequisites: by event, events before what they need, of people who signed up within the run.
        once: by event, second times of events that happen once.
        totals: by `event/property`, totals that are not what users gathered; records that dirt takes away or moves
            make them so, too.
        address_of, standstills: as in `Accounts`; of people.
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
        """Records that could be read."""
        return sum(self.records_by_type.values())

    @property
    def active_user_days(self) -> int:
        """Days on which people were active, summed over people."""
        return sum(self.active_users)
