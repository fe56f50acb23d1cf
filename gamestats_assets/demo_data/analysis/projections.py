"""Rules about the order of events, read off the graph: sequences, prerequisites, stages, and what happens once or
last."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from gamestats_assets.demo_data.analysis.graph import EventOrder, anchor, waits_for
from gamestats_assets.demo_data.analysis.meaning.descriptions import happens_daily, happens_once, one_of_many
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind, of_kind
from gamestats_assets.demo_data.analysis.meaning.reading import Reading
from gamestats_assets.demo_data.analysis.things import in_order, share
from gamestats_assets.demo_data.rules.model import EventConstraints, EventSequence, LifecycleStage, Step
from gamestats_assets.demo_data.taxonomies.model import Event, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between, Counter

Kind = EventKind

_SECONDS: Mapping[EventKind, float] = {
    Kind.SEARCH: 20, Kind.BROWSE: 25, Kind.CART: 45, Kind.CHECKOUT: 35, Kind.PAY: 40, Kind.PAY_FAIL: 40, Kind.AD: 12,
    Kind.EXPOSURE: 15, Kind.AFTER_SALE: 90, Kind.GACHA: 20, Kind.ONBOARDING: 40, Kind.VERIFY: 40,
}  # fmt: skip
"""Mean seconds between an event and the one before."""
_GO_ON: Mapping[EventKind, float] = {
    Kind.BROWSE: 0.7, Kind.CART: 0.4, Kind.CHECKOUT: 0.65, Kind.PAY: 0.85, Kind.PAY_FAIL: 0.85, Kind.AD: 0.9,
    Kind.AFTER_SALE: 0.6, Kind.SHARE: 0.3, Kind.SOCIAL: 0.5, Kind.EXPOSURE: 0.3, Kind.SUBSCRIBE: 0.15, Kind.CREATE: 0.4,
}  # fmt: skip
"""Share of users that go on to an event of a kind."""
_FUNNEL = frozenset({Kind.BROWSE, Kind.CART, Kind.CHECKOUT, Kind.PAY, Kind.SEARCH, Kind.AD, Kind.GACHA})
_BAD_WEIGHTS: Mapping[str, float] = {"skip": 0.12, "cancel": 0.15, "pause": 0.3, "timeout": 0.1, "reject": 0.25}
_DEALS = ("pay", "transfer", "deposit", "withdraw", "login", "register", "verify", "order", "book", "buy")


class Sequences:
    """Turns the graph's `next` edges into sequences: each branch of their tree becomes a line of steps.

    A later step belongs to one sequence only, and its event begins none, so that it always follows. The longest branch
    continues its sequence. Single outcomes are alternatives of one step, and events that repeat in between are one
    repeated step. Other branches begin alone, with a prerequisite.
    """

    def __init__(self, order: EventOrder) -> None:
        self.order, self.readings = order, order.readings
        free = {r.name for r in order.free}
        self.parents = {
            event: edge.before for event, edge in order.next.items() if event in free and {*edge.before} <= free
        }
        self.children: dict[str, list[str]] = {}
        for event in self.readings:
            for before in self.parents.get(event, ()):
                self.children.setdefault(before, []).append(event)
        self.placed: set[str] = set()
        self.apart: list[frozenset[str]] = []
        self.sequences: list[EventSequence] = []

    def found(self) -> list[EventSequence]:
        """Returns the sequences, an onboarding first."""
        self._onboarding()
        while heads := self._heads():
            for head in heads:
                if not head & self.placed:
                    self._begin(sorted(head, key=lambda name: self.readings[name].index))
        return self.sequences

    def _heads(self) -> list[frozenset[str]]:
        """Returns the heads of sequences, alone or as alternatives, that follow nothing still to be placed."""
        found = [cluster for cluster in self.apart if not cluster & self.placed]
        heads = [name for name in self.readings if name in self.children and name not in {*self.placed, *self.parents}]
        for name in heads:
            ways = [frozenset(self.parents[c]) for c in self.children[name] if len(self.parents.get(c, ())) > 1]
            if not any(name in cluster for cluster in found):
                found.append(ways[0] if ways and ways[0] <= {*heads} else frozenset({name}))
        return found

    def _begin(self, head: list[str]) -> None:
        """Adds the sequences that events begin: the longest line first, then other branches from the same head."""
        steps = self._line(head)
        if len(steps) > 1 or len(head) > 1:  # a single outcome of an event outside sequences stands alone
            self._add(steps)
        while len(steps) > 1 and len(steps := self._line(head)) > 1:
            self._add(steps)
        self.placed.update(head)

    def _line(self, head: list[str]) -> list[Step]:
        steps, current = [self._step(head, 1.0)], head
        while waiting := self._waiting(current, head):
            lone = len(steps) == 1 and len(head) == 1
            inner = self._inner(waiting, alone=lone)
            clusters = self._clusters([name for name in waiting if name not in inner])
            best = longest = max(clusters, key=self._size, default=[])
            for cluster in clusters:
                if cluster is longest or lone:
                    continue
                if self._are_choices(cluster, best):
                    best = [*best, *cluster]
                else:
                    self._release(cluster)
            if loop := self._loop(inner):
                times = _repeats(self.order.events[loop[0]]) if len(loop) == 1 else min(3 * len(loop), 12)
                steps.append(self._step(loop, 0.9, repeats=times))
                self.placed.update(loop)
            if not best:
                break
            self.placed.update(best)
            leading = [name for name in current if any(name in self.parents[b] for b in best)]
            follows = leading if not loop and len(leading) < len(steps[-1].events) else []
            steps.append(self._step(best, self._chance(best), follows=follows))
            current = best
        return steps

    def _waiting(self, current: Sequence[str], head: Sequence[str]) -> list[str]:
        """Returns the events that follow any of these and are still to be placed."""
        following = {c for name in current for c in self.children.get(name, ()) if c in self.parents}
        return sorted(following - self.placed - {*head}, key=self._row)

    def _release(self, cluster: Sequence[str]) -> None:
        """Lets branches begin alone: they need the events that they would follow."""
        for name in cluster:
            self.parents.pop(name, None)
        if len(cluster) > 1:
            self.apart.append(frozenset(cluster))

    def _inner(self, waiting: Sequence[str], *, alone: bool) -> list[str]:
        """Returns the events that repeat in between; a single event only if its text says that it repeats."""
        within = [r for r in map(self.readings.__getitem__, waiting) if self._is_meanwhile(r)]
        repeated = any("repeated" in r.flags or r.phase == "progress" for r in within)
        return [r.name for r in within] if repeated or (len(within) > 1 and not alone) else []

    def _is_meanwhile(self, r: Reading) -> bool:
        """Whether a text says that an event happens during something else, and neither begins nor ends it."""
        begins_or_ends = r.place is not None and not 3 <= r.place < 5
        during = ("during" in r.flags or r.phase == "progress") and not begins_or_ends
        return ("repeated" in r.flags or during) and not (r.wrong or r.opinion or r.phase == "pause")

    def _loop(self, inner: Sequence[str]) -> list[str]:
        """Returns repeating events with the events that follow them."""
        found = list(inner)
        for name in found:
            found += [c for c in self.children.get(name, ()) if c in self.parents and c not in {*found, *self.placed}]
        return sorted(found, key=self._row)

    def _clusters(self, found: Sequence[str]) -> list[list[str]]:
        """Groups events that exclude each other; the others stand alone."""
        clusters: list[list[str]] = []
        for name in found:
            near = [(c, o) for c in clusters for o in c if self.parents[o] == self.parents[name]]
            homes = [c for c, o in near if self._parallel(self.readings[name], self.readings[o])]
            if homes:
                homes[0].append(name)
            else:
                clusters.append([name])
        return clusters

    def _parallel(self, r: Reading, o: Reading) -> bool:
        """Whether two events are outcomes that exclude each other."""
        partners = self.order.partners
        of_r, of_o = (partners.get(x.name, x.name if x.name in partners.values() else "") for x in (r, o))
        if "pause" in (r.phase, o.phase) or (of_r and of_o and of_r != of_o):
            return False
        outcomes = all((x.place or 0) >= 5 or x.phase in ("accept", "match_found") or x.wrong for x in (r, o))
        alike = (r.topic == o.topic or share(r, o)) and r.wrong != o.wrong and "optional" not in r.flags
        return self.order.is_instead(r.name, o.name) or (outcomes and alike)

    def _are_choices(self, one: Sequence[str], other: Sequence[str]) -> bool:
        """Whether two leaves are choices about the same thing."""
        a, b = self.readings[one[0]], self.readings[other[0]]
        same = {self.parents[n] for n in one} == {self.parents[n] for n in other} and "optional" not in a.flags
        return same and not any(map(self.children.get, [*one, *other])) and (a.opinion, a.tag) == (b.opinion, b.tag)

    def _row(self, name: str) -> int:
        return self.readings[name].index

    def _size(self, cluster: Sequence[str]) -> tuple[int, int]:
        """Returns how far a branch leads; failures alone lead nowhere."""
        seen, waiting = set[str](), list(cluster)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += self.children.get(name, ())
        found = [self.readings[name] for name in cluster]
        decided = any((r.place or 0) >= 5 for r in found)
        return (any(not r.wrong for r in found) * (len(seen) + decided), -found[0].index)

    def _chance(self, events: Sequence[str]) -> float:
        r = self.readings[events[0]]
        if (r.place or 0) >= 5 or len(events) > 1:
            return 0.95
        return 0.35 if r.opinion else _GO_ON.get(self.order.kinds[r.name], 0.9)

    def _step(self, events: Sequence[str], chance: float, *, repeats: int = 1, follows: Sequence[str] = ()) -> Step:
        found = [self.readings[name] for name in events]
        good = sum(not r.wrong and r.phase != "pause" for r in found)
        weights = [
            round(0.7 / good if not r.wrong and r.phase != "pause" else self._bad(r) / (len(found) - good), 3)
            for r in found
        ]
        seconds = max(_SECONDS.get(self.order.kinds[r.name], 90.0 if (r.place or 0) >= 5 else 30.0) for r in found)
        return Step(
            events=list(events),
            weights=weights if len(set(weights)) > 1 else [],
            probability=chance,
            repeats=repeats,
            after_s=seconds,
            follows=list(follows),
        )

    def _bad(self, r: Reading) -> float:
        return 0.1 if r.says(*_DEALS) else _BAD_WEIGHTS.get(r.phase or "", 0.3)

    def _add(self, steps: list[Step], kind: str = "") -> None:
        if not kind:
            funnel = any(self.order.kinds[e] in _FUNNEL for e in steps[0].events) or len(steps) > 3
            kind = "funnel" if funnel else "sequence"
        first = self.readings[steps[0].events[0]]
        if kind != "onboarding" and len(steps[0].events) == 1 and first.name in self.parents:
            return
        name = "onboarding" if kind == "onboarding" else "_".join(sorted(first.things or first.topic)) or first.name
        known = {sequence.name for sequence in self.sequences}
        name = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 1000))) if n not in known)
        self.sequences.append(EventSequence.model_validate({"name": name, "kind": kind, "steps": steps}))

    # ----------------------------------------------------------------- the onboarding

    def _onboarding(self) -> None:
        """Adds a sign-up in several steps, then the introduction; a sign-up of one event needs no sequence."""
        order = self.order
        registers = [r for r in order.of(Kind.REGISTER) if not r.says("character") and r.name not in order.legacy]
        steps: list[Step] = []
        if (account := anchor(registers)) is not None:
            leading = {b for e in order.needs.get(account.name, ()) for b in e.before}
            way = [r for r in order.free if r.name in leading and r.kind in (Kind.VERIFY, Kind.REGISTER, Kind.CORE)]
            way += [r for r in registers if r not in way and r is not account and (r.place or 5) < 5]
            if steps := self._introduction(way):
                steps.append(self._step([account.name], 0.93, follows=self._good_ones(steps)))
        steps += self._introduction([r for r in order.of(Kind.ONBOARDING) if r.name not in order.legacy])
        if steps:
            steps[0] = steps[0].model_copy(update={"probability": 1.0})
            self.placed.update(event for step in steps for event in step.events)
            for step in steps:
                self._release(step.events)
            self._add(steps, "onboarding")

    def _introduction(self, intro: Sequence[Reading]) -> list[Step]:
        steps: list[Step] = []
        line = in_order(intro)
        for r in line:
            if r.name in {e for step in steps for e in step.events}:
                continue
            both = [o for o in line if o is r or self.order.is_instead(r.name, o.name)]
            event = self.order.events[r.name]
            goes_on = (r.phase == "progress" or "repeated" in r.flags) and r.step is None and not r.succeeds
            has_steps = any(_is_step(p.name, p.alias) for p in event.properties if p.type is PropertyType.NUMBER)
            times = _repeats(event) if len(both) == 1 and (goes_on or has_steps) else 1
            names = sorted((o.name for o in both), key=self._row)
            steps.append(self._step(names, 0.95, repeats=times, follows=self._good_ones(steps)))
        return steps

    def _good_ones(self, steps: Sequence[Step]) -> list[str]:
        """Returns the outcomes of the last step that the next one follows; none if it follows all."""
        events = steps[-1].events if steps else []
        good = [event for event in events if not self.readings[event].wrong]
        return good if len(good) < len(events) else []


def _is_step(name: str, alias: str) -> bool:
    return "step" in name.lower() or "단계" in alias or "ステップ" in alias


_TIMES_IN_A_ROW = re.compile(
    r"(?:there are|최대|총|total of|up to|of)\s?(\d{1,2})\b"
    r"|\b(\d{1,2}) (?:rounds|steps|screens|waves|times)|(\d{1,2})(?:단계|웨이브|ステップ|回)"
)


def _repeats(event: Event) -> int:
    """Returns how often an event happens in a row, by its count or its text."""
    for prop in event.properties:
        if isinstance(prop.rule, Counter | Between) and _is_step(prop.name, prop.alias) and prop.rule.max is not None:
            return int(min(max(prop.rule.max, 1), 100))
    times = _TIMES_IN_A_ROW.search(event.description.lower())
    return min(max(int(next(filter(None, times.groups()))), 2), 100) if times else 5


Stage = LifecycleStage


def event_constraints(order: EventOrder) -> EventConstraints:
    """Returns when the events may happen, and notes the sequences in the order."""
    order.sequences = Sequences(order).found()
    needs = _prerequisites(order)
    stages = _stage_events(order)
    return EventConstraints(
        session_start=_sessions(order, Kind.SESSION_START),
        session_end=_sessions(order, Kind.SESSION_END),
        once=_once(order),
        daily=_daily(order),
        final=_final(order),
        sequences=order.sequences,
        prerequisites=needs,
        lifecycle=_lifecycle(order, stages, needs),
        stage_events=stages,
        not_of_users=of_kind(order.kinds, Kind.SYSTEM),
    )


# --------------------------------------------------------------------------- prerequisites


def _prerequisites(order: EventOrder) -> dict[str, list[str]]:
    """Returns by event its prerequisites: the graph's edges that no sequence contradicts."""
    system, ended = ({*of_kind(order.kinds, kind)} for kind in (Kind.SYSTEM, Kind.GOODBYE))
    found: dict[str, list[str]] = {}
    after = {
        event: {e for later in s.steps[number:] for e in later.events}
        for s in order.sequences
        for number, step in enumerate(s.steps)
        for event in step.events
    }
    waiting = _steps_before(order.sequences)
    followed = {*waiting}
    for event in order.readings:
        edges = [*order.needs.get(event, ())]
        if (edge := order.next.get(event)) is not None and (event in followed or edge.confidence >= 0.55):
            edges.insert(0, edge)
        for edge in edges:
            before = edge.before[0]
            if len(edge.before) > 1 and event in followed:
                continue
            blocked = before in after.get(event, ()) or {before, event} & (system | ended - {event})
            if not blocked and not waits_for(waiting, before, event):
                found[event] = list(dict.fromkeys([*found.get(event, ()), before]))
                waiting.setdefault(event, set()).add(before)
    return found


def _steps_before(sequences: Sequence[EventSequence]) -> dict[str, set[str]]:
    """Returns by event of a later step the events of the previous step that it follows."""
    found: dict[str, set[str]] = {}
    for sequence in sequences:
        for before, step in pairwise(sequence.steps):
            for event in step.events:
                found.setdefault(event, set()).update(step.follows or before.events)
    return found


# --------------------------------------------------------------------------- sessions and stages

ALWAYS_ALLOWED = frozenset(
    {
        *(Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END, Kind.CRASH, Kind.REGISTER),
        *(Kind.ONBOARDING, Kind.GOODBYE, Kind.VERIFY, Kind.SETTING),
    }
)
"""Kinds of events that happen in every stage of a life."""


def _sessions(order: EventOrder, kind: EventKind) -> list[str]:
    """Returns the events that open a session: the app, visits, the account, the character; or close it, in reverse."""
    way = 1 if kind is Kind.SESSION_START else -1

    def rank(r: Reading) -> tuple[int, int]:
        depth = 3 if r.says("character") else 2 if r.says("login", "logout") else 0 if r.says("app") else 1
        return (way * depth, r.index)

    return [r.name for r in sorted(order.of(kind), key=rank) if r.name not in order.legacy]


def _introduction(order: EventOrder) -> tuple[list[Reading], str | None]:
    """Returns the events that introduce users with an account, and the one that ends the introduction."""
    found = [r for r in order.of(Kind.ONBOARDING) if r.says("tutorial") or "tutorial" in r.text]
    ways = [s for s in order.sequences if s.kind == "onboarding"]
    leads = any(order.kinds[event] is Kind.REGISTER for way in ways[:1] for event in way.steps[-1].events)
    found = [] if leads else [r for r in found if r.name not in order.legacy]
    good = [r for r in found if not r.fails]
    done = [r for r in good if r.succeeds and r.step is None]
    last = done or sorted((r for r in good if r.place is not None), key=lambda r: (r.place or 0, r.index)) or good
    return (found, last[-1].name) if last else ([], None)


def _stage_events(order: EventOrder) -> dict[str, Stage]:
    """Returns by event the stage that it moves a user to."""
    stages: dict[str, Stage] = {r.name: Stage.INSTALLED for r in order.of(Kind.INSTALL)}
    opening = _sessions(order, Kind.SESSION_START)
    if opening:
        stages[opening[0]] = Stage.FIRST_SESSION
    registers = [r for r in order.of(Kind.REGISTER) if r.name not in order.legacy]
    account = anchor([r for r in registers if not r.says("character")])
    for r in (account, anchor([r for r in registers if r.says("character")])):
        if r is not None:
            stages[r.name] = Stage.REGISTERED
    account = account or anchor(registers)
    intro, end = _introduction(order)
    if intro and intro[0].name != end:
        first = min(intro, key=lambda r: (r.place if r.place is not None else 2.5, r.index))
        stages[first.name] = Stage.ONBOARDING_STARTED
    for r in intro:
        if r.name == end or r.phase == "skip":
            stages[r.name] = Stage.ONBOARDING_COMPLETED
    if not opening and not account and not end:
        # No event marks the arrival: the first event of a sequence does, or else the first event of users.
        heads = [event for s in order.sequences for event in s.steps[0].events]
        own = [r.name for r in order.readings.values() if order.kinds[r.name] not in (Kind.SYSTEM, Kind.INSTALL)]
        for name in [*heads, *own[:1]]:
            stages[name] = Stage.FIRST_SESSION
    return stages


_OPEN_TO_ALL = frozenset({Kind.SEARCH, Kind.BROWSE, Kind.EXPOSURE, Kind.AD, Kind.SHARE})
_DEALING = {Kind.CART, Kind.CHECKOUT, Kind.PAY, Kind.PAY_FAIL, Kind.AFTER_SALE, Kind.SUBSCRIBE, Kind.MONEY}
_RARE = frozenset({Kind.CRASH, Kind.SETTING, Kind.SUPPORT, Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.VERIFY})


def _lifecycle(order: EventOrder, stages: Mapping[str, Stage], needs: Mapping[str, Sequence[str]]) -> dict[str, Stage]:
    """Returns the earliest stage of every event that needs a later stage than the first."""
    opened = Stage.FIRST_SESSION if Stage.FIRST_SESSION in stages.values() else Stage.INSTALLED
    account = Stage.REGISTERED if Stage.REGISTERED in stages.values() else opened
    basic = Stage.ONBOARDING_COMPLETED if Stage.ONBOARDING_COMPLETED in stages.values() else account
    found = {name: _earliest(order, r, opened, account, basic) for name, r in order.readings.items()}
    first = basic if order.is_game else account
    for name in found:  # rare events are no pastime for users with nothing else to do
        if order.kinds[name] in _RARE:
            found[name] = max(found[name], first, key=lambda stage: stage.rank)
    for name, stage in stages.items():  # the opener of a stage and its prerequisites cannot wait for it
        before = opened if stage.rank > opened.rank else Stage.INSTALLED
        for event in _all_before(name, order, needs):
            if found[event].rank >= stage.rank:
                found[event] = before
    kept = {Kind.INSTALL, Kind.REGISTER, Kind.ONBOARDING}
    return {
        name: stage
        for name, stage in found.items()
        if order.kinds[name] is not Kind.SYSTEM and (stage.rank or order.kinds[name] in kept)
    }


def _all_before(name: str, order: EventOrder, needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Returns an event with everything that must have happened before it."""
    before, waiting, seen = _steps_before(order.sequences), [name], set[str]()
    while waiting:
        event = waiting.pop()
        if event not in seen:
            seen.add(event)
            waiting += (*needs.get(event, ()), *before.get(event, ()))
    return seen


def _earliest(order: EventOrder, r: Reading, opened: Stage, account: Stage, basic: Stage) -> Stage:
    kind = order.kinds[r.name]
    again = kind is Kind.SUBSCRIBE and (r.fails or r.action in ("renew", "upgrade", "downgrade"))
    if kind is Kind.ADVANCED:
        return Stage.ADVANCED
    if again or kind is Kind.GOODBYE or (kind is Kind.GROUP and order.is_game):
        return Stage.ACTIVE
    if kind is Kind.ONBOARDING:
        return opened
    if kind in ALWAYS_ALLOWED or (kind in _OPEN_TO_ALL and not order.is_game):
        return Stage.INSTALLED
    return account if kind in _DEALING and not order.is_game else basic


def _once(order: EventOrder) -> list[str]:
    """Returns the events that happen once in a user's life."""
    counted = {step.events[0] for s in order.sequences for step in s.steps if step.repeats > 1}
    found: list[str] = []
    for r in order.readings.values():
        kind = order.kinds[r.name]
        if kind in (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END) or r.name in counted or r.name in order.legacy:
            continue
        event = order.events[r.name]
        arrives = kind in (Kind.INSTALL, Kind.DEVICE, Kind.GOODBYE) or (kind is Kind.REGISTER and not r.fails)
        introduces = kind is Kind.ONBOARDING and (r.place is not None or r.action in ("set", "create"))
        proves = kind is Kind.VERIFY and (r.succeeds or r.phase in ("accept", None)) and "code" not in r.things
        tries = r.says("trial") and not r.fails and r.phase in (None, "start", "request", "submit")
        first = r.says("first") and kind is not Kind.EARN and not one_of_many(event)
        if happens_once(event) or arrives or introduces or proves or tries or first:
            found.append(r.name)
    return found


def _daily(order: EventOrder) -> list[str]:
    """Returns the events that happen at most once on a user's day."""
    fixed = (Kind.SYSTEM, Kind.SESSION_END, Kind.INSTALL, Kind.REGISTER)
    often = [r for r in order.readings.values() if order.kinds[r.name] not in fixed]
    return [r.name for r in often if happens_daily(order.events[r.name], r)]


def _final(order: EventOrder) -> list[str]:
    """Returns the events that end a user's life; a request for it, or a step before another, does not."""
    led = {event for s in order.sequences for step in s.steps[:-1] for event in step.events}
    over = [r for r in order.of(Kind.GOODBYE) if not r.fails and (r.place is None or r.place >= 4.5)]
    over = [r for r in over if r.action not in ("view", "click", "verify")]
    return [r.name for r in over if r.name not in led and r.name not in order.legacy]
