"""The meaning of a product's events, read off its rules and the names of its taxonomy: payments and funnels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gamestats_assets.demo_data.analysis.analyst import payment_of
from gamestats_assets.demo_data.analysis.meaning.reading import pieces
from gamestats_assets.demo_data.analysis.states import singulars
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy, flattened

_AMOUNTS = ("pay_amount", "amount", "price", "revenue", "total", "total_price", "total_amount", "cost")
_CURRENCIES = ("currency_type", "currency", "currency_code", "pay_currency")
# Words of a property that sums up a user's payments: all words of one of these sets.
_TOTALS = [
    frozenset(words.split())
    for words in (
        "spent",
        "pay",
        "paid",
        "revenue",
        "ltv",
        "purchase amount",
        "payment amount",
        "order amount",
        "charge amount",
        "charge price",
    )
]


def meaning_of(taxonomy: Taxonomy, rules: Rules) -> dict[str, Any]:
    """Returns payment event, amount, currency and funnels from the rules, or else from names."""
    found: dict[str, Any] = {"funnels": _funnels(rules)}
    payment = _payment(taxonomy, rules) or payment_of(taxonomy)
    if payment is not None:
        event, amount = payment
        names = [name for name, _ in flattened((*taxonomy.event(event).properties, *taxonomy.common_properties))]
        spelt = {"_".join(pieces(name)): name for name in reversed(names)}
        currency = next((spelt[name] for name in _CURRENCIES if name in spelt), None)
        found |= {"payment_event": event, "amount_property": amount, "currency_property": currency}
    return found


def _payment(taxonomy: Taxonomy, rules: Rules) -> tuple[str, str] | None:
    """Returns the payment event and its amount: the event that adds the amount to a user's total of payments."""
    candidates: list[tuple[int, int, str, str]] = []
    for number, event in enumerate(taxonomy.events):
        numbers = {name for name, given in flattened(event.properties) if given.type is PropertyType.NUMBER}
        for state, update in rules.update_patterns.get(event.name, {}).items():
            if update.type != "increment" or not isinstance(update.value, str):
                continue
            amount = update.value.strip().removeprefix("{{").removesuffix("}}").strip()
            if amount in numbers and any(words <= singulars(state) for words in _TOTALS):
                place = _AMOUNTS.index(amount) if amount in _AMOUNTS else len(_AMOUNTS)
                candidates.append((place, number, event.name, amount))
    return min(candidates)[2:] if candidates else None


def _funnels(rules: Rules) -> Sequence[Sequence[str]]:
    """Returns for each funnel of the rules the likeliest event of every step, each event once."""
    found: list[list[str]] = []
    for sequence in rules.event_constraints.sequences:
        if sequence.kind in ("funnel", "onboarding"):
            steps: list[str] = []
            for step in sequence.steps:
                weights = step.weights or [1.0] * len(step.events)
                event = step.events[weights.index(max(weights))]
                if event not in steps:
                    steps.append(event)
            if len(steps) > 1 and steps not in found:
                found.append(steps)
    return found
