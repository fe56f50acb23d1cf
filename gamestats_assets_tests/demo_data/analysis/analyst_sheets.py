"""Small sheets for tests of the analyst, written as text, and what its rules say of them."""

from __future__ import annotations

import hashlib

from gamestats_assets.demo_data.analysis.analyst import analyse, analysed
from gamestats_assets.demo_data.rules.model import PropertyConstraint, Rules, ValueRange
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets.demo_data.taxonomies.value_rules import ValueRule, ValueRuleError, parse_value_rule
from gamestats_assets_tests.demo_data.analysis.expectations import PRODUCTS
from gamestats_assets_tests.demo_data.sheets import FOLDERS

TYPES = {
    "": PropertyType.STRING,
    "n": PropertyType.NUMBER,
    "b": PropertyType.BOOLEAN,
    "t": PropertyType.TIME,
    "l": PropertyType.LIST,
    "g": PropertyType.OBJECT_GROUP,
}


def prop(text: str, rule: ValueRule | None = None, **more: object) -> Property:
    """`price:n | in EUR | alias`: a number with a description, which may be a rule for its values, and an alias."""
    head, description, alias = [part.strip() for part in (*text.split("|"), "", "")][:3]
    name, _, kind = head.partition(":")
    try:
        told = rule or parse_value_rule(description, TYPES[kind])
    except ValueRuleError:
        told = None
    cells = {"name": name, "type": TYPES[kind], "description": description, "alias": alias, "rule": told}
    return Property.model_validate(cells | more)


def event(name: str, *properties: str | Property, alias: str = "", description: str = "", tag: str = "") -> Event:
    """An event with its properties."""
    own = tuple(p if isinstance(p, Property) else prop(p) for p in properties)
    return Event(name=name, alias=alias, description=description, tag=tag, properties=own)


def row(text: str) -> Event:
    """`name | alias | tag | description | price:n order_id`; whatever is left out is empty."""
    name, alias, tag, description, names = [*(cell.strip() for cell in text.split("|")), *[""] * 4][:5]
    return event(name, *names.split(), alias=alias, tag=tag, description=description)


def taxonomy(*events: str | Event, common: tuple = (), users: tuple = ()) -> Taxonomy:
    """A taxonomy of some events, each a row, and of properties that stand beside all events or belong to users."""
    return Taxonomy(
        name="sheet",
        events=tuple(e if isinstance(e, Event) else row(e) for e in events),
        common_properties=tuple(p if isinstance(p, Property) else prop(p) for p in common),
        user_properties=tuple(p if isinstance(p, Property) else prop(p) for p in users),
    )


def sound(sheet: Taxonomy, industry: str = "other", platform: str = "mobile") -> Rules:
    """The analyst's rules, which never have problems."""
    rules = analyse(sheet, ProductInfo.model_validate({"industry": industry, "platform": platform}))
    assert problems(rules, sheet) == []
    return rules


def constraint(rules: Rules, key: str) -> PropertyConstraint:
    """What the values of an event's property keep to."""
    told = rules.property_constraints
    return told.get(key) or told.get(key.rpartition("/")[2]) or PropertyConstraint()


def range_of(rules: Rules, key: str) -> ValueRange:
    """Where a number, or a time in seconds after its event, lies."""
    return rules.value_ranges.get(key) or rules.value_ranges[key.rpartition("/")[2]]


def formula(rules: Rules, key: str) -> str | None:
    """The formula that an event's number follows."""
    found = rules.property_relationships.get(key) or rules.property_relationships.get(key.rpartition("/")[2])
    return found.formula if found else None


def happened_before(rules: Rules, event: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Everything that has happened to each user whom an event happens to."""
    if event in seen:
        return set()
    seen |= {event}
    found: set[str] = set()
    for before in rules.event_constraints.prerequisites.get(event, []):
        found |= {before} | happened_before(rules, before, seen)
    ways = [{one} | happened_before(rules, one, seen) for one in rules.followers().get(event, ())]
    return found | (set.intersection(*ways) if ways else set())


def digest() -> str:
    """A hash of the analyst's rules and doubts of two large sheets."""
    found = [analysed(read_taxonomy(FOLDERS[name]), PRODUCTS[name]) for name in ("gacha", "ecommerce")]
    text = "".join(rules.model_dump_json() + repr(doubts) for rules, doubts in found)
    return hashlib.sha256(text.encode()).hexdigest()
