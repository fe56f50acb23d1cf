"""What the texts of a property say about its values in words: lists, limits and units, in English, Korean and Japanese.

`taxonomies.value_rules` reads cells that are rules. What stands here is said in passing: `one of paid, free, trial`,
`등급 (일반 / 실버 / 골드)`, `1 to 5`, `at most 120`, `進捗率(%)`, `price in EUR`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Between,
    OneOf,
    ValueRule,
    ValueRuleError,
    parse_value_rule,
)

Language = Literal["en", "ko", "ja"]

_HALF_WIDTH = str.maketrans("，：＝（）～〜–／｜＜％０１２３４５６７８９", ",:=()~~-/|<%0123456789")


def language_of(texts: Sequence[str]) -> Language:
    """The language that a sheet is written in."""
    written = "".join(texts)
    kana, hangul = len(re.findall(r"[\u3040-\u30ff]", written)), len(re.findall(r"[\uac00-\ud7a3]", written))
    return "en" if not kana + hangul else "ja" if kana > hangul else "ko"


# --------------------------------------------------------------------------- lists

_LEADS = re.compile(
    r"(?:^|[\s,.;:])(?:one of(?: the following)?|either|any of|can be|may be|(?:possible |allowed )?values(?: are)?|"
    r"options(?: are)?|choices(?: are)?|次のいずれか|다음 중 하나)\s*:?\s*(?P<list>.+)$",
    re.IGNORECASE,
)
_TRAILS = re.compile(
    r"(?P<list>.+?)\s*(?:중\s*(?:하나|1개|택\s*1|한\s*가지)|のいずれか(?:一つ)?|のどれか|のうち(?:一つ|いずれか)|から選択)[^,、/]*$"
)
_BRACKETS = re.compile(r"^[^()\[\]]*[(\[](?P<list>[^()\[\]]+)[)\]]\s*\.?$")
_REMARKED = re.compile(r"(?P<list>[\d.]+(?:\s*[,/]\s*[\d.]+)+)\s*\([^()]*[^\W\d_][^()]*\)")
_AFTER_COLON = re.compile(r"^[^:,/|]{1,60}:\s*(?P<list>[^:]+)$")
_NO_VALUES = re.compile(
    r"^(?:e\.?g|i\.?e|incl|excl|if|in|when|only|for|or|and|see|not|max|min|up to|optional|required|unique|"
    r"예|단위|例|単位)\b|[.!?]\s",
    re.IGNORECASE,
)
_AROUND = re.compile(r"중\s*(?:하나|1개|택)|いずれか|どれか|のうち|から選択|^[^:,/|]{1,60}:\s")
_CODES = re.compile(r"(?<![\w.])(\d{1,3})\s*[=:]\s*(?=[^\s\d])")


def values_in(prop: Property, text: str) -> OneOf | None:
    """The values that a text lists in its own words; None where it lists none."""
    if prop.type not in (PropertyType.STRING, PropertyType.LIST, PropertyType.NUMBER):
        return None
    plain = text.strip().translate(_HALF_WIDTH)
    if not plain or "e.g" in plain.lower():
        return None
    if prop.type is PropertyType.NUMBER and (listed := _REMARKED.fullmatch(plain)):
        return _listed(listed["list"], prop.type, 2, spoken=False)
    codes = _CODES.findall(plain)
    if len(set(codes)) > 1 and prop.type is PropertyType.NUMBER:
        return OneOf(values=tuple(dict.fromkeys(map(int, codes))))
    for shape, least in ((_LEADS, 2), (_TRAILS, 2), (_BRACKETS, 2), (_AFTER_COLON, 3)):
        found = shape.search(plain)
        if found and (listed := _listed(found["list"], prop.type, least, spoken=shape in (_LEADS, _TRAILS))):
            return listed
    marks = re.search(r"[|·・]", plain)
    return _listed(plain, prop.type, 2, spoken=False) if marks else None


def _listed(text: str, type: PropertyType, least: int, *, spoken: bool) -> OneOf | None:
    text = text.strip().rstrip(".。")
    if _NO_VALUES.search(text):
        return None
    marked = re.split(r"\s*(?:[,、|/·・]|\s(?:or|또는|혹은)\s|または|或いは)\s*", text)
    if len(marked) < 2 or (not spoken and not re.search(r"[,、|/·・]", text)):
        return None
    items = [re.sub(r"^(?:or|and)\s+|^[\"'“]|[\"'”]$", "", item).strip() for item in marked]
    items = [item for item in items if item]
    if len(set(items)) < least or any("=" in item or ":" in item for item in items):
        return None
    try:
        rule = parse_value_rule(", ".join(items), type)
    except ValueRuleError:
        return None
    if not isinstance(rule, OneOf) or (type is not PropertyType.NUMBER and any(len(i) > 30 for i in items)):
        return None
    return rule


# --------------------------------------------------------------------------- limits

_N = r"(-?\d{1,9}(?:[.,]\d+)?)"
_UNIT = r"\s*(?:%|점|세|개|회|위|등|点|歳|回|個|位|stars?|points?|percent)?\s*"
_RANGES = (
    rf"[\[{{]\s*{_N}\s*(?:[,;~-]|\.\.)\s*{_N}\s*[\]}}]",
    rf"(?:between|from)\s+{_N}{_UNIT}(?:and|to)\s+{_N}",
    rf"(?<![\w.:/-]){_N}{_UNIT}(?:to|through|~|-|\.\.|부터|에서|から)\s*{_N}(?![\w:/-]*\d)(?!\s*(?:times|x)\b)",
)
_MOST = (
    rf"(?:\bat most|\bup to|\bmax(?:imum)?(?: of|\.)?|\bn(?:o|ot) more than|\bnot above|≤|<=|최대|最大)\s*:?\s*{_N}",
    rf"{_N}\s*[^\s\d,.;]?\s*(?:이하|以下|まで)",
)
_LEAST = (
    rf"(?:\bat least|\bmin(?:imum)?(?: of|\.)?|\bno less than|\bnot below|\bfrom|≥|>=|최소|最低|最小)\s*:?\s*{_N}",
    rf"{_N}\s*[^\s\d,.;]?\s*(?:이상|以上)",
    rf"(?<![\w.]){_N}\+(?!\d)",
)


def limits_in(text: str) -> tuple[float | None, float | None]:
    """Lowest and highest number that a text names; None where it does not."""
    plain = text.translate(_HALF_WIDTH)
    for pattern in _RANGES:
        for low, high in re.findall(pattern, plain, re.IGNORECASE):
            bounds = float(low.replace(",", "")), float(high.replace(",", ""))
            if bounds[0] < bounds[1]:
                return bounds
    return _bound(_LEAST, plain), _bound(_MOST, plain)


def _bound(patterns: Sequence[str], text: str) -> float | None:
    found = next((m for pattern in patterns if (m := re.search(pattern, text, re.IGNORECASE))), None)
    return float(found[1].replace(",", "")) if found else None


def range_in(prop: Property, texts: Sequence[str]) -> Between | None:
    """The range of a number, where a text names both ends."""
    if prop.type is not PropertyType.NUMBER:
        return None
    for text in texts:
        low, high = limits_in(text)
        if low is not None and high is not None and low < high:
            whole = low.is_integer() and high.is_integer() and high - low > 1
            return Between(min=low, max=high, integer=whole)
    return None


def rule_in_words(prop: Property) -> ValueRule | None:
    """What the alias, the description or the constraint says about the values, other than by a rule."""
    texts = [text for text in (prop.constraint, prop.description, prop.alias) if text.strip()]
    if prop.rule is not None:  # a list already; the words around it are no part of its values
        framed = _LEADS.search(prop.description) or _AROUND.search(prop.description)
        return values_in(prop, prop.description) if framed else None
    listed = next((found for text in texts if (found := values_in(prop, text))), None)
    return listed or range_in(prop, texts)


# --------------------------------------------------------------------------- units

_UNITS: dict[str, str] = {
    "percent": r"(?<!\d)(?<!\d )%|\d\s*(?:-|~|to)\s*\d+ ?%|\b100 ?%"
    r"|\b(?:percent|percentage|per cent|pct)\b|퍼센트|백분율|パーセント",
    "share": r"\b0\s*(?:-|to|~|and)\s*1\b(?!\d)|\bas a (?:fraction|ratio)\b|\bfraction of\b",
    "KRW": r"\bkrw\b|\b(?:in|of|korean|price|amount|fee|cost|paid|pay|\d) ?won\b|\(won\)|^won$"
    r"|₩|(?:^|[(\s\d])(?:단위\s*:?\s*)?원\b|원화",
    "JPY": r"\b(?:jpy|yen)\b|[¥￥]|(?:^|[(\s\d])(?:単位\s*:?\s*)?円|日本円",
    "VND": r"\b(?:vnd|dong)\b|₫",
    "IDR": r"\b(?:idr|rupiah)\b",
    "INR": r"\b(?:inr|rupees?)\b|₹",
    "money": r"\b(?:usd|eur|gbp|chf|cad|aud|sgd|euros?|dollars?|pounds?|cents)\b|[$€£]|달러|유로|ドル|ユーロ",
    "ms": r"\b(?:ms|msec|milliseconds?|millis)\b|밀리초|ミリ秒",
    "seconds": r"\b(?:in seconds|secs?|seconds)\b|\(s\)|\d\s*s\b|초(?:\)|$|\s)|\(초|秒",
    "minutes": r"\b(?:in minutes|mins?|minutes)\b|\(분|분\)|분 단위|\(分|分\)|分単位",
    "hours": r"\b(?:in hours|hrs?|hours)\b|\(시간\)|시간 단위|時間\)|\(h\)",
    "days": r"\b(?:in days|days)\b|일수|日数|\(일\)|\(日\)",
    "km": r"\b(?:km|kilomet(?:er|re)s?|miles?)\b|킬로미터|キロメートル",
    "metres": r"\b(?:metres|meters)\b|\(m\)|미터|メートル",
    "cm": r"\b(?:cm|centimet(?:er|re)s?)\b|센티미터|センチ",
    "kg": r"\b(?:kg|kilograms?|kilos)\b|킬로그램|キログラム",
    "grams": r"\b(?:grams?|gr)\b|\(g\)|그램|グラム",
    "characters": r"\b(?:characters|letters)\b|글자\s*수|자\s*수|文字数",
    "count": r"\b(?:number|count|amount) of [a-z]+s\b|\bhow many\b|(?:개|건|횟|인원|회|명|장|컷|편)\s*수\b"
    r"|(?:件|回|人|個|枚)数",
}
_PATTERNS = {unit: re.compile(pattern, re.IGNORECASE) for unit, pattern in _UNITS.items()}
MONEY = frozenset({"KRW", "JPY", "VND", "IDR", "INR", "money"})


@functools.lru_cache(maxsize=4096)
def units_in(text: str) -> frozenset[str]:
    """Units that a text names; `percent` is no `share`."""
    plain = text.translate(_HALF_WIDTH)
    return frozenset(unit for unit, pattern in _PATTERNS.items() if pattern.search(plain))


def unit_of(prop: Property, name_words: Sequence[str]) -> str | None:
    """The unit of a number: as its name ends in, else as its alias or description says; None where none is named."""
    return next(_units(prop, name_words), None)


def _units(prop: Property, name_words: Sequence[str]) -> Iterator[str]:
    last = " ".join(name_words[-1:])
    if last == "won" and any(word.endswith("s") for word in name_words[:-1]):
        last = ""  # `lots_won` are no money
    for text in (last if len(name_words) > 1 else "", prop.alias, prop.description):
        found = units_in(text)
        for unit in _UNITS:  # the more exact ones stand first
            if unit in found:
                yield unit
