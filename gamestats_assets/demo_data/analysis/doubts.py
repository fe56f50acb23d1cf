"""What the analyst is not sure of: how it reads a sheet, why, how sure it is, and the next best reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gamestats_assets.demo_data.analysis.equations import Reckoned
from gamestats_assets.demo_data.analysis.event_order import EventOrder

SURE = 0.85
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
        Doubt(f"{r.place.key} = {r.formula}", r.why, r.confidence, f"{r.place.key} has a value of its own")
        for r in reckoned
    )
    found = [d for d in (*_of_order(order), *of_formulas, *of_updates) if d.confidence < SURE]
    return sorted(dict.fromkeys(found), key=lambda d: (d.confidence, d.reading))


def _of_order(order: EventOrder) -> Iterator[Doubt]:
    """An edge of the graph that was taken, and the surest other that was not."""
    for edge in (*order.next.values(), *(edge for needs in order.needs.values() for edge in needs)):
        others = [e for e in order.edges if e.after == edge.after and not {*e.before} & {*edge.before}]
        best = max(others, key=lambda e: e.confidence if e.confidence <= edge.confidence else 0.0, default=None)
        verb = "follows" if edge.kind == "next" else "needs"
        instead = f"{verb} {' or '.join(best.before)}" if best else "happens by itself"
        yield Doubt(
            f"{edge.after} {verb} {' or '.join(edge.before)}", edge.why, edge.confidence, f"{edge.after} {instead}"
        )
