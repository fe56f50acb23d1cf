"""Sums and quotients of measurements that depend neither on the order nor on the number of rows.

The last digit of a floating-point sum depends on the order of rows, which depends on the order of files. A
recomputation from the same rows must yield the same values, or everything downstream would be made again.
"""

from __future__ import annotations

import polars as pl


def exact_sum(values: pl.Expr, decimals: int = 9) -> pl.Expr:
    """The sum of values, each rounded to a number of decimals.

    >>> rows = pl.DataFrame({"m": [0.1, 0.2, 0.3]})
    >>> rows.select(exact_sum(pl.col("m"))).item() == rows.reverse().select(exact_sum(pl.col("m"))).item() == 0.6
    True
    """
    whole = (values.cast(pl.Float64) * 10.0**decimals).round().cast(pl.Int128)
    return whole.sum().cast(pl.Float64) / 10.0**decimals


def quotient(values: pl.Expr, by: float, decimals: int) -> pl.Expr:
    """Values divided by a number and rounded to at least as many decimals as the source has.

    Polars divides several values by multiplying with the reciprocal, but a single value exactly: without rounding, the
    last digit would depend on whether a row comes alone.

    >>> rows = pl.DataFrame({"cm": [707, 1, 2]})
    >>> metres = quotient(pl.col("cm"), 100, 8)
    >>> rows.select(metres)["cm"][0] == rows.head(1).select(metres)["cm"][0] == 7.07
    True
    """
    return (values / by).round(decimals)


def exact_mean(values: pl.Expr, decimals: int = 9) -> pl.Expr:
    """The mean of values, computed with `exact_sum`; null if there are none."""
    return pl.when(values.count() > 0).then(exact_sum(values, decimals) / values.count())
