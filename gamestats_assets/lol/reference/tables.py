"""Reference: items and champions of each patch, as Data Dragon lists them, and which patches there are."""

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
    """Columns of what is listed per version of Data Dragon."""

    version = dy.String(primary_key=True, description="Version of Data Dragon, such as 13.14.1.")
    patch = dy.String(regex=PATCH, description="Patch: the first two numbers of the version.")


class DataDragonItems(Versioned, key="lol/data_dragon_items", **_DOCUMENTS):
    """Items as Data Dragon lists them: one row per version, language and item."""

    language = dy.String(primary_key=True, description="Language of the names, such as en_US or ko_KR.")
    item_id = dy.Int32(primary_key=True, min=1, description="Item.")
    name = text("Name in that language.", nullable=False)
    plaintext = text("What it does, in a few words.")
    gold_total = count("Gold it costs with all its components.", nullable=False)
    gold_base = count("Gold it costs when the components are there.", nullable=False)
    gold_sell = count("Gold it is sold for.", nullable=False)
    purchasable = dy.Bool(description="Whether it can be bought.")
    in_store = dy.Bool(description="Whether the shop shows it.")
    from_ids = dy.List(dy.Int32(), description="Its components.")
    into_ids = dy.List(dy.Int32(), description="Items it is a component of.")
    tags = dy.List(dy.String(), description="Riot's tags, such as Boots or Consumable.")
    depth = number("Steps of the recipe, as told.")
    special_recipe = number("Item that turns into this one by itself, such as Manamune into Muramana.")
    required_champion = text("Champion who alone can have it.")
    required_ally = text("Champion whose team alone can have it, such as Ornn.")
    consumed = dy.Bool(description="Whether using it uses it up.")
    map_ids = dy.List(dy.Int32(), description="Maps it is available on: 11 Summoner's Rift, 12 Howling Abyss.")


class DataDragonChampions(Versioned, key="lol/data_dragon_champions", **_DOCUMENTS):
    """Champions as Data Dragon lists them: one row per version, language and champion."""

    language = dy.String(primary_key=True, description="Language of the names, such as en_US or ko_KR.")
    champion_id = dy.Int32(primary_key=True, description="Champion.")
    champion_key = text("Key, such as MonkeyKing; what match objects call the champion.", nullable=False)
    name = text("Name in that language.", nullable=False)
    tags = dy.List(dy.String(), description="Riot's roles, such as Marksman.")
    max_ranks = dy.List(
        dy.Int32(), nullable=True, description="Highest ranks of Q, W, E and R; null where the document has no spells."
    )


class Items(Versioned, key="lol/items", layer="silver"):
    """Items of each version, with what statistics take them for: one row per version and item."""

    item_id = dy.Int32(primary_key=True, min=1, description="Item.")
    name = text("Name in English, or in the language that there is.", nullable=False)
    name_ko = text("Name in Korean; null where no document in Korean at hand names it.")
    kind = dy.String(
        check=lambda column: column.is_in(ITEM_KINDS),
        description="core (completed, 2,200 gold or more), boots, starter, component, consumable, trinket, quest "
        "(support and jungle items that grow by themselves) or other.",
    )
    gold_total = count("Gold it costs with all its components.", nullable=False)
    from_ids = dy.List(dy.Int32(), description="Its components.")
    transformed_from = number("Item that turns into this one by itself; null for what is bought.")
    upgraded_from = number("Item that an ally's forge turns into this one; null elsewhere.")
    required_champion = text("Champion who alone can have it, such as FiddleSticks.")
    goes_by_itself = dy.Bool(
        description="Whether it goes without being sold or built upon: used up, eaten, or lent for a time."
    )


class Champions(Versioned, key="lol/champions", layer="silver"):
    """Champions of each version: one row per version and champion."""

    champion_id = dy.Int32(primary_key=True, description="Champion.")
    champion_key = text("Key, such as MonkeyKing; what match objects call the champion.", nullable=False)
    name = text("Name in English, or in the language that there is.", nullable=False)
    name_ko = text("Name in Korean; null where no document in Korean is at hand.")
    max_ranks = dy.List(dy.Int32(), nullable=True, description="Highest ranks of Q, W, E and R, where told.")


class Queues(Table, key="lol/queues", layer="silver"):
    """Queues, and the group whose matches are compared with one another."""

    queue_id = dy.Int32(primary_key=True, description="Queue, such as 420.")
    queue_name = text("Name of the queue.", nullable=False)
    queue_group = text("Group of queues that statistics take together, such as ranked_solo.", nullable=False)
    has_positions = flag("Whether players have positions (top to support).")
    in_statistics = dy.Bool(description="Whether its matches count in statistics; those against bots do not.")


class Patches(Table, key="lol/patches", layer="silver", fresh_within=timedelta(days=1)):
    """Patches that matches were played on, and the lists of items and champions that stand for them."""

    patch = dy.String(primary_key=True, regex=PATCH, description="Patch, such as 13.14.")
    patch_number = dy.Int32(min=0, description="Number that orders patches: 1000 times the first part, and the second.")
    matches_played = count("Matches on it.", nullable=False)
    matches_in_statistics = count("Those of them that count in statistics.", nullable=False)
    first_day = dy.Date(description="UTC day of its first match.")
    last_day = dy.Date(description="UTC day of its last match.")
    data_dragon_version = text("Version of Data Dragon whose items stand for the patch; null where none landed.")
    version_is = dy.String(
        check=lambda column: column.is_in(["exact", "earlier", "later", "none"]),
        description="exact, earlier (the nearest before the patch), later (none before it is at hand), or none.",
    )
    content_hash = text("Hash of all that statistics of the patch are made from.", nullable=False)
