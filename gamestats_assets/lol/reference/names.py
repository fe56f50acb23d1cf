"""What champions and items are called on a patch, in English and Korean.

Where no version of the patch itself is at hand, the nearest earlier one stands for it, or else the nearest later one.
"""

from __future__ import annotations

import polars as pl

from gamestats_assets.lol.reference.versions import standing_versions
from gamestats_assets.lol.statistics.tables import ANY_CHAMPION


def champion_names(patches: pl.LazyFrame, champions: pl.LazyFrame) -> pl.DataFrame:
    """`patch`, `champion_id`, `champion_name`, `champion_name_ko`, of every patch and champion at hand."""
    found = _on_patches(patches, champions)
    return found.select("patch", "champion_id", champion_name="name", champion_name_ko="name_ko")


def item_names(patches: pl.LazyFrame, items: pl.LazyFrame) -> pl.DataFrame:
    """`patch`, `item_id`, `name`, `name_ko`, of every patch and item at hand."""
    return _on_patches(patches, items).select("patch", "item_id", "name", "name_ko")


def _on_patches(patches: pl.LazyFrame, listed: pl.LazyFrame) -> pl.DataFrame:
    standing = standing_versions(patches.select("patch"), listed.select("version"))
    chosen = standing.select("patch", version="data_dragon_version")
    return chosen.join(listed.drop("patch"), on="version").collect()


def named_champions(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Rows with `patch` and `champion_id`, with the champions' names; null for all champions together."""
    return rows.join(names, on=["patch", "champion_id"], how="left").with_columns(
        champion_name=pl.when(pl.col("champion_id") != ANY_CHAMPION).then(
            pl.coalesce("champion_name", pl.format("champion {}", "champion_id"))
        )
    )


def named_items(rows: pl.DataFrame, column: str, names: pl.DataFrame) -> pl.DataFrame:
    """Rows with `patch` and a list of items, with the lists `names` and `names_ko`; English where Korean is missing."""
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
