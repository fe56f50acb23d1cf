"""What people did, told by their events: days, sessions, order, funnels and conversions.

Words used here are those of `measure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data.configuration import (
    Configuration,
    ConversionTruth,
    ExperimentTruth,
    SeasonalityTruth,
)
from gamestats_assets.demo_data.findings.log_reading import DAY_MS, EPOCH, LATE, OUT_OF_ORDER, LogReading
from gamestats_assets.demo_data.findings.measured import Conversion, Funnel
from gamestats_assets.demo_data.rules.model import EventSequence, Rules
from gamestats_assets.demo_data.taxonomies.model import Taxonomy

Array = npt.NDArray[Any]

BREAK_MS = 30 * 60_000
"""A break of this length, or a longer one, ends a session."""


class Lives:
    """Sums up the lives of people, some people at a time.

    Args:
        people: how many there are in all.
    """

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration, people: int) -> None:
        events = {name: number for number, name in enumerate(taxonomy.event_names())}
        constraints = rules.event_constraints
        days = configuration.days
        self._start = configuration.start.toordinal() - EPOCH
        self._days = days
        self._events = events
        self._once = _lookup(events, constraints.once)
        self._followers = {
            name: _lookup(events, sorted(before)) for name, before in rules.followers().items() if name in events
        }
        self._prerequisites = {name: before for name, before in constraints.prerequisites.items() if name in events}
        self.paths = [_Path(sequence, events) for sequence in constraints.sequences]
        pairs = {
            (truth.from_event, truth.to_event)
            for truth in configuration.truths
            if isinstance(truth, ConversionTruth | ExperimentTruth)
        }
        self._pairs = [_Pair(*pair, events, people) for pair in sorted(pairs)]
        self._experiments = [truth for truth in configuration.truths if isinstance(truth, ExperimentTruth)]
        is_seasonal = any(isinstance(truth, SeasonalityTruth) for truth in configuration.truths)
        self.together = np.zeros((days, days)) if is_seasonal else None
        self.users = 0
        self.sign_ups = np.zeros(days, np.int64)
        self.active = np.zeros(days, np.int64)
        self.active_before = np.zeros(days, np.int64)
        self.first_seen_before = np.zeros(days, np.int64)
        self._returned = np.zeros(days, np.int64)
        self._seen_again = np.zeros(days, np.int64)
        self.session_s = np.zeros(1, np.int64)
        self.session_events = np.zeros(1, np.int64)
        self.sessions_by_user = np.zeros(1, np.int64)
        self.sessions_before = 0
        self.events_before = np.zeros(len(events) + 1, np.int64)
        self.hours = np.zeros(24, np.int64)
        self.order: dict[str, list[int]] = {name: [0, 0] for name in self._followers}
        self.needs: dict[str, list[int]] = {name: [0, 0] for name in self._prerequisites}
        self.again: dict[str, list[int]] = {name: [0, 0] for name in constraints.once if name in events}
        self.late = self.duplicates = self.out_of_order = 0

    def take(self, rows: Array) -> None:
        """Take up all records of some users, in the order in which they stand in the files."""
        rows = self._different(rows)
        rows = rows[np.lexsort((rows["at_ms"], rows["user"]))]
        user, at_ms, event = rows["user"], rows["at_ms"], rows["event"]
        if not user.size:
            return
        born = np.append(True, user[1:] != user[:-1])
        signed_up = self._note_days(at_ms // DAY_MS - self._start, event, born)
        self.hours += np.bincount(at_ms // 3_600_000 % 24, minlength=24)
        begins = born.copy()
        begins[1:] |= np.diff(at_ms) >= BREAK_MS
        self._note_sessions(at_ms, event, born, begins, signed_up)
        session = np.cumsum(begins) - 1
        start = _starts(begins)
        for path in self.paths:
            path.follow(event, session, start)
        for pair in self._pairs:
            pair.follow(user, event, session)
        self._note_order(event, start, _starts(born), signed_up)

    def _different(self, rows: Array) -> Array:
        """People's events, each once."""
        _, first = np.unique(rows["uuid"], return_index=True)
        is_copy = rows["uuid"] != 0
        is_copy[first] = False
        is_event = rows["event"] >= 0
        self.duplicates += int((is_copy & is_event).sum())
        self.late += int(((rows["flags"] & LATE > 0) & ~is_copy & is_event).sum())
        self.out_of_order += int(((rows["flags"] & OUT_OF_ORDER > 0) & ~is_copy).sum())
        return rows[~is_copy & is_event & (rows["user"] >= 0)]

    def _note_days(self, day: Array, event: Array, born: Array) -> Array:
        """Note who was there when; gives by row whether its user signed up."""
        life = np.cumsum(born) - 1
        first_day = day[born]
        # Only who is new does what happens once in a life: who was there before has done it.
        signed_up = np.zeros(first_day.size, bool)
        signed_up[life[self._once[event] & (day == first_day[life])]] = True
        there = np.flatnonzero(born | np.append(True, day[1:] != day[:-1]))
        who, when = life[there], day[there]
        is_new = signed_up[who]
        since = when - first_day[who]
        self.users += first_day.size
        for noted, days in (
            (self.sign_ups, first_day[signed_up]),
            (self.first_seen_before, first_day[~signed_up]),
            (self.active, when),
            (self.active_before, when[~is_new]),
            (self._returned, since[is_new]),
            (self._seen_again, since),
        ):
            noted += np.bincount(days, minlength=self._days)
        if self.together is not None:
            for some in np.array_split(np.flatnonzero(~signed_up), first_day.size // 20_000 + 1):
                was_there = np.zeros((first_day.size, self._days), np.float32)
                was_there[who, when] = 1
                self.together += was_there[some].T @ was_there[some]
        return signed_up[life]

    def _note_sessions(self, at_ms: Array, event: Array, born: Array, begins: Array, signed_up: Array) -> None:
        first = np.flatnonzero(begins)
        last = np.append(first[1:], at_ms.size) - 1
        by_user = np.bincount((np.cumsum(born) - 1)[first])
        self.session_s = _added(self.session_s, np.bincount((at_ms[last] - at_ms[first]) // 1000))
        self.session_events = _added(self.session_events, np.bincount(last - first + 1))
        self.sessions_by_user = _added(self.sessions_by_user, np.bincount(by_user))
        self.sessions_before += int(np.count_nonzero(~signed_up[first]))
        self.events_before += np.bincount(event[~signed_up], minlength=self.events_before.size)

    def _note_order(self, event: Array, session: Array, life: Array, signed_up: Array) -> None:
        """Note what stands before what; `session` and `life` are the rows at which those of each row begin."""

        def had(name: str, rows: Array) -> Array:
            return _before(event == self._events.get(name, -2), life)[rows]

        for name, before in self._followers.items():
            rows = np.flatnonzero(event == self._events[name])
            _count(self.order[name], ~_before(before[event], session)[rows])
        for name, needed in self._prerequisites.items():
            rows = np.flatnonzero((event == self._events[name]) & signed_up)
            _count(self.needs[name], ~np.logical_and.reduce([had(before, rows) for before in needed]))
        for name, counts in self.again.items():
            _count(counts, had(name, np.flatnonzero(event == self._events[name])))

    # ----------------------------------------------------------------- the end

    def retained(self) -> list[tuple[int, int]]:
        """By days since the sign-up: who could be active, and who was."""
        return _by_days_since(self.sign_ups, self._returned)

    def seen_again(self) -> list[tuple[int, int]]:
        """By days since the first event in the run: who could be active, and who was."""
        return _by_days_since(self.sign_ups + self.first_seen_before, self._seen_again)

    def conversions(self, log: LogReading) -> dict[tuple[str, str, str], Conversion]:
        """Of every planted pair: of all people, and of each variant."""
        variant = log.variant_of()
        found: dict[tuple[str, str, str], Conversion] = {}
        for pair in self._pairs:
            found[*pair.names, ""] = pair.conversion(np.arange(variant.size))
            for truth in self._experiments:
                if (truth.from_event, truth.to_event) == pair.names:
                    for name in (f"{truth.name}:A", f"{truth.name}:B"):
                        place = log.variants.index(name) if name in log.variants else -1
                        found[*pair.names, name] = pair.conversion(np.flatnonzero(variant == place))
        return found


def _before(marked: Array, start: Array) -> Array:
    """For each row, whether a marked one stands before it in its group, which begins at `start`."""
    earlier = np.cumsum(marked) - marked
    return earlier > earlier[start]


def _starts(new: Array) -> Array:
    """For each row, the row at which its group begins."""
    return np.maximum.accumulate(np.where(new, np.arange(new.size), 0))


class _Path:
    """Attempts at one sequence."""

    def __init__(self, sequence: EventSequence, events: Mapping[str, int]) -> None:
        each = [
            (number, step if again == 0 else step.model_copy(update={"follows": []}))
            for number, step in enumerate(sequence.steps)
            for again in range(step.repeats)
        ]
        self._sequence = sequence
        self._numbers = tuple(number for number, _ in each)
        self._of_step = [_lookup(events, step.events) for _, step in each]
        self._follows = [_lookup(events, step.follows or list(events)) for _, step in each]
        heads = set(sequence.steps[0].events)
        self._once_a_session = any(heads & set(step.events) for _, step in each[1:])
        self._tried = np.zeros(len(each), np.int64)
        self._reached = np.zeros(len(each), np.int64)

    def follow(self, event: Array, session: Array, start: Array) -> None:
        """Take up sessions: rows by session and in the order of time."""
        head = self._of_step[0][event]
        if self._once_a_session:
            head &= ~_before(head, start)
        place = np.flatnonzero(head)
        self._tried[0] += place.size
        self._reached[0] += place.size
        attempt = np.cumsum(head) - 1
        within = (attempt >= 0) & (session == session[place[np.maximum(attempt, 0)]]) if place.size else head
        for number, (of_step, follows) in enumerate(zip(self._of_step[1:], self._follows[1:], strict=True), 1):
            at = np.flatnonzero(place < event.size)
            place[at[~follows[event[place[at]]]]] = event.size
            self._tried[number] += np.count_nonzero(place < event.size)
            rows = np.flatnonzero(of_step[event] & within)
            rows = rows[rows > place[attempt[rows]]]
            reached, first = np.unique(attempt[rows], return_index=True)
            if not reached.size:
                return
            self._reached[number] += reached.size
            place = np.full(place.size, event.size)
            place[reached] = rows[first]

    def funnel(self) -> Funnel:
        """How far they came."""
        steps = self._sequence.steps
        names = tuple(" / ".join(steps[number].events) for number in self._numbers)
        tried, reached = tuple(self._tried.tolist()), tuple(self._reached.tolist())
        return Funnel(self._sequence.name, self._sequence.kind, names, self._numbers, tried, reached)


class _Pair:
    """Attempts and conversions by user, of one event that leads to another."""

    def __init__(self, from_event: str, to_event: str, events: Mapping[str, int], people: int) -> None:
        self.names = from_event, to_event
        self._codes = events.get(from_event, -2), events.get(to_event, -2)
        self.attempts, self.converted = np.zeros(people, np.int32), np.zeros(people, np.int32)

    def follow(self, user: Array, event: Array, session: Array) -> None:
        """Take up sessions: rows by session and in the order of time."""
        begins = event == self._codes[0]
        place = np.flatnonzero(begins)
        rows = np.flatnonzero(event == self._codes[1])
        attempt = (np.cumsum(begins) - 1)[rows]
        rows, attempt = rows[attempt >= 0], attempt[attempt >= 0]
        done = np.unique(attempt[session[rows] == session[place[attempt]]])
        np.add.at(self.attempts, user[place], 1)
        np.add.at(self.converted, user[place[done]], 1)

    def conversion(self, chosen: Array) -> Conversion:
        """Of some users."""
        attempts, converted = self.attempts[chosen], self.converted[chosen]
        attempts, converted = attempts[attempts > 0].astype(float), converted[attempts > 0].astype(float)
        n, k = attempts.sum(), converted.sum()
        effect = 1.0
        if 0 < k < n and attempts.size > 1:
            rate = k / n
            variance = ((converted - rate * attempts) ** 2).sum() * attempts.size / (attempts.size - 1) / n**2
            effect = max(1.0, float(variance / (rate * (1 - rate) / n)))
        return Conversion(int(n), int(k), effect)


def _lookup(events: Mapping[str, int], names: Sequence[str]) -> Array:
    """By number of an event, whether it is one of these."""
    found = np.zeros(len(events) + 1, bool)
    found[[events[name] for name in names if name in events]] = True
    return found


def _by_days_since(begun: Array, active: Array) -> list[tuple[int, int]]:
    """By days since they began, by day: who could be active, and who was."""
    return list(zip(np.cumsum(begun)[::-1].tolist(), active.tolist(), strict=True))


def _added(one: Array, other: Array) -> Array:
    """Counts of both together."""
    size = max(one.size, other.size)
    return np.pad(one, (0, size - one.size)) + np.pad(other, (0, size - other.size))


def _count(counts: list[int], broken: Array) -> None:
    counts[0] += broken.size
    counts[1] += int(broken.sum())
