"""Checks that rules fit their taxonomy and do not contradict themselves; problems say how to correct them.

`problems` finds everything at once. Rules without problems can be generated from: every name exists, every order is
possible, every value can be made without needing itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gamestats_assets.demo_data.rules.circles import circle_problems, cycles, path
from gamestats_assets.demo_data.rules.formulas import FormulaError, parse_formula
from gamestats_assets.demo_data.rules.model import (
    LifecycleStage,
    Rules,
    TotalRule,
    Update,
    ValueRange,
    named_events,
    recalled_property,
)
from gamestats_assets.demo_data.rules.scopes import KEYED, REFERENCE, Scopes, where
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf, ValueRuleError, parse_value_rule
from gamestats_assets.lakehouse.errors import GamestatsError

_PRESET = re.compile(r"#[A-Za-z_]\w*")


class RulesError(GamestatsError):
    """Rules do not fit the taxonomy, or contradict themselves.

    Attributes:
        problems: all problems.
    """

    def __init__(self, taxonomy: str, found: Sequence[str]) -> None:
        lines = "\n".join(f"- {problem}" for problem in found)
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        super().__init__(f"The rules for the taxonomy {taxonomy!r} have {count}; correct them in the rules:\n{lines}")
        self.problems = list(found)


def require_sound(rules: Rules, taxonomy: Taxonomy) -> None:
    """Returns if the rules have no problems.

    Raises:
        RulesError: when they have; names every problem.
    """
    if found := problems(rules, taxonomy):
        raise RulesError(taxonomy.name, found)


def problems(rules: Rules, taxonomy: Taxonomy) -> list[str]:
    """Returns all problems of rules, each in a sentence; none if they are sound."""
    check = _Check(rules, taxonomy)
    return list(
        dict.fromkeys(
            problem
            for part in (
                check.unknown_events,
                check.unknown_properties,
                check.sequences,
                check.prerequisites,
                check.constraints,
                check.formulas,
                check.ranges,
                check.updates,
                lambda: circle_problems(rules, taxonomy),
            )
            for problem in part()
        )
    )


class _Check(Scopes):
    """The parts of the check, each of which yields its problems."""

    # ----------------------------------------------------------------- names

    def unknown_events(self) -> Iterator[str]:
        """Yields events that the taxonomy does not have."""
        for event, place in named_events(self.rules):
            yield from self.no_event(place, event)

    def unknown_properties(self) -> Iterator[str]:
        """Yields properties that the taxonomy, or the event of the key, does not have."""
        for place, keys in self._keys():
            for key in keys:
                yield from self._unknown_key(place, key)
        for key, relationship in self.rules.property_relationships.items():
            for name in relationship.affects:
                if not self._known_anywhere(name, key):
                    near = self.near(name, self.everywhere)
                    yield f"property_relationships.{key}.affects: there is no property {name!r}{near}"

    def _keys(self) -> Iterator[tuple[str, Iterable[str]]]:
        rules = self.rules
        yield "property_constraints", rules.property_constraints
        yield "property_relationships", rules.property_relationships
        yield "value_ranges", rules.value_ranges
        for segment, analysis in rules.segment_analysis.items():
            yield f"segment_analysis.{segment}.property_ranges", analysis.property_ranges

    def _unknown_key(self, place: str, key: str) -> Iterator[str]:
        event, _, name = key.rpartition("/")
        if not event:
            if name not in self.everywhere:
                yield f"{place}: there is no property {name!r}{self.near(name, self.everywhere)}"
        elif event not in self.own:
            yield from self.no_event(f"{place}.{key}", event)
        else:
            yield from self.no_property(f"{place}.{key}", event, name)

    def _known_anywhere(self, name: str, key: str) -> bool:
        parent = key.rpartition("/")[2].rpartition(".")[0]
        own = f"{parent}.{name}" if parent else name
        return name.rpartition("/")[2] in self.everywhere or own in self.everywhere

    # ----------------------------------------------------------------- the order of events

    def sequences(self) -> Iterator[str]:
        """Yields sequences with an uncertain first step, and events that are in a sequence and elsewhere."""
        constraints = self.rules.event_constraints
        fixed = {*constraints.session_start, *constraints.session_end}
        for sequence in constraints.sequences:
            place = f"event_constraints.sequences.{sequence.name}"
            first = sequence.steps[0]
            if first.probability != 1:
                yield (
                    f"{place}: its first step has probability {first.probability:g}; it must be 1, "
                    "how often a sequence begins is for event_probabilities"
                )
            for step in sequence.steps:
                for event in step.events:
                    if event in constraints.not_of_users:
                        yield f"{place}: {event!r} is in not_of_users, so no user can take this step"
            for before, step in zip(sequence.steps, sequence.steps[1:], strict=False):
                for event in step.follows:
                    if event not in before.events:
                        near = self.near(event, before.events)
                        yield f"{place}: a step follows {event!r}, which is not in the step before{near}"
                for event in step.events:
                    if event in fixed:
                        where = "session_start" if event in constraints.session_start else "session_end"
                        yield f"{place}: {event!r} is in {where} too, so it would not wait for the step before"

    def prerequisites(self) -> Iterator[str]:
        """Yields prerequisites that form a circle, or can never be met."""
        needs = {
            event: [before for before in befores if before in self.own]
            for event, befores in self.rules.event_constraints.prerequisites.items()
        }
        circles = cycles({event: set(befores) for event, befores in needs.items()})
        for circle in circles:
            yield f"event_constraints.prerequisites: these events wait for each other: {path(circle)}"
        yield from self._against_sequences(needs)
        for event, befores in needs.items():
            for before in befores:
                if before in self.rules.event_constraints.not_of_users:
                    yield (
                        f"event_constraints.prerequisites.{event}: {before!r} is in not_of_users, "
                        "so it never happens to a user"
                    )
                if before in self.rules.event_constraints.final:
                    yield (f"event_constraints.prerequisites.{event}: {before!r} is in final, so nothing follows it")
        yield from self._never(needs, {event for circle in circles for event in circle})

    def _against_sequences(self, needs: Mapping[str, Sequence[str]]) -> Iterator[str]:
        for sequence in self.rules.event_constraints.sequences:
            places: dict[str, int] = {}
            for number, step in enumerate(sequence.steps):
                for event in step.events:
                    places.setdefault(event, number)
            for event, place in places.items():
                for before in needs.get(event, ()):
                    if before == event or before not in places or places[before] < place:
                        continue
                    where = "in the same step as" if places[before] == place else "after"
                    yield (
                        f"event_constraints.prerequisites.{event}: {before!r} is {where} {event!r} "
                        f"in the sequence {sequence.name!r}, so it cannot have happened before"
                    )

    def _never(self, needs: Mapping[str, Sequence[str]], named: set[str]) -> Iterator[str]:
        """Yields events that no user can reach, although their prerequisites form no circle."""
        constraints = self.rules.event_constraints
        possible, reached = self._possible(needs)
        for event in needs:
            if event in possible or event in named or event not in self.own or event in constraints.not_of_users:
                continue
            for before in needs[event]:
                if before in possible or before in constraints.not_of_users:
                    continue
                stage = constraints.lifecycle.get(before)
                why = "which can never happen itself"
                if stage is not None and stage.rank > reached:
                    why = f"which waits for the stage {stage.value!r} that nothing leads to"
                yield f"event_constraints.prerequisites.{event}: it needs {before!r}, {why}"
        waiting = {
            event: stage
            for event, stage in constraints.lifecycle.items()
            if stage.rank > reached and event in self.own and event not in constraints.not_of_users
        }
        for event, stage in waiting.items():
            yield (
                f"event_constraints.lifecycle.{event}: the stage {stage.value!r} is never reached, because every event "
                "of stage_events that leads to it waits for it, or can never happen"
            )

    def _possible(self, needs: Mapping[str, Sequence[str]]) -> tuple[set[str], int]:
        """Returns the events that users can reach, and the rank of the last stage that they can reach."""
        constraints = self.rules.event_constraints
        follows = self.rules.followers()
        opening = {stage.rank for event, stage in constraints.stage_events.items() if event in self.own}
        possible: set[str] = set()
        reached = 0
        while True:
            # A stage that no event leads to is reached by time.
            while reached + 1 < len(LifecycleStage) and reached + 1 not in opening:
                reached += 1
            new = {
                event
                for event in self.own
                if event not in possible
                and event not in constraints.not_of_users
                and constraints.lifecycle.get(event, LifecycleStage.INSTALLED).rank <= reached
                and all(before in possible for before in needs.get(event, ()))
                and (event not in follows or any(before in possible for before in follows[event]))
            }
            leads = max(
                (constraints.stage_events[e].rank for e in possible | new if e in constraints.stage_events), default=0
            )
            if not new and leads <= reached:
                return possible, reached
            possible |= new
            reached = max(reached, leads)

    # ----------------------------------------------------------------- constraints of properties

    def constraints(self) -> Iterator[str]:
        """Yields references of constraints to missing properties, and mappings of values that never occur."""
        for key, constraint in self.rules.property_constraints.items():
            place = f"property_constraints.{key}"
            sources = {
                "copy_of": constraint.copy_of, "depends_on": constraint.depends_on, "rows_by": constraint.rows_by,
            }  # fmt: skip
            if constraint.counter:
                sources |= {
                    "counter.source": constraint.counter.source,
                    "counter.group_by": constraint.counter.group_by,
                }
            for what, wanted in sources.items():
                if wanted is None or _PRESET.fullmatch(wanted):
                    continue
                yield from self.not_seen(f"{place}.{what}", key, wanted)
            if constraint.totals:
                yield from self._unsound_totals(key, constraint.totals)
            if constraint.depends_on:
                yield from self._unknown_values(key, constraint.depends_on, constraint.mapping)
            if constraint.once_each and "/" not in key:
                yield f"{place}.once_each: it belongs to the property of one event, such as {self.events[0]}/{key}"
            for recalled in constraint.recalls:
                event, name = recalled_property(recalled, key)
                yield from self.no_event(f"{place}.recalls", event)
                if event in self.own:
                    yield from self.no_property(f"{place}.recalls", event, name)

    def _unsound_totals(self, key: str, totals: TotalRule) -> Iterator[str]:
        """Yields totals with missing events or properties, and incomplete objects."""
        place = f"property_constraints.{key}.totals"
        for event in (*totals.adds, *totals.takes, *totals.until):
            yield from self.no_event(place, event)
        for event in (*totals.takes, *totals.until):
            if event in totals.adds:
                yield f"{place}: {event!r} cannot both add and take a thing"
        for scope, name in self.scopes(key):
            yield from self._unfit_total(place, scope, name, totals)
        for event, formula in totals.adds.items():
            if event in self.own:
                yield from self._unfit_formula(f"{place}.adds.{event}", key, event, formula)

    def _unfit_total(self, place: str, scope: str, name: str, totals: TotalRule) -> Iterator[str]:
        """Yields totals that cannot be formed: outside events, of texts, or in objects without a rule for every
        property."""
        own = self.own.get(scope, {})
        group = name.rpartition(".")[0]
        if name not in own:
            yield f"{place}: {where(scope)} {name!r}, but only properties of events can be totals"
        elif group and own[group].type is PropertyType.OBJECT_GROUP:
            for child in own[group].properties:
                beside = self.rules.constraint_of(scope, f"{group}.{child.name}").totals
                if beside is None or beside.events != totals.events:
                    yield f"{place}: {group}.{child.name} needs a total of the same events, like all of {group!r}"
        elif group or own[name].type is not PropertyType.NUMBER:
            yield f"{place}: {scope}/{name} is neither a number nor in a list of objects, so it cannot be a total"

    def _unfit_formula(self, place: str, key: str, event: str, text: str) -> Iterator[str]:
        try:
            names = parse_formula(text).names
        except FormulaError as error:
            yield f"{place}: {error}"
            return
        alone = "." in key and text.strip() in names
        for wanted in sorted(names):
            given = self.own[event].get(wanted) or self.common.get(wanted)
            if given is None:
                yield from self.no_property(place, event, wanted)
            elif given.type is not PropertyType.NUMBER and not alone:
                yield f"{place}: {wanted!r} is not a number"

    def _unknown_values(self, key: str, on: str, mapping: Mapping[str, object]) -> Iterator[str]:
        """Yields values in a mapping that the other property cannot have."""
        scope, name = next(iter(self.scopes(key)), ("", key))
        seen = self.sees(scope, name, on)
        if seen is None:
            return
        known = self._values_of(scope, seen)
        if not known:
            return
        for value in mapping:
            if value not in known:
                listed = ", ".join(sorted(known)[:10])
                yield f"property_constraints.{key}.mapping: {on} is never {value!r}; it is one of {listed}"

    def _values_of(self, scope: str, name: str) -> set[str]:
        """Returns the values that rules or sheet list for a property; none if they do not."""
        constraint = self.rules.constraint_of(scope, name)
        if constraint.values:
            return {str(value) for value in constraint.values}
        if constraint.mapping:
            return {str(value) for values in constraint.mapping.values() for value in values}
        for prop in self.everywhere.get(name, ()):
            rule = _rule(prop)
            if isinstance(rule, OneOf) and not rule.open_ended:
                return {str(value) for value in rule.values}
        return set()

    def formulas(self) -> Iterator[str]:
        """Yields formulas that cannot be read, or use missing properties."""
        for key, relationship in self.rules.property_relationships.items():
            place = f"property_relationships.{key}"
            used: Iterable[str] = relationship.depends_on
            if relationship.formula is not None:
                try:
                    used = (*used, *sorted(parse_formula(relationship.formula).names))
                except FormulaError as error:
                    yield f"{place}.formula: {error}"
            for wanted in dict.fromkeys(used):
                if _PRESET.fullmatch(wanted) and wanted not in self.everywhere:
                    continue
                yield from self.not_seen(place, key, wanted)

    # ----------------------------------------------------------------- ranges

    def ranges(self) -> Iterator[str]:
        """Yields ranges beyond the limits of the sheet."""
        yield from self._beyond("value_ranges", self.rules.value_ranges)
        for segment, analysis in self.rules.segment_analysis.items():
            yield from self._beyond(f"segment_analysis.{segment}.property_ranges", analysis.property_ranges)

    def _beyond(self, place: str, ranges: Mapping[str, ValueRange]) -> Iterator[str]:
        for key, found in ranges.items():
            for scope, name in self.deciding(key, ranges):
                prop = self.own.get(scope, self.users if scope == "user" else self.common).get(name)
                rule = _rule(prop) if prop and not (scope == "user" and name in self.common) else None
                if isinstance(rule, Between) and (found.min < rule.min or found.max > rule.max):
                    yield (
                        f"{place}.{key}: {found.min:g} to {found.max:g} is beyond {rule.min:g} to {rule.max:g}, "
                        f"the limits of the sheet{f' for {scope}' if scope else ''}"
                    )
                    break

    # ----------------------------------------------------------------- updates

    def updates(self) -> Iterator[str]:
        """Yields updates of unknown user properties, and references to properties that the event does not have."""
        for event, updates in self.rules.update_patterns.items():
            for name, update in updates.items():
                place = f"update_patterns.{event}.{name}"
                if name not in self.users and name not in self.common:
                    near = self.near(name, [*self.users, *self.common])
                    yield f"{place}: there is no user property or common property {name!r}{near}"
                if event in self.own:
                    yield from self._unfit_references(place, event, name, update)

    def _unfit_references(self, place: str, event: str, changed: str, update: Update) -> Iterator[str]:
        if not isinstance(update.value, str):
            return
        references = REFERENCE.findall(update.value)
        for reference in references:
            name = KEYED.sub(r"\1\3", reference)
            if name == changed and name in self.common and not (update.sets_to(name) and name in self.own[event]):
                yield (
                    f"{place}: every record has the current {name!r}, so {event!r} cannot use the same name for "
                    f"its change; only an event with its own property of that name can, by 'set' or 'set_once'"
                )
            if reference != "#time":
                yield from self.no_property(place, event, name, f"{reference!r} for {{{{{reference}}}}}")
        if references and REFERENCE.sub("", update.value).strip():
            try:
                parse_formula(update.value)
            except FormulaError as error:
                yield f"{place}: {error}"


def _rule(prop: Property) -> object:
    """Returns the sheet's rule for the values of a property."""
    if prop.rule is not None or not prop.constraint.strip():
        return prop.rule
    try:
        return parse_value_rule(prop.constraint, prop.type)
    except ValueRuleError:
        return None
