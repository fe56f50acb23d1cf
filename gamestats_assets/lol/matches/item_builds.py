"""Results of item events: the items that participants completed, in order, and their final items."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.game_state import with_gold_differences
from gamestats_assets.lol.matches.tables import FinalItems, ItemBuilds, ItemEvents, Matches, Participants
from gamestats_assets.lol.reference.items import standing_items
from gamestats_assets.lol.reference.tables import Items
from gamestats_assets.lol.timelines.tables import RawParticipants, TimelineFrames

_PARTICIPANT = ["match_id", "participant_id"]
_ITEM = [*_PARTICIPANT, "item_id"]
_OF_VERSION = ["data_dragon_version", "item_id"]
_SLOTS = tuple(f"item{slot}" for slot in range(7))
_GIVEN_AT_START = pl.LazyFrame(
    {"map_id": [11, 12, 30], "own_item_id": [3340, 2052, 3348], "copies": [1, 2, 1]},
    schema={"map_id": pl.Int32, "own_item_id": pl.Int32, "copies": pl.Int32},
)
"""Content of the trinket slot if no trinket was bought: a ward, snacks for the poros, or the Arena's sweeper."""
_FORGED, _TAKEN, _GIVEN, _UNEXPLAINED = (
    "An ally's forge upgraded another item to it.",
    "The champion takes over other champions' items together with their bodies.",
    "It was not bought; a rune, the champion or the mode gave it.",
    "The timeline does not show why.",
)


def _acquired(events: pl.LazyFrame) -> pl.LazyFrame:
    """Returns purchases that were not undone, and transformations."""
    return events.filter(pl.col("action").is_in(["purchased", "transformed"]) & ~pl.col("is_undone"))


def item_builds(
    events: dy.LazyFrame[ItemEvents],
    matches: dy.LazyFrame[Matches],
    participants: dy.LazyFrame[Participants],
    items: dy.LazyFrame[Items],
    frames: dy.LazyFrame[TimelineFrames],
) -> dy.LazyFrame[ItemBuilds]:
    """Returns core items and boots in order of completion, which is the purchase that was not undone.

    An item from an ally's forge counts as a transformation, even if the shop reported a purchase.
    """
    versions = matches.select("match_id", "data_dragon_version")
    completed = standing_items(items, versions).filter(pl.col("kind").is_in(["core", "boots"]))
    found = (
        _acquired(events)
        .join(versions, on="match_id")
        .join(completed.select(*_OF_VERSION, "kind", "upgraded_from", items_version="version"), on=_OF_VERSION)
        .sort("event_index")
        .group_by(_ITEM, maintain_order=True)
        .agg(
            pl.col("match_date", "kind", "items_version", "event_index").first(),
            completed_at_s=pl.col("at_s").first(),
            transformed_from=pl.coalesce(
                pl.col("other_item_id").filter(pl.col("action") == "transformed").first(),
                pl.col("upgraded_from").first(),
            ),
            left_at_s=pl.when(pl.col("held_until_s").is_not_null().all()).then(pl.col("held_until_s").max()),
        )
        .with_columns(is_transformation=pl.col("transformed_from").is_not_null())
    )
    bases = found.filter(pl.col("kind") == "core").select(*_PARTICIPANT, transformed_from="item_id", of_base=True)
    ordered = (
        found.join(bases, on=[*_PARTICIPANT, "transformed_from"], how="left")
        .sort(*_PARTICIPANT, "event_index")
        .with_columns(counts=(pl.col("kind") == "core") & pl.col("of_base").is_null())
        .with_columns(
            completion=pl.int_range(1, pl.len() + 1).over(_PARTICIPANT),
            core_order=pl.when("counts").then(pl.col("counts").cum_sum().over(_PARTICIPANT)),
        )
    )
    order_of_base = ordered.select(*_PARTICIPANT, transformed_from="item_id", order_of_base="core_order")
    moments = ordered.join(order_of_base, on=[*_PARTICIPANT, "transformed_from"], how="left").with_columns(
        core_order=pl.when(pl.col("kind") == "core").then(pl.coalesce("core_order", "order_of_base")),
        timestamp_ms=(pl.col("completed_at_s") * 1000).round().cast(pl.Int64),
    )
    return ItemBuilds.cast(with_gold_differences(moments, frames, participants))


def final_items(
    events: dy.LazyFrame[ItemEvents],
    raw: dy.LazyFrame[RawParticipants],
    matches: dy.LazyFrame[Matches],
    items: dy.LazyFrame[Items],
) -> dy.LazyFrame[FinalItems]:
    """Returns the final items of participants of matches with a timeline, as computed from events and as recorded.

    Several copies of a consumable share a slot and count once. If no trinket was bought, the initial one of the map or
    champion stays unless it was used up.
    """
    timed = matches.filter("has_timeline").select("match_id", "map_id", "data_dragon_version")
    listed = standing_items(items, timed)
    everyone = raw.select("match_date", *_PARTICIPANT, "champion_name", *_SLOTS).join(timed, on="match_id")
    bought = (
        _acquired(events)
        .filter(pl.col("held_until_s").is_null())
        .join(timed, on="match_id")
        .join(listed.select(*_OF_VERSION, "kind"), on=_OF_VERSION, how="left")
        .select(*_PARTICIPANT, "item_id", pl.col("kind").fill_null(""))
    )
    shares_slot = pl.col("kind") == "consumable"
    held = pl.concat(
        [
            bought.filter(~shares_slot),
            bought.filter(shares_slot).unique(),
            _given_at_start(everyone, events, listed).join(
                bought.filter(pl.col("kind") == "trinket"), on=_PARTICIPANT, how="anti"
            ),
        ],
        how="diagonal",
    )
    computed = held.group_by(_PARTICIPANT).agg(computed_item_ids=pl.col("item_id").sort())
    no_items = pl.lit([], pl.List(pl.Int32))
    compared = (
        everyone.join(computed, on=_PARTICIPANT, how="left")
        .with_columns(
            pl.col("computed_item_ids").fill_null(no_items),
            recorded_item_ids=pl.concat_list(pl.col(name).fill_null(0) for name in _SLOTS)
            .list.eval(pl.element().filter(pl.element() > 0))
            .list.sort(),
        )
        .with_columns(agrees=pl.col("computed_item_ids") == pl.col("recorded_item_ids"))
    )
    result = compared.join(_reasons(compared, events, listed), on=_PARTICIPANT, how="left").with_columns(
        reason=pl.when(~pl.col("agrees")).then(pl.col("reason").fill_null(_UNEXPLAINED))
    )
    return FinalItems.cast(result)


def _given_at_start(everyone: pl.LazyFrame, events: pl.LazyFrame, listed: pl.LazyFrame) -> pl.LazyFrame:
    """Returns per participant the initial item in the trinket slot, unless it was used up."""
    champions = listed.filter(pl.col("kind") == "trinket").select(
        "data_dragon_version",
        champion=pl.col("required_champion").str.to_lowercase(),
        champions_item_id="item_id",
    )
    used = (
        events.filter((pl.col("action") == "destroyed") & ~pl.col("is_undone"))
        .group_by(_ITEM)
        .agg(used=pl.len())
        .rename({"item_id": "own_item_id"})
    )
    return (
        everyone.with_columns(champion=pl.col("champion_name").str.to_lowercase())
        .join(champions.drop_nulls(), on=["data_dragon_version", "champion"], how="left")
        .join(_GIVEN_AT_START, on="map_id", how="left")
        .join(used, on=[*_PARTICIPANT, "own_item_id"], how="left")
        .filter(pl.col("champions_item_id").is_not_null() | (pl.col("used").fill_null(0) < pl.col("copies")))
        .select(*_PARTICIPANT, item_id=pl.coalesce("champions_item_id", "own_item_id"))
    )


def _reasons(compared: pl.LazyFrame, events: pl.LazyFrame, listed: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the `reason` for each participant whose items differ."""
    recorded, computed = pl.col("recorded_item_ids"), pl.col("computed_item_ids")
    differing = compared.filter(~pl.col("agrees")).with_columns(
        missing=recorded.list.set_difference(computed), surplus=computed.list.set_difference(recorded)
    )
    bought = _acquired(events).select(_ITEM).unique().with_columns(was_bought=True)
    of_missing = (
        differing.filter(pl.col("missing").list.len() > 0)
        .select(*_PARTICIPANT, "data_dragon_version", "surplus", item_id="missing")
        .explode("item_id")
        .join(bought, on=_ITEM, how="left")
        .join(listed.select(*_OF_VERSION, "upgraded_from"), on=_OF_VERSION, how="left")
        .group_by(_PARTICIPANT)
        .agg(
            all_given=pl.col("was_bought").is_null().all(),
            all_forged=pl.col("surplus").list.contains(pl.col("upgraded_from")).fill_null(False).all(),
        )
    )
    return differing.join(of_missing, on=_PARTICIPANT, how="left").select(
        *_PARTICIPANT,
        reason=pl.when(pl.col("champion_name") == "Viego")
        .then(pl.lit(_TAKEN))
        .when("all_forged")
        .then(pl.lit(_FORGED))
        .when(pl.col("all_given") & (pl.col("surplus").list.len() == 0))
        .then(pl.lit(_GIVEN))
        .otherwise(pl.lit(_UNEXPLAINED)),
    )
