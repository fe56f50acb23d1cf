"""The small rules that people write into the description column of a tracking plan.

`parse_value_rule` reads one cell. It understands:

| cell | meaning |
|---|---|
| `[60,7200]`, `[0.01,0.37]`, `[30;240]`, `[0.5~72]` | a number between the two, with any decimals |
| `{1,4}`, `{1..20}` (also with a full-width comma) | a whole number between the two, both included |
| `[29,43]=value` | the same; the suffix only marks a plain value |
| `1|+1`, `0|+1|10` | counts its own event per user: start, step, largest value |
| `1|+1 group by hero_id` | a count per value of another property of the event |
| `1|+0` | shows the count that another event moves, from this start |
| `++1`, `+0` | moves, or shows, the count that another event started in the property of that name |
| `5000|+info.num group by info.item_id` | a balance per item, moved by another property of the event |
| `A, B, C` with `,` `，` `、` or `/`, a trailing "etc." allowed; `A|B|C` of single words | one of these |
| `6,15,38` in a number's cell | one of these numbers |
| `USD: 0.99, 4.99; KRW: 1200, 5900` | one of these, by the value of another property of the event, or by the event |
| `Y/N` | true or false |
| `=true_first` | true the first time, false from then on |
| `=account_id`, ` =#distinct_id` | a copy of the id |
| `10` in the cell of a list of objects | so many objects |
| `event|property|last` (first, sum, cnt, daycnt, equal) | a value from another event, for user and common properties |
| `event|2>>info.after_num|equal` | the same, of the object whose key has that value |
| an example (`예: ...`, `e.g. ...`) or a JSON sample | the example |
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from gamestats_assets.lakehouse.errors import GamestatsError

if TYPE_CHECKING:  # a taxonomy's types use these rules
    from gamestats_assets.demo_data.taxonomies.model import PropertyType

Scalar = bool | int | float | str


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Between(_Rule):
    """A number within bounds, both included."""

    kind: Literal["between"] = "between"
    min: float
    max: float
    integer: bool


class OneOf(_Rule):
    """One of several values.

    Attributes:
        open_ended: whether the text says that there are more values.
    """

    kind: Literal["one_of"] = "one_of"
    values: tuple[Scalar, ...]
    open_ended: bool = False


class OneOfEach(_Rule):
    """One of several values, which depend on something else: `USD: 0.99, 4.99; KRW: 1200, 5900`.

    Attributes:
        on: name of the deciding property, among those beside it; empty while it is unknown.
        values: by label, which is a value of that property, or the name of an event.
    """

    kind: Literal["one_of_each"] = "one_of_each"
    on: str = ""
    values: tuple[tuple[str, tuple[Scalar, ...]], ...]

    @property
    def all_values(self) -> tuple[Scalar, ...]:
        """Returns the values of all labels, each once."""
        return tuple(dict.fromkeys(value for _, values in self.values for value in values))

    def of(self, on: str, labels: Collection[str]) -> OneOfEach:
        """Returns the part for a deciding property with these values."""
        return OneOfEach(on=on, values=tuple(of for of in self.values if of[0] in labels))


class Counter(_Rule):
    """A count per user that the event itself moves; with a step of 0 it shows what others move.

    Attributes:
        start: value before the first event.
        max: limit of the count; None for no limit.
        group_by: name of the event's property that separates counts; None for one count.
    """

    kind: Literal["counter"] = "counter"
    start: float
    step: float
    max: float | None = None
    group_by: str | None = None


class SharedCounter(_Rule):
    """The count that another event started in the property of this name, moved by `step` before it is shown."""

    kind: Literal["shared_counter"] = "shared_counter"
    step: float


class Balance(_Rule):
    """A running balance per user, and per value of `group_by`, moved by another property of the same event.

    Attributes:
        source: dotted name of the property that moves it.
        group_by: dotted name of the property that separates balances; None for one balance.
    """

    kind: Literal["balance"] = "balance"
    start: float
    source: str
    group_by: str | None = None


class TrueFirst(_Rule):
    """True at a user's first event of the kind, false from then on."""

    kind: Literal["true_first"] = "true_first"


class CopyOf(_Rule):
    """The value of an id: `#account_id` or `#distinct_id`."""

    kind: Literal["copy_of"] = "copy_of"
    source: str


class Rows(_Rule):
    """The number of objects in a list of objects."""

    kind: Literal["rows"] = "rows"
    count: int = Field(ge=1)


class FromEvent(_Rule):
    """A user's value from an event.

    Attributes:
        event: name of the event.
        property: dotted name of its property; `#time` is the time of the event.
        aggregate: first or last value, sum, number of events (`cnt`), number of days with one (`daycnt`); `equal` is
            the last value, of common properties.
        where_key: value of the first property of the object to look at (such as an item's id); None for any.
    """

    kind: Literal["from_event"] = "from_event"
    event: str
    property: str
    aggregate: Literal["first", "last", "sum", "cnt", "daycnt", "equal"]
    where_key: str | None = None


class Example(_Rule):
    """A sample value, given as text."""

    kind: Literal["example"] = "example"
    text: str


ValueRule = Annotated[
    Between | OneOf | OneOfEach | Counter | SharedCounter | Balance | TrueFirst | CopyOf | Rows | FromEvent | Example,
    Field(discriminator="kind"),
]


class ValueRuleError(GamestatsError, ValueError):
    """A cell is clearly meant as a rule, but is not a valid one."""


def parse_value_rule(text: str, type: PropertyType) -> ValueRule | None:
    """Returns the rule in a cell that describes a property of a type; None for plain text.

    Beyond the table above: `1-150` or `1~150` in a number's cell is a range; a single word in Latin letters is the only
    value of a text; `win=1, lose=2` lists codes; examples in brackets (`... (e.g. A, B)`), and examples that end in
    "etc.", are some of the values; in a list's cell, listed values are those of its texts. Commas alone make no list:
    an item that reads as a clause makes the whole cell plain text. Values by labels need at least two labels, one of
    them with several values.

    Raises:
        ValueRuleError: for half a rule (`[7200,60]`, `0|+|10`), or a rule that this type cannot have (a range of a
            text); says what was expected.
    """
    written = text.strip()
    plain = written.translate(_HALF_WIDTH)
    if example := _EXAMPLE.match(plain):
        return _example(written[example.end() :], type)
    if _SAMPLE.match(plain) or (type == "list" and _LIST_SAMPLE.fullmatch(plain)):
        return _example(written, type)
    for read in (_equal, _piped, _bracketed, _shared_count, _range, _rows, _each):
        if rule := read(plain, type):
            return rule
    return _choice(written, type)


_HALF_WIDTH = str.maketrans("，：｜＝＋［］｛｝（）～〜–", ",:|=+[]{}()~~-")
_NUMBER = r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]+)?"
_NAME = r"[#A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*"
_TWO_BOUNDS = re.compile(rf"({_NUMBER})\s*(?:[,;~-]|\.\.)\s*({_NUMBER})")
_AGGREGATES = ("first", "last", "sum", "cnt", "daycnt", "equal")
_MOST_ROWS = 500

_EXAMPLE = re.compile(
    r"(?:값\s*)?(?:예시|예)(?:\s*값)?\s*[:)]|(?:for example|examples?|sample(?: value)?|ex)\s*[:)]|e\.\s?g\.\s*[:,]?",
    re.IGNORECASE,
)
_NAME_OF_SAMPLE = r'"[^"\n]+"\s*[:：]\s*(?=[\[{])'
_SAMPLE = re.compile(rf'(?:{_NAME_OF_SAMPLE})?[\[{{][\[{{\s]*"')
_LIST_SAMPLE = re.compile(r"\[[^\[\]]*,[^\[\]]*\]")


def _number(text: str) -> int | float | None:
    if not re.fullmatch(_NUMBER, text):
        return None
    return float(text) if "." in text else int(text)


def _refuse(expected: str, found: str, what_to_do: str) -> NoReturn:
    raise ValueRuleError(f"expected {expected}, found {found!r}; {what_to_do}")


def _only_of(types: tuple[str, ...], type: PropertyType, rule: str, found: str) -> None:
    if type not in types:
        known, given = " or ".join(types).replace("_", " "), type.replace("_", " ")
        _refuse(f"a rule for the type {given}", found, f"{rule} is for the type {known}: correct the rule or the type")


def _example(text: str, type: PropertyType) -> ValueRule | None:
    text = re.sub(f"^{_NAME_OF_SAMPLE}", "", text.strip())
    listed, more = _items(text)
    if listed and more and type in ("string", "list"):
        return OneOf(values=tuple(listed), open_ended=True)
    return Example(text=text) if text else None


def _equal(plain: str, type: PropertyType) -> ValueRule | None:
    if not plain.startswith("="):
        return None
    word = plain[1:].strip().lower()
    if word == "true_first":
        _only_of(("boolean",), type, "=true_first", plain)
        return TrueFirst()
    if copied := re.fullmatch(r"#?(account_id|distinct_id)(?:\s+\w+)?", word):
        _only_of(("string",), type, "an id", plain)
        return CopyOf(source=f"#{copied[1]}")
    if re.fullmatch(_NAME, word):
        _refuse("=true_first, =account_id or =distinct_id", plain, "write one of these")
    return None


def _piped(plain: str, type: PropertyType) -> ValueRule | None:
    parts = [part.strip() for part in plain.split("|")]
    if len(parts) < 2:
        return None
    if _number(parts[0]) is not None or parts[1].startswith("+"):
        return _count(parts, plain, type)
    if type in ("string", "list") and all(map(_CODE.fullmatch, parts)) and not _is_nearly_aggregate(parts[-1]):
        return OneOf(values=tuple(dict.fromkeys(parts)))
    names = [bool(re.fullmatch(_NAME, part.rpartition(">>")[2])) for part in parts]
    if parts[-1].lower() in _AGGREGATES or (len(parts) == 3 and all(names)):
        return _from_event(parts, plain, type)
    return None


def _is_nearly_aggregate(word: str) -> bool:
    """Whether a word is one of the aggregates, or a misspelling of one."""
    return bool(difflib.get_close_matches(word.lower(), _AGGREGATES, cutoff=0.6))


def _count(parts: list[str], plain: str, type: PropertyType) -> ValueRule:
    start, moved, *rest = parts
    grouped = rf"(?:\s+group\s+by\s+({_NAME}))?"
    step = re.fullmatch(rf"(?:\+\s*|(?=-))({_NUMBER}){grouped}", moved, re.IGNORECASE)
    source = re.fullmatch(rf"\+\s*({_NAME}){grouped}", moved, re.IGNORECASE)
    first, largest = _number(start), _number(rest[0]) if rest else None
    if first is None or not (step or source) or len(rest) > (1 if step else 0) or (rest and largest is None):
        _refuse(
            "a count such as 1|+1 or 0|+1|10 (start, step, largest), or a balance such as 100|+price group by item",
            plain,
            "complete it",
        )
    _only_of(("number",), type, "a count", plain)
    if source:
        return Balance(start=first, source=source[1], group_by=source[2])
    assert step
    by = float(step[1])
    if largest is not None and (largest - first) * (by or 1) < 0:
        _refuse("a last value that the steps lead to", plain, "exchange it and the start, or change the step's sign")
    return Counter(start=first, step=by, max=largest, group_by=step[2])


def _from_event(parts: list[str], plain: str, type: PropertyType) -> ValueRule:
    event, stated, aggregate = parts if len(parts) == 3 else ("", "", "")
    source = re.fullmatch(rf"(?:([^>]+)>>)?\s*({_NAME})", stated)
    aggregate = aggregate.lower()
    if not (re.fullmatch(_NAME, event) and source and aggregate in _AGGREGATES):
        _refuse(
            f"event|property|aggregate with one of {', '.join(_AGGREGATES)}, such as level_up|level|last",
            plain,
            "correct it; values to choose from are separated by commas",
        )
    if aggregate in ("sum", "cnt", "daycnt"):
        _only_of(("number",), type, aggregate, plain)
    key = source[1].strip() if source[1] else None
    return FromEvent.model_validate(
        {"event": event, "property": source[2], "aggregate": aggregate, "where_key": key},
    )


def _bracketed(plain: str, type: PropertyType) -> ValueRule | None:
    found = re.fullmatch(r"([\[{]?)([^\[\]{}|\n]*)([\]}]?)\s*(?:=\s*(\w+))?", plain)
    if not found or not (found[1] or found[3]):
        return None
    two = _TWO_BOUNDS.fullmatch(found[2].strip())
    bounds = [_number(part.strip()) for part in (two.groups() if two else found[2].split(","))]
    if type != "number":
        if len(bounds) == 2 and None not in bounds:
            _only_of(("number",), type, "a range", plain)
        return None
    is_text = all(bound is None for bound in bounds) and not re.fullmatch(r"[\d\s.,;:~-]+", found[2])
    if is_text and not (found[1] + found[3] == "{}" and len(bounds) == 2):
        return None
    whole = found[1] == "{"
    low, high = bounds if len(bounds) == 2 else (None, None)
    if low is None or high is None or found[1] + found[3] not in ("[]", "{}") or found[4] not in (None, "value"):
        _refuse("a range such as [0.5,10], or {1,4} of whole numbers", plain, "complete it")
    if low > high:
        _refuse("the smaller bound first", plain, "exchange the two")
    if whole and not (isinstance(low, int) and isinstance(high, int)):
        _refuse("whole numbers between { and }", plain, "write [ and ] for a range with decimals")
    return Between(min=low, max=high, integer=whole)


def _shared_count(plain: str, type: PropertyType) -> ValueRule | None:
    moved = re.fullmatch(r"(\+\+?)\s*(\w*)", plain, re.ASCII)
    if not moved or (type != "number" and moved[1] == "+"):
        return None
    _only_of(("number",), type, "a count", plain)
    step = _number(moved[2])
    if step is None:
        _refuse("a step such as ++1, or +0 that only shows the count", plain, "write the number")
    return SharedCounter(step=step)


def _range(plain: str, type: PropertyType) -> ValueRule | None:
    if type == "number" and re.fullmatch(rf"{_NUMBER}\s*(?:-|~|\.\.)|(?:~|\.\.)\s*{_NUMBER}", plain):
        _refuse("a range such as 10-50", plain, "complete it")
    found = re.fullmatch(rf"({_NUMBER})\s*(?:-|~|\.\.)\s*({_NUMBER})", plain)
    if not found or type != "number":
        return None
    low, high = float(found[1]), float(found[2])
    if low > high:
        _refuse("the smaller bound first", plain, "exchange the two")
    return Between(min=low, max=high, integer="." not in found[1] + found[2])


def _rows(plain: str, type: PropertyType) -> ValueRule | None:
    if type not in ("list", "object", "object_group") or not isinstance(_number(plain), int):
        return None
    _only_of(("list", "object_group"), type, "how many there are", plain)
    if not 1 <= int(plain) <= _MOST_ROWS:
        _refuse(f"a number from 1 to {_MOST_ROWS}", plain, "correct how many there are")
    return Rows(count=int(plain))


_LABELLED = re.compile(r"\s*([#\w][\w .#&-]{0,49}?)\s*[:=]\s*([^:=]+)")


def _each(plain: str, type: PropertyType) -> ValueRule | None:
    parts = [_LABELLED.fullmatch(part) for part in re.split(r"[;；\n]", plain) if part.strip()]
    if type not in ("number", "string") or len(parts) < 2 or None in parts:
        return None
    found: dict[str, tuple[Scalar, ...]] = {}
    for part in filter(None, parts):
        items = [item.strip() for item in re.split(r"[,、/]", part[2]) if item.strip()]
        values = [_number(item) for item in items] if type == "number" else items
        if not items or None in values or (type == "string" and any(map(_is_clause, items))) or part[1] in found:
            return None
        found[part[1]] = tuple(value for value in values if value is not None)
    several = any(len(values) > 1 for values in found.values())
    return OneOfEach(values=tuple(found.items())) if several else None


# --------------------------------------------------------------------------- values to choose from

_YES = ("y", "yes", "true", "t", "1", "o", "예", "참")
_NO = ("n", "no", "false", "f", "0", "x", "아니오", "아니요", "거짓")
_MORE = re.compile(r"(?:(?:^|\s)(?:(?:기타\s)?등등|등|etc\.?|and more|and so on)|\s*\.\.\.|\s*…)$", re.IGNORECASE)
_PAIR = re.compile(r"([^=:：]+?)\s*[=:：]\s*([^=:：]+)")
_IN_BRACKETS = re.compile(r"[(（]\s*(?:예시|예|e\.g\.|ex)\s*[:：.,]?\s([^()（）]*)[)）]", re.IGNORECASE)
_WORD = re.compile(r"(?=[\w.+#&-]*[A-Za-z])[\w.+#&-]{1,50}", re.ASCII)
_CODE = re.compile(r"[\w.+#&-]{1,50}", re.ASCII)
_SAYS_NOTHING = {"null", "none", "nan", "na", "tbd", "todo", "string", "text", "required", "optional", "unique"}
# Signs of a clause rather than a value: particles, verbs and the words around them.
_CLAUSE = re.compile(
    r"(?:^|\s)(?:시|후|때|경우|마다|따라|위해|위한|대한|통해|또는|혹은)(?:\s|$)|\s등[의을에이과은]\s"
    r"|(?:(?<![가마노고])을|를|에서|에게|하여|하는|되는|으면|이면|하면|되면|지만|거나)\s|(?:니다|세요|한다|된다|는다|하다|이다)[.!]?$"
    r"|\b(?:the|is|are|was|were|when|whether|which|that|if|should|must|will|has|have|been)\b|\bISO\b|\w\s.*\w\.$"
    r"|\bin\s(?:\w*seconds|minutes|hours|days|ms|utc|local|lower|upper|cents|percent)\b"
    r"|^(?:including|such\sas|usually|required|optional|unique)\b",
    re.IGNORECASE,
)
# An addition to a single thing ("Name, as shown to others"), rather than a second value.
_AFTERTHOUGHT = re.compile(r"(?:from|as|with|for|of|by|per|or|and)\s", re.IGNORECASE)
# "win/loss flag" names a property; "win/loss" lists its values.
_WHAT_IT_IS = re.compile(
    r"\s(?:여부|정보|목록|리스트|시각|시간|시점|횟수|방식|유형|종류|이름|값|기준|상태|구분|flag|name|id|time|type)$"
)
_COMMA_OR_BRACKET = re.compile("[,，、()（）]")
_LONGEST_ITEM = 50
_MOST_WORDS = 5


def _items(text: str) -> tuple[list[str], bool]:
    """Returns the items that a text lists, none if it is no list; and whether it says that there are more."""
    parts = _divided(text)
    if len(parts) == 1 and not text.startswith("/") and text.upper() != "N/A":
        parts = text.split("/")
        if len(parts) > 1 and _WHAT_IT_IS.search(parts[-1]):
            return [], False
    if re.fullmatch(r"\s*[^\s.]+\.\s*", parts[-1]):  # the full stop of the whole text
        parts[-1] = parts[-1].strip()[:-1]
    found: dict[str, None] = {}
    more = False
    for part in map(str.strip, parts):
        ending = _MORE.search(part)
        item = part[: ending.start()].strip() if ending else part
        if item:
            found[item] = None
        if more := bool(ending):
            break
    items = list(found)
    if len(items) > 2:
        items[-1] = re.sub(r"^(?:or|and)\s+", "", items[-1])
    elif len(items) == 2 and _AFTERTHOUGHT.match(items[1]) and not _AFTERTHOUGHT.match(items[0]):
        return [], False
    return ([], False) if any(map(_is_clause, items)) or (len(items) < 2 and not more) else (items, more)


def _divided(text: str) -> list[str]:
    """Returns the parts of a text between its commas, except those in brackets: the next bracket closes."""
    cuts = [len(text)]
    closes = False
    for mark in reversed([*_COMMA_OR_BRACKET.finditer(text)]):
        if mark[0] not in ",，、":
            closes = mark[0] in ")）"
        elif not closes:
            cuts.append(mark.start())
    starts = [0, *(cut + 1 for cut in reversed(cuts[1:]))]
    return [text[start:end] for start, end in zip(starts, reversed(cuts), strict=True)]


def _is_clause(item: str) -> bool:
    too_long = len(item) > _LONGEST_ITEM or len(item.split()) > _MOST_WORDS
    torn = any(item.count(opened) != item.count(closed) for opened, closed in ("()", "[]", "{}"))
    return too_long or torn or "\n" in item or "|" in item or item[0] in "<>≤≥" or bool(_CLAUSE.search(item))


def _codes(items: list[str], type: PropertyType) -> list[str]:
    """Returns items; of pairs such as `win=1` the codes; nothing if only some are pairs."""
    pairs = [_PAIR.fullmatch(item) for item in items]
    if not any(pairs):
        return [] if any(mark in item for item in items for mark in "=:：") else items
    is_code = _number if type == "number" else _CODE.fullmatch
    codes = [next((side for side in pair.groups() if is_code(side) is not None), "") if pair else "" for pair in pairs]
    return codes if all(codes) else []


def _choice(written: str, type: PropertyType) -> ValueRule | None:
    items, more = _items(written)
    if type == "boolean":
        words = [item.lower() for item in items or [written]]
        if all(_number(word) is not None for word in words) and not {*words} <= {*_YES, *_NO}:
            _refuse("true, false, or both", written, "a boolean has no other values: correct them or the type")
        return OneOf(values=tuple(word in _YES for word in words)) if {*words} <= {*_YES, *_NO} else None
    if type == "number":
        numbers = [_number(item) for item in _codes(items, type) or [written]]
        return None if None in numbers else OneOf(values=tuple(n for n in numbers if n is not None), open_ended=more)
    if type not in ("string", "list"):
        return None
    if values := _codes(items, type):
        return OneOf(values=tuple(values), open_ended=more)
    if inner := _IN_BRACKETS.search(written):
        examples, _ = _items(inner[1].strip())
        return OneOf(values=tuple(examples), open_ended=True) if examples else _example(inner[1], type)
    if type == "string" and _WORD.fullmatch(written) and written.lower() not in _SAYS_NOTHING:
        return OneOf(values=(written,))
    return None
