"""Profiles of players, and cohorts beside planted truths and plain readings of the same rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.rocket_league.analysis.cohorts import COHORT_PLAYERS, player_profiles, rank_cohorts
from gamestats_assets.rocket_league.analysis.skills import match_skills
from gamestats_assets.rocket_league.tables import PlayerMatchFeatures, Withheld
from gamestats_assets_tests.rocket_league.support.building import given_ranks, make, rows
from gamestats_assets_tests.rocket_league.support.planted import BETWEEN, MEANS, NOISE, played, truths

Row = dict[str, Any]
FEATURE = "save_share"


def cohorts(features: pl.DataFrame) -> dict[tuple[str, int, str], Row]:
    """Cohorts of real matches by playlist, rank and feature."""
    made = make(rank_cohorts, {PlayerMatchFeatures: features})
    return {(row["playlist"], row["rank_tier"], row["feature"]): row for row in made.iter_rows(named=True)}


def one(players: int, matches: Any = 3, seed: int = 1, name: str = FEATURE, **fixed: Any) -> pl.DataFrame:
    """Matches of players with one feature that is random."""
    rng = np.random.default_rng(seed)
    return played(rng, truths(rng, players, [name]), matches, **fixed)


def by_player(features: pl.DataFrame, name: str = FEATURE) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for row in features.iter_rows(named=True):
        if row[name] is not None:
            found[row["player_id"]].append(row[name])
    return found


# --------------------------------------------------------------------------- profiles


def test_profiles_are_the_means_of_players_with_an_account() -> None:
    features = pl.concat(
        [
            one(6, [1, 2, 3, 4, 5, 6], tier=9),
            one(3, 4, playlist="ranked-duels", tier=None),
            one(2, 4, is_simulated=True, tier=12),
            one(2, 4, kind="guest"),
            one(2, 4, kind="forgotten"),
        ]
    ).with_columns(pl.when(pl.int_range(pl.len()) % 4 > 0).then(FEATURE))
    made = make(player_profiles, {PlayerMatchFeatures: features})
    expected: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in features.iter_rows(named=True):
        if row[FEATURE] is not None and row["player_id"].startswith("steam_"):
            expected[row["is_simulated"], row["playlist"], row["player_id"], row["rank_tier"]].append(row[FEATURE])
    assert {row["feature"] for row in made.iter_rows(named=True)} == {FEATURE}
    found = {
        (row["is_simulated"], row["playlist"], row["player_id"], row["rank_tier"]): row
        for row in made.iter_rows(named=True)
    }
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key]["matches"] == len(values)
        assert found[key]["mean"] == pytest.approx(fmean(values))
        assert found[key]["spread"] == (pytest.approx(stdev(values)) if len(values) > 1 else None)


# --------------------------------------------------------------------------- estimates


def test_spreads_and_means_that_were_planted_are_found() -> None:
    rng = np.random.default_rng(3)
    players = 3_000
    counts = np.minimum(rng.geometric(1 / 6, players), 60)
    features = played(rng, truths(rng, players), counts)
    found = cohorts(features)
    for name, mean in MEANS.items():
        row = found["ranked-doubles", 16, name]
        unit = mean * BETWEEN
        assert row["players"] == players
        assert row["matches"] == counts.sum()
        # Of 3,000 players with noise like this: mean +-0.03, spread between them +-0.04, within +-0.02, at one sd.
        assert row["mean"] == pytest.approx(mean, abs=4 * row["mean_standard_error"])
        assert row["mean_standard_error"] == pytest.approx(
            unit * np.sqrt((1 + NOISE**2 * np.mean(1 / counts)) / players), rel=0.06
        )
        assert row["within_spread"] == pytest.approx(NOISE * unit, rel=0.04)
        assert row["between_spread"] == pytest.approx(unit, rel=0.16)
        assert row["match_spread"] == pytest.approx(np.sqrt(1 + NOISE**2) * unit, rel=0.04)


def formulas(values: Mapping[str, list[float]]) -> Row:
    """The estimates as the module states them, in plain Python."""
    n = [len(of) for of in values.values()]
    m = [fmean(of) for of in values.values()]
    many = [of for of in values.values() if len(of) > 1]
    within = sum((len(of) - 1) * stdev(of) ** 2 for of in many) / sum(len(of) - 1 for of in many)
    w = [each / (each + 9) for each in n]
    total = sum(w)
    middle = sum(a * b for a, b in zip(w, m, strict=True)) / total
    q = sum(a * (b - middle) ** 2 for a, b in zip(w, m, strict=True))
    a = sum(each / of for each, of in zip(w, n, strict=True))
    b = sum(each**2 / of for each, of in zip(w, n, strict=True))
    v = sum(each**2 for each in w)
    between = max(0.0, (q - within * (a - b / total)) / (total - v / total))
    return {
        "players": len(n),
        "matches": sum(n),
        "mean": fmean(m),
        "mean_standard_error": stdev(m) / len(m) ** 0.5,
        "within_spread": within**0.5,
        "between_spread": between**0.5,
        "match_spread": (within + between) ** 0.5,
        **{f"p{p:02}": float(np.quantile(m, p / 100)) for p in (5, 25, 50, 75, 95)},
        "match_quantiles": [
            float(each) for each in np.quantile([x for of in values.values() for x in of], np.linspace(0, 1, 21))
        ],
    }


@pytest.mark.parametrize("noise", [0.5, 3.0, 30.0])
def test_rows_are_those_of_the_formulas(noise: float) -> None:
    rng = np.random.default_rng(6)
    features = one(37, rng.integers(1, 9, 37), noise=noise)
    row = cohorts(features)["ranked-doubles", 16, FEATURE]
    for name, value in formulas(by_player(features)).items():
        assert row[name] == pytest.approx(value, abs=1e-9), name


def test_a_skill_is_described_as_a_feature_is() -> None:
    rng = np.random.default_rng(7)
    features = played(rng, truths(rng, 35), rng.integers(1, 9, 35))
    made = make(rank_cohorts, {PlayerMatchFeatures: features})
    skills = match_skills(features.lazy(), made.lazy(), given_ranks().lazy()).collect()
    described = {row["feature"]: row for row in made.iter_rows(named=True)}
    for (skill,), of_skill in skills.group_by("skill"):
        for name, value in formulas(by_player(of_skill, "value")).items():
            assert described[f"skill_{skill}"][name] == pytest.approx(value, abs=1e-9), name
        assert described[f"skill_{skill}"]["mean"] == pytest.approx(0, abs=1e-9)
    assert skills.get_column("skill").n_unique() == 5


def test_without_two_matches_of_a_player_only_matches_have_a_spread() -> None:
    features = one(40, 1)
    row = cohorts(features)["ranked-doubles", 16, FEATURE]
    assert (row["within_spread"], row["between_spread"]) == (None, None)
    assert row["match_spread"] == pytest.approx(stdev(features.get_column(FEATURE)))


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3])
def test_what_is_the_same_in_every_match_has_no_spread_and_is_no_skill(value: float) -> None:
    features = one(40, np.arange(40) % 13 + 1).with_columns(save_share=pl.lit(value))
    found = cohorts(features)
    row = found["ranked-doubles", 16, FEATURE]
    assert row["mean"] == pytest.approx(value)
    assert (row["match_spread"], row["within_spread"], row["between_spread"]) == (0, 0, 0)
    assert row["match_quantiles"] == pytest.approx([value] * 21)
    assert not any(name.startswith("skill_") for _, _, name in found)


# --------------------------------------------------------------------------- who is in a cohort


def ranked(**players: int) -> pl.DataFrame:
    """So many players at each rank, named as t16."""
    tiers = [int(name[1:]) for name, number in players.items() for _ in range(number)]
    return one(len(tiers), 2, tier=tiers)


def windows(features: pl.DataFrame, name: str = FEATURE) -> dict[int, tuple[int, int, int]]:
    """The ranks that are in each cohort, and how many players."""
    return {
        tier: (row["from_tier"], row["to_tier"], row["players"])
        for (_, tier, feature), row in cohorts(features).items()
        if feature == name
    }


@pytest.mark.parametrize(
    ("players", "expected"),
    [
        ({"t10": COHORT_PLAYERS}, {10: (10, 10, 30)}),
        ({"t10": 29}, {10: None}),
        # Too few at a rank take in as many ranks on both sides, two at most.
        ({"t9": 12, "t10": 10, "t11": 12}, {10: (9, 11, 34)}),
        ({"t8": 5, "t9": 5, "t10": 10, "t11": 5, "t12": 5}, {10: (8, 12, 30)}),
        ({"t7": 9, "t8": 3, "t9": 3, "t10": 3, "t11": 3, "t12": 3, "t13": 9}, dict.fromkeys(range(7, 14))),
        # Nearly all around rank 10 are of rank 11, so that they are no cohort of rank 10.
        ({"t9": 2, "t10": 3, "t11": 40}, {9: None, 10: None, 11: (11, 11, 40)}),
        # At the ends of the scale there are neighbours on one side.
        ({"t1": 20, "t2": 15, "t21": 15, "t22": 20}, {1: (1, 2, 35), 22: (21, 22, 35)}),
        ({"t21": 25, "t22": 10}, {22: None}),
    ],
)
def test_a_cohort_is_of_thirty_players_of_a_rank_and_its_neighbours(
    players: dict[str, int], expected: dict[int, tuple[int, int, int] | None]
) -> None:
    found = windows(ranked(**players))
    assert {tier: found.get(tier) for tier in expected} == expected


def test_a_feature_that_few_players_have_takes_in_ranks_that_others_need_not() -> None:
    rng = np.random.default_rng(9)
    names = ("save_share", "aerial_success_share", "avg_speed_uu_s")
    tiers = [9] * 40 + [10] * 40 + [11] * 40
    features = played(rng, truths(rng, 120, names), 3, tier=tiers)
    has = pl.col("player_id").str.slice(-6).cast(pl.Int32) % 40 < 12
    features = features.with_columns(pl.when(has).then("aerial_success_share"))
    assert windows(features)[10] == (10, 10, 40)
    for name in ("aerial_success_share", "skill_aerials"):
        assert windows(features, name) == {10: (9, 11, 36)}
    assert windows(features, "skill_saves")[10] == (10, 10, 40)


def test_a_skill_is_known_to_who_knows_one_of_its_features() -> None:
    rng = np.random.default_rng(9)
    features = played(rng, truths(rng, 60, ["save_share", "goals_against_per_minute"]), 3)
    number = pl.col("player_id").str.slice(-6).cast(pl.Int32)
    features = features.with_columns(
        save_share=pl.when(number < 31).then("save_share"),
        goals_against_per_minute=pl.when((number >= 29) & (number < 59)).then("goals_against_per_minute"),
    )
    assert windows(features, "skill_saves") == {16: (16, 16, 59)}


def test_a_player_is_of_the_last_rank_with_all_matches() -> None:
    features = one(31, 3, tier=10)
    climbed = pl.col("started_at").rank("dense").over("player_id") == 3
    features = features.with_columns(rank_tier=pl.when(climbed).then(11).otherwise("rank_tier").cast(pl.Int32))
    assert windows(features) == {11: (11, 11, 31)}
    assert cohorts(features)["ranked-doubles", 11, FEATURE]["matches"] == 93


def test_who_has_no_account_or_no_rank_is_in_no_cohort() -> None:
    others = [
        one(29, kind="guest"),
        one(29, kind="forgotten"),
        one(29, tier=None, first=100),
        one(9, tier=0, first=200),
    ]
    assert windows(pl.concat([one(29), *others])) == {}
    assert windows(pl.concat([one(30), *others])) == {16: (16, 16, 30)}


def test_duels_have_no_skill_of_teams() -> None:
    features = one(40, 4, name="role_imbalance", playlist="ranked-duels", team_size=1)
    assert {name for _, _, name in cohorts(features)} == {"role_imbalance"}


def test_who_does_not_allow_it_is_in_no_cohort_and_has_no_profile() -> None:
    features = one(COHORT_PLAYERS + 2, 3)
    who = [*features["player_id"].unique().sort()[:2]]
    refusing = rows(Withheld, *({"player_id": each, "purpose": "cohorts"} for each in who))
    others = features.filter(~pl.col("player_id").is_in(who))
    for function in (rank_cohorts, player_profiles):
        without = make(function, {PlayerMatchFeatures: features, Withheld: refusing})
        assert_frame_equal(without, make(function, {PlayerMatchFeatures: others}), check_row_order=False)
        assert without.height
