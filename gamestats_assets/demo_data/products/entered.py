"""Products, as people enter them: whose logs are read, and which of them are generated here.

What a product's events mean (which one is a payment, which ones make a funnel) is read off its rules when it is
entered (see `products`), and may be said otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from gamestats_assets.demo_data.products.meaning import meaning_of
from gamestats_assets.demo_data.rules.configuration import PRODUCT_NAME, Configuration
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Taxonomy, flattened
from gamestats_assets.lakehouse.entries.declared import Entry, Thing
from gamestats_assets.lakehouse.entries.fields import YES_NO, EntryError, Field, Kind, visible_text


@dataclass(frozen=True, slots=True)
class Origin:
    """What a new product's logs are known by: what it sends, and where they are generated here, how.

    Attributes:
        rules_origin: who made the rules.
        configuration: the run; without one nothing is generated.
    """

    taxonomy: Taxonomy | None = None
    rules: Rules | None = None
    rules_origin: str | None = None
    configuration: Configuration | None = None


def _name(text: str, column: str) -> str:
    if not PRODUCT_NAME.fullmatch(text):
        raise EntryError(
            f"{text!r} cannot name a product: small letters, digits, _ and -, beginning with a letter, 50 at most.",
            column,
        )
    return text


def _funnels(text: str) -> list[list[str]]:
    return [[word.strip() for word in funnel.split(",") if word.strip()] for funnel in text.split(";")]


_PROPERTY = Kind(str, str, visible_text, "PROPERTY")


class Product(Thing):
    """A product whose event logs are read; some are generated here."""

    kind = "product"
    table = "products"
    key = column = "product"
    called = "product {product}"
    stays = True
    command = ("product",)
    query = "SELECT * FROM ops.products"
    names = (Field("product", "Short name, such as demo-shop.", Kind(str, str, _name)),)
    fields = (
        Field("is_active", "Whether its logs are taken up.", YES_NO, verbs=["change"], option="active/--inactive"),
        Field("payment_event", "Event that is a payment.", Kind(str, str, visible_text, "EVENT"), lacks=True),
        Field("amount_property", "Its property that is the amount.", _PROPERTY, lacks=True, option="amount"),
        Field("currency_property", "Its property that is the currency.", _PROPERTY, lacks=True),
        Field("currency", "Currency of payments that tell none.", Kind(str, str, visible_text, "CODE"), lacks=True),
        Field(
            "funnels",
            "Events with commas; can be given several times.",
            Kind(list[list[str]], _funnels, metavar="EVENTS"),
            option="funnel",
        ),
    )
    listed = (
        *("product", "is_active", "is_generated", "taxonomy_name", "rules_origin", "payment_event", "amount_property"),
        *("currency", "funnels"),
    )
    order = ("product",)
    default_context: ClassVar[Origin] = Origin()

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`. What is not given of a new one is read off its rules."""
        values, origin = self.stored(entry.given), entry.context
        if entry.is_new:
            values = _columns(origin) | values
            name = entry.row["product"]
            entry.notes.append(
                "Next: gamestats materialize"
                if values["is_generated"]
                else f"Bring its logs: gamestats ingest logs PATH --product {name}"
            )
            taxonomy = origin.taxonomy
        else:
            taxonomy = Taxonomy.model_validate_json(entry.row["taxonomy"]) if entry.row["taxonomy"] else None
        funnels = values.get("funnels")
        _refuse_unknown(taxonomy, entry.would_be(values), funnels or [])
        return values if funnels is None else {**values, "funnels": json.dumps(funnels)}

    def leave(self, entry: Entry) -> None:
        """See `Thing.leave`."""
        name = entry.row["product"]
        entry.notes.append(f"What is there of {name} stays, and can be read; new files are not taken up any more.")


def _columns(origin: Origin) -> dict[str, Any]:
    taxonomy, rules, run = origin.taxonomy, origin.rules, origin.configuration
    return {
        "is_generated": run is not None,
        "taxonomy_name": taxonomy.name if taxonomy else None,
        "taxonomy": taxonomy.model_dump_json() if taxonomy else None,
        "rules": rules.model_dump_json() if rules else None,
        "rules_origin": origin.rules_origin,
        "configuration": run.model_dump_json() if run else None,
        **(meaning_of(taxonomy, rules) if taxonomy is not None and rules is not None else {}),
    }


def _refuse_unknown(taxonomy: Taxonomy | None, values: Mapping[str, Any], funnels: Sequence[Sequence[str]]) -> None:
    event, amount = values.get("payment_event"), values.get("amount_property")
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
            if values.get(column) is not None and values[column] not in known:
                raise EntryError(f"{values[column]!r} is no property of {event}.", column)
    for funnel in funnels:
        if unknown := [name for name in funnel if name not in names]:
            raise EntryError(f"A funnel names {unknown[0]!r}, which is no event of {taxonomy.name}.", "funnels")


PRODUCT = Product()
