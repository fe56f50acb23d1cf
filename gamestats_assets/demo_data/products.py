"""Products, as people enter them: whose logs are read, and which of them are generated here.

What a product's events mean (which one is a payment, which ones make a funnel) is read off its rules, and the names of
its taxonomy, when it is entered, and may be said otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg

from gamestats_assets.demo_data.analysis.analyst import payment_of
from gamestats_assets.demo_data.analysis.event_words import pieces as ordered_pieces
from gamestats_assets.demo_data.analysis.state_words import pieces
from gamestats_assets.demo_data.configuration import PRODUCT_NAME, Configuration
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy, flattened
from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.entries import Entered, EntryError, ExistsAlreadyError, UnknownNameError

_AMOUNTS = ("pay_amount", "amount", "price", "revenue", "total", "total_price", "total_amount", "cost")
_CURRENCIES = ("currency_type", "currency", "currency_code", "pay_currency")
# Words of a property that adds up what a user paid; all those of one of these.
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
_CHANGEABLE = ("is_active", "payment_event", "amount_property", "currency_property", "currency", "funnels")


def add_product(
    conn: psycopg.Connection,
    product: str,
    *,
    taxonomy: Taxonomy | None = None,
    rules: Rules | None = None,
    origin: str | None = None,
    configuration: Configuration | None = None,
    generated: bool = False,
    **settings: Any,
) -> Entered:
    """Enter a product.

    Args:
        taxonomy: what it sends, where known.
        rules, origin, configuration: needed where its logs are generated.
        settings: `payment_event`, `amount_property`, `currency_property`, `currency`, `funnels`; what is not given is
            read off the rules.

    Raises:
        EntryError: when the name cannot be a partition key, or a setting names what the taxonomy does not have.
        ExistsAlreadyError: when there is one of the name.
    """
    if not PRODUCT_NAME.fullmatch(product):
        raise EntryError(
            f"{product!r} cannot name a product: small letters, digits, _ and -, beginning with a letter, 50 at most.",
            "product",
        )
    if ops.select(conn, "products", {"product": product}):
        raise ExistsAlreadyError(f"product {product} exists already; `gamestats product change` changes it.", "product")
    meaning = meaning_of(taxonomy, rules) if taxonomy is not None and rules is not None else {}
    told = {**meaning, **{name: value for name, value in settings.items() if value is not None}}
    _refuse_unknown(taxonomy, told)
    values = {
        "product": product,
        "is_generated": generated,
        "taxonomy_name": taxonomy.name if taxonomy else None,
        "taxonomy": taxonomy.model_dump_json() if taxonomy else None,
        "rules": rules.model_dump_json() if rules else None,
        "rules_origin": origin,
        "configuration": configuration.model_dump_json() if configuration else None,
        **told,
    }
    values["funnels"] = json.dumps(values.get("funnels") or [])
    ops.insert(conn, "products", {name: value for name, value in values.items() if value is not None})
    return Entered("product", f"product {product}", "created")


def change_product(conn: psycopg.Connection, product: str, **fields: Any) -> Entered:
    """Change a product's settings.

    Raises:
        UnknownNameError: when there is no such product.
        EntryError: when a setting names what the taxonomy does not have.
    """
    row = product_row(conn, product)
    taxonomy = Taxonomy.model_validate_json(row["taxonomy"]) if row["taxonomy"] else None
    _refuse_unknown(taxonomy, {**{name: row[name] for name in _CHANGEABLE if name != "funnels"}, **fields})
    if "funnels" in fields:
        fields["funnels"] = json.dumps(fields["funnels"] or [])
    differing = {name: value for name, value in fields.items() if row[name] != value}
    if not differing:
        return Entered("product", f"product {product}", "unchanged")
    ops.update(conn, "products", {"product": product}, differing)
    changes = tuple(f"{name} {row[name]} -> {value}" for name, value in differing.items())
    return Entered("product", f"product {product}", "changed", changes)


def remove_product(conn: psycopg.Connection, product: str) -> Entered:
    """Make a product inactive: its tables and files stay.

    Raises:
        UnknownNameError: when there is no such product.
    """
    done = change_product(conn, product, is_active=False)
    note = f"What is there of {product} stays, and can be read; new files are not taken up any more."
    return Entered(done.kind, done.what, done.outcome, done.changes, (note,))


def product_row(conn: psycopg.Connection, product: str) -> ops.Row:
    """The row of a product.

    Raises:
        UnknownNameError: when there is none.
    """
    found = ops.select(conn, "products", {"product": product})
    if not found:
        known = [row["product"] for row in ops.select(conn, "products", {})]
        names = ", ".join(known) or "there are none yet; add one with `gamestats product add`"
        raise UnknownNameError(f"There is no product {product!r}. Products: {names}.", "product")
    return found[0]


def _refuse_unknown(taxonomy: Taxonomy | None, told: dict[str, Any]) -> None:
    event, amount = told.get("payment_event"), told.get("amount_property")
    if (event is None) != (amount is None):
        raise EntryError("A payment event and its amount belong together: give both, or neither.", "payment_event")
    if taxonomy is None:
        return
    names = set(taxonomy.event_names())
    if event is not None:
        if event not in names:
            raise EntryError(f"{event!r} is no event of the taxonomy {taxonomy.name}.", "payment_event")
        known = {name for name, _ in flattened((*taxonomy.event(event).properties, *taxonomy.common_properties))}
        for column in ("amount_property", "currency_property"):
            if told.get(column) is not None and told[column] not in known:
                raise EntryError(f"{told[column]!r} is no property of {event}.", column)
    for funnel in told.get("funnels") or []:
        unknown = [name for name in funnel if name not in names]
        if unknown:
            raise EntryError(f"A funnel names {unknown[0]!r}, which is no event of {taxonomy.name}.", "funnels")


# --------------------------------------------------------------------------- what events mean


def meaning_of(taxonomy: Taxonomy, rules: Rules) -> dict[str, Any]:
    """Payment event with amount and currency, and funnels, as far as the rules tell, or else the names."""
    found: dict[str, Any] = {"funnels": _funnels(rules)}
    payment = _payment(taxonomy, rules) or payment_of(taxonomy)
    if payment is not None:
        event, amount = payment
        names = [name for name, _ in flattened((*taxonomy.event(event).properties, *taxonomy.common_properties))]
        spelt = {"_".join(ordered_pieces(name)): name for name in reversed(names)}
        currency = next((spelt[name] for name in _CURRENCIES if name in spelt), None)
        found |= {"payment_event": event, "amount_property": amount, "currency_property": currency}
    return found


def _payment(taxonomy: Taxonomy, rules: Rules) -> tuple[str, str] | None:
    """The event by which money comes in: it adds its amount to a total of what the user paid."""
    candidates: list[tuple[int, int, str, str]] = []
    for number, event in enumerate(taxonomy.events):
        numbers = {name for name, given in flattened(event.properties) if given.type is PropertyType.NUMBER}
        for state, update in rules.update_patterns.get(event.name, {}).items():
            if update.type != "increment" or not isinstance(update.value, str):
                continue
            amount = update.value.strip().removeprefix("{{").removesuffix("}}").strip()
            if amount in numbers and any(words <= pieces(state) for words in _TOTALS):
                place = _AMOUNTS.index(amount) if amount in _AMOUNTS else len(_AMOUNTS)
                candidates.append((place, number, event.name, amount))
    return min(candidates)[2:] if candidates else None


def _funnels(rules: Rules) -> Sequence[Sequence[str]]:
    """Of each funnel of the rules the most usual event of every step, once."""
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
