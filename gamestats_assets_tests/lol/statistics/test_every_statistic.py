"""What holds of every table that is made of the wide rows of all matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.features import participant_features
from gamestats_assets.lol.patterns.patterns import pattern_tests
from gamestats_assets.lol.statistics.build_stats import item_build_stats, skill_order_stats
from gamestats_assets.lol.statistics.item_paths import item_path_sequences
from gamestats_assets.lol.statistics.objective_stats import first_objective_stats, objective_decision_tree
from gamestats_assets.lol.statistics.variables import outcome_models, variable_correlations, vision_survival
from gamestats_assets_tests.lol.gold import Frames, frames, make, table_of
from gamestats_assets_tests.support.frames import differences

FUNCTIONS = (
    participant_features,
    item_build_stats,
    skill_order_stats,
    item_path_sequences,
    first_objective_stats,
    objective_decision_tree,
    variable_correlations,
    vision_survival,
    outcome_models,
    pattern_tests,
)


@pytest.fixture(scope="module")
def known() -> Frames:
    """Every third match of the simulated season, and its statistics that others are made of."""
    some = pl.col("match_id").hash(2) % 3 == 0
    few = {table: frame.filter(some) if "match_id" in frame.columns else frame for table, frame in frames().items()}
    return {**few, t.VisionSurvival: make(vision_survival, few)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_order_of_rows_does_not_matter(function: Callable[..., Any], known: Frames) -> None:
    made = make(function, known)
    shuffled = {table: frame.sample(fraction=1, shuffle=True, seed=5) for table, frame in known.items()}
    assert made.height
    assert differences(made, make(function, shuffled), table_of(function).primary_key()).rows() == []
    assert make(function, known).equals(made)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_without_games_there_are_no_rows(function: Callable[..., Any], known: Frames) -> None:
    of_games = {t.Matches, t.Participants, t.ParticipantFeatures, t.Objectives, t.VisionSurvival}
    for emptied in (of_games, set(known)):
        empty = {table: frame.clear() if table in emptied else frame for table, frame in known.items()}
        assert make(function, empty).is_empty()
