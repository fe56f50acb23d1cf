"""Whether rules fit their taxonomy and do not contradict themselves; what is wrong is said so that it can be corrected.

`problems` finds everything at once. Rules without problems can be generated from: every name exists, every order can
be kept, every value can be made without needing itself.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

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
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf, ValueRuleError, parse_value_rule
from gamestats_assets.lakehouse.errors import GamestatsError

_REFERENCE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_KEYED = re.compile(r"([^\[\]]+)\[([^\[\]]*)\](.*)")
_PRESET = re.compile(r"#[A-Za-z_]\w*")


class RulesError(GamestatsError):
    """Rules do not fit the taxonomy, or contradict themselves.

    Attributes:
        problems: all that is wrong.
    """

    def __init__(self, taxonomy: str, found: Sequence[str]) -> None:
        lines = "\n".join(f"- {problem}" for problem in found)
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        super().__init__(f"The rules for the taxonomy {taxonomy!r} have {count}; correct them in the rules:\n{lines}")
        self.problems = list(found)


def require_sound(rules: Rules, taxonomy: Taxonomy) -> None:
    """Return if the rules have no problems.

    Raises:
        RulesError: naming every problem.
    """
    if found := problems(rules, taxonomy):
        raise RulesError(taxonomy.name, found)


def problems(rules: Rules, taxonomy: Taxonomy) -> list[str]:
    """Everything that is wrong with rules, each in a sentence; nothing when they are sound."""
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
                check.cycles,
            )
            for problem in part()
        )
    )


def circles(rules: Rules, taxonomy: Taxonomy) -> list[list[str]]:
    """Values that need each other, by circle: `event/name`, or the plain name of the user's and the common ones."""
    return _Check(rules, taxonomy).circles()


class _Check:
    """The parts of the check, each giving its problems."""

    def __init__(self, rules: Rules, taxonomy: Taxonomy) -> None:
        self.rules, self.taxonomy = rules, taxonomy
        self.events = list(taxonomy.event_names())
        self.common = dict(flattened(taxonomy.common_properties))
        self.users = dict(flattened(taxonomy.user_properties))
        self.own = {event.name: dict(flattened(event.properties)) for event in taxonomy.events}

    @cached_property
    def everywhere(self) -> dict[str, list[Property]]:
        """Every property by its dotted name."""
        found: dict[str, list[Property]] = {}
        for properties in (self.common, self.users, *self.own.values()):
            for name, prop in properties.items():
                found.setdefault(name, []).append(prop)
        return found

    def _near(self, name: str, known: Iterable[str]) -> str:
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
        return f"; did you mean {near[0]!r}?" if near else ""

    # ----------------------------------------------------------------- names

    def unknown_events(self) -> Iterator[str]:
        """Events that the taxonomy does not have."""
        for event, place in named_events(self.rules):
            yield from self._no_event(place, event)

    def _no_event(self, place: str, event: str) -> Iterator[str]:
        if event not in self.own:
            yield f"{place}: there is no event {event!r}{self._near(event, self.events)}"

    def _no_property(self, place: str, event: str, name: str, used: str = "") -> Iterator[str]:
        """A property that neither an event nor the common ones have.

        Args:
            used: how the rules write it, where that is more than its name.
        """
        if name not in self.own[event] and name not in self.common:
            near = self._near(name, [*self.own[event], *self.common])
            yield f"{place}: the event {event!r} has no property {used or repr(name)}{near}"

    def _not_seen(self, place: str, key: str, wanted: str) -> Iterator[str]:
        """A property that one of a key cannot use, in the first place where it cannot."""
        for scope, name in self._scopes(key):
            if self._sees(scope, name, _KEYED.sub(r"\1\3", wanted)) is None:
                known = [*self.own.get(scope, {}), *(self.common if scope != "user" else {}), *self.users]
                yield f"{place}: {_where(scope)} no property {wanted!r}{self._near(wanted, known)}"
                return

    def unknown_properties(self) -> Iterator[str]:
        """Properties that the taxonomy does not have, or the event of the key has not."""
        for place, keys in self._keys():
            for key in keys:
                yield from self._unknown_key(place, key)
        for key, relationship in self.rules.property_relationships.items():
            for name in relationship.affects:
                if not self._known_anywhere(name, key):
                    near = self._near(name, self.everywhere)
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
                yield f"{place}: there is no property {name!r}{self._near(name, self.everywhere)}"
        elif event not in self.own:
            yield from self._no_event(f"{place}.{key}", event)
        else:
            yield from self._no_property(f"{place}.{key}", event, name)

    def _known_anywhere(self, name: str, key: str) -> bool:
        parent = key.rpartition("/")[2].rpartition(".")[0]
        own = f"{parent}.{name}" if parent else name
        return name.rpartition("/")[2] in self.everywhere or own in self.everywhere

    def _scopes(self, key: str) -> list[tuple[str, str]]:
        """Where a key holds: events, the common properties (empty) or the user; with the property's name."""
        event, _, name = key.rpartition("/")
        if event:
            return [(event, name)] if event in self.own else []
        found = [(event, name) for event, own in self.own.items() if name in own]
        found += [("", name)] if name in self.common else []
        return found + ([("user", name)] if name in self.users else [])

    def _sees(self, scope: str, own: str, wanted: str) -> str | None:
        """The full name of a property that one in a scope can use; None when it cannot."""
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

    # ----------------------------------------------------------------- the order of events

    def sequences(self) -> Iterator[str]:
        """Sequences whose first step is left to chance, and events that are in a sequence and elsewhere."""
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
                        near = self._near(event, before.events)
                        yield f"{place}: a step follows {event!r}, which is not in the step before{near}"
                for event in step.events:
                    if event in fixed:
                        where = "session_start" if event in constraints.session_start else "session_end"
                        yield f"{place}: {event!r} is in {where} too, so it would not wait for the step before"

    def prerequisites(self) -> Iterator[str]:
        """Prerequisites that form a circle, or can never be met."""
        needs = {
            event: [before for before in befores if before in self.own]
            for event, befores in self.rules.event_constraints.prerequisites.items()
        }
        circles = _cycles({event: set(befores) for event, befores in needs.items()})
        for circle in circles:
            yield f"event_constraints.prerequisites: these events wait for each other: {_path(circle)}"
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

    def _never(self, needs: Mapping[str, Sequence[str]], told: set[str]) -> Iterator[str]:
        """Events that nobody can ever come to, though their prerequisites are no circle."""
        constraints = self.rules.event_constraints
        possible, reached = self._possible(needs)
        for event in needs:
            if event in possible or event in told or event not in self.own or event in constraints.not_of_users:
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
        """Events that users can come to, and the rank of the last stage that they can reach."""
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
        """References of constraints to properties that are not there, and mappings on values that never occur."""
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
                yield from self._not_seen(f"{place}.{what}", key, wanted)
            if constraint.totals:
                yield from self._unsound_totals(key, constraint.totals)
            if constraint.depends_on:
                yield from self._unknown_values(key, constraint.depends_on, constraint.mapping)
            if constraint.once_each and "/" not in key:
                yield f"{place}.once_each: it belongs to the property of one event, such as {self.events[0]}/{key}"
            for recalled in constraint.recalls:
                event, name = recalled_property(recalled, key)
                yield from self._no_event(f"{place}.recalls", event)
                if event in self.own:
                    yield from self._no_property(f"{place}.recalls", event, name)

    def _unsound_totals(self, key: str, totals: TotalRule) -> Iterator[str]:
        """Totals of events that are not there, or of what these do not tell, and objects that are told of in part."""
        place = f"property_constraints.{key}.totals"
        for event in (*totals.adds, *totals.takes, *totals.until):
            yield from self._no_event(place, event)
        for event in (*totals.takes, *totals.until):
            if event in totals.adds:
                yield f"{place}: {event!r} cannot add a thing and take it away"
        for scope, name in self._scopes(key):
            yield from self._unfit_total(place, scope, name, totals)
        for event, formula in totals.adds.items():
            if event in self.own:
                yield from self._unfit_formula(f"{place}.adds.{event}", key, event, formula)

    def _unfit_total(self, place: str, scope: str, name: str, totals: TotalRule) -> Iterator[str]:
        """Where things cannot be summed: outside events, in texts, in objects of which only a part is told."""
        own = self.own.get(scope, {})
        group = name.rpartition(".")[0]
        if name not in own:
            yield f"{place}: {_where(scope)} {name!r}, but only properties of events can be totals"
        elif group and own[group].type is PropertyType.OBJECT_GROUP:
            for child in own[group].properties:
                beside = self.rules.constraint_of(scope, f"{group}.{child.name}").totals
                if beside is None or beside.events != totals.events:
                    yield f"{place}: {group}.{child.name} must be told of the same things, like all of {group!r}"
        elif group or own[name].type is not PropertyType.NUMBER:
            yield f"{place}: {scope}/{name} is no number, nor in a list of objects, so it cannot be a total"

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
                yield from self._no_property(place, event, wanted)
            elif given.type is not PropertyType.NUMBER and not alone:
                yield f"{place}: {wanted!r} is no number"

    def _unknown_values(self, key: str, on: str, mapping: Mapping[str, object]) -> Iterator[str]:
        """A mapping must name values that the other property can have."""
        scope, name = next(iter(self._scopes(key)), ("", key))
        seen = self._sees(scope, name, on)
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
        """Values that a property can have, where the rules or the sheet list them; nothing where they do not."""
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
        """Formulas that cannot be read, or use what is not there."""
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
                yield from self._not_seen(place, key, wanted)

    # ----------------------------------------------------------------- ranges

    def ranges(self) -> Iterator[str]:
        """Ranges that reach beyond what the sheet allows."""
        yield from self._beyond("value_ranges", self.rules.value_ranges)
        for segment, analysis in self.rules.segment_analysis.items():
            yield from self._beyond(f"segment_analysis.{segment}.property_ranges", analysis.property_ranges)

    def _beyond(self, place: str, ranges: Mapping[str, ValueRange]) -> Iterator[str]:
        for key, found in ranges.items():
            for scope, name in self._deciding(key, ranges):
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
        """Updates of what is no property of users, and references to what the event does not have."""
        for event, updates in self.rules.update_patterns.items():
            for name, update in updates.items():
                place = f"update_patterns.{event}.{name}"
                if name not in self.users and name not in self.common:
                    near = self._near(name, [*self.users, *self.common])
                    yield f"{place}: there is no user property or common property {name!r}{near}"
                if event in self.own:
                    yield from self._unfit_references(place, event, name, update)

    def _unfit_references(self, place: str, event: str, changed: str, update: Update) -> Iterator[str]:
        if not isinstance(update.value, str):
            return
        references = _REFERENCE.findall(update.value)
        for reference in references:
            name = _KEYED.sub(r"\1\3", reference)
            if name == changed and name in self.common and not (update.sets_to(name) and name in self.own[event]):
                yield (
                    f"{place}: every record tells {name!r} as it is then, so {event!r} cannot tell by the same name "
                    f"what changes it; only an event with its own property of that name can, by 'set' or 'set_once'"
                )
            if reference != "#time":
                yield from self._no_property(place, event, name, f"{reference!r} for {{{{{reference}}}}}")
        if references and _REFERENCE.sub("", update.value).strip():
            try:
                parse_formula(update.value)
            except FormulaError as error:
                yield f"{place}: {error}"

    # ----------------------------------------------------------------- what needs itself

    def cycles(self) -> Iterator[str]:
        """Values that need each other, through formulas, copies, mappings or the states that events set."""
        for circle in self.circles():
            yield f"These values need each other, so none of them can be made: {_path(_plainly(circle))}"

    def circles(self) -> list[list[str]]:
        """Values that need each other, by circle."""
        return _cycles(self._uses())

    def _uses(self) -> dict[str, set[str]]:
        """By value, those that it needs; `event/name` for an event's, the plain name for the user's and common ones."""
        uses: dict[str, set[str]] = {}
        for key, constraint in self.rules.property_constraints.items():
            wanted = [
                constraint.copy_of or "",
                constraint.depends_on or "",
                constraint.rows_by or "",
                *((constraint.counter.source or "", constraint.counter.group_by or "") if constraint.counter else ()),
            ]
            for scope, name in self._deciding(key, self.rules.property_constraints):
                self._note(uses, scope, name, [source for source in wanted if source])
                for event, formula in (constraint.totals.adds if constraint.totals else {}).items():
                    group = name.rpartition(".")[0]  # a list is made as a whole
                    used = {f"{event}/{n}" if n in self.own.get(event, {}) else n for n in _names_of(formula)}
                    uses.setdefault(f"{scope}/{group or name}", set()).update(used)
                recalled = [recalled_property(told, name) for told in constraint.recalls]
                if scope in self.own and ("/" in key or scope not in {event for event, _ in recalled}):
                    uses.setdefault(f"{scope}/{name}", set()).update(f"{event}/{of}" for event, of in recalled)
        for event, name, teller in self._told_in_flows():
            uses.setdefault(f"{event}/{name}", set()).add(f"{teller}/{name}")
        for key, relationship in self.rules.property_relationships.items():
            for scope, name in self._deciding(key, self.rules.property_relationships):
                self._note(uses, scope, name, [*relationship.depends_on, *_names_of(relationship.formula)])
        for event, updates in self.rules.update_patterns.items():
            for name, update in updates.items():
                if isinstance(update.value, str) and event in self.own:
                    names = [_KEYED.sub(r"\1\3", reference) for reference in _REFERENCE.findall(update.value)]
                    own = [n for n in names if n in self.own[event]]
                    uses.setdefault(name, set()).update(f"{event}/{n}" for n in own)
                    uses[name] |= {n for n in names if n in self.common and n not in self.own[event] and n != name}
        return uses

    def _told_in_flows(self) -> Iterator[tuple[str, str, str]]:
        """Events, with a property, that repeat what an earlier step recalled, and the event of that step."""
        for sequence in self.rules.event_constraints.sequences:
            earlier: list[str] = []
            for step in sequence.steps:
                for teller, event in itertools.product(earlier, step.events):
                    for name in self.own.get(teller, {}).keys() & self.own.get(event, {}).keys():
                        own = self.rules.constraint_of(event, name)
                        of_its_own = bool(own.copy_of or own.first_only or own.counter)
                        recalls = teller != event and self.rules.constraint_of(teller, name).recalls
                        if recalls and not of_its_own and self.rules.repeats(event, name, teller):
                            yield event, name, teller
                earlier += step.events

    def _deciding(self, key: str, table: Mapping[str, object]) -> list[tuple[str, str]]:
        """Where a key holds, without the events for which a more exact one does."""
        return [
            (scope, name)
            for scope, name in self._scopes(key)
            if "/" in key or scope in ("", "user") or f"{scope}/{name}" not in table
        ]

    def _note(self, uses: dict[str, set[str]], scope: str, name: str, wanted: Iterable[str]) -> None:
        node = f"{scope}/{name}" if scope in self.own and name in self.own[scope] else name
        for source in wanted:
            seen = self._sees(scope, name, _KEYED.sub(r"\1\3", source))
            if seen is None:
                continue
            of_event = scope in self.own and seen in self.own[scope]
            uses.setdefault(node, set()).add(f"{scope}/{seen}" if of_event else seen)


def _where(scope: str) -> str:
    if scope == "user":
        return "users have"
    return f"the event {scope!r} has" if scope else "the common properties and users have"


def _rule(prop: Property) -> object:
    """What the sheet says about the values of a property."""
    if prop.rule is not None or not prop.constraint.strip():
        return prop.rule
    try:
        return parse_value_rule(prop.constraint, prop.type)
    except ValueRuleError:
        return None


def _names_of(formula: str | None) -> list[str]:
    try:
        return sorted(parse_formula(formula).names) if formula is not None else []
    except FormulaError:
        return []


def _plainly(circle: Sequence[str]) -> list[str]:
    """Without the event where all of a circle is one event's."""
    events = {name.rpartition("/")[0] for name in circle}
    return [name.rpartition("/")[2] for name in circle] if len(events) == 1 else list(circle)


def _path(circle: Sequence[str]) -> str:
    return " -> ".join([*circle, circle[0]])


def _cycles(needs: Mapping[str, set[str]]) -> list[list[str]]:
    """One circle for each group of things that need each other, beginning with its first in alphabetical order."""
    found: list[list[str]] = []
    told: set[str] = set()
    for start in sorted(needs):
        if start in told:
            continue
        circle = _way_back(start, needs)
        if circle and not told.intersection(circle):
            first = circle.index(min(circle))
            found.append([*circle[first:], *circle[:first]])
        told.update(circle)
    return found


def _way_back(start: str, needs: Mapping[str, set[str]]) -> list[str]:
    """The shortest way from something to itself; nothing when there is none."""
    before: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop(0)
        for wanted in sorted(needs.get(name, ())):
            if wanted == start:
                way = [name]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if wanted not in before:
                before[wanted] = name
                waiting.append(wanted)
    return []
