"""The false discovery rate over a whole family of tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]


def q_values(p: npt.ArrayLike) -> Floats:
    """Returns Benjamini and Hochberg's q-value of each p-value (1995): the smallest level at which the test is found.

    A p-value of nan stands for a test that was not made: its q-value is nan, and it is not counted.
    """
    given = np.asarray(p, dtype=float)
    made = np.flatnonzero(~np.isnan(given))
    q = np.full(given.shape, np.nan)
    # From the largest down, each q-value is at most the one above it. SciPy's own function takes 0.4 s to load.
    greatest_first = made[np.argsort(given[made])[::-1]]
    ranks = np.arange(len(made), 0, -1)
    q[greatest_first] = np.minimum.accumulate(np.minimum(given[greatest_first] * (len(made) / ranks), 1))
    return q


def q_value(p: pl.Expr) -> pl.Expr:
    """Returns `q_values` of a column of p-values; null where the p-value is null."""
    q = p.fill_null(float("nan")).map_batches(
        lambda values: pl.Series(q_values(values.to_numpy())), return_dtype=pl.Float64
    )
    return q.fill_nan(None)
