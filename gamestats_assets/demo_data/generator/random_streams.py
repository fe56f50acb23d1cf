"""Random numbers that are looked up rather than drawn one after another.

A number is a function of the run's seed, the name of a stream, a user and a counter, and of nothing else. So a user's
data do not depend on how work is divided among chunks and processes, nor on which other users there are.

Bits come from integer arithmetic alone. What follows them are products, sums and table look-ups, which every machine
rounds alike. The tables of distributions keep 32 binary digits, so that the last ones, on which two mathematical
libraries differ, do not survive.

Arrays of users and counters are broadcast against each other; a result has their common shape.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data.rules.model import ValueRange
from gamestats_assets.lakehouse.errors import GamestatsError

Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
WholeNumbers = npt.NDArray[np.integer] | int
"""Users or counters: any whole numbers; negative ones count as their two's complement."""

_USER_STEP = np.uint64(0x9E3779B97F4A7C15)
_COUNTER_STEP = np.uint64(0xD1342543DE82EF95)
# Rounds of the finaliser of splitmix64: shift, multiplier.
_ROUNDS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST_SHIFT = np.uint64(31)
_BLOCK = 8192  # words that stay in a core's cache together with their copy
_LARGEST_POISSON_MEAN = 200.0


class ImpossibleRangeError(GamestatsError):
    """No distribution has the mean and the spread that a range asks for."""


def _words(numbers: WholeNumbers) -> Words:
    if isinstance(numbers, int):
        return np.array([numbers & (2**64 - 1)], dtype=np.uint64)
    return np.atleast_1d(numbers).astype(np.uint64, copy=False)


def _mix(words: Words, copy: Words) -> None:
    """Scramble words in place, `copy` being room for as many: every bit comes to depend on every other."""
    for shift, multiplier in _ROUNDS:
        np.right_shift(words, shift, out=copy)
        np.bitwise_xor(words, copy, out=words)
        np.multiply(words, multiplier, out=words)
    np.right_shift(words, _LAST_SHIFT, out=copy)
    np.bitwise_xor(words, copy, out=words)


@dataclass(frozen=True)
class Streams:
    """The random numbers of one seed.

    A stream is a name for one use of randomness, such as `session start`: two streams have nothing to do with each
    other. Within a stream, a user's numbers are told apart by a counter.
    """

    seed: int
    _keys: dict[str, tuple[np.uint64, np.uint64]] = field(default_factory=dict, repr=False, compare=False)

    def _key(self, stream: str) -> tuple[np.uint64, np.uint64]:
        if stream not in self._keys:
            digest = hashlib.blake2b(stream.encode(), key=str(self.seed).encode(), digest_size=16).digest()
            self._keys[stream] = (
                np.uint64(int.from_bytes(digest[:8], "little")),
                np.uint64(int.from_bytes(digest[8:], "little")),
            )
        return self._keys[stream]

    def bits(self, stream: str, users: WholeNumbers, counters: WholeNumbers = 0) -> Words:
        """64 random bits for each user and counter."""
        of_users, of_counters = self._key(stream)
        shape = np.broadcast_shapes(np.shape(users), np.shape(counters))
        wanted = [np.broadcast_to(_words(numbers), shape or (1,)).reshape(-1) for numbers in (users, counters)]
        result = np.empty(wanted[0].size, dtype=np.uint64)
        copy = np.empty(min(_BLOCK, result.size), dtype=np.uint64)
        for start in range(0, result.size, _BLOCK):
            part = result[start : start + _BLOCK]
            room = copy[: part.size]
            np.multiply(wanted[0][start : start + _BLOCK], _USER_STEP, out=part)
            np.add(part, of_users, out=part)
            _mix(part, room)
            # A counter is mixed in by exclusive or: added, it would make one user's numbers another's, shifted.
            np.multiply(wanted[1][start : start + _BLOCK], _COUNTER_STEP, out=room)
            np.add(room, of_counters, out=room)
            np.bitwise_xor(part, room, out=part)
            _mix(part, room)
        return result.reshape(shape)

    def uniform(self, stream: str, users: WholeNumbers, counters: WholeNumbers = 0) -> Floats:
        """Numbers from 0, included, to 1, excluded: multiples of 2**-53."""
        return (self.bits(stream, users, counters) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(
        self,
        stream: str,
        users: WholeNumbers,
        counters: WholeNumbers,
        low: npt.ArrayLike,
        high: npt.ArrayLike,
    ) -> Integers:
        """Whole numbers from `low`, included, to `high`, excluded; both may be arrays.

        Raises:
            ValueError: where `high` is not above `low`, or by 2**53 or more.
        """
        width = np.asarray(high, dtype=np.int64) - np.asarray(low, dtype=np.int64)
        if (width <= 0).any() or (width >= 2**53).any():
            raise ValueError("integers needs high above low, and less than 2**53 above it")
        return np.asarray(low, dtype=np.int64) + (self.uniform(stream, users, counters) * width).astype(np.int64)

    def normal(
        self,
        stream: str,
        users: WholeNumbers,
        counters: WholeNumbers = 0,
        mean: npt.ArrayLike = 0.0,
        spread: npt.ArrayLike = 1.0,
    ) -> Floats:
        """Normally distributed numbers, none further than 4.4 standard deviations from the mean."""
        return np.asarray(mean) + np.asarray(spread) * _normal().sample(self.uniform(stream, users, counters))

    def exponential(
        self, stream: str, users: WholeNumbers, counters: WholeNumbers, mean: npt.ArrayLike = 1.0
    ) -> Floats:
        """Exponentially distributed numbers, such as waits; none above 11 times the mean."""
        return np.asarray(mean) * _exponential().sample(self.uniform(stream, users, counters))

    def geometric(self, stream: str, users: WholeNumbers, counters: WholeNumbers, mean: npt.ArrayLike) -> Integers:
        """Counts from 0 on, each as likely as the one before times a constant; `mean` may be an array.

        Raises:
            ValueError: where a mean is negative.
        """
        means = np.asarray(mean, dtype=np.float64)
        if (means < 0).any():
            raise ValueError(f"a mean count cannot be negative, {means.min()} is")
        # A geometric count is an exponential time in whole steps; of a mean of 0, no time is a step.
        with np.errstate(divide="ignore"):
            rate = np.log1p(1 / means)
        return (_exponential().sample(self.uniform(stream, users, counters)) / rate).astype(np.int64)

    def poisson(self, stream: str, users: WholeNumbers, counters: WholeNumbers, mean: npt.ArrayLike) -> Integers:
        """Counts from 0 on, of events that do not wait for each other; `mean` may be an array of few distinct means.

        Raises:
            ValueError: where a mean is negative or above 200.
        """
        drawn = self.uniform(stream, users, counters)
        means = np.asarray(mean, dtype=np.float64)
        if means.ndim == 0:
            return np.searchsorted(_poisson_shares(float(means)), drawn, side="right")
        drawn, means = np.broadcast_arrays(drawn, means)
        result = np.empty(drawn.shape, dtype=np.int64)
        for each in np.unique(means):
            of_mean = means == each
            result[of_mean] = np.searchsorted(_poisson_shares(float(each)), drawn[of_mean], side="right")
        return result

    def choice(
        self,
        stream: str,
        users: WholeNumbers,
        counters: WholeNumbers,
        cumulative_weights: Sequence[float] | Floats,
    ) -> Integers:
        """Indexes into `cumulative_weights`, each as often as its weight says; one of weight 0 never.

        Args:
            cumulative_weights: running totals of the weights; the last one is the total, which need not be 1.

        Raises:
            ValueError: when they are empty, fall somewhere, or end at 0.
        """
        totals = np.asarray(cumulative_weights, dtype=np.float64)
        if totals.size == 0 or totals[0] < 0 or (np.diff(totals) < 0).any() or not 0 < totals[-1] < math.inf:
            raise ValueError("cumulative weights must rise from 0 on to a total above it")
        return np.searchsorted(totals, self.uniform(stream, users, counters) * totals[-1], side="right")


# --------------------------------------------------------------------------- distributions as tables


@dataclass(frozen=True, eq=False)
class Quantiles:
    """A distribution, as the values below which equal shares of it lie.

    Attributes:
        nodes: smallest value, quantiles at equal steps, largest value; between two of them it is linear.
        whole: whether only whole numbers occur; the bounds are then whole.
    """

    nodes: Floats
    whole: bool = False

    def sample(self, uniform: Floats) -> Floats:
        """The values at some shares, from 0 to 1; random shares give values distributed like this.

        Whole numbers are rounded up as often as keeps their mean; which way follows from digits of the share that are
        too small to matter otherwise.
        """
        cells = self.nodes.size - 1
        position = np.asarray(uniform, dtype=np.float64) * cells
        cell = np.minimum(position.astype(np.int64), cells - 1)
        low = self.nodes[cell]
        values = low + (position - cell) * (self.nodes[cell + 1] - low)
        if not self.whole:
            return np.minimum(values, self.nodes[-1])
        scaled = np.asarray(uniform) * 2.0**32
        return np.minimum(np.floor(values + (scaled - np.floor(scaled))), np.ceil(self.nodes[-1]))


def _reproducible(nodes: Floats) -> Floats:
    digits, exponents = np.frexp(nodes)
    return np.ldexp(np.round(digits * 2.0**32) * 2.0**-32, exponents)


@functools.cache
def _normal(cells: int = 8192) -> Quantiles:
    from statistics import NormalDist

    standard = NormalDist()
    half = np.array([standard.inv_cdf(i / cells) for i in range(1, cells // 2)])
    inner = np.concatenate([half, [0.0], -half[::-1]])
    # The outermost cells reach as far as brings the variance to 1; that of a cell from a to b is (aa + ab + bb) / 3.
    missing = (cells - ((inner[:-1] ** 2 + inner[:-1] * inner[1:] + inner[1:] ** 2) / 3).sum()) / 2
    end = (half[0] + math.sqrt(12 * missing - 3 * half[0] ** 2)) / 2
    return Quantiles(_reproducible(np.concatenate([[-end], inner, [end]])))


@functools.cache
def _exponential(cells: int = 8192) -> Quantiles:
    inner = -np.log1p(-np.arange(cells) / cells)
    # The last cell reaches as far as brings the mean to 1.
    missing = cells - ((inner[:-1] + inner[1:]) / 2).sum()
    return Quantiles(_reproducible(np.concatenate([inner, [2 * missing - inner[-1]]])))


@functools.cache
def _poisson_shares(mean: float) -> Floats:
    """Shares of counts that are at most 0, 1, 2, ..., to the last one below 1."""
    if not 0 <= mean <= _LARGEST_POISSON_MEAN:
        raise ValueError(f"a Poisson mean lies between 0 and {_LARGEST_POISSON_MEAN:g}, {mean} does not")
    share = total = math.exp(-mean)
    shares = []
    while total < 1 and (share > 1e-17 or len(shares) < mean):
        shares.append(total)
        share *= mean / len(shares)
        total += share
    return np.array(shares)


# --------------------------------------------------------------------------- ranges

_CELLS = 2048


def quantile_table(wanted: ValueRange) -> Quantiles:
    """A distribution within a range, of its mean and its spread: a scaled beta distribution.

    Without a mean it is the middle. Without a spread it is a sixth of the width, or three quarters of the distance
    from the mean to the nearer bound if that is less. Of whole numbers the bounds are the outermost whole numbers
    within them. The table has 2,048 steps: what should be rarer than one of them is missing from the spread.

    Raises:
        ImpossibleRangeError: when nothing that stays within the bounds has the mean, or the spread: the largest one is
            that of a value which is always at one bound or the other; whole numbers around a mean that is none have
            a smallest one, too. Or when the bounds are no numbers, or no whole number lies between them.
    """
    return _table(wanted.min, wanted.max, wanted.mean, wanted.spread, wanted.integer)


@functools.lru_cache(maxsize=65536)
def _table(least: float, most: float, asked_mean: float | None, asked_spread: float | None, whole: bool) -> Quantiles:
    low, high, mean = _bounds(least, most, asked_mean, whole)
    width = high - low
    share = (mean - low) / width if width else 0.0
    largest = math.sqrt((mean - low) * (high - mean))
    part = mean - math.floor(mean)
    smallest = math.sqrt(part * (1 - part)) if whole else 0.0
    spread = asked_spread
    if spread is None:
        spread = min(max(min(width / 6, 0.75 * min(mean - low, high - mean)), smallest), largest)
    if not smallest * (1 - 1e-9) <= spread <= largest * (1 + 1e-9):
        numbers = "whole numbers" if whole else "numbers"
        raise ImpossibleRangeError(
            f"{numbers} from {low:g} to {high:g} with a mean of {mean:g} have a spread between {smallest:.6g} and "
            f"{largest:.6g}, which {spread:g} is not; change the spread, the mean or the bounds"
        )
    if not width or not largest:
        return Quantiles(np.full(2, mean), whole)
    before_rounding = _before_rounding(low, width, share, spread, largest) if whole else spread
    nodes = low + width * _beta(share, min(before_rounding, largest) / width, _CELLS)
    return Quantiles(np.clip(nodes, low, high), whole)


def _bounds(least: float, most: float, asked_mean: float | None, whole: bool) -> tuple[float, float, float]:
    """Smallest value, largest value and mean."""
    low, high = least, most
    if not math.isfinite(high - low):
        raise ImpossibleRangeError(f"a range needs two bounds that are numbers; these are {low:g} and {high:g}")
    if whole:
        low, high = float(math.ceil(low)), float(math.floor(high))
    if low > high:
        raise ImpossibleRangeError(
            f"there is no whole number between {least:g} and {most:g}; widen the range, or let its values have decimals"
        )
    mean = low + (high - low) / 2 if asked_mean is None else asked_mean
    if not low <= mean <= high:
        raise ImpossibleRangeError(f"whole numbers from {low:g} to {high:g} cannot have a mean of {mean:g}")
    return low, high, mean


def _before_rounding(low: float, width: float, share: float, spread: float, largest: float) -> float:
    """The spread that becomes `spread` when values are rounded up or down at random, which adds to it."""
    if spread > 100:
        return spread

    def excess(candidate: float) -> float:
        nodes = low + width * _beta(share, candidate / width, 256)
        fine = (nodes[:-1, None] + np.diff(nodes)[:, None] * (np.arange(8) + 0.5) / 8).ravel()
        fraction = fine - np.floor(fine)
        return candidate**2 + float((fraction * (1 - fraction)).mean()) - spread**2

    from scipy.optimize import brentq

    most = min(spread, largest)
    if excess(0) >= 0:
        return 0.0
    if excess(most) <= 0:
        return most
    found: Any = brentq(excess, 0, most, xtol=1e-3 * spread)
    return found


def _beta(share: float, spread: float, cells: int) -> Floats:
    """Quantiles of a distribution on 0 to 1, whose mean is `share`."""
    from scipy.special import betainc, betaincinv

    most = share * (1 - share)
    if spread < 1e-12 * math.sqrt(most):
        return np.full(cells + 1, share)
    size = most / spread**2 - 1
    one, other = share * size, (1 - share) * size
    if min(one, other) > 1e6:
        return share + spread * _normal(cells).nodes
    steps = np.arange(cells + 1) / cells
    if size < 1e-3:
        nodes = (steps >= 1 - share).astype(np.float64)
    else:
        nodes = betaincinv(one, other, steps)
        # The outermost cells end where that gives them their mean: a long tail is not spread evenly up to the bound.
        below = share * cells * betainc(one + 1, other, nodes[1])
        above = 1 - (1 - share) * cells * betainc(other + 1, one, 1 - nodes[-2])
        nodes[0] = min(max(2 * below - nodes[1], 0.0), nodes[1])
        nodes[-1] = max(min(2 * above - nodes[-2], 1.0), nodes[-2])
    mean = ((nodes[:-1] + nodes[1:]) / 2).mean()
    # Cells are straight where the distribution is not: bring the mean back, without leaving the bounds.
    return _reproducible(nodes * (share / mean) if mean > share else 1 - (1 - nodes) * ((1 - share) / (1 - mean)))
