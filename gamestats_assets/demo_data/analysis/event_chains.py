"""The lives of the things that users deal with: rides, orders, quotes, payments, fights.

Events that carry the same id (`ride_id`, `Shipment_Id`, `주문_id`), which neither every event nor the user has, are
stages of the life of one thing. They happen in the order of the sheet, corrected by their phases and by what their
descriptions say; what fails, is refused or cancelled ends the life instead of one of the stages. Of what takes days
only the part that happens at once is a chain.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from gamestats_assets.demo_data.analysis.event_kinds import EventKind, deals
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import LOOKS, Reading, concepts, pieces, spelt_out, word_set
from gamestats_assets.demo_data.analysis.measures import industry_of, rule_of
from gamestats_assets.demo_data.rules.model import Step
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between

Kind = EventKind

_ID = frozenset({"id", "uuid", "guid", "아이디"})
_NUMBER = frozenset({"no", "nr", "num", "number", "ref", "번호", "番号"})


@dataclass(frozen=True)
class Chain:
    """The life of a thing with an id.

    Attributes:
        identifier: name of the property.
        birth: the event that brings the thing into being.
        members: all events with the id.
        steps: the part of the life that happens at once, the birth first; alone where there is none.
        lasts: whether the thing lies there from its birth on, such as a task or a match.
    """

    identifier: str
    birth: str
    members: frozenset[str]
    steps: tuple[Step, ...]
    lasts: bool = False

    @property
    def events(self) -> set[str]:
        """What happens at once."""
        return {event for step in self.steps for event in step.events}


def is_identifier(prop: Property) -> bool:
    """Whether a property tells which one of many things an event is about; numbers that count are none."""
    words = pieces(prop.name)
    if len(words) < 2 or prop.type not in (PropertyType.STRING, PropertyType.NUMBER):
        return False
    return words[-1] in _ID or (words[-1] in _NUMBER and prop.type is PropertyType.STRING)


def identifiers_of(order: EventOrder, name: str) -> tuple[str, ...]:
    """Names of an event's ids that say more than who the user is."""
    taxonomy = order.taxonomy
    of_user = {prop.name for prop in (*taxonomy.common_properties, *taxonomy.user_properties)}
    return tuple(
        prop.name for prop in taxonomy.event(name).properties if is_identifier(prop) and prop.name not in of_user
    )


def carriers(order: EventOrder, but: Set[EventKind] = frozenset()) -> dict[str, list[Reading]]:
    """By id, the events that carry it, without those of some kinds."""
    found: dict[str, list[Reading]] = {}
    for r in order.readings.values():
        for name in identifiers_of(order, r.name) if order.kinds[r.name] not in but else ():
            found.setdefault(name, []).append(r)
    return found


def is_listed(order: EventOrder, name: str, members: Sequence[Reading]) -> bool:
    """Whether the sheet says which values an id has, so that nothing brings what it names."""
    props = (prop for r in members for prop in order.taxonomy.event(r.name).properties if prop.name == name)
    return any(rule_of(prop) is not None or prop.constraint for prop in props)


# --------------------------------------------------------------------------- which things have a life

_NO_STAGE = frozenset(
    {
        *(Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END, Kind.CRASH, Kind.GOODBYE),
        *(Kind.SHARE, Kind.SUPPORT, Kind.EXPOSURE, Kind.AD, Kind.SETTING, Kind.GROUP, Kind.ONBOARDING),
    }
)
"""Kinds of events that are no stage of a thing's life, whatever id they carry."""
_NOT_AT_ONCE = frozenset({Kind.SUBSCRIBE, Kind.AFTER_SALE, Kind.REGISTER, Kind.SOCIAL})
"""Kinds of beginnings whose end takes days, or another user."""
_MAKING = word_set("create add upload save post write send issue import")
_NOTING = word_set("report record register send")
_TRYING = word_set("order book buy rent pay enroll recharge transfer withdraw deposit bid")
_ASIDE = word_set("report share chat block gift invite comment bookmark download export")
_AFTERWARDS = word_set("rate review donate")
_SETTLING = word_set("pay recharge")
_DAYS_LATER = word_set("board checkin attend return refund renew repay")
_ON_THE_WAY = word_set("ship deliver arrive depart track transit")
"""Nothing that happens at once, unless the thing is brought within minutes."""
_PAUSES = frozenset({"pause", "resume"})
_SUBMITTED = 1.2
"""Where in a life what has been filled in is sent: at its beginning, whatever comes of it."""
_LIFE_DEEDS = {"assign": 1.5, "arrive": 1.7, "pickup": 1.7, "pay": 5.6, "recharge": 5.6, "rate": 7.5, "donate": 7.4}
"""Where in a life deeds stand that no phase tells, see `PHASES`."""


def find_chains(order: EventOrder) -> list[Chain]:
    """The lives of all things whose ids several events carry, those that lead to others first."""
    found: list[Chain] = []
    for name, members in sorted(carriers(order, _NO_STAGE).items(), key=lambda item: -len(item[1])):
        chain = _chain(order, name, members) if len(members) > 1 else None
        # The driver of a ride, or the product of an order, has no life of its own beside it.
        if chain is not None and not any(chain.members <= c.members and len(c.steps) > 1 for c in found):
            found.append(chain)
    row = {name: number for number, name in enumerate(order.readings)}
    return _linked(sorted(found, key=lambda chain: row[chain.birth]))


def _chain(order: EventOrder, name: str, members: Sequence[Reading]) -> Chain | None:
    """The life that an id tells; None of what lies ready to be looked at, such as the goods of a shop."""
    first = in_order(order, [r for r in members if not goes_wrong(r) and order.kinds[r.name] is not Kind.AFTER_SALE])
    birth = next((r for r in first if _begins(r)), None) or next((r for r in first if r.action in _TRYING), None)
    if first and set(first[0].words) & set(concepts(" ".join(pieces(name)[:-1]))):
        told = [order.taxonomy.event(r.name) for r in members]
        swift = any(map(_takes_minutes, told)) and not any(map(takes_days, told))
        if swift and not _returns(first[0]) and (first[0].place is None or first[0].phase == "done"):
            birth = first[0]  # no word tells that it begins: a job is placed, an alert raised
    if birth is not None and first[0] is not birth and birth.action in _MAKING:  # a photo that is added to a claim
        thing = set(concepts(" ".join(pieces(name)[:-1])))
        whole = first[0].topic <= thing < birth.topic and first[0].action in _NOTING
        birth = first[0] if whole else birth
    if birth is not None and birth.action in _TRYING:  # what is packed has been ordered in a row above
        above = [r for r in first if r.index < birth.index and r.action == birth.action and (r.place or 0) >= 5]
        birth = above[0] if birth.place is None and above else birth
    if birth is None or is_listed(order, name, members) or any(_is_another_way(birth, r) for r in first):
        return None
    shown = [r for r in members if _looks(r) or r.phase == "choose" or order.kinds[r.name] is Kind.BROWSE]
    if any(r.index <= birth.index for r in shown) or order.kinds[birth.name] in _NO_STAGE:
        return None
    events = frozenset(r.name for r in members)
    return _lived(order, Chain(name, birth.name, events, (Step(events=[birth.name]),)), members)


def _linked(chains: Sequence[Chain]) -> list[Chain]:
    """Lives that go on in those of other things: a quote that becomes a shipment."""
    by_birth = {chain.birth: chain for chain in reversed(chains)}
    longer: dict[str, Chain] = {}
    absorbed: set[str] = set()
    for chain in chains:
        for place, step in enumerate(chain.steps[1:], 2):
            after = by_birth.get(step.events[0])
            if after is not None and after is not chain and len(after.steps) > 1:
                absorbed.add(after.birth)
                more = _without({e for s in chain.steps[:place] for e in s.events}, after.steps[1:])
                longer[chain.birth] = replace(chain, steps=(*chain.steps[:place], *more))
                break
    found = [longer.get(chain.birth, chain) for chain in chains]
    return [replace(c, steps=c.steps[:1]) if c.birth in absorbed or c.lasts else c for c in found]


def _without(events: Set[str], steps: Sequence[Step]) -> list[Step]:
    """Steps without some events, up to one that has no other good one."""
    found: list[Step] = []
    for step in steps:
        kept = [number for number, event in enumerate(step.events) if event not in events]
        if not kept or kept[0]:
            break
        weights = [step.weights[number] for number in kept] if step.weights and len(kept) > 1 else []
        found.append(step.model_copy(update={"events": [step.events[n] for n in kept], "weights": weights}))
    return found


def _begins(r: Reading) -> bool:
    if r.phase in ("accept", "match_found"):
        return False
    if (r.place is not None and r.place < 3) or r.phase == "submit" or r.action in _MAKING:
        return True
    return r.action in _TRYING and r.place is None


def _is_another_way(birth: Reading, r: Reading) -> bool:
    """Whether an event brings the thing about as well: it is bought, or rented."""
    deals_too = r.action in (_TRYING - _SETTLING) | {"sell"} and r.action != birth.action and birth.action in _TRYING
    return deals_too and r.place is None and birth.place is None and _about(r) == _about(birth)


def _about(r: Reading) -> frozenset[str]:
    return r.topic - {str(r.action)}


def _life_place(r: Reading) -> float | None:
    """How far a thing's life has come; None where neither a phase nor what is done tells it."""
    if r.phase == "submit":
        return _SUBMITTED
    return r.place if r.place is not None else _LIFE_DEEDS.get(str(r.action))


def _looks(r: Reading) -> bool:
    return r.action in LOOKS and r.place is None


def goes_wrong(r: Reading) -> bool:
    """Whether an event tells that something did not come about."""
    said = pieces(r.name)
    return r.fails or bool(_NOT & set(said[:3])) or said[-1] in REGRETTED


_NOT = frozenset({"no", "not", "without", "missed"})
REGRETTED = frozenset({"withdrawn", "revoked", "retracted", "voided", "철회", "取下"})
"""Last words of names that take back what has begun well."""


def is_regret(r: Reading) -> bool:
    """Whether it ends what has begun well, and is no failure of a step."""
    return r.phase == "cancel" or pieces(r.name)[-1] in REGRETTED


# --------------------------------------------------------------------------- pace

_SHORT = re.compile(r"\b(?:seconds?|minutes?|secs?|mins?|ms|millis|초|분|秒|分)\b|分数|秒数", re.IGNORECASE)
_LONG = re.compile(r"\b(?:hours?|days?|weeks?|months?|일|개월|日|か月)\b|일수|개월수|日数|月数", re.IGNORECASE)
_PERIODIC = re.compile(r"\b(?:monthly|weekly|yearly|annual(?:ly)?|(?:days|weeks|months) later)\b|매월|매달|毎月")
_FAST = ("food", "mobility")
"""Industries that bring at once what is ordered."""


def takes_days(event: Event, known: Set[str] = frozenset()) -> bool:
    """Whether an event tells of hours, days or months that something took.

    Args:
        known: names of properties that were known from the beginning, such as the months of a plan.
    """
    own = [prop for prop in event.properties if prop.name not in known]
    measured = any(_LONG.search(" ".join((*pieces(prop.name), prop.alias))) or _lasts_hours(prop) for prop in own)
    return measured or bool(_PERIODIC.search(event.description.lower()))


def lasts_days(order: EventOrder, birth: Reading) -> bool:
    """Whether what begins tells how many days it lasts, and is no deal, such as the purchase of a plan."""
    return birth.phase in ("start", "open") and not deals(birth) and takes_days(order.taxonomy.event(birth.name))


def is_planned(order: EventOrder, r: Reading) -> bool:
    """Whether an event tells when something will take place."""
    told = order.taxonomy.event(r.name).properties
    return bool(_PLANNED & set(pieces(r.name))) and any(prop.type is PropertyType.TIME for prop in told)


_PLANNED = word_set("schedule scheduled book booked reserve reserved arrange arranged plan planned")


def _lasts_hours(prop: Property) -> bool:
    """Whether the limits of minutes are those of hours: a car is parked for 10 to 720 of them."""
    rule = rule_of(prop)
    minutes = bool({"minutes", "minute", "mins", "분", "分"} & set(pieces(prop.name)))
    return minutes and isinstance(rule, Between) and rule.min + rule.max >= 8 * 60


def _takes_minutes(event: Event) -> bool:
    return any(_SHORT.search(" ".join((*pieces(prop.name), prop.alias))) for prop in event.properties)


# --------------------------------------------------------------------------- the stages


def _lived(order: EventOrder, chain: Chain, members: Sequence[Reading]) -> Chain:
    """A life with the part of it that happens at once; its birth alone where the rest takes days."""
    birth = order.readings[chain.birth]
    if lasts_days(order, birth):
        return chain
    if order.kinds[birth.name] in _NOT_AT_ONCE or any(r.phase == "progress" or r.step for r in members):
        return chain
    bad = [r for r in members if goes_wrong(r) or breaks_off(order, r, birth)]
    good = [r for r in members if r not in (*bad, birth) and r.phase not in _PAUSES and not takes_back(order, r)]
    good = [birth, *in_order(order, good)]
    later = [order.taxonomy.event(r.name) for r in members if r is not birth]
    slow = any(takes_days(event, birth.properties) for event in later)
    fast = not slow and (any(map(_takes_minutes, later)) or industry_of(order.product) in _FAST)
    line: list[Reading] = [birth]
    afterwards: list[Reading] = []
    decided = False
    for r in good[1:]:
        later = not fast and _is_later(order, r, birth, slow=slow)
        if r.says(*_DAYS_LATER) or later or (len(line) > 1 and is_planned(order, line[-1])):
            break
        if r.says(*_AFTERWARDS):
            afterwards.append(r)
        elif not is_aside(order, r) and not _looks(r) and (not decided or r.says(*_SETTLING)):
            line.append(r)
            decided = decided or (r.topic == birth.topic and (r.place or 0) >= 5)
    ends = _ends(order, line, good, [r for r in bad if not is_aside(order, r)])
    lasts = _is_kept(birth) and (not fast or any(_returns(r) for r in good[1:]))
    return replace(chain, steps=tuple(_as_steps(line, ends, afterwards if fast else [])), lasts=lasts)


_MIDWAY = re.compile(
    r"途中|中断|중도|중단|\b(?:mid|half|part)-?\s?way\b|\bg(?:ives?|ave) up\b|\bquits?\b|끊[기겨겼긴어]|途切れ",
    re.IGNORECASE,
)


def breaks_off(order: EventOrder, r: Reading, birth: Reading) -> bool:
    """Whether an event of no known phase ends something midway."""
    same = r is not birth and (birth.topic <= r.topic or r.topic <= birth.topic) and r.phase in (None, "end")
    return same and bool(_MIDWAY.search(order.taxonomy.event(r.name).description))


def _is_kept(birth: Reading) -> bool:
    """Whether what is brought into being lies there from then on, such as a task or a match."""
    return birth.action in _MAKING and birth.place is None and not birth.says(*_TRYING)


def _returns(r: Reading) -> bool:
    """Whether somebody comes back to a thing."""
    return _looks(r) or r.phase in ("open", "enter")


_OF_OTHERS = re.compile(r"(?:some(?:one|body) else|another \w+|(?:the )?others?)\b|다른 (?:사람|유저|사용자)|他の")
"""Texts of what others do to a thing, which is no stage of the way."""


def is_of_others(order: EventOrder, r: Reading) -> bool:
    """Whether an event tells what somebody else did."""
    return bool(_OF_OTHERS.match(order.taxonomy.event(r.name).description.lower()))


def is_aside(order: EventOrder, r: Reading) -> bool:
    """Whether something may be done with a thing at any time of its life."""
    text = order.taxonomy.event(r.name).description.lower()
    during = text.startswith(("during", "while")) or is_of_others(order, r)
    during = during or any(m.ongoing for m in order.told.get(r.name, ()))
    return during or r.action in _ASIDE or order.kinds[r.name] in _NO_STAGE


def _is_later(order: EventOrder, r: Reading, birth: Reading, *, slow: bool) -> bool:
    """Whether an event comes hours or days after the birth."""
    comes_back = _returns(r) and (_looks(r) or r.topic <= birth.topic)  # and does not enter something else into it
    if comes_back or r.says(*_ON_THE_WAY) or order.kinds[r.name] is Kind.AFTER_SALE:
        return True
    if takes_days(order.taxonomy.event(r.name), birth.properties) or (birth.action == "book" and r.phase == "start"):
        return True
    return (slow or _is_kept(birth)) and bool(r.tag) and bool(birth.tag) and r.tag != birth.tag


def in_order(order: EventOrder, found: Iterable[Reading]) -> list[Reading]:
    """Stages as the sheet lists them, unless phases or descriptions say otherwise."""
    waiting = sorted(found, key=lambda r: r.index)
    names = {r.name for r in waiting}
    # A sheet that lists the phases of one thing in another order tells nothing by its rows.
    listed = not any(a.topic == b.topic and _is_earlier(b, a) for a, b in itertools.combinations(waiting, 2))
    before: dict[str, set[str]] = {r.name: set() for r in waiting}
    for r in waiting:
        before[r.name] |= {m.event for m in order.told.get(r.name, ()) if not m.here} & names
        same = [o for o in waiting if o.topic == r.topic] if listed else waiting
        before[r.name] |= {o.name for o in same if _is_earlier(o, r, clearly=listed)}
    placed: list[Reading] = []
    while waiting:
        done = {r.name for r in placed}
        ready = next((r for r in waiting if before[r.name] <= done), waiting[0])
        placed.append(ready)
        waiting.remove(ready)
    return placed


def _is_earlier(a: Reading, b: Reading, *, clearly: bool = True) -> bool:
    """Whether phases tell that one is before the other; clearly so if it asks for it, or the other is an outcome."""
    first, then = _life_place(a), _life_place(b)
    if first is None or then is None or first >= then:
        return False
    return not clearly or first <= 1 or then >= 5


def takes_back(order: EventOrder, r: Reading) -> bool:
    """Whether an event undoes another one."""
    event = order.taxonomy.event(r.name)
    if _UNDOING.search(f"{spelt_out(event)} {event.description}"):
        return True
    undone = [piece[2:] for piece in pieces(r.name) if piece.startswith("un") and len(piece) > 6]
    known = {piece for o in order.readings.values() if o is not r for piece in pieces(o.name)}
    return any(rest.startswith(piece) or piece.startswith(rest) for rest in undone for piece in known if len(piece) > 3)


_UNDOING = re.compile(
    r"\b(?:undo(?:es|ne)?|undid|revert(?:s|ed)?|rew(?:ind|ound)|taken back)|\bun(?:subscri|match|follow|enrol|save|pin)"
    r"|되돌|取り消|元に戻",
    re.IGNORECASE,
)

# --------------------------------------------------------------------------- failures and cancellations

_BEFORE = re.compile(
    r"before (?:the |a |an |it |he |she |they )?([a-z][a-z ]{2,30})|([가-힣]+)(?:이|가|하기|되기)?\s?전에?(?=\s|$|[.,])"
    r"|([一-龠ァ-ヶー]+)(?:の|する)?前",
    re.IGNORECASE,
)


def _ends(
    order: EventOrder, line: Sequence[Reading], good: Sequence[Reading], bad: Sequence[Reading]
) -> dict[str, list[Reading]]:
    """By stage, what happens instead of it when it does not come about."""
    found: dict[str, list[Reading]] = {}
    for r in bad:
        stage = _instead_of(order, r, good)
        if stage is not None and stage in line:
            found.setdefault(stage.name, []).append(r)
    return found


def _instead_of(order: EventOrder, r: Reading, good: Sequence[Reading]) -> Reading | None:
    """The stage that a failure or a cancellation ends."""
    stages = [g for g in good[1:] if g.action not in _AFTERWARDS and not is_aside(order, g)]
    event = order.taxonomy.event(r.name)
    for match in _BEFORE.finditer(f"{event.description}. {event.alias}"):
        meant = set(concepts(next(filter(None, match.groups()))))
        named = [g for g in stages if meant & _said(order, g)]
        if named:
            return max(named, key=lambda g: len(meant & _said(order, g)))
    same = [g for g in stages if g.topic == r.topic and (g.succeeds or g.phase == "accept" or (g.place or 0) == 6)]
    if not is_regret(r) and not same:
        about = r.things or r.topic
        alike = [g for g in stages if about & _said(order, g) and not about <= good[0].topic]
        same = sorted(alike, key=lambda g: (abs(g.index - r.index), g.index))
    if same and (not is_regret(r) or r.topic == good[0].topic):
        return same[0] if not is_regret(r) else same[-1]
    told = {m.event for m in order.told.get(r.name, ()) if not m.here}
    above = [g for g in stages if g.index < r.index or g.name in told]
    below = [g for g in stages if g.index > r.index and g.name not in told]
    if is_regret(r):
        return below[0] if below else above[-1] if above and _tries(good[0]) else None
    return above[-1] if above else below[0] if below else None


def _said(order: EventOrder, r: Reading) -> set[str]:
    """What an event's name and alias say, each word of the name by itself too."""
    event = order.taxonomy.event(r.name)
    each = {concept for piece in pieces(event.name) for concept in concepts(piece)}
    return {*r.words, *each, *concepts(event.alias), *concepts(" ".join(pieces(event.name)))}


def _tries(r: Reading) -> bool:
    """Whether a life begins with an attempt, so that a cancellation is its end and no change of mind after it."""
    return r.place is not None and r.place < 3


_PACE = (
    (("accept", "confirm"), 120),
    (("match_found", "assign"), 180),
    (("cook", "prepare", "ready"), 300),
    (("deliver",), 900),
    (("pickup", "arrive"), 300),
    (("pay", "recharge"), 30),
)
"""What happens, and how many seconds after the stage before."""


def _as_steps(line: Sequence[Reading], ends: dict[str, list[Reading]], afterwards: Sequence[Reading]) -> list[Step]:
    steps = [Step(events=[line[0].name])]
    for before, r in itertools.pairwise(line):
        bad = ends.get(r.name, [])
        shares = [_share_lost(b, r) / (1 + 0.25 * (len(bad) - 1)) for b in bad]
        weights = [round(1 - sum(shares), 3), *(round(share, 3) for share in shares)] if bad else []
        events = [r.name, *(b.name for b in bad)]
        follows = [before.name] if len(steps[-1].events) > 1 else []
        pace = _pace(r, line[0])
        awarded = before.succeeds and r.place is None and not r.says(*_SETTLING) and r.topic.isdisjoint(before.topic)
        probability = 0.3 if awarded else 0.95  # what a few of the winners get
        steps.append(Step(events=events, weights=weights, probability=probability, after_s=pace, follows=follows))
    if afterwards and len(line) > 1:
        follows = [line[-1].name] if len(steps[-1].events) > 1 else []
        steps.append(Step(events=[r.name for r in afterwards], probability=0.35, after_s=60, follows=follows))
    return steps


def _share_lost(bad: Reading, good: Reading) -> float:
    """How many fail instead; games are lost and reading is broken off more often than deals fail."""
    if good.phase in ("win", "clear") and bad.phase == "fail":
        return 0.3
    left = bad.phase in ("abandon", "exit", "end") and not deals(good)
    return 0.2 if left else 0.1


def _pace(r: Reading, birth: Reading) -> float:
    """Seconds since the stage before."""
    for words, seconds in _PACE:
        if r.says(*words):
            return seconds
    ends = r.topic == birth.topic and (r.place or 0) >= 5
    return 420 if ends and not deals(birth) and not deals(r) else 45


def numbered(r: Reading) -> set[str]:
    """Properties of an event that say which one of many it is about, numbers that count included."""
    return {name for name in r.properties if pieces(name)[-1:] and pieces(name)[-1] in _ID | _NUMBER}


def outcomes_of(order: EventOrder, r: Reading) -> list[Reading]:
    """How that ends which begins with a look: a page that is read to the end, or left before."""
    if r.action != "view" or r.place is not None:
        return []
    found = [o for o in order.readings.values() if o.topic == r.topic and (o.place or 0) >= 5 and o.place != 7]
    ids = numbered(r)
    if entries_into(order, r):
        return []
    return [o for o in found if o.phase in concepts(o.name) and ids and ids <= o.properties]


def entries_into(order: EventOrder, r: Reading) -> list[Reading]:
    """Events by which one enters upon the thing that another is about: who completes a course has enrolled."""
    ids = numbered(r)
    return [o for o in order.readings.values() if o is not r and o.action in _ENTRIES and ids & o.properties]


_ENTRIES = frozenset({"enroll", "join"})

# --------------------------------------------------------------------------- what leads to a life

_NO_LEAD = _NO_STAGE | _NOT_AT_ONCE | {Kind.PAY, Kind.PAY_FAIL, Kind.VERIFY, Kind.EARN, Kind.BAD}


def lead(order: EventOrder, birth: str, apart: Iterable[str]) -> list[str]:
    """What is done just before a life begins, as rows above it, what they share and descriptions tell.

    Args:
        apart: events that stand elsewhere.
    """
    head = order.readings[birth]
    found: list[str] = []
    elsewhere = {*apart, birth}
    rows = sorted(order.readings.values(), key=lambda r: -r.index)
    for r in rows:
        if r.index >= head.index or head.index - r.index > 4 or r.name in elsewhere:
            continue
        if order.kinds[r.name] in _NO_LEAD or goes_wrong(r) or (r.place or 0) >= 5:
            continue
        if _leads(order, r, head):
            found.insert(0, r.name)
            head = r
    return found


_LASTING = word_set("connect register join enable subscribe enroll")
"""What is done once and holds from then on."""


def _leads(order: EventOrder, r: Reading, head: Reading) -> bool:
    if any(m.event == r.name for m in order.told.get(head.name, ())):
        return r.action not in _LASTING
    same_tag = r.tag == head.tag
    shared = [name for name in r.properties & head.properties if is_particular(order, name)]
    ids = {*identifiers_of(order, r.name)} & head.properties
    shows = r.action in LOOKS or r.phase in ("open", "enter", "choose", "launch")
    if shows and head not in (entered := entries_into(order, r)) and any(o.index < head.index for o in entered):
        return False  # who looks at a course enrols; the lessons are of those who have
    if len(shared) > 1 or (shared and same_tag) or (ids and shows):
        return True
    return same_tag and shows and bool((r.topic - LOOKS) & (head.topic | head.description))


def is_particular(order: EventOrder, name: str) -> bool:
    """Whether a property is one of few events."""
    having = sum(name in r.properties for r in order.readings.values())
    return having <= max(4, len(order.readings) // 6)
