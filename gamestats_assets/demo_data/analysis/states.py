"""What names and texts say about the states of a user, and the events that they mean.

`analyst_updates.toml` holds the words and patterns by which sheets say that something is counted, summed up, held,
gained or lost, begun or over.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.analysis.meaning.measures import Measure, Place, counts_things, rule_of
from gamestats_assets.demo_data.analysis.meaning.reading import (
    LOOKS,
    PHASES,
    Reading,
    concepts,
    own_pieces,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.model import CounterRule, PropertyConstraint, Scalar
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.value_rules import Between, Counter, OneOf, SharedCounter

Kind = EventKind

FACTS = facts("analyst_updates")
SAID: Mapping[str, frozenset[str]] = {name: word_set(words) for name, words in FACTS["words"].items()}
BEFORE = SAID["before"]
"""Words for the state before an event."""
ID = re.compile(r"(?:_(?i:id|no|number|key)|(?<=[a-z0-9])(?:Id|ID|No|Number|Key))$")
"""Names of identifiers."""
ENDINGS = word_set("cancel timeout end close")
"""Phases in which something is over."""


@functools.cache
def _pattern(means: str) -> re.Pattern[str]:
    patterns = [entry["says"] for entry in FACTS["pattern"] if entry["means"] == means]
    return re.compile("|".join(patterns), re.IGNORECASE)


def says(means: str, text: str) -> bool:
    return bool(_pattern(means).search(text))


# --------------------------------------------------------------------------- words


@functools.lru_cache(maxsize=8192)
def singulars(name: str) -> frozenset[str]:
    """Returns the words of a name in small letters, in the singular, without those of other scripts.

    >>> sorted(singulars("bag.lifetimeTips"))
    ['lifetime', 'tip']
    """
    return frozenset(_singular(word) for word in own_pieces(name) if word.isascii() and word.isalpha())


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return re.sub(r"(?<=[^siu])s$", "", word) if len(word) > 3 else word


def _stem(word: str) -> str:
    """Returns an English word without its inflection: `paused`, `pausing` and `pause` are one."""
    if len(word) < 5:
        return _singular(word)
    word = re.sub(r"ie[sd]$", "y", _singular(word))
    bare = re.sub(r"(?<=\w{4})(?:ation|ating|ated|ate)$|(?:ing|ed|e)$", "", word)
    return re.sub(r"([^aeiouls])\1$", r"\1", bare if len(bare) > 2 else word)[:6]


@functools.lru_cache(maxsize=8192)
def words_of(text: str) -> frozenset[str]:
    """Returns the words of a text: concepts, stems, neighbours written together, and pairs of letters of other
    scripts."""
    known = concepts(text)
    stems = [_stem(word) for word in pieces(text) if word.isascii() and word.isalpha()]
    joined = [_singular(a + b) for run in (known, stems) for a, b in pairwise(run) if (a + b).isascii()]
    other = [run[at : at + 2] for run in re.findall(r"[^\W\d_a-zA-Z]{2,}", text) for at in range(len(run) - 1)]
    return frozenset({*known, *stems, *joined, *other}) - SAID["empty"]


def nouns(name: str) -> frozenset[str]:
    """Returns the words for a name's subject, without those for how it is counted or shown."""
    return singulars(name) - SAID["state"] - SAID["tally"]


def own_words(name: str) -> frozenset[str]:
    """Returns the same words in any inflection, without those for the direction of change."""
    words = nouns(name) - SAID["spent"] - SAID["earned"] - set(FACTS["currency"]) - SAID["held"]
    return frozenset(map(_stem, words))


def texts_of(prop: Property) -> str:
    """Returns alias and description together."""
    return f"{prop.alias} {prop.description}".strip()


def currency(prop: Property) -> frozenset[str]:
    """Returns the currencies that a property's name and texts name."""
    return _currencies(f"{prop.name} {texts_of(prop)}")


@functools.lru_cache(maxsize=4096)
def _currencies(text: str) -> frozenset[str]:
    spelt = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).replace("_", " ").lower()
    ends = r"(?![a-z가-힣\u4e00-\u9fff\u3040-\u30ff])"
    return frozenset(
        name for name, pattern in FACTS["currency"].items() if re.search(rf"(?<![a-z가-힣])(?:{pattern}){ends}", spelt)
    )


def same_currency(one: Property, other: Property) -> bool:
    first, second = currency(one), currency(other)
    return not first or not second or bool(first & second)


# --------------------------------------------------------------------------- values of user properties


def accumulates(prop: Property) -> bool:
    """Whether a number only ever grows."""
    return bool(singulars(prop.name) & SAID["total"] or says("so_far", texts_of(prop)))


def counts(prop: Property) -> bool:
    """Whether a number counts things or times, by its name or the sheet's words."""
    counted = says("counted", prop.alias) or says("counted", prop.description)
    done = re.sub(r"_?(?:p|P)aid$", "", prop.name)  # `invoices_paid` counts
    return bool(singulars(prop.name) & SAID["count"] or counted or (counts_things(done) and not sums(prop)))


def sums(prop: Property) -> bool:
    named = singulars(prop.name) & word_set("amount amt sum value spent spend revenue")
    return bool(named or says("summed", texts_of(prop)) or currency(prop)) and not singulars(prop.name) & SAID["count"]


def is_held(prop: Property) -> bool:
    return bool(says("held", texts_of(prop)) or singulars(prop.name) & SAID["held"])


def is_amount(prop: Property, wanted: frozenset[str] = frozenset()) -> bool:
    """Whether a number may be added up: not an id, share, duration or standing, unless `wanted` includes it."""
    odd = singulars(prop.name) & (SAID["unit"] | SAID["before"] | SAID["after"]) - wanted
    running = isinstance(rule_of(prop), Counter | SharedCounter) or says("so_far", texts_of(prop))
    return prop.type is PropertyType.NUMBER and not odd and not running and not says("each", texts_of(prop))


def is_after(prop: Property) -> bool:
    if singulars(prop.name) & SAID["before"]:
        return False
    return bool(singulars(prop.name) & SAID["after"] or says("after", texts_of(prop)))


def way_of(*texts: str) -> int:
    """Returns the sign of the first text that has one: 1 for gains, -1 for losses."""
    for text in texts:
        words = frozenset(concepts(text)) | singulars(text)
        down = bool(words & SAID["spent"]) or says("goes", text)
        up = bool(words & SAID["earned"]) or says("comes", text)
        if up != down:
            return 1 if up else -1
    return 0


def listed(prop: Property) -> tuple[str, ...]:
    """Returns the texts that the sheet allows for a property, as they are spelled; none if it leaves them open."""
    rule = rule_of(prop)
    return tuple(str(value) for value in rule.values) if isinstance(rule, OneOf) else ()


def at_first(prop: Property, reached: Set[str]) -> Scalar | None:
    """Returns the listed value of users to whom nothing has happened yet: one that no event leads to."""
    left = [value for value in listed(prop) if value not in reached]
    named = next((value for value in left if _pattern("nothing").match(value.strip())), None)
    return named or (left[0] if left and left[0] == listed(prop)[0] else None)


# --------------------------------------------------------------------------- deeds and reversals


def _forms(word: str) -> set[str]:
    return {word, _stem(word), word.removesuffix("d"), word.removesuffix("ed")}


def core(reading: Reading) -> frozenset[str]:
    odd = SAID["undo"] | SAID["restore"]
    return frozenset(_stem(word) for word in singulars(reading.name) if not _forms(word) & odd)


def _has(reading: Reading, words: Set[str]) -> bool:
    return reading.action in words or any(_forms(word) & words for word in singulars(reading.name))


def takes_away(reading: Reading) -> bool:
    """Whether something is given up: left, removed, terminated."""
    return _has(reading, SAID["undo"] - ENDINGS)


def is_over(reading: Reading) -> bool:
    """Whether something of a user is over: cancelled, expired, left."""
    return reading.phase in ENDINGS or bool(singulars(reading.name) & ENDINGS) or takes_away(reading)


def about_same(later: Reading, earlier: Reading) -> bool:
    one, other = core(earlier), core(later)
    within = earlier.things <= later.things or later.things <= earlier.things
    return bool(one & other) and (within or other <= frozenset(map(_stem, singulars(earlier.name))))


def undoes(later: Reading, earlier: Reading) -> bool:
    """Whether an event takes back another: `title_unsubscribe` after `title_subscribe`."""
    if later.name == earlier.name:
        return False
    one, other = singulars(earlier.name), singulars(later.name)
    gone, come = one - other, other - one
    negated = {f"{prefix}{word}" for prefix in ("un", "de", "dis") for word in gone}
    if len(come) == 1 and come <= negated:
        return True
    shared = about_same(later, earlier)
    if _has(later, SAID["restore"]):
        return shared and (takes_away(earlier) or core(later) == core(earlier))
    return shared and takes_away(later) and not takes_away(earlier)


def takes_back(later: Reading, earlier: Reading) -> bool:
    """Whether an event ends or undoes what another began; outcomes of one step are no such pair."""
    one_step = later.place == earlier.place and later.topic == earlier.topic
    return undoes(later, earlier) or (is_over(later) and not one_step and about_same(later, earlier))


def is_settled(reading: Reading, readings: Iterable[Reading]) -> bool:
    """Whether something has been done, rather than begun, viewed or failed.

    A start without an outcome of its own counts as done: a membership that has started.
    """
    looks = reading.action in LOOKS | {"click"} and (reading.place is None or reading.place < 5)
    begun = reading.place is not None and reading.place < 4 and reading.phase != "accept" and reading.step is None
    if begun and reading.phase in ("start", "open", "enter", "launch"):
        same = [o for o in readings if o.topic == reading.topic]
        begun = any(o.succeeds or o.phase in ("end", "result", "fail", "reject") for o in same)
    return not (reading.fails or looks or begun)


# --------------------------------------------------------------------------- events that a text means


@dataclass(frozen=True)
class Moved:
    """An event that moves a state by its text, up or true (1), down or false (-1), or without a direction (0), and the
    number of the event that the text names."""

    event: Reading
    way: int = 0
    number: str | None = None


class Speech:
    """The events of a product, found by the words of texts."""

    def __init__(self, order: EventOrder, numbers: Mapping[str, Sequence[Place]]) -> None:
        self.order, self.numbers = order, numbers
        self.of_users = [r for r in order.readings.values() if order.kinds[r.name] is not Kind.SYSTEM]
        self.vocabulary = {r.name: self._weights(r) for r in self.of_users}
        often = Tally(word for words in self.vocabulary.values() for word in words)
        self.rarity = {word: math.log(1 + len(self.vocabulary) / count) for word, count in often.items()}
        self.names: dict[str, list[Reading]] = {}
        for r in self.of_users:
            alias = order.taxonomy.event(r.name).alias.strip()
            for name in {r.name, alias if len(alias) > 1 and (" " in alias or not alias.isascii()) else r.name}:
                self.names.setdefault(name.lower(), []).append(r)
        of_users = [p for r in self.of_users for p in numbers.get(r.name, ())]
        spelt = {p.name.lower() for p in of_users if re.search(r"_|[a-z][A-Z]|[^\x00-\x7f]", p.name)}
        spelt |= {alias.lower() for p in of_users if len(alias := p.prop.alias.strip()) > 2 and not alias.isascii()}
        edge = "A-Za-z0-9_"
        whole = (
            rf"(?<![{edge}]){re.escape(name)}(?![{edge}])" if name[:1].isascii() else re.escape(name)
            for name in sorted(spelt | self.names.keys(), key=len, reverse=True)
        )
        self._named = re.compile("|".join(whole) or "(?!)", re.IGNORECASE)

    def _weights(self, r: Reading) -> dict[str, float]:
        event = self.order.taxonomy.event(r.name)
        own = (r.name, " ".join(r.words), event.alias)
        names = [text for p in event.properties for text in (p.name, p.alias)]
        found: dict[str, float] = {}
        for texts, weight in ((own, 1.0), (names, 0.5), ((event.description,), 0.4), ((event.tag,), 0.2)):
            for word in {word for text in texts for word in words_of(text)}:
                found.setdefault(word, weight)
        return found

    def closeness(self, wanted: Mapping[str, float], r: Reading) -> float:
        """Scores how many of the words an event has, rare words counting more and its extra words against it."""
        of_event = self.vocabulary[r.name]
        shared = sum(weight * of_event[word] * self.rarity[word] for word, weight in wanted.items() if word in of_event)
        own = [self.rarity[word] for word, weight in of_event.items() if weight == 1]
        unsaid = sum(self.rarity[word] for word, weight in of_event.items() if weight == 1 and word not in wanted)
        return shared * (1 - 0.3 * unsaid / max(sum(own), 1e-9))

    def ranked(
        self, wanted: Mapping[str, float], *, thing: Set[str] = frozenset(), flag: bool = False
    ) -> list[tuple[Reading, float]]:
        """Returns the events that share words with a text, the likeliest first; finished deeds before begun ones."""
        odd = PHASES.keys() if wanted.keys() - PHASES.keys() else set()
        scores: dict[Reading, float] = {}
        for r in self.of_users:
            topic = {w for w, weight in self.vocabulary[r.name].items() if weight >= 0.4} & wanted.keys() - odd
            if topic and self._may(r, wanted, flag=flag) and self.order.kinds[r.name] is not Kind.GOODBYE:
                scores[r] = self.closeness(wanted, r) * (1 + 0.08 * self.doneness(r))
        scores = {r: score for r, score in scores.items() if thing & self.vocabulary[r.name].keys()} or scores
        best = max(scores.values(), default=0)

        def rank(r: Reading) -> tuple[bool, float, int]:
            near = scores[r] >= 0.88 * best
            return not near, -self.doneness(r) if near else -scores[r], r.index

        return [(r, scores[r]) for r in sorted(scores, key=rank)]

    def nearest(self, wanted: Mapping[str, float], thing: Set[str]) -> Reading | None:
        """Returns the likeliest of them."""
        return next((r for r, _ in self.ranked(wanted, thing=thing)), None)

    def _may(self, r: Reading, wanted: Mapping[str, float], *, flag: bool) -> bool:
        """Whether an event may be meant: failures, reversals and starts only if the text asks for them."""
        ended = r.phase in ENDINGS or takes_away(r) or _has(r, SAID["restore"])
        if _has(r, SAID["again"]) and not SAID["again"] & wanted.keys():
            return False
        settled = is_settled(r, self.of_users) or (flag and r.phase == "start")
        if settled and not (ended if flag else takes_away(r)):
            return True
        odd = {w for w in (r.phase, r.action) if w and (w in PHASES or w in LOOKS | {"click"})}
        odd |= {w for w in singulars(r.name) if _forms(w) & (SAID["undo"] | SAID["restore"])}
        return bool({form for w in odd for form in _forms(w)} & wanted.keys())

    def doneness(self, r: Reading) -> int:
        """Scores how surely something is done: completed, then done at once or accepted, then merely begun."""
        if r.phase == "accept" or r.place is None or (r.place >= 5 and not (r.succeeds and r.phase != "confirm")):
            return 2
        return 3 if r.place >= 5 else int(is_settled(r, self.of_users))

    def one_of_each(self, found: Sequence[tuple[Reading, str]]) -> list[tuple[Reading, str]]:
        """Keeps only the completing stage of each process, so that nothing is added twice."""
        best: dict[frozenset[str], tuple[Reading, str]] = {}
        for r, name in sorted(found, key=lambda item: -self.doneness(item[0])):
            best.setdefault(r.topic | ({r.action} if r.action else set()), (r, name))
        return sorted(best.values(), key=lambda item: item[0].index)

    def outright(self, text: str) -> tuple[list[Reading], list[str]]:
        """Returns the events and numbers that a text names."""
        events: list[Reading] = []
        numbers: list[str] = []
        for match in self._named.finditer(text):
            name = match[0].lower()
            events += self.names.get(name, ())
            numbers += [name] if name not in self.names else []
        return events, numbers

    def number_named(self, r: Reading, names: Iterable[str]) -> str | None:
        """Returns the event's number that has one of these names or aliases."""
        spelt = {p.name: {p.name.lower(), p.prop.alias.strip().lower()} for p in self.numbers.get(r.name, ())}
        return next((name for name, names_of_number in spelt.items() if names_of_number & {*names}), None)

    def moved(self, prop: Property, context: Set[str]) -> list[Moved]:
        """Returns the events that a description names, or says to move the state in a direction."""
        text = re.sub(r"[(（]([A-Za-z_]\w+)[)）]", r" \1 ", prop.description)  # e.g. `prizes (prize_net)`
        events, numbers = self.outright(text)
        carrying = {r.name: n for r in events if (n := self.number_named(r, numbers)) is not None}
        about = {**dict.fromkeys(context, 0.4), **{w: 0.4 for r in events for w in map(_stem, r.topic)}}
        found: list[Moved] = []
        ways: list[tuple[int, int]] = []  # of each clause, with the number of events found up to it
        heading = 0
        several = prop.type is PropertyType.NUMBER and (says("join", text) or says("less", text))
        for clause in _pattern("cut").split(text):
            way = says("more", clause.strip()) - says("less", clause.strip())
            for part in _pattern("join").split(clause):
                named, numbers_named = self.outright(part)
                if named:
                    found += [Moved(r, way, carrying.get(r.name) or self.number_named(r, numbers_named)) for r in named]
                elif numbers_named:
                    found += [Moved(r, way, name) for r, name in self._with_number(numbers_named, part)]
                elif (way or several) and not says("initial", part):
                    wanted = dict.fromkeys(words_of(part), 1.0)
                    near = self.nearest(about | wanted, context)
                    if near is not None and self.closeness(wanted, near) > 0.5:
                        found.append(Moved(near, way))
                    else:
                        several = False
            if way and len(clause.split()) == 1:
                heading = way  # e.g. `up: packs, prizes`
            ways.append((way or heading, len(found)))
        found = _with_ways(found, ways, last=not text.isascii())
        clear = any(m.way or m.number for m in found) or bool(events)
        return list({m.event.name: m for m in reversed(found)}.values())[::-1] if clear or several else []

    def _with_number(self, names: Sequence[str], part: str) -> list[tuple[Reading, str]]:
        """Returns the events with a number that a text names; of several, those that its other words mean."""
        having = [(r, n) for r in self.of_users if (n := self.number_named(r, names))]
        having = self.one_of_each([(r, n) for r, n in having if is_settled(r, self.of_users)] or having)
        wanted = dict.fromkeys(words_of(self._named.sub(" ", part)), 1.0)
        near = [(r, n) for r, n in having if any(self.vocabulary[r.name].get(w, 0) == 1 for w in wanted)]
        return near or having


def _with_ways(found: Sequence[Moved], ways: Sequence[tuple[int, int]], *, last: bool) -> list[Moved]:
    """Gives each event the direction of its clause, or of the next clause if the verb stands last."""
    filled, way = list(found), 0
    for number in range(len(ways) - 1, -1, -1):
        way = ways[number][0] or (way if last else 0)
        for at in range(ways[number - 1][1] if number else 0, ways[number][1]):
            filled[at] = replace(filled[at], way=filled[at].way or way)
    return filled


# ------------------------------------------------------------------ states that events and common properties show


def states_shown(taxonomy: Taxonomy) -> dict[str, PropertyConstraint]:
    """Returns constraints of common properties that show a user property: `tmp_level` shows `current_level`."""
    shown: dict[str, PropertyConstraint] = {}
    users = {prop.name: prop for prop in taxonomy.user_properties}
    for prop in taxonomy.common_properties:
        stem = bare(prop.name)
        same = [u for u in users.values() if u.type is prop.type and stem]
        near = [u for u in same if bare(u.name) in (stem, stem | {"id"})]
        if prop.name not in users and prop.rule is None and near:
            shown[prop.name] = PropertyConstraint(copy_of=near[0].name)
    return shown


def bare(name: str) -> frozenset[str]:
    """Returns the words of a name without those that only say that it is current."""
    return singulars(name) - SAID["shown"]


def is_level_up(r: Reading) -> bool:
    """Whether a user's own level rises."""
    return r.says("levelup") and r.things <= {"character", "user", "account", "game", "level"}


def shown_levels(
    order: EventOrder, everywhere: Sequence[Place], measures: Mapping[Place, Measure]
) -> dict[str, PropertyConstraint]:
    """Returns constraints of event numbers that show a user's level: the next one in level-ups, else the current
    one."""
    steps: dict[Place, int] = {}
    fixed, odd = (Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE), BEFORE | {"max", "id"}
    levels = [p for p in everywhere if p in measures and measures[p].name == "level" and p.of_event and not p.parent]
    for place in levels:
        free = isinstance(place.prop.rule, Between | None) and not singulars(place.name) & odd
        if place.kind in fixed or not free:
            continue
        risen = is_level_up(order.readings[place.event]) and not any(p.event == place.event for p in steps)
        if risen or singulars(place.name) <= {"level", "user", "player", "current"}:
            steps[place] = int(risen)
    if 1 not in steps.values() or any(not isinstance(rule_of(p.prop), Between | None) for p in steps):
        return {}
    given = measures[max(steps, key=lambda p: steps[p])]
    start, most = (max(given.low, 1), given.high) if given.given else (1, None)
    rules = {p.key: CounterRule(start=start, step=step, max=most, shared="level") for p, step in steps.items()}
    return {key: PropertyConstraint(counter=rule) for key, rule in rules.items()}
