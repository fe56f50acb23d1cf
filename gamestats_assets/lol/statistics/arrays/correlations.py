"""Correlations of many variables at once, and partial rank correlations whose errors know of matches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gamestats_assets.lol.statistics.arrays.intervals import LEVEL

_ROWS_AT_ONCE = 8_192
_VARIABLES_AT_ONCE = 16
"""Variables that a thread ranks at a time: as many float32 of a row as a line of the processor's cache holds."""
_THREADS = 2
_ROUNDING = 1e-12
"""Share of a column's summed squares at or below which its spread is rounding."""
_LEFT = 1e-6
"""Share of the spread of ranks below which what the controls leave of it is rounding."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Correlations:
    """Every pair of some variables: (variables, variables), symmetric.

    A coefficient is nan where the common rows of a pair have no spread of one of the two; a p-value also where there
    are fewer than three effective rows. The diagonal is one, its p-value nought.
    """

    n: Integers
    """Rows where both variables are known."""
    pearson: Floats
    pearson_p: Floats
    spearman: Floats
    spearman_p: Floats


@dataclass(frozen=True)
class PartialCorrelation:
    """A partial rank correlation; nan where it cannot be told."""

    coefficient: float
    standard_error: float
    """Clustered by match."""
    low: float
    high: float
    p_value: float
    rows: int
    clusters: int


def correlations(values: npt.NDArray[np.floating], effective_n: float | None = None) -> Correlations:
    """Pearson's and Spearman's coefficients of all pairs of columns, with p-values.

    Pearson's is over the rows where both are known. For Spearman's each column is ranked once, over its own known rows,
    and the ranks are correlated over the common rows: with nothing missing that is Spearman's coefficient, otherwise it
    is near it, and the ranks need not be made anew for each pair. Ties have the mean of their ranks.

    P-values are of the t test with two degrees of freedom fewer than rows. Several players of one match are not
    independent: `effective_n` is then the number of matches. With m rows a match this is on the safe side, for the
    variance of a coefficient, a sum over rows, is at most m times what it were of independent rows. A pair that is
    known in a share of the rows has that share of it.

    Memory besides the argument: a float32 for each value, and about 300 MB.

    Args:
        values: (rows, variables), float32 or float64, in whatever order in memory; nan and infinite are missing.
        effective_n: independent rows, at most as many as there are; without it each row counts for one.

    Raises:
        ValueError: there are more than sixteen million rows, whose ranks a float32 does not hold exactly.
    """
    from threadpoolctl import threadpool_limits

    rows, variables = values.shape
    if rows > 2**24:
        raise ValueError(
            f"{rows:,} rows are more than the {2**24:,} whose ranks are held exactly: correlate a random part of them."
        )
    ranks = np.empty((variables, rows), np.float32)
    # The threads are here: those of a matrix product would wait for each other at work, the longer on a busy machine.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(_THREADS) as pool:
        n, pearson = _pairwise(values, pool)
        list(pool.map(lambda first: _rank(values, first, ranks), range(0, variables, _VARIABLES_AT_ONCE)))
        _, spearman = _pairwise(ranks.T, pool)
    share = 1.0 if effective_n is None else effective_n / max(rows, 1)
    freedom: Floats = n.astype(float) * share - 2
    return Correlations(n, pearson, _p_values(pearson, freedom), spearman, _p_values(spearman, freedom))


def partial_spearman(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    controls: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> PartialCorrelation:
    """Spearman's correlation of two variables at equal ranks of the controls; without controls, Spearman's own.

    The ranks of both are regressed on those of the controls, and what is left of the one is correlated with what is
    left of the other. The standard error is the root of the summed squares, over matches, of the influence of each
    match: of its rows on the correlation of the residuals, and of its rows on everyone's ranks. Interval and p-value
    are of Fisher's z with that error, against the t distribution with as many degrees of freedom as matches less two
    and less one for each control.

    Args:
        x: one variable.
        y: the other.
        controls: (rows, controls) or a single one.
        clusters: code of each row's match; without it each row is its own.
        level: coverage of the interval.

    A row that lacks any of the numbers (nan or infinite) is left out.
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
    # How the coefficient moves with a rank of x, of y and of each control; and with whose ranks a row moves.
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
    """A variable's ranks, and what a row does to those of all."""

    def __init__(self, column: Floats) -> None:
        self._codes, counts = np.unique(column, return_inverse=True, return_counts=True)[1:]
        middles = (np.cumsum(counts) - counts / 2) / column.size
        self.ranks: Floats = middles[self._codes] - 0.5
        """Ranks over the rows, less a half: the mean is nought; ties have the mean of theirs."""

    def moved(self, move: Floats) -> Floats:
        """By how much each row moves what moves so with each rank: it lifts the rank of every greater value by one
        row, and of its equals by half a row."""
        sums = np.bincount(self._codes, move)
        greater = sums.sum() - np.cumsum(sums)
        return (greater + sums / 2)[self._codes] / move.size


def _pairwise(values: npt.NDArray[np.floating], pool: ThreadPoolExecutor) -> tuple[Integers, Floats]:
    """Rows that are common to each pair of columns, and the product-moment correlation over them."""
    sample = values[:: max(1, len(values) // _ROWS_AT_ONCE)].astype(float)
    known = np.isfinite(sample)
    shift = np.where(known, sample, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    shares = pool.map(lambda thread: _moments(values, shift, thread), range(_THREADS))
    n, sums, squares, products = np.sum(list(shares), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - sums * sums / n
        spread[spread <= _ROUNDING * squares] = np.nan
        result = np.clip((products - sums * sums.T / n) / np.sqrt(spread * spread.T), -1, 1)
    diagonal = np.diagonal(result)
    np.fill_diagonal(result, np.where(np.isnan(diagonal), np.nan, 1.0))
    return n.astype(np.int64), result


def _moments(values: npt.NDArray[np.floating], shift: Floats, thread: int) -> Floats:
    """Of every pair over the rows where both are known, for this thread's share of the rows: how many, and the sums of
    the first, of its square and of the product, each less a number near its mean, so that squares lose little."""
    moments: Floats = np.zeros((4, shift.size, shift.size))
    n, sums, squares, products = moments
    for first in range(thread * _ROWS_AT_ONCE, len(values), _THREADS * _ROWS_AT_ONCE):
        part = values[first : first + _ROWS_AT_ONCE] - shift
        known = np.isfinite(part)
        some = ~known.all(axis=0)
        if some.any():
            np.copyto(part, 0, where=~known)
        present = known[:, some].astype(float)
        # Over the rows where the other is known, which for most columns is all of them.
        for moment, of in ((n, known), (sums, part), (squares, part * part)):
            moment[:, ~some] += of.sum(axis=0)[:, None]
            moment[:, some] += of.T @ present
        products += part.T @ part
    return moments


def _rank(values: npt.NDArray[np.floating], first: int, ranks: npt.NDArray[np.float32]) -> None:
    """Rank some columns from the first on, each into its row of the ranks."""
    block = np.ascontiguousarray(values[:, first : first + _VARIABLES_AT_ONCE].T)
    for column, into in zip(block, ranks[first:], strict=False):
        known = np.isfinite(column)
        if known.all():
            into[:] = _centred_ranks(column)
        else:
            into[:] = np.nan
            into[known] = _centred_ranks(column[known])


def _centred_ranks(column: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Twice the rank, ties at the mean of theirs, less its mean: whole numbers between minus and plus the rows."""
    order = _order(column)
    ordered = column[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, column.size), bool), ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], column.size)[: starts.size]
    ranks = np.empty(column.size, np.float32)
    ranks[order] = np.repeat((starts + ends - column.size).astype(np.float32), ends - starts)
    return ranks


def _order(column: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """Like argsort, in a quarter of its time: NumPy sorts 16 bits by counting, so the digits go one after the other."""
    bits = column.itemsize * 8
    # Minus nought is nought; and as whole numbers, floats are in order once the negative ones are turned round.
    whole = (column + column.dtype.type(0)).view(f"u{column.itemsize}")
    sign = whole.dtype.type(1 << (bits - 1))
    keys = np.where(whole & sign, ~whole, whole | sign).astype(f"<u{column.itemsize}")
    digits = keys.view("<u2").reshape(-1, column.itemsize // 2)
    order = np.argsort(digits[:, 0], kind="stable")
    for digit in digits.T[1:]:
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def _p_values(coefficients: Floats, freedom: Floats) -> Floats:
    """Two-sided, of the t test of each coefficient against nought."""
    from scipy.special import betainc

    # The squared t is the squared coefficient over what it leaves to one; so its tail is this beta distribution's.
    left = (1 - coefficients) * (1 + coefficients)
    return np.where(freedom > 0, betainc(np.maximum(freedom, 1e-9) / 2, 0.5, left), np.nan)
