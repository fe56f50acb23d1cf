"""Patterns of simulated matches beside what was planted: for tests, and for benchmarks of many data sets."""

from __future__ import annotations

from typing import Literal

import polars as pl

from gamestats_assets.lol.matches.features import participant_features
from gamestats_assets.lol.patterns.patterns import family_of_tests
from gamestats_assets.lol.statistics.variables import vision_survival
from gamestats_assets.lol.tables import (
    ItemBuilds,
    Matches,
    Objectives,
    ParticipantFeatures,
    Participants,
    SkillOrders,
    TeamCoordination,
)
from gamestats_assets.simulators.lol.plan import Plan
from gamestats_assets.simulators.lol.reference import POSITIONS
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets.simulators.lol.story import Story
from gamestats_assets_tests.lol.silver import silver

_SILVER = (Participants, Matches, ItemBuilds, SkillOrders, Objectives, TeamCoordination)
FEW_CHAMPIONS = {
    "TOP": ["Darius", "Renekton", "Jax"],
    "JUNGLE": ["Ekko", "LeeSin", "Vi"],
    "MIDDLE": ["Lux", "Ahri", "Viktor"],
    "BOTTOM": ["Ezreal", "Jinx", "Caitlyn"],
    "UTILITY": ["Soraka", "Thresh", "Nautilus"],
}
"""Champions of each position that are few enough to have many games each."""


def wide(story: Story) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The wide rows and the objectives of simulated matches."""
    frames = silver(story)
    features = participant_features(*(frames[table].lazy() for table in _SILVER)).collect()
    assert features.schema == ParticipantFeatures.schema()
    return features.lazy(), frames[Objectives].lazy()


def is_true_null(
    plan: Plan,
    family: Literal["item", "item_path", "skill_order", "objective", "vision"],
    *,
    champion_id: int = 0,
    position: str = "ALL",
    objective: str | None = None,
    outcome: str = "win_rate",
) -> bool:
    """Whether a hypothesis about what goes with an outcome is false for certain.

    At an equal gold difference every choice is a draw of lots, so it is where nothing is planted in what it compares:
    of an item or a path of items with the winner, where no item effect is planted for the champion and position; of a
    skill order with damage (`outcome` dpm), where no order of theirs deals more; with the winner always; of an
    objective, where none is planted on it; of vision with deaths, where none is in the position. Over all positions
    together vision goes with deaths as positions do, so `ALL` is never one.
    """

    def planted(kind: str) -> set[tuple[int, str | None]]:
        return {(each.champion_id, each.position) for each in plan.effects if each.kind == kind}

    match family:
        case "item" | "item_path":
            return (champion_id, position) not in planted("item")
        case "skill_order":
            return outcome != "dpm" or (champion_id, position) not in planted("skill_order")
        case "objective":
            return objective not in {each.objective for each in plan.effects if each.kind == "objective"}
        case "vision":
            return position in POSITIONS and (0, position) not in planted("vision")


def discovered(plan: Plan) -> pl.DataFrame:
    """Every test of a plan's matches, with `is_null`: whether nothing was planted in what it compares."""
    features, objectives = wide(simulate(plan))
    tests = family_of_tests(features, objectives, vision_survival(features))
    nulls = [
        is_true_null(
            plan,
            row["family"],
            champion_id=row["champion_id"],
            position=row["position"],
            objective=row["condition_key"].removeprefix("objective ") if row["family"] == "objective" else None,
            outcome=row["outcome"],
        )
        for row in tests.iter_rows(named=True)
    ]
    return tests.with_columns(is_null=pl.Series(nulls, dtype=pl.Boolean))


def false_share(tests: pl.DataFrame) -> float:
    """The share of what is found that is false; nought where nothing is found."""
    found = tests.filter("is_found")
    return found.get_column("is_null").sum() / max(found.height, 1)
