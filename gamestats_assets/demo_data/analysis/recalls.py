"""What later events repeat of earlier ones: which order is shipped, which claim is approved, who drives.

An event recalls what the nearest event before it in the graph tells of the same thing: its id, and with it what else
both say of it. The event that makes a thing draws a new id. Ids of what lies there for everybody are recalled from a
look at it. Amounts may go by another name: what is charged is the fare, what is refunded was paid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.kinds import EventKind
from gamestats_assets.demo_data.analysis.lexicon import concepts, named_words, own_pieces, pieces
from gamestats_assets.demo_data.analysis.lives import undoes
from gamestats_assets.demo_data.analysis.measures import OWNED, rule_of
from gamestats_assets.demo_data.analysis.mentions import is_id_name
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import OneOf

Kind = EventKind

_NO_SOURCE = (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END)
_OF_NOTHING = ("it needs", "filed above", "installed", "the introduction", "a step of the sign-up")
"""Beginnings of the evidence of edges that say nothing of one thing."""
_OWN_TO_EACH_EVENT = named_words("own_to_each_event")
_TEXTS_OF_EACH = named_words("texts_of_each")
_SAME = re.compile(r"동일|同じ|\bsame\b|\bas in\b|\bback\b|\bwhole\b|全額|전액|그대로|\bof\b|의 ")
_ONCE_EACH = named_words("once_each")
_ENDING = named_words("ending")


class Recalls:
    """Finds which property of which events is recalled from which earlier ones.

    Args:
        needs: by event, those that must have happened before.
        constraints: by key, what is known of the values.
    """

    def __init__(
        self, order: EventOrder, needs: Mapping[str, Sequence[str]], constraints: Mapping[str, PropertyConstraint]
    ) -> None:
        self.order, self.needs, self.constraints = order, needs, constraints
        taxonomy = order.taxonomy
        self.own = {event.name: {p.name: p for p in event.properties} for event in taxonomy.events}
        counted = {p.name for p in taxonomy.user_properties if p.type is PropertyType.NUMBER and not is_id_name(p.name)}
        self.states = {p.name for p in taxonomy.common_properties} | counted
        self.lives = {life.identifier: life for life in order.lives}
        self.made = {life.identifier for life in order.lives if not self._is_fixed(life.births[0], life.identifier)}
        """Ids that an event makes anew each time."""
        self.lying: set[str] = set()

    def found(self) -> dict[str, list[str]]:
        """By key of a property, the events, or properties of events, that it recalls."""
        recalled: dict[str, list[str]] = {}
        for event in self.own:
            if self.order.kinds[event] in _NO_SOURCE or event in self.order.legacy:
                continue
            for prop in self.own[event].values():
                if sources := self._sources(event, prop):
                    recalled[f"{event}/{prop.name}"] = sources
        for event in self.own:
            for key, told in self._by_other_names(event):
                recalled.setdefault(key, [told])
        return recalled

    def is_told_once(self, key: str) -> bool:
        """Whether an event says how a thing ends that an id names, which happens once to each of them."""
        event, _, name = key.partition("/")
        r, life = self.order.readings[event], self.lives.get(name)
        if life is None or event not in life.events or r.says("cart", "sweep") or set(pieces(name)) & OWNED:
            return False
        mine = {*concepts(" ".join(pieces(name)[:-1])), *pieces(name)[:-1]} & {*r.words, *pieces(event)}
        others = [n for n in self.order.readings[event].ids if n != name and n in self.lives]
        ends = r.phase in _ONCE_EACH or undoes(r) or r.action in _ENDING
        stage = (
            bool({"repeated", "during", "optional"} & self.order.readings[event].flags) is False and name in self.made
        )
        return (ends or stage) and (not others or bool(mine)) and not r.opinion and not r.looks

    def is_within(self, key: str) -> bool:
        """Whether an event is about something within what it recalls, or about what lies there for everybody."""
        return key in self.lying

    # ----------------------------------------------------------------- the nearest event that tells the same

    def _before(self, event: str) -> Iterator[list[str]]:
        """Events before one that are about the same thing, the nearest first, by how far back they are."""
        level, seen = [event], {event}
        while level:
            further: list[str] = []
            for name in level:
                edges = [*([self.order.next[name]] if name in self.order.next else []), *self.order.needs.get(name, ())]
                for edge in edges:
                    if not edge.why.startswith(_OF_NOTHING):
                        further += [b for b in edge.before if b not in seen]
                        seen.update(edge.before)
            level = sorted(dict.fromkeys(further), key=lambda name: -self.order.readings[name].index)
            if level:
                yield level

    def _sources(self, event: str, prop: Property) -> list[str]:
        """The nearest earlier events that tell a property of the same thing."""
        name, r = prop.name, self.order.readings[event]
        if prop.properties or name in self.states or self._is_fixed(event, name):
            return []
        is_id = is_id_name(name)
        life = self.lives.get(name)
        if life is not None and event in life.births:
            return []
        if not is_id and self._changes(event, prop):
            return []
        for steps, level in enumerate(self._before(event)):
            telling = [b for b in level if self._says(b, prop)]
            if life is not None and event in life.events:
                telling = [b for b in telling if b in life.events]
            elif not self._one_thing(event, telling, steps):
                telling = []
            good = [b for b in telling if not self.order.readings[b].wrong or r.wrong]
            if telling:
                told = self.constraints.get(f"{event}/{name}")
                repeated = told is not None and told.same_as_before
                if life is None and not repeated and name in self.order.readings[event].ids:
                    self.lying.add(f"{event}/{name}")
                return self._nearest(good or telling)
        if life is not None and event in life.events:
            return [b for b in life.births if name in self.own[b]]
        return []

    def _nearest(self, telling: Sequence[str]) -> list[str]:
        """Of several the last one; ways to begin the same thing together."""
        ways = next((e for life in self.order.lives for e in [life.births] if len(e) > 1 and {*e} <= {*telling}), None)
        return list(ways) if ways else [telling[0]]

    def _one_thing(self, event: str, telling: Sequence[str], steps: int) -> bool:
        """Whether events speak of one thing: by an id that both carry, or since one directly follows the other."""
        mine = set(self.order.readings[event].ids)
        return steps == 0 or any(mine & set(self.order.readings[b].ids) for b in telling) or steps <= 2

    def _is_fixed(self, event: str, name: str) -> bool:
        """Whether something else decides the values."""
        c = self.constraints.get(f"{event}/{name}", self.constraints.get(name))
        return c is not None and bool(c.copy_of or c.counter or c.first_only or c.faker == "phone")

    def _changes(self, event: str, prop: Property) -> bool:
        """Whether each event says something of its own."""
        words = set(own_pieces(prop.name))
        own = words & (_TEXTS_OF_EACH if prop.type is PropertyType.STRING else _OWN_TO_EACH_EVENT)
        if prop.type is PropertyType.TIME and (own <= {"time", "first"} or "at" in words):
            return False
        c = self.constraints.get(f"{event}/{prop.name}", self.constraints.get(prop.name))
        hangs = c is not None and c.depends_on is not None and c.depends_on in self.own[event]
        return bool(own) or hangs or (c is not None and c.per_user)

    def _says(self, before: str, prop: Property) -> bool:
        earlier = self.own[before].get(prop.name)
        if earlier is None or earlier.type is not prop.type:
            return False
        said, here = rule_of(earlier), rule_of(prop)
        if isinstance(said, OneOf) and isinstance(here, OneOf):
            return set(map(str, said.values)) <= set(map(str, here.values))
        return here is None or said == here

    # ----------------------------------------------------------------- the same number by another name

    def _by_other_names(self, event: str) -> Iterator[tuple[str, str]]:
        """Numbers that a text says are those of an earlier event: what is refunded was paid."""
        ancestors = [name for level in self._before(event) for name in level]
        for prop in self.own[event].values():
            if prop.type is not PropertyType.NUMBER or self._is_fixed(event, prop.name) or rule_of(prop) is not None:
                continue
            others = [(b, o) for b in ancestors for o in self.own[b].values() if o.type is PropertyType.NUMBER]
            others = [(b, o) for b, o in others if o.name not in self.own[event] and o.name not in self.states]
            named = [f"{b}/{o.name}" for b, o in others if _names(prop, o)]
            text = prop.description.lower()
            written = [b for b in self.own if b != event and b.lower() in text and not named]
            named += [f"{b}/{name}" for b in written for name in self.own[b] if _has_word(text, name)]
            if named:
                yield f"{event}/{prop.name}", named[0]


def _has_word(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![a-z0-9_]){re.escape(name.lower())}(?![a-z0-9_])", text))


def _names(prop: Property, other: Property) -> bool:
    """Whether a text names another property, and no more than that."""
    text = f"{prop.description} {prop.alias}".lower()
    if re.search(r"[-+*/×]\s*\w|%|\bfor each\b|\bper\b|\bafter\b|\bbefore\b", text):
        return False
    return _has_word(text, other.name) or (
        len(other.alias) > 2 and other.alias.lower() in text and bool(_SAME.search(text))
    )
