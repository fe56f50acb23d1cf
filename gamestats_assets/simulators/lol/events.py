"""The events of timelines: one table per kind, with the columns of its template.

The times of the story are kept to the millisecond. Only what it leaves open is drawn here: wards, and positions.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from gamestats_assets.simulators.lol.choices import DRAGONS
from gamestats_assets.simulators.lol.plan import OBJECTIVE_KINDS
from gamestats_assets.simulators.lol.story import LEVELS, ORDERS, Ints, Story, Table, skill_levels

BLUE, RED = 100, 200
MEMBERS = pl.Series([[seat + 1 for seat in range(10) if bits >> seat & 1] for bits in range(1024)])
"""Ids of participants by their bits."""
TOWERS = ("OUTER_TURRET", "INNER_TURRET", "BASE_TURRET", "NEXUS_TURRET")
MONSTERS = {"dragon": "DRAGON", "herald": "RIFTHERALD", "grubs": "HORDE", "baron": "BARON_NASHOR"}
_BUILDINGS = {"tower": "TOWER_BUILDING", "inhibitor": "INHIBITOR_BUILDING"}
_LANES = ("TOP_LANE", "MID_LANE", "BOT_LANE")
_SLOTS = np.array(
    [[["QWER".index(skill) + 1 for skill in skill_levels(order, first)] for first in range(6)] for order in ORDERS]
)


def of_matches(table: Table, rows: slice) -> pl.DataFrame:
    """Returns the events of some matches, which are renumbered from 0; participants stay the same."""
    begin, end = np.searchsorted(table["match"], [rows.start, rows.stop])
    frame = pl.DataFrame({name: values[begin:end] for name, values in table.items()})
    frame = frame.cast({pl.Int8: pl.Int64, pl.Int16: pl.Int64, pl.Int32: pl.Int64})
    frame = frame.with_columns(pl.col("match") - rows.start)
    return frame.with_columns(kind=_named("kind", OBJECTIVE_KINDS)) if "kind" in frame.columns else frame


def timeline_events(
    story: Story, rows: slice, items: pl.DataFrame, rng: np.random.Generator
) -> list[tuple[str, pl.DataFrame]]:
    """Returns tables of events of some matches: their kind, and rows with `match`, from 0, and `ms`.

    Events of the same moment are in the order of the tables.
    """
    match, end, started = np.arange(rows.stop - rows.start), story.end_ms[rows], story.started_ms[rows]
    begun = pl.DataFrame({"match": match, "ms": 0, "real_ms": started - rng.integers(5, 60, match.size)})
    ended = {"match": match, "ms": end, "real_ms": started + end + 100, "game": story.number[rows]}
    kills = of_matches(story.kills, rows)
    x, y = (pl.Series(rng.integers(900, 14_000, kills.height)) for _ in "xy")
    kills = kills.with_columns(pl.col("victim") + 1, killer=pl.col("killer") + 1, helpers=_helpers("assists"), x=x, y=y)
    objectives = _objectives(of_matches(story.objectives, rows))
    is_undo = pl.col("type") == "ITEM_UNDO"
    items = items.with_columns(participant=pl.col("seat") + 1, back=-pl.col("gold"))
    return [
        ("PAUSE_END", begun),
        ("ITEM", items.filter(~is_undo)),
        ("ITEM_UNDO", items.filter(is_undo)),
        ("LEVEL_UP", _levels(story, rows)),
        ("SKILL_LEVEL_UP", _skills(story, rows, rng)),
        ("CHAMPION_KILL", kills),
        (
            "CHAMPION_SPECIAL_KILL",
            kills.filter(pl.col("killer") > 0).unique("match", keep="first", maintain_order=True),
        ),
        ("ELITE_MONSTER_KILL", objectives.drop_nulls("monster")),
        ("BUILDING_KILL", objectives.drop_nulls("building")),
        ("WARD_PLACED", _wards(story, rows, story.stats["wards_placed"][rows], rng)),
        ("WARD_KILL", _wards(story, rows, story.stats["wards_killed"][rows], rng)),
        ("GAME_END", pl.DataFrame({**ended, "winner": np.where(story.blue_won[rows], BLUE, RED)})),
    ]


def _named(column: str, names: tuple[str, ...]) -> pl.Expr:
    return pl.col(column).replace_strict(range(len(names)), names, default=None, return_dtype=pl.String)


def _helpers(column: str) -> pl.Expr:
    """Returns the helpers without the killer; null if there are none."""
    everybody = pl.col(column).map_batches(MEMBERS.gather, return_dtype=MEMBERS.dtype)
    helpers = everybody.list.set_difference(pl.concat_list(pl.col("killer") + 1))
    return pl.when(helpers.list.len() > 0).then(helpers)


def _levels(story: Story, rows: slice) -> pl.DataFrame:
    match, seat, level = known = np.nonzero(story.level_ms[rows] > 0)
    return pl.DataFrame(
        {"match": match, "ms": story.level_ms[rows][known], "participant": seat + 1, "level": level + 1}
    )


def _skills(story: Story, rows: slice, rng: np.random.Generator) -> pl.DataFrame:
    """Returns skills as they are learnt; for some participants one of the first six appears twice."""
    learnt = story.skill_ms(rows)
    match, seat, level = known = np.nonzero(learnt >= 0)
    slot = _SLOTS[story.order[rows], story.first[rows]][known]
    twice = np.where(story.doubled[rows] > 0, rng.integers(0, 6, story.doubled[rows].shape), LEVELS)
    columns = {"match": match, "ms": learnt[known], "participant": seat + 1, "slot": slot}
    return pl.DataFrame({name: np.repeat(each, 1 + (twice[match, seat] == level)) for name, each in columns.items()})


def _objectives(taken: pl.DataFrame) -> pl.DataFrame:
    number = pl.int_range(pl.len()).over("match", "kind", "blue")
    sub_type = {"dragon": _named("sub_type", (*DRAGONS, "ELDER_DRAGON")), "tower": _named("sub_type", TOWERS)}
    return taken.with_columns(
        killer=pl.col("killer") + 1,
        helpers=_helpers("members"),
        team=pl.when("blue").then(BLUE).otherwise(RED),
        loser=pl.when("blue").then(RED).otherwise(BLUE),
        monster=pl.col("kind").replace_strict(MONSTERS, default=None),
        building=pl.col("kind").replace_strict(_BUILDINGS, default=None),
        lane=(number % 3).replace_strict(range(3), _LANES),
        **{kind: pl.when(pl.col("kind") == kind).then(name) for kind, name in sub_type.items()},
    )


def _wards(story: Story, rows: slice, count: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Draws the time and kind of each ward, given the number of each participant's wards."""
    match, seat = (np.repeat(index.ravel(), count.ravel()) for index in np.indices(count.shape))
    ms = 60_000 + (rng.random(match.size) * (story.end_ms[rows][match] - 61_000)).astype(np.int64)
    ward = np.where(rng.random(match.size) < 0.2, "CONTROL_WARD", "YELLOW_TRINKET")
    return pl.DataFrame({"match": match, "ms": ms, "participant": seat + 1, "ward": ward})
