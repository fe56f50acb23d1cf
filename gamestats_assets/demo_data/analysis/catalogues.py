"""Things that a product has before any user comes: titles, items, guilds. An id has one name, one genre, one price.

Where an event tells the id of such a thing and beside it its name or its price, the ids are the entries of a
catalogue, the first ones more popular than the last, and whatever else is told of the thing goes with the id.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data import names
from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.lexicon import own_pieces
from gamestats_assets.demo_data.analysis.measures import UNIQUE, Place, measure, rule_of
from gamestats_assets.demo_data.analysis.value_texts import Language, language_of
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf, Scalar

_ENTRIES = 40
_LOCALES: dict[Language, str] = {"en": "en_US", "ko": "ko_KR", "ja": "ja_JP"}


@functools.cache
def _words(what: str) -> frozenset[str]:
    return frozenset(facts("choices")["catalogues"][what].split())


def locale_of(taxonomy: Taxonomy) -> str:
    """Locale of the language that a taxonomy is written in: its own things have names in it."""
    texts = [text for event in taxonomy.events for text in (event.alias, event.description)]
    texts += [p.alias + p.description + p.constraint for e in taxonomy.events for _, p in flattened(e.properties)]
    return _LOCALES[language_of(texts)]


def invented(pattern: str, locale: str, most: int = _ENTRIES) -> list[Scalar]:
    """Different names of a pattern."""
    found: list[Scalar] = [str(value) for value in dict.fromkeys(names.pool(pattern, locale))]
    return found[:most]


def falling(count: int) -> list[float]:
    """Weights of the entries of a catalogue: the first are the popular ones."""
    return [round((place + 1) ** -0.6, 3) for place in range(count)]


class Catalogues:
    """Ids of catalogues, and what goes with them, by the names of the properties.

    Args:
        everywhere: every property where it stands.
    """

    def __init__(self, order: EventOrder, everywhere: Sequence[Place]) -> None:
        self.locale, self._order = locale_of(order.taxonomy), order
        self.places: dict[str, list[Place]] = {}
        for place in everywhere:
            self.places.setdefault(place.name, []).append(place)
        self._id_of: dict[str, str] = {}
        for event in dict.fromkeys(place.event for place in everywhere if place.of_event):
            self._note([place for place in everywhere if place.event == event and "." not in place.name])
        self._told = {trait: self._values_of(trait) for trait in self._id_of}
        self.ids: dict[str, list[Scalar]] = {}
        for found in dict.fromkeys(self._id_of.values()):
            traits = [trait for trait, of in self._id_of.items() if of == found and self._tells_apart(trait)]
            self.ids[found] = self._entries(found, min([_ENTRIES, *(len(self._told[trait]) for trait in traits)]))

    def _note(self, beside: Sequence[Place]) -> None:
        """What stands beside an id in an event, and belongs to it."""
        ids = [place for place in beside if self._is_id(place)]
        for found in ids:
            stem, alone = own_pieces(found.name)[:-1], len(ids) == 1
            named = [
                p for p in beside if own_pieces(p.name)[:-1] == stem and _words("names") & {*own_pieces(p.name)[-1:]}
            ]
            named = named or [p for p in beside if alone and own_pieces(p.name) in (("name",), ("title",))]
            named = [p for p in named if p.prop.type is PropertyType.STRING and not isinstance(rule_of(p.prop), OneOf)]
            traits = [p for p in beside if self._is_trait(p, stem, alone=alone)]
            of_person = bool(named) and names.pattern_of(named[0].name, PropertyType.STRING) == "name"
            if not of_person and (named or any(p.prop.type is PropertyType.NUMBER for p in traits)):
                for place in (*named[:1], *traits):
                    self._id_of.setdefault(place.name, found.name)

    def _is_id(self, place: Place) -> bool:
        pieces = own_pieces(place.name)
        if len(pieces) < 2 or pieces[-1] not in _words("ids") or {*pieces} & (UNIQUE | _words("people")):
            return False
        rules = [rule_of(other.prop) for other in self.places[place.name]]
        kept = place.prop.type in (PropertyType.STRING, PropertyType.NUMBER)
        return kept and all(isinstance(rule, Between | None) for rule in rules)

    def _is_trait(self, place: Place, stem: tuple[str, ...], *, alone: bool) -> bool:
        pieces = own_pieces(place.name)
        traits = _words("traits") | _words("makers")
        own = pieces[: len(stem)] == stem and pieces[-1] in traits | {"type", "grade"}
        plain = [*pieces]
        if pieces[-1:] == ("price",):
            plain = [piece for piece in pieces if piece not in _words("asked")]
        if not plain:
            return False
        plain = plain[:-1] if plain[-1] == "name" and plain[0] in _words("makers") else plain
        if not own and not (alone and len(plain) == 1 and plain[0] in traits):
            return False
        rules = [rule_of(p.prop) for p in self.places[place.name]]
        if pieces[-1] == "price" and place.prop.type is PropertyType.NUMBER:
            told = [rule for rule in rules if rule is not None]
            return all(rule == told[0] and isinstance(rule, Between | OneOf) for rule in told)
        if plain[-1] in _words("makers") and place.prop.type is PropertyType.STRING and rules == [None] * len(rules):
            return True
        return len({rule.values for rule in rules if isinstance(rule, OneOf)}) == 1

    def _listed(self, name: str) -> list[Scalar]:
        """The values that the sheet lists."""
        rules = [rule_of(place.prop) for place in self.places[name]]
        return next((list(rule.values) for rule in rules if isinstance(rule, OneOf)), [])

    def _tells_apart(self, trait: str) -> bool:
        """Whether a trait is the name of a thing, rather than who makes it."""
        text = self.places[trait][0].prop.type is PropertyType.STRING
        return text and not self._listed(trait) and not _words("makers") & {*own_pieces(trait)}

    def _values_of(self, trait: str) -> list[Scalar]:
        if listed := self._listed(trait):
            return listed
        place = self.places[trait][0]
        if place.prop.type is PropertyType.NUMBER:
            return self._prices_of(place)
        pattern = names.pattern_of(trait, PropertyType.STRING)
        if pattern == "product_name" and self._order.is_game:
            pattern = "pack_name"
        known = pattern in names.INVENTED or pattern in ("job", "company")
        usual = "item_name" if self._order.is_game else "work_title"
        return invented(pattern if pattern and known else usual, self.locale)

    def _prices_of(self, place: Place) -> list[Scalar]:
        """Prices from the lowest to the highest, many low and few high ones, the mean being what is usual."""
        usual = measure(place, self._order.product)
        low, high = usual.low, usual.high
        shares = (np.arange(_ENTRIES) + 0.5) / _ENTRIES

        def prices(bend: float) -> npt.NDArray[np.float64]:
            return max(low, 0.01) * (high / max(low, 0.01)) ** (shares**bend)

        best = min(np.linspace(0.3, 6, 58), key=lambda bend: abs(float(prices(bend).mean()) - usual.typical))
        return [min(max(round(float(price), 0 if usual.integer else 2), low), high) for price in prices(float(best))]

    def _entries(self, name: str, most: int) -> list[Scalar]:
        found = self.places[name]
        if found[0].prop.type is PropertyType.STRING:
            stem = "_".join(own_pieces(name)[:-1])
            return [f"{stem}_{number}" for number in range(1, most + 1)]
        limits = next((rule for p in found if isinstance(rule := rule_of(p.prop), Between)), None)
        low, high = (int(limits.min), int(limits.max)) if limits else (1001, 1000 + most)
        count = min(most, high - low + 1)
        return list(dict.fromkeys(low + (high - low) * place // max(count - 1, 1) for place in range(count)))

    def constraint(self, place: Place, *, per_user: bool) -> PropertyConstraint | None:
        """What the values keep to; None for what belongs to no catalogue."""
        if "." in place.name:
            return None
        if place.name in self.ids:
            entries = self.ids[place.name]
            return PropertyConstraint(values=entries, weights=falling(len(entries)), per_user=per_user)
        if place.name not in self._id_of or not place.of_event:
            return None
        of, told = self._id_of[place.name], self._told[place.name]
        named = place.prop.type is PropertyType.STRING and not self._listed(place.name)
        if not self._stands_in(of, place.event):
            return PropertyConstraint(values=told, weights=falling(len(told))) if named else None
        step = 7 if len(told) % 7 and not named else 1  # neighbours in popularity differ
        mapping = {str(key): [told[step * number % len(told)]] for number, key in enumerate(self.ids[of])}
        return PropertyConstraint(depends_on=of, mapping=mapping)

    def _stands_in(self, name: str, event: str) -> bool:
        return any(place.event == event for place in self.places.get(name, ()))

    def holds_everywhere(self, name: str, on: str) -> bool:
        """Whether the id stands beside a property wherever that is."""
        return all(self._stands_in(on, place.event) for place in self.places[name])
