"""Words of several languages and the concepts they mean: `stageClear`, `Stage Cleared` and `스테이지 성공` are alike.

The words stand in `data/reference/demo_data/analyst_words.csv`, one concept a line; what several words mean only
together stands in `analyst_phrases.csv`. A concept is a phase (how far a process has come, with its place between 0
and 7), an action (what is done), a thing, or a filler that says nothing by itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

from gamestats_assets.demo_data.reference import facts, rows


def word_set(text: str) -> frozenset[str]:
    """The words of a text that lists some, separated by spaces."""
    return frozenset(text.split())


def named_words(name: str) -> frozenset[str]:
    """A set of words of `analyst_sets.toml`."""
    return word_set(facts("analyst_sets")[name])


_PREFIXES = named_words("prefixes")
_SMALL = named_words("small_of_lexicon")
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zß-ÿ]+|\d+|[^\W\d_A-Za-z]+")
_PARTICLE = re.compile(
    r"(?:에서|으로|에게|까지|부터|하기|하는|할|한|된|을|를|이|가|은|는|의|에|로|시|후|중|별|와|과|도)$"
)
_SAYS_NOTHING = named_words("says_nothing")


def pieces(name: str) -> list[str]:
    """The words of a name in lower case, whatever its style.

    >>> pieces("rideId"), pieces("Shipment_Id"), pieces("주문_id")
    (['ride', 'id'], ['shipment', 'id'], ['주문', 'id'])
    """
    return [piece.lower() for piece in _PIECE.findall(name)]


def own_name(name: str) -> str:
    """A property's own name in snake_case.

    >>> own_name("bag.maxAge"), own_name("#Zone Offset")
    ('max_age', 'zone_offset')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", name.rpartition(".")[2].lstrip("#")).lower()


@functools.lru_cache(maxsize=8192)
def own_pieces(name: str) -> tuple[str, ...]:
    """The words of a property's own name, whatever its style.

    >>> own_pieces("bag.maxAge"), own_pieces("#zone_offset")
    (('max', 'age'), ('zone', 'offset'))
    """
    return tuple(pieces(name.rpartition(".")[2]))


@functools.lru_cache(maxsize=8192)
def piece_set(name: str) -> frozenset[str]:
    """The same, in no order."""
    return frozenset(own_pieces(name))


class Lexicon:
    """Words of several languages, each with the concept it means.

    Args:
        table: concepts, each with its words.
    """

    def __init__(self, table: Iterable[tuple[str, str]]) -> None:
        self._latin: dict[str, str] = {}
        self._other: dict[str, str] = {}
        for concept, words in table:
            for word in words.split():
                (self._latin if word.isascii() else self._other).setdefault(word, concept)
        # A single letter of another script means something only by itself: 방 is a room, 방식 is not.
        inner = sorted((word for word in self._other if len(word) > 1), key=len, reverse=True)
        self._inner = re.compile("|".join(map(re.escape, inner)))
        self.concepts = frozenset({*self._latin.values(), *self._other.values()})

    def words(self, text: str) -> list[str]:
        """Concepts of a text in order; words that are none are kept in lower case."""
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
        """Concepts of a run of letters of another script; what stands between known words is kept."""
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
        """What stands between known words: a known one of a single letter, or a noun without its particle."""
        if text in self._other:
            return [self._other[text]]
        word = _PARTICLE.sub("", text.strip("・ー"))
        return [word] if len(word) > 1 and word not in _SAYS_NOTHING else []


def _stems(word: str) -> tuple[str, ...]:
    """What an English word may be without its inflection."""
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
"""By concept, how far a process is: below 3 it begins, at 5 it has an outcome, at 6 it ends whatever the outcome."""
ACTIONS, FILLERS, THINGS = (
    _of_role("action"),
    _of_role("filler") | {"progress", "event_name", "page"},
    _of_role("thing"),
)
SUCCESSES, FAILURES, LOOKS = _of_trait("success"), _of_trait("failure"), _of_trait("look")
PLAYABLE = _of_trait("playable") | word_set("book_content live podcast stream")
"""Things that are played, read or learnt."""
SIGHTS = _of_trait("sight") | named_words("sights")
"""Things that people look at before they choose one."""
GROUPS = _of_trait("group") | word_set("community band society club")
"""Things that people join."""
NOUNS, WEAK = _of_trait("noun"), _of_trait("weak")
"""Actions that are things as often, and those that are less what is done than others beside them."""
KNOWN = _LEXICON.concepts - FILLERS


@functools.lru_cache(maxsize=8192)
def concepts(text: str) -> tuple[str, ...]:
    """What a name or a short text says, as concepts in order; words that are none are kept in lower case.

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
