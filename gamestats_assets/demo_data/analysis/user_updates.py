"""How events change what is known of a user: as the sheet says, or as the names of the properties say.

`total_pay_amount` is the sum of what payments tell, `last_login_time` the time of the last login, `current_level` what
the last level-up told. Where the sheet does not say which event it is, it is found by the words of the property, of its
alias and of its description.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Literal

from gamestats_assets.demo_data.analysis.event_kinds import GROUPS, EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import ACTIONS, PHASES, Reading, concepts, own_name, word_set
from gamestats_assets.demo_data.analysis.measures import Measure, Place, counts_things, measure_words, rule_of
from gamestats_assets.demo_data.analysis.state_words import (
    AFTER,
    BEFORE,
    CURRENCIES,
    EARNED,
    ENDINGS,
    MONEY,
    SPENT,
    STATE,
    TALLY,
    accumulates,
    counts,
    currency,
    direction,
    ends,
    entry_by_default,
    flows,
    is_amount,
    is_held,
    listed,
    meaning,
    nouns,
    pieces,
    same_currency,
    settled,
    singular,
    sums,
    takes_away,
    tells_after,
    texts_of,
    undoes,
)
from gamestats_assets.demo_data.rules.model import CounterRule, PropertyConstraint, Update
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, UpdateMode, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between, FromEvent

Kind = EventKind

_MONEY_KINDS = (Kind.PAY, Kind.SUBSCRIBE)
_STATE = word_set("tmp current cur now present my total user accumulated cumulative the final")
_TALLY = word_set("count cnt times num number total sum amount days day accumulated cumulative lifetime")
_TIMES = word_set("time at date datetime day timestamp ts on")
_NEW = word_set("new next after reached to")
_PRESENCE = word_set("login active access visit session seen open launch online presence")
_PRESENT = word_set("app user account session game site console client start time shop store web website")
_MONEY_MEASURES = word_set("price part wealth game_amount")
_PAYING = (*_MONEY_KINDS, Kind.CORE, Kind.OTHER, Kind.MONEY, Kind.CREATE, Kind.GROWTH, Kind.SETTING, Kind.CHECKOUT)
_NO_PRICE = word_set("refund shipping delivery tip reward cashback point coupon balance")
_MOVED = word_set("amount amt change num quantity qty sum cost price total repaid topup")
_MANNERS = word_set("free bonus paid total extra item daily base actual net")
_ADDING = word_set(
    "add create join connect follow bookmark subscribe enroll upload save import accept unlock get invite"
)
_SETTLING = word_set(
    """
    edit set join create record sync upgrade downgrade renew connect follow bookmark subscribe add enable register
    accept
    """
)
_RANKS = word_set("plan tier subscription membership grade class rank pricing level member")
_NAMELY = word_set("name type code kind title label")
_NEITHER = word_set("view show click list search share leave delete")
_OVER = ENDINGS | {"choose"}
_EMPTY = word_set("of the a an in on by for to and or so far with each every per as it is user who which has have")
_ID = re.compile(r"(?:_(?i:id|no|number|key)|(?<=[a-z0-9])(?:Id|ID|No|Number|Key))$")
_CHARGED = re.compile(r"paid|charged|billed|결제|支払|課金", re.IGNORECASE)
_SIGHTS = {
    "view": re.compile(r"\b(?:view\w*|seen|opened|visited)\b|본\s|열람|조회|見た|閲覧", re.IGNORECASE),
    "play": re.compile(r"\b(?:watched|played|listened|heard)\b|시청|들은|視聴|聴いた", re.IGNORECASE),
    "read": re.compile(r"\bread\b|읽은|読んだ", re.IGNORECASE),
}
"""How texts say that something was looked at, by the action that it is."""


def update_patterns(
    order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> dict[str, dict[str, Update]]:
    """Updates by event and property."""
    taxonomy = order.taxonomy
    found: dict[str, dict[str, Update]] = {}
    guess = _Guess(order, everywhere, measures)
    shown = states_shown(taxonomy)
    common = {prop.name for prop in taxonomy.common_properties}
    for prop in (*taxonomy.common_properties, *taxonomy.user_properties):
        if prop.name in shown:
            continue
        told = [_told(order, prop.rule)] if isinstance(prop.rule, FromEvent) else None
        for event, update in told if told is not None else guess.updates(prop):
            if event not in order.readings or order.kinds[event] is Kind.SYSTEM:
                continue
            own = {given.name for given in taxonomy.event(event).properties}
            # By one name a record tells one value: what the event sets, or else the state itself.
            circular = update.value == _ref(prop.name) and not (update.sets_to(prop.name) and prop.name in own)
            if prop.name not in common or not circular:
                found.setdefault(event, {}).setdefault(prop.name, update)
    return {event: found[event] for event in taxonomy.event_names() if event in found}


def payment(
    order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> tuple[str, str] | None:
    """The event that tells of money received, and the property that tells how much; None where none tells both."""
    return _Guess(order, everywhere, measures).payment()


def _told(order: EventOrder, rule: FromEvent) -> tuple[str, Update]:
    """The update that a rule of the sheet asks for."""
    event = rule.event if rule.event in order.readings else ""
    reference = rule.property
    if rule.where_key is not None and "." in reference:
        group, _, child = reference.partition(".")
        reference = f"{group}[{rule.where_key}].{child}"
    told = {name for name, _ in flattened(order.taxonomy.event(event).properties)} if event else set()
    told |= {name for name, _ in flattened(order.taxonomy.common_properties)}
    if rule.property != "#time" and rule.property not in told and rule.aggregate not in ("cnt", "daycnt"):
        return "", Update(type="set")
    value = f"{{{{{reference}}}}}"
    match rule.aggregate:
        case "cnt":
            return event, Update(type="increment", value=1)
        case "daycnt":
            return event, Update(type="increment", value=1, once_per_day=True)
        case "sum":
            return event, Update(type="increment", value=value)
        case "first":
            return event, Update(type="set_once", value=value)
        case _:
            return event, Update(type="set", value=value)


def states_shown(taxonomy: Taxonomy) -> dict[str, PropertyConstraint]:
    """Common properties that show a user property under another name: `tmp_level` shows `current_level`."""
    shown: dict[str, PropertyConstraint] = {}
    users = {prop.name: prop for prop in taxonomy.user_properties}
    for prop in taxonomy.common_properties:
        if prop.name in users or prop.rule is not None:
            continue
        stem = _stem(prop.name)
        near = [u for u in users.values() if u.type is prop.type and _stem(u.name) in (stem, stem | {"id"}) and stem]
        if near and (near[0].name != prop.name):
            shown[prop.name] = PropertyConstraint(copy_of=near[0].name)
    return shown


def level_counts(
    order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> dict[str, PropertyConstraint]:
    """Numbers of events that tell how far a user's own count has come: levels, and what is added one by one.

    A level-up tells the next level, whatever the sheet leaves open; other events show the level as it is.
    """
    rises: dict[str, PropertyConstraint] = {}
    told = _told_counts(order, everywhere, measures)
    for event in order.taxonomy.events:
        reading = order.readings[event.name]
        if not (reading.says("levelup") and reading.things <= {"character", "user", "account", "game", "level"}):
            continue
        for place in everywhere:
            if place.event == event.name and _is_new_level(place, measures):
                top = measures[place].high if measures[place].given else None
                start = max(measures[place].low, 1) if measures[place].given else 1
                rises[place.key] = PropertyConstraint(counter=CounterRule(start=start, step=1, max=top, shared="level"))
                break
    if not rises:
        return told
    rule = next(iter(rises.values())).counter
    assert rule is not None
    shown = rule.model_copy(update={"step": 0})
    for place in everywhere:
        plain = _last_words(place.name) <= {"level", "user", "player", "current"} and place.key not in rises
        by_users = place.of_event and place.kind not in (Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE)
        if plain and by_users and _is_new_level(place, measures):
            rises[place.key] = PropertyConstraint(counter=shown)
    return told | rises


def _told_counts(
    order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> dict[str, PropertyConstraint]:
    """What a user has some of, as events tell it by the same name: one more where one is added, one less where not."""
    found: dict[str, PropertyConstraint] = {}
    for prop in order.taxonomy.user_properties:
        some = counts(prop) or counts_things(prop.name)
        if prop.type is not PropertyType.NUMBER or not some or isinstance(prop.rule, FromEvent):
            continue
        telling = [
            place
            for place in everywhere
            if place.of_event and place.name == prop.name and place.kind is not Kind.SYSTEM and place in measures
        ]
        steps = {place: _one_more(order.readings[place.event], nouns(prop.name)) for place in telling}
        if 1 not in steps.values() or any(not isinstance(rule_of(p.prop), Between | None) for p in telling):
            continue
        low, high = (
            next((getattr(measures[p], end) for p in telling if measures[p].given), None) for end in ("low", "high")
        )
        start = max((low or 1) - 1, 0)
        for place, step in steps.items():
            rule = CounterRule(start=start, step=step, max=high, shared=prop.name)
            found[place.key] = PropertyConstraint(counter=rule)
    return found


def _one_more(r: Reading, thing: Set[str]) -> int:
    """1 where an event adds a thing, -1 where it takes one away, 0 where it only shows how many there are."""
    if not pieces(r.name) & thing:
        return 0
    if takes_away(r):
        return -1
    return 1 if r.action in _ADDING or r.phase == "accept" else 0


def _is_new_level(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a level that the sheet leaves open, or gives no more than limits."""
    measured = measures.get(place)
    if measured is None or measured.name != "level" or "." in place.name:
        return False
    free = place.prop.rule is None or isinstance(place.prop.rule, Between)
    return free and not _last_words(place.name) & {"before", "previous", "prev", "old", "from", "max", "id"}


@functools.lru_cache(maxsize=4096)
def _last_words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", own_name(name)))


def _stem(name: str) -> frozenset[str]:
    return _last_words(name) - _STATE


class _Guess:
    """Finds the events that change a property of users whose sheet does not say so."""

    def __init__(self, order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]) -> None:
        taxonomy = order.taxonomy
        self.order, self.taxonomy = order, taxonomy
        self.users = {prop.name for prop in taxonomy.user_properties}
        self.common = {prop.name: prop for prop in taxonomy.common_properties}
        self.numbers: dict[str, list[Place]] = {}
        for place in everywhere:
            if place.of_event and place in measures and "." not in place.name:
                self.numbers.setdefault(place.event, []).append(place)
        self.measures = measures
        self.events = {event.name: event for event in taxonomy.events}
        self.of_users = [r for r in order.readings.values() if order.kinds[r.name] is not Kind.SYSTEM]

    def updates(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """Events with their updates of a property."""
        if not self._is_state(prop):
            return
        match prop.type:
            case PropertyType.TIME:
                yield from self._times(prop)
            case PropertyType.NUMBER:
                yield from self._numbers(prop)
            case PropertyType.BOOLEAN:
                yield from self._flags(prop)
            case PropertyType.STRING:
                yield from self._texts(prop)
            case _:
                return

    def _is_state(self, prop: Property) -> bool:
        """Whether events may change it: a common property of its own only where the sheet says that it is current."""
        if prop.name not in self.users:
            return bool(pieces(prop.name) & _STATE) or is_held(prop)
        return prop.name not in self.common or prop.update is not UpdateMode.SET_ONCE

    # ----------------------------------------------------------------- which event

    def _about(self, prop: Property) -> frozenset[str]:
        """Concepts of the name and the alias, without those that tell how it is counted."""
        own = {singular(w) for w in concepts(prop.name) if w not in _TALLY | _TIMES | _STATE | {"last", "first"}}
        alias = {word for word in concepts(prop.alias) if word.isascii()} - {"first"}
        return frozenset(own or alias)

    def _event(self, prop: Property) -> Reading | None:
        """The event that a property speaks of."""
        texts = [frozenset(w for w in concepts(text) if w.isascii()) for text in (prop.alias, prop.description)]
        said = meaning(prop.alias, prop.description)
        if (spelt := self._spelt(prop)) is not None:
            return spelt
        own = self._best(self._about(prop), said)
        if own is not None:
            return own
        return next(
            (found for words in texts if (found := self._best(words - {"first", "user"}, said)) is not None), None
        )

    def _spelt(self, prop: Property) -> Reading | None:
        """The one event of which the description says every word: `Policies issued so far`."""
        said = set(concepts(prop.description))
        found = [r for r in self.of_users if len(r.words) > 1 and set(r.words) <= said and self._settled(r)]
        return found[0] if len(found) == 1 else None

    def _best(self, about: frozenset[str], said: Set[str] = frozenset()) -> Reading | None:
        if not about:
            return None
        near = self._near(about, said)
        if len(about) > 1 and near and about <= frozenset(near[0].words):
            return near[0]
        if about & {"pay", "buy", "order", "spend", "purchase", "revenue", "book"} and (paid := self._paid()):
            deal = about & {"order", "book"}
            of_deal = [r for r in near if r.succeeds and deal <= set(r.words)] if deal and not paid.says(*deal) else []
            return of_deal[0] if of_deal else paid
        if "register" in about or (about & {"create"} and about <= {"create", "account", "character", "user"}):
            registers = self._registers()
            done = [r for r in registers if r.succeeds or r.place is None]
            return next(iter([*done, *registers, *near]), None)
        if about & _PRESENCE and about <= _PRESENCE | _PRESENT:
            return self._arrival("login" in about)
        if about <= {"level", "levelup"}:
            return next((r for r in self.of_users if r.says("levelup") and not r.things - {"character"}), None)
        return next(iter(near), None)

    def _registers(self) -> list[Reading]:
        return self.order.of(Kind.REGISTER) or [r for r in self.of_users if r.says("register") and not r.fails]

    def _arrival(self, login: bool) -> Reading | None:
        """The event that begins a session; without one that is known as such, what opens among the first rows."""
        starts = self.order.of(Kind.SESSION_START)
        named = [r for r in starts if login and r.says("login")]
        opens = [
            r for r in self.of_users[:4] if r.phase in ("open", "launch", "start", "enter") or r.says("foreground")
        ]
        kinds = (Kind.INSTALL, Kind.REGISTER, Kind.ONBOARDING)
        return next(iter([*named, *starts, *(r for r in opens if self.order.kinds[r.name] not in kinds)]), None)

    def _near(self, about: frozenset[str], said: Set[str]) -> list[Reading]:
        """Events that share words with a property, the nearest first; what is done counts before what is begun.

        Args:
            said: words of its texts: claims that are filed are counted when filed, not when they are approved.
        """
        scored: list[tuple[int, int, bool, int, int, Reading]] = []
        for r in self.of_users:
            words = frozenset(r.words)
            common = about & (words | pieces(r.name))
            if common & (ACTIONS | PHASES.keys()):  # `lots_won` of the win of an auction that tells its lot
                ids = [_ID.sub("", name) for name in r.properties if _ID.search(name)]
                common |= about & {concept for name in ids for concept in concepts(name)}
            looks = r.action in ("view", "list", "search", "click", "show") and r.action not in about
            if not common or looks or r.fails:
                continue
            own = (words | pieces(r.name) | frozenset(concepts(self.events[r.name].alias))) - about
            told = len((own & said) - _STATE)
            known = any(_ID.search(name) and about & frozenset(concepts(name)) for name in r.properties)
            scored.append((len(common), told, known, self._doneness(r) + (words == about), -r.index, r))
        needed = 1 if len(about) == 1 else 2
        ranked = sorted(scored, key=lambda item: item[:5], reverse=True)
        return [r for common, *_, r in ranked if common >= needed]

    def _doneness(self, r: Reading) -> int:
        """How much an event tells that something has been done: completed, done at once or accepted, merely begun."""
        if r.phase == "accept" or r.place is None:
            return 2
        return 3 if r.succeeds and r.phase != "confirm" else 2 if r.place >= 5 or self._settled(r) else 0

    def _settled(self, r: Reading) -> bool:
        return settled(r, self.of_users)

    # ----------------------------------------------------------------- what is paid

    def payment(self) -> tuple[str, str] | None:
        """The event that tells of money received, with its amount."""
        return next(((r.name, name) for r in self._payments() if (name := self._money(r)) is not None), None)

    def _paid(self) -> Reading | None:
        """The event that tells of money received."""
        return next(iter(self._payments()), None)

    def _payments(self) -> list[Reading]:
        """Events that tell of money received: those that tell what was paid, those with another amount, the others."""
        paid = [
            r
            for kind in _MONEY_KINDS
            for r in self.order.of(kind)
            if not r.fails and r.action not in ("renew", "cancel") and not r.says("trial", "first")
        ]
        done = {r.topic for r in paid if r.succeeds}
        paid = [r for r in paid if r.succeeds or r.topic not in done]  # not an order that is made and then paid
        sold = [r for r in self.of_users if r.says("buy", "pay", "order") and self._settled(r) and self._in_currency(r)]

        def rank(r: Reading) -> int:
            amount = self._money(r)
            return 2 if amount is None else int(_paid_rank(pieces(amount)) > 0)

        return sorted(dict.fromkeys([*paid, *sold]), key=rank)

    def _in_currency(self, r: Reading) -> bool:
        """Whether an event tells an amount of money by its currency."""
        return any(currency(place.prop) and self._is_money(place) for place in self.numbers.get(r.name, ()))

    def _money(self, r: Reading, like: Property | None = None) -> str | None:
        """The event's property that tells how much was paid; not what it was paid for, such as coins."""
        found = [
            place
            for place in self.numbers.get(r.name, ())
            if self._is_money(place)
            and is_amount(place.prop)
            and not pieces(place.name) & _NO_PRICE
            and (like is None or same_currency(like, place.prop))
        ]
        ranked = sorted(found, key=lambda p: _paid_rank(pieces(p.name)))
        return ranked[0].name if ranked else None

    @functools.cached_property
    def _held_nouns(self) -> frozenset[str]:
        """What users have besides money: stones, cookies, points."""
        props = (*self.taxonomy.user_properties, *self.taxonomy.common_properties)
        held = [p for p in props if p.type is PropertyType.NUMBER and not accumulates(p) and not counts(p)]
        return frozenset(word for p in held for word in nouns(p.name) if word not in MONEY) - {"wallet", "balance"}

    def _paid_again(self, event: str, name: str) -> Iterator[str]:
        """Further payments that tell the same amount: renewals."""
        for r in self.order.of(*_MONEY_KINDS) if self.order.kinds[event] in _MONEY_KINDS else ():
            told = any(place.name == name for place in self.numbers.get(r.name, ()))
            again = r.action == "renew" or self.order.kinds[r.name] is Kind.SUBSCRIBE
            if told and again and r.name != event and not r.says("trial") and self._settled(r):
                yield r.name

    def _paid_apart(self, paid: Reading, prop: Property) -> Iterator[tuple[str, str]]:
        """Further payments that are none of the same purchase: neither of its process nor of the same id."""
        known = [paid]
        for r in self.of_users:
            name = self._money(r, prop) if self._settled(r) and self.order.kinds[r.name] in _PAYING else None
            if name is None or r.says("trial", "refund") or any(_one_id(r, other) for other in known):
                continue
            said = next(p.prop for p in self.numbers[r.name] if p.name == name)
            other_thing = r.action == "buy" and r.place is None and r.things and not r.things & paid.things
            charged = pieces(r.name) & {"membership", "subscription"} or _CHARGED.search(f"{name} {texts_of(said)}")
            again = r.action in ("renew", "upgrade") and charged
            if other_thing or again or (charged and not any(self._one_process(r, other) for other in known)):
                known.append(r)
                yield r.name, name

    def _one_process(self, one: Reading, other: Reading) -> bool:
        """Whether two events are steps of the same order, and so tell of the same purchase."""
        whole = [{e for step in s.steps for e in step.events} for s in self.order.sequences]
        return any({one.name, other.name} <= events for events in whole)

    # ----------------------------------------------------------------- times

    def _times(self, prop: Property) -> Iterator[tuple[str, Update]]:
        start = self._arrival(login=False)
        launched = start is not None and set(start.words) <= meaning(prop.alias, prop.description)
        found = start if launched and "first" not in _last_words(prop.name) else self._event(prop)
        if found is None:
            return
        once = (
            prop.update is UpdateMode.SET_ONCE or "first" in _last_words(prop.name) or found.name in _onces(self.order)
        )
        yield found.name, Update(type="set_once" if once else "set", value="{{#time}}")

    # ----------------------------------------------------------------- numbers

    def _numbers(self, prop: Property) -> Iterator[tuple[str, Update]]:
        said = pieces(prop.name)
        if said & {"level", "lv"} and not said & {"vip", "tower", "skill", "id"}:
            yield from self._level()
        elif said & {"day", "streak"} or "일수" in prop.alias or "日数" in prop.alias:
            yield from self._days(prop)
        elif accumulates(prop) or prop.update is UpdateMode.ADD:
            yield from self._accumulated(prop)
        elif prop.update is UpdateMode.SET_ONCE:
            yield from self._last(prop)
        elif moved := list(self._holding(prop)):
            yield from moved
        elif told := list(self._last(prop)):
            yield from told
            yield from self._undone([self.order.readings[event] for event, _ in told], prop)
        elif counts(prop) or counts_things(prop.name):
            yield from self._counted(prop)

    def _days(self, prop: Property) -> Iterator[tuple[str, Update]]:
        core = next((r for r in self.of_users if self.order.kinds[r.name] is Kind.CORE and r.succeeds), None)
        start = next(iter(self.order.of(Kind.SESSION_START)), None)
        found = self._event(prop) or ((core or start) if "streak" in pieces(prop.name) else None)
        if found is not None:
            yield found.name, Update(type="increment", value=1, once_per_day=True)

    def _accumulated(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """A total: what the events name that means the same, or how often they happen."""
        how_often = counts(prop) or (counts_things(prop.name) and not sums(prop))
        if how_often:
            yield from self._times_happened(prop)
            return
        money = sums(prop) or bool(pieces(prop.name) & MONEY)
        tellers = self._same_noun(prop) or (self._described(prop) if money else [])
        if tellers:
            for event, name in tellers:
                yield event, Update(type="increment", value=_ref(name))
            for again in self._paid_again(*tellers[0]):
                if again not in dict(tellers):
                    yield again, Update(type="increment", value=_ref(tellers[0][1]))
        elif not nouns(prop.name) - MONEY - CURRENCIES.keys():
            yield from self._all_paid(prop)
        elif not money:
            yield from self._times_happened(prop)

    def _times_happened(self, prop: Property) -> Iterator[tuple[str, Update]]:
        found = self._whole(self._event(prop), prop)
        several = self._several(prop)
        if found is None or found.name in several:
            yield from ((event, Update(type="increment", value=_ref(name))) for event, name in several.items())
        else:
            yield found.name, Update(type="increment", value=1)

    def _whole(self, found: Reading | None, prop: Property) -> Reading | None:
        """Of what is won or lost the beginning, unless wins are counted; of what is told to be complete its end."""
        said = {*concepts(prop.name), *meaning(prop.alias, prop.description)}
        if found is None or said & {"win"}:
            return found
        alike = [r for r in self.of_users if r.topic == found.topic and r is not found]
        if found.phase == "win":
            return next((r for r in alike if r.phase == "start"), found)
        if found.place is not None and found.place < 3 and said & {"complete", "end"}:
            return next((r for r in alike if not r.fails and r.phase in ("complete", "success", "end")), found)
        return found

    def _several(self, prop: Property) -> dict[str, str]:
        """Numbers that tell how many things are done at once: `draw_count` of a draw of ten."""
        wanted = frozenset(concepts(prop.name)) - _TALLY - _STATE
        bare = nouns(prop.name) - SPENT - EARNED
        found = [
            (r, p)
            for r in self.of_users
            for p in self.numbers.get(r.name, ())
            if self._settled(r) and is_amount(p.prop)
            if (counts(p.prop) and frozenset(concepts(p.name)) - _TALLY == wanted)
            or (counts_things(p.name) and bare and nouns(p.name) - SPENT - EARNED == bare)
        ]
        return {r.name: p.name for r, p in self._once_each(found)}

    def _same_noun(self, prop: Property) -> list[tuple[str, str]]:
        """Numbers of events that name just what a total is of: `use_cookie` of `total_use_cookie`."""
        wanted = nouns(prop.name)
        bare = wanted - SPENT - EARNED - CURRENCIES.keys()
        way = -1 if (wanted | meaning(prop.alias, prop.description)) & SPENT else 1
        described = wanted | meaning(prop.description) if sums(prop) else wanted
        found: list[tuple[Reading, Place]] = []
        for r in self.of_users:
            for place in self.numbers.get(r.name, ()):
                said = nouns(place.name)
                seen = r.action in _SIGHTS and said == wanted and len(wanted) > 1  # what is told on being looked at
                if not (seen or self._settled(r) or "refund" in wanted):
                    continue
                alike = said == wanted or (bool(bare) and said - SPENT - EARNED == bare)
                alike = alike or (bool(bare) and wanted < said <= described)
                alike = alike or (bool(wanted) and wanted < said <= wanted | pieces(r.name))
                against = direction(place.prop) not in (0, way) and said != wanted
                if alike and not against and is_amount(place.prop, wanted) and same_currency(prop, place.prop):
                    found.append((r, place))
        said = meaning(prop.alias, prop.description)
        told = [(r, p) for r, p in found if ((frozenset(r.words) | pieces(r.name)) - wanted - meaning(p.name)) & said]
        found = told or found
        exact = {r.name for r, place in found if nouns(place.name) == wanted}
        found = [(r, p) for r, p in found if r.name not in exact or nouns(p.name) == wanted]
        return [(r.name, place.name) for r, place in self._once_each(found)]

    def _once_each(self, found: Sequence[tuple[Reading, Place]]) -> list[tuple[Reading, Place]]:
        """Of the stages of one process the one that says it is done: what is told twice is not added twice."""
        best: dict[frozenset[str], tuple[Reading, Place]] = {}
        for r, place in sorted(found, key=lambda item: -self._doneness(item[0])):
            best.setdefault(r.topic | ({r.action} if r.action else set()), (r, place))
        return sorted(best.values(), key=lambda item: item[0].index)

    def _described(self, prop: Property) -> list[tuple[str, str]]:
        """The number that the words of a total's name and texts speak of, with its event."""
        generic = (
            TALLY | STATE | SPENT - {"fee"} | EARNED - {"bonus", "reward", "charge"} | MONEY - {"charge", "fee", "fare"}
        )
        named = nouns(prop.name) - MONEY - SPENT - EARNED - CURRENCIES.keys()
        told = meaning(prop.alias, prop.description) - generic - named - _EMPTY
        scored: list[tuple[int, int, int, Reading, Place]] = []
        for r in self.of_users:
            event = self.events[r.name]
            happening = meaning(r.name, event.alias)
            for row, place in enumerate(self.numbers.get(r.name, ()) if self._settled(r) else ()):
                fits = is_amount(place.prop, pieces(prop.name)) and same_currency(prop, place.prop)
                if not fits or not self._is_money(place):
                    continue
                amount = meaning(place.name, place.prop.alias)
                by_name = len(named & amount) + len(named & happening)
                by_text = len(told & amount) and len(told & amount) + len(told & happening)
                if by_name or by_text >= 2:
                    rank = -_paid_rank(pieces(place.name))
                    scored.append((3 * by_name + 2 * by_text, rank, -row, r, place))
        if not scored:
            return []
        *_, r, place = max(scored, key=lambda item: (item[0], item[1], -item[3].index, item[2]))
        return [(r.name, place.name)]

    def _is_money(self, place: Place) -> bool:
        amounts = self.measures[place].name in _MONEY_MEASURES or pieces(place.name) & {"amount", "amt"}
        return bool(amounts or currency(place.prop)) and not pieces(place.name) & self._held_nouns

    def _all_paid(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """Everything that a user pays: the purchase, its renewals, and purchases of other things."""
        paid = next((r for r in self._payments() if self._money(r, prop)), None)
        name = self._money(paid, prop) if paid else None
        if paid is None or name is None:
            return
        yield paid.name, Update(type="increment", value=_ref(name))
        for again in self._paid_again(paid.name, name):
            yield again, Update(type="increment", value=_ref(name))
        for other, amount in self._paid_apart(paid, prop):
            yield other, Update(type="increment", value=_ref(amount))

    def _counted(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """How many a user has: one more where one is added, one less where it is taken away."""
        found = self._event(prop)
        if found is not None and (counts(prop) or found.action in _ADDING or found.phase == "accept"):
            yield found.name, Update(type="increment", value=1)
            yield from self._undone([found], prop)

    def _undone(self, done: Sequence[Reading], prop: Property) -> Iterator[tuple[str, Update]]:
        if not counts(prop):
            return
        told = {r.name for r in done}
        for r in self.of_users:
            used = is_held(prop) and r.action == "use" and any(r.things & earlier.things for earlier in done)
            if r.name not in told and (used or any(undoes(r, earlier) for earlier in done)):
                name = self._told_by(prop, r)
                yield r.name, Update(type="set", value=_ref(name)) if name else Update(type="decrement", value=1)

    def _level(self) -> Iterator[tuple[str, Update]]:
        for r in self.of_users:
            if not (r.says("levelup") and r.things <= {"character", "user", "account", "game", "level"}):
                continue
            told = [p for p in self.numbers.get(r.name, ()) if _is_new_level(p, self.measures) or self._counts_level(p)]
            value = _ref(told[0].name) if told else None
            yield r.name, Update(type="set", value=value) if value else Update(type="increment", value=1)
            return
        if self.order.is_game:  # who plays rises
            for played in [*self.order.of(Kind.SESSION_END), *self.order.of(Kind.SESSION_START)][:1]:
                yield played.name, Update(type="increment", value=1, once_per_day=True)

    def _counts_level(self, place: Place) -> bool:
        return self.measures[place].name == "level" and not pieces(place.name) & BEFORE

    # ----------------------------------------------------------------- what users have

    def _holding(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """What a user has: as the event leaves it, or by what comes and goes."""
        if counts(prop) and not is_held(prop):
            return
        thing = nouns(prop.name) - {"balance", "held", "owned", "remaining"}
        if not thing and not is_held(prop):
            return
        found = {r.name: update for r in self.of_users if (update := self._change(r, prop, thing)) is not None}
        if (
            not found
            and self.order.is_game
            and _won_in_fights(prop)
            and not any(r.says("currency") for r in self.of_users)
        ):
            found = {r.name: Update(type="increment", value=100) for r in self.of_users if self._fought(r)}
        yield from found.items()

    def _change(self, r: Reading, prop: Property, thing: frozenset[str]) -> Update | None:
        """How an event changes what a user has of a thing; nothing where the sheet leaves it open."""
        numbers = [p for p in self.numbers.get(r.name, ()) if not pieces(p.name) & {"max", "limit", "id"}]
        left = [p for p in numbers if p.name == prop.name or (tells_after(p.prop) and self._is_of(p, r, thing))]
        if left:
            return Update(type="set", value=_ref(left[0].name))
        made = r.action == "create" and r.place is None
        if r.fails or not self._settled(r) or (made and any(o.succeeds and o.topic == r.topic for o in self.of_users)):
            return None  # an order that is made is not paid yet
        if not thing:
            return self._booked(r)
        amounts = [p for p in numbers if thing <= pieces(p.name) and is_amount(p.prop, thing)]
        amounts = [p for p in amounts if not nouns(p.name) - thing - SPENT - EARNED - pieces(r.name) - _MANNERS]
        if not amounts and thing <= pieces(r.name):
            amounts = [p for p in numbers if pieces(p.name) & _MOVED and is_amount(p.prop)][:1]
            if amounts and direction(amounts[0].prop) == 0 and not flows(self.events[r.name], r):
                return None
        return self._moved(r, amounts)

    def _is_of(self, place: Place, r: Reading, thing: frozenset[str]) -> bool:
        """Whether a number is of a thing, by its own name or that of its event: `balance_after` of a wallet."""
        said = nouns(place.name) - AFTER - {"balance", "owned"}
        return said == thing or (not said and thing <= pieces(r.name))

    def _moved(self, r: Reading, amounts: Sequence[Place]) -> Update | None:
        ways = {place: self._way(r, place) for place in amounts}
        amounts = [place for place in amounts if ways[place]]
        whole = [p for p in amounts if pieces(p.name) & {"total", "sum"} or re.search(r"合計|총|합계", p.prop.alias)]
        if whole and len(amounts) > 1:
            amounts = whole[:1]
        if not amounts or len({ways[place] for place in amounts}) > 1:
            return None
        value = " + ".join(_ref(place.name) for place in amounts)
        return Update(type="increment" if ways[amounts[0]] > 0 else "decrement", value=value)

    def _way(self, r: Reading, place: Place) -> int:
        """1 where an amount is added to what a user has, -1 where it is taken from it, 0 where nobody knows."""
        if way := direction(place.prop):
            return way
        if way := flows(self.events[r.name], r):
            return way
        kind = self.order.kinds[r.name]
        if kind in (Kind.SPEND, Kind.GACHA):
            return -1
        if kind is Kind.PAY and self._money(r) is not None:
            return 1  # bought for money
        return 1 if kind is Kind.EARN else 0

    def _booked(self, r: Reading) -> Update | None:
        """What is booked on an account: what is paid in, less what is paid out."""
        comes = r.says("deposit", "recharge", "disburse") and self.order.kinds[r.name] is not Kind.PAY
        goes = r.says("withdraw", "transfer", "repay", "invest") or self.order.kinds[r.name] is Kind.PAY
        if not (comes or goes) or r.phase == "confirm" or not (r.place is None or r.succeeds):
            return None
        amounts = [p for p in self.numbers.get(r.name, ()) if is_amount(p.prop) and pieces(p.name) & _MOVED]
        kind: Literal["increment", "decrement"] = "increment" if comes else "decrement"
        return Update(type=kind, value=_ref(amounts[0].name)) if amounts else None

    def _fought(self, r: Reading) -> bool:
        return r.succeeds and self.order.kinds[r.name] is Kind.CORE and bool(r.things & _FOUGHT)

    # ----------------------------------------------------------------- what was told last

    def _last(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """What an event told last of a property of the same name."""
        for r, name in self._tellers(prop):
            yield r.name, Update(type=self._mode(prop, r), value=_ref(name))

    def _mode(self, prop: Property, r: Reading) -> Literal["set", "set_once"]:
        once = prop.update is UpdateMode.SET_ONCE or _last_words(prop.name) & {"first", "initial", "signup", "register"}
        return "set_once" if once and r.action not in ("edit", "upgrade", "downgrade") else "set"

    def _tellers(self, prop: Property) -> list[tuple[Reading, str]]:
        """Events that settle a property, with their own of the same name, or the one that names its new value."""
        named = [(r, name) for r in self.of_users if not r.fails and (name := self._told_by(prop, r)) is not None]
        settling = [(r, name) for r, name in named if self._tells(r)]
        if prop.update is UpdateMode.SET_ONCE:
            arrivals = [
                (r, name)
                for r, name in named
                if self.order.kinds[r.name] in (Kind.INSTALL, Kind.REGISTER, Kind.ONBOARDING) or r.says("register")
            ]
            return arrivals or settling or named or self._registered(prop)
        if pieces(prop.name) & {"last", "latest", "recent"}:
            ways = {way for way, said in _SIGHTS.items() if said.search(texts_of(prop))}
            return [(r, name) for r, name in named if r.action in ways] or settling
        return settling or (named if len(named) == 1 and prop.name in self.users else [])

    def _told_by(self, prop: Property, r: Reading) -> str | None:
        """The event's property that tells one of users."""
        stem = _stem(prop.name) - {"last", "latest", "recent", "highest", "max", "no"}
        same = [p for p in self.events[r.name].properties if p.type is prop.type]
        exact = next((p.name for p in same if p.name == prop.name), None)
        alike = exact or next((p.name for p in same if stem and _stem(p.name) - {"no"} == stem), None)
        if alike is None and (r.phase == "achieve" or r.action in ("upgrade", "downgrade")):
            return next(
                (p.name for p in same if (new := _last_words(p.name) & _NEW) and _stem(p.name) - new <= stem), None
            )
        return alike

    def _registered(self, prop: Property) -> list[tuple[Reading, str]]:
        """What is taken over at the registration from what every event says: the city is then the home city."""
        stem = nouns(prop.name) - {"home", "first", "initial", "signup", "register", "registration", "original"}
        source = [p.name for p in self.common.values() if p.type is prop.type and stem and nouns(p.name) == stem]
        registers = self._registers()
        return [(registers[0], source[0])] if source and registers and prop.name not in self.common else []

    def _tells(self, r: Reading) -> bool:
        """Whether an event settles something, rather than mentions it."""
        kind = self.order.kinds[r.name]
        if (kind is Kind.CORE and r.place is not None and not r.succeeds) or (
            kind is Kind.GROUP and not r.says("join", "create")
        ):
            return False
        settles = (
            *(Kind.INSTALL, Kind.REGISTER, Kind.SUBSCRIBE, Kind.ONBOARDING, Kind.GROWTH, Kind.SETTING, Kind.CREATE),
            *(Kind.GROUP, Kind.PAY, Kind.VERIFY, Kind.CORE, Kind.MONEY),
        )
        acts = r.action in _SETTLING
        return (kind in settles or acts) and not r.says("trial") and r.action not in ("leave", "view", "delete")

    # ----------------------------------------------------------------- flags

    def _flags(self, prop: Property) -> Iterator[tuple[str, Update]]:
        told = list(self._last(prop))
        if told:
            yield from told
            return
        named = pieces(prop.name) - {"is", "has", "had", "user", "active", "now", "on", "enabled", "running"}
        named = (named - {"id", "member", "used", "already"}) or named
        stems = {"paying": "pay", "payer": "pay", "paid": "pay", "subscriber": "subscribe", "premium": "subscribe"}
        about = frozenset(stems.get(piece) or (concepts(piece) or (piece,))[0] for piece in named)
        found = self._best(about - {"complete", "done", "active"} or about) or self._best(frozenset(named))
        if found is None:  # `가입 여부`, `登録の有無`
            label = re.sub(r"\s*(?:여부|유무|の?有無|かどうか|か)$", "", prop.alias)
            said = frozenset(concepts(label)) if label != prop.alias else frozenset()
            same = [r for r in self.of_users if said and said == frozenset(concepts(self.events[r.name].alias))]
            found = same[0] if same else self._best(said)
            about = frozenset(concepts(label)) if found is not None else about
        if found is None or (prop.name in self.common and prop.name not in self.users and not found.says(*about)):
            return
        if ends(found, about | named):  # a flag is set by what begins
            begun = [r for r in self.of_users if r.topic == found.topic and not r.fails and (r.place or 0) < 5]
            found = begun[0] if begun else found
        yield found.name, Update(type="set", value=True)
        for r in self._over(about | named):
            if r.name != found.name:
                yield r.name, Update(type="set", value=False)

    def _over(self, thing: frozenset[str]) -> list[Reading]:
        """Events that say that something is over; where it runs out after it is cancelled, only the former."""
        done = [r for r in self.of_users if ends(r, thing) and not r.says("trial")]
        out = [r for r in done if r.phase in ("timeout", "end")]
        return out or done

    # ----------------------------------------------------------------- texts

    def _texts(self, prop: Property) -> Iterator[tuple[str, Update]]:
        said = pieces(prop.name)
        if said & {"device", "os", "platform", "network", "carrier", "account"}:
            return
        if said & {"status", "state"}:
            yield from self._status(prop)
            return
        told = [(r, name) for r, name in self._tellers(prop) if self._spelled(prop, r, name)]
        told = told or self._tariff(prop)
        for r, name in told:
            yield r.name, Update(type=self._mode(prop, r), value=_ref(name))
        if told and prop.update is not UpdateMode.SET_ONCE:
            yield from self._lost(prop, told)

    def _spelled(self, prop: Property, r: Reading, name: str) -> bool:
        """Whether an event's values are among those of the property."""
        own, allowed = self._values(r, name), set(listed(prop))
        return not own or not allowed or own <= allowed

    def _values(self, r: Reading, name: str) -> frozenset[str]:
        """The texts that an event's property may have: as listed there, or by another event of the same property."""
        events = [self.events[r.name], *self.events.values()]
        found = (listed(p) for event in events for p in event.properties if p.name == name)
        return frozenset(next((values for values in found if values), ()))

    def _tariff(self, prop: Property) -> list[tuple[Reading, str]]:
        """Events that say which of the listed plans, tiers or roles a user now has: `planTier` of a purchase."""
        allowed = set(listed(prop))
        own = nouns(prop.name) - _NAMELY
        found: list[tuple[Reading, str]] = []
        for r in self.of_users:
            begun = self.order.kinds[r.name] is Kind.CHECKOUT
            if (
                begun
                or r.fails
                or r.phase in _OVER
                or not self._settled(r)
                or r.says("trial", "invite")
                or r.action in _NEITHER
            ):
                continue
            for p in self.events[r.name].properties:
                stem = nouns(p.name) - _NEW - _NAMELY - {"selected", "chosen"}
                foreign = stem - own - _RANKS
                values = self._values(r, p.name)
                fits = p.type is prop.type and values and values <= allowed and not pieces(p.name) & BEFORE
                if fits and not foreign and stem & (own | _RANKS if own & _RANKS else own):
                    found.append((r, p.name))
                    break
        return found

    def _lost(self, prop: Property, told: Sequence[tuple[Reading, str]]) -> Iterator[tuple[str, Update]]:
        """What a user loses on leaving or cancelling: back to what those have who never began."""
        reached = frozenset(value for r, name in told for value in self._values(r, name))
        before = entry_by_default(prop, reached) if listed(prop) else ""
        if before is None or (before == "" and prop.name in self.common):
            return
        tellers = [r for r, _ in told]
        for r in self.of_users:
            group = takes_away(r) and any(r.things & t.things & GROUPS for t in tellers)
            over = listed(prop) and r in self._over(frozenset(w for t in tellers for w in _thing(t) | _plans(prop)))
            if r.name not in {t.name for t in tellers} and (group or over):
                yield r.name, Update(type="set", value=before)

    def _status(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """A status by the value that an event's words spell, or, of subscriptions, the usual words."""
        told = [(r, name) for r, name in self._tellers(prop) if self._spelled(prop, r, name)]
        told = told or self._tariff(prop)
        if told:
            yield from ((r.name, Update(type=self._mode(prop, r), value=_ref(name))) for r, name in told)
            return
        thing = meaning(prop.name) - {"status", "state"} - STATE
        for r in self.of_users:
            about = bool(thing & (frozenset(r.words) | pieces(r.name)))
            if thing & {"subscribe", "membership", "plan"}:
                about = about or self.order.kinds[r.name] is Kind.SUBSCRIBE
            value = _status_of(prop, r, thing) if about and self.order.kinds[r.name] is not Kind.BROWSE else None
            if value is not None:
                yield r.name, Update(type="set", value=value)


def _ref(name: str) -> str:
    return f"{{{{{name}}}}}"


def _one_id(one: Reading, other: Reading) -> bool:
    """Whether two events name the same thing by an id, and so tell of the same purchase."""
    return one.name == other.name or any(_ID.search(name) for name in one.properties & other.properties)


def _paid_rank(said: Set[str]) -> int:
    """Which of several amounts of a payment is what was paid: the final one before the price of one piece."""
    ranks = ({"final", "paid", "pay", "payment", "charged", "settled"}, {"total", "gross", "order", "grand"})
    for rank, words in enumerate((*ranks, {"amount", "price", "value", "revenue", "fare"})):
        if said & words:
            return rank
    return len(ranks) + 1


def _won_in_fights(prop: Property) -> bool:
    return bool({"gold", "xp", "currency"} & set(measure_words(prop)))


def _thing(r: Reading) -> frozenset[str]:
    """What an event is about, without what is done to it."""
    return (r.topic | pieces(r.name)) - ((ACTIONS | PHASES.keys() | _NEW) - {"pass"})


def _plans(prop: Property) -> frozenset[str]:
    return frozenset({"subscribe", "plan", "membership"}) if pieces(prop.name) & _RANKS else frozenset()


_STATUSES: Mapping[str, str] = {
    "trial": "trial trialing",
    "cancel": "cancelled canceled cancelling churned inactive ended none",
    "timeout": "expired lapsed inactive ended none",
    "pause": "paused suspended",
    "reject": "rejected declined failed unverified",
    "fail": "failed rejected past_due unverified",
    "submit": "pending submitted in_review reviewing processing",
    "request": "pending requested in_review reviewing",
    "accept": "approved accepted verified active",
    "verify": "verified active approved",
    "success": "active verified approved completed success",
    "complete": "completed active verified approved",
    "resume": "active",
    "renew": "active renewed",
    "enable": "active enabled activated",
    "disable": "inactive disabled",
    "subscribe": "active subscribed",
    "upgrade": "active",
    "start": "active started in_progress ongoing trialing",
}
"""By what an event tells, the statuses that it may lead to, the likeliest first."""


def _status_of(prop: Property, r: Reading, thing: Set[str]) -> str | None:
    """The status that an event leads to, spelled as the sheet does; None where it is none of them."""
    told = "trial" if r.says("trial") and not r.fails else r.phase or r.action
    if told is None or (told == "trial" and r.place is not None and r.place < 1.8):
        return None
    allowed = listed(prop)
    wanted = _STATUSES.get(told, "").split()
    if not allowed:
        if not thing & {"subscribe", "membership", "plan"} or (r.fails and told not in ("cancel", "timeout")):
            return None
        return wanted[0] if wanted and told != "request" else None
    spelled = {value.lower().replace(" ", "_").replace("-", "_"): value for value in allowed}
    own = next((value for value in allowed if told in concepts(value)), None)
    return own or next((spelled[word] for word in wanted if word in spelled), None)


_FOUGHT = word_set("stage battle quest dungeon game_match level boss raid pvp chapter")


def _onces(order: EventOrder) -> set[str]:
    return {r.name for r in order.of(Kind.REGISTER, Kind.INSTALL)}
