"""What the texts of a property say about its values in words: lists, limits and units, in English, Korean and Japanese.

`taxonomies.value_rules` reads cells that are rules. What stands here is said in passing: `one of paid, free, trial`,
`등급 (일반 / 실버 / 골드)`, `1 to 5`, `at most 120`, `進捗率(%)`, `price in EUR`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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

HALF_WIDTH = str.maketrans("，：＝（）～〜–／｜＜％０１２３４５６７８９", ",:=()~~-/|<%0123456789")


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
    plain = text.strip().translate(HALF_WIDTH)
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
    plain = text.translate(HALF_WIDTH)
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


# --------------------------------------------------------------------------- rules


def rule_of(prop: Property) -> ValueRule | None:
    """What the sheet says about the values, in its description or its constraint."""
    if prop.rule is not None or not prop.constraint.strip():
        if prop.rule is None and prop.type is PropertyType.STRING and _BARE_VALUES.fullmatch(prop.description):
            return OneOf(values=tuple(re.split(r"\s*[,/]\s*", prop.description.strip())))
        return rule_in_words(prop) or prop.rule if isinstance(prop.rule, OneOf | None) else prop.rule
    try:
        rule = parse_value_rule(prop.constraint, prop.type) or _lone_bound(prop.constraint, prop.type)
    except ValueRuleError:
        rule = None
    return rule or rule_in_words(prop)


_BARE_VALUES = re.compile(r"\s*[a-z][\w-]*(?:\s*[,/]\s*[a-z][\w-]*)+\s*", re.ASCII)
"""A description that is nothing but values in small letters: `film, episode`."""
_LONE_BOUND = re.compile(r"(>=|<=|>|<|min|max)[:=]*(-?\d+(?:\.\d+)?)")


def _lone_bound(constraint: str, type: PropertyType) -> ValueRule | None:
    """A lone bound such as `>= 0`; the other one is far away."""
    text = constraint.strip().replace(" ", "").lower().replace("≥", ">=").replace("≤", "<=")
    found = _LONE_BOUND.fullmatch(text) if type is PropertyType.NUMBER else None
    if found is None:
        return None
    bound, integer = float(found[2]), "." not in found[2]
    step = (1 if integer else 0.01) if found[1] in (">", "<") else 0
    if found[1] in (">=", ">", "min"):
        return Between(min=bound + step, max=max(bound + 1000, bound * 100), integer=integer)
    return Between(min=min(0, bound - step), max=bound - step, integer=integer)
