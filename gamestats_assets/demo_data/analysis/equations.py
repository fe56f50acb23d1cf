"""How numbers follow from each other: what texts write, what was before and after, totals, parts, levels.

`data/reference/demo_data/equations.toml` has what a person knows of records: the roles of numbers, the equations
between terms, which of two numbers is the larger one. A formula uses only what stands beside its property: the same
event, the same object, the common properties, the user.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.lexicon import own_pieces, piece_set, word_set
from gamestats_assets.demo_data.analysis.measures import (
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
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf


@functools.cache
def words_of(role: str) -> frozenset[str]:
    """The words that give a number a role."""
    return frozenset(facts("equations")["roles"][role]["words"].split())


@functools.cache
def _pattern_of(role: str, where: str) -> re.Pattern[str]:
    return re.compile(facts("equations")["roles"][role].get(where, r"(?!)"))


def label_says(role: str, label: str) -> bool:
    """Whether a label gives a role."""
    return bool(_pattern_of(role, "label").search(label))


def plays(place: Place, role: str) -> bool:
    """Whether a number's name, label or text gives it a role."""
    named = piece_set(place.prop.name) & words_of(role) or label_says(role, label_of(place.prop))
    return bool(named or _pattern_of(role, "text").search(texts_of(place.prop)))


def singular(words: frozenset[str]) -> frozenset[str]:
    """Words without the `s` at their end."""
    return frozenset(word.rstrip("s") for word in words)


class Scope:
    """Numbers that stand together, of an event, an object or a user, and what was found of them.

    Attributes:
        event: its name; empty of common properties, `user` of users.
        said: name, alias and description of the event in small letters.
        own: the numbers by name.
        outer: common numbers that an event can use as well; `users`: numbers of users, likewise.
        others: the properties beside that are no numbers.
        found: formula, what it was read from and how sure that is, by name.
        states: by name of what is after, the state of users that it shows.
        least: by name, a lower bound that a formula needs of what it uses.
    """

    def __init__(
        self, event: str, said: str, places: Sequence[Place], measures: Mapping[Place, Measure], closed: frozenset[str]
    ) -> None:
        self.event, self.said, self.measures, self._closed = event, said, measures, closed
        numbers = [place for place in places if place.prop.type is PropertyType.NUMBER]
        self.own = {place.prop.name: place for place in numbers if USABLE_NAME.fullmatch(place.prop.name)}
        self.others = [place for place in places if place.prop.type is not PropertyType.NUMBER]
        self.outer: dict[str, Place] = {}
        self.users: dict[str, Place] = {}
        self.borrowed: frozenset[str] = frozenset()
        self.ends_well = False
        self.found: dict[str, tuple[str, str, float]] = {}
        self.states: dict[str, str] = {}
        self.least: dict[str, float] = {}

    def measure(self, name: str) -> Measure:
        """What a number of its own measures."""
        return self.measures[self.own[name]]

    def visible(self) -> dict[str, Place]:
        """Everything a formula here can use, by name; what is nearer wins."""
        return {**self.users, **self.outer, **self.own}

    def playing(self, *roles: str) -> list[str]:
        """Names of the numbers that have one of some roles."""
        return [name for name, place in self.own.items() if any(plays(place, role) for role in roles)]

    def is_free(self, name: str, *, said: bool = False) -> bool:
        """Whether a number can follow a formula: the sheet gives it no more than limits, and nothing else decides.

        Args:
            said: whether it is the sheet that says what the number follows from.
        """
        place = self.own[name]
        decided = place.key in self._closed or (place.key in self.borrowed and not said)
        return isinstance(rule_of(place.prop), Between | None) and not decided

    def is_counted(self, name: str) -> bool:
        """Whether a number is a count or a balance."""
        return self.own[name].key in self._closed

    def is_open(self, name: str, *, said: bool = False) -> bool:
        """Whether a number is free and has no formula yet."""
        return self.is_free(name, said=said) and name not in self.found

    def give(self, name: str | None, formula: str, why: str, confidence: float = 0.9, *, said: bool = False) -> bool:
        """Note a formula, if its property is free to follow one; whether it is noted."""
        if name is None or not self.is_open(name, said=said) or self.circular(name, parse_formula(formula).names):
            return False
        self.found[name] = (formula, why, confidence)
        return True

    def circular(self, name: str, uses: frozenset[str]) -> bool:
        """Whether what a formula would use needs its result."""
        return any(
            use == name or (use in self.found and self.circular(name, parse_formula(self.found[use][0]).names))
            for use in uses
        )


def number_scopes(
    order: EventOrder,
    everywhere: Sequence[Place],
    measures: Mapping[Place, Measure],
    counted: frozenset[str],
    borrowed: frozenset[str],
) -> dict[tuple[str, str], Scope]:
    """Numbers that stand together, by event and object.

    Args:
        counted: keys of numbers that are counts or balances; these follow no formula.
        borrowed: keys of numbers whose values are listed for another event alone; the sheet's words go before these.
    """
    texts = {event.name: f"{event.name} {event.alias} {event.description}" for event in order.taxonomy.events}
    scopes = {
        (event, parent): Scope(event, texts.get(event, "").lower(), found, measures, counted)
        for (event, parent), found in by_parent(everywhere).items()
    }
    for (event, parent), scope in scopes.items():
        reading = order.readings.get(event)
        scope.borrowed = borrowed
        scope.ends_well = reading is not None and reading.phase in ("complete", "clear", "done", "success")
        if reading is not None and not parent:
            scope.outer, scope.users = (scopes[k, ""].own if (k, "") in scopes else {} for k in ("", "user"))
    return {key: scope for key, scope in scopes.items() if scope.own or scope.others}


# --------------------------------------------------------------------------- equations between terms


def usual_equations(scope: Scope) -> None:
    """Note what follows from what by the names of numbers."""
    _by_terms(scope)
    _for_each(scope)
    _by_roles(scope)
    _parts_of_wholes(scope)


def _term(scope: Scope, term: str) -> str | None:
    """Name of the number that a term of the reference data stands for."""
    known = facts("equations")["terms"][term]
    without = set(known.get("without", "").split())
    places = list(scope.own) + ([n for n in scope.visible() if n not in scope.own] if known.get("anywhere") else [])
    if measure := known.get("measure"):
        visible = scope.visible()
        found = [n for n in places if visible[n] in scope.measures and scope.measures[visible[n]].name == measure]
        return found[0] if len(found) == 1 else None
    for wanted in (set(need.split()) for need in known["names"]):
        for name in places:
            said = piece_set(name)
            fits = said >= wanted and not said & without and (said == wanted or not known.get("exact"))
            if fits and not (known.get("money") and counts_things(name)):
                return name
    return None


def _by_terms(scope: Scope) -> None:
    for known in facts("equations")["equations"]:
        name = _term(scope, known["of"])
        if name is None or name not in scope.own or not scope.is_open(name):
            continue
        for template in known["is"]:
            formula = _filled(scope, template, name)
            if formula is not None and scope.give(name, formula, f"usual equation of {known['of']}", 0.75):
                break


def _filled(scope: Scope, template: str, target: str) -> str | None:
    """A template with names in place of its terms; None where one is missing, or two are the same number."""
    used = [target]

    def name_of(match: re.Match[str]) -> str:
        terms = match[1].removesuffix("%").split("|")
        name = next((n for term in terms if (n := _term(scope, term)) and n != target), None)
        if name is None or name in used:
            raise LookupError
        used.append(name)
        place = scope.visible()[name]
        percent = match[1].endswith("%") and scope.measures[place].high > 1
        return f"{name} / 100" if percent else name

    def optional(match: re.Match[str]) -> str:
        try:
            return re.sub(r"\{([^{}]+)\}", name_of, match[1])
        except LookupError:
            return ""

    try:
        # What must be there comes first, so that an optional part takes none of it.
        needed = re.split(r"(\[[^\[\]]*\])", template)
        parts = [part if part.startswith("[") else re.sub(r"\{([^{}]+)\}", name_of, part) for part in needed]
    except LookupError:
        return None
    formula = re.sub(r"\[([^\[\]]*)\]", optional, "".join(parts))
    if share := re.fullmatch(r"share\((.+), (.+)\)", formula):
        ratio = f"min({share[1]} / max({share[2]}, 1), 1)"
        return f"round({ratio} * 100)" if scope.measure(target).high > 1 else ratio
    return formula if len(used) > 1 or not scope.measure(target).given else None


def _for_each(scope: Scope) -> None:
    """A total of so much for each of so many: `cookies per episode`, `episodes`, `total cookies`."""
    counts = set(scope.playing("counted"))
    money = {"price", "cost", "amount", "fee", "total", "value"}
    for each in scope.playing("each"):
        said, order = piece_set(each), own_pieces(each)
        things = {word.rstrip("s") for word in order[order.index("per") + 1 :]} if "per" in said else set[str]()
        counted = [n for n in scope.own if n in counts and n != each]
        counted = [n for n in counted if things & singular(piece_set(n))] or counted
        totals = [n for n in scope.playing("total") if n != each and n not in counts]
        totals = [
            n for n in totals if (said & piece_set(n)) - words_of("counted") or (said & money and piece_set(n) & money)
        ]
        if len(counted) == len(totals) == 1:
            scope.give(totals[0], f"{each} * {counted[0]}", "so much for each", 0.85, said=True)
    # What is spent on what the event does several times at once: `use_stone` of a draw, `draw_count`.
    done = set(own_pieces(scope.event))
    several = [n for n in counts if piece_set(n) - words_of("counted") and piece_set(n) - words_of("counted") <= done]
    several = [n for n in several if isinstance(rule_of(scope.own[n].prop), OneOf)]
    spent = [n for n in scope.playing("spent") if n not in counts and not plays(scope.own[n], "before")]
    spent = [n for n in spent if not plays(scope.own[n], "after") and not plays(scope.own[n], "each")]
    if len(several) == 1 and spent and not any(piece_set(n) & words_of("each") for n in scope.own):
        measure, most = scope.measure(spent[0]), scope.measure(several[0]).high
        if most > 0 and not measure.given:
            each_costs = max(round(measure.high / most), 1)
            scope.give(spent[0], f"{several[0]} * {each_costs}", "spent on each", 0.6)


# --------------------------------------------------------------------------- which of two is larger


_SHARES = {"below": "0.4, 1.0", "under": "0.5, 0.95", "little": "0.03, 0.25"}


def ordered(scope: Scope, name: str, how: str, other: str) -> str:
    """The formula of a number that lies above or below another.

    Args:
        how: `above`: up to its own limit, or half as much again; `below`: mostly not much less; `under`: always less;
            `little`: a small part; `streak`: from one on, as days in a row are of all days.
    """
    measure = scope.measure(name)
    if how == "streak":
        return f"max(1, floor({other} * random(0.1, 1.0)))"
    if how == "above" and (measure.given or measure.name in ("percent", "ratio")):
        return f"random({other}, {measure.high:{'.12g' if measure.integer else '.2f'}})"
    text = f"{other} * random({_SHARES.get(how, '1.05, 1.8')})"
    return f"{'ceil' if how == 'above' else 'floor'}({text})" if measure.integer else f"round({text}, 2)"


def _thing(name: str, *roles: str) -> frozenset[str]:
    """What a number is of: its words without those of roles, and without `count` or `amount`."""
    without = frozenset[str]().union(*(words_of(role) for role in roles), words_of("counted"), {"amount"})
    return singular(piece_set(name) - without)


def _by_roles(scope: Scope) -> None:
    for known in facts("equations")["relations"]:
        of, by = known["of"], known["by"]
        if re.search(known.get("unless", r"(?!)"), scope.said):
            continue
        targets = [n for n in scope.playing(of) if not plays(scope.own[n], by)]
        others = [n for n in scope.playing(by) if of == "any" or not plays(scope.own[n], of)]
        for name in targets:
            thing, label = _thing(name, of), f"{name} {label_of(scope.own[name].prop)}".lower()
            if not re.search(known.get("things", ""), label):
                continue
            alike = [o for o in others if known.get("any_thing") or _thing(o, by) == thing]
            alike = alike or [o for o in others if known.get("some_words") and thing < _thing(o, by)]
            if len(alike) == 1 and scope.measure(name).name not in ("seconds", "version", "id"):
                formula = ordered(scope, name, known["is"], alike[0])
                scope.give(name, formula, f"{name} and {alike[0]} are of one thing", 0.8)


def _parts_of_wholes(scope: Scope) -> None:
    """A part is no more than the whole; what is done to its end has all of its progress."""
    for whole in [n for n in scope.playing("whole") if not _part_words(n)]:
        parts = [n for n in scope.own if n != whole and _part_words(n) and not piece_set(n) & words_of("whole")]
        rest = [n for n in scope.playing("rest") if n != whole and _thing(n, "rest") == _thing(whole, "whole")]
        parts = [n for n in parts if singular(_thing(n, "whole") - _part_words(n)) == _thing(whole, "whole")]
        parts = [n for n in parts if scope.measure(n).name not in ("percent", "ratio")]
        good = [n for n in parts if not piece_set(n) & words_of("bad_part")]
        why = f"a part of {whole}"
        for name in good[:1]:
            all_done = scope.ends_well and _is_progress(name, scope.event)
            scope.give(name, whole if all_done else ordered(scope, name, "below", whole), why, 0.8)
            _progress_of(scope, name, whole)
        for name in [*[n for n in parts if n not in good][:1], *rest[:1]]:
            how = ordered(scope, name, "little" if name in parts else "below", whole)
            scope.give(name, f"{whole} - {good[0]}" if len(good) == 1 else how, why, 0.8)
    for name, place in scope.own.items() if scope.ends_well else ():
        if _is_share(scope, name) and plays(place, "progress"):
            whole = 100 if is_percent(place, scope.measures) else 1
            scope.give(name, f"{min(whole, scope.measure(name).high):g}", "what is done is all done", 0.8)


def _part_words(name: str) -> frozenset[str]:
    """What tells which part it is: `printed` of `printed_pages`."""
    said = piece_set(name) - words_of("whole")
    return frozenset(w for w in said if w in words_of("part") or (w.endswith("ed") and len(w) > 4))


def _is_progress(name: str, event: str) -> bool:
    """Whether a part is all there once the event is: what was read, or what the event itself does."""
    done = {word.removesuffix("ed") for word in _part_words(name)}
    known = {"read", "watch", "view", "play", "complet", "done", "finish"}
    return bool(done & known) or any(word.startswith(tuple(done)) for word in piece_set(event))


def _is_share(scope: Scope, name: str) -> bool:
    return scope.measure(name).name in ("percent", "ratio") or is_percent(scope.own[name], scope.measures)


def _progress_of(scope: Scope, part: str, whole: str) -> None:
    """How far one is, as a share of the whole."""
    for name, place in scope.own.items():
        same = piece_set(name) & piece_set(part) & words_of("part")
        if name not in (part, whole) and _is_share(scope, name) and (same or plays(place, "progress")):
            ratio = f"{part} / max({whole}, 1)"
            percent = is_percent(place, scope.measures)
            formula = f"min(round({ratio} * 100), 100)" if percent else f"min({ratio}, 1)"
            scope.give(name, formula, f"{part} of {whole}", 0.8)


_MONEY = word_set("amount fee price cost paid value total revenue premium income")


def is_percent(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a percentage, 15 being 15 %."""
    said, found, texts = piece_set(place.prop.name), measures[place], texts_of(place.prop)
    if said & {"pct", "percent", "percentage"} or found.name in ("percent", "discount_percent"):
        return found.high > 1
    if said & _MONEY:
        return False
    if "percent" in units_in(texts):
        return True
    if found.name == "interest":
        return found.high > 1 and bool(said & {"rate", "apr", "apy"})
    return found.name == "ratio" and 1 < found.high <= 100 and (not found.given or "rate" in said)
