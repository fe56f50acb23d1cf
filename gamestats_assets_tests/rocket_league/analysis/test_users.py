"""Tracked players, their matches and their statistics, against a plain reading of the rows they are made from."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.users import matches, player_stats, users
from gamestats_assets_tests.rocket_league.support.building import (
    PLAYER,
    START,
    Row,
    cohort,
    make,
    match_id,
    played,
    rows,
)

OTHER = "epic_0123456789abcdef0123456789abcdef"
DAY = timedelta(days=1)


# --------------------------------------------------------------------------- users


def of_users(
    *,
    ranks: list[Row],
    features: list[Row],
    tracked: tuple[str, ...] = (PLAYER, OTHER),
    kept_from: date = date(2025, 1, 1),
) -> dict[str, Row]:
    made = make(
        users,
        {
            t.TrackedPlayers: rows(
                t.TrackedPlayers, *({"player_id": each, "kept_from": kept_from} for each in tracked)
            ),
            t.RlPlayers: rows(t.RlPlayers, {"username": "Ada"}, {"player_id": OTHER, "username": "Bo"}),
            t.RlRanks: rows(t.RlRanks, *ranks),
            t.PlayerMatchFeatures: rows(t.PlayerMatchFeatures, *features),
        },
    )
    return {row["player_id"]: row for row in made.to_dicts()}


def test_users_are_the_tracked_players_with_their_accounts() -> None:
    made = of_users(ranks=[], features=[])
    assert made[PLAYER] == {
        "player_id": PLAYER,
        "steam_id": "76561198385053346",
        "epic_id": None,
        "username": "Ada",
        "current_rank": None,
        "current_rank_tier": None,
        "is_simulated": False,
        "created_at": START - 90 * DAY,
        "updated_at": START - 60 * DAY,
    }
    assert (made[OTHER]["steam_id"], made[OTHER]["epic_id"]) == (None, "0123456789abcdef0123456789abcdef")
    assert of_users(ranks=[], features=[], tracked=(OTHER,)).keys() == {OTHER}


def test_the_current_rank_is_the_highest_last_rank_of_the_playlists() -> None:
    features = [
        *played(2, rank_tier=[15, 17]),
        *played(1, day=2, playlist="ranked-standard", rank_tier=19),
        *played(1, day=3, playlist="ranked-standard", rank_tier=16),
    ]
    made = of_users(ranks=[], features=features)
    assert (made[PLAYER]["current_rank"], made[PLAYER]["current_rank_tier"]) == ("champion-2", 17)
    assert made[OTHER]["current_rank"] is None


@pytest.mark.parametrize(
    ("given_at", "playlist", "expected"),
    [
        (START + 5 * DAY, "ranked-doubles", ("grand-champion-2", 20)),
        (START - 5 * DAY, "ranked-doubles", ("champion-2", 17)),
        (START - 5 * DAY, "ranked-duels", ("grand-champion-2", 20)),
    ],
)
def test_a_rank_that_was_given_counts_where_nothing_later_is_told(given_at: Any, playlist: str, expected: Any) -> None:
    ranks = [{"playlist": playlist, "tier": 20, "updated_at": given_at}]
    made = of_users(ranks=ranks, features=played(3, rank_tier=17))
    assert (made[PLAYER]["current_rank"], made[PLAYER]["current_rank_tier"]) == expected


def test_matches_from_before_they_are_kept_tell_no_rank() -> None:
    features = [*played(1, rank_tier=20), *played(1, day=9, playlist="ranked-duels", rank_tier=7)]
    assert of_users(ranks=[], features=features)[PLAYER]["current_rank_tier"] == 20
    later = of_users(ranks=[], features=features, kept_from=(START + 5 * DAY).date())
    assert later[PLAYER]["current_rank_tier"] == 7


# --------------------------------------------------------------------------- matches

UNKNOWN = {"match_id", "match_date", "player_id", "playlist", "is_simulated", "started_at"}


def strict(text: str) -> dict[str, Any]:
    """JSON as the standard has it: without NaN and the like, and with no key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, object_pairs_hook=once, parse_constant=refuse)


def of_matches(features: list[Row], facts: list[Row], participants: list[Row], **tracked: Any) -> list[Row]:
    made = make(
        matches,
        {
            t.TrackedPlayers: rows(t.TrackedPlayers, tracked),
            t.PlayerMatchFeatures: rows(t.PlayerMatchFeatures, *features),
            t.MatchFacts: rows(t.MatchFacts, *facts),
            t.Participants: rows(t.Participants, *participants),
        },
    )
    return made.to_dicts()


def test_the_analysis_is_the_features_and_the_scoreboard_without_what_is_unknown() -> None:
    rng = np.random.default_rng(3)
    floats = [name for name, dtype in t.PlayerMatchFeatures.schema().items() if dtype == pl.Float64]
    features, facts, participants = [], [], []
    for number in range(40):
        values = {name: float(rng.normal() ** 3) for name in floats if rng.random() < 0.7}
        features.append({"won": bool(number % 2), "played_s": 300.0, "rank_tier": 15, **values})
        facts.append({"blue_score": number, "orange_score": 1, "duration_s": 300.5, "ballchasing_id": f"b{number}"})
        participants.append({"player_name": 'A "b" \\ ü 🚀\n', "result": "win", "goals": number, "rank_tier": 15})
    made = of_matches(features, facts, participants)
    assert len(made) == 40
    known = rows(t.PlayerMatchFeatures, *features).to_dicts()
    board = rows(t.Participants, *participants).to_dicts()
    for number, row in enumerate(sorted(made, key=lambda row: row["match_id"])):
        expected = {
            name: value
            for name, value in (known[number] | board[number]).items()
            if value is not None and name not in UNKNOWN | {"has_account"}
        }
        analysis = strict(row["replay_data"])
        assert analysis == expected
        assert "ü 🚀" in row["replay_data"], "names can be searched for as they are written"
        assert {type(value) for value in analysis.values()} <= {float, int, str, bool}
        order = [name for name in (*t.PlayerMatchFeatures.schema(), *t.Participants.schema()) if name in analysis]
        in_table = [name for name in order if name in floats]
        assert [name for name in analysis if name in floats] == in_table
        assert (row["score_team_0"], row["score_team_1"], row["result"]) == (number, 1, "win")
        assert (row["created_at"], row["processed_at"]) == (START, START + DAY)
        assert (row["duration_s"], row["ballchasing_id"]) == (300.5, f"b{number}")


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(), st.floats(), st.integers(0, 2**31 - 1))
def test_an_analysis_is_strict_json_whatever_names_and_numbers_are(name: str, x: float, y: float, goals: int) -> None:
    (row,) = of_matches(
        [{"avg_x_uu": x, "avg_z_uu": y}], [{}], [{"player_name": name, "goals": goals, "result": "loss"}]
    )
    analysis = strict(row["replay_data"])
    assert (analysis["player_name"], analysis["goals"]) == (name.replace("\0", ""), goals), (
        "jsonb has no zero character"
    )
    for key, value in (("avg_x_uu", x), ("avg_z_uu", y)):
        assert (analysis[key] == value) if math.isfinite(value) else (key not in analysis)


def test_a_match_without_features_has_its_scoreboard() -> None:
    (row,) = of_matches([], [{"playlist": "dropshot"}], [{"player_name": "Ada", "score": 250, "rank_tier": 9}])
    assert row["playlist"] == "dropshot"
    assert strict(row["replay_data"]) == {"player_name": "Ada", "team": "blue", "score": 250, "rank_tier": 9}


def test_only_own_matches_are_there_and_only_from_the_day_on_that_they_are_kept_from() -> None:
    days = [date(2026, 3, day) for day in (9, 10, 11)]
    own = [{"match_date": day} for day in days]
    others = [{"match_id": match_id(number), "match_date": days[2], "player_id": OTHER} for number in (2, 3)]
    made = of_matches(
        own,
        [*own, {"match_date": days[2]}],
        [*({"player_name": "Ada"} | row for row in own), *others],
        kept_from=days[1],
    )
    assert [(row["player_id"], row["match_id"]) for row in made] == [(PLAYER, match_id(1)), (PLAYER, match_id(2))]


# --------------------------------------------------------------------------- statistics


def of_stats(features: list[Row], cohorts: list[Row], ranks: tuple[Row, ...] = (), skills: bool = False) -> list[Row]:
    """Rows of features, or else of skills."""
    frames = {
        t.TrackedPlayers: rows(t.TrackedPlayers, {}),
        t.PlayerMatchFeatures: rows(t.PlayerMatchFeatures, *features),
        t.RankCohorts: rows(t.RankCohorts, *cohorts),
        t.RlRanks: rows(t.RlRanks, *ranks),
    }
    return [row for row in make(player_stats, frames).to_dicts() if row["stat_type"].startswith("skill_") == skills]


def mid_rank(value: float, among: np.ndarray) -> float:
    """The share of values below, in per cent; of those that tie, half."""
    return float(100 * (np.sum(among < value) + np.sum(among == value) / 2) / len(among))


RNG = np.random.default_rng(7)
PLANTED = {
    "avg_speed_uu_s": RNG.normal(1450, 90, 4_001),
    "high_air_share": RNG.beta(1.2, 30, 4_001),
    "goals_per_minute": RNG.poisson(0.5, 4_001) / 5.0,
    "shot_accuracy": RNG.choice([0.0, 0.25, 0.5, 1.0], 4_001, p=[0.55, 0.13, 0.2, 0.12]),
    "demos_taken_per_minute": np.zeros(4_001),
    "saves_per_minute": np.where(RNG.random(4_001) < 0.4, 0.0, RNG.gamma(2, 0.2, 4_001)),
}

SMOOTH = {"avg_speed_uu_s", "high_air_share"}
TIED = {"goals_per_minute", "shot_accuracy", "demos_taken_per_minute"}


@pytest.mark.parametrize("feature", PLANTED)
def test_percentiles_are_the_share_of_the_cohorts_matches_below(feature: str) -> None:
    among = PLANTED[feature]
    values = np.random.default_rng(1).choice(among, 300)
    features = [row | {feature: value} for row, value in zip(played(300, rank_tier=16), values, strict=True)]
    made = of_stats(features, [cohort(feature, among)])
    errors = [row["rank_percentile"] - mid_rank(row["value"], among) for row in made]
    assert len(errors) == 300
    assert max(map(abs, errors)) <= 5
    if feature in SMOOTH:
        assert float(np.mean(np.abs(errors))) < 1
    if feature in TIED:
        assert max(map(abs, errors)) <= 2.6


def test_skills_stand_beside_the_features_against_the_matches_of_the_cohort() -> None:
    cohorts = [
        {"feature": "high_air_share", "rank_tier": 16, "mean": 0.05, "match_spread": 0.02},
        cohort("skill_aerials", np.linspace(-2, 2, 401)),
    ]
    made = of_stats(played(2, rank_tier=16, high_air_share=[0.07, 0.04]), cohorts, skills=True)
    assert [row["stat_type"] for row in made] == ["skill_aerials"] * 2
    assert [row["value"] for row in made] == pytest.approx([1.0, -0.5])
    assert [row["rank_percentile"] for row in made] == pytest.approx([75, 37.5])


def test_percentiles_are_exact_at_the_quantiles_and_end_at_0_and_100() -> None:
    among = np.arange(101.0)
    values = [0.0, 5.0, 50.0, 52.0, 95.0, 100.0, -3.0, 400.0]
    made = of_stats(played(8, rank_tier=16, avg_x_uu=values), [cohort("avg_x_uu", among)])
    assert {row["value"]: row["rank_percentile"] for row in made} == pytest.approx(
        {0.0: 0, 5.0: 5, 50.0: 50, 52.0: 52, 95.0: 95, 100.0: 100, -3.0: 0, 400.0: 100}
    )


def test_ties_are_in_the_middle_of_their_range() -> None:
    """60% without a goal stand at 30%, not at 0% or 60%; where all are equal everybody stands in the middle."""
    among = np.repeat([0.0, 0.2, 0.4], [600, 250, 151])
    cohorts = [cohort("goals_per_minute", among), cohort("saves_per_minute", np.full(50, 0.3))]
    features = played(3, rank_tier=16, goals_per_minute=[0.0, 0.2, 0.4], saves_per_minute=[0.3, 0.2, 0.4])
    made = of_stats(features, cohorts)
    found = {(row["stat_type"], row["value"]): row["rank_percentile"] for row in made}
    assert found["goals_per_minute", 0.0] == pytest.approx(mid_rank(0.0, among), abs=2.5)
    assert found["goals_per_minute", 0.2] == pytest.approx(mid_rank(0.2, among), abs=2.5)
    assert found["goals_per_minute", 0.4] == pytest.approx(mid_rank(0.4, among), abs=2.5)
    assert [found["saves_per_minute", value] for value in (0.2, 0.3, 0.4)] == [0, 50, 100]


def test_statistics_are_every_known_feature_of_every_match() -> None:
    rng = np.random.default_rng(5)
    floats = [name for name, dtype in t.PlayerMatchFeatures.schema().items() if dtype == pl.Float64]
    floats.remove("played_s")
    assert len(floats) > 50
    features = played(12)
    for row in features:
        row.update({name: float(rng.random()) for name in floats if rng.random() < 0.5} | {"played_s": 300.0})
    features[3]["avg_z_uu"] = math.nan
    strangers = played(2, day=40, player_id=OTHER, avg_z_uu=1.0)
    made = of_stats([*features, *strangers], [])
    expected = {
        (row["started_at"], row["match_id"], name): row[name]
        for row in features
        for name in floats
        if name in row and not math.isnan(row[name])
    }
    assert {(row["time"], row["match_id"], row["stat_type"]): row["value"] for row in made} == expected
    of_rows = {(row["player_id"], row["playlist"], row["rank_percentile"], row["is_simulated"]) for row in made}
    assert of_rows == {(PLAYER, "ranked-doubles", None, False)}


def test_the_cohort_is_that_of_the_rank_known_now_in_the_playlist_of_the_match() -> None:
    low, high, duels = np.arange(0.0, 101), np.arange(50.0, 151), np.arange(-50.0, 51)
    cohorts = [
        cohort("avg_x_uu", low, tier=15),
        cohort("avg_x_uu", high, tier=16),
        cohort("avg_x_uu", duels, tier=9, playlist="ranked-duels"),
        cohort("avg_x_uu", duels, tier=16, is_simulated=True),
    ]
    features = [
        *played(2, rank_tier=[15, 16], avg_x_uu=60.0),
        *played(1, day=1, rank_tier=None, avg_x_uu=60.0),
        *played(1, day=2, playlist="ranked-duels", rank_tier=9, avg_x_uu=20.0),
        *played(1, day=3, playlist="ranked-standard", rank_tier=16, avg_x_uu=20.0),
        *played(1, day=4, playlist="hoops", avg_x_uu=20.0),
        *played(1, day=5, is_simulated=True, rank_tier=16, avg_x_uu=0.0),
    ]
    made = of_stats(features, cohorts)
    assert [row["rank_percentile"] for row in made] == pytest.approx([10, 10, 10, 70, None, None, 50])
    given_later = {"playlist": "ranked-doubles", "tier": 15, "updated_at": START + 30 * DAY}
    again = of_stats(features, cohorts, (given_later,))
    assert [row["rank_percentile"] for row in again[:3]] == pytest.approx([60] * 3)
