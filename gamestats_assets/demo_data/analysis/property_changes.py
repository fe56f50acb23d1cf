"""What something was before an event, what it is after, and what made the difference.

Where a state of the user is what changes, the event moves the state, was before is the state as it stood, and after
is what the event made of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.event_words import word_set
from gamestats_assets.demo_data.analysis.measures import Measure, Place, rule_of
from gamestats_assets.demo_data.analysis.numbers_beside import (
    Around,
    Beside,
    label_of,
    ordered_pieces,
    pieces,
    texts_of,
)
from gamestats_assets.demo_data.analysis.state_words import BEFORE
from gamestats_assets.demo_data.rules.model import PropertyConstraint, Update
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import FromEvent, OneOf, Scalar

_BEFORE = BEFORE | {"pre"}
_AFTER = word_set("after new current to next now post updated")
_GAIN = word_set(
    """
    get gain gained earn earned add added increase increased reward rewarded bonus deposit deposited win won received
    receive charge charged recover recovered restore refill topup topped top restock grant granted refund
    """
)
_LOSS = word_set(
    """
    consume consumed cost spend spends spent use used uses decrease decreased deduct deducted withdraw withdrawal lose
    lost pay paid sell sold redeem redeemed burn transfer ship
    """
)
_GAIN_ELSEWHERE = re.compile(
    r"획득|지급|충전|적립|보상|보너스|회복|증가|입금|獲得|付与|回復|報酬|増加|入金|追加|チャージ|購入"
)
_LOSS_ELSEWHERE = re.compile(r"소모|소비|사용|차감|감소|출금|지불|消費|使用|減少|出金|支払|消耗")
_MOVED = word_set("change changed delta diff difference adjustment")
_MOVED_ELSEWHERE = re.compile(r"증감|변화|변동|増減|変動|変化")
_HOW_MANY = word_set("amount amt num number quantity qty count cnt value units krw usd eur gbp jpy inr won yen money")
_NO_CHANGE = word_set(
    "price fee rate limit max min id level percent pct ratio tax minutes mins seconds sec hours days duration time"
)
_STATE_WORDS = word_set("tmp current cur now present my user owned remaining own")
_TALLIES = word_set("total max lifetime accumulated cumulative accum count cnt days level rank spent")
_FEW = ("other", "quantity", "times", "total_count")
_STEPS = ("level", "star", "stage", "vip", "step")


def before_and_after(beside: Beside, states: Mapping[str, str]) -> None:
    """Formulas of what was before and what is after.

    Args:
        states: by name of what is after, the state of users that the event changes.
    """
    for stem, before, after in _pairs(beside):
        if after is None or not stem:
            continue
        terms = _terms(beside, stem, {after, before or after})
        state = states.get(after)
        terms = terms or (_one_by_one(beside, after) if state is not None else [])
        if state is not None and terms:
            if before is not None:
                beside.give(before, state)
            beside.give(after, _moved(state, terms, state_floor=True))
        elif before is not None:
            _within_record(beside, before, after, terms)


def _within_record(beside: Beside, before: str, after: str, terms: list[tuple[str, str]]) -> None:
    measure = beside.measure(after)
    if beside.own[after].key in beside.counted and not terms:
        beside.give(before, f"max({after} - 1, 0)" if measure.low < 1 else f"{after} - 1")
    elif measure.name in _STEPS and not terms:
        beside.give(before, f"{after} - 1")
    elif terms:
        if (most := _signed(beside, terms)) is not None:
            beside.give(after, f"{before} + {terms[0][1]}")
            beside.least[before] = most
            return
        if all(sign == "-" for sign, _ in terms):
            beside.least[before] = _most(beside, terms)
        beside.give(after, _moved(before, terms, state_floor=False))
    else:
        _without_amount(beside, before, after)


def _moved(start: str, terms: Sequence[tuple[str, str]], *, state_floor: bool) -> str:
    text = start + "".join(f" {sign} {name}" for sign, name in terms)
    return f"max({text}, 0)" if state_floor and any(sign == "-" for sign, _ in terms) else text


def _most(beside: Beside, terms: Sequence[tuple[str, str]]) -> float:
    highs = [beside.measure(name).high for sign, name in terms if name in beside.own]
    return max(highs, default=0.0)


def _pairs(beside: Beside) -> list[tuple[frozenset[str], str | None, str | None]]:
    """What is before and after, with the words that they share."""
    by_stem: dict[frozenset[str], dict[str, str]] = {}
    for name in beside.own:
        said = pieces(name)
        side = "before" if said & _BEFORE else "after" if said & _AFTER else "plain"
        by_stem.setdefault(said - _BEFORE - _AFTER, {}).setdefault(side, name)
    return [
        (stem, sides.get("before"), sides.get("after") or (sides.get("plain") if "before" in sides else None))
        for stem, sides in by_stem.items()
    ]


# --------------------------------------------------------------------------- what made the difference


def _terms(beside: Beside, stem: frozenset[str], pair: set[str]) -> list[tuple[str, str]]:
    """Sign and name of every number that was added or taken away."""
    around = _pair_sign(beside, pair) or event_sign(beside.around)
    found: list[tuple[str, str]] = []
    plain: list[tuple[str, str]] = []
    parts: list[tuple[str, str]] = []
    for name in beside.own:
        said = pieces(name)
        if name in pair or said & (_BEFORE | _AFTER | (_NO_CHANGE - stem)):
            continue
        sign = _own_sign(beside.own[name])
        about = said & stem or any(word.rstrip("s") in {s.rstrip("s") for s in stem} for word in said)
        generic = bool(said & (_HOW_MANY | _MOVED))
        if sign == "±" and (about or not stem - _HOW_MANY or generic):
            plain.append((around or "+", name))
        elif sign in ("+", "-") and (about or generic):
            found.append((sign, name))
        elif sign is None and about and around:
            parts.append((around, name))
        elif sign is None and generic and (about or said <= _HOW_MANY | stem):
            plain.append((around or "+", name))
    totals = [term for term in found if "total" in pieces(term[1])]
    if found and around in ("+", "-"):
        # `used_amount` beside `charge_amount`: what the event is about decides.
        found = [term for term in found if term[0] == around] or found
    if found and all(sign == around for sign, _ in found):
        found = sorted([*parts, *found], key=lambda term: list(beside.own).index(term[1]))
    return totals[:1] or found or plain[:1] or parts[:1]


def _pair_sign(beside: Beside, pair: set[str]) -> str:
    """What the labels of before and after say: `付与後のジェム`; what is paid for in money is got."""
    labels = " ".join(label_of(beside.own[name].prop) for name in sorted(pair) if name in beside.own)
    gains, losses = bool(_GAIN_ELSEWHERE.search(labels)), bool(_LOSS_ELSEWHERE.search(labels))
    return "" if gains == losses else "+" if gains else "-"


def _own_sign(place: Place) -> str | None:
    """Whether a number was added, taken away, or either (`±`); None where neither is said."""
    said, alias = pieces(place.prop.name), label_of(place.prop)
    if said & _MOVED or _MOVED_ELSEWHERE.search(alias):
        return "±"
    if said & _LOSS or _LOSS_ELSEWHERE.search(alias):
        return "-"
    if said & (_GAIN | {"bought", "purchased"}) or _GAIN_ELSEWHERE.search(alias):
        return "+"
    return None


def event_sign(around: Around) -> str:
    """Whether an event adds or takes away; empty where it says neither, or both."""
    words = set(ordered_pieces(around.event))
    for said in (words, set(re.findall(r"[a-z]+", around.said))):
        gains = bool(said & _GAIN) or (said is not words and bool(_GAIN_ELSEWHERE.search(around.said)))
        losses = bool(said & _LOSS) or (said is not words and bool(_LOSS_ELSEWHERE.search(around.said)))
        if gains != losses:
            return "+" if gains else "-"
    return ""


# --------------------------------------------------------------------------- changes of either sign

_AMOUNTS = (1, 2, 3, 5, 8)


def _signed(beside: Beside, terms: Sequence[tuple[str, str]]) -> float | None:
    """The most that can be lost where what is beside tells gains from losses; the change then has its sign."""
    if len(terms) != 1:
        return None
    name = terms[0][1]
    if _own_sign(beside.own[name]) != "±" or not beside.is_open(name):
        return None
    if beside.measure(name).given and beside.measure(name).low >= 0:
        return None  # the sheet has it without a sign
    for other in beside.around.others:
        if values := _gains_and_losses(other):
            amounts = _amounts(beside.measure(name))
            mapping: dict[str, list[Scalar]] = {
                value: [-a if sign == "-" else a for a in amounts] for value, sign in values.items()
            }
            beside.values[name] = PropertyConstraint(depends_on=other.prop.name, mapping=mapping)
            return float(max(amounts))
        if other.prop.type is PropertyType.BOOLEAN and pieces(other.prop.name) & {"win", "won", "success", "victory"}:
            most = max(round(beside.measure(name).high / 10), 1) if not beside.measure(name).given else None
            high = most or max(round(beside.measure(name).high), 1)
            beside.give(name, f"if({other.prop.name}, 1, -1) * random(1-{high})")
            return float(high)
    return None


def _gains_and_losses(place: Place) -> dict[str, str]:
    """The sign of each value of a text that tells gains from losses; nothing where it tells neither."""
    rule = rule_of(place.prop)
    if place.prop.type is not PropertyType.STRING or not isinstance(rule, OneOf):
        return {}
    signs = {str(value): _value_sign(str(value)) for value in rule.values}
    told = {sign for sign in signs.values() if sign}
    return {value: sign or "+" for value, sign in signs.items()} if told == {"+", "-"} else {}


def _value_sign(value: str) -> str:
    said = pieces(re.sub(r"\W+", "_", value))
    gains = bool(said & (_GAIN | {"in", "plus", "credit", "buy"})) or bool(_GAIN_ELSEWHERE.search(value))
    losses = bool(said & (_LOSS | {"out", "minus", "debit"})) or bool(_LOSS_ELSEWHERE.search(value))
    return "" if gains == losses else "+" if gains else "-"


def _amounts(measure: Measure) -> list[int | float]:
    """Usual amounts up to the typical one and some above it."""
    top = min(measure.high, measure.typical * 2) or 100
    found: list[int | float] = []
    scale = 1
    while scale <= top:
        found += [a * scale for a in _AMOUNTS if max(measure.low, top / 50, 1) <= a * scale <= top]
        scale *= 10
    return found or [round(top, 2)]


def _one_by_one(beside: Beside, after: str) -> list[tuple[str, str]]:
    """A single one that an event adds or takes away; nothing where it may be many."""
    sign = event_sign(beside.around)
    one = re.search(r"\b(?:a|an|one|1)\b|하나|1개|1つ|一つ", beside.around.said)
    return [(sign, "1")] if sign and (one or beside.measure(after).name in _FEW) else []


def _without_amount(beside: Beside, before: str, after: str) -> None:
    """A pair without a number that tells the difference."""
    measure = beside.measure(after)
    sign = event_sign(beside.around)
    grades = bool(re.search(r"rank[ _]?up|promot|ランクアップ|승급|승격|昇格", beside.around.said))
    if measure.name == "rank" and grades:
        beside.give(before, f"{after} - 1")
    elif measure.name == "rank":
        beside.give(after, f"max(1, {before} - random(0-5))")
    elif measure.name == "weight":
        beside.give(after, f"{before} - random(0.0, 0.5)")
    elif _one_by_one(beside, after):
        if sign == "-":
            beside.least[before] = 1
        beside.give(after, f"{before} {sign} 1")
    elif sign == "-":
        beside.give(after, f"{before} - floor({before} * random(0.05, 0.4))")
    elif beside.is_open(after):
        beside.give(after, f"{before} + random(0-30)")


# --------------------------------------------------------------------------- states


def moved_states(
    updates: Mapping[str, Mapping[str, Update]], scopes: Mapping[tuple[str, str], Beside]
) -> tuple[dict[str, dict[str, Update]], dict[tuple[str, str], str]]:
    """Updates by which events move the states that they show before and after; and by event and name the state."""
    found = {event: dict(of) for event, of in updates.items()}
    states: dict[tuple[str, str], str] = {}
    for (event, parent), beside in scopes.items():
        if event in ("", "user") or parent:
            continue
        for stem, before, after in _pairs(beside):
            if after is None or not pieces(after) & _AFTER or not stem - _HOW_MANY:
                continue
            terms = _terms(beside, stem, {after, before or after})
            state = _state(beside, stem)
            terms = terms or _one_by_one(beside, after)
            if state is None or not terms or _mixed(beside, terms):
                continue
            if not beside.is_free(after) or any(name != "1" and name not in beside.own for _, name in terms):
                continue
            value = 1 if terms[0][1] == "1" else " + ".join(f"{{{{{name}}}}}" for _, name in terms)
            kind = "increment" if terms[0][0] == "+" else "decrement"
            found.setdefault(event, {})[state] = Update(type=kind, value=value)
            states[event, after] = state
    return found, states


def _mixed(beside: Beside, terms: Sequence[tuple[str, str]]) -> bool:
    """Whether a difference may be of either sign."""
    return len({sign for sign, _ in terms}) > 1 or (
        terms[0][1] in beside.own and _own_sign(beside.own[terms[0][1]]) == "±" and not event_sign(beside.around)
    )


def _state(beside: Beside, stem: frozenset[str]) -> str | None:
    """The state that an event changes: of the user rather than a common property."""
    wanted = {word.rstrip("s") for word in stem}
    for numbers in (beside.around.users, beside.around.outer):
        near: list[str] = []
        for name, place in numbers.items():
            said = {word.rstrip("s") for word in pieces(name) - _STATE_WORDS}
            tallies = {word.rstrip("s") for word in _TALLIES} - wanted
            if isinstance(place.prop.rule, FromEvent) or said & tallies or re.search("누적|累計", texts_of(place.prop)):
                continue
            if said == wanted:
                return name
            if wanted < said and len(said) == len(wanted) + 1:
                near.append(name)
        if near:
            return near[0] if len(near) == 1 else None
    return None
