"""The lives of things that ids name, the values that later events recall, and carts that add up.

The event that makes a thing draws its id. The others that carry the id are stages of its life; each follows the last
stage above it that every such life passes. Ids of things that exist for all users, such as goods and titles, name no
life. An event recalls values from the nearest earlier event in the graph about the same thing: its id, and with it the
other properties that both have.

If a step of a sequence puts things into a cart, each with a price or a quantity, later steps show its contents: the
value of the cart or the order, the number of its items or the items themselves. A cart lasts until it is paid for, or
until the next session.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gamestats_assets.demo_data.analysis.graph import EventOrder, Life
from gamestats_assets.demo_data.analysis.meaning.descriptions import is_id_name
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind, deals
from gamestats_assets.demo_data.analysis.meaning.measures import OWNED, Place, places, rule_of
from gamestats_assets.demo_data.analysis.meaning.reading import (
    PLAYABLE,
    SIGHTS,
    Reading,
    concepts,
    named_words,
    own_pieces,
    piece_set,
    pieces,
)
from gamestats_assets.demo_data.analysis.states import takes_away
from gamestats_assets.demo_data.reference import rows
from gamestats_assets.demo_data.rules.model import EventConstraints, EventSequence, PropertyConstraint, TotalRule
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf

Kind = EventKind
Stage = tuple[Reading, Sequence[Reading], str, float, str]
"""A later event, its predecessors, the reason, the confidence, and the kind of edge; empty if the pace decides."""

_BEGINNING = ("queue", "request", "attempt", "launch", "enter", "open", "start", "submit")
_MAKING = named_words("making")
_CREATING = ("create", "post", "upload", "write")
_KEPT = named_words("kept")
"""Deeds whose results last and are used at will."""
_ON_THE_WAY = named_words("on_the_way")
_PERSONS = named_words("persons")
_OFFERED = named_words("offered")
_OF_OTHERS = named_words("of_others")
SHELVED = SIGHTS | PLAYABLE | named_words("shelved")
"""Things that exist for all users; their ids name no life."""


@functools.cache
def earlier() -> Mapping[str, tuple[tuple[str, ...], bool]]:
    """Returns by deed the earlier deeds on the same thing, and whether the deed takes them back."""
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
        """Returns the lives of the things that ids name."""
        found = [self._life(name, carriers) for name, carriers in self.carriers.items() if len(carriers) > 1]
        return [life for life in found if life is not None]

    def _life(self, name: str, carriers: Sequence[Reading]) -> Life | None:
        """Returns the life that an id names; None for things that exist for all users, such as the goods of a shop."""
        stem = pieces(name)[:-1]
        words = {*stem, *concepts(" ".join(stem))}
        own = [r for r in carriers if not (r.looks or r.opinion or r.wrong or undoes(r) or "others" in r.flags)]
        if {stem[-1], *concepts(stem[-1])} & _PERSONS or not own:
            return None
        first, named = own[0], [r for r in own if words & {*r.words, *pieces(r.name)}]
        makes = [r for r in named if r.action in _MAKING or r.phase in _BEGINNING]
        above = any(r.index < first.index and r.looks for r in carriers)
        offered = bool(words & _OFFERED) and any((r.place or 0) >= 5 or r.phase == "accept" for r in carriers)
        asked = first.phase in ("request", "submit", "attempt", "queue") or offered
        if (words & SHELVED or above) and not (first in named and not above and asked):
            made = [r for r in makes if r.action in (*_CREATING, "add", "issue") or not words & SHELVED]
            dealt = ("bid", "buy", "order", "book", "open")
            made = [r for r in made if r.action not in dealt or (r.phase is None and not above)][:1]
            whole = ("complete", "done", "success", None)
            brings = [r for r in made if r.action in _CREATING and r.phase in whole]
            if not made or (not brings and any(r.looks and r.index < made[0].index for r in carriers)):
                return None
            return Life(name, (made[0].name,), tuple(r.name for r in carriers if self._is_own(r, made[0])), public=True)
        longer = [i for i in first.ids if i != name and len(self.carriers[i]) >= len(self.carriers[name])]
        if not named and longer:
            return None  # such as the charge point of a charge
        begun = first
        if (first.place or 0) >= 5 or first.phase == "accept" or first not in named:
            begun = next((r for r in makes if (r.place or 9) < 3 and r.topic & (first.topic | words)), first)
        begins = [begun]
        for r in own:
            same = r.deeds == begun.deeds and r.phase in _BEGINNING and r.index == begins[-1].index + 1
            begins += [r] if same and (r.topic <= begun.topic or begun.topic <= r.topic) else []
        of_all = any(r.looks or "others" in r.flags or r.action in ("like", "follow") for r in carriers)
        public = begun.action in _CREATING and of_all
        events = [r.name for r in carriers if r in begins or not public or self._is_own(r, begun)]
        return Life(name, tuple(r.name for r in begins), tuple(events), public)

    def _is_own(self, r: Reading, maker: Reading) -> bool:
        """Whether an event is about a thing that the user made, rather than one of others."""
        dealt = (Kind.SOCIAL, Kind.SHARE, Kind.BROWSE, Kind.PAY, Kind.CART, Kind.CHECKOUT)
        of_others = r.looks or r.action in _OF_OTHERS or "others" in r.flags or r.opinion or r.kind in dealt
        return r is maker or (not of_others and r.index > maker.index)

    def lies_there(self, birth: Reading, others: Sequence[Reading]) -> bool:
        """Whether a made thing is kept for use at will, such as a device or a task, and passes no stages."""
        moved = any(_ON_THE_WAY & {*r.words} for r in others)
        kept = birth.action in _KEPT and birth.place is None
        there = (birth.place or 0) >= 5 and birth.phase != "done"
        return (kept or there) and not moved and not deals(birth) and birth.kind not in (Kind.CHECKOUT, Kind.PAY)

    def stages(self, life: Life) -> Iterator[Stage]:
        """Yields each stage of a life, after its birth and after the last stage above it that every life passes."""
        births = [self.readings[name] for name in life.births]
        why, birth = f"both have {life.identifier}", births[0]
        others = [r for r in (self.readings[name] for name in life.events) if r not in births]
        others = [r for r in others if not (r.action == "join" and birth.action == "create")]
        others = [r for r in others if self.order.partners.get(r.name) not in life.births]
        yield from ((r, births, why, 0.55 if life.public else 0.7, "needs") for r in others)
        if life.public or self.lies_there(birth, others):
            return
        passed, before, aside = births, dict[str, list[Reading]](), list[Reading]()
        for r in in_order([o for o in others if o.index > birth.index or (o.place or 9) >= 3]):
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
            mentioned = {m.event for m in self.order.mentions.get(r.name, ())}
            if {"optional", "repeated", "during", "others", "trouble"} & r.flags or any(
                o.name in mentioned or (o.topic & r.topic and not o.topic & birth.topic) for o in aside
            ):
                aside.append(r)
            elif not r.wrong and sibling is None and r.action not in ("edit", "report", "save"):
                passed = [r] if r.kind not in (Kind.SUPPORT, Kind.SOCIAL, Kind.SHARE) else passed


def in_order(found: Sequence[Reading]) -> list[Reading]:
    """Returns events in the order of the sheet, a beginning before the outcome of the same topic."""
    line: list[Reading] = []
    for r in sorted(found, key=lambda r: r.index):
        later = [n for n, o in enumerate(line) if o.topic == r.topic and (o.place or 0) > (r.place or 9)]
        line.insert(later[0] if later else len(line), r)
    return line


# --------------------------------------------------------------------------- values recalled from earlier events


_NO_SOURCE = (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END)
_OF_NOTHING = ("it needs", "filed above", "installed", "the introduction", "a step of the sign-up")
"""Beginnings of the reasons of edges that do not link events about one thing."""
_OWN_TO_EACH_EVENT = named_words("own_to_each_event")
_TEXTS_OF_EACH = named_words("texts_of_each")
_SAME = re.compile(r"동일|同じ|\bsame\b|\bas in\b|\bback\b|\bwhole\b|全額|전액|그대로|\bof\b|의 ")
_ONCE_EACH = named_words("once_each")
_ENDING = named_words("ending")


class Recalls:
    """Finds the properties of events that are recalled from earlier events."""

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
        """Ids that an event makes new each time."""
        self.lying: set[str] = set()
        """Keys of ids by which an event recalls things that exist for all users."""

    def found(self) -> dict[str, list[str]]:
        """Returns by key of a property the events, or properties of events, that it recalls."""
        recalled: dict[str, list[str]] = {}
        known = [e for e in self.own if self.order.kinds[e] not in _NO_SOURCE and e not in self.order.legacy]
        for event, prop in ((e, prop) for e in known for prop in self.own[e].values()):
            if sources := self._sources(event, prop):
                recalled[f"{event}/{prop.name}"] = sources
        for key, source in (item for event in self.own for item in self._by_other_names(event)):
            recalled.setdefault(key, [source])
        return recalled

    def happens_once(self, key: str) -> bool:
        """Whether an event ends the thing that an id names, and so happens once to each."""
        event, _, name = key.partition("/")
        r, life = self.order.readings[event], self.lives.get(name)
        if life is None or event not in life.events or r.says("cart", "sweep") or set(pieces(name)) & OWNED:
            return False
        mine = {*concepts(" ".join(pieces(name)[:-1])), *pieces(name)[:-1]} & {*r.words, *pieces(event)}
        others = [n for n in r.ids if n != name and n in self.lives]
        ends = r.phase in _ONCE_EACH or undoes(r) or r.action in _ENDING
        stage = name in self.made and not {"repeated", "during", "optional"} & r.flags
        return (ends or stage) and (not others or bool(mine)) and not r.opinion and not r.looks

    # ----------------------------------------------------------------- the nearest event with the same property

    def _before(self, event: str) -> Iterator[list[str]]:
        """Yields earlier events about the same thing, the nearest first, grouped by their distance."""
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
        """Returns the nearest earlier events with a property of the same thing."""
        name, r = prop.name, self.order.readings[event]
        if prop.properties or name in self.states or self._is_fixed(event, name):
            return []
        life = self.lives.get(name)
        if (life is not None and event in life.births) or (not is_id_name(name) and self._changes(event, prop)):
            return []
        for steps, level in enumerate(self._before(event)):
            sharing = [b for b in level if self._says(b, prop)]
            if life is not None and event in life.events:
                sharing = [b for b in sharing if b in life.events]
            elif steps > 2 and not any({*r.ids} & {*self.order.readings[b].ids} for b in sharing):
                sharing = []  # both carry one id, or one follows the other
            if sharing:
                if life is None and name in r.ids and not self._constraint(event, name).same_as_before:
                    self.lying.add(f"{event}/{name}")
                good = [b for b in sharing if not self.order.readings[b].wrong or r.wrong] or sharing
                ways = (of.births for of in self.order.lives if len(of.births) > 1 and {*of.births} <= {*good})
                return list(next(ways, good[:1]))  # alternative beginnings of one thing count together
        if life is not None and event in life.events:
            return [b for b in life.births if name in self.own[b]]
        return []

    def _is_fixed(self, event: str, name: str) -> bool:
        """Whether something else decides the values."""
        c = self._constraint(event, name)
        return bool(c.copy_of or c.counter or c.first_only or c.faker == "phone")

    def _constraint(self, event: str, name: str) -> PropertyConstraint:
        return self.constraints.get(f"{event}/{name}") or self.constraints.get(name) or PropertyConstraint()

    def _changes(self, event: str, prop: Property) -> bool:
        """Whether each event has a value of its own."""
        words = set(own_pieces(prop.name))
        own = words & (_TEXTS_OF_EACH if prop.type is PropertyType.STRING else _OWN_TO_EACH_EVENT)
        if prop.type is PropertyType.TIME and (own <= {"time", "first"} or "at" in words):
            return False
        c = self._constraint(event, prop.name)
        return bool(own) or c.depends_on in self.own[event] or c.per_user

    def _says(self, before: str, prop: Property) -> bool:
        earlier = self.own[before].get(prop.name)
        if earlier is None or earlier.type is not prop.type:
            return False
        there, here = rule_of(earlier), rule_of(prop)
        if isinstance(there, OneOf) and isinstance(here, OneOf):
            return set(map(str, there.values)) <= set(map(str, here.values))
        return here is None or there == here

    # ----------------------------------------------------------------- the same number by another name

    def _by_other_names(self, event: str) -> Iterator[tuple[str, str]]:
        """Yields numbers that a text equates with those of an earlier event: a refund is of what was paid."""
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
    """Whether a text names another property and no calculation."""
    text, alias = f"{prop.description} {prop.alias}".lower(), other.alias.lower()
    if re.search(r"[-+*/×]\s*\w|%|\bfor each\b|\bper\b|\bafter\b|\bbefore\b", text):
        return False
    return _has_word(text, other.name) or (len(alias) > 2 and alias in text and bool(_SAME.search(text)))


_QUANTITY = named_words("cart_quantities")
_THINGS = named_words("cart_things")
_SUMS = named_words("cart_sums")
_WHOLES = named_words("cart_wholes")
_PARTS = named_words("cart_parts")
_COUNTS = named_words("cart_counts")


@dataclass(frozen=True)
class Gathering:
    """Constraints of numbers that follow from a cart, and the limits that these set to the price of a piece."""

    values: Mapping[str, PropertyConstraint]
    prices: Mapping[str, tuple[float, float]]

    def constraints(self, known: Mapping[str, PropertyConstraint]) -> dict[str, PropertyConstraint]:
        """Returns these with other known constraints; a recalled property keeps its other known settings."""
        found = dict(known)
        for key, own in self.values.items():
            before = known.get(key) or known.get(key.partition("/")[2])
            found[key] = before.model_copy(update={"recalls": own.recalls}) if before and own.recalls else own
        return found


def gathered(order: EventOrder, constraints: EventConstraints) -> Gathering:
    """Returns the constraints of carts; none for carts that gain or lose things without an amount."""
    everywhere = list(places(order.taxonomy, order.kinds))
    own: dict[str, dict[str, Place]] = {event.name: {} for event in order.taxonomy.events}
    for place in everywhere:
        if place.of_event:
            own[place.event][place.name] = place
    values: dict[str, PropertyConstraint] = {}
    prices: dict[str, tuple[float, float]] = {}
    for sequence in constraints.sequences:
        cart = _Cart(order, constraints, own, sequence)
        if cart.is_whole:
            values |= cart.constraints()
            prices |= cart.prices()
    return Gathering(values, prices)


class _Cart:
    """The cart of a sequence."""

    def __init__(
        self,
        order: EventOrder,
        constraints: EventConstraints,
        own: Mapping[str, Mapping[str, Place]],
        sequence: EventSequence,
    ) -> None:
        self._order, self._own = order, own
        adders = {r.name: r for r in order.readings.values() if self._adds(r)}
        steps = [set(step.events) for step in sequence.steps]
        begin = next((number for number, events in enumerate(steps) if events <= adders.keys()), len(steps))
        self.adders = list(adders)
        heads = {event for other in constraints.sequences for event in other.steps[0].events}
        self._later = [
            event
            for step in sequence.steps[begin + 1 :]
            for event in dict.fromkeys(step.events)
            if event not in heads and event not in adders and not (self._price(event) and self._quantity(event))
        ]
        self._lasting = constraints.session_start[:1]
        self._takers = [r for r in order.readings.values() if takes_away(r) and r.says("cart") and r.name not in adders]

    @property
    def is_whole(self) -> bool:
        """Whether all events that fill the cart give the same of price and quantity."""
        missing = {(self._price(event) is None, self._quantity(event) is None) for event in self.adders}
        return bool(self._later) and len(missing) == 1

    def _adds(self, r: Reading) -> bool:
        added = r.says("cart") and r.says("add") and not r.fails and not takes_away(r)
        return added and bool(self._price(r.name) or self._quantity(r.name))

    def _numbers(self, event: str) -> dict[str, Property]:
        props = {name: place.prop for name, place in self._own[event].items() if "." not in name}
        return {name: prop for name, prop in props.items() if prop.type is PropertyType.NUMBER}

    def _price(self, event: str) -> str | None:
        return _one(self._numbers(event), _is_price)

    def _quantity(self, event: str) -> str | None:
        return _one(self._numbers(event), _is_quantity)

    # ----------------------------------------------------------------- constraints

    def constraints(self) -> dict[str, PropertyConstraint]:
        """Returns constraints of totals, counts and lists, and of removals."""
        found: dict[str, PropertyConstraint] = {}
        until = self._until()
        for event in dict.fromkeys(self._later):
            for name, formulas in self._totals(event).items():
                rule = TotalRule(adds=formulas, takes=[r.name for r in self._takes()], until=until)
                found[f"{event}/{name}"] = PropertyConstraint(totals=rule)
        if found:
            for r in self._takes():
                for name in self._own[r.name]:
                    sources = [event for event in self.adders if name in self._own[event]]
                    if sources and "." not in name:
                        found[f"{r.name}/{name}"] = PropertyConstraint(recalls=sources)
        return found

    def prices(self) -> dict[str, tuple[float, float]]:
        """Returns by price per piece the bounds that keep a cart of one thing within the sheet's limits."""
        limits = [
            rule
            for event in dict.fromkeys(self._later)
            for name, formulas in self._totals(event).items()
            if "." not in name and set(formulas) == {e for e in self.adders} and not _is_count(name)
            if isinstance(rule := rule_of(self._own[event][name].prop), Between)
        ]
        found: dict[str, tuple[float, float]] = {}
        for event in self.adders if limits else ():
            price, quantity = self._price(event), self._quantity(event)
            several = rule_of(self._own[event][quantity].prop) if quantity else None
            most = several.max if isinstance(several, Between) else 1
            if price:
                found[price] = (max(rule.min for rule in limits), min(rule.max for rule in limits) / most)
        return found

    def _takes(self) -> list[Reading]:
        """Returns the events that take one thing away, and name it."""
        named = {name for event in self.adders for name in self._own[event]}
        return [r for r in self._takers if named & self._own[r.name].keys()]

    def _until(self) -> list[str]:
        kinds = self._order.kinds
        paid = [e for e in self._later if kinds[e] is EventKind.PAY and not self._order.readings[e].fails]
        totalling = [e for e in self._later if self._totals(e) and not self._order.readings[e].fails]
        cleared = [r.name for r in self._takers if r not in self._takes()]
        return list(dict.fromkeys([*(paid[-1:] or totalling[-1:]), *cleared, *self._lasting]))

    def _totals(self, event: str) -> dict[str, dict[str, str]]:
        """Returns by property that follows from the cart the formula of each event that fills it."""
        found: dict[str, dict[str, str]] = {}
        numbers = self._numbers(event)
        sums = [name for name, prop in numbers.items() if _is_sum(name) and _is_free(prop)]
        before_all = [name for name in sums if piece_set(name) & {"subtotal", "sub", "items", "goods", "cart"}]
        for name in before_all or sums[:1]:
            parts = {adder: (self._price(adder), self._quantity(adder)) for adder in self.adders}
            found[name] = {adder: " * ".join(filter(None, of)) for adder, of in parts.items() if of[0]}
        for name, prop in numbers.items():
            if _is_count(name) and _is_free(prop):
                found[name] = {adder: self._quantity(adder) or "1" for adder in self.adders}
        for place in self._own[event].values():
            if place.prop.type is PropertyType.OBJECT_GROUP:
                found |= self._listed(event, place.prop)
        return {name: formulas for name, formulas in found.items() if len(formulas) == len(self.adders)}

    def _listed(self, event: str, group: Property) -> dict[str, dict[str, str]]:
        """Returns the properties of each object of a list; none unless every one is known when the cart is filled."""
        found: dict[str, dict[str, str]] = {}
        for child in group.properties:
            same = {adder: self._same(adder, child) for adder in self.adders}
            if not all(same.values()) or rule_of(child) != rule_of(self._own[event][f"{group.name}.{child.name}"].prop):
                return {}
            found[f"{group.name}.{child.name}"] = {adder: name for adder, name in same.items() if name}
        return found

    def _same(self, adder: str, child: Property) -> str | None:
        given = self._own[adder].get(child.name)
        if given is not None and given.prop.type is child.type:
            return child.name
        if child.type is not PropertyType.NUMBER:
            return None
        if _is_price(child.name):
            return self._price(adder)
        return self._quantity(adder) if _is_quantity(child.name) else None


def _one(numbers: Mapping[str, Property], fits: Callable[[str], bool]) -> str | None:
    found = [name for name in numbers if fits(name)]
    return found[0] if len(found) == 1 else None


def _is_price(name: str) -> bool:
    words = piece_set(name)
    return bool(words & {"price", "cost"}) and not words & ((_PARTS | _WHOLES) - {"unit", "each", "per"})


def _is_quantity(name: str) -> bool:
    return bool(piece_set(name) & _QUANTITY) and not piece_set(name) & (_PARTS | {"total"})


def _is_sum(name: str) -> bool:
    words = piece_set(name)
    return bool(words & _SUMS and not words & _PARTS and (words & _WHOLES or len(words) == 1))


def _is_count(name: str) -> bool:
    words = own_pieces(name)
    counts = _THINGS & set(words) and _COUNTS & set(words) and not _PARTS & set(words)
    return bool(counts) or words in (("items",), ("quantity",))


def _is_free(prop: Property) -> bool:
    return rule_of(prop) is None or isinstance(rule_of(prop), Between)
