"""How numbers follow from each other, where their names say so: totals, what grows with a level, before and after.

A formula uses only what stands beside its property: the same event, the same object, the common properties, the user.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import own_name, word_set
from gamestats_assets.demo_data.analysis.measures import Measure, Place, by_parent, measure_words, rule_of
from gamestats_assets.demo_data.analysis.numbers_beside import (
    USABLE_NAME,
    Around,
    Beside,
    label_of,
    ordered_pieces,
    pieces,
)
from gamestats_assets.demo_data.analysis.property_changes import before_and_after, moved_states
from gamestats_assets.demo_data.analysis.property_orders import completed, pairs_in_order, subtracted, written_orders
from gamestats_assets.demo_data.analysis.written_formulas import written_formula
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    PropertyConstraint,
    PropertyRelationship,
    Update,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import OneOf, Rows


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
    """

    place: Place
    formula: str
    whole: bool = True
    signed: bool = False
    of_state: bool = False
    objects: int = 1

    @property
    def names(self) -> frozenset[str]:
        """What it uses."""
        return parse_formula(self.formula).names


class Findings(NamedTuple):
    """What numbers follow from, and what that asks of others.

    Attributes:
        formulas: of every event, object and user.
        values: constraints by key.
        updates: by event and property, with those by which events move what they show before and after.
        least: lower bounds by key, so that nothing falls below zero.
        fixed: the only value, by key.
    """

    formulas: list[Reckoned]
    values: dict[str, PropertyConstraint]
    updates: dict[str, dict[str, Update]]
    least: dict[str, float]
    fixed: dict[str, float]

    def constraints(self, values: Mapping[str, PropertyConstraint]) -> dict[str, PropertyConstraint]:
        """Constraints with those that formulas need; what follows from others repeats no earlier step's value."""
        found = {**values, **self.values}
        followed = {reckoned.place.key for reckoned in self.formulas}
        for reckoned in self.formulas:
            told = found.get(reckoned.place.key)
            plain = found.get(reckoned.place.name)
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
        for key, value in self.fixed.items():
            found[key] = ValueRange(min=value, max=value, mean=value)
        return found


def formulas(scopes: Mapping[tuple[str, str], Beside], updates: Mapping[str, Mapping[str, Update]]) -> Findings:
    """What numbers follow from.

    Args:
        scopes: the numbers that stand together, see `number_scopes`; what is found is noted there.
        updates: by event and property.
    """
    moved, states = moved_states(updates, scopes)
    found = Findings([], {}, moved, {}, {})
    for (event, _), beside in scopes.items():
        written(beside)
        shown = {name: state for (of, name), state in states.items() if of == event}
        before_and_after(beside, shown)
        _by_name(beside)
        pairs_in_order(beside)
        completed(beside)
        _note(found, beside, shown)
        found.formulas.extend(_passes(beside))
    return found


_SCORES = word_set("score mark marks grade point points percent accuracy")
_NOT_REACHED = word_set("max min pass passing required cutoff threshold target before previous best average avg")
_PASSED = frozenset({"pass", "passed", "is_pass", "is_passed", "pass_yn", "pass_flag", "has_passed"})


def _passes(beside: Beside) -> Iterator[Reckoned]:
    """Whether a score is high enough, where a flag beside it tells that: by what the sheet asks for, or six tenths."""
    needs = beside.one("pass score", "passing score", "pass mark", "required score", "cutoff score", "score threshold")
    scores = [n for n in beside.own if pieces(n) & _SCORES and not pieces(n) & _NOT_REACHED]
    scores = [name for name in scores if name != needs]
    for place in beside.around.others:
        if place.prop.type is PropertyType.BOOLEAN and own_name(place.prop.name) in _PASSED and len(scores) == 1:
            told = beside.measure(scores[0])
            enough = f"{told.low + 0.6 * (told.high - told.low):g}"
            yield Reckoned(place, f"{scores[0]} >= {needs or enough}")


def number_scopes(
    order: EventOrder,
    everywhere: Sequence[Place],
    measures: Mapping[Place, Measure],
    counted: frozenset[str],
    borrowed: frozenset[str],
) -> dict[tuple[str, str], Beside]:
    """Numbers that stand together, by event and object.

    Args:
        counted: keys of numbers that are counts or balances; these follow no formula.
        borrowed: keys of numbers whose values are listed for another event alone.
    """
    together = by_parent(everywhere)
    numbers = {key: [p for p in of if p.prop.type is PropertyType.NUMBER] for key, of in together.items()}
    texts = {event.name: f"{event.name} {event.alias} {event.description}" for event in order.taxonomy.events}
    scopes: dict[tuple[str, str], Beside] = {}
    for (event, parent), places in numbers.items():
        if not places:
            continue
        own_event = event not in ("", "user") and not parent
        outer, users = (
            {p.prop.name: p for p in numbers.get((where, ""), []) if own_event and USABLE_NAME.fullmatch(p.prop.name)}
            for where in ("", "user")
        )
        reading = order.readings.get(event)
        around = Around(
            event=event,
            said=texts.get(event, "").lower(),
            outer=outer,
            users=users,
            others=[p for p in together[event, parent] if p.prop.type is not PropertyType.NUMBER],
            ends_well=reading is not None and reading.phase in ("complete", "clear", "done", "success"),
        )
        scopes[event, parent] = Beside(places, measures, counted, around, borrowed)
    return scopes


def written(beside: Beside) -> dict[str, str]:
    """Take up what the sheet says in words; what it says that needs its own result is given back, by name."""
    refused: dict[str, str] = {}
    for name in beside.own:
        formula = written_formula(name, beside) if beside.is_open(name, said=True) else None
        if formula and not beside.give(name, formula, said=True):
            refused[name] = formula
    for name in list(beside.found):
        subtracted(beside, name)
    written_orders(beside)
    return refused


def _by_name(beside: Beside) -> None:
    """What names say of totals, bodies, shares and levels."""
    _wholes(beside)
    _deals(beside)
    _by_thing(beside)
    _spent_on_each(beside)
    _births(beside)
    _bodies(beside, Beside(list(beside.around.users.values()), beside.measures))
    _around_means(beside)
    _shares(beside)
    _levels(beside, beside.around.outer)
    _rivals(beside)


def _note(found: Findings, beside: Beside, states: Mapping[str, str]) -> None:
    """Add what was found in one place.

    Args:
        states: by name of what is after, the state that it shows.
    """
    visible = beside.visible()
    for name, formula in beside.found.items():
        place = beside.own[name]
        if place.kind is EventKind.SYSTEM:
            continue
        operands = [
            beside.measures.get(visible[use]) if use in visible else None for use in parse_formula(formula).names
        ]
        cut = formula.startswith(("round(", "floor(", "ceil(", "min(round("))
        shares = not beside.measures[place].integer and ("/" in formula or "." in formula)
        smooth = shares or any(operand is not None and not operand.integer for operand in operands)
        whole = (cut or not smooth) and _is_whole(formula)
        of_state = name in states or parse_formula(formula).names <= {*states.values()}
        rules = {other.prop.name: rule_of(other.prop) for other in beside.around.others}
        lists = {group: rule.count for group, rule in rules.items() if isinstance(rule, Rows)}
        objects = max((lists.get(use.partition(".")[0], 1) for use in parse_formula(formula).names), default=1)
        found.formulas.append(Reckoned(place, formula, whole, formula.startswith("if("), of_state, objects))
    for name, least in beside.least.items():
        measure = beside.measure(name)
        if not measure.given or least <= measure.high / 2:
            found.least[beside.own[name].key] = least
    found.fixed.update({beside.own[name].key: value for name, value in beside.fixed.items()})
    found.values.update({beside.own[name].key: value for name, value in beside.values.items()})


def _is_whole(formula: str) -> bool:
    """Whether only whole numbers come out of whole numbers, tried with a few of them."""
    read = parse_formula(formula)
    rows = np.arange(1, 30, dtype=np.float64)
    values = {name: rows * (place + 2) for place, name in enumerate(sorted(read.names))}
    results = read.evaluate(values, lambda place: (rows * (0.37 + place / 7)) % 1)
    return bool(np.all(np.abs(results - np.rint(results)) < 1e-9))


# --------------------------------------------------------------------------- deals

_QUANTITIES = ("quantity", "qty", "nights", "item num", "item count", "items", "count", "num", "seats", "tickets")


def _deals(beside: Beside) -> None:
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


def _wholes(beside: Beside) -> None:
    """What the sheet calls the sum over a list of objects: `meal_kcal`, the sum of `food_kcal` of its foods."""
    for group in beside.around.others:
        for child in group.prop.properties if group.prop.type is PropertyType.OBJECT_GROUP else ():
            for name, place in beside.own.items():
                said = re.findall(r"\w+", place.prop.description, re.ASCII)
                if child.type is PropertyType.NUMBER and child.name in said and "sum" in said:
                    beside.give(name, f"{group.prop.name}.{child.name}", said=True)


# --------------------------------------------------------------------------- prices of each

_EACH = word_set("per unit each")
_EACH_ELSEWHERE = re.compile(r"당(?:\s|$)|단가|あたり|単価")
_COUNT = word_set("count cnt num number quantity qty")
_COUNT_ELSEWHERE = re.compile(r"(?:수|수량|갯수|개수|数|数量|個数|回数)$")
_TOTAL_ELSEWHERE = re.compile(r"^총|총액|합계|合計|総")


def _by_thing(beside: Beside) -> None:
    """A total of so much for each of so many: `cookies per episode`, `episodes`, `total cookies`."""
    for each, place in beside.own.items():
        said, order = pieces(each), ordered_pieces(each)
        if not (said & _EACH or _EACH_ELSEWHERE.search(label_of(place.prop))):
            continue
        things = {word.rstrip("s") for word in order[order.index("per") + 1 :]} if "per" in said else set()
        counts = [n for n, p in beside.own.items() if n != each and _counts(n, p)]
        of_thing = [name for name in counts if things & {word.rstrip("s") for word in pieces(name)}]
        totals = [n for n, p in beside.own.items() if n not in (each, *counts) and _totals(n, p) and _alike(n, each)]
        quantity = of_thing or counts
        if len(quantity) == 1 and len(totals) == 1:
            beside.give(totals[0], f"{each} * {quantity[0]}", said=True)


def _counts(name: str, place: Place) -> bool:
    return bool(pieces(name) & _COUNT or _COUNT_ELSEWHERE.search(label_of(place.prop)))


def _totals(name: str, place: Place) -> bool:
    return "total" in pieces(name) or bool(_TOTAL_ELSEWHERE.search(label_of(place.prop).strip()))


def _alike(total: str, each: str) -> bool:
    """Whether two are amounts of one thing."""
    money = {"price", "cost", "amount", "fee", "total", "value"}
    said, other = pieces(total), pieces(each)
    return bool((said & other) - _COUNT) or bool(said & money and other & money)


_SPENT = word_set("use used spend spent cost consume consumed")
_SPENT_ELSEWHERE = re.compile(r"소모|소비|사용|消費|使用")


def _spent_on_each(beside: Beside) -> None:
    """What is spent on what the event does several times at once: `use_stone` of a draw, `draw_count`."""
    done = set(ordered_pieces(beside.around.event))
    counts = [
        n for n, p in beside.own.items() if pieces(n) & _COUNT and pieces(n) - _COUNT and pieces(n) - _COUNT <= done
    ]
    several = [name for name in counts if isinstance(rule_of(beside.own[name].prop), OneOf)]
    spent = [
        name
        for name, place in beside.own.items()
        if name not in counts and (pieces(name) & _SPENT or _SPENT_ELSEWHERE.search(label_of(place.prop)))
        if not pieces(name) & (_EACH | {"before", "after"})
    ]
    if len(several) == 1 and spent and not any(pieces(name) & _EACH for name in beside.own):
        measure, most = beside.measure(spent[0]), beside.measure(several[0]).high
        if most > 0 and not measure.given:
            beside.give(spent[0], f"{several[0]} * {max(round(measure.high / most), 1)}")


_AGE = "random(14-40) - random(0-20)"
"""From 14 to 60, 37 on average, subtracted from a year."""


def _births(beside: Beside) -> None:
    """The year of birth: of those whose age is known, by that."""
    visible = {n: beside.measures[p].name for n, p in beside.visible().items() if p in beside.measures}
    ages = [name for name, what in visible.items() if what == "age"]
    for name in beside.own:
        if beside.measure(name).name == "birth_year" and (len(ages) == 1 or not beside.measure(name).given):
            beside.give(name, f"#year - {ages[0] if len(ages) == 1 else _AGE}")


# --------------------------------------------------------------------------- bodies and shares


def _bodies(beside: Beside, user: Beside) -> None:
    """Body mass, energy used, pace; of a body whose height or weight only the user's state tells, by that."""
    found: dict[str, str] = {}
    of: dict[str, Beside] = {}
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


def _around_means(beside: Beside) -> None:
    """The highest and the lowest of something, around its mean."""
    means = {pieces(name) - _MEAN: name for name in beside.own if pieces(name) & _MEAN}
    for name, place in beside.own.items():
        said = pieces(name)
        mean = means.get(said - _MOST - _LEAST)
        if mean is None or not said & (_MOST | _LEAST):
            continue
        found, centre = beside.measures[place], beside.measures[beside.own[mean]]
        most = said & _MOST
        apart = found.high - centre.high if most else centre.low - found.low
        apart = apart if apart > 0 else max((centre.high - centre.low) * 0.15, 0.1)
        # Whole numbers after a hyphen, any others after a comma.
        width = f"{round(apart * 0.3)}-{round(apart)}" if apart >= 4 else f"{apart * 0.3:.2f}, {apart:.2f}"
        beside.give(name, f"{mean} {'+' if most else '-'} random({width})")


def _shares(beside: Beside) -> None:
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
        recurring = "month monthly year yearly annual week weekly membership subscription recurring"
        fee = beside.one("fee amount", "transfer fee", "commission", "fee", without=recurring)
        beside.give(fee, f"round({amount} * 0.01, 2)")
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


def _levels(beside: Beside, outer: Mapping[str, Place]) -> None:
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


_RIVALS = word_set("rival opponent enemy")
_MEASURES_OF_A_SIDE = (frozenset({"power"}), frozenset({"combat", "power"}), frozenset({"battle", "power"}))


def _rivals(beside: Beside) -> None:
    """How strong the other side is that a user is matched with: about as strong as the user."""
    own = next((n for n in beside.visible() if pieces(n) in _MEASURES_OF_A_SIDE), None)
    for name in beside.own if own else ():
        if pieces(name) & _RIVALS and pieces(name) - _RIVALS in _MEASURES_OF_A_SIDE:
            beside.give(name, f"round({own} * random(0.75, 1.25))")


def _is_level(place: Place, name: str) -> bool:
    said = pieces(name)
    return "level" in measure_words(place.prop) and not said & set(_LEVEL_NOT.split())


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


_GROWS = 10_000
"""How many times as much as at the beginning a state becomes at most."""


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
    return f"{place.parent}.{use}" if place.parent else use


def _extent(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> tuple[float, float]:
    """Lowest and highest result."""
    formula = parse_formula(reckoned.formula)
    ranges = {use: _range_of(reckoned.place, use, known) for use in sorted(formula.names)}
    times = {use: reckoned.objects if "." in use else 1 for use in ranges}
    ends = ((r.min * times[use], r.max * times[use]) for use, r in ranges.items())
    corners = np.array(list(itertools.product(*ends, (0.0, 1.0))))
    values = dict(zip(ranges, corners.T[:-1], strict=True))
    results = formula.evaluate(values, lambda _: corners.T[-1])
    return float(np.min(results)), float(np.max(results))


def _expected(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> float:
    """Result of what is expected of everything that a formula uses."""
    formula = parse_formula(reckoned.formula)
    ranges = {use: _range_of(reckoned.place, use, known) for use in sorted(formula.names)}
    times = {use: reckoned.objects if "." in use else 1 for use in ranges}
    means = {use: (r.mean if r.mean is not None else (r.min + r.max) / 2) * times[use] for use, r in ranges.items()}
    return float(formula.evaluate(means, lambda _: np.array(0.5)))


_YEAR = ValueRange(min=2026, max=2026)
"""In which a run begins, as ranges tell it; formulas with the year itself keep to none."""


def _range_of(place: Place, use: str, known: Mapping[str, ValueRange]) -> ValueRange:
    if use == "#year":
        return _YEAR
    name = _name_beside(place, use)
    keys = (f"{place.event}/{name}", name, use)
    return next((known[key] for key in keys if key in known), ValueRange(min=0, max=100, mean=40))


def _within(value: float, least: float, most: float) -> float:
    """A result that is short enough to read, within bounds."""
    return min(max(round(value, 2), least), most)
