"""What users gather before they pay: the cart. Its value, the order's and their items follow from what was put in.

Where a step of a sequence puts things into a cart, each with a price or a quantity, the later steps that tell the
value of the cart or the order, or count or list its items, tell of what is there. A cart lasts until it is paid for,
or until the session after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.kinds import EventKind
from gamestats_assets.demo_data.analysis.lexicon import named_words, own_pieces, piece_set
from gamestats_assets.demo_data.analysis.measures import Place, places, rule_of
from gamestats_assets.demo_data.analysis.reading import Reading
from gamestats_assets.demo_data.analysis.states import takes_away
from gamestats_assets.demo_data.rules.model import EventConstraints, EventSequence, PropertyConstraint, TotalRule
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between

_QUANTITY = named_words("cart_quantities")
_THINGS = named_words("cart_things")
_SUMS = named_words("cart_sums")
_WHOLES = named_words("cart_wholes")
_PARTS = named_words("cart_parts")
_COUNTS = named_words("cart_counts")


@dataclass(frozen=True)
class Gathering:
    """Constraints of what follows from what is gathered.

    Attributes:
        values: by key.
        prices: between what a price per piece must lie, so that one thing alone keeps the limits of the sheet.
    """

    values: Mapping[str, PropertyConstraint]
    prices: Mapping[str, tuple[float, float]]

    def constraints(self, known: Mapping[str, PropertyConstraint]) -> dict[str, PropertyConstraint]:
        """These beside others that are known; what is recalled keeps what else is known of it."""
        found = dict(known)
        for key, told in self.values.items():
            before = known.get(key) or known.get(key.partition("/")[2])
            found[key] = before.model_copy(update={"recalls": told.recalls}) if before and told.recalls else told
        return found


def gathered(order: EventOrder, constraints: EventConstraints) -> Gathering:
    """What is known of carts; nothing where not all that happens to them is told."""
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
    """What a sequence tells of a cart."""

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
            if event not in heads and event not in adders and not self._is_line(event)
        ]
        self._lasting = constraints.session_start[:1]
        self._takers = [r for r in order.readings.values() if takes_away(r) and r.says("cart") and r.name not in adders]

    @property
    def is_whole(self) -> bool:
        """Whether every event that puts something in tells as much of it."""
        told = [(self._price(event) is None, self._quantity(event) is None) for event in self.adders]
        return bool(self._later) and len(set(told)) == 1

    def _adds(self, r: Reading) -> bool:
        if takes_away(r) or not r.says("cart") or not r.says("add") or r.fails:
            return False
        return self._price(r.name) is not None or self._quantity(r.name) is not None

    def _is_line(self, event: str) -> bool:
        """Whether an event tells of one thing by itself."""
        return self._price(event) is not None and self._quantity(event) is not None

    def _numbers(self, event: str) -> dict[str, Property]:
        return {
            name: place.prop
            for name, place in self._own[event].items()
            if "." not in name and place.prop.type is PropertyType.NUMBER
        }

    def _price(self, event: str) -> str | None:
        return _one(self._numbers(event), _is_price)

    def _quantity(self, event: str) -> str | None:
        return _one(self._numbers(event), _is_quantity)

    # ----------------------------------------------------------------- constraints

    def constraints(self) -> dict[str, PropertyConstraint]:
        """Of totals, counts and lists, and of what is taken away."""
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
        """By price per piece, what keeps a cart of one thing within the limits of the sheet."""
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
        """Events that take one thing away: they name it."""
        named = {name for event in self.adders for name in self._own[event]}
        return [r for r in self._takers if named & self._own[r.name].keys()]

    def _until(self) -> list[str]:
        kinds = self._order.kinds
        paid = [e for e in self._later if kinds[e] is EventKind.PAY and not self._order.readings[e].fails]
        telling = [e for e in self._later if self._totals(e) and not self._order.readings[e].fails]
        cleared = [r.name for r in self._takers if r not in self._takes()]
        return list(dict.fromkeys([*(paid[-1:] or telling[-1:]), *cleared, *self._lasting]))

    def _totals(self, event: str) -> dict[str, dict[str, str]]:
        """By property that follows from what is in the cart, the formula of each event that puts something in."""
        found: dict[str, dict[str, str]] = {}
        numbers = self._numbers(event)
        sums = [name for name, prop in numbers.items() if _is_sum(name) and _is_free(prop)]
        before_all = [name for name in sums if piece_set(name) & {"subtotal", "sub", "items", "goods", "cart"}]
        for name in before_all or sums[:1]:
            found[name] = {adder: self._worth(adder) for adder in self.adders if self._price(adder)}
        for name, prop in numbers.items():
            if _is_count(name) and _is_free(prop):
                found[name] = {adder: self._quantity(adder) or "1" for adder in self.adders}
        for place in self._own[event].values():
            if place.prop.type is PropertyType.OBJECT_GROUP:
                found |= self._listed(event, place.prop)
        return {name: formulas for name, formulas in found.items() if len(formulas) == len(self.adders)}

    def _worth(self, adder: str) -> str:
        return " * ".join(name for name in (self._price(adder), self._quantity(adder)) if name)

    def _listed(self, event: str, group: Property) -> dict[str, dict[str, str]]:
        """What each object tells of a thing, where all is told that an object has."""
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
    said = piece_set(name)
    return bool(said & {"price", "cost"}) and not said & ((_PARTS | _WHOLES) - {"unit", "each", "per"})


def _is_quantity(name: str) -> bool:
    return bool(piece_set(name) & _QUANTITY) and not piece_set(name) & (_PARTS | {"total"})


def _is_sum(name: str) -> bool:
    said = piece_set(name)
    if said & _PARTS or not said & _SUMS:
        return False
    return bool(said & _WHOLES) or len(said) == 1


def _is_count(name: str) -> bool:
    said = own_pieces(name)
    counts = _THINGS & set(said) and _COUNTS & set(said) and not _PARTS & set(said)
    return bool(counts) or said in (("items",), ("quantity",))


def _is_free(prop: Property) -> bool:
    return rule_of(prop) is None or isinstance(rule_of(prop), Between)
