"""What something was before an event, what it is after, and what made the difference.

Where a state of the user is what changes, the event moves the state, was before is the state as it stood, and after
is what the event made of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.equations import Scope, label_says, plays, singular, words_of
from gamestats_assets.demo_data.analysis.lexicon import own_pieces, piece_set, word_set
from gamestats_assets.demo_data.analysis.measures import Place, label_of
from gamestats_assets.demo_data.rules.model import Update

Term = tuple[str, str]
"""Sign and name of what made a difference."""
_GROWING = ("level", "star", "stage", "vip", "step")
_FEW = ("other", "quantity", "times", "total_count")
_EXCHANGED = word_set("redeem redeemed use used uses exchange exchanged apply applied voucher coupon ticket")


def before_and_after(scope: Scope, updates: Mapping[str, Update]) -> dict[str, Update]:
    """Note formulas of what was before and what is after; by state, the updates by which the event moves it.

    Args:
        updates: what the event does to the states of users; one that is set to what is after is the one that moves.
    """
    moved: dict[str, Update] = {}
    for stem, before, after in _pairs(scope):
        if after is None or not stem:
            continue
        why, terms = f"{before} and {after}", _terms(scope, stem, {after, before or after})
        state = next((name for name, update in updates.items() if update.sets_to(after)), None)
        if state is not None and stem - words_of("amount") and scope.is_free(after):
            of_state = terms or _one_by_one(scope, stem, after)
            if of_state and not _is_mixed(scope, of_state):
                moved[state] = _move(scope, state, before, after, of_state)
                continue
        if before is None:
            continue
        if not terms:
            _without_amount(scope, stem, before, after)
            continue
        if all(sign == "-" for sign, _ in terms):
            scope.least[before] = max((scope.measure(name).high for _, name in terms if name in scope.own), default=0.0)
        scope.give(after, before + _signs(terms), why, 0.85)
    return moved


def _signs(terms: Sequence[Term]) -> str:
    return "".join(f" {sign} {name}" for sign, name in terms)


def _move(scope: Scope, state: str, before: str | None, after: str, terms: Sequence[Term]) -> Update:
    """The update by which an event moves a state, where what was before is the state as it stood."""
    lost = all(sign == "-" for sign, _ in terms)
    spent = " + ".join(name for _, name in terms)
    scope.give(before, f"max({state}, {spent})" if lost else state, f"{state} as it stood", 0.85)
    result = f"max({state}{_signs(terms)}, 0)" if lost else state + _signs(terms)
    if scope.give(after, result, f"{state} and what the event moves", 0.85):
        scope.states[after] = state
    value = 1 if terms[0][1] == "1" else " + ".join(f"{{{{{name}}}}}" for _, name in terms)
    return Update(type="decrement" if lost else "increment", value=value)


def _is_mixed(scope: Scope, terms: Sequence[Term]) -> bool:
    """Whether a difference may be of either sign, or is told outside the event."""
    either = any(name in scope.own and _own_sign(scope.own[name]) == "±" for _, name in terms) and not event_sign(scope)
    return either or len({sign for sign, _ in terms}) > 1 or any(n not in {"1", *scope.own} for _, n in terms)


def _pairs(scope: Scope) -> list[tuple[frozenset[str], str | None, str | None]]:
    """What is before and after, with the words that they share."""
    by_stem: dict[frozenset[str], dict[str, str]] = {}
    before, after = words_of("before"), words_of("after")
    for name in scope.own:
        said = piece_set(name)
        side = "before" if said & before else "after" if said & after else "plain"
        by_stem.setdefault(said - before - after, {}).setdefault(side, name)
    return [
        (stem, sides.get("before"), sides.get("after") or (sides.get("plain") if "before" in sides else None))
        for stem, sides in by_stem.items()
    ]


# --------------------------------------------------------------------------- what made the difference


def _terms(scope: Scope, stem: frozenset[str], pair: set[str]) -> list[Term]:
    """Every number that was added or taken away."""
    around = _sign(" ".join(label_of(scope.own[name].prop) for name in sorted(pair))) or event_sign(scope, stem)
    known: dict[str, list[Term]] = {"signed": [], "plain": [], "part": [], "only": []}
    ways = words_of("amount") | words_of("moved")
    for name, place in scope.own.items():
        said = piece_set(name)
        if name in pair or said & (words_of("before") | words_of("after") | (words_of("no_change") - stem)):
            continue
        sign = _own_sign(place)
        about, generic = bool(singular(said) & singular(stem)), bool(said & ways)
        if sign == "±" and (about or not stem - words_of("amount") or generic):
            known["plain"].append((around or "+", name))
        elif sign in ("+", "-") and (about or generic):
            known["signed"].append((sign, name))
        elif sign in ("+", "-"):
            known["only"].append((sign, name))
        elif sign is None and about and around:
            known["part"].append((around, name))
        elif sign is None and generic:
            known["plain" if said <= words_of("amount") | stem else "only"].append((around or "+", name))
    signed, totals = known["signed"], [term for term in known["signed"] if "total" in piece_set(term[1])]
    if signed and around:
        signed = [term for term in signed if term[0] == around] or signed  # what the event is about decides
    if signed and all(sign == around for sign, _ in signed):
        signed = sorted([*known["part"], *signed], key=lambda term: list(scope.own).index(term[1]))
    grows = any(scope.measure(name).name in _GROWING for name in pair)  # by itself, and not by points
    only = known["only"] if len(known["only"]) == 1 and not grows else []
    return totals[:1] or signed or known["plain"][:1] or known["part"][:1] or only


def _sign(label: str, words: frozenset[str] = frozenset()) -> str:
    """Whether words, or a label such as `付与後のジェム`, tell a gain or a loss; empty where they tell neither."""
    gains, losses = (bool(words & words_of(role)) or label_says(role, label) for role in ("gain", "loss"))
    return "" if gains == losses else "+" if gains else "-"


def _own_sign(place: Place) -> str | None:
    """Whether a number was added, taken away, or either (`±`); None where neither is said."""
    if plays(place, "moved"):
        return "±"
    return "-" if plays(place, "loss") else "+" if plays(place, "gain") or plays(place, "bought") else None


def event_sign(scope: Scope, stem: frozenset[str] = frozenset()) -> str:
    """Whether an event adds or takes away; empty where it says neither, or both.

    Args:
        stem: what is moved; who redeems a voucher has more credit.
    """
    words, text = frozenset(own_pieces(scope.event)), frozenset(re.findall(r"[a-z]+", scope.said))
    if stem and words & _EXCHANGED and not singular(words | text) & singular(stem):
        return "+"
    return _sign("", words) or _sign(scope.said, text)


def _one_by_one(scope: Scope, stem: frozenset[str], after: str) -> list[Term]:
    """A single one that an event adds or takes away; nothing where it may be many."""
    sign = event_sign(scope, stem)
    one = re.search(r"\b(?:a|an|one|1)\b|하나|1개|1つ|一つ", scope.said)
    return [(sign, "1")] if sign and (one or scope.measure(after).name in _FEW) else []


def _without_amount(scope: Scope, stem: frozenset[str], before: str, after: str) -> None:
    """A pair without a number that tells the difference."""
    measure, sign = scope.measure(after), event_sign(scope, stem)
    why = f"{before} and {after}"
    if scope.is_counted(after) or measure.name in _GROWING:
        scope.give(before, f"max({after} - 1, 0)" if measure.low < 1 else f"{after} - 1", why)
    elif sign == "-":
        scope.give(after, f"{before} - floor({before} * random(0.05, 0.4))", why, 0.5)
    else:
        scope.give(after, f"{before} + random(0-30)", why, 0.4)
