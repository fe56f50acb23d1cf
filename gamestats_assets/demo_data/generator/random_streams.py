"""Random numbers that are looked up rather than drawn in turn.

A number is a function of the run's seed, the name of a stream, a user and a counter, and of nothing else. So a user's
data do not depend on how work is divided among chunks and processes, nor on the other users.

Bits come from integer arithmetic alone and are the same everywhere. Distributions come from SciPy; another version of
it may round the last binary digit of a number differently.

Arrays of users and counters are broadcast against each other; a result has their common shape.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.demo_data.generator.columns import Array, numbers, rounded
from gamestats_assets.demo_data.rules.model import Rules, SegmentAnalysis, ValueRange, holding
from gamestats_assets.lakehouse.errors import GamestatsError

if TYPE_CHECKING:
    from gamestats_assets.demo_data.generator.blueprint import Blueprint
    from gamestats_assets.demo_data.generator.users import Users

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


class ImpossibleRangeError(GamestatsError):
    """No distribution has the mean and the spread of a range."""


def _words(numbers: WholeNumbers) -> Words:
    return np.asarray(numbers & (2**64 - 1) if isinstance(numbers, int) else numbers).astype(np.uint64, copy=False)


def _mix(words: Words) -> Words:
    """Scrambles words in place, so that every bit depends on every other."""
    for shift, multiplier in _ROUNDS:
        words ^= words >> shift
        words *= multiplier
    words ^= words >> _LAST_SHIFT
    return words


@dataclass(frozen=True)
class Streams:
    """The random numbers of one seed.

    A stream is a name for one use of randomness, such as `session start`; two streams are independent. Within a stream,
    a counter separates a user's numbers.
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
        """Returns 64 random bits for each user and counter."""
        of_users, of_counters = self._key(stream)
        with np.errstate(over="ignore"):
            mixed = _mix(np.atleast_1d(_words(users) * _USER_STEP + of_users))
            # The counter is mixed in by exclusive or: added, it would turn one user's numbers into another's, shifted.
            result = _mix(np.atleast_1d(mixed ^ (_words(counters) * _COUNTER_STEP + of_counters)))
        return result.reshape(np.broadcast_shapes(np.shape(users), np.shape(counters)))

    def uniform(self, stream: str, users: WholeNumbers, counters: WholeNumbers = 0) -> Floats:
        """Returns numbers from 0, included, to 1, excluded: multiples of 2**-53."""
        return (self.bits(stream, users, counters) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(
        self, stream: str, users: WholeNumbers, counters: WholeNumbers, low: npt.ArrayLike, high: npt.ArrayLike
    ) -> Integers:
        """Returns whole numbers from `low`, included, to `high`, excluded and above `low`; both may be arrays."""
        first = np.asarray(low, dtype=np.int64)
        return first + (self.uniform(stream, users, counters) * (np.asarray(high) - first)).astype(np.int64)

    def normal(
        self,
        stream: str,
        users: WholeNumbers,
        counters: WholeNumbers = 0,
        mean: npt.ArrayLike = 0.0,
        spread: npt.ArrayLike = 1.0,
    ) -> Floats:
        """Returns normally distributed numbers."""
        from scipy.special import ndtri

        return np.asarray(mean) + np.asarray(spread) * ndtri(self.uniform(stream, users, counters) + 2.0**-54)

    def exponential(
        self, stream: str, users: WholeNumbers, counters: WholeNumbers, mean: npt.ArrayLike = 1.0
    ) -> Floats:
        """Returns exponentially distributed numbers, such as waits."""
        return -np.asarray(mean) * np.log1p(-self.uniform(stream, users, counters))

    def geometric(self, stream: str, users: WholeNumbers, counters: WholeNumbers, mean: npt.ArrayLike) -> Integers:
        """Returns counts from 0, each as likely as the previous one times a constant; `mean` may be an array."""
        # A geometric count is an exponential time in whole steps; with a mean of 0, no time is a step.
        with np.errstate(divide="ignore"):
            rate = np.log1p(1 / np.asarray(mean, dtype=np.float64))
        return (self.exponential(stream, users, counters) / rate).astype(np.int64)

    def choice(
        self, stream: str, users: WholeNumbers, counters: WholeNumbers, cumulative_weights: Sequence[float] | Floats
    ) -> Integers:
        """Returns indexes into `cumulative_weights`, each as often as its weight says; one of weight 0 never.

        Args:
            cumulative_weights: running totals of the weights; the last one is the total, which need not be 1.

        Raises:
            ValueError: when they are empty, fall somewhere, or end at 0.
        """
        totals = np.asarray(cumulative_weights, dtype=np.float64)
        if totals.size == 0 or totals[0] < 0 or (np.diff(totals) < 0).any() or not 0 < totals[-1] < math.inf:
            raise ValueError("cumulative weights must rise from 0 on to a total above it")
        return np.searchsorted(totals, self.uniform(stream, users, counters) * totals[-1], side="right")


# --------------------------------------------------------------------------- ranges

_CELLS = 2048


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Distributions, stored as the values below which equal shares lie.

    Attributes:
        nodes: by distribution: smallest value, quantiles at equal steps, largest value; linear in between.
        whole: by distribution, whether only whole numbers occur; the bounds are then whole.
    """

    nodes: Floats
    whole: npt.NDArray[np.bool_]

    def sample(self, uniform: Floats, which: Integers | int = 0) -> Floats:
        """Returns the values at these shares, from 0 to 1; random shares give values of this distribution.

        Whole numbers are rounded up just often enough to keep their mean; the direction follows from digits of the
        share that are too small to matter otherwise.
        """
        position = np.asarray(uniform, dtype=np.float64) * _CELLS
        cell = np.minimum(position.astype(np.int64), _CELLS - 1)
        low, high = self.nodes[which, cell], self.nodes[which, cell + 1]
        values = np.minimum(low + (position - cell) * (high - low), self.nodes[which, -1])
        if not self.whole.any():
            return values
        rest = np.asarray(uniform) * 2.0**32 % 1
        return np.where(self.whole[which], np.minimum(np.floor(values + rest), np.ceil(high)), values)


def quantile_table(*wanted: ValueRange) -> Quantiles:
    """Returns scaled beta distributions with the ranges' means and spreads.

    The default mean is the middle. The default spread is a sixth of the width, or three quarters of the distance from
    the mean to the nearer bound if that is less. The bounds of whole numbers are the outermost whole numbers within
    them. The table has 2,048 steps: values rarer than one step are missing from the spread.

    Raises:
        ImpossibleRangeError: when no values within the bounds have the mean or the spread. The largest spread is that
            of a value which is always at one bound or the other; whole numbers around a fractional mean have a smallest
            one, too. Also when the bounds are not numbers, or no whole number lies between them.
    """
    return Quantiles(
        np.stack([_nodes(each.min, each.max, each.mean, each.spread, each.integer) for each in wanted]),
        np.array([each.integer for each in wanted]),
    )


@functools.lru_cache(maxsize=65536)
def _nodes(least: float, most: float, asked_mean: float | None, spread: float | None, whole: bool) -> Floats:
    low, high, mean = _bounds(least, most, asked_mean, whole)
    width = high - low
    largest = math.sqrt((mean - low) * (high - mean))
    part = mean % 1
    smallest = math.sqrt(part * (1 - part)) if whole else 0.0
    if spread is None:
        spread = min(max(min(width / 6, 0.75 * min(mean - low, high - mean)), smallest), largest)
    if not smallest * (1 - 1e-9) <= spread <= largest * (1 + 1e-9):
        numbers = "whole numbers" if whole else "numbers"
        raise ImpossibleRangeError(
            f"{numbers} from {low:g} to {high:g} with a mean of {mean:g} have a spread between {smallest:.6g} and "
            f"{largest:.6g}, which {spread:g} is not; change the spread, the mean or the bounds"
        )
    if not largest:
        return np.full(_CELLS + 1, mean)

    def scaled(candidate: float, cells: int = _CELLS) -> Floats:
        return low + width * _beta((mean - low) / width, candidate / width, cells)

    if not whole or spread > 100:
        return np.clip(scaled(min(spread, largest)), low, high)
    return np.clip(scaled(_before_rounding(scaled, min(spread, largest))), low, high)


def _bounds(least: float, most: float, asked_mean: float | None, whole: bool) -> tuple[float, float, float]:
    """Returns smallest value, largest value and mean."""
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


def _before_rounding(scaled: Any, spread: float) -> float:
    """Returns the spread that becomes `spread` when values are rounded up or down at random, which adds to it."""
    from scipy.optimize import brentq

    def excess(candidate: float) -> float:
        # As many values as there are nodes otherwise: that is enough to weigh by, and takes an eighth of the time.
        nodes = scaled(candidate, _CELLS // 8)
        between = nodes[:-1, None] + np.diff(nodes)[:, None] * (np.arange(8) + 0.5) / 8
        return candidate**2 + float((between % 1 * (1 - between % 1)).mean()) - spread**2

    if excess(0) >= 0 or excess(spread) <= 0:
        return 0.0 if excess(0) >= 0 else spread
    found: Any = brentq(excess, 0, spread, xtol=1e-3 * spread)
    return found


def _beta(share: float, spread: float, cells: int) -> Floats:
    """Returns quantiles of a distribution on 0 to 1 with mean `share`, at equal steps."""
    from scipy.special import betainc, betaincinv, ndtri

    most = share * (1 - share)
    if spread < 1e-9 * math.sqrt(most):
        return np.full(cells + 1, share)
    size = most / spread**2 - 1
    one, other = share * size, (1 - share) * size
    steps = np.arange(cells + 1) / cells
    if size < 1e-3:
        nodes = (steps >= 1 - share).astype(np.float64)
    elif min(one, other) > 1e6:
        nodes = share + spread * ndtri(np.clip(steps, 0.2 / cells, 1 - 0.2 / cells))
    else:
        nodes = betaincinv(one, other, steps)
        # The outermost cells end where this gives them their mean: a long tail is not spread evenly up to the bound.
        below = share * cells * betainc(one + 1, other, nodes[1])
        above = 1 - (1 - share) * cells * betainc(other + 1, one, 1 - nodes[-2])
        nodes[0] = np.clip(2 * below - nodes[1], 0, nodes[1])
        nodes[-1] = np.clip(2 * above - nodes[-2], nodes[-2], 1)
    mean = ((nodes[:-1] + nodes[1:]) / 2).mean()
    # Cells are straight where the distribution is curved: restore the mean without leaving the bounds.
    return nodes * (share / mean) if mean > share else 1 - (1 - nodes) * ((1 - share) / (1 - mean))


# --------------------------------------------------------------------------- the ranges of segments

USER = "user"
"""Stands for an event's name in what belongs to users."""
MOST_OBJECTS = 64
"""Most objects in one group."""
DURATIONS = ("#duration", "duration", "duration_s", "duration_seconds", "duration_sec")
"""Names of properties that hold elapsed time."""
_ANY_NUMBER = ValueRange(min=1, max=100, mean=30)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that values are made for.

    Attributes:
        key: the event's name, or `USER`.
        user: position of each row's user.
        counter: number that separates the user's rows.
        at_ms: time in ms since 1970.
        place: place of each row among those of its event, or among the users.
    """

    key: str
    user: Array
    counter: Array
    at_ms: Array
    place: Array

    def __len__(self) -> int:
        return self.user.size

    def repeated(self, times: int) -> Rows:
        """Returns each row several times, for the objects of a group."""
        user, at_ms, place, counter = (np.repeat(a, times) for a in (self.user, self.at_ms, self.place, self.counter))
        within = np.tile(np.arange(times), len(self))
        return replace(self, user=user, counter=counter * MOST_OBJECTS + within, at_ms=at_ms, place=place)


def everybody(users: Users) -> Rows:
    """Returns rows for what belongs to users."""
    place = np.arange(len(users))
    return Rows(USER, place, np.zeros(len(users), np.int64), users.signed_up_ms, place)


class Ranges:
    """The ranges of all segments."""

    def __init__(self, rules: Rules, analyses: tuple[SegmentAnalysis, ...]) -> None:
        self._tables = [(analysis.property_ranges, rules.value_ranges) for analysis in analyses]
        self._drawn_from: dict[tuple[str, str], tuple[Quantiles, int]] = {}

    def known(self, event: str, name: str) -> bool:
        """Whether the rules have a range for a number."""
        return any(holding(ranges, event, name) for tables in self._tables for ranges in tables)

    def of(self, event: str, name: str) -> list[ValueRange]:
        """Returns a number's range by segment."""
        return [
            next((found for ranges in tables if (found := holding(ranges, event, name))), _ANY_NUMBER)
            for tables in self._tables
        ]

    def decimals(self, event: str, name: str) -> int:
        """Returns the decimals of a number."""
        return self._table(event, name)[1]

    def bounds(self, event: str, name: str) -> tuple[Array, Array]:
        """Returns the smallest and the largest number by segment."""
        found = self.of(event, name)
        return np.array([each.min for each in found]), np.array([each.max for each in found])

    def means(self, event: str, name: str) -> Array:
        """Returns the mean by segment."""
        found = self.of(event, name)
        return np.array([each.mean if each.mean is not None else (each.min + each.max) / 2 for each in found])

    def numbers(self, streams: Streams, users: Users, rows: Rows, name: str, drawn: Array | None = None) -> pl.Series:
        """Returns numbers in the range of each row's segment.

        Args:
            drawn: the place of each number in its range, from 0 to 1; None draws it at random.
        """
        table, decimals = self._table(rows.key, name)
        if drawn is None:
            drawn = streams.uniform(f"{rows.key} {name}", users.number[rows.user], rows.counter)
        return rounded(table.sample(drawn, users.segment[rows.user]), decimals)

    def _table(self, event: str, name: str) -> tuple[Quantiles, int]:
        if (event, name) not in self._drawn_from:
            found = self.of(event, name)
            self._drawn_from[event, name] = quantile_table(*found), max(map(_decimals, found))
        return self._drawn_from[event, name]


def _decimals(wanted: ValueRange) -> int:
    if wanted.integer:
        return 0
    width = wanted.max - wanted.min
    return 2 if width >= 0.2 else 4 if width >= 0.01 else 6


def count_start(plan: Blueprint, streams: Streams, users: Users, shared: str) -> Array:
    """Returns the start of each user's count: the rule's, or for users from before the run one in the segment's
    range."""
    rules = [rule for _, _, rule in plan.counters[shared]]
    moving = next((rule for rule in rules if rule.step or rule.source), rules[0])
    start = np.full(len(users), max(rule.start for rule in rules), np.float64)
    key = _range_key(plan, shared)
    if key is not None and moving.source is None:
        rows = replace(everybody(users), key=key[0])
        drawn = numbers(plan.ranges.numbers(streams, users, rows, key[1], users.experience))
        most = max((rule.max for rule in rules if rule.max is not None), default=np.inf)
        start = np.where(users.signed_up_day < 0, np.clip(drawn, moving.start, most), start)
    return start


def _range_key(plan: Blueprint, shared: str) -> tuple[str, str] | None:
    """Returns the event and property whose range shows users' progress: of the count, or of a state set from it."""
    members = plan.counters[shared]
    for event, name, _ in members:
        if plan.ranges.known(event, name):
            return event, name
    shown = {(event, f"{{{{{name}}}}}") for event, name, _ in members}
    for state, updates in plan.updates.items():
        is_shown = any(update.type == "set" and (event, update.value) in shown for event, update in updates)
        if is_shown and plan.ranges.known(USER, state):
            return USER, state
    return None
