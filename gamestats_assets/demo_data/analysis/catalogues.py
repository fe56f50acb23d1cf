"""Values that go together: plans and prices, before and after, countries and their carriers or cities, and catalogues,
where an id has one name, one genre and one price.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.meaning.measures import (
    UNIQUE,
    Language,
    Place,
    language_of,
    measure,
    rule_of,
)
from gamestats_assets.demo_data.analysis.meaning.reading import named_words, own_pieces, piece_set
from gamestats_assets.demo_data.analysis.states import BEFORE
from gamestats_assets.demo_data.reference import facts, locales, names
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf, Scalar

_NAMING = named_words("naming")
_AMOUNTS = named_words("amounts")
_SOLD = named_words("sold")
_SORTS = _SOLD | named_words("sorts")
"""Last words of lists of sorts; each sort has its number."""
_CHOSEN = named_words("chosen")
"""Words of numbers that users choose freely: how many packs, for how many months."""
_SAME_ORDER = re.compile(
    r"\border of\b|\bsame order\b|Reihenfolge|순서|[가-힣] ?순\b|同じ(?:並び|順)|の順|順[)）]?$", re.IGNORECASE
)
_AFTER = named_words("after")
_UP = re.compile(
    r"upgrad|promot|rais|\bhigher\b|rank_?up|level_?up|승급|상향|업그레이드|昇格|アップグレード|ランクアップ"
)
_DOWN = re.compile(r"downgrad|demot|lower|강등|하향|다운그레이드|降格|ダウングレード")


def pair_of(
    prop: Property, values: Sequence[Scalar], beside: Sequence[tuple[Property, Sequence[Scalar]]]
) -> PropertyConstraint | None:
    """Returns a constraint that maps each value of a list to its number, if both list the same things in one order.

    A text says so (`in the order of plan_name`), or both names are about one thing, or the list is of goods and the
    numbers only rise or only fall."""
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != len(values) or len(numbers) < 2:
        return None
    fits = [(o, of) for o, of in beside if len(of) == len(numbers) == len(set(of)) and not piece_set(o.name) & BEFORE]
    texts = [(other, of) for other, of in fits if all(isinstance(value, str) for value in of)]
    texts_of_list = f"{prop.alias} {prop.description} {prop.constraint}"
    by_name = [one for one in fits if re.search(rf"(?<!\w){re.escape(one[0].name)}(?!\w)", texts_of_list)]
    named = by_name or [one for one in fits if _names(texts_of_list, one[0])] or texts
    alike = [one for one in texts if _is_one_thing(prop, one[0], numbers, one[1])]
    sorts = [one for one in texts if _SORTS & {*own_pieces(one[0].name)[-1:]}]
    if not alike and len(sorts) == 1 and len(numbers) > (1 if piece_set(prop.name) & _AMOUNTS else 2):
        alike = [] if piece_set(prop.name) & _CHOSEN - {"count", "cnt"} else sorts
    chosen = named if len(named) == 1 and (by_name or _SAME_ORDER.search(texts_of_list)) else alike
    if not chosen:
        return None
    other, keys = chosen[0]
    mapping: dict[str, list[Scalar]] = {str(key): [value] for key, value in zip(keys, values, strict=True)}
    return PropertyConstraint(depends_on=other.name, mapping=mapping, values=list(values))


def _names(text: str, other: Property) -> bool:
    """Whether a text names a property or its subject: `in the order of the tiers` names `cash_tier`."""
    words = {word.rstrip("s").lower() for word in re.findall(r"[A-Za-z]{3,}", text)}
    own = {word.rstrip("s") for word in piece_set(other.name)}
    return other.name in text or bool(other.alias and other.alias in text) or bool(words & own - {"name", "the"})


def _is_one_thing(prop: Property, other: Property, numbers: Sequence[float], values: Sequence[Scalar]) -> bool:
    named = (piece_set(other.name) - _NAMING) or set(own_pieces(other.name)[:-1])
    counted = [_number_in(str(value)) for value in values]
    rises = _rises(numbers)
    grows = None not in counted and _rises([float(n) for n in counted if n is not None]) and rises
    monotone = rises or _rises([-number for number in numbers])
    sold = bool(piece_set(other.name) & _SOLD) and monotone and not piece_set(prop.name) & _CHOSEN and len(values) > 2
    return bool((piece_set(prop.name) - _AMOUNTS) & named) or grows or sold


def _number_in(text: str) -> float | int | None:
    found = re.findall(r"\d+(?:\.\d+)?", text.replace(",", ""))
    return (float(found[0]) if "." in found[0] else int(found[0])) if len(found) == 1 else None


def _rises(numbers: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


# --------------------------------------------------------------------------- before and after


def one_change(before: Property, after: Property) -> bool:
    """Whether two properties hold the state of one thing before and after a change."""
    was, now = piece_set(before.name), piece_set(after.name)
    return bool(was & BEFORE and not now & BEFORE and was - BEFORE and was - BEFORE == now - _AFTER)


def changes(before: Sequence[str], after: Sequence[str], text: str) -> dict[str, list[Scalar]]:
    """Maps each earlier state to the later ones: never itself; higher ones only if the text speaks of an upgrade."""
    ranked = list(dict.fromkeys([*before, *after]))
    up, down = bool(_UP.search(text.lower())), bool(_DOWN.search(text.lower()))
    found: dict[str, list[Scalar]] = {}
    for was in before:
        others = [now for now in after if now != was]
        if up != down:
            others = [now for now in others if (ranked.index(now) > ranked.index(was)) == up]
        if others:
            found[was] = list(others)
    return found


# --------------------------------------------------------------------------- countries


def by_country(what: str, given: Sequence[Scalar], on: str | None, listed: Sequence[str]) -> PropertyConstraint | None:
    """Returns carriers, currencies, languages or cities by country; None if too few of the sheet's are known."""
    found = {code: _of_country(what, code) for code in locales.countries()}
    if given:  # keep only values that the sheet lists
        cities = {v: city.country for v in given if (city := locales.city_named(str(v)))} if what == "city" else {}
        for code, known in found.items():
            found[code] = [v for v in given if (cities.get(v) == code if what == "city" else _is_among(v, known))]
        known_of = {v for values in found.values() for v in values}
        if (on is None and what == "carrier") or len(known_of) < len(given) / 2:
            return None
    found = {code: values for code, values in found.items() if values}
    if on is None or not listed:
        return PropertyConstraint(depends_on=on or "#country_code", mapping=found, per_user=True)
    codes = {value: _code(value) for value in listed}
    rest = [v for v in given if not any(v in found.get(code, ()) for code in codes.values())] or list(given)
    mapping = {value: found.get(code) or rest or found["US"] for value, code in codes.items()}
    return PropertyConstraint(depends_on=on, mapping=mapping, per_user=True)


def _of_country(what: str, code: str) -> list[Scalar]:
    country = locales.countries()[code]
    if what == "city":
        cities = [city.name for city in locales.cities() if city.country == code]
        return list(cities[:4])
    own = country.currency if what == "currency" else country.language
    return list(dict(country.carriers)) if what == "carrier" else [own]


def _is_among(value: Scalar, known: Sequence[Scalar]) -> bool:
    """Whether a name is among known ones, give or take a word: `docomo` is `NTT DOCOMO`."""
    words = set(str(value).lower().split())
    return any(words <= (of := set(str(name).lower().split())) or of <= words for name in known)


def _code(country: str) -> str:
    """Returns the ISO code of a country's name; empty if it is unknown."""
    text, called = country.strip().lower(), facts("choices")["countries"]
    named = {c: (c.lower(), known.name.lower(), *called.get(c, "").split()) for c, known in locales.countries().items()}
    return next((code for code, names_of in named.items() if text in names_of), "")


# --------------------------------------------------------------------------- entries of a catalogue

_ENTRIES = 40
_LOCALES: dict[Language, str] = {"en": "en_US", "ko": "ko_KR", "ja": "ja_JP"}


@functools.cache
def _words(what: str) -> frozenset[str]:
    return frozenset(facts("choices")["catalogues"][what].split())


def locale_of(taxonomy: Taxonomy) -> str:
    """Returns the locale of the taxonomy's language, in which the names of its items are written."""
    texts = [text for event in taxonomy.events for text in (event.alias, event.description)]
    texts += [p.alias + p.description + p.constraint for e in taxonomy.events for _, p in flattened(e.properties)]
    return _LOCALES[language_of(texts)]


def invented(pattern: str, locale: str, most: int = _ENTRIES) -> list[Scalar]:
    """Returns different names of a pattern."""
    found: list[Scalar] = [str(value) for value in dict.fromkeys(names.pool(pattern, locale))]
    return found[:most]


def falling(count: int) -> list[float]:
    """Returns weights of catalogue entries; the first are the most popular."""
    return [round((place + 1) ** -0.6, 3) for place in range(count)]


def _as_price(value: float, *, whole: bool) -> float:
    """Rounds a price as shops write it: two significant digits, or an amount ending in .99.

    >>> _as_price(12_345, whole=True), _as_price(12.34, whole=False)
    (12000.0, 12.99)
    """
    if not whole and value < 1000:
        return float(math.floor(value)) + 0.99
    step = 10 ** max(math.floor(math.log10(max(value, 1))) - 1, 0)
    return float(round(value / step) * step)


class Catalogues:
    """Ids of catalogues, with the names, prices and other traits of their entries, by property name."""

    def __init__(
        self, order: EventOrder, everywhere: Sequence[Place], prices: Mapping[str, tuple[float, float]]
    ) -> None:
        self.locale, self._order, self._limits = locale_of(order.taxonomy), order, prices
        self.places: dict[str, list[Place]] = {}
        for place in everywhere:
            self.places.setdefault(place.name, []).append(place)
        self._id_of: dict[str, str] = {}
        for event in dict.fromkeys(place.event for place in everywhere if place.of_event):
            self._note([place for place in everywhere if place.event == event and "." not in place.name])
        self._values = {trait: self._values_of(trait) for trait in self._id_of}
        self.ids: dict[str, list[Scalar]] = {}
        for found in dict.fromkeys(self._id_of.values()):
            traits = [trait for trait, of in self._id_of.items() if of == found and self._is_name(trait)]
            self.ids[found] = self._entries(found, min([_ENTRIES, *(len(self._values[trait]) for trait in traits)]))

    def _note(self, beside: Sequence[Place]) -> None:
        """Notes the properties of an event that describe an id beside them."""
        ids = [place for place in beside if self._is_id(place)]
        texts = [p for p in beside if p.prop.type is PropertyType.STRING and not isinstance(rule_of(p.prop), OneOf)]
        for found in ids:
            stem, alone = own_pieces(found.name)[:-1], len(ids) == 1
            own = [p for p in texts if own_pieces(p.name)[:-1] == stem]
            named = [p for p in own if _words("names") & {*own_pieces(p.name)[-1:]}]
            named = named or [p for p in texts if alone and own_pieces(p.name) in (("name",), ("title",))]
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
        plain = [p for p in pieces if p not in _words("asked")] if pieces[-1:] == ("price",) else [*pieces]
        plain = plain[:-1] if plain[-1:] == ["name"] and plain[0] in _words("makers") else plain
        if not plain or (not own and not (alone and len(plain) == 1 and plain[0] in traits)):
            return False
        rules = [rule_of(p.prop) for p in self.places[place.name]]
        if pieces[-1] == "price" and place.prop.type is PropertyType.NUMBER:
            given = [rule for rule in rules if rule is not None]
            return all(rule == given[0] and isinstance(rule, Between | OneOf) for rule in given)
        if plain[-1] in _words("makers") and place.prop.type is PropertyType.STRING and rules == [None] * len(rules):
            return True
        return len({rule.values for rule in rules if isinstance(rule, OneOf)}) == 1

    def _listed(self, name: str) -> list[Scalar]:
        """Returns the values that the sheet lists."""
        rules = [rule_of(place.prop) for place in self.places[name]]
        return next((list(rule.values) for rule in rules if isinstance(rule, OneOf)), [])

    def _is_name(self, trait: str) -> bool:
        """Whether a trait names an entry, rather than its maker."""
        text = self.places[trait][0].prop.type is PropertyType.STRING
        return text and not self._listed(trait) and not _words("makers") & {*own_pieces(trait)}

    def _values_of(self, trait: str) -> list[Scalar]:
        place, listed = self.places[trait][0], self._listed(trait)
        if listed or place.prop.type is PropertyType.NUMBER:
            return listed or self._prices_of(place)
        pattern = names.pattern_of(trait, PropertyType.STRING)
        pattern = "pack_name" if pattern == "product_name" and self._order.is_game else pattern
        usual = "item_name" if self._order.is_game else "work_title"
        return invented(pattern if pattern in {*names.INVENTED, "job", "company"} else usual, self.locale)

    def _prices_of(self, place: Place) -> list[Scalar]:
        """Returns rising prices, many low and few high ones, with the usual price as their mean."""
        usual = measure(place, self._order.product)
        low, high = self._limits.get(place.name, (usual.low, usual.high))
        low, high = max(low, usual.low), min(high, usual.high)
        shares = (np.arange(_ENTRIES) + 0.5) / _ENTRIES

        def prices(bend: float) -> npt.NDArray[np.float64]:
            return max(low, 0.01) * (high / max(low, 0.01)) ** (shares**bend)

        best = min(np.linspace(0.3, 6, 58), key=lambda bend: abs(float(prices(bend).mean()) - usual.typical))
        written = [_as_price(float(price), whole=usual.integer) for price in prices(float(best))]
        return [min(max(price, low), high) for price in written]

    def _entries(self, name: str, most: int) -> list[Scalar]:
        found = self.places[name]
        if found[0].prop.type is PropertyType.STRING:
            return [f"{'_'.join(own_pieces(name)[:-1])}_{number}" for number in range(1, most + 1)]
        limits = next((rule for p in found if isinstance(rule := rule_of(p.prop), Between)), None)
        low, high = (int(limits.min), int(limits.max)) if limits else (1001, 1000 + most)
        count = min(most, high - low + 1)
        return list(dict.fromkeys(low + (high - low) * place // max(count - 1, 1) for place in range(count)))

    def constraint(self, place: Place, *, per_user: bool) -> PropertyConstraint | None:
        """Returns the constraint of a property; None if it belongs to no catalogue."""
        if "." in place.name:
            return None
        if place.name in self.ids:
            entries = self.ids[place.name]
            return PropertyConstraint(values=entries, weights=falling(len(entries)), per_user=per_user)
        if place.name not in self._id_of or not place.of_event:
            return None
        of, values = self._id_of[place.name], self._values[place.name]
        named = place.prop.type is PropertyType.STRING and not self._listed(place.name)
        if not self._stands_in(of, place.event):
            return PropertyConstraint(values=values, weights=falling(len(values))) if named else None
        step = 7 if len(values) % 7 and not named else 1  # neighbours in popularity differ
        mapping = {str(key): [values[step * number % len(values)]] for number, key in enumerate(self.ids[of])}
        return PropertyConstraint(depends_on=of, mapping=mapping)

    def _stands_in(self, name: str, event: str) -> bool:
        return any(place.event == event for place in self.places.get(name, ()))

    def holds_everywhere(self, name: str, on: str) -> bool:
        """Whether an id stands beside every occurrence of a property."""
        return all(self._stands_in(on, place.event) for place in self.places[name])
