"""What an event's name, alias and description say: its phase, its action, and what it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gamestats_assets.demo_data.analysis.lexicon import (
    ACTIONS,
    FAILURES,
    FILLERS,
    KNOWN,
    LOOKS,
    NOUNS,
    PHASES,
    SUCCESSES,
    WEAK,
    concepts,
    named_words,
    pieces,
)
from gamestats_assets.demo_data.taxonomies.model import Event


def spelt_out(event: Event) -> str:
    """An event's name in separate words, and its alias."""
    return f"{' '.join(pieces(event.name))} {event.alias}"


_EMPTY = named_words("empty")
"""Words that only say that something took place."""


_REGRETTED = named_words("regretted")


@dataclass(frozen=True)
class Reading:
    """What an event's name and texts say.

    Attributes:
        name: of the event.
        index: its row among the events.
        words: concepts of the name; of the alias or the description where the name says nothing that is known.
        phase: concept of `PHASES` that they tell, or where they tell neither phase nor action, the alias.
        action: concept of `ACTIONS`, likewise; the last one that is no part of the thing.
        topic: what it is about: the other concepts of the name, actions included where there is a phase.
        alias_topic: likewise of the alias.
        step: number at the end of the name, or before the last word.
        text: concepts of name, alias and tag.
        description: concepts of the description.
        tag: of the event.
        properties: names of its properties.
        kind: of the event, once it is known (`kinds.EventKind`).
        ids: names of its ids that say more than who the user is, once they are known.
        flags: roles of the clauses of its description, see `mentions.says`.
    """

    name: str
    index: int
    words: tuple[str, ...]
    phase: str | None
    action: str | None
    topic: frozenset[str]
    alias_topic: frozenset[str]
    step: int | None
    text: frozenset[str]
    description: frozenset[str]
    tag: str
    properties: frozenset[str]
    kind: str = ""
    ids: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()

    @property
    def about(self) -> frozenset[str]:
        """The topic, and what is done."""
        return self.topic | {word for word in (self.action,) if word}

    @property
    def deeds(self) -> frozenset[str]:
        """What is done, and how far it has come."""
        return frozenset(word for word in (self.action, self.phase) if word)

    @property
    def regrets(self) -> bool:
        """Whether it ends what has begun well, and is no failure of a step."""
        return self.phase == "cancel" or pieces(self.name)[-1] in _REGRETTED

    @property
    def wrong(self) -> bool:
        """Whether it tells that something did not come about, or was given up."""
        not_so = {"no", "not", "missed"} & set(pieces(self.name)[:3]) or {"none", "nobody"} & set(pieces(self.name))
        return self.fails or self.regrets or self.says("noshow") or bool(not_so)

    @property
    def opinion(self) -> bool:
        """Whether it says what somebody thinks of what is over."""
        return self.action in ("rate", "review", "donate", "comment") or self.says("review", "rate")

    @property
    def looks(self) -> bool:
        """Whether it leaves things as they are."""
        return self.action in LOOKS and self.place is None

    @property
    def things(self) -> frozenset[str]:
        """The topic without actions."""
        return self.topic - ACTIONS

    @property
    def place(self) -> float | None:
        """How far a process is, see `PHASES`; between 3 and 4 for a numbered step."""
        if self.step is not None and self.phase in (None, "progress", "complete", "choose", "view"):
            return 3 + min(self.step, 999) / 1000
        return None if self.phase is None else PHASES[self.phase]

    @property
    def succeeds(self) -> bool:
        """Whether it tells that something went well."""
        return self.phase in SUCCESSES

    @property
    def fails(self) -> bool:
        """Whether it tells that something did not go well."""
        return self.phase in FAILURES

    def says(self, *words: str) -> bool:
        """Whether the name has one of some concepts."""
        return any(word in self.words for word in words)


def read_event(event: Event, index: int) -> Reading:
    """What an event's name says, and where it says nothing that is known, its alias or description.

    What is added to a cart, or removed from one, is known by the description as well.
    """
    alias = concepts(event.alias)
    said = next(
        (words for words in (concepts(event.name), alias, _foreground(event)) if KNOWN.intersection(words)),
        concepts(event.name),
    )
    numbers = [int(word) for word in concepts(event.name) if word.isdigit()]
    plain = _meaningful(tuple(word for word in said if not word.isdigit()), event.name)
    if "withdrawal" in plain and _moves_money(event):
        plain = tuple("withdraw" if word == "withdrawal" else word for word in plain)
    if "withdraw" in plain and len(plain) > 1 and event.properties and not _moves_money(event):
        plain = tuple("cancel" if word == "withdraw" else word for word in plain)  # an application
    if {"add", "delete"} & set(plain) and "cart" in {*alias, *_foreground(event)} - set(plain):
        plain = (*plain, "cart")
    phase, action, topic = _parts(plain)
    if phase is None and plain[:1] in (("no",), ("not",)) and len(plain) > 1:
        phase, topic = "fail", frozenset(plain) - {"no", "not", "found"} or topic  # `no_driver_found`
    alias_phase, alias_action, alias_topic = _parts(tuple(word for word in alias if not word.isdigit()))
    if phase is None and (action is None or action in _NAMES_OF_DEALS):
        phase = alias_phase
    if action is None and phase is None:
        action = alias_action
    return Reading(
        name=event.name,
        index=index,
        words=plain,
        phase=phase,
        action=action,
        topic=topic,
        alias_topic=alias_topic,
        step=numbers[-1] if numbers else None,
        text=frozenset((*plain, *alias, *concepts(event.tag))),
        description=frozenset(concepts(event.description)),
        tag=event.tag.strip().lower(),
        properties=frozenset(prop.name for prop in event.properties),
    )


def _moves_money(event: Event) -> bool:
    """Whether a withdrawal is one of money, and not from a product."""
    names = [prop.name.lower() for prop in event.properties]
    money = ("amount", "withdraw", "fee", "balance", "currency")
    return any(word in name and "reason" not in name for name in names for word in money)


BACKGROUND = re.compile(
    r"\([^()]*\)|\b(?:after|before|during|once|that|which|who|while)\b[^.;]*|[^.;]*?\s(?:후|뒤|이후)\s(?!전송|기록|발생|수집)",
    re.IGNORECASE,
)
"""What a description tells besides the event itself: what was before it, and what stands in brackets."""


def _foreground(event: Event) -> tuple[str, ...]:
    """What a description says of the event itself, without what has happened before."""
    return concepts(BACKGROUND.sub(" ", event.description))


def _meaningful(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Without what only says that something took place; who enters details does not look at them."""
    kept = tuple(word for word in words if word not in _EMPTY) or words
    if "details" in name.lower() and {"enter", "submit", "add", "edit", "save"} & set(kept):
        kept = tuple("info" if word == "view" else word for word in kept)
    return kept


_OF_STEPS = frozenset({"complete", "done", "success", "start", "pass"})
_NAMES_OF_DEALS = frozenset({"pay", "buy", "order", "book", "subscribe", "register", "share"})


def _strength(action: str) -> int:
    """Of several actions in a name the strongest is what is done, the others what it is done to."""
    return 0 if action in NOUNS else 1 if action in WEAK else 2


def _parts(words: tuple[str, ...]) -> tuple[str | None, str | None, frozenset[str]]:
    """Phase, action and topic; `start_battle` and `battle_start` are the same."""
    phases = [word for word in words if word in PHASES]
    if {"view", "click", "share", "show"}.intersection(words):
        phases = [word for word in phases if word != "result"]
    if words[:1] == ("claim",) and len(words) > 1 and "reward" not in words:
        phases = phases[1:]  # a claim on an insurance, not the claim of a reward
    later = [word for word in phases if word != "progress"]
    phase = "progress" if "progress" in phases and set(later) <= _OF_STEPS else later[-1] if later else None
    rest = [word for word in words if word != phase]
    actions = [word for word in rest if word in ACTIONS]
    action = max(reversed(actions), key=_strength) if actions else None
    if action and rest[0] in ACTIONS and rest[-1] not in ACTIONS and _strength(rest[0]) == _strength(action):
        action = rest[0]  # `remove_saved_item`
    if rest[:1] == ["rate"] and rest[-1] in _NAMES_OF_DEALS:
        action = "rate"  # `rate_order`
    if phase is None and action is not None and len(rest) > 1:
        rest = [word for word in rest if word != action] or rest
    topic = frozenset(word for word in rest if word not in FILLERS) or frozenset(rest)
    return phase, action, topic


_MIDWAY = re.compile(
    r"途中|中断|중도|중단|\b(?:mid|half|part)-?\s?way\b|\bbroken off\b"
    r"|\bg(?:ives?|ave) up\b|\bquits?\b|끊[기겨겼긴어]|途切れ|切断",
    re.IGNORECASE,
)


def read_events(events: Iterable[Event]) -> list[Reading]:
    """What every event says, in the order of the sheet; who leaves what one enters and cannot win has not failed."""
    events = list(events)
    found = [read_event(event, index) for index, event in enumerate(events)]
    for place, (r, event) in enumerate(zip(found, events, strict=True)):
        begun = any(o.phase in ("start", "enter") and o.topic & r.topic for o in found)
        if (
            begun
            and r.phase in (None, "end")
            and r.action in (None, "leave", "disconnect")
            and _MIDWAY.search(event.description)
        ):
            found[place] = replace(r, phase="abandon")
    entered = {r.topic for r in found if r.phase == "enter"} - {r.topic for r in found if r.succeeds}
    return [replace(r, phase="end") if r.phase == "exit" and r.topic in entered else r for r in found]
