"""Properties in log files: their allowed places, and the type of each once it is fixed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from gamestats_assets.apis.thinkingdata import MOST_EVENT_PROPERTIES, MOST_USER_PROPERTIES, ROOT_KEYS
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, flattened

Found = tuple[str, str, str]
"""A problem, what was expected and what was found."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?", re.ASCII).fullmatch
_TYPES = {bool: PropertyType.BOOLEAN, int: PropertyType.NUMBER, float: PropertyType.NUMBER, dict: PropertyType.OBJECT}
_TEXTS = (PropertyType.STRING, PropertyType.TIME)


class Verdict(NamedTuple):
    """What applies to all records with the same names and JSON types: problems, and names whose values matter as
    well."""

    problems: tuple[Found, ...]
    looked_into: tuple[str, ...]


class KnownProperties:
    """Properties of events, or of users, by dotted name in small letters.

    Args:
        declared: properties that the taxonomy declares.
        allowed: by event (empty for users), the declared names it may have; other events may have all.
        most: largest number of properties.
        fixes_types: whether the first value of a property fixes its type.
    """

    def __init__(
        self,
        declared: Iterable[Property] = (),
        allowed: Mapping[str, frozenset[str]] | None = None,
        *,
        most: int,
        fixes_types: bool = True,
    ) -> None:
        self._types = {name.lower(): found.type for name, found in flattened(tuple(declared))}
        self._declared = frozenset(self._types)
        self._closed = {name.rpartition(".")[0] for name in self._declared if "." in name}
        self._allowed, self._most, self._fixes_types = allowed or {}, most, fixes_types
        self._names = {name for name in self._declared if "." not in name}

    def verdict(self, event: str, properties: Mapping[str, Any]) -> Verdict:
        """Returns the problems of a record's names and types, and fixes types of new properties."""
        problems = list(self._names_of("", "", properties, self._allowed.get(event)))
        looked_into: list[str] = []
        for name, value in properties.items():
            key = name.lower()
            if isinstance(value, list | dict):
                looked_into.append(name)
            elif isinstance(value, str) and self._fixes_types:
                self._types.setdefault(key, _type_of(value) or PropertyType.STRING)
                if self._types[key] is not PropertyType.STRING:
                    looked_into.append(name)
            else:
                problems += self.value(key, name, value)
        return Verdict(tuple(problems), tuple(looked_into))

    def _names_of(
        self, parent: str, shown_parent: str, properties: Mapping[str, Any], allowed: frozenset[str] | None
    ) -> Iterator[Found]:
        seen: dict[str, str] = {}
        for name in properties:
            key, small = f"{parent}{name.lower()}", name.lower()
            if small in seen:
                yield "duplicate_key", "a key once", f"{seen[small]!r} and {name!r}"
            seen[small] = name
            if not parent and name in ROOT_KEYS:
                yield "misplaced_key", f"{name} beside the properties", "it among them"
            elif allowed is not None and key not in allowed and not name.startswith("#"):
                yield "undeclared_property", "a property of the taxonomy", f"{shown_parent}{name}"
            if not parent and key not in self._names:
                if len(self._names) >= self._most:
                    yield "too_many_properties", f"at most {self._most} properties", f"also {name}"
                else:
                    self._names.add(key)

    def value(self, key: str, name: str, value: Any) -> Iterator[Found]:
        """Yields the problems of a value and of its parts."""
        if value is None:
            yield "null", f"{name} to have a value", "null"
            return
        found = _type_of(value)
        if self._fixes_types and found is not None:
            known = self._types.setdefault(key, found)
            if found is not known and not (known is PropertyType.STRING and found is PropertyType.TIME):
                problem = "declared_type" if key in self._declared else "type_changed"
                yield problem, f"{name} to be of type {known}", shown(value)
        elif self._types.get(key, PropertyType.LIST) not in (PropertyType.LIST, PropertyType.OBJECT_GROUP):
            problem = "declared_type" if key in self._declared else "type_changed"
            yield problem, f"{name} to be of type {self._types[key]}", shown(value)
        if isinstance(value, dict):
            yield from self._object(key, name, value)
        elif isinstance(value, list):
            are_objects = all(isinstance(item, dict) for item in value)
            for item in value:
                if are_objects:
                    yield from self._object(key, name, item)
                elif item is None:
                    yield "null", f"{name} to have a value", "null"
                elif not isinstance(item, str):
                    yield "list_item", f"texts alone, or objects alone, in {name}", shown(item)

    def _object(self, key: str, name: str, content: Mapping[str, Any]) -> Iterator[Found]:
        yield from self._names_of(f"{key}.", f"{name}.", content, self._declared if key in self._closed else None)
        for child, value in content.items():
            yield from self.value(f"{key}.{child.lower()}", f"{name}.{child}", value)


def known_properties(taxonomy: Taxonomy | None) -> tuple[KnownProperties, KnownProperties, KnownProperties]:
    """Returns properties of events, of users, and of operations that remove user properties, whatever their values."""
    unset = {"most": MOST_USER_PROPERTIES, "fixes_types": False}
    if taxonomy is None:
        events, users = KnownProperties(most=MOST_EVENT_PROPERTIES), KnownProperties(most=MOST_USER_PROPERTIES)
        return events, users, KnownProperties(**unset)
    common, of_users = taxonomy.common_properties, taxonomy.user_properties
    allowed = {event.name: _names(*common, *event.properties) for event in taxonomy.events}
    every = (*common, *(found for event in taxonomy.events for found in event.properties))
    return (
        KnownProperties(every, allowed, most=MOST_EVENT_PROPERTIES),
        KnownProperties(of_users, {"": _names(*of_users)}, most=MOST_USER_PROPERTIES),
        KnownProperties((), {"": _names(*of_users)}, **unset),
    )


def _names(*properties: Property) -> frozenset[str]:
    return frozenset(found.name.lower() for found in properties)


def _type_of(value: Any) -> PropertyType | None:
    """Returns the type of a value; None for an empty list, which may be of texts or of objects."""
    if isinstance(value, list):
        if not value:
            return None
        return PropertyType.OBJECT_GROUP if isinstance(value[0], dict) else PropertyType.LIST
    if isinstance(value, str):
        return PropertyType.TIME if _is_time(value) else PropertyType.STRING
    return _TYPES[value.__class__]


def _is_time(text: str) -> bool:
    """Whether a text has the format of a time, with or without milliseconds."""
    if _TIME(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def shown(value: object) -> str:
    """Returns a value for people, shortened if it is long."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
