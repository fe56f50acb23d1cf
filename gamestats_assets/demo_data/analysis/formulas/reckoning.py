"""Formulas as rules: formulas from descriptions and aliases, the places where they hold, and the range of their
results.

`Net_Amount * Vat_Rate / 100`, `単価×数量`, `the sum of paid and free stones`, `not below minAge`: every operand must be
the name of a number beside it, or words of its name or alias; otherwise the text is no formula. `equations.toml`
has the words for operations and orders.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gamestats_assets.demo_data.analysis.formulas.equations import (
    Scope,
    before_and_after,
    is_percent,
    is_share,
    ordered,
    plays,
    usual_equations,
    words_of,
)
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.analysis.meaning.measures import Place, measure_words, rule_of, seconds_in
from gamestats_assets.demo_data.analysis.meaning.reading import named_words, own_pieces, piece_set
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.formulas import FormulaError, parse_formula
from gamestats_assets.demo_data.rules.model import PropertyConstraint, PropertyRelationship, Update, ValueRange
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType

_SIGNS = str.maketrans({"×": "*", "✕": "*", "⨯": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "∗": "*"})
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e\d+)?%?"
_TOKEN = re.compile(rf"\s*(?:(?P<number>{_NUMBER})(?![\w.])|(?P<sign>[-+*/()])|(?P<phrase>[^-+*/()]+))", re.IGNORECASE)
_ARTICLES = named_words("articles")
_EMPTY = named_words("empty_of_reckoning")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_IN_UNIT = re.compile(r",?\s*\bin (?:minutes|seconds|hours|days)\b,?")
_FUNCTION = re.compile(r"\b(?:min|max|round|floor|ceil|abs)\(")
_LONGEST = 200


def written(scope: Scope) -> dict[str, str]:
    """Notes the formulas in the sheet's texts; returns by name those that need their own result."""
    refused: dict[str, str] = {}
    for name in scope.own:
        formula = written_formula(name, scope) if scope.is_open(name) else None
        if formula and not scope.give(name, formula, "text: a formula", 0.95):
            refused[name] = formula
    for name in list(scope.found):
        _subtracted(scope, name)
    for name, place in scope.own.items():
        text = place.prop.description or place.prop.alias
        for known in facts("equations")["orders"] if scope.is_open(name) else ():
            match = re.search(known["says"], text, re.IGNORECASE)
            other = _named(match[1], _others(scope, name)) if match else None
            if other and scope.give(name, ordered(scope, name, known["is"], other), "text: which is larger", 0.9):
                break
    return refused


def _subtracted(scope: Scope, name: str) -> None:
    """Notes that a subtrahend is no more than its minuend: `orders - failed_orders`."""
    match = re.fullmatch(r"(\w+) - (\w+)", scope.found[name][0])
    if match is None or not {match[1], match[2]} <= scope.own.keys() or scope.measure(match[2]).given:
        return
    whole, part, why = match[1], match[2], "text: what is subtracted"
    was, measure = piece_set(part) & words_of("before"), scope.measure(whole)
    if was and piece_set(part) - was <= piece_set(whole) and measure.given:
        scope.give(part, f"random({measure.low:g}, {measure.high:g})", why)  # the range before is the range after
    elif scope.is_open(part) or measure.given:
        small = plays(scope.own[part], "small") or scope.measure(part).name == "part"
        scope.give(part, ordered(scope, part, "little" if small else "below", whole), why)
    else:
        scope.give(whole, ordered(scope, whole, "above", part), why)


def _others(scope: Scope, name: str) -> dict[str, Place]:
    return {other: place for other, place in scope.visible().items() if other != name}


def written_formula(name: str, scope: Scope, times: Mapping[str, Place] | None = None) -> str | None:
    """Returns the formula that the sheet writes about a number; None if it writes none that can be calculated here."""
    place = scope.own[name]
    visible = {**_others(scope, name), **(times or {})}
    texts = (text for source in (place.prop.description, place.prop.alias) for text in _candidates(source))
    return next((formula for text in texts if (formula := _read(text, place, visible, scope))), None)


def unread_formulas(scope: Scope) -> Iterator[tuple[str, str]]:
    """Yields names and texts of numbers whose description only looks like a formula: `qty * prise`, `= qty * * 2`."""
    for name, place in scope.own.items():
        text = place.prop.description.strip()
        names = set(re.findall(r"[A-Za-z_]\w*", text))
        signs = re.search(r"\w\s*[-+*/]", text) and re.fullmatch(r"[\w\s.+*/()-]+", text)
        meant = text.startswith("=") or (signs and len(names) <= 6 and names & (scope.visible().keys() - {name}))
        if meant and scope.is_free(name) and written_formula(name, scope) is None:
            yield name, text


# --------------------------------------------------------------------------- texts


def _candidates(text: str) -> Iterator[str]:
    """Yields the parts of a text that may be a formula in their order, then the text in brackets."""
    plain = unicodedata.normalize("NFKC", text).translate(_SIGNS).strip()
    if not plain or len(plain) > _LONGEST:
        return
    sides = re.split(r"\s*(?:[=:;。]|\.\s|\bequals\b|\bcalculated as\b)\s*", plain)
    inner = re.findall(r"\(((?:[^()]|\([^()]*\))+)\)", plain)
    for side in dict.fromkeys([*sides, *inner]):
        if re.fullmatch(r"[A-Za-zµ°]{1,4}/[A-Za-z]{1,4}", side):
            continue  # a unit such as `km/h`
        plainer = _IN_UNIT.sub(" ", side)
        for shorter in (plainer, re.sub(r"(?<=\w)\s*\([^()*+/]*\)", "", plainer), plainer.partition(", ")[0]):
            yield shorter.strip(" .。")


@functools.lru_cache(maxsize=1024)
def _with_signs(text: str) -> str:
    """Writes operations in words as signs."""
    for known in facts("equations")["words"]:
        match = re.search(known["says"], text, re.IGNORECASE)
        if match and known["signs"].endswith("+"):
            parts = re.split(r"\s*,\s*(?:and\s+|und\s+)?|\s+(?:and|und)\s+", match[1])
            return f"{text[: match.start()]}({' + '.join(parts)})" if len(parts) > 1 else text
        text = re.sub(known["says"], known["signs"], text, flags=re.IGNORECASE)
    return text


def _tokens(text: str) -> list[tuple[str, str]]:
    text = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", "\x00", text)  # a hyphen within a word is no minus: `E-mail`
    found = [(str(m.lastgroup), m[str(m.lastgroup)].replace("\x00", "-").strip()) for m in _TOKEN.finditer(text)]
    return [(kind, token) for kind, token in found if token]


def _read(text: str, target: Place, visible: Mapping[str, Place], scope: Scope) -> str | None:
    """Returns the formula of a text in the rules' grammar; None if it is none."""
    if _FUNCTION.search(text):
        return text if (used := _names_in(text)) and used <= visible.keys() else None
    tokens = _tokens(_with_signs(text))
    if not any(kind == "sign" and sign in "+-*/" for kind, sign in tokens):
        return None
    shares = {n for n, p in visible.items() if n not in scope.found and p in scope.measures}
    shares = frozenset(n for n in shares if is_share(visible[n], scope.measures))
    of_share = is_share(target, scope.measures)
    of_hundred = any(token in ("100", "0.01") or token.endswith("%") for _, token in tokens)
    names: list[str] = []
    out: list[str] = []
    for number, (kind, token) in enumerate(tokens):
        if kind != "phrase":
            plain = token.replace(",", "")
            out.append(f"({plain[:-1]} / 100)" if plain.endswith("%") else plain)
            continue
        before = tokens[number - 1][1] if number else ""
        multiplied = {before, *(after for _, after in tokens[number + 1 : number + 2])} & {"*", "/"}
        name = _named(token, visible, frozenset() if multiplied or of_share else shares)
        if name is None:
            return None
        names.append(name)
        part = f"{name} / 100" if name in shares and is_percent(visible[name], scope.measures) else name
        if name not in shares or of_share or of_hundred or not (multiplied or before in ("+", "-")):
            out.append(name)
        elif multiplied:
            out.append(f"({part})" if part != name else name)
        else:  # an added percentage is of the number before it
            out = [f"({' '.join(out[:-1])}) * (1 {before} {part})"]
    if not names or (len(names) == 1 and not any(kind == "number" for kind, _ in tokens)):
        return None
    formula = re.sub(r"^\(([^()]*)\)$", r"\1", " ".join(out).replace("( ", "(").replace(" )", ")"))
    return _in_unit(formula, names, target, visible, scope, of_hundred=of_hundred)


def _names_in(formula: str) -> frozenset[str]:
    """Returns the names that a formula uses; none if it is no formula."""
    try:
        return parse_formula(formula).names
    except FormulaError:
        return frozenset()


def _in_unit(
    formula: str, names: list[str], target: Place, visible: Mapping[str, Place], scope: Scope, *, of_hundred: bool
) -> str | None:
    """Returns a formula in the unit of its target, rounded if the target is whole."""
    times = [name for name in names if visible[name].prop.type is PropertyType.TIME]
    if times:
        seconds, taken = seconds_in(target) or 1, " - ".join(times)
        if len(times) != 2 or taken not in formula:
            return None
        if seconds != 1:
            formula = formula.replace(f"({taken})", taken).replace(taken, f"({taken}) / {seconds:.10g}")
    if not _names_in(formula):
        return None
    divides, measure = "/" in formula, scope.measures[target]
    if is_percent(target, scope.measures) and divides and not of_hundred:
        formula = f"({formula}) * 100"
    if (divides or "." in formula) and measure.integer:
        # A number of unknown measure may well have decimals.
        return f"round({formula})" if measure.given or measure.name != "other" else f"round({formula}, 2)"
    return formula


# --------------------------------------------------------------------------- names in words


def _named(phrase: str, visible: Mapping[str, Place], unlikely: frozenset[str] = frozenset()) -> str | None:
    """Returns the name of the one number that a phrase means; of several that fit, none of the unlikely ones."""
    scored = {name: score for name, p in visible.items() if (score := _nearness(phrase, p.prop)) is not None}
    near = [name for name, score in scored.items() if score == min(scored.values())]
    near = [name for name in near if name not in unlikely] or near
    near = near if len(near) == 1 else [name for name in near if visible[name].of_event]
    return near[0] if len(near) == 1 else None


def _nearness(phrase: str, prop: Property) -> int | None:
    """Returns how many words of a name a phrase leaves out; None if it means something else."""
    labels = [prop.name, prop.alias]
    if len(prop.description.split()) <= 5 and len(prop.description) <= 2 * len(phrase):
        labels.append(prop.description)
    found = [near for label in labels if label and (near := _apart(phrase, label)) is not None]
    if found:
        return min(found)
    words = frozenset(measure_words(Property(name=phrase, type=PropertyType.NUMBER)))
    return 20 if words and _NOT_ASCII.search(phrase) and words <= frozenset(measure_words(prop)) else None


def _apart(phrase: str, label: str) -> int | None:
    if _NOT_ASCII.search(phrase):
        phrase, label = re.sub(r"\s", "", phrase), re.sub(r"\s", "", label)
        bare = re.sub(r"(?:을|를|이|가|은|는|の)$", "", phrase)
        if any(len(words) > 1 and words in label for words in (phrase, bare)) or label == bare:
            return min(len(label) - len(bare), 9)
        return 10 if len(label) > 1 and _NOT_ASCII.search(label) and label in phrase else None
    words, known = _stemmed(phrase), _stemmed(label)
    if len(words) == 1 and len(words[0]) == 1 and known:
        return 10 if known[0].startswith(words[0]) else None  # `L * W * H`
    least, most = set(words) - _EMPTY, set(known)
    if not least or not most:
        return None
    if least <= most:
        return len(most - least)
    core = least - _ARTICLES
    return 5 + len(most - core) if core and core <= most else None


@functools.lru_cache(maxsize=2048)
def _stemmed(text: str) -> tuple[str, ...]:
    words = [word for part in re.split(r"[^A-Za-z0-9]+", text) for word in own_pieces(part)]
    return tuple(re.sub(r"(?<=[a-z]{3})s$", "", word) for word in words)


# --------------------------------------------------------------------------- formulas as rules

_GROWS = 10_000
"""Largest factor by which a state grows from its first value."""


@dataclass(frozen=True)
class Reckoned:
    """A formula at its place, of names beside it, with its source and confidence: whether its results are whole, and
    whether it follows a state of users, which grows."""

    place: Place
    formula: str
    whole: bool = True
    of_state: bool = False
    why: str = ""
    confidence: float = 1.0

    @property
    def names(self) -> frozenset[str]:
        """The names that it uses."""
        return parse_formula(self.formula).names


@dataclass(frozen=True)
class Findings:
    """Formulas of numbers, with their consequences for other numbers.

    Attributes:
        updates: by event and property, including those that move the states behind numbers before and after.
        formulas: of every event, object and user.
        least: lower bounds by key, so that nothing falls below zero.
    """

    updates: dict[str, dict[str, Update]]
    formulas: list[Reckoned] = field(default_factory=list)
    least: dict[str, float] = field(default_factory=dict)

    def constraints(self, values: Mapping[str, PropertyConstraint]) -> dict[str, PropertyConstraint]:
        """Returns constraints in which numbers with a formula do not repeat the value of an earlier step."""
        found = dict(values)
        followed = {reckoned.place.key for reckoned in self.formulas}
        for place, formula in ((reckoned.place, reckoned.formula) for reckoned in self.formulas):
            known, plain = found.get(place.key), found.get(place.name)
            if known is None and plain is not None and plain.values and place.of_event:
                found[place.key] = plain.model_copy(update={"values": [], "weights": []})
            if known is not None and not parse_formula(formula).randoms:
                # An earlier value that no formula gave is not the result of this one.
                sources = {source if "/" in source else f"{source}/{place.name}" for source in known.recalls}
                kept = {"same_as_before": False, "recalls": known.recalls if sources & followed else []}
                found[place.key] = known.model_copy(update=kept)
        return found

    def bounded(
        self, ranges: Mapping[str, ValueRange], values: Mapping[str, PropertyConstraint]
    ) -> dict[str, ValueRange]:
        """Returns ranges with the bounds that formulas need; numbers with a mapping are bounded by its values."""
        found = dict(ranges)
        for key, old in ranges.items():
            least = self.least.get(key, old.min)
            if old.min < least:
                high = max(old.max, least * 2)
                mean = min(max(old.mean if old.mean is not None else (least + high) / 2, least), high)
                found[key] = ValueRange(min=least, max=high, mean=mean, integer=old.integer)
            constraint = values.get(key, values.get(key.rpartition("/")[2], PropertyConstraint()))
            numbers = [float(v) for of in constraint.mapping.values() for v in of if isinstance(v, int | float)]
            if numbers:
                whole = all(number.is_integer() for number in numbers)
                found[key] = ValueRange(min=min(numbers), max=max(numbers), integer=whole)
        return found


def formulas(scopes: Mapping[tuple[str, str], Scope], updates: Mapping[str, Mapping[str, Update]]) -> Findings:
    """Returns the formulas of all scopes, with their consequences."""
    found = Findings({event: dict(of) for event, of in updates.items()})
    for (event, parent), scope in scopes.items():
        own = {} if parent else found.updates.get(event, {})
        own |= before_and_after(scope, own)
        usual_equations(scope)
        found.formulas.extend(_reckoned(scope))
        for name, least in scope.least.items():
            if not scope.measure(name).given or least <= scope.measure(name).high / 2:
                found.least[scope.own[name].key] = least
    return found


def _reckoned(scope: Scope) -> Iterator[Reckoned]:
    for name, (formula, why, confidence) in scope.found.items():
        place, uses = scope.own[name], parse_formula(formula).names
        if place.kind is EventKind.SYSTEM and "random" in formula and not rule_of(place.prop) and "text" not in why:
            continue
        of_state = name in scope.states or bool(uses & {*scope.states.values()})
        yield Reckoned(place, formula, _is_whole(formula, scope), of_state, why, confidence)


def _is_whole(formula: str, scope: Scope) -> bool:
    """Whether a formula gives only whole numbers, tried with a few inputs."""
    read, visible, rows = parse_formula(formula), scope.visible(), np.arange(1, 30, dtype=np.float64)
    places = [(name, visible.get(name)) for name in sorted(read.names)]
    whole = [place is None or place not in scope.measures or scope.measures[place].integer for _, place in places]
    values = {name: rows * (n + 2 if whole[n] else n + 2.37) for n, (name, _) in enumerate(places)}
    results = read.evaluate(values, lambda place: (rows * (0.37 + place / 7)) % 1)
    return bool(np.all(np.abs(results - np.rint(results)) < 1e-9))


def relationships(found: Sequence[Reckoned], everywhere: Sequence[Place]) -> dict[str, PropertyRelationship]:
    """Returns formulas as rules: under the plain name if every place of the property follows the same one."""
    by_name: dict[str, list[Reckoned]] = {}
    for reckoned in found:
        by_name.setdefault(reckoned.place.name, []).append(reckoned)
    rules: dict[str, PropertyRelationship] = {}
    affects: dict[str, set[str]] = {}
    for name, several in by_name.items():
        places = sum(place.name == name for place in everywhere)
        everyone = len({reckoned.formula for reckoned in several}) == 1 and len(several) == places
        # A plain name holds everywhere; if it cannot, only events can have formulas of their own.
        for reckoned in several[:1] if everyone else [r for r in several if r.place.of_event]:
            uses, key = sorted(reckoned.names), name if everyone else reckoned.place.key
            rules[key] = PropertyRelationship(depends_on=uses, formula=reckoned.formula)
            for use in uses:
                affects.setdefault(_name_beside(reckoned.place, use), set()).add(name)
    known = {*rules, *(place.name for place in everywhere)}
    for name, targets in affects.items():
        if name in known:
            relation = rules.get(name, PropertyRelationship())
            rules[name] = relation.model_copy(update={"affects": sorted(targets)})
    return rules


# --------------------------------------------------------------------------- ranges of results


def reckoned_ranges(
    found: Sequence[Reckoned],
    tables: Sequence[Mapping[str, ValueRange]],
    limits: Mapping[str, tuple[float, float]],
) -> list[dict[str, ValueRange]]:
    """Returns the ranges of results by table, from the ranges of their inputs and within the sheet's limits.

    A formula whose results all lie outside the limits gets no range: it does not belong to this number.

    Args:
        tables: ranges of all inputs of formulas by key, overall and per segment.
        limits: the sheet's limits by key.
    """
    results: list[dict[str, ValueRange]] = [{} for _ in tables]
    for reckoned in _in_order(found):
        formula = parse_formula(reckoned.formula)
        ranges = _ranges_of(reckoned, {**tables[0], **results[0]})
        corners = np.array(list(itertools.product(*((r.min, r.max) for r in ranges.values()), (0.0, 1.0)))).T
        reached = formula.evaluate(dict(zip(ranges, corners[:-1], strict=True)), lambda _, last=corners[-1]: last)
        low, high = float(np.min(reached)), float(np.max(reached)) * (_GROWS if reckoned.of_state else 1)
        least, most = limits.get(reckoned.place.key, (0.0, np.inf))
        if low > most or high < least:
            continue
        low, high = _within(low, least, most), _within(high, least, most)
        whole = reckoned.whole and low.is_integer() and high.is_integer()
        for known, into in zip(tables, results, strict=True):
            ranges = _ranges_of(reckoned, {**known, **into})
            means = {n: (r.min + r.max) / 2 if r.mean is None else r.mean for n, r in ranges.items()}
            mean = _within(float(formula.evaluate(means, lambda _: np.array(0.5))), low, high)
            into[reckoned.place.key] = ValueRange(min=low, max=high, mean=mean, integer=whole)
    return results


def _in_order(found: Sequence[Reckoned]) -> list[Reckoned]:
    """Returns the formulas, inputs of others first."""
    waiting, placed = list(found), list[Reckoned]()
    while waiting:
        names = {(r.place.event, r.place.name) for r in waiting}
        ready = [r for r in waiting if not any((r.place.event, _name_beside(r.place, use)) in names for use in r.names)]
        placed += ready or waiting
        waiting = [r for r in waiting if r not in placed]
    return placed


def _name_beside(place: Place, use: str) -> str:
    return f"{place.parent}.{use}" if place.parent else use


def _ranges_of(reckoned: Reckoned, known: Mapping[str, ValueRange]) -> dict[str, ValueRange]:
    """Returns the ranges of a formula's inputs; as in all ranges, a run begins in 2026."""
    found: dict[str, ValueRange] = {}
    for use in sorted(reckoned.names):
        name = _name_beside(reckoned.place, use)
        keys = (f"{reckoned.place.event}/{name}", name, use)
        one = next((known[key] for key in keys if key in known), ValueRange(min=0, max=100, mean=40))
        found[use] = ValueRange(min=2026, max=2026) if use == "#year" else one
    return found


def _within(value: float, least: float, most: float) -> float:
    """Rounds a result to a readable value within bounds."""
    return min(max(round(value, 2), least), most)
