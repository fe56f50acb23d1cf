"""What holds of every function that analyses players: the order of rows is nothing, and nothing comes of nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis import training_packs
from gamestats_assets.rocket_league.analysis.cohorts import player_profiles, rank_cohorts
from gamestats_assets.rocket_league.assets import BY_PLAYER
from gamestats_assets_tests.rocket_league.support import planted
from gamestats_assets_tests.rocket_league.support.building import (
    assert_order_does_not_matter,
    given_ranks,
    make,
    rows,
    tracked,
)
from gamestats_assets_tests.rocket_league.support.real_files import made_by

PLAYERS = [planted.player_id(number) for number in range(3)]
FUNCTIONS = (player_profiles, rank_cohorts, *BY_PLAYER)


@pytest.fixture(scope="module")
def known() -> dict[Any, pl.DataFrame]:
    """Every table of forty players, of whom three are tracked: one trained, and one has played duels, too."""
    rng = np.random.default_rng(31)
    doubles = planted.played(rng, planted.truths(rng, 40), 8)
    features = pl.concat(
        [doubles, planted.played(rng, planted.truths(rng, 1), 6, playlist="ranked-duels", team_size=1)]
    )
    of_matches = features.select("match_id", "match_date", "player_id", "started_at").to_dicts()
    tables: dict[Any, pl.DataFrame] = {
        t.PlayerMatchFeatures: features,
        t.Participants: rows(t.Participants, *of_matches),
        t.MatchFacts: rows(t.MatchFacts, *({**each, "is_soccar": True} for each in of_matches)),
        t.TrackedPlayers: tracked(*PLAYERS),
        t.RlPlayers: rows(t.RlPlayers, *({"player_id": each} for each in PLAYERS)),
        t.RlRanks: given_ranks((PLAYERS[1], "ranked-doubles", 17, planted.FIRST)),
        t.TrainingSessions: rows(
            t.TrainingSessions,
            *(
                {"player_id": PLAYERS[0], "skill": "saves", "completed_at": planted.later(hours), "attempts": 9}
                | {"successes": hours}
                for hours in range(2, 6)
            ),
        ),
        t.TrainingPacks: training_packs.catalogue().collect(),
    }
    for function in FUNCTIONS:
        tables[made_by(function)] = make(function, tables)
    return tables


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_the_order_of_rows_does_not_matter_and_nothing_comes_of_nothing(
    known: dict[Any, pl.DataFrame], function: Callable[..., Any]
) -> None:
    if function.__name__ != "player_mistakes":
        assert_order_does_not_matter(function, known)
    assert make(function, {table: frame.clear() for table, frame in known.items()}).is_empty()
    if function in BY_PLAYER:
        assert make(function, known | {t.TrackedPlayers: tracked()}).is_empty()
