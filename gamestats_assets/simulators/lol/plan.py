"""Simulation plans, and the effects planted in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from gamestats_assets.simulators.lol.reference import CHAMPIONS, POSITIONS, Champion, champion_index

CORE_SLOTS = 5
OBJECTIVE_KINDS = ("dragon", "herald", "grubs", "baron", "tower", "inhibitor")


def skill_orders(champion: Champion) -> tuple[str, ...]:
    """Returns the orders in which a champion's skills reach their highest ranks, the usual one first."""
    first, second, third = champion.max_order
    return (first + second + third, first + third + second, second + first + third, second + third + first)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One planted effect.

    Attributes:
        kind: `item` (a champion's core item of an order wins more), `objective` (the team that takes the first one wins
            more), `skill_order` (a champion's order deals more damage), `vision` (vision correlates with deaths).
        champion: key or name, for items and skill orders.
        position: for all but objectives.
        core_order: number of the core item, from 1.
        item: id of the item.
        objective: first_blood, dragon, herald, grubs, baron, tower or inhibitor.
        order: skill order such as QEW.
        points: difference of the win rate: for an item the average over all games that got so far, for an
            objective between taking it and the other team taking it.
        dpm: added damage per minute.
        correlation: rank correlation of vision score per minute and deaths, with the length of game held.
    """

    kind: Literal["item", "objective", "skill_order", "vision"]
    champion: str | None = None
    position: str | None = None
    core_order: int | None = None
    item: int | None = None
    objective: str | None = None
    order: str | None = None
    points: float = 0.0
    dpm: float = 0.0
    correlation: float = 0.0

    @property
    def champion_id(self) -> int:
        """Id of the champion; 0 for all."""
        return CHAMPIONS[self.player].champion_id if self.champion else 0

    @property
    def player(self) -> int:
        """Place of the champion in `CHAMPIONS`."""
        return champion_index(self.champion or "")

    @property
    def place(self) -> int:
        """Place of the position in `POSITIONS`."""
        return POSITIONS.index(self.position or "")

    @property
    def slot(self) -> int:
        """Place of the core item, from 0."""
        return (self.core_order or 0) - 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A simulation plan.

    Attributes:
        matches: number of matches, including remakes and other queues.
        first_day: UTC day of the first match.
        days: number of days over which they are spread evenly.
        patches: patches in order, each with its share of the days.
        effects: planted effects.
        remakes: share of matches that are remakes.
        aram: share of ARAM matches.
        bots: share of matches against bots.
        champions: champions of each position by key; positions left out have the twelve usual ones.
    """

    matches: int = 1_000
    first_day: date = date(2023, 7, 18)
    days: int = 3
    patches: tuple[tuple[str, float], ...] = (("13.13", 1), ("13.14", 2))
    seed: int = 7
    effects: tuple[Effect, ...] = ()
    remakes: float = 0.01
    aram: float = 0.0
    bots: float = 0.0
    champions: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError if nothing could be simulated."""
        if self.matches < 1 or self.days < 1 or not self.patches:
            raise ValueError("expected at least one match, one day and one patch")

    def pool(self, position: str) -> list[int]:
        """Returns the champions of a position, as places in `CHAMPIONS`."""
        if position in self.champions:
            return [champion_index(name) for name in self.champions[position]]
        return [index for index, champion in enumerate(CHAMPIONS) if champion.position == position]

    @property
    def versions(self) -> list[str]:
        """Returns versions of Data Dragon, one for each patch."""
        return [f"{patch}.1" for patch, _ in self.patches]
