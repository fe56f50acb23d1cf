"""How far along in a user's life an event happens: what opens and closes sessions, what happens once, stages."""

from __future__ import annotations

from gamestats_assets.demo_data.analysis.event_frequency import one_of_many, told_daily, told_once
from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.event_order import ALWAYS_ALLOWED, EventOrder, anchor
from gamestats_assets.demo_data.analysis.event_words import Reading
from gamestats_assets.demo_data.rules.model import LifecycleStage

Kind = EventKind


def session_start(order: EventOrder) -> list[str]:
    """The app first, then sessions and visits, then the account, then the character."""

    def rank(r: Reading) -> tuple[int, int]:
        return (3 if r.says("character") else 2 if r.says("login") else 0 if r.says("app") else 1, r.index)

    return [r.name for r in sorted(order.of(Kind.SESSION_START), key=rank)]


def session_end(order: EventOrder) -> list[str]:
    def rank(r: Reading) -> tuple[int, int]:
        return (0 if r.says("character") else 1 if r.says("logout") else 3 if r.says("app") else 2, r.index)

    return [r.name for r in sorted(order.of(Kind.SESSION_END), key=rank)]


def _onboarding_events(order: EventOrder) -> list[Reading]:
    return [r for r in order.of(Kind.ONBOARDING) if r.says("tutorial") or "tutorial" in r.text]


def _leads_to_account(order: EventOrder) -> bool:
    """Whether what introduces new users is the way to their account, and not what comes after it."""
    ways = [sequence for sequence in order.sequences if sequence.kind == "onboarding"]
    return any(order.kinds[event] is Kind.REGISTER for way in ways[:1] for event in way.steps[-1].events)


def onboarding_end(order: EventOrder) -> str | None:
    """The event that ends the introduction; None where there is no introduction to those who have an account."""
    found = [] if _leads_to_account(order) else _onboarding_events(order)
    good = [r for r in found if not r.fails]
    done = [r for r in good if r.succeeds and r.step is None]
    staged = sorted((r for r in good if r.place is not None), key=lambda r: (r.place or 0, r.index))
    last = done or staged or good
    return last[-1].name if last else None


def stage_events(order: EventOrder) -> dict[str, LifecycleStage]:
    stages: dict[str, LifecycleStage] = {}
    for r in order.of(Kind.INSTALL):
        stages[r.name] = LifecycleStage.INSTALLED
    opening = session_start(order)
    if opening:
        stages[opening[0]] = LifecycleStage.FIRST_SESSION
    registers = order.of(Kind.REGISTER)
    account = anchor([r for r in registers if not r.says("character")])
    for r in (account, anchor([r for r in registers if r.says("character")])):
        if r is not None:
            stages[r.name] = LifecycleStage.REGISTERED
    account = account or anchor(registers)
    end = onboarding_end(order)
    intro = _onboarding_events(order) if end else []
    if intro and intro[0].name != end:
        first = min(intro, key=lambda r: (r.place if r.place is not None else 2.5, r.index))
        stages[first.name] = LifecycleStage.ONBOARDING_STARTED
    for r in intro:
        if r.name == end or r.phase == "skip":
            stages[r.name] = LifecycleStage.ONBOARDING_COMPLETED
    if not opening and not account and not end:
        # Nothing marks an arrival: whatever opens a sequence does, or else the first event of users.
        heads = [event for s in order.sequences for event in s.steps[0].events]
        own = [r.name for r in order.readings.values() if order.kinds[r.name] not in (Kind.SYSTEM, Kind.INSTALL)]
        for name in [*heads, *own[:1]]:
            stages[name] = LifecycleStage.FIRST_SESSION
    return stages


def lifecycle(
    order: EventOrder, stages: dict[str, LifecycleStage], prerequisites: dict[str, list[str]]
) -> dict[str, LifecycleStage]:
    """The earliest stage of every event that does not happen from the first one on."""
    opened = LifecycleStage.FIRST_SESSION if session_start(order) else LifecycleStage.INSTALLED
    registered = LifecycleStage.REGISTERED in stages.values()
    account = LifecycleStage.REGISTERED if registered else opened
    introduced = LifecycleStage.ONBOARDING_COMPLETED in stages.values()
    basic = LifecycleStage.ONBOARDING_COMPLETED if introduced else account
    found: dict[str, LifecycleStage] = {}
    for name, r in order.readings.items():
        found[name] = _earliest(order, r, opened, account, basic)
    for sequence in order.sequences:  # a later step is never earlier in life than the one before
        reached = LifecycleStage.INSTALLED
        for number, step in enumerate(sequence.steps):
            for event in step.events:
                if number and found[event] is LifecycleStage.ADVANCED:  # who is on the way may go it to its end
                    found[event] = basic
                found[event] = max(found[event], reached, key=lambda stage: stage.rank)
            reached = min((found[event] for event in step.events), key=lambda stage: stage.rank)
    first = _first_usual(order, found, account, prerequisites)
    for name in found:  # what is rare is no pastime for those to whom nothing else is open yet
        if order.kinds[name] in _RARE:
            found[name] = max(found[name], first, key=lambda stage: stage.rank)
    for name, stage in stages.items():  # neither what opens a stage nor what comes before that waits for the stage
        before = opened if stage.rank > opened.rank else LifecycleStage.INSTALLED
        for event in _all_before(name, order, prerequisites):
            if found[event].rank >= stage.rank:
                found[event] = before
    kept = {Kind.INSTALL, Kind.REGISTER, Kind.ONBOARDING}
    return {
        name: stage
        for name, stage in found.items()
        if order.kinds[name] is not Kind.SYSTEM and (stage.rank or order.kinds[name] in kept)
    }


_RARE = frozenset({Kind.CRASH, Kind.SETTING, Kind.SUPPORT, Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.VERIFY})
_USUAL = frozenset(
    {
        *(Kind.SEARCH, Kind.BROWSE, Kind.CORE, Kind.OTHER, Kind.EARN, Kind.SPEND, Kind.CREATE, Kind.MONEY, Kind.GROWTH),
        *(Kind.GACHA, Kind.SOCIAL),
    }
)


def _first_usual(
    order: EventOrder,
    found: dict[str, LifecycleStage],
    account: LifecycleStage,
    prerequisites: dict[str, list[str]],
) -> LifecycleStage:
    """The stage in which users begin to do what they usually do."""
    later = {event for sequence in order.sequences for step in sequence.steps[1:] for event in step.events}
    stages = [
        max(found[name], account, key=lambda stage: stage.rank)
        if any(order.kinds[before] is Kind.REGISTER for before in prerequisites.get(name, ()))
        else found[name]
        for name in found
        if order.kinds[name] in _USUAL and name not in later
    ]
    return min(stages, key=lambda stage: stage.rank, default=LifecycleStage.INSTALLED)


def _all_before(name: str, order: EventOrder, prerequisites: dict[str, list[str]]) -> set[str]:
    """An event and everything that must have happened before it."""
    before: dict[str, set[str]] = {event: set(names) for event, names in prerequisites.items()}
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


def _earliest(
    order: EventOrder, r: Reading, opened: LifecycleStage, account: LifecycleStage, basic: LifecycleStage
) -> LifecycleStage:
    kind = order.kinds[r.name]
    if kind is Kind.ADVANCED:
        return LifecycleStage.ADVANCED
    if kind is Kind.GOODBYE or (kind is Kind.GROUP and order.is_game) or r.says("first"):
        return (
            LifecycleStage.INSTALLED
            if kind in (Kind.INSTALL, Kind.SESSION_START, Kind.DEVICE)
            else LifecycleStage.ACTIVE
        )
    if kind is Kind.SUBSCRIBE and (r.fails or r.action in ("renew", "upgrade", "downgrade")):
        return LifecycleStage.ACTIVE
    if kind is Kind.ONBOARDING:
        return opened
    if kind in ALWAYS_ALLOWED:
        return LifecycleStage.INSTALLED
    if not order.is_game:
        if kind in (Kind.SEARCH, Kind.BROWSE, Kind.EXPOSURE, Kind.AD, Kind.SHARE):
            return LifecycleStage.INSTALLED
        if kind in (Kind.CART, Kind.CHECKOUT, Kind.PAY, Kind.PAY_FAIL, Kind.AFTER_SALE, Kind.SUBSCRIBE, Kind.MONEY):
            return account
    return basic


def once(order: EventOrder) -> list[str]:
    """What happens once in a user's life."""
    counted = {step.events[0] for s in order.sequences for step in s.steps if step.repeats > 1}
    found: list[str] = []
    for r in order.readings.values():
        kind = order.kinds[r.name]
        if kind in (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END) or r.name in counted:
            continue
        said = told_once(order.taxonomy.event(r.name))
        arrives = kind in (Kind.INSTALL, Kind.DEVICE, Kind.GOODBYE) or (kind is Kind.REGISTER and not r.fails)
        introduces = kind is Kind.ONBOARDING and (r.place is not None or r.action in ("set", "create"))
        proves = kind is Kind.VERIFY and (r.succeeds or r.phase in (None, "accept")) and not r.things & {"code"}
        tries = r.says("trial") and not r.fails and r.phase in (None, "start", "request", "submit")
        first = r.says("first") and kind is not Kind.EARN and not one_of_many(order.taxonomy.event(r.name))
        if said or arrives or introduces or proves or tries or first:
            found.append(r.name)
    return [name for name in order.readings if name in {*found, *_leading_to(found, order)}]


def daily(order: EventOrder) -> list[str]:
    """What happens once on a user's day at most."""
    fixed = (Kind.SYSTEM, Kind.SESSION_END, Kind.INSTALL, Kind.REGISTER)
    return [
        r.name
        for r in order.readings.values()
        if order.kinds[r.name] not in fixed and told_daily(order.taxonomy.event(r.name), r)
    ]


def final(order: EventOrder) -> list[str]:
    """What ends a user's life; the request of it, or a step before another, does not."""
    led = {event for s in order.sequences for step in s.steps[:-1] for event in step.events}
    return [r.name for r in order.of(Kind.GOODBYE) if _is_over(r) and r.name not in led]


def _is_over(r: Reading) -> bool:
    return not r.fails and (r.place is None or r.place >= 4.5) and r.action not in ("view", "click", "verify")


def _leading_to(found: list[str], order: EventOrder) -> set[str]:
    """What leads only to what happens once is not begun again either."""
    leading: set[str] = set()
    for sequence in order.sequences:
        reached = [place for place, step in enumerate(sequence.steps) if set(step.events) & set(found)]
        if sequence.kind != "onboarding" and reached:
            leading.update(event for step in sequence.steps[: reached[-1]] for event in step.events)
    return leading
