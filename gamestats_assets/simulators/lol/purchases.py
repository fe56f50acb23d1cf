"""The items that participants buy, sell, undo and lose, as one table of events.

The story has the completed items and their times. Here participants buy components on the way to each, buy some items
too early and undo that, and get and lose starters, potions and control wards.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from gamestats_assets.simulators.lol.reference import CHAMPIONS, ITEMS, TURNS_INTO
from gamestats_assets.simulators.lol.story import ARAM, Story

_POTION, _CONTROL_WARD, _STEALTH_WARD = 2003, 2055, 3340
_PETS, _QUEST_ITEMS = (1101, 1102, 1103), (3850, 3858)
_STARTERS = {"mage": 1056, "ap_assassin": 1056, "tank": 1054}
_SEAT = ("match", "seat")
_RECIPES = pl.DataFrame(
    [(number, [*item.recipe], item.kind == "core") for number, item in ITEMS.items()],
    schema={"item": pl.Int64, "recipe": pl.List(pl.Int64), "is_core": pl.Boolean},
    orient="row",
)
_PRICES = {number: item.gold_total for number, item in ITEMS.items()}
_COSTS = {number: price - sum(_PRICES[part] for part in ITEMS[number].recipe) for number, price in _PRICES.items()}
_SALES = {number: -item.gold_sell for number, item in ITEMS.items()}
_cost = pl.col("item").replace_strict(_COSTS)
_UNDONE_SHARE, _WARD_SHARE = 0.03, 0.4
_TOO_EARLY_MS, _TAKEN_BACK_AFTER_MS = 4_000, 2_000


def item_events(story: Story, rows: slice, rng: np.random.Generator) -> pl.DataFrame:
    """Returns the item events of some matches, which are numbered from 0, by participant and time.

    Returns:
        match, seat, ms, type, item, gold (the price; negative if the participant gets it back) and held (how many more
        of the item the participant has from then on, apart from undone purchases). Rows without a type are not events:
        they show what an item has turned into.
    """
    completed, started = _completed(story, rows), _started(story, rows, rng)
    # An undo reverts the last purchase, so nothing else may happen in between: components come well before it.
    is_early = (pl.col("ms") - pl.col("since") > 30_000) & pl.Series(rng.random(completed.height) < _UNDONE_SHARE)
    early = completed.filter(is_early).with_columns(pl.col("ms") - _TOO_EARLY_MS)
    has_ward = pl.Series(rng.random(completed.height) < _WARD_SHARE)
    wards = completed.filter(has_ward).with_columns(
        pl.col("ms") + 1_000, item=pl.lit(_CONTROL_WARD), cost=pl.lit(75), recipe=pl.lit([_CONTROL_WARD])
    )
    undone = early.with_columns(pl.col("ms") + _TAKEN_BACK_AFTER_MS, cost=-pl.col("cost"))
    turning = _turning(story, rows, started, rng).filter(pl.col("ms") < pl.col("end_ms"))
    turned = turning.with_columns(item=pl.col("item").replace_strict(TURNS_INTO, default=None)).drop_nulls("item")
    # Events of one moment keep this order. Items that vanish come last, so that no purchase seems to be built from
    # them.
    return pl.concat(
        [
            started,
            _events(_components(completed, rng), "ITEM_PURCHASED", 1),
            *_bought_with(early, held=0),
            _events(undone, "ITEM_UNDO", 0),
            *_bought_with(completed, held=1),
            # Used at once: the bought item is destroyed for it.
            *_bought_with(wards, held=0),
            _events(_sold(completed, started), "ITEM_SOLD", -1),
            _events(turning, "ITEM_DESTROYED", -1),
            _events(turned, None, 1),
        ]
    ).sort(*_SEAT, "ms", maintain_order=True)


def final_items(events: pl.DataFrame) -> pl.DataFrame:
    """Returns match, seat and the `items` held at the end, in the order in which they came."""
    held = events.filter(pl.col("held") != 0).group_by(*_SEAT, "item", maintain_order=True).agg(pl.col("held").sum())
    return held.filter(pl.col("held") > 0).group_by(*_SEAT, maintain_order=True).agg(items="item")


def _events(rows: pl.DataFrame, kind: str | None, held: int) -> pl.DataFrame:
    gold = pl.col("cost") if "cost" in rows.columns else pl.lit(0)
    return rows.select(
        *(pl.col(name).cast(pl.Int64) for name in (*_SEAT, "ms", "item")),
        type=pl.lit(kind, pl.String),
        gold=gold.cast(pl.Int64),
        held=pl.lit(held, pl.Int64),
    )


def _bought_with(rows: pl.DataFrame, held: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns purchases, each after the destruction of its components."""
    parts = rows.explode("recipe").drop_nulls("recipe").drop("cost", strict=False).with_columns(item="recipe")
    return _events(parts, "ITEM_DESTROYED", -held), _events(rows, "ITEM_PURCHASED", held)


def _completed(story: Story, rows: slice) -> pl.DataFrame:
    """Returns core items and boots, with the time `since` the previous one."""
    ms = np.concatenate([story.core_ms[rows], story.boots_ms[rows][..., None]], axis=2)
    item = np.concatenate([story.core_item[rows], story.boots[rows][..., None]], axis=2)
    match, seat, _ = known = np.nonzero(ms >= 0)
    columns = {"match": match, "seat": seat, "ms": ms[known], "item": item[known]}
    frame = pl.DataFrame(columns).cast(pl.Int64).sort(*_SEAT, "ms")
    since = pl.col("ms").shift(1).over(_SEAT).fill_null(45_000)
    return frame.with_columns(since=since).join(_RECIPES, on="item", maintain_order="left").with_columns(cost=_cost)


def _components(completed: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Returns components of completed items, bought since the previous completion."""
    number = pl.int_range(pl.len()).over(*_SEAT, "ms")
    parts = completed.with_columns(parts=pl.col("recipe").list.len()).explode("recipe").with_columns(number=number)
    share = 0.2 + 0.6 * (pl.col("number") + pl.Series(rng.random(parts.height))) / pl.col("parts")
    ms = pl.col("since") + (share * (pl.col("ms") - pl.col("since"))).cast(pl.Int64)
    gold = pl.col("recipe").replace_strict(_PRICES)
    return parts.select(*_SEAT, ms=ms, item="recipe", cost=gold)


def _started(story: Story, rows: slice, rng: np.random.Generator) -> pl.DataFrame:
    """Returns the first items of participants: a starter, a potion and, except in ARAM, a trinket."""
    match, seat = np.divmod(np.arange(10 * (rows.stop - rows.start)), 10)
    is_aram = story.queue[rows][match] == ARAM
    builds = [CHAMPIONS[index].build for index in story.champion[rows].ravel().tolist()]
    in_lane = np.array([_STARTERS.get(build, 1055) for build in builds])
    of_support = np.where(np.array(builds) == "warden", 3858, 3850)
    place = np.where(is_aram, -1, seat % 5)
    starter = np.select([place == 1, place == 4], [rng.choice(_PETS, match.size), of_support], in_lane)
    begun = pl.DataFrame({"match": match, "seat": seat, "ms": rng.integers(2_500, 42_000, match.size)})
    bought = [
        begun.with_columns(item=pl.Series(starter)),
        begun.with_columns(item=pl.lit(_POTION)),
        begun.with_columns(item=pl.lit(_STEALTH_WARD)).filter(pl.Series(~is_aram)),
    ]
    return pl.concat([_events(each.with_columns(cost=_cost), "ITEM_PURCHASED", 1) for each in bought])


def _sold(completed: pl.DataFrame, started: pl.DataFrame) -> pl.DataFrame:
    """Returns sales of starters, which lanes sell after the second core item."""
    second = completed.filter("is_core").filter(pl.int_range(pl.len()).over(_SEAT) == 1)
    starters = started.filter(pl.col("item").is_in([1054, 1055, 1056])).select(*_SEAT, "item")
    sold = second.select(*_SEAT, ms=pl.col("ms") + 1_900).join(starters, on=_SEAT, maintain_order="left")
    return sold.with_columns(cost=pl.col("item").replace_strict(_SALES))


def _turning(story: Story, rows: slice, started: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Returns items that go without a sale: potions and pets vanish, quest items and some core items turn into
    others."""

    def after(item: tuple[int, ...], least: int, most: int) -> pl.DataFrame:
        of = started.filter(pl.col("item").is_in(item))
        return of.select(*_SEAT, "item", ms=pl.Series(rng.integers(least, most, of.height)))

    first = after(_QUEST_ITEMS, 500_000, 640_000)
    grown = first.with_columns(
        ms=pl.col("ms") + pl.Series(rng.integers(200_000, 400_000, first.height)),
        item=pl.col("item").replace_strict(TURNS_INTO),
    )
    match, seat = np.nonzero(story.turned_ms[rows] >= 0)
    cores = story.core_item[rows][match, seat]
    base = np.max(np.where(np.isin(cores, [*TURNS_INTO]), cores, 0), axis=1, initial=0)
    turned = {"match": match, "seat": seat, "item": base, "ms": story.turned_ms[rows][match, seat]}
    every = [after((_POTION,), 95_000, 180_000), after(_PETS, 840_000, 1_140_000), first, grown, pl.DataFrame(turned)]
    lost = pl.concat([each.select(pl.col(*_SEAT, "item", "ms").cast(pl.Int64)) for each in every])
    return lost.with_columns(end_ms=pl.Series(story.end_ms[rows][lost["match"].to_numpy()]))
