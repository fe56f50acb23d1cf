"""What the analyst is not sure of: how it reads a sheet, why, how sure it is, and the next best reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gamestats_assets.demo_data.analysis.graph import Edge, EventOrder
from gamestats_assets.demo_data.analysis.kinds import EventKind
from gamestats_assets.demo_data.analysis.reckoning import Reckoned

SURE = 0.7
"""Confidence from which on nobody needs to look."""


@dataclass(frozen=True)
class Doubt:
    """A reading that may be wrong.

    Attributes:
        reading: what the rules say.
        why: the evidence.
        confidence: 0 to 1.
        instead: the next best reading.
    """

    reading: str
    why: str
    confidence: float
    instead: str


def doubts_of(order: EventOrder, reckoned: Iterable[Reckoned], of_updates: Iterable[Doubt]) -> list[Doubt]:
    """Everything that is less than sure about the order of events, formulas and updates; the least sure first."""
    of_formulas = (
        Doubt(f"{r.place.key} = {r.formula}", r.why, r.confidence, "it has a value of its own") for r in reckoned
    )
    found = [d for d in (*_of_order(order), *of_formulas, *of_updates) if d.confidence < SURE]
    return sorted(dict.fromkeys(found), key=lambda d: (d.confidence, d.reading))


def _of_order(order: EventOrder) -> Iterator[Doubt]:
    """Of each event the surest evidence of what it comes after, and the surest other that was not taken."""
    arrivals = {r.name for r in order.of(EventKind.REGISTER, EventKind.INSTALL)}
    for event in order.readings:
        telling = [e for e in order.edges if e.after == event and not {*e.before} <= arrivals]
        taken = [e for e in (order.next.get(event), *order.needs.get(event, ())) if e in telling]
        if not taken:
            continue
        best = max(taken, key=lambda edge: edge.confidence)
        known = {name for edge in taken for name in edge.before}
        other = next((e for e in telling if not {*e.before} & known), None)
        instead = f"it {_verb(other)} {' or '.join(other.before)}" if other else "it happens by itself"
        yield Doubt(f"{event} {_verb(best)} {' or '.join(best.before)}", best.why, best.confidence, instead)


def _verb(edge: Edge) -> str:
    return "follows" if edge.kind == "next" else "needs"
