"""What users are shown and then click, and what they search and then look at, play or read."""

from __future__ import annotations

from collections.abc import Sequence

from gamestats_assets.demo_data.analysis.event_chains import (
    REGRETTED,
    Chain,
    entries_into,
    goes_wrong,
    identifiers_of,
    is_of_others,
    takes_back,
    takes_days,
)
from gamestats_assets.demo_data.analysis.event_kinds import SIGHTS, EventKind, deals
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import FILLERS, PLAYABLE, Reading, concepts, pieces, word_set
from gamestats_assets.demo_data.rules.model import EventSequence, Step

Kind = EventKind

_EXPOSED = ("ad", "share", "push", "banner", "mail", "campaign")

# --------------------------------------------------------------------------- advertisements, notifications, shares


def find_exposures(order: EventOrder) -> None:
    """What is requested or sent, then shown, then clicked."""
    for thing in _EXPOSED:
        places: dict[float, list[Reading]] = {}
        for r in order.free():
            if r.says(thing) and (place := _exposure_place(r, thing)) is not None:
                places.setdefault(place, []).append(r)
        if len(places) < 2:
            continue
        if 4 in places and 3 in places:
            places[4] += places.pop(3)
        steps = []
        for place in sorted(places):
            at = sorted(places[place], key=lambda r: r.index)
            weights = [_exposure_weight(r) for r in at]
            chance = {1: 0.95, 2: 0.92, 2.5: 0.15, 3: 0.12, 4: 0.9, 5: 0.85, 6: 0.25}.get(place, 1.0)
            if any(r.fails or r.phase == "close" for r in at):
                chance = 0.95
            steps.append(
                Step(
                    events=[r.name for r in at], weights=weights if len(at) > 1 else [], probability=chance, after_s=12
                )
            )
        order.add(thing, "funnel", steps)
    for r in order.free():
        shown = next((o for o in order.free() if o.action in ("show", "view") and _is_of(r, o)), None)
        if r.action == "click" and shown is not None:
            then = Step(events=[r.name], probability=0.12, after_s=12)
            order.add("_".join(sorted(r.things)), "funnel", [Step(events=[shown.name]), then])


def _is_of(r: Reading, shown: Reading) -> bool:
    """Whether what is clicked is what was shown."""
    return bool(r.things) and r.things == shown.things and r.place is None and shown.place is None


def _exposure_place(r: Reading, thing: str) -> float | None:
    """0 asked for or sent, 1 loaded or received, 2 shown, 3 clicked, 4 seen to the end, 5 rewarded, 6 installed."""
    if r.says("revenue", "income", "spend", "setting", "permission", "delete", "pay", "buy"):
        return None
    if r.says("install", "register") or (thing == "share" and r.says("join", "visit")):
        return 6
    rewarded = r.says("reward") and r.action in (None, "get", "receive") and r.phase in (None, "success")
    if r.phase == "claim" or rewarded:
        return 5 if thing in ("ad", "share") else None
    if r.says("click"):
        return 3
    if r.phase in ("complete", "success", "done", "end"):
        return 4
    if r.phase in ("close", "skip", "exit") or r.fails:
        return 4 if thing == "ad" and not r.says("request") else 3 if thing != "ad" else None
    if thing == "share":
        return 0 if r.action in ("share", None) else None
    if r.phase == "open":
        return 3 if thing != "ad" else 2
    if r.action in ("show", "view", "play") or r.phase == "start":
        return 2
    if r.says("load") or (r.action == "receive" and thing in ("push", "campaign")):
        return 1
    return 0 if r.phase in ("request", "attempt") or r.action == "send" else None


def _exposure_weight(r: Reading) -> float:
    if r.fails or r.phase == "close":
        return 0.5
    return 0.15 if r.says("click") or r.phase == "open" else 0.7


# --------------------------------------------------------------------------- from a search to what is found


def find_discoveries(order: EventOrder) -> None:
    """A search leads to what is looked at, and that to what is played, read or learnt; lists are filtered."""
    _screens(order)
    if not order.is_game:
        _searches(order)
        _filters(order)


def _heads(order: EventOrder) -> list[Reading]:
    """Single events that begin a way; they can begin another one, or a way can lead to them."""
    begun = {s.steps[0].events[0] for s in order.sequences if s.kind != "onboarding" and len(s.steps[0].events) == 1}
    return [order.readings[name] for name in order.readings if name in begun]


def _coarser(order: EventOrder, looked: Sequence[Reading], target: EventSequence) -> list[Reading]:
    """Of what is looked at that which contains what a way begins with, as ids tell: a series and its episodes."""
    head = order.readings[target.steps[0].events[0]]
    ids = {r.name: set(identifiers_of(order, r.name)) for r in looked}
    return [
        r for r in looked if r is not head and r.action == "view" and ids[r.name] and ids[r.name] <= head.properties
    ]


def _searches(order: EventOrder) -> None:
    free = order.free()
    searches = [r for r in free if order.kinds[r.name] is Kind.SEARCH and not r.says("searchresult")]
    browsed = [r for r in free if order.kinds[r.name] is Kind.BROWSE and r.action != "filter"]
    lists = [r for r in browsed if r.says("list", "home") or r.things == {"feed"}]
    clicks = [r for r in browsed if r.says("searchresult") and not r.fails]
    views = [r for r in browsed if r.things & SIGHTS and r not in lists and r not in clicks]
    views = [r for r in views if r.action in ("view", "click", "visit") or r.phase in ("open", "choose")]
    first = [Step(events=[r.name for r in (searches if clicks else (*searches, *lists))])] if searches else []
    if first and clicks:
        first.append(Step(events=[r.name for r in clicks], probability=0.65, after_s=20))
    middle = [Step(events=[r.name for r in views[:3]], probability=0.7, after_s=25)] if views else []
    target = next((s for s in order.sequences if s.kind == "sequence" and _plays(order, s)), None)
    views_things = {thing for r in views for thing in r.things}
    if target is not None and middle and not clicks and not _views_first(order, target):
        about = {thing for event in target.steps[0].events for thing in order.readings[event].things}
        if views_things & PLAYABLE or views_things & about or not about:
            order.sequences.remove(target)
            rest = [target.steps[0].model_copy(update={"probability": 0.6, "after_s": 15}), *target.steps[1:]]
            order.add(target.name, "sequence", [*first, *middle, *rest])
            return
    if target is not None and first and _views_first(order, target):
        order.sequences.remove(target)
        looked = [r for r in (*order.free(), *_heads(order)) if order.kinds[r.name] is Kind.BROWSE]
        within = _coarser(order, looked, target)
        middle = [Step(events=[r.name for r in within], probability=0.7, after_s=25)] if within else []
        then = target.steps[0].model_copy(update={"probability": 0.7})
        order.add(target.name, "sequence", [*first, *middle, then, *target.steps[1:]])
        return
    if first and (middle or clicks):
        order.add("discovery", "funnel", [*first, *middle])


def _screens(order: EventOrder) -> None:
    """What is done on a screen, as the description says: `The report on the screen has been downloaded`."""
    found: dict[str, list[Reading]] = {}
    for r in order.free():
        shown = next((m.event for m in order.told.get(r.name, ()) if m.here), None)
        if shown is None and r.action in ("export", "download"):
            made = [o for o in order.free() if o.action in ("create", "view") and _is_of(r, o)]
            shown = next((o.name for o in made if o.properties & r.properties), None)
        if shown is not None and shown not in order.taken() and order.kinds[r.name] is not Kind.SYSTEM:
            found.setdefault(shown, []).append(r)
    for shown, then in found.items():
        done = [r for r in then if r.name not in found and r.name not in order.taken()]
        if done and shown not in order.taken():
            step = Step(events=[r.name for r in done], probability=0.4 if len(done) == 1 else 0.7, after_s=25)
            order.add("_".join(sorted(done[0].topic)), "funnel", [Step(events=[shown]), step])


def _filters(order: EventOrder) -> None:
    """Filters are set in what was searched or listed."""
    heads = {event for s in order.sequences if s.kind != "onboarding" for event in s.steps[0].events}
    looked = [r for r in order.readings.values() if order.kinds[r.name] in (Kind.SEARCH, Kind.BROWSE)]
    looked = [r for r in looked if r.name in heads or r.name not in order.taken()]
    for r in order.free():
        if r.action != "filter":
            continue
        lists = [o for o in looked if o is not r and (o.action == "search" or o.says("list"))]
        near = [o for o in lists if o.things & r.things or not o.things - {"product", "list"}] or lists
        if near:
            then = Step(events=[r.name], probability=0.6, after_s=15)
            order.add("filter", "sequence", [Step(events=[near[0].name]), then])


# --------------------------------------------------------------------------- what is done with what is looked at


def find_choices(order: EventOrder, chains: Sequence[Chain]) -> None:
    """A thing is looked at, and one of several things is done with it: a card is passed on, or liked."""
    opened = [r for r in order.free() if r.phase in ("open", "enter", "start")]
    shown = [r for r in order.readings.values() if r.action in ("view", "show", "read") and r.place is None]
    for r in (*opened, *(r for r in shown if r.action in _named(order, r) and not goes_wrong(r))):
        begins = r.name not in order.taken() or r in _heads(order)
        acts = _choices(order, r, chains) if begins and order.kinds[r.name] not in _NO_CHOICE else []
        if r.phase == "start":  # a conversation, in which one says something
            acts = [act for act in acts if order.kinds[act.name] is Kind.SOCIAL]
        if acts:
            _choose(order, r, acts, chains, opens=r in opened)


_NO_CHOICE = frozenset({Kind.EXPOSURE, Kind.AD, Kind.ONBOARDING, Kind.SUPPORT, Kind.SYSTEM, Kind.SESSION_START})
_NO_ACT = word_set("view list show visit read search filter click track receive get share report refund delete issue")
_SELDOM = word_set("subscribe bookmark save add follow like write comment rate review export download")
_EARNED = word_set("exchange claim unlock levelup")
"""What becomes possible by what was done before."""


def _choices(order: EventOrder, shown: Reading, chains: Sequence[Chain]) -> list[Reading]:
    """What is done with what is shown, as ids and the sheet's tags tell."""
    ids = set(identifiers_of(order, shown.name))
    births = {chain.birth for chain in chains}
    found: list[Reading] = []
    for r in order.free():
        if r is shown or not ids & r.properties or r.tag != shown.tag or r.name in births:
            continue
        begun = any(o.topic == r.topic and (o.place or 9) < 5 and o.name not in births for o in order.readings.values())
        begun = begun or bool(entries_into(order, r))
        staged = r.phase in _named(order, r) and ((r.place or 9) < 5 or begun or r.phase in ("timeout", "cancel"))
        elsewhere = any(m.event != shown.name for m in order.told.get(r.name, ()))
        elsewhere = elsewhere or takes_days(order.taxonomy.event(r.name)) or pieces(r.name)[-1] in REGRETTED
        if not (
            is_of_others(order, r)
            or elsewhere
            or staged
            or (r.action == "sell" and any(o.action == "buy" and o.topic == r.topic for o in order.readings.values()))
            or "certificate" in r.things
            or r.action in _NO_ACT
            or takes_back(order, r)
            or order.kinds[r.name] in _NO_CHOICE
        ):
            found.append(r)
    return found


def _named(order: EventOrder, r: Reading) -> set[str]:
    """What an event's name or alias says, and not its description alone."""
    return {*concepts(r.name), *concepts(order.taxonomy.event(r.name).alias)}


def _choose(
    order: EventOrder, shown: Reading, acts: Sequence[Reading], chains: Sequence[Chain], *, opens: bool
) -> None:
    """Note a choice; sheets tell what is usual first."""
    earned = [r for r in acts if r.action in _EARNED]
    acts = [r for r in acts if r not in earned] or acts
    weights = [round(1 / (1 + number) ** 1.5, 3) for number in range(len(acts))] if len(acts) > 1 else []
    seldom = all(r.action in _SELDOM or deals(r) for r in acts)
    probability = 0.6 if opens else 0.15 * len(acts) if seldom else 0.8 if len(acts) > 1 else 0.5
    talks = opens and all(order.kinds[r.name] is Kind.SOCIAL for r in acts)
    step = Step(events=[r.name for r in acts], weights=weights, probability=probability, repeats=3 if talks else 1)
    steps = [Step(events=[shown.name]), step, *_come_of_it(order, shown, acts, chains)]
    if earned and earned != acts and len(steps) == 2:
        steps.append(Step(events=[r.name for r in earned], probability=0.05, after_s=30))
    order.add("_".join(sorted(shown.topic)), "funnel", steps)


def _come_of_it(order: EventOrder, shown: Reading, acts: Sequence[Reading], chains: Sequence[Chain]) -> list[Step]:
    """What comes into being by one of several acts that its description speaks of, and is then opened."""
    ids = set(identifiers_of(order, shown.name))
    for chain in chains:
        born = order.readings[chain.birth]
        if not chain.lasts or born.name in order.taken() or not ids & born.properties:
            continue
        told = born.description - FILLERS
        leading = [r.name for r in acts if told & ({*r.words} - shown.topic)]
        if not leading:
            continue
        follows = leading if len(leading) < len(acts) else []
        opened = [r.name for r in _heads(order) if r.name in chain.members and r.phase in ("open", "enter")]
        then = [Step(events=opened, probability=0.5, after_s=40)] if opened else []
        return [Step(events=[born.name], probability=0.15, after_s=30, follows=follows), *then]
    return []


def _plays(order: EventOrder, sequence: EventSequence) -> bool:
    heads = [order.readings[event] for step in sequence.steps[:2] for event in step.events]
    return any(r.action == "play" or r.says("play") or r.things & PLAYABLE for r in heads)


def _views_first(order: EventOrder, sequence: EventSequence) -> bool:
    return order.readings[sequence.steps[0].events[0]].action == "view"
