"""Times of events: the gaps between them, and the hours of sessions."""

from __future__ import annotations

import re

import numpy as np

from gamestats_assets.demo_data.generator.behaviour import Happenings, Sessions
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import numbers
from gamestats_assets.demo_data.generator.random_streams import DURATIONS, Rows, Streams
from gamestats_assets.demo_data.generator.state import begins
from gamestats_assets.demo_data.generator.users import Users
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import PropertyConstraint, holding
from gamestats_assets.demo_data.taxonomies.model import PropertyType

_APART_S = 35 * 60
"""Smallest gap between a user's sessions: more than the half hour by which analysts separate them."""
_LONGEST_GAP_S = 25 * 60
"""Largest gap within a session."""
_DAY_S = 86_400
_METRES = {"km": 1000, "mi": 1609, "miles": 1609, "m": 1, "meters": 1, "metres": 1}
_DISTANCE = re.compile(
    r"(?!est|expected|planned|eta)(?:\w*(?:^|_)(?P<unit>km)|\w*distance\w*_(?P<other>mi|miles|m|meters|metres))"
)
_METRES_PER_S = 25_000 / 3600
"""Speed of people in a city."""


def gaps_s(plan: Blueprint, streams: Streams, users: Users, found: Happenings, ordinal: Array) -> Array:
    """Returns seconds since the previous event: a process lasts as long as its end says, others follow the session's
    pace."""
    pace = np.array([a.session_minutes * 60 / max(a.events_per_session * 1.5 + 3, 1) for a in plan.activities])
    mean = pace[users.segment[found.user]]
    within = found.step > 0
    mean[within] = plan.tables.after_s[found.flow[within], found.step[within]]
    waited = streams.exponential("gap", users.number[found.user], ordinal, mean) + 0.2
    lasted = _durations_s(plan, streams, users, found, ordinal)
    return np.where(np.isnan(lasted), waited, lasted)


def _durations_s(plan: Blueprint, streams: Streams, users: Users, found: Happenings, ordinal: Array) -> Array:
    """Returns how long the step before each event took, by its distance or its duration; NaN without either."""
    seconds = np.full(len(found), np.nan)
    for event in plan.event_names:
        measure = _way(plan, event) or _duration(plan, event)
        if measure is None or event in plan.session_ends:
            continue
        name, unit_s = measure
        rows = np.flatnonzero((found.event == plan.event_index[event]) & (found.step > 0))
        at = Rows(event, found.user[rows], ordinal[rows], np.zeros(rows.size, np.int64), rows)
        seconds[rows] = numbers(plan.ranges.numbers(streams, users, at, name)) * unit_s
    # Durations beyond a session's limit approach the longest gap, rather than all being equal to it.
    half = _LONGEST_GAP_S / 2
    return np.where(seconds > half, half + half * (1 - np.exp(1 - seconds / half)), seconds)


def _duration(plan: Blueprint, event: str) -> tuple[str, float] | None:
    """Returns the property for how long a flow took, and the seconds of its unit."""
    for name in plan.properties_of[event]:
        constraint = plan.rules.constraint_of(event, name)
        if constraint.elapsed == "flow" or name in DURATIONS:
            return name, constraint.unit_s
    return None


def _way(plan: Blueprint, event: str) -> tuple[str, float] | None:
    """Returns the property for a distance in an event with start and end times, and the seconds per unit."""
    properties, rules = plan.properties_of[event], plan.rules
    moments = {name for name, given in properties.items() if given.type is PropertyType.TIME}
    formulas = [found.formula for name in properties if (found := holding(rules.property_relationships, event, name))]
    by_clock = any(text and len(parse_formula(text).names & moments) == 2 for text in formulas)
    for name, given in properties.items():
        match = _DISTANCE.fullmatch(name)
        related = holding(rules.property_relationships, event, name)
        is_free = rules.constraint_of(event, name) == PropertyConstraint() and (related is None or not related.formula)
        if by_clock and match and given.type is PropertyType.NUMBER and is_free:
            return name, _METRES[match["unit"] or match["other"]] / _METRES_PER_S
    return None


def times_ms(
    plan: Blueprint, streams: Streams, users: Users, sessions: Sessions, found: Happenings, gap_s: Array
) -> Array:
    """Returns the time of each event, in ms since the run's first midnight UTC.

    A session begins by the hours of its segment in the user's time zone, and may last past midnight. If shares of days
    are planted, a session lies within its UTC day: one that would pass midnight ends before it, and sessions too long
    for their day are shortened.

    Args:
        gap_s: seconds since the previous event; ignored for the first event of a session.
    """
    first = begins(found.session)
    gap_ms = np.maximum((np.minimum(gap_s, _LONGEST_GAP_S) * 1000).astype(np.int64), 1)
    gap_ms[first] = 0
    running = np.cumsum(gap_ms)
    begin = np.maximum.accumulate(np.where(first, np.arange(len(found)), 0))
    since_start = running - running[begin]
    length = np.zeros(sessions.user.size, np.int64)
    np.maximum.at(length, found.session, since_start)
    wanted = _wanted_ms(plan, streams, users, sessions)
    if plan.retention is None and plan.seasonality is None:
        return _one_after_another(sessions, wanted, length)[found.session] + since_start
    share = _fitting(plan, sessions, length)
    length = (length * share).astype(np.int64)
    since_start = (since_start * share[found.session]).astype(np.int64)
    start = _within_days(sessions, wanted, length)
    return sessions.day[found.session] * DAY_MS + start[found.session] + since_start


def _wanted_ms(plan: Blueprint, streams: Streams, users: Users, sessions: Sessions) -> Array:
    """Returns the preferred start of each session, in ms of its UTC day, in order within a day."""
    user, number = sessions.user, users.number[sessions.user]
    counter = (sessions.day + plan.first_day) * 100 + sessions.place
    drawn = streams.uniform("hour", number, counter)
    hour = np.empty(user.size, np.int64)
    for segment, activity in enumerate(plan.activities):
        own = users.segment[user] == segment
        totals = np.cumsum(activity.hour_weights)
        hour[own] = np.searchsorted(totals, drawn[own] * totals[-1], side="right")
    local_s = np.minimum(hour, 23) * 3600 + streams.uniform("second", number, counter) * 3600
    wanted = (((local_s - users.utc_offset_s[user]) % _DAY_S) * 1000).astype(np.int64)
    return wanted[np.lexsort((wanted, sessions.day, user))]


def _one_after_another(sessions: Sessions, wanted: Array, length: Array) -> Array:
    """Returns the start of each session in ms of the run: the preferred one, or a while after the user's previous
    session."""
    user, taken = sessions.user, length + _APART_S * 1000
    before = np.cumsum(taken) - taken
    # Without the length of earlier sessions, a start is the latest of its own and the earlier preferred ones.
    free = sessions.day * DAY_MS + wanted - before
    apart = np.int64(free.max(initial=0) - free.min(initial=0) + 1)
    return np.maximum.accumulate(free + user * apart) - user * apart + before


def _fitting(plan: Blueprint, sessions: Sessions, length: Array) -> Array:
    """Returns the factor by which each session is shortened, so that a day's sessions fit into it with their breaks."""
    _, day = np.unique(sessions.user * plan.configuration.days + sessions.day, return_inverse=True)
    lasted = np.bincount(day, weights=length)
    room = (_DAY_S - _APART_S * (np.bincount(day) + 1)) * 1000.0
    return np.minimum(room / np.maximum(lasted, 1), 1)[day]


def _within_days(sessions: Sessions, wanted: Array, length: Array) -> Array:
    """Returns the start of each session in ms of its UTC day, so that all of it lies within."""
    user, start = sessions.user, wanted.copy()
    apart = _APART_S * 1000
    same_day = np.zeros(user.size, bool)
    same_day[1:] = (user[1:] == user[:-1]) & (sessions.day[1:] == sessions.day[:-1])
    most = int(sessions.place.max(initial=0))
    latest = np.full(user.size, DAY_MS - 1, np.int64) - length
    # From the last one back: each leaves room for those after it.
    for place in range(most - 1, -1, -1):
        rows = np.flatnonzero((sessions.place == place) & np.append(same_day[1:], False))
        latest[rows] = np.minimum(latest[rows], latest[rows + 1] - apart - length[rows])
    start = np.minimum(start, latest)
    # From the first one on: each waits for the one before, including the one of the evening before.
    day_of = sessions.day * DAY_MS
    for place in range(1, int(sessions.number.max(initial=0)) + 1):
        rows = np.flatnonzero(sessions.number == place)
        ended = day_of[rows - 1] + start[rows - 1] + length[rows - 1] + apart
        start[rows] = np.maximum(start[rows], ended - day_of[rows])
    return start
