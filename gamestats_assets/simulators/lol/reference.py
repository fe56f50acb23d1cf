"""Champions and items of simulated matches, and the Data Dragon documents that list them.

They are CSV files under `data/templates/lol`: ids, names, prices and recipes of patch 13.15. Every champion there has
five ranks of Q, W and E and three of R. The items that a champion builds depend on its class, `build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gamestats_assets.simulators.templates import filled, rows, template

GAME = "lol"
POSITIONS = ("TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY")
Kind = Literal["core", "boots", "starter", "component", "consumable", "trinket", "quest"]


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        recipe: its components.
        is_mythic: whether a participant can have only one of its kind.
        transformed_from: item that turns into this one by itself; 0 for bought items.
        win_more: log odds by which it is chosen more often, per 1,000 gold of the team's lead.
    """

    item_id: int
    name: str
    name_ko: str
    gold_total: int
    recipe: tuple[int, ...]
    kind: Kind
    is_mythic: bool
    transformed_from: int
    win_more: float
    tags: tuple[str, ...]

    @property
    def gold_sell(self) -> int:
        """Gold from its sale."""
        share = 40 if self.kind in ("starter", "consumable", "quest") else 70
        return (self.gold_total * share + 50) // 100


@dataclass(frozen=True, slots=True)
class Champion:
    """One champion.

    Attributes:
        key: name in match objects.
        position: where it is played unless the plan says otherwise.
        build: its class, a key of `BUILDS`.
        max_order: the usual order in which Q, W and E reach their highest ranks.
    """

    champion_id: int
    key: str
    name: str
    name_ko: str
    position: str
    build: str
    max_order: str


@dataclass(frozen=True, slots=True)
class Build:
    """Items that champions of a class build.

    Attributes:
        tag: Data Dragon's name of the class.
        core_items: in their usual order.
    """

    tag: str
    core_items: tuple[int, ...]
    boots: tuple[int, ...]


def _ids(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


def _item(row: Mapping[str, str]) -> Item:
    kind: Any = "core" if row["kind"] == "mythic" else row["kind"]
    return Item(
        int(row["item_id"]), row["name"], row["name_ko"], int(row["gold_total"]), _ids(row["recipe"]), kind,
        row["kind"] == "mythic", int(row["transformed_from"] or 0), float(row["win_more"] or 0),
        tuple(row["tags"].split()),
    )  # fmt: skip


ITEMS: Mapping[int, Item] = {int(row["item_id"]): _item(row) for row in rows(GAME, "items")}
"""Every item by id."""
CHAMPIONS: tuple[Champion, ...] = tuple(
    Champion(**{**row, "champion_id": int(row["champion_id"])})  # pyright: ignore[reportArgumentType]
    for row in rows(GAME, "champions")
)
"""Every champion, twelve for each position."""
BUILDS: Mapping[str, Build] = {
    row["build"]: Build(row["tag"], _ids(row["core_items"]), _ids(row["boots"])) for row in rows(GAME, "builds")
}
"""Items of each class of champions."""
TURNS_INTO: Mapping[int, int] = {
    item.transformed_from: item.item_id for item in ITEMS.values() if item.transformed_from
}
"""Items that turn into others by themselves, with these."""


def champion_index(name: str) -> int:
    """Returns the place in `CHAMPIONS` of a champion's key or name.

    Raises:
        ValueError: when there is none; lists the champions.
    """
    for index, champion in enumerate(CHAMPIONS):
        if name in (champion.key, champion.name, champion.name_ko):
            return index
    known = ", ".join(champion.key for champion in CHAMPIONS)
    raise ValueError(f"expected a champion to simulate, found {name!r}; there are {known}")


def _item_entry(item: Item, name: str) -> dict[str, Any]:
    is_bought = not item.transformed_from
    into = [str(each.item_id) for each in ITEMS.values() if item.item_id in each.recipe]
    facts = {
        "name": name,
        "description": "<rarityMythic>" if item.is_mythic else "",
        "recipe": [*map(str, item.recipe)] or None,
        "into": into or None,
        "transformed_from": item.transformed_from or None,
        "in_store": None if is_bought else False,
        "consumed": True if item.kind == "consumable" and item.name != "Refillable Potion" else None,
        "image": f"{item.item_id}.png",
        "base": item.gold_total - sum(ITEMS[component].gold_total for component in item.recipe),
        "total": item.gold_total,
        "sell": item.gold_sell,
        "is_bought": is_bought,
        "tags": [*item.tags],
        "in_aram": item.kind not in ("quest", "trinket"),
    }
    return filled(template(GAME, "item"), facts)


def _champion_entry(champion: Champion, name: str, spells: list[Any] | None) -> dict[str, Any]:
    facts = {
        "id": champion.key,
        "key": str(champion.champion_id),
        "name": name,
        "image": f"{champion.key}.png",
        "tag": BUILDS[champion.build].tag,
        "spells": spells,
    }
    return filled(template(GAME, "champion"), facts)


def data_dragon(version: str) -> dict[str, dict[str, Any]]:
    """Returns Data Dragon's documents of a version by file name.

    Items are in English and Korean; champions in English with their spells, and in Korean without them.
    """
    ranks = {"Q": 5, "W": 5, "E": 5, "R": 3}
    spells = [filled(template(GAME, "spell"), {"skill": skill, "ranks": most}) for skill, most in ranks.items()]
    lists = {
        "en_US_item": ("item", None, {each.item_id: _item_entry(each, each.name) for each in ITEMS.values()}),
        "ko_KR_item": ("item", None, {each.item_id: _item_entry(each, each.name_ko) for each in ITEMS.values()}),
        "en_US_championFull": (
            "champion", "full", {each.key: _champion_entry(each, each.name, spells) for each in CHAMPIONS}
        ),
        "ko_KR_champion": (
            "champion", "standAloneComplex", {each.key: _champion_entry(each, each.name_ko, None) for each in CHAMPIONS}
        ),
    }  # fmt: skip
    return {
        f"{version}_{name}": filled(
            template(GAME, "data_dragon"), {"version": version, "type": kind, "format": form, "entries": entries}
        )
        for name, (kind, form, entries) in lists.items()
    }
