"""Correlations: against SciPy pair by pair, against the textbook, and by simulation of players in matches."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from gamestats_assets.lol.statistics.arrays.correlations import correlations, partial_spearman

Floats = npt.NDArray[np.float64]
ROWS = 20_000
"""More than are worked on at once, and no multiple of it."""


def variables(seed: int, rows: int = ROWS) -> Floats:
    """Eight variables that go together more or less: of a bell, skewed, of few whole numbers, far from nought."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=rows)
    columns = [shared * share + random.normal(size=rows) for share in (0, 0.3, -0.6, 1, 2)]
    columns += [np.floor(np.exp(columns[1])), 1e6 + columns[2], np.where(columns[3] > 1, 0.0, -0.0) + (columns[0] > 0)]
    return np.column_stack(columns)


def test_what_has_no_spread_has_no_correlation() -> None:
    random = np.random.default_rng(5)
    values = random.normal(size=(9_000, 5))
    values[:, 0] = 0.1
    values[:, 1] = np.nan
    values[:, 2] = np.where(np.arange(9_000) < 4_000, 12.7, values[:, 2])
    values[4_000:, 3] = np.nan
    result = correlations(values)
    for matrix in (result.pearson, result.pearson_p, result.spearman, result.spearman_p):
        assert np.isnan(matrix[:2]).all()
        # Where the fourth is known, the third stands still.
        assert np.isnan(matrix[2, 3])
        assert np.isfinite(matrix[[2, 3], 4]).all()
    assert result.n[2].tolist() == [9_000, 0, 9_000, 4_000, 9_000]


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_rows_have_no_p_value(rows: int) -> None:
    result = correlations(np.arange(2.0 * rows).reshape(rows, 2) ** 2)
    assert result.pearson.shape == (2, 2)
    assert math.isnan(result.pearson[0, 1]) == (rows < 2)
    assert math.isnan(result.pearson_p[0, 1]) == (rows < 3)


# --------------------------------------------------------------------------- partial correlations


def test_the_error_is_that_of_leaving_out_one_match_at_a_time() -> None:
    random = np.random.default_rng(13)
    codes = np.repeat(np.arange(150), random.integers(1, 4, 150))
    match = random.normal(size=150)[codes]
    z = random.normal(size=codes.size) + match
    x, y = z + match + random.normal(size=codes.size), np.round(z - match + random.normal(size=codes.size))
    result = partial_spearman(x, y, z, codes)
    others = [codes != k for k in range(150)]
    without = np.array([partial_spearman(x[of], y[of], z[of]).coefficient for of in others])
    jackknife = math.sqrt(149 / 150 * ((without - without.mean()) ** 2).sum())
    assert result.standard_error == pytest.approx(jackknife, rel=0.06)
    assert result.clusters == 150


@pytest.mark.parametrize("clustered", [True, False])
def test_the_interval_covers_when_two_players_of_a_match_mirror_each_other(clustered: bool) -> None:
    random, reps, matches = np.random.default_rng(14), 500, 150

    def drawn(count: int) -> tuple[Floats, Floats, Floats]:
        """Two players of each match, one after the other: opposite in x, alike in y at equal length of the game."""
        minutes, x, shared = random.normal(size=count), random.normal(size=count), random.normal(size=count)
        both = np.repeat(minutes, 2), np.repeat(x, 2) * np.tile([1, -1], count), np.repeat(shared, 2)
        y = 0.8 * both[0] + 0.5 * both[1] + both[2] + 0.5 * random.normal(size=2 * count)
        return np.exp(both[1] + 0.4 * both[0]), y, both[0]

    truth = partial_spearman(*drawn(300_000)).coefficient
    codes = np.repeat(np.arange(matches), 2) if clustered else None
    result = [partial_spearman(*drawn(matches), codes) for _ in range(reps)]
    hits = sum(each.low <= truth <= each.high for each in result)
    assert truth > 0.3
    if clustered:
        assert stats.binomtest(hits, reps, 0.95).pvalue > 0.001
        spread = np.std([each.coefficient for each in result])
        assert np.mean([each.standard_error for each in result]) == pytest.approx(spread, rel=0.1)
    else:
        # Who takes the players for independent is far too sure, or far too unsure.
        assert stats.binomtest(hits, reps, 0.95).pvalue < 0.001


def test_rows_that_lack_a_number_are_left_out() -> None:
    values = variables(16, 400)
    whole = partial_spearman(values[50:, 2], values[50:, 3], values[50:, 0], np.arange(350))
    values[:20, 2], values[20:40, 3], values[40:50, 0] = np.nan, np.inf, np.nan
    result = partial_spearman(values[:, 2], values[:, 3], values[:, 0], np.arange(400))
    assert result == whole
    assert (result.rows, result.clusters) == (350, 350)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(([], []), id="no rows"),
        pytest.param(([1.0], [2.0]), id="one row"),
        pytest.param(([1.0, 1, 1, 1], [1.0, 2, 3, 4]), id="no spread"),
        pytest.param(([1.0, 3, 2, 4], [1.0, 2, 3, 4], [1.0, 3, 2, 4]), id="the control is the variable"),
    ],
)
def test_what_cannot_be_told_is_not_a_number(given: tuple) -> None:
    result = partial_spearman(*given)
    assert np.isnan([result.coefficient, result.standard_error, result.low, result.high, result.p_value]).all()
