"""Checks whether planted truths show in the data.

A truth holds if every planted number lies within the interval around the found one. The intervals of one truth hold
jointly: they all cover the planted numbers with a probability of at least 99.9 %, so that a true plant fails in at most
one run of a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gamestats_assets.demo_data.findings.accounts import KnownAccounts, sharing
from gamestats_assets.demo_data.findings.measured import Conversion, Measured
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConversionTruth,
    Dirt,
    ExperimentTruth,
    RetentionTruth,
    SeasonalityTruth,
    SharedAddressTruth,
    StandstillTruth,
)

Array = npt.NDArray[Any]

LEVEL = 0.999
"""Joint confidence level of all intervals of one truth."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAN = float("nan")


_FEWEST = 30
"""Fewest users whose share is judged."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One planted number and the found one.

    Attributes:
        truth: `retention`, `conversion`, `experiment`, `seasonality`, `shared_address`, `standstill` or `dirt`.
        what: the number within the truth, for people.
        planted, found: the number that was asked for, and the one in the data; NaN if undecided.
        low, high: the interval around the found number.
        n: the number of users, accounts, attempts, records or user-days behind it.
        holds: whether the planted number lies in the interval; None if the data cannot decide.
        unit: `share` of 1, `change` relative to another number, `level` relative to the week's mean.
    """

    truth: str
    what: str
    planted: float
    found: float
    low: float
    high: float
    n: int
    holds: bool | None
    unit: Literal["share", "change", "level"] = "share"


def verify(measured: Measured, configuration: Configuration, known: Sequence[KnownAccounts] = ()) -> list[Verdict]:
    """Returns a verdict on every planted number, in the order of the configuration, dirt last.

    Args:
        known: the accounts with planted truths by the manifest; without them, truths about accounts are undecided.
    """
    verdicts: list[Verdict] = []
    of_addresses = [n for n, truth in enumerate(configuration.truths) if isinstance(truth, SharedAddressTruth)]
    share_any = frozenset[str]().union(*(group.accounts for group in known if group.truth in of_addresses))
    for number, truth in enumerate(configuration.truths):
        groups = [group.accounts for group in known if group.truth == number]
        match truth:
            case RetentionTruth():
                verdicts += _retention(truth, measured)
            case ConversionTruth():
                verdicts += _conversion(truth, measured)
            case ExperimentTruth():
                verdicts += _experiment(truth, measured)
            case SeasonalityTruth():
                verdicts += _seasonality(truth, measured)
            case SharedAddressTruth():
                verdicts += _shared_address(truth, groups, share_any, measured)
            case StandstillTruth():
                verdicts += _standstill(truth, number, frozenset[str]().union(*groups), measured)
    return [*verdicts, *_dirt(configuration.dirt, measured)]


def interval(found: float, n: float, level: float) -> tuple[float, float]:
    """Returns the Clopper-Pearson interval of a share found among `n`, which is wide enough for any share.

    `n` need not be whole: attempts of one user are alike and count for fewer.
    """
    from scipy.stats import beta

    k, outside = found * n, (1 - level) / 2
    low = 0.0 if k <= 0 else float(beta.ppf(outside, k, n - k + 1))
    high = 1.0 if k >= n else float(beta.ppf(1 - outside, k + 1, n - k))
    return low, high


def _judged(
    truth: str, what: str, planted: float, found: float, bounds: tuple[float, float], n: int, **unit: Any
) -> Verdict:
    low, high = bounds
    return Verdict(truth, what, planted, found, low, high, n, low <= planted <= high, **unit)


def _undecided(truth: str, what: str, planted: float, n: int = 0, **unit: Any) -> Verdict:
    return Verdict(truth, what, planted, _NAN, _NAN, _NAN, n, None, **unit)


def _each(count: int) -> float:
    """Returns the level of each of so many intervals that hold jointly."""
    return 1 - (1 - LEVEL) / max(count, 1)


# --------------------------------------------------------------------------- retention and conversion


def _retention(truth: RetentionTruth, measured: Measured) -> Iterator[Verdict]:
    days = sorted(truth.curve)
    seen = {day: measured.retained[day] for day in days if measured.retained[day][0]}
    for day in days:
        what = f"day {day} after the sign-up"
        if day not in seen or seen[day][0] < _FEWEST:
            yield _undecided("retention", what, truth.curve[day], seen[day][0] if day in seen else 0)
            continue
        users, active = seen[day]
        found = active / users
        yield _judged("retention", what, truth.curve[day], found, interval(found, users, _each(len(seen))), users)


def _conversion(truth: ConversionTruth, measured: Measured) -> Iterator[Verdict]:
    found = measured.conversions[truth.from_event, truth.to_event, ""]
    yield _rate("conversion", f"{truth.from_event} to {truth.to_event}", truth.rate, found, measured, LEVEL)


def _rate(truth: str, what: str, planted: float, found: Conversion, measured: Measured, level: float) -> Verdict:
    if not found.attempts:
        return _undecided(truth, what, planted)
    low, high = interval(found.rate, found.attempts / found.design_effect, level)
    # A conversion whose record was lost is not seen.
    high = min(1.0, high / (1 - measured.dirt.lost_share))
    return _judged(truth, what, planted, found.rate, (low, high), found.attempts)


def _experiment(truth: ExperimentTruth, measured: Measured) -> Iterator[Verdict]:
    a, b = (measured.conversions[truth.from_event, truth.to_event, f"{truth.name}:{variant}"] for variant in "AB")
    in_a, in_b = (measured.variants.get(f"{truth.name}:{variant}", 0) for variant in "AB")
    level = _each(4)
    steps = f"{truth.from_event} to {truth.to_event}"
    yield _rate("experiment", f"{truth.name} A: {steps}", truth.rate_a, a, measured, level)
    yield _rate("experiment", f"{truth.name} B: {steps}", truth.rate_b, b, measured, level)
    what = f"{truth.name}: lift of B over A"
    if a.converted and b.attempts:
        yield _judged(
            "experiment",
            what,
            truth.lift,
            b.rate / a.rate - 1,
            _lift(a, b, level),
            a.attempts + b.attempts,
            unit="change",
        )
    else:
        yield _undecided("experiment", what, truth.lift, a.attempts + b.attempts, unit="change")
    what, users = f"{truth.name}: share of users with B", in_a + in_b
    if users:
        yield _judged("experiment", what, 0.5, in_b / users, interval(in_b / users, users, level), users)
    else:
        yield _undecided("experiment", what, 0.5)


def _lift(a: Conversion, b: Conversion, level: float) -> tuple[float, float]:
    """Returns the interval of the relative change: of the log ratio, with half a conversion added to each side."""
    from scipy.stats import norm

    logs, variance = [], 0.0
    for found in (a, b):
        n = found.attempts / found.design_effect
        k = found.rate * n + 0.5
        logs.append(math.log(k / (n + 0.5)))
        variance += 1 / k - 1 / (n + 0.5)
    half = float(norm.ppf(0.5 + level / 2)) * math.sqrt(variance)
    middle = logs[1] - logs[0]
    return math.exp(middle - half) - 1, math.exp(middle + half) - 1


# --------------------------------------------------------------------------- seasonality


def _seasonality(truth: SeasonalityTruth, measured: Measured) -> Iterator[Verdict]:
    """Judges the weekdays' levels among users from before the run.

    More of these users leave the longer the run lasts, so later days are lower whatever their weekday; a trend removes
    that. It is fitted to the daily users divided by the planted levels, so one week suffices. In a single week the
    trend absorbs a part of the weekdays' levels, and a day that it absorbs wholly is undecided. Some users return late,
    and their number is unknown, but no larger than the number first seen on the last days: the intervals cover both
    none and all of them.
    """
    from scipy.stats import norm

    planted = np.array(truth.weekday) / np.mean(truth.weekday)
    together, start = measured.together, measured.configuration.start.weekday()
    days = 0 if together is None else together.shape[0]
    if together is None or days < 7 or not np.diagonal(together).all():
        for name, level in zip(WEEKDAYS, planted, strict=True):
            yield _undecided("seasonality", name, float(level), unit="level")
        return
    active = np.diagonal(together)
    weekday = (start + np.arange(days)) % 7
    most_returns = min(float(np.mean(measured.first_seen_before[-(days // 3) :])), active.min() / 2)
    z = float(norm.ppf(0.5 + _each(7) / 2))
    fits = [_weekdays(active - returns, together, planted, weekday) for returns in (0.0, most_returns)]
    for day, name in enumerate(WEEKDAYS):
        n, level = int(active[weekday == day].sum()), float(planted[day])
        if fits[0][2][day] < _TOO_LITTLE:
            yield _undecided("seasonality", name, level, n, unit="level")
            continue
        low = level * math.exp(min(off[day] - z * error[day] for off, error, _ in fits))
        high = level * math.exp(max(off[day] + z * error[day] for off, error, _ in fits))
        yield _judged("seasonality", name, level, level * math.exp(fits[0][0][day]), (low, high), n, unit="level")


_TOO_LITTLE = 0.05
"""Smallest part of a weekday's own level that the trend must leave."""


def _weekdays(active: Array, together: Array, planted: Array, weekday: Array) -> tuple[Array, Array, Array]:
    """Returns each weekday's deviation from its planted level, its error, and the part of the level that the trend
    leaves.

    Deviation and error are logarithms. `together`, the covariance of the days, accounts for users who are active on
    several.
    """
    trend = _trend(active.size)
    expected = _fitted(active, planted[weekday], trend)
    # Each day's relative residual from the fit, and each weekday's mean of these; linear around the expected users.
    project = np.linalg.solve(trend.T @ (expected[:, None] * trend), trend.T)
    residual = np.diag(1 / expected) - trend @ project
    share = np.where(weekday[None, :] == np.arange(7)[:, None], expected[None, :], 0.0)
    to_weekday = (share / share.sum(axis=1, keepdims=True)) @ residual
    error = np.sqrt(np.diagonal(to_weekday @ together @ to_weekday.T).clip(0))
    return to_weekday @ (active - expected), error, np.diagonal(to_weekday @ share.T)


def _trend(days: int) -> Array:
    """Returns the shape of the number of users without weekdays, by day: a level and a slope; a bend, because some
    users leave in the first third of the run; a curve, if there are enough weeks to fit it."""
    day = np.arange(days, dtype=float)
    columns = [np.ones(days), day / days, np.clip(days // 3 - 1 - day, 0, None) / days]
    if days >= 28:
        columns.append((day / days) ** 2)
    return np.column_stack(columns)


def _fitted(active: Array, level: Array, trend: Array) -> Array:
    """Returns expected users by day: the planted level times the exponential of the trend, by Poisson regression."""
    log_level = np.log(level)
    coefficients = np.zeros(trend.shape[1])
    coefficients[0] = math.log(active.sum() / level.sum())
    for _ in range(50):
        expected = np.exp(log_level + trend @ coefficients)
        step = np.linalg.solve(trend.T @ (expected[:, None] * trend), trend.T @ (active - expected))
        coefficients += step
        if np.abs(step).max() < 1e-10:
            break
    return np.exp(log_level + trend @ coefficients)


# --------------------------------------------------------------------------- accounts


def _shared_address(
    truth: SharedAddressTruth, groups: Sequence[frozenset[str]], planted: frozenset[str], measured: Measured
) -> Iterator[Verdict]:
    """Judges how many planted accounts were found, and how many found accounts were planted.

    Found accounts only ever had one address, and enough accounts have it. A planted group with fewer active accounts
    than that is undecided.

    Args:
        planted: accounts that share an address by any truth.
    """
    found = sharing(measured.address_of, truth.fewest)
    there = [group & measured.address_of.keys() for group in groups]
    there = [group for group in there if len(group) >= truth.fewest]
    together = sum(max((len(group & accounts) for accounts in found.values()), default=0) for group in there)
    yield _all("shared_address", "planted accounts that share an address", together, sum(map(len, there)))
    every = frozenset[str]().union(*found.values()) if there else frozenset()
    what = f"accounts of addresses with {truth.fewest} or more that are planted"
    yield _all("shared_address", what, len(every & planted), len(every))


def _standstill(truth: StandstillTruth, number: int, planted: frozenset[str], measured: Measured) -> Iterator[Verdict]:
    """Judges the planted users who did the event, by whether the property never left its value."""
    did, stood = measured.standstills[number]
    what = f"planted users with {truth.event} whose {truth.property} stays at {truth.value}"
    yield _all("standstill", what, len(stood & planted), len(did & planted))


def _all(truth: str, what: str, found: int, of: int) -> Verdict:
    """Returns a verdict on a truth that is planted in all of these accounts."""
    return (
        _judged(truth, what, 1.0, found / of, interval(found / of, of, LEVEL), of) if of else _undecided(truth, what, 1)
    )


# --------------------------------------------------------------------------- dirt


def _dirt(planted: Dirt, measured: Measured) -> Iterator[Verdict]:
    """Judges each planted kind of dirt, and kinds that were not planted but occur."""
    dirt = measured.dirt
    found: Sequence[tuple[str, int, float]] = (
        ("late", dirt.late, dirt.events),
        ("duplicate", dirt.duplicates, dirt.events),
        # A moved record that passed no later one is not visibly out of order.
        ("out_of_order", dirt.out_of_order, dirt.events * dirt.visible_order),
        ("null", dirt.nulls, dirt.with_properties),
        ("schema_drift", dirt.off_schema, dirt.events),
        ("unknown_event", dirt.unknown_events, dirt.events),
        ("truncated", dirt.unreadable, dirt.events),
    )
    rates = planted.model_dump()
    level = _each(sum(rate > 0 for rate in rates.values()))
    for kind, count, of in found:
        what, rate = kind.replace("_", " "), rates[kind]
        if not rate and not count:
            continue
        if of < max(count, 1):
            yield _undecided("dirt", what, rate, count)
            continue
        bounds = interval(count / of, of, level)
        yield _judged("dirt", what, rate, count / of, bounds, round(of))
