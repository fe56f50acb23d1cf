"""When users of each segment are there, what they typically do in a session, and how likely each event is."""

from __future__ import annotations

from collections.abc import Mapping

from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.event_kinds import GROUPS, EventKind
from gamestats_assets.demo_data.event_order import EventOrder
from gamestats_assets.demo_data.event_words import Reading, word_set
from gamestats_assets.demo_data.measures import industry_of
from gamestats_assets.demo_data.rules import Activity, EventConstraints, EventSequence

Kind = EventKind

# Daily probability, sessions a day, minutes, events a session, decay a day, churn a day, return a day.
_ACTIVITY: dict[str, tuple[float, float, float, float, float, float, float]] = {
    "new_user": (0.62, 1.6, 11, 9, 0.06, 0.03, 0.01),
    "active_user": (0.58, 1.8, 16, 11, 0.002, 0.004, 0.04),
    "power_user": (0.92, 3.4, 34, 22, 0, 0.0005, 0.2),
    "churning_user": (0.3, 1.2, 7, 5, 0.05, 0.06, 0.01),
    "churned_user": (0.08, 1.0, 4, 3, 0.15, 0.3, 0.002),
    "returning_user": (0.5, 1.5, 14, 10, 0.01, 0.015, 0.08),
}
# Of an industry: factors of the daily probability, sessions, minutes and events.
_INDUSTRY: dict[str, tuple[float, float, float, float]] = {
    "game": (1, 1, 1, 1),
    "ecommerce": (0.5, 0.85, 0.6, 0.9),
    "saas": (0.85, 1.15, 1.2, 1),
    "finance": (0.75, 1.05, 0.4, 0.6),
    "travel": (0.22, 0.8, 0.7, 0.8),
    "food": (0.35, 0.8, 0.5, 0.7),
    "education": (0.65, 0.8, 1.5, 0.8),
    "media": (0.9, 1.1, 2, 0.9),
    "health": (0.8, 0.95, 0.8, 0.6),
    "social": (1.05, 1.6, 0.8, 1.3),
    "mobility": (0.45, 1, 0.35, 0.5),
    "other": (0.7, 0.95, 0.8, 0.8),
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

# In a session of an active user, by kind of event.
_BASE: dict[EventKind, float] = {
    Kind.INSTALL: 1, Kind.DEVICE: 1, Kind.REGISTER: 0.9, Kind.SESSION_START: 1, Kind.SESSION_END: 1,
    Kind.GOODBYE: 0.002,
    Kind.CRASH: 0.01, Kind.ONBOARDING: 0.9, Kind.VERIFY: 0.1, Kind.SEARCH: 0.45, Kind.BROWSE: 0.4, Kind.CART: 0.12,
    Kind.CHECKOUT: 0.06, Kind.PAY: 0.05, Kind.PAY_FAIL: 0.008, Kind.AFTER_SALE: 0.03, Kind.SUBSCRIBE: 0.02,
    Kind.MONEY: 0.25, Kind.AD: 0.35, Kind.EXPOSURE: 0.3, Kind.SHARE: 0.06, Kind.SOCIAL: 0.12, Kind.GROUP: 0.08,
    Kind.ADVANCED: 0.2, Kind.GROWTH: 0.3, Kind.EARN: 0.45, Kind.SPEND: 0.35, Kind.GACHA: 0.2, Kind.CREATE: 0.25,
    Kind.REMOVE: 0.03, Kind.SETTING: 0.06, Kind.SUPPORT: 0.01, Kind.BAD: 0.15, Kind.CORE: 0.6, Kind.OTHER: 0.2,
}  # fmt: skip
_FACTORS: dict[str, dict[EventKind, float]] = {
    "new_user": {
        Kind.PAY: 0.3, Kind.CHECKOUT: 0.45, Kind.SUBSCRIBE: 0.5, Kind.ADVANCED: 0.1, Kind.GROUP: 0.3, Kind.SOCIAL: 0.4,
        Kind.SHARE: 0.5, Kind.AFTER_SALE: 0.2, Kind.GOODBYE: 2, Kind.GACHA: 0.7, Kind.CREATE: 0.8, Kind.VERIFY: 3,
        Kind.SETTING: 1.5, Kind.CART: 0.6, Kind.ONBOARDING: 1.05,
    },
    "active_user": {},
    "power_user": {
        Kind.PAY: 3.2, Kind.CHECKOUT: 2.6, Kind.SUBSCRIBE: 1.3, Kind.ADVANCED: 3.2, Kind.GROUP: 2.2, Kind.SOCIAL: 1.8,
        Kind.SHARE: 1.6, Kind.AFTER_SALE: 1.5, Kind.GOODBYE: 0.2, Kind.GACHA: 1.8, Kind.CREATE: 1.6, Kind.CORE: 1.4,
        Kind.CART: 1.7, Kind.GROWTH: 1.5, Kind.SPEND: 1.4, Kind.EARN: 1.2, Kind.AD: 0.8, Kind.MONEY: 1.5,
        Kind.SEARCH: 1.2,
    },
    "churning_user": {
        Kind.PAY: 0.3, Kind.CHECKOUT: 0.4, Kind.SUBSCRIBE: 0.8, Kind.ADVANCED: 0.4, Kind.GROUP: 0.5, Kind.SOCIAL: 0.5,
        Kind.SHARE: 0.3, Kind.GOODBYE: 6, Kind.GACHA: 0.5, Kind.CREATE: 0.5, Kind.CORE: 0.7, Kind.CART: 0.5,
        Kind.BAD: 1.6,
        Kind.GROWTH: 0.6, Kind.CRASH: 2, Kind.PAY_FAIL: 1.5,
    },
    "churned_user": {
        Kind.PAY: 0.1, Kind.CHECKOUT: 0.15, Kind.SUBSCRIBE: 0.4, Kind.ADVANCED: 0.15, Kind.GROUP: 0.2, Kind.SOCIAL: 0.2,
        Kind.SHARE: 0.1, Kind.GOODBYE: 20, Kind.GACHA: 0.2, Kind.CREATE: 0.3, Kind.CORE: 0.5, Kind.CART: 0.2,
        Kind.BAD: 1.8,
        Kind.GROWTH: 0.3, Kind.CRASH: 2.5,
    },
    "returning_user": {
        Kind.PAY: 0.9, Kind.ADVANCED: 0.7, Kind.GROUP: 0.7, Kind.SOCIAL: 0.9, Kind.EARN: 1.4, Kind.CORE: 1.05,
        Kind.SEARCH: 1.1,
    },
}  # fmt: skip
_INDUSTRY_FACTORS: dict[str, dict[EventKind, float]] = {
    "ecommerce": {
        Kind.REGISTER: 0.55,
        Kind.BROWSE: 1.6,
        Kind.CART: 1.8,
        Kind.CHECKOUT: 1.8,
        Kind.PAY: 1.6,
        Kind.CORE: 0.4,
        Kind.AD: 0.4,
    },
    "food": {Kind.BROWSE: 1.6, Kind.CART: 2.4, Kind.CHECKOUT: 3, Kind.PAY: 4, Kind.AD: 0.3},
    "travel": {Kind.REGISTER: 0.55, Kind.SEARCH: 1.6, Kind.BROWSE: 1.8, Kind.PAY: 1.2, Kind.AD: 0.4},
    "saas": {Kind.CREATE: 2, Kind.CORE: 1.1, Kind.PAY: 0.3, Kind.GROUP: 1.6, Kind.AD: 0.1, Kind.ADVANCED: 0.8},
    "media": {Kind.SEARCH: 0.9, Kind.BROWSE: 1.5, Kind.CORE: 1.3, Kind.PAY: 0.3, Kind.SOCIAL: 1.5},
    "finance": {Kind.PAY: 3, Kind.CHECKOUT: 2, Kind.MONEY: 1.4, Kind.AD: 0.2},
    "health": {Kind.PAY: 0.5, Kind.GROWTH: 0.6, Kind.CREATE: 0.8},
    "education": {Kind.PAY: 0.5, Kind.CORE: 1.2},
    "social": {Kind.SOCIAL: 3.5, Kind.SHARE: 2, Kind.CREATE: 1.5, Kind.PAY: 0.4},
}
_RARELY_WITHIN = frozenset(
    {Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.PAY, Kind.CHECKOUT, Kind.SUBSCRIBE, Kind.AFTER_SALE}
)
"""Kinds of events whose sequences are no part of the core of a product, unless it sells things."""
_LOOPS = {"new_user": 2, "active_user": 3, "power_user": 5, "churning_user": 1, "churned_user": 1, "returning_user": 3}
"""How many sequences make a typical session."""


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


def event_sequence(segment: str, order: EventOrder, constraints: EventConstraints, product: ProductInfo) -> list[str]:
    """What users of a segment typically do in a session, between its start and its end."""
    found: list[str] = []
    if segment == "new_user":
        for sequence in constraints.sequences:
            if sequence.kind == "onboarding":
                found += _good_path(order, sequence)
    loops = [s for s in constraints.sequences if s.kind != "onboarding"]
    ranked = sorted(loops, key=lambda s: -_centrality(order, s, segment, product))
    central = [s for s in ranked if _centrality(order, s, segment, product) > 1]
    chosen = (central or [s for s in ranked if _centrality(order, s, segment, product) > 0.6])[: _LOOPS[segment]]
    for sequence in sorted(chosen, key=lambda s: order.readings[s.steps[0].events[0]].index):
        found += _good_path(order, sequence)
    if not chosen:
        heart = _AT_HEART.get(industry_of(product), frozenset())
        own = [
            r for r in order.readings.values() if order.kinds[r.name] in _CORE_KINDS and r.name not in constraints.once
        ]
        own.sort(key=lambda r: not r.things & heart)
        follows = {event for s in constraints.sequences for step in s.steps[1:] for event in step.events}
        found += [r.name for r in own if r.name not in follows][: _LOOPS[segment] + 1]
    return list(dict.fromkeys(found))


_CORE_KINDS = (Kind.CORE, Kind.CREATE, Kind.OTHER, Kind.BROWSE, Kind.SEARCH, Kind.EARN, Kind.MONEY)


def _good_path(order: EventOrder, sequence: EventSequence) -> list[str]:
    """The better outcome of every step."""

    def rank(event: str) -> tuple[bool, bool]:
        r = order.readings[event]
        return r.fails or r.phase == "pause", not r.succeeds and any(order.readings[e].succeeds for e in of_step)

    path: list[str] = []
    for step in sequence.steps:
        of_step = step.events
        path.append(min(of_step, key=rank))
    return path


def _centrality(order: EventOrder, sequence: EventSequence, segment: str, product: ProductInfo) -> float:
    """How much a sequence is what the product is for, to users of a segment."""
    industry = industry_of(product)
    kinds = {order.kinds[event] for step in sequence.steps for event in step.events}
    sells = industry in ("ecommerce", "travel", "food") or (industry == "other" and Kind.CART in kinds)
    if Kind.ADVANCED in kinds:
        return 5.0 if segment == "power_user" else 0.5 if segment in ("active_user", "returning_user") else 0.0
    if kinds & {Kind.PAY, Kind.CHECKOUT, Kind.CART} and sequence.kind == "funnel":
        return 6.0 if sells else 1.5 if segment == "power_user" else 0.0
    if kinds & _RARELY_WITHIN:
        return 0.3 if segment == "power_user" and Kind.AD in kinds else 0.0
    heart = _AT_HEART.get(industry, frozenset())
    readings = [order.readings[event] for step in sequence.steps for event in step.events]
    if any(r.says("survey", "download", "upload", "verify") for r in readings):
        return 0.4
    if any(r.things & heart or r.topic & heart for r in readings):
        return 5.0
    if Kind.SPEND in kinds:
        return 1.5
    return 3.0 if Kind.CORE in kinds and (order.is_game or not heart) else 0.8


_AT_HEART: Mapping[str, frozenset[str]] = {
    "game": word_set("stage battle level game_match quest dungeon game round puzzle"),
    "media": word_set("video music content episode article"),
    "education": word_set("lesson course quiz"),
    "health": word_set("workout meal sleep"),
    "finance": word_set("transfer pay stock"),
    "mobility": word_set("ride"),
    "saas": word_set("task project document"),
}


# What makes an event rarer, or more frequent, than others of its kind.
_FREQUENCY: dict[str, float] = {
    "survey": 0.04, "coupon": 0.15, "bookmark": 0.3, "refund": 0.1, "download": 0.25, "upload": 0.5, "return": 0.1,
    "exchange": 0.3, "review": 0.4,
    "rate": 0.4, "ship": 1.3, "deliver": 1.3, "ticket": 0.06, "workspace": 0.2, "project": 0.35, "api": 0.1,
    "integration": 0.1, "deposit": 0.4, "music": 0.5, "invite": 0.4, "loan": 0.08, "certificate": 0.1,
    "enroll": 0.25, "assignment": 0.3,
    "dissolve": 0.03, "leave": 0.08, "unlock": 0.5, "achievement": 0.3, "achieve": 0.5, "goal": 0.5, "delete": 0.15,
    "unfollow": 0.1, "unlike": 0.1, "disconnect": 0.1, "disable": 0.3, "chat": 2, "resume": 0.15, "retry": 0.5,
    "report": 0.15, "block": 0.1, "auction": 0.4, "first": 0.2, "paymethod": 0.4, "bankaccount": 0.1, "issue": 0.2,
    "withdraw": 0.4, "code": 0.3, "export": 0.5, "admin": 0.4, "setting": 0.6, "edit": 0.5, "archive": 0.2,
}  # fmt: skip


def _frequency(r: Reading) -> float:
    """A factor of how often an event happens, by its words."""
    factor = 1.0
    for word in r.words:
        factor *= _FREQUENCY.get(word, 1.0)
    if r.things & GROUPS and (r.says("create") or r.says("join")):
        factor *= 0.15 if r.says("create") else 0.5
    if r.action == "view" and (r.things & {"plan", "paywall", "premium"} or r.says("subscribe")):
        factor *= 0.2
    if r.phase == "request" and r.things & {"card", "job", "paymethod"}:
        factor *= 0.1
    return max(factor, 0.01)


def event_probabilities(
    segment: str, order: EventOrder, constraints: EventConstraints, product: ProductInfo
) -> dict[str, float]:
    """How likely each event that a user may cause is in a session, 0 to 1."""
    core = set(event_sequence(segment, order, constraints, product))
    often = {
        event: 0.72 if central > 2 else 0.4
        for sequence in constraints.sequences
        if (central := _centrality(order, sequence, segment, product)) > 1.4 or sequence.name == "discovery"
        for event in sequence.steps[0].events
        if not {Kind.PAY, Kind.CHECKOUT} & {order.kinds[event]}
    }
    factors = _INDUSTRY_FACTORS.get(industry_of(product), {})
    found: dict[str, float] = {}
    for r in order.readings.values():
        kind = order.kinds[r.name]
        if kind is Kind.SYSTEM:
            continue
        chance = _BASE[kind] * factors.get(kind, 1) * _FACTORS[segment].get(kind, 1)
        if kind not in _FIXED:
            chance *= _frequency(r)
        if r.name in core and r.name in often:
            chance = max(chance, often[r.name] - (0.17 if segment in ("churning_user", "churned_user") else 0))
        if segment == "new_user" and kind is Kind.ONBOARDING:
            chance = 0.95
        if r.fails and kind not in (Kind.PAY_FAIL, Kind.GOODBYE):
            chance *= 0.5
        if kind is Kind.SUBSCRIBE and r.phase == "cancel":
            chance *= 2.5 if segment in ("churning_user", "churned_user") else 0.5
        if kind in (Kind.SESSION_START, Kind.SESSION_END, Kind.INSTALL):
            chance = 1.0
        found[r.name] = round(min(max(chance, 0.001), 1.0), 4)
    return found


_FIXED = frozenset({Kind.INSTALL, Kind.DEVICE, Kind.REGISTER, Kind.SESSION_START, Kind.SESSION_END, Kind.ONBOARDING})
