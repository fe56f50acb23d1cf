"""How events change the states of a user, as the sheet says or as names and texts suggest.

Each user property is read once: the sort of its value (a time, a flag, a text, a sum, a count, a balance), the subjects
of the clauses of its texts, and the direction in which they move it. Events are found by name if the texts name them,
else by shared words, see `states`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from gamestats_assets.demo_data.analysis.graph import Doubt, EventOrder
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.analysis.meaning.measures import Measure, Place, counts_things, industry_of
from gamestats_assets.demo_data.analysis.meaning.reading import (
    ACTIONS,
    GROUPS,
    PHASES,
    Reading,
    concepts,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.analysis.states import (
    BEFORE,
    ENDINGS,
    FACTS,
    SAID,
    Moved,
    Speech,
    accumulates,
    at_first,
    bare,
    core,
    counts,
    currency,
    is_after,
    is_amount,
    is_held,
    is_level_up,
    is_over,
    is_settled,
    listed,
    nouns,
    own_words,
    same_currency,
    says,
    singulars,
    states_shown,
    sums,
    takes_back,
    texts_of,
    undoes,
    way_of,
    words_of,
)
from gamestats_assets.demo_data.rules.model import Update
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, UpdateMode
from gamestats_assets.demo_data.taxonomies.value_rules import FromEvent

Kind = EventKind

_MONEY_KINDS = (Kind.PAY, Kind.SUBSCRIBE)
_MONEY_MEASURES = frozenset({"price", "part", "wealth", "game_amount"})
_ARRIVALS = (Kind.INSTALL, Kind.REGISTER, Kind.ONBOARDING)

Found = Iterator[tuple[str, Update]]


def _ref(name: str) -> str:
    return f"{{{{{name}}}}}"


def _added(amounts: Iterable[tuple[Reading, str]]) -> Found:
    return ((r.name, Update(type="increment", value=_ref(name))) for r, name in amounts)


def update_patterns(
    order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> tuple[dict[str, dict[str, Update]], list[Doubt]]:
    """Returns updates by event and property, and the readings that may be wrong."""
    taxonomy = order.taxonomy
    found: dict[str, dict[str, Update]] = {}
    guess = _Guess(order, everywhere, measures)
    shown = states_shown(taxonomy)
    common = {prop.name for prop in taxonomy.common_properties}
    for prop in (*taxonomy.common_properties, *taxonomy.user_properties):
        if prop.name in shown:
            continue
        patterns = [_ruled(order, prop.rule)] if isinstance(prop.rule, FromEvent) else guess.updates(prop)
        for event, update in patterns:
            if event not in order.readings or order.kinds[event] is Kind.SYSTEM:
                continue
            own = {given.name for given in taxonomy.event(event).properties}
            # Under one name a record has one value: the one that the event sets, or else the state itself.
            circular = update.value == _ref(prop.name) and not (update.sets_to(prop.name) and prop.name in own)
            if prop.name not in common or not circular:
                found.setdefault(event, {}).setdefault(prop.name, update)
    changed = {name for of in found.values() for name in of}
    lost = [p.name for p in taxonomy.user_properties if p.update is UpdateMode.ADD and p.name not in changed]
    doubts = [d for d in guess.doubts if d.reading.rpartition(" ")[2] in changed]
    unheard = ("no event speaks of it", 0.4, "an event in other words")
    doubts += [Doubt(f"nothing changes {name}", *unheard) for name in lost]
    return {event: found[event] for event in taxonomy.event_names() if event in found}, doubts


def payment(
    order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> tuple[str, str] | None:
    """Returns the event in which money is received and its property for the amount; None if no event has both."""
    guess = _Guess(order, everywhere, measures)
    return next(((r.name, name) for r in guess.payments() if (name := guess.money(r)) is not None), None)


def _ruled(order: EventOrder, rule: FromEvent) -> tuple[str, Update]:
    """Returns the update that a rule of the sheet asks for."""
    event = rule.event if rule.event in order.readings else ""
    reference = rule.property
    if rule.where_key is not None and "." in reference:
        group, _, child = reference.partition(".")
        reference = f"{group}[{rule.where_key}].{child}"
    if rule.aggregate in ("cnt", "daycnt"):
        return event, Update(type="increment", value=1, once_per_day=rule.aggregate == "daycnt")
    kind: Literal["increment", "set_once", "set"] = {"sum": "increment", "first": "set_once"}.get(rule.aggregate, "set")  # pyright: ignore
    return event, Update(type=kind, value=_ref(reference))


class _Guess:
    """Finds the events that change a user property for which the sheet has no rule."""

    def __init__(self, order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]) -> None:
        taxonomy = order.taxonomy
        self.order, self.taxonomy, self.measures = order, taxonomy, measures
        self.users = {prop.name for prop in taxonomy.user_properties}
        self.common = {prop.name: prop for prop in taxonomy.common_properties}
        self.events = {event.name: event for event in taxonomy.events}
        self.numbers: dict[str, list[Place]] = {}
        for place in everywhere:
            if place.of_event and place in measures and "." not in place.name:
                self.numbers.setdefault(place.event, []).append(place)
        self.purses = {p.name for p, m in measures.items() if not p.of_event and m.name in _MONEY_MEASURES}
        self.speech = Speech(order, self.numbers)
        self.of_users = self.speech.of_users
        self.doubts: list[Doubt] = []

    def updates(self, prop: Property) -> Found:
        """Yields events with their updates of a property."""
        if prop.name in self.users:
            changes = prop.name not in self.common or prop.update is not UpdateMode.SET_ONCE
        else:  # a common property is a state only if the sheet calls it current
            changes = bool(singulars(prop.name) & SAID["state"]) or is_held(prop)
        ways = {
            PropertyType.TIME: self._times,
            PropertyType.NUMBER: self._numbers,
            PropertyType.BOOLEAN: self._flags,
            PropertyType.STRING: self._texts,
        }
        return ways[prop.type](prop) if changes and prop.type in ways else iter(())

    # ----------------------------------------------------------------- the events

    def _context(self, prop: Property) -> frozenset[str]:
        """Returns the words for a property's subject, without those for the sort of its value."""
        odd = SAID["tally"] | SAID["state"] | SAID["time"]
        words = [word for word in pieces(prop.name) if word not in odd]
        return words_of(" ".join(word for word in words if word not in SAID["flag"]) or " ".join(words))

    def _event(self, prop: Property, without: Sequence[Reading] = ()) -> Reading | None:
        """Returns the event that a property's name and texts mean."""
        named = [r for r in self.speech.outright(texts_of(prop))[0] if r not in without]
        if len(set(named)) == 1 or (named and not says("join", prop.description)):
            return named[0]
        if special := self._special(prop):
            return special
        wanted = dict.fromkeys(words_of(prop.description), 0.5) | dict.fromkeys(words_of(prop.alias), 0.8)
        deeds = [piece for piece in pieces(prop.name) if {*concepts(piece)} <= ACTIONS | PHASES.keys()]
        weak = {word for piece in deeds for word in words_of(piece)}
        wanted |= {word: 0.6 if word in weak else 1.0 for word in self._context(prop)}
        wanted = {word: weight for word, weight in wanted.items() if word not in SAID["tally"] | SAID["time"]}
        thing = self._context(prop) - weak
        ranked = self.speech.ranked(wanted, thing=thing, flag=prop.type is PropertyType.BOOLEAN)
        ranked = [(r, score) for r, score in ranked if r not in without]
        if not ranked:
            return None
        (found, score), *others = ranked
        other, second = max(others, key=lambda item: item[1], default=(None, 0.0))
        spoken = {word for text in (prop.name, prop.alias, prop.description) for word in concepts(text)}
        shared = sorted(spoken & self.speech.vocabulary[found.name].keys(), key=lambda w: (-self.speech.rarity[w], w))
        sure, why = round(min(score / (score + second), 0.95), 2), f"both speak of {', '.join(shared[:3]) or prop.name}"
        instead = f"{other.name} does" if other else "nothing does"
        self.doubts.append(Doubt(f"{found.name} changes {prop.name}", why, sure, instead))
        return found

    def _special(self, prop: Property) -> Reading | None:
        """Returns payments, arrivals, sign-ups and levels, which are known by their kind."""
        odd = SAID["tally"] | SAID["state"] | SAID["time"]
        about = frozenset(concepts(prop.name)) - odd or frozenset(concepts(prop.alias)) - odd
        fixed = (Kind.SESSION_START, Kind.SESSION_END, *_ARRIVALS)
        own = [r for r in self.of_users if self.order.kinds[r.name] not in fixed and (r.topic | {r.action}) & about]
        present = about and about <= SAID["presence"] | SAID["present"]
        if present and not own and prop.type is not PropertyType.BOOLEAN:  # unlike the visits of a restaurant
            return self._arrival("login" in about)
        if about & {"pay", "buy", "spend"} and about <= SAID["money"]:
            return next(iter(self.payments()), None)
        return None

    def _arrival(self, login: bool) -> Reading | None:
        """Returns the event that begins a session; if none is known, one of the first rows that opens something."""
        starts = self.order.of(Kind.SESSION_START)
        opens = [r for r in self.of_users[:4] if r.phase in ("open", "launch", "start", "enter")]
        opens = [r for r in opens if self.order.kinds[r.name] not in _ARRIVALS]
        return next(iter([*(r for r in starts if login and r.says("login")), *starts, *opens]), None)

    # ----------------------------------------------------------------- payments

    def payments(self) -> list[Reading]:
        """Returns events in which money is received: first those with the paid amount, then those with another one."""
        odd = {r.name for r in self.order.of(*_MONEY_KINDS) if r.fails or r.action in ("renew", "cancel")}
        paid = [r for r in self.order.of(*_MONEY_KINDS) if r.name not in odd and not r.says("trial", "first")]
        done = {r.topic for r in paid if r.succeeds}
        paid = [r for r in paid if r.succeeds or r.topic not in done]  # not an order before its payment
        sold = [r for r in self.of_users if r.says("buy", "pay", "order") and is_settled(r, self.of_users)]
        paid += [r for r in sold if any(currency(p.prop) and self._is_money(p) for p in self.numbers.get(r.name, ()))]
        amounts = {r: self.money(r) for r in dict.fromkeys(paid)}
        return sorted(amounts, key=lambda r: 2 if (name := amounts[r]) is None else int(_paid_rank(name) > 0))

    def money(self, r: Reading, like: Property | None = None) -> str | None:
        """Returns the event's property for the paid amount, rather than for what it buys, such as coins."""
        found = [p for p in self.numbers.get(r.name, ()) if self._is_money(p) and is_amount(p.prop)]
        found = [p.name for p in found if like is None or same_currency(like, p.prop)]
        found = [name for name in found if not singulars(name) & SAID["no_price"]]
        return min(found, key=_paid_rank, default=None)

    def _is_money(self, place: Place) -> bool:
        amounts = self.measures[place].name in _MONEY_MEASURES or singulars(place.name) & {"amount", "amt"}
        return bool(amounts or currency(place.prop)) and not singulars(place.name) & self._held_nouns

    @functools.cached_property
    def _held_nouns(self) -> frozenset[str]:
        """Returns what users have besides money: stones, cookies, points."""
        props = (*self.taxonomy.user_properties, *self.taxonomy.common_properties)
        held = [p for p in props if p.type is PropertyType.NUMBER and not accumulates(p) and not counts(p)]
        odd = SAID["money"] | {"wallet"} | SAID["held"] | set(FACTS["currency"])
        return frozenset(word for p in held if p.update is not UpdateMode.ADD for word in nouns(p.name)) - odd

    def _all_paid(self, prop: Property | None, known: Sequence[tuple[Reading, str]] = ()) -> list[tuple[Reading, str]]:
        """Returns all that a user pays besides the known: the purchase, renewals, purchases of other things."""
        found = list(known)
        further = [r for r in self.of_users if self.order.kinds[r.name] in SAID["paying_kind"]]
        for r in (*(() if known else self.payments()), *(r for r in further if is_settled(r, self.of_users))):
            name = self.money(r, prop)
            if name is None or r.says("trial", "refund") or any(r is other for other, _ in found):
                continue
            renewed = r.action == "renew" or self.order.kinds[r.name] is Kind.SUBSCRIBE
            event = self.events[r.name]
            if not found or (renewed and name == found[0][1]) or says("charged", f"{event.alias} {event.description}"):
                found.append((r, name))
        return found

    # ----------------------------------------------------------------- times and flags

    def _times(self, prop: Property) -> Found:
        start, first = self._arrival(login=False), "first" in singulars(prop.name)
        launched = start is not None and set(start.words) <= set(words_of(texts_of(prop)))
        if found := start if launched and not first else self._event(prop):
            lasts = self.order.kinds[found.name] in (Kind.REGISTER, Kind.INSTALL)
            once = prop.update is UpdateMode.SET_ONCE or first or lasts
            yield found.name, Update(type="set_once" if once else "set", value="{{#time}}")

    def _flags(self, prop: Property) -> Found:
        if latest := list(self._last(prop)):
            yield from latest
            return
        moved = self.speech.moved(prop, self._context(prop))
        if not any(m.way >= 0 for m in moved):
            payers = singulars(prop.name) & {"paying", "payer", "paid"}
            found = next(iter(self.payments()), None) if payers else self._event(prop, [m.event for m in moved])
            of_users = prop.name in self.users
            if not found or not (of_users or self._context(prop) & self.speech.vocabulary[found.name].keys()):
                return
            moved = [Moved(found, 1), *moved]
        for r, up in self._both_ways(moved, prop, back=True):
            yield r.name, Update(type="set", value=up)

    def _both_ways(self, moved: Sequence[Moved], prop: Property, *, back: bool) -> Iterator[tuple[Reading, bool]]:
        """Yields the events that move a state up or down, by the text or because they take back another."""
        down = [m.event for m in moved if m.way < 0 or (not m.way and any(takes_back(m.event, o.event) for o in moved))]
        up = [m.event for m in moved if m.event not in down]
        if back and not down:
            back_again = takes_back if prop.type is not PropertyType.NUMBER or is_held(prop) else undoes
            ends = [r for r in self.of_users if r not in up and self.order.kinds[r.name] is not Kind.GOODBYE]
            down = [r for r in ends if any(back_again(r, u) for u in up) and not r.says("trial")]
            if prop.type is not PropertyType.NUMBER:
                others = [r for r in ends if is_over(r) and core(r) & self._context(prop) and r not in down]
                down += [r for r in others if not any(u.place == r.place and u.topic == r.topic for u in up)]
            # Of a cancellation and the expiry after it, only the cancellation counts.
            down = [r for r in down if r.phase in ("timeout", "end")] or down
        yield from ((r, True) for r in up)
        yield from ((r, False) for r in down)

    # ----------------------------------------------------------------- numbers

    def _numbers(self, prop: Property) -> Found:
        words = singulars(prop.name)
        if words & {"level", "lv"} and not words & {"vip", "tower", "skill", "id"}:
            yield from self._level()
        elif prop.update is UpdateMode.SET_ONCE:
            yield from self._last(prop)
        elif words & {"day", "streak"} or "일수" in prop.alias or "日数" in prop.alias:
            if found := self._event(prop) or self._arrival(login=False):
                yield found.name, Update(type="increment", value=1, once_per_day=True)
        elif moved := list(self._as_described(prop)):
            yield from moved
        elif (accumulates(prop) or prop.update is UpdateMode.ADD) and not is_held(prop):
            yield from self._total(prop)
        elif moved := list(self._holding(prop)):
            yield from moved
        elif latest := list(self._last(prop)):
            yield from latest
        elif counts(prop):
            yield from self._counted(prop)

    def _as_described(self, prop: Property) -> Found:
        """Yields the updates that the description states outright."""
        moved = self.speech.moved(prop, self._context(prop))
        holds = is_held(prop) and not counts(prop)
        if prop.update is not UpdateMode.ADD and len(moved) == 1 and not moved[0].way and moved[0].number:
            yield moved[0].event.name, Update(type="set", value=_ref(moved[0].number))
            return
        found = [(m, m.number or self._amount(m.event, prop)) for m in moved]
        amounts = [(m, name) for m, name in found if name is not None]
        if amounts and not (counts(prop) and not any(m.number for m in moved)):
            for m, name in amounts:
                yield m.event.name, Update(type="decrement" if m.way < 0 else "increment", value=_ref(name))
            paid = [(m.event, name) for m, name in amounts if self.order.kinds[m.event.name] in _MONEY_KINDS]
            if paid and not holds:
                yield from _added(self._all_paid(None, paid)[len(paid) :])
        elif moved and not holds and not sums(prop):
            yield from self._step(prop, moved)

    def _step(self, prop: Property, moved: Sequence[Moved]) -> Found:
        """Yields one more per event, or its own number; one less for each event that takes it back."""
        only_up = accumulates(prop) or prop.update is UpdateMode.ADD

        for r, up in self._both_ways(moved, prop, back=not only_up):
            many = self._amount(r, prop)
            yield r.name, Update(type="increment" if up else "decrement", value=_ref(many) if many else 1)

    def _total(self, prop: Property) -> Found:
        """Yields sums of event numbers with the same meaning, or counts of the events."""
        money = sums(prop) or bool(singulars(prop.name) & SAID["money"])
        if counts(prop):
            yield from self._counted(prop)
            return
        bare = not nouns(prop.name) - SAID["money"] - set(FACTS["currency"])
        amounts = self._same_noun(prop) or (self._described(prop) if money and not bare else [])
        if amounts:
            paid = self.order.kinds[amounts[0][0].name] in _MONEY_KINDS
            amounts = self._all_paid(None, amounts) if paid else amounts
            yield from _added(amounts)
        elif bare:
            yield from _added(self._all_paid(prop))
        elif not (money or singulars(prop.name) & SAID["measured"]):
            yield from self._counted(prop)

    def _counted(self, prop: Property) -> Found:
        """Yields counts of the event that the property means; of wins and losses alike, unless only wins are
        counted."""
        found = self._event(prop)
        if found and found.phase == "win" and "win" not in {*concepts(prop.name), *words_of(texts_of(prop))}:
            found = next((r for r in self.of_users if r.topic == found.topic and r.phase == "start"), found)
        if found:
            yield from self._step(prop, [Moved(found, 1)])

    def _fit(self, r: Reading, place: Place, prop: Property) -> int:
        """Scores how surely a total adds up an event's number: 3 for the same words, 2 for the thing, 1 for money."""
        wanted, theirs, bare = nouns(prop.name) - SAID["held"], nouns(place.name), own_words(prop.name)
        if not is_amount(place.prop, wanted) or not same_currency(prop, place.prop):
            return 0
        if counts(prop):
            alike = theirs == wanted or (counts_things(place.name) and bare and own_words(place.name) == bare)
            return 2 if counts(place.prop) and alike else 0
        if theirs == wanted:
            return 3
        way = -1 if (wanted | singulars(texts_of(prop))) & SAID["spent"] else 1
        described = wanted | singulars(r.name) | (words_of(prop.description) if sums(prop) else frozenset())
        along = is_held(prop) or way_of(place.name, place.prop.alias) in (0, way)
        if bare and along and (own_words(place.name) == bare or wanted < theirs <= described):
            return 2
        money = sums(prop) or bool(singulars(prop.name) & SAID["money"]) or prop.name in self.purses
        return int(money and self._is_money(place))

    def _same_noun(self, prop: Property) -> list[tuple[Reading, str]]:
        """Returns event numbers that name exactly what a total is of: `use_cookie` of `total_use_cookie`."""
        looks = [r for r in self.of_users if r.action in SAID["sight"] or r.says("refund")]
        seen = [r for r in self.of_users if r in looks or is_settled(r, self.of_users)]
        fits = {(r, p.name): self._fit(r, p, prop) for r in seen for p in self.numbers.get(r.name, ())}
        best = {r: max(fit for (o, _), fit in fits.items() if o is r) for r, _ in fits}
        found = [(r, name) for (r, name), fit in fits.items() if fit == best[r] > 1]
        wanted = words_of(texts_of(prop)) - words_of(prop.name)
        spoken = {r: words_of(r.name) | words_of(self.events[r.name].alias) for r, _ in found}
        matching = [(r, name) for r, name in found if (spoken[r] - words_of(name)) & wanted]
        return self.speech.one_of_each(matching or found)

    def _described(self, prop: Property) -> list[tuple[Reading, str]]:
        """Returns the amount of the event that a total's name and texts mean."""
        found = self._event(prop)
        name = self._amount(found, prop) if found else None
        return [(found, name)] if found and name else []

    def _amount(self, r: Reading, prop: Property) -> str | None:
        """Returns the event's number that a state adds up: the one that shares its words, or the paid amount."""
        wanted = words_of(f"{prop.name} {prop.alias} {prop.description}") - SAID["tally"] - set(FACTS["currency"])
        fits = [
            (self._fit(r, p, prop), p, words_of(p.name) | words_of(p.prop.alias)) for p in self.numbers.get(r.name, ())
        ]
        fits = [(fit, len(spoken & wanted), -_paid_rank(p.name), p.name) for fit, p, spoken in fits if fit]
        return max(fits, key=lambda of: of[:3])[-1] if fits else None

    # ----------------------------------------------------------------- levels and balances

    def _level(self) -> Found:
        risen = next((r for r in self.of_users if is_level_up(r)), None)
        played = next(iter([*self.order.of(Kind.SESSION_END), *self.order.of(Kind.SESSION_START)]), None)
        if risen is not None:
            levels = [p.name for p in self.numbers.get(risen.name, ()) if self.measures[p].name == "level"]
            levels = [name for name in levels if not singulars(name) & (BEFORE | {"max", "id"})]
            yield risen.name, Update(type="set", value=_ref(levels[0])) if levels else Update(type="increment", value=1)
        elif self.order.is_game and played is not None:  # playing raises the level
            yield played.name, Update(type="increment", value=1, once_per_day=True)

    def _holding(self, prop: Property) -> Found:
        """Yields the updates of a holding: the amount that the event leaves, or gains and losses."""
        thing = nouns(prop.name) - SAID["held"]
        if is_held(prop) or (thing and not counts(prop)):
            changes = ((r.name, self._change(r, prop, thing)) for r in self.of_users)
            yield from ((name, update) for name, update in changes if update is not None)

    def _change(self, r: Reading, prop: Property, thing: frozenset[str]) -> Update | None:
        """Returns how an event changes a holding; None if the sheet leaves it open."""
        numbers = [p for p in self.numbers.get(r.name, ()) if not singulars(p.name) & {"max", "limit", "id"}]

        def is_of(p: Place) -> bool:
            words = nouns(p.name) - SAID["after"] - {"owned"}
            return words == thing or (not words and thing <= singulars(r.name))

        event = self.events[r.name]
        bought = int(self.order.kinds[r.name] is Kind.PAY and self.money(r) is not None)
        same = [p for p in numbers if p.name == prop.name and not bought]
        if left := same or [p for p in numbers if is_after(p.prop) and is_of(p)]:
            return Update(type="set", value=_ref(left[0].name))
        elsewhere = bought and not thing and industry_of(self.order.product) != "finance"
        if r.fails or elsewhere or not is_settled(r, self.of_users):
            return None  # an order may be unpaid, or not paid out of the balance
        odd = thing | SAID["spent"] | SAID["earned"] | SAID["manner"] | singulars(r.name) | set(FACTS["currency"])
        own = [p for p in numbers if thing and thing <= singulars(p.name) and not nouns(p.name) - odd]
        amounts = [p for p in own if is_amount(p.prop, thing)]
        if not amounts and thing <= singulars(r.name):
            amounts = [p for p in numbers if singulars(p.name) & SAID["manner"] and is_amount(p.prop)][:1]
        flow = way_of(r.name) or way_of(event.alias, event.description) or bought
        ways = {p: (way_of(p.name, p.prop.alias) if thing else -bought) or flow for p in amounts}
        amounts = [p for p in amounts if ways[p]]
        whole = [p for p in amounts if singulars(p.name) & {"total", "sum"}]
        amounts = whole[:1] or amounts
        if not amounts or len({ways[p] for p in amounts}) > 1:
            return None
        value = " + ".join(_ref(p.name) for p in amounts)
        return Update(type="increment" if ways[amounts[0]] > 0 else "decrement", value=value)

    # ----------------------------------------------------------------- the latest value

    def _last(self, prop: Property) -> Found:
        """Yields updates to the latest value of an event property of the same name."""
        for r, name in self._settling(prop):
            yield r.name, Update(type=self._mode(prop, r), value=_ref(name))

    def _mode(self, prop: Property, r: Reading) -> Literal["set", "set_once"]:
        once = prop.update is UpdateMode.SET_ONCE or singulars(prop.name) & SAID["first"]
        return "set_once" if once and r.action not in ("edit", "upgrade", "downgrade") else "set"

    def _settling(self, prop: Property) -> list[tuple[Reading, str]]:
        """Returns events that settle a property, with their property of the same name or for its new value."""
        named = [(r, name) for r in self.of_users if not r.fails and (name := self._matching(prop, r)) is not None]
        settling = [(r, name) for r, name in named if self._settles(r)]
        return settling or (named if len(named) == 1 and prop.name in self.users else [])

    def _matching(self, prop: Property, r: Reading) -> str | None:
        """Returns the event's property for a user's: of the same name, for its new value, or for one of its values."""
        new = word_set("new next after reached to")
        stem = bare(prop.name) - word_set("last latest recent highest max no")
        changed = r.phase == "achieve" or r.action in ("upgrade", "downgrade", "edit")
        allowed, own = set(listed(prop)), nouns(prop.name) - SAID["name"]
        ranks = SAID["rank"] if own & SAID["rank"] else own
        best: list[tuple[int, int, str]] = []
        for row, p in enumerate(self.events[r.name].properties):
            named_words, theirs = bare(p.name) - {"no"}, nouns(p.name) - SAID["after"] - SAID["name"]
            values = self._values(r, p.name)
            renewed = singulars(p.name) & new and (named_words - new == stem or (changed and named_words - new <= stem))
            ranked = values and allowed and theirs & (own | ranks) and not theirs - own - SAID["rank"]
            if p.type is not prop.type or (values and allowed and not values <= allowed):
                continue
            fits = (p.name == prop.name, bool(stem) and named_words == stem, bool(stem) and bool(renewed), bool(ranked))
            if any(fits) and not (fits.index(True) == 3 and singulars(p.name) & BEFORE):
                best.append((-fits.index(True), -row, p.name))
        return max(best)[2] if best else None

    def _settles(self, r: Reading) -> bool:
        """Whether an event settles something, rather than mentioning it."""
        kind = self.order.kinds[r.name]
        midway = kind is Kind.CORE and r.place is not None and not r.succeeds
        of_group = kind is Kind.GROUP and not r.says("join", "create")
        if midway or of_group or kind is Kind.CHECKOUT or r.phase in ENDINGS | {"choose"}:
            return False
        acts = kind in SAID["telling_kind"] or r.action in SAID["settling"]
        return acts and not r.says("trial") and r.action not in ("leave", "view", "delete")

    # ----------------------------------------------------------------- texts

    def _texts(self, prop: Property) -> Found:
        words = singulars(prop.name)
        if words & {"device", "os", "platform", "network", "carrier", "account"}:
            return
        latest = self._settling(prop) or self._named_by(prop)
        for r, name in latest:
            yield r.name, Update(type=self._mode(prop, r), value=_ref(name))
        if latest and prop.update is not UpdateMode.SET_ONCE:
            yield from self._lost(prop, latest)

    def _named_by(self, prop: Property) -> list[tuple[Reading, str]]:
        """Returns a property that the description names outright: `tariff_name of the last tariff_selected`."""
        events, _ = self.speech.outright(prop.description)
        names = [(r, p.name) for r in events for p in self.events[r.name].properties if p.type is prop.type]
        return [(r, name) for r, name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", prop.description)][:1]

    def _values(self, r: Reading, name: str) -> frozenset[str]:
        """Returns the texts that an event's property may have, listed there or at the same property elsewhere."""
        events = [self.events[r.name], *self.events.values()]
        found = (listed(p) for event in events for p in event.properties if p.name == name)
        return frozenset(next((values for values in found if values), ()))

    def _lost(self, prop: Property, settled: Sequence[tuple[Reading, str]]) -> Found:
        """Yields resets on leaving or cancelling, to the value of users who never began."""
        reached = frozenset(value for r, name in settled for value in self._values(r, name))
        before = at_first(prop, reached) if listed(prop) else ""
        if before is None or (before == "" and prop.name in self.common):
            return
        for r, up in self._both_ways([Moved(r, 1) for r, _ in settled], prop, back=True):
            if not up and (listed(prop) or r.things & GROUPS):
                yield r.name, Update(type="set", value=before)


def _paid_rank(name: str) -> int:
    """Ranks names of amounts by how likely they are the paid one: the final amount before the price of one piece."""
    ranks = ("final paid pay payment charged settled", "total gross order grand", "amount price value revenue fare")
    return next((rank for rank, words in enumerate(ranks) if singulars(name) & set(words.split())), len(ranks))
