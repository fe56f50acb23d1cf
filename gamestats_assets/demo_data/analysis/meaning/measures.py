"""The measures of a product's numbers, their ranges for each segment of users, and values that texts name.

A number's name and alias give its measure: a level, a price, a heart rate. Numbers of one measure have the same range,
unless the sheet sets limits, which always hold: by a rule in a cell, or in passing (`one of paid, free`, `1 to 5`, `at
most 120`). `measures.toml` has the words, the measures and their ranges; `value_texts.toml` has the ways in which texts
name values and limits.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.analysis.meaning.reading import Lexicon, named_words, own_name, own_pieces, piece_set
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.model import ValueRange
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, UpdateMode, flattened
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Between,
    Counter,
    FromEvent,
    OneOf,
    OneOfEach,
    ValueRule,
    ValueRuleError,
    parse_value_rule,
)

Language = Literal["en", "ko", "ja"]

HALF_WIDTH = str.maketrans("，：＝（）～〜–／｜＜％０１２３４５６７８９", ",:=()~~-/|<%0123456789")


def language_of(texts: Sequence[str]) -> Language:
    """Returns the language of a sheet."""
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
"""A description that consists of values in small letters: `film, episode`."""


def values_in(prop: Property, text: str) -> OneOf | None:
    """Returns the values that a text lists in its own words; None if it lists none."""
    plain = text.strip().translate(HALF_WIDTH)
    listed = prop.type in (PropertyType.STRING, PropertyType.LIST, PropertyType.NUMBER)
    if not listed or not plain or "e.g" in plain.lower():
        return None
    codes = tuple(dict.fromkeys(map(int, _CODES.findall(plain))))
    if len(codes) > 1 and prop.type is PropertyType.NUMBER:
        return OneOf(values=codes)
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
    """Returns the lowest and the highest number that a text names; None for each that is missing."""
    plain = text.translate(HALF_WIDTH)
    for found in (match for pattern in _limits("both") for match in pattern.findall(plain)):
        low, high = (float(bound.replace(",", "")) for bound in found)
        if low < high:
            return (min(low, 0.0) if re.search(facts("value_texts")["limits"]["none"], plain) else low), high
    ends = (next((m for pattern in _limits(end) if (m := pattern.search(plain))), None) for end in ("least", "most"))
    least, most = (float(found[1].replace(",", "")) if found else None for found in ends)
    return least, most


# --------------------------------------------------------------------------- rules


@functools.lru_cache(maxsize=4096)
def rule_of(prop: Property) -> ValueRule | None:
    """Returns the rule for the values in a property's description, constraint or alias."""
    if prop.rule is None and prop.constraint.strip():
        try:
            rule = parse_value_rule(prop.constraint, prop.type) or _lone_bound(prop.constraint, prop.type)
        except ValueRuleError:
            rule = None
        return rule or _in_words(prop)
    if isinstance(prop.rule, OneOf):  # the words around a list are not among its values
        leads = re.search(facts("value_texts")["lists"][0]["says"], prop.description, re.IGNORECASE)
        framed = leads or _AROUND.search(prop.description)
        return (values_in(prop, prop.description) if framed else None) or prop.rule
    if prop.rule is None and prop.type is PropertyType.STRING and _BARE_VALUES.fullmatch(prop.description):
        return OneOf(values=tuple(re.split(r"\s*[,/]\s*", prop.description.strip())))
    return prop.rule or _in_words(prop)


def _lone_bound(constraint: str, type: PropertyType) -> ValueRule | None:
    """Returns the rule of a lone bound such as `>= 0`; the other bound is far away."""
    text = constraint.strip().replace(" ", "").lower().replace("≥", ">=").replace("≤", "<=")
    found = re.fullmatch(r"(>=|<=|>|<|min|max)[:=]*(-?\d+(?:\.\d+)?)", text)
    if found is None or type is not PropertyType.NUMBER:
        return None
    bound, integer = float(found[2]), "." not in found[2]
    step = (1 if integer else 0.01) if found[1] in (">", "<") else 0
    if found[1] in (">=", ">", "min"):
        return Between(min=bound + step, max=max(bound + 1000, bound * 100), integer=integer)
    return Between(min=min(0, bound - step), max=bound - step, integer=integer)


def _in_words(prop: Property) -> ValueRule | None:
    """Returns values or limits that the constraint, description or alias names in words instead of as a rule."""
    texts = [text for text in (prop.constraint, prop.description, prop.alias) if text.strip()]
    if listed := next((found for text in texts if (found := values_in(prop, text))), None):
        return listed
    for low, high in map(limits_in, texts) if prop.type is PropertyType.NUMBER else ():
        if low is not None and high is not None and low < high:
            return Between(min=low, max=high, integer=low.is_integer() and high.is_integer() and high - low > 1)
    return None


# --------------------------------------------------------------------------- measures of numbers


USABLE_NAME = re.compile(
    r"(?!(?:and|or|not|if|min|max|random|round|floor|ceil|abs|sqrt|log|exp|clamp)$)#?[A-Za-z_][A-Za-z0-9_]*"
)
"""Names that can stand in a formula as they are."""

Growth = Literal["none", "mild", "steps", "wealth", "total", "rank"]
"""How a number grows with engagement: not at all, a little, in small steps (levels), by orders of magnitude (coins),
from zero (counts since the sign-up), or downwards (a place in a ranking)."""

UNIQUE = named_words("unique")
"""Things that are new each time."""
OWNED = named_words("owned")
"""Groups that a user belongs to, one at a time."""


# --------------------------------------------------------------------------- words


@functools.cache
def _lexicon(table: str) -> Lexicon:
    words = {**facts("measures")[table], **(_in_one_row() if table == "words" else {})}
    return Lexicon((name, row if isinstance(row, str) else row["words"]) for name, row in words.items())


@functools.cache
def _in_one_row() -> dict[str, str]:
    """Returns the measures whose row has words of its own, so that they need no rule."""
    return {name: known["words"] for name, known in facts("measures")["measures"].items() if "words" in known}


def texts_of(prop: Property) -> str:
    """Returns what the sheet says about a property besides its name, in small letters."""
    return f"{prop.alias} {prop.description}".lower()


def label_of(prop: Property) -> str:
    """Returns a property's alias, or else a description of a few words."""
    return prop.alias or (prop.description if len(prop.description) <= 24 else "")


@functools.lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_lexicon("words").words(text))


def measure_words(prop: Property) -> list[str]:
    """Returns the parts of measures that the words of a property's name mean."""
    return list(_words(prop.name))


def industry_of(product: ProductInfo) -> str:
    """Returns the industry as one of a few words; `other` if it is none of them."""
    text = product.industry.lower().replace("-", "").replace("_", " ")
    words = [*_lexicon("industries").words(text), *_lexicon("industries").words(text.replace(" ", ""))]
    return next((word for word in words if word in facts("measures")["industries"]), "other")


# --------------------------------------------------------------------------- units


@functools.cache
def _units() -> dict[str, re.Pattern[str]]:
    return {unit: re.compile(row["says"], re.IGNORECASE) for unit, row in facts("measures")["units"].items()}


MONEY = frozenset({"KRW", "JPY", "VND", "IDR", "INR", "money"})


@functools.lru_cache(maxsize=4096)
def units_in(text: str) -> frozenset[str]:
    """Returns the units that a text names; `percent` does not count as `share`."""
    plain = text.translate(HALF_WIDTH)
    return frozenset(unit for unit, pattern in _units().items() if pattern.search(plain))


def _unit_of(prop: Property) -> str | None:
    """Returns the unit at the end of a number's name, else in its alias or description; None if there is none."""
    words = measure_words(prop)
    last = words[-1] if len(words) > 1 else ""
    if last == "won" and any(word.endswith("s") for word in words[:-1]):
        last = ""  # `lots_won` is not money
    found = (units_in(text) for text in (last, prop.alias, prop.description))
    return next((unit for named in found for unit in _units() if unit in named), None)


def seconds_in(place: Place) -> float | None:
    """Returns the seconds per unit of a duration; None if it is not one."""
    known, found, name_words = facts("measures")["time_units"], own_pieces(place.name), piece_set(place.name)
    spelt = [word for place, word in enumerate(found) if place or len(word) > 4 or len(found) == 1]  # not `min_order`
    if not name_words & {"price", "fare", "fee", "count", "cnt", "rate", "id"}:
        units = [factor for word in spelt for unit, factor in known.items() if re.fullmatch(unit, word)]
        if units:
            return units[-1]
    if not name_words & {"duration", "time", "period", "length", "hours", "elapsed"}:
        return None
    match = re.search(r"\(\s*(\w+)\s*\)|\bin (\w+)|^(\w+)|(초|분|시간|秒|分|時間)$", texts_of(place.prop).strip())
    words = [word for word in (match.groups() if match else ()) if word]
    return next((factor for unit, factor in known.items() for word in words if re.fullmatch(unit, word)), None)


# --------------------------------------------------------------------------- places


@dataclass(frozen=True)
class Place:
    """A property at its place: its event (empty for common properties, `user` for users'), and its dotted name."""

    event: str
    name: str
    prop: Property
    kind: EventKind = EventKind.OTHER

    @property
    def key(self) -> str:
        """Name in rules for this event alone."""
        return f"{self.event}/{self.name}" if self.of_event else self.name

    @property
    def parent(self) -> str:
        """Name of the object that it is a part of; empty if there is none."""
        return self.name.rpartition(".")[0]

    @property
    def of_event(self) -> bool:
        """Whether it is an event's own property."""
        return self.event not in ("", "user")


def places(taxonomy: Taxonomy, kinds: Mapping[str, EventKind]) -> Iterator[Place]:
    """Yields every property at each of its places, nested ones included."""
    groups = [(event.name, event.properties) for event in taxonomy.events]
    groups += [("", taxonomy.common_properties), ("user", taxonomy.user_properties)]
    for event, properties in groups:
        for name, prop in flattened(properties):
            yield Place(event, name, prop, kinds.get(event, EventKind.OTHER))


def by_parent(found: Iterable[Place]) -> dict[tuple[str, str], list[Place]]:
    """Returns the properties that stand together, by event and object."""
    together: dict[tuple[str, str], list[Place]] = {}
    for place in found:
        together.setdefault((place.event, place.parent), []).append(place)
    return together


# --------------------------------------------------------------------------- measures


@dataclass(frozen=True)
class Measure:
    """The measure of a number, with its range and the typical value of an active user; `given` if the sheet limits
    it."""

    name: str
    low: float
    high: float
    typical: float
    growth: Growth = "none"
    integer: bool = True
    given: bool = False


_UNITS_OF_AMOUNTS = named_words("units_of_amounts")
_OF_MONEY = named_words("of_money")
_UNSURE = frozenset({None, "other", "ratio", "quantity", "times", "interest", "index"})
"""The vaguest measures; for these the unit decides."""
_AFTER_THE_HEAD = named_words("after_the_head")
_CURRENCY = re.compile(r"\b(?:EUR|USD|GBP|KRW|JPY|CNY|dollars?|euros?|yen)\b|[(（](?:원|円|달러|ドル)[)）]|[€$£￥₩]")


def counts_things(name: str) -> bool:
    """Whether a name counts things: `total_orders`, `TotalBookings`, `total_tasks_completed`."""
    words = own_pieces(name)
    plural = {word for word in words if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))}
    return bool(plural) and not plural & _UNITS_OF_AMOUNTS and not _OF_MONEY & {*words}


def head_word(words: Sequence[str]) -> str:
    """Returns the word that a name is about: `price` of `price_per_km_eur`, `fare` of `time_fare`."""
    cut = next((n for n, word in enumerate(words) if n and word in ("per", "of", "for", "by", "in")), len(words))
    kept = [word for word in words[:cut] if word not in _AFTER_THE_HEAD] or list(words[:cut])
    return kept[-1] if kept else ""


def measure(place: Place, product: ProductInfo) -> Measure:
    """Returns the measure of a number, within the sheet's limits or else the usual ones."""
    industry, rule = industry_of(product), rule_of(place.prop)
    found = _named(place, measure_words(place.prop), industry)
    if found.name == "other":
        found = _named(place, [*measure_words(place.prop), *_words(place.prop.alias)], industry)
    if _is_counted(place) and found.growth in ("none", "mild", "steps", "wealth"):
        found = replace(found, growth="total", low=0, high=max(found.high * 20, 200), typical=found.typical * 5)
    if found.name in ("other", "ratio") and _CURRENCY.search(f"{place.prop.alias} {place.prop.description}"):
        found = _money("price", industry, None)
    limited = _limited(found, rule, place.prop)
    # Within a list of objects a count numbers them, for every user alike.
    return replace(limited, growth="none") if "." in place.name and isinstance(rule, Counter) else limited


def _is_counted(place: Place) -> bool:
    """Whether a user's number counts since the sign-up."""
    if isinstance(place.prop.rule, FromEvent):
        return place.event == "user" and place.prop.rule.aggregate in ("sum", "cnt", "daycnt")
    words = {*measure_words(place.prop), *_words(place.prop.alias)}
    counts = place.prop.update is UpdateMode.ADD or words & {"total", "count", "streak"}
    return place.event == "user" and bool(counts)


def _named(place: Place, words: list[str], industry: str) -> Measure:
    parts, rule, head = set(words), rule_of(place.prop), head_word(words)
    counts = isinstance(rule, FromEvent) and rule.aggregate in ("cnt", "daycnt")
    if place.event == "user" and (counts or ("total" in parts and rule is None and counts_things(place.prop.name))):
        return _usual("total_count")
    name = _by_rules("named", place, words, head, industry)
    unit = _unit_of(place.prop)
    if name in ("height", "weight") and industry != "health" and (unit in ("cm", "kg") or parts & {"gross", "net"}):
        name = "centimetres" if name == "height" else "mass"
    elif name in _UNSURE and unit is not None:
        of_unit = facts("measures")["units"][unit].get("measure")
        certain = unit in MONEY or unit in ("share", "count") or name in (None, "other")
        name = of_unit if of_unit and (certain or (unit == "percent" and name == "ratio")) else name
    return _money(name, industry, unit) if name in ("price", "part", "wealth") else _usual(name or "other")


def _usual(name: str) -> Measure:
    known = facts("measures")["measures"][name]
    low, high, typical = (float(known[end]) for end in ("low", "high", "typical"))
    return Measure(name, low, high, typical, known.get("growth", "none"), known.get("whole", True))


def _by_rules(table: str, place: Place, words: Sequence[str], head: str, industry: str) -> str | None:
    """Returns the measure of the first rule that fits the parts of a name."""
    parts, last = {*words}, words[-1] if words else ""
    if table == "named" and last == "id":
        parts = {*own_name(place.prop.name).split("_")}
        return "unique_id" if parts & UNIQUE else "own_id" if parts & OWNED else "id"
    if own := next((word for word in words if word in _in_one_row() and table == "named"), None):
        return own
    is_game = industry == "game"
    real = not is_game or place.kind.name in facts("measures")["real_money"].split()
    holds = {
        "game": is_game,
        "health": industry == "health",
        "event": place.of_event,
        "user": place.event == "user",
        "soft": is_game and place.of_event and not real,
        "real": real,
        "things": counts_things(place.prop.name),
        "session_end": place.kind is EventKind.SESSION_END,
    }
    for rule in facts("measures")["rules"][table]:
        fits = (
            all(parts & {*rule[key].split()} for key in ("any", "also") if key in rule)
            and parts >= {*rule.get("all", "").split()}
            and not parts & {*rule.get("none", "").split()}
            and ("last" not in rule or (head if rule["is"] == "sized" else last) in rule["last"].split())
            and all(holds[flag.lstrip("!")] != flag.startswith("!") for flag in rule.get("where", "").split())
            and re.search(rule.get("name", ""), f"{place.event}/{place.name}".lower())
            and re.search(rule.get("text", ""), texts_of(place.prop))
        )
        found = _by_rules("sized", place, words, head, industry) if fits and rule["is"] == "sized" else rule["is"]
        if fits and found:
            return str(found)
    return _by_rules("sized", place, words, head, industry) if table == "named" else None


def _money(name: str, industry: str, unit: str | None) -> Measure:
    low, high, typical = (facts("measures")["industries"][industry][end] for end in ("low", "high", "typical"))
    found = Measure(name, low, high, typical, "mild", integer=False)
    if name == "part":
        found = Measure(name, 0, round(high / 5, 2), round(typical / 12, 2), "none", integer=False)
    elif name == "wealth":
        found = Measure(name, 0, high * 100, typical * 30, "wealth", integer=False)
    if times := facts("measures")["units"].get(unit, {}).get("dollar"):
        low, high, typical = (float(round(end * times, -2)) for end in (found.low, found.high, found.typical))
        found = replace(found, low=low, high=high, typical=typical, integer=True)
    return found


# --------------------------------------------------------------------------- limits

_RUN_BEGINS = 2026


def _bounds_in(prop: Property, found: Measure) -> tuple[float, float]:
    """Returns the bounds that a text names: `at most 120`, `18+`, `5回まで`; an age bounds a birth year as well."""
    ends = [limits_in(text) for text in (prop.description, prop.alias) if text]
    low = next((low for low, _ in ends if low is not None), None)
    high = next((high for _, high in ends if high is not None), None)
    if found.name == "birth_year":
        low, high = (_RUN_BEGINS - age if age is not None and age <= 120 else None for age in (high, low))
    return found.low if low is None else low, found.high if high is None else high


def _limited(found: Measure, rule: ValueRule | None, prop: Property) -> Measure:
    """Returns the measure within the sheet's limits."""
    integer = found.integer
    listed = rule.values if isinstance(rule, OneOf) else rule.all_values if isinstance(rule, OneOfEach) else ()
    numbers = [float(v) for v in listed if isinstance(v, int | float) and not isinstance(v, bool)]
    if numbers:
        low, high, integer = min(numbers), max(numbers), all(n.is_integer() for n in numbers)
        typical = sum(numbers) / len(numbers)
        return replace(found, low=low, high=high, integer=integer, growth="none", typical=typical, given=True)
    if isinstance(rule, Between):
        whole = rule.min.is_integer() and rule.max.is_integer() and rule.max - rule.min >= 5
        low, high, integer = rule.min, rule.max, rule.integer or (whole and integer and found.name != "other")
    elif isinstance(rule, Counter):
        integer = rule.start.is_integer() and rule.step.is_integer()
        ahead = rule.start + max(found.high - found.low, 50) * max(abs(rule.step), 1)
        low, high = sorted((rule.start, ahead if rule.max is None else rule.max))
        found = replace(found, growth="steps" if found.growth == "steps" else "total")
    elif isinstance(rule, Balance):
        low, high, integer = 0.0, max(rule.start * 20, 10_000), True
        found = replace(found, name="holding", growth="mild", low=0, high=high, typical=max(rule.start, high / 10))
    else:
        low, high = _bounds_in(prop, found)
        if (low, high) == (found.low, found.high) or low >= high:
            return found
    width = high - low
    at = (found.typical - found.low) / (found.high - found.low) if found.high > found.low else 0.4
    fits = low <= found.typical <= low + width * 0.6 and found.high >= high / 10 and found.name != "other"
    typical = found.typical if fits else low + width * min(max(at, 0.35), 0.6)
    return replace(found, low=low, high=high, integer=integer, typical=min(max(typical, low), high), given=True)


# --------------------------------------------------------------------------- by segment


def overall(found: Measure) -> ValueRange:
    """Returns a number's range for all users."""
    return ValueRange(min=found.low, max=found.high, mean=_rounded(found.typical, found), integer=found.integer)


def of_segment(found: Measure, segment: str) -> ValueRange:
    """Returns a number's range for a segment."""
    width, known = found.high - found.low, facts("measures")["segments"]
    if found.growth == "none" or width <= 0:
        return overall(found)
    if found.growth in ("mild", "rank"):  # the mean moves by a factor, or less near a bound
        factor = known["mild"][segment] if found.growth == "mild" else 1 / known["mild"][segment] ** 3
        above, below = found.high - found.typical, found.typical - found.low
        moved = found.typical + (min(above, below) or max(above, below) / 4) * (factor - 1) * 0.9
        return overall(replace(found, typical=min(max(moved, found.low), found.high)))
    narrow = width * known["wealth"]["active_user"][0] < (1 if found.integer else 0.01)
    growth = "steps" if found.growth == "wealth" and narrow else found.growth
    low, high = (found.low + width * share for share in known[growth][segment])
    if found.growth == "steps" and segment == "new_user":
        high = max(high, min(found.low + 4, found.low + width * 0.1)) if found.integer else high
    if found.integer:
        low, high = float(round(low)), float(max(round(high), round(low)))
    mean = low + (high - low) * (0.5 if growth == "steps" else 0.35)
    low, high, mean = (_rounded(value, found) for value in (low, high, mean))
    return ValueRange(min=low, max=high, mean=mean, integer=found.integer)


def _rounded(value: float, found: Measure) -> float:
    """Rounds to a readable value within the bounds."""
    return min(max(round(value, 2 if found.high - found.low >= 1 else 6), found.low), found.high)
