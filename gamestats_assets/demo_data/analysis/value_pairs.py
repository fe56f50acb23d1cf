"""Lists of values that go together: of products and their prices, of what something was and what it has become."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from gamestats_assets.demo_data.analysis.event_words import word_set
from gamestats_assets.demo_data.analysis.numbers_beside import ordered_pieces, pieces
from gamestats_assets.demo_data.analysis.state_words import BEFORE
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import Property
from gamestats_assets.demo_data.taxonomies.value_rules import Scalar

_NAMING = word_set("name title type kind category code tier plan grade level id key class")
_AMOUNTS = word_set("price cost fee amount value total count cnt num number quantity qty")
_SOLD = word_set("product package pack bundle goods offer sku")
_ENOUGH = 4
"""Of so many products, as many numbers that rise are no coincidence."""
_AFTER = word_set("after new next to now current")
_BESIDES = word_set("bonus free extra balance total left remaining owned price cost fee")
_UP = re.compile(
    r"upgrad|promot|rais|\bhigher\b|rank_?up|level_?up|승급|상향|업그레이드|昇格|アップグレード|ランクアップ"
)
_DOWN = re.compile(r"downgrad|demot|lower|강등|하향|다운그레이드|降格|ダウングレード")


def goes_with(
    prop: Property, values: Sequence[Scalar], text: Property, texts: Sequence[str]
) -> PropertyConstraint | None:
    """The number of each text, where both are lists of the same things in the same order; None where they are not."""
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != len(texts) or len(values) != len(texts) or len(set(texts)) < max(len(texts), 2):
        return None
    named = (pieces(text.name) - _NAMING) or set(ordered_pieces(text.name)[:-1])
    one_thing = (pieces(prop.name) - _AMOUNTS) & named
    counted = [_number_in(said) for said in texts]
    grows = None not in counted and _ascends([float(n) for n in counted if n is not None]) and _ascends(numbers)
    sold = bool(pieces(text.name) & _SOLD) and len(texts) >= _ENOUGH and _ascends(numbers)
    if not (one_thing or grows or sold):
        return None
    mapping: dict[str, list[Scalar]] = {said: [value] for said, value in zip(texts, values, strict=True)}
    return PropertyConstraint(depends_on=text.name, mapping=mapping, values=list(values))


def amount_in(prop: Property, text: Property, texts: Sequence[str]) -> PropertyConstraint | None:
    """The number that each text names, where what is counted there is what the property is of: `100 gems`."""
    numbers = [_number_in(said) for said in texts]
    units = {re.sub(r"[\d.,\s]+", " ", said).strip().lower() for said in texts}
    if len(texts) < 2 or None in numbers or len(units) != 1:
        return None
    words = {word.rstrip("s") for word in re.findall(r"[a-z]{3,}|[^\W\d_a-z]{2,}", units.pop())}
    own = {word.rstrip("s") for word in pieces(prop.name)}
    if pieces(prop.name) & (BEFORE | _AFTER | _BESIDES) or re.search(r"잔액|보유|남은|残|所持", prop.alias):
        return None
    if not words & own and not any(word in prop.alias.lower() for word in words):
        return None
    mapping: dict[str, list[Scalar]] = {said: [n] for said, n in zip(texts, numbers, strict=True) if n is not None}
    return PropertyConstraint(depends_on=text.name, mapping=mapping)


def _number_in(text: str) -> int | None:
    found = re.findall(r"\d+", text.replace(",", ""))
    return int(found[0]) if len(found) == 1 else None


def _ascends(numbers: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


# --------------------------------------------------------------------------- before and after


def is_before(prop: Property) -> bool:
    """Whether a property tells what something was."""
    return bool(pieces(prop.name) & BEFORE)


def one_change(before: Property, after: Property) -> bool:
    """Whether two properties tell what the same thing was, and what it has become."""
    was, now = pieces(before.name), pieces(after.name)
    return bool(was & BEFORE and not now & BEFORE and was - BEFORE and was - BEFORE == now - _AFTER)


def changes(before: Sequence[str], after: Sequence[str], said: str) -> dict[str, list[Scalar]]:
    """By what something was, what it may become: never the same, and what comes later in the list of upgrades.

    Args:
        said: name and texts of the event.
    """
    ranked = list(dict.fromkeys([*before, *after]))
    up, down = bool(_UP.search(said.lower())), bool(_DOWN.search(said.lower()))
    found: dict[str, list[Scalar]] = {}
    for was in before:
        others = [now for now in after if now != was]
        if up != down:
            others = [now for now in others if (ranked.index(now) > ranked.index(was)) == up]
        if others:
            found[was] = list(others)
    return found
