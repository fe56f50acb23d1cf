"""What participants buy, sell, take back and lose, as one table of events.

Completed items stand in the story. Here components are bought on the way to each, some items are bought too early and
taken back, and starters, potions, control wards and trinkets come and go.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from gamestats_assets.simulators.lol.reference import CHAMPIONS, ITEMS, TURNS_INTO
from gamestats_assets.simulators.lol.story import ARAM, Ints, Story

_POTION, _CONTROL_WARD, _STEALTH_WARD, _SNAX = 2003, 2055, 3340, 2052
_PETS, _QUEST_ITEMS = (1101, 1102, 1103), (3850, 3858)
_STARTERS = {"mage": 1056, "ap_assassin": 1056, "tank": 1054}
_SEAT = ("match", "seat")
_COSTS = {
    number: item.gold_total - sum(ITEMS[part].gold_total for part in item.recipe) for number, item in ITEMS.items()
}
_ITEMS = pl.DataFrame(
    [(number, [*item.recipe], _COSTS[number], item.kind == "core") for number, item in ITEMS.items()],
    schema={"item": pl.Int64, "recipe": pl.List(pl.Int64), "cost": pl.Int64, "is_core": pl.Boolean},
    orient="row",
)
_UNDONE_SHARE, _TOO_EARLY_MS, _TAKEN_BACK_AFTER_MS = 0.03, 4_000, 2_000


def item_events(story: Story, rows: slice, rng: np.random.Generator) -> pl.DataFrame:
    """The item events of some matches, which are numbered from 0, in the order of participant and time.

    Returns:
        match, seat, ms, type (null of what no event tells: what is given, and what another item turns into), item,
        gold (what a purchase costs, negative where it comes back) and held: by how much the participant holds more of
        the item for good.
    """
    match, seat = np.divmod(np.arange(10 * (rows.stop - rows.start)), 10)
    cells = pl.DataFrame({"match": match, "seat": seat, "end_ms": story.end_ms[rows][match]})
    cells = cells.cast(pl.Int64)
    completed = _completed(story, rows)
    wards = _wards(story, rows, rng)
    started = _started(story, rows, cells, rng)
    # What is taken back is the last thing that was done.
    disturbing = wards.select(*_SEAT, "ms", disturbed="item").sort("ms")
    early = (
        completed.filter(pl.Series(rng.random(completed.height)) < _UNDONE_SHARE)
        .filter(pl.col("ms") - pl.col("since") > 30_000)
        .with_columns(pl.col("ms") - _TOO_EARLY_MS)
        .sort("ms")
        .join_asof(
            disturbing,
            on="ms",
            by=_SEAT,
            strategy="forward",
            tolerance=_TAKEN_BACK_AFTER_MS,
            check_sortedness=False,
        )
        .filter(pl.col("disturbed").is_null())
    )
    undone = early.with_columns(pl.col("ms") + _TAKEN_BACK_AFTER_MS, cost=-pl.col("cost"))
    turning = _turning(story, rows, started, rng).filter(pl.col("ms") < pl.col("end_ms"))
    turned = turning.with_columns(item=pl.col("item").replace_strict(TURNS_INTO, default=None)).drop_nulls("item")
    # Of the same moment the order is this one. What is lost alone comes last, so that nothing is built upon it.
    return pl.concat(
        [
            started,
            _told(_components(completed, rng), "ITEM_PURCHASED", 1),
            *_bought_with(early, held=0),
            _told(undone, "ITEM_UNDO", 0),
            *_bought_with(completed, held=1),
            # Used at once: what is bought is destroyed for it.
            *_bought_with(wards.with_columns(recipe=pl.concat_list("item")), held=0),
            _told(_sold(completed, started), "ITEM_SOLD", -1),
            _told(turning, "ITEM_DESTROYED", -1),
            _told(turned, None, 1),
        ]
    ).sort(*_SEAT, "ms", maintain_order=True)


def final_items(events: pl.DataFrame) -> pl.DataFrame:
    """Columns match, seat and `items` that are held at the end, in the order in which they came."""
    held = events.filter(pl.col("held") != 0).group_by(*_SEAT, "item", maintain_order=True).agg(pl.col("held").sum())
    return held.filter(pl.col("held") > 0).group_by(*_SEAT, maintain_order=True).agg(items="item")


def _told(rows: pl.DataFrame, kind: str | None, held: int) -> pl.DataFrame:
    gold = pl.col("cost") if "cost" in rows.columns else pl.lit(0)
    return rows.select(
        *(pl.col(name).cast(pl.Int64) for name in (*_SEAT, "ms", "item")),
        type=pl.lit(kind, pl.String),
        gold=gold.cast(pl.Int64),
        held=pl.lit(held, pl.Int64),
    )


def _bought_with(rows: pl.DataFrame, held: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Purchases, each after the destruction of what it is built upon."""
    parts = rows.explode("recipe").drop_nulls("recipe").drop("cost", strict=False).with_columns(item="recipe")
    return _told(parts, "ITEM_DESTROYED", -held), _told(rows, "ITEM_PURCHASED", held)


def _completed(story: Story, rows: slice) -> pl.DataFrame:
    """Core items and boots, with the time `since` the one before."""
    ms = np.concatenate([story.core_ms[rows], story.boots_ms[rows][..., None]], axis=2)
    item = np.concatenate([story.core_item[rows], story.boots[rows][..., None]], axis=2)
    match, seat, _ = known = np.nonzero(ms >= 0)
    columns = {"match": match, "seat": seat, "ms": ms[known], "item": item[known]}
    frame = pl.DataFrame(columns).cast(pl.Int64).sort(*_SEAT, "ms")
    since = pl.col("ms").shift(1).over(_SEAT).fill_null(45_000)
    return frame.with_columns(since=since).join(_ITEMS, on="item", maintain_order="left")


def _components(completed: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """What completed items are built upon, bought in between."""
    number = pl.int_range(pl.len()).over(*_SEAT, "ms")
    parts = completed.with_columns(parts=pl.col("recipe").list.len()).explode("recipe").with_columns(number=number)
    share = 0.2 + 0.6 * (pl.col("number") + pl.Series(rng.random(parts.height))) / pl.col("parts")
    ms = pl.col("since") + (share * (pl.col("ms") - pl.col("since"))).cast(pl.Int64)
    gold = pl.col("recipe").replace_strict({number: item.gold_total for number, item in ITEMS.items()})
    return parts.select(*_SEAT, ms=ms, item="recipe", cost=gold)


def _wards(story: Story, rows: slice, rng: np.random.Generator) -> pl.DataFrame:
    """Control wards, bought at any time."""
    count = story.stats["control_wards"][rows]
    match, seat = (np.repeat(index.ravel(), count.ravel()) for index in np.indices(count.shape))
    ms = 150_000 + (rng.random(match.size) * (story.end_ms[rows][match] - 155_000)).astype(np.int64)
    wards = pl.DataFrame({"match": match, "seat": seat, "ms": ms, "item": _CONTROL_WARD, "cost": 75})
    return wards.cast(pl.Int64).filter(pl.col("ms") >= 150_000)


def _started(story: Story, rows: slice, cells: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """What participants begin with: a starter, a potion and a trinket."""
    match, seat = (cells[name].to_numpy() for name in _SEAT)
    is_aram = story.queue[rows][match] == ARAM
    builds = [CHAMPIONS[index].build for index in story.champion[rows][match, seat].tolist()]
    in_lane = np.array([_STARTERS.get(build, 1055) for build in builds])
    of_support = np.where(np.array(builds) == "warden", 3858, 3850)
    place = np.where(is_aram, -1, seat % 5)
    starter = np.select([place == 1, place == 4], [rng.choice(_PETS, match.size), of_support], in_lane)
    begun = cells.with_columns(ms=pl.Series(rng.integers(2_500, 42_000, match.size)))
    trinkets = begun.with_columns(item=pl.Series(np.where(is_aram, _SNAX, _STEALTH_WARD)))
    return pl.concat(
        [
            _told(begun.with_columns(item=pl.Series(starter)).join(_ITEMS, on="item"), "ITEM_PURCHASED", 1),
            _told(begun.with_columns(item=pl.lit(_POTION), cost=pl.lit(50)), "ITEM_PURCHASED", 1),
            _told(trinkets.filter(pl.col("item") != _SNAX), "ITEM_PURCHASED", 1),
            _told(trinkets.filter(pl.col("item") == _SNAX), None, 1),
        ]
    )


def _sold(completed: pl.DataFrame, started: pl.DataFrame) -> pl.DataFrame:
    """Starters of lanes are sold after the second core item."""
    second = completed.filter("is_core").filter(pl.int_range(pl.len()).over(_SEAT) == 1)
    starters = started.filter(pl.col("item").is_in([1054, 1055, 1056])).select(*_SEAT, "item")
    gold = pl.col("item").replace_strict({number: -item.gold_sell for number, item in ITEMS.items()})
    sold = second.select(*_SEAT, ms=pl.col("ms") + 1_900).join(starters, on=_SEAT, maintain_order="left")
    return sold.with_columns(cost=gold)


def _turning(story: Story, rows: slice, started: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """What goes by itself: potions and pets for good, quest items and some core items into others."""

    def after(item: tuple[int, ...], least: int, most: int) -> pl.DataFrame:
        of = started.filter(pl.col("item").is_in(item) & (pl.col("type") == "ITEM_PURCHASED"))
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
    ends: Ints = story.end_ms[rows][lost["match"].to_numpy()]
    return lost.with_columns(end_ms=pl.Series(ends))
