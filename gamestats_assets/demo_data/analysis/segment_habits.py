"""When users of each segment are there, what they typically do in a session, and how likely each event is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from gamestats_assets.demo_data.analysis.event_kinds import GROUPS, EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import Reading, word_set
from gamestats_assets.demo_data.analysis.measures import industry_of
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import Activity, EventConstraints, Step

Kind = EventKind

# Daily probability, sessions a day, minutes, events a session, decay a day, churn a day, return a day.
_ACTIVITY: dict[str, tuple[float, float, float, float, float, float, float]] = {
    "new_user": (0.62, 1.6, 11, 9, 0.06, 0.03, 0.01),
    "active_user": (0.58, 1.8, 16, 11, 0.002, 0.004, 0.04),
    "power_user": (0.92, 3.4, 34, 22, 0, 0.0005, 0.2),
    "churning_user": (0.3, 1.2, 7, 5, 0.05, 0.06, 0.01),
    "churned_user": (0.25, 1.0, 4, 3, 0.15, 0.3, 0.002),
    "returning_user": (0.5, 1.5, 14, 10, 0.01, 0.015, 0.08),
}
# Of an industry: factors of the daily probability, sessions, minutes and events.
_INDUSTRY: dict[str, tuple[float, float, float, float]] = {
    "game": (1, 1, 1, 1),
    "ecommerce": (0.5, 0.85, 0.6, 0.27),
    "saas": (0.85, 1.15, 1.2, 0.75),
    "finance": (0.75, 1.05, 0.4, 0.35),
    "travel": (0.22, 0.8, 0.7, 0.4),
    "food": (0.35, 0.8, 0.5, 0.2),
    "education": (0.65, 0.8, 1.5, 0.6),
    "media": (0.9, 1.1, 2, 0.55),
    "health": (0.8, 0.95, 0.8, 0.45),
    "social": (1.05, 1.6, 0.8, 1),
    "mobility": (0.45, 1, 0.35, 0.25),
    "other": (0.7, 0.95, 0.8, 0.6),
}
_PLATFORM: dict[str, tuple[float, float, float]] = {
    "mobile": (1, 1, 1), "web": (0.85, 0.85, 0.9), "pc": (0.8, 0.65, 2.1), "console": (0.7, 0.6, 2.4),
}  # fmt: skip
"""Of a platform: factors of the daily probability, sessions and minutes."""

_EVENINGS = "1.0 .6 .35 .25 .2 .3 .7 1.5 2.0 1.8 1.6 1.8 2.6 2.3 1.9 1.9 2.1 2.7 3.6 4.6 5.4 5.8 4.9 2.7"
_OFFICE = ".2 .1 .1 .1 .1 .2 .6 1.6 4.2 6.0 6.4 5.6 3.4 5.0 6.0 5.8 5.2 3.8 1.9 1.1 .9 .8 .6 .4"
_SHOPPING = ".9 .5 .3 .2 .2 .3 .7 1.4 2.0 2.3 2.8 3.4 5.0 3.6 2.6 2.5 2.7 3.0 3.4 4.4 5.4 5.6 4.2 2.2"
_MEALS = ".4 .2 .1 .1 .1 .2 .5 1.2 1.4 1.4 2.6 5.6 6.0 3.4 1.6 1.5 2.4 5.2 6.6 5.0 3.2 2.4 1.5 .8"
_MORNING_AND_EVENING = ".4 .2 .2 .2 .4 1.6 4.0 5.0 3.8 2.4 1.8 1.8 2.4 1.9 1.6 1.7 2.3 3.6 4.8 5.0 4.4 3.6 2.2 1.0"
_STUDY = ".6 .3 .2 .2 .2 .4 .9 1.6 2.2 2.8 3.0 2.6 2.2 2.6 2.8 3.0 3.0 2.8 3.0 4.4 5.6 5.4 3.8 1.6"
_RUSH = ".7 .4 .3 .2 .3 .8 2.4 5.6 6.0 3.4 2.2 2.2 2.6 2.4 2.2 2.4 3.2 5.0 6.2 4.6 3.2 2.8 2.2 1.6"
_HOURS = {
    "game": _EVENINGS, "media": _EVENINGS, "social": _EVENINGS, "saas": _OFFICE, "ecommerce": _SHOPPING,
    "travel": _SHOPPING,
    "food": _MEALS, "health": _MORNING_AND_EVENING, "education": _STUDY, "finance": _OFFICE, "mobility": _RUSH,
}  # fmt: skip
_WEEK = {
    "game": (0.94, 0.93, 0.94, 0.96, 1.05, 1.16, 1.14), "media": (0.93, 0.92, 0.93, 0.95, 1.06, 1.16, 1.15),
    "saas": (1.28, 1.32, 1.31, 1.27, 1.12, 0.36, 0.34), "finance": (1.16, 1.15, 1.14, 1.13, 1.12, 0.66, 0.64),
    "ecommerce": (1.03, 1.0, 0.98, 0.98, 0.96, 0.98, 1.07), "food": (0.9, 0.9, 0.92, 0.96, 1.14, 1.12, 1.06),
    "health": (1.12, 1.08, 1.05, 1.0, 0.92, 0.92, 0.91), "education": (1.08, 1.1, 1.08, 1.04, 0.86, 0.86, 0.98),
    "travel": (1.0, 0.98, 0.97, 0.98, 1.0, 1.0, 1.07), "mobility": (1.0, 1.0, 1.02, 1.04, 1.14, 1.02, 0.78),
}  # fmt: skip

# How likely a user is to do what is usual, against other usual things, by kind of event.
_USUAL: dict[EventKind, float] = {
    Kind.SEARCH: 0.45, Kind.BROWSE: 0.4, Kind.CART: 0.05, Kind.MONEY: 0.2, Kind.PAY: 0.3, Kind.AD: 0.3,
    Kind.EXPOSURE: 0.3, Kind.SOCIAL: 0.12, Kind.GROUP: 0.1, Kind.ADVANCED: 0.2, Kind.GROWTH: 0.3, Kind.EARN: 0.4,
    Kind.SPEND: 0.3, Kind.GACHA: 0.18, Kind.CREATE: 0.25, Kind.BAD: 0.1, Kind.CORE: 0.6, Kind.OTHER: 0.2,
}  # fmt: skip
# In how many sessions of an active user there is something that is not usual, by kind of event.
_SELDOM: dict[EventKind, float] = {
    Kind.GOODBYE: 0.0005, Kind.CRASH: 0.01, Kind.VERIFY: 0.008, Kind.CHECKOUT: 0.022, Kind.PAY: 0.02,
    Kind.PAY_FAIL: 0.003, Kind.AFTER_SALE: 0.01, Kind.SUBSCRIBE: 0.006, Kind.SETTING: 0.015, Kind.SUPPORT: 0.004,
    Kind.REMOVE: 0.02, Kind.SHARE: 0.03,
}  # fmt: skip
# Likewise by what it is about; the rarest word counts.
_SELDOM_WORDS: dict[str, float] = {
    "survey": 0.012, "coupon": 0.02, "refund": 0.003, "return": 0.003, "review": 0.01, "workspace": 0.004,
    "integration": 0.008, "api": 0.008, "loan": 0.004, "certificate": 0.004, "enroll": 0.015, "invite": 0.02,
    "install_referral": 0.006, "connect": 0.008, "disconnect": 0.002, "enable": 0.006, "disable": 0.003,
    "archive": 0.01, "code": 0.012, "paymethod": 0.008, "bankaccount": 0.004, "address": 0.01, "download": 0.04,
    "newsletter": 0.005, "permission": 0.02, "nickname": 0.004, "unfollow": 0.01, "unlike": 0.01, "delete": 0.01,
    "edit": 0.03, "first": 0.004, "bookmark": 0.06, "alert": 0.02, "achievement": 0.08, "challenge": 0.02,
    "goal": 0.015, "recharge": 0.03, "withdraw": 0.02, "certification": 0.004, "dissolve": 0.0004,
    "block": 0.002, "plan": 0.015, "paywall": 0.025, "premium": 0.015, "auction": 0.06, "board": 0.01,
}  # fmt: skip
_SELDOM_DEEDS: dict[tuple[str, str], float] = {
    ("create", "project"): 0.04, ("create", "team"): 0.002, ("create", "guild"): 0.002, ("join", "guild"): 0.012,
    ("leave", "guild"): 0.003, ("request", "friend"): 0.04, ("add", "friend"): 0.03, ("delete", "friend"): 0.003,
    ("order", "card"): 0.003, ("enable", "card"): 0.003, ("block", "card"): 0.001, ("complete", "course"): 0.006,
    ("delete", "bookmark"): 0.012, ("create", "profile"): 0.01,
    ("edit", "profile"): 0.02, ("request", "refund"): 0.003, ("get", "achievement"): 0.06,
}  # fmt: skip
"""By what is done to what."""
_FACTORS: dict[str, dict[EventKind, float]] = {
    "new_user": {
        Kind.PAY: 0.25, Kind.CHECKOUT: 0.25, Kind.SUBSCRIBE: 0.5, Kind.ADVANCED: 0.1, Kind.GROUP: 0.3,
        Kind.SOCIAL: 0.4, Kind.SHARE: 0.5, Kind.AFTER_SALE: 0.2, Kind.GOODBYE: 2, Kind.GACHA: 0.7, Kind.CREATE: 0.8,
        Kind.VERIFY: 3, Kind.SETTING: 1.5, Kind.CART: 0.6,
    },
    "active_user": {},
    "power_user": {
        Kind.PAY: 4, Kind.CHECKOUT: 4, Kind.SUBSCRIBE: 2.5, Kind.ADVANCED: 3.2, Kind.GROUP: 2.2, Kind.SOCIAL: 1.8,
        Kind.SHARE: 1.8, Kind.AFTER_SALE: 1.8, Kind.GOODBYE: 0.2, Kind.GACHA: 1.8, Kind.CREATE: 1.6, Kind.CORE: 1.4,
        Kind.CART: 1.7, Kind.GROWTH: 1.5, Kind.SPEND: 1.4, Kind.EARN: 1.2, Kind.AD: 0.8, Kind.MONEY: 1.5,
        Kind.SEARCH: 1.2, Kind.REMOVE: 1.5, Kind.SUPPORT: 1.2, Kind.CRASH: 1.2,
    },
    "churning_user": {
        Kind.PAY: 0.25, Kind.CHECKOUT: 0.3, Kind.SUBSCRIBE: 0.8, Kind.ADVANCED: 0.4, Kind.GROUP: 0.5, Kind.SOCIAL: 0.5,
        Kind.SHARE: 0.3, Kind.GOODBYE: 6, Kind.GACHA: 0.5, Kind.CREATE: 0.5, Kind.CORE: 0.7, Kind.CART: 0.5,
        Kind.BAD: 1.6, Kind.GROWTH: 0.6, Kind.CRASH: 2, Kind.PAY_FAIL: 1.5, Kind.SUPPORT: 2,
    },
    "churned_user": {
        Kind.PAY: 0.1, Kind.CHECKOUT: 0.1, Kind.SUBSCRIBE: 0.4, Kind.ADVANCED: 0.15, Kind.GROUP: 0.2, Kind.SOCIAL: 0.2,
        Kind.SHARE: 0.1, Kind.GOODBYE: 20, Kind.GACHA: 0.2, Kind.CREATE: 0.3, Kind.CORE: 0.5, Kind.CART: 0.2,
        Kind.BAD: 1.8, Kind.GROWTH: 0.3, Kind.CRASH: 2.5, Kind.SUPPORT: 2,
    },
    "returning_user": {
        Kind.PAY: 0.9, Kind.CHECKOUT: 0.9, Kind.ADVANCED: 0.7, Kind.GROUP: 0.7, Kind.SOCIAL: 0.9, Kind.EARN: 1.4,
        Kind.CORE: 1.05, Kind.SEARCH: 1.1,
    },
}  # fmt: skip
"""Of a segment, against an active user."""
_INDUSTRY_FACTORS: dict[str, dict[EventKind, float]] = {
    "ecommerce": {Kind.REGISTER: 0.55, Kind.BROWSE: 1.2, Kind.CORE: 0.4, Kind.AD: 0.4},
    "food": {Kind.BROWSE: 1.2, Kind.AFTER_SALE: 3, Kind.AD: 0.3},
    "travel": {Kind.REGISTER: 0.55, Kind.SEARCH: 1.6, Kind.BROWSE: 1.4, Kind.AD: 0.4},
    "saas": {Kind.CREATE: 2, Kind.CORE: 1.1, Kind.PAY: 0.3, Kind.GROUP: 1.6, Kind.AD: 0.1, Kind.ADVANCED: 0.8},
    "media": {Kind.SEARCH: 0.9, Kind.BROWSE: 1.5, Kind.CORE: 1.3, Kind.PAY: 0.3, Kind.SOCIAL: 1.5},
    "finance": {Kind.MONEY: 1.4, Kind.AD: 0.2, Kind.BROWSE: 1.8},
    "health": {Kind.PAY: 0.5, Kind.GROWTH: 0.6, Kind.CREATE: 0.8},
    "education": {Kind.PAY: 0.5, Kind.CORE: 1.2, Kind.BROWSE: 0.35},
    "social": {Kind.SOCIAL: 3.5, Kind.CREATE: 1.5, Kind.PAY: 0.4},
}
_KEENNESS = {
    "new_user": 0.6, "active_user": 0.7, "power_user": 0.82, "churning_user": 0.5, "churned_user": 0.42,
    "returning_user": 0.66,
}  # fmt: skip
"""Share of sessions that hold what the product is for."""
_FIXED = {
    Kind.INSTALL: 1.0, Kind.DEVICE: 1.0, Kind.REGISTER: 0.9, Kind.SESSION_START: 1.0, Kind.SESSION_END: 1.0,
    Kind.ONBOARDING: 0.95,
}  # fmt: skip
"""Of what happens at its place in a session or a life, if at all."""
_LOOPS = {"new_user": 2, "active_user": 3, "power_user": 5, "churning_user": 1, "churned_user": 1, "returning_user": 3}
"""How many things make a typical session."""
_DEALS = frozenset({Kind.PAY, Kind.CHECKOUT, Kind.CART})
_RARELY_WITHIN = frozenset({Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.SUBSCRIBE, Kind.AFTER_SALE, Kind.SUPPORT, *_DEALS})
"""Kinds of events whose sequences are no part of the core of a product, unless it sells things."""


def activity(segment: str, product: ProductInfo) -> Activity:
    """When users of a segment are there, by industry and platform."""
    daily, sessions, minutes, events, decay, churn, comeback = _ACTIVITY[segment]
    industry = industry_of(product)
    of_industry = _INDUSTRY.get(industry, _INDUSTRY["other"])
    of_platform = _PLATFORM[product.platform]
    hours = [float(hour) for hour in _HOURS.get(industry, _SHOPPING).split()]
    if segment == "power_user":  # the keenest are there at all hours
        mean = sum(hours) / 24
        hours = [round(0.75 * hour + 0.25 * mean, 3) for hour in hours]
    elif segment in ("churning_user", "churned_user"):
        hours = [round(hour**1.15, 3) for hour in hours]
    return Activity(
        daily_probability=round(min(daily * of_industry[0] * of_platform[0], 0.97), 4),
        weekday_weights=list(_WEEK.get(industry, (1.0,) * 7)),
        hour_weights=hours,
        sessions_per_day=round(max(1 + (sessions - 1) * of_industry[1] * of_platform[1], 1), 3),
        session_minutes=round(minutes * of_industry[2] * of_platform[2], 2),
        events_per_session=round(events * of_industry[3], 2),
        decay_per_day=decay,
        churn_per_day=churn,
        return_per_day=comeback,
    )


# --------------------------------------------------------------------------- what users set out to do


@dataclass(frozen=True)
class _Choice:
    """What a user may choose to do: a sequence, or an event by itself.

    Attributes:
        name: of the event, or of the sequence after an arrow.
        heads: events that begin it.
        steps: of a sequence; of a single event none.
    """

    name: str
    heads: tuple[Reading, ...]
    steps: tuple[Step, ...]

    @property
    def events(self) -> list[str]:
        """All events that may happen."""
        return [event for step in self.steps for event in step.events] or [r.name for r in self.heads]


def _choices(order: EventOrder, constraints: EventConstraints) -> list[_Choice]:
    """Everything that is chosen, in the order of the sheet; no onboarding, nothing at a fixed place."""
    found = [
        _Choice(f"-> {s.name}", tuple(order.readings[event] for event in s.steps[0].events), tuple(s.steps))
        for s in constraints.sequences
        if s.kind != "onboarding"
    ]
    placed = {event for s in constraints.sequences for step in s.steps for event in step.events}
    placed |= {*constraints.session_start, *constraints.session_end, *constraints.not_of_users}
    for r in order.readings.values():
        if r.name not in placed and order.kinds[r.name] not in _FIXED:
            found.append(_Choice(r.name, (r,), ()))
    return sorted(found, key=lambda choice: min(r.index for r in choice.heads))


def event_sequence(segment: str, order: EventOrder, constraints: EventConstraints, product: ProductInfo) -> list[str]:
    """What users of a segment typically do in a session, between its start and its end."""
    found: list[str] = []
    if segment == "new_user":
        for sequence in constraints.sequences:
            if sequence.kind == "onboarding":
                found += _good_path(order, sequence.steps)
    for choice in _typical(segment, order, constraints, product):
        found += _good_path(order, choice.steps) or [choice.heads[0].name]
    return list(dict.fromkeys(found))


def _typical(segment: str, order: EventOrder, constraints: EventConstraints, product: ProductInfo) -> list[_Choice]:
    """The most central choices, in the order of the sheet."""
    choices = [c for c in _choices(order, constraints) if not _once(c, constraints)]
    choices = [c for c in choices if c.steps or _rate(c, order, product) is None]
    ranked = sorted(choices, key=lambda c: -_centrality(order, c, segment, product))
    central = [c for c in ranked if _centrality(order, c, segment, product) > 1]
    chosen = (central or [c for c in ranked if _centrality(order, c, segment, product) > 0.6])[: _LOOPS[segment]]
    return [c for c in choices if c in chosen]


def _once(choice: _Choice, constraints: EventConstraints) -> bool:
    return all(r.name in constraints.once for r in choice.heads)


def _good_path(order: EventOrder, steps: Sequence[Step]) -> list[str]:
    """The better outcome of every step that always has one."""

    def rank(event: str) -> tuple[bool, bool]:
        r = order.readings[event]
        return r.fails or r.phase == "pause", not r.succeeds and any(order.readings[e].succeeds for e in of_step)

    path: list[str] = []
    for step in steps:
        of_step = step.events
        if not path or not step.follows or path[-1] in step.follows:
            path.append(min(of_step, key=rank))
    return path


def _centrality(order: EventOrder, choice: _Choice, segment: str, product: ProductInfo) -> float:
    """How much a choice is what the product is for, to users of a segment."""
    industry = industry_of(product)
    kinds = {order.kinds[event] for event in choice.events}
    readings = [order.readings[event] for event in choice.events]
    sells = industry in ("ecommerce", "travel", "food") or (industry == "other" and Kind.CART in kinds)
    heart = _AT_HEART.get(industry, frozenset())
    if not choice.steps:
        by_the_way = readings[0].action in ("upload", "download", "export", "share", "import", "search")
        near = any(r.things & heart or r.topic & heart for r in readings) and kinds & _AT_WORK and not by_the_way
        if order.is_game:  # what is done by the way is no more than that
            return 2.0 if near and readings[0].phase else 0.5
        main = 4.2 if kinds & {Kind.CORE, Kind.MONEY, Kind.PAY} else 4.1 if Kind.CREATE in kinds else 3.9
        return main - (2 if Kind.SOCIAL in kinds else 0) if near else 0.8 if kinds & _AT_WORK else 0.5
    if Kind.ADVANCED in kinds:
        return 5.0 if segment == "power_user" and order.is_game else 0.5
    if kinds & _DEALS and len(choice.steps) > 1:
        return 6.0 if sells and Kind.PAY in kinds else 0.0
    if kinds & _RARELY_WITHIN:
        return 0.0
    if any(r.says("survey", "download", "upload", "verify", "loan", "filter") for r in readings):
        return 0.4
    if any(r.things & heart or r.topic & heart for r in readings):
        return 5.0
    if Kind.SPEND in kinds:
        return 1.5
    return 3.0 if Kind.CORE in kinds and (order.is_game or not heart) else 0.8


_AT_WORK = frozenset({Kind.CORE, Kind.CREATE, Kind.OTHER, Kind.BROWSE, Kind.SEARCH, Kind.MONEY, Kind.PAY, Kind.SOCIAL})
_AT_HEART: Mapping[str, frozenset[str]] = {
    "game": word_set("stage battle level game_match quest dungeon game round puzzle"),
    "media": word_set("video music content episode article play"),
    "education": word_set("lesson course quiz"),
    "health": word_set("workout meal"),
    "finance": word_set("transfer pay stock balance"),
    "mobility": word_set("ride"),
    "saas": word_set("task document"),
    "social": word_set("feed post chat like comment"),
}


# --------------------------------------------------------------------------- how likely each event is

# What makes a usual event rarer, or more frequent, than others of its kind.
_FREQUENCY: dict[str, float] = {
    "exchange": 0.3, "rate": 0.3, "upload": 0.4, "project": 0.5, "music": 0.5, "assignment": 0.3, "unlock": 0.5,
    "chat": 2, "retry": 0.5, "sleep": 0.4, "report": 0.35, "export": 0.5, "admin": 0.4, "deposit": 0.5,
    "profile": 0.2, "mail": 0.6,
}  # fmt: skip


def _frequency(r: Reading) -> float:
    """A factor of how often an event happens, by its words."""
    factor = 1.0
    for word in r.words:
        factor *= _FREQUENCY.get(word, 1.0)
    return factor * (0.5 if r.fails else 1)


_PLAYED = word_set("challenge goal board edit archive plan enroll download premium enable address")
"""Words that tell of nothing seldom in a game."""
_FOLLOWING = word_set("attend board checkin checkout pickup deliver arrive rate review donate")


def _no_more_than_before(
    rates: dict[str, float], choices: Sequence[_Choice], order: EventOrder, constraints: EventConstraints
) -> None:
    """What ends or follows something seldom is as seldom."""
    rate_of = {r.name: rates[c.name] for c in choices if c.name in rates for r in c.heads}
    for choice in choices:
        r = choice.heads[0]
        follows = r.action in _FOLLOWING or (r.place or 0) >= 5 or r.phase == "accept"
        if choice.steps or not follows or order.kinds[r.name] is Kind.GROUP:
            continue
        earlier = [rate_of[before] for before in constraints.prerequisites.get(r.name, ()) if before in rate_of]
        if earlier:
            rate_of[r.name] = rates[choice.name] = min(rates.get(choice.name, 1.0), 0.85 * min(earlier))


def _rate(choice: _Choice, order: EventOrder, product: ProductInfo) -> float | None:
    """In how many sessions of an active user something happens; None of what is usual."""
    r = choice.heads[0]
    kind = order.kinds[r.name]
    is_group = bool(r.things & GROUPS)
    deeds = [
        rate
        for (does, to), rate in _SELDOM_DEEDS.items()
        if does in (r.action, r.phase)
        and (r.things == {to} or (to == "guild" and is_group) or to in r.topic - r.things)
    ]
    if deeds:
        return min(deeds)
    if kind is Kind.PAY and industry_of(product) == "finance" and r.says("pay"):
        return None  # to pay is what people have it for
    words = set(r.words) - (_PLAYED if order.is_game and kind not in _SELDOM else set())
    rates = [rate for word, rate in _SELDOM_WORDS.items() if word in words and r.action != "search"]
    usual = kind not in _SELDOM or (kind is Kind.SHARE and industry_of(product) == "social")
    if not rates and usual:
        return None
    rate: float = min([*rates, *([] if usual else [_SELDOM.get(kind, 0.02)])])
    return rate * _INDUSTRY_FACTORS.get(industry_of(product), {}).get(kind, 1)


def event_probabilities(
    segment: str, order: EventOrder, constraints: EventConstraints, product: ProductInfo
) -> dict[str, float]:
    """How likely each event that a user may cause is in a session, 0 to 1.

    What is usual shares the choices that users have in a session; of what is not, there is as much in a session as
    is seldom, however many or few the usual things are.
    """
    choices = _choices(order, constraints)
    typical = _typical(segment, order, constraints, product)
    keen = _KEENNESS[segment]
    slots = {c.name: keen * (1 if _centrality(order, c, segment, product) > 2 else 0.55) for c in typical}
    rates = {c.name: rate for c in choices if c.name not in slots and (rate := _rate(c, order, product)) is not None}
    usual = [r.name for c in choices if c.name not in rates for r in c.heads]
    needed = {event for name in usual for event in constraints.prerequisites.get(name, ())}
    for choice in choices:
        if choice.name in rates:
            rates[choice.name] *= _seldom_factor(segment, choice, order, needed - set(constraints.once))
    _no_more_than_before(rates, choices, order, constraints)
    weights = {c.name: slots.get(c.name) or _weight(segment, c, order, product) for c in choices if c.name not in rates}
    # Weights only say how choices are shared out: those of what is seldom are scaled to come out at its rates.
    free = max(activity(segment, product).events_per_session - sum(slots.values()), 0.3)
    shared = sum(weights[c.name] for c in choices if c.name in weights and not _once(c, constraints))
    scale = shared / max(free - sum(rates.values()), free / 4)
    weights |= {name: rate * (scale or 1 / free) for name, rate in rates.items()}
    found: dict[str, float] = {}
    for choice in choices:
        _reached(choice, min(weights[choice.name], 1.0), found)
    _extras_within_deals(choices, found, order, constraints)
    factors = _INDUSTRY_FACTORS.get(industry_of(product), {})
    for r in order.readings.values():
        kind = order.kinds[r.name]
        if kind is not Kind.SYSTEM:
            found.setdefault(r.name, _FIXED.get(kind, 0.9) * factors.get(kind, 1))
    return {name: round(min(max(found[name], 1e-5), 1.0), 5) for name in order.readings if name in found}


def _reached(choice: _Choice, chance: float, found: dict[str, float]) -> None:
    """Note how likely the events of a choice are: of its head as it is, later on as far as users come."""
    for r in choice.heads:
        found[r.name] = max(found.get(r.name, 0), chance)
    for step in choice.steps[1:]:
        chance *= 1 - (1 - step.probability) ** step.repeats
        weights = step.weights or [1.0] * len(step.events)
        for event, weight in zip(step.events, weights, strict=True):
            found.setdefault(event, chance * weight / sum(weights))


def _extras_within_deals(
    choices: Sequence[_Choice], found: dict[str, float], order: EventOrder, constraints: EventConstraints
) -> None:
    """What is added on the way to a deal, such as a seat, is rarer than the steps of the way."""
    deals = [c for c in choices if {order.kinds[event] for event in c.events} & _DEALS]
    steps = {event for c in deals for step in c.steps[1:] for event in step.events}
    for choice in choices:
        for event in constraints.prerequisites.get(choice.heads[0].name, ()):
            if not choice.steps and event in steps:
                name = choice.heads[0].name
                found[name] = min(found[name], 0.5 * found[event])


def _weight(segment: str, choice: _Choice, order: EventOrder, product: ProductInfo) -> float:
    """Of something usual, against other usual things."""
    r = choice.heads[0]
    kind = order.kinds[r.name]
    industry = _INDUSTRY_FACTORS.get(industry_of(product), {}).get(kind, 1)
    mild = _KEENNESS[segment] / _KEENNESS["active_user"]
    return _USUAL.get(kind, 0.2) * industry * _FACTORS[segment].get(kind, 1) * _frequency(r) * mild


def _seldom_factor(segment: str, choice: _Choice, order: EventOrder, needed: Set[str]) -> float:
    """How much more, or less, often users of a segment do something seldom than active users.

    Args:
        needed: events that what is usual waits for.
    """
    r = choice.heads[0]
    kinds = {order.kinds[event] for event in choice.events}
    kind = next((k for k in (Kind.PAY, Kind.SUBSCRIBE) if k in kinds), order.kinds[r.name])
    factor = _FACTORS[segment].get(kind, {"new_user": 0.7, "power_user": 1.6, "churned_user": 0.5}.get(segment, 1))
    if kind is Kind.SUBSCRIBE and r.phase == "cancel":
        factor = {"churning_user": 3.0, "churned_user": 3.0, "new_user": 0.3}.get(segment, 0.8)
    # Those who are new must first have what others have had for long: a project, a connected device.
    first = segment == "new_user" and any(head.name in needed for head in choice.heads)
    return factor * (5 if first and kind not in (Kind.PAY, Kind.SUBSCRIBE) else 1)
