"""Which events follow each other within a session, found as a person would find them in the sheet.

An onboarding, funnels that end in a purchase or a subscription, processes that begin and have an outcome,
advertisements that are requested, shown and clicked, searches that lead to what is then looked at. An event is in one
sequence at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gamestats_assets.demo_data.event_kinds import GROUPS, SIGHTS, EventKind, after_sale, deals
from gamestats_assets.demo_data.event_order import EventOrder
from gamestats_assets.demo_data.event_words import Reading, word_set
from gamestats_assets.demo_data.rules import EventSequence, Step
from gamestats_assets.demo_data.taxonomy import Event, PropertyType
from gamestats_assets.demo_data.value_rules import Between, Counter

Kind = EventKind

_LONG_LIVED = frozenset(
    {"friend", "subscribe", "trial", "season", "deliver", "ship", "follow", "account", "gift", *GROUPS}
)
"""What lasts longer than a session: its end is no step after its beginning."""
_EXPOSED = ("ad", "share", "push", "banner", "mail", "campaign")
_PLANS = frozenset({"plan", "paywall", "premium"})
_PLAYABLE = word_set(
    "video music content episode article course lesson chapter workout quiz stream live podcast book_content"
)
# How many of those who did the step before go on, by how far along the way to a purchase a step is.
_CONVERSION = (
    (23, 0.8), (26, 0.75), (30, 0.7), (33, 0.65), (35, 0.55), (40, 0.32), (45, 0.75), (50, 0.62), (58, 0.88), (62,
    0.84), (70, 0.86),
    (100, 0.95),
)  # fmt: skip


def find_sequences(order: EventOrder) -> None:
    """Note the sequences of a product in its order."""
    _onboarding(order)
    _deals(order)
    _exposures(order)
    _processes(order)
    _discoveries(order)


# --------------------------------------------------------------------------- onboarding


def _onboarding(order: EventOrder) -> None:
    """A sign-up in several steps, then what introduces new users; a sign-up of one event needs no sequence."""
    sign_up = [r for r in order.of(Kind.REGISTER) if not r.says("character")]
    several = len(sign_up) > 1 and any(r.place is not None and r.place < 5 for r in sign_up)
    steps = _steps_in_order(sign_up, probability=0.93) if several else []
    near = [r.index for r in sign_up]
    contact = [
        r
        for r in order.of(Kind.VERIFY)
        if near and r.things & {"mail", "phone", "code"} and abs(r.index - near[-1]) <= 3 and not r.fails
    ]
    intro = order.of(Kind.ONBOARDING)
    done = next((r.index for r in sign_up if r.succeeds), None)
    for r in contact if several else ():
        early = done is not None and r.index < done
        steps.insert(len(steps) - 1 if early else len(steps), Step(events=[r.name], probability=0.9, after_s=40))
    steps += _introduction(order, intro)
    if steps:
        order.add("onboarding", "onboarding", steps)


def _introduction(order: EventOrder, intro: Sequence[Reading]) -> list[Step]:
    if len(intro) == 1:
        event = order.taxonomy.event(intro[0].name)
        return [Step(events=[event.name], probability=0.95, repeats=_repeats(event), after_s=45)]
    staged = [r for r in intro if r.place is not None]
    plain = [r for r in intro if r.place is None]
    begins = [r for r in plain if staged and r.index < staged[0].index]
    ends = [r for r in plain if r not in begins]
    steps = [_single(r, 0.95) for r in begins]
    for step in _steps_in_order(staged, probability=0.96):
        event = order.taxonomy.event(step.events[0])
        counts = len(step.events) == 1 and order.readings[event.name].step is None and _counts_steps(event)
        steps.append(step.model_copy(update={"repeats": _repeats(event)}) if counts else step)
    return [*steps, *(_single(r, 0.9) for r in ends)]


def _single(r: Reading, probability: float, after_s: float = 40) -> Step:
    return Step(events=[r.name], probability=probability, after_s=after_s)


def _counts_steps(event: Event) -> bool:
    return any(_is_step(prop.name, prop.alias) for prop in event.properties if prop.type is PropertyType.NUMBER)


def _is_step(name: str, alias: str) -> bool:
    return "step" in name.lower() or "단계" in alias or "ステップ" in alias


def _repeats(event: Event) -> int:
    """How many steps a tutorial has whose event tells the number of the step."""
    for prop in event.properties:
        if _is_step(prop.name, prop.alias):
            if isinstance(prop.rule, Counter) and prop.rule.max is not None:
                steps = (prop.rule.max - prop.rule.start) / (prop.rule.step or 1)
                return int(min(max(steps, 1), 100))
            if isinstance(prop.rule, Between):
                return int(min(max(prop.rule.max - prop.rule.min + 1, 1), 100))
            if prop.type is PropertyType.NUMBER:
                return 5
    return 1


# --------------------------------------------------------------------------- processes


def _steps_in_order(found: Iterable[Reading], *, probability: float = 0.95) -> list[Step]:
    """Steps of a process by how far along they are; outcomes are alternatives."""
    found = list(found)
    has_success = any(r.succeeds or r.phase in ("end", "close", "result") for r in found)
    decided = has_success or any(r.phase in ("accept", "reject") for r in found)
    outcome_names = {r.name for r in found if _is_outcome(r, has_success=has_success, decided=decided)}
    if any(r.succeeds and r.phase != "confirm" for r in found):
        outcome_names -= {r.name for r in found if r.phase == "confirm"}
    if not any(r.name in outcome_names and (r.succeeds or r.phase == "accept") for r in found):
        # What merely ends is then the good outcome.
        outcome_names |= {r.name for r in found if r.place == 6} if outcome_names else set()
    places: dict[float, list[Reading]] = {}
    for r in found:
        place = 5.0 if r.name in outcome_names else 4.5 if r.phase == "confirm" else r.place
        if place is not None and (place < 7 or any(o.succeeds for o in found)):
            places.setdefault(place, []).append(r)
    steps: list[Step] = []
    for place in sorted(places):
        at = sorted(places[place], key=lambda r: r.index)
        if place == 5:
            steps.append(_outcomes(at, probability))
        elif 3 <= place < 4:
            steps += [Step(events=[r.name], probability=0.95, after_s=30) for r in at]
        else:
            steps.append(Step(events=[r.name for r in at], probability=0.95 if place < 7 else 0.85, after_s=10))
    return steps


def _is_outcome(r: Reading, *, has_success: bool, decided: bool) -> bool:
    if r.phase in ("accept", "submit") and r.step is None:
        return not (has_success if r.phase == "accept" else decided)
    return r.place == 5 or (r.fails and r.place is not None)


def _outcomes(found: Sequence[Reading], probability: float) -> Step:
    """Success, failure or an interruption; good outcomes are the more frequent ones."""
    weights = [_outcome_weight(r) for r in found]
    good = [r for r in found if not r.fails and r.phase != "pause"]
    bad = len(found) - len(good)
    scaled = [w / (len(good) if r in good else bad) for w, r in zip(weights, found, strict=True)] if good else weights
    return Step(
        events=[r.name for r in found],
        weights=[round(w, 3) for w in scaled] if len(found) > 1 else [],
        probability=0.97 if bad else probability,
        after_s=90,
    )


def _outcome_weight(r: Reading) -> float:
    if not r.fails and r.phase != "pause":
        return 0.7
    if r.says("pay", "transfer", "deposit", "withdraw", "login", "register", "verify", "order", "book"):
        return 0.1
    return {"skip": 0.12, "cancel": 0.15, "pause": 0.3, "timeout": 0.1, "reject": 0.25}.get(r.phase or "", 0.3)


def _key(r: Reading) -> frozenset[str]:
    """What a process is about."""
    about = r.things or r.topic
    return (about - {"reward", "result"}) or about


def _process_place(r: Reading, others: Sequence[Reading]) -> bool:
    """Whether an event can be a part of a process."""
    if r.place is not None:
        return True
    return (
        r.action == "play"
        or (r.action in ("join", "leave") and bool(_key(r) & {"room", "game_match", "live"}))
        or (not r.things and any(o is not r and o.topic == r.topic and o.fails for o in others))
    )


def _processes(order: EventOrder) -> None:
    """What begins, goes on and ends: fights, lessons, workouts, uploads, ..."""
    free = [r for r in order.free() if not _key(r) & _LONG_LIVED and order.kinds[r.name] not in _NO_PROCESS]
    staged = [r for r in free if _process_place(r, free)]
    clusters: list[list[Reading]] = []
    for r in staged:
        home = next((c for c in clusters if any(_same(r, other) for other in c)), None)
        if home is None:
            clusters.append([r])
        else:
            home.append(r)
    _join_loose_ends(clusters)
    for cluster in clusters:
        taken = order.taken()  # by an earlier process, within which it stands
        _process(order, [_as_step(r) for r in cluster if r.name not in taken], free)


_NO_PROCESS = frozenset({Kind.REGISTER, Kind.ONBOARDING, Kind.CRASH, Kind.GOODBYE, Kind.AFTER_SALE, Kind.SUBSCRIBE})


def _as_step(r: Reading) -> Reading:
    """An event that tells no phase, where it has a natural one: to play is to start."""
    if r.place is not None:
        return r
    return replace(r, phase={"play": "start", "join": "enter", "leave": "exit"}.get(r.action or "", "attempt"))


def _same(a: Reading, b: Reading) -> bool:
    if _key(a) == _key(b):
        return True
    return bool(a.alias_topic) and a.alias_topic == b.alias_topic and a.place is not None and b.place is not None


def _join_loose_ends(clusters: list[list[Reading]]) -> None:
    """A beginning without an end, and an end without a beginning whose thing is a part of the other's."""
    for cluster in clusters:
        if not _begins(cluster) or _ends(cluster):
            continue
        for other in clusters:
            loose = other is not cluster and _ends(other) and not _begins(other)
            if loose and any(_key(a) < _key(b) or _key(b) < _key(a) for a in cluster for b in other):
                cluster += other
                other.clear()
                break


def _begins(cluster: Sequence[Reading]) -> bool:
    return any((p := _as_step(r).place) is not None and p < 3 for r in cluster)


def _ends(cluster: Sequence[Reading]) -> bool:
    return any(r.place is not None and 3.9 < r.place < 7 for r in cluster)


def _process(order: EventOrder, cluster: Sequence[Reading], free: Sequence[Reading]) -> None:
    numbered = [r for r in cluster if r.step is not None and r.place is not None]
    if not ((_begins(cluster) and (_ends(cluster) or len({r.place for r in cluster}) > 1)) or len(numbered) > 1):
        return
    told = [r for r in cluster if r.phase != "resume"]
    taken = order.taken()
    views = [
        r
        for r in free
        if r.place is None and r.action == "view" and r.name not in taken and any(_key(r) == _key(c) for c in told)
    ]
    steps = _steps_in_order(told)
    if len(steps) < 2 and not (steps and views):
        return
    steps = _with_inner(order, told, steps, [r for r in free if r not in views])
    head = [Step(events=[r.name for r in views])] if views and not order.is_game else []
    name = "_".join(sorted(_key(cluster[0]))) or "process"
    order.add(name, "sequence", [*head, *(s.model_copy(update={"after_s": _pace(cluster, s)}) for s in steps)])


def _pace(cluster: Sequence[Reading], step: Step) -> float:
    """Seconds until an outcome: what is exercised, played or watched takes longer than what is filled in."""
    if step.after_s != 90:
        return step.after_s
    long = {"workout", "sleep", "video", "lesson", "course", "quiz", "ride", "meal", "episode", "raid", "game_match"}
    return 420 if any(_key(r) & long for r in cluster) else 120 if step.weights else 60


def _with_inner(order: EventOrder, told: Sequence[Reading], steps: list[Step], free: Sequence[Reading]) -> list[Step]:
    """Rows between the first and the last of a process that share its own properties are a part of it."""
    rows = [r.index for r in told]
    if max(rows) - min(rows) > 8:
        return steps
    names = {r.name for r in told}
    taken = order.taken() | names
    own = _particular(order, frozenset().union(*(r.properties for r in told)))
    words = frozenset().union(*(_key(r) for r in told))
    inner = [r for r in free if min(rows) < r.index < max(rows) and r.name not in taken]
    inner = [r for r in inner if not r.fails and order.kinds[r.name] in _INNER]
    related = {r.name for r in inner if _key(r) & words or r.properties & own}
    more = _particular(order, frozenset().union(*(r.properties for r in inner if r.name in related)))
    inner = [r for r in inner if r.name in related or r.properties & more]
    if not inner or len(steps[-1].events) > 1:
        return steps
    between = [Step(events=[r.name], probability=0.9, after_s=30) for r in sorted(inner, key=lambda r: r.index)]
    return [*steps[:-1], *between, steps[-1]]


_INNER = frozenset({Kind.CORE, Kind.OTHER, Kind.GROWTH, Kind.SPEND, Kind.BROWSE, Kind.ADVANCED})


def _particular(order: EventOrder, names: frozenset[str]) -> frozenset[str]:
    """Properties that few events have."""
    most = max(4, len(order.readings) // 6)
    return frozenset(n for n in names if sum(n in r.properties for r in order.readings.values()) <= most)


# --------------------------------------------------------------------------- deals


def _deals(order: EventOrder) -> None:
    """Funnels that end in a purchase, an order, a booking, an enrolment or a subscription."""
    ranks = {r.name: rank for r in order.free() if (rank := _deal_rank(r, order)) is not None}
    group_of = {name: _deal_group(order.readings[name], ranks[name], ranks, order) for name in ranks}
    for group in ("money", "shop", "subscribe", "trade"):
        chosen = [order.readings[name] for name in ranks if group_of[name] == group]
        _funnel(order, group, chosen, ranks)


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
    if r.says("address") and (r.phase in ("enter", "submit", "choose", "confirm") or r.action in ("add", "set")):
        return 56
    if r.says("paymethod"):
        return None if r.action in ("delete", "edit") or r.fails else 60
    return _commit_rank(r, order) if commits(r) else _sight_rank(r, order)


_NO_DEAL = frozenset({Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.ONBOARDING})


def cart_rank(r: Reading) -> float | None:
    """40 puts something into the cart, 45 looks into it; None does something else with it."""
    if r.action == "add" or (r.action in (None, "save", "click") and r.phase is None) or r.action == "get":
        return 40
    return 45 if (r.action in ("view", "list") or r.phase in ("open", "enter")) and not r.fails else None


def commits(r: Reading) -> bool:
    """Whether an event is a deal, or the beginning of one: a purchase, a booking, an enrolment, a subscription."""
    if r.says("renew", "upgrade", "downgrade", "trial", "levelup", "restore", "resume"):
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
    subscribed = [o for o in commits if o.says("subscribe") and not o.says("pay", "buy", "order")]
    carts = any(40 <= at < 62 for at in ranks.values())
    bought = [o for o in commits if o not in soft and o not in subscribed and (o.says("buy") or not o.says("pay"))]
    apart = bool(subscribed) and (carts or bool(bought))
    if r in soft or (soft and rank < 40 and any(r.things & o.things for o in soft)):
        return "shop"
    if r in subscribed or (subscribed and (r.things & _PLANS or (r.says("subscribe") and rank < 40))):
        return "subscribe"
    if subscribed and not apart:
        return "" if rank < 40 and (r.things & _PLAYABLE or rank <= 23) else "subscribe"
    return "money"


def _funnel(order: EventOrder, group: str, chosen: Sequence[Reading], ranks: dict[str, float]) -> None:
    commits = [r for r in chosen if ranks[r.name] >= 40]
    if not commits:
        return
    buckets: dict[float, list[Reading]] = {}
    for r in chosen:
        rank = ranks[r.name]
        buckets.setdefault(20 if rank <= 22 else rank, []).append(r)
    if not any(40 <= rank < 56 or rank in (62, 66) for rank in buckets):
        for rank in (56, 60):  # an address or a card that is added by itself is no step of a purchase
            buckets.pop(rank, None)
    failures = buckets.pop(70.5, [])
    if 75 in buckets and not any(rank for rank in buckets if 62 <= rank < 75):
        buckets[70] = buckets.pop(75)
    _settle_unrelated(buckets)
    if len(buckets) + bool(failures) < 2:
        return
    steps: list[Step] = []
    before = 0.0
    last = max((rank for rank in buckets if rank >= 62), default=None)
    target = _paid_step(buckets, failures, last)
    for rank in sorted(buckets):
        found = sorted(buckets[rank], key=lambda r: r.index)
        probability = 0.35 if group == "shop" and rank >= 62 else _conversion(rank, before)
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
    if len(steps) > 1:
        order.add(_funnel_name(group, commits), "funnel", steps)


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
        kept = [r for r in found if (r in strong if strong else not r.things & (_PLAYABLE - {"course"}))]
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


def _conversion(rank: float, before: float) -> float:
    if rank >= 62 and before < 40:
        return 0.15 if before else 1.0
    if rank >= 50 and before <= 45:
        return 0.5
    return next(share for upto, share in _CONVERSION if rank <= upto)


def _pause(rank: float) -> float:
    return 25 if rank < 40 else 45


# --------------------------------------------------------------------------- advertisements, notifications, shares


def _exposures(order: EventOrder) -> None:
    """What is requested or sent, then shown, then clicked."""
    for thing in _EXPOSED:
        places: dict[float, list[Reading]] = {}
        for r in order.free():
            if r.says(thing) and (place := _exposure_place(r, thing)) is not None:
                places.setdefault(place, []).append(r)
        if len(places) < 2:
            continue
        if 4 in places and 3 in places:
            places[4] += places.pop(3)
        steps = []
        for place in sorted(places):
            at = sorted(places[place], key=lambda r: r.index)
            weights = [_exposure_weight(r) for r in at]
            chance = {1: 0.95, 2: 0.92, 2.5: 0.15, 3: 0.12, 4: 0.9, 5: 0.85, 6: 0.25}.get(place, 1.0)
            if any(r.fails or r.phase == "close" for r in at):
                chance = 0.95
            steps.append(
                Step(
                    events=[r.name for r in at], weights=weights if len(at) > 1 else [], probability=chance, after_s=12
                )
            )
        order.add(thing, "funnel", steps)


def _exposure_place(r: Reading, thing: str) -> float | None:
    """0 asked for or sent, 1 loaded or received, 2 shown, 3 clicked, 4 seen to the end, 5 rewarded, 6 installed."""
    if r.says("revenue", "income", "spend", "setting", "permission", "delete", "pay", "buy"):
        return None
    if r.says("install", "register") or (thing == "share" and r.says("join", "visit")):
        return 6
    rewarded = r.says("reward") and r.action in (None, "get", "receive") and r.phase in (None, "success")
    if r.phase == "claim" or rewarded:
        return 5 if thing in ("ad", "share") else None
    if r.says("click"):
        return 3
    if r.phase in ("complete", "success", "done", "end"):
        return 4
    if r.phase in ("close", "skip", "exit") or r.fails:
        return 4 if thing == "ad" and not r.says("request") else 3 if thing != "ad" else None
    if thing == "share":
        return 0 if r.action in ("share", None) else None
    if r.phase == "open":
        return 3 if thing != "ad" else 2
    if r.action in ("show", "view", "play") or r.phase == "start":
        return 2
    if r.says("load") or (r.action == "receive" and thing in ("push", "campaign")):
        return 1
    return 0 if r.phase in ("request", "attempt") or r.action == "send" else None


def _exposure_weight(r: Reading) -> float:
    if r.fails or r.phase == "close":
        return 0.5
    return 0.15 if r.says("click") or r.phase == "open" else 0.7


# --------------------------------------------------------------------------- from a search to what is found


def _discoveries(order: EventOrder) -> None:
    """A search leads to what is looked at, and that to what is played, read or learnt."""
    if order.is_game:
        return
    free = order.free()
    searches = [r for r in free if order.kinds[r.name] is Kind.SEARCH and not r.says("searchresult")]
    browsed = [r for r in free if order.kinds[r.name] is Kind.BROWSE]
    lists = [r for r in browsed if r.says("list", "home") or r.things == {"feed"}]
    views = [r for r in browsed if r.things & SIGHTS and r not in lists]
    views = [r for r in views if r.action in ("view", "click", "visit") or r.phase in ("open", "choose")]
    first = [Step(events=[r.name for r in (*searches, *lists)])] if searches else []
    middle = [Step(events=[r.name for r in views[:3]], probability=0.7, after_s=25)] if views else []
    target = next((s for s in order.sequences if s.kind == "sequence" and _plays(order, s)), None)
    views_things = {thing for r in views for thing in r.things}
    if target is not None and middle and not _views_first(order, target):
        about = {thing for event in target.steps[0].events for thing in order.readings[event].things}
        if views_things & _PLAYABLE or views_things & about or not about:
            order.sequences.remove(target)
            rest = [target.steps[0].model_copy(update={"probability": 0.6, "after_s": 15}), *target.steps[1:]]
            order.add(target.name, "sequence", [*first, *middle, *rest])
            return
    if target is not None and first and _views_first(order, target):
        order.sequences.remove(target)
        order.add(
            target.name,
            "sequence",
            [*first, target.steps[0].model_copy(update={"probability": 0.7}), *target.steps[1:]],
        )
        return
    if first and middle:
        order.add("discovery", "funnel", [*first, *middle])


def _plays(order: EventOrder, sequence: EventSequence) -> bool:
    heads = [order.readings[event] for step in sequence.steps[:2] for event in step.events]
    return any(r.action == "play" or r.says("play") or r.things & _PLAYABLE for r in heads)


def _views_first(order: EventOrder, sequence: EventSequence) -> bool:
    return order.readings[sequence.steps[0].events[0]].action == "view"
