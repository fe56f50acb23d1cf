"""Random streams: that the numbers are random, the same everywhere, and distributed as asked."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from gamestats_assets.demo_data.generator.random_streams import ImpossibleRangeError, Streams, quantile_table
from gamestats_assets.demo_data.rules.model import ValueRange

STREAMS = Streams(7)
MANY = np.arange(100_000, dtype=np.uint64)
WORD = 2**64


def finalised(word: int) -> int:
    """The finaliser of splitmix64, in Python's own whole numbers."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % WORD
    return word ^ (word >> 31)


def plain_bits(seed: int, stream: str, user: int, counter: int) -> int:
    digest = hashlib.blake2b(stream.encode(), key=str(seed).encode(), digest_size=16).digest()
    of_users, of_counters = (int.from_bytes(digest[i : i + 8], "little") for i in (0, 8))
    first = finalised((user * 0x9E3779B97F4A7C15 + of_users) % WORD)
    return finalised(first ^ ((counter * 0xD1342543DE82EF95 + of_counters) % WORD))


def chi_square(counts: np.ndarray) -> float:
    """Probability of counts at least this uneven, were all equally likely."""
    return float(stats.chisquare(counts.ravel()).pvalue)


# --------------------------------------------------------------------------- the same everywhere


@given(
    seed=st.integers(0, 2**63 - 1),
    stream=st.text(max_size=10),
    user=st.integers(0, WORD - 1),
    counter=st.integers(-(2**63), 2**63 - 1),
)
def test_bits_are_those_of_whole_number_arithmetic(seed: int, stream: str, user: int, counter: int) -> None:
    found = Streams(seed).bits(stream, np.array([user], dtype=np.uint64), np.array([counter], dtype=np.int64))
    assert found.tolist() == [plain_bits(seed, stream, user, counter % WORD)]


def test_a_user_s_numbers_depend_on_no_chunk_and_no_other_user() -> None:
    users, counters = np.repeat(MANY[:3000], 7), np.tile(np.arange(7), 3000)
    whole = STREAMS.normal("wait", users, counters)
    order = np.random.default_rng(1).permutation(users.size)
    assert (STREAMS.normal("wait", users[order], counters[order]) == whole[order]).all()
    chunks = [STREAMS.normal("wait", users[at : at + 999], counters[at : at + 999]) for at in range(0, users.size, 999)]
    assert (np.concatenate(chunks) == whole).all()
    assert STREAMS.normal("wait", np.array([2999], dtype=np.uint64), np.arange(7)).tolist() == whole[-7:].tolist()


# --------------------------------------------------------------------------- random


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", MANY, 0), ("b", MANY, 0), id="streams"),
        pytest.param(("a", MANY, 0), ("a", MANY, 1), id="counters"),
        pytest.param(("a", MANY, 0), ("a", MANY + np.uint64(1), 0), id="users"),
        pytest.param(("a", MANY, 5), ("a", 5, MANY), id="users and counters exchanged"),
    ],
)
def test_numbers_side_by_side_are_independent(one: tuple, other: tuple) -> None:
    x, y = STREAMS.uniform(*one), STREAMS.uniform(*other)
    different = x != y
    x, y = x[different], y[different]
    assert x.size > 99_990
    assert abs(np.corrcoef(x, y)[0, 1]) < 5 / math.sqrt(x.size)
    together, *_ = np.histogram2d(x, y, bins=16, range=((0, 1), (0, 1)))
    assert chi_square(together) > 1e-5


# --------------------------------------------------------------------------- distributions


def test_integers_are_equally_likely_within_their_bounds() -> None:
    found = STREAMS.integers("die", MANY, 0, 1, 7)
    assert set(found.tolist()) == {1, 2, 3, 4, 5, 6}
    assert chi_square(np.bincount(found)[1:]) > 1e-5
    low = np.array([-5, 0, 10**15])
    found = STREAMS.integers("x", MANY[:1000, None], 0, low, low + np.array([1, 3, 2]))
    assert [set(found[:, place].tolist()) for place in range(3)] == [{-5}, {0, 1, 2}, {10**15, 10**15 + 1}]


@pytest.mark.parametrize(("distribution", "law"), [("normal", "norm"), ("exponential", "expon")])
def test_numbers_have_their_distribution_and_scale(distribution: str, law: str) -> None:
    draw = getattr(STREAMS, distribution)
    found = draw("height", MANY, 0)
    assert np.isfinite(found).all()
    assert stats.kstest(found, law).pvalue > 1e-4
    scales = np.array([2.0, 30.0])
    scaled = draw("height", MANY[:9, None], 0, *((170, scales) if distribution == "normal" else (scales,)))
    assert scaled == pytest.approx(found[:9, None] * scales + (170 if distribution == "normal" else 0))


@pytest.mark.parametrize("mean", [0.05, 0.7, 4.5, 60])
def test_geometric_counts(mean: float) -> None:
    found = STREAMS.geometric("events", MANY, 0, mean)
    assert found.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean * (mean + 1) / MANY.size))
    for count in range(4):
        share = mean**count / (1 + mean) ** (count + 1)
        assert (found == count).mean() == pytest.approx(share, abs=5 * math.sqrt(share / MANY.size))
    each = STREAMS.geometric("events", MANY, 0, np.where(MANY % 2 == 0, 0.0, mean))
    assert not each[::2].any()
    assert (each[1::2] == found[1::2]).all()


def test_choice_is_by_weight() -> None:
    found = STREAMS.choice("country", MANY, 0, [0, 1, 1, 4, 4])
    assert set(found.tolist()) == {1, 3}
    assert (found == 1).mean() == pytest.approx(0.25, abs=0.007)


@pytest.mark.parametrize("weights", [[], [0.0], [1.0, 0.5], [-1.0, 2.0], [1.0, math.inf]])
def test_weights_that_mean_nothing(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="cumulative weights"):
        STREAMS.choice("country", MANY, 0, weights)


# --------------------------------------------------------------------------- ranges

EVEN = (np.arange(2**16) + 0.5) / 2**16 + (STREAMS.uniform("even", np.arange(2**16)) - 0.5) / 2**16
"""Random numbers, one in each of 65,536 equal parts: the mean of what they give is nearly exact."""


@st.composite
def ranges(draw: st.DrawFn) -> ValueRange:
    """Ranges of many sizes, with a mean anywhere and a spread from little to nearly the largest."""
    integer = draw(st.booleans())
    low = draw(st.integers(-10_000, 10_000))
    width = draw(st.integers(1, 10 ** draw(st.integers(1, 9))))
    share = draw(st.floats(0.001, 0.999))
    mean = low + width * share
    part = mean - math.floor(mean)
    smallest = math.sqrt(part * (1 - part)) if integer else 0.0
    largest = math.sqrt((mean - low) * (low + width - mean))
    spread = draw(st.one_of(st.none(), st.floats(smallest, max(smallest, 0.97 * largest))))
    return ValueRange(min=low, max=low + width, mean=mean, spread=spread, integer=integer)


@settings(max_examples=60)
@given(ranges())
@example(ValueRange(min=1, max=150, mean=50))
@example(ValueRange(min=0, max=1_000_000, mean=50_000))
@example(ValueRange(min=0, max=1_000_000, mean=2.5, spread=1))
@example(ValueRange(min=0, max=1, mean=0.01, spread=0.05, integer=False))
@example(ValueRange(min=0, max=1, mean=0.3))
@example(ValueRange(min=0, max=1_000_000, mean=500_000, spread=1, integer=False))
@example(ValueRange(min=0, max=1_000_000, mean=500_000, spread=2))
@example(ValueRange(min=0, max=1e9, mean=1, spread=1, integer=False))
def test_a_range_has_its_mean_its_spread_and_its_bounds(wanted: ValueRange) -> None:
    found = quantile_table(wanted).sample(EVEN)
    assert wanted.mean is not None
    assert wanted.min <= found.min() <= found.max() <= wanted.max
    nearer = min(wanted.max - wanted.mean, wanted.mean - wanted.min)
    # Rounding up or down at random is off by five standard errors of a coin at most.
    by_chance = 5 * 0.5 / math.sqrt(EVEN.size) if wanted.integer else 0.0
    assert found.mean() == pytest.approx(wanted.mean, abs=0.01 * nearer + by_chance)
    if wanted.integer:
        assert (found == np.round(found)).all()
    # What happens to fewer than one in 2,048 has no place in the table.
    if wanted.spread is not None and wanted.spread > 1e-3:
        is_rare = nearer < 0.01 * (wanted.max - wanted.min)
        tolerance = (0.2 if is_rare else 0.03) * wanted.spread + by_chance
        assert found.std() == pytest.approx(wanted.spread, abs=tolerance)


@pytest.mark.parametrize(
    ("wanted", "spread"),
    [
        (ValueRange(min=0, max=12, integer=False), 2.0),
        (ValueRange(min=0, max=100, mean=1, integer=False), 0.75),
        (ValueRange(min=0, max=100, mean=98, integer=False), 1.5),
        (ValueRange(min=0, max=60), 10.0),
        (ValueRange(min=0, max=1, mean=0.2), 0.4),
        (ValueRange(min=1, max=4), 0.5),
    ],
)
def test_spread_where_none_is_given(wanted: ValueRange, spread: float) -> None:
    assert quantile_table(wanted).sample(EVEN).std() == pytest.approx(spread, rel=0.01)


@pytest.mark.parametrize(
    ("wanted", "only"),
    [
        (ValueRange(min=3, max=3), 3.0),
        (ValueRange(min=2.5, max=2.5, integer=False), 2.5),
        (ValueRange(min=0, max=10, mean=0), 0.0),
        (ValueRange(min=0, max=10, mean=10), 10.0),
        (ValueRange(min=0, max=10, mean=4, spread=0), 4.0),
        (ValueRange(min=0.5, max=1.5), 1.0),
    ],
)
def test_ranges_of_one_value(wanted: ValueRange, only: float) -> None:
    assert set(quantile_table(wanted).sample(EVEN).tolist()) == {only}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        pytest.param(
            ValueRange(min=0, max=10, spread=6),
            "whole numbers from 0 to 10 with a mean of 5 have a spread between 0 and 5, which 6 is not",
            id="too wide",
        ),
        pytest.param(
            ValueRange(min=1, max=2, spread=0.1), "a spread between 0.5 and 0.5, which 0.1 is not", id="too narrow"
        ),
        pytest.param(ValueRange(min=3, max=3, spread=1), "which 1 is not", id="one value"),
        pytest.param(ValueRange(min=0.2, max=0.8), "no whole number between 0.2 and 0.8", id="nothing whole"),
        pytest.param(ValueRange(min=0.5, max=9, mean=0.6), "cannot have a mean of 0.6", id="a mean between"),
        pytest.param(ValueRange(min=-math.inf, max=1), "two bounds that are numbers", id="no bound"),
        pytest.param(ValueRange(min=-1.7e308, max=1.7e308), "two bounds that are numbers", id="too far apart"),
    ],
)
def test_ranges_that_no_distribution_has(wanted: ValueRange, message: str) -> None:
    with pytest.raises(ImpossibleRangeError, match=message):
        quantile_table(wanted)
