"""What brings a thing with an id into being: a shipment is created, a ticket opened, an order requested.

Events that carry one id are about one thing, and nothing happens to a thing before it is there. Ids of people, devices
and sessions are none of these, nor are those of a catalogue: what users look at is there before they come.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from gamestats_assets.demo_data.analysis.event_chains import is_identifier
from gamestats_assets.demo_data.analysis.event_frequency import PEOPLE
from gamestats_assets.demo_data.analysis.event_kinds import GROUPS, SIGHTS, EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import (
    ACTIONS,
    LOOKS,
    PLAYABLE,
    Reading,
    concepts,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.taxonomies.model import Property

Kind = EventKind

_PERSONS = word_set(
    """
    driver seller buyer sender receiver recipient owner author creator opponent enemy target partner employee teacher
    tutor doctor session server visitor anonymous campaign ad adset push banner channel app version region country
    placement variant experiment parent root trace store shop vendor category brand city
    """
).union(PEOPLE, GROUPS)
"""Words before an id that are no thing of a user's own."""
SHELVED = word_set(
    """
    title level stage dungeon quest character hero skill weapon pet chara boss map song track genre card sku menu recipe
    achievement reward banner theme tag topic post comment feed currency gacha pack bundle
    """
).union(SIGHTS, PLAYABLE)
"""Things that are there for everybody, unless the sheet says that users make them."""
_MAKING = word_set("create issue upload write post order book rent subscribe enroll import submit request build apply")
_PUBLISHING = word_set("create upload write post build")
_BRINGING = _MAKING | word_set(
    "start open send attempt launch queue add pay buy draw bid invest transfer deposit donate"
)
_LOOKING = LOOKS - {"visit"}  # a visit may be the thing itself
_OF_OTHERS = word_set(
    "like unlike follow unfollow comment report block share gift bookmark unbookmark buy bid rent join play add"
)
"""What people do to what others made."""


def thing_of(prop: Property) -> tuple[str, ...]:
    """The words of the thing that a property is the id of: `shipment` of `Shipment_Id`; nothing where it is none."""
    return tuple(pieces(prop.name)[:-1]) if is_identifier(prop) else ()


_NO_THINGS = word_set(
    "phone mobile tel fax seat page vat tax serial flight build error status room house zip bank license"
)
"""What is numbered, and is no thing with a life."""


def births(order: EventOrder) -> dict[str, list[str]]:
    """By event, those that bring the things into being whose ids it carries."""
    carriers: dict[tuple[str, ...], list[Reading]] = {}
    fixed = (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END, Kind.INSTALL, Kind.DEVICE, Kind.CRASH)
    for event in order.taxonomy.events:
        if order.kinds[event.name] in fixed:
            continue
        for thing in dict.fromkeys(filter(None, map(thing_of, event.properties))):
            carriers.setdefault(thing, []).append(order.readings[event.name])
    found: dict[str, list[str]] = {}
    theirs = _done_by_others(order)
    for thing, of_thing in carriers.items():
        if len(of_thing) > 1 and thing[-1] not in _NO_THINGS:
            for event, birth in _born(thing, of_thing, theirs).items():
                found.setdefault(event, [])
                found[event] += [birth] if birth not in found[event] else []
    return found


_SUBJECT = re.compile(r"(?:the|an?) (\w+) (?!of |that |which |who )")


def _done_by_others(order: EventOrder) -> frozenset[str]:
    """Events that somebody else does than most of the sheet's: the employer has opened the candidate's application."""
    told = {event.name: _SUBJECT.match(event.description.lower()) for event in order.taxonomy.events}
    subjects = {name: match[1] for name, match in told.items() if match}
    usual = Counter(subjects.values()).most_common(1)
    if not usual or usual[0][1] < _OFTEN:
        return frozenset()
    return frozenset(name for name, subject in subjects.items() if subject != usual[0][0])


_OFTEN = 4
"""How often a sheet tells who does something before it is known whom it is about."""


def _born(thing: tuple[str, ...], carriers: Sequence[Reading], theirs: frozenset[str]) -> dict[str, str]:
    """By event that carries a thing's id, the one that brings the thing."""
    said = set(concepts("_".join(thing)))
    named = [r for r in carriers if set(r.words) & said or thing[-1] in r.name.lower()]
    added = [r for r in carriers if r.succeeds and r.action in ("add", "connect") and said & r.description]
    if len(added) == 1:  # a device that is paired
        return {r.name: added[0].name for r in carriers if r.index > added[0].index}
    if {thing[-1], *said} & _PERSONS:
        return _related(named, carriers)
    acted = [r for r in named if said & ACTIONS & set(r.words) and _brings(r, ACTIONS)]  # an order is ordered
    made = [r for r in named if _brings(r, _MAKING)]
    if {thing[-1], *said} & SHELVED and not made and not acted:
        return {}
    brought = made or [r for r in named if _brings(r, _BRINGING) and r not in acted] or acted
    looks = [r for r in carriers if r.action in _LOOKING - {"click", "filter"} and r.name not in theirs]
    looked = [r.index for r in looks if r in named or not r.things]
    noted = named[:1] if named and _may_begin(named[0]) and named[0].index <= min(looked, default=10**6) else []
    if noted and made and noted[0].topic <= said and all(r.topic > noted[0].topic for r in made):
        made = brought = []  # a photo that is added to a claim
    if noted and not made and brought and noted[0].index < brought[0].index:
        brought = []  # a claim that is reported, and paid in the end
    head = carriers[0]
    if (
        not made
        and not acted
        and head not in named
        and heads(head)
        and head.index < min(r.index for r in named or carriers[1:])
    ):
        return {r.name: head.name for r in carriers[1:]}  # a gate is entered, and the parking extended later on
    if brought:
        first = min(brought, key=lambda r: (r.place is not None and r.place >= 5 and r.phase != "done", r.index))
        if any(index < first.index for index in looked) and first not in acted:
            return {}
        shelved = bool({thing[-1], *said} & SHELVED) and (first.action in _PUBLISHING or first in acted)
        public = bool(looked) or shelved
        return {r.name: first.name for r in carriers if r is not first and _needs(r, first, public=public)}
    if noted:
        return {r.name: noted[0].name for r in carriers if r.index > noted[0].index}
    return _of_deals(carriers) if not named else {}


def _related(named: Sequence[Reading], carriers: Sequence[Reading]) -> dict[str, str]:
    """A friend is made, a guild joined, before something is done with them; nothing where there are several ways."""
    made = [r for r in named if r.action in _RELATING and not r.fails and (r.phase is None or r.succeeds)]
    if len(made) != 1:
        return {}
    later = [r for r in carriers if r is not made[0] and r.action not in (*_LOOKING, *_OF_STRANGERS)]
    return {r.name: made[0].name for r in later if r.phase in (None, "start", "complete", "success", "claim")}


_RELATING = word_set("add join create connect")
_OF_STRANGERS = word_set("follow like block report invite")


def _brings(r: Reading, verbs: frozenset[str]) -> bool:
    settled = r.phase is None or r.phase in verbs or r.succeeds
    return bool({r.action, r.phase} & verbs) and settled and not r.fails and r.action not in _LOOKING


def heads(r: Reading) -> bool:
    """Whether the first event with an id begins something, by a word that does not name what the id is of."""
    return not r.fails and r.action not in LOOKS and (r.phase in _HEADING or r.action in _HEADING)


_HEADING = word_set("request submit enter start open")


def _may_begin(r: Reading) -> bool:
    """Whether the first event that names a thing brings it: a claim that is filed, a visit that is scheduled."""
    told = set(concepts(r.name))
    action = r.action if r.action in told else None
    return not r.fails and action in _NOTING and (r.place is None or r.place < 5 or r.phase not in told)


_NOTING = frozenset({None, *word_set("report record register set save connect invite")})


def _needs(r: Reading, first: Reading, *, public: bool) -> bool:
    if r.action == "receive" and first.action == "send":
        return False  # what others sent
    if public and r.action in (*_OF_OTHERS, *_LOOKING):
        return False
    return not (r.index < first.index and r.place is not None and first.place is not None and r.place <= first.place)


def _of_deals(carriers: Sequence[Reading]) -> dict[str, str]:
    """An id that no event is named after, such as that of an order: what begins brings it, for what is alike."""
    begun = [r for r in carriers if _brings(r, _BRINGING) and not r.says("refund", "return", "exchange", "cancel")]
    begun = [r for r in begun if r.place is not None and r.place < 3] or begun[:1]
    found: dict[str, str] = {}
    for r in carriers:
        alike = [o for o in begun if o.index < r.index and (len(begun) == 1 or set(o.words) & set(r.words) & _TOLD)]
        if alike and r not in begun:
            found[r.name] = alike[0].name
    return found


_TOLD = ACTIONS | SIGHTS


def successes(order: EventOrder, r: Reading, birth: str) -> list[Reading]:
    """Good outcomes of what brought a thing: the charge that is refunded went through."""
    born = order.readings[birth]
    ids = _ids(order, r.name) & _ids(order, birth)
    alike = [o for o in order.readings.values() if o.succeeds and o is not r and o.index < r.index]
    return [o for o in alike if _ids(order, o.name) & ids and o.topic == born.topic and o.action == born.action]


def _ids(order: EventOrder, event: str) -> set[tuple[str, ...]]:
    return {thing for prop in order.taxonomy.event(event).properties if (thing := thing_of(prop))}


def shares_a_thing(order: EventOrder, one: str, other: str) -> bool:
    """Whether two events carry the id of the same thing."""
    return bool(_ids(order, one) & _ids(order, other))
