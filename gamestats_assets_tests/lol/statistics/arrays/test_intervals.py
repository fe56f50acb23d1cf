"""Intervals of rates, means and medians: against other implementations, exact binomial sums, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from gamestats_assets.lol.statistics.arrays.intervals import (
    FEWEST_RESAMPLED,
    mean_interval,
    median_intervals,
    skewed_mean_intervals,
    wilson,
)


def test_a_rate_of_no_games_has_no_interval_and_a_sure_one_ends_at_its_end() -> None:
    result = wilson([0, 0, 4], [0, 4, 4])
    assert np.isnan([result.low[0], result.high[0]]).all()
    assert (result.low[1], result.high[2]) == (0.0, 1.0)
    assert 0 < result.high[1] < 1 > result.low[2] > 0


def test_a_mean_of_one_value_or_none_has_no_interval() -> None:
    result = skewed_mean_intervals([math.nan, 3.0], [math.nan, math.nan], [0.0, 0.0], [0, 1])
    assert np.isnan([result.low, result.high]).all()


def test_no_groups_and_only_empty_groups_have_no_median() -> None:
    assert median_intervals([], [0]).median.size == 0
    assert np.isnan(median_intervals([], [0, 0]).median).all()


def test_the_resampled_interval_covers_a_skewed_mean_better_than_students() -> None:
    reps, mean = 400, math.exp(0.5)
    values = np.random.default_rng(3).lognormal(0, 1, (reps, 20))
    result = [mean_interval(each) for each in values]
    assert {each.method for each in result} == {"bootstrap t"}
    resampled = sum(each.low <= mean <= each.high for each in result)
    low, high = stats.t.interval(0.95, 19, values.mean(axis=1), stats.sem(values, axis=1))
    assert resampled > 0.9 * reps
    assert resampled > int(((low <= mean) & (mean <= high)).sum()) + 0.02 * reps


@pytest.mark.parametrize("sign", [1, -1])
def test_transformed_intervals_cover_a_skewed_mean_better_than_students(sign: int) -> None:
    values = sign * np.random.default_rng(9).exponential(1, (10_000, 20))
    mean, spread = values.mean(axis=1), values.std(axis=1, ddof=1)
    result = skewed_mean_intervals(mean, spread, stats.skew(values, axis=1, bias=False), np.full(10_000, 20))
    half = stats.t.ppf(0.975, 19) * spread / math.sqrt(20)
    covered = ((result.low <= sign) & (sign <= result.high)).mean()
    assert covered == pytest.approx(0.95, abs=0.01)
    assert covered > ((mean - half <= sign) & (sign <= mean + half)).mean() + 0.02
    # The longer end is on the side of the rare far values.
    assert (((result.high - mean) > (mean - result.low)).mean() > 0.95) == (sign == 1)


def test_matches_of_several_sizes_have_a_cluster_robust_error() -> None:
    random = np.random.default_rng(7)
    codes = np.repeat(random.permutation(2_000), random.integers(1, 6, 2_000))
    values = random.exponential(500, codes.size) + random.normal(0, 90, 2_000)[codes]
    result = mean_interval(values, codes)
    fitted = OLS(values, np.ones((values.size, 1))).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    assert result.method == "t"
    np.testing.assert_allclose((result.low, result.high), fitted.conf_int()[0], rtol=1e-9)
    np.testing.assert_allclose(result.mean, values.mean())


def test_a_mean_of_very_many_values_has_students_interval() -> None:
    values = np.random.default_rng(8).lognormal(6, 1, 1_000_000)
    result = mean_interval(values)
    expected = stats.t.interval(0.95, values.size - 1, values.mean(), stats.sem(values))
    np.testing.assert_allclose((result.low, result.high), expected, rtol=1e-9)
    assert result.method == "t"


def test_few_values_have_students_interval_and_one_has_none() -> None:
    result = mean_interval([1.0, 3.0])
    np.testing.assert_allclose((result.low, result.high), stats.t.interval(0.95, 1, 2, 1))
    assert mean_interval(np.arange(FEWEST_RESAMPLED - 1.0)).method == "t"
    assert mean_interval(np.arange(FEWEST_RESAMPLED * 1.0)).method == "bootstrap t"
    one, none = mean_interval([5.0]), mean_interval([])
    np.testing.assert_equal((one.mean, one.low, one.high), (5.0, math.nan, math.nan))
    np.testing.assert_equal((none.mean, none.low, none.high), (math.nan, math.nan, math.nan))


def test_values_whose_resamples_have_no_spread_have_students_interval() -> None:
    values = np.zeros(20)
    same = mean_interval(values + 4)
    assert (same.low, same.high, same.method) == (4.0, 4.0, "t")
    values[3] = 1
    result = mean_interval(values)
    np.testing.assert_allclose((result.low, result.high), stats.t.interval(0.95, 19, 0.05, stats.sem(values)))
