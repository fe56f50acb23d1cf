"""False discovery rate: against a plain reading of the procedure, and by simulation."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from gamestats_assets.lol.statistics.arrays.discovery_rate import q_values


def found_by_hand(p: list[float], level: float) -> list[bool]:
    """Benjamini and Hochberg's step-up procedure: everything up to the last that is at most its share of the level."""
    made = sorted(value for value in p if not math.isnan(value))
    last = max((value for rank, value in enumerate(made, 1) if value <= level * rank / len(made)), default=-1.0)
    return [value <= last for value in p]


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=40), st.sampled_from([0.05, 0.2]))
def test_what_is_found_is_what_the_procedure_finds(p: list[float], level: float) -> None:
    # Where the product and the quotient of the two readings round apart, either may find.
    made = sorted(value for value in p if not math.isnan(value))
    if any(math.isclose(value * len(made) / rank, level, rel_tol=1e-9) for rank, value in enumerate(made, 1)):
        return
    expected = found_by_hand(p, level)
    assert [bool(q <= level) for q in q_values(p)] == expected


def test_q_values_are_those_of_statsmodels_over_the_tests_that_were_made() -> None:
    p = np.random.default_rng(1).random(200) ** 3
    p[::7] = np.nan
    result = q_values(p)
    assert np.isnan(result[::7]).all()
    made = ~np.isnan(p)
    np.testing.assert_allclose(result[made], np.asarray(multipletests(p[made], method="fdr_bh")[1], dtype=float))


def test_no_tests_have_no_q_values() -> None:
    assert q_values([]).size == 0
    assert np.isnan(q_values([math.nan])).all()
