"""Facts that match files lack: weapon categories, maps, throwables, event types.

The lists are CSV files in `data/reference/pubg` with one line per id, so a new id needs no code. They are read on first
use. An unknown id never stops anything: it gets a default, and a check reports it.

Two lines are choices. The sawed-off uses the pistol slot but counts as Shotgun, as everywhere else in the game.
Jerrycans, gas pumps and propane tanks are Environment: they are part of the map, and shooting them is no use of a
throwable.
"""

from __future__ import annotations

import functools

import polars as pl

from gamestats_assets.settings import shipped

CATEGORIES: tuple[str, ...] = (
    "AR",
    "DMR",
    "SR",
    "SMG",
    "Shotgun",
    "LMG",
    "Pistol",
    "Melee",
    "Throwable",
    "Special",
    "Vehicle",
    "Environment",
    "Other",
)
"""Every weapon category, in the customary order."""

UNKNOWN_CATEGORY = "Other"
"""Category of an id that is missing in the catalogue."""

PLAYTHINGS = r"(?i)snowball|apple"
"""Names of unknown throwables that are not tactical."""


@functools.cache
def weapons() -> pl.DataFrame:
    """Columns `weapon_id` (a damageCauserName), `weapon_name`, `category` (one of `CATEGORIES`)."""
    return _read("weapon_categories.csv", {"weapon_id": pl.String, "weapon_name": pl.String, "category": pl.String})


@functools.cache
def maps() -> pl.DataFrame:
    """Columns `map_id`, `map_name`, `size_cm` (length of one side, in centimetres)."""
    return _read("maps.csv", {"map_id": pl.String, "map_name": pl.String, "size_cm": pl.Int64})


@functools.cache
def throwables() -> pl.DataFrame:
    """Columns `item_id`, `item_name`, `is_tactical` (false for playthings), `is_smoke`."""
    schema = {"item_id": pl.String, "item_name": pl.String, "is_tactical": pl.Boolean, "is_smoke": pl.Boolean}
    return _read("throwables.csv", schema)


@functools.cache
def event_types() -> pl.DataFrame:
    """Returns every known telemetry event type, with or without a table, in the column `event_type`."""
    return _read("event_types.csv", {"event_type": pl.String})


def _read(name: str, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.read_csv(shipped("data", "reference", "pubg", name), schema=schema)


def weapon_category(weapon_id: pl.Expr) -> pl.Expr:
    """Category of a damageCauserName; `Other` for an unknown or missing one."""
    return weapon_id.replace_strict(
        weapons().get_column("weapon_id"),
        weapons().get_column("category"),
        default=UNKNOWN_CATEGORY,
        return_dtype=pl.String,
    )


def weapon_name(weapon_id: pl.Expr) -> pl.Expr:
    """A damageCauserName in words; null for an unknown or missing one."""
    return weapon_id.replace_strict(
        weapons().get_column("weapon_id"), weapons().get_column("weapon_name"), default=None, return_dtype=pl.String
    )


def map_name(map_id: pl.Expr) -> pl.Expr:
    """A map id in words; the id itself where it is unknown."""
    return map_id.replace(maps().get_column("map_id"), maps().get_column("map_name"))


def is_tactical(item_id: pl.Expr) -> pl.Expr:
    """Whether a throwable counts as tactical; an unknown one does, unless its name is that of a plaything."""
    known = throwables()
    return item_id.replace_strict(
        known.get_column("item_id"),
        known.get_column("is_tactical"),
        default=~item_id.fill_null("").str.contains(PLAYTHINGS),
        return_dtype=pl.Boolean,
    )


def is_smoke(item_id: pl.Expr) -> pl.Expr:
    """Whether a throwable is a smoke grenade."""
    known = throwables().filter(pl.col("is_smoke")).get_column("item_id").to_list()
    return item_id.is_in(known).fill_null(False)
