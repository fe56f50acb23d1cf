"""The events of a product while their order is worked out: what each says, its kind, the sequences found so far."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gamestats_assets.demo_data.analysis.event_kinds import EventKind, kinds_of, of_kind
from gamestats_assets.demo_data.analysis.event_mentions import Mentions, mentions
from gamestats_assets.demo_data.analysis.event_words import Reading, read_events
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import EventSequence, Step
from gamestats_assets.demo_data.taxonomies.model import Taxonomy

Kind = EventKind

ALWAYS_ALLOWED = frozenset(
    {
        *(Kind.SYSTEM, Kind.INSTALL, Kind.DEVICE, Kind.SESSION_START, Kind.SESSION_END, Kind.CRASH, Kind.REGISTER),
        *(Kind.ONBOARDING, Kind.GOODBYE, Kind.VERIFY, Kind.SETTING),
    }
)
"""Kinds of events that happen in every stage of a life."""


_EACH_TIME = re.compile(r"\b(?:each|every) time\b|\b(?:may|can) (?:be repeated|happen several)|할 때마다|たびに|度に")


@dataclass
class EventOrder:
    """What is known of a product's events while their order is worked out.

    Attributes:
        kinds: of every event.
        readings: of every event, by name.
        told: by event, the earlier ones that its description names.
        sequences: found so far; an event heads any number of them, and is a later step of one at most.
    """

    taxonomy: Taxonomy
    product: ProductInfo
    is_game: bool
    kinds: dict[str, EventKind] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    told: Mentions = field(default_factory=dict)
    sequences: list[EventSequence] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = read_events(self.taxonomy.events)
        self.readings = {reading.name: reading for reading in found}
        self.kinds = kinds_of(self.taxonomy, found, is_game=self.is_game)
        self.told = mentions(self.taxonomy, self.readings, self.kinds)

    def of(self, *kinds: EventKind) -> list[Reading]:
        """Events of some kinds, in the order of the sheet."""
        return [self.readings[name] for name in of_kind(self.kinds, *kinds)]

    def taken(self) -> set[str]:
        """Events that stand in a sequence, at a fixed place, or are no user's."""
        fixed = of_kind(self.kinds, Kind.SYSTEM, Kind.SESSION_START, Kind.SESSION_END, Kind.INSTALL, Kind.DEVICE)
        return {*fixed, *(event for sequence in self.sequences for step in sequence.steps for event in step.events)}

    def free(self) -> list[Reading]:
        """The others."""
        taken = self.taken()
        return [reading for reading in self.readings.values() if reading.name not in taken]

    def add(self, name: str, kind: str, steps: Sequence[Step]) -> None:
        """Note a sequence; its first step always happens."""
        if not steps:
            return
        known = {sequence.name for sequence in self.sequences}
        unique = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 1000))) if n not in known)
        steps = [self._followed(before, step) for before, step in zip([None, *steps], steps, strict=False)]
        if kind != "onboarding":
            steps = [steps[0], *map(self._repeated, steps[1:-1]), *steps[1:][-1:]]
        first = steps[0].model_copy(update={"probability": 1.0})
        self.sequences.append(
            EventSequence.model_validate({"name": unique, "kind": kind, "steps": [first, *steps[1:]]})
        )

    def _repeated(self, step: Step) -> Step:
        """A step within a process that the sheet says happens each time: `倒すたびに`, `on every kill`."""
        text = self.taxonomy.event(step.events[0]).description.lower()
        again = len(step.events) == 1 and step.repeats == 1 and _EACH_TIME.search(text)
        return step.model_copy(update={"repeats": 4}) if again else step

    def _followed(self, before: Step | None, step: Step) -> Step:
        """A step that follows only the good outcomes of the one before, unless it is the end whatever the outcome."""
        if before is None or step.follows or any((self.readings[event].place or 0) == 6 for event in step.events):
            return step
        good = [
            e for e in before.events if not self.readings[e].fails and self.readings[e].phase not in ("pause", "close")
        ]
        return step.model_copy(update={"follows": good}) if good and len(good) < len(before.events) else step


def anchor(found: Sequence[Reading]) -> Reading | None:
    """The one of several that tells the thing is done."""
    good = [r for r in found if not r.fails]
    done = [r for r in good if r.succeeds or r.phase == "accept"]
    plain = [r for r in good if r.place is None]
    return (done or plain or good or [None])[-1 if done else 0]


def waits_for(needs: Mapping[str, Sequence[str]], event: str, wanted: str) -> bool:
    """Whether an event is another, or waits for it, directly or not.

    Args:
        needs: by event, those that must have happened before.
    """
    waiting, seen = [event], set[str]()
    while waiting:
        name = waiting.pop()
        if name == wanted:
            return True
        waiting += [before for before in needs.get(name, ()) if before not in seen]
        seen.update(waiting)
    return False
