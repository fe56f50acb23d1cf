"""Gold tables of simulated matches, and what tests of statistics share."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.quality import table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.features import participant_features
from gamestats_assets.lol.reference.patches import FeaturesTaken, ObjectivesTaken, patches
from gamestats_assets.simulators.lol.plan import Effect, Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets.simulators.lol.story import Story
from gamestats_assets_tests.lol.scenario import kept
from gamestats_assets_tests.lol.silver import silver as tables_of_story

Frames = Mapping[Any, pl.DataFrame]
"""Frames by table."""
CELL = ("patch", "queue_group", "position", "champion_id")
"""What games are compared within."""

PLAN = Plan(
    matches=2_000,
    patches=(("13.13", 1), ("13.14", 2)),
    seed=11,
    remakes=0.02,
    aram=0.12,
    bots=0.02,
    effects=(
        Effect(kind="objective", objective="dragon", points=0.15),
        Effect(kind="vision", position="UTILITY", correlation=-0.3),
    ),
    champions={
        "TOP": ("Aatrox", "Camille", "Darius", "Malphite"),
        "JUNGLE": ("Hecarim", "LeeSin", "MonkeyKing", "Vi"),
        "MIDDLE": ("Ahri", "Akali", "Lux", "Zed"),
        "BOTTOM": ("Ezreal", "Jinx", "Kaisa", "Jhin"),
        "UTILITY": ("Leona", "Lulu", "Nami", "Thresh"),
    },
)
"""Two patches, ranked games and ARAM that count, remakes and games against bots that do not."""
_OF_TIMELINES = (t.ItemBuilds, t.SkillOrders, t.Objectives, t.TeamCoordination)


@functools.cache
def story() -> Story:
    """What happened in the matches of `PLAN`."""
    return simulate(PLAN)


@functools.cache
def silver() -> Frames:
    """Silver tables of the matches of `PLAN`; of every tenth match without a timeline."""
    frames = tables_of_story(story())
    return without_timelines(frames, frames[t.Matches].get_column("match_id").gather_every(10).to_list())


def without_timelines(frames: Frames, match_ids: list[str]) -> Frames:
    """Silver tables as they are where some matches have a match object alone."""
    is_without = pl.col("match_id").is_in(match_ids)
    moments = [name for name in t.Participants.column_names() if "_at_1" in name or "_at_2" in name]
    return {
        **frames,
        t.Matches: frames[t.Matches].with_columns(has_timeline=pl.col("has_timeline") & ~is_without),
        t.Participants: frames[t.Participants].with_columns(
            pl.when(~is_without).then(name).alias(name) for name in moments
        ),
        **{table: frames[table].filter(~is_without) for table in _OF_TIMELINES},
    }


@functools.cache
def frames() -> Frames:
    """`silver()` with the wide rows, and with patches."""
    return with_features(silver())


def with_features(known: Frames) -> dict[Any, pl.DataFrame]:
    """Silver tables with the wide rows, and with patches."""
    made = dict(known)
    made[t.ParticipantFeatures] = make(participant_features, made)
    made[FeaturesTaken] = taken(made[t.ParticipantFeatures])
    made[ObjectivesTaken] = taken(made[t.Objectives])
    made[t.Patches] = make(patches, made)
    return made


def taken(rows: pl.DataFrame) -> pl.DataFrame:
    """The ledger of a table: that the rows of every match in it were made."""
    ids = rows.select("match_id").unique()
    return ids.select(
        partition_key=pl.lit("2023-07-18"),
        unit_id="match_id",
        input_hash=pl.format("{} {}", pl.lit("inputs"), "match_id"),
        rows_hash=pl.format("{} {}", pl.lit("digest"), "match_id"),
    )


def table_of(function: Callable[..., Any]) -> type[Table]:
    """The table that a function makes."""
    return typing.get_args(typing.get_type_hints(function)["return"])[0]


def make(function: Callable[..., Any], known: Frames) -> pl.DataFrame:
    """What a function makes of frames, by its key; it has the declared columns and keeps the table's rules."""
    inputs = {name: known[table].lazy() for name, table in table_inputs(function).items()}
    return kept(table_of(function), function(**inputs))


def position_of(row: Mapping[str, Any]) -> str:
    """The position that a wide row is counted under."""
    return row["position"] or "ALL"


def cell_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a wide row is compared within."""
    return row["patch"], row["queue_group"], position_of(row), row["champion_id"]


def wilson(wins: int, games: int) -> tuple[float, float]:
    """Wilson's interval of 95%, as the two rates that lie 1.96 of their own standard errors from the one observed."""
    z = 1.959963984540054
    # (p - rate)² = z² rate (1 - rate) / n, solved for the rate.
    a, b, c = 1 + z * z / games, -(2 * wins / games + z * z / games), (wins / games) ** 2
    root = max(b * b - 4 * a * c, 0) ** 0.5
    return (-b - root) / (2 * a), (-b + root) / (2 * a)
