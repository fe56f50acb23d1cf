"""What the description of an event says has happened before it.

`The ordered card was activated`, `A goal that was set has been reached`, `The passenger boards after the check-in`, `A
coupon is accepted during the checkout`, `요청한 광고가 노출되었을 때`, `길드에 가입해야 입장 가능`: each names another
event of the sheet. `Sent after the battle is over` only says when the event itself is sent.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.event_words import (
    ACTIONS,
    FAILURES,
    PHASES,
    SUCCESSES,
    Reading,
    concepts,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.taxonomies.model import Taxonomy

Kind = EventKind


@dataclass(frozen=True)
class Mention:
    """An earlier event that a description names.

    Attributes:
        event: its name.
        here: whether it is what the user has in front of him or her: a screen, a list, a step of a process.
        ongoing: whether it has begun and is not over.
        by_name: whether the description writes the event's own name: `requires view_cart`.
    """

    event: str
    here: bool = False
    ongoing: bool = False
    by_name: bool = False


@dataclass(frozen=True)
class _Told:
    """Something that is told to have happened.

    Attributes:
        doing: concept of what was done, `~` and a stem of what is no concept; None where only a thing is named.
        about: the words of what it was done to.
        here: see `Mention`.
        ongoing: whether it has begun and is not over.
        made: whether only the making of the thing itself is meant.
        leading: whether it begins the sentence: `Enrolled car starts moving`.
        exact: whether only what tells the same thing by its id is meant: `the paid lot`, but no `paid plan`.
    """

    doing: str | None
    about: tuple[str, ...]
    here: bool = False
    ongoing: bool = False
    exact: bool = False
    leading: bool = False
    made: bool = False


_UNNAMED = frozenset(
    {Kind.SYSTEM, Kind.GOODBYE, Kind.CRASH, Kind.SESSION_START, Kind.SESSION_END, Kind.INSTALL, Kind.DEVICE}
)
"""Kinds of events that no other waits for because of a text."""


def mentions(taxonomy: Taxonomy, readings: Mapping[str, Reading], kinds: Mapping[str, EventKind]) -> Mentions:
    """By event, those that its description names as earlier ones."""
    finder, by_name = _Finder(taxonomy, readings, kinds), {name.lower(): name for name in readings}
    found: Mentions = {}
    for event in taxonomy.events:
        r = readings[event.name]
        if kinds[event.name] is Kind.SYSTEM or not event.description:
            continue
        for name in _names_in(event.description.lower(), by_name):
            if name != event.name and kinds[name] not in _UNNAMED:
                found.setdefault(event.name, []).append(Mention(name, by_name=True))
        for told in _told(event.description):
            earlier = finder.find(told, r) or finder.spelt(told, r)
            if earlier is not None:
                of_event = found.setdefault(event.name, [])
                if earlier.name not in {mention.event for mention in of_event}:
                    of_event.append(Mention(earlier.name, told.here, told.ongoing))
    return found


Mentions = dict[str, list[Mention]]

_BEFORE_NAMES = re.compile(
    r"\b(?:requires?|needs?|prerequisites?|after|once|following|follows|depends on)\b[\s:]*(?=[a-z])"
)
_BESIDE_NAMES = word_set("the a an event events step of successful completed finished previous both either any and or")
_AFTER_NAMES = r"\b(?:이벤트)?[가이]?\s*(?:완료|발생|성공)?\s*(?:후|이후|뒤|다음|필요)"


def _names_in(text: str, by_name: Mapping[str, str]) -> list[str]:
    """Events that a description calls by their names, as what has to come before: `requires a and b`, `a 이후`.

    Args:
        text: the description, in small letters.
        by_name: names of events by the same in small letters.
    """
    found: list[str] = []
    for cue in _BEFORE_NAMES.finditer(text):
        for word in re.findall(r"[^\s,;:.()&]+|[;:.()]", text[cue.end() :]):
            if word in by_name:
                found.append(by_name[word])
            elif word not in _BESIDE_NAMES:
                break
    if not text.isascii():
        found += [
            name for low, name in by_name.items() if re.search(rf"\b{re.escape(low)}{_AFTER_NAMES}", text, re.ASCII)
        ]
    return list(dict.fromkeys(found))


# --------------------------------------------------------------------------- what a text tells

_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*|[.,;:()]")
_SMALL = word_set(
    """
    a an the this these those of for to with from in on at by and or as into onto upon about is are was were be been
    being has have had do does did will can could may must it its that which who whom when while if after before during
    until since per out off up down over not no without within through between so than then there here again
    he she they his her their we you one all any each every some
    """
)
_LEADING = word_set("a an the this these of for to with from in on at by an already previously another every each")
"""What can stand before a participle that belongs to a noun."""
_AUXILIARIES = word_set("is are was were be been being has have had gets got get")
_PRONOUNS = word_set("he she they it we you the a an or user users customer member person player viewer someone")
_IRREGULAR = word_set("chosen sent set bought made won begun written taken put sold lost held shown given")
_ONGOING = word_set("running ongoing active")
_REPORTING = word_set("sent triggered fired logged recorded tracked reported collected emitted called")
_HERE = word_set("on at during in from")
_SCREENS = word_set("page screen list form popup dialog tab window panel catalogue catalog")
_PROCESSES = word_set("checkout cart book")
_ANYWHERE = word_set("app session user member game device browser account workspace time list item page")
_NO_DEED = word_set("paid used limited related detailed required advanced based needed")


def _told(description: str) -> Iterator[_Told]:
    text = description.lower()
    for sentence in re.split(r"[.;:\n]", text):
        words = _WORD.findall(sentence)
        if words:
            yield from _attributes(words)
            yield from _agents(words)
            yield from _clauses(words)
            yield from _places(words)
    if not text.isascii():
        for sentence in re.split(r"[.;:\n]", text):
            yield from _in_korean(sentence)
        yield from _in_japanese(text)


def _content(words: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """The first words up to one that says nothing."""
    kept: list[str] = []
    for word in words:
        if word in _SMALL or not word[0].isalpha() or len(kept) == most:
            break
        kept.append(word)
    return tuple(kept)


def _before(words: Sequence[str]) -> tuple[str, ...]:
    """Likewise the last ones."""
    return _content(words[::-1], 2)[::-1]


@functools.lru_cache(maxsize=2048)
def _deed(word: str) -> str | None:
    """Concept of what a participle says was done; of a verb that is no concept `~` and its stem."""
    if word in _ONGOING:
        return "start"
    if word in _NO_DEED or not (word in _IRREGULAR or (len(word) > 4 and word.endswith("ed"))):
        return None
    said = concepts(word)
    if len(said) == 1 and said[0] in ACTIONS | PHASES.keys():
        return said[0]
    return f"~{_stem(word)}" if len(said) == 1 and len(word) > 4 else None


def _stem(word: str) -> str:
    return re.sub(r"(?:e?d|ing|e|s)$", "", word.lower())


def _attributes(words: Sequence[str]) -> Iterator[_Told]:
    """`the ordered card`, `requested refund`."""
    for place, word in enumerate(words[:-1]):
        before = words[place - 1] if place else ""
        if word == "paid" and before == "the":
            yield _Told("pay", _content(words[place + 1 :], 1), exact=True)
        deed = "start" if word == "open" and before in ("a", "an", "the") else _deed(word)
        about = _content(words[place + 1 :])
        if deed and about and (not before or before in _LEADING or before in ",()"):
            yield _Told(deed, about, ongoing=word in _ONGOING or word == "open", leading=not place)


_AGENTS = {"winner": "win", "subscriber": "subscribe", "enrollee": "enroll"}


def _agents(words: Sequence[str]) -> Iterator[_Told]:
    """`policy holder`, `holder of a pass`: who has been given something; `winner`: who has done something."""
    for place, word in enumerate(words):
        if word.rstrip("s") == "holder":
            held = _before(words[:place])[-1:] or _content([w for w in words[place + 1 :] if w not in _SMALL], 1)
            yield _Told("issue", held)
            yield _Told("create", held)
        elif place == 0 and word in _AGENTS:
            yield _Told(_AGENTS[word], (_AGENTS[word],))


def _clauses(words: Sequence[str]) -> Iterator[_Told]:
    """`a goal that was set`, `a challenge that he or she joined`, `after the ticket was resolved`."""
    for place, word in enumerate(words):
        rest = words[place + 1 :]
        if word in ("that", "which", "who"):
            later = [w for w in rest[:6] if w not in _PRONOUNS and w not in _AUXILIARIES and w != "already"]
            deed = _deed(later[0]) if later else None
            subject = rest[:1] and (rest[0] in _AUXILIARIES or rest[0] in _PRONOUNS)
            if deed and subject:
                yield _Told(deed, _before(words[:place]), ongoing=later[0] in _ONGOING)
        elif word in ("after", "once") and words[0] not in _REPORTING and (word == "after" or rest[:1] == ["the"]):
            told = [w for w in _until_break(rest) if w not in _SMALL]
            said = concepts(" ".join(told))
            deed = next((w for w in reversed(said) if w in ACTIONS or w in PHASES), None)
            yield _Told(deed, tuple(told))
        elif word in ("to", "into", "from") and rest[:1] == ["the"] and len(thing := _content(rest[1:])) == 1:
            if thing[0] not in _ANYWHERE:
                yield _Told("create", thing, made=True)  # `linked to the home`
        elif word == "against" and rest[:1] == ["the"]:
            yield _Told(None, _content(rest[1:], 1))
        elif word == "the" and place and rest[:1] == ["search"]:
            yield _Told("search", ("search",))  # `saves the search`
        elif word == "had" and rest and concepts(rest[0])[:1] and concepts(rest[0])[0] in ACTIONS:
            yield _Told(concepts(rest[0])[0], ())  # `user had bid but ...`
        elif word in ("needs", "requires") and rest[:1] and rest[0] in ("a", "an", "the", "at", "one"):
            yield _Told("create", _content([w for w in rest if w not in ("at", "least", "one")][rest[0] in _A :]))


_A = ("a", "an", "the")


def _until_break(words: Sequence[str]) -> list[str]:
    stop = next((place for place, word in enumerate(words) if word in (",", "(", ")", "and")), len(words))
    return list(words[: min(stop, 8)])


def _places(words: Sequence[str]) -> Iterator[_Told]:
    """`at the checkout`, `on the detail page`, `the report on the screen`."""
    for place, word in enumerate(words[:-1]):
        if word not in _HERE or words[place + 1] not in ("the", "a", "an"):
            continue
        where = _content(words[place + 2 :])
        if where[:1] == ("screen",):
            yield _Told("view", _before([w for w in words[:place] if w not in ("that", "is")]), here=True)
            continue
        named = next((number for number, w in enumerate(where) if w in _SCREENS), None)
        where = where[: named + 1] if named is not None else where
        if where and not (len(where) == 1 and where[0] in _ANYWHERE):
            yield _Told(None, where, here=True)


# --------------------------------------------------------------------------- in Korean

_PARTICLES = re.compile(r"(?:에서|으로|에게|까지|부터|을|를|이|가|은|는|의|에|로|와|과|도)$")
_AFTER = ("후", "뒤", "이후")
_SELF = ("전송", "기록", "발생", "수집", "저장", "때", "시", "경우", "자동")
_CUSTOMERS = re.compile(r"(?:고객|회원|이용자|사용자|유저)(?:이|가|은|는|의|에게|만)?")


def _in_korean(text: str) -> Iterator[_Told]:
    """`요청한 광고`, `길드에 가입해야`, `소속 길드`, `캐릭터 생성 후 튜토리얼이 시작될 때`."""
    words = re.findall(r"[^\s.,;:()·/]+", text)
    for place, word in enumerate(words):
        rest = words[place + 1 : place + 3]
        if match := re.fullmatch(r"(.{2,}?)(?:한|된|했던|하던)", word):
            if rest and not rest[0].startswith((*_AFTER, *_SELF)):
                yield _Told(_deed_of(words, place, match[1]), tuple(map(_plain, rest)))
        elif match := re.fullmatch(r"(.{2,}?)(?:해야|하여야|되어야)", word):
            yield _Told(_deed_of(words, place, match[1]), tuple(map(_plain, words[max(place - 2, 0) : place])))
        elif word.endswith("에서") and rest and "view" in (shown := concepts(_plain(word))):
            before = [_plain(words[place - 1])] if place and shown == ("view",) else []
            yield _Told(None, (*before, _plain(word)), here=True)
        elif word == "소속" and rest:
            yield _Told("join", tuple(map(_plain, rest[:1])))
        elif place > 1 and _CUSTOMERS.fullmatch(word):  # `프리미엄 구독 고객이`
            deed = next((w for w in concepts(words[place - 1]) if w in ACTIONS), None)
            if deed is not None:
                yield _Told(deed, (_plain(words[place - 2]),))
        elif re.sub(r"(?:에만|에|만|로)$", "", word) in _AFTER and rest and not rest[0].startswith(_SELF):
            told = [_plain(w) for w in words[max(place - 3, 0) : place]]
            said = concepts(" ".join(told))
            yield _Told(next((w for w in reversed(said) if w in ACTIONS or w in PHASES), None), tuple(told))


_IN_JAPANESE = re.compile(
    r"([^\s、。（）()・]{2,16}?)(?:した|された|の|を経た)?(?:後|あと)(?:に|で|の|、|のみ|$)(?!.{0,2}(?:送信|記録|発火|計測))"
)


def _in_japanese(text: str) -> Iterator[_Told]:
    """`注文完了後に評価した時`."""
    for match in _IN_JAPANESE.finditer(text):
        said = concepts(re.split(r"[がをはにでとへ]", match[1])[-1])
        deed = next((w for w in reversed(said) if w in ACTIONS or w in PHASES), None)
        if said and not (deed is None and len(said) > 3):
            yield _Told(deed, (match[1],))
    for match in re.finditer(r"所属([^\s、。がをはにでと]{2,8})", text):
        yield _Told("join", (match[1],))
    for match in re.finditer(
        r"([^\s、。がをはにでと]{2,8})(?:した|済みの|された)([^\s、。がをはにでと時後際場]{2,12})", text
    ):
        said = concepts(match[1])
        deed = next((w for w in reversed(said) if w in ACTIONS or w in PHASES), None)
        if deed:
            yield _Told(deed, (match[2],))


def _deed_of(words: Sequence[str], place: int, stem: str) -> str | None:
    """Concept of a verb, which may be written in two words: 수강 신청한."""
    together = concepts(words[place - 1] + stem) if place else ()
    said = together if len(together) == 1 else concepts(stem)
    return next((w for w in reversed(said) if w in ACTIONS or w in PHASES), "")


def _plain(word: str) -> str:
    return _PARTICLES.sub("", word)


# --------------------------------------------------------------------------- which event it is

_LIKE = (
    word_set("buy pay order book subscribe done"),
    word_set("accept confirm verify success"),
    SUCCESSES | {"end"},
    word_set("assign match_found"),
    word_set("save bookmark add"),
    word_set("request submit attempt"),
    word_set("create add upload write post"),
)
_ANYBODY = word_set("item product user guest customer passenger visitor member")
_SHOWING = word_set("view list show visit")
_BEGINNING = word_set("start open enter launch request attempt")


class _Finder:
    def __init__(self, taxonomy: Taxonomy, readings: Mapping[str, Reading], kinds: Mapping[str, EventKind]) -> None:
        self.readings = [r for r in readings.values() if kinds[r.name] not in _UNNAMED]
        self.named = {event.name: {*concepts(event.name), *concepts(event.alias)} for event in taxonomy.events}
        aliases = {event.name: frozenset(concepts(event.alias)) for event in taxonomy.events}
        self.words = {r.name: _name_words(r) | aliases[r.name] for r in self.readings}
        self.carried = {r.name: _things_of(r) for r in self.readings}
        self.stems = {r.name: {f"~{_stem(piece)}" for piece in pieces(r.name)} for r in self.readings}
        self.descriptions = {event.name: event.description.lower() for event in taxonomy.events}
        self.common = {
            name: sum(name in r.properties for r in readings.values())
            for r in readings.values()
            for name in r.properties
        }

    def find(self, told: _Told, r: Reading) -> Reading | None:
        """The event that is told of in the description of another."""
        if told.here:
            return self._shown(told, r)
        about = {concept for word in told.about for concept in concepts(word)} - {"done"}
        own = told.doing is not None and told.doing in (r.action, r.phase) and told.doing in self.named[r.name]
        other_thing = bool(about) and not about & _name_words(r)
        if told.doing == "" or (own and not other_thing and (not told.ongoing or about & set(r.words))):
            return None
        if told.doing is None:
            return self._thing(about, r)
        if told.about == (told.doing,) and (ended := self._thing({told.doing}, r)):
            return ended  # `after the visit`
        scored = [
            (score, -o.index, o)
            for o in self.readings
            if o is not r and (score := self._score(o, told, about - {told.doing}, r)) > 0
        ]
        if not scored and len(told.about) == 1 and not about - {told.doing} and not told.about[0].endswith("ing"):
            only = [o for o in self.readings if o is not r and (not o.fails or told.doing in FAILURES)]
            only = [o for o in only if _does(o, told.doing) == 2]
            return only[0] if len(only) == 1 else None  # `after verification`
        if not scored and told.leading:
            beside = [o for o in self.readings if o.tag and o.tag == r.tag and o.index < r.index and not o.fails]
            beside = [o for o in beside if _does(o, told.doing) == 2 and not told.doing.startswith("~")]
            return beside[0] if len(beside) == 1 else None
        return max(scored, key=lambda item: item[:2])[2] if scored else None

    def spelt(self, told: _Told, r: Reading) -> Reading | None:
        """Of the events about the same thing the one whose name spells what is told: `assessed` of `the assessment`."""
        if told.here or told.ongoing:
            return None
        ids = {name for name in r.properties if _ID.search(name)}
        found = [
            o
            for o in self.readings
            if o is not r and ids & o.properties
            for piece in pieces(o.name)
            for word in told.about
            if piece.endswith("ed")
            and min(len(piece), len(word)) > 5
            and word[:6] == piece.lower()[:6]
            and word[:6] not in r.name.lower()
        ]
        return found[0] if len(found) == 1 else None

    def _score(self, o: Reading, told: _Told, about: set[str], r: Reading) -> float:
        doing = str(told.doing)
        does = _begins(o) if told.ongoing else _does(o, doing) or 2 * (doing in self.stems[o.name])
        does = does or int(o.phase is None and o.action in _SHOWING and doing in self.named[o.name])
        if not does or (o.fails and doing not in FAILURES):
            return 0
        words = self.words[o.name] - {doing}
        same: float = len(about & words)
        if told.made and not (o.action == "create" and o.phase is None and about == o.topic):
            return 0
        if told.exact and not about & self.carried[o.name] & self.carried.get(r.name, frozenset()):
            return 0
        if not same and does == 2 and about & self.carried[o.name] & self.carried.get(r.name, frozenset()):
            same = 0.5  # `the received lot`: both events tell which
        if told.ongoing and not same and about & o.description:
            same = 0.5
        if about and not same:
            alike = any(self.common[name] <= 3 for name in o.properties & r.properties)
            if does < 2 or not alike:
                return 0
        other = o.things - about - set(r.words) - r.description - _ANYBODY
        if not about and (other or doing not in (o.action, o.phase, *o.topic)):
            return 0  # `after placing it`
        return does + same - 0.4 * len(other)

    def _thing(self, about: set[str], r: Reading) -> Reading | None:
        """`after the session`: the last event before that is about it."""
        found = [
            o
            for o in self.readings
            if o is not r and o.index < r.index and (not o.fails or o.phase == "exit")
            if about and about <= self.words[o.name]
        ]
        return found[-1] if found else None

    def _shown(self, told: _Told, r: Reading) -> Reading | None:
        """What shows, or begins, the thing that a user has in front of him or her."""
        about = {concept for word in told.about for concept in concepts(word)} - {"view"}
        on_screen = any("view" in concepts(word) for word in told.about if not word.isascii())
        on_screen = on_screen or bool(_SCREENS.intersection(told.about) or _PROCESSES & about)
        phrase = " ".join(told.about)
        found: list[tuple[float, int, Reading]] = []
        for o in self.readings:
            shows = o.action in _SHOWING
            if shows and told.doing is None and not on_screen:
                continue
            if o is r or o.fails or not (shows or o.phase in _BEGINNING or (told.doing and o.action == "create")):
                continue
            if told.doing is not None:  # on the screen: what was shown in a row before
                named = about & (self.words[o.name] | o.description)
                if named and o.index < r.index and o.phase != "request":
                    found.append((len(about & self.words[o.name]), o.index, o))
            elif (about and about <= self.words[o.name]) or (
                not about and shows and len(told.about) > 1 and phrase in self.descriptions[o.name]
            ):
                found.append((shows, -abs(o.index - r.index), o))
        return max(found, key=lambda item: item[:2])[2] if found else None


_ID = re.compile(r"(?:_id|Id|ID|_Id|_no|No|_No)$")


def _name_words(r: Reading) -> frozenset[str]:
    """Concepts of a name, of each of its words by itself too."""
    return frozenset(r.words) | {concept for piece in pieces(r.name) for concept in concepts(piece)}


def _things_of(r: Reading) -> frozenset[str]:
    """Concepts of the things whose ids an event carries."""
    ids = [_ID.sub("", name) for name in r.properties if _ID.search(name)]
    return frozenset(concept for name in ids for concept in concepts(name))


def _does(o: Reading, doing: str) -> int:
    """2 where an event is what was done, 1 where it is nearly that."""
    own = {o.action, o.phase} - {None}
    if doing in own:
        return 2
    settled = o.phase is None or o.succeeds or o.phase in ("start", "submit", "accept", "match_found", "end")
    if settled and doing in o.topic:
        return 1
    return int(settled and any(doing in group and own & group for group in _LIKE))


def _begins(o: Reading) -> int:
    """Whether an event begins something that lasts."""
    if o.phase in ("start", "open", "enter", "launch"):
        return 2
    return int(o.phase is None and o.action not in (*_SHOWING, "search", "click", "edit", "delete", "rate", "share"))
