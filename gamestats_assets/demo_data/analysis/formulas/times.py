"""When the times in events are, and how long things take: deadlines are later than the event, birthdays decades
earlier, starts earlier than their ends.

Ranges and formulas of times are in seconds after the event, negative ones before it. How long something takes comes
from the sheet (`+72 h`, `30 days later`, `72시간`) and from durations beside the time. `times.toml` has the patterns of
names of times and of lengths in texts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from gamestats_assets.demo_data.analysis.formulas.equations import Scope
from gamestats_assets.demo_data.analysis.formulas.reckoning import Reckoned, written_formula
from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.meaning.measures import (
    USABLE_NAME,
    Place,
    by_parent,
    measure_words,
    rule_of,
    seconds_in,
    texts_of,
)
from gamestats_assets.demo_data.analysis.meaning.reading import LOOKS, Reading, named_words, own_pieces, piece_set
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import EventConstraints, PropertyConstraint, ValueRange
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between, FromEvent

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400
_TIME_WORDS = named_words("time_words")
_ENDS_OF_A_STAY = named_words("ends_of_a_stay")
_OF_ANYTHING = named_words("of_anything")


def _says(place: Place, *kinds: str) -> bool:
    """Whether the name or alias gives a time one of these kinds."""
    text = f"{' '.join(own_pieces(place.name))} {place.prop.alias}".lower()
    return any(re.search(facts("times")["kinds"][kind], text) for kind in kinds)


class TimesFound(NamedTuple):
    """Formulas of times and lengths; by key, the ranges of the other times and of lengths with a formula."""

    formulas: list[Reckoned]
    ranges: dict[str, ValueRange]
    lengths: dict[str, ValueRange]


def property_times(
    order: EventOrder,
    everywhere: Sequence[Place],
    scopes: Mapping[tuple[str, str], Scope],
    moved: Iterable[str],
    decided: Container[str],
    recalled: Set[str],
) -> TimesFound:
    """Returns when the times of events and users are."""
    moved_names, found = set(moved), TimesFound([], {}, {})
    texts = {event.name: f"{event.alias} {event.description}" for event in order.taxonomy.events}
    for (event, parent), places in by_parent(everywhere).items():
        times = [place for place in places if place.prop.type is PropertyType.TIME]
        if event in ("", "user"):
            times = [p for p in times if p.name not in moved_names and not isinstance(p.prop.rule, FromEvent)]
        if not times:
            continue
        numbers = [p for p in places if p.prop.type is PropertyType.NUMBER]
        known = _Times(order.readings.get(event), texts.get(event, ""), times, numbers)
        known.lengths_between([p for p in numbers if p.key not in decided], scopes[event, parent], recalled)
        known.find(of_users=event == "user")
        found.formulas.extend(
            Reckoned(p, text, why="how times are named", confidence=0.8) for p, text in known.formulas.items()
        )
        found.ranges.update({place.key: values for place, values in known.ranges.items()})
        found.lengths.update({place.key: values for place, values in known.lengths.items()})
    return found


def _range(low: float, high: float) -> ValueRange:
    return ValueRange(min=round(low), max=round(high))


def _about(place: Place, *without: frozenset[str]) -> frozenset[str]:
    """Returns the words of a name for what happened at the time."""
    return piece_set(place.name) - _TIME_WORDS - frozenset[str]().union(*without)


@dataclass
class _Times:
    """The times of an event, an object or a user."""

    reading: Reading | None
    text: str
    times: list[Place]
    numbers: list[Place]
    formulas: dict[Place, str] = field(default_factory=dict)
    ranges: dict[Place, ValueRange] = field(default_factory=dict)
    lengths: dict[Place, ValueRange] = field(default_factory=dict)

    def lengths_between(self, numbers: Sequence[Place], scope: Scope, recalled: Set[str]) -> None:
        """Notes how long something took: between times that the sheet names, or since a time recalled from an earlier
        event, which cannot itself follow from the length."""
        times = {place.prop.name: place for place in self.times if USABLE_NAME.fullmatch(place.prop.name)}
        for place in (p for p in numbers if p.prop.name in scope.own):
            formula = written_formula(place.prop.name, scope, times)
            if formula and times.keys() & parse_formula(formula).names:
                self._takes(place, formula, signed=bool(re.search(facts("times")["negative"], texts_of(place.prop))))
        starts = [place for place in times.values() if place.key in recalled]
        ends = [p for p in times.values() if p not in starts and not _says(p, "due")]
        open_numbers = [p for p in numbers if rule_of(p.prop) is None and (p in self.lengths or not self.lengths)]
        length = self._length_beside(open_numbers)
        if len(starts) == len(ends) == 1 and length is not None:
            place, seconds = length
            if place not in self.formulas:
                taken = f"{ends[0].name} - {starts[0].name}"
                self._takes(place, taken if seconds == 1 else f"({taken}) / {seconds:.10g}")
            self.ranges[ends[0]] = _range(-5, 0)
            self.ranges[starts[0]] = _range(-3 * DAY, -HOUR) if seconds >= HOUR else _range(-2 * HOUR, -5 * MINUTE)

    def _takes(self, place: Place, formula: str, *, signed: bool = False) -> None:
        seconds = seconds_in(place) or 1
        high = (60 * DAY if seconds >= HOUR else DAY) / seconds
        self.formulas[place] = formula
        self.lengths[place] = ValueRange(min=-high if signed else 0, max=high, integer=False)

    def find(self, *, of_users: bool) -> None:
        """Gives each time a range or a formula; times of users only if their names are clear."""
        for start, end in self._pairs():
            if start not in self.ranges:
                self._pair(start, end)
        for place in self._open():
            span = None if of_users and _says(place, "last", "first") else self._clear(place)
            if span is not None:
                self.ranges[place] = span
            elif of_users and _says(place, "once"):
                self.ranges[place] = _range(0, 0)
        if not of_users:
            self._history()

    def _open(self) -> list[Place]:
        return [place for place in self.times if place not in self.formulas and place not in self.ranges]

    # ----------------------------------------------------------------- from start to end

    def _pairs(self) -> Iterator[tuple[Place, Place]]:
        usable = [place for place in self.times if USABLE_NAME.fullmatch(place.prop.name)]
        starts = [p for p in usable if _says(p, "start") and not _says(p, "birth")]
        ends = [p for p in usable if _says(p, "end") and p not in starts]
        for start in starts:
            near = [end for end in ends if _about(end, _ENDS_OF_A_STAY) == _about(start, _ENDS_OF_A_STAY)]
            near = near or (ends if len(starts) == len(ends) == 1 else [])
            yield from ((start, end) for end in near[:1])

    def _pair(self, start: Place, end: Place) -> None:
        text = " ".join(own_pieces(self.reading.name)) if self.reading else ""
        if not self._is_over():
            text = f"{text} {self.text} {' '.join(own_pieces(start.name))} {start.prop.alias}"
        planned = bool(re.search(facts("times")["kinds"]["booked" if self._is_over() else "plans"], text.lower()))
        if self._is_over() and not planned and not _says(end, "lasts"):
            self.ranges[end] = _range(-5, 0)
            self.formulas[start] = f"{end.prop.name} - {self._length(start, end, planned=False)}"
        elif self.reading is not None and self.reading.action in LOOKS and not planned:
            self.ranges[start], self.ranges[end] = _range(-14 * DAY, -DAY), _range(DAY, 14 * DAY)
        else:
            self.ranges[start] = _range(HOUR, 3 * DAY) if planned else _range(-2, 0)
            self.formulas[end] = f"{start.prop.name} + {self._length(start, end, planned=planned)}"

    def _is_over(self) -> bool:
        """Whether the event ends what it is about."""
        reading = self.reading
        if reading is None:
            return False
        over = reading.place is not None and reading.place >= 5 and reading.phase not in ("resume", "claim")
        return over or reading.action in ("deliver", "arrive", "checkout", "return", "dropoff")

    def _length(self, start: Place, end: Place, *, planned: bool) -> str:
        """Returns the seconds from a start to its end, as a part of a formula."""
        length, beside = (_written_length(texts_of(place.prop)) for place in (end, start))
        if length := length or beside:
            return f"{length.seconds:.0f}"
        if duration := self._duration():
            return duration
        if length := _written_length(self.text):
            return f"{length.seconds:.0f}"
        if _says(end, "expiring"):
            return f"{30 * DAY}"
        days = not planned and "date" in piece_set(start.name)
        low, high = (DAY, 14 * DAY) if days else (HOUR, 4 * HOUR) if planned else (5 * MINUTE, 2 * HOUR)
        return f"random({low}-{high})"

    def _duration(self) -> str:
        """Returns the duration beside the time in seconds, as a part of a formula; empty if there is none."""
        length = self._length_beside([place for place in self.numbers if place not in self.formulas])
        return f"{length[0].prop.name} * {length[1]:.10g}".removesuffix(" * 1") if length else ""

    def _length_beside(self, numbers: Sequence[Place]) -> tuple[Place, float] | None:
        """Returns the number that gives a length, and the seconds of its unit."""
        lengths = [(p, seconds) for p in numbers if (seconds := seconds_in(p)) and USABLE_NAME.fullmatch(p.prop.name)]
        known = facts("times")["durations"]
        rest = [(p, s) for p, s in lengths if not piece_set(p.name) & {*known["other"].split(), "to"}]
        named = [(p, s) for p, s in rest if piece_set(p.name) & {*known["of_length"].split()}]
        return next(iter(named or rest), None)

    # ----------------------------------------------------------------- single times

    def _clear(self, place: Place) -> ValueRange | None:
        """Returns the range of a time from its own name and texts."""
        if _says(place, "birth"):
            return ValueRange(min=-70 * YEAR, max=-18 * YEAR, mean=-33 * YEAR)
        if length := _written_length(texts_of(place.prop)):
            if length.ago:
                return _range(-length.seconds, -length.seconds)
            if length.later or _says(place, "due", "end"):
                return _range(length.seconds * (0.2 if length.within else 1), length.seconds)
        if _says(place, "last"):
            return _range(-30 * DAY, -HOUR)
        ends = _says(place, "end") and not self._is_over() and not _says(place, "start")
        if _says(place, "due") or ends:
            return self._due(place)
        return _range(-YEAR, -DAY) if _says(place, "first") else None

    def _due(self, place: Place) -> ValueRange:
        own = _written_length(self.text)
        if own is not None and _says(place, "ends"):
            return _range(own.seconds, own.seconds)
        text = f"{' '.join(own_pieces(place.name))} {place.prop.alias}".lower()
        after = next(known["after"] for known in facts("times")["due"] if re.search(known["says"], text))
        return _range(*(length.seconds if (length := _written_length(span)) else 0 for span in after))

    def _history(self) -> None:
        """Places times before the event in the sheet's order, and at the event a time that is named after it or after
        nothing."""
        later, length = "", self._duration()
        for place in reversed(self._open()):
            own = self.reading is None or _about(place, _OF_ANYTHING) <= piece_set(self.reading.name)
            usable = USABLE_NAME.fullmatch(place.prop.name)
            if own and not _says(place, "once"):
                self.ranges[place] = _range(-3, 0)
            elif not later or not usable:
                self.ranges[place] = _range(-30 * DAY if _says(place, "once") else -2 * DAY, -10 * MINUTE)
            else:
                self.formulas[place] = f"{later} - {length or f'random({10 * MINUTE}-{2 * DAY})'}"
                length = ""
            later = place.prop.name if usable else later


# --------------------------------------------------------------------------- lengths in texts


class _Length(NamedTuple):
    """A length of time in a text, and its direction: so much later, so much earlier, or at most so much."""

    seconds: float
    later: bool
    ago: bool
    within: bool


@functools.lru_cache(maxsize=2048)
def _written_length(text: str) -> _Length | None:
    """Returns the length of time in a text."""
    known, units = facts("times")["lengths"], facts("measures")["time_units"]
    pattern = rf"([+＋-]\s*)?(\d+(?:\.\d+)?)\s*-?\s*({'|'.join(units)})(?![A-Za-z])([^,.;。、]{{0,14}})"
    for match in re.finditer(pattern, text, re.IGNORECASE):
        sign, number, unit, rest = (match[1] or "").strip(), match[2], match[3], match[4]
        if re.match(known["how_often"], rest):
            continue  # how often, as in `1日1回`
        factor = next(factor for spelling, factor in units.items() if re.fullmatch(spelling, unit, re.IGNORECASE))
        before = text[: match.start()]
        ago = sign == "-" or bool(re.search(known["ago"], rest))
        later = sign in ("+", "＋") or bool(re.search(known["later"], rest) or re.search(known["then"], before.lower()))
        within = bool(re.search(known["within"], f"{before[-12:]}{rest}"))
        return _Length(float(number) * factor, later and not ago, ago, within)
    return None


# --------------------------------------------------------------------------- by the clock

_CLOCK_S = {"ms": 0.001, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0}
_NOT_TAKEN = named_words("not_by_the_clock")


def durations(
    everywhere: Iterable[Place], constraints: EventConstraints, values: Mapping[str, PropertyConstraint]
) -> dict[str, PropertyConstraint]:
    """Returns constraints of numbers that give the length of the session, or of the sequence up to the event."""
    later = {event for flow in constraints.sequences for step in flow.steps[1:] for event in step.events}
    heads = {event for flow in constraints.sequences for event in flow.steps[0].events}
    found: dict[str, PropertyConstraint] = {}
    for place in everywhere:
        unit_s, rule = _clock_unit(place), rule_of(place.prop)
        if unit_s is None or place.key in values or not place.of_event or "." in place.name:
            continue
        long = isinstance(rule, Between) and rule.min * unit_s > MINUTE  # short minimums fit the clock as well
        if place.event in constraints.session_end and not long:
            found[place.key] = PropertyConstraint(elapsed="session", unit_s=unit_s)
        elif place.event in later - heads:
            found[place.key] = PropertyConstraint(elapsed="flow", unit_s=unit_s)
    return found


def _clock_unit(place: Place) -> float | None:
    """Returns the seconds of the unit of a number that measures elapsed time; None for other numbers."""
    words, text = set(measure_words(place.prop)), f"{place.name} {place.prop.alias}".lower()
    other = words & _NOT_TAKEN or re.search(facts("times")["durations"]["not_taken"], text)
    if place.prop.type is not PropertyType.NUMBER or not words & {"duration", *_CLOCK_S} or other:
        return None
    return next((unit_s for unit, unit_s in _CLOCK_S.items() if unit in words), 1.0)
