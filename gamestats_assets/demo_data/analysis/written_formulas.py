"""Formulas that people write into a description or an alias: `Net_Amount * Vat_Rate / 100`, `the sum of paid and free
stones`, `단가 × 수량`, `有償石＋無償石`.

What stands between operators must be the name of a number that stands beside, or words of its name or alias; a text of
which any part is something else is no formula.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping

from gamestats_assets.demo_data.analysis.event_words import own_name, word_set
from gamestats_assets.demo_data.analysis.measures import Measure, Place, measure_words
from gamestats_assets.demo_data.analysis.numbers_beside import Beside, ordered_pieces, pieces, texts_of
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType

_SIGNS = str.maketrans({"×": "*", "✕": "*", "⨯": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "∗": "*"})
_ENDINGS = r"(?:\s*(?:한|친|낸|した|て|た)?\s*(?:값|금액|수|것|値|金額|もの|数)?)"
_IN_WORDS: tuple[tuple[str, str], ...] = (
    (r"\bthe\s+", ""),
    (r"\b(?:sum|total|addition)\s+of\s+(.+)", r"(\1)+"),
    (r"\b(?:difference)\s+(?:of|between)\s+(.+?)\s+and\s+(.+)", r"\1 - \2"),
    (r"\bproduct\s+of\s+(.+?)\s+and\s+(.+)", r"\1 * \2"),
    (r"\b(?:average|mean)\s+of\s+(.+?)\s+and\s+(.+)", r"(\1 + \2) / 2"),
    (r"(\d+(?:\.\d+)?)\s*%\s+of\s+(.+)", r"(\2) * \1 / 100"),
    (r"(.+?)[의の]\s*(\d+(?:\.\d+)?)\s*%.*$", r"(\1) * \2 / 100"),
    (r"\bratio\s+of\s+(.+?)\s+to\s+(.+)", r"\1 / \2"),
    (r"(.+?)\s+as\s+(?:a\s+)?(?:share|percentage|percent|part|fraction)\s+of\s+(.+)", r"\1 / \2"),
    (r"\s+(?:plus|added\s+to)\s+", " + "),
    (r"\s+(?:minus|less|net\s+of|after\s+deducting)\s+", " - "),
    (r"\s+(?:multiplied\s+(?:by|with)|times|[xX])\s+", " * "),
    (r"\s+(?:divided\s+by|over)\s+", " / "),
    (rf"(.+?)(?:와|과)\s*(.+?)(?:의|을|를)\s*(?:합계|합산|합|더){_ENDINGS}$", r"\1 + \2"),
    (rf"(.+?)에\s+(.+?)(?:을|를)\s*(?:더|합){_ENDINGS}$", r"\1 + \2"),
    (rf"(.+?)에서\s*(.+?)(?:을|를)\s*(?:뺀|차감|제외|공제){_ENDINGS}$", r"\1 - \2"),
    (rf"(.+?)(?:와|과)\s*(.+?)의\s*(?:차이|차액|차){_ENDINGS}$", r"\1 - \2"),
    (rf"(.+?)(?:와|과)\s*(.+?)의\s*곱{_ENDINGS}$", r"\1 * \2"),
    (rf"(.+?)에\s*(.+?)(?:을|를)\s*곱{_ENDINGS}$", r"\1 * \2"),
    (rf"(.+?)(?:을|를)\s*(.+?)(?:으로|로)\s*나(?:눈|누){_ENDINGS}$", r"\1 / \2"),
    (r"\s*더하기\s*", " + "),
    (r"\s*빼기\s*", " - "),
    (r"\s*곱하기\s*", " * "),
    (r"\s*나누기\s*", " / "),
    (rf"(.+?)と(.+?)[のを](?:合計|合算|和|足し|合わせ){_ENDINGS}$", r"\1 + \2"),
    (rf"(.+?)に(.+?)を(?:足し|加え|加算し?){_ENDINGS}$", r"\1 + \2"),
    (rf"(.+?)から(.+?)を(?:引い|差し引い|除い|控除し?){_ENDINGS}$", r"\1 - \2"),
    (rf"(.+?)と(.+?)の(?:差額|差分|差){_ENDINGS}$", r"\1 - \2"),
    (rf"(.+?)と(.+?)の積{_ENDINGS}$", r"\1 * \2"),
    (rf"(.+?)に(.+?)を(?:掛け|かけ|乗じ){_ENDINGS}$", r"\1 * \2"),
    (rf"(.+?)を(.+?)で(?:割っ|除し){_ENDINGS}$", r"\1 / \2"),
)
"""Operations in words, as they are written with signs; what ends in `+` is a list to add up."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e\d+)?%?"
_TOKEN = re.compile(rf"\s*(?:(?P<number>{_NUMBER})(?![\w.])|(?P<sign>[-+*/()])|(?P<phrase>[^-+*/()]+))", re.IGNORECASE)
_ARTICLES = word_set("a an the of all its this their each for number value amount per in")
_MONEY = word_set("amount fee price cost paid value total revenue premium income")
_EMPTY = word_set("a an the of all its this their")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LONGEST = 200


def written_formula(name: str, beside: Beside) -> str | None:
    """The formula that the sheet writes about a number; None where it writes none that can be reckoned here."""
    place = beside.own[name]
    for text in (place.prop.description, place.prop.alias):
        for candidate in _candidates(text):
            if formula := _read(candidate, name, beside):
                return formula
    return None


def unread_formulas(beside: Beside) -> Iterator[tuple[str, str]]:
    """Names and texts of numbers whose description looks like a formula and is none: `qty * prise`, `= qty * * 2`."""
    visible = beside.visible()
    for name, place in beside.own.items():
        text = place.prop.description.strip()
        names = set(re.findall(r"[A-Za-z_]\w*", text))
        signs = re.search(r"\w\s*[-+*/]", text) and re.fullmatch(r"[\w\s.+*/()-]+", text)
        meant = text.startswith("=") or (signs and len(names) <= 6 and names & (visible.keys() - {name}))
        if meant and beside.is_free(name, said=True) and written_formula(name, beside) is None:
            yield name, text


def said_number(phrase: str, own: str, beside: Beside) -> str | None:
    """Name of the number that a phrase speaks of, another one than `own`."""
    visible = {n: p for n, p in beside.visible().items() if n != own}
    return _named(phrase, visible)


def is_percent(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a percentage, 15 being 15 %."""
    said = pieces(place.prop.name)
    found = measures[place]
    if said & {"pct", "percent", "percentage"} or found.name in ("percent", "discount_percent"):
        return found.high > 1
    if said & _MONEY:
        return False
    texts = texts_of(place.prop)
    if re.search(r"(?<!\d)(?<!\d\s)[%％]", texts) or re.search(r"\bper ?cent\b|퍼센트|パーセント", texts):
        return True
    if found.name == "interest":
        return found.high > 1 and bool(said & {"rate", "apr", "apy"})
    return found.name == "ratio" and 1 < found.high <= 100 and (not found.given or "rate" in said)


def is_share(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a share of something, as a percentage or from 0 to 1."""
    return is_percent(place, measures) or measures[place].name == "ratio"


# --------------------------------------------------------------------------- texts


def _candidates(text: str) -> Iterator[str]:
    """Parts of a text that may be a formula, in their order, then what stands in brackets."""
    plain = unicodedata.normalize("NFKC", text).translate(_SIGNS).strip()
    if not plain or len(plain) > _LONGEST:
        return
    sides = re.split(r"\s*(?:[=:;。]|\.\s|\bequals\b|\bcalculated as\b)\s*", plain)
    inner = re.findall(r"\(((?:[^()]|\([^()]*\))+)\)", plain)
    for side in dict.fromkeys([*sides, *inner]):
        if re.fullmatch(r"[A-Za-zµ°]{1,4}/[A-Za-z]{1,4}", side):
            continue  # a unit: `km/h`
        for shorter in dict.fromkeys((side, re.sub(r"(?<=\w)\s*\([^()*+/]*\)", "", side), side.partition(", ")[0])):
            yield shorter.strip(" .。")


def _with_signs(text: str) -> str:
    """Operations in words as signs."""
    for pattern, infix in _IN_WORDS:
        match = re.search(pattern, text, re.IGNORECASE)
        if match is None:
            continue
        if infix.endswith("+"):
            parts = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", match[1])
            return f"{text[: match.start()]}({' + '.join(parts)})" if len(parts) > 1 else text
        text = re.sub(pattern, infix, text, flags=re.IGNORECASE)
    return text


def _tokens(text: str) -> list[tuple[str, str]]:
    # A hyphen within a word is no minus: `E-mail`.
    text = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", "\x00", text)
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            break
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind].replace("\x00", "-").strip()))
        position = match.end()
    return [(kind, text) for kind, text in tokens if text]


# --------------------------------------------------------------------------- formulas


def _read(text: str, name: str, beside: Beside) -> str | None:
    tokens = _tokens(_with_signs(text))
    if sum(kind == "phrase" for kind, _ in tokens) < 1 or not any(k == "sign" and s in "+-*/" for k, s in tokens):
        return None
    return _Written(tokens, name, beside).formula()


class _Written:
    """Reads one formula: sums of products of names, numbers and brackets."""

    def __init__(self, tokens: list[tuple[str, str]], name: str, beside: Beside) -> None:
        self.tokens, self.name, self.beside = tokens, name, beside
        self.visible = {other: place for other, place in beside.visible().items() if other != name}
        self.next = 0
        self.names: list[str] = []
        self.of_hundred = any(text in ("100", "0.01") or text.endswith("%") for _, text in tokens)

    def formula(self) -> str | None:
        """The formula in our grammar; None where it is none."""
        found = self._sum()
        if found is None or self.next < len(self.tokens) or not self.names:
            return None
        if len(self.names) == 1 and not any(kind == "number" for kind, _ in self.tokens):
            return None
        if re.fullmatch(r"\([^()]*\)", found):
            found = found[1:-1]
        found = re.sub(r"\((\w+)\)", r"\1", found)
        target = self.beside.own[self.name]
        if scale := _scale(target.prop, [self.visible[name].prop for name in self.names], found):
            found = f"{found} / {scale}"
        divides = "/" in found
        if is_percent(target, self.beside.measures) and divides and not self.of_hundred:
            found = f"({found}) * 100"
        measure = self.beside.measures[target]
        if (divides or "." in found) and measure.integer:
            # What nothing is known of may well have decimals.
            found = f"round({found})" if measure.given or measure.name != "other" else f"round({found}, 2)"
        return found

    def _peek(self, signs: str) -> bool:
        return self.next < len(self.tokens) and self.tokens[self.next] in [("sign", sign) for sign in signs]

    def _sum(self) -> str | None:
        found = self._product()
        while found is not None and self._peek("+-"):
            sign = self.tokens[self.next][1]
            self.next += 1
            term = self._product()
            if term is None:
                return None
            share = self.visible.get(term)
            if share is not None and is_share(share, self.beside.measures) and not self._target_is_share():
                part = f"{term} / 100" if is_percent(share, self.beside.measures) else term
                found = f"{_bracketed(found)} * (1 {sign} {part})"
            else:
                found = f"{found} {sign} {term}"
        return found

    def _target_is_share(self) -> bool:
        return is_share(self.beside.own[self.name], self.beside.measures)

    def _product(self) -> str | None:
        found = self._factor(adds=self._is_added())
        alone = True
        while found is not None and self._peek("*/"):
            sign = self.tokens[self.next][1]
            if alone:
                found = self._as_share(found)
            alone = False
            self.next += 1
            factor = self._factor(adds=False)
            if factor is None:
                return None
            found = f"{found} {sign} {self._as_share(factor)}"
        return found

    def _is_added(self) -> bool:
        """Whether what comes next stands by itself, and is no factor of a product."""
        return self.tokens[self.next + 1 : self.next + 2] not in ([("sign", "*")], [("sign", "/")])

    def _as_share(self, factor: str) -> str:
        """A percentage within a product, unless the formula divides by 100 itself."""
        place = self.visible.get(factor)
        percent = place is not None and is_percent(place, self.beside.measures) and not self._target_is_share()
        return f"({factor} / 100)" if percent and not self.of_hundred else factor

    def _factor(self, *, adds: bool) -> str | None:
        if self.next >= len(self.tokens):
            return None
        kind, text = self.tokens[self.next]
        self.next += 1
        if kind == "number":
            plain = text.replace(",", "")
            return f"({plain[:-1]} / 100)" if plain.endswith("%") else plain
        if kind == "sign":
            if text != "(":
                return None
            inner = self._sum()
            if inner is None or not self._peek(")"):
                return None
            self.next += 1
            return f"({inner})"
        found = _named(text, self.visible, self._unlikely) if adds else _named(text, self.visible)
        if found is not None:
            self.names.append(found)
        return found

    def _unlikely(self, name: str) -> bool:
        """Whether something else of the same words is rather added: what is added up is no share of something."""
        return is_share(self.visible[name], self.beside.measures) and not self._target_is_share()


def _bracketed(text: str) -> str:
    return f"({text})" if " " in text else text


# --------------------------------------------------------------------------- names in words


def _named(
    phrase: str, visible: Mapping[str, Place], unlikely: Callable[[str], bool] = lambda name: False
) -> str | None:
    """Name of the one number that a phrase speaks of."""
    scored = [
        (score, name)
        for name, place in visible.items()
        if place.prop.type is PropertyType.NUMBER and (score := _nearness(phrase, place.prop)) is not None
    ]
    if not scored:
        return None
    best = min(score for score, _ in scored)
    near = [name for score, name in scored if score == best]
    if len(near) > 1:
        near = [name for name in near if not unlikely(name)] or near
    if len(near) > 1:
        near = [name for name in near if visible[name].of_event] or near
    return near[0] if len(near) == 1 else None


def _nearness(phrase: str, prop: Property) -> int | None:
    """How many words a phrase leaves out of a name; None where it speaks of something else."""
    labels = [prop.name, prop.alias, *([prop.description] if len(prop.description.split()) <= 5 else [])]
    found = [near for label in labels if label and (near := _apart(phrase, label)) is not None]
    if found:
        return min(found)
    said = _meaning(phrase)
    return 20 if said and _NOT_ASCII.search(phrase) and said <= frozenset(measure_words(prop)) else None


def _apart(phrase: str, label: str) -> int | None:
    if _NOT_ASCII.search(phrase):
        return _apart_in_script(re.sub(r"\s", "", phrase), re.sub(r"\s", "", label))
    said, known = _stemmed(phrase), _stemmed(label)
    if len(said) == 1 and len(said[0]) == 1 and len(known) > 0:
        return 10 if known[0].startswith(said[0]) else None  # `L * W * H`
    least, most = set(said) - _EMPTY, set(known)
    if not least or not most:
        return None
    if least == most:
        return 0
    if least <= most:
        return len(most - least)
    core = least - _ARTICLES
    return 5 + len(most - core) if core and core <= most else None


def _apart_in_script(phrase: str, label: str) -> int | None:
    bare = re.sub(r"(?:을|를|이|가|은|는|の)$", "", phrase)
    if label in (phrase, bare):
        return 0
    phrase = phrase if phrase in label else bare
    if len(phrase) > 1 and phrase in label:
        return min(len(label) - len(phrase), 9)
    return 10 if len(label) > 1 and _NOT_ASCII.search(label) and label in phrase else None


@functools.lru_cache(maxsize=2048)
def _stemmed(text: str) -> tuple[str, ...]:
    words = [word for part in re.split(r"[^A-Za-z0-9]+", text) for word in ordered_pieces(part)]
    return tuple(re.sub(r"(?<=[a-z]{3})s$", "", word) for word in words)


@functools.lru_cache(maxsize=2048)
def _meaning(phrase: str) -> frozenset[str]:
    return frozenset(measure_words(Property(name=phrase, type=PropertyType.NUMBER)))


# --------------------------------------------------------------------------- units

_METRES = {"mm": 0.001, "cm": 0.01, "m": 1.0}
_VOLUMES = {"m3": 1.0, "cbm": 1.0, "l": 0.001, "liter": 0.001, "litre": 0.001, "liters": 0.001, "cm3": 1e-6}


def _scale(target: Property, used: list[Property], formula: str) -> str:
    """What a volume of lengths in another unit is to be divided by; empty where the sheet says it itself."""
    if len(used) != 3 or formula.count("*") != 2 or re.search(r"\d{3}|e\d", formula):
        return ""
    said = re.sub(r"m_?\^?3\b|m³", "m3", f"{own_name(target.name).replace('_', ' ')} {target.alias.lower()}").split()
    volume = next((_VOLUMES[word] for word in said if word in _VOLUMES), None)
    lengths = [next((_METRES[word] for word in _units(prop) if word in _METRES), None) for prop in used]
    if volume is None or lengths[0] is None or len(set(lengths)) > 1:
        return ""
    factor = round(volume / lengths[0] ** 3, 9)
    return f"{factor:.0f}" if factor > 1 else ""


def _units(prop: Property) -> list[str]:
    return [*ordered_pieces(prop.name)[::-1], *re.findall(r"[a-z]+", prop.alias.lower())]
