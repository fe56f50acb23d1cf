"""Products as users enter them, with their settings; some are generated here.

The meaning of a product's events (which one is a payment, which ones make a funnel) is read off its rules on entry (see
`meaning`), and can be overridden.
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
    """The origin of a new product's logs: its taxonomy and, if they are generated here, rules and configuration.

    Attributes:
        rules_origin: maker of the rules.
        configuration: configuration of the run; None generates nothing.
    """

    taxonomy: Taxonomy | None = None
    rules: Rules | None = None
    rules_origin: str | None = None
    configuration: Configuration | None = None


def _name(text: str, column: str) -> str:
    if not PRODUCT_NAME.fullmatch(text):
        raise EntryError(
            f"{text!r} cannot name a product: use small letters, digits, _ and -, at most 50, beginning with a letter.",
            column,
        )
    return text


def _funnels(text: str) -> list[list[str]]:
    return [[word.strip() for word in funnel.split(",") if word.strip()] for funnel in text.split(";")]


_PROPERTY = Kind(str, str, visible_text, "PROPERTY")


class Product(Thing):
    """A product whose event logs are read; some products are generated here."""

    kind = "product"
    table = "products"
    key = column = "product"
    called = "product {product}"
    stays = True
    command = ("product",)
    query = "SELECT * FROM ops.products"
    names = (Field("product", "Short name, such as demo-shop.", Kind(str, str, _name)),)
    fields = (
        Field("is_active", "Whether its logs are ingested.", YES_NO, verbs=["change"], option="active/--inactive"),
        Field("payment_event", "Payment event.", Kind(str, str, visible_text, "EVENT"), lacks=True),
        Field("amount_property", "Its property with the amount.", _PROPERTY, lacks=True, option="amount"),
        Field("currency_property", "Its property with the currency.", _PROPERTY, lacks=True),
        Field(
            "currency",
            "Currency of payments that name none.",
            Kind(str, str, visible_text, "CODE"),
            lacks=True,
        ),
        Field(
            "funnels",
            "Events, separated by commas; can be repeated.",
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
        """See `Thing.settle`. Settings of a new product that are not given are read off its rules."""
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
        entry.notes.append(f"The data of {name} stay and can be read; new files are no longer ingested.")


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
            raise EntryError(f"{event!r} is not an event of the taxonomy {taxonomy.name}.", "payment_event")
        known = {name for name, _ in flattened((*taxonomy.event(event).properties, *taxonomy.common_properties))}
        for column in ("amount_property", "currency_property"):
            if values.get(column) is not None and values[column] not in known:
                raise EntryError(f"{values[column]!r} is not a property of {event}.", column)
    for funnel in funnels:
        if unknown := [name for name in funnel if name not in names]:
            raise EntryError(f"A funnel names {unknown[0]!r}, which is not an event of {taxonomy.name}.", "funnels")


PRODUCT = Product()
