"""Champions and items by the names that users enter."""

from __future__ import annotations

from functools import cached_property

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lol.matches.tables import ParticipantFeatures
from gamestats_assets.lol.reference.csv_files import queues
from gamestats_assets.lol.reference.items import UnknownNameError, ids_of_name
from gamestats_assets.lol.reference.tables import Champions, Items


class Names:
    """Champions and items by their names in English and Korean, in all versions."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def champion(self, name: str) -> list[int]:
        """Returns the ids of a champion.

        Raises:
            UnknownNameError: if none has the name.
        """
        listed = self._lake.scan(Champions).select("champion_id", "champion_key", "name", "name_ko")
        # Without a list of champions, the keys of played champions are used.
        played = self._lake.scan(ParticipantFeatures).select(
            "champion_id", "champion_key", name="champion_key", name_ko=pl.lit(None, pl.String)
        )
        known = listed.collect()
        try:
            return ids_of_name(pl.concat([known, played.unique().collect()]).unique(), "champion_id", name)
        except UnknownNameError as error:
            if not known.is_empty():
                raise
            raise UnknownNameError(
                f"{error} Only the keys of champions that were played are known: ingest Data Dragon's champion.json "
                "with the matches, or fetch it: gamestats fetch lol"
            ) from None

    def item(self, name: str) -> list[int]:
        """Returns the ids of an item that can be completed; a number is taken as an id.

        Raises:
            UnknownNameError: if none has the name, or the item is a component or a consumable.
        """
        listed = self._items
        if listed.is_empty():
            raise UnknownNameError(
                "No item is known by name yet: ingest Data Dragon's item.json with the matches, or fetch it: "
                "gamestats fetch lol"
            )
        ids = [int(name)] if name.strip().isdecimal() else ids_of_name(listed, "item_id", name)
        # The lowest id is that of Summoner's Rift; the Arena lists components as complete items, with its own numbers.
        if listed.filter((pl.col("item_id") == min(ids)) & pl.col("kind").is_in(["core", "boots"])).is_empty():
            raise UnknownNameError(f"{name} is neither a core item nor boots; questions are about completed items.")
        return ids

    def bases(self, name: str) -> list[int]:
        """Returns the ids of items that transform into an item, such as Manamune into Muramana; empty for others.

        Raises:
            UnknownNameError: as in `item`.
        """
        turned = self._items.filter(pl.col("item_id").is_in(self.item(name))).get_column("transformed_from")
        return turned.drop_nulls().unique().sort().to_list()

    @cached_property
    def boots(self) -> list[int]:
        """Returns the ids of all boots."""
        return self._items.filter(pl.col("kind") == "boots").get_column("item_id").to_list()

    @cached_property
    def _items(self) -> pl.DataFrame:
        wanted = ("item_id", "name", "name_ko", "kind", "transformed_from")
        return self._lake.scan(Items).select(wanted).unique().collect()

    @property
    def most_core_items(self) -> int | None:
        """Largest number of core items in a game."""
        return self._lake.scan(ParticipantFeatures).select(pl.col("core_items").max()).collect().item()

    def values(self, column: str) -> set[str]:
        """Returns the values of a text column."""
        known = self._lake.scan(ParticipantFeatures).select(pl.col(column).drop_nulls().unique()).collect().to_series()
        # A queue without games is still a valid queue.
        return {*known, *(queues().collect().get_column("queue_group") if column == "queue_group" else ())}
