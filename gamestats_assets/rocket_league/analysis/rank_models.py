"""Models of the rank from a player's style: definition, fit and prediction.

A model is an ordered logistic regression: P(rank <= k) = F(threshold_k - strength), F the logistic function, and
strength the sum of the features, each in standard deviations from its mean, times their coefficients. Each playlist has
its own, separately for simulated and real matches.

**Training data.** One row for each player with an account, at least `MODEL_MATCHES` matches in the playlist and a known
rank there: the last known rank, and the player's mean of each feature. A feature takes part if `KNOWN_SHARE` of the
players have it and if it varies; players without it get its mean. A rank with fewer than `TIER_PLAYERS` players is
pooled with the smaller of its neighbours, until every group has enough. A group counts with the mean rank of its
players. The fit is scikit-learn's (`ordered_logit`). A ridge penalty of `RIDGE` shrinks coefficients towards 0: little
with hundreds of players, and enough to keep separated or collinear data finite. There is no model with fewer than
`MODEL_PLAYERS` players, or with fewer than `MODEL_TIERS` ranks of `TIER_PLAYERS` players each.

**Ranks as a scale.** Each rank covers a range of 1 with its number in the middle (its divisions lie within), so a
distribution over ranks has quantiles between them; half of the range of rank 13 is below 13.0.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.reference.ranks import HIGHEST_TIER, LOWEST_TIER

MODEL_MATCHES = 5
"""Matches that a player needs to be in the training data."""
MODEL_PLAYERS = 200
"""Players that a model needs."""
MODEL_TIERS = 4
"""Ranks with `TIER_PLAYERS` players that a model needs."""
TIER_PLAYERS = 10
"""Players below which a rank is pooled with a neighbour."""
KNOWN_SHARE = 0.9
"""Share of the players that must have a feature for a model to use it."""
RIDGE = 0.1
LEVEL = 0.8
"""Probability of intervals."""
FEATURES = (
    "supersonic_share", "slow_share", "avg_speed_uu_s", "ground_share", "high_air_share", "powerslides_per_minute",
    "boost_per_minute", "avg_boost", "zero_boost_share", "boost_wasted_supersonic_share", "boost_stolen_share",
    "small_pad_share", "behind_ball_share", "avg_distance_to_ball_uu", "role_imbalance",
    "last_defender_conceded_share", "shots_per_minute", "shot_accuracy", "shots_against_per_minute",
    "goals_against_per_minute", "save_share",
    # These are known if replays were read.
    "position_spread_uu", "aerial_touches_per_minute", "aerial_success_share", "avg_shot_speed_uu_s",
    "touches_per_minute", "turnover_share", "rotation_efficiency", "double_commits_per_minute", "challenge_win_share",
)  # fmt: skip
"""Features that a model may use. Shares that sum to 1 lack one of them; goals and saves per minute are left out because
they depend on the match result more than on the player."""
KIND = ["is_simulated", "playlist"]
"""Columns that separate models."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_FREE = 1000.0


# --------------------------------------------------------------------------- what serves: a row, asked


def served_models(models: pl.DataFrame) -> dict[tuple[bool, str], dict[str, Any]]:
    """Returns the serving models, as rows of RankModels, by (is_simulated, playlist)."""
    rows = models.filter(pl.col("state") == "served").iter_rows(named=True)
    return {(row["is_simulated"], row["playlist"]): row for row in rows}


def predicted_tier(model: Mapping[str, Any], values: Mapping[str, float | None], more_chance: float = 0.0) -> float:
    """Returns the expected rank, 1 to 22, of a player with these means; arguments as for `tier_interval`."""
    eta, scale = _drawn(model, values, more_chance)
    return float(FittedModel.of(model).expected(eta, scale)[0])


def tier_interval(
    model: Mapping[str, Any], values: Mapping[str, float | None], level: float = LEVEL, more_chance: float = 0.0
) -> tuple[float, float]:
    """Returns the central interval of the rank, within 1 to 22.

    Args:
        level: probability that the interval contains the rank.
        more_chance: variance of the strength by chance beyond that in the training players' means. It shrinks the
            strength towards their mean by the factor V / (V + more_chance), with V the variance of their strengths. The
            remaining uncertainty, this factor times `more_chance`, widens the distribution of ranks, which is assumed
            to stay logistic with pi^2/3 plus this amount as its variance.
    """
    eta, scale = _drawn(model, values, more_chance)
    low, high = FittedModel.of(model).interval(eta, level, scale)
    return float(np.clip(low[0], LOWEST_TIER, HIGHEST_TIER)), float(np.clip(high[0], LOWEST_TIER, HIGHEST_TIER))


def _drawn(model: Mapping[str, Any], values: Mapping[str, float | None], more_chance: float) -> tuple[Floats, float]:
    """Returns a player's strength, shrunk towards the mean, and the scale of the logistic distribution around it."""
    eta = FittedModel.of(model).strengths(_matrix(model, [values]))
    if not more_chance:
        return eta, 1.0
    share = model["strength_spread"] ** 2 / (model["strength_spread"] ** 2 + more_chance)
    return share * eta, float(np.sqrt(1 + 3 * share * more_chance / np.pi**2))


def tiers_per_strength(model: Mapping[str, Any], values: Mapping[str, float | None]) -> float:
    """Returns the rise of the expected rank per unit of strength, at these means; never below 0.

    Chance in players' means flattens the differences that a model learns between them. A rise over time is not such a
    difference, so this is the model's slope divided by `strength_reliability`.
    """
    known = FittedModel.of(model)
    return float(known.slopes(known.strengths(_matrix(model, [values])))[0]) / model["strength_reliability"]


def drivers(model: Mapping[str, Any], values: Mapping[str, float | None], n: int = 5) -> list[tuple[str, float]]:
    """Returns the features that raise or lower the expected rank most, strongest first.

    Each comes with its effect: the expected rank minus that with the feature at its mean and all others unchanged.
    """
    as_is = predicted_tier(model, values)
    given = [name for name in model["features"] if values.get(name) is not None]
    worth = [(name, as_is - predicted_tier(model, {**values, name: None})) for name in given]
    return sorted(worth, key=lambda each: (-abs(each[1]), each[0]))[:n]


def _matrix(model: Mapping[str, Any], players: Sequence[Mapping[str, float | None]]) -> Floats:
    rows = [[values.get(name) for name in model["features"]] for values in players]
    return np.array(rows, dtype=np.float64).reshape(len(players), len(model["features"]))


@dataclass(frozen=True)
class FittedModel:
    """A fitted model as arrays, named as the columns of `RankModels`."""

    features: tuple[str, ...]
    means: Floats
    spreads: Floats
    coefficients: Floats
    thresholds: Floats
    tiers: Integers
    tier_means: Floats
    tier_edges: Floats

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> FittedModel:
        """Returns the model of a row of RankModels."""
        lists = ("means", "spreads", "coefficients", "thresholds", "tier_means", "tier_edges")
        floats = {name: np.array(row[name], dtype=np.float64) for name in lists}
        return cls(features=tuple(row["features"]), tiers=np.array(row["tiers"], dtype=np.int64), **floats)

    def columns(self) -> dict[str, list[Any]]:
        """Returns the values for a row of RankModels."""
        arrays = ("means", "spreads", "coefficients", "thresholds", "tiers", "tier_means", "tier_edges")
        return {"features": list(self.features)} | {name: getattr(self, name).tolist() for name in arrays}

    def strengths(self, x: Floats) -> Floats:
        """Returns the strengths of players, given as rows of this model's features; nan counts as the mean."""
        return np.nan_to_num((x - self.means) / self.spreads, nan=0.0) @ self.coefficients

    def below(self, eta: Floats, scale: float = 1.0) -> Floats:
        """Returns the probability of a rank below each edge: one column per edge, from 0 to 1."""
        inner = _logistic((self.thresholds - eta[:, None]) / scale)
        return np.hstack([np.zeros((len(eta), 1)), inner, np.ones((len(eta), 1))])

    def expected(self, eta: Floats, scale: float = 1.0) -> Floats:
        """Returns the expected ranks."""
        return np.diff(self.below(eta, scale), axis=1) @ self.tier_means

    def most_probable(self, eta: Floats) -> Floats:
        """Returns the most probable ranks."""
        return np.rint(self.tier_means[np.diff(self.below(eta), axis=1).argmax(axis=1)])

    def slopes(self, eta: Floats) -> Floats:
        """Returns the rise of the expected ranks per unit of strength."""
        below = self.below(eta)
        # Each threshold contributes the difference in rank between its two groups.
        return (below * (1 - below))[:, 1:-1] @ np.diff(self.tier_means)

    def interval(self, eta: Floats, level: float = LEVEL, scale: float = 1.0) -> tuple[Floats, Floats]:
        """Returns the central intervals of the ranks."""
        below = self.below(eta, scale)
        return self._quantile(below, (1 - level) / 2), self._quantile(below, (1 + level) / 2)

    def _quantile(self, below: Floats, probability: float) -> Floats:
        group = np.clip((below < probability).sum(axis=1) - 1, 0, len(self.tiers) - 1)[:, None]
        low, high = np.take_along_axis(below, group, 1)[:, 0], np.take_along_axis(below, group + 1, 1)[:, 0]
        edges = self.tier_edges[group[:, 0]], self.tier_edges[group[:, 0] + 1]
        return edges[0] + (edges[1] - edges[0]) * (probability - low) / (high - low)


# --------------------------------------------------------------------------- the fit


def ordered_logit(x: Floats, group: Integers, ridge: float = RIDGE) -> tuple[Floats, Floats]:
    """Returns coefficients and thresholds of an ordered logistic regression.

    It is fitted as one logistic regression (Li and Lin, Ordinal regression by extended binary classification, NIPS
    2006): at each edge between two groups, every player is either above or not; the coefficients are the same at all
    edges, and each edge has its own threshold. Thresholds come out in order.

    Args:
        x: one row per player and one column per feature, in comparable units.
        group: group of each player, from 0 to at least 1, without gaps.
        ridge: half of it, times the sum of the squared coefficients, is subtracted from the edges' mean log-likelihood.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    edges, features = int(group.max()), x.shape[1]
    # The columns of the thresholds are so large that the penalty does not affect them.
    rows = np.hstack([np.repeat(x, edges, axis=0), np.tile(-_FREE * np.eye(edges), (len(x), 1))])
    is_above = (group[:, None] > np.arange(edges)).ravel()
    fit = LogisticRegression(C=1 / (ridge * edges), fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    # The matrix products are small: threads would cost more than they save.
    with threadpool_limits(1, user_api="blas"):
        weights = fit.fit(rows, is_above).coef_[0]
    return weights[:features], weights[features:] * _FREE


def _logistic(value: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -value))


def _pooled(tiers: Integers) -> list[list[int]]:
    """Returns the occurring ranks in order, with small ones pooled with a neighbour."""
    known, counts = np.unique(tiers, return_counts=True)
    pools, sizes = [[int(tier)] for tier in known], counts.tolist()
    while len(pools) > 1 and min(sizes) < TIER_PLAYERS:
        small = sizes.index(min(sizes))
        beside = [at for at in (small - 1, small + 1) if 0 <= at < len(pools)]
        other = min(beside, key=lambda at: (sizes[at], at))
        first = min(small, other)
        pools[first : first + 2] = [pools[first] + pools[first + 1]]
        sizes[first : first + 2] = [sizes[first] + sizes[first + 1]]
    return pools


def fit_model(rows: pl.DataFrame, only: str | None = None) -> FittedModel:
    """Fits a model to training rows, with all features or with one of them."""
    tiers = rows.get_column("rank_tier").to_numpy().astype(np.int64)
    pools = _pooled(tiers)
    group = np.searchsorted([pool[0] for pool in pools], tiers, side="right") - 1
    names = [only] if only else _usable(rows)
    x = values_of(rows, names)
    means, spreads = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    coefficients, thresholds = ordered_logit(np.nan_to_num((x - means) / spreads, nan=0.0), group)
    between = [(low[-1] + high[0]) / 2 for low, high in itertools.pairwise(pools)]
    return FittedModel(
        features=tuple(names),
        means=means,
        spreads=spreads,
        coefficients=coefficients,
        thresholds=thresholds,
        tiers=np.array([pool[0] for pool in pools]),
        tier_means=np.array([tiers[group == each].mean() for each in range(len(pools))]),
        tier_edges=np.array([pools[0][0] - 0.5, *between, pools[-1][-1] + 0.5]),
    )


def _usable(rows: pl.DataFrame) -> list[str]:
    x = values_of(rows, FEATURES)
    known = np.isfinite(x).sum(axis=0)
    often = known >= max(KNOWN_SHARE * len(x), 1)
    low, high = np.where(np.isfinite(x), x, np.inf).min(axis=0), np.where(np.isfinite(x), x, -np.inf).max(axis=0)
    varies = high - low > 1e-9 * np.maximum(np.abs(low), np.abs(high))
    return [name for name, takes_part in zip(FEATURES, often & varies, strict=True) if takes_part]


def values_of(rows: pl.DataFrame, names: Sequence[str]) -> Floats:
    """Returns the values of features as a matrix: rows by columns of `names`, nan if unknown."""
    values = rows.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in names).to_numpy()
    # Without names, numpy loses the number of rows.
    return values.reshape(rows.height, len(names))


def best_single_feature(rows: pl.DataFrame) -> str | None:
    """Returns the feature with the highest Spearman correlation with players' ranks; None without usable features."""

    def goes_with(name: str) -> float:
        known = rows.select("rank_tier", name).drop_nulls()
        return abs(known.select(pl.corr("rank_tier", name, method="spearman")).item() or 0.0)

    return max(_usable(rows), key=goes_with, default=None)


# --------------------------------------------------------------------------- training data


def training_rows(profiles: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the training data of models: one row for each player with enough matches and a known rank.

    Columns `is_simulated`, `playlist`, `player_id`, `rank_tier`, `matches`, and the player's mean of every feature.
    """
    of_feature = {
        name: pl.when(pl.col("feature") == name).then("mean").max().cast(pl.Float64).alias(name) for name in FEATURES
    }
    return (
        profiles.filter(pl.col("rank_tier").is_between(LOWEST_TIER, HIGHEST_TIER))
        .group_by(*KIND, "player_id")
        .agg(pl.col("rank_tier").max(), pl.col("matches").max(), *of_feature.values())
        .filter(pl.col("matches") >= MODEL_MATCHES)
    )


def too_few(rows: pl.DataFrame, playlist: str) -> str | None:
    """Returns why training rows of a playlist do not suffice for a model; None if they do."""
    name = playlist_name(playlist)
    if rows.height < MODEL_PLAYERS:
        players, are = ("1 player", "is") if rows.height == 1 else (f"{rows.height} players", "are")
        return (
            f"{players} of known rank with {MODEL_MATCHES} matches or more {are} known in {name}; "
            f"a model of ranks needs {MODEL_PLAYERS}."
        )
    large = rows.group_by("rank_tier").len().filter(pl.col("len") >= TIER_PLAYERS).height
    if large < MODEL_TIERS:
        ranks, have = ("1 rank", "has") if large == 1 else (f"{large} ranks", "have")
        return f"{ranks} in {name} {have} {TIER_PLAYERS} players or more; a model of ranks needs {MODEL_TIERS} of them."
    return None if _usable(rows) else f"No feature is known of {KNOWN_SHARE:.0%} of the players in {name}."
