"""When the times are that an event tells of: deadlines after it, birthdays decades before, starts before their ends.

Ranges and formulas of times are in seconds after the event, negative ones before it. What the sheet says (`+72 h`, `30
days later`, `72시간`) and the durations that stand beside decide how long something takes.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from gamestats_assets.demo_data.analysis.equations import Reckoned
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import LOOKS, Reading, concepts, word_set
from gamestats_assets.demo_data.analysis.measures import (
    TIME_UNITS,
    USABLE_NAME,
    Place,
    by_parent,
    ordered_pieces,
    pieces,
    rule_of,
    seconds_in,
    texts_of,
)
from gamestats_assets.demo_data.rules.model import ValueRange
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import FromEvent

MINUTE, HOUR, DAY = 60, 3600, 86_400
_YEAR = 365 * DAY

_TIME_WORDS = word_set("time at date datetime day timestamp ts on dt when")
_START_WORDS = word_set("start starts started begin begins began from open opens checkin depart departure in valid")
_END_WORDS = word_set(
    "end ends ended finish finishes until till to close closes checkout return expire expires expiry out"
)

_BIRTH = r"\b(?:birth\w*|dob|born)\b|생년|생일|出生|生年|誕生"
_DUE = (
    r"\b(?:due|deadline|promis\w+|expected|estimated|est|eta|etd|until|expir\w+|maturity|next|upcoming|scheduled|"
    r"planned|retry|renew(?:s|al)|appointment|valid to)\b|"
    r"만료|마감|기한|예정|다음|예상|예약|期限|満了|締切|締め切り|予定|次回|見込|予約"
)
_END = (
    r"\b(?:ends?|ended|finish(?:es|ed)?|until|till|to|closes?|closed|checkout|check out|return|"
    r"expir\w+)\b|종료|만료|終了|満了"
)
_START = r"\b(?:starts?|started|begins?|began|from|opens?|opened|checkin|check in|depart\w*)\b|시작|開始"
_ENDS = r"\b(?:expir\w+|until|ends?|deadline)\b|만료|종료|기한|満了|終了|期限"
_LAST = r"\b(?:last|latest|previous|prev|prior|old)\b|이전|최근|마지막|직전|前回|最終|最後|直近"
_FIRST = r"\b(?:first|since|original)\b|최초|初回|初めて"
_ONCE = (
    r"\b(?:created?|registered?|registration|joined?|signup|signed up|sign up|installed?|opened|"
    r"founded)\b|가입|등록|생성|登録|作成"
)

_LENGTH = re.compile(
    r"(?P<sign>[+＋-]\s*)?(?P<number>\d+(?:\.\d+)?)\s*-?\s*(?P<unit>"
    + "|".join(f"(?P<u{number}>{unit})" for number, (unit, _) in enumerate(TIME_UNITS))
    + r")(?![A-Za-z])(?P<rest>[^,.;。、]{0,14})",
    re.IGNORECASE,
)
_WITHIN = re.compile(r"within|up to|at most|이내|안에|以内")
_AGO = re.compile(r"^\s*(?:ago|before|earlier|전|前)")

_OTHER_LENGTHS = word_set(
    "wait waiting eta delay left remaining response attempt attempts age streak consecutive continuous login attend "
    "since hold pay price fare total_days retry cooldown session"
)
_OF_LENGTH = word_set("duration length period term minutes stay transit trip rental lease validity total elapsed time")
_PLANS = re.compile(r"\b(?:schedul\w*|book\w*|reserv\w*|plan\w*|appointment|window|arrange\w*)\b|예약|예정|予約|予定")
_OF_BOOKING = r"\b(?:book(?:ed|ing)?|reserv\w*|order\w*|request\w*|confirm\w*|paid|pay\w*|cancel\w*)\b"
"""Of times that a booking tells, that of the booking itself."""
_BOOKED = re.compile(r"\b(?:schedul|book|reserv)\w*")


class TimesFound(NamedTuple):
    """When times are.

    Attributes:
        formulas: of times that follow from others, and of the lengths between times.
        ranges: of the others, by key.
        lengths: of numbers that follow from two times, by key.
    """

    formulas: list[Reckoned]
    ranges: dict[str, ValueRange]
    lengths: dict[str, ValueRange]


def property_times(
    order: EventOrder, everywhere: Sequence[Place], moved: Iterable[str], decided: Container[str], recalled: Set[str]
) -> TimesFound:
    """When the times of events and users are.

    Args:
        moved: properties that events set; these tell when something happened already.
        decided: keys of numbers that follow from something else.
        recalled: keys of what an earlier event has told; how long it is since then follows from it.
    """
    told = set(moved)
    found = TimesFound([], {}, {})
    texts = {event.name: f"{event.alias} {event.description}" for event in order.taxonomy.events}
    for (event, _), places in by_parent(everywhere).items():
        state = {"", "user"} & {event}
        times = [place for place in places if place.prop.type is PropertyType.TIME]
        times = [p for p in times if not (state and (p.name in told or isinstance(p.prop.rule, FromEvent)))]
        if not times:
            continue
        numbers = [place for place in places if place.prop.type is PropertyType.NUMBER]
        scope = _Times(order, order.readings.get(event), texts.get(event, ""), times, numbers)
        scope.since([p for p in times if p.key in recalled], [p for p in numbers if p.key not in decided])
        scope.find(of_users=event == "user")
        found.formulas.extend(Reckoned(place, text) for place, text in scope.formulas.items())
        found.ranges.update({place.key: told for place, told in scope.ranges.items()})
        found.lengths.update({place.key: told for place, told in scope.lengths.items()})
    return found


def _range(low: float, high: float) -> ValueRange:
    return ValueRange(min=round(low), max=round(high))


def _words(place: Place) -> str:
    """Name and alias as separate words."""
    return f"{' '.join(ordered_pieces(place.name))} {place.prop.alias}".lower()


def _says(place: Place, pattern: str) -> bool:
    return bool(re.search(pattern, _words(place)))


def _stem(place: Place) -> frozenset[str]:
    return pieces(place.name) - _TIME_WORDS - _START_WORDS - _END_WORDS


@dataclass
class _Times:
    """The times of an event, an object or a user."""

    order: EventOrder
    reading: Reading | None
    said: str
    times: list[Place]
    numbers: list[Place]
    formulas: dict[Place, str] = field(default_factory=dict)
    ranges: dict[Place, ValueRange] = field(default_factory=dict)
    lengths: dict[Place, ValueRange] = field(default_factory=dict)

    def since(self, recalled: Sequence[Place], numbers: Sequence[Place]) -> None:
        """How long it took from a time that an earlier event has told: what is known cannot follow from the length."""
        ends = [p for p in self.times if p not in recalled and not _says(p, _DUE) and USABLE_NAME.fullmatch(p.name)]
        starts = [place for place in recalled if USABLE_NAME.fullmatch(place.name)]
        open_numbers = [place for place in numbers if rule_of(place.prop) is None]
        length = self._length_beside(open_numbers)
        if len(starts) != 1 or len(ends) != 1 or length is None:
            return
        place, seconds = length
        taken = f"{ends[0].name} - {starts[0].name}"
        self.formulas[place] = taken if seconds == 1 else f"({taken}) / {seconds:.10g}"
        self.lengths[place] = ValueRange(
            min=0, max=(60 * DAY if seconds >= HOUR else DAY) / seconds, integer=seconds < HOUR
        )
        self.ranges[ends[0]] = _range(-5, 0)
        self.ranges[starts[0]] = _range(-3 * DAY, -HOUR) if seconds >= HOUR else _range(-2 * HOUR, -5 * MINUTE)

    def find(self, *, of_users: bool) -> None:
        """Give each time a range or a formula; of users only where names are clear."""
        for start, end in self._pairs():
            if start not in self.ranges:
                self._pair(start, end)
        for place in self._open():
            told = None if of_users and (_says(place, _LAST) or _says(place, _FIRST)) else self._clear(place)
            if told is not None:
                self.ranges[place] = told
        if of_users:
            for place in self._open():
                if _says(place, _ONCE):
                    self.ranges[place] = _range(0, 0)
            return
        self._lengths_of_due()
        self._history()

    def _open(self) -> list[Place]:
        return [place for place in self.times if place not in self.formulas and place not in self.ranges]

    # ----------------------------------------------------------------- from start to end

    def _pairs(self) -> Iterator[tuple[Place, Place]]:
        starts = [p for p in self.times if _says(p, _START) and not _says(p, _BIRTH)]
        ends = [p for p in self.times if _says(p, _END) and p not in starts]
        for start in starts:
            near = [end for end in ends if _stem(end) == _stem(start)]
            near = near or (ends if len(starts) == len(ends) == 1 else [])
            if near and USABLE_NAME.fullmatch(start.prop.name) and USABLE_NAME.fullmatch(near[0].prop.name):
                yield start, near[0]

    def _pair(self, start: Place, end: Place) -> None:
        first, last = start.prop.name, end.prop.name
        name = " ".join(self._event_words())
        plans = _BOOKED if self._is_over() else _PLANS
        planned = bool(plans.search(name if self._is_over() else f"{name} {self.said} {_words(start)}".lower()))
        lasts = _says(end, r"\b(?:until|expir\w+|valid)\b|만료|満了|期限")
        if self._is_over() and not planned and not lasts:
            self.ranges[end] = _range(-5, 0)
            self.formulas[start] = f"{last} - {self._length(start, end, planned=False)}"
            return
        if self.reading is not None and self.reading.action in LOOKS and not planned:
            self.ranges[start] = _range(-14 * DAY, -DAY)
            self.ranges[end] = _range(DAY, 14 * DAY)
            return
        self.ranges[start] = _range(HOUR, 3 * DAY) if planned else _range(-2, 0)
        self.formulas[end] = f"{first} + {self._length(start, end, planned=planned)}"

    def _event_words(self) -> tuple[str, ...]:
        return ordered_pieces(self.reading.name) if self.reading else ()

    def _is_over(self) -> bool:
        """Whether the event tells of the end of what it is about."""
        reading = self.reading
        if reading is None:
            return False
        over = reading.place is not None and reading.place >= 5 and reading.phase not in ("resume", "claim")
        return over or reading.action in ("deliver", "arrive", "checkout", "return", "dropoff")

    def _length(self, start: Place, end: Place, *, planned: bool) -> str:
        """Seconds from a start to its end, as a part of a formula."""
        for text in (texts_of(end.prop), texts_of(start.prop)):
            if told := _told_length(text):
                return f"{told.seconds:.0f}"
        if length := self._duration():
            return length
        if told := _told_length(self.said):
            return f"{told.seconds:.0f}"
        if pieces(start.name) & {"valid"} or _says(end, r"\bexpir|만료|満了|期限"):
            return f"{30 * DAY}"
        days = not planned and "date" in pieces(start.name)
        low, high = (DAY, 14 * DAY) if days else (HOUR, 4 * HOUR) if planned else (5 * MINUTE, 2 * HOUR)
        return f"random({low}-{high})"

    def _duration(self, about: frozenset[str] = frozenset()) -> str:
        """The duration that stands beside, in seconds; empty where there is none."""
        length = self._length_beside([place for place in self.numbers if place not in self.formulas], about)
        if length is None:
            return ""
        place, seconds = length
        return place.prop.name if seconds == 1 else f"{place.prop.name} * {seconds:.10g}"

    def _length_beside(
        self, numbers: Sequence[Place], about: frozenset[str] = frozenset()
    ) -> tuple[Place, float] | None:
        """The number that tells a length, and the seconds of its unit."""
        lengths = [(p, seconds) for p in numbers if (seconds := seconds_in(p)) and USABLE_NAME.fullmatch(p.prop.name)]
        fits = [(p, s) for p, s in lengths if about & pieces(p.name)] if about else []
        rest = [(p, s) for p, s in lengths if not pieces(p.name) & _OTHER_LENGTHS and "to" not in pieces(p.name)]
        named = [(p, s) for p, s in rest if pieces(p.name) & _OF_LENGTH]
        return next(iter(fits or (named or rest if not about else [])), None)

    # ----------------------------------------------------------------- on their own

    def _clear(self, place: Place) -> ValueRange | None:
        """What names and texts tell of a time by itself."""
        if _says(place, _BIRTH):
            return ValueRange(min=-70 * _YEAR, max=-18 * _YEAR, mean=-33 * _YEAR)
        if told := _told_length(texts_of(place.prop)):
            if told.ago:
                return _range(-told.seconds, -told.seconds)
            if told.later or _says(place, _DUE) or _says(place, _END):
                return _range(told.seconds * (0.2 if told.within else 1), told.seconds)
        ends = _says(place, _END) and not self._is_over() and not _says(place, _START)
        if (_says(place, _DUE) or ends) and not _says(place, _LAST) and not self._duration_of_due(place):
            return self._due(place)
        if _says(place, _LAST):
            return _range(-30 * DAY, -HOUR)
        if _says(place, _FIRST):
            return _range(-_YEAR, -DAY)
        return _range(HOUR, 14 * DAY) if self._is_booked(place) else None

    def _is_booked(self, place: Place) -> bool:
        """Whether a time is that for which something is booked: `viewing_date` of `book_viewing`."""
        books = self.reading is not None and (_books(self.reading) or self._leads_to_booking(place))
        when = bool(_about(place)) or "date" in pieces(place.name)
        return books and when and not _says(place, _ONCE) and not _says(place, _OF_BOOKING)

    def _due(self, place: Place) -> ValueRange:
        said = _told_length(self.said)
        if said is not None and _says(place, _ENDS):
            return _range(said.seconds, said.seconds)
        if pieces(place.name) & {"eta", "arrive", "arrival"} and "time" in pieces(place.name):
            return _range(15 * MINUTE, 90 * MINUTE)
        if _says(place, r"\b(?:promis\w+|expected|estimated|est|eta|arriv\w+)\b|예상|見込"):
            return _range(DAY, 7 * DAY)
        if _says(place, r"\b(?:scheduled|planned|appointment|upcoming)\b|예정|予定"):
            return _range(HOUR, 14 * DAY)
        if _says(place, r"\b(?:next|renew\w*)\b|다음|次回"):
            return _range(7 * DAY, 30 * DAY)
        return _range(7 * DAY, 30 * DAY)

    def _lengths_of_due(self) -> None:
        for place in self._open():
            if (_says(place, _DUE) or _says(place, _END)) and (length := self._duration_of_due(place)):
                self.formulas[place] = length

    def _duration_of_due(self, place: Place) -> str:
        """What stands beside and tells when something is due: `eta_min` of `eta`, `valid_days` of `valid_until`."""
        about = _stem(place) | ({"eta", "valid"} & pieces(place.name))
        if about and (length := self._duration(about)):
            return length
        planned = next((start for start in self.ranges if _says(start, _START) and self.ranges[start].min > 0), None)
        if planned is not None and _says(place, _ENDS):
            return f"floor({planned.prop.name} * random(0.3, 0.9))"  # free of charge until some time before it starts
        paired = any(_says(end, _END) for end in self.formulas)
        lasts = _says(place, _ENDS) or _says(place, r"\b(?:next|renew\w*)\b|다음|次回")
        return self._duration() if lasts and not paired and _told_length(self.said) is None else ""

    # ----------------------------------------------------------------- what happened before

    def _leads_to_booking(self, place: Place) -> bool:
        """Whether one looks for what is booked then: `checkin_date` of a search."""
        looks = self.reading is not None and self.reading.action in LOOKS
        return looks and any(_books(r) and place.name in r.properties for r in self.order.readings.values())

    def _history(self) -> None:
        """What happened before the event, in the order in which it did, and the event's own time."""
        rest = self._open()
        now = [place for place in rest if self._is_own(place)]
        before = [place for place in rest if place not in now]
        for place in now:
            self.ranges[place] = _range(-3, 0)
        later = now[0] if now else next((p for p in self.times if self._at_hand(p)), None)
        quick = any((seconds_in(place) or DAY) <= MINUTE for place in self.numbers)
        gap = f"random({MINUTE}-{30 * MINUTE})" if quick else f"random({10 * MINUTE}-{2 * DAY})"
        for place in reversed(before):  # written in the order in which it happened
            usable = USABLE_NAME.fullmatch(place.prop.name)
            if later is None or not usable or not USABLE_NAME.fullmatch(later.prop.name):
                self.ranges[place] = _range(-30 * DAY if _says(place, _ONCE) else -2 * DAY, -10 * MINUTE)
            else:
                length = self._duration() if place == before[-1] else ""
                self.formulas[place] = f"{later.prop.name} - {length or gap}"
            later = place if usable else later

    def _at_hand(self, place: Place) -> bool:
        told = self.ranges.get(place)
        return told is not None and told.min >= -5 and told.max <= 0

    def _is_own(self, place: Place) -> bool:
        """Whether a time is the event's own: its name speaks of the event, or of nothing that the sheet knows."""
        about = _about(place)
        if not about or self.reading is None:
            return not _says(place, _ONCE)
        if re.search(r"\bbefore\b|전에|以前|前に", texts_of(place.prop)):
            return False
        scores = {name: _likeness(place, reading) for name, reading in self.order.readings.items()}
        best = max(scores.values())
        if best and scores[self.reading.name] < best:
            return False
        # Of several that may be, the one that is told last.
        rest = self._open()
        alike = [(_likeness(other, self.reading), n) for n, other in enumerate(rest) if _about(other)]
        last = rest[max(alike)[1]]
        return place == last and (bool(best) or not _says(place, _ONCE))


_OF_ANYTHING = word_set("event log logged occurred server client local utc recorded reported happened fired triggered")


def _books(reading: Reading) -> bool:
    return reading.action == "book" or bool(_BOOKED.search(" ".join(ordered_pieces(reading.name))))


def _about(place: Place) -> frozenset[str]:
    """Words of a name that tell what happened then."""
    return pieces(place.name) - _TIME_WORDS - _OF_ANYTHING


def _likeness(place: Place, reading: Reading) -> int:
    """How surely a time speaks of an event: of what is done there, of what it is done to, or not at all."""
    about = _about(place)
    meant = {word for word in concepts(place.prop.name) if word not in _TIME_WORDS | _OF_ANYTHING}
    if about and about <= pieces(reading.name) and not meant <= reading.topic:
        return 2
    return 1 if meant and meant <= {*reading.words, *reading.text, *reading.description} else 0


# --------------------------------------------------------------------------- lengths


class _Told(NamedTuple):
    """A length of time in a text.

    Attributes:
        later: whether it says that something is so much later; `ago`, so much earlier; `within`, at most so much.
    """

    seconds: float
    later: bool
    ago: bool
    within: bool


_LATER = re.compile(r"^\s*(?:later|after|from|후|뒤|이후|後)")
_THEN = re.compile(r"(?:after|in|within|for|plus|valid)\s*$", re.IGNORECASE)


def _told_length(text: str) -> _Told | None:
    """The length of time that a text tells."""
    for match in _LENGTH.finditer(text):
        factor = next(factor for number, (_, factor) in enumerate(TIME_UNITS) if match[f"u{number}"] is not None)
        seconds = float(match["number"]) * factor
        before, rest = text[: match.start()], match["rest"]
        minus = bool(match["sign"]) and match["sign"].strip() == "-"
        if re.match(r"\s*\d|に|마다|ごと", rest):
            continue  # `1日1回` is how often
        ago = minus or bool(_AGO.search(rest))
        later = bool(match["sign"] and not minus) or bool(_LATER.search(rest)) or bool(_THEN.search(before))
        return _Told(seconds, later and not ago, ago, bool(_WITHIN.search(f"{before[-12:]}{rest}")))
    return None
