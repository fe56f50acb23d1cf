"""Formulas and orders that people write into a description or an alias: `Net_Amount * Vat_Rate / 100`, `単価×数量`,
`the sum of paid and free stones`, `clock out minus clock in, in minutes, less breaks`, `not below minAge`.

What stands between operators must be the name of a number that stands beside, or words of its name or alias; a text of
which any part is something else is no formula. `equations.toml` has how texts say operations and orders.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping

from gamestats_assets.demo_data.analysis.equations import (
    Scope,
    is_percent,
    ordered,
    plays,
    words_of,
)
from gamestats_assets.demo_data.analysis.lexicon import own_pieces, piece_set, word_set
from gamestats_assets.demo_data.analysis.measures import Place, measure_words, seconds_in
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.formulas import FormulaError, parse_formula
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType

_SIGNS = str.maketrans({"×": "*", "✕": "*", "⨯": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "∗": "*"})
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e\d+)?%?"
_TOKEN = re.compile(rf"\s*(?:(?P<number>{_NUMBER})(?![\w.])|(?P<sign>[-+*/()])|(?P<phrase>[^-+*/()]+))", re.IGNORECASE)
_ARTICLES = word_set("a an the of all its this their each for number value amount per in")
_EMPTY = word_set("a an the of all its this their")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_IN_UNIT = re.compile(r",?\s*\bin (?:minutes|seconds|hours|days)\b,?")
_FUNCTION = re.compile(r"\b(?:min|max|round|floor|ceil|abs)\(")
_LONGEST = 200


def written(scope: Scope) -> dict[str, str]:
    """Take up what the sheet says in words; what it says that needs its own result is given back, by name."""
    refused: dict[str, str] = {}
    for name in scope.own:
        formula = written_formula(name, scope) if scope.is_open(name, said=True) else None
        if formula and not scope.give(name, formula, "text: a formula", 0.95, said=True):
            refused[name] = formula
    for name in list(scope.found):
        _subtracted(scope, name)
    for name, place in scope.own.items():
        text = place.prop.description or place.prop.alias
        for known in facts("equations")["orders"] if scope.is_open(name) else ():
            match = re.search(known["says"], text, re.IGNORECASE)
            other = _named(match[1], _others(scope, name)) if match else None
            if other is not None and not scope.circular(name, frozenset({other})):
                scope.give(name, ordered(scope, name, known["is"], other), "text: which is larger", 0.9)
                break
    return refused


def _subtracted(scope: Scope, name: str) -> None:
    """What a written formula subtracts is no more than what it is subtracted from: `orders - failed_orders`."""
    match = re.fullmatch(r"(\w+) - (\w+)", scope.found[name][0])
    if match is None or match[1] not in scope.own or match[2] not in scope.own or scope.measure(match[2]).given:
        return
    whole, part, why = match[1], match[2], "text: what is subtracted"
    was, measure = piece_set(part) & words_of("before"), scope.measure(whole)
    if was and piece_set(part) - was <= piece_set(whole) and measure.given:
        scope.give(part, f"random({measure.low:g}, {measure.high:g})", why)  # what it was lies where it lies now
    elif scope.is_open(part) or measure.given:
        small = plays(scope.own[part], "small") or scope.measure(part).name == "part"
        scope.give(part, ordered(scope, part, "little" if small else "below", whole), why)
    else:
        scope.give(whole, ordered(scope, whole, "above", part), why)


def _others(scope: Scope, name: str) -> dict[str, Place]:
    return {other: place for other, place in scope.visible().items() if other != name}


def written_formula(name: str, scope: Scope, times: Mapping[str, Place] | None = None) -> str | None:
    """The formula that the sheet writes about a number; None where it writes none that can be reckoned here.

    Args:
        times: times that stand beside; a difference of two is told in the number's own unit.
    """
    place = scope.own[name]
    for text in (place.prop.description, place.prop.alias):
        for candidate in _candidates(text):
            if formula := _read(candidate, place, {**_others(scope, name), **(times or {})}, scope):
                return formula
    return None


def unread_formulas(scope: Scope) -> Iterator[tuple[str, str]]:
    """Names and texts of numbers whose description looks like a formula and is none: `qty * prise`, `= qty * * 2`."""
    visible = scope.visible()
    for name, place in scope.own.items():
        text = place.prop.description.strip()
        names = set(re.findall(r"[A-Za-z_]\w*", text))
        signs = re.search(r"\w\s*[-+*/]", text) and re.fullmatch(r"[\w\s.+*/()-]+", text)
        meant = text.startswith("=") or (signs and len(names) <= 6 and names & (visible.keys() - {name}))
        if meant and scope.is_free(name, said=True) and written_formula(name, scope) is None:
            yield name, text


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
        plainer = _IN_UNIT.sub(" ", side)
        for shorter in (plainer, re.sub(r"(?<=\w)\s*\([^()*+/]*\)", "", plainer), plainer.partition(", ")[0]):
            yield shorter.strip(" .。")


@functools.lru_cache(maxsize=1024)
def _with_signs(text: str) -> str:
    """Operations in words as signs."""
    for known in facts("equations")["words"]:
        match = re.search(known["says"], text, re.IGNORECASE)
        if match is None:
            continue
        if known["signs"].endswith("+"):
            parts = re.split(r"\s*,\s*(?:and\s+|und\s+)?|\s+(?:and|und)\s+", match[1])
            return f"{text[: match.start()]}({' + '.join(parts)})" if len(parts) > 1 else text
        text = re.sub(known["says"], known["signs"], text, flags=re.IGNORECASE)
    return text


def _tokens(text: str) -> list[tuple[str, str]]:
    text = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", "\x00", text)  # a hyphen within a word is no minus: `E-mail`
    found = [(str(m.lastgroup), m[str(m.lastgroup)].replace("\x00", "-").strip()) for m in _TOKEN.finditer(text)]
    return [(kind, token) for kind, token in found if token]


def _read(text: str, target: Place, visible: Mapping[str, Place], scope: Scope) -> str | None:
    """The formula of a text in our grammar; None where it is none."""
    if _FUNCTION.search(text):
        try:
            return text if parse_formula(text).names and parse_formula(text).names <= visible.keys() else None
        except FormulaError:
            return None
    tokens = _tokens(_with_signs(text))
    if not any(kind == "phrase" for kind, _ in tokens) or not any(s in "+-*/" for k, s in tokens if k == "sign"):
        return None
    shares = {n for n, p in visible.items() if p in scope.measures and n not in scope.found and _is_share(p, scope)}
    of_share = _is_share(target, scope)
    of_hundred = any(token in ("100", "0.01") or token.endswith("%") for _, token in tokens)
    names: list[str] = []
    out: list[list[str]] = [[]]
    for number, (kind, token) in enumerate(tokens):
        before = tokens[number - 1][1] if number else ""
        after = tokens[number + 1][1] if number + 1 < len(tokens) else ""
        if kind == "number":
            plain = token.replace(",", "")
            out[-1].append(f"({plain[:-1]} / 100)" if plain.endswith("%") else plain)
        elif token == "(":
            out.append([])
        elif token == ")":
            if len(out) == 1:
                return None
            inner = out.pop()
            out[-1].append(inner[0] if len(inner) == 1 else f"({' '.join(inner)})")
        elif kind == "sign":
            out[-1].append(token)
        else:
            multiplied = before in ("*", "/") or after in ("*", "/")
            name = _named(token, visible, frozenset() if multiplied or of_share else frozenset(shares))
            if name is None:
                return None
            names.append(name)
            hundredth = f"({name} / 100)" if is_share_of_hundred(visible[name], scope) else name
            if name not in shares or of_share or (multiplied and of_hundred):
                out[-1].append(name)
            elif multiplied:
                out[-1].append(hundredth)
            elif before in ("+", "-") and not of_hundred:  # a percentage that is added is one of what stands before it
                rest = out[-1][:-1]
                whole = rest[0] if len(rest) == 1 else f"({' '.join(rest)})"
                out[-1] = [f"{whole} * (1 {before} {hundredth.strip('()')})"]
            else:
                out[-1].append(name)
    if len(out) > 1 or (len(names) == 1 and not any(kind == "number" for kind, _ in tokens)):
        return None
    formula = re.sub(r"^\(([^()]*)\)$", r"\1", " ".join(out[0]))
    return _finished(formula, names, target, visible, scope, of_hundred=of_hundred)


def _finished(
    formula: str, names: list[str], target: Place, visible: Mapping[str, Place], scope: Scope, *, of_hundred: bool
) -> str | None:
    """A formula in the unit of what it gives, rounded where that is whole."""
    if any(visible[name].prop.type is PropertyType.TIME for name in names):
        seconds = seconds_in(target) or 1
        times = "|".join(re.escape(n) for n in names if visible[n].prop.type is PropertyType.TIME)
        formula, found = re.subn(rf"({times}) - ({times})", rf"(\1 - \2) / {seconds:.10g}", formula)
        formula = re.sub(r"^\(([^()]*)\) / 1$", r"\1", formula)
        if found != 1 or len(re.findall(times, formula)) != 2:
            return None
    try:
        if not parse_formula(formula).names:
            return None
    except FormulaError:
        return None
    divides, measure = "/" in formula, scope.measures[target]
    if is_percent(target, scope.measures) and divides and not of_hundred:
        formula = f"({formula}) * 100"
    if (divides or "." in formula) and measure.integer:
        # What nothing is known of may well have decimals.
        return f"round({formula})" if measure.given or measure.name != "other" else f"round({formula}, 2)"
    return formula


def _is_share(place: Place, scope: Scope) -> bool:
    return is_percent(place, scope.measures) or scope.measures[place].name == "ratio"


def is_share_of_hundred(place: Place, scope: Scope) -> bool:
    """Whether a number is told in percent."""
    return place in scope.measures and is_percent(place, scope.measures)


# --------------------------------------------------------------------------- names in words


def _named(phrase: str, visible: Mapping[str, Place], unlikely: frozenset[str] = frozenset()) -> str | None:
    """Name of the one number that a phrase speaks of; where several fit, none of those that are unlikely."""
    scored = [(score, name) for name, p in visible.items() if (score := _nearness(phrase, p.prop)) is not None]
    near = [name for score, name in scored if score == min(score for score, _ in scored)]
    near = [name for name in near if name not in unlikely] or near
    near = near if len(near) == 1 else [name for name in near if visible[name].of_event] or near
    return near[0] if len(near) == 1 else None


def _nearness(phrase: str, prop: Property) -> int | None:
    """How many words a phrase leaves out of a name; None where it speaks of something else."""
    labels = [prop.name, prop.alias, *([prop.description] if len(prop.description.split()) <= 5 else [])]
    labels = [label for label in labels[:2] + [said for said in labels[2:] if len(said) <= 2 * len(phrase)] if label]
    found = [near for label in labels if (near := _apart(phrase, label)) is not None]
    if found:
        return min(found)
    said = frozenset(measure_words(Property(name=phrase, type=PropertyType.NUMBER)))
    return 20 if said and _NOT_ASCII.search(phrase) and said <= frozenset(measure_words(prop)) else None


def _apart(phrase: str, label: str) -> int | None:
    if _NOT_ASCII.search(phrase):
        return _apart_in_script(re.sub(r"\s", "", phrase), re.sub(r"\s", "", label))
    said, known = _stemmed(phrase), _stemmed(label)
    if len(said) == 1 and len(said[0]) == 1 and known:
        return 10 if known[0].startswith(said[0]) else None  # `L * W * H`
    least, most = set(said) - _EMPTY, set(known)
    if not least or not most:
        return None
    if least <= most:
        return len(most - least)
    core = least - _ARTICLES
    return 5 + len(most - core) if core and core <= most else None


def _apart_in_script(phrase: str, label: str) -> int | None:
    if f"({phrase})" in label.replace("（", "(").replace("）", ")"):
        return 9  # a unit
    bare = re.sub(r"(?:을|를|이|가|은|는|の)$", "", phrase)
    if label in (phrase, bare):
        return 0
    phrase = phrase if phrase in label else bare
    if len(phrase) > 1 and phrase in label:
        return min(len(label) - len(phrase), 9)
    return 10 if len(label) > 1 and _NOT_ASCII.search(label) and label in phrase else None


@functools.lru_cache(maxsize=2048)
def _stemmed(text: str) -> tuple[str, ...]:
    words = [word for part in re.split(r"[^A-Za-z0-9]+", text) for word in own_pieces(part)]
    return tuple(re.sub(r"(?<=[a-z]{3})s$", "", word) for word in words)
