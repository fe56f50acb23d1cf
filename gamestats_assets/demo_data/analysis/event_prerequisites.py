"""What must have happened to a user before an event can happen.

Prerequisites are added one by one; one that would contradict a sequence, or those found before, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.event_births import births, shares_a_thing, successes
from gamestats_assets.demo_data.analysis.event_chains import carriers
from gamestats_assets.demo_data.analysis.event_funnels import cart_rank, commits
from gamestats_assets.demo_data.analysis.event_kinds import GROUPS, EventKind, after_sale
from gamestats_assets.demo_data.analysis.event_lives import stages_before, taken_back
from gamestats_assets.demo_data.analysis.event_order import ALWAYS_ALLOWED, EventOrder, anchor
from gamestats_assets.demo_data.analysis.event_stages import onboarding_end
from gamestats_assets.demo_data.analysis.event_words import (
    ACTIONS,
    LOOKS,
    PHASES,
    PLAYABLE,
    Reading,
    concepts,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.analysis.measures import industry_of
from gamestats_assets.demo_data.taxonomies.value_rules import SharedCounter

Kind = EventKind

_ANONYMOUS = frozenset(
    {
        *(Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END, Kind.CRASH, Kind.GOODBYE),
        *(Kind.SEARCH, Kind.BROWSE, Kind.AD, Kind.EXPOSURE, Kind.REGISTER),
    }
)
"""Kinds of events that need no account."""
_EARLIER = {
    "levelup": "get draw recruit unlock create buy receive",
    "upgrade": "get draw recruit unlock create buy receive subscribe",
    "downgrade": "subscribe upgrade",
    "equip": "get draw create buy unlock receive",
    "unequip": "equip",
    "use": "get receive buy issue download claim unlock",
    "spend": "get recharge receive",
    "sell": "get buy create receive",
    "delete": "create add post write upload save register bookmark",
    "edit": "create add post write upload register set",
    "archive": "create add upload",
    "export": "create add upload import",
    "assign": "create add",
    "invite": "create join",
    "leave": "join create",
    "dissolve": "create join",
    "renew": "subscribe pay buy",
    "refund": "pay buy order book",
    "return": "buy order rent pay",
    "unfollow": "follow",
    "unlike": "like",
    "unbookmark": "bookmark",
    "disconnect": "connect add",
    "disable": "enable",
    "withdraw": "deposit",
    "repay": "disburse accept",
    "disburse": "accept request",
    "uninstall": "install",
    "comment": "",
    "publish": "create write",
    "post": "create",
    "sync": "connect add",
    "arrive": "ship deliver match_found",
    "rate": "complete",
    "donate": "complete",
    "pay": "accept",
    "revive": "die fail start",
    "retry": "fail start",
    "resume": "pause",
    "cancel": "book order subscribe enable register enroll request buy create start",
    "claim": "complete success achieve clear win done get receive",
    "complete": "create add start accept receive assign join enroll",
    "attend": "book order join enroll request",
    "board": "checkin book",
    "pickup": "assign match_found order",
    "achieve": "set create add",
    "done": "create add",
    "fail": "create add start",
    "accept": "request send receive invite",
    "reject": "request send receive invite",
    "add": "request",
    "join": "request",
    "unlock": "",
    "checkin": "book order",
    "checkout": "checkin",
    "close": "create open",
    "start": "create",
    "submit": "create start",
    "verify": "request send",
    "timeout": "issue get receive enable subscribe",
    "end": "start open enable create get use subscribe",
    "issue": "request accept buy",
}
"""By what is done, what must have been done before to the same thing, the likeliest first."""
_BEFOREHAND = LOOKS | {"request", "invite"}
"""What may be done before whatever else is."""


def _objects(r: Reading) -> frozenset[str]:
    """What is acted upon; deals such as orders and subscriptions are things as well."""
    nouns = r.topic & word_set("order pay book subscribe post trial buy loan comment review bookmark")
    rides = {"ride"} if r.things & {"driver"} else set()
    return (r.things | nouns | rides) or r.topic


class _Before:
    """What must have happened before each event; never in a circle, and never against a sequence."""

    def __init__(self, order: EventOrder, born: Mapping[str, Sequence[str]]) -> None:
        self.order = order
        self.found: dict[str, list[str]] = {}
        self._needs: dict[str, set[str]] = {}
        self._beside: dict[str, set[str]] = {}
        self._until = {r.name: _until(order, r).difference(born.get(r.name, ())) for r in order.readings.values()}
        for sequence in order.sequences:
            for step in sequence.steps:
                for event in step.events:
                    self._beside[event] = set(step.events)
            for before, step in zip(sequence.steps, sequence.steps[1:], strict=False):
                for event in step.events:
                    self._needs.setdefault(event, set()).update(before.events)

    def add(self, event: str, before: str) -> None:
        """Note a prerequisite, unless it is impossible or contradicts what is known."""
        kinds = self.order.kinds
        if event == before or before in self.found.get(event, []) or before in self._beside.get(event, set()):
            return
        if Kind.SYSTEM in (kinds[event], kinds[before]) or kinds[before] in (Kind.GOODBYE, Kind.CRASH):
            return
        if self._reaches(before, event) or before in self._until[event]:
            return
        self.found.setdefault(event, []).append(before)
        self._needs.setdefault(event, set()).add(before)

    def _reaches(self, start: str, goal: str) -> bool:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name == goal:
                return True
            if name not in seen:
                seen.add(name)
                waiting += self._needs.get(name, set())
        return False


_SOON = re.compile(
    r"\bbefore (?:the |a |an |its |their )?([a-z]+(?:[ -][a-z]+)?)"
    r"|(\S+?)(?:을|를|이|가)?\s(?:이전|전)(?:에|까지|의)?(?:\s|$)"
    r"|([^\s、。（(]{2,8}?)(?:の|する)?前(?:に|の|まで)"
)


def _until(order: EventOrder, r: Reading) -> set[str]:
    """Events that the text of another says come later: `cancelled before pickup`."""
    found: set[str] = set()
    for match in _SOON.finditer(order.taxonomy.event(r.name).description.lower()):
        phrase = next(filter(None, match.groups()))
        deeds = {word for word in concepts(phrase) if word in ACTIONS or word in PHASES}
        flat = re.sub(r"(?<=\w{4})(?:ed|s|al|y)\b|[ -]", "", phrase)
        for o in order.readings.values():
            spelt = "".join(re.sub(r"(?<=\w{3})(?:ed|s)$", "", piece) for piece in pieces(o.name))
            if o.name != r.name and (deeds & {o.action, o.phase} or (flat.isascii() and flat in spelt)):
                found.add(o.name)
    return found


def prerequisites(order: EventOrder) -> dict[str, list[str]]:
    """By event, what must have happened before it."""
    born = births(order)
    before = _Before(order, born)
    _by_sequence(order, before)
    _by_description(order, before)
    _by_life(order, before)
    _by_birth(order, before, born)
    _by_sign_up(order, before)
    _by_phase(order, before)
    _by_sale(order, before, born)
    _by_cart(order, before)
    _by_subscription(order, before)
    _by_money(order, before)
    _within_funnels(order, before, born)
    _by_group(order, before)
    _by_verb(order, before, born)
    _by_count(order, before)
    _by_learning(order, before)
    _by_first(order, before)
    _by_onboarding(order, before)
    _by_sight(order, before)
    return {name: before.found[name] for name in order.readings if name in before.found}


def _by_sequence(order: EventOrder, before: _Before) -> None:
    """The last step before that is one event, and the first one."""
    for sequence in order.sequences:
        for place, step in enumerate(sequence.steps[1:], 1):
            single = [s.events[0] for s in sequence.steps[:place] if len(s.events) == 1]
            single += step.follows[:1] if len(step.follows) == 1 else []
            for event in step.events:
                for earlier in dict.fromkeys((*single[-1:], *single[:1])):
                    before.add(event, earlier)


def _by_sign_up(order: EventOrder, before: _Before) -> None:
    registers = order.of(Kind.REGISTER)
    account = anchor([r for r in registers if not r.says("character")])
    character = anchor([r for r in registers if r.says("character")])
    install = anchor(order.of(Kind.INSTALL))
    login = next((r for r in order.of(Kind.SESSION_START) if r.says("login") and not r.says("character")), None)
    first_row = min((r.index for r in registers), default=0)
    on_the_way = _way_to(account, order) if account else []
    for r in on_the_way:
        if not r.fails and (r.says("trial") or order.kinds[r.name] is Kind.VERIFY):
            before.add(str(account and account.name), r.name)
    for r in order.readings.values():
        kind = order.kinds[r.name]
        if kind is Kind.REGISTER:
            if install:
                before.add(r.name, install.name)
            if account and r.says("character"):
                before.add(r.name, account.name)
            continue
        if r.says("logout") and login and not r.says("character"):
            before.add(r.name, login.name)
        if r in on_the_way:
            continue
        leaves = kind is Kind.GOODBYE and not r.says("uninstall")
        if leaves or r.says("login", "logout") or _needs_account(order, r, first_row):
            if account:
                before.add(r.name, account.name)
            needs_character = r.says("character") or (order.is_game and not r.says("login", "logout"))
            if character and needs_character and kind is not Kind.VERIFY and r.index > character.index:
                before.add(r.name, character.name)
    roles = {r.says("character") and r.says("login") and r.name for r in order.of(Kind.SESSION_START)} - {False}
    for r in order.of(Kind.SESSION_END):
        for role in sorted(map(str, roles)):
            if r.says("character"):
                before.add(r.name, role)


def _way_to(account: Reading, order: EventOrder) -> list[Reading]:
    """What the sheet files with a sign-up and above it: a code that is sent, a check, the request of a trial."""
    above = [r for r in order.readings.values() if r.index < account.index and r.tag and r.tag == account.tag]
    fixed = (Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END, Kind.REGISTER)
    proving = {"code", "phone", "mail", "verify", "trial", "terms", "consent"}
    return [r for r in above if order.kinds[r.name] not in fixed and proving & set(r.words)]


def _by_description(order: EventOrder, before: _Before) -> None:
    """What the description names as done."""
    for event, told in order.told.items():
        for mention in told:
            before.add(event, mention.event)


def _by_life(order: EventOrder, before: _Before) -> None:
    """Stages of what takes days come one after the other, and nothing is taken back before it was done."""
    for event, stage in stages_before(order).items():
        before.add(event, stage)
    for r in order.readings.values():
        for done in taken_back(order, r)[:1]:  # of several, the one that the sheet names first
            before.add(r.name, done.name)


def _by_birth(order: EventOrder, before: _Before, born: Mapping[str, Sequence[str]]) -> None:
    """Nothing happens to a thing before it is there; what is paid back has been paid."""
    for event, of_event in born.items():
        r = order.readings[event]
        if r.phase in ("accept", "reject") and _from_others(order, r):
            continue
        for birth in of_event:
            settled = successes(order, r, birth) if r.action in ("refund", "return") or r.says("refund") else []
            for o in settled[:1]:
                before.add(event, o.name)
            before.add(event, birth)


def _by_phase(order: EventOrder, before: _Before) -> None:
    """What ends, or is decided, has begun before, in whatever session."""
    fixed = (Kind.SESSION_START, Kind.SESSION_END, Kind.SYSTEM, Kind.ONBOARDING)
    rows = [r for r in order.readings.values() if r.place is not None and order.kinds[r.name] not in fixed]
    begun = [r for r in rows if not r.fails and ((r.place or 0) < 3 or r.phase == "submit") and r.phase != "accept"]
    for r in rows:
        if r.phase in ("accept", "reject") and _from_others(order, r):
            continue
        if (r.place or 0) >= 5 or r.phase in ("accept", "match_found"):
            same = [o for o in begun if o is not r and o.topic == r.topic and o.action == r.action]
            if same:
                before.add(r.name, same[0].name)
    # What is undone was done: `pass_unfrozen` after `pass_frozen`, `alarm_disarmed` after `alarm_armed`.
    spelt = {r.name.lower().replace("_", ""): r.name for r in order.readings.values()}
    for name in list(spelt):
        for undone in re.finditer("(?:un|dis|de)(?=[a-z]{4})", name):
            done = spelt.get(name[: undone.start()] + name[undone.end() :])
            if done:
                before.add(spelt[name], done)


_RECEIVED = re.compile(
    r"\b(?:received|incoming)\b|\b(?:by|from) (?:an)?other\b|\bsent (?:to|by)\b"
    r"|받은|수신한|들어온|届いた|受け取った|受信した|もらった"
)


def _from_others(order: EventOrder, r: Reading) -> bool:
    """Whether what is answered was asked by somebody else."""
    return bool(_RECEIVED.search(order.taxonomy.event(r.name).description.lower()))


def _needs_account(order: EventOrder, r: Reading, first_row: int) -> bool:
    kind = order.kinds[r.name]
    if kind is Kind.ONBOARDING:
        return r.index > first_row
    if order.is_game:
        return kind not in _ANONYMOUS or kind in (Kind.SEARCH, Kind.BROWSE)
    if kind in (Kind.BROWSE, Kind.SEARCH) and industry_of(order.product) in ("finance", "saas"):
        return bool(r.things) and not r.things & word_set(
            "plan premium paywall home product article content quote policy"
        )
    if kind is Kind.OTHER and r.says("update", "permission", "foreground", "background"):
        return False
    return kind not in _ANONYMOUS


def _by_sale(order: EventOrder, before: _Before, born: Mapping[str, Sequence[str]]) -> None:
    """What happens to what was bought, sent and delivered."""
    readings = list(order.readings.values())
    bought = _last_deal(order)
    sent = next(
        (r for r in readings if (r.action == "ship" or (r.says("deliver") and r.phase == "start")) and not r.fails),
        None,
    )
    arriving = [r for r in readings if r.says("deliver", "arrive") and after_sale(r) and r is not sent]
    arrived = anchor([r for r in arriving if r.succeeds or r.place is None])
    for r in order.of(Kind.AFTER_SALE):
        if r.action in ("rate", "review") and (played := _played(order, r)):
            before.add(r.name, played.name)
            continue
        apart = bool(born.get(r.name)) and bought and not shares_a_thing(order, r.name, bought.name)
        if bought and not apart and not r.things & {"ride", "driver", "appointment", "course", "lesson", "workout"}:
            before.add(r.name, bought.name)
        if sent and r.says("deliver", "arrive", "track", "return", "review") and r is not sent:
            before.add(r.name, sent.name)
        if arrived and r.says("return", "review", "rate", "exchange") and r is not arrived:
            before.add(r.name, arrived.name)


def _by_cart(order: EventOrder, before: _Before) -> None:
    """What is done with a cart into which something was put."""
    readings = list(order.readings.values())
    adds = next((r for r in readings if r.says("cart") and cart_rank(r) == 40), None)
    for r in readings:
        in_cart = order.kinds[r.name] is Kind.CART or (r.says("coupon") and r.action == "use")
        if adds and in_cart:
            before.add(r.name, adds.name)


_OF_SUBSCRIBERS = re.compile(
    r"\b(?:subscribers?|premium|paying|paid) ?(?:users?|members?|customers?|accounts?)? only\b"
    r"|\bonly (?:for|to) (?:\w+ )?(?:subscribers|premium|paying)"
    r"|(?:구독자|구독|유료|프리미엄)\s?(?:회원|고객)?\s?(?:전용|한정|만)"
    r"|(?:有料|プレミアム|サブスク)(?:会員|加入者|登録者)?(?:限定|専用|のみ)"
)


_PLANS = frozenset({"plan", "premium"})


def _by_subscription(order: EventOrder, before: _Before) -> None:
    """A trial that ends has begun; who renews, or does what is for subscribers, has subscribed or bought a plan."""
    readings = list(order.readings.values())
    trial = next((r for r in readings if r.says("trial") and not r.fails and r.phase not in ("end", "complete")), None)
    subscribed = anchor([r for r in readings if r.says("subscribe") and commits(r)])
    later = [r for r in order.of(Kind.SUBSCRIBE) if r.fails or r.action in ("renew", "upgrade", "downgrade")]
    if subscribed is None:
        later = [r for r in later if r.says("subscribe") or r.things & _PLANS]
        planned = {name for r in later for name in r.properties}
        begun = [
            o for o in readings if o.things & _PLANS and (o.action in ("enable", "join", "buy") or o.phase == "start")
        ]
        paid = order.of(Kind.PAY)
        alike = [o for o in paid if o.properties & planned] or (paid if len(paid) == 1 else [])
        subscribed = anchor(begun) or (anchor(alike) if later else None)
    for r in order.of(Kind.SUBSCRIBE):
        if trial and r is not trial and r.says("trial") and r.action not in _BEFOREHAND:
            before.add(r.name, trial.name)
        renews = r in later or subscribed in order.of(Kind.SUBSCRIBE)
        if subscribed and r is not subscribed and not r.says("trial") and not commits(r) and renews:
            before.add(r.name, subscribed.name)
    for event in order.taxonomy.events:
        if subscribed and later and _OF_SUBSCRIBERS.search(event.description.lower()):
            before.add(event.name, subscribed.name)


def _played(order: EventOrder, r: Reading) -> Reading | None:
    """Where things are watched or read, the event in which that is done to what is rated."""
    found = [
        o
        for o in order.readings.values()
        if o.index < r.index and order.kinds[o.name] in (Kind.CORE, Kind.BROWSE) and o.things & PLAYABLE and not o.fails
    ]
    alike = {o.name: sum(p.lower().endswith(("id", "no")) for p in o.properties & r.properties) for o in found}
    return max(found, key=lambda o: (alike[o.name], -o.index)) if any(alike.values()) else None


_EXTRAS = frozenset({Kind.OTHER, Kind.CORE, Kind.CREATE, Kind.CHECKOUT})


def _within_funnels(order: EventOrder, before: _Before, born: Mapping[str, Sequence[str]]) -> None:
    """What the sheet files between two steps of a purchase is done there: a seat, a coupon, a gift wrap."""
    taken = order.taken()
    for sequence in order.sequences:
        row = {event: order.readings[event].index for step in sequence.steps for event in step.events}
        place = {event: number for number, step in enumerate(sequence.steps) for event in step.events}
        if sequence.kind != "funnel" or not {order.kinds[event] for event in row} & {Kind.PAY, Kind.CHECKOUT}:
            continue
        for r in order.readings.values():
            above = max((event for event in row if row[event] < r.index), key=lambda event: row[event], default=None)
            below = min((event for event in row if row[event] > r.index), key=lambda event: row[event], default=None)
            if r.name in taken or order.kinds[r.name] not in _EXTRAS or not r.tag or not above or not below:
                continue
            if r.name in born or r.fails:
                continue  # what happens to a thing depends on the thing
            tags = {order.readings[above].tag, order.readings[below].tag}
            if place[above] < place[below] and r.tag in tags:
                before.add(r.name, above)


def _last_deal(order: EventOrder) -> Reading | None:
    paid = [r for r in order.of(Kind.PAY) if not r.says("subscribe")]
    last = [
        order.readings[event]
        for sequence in order.sequences
        if sequence.kind == "funnel"
        for event in sequence.steps[-1].events
        if not order.readings[event].fails
    ]
    return next((r for r in last if order.kinds[r.name] is Kind.PAY), None) or anchor(paid)


def _by_money(order: EventOrder, before: _Before) -> None:
    """Money moves after who moves it is known, and has a place to move it from."""
    readings = list(order.readings.values())
    known = [r for r in order.of(Kind.VERIFY) if not r.things & {"mail", "phone", "code"} and not r.fails]
    verified = anchor(known)
    method = next((r for r in readings if r.says("bankaccount", "paymethod") and r.action in ("add", "connect")), None)
    paid_in = anchor([r for r in readings if r.says("deposit", "recharge")])
    moves = order.of(Kind.MONEY)
    for r in moves:
        if verified:
            before.add(r.name, verified.name)
        if method:
            before.add(r.name, method.name)
        if paid_in and r.says("withdraw", "trade", "invest", "transfer", "buy", "stock"):
            before.add(r.name, paid_in.name)
    for r in known:
        submitted = next((o for o in known if o.phase == "submit"), None)
        if submitted and r.place is not None and r.place >= 5:
            before.add(r.name, submitted.name)


def _by_group(order: EventOrder, before: _Before) -> None:
    """Members of a group do what its members do."""
    for thing in sorted(GROUPS):
        found = [r for r in order.readings.values() if thing in r.things and not r.fails]
        created = next((r for r in found if r.action == "create"), None)
        joined = anchor([r for r in found if r.says("join")])
        own = thing in ("workspace",) or (thing == "team" and not order.is_game)
        entry = (created or joined) if own else (joined or created)
        for r in found:
            founder = r.action == "dissolve" and created
            if entry is None or r.says("create", "join") or r.action in _BEFOREHAND or r.phase in ("request", "accept"):
                continue
            before.add(r.name, created.name if founder and created else entry.name)
        if own and created:
            for r in order.readings.values():
                inside = r.things & {"project", "task", "document", "board", "channel", "dashboard"} or r.says("invite")
                if inside and r.index > created.index and r.action not in _BEFOREHAND - {"invite"}:
                    before.add(r.name, created.name)


def _by_verb(order: EventOrder, before: _Before, born: Mapping[str, Sequence[str]]) -> None:
    """What is done to a thing after it was made, got or begun."""
    readings = [r for r in order.readings.values() if order.kinds[r.name] is not Kind.SYSTEM]
    for r in readings:
        if order.kinds[r.name] in (Kind.SESSION_START, Kind.SESSION_END, Kind.REGISTER, Kind.CART):
            continue
        for verb in (r.action, r.phase):
            answers = verb in ("accept", "reject") and _from_others(order, r)
            for earlier in ["receive"] if answers else _EARLIER.get(verb or "", "").split():
                found = _doing(earlier, r, readings)
                below = found is not None and r.name in born and found.index > r.index
                if found is not None and not below:
                    before.add(r.name, found.name)
                    break
    for r in readings:  # other events about what a user makes come after it was made
        made = [o for o in readings if o.action == "create" and o.phase is None and o is not r]
        if r.action in _BEFOREHAND or r.action in ("create", "join") or r.phase in ("request", "accept"):
            continue
        for o in made:
            if o.things and o.things <= r.things and not o.things & {"character", "account", "user", *GROUPS}:
                before.add(r.name, o.name)


def _doing(verb: str, r: Reading, readings: Sequence[Reading]) -> Reading | None:
    about = _objects(r)
    found: list[tuple[int, int, Reading]] = []
    for o in readings:
        does = verb in (o.action, o.phase) or (
            verb in o.topic and o.phase in ("start", *_GOOD, None) and o.action is None
        )
        told = _objects(o) - {verb}
        deal = verb in ("subscribe", "order", "book", "buy", "pay", "post")
        if o is r or not does or (o.fails and verb != o.phase) or o.says("view", "list"):
            continue
        exact = _same_words(o, r, verb)
        if exact or (told and told <= about) or (deal and verb in about and o.phase != r.phase):
            found.append((not exact, o.index, o))
    return min(found, key=lambda candidate: candidate[:2])[2] if found else None


_GOOD = ("complete", "success", "done", "confirm")


_UNDOING = word_set("unfollow unlike unbookmark disconnect withdraw checkout disable unequip delete repay resume")


def _same_words(o: Reading, r: Reading, verb: str) -> bool:
    """`follow` and `unfollow`: the same but for what is done."""
    drop = {verb, r.action, r.phase}
    rest = set(o.words) - drop
    return rest == set(r.words) - drop and bool(rest or r.action in _UNDOING)


def _by_count(order: EventOrder, before: _Before) -> None:
    """Who shows the count of a stage is in one."""
    for sequence in order.sequences:
        head = order.readings[sequence.steps[0].events[0]]
        for event in order.taxonomy.events:
            counts = {prop.name.lower() for prop in event.properties if isinstance(prop.rule, SharedCounter)}
            if counts & head.topic and event.name not in order.taken():
                before.add(event.name, head.name)


_OPEN_TO_ALL = frozenset({Kind.BROWSE, Kind.SEARCH, Kind.CHECKOUT, Kind.PAY, Kind.PAY_FAIL, Kind.CART})


def _by_learning(order: EventOrder, before: _Before) -> None:
    """Lessons need an enrolment, certificates a course that was completed."""
    readings = list(order.readings.values())
    enrolled = anchor([r for r in readings if r.says("enroll")])
    learnt = {"lesson", "quiz", "assignment", "certificate", "course"}
    for r in readings:
        of_members = r.things & learnt and not r.says("enroll") and order.kinds[r.name] not in _OPEN_TO_ALL
        of_members = of_members and order.kinds[r.name] is not Kind.ONBOARDING
        if enrolled and of_members:
            before.add(r.name, enrolled.name)
        if r.things & {"quiz", "assignment"} and r.action not in _BEFOREHAND:
            taught = anchor([o for o in readings if "lesson" in o.things and o.succeeds and o.index < r.index])
            if taught:
                before.add(r.name, taught.name)
        if "course" in r.things and r.succeeds:
            taught = anchor([o for o in readings if "lesson" in o.things and o.succeeds])
            if taught:
                before.add(r.name, taught.name)
        if "certificate" in r.things:
            for thing in ("course", "quiz", "lesson"):
                done = anchor([o for o in readings if thing in o.things and o.succeeds])
                if done:
                    before.add(r.name, done.name)
                    break
    shown = next((r for r in order.of(Kind.AD) if r.action in ("show", "view")), None)
    for r in readings:
        if shown and r.says("revenue", "income") and order.kinds[r.name] is Kind.AD:
            before.add(r.name, shown.name)
    for r in readings:
        if r.action == "sweep":
            cleared = [o for o in readings if o.succeeds and any(p.endswith("id") for p in o.properties & r.properties)]
            if cleared:
                before.add(r.name, max(cleared, key=lambda o: len(o.properties & r.properties)).name)


def _by_first(order: EventOrder, before: _Before) -> None:
    """The first purchase is told when there is one."""
    for r in order.readings.values():
        if r.says("first") and order.kinds[r.name] not in ALWAYS_ALLOWED:
            for o in order.readings.values():
                if o is not r and set(o.words) == set(r.words) - {"first"}:
                    before.add(r.name, o.name)


def _by_sight(order: EventOrder, before: _Before) -> None:
    """What is done with a thing of those that are looked at, as its id and the rows tell, is done after a look."""
    later = {event for sequence in order.sequences for step in sequence.steps[1:] for event in step.events}
    for name, having in carriers(order, _UNSEEN).items() if not order.is_game else ():
        seen = next((r for r in having if r.action == "view" and r.place is None), None)
        if seen is None or not seen.topic & set(concepts(" ".join(pieces(name)[:-1]))):
            continue
        names = {r.name for r in having}
        for r in having:
            needed = names & set(before.found.get(r.name, ()))
            if r.index > seen.index and r.action not in LOOKS and r.name not in later and not needed:
                before.add(r.name, seen.name)


_UNSEEN = frozenset(
    {Kind.SYSTEM, Kind.AFTER_SALE, Kind.SHARE, Kind.EXPOSURE, Kind.AD, Kind.SUPPORT, Kind.SESSION_START}
)
"""Kinds of events by which one may come to a thing without a look at it in the app."""


def _by_onboarding(order: EventOrder, before: _Before) -> None:
    """The demanding parts of a product come after its introduction."""
    done = onboarding_end(order)
    for r in order.of(Kind.ADVANCED) if done else ():
        before.add(r.name, str(done))
