"""What the tables of patterns must keep together, beyond what each declares by itself."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lol.patterns.patterns import LEVEL
from gamestats_assets.lol.patterns.tables import DiscoveredPatterns, PatternTests


@breaking_rows(of=PatternTests)
def q_values_are_of_one_family(tests: dy.LazyFrame[PatternTests]) -> pl.LazyFrame:
    """q is Benjamini and Hochberg's over all tests of the patch; what is found has a q of 0.05 or less.

    So it is of the discovery half alone. What could not be tested counts as a p of 1, and has no q.
    """
    over = tests.with_columns(
        rows=pl.len().over("patch"),
        expected_q=_expected_q("p_value"),
        expected_half_q=_expected_q("discovery_p_value"),
    )
    is_low = (pl.col("q_value") <= LEVEL).fill_null(value=False)
    wrong = _differ("q_value", "expected_q") | _differ("discovery_half_q_value", "expected_half_q")
    wrong |= pl.col("tests").ne_missing(pl.col("rows"))
    return over.filter(wrong | pl.col("is_found").ne_missing(is_low)).select(
        "patch", "pattern_id", "p_value", "q_value", "expected_q", "discovery_half_q_value", "expected_half_q", "tests",
        "rows", "is_found",
    )  # fmt: skip


def _expected_q(name: str) -> pl.Expr:
    """The q-value of each p-value: the least of p * tests / rank among the tests with as high a p, or a higher one."""
    p = pl.col(name).fill_null(1.0)
    at_least = (p * pl.len() / p.rank("max")).over("patch")
    return pl.when(pl.col(name).is_not_null()).then(at_least.cum_min().over("patch", order_by=p, descending=True))


def _differ(actual: str, expected: str) -> pl.Expr:
    """Whether two columns differ by more than one part in 10⁹, or only one of them is null."""
    apart = (pl.col(actual) - pl.col(expected)).abs() > 1e-9 * pl.col(expected)
    return apart.fill_null(pl.col(actual).is_null() != pl.col(expected).is_null())


@breaking_rows(of=PatternTests)
def what_replicates_was_found_by_one_half(tests: dy.LazyFrame[PatternTests]) -> pl.LazyFrame:
    """Only what the discovery half finds by itself was tried on the held out half; its sign and p tell whether it held.

    It holds where the effect has the same sign and its p there is 0.05 or less. What was not tried, or could not be, is
    neither held nor not.
    """
    is_tried = (pl.col("discovery_half_q_value") <= LEVEL).fill_null(value=False)
    same_sign = pl.col("held_out_effect").sign() == pl.col("discovery_effect").sign()
    held = pl.when(pl.col("held_out_p_value").is_not_null()).then(
        same_sign.fill_null(value=False) & (pl.col("held_out_p_value") <= LEVEL)
    )
    untried = ~is_tried & pl.any_horizontal(pl.col("held_out_effect", "held_out_p_value").is_not_null())
    of_nothing = pl.col("discovery_half_q_value").is_not_null() & pl.col("discovery_effect").is_null()
    return tests.filter(untried | of_nothing | pl.col("is_replicated").ne_missing(held)).select(
        "patch", "pattern_id", "discovery_effect", "discovery_half_q_value", "held_out_effect", "held_out_p_value",
        "is_replicated",
    )  # fmt: skip


@breaking_rows(of=DiscoveredPatterns)
def what_is_found_was_tested(
    patterns: dy.LazyFrame[DiscoveredPatterns], tests: dy.LazyFrame[PatternTests]
) -> pl.LazyFrame:
    """The patterns are the tests that count as found, each once."""
    found = tests.filter("is_found").select("patch", "pattern_id", tested=pl.lit(value=True))
    own = patterns.select("patch", "pattern_id", is_pattern=pl.lit(value=True))
    return own.join(found, on=["patch", "pattern_id"], how="full", coalesce=True).filter(
        pl.col("tested").is_null() | pl.col("is_pattern").is_null()
    )


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
