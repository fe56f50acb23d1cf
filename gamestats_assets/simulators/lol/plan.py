"""What to simulate, and what to plant in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from gamestats_assets.simulators.lol.reference import CHAMPIONS, POSITIONS, Champion, champion_index

CORE_SLOTS = 5
OBJECTIVE_KINDS = ("dragon", "herald", "grubs", "baron", "tower", "inhibitor")


def skill_orders(champion: Champion) -> tuple[str, ...]:
    """Orders in which a champion's skills reach their highest ranks, the usual one first."""
    first, second, third = champion.max_order
    return (first + second + third, first + third + second, second + first + third, second + third + first)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One planted effect.

    Attributes:
        kind: `item` (a champion's core item of an order wins more), `objective` (who takes the first one wins more),
            `skill_order` (a champion's order deals more damage), `vision` (vision goes with deaths).
        champion: key or name, of items and skill orders.
        position: of all but objectives.
        core_order: number of the core item, from 1.
        item: id of the item.
        objective: first_blood, dragon, herald, grubs, baron, tower or inhibitor.
        order: such as QEW.
        points: difference of the win rate that it makes: of an item on average over all games that got so far, of an
            objective between taking it and the other team's taking it.
        dpm: damage per minute that it adds.
        correlation: rank correlation of vision score per minute and deaths, length of game held.
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
    """What to simulate.

    Attributes:
        matches: how many, remakes and other queues included.
        first_day: UTC day of the first.
        days: over how many days they are spread evenly.
        patches: patches in order, each with its share of the days.
        effects: what is planted.
        remakes: share of matches that are remakes.
        aram: share that is ARAM.
        bots: share that is against bots.
        champions: champions of each position by key; where a position is left out, the twelve usual ones.
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
        """Raises ValueError where nothing could be simulated."""
        if self.matches < 1 or self.days < 1 or not self.patches:
            raise ValueError("expected at least one match, one day and one patch")

    def pool(self, position: str) -> list[int]:
        """Champions of a position, as places in `CHAMPIONS`."""
        if position in self.champions:
            return [champion_index(name) for name in self.champions[position]]
        return [index for index, champion in enumerate(CHAMPIONS) if champion.position == position]

    @property
    def versions(self) -> list[str]:
        """Versions of Data Dragon, one for each patch."""
        return [f"{patch}.1" for patch, _ in self.patches]
