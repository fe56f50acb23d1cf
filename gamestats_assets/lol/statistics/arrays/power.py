"""Probability that a two-sided test finds an effect of a given size.

Rows must be independent; for rows that come in matches, divide the number of rows by the design effect. Arguments are
arrays or numbers, and the result has their common shape.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ALPHA = 0.05
"""Default rate of false finds of a test."""

Floats = npt.NDArray[np.float64]


def power_of_rates(
    effect: npt.ArrayLike,
    base: npt.ArrayLike,
    games: npt.ArrayLike,
    games_rest: npt.ArrayLike,
    alpha: npt.ArrayLike = ALPHA,
) -> Floats:
    """Returns the power of the score test of a difference of two proportions, by its normal approximation (Fleiss,
    Levin and Paik, Statistical Methods for Rates and Proportions, chapter 4): the test's error assumes equal rates, the
    estimate's the actual rates.

    Args:
        effect: difference between the rate of the arm and the base, 0..1.
        base: rate of the rest.
        games: games in the arm.
        games_rest: games in the rest.
        alpha: p-value below which an effect counts as found.

    Returns:
        Probabilities; nan unless base, and base plus effect, are within 0 and 1.
    """
    from scipy.special import ndtr, ndtri

    found, rate = np.asarray(effect, dtype=float), np.asarray(base, dtype=float)
    n, moved = np.asarray(games, dtype=float), rate + found
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = np.asarray(games_rest, dtype=float)
        pooled = (n * moved + rest * rate) / (n + rest)
        equal = pooled * (1 - pooled) * (1 / n + 1 / rest)
        actual = moved * (1 - moved) / n + rate * (1 - rate) / rest
        needed = -ndtri(np.asarray(alpha, dtype=float) / 2) * np.sqrt(equal)
        error = np.sqrt(actual)
        power = ndtr((found - needed) / error) + ndtr((-found - needed) / error)
    possible = (rate >= 0) & (rate <= 1) & (moved >= 0) & (moved <= 1)
    return np.where(possible, power, np.nan)
