"""The meaning of words, and of an event's name, alias and description: its phase, its action and its topic.

`stageClear`, `Stage Cleared` and `스테이지 성공` are alike. `analyst_words.csv` has the words, one concept per line;
`analyst_phrases.csv` has meanings of several words together. A concept is a phase (how far a process has come, with its
place between 0 and 7), an action (what is done), a thing, or a filler without meaning of its own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gamestats_assets.demo_data.reference import facts, rows
from gamestats_assets.demo_data.taxonomies.model import Event


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a text that are separated by spaces."""
    return frozenset(text.split())


def named_words(name: str) -> frozenset[str]:
    """Returns a set of words of `analyst_sets.toml`."""
    return word_set(facts("analyst_sets")[name])


_PREFIXES = named_words("prefixes")
_SMALL = named_words("small_of_lexicon")
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zß-ÿ]+|\d+|[^\W\d_A-Za-z]+")
_PARTICLE = re.compile(
    r"(?:에서|으로|에게|까지|부터|하기|하는|할|한|된|을|를|이|가|은|는|의|에|로|시|후|중|별|와|과|도)$"
)
_SAYS_NOTHING = named_words("says_nothing")


def pieces(name: str) -> list[str]:
    """Returns the words of a name in lower case, whatever its style.

    >>> pieces("rideId"), pieces("Shipment_Id"), pieces("주문_id")
    (['ride', 'id'], ['shipment', 'id'], ['주문', 'id'])
    """
    return [piece.lower() for piece in _PIECE.findall(name)]


def own_name(name: str) -> str:
    """Returns a property's own name in snake_case.

    >>> own_name("bag.maxAge"), own_name("#Zone Offset")
    ('max_age', 'zone_offset')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", name.rpartition(".")[2].lstrip("#")).lower()


@functools.lru_cache(maxsize=8192)
def own_pieces(name: str) -> tuple[str, ...]:
    """Returns the words of a property's own name, whatever its style.

    >>> own_pieces("bag.maxAge"), own_pieces("#zone_offset")
    (('max', 'age'), ('zone', 'offset'))
    """
    return tuple(pieces(name.rpartition(".")[2]))


@functools.lru_cache(maxsize=8192)
def piece_set(name: str) -> frozenset[str]:
    """Returns the words of a property's own name as a set."""
    return frozenset(own_pieces(name))


class Lexicon:
    """Words of several languages, each with its concept."""

    def __init__(self, table: Iterable[tuple[str, str]]) -> None:
        self._latin: dict[str, str] = {}
        self._other: dict[str, str] = {}
        for concept, words in table:
            for word in words.split():
                (self._latin if word.isascii() else self._other).setdefault(word, concept)
        # A single letter of another script has a meaning only if it stands alone: 방 is a room, 방식 is not.
        inner = sorted((word for word in self._other if len(word) > 1), key=len, reverse=True)
        self._inner = re.compile("|".join(map(re.escape, inner)))
        self.concepts = frozenset({*self._latin.values(), *self._other.values()})

    def words(self, text: str) -> list[str]:
        """Returns the concepts of a text in order; unknown words are kept in lower case."""
        return [found for piece in pieces(text) for found in self._word(piece)]

    def _word(self, word: str) -> list[str]:
        if not word.isascii():
            return self._run(word)
        if word in self._latin:
            return [self._latin[word]]
        for stem in _stems(word):
            if len(stem) > 1 and stem in self._latin:
                return [self._latin[stem]]
        if word in _SMALL or len(word) < 6:
            return [word]
        return self._taken_apart(word) or [re.sub(r"(?<=[^sui])s$", "", word)]

    def _taken_apart(self, word: str) -> list[str]:
        for cut in range(len(word) - 3, 2, -1):
            head, rest = word[:cut], word[cut:]
            if head in self._latin:
                tail = rest if rest in self._latin else rest.removeprefix("to")
                found = [self._latin[tail]] if tail in self._latin else self._taken_apart(tail)
                if found:
                    return [self._latin[head], *found]
        return []

    def _run(self, text: str) -> list[str]:
        """Returns the concepts of letters of another script; unknown text between known words is kept."""
        if text in self._other:
            return [self._other[text]]
        found: list[str] = []
        position = 0
        for match in self._inner.finditer(text):
            found += self._rest(text[position : match.start()])
            found.append(self._other[match[0]])
            position = match.end()
        return found + self._rest(text[position:])

    def _rest(self, text: str) -> list[str]:
        """Returns text between known words: a known one-letter word, or a noun without its particle."""
        if text in self._other:
            return [self._other[text]]
        word = _PARTICLE.sub("", text.strip("・ー"))
        return [word] if len(word) > 1 and word not in _SAYS_NOTHING else []


def _stems(word: str) -> tuple[str, ...]:
    """Returns the candidates for an English word without its inflection."""
    return (
        *(word.removesuffix(ending) for ending in ("s", "es", "d", "ed", "ing")),
        word.removesuffix("ing") + "e",
        re.sub(r"(.)\1(?:ed|ing)$", r"\1", word),
        re.sub(r"ie[sd]$", "y", word),
    )


_ROWS = rows("analyst_words")
_PHRASES: Mapping[tuple[str, ...], list[str]] = {
    tuple(row["words"].split()): row["concepts"].split() for row in rows("analyst_phrases")
}
_LEXICON = Lexicon([(row["concept"], row["words"]) for row in _ROWS])


def _of_role(role: str) -> frozenset[str]:
    return frozenset(row["concept"] for row in _ROWS if row["role"] == role)


def _of_trait(trait: str) -> frozenset[str]:
    return frozenset(row["concept"] for row in _ROWS if trait in row["traits"].split())


PHASES = {row["concept"]: float(row["place"]) for row in _ROWS if row["role"] == "phase"}
"""How far each phase is: below 3 a process begins, at 5 it has an outcome, at 6 it ends whatever the outcome."""
ACTIONS, FILLERS, THINGS = (
    _of_role("action"),
    _of_role("filler") | {"progress", "event_name", "page"},
    _of_role("thing"),
)
SUCCESSES, FAILURES, LOOKS = _of_trait("success"), _of_trait("failure"), _of_trait("look")
PLAYABLE = _of_trait("playable") | word_set("book_content live podcast stream")
"""Things that users play, read or learn."""
SIGHTS = _of_trait("sight") | named_words("sights")
"""Things that users view before they choose one."""
GROUPS = _of_trait("group") | word_set("community band society club")
"""Things that users join."""
NOUNS, WEAK = _of_trait("noun"), _of_trait("weak")
"""Actions that are nouns as often, and weak actions, which give way to others beside them."""
KNOWN = _LEXICON.concepts - FILLERS


@functools.lru_cache(maxsize=8192)
def concepts(text: str) -> tuple[str, ...]:
    """Returns the concepts of a name or a short text in order; unknown words are kept in lower case.

    >>> concepts("ta_StageCleared"), concepts("add_to_cart"), concepts("결제 성공")
    (('stage', 'clear'), ('add', 'cart'), ('pay', 'success'))
    """
    found = _LEXICON.words(text)
    while len(found) > 1 and found[0] in _PREFIXES:
        found = found[1:]
    return tuple(word for word in _phrased(found) if word not in _SMALL)


def _phrased(words: list[str]) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(words):
        for length in (3, 2):
            phrase = _PHRASES.get(tuple(words[position : position + length]))
            if phrase:
                found += phrase
                position += length
                break
        else:
            found.append(words[position])
            position += 1
    return found


def spelt_out(event: Event) -> str:
    """Returns an event's name in separate words, with its alias."""
    return f"{' '.join(pieces(event.name))} {event.alias}"


_EMPTY = named_words("empty")
"""Words that only say that something took place."""


_REGRETTED = named_words("regretted")


@dataclass(frozen=True)
class Reading:
    """The meaning of an event's name and texts.

    Attributes:
        name: the event's name.
        index: its row among the events.
        words: concepts of the name; of the alias or the description if the name has no known ones.
        phase: concept of `PHASES` in these words; in the alias if they have neither phase nor action.
        action: concept of `ACTIONS`, likewise; the last one that is not part of the thing.
        topic: the other concepts of the name, actions included if there is a phase.
        alias_topic: the same of the alias.
        step: number at the end of the name, or before its last word.
        text: concepts of name, alias and tag.
        description: concepts of the description.
        tag: the event's tag.
        properties: names of its properties.
        kind: the event's kind, once it is known (`kinds.EventKind`).
        ids: names of its ids, except those of the user, once they are known.
        flags: roles of the clauses of its description, see `descriptions.says`.
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
        """The topic and the action."""
        return self.topic | {word for word in (self.action,) if word}

    @property
    def deeds(self) -> frozenset[str]:
        """The action and the phase."""
        return frozenset(word for word in (self.action, self.phase) if word)

    @property
    def regrets(self) -> bool:
        """Whether it ends something that began well, rather than failing a step."""
        return self.phase == "cancel" or pieces(self.name)[-1] in _REGRETTED

    @property
    def wrong(self) -> bool:
        """Whether something did not come about, or was given up."""
        not_so = {"no", "not", "missed"} & set(pieces(self.name)[:3])
        return self.fails or self.regrets or self.says("noshow") or bool(not_so)

    @property
    def opinion(self) -> bool:
        """Whether it is an opinion on something that is over."""
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
        """How far the process is, see `PHASES`; between 3 and 4 for a numbered step."""
        if self.step is not None and self.phase in (None, "progress", "complete", "choose", "view"):
            return 3 + min(self.step, 999) / 1000
        return None if self.phase is None else PHASES[self.phase]

    @property
    def succeeds(self) -> bool:
        """Whether something went well."""
        return self.phase in SUCCESSES

    @property
    def fails(self) -> bool:
        """Whether something failed."""
        return self.phase in FAILURES

    def says(self, *words: str) -> bool:
        """Whether the name has one of these concepts."""
        return any(word in self.words for word in words)


def read_event(event: Event, index: int) -> Reading:
    """Reads an event's name; if it has no known words, its alias or description.

    Additions to a cart and removals from one are found in the description as well.
    """
    alias = concepts(event.alias)
    meanings = next(
        (words for words in (concepts(event.name), alias, _foreground(event)) if KNOWN.intersection(words)),
        concepts(event.name),
    )
    numbers = [int(word) for word in concepts(event.name) if word.isdigit()]
    plain = _meaningful(tuple(word for word in meanings if not word.isdigit()), event.name)
    if "withdrawal" in plain and _moves_money(event):
        plain = tuple("withdraw" if word == "withdrawal" else word for word in plain)
    if "withdraw" in plain and len(plain) > 1 and event.properties and not _moves_money(event):
        plain = tuple("cancel" if word == "withdraw" else word for word in plain)  # withdrawing an application
    if {"add", "delete"} & set(plain) and "cart" in {*alias, *_foreground(event)} - set(plain):
        plain = (*plain, "cart")
    phase, action, topic = _parts(plain)
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
    """Whether money is withdrawn, rather than a user from a product."""
    names = [prop.name.lower() for prop in event.properties if "reason" not in prop.name.lower()]
    return any(word in name for name in names for word in ("amount", "withdraw", "fee", "balance", "currency"))


BACKGROUND = re.compile(
    r"\([^()]*\)|\b(?:after|before|during|once|that|which|who|while)\b[^.;]*|[^.;]*?\s(?:후|뒤|이후)\s(?!전송|기록|발생|수집)",
    re.IGNORECASE,
)
"""Parts of a description that are not about the event itself: what was before it, and text in brackets."""


def _foreground(event: Event) -> tuple[str, ...]:
    """Returns the concepts of a description without what happened before the event."""
    return concepts(BACKGROUND.sub(" ", event.description))


def _meaningful(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Drops words that only say that something took place; entering details is no view of them."""
    kept = tuple(word for word in words if word not in _EMPTY) or words
    if "details" in name.lower() and {"enter", "submit", "add", "edit", "save"} & set(kept):
        kept = tuple("info" if word == "view" else word for word in kept)
    return kept


_OF_STEPS = frozenset({"complete", "done", "success", "start", "pass"})
_NAMES_OF_DEALS = frozenset({"pay", "buy", "order", "book", "subscribe", "register", "share"})


def _strength(action: str) -> int:
    """Returns the strength of an action: the strongest of a name is the deed, the others belong to its object."""
    return 0 if action in NOUNS else 1 if action in WEAK else 2


def _parts(words: tuple[str, ...]) -> tuple[str | None, str | None, frozenset[str]]:
    """Returns phase, action and topic; `start_battle` and `battle_start` are the same."""
    phases = [word for word in words if word in PHASES]
    if {"view", "click", "share", "show"}.intersection(words):
        phases = [word for word in phases if word != "result"]
    if words[:1] == ("claim",) and len(words) > 1 and "reward" not in words:
        phases = phases[1:]  # an insurance claim, not claiming a reward
    later = [word for word in phases if word != "progress"]
    phase = "progress" if "progress" in phases and set(later) <= _OF_STEPS else later[-1] if later else None
    rest = [word for word in words if word != phase]
    actions = [word for word in rest if word in ACTIONS]
    action = max(reversed(actions), key=_strength) if actions else None
    if action and rest[0] in ACTIONS and rest[-1] not in ACTIONS and _strength(rest[0]) == _strength(action):
        action = rest[0]  # in `remove_saved_item` the first one
    if phase is None and action is not None and len(rest) > 1:
        rest = [word for word in rest if word != action] or rest
    topic = frozenset(word for word in rest if word not in FILLERS) or frozenset(rest)
    return phase, action, topic


def read_events(events: Iterable[Event]) -> list[Reading]:
    """Returns the readings of all events in the order of the sheet; leaving something that cannot be won is no
    failure."""
    found = [read_event(event, index) for index, event in enumerate(events)]
    entered = {r.topic for r in found if r.phase == "enter"} - {r.topic for r in found if r.succeeds}
    return [replace(r, phase="end") if r.phase == "exit" and r.topic in entered else r for r in found]
