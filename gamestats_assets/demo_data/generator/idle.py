"""Events that would change nothing do not happen: a rise beyond the last level, what takes away where nothing is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gamestats_assets.demo_data.configuration import StandstillTruth
from gamestats_assets.demo_data.generator.behaviour import Happenings
from gamestats_assets.demo_data.generator.blueprint import Array, Blueprint
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.ranges import count_start
from gamestats_assets.demo_data.generator.state import Gathering, places, running_count
from gamestats_assets.demo_data.generator.users import Users
from gamestats_assets.demo_data.rules.model import CounterRule, TotalRule, Update


def effective(plan: Blueprint, streams: Streams, users: Users, found: Happenings) -> Happenings:
    """The events without those that would change nothing, and without what would have followed these in their flows.

    Flows in which the truth of a conversion is planted are left as they are.
    """
    kept = found
    for number, truth in plan.standstills.items():
        moving = [plan.event_index[event] for event in _movers(plan, truth)]
        rows = (users.truth[kept.user] == number) & np.isin(kept.event, moving) & (kept.flow >= 0)
        kept = _without(plan, kept, kept.take(np.flatnonzero(rows)))
    for idle in _at_their_limit(plan, streams, users, found):
        kept = _without(plan, kept, found.take(idle))
    for rule in _in_turn([*plan.gathered.values(), *plan.told_once]):
        kept = _without(plan, kept, kept.take(_from_nothing(plan, users, kept, rule)))
    return kept


def _movers(plan: Blueprint, truth: StandstillTruth) -> Iterator[str]:
    """Events that do nothing to users but move a property that is to stand still."""
    for event in plan.event_names:
        changed = {
            name for name, updates in plan.updates.items() for who, how in updates if who == event and _tells(how)
        }
        if changed == {truth.property} and event != truth.event:
            yield event


def _tells(update: Update) -> bool:
    """Whether an update says more than that, and when, an event happened."""
    return update.type != "set_once" and update.value != "{{#time}}"


def _in_turn(rules: Sequence[TotalRule]) -> Iterator[TotalRule]:
    """Rules, those first whose events others need: who is not interviewed gets no offer."""
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
    """Rows that would raise counts that are as high as they can be, of events that do nothing else to the user."""
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
    """Whether all that an event does to the user is to show a limited count; when it happened is no matter."""
    done = [update for updates in plan.updates.values() for who, update in updates if who == event]
    rest = [update for update in done if _tells(update)]
    return rule.max is not None and bool(rest) and all(update.value == f"{{{{{name}}}}}" for update in rest)


def _from_nothing(plan: Blueprint, users: Users, found: Happenings, rule: TotalRule) -> Array:
    """Rows that would take things away where none is; not the first ones of events that open doors."""
    adds, takes, ends = (
        np.flatnonzero(np.isin(found.event, [plan.event_index[event] for event in events]))
        for events in (rule.adds, rule.takes, rule.until)
    )
    idle = Gathering(found.user, adds, takes, ends).idle()
    opens = ((plan.door_of >= 0) | (plan.stage_of >= 0))[found.event[idle]]
    # Who was there before the run has made things before it, too, but not without end.
    known = users.signed_up_day[found.user[idle]] < 0 if rule in plan.told_once else np.zeros(idle.size, bool)
    known &= places(found.user[idle]) < _LEFT_FROM_BEFORE
    first = np.isin(idle, takes[_firsts(found.user[takes], found.event[takes])])
    return idle[~known & ~(opens & first)]


_LEFT_FROM_BEFORE = 3
"""Things of a kind that a user has left from before the run."""


def _firsts(user: Array, event: Array) -> Array:
    """Places of each user's first events of each kind."""
    _, place = np.unique(np.column_stack([user, event]), axis=0, return_index=True)
    return place
