"""Finds evidence that one event comes before another, as edges of the graph with their confidence.

Descriptions name earlier events (`mentions`); phases of one topic follow each other; ids make the events that carry
them stages of one life; some deeds only follow others (`analyst_earlier.csv`, `analyst_usual.csv`); deals have their
usual way; and most events need an account.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from gamestats_assets.demo_data.analysis.graph import FIXED, Edge, EventOrder, anchor
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind, after_sale, deals
from gamestats_assets.demo_data.analysis.meaning.measures import industry_of
from gamestats_assets.demo_data.analysis.meaning.reading import (
    ACTIONS,
    GROUPS,
    PLAYABLE,
    SIGHTS,
    Reading,
    concepts,
    named_words,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.analysis.things import SHELVED, Lives, earlier, share, undoes
from gamestats_assets.demo_data.reference import rows
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo

Kind = EventKind

# --------------------------------------------------------------------------- words

_LASTING = named_words("lasting") | GROUPS
_PLANS = word_set("plan paywall premium")
_PROVING = word_set("code phone mail verify trial terms consent sms")
_SLOW = named_words("slow")


@functools.cache
def _usual() -> Sequence[tuple[frozenset[str], frozenset[str], str]]:
    """Returns the words of later events, those of their usual predecessors, and the kind of edge."""
    return [(word_set(row["later"]), word_set(row["earlier"]), row["kind"]) for row in rows("analyst_usual")]


def _filed(o: Reading, r: Reading) -> bool:
    """Whether the sheet files two events together."""
    return bool(o.tag) and o.tag == r.tag


def _above(o: Reading, r: Reading, rows: int) -> bool:
    """Whether an event stands at most a few rows above another."""
    return 0 < r.index - o.index <= rows


def order_of(taxonomy: Taxonomy, product: ProductInfo, *, is_game: bool) -> EventOrder:
    """Returns the events of a product with the graph of their order."""
    order = EventOrder(taxonomy, product, is_game)
    evidence = Evidence(order)
    order.lives = evidence.lives_of.found()
    order.partners = evidence.partners()
    order.join(evidence.edges())
    return order


class Evidence:
    """Finds the edges of a product's graph."""

    def __init__(self, order: EventOrder) -> None:
        self.order, self.readings, self.free = order, order.readings, order.free
        self.fast = industry_of(order.product) in ("food", "mobility")
        self.lives_of = Lives(order)

    def edges(self) -> Iterator[Edge]:
        """Yields all edges, in no order."""
        yield from self._named()
        yield from self._phases()
        for life in self.order.lives:
            yield from (self._edge(*stage) for stage in self.lives_of.stages(life))
        yield from self._by_spelling()
        yield from self._by_deed()
        yield from self._usually()
        yield from self._to_deals()
        yield from self._from_looks()
        yield from self._arrival()

    def _edge(self, after: Reading, before: Sequence[Reading], why: str, sure: float, kind: str = "") -> Edge:
        """Returns an edge: within a session, unless the later event takes its time or is unwelcome."""
        if "trouble" in after.flags and after.name not in self.order.partners:
            kind = "needs"
        kind = kind or ("needs" if self._is_slow(after, before[0]) else "next")
        return Edge(after.name, tuple(r.name for r in before), kind, why, sure)

    def _is_slow(self, after: Reading, before: Reading) -> bool:
        """Whether an event comes hours or days after another."""
        if self.fast:
            return False
        settled = before.phase in (None, "start", "complete", "success", "accept") and before.kind != Kind.CHECKOUT
        lasting = before.about & _LASTING and settled and not before.looks
        return bool(lasting or _SLOW & set(after.words))

    def _mentioned(self, r: Reading, *roles: str) -> set[str]:
        """Returns the events that a description names in these roles."""
        return {m.event for m in self.order.mentions.get(r.name, ()) if not roles or m.role in roles}

    # ----------------------------------------------------------------- events in descriptions

    def _named(self) -> Iterator[Edge]:
        for event, mentions in self.order.mentions.items():
            r = self.readings[event]
            for m in mentions:
                o = self.readings[m.event]
                if m.role == "instead" or (o.wrong and not m.by_name and r.phase == o.phase):
                    continue
                others = [self.readings[x.event] for x in mentions if x is not m]
                further = any(o.index < x.index and share(x, o) for x in others)  # itself a predecessor of another
                soon = (m.role == "after" or m.by_name) and not further and self._at_once(r, o, by_name=m.by_name)
                soon = m.role == "here" or ((m.role == "ongoing" or soon) and not self._is_slow(r, o))
                soon = soon and r.kind not in (Kind.ONBOARDING, Kind.REGISTER)
                why = f"the description names it: {m.phrase!r}"
                if soon:
                    yield self._edge(r, [o], why, m.confidence, "next")
                if m.role != "here" or not soon:
                    yield self._edge(r, [o], why, m.confidence, "needs")

    def _at_once(self, r: Reading, o: Reading, *, by_name: bool) -> bool:
        """Whether an event that a text names as done is the step just before."""
        if r.regrets or r.opinion or undoes(r):
            return False
        entered = o.phase in ("choose", "enter", "submit") and _above(o, r, 2 if o.tag == r.tag else 1)
        looks = (o.looks or o.action == "search") and (r.looks or r.phase == "choose") and o.tag == r.tag
        one = share(r, o) or (r.place is not None and bool(r.topic & o.topic) and r.action == o.action)
        one = one and _above(o, r, 4) and o.kind != Kind.VERIFY
        return (by_name and _above(o, r, 1)) or entered or (looks and _above(o, r, 3)) or one

    # ----------------------------------------------------------------- phases of one topic

    def _phases(self) -> Iterator[Edge]:
        """An end or decision follows a beginning: `payment_request`, then `payment_complete` or `payment_fail`."""
        for r in self.free:
            answers = r.phase in ("accept", "reject") and "received" in r.flags
            if r.place is None or r.phase in ("claim", "request", "queue", "attempt") or answers:
                continue
            same = [o for o in self.free if o is not r and self._one_process(o, r)]
            if r.place < 3:  # a ride that starts was requested, and its driver found
                waits = ("queue", "request", "attempt", "match_found")
                begun = [o for o in same if o.phase in waits and (o.place or 0) < r.place and o.tag == r.tag]
                begun = [o for o in begun if o.index < r.index]
                yield from (self._edge(r, [o], f"{o.phase} comes before {r.phase}", 0.57) for o in begun[-1:])
            else:
                yield from self._outcome(r, same)

    def _outcome(self, r: Reading, same: Sequence[Reading]) -> Iterator[Edge]:
        """Yields the edge from an event to the one that begins or decides its process."""
        place = r.place or 0
        begun = [o for o in same if (o.place or 9) < 3 or (o.phase == "submit" and place >= 5)]
        begun = [o for o in begun if not o.wrong and (o.place or 0) < place and o.phase != "accept"]
        outs = [o for o in same if o.place == 5 and o.phase != "pause" and o.topic == r.topic]
        if place == 6 and not r.wrong and not all(o.wrong for o in outs):
            yield self._edge(r, outs, "an end after every outcome", 0.82)
            return
        if not begun:
            read = [o for o in same if (o.looks or o.action == "play") and o.topic == r.topic and o.index < r.index]
            yield from (self._edge(r, [o], f"{r.phase} of what {o.name} begins", 0.62) for o in read[-1:])
            return
        mids = [o for o in same if 3 <= (o.place or 0) < min(5, place) and not {"optional", "repeated"} & o.flags]
        mids = [o for o in mids if not o.wrong and o.phase != "progress"]
        known = [o for o in [*mids, *begun] if o.index < r.index] or begun
        nearest = max(known, key=lambda o: (o.topic == r.topic or share(o, r) or o in mids, o.index))
        every = [
            o for o in begun if o.deeds == nearest.deeds and abs(o.index - nearest.index) <= 1 and share(o, nearest)
        ]
        alone = r.name not in self.order.partners
        lives = [life for life in self.order.lives if {r.name, nearest.name} <= {*life.events}]
        more = any(share(self.readings[n], r) for n in self._mentioned(r, "after", "needs") - {o.name for o in begun})
        if alone and ((r.wrong and more) or (r.regrets and lives)):
            return  # a text, or the life, is better evidence
        sure = 0.8 if nearest.topic == r.topic else 0.7
        if any(not self.lives_of.lies_there(self.readings[life.births[0]], [r]) for life in lives):
            sure = 0.58  # the rows between are better evidence
        why = f"{r.phase} of what {nearest.name} begins"
        yield self._edge(r, every or [nearest], why, sure, "needs" if r.regrets and alone else "")

    def _one_process(self, o: Reading, r: Reading) -> bool:
        if Kind.ONBOARDING in (o.kind, r.kind):
            return False
        if o.topic == r.topic and (o.action == r.action or not o.topic & ACTIONS):
            return True
        filed = _filed(o, r)
        within = bool(o.things & r.things) and (o.things <= r.things or r.things <= o.things)
        if filed and within and o.action == r.action and abs(o.index - r.index) <= 3 and not (o.ids and r.ids):
            return True
        if filed and o.index < r.index:  # the recipient of a transfer is chosen
            of_process = 3 <= (o.place or 0) < 5 and o.description & r.about
            begins = 3 <= (r.place or 0) < 5 and (o.place or 9) < 3 and r.description & o.about
            if of_process or begins:
                return True
        shared = [i for i in o.ids if i in r.ids and not {*concepts(" ".join(pieces(i)[:-1]))} & SHELVED]
        return bool(shared) and bool(o.about & r.about)

    def partners(self) -> dict[str, str]:
        """Returns by event of a failure the event of the success."""
        births = {event: {*life.births} for life in self.order.lives for event in life.events}
        found: dict[str, str] = {}
        for bad in self.free:
            wrong = any(o is not bad and o.wrong and abs(o.index - bad.index) <= 2 for o in self.free)
            if (bad.wrong or ("instead" in bad.flags and not wrong)) and bad.phase != "pause":
                decided = {o.name for o in self.free if (o.place or 0) >= 5 and o.topic == bad.topic}
                apart = births.get(bad.name, set()) - decided
                near = [o for o in self.free if o is not bad and o.name not in apart]
                scored = [(score, -abs(o.index - bad.index), o) for o in near if (score := self._opposite(bad, o)) > 0]
                if scored:
                    found[bad.name] = max(scored, key=lambda item: item[:2])[2].name
        return found

    def _opposite(self, bad: Reading, good: Reading) -> float:
        """Scores how surely one event is the success to the other's failure."""
        far = abs(good.index - bad.index)
        begins = good.place is not None and good.place < 5 and good.phase not in ("accept", "match_found")
        odd = good.wrong or good.looks or good.opinion or undoes(good) or good.phase == "pause" or far > 3 or begins
        apart = ("needs", "after", "here", "ongoing")
        named = good.name in self._mentioned(bad, *apart) or bad.name in self._mentioned(good, *apart)
        if odd or named or {"repeated", "during"} & good.flags:
            return 0
        paid = bad.kind == Kind.PAY_FAIL and good.kind in (Kind.PAY, Kind.SUBSCRIBE) and bad.tag == good.tag
        paid = paid and good.action not in ("renew", "upgrade", "downgrade")
        ids, instead = share(good, bad), "instead" in bad.flags | good.flags
        same = good.topic == bad.topic and good.action == bad.action
        if good.ids and bad.ids and not ids and not paid:
            return 0
        if bad.regrets and not (good.place is not None and (same or paid)) and not instead:
            return 0
        about = bool(good.about & bad.about) or not {*good.words}.isdisjoint(bad.words)
        written = good.name in self._mentioned(bad, "instead") or bad.name in self._mentioned(good, "instead")
        decided = good.place is not None or good.action == "verify" or good.kind in (Kind.PAY, Kind.SUBSCRIBE)
        if not (about or paid or written or (ids and far == 1)) or not (decided or instead or ids):
            return 0
        return 2.0 * written + decided + 1.5 * same + 0.5 * about + 0.5 * ids + paid

    # ----------------------------------------------------------------- deeds that follow others

    def _by_spelling(self) -> Iterator[Edge]:
        """`pass_unfrozen` after `pass_frozen`, `lot_unwatched` after `lot_watched`, `clock_out` after `clock_in`."""
        spelt = {"".join(pieces(r.name)): r for r in self.free}
        for name, r in spelt.items():
            ways = [name[: m.start()] + name[m.end() :] for m in re.finditer("(?:un|dis|de)(?=[a-z]{4})", name)]
            for off, on in (("off", "on"), ("out", "in")):
                ways.append("".join(on if piece == off else piece for piece in pieces(r.name)))
            for done in (spelt[way] for way in ways if way in spelt and way != name):
                yield self._edge(r, [done], "its name takes the other back", 0.85, "needs")

    def _by_deed(self) -> Iterator[Edge]:
        """Deeds that need an earlier deed on the same thing."""
        for r in self.free:
            answers = "received" in r.flags and r.phase in ("accept", "reject")
            for deed in () if answers else [d for d in (r.phase, r.action) if d and d in earlier()]:
                if r.looks and deed == r.action:
                    continue
                others = [(o, _did(o, r, deed)) for o in self.free if o is not r]
                found = [(*score, -abs(o.index - r.index), o) for o, score in others if score]
                if found:
                    best = max(found, key=lambda item: item[:3])[3]
                    why = f"{deed} comes after {best.action or best.phase} of the same thing"
                    yield self._edge(r, [best], why, 0.6, "needs")
                    break

    def _usually(self) -> Iterator[Edge]:
        """The usual order of words, by `analyst_usual.csv`; and members have joined their group."""
        on_the_way = (Kind.REGISTER, Kind.SESSION_START, Kind.ONBOARDING)
        users = [r for r in self.readings.values() if r.kind != Kind.SYSTEM and r.name not in self.order.legacy]
        exposed = (Kind.AD, Kind.EXPOSURE, Kind.SHARE)
        known = [o for o in users if (o.kind not in FIXED or o.kind in on_the_way) and not o.wrong]
        done = [o for o in known if o.phase != "request" and (not o.looks or o.action == "search")]
        known = [o for o in known if o.kind in exposed or o in done]
        for r in users:
            words = {*r.words, r.kind}
            for later, sooner, kind in _usual():
                found = [o for o in known if sooner <= {*o.words} and not later <= {*o.words, o.kind}]
                if later <= words and found and not (r.wrong and kind == "next"):
                    best = max(found, key=lambda o: (o.succeeds, o.tag == r.tag, o.index < r.index, -o.index))
                    yield self._edge(r, [best], f"{' '.join(sorted(later))} usually follows it", 0.53, kind)
                    break
        for r in self.free:
            own, described = r.things & GROUPS, r.description & GROUPS
            described = described if not self.order.is_game and r.action not in ("join", "request") else frozenset()
            comes = own and r.action in ("join", "create", "view", "search", "list")
            if comes or not (own or described) or r.phase in ("request", "accept") or r.looks:
                continue
            joined = [o for o in self.free if o.things & (own or described) and o.action in ("join", "create")]
            joined = [o for o in joined if not o.wrong and o.phase != "request" and o is not r]
            joined.sort(key=lambda o: (o.action != "join", o.index))
            yield from (self._edge(r, [o], f"{o.name} makes a member", 0.6, "needs") for o in joined[:1])

    # ----------------------------------------------------------------- the usual ways to a deal

    def _to_deals(self) -> Iterator[Edge]:
        """Things are put into the cart, which is viewed, checked out and paid."""
        carts = any(r.kind == Kind.CART for r in self.free)
        stage = {r.name: rank for r in self.free if (rank := self._deal_stage(r)) is not None}
        for name, rank in stage.items():
            r = self.readings[name]
            below = [self.readings[o] for o, of in stage.items() if of < rank]
            below = [o for o in below if _one_deal(o, r, carts=carts) and not o.wrong and "optional" not in o.flags]
            if below and not (r.regrets and not share(r, below[0])):
                best = max(below, key=lambda o: (stage[o.name], share(o, r), o.index < r.index, o.index))
                yield self._edge(r, [best], f"the way from {best.name} to the deal", 0.58, "next")

    def _deal_stage(self, r: Reading) -> float | None:
        """Returns how far along the way to a deal an event is, 4 to 7; None if it is not on it."""
        if after_sale(r) or undoes(r):
            return None
        if r.kind == Kind.CART:
            adds = r.action == "add" or (r.action in (None, "save", "click", "get") and r.phase is None)
            return 4 if adds else 5 if r.action in ("view", "list") or r.phase in ("open", "enter") else None
        if r.kind == Kind.CHECKOUT:
            if r.says("checkout") or r.phase in ("start", "attempt", "request", "open", "launch"):
                return 6 + (r.step or 0) / 100
            filled = r.phase in ("choose", "enter", "submit") or r.action in ("add", "set")
            return 6.5 + r.index / 1e4 if filled else None
        if r.kind == Kind.CORE and r.phase in ("enter", "submit") and not self.order.is_game:
            later = [o for o in self.free if o.tag == r.tag and o.kind in (Kind.CHECKOUT, Kind.PAY)]
            return 5.5 if any(o.index > r.index for o in later) and "during" not in r.flags else None
        dealt = r.kind in (Kind.PAY, Kind.PAY_FAIL) and deals(r) and not r.regrets
        begun = r.kind == Kind.SUBSCRIBE and r.action in ("subscribe", None) and r.says("subscribe")
        return 7 if dealt or (begun and r.phase in (None, "start", "complete", "success")) else None

    def _from_looks(self) -> Iterator[Edge]:
        """Events on a thing come after the view of it, if they have no better predecessor."""
        mine = {life.identifier for life in self.order.lives if not life.public}
        shown = [r for r in self.free if r.kind == Kind.BROWSE or r.looks or r.kind == Kind.GACHA]
        shown = [r for r in shown if not r.wrong and (r.place or 0) < 5]
        shown = [r for r in shown if r.kind != Kind.GACHA or r.looks or r.phase in ("open", "enter")]
        apart = (Kind.AFTER_SALE, Kind.SUPPORT, Kind.ONBOARDING, Kind.REGISTER)
        for r in self.free:
            other = r.wrong or undoes(r) or r.opinion or r.action in ("edit", "receive", "issue", "export")
            if other or r.kind in apart:
                continue
            above = [(_leads(o, r, mine), o.index, o) for o in shown if o.index < r.index]
            score, _, best = max(above, key=lambda item: item[:2], default=(0, 0, r))
            if score >= (2 if (r.place or 0) >= 5 else 1):
                yield self._edge(r, [best], f"{best.name} shows what it is done with", 0.52)

    # ----------------------------------------------------------------- arrival of users

    def _arrival(self) -> Iterator[Edge]:
        """Install, then the account, then the character, then the introduction; most things need an account."""
        order, registers = self.order, self.order.of(Kind.REGISTER)
        account = anchor([r for r in registers if not r.says("character")])
        character = anchor([r for r in registers if r.says("character")])
        users = [r for r in order.readings.values() if r.kind not in (Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE)]
        way: list[Reading] = []
        if account is not None:  # steps that the sheet files above it, such as a sent code
            way = [r for r in users if _PROVING & {*r.words} and r.kind not in (Kind.REGISTER, Kind.SESSION_START)]
            way = [r for r in way if r.index < account.index and (_filed(r, account) or r.index > registers[0].index)]
            yield from (self._edge(account, [r], "filed as a step to it", 0.56, "needs") for r in way if not r.wrong)
            earlier = [o for o in registers if (o.place or 5) < (account.place or 5)]
            yield from (self._edge(account, [o], "a step of the sign-up", 0.7, "needs") for o in earlier)
            if (install := anchor(order.of(Kind.INSTALL))) is not None:
                yield self._edge(account, [install], "installed before", 0.5, "needs")
        for first, why in ((account, "it needs an account"), (character, "it needs a character")):
            if first is None or (first is character and not order.is_game):
                continue
            for r in users:
                if r is first or r.name in order.legacy:
                    continue
                if r.kind == Kind.REGISTER:
                    if r.says("character") and first is account:
                        yield self._edge(r, [first], "a step of the sign-up", 0.7, "needs")
                elif r.kind == Kind.ONBOARDING and r.index > first.index:
                    yield self._edge(r, [first], "the introduction follows the sign-up", 0.55, "needs")
                elif self._needs_account(r, registers) and r not in way and (first is account or r.index > first.index):
                    yield self._edge(r, [first], why, 0.5, "needs")

    def _needs_account(self, r: Reading, registers: Sequence[Reading]) -> bool:
        if r.kind == Kind.ONBOARDING:
            return r.index > min((o.index for o in registers), default=0)
        if r.kind == Kind.GOODBYE or r.says("login", "logout"):
            return not r.says("uninstall")
        open_to_all = (Kind.SESSION_START, Kind.SESSION_END, Kind.CRASH, Kind.AD, Kind.EXPOSURE)
        closed = industry_of(self.order.product) in ("finance", "saas")
        for_all = word_set("plan premium paywall home product article content quote policy")
        closed = self.order.is_game or (closed and bool(r.things) and not r.things & for_all)
        looks = r.kind in (Kind.BROWSE, Kind.SEARCH, Kind.OTHER) and not closed
        return r.kind not in open_to_all and not looks


def _did(o: Reading, r: Reading, deed: str) -> tuple[float, int] | None:
    """Scores an event as the earlier deed on the same thing; None if it is none."""
    before, back = earlier()[deed]
    done = [n for n, word in enumerate(before) if word in o.deeds]
    if not done and (o.phase is None or o.succeeds or o.phase == "start"):
        done = [n for n, word in enumerate(before) if word in o.topic]
    if not done or ((o.wrong or o.phase == "request") and o.phase not in before):
        return None
    theirs = o.topic - ACTIONS or o.topic
    nouns = (r.topic - {deed} - ACTIONS or r.topic - {deed}) | (r.topic & _DEALT)
    nouns -= {deed}
    alike = len(nouns & (theirs | o.topic)) if nouns else int(o.action in r.topic or o.topic == r.topic)
    alike = alike or int(not nouns and not o.things and not r.things)
    shared = bool(o.ids) and o.ids[0] in r.ids
    if not alike and not (shared and (not nouns or (o.index < r.index and back and not o.looks))):
        return None
    score = alike - 0.3 * len(theirs - nouns - ACTIONS) + 0.5 * shared
    return score + 0.2 * (o.index < r.index) + 0.2 * (o.tag == r.tag), -done[0]


_DEALT = named_words("dealt")
"""Deeds that are things as well."""


def _one_deal(o: Reading, r: Reading, *, carts: bool) -> bool:
    """Whether two events are steps of the same deal."""
    bare = not (o.tag or r.tag or o.ids or r.ids)
    pays = _filed(o, r) and _above(o, r, 3) and r.kind in (Kind.PAY, Kind.PAY_FAIL, Kind.CHECKOUT)
    if share(o, r) or (bare and (carts or _above(o, r, 3))) or pays:
        return True
    if carts and not o.things & r.things and r.kind != Kind.SUBSCRIBE:
        return (o.kind in (Kind.CART, Kind.CHECKOUT) and not r.ids) or o.says("cart", "checkout") or r.tag == o.tag
    return bool((o.things & r.things) - {"product"}) or (_filed(o, r) and o.says("checkout", "cart"))


def _leads(o: Reading, r: Reading, mine: set[str]) -> float:
    """Scores how surely a view leads to an event on the viewed thing."""
    coarse = o.says("list", "searchresult", "category", "shop", "restaurant", "hotel", "home") and not r.says("list")
    clicked = r.action == "click" and o.topic == r.topic
    if r.looks and not coarse and not clicked:
        return 0
    things = o.things & r.things & (SIGHTS | PLAYABLE | {"tournament", "room"})
    things = things or (not r.looks and (o.about >= r.about or o.topic == r.topic))
    shelved = any(i in r.ids and i not in mine for i in o.ids)
    shop = o.says("shop") and (_filed(o, r) or r.says("shop"))
    sold = r.kind in (Kind.SUBSCRIBE, Kind.PAY, Kind.CHECKOUT, Kind.SPEND) and (o.things & _PLANS or shop)
    sold = sold or (r.kind == Kind.CART and r.action == "add" and o.things & SIGHTS)
    return 2.0 * shelved + bool(things) + 1.2 * bool(sold) + clicked + 0.3 * (o.tag == r.tag)
