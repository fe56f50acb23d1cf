"""Stages of lives that take days: a shipment on its way, a case at court, a trip that was booked.

Such a life is cut into events of different sessions. Each stage still needs the one before it, as the sheet lists
them, that every such life passes: not a trouble and what resolves it, and not what may be done at any time.
"""

from __future__ import annotations

from collections.abc import Sequence

from gamestats_assets.demo_data.analysis.event_chains import (
    Chain,
    find_chains,
    goes_wrong,
    identifiers_of,
    in_order,
    is_aside,
    is_regret,
    takes_back,
    takes_days,
)
from gamestats_assets.demo_data.analysis.event_consequences import is_trouble, opinion
from gamestats_assets.demo_data.analysis.event_kinds import EventKind, deals
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import LOOKS, Reading, pieces, word_set

Kind = EventKind

_NO_STAGE = frozenset({Kind.SOCIAL, Kind.SHARE, Kind.BROWSE, Kind.SEARCH, Kind.SUPPORT, Kind.VERIFY})
_AT_WILL = word_set("assign edit add create upload archive delete connect")
"""What may be done with a thing that lies there, such as a task."""


_EXTRA = frozenset({"order", "rent"})
"""What may be dealt in within what was booked: a meal within a stay."""


def stages_before(order: EventOrder) -> dict[str, str]:
    """By event, the stage of its thing's life that has been passed before."""
    chains = find_chains(order)
    births = {chain.birth for chain in chains}
    taken = order.taken()
    found: dict[str, str] = {}
    for chain in chains:
        if not _takes_days(order, chain):
            continue
        members = sorted((order.readings[name] for name in chain.members), key=lambda r: r.index)
        line = _stages(order, chain, members, births)
        for r, before in zip(line[1:], line, strict=False):
            found.setdefault(r.name, before.name)
        for r in members:
            before = _of_outcome(order, r, line, members)
            if before is None and opinion(r):
                before = next((stage for stage in reversed(line[1:]) if stage.index < r.index), None)
            if before is not None:
                found.setdefault(r.name, before.name)
    return {name: before for name, before in found.items() if name not in taken}


def _takes_days(order: EventOrder, chain: Chain) -> bool:
    """Whether a life goes on after what happens at once; of what just lies there, if texts tell of hours or days."""
    birth = order.readings[chain.birth]
    later = [order.taxonomy.event(name) for name in chain.members if name != chain.birth]
    return not chain.lasts or any(takes_days(event, birth.properties) for event in later)


def _stages(order: EventOrder, chain: Chain, members: Sequence[Reading], births: set[str]) -> list[Reading]:
    """What every such life passes, one after the other, the birth first."""
    birth = order.readings[chain.birth]
    good = [r for r in members if r is not birth and r.name not in births and _may_be_passed(order, r)]
    good = [r for r in good if not (r.action in _AT_WILL and (chain.lasts or birth.topic < r.topic))]
    good = [r for r in good if r.action != "save"]  # kept for later, by who likes
    good = [r for r in good if not (deals(birth) and r.action in _EXTRA and r.action != birth.action)]
    bad = {r.name for r in members if goes_wrong(r)}
    good = [r for r in good if not bad & {mention.event for mention in order.told.get(r.name, ())}]
    good = [r for r in good if not any(_is_instead(r, o) for o in good) and _trouble_of(order, r, members) is None]
    return [birth, *in_order(order, good)]


def _may_be_passed(order: EventOrder, r: Reading) -> bool:
    if is_trouble(order, r) or goes_wrong(r) or takes_back(order, r) or opinion(r) or r.phase in ("pause", "resume"):
        return False
    return not (is_aside(order, r) or r.action in LOOKS or order.kinds[r.name] in _NO_STAGE)


def _is_instead(r: Reading, o: Reading) -> bool:
    """Whether two events end the same thing in two ways."""
    return r is not o and r.topic == o.topic and min(r.place or 0, o.place or 0) >= 5


def _trouble_of(order: EventOrder, r: Reading, members: Sequence[Reading]) -> Reading | None:
    """The trouble that an event resolves: parcels held by customs are cleared."""
    above = [o for o in members if o.index < r.index and is_trouble(order, o) and not o.fails]
    alike = [o for o in above if o.topic & r.topic and set(pieces(o.name)[:1]) == set(pieces(r.name)[:1])]
    solved = [o for o in alike if not is_trouble(order, r) and (r.place or 0) >= 5]
    return solved[-1] if solved else None


def _of_outcome(order: EventOrder, r: Reading, line: Sequence[Reading], members: Sequence[Reading]) -> Reading | None:
    """What comes before an event that resolves a trouble, or tells that a stage of the life did not come about."""
    solved = _trouble_of(order, r, members)
    if solved is not None or not goes_wrong(r) or is_regret(r):
        return solved
    above = [stage for stage in line[1:] if stage.index < r.index]
    alike = [place for place, stage in enumerate(above, 1) if (r.things or r.topic) & {*stage.words, stage.action}]
    return line[alike[-1] - 1] if alike else None


def taken_back(order: EventOrder, r: Reading) -> list[Reading]:
    """What an event may take back: deeds above it with the same id that it names, and those that are done instead."""
    ids = set(identifiers_of(order, r.name)) if takes_back(order, r) else set[str]()
    deeds = [o for o in order.readings.values() if o.index < r.index and ids & o.properties and _is_deed(order, o)]
    words = set(pieces(r.name)) - {piece for name in ids for piece in pieces(name)}
    named = {o.name for o in deeds if any(_is_same_word(a, b) for a in pieces(o.name) for b in words)}
    steps = [set(step.events) for sequence in order.sequences for step in sequence.steps]
    instead = {event for step in steps if step & named for event in step}
    return [o for o in deeds if o.name in named | instead]


def _is_deed(order: EventOrder, r: Reading) -> bool:
    return r.action not in LOOKS and not goes_wrong(r) and not takes_back(order, r)


def _is_same_word(a: str, b: str) -> bool:
    """Whether two words differ in their ends at most: `swipe` and `swiped`."""
    return min(len(a), len(b)) > 3 and (a.startswith(b) or b.startswith(a))
