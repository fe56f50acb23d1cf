"""Things that a product has before any user comes: titles, items, guilds. An id has one name, one genre, one price.

Where an event tells the id of such a thing and beside it its name or its price, the ids are the entries of a
catalogue, the first ones more popular than the last, and whatever else is told of the thing goes with the id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data import names
from gamestats_assets.demo_data.analysis.measures import UNIQUE, Place, measure, rule_of
from gamestats_assets.demo_data.analysis.recalled_values import pieces_of
from gamestats_assets.demo_data.analysis.value_texts import Language, language_of
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf, Scalar

_ENTRIES = 40
_LOCALES: dict[Language, str] = {"en": "en_US", "ko": "ko_KR", "ja": "ja_JP"}
_IDS = frozenset({"id", "no", "code", "key", "sku", "number"})
_NAMES = frozenset({"name", "title"})
_MAKERS = frozenset({"brand", "author", "artist", "publisher", "company", "employer", "manufacturer"})
_TRAITS = _MAKERS | {"genre", "category", "rarity", "cuisine", "price", "market", "exchange"}
_ASKED = frozenset({"asking", "list", "listed", "regular", "original", "base", "standard", "retail", "full"})
"""Of a price that it is the thing's own, whatever is paid in the end."""
_OF_PEOPLE = frozenset({"user", "player", "member", "driver", "friend", "customer", "account", "login", "role"})


@dataclass(frozen=True)
class _Entry:
    """What is told of a thing beside its id."""

    id_name: str
    trait: str


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


def _as_price(value: float, *, whole: bool) -> float:
    """A price as shops write it, of two digits that matter, or so much and 99 hundredths.

    >>> _as_price(12_345, whole=True), _as_price(12.34, whole=False)
    (12000.0, 12.99)
    """
    if not whole and value < 1000:
        return float(math.floor(value)) + 0.99
    step = 10 ** max(math.floor(math.log10(max(value, 1))) - 1, 0)
    return float(round(value / step) * step)


class Catalogues:
    """Ids of catalogues, and what goes with them, by the names of the properties.

    Args:
        everywhere: every property where it stands.
        prices: by property, between what prices lie.
        is_game: whether the product is a game, whose products are packs.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        everywhere: Sequence[Place],
        product: ProductInfo,
        prices: Mapping[str, tuple[float, float]],
        *,
        is_game: bool,
    ) -> None:
        self.locale, self.is_game = locale_of(taxonomy), is_game
        self._product, self._limits = product, prices
        self.places: dict[str, list[Place]] = {}
        for place in everywhere:
            self.places.setdefault(place.name, []).append(place)
        self._beside: dict[str, _Entry] = {}
        for event in dict.fromkeys(place.event for place in everywhere if place.of_event):
            self._note([place for place in everywhere if place.event == event and "." not in place.name])
        self.ids: dict[str, list[Scalar]] = {}
        self._names: dict[str, list[Scalar]] = {}
        self._prices: dict[str, list[Scalar]] = {}
        for entry in self._beside.values():
            if self.places[entry.trait][0].prop.type is PropertyType.NUMBER and not self._lists(entry.trait):
                self._prices[entry.trait] = self._priced(self.places[entry.trait][0])
            elif not self._lists(entry.trait):
                self._names[entry.trait] = invented(self._pattern(entry.trait), self.locale)
        for entry in self._beside.values():
            named = [e.trait for e in self._beside.values() if e.id_name == entry.id_name and self._is_named(e.trait)]
            count = min([_ENTRIES, *(len(self._names[trait]) for trait in named)])
            self.ids.setdefault(entry.id_name, self._entries(entry.id_name, count))

    def _note(self, beside: Iterable[Place]) -> None:
        beside = list(beside)
        ids = [place for place in beside if self._is_id(place)]
        for found in ids:
            stem = pieces_of(found.name)[:-1]
            named = [p for p in beside if pieces_of(p.name)[:-1] == stem and pieces_of(p.name)[-1] in _NAMES]
            if not named and len(ids) == 1:
                named = [p for p in beside if pieces_of(p.name) in (["name"], ["title"])]
            named = [p for p in named if p.prop.type is PropertyType.STRING and not isinstance(rule_of(p.prop), OneOf)]
            traits = [p for p in beside if self._is_trait(p, stem, alone=len(ids) == 1)]
            if not named and not any(p.prop.type is PropertyType.NUMBER for p in traits):
                continue
            if named and names.pattern_of(named[0].name, PropertyType.STRING) == "name":
                continue
            for place in (*named[:1], *traits):
                self._beside.setdefault(place.name, _Entry(found.name, place.name))

    def _is_id(self, place: Place) -> bool:
        pieces = pieces_of(place.name)
        if len(pieces) < 2 or pieces[-1] not in _IDS or set(pieces) & (UNIQUE | _OF_PEOPLE):
            return False
        if place.prop.type not in (PropertyType.STRING, PropertyType.NUMBER):
            return False
        rules = [rule_of(other.prop) for other in self.places[place.name]]
        return all(rule is None or isinstance(rule, Between) for rule in rules)

    def _is_trait(self, place: Place, stem: list[str], *, alone: bool) -> bool:
        pieces = pieces_of(place.name)
        own = pieces[: len(stem)] == stem and pieces[-1] in {*_TRAITS, "type", "grade"}
        plain = [piece for piece in pieces if piece not in _ASKED] if pieces[-1] == "price" else pieces
        plain = plain[:-1] if plain[-1] == "name" and plain[0] in _MAKERS else plain
        if not own and not (alone and len(plain) == 1 and plain[0] in _TRAITS):
            return False
        rules = [rule_of(p.prop) for p in self.places[place.name]]
        if pieces[-1] == "price" and place.prop.type is PropertyType.NUMBER:
            told = [rule for rule in rules if rule is not None]
            return all(rule == told[0] and isinstance(rule, Between | OneOf) for rule in told)
        if plain[-1] in _MAKERS and place.prop.type is PropertyType.STRING and rules == [None] * len(rules):
            return True
        return len({rule.values for rule in rules if isinstance(rule, OneOf)}) == 1

    def _is_named(self, name: str) -> bool:
        """Whether a trait is what tells things apart, rather than who makes them."""
        return name in self._names and not _MAKERS & {*pieces_of(name)}

    def _priced(self, place: Place) -> list[Scalar]:
        """Prices from the lowest to the highest, many low and few high ones, the mean being what is usual."""
        usual = measure(place, self._product)
        low, high = self._limits.get(place.name, (usual.low, usual.high))
        low, high = max(low, usual.low), min(high, usual.high)
        shares = (np.arange(_ENTRIES) + 0.5) / _ENTRIES

        def prices(bend: float) -> npt.NDArray[np.float64]:
            return max(low, 0.01) * (high / max(low, 0.01)) ** (shares**bend)

        bends = np.linspace(0.3, 6, 58)
        best = min(bends, key=lambda bend: abs(float(prices(bend).mean()) - usual.typical))
        written = [_as_price(float(price), whole=usual.integer) for price in prices(float(best))]
        return [min(max(price, low), high) for price in written]

    def _lists(self, name: str) -> list[Scalar]:
        """The values that the sheet lists."""
        rules = [rule_of(place.prop) for place in self.places[name]]
        return next((list(rule.values) for rule in rules if isinstance(rule, OneOf)), [])

    def _entries(self, name: str, most: int) -> list[Scalar]:
        found = self.places[name]
        if found[0].prop.type is PropertyType.STRING:
            stem = "_".join(pieces_of(name)[:-1])
            return [f"{stem}_{number}" for number in range(1, most + 1)]
        limits = next((rule for p in found if isinstance(rule := rule_of(p.prop), Between)), None)
        low, high = (int(limits.min), int(limits.max)) if limits else (1001, 1000 + most)
        count = min(most, high - low + 1)
        return list(dict.fromkeys(low + (high - low) * place // max(count - 1, 1) for place in range(count)))

    # ----------------------------------------------------------------- what is known of a property

    def constraint(self, place: Place, *, per_user: bool) -> PropertyConstraint | None:
        """What the values keep to; None for what belongs to no catalogue."""
        if "." in place.name:
            return None
        if place.name in self.ids:
            entries = self.ids[place.name]
            return PropertyConstraint(values=entries, weights=falling(len(entries)), per_user=per_user)
        entry = self._beside.get(place.name)
        if entry is None or not place.of_event:
            return None
        if entry.id_name not in self._own(place.event):
            named = self._names.get(place.name)
            return PropertyConstraint(values=named, weights=falling(len(named))) if named else None
        told = self._names.get(place.name) or self._prices.get(place.name) or self._lists(place.name)
        step = 7 if len(told) % 7 and place.name not in self._names else 1  # neighbours in popularity differ
        ids = self.ids[entry.id_name]
        mapping = {str(key): [told[step * number % len(told)]] for number, key in enumerate(ids)}
        return PropertyConstraint(depends_on=entry.id_name, mapping=mapping)

    def _own(self, event: str) -> set[str]:
        return {place.name for places in self.places.values() for place in places if place.event == event}

    def holds_everywhere(self, name: str, on: str) -> bool:
        """Whether the id stands beside a property wherever that is."""
        return all(on in self._own(place.event) for place in self.places[name])

    def _pattern(self, name: str) -> str:
        pattern = names.pattern_of(name, PropertyType.STRING)
        if pattern == "product_name" and self.is_game:
            return "pack_name"
        known = pattern in names.INVENTED or pattern in ("job", "company")
        return pattern if pattern and known else "item_name" if self.is_game else "work_title"
