"""Skills in single matches, beside a plain reading of the features and the cohort."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import polars as pl
import pytest

from gamestats_assets.rocket_league.analysis.cohorts import rank_cohorts
from gamestats_assets.rocket_league.analysis.skills import FEATURES, SKILL_FEATURES, TEAM_SKILLS, match_skills
from gamestats_assets.rocket_league.tables import PlayerMatchFeatures, RankCohorts
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets_tests.rocket_league.support.building import given_ranks, make, rows
from gamestats_assets_tests.rocket_league.support.planted import FIRST, played, truths

# Of each skill the features for which more is better, then those for which less is.
SIGNED = {
    "aerials": (["high_air_share", "low_air_share", "aerial_touches_per_minute", "aerial_success_share"], []),
    "saves": (["save_share"], ["goals_against_per_minute"]),
    "positioning": (["behind_ball_share"], ["last_defender_conceded_share"]),
    "rotation": (["rotation_efficiency"], ["role_imbalance", "double_commits_per_minute"]),
    "shooting": (["shot_accuracy", "shots_per_minute", "avg_shot_speed_uu_s"], []),
}


def test_every_skill_is_of_features_that_are_measured() -> None:
    assert set(SKILL_FEATURES) == set(SKILLS) == set(SIGNED)
    for skill, of in SKILL_FEATURES.items():
        more, less = SIGNED[skill]
        assert dict(of) == dict.fromkeys(more, 1) | dict.fromkeys(less, -1)
        assert {name for name, _ in of} <= set(FEATURES)
    assert not {"played_s", "rank_tier", "team_size", "won"} & set(FEATURES)


def cohort(**features: tuple[float, float]) -> pl.DataFrame:
    """A cohort of Champion I that knows some features, by mean and spread of single matches."""
    given = [
        {"feature": name, "mean": mean, "match_spread": spread, "rank_tier": 16, "from_tier": 16, "to_tier": 16}
        for name, (mean, spread) in features.items()
    ]
    return rows(RankCohorts, *given)


def match(number: int = 1, **features: Any) -> dict[str, Any]:
    of_match = {"match_id": f"{number:032X}", "player_id": "steam_1", "started_at": FIRST, "match_date": FIRST.date()}
    return {**of_match, "rank_tier": 16, **features}


def skills(matches: list[dict[str, Any]], cohorts: pl.DataFrame, *given: Any) -> dict[tuple[int, str], float]:
    """The value of each skill by number of the match."""
    features = rows(PlayerMatchFeatures, *matches)
    found = match_skills(features.lazy(), cohorts.lazy(), given_ranks(*given).lazy()).collect()
    assert found.get_column("value").null_count() == 0
    return {(int(row["match_id"], 16), row["skill"]): row["value"] for row in found.iter_rows(named=True)}


def test_a_skill_is_the_sum_of_its_features_in_spreads_of_such_sums() -> None:
    known = cohort(save_share=(0.2, 0.1), goals_against_per_minute=(0.5, 0.25))
    found = skills([match(save_share=0.5, goals_against_per_minute=1.0)], known)
    # Three spreads more saves, two spreads more goals conceded.
    assert found == {(1, "saves"): pytest.approx((3 - 2) / 2**0.5)}
    # Where one tells most of the other, their sum spreads more.
    together = known.with_columns(pl.lit([0.5]).alias("correlations"), feature=pl.lit("skill_saves")).head(1)
    found = skills([match(save_share=0.5, goals_against_per_minute=1.0)], pl.concat([known, together]))
    assert found == {(1, "saves"): pytest.approx((3 - 2) / 3**0.5)}


def test_what_the_match_or_the_cohort_does_not_know_is_left_out() -> None:
    known = cohort(save_share=(0.2, 0.1), goals_against_per_minute=(0.5, 0.25), shot_accuracy=(0.3, 0.1))
    matches = [
        match(1, goals_against_per_minute=0.0),
        match(2, save_share=0.4),
        match(3, shot_accuracy=0.5, shots_per_minute=9.0),
        match(4),
    ]
    found = skills(matches, known)
    assert found == {
        (1, "saves"): pytest.approx(2.0),
        (2, "saves"): pytest.approx(2.0),
        (3, "shooting"): pytest.approx(2.0),
    }


def test_a_feature_in_which_matches_do_not_differ_measures_nothing() -> None:
    known = cohort(save_share=(0.2, 0.0), goals_against_per_minute=(0.5, 0.25), behind_ball_share=(0.5, 0.0))
    found = skills([match(save_share=0.9, goals_against_per_minute=0.5, behind_ball_share=0.7)], known)
    assert found == {(1, "saves"): 0.0}


def test_a_duel_has_no_rotation() -> None:
    known = cohort(role_imbalance=(0.2, 0.1))
    matches = [match(size, team_size=size or None, role_imbalance=0.1) for size in range(4)]
    assert {number for number, _ in skills(matches, known)} == {0, 2, 3}
    assert TEAM_SKILLS == ("rotation",)


def test_every_match_is_measured_by_the_rank_that_is_known_now() -> None:
    champion, diamond = cohort(save_share=(0.2, 0.1)), cohort(save_share=(0.1, 0.1))
    known = pl.concat([champion, diamond.with_columns(pl.lit(15, pl.Int32).alias("rank_tier"))])
    matches = [match(1, save_share=0.2, rank_tier=15), match(2, save_share=0.2, started_at=FIRST.replace(day=2))]
    assert skills(matches, known) == {(1, "saves"): 0.0, (2, "saves"): 0.0}
    given = ("steam_1", "ranked-doubles", 15, FIRST.replace(day=3))
    assert skills(matches, known, given) == {(1, "saves"): pytest.approx(1.0), (2, "saves"): pytest.approx(1.0)}


def test_without_a_rank_or_a_cohort_there_is_no_skill() -> None:
    known = cohort(save_share=(0.2, 0.1))
    others: list[dict[str, Any]] = [{"rank_tier": None}, {"rank_tier": 17}, {"playlist": "ranked-duels"}]
    for other in [*others, {"is_simulated": True}]:
        assert skills([match(save_share=0.2, **other)], known) == {}


def together(features: pl.DataFrame, scale: dict[str, tuple[float, float]], one: str, other: str) -> float:
    """The correlation of two features, so signed that more is better."""
    both = features.select(one=one, other=other).drop_nulls()
    signs = [-1 if name in less else 1 for name in (one, other) for _, less in SIGNED.values() if name in _ + less]
    return signs[0] * signs[1] * statistics.correlation(both["one"].to_list(), both["other"].to_list())


def test_skills_of_planted_matches_are_those_of_a_plain_reading() -> None:
    rng = np.random.default_rng(5)
    features = played(rng, truths(rng, 40), rng.integers(1, 6, 40))
    holes = [
        pl.when(pl.Series(rng.random(features.height) < 0.7)).then(name).alias(name)
        for name in ("save_share", "high_air_share", "role_imbalance")
    ]
    features = features.with_columns(holes)
    cohorts = make(rank_cohorts, {PlayerMatchFeatures: features})
    scale = {row["feature"]: (row["mean"], row["match_spread"]) for row in cohorts.iter_rows(named=True)}
    expected: dict[tuple[str, str, str], float] = {}
    for row in features.iter_rows(named=True):
        for skill, (more, less) in SIGNED.items():
            parts = [
                sign * (row[name] - scale[name][0]) / scale[name][1]
                for sign, names in ((1, more), (-1, less))
                for name in names
                if row[name] is not None and name in scale
            ]
            if parts:
                names = [name for name in (more + less) if row[name] is not None and name in scale]
                spread = sum(together(features, scale, one, other) for one in names for other in names) ** 0.5
                expected[row["match_id"], row["player_id"], skill] = sum(parts) / spread
    found = match_skills(features.lazy(), cohorts.lazy(), given_ranks().lazy()).collect()
    by_key = {(row["match_id"], row["player_id"], row["skill"]): row["value"] for row in found.iter_rows(named=True)}
    assert by_key == pytest.approx(expected)
    assert len(expected) < features.height * len(SKILLS)
