"""What later events repeat of earlier ones: which order is shipped, which claim is approved, who drives.

An id names something that the user has made: an order, a ride, a match. The event that makes it draws a new id; the
later events of its life recall it, and with it what else they say of the same thing (the carrier, the amount). Ids of
what was there before the user came, such as titles, items and other people, are drawn anew, unless an event ends what
another one began (a lesson, a quest).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gamestats_assets.demo_data.analysis.event_births import SHELVED, heads
from gamestats_assets.demo_data.analysis.event_chains import identifiers_of, takes_back
from gamestats_assets.demo_data.analysis.event_kinds import SIGHTS, EventKind
from gamestats_assets.demo_data.analysis.event_lives import stages_before, taken_back
from gamestats_assets.demo_data.analysis.event_order import EventOrder, waits_for
from gamestats_assets.demo_data.analysis.event_words import (
    ACTIONS,
    LOOKS,
    PLAYABLE,
    Reading,
    concepts,
    own_name,
    word_set,
)
from gamestats_assets.demo_data.analysis.measures import OWNED, UNIQUE, rule_of
from gamestats_assets.demo_data.analysis.updates import ENDINGS, undoes
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import OneOf

_ID_ENDINGS = frozenset({"id", "no", "number", "uuid", "guid", "key", "num", "ref", "reference"})
_LOOSE_ENDINGS = frozenset({"no", "number", "num", "key", "ref", "reference"})
"""They end names of counts, plates and cards, too."""
_JOINS = frozenset({"create", "join", "register", "attend", "match_found"})
_MAKES = word_set(
    """
    create make request attempt start issue open submit book order buy pay send receive write post schedule
    upload register apply place match_found queue join bid trade transfer donate rent recharge
    schedule file plan draft propose raise publish reserve dispatch
    """
)
_PASSING = LOOKS | word_set("play share like bookmark rate")
_OWN_TO_EACH_EVENT = word_set(
    """
    duration result outcome reason status elapsed playtime clear step attempt attempts count index sequence seq rank
    before after remain remaining left balance change delta wait waiting eta progress score damage stamina first new
    retry retries message note comment memo time is has sec seconds ms minutes
    """
)
_PEOPLE = word_set(
    """
    user member friend player target rival opponent sender receiver recipient host inviter invitee referrer partner
    enemy seller driver courier rider owner author creator streamer customer agent staff doctor teacher profile
    """
)
_TEXTS_OF_EACH = word_set("result outcome reason status step before after change new message note comment memo")
_ONCE_EACH = word_set("accept confirm complete done success clear cancel reject timeout end abandon")
_ENDING = frozenset({"delete", "leave", "unbookmark", "pay", "refund", "return", "ship", "deliver", "disburse"})
_ADDING = frozenset({"add", "connect", "register"})
_BEGUN = frozenset({"start", "enter", "open", "launch", "attempt"})
_OVER = frozenset({"cancel", "timeout", "end", "close"})
_COUNTING = word_set("count cnt num number quantity qty total days level rank score balance times")
_PAID = word_set("charged charge paid pay refund refunded settled billed payment captured debited")
_PRICES = word_set("price amount total fare cost fee value charge")
_PART_OF_PRICE = word_set(
    "discount tax tip base unit list original min max per each est estimated shipping delivery before after "
    "time distance"
)
_PARTLY = re.compile(
    r"\b(?:partial|part|share|portion|at most|up to|fee|tip|percent|balance)\b|%"
    r"|일부|부분|이하|수수료|一部|以下|手数料",
    re.IGNORECASE,
)
_STATES = frozenset({EventKind.SYSTEM, EventKind.SESSION_START, EventKind.SESSION_END})


def pieces_of(name: str) -> list[str]:
    """Words of a name in small letters, whatever its style."""
    return [piece for piece in own_name(name).split("_") if piece]


def stem_of(name: str) -> tuple[str, ...]:
    """What an id identifies: `shipment` of `Shipment_Id`; nothing of what is no id."""
    pieces = pieces_of(name)
    return tuple(pieces[:-1]) if len(pieces) > 1 and pieces[-1] in _ID_ENDINGS else ()


class Recalls:
    """Finds which property of which events is recalled from which earlier ones.

    Args:
        needs: by event, those that must have happened before.
        constraints: by key, what is known of the values.
    """

    def __init__(
        self,
        order: EventOrder,
        needs: Mapping[str, Sequence[str]],
        constraints: Mapping[str, PropertyConstraint],
    ) -> None:
        taxonomy = order.taxonomy
        self.order, self.taxonomy, self.needs, self.constraints = order, taxonomy, needs, constraints
        self.own = {event.name: {prop.name: prop for prop in event.properties} for event in taxonomy.events}
        self.row = {event.name: number for number, event in enumerate(taxonomy.events)}
        users, common = taxonomy.user_properties, taxonomy.common_properties
        counted = {p.name for p in users if p.type is PropertyType.NUMBER and not set(stem_of(p.name)) & OWNED}
        self.states = {prop.name for prop in common} | counted
        self._stages = stages_before(order)
        self.made: set[str] = set()
        """Ids that an event makes anew each time."""
        self._sources: dict[tuple[str, str], list[str]] = {}
        self._within: set[str] = set()
        self._lying: set[str] = set()
        """Ids of what lies there for everybody, of which an earlier event tells the user's own."""

    def found(self) -> dict[str, list[str]]:
        """By key of a property, the events that it recalls."""
        recalled: dict[str, list[str]] = {}
        for name in self._ids():
            for event, sources in self._of_id(name).items():
                recalled.setdefault(f"{event}/{name}", sources)
                if f"{event}/{name}" not in self._lying:
                    self._sources[event, name] = sources
        for event, name, sources in self._undone():
            recalled.setdefault(f"{event}/{name}", sources)
        for event, name, source in self._told():
            if recalled.setdefault(f"{event}/{name}", [source]) == [source]:
                self._sources.setdefault((event, name), [source])
        for (event, name), sources in self._sources.items():
            for prop in self._beside(event, name):
                if before := self._tellers(event, name, prop, sources):
                    recalled.setdefault(f"{event}/{prop.name}", before)
        for event in self.own:
            for name, before in self._taken_back(event):
                recalled.setdefault(f"{event}/{name}", [before])
        for event, name in list(self._sources):
            for key, told in self._amounts(event, name):
                recalled.setdefault(key, told)
        told_before = {key: [e for e in told if not self._comes_before(key, e)] for key, told in recalled.items()}
        return {key: told for key, told in told_before.items() if told}

    def _comes_before(self, key: str, source: str) -> bool:
        """Whether what recalls must have happened before what it recalls, and so cannot have been told by it."""
        event, told_by = key.partition("/")[0], source.partition("/")[0]
        return event != told_by and waits_for(self.needs, told_by, event)

    def is_told_once(self, key: str) -> bool:
        """Whether an event says how a thing ends that an id names, which happens once to each of them."""
        event, _, name = key.partition("/")
        reading = self.order.readings[event]
        ends = reading.phase in _ONCE_EACH or takes_back(self.order, reading) or reading.action in _ENDING
        if reading.says("cart", "sweep"):
            return False
        named = [n for n in self.own[event] if n != name and stem_of(n) and self._is_about(reading, n)]
        others = [n for n in named if (event, n) in self._sources or key in self._lying]
        ends = ends and (not others or self._is_about(reading, name))  # a lesson ends, and not its course
        ends = ends or (event in self._stages and name in self.made)  # checked in, interviewed, assessed
        told = (event, name) in self._sources or key in self._lying
        return ends and bool(set(stem_of(name)) - OWNED) and told

    def _is_about(self, reading: Reading, name: str) -> bool:
        """Whether an event is named after what an id names."""
        return bool({*stem_of(name), *concepts(" ".join(stem_of(name)))} & {*reading.words, *pieces_of(reading.name)})

    def is_within(self, key: str) -> bool:
        """Whether an event is about something within what it recalls, of which who was there before has one already."""
        return key in self._within | self._lying

    def _undone(self) -> Iterator[tuple[str, str, list[str]]]:
        """Events that take something back, their ids, and what they take back, whosever ids these are."""
        for r in self.order.readings.values():
            done = taken_back(self.order, r)
            for name in identifiers_of(self.order, r.name) if done else ():
                sources = [o.name for o in done if name in o.properties]
                if sources:
                    yield r.name, name, sources

    def _told(self) -> Iterator[tuple[str, str, str]]:
        """Events whose description names an earlier one, or that answer one, their ids, and where they are from."""
        for event, own in self.own.items():
            r = self.order.readings[event]
            before = [mention.event for mention in self.order.told.get(event, ())]
            asked = [self.order.readings[e] for e in self.needs.get(event, ()) if r.phase in ("accept", "reject")]
            asked = asked if "request" in r.description else []  # whose request it is, only a text can tell
            before += [o.name for o in asked if o.topic == r.topic and o.phase == "request"]
            for name in own:
                sources = [e for e in before if name in self.own.get(e, ()) and self.row[e] < self.row[event]]
                constraint = self.constraints.get(f"{event}/{name}", self.constraints.get(name))
                fixed = constraint is not None and bool(constraint.copy_of or constraint.counter)
                if sources and stem_of(name) and name not in self.states and not fixed:
                    yield event, name, sources[-1]

    # ----------------------------------------------------------------- what lasts without an id

    def _taken_back(self, event: str) -> Iterator[tuple[str, str]]:
        """Of what an event takes back, ends or renews, what the event that began it told: which pass, which plan."""
        later = self.order.readings[event]
        begun = self._begun(event, later)
        for prop in self.taxonomy.event(event).properties if begun else ():
            told = prop.name not in self.states and (event, prop.name) not in self._sources
            if told and not prop.properties and not self._changes(event, prop) and not self._counts(prop):
                before = next((e for e in begun if self._says(e, prop)), None)
                if before is not None:
                    yield prop.name, before

    def _begun(self, event: str, later: Reading) -> list[str]:
        """Events that must have happened before, of which an event tells the end or the renewal."""
        needed = [e for e in self.needs.get(event, ()) if self.row[e] < self.row[event]]
        needed.sort(key=lambda e: -self.row[e])
        if later.action == "renew" or later.phase in ENDINGS:
            return [
                e
                for e in needed
                if self.order.kinds[e] not in _STATES and self.order.readings[e].action not in _PASSING
            ]
        return [e for e in needed if undoes(later, self.order.readings[e])]

    def _counts(self, prop: Property) -> bool:
        return prop.type is PropertyType.NUMBER and bool(set(pieces_of(prop.name)) & _COUNTING)

    def _amounts(self, event: str, name: str) -> Iterator[tuple[str, list[str]]]:
        """Numbers of a thing that go by another name: what is charged is the fare, what is filled was ordered."""
        own = self.own[event]
        chain = self._chain(event, name)
        for prop in own.values():
            key = f"{event}/{prop.name}"
            said = set(pieces_of(prop.name))
            happened = said & set(pieces_of(event))
            if prop.type is not PropertyType.NUMBER or not said & _PAID | happened or key in self.constraints:
                continue
            if _PARTLY.search(f"{prop.name} {prop.alias} {prop.description}"):
                continue
            found = [
                (score, self.row[before], f"{before}/{other.name}")
                for before in chain
                for other in self.own[before].values()
                if other.name not in own and other.name not in self.states
                if (
                    score := self._one_amount(event, prop, before, other)
                    or self._one_measure(event, prop, before, other)
                )
            ]
            best = max((score for score, *_ in found), default=0)
            if best:
                yield key, [max((row, told) for score, row, told in found if score == best)[1]]

    def _chain(self, event: str, name: str) -> list[str]:
        """Events from which an event has an id, directly or not."""
        waiting, found = list(self._sources.get((event, name), ())), list[str]()
        while waiting:
            before = waiting.pop()
            if before not in found and before != event:
                found.append(before)
                waiting += self._sources.get((before, name), ())
        return found

    def _one_amount(self, event: str, prop: Property, before: str, other: Property) -> int:
        """How surely two amounts are the same; 0 where they are not."""
        said, told = set(pieces_of(prop.name)), set(pieces_of(other.name))
        here, there = rule_of(prop), rule_of(other)
        if other.type is not PropertyType.NUMBER or not told & _PRICES or told & _PART_OF_PRICE:
            return 0
        if here is not None and here != there:
            return 0
        happening = set(pieces_of(event)) | {w.removesuffix("ed") for w in pieces_of(event)} | _PAID
        rest = said - happening - {"amount"}
        if not rest and self.order.readings[event].says("refund") and told & {"pay", "paid", "total", "due"}:
            return 1  # what is refunded is what was paid
        if rest and rest == told - {"total"}:
            return 3
        of_event = self.taxonomy.event(event)
        text = {
            w.lower() for w in re.findall(r"[A-Za-z]+", f"{of_event.alias} {of_event.description} {prop.description}")
        }
        named = (told - {"total", "amount", "final"}) & text
        speaks = not rest and bool(named) and bool(set(pieces_of(before)) & text)
        return (2 if told & {"total", "final"} else 1) if speaks else 0

    def _one_measure(self, event: str, prop: Property, before: str, other: Property) -> int:
        """Whether two numbers differ by what happened alone: `filled_qty` of `order_filled`, and `order_qty`."""
        here, there = ({*pieces_of(p.name)} - {*pieces_of(e)} for p, e in ((prop, event), (other, before)))
        named = here and here == there and pieces_of(prop.name) != pieces_of(other.name)
        measured = other.type is PropertyType.NUMBER and not self._changes(event, prop)
        return int(bool(named) and measured and rule_of(prop) in (None, rule_of(other)))

    # ----------------------------------------------------------------- ids

    def _ids(self) -> list[str]:
        """Names of ids that several events have."""
        count: dict[str, int] = {}
        for own in self.own.values():
            for name, prop in own.items():
                if prop.type in (PropertyType.STRING, PropertyType.NUMBER) and stem_of(name):
                    count[name] = count.get(name, 0) + 1
        return [name for name, times in count.items() if times > 1 and name not in self.states and self._is_open(name)]

    def _is_open(self, name: str) -> bool:
        """Whether nothing else decides an id's values: limits, a user's own id, a counter."""
        ending = pieces_of(name)[-1]
        if set(stem_of(name)[-1:]) & _PEOPLE:
            return False
        if ending in _LOOSE_ENDINGS and not set(stem_of(name)) & UNIQUE and not self._made_by_name(name):
            return False
        keys = [name, *(f"{event}/{name}" for event in self.own)]
        known = [self.constraints[key] for key in keys if key in self.constraints]
        if any(c.copy_of or c.counter or c.first_only or c.faker == "phone" for c in known):
            return False
        if any(c.per_user for c in known) and not set(stem_of(name)) & OWNED:
            return False
        return all(rule_of(own[name]) is None for own in self.own.values() if name in own)

    def _made_by_name(self, name: str) -> str | None:
        """The first event that says that it makes the thing."""
        stem = {word for piece in stem_of(name) for word in concepts(piece)}
        for event in self._having(name):
            reading = self.order.readings[event]
            if stem & set(reading.words) and _makes(reading) and not self._makes_beside(event, name):
                return event
        return None

    def _makes_beside(self, event: str, name: str) -> bool:
        """Whether an event makes something else of what users look at: an application for a job."""
        others = [n for n in self.own[event] if n != name and stem_of(n) and not set(stem_of(n)) & OWNED]
        begun = [n for n in others if (having := self._having(n))[1:] and having[0] == event]
        return bool(begun) and self.order.readings[self._having(name)[0]].action in _PASSING

    def _having(self, name: str) -> list[str]:
        kinds = self.order.kinds
        return [event for event, own in self.own.items() if name in own and kinds[event] not in _STATES]

    def _of_id(self, name: str) -> dict[str, list[str]]:
        """By event, where it has the id from."""
        having = self._having(name)
        if len(having) < 2:
            return {}
        top = self.order.readings[having[0]]
        late = top.fails or (top.place or 0) >= 5 or top.action in _PASSING
        first = (self._made_by_name(name) if late else None) or having[0]
        reading = self.order.readings[first]
        lasting = bool(set(stem_of(name)) & UNIQUE) or self._is_made(name, first)
        alike = [e for e in having if lasting and _alike(self.order.readings[e], reading)]
        within = {e for e in alike if e != first and self._makes_another(e, name, first)}
        self._within |= {f"{event}/{name}" for event in within}
        makers = [e for e in having if e == first or e in set(alike) - within]
        paired = reading.succeeds and reading.action in _ADDING  # few devices are, and each is used again
        if set(stem_of(name)) & OWNED:
            joins = [e for e in having if _JOINS & set(self.order.readings[e].words)]
            lasting, makers = bool(joins), joins
        elif not paired and (self._is_begun(name, reading) or (lasting and reading.phase not in _BEGUN)):
            self.made.add(name)
        found: dict[str, list[str]] = {}
        for event in having:
            if event in makers:
                continue
            if lasting or self._ends(event, first):
                deeds = [e for e in having if self.order.readings[e].action != "view"]
                found[event] = self._nearest(event, deeds if lasting else having) or makers
            elif (near := self._nearest(event, having)) and not self._is_apart(event, name, near[0], having):
                found[event] = near  # of what lies there, that to which the user has come
                self._lying.add(f"{event}/{name}")
        return found

    def _is_apart(self, event: str, name: str, before: str, having: Sequence[str]) -> bool:
        """Whether an event has no id from the one before it: an earlier step tells it, or each makes its own."""
        told = self.constraints.get(f"{event}/{name}")
        repeated = told is not None and told.same_as_before
        return repeated or (before == having[0] and _alike(self.order.readings[event], self.order.readings[before]))

    def _makes_another(self, event: str, name: str, first: str) -> bool:
        """Whether an event makes a thing that another id names, within what `first` makes: a task of a project."""
        said = set(self.order.readings[event].words)
        others = [other for other in self.own[event] if other != name and set(stem_of(other)) & said]
        return bool(others) and not set(stem_of(name)) & said and first in self.needs.get(event, ())

    def _is_begun(self, name: str, reading: Reading) -> bool:
        """Whether an event begins what a text names, and what lies on no shelf: a stream, a dispute, no stage."""
        stem = {concept for piece in stem_of(name) for concept in (piece, *concepts(piece))}
        begins = reading.phase in ("start", "open", "request") or reading.says("queue")
        about = self._is_about(reading, name)
        if heads(reading) and not about:  # a gate is entered, and the parking paid
            later = [self.order.readings[event] for event in self._having(name)]
            begins = about = later[0] is reading and any(self._is_about(r, name) for r in later)
        text = all(own[name].type is PropertyType.STRING for own in self.own.values() if name in own)
        return begins and about and text and not stem & (SHELVED | SIGHTS | PLAYABLE)

    def _is_made(self, name: str, first: str) -> bool:
        """Whether the first event makes what the id names, and does not just pick what is there."""
        reading = self.order.readings[first]
        stem = {word for piece in stem_of(name) for word in concepts(piece)}
        if reading.succeeds and stem & reading.description and reading.action in _ADDING:
            return True  # `Device joined the home` of a pairing that succeeded
        if self._is_removed(name, reading) and stem & set(reading.words) and not stem & (SHELVED | SIGHTS | PLAYABLE):
            return True  # a vehicle of one's own
        if not stem & set(reading.words) or not (_makes(reading) or self._comes_to_an_end(name, first, stem)):
            return False
        named = {(*stem_of(name), ending) for ending in ("name", "title")}
        if any(tuple(pieces_of(prop)) in named for own in self.own.values() for prop in own):
            return bool(set(reading.words) & {"create", "make", "request", "add", "upload", "write", "post"})
        return True

    def _is_removed(self, name: str, reading: Reading) -> bool:
        """Whether what an event adds or sets is removed by another one."""
        others = [self.order.readings[event] for event in self._having(name)]
        added = reading.action in ("add", "set", "register") and not reading.says("cart")
        return added and any(o.action == "delete" and o.topic == reading.topic for o in others)

    def _comes_to_an_end(self, name: str, first: str, stem: set[str]) -> bool:
        """Whether a later event tells what became of the thing: drafted, signed, terminated."""
        if self.order.readings[first].action in _PASSING:
            return False
        later = [self.order.readings[event] for event in self._having(name) if self.row[event] > self.row[first]]
        return any(stem & set(reading.words) and (reading.place or 0) >= 5 for reading in later)

    def _ends(self, event: str, first: str) -> bool:
        """Whether an event is a later stage of what the first one begins."""
        begins, later = self.order.readings[first], self.order.readings[event]
        if begins.phase not in ("start", "enter", "open", "launch", "attempt") or later.place is None:
            return False
        return later.place >= 3 and bool((begins.things or begins.topic) & (later.things or later.topic))

    def _nearest(self, event: str, having: Sequence[str]) -> list[str]:
        """Of the events that must have happened before, the latest that has the id."""
        waiting, seen = list(self.needs.get(event, ())), {event}
        while waiting:
            direct = [before for before in waiting if before in having and self.row[before] < self.row[event]]
            if direct:
                return [max(direct, key=lambda before: self.row[before])]
            seen |= set(waiting)
            waiting = [e for before in waiting for e in self.needs.get(before, ()) if e not in seen]
        return []

    # ----------------------------------------------------------------- what else is said of the thing

    def _beside(self, event: str, name: str) -> list[Property]:
        """Properties of an event that can describe what the id names."""
        return [
            prop
            for prop in self.taxonomy.event(event).properties
            if prop.name != name and prop.name not in self.states and (event, prop.name) not in self._sources
            if not prop.properties and not self._changes(event, prop)
        ]

    def _changes(self, event: str, prop: Property) -> bool:
        """Whether each event says something of its own."""
        constraint = self.constraints.get(f"{event}/{prop.name}", self.constraints.get(prop.name))
        if constraint and (constraint.copy_of or constraint.counter or constraint.first_only or constraint.per_user):
            return True
        own = set(pieces_of(prop.name)) & (_TEXTS_OF_EACH if prop.type is PropertyType.STRING else _OWN_TO_EACH_EVENT)
        return bool(own) and not (prop.type is PropertyType.TIME and own <= {"time", "first"})

    def _tellers(self, event: str, name: str, prop: Property, sources: Sequence[str]) -> list[str]:
        """Events before this one that say the same of the thing: those that the id is from, and further back."""
        waiting, seen = list(sources), {event}
        while waiting:
            telling = [before for before in waiting if self._says(before, prop)]
            if telling:
                return telling
            seen |= set(waiting)
            further = [e for before in waiting for e in self._sources.get((before, name), ())]
            waiting = [e for e in further if e not in seen]
        rows = [e for e in self._having(name) if self.row[e] < self.row[event] and self._says(e, prop)]
        earlier = [e for e in rows if not self.order.readings[e].fails]
        return earlier[-1:] if (event, name) in self._sources else []

    def _says(self, before: str, prop: Property) -> bool:
        earlier = self.own[before].get(prop.name)
        if earlier is None or earlier.type is not prop.type:
            return False
        said, here = rule_of(earlier), rule_of(prop)
        if isinstance(said, OneOf) and isinstance(here, OneOf):
            return set(map(str, said.values)) <= set(map(str, here.values))
        return here is None or said == here


def _makes(reading: Reading) -> bool:
    """Whether an event brings something new."""
    said = {stem for word in reading.words for stem in (word, word.removesuffix("d"), word.removesuffix("ed"))}
    done = {reading.phase, reading.action, *said}
    return bool(done & _MAKES) and reading.action not in _PASSING and not reading.fails


def _alike(one: Reading, other: Reading) -> bool:
    """Whether two events make the same kind of thing in the same way."""
    words = ACTIONS | _MAKES
    if not words & set(one.words):
        return False
    if {one.action, other.action} == {"buy", "sell"}:
        return one.topic == other.topic
    return (one.phase, one.action) == (other.phase, other.action) and set(one.words) & words == set(other.words) & words
