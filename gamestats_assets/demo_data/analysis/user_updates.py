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

from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import Reading, concepts, word_set
from gamestats_assets.demo_data.analysis.measures import Measure, Place, counts_things, measure_words
from gamestats_assets.demo_data.rules.model import CounterRule, PropertyConstraint, Update
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, UpdateMode, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import Between, FromEvent

Kind = EventKind

_MONEY_KINDS = (Kind.PAY, Kind.SUBSCRIBE)
_STATE = word_set("tmp current cur now present my total user accumulated cumulative the final")
_TALLY = word_set("count cnt times num number total sum amount days day accumulated cumulative lifetime")
_TIMES = word_set("time at date datetime day timestamp ts on")
_NEW = word_set("new next after reached")
_HOLDINGS = ("gold", "diamond", "energy", "point", "currency", "xp", "balance")


def update_patterns(
    order: EventOrder, taxonomy: Taxonomy, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> dict[str, dict[str, Update]]:
    """Updates by event and property."""
    found: dict[str, dict[str, Update]] = {}
    guess = _Guess(order, taxonomy, everywhere, measures)
    shown = states_shown(taxonomy)
    for prop in (*taxonomy.common_properties, *taxonomy.user_properties):
        if prop.name in shown:
            continue
        told = [_told(order, taxonomy, prop.rule)] if isinstance(prop.rule, FromEvent) else None
        for event, update in told if told is not None else guess.updates(prop):
            if event in order.readings and order.kinds[event] is not Kind.SYSTEM:
                found.setdefault(event, {}).setdefault(prop.name, update)
    return {event: found[event] for event in taxonomy.event_names() if event in found}


def _told(order: EventOrder, taxonomy: Taxonomy, rule: FromEvent) -> tuple[str, Update]:
    """The update that a rule of the sheet asks for."""
    event = rule.event if rule.event in order.readings else ""
    reference = rule.property
    if rule.where_key is not None and "." in reference:
        group, _, child = reference.partition(".")
        reference = f"{group}[{rule.where_key}].{child}"
    told = {name for name, _ in flattened(taxonomy.event(event).properties)} if event else set()
    told |= {name for name, _ in flattened(taxonomy.common_properties)}
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
    order: EventOrder, taxonomy: Taxonomy, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> dict[str, PropertyConstraint]:
    """A level-up tells the next level, whatever the sheet leaves open; other events show the level as it is."""
    rises: dict[str, PropertyConstraint] = {}
    for event in taxonomy.events:
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
        return {}
    rule = next(iter(rises.values())).counter
    assert rule is not None
    shown = rule.model_copy(update={"step": 0})
    for place in everywhere:
        plain = _last_words(place.name) <= {"level", "user", "player", "current"} and place.key not in rises
        by_users = place.of_event and place.kind not in (Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE)
        if plain and by_users and _is_new_level(place, measures):
            rises[place.key] = PropertyConstraint(counter=shown)
    return rises


def _is_new_level(place: Place, measures: Mapping[Place, Measure]) -> bool:
    """Whether a number is a level that the sheet leaves open, or gives no more than limits."""
    measured = measures.get(place)
    if measured is None or measured.name != "level" or "." in place.name:
        return False
    free = place.prop.rule is None or isinstance(place.prop.rule, Between)
    return free and not _last_words(place.name) & {"before", "previous", "prev", "old", "from", "max", "id"}


@functools.lru_cache(maxsize=4096)
def _last_words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rpartition(".")[2]).lower()))


def _stem(name: str) -> frozenset[str]:
    return _last_words(name) - _STATE


_SUM = re.compile(r"\b(?:sum|amount)\b", re.IGNORECASE)


def _counts(prop: Property, words: Set[str]) -> bool:
    """Whether a number tells how often something happened."""
    named = _last_words(prop.name) & {"count", "cnt", "times", "num", "number"}
    return bool(named) or "횟수" in words or "횟수" in prop.alias


class _Guess:
    """Finds the events that change a property of users whose sheet does not say so."""

    def __init__(
        self, order: EventOrder, taxonomy: Taxonomy, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
    ) -> None:
        self.order, self.taxonomy = order, taxonomy
        self.users = {prop.name for prop in taxonomy.user_properties}
        self.numbers: dict[str, list[Place]] = {}
        for place in everywhere:
            if place.of_event and place in measures and "." not in place.name:
                self.numbers.setdefault(place.event, []).append(place)
        self.measures = measures

    def updates(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """Events with their updates of a property."""
        if prop.rule is not None and isinstance(prop.rule, FromEvent):
            return
        if prop.name not in self.users and not (_last_words(prop.name) & _STATE):
            return  # a common property of its own is no state
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

    # ----------------------------------------------------------------- which event

    def _about(self, prop: Property) -> frozenset[str]:
        """Concepts of the name and the alias, without those that tell how it is counted."""
        own = {word for word in concepts(prop.name) if word not in _TALLY | _TIMES | _STATE | {"last", "first"}}
        alias = {word for word in concepts(prop.alias) if word.isascii()} - {"first"}
        return frozenset(own or alias)

    def _event(self, prop: Property) -> Reading | None:
        """The event that a property speaks of."""
        about = self._about(prop)
        own = self._best(about)
        if own is not None:
            return own
        texts = [frozenset(w for w in concepts(text) if w.isascii()) for text in (prop.alias, prop.description)]
        return next((found for words in texts if (found := self._best(words - {"first", "user"})) is not None), None)

    def _best(self, about: frozenset[str]) -> Reading | None:
        if not about:
            return None
        if about & {"pay", "buy", "order", "spend", "purchase", "revenue", "book"} and (paid := self._paid()):
            return paid
        if "register" in about or (about & {"create"} and about & {"account", "character", "user"}):
            registers = self.order.of(Kind.REGISTER)
            done = [r for r in registers if r.succeeds or r.place is None]
            return (done or registers or [None])[0]
        if about & {"login", "active", "access", "visit", "session"}:
            starts = self.order.of(Kind.SESSION_START)
            login = [r for r in starts if r.says("login")]
            return (login or starts or [None])[0]
        if about <= {"level", "levelup"}:
            return next(
                (r for r in self.order.readings.values() if r.says("levelup") and not r.things - {"character"}), None
            )
        return next(iter(self._near(about)), None)

    def _near(self, about: frozenset[str]) -> list[Reading]:
        """Events that share words with a property, the nearest first; what is done counts before what is begun."""
        scored: list[tuple[int, int, int, Reading]] = []
        for r in self.order.readings.values():
            common = about & frozenset(r.words)
            looks = r.action in ("view", "list", "search", "click", "show") and r.action not in about
            if not common or looks or r.fails or self.order.kinds[r.name] is Kind.SYSTEM:
                continue
            done = (
                3
                if (r.succeeds and r.phase != "confirm") or r.phase == "accept"
                else 2
                if r.place is None or r.place >= 5
                else 0
            )
            scored.append((len(common), done + (frozenset(r.words) == about), -r.index, r))
        needed = 1 if len(about) == 1 else 2
        ranked = sorted(scored, key=lambda item: item[:3], reverse=True)
        return [r for common, _, _, r in ranked if common >= needed]

    def _paid(self) -> Reading | None:
        """The event that tells of money received."""
        paid = [
            r
            for kind in _MONEY_KINDS
            for r in self.order.of(kind)
            if not r.fails and r.action not in ("renew", "cancel")
        ]
        paid = [r for r in paid if not r.says("trial", "first")]
        with_money = [r for r in paid if self._money(r) is not None]
        return next(iter([*with_money, *paid]), None)

    def _money(self, r: Reading) -> str | None:
        """The event's property that tells how much was paid."""
        preferred = ("final", "total", "paid", "pay", "payment", "revenue", "amount", "price", "value", "cost")
        names = [place.name for place in self.numbers.get(r.name, ()) if self.measures[place].name == "price"]
        for word in preferred:
            for name in names:
                if word in _last_words(name) and not _last_words(name) & {
                    "discount",
                    "original",
                    "unit",
                    "tax",
                    "refund",
                }:
                    return name
        return names[0] if names else None

    # ----------------------------------------------------------------- what it does

    def _times(self, prop: Property) -> Iterator[tuple[str, Update]]:
        found = self._event(prop)
        if found is None:
            return
        once = (
            prop.update is UpdateMode.SET_ONCE or "first" in _last_words(prop.name) or found.name in _onces(self.order)
        )
        yield found.name, Update(type="set_once" if once else "set", value="{{#time}}")

    def _numbers(self, prop: Property) -> Iterator[tuple[str, Update]]:
        pieces = _last_words(prop.name)
        words = {*measure_words(prop), *concepts(prop.alias)}
        if pieces & {"level", "lv"} and not pieces & {"vip", "tower", "skill", "id"}:
            yield from self._level()
            return
        held = next((name for name in _HOLDINGS if name in measure_words(prop)), None)
        if held is not None and not pieces & {"total", "spent", "earned", "used", "count", "lifetime"}:
            yield from self._holding(held, pieces)
            return
        if "vip" in pieces or pieces & {"age", "height", "bmi", "power", "score"}:
            yield from self._last(prop)
            return
        found = self._event(prop)
        if "streak" in pieces:
            core = next(
                (r for r in self.order.readings.values() if self.order.kinds[r.name] is Kind.CORE and r.succeeds), None
            )
            found = found or core or next(iter(self.order.of(Kind.SESSION_START)), None)
        totals = pieces & {"total", "sum", "accumulated", "cumulative", "lifetime"} or prop.update is UpdateMode.ADD
        if found is None and totals and (tellers := list(self._summands(prop))):
            for event, name in tellers:
                yield event, Update(type="increment", value=f"{{{{{name}}}}}")
        elif found is None:
            yield from self._last(prop)
        elif pieces & {"days", "day", "streak"} or "일수" in prop.alias or "日数" in prop.alias:
            yield found.name, Update(type="increment", value=1, once_per_day=True)
        elif _counts(prop, words) or (totals and counts_things(prop.name) and not _SUM.search(prop.description)):
            yield found.name, Update(type="increment", value=1)
        elif summed := self._total(prop, found):
            for event in (summed[0], *self._paid_again(*summed)):
                yield event, Update(type="increment", value=f"{{{{{summed[1]}}}}}")
        elif totals or (self._about(prop) & {found.phase, found.action} and not list(self._tellers(prop))):
            yield found.name, Update(type="increment", value=1)
        else:
            yield from self._last(prop)

    def _total(self, prop: Property, found: Reading) -> tuple[str, str] | None:
        """Event and number that a total adds up."""
        for r in (found, *self._near(self._about(prop))):
            if name := self._summed(prop, r):
                return r.name, name
        if not _last_words(prop.name) & {"amount", "spent", "value", "sum"}:
            return None
        amount = self._any_amount(found)
        return (found.name, amount) if amount else None

    def _paid_again(self, event: str, name: str) -> Iterator[str]:
        """Further payments that tell the same amount: renewals."""
        for r in self.order.of(*_MONEY_KINDS) if self.order.kinds[event] in _MONEY_KINDS else ():
            told = any(place.name == name for place in self.numbers.get(r.name, ()))
            if told and r.name != event and not r.fails and not r.says("trial") and (r.place or 5) >= 5:
                yield r.name

    def _summands(self, prop: Property) -> Iterator[tuple[str, str]]:
        """Numbers of events whose names say what a total is of."""
        stem = _stem(prop.name) - _TALLY
        for event, numbers in self.numbers.items():
            r = self.order.readings[event]
            if r.fails or self.order.kinds[event] is Kind.SYSTEM or (r.place is not None and r.place < 4 and r.phase):
                continue
            name = next((p.name for p in numbers if stem and _last_words(p.name) >= stem), None)
            if name is not None:
                yield event, name

    def _summed(self, prop: Property, r: Reading) -> str | None:
        """The event's number that a total adds up."""
        pieces = _last_words(prop.name)
        if self.order.kinds[r.name] in _MONEY_KINDS and pieces & {
            *(
                "amount",
                "spent",
                "spend",
                "revenue",
                "ltv",
                "value",
                "pay",
                "payment",
                "purchase",
                "money",
                "sales",
                "total",
            ),
        }:
            return self._money(r)
        if not pieces & {"total", "sum", "accumulated", "cumulative", "lifetime"} and prop.update is not UpdateMode.ADD:
            return None
        stem = _stem(prop.name) - _TALLY
        scored = [(len(_last_words(p.name) & stem), -i, p.name) for i, p in enumerate(self.numbers.get(r.name, ()))]
        best = max(scored, default=None)
        return best[2] if best and best[0] else None

    def _level(self) -> Iterator[tuple[str, Update]]:
        for r in self.order.readings.values():
            if not (r.says("levelup") and r.things <= {"character", "user", "account", "game", "level"}):
                continue
            told = [p for p in self.numbers.get(r.name, ()) if _is_new_level(p, self.measures) or self._counts_level(p)]
            yield (
                r.name,
                Update(type="set", value=f"{{{{{told[0].name}}}}}") if told else Update(type="increment", value=1),
            )
            return

    def _counts_level(self, place: Place) -> bool:
        return self.measures[place].name == "level" and not _last_words(place.name) & {
            "before",
            "previous",
            "prev",
            "old",
        }

    def _holding(self, held: str, pieces: frozenset[str]) -> Iterator[tuple[str, Update]]:
        """What a user has: earned by some events, spent by others."""
        if held == "balance":
            yield from self._account()
            return
        rates = {"gold": 100, "xp": 50, "point": 10, "diamond": 5, "currency": 50, "energy": 5, "balance": 10}
        amounts = {r.name: self._named_amount(r, held, pieces) for r in self.order.readings.values()}
        told = {
            self._sign(r, self.order.kinds[r.name], amounts[r.name])
            for r in self.order.readings.values()
            if amounts[r.name] is not None
        }
        for r in self.order.readings.values():
            kind = self.order.kinds[r.name]
            if kind in (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END, Kind.INSTALL, Kind.REGISTER):
                continue
            named = amounts[r.name]
            sign = self._sign(r, kind, named)
            if named is not None and sign:
                yield r.name, Update(type="increment" if sign > 0 else "decrement", value=f"{{{{{named}}}}}")
            elif held == "diamond" and kind is Kind.PAY and self._moves(r, kind, held):
                if 1 not in told:  # who names it in some events names it in all that move it so
                    yield r.name, Update(type="increment", value=f"{{{{{self._money(r)}}}}} * 10")
            elif self._moves(r, kind, held):
                amount = self._any_amount(r)
                many = " * 100" if kind is Kind.GACHA else ""
                value = f"{{{{{amount}}}}}{many}" if amount else rates[held]
                sign = self._sign(r, kind, amount) or 1
                if sign not in told:
                    yield r.name, Update(type="increment" if sign > 0 else "decrement", value=value)

    def _account(self) -> Iterator[tuple[str, Update]]:
        """The balance of an account: what is paid in, less what is paid out."""
        for r in self.order.readings.values():
            settled = (r.place is None or r.succeeds) and r.phase != "confirm" and not r.fails
            comes = r.says("deposit", "recharge", "disburse")
            goes = r.says("withdraw", "transfer", "repay", "invest") or self.order.kinds[r.name] is Kind.PAY
            if not settled or not (comes or goes) or self.order.kinds[r.name] is Kind.SYSTEM:
                continue
            if amount := self._any_amount(r):
                yield r.name, Update(type="increment" if comes else "decrement", value=f"{{{{{amount}}}}}")

    def _named_amount(self, r: Reading, held: str, pieces: frozenset[str]) -> str | None:
        """The event's number that names what is held: `reward_gold`, `cost_gem`."""
        stem = pieces - _STATE
        for place in self.numbers.get(r.name, ()):
            said = _last_words(place.name)
            own = held in measure_words(place.prop) and (
                bool(said & stem) or held not in ("diamond", "gold", "currency")
            )
            if own and not said & {"after", "before", "current", "remain", "remaining", "balance", "left", "tmp"}:
                return place.name
        return None

    def _sign(self, r: Reading, kind: EventKind, amount: str | None) -> int:
        said = _last_words(amount) if amount else frozenset[str]()
        if said & {
            "cost",
            "spent",
            "spend",
            "used",
            "use",
            "consumed",
            "consume",
            "price",
            "pay",
            "fee",
            "donated",
            "donate",
        }:
            return -1
        if said & {"reward", "earned", "gained", "gain", "get", "bonus", "received", "earn", "obtained"}:
            return 1
        if kind is Kind.SPEND or kind is Kind.GACHA or r.says("spend", "use", "withdraw", "transfer", "invest"):
            return -1
        return 0 if r.fails else 1

    def _moves(self, r: Reading, kind: EventKind, held: str) -> bool:
        """Whether an event that names no such amount changes what is held all the same."""
        plain = r.things <= {"currency", "game"} and r.says("currency")
        match held:
            case "gold" | "currency":
                own_goods = kind is Kind.SPEND and r.says("shop", "buy", "item") and self._any_amount(r) is not None
                earned = kind in (Kind.EARN, Kind.SPEND) and plain
                won = self.order.is_game and r.succeeds and kind is Kind.CORE and bool(r.things & _FOUGHT)
                return own_goods or earned or won
            case "xp":
                return self.order.is_game and r.succeeds and kind is Kind.CORE and bool(r.things & _FOUGHT)
            case "diamond":
                return (kind is Kind.GACHA and r.place is None) or (
                    self.order.is_game and kind is Kind.PAY and self._money(r) is not None
                )
            case "energy":
                return bool(self.order.is_game and kind is Kind.CORE and r.place is not None and r.place <= 2)
            case _:
                return kind is Kind.PAY and held == "point" and not self.order.is_game

    def _any_amount(self, r: Reading) -> str | None:
        """The event's number that tells how much was moved."""
        wanted = {"amount", "change", "num", "cost", "quantity", "price"}
        numbers = [
            p
            for p in self.numbers.get(r.name, ())
            if self.measures[p].name in ("game_amount", "price", "quantity") or "amount" in _last_words(p.name)
        ]
        numbers = [p for p in numbers if not _last_words(p.name) & {"before", "after", "id"}]
        ranked = sorted(numbers, key=lambda p: (self.measures[p].name == "quantity", not _last_words(p.name) & wanted))
        return ranked[0].name if ranked else None

    def _last(self, prop: Property) -> Iterator[tuple[str, Update]]:
        """What an event told last of a property of the same name."""
        for r, name in self._tellers(prop):
            yield r.name, Update(type=self._mode(prop, r), value=f"{{{{{name}}}}}")

    def _mode(self, prop: Property, r: Reading) -> Literal["set", "set_once"]:
        once = prop.update is UpdateMode.SET_ONCE or _last_words(prop.name) & {"first", "initial", "signup", "register"}
        return "set_once" if once and r.action not in ("edit", "upgrade", "downgrade") else "set"

    def _tellers(self, prop: Property) -> Iterator[tuple[Reading, str]]:
        stem = _stem(prop.name) - {"last", "latest", "recent", "highest", "max"}
        for event in self.taxonomy.events:
            r = self.order.readings[event.name]
            same = [p for p in event.properties if p.type is prop.type]
            named = next((p for p in same if stem and _stem(p.name) == stem), None)
            if named is None and r.phase == "achieve":  # a new tier is reached, and is then the user's
                named = next(
                    (p for p in same if (new := _last_words(p.name) & _NEW) and _stem(p.name) - new <= stem), None
                )
            if named is not None and self._tells(r):
                yield r, named.name

    def _tells(self, r: Reading) -> bool:
        """Whether an event settles something, rather than mentions it."""
        kind = self.order.kinds[r.name]
        if (kind is Kind.CORE and r.place is not None and not r.succeeds) or (
            kind is Kind.GROUP and not r.says("join", "create")
        ):
            return False
        settles = (
            *(Kind.REGISTER, Kind.SUBSCRIBE, Kind.ONBOARDING, Kind.GROWTH, Kind.SETTING, Kind.CREATE, Kind.GROUP),
            *(Kind.PAY, Kind.VERIFY, Kind.CORE, Kind.MONEY),
        )
        acts = r.action in (
            "edit",
            "set",
            "join",
            "create",
            "record",
            "sync",
            "upgrade",
            "downgrade",
            "renew",
            "connect",
        )
        return (
            (kind in settles or acts)
            and not r.fails
            and not r.says("trial")
            and r.action not in ("leave", "view", "delete")
        )

    def _flags(self, prop: Property) -> Iterator[tuple[str, Update]]:
        told = list(self._tellers(prop))
        if told:
            yield from self._last(prop)
            return
        pieces = _last_words(prop.name) - {"is", "has", "user"}
        stems = {"paying": "pay", "payer": "pay", "paid": "pay", "subscriber": "subscribe", "premium": "subscribe"}
        about = frozenset(stems.get(piece) or (concepts(piece) or (piece,))[0] for piece in pieces)
        found = self._best(about - {"complete", "done", "active"} or about)
        if found is None:
            return
        yield found.name, Update(type="set", value=True)
        if about & {"subscribe"}:
            for r in self.order.readings.values():
                if self.order.kinds[r.name] is Kind.SUBSCRIBE and r.phase in ("cancel", "timeout"):
                    yield r.name, Update(type="set", value=False)

    def _texts(self, prop: Property) -> Iterator[tuple[str, Update]]:
        pieces = _last_words(prop.name)
        if pieces >= {"status"} and pieces & {"subscription", "membership", "plan"}:
            yield from self._status()
            return
        if pieces & {
            "channel",
            "device",
            "os",
            "country",
            "language",
            "gender",
            "platform",
            "network",
            "server",
            "account",
        }:
            return
        told = list(self._tellers(prop))
        yield from self._last(prop)
        if told and pieces & {"guild", "clan", "team", "alliance", "party"}:
            for r in self.order.readings.values():
                if r.action in ("leave", "dissolve") and r.things & {"guild", "team", "party"}:
                    yield r.name, Update(type="set", value="")
        if not told and pieces & {"plan", "tier"}:
            for r in self.order.of(Kind.SUBSCRIBE):
                if r.phase == "cancel":
                    yield r.name, Update(type="set", value="free")

    def _status(self) -> Iterator[tuple[str, Update]]:
        for r in self.order.of(Kind.SUBSCRIBE):
            if r.fails and r.phase != "cancel":
                continue
            ended = r.phase == "cancel"
            yield r.name, Update(type="set", value="cancelled" if ended else "trial" if r.says("trial") else "active")


_FOUGHT = word_set("stage battle quest dungeon game_match level boss raid pvp chapter")


def _onces(order: EventOrder) -> set[str]:
    return {r.name for r in order.of(Kind.REGISTER, Kind.INSTALL)}
