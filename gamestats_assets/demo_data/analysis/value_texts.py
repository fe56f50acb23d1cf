"""What texts say about values in words: lists and limits, in English, German, Korean and Japanese.

`taxonomies.value_rules` reads cells that are rules. What stands here is said in passing: `one of paid, free, trial`,
`등급 (일반 / 실버 / 골드)`, `1 to 5`, `at most 120`. `value_texts.toml` has how texts say it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Literal

from gamestats_assets.demo_data.reference import facts
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

_NO_VALUES = re.compile(
    r"^(?:e\.?g|i\.?e|incl|excl|if|in|when|only|for|or|and|see|not|max|min|up to|optional|required|unique|"
    r"예|단위|例|単位)\b|[.!?]\s",
    re.IGNORECASE,
)
_AROUND = re.compile(r"중\s*(?:하나|1개|택)|いずれか|どれか|のうち|から選択|^[^:,/|]{1,60}:\s")
_CODES = re.compile(r"(?<![\w.])(\d{1,3})\s*[=:]\s*(?=[^\s\d])")
_BARE_VALUES = re.compile(r"\s*[a-z][\w-]*(?:\s*[,/]\s*[a-z][\w-]*)+\s*", re.ASCII)
"""A description that is nothing but values in small letters: `film, episode`."""


def values_in(prop: Property, text: str) -> OneOf | None:
    """The values that a text lists in its own words; None where it lists none."""
    plain = text.strip().translate(HALF_WIDTH)
    listed = prop.type in (PropertyType.STRING, PropertyType.LIST, PropertyType.NUMBER)
    if not listed or not plain or "e.g" in plain.lower():
        return None
    codes = _CODES.findall(plain)
    if len(set(codes)) > 1 and prop.type is PropertyType.NUMBER:
        return OneOf(values=tuple(dict.fromkeys(map(int, codes))))
    for known in facts("value_texts")["lists"]:
        found = re.search(known["says"], plain, re.IGNORECASE)
        if found and (rule := _listed(found["list"], prop.type, known["least"], spoken=known.get("spoken", False))):
            return rule
    return None


def _listed(text: str, type: PropertyType, least: int, *, spoken: bool) -> OneOf | None:
    text = text.strip().rstrip(".。")
    marked = re.split(r"\s*(?:[,、|/·・]|\s(?:or|oder|또는|혹은)\s|または|或いは)\s*", text)
    if _NO_VALUES.search(text) or len(marked) < 2 or (not spoken and not re.search(r"[,、|/·・]", text)):
        return None
    items = [re.sub(r"^(?:or|and)\s+|^[\"'“]|[\"'”]$", "", item).strip() for item in marked]
    items = [item for item in items if item]
    if len(set(items)) < least or any("=" in item or ":" in item for item in items):
        return None
    try:
        rule = parse_value_rule(", ".join(items), type)
    except ValueRuleError:
        return None
    short = type is PropertyType.NUMBER or all(len(item) <= 30 for item in items)
    return rule if isinstance(rule, OneOf) and short else None


# --------------------------------------------------------------------------- limits


@functools.cache
def _limits(which: str) -> tuple[re.Pattern[str], ...]:
    number = r"(-?\d{1,9}(?:[.,]\d+)?)"
    known = facts("value_texts")["limits"][which]
    return tuple(re.compile(text.replace("N", number), re.IGNORECASE) for text in known)


def limits_in(text: str) -> tuple[float | None, float | None]:
    """Lowest and highest number that a text names; None where it does not."""
    plain = text.translate(HALF_WIDTH)
    for found in (match for pattern in _limits("both") for match in pattern.findall(plain)):
        low, high = (float(bound.replace(",", "")) for bound in found)
        if low < high:
            return (min(low, 0.0) if re.search(facts("value_texts")["limits"]["none"], plain) else low), high
    ends = (next((m for pattern in _limits(end) if (m := pattern.search(plain))), None) for end in ("least", "most"))
    least, most = (float(found[1].replace(",", "")) if found else None for found in ends)
    return least, most


# --------------------------------------------------------------------------- rules


def rule_of(prop: Property) -> ValueRule | None:
    """What the sheet says about the values, in its description, its constraint or its alias."""
    if prop.rule is None and prop.constraint.strip():
        try:
            rule = parse_value_rule(prop.constraint, prop.type)
        except ValueRuleError:
            rule = None
        return rule or _in_words(prop)
    if isinstance(prop.rule, OneOf):  # the words around a list are no part of its values
        leads = re.search(facts("value_texts")["lists"][0]["says"], prop.description, re.IGNORECASE)
        framed = leads or _AROUND.search(prop.description)
        return (values_in(prop, prop.description) if framed else None) or prop.rule
    if prop.rule is None and prop.type is PropertyType.STRING and _BARE_VALUES.fullmatch(prop.description):
        return OneOf(values=tuple(re.split(r"\s*[,/]\s*", prop.description.strip())))
    return prop.rule or _in_words(prop)


def _in_words(prop: Property) -> ValueRule | None:
    """What the constraint, the description or the alias says about the values, other than by a rule."""
    texts = [text for text in (prop.constraint, prop.description, prop.alias) if text.strip()]
    if listed := next((found for text in texts if (found := values_in(prop, text))), None):
        return listed
    for low, high in map(limits_in, texts) if prop.type is PropertyType.NUMBER else ():
        if low is not None and high is not None and low < high:
            return Between(min=low, max=high, integer=low.is_integer() and high.is_integer() and high - low > 1)
    return None
