"""Regressions: against statsmodels, exact where it is exact; and what they find in games whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from statsmodels.api import OLS, WLS, Logit

from gamestats_assets.lol.statistics.arrays.regressions import (
    Comparisons,
    Reason,
    Within,
    basis,
    compare,
    compare_within,
    regression,
)

Floats = npt.NDArray[np.float64]


def rate(logit: Floats) -> Floats:
    return 1 / (1 + np.exp(-logit))


def played(seed: int, matches: int = 700) -> tuple[Floats, npt.NDArray[np.bool_], Floats, npt.NDArray[np.int64]]:
    """Design with a constant, wins, damage and matches of one to five rows, in no order; a match's rows are alike."""
    random = np.random.default_rng(seed)
    codes = np.repeat(random.permutation(matches) * 3, random.integers(1, 6, matches))
    codes = random.permutation(codes)
    shared = random.normal(size=3 * matches)[codes]
    gold = random.normal(0, 2_500, codes.size) + 1_500 * shared
    minutes = random.uniform(8, 40, codes.size)
    chosen = random.random(codes.size) < rate(gold / 3_000)
    won = random.random(codes.size) < rate(gold / 2_500 + 0.3 * chosen + shared)
    damage = 600 + gold / 20 + 40 * chosen + 90 * shared + random.gamma(2, 80, codes.size)
    return np.column_stack([np.ones(codes.size), gold, minutes, chosen.astype(float)]), won, damage, codes


# --------------------------------------------------------------------------- against statsmodels


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda x, y: (x, np.ones(y.size, dtype=bool)), Reason.NO_VARIATION, id="all won"),
        pytest.param(lambda x, y: (np.column_stack([x, x[:, 1] * 2]), y), Reason.SINGULAR, id="a column twice"),
        pytest.param(lambda x, y: (np.column_stack([x, x[:, 1] * 0]), y), Reason.SINGULAR, id="a column of nought"),
        pytest.param(lambda x, y: (x, x[:, 1] > 0), Reason.SEPARATED, id="who is ahead wins"),
        pytest.param(lambda x, y: (np.column_stack([x, y & (x[:, 1] > 0)]), y), Reason.SEPARATED, id="only in wins"),
        pytest.param(lambda x, y: (x[:4], y[:4]), Reason.FEW_CLUSTERS, id="no more rows than columns"),
    ],
)
def test_what_cannot_be_fitted_says_why(spoil: Callable, reason: Reason) -> None:
    x, won, _, codes = played(4)
    x, won = spoil(x, won)
    result = regression(x, won, codes[: won.size], family="logistic")
    assert result.reason == reason
    assert np.isnan(result.coefficients).all()
    assert np.isnan(result.covariance).all()
    assert np.isnan(result.p_values).all()
    assert math.isnan(result.r_squared)


# --------------------------------------------------------------------------- the basis


def test_the_basis_is_uncorrelated_and_spans_the_covariates_and_their_product() -> None:
    random = np.random.default_rng(6)
    state = np.column_stack([random.normal(300, 2_500, 3_000), random.uniform(8, 40, 3_000)])
    result = basis(state)
    assert result.shape == (3_000, 6 + 2 + 1)
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(result.T @ result / len(result), np.eye(9), atol=1e-6)
    wanted = np.column_stack([state, state[:, 0] * state[:, 1]])
    design = np.column_stack([np.ones(3_000), result])
    left = wanted - design @ np.linalg.lstsq(design, wanted)[0]
    np.testing.assert_allclose(left.std(axis=0) / wanted.std(axis=0), 0, atol=1e-6)


def test_the_basis_follows_a_curve_and_is_linear_beyond_its_knots() -> None:
    gold = np.linspace(-6_000, 6_000, 4_001)
    design = np.column_stack([np.ones(gold.size), basis(gold[:, None])])
    curve = np.tanh(gold / 2_000)
    fitted = design @ np.linalg.lstsq(design, curve)[0]
    assert np.abs(fitted - curve).max() < 0.02
    ends = np.concatenate([np.diff(fitted[:200], 2), np.diff(fitted[-200:], 2)])
    np.testing.assert_allclose(ends, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        pytest.param(lambda gold: [gold * 0 + 7], 0, id="constant"),
        pytest.param(lambda gold: [gold > 0], 1, id="of two values"),
        pytest.param(lambda gold: [gold, gold * 0 + 7], 6, id="one constant"),
        pytest.param(lambda gold: [gold > 0, gold > 0], 1, id="twice the same"),
        pytest.param(lambda gold: [gold, gold > 0], 6 + 1 + 1, id="a number and two values"),
    ],
)
def test_the_basis_drops_what_follows_from_the_rest(columns: Callable, width: int) -> None:
    gold = np.random.default_rng(7).normal(0, 2_500, 500)
    assert basis(np.column_stack(columns(gold))).shape == (500, width)


# --------------------------------------------------------------------------- comparisons of choices


def cell(
    random: np.random.Generator,
    games: int,
    effect: float = 0.0,
    share: float = 0.5,
    base: float = 0.5,
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Games whose choice (1, or -1 for none) and result both hang on the gold difference, each in its own bent way;
    `effect` in logits."""
    minutes = random.uniform(12, 35, games)
    gold = random.normal(size=games) * (400 + 130 * minutes)
    ahead = gold / 3_500
    chosen = random.random(games) < rate(1.5 * np.tanh(2 * ahead) + 0.3 * ahead**3 + math.log(share / (1 - share)))
    won = random.random(games) < rate(1.6 * np.tanh(1.5 * ahead) + math.log(base / (1 - base)) + effect * chosen)
    return np.where(chosen, 1, -1), np.column_stack([gold, minutes]), won, np.arange(games)


def of(given: Comparisons, choice: int) -> dict[str, float]:
    """One choice's entry."""
    (index,) = np.flatnonzero(given.choice == choice)
    return {name: float(of[index]) for name, of in vars(given).items() if name != "left_out"}


def test_a_comparison_is_the_average_marginal_effect_of_statsmodels() -> None:
    random = np.random.default_rng(10)
    choice, state, won, _ = cell(random, 2_500, effect=0.4)
    choice = np.where(random.random(2_500) < 0.3, 2, np.maximum(choice, 0))
    codes = random.integers(0, 900, 2_500)
    result = compare(choice, state, won, codes, minimum=100)
    assert result.choice.tolist() == [0, 1, 2]
    for code in (0, 1, 2):
        found, arm = of(result, code), choice == code
        x = np.column_stack([np.ones(2_500), basis(state), arm])
        fitted = Logit(won.astype(float), x).fit(
            disp=0, tol=1e-12, maxiter=100, cov_type="cluster", cov_kwds={"groups": codes}
        )
        marginal = fitted.get_margeff(dummy=True)
        assert found["effect"] == pytest.approx(marginal.margeff[-1], rel=1e-6)
        assert found["standard_error"] == pytest.approx(marginal.margeff_se[-1], rel=1e-6)
        assert found["odds_ratio"] == pytest.approx(math.exp(fitted.params[-1]), rel=1e-6)
        # The Wald test of the coefficient; the reference is t instead of the normal distribution.
        assert found["p_value"] == pytest.approx(fitted.pvalues[-1], rel=0.05, abs=1e-4)
        assert (found["games"], found["games_rest"]) == (arm.sum(), 2_500 - arm.sum())
        assert found["mean"] == pytest.approx(won[arm].mean())
        assert found["mean_rest"] == pytest.approx(won[~arm].mean())
        assert found["naive_effect"] == pytest.approx(won[arm].mean() - won[~arm].mean())


def test_a_comparison_of_numbers_is_the_coefficient_of_statsmodels() -> None:
    random = np.random.default_rng(11)
    choice, state, _, _ = cell(random, 2_000)
    codes = random.integers(0, 700, 2_000)
    damage = 600 + state[:, 0] / 30 + 25 * (choice == 1) + random.gamma(2, 80, 2_000)
    found = of(compare(choice, state, damage, codes, minimum=100), 1)
    x = np.column_stack([np.ones(2_000), basis(state), choice == 1])
    fitted = OLS(damage, x).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    assert found["effect"] == pytest.approx(fitted.params[-1], rel=1e-8)
    assert found["standard_error"] == pytest.approx(fitted.bse[-1], rel=1e-8)
    assert found["p_value"] == pytest.approx(fitted.pvalues[-1], rel=0.05, abs=1e-4)
    np.testing.assert_allclose((found["low"], found["high"]), fitted.conf_int()[-1], rtol=0.01)
    assert math.isnan(found["odds_ratio"])


def test_an_interval_excludes_nought_exactly_when_the_p_value_is_low() -> None:
    random = np.random.default_rng(12)
    within = []
    for effect in np.linspace(0, 0.8, 60):
        choice, state, won, codes = cell(random, 600, effect, share=0.3)
        result = compare(choice, state, won if effect < 0.4 else won + random.normal(size=600), codes, 50, level=0.9)
        within += list(zip((result.low <= 0) & (result.high >= 0), result.p_value >= 0.1, strict=True))
        assert ((result.low < result.effect) & (result.effect < result.high)).all()
    assert all(holds == high for holds, high in within)
    assert len(set(within)) == 2


@pytest.mark.parametrize(("base", "rest"), [(0.3, 600), (0.5, 100), (0.7, 300)])
def test_in_arms_of_a_hundred_games_false_finds_are_as_many_as_they_are_said_to_be(base: float, rest: int) -> None:
    random, reps = np.random.default_rng(int(base * 10)), 900
    p = []
    for _ in range(reps):
        result = compare(*cell(random, 100 + rest, share=100 / (100 + rest), base=base), minimum=60)
        p.append(of(result, 1)["p_value"])
    below = [int((np.array(p) < level).sum()) for level in (0.05, 0.001)]
    assert stats.binom.ppf(0.0005, reps, 0.04) <= below[0] <= stats.binom.ppf(0.9995, reps, 0.05)
    assert below[1] <= stats.binom.ppf(0.9995, reps, 0.001)


def test_only_choices_with_support_in_both_arms_are_compared() -> None:
    random = np.random.default_rng(17)
    choice = np.repeat([3, 5, 9, -1], [400, 99, 100, 50])
    state, won = random.normal(size=(649, 2)), random.random(649) < 0.5
    result = compare(choice, state, won, np.arange(649), minimum=100)
    assert result.choice.tolist() == [3, 9]
    assert result.games.tolist() == [400, 100]
    assert result.games_rest.tolist() == [249, 549]
    assert compare(choice, state, won, np.arange(649), minimum=300).choice.tolist() == []
    assert compare(choice[:400], state[:400], won[:400], np.arange(400), minimum=0).choice.tolist() == []
    assert compare([], np.empty((0, 2)), np.empty(0, dtype=bool), [], minimum=0).choice.tolist() == []


def test_a_row_whose_state_is_unknown_is_left_out_and_counted() -> None:
    choice, state, won, codes = cell(np.random.default_rng(18), 1_000, effect=0.5)
    whole = compare(choice[10:], state[10:], won[10:], codes[10:], minimum=100)
    state[:5, 0], state[5:10, 1] = np.nan, np.inf
    result = compare(choice, state, won, codes, minimum=100)
    assert (result.left_out, whole.left_out) == (10, 0)
    np.testing.assert_allclose(result.effect, whole.effect)
    np.testing.assert_array_equal(result.games, whole.games)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda c, s, w, m: (c, s, w & (c == -1), m), Reason.SEPARATED, id="the choice never wins"),
        pytest.param(lambda c, s, w, m: (c, s, w | (c == -1), m), Reason.SEPARATED, id="the rest never loses"),
        pytest.param(lambda c, s, w, m: (c, s, w & False, m), Reason.NO_VARIATION, id="nobody wins"),
        pytest.param(lambda c, s, w, m: (c, s, s[:, 0] > 0, m), Reason.SEPARATED, id="who is ahead wins"),
        pytest.param(lambda c, s, w, m: (c, s, w * 0.0 + 3, m), Reason.NO_VARIATION, id="always the same damage"),
        pytest.param(lambda c, s, w, m: (c, (c == 1)[:, None], w, m), Reason.SINGULAR, id="the state is the choice"),
        pytest.param(lambda c, s, w, m: (c, (c == 1)[:, None], w * 9.0, m), Reason.SINGULAR, id="it is, of damage"),
        pytest.param(lambda c, s, w, m: (c, s, w, np.where(c == 1, m % 9, m)), Reason.FEW_CLUSTERS, id="nine matches"),
        pytest.param(lambda c, s, w, m: (c, s * 0, w, m), Reason.FITTED, id="the state never changes"),
    ],
)
def test_a_choice_that_cannot_be_compared_says_why(spoil: Callable, reason: Reason) -> None:
    choice, state, won, codes = spoil(*cell(np.random.default_rng(20), 800))
    result = of(compare(choice, state, won, codes, minimum=50), 1)
    assert result["reason"] == reason
    assert math.isnan(result["effect"]) == math.isnan(result["p_value"]) == (reason != Reason.FITTED)
    assert result["naive_effect"] == pytest.approx(np.mean(won[choice == 1]) - np.mean(won[choice == -1]))


# --------------------------------------------------------------------------- within strata


def test_a_difference_within_strata_is_that_of_an_intercept_for_each() -> None:
    x, won, damage, codes = played(5)
    strata = np.random.default_rng(6).integers(0, 9, codes.size)
    chosen, state = x[:, 3], x[:, 1:3]
    dummies = (strata[:, None] == np.arange(9)).astype(float)
    # The untreated of a stratum weigh as much as its treated.
    of_stratum = [(np.sum(chosen[strata == each] > 0), np.sum(chosen[strata == each] == 0)) for each in range(9)]
    weights = np.array([1 if arm else np.divide(*of_stratum[each]) for arm, each in zip(chosen, strata, strict=True)])
    for outcome in (damage + 100 * strata, won.astype(float)):
        result = compare_within(chosen, state, outcome, codes, strata, fewest_per_coefficient=10)
        design = np.column_stack([chosen, basis(state), dummies])
        fitted = WLS(outcome, design, weights).fit()
        assert isinstance(result, Within)
        assert result.effect == pytest.approx(fitted.params[0], rel=1e-6)
        # The sandwich by match, of residuals as long as the errors are: with as many degrees of freedom as there are
        # matches that tell something.
        left = WLS(chosen, design[:, 1:], weights).fit().resid
        information = np.bincount(codes, (weights * left) ** 2)
        freedom = information.sum() ** 2 / (information @ information) - 1
        taken = design @ np.linalg.inv(design.T @ (weights[:, None] * design)) @ (design.T * weights)
        kept = np.square(np.eye(codes.size) - taken).sum(axis=1)
        scores = np.bincount(codes, weights * left * fitted.resid / np.sqrt(kept))
        count = len(np.unique(codes))
        variance = scores @ scores * count / (count - 1)
        error = np.sqrt(variance) / (weights @ left**2)
        half = stats.t.ppf(0.975, freedom) * error
        assert (result.low, result.high) == pytest.approx((result.effect - half, result.effect + half), rel=1e-6)
        assert result.p_value == pytest.approx(2 * stats.t.sf(abs(fitted.params[0] / error), freedom), rel=1e-5)


@pytest.mark.parametrize(("of_rest", "sets"), [(1, 600), (10, 600)])
def test_of_strata_with_one_treated_row_intervals_cover_what_they_say(of_rest: int, sets: int) -> None:
    random, covered = np.random.default_rng(of_rest), 0
    strata = np.repeat(np.arange(60), 1 + of_rest)
    treated = np.tile([True, *[False] * of_rest], 60)
    for _ in range(sets):
        outcome = random.normal(0, 1, 60)[strata] + random.normal(0, 1, strata.size)
        state = random.normal(0, 1, (strata.size, 1))
        result = compare_within(treated, state, outcome, np.arange(strata.size), strata, fewest_per_coefficient=10)
        assert isinstance(result, Within)
        covered += result.low <= 0 <= result.high
    # Within three Monte Carlo errors.
    assert abs(covered / sets - 0.95) < 3 * math.sqrt(0.95 * 0.05 / sets)


def test_a_difference_within_strata_that_cannot_be_told_has_its_reason() -> None:
    x, _, damage, codes = played(7, matches=60)
    chosen, strata = x[:, 3], np.zeros(codes.size, dtype=np.int64)
    for arm, state, outcome, reason in (
        (strata == 0, x[:, 1:3], damage, Reason.FEW_CLUSTERS),
        (chosen, np.column_stack([x[:, 1], chosen]), damage, Reason.SINGULAR),
        (chosen, x[:, 1:3], damage * 0 + 7, Reason.NO_VARIATION),
    ):
        assert compare_within(arm, state, outcome, codes, strata, fewest_per_coefficient=0) is reason


def test_a_stratum_counts_by_its_treated_and_one_with_one_arm_tells_nothing() -> None:
    random = np.random.default_rng(3)
    # Three strata: most are treated in the first, few in the second, all in the third.
    strata = np.repeat([0, 1, 2], 4_000)
    treated = random.random(12_000) < np.array([0.9, 0.1, 1.0])[strata]
    effect = np.array([50.0, 10.0, 500.0])[strata]
    outcome = 100.0 * strata + effect * treated + random.normal(0, 20, 12_000)
    of_first, of_second = treated[strata == 0].sum(), treated[strata == 1].sum()
    expected = (50 * of_first + 10 * of_second) / (of_first + of_second)
    state = random.normal(0, 1, (12_000, 1))
    result = compare_within(treated, state, outcome, np.arange(12_000), strata, fewest_per_coefficient=10)
    assert isinstance(result, Within)
    assert result.low < expected < result.high
    assert result.high - result.low < 5
    without = strata < 2
    same = compare_within(
        treated[without], state[without], outcome[without], np.arange(8_000), strata[without], fewest_per_coefficient=10
    )
    assert same == result
