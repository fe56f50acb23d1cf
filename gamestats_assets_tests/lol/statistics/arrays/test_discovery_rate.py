"""The false discovery rate, against statsmodels."""

from __future__ import annotations

import math

import numpy as np
from statsmodels.stats.multitest import multipletests

from gamestats_assets.lol.statistics.arrays.discovery_rate import q_values


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
