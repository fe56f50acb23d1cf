"""Models of ranks: the fit, honest figures, and which version serves."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis import rank_models as rm
from gamestats_assets.rocket_league.analysis import rank_versions as rv
from gamestats_assets.rocket_league.analysis import strength_over_time as strengths
from gamestats_assets_tests.rocket_league.support import planted_ranks as planted
from gamestats_assets_tests.rocket_league.support.building import rows
from gamestats_assets_tests.rocket_league.support.building import sessions as sessions_of
from gamestats_assets_tests.rocket_league.support.planted_ranks import PLAYLIST, SHAPES, World, world

Row = dict[str, Any]
NO_MODELS, NO_SESSIONS, NOBODY = rows(t.RankModels), sessions_of(), rows(t.Withheld)


def next_models(
    features: pl.DataFrame,
    *,
    standing: pl.DataFrame = NO_MODELS,
    sessions: pl.DataFrame = NO_SESSIONS,
    profiles: pl.DataFrame | None = None,
    withheld: pl.DataFrame = NOBODY,
) -> pl.DataFrame:
    """The models after these matches."""
    if profiles is None:
        profiles = planted.profiles_of(features)
    frames: list[Any] = [standing, profiles, features, sessions, withheld]
    return t.RankModels.validate(rv.next_models(*(frame.lazy() for frame in frames)).collect())


def only(models: pl.DataFrame) -> Row:
    """The one model there is."""
    return models.row(0, named=True) if models.height == 1 else pytest.fail(f"{models.height} models")


def some_model() -> Row:
    """A model by hand: ranks 3, 4 and 5 to 8 as one, by two features."""
    return {
        "features": ["avg_boost", "save_share"], "means": [50.0, 0.5], "spreads": [5.0, 0.1],
        "coefficients": [1.0, -0.5], "thresholds": [-1.0, 0.5], "tiers": [3, 4, 5], "tier_means": [3.0, 4.0, 6.25],
        "tier_edges": [2.5, 3.5, 4.5, 8.5], "strength_spread": 1.1, "strength_reliability": 0.8,
    }  # fmt: skip


def logistic(value: float) -> float:
    """1 / (1 + exp(-value))."""
    return 1 / (1 + math.exp(-value))


# --------------------------------------------------------------------------- the fit


def test_the_ridge_takes_off_the_gradient_what_it_says() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((120, 2))
    group = np.searchsorted([-1.0, 1.0], x @ [0.8, 0.3] + rng.logistic(size=120))
    coefficients, thresholds = rm.ordered_logit(x, group, ridge=4.0)

    def penalised(parameters: np.ndarray) -> float:
        total = -4.0 / 2 * float(parameters[:2] @ parameters[:2])
        for row, each in zip(x, group, strict=True):
            for edge, threshold in enumerate(parameters[2:]):
                above = logistic(float(row @ parameters[:2]) - threshold)
                total += math.log(above if each > edge else 1 - above) / 2
        return total

    at = np.concatenate([coefficients, thresholds])
    for step in np.eye(4) * 1e-4:
        assert (penalised(at + step) - penalised(at - step)) / 2e-4 == pytest.approx(0, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 5)), min_size=12, max_size=40))
def test_thresholds_are_in_order_whatever_the_players(players: list[tuple[float, int]]) -> None:
    x = np.array([[value] for value, _ in players])
    found = np.unique([group for _, group in players], return_inverse=True)[1]
    assume(found.max() > 0)
    coefficients, thresholds = rm.ordered_logit(x, found)
    assert np.isfinite(coefficients).all()
    assert (np.diff(thresholds) > 0).all()


def test_what_tells_ranks_without_doubt_or_twice_stays_finite() -> None:
    one = np.arange(-30.0, 30.0)[:, None] / 17
    group = (one[:, 0] > 0).astype(np.int64)
    separated, _ = rm.ordered_logit(one, group)
    assert 1 < separated[0] < 20
    twice, _ = rm.ordered_logit(np.hstack([one, one]), group)
    assert twice[0] == pytest.approx(twice[1])


def test_planted_coefficients_are_recovered() -> None:
    rng = np.random.default_rng(4)
    true = rng.standard_normal((4000, len(SHAPES)))
    latent = planted.strengths(true) + rng.logistic(size=4000)
    tiers = np.searchsorted(planted.THRESHOLDS, latent) + 1
    profiles = planted.true_profiles(true, tiers)
    features = world(1, 5).features.clear()
    row = only(next_models(features, profiles=profiles))
    assert row["state"] == "served"
    assert row["features"] == list(SHAPES)
    for name, planted_one, own, spread in zip(
        SHAPES, planted.COEFFICIENTS, row["coefficients"], row["spreads"], strict=True
    ):
        # A coefficient of 4,000 players has a standard error of 0.03.
        assert own / spread * SHAPES[name][1] == pytest.approx(planted_one, abs=0.1)
    assert row["thresholds"] == pytest.approx(planted.THRESHOLDS, abs=0.3)


# --------------------------------------------------------------------------- a model, asked


def test_the_expected_rank_is_the_mean_over_ranks() -> None:
    for boost, saves in ((50.0, 0.5), (62.0, 0.45), (30.0, 0.9)):
        eta = (boost - 50) / 5 - 0.5 * (saves - 0.5) / 0.1
        low, high = logistic(-1.0 - eta), logistic(0.5 - eta)
        expected = 3 * low + 4 * (high - low) + 6.25 * (1 - high)
        values: dict[str, float | None] = {"avg_boost": boost, "save_share": saves, "another": 3.0}
        assert rm.predicted_tier(some_model(), values) == pytest.approx(expected)


def test_what_is_missing_counts_as_the_mean() -> None:
    known: dict[str, float | None] = {"avg_boost": 57.0}
    at_mean = rm.predicted_tier(some_model(), known | {"save_share": 0.5})
    for missing in ({}, {"save_share": None}, {"save_share": math.nan}):
        assert rm.predicted_tier(some_model(), known | missing) == at_mean


@pytest.mark.parametrize("boost", [20.0, 47.0, 50.0, 55.0, 80.0])
@pytest.mark.parametrize("more_chance", [0.0, 2.0])
def test_the_interval_leaves_a_tenth_on_both_sides(boost: float, more_chance: float) -> None:
    share = 1.1**2 / (1.1**2 + more_chance)
    eta, scale = share * (boost - 50) / 5, math.sqrt(1 + 3 * share * more_chance / math.pi**2)
    below = [0.0, logistic((-1.0 - eta) / scale), logistic((0.5 - eta) / scale), 1.0]

    def quantile(probability: float) -> float:
        return float(np.interp(probability, below, [2.5, 3.5, 4.5, 8.5]))

    found = rm.tier_interval(some_model(), {"avg_boost": boost}, more_chance=more_chance)
    assert found == pytest.approx((quantile(0.1), quantile(0.9)))
    half = rm.tier_interval(some_model(), {"avg_boost": boost}, level=0.5, more_chance=more_chance)
    assert half == pytest.approx((quantile(0.25), quantile(0.75)))
    ends = some_model() | {"tiers": [1, 2, 22], "tier_edges": [0.5, 1.5, 21.5, 22.5], "tier_means": [1.0, 2.0, 22.0]}
    assert rm.tier_interval(ends, {"avg_boost": -500.0})[0] == 1.0
    assert rm.tier_interval(ends, {"avg_boost": 500.0})[1] == 22.0


def test_a_driver_is_worth_what_its_mean_would_change() -> None:
    values: dict[str, float | None] = {"avg_boost": 53.0, "save_share": 0.8}
    as_is = rm.predicted_tier(some_model(), values)
    worth = {
        "avg_boost": as_is - rm.predicted_tier(some_model(), {"avg_boost": 50.0, "save_share": 0.8}),
        "save_share": as_is - rm.predicted_tier(some_model(), {"avg_boost": 53.0, "save_share": 0.5}),
    }
    assert worth["avg_boost"] > 0 > worth["save_share"]
    found = rm.drivers(some_model(), values)
    assert dict(found) == pytest.approx(worth)
    assert [name for name, _ in found] == sorted(worth, key=lambda name: -abs(worth[name]))
    assert len(rm.drivers(some_model(), values, n=1)) == 1
    assert [name for name, _ in rm.drivers(some_model(), {"save_share": 0.8})] == ["save_share"]


def test_the_slope_is_that_of_the_expected_rank_without_what_chance_flattens() -> None:
    def at(boost: float) -> float:
        return rm.predicted_tier(some_model(), {"avg_boost": boost})

    by_strength = (at(53.0 + 5e-4) - at(53.0 - 5e-4)) / 2e-4
    assert rm.tiers_per_strength(some_model(), {"avg_boost": 53.0}) == pytest.approx(by_strength / 0.8, rel=1e-6)


# --------------------------------------------------------------------------- cross-validation


@pytest.fixture(scope="module")
def usual() -> World:
    """1,000 players whose rank follows from how they play."""
    return world(11, 1000)


@pytest.fixture(scope="module")
def usual_rows(usual: World) -> pl.DataFrame:
    return rm.training_rows(usual.profiles.lazy()).collect().sort("player_id")


@pytest.fixture(scope="module")
def usual_models(usual: World) -> pl.DataFrame:
    return next_models(usual.features)


def test_a_player_is_learnt_from_by_the_means_of_the_matches(usual: World, usual_rows: pl.DataFrame) -> None:
    shown: dict[str, list[float]] = defaultdict(list)
    for row in usual.features.iter_rows(named=True):
        shown[row["player_id"]].append(row["boost_per_minute"])
    means = dict(usual_rows.select("player_id", "boost_per_minute").iter_rows())
    assert means == pytest.approx({player: fmean(values) for player, values in shown.items()})
    assert dict(usual_rows.select("player_id", "rank_tier").iter_rows()) == dict(
        zip(usual.players, usual.tiers.tolist(), strict=True)
    )
    assert {player: len(values) for player, values in shown.items()} == dict(
        usual_rows.select("player_id", "matches").iter_rows()
    )


def test_a_players_rank_is_predicted_from_others_alone(usual_rows: pl.DataFrame) -> None:
    validated = rv.cross_validated(usual_rows)
    # If the player's own rank took part anywhere, another rank would change what is said of the player.
    player = usual_rows.item(0, "player_id")
    own = pl.col("player_id") == player
    other = usual_rows.with_columns(rank_tier=pl.when(own).then(23 - pl.col("rank_tier")).otherwise("rank_tier"))
    again = rv.cross_validated(other)
    said = ["predicted", "most_probable", "middle", "most_frequent", "by_single"]
    assert again.filter(own).select(said).equals(validated.filter(own).select(said))
    same_fold = pl.col("fold") == validated.filter(own).item(0, "fold")
    assert again.filter(same_fold).select(said).equals(validated.filter(same_fold).select(said))
    changed = again.filter(~same_fold).get_column("predicted") != validated.filter(~same_fold).get_column("predicted")
    assert changed.all()


def test_figures_are_those_of_the_parts(usual_rows: pl.DataFrame, usual_models: pl.DataFrame) -> None:
    row, validated = only(usual_models), rv.cross_validated(usual_rows).to_dicts()
    errors = [abs(each["predicted"] - each["rank_tier"]) for each in validated]
    assert row["mean_error_tiers"] == pytest.approx(fmean(errors))
    deviation = math.sqrt(sum((error - fmean(errors)) ** 2 for error in errors) / (len(errors) - 1))
    assert row["error_standard_error"] == pytest.approx(deviation / math.sqrt(len(errors)))
    assert row["accuracy"] == pytest.approx(fmean(each["most_probable"] == each["rank_tier"] for each in validated))
    assert row["within_one_tier"] == pytest.approx(
        fmean(abs(each["most_probable"] - each["rank_tier"]) <= 1 for each in validated)
    )
    by_fold = defaultdict(list)
    for each in validated:
        for fold in {other["fold"] for other in validated} - {each["fold"]}:
            by_fold[fold].append(each["rank_tier"])
    middles = [abs(median(by_fold[each["fold"]]) - each["rank_tier"]) for each in validated]
    assert row["majority_mean_error_tiers"] == pytest.approx(fmean(middles))
    assert row["single_feature"] == "supersonic_share"
    assert row["mean_error_tiers"] < row["single_feature_mean_error_tiers"] < row["majority_mean_error_tiers"]
    assert row["players"] == 1000
    assert row["tiers"] == list(range(1, 23))
    # The part of a rank inside has a standard deviation of 0.38.
    assert row["interval_coverage"] == pytest.approx(0.8, abs=3 * 0.38 / math.sqrt(1000))


@pytest.mark.parametrize("seed", [31, 41])
@pytest.mark.parametrize(
    ("first", "within", "reason"),
    [(0.0, planted.WITHIN, "naming the middle rank"), (2.0, 0.0, "one feature alone (supersonic_share)")],
)
def test_a_model_of_noise_or_of_one_feature_alone_is_refused(
    seed: int, first: float, within: float, reason: str
) -> None:
    features = world(
        seed, 300, coefficients=[first] + [0.0] * (len(SHAPES) - 1), within=within, matches=(8, 12)
    ).features
    row = only(next_models(features))
    assert row["state"] == "refused"
    assert reason in row["reason"]
    assert rm.served_models(pl.DataFrame([row], schema=t.RankModels.schema())) == {}


# --------------------------------------------------------------------------- who is learnt from


def test_there_is_no_model_of_too_few_players() -> None:
    features = world(51, 200, matches=(5, 5)).features
    row = only(next_models(features))
    assert (row["players"], row["matches"]) == (200, 1000)
    someone = features.item(0, "player_id")
    assert next_models(features.filter(pl.col("player_id") != someone)).height == 0
    # With one match less the player does not count, nor without a rank.
    first = features.filter(pl.col("player_id") == someone).item(0, "match_id")
    assert next_models(features.filter(pl.col("match_id") != first)).height == 0
    for unknown in (None, 0):
        of_someone = pl.when(pl.col("player_id") == someone).then(pl.lit(unknown, pl.Int32))
        assert next_models(features.with_columns(rank_tier=of_someone.otherwise("rank_tier"))).height == 0


def test_there_is_no_model_of_too_few_ranks() -> None:
    features = world(52, 400, matches=(5, 5)).features
    three = features.with_columns(rank_tier=pl.col("rank_tier") % 3 + 1)
    assert next_models(three).height == 0
    four = features.with_columns(rank_tier=pl.col("rank_tier") % 4 + 1)
    assert next_models(four).height == 1
    learnt = rm.training_rows(planted.profiles_of(three).lazy()).collect()
    one = learnt.with_columns(rank_tier=pl.when(pl.int_range(pl.len()) < 391).then(1).otherwise(2))
    of_ranks = "in Ranked doubles {} 10 players or more; a model of ranks needs 4 of them."
    of_players = "of known rank with 5 matches or more {} known in Ranked doubles; a model of ranks needs 200."
    for known, words in (
        (learnt, "3 ranks " + of_ranks.format("have")),
        (one, "1 rank " + of_ranks.format("has")),
        (learnt.head(64), "64 players " + of_players.format("are")),
        (learnt.head(1), "1 player " + of_players.format("is")),
    ):
        assert rm.too_few(known, PLAYLIST) == words


def test_ranks_with_few_players_are_pooled_with_the_smaller_neighbour() -> None:
    rng = np.random.default_rng(53)
    sizes = {2: 3, 3: 40, 4: 60, 5: 70, 8: 50, 9: 4, 10: 7, 11: 30}
    tiers = np.repeat(list(sizes), list(sizes.values()))
    profiles = planted.true_profiles(rng.standard_normal((len(tiers), len(SHAPES))) + tiers[:, None] / 3, tiers)
    row = only(next_models(world(1, 5).features.clear(), profiles=profiles))
    # 2 has 3 alone, and joins 3; 9 joins 10, which has fewer than 8, and both are 11 players.
    assert row["tiers"] == [2, 4, 5, 8, 9, 11]
    assert row["tier_means"] == pytest.approx([(2 * 3 + 3 * 40) / 43, 4, 5, 8, (9 * 4 + 10 * 7) / 11, 11])
    assert row["tier_edges"] == [1.5, 3.5, 4.5, 6.5, 8.5, 10.5, 11.5]
    assert len(row["thresholds"]) == 5


def test_a_feature_takes_part_that_nine_in_ten_have() -> None:
    features = world(54, 250, matches=(5, 6)).features
    players = features.get_column("player_id").unique().sort()

    def of_first(number: int) -> pl.Expr:
        return pl.when(pl.col("player_id").is_in(players.head(number).implode())).then(
            pl.col("save_share") + pl.col("match_id").str.slice(-4).str.to_integer(base=16) / 1e6
        )

    long = planted.profiles_of(
        features.with_columns(save_share=of_first(224), shot_accuracy=of_first(225), behind_ball_share=pl.lit(0.7))
    )
    row = only(next_models(features, profiles=long))
    assert "save_share" not in row["features"]
    assert "shot_accuracy" in row["features"]
    assert "behind_ball_share" not in row["features"]


# --------------------------------------------------------------------------- versions


def test_the_same_data_add_nothing_in_whatever_order(usual: World, usual_models: pl.DataFrame) -> None:
    assert next_models(usual.features, standing=usual_models).equals(usual_models)
    shuffled = usual.features.sample(fraction=1, shuffle=True, seed=3)
    profiles = usual.profiles.sample(fraction=1, shuffle=True, seed=4)
    assert next_models(shuffled, standing=usual_models, profiles=profiles).equals(usual_models)
    assert_frame_equal(next_models(shuffled, profiles=profiles), usual_models, rel_tol=1e-9)


def test_a_better_version_takes_over_and_both_are_kept(usual: World, usual_models: pl.DataFrame) -> None:
    more = pl.concat([usual.features, later(world(12, 600, name="new").features)])
    models = next_models(more, standing=usual_models)
    assert models.get_column("state").to_list() == ["superseded", "served"]
    assert models.get_column("version").to_list() == [1, 2]
    assert models.head(1).drop("state").equals(usual_models.drop("state"))
    assert rm.served_models(models).keys() == {(False, PLAYLIST)}
    assert rm.served_models(models)[False, PLAYLIST]["version"] == 2
    # Data that were there before add nothing even when another model serves since.
    assert next_models(usual.features, standing=models).equals(models)


def later(features: pl.DataFrame) -> pl.DataFrame:
    """The same matches half a year later."""
    shift = timedelta(days=182)
    return features.with_columns(pl.col("started_at") + shift, pl.col("match_date") + shift)


def test_versions_are_compared_on_players_they_did_not_learn_from(usual: World, usual_models: pl.DataFrame) -> None:
    both = pl.concat([usual.features, later(world(13, 200, name="new").features)])
    row = next_models(both, standing=usual_models).row(1, named=True)
    learnt = rm.training_rows(planted.profiles_of(both).lazy()).collect().sort("player_id")
    models = json.loads(only(usual_models)["fold_models"])
    assert len(models) == rv.FOLDS
    errors = [
        abs(rm.predicted_tier(models[rv.fold_of(each["player_id"])], each) - each["rank_tier"])
        for each in learnt.iter_rows(named=True)
    ]
    assert row["served_mean_error_tiers"] == pytest.approx(fmean(errors))
    own = [abs(each["predicted"] - each["rank_tier"]) for each in rv.cross_validated(learnt).to_dicts()]
    assert row["compared_mean_error_tiers"] == pytest.approx(fmean(own))
    differences = [one - other for one, other in zip(own, errors, strict=True)]
    assert row["served_difference_standard_error"] == pytest.approx(stdev(differences) / math.sqrt(1200))
    assert (row["compared_version"], row["compared_players"]) == (1, 1200)


def noisy(seed: int, players: int, matches: int, *, name: str) -> pl.DataFrame:
    """Profiles after so many matches."""
    rng = np.random.default_rng(seed)
    true = rng.standard_normal((players, len(SHAPES)))
    tiers = np.searchsorted(planted.THRESHOLDS, planted.strengths(true) + rng.logistic(size=players)) + 1
    chance = np.random.default_rng([seed, 0]).standard_normal(true.shape) * planted.WITHIN / math.sqrt(matches)
    return planted.true_profiles(true + chance, tiers, name=name, matches=matches)


def test_a_version_that_kept_no_models_of_parts_is_asked_itself(usual: World, usual_models: pl.DataFrame) -> None:
    old = usual_models.with_columns(fold_models=pl.lit(None, pl.String))
    row = next_models(later_by(usual, 7), standing=old).row(1, named=True)
    learnt = rm.training_rows(planted.profiles_of(later_by(usual, 7)).lazy()).collect()
    errors = [abs(rm.predicted_tier(only(usual_models), each) - each["rank_tier"]) for each in learnt.to_dicts()]
    assert row["served_mean_error_tiers"] == pytest.approx(fmean(errors))


def test_a_candidate_is_compared_with_the_best_that_ever_served() -> None:
    models, no_matches = NO_MODELS, world(1, 5).features.clear()
    # Always fewer players to learn from: each is worse than the one before, within its error.
    for step, size in enumerate((3_000, 1_000, 500)):
        models = next_models(no_matches, profiles=noisy(100 + step, size, 400, name=f"s{step}x"), standing=models)
    assert models.sort("version").get_column("state").to_list() == ["superseded", "served", "refused"]
    assert rm.served_models(models)[False, PLAYLIST]["version"] == 2
    third = models.filter(version=3).row(0, named=True)
    assert third["compared_version"] == 1
    assert third["reason"] == (
        f"On 500 players its mean error is {third['compared_mean_error_tiers']:.3f} ranks and that of version 1, the "
        f"best that has served, {third['served_mean_error_tiers']:.3f}: worse by more than the standard error of the "
        f"difference, {third['served_difference_standard_error']:.3f}."
    )
    assert rv.worse_models(models).height == 0


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"mean_error_tiers": 5.0}, "naming the middle rank"),
        ({"mean_error_tiers": 4.0}, "one feature alone"),
        ({"compared_mean_error_tiers": 3.31}, "the best model that served before"),
        ({"mean_error_tiers": None}, "naming the middle rank"),
    ],
)
def test_a_model_that_serves_and_is_worse_is_found(own: Row, message: str) -> None:
    good: Row = {
        "is_simulated": False, "playlist": PLAYLIST, "version": 2, "state": "served", "training_data_hash": "x",
        "players": 300, "matches": 3000, "mean_error_tiers": 3.0, "majority_mean_error_tiers": 5.0,
        "single_feature_mean_error_tiers": 4.0, "compared_mean_error_tiers": 3.2, "served_mean_error_tiers": 3.1,
        "served_difference_standard_error": 0.2,
    }  # fmt: skip
    assert rv.worse_models(rows(t.RankModels, good)).height == 0
    found = rv.worse_models(rows(t.RankModels, good | own))
    assert found.height
    assert message in found.item(0, "reason")
    assert found.item(0, "version") == 2
    for state in ("refused", "superseded"):
        assert rv.worse_models(rows(t.RankModels, good | own | {"state": state})).height == 0


# --------------------------------------------------------------------------- over time


def test_the_spread_between_matches_and_of_slopes_is_recovered() -> None:
    rng = np.random.default_rng(61)
    slopes = rng.normal(0, 0.02, 1500)
    steady = only(next_models(world(62, 1500, matches=(40, 60), days=85).features))
    moving = only(next_models(world(62, 1500, matches=(40, 60), days=85, slopes=slopes).features))
    for row in (steady, moving):
        # In strength for a standard deviation of each feature between players.
        worth = [
            value / spread * SHAPES[name][1]
            for name, value, spread in zip(row["features"], row["coefficients"], row["spreads"], strict=True)
        ]
        planted_slopes = float(np.std(slopes)) * worth[0] if row is moving else 0.0
        drift = planted_slopes**2 * 85**2 / 12
        shown = planted.WITHIN**2 * sum(each**2 for each in worth)
        assert row["strength_within_spread"] == pytest.approx(math.sqrt(shown + drift), rel=0.02)
        assert row["form_players"] == 1500
        assert row["slope_spread_per_day"] == pytest.approx(planted_slopes, abs=0.003)


def training(world_: World, hours: dict[str, list[float]]) -> pl.DataFrame:
    """Sessions in the middle of the time: of each player some, of so many hours."""
    middle = planted.FIRST_DAY + timedelta(days=60)
    return sessions_of(
        *(
            (player, middle + timedelta(minutes=number), each)
            for player, all_hours in hours.items()
            for number, each in enumerate(all_hours)
        )
    )


def test_what_an_hour_of_training_went_with_is_recovered() -> None:
    rng = np.random.default_rng(64)
    errors, estimates = [], []
    effect = 0.15
    for seed in range(2):
        hours = np.where(np.arange(700) < 100, rng.integers(1, 15, 700), 0).astype(float)
        common = 0.01
        known = world(70 + seed, 700, matches=(40, 60), gains=effect * hours, slopes=np.full(700, common))
        sessions = training(known, {known.players[at]: [hours[at] / 2] * 2 for at in np.flatnonzero(hours)})
        row = only(next_models(known.features, sessions=sessions))
        assert row["training_players"] == 100
        assert row["form_players"] == 600
        eta = planted.strengths(known.true)
        step = 0.01 * planted.COEFFICIENTS[0]
        true_slope = fmean((planted.expected(eta + step) - planted.expected(eta - step)) / 0.02)
        # In ranks for a standard deviation of the feature, at the players' places.
        estimates.append(row["training_effect_tiers_per_hour"] / (effect * true_slope))
        errors.append(row["training_effect_standard_error"] / (effect * true_slope))
    assert max(errors) < 0.3
    assert fmean(estimates) == pytest.approx(1, abs=2 * math.hypot(*errors) / 2)


def test_training_of_too_few_players_is_worth_nothing_that_is_known() -> None:
    known = world(81, 250)
    for trained in (29, 30):
        sessions = training(known, {each: [3.0] for each in known.players[:trained]})
        row = only(next_models(known.features, sessions=sessions))
        assert row["training_players"] == trained
        for name in ("training_effect_tiers_per_hour", "training_effect_standard_error"):
            assert (row[name] is None) == (trained == 29)


def later_by(usual: World, days: int) -> pl.DataFrame:
    """The same matches, and the first of them played once more so many days after the last."""
    features = usual.features
    ended, first = features.get_column("match_date").max(), features.row(0, named=True)
    moved = {
        "match_id": "F" * 32,
        "match_date": ended + timedelta(days=days),
        "started_at": first["started_at"] + timedelta(days=days) + (ended - first["match_date"]),
    }
    return pl.concat([features, pl.DataFrame([first | moved], schema=features.schema)])


def shorter(usual: World, share: float) -> pl.DataFrame:
    """A share of each player's matches."""
    return usual.features.filter(pl.int_range(pl.len()).over("player_id") < share * pl.len().over("player_id"))


@pytest.mark.parametrize(
    ("change", "by", "versions"), [(later_by, 6, 1), (later_by, 7, 2), (shorter, 0.95, 1), (shorter, 0.85, 2)]
)
def test_a_version_is_trained_after_a_week_or_a_tenth_more_or_fewer_matches(
    usual: World, usual_models: pl.DataFrame, change: Callable[[World, Any], pl.DataFrame], by: float, versions: int
) -> None:
    models = next_models(change(usual, by), standing=usual_models)
    assert models.height == versions
    assert models.filter(version=1).drop("state").equals(usual_models.drop("state"))


def test_hours_count_for_the_matches_after_them() -> None:
    known = world(82, 2, matches=(12, 12))
    one = {"features": ["boost_per_minute"], "means": [380.0], "spreads": [25.0], "coefficients": [2.0]}
    model = some_model() | one
    sessions = training(known, {known.players[0]: [1.5, 2.0]})
    shown = strengths.match_strengths(model, known.features.lazy(), sessions.lazy()).collect()
    own = known.features.sort("player_id", "started_at").to_dicts()
    played = defaultdict(list)
    for match in own:
        played[match["player_id"]].append(match["played_s"])
    for row, match in zip(shown.sort("player_id", "started_at").to_dicts(), own, strict=True):
        assert row["strength"] == pytest.approx((match["boost_per_minute"] - 380) / 25 * 2)
        assert row["weight"] == pytest.approx(match["played_s"] / fmean(played[match["player_id"]]))
        is_after = match["started_at"] > planted.FIRST_DAY + timedelta(days=60, minutes=1)
        assert row["hours"] == (3.5 if is_after and match["player_id"] == known.players[0] else 0.0)


def test_a_feature_unknown_in_a_match_stands_at_the_players_mean() -> None:
    known = world(83, 3, matches=(10, 10)).features
    gone = known.with_columns(
        boost_per_minute=pl.when(pl.int_range(pl.len()).over("player_id") > 3).then("boost_per_minute")
    )
    model = some_model() | {
        "features": ["boost_per_minute", "save_share"],
        "means": [380.0, 0.5],
        "spreads": [25.0, 0.02],
    }
    shown = strengths.match_strengths(model, gone.lazy(), NO_SESSIONS.lazy()).collect()
    for (player,), of_player in shown.group_by("player_id"):
        own = gone.filter(pl.col("player_id") == player)
        means = {name: own.get_column(name).mean() for name in model["features"]}
        assert of_player.get_column("strength").mean() == pytest.approx(planted.strength(model, means))  # type: ignore[arg-type]


def test_a_part_without_a_usable_feature_is_predicted_by_ranks_alone() -> None:
    known = world(84, 250, matches=(5, 6))
    learnt = rm.training_rows(known.profiles.lazy()).collect().sort("player_id")
    folds = [rv.fold_of(player) for player in learnt.get_column("player_id")]
    # Known of all in one part, and of 88 in 100 in the other four.
    number = pl.int_range(pl.len()) % 100
    is_known = pl.Series(folds).eq(0).to_frame("is_known").select(pl.col("is_known") | (number < 88)).to_series()
    feature = pl.when(is_known).then("save_share").alias("save_share")
    others = [pl.lit(None, pl.Float64).alias(name) for name in SHAPES if name != "save_share"]
    validated = rv.cross_validated(learnt.with_columns(feature, *others))
    of_first = validated.filter(pl.col("fold") == 0)
    assert of_first.get_column("predicted").n_unique() == 1
    assert of_first.get_column("by_single").equals(of_first.get_column("predicted"))
    assert validated.filter(pl.col("fold") == 1).get_column("predicted").n_unique() > 10


def test_withheld_players_are_not_learnt_from(usual: World) -> None:
    who = [*usual.features["player_id"].unique().sort()[:50]]
    withheld = rows(t.Withheld, *({"player_id": each, "purpose": "models"} for each in who))
    row = only(next_models(usual.features, withheld=withheld))
    others = only(next_models(usual.features.filter(~pl.col("player_id").is_in(who))))
    assert row == others, "as if they had never played"
