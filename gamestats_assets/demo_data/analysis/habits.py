"""When users of each segment are active, what they typically do in a session, and how likely each event is.

The figures stand in `analyst_habits.toml`. A user chooses sequences and single events. A choice is usual and weighed
against other usual ones; or it is rare, at a rate per session; or it follows an earlier event.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.analysis.meaning.measures import industry_of
from gamestats_assets.demo_data.analysis.meaning.reading import LOOKS, Reading, named_words, spelt_out, word_set
from gamestats_assets.demo_data.analysis.states import takes_away
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.model import Activity, EventConstraints, Step
from gamestats_assets.demo_data.taxonomies.product import ProductInfo

Kind = EventKind

_FACTS = facts("analyst_habits")
_TEXT = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _FACTS["text"].items()}
AT_HOME: Mapping[str, frozenset[str]] = {industry: word_set(words) for industry, words in _FACTS["at_home"].items()}
"""Words of events that identify an industry."""
_HEART: Mapping[str, frozenset[str]] = {industry: word_set(words) for industry, words in _FACTS["heart"].items()}
_FIXED = {
    **dict.fromkeys((Kind.INSTALL, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END), 1.0),
    Kind.REGISTER: 0.9,
    Kind.ONBOARDING: 0.95,
}
"""Chances of events with a fixed place in a session or a life."""
_MONEY = frozenset({Kind.PAY, Kind.CHECKOUT, Kind.CART, Kind.PAY_FAIL, Kind.SUBSCRIBE})
_BY_THE_WAY = _MONEY | {Kind.AD, Kind.EXPOSURE, Kind.SHARE, Kind.AFTER_SALE, Kind.SUPPORT, Kind.SETTING}
"""Kinds of events outside the core of a product, unless it sells things."""
_BY_THEMSELVES = frozenset({Kind.ONBOARDING, Kind.REGISTER, Kind.GOODBYE, Kind.SUBSCRIBE})
_SETTLING = named_words("settling")
_ASIDE = named_words("aside")
_LEFT = ("pause", "resume", "abandon", "exit", "skip", "die")
"""Phases in which something is left before its end."""
_COMPLAINTS = 0.008
"""Largest share of sessions with a complaint about something that happens many times in each."""
_ASIDE_AT_MOST = 1.5
"""Largest ratio of free choices outside the core to those of the core."""


def activity(segment: str, product: ProductInfo) -> Activity:
    """Returns when users of a segment are active, by industry and platform."""
    daily, sessions, minutes, events, decay, churn, comeback, *_ = _FACTS["segment"][segment]
    industry = industry_of(product)
    of_industry, of_platform = _FACTS["industry"][industry], _FACTS["platform"][product.platform]
    hours = _FACTS["hours"].get(industry, _FACTS["hours"]["other"])
    if segment == "power_user":  # the keenest are active at all hours
        hours = [round(0.75 * hour + 0.25 * sum(hours) / 24, 3) for hour in hours]
    elif segment in ("churning_user", "churned_user"):
        hours = [round(hour**1.15, 3) for hour in hours]
    return Activity(
        daily_probability=round(min(daily * of_industry[0] * of_platform[0], 0.97), 4),
        weekday_weights=_FACTS["week"].get(industry, [1.0] * 7),
        hour_weights=hours,
        sessions_per_day=round(max(1 + (sessions - 1) * of_industry[1] * of_platform[1], 1), 3),
        session_minutes=round(minutes * of_industry[2] * of_platform[2], 2),
        events_per_session=round(events * of_industry[3], 2),
        decay_per_day=decay,
        churn_per_day=churn,
        return_per_day=comeback,
    )


@dataclass(frozen=True)
class _Choice:
    """A choice of a user: a sequence, with an arrow before its name, or a single event."""

    name: str
    heads: tuple[Reading, ...]
    steps: tuple[Step, ...]

    @property
    def events(self) -> list[str]:
        """All events that may happen."""
        return [event for step in self.steps for event in step.events] or [r.name for r in self.heads]

    def reached(self) -> dict[str, float]:
        """Returns how often each event happens per choice, if no prerequisite or stage holds it up."""
        found: dict[str, float] = {}
        at: dict[str, float] = {}
        for number, step in enumerate(self.steps):
            on_the_way = sum(often for event, often in at.items() if not step.follows or event in step.follows)
            chance = on_the_way * (1 - (1 - step.probability) ** step.repeats) if number else 1.0
            weights = step.weights or [1.0] * len(step.events)
            at = {event: chance * weight / sum(weights) for event, weight in zip(step.events, weights, strict=True)}
            found = at | found
        return found or {r.name: 1 / len(self.heads) for r in self.heads}


class Habits:
    """How often the events of a product happen in sessions of each segment."""

    def __init__(self, order: EventOrder, constraints: EventConstraints) -> None:
        self.order, self.constraints, self.product = order, constraints, order.product
        self.industry = industry_of(order.product)
        self.factor: Mapping[str, float] = _FACTS["factor"].get(self.industry, {})
        self.fixed = {*constraints.session_start, *constraints.session_end, *constraints.not_of_users}
        self.rare = {*constraints.once, *constraints.daily, *constraints.final}
        self.trouble = {r.name for r in order.readings.values() if self._is_trouble(r)}
        self.follows = self._followed()
        self.choices = self._choices()
        self.seldom = {c.name: rate for c in self.choices if (rate := self._rate(c)) is not None}

    def _choices(self) -> list[_Choice]:
        """Returns all choices in the order of the sheet, without onboarding and events at fixed places."""
        readings, sequences = self.order.readings, self.constraints.sequences
        found = [
            _Choice(f"-> {s.name}", tuple(readings[event] for event in s.steps[0].events), tuple(s.steps))
            for s in sequences
            if s.kind != "onboarding"
        ]
        placed = self.fixed | {event for s in sequences for step in s.steps for event in step.events}
        free = [r for r in readings.values() if r.name not in placed and self.order.kinds[r.name] not in _FIXED]
        found += [_Choice(r.name, (r,), ()) for r in free]
        return sorted(found, key=lambda choice: min(r.index for r in choice.heads))

    def _all_in(self, choice: _Choice, names: Iterable[str]) -> bool:
        return {r.name for r in choice.heads} <= set(names)

    def _is_by_the_way(self, choice: _Choice) -> bool:
        return 2 * sum(self.order.kinds[event] in _BY_THE_WAY for event in choice.events) >= len(choice.events)

    def _only_follows(self, choice: _Choice) -> bool:
        """Whether a choice happens only after other events; users begin a process of many steps for its own sake."""
        long = len(choice.steps) >= 4 and not self._is_by_the_way(choice)
        return self._all_in(choice, self.follows) and not long

    # ----------------------------------------------------------------- predecessors

    def _is_trouble(self, r: Reading) -> bool:
        """Whether something goes wrong or is regretted: failures, complaints, cancellations, losses."""
        kind = self.order.kinds[r.name]
        bad = kind in (Kind.SUPPORT, Kind.CRASH, Kind.PAY_FAIL, Kind.GOODBYE) or "trouble" in r.flags
        complains = r.action in ("report", "refund", "block") or r.says("refund")
        in_vain = bool(_TEXT["in_vain"].search(spelt_out(self.order.taxonomy.event(r.name))))
        failed = r.fails and not self.order.is_game and r.phase not in _LEFT
        return bad or complains or in_vain or failed

    def _share(self, r: Reading, *, one_life: bool) -> float | None:
        """Returns after what share of its possible predecessors an event happens; None if it follows nothing."""
        shares: Mapping[str, float] = _FACTS["share"]
        if r.phase == "cancel" or r.phase in _LEFT or r.fails:
            return shares["cancel" if r.phase == "cancel" else "left" if r.phase in _LEFT else "fail"]
        if takes_away(r) and r.phase is None:
            return shares["undo"]
        if r.name in self.trouble:
            return shares["complaint"]
        if opinion := next((word for word in ("rate", "review", "comment") if r.says(word)), None):
            return shares[opinion] * (1 if one_life else 0.1)
        again = self.order.kinds[r.name] in (Kind.SOCIAL, Kind.GROUP, Kind.CREATE, Kind.BROWSE, Kind.GROWTH)
        goes_on = one_life and not (again or r.action in LOOKS) and (r.place is None or r.place >= 3)
        ends = (r.place or 0) >= 5 and r.phase != "claim"
        stage = (not self.order.is_game and (ends or goes_on)) or r.action in _SETTLING or r.phase == "accept"
        return shares["stage"] if stage else None

    def _followed(self) -> dict[str, tuple[tuple[str, ...], float]]:
        """Returns by event its possible predecessors, and the share of them that it follows."""
        order, fixed = self.order, self.fixed | self.rare
        found: dict[str, tuple[tuple[str, ...], float]] = {}
        for r in order.readings.values():
            edges = [e for e in (order.next.get(r.name), *order.needs.get(r.name, ())) if e and not fixed & {*e.before}]
            if r.name in fixed or order.kinds[r.name] in _BY_THEMSELVES or not edges:
                continue
            before = max(edges, key=lambda edge: edge.confidence).before
            share = self._share(r, one_life=any({r.name, *before} <= {*life.events} for life in order.lives))
            if share is not None:
                settles = {*before} & self.trouble and r.name in self.trouble
                found[r.name] = (before, _FACTS["share"]["settled"] if settles else share)
        return found

    # ----------------------------------------------------------------- rare choices

    def _rate(self, choice: _Choice) -> float | None:
        """Returns the share of an active user's sessions with a rare choice; None if it is usual or follows others."""
        r, seldom = choice.heads[0], _FACTS["seldom"]
        kind, text = self.order.kinds[r.name], self.order.taxonomy.event(r.name).description
        if kind is Kind.GOODBYE or _TEXT["for_good"].search(text) or self._all_in(choice, self.constraints.final):
            return seldom["goodbye"]
        if self._all_in(choice, self.constraints.daily):
            return 0.5
        if self._only_follows(choice) or self._sells(choice):
            return None
        rates = [rate for words, rate in _FACTS["seldom_texts"].items() if re.search(words, text, re.IGNORECASE)]
        if len(choice.steps) < 4:
            rates += [rate for key, rate in _FACTS["seldom_words"].items() if {*key.split()} <= {*r.words}]
            rates += [seldom[kind]] if kind in seldom else [0.006] if r.name in self.trouble else []
        return min(rates) * self.factor.get(kind, 1) if rates else None

    # ----------------------------------------------------------------- the core

    def _sells(self, choice: _Choice) -> bool:
        """Whether the product is for buying, and this choice leads to it."""
        kinds = {self.order.kinds[event] for event in choice.events}
        shop = self.industry in ("ecommerce", "travel", "food") or (self.industry == "other" and Kind.CART in kinds)
        return shop and Kind.PAY in kinds

    def _centrality(self, choice: _Choice) -> float:
        """Scores how close a choice is to the purpose of the product."""
        kinds = {self.order.kinds[event] for event in choice.events}
        if self._sells(choice):
            return 6.0
        if Kind.ADVANCED in kinds or self._is_by_the_way(choice) or any(r.says(*_ASIDE) for r in choice.heads):
            return 0.4
        heart = _HEART.get(self.industry, frozenset())
        if any((r.things | r.topic) & heart for r in map(self.order.readings.__getitem__, choice.events)):
            return 5.0 if choice.steps else 2.0
        needed = {b for before in self.constraints.prerequisites.values() for b in before}
        core = (2.0 if Kind.CORE in kinds else 0.8) + 1.3 * bool(needed & {*choice.events})
        return core + 0.5 * min(max(len(choice.steps) - 2, 0), 4)

    def _repeats(self, choice: _Choice) -> bool:
        """Whether something is done again and again."""
        seldom = self._all_in(choice, self.rare) or choice.name in self.seldom
        return not seldom and all(self._is_usual(r.name) for r in choice.heads)

    def _is_usual(self, event: str) -> bool:
        """Whether an event happens after most of its predecessors."""
        return self.follows.get(event, ((), 1.0))[1] >= 0.5 and event not in self.trouble

    def typical(self, segment: str) -> dict[str, float]:
        """Returns the most central choices with their centrality and what they follow, in the order of the sheet."""
        scores = {c.name: self._centrality(c) for c in self.choices}
        ranked = sorted((c for c in self.choices if self._repeats(c)), key=lambda c: -scores[c.name])
        central = [c for c in ranked if scores[c.name] > max(1, 0.6 * scores[ranked[0].name])] or ranked[:1]
        chosen = {c.name for c in central[: _FACTS["segment"][segment][8]]}
        asked = {b for c in central for r in c.heads if c.name in chosen for b in self.follows.get(r.name, ((), 0))[0]}
        chosen |= {c.name for c in ranked if asked & {*c.events}}
        return {c.name: scores[c.name] for c in self.choices if c.name in chosen}

    def event_sequence(self, segment: str) -> list[str]:
        """Returns what users of a segment typically do in a session, between its start and its end."""
        found: list[str] = []
        if segment == "new_user":
            onboarding = [s for s in self.constraints.sequences if s.kind == "onboarding"]
            found += [event for s in onboarding for event in self._good_path(s.steps)]
        typical = self.typical(segment)
        for choice in self.choices:
            if choice.name in typical:
                found += takewhile(self._is_usual, self._good_path(choice.steps) or [choice.heads[0].name])
        return list(dict.fromkeys(found))

    def _good_path(self, steps: Iterable[Step]) -> list[str]:
        """Returns the better outcome of every step that always has one."""
        readings = self.order.readings
        path: list[str] = []
        for step in steps:
            if not path or not step.follows or path[-1] in step.follows:
                found = [readings[event] for event in step.events]
                path.append(min(found, key=lambda r: (r.fails or r.phase == "pause", not r.succeeds)).name)
        return path

    # ----------------------------------------------------------------- probabilities of events

    def event_probabilities(self, segment: str) -> dict[str, float]:
        """Returns how likely each event that a user may cause is in a session, 0 to 1.

        Usual events share the choices that users have in a session. Rare events keep their own rate, however many usual
        events there are. Events that follow others are as frequent as these allow.
        """
        weights = self._weights(segment)
        found: dict[str, float] = {}
        for choice in self.choices:
            chance = min(weights[choice.name], 1.0)
            for r in choice.heads:
                found[r.name] = max(found.get(r.name, 0), chance)
            for event, often in choice.reached().items():
                found.setdefault(event, chance * often)
        for r in self.order.readings.values():
            kind = self.order.kinds[r.name]
            if kind is not Kind.SYSTEM:
                found.setdefault(r.name, _FIXED.get(kind, 0.9) * self.factor.get(kind, 1))
        return {name: round(min(max(found[name], 1e-5), 1.0), 6) for name in self.order.readings if name in found}

    def _weights(self, segment: str) -> dict[str, float]:
        """Returns the weight of each free choice.

        A typical choice is made once for certain, and again freely with the same figure; free choices depend only on
        the ratio of their figures. So all figures are scaled to free choices of the typical ones.
        """
        keen = _FACTS["segment"][segment][7]
        slots = {name: keen * (1 if score > 2 else 0.55) for name, score in self.typical(segment).items()}
        following = {c.name for c in self.choices if c.name not in slots and self._only_follows(c)}
        rates = {
            c.name: self.seldom[c.name] * self._factor(segment, c, "seldom")
            for c in self.choices
            if c.name in self.seldom and c.name not in following
        }
        apart = following | rates.keys()
        usual = {c.name: slots.get(c.name) or self._weight(segment, c) for c in self.choices if c.name not in apart}
        aside = sum(weight for name, weight in usual.items() if name not in slots)
        most = min(_ASIDE_AT_MOST * sum(slots.values()) / aside, 1) if slots and aside else 1
        usual = {name: weight if name in slots else weight * most for name, weight in usual.items()}
        events = activity(segment, self.product).events_per_session
        free = max(events - sum(slots.values()), 0.5 * events)
        scale = max(free - sum(rates.values()), free / 2) / sum(usual.values()) if usual else 1 / free
        found = {name: weight * scale for name, weight in usual.items()} | rates
        happens: dict[str, float] = {}
        for choice in sorted(self.choices, key=lambda c: c.name in following):
            if choice.name in following:
                followed = [self.follows[r.name] for r in choice.heads]
                often = [share * sum(happens.get(b, 0) for b in before) for before, share in followed]
                most = _COMPLAINTS if max(share for _, share in followed) <= 0.015 else 1
                found[choice.name] = min(sum(often) / len(often), most)
            for event, often in choice.reached().items():
                happens[event] = happens.get(event, 0) + often * (found[choice.name] + slots.get(choice.name, 0))
        return {name: often / scale for name, often in found.items()}

    def _weight(self, segment: str, choice: _Choice) -> float:
        """Returns the weight of a usual choice against other usual ones."""
        r = choice.heads[0]
        kind = self.order.kinds[r.name]
        weight = _FACTS["usual"].get(kind, 0.2) * self.factor.get(kind, 1) * self._factor(segment, choice)
        weight *= _FACTS["segment"][segment][7] / _FACTS["segment"]["active_user"][7] * (0.5 if r.fails else 1)
        return weight * math.prod(_FACTS["frequency"].get(word, 1) for word in r.words)

    def _factor(self, segment: str, choice: _Choice, otherwise: str = "") -> float:
        """Returns how much more often users of a segment make a choice than active users."""
        kinds = {self.order.kinds[event] for event in choice.events}
        kind = next((k for k in (Kind.PAY, Kind.SUBSCRIBE) if k in kinds), self.order.kinds[choice.heads[0].name])
        factors: Mapping[str, float] = _FACTS["factor"][segment]
        return factors.get(kind, factors.get(otherwise, 1))
