"""Which events only follow others, and how many of these have them: the outcome of a claim, the rating of a ride.

What has an id of its own, an order or a ticket, comes into being with the first event that carries it; the others
that carry it are stages of its life, and most of the things that begin also end. Few are complained about, returned
or cancelled, whatever the industry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import Reading, concepts, pieces, spelt_out, word_set
from gamestats_assets.demo_data.analysis.measures import rule_of
from gamestats_assets.demo_data.rules.model import EventConstraints

Kind = EventKind


@dataclass(frozen=True)
class Consequence:
    """How an event follows others.

    Attributes:
        before: what it follows: one of these.
        share: of them it happens to, 0 to 1.
        surely: whether an id, or the sense of the words, says so; else it may be rarer still.
    """

    before: tuple[str, ...]
    share: float
    surely: bool = True


def takes_back(order: EventOrder, r: Reading) -> bool:
    """Whether an event undoes another one."""
    event = order.taxonomy.event(r.name)
    if _TAKING_BACK.search(f"{spelt_out(event)} {event.description}"):
        return True
    undone = [piece[2:] for piece in pieces(r.name) if piece.startswith("un") and len(piece) > 6]
    known = {piece for o in order.readings.values() if o is not r for piece in pieces(o.name)}
    return any(rest.startswith(piece) or piece.startswith(rest) for rest in undone for piece in known if len(piece) > 3)


_TAKING_BACK = re.compile(
    r"\b(?:undo(?:es|ne)?|undid|revert(?:s|ed)?|rew(?:ind|ound)|taken back)|\bun(?:subscri|match|follow|enrol|save|pin)"
    r"|되돌|取り消|元に戻",
    re.IGNORECASE,
)


def _carriers(order: EventOrder) -> dict[str, list[Reading]]:
    """By id, the events that carry it."""
    found: dict[str, list[Reading]] = {}
    for r in order.readings.values():
        for name in order.ids[r.name]:
            found.setdefault(name, []).append(r)
    return found


def _is_listed(order: EventOrder, name: str, members: Sequence[Reading]) -> bool:
    """Whether the sheet says which values an id has, so that nothing brings what it names."""
    props = (prop for r in members for prop in order.taxonomy.event(r.name).properties if prop.name == name)
    return any(rule_of(prop) is not None or prop.constraint for prop in props)


_HARM = re.compile(
    r"\b(?:damaged?|loss|lost|disput\w+|complain\w*|abus\w+|fraud\w*|emergency|sos|accidents?|incidents?|violat\w+"
    r"|overdue|(?:put )?on hold|held (?:by|up|back)|withheld|exceptions?|crash\w*|outage|broken|missing|suspicious"
    r"|spam|no show"
    r"|problem|delay\w*|faulty|bann?ed|warning|penalt(?:y|ies)|fine|fines)\b"
    r"|분실|파손|클레임|불만|오류|장애|사고|긴급|신고|제재|연체|지연|紛失|破損|苦情|クレーム|エラー|障害|事故|緊急|通報|遅延",
    re.IGNORECASE,
)
"""What nobody wishes for."""
_IN_VAIN = re.compile(
    r"\b(?:no \w+ (?:found|available|left)|not found|errors?|unavailable)\b|오류|エラー", re.IGNORECASE
)
_HELP = re.compile(r"\bhelp\b|\bsupport (?:team|desk|agent|ticket)|고객센터|1:1 문의|問い合わせ|ヘルプ", re.IGNORECASE)
_CLAIMS = re.compile(r"\bclaims?\b|클레임|クレーム", re.IGNORECASE)
_TROUBLED = frozenset({Kind.SUPPORT, Kind.CRASH, Kind.PAY_FAIL, Kind.GOODBYE})
_UNDOING = word_set(
    "delete leave unfollow unlike unbookmark disconnect disable archive dissolve block downgrade unequip uninstall"
)
_LEFT = word_set("abandon exit skip die")
"""Phases of what people often do not carry through, without any harm."""
_LOOKING = frozenset({Kind.BROWSE, Kind.SEARCH, Kind.EXPOSURE, Kind.AD})
_AGAIN = frozenset(
    {
        *(Kind.SOCIAL, Kind.GROUP, Kind.ADVANCED, Kind.CREATE, Kind.GROWTH, Kind.GACHA, Kind.SHARE, *_LOOKING),
        *(Kind.ONBOARDING, Kind.VERIFY, Kind.SETTING),
    }
)
"""Kinds of events that happen any number of times to one thing: messages of a chat, tasks of a project."""
_SETTLING = word_set("attend board checkin checkout pickup deliver arrive join repay return refund receive")
_BEGINNING = word_set(
    "add create join enable connect subscribe book order buy request invite enroll send register post report"
)
_ASIDE = word_set("download bookmark save follow like export upload share subscribe invite read play view")
"""Actions that are done by the way, and leave a thing where it is."""
_NOW_AND_THEN = frozenset({"renew", "edit"})
"""Actions that may be done with a thing that is there, long after it came about."""
_OPINIONS: Mapping[str, float] = {"rate": 0.3, "donate": 0.2, "review": 0.15, "comment": 0.1}
"""Actions after a thing has come to its end, and how many of those who could take them do."""
_OPINIONS_OF_CONTENT = 0.1
"""How much rarer they are of what lies there for all to see, than of what was done for the user."""
COMPLAINT = 0.015
"""Of how many things somebody complains."""
_STAGE, _BAD_END, _CANCELLED, _LEFT_AGAIN, _LEAVING, _UNDO = 0.92, 0.07, 0.06, 0.25, 0.2, 0.12


def is_trouble(order: EventOrder, r: Reading) -> bool:
    """Whether something has gone wrong, or is regretted: failures, complaints, cancellations, losses."""
    if order.kinds[r.name] in _TROUBLED:
        return True
    if r.fails and r.phase not in _LEFT and not (r.says("free") or (order.is_game and _is_fought(order, r))):
        return True
    if r.action in ("report", "refund", "block") or r.says("refund"):
        return True
    event = order.taxonomy.event(r.name)
    named = spelt_out(event)
    if _CLAIMS.search(named) and not order.is_game and "reward" not in r.text:
        return True
    if _harms(order, r) or _IN_VAIN.search(named) or _HELP.search(f"{named} {event.description}"):
        return True
    return not order.is_game and bool(_HARM.search(event.description)) and order.kinds[r.name] in _NEUTRAL


def _harms(order: EventOrder, r: Reading) -> bool:
    return not order.is_game and bool(_HARM.search(spelt_out(order.taxonomy.event(r.name))))


_NEUTRAL = frozenset({Kind.OTHER, Kind.CORE, Kind.BAD, Kind.EARN, Kind.AFTER_SALE, Kind.SOCIAL})


def _is_fought(order: EventOrder, r: Reading) -> bool:
    """Losing is part of a game, unless it is about money or the machine."""
    return order.kinds[r.name] not in (Kind.PAY_FAIL, Kind.CRASH, Kind.PAY, Kind.CHECKOUT, Kind.AD)


def is_undoing(order: EventOrder, r: Reading) -> bool:
    """Whether something takes back what was done before."""
    return (r.action in _UNDOING and r.phase is None) or takes_back(order, r)


def consequences(order: EventOrder, constraints: EventConstraints) -> dict[str, Consequence]:
    """How the events follow others that do not stand at a place of their own, and are no use of what is there."""
    fixed = {*constraints.session_start, *constraints.session_end, *constraints.once, *constraints.not_of_users}
    fixed |= {*constraints.daily, *constraints.final}
    lives = lives_of(order)
    found: dict[str, Consequence] = {}
    for r in order.readings.values():
        if r.name in fixed or order.kinds[r.name] in _BY_THEMSELVES:
            continue
        told = _by_id(order, r, lives, constraints) or _by_thing(order, r, constraints)
        if told is not None:
            before = tuple(name for name in told.before if name not in fixed)
            if before:
                found[r.name] = Consequence(before, told.share, told.surely)
    return _without_circles(found)


_BY_THEMSELVES = frozenset({Kind.ONBOARDING, Kind.REGISTER, Kind.GOODBYE, Kind.SUBSCRIBE})
"""Kinds of events that come to a user sooner or later, not upon what he or she did."""


def _without_circles(found: dict[str, Consequence]) -> dict[str, Consequence]:
    """What follows itself by way of others follows nothing."""
    kept: dict[str, Consequence] = {}

    def reaches(name: str, wanted: str) -> bool:
        return name == wanted or (name in kept and any(reaches(b, wanted) for b in kept[name].before))

    for name, told in found.items():
        if not any(reaches(before, name) for before in told.before):
            kept[name] = told
    return kept


# --------------------------------------------------------------------------- the life of what has an id


@dataclass(frozen=True)
class Life:
    """Events that carry the id of one thing, the one that brings it about first."""

    birth: Reading
    others: tuple[Reading, ...]


def lives_of(order: EventOrder) -> list[Life]:
    """Lives of things that come into being by a user's doing; those of a catalogue lie there before."""
    if order.is_game:
        return []
    found: list[Life] = []
    for name, having in _carriers(order).items():
        good = [r for r in having if not r.fails and not is_undoing(order, r)]
        if len(having) < 2 or not good or _is_listed(order, name, having):
            continue
        about = set(concepts(" ".join(pieces(name)[:-1])))
        named = [r for r in good if about & {*r.words, *pieces(r.name)}]
        birth = min(named or good, key=lambda r: r.index)
        looked_at = any(order.kinds[r.name] in _LOOKING and r.index <= birth.index for r in having)
        told = order.kinds[birth.name] in (Kind.GROUP, Kind.SOCIAL, Kind.GROWTH) and not is_trouble(order, birth)
        if not looked_at and not told:
            found.append(Life(birth, tuple(r for r in having if r is not birth)))
    return found


def _by_id(order: EventOrder, r: Reading, lives: Sequence[Life], constraints: EventConstraints) -> Consequence | None:
    """A stage follows the last good stage before it; a failure that which it is the failure of."""
    own = [life for life in lives if r in life.others]
    if not own:
        return None
    troubled = is_trouble(order, r)
    if not (troubled or opinion(r) or is_undoing(order, r)) and order.kinds[r.name] in _AGAIN:
        return None
    if r.action in _ASIDE and not troubled:
        return None
    begins = r.place is not None and r.place < 3 and r.phase not in ("accept", "match_found")
    if begins and not troubled and any(life.birth is r for life in lives):
        return None  # a thing of its own, of which there may be any number
    before = [
        o
        for life in own
        for o in (life.birth, *life.others)
        if o is not r and not opinion(o) and not is_undoing(order, o)
    ]
    same = [o for o in before if o.index < r.index and is_trouble(order, o) and _key(o) & _key(r) and not o.fails]
    same = [o for o in same if o.place is None or o.place < 5]
    if same:
        return Consequence((same[0].name,), _share_of_trouble(r))
    good = [o for o in before if not is_trouble(order, o)]
    bad = [o for o in before if o.name in {m.event for m in order.told.get(r.name, ())} and o not in good]
    if bad and troubled:
        return Consequence((bad[-1].name,), _share_of_trouble(r))
    asked = set(constraints.prerequisites.get(r.name, ())) | {m.event for m in order.told.get(r.name, ())}
    if not good:
        bad = [o for o in before if o.index < r.index and not o.fails]
        return Consequence((bad[0].name,), _share_of_trouble(r)) if bad else None
    earlier = [o for o in good if o.index < r.index] or good[:1]
    known = [o for o in earlier if o.name in asked and not _repeated(order, o)]
    plain = [o for o in earlier if not _repeated(order, o)]
    source = max(known or plain or earlier, key=lambda o: o.index)
    return Consequence((source.name,), _share(order, r, of_content=False))


def _repeated(order: EventOrder, r: Reading) -> bool:
    return order.kinds[r.name] in (Kind.SOCIAL, Kind.SHARE, *_LOOKING)


def _key(r: Reading) -> frozenset[str]:
    return r.things or r.topic


def opinion(r: Reading) -> str | None:
    """What somebody thinks of a thing after it has come to its end: the action that says so."""
    told = [r.action, *(word for word in ("rate", "review", "comment") if r.says(word) and r.action in _TELLING)]
    return next((word for word in told if word in _OPINIONS and not r.fails), None)


_TELLING = frozenset({None, "write", "post", "send", "receive", "add", "create"})


def _share_of_trouble(r: Reading) -> float:
    """Of the outcomes of a complaint."""
    return 0.3 if r.fails else 0.6 if r.phase == "accept" else 0.85


def _share(order: EventOrder, r: Reading, *, of_content: bool) -> float:
    if r.phase in ("pause", "resume"):
        return _LEAVING
    if r.phase == "cancel":
        return _LEFT_AGAIN if of_content else _CANCELLED
    if _harms(order, r):
        return COMPLAINT
    if r.fails:
        return _LEAVING if r.phase in _LEFT else _BAD_END
    if is_undoing(order, r):
        return _UNDO
    if is_trouble(order, r):
        return COMPLAINT if r.action or not _IN_VAIN.search(" ".join(pieces(r.name))) else _BAD_END
    if "others" in order.flags[r.name] or r.action in _NOW_AND_THEN:
        return _LEFT_AGAIN
    if said := opinion(r):
        return _OPINIONS[said] * (_OPINIONS_OF_CONTENT if of_content else 1)
    return _STAGE


# --------------------------------------------------------------------------- what is about the same thing


def _by_thing(order: EventOrder, r: Reading, constraints: EventConstraints) -> Consequence | None:
    """Ends follow beginnings, troubles and opinions what they need or name, what is undone what was done."""
    ends = (r.place or 0) >= 5 and not r.fails and r.phase != "claim" and not order.is_game
    settles = (r.action in _SETTLING or r.phase == "accept") and order.kinds[r.name] not in (Kind.GROUP, Kind.ADVANCED)
    troubled, undoing = is_trouble(order, r), is_undoing(order, r)
    told = opinion(r) not in (None, "donate") and order.kinds[r.name] is not Kind.GROUP and not order.is_game
    if not (ends or settles or troubled or undoing or told or r.fails or r.phase == "reject"):
        return None
    for before in _sources(order, r, constraints):
        if (ends or settles) and not (troubled or undoing or told) and _key(before) != _key(r):
            continue
        if is_trouble(order, before) and not before.fails:
            return Consequence((before.name,), _share_of_trouble(r))
        return Consequence((before.name,), _share(order, r, of_content=True), surely=told or troubled)
    return None


def _sources(order: EventOrder, r: Reading, constraints: EventConstraints) -> Iterator[Reading]:
    """What an event may follow, the surest first: begun before with the same thing, told by the text, required."""
    begun = [
        o
        for o in order.readings.values()
        if o.index < r.index
        and not o.fails
        and _key(o) == _key(r)
        and ((o.place is not None and o.place < 3) or o.action in _BEGINNING)
    ]
    yield from begun[-1:]
    names = [m.event for m in order.told.get(r.name, ())]
    names += [name for name in constraints.prerequisites.get(r.name, ()) if name not in constraints.once]
    for name in names:
        if order.kinds[name] not in (Kind.REGISTER, Kind.INSTALL, Kind.SESSION_START):
            yield order.readings[name]
