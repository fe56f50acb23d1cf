"""Checks across the tables of items, champions and patches, beyond each table's own rules."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lol.reference.tables import Items, Patches


@breaking_rows(of=Patches, blocking=False)
def items_of_the_patch_are_at_hand(patches: dy.LazyFrame[Patches]) -> pl.LazyFrame:
    """Data Dragon's items have landed for the patch or an earlier one. Without them no item counts as completed."""
    return patches.filter(pl.col("version_is").is_in(["none", "later"])).select(
        "patch", "matches_played", "first_day", "last_day", "data_dragon_version", "version_is"
    )


@breaking_rows(of=Items)
def what_items_are_made_of_is_listed(items: dy.LazyFrame[Items]) -> pl.LazyFrame:
    """Components of an item, and items that transform into it, are items of the same version."""
    known = items.select("version", part="item_id").unique()
    parts = items.select("version", "item_id", part="from_ids").explode("part").drop_nulls("part")
    turned = items.select("version", "item_id", part="transformed_from").drop_nulls("part")
    return pl.concat([parts, turned]).join(known, on=["version", "part"], how="anti")


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
