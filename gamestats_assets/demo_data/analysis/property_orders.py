"""Which of two numbers of a record is the larger one: a part and the whole, the lowest and the highest, a limit."""

from __future__ import annotations

import re

from gamestats_assets.demo_data.analysis.event_words import word_set
from gamestats_assets.demo_data.analysis.measures import Place
from gamestats_assets.demo_data.analysis.numbers_beside import Beside, label_of, pieces, texts_of
from gamestats_assets.demo_data.analysis.written_formulas import is_percent, said_number

_MOST = word_set("max maximum highest peak upper top best dearest longest largest most")
_LEAST = word_set("min minimum lowest lower cheapest shortest smallest least")
_COUNTS = word_set("count cnt num number quantity qty amount")
_PARTS = word_set(
    """
    right
    read watched viewed played correct completed complete done finished succeeded success successful passed pass failed
    fail failure failures solved used redeemed consumed opened clicked converted answered attended approved rejected
    delivered returned defective damaged wrong skipped
    """
)
_BAD_PARTS = word_set("failed fail failure failures rejected returned defective damaged wrong skipped")
_WHOLES = word_set("total all max limit capacity full available overall attempted sent")
_WHOLE_ELSEWHERE = re.compile(r"^총|전체|全|合計|総")
_PROGRESS = word_set("progress completion complete completed completeness finished done scroll")
_PROGRESS_ELSEWHERE = re.compile(r"진행|완료|완독|달성|進捗|完了|達成|読了")

_ROW = word_set("continuous consecutive streak successive running")
_ROW_ELSEWHERE = re.compile(r"\b(?:in a row|consecutive|streak)\b|연속|連続")
_SUM = word_set("total cumulative accumulated lifetime overall all")
_SUM_ELSEWHERE = re.compile(r"\b(?:in total|so far|cumulative)\b|누적|累計|累積|통산|通算")

_BELOW = (
    r"(?:at most|up to|not (?:above|over|more than|exceeding|greater than)|no more than|never (?:above|more than)|"
    r"capped (?:at|by)|limited to|<=|≤|(?:cannot|not) exceed|less than or equal to|(?<!not )(?<!never )below|within)"
    r"\s+(?:the\s+)?([^,.;()]+)"
)
_ABOVE = (
    r"(?:at least|not (?:below|under|less than|smaller than)|no less than|never (?:below|less than)|>=|≥|"
    r"greater than or equal to|(?<!not )(?<!never )above)\s+(?:the\s+)?([^,.;()]+)"
)
_SHARE = r"(?:share|part|portion|fraction|percentage|subset|some)\s+of\s+(?:the\s+)?([^,.;()]+)"
_BELOW_ELSEWHERE = (
    r"([^\s,、。()]+?)(?:을|를)?\s*"
    r"(?:이하|초과하지|넘지|以下|以内|を超えない|보다\s*(?:낮|작|적|짧)|より(?:低|小|少|短))"
)
_ABOVE_ELSEWHERE = r"([^\s,、。()]+?)\s*(?:이상|以上|보다\s*(?:높|크|큰|많|길)|より(?:高|大|多|長))"


def written_orders(beside: Beside) -> None:
    """What the sheet says is at most, at least, or a share of something else: `not below minAge`."""
    for name, place in beside.own.items():
        if not beside.is_open(name):
            continue
        text = place.prop.description or place.prop.alias
        for patterns, make in (
            ((_SHARE,), _little_of),
            ((_BELOW, _BELOW_ELSEWHERE), _part_of),
            ((_ABOVE, _ABOVE_ELSEWHERE), _more_than),
        ):
            said = next((match[1] for pattern in patterns if (match := re.search(pattern, text, re.IGNORECASE))), None)
            other = said_number(said, name, beside) if said else None
            if other is not None and not beside.circular(name, [other]):
                beside.give(name, make(beside, name, other))
                break


def pairs_in_order(beside: Beside) -> None:
    """The highest is above the lowest, and a part is no more than the whole."""
    _extremes(beside)
    _streaks(beside)
    wholes = {_thing(name, _WHOLES): name for name in beside.own if _is_whole(beside.own[name])}
    for whole_thing, whole in wholes.items():
        parts = [n for n in beside.own if n != whole and _is_part(n) and _thing(n, _part_words(n)) == whole_thing]
        parts = [name for name in parts if beside.measure(name).name not in ("percent", "ratio")]
        _parts_of(beside, parts, whole)


def _thing(name: str, without: frozenset[str]) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in pieces(name) - without - _COUNTS)


def _is_whole(place: Place) -> bool:
    said = pieces(place.prop.name)
    return bool(said & _WHOLES or _WHOLE_ELSEWHERE.search(label_of(place.prop))) and not _part_words(place.prop.name)


def _parts_of(beside: Beside, parts: list[str], whole: str) -> None:
    good = [name for name in parts if not pieces(name) & _BAD_PARTS]
    bad = [name for name in parts if pieces(name) & _BAD_PARTS]
    for name in good[:1]:
        if beside.around.ends_well and _is_progress(name, beside.around.event):
            beside.give(name, whole)
        else:
            beside.give(name, _part_of(beside, name, whole))
        _share_of(beside, name, whole)
    for number, name in enumerate(bad[:1]):
        rest = f"{whole} - {good[0]}" if len(good) == 1 and not number else ""
        beside.give(name, rest or _little_of(beside, name, whole))


def _part_words(name: str) -> frozenset[str]:
    """What tells which part it is: `printed` of `printed_pages`."""
    return frozenset(word for word in pieces(name) if word in _PARTS or (word.endswith("ed") and len(word) > 4))


def _is_part(name: str) -> bool:
    return bool(_part_words(name)) and not pieces(name) & _WHOLES


def _is_progress(name: str, event: str) -> bool:
    """Whether a part is all there once the event is: what was read, or what the event itself does."""
    done = {word.removesuffix("ed") for word in _part_words(name)}
    known = {"read", "watch", "view", "play", "complet", "done", "finish"}
    return bool(done & known) or any(word.startswith(tuple(done)) for word in pieces(event))


def _streaks(beside: Beside) -> None:
    """Days in a row are no more than all days: `continuous_days` of `login_days`."""
    in_a_row = {name for name, p in beside.own.items() if _says(p, _ROW, _ROW_ELSEWHERE)}
    for name in in_a_row:
        counted = _thing(name, _ROW)
        sums = [n for n, p in beside.own.items() if n not in in_a_row and _says(p, _SUM, _SUM_ELSEWHERE)]
        totals = [other for other in sums if counted <= _thing(other, _SUM)]
        if len(totals) == 1:
            beside.give(name, f"max(1, floor({totals[0]} * random(0.1, 1.0)))")


def _says(place: Place, words: frozenset[str], elsewhere: re.Pattern[str]) -> bool:
    return bool(pieces(place.prop.name) & words or elsewhere.search(texts_of(place.prop)))


def _share_of(beside: Beside, part: str, whole: str) -> None:
    """How far one is, as a share of the whole."""
    for name, place in beside.own.items():
        shares = beside.measure(name).name in ("percent", "ratio") or is_percent(place, beside.measures)
        same = pieces(name) & pieces(part) & _PARTS
        if name not in (part, whole) and shares and (same or _tells_progress(place)):
            ratio = f"{part} / max({whole}, 1)"
            percent = is_percent(place, beside.measures)
            beside.give(name, f"min(round({ratio} * 100), 100)" if percent else f"min({ratio}, 1)")


def _tells_progress(place: Place) -> bool:
    return bool(pieces(place.prop.name) & _PROGRESS or _PROGRESS_ELSEWHERE.search(texts_of(place.prop)))


def completed(beside: Beside) -> None:
    """What is done to its end has all of its progress."""
    if not beside.around.ends_well:
        return
    for name, place in beside.own.items():
        found = beside.measure(name)
        shares = found.name in ("percent", "ratio") or is_percent(place, beside.measures)
        if shares and beside.is_open(name) and _tells_progress(place):
            beside.fixed[name] = min(100.0 if is_percent(place, beside.measures) else 1.0, found.high)


# --------------------------------------------------------------------------- formulas


def _extremes(beside: Beside) -> None:
    by_stem: dict[frozenset[str], dict[str, str]] = {}
    for name in beside.own:
        said = pieces(name)
        if bool(said & _MOST) != bool(said & _LEAST):
            by_stem.setdefault(said - _MOST - _LEAST, {})["most" if said & _MOST else "least"] = name
    for pair in by_stem.values():
        most, least = pair.get("most"), pair.get("least")
        if not most or not least or most in beside.found or least in beside.found:
            continue
        if beside.is_open(most):
            beside.give(most, _more_than(beside, most, least))
        else:
            beside.give(least, _part_of(beside, least, most))


def _more_than(beside: Beside, name: str, other: str) -> str:
    """At least another number: up to its own limit, or half as much again."""
    measure = beside.measure(name)
    if measure.given:
        return f"random({other}, {_plain(measure.high)})" if measure.integer else f"random({other}, {measure.high:.2f})"
    grown = f"{other} * random(1.05, 1.8)"
    return f"ceil({grown})" if measure.integer else f"round({grown}, 2)"


def _part_of(beside: Beside, name: str, other: str) -> str:
    """At most another number, and mostly not much less."""
    return _rounded(beside, name, f"{other} * random(0.4, 1.0)")


def _little_of(beside: Beside, name: str, other: str) -> str:
    return _rounded(beside, name, f"{other} * random(0.03, 0.25)")


def _rounded(beside: Beside, name: str, text: str) -> str:
    return f"floor({text})" if beside.measure(name).integer else f"round({text}, 2)"


def _plain(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value}"


_FORMER = word_set("before previous prev old prior last")


def subtracted(beside: Beside, name: str) -> None:
    """What a written formula subtracts is no more than what it is subtracted from: `orders - failed_orders`."""
    match = re.fullmatch(r"(\w+) - (\w+)", beside.found[name])
    if match and match[1] in beside.own and match[2] in beside.own and not beside.measure(match[2]).given:
        was, now = pieces(match[2]), pieces(match[1])
        if was & _FORMER and was - _FORMER <= now and (measure := beside.measure(match[1])).given:
            beside.give(match[2], f"random({_plain(measure.low)}, {_plain(measure.high)})")
            return  # what it was lies where it lies now
        good = _part_words(match[2]) - _BAD_PARTS - {"used", "lost"}
        beside.give(match[2], (_part_of if good else _little_of)(beside, match[2], match[1]))
