"""Names of champions and items on a patch, in English and Korean.

If the patch has no version of its own, the nearest earlier one is used, or else the nearest later one.
"""

from __future__ import annotations

import polars as pl

from gamestats_assets.lol.reference.versions import standing_versions
from gamestats_assets.lol.statistics.tables import ANY_CHAMPION


def champion_names(patches: pl.LazyFrame, champions: pl.LazyFrame) -> pl.DataFrame:
    """Returns `patch`, `champion_id`, `champion_name`, `champion_name_ko` for every patch and available champion."""
    found = _on_patches(patches, champions)
    return found.select("patch", "champion_id", champion_name="name", champion_name_ko="name_ko")


def item_names(patches: pl.LazyFrame, items: pl.LazyFrame) -> pl.DataFrame:
    """Returns `patch`, `item_id`, `name`, `name_ko` for every patch and available item."""
    return _on_patches(patches, items).select("patch", "item_id", "name", "name_ko")


def _on_patches(patches: pl.LazyFrame, listed: pl.LazyFrame) -> pl.DataFrame:
    standing = standing_versions(patches.select("patch"), listed.select("version"))
    chosen = standing.select("patch", version="data_dragon_version")
    return chosen.join(listed.drop("patch"), on="version").collect()


def named_champions(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Returns rows with `patch` and `champion_id`, with the champions' names; null for all champions together."""
    return rows.join(names, on=["patch", "champion_id"], how="left").with_columns(
        champion_name=pl.when(pl.col("champion_id") != ANY_CHAMPION).then(
            pl.coalesce("champion_name", pl.format("champion {}", "champion_id"))
        )
    )


def named_items(rows: pl.DataFrame, column: str, names: pl.DataFrame) -> pl.DataFrame:
    """Returns rows with `patch` and a list of items, with the lists `names` and `names_ko`; English if Korean is
    missing."""
    numbered = rows.with_row_index("__row__")
    listed = (
        numbered.select("__row__", "patch", item_id=column)
        .explode("item_id")
        .join(names, on=["patch", "item_id"], how="left", maintain_order="left")
        .with_columns(name=pl.coalesce("name", pl.format("item {}", "item_id")))
        .with_columns(name_ko=pl.coalesce("name_ko", "name"))
        .group_by("__row__", maintain_order=True)
        .agg(names="name", names_ko="name_ko")
    )
    return numbered.join(listed, on="__row__", how="left", maintain_order="left").drop("__row__")
