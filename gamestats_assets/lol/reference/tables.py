"""Reference: items and champions of each patch, as Data Dragon lists them, and the patches themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.rows import count, flag, number, text

_DOCUMENTS: dict[str, Any] = {"layer": "bronze", "made_by": "data_dragon"}
"""One step reads every landed document."""

ITEM_KINDS = ("core", "boots", "starter", "component", "consumable", "trinket", "quest", "other")
PATCH = r"^[0-9]+\.[0-9]+$"


class Versioned(Table):
    """Columns of lists by version of Data Dragon."""

    version = dy.String(primary_key=True, description="Version of Data Dragon, such as 13.14.1.")
    patch = dy.String(regex=PATCH, description="Patch: the first two numbers of the version.")


class DataDragonItems(Versioned, key="lol/data_dragon_items", **_DOCUMENTS):
    """Items as Data Dragon lists them: one row per version, language and item."""

    language = dy.String(primary_key=True, description="Language of the names, such as en_US or ko_KR.")
    item_id = dy.Int32(primary_key=True, min=1, description="Item.")
    name = text("Name in that language.", nullable=False)
    plaintext = text("Short description of its effect.")
    gold_total = count("Cost including all components, in gold.", nullable=False)
    gold_base = count("Cost without components, in gold.", nullable=False)
    gold_sell = count("Selling price, in gold.", nullable=False)
    purchasable = dy.Bool(description="Whether it can be bought.")
    in_store = dy.Bool(description="Whether the shop shows it.")
    from_ids = dy.List(dy.Int32(), description="Its components.")
    into_ids = dy.List(dy.Int32(), description="Items with this one as a component.")
    tags = dy.List(dy.String(), description="Riot's tags, such as Boots or Consumable.")
    depth = number("Steps of the recipe, as listed.")
    special_recipe = number("Item that transforms into this one, such as Manamune into Muramana.")
    required_champion = text("Only champion who can have it.")
    required_ally = text("Champion whose team can have it, such as Ornn; null for all teams.")
    consumed = dy.Bool(description="Whether it is consumed by use.")
    map_ids = dy.List(dy.Int32(), description="Maps it is available on: 11 Summoner's Rift, 12 Howling Abyss.")


class DataDragonChampions(Versioned, key="lol/data_dragon_champions", **_DOCUMENTS):
    """Champions as Data Dragon lists them: one row per version, language and champion."""

    language = dy.String(primary_key=True, description="Language of the names, such as en_US or ko_KR.")
    champion_id = dy.Int32(primary_key=True, description="Champion.")
    champion_key = text("Key, such as MonkeyKing; the champion's name in match objects.", nullable=False)
    name = text("Name in that language.", nullable=False)
    tags = dy.List(dy.String(), description="Riot's roles, such as Marksman.")
    max_ranks = dy.List(
        dy.Int32(), nullable=True, description="Highest ranks of Q, W, E and R; null if the document has no spells."
    )


class Items(Versioned, key="lol/items", layer="silver"):
    """Items of each version, with the kinds that statistics assign: one row per version and item."""

    item_id = dy.Int32(primary_key=True, min=1, description="Item.")
    name = text("Name in English, or in another available language.", nullable=False)
    name_ko = text("Name in Korean; null if no landed document in Korean names it.")
    kind = dy.String(
        check=lambda column: column.is_in(ITEM_KINDS),
        description="core (completed, 2,200 gold or more), boots, starter, component, consumable, trinket, quest "
        "(support and jungle items that grow) or other.",
    )
    gold_total = count("Cost including all components, in gold.", nullable=False)
    from_ids = dy.List(dy.Int32(), description="Its components.")
    transformed_from = number("Item that transforms into this one; null for bought items.")
    upgraded_from = number("Item that an ally's forge upgrades to this one; null for other items.")
    required_champion = text("Only champion who can have it, such as FiddleSticks.")
    goes_by_itself = dy.Bool(
        description="Whether it disappears without being sold or built upon: consumed, eaten, or lent for a time."
    )


class Champions(Versioned, key="lol/champions", layer="silver"):
    """Champions of each version: one row per version and champion."""

    champion_id = dy.Int32(primary_key=True, description="Champion.")
    champion_key = text("Key, such as MonkeyKing; the champion's name in match objects.", nullable=False)
    name = text("Name in English, or in another available language.", nullable=False)
    name_ko = text("Name in Korean; null if no document in Korean has landed.")
    max_ranks = dy.List(dy.Int32(), nullable=True, description="Highest ranks of Q, W, E and R; null if unknown.")


class Queues(Table, key="lol/queues", layer="silver"):
    """Queues, and the group whose matches are compared with one another."""

    queue_id = dy.Int32(primary_key=True, description="Queue, such as 420.")
    queue_name = text("Name of the queue.", nullable=False)
    queue_group = text("Group of queues that statistics combine, such as ranked_solo.", nullable=False)
    has_positions = flag("Whether players have positions (top to support).")
    in_statistics = dy.Bool(description="Whether its matches count in statistics; games against bots do not.")


class Patches(Table, key="lol/patches", layer="silver", fresh_within=timedelta(days=1)):
    """Patches that matches were played on, with the lists of items and champions used for them."""

    patch = dy.String(primary_key=True, regex=PATCH, description="Patch, such as 13.14.")
    patch_number = dy.Int32(min=0, description="Sort key of patches: 1000 times the first part, plus the second.")
    matches_played = count("Matches on it.", nullable=False)
    matches_in_statistics = count("Matches on it that count in statistics.", nullable=False)
    first_day = dy.Date(description="UTC day of its first match.")
    last_day = dy.Date(description="UTC day of its last match.")
    data_dragon_version = text("Version of Data Dragon whose items are used for the patch; null if none landed.")
    version_is = dy.String(
        check=lambda column: column.is_in(["exact", "earlier", "later", "none"]),
        description="exact, earlier (the nearest before the patch), later (no earlier one is available), or none.",
    )
    content_hash = text("Hash of all inputs of the patch's statistics.", nullable=False)
