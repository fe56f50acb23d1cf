"""Funnels: the ways to a purchase, an order, a booking, an enrolment or a subscription, as names tell them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence, Set

from gamestats_assets.demo_data.analysis.event_chains import (
    Chain,
    identifiers_of,
    lead,
    outcomes_of,
    takes_days,
)
from gamestats_assets.demo_data.analysis.event_kinds import SIGHTS, EventKind, after_sale, deals
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import PLAYABLE, Reading, concepts, pieces, word_set
from gamestats_assets.demo_data.analysis.measures import industry_of
from gamestats_assets.demo_data.rules.model import Step

Kind = EventKind

_PLANS = frozenset({"plan", "paywall", "premium"})
# How many of those who did the step before go on, by how far along the way to a purchase a step is.
_CONVERSION = (
    (23, 0.8), (26, 0.75), (30, 0.7), (33, 0.65), (35, 0.55), (40, 0.2), (45, 0.75), (48, 0.12), (50, 0.62), (58, 0.88),
    (62, 0.84), (70, 0.86), (100, 0.95),
)  # fmt: skip
_EAGERNESS = {"food": 0.6, "mobility": 0.5, "travel": 1.5}
"""Of an industry: an exponent of these shares; who is hungry decides soon, who travels compares."""


def find_funnels(order: EventOrder, chains: Sequence[Chain] = ()) -> None:
    """Funnels that end in a purchase, an order, a booking, an enrolment or a subscription, and lives that go on then.

    Args:
        chains: lives of things; what they say of the order of events counts for more than words.
    """
    later = {e for c in chains for e in c.members - {c.birth} if _comes_later(order, c, e)}
    ranks = {r.name: rank for r in order.free() if r.name not in later and (rank := _deal_rank(r, order)) is not None}
    group_of = {name: _deal_group(order.readings[name], ranks[name], ranks, order) for name in ranks}
    lived = {group_of.get(chain.birth) for chain in chains if len(chain.steps) > 1}
    groups = ("money", "shop", "subscribe", "trade")
    _of_groups(order, [g for g in groups if g in lived], group_of, ranks, chains)
    for chain in chains:
        if not chain.events & order.taken():
            _chain_alone(order, chain, later)
    _of_groups(order, [g for g in groups if g not in lived], group_of, ranks, chains)


def _comes_later(order: EventOrder, chain: Chain, event: str) -> bool:
    """Whether a life has an event later on; the purchase of what was only asked for is a deal of its own."""
    if chain.lasts or _comes_days_later(order, chain, event):
        return _comes_days_later(order, chain, event)
    r, birth = order.readings[event], order.readings[chain.birth]
    ends = order.kinds[event] in (Kind.PAY, Kind.PAY_FAIL, Kind.CHECKOUT) and not r.succeeds
    lives = len(chain.steps) > 1 and not chain.events & order.taken()
    lives = lives or not any(order.kinds[e] is Kind.CHECKOUT for e in chain.members)
    return lives or deals(birth) or not ends


def _comes_days_later(order: EventOrder, chain: Chain, event: str) -> bool:
    return takes_days(order.taxonomy.event(event), order.readings[chain.birth].properties)


def _of_groups(
    order: EventOrder,
    groups: Sequence[str],
    group_of: dict[str, str],
    ranks: dict[str, float],
    chains: Sequence[Chain],
) -> None:
    for group in groups:
        taken = order.taken()
        chosen = [order.readings[name] for name in ranks if group_of[name] == group and name not in taken]
        chosen = [r for r in chosen if not _comes_of_a_deal(order, r, {o.name for o in chosen})]
        for deals_of in _kinds_of_deals(order, chosen, ranks):
            _funnel(order, group, deals_of, ranks, chains)


def _comes_of_a_deal(order: EventOrder, r: Reading, chosen: Set[str]) -> bool:
    """Whether texts tell that an event follows what a deal leads to: who holds a policy enrols."""
    before = {m.event for m in order.told.get(r.name, ()) if not m.here} - chosen
    return any(m.event in chosen - {r.name} for event in before for m in order.told.get(event, ()))


def _chain_alone(order: EventOrder, chain: Chain, later: Set[str]) -> None:
    """A life that no funnel leads to, after what the sheet tells to come before it."""
    stages = [order.readings[event] for step in chain.steps for event in step.events]
    dealt = [r for r in stages if deals(r) or r.says("recharge")]
    of_one_thing = bool(frozenset.intersection(*(r.topic for r in stages)))
    leads = lead(order, chain.birth, order.taken() | later | chain.events)
    birth = order.readings[chain.birth]
    phased = birth.place is not None or birth.index > min(order.readings[name].index for name in chain.members)
    if len(chain.steps) < 2 or (of_one_thing and phased and not dealt and not leads):
        return  # what merely begins and ends is a process
    head = [Step(events=[name], probability=0.6, after_s=25) for name in leads]
    begun = chain.steps[0].model_copy(update={"probability": 0.5 if leads else 1.0, "after_s": 30})
    name = _funnel_name("money", dealt) if dealt else "_".join(pieces(chain.identifier)[:-1])
    order.add(name, "funnel" if leads or dealt else "sequence", [*head, begun, *chain.steps[1:]])


def _kinds_of_deals(order: EventOrder, chosen: Sequence[Reading], ranks: dict[str, float]) -> list[list[Reading]]:
    """Deals about different things, such as a class and a coach, are no steps of one way; a payment is of any."""
    clusters: list[tuple[set[str], list[Reading]]] = []
    for r in chosen:
        things = {word for word in r.things if not word.endswith("ed")}  # `payment_authorised`: what is done to it
        if ranks[r.name] < 62 or not things:
            continue
        home = next((c for c in clusters if c[0] & things), None)
        if home is None:
            clusters.append((things, [r]))
        else:
            home[0].update(things)
            home[1].append(r)
    if len(clusters) < 2:
        return [list(chosen)]
    specific = {r.name for _, found in clusters for r in found}
    ids = [{name for r in found for name in identifiers_of(order, r.name)} for _, found in clusters]
    of_cluster = [
        [*found, *(r for r in chosen if ranks[r.name] < 40 and (r.things & words or of & r.properties))]
        for (words, found), of in zip(clusters, ids, strict=True)
    ]
    placed = specific | {r.name for found in of_cluster for r in found}
    return [[r for r in chosen if r.name not in placed], *of_cluster]


def _deal_rank(r: Reading, order: EventOrder) -> float | None:
    """How far along the way to a deal an event is, 10 to 75; None is not on it."""
    if after_sale(r) or r.says("first") or order.kinds[r.name] in _NO_DEAL:
        return None
    if order.kinds[r.name] is Kind.MONEY:
        return (
            (72 if r.place is None or r.succeeds else None)
            if r.says("stock") and r.action in ("buy", "order")
            else None
        )
    if r.says("subscribe") and r.action in ("view", "click"):
        return 28
    if r.says("cart"):
        return cart_rank(r)
    if r.says("checkout") and not any(other.says("checkin") for other in order.readings.values()):
        if r.fails:
            return 70.5
        return 75 if r.place is not None and r.place >= 5 else 52 + r.step if r.step else 50
    fills_in = r.phase in ("enter", "submit", "complete") or r.action in ("add", "set", "save")
    if fills_in and r.things & _WHO and not order.is_game:
        return 55
    if r.says("address") and (fills_in or r.phase in ("choose", "confirm")) and _beside_a_deal(r, order):
        return 56
    if r.says("paymethod"):
        return None if r.action in ("delete", "edit") or r.fails else 60
    if commits(r):
        return _commit_rank(r, order) if _is_deed(r, order) else None
    return _sight_rank(r, order)


def _is_deed(r: Reading, order: EventOrder) -> bool:
    """Whether a deal is what is done, and not who may do it: `Undone (subscribers only)`."""
    event = order.taxonomy.event(r.name)
    named = {*concepts(event.name), *concepts(event.alias)}
    said = {*concepts(re.sub(r"[(（][^)）]*[)）]", " ", event.description))}
    return bool(set(r.words) & named & _DEED_WORDS) or bool(set(r.words) & said & _DEED_WORDS)


_DEED_WORDS = word_set("buy pay order book rent subscribe enroll donate job")


_NO_DEAL = frozenset({Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.ONBOARDING, Kind.SUPPORT, Kind.SETTING})
_WHO = frozenset({"passenger", "traveler", "traveller", "guest", "contact", "attendee"})
"""Who a booking is for."""


def _beside_a_deal(r: Reading, order: EventOrder) -> bool:
    """Whether the sheet files an event where it files checkouts and deals."""
    deals_of = [o for o in order.readings.values() if order.kinds[o.name] in (Kind.PAY, Kind.CHECKOUT) and o is not r]
    return not r.tag or any(o.tag == r.tag for o in deals_of)


def cart_rank(r: Reading) -> float | None:
    """40 puts something into the cart, 45 looks into it; None does something else with it."""
    if r.action == "add" or (r.action in (None, "save", "click") and r.phase is None) or r.action == "get":
        return 40
    return 45 if (r.action in ("view", "list") or r.phase in ("open", "enter")) and not r.fails else None


def commits(r: Reading) -> bool:
    """Whether an event is a deal, or the beginning of one: a purchase, a booking, an enrolment, a subscription."""
    if r.says("renew", "upgrade", "downgrade", "trial", "levelup", "restore", "resume") or r.action == "import":
        return False
    if r.says("subscribe"):
        return r.phase != "cancel" and r.phase != "pause" and not r.says("view", "list", "push", "mail", "edit")
    if r.says("enroll") and not r.says("cancel", "view"):
        return True
    job = r.says("job") and r.phase in ("request", "submit")
    return (deals(r) and not r.says("deposit", "withdraw", "loan", "skill")) or job


def _commit_rank(r: Reading, order: EventOrder) -> float:
    if r.fails:
        return 70.5
    begins = r.place is not None and r.place < 4.5
    complete = r.phase in ("complete", "confirm", "success", "pass")
    pays = [o for o in order.readings.values() if o.says("pay") and not o.fails and o.name != r.name and deals(o)]
    if r.says("subscribe"):
        finished = any(o.says("subscribe") and o.succeeds for o in order.readings.values())
        if r.phase == "start" and not finished:
            begins = False
        return 64 if begins else 71
    if r.says("enroll"):
        return 62 if begins else 71 if not pays or r.index > pays[0].index else 48
    if r.says("pay"):
        return 60 if r.action == "view" else 65 if begins else 70
    if r.says("order", "book", "rent") and not r.says("buy"):
        if begins or (r.action == "create" and pays):
            return 62
        if r.phase in ("done", None):
            return 66 if pays and r.index < pays[-1].index else 70
        return 75 if pays and complete else 70
    return 65 if begins else 72


def _sight_rank(r: Reading, order: EventOrder) -> float | None:
    if outcomes_of(order, r):
        return None  # what is read or watched is not on the way to a deal
    if not order.is_game and r.action == "view" and _is_dealt_in(r, order):
        return 30
    sights = r.things & SIGHTS
    looks = r.action in ("view", "list", "visit", "read", "click", "show") or r.phase in ("enter", "open", "choose")
    if order.is_game:
        sights &= {"product", "item", "shop", "package", "plan", "paywall", "premium", "deal", "offer"}
    if r.says("list") and looks and not order.is_game and (sights or r.things <= {"list", "product"}):
        return 20 if r.things <= {"category", "list"} or "category" in r.name.lower() else 23
    if r.says("search") and r.action == "search" and r.phase is None and not order.is_game:
        return 20
    if r.says("searchresult") and looks:
        return 23
    if r.says("quote") and r.phase == "request":
        return 26
    if not looks or r.fails or r.says("review", "bookmark", "like", "coupon", "write", "history", "order", "push"):
        return None
    if r.says("home") and not order.is_game:
        return 20
    if not sights:
        return None
    if sights & _PLANS:
        return 28 if r.phase != "choose" else 35
    if r.action == "click" or r.phase == "choose":
        seen_later = any(
            o.action == "view" and o.things & sights and o.index > r.index for o in order.readings.values()
        )
        return 29 if seen_later else 33
    return 26 if sights <= {"shop", "restaurant", "hotel", "brand", "category"} and _finer(r, order) else 30


def _is_dealt_in(r: Reading, order: EventOrder) -> bool:
    """Whether what is looked at has the id of what is bought."""
    ids = set(identifiers_of(order, r.name))
    return any(ids & o.properties and commits(o) and o.place is None and _is_deed(o, order) for o in order.of(Kind.PAY))


def _finer(r: Reading, order: EventOrder) -> bool:
    """Whether others look at what is inside of what this one looks at."""
    inside = {"product", "item", "menu", "room", "goods", "food"}
    return (
        r.things <= {"category", "brand"}
        or any(
            o.things & inside and o.name != r.name and (o.action in ("view", "click") or o.phase in ("choose", "open"))
            for o in order.readings.values()
        )
        or any(o.says("shop") and o.says("buy") for o in order.readings.values())
    )


def _deal_group(r: Reading, rank: float, ranks: dict[str, float], order: EventOrder) -> str:
    """Which of the funnels an event belongs to: real money, the shop of a game, a subscription."""
    commits = [order.readings[name] for name, at in ranks.items() if at >= 62]
    soft = [o for o in commits if order.kinds[o.name] is Kind.SPEND]
    if r.things & {"stock"}:
        return "trade"
    subscribed = [o for o in commits if o.says("subscribe") and not o.says("pay", "order")]
    carts = any(order.readings[name].says("cart") for name in ranks)
    bought = [o for o in commits if o not in soft and o not in subscribed and (o.says("buy") or not o.says("pay"))]
    apart = bool(subscribed) and (carts or bool(bought))
    if r in soft or (soft and rank < 40 and any(r.things & o.things for o in soft)):
        return "shop"
    if r in subscribed or (subscribed and (r.things & _PLANS or (r.says("subscribe") and rank < 40))):
        return "subscribe"
    if subscribed and not apart:
        return "" if rank < 40 and (r.things & PLAYABLE or rank <= 23) else "subscribe"
    return "money"


def _funnel(
    order: EventOrder, group: str, chosen: Sequence[Reading], ranks: dict[str, float], chains: Sequence[Chain]
) -> None:
    """Note the way to some deals, if there is one: events by rank, without what is no step of it."""
    taken = order.taken()
    begun = {c.birth: c for c in chains if len(c.steps) > 1 and not c.events & taken}
    chain = next((begun[r.name] for r in chosen if r.name in begun), None)
    if chain is not None:  # other deals are not on the way to this one
        on_the_way = [r for r in chosen if ranks[r.name] < 62 or ranks[r.name] == 70.5]
        chosen = [r for r in chosen if r.name == chain.birth or (r in on_the_way and r.name not in chain.events)]
        ids = set(identifiers_of(order, chain.birth))
        told = [order.readings[m.event] for m in order.told.get(chain.birth, ()) if not m.here]
        if any(ids & r.properties and r not in chosen for r in told):
            chosen = [r for r in chosen if ranks[r.name] >= 40]  # it comes of something else than a look
    commits = [r for r in chosen if ranks[r.name] >= 40]
    if not commits:
        return
    buckets: dict[float, list[Reading]] = {}
    for r in chosen:
        rank = ranks[r.name]
        buckets.setdefault(20 if rank <= 22 else rank, []).append(r)
    if not any(40 <= rank < 55 or rank in (62, 66) for rank in buckets):
        for rank in (56, 60):  # an address or a card that is added by itself is no step of a purchase
            buckets.pop(rank, None)
    failures = buckets.pop(70.5, [])
    paid = [r for r in chosen if ranks[r.name] >= 62]
    placed = {r.name for found in buckets.values() for r in found}
    fulfilled = _fulfilment(order, paid, placed) if group == "money" and chain is None else []
    if chain is not None:
        fulfilled, failures = _failing(order, chain.steps[1:], failures)
    failures = [r for r in failures if not any(r.name in step.events for step in fulfilled)]
    _from_a_search(buckets)
    if 75 in buckets and not any(rank for rank in buckets if 62 <= rank < 75):
        buckets[70] = buckets.pop(75)
    _alternatives(buckets)
    if any(24 <= rank < 40 for rank in buckets) and any(outcomes_of(order, r) for r in order.of(Kind.BROWSE)):
        for rank in (20, 23):  # people search for what they read or watch, deals come by the way
            buckets.pop(rank, None)
    _settle_unrelated(buckets)
    if len(buckets) + bool(failures) < 2:
        return
    steps = _deal_steps(order, group, buckets, failures)
    if len(steps) > 1:
        order.add(_funnel_name(group, commits), "funnel", [*steps, *fulfilled])


def _deal_steps(
    order: EventOrder, group: str, buckets: dict[float, list[Reading]], failures: Sequence[Reading]
) -> list[Step]:
    """Steps of a funnel, and how many take each; the deal may fail."""
    steps: list[Step] = []
    before = 0.0
    last = max((rank for rank in buckets if rank >= 62), default=None)
    target = _paid_step(buckets, failures, last)
    for rank in sorted(buckets):
        found = sorted(buckets[rank], key=lambda r: r.index)
        probability = 0.35 if group == "shop" and rank >= 62 else _conversion(rank, before, industry_of(order.product))
        if rank == target and failures:
            everything = [*found, *failures]
            weights = [0.9 / len(found)] * len(found) + [0.1 / len(failures)] * len(failures)
            steps.append(
                Step(
                    events=[r.name for r in everything],
                    weights=[round(w, 4) for w in weights],
                    probability=max(probability, 0.9) if before >= 50 else probability,
                    after_s=25,
                )
            )
        else:
            steps.append(Step(events=[r.name for r in found], probability=probability, after_s=_pause(rank)))
        before = rank
    return steps


def _failing(order: EventOrder, steps: Sequence[Step], failures: Sequence[Reading]) -> tuple[list[Step], list[Reading]]:
    """Stages with failures that do not carry the id of the thing; and the failures that are of none of them."""
    found: list[Step] = []
    left = list(failures)
    for step in steps:
        own = [r for r in left if r.topic == order.readings[step.events[0]].topic]
        left = [r for r in left if r not in own]
        if own:
            weights = step.weights or [1.0]
            more = {"events": [*step.events, *(r.name for r in own)], "weights": [*weights, *(0.1 for _ in own)]}
            step = step.model_copy(update=more)
        found.append(step)
    return found, left


def _alternatives(buckets: dict[float, list[Reading]]) -> None:
    """Deals about one thing, none of which is the beginning of another: to rent it, or to buy it."""
    ranks = sorted(rank for rank in buckets if rank >= 62)
    for a, b in itertools.pairwise(ranks):
        both = [*buckets[a], *buckets[b]]
        apart = len({r.action for r in both}) > 1 and not any(r.place is not None or r.says("pay") for r in both)
        about = {r.topic - {str(r.action)} for r in both}
        if apart and len(about) == 1 and about != {frozenset()}:
            buckets[b] = both
            del buckets[a]


def _from_a_search(buckets: dict[float, list[Reading]]) -> None:
    """A result that is clicked comes after a search, not after other ways of looking around."""
    clicked = [r for r in buckets.get(23, []) if r.says("searchresult")]
    searches = [r for r in buckets.get(20, []) if r.says("search")]
    if clicked and searches:
        buckets[20], buckets[23] = searches, clicked


_FULFILLED = (
    (("accept", "reject"), 120),
    (("cook", "prepare", "ready"), 300),
    (("match_found", "assign"), 240),
    (("pickup",), 420),
    (("ship", "depart"), 300),
    (("deliver", "arrive", "dropoff"), 900),
)
"""What happens to an order that is brought at once, and after how many seconds."""


def _fulfils(r: Reading) -> set[str]:
    """What an event tells of an order's way; a delivery that begins is on it, and not at its end."""
    if r.says("review", "donate", "view"):
        return set()
    told = {*r.words, *(word for word in (r.phase, r.action) if word)}
    return (told - {"deliver"}) | {"depart"} if r.says("deliver") and r.phase == "start" else told


def _fulfilment(order: EventOrder, ordered: Sequence[Reading], before: Set[str]) -> list[Step]:
    """How an order without an id is taken, carried and handed over, where that is a matter of minutes."""
    if industry_of(order.product) not in ("food", "mobility") or not ordered:
        return []
    about = frozenset({"driver", "ride", "order", "deliver", "restaurant", "food"}).union(*(r.things for r in ordered))
    free = [r for r in order.free() if set(r.words) & about and r.name not in before]
    free = [r for r in free if r.phase not in ("cancel", "request", "submit")]
    steps: list[Step] = []
    for words, after_s in _FULFILLED:
        found = [r for r in free if set(words) & _fulfils(r) and not any(r.name in step.events for step in steps)]
        if not any(not r.fails for r in found):
            continue
        weights = [0.06 if r.fails else 0.94 for r in found]
        steps.append(
            Step(
                events=[r.name for r in found],
                weights=weights if len(found) > 1 else [],
                probability=0.98,
                after_s=after_s,
            )
        )
    return steps


def _funnel_name(group: str, commits: Sequence[Reading]) -> str:
    if group != "money":
        return {"shop": "shop", "subscribe": "subscription"}.get(group, group)
    names = {"pay": "purchase", "buy": "purchase", "order": "order", "book": "booking", "enroll": "enrolment"}
    said = [word for r in commits for word in r.words]
    return next((name for word, name in names.items() if word in said), "purchase")


def _settle_unrelated(buckets: dict[float, list[Reading]]) -> None:
    """Of what is looked at, what is sold, or shares its id with the deal; what is merely played is no part of it."""
    dealt = [r for rank, found in buckets.items() if rank >= 40 for r in found]
    ids = {p for r in dealt for p in r.properties if p.lower().endswith("id")}
    words = {word for r in dealt for word in r.things}
    ranks = [rank for rank in buckets if 24 <= rank < 40]
    seen = {rank: buckets.pop(rank) for rank in ranks}
    strong = [r for f in seen.values() for r in f if r.properties & ids or r.things & (words | _SOLD | _PLANS)]
    for rank, found in seen.items():
        kept = [r for r in found if (r in strong if strong else not r.things & (PLAYABLE - {"course"}))]
        related = [r for r in kept if r.properties & ids or r.things & words]
        if kept:
            buckets[rank] = related or kept
    if not any(24 <= rank < 56 for rank in buckets) and not {"order", "book"} & {w for r in dealt for w in r.words}:
        for rank in (20, 23):  # nothing leads from a search to the deal
            buckets.pop(rank, None)


_SOLD = word_set(
    "product item goods menu food room flight course ticket property job policy quote hotel restaurant shop stock"
)


def _paid_step(buckets: dict[float, list[Reading]], failures: Sequence[Reading], last: float | None) -> float | None:
    """The step that can fail: where the words of the failure are used, else the last one."""
    words = {
        word for r in failures for word in r.words if word in ("pay", "order", "book", "subscribe", "buy", "checkout")
    }
    named = [
        rank
        for rank, found in buckets.items()
        if rank >= 62 and rank not in (64, 65) and any(r.says(*words) for r in found)
    ]
    return max((r for r in named if r not in (62, 66)), default=max(named, default=last)) if failures else None


def _conversion(rank: float, before: float, industry: str) -> float:
    if not before:
        return 1.0
    if rank >= 62 and before < 40:
        share = 0.15
    elif rank >= 50 and before <= 45:
        share = 0.5
    else:
        share = next(share for upto, share in _CONVERSION if rank <= upto)
    return round(share ** _EAGERNESS.get(industry, 1), 3)


def _pause(rank: float) -> float:
    return 25 if rank < 40 else 45
