"""Sums of measured numbers that do not depend on the order of rows.

Floating point adds up to another last digit in another order, and rows come in whatever order files are read. What is
made again from the same rows must be the same, or all that follows would be made again, too.
"""

from __future__ import annotations

import polars as pl


def exact_sum(values: pl.Expr, decimals: int = 9) -> pl.Expr:
    """The sum of values, each taken to so many decimals.

    >>> rows = pl.DataFrame({"m": [0.1, 0.2, 0.3]})
    >>> rows.select(exact_sum(pl.col("m"))).item() == rows.reverse().select(exact_sum(pl.col("m"))).item() == 0.6
    True
    """
    whole = (values.cast(pl.Float64) * 10.0**decimals).round().cast(pl.Int128)
    return whole.sum().cast(pl.Float64) / 10.0**decimals


def exact_mean(values: pl.Expr, decimals: int = 9) -> pl.Expr:
    """The mean of values, in the same way; null where there are none."""
    return pl.when(values.count() > 0).then(exact_sum(values, decimals) / values.count())
