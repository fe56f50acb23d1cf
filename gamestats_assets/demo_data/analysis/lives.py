"""Things that ids name, and the lives that they have: an order is made, paid, shipped and delivered.

The event that makes a thing draws its id; the others that carry it are stages of its life, each after the last one
above it that every such life passes. Ids of what lies there for everybody, such as goods and titles, name no life.
An event recalls what the nearest event before it in the graph tells of the same thing: its id, and with it what else
both say of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence

from gamestats_assets.demo_data.analysis.descriptions import is_id_name
from gamestats_assets.demo_data.analysis.graph import EventOrder, Life
from gamestats_assets.demo_data.analysis.kinds import EventKind, deals
from gamestats_assets.demo_data.analysis.lexicon import (
    PLAYABLE,
    SIGHTS,
    concepts,
    named_words,
    own_pieces,
    pieces,
)
from gamestats_assets.demo_data.analysis.measures import OWNED, rule_of
from gamestats_assets.demo_data.analysis.reading import Reading
from gamestats_assets.demo_data.reference import rows
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import OneOf

Kind = EventKind
Told = tuple[Reading, Sequence[Reading], str, float, str]
"""A later event, what comes before it, why, how surely, and the kind of edge; empty is by its pace."""

_BEGINNING = ("queue", "request", "attempt", "launch", "enter", "open", "start", "submit")
_MAKING = named_words("making")
_CREATING = ("create", "post", "upload", "write")
_KEPT = named_words("kept")
"""What is made so stays, and is used at will."""
_ON_THE_WAY = named_words("on_the_way")
_PERSONS = named_words("persons")
_OFFERED = named_words("offered")
_OF_OTHERS = named_words("of_others")
SHELVED = SIGHTS | PLAYABLE | named_words("shelved")
"""What lies there for everybody; an id of it names no life."""


@functools.cache
def earlier() -> Mapping[str, tuple[tuple[str, ...], bool]]:
    """By concept of what is done, what was done to the same thing before; whether the one takes the other back."""
    return {row["concept"]: (tuple(row["earlier"].split()), bool(row["undoes"])) for row in rows("analyst_earlier")}


def undoes(r: Reading) -> bool:
    """Whether an event takes something back."""
    return any(deed in earlier() and earlier()[deed][1] for deed in r.deeds)


def share(r: Reading, o: Reading) -> bool:
    """Whether two events carry the same id."""
    return not {*r.ids}.isdisjoint(o.ids)


class Lives:
    """Finds the lives of a product's things, and the order of their stages."""

    def __init__(self, order: EventOrder) -> None:
        self.order, self.readings = order, order.readings
        self.carriers: dict[str, list[Reading]] = {}
        for r in order.free:
            for name in r.ids:
                self.carriers.setdefault(name, []).append(r)

    def found(self) -> list[Life]:
        """The lives of the things that ids name."""
        found = [self._life(name, carriers) for name, carriers in self.carriers.items() if len(carriers) > 1]
        return [life for life in found if life is not None]

    def _life(self, name: str, carriers: Sequence[Reading]) -> Life | None:
        """The life that an id tells; None of what lies ready for everybody, such as the goods of a shop."""
        stem = pieces(name)[:-1]
        said = {*stem, *concepts(" ".join(stem))}
        own = [r for r in carriers if not (r.looks or r.opinion or r.wrong or undoes(r) or "others" in r.flags)]
        if {stem[-1], *concepts(stem[-1])} & _PERSONS or not own:
            return None
        first, named = own[0], [r for r in own if said & {*r.words, *pieces(r.name)}]
        makes = [r for r in named if r.action in _MAKING or r.phase in _BEGINNING]
        above = any(r.index < first.index and r.looks for r in carriers)
        offered = bool(said & _OFFERED) and any((r.place or 0) >= 5 or r.phase == "accept" for r in carriers)
        asked = first.phase in ("request", "submit", "attempt", "queue") or offered
        if (said & SHELVED or above) and not (first in named and not above and asked):
            made = [r for r in makes if r.action in (*_CREATING, "add", "issue") or not said & SHELVED]
            dealt = ("bid", "buy", "order", "book", "open")
            made = [r for r in made if r.action not in dealt or (r.phase is None and not above)][:1]
            whole = ("complete", "done", "success", None)
            brings = [r for r in made if r.action in _CREATING and r.phase in whole]
            if not made or (not brings and any(r.looks and r.index < made[0].index for r in carriers)):
                return None
            return Life(name, (made[0].name,), tuple(r.name for r in carriers if self._is_own(r, made[0])), public=True)
        longer = [i for i in first.ids if i != name and len(self.carriers[i]) >= len(self.carriers[name])]
        if not named and longer:
            return None  # the charge point of a charge
        begun = first
        if (first.place or 0) >= 5 or first.phase == "accept" or first not in named:
            early = [r for r in makes if (r.place or 9) < 3 and r.topic & (first.topic | said)]
            begun = early[0] if early and (first.place is not None or first.action is None) else first
        begins = [begun]
        for r in own:
            same = r.deeds == begun.deeds and r.phase in _BEGINNING and r.index == begins[-1].index + 1
            begins += [r] if same and (r.topic <= begun.topic or begun.topic <= r.topic) else []
        of_all = any(r.looks or "others" in r.flags or r.action in ("like", "follow") for r in carriers)
        public = begun.action in _CREATING and of_all
        events = [r.name for r in carriers if r in begins or not public or self._is_own(r, begun)]
        return Life(name, tuple(r.name for r in begins), tuple(events), public)

    def _is_own(self, r: Reading, maker: Reading) -> bool:
        """Whether an event is about what the user has made, and not about what others have."""
        dealt = (Kind.SOCIAL, Kind.SHARE, Kind.BROWSE, Kind.PAY, Kind.CART, Kind.CHECKOUT)
        of_others = r.looks or r.action in _OF_OTHERS or "others" in r.flags or r.opinion or r.kind in dealt
        return r is maker or (not of_others and r.index > maker.index)

    def lies_there(self, birth: Reading, others: Sequence[Reading]) -> bool:
        """Whether what is made lies there to be used at will, such as a device or a task, and passes no stages."""
        moved = any(_ON_THE_WAY & {*r.words} for r in others)
        kept = birth.action in _KEPT and birth.place is None
        there = (birth.place or 0) >= 5 and birth.phase != "done"
        return (kept or there) and not moved and not deals(birth) and birth.kind not in (Kind.CHECKOUT, Kind.PAY)

    def stages(self, life: Life) -> Iterator[Told]:
        """Each stage of a life comes after its birth, and after the last stage above it that every life passes."""
        births = [self.readings[name] for name in life.births]
        why, birth = f"both tell {life.identifier}", births[0]
        others = [r for r in (self.readings[name] for name in life.events) if r not in births]
        others = [r for r in others if not (r.action == "join" and birth.action == "create")]
        others = [r for r in others if self.order.partners.get(r.name) not in life.births]
        yield from ((r, births, why, 0.55 if life.public else 0.7, "needs") for r in others)
        if life.public or self.lies_there(birth, others):
            return
        passed, before, aside = births, dict[str, list[Reading]](), list[Reading]()
        for r in _in_order([o for o in others if o.index > birth.index or (o.place or 9) >= 3]):
            sibling = next((name for name in reversed(before) if self.order.is_instead(r.name, name)), None)
            begun = any(x.topic == r.topic and (x.place or 9) < 3 for x in [*births, *others])
            trouble = [o for o in aside if "trouble" in o.flags and o.topic & r.topic - birth.topic]
            if sibling is None and (r.regrets or (r.looks and r.action != "visit")):
                continue
            if sibling is None and (r.opinion or (trouble and not begun)):
                yield (r, passed if r.opinion else trouble[-1:], why, 0.65, "needs")
                continue
            before[r.name] = before[sibling] if sibling else passed
            sure = 0.6 if before[r.name] != births or r.index - births[-1].index == 1 else 0.55
            yield (r, before[r.name], why, sure, "")
            told = {m.event for m in self.order.told.get(r.name, ())}
            if {"optional", "repeated", "during", "others", "trouble"} & r.flags or any(
                o.name in told or (o.topic & r.topic and not o.topic & birth.topic) for o in aside
            ):
                aside.append(r)
            elif not r.wrong and sibling is None and r.action not in ("edit", "report", "save"):
                passed = [r] if r.kind not in (Kind.SUPPORT, Kind.SOCIAL, Kind.SHARE) else passed


def _in_order(found: Sequence[Reading]) -> list[Reading]:
    """Events as the sheet lists them, a beginning before the outcome of the same topic."""
    line: list[Reading] = []
    for r in sorted(found, key=lambda r: r.index):
        later = [n for n, o in enumerate(line) if o.topic == r.topic and (o.place or 0) > (r.place or 9)]
        line.insert(later[0] if later else len(line), r)
    return line


# --------------------------------------------------------------------------- what later events repeat of earlier ones


_NO_SOURCE = (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END)
_OF_NOTHING = ("it needs", "filed above", "installed", "the introduction", "a step of the sign-up")
"""Beginnings of the evidence of edges that say nothing of one thing."""
_OWN_TO_EACH_EVENT = named_words("own_to_each_event")
_TEXTS_OF_EACH = named_words("texts_of_each")
_SAME = re.compile(r"동일|同じ|\bsame\b|\bas in\b|\bback\b|\bwhole\b|全額|전액|그대로|\bof\b|의 ")
_ONCE_EACH = named_words("once_each")
_ENDING = named_words("ending")


class Recalls:
    """Finds which property of which events is recalled from which earlier ones.

    Args:
        needs: by event, those that must have happened before.
        constraints: by key, what is known of the values.
    """

    def __init__(
        self, order: EventOrder, needs: Mapping[str, Sequence[str]], constraints: Mapping[str, PropertyConstraint]
    ) -> None:
        self.order, self.needs, self.constraints = order, needs, constraints
        taxonomy = order.taxonomy
        self.own = {event.name: {p.name: p for p in event.properties} for event in taxonomy.events}
        counted = {p.name for p in taxonomy.user_properties if p.type is PropertyType.NUMBER and not is_id_name(p.name)}
        self.states = {p.name for p in taxonomy.common_properties} | counted
        self.lives = {life.identifier: life for life in order.lives}
        self.made = {life.identifier for life in order.lives if not self._is_fixed(life.births[0], life.identifier)}
        """Ids that an event makes anew each time."""
        self.lying: set[str] = set()

    def found(self) -> dict[str, list[str]]:
        """By key of a property, the events, or properties of events, that it recalls."""
        recalled: dict[str, list[str]] = {}
        for event in self.own:
            if self.order.kinds[event] in _NO_SOURCE or event in self.order.legacy:
                continue
            for prop in self.own[event].values():
                if sources := self._sources(event, prop):
                    recalled[f"{event}/{prop.name}"] = sources
        for event in self.own:
            for key, told in self._by_other_names(event):
                recalled.setdefault(key, [told])
        return recalled

    def is_told_once(self, key: str) -> bool:
        """Whether an event says how a thing ends that an id names, which happens once to each of them."""
        event, _, name = key.partition("/")
        r, life = self.order.readings[event], self.lives.get(name)
        if life is None or event not in life.events or r.says("cart", "sweep") or set(pieces(name)) & OWNED:
            return False
        mine = {*concepts(" ".join(pieces(name)[:-1])), *pieces(name)[:-1]} & {*r.words, *pieces(event)}
        others = [n for n in self.order.readings[event].ids if n != name and n in self.lives]
        ends = r.phase in _ONCE_EACH or undoes(r) or r.action in _ENDING
        stage = (
            bool({"repeated", "during", "optional"} & self.order.readings[event].flags) is False and name in self.made
        )
        return (ends or stage) and (not others or bool(mine)) and not r.opinion and not r.looks

    def is_within(self, key: str) -> bool:
        """Whether an event is about something within what it recalls, or about what lies there for everybody."""
        return key in self.lying

    # ----------------------------------------------------------------- the nearest event that tells the same

    def _before(self, event: str) -> Iterator[list[str]]:
        """Events before one that are about the same thing, the nearest first, by how far back they are."""
        level, seen = [event], {event}
        while level:
            further: list[str] = []
            for name in level:
                edges = [*([self.order.next[name]] if name in self.order.next else []), *self.order.needs.get(name, ())]
                for edge in edges:
                    if not edge.why.startswith(_OF_NOTHING):
                        further += [b for b in edge.before if b not in seen]
                        seen.update(edge.before)
            level = sorted(dict.fromkeys(further), key=lambda name: -self.order.readings[name].index)
            if level:
                yield level

    def _sources(self, event: str, prop: Property) -> list[str]:
        """The nearest earlier events that tell a property of the same thing."""
        name, r = prop.name, self.order.readings[event]
        if prop.properties or name in self.states or self._is_fixed(event, name):
            return []
        is_id = is_id_name(name)
        life = self.lives.get(name)
        if life is not None and event in life.births:
            return []
        if not is_id and self._changes(event, prop):
            return []
        for steps, level in enumerate(self._before(event)):
            telling = [b for b in level if self._says(b, prop)]
            if life is not None and event in life.events:
                telling = [b for b in telling if b in life.events]
            elif not self._one_thing(event, telling, steps):
                telling = []
            good = [b for b in telling if not self.order.readings[b].wrong or r.wrong]
            if telling:
                told = self.constraints.get(f"{event}/{name}")
                repeated = told is not None and told.same_as_before
                if life is None and not repeated and name in self.order.readings[event].ids:
                    self.lying.add(f"{event}/{name}")
                return self._nearest(good or telling)
        if life is not None and event in life.events:
            return [b for b in life.births if name in self.own[b]]
        return []

    def _nearest(self, telling: Sequence[str]) -> list[str]:
        """Of several the last one; ways to begin the same thing together."""
        ways = next((e for life in self.order.lives for e in [life.births] if len(e) > 1 and {*e} <= {*telling}), None)
        return list(ways) if ways else [telling[0]]

    def _one_thing(self, event: str, telling: Sequence[str], steps: int) -> bool:
        """Whether events speak of one thing: by an id that both carry, or since one directly follows the other."""
        mine = set(self.order.readings[event].ids)
        return steps == 0 or any(mine & set(self.order.readings[b].ids) for b in telling) or steps <= 2

    def _is_fixed(self, event: str, name: str) -> bool:
        """Whether something else decides the values."""
        c = self.constraints.get(f"{event}/{name}", self.constraints.get(name))
        return c is not None and bool(c.copy_of or c.counter or c.first_only or c.faker == "phone")

    def _changes(self, event: str, prop: Property) -> bool:
        """Whether each event says something of its own."""
        words = set(own_pieces(prop.name))
        own = words & (_TEXTS_OF_EACH if prop.type is PropertyType.STRING else _OWN_TO_EACH_EVENT)
        if prop.type is PropertyType.TIME and (own <= {"time", "first"} or "at" in words):
            return False
        c = self.constraints.get(f"{event}/{prop.name}", self.constraints.get(prop.name))
        hangs = c is not None and c.depends_on is not None and c.depends_on in self.own[event]
        return bool(own) or hangs or (c is not None and c.per_user)

    def _says(self, before: str, prop: Property) -> bool:
        earlier = self.own[before].get(prop.name)
        if earlier is None or earlier.type is not prop.type:
            return False
        said, here = rule_of(earlier), rule_of(prop)
        if isinstance(said, OneOf) and isinstance(here, OneOf):
            return set(map(str, said.values)) <= set(map(str, here.values))
        return here is None or said == here

    # ----------------------------------------------------------------- the same number by another name

    def _by_other_names(self, event: str) -> Iterator[tuple[str, str]]:
        """Numbers that a text says are those of an earlier event: what is refunded was paid."""
        ancestors = [name for level in self._before(event) for name in level]
        for prop in self.own[event].values():
            if prop.type is not PropertyType.NUMBER or self._is_fixed(event, prop.name) or rule_of(prop) is not None:
                continue
            others = [(b, o) for b in ancestors for o in self.own[b].values() if o.type is PropertyType.NUMBER]
            others = [(b, o) for b, o in others if o.name not in self.own[event] and o.name not in self.states]
            named = [f"{b}/{o.name}" for b, o in others if _names(prop, o)]
            text = prop.description.lower()
            written = [b for b in self.own if b != event and b.lower() in text and not named]
            named += [f"{b}/{name}" for b in written for name in self.own[b] if _has_word(text, name)]
            if named:
                yield f"{event}/{prop.name}", named[0]


def _has_word(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![a-z0-9_]){re.escape(name.lower())}(?![a-z0-9_])", text))


def _names(prop: Property, other: Property) -> bool:
    """Whether a text names another property, and no more than that."""
    text = f"{prop.description} {prop.alias}".lower()
    if re.search(r"[-+*/×]\s*\w|%|\bfor each\b|\bper\b|\bafter\b|\bbefore\b", text):
        return False
    return _has_word(text, other.name) or (
        len(other.alias) > 2 and other.alias.lower() in text and bool(_SAME.search(text))
    )
