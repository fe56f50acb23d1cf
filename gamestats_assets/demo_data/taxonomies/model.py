"""The event taxonomy of a product: its events with their properties.

A taxonomy has the typed contents of a workbook: names, types, texts, order, and the small rules of the description
column (`value_rules`). `rules` give it a meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from gamestats_assets.demo_data.taxonomies.value_rules import ValueRule


class PropertyType(StrEnum):
    """Types of a property, as ThinkingData has them."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    TIME = "time"
    LIST = "list"
    """A list of texts."""
    OBJECT = "object"
    OBJECT_GROUP = "object_group"
    """A list of objects."""


class UpdateMode(StrEnum):
    """How a user property is sent."""

    SET = "user_set"
    SET_ONCE = "user_setOnce"
    ADD = "user_add"


class _Part(BaseModel, frozen=True):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class Property(_Part, frozen=True):
    """A property of events or of users.

    Attributes:
        name: name as it is sent; for a nested property, without its parent's name.
        alias: name for people.
        description: text of the sheet, rules included.
        rule: rule for the values in the text; None for plain text.
        constraint: text of a column for limits alone, such as `1-150` or `KR,JP,US`.
        update: how a user property is sent; None for event properties, and if the sheet does not say.
        properties: nested properties of an object or an object group.
    """

    name: str
    type: PropertyType
    alias: str = ""
    description: str = ""
    rule: ValueRule | None = None
    constraint: str = ""
    update: UpdateMode | None = None
    properties: tuple[Property, ...] = ()


class Event(_Part, frozen=True):
    """A kind of event; a property with the name of a common one replaces it."""

    name: str
    alias: str = ""
    description: str = ""
    tag: str = ""
    properties: tuple[Property, ...] = ()


class Taxonomy(_Part, frozen=True):
    """Everything that a product sends.

    Attributes:
        name: name of its file, without the ending.
        events: in the order of the sheet, which is often the order in which they happen.
        common_properties: sent with every event.
        user_properties: the state of a user.
    """

    name: str
    events: tuple[Event, ...]
    common_properties: tuple[Property, ...] = ()
    user_properties: tuple[Property, ...] = ()

    def event(self, name: str) -> Event:
        """Returns the event of a name.

        Raises:
            KeyError: when there is none.
        """
        for event in self.events:
            if event.name == name:
                return event
        raise KeyError(name)

    def event_names(self) -> tuple[str, ...]:
        """Returns the names of all events, in the order of the sheet."""
        return tuple(event.name for event in self.events)

    def content_hash(self) -> str:
        """Returns 32 hexadecimal digits that identify the contents, including the order of events."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]


def flattened(properties: tuple[Property, ...], parent: str = "") -> Iterator[tuple[str, Property]]:
    """Yields every property with its dotted name, nested ones after their parent.

    >>> item = Property(name="item_id", type=PropertyType.NUMBER)
    >>> bag = Property(name="bag", type=PropertyType.OBJECT_GROUP, properties=(item,))
    >>> [name for name, _ in flattened((bag,))]
    ['bag', 'bag.item_id']
    """
    for found in properties:
        name = f"{parent}{found.name}"
        yield name, found
        yield from flattened(found.properties, f"{name}.")
