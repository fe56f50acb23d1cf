"""Data Dragon's documents at hand as rows, read plainly, and the real pairs' item events by them."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lol.matches.item_events import item_events
from gamestats_assets.lol.matches.matches import matches
from gamestats_assets.lol.reference.items import items as made_items
from gamestats_assets.lol.reference.queues import queues
from gamestats_assets.lol.tables import (
    DataDragonChampions,
    DataDragonItems,
    ItemEvents,
    Items,
    Matches,
    RawMatches,
    RawParticipants,
    TimelineEvents,
    TimelineFiles,
)
from gamestats_assets_tests.lol.real_pairs import bronze
from gamestats_assets_tests.lol.scenario import kept


def item_row(version: str, language: str, key: str, entry: dict[str, Any]) -> dict[str, Any]:
    """A row of `DataDragonItems` for one entry of a document."""
    gold = entry["gold"]
    return {
        "version": version,
        "patch": ".".join(version.split(".")[:2]),
        "language": language,
        "item_id": int(key),
        "name": entry["name"],
        "plaintext": entry.get("plaintext"),
        "gold_total": gold["total"],
        "gold_base": gold["base"],
        "gold_sell": gold["sell"],
        "purchasable": gold["purchasable"],
        "in_store": entry.get("inStore", True),
        "from_ids": [int(each) for each in entry.get("from") or []],
        "into_ids": [int(each) for each in entry.get("into") or []],
        "tags": entry["tags"],
        "depth": entry.get("depth"),
        "special_recipe": entry.get("specialRecipe") or None,
        "required_champion": entry.get("requiredChampion") or None,
        "required_ally": entry.get("requiredAlly") or None,
        "consumed": entry.get("consumed", False),
        "map_ids": [int(each) for each, there in entry["maps"].items() if there],
    }


@functools.cache
def items(realdata: Path) -> pl.DataFrame:
    """Rows of `DataDragonItems` of every document at hand."""
    rows = [
        item_row(version, language, key, entry)
        for version, language, data in _documents(realdata, "item")
        for key, entry in data.items()
        if key.isdigit()
    ]
    return pl.DataFrame(rows, schema=DataDragonItems.schema())


@functools.cache
def champions(realdata: Path) -> pl.DataFrame:
    """Rows of `DataDragonChampions` of every document at hand."""
    rows = [
        {
            "version": version,
            "patch": ".".join(version.split(".")[:2]),
            "language": language,
            "champion_id": int(entry["key"]),
            "champion_key": entry["id"],
            "name": entry["name"],
            "tags": entry["tags"],
            "max_ranks": [spell["maxrank"] for spell in entry["spells"]] if "spells" in entry else None,
        }
        for version, language, data in _documents(realdata, "champion")
        for entry in data.values()
    ]
    return pl.DataFrame(rows, schema=DataDragonChampions.schema())


def _documents(realdata: Path, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for path in sorted((realdata / "lol" / "datadragon").glob(f"*_{kind}.json.gz")):
        version, language = path.name.removesuffix(f"_{kind}.json.gz").split("_", 1)
        found.append((version, language, json.loads(gzip.decompress(path.read_bytes()))["data"]))
    return found


@functools.cache
def reference(realdata: Path) -> pl.DataFrame:
    """`Items` of every document at hand."""
    return kept(Items, made_items(items(realdata).lazy()))  # pyright: ignore[reportArgumentType]


@functools.cache
def versioned_matches(realdata: Path) -> pl.DataFrame:
    """The real pairs' matches, with the versions of the documents at hand standing for their patches."""
    raw = bronze(realdata)
    made = matches(
        raw[RawMatches].lazy(),  # pyright: ignore[reportArgumentType]
        raw[RawParticipants].lazy(),  # pyright: ignore[reportArgumentType]
        raw[TimelineFiles].lazy(),  # pyright: ignore[reportArgumentType]
        queues(),
        reference(realdata).lazy(),  # pyright: ignore[reportArgumentType]
    )
    return kept(Matches, made)


@functools.cache
def happened(realdata: Path) -> pl.DataFrame:
    """Item events of the real pairs."""
    told = (bronze(realdata)[TimelineEvents], versioned_matches(realdata), reference(realdata))
    return kept(ItemEvents, item_events(*(each.lazy() for each in told)))  # pyright: ignore[reportArgumentType]
