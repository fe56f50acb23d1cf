"""Logistic and linear regressions of rows clustered by match, and comparisons of players' choices within a cell.

Players of one match are not independent, so every covariance is the cluster-robust sandwich: the inverse information
around the sum, over matches, of the outer products of the match's summed scores. It is multiplied by G / (G - 1) * (n -
1) / (n - k) for G matches, n rows and k coefficients (CR1), like statsmodels' default for `cov_type="cluster"`; without
matches each row is its own cluster (HC1).

There are thousands of cells with thousands of rows each, so the solvers are plain arithmetic on whole arrays. Designs
are stored as (columns, rows), so sums over rows read contiguous memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gamestats_assets.lol.statistics.arrays.intervals import LEVEL

KNOTS = (7, 3)
"""Knots of the spline of the first covariate, and of each other one. With five, a steep dependence of winning on the
gold difference leaves a bias of up to a point, which 50,000 games mistake for an effect of the choice."""

_MOST_STEPS = 25
_CONVERGED = 1e-13
"""Newton decrement: the square of the remaining step, in standard errors."""
_SINGULAR = 1e-5
"""Smallest pivot of the Cholesky factor of the information, scaled to a unit diagonal: the root of the share of a
column's variance that the other columns leave."""
_ROUNDING = 1e-12
"""Spread of a constant column, relative to its size."""
_NEGLIGIBLE = 1e-9
"""Variance at which a direction of the basis is rounding error, relative to that of a column."""
_FEWEST_MATCHES = 10
"""Smallest number of matches of an arm."""
_SATURATED = 15.0
"""Logit beyond which a fit that does not converge is diverging to infinity."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Reason(IntEnum):
    """Reason for a missing estimate."""

    FITTED = 0
    """The estimate exists."""
    NO_VARIATION = 1
    """The outcome is the same in every row."""
    SEPARATED = 2
    """The choice or the covariates determine the outcome completely, so the odds are infinite."""
    SINGULAR = 3
    """A column is determined by the others, so nothing is left to compare at equal covariates."""
    NOT_CONVERGED = 4
    """Newton's method did not converge."""
    FEW_CLUSTERS = 5
    """No more rows than coefficients, fewer than two matches, or in a comparison an arm with fewer than ten matches:
    the sandwich of an arm in one match is zero."""


@dataclass(frozen=True)
class Regression:
    """A fitted regression; nan throughout where `reason` is not `Reason.FITTED`."""

    coefficients: Floats
    covariance: Floats
    """Cluster-robust covariance of the coefficients (CR1)."""
    rows: int
    clusters: int
    r_squared: float
    """Share of the variance explained; for a logistic regression McFadden's pseudo R²."""
    reason: Reason

    @property
    def standard_errors(self) -> Floats:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def p_values(self) -> Floats:
        """Returns the two-sided Wald test of each coefficient against zero, with the normal distribution."""
        from scipy.special import ndtr

        return 2 * ndtr(-np.abs(self.coefficients / self.standard_errors))

    def interval(self, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Returns the ends of each coefficient's interval, from the normal distribution like the p-values."""
        from scipy.special import ndtri

        half = ndtri((1 + level) / 2) * self.standard_errors
        return self.coefficients - half, self.coefficients + half


@dataclass(frozen=True)
class Comparisons:
    """Each choice compared with all other eligible rows of a cell; one entry per choice with enough rows.

    Differences are choice minus rest. `effect` and the fields below it are nan if `reason` is not `FITTED`.
    """

    choice: Integers
    games: Integers
    """Number of rows with the choice."""
    games_rest: Integers
    """Number of all other eligible rows of the cell."""
    mean: Floats
    """Mean outcome of the rows with the choice; the rate for a bool outcome."""
    mean_rest: Floats
    naive_effect: Floats
    """Difference of the two means, unadjusted."""
    effect: Floats
    """Difference at equal covariates: in probability (0..1) for a bool outcome, else in the outcome's unit."""
    standard_error: Floats
    """Standard error of the effect, clustered by match."""
    low: Floats
    high: Floats
    p_value: Floats
    odds_ratio: Floats
    """Odds ratio at equal covariates for a bool outcome; else nan."""
    reason: npt.NDArray[np.int8]
    """`Reason` code."""
    left_out: int
    """Rows of the cell in neither arm, because a covariate or the outcome is not a finite number."""


def regression(
    design: npt.ArrayLike,
    outcome: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    family: Literal["logistic", "linear"],
) -> Regression:
    """Returns a logistic regression by Newton's method (iteratively reweighted least squares), or ordinary least
    squares.

    Args:
        design: (rows, columns); a constant is a column like any other, and `r_squared` assumes that there is one.
        outcome: bool, or 0 and 1, for a logistic regression; any number for a linear one.
        clusters: code of each row's match; by default each row is its own.
        family: logistic or linear.
    """
    x, y = np.ascontiguousarray(np.asarray(design, dtype=float).T), np.asarray(outcome, dtype=float)
    matches = _Matches(y.size, clusters)
    k = len(x)
    fit = _unfit(x, y, matches) or (_solve_logistic(x, y, np.zeros(k)) if family == "logistic" else _solve_linear(x, y))
    if isinstance(fit, Reason):
        return Regression(np.full(k, np.nan), np.full((k, k), np.nan), y.size, matches.count, np.nan, fit)
    if family == "logistic":
        logit, mean = fit.coefficients @ x, y.mean()
        log_likelihood = float((y * logit - np.logaddexp(0, logit)).sum())
        unexplained = log_likelihood / (y.size * float(mean * np.log(mean) + (1 - mean) * np.log1p(-mean)))
    else:
        unexplained = float(fit.residuals @ fit.residuals) / float(((y - y.mean()) ** 2).sum())
    covariance = _covariance(x, fit, matches)
    return Regression(fit.coefficients, covariance, y.size, matches.count, 1 - unexplained, Reason.FITTED)


def basis(covariates: npt.ArrayLike, knots: Sequence[int] = KNOTS) -> Floats:
    """Returns smooth functions of the covariates, without the constant: (rows, at most as many columns as the knots
    need).

    Each covariate gets a natural cubic spline, linear beyond the outermost knots, which are spaced evenly among the
    quantiles from 5% to 95% (Harrell, Regression Modeling Strategies, 2.4.5); each pair of covariates gets its product.
    The columns are uncorrelated, with mean zero and variance one, and span the same functions; constant and dependent
    columns are removed, so the result may be empty.

    Args:
        covariates: (rows, covariates), finite.
        knots: knots of each covariate in turn; further ones have as many as the last.
    """
    given = np.asarray(covariates, dtype=float).T
    if not given.size:
        return np.empty((given.shape[1], 0))
    lines = _standardised(given)
    counts = [*knots, *[knots[-1]] * len(lines)]
    columns = [each for line, count in zip(lines, counts, strict=False) for each in _natural_spline(line, count)]
    columns += [first * second for index, first in enumerate(lines) for second in lines[:index]]
    scaled = _standardised(np.stack(columns))
    variances, directions = np.linalg.eigh(scaled @ scaled.T / scaled.shape[1])
    kept = variances > _NEGLIGIBLE * variances[-1]
    return ((directions[:, kept] / np.sqrt(variances[kept])).T @ scaled).T


def compare(
    choice: npt.ArrayLike,
    covariates: npt.ArrayLike,
    outcome: npt.ArrayLike,
    clusters: npt.ArrayLike,
    minimum: int,
    knots: Sequence[int] = KNOTS,
    level: float = LEVEL,
) -> Comparisons:
    """Compares each choice of a cell with all other eligible rows, at equal covariates.

    A bool outcome is regressed on the choice and the `basis` of the covariates by logistic regression. The effect is
    the average marginal effect: the mean, over all rows of the cell, of the probability had the row made the choice
    minus that had it not. Its standard error is from the delta method, with fixed covariates. The p-value is from the
    Wald test of the choice's coefficient. In arms of a hundred it keeps its nominal rate, while a test of the marginal
    effect finds two to three times too much at p < 0.001. The interval is the coefficient's, carried to the marginal
    effect with the other coefficients moving along: it excludes zero exactly if p is below 1 - level. Any other outcome
    is regressed linearly, and the effect is the choice's coefficient.

    Both tests use the t distribution with the effective number of matches minus one degrees of freedom (Kish: the
    squared sum of the variances that each match contributes to the coefficient, divided by the sum of their squares),
    because a hundred rows against thousands carry about as much information as a hundred. For numbers as skewed as an
    exponential's, a hundred against thousands still find two to three times too much at p < 0.001: pass logarithms.

    The products of a cell are small: `threadpoolctl.threadpool_limits(1)` around many cells saves a third of the time.

    Args:
        choice: code of each row's choice; rows with a negative code are eligible, but their choice is not compared.
        covariates: (rows, covariates) state of the game at the time of the choice.
        outcome: bool, or a number.
        clusters: code of each row's match.
        minimum: rows that a choice needs, and that all others need together.
        knots: as in `basis`.
        level: coverage of the intervals.
    """
    state = np.asarray(covariates, dtype=float)
    result = np.asarray(outcome)
    binary = result.dtype == np.bool_
    y = result.astype(float)
    usable = np.isfinite(state).all(axis=1) & np.isfinite(y)
    rows = np.flatnonzero(usable)
    # Rows of a match are adjacent, so sums over matches need no further ordering.
    rows = rows[np.argsort(np.asarray(clusters)[rows], kind="stable")]
    chosen, y = np.asarray(choice)[rows], y[rows]
    matches = _Matches(rows.size, np.asarray(clusters)[rows])
    codes, games = np.unique(chosen, return_counts=True)
    supported = (codes >= 0) & (games >= minimum) & (rows.size - games >= minimum) & (games < rows.size)
    codes, games = codes[supported], games[supported]

    estimates = {name: np.full(codes.size, np.nan) for name in _Estimate._fields}
    mean, reasons = np.empty(codes.size), np.zeros(codes.size, dtype=np.int8)
    if codes.size:
        smooth = basis(state[rows], knots)
        x = np.empty((smooth.shape[1] + 2, rows.size))
        x[0] = 1
        x[1:-1] = smooth.T
        start = np.zeros(len(x))
        if binary and not isinstance(null := _solve_logistic(x[:-1], y, start[:-1]), Reason):
            start[:-1] = null.coefficients
        for index, code in enumerate(codes):
            treated = chosen == code
            x[-1] = treated
            mean[index] = x[-1] @ y / games[index]
            few = min(matches.touched(treated), matches.touched(~treated)) < _FEWEST_MATCHES
            unfit = Reason.FEW_CLUSTERS if few else _unfit(x, y, matches)
            fit = unfit or (_solve_treated(x, y, start) if binary else _solve_linear(x, y))
            if isinstance(fit, Reason):
                reasons[index] = fit
                continue
            estimate = (_marginal if binary else _difference)(x, fit, matches, level)
            for name, value in zip(_Estimate._fields, estimate, strict=True):
                estimates[name][index] = value
    mean_rest = (y.sum() - mean * games) / (rows.size - games)
    return Comparisons(
        choice=codes.astype(np.int64),
        games=games.astype(np.int64),
        games_rest=(rows.size - games).astype(np.int64),
        mean=mean,
        mean_rest=mean_rest,
        naive_effect=mean - mean_rest,
        reason=reasons,
        left_out=int(usable.size - rows.size),
        **estimates,
    )


@dataclass(frozen=True)
class Within:
    """A difference between two arms within strata, at equal covariates, over the treated rows."""

    effect: float
    low: float
    high: float
    p_value: float


def compare_within(
    treated: npt.ArrayLike,
    covariates: npt.ArrayLike,
    outcome: npt.ArrayLike,
    clusters: npt.ArrayLike,
    strata: npt.ArrayLike,
    *,
    fewest_per_coefficient: int,
    knots: Sequence[int] = KNOTS,
    level: float = LEVEL,
) -> Within | Reason:
    """Returns the effect of a treatment within strata, over the treated rows: weighted linear regression.

    Each stratum has an intercept, and its untreated rows have the total weight of its treated ones. A stratum thus
    counts by its treated rows, as in the plain difference of the treated and their baseline. Outcome, treatment and the
    `basis` of the covariates are centred within each stratum; the residuals of the first two, given the basis, are
    regressed on each other (Frisch and Waugh). For a bool outcome it is the difference of probabilities. Errors are
    clustered by match and corrected for the shrinkage of residuals by the fit (otherwise strata of one treated row
    would halve them); tests and intervals use the t distribution with the effective number of matches, as in `compare`.

    Args:
        treated: bool of each row.
        covariates: (rows, covariates), finite.
        outcome: number of each row, finite.
        clusters: code of each row's match.
        strata: code of each row's stratum, from 0. Strata with one arm are ignored.
        fewest_per_coefficient: matches of each arm per coefficient. With fewer than the splines need, the covariates
            are linear.
        knots: as in `basis`.
        level: coverage of the interval.

    Returns:
        `Reason.FEW_CLUSTERS` if an arm is too small even for linear covariates, `Reason.SINGULAR` if nothing is left to
        compare at equal covariates, `Reason.NO_VARIATION` if the outcome is constant.
    """
    arm, of = np.asarray(treated, dtype=float), np.asarray(strata)
    there, chosen = np.bincount(of), np.bincount(of, arm)
    has_both = ((chosen > 0) & (chosen < there))[of]
    if not has_both.any():
        return Reason.FEW_CLUSTERS
    arm, of, codes = arm[has_both], of[has_both], np.asarray(clusters)[has_both]
    state, known_outcome = np.asarray(covariates, dtype=float)[has_both], np.asarray(outcome, dtype=float)[has_both]
    rest = there - chosen
    weights = np.where(arm > 0, 1.0, chosen[of] / rest[of])
    totals = np.maximum(2 * chosen, 1)
    matches = _Matches(arm.size, codes)
    smallest = min(matches.touched(arm > 0), matches.touched(arm == 0))

    def centred(column: Floats) -> Floats:
        return column - (np.bincount(of, weights * column, totals.size) / totals)[of]

    lines = _standardised(state.T).T
    for functions in (basis(state, knots), lines):
        within = np.stack([centred(each) for each in functions.T], axis=1) if functions.size else functions
        varying = within[:, weights @ np.square(within) > _NEGLIGIBLE * weights.sum()]
        if smallest >= fewest_per_coefficient * (varying.shape[1] + 1):
            break
    else:
        return Reason.FEW_CLUSTERS
    left = np.stack([centred(arm), centred(known_outcome)], axis=1)
    apart = weights @ np.square(left)
    fitted = 1 + np.unique(of).size
    if varying.size:
        roots = np.sqrt(weights)[:, None]
        coefficients, _, rank, _ = np.linalg.lstsq(roots * varying, roots * left, rcond=_SINGULAR)
        left -= varying @ coefficients
        fitted += int(rank)
    if arm.size <= fitted or matches.count < 2:
        return Reason.FEW_CLUSTERS
    arm_left, outcome_left = left.T
    pulls = weights * arm_left
    information = float(pulls @ arm_left)
    if information <= _SINGULAR * apart[0]:
        return Reason.SINGULAR
    if apart[1] <= _ROUNDING**2 * (weights @ np.square(known_outcome)):
        return Reason.NO_VARIATION
    effect = float(pulls @ outcome_left) / information
    scores = pulls * (outcome_left - effect * arm_left)
    design = np.column_stack([varying, centred(arm)])
    scores = matches.sums(scores / np.sqrt(_shares_left(design, weights, of, totals)))
    error = np.sqrt(matches.count / (matches.count - 1) * float(scores @ scores)) / information
    if not error > 0:
        return Reason.NO_VARIATION
    half, p_value = _test(effect, error, matches.sums(pulls * pulls), level)
    return Within(effect, effect - half, effect + half, p_value)


def _shares_left(design: Floats, weights: Floats, strata: Integers, totals: Floats) -> Floats:
    """Returns the variance of each row's residual as a share of its error's variance, for errors of equal variance.

    This is the diagonal of M M' for residuals M y, as in the estimators HC2 and CR2 for equal weights.

    Args:
        design: (rows, columns), without their weighted means in each stratum.
        weights: weight of each row.
        strata: code of each row's stratum, whose intercept is fitted too.
        totals: sum of each stratum's weights.
    """
    weighted = weights[:, None] * design
    along = design @ np.linalg.pinv(design.T @ weighted, hermitian=True)
    taken = weights * (1 / totals[strata] + np.einsum("ij,ij->i", along, design))
    squares = np.square(weights)
    sums = np.stack([np.bincount(strata, squares * column, totals.size) for column in design.T], axis=1)
    given = np.bincount(strata, squares, totals.size)[strata] / np.square(totals)[strata]
    given += 2 * np.einsum("ij,ij->i", along, sums[strata]) / totals[strata]
    given += np.einsum("ij,ij->i", along @ (weighted.T @ weighted), along)
    # A row that the fit passes through exactly has no residual.
    return np.maximum(1 - 2 * taken + given, _NEGLIGIBLE)


# --------------------------------------------------------------------------- sums over matches


class _Matches:
    """The matches of some rows: their number, and sums over the rows of each."""

    def __init__(self, rows: int, codes: npt.ArrayLike | None) -> None:
        self._order: Integers | None = None
        self._starts: Integers | None = None
        self.count = rows
        if codes is None or not rows:
            return
        row_codes = np.asarray(codes)
        if (row_codes[1:] < row_codes[:-1]).any():
            self._order = np.argsort(row_codes, kind="stable")
            row_codes = row_codes[self._order]
        starts = np.flatnonzero(np.concatenate([[True], row_codes[1:] != row_codes[:-1]]))
        if starts.size < rows:
            self._starts, self.count = starts, starts.size

    def sums(self, values: Floats) -> Floats:
        """Returns the sum over each match, of (..., rows)."""
        if self._starts is None:
            return values
        ordered = values if self._order is None else values[..., self._order]
        return np.add.reduceat(ordered, self._starts, axis=-1)

    def touched(self, rows: npt.NDArray[np.bool_]) -> int:
        """Returns the number of matches with at least one of the rows."""
        return int(np.count_nonzero(self.sums(rows.astype(float))))


# --------------------------------------------------------------------------- solvers


@dataclass(frozen=True)
class _Fit:
    coefficients: Floats
    bread: Floats
    """Inverse of the information, for an error variance of one."""
    residuals: Floats
    weights: Floats | None
    """Variance of each row's outcome; one for a linear regression."""


def _unfit(x: Floats, y: Floats, matches: _Matches) -> Reason | None:
    """Returns the reason why nothing can be fitted, whatever the numbers."""
    if matches.count < 2 or y.size <= len(x):
        return Reason.FEW_CLUSTERS
    return Reason.NO_VARIATION if (y == y[0]).all() else None


def _inverse(information: Floats) -> Floats | None:
    """Returns None for a singular matrix, whatever the units of its columns."""
    scale = np.sqrt(np.diagonal(information))
    if not (scale > 0).all():
        return None
    scales = np.outer(scale, scale)
    scaled = information / scales
    try:
        if np.diagonal(np.linalg.cholesky(scaled)).min() < _SINGULAR:
            return None
        return np.linalg.inv(scaled) / scales
    except np.linalg.LinAlgError:
        return None


def _probability(logit: Floats) -> Floats:
    # Several times as fast as scipy's; an overflowing exponential is a probability of zero.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logit))


def _solve_logistic(x: Floats, y: Floats, start: Floats) -> _Fit | Reason:
    coefficients = start
    for step in range(_MOST_STEPS):
        p = _probability(coefficients @ x)
        residuals, weights = y - p, p * (1 - p)
        bread = _inverse((x * weights) @ x.T)
        if bread is None:
            return Reason.SEPARATED if step else Reason.SINGULAR
        score = x @ residuals
        move = bread @ score
        coefficients = coefficients + move
        if move @ score < _CONVERGED:
            return _Fit(coefficients, bread, residuals, weights)
    saturated = np.abs(coefficients @ x).max() > _SATURATED
    return Reason.SEPARATED if saturated else Reason.NOT_CONVERGED


def _solve_treated(x: Floats, y: Floats, start: Floats) -> _Fit | Reason:
    """Returns the logistic regression of a cell, with the choice as the last column."""
    won = float(x[-1] @ y)
    lost = float(x[-1].sum()) - won
    if min(won, lost) < 1 or min(y.sum() - won, y.size - y.sum() - lost) < 1:
        return Reason.SEPARATED
    return _solve_logistic(x, y, start)


def _solve_linear(x: Floats, y: Floats) -> _Fit | Reason:
    bread = _inverse(x @ x.T)
    if bread is None:
        return Reason.SINGULAR
    coefficients = bread @ (x @ y)
    # A second step on the remainder removes the rounding error of the inverse.
    coefficients = coefficients + bread @ (x @ (y - coefficients @ x))
    return _Fit(coefficients, bread, y - coefficients @ x, None)


def _covariance(x: Floats, fit: _Fit, matches: _Matches) -> Floats:
    scores = matches.sums(x * fit.residuals)
    k, rows = x.shape
    correction = matches.count / (matches.count - 1) * (rows - 1) / (rows - k)
    return correction * fit.bread @ (scores @ scores.T) @ fit.bread


def _test(effect: float, error: float, contributions: Floats, level: float) -> tuple[float, float]:
    """Returns half the length of an effect's interval, and its p-value.

    Args:
        contributions: contribution of each match to the estimate, for the effective number of matches.
    """
    from scipy.special import stdtr, stdtrit

    freedom = max(float(contributions.sum() ** 2 / (contributions @ contributions)) - 1, 1.0)
    return float(stdtrit(freedom, (1 + level) / 2) * error), float(2 * stdtr(freedom, -abs(effect / error)))


# --------------------------------------------------------------------------- the choice of a cell


class _Estimate(NamedTuple):
    effect: float
    standard_error: float
    low: float
    high: float
    p_value: float
    odds_ratio: float


def _test_last(x: Floats, fit: _Fit, covariance: Floats, matches: _Matches, level: float) -> tuple[float, float]:
    """Returns half the length of the last coefficient's interval, and its p-value."""
    contributions = (fit.bread[-1] @ x) ** 2
    contributions = matches.sums(contributions if fit.weights is None else contributions * fit.weights)
    return _test(fit.coefficients[-1], np.sqrt(covariance[-1, -1]), contributions, level)


def _difference(x: Floats, fit: _Fit, matches: _Matches, level: float) -> _Estimate:
    """Returns the estimate of a linear regression."""
    covariance = _covariance(x, fit, matches)
    half, p_value = _test_last(x, fit, covariance, matches, level)
    effect = fit.coefficients[-1]
    return _Estimate(effect, np.sqrt(covariance[-1, -1]), effect - half, effect + half, p_value, np.nan)


def _marginal(x: Floats, fit: _Fit, matches: _Matches, level: float) -> _Estimate:
    """Returns the estimate of a logistic regression."""
    covariance = _covariance(x, fit, matches)
    half, p_value = _test_last(x, fit, covariance, matches, level)
    choice = float(fit.coefficients[-1])
    others = x[:-1]
    base = fit.coefficients[:-1] @ others
    chosen, not_chosen = _probability(base + choice), _probability(base)
    slope, slope_not = chosen * (1 - chosen), not_chosen * (1 - not_chosen)
    gradient = np.append(others @ (slope - slope_not) / base.size, slope.mean())
    along = (covariance[:-1, -1] / covariance[-1, -1]) @ others

    def end(move: float) -> float:
        moved = base + move * along
        return float((_probability(moved + choice + move) - _probability(moved)).mean())

    return _Estimate(
        effect=float((chosen - not_chosen).mean()),
        standard_error=float(np.sqrt(gradient @ covariance @ gradient)),
        low=end(-half),
        high=end(half),
        p_value=p_value,
        odds_ratio=float(np.exp(choice)),
    )


# --------------------------------------------------------------------------- the basis


def _standardised(columns: Floats) -> Floats:
    """Returns each of the (columns, rows) with mean zero and variance one; constant columns become zero."""
    centred = columns - columns.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=1, keepdims=True))
    constant = spread <= _ROUNDING * np.abs(columns).max(axis=1, keepdims=True)
    return np.where(constant, 0, centred / np.where(constant, 1, spread))


def _natural_spline(column: Floats, knots: int) -> list[Floats]:
    """Returns the column itself and the restricted cubic terms of its knots; ties may leave fewer."""
    at = np.unique(np.quantile(column, np.linspace(0.05, 0.95, knots)))
    if at.size < 3:
        return [column]

    def cubic(knot: float) -> Floats:
        above = np.maximum(column - knot, 0)
        return above * above * above

    last, before = cubic(at[-1]), cubic(at[-2])
    line = (before - last) / (at[-1] - at[-2])
    return [column, *((cubic(knot) - last) / (at[-1] - knot) - line for knot in at[:-2])]
