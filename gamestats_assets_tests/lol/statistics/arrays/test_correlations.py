"""Correlations: against SciPy pair by pair, against the textbook, and by simulation of players in matches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from gamestats_assets.lol.statistics.arrays import correlations as module
from gamestats_assets.lol.statistics.arrays.correlations import Correlations, correlations, partial_spearman
from gamestats_assets_tests.benchmarks import lol_correlations

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


def scipys(kind: Callable[..., Any], x: Floats, y: Floats) -> tuple[float, float]:
    """Coefficient and p-value."""
    result = kind(x, y)
    return float(result.statistic), float(result.pvalue)


def pairs(values: Floats) -> list[tuple[int, int]]:
    return [(i, j) for i in range(values.shape[1]) for j in range(i)]


@pytest.mark.parametrize("kind", ["rows together", "columns together", "float32"])
def test_with_nothing_missing_every_pair_is_scipys(kind: str) -> None:
    values = variables(1, 3_000)
    given = {
        "rows together": np.ascontiguousarray(values),
        "columns together": np.asfortranarray(values),
        "float32": values.astype(np.float32),
    }[kind]
    told, values = correlations(given), given.astype(float)
    assert (told.n == 3_000).all()
    for i, j in pairs(values):
        r, p = scipys(stats.pearsonr, values[:, i], values[:, j])
        assert told.pearson[i, j] == pytest.approx(r, abs=1e-9)
        assert told.pearson_p[i, j] == pytest.approx(p, rel=1e-6, abs=1e-12)
        r, p = scipys(stats.spearmanr, values[:, i], values[:, j])
        assert told.spearman[i, j] == pytest.approx(r, abs=1e-9)
        assert told.spearman_p[i, j] == pytest.approx(p, rel=1e-6, abs=1e-12)


def test_matrices_are_symmetric_with_ones_on_the_diagonal() -> None:
    values = variables(2)
    values[::3, 1] = np.nan
    told = correlations(values)
    for matrix in (told.n, told.pearson, told.pearson_p, told.spearman, told.spearman_p):
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    np.testing.assert_array_equal(np.diagonal(told.pearson), 1)
    np.testing.assert_array_equal(np.diagonal(told.spearman), 1)


def test_a_pair_with_missing_values_is_of_its_common_rows() -> None:
    values, random = variables(3), np.random.default_rng(4)
    # What is missing hangs on the value, and one variable is known in the last rows only.
    values[values[:, 1] > 0.5, 1] = np.nan
    values[random.random(ROWS) < 0.3, 4] = np.inf
    values[:-500, 6] = np.nan
    told = correlations(values)
    known = np.isfinite(values)
    ranks = np.full(values.shape, np.nan)
    for column, its, into in zip(values.T, known.T, ranks.T, strict=True):
        into[its] = stats.rankdata(column[its])
    for i, j in pairs(values):
        common = known[:, i] & known[:, j]
        assert told.n[i, j] == common.sum()
        r, p = scipys(stats.pearsonr, values[common, i], values[common, j])
        assert told.pearson[i, j] == pytest.approx(r, abs=1e-9)
        assert told.pearson_p[i, j] == pytest.approx(p, rel=1e-6, abs=1e-12)
        r, p = scipys(stats.pearsonr, ranks[common, i], ranks[common, j])
        assert told.spearman[i, j] == pytest.approx(r, abs=1e-9)
        assert told.spearman_p[i, j] == pytest.approx(p, rel=1e-6, abs=1e-12)


def test_what_has_no_spread_has_no_correlation() -> None:
    random = np.random.default_rng(5)
    values = random.normal(size=(9_000, 5))
    values[:, 0] = 0.1
    values[:, 1] = np.nan
    values[:, 2] = np.where(np.arange(9_000) < 4_000, 12.7, values[:, 2])
    values[4_000:, 3] = np.nan
    told = correlations(values)
    for matrix in (told.pearson, told.pearson_p, told.spearman, told.spearman_p):
        assert np.isnan(matrix[:2]).all()
        # Where the fourth is known, the third stands still.
        assert np.isnan(matrix[2, 3])
        assert np.isfinite(matrix[[2, 3], 4]).all()
    assert told.n[2].tolist() == [9_000, 0, 9_000, 4_000, 9_000]


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_rows_have_no_p_value(rows: int) -> None:
    told = correlations(np.arange(2.0 * rows).reshape(rows, 2) ** 2)
    assert told.pearson.shape == (2, 2)
    assert math.isnan(told.pearson[0, 1]) == (rows < 2)
    assert math.isnan(told.pearson_p[0, 1]) == (rows < 3)


def test_with_two_players_a_match_the_p_value_is_of_the_matches() -> None:
    values = variables(6, 600)
    values[:200, 1] = np.nan
    told, alone = correlations(values, 300), correlations(values)
    np.testing.assert_array_equal(told.spearman, alone.spearman)
    for i, j, n in ((2, 0, 300), (1, 0, 200)):
        r = told.pearson[i, j]
        t = r * math.sqrt((n - 2) / (1 - r * r))
        assert told.pearson_p[i, j] == pytest.approx(2 * stats.t.sf(abs(t), n - 2), rel=1e-9)
    assert (told.pearson_p[~np.eye(8, dtype=bool)] >= alone.pearson_p[~np.eye(8, dtype=bool)]).all()


def test_rows_that_stand_twice_are_false_finds_unless_the_matches_are_told() -> None:
    values = np.tile(np.random.default_rng(7).normal(size=(400, 60)), (2, 1))

    def false_finds(told: Correlations) -> float:
        return float((told.spearman_p[np.tril_indices(60, -1)] < 0.05).mean())

    assert false_finds(correlations(values)) > 0.12
    assert false_finds(correlations(values, 400)) == pytest.approx(0.05, abs=0.015)


def test_more_rows_than_ranks_are_exact_for_are_refused() -> None:
    with pytest.raises(ValueError, match="16,777,217 rows"):
        correlations(np.broadcast_to(np.float32(0), (2**24 + 1, 2)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_are_ordered_by_their_bits(kind: type) -> None:
    random = np.random.default_rng(8)
    column = np.concatenate(
        [random.normal(size=500), random.normal(size=500) * 1e30, [0.0, -0.0, 1e-40, -1e-40], np.repeat(3.5, 9)]
    ).astype(kind)
    random.shuffle(column)
    ranks = module._centred_ranks(column)
    np.testing.assert_array_equal(ranks, 2 * stats.rankdata(column) - column.size - 1)


# --------------------------------------------------------------------------- partial correlations


def test_without_controls_it_is_spearmans() -> None:
    values = variables(10, 2_000)
    for i, j in ((0, 2), (2, 3), (5, 7)):
        told = partial_spearman(values[:, i], values[:, j])
        r, p = scipys(stats.spearmanr, values[:, i], values[:, j])
        assert told.coefficient == pytest.approx(r, abs=1e-12)
        assert told.p_value == pytest.approx(p, rel=0.2, abs=1e-6)
        assert told.low < told.coefficient < told.high


def test_with_one_control_it_is_the_textbooks() -> None:
    values = variables(11, 2_000)
    xy, xz, yz = (scipys(stats.spearmanr, values[:, i], values[:, j])[0] for i, j in ((2, 5), (2, 3), (5, 3)))
    expected = (xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2))
    told = partial_spearman(values[:, 2], values[:, 5], values[:, 3])
    assert told.coefficient == pytest.approx(expected, abs=1e-12)
    assert abs(told.coefficient) < 0.7 * abs(xy)


def test_a_control_that_comes_twice_or_never_changes_controls_no_more() -> None:
    values = variables(12, 500)
    once = partial_spearman(values[:, 2], values[:, 5], values[:, 3])
    twice = partial_spearman(values[:, 2], values[:, 5], np.column_stack([values[:, 3], values[:, 3], np.ones(500)]))
    assert twice.coefficient == pytest.approx(once.coefficient)
    assert twice.standard_error == pytest.approx(once.standard_error)


def test_the_error_is_that_of_leaving_out_one_match_at_a_time() -> None:
    random = np.random.default_rng(13)
    codes = np.repeat(np.arange(150), random.integers(1, 4, 150))
    match = random.normal(size=150)[codes]
    z = random.normal(size=codes.size) + match
    x, y = z + match + random.normal(size=codes.size), np.round(z - match + random.normal(size=codes.size))
    told = partial_spearman(x, y, z, codes)
    others = [codes != k for k in range(150)]
    without = np.array([partial_spearman(x[of], y[of], z[of]).coefficient for of in others])
    jackknife = math.sqrt(149 / 150 * ((without - without.mean()) ** 2).sum())
    assert told.standard_error == pytest.approx(jackknife, rel=0.06)
    assert told.clusters == 150


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
    told = [partial_spearman(*drawn(matches), codes) for _ in range(reps)]
    hits = sum(each.low <= truth <= each.high for each in told)
    assert truth > 0.3
    if clustered:
        assert stats.binomtest(hits, reps, 0.95).pvalue > 0.001
        spread = np.std([each.coefficient for each in told])
        assert np.mean([each.standard_error for each in told]) == pytest.approx(spread, rel=0.1)
    else:
        # Who takes the players for independent is far too sure, or far too unsure.
        assert stats.binomtest(hits, reps, 0.95).pvalue < 0.001


def test_what_goes_together_through_the_control_alone_is_found_no_more_than_by_chance() -> None:
    random, reps = np.random.default_rng(15), 500
    z = random.normal(size=(reps, 80))
    x, y = z + random.normal(size=z.shape), 0.7 * z + random.normal(size=z.shape)
    told = [partial_spearman(*each) for each in zip(x, y, z, strict=True)]
    assert np.mean([partial_spearman(*each).p_value < 0.05 for each in zip(x, y, strict=True)]) > 0.5
    found = sum(each.p_value < 0.05 for each in told)
    # At equal ranks of the control, a little of what goes through its values is left.
    assert stats.binom.ppf(0.0005, reps, 0.05) <= found <= stats.binom.ppf(0.9995, reps, 0.065)


def test_rows_that_lack_a_number_are_left_out() -> None:
    values = variables(16, 400)
    whole = partial_spearman(values[50:, 2], values[50:, 3], values[50:, 0], np.arange(350))
    values[:20, 2], values[20:40, 3], values[40:50, 0] = np.nan, np.inf, np.nan
    told = partial_spearman(values[:, 2], values[:, 3], values[:, 0], np.arange(400))
    assert told == whole
    assert (told.rows, told.clusters) == (350, 350)


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
    told = partial_spearman(*given)
    assert np.isnan([told.coefficient, told.standard_error, told.low, told.high, told.p_value]).all()


def test_a_perfect_order_has_a_coefficient_and_no_error() -> None:
    told = partial_spearman(np.arange(50.0), np.arange(50.0) ** 3)
    assert told.coefficient == pytest.approx(1)
    assert math.isnan(told.p_value)


def test_the_benchmark_tells_its_figures() -> None:
    told = lol_correlations.measure(3_000, 12, "rows")
    assert (told["pairs"], told["variables_mb"]) == (66, 0)
    assert told["pairs_per_minute"] == pytest.approx(66 / max(told["seconds"], 0.005) * 60, rel=1)
    assert told["largest_difference_from_scipy"] < 1e-9
    columns, rows = (lol_correlations.variables(500, 12, layout) for layout in ("columns", "rows"))
    np.testing.assert_array_equal(columns, rows)
    assert np.flatnonzero(np.isnan(rows).any(axis=0)).tolist() == [0, 10]
