"""Planted truths are found again, and wrong ones are refused, in data that plain random numbers made."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm

from gamestats_assets.demo_data.findings.measure import measure
from gamestats_assets.demo_data.findings.measured import Conversion, DirtFound, Measured
from gamestats_assets.demo_data.findings.truths import LEVEL, interval, verify
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConversionTruth,
    Dirt,
    ExperimentTruth,
    RetentionTruth,
    SeasonalityTruth,
    Truth,
)
from gamestats_assets_tests.demo_data.findings.planted_logs import (
    CURVE,
    DAYS,
    LOOK_TO_CART,
    RATE_A,
    RATE_B,
    RATES,
    RULES,
    START,
    TAXONOMY,
    WEEKDAY,
    planted_stall,
    write_by_day,
    write_soiled,
)

USERS = 2000
RETENTION = RetentionTruth(curve=CURVE)
CONVERSION = ConversionTruth(from_event="look", to_event="cart", rate=LOOK_TO_CART)
EXPERIMENT = ExperimentTruth(name="till", from_event="cart", to_event="pay", rate_a=RATE_A, lift=RATE_B / RATE_A - 1)
SEASON = SeasonalityTruth(weekday=WEEKDAY)


def run(*truths: Truth, **more: Any) -> Configuration:
    return Configuration(**{"users": USERS, "days": DAYS, "start": START, "truths": list(truths), **more})


PLANTED = run(RETENTION, CONVERSION, EXPERIMENT, SEASON)


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stall")
    write_by_day(folder, planted_stall(seed=1, users=USERS))
    return folder


@pytest.fixture(scope="module")
def clean(stall: Path) -> Measured:
    return measure(stall, TAXONOMY, RULES, PLANTED)


@pytest.fixture(scope="module")
def soiled(stall: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """The same records with dirt."""
    folder = tmp_path_factory.mktemp("soiled")
    records = [json.loads(line) for path in sorted(stall.iterdir()) for line in path.open()]
    write_soiled(folder, records, seed=3)
    return measure(folder, TAXONOMY, RULES, PLANTED)


def verdict_on(measured: Measured, truth: Truth) -> list[bool | None]:
    return [verdict.holds for verdict in verify(measured, run(truth))]


def test_every_planted_truth_is_found(clean: Measured) -> None:
    verdicts = verify(clean, PLANTED)
    assert [v.truth for v in verdicts] == ["retention"] * 3 + ["conversion"] + ["experiment"] * 4 + ["seasonality"] * 7
    assert all(verdict.holds for verdict in verdicts), verdicts


def test_what_is_found_is_near_and_its_interval_narrow(clean: Measured) -> None:
    found = {verdict.what: verdict for verdict in verify(clean, PLANTED)}
    day_1 = found["day 1 after the sign-up"]
    assert day_1.n == sum(clean.sign_ups[:-1])
    assert day_1.low < 0.5 < day_1.high
    assert day_1.high - day_1.low < 0.12
    assert found["till: lift of B over A"].found == pytest.approx(0.3, abs=0.1)
    saturday = found["Saturday"]
    assert saturday.planted == pytest.approx(7 * 2 / sum(WEEKDAY))
    assert saturday.found == pytest.approx(saturday.planted, rel=0.05)
    assert saturday.high / saturday.low < 1.2


@pytest.mark.parametrize(
    "wrong",
    [
        RetentionTruth(curve={1: 0.62}),
        RetentionTruth(curve={1: 0.5, 3: 0.35, 7: 0.33}),
        ConversionTruth(from_event="look", to_event="cart", rate=0.45),
        ConversionTruth(from_event="look", to_event="cart", rate=0.35),
        ExperimentTruth(name="till", from_event="cart", to_event="pay", rate_a=0.3, lift=0),
        ExperimentTruth(name="till", from_event="cart", to_event="pay", rate_a=0.36, lift=0.08),
        SeasonalityTruth(weekday=[1] * 7),
        SeasonalityTruth(weekday=[1, 1, 1, 1.1, 1.3, 1.5, 1.8]),
        SeasonalityTruth(weekday=[1.8, 1, 1, 1, 1.1, 1.3, 2]),
    ],
)
def test_a_wrong_truth_is_refused(clean: Measured, wrong: Truth) -> None:
    assert False in verdict_on(clean, wrong)


def test_truths_are_found_in_spite_of_dirt(soiled: Measured) -> None:
    assert all(verdict.holds for verdict in verify(soiled, PLANTED) if verdict.truth != "dirt")


def test_each_kind_of_dirt_is_found_at_its_rate(soiled: Measured) -> None:
    verdicts = verify(soiled, run(dirt=Dirt(**RATES)))
    assert {verdict.what.replace(" ", "_"): verdict.planted for verdict in verdicts} == RATES
    assert all(verdict.holds for verdict in verdicts), verdicts
    assert all(verdict.high - verdict.low < 0.02 for verdict in verdicts)


def test_dirt_that_nobody_planted_is_refused_and_none_is_no_verdict(clean: Measured, soiled: Measured) -> None:
    assert verify(clean, run()) == []
    assert len(verify(soiled, run())) == 7
    assert not any(verdict.holds for verdict in verify(soiled, run()))


def test_what_a_run_is_too_short_for_cannot_be_reported(clean: Measured) -> None:
    few = dataclasses.replace(clean, retained=[*clean.retained[:-1], (0, 0)])
    late = verify(few, run(RetentionTruth(curve={1: 0.5, DAYS - 1: 0.1})))
    assert [(verdict.holds, verdict.n > 0) for verdict in late] == [(True, True), (None, False)]
    six = dataclasses.replace(clean, together=np.full((6, 6), 10.0), active_before=[10] * 6)
    assert verdict_on(six, SEASON) == [None] * 7
    nothing = dict.fromkeys(clean.conversions, Conversion(0, 0))
    nobody = dataclasses.replace(clean, retained=[(0, 0)] * DAYS, variants={}, conversions=nothing)
    assert {v.holds for v in verify(nobody, run(RETENTION, CONVERSION, EXPERIMENT))} == {None}


# --------------------------------------------------------------------------- seasons


def regulars(seed: int, days: int, users: int, leaving: float, weekday: list[float]) -> Measured:
    """What is measured of users who were there before: keen ones more than others, some leaving each day."""
    random = np.random.default_rng(seed)
    level = np.array([weekday[(START.weekday() + day) % 7] for day in range(days)]) / max(weekday)
    there = np.arange(days) < random.geometric(leaving, users)[:, None]
    active = there & (random.random((users, days)) < random.beta(4, 2, users)[:, None] * level)
    counted = active.astype(float)
    first = np.bincount(active.argmax(1)[active.any(1)], minlength=days)
    return blank(together=counted.T @ counted, first_seen_before=first.tolist())


def blank(**given: Any) -> Measured:
    """A measurement of nothing but what is given."""
    fields = {field.name: None for field in dataclasses.fields(Measured)}
    clean = DirtFound(**{field.name: 0 for field in dataclasses.fields(DirtFound)})
    return Measured(**{**fields, "configuration": PLANTED, "dirt": clean, **given})


@pytest.mark.parametrize(("days", "leaving"), [(7, 0.02), (10, 0.05), (14, 0.03), (30, 0.03), (60, 0.01)])
def test_a_season_is_found_whatever_the_length_of_the_run_and_however_many_leave(days: int, leaving: float) -> None:
    verdicts = [verify(regulars(seed, days, 4000, leaving, WEEKDAY), run(SEASON)) for seed in range(20)]
    assert all(verdict.holds is not False for of_run in verdicts for verdict in of_run)
    # Of a single week the first day is told apart from the leaving by nothing.
    assert [verdict.holds is None for verdict in verdicts[0]].count(True) == (days == 7)
    flat = verify(regulars(1, days, 4000, leaving, WEEKDAY), run(SeasonalityTruth(weekday=[1] * 7)))
    assert False in [verdict.holds for verdict in flat]


def test_the_interval_of_a_weekday_covers_as_often_as_it_says() -> None:
    """Errors in units of their standard deviation are standard normal: the interval is 3.8 of them to each side."""
    errors = []
    for seed in range(60):
        for verdict in verify(regulars(seed, 14, 3000, 0.02, WEEKDAY), run(SEASON)):
            middle = np.sqrt(verdict.low * verdict.high)
            errors.append(np.log(middle / verdict.planted) / (np.log(verdict.high / verdict.low) / 2 / 3.8))
    assert 0.8 < np.std(errors) < 1.1


# --------------------------------------------------------------------------- intervals


@pytest.mark.parametrize(("k", "n"), [(0, 50), (3, 50), (25, 50), (50, 50), (700, 12_345)])
def test_an_interval_is_the_exact_one(k: int, n: int) -> None:
    exact = binomtest(k, n).proportion_ci(LEVEL, method="exact")
    assert interval(k / n, n, LEVEL) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(("n", "share"), [(30, 0.02), (100, 0.01), (400, 0.3), (1000, 0.999)])
def test_a_true_share_is_refused_once_in_a_thousand_at_most(n: int, share: float) -> None:
    covered = [k for k in range(n + 1) if interval(k / n, n, LEVEL)[0] <= share <= interval(k / n, n, LEVEL)[1]]
    assert binom.pmf(covered, n, share).sum() >= LEVEL


def test_the_interval_of_a_lift_is_that_of_the_logarithm_of_the_ratio(clean: Measured) -> None:
    """300 of 1,000 against 390 of 1,000: the logarithm's variance is 1/300 - 1/1000 + 1/390 - 1/1000."""
    of_variant = {"till:A": Conversion(1000, 300), "till:B": Conversion(1000, 390)}
    conversions = {("cart", "pay", variant): found for variant, found in of_variant.items()}
    verdicts = verify(dataclasses.replace(clean, conversions=conversions), run(EXPERIMENT))
    (lift,) = [verdict for verdict in verdicts if verdict.unit == "change"]
    half = norm.ppf(1 - (1 - LEVEL) / 4 / 2) * math.sqrt(1 / 300 + 1 / 390 - 2 / 1000)
    assert lift.found == pytest.approx(0.3)
    assert lift.low == pytest.approx(1.3 * math.exp(-half) - 1, abs=0.002)
    assert lift.high == pytest.approx(1.3 * math.exp(half) - 1, abs=0.002)
