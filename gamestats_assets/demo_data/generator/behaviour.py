"""What users do: their active days, their sessions, and the order of their events.

Everything is looked up by user and by the user's own count of sessions, so that a user's history does not depend on
other users. Users whose prerequisites are all met are simulated at once; the others session by session, because what
they may do depends on what they have done.

A session keeps this order: its fixed opening, the onboarding (in the first session), the typical sequence of the
segment, free choices by weight, its fixed end. What a free choice opens is open from the next session on.

Events without effect do not happen: a rise beyond the last level, the removal of something that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gamestats_assets.demo_data.generator.blueprint import LEAST_CHOICES, Array, Blueprint, Fixed
from gamestats_assets.demo_data.generator.random_streams import Streams, count_start
from gamestats_assets.demo_data.generator.state import Gathering, begins, places, running_count
from gamestats_assets.demo_data.generator.users import NEVER, Users
from gamestats_assets.demo_data.rules.configuration import StandstillTruth
from gamestats_assets.demo_data.rules.model import CounterRule, LifecycleStage, TotalRule, Update

_MOST_SESSIONS = 10
"""Most sessions of a user on one day."""
_MOST_CHOICES = 120
"""Most free choices in one session."""
_SAME_HABIT = 0.45
"""Share of the variance of a day's activity that comes from the user's habit, which is the same every day."""
_DAYS_TO_STAGE = {LifecycleStage.ACTIVE: 2, LifecycleStage.ADVANCED: 7}
"""Days since the sign-up after which users with a finished onboarding reach a stage."""
_OPENING, _ONBOARDING, _SEQUENCE, _ALWAYS, _FREE, _END = 0, 1000, 2000, 2500, 3000, 9000
"""Positions of the parts of a session, to which the number of the slot within the part is added."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions of a group of users, by user and then in time.

    Attributes:
        user: position among the users.
        number: number of the user's session within the run, from 0.
        day: day of the run, from 0.
        place: place of the session on its day, from 0.
    """

    user: Array
    number: Array
    day: Array
    place: Array


@dataclass(frozen=True, slots=True)
class Happenings:
    """Events of a group of users, by user and then in time: rows without their properties.

    Attributes:
        user: position among the users.
        event: number of the event.
        session: position among the sessions.
        order: slot within the session.
        step: step of its flow; 0 begins one.
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
        """Returns a selection of rows."""
        return Happenings(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class History:
    """Events of a group of users with their times: the basis of all their records.

    Attributes:
        happened: the events, by user and then in time.
        at_ms: time in ms since 1970.
        ordinal: number of the event among the user's.
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
"""No events."""


def _together(parts: list[Happenings]) -> Happenings:
    return Happenings(*(np.concatenate([getattr(part, name) for part in parts]) for name in Happenings.__slots__))


# --------------------------------------------------------------------------- days and sessions


def active_days(plan: Blueprint, streams: Streams, users: Users) -> Array:
    """Returns whether each user is active on each day of the run: users by days.

    A user's days are correlated, because people have habits; yet each single day has exactly the probability that
    segment, weekday and time since the sign-up give it.
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
        # A planted seasonality keeps its ratios: its strongest day must not be cut off at certainty.
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
    """Returns whether each user has left on each day, for good or until a later return."""
    days = plan.configuration.days

    def until(stream: str, per_day: list[float]) -> Array:
        share = np.array(per_day)[users.segment]
        drawn = streams.geometric(stream, users.number, 0, 1 / np.maximum(share, 1e-9))
        return np.where(share > 0, drawn, NEVER) + 1

    left = np.maximum(until("leaves", [a.churn_per_day for a in plan.activities]), users.signed_up_day + 1)
    left = np.where(users.away_from < days, users.away_from, left)
    back = left + until("returns", [a.return_per_day for a in plan.activities])
    back = np.where(users.back_on < NEVER, users.back_on, back)
    each = np.arange(days)[None, :]
    return (each >= left[:, None]) & (each < back[:, None])


def sessions_of(plan: Blueprint, streams: Streams, users: Users, active: Array) -> Sessions:
    """Returns the sessions of every active day: at least one, and more for keen users."""
    user, day = np.nonzero(active)
    mean = np.array([activity.sessions_per_day for activity in plan.activities])[users.segment] - 1
    count = 1 + streams.geometric("sessions", users.number[user], day + plan.first_day, (mean * users.keenness)[user])
    count = np.minimum(count, _MOST_SESSIONS)
    rows = np.repeat(np.arange(user.size), count)
    place = np.arange(rows.size) - np.repeat(np.cumsum(count) - count, count)
    of_user = user[rows]
    first = np.searchsorted(of_user, np.arange(len(users)))
    return Sessions(of_user, np.arange(rows.size) - first[of_user], day[rows], place)


# --------------------------------------------------------------------------- events of a session


class _Life:
    """Progress of a group of users: their stages, and the doors open to them."""

    def __init__(self, plan: Blueprint, users: Users) -> None:
        self._plan, self._users = plan, users
        before = users.signed_up_day < 0
        self.open = np.repeat(before[:, None], len(plan.doors), axis=1)
        self.stage = np.where(before, plan.known_stage, LifecycleStage.INSTALLED.rank)
        self.account = before | (not plan.has_registration)
        self._daily_place = np.cumsum(plan.daily) - 1
        self._done_on = np.full((len(users), int(plan.daily.sum())), -1)

    def stages(self, user: Array, day: Array) -> Array:
        """Returns the stages of users on days; after the onboarding they rise with the days since the sign-up."""
        stage, age = self.stage[user], day - self._users.signed_up_day[user]
        for later, after in _DAYS_TO_STAGE.items():
            stage = np.where((self.stage[user] >= self._plan.known_stage) & (age >= after), later.rank, stage)
        return np.maximum(stage, self.stage[user])

    def was_done_on(self, user: Array, event: Array, day: Array) -> Array:
        """Returns whether once-a-day events have already happened on the given days."""
        return self._done_on[user, self._daily_place[event]] == day

    def spent(self, user: Array, event: Array) -> Array:
        """Returns whether once-only events have already happened."""
        return self._plan.once[event] & self.open[user, self._plan.door_of[event]] if self.open.size else event < -1

    def take(self, user: Array, event: Array, day: Array | None = None) -> None:
        """Records events and their days."""
        plan = self._plan
        door = plan.door_of[event]
        self.open[user[door >= 0], door[door >= 0]] = True
        np.maximum.at(self.stage, user, plan.stage_of[event])
        self.account[user[plan.stage_of[event] >= LifecycleStage.REGISTERED.rank]] = True
        if day is not None:
            rows = np.flatnonzero(plan.daily[event])
            self._done_on[user[rows], self._daily_place[event[rows]]] = day[rows]


def first_stages(plan: Blueprint, users: Users) -> list[str]:
    """Returns each user's first stage: signed up before the run, or about to install."""
    names = [stage.value for stage in LifecycleStage]
    return [names[rank] for rank in _Life(plan, users).stages(np.arange(len(users)), np.zeros(len(users), np.int64))]


def happenings(plan: Blueprint, streams: Streams, users: Users, sessions: Sessions) -> Happenings:
    """Returns every event of the sessions, by user and then in order."""
    life = _Life(plan, users)
    through = users.signed_up_day < 0
    parts: list[Happenings] = []
    if (bulk := np.flatnonzero(through[sessions.user])).size:
        parts.append(_Scene(plan, streams, users, sessions, life, opened=True).events(bulk))
    waiting = np.flatnonzero(~through[sessions.user])
    # Session by session for users with closed doors: all first ones, all second ones, ...
    order = waiting[np.argsort(sessions.number[waiting], kind="stable")]
    number = sessions.number[order]
    scene = _Scene(plan, streams, users, sessions, life, opened=False)
    for chosen in np.split(order, np.flatnonzero(np.diff(number)) + 1) if order.size else ():
        is_first = sessions.number[chosen[0]] == 0
        stuck = chosen[life.stage[sessions.user[chosen]] < plan.known_stage]
        found = scene.events(chosen)
        if not is_first and plan.retention is None:
            # Users who left the onboarding and could only come and go do not come back.
            idle = np.setdiff1d(stuck, found.session[(found.flow >= 0) | plan.once[found.event]])
            found = found.take(~np.isin(found.session, idle))
        parts.append(found)
    found = _together(parts) if parts else NOTHING
    found = found.take(np.lexsort((found.step, found.order, found.session)))
    return found.take(_before_the_end(plan, found)) if plan.final.any() else found


def _before_the_end(plan: Blueprint, found: Happenings) -> Array:
    """Returns whether each row comes no later than the end of its user's life."""
    ends = np.full(int(found.user.max(initial=0)) + 1, len(found))
    rows = np.flatnonzero(plan.final[found.event])
    np.minimum.at(ends, found.user[rows], rows)
    return np.arange(len(found)) <= ends[found.user]


class _Scene:
    """Makes the events of sessions by each user's progress.

    Args:
        opened: whether all doors are open to the users; otherwise no two sessions of one user are made at once.
    """

    def __init__(
        self, plan: Blueprint, streams: Streams, users: Users, sessions: Sessions, life: _Life, *, opened: bool
    ) -> None:
        self._plan, self._streams, self._users, self._sessions = plan, streams, users, sessions
        self._life, self._opened = life, opened

    def events(self, rows: Array) -> Happenings:
        """Returns all events of these sessions."""
        plan, opened = self._plan, self._opened
        parts = [
            self._fixed(rows, fixed, _OPENING + place)
            for place, fixed in enumerate(plan.start)
            if not (opened and fixed.once)
        ]
        if not opened:
            first = rows[self._sessions.number[rows] == 0]
            for place, flow in enumerate(plan.onboarding):
                parts.append(self._flows(first, np.full(first.size, flow), np.full(first.size, _ONBOARDING + place)))
        later = _together([*self._sequence(rows), self._free(rows)])
        if not opened or plan.daily.any():
            later = self._without_repeats(later)
        if not opened:
            self._life.take(later.user, later.event, self._sessions.day[later.session])
        ends = [self._fixed(rows, fixed, _END + place) for place, fixed in enumerate(plan.end)]
        return _together([*parts, later, *ends])

    def _draw(self, stream: str, rows: Array, slot: Array | int) -> Array:
        user = self._sessions.user[rows]
        return self._streams.uniform(stream, self._users.number[user], self._sessions.number[rows] * 10_000 + slot)

    def _stage(self, rows: Array) -> Array:
        return self._life.stages(self._sessions.user[rows], self._sessions.day[rows])

    def _fixed(self, rows: Array, fixed: Fixed, order: int) -> Happenings:
        """Returns an event at a fixed place, wherever it may happen."""
        user = self._sessions.user[rows]
        happens = self._stage(rows) >= fixed.stage
        if self._plan.daily[fixed.event]:
            happens &= self._sessions.place[rows] == 0
        if not self._opened:
            happens &= self._draw("opening", rows, order) < fixed.probability[self._users.segment[user]]
            happens &= self._life.open[user][:, fixed.needs].all(axis=1)
            happens &= ~self._life.spent(user, np.full(user.size, fixed.event))
        rows, user = rows[happens], user[happens]
        event, zero = np.full(rows.size, fixed.event), np.zeros(rows.size, np.int64)
        if not self._opened:
            self._life.take(user, event)
        return Happenings(user, event, rows, zero + order, zero, zero - 1, self._life.account[user])

    def _sequence(self, rows: Array) -> list[Happenings]:
        """Returns the typical sequence of each user's segment, except skipped parts, and flows that users always do."""
        user = self._sessions.user[rows]
        parts: list[Happenings] = []
        for segment, slots in enumerate(self._plan.sequences):
            own = rows[self._users.segment[user] == segment]
            for place, (flows, probability) in enumerate(slots):
                order = _SEQUENCE + place
                taken = own[self._draw("sequence", own, order) < probability]
                which = (self._draw("which", taken, order) * len(flows)).astype(np.int64)
                parts.append(self._flows(taken, np.array(flows)[which], np.full(taken.size, order)))
        for truth, flow in self._plan.always.items():
            own = rows[self._users.truth[user] == truth]
            parts.append(self._flows(own, np.full(own.size, flow), np.full(own.size, _ALWAYS + truth)))
        return parts

    def _free(self, rows: Array) -> Happenings:
        """Returns the free choices of users, by the weights of their segment, among the open flows."""
        plan, user = self._plan, self._sessions.user[rows]
        given = np.array([sum(p for _, p in slots) for slots in plan.sequences])
        mean = np.maximum([activity.events_per_session for activity in plan.activities] - given, LEAST_CHOICES)
        means = mean[self._users.segment[user]] * self._users.keenness[user]
        count = self._streams.geometric("choices", self._users.number[user], self._sessions.number[rows], means)
        chosen = np.repeat(rows, np.minimum(count, _MOST_CHOICES))
        order = _FREE + places(chosen)
        flow = self._choose(chosen, self._draw("choice", chosen, order))
        able = flow >= 0
        return self._flows(chosen[able], flow[able], order[able])

    def _choose(self, rows: Array, drawn: Array) -> Array:
        """Returns a flow for each row; -1 if none is open."""
        user = self._sessions.user[rows]
        segment, stage = self._users.segment[user], self._stage(rows)
        flow = np.full(rows.size, -1)
        for own in _alike(segment, stage, self._life.open[user] if not self._opened else None):
            one = own[0]
            weights = self._plan.free_weights[segment[one]] * self._open(int(user[one]), int(stage[one]))
            totals = np.cumsum(weights)
            if totals[-1] > 0:
                flow[own] = np.searchsorted(totals, drawn[own] * totals[-1], side="right")
        return np.minimum(flow, self._plan.free_weights.shape[1] - 1)

    def _open(self, user: int, stage: int) -> Array:
        """Returns whether each flow may begin for a user in a stage."""
        tables = self._plan.tables
        there = tables.events >= 0
        spent = self._life.spent(np.full(tables.events.shape, user), tables.events)
        met = there & (tables.stages <= stage) & ~(tables.needs & ~self._life.open[user]).any(axis=-1) & ~spent
        together = np.arange(tables.events.shape[1]) < tables.together[:, None]
        return met[:, 0].any(axis=-1) & ((met | ~there).all(axis=-1) | ~together).all(axis=1)

    def _flows(self, rows: Array, flow: Array, order: Array) -> Happenings:
        """Begins a flow in each row and follows it as far as it goes."""
        plan, tables = self._plan, self._plan.tables
        parts = [NOTHING]
        begins = self._all_open(rows, flow)
        rows, flow, order = rows[begins], flow[begins], order[begins]
        user, stage = self._sessions.user[rows], self._stage(rows)
        event = np.zeros(rows.size, np.int64)
        for step in range(tables.events.shape[1]):
            if not rows.size:
                break
            slot = order * 100 + step
            goes = self._draw("goes on", rows, slot) < tables.probability[self._users.variant[user], flow, step]
            goes &= (step == 0) | tables.follows[flow, step, event]
            able = self._alternatives(user, flow, step, stage)
            totals = np.cumsum(tables.weights[flow, step] * able, axis=1)
            goes &= totals[:, -1] > 0
            pick = (totals <= (self._draw("alternative", rows, slot) * totals[:, -1])[:, None]).sum(axis=1)
            rows, user, flow, order, stage, pick = (a[goes] for a in (rows, user, flow, order, stage, pick))
            event = tables.events[flow, step, np.minimum(pick, tables.events.shape[2] - 1)]
            if not self._opened and np.isin(flow, plan.onboarding).any():
                # The only events of the session so far, so that a flow's own steps can open doors for later ones.
                self._life.take(user, event)
            account = self._life.account[user]
            parts.append(Happenings(user, event, rows, order, np.full(rows.size, step), flow, account))
        return _together(parts)

    def _alternatives(self, user: Array, flow: Array, step: int, stage: Array) -> Array:
        """Returns which events of a step of each row's flow may happen: rows by alternatives."""
        tables = self._plan.tables
        events = tables.events[flow, step]
        able = (events >= 0) & (tables.stages[flow, step] <= stage[:, None])
        if not self._opened:
            able &= ~(tables.needs[flow, step] & ~self._life.open[user][:, None]).any(axis=-1)
        return able & ~self._life.spent(user[:, None], events)

    def _all_open(self, rows: Array, flow: Array) -> Array:
        """Returns whether all steps that must be fully open for a flow to begin are so, for each row's flow."""
        events, together = self._plan.tables.events, self._plan.tables.together
        able = np.ones(rows.size, bool)
        for step in range(int(together.max())):
            own = np.flatnonzero(together[flow] > step)
            user, stage = self._sessions.user[rows[own]], self._stage(rows[own])
            able[own] &= (self._alternatives(user, flow[own], step, stage) | (events[flow[own], step] < 0)).all(axis=1)
        return able

    def _without_repeats(self, found: Happenings) -> Happenings:
        """Drops flows that would repeat an event that happens once in a life, or once on a user's day."""
        plan, day = self._plan, self._sessions.day[found.session]
        daily = np.flatnonzero(plan.daily[found.event])
        before = self._life.was_done_on(found.user[daily], found.event[daily], day[daily])
        again = [_repeated(found, daily, day), daily[before]]
        if not self._opened:
            again.append(_repeated(found, np.flatnonzero(plan.once[found.event]), np.zeros(len(found), np.int64)))
        key = found.session * 10_000 + found.order
        return found.take(~np.isin(key, key[np.concatenate(again)]))


def _repeated(found: Happenings, rows: Array, period: Array) -> Array:
    """Returns the rows of an event that already happened to the same user in the same period."""
    of = (found.event, period, found.user)
    keys = (found.step, found.order, found.session, *of)
    ordered = rows[np.lexsort([key[rows] for key in keys])]
    return ordered[~begins(*(key[ordered] for key in of))]


def _alike(segment: Array, stage: Array, opened: Array | None) -> list[Array]:
    """Groups rows by segment, stage and open doors."""
    if not segment.size:
        return []
    keys = [segment.astype(np.uint8), stage.astype(np.uint8)]
    state = np.column_stack([*keys, np.packbits(opened, axis=1)] if opened is not None else keys)
    one = np.ascontiguousarray(state).view(np.dtype((np.void, state.shape[1])))[:, 0]
    _, which = np.unique(one, return_inverse=True)
    order = np.argsort(which, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(which[order])) + 1)


# --------------------------------------------------------------------------- events without effect


def effective(plan: Blueprint, streams: Streams, users: Users, found: Happenings) -> Happenings:
    """Returns the events without those that have no effect, and without their successors in the same flow.

    Flows with a planted conversion stay as they are.
    """
    kept = found
    for number, truth in plan.standstills.items():
        moving = [plan.event_index[event] for event in _movers(plan, truth)]
        rows = (users.truth[kept.user] == number) & np.isin(kept.event, moving) & (kept.flow >= 0)
        kept = _without(plan, kept, kept.take(np.flatnonzero(rows)))
    for idle in _at_their_limit(plan, streams, users, found):
        kept = _without(plan, kept, found.take(idle))
    for rule in _in_turn([*plan.gathered.values(), *plan.used_once]):
        kept = _without(plan, kept, kept.take(_from_nothing(plan, users, kept, rule)))
    return kept


def _movers(plan: Blueprint, truth: StandstillTruth) -> Iterator[str]:
    """Yields events whose only effect on users is to move a property that must stand still."""
    for event in plan.event_names:
        changed = {
            name for name, updates in plan.updates.items() for who, how in updates if who == event and _has_content(how)
        }
        if changed == {truth.property} and event != truth.event:
            yield event


def _has_content(update: Update) -> bool:
    """Whether an update has content beyond the fact and time of an event."""
    return update.type != "set_once" and update.value != "{{#time}}"


def _in_turn(rules: Sequence[TotalRule]) -> Iterator[TotalRule]:
    """Yields rules, prerequisites first: without an interview there is no offer."""
    waiting = list(rules)
    while waiting:
        taken = [(other, set(other.takes)) for other in waiting]
        ready = [r for r in waiting if not any(o is not r and takes & r.adds.keys() for o, takes in taken)]
        yield (ready or waiting)[0]
        waiting.remove((ready or waiting)[0])


def _without(plan: Blueprint, found: Happenings, idle: Happenings) -> Happenings:
    idle = idle.take(np.flatnonzero((idle.flow < 0) | (plan.tables.together[idle.flow] == 0)))
    if not len(idle):
        return found
    key, of_idle = (rows.session * 10_000 + rows.order for rows in (found, idle))
    keys, place = np.unique(of_idle, return_inverse=True)
    first = np.full(keys.size, np.iinfo(np.int64).max)
    np.minimum.at(first, place, idle.step)
    at = np.minimum(np.searchsorted(keys, key), keys.size - 1)
    return found.take(np.flatnonzero((keys[at] != key) | (found.step < first[at])))


def _rows(plan: Blueprint, found: Happenings, event: str) -> Array:
    return np.flatnonzero(found.event == plan.event_index[event])


def _at_their_limit(plan: Blueprint, streams: Streams, users: Users, found: Happenings) -> Iterator[Array]:
    """Yields rows that would raise a count at its limit, of events without another effect on the user."""
    for shared, members in plan.counters.items():
        raising = [(event, name, rule) for event, name, rule in members if rule.step > 0 and rule.source is None]
        most = max((rule.max for _, _, rule in raising if rule.max is not None), default=None)
        only = {event for event, name, rule in raising if _does_nothing_else(plan, event, name, rule)}
        if most is None or not only:
            continue
        parts = [(_rows(plan, found, event), rule.step, event in only) for event, _, rule in raising]
        rows = np.concatenate([rows for rows, _, _ in parts])
        moves, limited = (np.concatenate([np.full(part[0].size, part[n]) for part in parts]) for n in (1, 2))
        order = np.argsort(rows, kind="stable")
        user = found.user[rows[order]]
        start = count_start(plan, streams, users, shared)
        before, after = running_count(user, moves[order].astype(np.float64), start[user], most)
        yield rows[order][(before >= after) & limited[order].astype(bool)]


def _does_nothing_else(plan: Blueprint, event: str, name: str, rule: CounterRule) -> bool:
    """Whether the only effect of an event on the user is to show a limited count, apart from its time."""
    done = [update for updates in plan.updates.values() for who, update in updates if who == event]
    rest = [update for update in done if _has_content(update)]
    return rule.max is not None and bool(rest) and all(update.value == f"{{{{{name}}}}}" for update in rest)


def _from_nothing(plan: Blueprint, users: Users, found: Happenings, rule: TotalRule) -> Array:
    """Returns rows that would remove a thing that does not exist, except first events that open doors."""
    adds, takes, ends = (
        np.flatnonzero(np.isin(found.event, [plan.event_index[event] for event in events]))
        for events in (rule.adds, rule.takes, rule.until)
    )
    idle = Gathering(found.user, adds, takes, ends).idle()
    opens = ((plan.door_of >= 0) | (plan.stage_of >= 0))[found.event[idle]]
    # Users from before the run have made things before it, too, but not without end.
    known = users.signed_up_day[found.user[idle]] < 0 if rule in plan.used_once else np.zeros(idle.size, bool)
    known &= places(found.user[idle]) < _LEFT_FROM_BEFORE
    first = np.isin(idle, takes[_firsts(found.user[takes], found.event[takes])])
    return idle[~known & ~(opens & first)]


_LEFT_FROM_BEFORE = 3
"""Things of a kind that a user keeps from before the run."""


def _firsts(user: Array, event: Array) -> Array:
    """Returns the places of each user's first events of each kind."""
    _, place = np.unique(np.column_stack([user, event]), axis=0, return_index=True)
    return place
