"""Champions and items of simulated matches, and the Data Dragon documents that list them.

They stand in CSV files under `data/templates/lol`: ids, names, prices and recipes of patch 13.15. Every champion there
has five ranks of Q, W and E and three of R. Which items a champion builds depends on its class, `build`.
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
        recipe: components it is combined from.
        is_mythic: whether a participant has at most one of them.
        transformed_from: item that turns into this one by itself; 0 for what is bought.
        win_more: how much more often it is chosen when ahead: log odds for each 1,000 gold of the team's lead.
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
        """Gold it is sold for."""
        share = 40 if self.kind in ("starter", "consumable", "quest") else 70
        return (self.gold_total * share + 50) // 100


@dataclass(frozen=True, slots=True)
class Champion:
    """One champion.

    Attributes:
        key: what match objects call it.
        position: where it is played unless the plan says otherwise.
        build: class it belongs to, a key of `BUILDS`.
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
    """What champions of a class build.

    Attributes:
        tag: the class as Data Dragon names it.
        core_items: in the order in which they are usual.
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
"""What each class of champions builds."""
TURNS_INTO: Mapping[int, int] = {
    item.transformed_from: item.item_id for item in ITEMS.values() if item.transformed_from
}
"""What turns by itself, and into what."""


def champion_index(name: str) -> int:
    """Place in `CHAMPIONS` of a champion's key or name.

    Raises:
        ValueError: when there is none; it says which there are.
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
    """Data Dragon's documents of a version, by the names of their files.

    Items in English and Korean, champions with their spells in English, and without them in Korean.
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
