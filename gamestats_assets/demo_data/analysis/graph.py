"""The order of events: one graph of precedence whose edges carry their evidence.

`evidence` finds the edges; this module joins them: an edge is taken unless it contradicts a surer one, and the outcomes
of one decision follow the same event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gamestats_assets.demo_data.analysis.meaning.descriptions import Finder, Mention, is_id_name, is_legacy, says
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind, kinds_of, of_kind
from gamestats_assets.demo_data.analysis.meaning.measures import rule_of
from gamestats_assets.demo_data.analysis.meaning.reading import Reading, pieces, read_events, spelt_out
from gamestats_assets.demo_data.rules.model import EventSequence
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo

Kind = EventKind


@dataclass(frozen=True)
class Edge:
    """An event follows another, or one of several: it comes `next` within the same session, or it `needs` it."""

    after: str
    before: tuple[str, ...]
    kind: str
    why: str
    confidence: float

    def __str__(self) -> str:
        return f"{self.after} {'follows' if self.kind == 'next' else 'needs'} {' or '.join(self.before)}"


@dataclass(frozen=True)
class Life:
    """The life of a thing that an id names: its births, and all events about it, births included, in order. It is
    public if other users look at what one user makes."""

    identifier: str
    births: tuple[str, ...]
    events: tuple[str, ...]
    public: bool = False


@dataclass(frozen=True)
class Doubt:
    """A reading that may be wrong, with its evidence, its confidence (0 to 1) and the next best reading."""

    reading: str
    why: str
    confidence: float
    instead: str


FIXED = (Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END, Kind.INSTALL, Kind.DEVICE, Kind.CRASH, Kind.GOODBYE)
"""Kinds of events that have a fixed place in a session or a life, or that no user causes."""
_FLAGS = ("optional", "repeated", "during", "instead", "others", "received", "trouble")
_AT_LEAST = 0.5
"""Confidence below which an edge is ignored."""


@dataclass
class EventOrder:
    """A product's events and their order.

    Attributes:
        kinds: the kind of each event, by name.
        readings: the reading of each event, by name.
        mentions: by event, the earlier events that its description names.
        partners: by event with a bad outcome, the one with the good outcome.
        lives: lives of the things that ids name.
        edges: all edges found, the surest first.
        next: by event, the edge to the event just before it in a session.
        needs: by event, the edges to events that must have happened before.
        sequences: sequences read off the graph, see `projections`.
    """

    taxonomy: Taxonomy
    product: ProductInfo
    is_game: bool
    kinds: dict[str, EventKind] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    mentions: dict[str, list[Mention]] = field(default_factory=dict)
    partners: dict[str, str] = field(default_factory=dict)
    lives: list[Life] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    next: dict[str, Edge] = field(default_factory=dict)
    needs: dict[str, list[Edge]] = field(default_factory=dict)
    sequences: list[EventSequence] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = read_events(self.taxonomy.events)
        self.events = {event.name: event for event in self.taxonomy.events}
        self.kinds = kinds_of(self.taxonomy, found, is_game=self.is_game)
        self.readings = {r.name: self._known(r) for r in found}
        self.legacy = {event.name for event in self.taxonomy.events if is_legacy(event)}
        fixed = {name for name, kind in self.kinds.items() if kind in FIXED} | self.legacy
        self.free = [r for r in self.readings.values() if r.name not in fixed]
        finder = Finder(self.taxonomy, self.readings, fixed)
        for r in self.readings.values():
            of_users = self.kinds[r.name] is not Kind.SYSTEM and r.name not in self.legacy
            if of_users and (mentions := finder.mentions(r)):
                self.mentions[r.name] = mentions

    def _known(self, r: Reading) -> Reading:
        """Returns a reading with the event's kind and ids, and with the flags that its description sets."""
        common = {prop.name for prop in (*self.taxonomy.common_properties, *self.taxonomy.user_properties)}
        event = self.events[r.name]
        ids = tuple(p.name for p in event.properties if is_identifier(p) and p.name not in common and not p.constraint)
        flags = {role for role in _FLAGS if says(event, role)}
        if not self.is_game and says(event.model_copy(update={"description": spelt_out(event)}), "harm"):
            flags.add("trouble")
        return replace(r, kind=self.kinds[r.name], ids=ids, flags=frozenset(flags))

    def of(self, *kinds: EventKind) -> list[Reading]:
        """Returns the events of these kinds, in the order of the sheet."""
        return [self.readings[name] for name in of_kind(self.kinds, *kinds)]

    def is_instead(self, one: str, other: str) -> bool:
        """Whether two events are outcomes that exclude each other: approval and refusal, win and defeat."""
        alike = self.partners.get(one, one) == self.partners.get(other, other)
        return alike and bool({one, other} & self.partners.keys())

    # ----------------------------------------------------------------- joining the evidence

    def join(self, edges: Iterable[Edge]) -> None:
        """Takes the edges, the surest first, that contradict none taken before."""
        self.edges = sorted(self._decided(list(edges)), key=lambda edge: -edge.confidence)
        before: dict[str, set[str]] = {}
        for edge in self.edges:
            taken = edge.kind == "next" and edge.after in self.next
            if edge.confidence < _AT_LEAST or edge.after in edge.before or taken:
                continue
            if any(waits_for(before, name, edge.after) for name in edge.before):
                continue
            if edge.kind == "next":
                self.next[edge.after] = edge
            elif edge.before not in [known.before for known in self.needs.get(edge.after, ())]:
                self.needs.setdefault(edge.after, []).append(edge)
            before.setdefault(edge.after, set()).update(edge.before)

    def _decided(self, edges: list[Edge]) -> list[Edge]:
        """Returns the edges, and those that let the outcomes of one decision follow the same event."""
        steps: dict[str, list[Edge]] = {}
        for edge in edges:
            near = edge.why.startswith("both") and edge.confidence < 0.7
            if edge.kind == "next" or edge.why.startswith("the description") or near:
                steps.setdefault(edge.after, []).append(edge)
        added: list[Edge] = []
        for bad, good in self.partners.items():
            known = [e for x in (good, bad) for e in steps.get(x, ()) if not {good, bad} & {*e.before}]
            soon = [e for e in known if e.kind == "next"]
            known = [e for e in soon if e.after == good] or soon or known
            if known:
                best = max(known, key=lambda edge: edge.confidence)
                sure = max(0.9, best.confidence) + 0.005
                added += [Edge(x, best.before, "next", f"{good} or {bad} happens", sure) for x in (good, bad)]
        return [*edges, *added]


def waits_for(needs: Mapping[str, Iterable[str]], event: str, wanted: str) -> bool:
    """Whether one event is another, or waits for it, directly or not."""
    waiting, seen = [event], set[str]()
    while waiting:
        name = waiting.pop()
        if name == wanted:
            return True
        if name not in seen:
            seen.add(name)
            waiting += needs.get(name, ())
    return False


def is_identifier(prop: Property) -> bool:
    """Whether a property identifies one of many things; numbers that count do not."""
    if prop.type not in (PropertyType.STRING, PropertyType.NUMBER) or not is_id_name(prop.name):
        return False
    named = pieces(prop.name)[-1] in ("id", "uuid", "guid", "아이디")
    return named or (prop.type is PropertyType.STRING and rule_of(prop) is None)


def anchor(found: Sequence[Reading]) -> Reading | None:
    """Returns the one of several events that completes the thing."""
    good = [r for r in found if not r.fails]
    done = [r for r in good if r.succeeds or r.phase == "accept"]
    plain = [r for r in good if r.place is None]
    return (done or plain or good or [None])[-1 if done else 0]
