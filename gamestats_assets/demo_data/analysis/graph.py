"""Which event comes before which: one graph of precedence whose edges carry their evidence.

Evidence comes from what descriptions name (`mentions`), from phases of one topic (a start, its outcomes), from ids that
several events carry (the first makes the thing, the others are stages of its life), from deeds that only follow others
(`analyst_earlier.csv`), and from the usual way to a deal. An edge is taken unless a surer one contradicts it.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gamestats_assets.demo_data.analysis.event_kinds import EventKind, after_sale, deals, kinds_of, of_kind
from gamestats_assets.demo_data.analysis.lexicon import (
    ACTIONS,
    GROUPS,
    LOOKS,
    PLAYABLE,
    SIGHTS,
    concepts,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.analysis.measures import industry_of, rule_of
from gamestats_assets.demo_data.analysis.mentions import Finder, Mention, is_id_name, is_legacy, says
from gamestats_assets.demo_data.analysis.reading import Reading, read_events, spelt_out
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import EventSequence
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.value_rules import Between
from gamestats_assets.settings import shipped

Kind = EventKind


@dataclass(frozen=True)
class Edge:
    """That an event happens only after another.

    Attributes:
        after: the later event.
        before: the earlier one; of several, one has happened.
        kind: `next` within the same session, `needs` in whichever.
        why: the evidence, in a few words.
        confidence: 0 to 1.
    """

    after: str
    before: tuple[str, ...]
    kind: str
    why: str
    confidence: float


@dataclass(frozen=True)
class Life:
    """The life of a thing that an id names.

    Attributes:
        identifier: name of the property.
        births: events one of which brings the thing into being.
        events: all that carry the id and are about that thing, the births included, in order.
        public: whether what one user makes is looked at by others.
    """

    identifier: str
    births: tuple[str, ...]
    events: tuple[str, ...]
    public: bool = False


_FIXED = (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END, Kind.INSTALL, Kind.DEVICE, Kind.CRASH, Kind.GOODBYE)
_AT_LEAST = 0.5
"""Confidence below which nothing is made of an edge."""


@dataclass
class EventOrder:
    """What is known of a product's events and of their order.

    Attributes:
        kinds: of every event.
        readings: of every event, by name.
        told: by event, the earlier ones that its description names.
        lives: of the things that ids name.
        edges: of the graph, all that were found, the surest first.
        next: by event, the edge to what it follows at once within a session.
        needs: by event, the edges to what must have happened before.
        sequences: projected from the graph.
    """

    taxonomy: Taxonomy
    product: ProductInfo
    is_game: bool
    kinds: dict[str, EventKind] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    told: dict[str, list[Mention]] = field(default_factory=dict)
    lives: list[Life] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    next: dict[str, Edge] = field(default_factory=dict)
    needs: dict[str, list[Edge]] = field(default_factory=dict)
    sequences: list[EventSequence] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = read_events(self.taxonomy.events)
        self.events = {event.name: event for event in self.taxonomy.events}
        self.readings = {reading.name: reading for reading in found}
        self.kinds = kinds_of(self.taxonomy, found, is_game=self.is_game)
        self.legacy = {event.name for event in self.taxonomy.events if is_legacy(event)}
        fixed = {name for name, kind in self.kinds.items() if kind in _FIXED} | self.legacy
        self.free = [r for r in found if r.name not in fixed]
        finder = Finder(self.taxonomy, self.readings, fixed)
        self.words, self.ids = finder.words, self._ids()
        self.flags = {
            event.name: {
                role
                for role in ("optional", "repeated", "during", "instead", "others", "received", "trouble")
                if says(event, role)
            }
            for event in self.taxonomy.events
        }
        if not self.is_game:
            for event in self.taxonomy.events:
                if _HARM.search(spelt_out(event)):
                    self.flags[event.name].add("trouble")
        self.told = {
            r.name: found
            for r in self.readings.values()
            if self.kinds[r.name] is not Kind.SYSTEM and r.name not in self.legacy
            if (found := finder.mentions(r))
        }
        evidence = _Evidence(self)
        births = {
            event: {*life.births} for life in evidence.lives() for event in life.events if event not in life.births
        }
        self.partners = _partners(self, births)
        self._join(evidence.edges())

    def of(self, *kinds: EventKind) -> list[Reading]:
        """Events of some kinds, in the order of the sheet."""
        return [self.readings[name] for name in of_kind(self.kinds, *kinds)]

    def taken(self) -> set[str]:
        """Events that stand in a sequence, at a fixed place, or are no user's."""
        fixed = of_kind(self.kinds, *_FIXED)
        return {*fixed, *(event for sequence in self.sequences for step in sequence.steps for event in step.events)}

    def _ids(self) -> dict[str, tuple[str, ...]]:
        """By event, the names of its ids that say more than who the user is."""
        common = {prop.name for prop in (*self.taxonomy.common_properties, *self.taxonomy.user_properties)}
        return {
            event.name: tuple(
                p.name for p in event.properties if is_identifier(p) and p.name not in common and not p.constraint
            )
            for event in self.taxonomy.events
        }

    # ----------------------------------------------------------------- joining the evidence

    def _join(self, edges: Iterable[Edge]) -> None:
        """Take the edges, the surest first, that contradict none taken before."""
        self.edges = sorted(self._decided(list(edges)), key=lambda edge: -edge.confidence)
        before: dict[str, set[str]] = {}
        for edge in self.edges:
            if edge.confidence < _AT_LEAST or edge.after in edge.before:
                continue
            if any(self._reaches(before, name, edge.after) for name in edge.before):
                continue
            if edge.kind == "next" and edge.after not in self.next:
                self.next[edge.after] = edge
            elif edge.kind == "next":
                continue
            elif edge.before not in [known.before for known in self.needs.get(edge.after, ())]:
                self.needs.setdefault(edge.after, []).append(edge)
            before.setdefault(edge.after, set()).update(edge.before)

    def _decided(self, edges: list[Edge]) -> list[Edge]:
        """Edges with those added by which the outcomes of one decision follow the same event."""
        added: list[Edge] = []
        steps: dict[str, list[Edge]] = {}
        for edge in edges:
            if (
                edge.kind == "next"
                or edge.why.startswith("the description")
                or (edge.why.startswith("both") and edge.confidence < 0.7)
            ):
                steps.setdefault(edge.after, []).append(edge)
        for r in self.free:
            for o in self.free:
                if o.index >= r.index and o is not r and is_instead(self, r, o):
                    good, bad = sorted((r, o), key=goes_wrong)
                    known = [
                        e for x in (good, bad) for e in steps.get(x.name, ()) if not {r.name, o.name} & {*e.before}
                    ][: len(edges)]
                    known = (
                        [e for e in known if e.after == good.name and e.kind == "next"]
                        or [e for e in known if e.kind == "next"]
                        or known
                    )
                    if known:
                        best = max(known, key=lambda edge: edge.confidence)
                        why = f"{good.name} or {bad.name} happens"
                        sure = max(0.9, best.confidence) + 0.005
                        added += [Edge(x.name, best.before, "next", why, sure) for x in (good, bad)]
        return [*edges, *added]

    @staticmethod
    def _reaches(before: Mapping[str, Iterable[str]], start: str, goal: str) -> bool:
        waiting, seen = [start], set[str]()
        while waiting:
            name = waiting.pop()
            if name == goal:
                return True
            if name not in seen:
                seen.add(name)
                waiting += before.get(name, ())
        return False

    def reaches(self, event: str, wanted: str) -> bool:
        """Whether an event is another, or comes after it by any edges."""
        table = {name: [b for edge in found for b in edge.before] for name, found in self.needs.items()}
        for name, edge in self.next.items():
            table[name] = [*table.get(name, ()), *edge.before]
        return self._reaches(table, event, wanted)


def is_identifier(prop: Property) -> bool:
    """Whether a property tells which one of many things an event is about; numbers that count are none."""
    if prop.type not in (PropertyType.STRING, PropertyType.NUMBER) or not is_id_name(prop.name):
        return False
    if rule_of(prop) is not None and pieces(prop.name)[-1] != "id":
        return False
    return pieces(prop.name)[-1] in ("id", "uuid", "guid", "아이디") or prop.type is PropertyType.STRING


# --------------------------------------------------------------------------- what an event is

_REGRETTED = word_set("withdrawn revoked retracted voided cancelled canceled 철회 取下")
_OPINIONS = word_set("rate review donate comment")


def regrets(r: Reading) -> bool:
    """Whether an event ends what has begun well, and is no failure of a step."""
    return r.phase == "cancel" or pieces(r.name)[-1] in _REGRETTED


def goes_wrong(r: Reading) -> bool:
    """Whether an event tells that something did not come about, or was given up."""
    return r.fails or regrets(r) or r.says("noshow") or bool({"no", "not", "missed"} & set(pieces(r.name)[:3]))


def gives_opinion(r: Reading) -> bool:
    """Whether an event says what somebody thinks of what is over."""
    return r.action in _OPINIONS or r.says("review", "rate")


def looks(r: Reading) -> bool:
    """Whether an event leaves things as they are."""
    return r.action in LOOKS and r.place is None


_HARM = re.compile(
    r"\b(?:damaged?|loss|lost|disput\w+|complain\w*|abus\w+|fraud\w*|emergency|sos|accidents?|incidents?|violat\w+"
    r"|overdue|on hold|outage|missing|suspicious|spam|problem|delay\w*|faulty|warning|penalt(?:y|ies)|fines?)\b"
    r"|분실|파손|불만|사고|긴급|제재|연체|지연|紛失|破損|苦情|障害|事故|緊急|遅延",
    re.IGNORECASE,
)
"""What nobody wishes for; it is no step of anything."""
_SLOW_WORDS = word_set(
    "ship deliver arrive return refund renew repay board checkin attend disburse payout settle track transit "
    "report dispute complaint appeal appealed"
)
_LONG = re.compile(
    r"\b(?:hours?|days?|weeks?|months?|stunden|tage|일|개월|日|か月)\b|일수|개월수|日数|月数", re.IGNORECASE
)
_PERIODIC = re.compile(r"\b(?:monthly|weekly|yearly|annual(?:ly)?|(?:days|weeks|months) later)\b|매월|매달|毎月")


def takes_days(event: Event, known: Iterable[str] = ()) -> bool:
    """Whether an event tells of hours, days or months that something took; `known` was known from the beginning."""
    own = [prop for prop in event.properties if prop.name not in set(known) and prop.type is PropertyType.NUMBER]
    measured = any(_LONG.search(" ".join((*pieces(p.name), p.alias))) or _lasts_hours(p) for p in own)
    return measured or bool(_PERIODIC.search(event.description.lower()))


def _lasts_hours(prop: Property) -> bool:
    """Whether the limits of minutes are those of hours: a car is parked for 10 to 720 of them."""
    rule = rule_of(prop)
    minutes = bool({"minutes", "minute", "mins", "min", "분", "分"} & set(pieces(prop.name)))
    return minutes and isinstance(rule, Between) and rule.min + rule.max >= 8 * 60


# --------------------------------------------------------------------------- the evidence

_MAKING = word_set(
    "create add upload save post write send issue import open register connect book order buy bid "
    "enroll rent build record"
)
_BEGINNING = ("queue", "request", "attempt", "launch", "enter", "open", "start", "submit")
_PERSONS = word_set(
    """
    user member friend player target rival opponent sender receiver recipient host inviter partner enemy seller driver
    owner author creator streamer customer agent staff doctor teacher profile guild team party aite okurinushi courier
    rider provider merchant account
    """
)
_KEPT = word_set("create add connect register upload save post write enable build import")
_OFFERED = word_set("offer quote deal policy ticket coupon order")
_ON_THE_WAY = word_set("ship deliver pickup arrive track transit courier driver")
_SHELVED = (
    SIGHTS
    | PLAYABLE
    | word_set(
        "stage level quest item category district city channel station dungeon boss event skill "
        "weapon character hero card"
    )
)
_OF_OTHERS = word_set(
    "like unlike follow unfollow comment report block share gift bookmark unbookmark buy bid rent join play view"
)
_LASTING = word_set("friend subscribe trial season follow account sleep") | GROUPS
_NUMBERED = re.compile(
    r"\bstep (\d+)\s?(?:of|/)\s?(\d+)|(?:^|\s)(\d+)\s?/\s?(\d+)\s?(?:단계|ステップ)|(\d+)단계\s?/\s?총?\s?(\d+)단계",
    re.IGNORECASE,
)
_WELCOME = (Kind.ONBOARDING, Kind.REGISTER)


@functools.cache
def _earlier() -> Mapping[str, tuple[tuple[str, ...], bool]]:
    """By concept of what is done, what was done to the same thing before; whether the one takes the other back."""
    with shipped("data", "reference", "demo_data", "analyst_earlier.csv").open(encoding="utf-8", newline="") as file:
        return {row["concept"]: (tuple(row["earlier"].split()), bool(row["undoes"])) for row in csv.DictReader(file)}


@functools.cache
def _usual() -> Sequence[tuple[frozenset[str], frozenset[str], str]]:
    """Words of later events, and of those that usually come before them."""
    with shipped("data", "reference", "demo_data", "analyst_usual.csv").open(encoding="utf-8", newline="") as file:
        return [(word_set(row["later"]), word_set(row["earlier"]), row["kind"]) for row in csv.DictReader(file)]


class _Evidence:
    """Finds the edges of a product's graph."""

    def __init__(self, order: EventOrder) -> None:
        self.order, self.readings, self.kinds = order, order.readings, order.kinds
        self.free = order.free
        self.fast = industry_of(order.product) in ("food", "mobility")
        self.shares: dict[str, list[Reading]] = {}
        for r in self.free:
            for name in order.ids[r.name]:
                self.shares.setdefault(name, []).append(r)

    def edges(self) -> Iterator[Edge]:
        """All edges, in no order."""
        yield from self._named()
        yield from self._numbered()
        yield from self._phases()
        yield from self._between()
        yield from self._lives()
        yield from self._undone()
        yield from self._earlier_deeds()
        yield from self._ways()
        yield from self._arrival()

    def _edge(self, after: Reading, before: Sequence[Reading], why: str, sure: float, kind: str = "") -> Edge:
        """An edge; within a session unless the later event takes its time."""
        if "trouble" in self.order.flags[after.name] and after.name not in self.order.partners:
            kind = "needs"
        if not kind:
            kind = "needs" if self._is_slow(after, before[0]) else "next"
        return Edge(after.name, tuple(r.name for r in before), kind, why, sure)

    def _is_slow(self, after: Reading, before: Reading) -> bool:
        """Whether an event comes hours or days after another."""
        if self.fast:
            return False
        settled = (
            before.phase in (None, "start", "complete", "success", "accept")
            and self.kinds[before.name] is not Kind.CHECKOUT
        )
        lasting = (before.topic | {before.action}) & _LASTING and settled and not looks(before)
        words = _SLOW_WORDS & set(after.words)
        event, known = self.order.events[after.name], self.order.readings[before.name].properties
        return bool(lasting or words or takes_days(event, known))

    def _together(self, r: Reading, o: Reading) -> bool:
        return bool(set(self.order.ids[r.name]) & set(self.order.ids[o.name]))

    # ----------------------------------------------------------------- what descriptions name

    def _named(self) -> Iterator[Edge]:
        for event, mentions in self.order.told.items():
            r = self.readings[event]
            names = [m.event for m in mentions]
            for m in mentions:
                o = self.readings[m.event]
                if m.role == "instead" or (goes_wrong(o) and not m.by_name and r.phase == o.phase):
                    continue
                # Of what is named, what another of the named follows itself is further back.
                further = any(
                    o.index < self.readings[n].index and self._together(self.readings[n], o)
                    for n in names
                    if n != m.event
                )
                here = m.role in ("here", "ongoing") or (
                    (m.role == "after" or m.by_name) and not further and self._at_once(r, o)
                )
                kind = "next" if here and self.kinds[event] not in _WELCOME else "needs"
                if kind == "next" and m.role != "here" and self._is_slow(r, o):
                    kind = "needs"
                yield self._edge(r, [o], f"the description names it: {m.phrase!r}", m.confidence, kind)
                if kind == "next" and m.role != "here":
                    yield self._edge(r, [o], f"the description names it: {m.phrase!r}", m.confidence, "needs")

    def _at_once(self, r: Reading, o: Reading) -> bool:
        """Whether an event that a text names as done is the step just before."""
        if goes_wrong(r) and regrets(r):
            return False
        if gives_opinion(r) or undoes(r):
            return False
        if r.index - o.index == 1 and any(m.by_name for m in self.order.told[r.name] if m.event == o.name):
            return True
        if o.phase in ("choose", "enter", "submit") and 0 < r.index - o.index <= (2 if o.tag == r.tag else 1):
            return True
        if (
            (looks(o) or o.action == "search")
            and (looks(r) or r.phase == "choose")
            and o.tag == r.tag
            and 0 < r.index - o.index <= 3
        ):
            return True
        one = self._together(r, o) or (r.place is not None and bool(r.topic & o.topic) and r.action == o.action)
        return one and 0 < r.index - o.index <= 4 and self.kinds[o.name] is not Kind.VERIFY

    def _numbered(self) -> Iterator[Edge]:
        """`Step 2 of 4` comes after `Step 1 of 4`."""
        found: dict[tuple[str, int], dict[int, Reading]] = {}
        for r in self.free:
            if match := _NUMBERED.search(self.order.events[r.name].description):
                number, of = map(int, filter(None, match.groups()))
                found.setdefault((r.tag, of), {}).setdefault(number, r)
        for steps in found.values():
            for number, r in steps.items():
                if number - 1 in steps:
                    yield self._edge(r, [steps[number - 1]], "its description numbers it", 0.97, "next")

    # ----------------------------------------------------------------- phases of one topic

    def _phases(self) -> Iterator[Edge]:
        """What ends, or is decided, has begun: `payment_request`, then `payment_complete` or `payment_fail`."""
        for r in self.free:
            if r.place is None or r.phase in ("claim", "request", "queue", "attempt"):
                continue
            if r.phase == "resume":
                paused = [o for o in self.free if o.phase == "pause" and o.topic == r.topic]
                yield from (self._edge(r, [o], "what goes on was paused", 0.95, "next") for o in paused)
                continue
            same = [o for o in self.free if o is not r and self._one_process(o, r)]
            begun = [o for o in same if (o.place or 9) < 3 or (o.phase == "submit" and r.place >= 5)]
            begun = [o for o in begun if not goes_wrong(o) and (o.place or 0) < r.place and o.phase != "accept"]
            if r.phase in ("accept", "reject") and "received" in self.order.flags[r.name]:
                continue
            if r.place < 3:  # a ride that starts was requested, and its driver found
                begun = [o for o in begun if o.phase in ("queue", "request", "attempt", "match_found")]
                begun = [o for o in begun if o.tag == r.tag and o.index < r.index]
                yield from (self._edge(r, [o], f"{o.phase} comes before {r.phase}", 0.57) for o in begun[-1:])
                continue
            outs = [o for o in same if o.place == 5 and o.phase != "pause" and o.topic == r.topic]
            if r.place == 6 and outs and not all(map(goes_wrong, outs)) and not goes_wrong(r):
                yield self._edge(r, outs, "an end after every outcome", 0.82)
                continue
            if not begun:
                read = [o for o in same if looks(o) or o.action == "play"]
                read = [
                    o
                    for o in read
                    if o.topic == r.topic and o.index < r.index and r.phase in ("complete", "exit", "abandon", "end")
                ]
                yield from (self._edge(r, [o], f"{r.phase} of what {o.name} begins", 0.62) for o in read[-1:])
                continue
            mids = [
                o for o in same if o.place is not None and 3 <= o.place < 5 and o.place < r.place and not goes_wrong(o)
            ]
            mids = [
                o for o in mids if not {"optional", "repeated"} & self.order.flags[o.name] and o.phase != "progress"
            ]
            if r.phase in ("accept", "reject") and "received" in self.order.flags[r.name]:
                continue
            disordered = all(o.index > r.index for o in begun)
            known = [o for o in [*mids, *begun] if (o.index < r.index) != disordered] or begun
            nearest = max(
                known,
                key=lambda o: (
                    o.topic == r.topic or self._together(o, r) or o in mids,
                    (o.place or 0) if disordered else o.index,
                ),
            )
            every = [
                o
                for o in begun
                if o.phase == nearest.phase and o.action == nearest.action and abs(o.index - nearest.index) <= 1
            ]
            every = every if nearest in begun and len(every) > 1 and self._alternatives(every) else [nearest]
            told = {m.event for m in self.order.told.get(r.name, ()) if m.role in ("after", "needs")}
            if (
                goes_wrong(r)
                and r.name not in self.order.partners
                and any(self._together(self.readings[n], r) for n in told - {o.name for o in begun})
            ):
                continue  # a text tells more
            lived = any({r.name, every[0].name} <= {*life.events} for life in self.order.lives)
            if regrets(r) and r.name not in self.order.partners and lived:
                continue
            kind = "needs" if regrets(r) and r.name not in self.order.partners else ""
            sure = 0.8 if every[0].topic == r.topic else 0.7
            lying = [e for e in self.order.lives if self._lies_there(self.readings[e.births[0]], [r])]
            if lived and not any(r.name in life.events for life in lying):
                sure = 0.58  # the rows between tell more
            yield self._edge(r, every, f"{r.phase} of what {every[0].name} begins", sure, kind)

    def _between(self) -> Iterator[Edge]:
        """Rows between a beginning and its end that share properties with them are steps on the way."""
        common = {p.name for p in self.order.taxonomy.common_properties}
        for end in self.free:
            if (end.place or 0) < 5 or goes_wrong(end):
                continue
            begun = [o for o in self.free if o.topic == end.topic and (o.place or 9) < 3 and o.index < end.index - 1]
            if not begun:
                continue
            start, before = begun[-1], begun[-1]
            inside = [r for r in self.free if start.index < r.index < end.index]
            known = (start.properties | end.properties) - common
            shared = [r for r in inside if r.properties & known and not looks(r) and not goes_wrong(r)]
            if len(shared) != len(inside) or len(inside) > 3 or any(r.topic == end.topic for r in inside):
                continue
            if any({"during", "repeated", "optional"} & self.order.flags[r.name] for r in inside):
                continue
            for r in [*inside, end]:
                yield self._edge(r, [before], f"between {start.name} and {end.name}", 0.56 if r is not end else 0.81)
                before = r

    def _alternatives(self, found: Sequence[Reading]) -> bool:
        """Whether events are ways to begin the same thing: by app, or by card."""
        ids = set.intersection(*(set(self.order.ids[r.name]) for r in found))
        return bool(ids) and max(r.index for r in found) - min(r.index for r in found) < len(found)

    def _one_process(self, o: Reading, r: Reading) -> bool:
        if self.kinds[o.name] is Kind.ONBOARDING or self.kinds[r.name] is Kind.ONBOARDING:
            return False
        alike = o.topic == r.topic and (o.action == r.action or not (o.topic & ACTIONS))
        alike = alike or (
            bool(o.tag)
            and o.tag == r.tag
            and bool(o.things & r.things)
            and (o.things <= r.things or r.things <= o.things)
            and abs(o.index - r.index) <= 3
            and o.action == r.action
            and not self._together(o, r)
            and not (self.order.ids[o.name] and self.order.ids[r.name])
        )
        if (
            o.tag
            and o.tag == r.tag
            and 3 <= (o.place or 0) < 5
            and o.index < r.index
            and (o.description & (r.topic | {r.action})) - {None}
        ):
            return True  # the recipient of a transfer is chosen
        if (
            o.tag
            and o.tag == r.tag
            and 3 <= (r.place or 0) < 5
            and o.index < r.index
            and (o.place or 9) < 3
            and (r.description & (o.topic | {o.action})) - {None}
        ):
            return True
        ids = set(self.order.ids[o.name]) & set(self.order.ids[r.name])
        known = {i for i in ids if not set(concepts(" ".join(pieces(i)[:-1]))) & _SHELVED}
        mine = bool(known) and bool((o.topic | {o.action}) & (r.topic | {r.action}) - {None})
        return alike or mine

    def _nearest(self, r: Reading, found: Sequence[Reading]) -> Reading:
        return min(
            found,
            key=lambda o: (not self._together(o, r), o.topic != r.topic, o.index > r.index, abs(o.index - r.index)),
        )

    # ----------------------------------------------------------------- ids

    def lives(self) -> list[Life]:
        """The lives of the things that ids name."""
        found = [self._life(name, carriers) for name, carriers in self.shares.items() if len(carriers) > 1]
        self.order.lives = [life for life in found if life is not None]
        return self.order.lives

    def _lives(self) -> Iterator[Edge]:
        for life in self.order.lives:
            yield from self._stages(life)

    def _life(self, name: str, carriers: Sequence[Reading]) -> Life | None:
        """The life that an id tells; None of what lies ready for everybody, such as the goods of a shop."""
        stem = tuple(pieces(name)[:-1])
        said = {*stem, *concepts(" ".join(stem))}
        if {*stem[-1:], *concepts(stem[-1])} & _PERSONS:
            return None
        own = [
            r for r in carriers if not looks(r) and "others" not in self.order.flags[r.name] and not gives_opinion(r)
        ]
        good = [r for r in own if not goes_wrong(r) and not undoes(r)]
        if not good:
            return None
        named = [r for r in good if said & {*r.words, *pieces(r.name)}]
        makes = [r for r in named if r.action in _MAKING or r.phase in _BEGINNING]
        first = good[0]
        above = [r for r in carriers if r.index < first.index and looks(r)]
        offered = bool(said & _OFFERED) and any((r.place or 0) >= 5 or r.phase == "accept" for r in carriers)
        begins = first.phase in ("request", "submit", "attempt", "queue")
        asked = first in named and not above and (begins or offered)
        if (said & _SHELVED or above) and not asked:
            made = [
                r
                for r in makes
                if r.action in ("create", "post", "upload", "write", "add", "issue") or not said & _SHELVED
            ]
            made = [
                r
                for r in made
                if r.action not in ("bid", "buy", "order", "book", "open") or (r.phase is None and not above)
            ]
            if not made or any(looks(r) and r.index < made[0].index and not _creates(made[0]) for r in carriers):
                return None
            return Life(name, (made[0].name,), tuple(r.name for r in carriers if self._is_own(r, made[0])), public=True)
        if not named and any(set(self.order.ids[first.name]) - {name} for _ in (0,)) and not self._leads(name, first):
            return None  # the charge point of a charge
        begun = first
        if (first.place or 0) >= 5 or first.phase == "accept" or first not in named:
            early = [r for r in makes if r.place is not None and r.place < 3 and r.topic & (first.topic | said)]
            begun = early[0] if early and (first.place is not None or first.action is None) else first
        begins = [begun]
        for r in good:
            same = r.phase == begun.phase and r.action == begun.action and r.phase in _BEGINNING
            if same and r.index == begins[-1].index + 1 and (r.topic <= begun.topic or begun.topic <= r.topic):
                begins.append(r)
        of_all = any(
            looks(r) or "others" in self.order.flags[r.name] or r.action in ("like", "follow") for r in carriers
        )
        public = begun.action in ("create", "post", "upload", "write") and of_all
        events = [r for r in carriers if r in begins or not public or self._is_own(r, begun)]
        return Life(name, tuple(r.name for r in begins), tuple(r.name for r in events), public)

    def _leads(self, name: str, first: Reading) -> bool:
        """Whether no other id of the first event is the one that its life goes by."""
        return all(
            len(self.shares[other]) < len(self.shares[name]) for other in self.order.ids[first.name] if other != name
        )

    def _is_own(self, r: Reading, maker: Reading) -> bool:
        """Whether an event is about what the user has made, and not about what others have."""
        if r is maker:
            return True
        if looks(r) or r.action in _OF_OTHERS or "others" in self.order.flags[r.name] or gives_opinion(r):
            return False
        if self.kinds[r.name] in (Kind.SOCIAL, Kind.SHARE, Kind.BROWSE, Kind.PAY, Kind.CART, Kind.CHECKOUT):
            return False
        return r.index > maker.index

    def _stages(self, life: Life) -> Iterator[Edge]:
        """Each stage of a life comes after its birth, and after the last stage above it that every life passes."""
        births = [self.readings[name] for name in life.births]
        why = f"both tell {life.identifier}"
        others = [r for r in (self.readings[name] for name in life.events) if r not in births]
        others = [r for r in others if not (r.action == "join" and births[0].action == "create")]
        for r in others:
            yield self._edge(r, births, why, 0.7 if not life.public else 0.55, "needs")
        if life.public or self._lies_there(births[0], others):
            return
        passed, before, aside = births, dict[str, list[Reading]](), list[Reading]()
        for r in self._in_order([o for o in others if o.index > births[0].index or o.place is None or o.place >= 3]):
            flags = self.order.flags[r.name]
            sibling = self._sibling(r, [self.readings[name] for name in before])
            if sibling is not None and sibling.name in before:
                before[r.name] = before[sibling.name]
            elif regrets(r) or (looks(r) and r.action != "visit") or self._takes_back(r, life):
                continue
            elif (
                solved := []
                if any(x.topic == r.topic and (x.place or 9) < 3 for x in [*births, *others])
                else [o for o in aside if "trouble" in self.order.flags[o.name] and o.topic & r.topic - births[0].topic]
            ):
                before[r.name] = solved
                yield self._edge(r, solved[-1:], f"it resolves {solved[-1].name}", 0.65, "needs")
                continue
            elif gives_opinion(r):
                yield self._edge(r, passed, why, 0.6, "needs")
                continue
            else:
                before[r.name] = passed
            sure = 0.6 if before[r.name] != births or r.index - births[-1].index == 1 else 0.55
            yield self._edge(r, before[r.name], why, sure)
            told = {m.event for m in self.order.told.get(r.name, ())}
            by_the_way = {"optional", "repeated", "during", "others", "trouble"} & flags or any(
                o.name in told or (o.topic & r.topic and not o.topic & births[0].topic) for o in aside
            )
            if by_the_way:
                aside.append(r)
            elif not goes_wrong(r) and sibling is None and r.action not in ("edit", "report", "save"):
                passed = [r] if self.kinds[r.name] not in (Kind.SUPPORT, Kind.SOCIAL, Kind.SHARE) else passed

    def _takes_back(self, r: Reading, life: Life) -> bool:
        """Whether an event takes back what another one of the life did."""
        deeds = {d for name in life.events for d in (self.readings[name].action, self.readings[name].phase)}
        return any(
            deed in _earlier() and _earlier()[deed][1] and bool(deeds & {*_earlier()[deed][0]})
            for deed in (r.action, r.phase)
            if deed
        )

    def _lies_there(self, birth: Reading, others: Sequence[Reading]) -> bool:
        """Whether what is made lies there to be used at will, such as a device or a task, and passes no stages."""
        moved = any(_ON_THE_WAY & {*r.words} for r in others)
        kept = birth.action in _KEPT and birth.place is None
        there = (birth.place or 0) >= 5 and birth.phase != "done"
        dealt = deals(birth) or self.kinds[birth.name] in (Kind.CHECKOUT, Kind.PAY)
        return (kept or there) and not moved and not dealt

    def _in_order(self, found: Sequence[Reading]) -> list[Reading]:
        """Events as the sheet lists them, a beginning before the outcome of the same topic."""
        line: list[Reading] = []
        for r in sorted(found, key=lambda r: r.index):
            later = [n for n, o in enumerate(line) if o.topic == r.topic and (o.place or 0) > (r.place or 9)]
            line.insert(later[0] if later else len(line), r)
        return line

    def _sibling(self, r: Reading, above: Sequence[Reading]) -> Reading | None:
        """What an event happens instead of: the approval of what is rejected."""
        for o in reversed(above):
            if is_instead(self.order, r, o):
                return o
        return None

    # ----------------------------------------------------------------- deeds

    def _undone(self) -> Iterator[Edge]:
        """`pass_unfrozen` after `pass_frozen`, `lot_unwatched` after `lot_watched`."""
        spelt = {"".join(pieces(r.name)): r for r in self.free}
        for r in self.free:
            for off, on in (("off", "on"), ("out", "in")):
                done = spelt.get("".join(on if piece == off else piece for piece in pieces(r.name)))
                if done is not None and done is not r:
                    yield self._edge(r, [done], "its name takes the other back", 0.85, "needs")
        for name, r in spelt.items():
            for undone in re.finditer("(?:un|dis|de)(?=[a-z]{4})", name):
                done = spelt.get(name[: undone.start()] + name[undone.end() :])
                if done is not None:
                    yield self._edge(r, [done], "its name takes the other back", 0.85, "needs")

    def _earlier_deeds(self) -> Iterator[Edge]:
        """What is done only to what something else was done to before."""
        for r in self.free:
            if says(self.order.events[r.name], "received") and r.phase in ("accept", "reject"):
                continue
            for deed in dict.fromkeys(filter(None, (r.phase, r.action))):
                if deed not in _earlier() or (looks(r) and deed == r.action):
                    continue
                earlier, _ = _earlier()[deed]
                found = [
                    (score, -rank, -abs(o.index - r.index), o)
                    for o in self.free
                    if o is not r
                    for rank, score in self._did(o, r, deed, earlier)
                ]
                if found:
                    best = max(found, key=lambda item: item[:3])
                    yield self._edge(
                        r,
                        [best[3]],
                        f"{deed} comes after {best[3].action or best[3].phase} of the same thing",
                        0.6,
                        "needs",
                    )
                    break

    def _did(self, o: Reading, r: Reading, deed: str, earlier: Sequence[str]) -> Iterator[tuple[int, float]]:
        """Rank of an earlier deed and how alike the things are."""
        own = {o.action, o.phase} - {None}
        done = [number for number, word in enumerate(earlier) if word in own]
        done = done or [
            n
            for n, word in enumerate(earlier)
            if word in o.topic and (o.phase is None or o.succeeds or o.phase == "start")
        ]
        if not done or (goes_wrong(o) and o.phase not in earlier) or (o.phase == "request" and o.phase not in earlier):
            return
        mine, theirs = r.topic - {deed} - ACTIONS or r.topic - {deed}, o.topic - ACTIONS or o.topic
        nouns = (mine | (r.topic & word_set("order book subscribe pay post loan buy trial"))) - {deed}
        alike = len(nouns & (theirs | o.topic)) if nouns else int(o.action in r.topic or o.topic == r.topic)
        shared = bool(
            {i for i in self.order.ids[r.name] if i in self.order.ids[o.name] and self.order.ids[o.name].index(i) == 0}
        )
        if not nouns and not o.things and not r.things:
            alike = 1
        if not alike and nouns and not (shared and o.index < r.index and _earlier()[deed][1] and not looks(o)):
            return
        if not alike and not shared:
            return
        yield (
            done[0],
            alike
            - 0.3 * len(theirs - nouns - ACTIONS)
            + 0.5 * shared
            + 0.2 * (o.index < r.index)
            + 0.2 * (o.tag == r.tag),
        )

    # ----------------------------------------------------------------- the usual ways

    def _usual(self) -> Iterator[Edge]:
        """What the sheet's words alone tell of the usual order, by `analyst_usual.csv`."""
        on_the_way = {Kind.REGISTER, Kind.SESSION_START, Kind.ONBOARDING}
        for r in self.order.readings.values():
            said = {*r.words, str(self.kinds[r.name])}
            for later, earlier, kind in _usual():
                if not later <= said or r.name in self.order.legacy or self.kinds[r.name] is Kind.SYSTEM:
                    continue
                found = [
                    o
                    for o in self.order.readings.values()
                    if earlier <= {*o.words} and not later <= {*o.words, str(self.kinds[o.name])} and not goes_wrong(o)
                ]
                found = [o for o in found if o.phase != "request" and not (looks(o) and o.action != "search")]
                if found and not (goes_wrong(r) and kind == "next"):
                    best = max(found, key=lambda o: (o.succeeds, o.tag == r.tag, o.index < r.index, -o.index))
                    if self.kinds[best.name] not in _FIXED or self.kinds[best.name] in on_the_way:
                        yield self._edge(r, [best], f"{' '.join(sorted(later))} usually follows it", 0.53, kind)
                    break
            same = [o for o in self.free if r.says("first") and {*o.words} == {*r.words} - {"first"} and o is not r]
            yield from (self._edge(r, [o], "the first of these", 0.6, "needs") for o in same[:1])

    def _ways(self) -> Iterator[Edge]:
        yield from self._usual()
        yield from self._to_deals()
        yield from self._from_looks()
        yield from self._exposures()
        yield from self._after_deals()
        yield from self._memberships()

    def _to_deals(self) -> Iterator[Edge]:
        """A thing is put into the cart, which is looked at, checked out and paid; plans are shown and subscribed to."""
        carts = any(self.kinds[r.name] is Kind.CART for r in self.free)
        stage = {r.name: rank for r in self.free if (rank := self._deal_stage(r)) is not None}
        for name, rank in stage.items():
            r = self.readings[name]
            below = [
                self.readings[o]
                for o, of in stage.items()
                if of < rank and self._one_deal(self.readings[o], r, carts=carts)
            ]
            below = [o for o in below if not goes_wrong(o) and "optional" not in self.order.flags[o.name]]
            if not below or (regrets(r) and not self._together(r, below[0])):
                continue
            best = max(below, key=lambda o: (stage[o.name], self._together(o, r), o.index < r.index, o.index))
            yield self._edge(r, [best], f"the way from {best.name} to the deal", 0.58, "next")

    def _deal_stage(self, r: Reading) -> float | None:
        """How far along the way to a deal an event is, 3 to 8; None is not on it."""
        kind = self.kinds[r.name]
        if after_sale(r) or undoes(r):
            return None
        if kind is Kind.CART:
            adds = r.action == "add" or (r.action in (None, "save", "click", "get") and r.phase is None)
            return 4 if adds else 5 if r.action in ("view", "list") or r.phase in ("open", "enter") else None
        if kind is Kind.CHECKOUT and (
            r.says("checkout") or r.phase in ("start", "attempt", "request", "open", "launch")
        ):
            return 6 + (r.step or 0) / 100
        if (
            kind is Kind.CORE
            and r.phase in ("enter", "submit")
            and not self.order.is_game
            and "during" not in self.order.flags[r.name]
        ):
            return (
                5.5
                if any(
                    o.tag == r.tag and self.kinds[o.name] in (Kind.CHECKOUT, Kind.PAY) and o.index > r.index
                    for o in self.free
                )
                else None
            )
        if kind is Kind.CHECKOUT and (r.phase in ("choose", "enter", "submit") or r.action in ("add", "set")):
            return 6.5 + r.index / 1e4
        if kind in (Kind.PAY, Kind.PAY_FAIL) and deals(r) and not regrets(r):
            return 7
        if kind is Kind.SUBSCRIBE and r.says("subscribe") and r.phase in (None, "start", "complete", "success"):
            return 7 if r.action in ("subscribe", None) else None
        return None

    def _one_deal(self, o: Reading, r: Reading, *, carts: bool) -> bool:
        if self._together(o, r):
            return True
        bare = not (o.tag or r.tag or self.order.ids[o.name] or self.order.ids[r.name])
        if bare and (carts or 0 < r.index - o.index <= 3):
            return True
        if (
            o.tag
            and o.tag == r.tag
            and 0 < r.index - o.index <= 3
            and self.kinds[r.name] in (Kind.PAY, Kind.PAY_FAIL, Kind.CHECKOUT)
        ):
            return True
        things = (o.things & r.things) - {"product"}
        if carts and not (o.things & r.things) and self.kinds[r.name] is not Kind.SUBSCRIBE:
            return (
                (self.kinds[o.name] in (Kind.CART, Kind.CHECKOUT) and not self.order.ids[r.name])
                or o.says("cart", "checkout")
                or r.tag == o.tag
            )
        return bool(things) or (bool(o.tag) and o.tag == r.tag and o.says("checkout", "cart"))

    def _from_looks(self) -> Iterator[Edge]:
        """What is done with a thing comes after the look at it, where nothing else is known to."""
        shown = [
            r
            for r in self.free
            if (
                self.kinds[r.name] is Kind.BROWSE
                or looks(r)
                or (r.phase in ("open", "enter") and self.kinds[r.name] is Kind.GACHA)
            )
            and not goes_wrong(r)
            and (r.place or 0) < 5
        ]
        for r in self.free:
            if (
                goes_wrong(r)
                or undoes(r)
                or gives_opinion(r)
                or self.kinds[r.name] in (Kind.AFTER_SALE, Kind.SUPPORT, *_WELCOME)
            ):
                continue
            if r.action in ("edit", "receive", "issue", "export"):
                continue
            outcome = r.place is not None and r.place >= 5
            best: tuple[float, int, Reading] | None = None
            for o in shown:
                finer = not looks(r) or self._finer(o, r) or (r.action == "click" and o.topic == r.topic)
                if o is r or o.index > r.index or not finer:
                    continue
                ids = set(self.order.ids[o.name]) & set(self.order.ids[r.name])
                shelved = {i for i in ids if i not in {life.identifier for life in self.order.lives if not life.public}}
                things = (
                    (o.things & r.things & (SIGHTS | PLAYABLE | {"tournament", "room"}))
                    or (o.topic | {o.action} >= r.topic | {r.action} - {None} and not looks(r))
                    or (o.topic == r.topic and not looks(r))
                )
                score = 2.0 * bool(shelved) + bool(things) + self._sells(o, r) + 0.3 * (o.tag == r.tag)
                score += r.action == "click" and o.topic == r.topic and o.action in ("view", "show")
                if score >= (2 if outcome else 1) and (best is None or (score, o.index) > best[:2]):
                    best = (score, o.index, o)
            if best is not None:
                yield self._edge(r, [best[2]], f"{best[2].name} shows what it is done with", 0.52)

    def _sells(self, o: Reading, r: Reading) -> float:
        """How surely a look leads to a deal: plans to a subscription, goods to the cart, a shop to its sale."""
        kind, plans = self.kinds[r.name], word_set("plan paywall premium")
        bare = not (o.tag or r.tag)
        if kind in (Kind.SUBSCRIBE, Kind.PAY, Kind.CHECKOUT) and o.things & plans:
            return 1.5 * (r.says("subscribe", "plan", "premium") or (bare and kind is Kind.CHECKOUT))
        if kind is Kind.CART and r.action == "add" and self.kinds[o.name] is Kind.BROWSE and o.things & SIGHTS:
            return 1.5 * (bare or not (self.order.ids[o.name] and self.order.ids[r.name]))
        sold = kind in (Kind.PAY, Kind.CHECKOUT, Kind.SPEND) and o.says("shop")
        return float(sold and ((bool(o.tag) and o.tag == r.tag) or r.says("shop")))

    def _finer(self, o: Reading, r: Reading) -> bool:
        """Whether one look leads to another: results to one of them, a shop to what it sells."""
        coarse = o.things & {"list", "category", "shop", "restaurant", "hotel", "home"} or o.says(
            "list", "searchresult"
        )
        return (
            bool(coarse)
            and not r.says("list")
            and r.index > o.index
            and (r.action in ("view", "click") or r.phase in ("open", "choose"))
        )

    def _exposures(self) -> Iterator[Edge]:
        """What is requested is shown, what is shown is clicked, and then rewarded."""
        place = {
            "request": 0,
            "receive": 1,
            "show": 1,
            "view": 1,
            "send": 1,
            "start": 1,
            "share": 1,
            "click": 2,
            "open": 2,
            "complete": 3,
            "end": 3,
            "claim": 4,
            "get": 4,
            "reward": 4,
            "install": 4,
            "fail": 5,
        }
        found = [r for r in self.free if self.kinds[r.name] in (Kind.AD, Kind.EXPOSURE, Kind.SHARE) and not regrets(r)]
        ranks = {
            r.name: rank
            for r in found
            if (rank := next((place[w] for w in (r.phase, *reversed(r.words)) if w in place), None)) is not None
        }
        for r in found:
            below = [
                o
                for o in found
                if r.name in ranks
                and ranks.get(o.name, 9) < ranks[r.name]
                and (o.things or o.topic) & (r.things or r.topic)
                and o.tag == r.tag
            ]
            if below:
                best = max(below, key=lambda o: (ranks[o.name], o.topic == r.topic, -abs(o.index - r.index)))
                yield self._edge(r, [best], f"{best.name} is followed by it", 0.7, "next")

    def _after_deals(self) -> Iterator[Edge]:
        """What is shipped, refunded or reviewed was bought; what is renewed or for subscribers was subscribed to."""
        bought = [r for r in self.free if self.kinds[r.name] is Kind.PAY and not goes_wrong(r) and not regrets(r)]
        subscribed = [
            r
            for r in self.free
            if self.kinds[r.name] is Kind.SUBSCRIBE
            and r.phase in (None, "start", "complete", "success")
            and r.action == "subscribe"
        ]
        for r in self.free:
            enjoyed = [
                o
                for o in self.free
                if o.index < r.index
                and not goes_wrong(o)
                and o.topic & r.topic & PLAYABLE
                and (looks(o) or o.action == "play" or o.phase in ("start", "complete"))
            ]
            if gives_opinion(r) and enjoyed:
                best = max(enjoyed, key=lambda o: (o.topic == r.topic, o.phase == "complete", o.index))
                yield self._edge(r, [best], f"an opinion of what {best.name} tells", 0.56, "needs")
            elif self.kinds[r.name] is Kind.AFTER_SALE and bought:
                best = max(
                    bought,
                    key=lambda o: (
                        self._together(o, r),
                        bool((o.things | {o.action}) & (r.things | r.topic) - {None}),
                        o.place is None or o.place >= 5,
                        o.index < r.index,
                        o.index,
                    ),
                )
                if best.index < r.index or self._together(best, r):
                    yield self._edge(r, [best], f"{best.name} is the deal that it follows", 0.52, "needs")
            renews = self.kinds[r.name] is Kind.SUBSCRIBE and (
                r.action in ("renew", "upgrade", "downgrade") or regrets(r)
            )
            member = "subscribe" in r.description and re.search(
                r"subscribers? only|only subscribers?", self.order.events[r.name].description.lower()
            )
            if (renews or member) and (subscribed or bought):
                pool = subscribed or bought
                best = max(
                    pool,
                    key=lambda o: (
                        bool(o.things & r.things),
                        o.tag == r.tag,
                        o.place is None or o.place >= 5,
                        o.index < r.index,
                        -o.index,
                    ),
                )
                yield self._edge(r, [best], f"{best.name} is what it goes on with", 0.56, "needs")

    def _memberships(self) -> Iterator[Edge]:
        """Who does something in a guild has joined one; a character is created before anything is done with it."""
        for r in self.free:
            groups = r.things & GROUPS or (
                r.description & GROUPS
                if not self.order.is_game and r.action not in ("join", "request")
                else frozenset()
            )
            if r.things & GROUPS and r.action == "create":
                continue
            if (
                not groups
                or (r.things & GROUPS and r.action in ("join", "create", "view", "search", "list"))
                or r.phase in ("request", "accept")
                or looks(r)
            ):
                continue
            joined = [
                o
                for o in self.free
                if o.things & groups
                and o.action in ("join", "create")
                and not goes_wrong(o)
                and o.phase != "request"
                and o is not r
            ]
            if joined:
                best = min(joined, key=lambda o: (o.action != "join", o.index))
                yield self._edge(r, [best], f"{best.name} makes a member", 0.6, "needs")

    # ----------------------------------------------------------------- how users come

    def _arrival(self) -> Iterator[Edge]:
        """Install, then the account, then the character, then the introduction; most things need an account."""
        order = self.order
        registers = order.of(Kind.REGISTER)
        account = anchor([r for r in registers if not r.says("character")])
        character = anchor([r for r in registers if r.says("character")])
        install = anchor(order.of(Kind.INSTALL))
        way = self._way_to(account) if account else []
        for r in way:
            if account is not None and not goes_wrong(r):
                yield self._edge(account, [r], "filed above the sign-up, as a step to it", 0.56, "needs")
        intro = [r for r in order.of(Kind.ONBOARDING)]
        first = character or account
        for r in order.readings.values():
            if r.name in order.legacy or self.kinds[r.name] in (Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE) or r is account:
                continue
            if self.kinds[r.name] is Kind.REGISTER:
                earlier = (
                    [o for o in registers if o is not r and (o.place or 5) < (r.place or 5)] if account is r else []
                )
                for before in [*earlier, *([account] if account and r.says("character") else [])]:
                    yield self._edge(r, [before], "a step of the sign-up", 0.7, "needs")
                continue
            if account is not None and r not in way and r.index != account.index and self._needs_account(r, registers):
                yield self._edge(r, [account], "it needs an account", 0.5, "needs")
            if (
                character is not None
                and order.is_game
                and r.index > character.index
                and self._needs_account(r, registers)
            ):
                yield self._edge(r, [character], "it needs a character", 0.5, "needs")
        if install is not None and account is not None:
            yield self._edge(account, [install], "installed before", 0.5, "needs")
        if first is not None:
            for r in intro:
                if r.index > first.index:
                    yield self._edge(r, [first], "the introduction follows the sign-up", 0.55, "needs")

    def _way_to(self, account: Reading) -> list[Reading]:
        """What the sheet files with a sign-up and above it: a code that is sent, a check, the request of a trial."""
        proving = word_set("code phone mail verify trial terms consent sms")
        first = min((r.index for r in self.order.of(Kind.REGISTER)), default=account.index)
        above = [
            r
            for r in self.readings.values()
            if r.index < account.index and ((r.tag and r.tag == account.tag) or r.index > first)
        ]
        kinds = (Kind.SYSTEM, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END, Kind.REGISTER)
        return [r for r in above if self.kinds[r.name] not in kinds and proving & set(r.words)]

    def _needs_account(self, r: Reading, registers: Sequence[Reading]) -> bool:
        kind = self.kinds[r.name]
        if kind is Kind.GOODBYE:
            return not r.says("uninstall")
        if r.says("login", "logout"):
            return True
        if kind in (Kind.SESSION_START, Kind.SESSION_END, Kind.CRASH, Kind.AD, Kind.EXPOSURE, Kind.REGISTER):
            return False
        if kind is Kind.ONBOARDING:
            return r.index > min((o.index for o in registers), default=0)
        if self.order.is_game:
            return True
        if kind in (Kind.BROWSE, Kind.SEARCH):
            at_work = industry_of(self.order.product) in ("finance", "saas")
            return (
                at_work
                and bool(r.things)
                and not r.things & word_set("plan premium paywall home product article content quote policy")
            )
        return not (kind is Kind.OTHER and r.says("update", "permission", "foreground", "background"))


def _creates(r: Reading) -> bool:
    return r.action in ("create", "post", "upload", "write") and r.phase in (None, "complete", "done", "success")


def undoes(r: Reading) -> bool:
    """Whether an event takes something back."""
    return any(deed in _earlier() and _earlier()[deed][1] for deed in (r.action, r.phase) if deed)


def is_instead(order: EventOrder, r: Reading, o: Reading) -> bool:
    """Whether two events are outcomes of which one happens: an approval and a refusal, a win and a defeat."""
    of_r, of_o = order.partners.get(r.name, r.name), order.partners.get(o.name, o.name)
    return of_r == of_o and bool({r.name, o.name} & order.partners.keys())


def _partners(order: EventOrder, births: Mapping[str, set[str]]) -> dict[str, str]:
    """By event that tells that something did not come about, the one that tells that it did."""
    found: dict[str, str] = {}
    for bad in order.free:
        wrong = [o for o in order.free if o is not bad and goes_wrong(o) and abs(o.index - bad.index) <= 2]
        instead = "instead" in order.flags[bad.name] and not wrong
        if not (goes_wrong(bad) or instead) or bad.phase == "pause":
            continue
        scored = [
            (score, -abs(o.index - bad.index), o)
            for o in order.free
            if o is not bad and (score := _opposite(order, bad, o, births)) > 0
        ]
        if scored:
            found[bad.name] = max(scored, key=lambda item: item[:2])[2].name
    return found


def _opposite(order: EventOrder, bad: Reading, good: Reading, births: Mapping[str, set[str]]) -> float:
    """How surely an event tells that what another tells did come about."""
    if (
        goes_wrong(good)
        or looks(good)
        or gives_opinion(good)
        or undoes(good)
        or good.phase == "pause"
        or abs(good.index - bad.index) > 3
    ):
        return 0
    if good.place is not None and good.place < 5 and good.phase not in ("accept", "match_found"):
        return 0
    if {"repeated", "during"} & order.flags[good.name] or good.name in births.get(bad.name, ()):
        return 0
    named = any(m.event == good.name and m.role != "instead" for m in order.told.get(bad.name, ()))
    named = named or any(m.event == bad.name and m.role != "instead" for m in order.told.get(good.name, ()))
    if named:
        return 0
    decided = good.place is not None or good.action == "verify" or order.kinds[good.name] in (Kind.PAY, Kind.SUBSCRIBE)
    same = good.topic == bad.topic and good.action == bad.action
    about = bool((good.topic | {good.action}) & (bad.topic | {bad.action}) - {None}) or bool(
        {*good.words} & {*bad.words}
    )
    paid = (
        order.kinds[bad.name] is Kind.PAY_FAIL
        and order.kinds[good.name] in (Kind.PAY, Kind.SUBSCRIBE)
        and bad.tag == good.tag
    )
    paid = paid and good.action not in ("renew", "upgrade", "downgrade")
    if order.kinds[bad.name] is Kind.PAY_FAIL and order.kinds[good.name] is Kind.SUBSCRIBE and not paid:
        return 0
    ids = bool({*order.ids[good.name]} & {*order.ids[bad.name]})
    if order.ids[good.name] and order.ids[bad.name] and not ids and not paid:
        return 0
    instead = {"instead"} & (order.flags[bad.name] | order.flags[good.name])
    written = any(
        m.event in (bad.name, good.name) and m.role == "instead"
        for x in (bad, good)
        for m in order.told.get(x.name, ())
    )
    if regrets(bad) and not (good.place is not None and (same or paid)) and not instead:
        return 0
    near = ids and decided and abs(good.index - bad.index) == 1 and not order.told.get(bad.name)
    if not (about or paid or written or near) or not (decided or instead or ids):
        return 0
    return 2.0 * written + decided + 1.5 * same + 0.5 * about + 0.5 * ids + paid


def anchor(found: Sequence[Reading]) -> Reading | None:
    """The one of several that tells the thing is done."""
    good = [r for r in found if not r.fails]
    done = [r for r in good if r.succeeds or r.phase == "accept"]
    plain = [r for r in good if r.place is None]
    return (done or plain or good or [None])[-1 if done else 0]
