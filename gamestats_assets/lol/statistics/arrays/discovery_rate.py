"""The false discovery rate over a whole family of tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]


def q_values(p: npt.ArrayLike) -> Floats:
    """Benjamini and Hochberg's q-value of each p-value (1995): the least level at which the test is found.

    A p-value of nan is of a test that was not made: its q-value is nan and it does not count among the tests.
    """
    given = np.asarray(p, dtype=float)
    made = np.flatnonzero(~np.isnan(given))
    q = np.full(given.shape, np.nan)
    # From the greatest down, each at most what the one above it has. SciPy's own takes 0.4 s to load.
    greatest_first = made[np.argsort(given[made])[::-1]]
    ranks = np.arange(len(made), 0, -1)
    q[greatest_first] = np.minimum.accumulate(np.minimum(given[greatest_first] * (len(made) / ranks), 1))
    return q


def q_value(p: pl.Expr) -> pl.Expr:
    """`q_values` of a column of p-values; null where the p-value is, whose test was not made."""
    q = p.fill_null(float("nan")).map_batches(
        lambda values: pl.Series(q_values(values.to_numpy())), return_dtype=pl.Float64
    )
    return q.fill_nan(None)
