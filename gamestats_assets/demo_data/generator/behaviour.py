"""What users do: on which days they are there, in which sessions, and which events follow each other.

Everything is looked up by user and by the user's own count of sessions, so that a user's history is the same
whoever else is simulated. Users whose every door is open are simulated all at once; the others session by
session, because what they may do depends on what they have done.

A session keeps this order: its fixed opening, the onboarding (of the first session), the typical sequence of
the segment, free choices by weight, its fixed end. What a free choice opens is open from the next session on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gamestats_assets.demo_data.generator.blueprint import LEAST_CHOICES, Array, Blueprint
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.users import Users
from gamestats_assets.demo_data.rules.model import LifecycleStage

_MOST_SESSIONS = 10
"""Sessions of a user on one day."""
_MOST_CHOICES = 120
"""Free choices in one session."""
_SAME_HABIT = 0.45
"""Share of the variance of a day's activity that is the user's own, the same every day."""
_DAYS_TO_STAGE = {LifecycleStage.ACTIVE: 2, LifecycleStage.ADVANCED: 7}
"""Days since the sign-up after which users who finished the onboarding are that far."""
_OPENING, _ONBOARDING, _SEQUENCE, _ALWAYS, _FREE, _END = 0, 1000, 2000, 2500, 3000, 9000
"""Where in a session the parts stand: added to the number of the slot within its part."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions of some users, by user and then in time.

    Attributes:
        user: position among the users.
        number: of the user's session within the run, from 0.
        day: of the run, from 0.
        place: of the session on its day, from 0.
    """

    user: Array
    number: Array
    day: Array
    place: Array


@dataclass(frozen=True, slots=True)
class Happenings:
    """Events of some users, by user and then in time: rows without their properties.

    Attributes:
        user: position among the users.
        event: number of the event.
        session: position among the sessions.
        order: slot within the session.
        step: of the flow that it belongs to; 0 begins one.
        flow: number of the flow, -1 for fixed events.
        has_account: whether the user was registered by then.
    """

    user: Array
    event: Array
    session: Array
    order: Array
    step: Array
    flow: Array
    has_account: Array

    def __len__(self) -> int:
        return self.user.size

    def take(self, rows: Array) -> Happenings:
        """Some of the rows."""
        return Happenings(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class History:
    """What some users do, and when: all that their records are made of.

    Attributes:
        happened: the events, by user and then in time.
        at_ms: when, in ms since 1970.
        ordinal: the user's own count of them.
    """

    plan: Blueprint
    streams: Streams
    users: Users
    sessions: Sessions
    happened: Happenings
    at_ms: Array
    ordinal: Array


_NONE = np.zeros(0, np.int64)
NOTHING = Happenings(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, np.zeros(0, bool))
"""Nothing happened."""


def _together(parts: list[Happenings]) -> Happenings:
    return Happenings(*(np.concatenate([getattr(part, name) for part in parts]) for name in Happenings.__slots__))


# --------------------------------------------------------------------------- days and sessions


def active_days(plan: Blueprint, streams: Streams, users: Users) -> Array:
    """Whether each user is there on each day of the run: users by days.

    A user's days are correlated, because people have habits, and each day by itself has exactly the probability
    that segment, weekday and time since the sign-up give it.
    """
    from scipy.special import ndtr

    days = np.arange(plan.configuration.days)
    age = days[None, :] - users.signed_up_day[:, None]
    weekday = (plan.configuration.start.weekday() + days) % 7
    probability = np.zeros(age.shape)
    for segment, activity in enumerate(plan.activities):
        of_segment = users.segment == segment
        since = days[None, :] - np.maximum(users.signed_up_day[of_segment], 0)[:, None]
        decay = (1 - activity.decay_per_day) ** np.clip(since, 0, None)
        weights = np.array(activity.weekday_weights if plan.seasonality is None else plan.seasonality.weekday)
        # A planted season keeps its ratios: its strongest day must not be cut off at certainty.
        scale = weights / (weights.mean() if plan.seasonality is None else weights.max())
        probability[of_segment] = activity.daily_probability * decay * scale[weekday]
    gone = _away(plan, streams, users)
    new = users.signed_up_day >= 0
    if plan.retention is not None:
        curve = np.array([plan.retention.share(day) for day in days.tolist()])
        probability[new] = curve[np.clip(age[new], 0, None)]
        gone[new] = False
    habit = streams.normal("habit", users.number)[:, None]
    mood = streams.normal("mood", users.number[:, None], days[None, :] + plan.first_day)
    inclination = np.sqrt(_SAME_HABIT) * habit + np.sqrt(1 - _SAME_HABIT) * mood
    active = ndtr(inclination) < probability
    active &= ~gone & (age >= 0)
    return active | (age == 0) | (days[None, :] == users.back_on[:, None])


def _away(plan: Blueprint, streams: Streams, users: Users) -> Array:
    """Whether each user has left on each day: they leave for good, or come back after a while."""
    days = plan.configuration.days
    leave = np.array([activity.churn_per_day for activity in plan.activities])[users.segment]
    back = np.array([activity.return_per_day for activity in plan.activities])[users.segment]
    left = np.where(leave > 0, streams.geometric("leaves", users.number, 0, 1 / np.maximum(leave, 1e-9)), 10**6)
    left = np.maximum(left + 1, users.signed_up_day + 1)
    left = np.where(users.away_from < days, users.away_from, left)
    stay = np.where(back > 0, streams.geometric("returns", users.number, 0, 1 / np.maximum(back, 1e-9)), 10**6)
    until = np.where(users.back_on < 10**6, users.back_on, left + 1 + stay)
    each = np.arange(days)[None, :]
    return (each >= left[:, None]) & (each < until[:, None])


def sessions_of(plan: Blueprint, streams: Streams, users: Users, active: Array) -> Sessions:
    """The sessions of every active day: at least one, more for those who are keen."""
    user, day = np.nonzero(active)
    mean = np.array([activity.sessions_per_day for activity in plan.activities])[users.segment] - 1
    count = 1 + streams.geometric("sessions", users.number[user], day + plan.first_day, (mean * users.keenness)[user])
    count = np.minimum(count, _MOST_SESSIONS)
    rows = np.repeat(np.arange(user.size), count)
    place = np.arange(rows.size) - np.repeat(np.cumsum(count) - count, count)
    of_user = user[rows]
    first = np.searchsorted(of_user, np.arange(len(users)))
    return Sessions(of_user, np.arange(rows.size) - first[of_user], day[rows], place)


# --------------------------------------------------------------------------- what happens in a session


class _Life:
    """How far some users are: a mask of what happened, and a stage."""

    def __init__(self, plan: Blueprint, users: Users) -> None:
        self._plan = plan
        before = users.signed_up_day < 0
        full = np.uint64(2**64 - 1)
        self.mask = np.where(before[:, None], full, np.uint64(0)).repeat(plan.words, axis=1)
        known = LifecycleStage.ONBOARDING_COMPLETED if plan.has_onboarding else LifecycleStage.REGISTERED
        if not plan.has_registration and not plan.has_onboarding:
            known = LifecycleStage.FIRST_SESSION
        self.finished = known.rank
        self.stage = np.where(before, known.rank, LifecycleStage.INSTALLED.rank)
        self.account = before | (not plan.has_registration)
        self.done_on = np.full((len(users), int(plan.daily.sum())), -1)

    def stages(self, users: Users, user: Array, day: Array) -> Array:
        """Stage of users on days: what they have done, and the time since, for those who are through the onboarding."""
        return timed_stage(self.stage[user], day - users.signed_up_day[user], self.finished)

    def take_day(self, user: Array, event: Array, day: Array) -> None:
        """Enter on which days those happened that happen once a day."""
        rows = np.flatnonzero(self._plan.daily[event])
        self.done_on[user[rows], self.daily_place(event[rows])] = day[rows]

    def daily_place(self, event: Array) -> Array:
        """Column of `done_on` that an event has."""
        return np.cumsum(self._plan.daily)[event] - 1

    def take(self, user: Array, event: Array) -> None:
        """Enter what happened."""
        plan = self._plan
        bit = plan.bit_of[event]
        told = bit >= 0
        np.bitwise_or.at(self.mask, (user[told], bit[told] // 64), np.uint64(1) << (bit[told] % 64).astype(np.uint64))
        np.maximum.at(self.stage, user, plan.stage_of[event])
        registers = plan.stage_of[event] >= LifecycleStage.REGISTERED.rank
        self.account[user[registers]] = True


def first_stages(plan: Blueprint, users: Users) -> list[str]:
    """The stage in which each user begins: signed up before the run, or about to install."""
    life = _Life(plan, users)
    everybody = np.arange(len(users))
    names = [stage.value for stage in LifecycleStage]
    return [names[rank] for rank in life.stages(users, everybody, np.zeros(len(users), np.int64))]


def timed_stage(stage: Array, age_days: Array, finished: int) -> Array:
    """The stage of those who are through the onboarding rises with the days since the sign-up."""
    risen = stage.copy()
    for later, after in _DAYS_TO_STAGE.items():
        risen = np.where((stage >= finished) & (age_days >= after), np.maximum(risen, later.rank), risen)
    return risen


def happenings(plan: Blueprint, streams: Streams, users: Users, sessions: Sessions) -> Happenings:
    """Every event of the sessions, by user and then in order."""
    life = _Life(plan, users)
    through = users.signed_up_day < 0
    parts: list[Happenings] = []
    if (bulk := np.flatnonzero(through[sessions.user])).size:
        parts += _session_parts(plan, streams, users, sessions, bulk, life, opened=True)
    waiting = np.flatnonzero(~through[sessions.user])
    # Session after session of those who are not through: all first ones, all second ones, ...
    numbers = sessions.number[waiting]
    by_number = waiting[np.argsort(numbers, kind="stable")]
    bounds = np.searchsorted(np.sort(numbers), np.arange(numbers.max(initial=-1) + 2))
    for start, stop in pairwise(bounds):
        chosen = by_number[start:stop]
        stuck = chosen[life.stage[sessions.user[chosen]] < life.finished] if start and plan.retention is None else []
        of_sessions = _session_parts(plan, streams, users, sessions, chosen, life, opened=False)
        parts += [_with_something_to_do(plan, of_sessions, np.asarray(stuck, np.int64))] if of_sessions else []
    found = _together(parts) if parts else NOTHING
    found = found.take(np.lexsort((found.step, found.order, found.session)))
    return found.take(_before_the_end(plan, found)) if plan.final.any() else found


def _with_something_to_do(plan: Blueprint, parts: list[Happenings], stuck: Array) -> Happenings:
    """Sessions without those in which users who left the onboarding could only come and go: these do not come back."""
    found = _together(parts)
    idle = np.setdiff1d(stuck, found.session[(found.flow >= 0) | plan.once[found.event]])
    return found.take(np.flatnonzero(~np.isin(found.session, idle)))


def _before_the_end(plan: Blueprint, found: Happenings) -> Array:
    """Whether each row is none that follows the end of its user's life."""
    ends = np.full(int(found.user.max(initial=0)) + 1, len(found))
    rows = np.flatnonzero(plan.final[found.event])
    np.minimum.at(ends, found.user[rows], rows)
    return np.arange(len(found)) <= ends[found.user]


def _session_parts(
    plan: Blueprint,
    streams: Streams,
    users: Users,
    sessions: Sessions,
    chosen: Array,
    life: _Life,
    *,
    opened: bool,
) -> list[Happenings]:
    """Everything of some sessions, no two of one user unless these have opened every door."""
    scene = _Scene(plan, streams, users, sessions, life, opened)
    parts: list[Happenings] = []
    for place, fixed in enumerate(plan.start):
        if not (opened and fixed.once):
            parts.append(scene.fixed(chosen, fixed.event, fixed.probability, _OPENING + place))
    if not opened:
        first = chosen[sessions.number[chosen] == 0]
        for place, flow in enumerate(plan.onboarding):
            parts.append(scene.flows(first, np.full(first.size, flow), np.full(first.size, _ONBOARDING + place)))
    later = [*scene.sequence(chosen), scene.free(chosen)]
    if not opened or plan.daily.any():
        later = [scene.without_repeats(_together(later))]
    for part in later:
        scene.enter(part)
    parts += later
    for place, fixed in enumerate(plan.end):
        parts.append(scene.fixed(chosen, fixed.event, fixed.probability, _END + place))
    return [part for part in parts if len(part)]


class _Scene:
    """Makes the events of sessions, knowing how far each user is."""

    def __init__(
        self, plan: Blueprint, streams: Streams, users: Users, sessions: Sessions, life: _Life, opened: bool
    ) -> None:
        self.plan, self.streams, self.users, self.sessions = plan, streams, users, sessions
        self.life, self.opened = life, opened

    def _draw(self, stream: str, rows: Array, slot: Array | int) -> Array:
        user = self.sessions.user[rows]
        return self.streams.uniform(stream, self.users.number[user], self.sessions.number[rows] * 10_000 + slot)

    def _stage(self, rows: Array) -> Array:
        return self.life.stages(self.users, self.sessions.user[rows], self.sessions.day[rows])

    def enter(self, found: Happenings) -> None:
        """Let what happened open doors."""
        if not self.opened:
            self.life.take(found.user, found.event)
            self.life.take_day(found.user, found.event, self.sessions.day[found.session])

    def fixed(self, rows: Array, event: int, probability: Array, order: int) -> Happenings:
        """An event at a fixed place, where it may happen."""
        plan = self.plan
        user = self.sessions.user[rows]
        happens = np.ones(rows.size, bool)
        if plan.daily[event]:
            happens = self.sessions.place[rows] == 0
        if not self.opened:
            name = plan.event_names[event]
            happens &= self._draw("opening", rows, order) < probability[self.users.segment[user]]
            bit = plan.bit_of[event]
            if plan.once[event]:
                happens &= (self.life.mask[user, bit // 64] >> np.uint64(bit % 64)) & np.uint64(1) == 0
            for before in plan.rules.event_constraints.prerequisites.get(name, ()):
                of = plan.bit_of[plan.event_index[before]]
                happens &= (self.life.mask[user, of // 64] >> np.uint64(of % 64)) & np.uint64(1) == 1
        stage = plan.rules.event_constraints.lifecycle.get(plan.event_names[event])
        if stage is not None:
            happens &= self._stage(rows) >= stage.rank
        rows, user = rows[happens], user[happens]
        size = rows.size
        events = np.full(size, event)
        if not self.opened:
            self.life.take(user, events)
        return Happenings(
            user,
            events,
            rows,
            np.full(size, order),
            np.zeros(size, np.int64),
            np.full(size, -1),
            self.life.account[user],
        )

    def sequence(self, rows: Array) -> list[Happenings]:
        """The typical sequence of each user's segment, as far as it is not left out, and what some always do."""
        plan = self.plan
        segment = self.users.segment[self.sessions.user[rows]]
        parts: list[Happenings] = []
        for number, slots in enumerate(plan.sequences):
            own = rows[segment == number]
            for place, (flows, probability) in enumerate(slots):
                order = _SEQUENCE + place
                taken = own[self._draw("sequence", own, order) < probability] if own.size else own
                if not taken.size:
                    continue
                which = (self._draw("which", taken, order) * len(flows)).astype(np.int64)
                parts.append(self.flows(taken, np.array(flows)[which], np.full(taken.size, order)))
        for truth, flow in plan.always.items():
            own = rows[self.users.truth[self.sessions.user[rows]] == truth]
            parts.append(self.flows(own, np.full(own.size, flow), np.full(own.size, _ALWAYS + truth)))
        return parts or [NOTHING]

    def free(self, rows: Array) -> Happenings:
        """What users choose freely, by the weights of their segment, among what is open to them."""
        plan, users = self.plan, self.users
        if not rows.size:
            return NOTHING
        user = self.sessions.user[rows]
        mean = np.array([activity.events_per_session for activity in plan.activities])[users.segment[user]]
        given = np.array([sum(p for _, p in slots) for slots in plan.sequences])[users.segment[user]]
        mean = np.maximum(mean - given, LEAST_CHOICES) * users.keenness[user]
        numbers = users.number[user]
        count = self.streams.geometric("choices", numbers, self.sessions.number[rows], mean)
        count = np.minimum(count, _MOST_CHOICES)
        each = np.repeat(np.arange(rows.size), count)
        place = np.arange(each.size) - np.repeat(np.cumsum(count) - count, count)
        chosen = rows[each]
        order = _FREE + place
        flow = self._choose(chosen, self._draw("choice", chosen, order))
        able = flow >= 0
        return self.flows(chosen[able], flow[able], order[able])

    def _choose(self, rows: Array, drawn: Array) -> Array:
        """A flow for each row, -1 where nothing is open."""
        plan, life = self.plan, self.life
        user = self.sessions.user[rows]
        segment, stage = self.users.segment[user], self._stage(rows)
        state = np.column_stack([segment, stage, life.mask[user].view(np.int64)])
        distinct, which = _distinct(state)
        flow = np.empty(rows.size, np.int64)
        for number, (of_segment, of_stage, *words) in enumerate(distinct):
            mask = np.array(words, np.int64).view(np.uint64)
            totals = np.cumsum(plan.free_weights[of_segment] * self._open(int(of_stage), mask))
            own = which == number
            flow[own] = (
                np.minimum(np.searchsorted(totals, drawn[own] * totals[-1], side="right"), totals.size - 1)
                if totals[-1] > 0
                else -1
            )
        return flow

    def _open(self, stage: int, mask: Array) -> Array:
        """Whether each flow may begin in a stage, for those with a mask."""
        tables = self.plan.tables
        steps = np.arange(tables.events.shape[1])
        there = tables.events >= 0
        met = there & (tables.stages <= stage) & ((tables.needs & ~mask) == 0).all(axis=-1) & ~self._spent(mask)
        within = steps[None, :] < tables.together[:, None]
        return met[:, 0].any(axis=-1) & ((met | ~there).all(axis=-1) | ~within).all(axis=1)

    def _spent(self, mask: Array) -> Array:
        """Whether each alternative of the flows is an event that happens only once, and did."""
        plan = self.plan
        events = plan.tables.events
        bit = plan.bit_of[events]
        done = (mask[bit // 64] >> (bit % 64).astype(np.uint64)) & np.uint64(1) == 1
        return (events >= 0) & plan.once[events] & done

    def flows(self, rows: Array, flow: Array, order: Array) -> Happenings:
        """Begin a flow in each row and follow it as far as it goes."""
        plan, tables = self.plan, self.plan.tables
        parts: list[Happenings] = []
        begins = self._all_open(rows, flow)
        rows, flow, order = rows[begins], flow[begins], order[begins]
        user = self.sessions.user[rows]
        mask, stage = self.life.mask[user], self._stage(rows)
        event = np.zeros(rows.size, np.int64)
        step = 0
        while rows.size and step < tables.events.shape[1]:
            variant = self.users.variant[user]
            slot = order * 100 + step
            goes = self._draw("goes on", rows, slot) < tables.probability[variant, flow, step]
            events = tables.events[flow, step]
            goes &= (step == 0) | tables.follows[flow, step, event]
            open_ = self._alternatives(flow, step, mask, stage)
            totals = np.cumsum(tables.weights[flow, step] * open_, axis=1)
            goes &= totals[:, -1] > 0
            pick = (totals <= (self._draw("alternative", rows, slot) * totals[:, -1])[:, None]).sum(axis=1)
            event = np.take_along_axis(events, np.minimum(pick, events.shape[1] - 1)[:, None], axis=1)[:, 0]
            rows, user, flow, order = rows[goes], user[goes], flow[goes], order[goes]
            mask, stage, event = mask[goes], stage[goes], event[goes]
            if not self.opened and rows.size and any(f in plan.onboarding for f in np.unique(flow)):
                # Alone in the session so far, so that its own steps can open doors for the next ones.
                self.life.take(user, event)
                mask = self.life.mask[user]
            account = self.life.account[user]
            parts.append(Happenings(user, event, rows, order, np.full(rows.size, step), flow, account))
            step += 1
        return _together(parts) if parts else NOTHING

    def _alternatives(self, flow: Array, step: int, mask: Array, stage: Array) -> Array:
        """Which events of a step of each row's flow may happen: rows by alternatives."""
        plan, tables = self.plan, self.plan.tables
        events = tables.events[flow, step]
        able = (events >= 0) & (tables.stages[flow, step] <= stage[:, None])
        if not self.opened:
            able &= ((tables.needs[flow, step] & ~mask[:, None, :]) == 0).all(axis=-1)
        bit = plan.bit_of[events]
        done = (np.take_along_axis(mask, bit // 64, axis=1) >> (bit % 64).astype(np.uint64)) & np.uint64(1) == 1
        return able & ~(plan.once[events] & done)

    def _all_open(self, rows: Array, flow: Array) -> Array:
        """Whether every step is wholly open that must be for each row's flow to begin."""
        events, together = self.plan.tables.events, self.plan.tables.together
        able = np.ones(rows.size, bool)
        mask, stage = self.life.mask[self.sessions.user[rows]], self._stage(rows)
        for step in range(int(together.max())):
            own = np.flatnonzero(together[flow] > step)
            if own.size:
                open_ = self._alternatives(flow[own], step, mask[own], stage[own])
                able[own] &= (open_ | (events[flow[own], step] < 0)).all(axis=1)
        return able

    def without_repeats(self, found: Happenings) -> Happenings:
        """Leave out flows that would bring an event again which happens once in a life, or once on a user's day."""
        plan, day = self.plan, self.sessions.day[found.session]
        daily = np.flatnonzero(plan.daily[found.event])
        before = self.life.done_on[found.user[daily], self.life.daily_place(found.event[daily])] == day[daily]
        again = [_repeated(found, daily, day), daily[before]]
        if not self.opened:
            again.append(_repeated(found, np.flatnonzero(plan.once[found.event]), np.zeros(len(found), np.int64)))
        key = found.session * 10_000 + found.order
        return found.take(~np.isin(key, key[np.concatenate(again)]))


def _repeated(found: Happenings, rows: Array, period: Array) -> Array:
    """Those of some rows whose user has the same event in the same period before them."""
    of = (found.event, period, found.user)
    keys = (found.step, found.order, found.session, *of)
    ordered = rows[np.lexsort([key[rows] for key in keys])]
    same = np.logical_and.reduce([key[ordered][1:] == key[ordered][:-1] for key in of])
    return ordered[1:][same]


def _distinct(state: Array) -> tuple[Array, Array]:
    """Distinct rows and each row's number among them."""
    key = np.ascontiguousarray(state).view([("", state.dtype)] * state.shape[1])[:, 0]
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return state[first], which
