"""Names of properties that stand together in a record, and the type of each once it is fixed."""

from __future__ import annotations

from dataclasses import dataclass

from gamestats_assets.apis.thinkingdata import MOST_EVENT_PROPERTIES, MOST_USER_PROPERTIES, NAME, ROOT_KEYS
from gamestats_assets.demo_data.logs.wire_report import Problem
from gamestats_assets.demo_data.taxonomies.model import Property, Taxonomy

NAME_RULE = "a letter or #, then up to 49 letters, digits or _"
"""What `NAME` takes, for people."""
ABSENT = object()
"""In place of a value that is not there."""

CACHED_SHAPES = 4096
"""Sets of names, or of root keys, whose judgement is kept."""


class Slot:
    """What is known of one property: its type once fixed, and what its objects hold."""

    __slots__ = ("declared", "inside", "kind", "name")

    def __init__(self, name: str, declared: Property | None = None) -> None:
        self.name = name
        self.declared = declared is not None
        self.kind = declared.type if declared else None
        self.inside: Scope | None = None
        if declared and declared.properties:
            slots = {found.name.lower(): Slot(f"{name}.{found.name}", found) for found in declared.properties}
            self.inside = Scope(slots, frozenset(slots), parent=f"{name}.")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a set of property names was judged: what is known of each, and what is wrong with the names."""

    slots: tuple[Slot, ...]
    problems: tuple[tuple[Problem, str, str], ...]


class Scope:
    """Names that may stand together: of events, of one event, of users, or within an object.

    Args:
        slots: by name in small letters; shared between the events.
        allowed: names in small letters that are declared; None allows all.
        most: how many names there may be.
        parent: dotted name of the object with a dot; empty beside it.
    """

    def __init__(
        self, slots: dict[str, Slot], allowed: frozenset[str] | None, *, most: int = 1000, parent: str = ""
    ) -> None:
        self._slots = slots
        self._allowed = allowed
        self._most = most
        self._parent = parent
        self._shapes: dict[tuple[str, ...], Shape] = {}

    def shape(self, names: tuple[str, ...]) -> Shape:
        """How these names are judged when they stand together; looked at once."""
        shape = self._shapes.get(names)
        if shape is None:
            if len(self._shapes) >= CACHED_SHAPES:
                self._shapes.clear()
            shape = self._shapes[names] = self._judged(names)
        return shape

    def _judged(self, names: tuple[str, ...]) -> Shape:
        slots: list[Slot] = []
        problems: list[tuple[Problem, str, str]] = []
        seen: dict[str, str] = {}
        for name in names:
            small = name.lower()
            if small in seen:
                problems.append((Problem.DUPLICATE_KEY, "a key once", f"{seen[small]!r} and {name!r}"))
            seen[small] = name
            slots.append(self._slot(name, small, problems))
        return Shape(tuple(slots), tuple(problems))

    def _slot(self, name: str, small: str, problems: list[tuple[Problem, str, str]]) -> Slot:
        dotted = f"{self._parent}{name}"
        if not NAME.fullmatch(name):
            problems.append((Problem.KEY, NAME_RULE, shown(dotted)))
            return Slot(dotted)
        if not self._parent and name in ROOT_KEYS:
            problems.append((Problem.MISPLACED_KEY, f"{name} beside the properties", "it among them"))
        elif self._allowed is not None and small not in self._allowed and not name.startswith("#"):
            problems.append((Problem.UNDECLARED_PROPERTY, "a property of the taxonomy", dotted))
        slot = self._slots.get(small)
        if slot is None:
            slot = Slot(dotted)
            if len(self._slots) < self._most:
                self._slots[small] = slot
            elif not self._parent:
                problems.append((Problem.TOO_MANY_PROPERTIES, f"at most {self._most} properties", f"also {name}"))
        return slot


def scopes(taxonomy: Taxonomy | None) -> tuple[dict[str, Scope], Scope, Scope]:
    """By event, for events that are not in the taxonomy, and for users."""
    if taxonomy is None:
        return {}, Scope({}, None, most=MOST_EVENT_PROPERTIES), Scope({}, None, most=MOST_USER_PROPERTIES)
    of_events = (*taxonomy.common_properties, *(p for event in taxonomy.events for p in event.properties))
    slots = {name: Slot(found.name, found) for name, found in _merged(of_events).items()}
    by_event = {
        event.name: Scope(slots, _names(*taxonomy.common_properties, *event.properties), most=MOST_EVENT_PROPERTIES)
        for event in taxonomy.events
    }
    of_users = {name: Slot(found.name, found) for name, found in _merged(taxonomy.user_properties).items()}
    users = Scope(of_users, _names(*taxonomy.user_properties), most=MOST_USER_PROPERTIES)
    return by_event, Scope(slots, None, most=MOST_EVENT_PROPERTIES), users


def _merged(properties: tuple[Property, ...]) -> dict[str, Property]:
    """By name in small letters; what several declarations of one object nest is nested in it together."""
    merged: dict[str, Property] = {}
    for found in properties:
        name = found.name.lower()
        if (known := merged.get(name)) is not None:
            nested = _merged((*known.properties, *found.properties))
            found = known.model_copy(update={"properties": tuple(nested.values())})
        merged[name] = found
    return merged


def _names(*properties: Property) -> frozenset[str]:
    return frozenset(found.name.lower() for found in properties)


def shown(value: object) -> str:
    """A value for people, cut where it is long."""
    if value is ABSENT:
        return "none"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
