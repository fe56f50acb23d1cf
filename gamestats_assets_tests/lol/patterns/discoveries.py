"""Patterns of simulated matches beside what was planted: for tests, and for benchmarks of many data sets."""

from __future__ import annotations

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
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets.simulators.lol.story import Story
from gamestats_assets.simulators.lol.truth import is_true_null
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
