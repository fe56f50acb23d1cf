"""Reads descriptions of events: how often they happen, who causes them, and which other events come before.

`The ordered card was activated`, `Only verified workers can apply`, `after the delivery`, `on the detail page`,
`요청한 광고`, `SMS認証済みの人のみ` each name an earlier event of the sheet. The patterns of such clauses stand in
`analyst_clauses.toml` and `analyst_mentions.toml`; this module applies them and finds the events that are meant.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gamestats_assets.demo_data.analysis.meaning.reading import (
    ACTIONS,
    BACKGROUND,
    FAILURES,
    GROUPS,
    KNOWN,
    LOOKS,
    PHASES,
    SUCCESSES,
    Reading,
    concepts,
    named_words,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy, flattened


@functools.cache
def clauses() -> Mapping[str, list[re.Pattern[str]]]:
    """Returns the patterns of clauses by role."""
    found: dict[str, list[re.Pattern[str]]] = {}
    for clause in facts("analyst_clauses")["clause"]:
        found.setdefault(clause["role"], []).append(re.compile(clause["pattern"], re.IGNORECASE))
    return found


def text_of(event: Event) -> str:
    """Returns description and alias in small letters, with full-width characters as plain ones."""
    text = unicodedata.normalize("NFKC", f"{event.description} ; {event.alias}").lower()
    return " ".join(text.split())


def says(event: Event, role: str) -> bool:
    """Whether a description has a clause of a role: `optional`, `system`, `repeated`, ..."""
    return any(pattern.search(text_of(event)) for pattern in clauses()[role])


def _without(text: str, role: str) -> str:
    for pattern in clauses()[role]:
        text = pattern.sub(" ", text)
    return text


# --------------------------------------------------------------------------- frequency

PEOPLE = named_words("people")
"""Words for users of products, and for what each user has one of."""
_USERS = named_words("users")
_NO_PEOPLE = named_words("no_people")
_PER = re.compile(
    r"\b(?:once|one \w+) (?:per|for (?:each|every)|an?|each|every|in an?|by (?:each|every)) (?:\w+ )?(\w+)"
)
_ID_NAME = re.compile(r"(?:[a-z]I|(?:^|_)[iI])[dD]s?$")
_OF_NO_KIND = re.compile("order|pay|purchase|trans|product|item|user|account|device|session|visitor|install")
"""Starts of id names that do not name one of many things: deals, whose first one is a first in a life, and people."""


def one_of_many(event: Event) -> bool:
    """Whether an event names one of many things, each of which has a first time of its own."""
    names = [name for name, _ in flattened(event.properties)]
    return any(_ID_NAME.search(name) and not _OF_NO_KIND.match(name.lower()) for name in names)


def happens_once(event: Event) -> bool:
    """Whether a text says that an event happens once per user: `once per rider`, `계정당 1회`, `一度だけ`."""
    text = _without(text_of(event), "daily")
    own = {re.sub(r"_?id$", "", prop.name.lower()) for prop in event.properties} - _USERS
    for match in _PER.finditer(text):
        who = match[1] if match[1] in PEOPLE else match[1].removesuffix("s")
        comes = who in event.name.lower() and re.search("regist|sign|join|activat|enrol", event.name.lower())
        person = who in PEOPLE or re.search(r"(?:er|or|ee|ist)$", who) or comes
        if person and who not in _NO_PEOPLE | own:
            return True
    if clauses()["once"][-1].search(text):
        return True
    text = _without(text, "seldom")
    says_so = {role: any(pattern.search(text) for pattern in clauses()[role]) for role in ("once", "first")}
    return says_so["once"] or (says_so["first"] and not one_of_many(event))


def happens_daily(event: Event, reading: Reading) -> bool:
    """Whether an event happens at most once a day: `1日1回`, `daily_login`, an attendance check."""
    if (
        says(event, "daily")
        or one_of_many(event)
        or reading.fails
        or reading.action in ("view", "click", "show", "list")
    ):
        return says(event, "daily")
    return reading.says("daily") and reading.says("checkin", "attend", "login", "reward")


_MACHINES = named_words("machines")


def is_of_system(event: Event) -> bool:
    """Whether a server, a batch or a schedule reports an event, rather than a user causing it."""
    tagged = _MACHINES & {event.tag.lower(), *pieces(event.tag)}
    named = _MACHINES & {*pieces(event.name)}
    return says(event, "system") or bool((tagged and named) or ((tagged or named) and says(event, "again")))


def is_legacy(event: Event) -> bool:
    """Whether an event belongs to an older version and has been replaced."""
    old = re.search(r"(?:[_ ]old|[_ ]?v1|[_ ]legacy|[_ ]deprecated)$", event.name, re.IGNORECASE)
    return bool(old) or event.tag.lower() == "legacy" or says(event, "legacy")


# --------------------------------------------------------------------------- earlier events in descriptions


@dataclass(frozen=True)
class Mention:
    """An earlier event that a description names.

    Attributes:
        event: its name.
        role: `needs`, `after`, `here` (a screen, list or step that the user is in), or `ongoing` (begun and not over).
        phrase: the words that name it.
        by_name: whether the description writes the event's own name.
        confidence: that this event is meant, 0 to 1.
    """

    event: str
    role: str
    phrase: str
    by_name: bool = False
    confidence: float = 0.75


# --------------------------------------------------------------------------- clauses that name something

_WORD = re.compile(r"[a-zß-ÿ]+(?:[-'][a-z]+)*|[.,;:()]")
_SMALL = named_words("small")
_IRREGULAR = named_words("irregular")
_ONGOING = word_set("running ongoing active")
_ANYWHERE = named_words("anywhere")
_NO_DEED = named_words("no_deed")


@dataclass(frozen=True)
class Phrase:
    """Something that a description names.

    Attributes:
        role: see `Mention`.
        deed: concept of the deed; `~` and a stem if there is none; empty if only an object is named.
        about: words of the object of the deed.
        wording: the words of the text.
    """

    role: str
    deed: str
    about: tuple[str, ...]
    wording: str

    @property
    def things(self) -> frozenset[str]:
        """Concepts of the object of the deed."""
        return frozenset(c for word in self.about for c in concepts(word)) - {self.deed} - _GENERIC


def stem(word: str) -> str:
    """Returns an English word without its ending."""
    return re.sub(r"(?:e?d|ing|e|s)$", "", word.lower())


@functools.lru_cache(maxsize=4096)
def _participle(word: str) -> str:
    """Returns the concept of a participle; `~` and its stem if it has none; empty for other words."""
    if "-" in word and word.partition("-")[0].endswith("ed") and len(meanings := concepts(word)) == 1:
        return meanings[0] if meanings[0] in ACTIONS else ""
    if word in _ONGOING or word == "open":
        return "start"
    if word in _NO_DEED or not (word in _IRREGULAR or word == "paid" or (len(word) > 4 and word.endswith("ed"))):
        return ""
    meanings = concepts(word)
    if len(meanings) == 1 and meanings[0] in ACTIONS | PHASES.keys():
        return meanings[0]
    return f"~{stem(word)}" if len(meanings) == 1 else ""


def _content(words: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """Returns the words before the first empty one."""
    kept: list[str] = []
    for word in words:
        if word in _SMALL or not word[0].isalpha() or len(kept) == most:
            break
        kept.append(word)
    return tuple(kept)


def phrases(event: Event) -> Iterator[Phrase]:
    """Yields everything that a description names, the surest first."""
    text = unicodedata.normalize("NFKC", event.description).lower()
    for role in ("needs", "after", "here", "ongoing"):
        for pattern in clauses()[role]:
            for match in pattern.finditer(text):
                clause = next(filter(None, match.groups()), "").strip()
                ways = role == "after" and (" or " in clause or text[match.end() :].startswith((", or", " or ")))
                if ways or re.search("또는|혹은|または|又は|か、", clause):
                    continue  # one way among others
                parts = re.split(r",| and | or | und | / ", clause) if clause.isascii() or " " in clause else [clause]
                yield from filter(None, (_of_clause(role, part.strip()) for part in parts))
    for sentence in re.split(r"[.;:\n()]", text):
        yield from _in_english(sentence.strip())
    if not text.isascii():
        yield from _in_cjk(text)


_GENERIC = named_words("generic")
"""Deeds that say only how far another deed has come."""


def _of_clause(role: str, clause: str) -> Phrase | None:
    """Returns the last deed that a clause names, with its other words."""
    words = [word for word in _WORD.findall(clause) if word not in _SMALL] if clause.isascii() else [clause]
    words = words[:4]
    if re.search(r"[한된]\s", clause):
        return None  # only describes a noun
    meanings = concepts(" ".join(words))
    deeds = [c for c in meanings if c in ACTIONS or c in PHASES]
    deeds = [c for c in deeds if c not in _GENERIC] or deeds
    unknown = [_participle(word) for word in words if _participle(word).startswith("~")] if clause.isascii() else []
    deed = (unknown or deeds[-1:] or [""])[-1]
    if not clause.isascii():
        known = tuple(w for w in clause.split() if _is_thing(w))
        words = list(known or words)
    about = tuple(w for w in words if f"~{stem(w)}" != deed and w.rstrip("s") not in PEOPLE - {"device", "friend"})
    return Phrase(role, deed, about, clause) if deed or about else None


def _is_thing(word: str) -> bool:
    known = {*concepts(word)} & KNOWN
    return bool(known - {"user", "account"}) or (
        not known and len(word) > 1 and not re.search(r"[하되]|유저|사람", word)
    )


_SETS = ("leading", "auxiliaries", "pronouns", "screens")


@functools.cache
def _wordings() -> Sequence[tuple[Mapping[str, Any], re.Pattern[str]]]:
    """Rows of `analyst_mentions.toml`, in whose patterns `<leading>` stands for the set of words of that name."""
    found = []
    for row in facts("analyst_mentions")["wording"]:
        says = row["says"]
        for name in _SETS:
            says = says.replace(f"<{name}>", f"(?:{'|'.join(sorted(named_words(name)))})")
        found.append((row, re.compile(says)))
    return found


def _in_english(sentence: str) -> Iterator[Phrase]:
    """`the ordered card`, `a goal that was set`, `on the detail page`: a deed and its object."""
    for row, pattern in _wordings():
        for match in pattern.finditer(sentence):
            groups, role = match.groupdict(), row["role"]
            deed = _participle(groups["deed"]) if groups.get("deed") else row.get("deed", "")
            words = _WORD.findall(groups.get("thing") or "")
            about = _content(words[::-1], row.get("most", 3))[::-1] if row.get("back") else _content(words)
            if ("deed" in groups and not deed) or ("thing" in groups and not about):
                continue
            if role in ("whole", "here") and len(about) == 1 and about[0] in _ANYWHERE:
                continue
            if deed == "start" and groups.get("deed") != "started":
                role = "ongoing"
            if role != "whole" or len(about) == 1:
                yield Phrase(role, deed, about, match[0].strip() or f"{groups.get('deed')} {' '.join(about)}")


_PARTICLES = re.compile(r"(?:에서|으로|에게|까지|부터|을|를|이|가|은|는|의|에|로|와|과|도)$")


def _in_cjk(text: str) -> Iterator[Phrase]:
    """`요청한 광고`, `소속 길드`, `送った希望価格`, `所属チーム`."""
    for row in facts("analyst_mentions")["cjk"].values():
        for match in re.finditer(row["says"], text):
            about = tuple(_PARTICLES.sub("", word) for word in match["thing"].split())
            deed = row.get("deed") or _deed_in(match["deed"]) or ("" if row.get("known") else f"~{match['deed']}")
            if deed:
                yield Phrase(row["role"], deed, about, match[0].strip())


def _deed_in(text: str) -> str:
    for meanings in (concepts(text), concepts(f"{text}る"), concepts(f"{text}う")):
        deeds = [c for c in meanings if c in ACTIONS or c in PHASES]
        if deeds:
            return ([c for c in deeds if c not in _GENERIC] or deeds)[-1]
    return ""


# --------------------------------------------------------------------------- events that phrases mean

_LIKE = (
    named_words("like_buying"),
    named_words("like_accepting"),
    SUCCESSES | {"end"},
    word_set("assign match_found"),
    word_set("save bookmark add register set"),
    word_set("request submit attempt"),
    word_set("create add upload write post issue"),
    word_set("start open enter launch"),
)
_ANYBODY = named_words("anybody")
_SHOWING, _STARTS = word_set("view list show visit"), word_set("start open enter launch")
_MADE = named_words("made")


class Finder:
    """Finds the events that phrases mean.

    Args:
        but: events for which no other waits: those of the system, of sessions, of older versions.
    """

    def __init__(self, taxonomy: Taxonomy, readings: Mapping[str, Reading], but: Iterable[str]) -> None:
        left_out = set(but)
        self.readings = [r for r in readings.values() if r.name not in left_out]
        self.events = {event.name: event for event in taxonomy.events}
        self.words = {
            r.name: frozenset(r.words)
            | {c for piece in pieces(r.name) for c in concepts(piece)}
            | set(concepts(self.events[r.name].alias))
            for r in readings.values()
        }
        self.ids = {name: {p.name for p in e.properties if is_id_name(p.name)} for name, e in self.events.items()}
        self.things = {
            name: {c for i in ids for c in concepts(" ".join(pieces(i)[:-1]))} for name, ids in self.ids.items()
        }
        self.stems = {
            name: {f"~{stem(p)}" for p in (*pieces(name), *pieces(e.alias))} for name, e in self.events.items()
        }
        self.spelt = {name: foreground(e) for name, e in self.events.items()}
        self.by_name = {name.lower(): name for name in self.events if name not in left_out and len(name) > 3}

    def mentions(self, r: Reading) -> list[Mention]:
        """Returns the earlier events that an event's description names."""
        event = self.events[r.name]
        found: dict[str, Mention] = {}
        text = unicodedata.normalize("NFKC", event.description).lower()
        for word in re.findall(r"[a-z0-9_]+(?:[ _][a-z0-9_]+)*", text, re.ASCII):
            for name in (word, *word.split()):
                named = self.by_name.get(name)
                if named and named != r.name and ("_" in named or len(pieces(named)) > 1):
                    role = "instead" if says(event, "instead") else "needs"
                    found.setdefault(named, Mention(named, role, named, by_name=True, confidence=0.95))
        for phrase in phrases(event):
            o, sure = self.find(phrase, r)
            if o is not None and o.name not in found:
                role = {"attribute": "after", "whole": "after", "screen": "here"}.get(phrase.role, phrase.role)
                found[o.name] = Mention(o.name, role, phrase.wording, confidence=sure)
        return list(found.values())

    def find(self, phrase: Phrase, r: Reading) -> tuple[Reading | None, float]:
        """Returns the event that a phrase in another's description means, and the confidence."""
        others = [o for o in self.readings if o is not r]
        if phrase.role in ("here", "screen"):
            return self._shown(phrase, r, others), 0.7
        if phrase.role == "whole":
            made = [o for o in others if o.action == "create" and o.phase is None and o.topic == phrase.things]
            near = [o for o in others if 0 < r.index - o.index <= 2 and o.tag == r.tag and not o.fails]
            near = near if phrase.things and not phrase.things & self.words[r.name] else []
            return next(iter([*made, *(o for o in near[::-1] if phrase.things <= self.words[o.name])]), None), 0.6
        things = phrase.things
        own = phrase.deed and phrase.deed in (r.action, r.phase) and phrase.deed in self.words[r.name]
        if own and not (things - self.words[r.name]) and phrase.role != "ongoing":
            return None, 0
        if phrase.deed:
            scored = [(self._score(o, phrase, r), self._near(o, r), -o.index, o) for o in others]
            score, _, _, best = max(scored, key=lambda item: item[:3], default=(0, 0, 0, r))
            if score > 0:
                return best, 0.6 + 0.1 * min(score, 3)
            if phrase.deed.startswith("~") and phrase.role != "needs":
                return None, 0
        return self._thing(phrase, r, others), 0.6

    def _near(self, o: Reading, r: Reading) -> float:
        """Scores how near two events are: same id, same tag, a few rows above."""
        same_id, filed = self.ids[o.name] & self.ids[r.name], o.tag and o.tag == r.tag
        return bool(same_id) + 0.5 * bool(filed) + 0.5 * (o.index < r.index)

    def _score(self, o: Reading, phrase: Phrase, r: Reading) -> float:
        deed = phrase.deed
        does = self._begins(o) if phrase.role == "ongoing" and deed == "start" else self._does(o, deed)
        if not does or (o.fails and deed not in FAILURES):
            return 0
        things, words = phrase.things, self.words[o.name] - {deed}
        same = float(len(things & words))
        spelt = self.spelt[o.name]
        if not same and things:
            shared = bool(things & self.things[o.name] & self.things[r.name])
            written = any(len(word) > 1 and not word.isascii() and word in spelt for word in phrase.about)
            same = 0.5 if shared or written or (things & o.description and does == 2) else 0.0
            alike = bool(self.ids[o.name] & self.ids[r.name]) or bool(o.tag and o.tag == r.tag and does == 2)
            if not same and not alike:
                return 0
        other = o.things - things - set(r.words) - r.description - _ANYBODY - self.things[r.name]
        if not things and (other or does < 2) and not self.ids[o.name] & self.ids[r.name]:
            return does - 0.4 * len(other) if phrase.role == "needs" and does == 2 else 0
        return max(does + same - 0.4 * len(other), 0.1 if same >= 1 else 0)

    def _does(self, o: Reading, deed: str) -> float:
        """Scores an event against a deed: 2 if it is the deed, 1 if nearly."""
        if deed.startswith("~"):
            run = deed[1:]
            written = not run.isascii() and len(run) > 1 and run in self.spelt[o.name]
            return 2 * (deed in self.stems[o.name] or written)
        own = {o.action, o.phase} - {None}
        if deed == o.action and o.phase in ("request", "attempt", "queue"):
            return 1.5  # only asked for, not done yet
        if deed in own or (deed in self.words[o.name] and o.phase is None and o.action in LOOKS):
            return 2
        if any(deed in group and o.phase in group for group in _LIKE):
            return 1
        if o.phase not in (None, *SUCCESSES, "start", "submit", "accept", "match_found", "end", "open"):
            return 0
        like = any(deed in group and own & group for group in _LIKE)
        return 1 if like or deed in {*o.topic, *self.words[o.name]} else 0.5 * (deed in o.description)

    def _begins(self, o: Reading) -> float:
        """Whether an event begins something that lasts."""
        passing = (*_SHOWING, "search", "click", "edit", "delete", "rate", "share")
        return 2 if o.phase in _STARTS else float(o.phase is None and o.action not in passing)

    def _thing(self, phrase: Phrase, r: Reading, others: Sequence[Reading]) -> Reading | None:
        """Returns the event that makes a named thing, or the last one that acts on it."""
        about = phrase.things | ({phrase.deed} if phrase.deed and not phrase.deed.startswith("~") else set())
        about -= {"done", "start", "complete"} if len(about) > 1 else set()
        stems = {f"~{stem(word)}" for word in phrase.about if word.isascii() and len(word) > 3}
        named = [o for o in others if about and about <= self.words[o.name]]
        named = named or [o for o in others if about and stems and stems <= self.stems[o.name]]
        having = [o for o in named if not o.fails or o.phase == "exit" or o.phase in about]
        if phrase.role in ("after", "attribute"):
            above = [o for o in having if o.index < r.index]
            near = [o for o in above if self.ids[o.name] & self.ids[r.name]] or above
            return near[-1] if near else None

        def makes(o: Reading) -> bool:
            return o.action in _MADE or o.succeeds

        def rank(o: Reading) -> tuple[float, float, int]:
            extra = len((o.things | o.topic) - about - ACTIONS)
            late = o.phase in ("request", "attempt", "queue") or not makes(o)
            if phrase.role == "ongoing":
                return (extra, o.phase not in _STARTS and o.action not in _MADE, o.index)
            return (extra, late + (o.action == "create" and bool(about & GROUPS)), o.index)

        good = [o for o in having if o.action not in LOOKS and (makes(o) or o.phase == "start")]
        return min(good, key=rank, default=None)

    def _shown(self, phrase: Phrase, r: Reading, others: Sequence[Reading]) -> Reading | None:
        """Returns the event that shows or begins the thing that the user is looking at."""
        about = {c for word in phrase.about for c in concepts(word)} - {"view", "list"}
        on_screen = bool(named_words("screens").intersection(phrase.about)) or not phrase.wording.isascii()
        on_screen = on_screen or bool({"checkout", "cart", "book"} & about)
        wording = " ".join(phrase.about)
        found: list[tuple[float, int, Reading]] = []
        for o in (o for o in others if not o.fails):
            shows = o.action in _SHOWING or (on_screen and (o.phase == "open" or "view" in self.words[o.name]))
            shows = shows or (o.action == "search" and bool({"list", "result", "results"} & {*phrase.about}))
            if not (shows or o.phase in _STARTS or o.action == "create"):
                continue
            named = bool(about) and about <= self.words[o.name]
            spelt = shows and len(wording) > 3 and (not about or on_screen) and wording in self.spelt[o.name]
            other = shows and not on_screen and o.tag != r.tag
            if not other and (named or spelt or (not about and o.action == "search")):
                found.append((shows + (o.tag == r.tag) + 2 * named, -abs(o.index - r.index), o))
        return max(found, key=lambda item: item[:2])[2] if found else None


_LAST_OF_IDS = named_words("last_of_ids")


def is_id_name(name: str) -> bool:
    """Whether a name is an id's: `orderNo`, `ride_id`, `trackingNo`."""
    words = pieces(name)
    return len(words) > 1 and words[-1] in _LAST_OF_IDS


def foreground(event: Event) -> str:
    """Returns the description in small letters, without clauses about what happened before."""
    text = unicodedata.normalize("NFKC", f"{event.alias} ; {event.description}").lower()
    return re.sub(facts("analyst_mentions")["cjk"]["japanese"]["says"], r"\g<thing>", BACKGROUND.sub(" ", text))
