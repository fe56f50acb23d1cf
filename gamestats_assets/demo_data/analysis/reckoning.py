"""Formulas as rules: where they hold, what they ask of other values, and how far their results reach."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gamestats_assets.demo_data.analysis.changes import before_and_after
from gamestats_assets.demo_data.analysis.equations import Scope, usual_equations
from gamestats_assets.demo_data.analysis.kinds import EventKind
from gamestats_assets.demo_data.analysis.measures import Place, rule_of
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    PropertyConstraint,
    PropertyRelationship,
    Update,
    ValueRange,
)

_GROWS = 10_000
"""How many times as much as at the beginning a state becomes at most."""


@dataclass(frozen=True)
class Reckoned:
    """A formula where it holds.

    Attributes:
        place: whose values it gives.
        formula: names in it are those beside the place; in an object they are the object's own.
        whole: whether only whole numbers come out.
        signed: whether results below zero are meant.
        of_state: whether it follows a state of users, which grows beyond what it begins with.
        why: what it was read from.
        confidence: from 0 to 1.
    """

    place: Place
    formula: str
    whole: bool = True
    signed: bool = False
    of_state: bool = False
    why: str = ""
    confidence: float = 1.0

    @property
    def names(self) -> frozenset[str]:
        """What it uses."""
        return parse_formula(self.formula).names


@dataclass(frozen=True)
class Findings:
    """What numbers follow from, and what that asks of other numbers.

    Attributes:
        updates: by event and property, with those by which events move what they show before and after.
        formulas: of every event, object and user.
        least: lower bounds by key, so that nothing falls below zero.
    """

    updates: dict[str, dict[str, Update]]
    formulas: list[Reckoned] = field(default_factory=list)
    least: dict[str, float] = field(default_factory=dict)

    def constraints(self, values: Mapping[str, PropertyConstraint]) -> dict[str, PropertyConstraint]:
        """Constraints of which what follows from others repeats no earlier step's value."""
        found = dict(values)
        followed = {reckoned.place.key for reckoned in self.formulas}
        for place, formula in ((reckoned.place, reckoned.formula) for reckoned in self.formulas):
            told, plain = found.get(place.key), found.get(place.name)
            if told is None and plain is not None and plain.values and place.of_event:
                found[place.key] = plain.model_copy(update={"values": [], "weights": []})
            if told is None or parse_formula(formula).randoms:
                continue
            # What was told before, by no formula, is not the result of this one.
            sources = {source if "/" in source else f"{source}/{place.name}" for source in told.recalls}
            recalls = told.recalls if sources & followed else []
            if told.same_as_before or recalls != told.recalls:
                found[place.key] = told.model_copy(update={"same_as_before": False, "recalls": recalls})
        return found

    def bounded(
        self, ranges: Mapping[str, ValueRange], values: Mapping[str, PropertyConstraint]
    ) -> dict[str, ValueRange]:
        """Ranges with the bounds that formulas need, those of numbers that go with something as their values are.

        Args:
            values: constraints by key.
        """
        found = dict(ranges)
        for key, least in self.least.items():
            if key in found and found[key].min < least:
                old = found[key]
                high = max(old.max, least * 2)
                mean = max(old.mean if old.mean is not None else (least + high) / 2, least)
                found[key] = ValueRange(min=least, max=high, mean=min(mean, high), integer=old.integer)
        for key in found:
            told = values.get(key, values.get(key.rpartition("/")[2], PropertyConstraint()))
            numbers = [float(v) for of in told.mapping.values() for v in of if isinstance(v, int | float)]
            if numbers:
                whole = all(number.is_integer() for number in numbers)
                found[key] = ValueRange(min=min(numbers), max=max(numbers), integer=whole)
        return found


def formulas(scopes: Mapping[tuple[str, str], Scope], updates: Mapping[str, Mapping[str, Update]]) -> Findings:
    """What numbers follow from.

    Args:
        scopes: where `written` has noted the sheet's words.
        updates: by event and property.
    """
    found = Findings({event: dict(of) for event, of in updates.items()})
    for (event, parent), scope in scopes.items():
        own = {} if parent else found.updates.get(event, {})
        own |= before_and_after(scope, own)
        usual_equations(scope)
        found.formulas.extend(_reckoned(scope))
        for name, least in scope.least.items():
            measure = scope.measure(name)
            if not measure.given or least <= measure.high / 2:
                found.least[scope.own[name].key] = least
    return found


def _reckoned(scope: Scope) -> Iterator[Reckoned]:
    visible, states = scope.visible(), scope.states
    for name, (formula, why, confidence) in scope.found.items():
        place, uses = scope.own[name], parse_formula(formula).names
        if place.kind is EventKind.SYSTEM and "random" in formula and not rule_of(place.prop) and "text" not in why:
            continue
        operands = [scope.measures.get(visible[use]) if use in visible else None for use in uses]
        cut = formula.startswith(("round(", "floor(", "ceil(", "min(round("))
        shares = not scope.measures[place].integer and ("/" in formula or "." in formula)
        smooth = shares or any(operand is not None and not operand.integer for operand in operands)
        yield Reckoned(
            place,
            formula,
            whole=(cut or not smooth) and _is_whole(formula),
            signed=formula.startswith("if("),
            of_state=name in states or bool(uses & {*states.values()}),
            why=why,
            confidence=confidence,
        )


def _is_whole(formula: str) -> bool:
    """Whether only whole numbers come out of whole numbers, tried with a few of them."""
    read = parse_formula(formula)
    rows = np.arange(1, 30, dtype=np.float64)
    values = {name: rows * (place + 2) for place, name in enumerate(sorted(read.names))}
    results = read.evaluate(values, lambda place: (rows * (0.37 + place / 7)) % 1)
    return bool(np.all(np.abs(results - np.rint(results)) < 1e-9))


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


# --------------------------------------------------------------------------- ranges of results


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
    for reckoned in _in_order(found):
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
    formula, ranges = parse_formula(reckoned.formula), _ranges_of(reckoned, known)
    corners = np.array(list(itertools.product(*((r.min, r.max) for r in ranges.values()), (0.0, 1.0))))
    values = dict(zip(ranges, corners.T[:-1], strict=True))
    results = formula.evaluate(values, lambda _: corners.T[-1])
    return float(np.min(results)), float(np.max(results))


def _expected(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> float:
    """Result of what is expected of everything that a formula uses."""
    means = {n: (r.min + r.max) / 2 if r.mean is None else r.mean for n, r in _ranges_of(reckoned, known).items()}
    return float(parse_formula(reckoned.formula).evaluate(means, lambda _: np.array(0.5)))


def _ranges_of(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> dict[str, ValueRange]:
    """Where lies what a formula uses; a run begins in 2026, as ranges tell it."""
    found: dict[str, ValueRange] = {}
    for use in sorted(reckoned.names):
        name = _name_beside(reckoned.place, use)
        keys = (f"{reckoned.place.event}/{name}", name, use)
        one = next((known[key] for key in keys if key in known), ValueRange(min=0, max=100, mean=40))
        found[use] = ValueRange(min=2026, max=2026) if use == "#year" else one
    return found


def _within(value: float, least: float, most: float) -> float:
    """A result that is short enough to read, within bounds."""
    return min(max(round(value, 2), least), most)
