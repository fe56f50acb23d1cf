"""When users of each segment are there, what they typically do in a session, and how likely each event is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import takewhile

from gamestats_assets.demo_data.analysis.event_consequences import (
    COMPLAINT,
    consequences,
    is_trouble,
    lives_of,
    opinion,
)
from gamestats_assets.demo_data.analysis.event_kinds import GROUPS, EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import Reading, word_set
from gamestats_assets.demo_data.analysis.measures import industry_of
from gamestats_assets.demo_data.analysis.working_week import used_at_work
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
_MONEY = frozenset({Kind.PAY_FAIL, Kind.SUBSCRIBE, *_DEALS})
_BY_THE_WAY = frozenset({Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.AFTER_SALE, Kind.SUPPORT, Kind.SETTING, *_MONEY})
"""Kinds of events that make no core of a product, unless it sells things."""


def activity(segment: str, product: ProductInfo, *, at_work: bool = False) -> Activity:
    """When users of a segment are there, by industry and platform.

    Args:
        at_work: whether they are there for their company, in its hours.
    """
    daily, sessions, minutes, events, decay, churn, comeback = _ACTIVITY[segment]
    industry = industry_of(product)
    of_industry = _INDUSTRY.get(industry, _INDUSTRY["other"])
    of_platform = _PLATFORM[product.platform]
    rhythm = "saas" if at_work else industry
    hours = [float(hour) for hour in _HOURS.get(rhythm, _SHOPPING).split()]
    if segment == "power_user":  # the keenest are there at all hours
        mean = sum(hours) / 24
        hours = [round(0.75 * hour + 0.25 * mean, 3) for hour in hours]
    elif segment in ("churning_user", "churned_user"):
        hours = [round(hour**1.15, 3) for hour in hours]
    return Activity(
        daily_probability=round(min(daily * of_industry[0] * of_platform[0], 0.97), 4),
        weekday_weights=list(_WEEK.get(rhythm, (1.0,) * 7)),
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

    def reached(self) -> dict[str, float]:
        """How often each event happens when this is chosen, if every door is open."""
        found: dict[str, float] = {}
        at: dict[str, float] = {}
        for number, step in enumerate(self.steps):
            on_the_way = sum(often for event, often in at.items() if not step.follows or event in step.follows)
            chance = on_the_way * (1 - (1 - step.probability) ** step.repeats) if number else 1.0
            weights = step.weights or [1.0] * len(step.events)
            at = {event: chance * weight / sum(weights) for event, weight in zip(step.events, weights, strict=True)}
            for event, often in at.items():
                found.setdefault(event, often)
        return found or {r.name: 1 / len(self.heads) for r in self.heads}


class Habits:
    """What is known of a product's events when it is worked out how often each happens."""

    def __init__(self, order: EventOrder, constraints: EventConstraints) -> None:
        self.order, self.constraints, self.product = order, constraints, order.product
        self.industry = industry_of(order.product)
        self.at_work = not order.is_game and used_at_work(order.taxonomy, order.product)
        self.follows = consequences(order, constraints)
        self.served = self._served()
        self.choices = self._choices()
        self.seldom = {c.name: rate for c in self.choices if (rate := self._rate(c)) is not None}

    def _choices(self) -> list[_Choice]:
        """Everything that is chosen, in the order of the sheet; no onboarding, nothing at a fixed place."""
        order, constraints = self.order, self.constraints
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

    def _served(self) -> set[str]:
        """What is booked or ordered where the service itself is seen as well: a cleaning that begins and ends."""
        heart = _AT_HEART.get(self.industry, frozenset())
        least = 2 if any((r.things | r.topic) & heart for r in self.order.readings.values()) else 1
        found: set[str] = set()
        for life in lives_of(self.order):
            stages = [r for r in life.others if not is_trouble(self.order, r) and not opinion(r)]
            seen = sum(self.order.kinds[r.name] in (Kind.CORE, Kind.OTHER) for r in stages)
            if seen >= least and self.order.kinds[life.birth.name] in _MONEY:
                found.add(life.birth.name)
        return found

    def kinds(self, choice: _Choice) -> list[EventKind]:
        """Kinds of all its events."""
        return [self.order.kinds[event] for event in choice.events]

    def all_in(self, choice: _Choice, names: Iterable[str]) -> bool:
        """Whether every event that begins it is one of some."""
        return {r.name for r in choice.heads} <= set(names)

    def sells(self, choice: _Choice) -> bool:
        """Whether to buy is what the product is for, and this leads to it."""
        kinds = self.kinds(choice)
        shop = self.industry in ("ecommerce", "travel", "food") or (self.industry == "other" and Kind.CART in kinds)
        return (shop and Kind.PAY in kinds) or bool({r.name for r in choice.heads} & self.served)

    def _mostly(self, choice: _Choice, kinds: Set[EventKind]) -> bool:
        """Whether at least half of its events are of some kinds; what may go wrong does not count."""
        good = [e for e in choice.events if not self.order.readings[e].fails] or choice.events
        return 2 * sum(self.order.kinds[event] in kinds for event in good) >= len(good)

    def event_sequence(self, segment: str) -> list[str]:
        """What users of a segment typically do in a session, between its start and its end."""
        found: list[str] = []
        if segment == "new_user":
            for sequence in self.constraints.sequences:
                if sequence.kind == "onboarding":
                    found += _good_path(self.order, sequence.steps)
        for choice in self.typical(segment):
            path = _good_path(self.order, choice.steps) or [choice.heads[0].name]
            found += takewhile(self._is_usual, path)
        return list(dict.fromkeys(found))

    def usual_events(self, choice: _Choice) -> list[str]:
        """Those of a choice that go on with it."""
        return [event for event in choice.events if self._is_usual(event)]

    def _is_usual(self, event: str) -> bool:
        """Whether something happens to most of what it follows."""
        rare = event in self.follows and self.follows[event].share < 0.5
        return not rare and not is_trouble(self.order, self.order.readings[event])

    def event_probabilities(self, segment: str) -> dict[str, float]:
        """How likely each event that a user may cause is in a session, 0 to 1.

        What is usual shares the choices that users have in a session; of what is not, there is as much in a session
        as is seldom, however many or few the usual things are; and what follows other things is as frequent as these
        allow.
        """
        order = self.order
        weights = _Shares(self, segment).weights()
        found: dict[str, float] = {}
        for choice in self.choices:
            _reached(choice, min(weights[choice.name], 1.0), found)
        extras = [c for c in self.choices if not self.all_in(c, self.follows)]
        _extras_within_deals(extras, found, order, self.constraints)
        factors = _INDUSTRY_FACTORS.get(self.industry, {})
        for r in order.readings.values():
            kind = order.kinds[r.name]
            if kind is not Kind.SYSTEM:
                found.setdefault(r.name, _FIXED.get(kind, 0.9) * factors.get(kind, 1))
        return {name: round(min(max(found[name], 1e-5), 1.0), 6) for name in order.readings if name in found}

    # ----------------------------------------------------------------- the core

    def typical(self, segment: str) -> list[_Choice]:
        """The most central choices, in the order of the sheet."""
        scores = {c.name: self.centrality(c, segment) for c in self.choices}
        ranked = sorted((c for c in self.choices if self._repeats(c)), key=lambda c: -scores[c.name])
        best = max((scores[c.name] for c in ranked), default=0)
        least = 1 if self.order.is_game else max(1, 0.6 * best)
        central = [c for c in ranked if scores[c.name] > least] or [c for c in ranked if scores[c.name] > 0.6]
        chosen = {c.name for c in central[: _LOOPS[segment]]}
        while more := self._leading_to(chosen):
            chosen |= more
        return [c for c in self.choices if c.name in chosen]

    def _leading_to(self, chosen: Set[str]) -> set[str]:
        """What something typical follows is typical as well."""
        asked = {b for c in self.choices if c.name in chosen for r in c.heads for b in self._before(r.name)}
        return {c.name for c in self.choices if asked & set(c.events) and self._repeats(c)} - chosen

    def _repeats(self, choice: _Choice) -> bool:
        """Whether something is done again and again."""
        constraints = self.constraints
        if self.all_in(choice, {*constraints.once, *constraints.daily, *constraints.final}):
            return False
        follows = [self.follows[r.name].share for r in choice.heads if r.name in self.follows]
        asked = {before for r in choice.heads for before in self._before(r.name)}
        if any(asked & set(c.events) and c.name in self.seldom for c in self.choices):
            return False
        if (follows and max(follows) < 0.5) or any(is_trouble(self.order, r) for r in choice.heads):
            return False
        return choice.name not in self.seldom

    def centrality(self, choice: _Choice, segment: str) -> float:
        """How much a choice is what the product is for, to users of a segment."""
        kinds = set(self.kinds(choice))
        readings = [self.order.readings[event] for event in choice.events]
        heart = _AT_HEART.get(self.industry, frozenset())
        if not choice.steps:
            return self._of_one(choice, readings[0], heart)
        if Kind.ADVANCED in kinds:
            return 5.0 if segment == "power_user" and self.order.is_game else 0.5
        if self.sells(choice):
            return 6.0
        if self._mostly(choice, _BY_THE_WAY):
            return 0.0
        if any(r.says(*_ASIDE) for r in choice.heads):
            return 0.4
        usual = {event for event, often in choice.reached().items() if often > 0.2}
        if any(r.things & heart or r.topic & heart for r in readings if self._is_done(r, usual)):
            return 5.0
        if Kind.SPEND in kinds:
            return 1.5
        if self.order.is_game:
            return 3.0 if Kind.CORE in kinds else 0.8
        return (2.0 if Kind.CORE in kinds else 0.8) + 0.5 * min(len(choice.steps) - 2, 4) + self._needed(choice)

    def _is_done(self, r: Reading, usual: Set[str]) -> bool:
        """Whether it is no mere look at things, and reached by more than a few."""
        looks = self.order.kinds[r.name] is Kind.BROWSE
        return r.name in usual and (self.order.is_game or not looks or self._both(r, Kind.CREATE))

    def is_made_for_all(self, choice: _Choice) -> bool:
        """Whether it makes what others look at."""
        makes = [r for r in choice.heads if self.order.kinds[r.name] is Kind.CREATE]
        return not choice.steps and any(self._both(r, Kind.BROWSE) for r in makes)

    def _both(self, r: Reading, kind: EventKind) -> bool:
        """Whether there is an event of a kind about the same thing, such as a post that is written and looked at."""
        return any(o.topic == r.topic for o in self.order.of(kind) if o is not r)

    def _of_one(self, choice: _Choice, r: Reading, heart: frozenset[str]) -> float:
        kind = self.order.kinds[r.name]
        by_the_way = r.action in ("upload", "download", "export", "share", "import", "search")
        if kind is Kind.CREATE and self._both(r, Kind.BROWSE):  # more look at things than make them
            return 0.5
        at_work = kind in _AT_WORK and not by_the_way
        near = at_work and bool(r.things & heart or r.topic & heart)
        if self.order.is_game:  # what is done by the way is no more than that
            return 2.0 if near and r.phase else 0.5
        if near:
            main = 4.2 if kind in (Kind.CORE, Kind.MONEY, Kind.PAY) else 4.1 if kind is Kind.CREATE else 3.9
            return main - (2 if kind is Kind.SOCIAL else 0)
        if kind is Kind.CREATE:  # what is set up once is used often
            return 0.8
        return (0.8 if kind in _AT_WORK else 0.5) + (self._needed(choice) + self._tagged(r) if at_work else 0)

    def _tagged(self, r: Reading) -> float:
        """More for the events of the tag that has most of what users do."""
        tags = Counter(
            o.tag
            for o in self.order.readings.values()
            if self.order.kinds[o.name] in (Kind.CORE, Kind.OTHER, Kind.BROWSE)
        )
        return 0.3 * tags[r.tag] / max(tags.values(), default=1) if r.tag else 0

    def _needed(self, choice: _Choice) -> float:
        """More, the more events wait for it or follow it: those that nothing else leads to come first."""
        own = set(choice.events)
        waiting = 0
        for name in self.order.readings:
            asked = {*self.constraints.prerequisites.get(name, ()), *self._before(name)}
            waiting += name not in own and bool(asked & own) and name not in self.constraints.once
        return min(waiting, 8) / 6

    def _before(self, name: str) -> tuple[str, ...]:
        return self.follows[name].before if name in self.follows else ()

    # ----------------------------------------------------------------- what is seldom

    def _rate(self, choice: _Choice) -> float | None:
        """In how many sessions of an active user something happens; None of what is usual, or follows other things."""
        r = choice.heads[0]
        kind = self.order.kinds[r.name]
        constraints = self.constraints
        if (
            kind is Kind.GOODBYE
            or _FOR_GOOD.search(self.order.taxonomy.event(r.name).description)
            or self.all_in(choice, constraints.final)
        ):
            return _SELDOM[Kind.GOODBYE]
        if self.all_in(choice, constraints.daily):
            return 0.5
        if self.all_in(choice, self.follows) and all(self.follows[head.name].surely for head in choice.heads):
            return None
        if any(is_trouble(self.order, head) for head in choice.heads) and kind not in _SELDOM:
            return _TROUBLE
        if opinion(r) in ("rate", "review") and kind not in _SELDOM:
            return _OPINION
        if self.all_in(choice, constraints.once) and self._is_of_everybody(r, kind):
            return None
        if not self.sells(choice) and (said := _said(self.order.taxonomy.event(r.name).description)) is not None:
            return said
        if {head.name for head in choice.heads} & self.served:
            return None
        if choice.steps and not self.sells(choice) and (rate := self._rate_of_deal(choice)) is not None:
            return rate
        rate = self._rate_by_words(r, kind)
        return rate if self._stays_seldom(choice) else None

    def complaints(self, choice: _Choice) -> float | None:
        """In how many sessions at most there is a complaint about what is done many times in each."""
        told = [self.follows[r.name].share for r in choice.heads if r.name in self.follows]
        return _COMPLAINTS if told and max(told) <= COMPLAINT else None

    def _is_of_everybody(self, r: Reading, kind: EventKind) -> bool:
        """Whether what happens once is on the way to what users come for."""
        usual = [o.index for o in self.order.readings.values() if self.order.kinds[o.name] in (Kind.CORE, Kind.BROWSE)]
        return kind not in _OPTIONAL and not r.says("first", "trial") and r.index < min(usual, default=0)

    def _stays_seldom(self, choice: _Choice) -> bool:
        """A process of several steps is not seldom because of a word."""
        return len(choice.steps) < 4 or self._mostly(choice, _BY_THE_WAY)

    def _rate_of_deal(self, choice: _Choice) -> float | None:
        """Of a way to a payment where something else is what the product is for: as often as leads to few payments."""
        if not self._mostly(choice, {Kind.BROWSE, *_BY_THE_WAY}) or self.industry == "finance":
            return None
        reached = choice.reached()
        tags = {r.tag for r in choice.heads}
        paid = [
            e
            for e in reached
            if self.order.readings[e].tag in tags
            and self.order.kinds[e] in (Kind.PAY, Kind.SUBSCRIBE)
            and e not in self._heads(choice)
        ]
        if not paid:
            return None
        kind = self.order.kinds[paid[-1]]
        rate = _SELDOM[kind] * _INDUSTRY_FACTORS.get(self.industry, {}).get(kind, 1)
        return min(rate / max(reached[paid[-1]], 0.01), 0.3)

    @staticmethod
    def _heads(choice: _Choice) -> set[str]:
        return {r.name for r in choice.heads}

    def _rate_by_words(self, r: Reading, kind: EventKind) -> float | None:
        is_group = bool(r.things & GROUPS)
        deeds = [
            rate
            for (does, to), rate in _SELDOM_DEEDS.items()
            if does in (r.action, r.phase)
            and (r.things == {to} or (to == "guild" and is_group) or to in r.topic - r.things)
        ]
        if deeds:
            return min(deeds)
        if kind is Kind.PAY and self.industry == "finance" and r.says("pay"):
            return None  # to pay is what people have it for
        if kind is Kind.SUBSCRIBE and self._is_of_catalogue(r):
            return _SELDOM_WORDS["bookmark"]
        words = set(r.words) - (_PLAYED if self.order.is_game and kind not in _SELDOM else set())
        rates = [rate for word, rate in _SELDOM_WORDS.items() if word in words and r.action != "search"]
        usual = kind not in _SELDOM or (kind is Kind.SHARE and self.industry == "social")
        if not rates and usual:
            return None
        rate: float = min([*rates, *([] if usual else [_SELDOM.get(kind, 0.02)])])
        return rate * _INDUSTRY_FACTORS.get(self.industry, {}).get(kind, 1)

    def _is_of_catalogue(self, r: Reading) -> bool:
        """Whether a subscription is to one of the things that are looked at, which costs nothing."""
        looks = [o for o in self.order.of(Kind.BROWSE) if o.name != r.name]
        return any(o.properties & r.properties and not o.says("plan", "paywall", "premium") for o in looks)


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


_AT_WORK = frozenset({Kind.CORE, Kind.CREATE, Kind.OTHER, Kind.BROWSE, Kind.SEARCH, Kind.MONEY, Kind.PAY, Kind.SOCIAL})
_TROUBLE = 0.006
"""In how many sessions there is something that goes wrong by itself."""
_COMPLAINTS = 0.025
"""Likewise of what goes wrong with something that is done many times."""
_OPINION = 0.02
"""Likewise an opinion on nothing that is known."""
_SAID: Mapping[str, float] = {
    r"\b(?:yearly|annual(?:ly)?|(?:once a|every|per) year)\b|연\s?1회|매년|毎年|年に?1回": 0.002,
    r"\b(?:monthly|(?:once a|every|per) month)\b|월\s?1회|매월|매달|毎月|月に?1回": 0.02,
    r"\b(?:weekly|(?:once a|every|per) week)\b|주\s?1회|매주|毎週|週に?1回": 0.08,
    r"\b(?:rarely|seldom|occasional(?:ly)?|exceptional(?:ly)?)\b|드물게|まれに|稀に": 0.008,
    r"\b(?:replace(?:d|ment|s)?|re-?issued?)\b|재발급|再発行": 0.008,
}
"""What descriptions say of how often something happens, and in how many sessions that is."""
_FOR_GOOD = re.compile(
    r"\b(?:deletes?|closes?|removes?|gives? up) (?:the|an|his|her|their|his or her) (?:user )?account\b"
    r"|\baccount (?:is |was |has been )?(?:deleted|closed for good)|\bfor good\b"
    r"|회원\s?탈퇴|(?:계정|서비스)(?:을|를)? (?:삭제|탈퇴)|退会|アカウント(?:を)?削除",
    re.IGNORECASE,
)
_OPTIONAL = frozenset(
    {
        *(Kind.VERIFY, Kind.SUBSCRIBE, Kind.PAY, Kind.CHECKOUT, Kind.SHARE, Kind.MONEY, Kind.ADVANCED),
        *(Kind.SOCIAL, Kind.SUPPORT, Kind.CRASH, Kind.AFTER_SALE),
    }
)
"""Kinds of what happens once, and to few."""
_OFTEN = re.compile(
    r"\b(?:every|each) (?:\d+|few|couple of) ?(?:s|sec\w*|min\w*)\b|\b(?:often|frequently|continuously|constantly)\b"
    r"|\d+\s?(?:초|분)마다|자주|수시로|\d+(?:秒|分)(?:ごと|毎)|頻繁",
    re.IGNORECASE,
)


def _said(description: str) -> float | None:
    rates = [rate for words, rate in _SAID.items() if re.search(words, description, re.IGNORECASE)]
    return min(rates, default=None)


_ASIDE = ("survey", "download", "upload", "verify", "loan", "filter")
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
    "profile": 0.2, "mail": 0.6, "comment": 0.6, "import": 0.2,
}  # fmt: skip
_PLAYED = word_set("challenge goal board edit archive plan enroll download premium enable address")
"""Words that tell of nothing seldom in a game."""
_SOON = 0.4
"""In how many sessions of new users there is what the core waits for: a means of payment, a first project."""
_ASIDE_AT_MOST = 1.5
"""Free choices of what is not the core, against those of the core."""


def _frequency(r: Reading) -> float:
    """A factor of how often an event happens, by its words."""
    factor = 1.0
    for word in r.words:
        factor *= _FREQUENCY.get(word, 1.0)
    return factor * (0.5 if r.fails else 1)


class _Shares:
    """How the choices of a session of a segment are shared out.

    A typical choice is made by itself, and freely as well, with the same figure; free choices only go by how the
    figures compare. So all figures are those of a free choice of the typical things.
    """

    def __init__(self, habits: Habits, segment: str) -> None:
        self.habits, self.segment = habits, segment
        keen = _KEENNESS[segment]
        typical = habits.typical(segment)
        self.slots = {c.name: keen * (1 if habits.centrality(c, segment) > 2 else 0.55) for c in typical}
        self.events = activity(segment, habits.product).events_per_session
        self.free = max(self.events - sum(self.slots.values()), 0.3)
        self.at_most = {
            c.name: rate * _seldom_factor(segment, c, habits.order, frozenset())
            for c in habits.choices
            if (rate := habits.seldom.get(c.name, habits.complaints(c))) is not None
        }
        follow = {c.name for c in habits.choices if c.name not in self.slots and habits.all_in(c, habits.follows)}
        self.following = [c for c in habits.choices if c.name in follow]
        self.rates = self._seldom(follow)
        self.usual = self._usual(follow)

    def _seldom(self, follow: Set[str]) -> dict[str, float]:
        habits = self.habits
        rates = {n: rate for n, rate in habits.seldom.items() if n not in self.slots and n not in follow}
        by_name = {c.name: c for c in habits.choices}
        needed = self._asked_by(c for c in habits.choices if c.name not in rates)
        found = {n: rate * _seldom_factor(self.segment, by_name[n], habits.order, needed) for n, rate in rates.items()}
        if self.segment == "new_user":  # who waits for it at every step of the core gets it at once
            at_core = self._asked_by(by_name[name] for name in self.slots)
            soon = {n for n in found if at_core & {r.name for r in by_name[n].heads}}
            found |= {n: max(found[n], _SOON) for n in soon}
        return found

    def _asked_by(self, choices: Iterable[_Choice]) -> set[str]:
        """What must have happened, not just once, before some choices are open from the beginning to the end."""
        constraints = self.habits.constraints
        events = {event for c in choices for event in self.habits.usual_events(c)}
        return (
            {b for event in events for b in constraints.prerequisites.get(event, ())} - set(constraints.once) - events
        )

    def _usual(self, follow: Set[str]) -> dict[str, float]:
        habits = self.habits
        found = {
            c.name: self.slots.get(c.name) or _weight(self.segment, c, habits.order, habits.constraints.once)
            for c in habits.choices
            if c.name not in self.rates and c.name not in follow
        }
        once = {c.name for c in habits.choices if habits.all_in(c, habits.constraints.once)}
        core = sum(found[name] for name in self.slots)
        at_core = self._asked_by(c for c in habits.choices if c.name in self.slots)
        found |= {n: often for n, often in self._led_to(found, at_core).items() if n not in self.slots}
        if core and not habits.order.is_game:
            found |= {n: w * 0.4 for n, w in found.items() if n not in self.slots and self._is_core_by_kind(n)}
        aside = sum(weight for name, weight in found.items() if name not in self.slots and name not in once)
        scale = min(_ASIDE_AT_MOST * core / aside, 1) if core and aside else 1
        return {name: weight if name in self.slots else weight * scale for name, weight in found.items()}

    def _led_to(self, weights: Mapping[str, float], wanted: Set[str]) -> dict[str, float]:
        """Figures of what leads to things that the core waits for: new users do it soon, others seldom set up more."""
        found: dict[str, float] = {}
        for c in self.habits.choices:
            kinds = set(self.habits.kinds(c))
            if c.name in weights and self.habits.is_made_for_all(c):
                found[c.name] = weights[c.name] * 0.3
            often = max((often for event, often in c.reached().items() if event in wanted), default=0)
            if c.name in weights and often and Kind.PAY not in kinds:
                if self.segment == "new_user":
                    found[c.name] = max(weights[c.name], min(_SOON / often, 1))
                elif kinds == {Kind.CREATE}:
                    found[c.name] = weights[c.name] * 0.3
        return found

    def _is_core_by_kind(self, name: str) -> bool:
        """Whether something would be taken for the core, were there no other."""
        return any(
            c.name == name and self.habits.order.kinds[c.heads[0].name] is Kind.CORE for c in self.habits.choices
        )

    def _expected(self, scale: float) -> dict[str, float]:
        """How often each choice is made in a session, when the figures of usual ones are scaled to be frequencies."""
        habits = self.habits
        found = {name: weight * scale for name, weight in self.usual.items()} | self.rates
        happens: dict[str, float] = {}
        reached = {c.name: c.reached() for c in habits.choices}

        def note(name: str) -> None:
            for event, often in reached[name].items():
                happens[event] = happens.get(event, 0) + often * (found[name] + self.slots.get(name, 0))

        for name in found:
            note(name)
        waiting = list(self.following)
        while waiting:
            inner = {event for c in waiting for event in c.events}
            ready = [c for c in waiting if not self._asks(c) & (inner - set(c.events))] or waiting[:1]
            for choice in ready:
                often = sum(
                    habits.follows[r.name].share * sum(happens.get(b, 0) for b in habits.follows[r.name].before)
                    for r in choice.heads
                ) / len(choice.heads)
                found[choice.name] = min(often, self.at_most.get(choice.name, often))
                note(choice.name)
                waiting.remove(choice)
        return found

    def _asks(self, choice: _Choice) -> set[str]:
        return {before for r in choice.heads for before in self.habits.follows[r.name].before}

    def weights(self) -> dict[str, float]:
        """By choice, the figure of a free choice."""
        once = {c.name for c in self.habits.choices if self.habits.all_in(c, self.habits.constraints.once)}
        least, most = (
            sum(often for name, often in self._expected(scale).items() if name not in once) for scale in (0.0, 1.0)
        )
        scale = max(self.free - least, self.free / 4) / max(most - least, 1e-9) if most > least else 1 / self.free
        return {name: often / scale for name, often in self._expected(scale).items()}


def _reached(choice: _Choice, chance: float, found: dict[str, float]) -> None:
    """Note how likely the events of a choice are: of its head as it is, later on as far as users come."""
    for r in choice.heads:
        found[r.name] = max(found.get(r.name, 0), chance)
    heads = {r.name for r in choice.heads}
    for event, often in choice.reached().items():
        if event not in heads:
            found.setdefault(event, chance * often)


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


def _weight(segment: str, choice: _Choice, order: EventOrder, once: Iterable[str]) -> float:
    """Of something usual, against other usual things."""
    r = choice.heads[0]
    kind = order.kinds[r.name]
    industry = _INDUSTRY_FACTORS.get(industry_of(order.product), {}).get(kind, 1)
    mild = _KEENNESS[segment] / _KEENNESS["active_user"]
    if all(head.name in once for head in choice.heads):
        return 0.5
    if _OFTEN.search(order.taxonomy.event(r.name).description):
        industry *= 2
    if kind is Kind.EXPOSURE and (r.action == "click" or r.phase == "open" or r.says("push", "mail")):
        industry *= 0.25
    return _USUAL.get(kind, 0.2) * industry * _FACTORS[segment].get(kind, 1) * _frequency(r) * mild


def _seldom_factor(segment: str, choice: _Choice, order: EventOrder, needed: Set[str]) -> float:
    """How much more, or less, often users of a segment do something seldom than active users.

    Args:
        needed: events that what is usual waits for.
    """
    r = choice.heads[0]
    kinds = {order.kinds[event] for event in choice.events}
    if Kind.MONEY in kinds and industry_of(order.product) != "finance":
        kinds.add(Kind.PAY)  # whoever fills up a purse pays for it
    kind = next((k for k in (Kind.PAY, Kind.SUBSCRIBE) if k in kinds), order.kinds[r.name])
    factor = _FACTORS[segment].get(kind, {"new_user": 0.7, "power_user": 1.6, "churned_user": 0.5}.get(segment, 1))
    if kind is Kind.SUBSCRIBE and r.phase == "cancel":
        factor = {"churning_user": 3.0, "churned_user": 3.0, "new_user": 0.3}.get(segment, 0.8)
    # Those who are new must first have what others have had for long: a project, a connected device.
    first = segment == "new_user" and any(head.name in needed for head in choice.heads)
    return factor * (5 if first and kind not in (Kind.PAY, Kind.SUBSCRIBE) else 1)
