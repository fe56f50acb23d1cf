"""Checks across the tables of patterns, beyond each table's own rules."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lol.patterns.patterns import LEVEL
from gamestats_assets.lol.patterns.tables import DiscoveredPatterns, PatternTests


@breaking_rows(of=PatternTests)
def q_values_are_of_one_family(tests: dy.LazyFrame[PatternTests]) -> pl.LazyFrame:
    """q is Benjamini and Hochberg's over all tests of the patch, and found tests have a q of at most 0.05.

    The same holds for the discovery half alone. Hypotheses that could not be tested count as a p of 1 and have no q.
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
    """Returns the q-value of each p-value: the minimum of p * tests / rank over all tests with an equal or higher p."""
    p = pl.col(name).fill_null(1.0)
    at_least = (p * pl.len() / p.rank("max")).over("patch")
    return pl.when(pl.col(name).is_not_null()).then(at_least.cum_min().over("patch", order_by=p, descending=True))


def _differ(actual: str, expected: str) -> pl.Expr:
    """Whether two columns differ by more than one part in 10⁹, or only one of them is null."""
    apart = (pl.col(actual) - pl.col(expected)).abs() > 1e-9 * pl.col(expected)
    return apart.fill_null(pl.col(actual).is_null() != pl.col(expected).is_null())


@breaking_rows(of=PatternTests)
def what_replicates_was_found_by_one_half(tests: dy.LazyFrame[PatternTests]) -> pl.LazyFrame:
    """Only finds of the discovery half were tested on the held out half.

    A pattern is replicated if its effect there has the same sign and its p is at most 0.05. Patterns without such a
    test are neither replicated nor refuted.
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
    """The patterns are exactly the tests that count as found, once each."""
    found = tests.filter("is_found").select("patch", "pattern_id", tested=pl.lit(value=True))
    own = patterns.select("patch", "pattern_id", is_pattern=pl.lit(value=True))
    return own.join(found, on=["patch", "pattern_id"], how="full", coalesce=True).filter(
        pl.col("tested").is_null() | pl.col("is_pattern").is_null()
    )


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
