"""Deviations of produced data from their rules, and rules that correct them.

Logs do not show segments, so only totals over all segments are compared. If segments want different values of a
property, anything between these is as wanted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from gamestats_assets.demo_data.findings.accounts import label
from gamestats_assets.demo_data.findings.measured import Funnel, Measured, Moments, Violations
from gamestats_assets.demo_data.rules.configuration import Configuration, ConversionTruth, ExperimentTruth
from gamestats_assets.demo_data.rules.model import (
    EventSequence,
    LifecycleStage,
    PropertyConstraint,
    Rules,
    ValueRange,
    holding,
)
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy, flattened

FEWEST = 30
"""Fewest observations that are compared."""
LEAST_DISTANCE = 0.005
"""Smaller distances are ignored."""
_MOST_LINES = 40
CHANCE = 3.0
"""Number of standard errors that count as chance."""
_UNEQUAL = 3.0
"""Factor by which values that users keep count for fewer: some users are active far more often than others."""
_OF_USERS = re.compile(
    r"#?(country|nation|region_code|carrier|telecom|(system_)?lang|locale|time_?zone|(platform_)?os(_|$)|device|"
    r"manufacturer|(app|client)_version)",
    re.IGNORECASE,
)
"""Texts that the configuration decides, by a user's country and device."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A difference between the rules and the data.

    Attributes:
        kind: `mean` or `spread` of a number, `share` of a value, `step` of a sequence, `frequency`
            or `order` of events.
        where: the key of the rule: `price`, `purchase/price`, the sequence's name, or the event.
        part: the value that the share is of, the number of the step (from 0), the base of a frequency (`chosen`: a
            share of all free choices that are always open; `sessions`: number per session), or the rule that the order
            breaks.
        wanted, found: the figures of the rules and of the data.
        distance: 0 if as wanted or by chance; for means and spreads the difference as a share of the range's width, for
            everything else the difference of two shares, without what chance explains.
    """

    kind: Literal["mean", "spread", "share", "step", "frequency", "order"]
    where: str
    part: str
    wanted: float
    found: float
    distance: float

    def line(self) -> str:
        """Returns the deviation as a sentence."""
        wanted, found = f"{self.wanted:.4g}", f"{self.found:.4g}"
        match self.kind:
            case "mean":
                off = f" ({self.distance:.1%} of the range's width off)"
                return f"The mean of {self.where} should be {wanted} and is {found}{off}."
            case "spread":
                return f"The standard deviation of {self.where} should be {wanted} and is {found}."
            case "share":
                return f"{self.where} should be {self.part!r} in {self.wanted:.1%} of cases and is in {self.found:.1%}."
            case "step":
                number = int(self.part) + 1
                should, does = (f"follow step {number - 1}", "does") if number > 1 else ("be repeated", "is")
                return (
                    f"In the sequence {self.where}, step {number} should {should} in {self.wanted:.1%} of cases and "
                    f"{does} in {self.found:.1%}."
                )
            case "frequency" if self.part == "chosen":
                return (
                    f"Of users' free choices, {self.where} should be {self.wanted:.1%} and is {self.found:.1%}: "
                    "see its event_probabilities."
                )
            case "frequency":
                return f"A session should have {wanted} of {self.where} on average and has {found}."
            case "order":
                return f"{self.found:.1%} of the events {self.where} break their rule: {self.part}."


@dataclass(frozen=True, slots=True)
class Deviations:
    """All deviations that were compared.

    Attributes:
        list: largest distance first.
        distance: root mean square of all distances; of the values of one property only the largest counts. 0 is as
            wanted; 0.01 is one hundredth of the range, or one percentage point, on average.
    """

    list: Sequence[Deviation]
    distance: float

    def lines(self) -> list[str]:
        """Returns the relevant deviations as sentences, the largest first."""
        return [found.line() for found in self.list if found.distance >= LEAST_DISTANCE][:_MOST_LINES]


def deviations(measured: Measured, rules: Rules, taxonomy: Taxonomy) -> Deviations:
    """Compares measurements with rules: means, given spreads, shares of listed values, steps, frequencies of events
    that are always open, and order.

    Not compared are figures that other things decide: numbers that follow from others or are counted, states that
    events change, texts by country and device, steps with a planted truth, and steps tied to the fixed start or end of
    a session. To see whether corrected rules help, compare both runs with the original rules.
    """
    kept = {found.name for found in (*taxonomy.common_properties, *taxonomy.user_properties)}
    found = [*_numbers(measured, rules, kept), *_shares(measured, rules, taxonomy, kept)]
    found += [*_steps(measured, rules), *_frequencies(measured, rules, taxonomy), *_orders(measured, rules)]
    found.sort(key=lambda one: (-one.distance, one.kind, one.where, one.part))
    return Deviations(found, _distance(found))


def _off(wanted: float, found: float, error: float) -> float:
    return max(abs(found - wanted) - CHANCE * error, 0.0)


def _independent(n: int, where: str, measured: Measured, kept: Set[str]) -> float:
    """Returns the number of independent values."""
    return min(n, measured.users) / _UNEQUAL if where.rpartition("/")[2] in kept else n


def _distance(found: Sequence[Deviation]) -> float:
    def place(one: Deviation) -> tuple[str, str, str]:
        return one.kind, one.where, "" if one.kind == "share" else one.part

    worst = [max(one.distance for one in of_place) for _, of_place in groupby(sorted(found, key=place), place)]
    return math.sqrt(sum(distance**2 for distance in worst) / len(worst)) if worst else 0.0


# --------------------------------------------------------------------------- numbers


def _rule_of(rules: Mapping[str, Any], event: str, name: str) -> str | None:
    """Returns the deciding key: the event's own, or the general one."""
    return next((key for key in (f"{event}/{name}", name) if key in rules), None)


def _is_drawn(rules: Rules, event: str, name: str) -> bool:
    """Whether a number is drawn from its range, rather than following from something else."""
    constraint = rules.constraint_of(event, name)
    if constraint.copy_of or constraint.counter or constraint.mapping or constraint.values or constraint.elapsed:
        return False
    if constraint.same_as_before or constraint.recalls or constraint.totals:
        return False
    followed = holding(rules.property_relationships, event, name)
    if followed and followed.formula:
        return False
    if _is_state(rules, name):
        return False
    # The length of a session does not come from a range.
    return not (event in rules.event_constraints.session_end and "duration" in name)


def _is_state(rules: Rules, name: str) -> bool:
    """Whether events change a property."""
    return any(name in updates for updates in rules.update_patterns.values())


def _numbers(measured: Measured, rules: Rules, kept: Set[str]) -> Iterator[Deviation]:
    segments = [analysis.property_ranges for analysis in measured.configuration.analyses(rules).values()]
    pooled: dict[tuple[str, tuple[ValueRange, ...]], Moments] = {}
    for key, moments in measured.numbers.items():
        event, _, name = key.partition("/")
        if not _is_drawn(rules, event, name):
            continue
        ranges = [_range(own, rules, event, name) for own in segments]
        if None in ranges:
            continue
        everywhere = [rules.value_ranges, *segments]
        where = key if any(key in found for found in everywhere) else name
        place = where, tuple(found for found in ranges if found)
        pooled[place] = pooled[place].with_others(moments) if place in pooled else moments
    for (where, ranges), moments in pooled.items():
        if moments.n >= FEWEST:
            yield from _of_range(where, ranges, moments, _independent(moments.n, where, measured, kept))


def _range(own: Mapping[str, ValueRange], rules: Rules, event: str, name: str) -> ValueRange | None:
    return holding(own, event, name) or holding(rules.value_ranges, event, name)


def _mean(wanted: ValueRange) -> float:
    return (wanted.min + wanted.max) / 2 if wanted.mean is None else wanted.mean


def _of_range(where: str, ranges: Sequence[ValueRange], moments: Moments, n: float) -> Iterator[Deviation]:
    width = max(found.max for found in ranges) - min(found.min for found in ranges) or 1.0
    means = [_mean(found) for found in ranges]
    wanted = min(max(moments.mean, min(means)), max(means))
    error = moments.sd / math.sqrt(n)
    yield Deviation("mean", where, "", wanted, moments.mean, _off(wanted, moments.mean, error) / width)
    spread = ranges[0].spread
    if spread is not None and len(set(ranges)) == 1:
        yield Deviation("spread", where, "", spread, moments.sd, _off(spread, moments.sd, error) / width)


# --------------------------------------------------------------------------- shares


def _shares(measured: Measured, rules: Rules, taxonomy: Taxonomy, kept: Set[str]) -> Iterator[Deviation]:
    booleans = _booleans(taxonomy)
    pooled: dict[str, dict[str, int]] = {}
    for key, counts in measured.choices.items():
        event, _, name = key.partition("/")
        where = _rule_of(rules.property_constraints, event, name)
        if where is None or not _is_chosen(rules, event, name):
            continue
        of_rule = pooled.setdefault(where, {})
        written = {_truth(value): value for value in map(label, rules.property_constraints[where].values)}
        for value, count in counts.items():
            value = written.get(value, value) if name in booleans else value
            of_rule[value] = of_rule.get(value, 0) + count
    for where, counts in pooled.items():
        n = sum(counts.values())
        if n < FEWEST:
            continue
        constraint = rules.property_constraints[where]
        wanted, independent = _wanted_shares(constraint), _independent(n, where, measured, kept)
        if constraint.per_user:
            independent = min(independent, measured.users / _UNEQUAL)
        for value in {*wanted, *counts}:
            share, found = wanted.get(value, 0.0), counts.get(value, 0) / n
            distance = _off(share, found, math.sqrt(share * (1 - share) / independent))
            yield Deviation("share", where, value, share, found, distance)


def _booleans(taxonomy: Taxonomy) -> set[str]:
    """Returns the dotted names of the properties that are true or false."""
    each = (taxonomy.common_properties, taxonomy.user_properties, *(event.properties for event in taxonomy.events))
    return {name for group in each for name, found in flattened(group) if found.type is PropertyType.BOOLEAN}


def _truth(written: str) -> str:
    """Returns `true` or `false` for a text that means it."""
    return str(written.strip().lower() in ("y", "yes", "true", "1", "예")).lower()


def _is_chosen(rules: Rules, event: str, name: str) -> bool:
    """Whether a property's values are chosen by their weights."""
    found = rules.constraint_of(event, name)
    if not found.values or found.copy_of or found.first_only or found.counter or found.mapping or found.recalls:
        return False
    return not (_is_state(rules, name) or _OF_USERS.match(name))


def _wanted_shares(constraint: PropertyConstraint) -> dict[str, float]:
    weights = constraint.weights or [1.0] * len(constraint.values)
    found: dict[str, float] = {}
    for value, weight in zip(constraint.values, weights, strict=True):
        found[label(value)] = found.get(label(value), 0.0) + weight / sum(weights)
    return found


# --------------------------------------------------------------------------- sequences


def _steps(measured: Measured, rules: Rules) -> Iterator[Deviation]:
    constraints = rules.event_constraints
    fixed = {*constraints.session_start, *constraints.session_end}
    funnels = {funnel.name: funnel for funnel in measured.funnels}
    for sequence in constraints.sequences:
        funnel = funnels.get(sequence.name)
        if funnel is None or set(funnel.step_numbers) != set(range(len(sequence.steps))):
            continue  # measured with other rules
        planted = _planted(sequence, measured.configuration)
        others = {e for other in constraints.sequences if other is not sequence for s in other.steps for e in s.events}
        for number, step in enumerate(sequence.steps):
            before = sequence.steps[max(number - 1, 0)]
            if others & {*step.events, *before.events}:
                break  # The log does not show the sequence of such an event.
            tried, went = _tried(funnel, number)
            if tried < FEWEST or number in planted or fixed & {*step.events, *before.events}:
                continue
            found, wanted = went / tried, step.probability
            # A step whose record was lost is not seen.
            seen = min(max(found, wanted * (1 - measured.dirt.lost_share)), wanted)
            distance = _off(seen, found, math.sqrt(wanted * (1 - wanted) / tried))
            yield Deviation("step", sequence.name, str(number), wanted, found, distance)


def _tried(funnel: Funnel, number: int) -> tuple[int, int]:
    """Returns how often a step could have followed, including repetitions, and how often it did."""
    rows = [row for row, step in enumerate(funnel.step_numbers) if step == number and row]
    return sum(funnel.tried[row] for row in rows), sum(funnel.reached[row] for row in rows)


def _planted(sequence: EventSequence, configuration: Configuration) -> set[int]:
    """Returns the steps whose probability a planted truth decides."""
    found: set[int] = set()
    for truth in configuration.truths:
        if isinstance(truth, ConversionTruth | ExperimentTruth):
            begins = [number for number, step in enumerate(sequence.steps) if truth.from_event in step.events]
            ends = [number for number, step in enumerate(sequence.steps) if truth.to_event in step.events]
            if begins and ends:
                found.update(range(begins[0] + 1, ends[0] + 1))
    return found


def _frequencies(measured: Measured, rules: Rules, taxonomy: Taxonomy) -> Iterator[Deviation]:
    """Compares how often users from before the run do what is always open to them."""
    counts, sessions = measured.events_before, measured.sessions_before
    segments = [*measured.configuration.analyses(rules).values()]
    typical = {event for analysis in segments for event in analysis.event_sequence}
    chosen = _always_open(rules, taxonomy)
    free = [event for event in chosen if event not in typical]
    choices = sum(counts.get(event, 0) for event in free)
    weights = [sum(analysis.weight_of(event) for event in free) for analysis in segments]
    if choices < FEWEST or not all(weights):
        return
    shares = {event: [a.weight_of(event) / w for a, w in zip(segments, weights, strict=True)] for event in chosen}
    for event in chosen:
        count = counts.get(event, 0)
        if event not in typical:
            spread = max(math.sqrt(share * (1 - share)) for share in shares[event])
            yield _frequency(event, "chosen", shares[event], count, choices, spread)
        elif sessions >= FEWEST:
            begun = [a.event_probabilities.get(event, 1.0) * (event in a.event_sequence) for a in segments]
            often = [p + share * choices / sessions for p, share in zip(begun, shares[event], strict=True)]
            yield _frequency(event, "sessions", often, count, sessions, math.sqrt(max(often)))


def _frequency(event: str, part: str, wanted: Sequence[float], count: int, of: int, spread: float) -> Deviation:
    found = count / of
    nearest = min(max(found, min(wanted)), max(wanted))
    return Deviation("frequency", event, part, nearest, found, _off(nearest, found, spread / math.sqrt(of)))


def _always_open(rules: Rules, taxonomy: Taxonomy) -> list[str]:
    """Returns events that begin at most one sequence, and that are open to all users from before a run."""
    constraints = rules.event_constraints
    kept = {
        *(*constraints.session_start, *constraints.session_end, *constraints.not_of_users),
        *(*constraints.once, *constraints.daily, *constraints.final),
        *(
            event
            for event, stage in constraints.lifecycle.items()
            if stage.rank > LifecycleStage.ONBOARDING_COMPLETED.rank
        ),
    }
    if not constraints.once:  # Sign-ups within the run cannot be recognised.
        kept.update((*constraints.lifecycle, *constraints.prerequisites))
    for sequence in constraints.sequences:
        for number, step in enumerate(sequence.steps):
            if number or len(step.events) > 1 or step.repeats > 1 or sequence.kind == "onboarding":
                kept.update(step.events)
    begun = Counter(event for sequence in constraints.sequences for event in sequence.steps[0].events)
    kept.update(event for event, times in begun.items() if times > 1)
    for key, constraint in rules.property_constraints.items():
        # An event on a thing that is used up, or missing, does not happen.
        kept.update(constraint.totals.takes if constraint.totals else ())
        if constraint.counter or constraint.once_each:
            kept.add(key.partition("/")[0])
    return [event for event in taxonomy.event_names() if event not in kept]


def _orders(measured: Measured, rules: Rules) -> Iterator[Deviation]:
    """Compares events at forbidden places, and wrong totals, beyond what lost records explain."""
    followers, prerequisites = rules.followers(), rules.event_constraints.prerequisites
    lost = measured.dirt.lost_share
    for event, found in measured.order.items():
        rule = f"one of {', '.join(sorted(followers.get(event, ())))} must come before it in its session"
        yield from _broken(event, rule, found, lost, found.checked)
    for event, found in measured.prerequisites.items():
        needed = prerequisites.get(event, [])
        # A lost record is missing for everything that the user does afterwards.
        independent = min(found.checked, sum(measured.sign_ups)) / _UNEQUAL
        rule = f"{', '.join(needed)} must have happened before"
        yield from _broken(event, rule, found, min(lost * len(needed), 1.0), independent)
    for event, found in measured.once.items():
        yield from _broken(event, "it happens once in a user's life", found, 0.0, found.checked)
    if not measured.configuration.dirt.total:
        for key, found in measured.totals.items():
            yield from _broken(key, "it is what the user gathered", found, 0.0, found.checked)


def _broken(event: str, rule: str, found: Violations, explained: float, n: float) -> Iterator[Deviation]:
    if found.checked >= FEWEST:
        share = found.broken / found.checked
        by_chance = explained + CHANCE * math.sqrt(explained * (1 - explained) / max(n, 1))
        yield Deviation("order", event, rule, 0.0, share, max(share - by_chance, 0.0))


# --------------------------------------------------------------------------- the answer


def corrected(rules: Rules, deviations: Deviations) -> Rules:
    """Returns rules that aim as far to the other side as the data missed: wanted + (wanted - found), within bounds.

    Ranges keep their bounds, and spreads stay possible. Events out of order cannot be corrected here.
    """
    changed: dict[str, Any] = rules.model_dump()
    everywhere = [
        changed["value_ranges"],
        *(found["property_ranges"] for found in changed["segment_analysis"].values()),
    ]
    moved: list[dict[str, Any]] = []
    for found in deviations.list:
        if found.distance < LEAST_DISTANCE:
            continue
        match found.kind:
            case "mean" | "spread":
                own = [ranges[found.where] for ranges in everywhere if found.where in ranges]
                for given in own:
                    _shift(given, found)
                moved += own
            case "share":
                _reweigh(changed["property_constraints"][found.where], found)
            case "step":
                for sequence in changed["event_constraints"]["sequences"]:
                    if sequence["name"] == found.where:
                        step = sequence["steps"][int(found.part)]
                        step["probability"] = min(max(step["probability"] + found.wanted - found.found, 0.0), 1.0)
            case "frequency":
                for segment in changed["segment_analysis"].values():
                    _tip(segment["event_probabilities"], found)
            case "order":
                pass
    for given in moved:
        _keep_possible(given)
    return Rules.model_validate(changed)


def _tip(probabilities: dict[str, float], found: Deviation) -> None:
    """Makes an event likelier, or less likely, if it has a probability."""
    if found.where in probabilities:
        old = probabilities[found.where]
        new = old * (2 - found.found / found.wanted) if found.part == "chosen" else old + found.wanted - found.found
        probabilities[found.where] = min(max(new, old / 10), 1.0)


def _shift(given: dict[str, Any], found: Deviation) -> None:
    by = found.wanted - found.found
    if found.kind == "spread":
        given["spread"] = max(given["spread"] + by, 0.0)
        return
    low, high = given["min"], given["max"]
    mean = (low + high) / 2 if given["mean"] is None else given["mean"]
    # Never onto a bound, where nothing varies, unless the mean is there already.
    edge = 0.01 * (high - low)
    given["mean"] = min(max(mean + by, min(low + edge, mean)), max(high - edge, mean))


def _keep_possible(given: dict[str, Any]) -> None:
    """Limits a spread to what values between the bounds with this mean can have."""
    low, high = (
        (math.ceil(given["min"]), math.floor(given["max"])) if given["integer"] else (given["min"], given["max"])
    )
    if given["mean"] is not None and given["integer"]:
        given["mean"] = min(max(given["mean"], low), high)
    if given["spread"] is None:
        return
    mean = (low + high) / 2 if given["mean"] is None else given["mean"]
    part = mean - math.floor(mean) if given["integer"] else 0.0
    largest = math.sqrt(max((mean - low) * (high - mean), 0.0))
    given["spread"] = min(max(given["spread"], math.sqrt(part * (1 - part))), largest)


def _reweigh(given: dict[str, Any], found: Deviation) -> None:
    values = [label(value) for value in given["values"]]
    if found.part not in values or not found.wanted:
        return
    weights = given["weights"] or [1.0] * len(values)
    aim = max(2 - found.found / found.wanted, 0.1)
    given["weights"] = [
        weight * aim if value == found.part else weight for value, weight in zip(values, weights, strict=True)
    ]
