"""What to simulate, and what to plant in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from gamestats_assets.simulators.lol.reference import BUILDS, CHAMPIONS, POSITIONS, Champion, champion_index

CORE_SLOTS = 5
OBJECTIVE_KINDS = ("dragon", "herald", "grubs", "baron", "tower", "inhibitor")


def skill_orders(champion: Champion) -> tuple[str, ...]:
    """Orders in which a champion's skills reach their highest ranks, the usual one first."""
    first, second, third = champion.max_order
    return (first + second + third, first + third + second, second + first + third, second + third + first)


def _check(what: str, value: object, allowed: Sequence[object]) -> None:
    if value is not None and value not in allowed:
        raise ValueError(f"expected {what} of {tuple(allowed)}, found {value!r}")


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

    def __post_init__(self) -> None:
        """Raises ValueError where what the kind needs is missing or unknown."""
        needed = {
            "item": ("champion", "position", "core_order", "item", "points"),
            "objective": ("objective", "points"),
            "skill_order": ("champion", "position", "order", "dpm"),
            "vision": ("position", "correlation"),
        }[self.kind]
        if missing := [name for name in needed if not getattr(self, name)]:
            raise ValueError(f"an effect of kind {self.kind} needs {', '.join(missing)}")
        _check("a position", self.position, POSITIONS)
        _check("a core_order", self.core_order, range(1, CORE_SLOTS + 1))
        _check("an objective", self.objective, ("first_blood", *OBJECTIVE_KINDS))
        if self.champion is not None:
            champion = CHAMPIONS[self.player]
            _check(f"an item that {champion.key} builds", self.item, BUILDS[champion.build].core_items)
            _check(f"a skill order of {champion.key}", self.order, skill_orders(champion))

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
        """Raises ValueError where nothing could be simulated, or where effects stand in each other's way."""
        if self.matches < 1 or self.days < 1 or not self.patches:
            raise ValueError("expected at least one match, one day and one patch")
        if not self.remakes + self.aram + self.bots < 1:
            raise ValueError("expected remakes, aram and bots to leave room for ranked matches")
        for position in self.champions:
            _check("champions of a position", position, POSITIONS)
        for effect in self.effects:
            if effect.champion is not None and effect.player not in self.pool(POSITIONS[effect.place]):
                raise ValueError(f"{effect.champion} is not among the champions of {effect.position}")
        of_vision = [effect.position for effect in self.effects if effect.kind == "vision"]
        if len(set(of_vision)) < len(of_vision):
            raise ValueError("a position can have one planted correlation of vision")

    def pool(self, position: str) -> list[int]:
        """Champions of a position, as places in `CHAMPIONS`."""
        if position in self.champions:
            return [champion_index(name) for name in self.champions[position]]
        return [index for index, champion in enumerate(CHAMPIONS) if champion.position == position]

    @property
    def versions(self) -> list[str]:
        """Versions of Data Dragon, one for each patch."""
        return [f"{patch}.1" for patch, _ in self.patches]
