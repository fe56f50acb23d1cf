"""How numbers follow from each other, where their names say so: totals, what grows with a level, before and after.

A formula uses only what stands beside its property: the same event, the same object, the common properties, the user.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.measures import Measure, Place, measure_words, rule_of
from gamestats_assets.demo_data.rules.formulas import Formula, parse_formula
from gamestats_assets.demo_data.rules.model import SEGMENTS, PropertyRelationship, ValueRange
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between


@functools.lru_cache(maxsize=1024)
def _parsed(formula: str) -> Formula:
    return parse_formula(formula)


@dataclass(frozen=True)
class Reckoned:
    """A formula where it holds.

    Attributes:
        place: whose values it gives.
        formula: names in it are those beside the place; in an object they are the object's own.
        whole: whether only whole numbers come out.
    """

    place: Place
    formula: str
    whole: bool

    @property
    def names(self) -> frozenset[str]:
        """What it uses."""
        return _parsed(self.formula).names


# Names that can stand in a formula as they are.
_NAME = re.compile(
    r"(?!(?:and|or|not|if|min|max|random|round|floor|ceil|abs|sqrt|log|exp|clamp)$)#?[A-Za-z_][A-Za-z0-9_]*"
)
_PIECES = re.compile(r"[a-z]+|\d+")


@functools.lru_cache(maxsize=4096)
def _pieces(name: str) -> frozenset[str]:
    return frozenset(_PIECES.findall(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rpartition(".")[2]).lower()))


class _Beside:
    """Numbers that stand together: of an event, an object, or a user."""

    def __init__(self, places: Sequence[Place], measures: Mapping[Place, Measure]) -> None:
        self.measures = measures
        self.own = {place.prop.name: place for place in places if _NAME.fullmatch(place.prop.name)}
        self.found: dict[str, str] = {}

    def one(self, *needs: str, without: str = "", whole: bool = False) -> str | None:
        """Name of the first number that has all words of one of `needs`, and none of `without`."""
        for need in needs:
            wanted, excluded = set(need.split()), set(without.split())
            for name in self.own:
                pieces = _pieces(name)
                if pieces >= wanted and not pieces & excluded and (not whole or pieces == wanted):
                    return name
        return None

    def give(self, name: str | None, formula: str) -> None:
        """Note a formula, if its property is free to follow one."""
        if name is None or name in self.found or not _is_free(self.own[name]):
            return
        uses = _parsed(formula).names
        if name in uses or any(self._reaches(use, name) for use in uses):
            return
        self.found[name] = formula

    def _reaches(self, start: str, goal: str) -> bool:
        if start == goal:
            return True
        return start in self.found and any(self._reaches(use, goal) for use in _parsed(self.found[start]).names)


def _is_free(place: Place) -> bool:
    rule = rule_of(place.prop)
    return rule is None or isinstance(rule, Between)


def formulas(everywhere: Sequence[Place], measures: Mapping[Place, Measure], counted: frozenset[str]) -> list[Reckoned]:
    """Formulas of every event, object and user.

    Args:
        counted: keys of numbers that are counts or balances; these follow no formula.
    """
    numbers = [place for place in everywhere if place.prop.type is PropertyType.NUMBER]
    scopes: dict[tuple[str, str], list[Place]] = {}
    for place in numbers:
        scopes.setdefault((place.event, place.name.rpartition(".")[0]), []).append(place)
    found: list[Reckoned] = []
    for (event, parent), places in scopes.items():
        beside = _Beside(places, measures)
        _deals(beside)
        _before_and_after(beside)
        own_event = event not in ("", "user") and not parent
        outer, users = (
            {p.prop.name: p for p in scopes.get((where, ""), []) if own_event and _NAME.fullmatch(p.prop.name)}
            for where in ("", "user")
        )
        _bodies(beside, _Beside(list(users.values()), measures))
        _extremes(beside)
        _shares(beside)
        _levels(beside, outer)
        for name, formula in beside.found.items():
            place = beside.own[name]
            if place.key not in counted and place.kind is not EventKind.SYSTEM:
                operands = [beside.own.get(use) or outer.get(use) or users[use] for use in _parsed(formula).names]
                whole = "/" not in formula and "." not in formula and all(measures[o].integer for o in operands)
                found.append(Reckoned(place, formula, (whole and measures[place].integer) or _rounds(formula)))
    return found


def _rounds(formula: str) -> bool:
    return formula.startswith(("round(", "floor(")) and not re.search(r", \d\)$", formula)


# --------------------------------------------------------------------------- deals

_QUANTITIES = ("quantity", "qty", "nights", "item num", "item count", "items", "count", "num", "seats", "tickets")


def _deals(beside: _Beside) -> None:
    """Totals of price and quantity, less discounts, with taxes and fees."""
    not_price = "total original discount sub grand final average avg min max before after"
    price = beside.one(
        "unit price", "item price", "price per night", "price per seat", "list price", "price", without=not_price
    )
    quantity = beside.one(*_QUANTITIES, without="total view like result point points coupon discount max min days")
    before = beside.one("original price", "list price", "regular price", "original amount")
    rate = beside.one("discount rate", "discount percent", "discount percentage", "discount pct")
    discount = beside.one(
        "discount amount", "discount price", "discount", "coupon amount", without="rate percent percentage pct count"
    )
    after = beside.one(
        "final price", "discounted price", "sale price", "paid price", "final amount", without="original"
    )
    total = beside.one(
        "total amount", "total price", "grand total", "order total", "order amount", "total cost", "total value",
        "payment amount", "pay amount", "purchase amount", "total paid", "cart total", "total", "revenue", "amount",
        without="sub subtotal discount tax fee shipping tip count refund before after fee points point",
    )  # fmt: skip
    subtotal = beside.one("subtotal", "sub total", "items total", without="grand")
    extra = [
        beside.one(words, without="rate id count")
        for words in ("shipping fee", "delivery fee", "tax amount", "tax", "tip")
    ]
    extra = [name for name in dict.fromkeys(extra) if name and name not in (total, price)]
    base = before or price
    share = f"{rate} / 100" if rate and beside.measures[beside.own[rate]].high > 1 else f"{rate}"
    if rate and discount and base:
        beside.give(discount, f"round({base} * {share}, 2)")
    if after and base and base != after:
        beside.give(after, f"max({base} - {discount}, 0)" if discount else f"{base} * (1 - {share})" if rate else base)
    if not (quantity and (price or after)):
        goods = subtotal or (beside.one("item amount", "items amount", "product amount") if extra or discount else None)
        if goods and total and goods != total and (extra or discount):
            beside.give(total, _sum(goods, discount, extra))
        return
    each = price or after
    if subtotal:
        beside.give(subtotal, f"{each} * {quantity}")
    goods = subtotal or f"{each} * {quantity}"
    if total and total != each:
        beside.give(total, _sum(goods, discount if not after or each != after else None, extra))


def _sum(goods: str, discount: str | None, extra: Sequence[str]) -> str:
    kept = f"max({goods} - {discount}, 0)" if discount else goods
    return " + ".join([kept, *extra])


# --------------------------------------------------------------------------- before and after

_GAIN = "get gain gained earn earned add added increase reward bonus deposit win received charge"
_LOSS = "consume consumed cost spend spent use used decrease deduct withdraw lose pay paid sell"
_SIDES = ({"before", "previous", "prev", "old", "from"}, {"after", "new", "current", "to", "next", "now"})


def _before_and_after(beside: _Beside) -> None:
    """What something was before, what it is after, and what made the difference."""
    by_stem: dict[frozenset[str], dict[str, str]] = {}
    for name in beside.own:
        pieces = _pieces(name)
        side = "before" if pieces & _SIDES[0] else "after" if pieces & _SIDES[1] else "plain"
        by_stem.setdefault(pieces - _SIDES[0] - _SIDES[1], {}).setdefault(side, name)
    for stem, sides in by_stem.items():
        before, after = sides.get("before"), sides.get("after") or sides.get("plain")
        if before is None or after is None or not stem:
            continue
        measure = beside.measures[beside.own[after]]
        moved = _difference(beside, stem, {before, after})
        if measure.name in ("level", "star", "stage", "vip", "step"):
            beside.give(before, f"{after} - 1")
        elif moved is not None:
            beside.give(after, f"{before} {moved[0]} {moved[1]}")
        elif measure.name == "rank":
            beside.give(after, f"max(1, {before} - random(0-5))")
        elif measure.name == "weight":
            beside.give(after, f"{before} - random(0.0, 0.5)")
        else:
            beside.give(after, f"{before} + random(0-30)")


def _difference(beside: _Beside, stem: frozenset[str], pair: set[str]) -> tuple[str, str] | None:
    """Sign and name of the number that was added or taken away."""
    for sign, words in (("+", _GAIN), ("-", _LOSS)):
        for name in beside.own:
            pieces = _pieces(name)
            if (
                name not in pair
                and pieces & set(words.split())
                and (pieces & stem or pieces & {"amount", "num", "count"})
            ):
                return sign, name
    events = {word for place in beside.own.values() for word in _PIECES.findall(place.event.lower())}
    for name in beside.own:
        pieces = _pieces(name)
        if name not in pair and pieces & {"amount", "change", "delta", "quantity", "num"}:
            return "-" if events & set(_LOSS.split()) else "+", name
    return None


# --------------------------------------------------------------------------- bodies and shares


def _bodies(beside: _Beside, user: _Beside) -> None:
    """Body mass, energy used, pace; of a body whose height or weight only the user's state tells, by that."""
    found: dict[str, str] = {}
    of: dict[str, _Beside] = {}
    for what, told in (("weight", "before target goal change"), ("height", "screen image")):
        for numbers in (beside, user):
            name = numbers.one(f"{what} kg", f"{what} cm", what, without=told)
            if name and what not in found:
                found[what], of[what] = name, numbers
    if len(found) == 2:
        weight, height = found["weight"], found["height"]
        tall = of["height"].measures[of["height"].own[height]].high
        metres = f"{height} / 100" if tall > 10 else height
        beside.give(beside.one("bmi"), f"round({weight} / (({metres}) ** 2), 1)")
    minutes = beside.one("duration minutes", "minutes", "duration min", "exercise min", "workout min")
    seconds = beside.one(
        "duration seconds", "duration sec", "duration", "seconds", without="minutes min video sleep ms"
    )
    time = minutes or (f"{seconds} / 60" if seconds else None)
    burned = beside.one(
        "calories burned",
        "calories burnt",
        "burned calories",
        "calories",
        "calorie",
        "kcal",
        without="meal intake target",
    )
    if time and burned:
        beside.give(burned, f"round({time} * 8 + random(0-40))")
    distance = beside.one("distance km", "distance", without="target goal")
    if time and distance:
        beside.give(beside.one("pace", "avg pace", "average pace"), f"{time} / max({distance}, 0.1)")
        hours = f"({time}) / 60"
        beside.give(beside.one("avg speed", "average speed", "speed"), f"{distance} / max({hours}, 0.1)")


_MOST, _LEAST = {"max", "maximum", "highest", "peak"}, {"min", "minimum", "lowest"}
_MEAN = {"avg", "average", "mean"}


def _extremes(beside: _Beside) -> None:
    """The highest and the lowest of something, around its mean."""
    means = {_pieces(name) - _MEAN: name for name in beside.own if _pieces(name) & _MEAN}
    for name, place in beside.own.items():
        pieces = _pieces(name)
        mean = means.get(pieces - _MOST - _LEAST)
        if mean is None or not pieces & (_MOST | _LEAST):
            continue
        found, centre = beside.measures[place], beside.measures[beside.own[mean]]
        most = pieces & _MOST
        apart = found.high - centre.high if most else centre.low - found.low
        apart = apart if apart > 0 else max((centre.high - centre.low) * 0.15, 0.1)
        # Whole numbers after a hyphen, any others after a comma.
        width = f"{round(apart * 0.3)}-{round(apart)}" if apart >= 4 else f"{apart * 0.3:.2f}, {apart:.2f}"
        beside.give(name, f"{mean} {'+' if most else '-'} random({width})")


def _shares(beside: _Beside) -> None:
    """Rates of what was got right, watched or won; fees and interest."""
    right = beside.one("correct count", "correct answers", "correct num", "correct")
    asked = beside.one("total questions", "question count", "questions", "total count", "total num", without="correct")
    wins, losses = (
        beside.one("win count", "wins", whole=True),
        beside.one("lose count", "loss count", "losses", whole=True),
    )
    watched = beside.one(
        "watch time", "watched seconds", "watch seconds", "watch duration", "played seconds", "play time"
    )
    length = beside.one(
        "video length", "total length", "content length", "video duration", "total duration", "length", without="watch"
    )
    pairs = [
        (beside.one("accuracy", "correct rate", "score", without="max pass total"), right, asked),
        (
            beside.one("completion rate", "watch rate", "progress rate", "progress percent", "progress", "completion"),
            watched,
            length,
        ),
    ]
    for share, part, whole in pairs:
        if share and part and whole:
            percent = beside.measures[beside.own[share]].high > 1
            ratio = f"min({part} / max({whole}, 1), 1)"
            beside.give(share, f"round({ratio} * 100)" if percent else ratio)
    won = beside.one("win rate", "winning rate")
    if won and wins and losses:
        percent = " * 100" if beside.measures[beside.own[won]].high > 1 else ""
        beside.give(won, f"{wins} / max({wins} + {losses}, 1){percent}")
    kills, deaths = beside.one("kills", "kill count", "kill"), beside.one("deaths", "death count", "death")
    assists = beside.one("assists", "assist count", "assist")
    if kills and deaths:
        beside.give(
            beside.one("kda", "kd ratio", "kd"), f"({kills}{f' + {assists}' if assists else ''}) / max({deaths}, 1)"
        )
    amount = beside.one(
        "transfer amount", "amount", "principal", "loan amount", without="fee tax discount interest refund"
    )
    if amount:
        beside.give(beside.one("fee amount", "transfer fee", "commission", "fee"), f"round({amount} * 0.01, 2)")
        interest = beside.one("interest rate")
        if interest:
            beside.give(
                beside.one("interest amount", "interest paid", "interest", without="rate"),
                f"{amount} * {interest} / 100",
            )
    each, seats = beside.one("price per seat", "seat price"), beside.one("seats", "seat count")
    if each and seats:
        beside.give(beside.one("mrr", "monthly revenue"), f"{each} * {seats}")


# --------------------------------------------------------------------------- levels

_LEVEL_NOT = (
    "vip before after old new tower stage skill max min target required enhance item building pass before previous"
)


def _levels(beside: _Beside, outer: Mapping[str, Place]) -> None:
    """What is earned on the way to a level, and how strong it makes."""
    heroes = beside.one("hero level", "character level", "unit level", without=_LEVEL_NOT)
    level = beside.one("level", whole=True) or heroes or beside.one("level", "lv", without=_LEVEL_NOT)
    star = beside.one("hero star", "star", without="rating review")
    if level is None:
        level = next((name for name, place in outer.items() if _is_level(place, name)), None)
    if level is None:
        return
    xp = beside.one(
        "xp", "exp", "experience", without="gain gained get reward earn earned bonus add required next before after"
    )
    beside.give(xp, f"{level} * 100 + random(0-50)")
    power = beside.one(
        "hero power", "combat power", "battle power", "total power", "power", "cp",
        without="rival enemy opponent before after gain change",
    )  # fmt: skip
    stars = f" + {star} * 400" if star and star != level else ""
    beside.give(power, f"{level} * 120{stars} + random(0-200)")
    for name, factor in (
        ("attack", 12),
        ("attack power", 12),
        ("defense", 9),
        ("defence", 9),
        ("hp", 80),
        ("max hp", 80),
    ):
        beside.give(beside.one(name, whole=True), f"{level} * {factor} + random(0-20)")


def _is_level(place: Place, name: str) -> bool:
    pieces = _pieces(name)
    return "level" in measure_words(place.prop) and not pieces & set(_LEVEL_NOT.split())


# --------------------------------------------------------------------------- rules


def relationships(found: Sequence[Reckoned], everywhere: Sequence[Place]) -> dict[str, PropertyRelationship]:
    """Formulas as rules: under the plain name where every place of the property follows the same one."""
    by_name: dict[str, list[Reckoned]] = {}
    for reckoned in found:
        by_name.setdefault(reckoned.place.name, []).append(reckoned)
    rules: dict[str, PropertyRelationship] = {}
    affects: dict[str, set[str]] = {}
    for name, several in by_name.items():
        same = len({reckoned.formula for reckoned in several}) == 1
        everyone = len(several) == sum(place.name == name for place in everywhere)
        # A plain name holds for everybody; where it may not, only events can have a formula of their own.
        for reckoned in several[:1] if same and everyone else [r for r in several if r.place.of_event]:
            key = name if same and everyone else reckoned.place.key
            uses = sorted(reckoned.names)
            rules[key] = PropertyRelationship(depends_on=uses, formula=reckoned.formula)
            parent = name.rpartition(".")[0]
            for use in uses:
                affects.setdefault(f"{parent}.{use}" if parent else use, set()).add(name)
    for name, told in affects.items():
        if name in rules:
            rules[name] = rules[name].model_copy(update={"affects": sorted(told)})
        elif any(place.name == name for place in everywhere):
            rules[name] = PropertyRelationship(affects=sorted(told))
    return rules


def reckoned_ranges(
    found: Sequence[Reckoned],
    overall: Mapping[str, ValueRange],
    segments: Mapping[str, Mapping[str, ValueRange]],
    limits: Mapping[str, tuple[float, float]],
) -> tuple[dict[str, ValueRange], dict[str, dict[str, ValueRange]]]:
    """Where results lie, overall and by segment: as far as what the formulas use reaches, within the sheet's limits.

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
        least, most = limits.get(key, (0.0, np.inf))
        low, high = _within(low, least, most), _within(high, least, most)
        for known, into in ((overall, of_all), *((segments[s], of_each[s]) for s in SEGMENTS)):
            mean = _within(_expected(reckoned, {**known, **into}), low, high)
            into[key] = ValueRange(min=low, max=high, mean=mean, integer=reckoned.whole)
    return of_all, of_each


def _in_order(found: Sequence[Reckoned]) -> list[Reckoned]:
    """What others use first."""
    waiting, placed = list(found), list[Reckoned]()
    while waiting:
        names = {(r.place.event, _name_beside(r.place, r.place.prop.name)) for r in waiting}
        ready = [r for r in waiting if not any((r.place.event, _name_beside(r.place, use)) in names for use in r.names)]
        placed += ready or waiting
        waiting = [r for r in waiting if r not in placed]
    return placed


def _name_beside(place: Place, use: str) -> str:
    parent = place.name.rpartition(".")[0]
    return f"{parent}.{use}" if parent else use


def _extent(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> tuple[float, float]:
    """Lowest and highest result."""
    formula = _parsed(reckoned.formula)
    ranges = {use: _range_of(reckoned.place, use, known) for use in sorted(formula.names)}
    corners = np.array(list(itertools.product(*((r.min, r.max) for r in ranges.values()), (0.0, 1.0))))
    values = dict(zip(ranges, corners.T[:-1], strict=True))
    results = formula.evaluate(values, lambda _: corners.T[-1])
    return float(np.min(results)), float(np.max(results))


def _expected(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> float:
    """Result of what is expected of everything that a formula uses."""
    formula = _parsed(reckoned.formula)
    ranges = {use: _range_of(reckoned.place, use, known) for use in sorted(formula.names)}
    means = {use: r.mean if r.mean is not None else (r.min + r.max) / 2 for use, r in ranges.items()}
    return float(formula.evaluate(means, lambda _: np.array(0.5)))


def _range_of(place: Place, use: str, known: Mapping[str, ValueRange]) -> ValueRange:
    name = _name_beside(place, use)
    keys = (f"{place.event}/{name}", name, use)
    return next((known[key] for key in keys if key in known), ValueRange(min=0, max=100, mean=40))


def _within(value: float, least: float, most: float) -> float:
    """A result that is short enough to read, within bounds."""
    return min(max(round(value, 2), least), most)
