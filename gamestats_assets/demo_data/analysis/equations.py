"""How numbers follow from each other: what texts write, what was before and after, totals, parts, levels.

`data/reference/demo_data/equations.toml` has what a person knows of records: the roles of numbers, the equations
between terms, which of two numbers is the larger one. A formula uses only what stands beside its property: the same
event, the same object, the common properties, the user.
"""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import word_set
from gamestats_assets.demo_data.analysis.kinds import EventKind
from gamestats_assets.demo_data.analysis.measures import (
    USABLE_NAME,
    Measure,
    Place,
    by_parent,
    counts_things,
    label_of,
    ordered_pieces,
    pieces,
    rule_of,
    texts_of,
    units_in,
)
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    PropertyConstraint,
    PropertyRelationship,
    Update,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between, FromEvent, OneOf, Rows, Scalar
from gamestats_assets.settings import shipped


@functools.cache
def knowledge() -> dict[str, Any]:
    """What `equations.toml` says."""
    with shipped("data", "reference", "demo_data", "equations.toml").open("rb") as file:
        return tomllib.load(file)


@functools.cache
def words_of(role: str) -> frozenset[str]:
    """The words that give a number a role."""
    return frozenset(knowledge()["roles"][role]["words"].split())


@functools.cache
def _pattern_of(role: str, where: str) -> re.Pattern[str]:
    return re.compile(knowledge()["roles"][role].get(where, r"(?!)"))


def plays(place: Place, role: str) -> bool:
    """Whether a number's name, label or text gives it a role."""
    named = pieces(place.prop.name) & words_of(role) or _pattern_of(role, "label").search(label_of(place.prop))
    return bool(named or _pattern_of(role, "text").search(texts_of(place.prop)))


def _singular(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in words)


@dataclass(frozen=True)
class Reckoned:
    """A formula where it holds.

    Attributes:
        place: whose values it gives.
        formula: names in it are those beside the place; in an object they are the object's own.
        whole: whether only whole numbers come out.
        signed: whether results below zero are meant.
        of_state: whether it follows a state of users, which grows beyond what it begins with.
        objects: how many objects a list has over which it sums.
        why: what it was read from.
        confidence: from 0 to 1.
    """

    place: Place
    formula: str
    whole: bool = True
    signed: bool = False
    of_state: bool = False
    objects: int = 1
    why: str = ""
    confidence: float = 1.0

    @property
    def names(self) -> frozenset[str]:
        """What it uses."""
        return parse_formula(self.formula).names


class Scope:
    """Numbers that stand together, of an event, an object or a user, and what was found of them.

    Attributes:
        event: its name; empty of common properties, `user` of users.
        said: name, alias and description of the event in small letters.
        own: the numbers by name.
        outer: common numbers that an event can use as well; `users`: numbers of users, likewise.
        others: the properties beside that are no numbers.
        found: formula, what it was read from and how sure that is, by name.
        least: by name, a lower bound that a formula needs of what it uses.
        fixed: by name, the only value.
        values: by name, a constraint that a formula needs.
    """

    def __init__(
        self, event: str, said: str, places: Sequence[Place], measures: Mapping[Place, Measure], closed: frozenset[str]
    ) -> None:
        self.event, self.said, self.measures, self._closed = event, said, measures, closed
        numbers = [place for place in places if place.prop.type is PropertyType.NUMBER]
        self.own = {place.prop.name: place for place in numbers if USABLE_NAME.fullmatch(place.prop.name)}
        self.others = [place for place in places if place.prop.type is not PropertyType.NUMBER]
        self.outer: dict[str, Place] = {}
        self.users: dict[str, Place] = {}
        self.borrowed: frozenset[str] = frozenset()
        self.ends_well = False
        self.found: dict[str, tuple[str, str, float]] = {}
        self.least: dict[str, float] = {}
        self.fixed: dict[str, float] = {}
        self.values: dict[str, PropertyConstraint] = {}

    def measure(self, name: str) -> Measure:
        """What a number of its own measures."""
        return self.measures[self.own[name]]

    def visible(self) -> dict[str, Place]:
        """Everything a formula here can use, by name; what is nearer wins."""
        return {**self.users, **self.outer, **self.own}

    def playing(self, *roles: str) -> list[str]:
        """Names of the numbers that have one of some roles."""
        return [name for name, place in self.own.items() if any(plays(place, role) for role in roles)]

    def is_free(self, name: str, *, said: bool = False) -> bool:
        """Whether a number can follow a formula: the sheet gives it no more than limits, and nothing else decides.

        Args:
            said: whether it is the sheet that says what the number follows from.
        """
        place = self.own[name]
        decided = place.key in self._closed or (place.key in self.borrowed and not said)
        return isinstance(rule_of(place.prop), Between | None) and not decided

    def is_counted(self, name: str) -> bool:
        """Whether a number is a count or a balance."""
        return self.own[name].key in self._closed

    def is_open(self, name: str, *, said: bool = False) -> bool:
        """Whether a number is free and has no formula yet."""
        return self.is_free(name, said=said) and name not in self.found and name not in self.fixed

    def give(self, name: str | None, formula: str, why: str, confidence: float = 0.9, *, said: bool = False) -> bool:
        """Note a formula, if its property is free to follow one; whether it is noted."""
        if name is None or not self.is_open(name, said=said) or self.circular(name, parse_formula(formula).names):
            return False
        self.found[name] = (formula, why, confidence)
        return True

    def circular(self, name: str, uses: frozenset[str]) -> bool:
        """Whether what a formula would use needs its result."""
        return any(
            use == name or (use in self.found and self.circular(name, parse_formula(self.found[use][0]).names))
            for use in uses
        )


@dataclass(frozen=True)
class Findings:
    """What numbers follow from, and what that asks of others.

    Attributes:
        formulas: of every event, object and user.
        values: constraints by key.
        updates: by event and property, with those by which events move what they show before and after.
        least: lower bounds by key, so that nothing falls below zero.
        fixed: the only value, by key.
    """

    updates: dict[str, dict[str, Update]]
    formulas: list[Reckoned] = field(default_factory=list)
    values: dict[str, PropertyConstraint] = field(default_factory=dict)
    least: dict[str, float] = field(default_factory=dict)
    fixed: dict[str, float] = field(default_factory=dict)

    def constraints(self, values: Mapping[str, PropertyConstraint]) -> dict[str, PropertyConstraint]:
        """Constraints with those that formulas need; what follows from others repeats no earlier step's value."""
        found = {**values, **self.values}
        followed = {reckoned.place.key for reckoned in self.formulas}
        for reckoned in self.formulas:
            told, plain = found.get(reckoned.place.key), found.get(reckoned.place.name)
            if told is None and plain is not None and plain.values and reckoned.place.of_event:
                found[reckoned.place.key] = plain.model_copy(update={"values": [], "weights": []})
            if told is None or parse_formula(reckoned.formula).randoms:
                continue
            # What was told before, by no formula, is not the result of this one.
            sources = {source if "/" in source else f"{source}/{reckoned.place.name}" for source in told.recalls}
            recalls = told.recalls if sources & followed else []
            if told.same_as_before or recalls != told.recalls:
                found[reckoned.place.key] = told.model_copy(update={"same_as_before": False, "recalls": recalls})
        return found

    def bounded(self, ranges: Mapping[str, ValueRange]) -> dict[str, ValueRange]:
        """Ranges with the bounds that formulas need, those of numbers with a single value included."""
        found = dict(ranges)
        for key, least in self.least.items():
            if key in found and found[key].min < least:
                old = found[key]
                high = max(old.max, least * 2)
                mean = max(old.mean if old.mean is not None else (least + high) / 2, least)
                found[key] = ValueRange(min=least, max=high, mean=min(mean, high), integer=old.integer)
        for key, constraint in self.values.items():
            numbers = [float(v) for values in constraint.mapping.values() for v in values if not isinstance(v, str)]
            whole = all(number.is_integer() for number in numbers)
            found[key] = ValueRange(min=min(numbers), max=max(numbers), integer=whole)
        found.update({key: ValueRange(min=value, max=value, mean=value) for key, value in self.fixed.items()})
        return found


def number_scopes(
    order: EventOrder,
    everywhere: Sequence[Place],
    measures: Mapping[Place, Measure],
    counted: frozenset[str],
    borrowed: frozenset[str],
) -> dict[tuple[str, str], Scope]:
    """Numbers that stand together, by event and object.

    Args:
        counted: keys of numbers that are counts or balances; these follow no formula.
        borrowed: keys of numbers whose values are listed for another event alone; the sheet's words go before these.
    """
    texts = {event.name: f"{event.name} {event.alias} {event.description}" for event in order.taxonomy.events}
    scopes = {
        (event, parent): Scope(event, texts.get(event, "").lower(), found, measures, counted)
        for (event, parent), found in by_parent(everywhere).items()
    }
    for (event, parent), scope in scopes.items():
        reading = order.readings.get(event)
        scope.borrowed = borrowed
        scope.ends_well = reading is not None and reading.phase in ("complete", "clear", "done", "success")
        if reading is not None and not parent:
            scope.outer, scope.users = (scopes[k, ""].own if (k, "") in scopes else {} for k in ("", "user"))
    return {key: scope for key, scope in scopes.items() if scope.own or scope.others}


def formulas(scopes: Mapping[tuple[str, str], Scope], updates: Mapping[str, Mapping[str, Update]]) -> Findings:
    """What numbers follow from; what is found is noted in the scopes, where `written` has noted the sheet's words."""
    moved, states = moved_states(updates, scopes)
    found = Findings(moved)
    for (event, _), scope in scopes.items():
        shown = {name: state for (of, name), state in states.items() if of == event}
        _before_and_after(scope, shown)
        _sums_of_objects(scope)
        _by_terms(scope)
        _for_each(scope)
        _by_roles(scope)
        _parts_of_wholes(scope)
        _note(found, scope, shown)
        found.formulas.extend(_passes(scope))
    return found


def _note(found: Findings, scope: Scope, states: Mapping[str, str]) -> None:
    """Add what was found in one place.

    Args:
        states: by name of what is after, the state that it shows.
    """
    visible = scope.visible()
    lists = {p.prop.name: rule.count for p in scope.others if isinstance(rule := rule_of(p.prop), Rows)}
    for name, (formula, why, confidence) in scope.found.items():
        place = scope.own[name]
        if place.kind is EventKind.SYSTEM and "random" in formula and not rule_of(place.prop) and "text" not in why:
            continue
        uses = parse_formula(formula).names
        operands = [scope.measures.get(visible[use]) if use in visible else None for use in uses]
        cut = formula.startswith(("round(", "floor(", "ceil(", "min(round("))
        shares = not scope.measures[place].integer and ("/" in formula or "." in formula)
        smooth = shares or any(operand is not None and not operand.integer for operand in operands)
        found.formulas.append(
            Reckoned(
                place,
                formula,
                whole=(cut or not smooth) and _is_whole(formula),
                signed=formula.startswith("if("),
                of_state=name in states or uses <= {*states.values()},
                objects=max((lists.get(use.partition(".")[0], 1) for use in uses), default=1),
                why=why,
                confidence=confidence,
            )
        )
    for name, least in scope.least.items():
        measure = scope.measure(name)
        if not measure.given or least <= measure.high / 2:
            found.least[scope.own[name].key] = least
    found.fixed.update({scope.own[name].key: value for name, value in scope.fixed.items()})
    found.values.update({scope.own[name].key: value for name, value in scope.values.items()})


def _is_whole(formula: str) -> bool:
    """Whether only whole numbers come out of whole numbers, tried with a few of them."""
    read = parse_formula(formula)
    rows = np.arange(1, 30, dtype=np.float64)
    values = {name: rows * (place + 2) for place, name in enumerate(sorted(read.names))}
    results = read.evaluate(values, lambda place: (rows * (0.37 + place / 7)) % 1)
    return bool(np.all(np.abs(results - np.rint(results)) < 1e-9))


# --------------------------------------------------------------------------- equations between terms


def _term(scope: Scope, term: str) -> str | None:
    """Name of the number that a term of the reference data stands for."""
    known = knowledge()["terms"][term]
    without = set(known.get("without", "").split())
    places = list(scope.own) + ([n for n in scope.visible() if n not in scope.own] if known.get("anywhere") else [])
    if measure := known.get("measure"):
        visible = scope.visible()
        found = [n for n in places if visible[n] in scope.measures and scope.measures[visible[n]].name == measure]
        return found[0] if len(found) == 1 else None
    for wanted in (set(need.split()) for need in known["names"]):
        for name in places:
            said = pieces(name)
            fits = said >= wanted and not said & without and (said == wanted or not known.get("exact"))
            if fits and not (known.get("money") and counts_things(name)):
                return name
    return None


def _by_terms(scope: Scope) -> None:
    for known in knowledge()["equations"]:
        name = _term(scope, known["of"])
        if name is None or name not in scope.own or not scope.is_open(name):
            continue
        for template in known["is"]:
            formula = _filled(scope, template, name)
            if formula is not None and scope.give(name, formula, f"usual equation of {known['of']}", 0.75):
                break


def _filled(scope: Scope, template: str, target: str) -> str | None:
    """A template with names in place of its terms; None where one is missing, or two are the same number."""
    used = [target]

    def name_of(match: re.Match[str]) -> str:
        terms = match[1].removesuffix("%").split("|")
        name = next((n for term in terms if (n := _term(scope, term)) and n != target), None)
        if name is None or name in used:
            raise LookupError
        used.append(name)
        place = scope.visible()[name]
        percent = match[1].endswith("%") and scope.measures[place].high > 1
        return f"{name} / 100" if percent else name

    def optional(match: re.Match[str]) -> str:
        try:
            return re.sub(r"\{([^{}]+)\}", name_of, match[1])
        except LookupError:
            return ""

    try:
        # What must be there comes first, so that an optional part takes none of it.
        needed = re.split(r"(\[[^\[\]]*\])", template)
        parts = [part if part.startswith("[") else re.sub(r"\{([^{}]+)\}", name_of, part) for part in needed]
    except LookupError:
        return None
    formula = re.sub(r"\[([^\[\]]*)\]", optional, "".join(parts))
    if share := re.fullmatch(r"share\((.+), (.+)\)", formula):
        ratio = f"min({share[1]} / max({share[2]}, 1), 1)"
        return f"round({ratio} * 100)" if scope.measure(target).high > 1 else ratio
    return formula if len(used) > 1 or not scope.measure(target).given else None


def _sums_of_objects(scope: Scope) -> None:
    """What the sheet calls the sum over a list of objects: `meal_kcal`, the sum of `food_kcal` of its foods."""
    for group in scope.others:
        for child in group.prop.properties if group.prop.type is PropertyType.OBJECT_GROUP else ():
            for name, place in scope.own.items():
                said = re.findall(r"\w+", place.prop.description, re.ASCII)
                if child.type is PropertyType.NUMBER and child.name in said and "sum" in said:
                    scope.give(name, f"{group.prop.name}.{child.name}", "text: a sum over objects", said=True)


def _for_each(scope: Scope) -> None:
    """A total of so much for each of so many: `cookies per episode`, `episodes`, `total cookies`."""
    counts = set(scope.playing("counted"))
    money = {"price", "cost", "amount", "fee", "total", "value"}
    for each in scope.playing("each"):
        said, order = pieces(each), ordered_pieces(each)
        things = {word.rstrip("s") for word in order[order.index("per") + 1 :]} if "per" in said else set[str]()
        counted = [n for n in scope.own if n in counts and n != each]
        counted = [n for n in counted if things & _singular(pieces(n))] or counted
        totals = [n for n in scope.playing("total") if n != each and n not in counts]
        totals = [n for n in totals if (said & pieces(n)) - words_of("counted") or (said & money and pieces(n) & money)]
        if len(counted) == len(totals) == 1:
            scope.give(totals[0], f"{each} * {counted[0]}", "so much for each", 0.85, said=True)
    # What is spent on what the event does several times at once: `use_stone` of a draw, `draw_count`.
    done = set(ordered_pieces(scope.event))
    several = [n for n in counts if pieces(n) - words_of("counted") and pieces(n) - words_of("counted") <= done]
    several = [n for n in several if isinstance(rule_of(scope.own[n].prop), OneOf)]
    spent = [n for n in scope.playing("spent") if n not in counts and not plays(scope.own[n], "before")]
    spent = [n for n in spent if not plays(scope.own[n], "after") and not plays(scope.own[n], "each")]
    if len(several) == 1 and spent and not any(pieces(n) & words_of("each") for n in scope.own):
        measure, most = scope.measure(spent[0]), scope.measure(several[0]).high
        if most > 0 and not measure.given:
            each_costs = max(round(measure.high / most), 1)
            scope.give(spent[0], f"{several[0]} * {each_costs}", "spent on each", 0.6)


def _passes(scope: Scope) -> Iterator[Reckoned]:
    """Whether a score is high enough, where a flag beside it tells that: by what the sheet asks for, or six tenths."""
    flags = [p for p in scope.others if p.prop.type is PropertyType.BOOLEAN]
    flags = [p for p in flags if pieces(p.prop.name) & {"pass", "passed"}]
    if not flags or len(ordered_pieces(flags[0].prop.name)) > 2:
        return
    asked = [n for n in scope.own if pieces(n) & {"pass", "passing", "required", "cutoff", "threshold"}]
    scores = [n for n in scope.own if n not in asked and pieces(n) & {"score", "mark", "marks", "points", "accuracy"}]
    scores = [n for n in scores if not pieces(n) & (words_of("before") | words_of("mean") | words_of("most"))]
    if len(scores) == 1:
        told = scope.measure(scores[0])
        enough = asked[0] if asked else f"{told.low + 0.6 * (told.high - told.low):g}"
        yield Reckoned(flags[0], f"{scores[0]} >= {enough}", why="a score and whether it is enough", confidence=0.8)


# --------------------------------------------------------------------------- which of two is larger


def larger(scope: Scope, name: str, other: str) -> str:
    """At least another number: up to its own limit, or half as much again."""
    measure = scope.measure(name)
    if measure.given or measure.name in ("percent", "ratio"):
        return f"random({other}, {_plain(measure.high)})" if measure.integer else f"random({other}, {measure.high:.2f})"
    grown = f"{other} * random(1.05, 1.8)"
    return f"ceil({grown})" if measure.integer else f"round({grown}, 2)"


def smaller(scope: Scope, name: str, other: str, shares: str = "0.4, 1.0") -> str:
    """At most another number, and mostly not much less."""
    text = f"{other} * random({shares})"
    return f"floor({text})" if scope.measure(name).integer else f"round({text}, 2)"


def little(scope: Scope, name: str, other: str) -> str:
    """A small part of another number."""
    return smaller(scope, name, other, "0.03, 0.25")


def _plain(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value}"


_MAKE = {
    "above": larger,
    "below": smaller,
    "under": lambda scope, name, other: smaller(scope, name, other, "0.5, 0.95"),
    "little": little,
    "streak": lambda _scope, _name, other: f"max(1, floor({other} * random(0.1, 1.0)))",
}


def ordered(scope: Scope, name: str, how: str, other: str) -> str:
    """The formula of a number that lies above or below another.

    Args:
        how: one of the words that `equations.toml` has for it.
    """
    return _MAKE[how](scope, name, other)


def _thing(name: str, *roles: str) -> frozenset[str]:
    """What a number is of: its words without those of roles, and without `count` or `amount`."""
    without = frozenset[str]().union(*(words_of(role) for role in roles), words_of("counted"), {"amount"})
    return _singular(pieces(name) - without)


def _by_roles(scope: Scope) -> None:
    for known in knowledge()["relations"]:
        of, by = known["of"], known["by"]
        targets = [n for n in scope.playing(of) if not plays(scope.own[n], by)]
        others = [n for n in scope.playing(by) if of == "any" or not plays(scope.own[n], of)]
        for name in targets:
            thing = _thing(name, of)
            alike = [o for o in others if known.get("any_thing") or _thing(o, by) == thing]
            alike = alike or [o for o in others if known.get("some_words") and thing < _thing(o, by)]
            if len(alike) == 1 and scope.measure(name).name not in ("seconds", "version", "id"):
                formula = ordered(scope, name, known["is"], alike[0])
                scope.give(name, formula, f"{name} and {alike[0]} are of one thing", 0.8)


def _parts_of_wholes(scope: Scope) -> None:
    """A part is no more than the whole; what is done to its end has all of its progress."""
    for whole in [n for n in scope.playing("whole") if not _part_words(n)]:
        parts = [n for n in scope.own if n != whole and _part_words(n) and not pieces(n) & words_of("whole")]
        rest = [n for n in scope.playing("rest") if n != whole and _thing(n, "rest") == _thing(whole, "whole")]
        parts = [n for n in parts if _singular(_thing(n, "whole") - _part_words(n)) == _thing(whole, "whole")]
        parts = [n for n in parts if scope.measure(n).name not in ("percent", "ratio")]
        good = [n for n in parts if not pieces(n) & words_of("bad_part")]
        why = f"a part of {whole}"
        for name in good[:1]:
            all_done = scope.ends_well and _is_progress(name, scope.event)
            scope.give(name, whole if all_done else smaller(scope, name, whole), why, 0.8)
            _progress_of(scope, name, whole)
        for name in [*[n for n in parts if n not in good][:1], *rest[:1]]:
            how = little if name in parts else smaller
            scope.give(name, f"{whole} - {good[0]}" if len(good) == 1 else how(scope, name, whole), why, 0.8)
    for name, place in scope.own.items() if scope.ends_well else ():
        if _is_share(scope, name) and scope.is_open(name) and plays(place, "progress"):
            scope.fixed[name] = min(100.0 if is_percent(place, scope.measures) else 1.0, scope.measure(name).high)


def _part_words(name: str) -> frozenset[str]:
    """What tells which part it is: `printed` of `printed_pages`."""
    return frozenset(w for w in pieces(name) if w in words_of("part") or (w.endswith("ed") and len(w) > 4))


def _is_progress(name: str, event: str) -> bool:
    """Whether a part is all there once the event is: what was read, or what the event itself does."""
    done = {word.removesuffix("ed") for word in _part_words(name)}
    known = {"read", "watch", "view", "play", "complet", "done", "finish"}
    return bool(done & known) or any(word.startswith(tuple(done)) for word in pieces(event))


def _is_share(scope: Scope, name: str) -> bool:
    return scope.measure(name).name in ("percent", "ratio") or is_percent(scope.own[name], scope.measures)


def _progress_of(scope: Scope, part: str, whole: str) -> None:
    """How far one is, as a share of the whole."""
    for name, place in scope.own.items():
        same = pieces(name) & pieces(part) & words_of("part")
        if name not in (part, whole) and _is_share(scope, name) and (same or plays(place, "progress")):
            ratio = f"{part} / max({whole}, 1)"
            percent = is_percent(place, scope.measures)
            formula = f"min(round({ratio} * 100), 100)" if percent else f"min({ratio}, 1)"
            scope.give(name, formula, f"{part} of {whole}", 0.8)


_MONEY = word_set("amount fee price cost paid value total revenue premium income")


def is_percent(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a percentage, 15 being 15 %."""
    said, found, texts = pieces(place.prop.name), measures[place], texts_of(place.prop)
    if said & {"pct", "percent", "percentage"} or found.name in ("percent", "discount_percent"):
        return found.high > 1
    if said & _MONEY:
        return False
    if "percent" in units_in(texts):
        return True
    if found.name == "interest":
        return found.high > 1 and bool(said & {"rate", "apr", "apy"})
    return found.name == "ratio" and 1 < found.high <= 100 and (not found.given or "rate" in said)


# --------------------------------------------------------------------------- before and after

Term = tuple[str, str]
"""Sign and name of what made a difference."""
_GROWING = ("level", "star", "stage", "vip", "step")
_FEW = ("other", "quantity", "times", "total_count")
_EXCHANGED = word_set("redeem redeemed use used uses exchange exchanged apply applied voucher coupon ticket")


def _pairs(scope: Scope) -> list[tuple[frozenset[str], str | None, str | None]]:
    """What is before and after, with the words that they share."""
    by_stem: dict[frozenset[str], dict[str, str]] = {}
    before, after = words_of("before"), words_of("after")
    for name in scope.own:
        said = pieces(name)
        side = "before" if said & before else "after" if said & after else "plain"
        by_stem.setdefault(said - before - after, {}).setdefault(side, name)
    return [
        (stem, sides.get("before"), sides.get("after") or (sides.get("plain") if "before" in sides else None))
        for stem, sides in by_stem.items()
    ]


def _before_and_after(scope: Scope, states: Mapping[str, str]) -> None:
    """Formulas of what was before and what is after.

    Args:
        states: by name of what is after, the state of users that the event changes.
    """
    for stem, before, after in _pairs(scope):
        if after is None or not stem:
            continue
        terms = _terms(scope, stem, {after, before or after})
        state = states.get(after)
        terms = terms or (_one_by_one(scope, stem, after) if state is not None else [])
        why = f"{before} and {after}"
        if state is not None and terms:
            scope.give(before, state, f"{state} as it stood", 0.85)
            scope.give(after, _moved(state, terms, floor=True), f"{state} and what the event moves", 0.85)
        elif before is None:
            continue
        elif terms:
            most = _signed(scope, terms)
            if most is None and all(sign == "-" for sign, _ in terms):
                most = max((scope.measure(name).high for _, name in terms if name in scope.own), default=0.0)
            if most is not None:
                scope.least[before] = most
            scope.give(after, _moved(before, terms, floor=False), why, 0.85)
        else:
            _without_amount(scope, stem, before, after)


def _moved(start: str, terms: Sequence[Term], *, floor: bool) -> str:
    text = start + "".join(f" {sign} {name}" for sign, name in terms)
    return f"max({text}, 0)" if floor and any(sign == "-" for sign, _ in terms) else text


def _terms(scope: Scope, stem: frozenset[str], pair: set[str]) -> list[Term]:
    """Every number that was added or taken away."""
    around = _sign(" ".join(label_of(scope.own[name].prop) for name in sorted(pair))) or event_sign(scope, stem)
    known: dict[str, list[Term]] = {"signed": [], "plain": [], "part": [], "only": []}
    ways = words_of("amount") | words_of("moved")
    for name, place in scope.own.items():
        said = pieces(name)
        if name in pair or said & (words_of("before") | words_of("after") | (words_of("no_change") - stem)):
            continue
        sign = _own_sign(place)
        about, generic = bool(_singular(said) & _singular(stem)), bool(said & ways)
        if sign == "±" and (about or not stem - words_of("amount") or generic):
            known["plain"].append((around or "+", name))
        elif sign in ("+", "-") and (about or generic):
            known["signed"].append((sign, name))
        elif sign is None and about and around:
            known["part"].append((around, name))
        elif sign is None and generic:
            known["plain" if said <= words_of("amount") | stem else "only"].append((around or "+", name))
    signed, totals = known["signed"], [term for term in known["signed"] if "total" in pieces(term[1])]
    if signed and around:
        signed = [term for term in signed if term[0] == around] or signed  # what the event is about decides
    if signed and all(sign == around for sign, _ in signed):
        signed = sorted([*known["part"], *signed], key=lambda term: list(scope.own).index(term[1]))
    only = known["only"] if len(known["only"]) == 1 else []
    return totals[:1] or signed or known["plain"][:1] or known["part"][:1] or only


def _sign(label: str, words: frozenset[str] = frozenset()) -> str:
    """Whether words, or a label such as `付与後のジェム`, tell a gain or a loss; empty where they tell neither."""
    gains = bool(words & words_of("gain") or _pattern_of("gain", "label").search(label))
    losses = bool(words & words_of("loss") or _pattern_of("loss", "label").search(label))
    return "" if gains == losses else "+" if gains else "-"


def _own_sign(place: Place) -> str | None:
    """Whether a number was added, taken away, or either (`±`); None where neither is said."""
    if plays(place, "moved"):
        return "±"
    return "-" if plays(place, "loss") else "+" if plays(place, "gain") or plays(place, "bought") else None


def event_sign(scope: Scope, stem: frozenset[str] = frozenset()) -> str:
    """Whether an event adds or takes away; empty where it says neither, or both.

    Args:
        stem: what is moved; who redeems a voucher has more credit.
    """
    words, text = frozenset(ordered_pieces(scope.event)), frozenset(re.findall(r"[a-z]+", scope.said))
    if stem and words & _EXCHANGED and not _singular(words | text) & _singular(stem):
        return "+"
    for said in (words, text):
        if sign := _sign("" if said is words else scope.said, said):
            return sign
    return ""


def _signed(scope: Scope, terms: Sequence[Term]) -> float | None:
    """The most that can be lost where what is beside tells gains from losses; the change then has its sign."""
    name = terms[0][1]
    if len(terms) != 1 or _own_sign(scope.own[name]) != "±" or not scope.is_open(name):
        return None
    measure = scope.measure(name)
    if measure.given and measure.low >= 0:
        return None  # the sheet has it without a sign
    for other in scope.others:
        if signs := _gains_and_losses(other):
            amounts = _amounts(measure)
            mapping: dict[str, list[Scalar]] = {
                value: [-a if sign == "-" else a for a in amounts] for value, sign in signs.items()
            }
            scope.values[name] = PropertyConstraint(depends_on=other.prop.name, mapping=mapping)
            return float(max(amounts))
        if other.prop.type is PropertyType.BOOLEAN and pieces(other.prop.name) & {"win", "won", "success", "victory"}:
            high = max(round(measure.high if measure.given else measure.high / 10), 1)
            scope.give(name, f"if({other.prop.name}, 1, -1) * random(1-{high})", f"{other.prop.name} gives the sign")
            return float(high)
    return None


def _gains_and_losses(place: Place) -> dict[str, str]:
    """The sign of each value of a text that tells gains from losses; nothing where it tells neither."""
    rule = rule_of(place.prop)
    if place.prop.type is not PropertyType.STRING or not isinstance(rule, OneOf):
        return {}
    signs = {value: _sign(value, pieces(re.sub(r"\W+", "_", value))) for value in map(str, rule.values)}
    return {value: sign or "+" for value, sign in signs.items()} if {"+", "-"} <= set(signs.values()) else {}


def _amounts(measure: Measure) -> list[int | float]:
    """Usual amounts up to the typical one and some above it."""
    top = min(measure.high, measure.typical * 2) or 100
    found = [a * 10**power for power in range(9) for a in (1, 2, 3, 5, 8)]
    return [a for a in found if max(measure.low, top / 50, 1) <= a <= top] or [round(top, 2)]


def _one_by_one(scope: Scope, stem: frozenset[str], after: str) -> list[Term]:
    """A single one that an event adds or takes away; nothing where it may be many."""
    sign = event_sign(scope, stem)
    one = re.search(r"\b(?:a|an|one|1)\b|하나|1개|1つ|一つ", scope.said)
    return [(sign, "1")] if sign and (one or scope.measure(after).name in _FEW) else []


def _without_amount(scope: Scope, stem: frozenset[str], before: str, after: str) -> None:
    """A pair without a number that tells the difference."""
    measure, sign = scope.measure(after), event_sign(scope, stem)
    grades = re.search(r"rank[ _]?up|promot|ランクアップ|승급|승격|昇格", scope.said)
    why = f"{before} and {after}"
    if scope.is_counted(after):
        scope.give(before, f"max({after} - 1, 0)" if measure.low < 1 else f"{after} - 1", why)
    elif measure.name in _GROWING or (measure.name == "rank" and grades):
        scope.give(before, f"{after} - 1", why)
    elif measure.name == "rank":
        scope.give(after, f"max(1, {before} - random(0-5))", why, 0.5)
    elif measure.name == "weight":
        scope.give(after, f"{before} - random(0.0, 0.5)", why, 0.5)
    elif _one_by_one(scope, stem, after):
        if sign == "-":
            scope.least[before] = 1
        scope.give(after, f"{before} {sign} 1", why, 0.7)
    elif sign == "-":
        scope.give(after, f"{before} - floor({before} * random(0.05, 0.4))", why, 0.5)
    else:
        scope.give(after, f"{before} + random(0-30)", why, 0.4)


def moved_states(
    updates: Mapping[str, Mapping[str, Update]], scopes: Mapping[tuple[str, str], Scope]
) -> tuple[dict[str, dict[str, Update]], dict[tuple[str, str], str]]:
    """Updates by which events move the states that they show before and after; and by event and name the state."""
    found = {event: dict(of) for event, of in updates.items()}
    states: dict[tuple[str, str], str] = {}
    for (event, parent), scope in scopes.items():
        for stem, before, after in _pairs(scope) if event not in ("", "user") and not parent else ():
            if after is None or not pieces(after) & words_of("after") or not stem - words_of("amount"):
                continue
            state = _state(scope, stem)
            terms = _terms(scope, stem, {after, before or after}) or _one_by_one(scope, stem, after)
            if state is None or not terms or _mixed(scope, terms) or not scope.is_free(after):
                continue
            value = 1 if terms[0][1] == "1" else " + ".join(f"{{{{{name}}}}}" for _, name in terms)
            kind = "increment" if terms[0][0] == "+" else "decrement"
            found.setdefault(event, {})[state] = Update(type=kind, value=value)
            states[event, after] = state
    return found, states


def _mixed(scope: Scope, terms: Sequence[Term]) -> bool:
    """Whether a difference may be of either sign."""
    name = terms[0][1]
    either = name in scope.own and _own_sign(scope.own[name]) == "±" and not event_sign(scope)
    return len({sign for sign, _ in terms}) > 1 or either


def _state(scope: Scope, stem: frozenset[str]) -> str | None:
    """The state that an event changes: of the user rather than a common property."""
    wanted = _singular(stem)
    for numbers in (scope.users, scope.outer):
        near: list[str] = []
        for name, place in numbers.items():
            said = _singular(pieces(name) - words_of("state"))
            texts = _pattern_of("tally", "text").search(texts_of(place.prop))
            if isinstance(place.prop.rule, FromEvent) or texts or said & (_singular(words_of("tally")) - wanted):
                continue
            if said == wanted:
                return name
            if wanted < said and len(said) == len(wanted) + 1:
                near.append(name)
        if near:
            return near[0] if len(near) == 1 else None
    return None


# --------------------------------------------------------------------------- as rules


def relationships(found: Sequence[Reckoned], everywhere: Sequence[Place]) -> dict[str, PropertyRelationship]:
    """Formulas as rules: under the plain name where every place of the property follows the same one."""
    by_name: dict[str, list[Reckoned]] = {}
    for reckoned in found:
        by_name.setdefault(reckoned.place.name, []).append(reckoned)
    rules: dict[str, PropertyRelationship] = {}
    affects: dict[str, set[str]] = {}
    for name, several in by_name.items():
        places = sum(place.name == name for place in everywhere)
        everyone = len({reckoned.formula for reckoned in several}) == 1 and len(several) == places
        # A plain name holds for everybody; where it may not, only events can have a formula of their own.
        for reckoned in several[:1] if everyone else [r for r in several if r.place.of_event]:
            uses = sorted(reckoned.names)
            key = name if everyone else reckoned.place.key
            rules[key] = PropertyRelationship(depends_on=uses, formula=reckoned.formula)
            for use in uses:
                affects.setdefault(_name_beside(reckoned.place, use), set()).add(name)
    for name, told in affects.items():
        if name in rules or any(place.name == name for place in everywhere):
            known = rules.get(name, PropertyRelationship())
            rules[name] = known.model_copy(update={"affects": sorted(told)})
    return rules


_GROWS = 10_000
"""How many times as much as at the beginning a state becomes at most."""


def reckoned_ranges(
    found: Sequence[Reckoned],
    overall: Mapping[str, ValueRange],
    segments: Mapping[str, Mapping[str, ValueRange]],
    limits: Mapping[str, tuple[float, float]],
) -> tuple[dict[str, ValueRange], dict[str, dict[str, ValueRange]]]:
    """Where results lie, overall and by segment: as far as what the formulas use reaches, within the sheet's limits.

    A formula whose results all lie beyond the limits has no range: it is none of this number's.

    Args:
        overall: ranges by key, of everything that formulas use.
        segments: likewise by segment.
        limits: of the sheet, by key.
    """
    of_all: dict[str, ValueRange] = {}
    of_each: dict[str, dict[str, ValueRange]] = {segment: {} for segment in SEGMENTS}
    for reckoned in _in_order([told for told in found if told.place.prop.type is not PropertyType.BOOLEAN]):
        key = reckoned.place.key
        low, high = _extent(reckoned, {**overall, **of_all})
        high = high * _GROWS if reckoned.of_state else high
        least, most = limits.get(key, (-np.inf if reckoned.signed else 0.0, np.inf))
        if low > most or high < least:
            continue
        low, high = _within(low, least, most), _within(high, least, most)
        whole = reckoned.whole and low.is_integer() and high.is_integer()
        for known, into in ((overall, of_all), *((segments[s], of_each[s]) for s in SEGMENTS)):
            mean = _within(_expected(reckoned, {**known, **into}), low, high)
            into[key] = ValueRange(min=low, max=high, mean=mean, integer=whole)
    return of_all, of_each


def _in_order(found: Sequence[Reckoned]) -> list[Reckoned]:
    """What others use first."""
    waiting, placed = list(found), list[Reckoned]()
    while waiting:
        names = {(r.place.event, r.place.name) for r in waiting}
        ready = [r for r in waiting if not any((r.place.event, _name_beside(r.place, use)) in names for use in r.names)]
        placed += ready or waiting
        waiting = [r for r in waiting if r not in placed]
    return placed


def _name_beside(place: Place, use: str) -> str:
    return f"{place.parent}.{use}" if place.parent else use


def _extent(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> tuple[float, float]:
    """Lowest and highest result."""
    formula = parse_formula(reckoned.formula)
    ranges = _ranges_of(reckoned, known)
    corners = np.array(list(itertools.product(*((r.min, r.max) for r in ranges.values()), (0.0, 1.0))))
    values = dict(zip(ranges, corners.T[:-1], strict=True))
    results = formula.evaluate(values, lambda _: corners.T[-1])
    return float(np.min(results)), float(np.max(results))


def _expected(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> float:
    """Result of what is expected of everything that a formula uses."""
    means = {n: (r.min + r.max) / 2 if r.mean is None else r.mean for n, r in _ranges_of(reckoned, known).items()}
    return float(parse_formula(reckoned.formula).evaluate(means, lambda _: np.array(0.5)))


def _ranges_of(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> dict[str, ValueRange]:
    """Where lies what a formula uses, all objects of a list together; a run begins in 2026, as ranges tell it."""
    found: dict[str, ValueRange] = {"#year": ValueRange(min=2026, max=2026)}
    for use in reckoned.names - {"#year"}:
        name = _name_beside(reckoned.place, use)
        keys = (f"{reckoned.place.event}/{name}", name, use)
        one = next((known[key] for key in keys if key in known), ValueRange(min=0, max=100, mean=40))
        times = reckoned.objects if "." in use else 1
        mean = None if one.mean is None else one.mean * times
        found[use] = ValueRange(min=one.min * times, max=one.max * times, mean=mean, integer=one.integer)
    return {use: found[use] for use in sorted(reckoned.names)}


def _within(value: float, least: float, most: float) -> float:
    """A result that is short enough to read, within bounds."""
    return min(max(round(value, 2), least), most)
