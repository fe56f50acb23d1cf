"""How numbers follow from each other: before and after, totals, parts, levels.

`equations.toml` has the roles of numbers, the equations between terms, and which of two numbers is the larger one. A
formula uses only numbers beside its property: those of the same event, the same object, the common properties and the
user. Where an event changes a state of the user, it moves the state.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.meaning.measures import (
    USABLE_NAME,
    Measure,
    Place,
    by_parent,
    counts_things,
    label_of,
    rule_of,
    texts_of,
    units_in,
)
from gamestats_assets.demo_data.analysis.meaning.reading import named_words, own_pieces, piece_set
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import Update
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between


@functools.cache
def words_of(role: str) -> frozenset[str]:
    """Returns the words that give a number a role."""
    return frozenset(facts("equations")["roles"][role]["words"].split())


def _fits(role: str, where: str, text: str) -> bool:
    return bool(re.search(facts("equations")["roles"][role].get(where, r"(?!)"), text))


def plays(place: Place, role: str) -> bool:
    """Whether a number's name, label or text gives it a role."""
    named = piece_set(place.prop.name) & words_of(role) or _fits(role, "label", label_of(place.prop))
    return bool(named or _fits(role, "text", texts_of(place.prop)))


def _singular(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in words)


class Scope:
    """Numbers that stand together in an event, an object or a user, and the formulas found for them.

    Attributes:
        event: its name; empty for common properties, `user` for users.
        text: name, alias and description of the event in small letters.
        ends_well: whether the event reports that something is done.
        own: its numbers by name.
        outer: numbers of common properties and users, which formulas can use as well.
        found: by name, the formula, its source and its confidence.
        states: by name of a number after a change, the user state that it shows.
        least: by name, the lower bound that a formula needs of its input.
    """

    def __init__(self, event: str, places: Sequence[Place], measures: Mapping[Place, Measure]) -> None:
        self.event, self.measures = event, measures
        numbers = [place for place in places if place.prop.type is PropertyType.NUMBER]
        self.own = {place.prop.name: place for place in numbers if USABLE_NAME.fullmatch(place.prop.name)}
        self.outer: dict[str, Place] = {}
        self.counted: frozenset[str] = frozenset()
        self.text, self.ends_well = "", False
        self.found: dict[str, tuple[str, str, float]] = {}
        self.states: dict[str, str] = {}
        self.least: dict[str, float] = {}

    def measure(self, name: str) -> Measure:
        """Returns the measure of one of its own numbers."""
        return self.measures[self.own[name]]

    def visible(self) -> dict[str, Place]:
        """Numbers that a formula here can use, by name; the nearer one wins."""
        return {**self.outer, **self.own}

    def playing(self, *roles: str) -> list[str]:
        """Returns the names of the numbers that have any of these roles."""
        return [name for name, place in self.own.items() if any(plays(place, role) for role in roles)]

    def is_free(self, name: str) -> bool:
        """Whether a number may follow a formula: the sheet gives it at most limits, and no constraint decides its
        values."""
        place = self.own[name]
        return isinstance(rule_of(place.prop), Between | None) and place.key not in self.counted

    def is_open(self, name: str) -> bool:
        """Whether a number may follow a formula and has none yet."""
        return self.is_free(name) and name not in self.found

    def give(self, name: str | None, formula: str, why: str, confidence: float = 0.9) -> bool:
        """Notes a formula if its property may follow one; returns whether it was noted."""
        if name is None or not self.is_open(name) or self.circular(name, parse_formula(formula).names):
            return False
        self.found[name] = (formula, why, confidence)
        return True

    def circular(self, name: str, uses: frozenset[str]) -> bool:
        """Whether the inputs of a formula need its result."""
        return any(
            use == name or (use in self.found and self.circular(name, parse_formula(self.found[use][0]).names))
            for use in uses
        )


def number_scopes(
    order: EventOrder,
    everywhere: Sequence[Place],
    measures: Mapping[Place, Measure],
    counted: frozenset[str],
) -> dict[tuple[str, str], Scope]:
    """Returns the numbers that stand together, by event and object."""
    texts = {event.name: f"{event.name} {event.alias} {event.description}" for event in order.taxonomy.events}
    scopes = {key: Scope(key[0], found, measures) for key, found in by_parent(everywhere).items()}
    outer = {n: p for k in ("user", "") for n, p in (scopes[k, ""].own if (k, "") in scopes else {}).items()}
    for (event, parent), scope in scopes.items():
        reading = order.readings.get(event)
        scope.text, scope.counted = texts.get(event, "").lower(), counted
        scope.ends_well = bool(reading and reading.phase in ("complete", "clear", "done", "success"))
        scope.outer = outer if reading and not parent else {}
    return scopes


# --------------------------------------------------------------------------- equations between terms


def usual_equations(scope: Scope) -> None:
    """Notes the usual equations between numbers of known names."""
    for known in facts("equations")["equations"]:
        name = _term(scope, known["of"])
        if name in scope.own and scope.is_open(name):
            for formula in filter(None, (_filled(scope, template, name) for template in known["is"])):
                if scope.give(name, formula, f"usual equation of {known['of']}", 0.75):
                    break
    _by_roles(scope)
    _parts_of_wholes(scope)


def _term(scope: Scope, term: str) -> str | None:
    """Returns the name of the number that fills a term of the reference data."""
    known, visible = facts("equations")["terms"][term], scope.visible()
    without = {*known.get("without", "").split()}
    places = [*scope.own, *(n for n in visible if n not in scope.own and known.get("anywhere"))]
    if measure := known.get("measure"):
        found = [n for n in places if visible[n] in scope.measures and scope.measures[visible[n]].name == measure]
        return found[0] if len(found) == 1 else None
    for wanted in (set(need.split()) for need in known["names"]):
        for name in places:
            words = piece_set(name)
            fits = words >= wanted and not words & without and (words == wanted or not known.get("exact"))
            if fits and not (known.get("money") and counts_things(name)):
                return name
    return None


def _filled(scope: Scope, template: str, target: str) -> str | None:
    """Returns a template with names for its terms; None if one is missing or fills two terms."""
    used = [target]

    def filled(text: str) -> str | None:
        for term in re.findall(r"\{([^{}]+)\}", text):
            found = (_term(scope, one) for one in term.removesuffix("%").split("|"))
            name = next((n for n in found if n and n != target), None)
            if name is None or name in used:
                return None
            used.append(name)
            percent = term.endswith("%") and scope.measures[scope.visible()[name]].high > 1
            text = text.replace(f"{{{term}}}", f"{name} / 100" if percent else name, 1)
        return text

    parts = re.split(r"\[([^\[\]]*)\]", template)
    needed = [filled(part) for part in parts[::2]]  # first, so that optional parts take none of these
    if None in needed:
        return None
    optional = [*(filled(part) or "" for part in parts[1::2]), ""]
    formula = "".join(map(str, itertools.chain(*zip(needed, optional, strict=True))))
    if share := re.fullmatch(r"share\((.+), (.+)\)", formula):
        return _share(share[1], share[2], of_hundred=scope.measure(target).high > 1)
    return formula if len(used) > 1 or not scope.measure(target).given else None


def _share(part: str, whole: str, *, of_hundred: bool) -> str:
    ratio = f"{part} / max({whole}, 1)"
    return f"min(round({ratio} * 100), 100)" if of_hundred else f"min({ratio}, 1)"


# --------------------------------------------------------------------------- which of two is larger

_SHARES = {"below": "0.4, 1.0", "under": "0.5, 0.95", "little": "0.03, 0.25", "above": "1.05, 1.8"}


def ordered(scope: Scope, name: str, how: str, other: str) -> str:
    """Returns the formula of a number that lies above or below another.

    Args:
        how: `above`: up to its own limit, or half as much again; `below`: mostly not much less; `under`: always less;
        `little`: a small part; `streak`: from one up to the other, like days in a row of all days.
    """
    measure = scope.measure(name)
    if how == "streak":
        return f"max(1, floor({other} * random(0.1, 1.0)))"
    if how == "above" and (measure.given or measure.name in ("percent", "ratio")):
        return f"random({other}, {measure.high:{'.12g' if measure.integer else '.2f'}})"
    text = f"{other} * random({_SHARES[how]})"
    return f"{'ceil' if how == 'above' else 'floor'}({text})" if measure.integer else f"round({text}, 2)"


def _thing(name: str, *roles: str) -> frozenset[str]:
    """Returns the words of a number's subject: without its roles, `count` and `amount`."""
    without = frozenset[str]().union(*(words_of(role) for role in roles), words_of("counted"), {"amount"})
    return _singular(piece_set(name) - without)


def _by_roles(scope: Scope) -> None:
    for known in facts("equations")["relations"]:
        of, by = known["of"], known["by"]
        if re.search(known.get("unless", r"(?!)"), scope.text):
            continue
        others = [n for n in scope.playing(by) if of == "any" or not plays(scope.own[n], of)]
        for name in (n for n in scope.playing(of) if not plays(scope.own[n], by)):
            thing, label = _thing(name, of), f"{name} {label_of(scope.own[name].prop)}".lower()
            alike = [o for o in others if known.get("any_thing") or _thing(o, by) == thing]
            alike = alike or [o for o in others if known.get("some_words") and thing < _thing(o, by)]
            fits = re.search(known.get("things", ""), label) and scope.measure(name).name not in ("version", "id")
            if len(alike) == 1 and fits:
                formula = ordered(scope, name, known["is"], alike[0])
                scope.give(name, formula, f"{name} and {alike[0]} are of one thing", 0.8)


def _parts_of_wholes(scope: Scope) -> None:
    """Notes that a part is no more than its whole, and all of it once the event completes it."""
    shares = [n for n in scope.own if is_share(scope.own[n], scope.measures)]
    for whole in [n for n in scope.playing("whole") if not _part_words(n)]:
        thing = _thing(whole, "whole")
        parts = [n for n in scope.own if _part_words(n) and n not in shares and not piece_set(n) & words_of("whole")]
        parts = [n for n in parts if _singular(_thing(n, "whole") - _part_words(n)) == thing]
        rest = [n for n in scope.playing("rest") if n != whole and _thing(n, "rest") == thing]
        good = [n for n in parts if not piece_set(n) & words_of("bad_part")][:1]
        why = f"a part of {whole}"
        for name in good:
            scope.give(name, ordered(scope, name, "below", whole), why, 0.8)
            for share in shares:
                if piece_set(share) & piece_set(name) & words_of("part") or plays(scope.own[share], "progress"):
                    percent = is_percent(scope.own[share], scope.measures)
                    scope.give(share, _share(name, whole, of_hundred=percent), f"{name} of {whole}", 0.8)
        for name in [*[n for n in parts if piece_set(n) & words_of("bad_part")][:1], *rest[:1]]:
            how = ordered(scope, name, "little" if name in parts else "below", whole)
            scope.give(name, f"{whole} - {good[0]}" if good else how, why, 0.8)
    for name in shares if scope.ends_well else ():
        if plays(scope.own[name], "progress"):
            whole = 100 if is_percent(scope.own[name], scope.measures) else 1
            scope.give(name, f"{min(whole, scope.measure(name).high):g}", "what is done is all done", 0.8)


_MONEY = named_words("money")


def _part_words(name: str) -> frozenset[str]:
    """Returns the words that name the part: `printed` of `printed_pages`."""
    words = piece_set(name) - words_of("whole")
    return frozenset(w for w in words if w in words_of("part") or (w.endswith("ed") and len(w) > 4))


def is_share(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a share, in percent or from 0 to 1."""
    return measures[place].name in ("percent", "ratio") or is_percent(place, measures)


def is_percent(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a percentage, 15 being 15 %."""
    words, found = piece_set(place.prop.name), measures[place]
    if words & {"pct", "percent", "percentage"} or found.name in ("percent", "discount_percent"):
        return found.high > 1
    if words & _MONEY:
        return False
    if "percent" in units_in(texts_of(place.prop)):
        return True
    if found.name == "interest":
        return found.high > 1 and bool(words & {"rate", "apr", "apy"})
    return found.name == "ratio" and 1 < found.high <= 100 and (not found.given or "rate" in words)


# --------------------------------------------------------------------------- before and after an event

Term = tuple[str, str]
"""Sign and name of a number that makes a difference."""
_GROWING = ("level", "star", "stage", "vip", "step")
_FEW = ("other", "quantity", "times", "total_count")
_EXCHANGED = named_words("exchanged")


def before_and_after(scope: Scope, updates: Mapping[str, Update]) -> dict[str, Update]:
    """Notes formulas of numbers before and after a change; returns by state the event's updates of it."""
    moved: dict[str, Update] = {}
    for stem, sides in _pairs(scope).items():
        before = sides.get("before")
        after = sides.get("after", sides.get("plain") if before else None)
        if not after or not stem:
            continue
        why, terms = f"{before} and {after}", _terms(scope, stem, {after, before or after})
        state = next((name for name, update in updates.items() if update.sets_to(after)), None)
        if state is not None and stem - words_of("amount") and scope.is_free(after):
            sign, one = event_sign(scope, stem), re.search(r"\b(?:a|an|one|1)\b|하나|1개|1つ|一つ", scope.text)
            single = [(sign, "1")] if sign and (one or scope.measure(after).name in _FEW) else []
            if (of_state := terms or single) and not _is_mixed(scope, of_state):
                moved[state] = _move(scope, state, before, after, of_state)
                continue
        if before is not None and terms:
            if all(sign == "-" for sign, _ in terms):
                scope.least[before] = max((scope.measure(n).high for _, n in terms if n in scope.own), default=0.0)
            scope.give(after, before + _signs(terms), why, 0.85)
        elif before is not None:
            _without_amount(scope, stem, before, after)
    return moved


def _signs(terms: Sequence[Term]) -> str:
    return "".join(f" {sign} {name}" for sign, name in terms)


def _move(scope: Scope, state: str, before: str | None, after: str, terms: Sequence[Term]) -> Update:
    """Returns an event's update of a state, and notes that the number before is the state as it stood."""
    lost = all(sign == "-" for sign, _ in terms)
    spent = " + ".join(name for _, name in terms)
    scope.give(before, f"max({state}, {spent})" if lost else state, f"{state} as it stood", 0.85)
    result = f"max({state}{_signs(terms)}, 0)" if lost else state + _signs(terms)
    if scope.give(after, result, f"{state} and what the event moves", 0.85):
        scope.states[after] = state
    value = 1 if terms[0][1] == "1" else " + ".join(f"{{{{{name}}}}}" for _, name in terms)
    return Update(type="decrement" if lost else "increment", value=value)


def _is_mixed(scope: Scope, terms: Sequence[Term]) -> bool:
    """Whether a difference may have either sign, or comes from outside the event."""
    either = any(name in scope.own and _own_sign(scope.own[name]) == "±" for _, name in terms) and not event_sign(scope)
    return either or len({sign for sign, _ in terms}) > 1 or any(n not in {"1", *scope.own} for _, n in terms)


def _pairs(scope: Scope) -> dict[frozenset[str], dict[str, str]]:
    """Returns the names of numbers before and after, by the words that both share."""
    by_stem: dict[frozenset[str], dict[str, str]] = {}
    for name in scope.own:
        words = piece_set(name)
        side = next((side for side in ("before", "after") if words & words_of(side)), "plain")
        by_stem.setdefault(words - words_of("before") - words_of("after"), {}).setdefault(side, name)
    return by_stem


# --------------------------------------------------------------------------- causes of a difference


def _terms(scope: Scope, stem: frozenset[str], pair: set[str]) -> list[Term]:
    """Returns every number that the event adds or takes away."""
    around = _sign(" ".join(label_of(scope.own[name].prop) for name in sorted(pair))) or event_sign(scope, stem)
    known: dict[str, list[Term]] = {"signed": [], "plain": [], "part": [], "only": []}
    left_out = words_of("before") | words_of("after") | (words_of("no_change") - stem)
    for name in (n for n in scope.own if n not in pair and not piece_set(n) & left_out):
        words, sign = piece_set(name), _own_sign(scope.own[name])
        about = bool(_singular(words) & _singular(stem))
        generic = bool(words & (words_of("amount") | words_of("moved")))
        if sign == "±":
            if about or generic or not stem - words_of("amount"):
                known["plain"].append((around or "+", name))
        elif sign:
            known["signed" if about or generic else "only"].append((sign, name))
        elif about and around:
            known["part"].append((around, name))
        elif generic:
            known["plain" if words <= words_of("amount") | stem else "only"].append((around or "+", name))
    signed, totals = known["signed"], [term for term in known["signed"] if "total" in piece_set(term[1])]
    if signed and around:
        signed = [term for term in signed if term[0] == around] or signed  # the event's subject decides
    if signed and all(sign == around for sign, _ in signed):
        signed = sorted([*known["part"], *signed], key=lambda term: list(scope.own).index(term[1]))
    grows = any(scope.measure(name).name in _GROWING for name in pair)  # grows by one, not by points
    only = known["only"] if len(known["only"]) == 1 and not grows else []
    return totals[:1] or signed or known["plain"][:1] or known["part"][:1] or only


def _sign(label: str, words: frozenset[str] = frozenset()) -> str:
    """Returns the sign of words or of a label such as `付与後のジェム`; empty if they name neither gain nor loss."""
    gains, losses = (bool(words & words_of(role)) or _fits(role, "label", label) for role in ("gain", "loss"))
    return "" if gains == losses else "+" if gains else "-"


def _own_sign(place: Place) -> str:
    """Returns the sign of a number: added, taken away or either (`±`); empty if it says none."""
    roles = {"moved": "±", "loss": "-", "gain": "+", "bought": "+"}
    return next((sign for role, sign in roles.items() if plays(place, role)), "")


def event_sign(scope: Scope, stem: frozenset[str] = frozenset()) -> str:
    """Returns the sign of an event; empty if it names neither gain nor loss, or both."""
    words, text = frozenset(own_pieces(scope.event)), frozenset(re.findall(r"[a-z]+", scope.text))
    if stem and words & _EXCHANGED and not _singular(words | text) & _singular(stem):
        return "+"
    return _sign("", words) or _sign(scope.text, text)


def _without_amount(scope: Scope, stem: frozenset[str], before: str, after: str) -> None:
    """Notes the formulas of a pair whose difference no number gives."""
    measure, why = scope.measure(after), f"{before} and {after}"
    if scope.own[after].key in scope.counted or measure.name in _GROWING:
        scope.give(before, f"max({after} - 1, 0)" if measure.low < 1 else f"{after} - 1", why)
    elif event_sign(scope, stem) == "-":
        scope.give(after, f"{before} - floor({before} * random(0.05, 0.4))", why, 0.5)
    else:
        scope.give(after, f"{before} + random(0-30)", why, 0.4)
