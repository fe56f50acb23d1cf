"""Correlations of many variables at once, and partial rank correlations with errors clustered by match."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lol.statistics.arrays.intervals import LEVEL

_ROWS_AT_ONCE = 8_192
_ROUNDING = 1e-12
"""Share of a column's sum of squares at or below which its spread is rounding error."""
_LEFT = 1e-6
"""Share of the spread of ranks below which the remainder after controls is rounding error."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Correlations:
    """Every pair of some variables: (variables, variables), symmetric.

    A coefficient is nan if one of the two is constant in the common rows; a p-value also if there are fewer than three
    effective rows. The diagonal is one, with a p-value of zero.
    """

    n: Integers
    """Number of rows in which both variables are known."""
    pearson: Floats
    pearson_p: Floats
    spearman: Floats
    spearman_p: Floats


@dataclass(frozen=True)
class PartialCorrelation:
    """A partial rank correlation; nan if undefined."""

    coefficient: float
    standard_error: float
    """Standard error, clustered by match."""
    low: float
    high: float
    p_value: float
    rows: int
    clusters: int


def correlations(values: npt.NDArray[np.floating], effective_n: float | None = None) -> Correlations:
    """Returns Pearson's and Spearman's coefficients of all pairs of columns, with p-values.

    Pearson's uses the rows in which both are known. For Spearman's each column is ranked once, over its own known rows,
    and the ranks are correlated over the common rows. Without missing values that is Spearman's coefficient, otherwise
    an approximation. Ties have the mean of their ranks.

    P-values are from the t test with two degrees of freedom fewer than rows. If several players of one match are not
    independent, pass the number of matches as `effective_n`. With m rows per match this is conservative, because the
    variance of a coefficient, a sum over rows, is at most m times that of independent rows. For a pair that is known in
    a share of the rows, the same share of `effective_n` applies.

    Args:
        values: (rows, variables); nan and infinite values are missing.
        effective_n: number of independent rows, at most all of them; by default every row counts.
    """
    from threadpoolctl import threadpool_limits

    columns = pl.DataFrame(values).with_columns(pl.when(pl.all().is_finite()).then(pl.all()))
    # Threads of such small products would wait for each other, even longer on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        n, pearson = _pairwise(columns)
        _, spearman = _pairwise(columns.select(pl.all().rank()))
    share = 1.0 if effective_n is None else effective_n / max(len(values), 1)
    freedom: Floats = n.astype(float) * share - 2
    return Correlations(n, pearson, _p_values(pearson, freedom), spearman, _p_values(spearman, freedom))


def partial_spearman(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    controls: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> PartialCorrelation:
    """Returns Spearman's correlation of two variables at equal ranks of the controls; without controls, Spearman's own.

    The ranks of both are regressed on those of the controls, and the residuals are correlated. The standard error is
    the root of the sum of squares, over matches, of each match's influence: that of its rows on the correlation of the
    residuals, and on the ranks of all rows. Interval and p-value use Fisher's z with that error and the t distribution,
    with the number of matches minus two minus the number of controls as degrees of freedom.

    Args:
        x: first variable.
        y: second variable.
        controls: (rows, controls) or a single control.
        clusters: code of each row's match; by default each row is its own.
        level: coverage of the interval.

    Rows with a missing number (nan or infinite) are left out.
    """
    from scipy.special import stdtr, stdtrit

    given = [np.asarray(x, dtype=float)[:, None], np.asarray(y, dtype=float)[:, None]]
    if controls is not None:
        given.append(np.asarray(controls, dtype=float).reshape(len(given[0]), -1))
    columns = np.hstack(given)
    known = np.isfinite(columns).all(axis=1)
    columns = columns[known]
    matches = np.arange(len(columns)) if clusters is None else np.asarray(clusters)[known]
    matches = np.unique(matches, return_inverse=True)[1]
    rows, count = len(columns), int(matches.max(initial=-1)) + 1
    freedom = count - columns.shape[1]
    nothing = PartialCorrelation(np.nan, np.nan, np.nan, np.nan, np.nan, rows, count)
    if rows < 2:
        return nothing

    ranked = [_Ranked(column) for column in columns.T]
    ranks = np.stack([each.ranks for each in ranked])
    of, held = ranks[:2], ranks[2:]
    slopes = np.linalg.lstsq(held.T, of.T)[0].T
    left = of - slopes @ held
    spread = np.sqrt((left * left).mean(axis=1))
    if not (spread > _LEFT * np.sqrt((of * of).mean(axis=1))).all():
        return nothing
    first, second = left / spread[:, None]
    r = float(np.clip((first * second).mean(), -1, 1))
    # Derivative of the coefficient by a rank of x, of y and of each control, and each row's effect on the ranks.
    by_x, by_y = (second - r * first) / spread[0], (first - r * second) / spread[1]
    moves = [by_x, by_y, *(-(slope @ np.stack([by_x, by_y])) for slope in slopes.T)]
    influence = first * second - r / 2 * (first * first + second * second)
    for each, move in zip(ranked, moves, strict=True):
        influence += each.moved(move)
    sums = np.bincount(matches, influence - influence.mean())
    if freedom < 1 or abs(r) == 1:
        return PartialCorrelation(r, np.nan, np.nan, np.nan, np.nan, rows, count)
    error = float(np.sqrt(sums @ sums * count / (count - 1))) / rows
    z, z_error = np.arctanh(r), error / (1 - r * r)
    half = stdtrit(freedom, (1 + level) / 2) * z_error
    return PartialCorrelation(
        coefficient=r,
        standard_error=error,
        low=float(np.tanh(z - half)),
        high=float(np.tanh(z + half)),
        p_value=float(2 * stdtr(freedom, -abs(z / z_error))),
        rows=rows,
        clusters=count,
    )


class _Ranked:
    """A variable's ranks, and the effect of each row on all ranks."""

    def __init__(self, column: Floats) -> None:
        self._codes, counts = np.unique(column, return_inverse=True, return_counts=True)[1:]
        middles = (np.cumsum(counts) - counts / 2) / column.size
        self.ranks: Floats = middles[self._codes] - 0.5
        """Ranks divided by the number of rows, minus one half: the mean is zero; ties have their mean rank."""

    def moved(self, move: Floats) -> Floats:
        """Returns each row's effect through the ranks, given the effect of each rank: a row raises the rank of every
        greater value by one, and of equal values by one half."""
        sums = np.bincount(self._codes, move)
        greater = sums.sum() - np.cumsum(sums)
        return (greater + sums / 2)[self._codes] / move.size


def _pairwise(columns: pl.DataFrame) -> tuple[Integers, Floats]:
    """Returns the number of common rows of each pair of columns, and Pearson's correlation over them."""
    # Subtracts a number near the mean, which keeps squares precise.
    means = columns.select(pl.all().mean().fill_null(0)).to_numpy()
    n, sums, squares, products = np.zeros((4, columns.width, columns.width))
    for part in columns.iter_slices(_ROWS_AT_ONCE):
        known = part.select(pl.all().is_not_null().cast(pl.Float64)).to_numpy()
        centred = part.select(pl.all().fill_null(0).cast(pl.Float64)).to_numpy() - means
        centred *= known
        n += known.T @ known
        sums += centred.T @ known
        squares += np.square(centred).T @ known
        products += centred.T @ centred
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - sums * sums / n
        spread[spread <= _ROUNDING * squares] = np.nan
        result = np.clip((products - sums * sums.T / n) / np.sqrt(spread * spread.T), -1, 1)
    diagonal = np.diagonal(result)
    np.fill_diagonal(result, np.where(np.isnan(diagonal), np.nan, 1.0))
    return n.astype(np.int64), result


def _p_values(coefficients: Floats, freedom: Floats) -> Floats:
    """Returns two-sided p-values of the t test of each coefficient against zero."""
    from scipy.special import betainc

    # The squared t is r² / (1 - r²) times the degrees of freedom, so its tail follows this beta distribution.
    left = (1 - coefficients) * (1 + coefficients)
    return np.where(freedom > 0, betainc(np.maximum(freedom, 1e-9) / 2, 0.5, left), np.nan)
