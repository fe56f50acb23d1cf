"""What rules say of the order of events, read off the graph: sequences, prerequisites, stages, what is once or last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.descriptions import one_of_many, told_daily, told_once
from gamestats_assets.demo_data.analysis.graph import EventOrder, anchor, waits_for
from gamestats_assets.demo_data.analysis.kinds import EventKind, of_kind
from gamestats_assets.demo_data.analysis.reading import Reading
from gamestats_assets.demo_data.analysis.sequences import Sequences
from gamestats_assets.demo_data.rules.model import EventConstraints, EventSequence, LifecycleStage

Kind = EventKind
Stage = LifecycleStage


def event_constraints(order: EventOrder) -> EventConstraints:
    """When the events may happen; notes the sequences in the order."""
    order.sequences = Sequences(order).found()
    needs = _prerequisites(order)
    stages = stage_events(order)
    return EventConstraints(
        session_start=session_start(order),
        session_end=session_end(order),
        once=once(order),
        daily=daily(order),
        final=final(order),
        sequences=order.sequences,
        prerequisites=needs,
        lifecycle=lifecycle(order, stages, needs),
        stage_events=stages,
        not_of_users=of_kind(order.kinds, Kind.SYSTEM),
    )


# --------------------------------------------------------------------------- prerequisites


def _prerequisites(order: EventOrder) -> dict[str, list[str]]:
    """By event, what must have happened before it: the graph's edges, as far as no sequence contradicts them."""
    system = {name for name, kind in order.kinds.items() if kind is Kind.SYSTEM}
    ended = {r.name for r in order.of(Kind.GOODBYE)}
    found: dict[str, list[str]] = {}
    after = {
        event: {e for later in s.steps[number:] for e in later.events} | {e for e in step.events}
        for s in order.sequences
        for number, step in enumerate(s.steps)
        for event in step.events
    }
    followed = {event for s in order.sequences for step in s.steps[1:] for event in step.events}
    table = {s.name: s for s in order.sequences}
    waiting: dict[str, set[str]] = {}
    for sequence in table.values():
        for before, step in zip(sequence.steps, sequence.steps[1:], strict=False):
            for event in step.events:
                waiting.setdefault(event, set()).update(before.events)
    for event in order.readings:
        edges = [*order.needs.get(event, ())]
        if (edge := order.next.get(event)) is not None:
            if event in followed:
                edges = [e for e in [edge] if len(e.before) == 1] + edges
            elif edge.confidence >= 0.55 and order.kinds[edge.before[0]] not in (Kind.BROWSE, Kind.SEARCH):
                edges.insert(0, edge)
        for edge in edges:
            names = edge.before if len(edge.before) == 1 or event not in followed else ()
            for before in names[:1]:
                blocked = before in after.get(event, ()) or {before, event} & (system | ended - {event})
                if not blocked and not waits_for(waiting, before, event):
                    found.setdefault(event, []).append(before)
                    waiting.setdefault(event, set()).add(before)
    found = {event: list(dict.fromkeys(before)) for event, before in found.items()}
    return _shared_by_alternatives(found, order.sequences)


def _shared_by_alternatives(
    needs: Mapping[str, Sequence[str]], sequences: Sequence[EventSequence]
) -> dict[str, list[str]]:
    """Prerequisites, the outcomes of a step having the same ones: who cannot pay cannot fail to pay either.

    What itself waits for an alternative, or for a later step, is none.
    """
    found = {event: list(before) for event, before in needs.items()}
    for sequence in sequences:
        for number, step in enumerate(sequence.steps):
            rest = {event for later in sequence.steps[number:] for event in later.events}
            for event in step.events:
                others = rest - {event}
                found[event] = [
                    b for b in found.get(event, ()) if not any(waits_for(found, b, other) for other in others)
                ]
            if not number or step.repeats > 1:
                continue
            every = dict.fromkeys(before for event in step.events for before in found.get(event, ()))
            for event in step.events:
                own = found.get(event, [])
                added = [b for b in every if b not in {*rest, *own} and not waits_for(found, b, event)]
                if added:
                    found[event] = [*own, *added]
    return {event: before for event, before in found.items() if before}


# --------------------------------------------------------------------------- sessions and stages

ALWAYS_ALLOWED = frozenset(
    {
        *(Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END, Kind.CRASH, Kind.REGISTER),
        *(Kind.ONBOARDING, Kind.GOODBYE, Kind.VERIFY, Kind.SETTING),
    }
)
"""Kinds of events that happen in every stage of a life."""


def session_start(order: EventOrder) -> list[str]:
    """The app first, then sessions and visits, then the account, then the character."""

    def rank(r: Reading) -> tuple[int, int]:
        return (3 if r.says("character") else 2 if r.says("login") else 0 if r.says("app") else 1, r.index)

    return [r.name for r in sorted(order.of(Kind.SESSION_START), key=rank) if r.name not in order.legacy]


def session_end(order: EventOrder) -> list[str]:
    """What closes a session, in the opposite order."""

    def rank(r: Reading) -> tuple[int, int]:
        return (0 if r.says("character") else 1 if r.says("logout") else 3 if r.says("app") else 2, r.index)

    return [r.name for r in sorted(order.of(Kind.SESSION_END), key=rank) if r.name not in order.legacy]


def _introduction(order: EventOrder) -> list[Reading]:
    """Events that introduce users who have an account."""
    found = [r for r in order.of(Kind.ONBOARDING) if r.says("tutorial") or "tutorial" in r.text]
    ways = [s for s in order.sequences if s.kind == "onboarding"]
    leads = any(order.kinds[event] is Kind.REGISTER for way in ways[:1] for event in way.steps[-1].events)
    return [] if leads else [r for r in found if r.name not in order.legacy]


def _onboarding_end(order: EventOrder) -> str | None:
    """The event that ends the introduction; None where there is none."""
    good = [r for r in _introduction(order) if not r.fails]
    done = [r for r in good if r.succeeds and r.step is None]
    staged = sorted((r for r in good if r.place is not None), key=lambda r: (r.place or 0, r.index))
    last = done or staged or good
    return last[-1].name if last else None


def stage_events(order: EventOrder) -> dict[str, Stage]:
    """By event, the stage that it moves a user to."""
    stages: dict[str, Stage] = {r.name: Stage.INSTALLED for r in order.of(Kind.INSTALL)}
    opening = session_start(order)
    if opening:
        stages[opening[0]] = Stage.FIRST_SESSION
    registers = [r for r in order.of(Kind.REGISTER) if r.name not in order.legacy]
    account = anchor([r for r in registers if not r.says("character")])
    for r in (account, anchor([r for r in registers if r.says("character")])):
        if r is not None:
            stages[r.name] = Stage.REGISTERED
    account = account or anchor(registers)
    end = _onboarding_end(order)
    intro = _introduction(order) if end else []
    if intro and intro[0].name != end:
        first = min(intro, key=lambda r: (r.place if r.place is not None else 2.5, r.index))
        stages[first.name] = Stage.ONBOARDING_STARTED
    for r in intro:
        if r.name == end or r.phase == "skip":
            stages[r.name] = Stage.ONBOARDING_COMPLETED
    if not opening and not account and not end:
        # Nothing marks an arrival: whatever opens a sequence does, or else the first event of users.
        heads = [event for s in order.sequences for event in s.steps[0].events]
        own = [r.name for r in order.readings.values() if order.kinds[r.name] not in (Kind.SYSTEM, Kind.INSTALL)]
        for name in [*heads, *own[:1]]:
            stages[name] = Stage.FIRST_SESSION
    return stages


_RARE = frozenset({Kind.CRASH, Kind.SETTING, Kind.SUPPORT, Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.VERIFY})


def lifecycle(order: EventOrder, stages: Mapping[str, Stage], needs: Mapping[str, Sequence[str]]) -> dict[str, Stage]:
    """The earliest stage of every event that does not happen from the first one on."""
    opened = Stage.FIRST_SESSION if session_start(order) else Stage.INSTALLED
    account = Stage.REGISTERED if Stage.REGISTERED in stages.values() else opened
    basic = Stage.ONBOARDING_COMPLETED if Stage.ONBOARDING_COMPLETED in stages.values() else account
    found = {name: _earliest(order, r, opened, account, basic) for name, r in order.readings.items()}
    for sequence in order.sequences:  # a later step is never earlier in life than the one before
        reached = Stage.INSTALLED
        for number, step in enumerate(sequence.steps):
            for event in step.events:
                if number and found[event] is Stage.ADVANCED:  # who is on the way may go it to its end
                    found[event] = basic
                found[event] = max(found[event], reached, key=lambda stage: stage.rank)
            reached = min((found[event] for event in step.events), key=lambda stage: stage.rank)
    first = basic if order.is_game else account
    for name in found:  # what is rare is no pastime for those to whom nothing else is open yet
        if order.kinds[name] in _RARE:
            found[name] = max(found[name], first, key=lambda stage: stage.rank)
    for name, stage in stages.items():  # neither what opens a stage nor what comes before that waits for the stage
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
    """An event and everything that must have happened before it."""
    before: dict[str, set[str]] = {event: set(names) for event, names in needs.items()}
    for sequence in order.sequences:
        for earlier, step in zip(sequence.steps, sequence.steps[1:], strict=False):
            for event in step.events:
                before.setdefault(event, set()).update(step.follows or earlier.events)
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        event = waiting.pop()
        if event not in seen:
            seen.add(event)
            waiting += before.get(event, set())
    return seen


def _earliest(order: EventOrder, r: Reading, opened: Stage, account: Stage, basic: Stage) -> Stage:
    kind = order.kinds[r.name]
    if kind is Kind.ADVANCED:
        return Stage.ADVANCED
    if kind is Kind.GOODBYE or (kind is Kind.GROUP and order.is_game) or r.says("first"):
        arrives = kind in (Kind.INSTALL, Kind.SESSION_START, Kind.DEVICE)
        return Stage.INSTALLED if arrives else Stage.ACTIVE
    if kind is Kind.SUBSCRIBE and (r.fails or r.action in ("renew", "upgrade", "downgrade")):
        return Stage.ACTIVE
    if kind is Kind.ONBOARDING:
        return opened
    if kind in ALWAYS_ALLOWED:
        return Stage.INSTALLED
    if not order.is_game:
        if kind in (Kind.SEARCH, Kind.BROWSE, Kind.EXPOSURE, Kind.AD, Kind.SHARE):
            return Stage.INSTALLED
        if kind in (Kind.CART, Kind.CHECKOUT, Kind.PAY, Kind.PAY_FAIL, Kind.AFTER_SALE, Kind.SUBSCRIBE, Kind.MONEY):
            return account
    return basic


def once(order: EventOrder) -> list[str]:
    """What happens once in a user's life."""
    counted = {step.events[0] for s in order.sequences for step in s.steps if step.repeats > 1}
    found: list[str] = []
    for r in order.readings.values():
        kind = order.kinds[r.name]
        if kind in (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END) or r.name in counted or r.name in order.legacy:
            continue
        said = told_once(order.events[r.name])
        arrives = kind in (Kind.INSTALL, Kind.DEVICE, Kind.GOODBYE) or (kind is Kind.REGISTER and not r.fails)
        introduces = kind is Kind.ONBOARDING and (r.place is not None or r.action in ("set", "create"))
        settled = r.succeeds or r.phase == "accept" or (r.phase is None and r.action in ("verify", None))
        proves = kind is Kind.VERIFY and settled and not r.things & {"code"}
        tries = r.says("trial") and not r.fails and r.phase in (None, "start", "request", "submit")
        first = r.says("first") and kind is not Kind.EARN and not one_of_many(order.events[r.name])
        if said or arrives or introduces or proves or tries or first:
            found.append(r.name)
    return found


def daily(order: EventOrder) -> list[str]:
    """What happens once on a user's day at most."""
    fixed = (Kind.SYSTEM, Kind.SESSION_END, Kind.INSTALL, Kind.REGISTER)
    return [
        r.name
        for r in order.readings.values()
        if order.kinds[r.name] not in fixed and told_daily(order.events[r.name], r)
    ]


def final(order: EventOrder) -> list[str]:
    """What ends a user's life; the request of it, or a step before another, does not."""
    led = {event for s in order.sequences for step in s.steps[:-1] for event in step.events}
    return [r.name for r in order.of(Kind.GOODBYE) if _is_over(r) and r.name not in led and r.name not in order.legacy]


def _is_over(r: Reading) -> bool:
    return not r.fails and (r.place is None or r.place >= 4.5) and r.action not in ("view", "click", "verify")
