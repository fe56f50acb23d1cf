"""Finds values that need each other, through formulas, copies, mappings or the states that events set."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from gamestats_assets.demo_data.rules.formulas import FormulaError, parse_formula
from gamestats_assets.demo_data.rules.model import Rules, recalled_property
from gamestats_assets.demo_data.rules.scopes import KEYED, REFERENCE, Scopes
from gamestats_assets.demo_data.taxonomies.model import Taxonomy


def circles(rules: Rules, taxonomy: Taxonomy) -> list[list[str]]:
    """Returns the values that need each other, by circle: `event/name`, or the plain name for users' and common
    ones."""
    return cycles(_Needs(rules, taxonomy).by_value())


def circle_problems(rules: Rules, taxonomy: Taxonomy) -> Iterator[str]:
    """Yields a sentence about each circle."""
    for circle in circles(rules, taxonomy):
        yield f"These values need each other, so none of them can be made: {path(_plainly(circle))}"


class _Needs(Scopes):
    """What each value needs."""

    def by_value(self) -> dict[str, set[str]]:
        """Returns the needs of each value; `event/name` for an event's, the plain name for users' and common ones."""
        uses: dict[str, set[str]] = {}
        for key, constraint in self.rules.property_constraints.items():
            wanted = [
                constraint.copy_of or "",
                constraint.depends_on or "",
                constraint.rows_by or "",
                *((constraint.counter.source or "", constraint.counter.group_by or "") if constraint.counter else ()),
            ]
            for scope, name in self.deciding(key, self.rules.property_constraints):
                self._note(uses, scope, name, [source for source in wanted if source])
                for event, formula in (constraint.totals.adds if constraint.totals else {}).items():
                    group = name.rpartition(".")[0]  # a list is made as a whole
                    used = {f"{event}/{n}" if n in self.own.get(event, {}) else n for n in _names_of(formula)}
                    uses.setdefault(f"{scope}/{group or name}", set()).update(used)
                recalled = [recalled_property(one, name) for one in constraint.recalls]
                if scope in self.own and ("/" in key or scope not in {event for event, _ in recalled}):
                    uses.setdefault(f"{scope}/{name}", set()).update(f"{event}/{of}" for event, of in recalled)
        for event, name, source in self._repeated_in_flows():
            uses.setdefault(f"{event}/{name}", set()).add(f"{source}/{name}")
        for key, relationship in self.rules.property_relationships.items():
            for scope, name in self.deciding(key, self.rules.property_relationships):
                self._note(uses, scope, name, [*relationship.depends_on, *_names_of(relationship.formula)])
        for event, updates in self.rules.update_patterns.items():
            for name, update in updates.items():
                if isinstance(update.value, str) and event in self.own:
                    names = [KEYED.sub(r"\1\3", reference) for reference in REFERENCE.findall(update.value)]
                    own = [n for n in names if n in self.own[event]]
                    uses.setdefault(name, set()).update(f"{event}/{n}" for n in own)
                    uses[name] |= {n for n in names if n in self.common and n not in self.own[event] and n != name}
        return uses

    def _repeated_in_flows(self) -> Iterator[tuple[str, str, str]]:
        """Yields events, with a property, that repeat a recalled value of an earlier step, and the event of that
        step."""
        for sequence in self.rules.event_constraints.sequences:
            earlier: list[str] = []
            for step in sequence.steps:
                for source, event in itertools.product(earlier, step.events):
                    for name in self.own.get(source, {}).keys() & self.own.get(event, {}).keys():
                        own = self.rules.constraint_of(event, name)
                        of_its_own = bool(own.copy_of or own.first_only or own.counter)
                        recalls = source != event and self.rules.constraint_of(source, name).recalls
                        if recalls and not of_its_own and self.rules.repeats(event, name, source):
                            yield event, name, source
                earlier += step.events

    def _note(self, uses: dict[str, set[str]], scope: str, name: str, wanted: Iterable[str]) -> None:
        node = f"{scope}/{name}" if scope in self.own and name in self.own[scope] else name
        for source in wanted:
            seen = self.sees(scope, name, KEYED.sub(r"\1\3", source))
            if seen is None:
                continue
            of_event = scope in self.own and seen in self.own[scope]
            uses.setdefault(node, set()).add(f"{scope}/{seen}" if of_event else seen)


def _names_of(formula: str | None) -> list[str]:
    try:
        return sorted(parse_formula(formula).names) if formula is not None else []
    except FormulaError:
        return []


def _plainly(circle: Sequence[str]) -> list[str]:
    """Drops the event if a whole circle is within one."""
    events = {name.rpartition("/")[0] for name in circle}
    return [name.rpartition("/")[2] for name in circle] if len(events) == 1 else list(circle)


def path(circle: Sequence[str]) -> str:
    """Returns a circle in one line."""
    return " -> ".join([*circle, circle[0]])


def cycles(needs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Returns disjoint circles of things that need each other, each starting with the first in the alphabet."""
    left = {name: sorted(needs[name]) for name in sorted(needs)}
    found: list[list[str]] = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle = error.args[1][:0:-1]
            first = circle.index(min(circle))
            found.append([*circle[first:], *circle[:first]])
            left |= {name: [] for name in circle}
        else:
            return found
