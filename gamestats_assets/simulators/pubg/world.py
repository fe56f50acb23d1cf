"""The parts of a match: maps and their rules, weapons, items, and players."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any

from gamestats_assets.simulators.templates import rows, template

_CIRCLES = template("pubg", "circles")
SURVIVAL: tuple[list[float], list[float]] = _CIRCLES["survival_percentiles"], _CIRCLES["survived_shares"]
"""Percentiles of players, and the share of the match that they survive."""
SHIFT_PERCENTILES: list[float] = _CIRCLES["shift_percentiles"]


@dataclass(frozen=True)
class Rules:
    """Sizes and times of the circles of a kind of match.

    Attributes:
        first_radius_m: radius before the first shrink; wider than the map.
        delay_s: seconds from LogMatchStart to the first white circle.
        radii_m: radius at the end of each phase.
        waits_s: seconds for which a phase shows its white circle before the blue one moves.
        shrinks_s: seconds in which the blue circle reaches the white one.
        damages_per_s: hit points lost outside, by phase.
        shifts: how far a centre moves, as a share of the radius lost, at `SHIFT_PERCENTILES`, by phase; the last row
            repeats.
        duration_s: mean, spread, smallest and largest duration of a match.
    """

    first_radius_m: float
    delay_s: float
    radii_m: list[float]
    waits_s: list[float]
    shrinks_s: list[float]
    damages_per_s: list[float]
    shifts: list[list[float]]
    duration_s: dict[str, float]


@dataclass(frozen=True)
class GameMap:
    """A map: its side in metres, its rules by kind of match, how often it is played, and its vehicles."""

    side: float
    public: Rules
    competitive: Rules
    share: float
    vehicles: tuple[str, ...]


def _rules(name: str) -> Rules:
    facts = _CIRCLES["rules"][name]
    return Rules(**{**facts, "shifts": _CIRCLES["shifts"][facts["shifts"]]})


MAPS: dict[str, GameMap] = {
    row["map_id"]: GameMap(
        float(row["side_m"]),
        _rules(row["public_rules"]),
        _rules(row["competitive_rules"]),
        float(row["share"]),
        tuple(row["vehicles"].split()),
    )
    for row in rows("pubg", "maps")
}


@dataclass(frozen=True)
class Weapon:
    """A weapon: hit points per hit, seconds between shots, pellets per shot, and how often people have it."""

    causer: str
    item: dict[str, Any]
    category: str
    damage: float
    interval_s: float
    pellets: int
    reach_m: float
    share: float
    early_share: float

    @property
    def is_thrown(self) -> bool:
        """Whether it leaves the hand."""
        return self.item["subCategory"] == "Throwable"

    @property
    def is_shot(self) -> bool:
        """Whether each of its hits is a shot or a blow to a part of the body."""
        return self.category in ("Damage_Gun", "Damage_Melee", "Damage_Punch")


_ITEM = template("pubg", "parts")["item"]


def _weapon(row: dict[str, str]) -> Weapon:
    item = {**_ITEM, "itemId": row["item_id"], "subCategory": row["sub_category"]}
    if row["item_id"]:
        item |= {"stackCount": 1, "category": "Equipment" if row["sub_category"] == "Throwable" else "Weapon"}
    numbers = (float(row[name]) for name in ("reach_m", "share", "early_share"))
    damage, interval = float(row["damage"]), float(row["interval_s"])
    return Weapon(row["causer"], item, row["damage_category"], damage, interval, int(row["pellets"]), *numbers)


WEAPONS: dict[str, Weapon] = {row["causer"]: _weapon(row) for row in rows("pubg", "weapons")}
"""Weapons by causer; vehicles that run people over have causers of their own."""
GUNS = [weapon for weapon in WEAPONS.values() if weapon.category in ("Damage_Gun", "Damage_Melee")]
THROWN = [weapon for weapon in WEAPONS.values() if weapon.is_thrown]
FRAG, MOLOTOV = WEAPONS["ProjGrenade_C"], WEAPONS["BP_MolotovFireDebuff_C"]
FISTS, RAMMING = WEAPONS["PlayerMale_A_C"], WEAPONS[""]
MARKSMAN = WEAPONS["WeapMini14_C"]
"""The weapon of last resort, if no other reaches far enough."""


def items(roles: str) -> tuple[list[dict[str, Any]], list[float]]:
    """Returns the items of some roles, given as words separated by spaces, with their shares; weapons are guns."""
    wanted = roles.split()
    found = [(_item(row), float(row["share"])) for row in rows("pubg", "items") if row["role"] in wanted]
    if "weapon" in wanted:
        total = sum(gun.share for gun in GUNS)
        found += [(gun.item, 10 * gun.share / total) for gun in GUNS]
    total = sum(share for _, share in found)
    return [item for item, _ in found], [share / total for _, share in found]


def _item(row: dict[str, str]) -> dict[str, Any]:
    facts = {name: row[name] for name in ("itemId", "category", "subCategory")}
    return {**_ITEM, **facts, "stackCount": int(row["stackCount"])}


ITEMS = {
    item["itemId"]: item
    for item in [*(_item(row) for row in rows("pubg", "items")), *(weapon.item for weapon in WEAPONS.values())]
}
"""Items by id."""

# --------------------------------------------------------------------------- people

_NAMES = rows("pubg", "names")
BOT_BODY = "UltAIPawn_Base_Male_C"


@dataclass(frozen=True)
class Person:
    """A participant; `guns` are the first and second gun, and the one of the first minutes."""

    account_id: str
    name: str
    team: int
    is_bot: bool
    skill: float
    body: str
    guns: tuple[Weapon, Weapon, Weapon]


def stable_number(*parts: object) -> int:
    """Returns a 64-bit number that depends only on the parts, on every machine and in every process."""
    return int.from_bytes(blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest(), "big")


def make_person(number: int) -> tuple[str, str, float, str]:
    """Returns account id, name, skill and body of the player with this number in the population, in every match."""
    digest = blake2b(f"gamestats simulated player {number}".encode(), digest_size=24).digest()
    name = f"{_NAMES[digest[16] % len(_NAMES)]['head']}{_NAMES[digest[17] % len(_NAMES)]['tail']}{number:03d}"
    own, squad = Random(stable_number("skill", number)), Random(stable_number("squad", number // 4))
    skill = math.exp(own.gauss(0.0, 0.55) + squad.gauss(0.0, 0.35))
    body = "PlayerFemale_A_C" if digest[18] % 3 == 0 else "PlayerMale_A_C"
    return f"account.{digest[:16].hex()}", name, skill, body
