"""Finds where a key of rules applies in a taxonomy, and which properties are visible there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Property, Taxonomy, flattened

REFERENCE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
"""`{{name}}` in a text."""
KEYED = re.compile(r"([^\[\]]+)\[([^\[\]]*)\](.*)")
"""`items[3].count`: a place in a list of objects."""


class Scopes:
    """Events and properties by name.

    A scope is an event, the common properties (empty), or `user`.
    """

    def __init__(self, rules: Rules, taxonomy: Taxonomy) -> None:
        self.rules, self.taxonomy = rules, taxonomy
        self.events = list(taxonomy.event_names())
        self.common = dict(flattened(taxonomy.common_properties))
        self.users = dict(flattened(taxonomy.user_properties))
        self.own = {event.name: dict(flattened(event.properties)) for event in taxonomy.events}

    @cached_property
    def everywhere(self) -> dict[str, list[Property]]:
        """Returns every property by its dotted name."""
        found: dict[str, list[Property]] = {}
        for properties in (self.common, self.users, *self.own.values()):
            for name, prop in properties.items():
                found.setdefault(name, []).append(prop)
        return found

    def near(self, name: str, known: Iterable[str]) -> str:
        """Returns advice for a name that is not among the known ones."""
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
        return f"; did you mean {near[0]!r}?" if near else ""

    def scopes(self, key: str) -> list[tuple[str, str]]:
        """Returns where a key applies: events, the common properties (empty) or the user; with the property's name."""
        event, _, name = key.rpartition("/")
        if event:
            return [(event, name)] if event in self.own else []
        found = [(event, name) for event, own in self.own.items() if name in own]
        found += [("", name)] if name in self.common else []
        return found + ([("user", name)] if name in self.users else [])

    def sees(self, scope: str, own: str, wanted: str) -> str | None:
        """Returns the full name of a property that one in a scope can use; None if it cannot."""
        parent = own.rpartition(".")[0]
        beside = f"{parent}.{wanted}" if parent else wanted
        visible: list[Mapping[str, Property]] = [self.users]
        if scope != "user":
            visible.insert(0, self.common)
        if scope in self.own:
            visible.insert(0, self.own[scope])
        for names in visible:
            for name in (beside, wanted):
                if name in names:
                    return name
        return None

    def deciding(self, key: str, table: Mapping[str, object]) -> list[tuple[str, str]]:
        """Returns where a key applies, without events that have a key of their own."""
        return [
            (scope, name)
            for scope, name in self.scopes(key)
            if "/" in key or scope in ("", "user") or f"{scope}/{name}" not in table
        ]

    def no_event(self, place: str, event: str) -> Iterator[str]:
        """Yields a problem if the taxonomy does not have an event."""
        if event not in self.own:
            yield f"{place}: there is no event {event!r}{self.near(event, self.events)}"

    def no_property(self, place: str, event: str, name: str, used: str = "") -> Iterator[str]:
        """Yields a problem if neither an event nor the common properties have a property.

        Args:
            used: the reference in the rules, if it is more than the name.
        """
        if name not in self.own[event] and name not in self.common:
            near = self.near(name, [*self.own[event], *self.common])
            yield f"{place}: the event {event!r} has no property {used or repr(name)}{near}"

    def not_seen(self, place: str, key: str, wanted: str) -> Iterator[str]:
        """Yields a problem for the first place where the property of a key cannot use another one."""
        for scope, name in self.scopes(key):
            if self.sees(scope, name, KEYED.sub(r"\1\3", wanted)) is None:
                known = [*self.own.get(scope, {}), *(self.common if scope != "user" else {}), *self.users]
                yield f"{place}: {where(scope)} no property {wanted!r}{self.near(wanted, known)}"
                return


def where(scope: str) -> str:
    """Returns the subject of a sentence about properties in a scope."""
    if scope == "user":
        return "users have"
    return f"the event {scope!r} has" if scope else "the common properties and users have"
