"""Power: against simulated games."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gamestats_assets.lol.statistics.arrays.power import power_of_rates


@pytest.mark.parametrize(("base", "effect", "games", "rest"), [(0.5, 0.1, 250, 400), (0.3, -0.06, 300, 2_000)])
def test_as_many_simulated_differences_are_found(base: float, effect: float, games: int, rest: int) -> None:
    random, reps = np.random.default_rng(1), 40_000
    won, won_rest = random.binomial(games, base + effect, reps), random.binomial(rest, base, reps)
    pooled = (won + won_rest) / (games + rest)
    z = (won / games - won_rest / rest) / np.sqrt(pooled * (1 - pooled) * (1 / games + 1 / rest))
    found = (2 * stats.norm.sf(np.abs(z)) < 0.01).mean()
    assert power_of_rates(effect, base, games, rest, 0.01) == pytest.approx(found, abs=0.012)


def test_rates_that_cannot_be_have_no_power() -> None:
    assert np.isnan(power_of_rates([0.6, -0.6, 0.1], 0.5, 100, 100)).tolist() == [True, True, False]


def test_what_cannot_be_missed_has_a_power_of_one() -> None:
    result = power_of_rates(np.linspace(0.01, 0.45, 500), 0.5, 5_000, 100_000)
    assert ((result >= 0) & (result <= 1)).all()
    assert (np.diff(result) >= -1e-12).all()
    assert result[-1] == 1
    assert math.isnan(power_of_rates(math.nan, 0.5, 100, 100))
