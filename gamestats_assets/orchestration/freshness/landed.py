"""Landed files as inputs of tables, by partition and id.

A file belongs to the partition of its day, or, in a game with areas (products), to that of day and area, such as
`2026-01-01|shop`. A day is listed again only when its folder has changed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from weakref import WeakKeyDictionary

import polars as pl

from gamestats_assets.lakehouse.delta.ledger import combined_hash
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection, quarantine_frame, quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.partitions import is_partition_day

# By place and day: when the folder last changed, and the hashes of its content at that time.
_Listed = dict[tuple[str, str], tuple[int, dict[str, str]]]
_LISTED: WeakKeyDictionary[Landing, _Listed] = WeakKeyDictionary()
# A folder's time is as coarse as the kernel's clock, and a file may land just after the listing.
_SETTLED_NS = 2_000_000_000


def landed_keys(landing: Landing, game: str) -> list[str]:
    """Partition keys that have landed files: days and days of areas, including those that `outside` returns."""
    areas = [(f"{game}/{area}", f"|{area}") for area in landing.areas(game)]
    return [f"{day}{name}" for place, name in [(game, ""), *areas] for day in landing.days(place)]


def landed_units(landing: Landing, game: str, key: str) -> dict[str, list[LandedFile]]:
    """Files of one partition by the id they belong to; in an area, that is the area itself."""
    day, _, area = key.partition("|")
    units: dict[str, list[LandedFile]] = {}
    for file in landing.files(f"{game}/{area}" if area else game, day):
        units.setdefault(area or file.unit_id, []).append(file)
    return units


def outside(landing: Landing, game: str, first: date | None) -> list[str]:
    """The `landed_keys` that are not partitions: days before the first one, or in the future."""
    return [key for key in landed_keys(landing, game) if not is_partition_day(key, first)]


def landed_hashes(landing: Landing, game: str) -> dict[str, dict[str, str]]:
    """One hash of all files of an id, by partition (a day, or a day of an area) and id."""
    return {key: _hashes_of(landing, game, key) for key in landed_keys(landing, game)}


def _hashes_of(landing: Landing, game: str, key: str) -> dict[str, str]:
    day, _, area = key.partition("|")
    place = f"{game}/{area}" if area else game
    changed = landing.changed_at(place, day)
    cache = _LISTED.setdefault(landing, {})
    cached = cache.get((place, day))
    if cached is not None and cached[0] == changed:
        return cached[1]
    units = landed_units(landing, game, key)
    hashes = {
        unit: combined_hash(f"{file.kind} {file.content_hash}" for file in files) for unit, files in units.items()
    }
    if changed is not None and time.time_ns() - changed >= _SETTLED_NS:
        cache[place, day] = changed, hashes
    return hashes


def file_refused(stores: Stores, game: str, refused: Sequence[Rejection]) -> None:
    """Puts unreadable files that belong to no match into the game's quarantine."""
    quarantine = quarantine_of(game)
    place = "landing@unreadable"
    state = stores.lake.state(quarantine)
    if len(refused) == (state.rows_per_partition.get(place, 0) if state else 0):
        return
    rows = quarantine_frame(quarantine, "unreadable", refused).with_columns(
        destination=pl.lit(place), table_name=pl.lit("landing")
    )
    stores.lake.replace(quarantine, rows, partitions=[place])
