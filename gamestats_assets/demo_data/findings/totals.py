"""Checks from the records alone whether totals are the sums of what users gathered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import Rules, TotalRule
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy, flattened

_ROUNDING = 0.006

Things = list[Mapping[str, Any]]
"""Things a user has gathered, oldest first: by total, the value in the event that added the thing."""


class Totals:
    """Follows users' records in order of time, and counts wrong totals.

    Attributes:
        counts: by `event/property`, how many totals were checked, and how many were wrong.
    """

    def __init__(self, taxonomy: Taxonomy, rules: Rules) -> None:
        self.counts: dict[str, list[int]] = {}
        self._rules: dict[tuple[Any, ...], dict[str, dict[str, TotalRule]]] = {}
        for event in taxonomy.events:
            for name, given in flattened(event.properties):
                rule = rules.constraint_of(event.name, name).totals
                if rule is not None and (given.type is PropertyType.NUMBER or "." in name):
                    of_events = self._rules.setdefault(rule.events, {})
                    of_events.setdefault(event.name, {})[name] = rule
        self._there: dict[tuple[Any, ...], dict[str, Things]] = {key: defaultdict(list) for key in self._rules}
        named = (event for events, of in self._rules.items() for event in (*(e for part in events for e in part), *of))
        self.events = frozenset(named)
        """Events whose records matter."""

    def take(self, user: str, event: str, properties: Mapping[str, Any]) -> None:
        """Processes a record of one of `events`."""
        for key, of_events in self._rules.items():
            adds, takes, until = key
            things = self._there[key][user]
            if event in adds:
                things.append(
                    {
                        name: _stated(rule.adds[event], properties)
                        for totals in of_events.values()
                        for name, rule in totals.items()
                    }
                )
            elif event in takes and things:
                things.pop()
            for name, found in _found(of_events.get(event, {}), properties):
                counts = self.counts.setdefault(f"{event}/{name}", [0, 0])
                counts[0] += 1
                counts[1] += not _same(found, [thing[name] for thing in things])
            if event in until:
                things.clear()


def _stated(formula: str, properties: Mapping[str, Any]) -> Any:
    """Returns the value of a name or a formula in a record."""
    if formula in properties:
        return properties[formula]
    read = parse_formula(formula)
    values = {name: properties.get(name) for name in read.names}
    numbers = {name: value if isinstance(value, int | float) else 0 for name, value in values.items()}
    return float(read.evaluate(numbers, lambda _: np.zeros(1)))


def _found(totals: Mapping[str, TotalRule], properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the totals of a record: numbers, or the values of each object of a list."""
    for name in totals:
        group, _, child = name.rpartition(".")
        if not group:
            yield name, properties.get(name)
        elif isinstance(listed := properties.get(group), list):
            yield name, [each.get(child) if isinstance(each, dict) else None for each in listed]


def _same(found: Any, things: list[Any]) -> bool:
    if isinstance(found, list):
        return found == things
    if not isinstance(found, int | float):
        return False
    wanted = sum(value for value in things if isinstance(value, int | float))
    return abs(found - wanted) <= _ROUNDING
