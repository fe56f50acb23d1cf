"""Sums and quotients of measured numbers that do not depend on the order of rows, nor on how many there are.

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


def quotient(values: pl.Expr, by: float, decimals: int) -> pl.Expr:
    """Values divided by a number, to so many decimals: as many as the source tells, or more.

    Polars divides many values by multiplying with the reciprocal, and one value in earnest: without rounding the last
    digit of a row hangs on whether it comes alone.

    >>> rows = pl.DataFrame({"cm": [707, 1, 2]})
    >>> metres = quotient(pl.col("cm"), 100, 8)
    >>> rows.select(metres)["cm"][0] == rows.head(1).select(metres)["cm"][0] == 7.07
    True
    """
    return (values / by).round(decimals)


def exact_mean(values: pl.Expr, decimals: int = 9) -> pl.Expr:
    """The mean of values, in the same way; null where there are none."""
    return pl.when(values.count() > 0).then(exact_sum(values, decimals) / values.count())
