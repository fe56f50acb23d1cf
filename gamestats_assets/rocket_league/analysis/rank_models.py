"""Models of the rank by how somebody plays: trained on what was ingested, compared, and refused when worse.

A model is an ordered logistic regression: P(rank <= k) = F(threshold_k - strength), F the logistic function, and
strength the sum of the features, each in standard deviations from its mean, times their coefficients. There is one for
each playlist, of simulated and of real matches apart.

**Training data.** One row for each player with an account, `MODEL_MATCHES` matches or more in the playlist and a known
rank there: the last known rank, and the player's mean of each feature. A feature takes part that `KNOWN_SHARE` of the
players have and that varies; for a player without it, it stands at the mean. A rank that has fewer than `TIER_PLAYERS`
players is pooled with the smaller of its neighbours, until no group has fewer. A group counts with the mean rank of its
players. The fit is scikit-learn's (`ordered_logit`). Coefficients are drawn towards 0 by a ridge penalty of `RIDGE`:
little with hundreds of players, and enough to keep separated or collinear data finite.
There is no model below `MODEL_PLAYERS` players, or with fewer than `MODEL_TIERS` ranks of `TIER_PLAYERS` players each.

**Ranks as a scale.** A rank is as wide as 1 and stands in the middle of it (its divisions are within), so a
distribution over ranks has quantiles between them; half of the width of rank 13 is below 13.0.

**Cross-validation** is over players, in `FOLDS` parts by a hash of the player's id. All that is learnt (which features,
means, pooling of ranks, coefficients, the baselines too) is learnt from the other parts.

**Versions** are compared on the same players. A player is always of the same part, and a version keeps the models of
its cross-validation: of each player it is asked by the one that has not learnt from the player's part, so that no
version is at an advantage. A candidate is compared with the best, on these players, of all versions that ever served,
not with the last alone: of many small losses, each within its error, the sum would soon be more than that.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lakehouse.sums import exact_sum
from gamestats_assets.rocket_league.playlists import playlist_name
from gamestats_assets.rocket_league.privacy.consents import allowing
from gamestats_assets.rocket_league.ranks import HIGHEST_TIER, LOWEST_TIER
from gamestats_assets.rocket_league.tables import (
    PlayerMatchFeatures,
    PlayerProfiles,
    RankModels,
    TrainingSessions,
    Withheld,
)

MODEL_MATCHES = 5
"""Matches that a player must have to be learnt from."""
MODEL_PLAYERS = 200
"""Players that a model must have to learn from."""
MODEL_TIERS = 4
"""Ranks with `TIER_PLAYERS` players that it must have."""
TIER_PLAYERS = 10
"""Players below which a rank is pooled with a neighbour."""
KNOWN_SHARE = 0.9
"""Share of the players who must have a feature that a model takes."""
RIDGE = 0.1
FOLDS = 5
LEVEL = 0.8
"""Of intervals."""
BEYOND_CHANCE = 2.0
"""Standard errors by which a model must be better than naming the middle rank; of those that know nothing
fewer than one in forty are."""
LEAST_RELIABILITY = 0.1
"""That is taken for the strength: what chance alone makes has no slope that could be corrected for it."""
RETRAINED_AFTER_DAYS, RETRAINED_BY_GROWTH = 7, 0.1
"""A version is trained when there are matches so many days later than the last one's, or so many more or fewer."""
FORM_DAYS = 90
FORM_MATCHES = 20
FORM_PLAY_DAYS = 5
"""Form is told by the matches of so many days, if they are so many on so many different days."""
_DECIMALS = 12
"""Of what is added up over a player's matches, so that sums do not depend on the order of these."""
FORM_PLAYERS = 30
"""Players with form that it takes to know how much slopes differ."""
TRAINING_PLAYERS = 30
"""Players who trained that it takes to know what training is worth."""
TRAINING_MATCHES = 5
"""Matches that each of them must have before the middle of the hours trained, and since."""

FEATURES = (
    "supersonic_share",
    "slow_share",
    "avg_speed_uu_s",
    "ground_share",
    "high_air_share",
    "powerslides_per_minute",
    "boost_per_minute",
    "avg_boost",
    "zero_boost_share",
    "boost_wasted_supersonic_share",
    "boost_stolen_share",
    "small_pad_share",
    "behind_ball_share",
    "avg_distance_to_ball_uu",
    "role_imbalance",
    "last_defender_conceded_share",
    "shots_per_minute",
    "shot_accuracy",
    "shots_against_per_minute",
    "goals_against_per_minute",
    "save_share",
    # These are known where replays were read.
    "position_spread_uu",
    "aerial_touches_per_minute",
    "aerial_success_share",
    "avg_shot_speed_uu_s",
    "touches_per_minute",
    "turnover_share",
    "rotation_efficiency",
    "double_commits_per_minute",
    "challenge_win_share",
)
"""Features that a model may take. Of shares that sum to 1 one is left out, as are goals and saves per minute, which the
result of a match makes more than the player."""
KIND = ["is_simulated", "playlist"]
"""What models are made within."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_FREE = 1000.0
# As many digits as sums in another order keep.
_DIGITS = 7
_DAY_S = 86_400.0
_HOUR_S = 3_600.0


# --------------------------------------------------------------------------- what serves: a row, asked


def served_models(models: pl.DataFrame) -> dict[tuple[bool, str], dict[str, Any]]:
    """The models that serve, as rows of RankModels, by (is_simulated, playlist)."""
    rows = models.filter(pl.col("state") == "served").iter_rows(named=True)
    return {(row["is_simulated"], row["playlist"]): row for row in rows}


def strength(model: Mapping[str, Any], values: Mapping[str, float | None]) -> float:
    """How strong a player is by a model, on its logit scale: 0 is the mean of the players it was trained on.

    Args:
        model: a row of RankModels.
        values: means of features by name; one that is missing or null counts as its mean.
    """
    return float(_Model.of(model).strengths(_matrix(model, [values]))[0])


def predicted_tier(model: Mapping[str, Any], values: Mapping[str, float | None], more_chance: float = 0.0) -> float:
    """The expected rank, 1 to 22, of a player with these means; arguments as for `tier_interval`."""
    eta, scale = _drawn(model, values, more_chance)
    return float(_Model.of(model).expected(eta, scale)[0])


def tier_interval(
    model: Mapping[str, Any],
    values: Mapping[str, float | None],
    level: float = LEVEL,
    more_chance: float = 0.0,
) -> tuple[float, float]:
    """The central interval of the rank, within 1 to 22; `model` and `values` as for `strength`.

    Args:
        level: probability of a rank within it.
        more_chance: variance of the strength by chance beyond that in the means of the players the model was trained
            on. The strength is then drawn towards their mean, V / (V + more_chance) of it counts, V being the variance
            of theirs; and what stays uncertain, this share of `more_chance`, widens the distribution of ranks, which
            is taken to stay logistic with pi^2/3 and so much as its variance.
    """
    eta, scale = _drawn(model, values, more_chance)
    low, high = _Model.of(model).interval(eta, level, scale)
    return float(np.clip(low[0], LOWEST_TIER, HIGHEST_TIER)), float(np.clip(high[0], LOWEST_TIER, HIGHEST_TIER))


def _drawn(model: Mapping[str, Any], values: Mapping[str, float | None], more_chance: float) -> tuple[Floats, float]:
    """The strength of a player, drawn towards the mean, and the scale of the logistic distribution around it."""
    eta = _Model.of(model).strengths(_matrix(model, [values]))
    if not more_chance:
        return eta, 1.0
    share = model["strength_spread"] ** 2 / (model["strength_spread"] ** 2 + more_chance)
    return share * eta, float(np.sqrt(1 + 3 * share * more_chance / np.pi**2))


def tiers_per_strength(model: Mapping[str, Any], values: Mapping[str, float | None]) -> float:
    """By how many ranks a rise of the strength by one raises the expected rank, at these means; never below 0.

    Chance in players' means flattens what a model learns of the differences between them. A rise over time is no such
    difference, so this is the model's slope divided by `strength_reliability`.
    """
    known = _Model.of(model)
    return float(known.slopes(known.strengths(_matrix(model, [values])))[0]) / model["strength_reliability"]


def drivers(model: Mapping[str, Any], values: Mapping[str, float | None], n: int = 5) -> list[tuple[str, float]]:
    """The features that raise or lower the expected rank most, the strongest first.

    Each with the expected rank as it is, less that with the feature at its mean, all others as they are.
    """
    as_is = predicted_tier(model, values)
    given = [name for name in model["features"] if values.get(name) is not None]
    worth = [(name, as_is - predicted_tier(model, {**values, name: None})) for name in given]
    return sorted(worth, key=lambda each: (-abs(each[1]), each[0]))[:n]


def worse_models(models: pl.DataFrame) -> pl.DataFrame:
    """Models that serve though by their own figures they are worse than a baseline, or than the best before them.

    Columns `is_simulated`, `playlist`, `version` and `reason`; no rows are good.
    """
    figures = {
        "naming the middle rank": ("mean_error_tiers", "majority_mean_error_tiers", None),
        "one feature alone": ("mean_error_tiers", "single_feature_mean_error_tiers", None),
        "the best model that served before": (
            "compared_mean_error_tiers",
            "served_mean_error_tiers",
            "served_difference_standard_error",
        ),
    }
    found: list[dict[str, Any]] = []
    for row in models.filter(pl.col("state") == "served").sort(*KIND, "version").iter_rows(named=True):
        for what, (own, other, margin) in figures.items():
            if margin is None:
                is_worse = row[own] is None or row[other] is None or row[own] >= row[other]
            else:
                is_worse = row[other] is not None and row[own] - row[other] > (row[margin] or 0.0)
            if is_worse:
                message = f"Its mean error is {_figure(row[own])} ranks, that of {what} {_figure(row[other])}."
                found.append({name: row[name] for name in (*KIND, "version")} | {"reason": message})
    schema = {name: RankModels.schema()[name] for name in (*KIND, "version")} | {"reason": pl.String()}
    return pl.DataFrame(found, schema=schema)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _matrix(model: Mapping[str, Any], players: Sequence[Mapping[str, float | None]]) -> Floats:
    rows = [[values.get(name) for name in model["features"]] for values in players]
    return np.array(rows, dtype=np.float64).reshape(len(players), len(model["features"]))


@dataclass(frozen=True)
class _Model:
    """A fitted model as arrays: of `RankModels` the columns of the same names."""

    features: tuple[str, ...]
    means: Floats
    spreads: Floats
    coefficients: Floats
    thresholds: Floats
    tiers: Integers
    tier_means: Floats
    tier_edges: Floats

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _Model:
        lists = ("means", "spreads", "coefficients", "thresholds", "tier_means", "tier_edges")
        floats = {name: np.array(row[name], dtype=np.float64) for name in lists}
        return cls(features=tuple(row["features"]), tiers=np.array(row["tiers"], dtype=np.int64), **floats)

    def columns(self) -> dict[str, list[Any]]:
        """As a row holds it."""
        arrays = ("means", "spreads", "coefficients", "thresholds", "tiers", "tier_means", "tier_edges")
        return {"features": list(self.features)} | {name: getattr(self, name).tolist() for name in arrays}

    def strengths(self, x: Floats) -> Floats:
        """Of players, a row each with this model's features; nan counts as the mean."""
        return np.nan_to_num((x - self.means) / self.spreads, nan=0.0) @ self.coefficients

    def below(self, eta: Floats, scale: float = 1.0) -> Floats:
        """Probability of a rank below each edge: a column for each edge, from 0 to 1."""
        inner = _logistic((self.thresholds - eta[:, None]) / scale)
        return np.hstack([np.zeros((len(eta), 1)), inner, np.ones((len(eta), 1))])

    def expected(self, eta: Floats, scale: float = 1.0) -> Floats:
        return np.diff(self.below(eta, scale), axis=1) @ self.tier_means

    def most_probable(self, eta: Floats) -> Floats:
        return np.rint(self.tier_means[np.diff(self.below(eta), axis=1).argmax(axis=1)])

    def slopes(self, eta: Floats) -> Floats:
        below = self.below(eta)
        # Each threshold passes what it gains in rank from one group to the next.
        return (below * (1 - below))[:, 1:-1] @ np.diff(self.tier_means)

    def interval(self, eta: Floats, level: float = LEVEL, scale: float = 1.0) -> tuple[Floats, Floats]:
        below = self.below(eta, scale)
        return self._quantile(below, (1 - level) / 2), self._quantile(below, (1 + level) / 2)

    def _quantile(self, below: Floats, probability: float) -> Floats:
        group = np.clip((below < probability).sum(axis=1) - 1, 0, len(self.tiers) - 1)[:, None]
        low, high = np.take_along_axis(below, group, 1)[:, 0], np.take_along_axis(below, group + 1, 1)[:, 0]
        edges = self.tier_edges[group[:, 0]], self.tier_edges[group[:, 0] + 1]
        return edges[0] + (edges[1] - edges[0]) * (probability - low) / (high - low)


# --------------------------------------------------------------------------- the fit


def ordered_logit(x: Floats, group: Integers, ridge: float = RIDGE) -> tuple[Floats, Floats]:
    """Coefficients and thresholds of an ordered logistic regression.

    It is fitted as one logistic regression (Li and Lin, Ordinal regression by extended binary classification, NIPS
    2006): at each edge between two groups every player is one who is above, or one who is not; the coefficients are
    the same at all edges, and each edge has a threshold of its own. Thresholds come out in order.

    Args:
        x: a row for each player, a column for each feature, in like units.
        group: group of each player, 0 to the highest, of which there are two at least; every number up to it occurs.
        ridge: half of it, times the sum of the squared coefficients, is taken off the mean log-likelihood of the edges.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    edges, features = int(group.max()), x.shape[1]
    # The columns of the thresholds are so large that the penalty does not reach them.
    rows = np.hstack([np.repeat(x, edges, axis=0), np.tile(-_FREE * np.eye(edges), (len(x), 1))])
    is_above = (group[:, None] > np.arange(edges)).ravel()
    fit = LogisticRegression(C=1 / (ridge * edges), fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    # The products are small: threads would wait for each other longer than they compute.
    with threadpool_limits(1, user_api="blas"):
        told = fit.fit(rows, is_above).coef_[0]
    return told[:features], told[features:] * _FREE


def _logistic(value: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -value))


def _pooled(tiers: Integers) -> list[list[int]]:
    """The ranks that occur, in order, those with few players pooled with a neighbour."""
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


def _trained(rows: pl.DataFrame, only: str | None = None) -> _Model:
    """A model of some training rows, by all features or by one of them."""
    tiers = rows.get_column("rank_tier").to_numpy().astype(np.int64)
    pools = _pooled(tiers)
    group = np.searchsorted([pool[0] for pool in pools], tiers, side="right") - 1
    names = [only] if only else _usable(rows)
    x = _values(rows, names)
    means, spreads = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    coefficients, thresholds = ordered_logit(np.nan_to_num((x - means) / spreads, nan=0.0), group)
    between = [(low[-1] + high[0]) / 2 for low, high in itertools.pairwise(pools)]
    return _Model(
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
    x = _values(rows, FEATURES)
    known = np.isfinite(x).sum(axis=0)
    often = known >= max(KNOWN_SHARE * len(x), 1)
    low, high = np.where(np.isfinite(x), x, np.inf).min(axis=0), np.where(np.isfinite(x), x, -np.inf).max(axis=0)
    varies = high - low > 1e-9 * np.maximum(np.abs(low), np.abs(high))
    return [name for name, takes_part in zip(FEATURES, often & varies, strict=True) if takes_part]


def _values(rows: pl.DataFrame, names: Sequence[str]) -> Floats:
    values = rows.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in names).to_numpy()
    # Without a name there are no rows either.
    return values.reshape(rows.height, len(names))


def _best_single(rows: pl.DataFrame) -> str | None:
    """The feature that goes with the players' ranks most (Spearman); None where none is usable."""

    def goes_with(name: str) -> float:
        known = rows.select("rank_tier", name).drop_nulls()
        return abs(known.select(pl.corr("rank_tier", name, method="spearman")).item() or 0.0)

    return max(_usable(rows), key=goes_with, default=None)


# --------------------------------------------------------------------------- training data


def training_rows(profiles: pl.LazyFrame) -> pl.LazyFrame:
    """What models are trained on: one row for each player with enough matches and a known rank.

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
    """Why some training rows of a playlist make no model; None where they do."""
    name = playlist_name(playlist)
    if rows.height < MODEL_PLAYERS:
        found, are = ("1 player", "is") if rows.height == 1 else (f"{rows.height} players", "are")
        return (
            f"{found} of known rank with {MODEL_MATCHES} matches or more {are} known in {name}; "
            f"a model of ranks needs {MODEL_PLAYERS}."
        )
    large = rows.group_by("rank_tier").len().filter(pl.col("len") >= TIER_PLAYERS).height
    if large < MODEL_TIERS:
        found, have = ("1 rank", "has") if large == 1 else (f"{large} ranks", "have")
        return f"{found} in {name} {have} {TIER_PLAYERS} players or more; a model of ranks needs {MODEL_TIERS} of them."
    return None if _usable(rows) else f"No feature is known of {KNOWN_SHARE:.0%} of the players in {name}."


def fold_of(player_id: str, folds: int = FOLDS) -> int:
    """The part of the cross-validation that a player belongs to, by a hash of the id; 0 is the first."""
    return int.from_bytes(hashlib.sha256(player_id.encode()).digest()[:4]) % folds


def _folds(rows: pl.DataFrame, folds: int = FOLDS) -> Integers:
    return np.array([fold_of(player, folds) for player in rows.get_column("player_id")], dtype=np.int64)


def _fold_models(rows: pl.DataFrame) -> list[_Model]:
    """For each part of the cross-validation a model of all others."""
    folds = _folds(rows)
    return [_trained(rows.filter(folds != fold)) for fold in range(FOLDS)]


def cross_validated(rows: pl.DataFrame, models: Sequence[_Model] = ()) -> pl.DataFrame:
    """What models and baselines that never saw a player say of the player.

    Args:
        rows: training rows of one playlist.
        models: of each part, where they are made already.

    Returns:
        Columns `player_id`, `rank_tier`, `fold`; `predicted` (expected rank), `most_probable` (rank), `covered` (part
        of the rank within the 80% interval), `middle` and `most_frequent` (rank of the players of the other parts),
        `by_single` (expected rank by the feature that is best alone in the other parts). Rows as they are given.
    """
    folds, models = _folds(rows), models or _fold_models(rows)
    told = {
        name: np.full(rows.height, np.nan)
        for name in ("predicted", "most_probable", "covered", "middle", "most_frequent", "by_single")
    }
    tiers = rows.get_column("rank_tier").to_numpy().astype(np.float64)
    for fold in np.unique(folds):
        out = folds == fold
        others, own = rows.filter(~out), rows.filter(out)
        model = models[fold]
        eta = model.strengths(_values(own, model.features))
        low, high = model.interval(eta)
        inside = np.minimum(high, tiers[out] + 0.5) - np.maximum(low, tiers[out] - 0.5)
        single = _trained(others, only=_best_single(others))
        known, counts = np.unique(tiers[~out], return_counts=True)
        told["predicted"][out] = model.expected(eta)
        told["most_probable"][out] = model.most_probable(eta)
        told["covered"][out] = np.clip(inside, 0, 1)
        told["middle"][out] = np.median(tiers[~out])
        told["most_frequent"][out] = known[counts.argmax()]
        told["by_single"][out] = single.expected(single.strengths(_values(own, single.features)))
    return rows.select("player_id", "rank_tier", fold=pl.Series(folds)).with_columns(
        **{name: pl.Series(values) for name, values in told.items()}
    )


# --------------------------------------------------------------------------- the next version


def next_models(
    served: dy.LazyFrame[RankModels],
    profiles: dy.LazyFrame[PlayerProfiles],
    features: dy.LazyFrame[PlayerMatchFeatures],
    sessions: dy.LazyFrame[TrainingSessions],
    withheld: dy.LazyFrame[Withheld],
) -> dy.LazyFrame[RankModels]:
    """The models as they stand, and one more of each playlist whose training data are new.

    Where the training data are those of a version that is there, or little more than the last one's
    (`RETRAINED_AFTER_DAYS`), nothing is added. Otherwise the candidate is cross-validated, and is refused

    - when its mean error is not below that of naming the middle rank by two standard errors of the paired difference
      (of models that know nothing a third can be below it by chance), or not below that of the best single feature;
    - when its mean error is above that of the best version that serves or has served, by more than one standard error
      of the paired difference. All are asked about the candidate's players, and of each by what has not learnt from the
      player (see the top of this module).

    Else it serves from then on, and the one before is superseded. Every version keeps its number.

    A model knows besides, from matches of its players, how much strength differs between matches of a player; how much
    its slopes over time differ between players (`slope_spread_per_day`, players without training sessions); and what
    has gone with an hour of training: the change of strength per hour trained before a match, within players, given a
    change over time that all players have in common, with a standard error that is robust to whatever players' own
    changes are. That is no proof of cause: who trains may climb for other reasons. It is told in ranks at the average
    slope of the expected rank.

    Args:
        served: this very table as it stands.
        profiles: every player's means.
        features: the matches that the profiles are of.
        sessions: what players trained.
        withheld: who does not allow to be learnt from, among the rest.
    """
    standing = served.collect()
    trained_hours = sessions.select("player_id", "completed_at", "duration_s").collect()
    known = training_rows(allowing(profiles, withheld, "models")).collect(engine="streaming")
    rows = standing.to_dicts()
    for kind, players in known.sort("player_id").group_by(KIND):
        of_kind = dict(zip(KIND, kind, strict=True))
        versions = [row for row in rows if all(row[name] == value for name, value in of_kind.items())]
        candidate = _candidate(players, versions, features, trained_hours)
        if candidate is None:
            continue
        for row in versions:
            if candidate["state"] == row["state"] == "served":
                row["state"] = "superseded"
        rows.append(of_kind | candidate)
    result = pl.LazyFrame(rows, schema=RankModels.schema()).sort(*KIND, "version")
    return typing.cast("dy.LazyFrame[RankModels]", RankModels.cast(result))


def _candidate(
    rows: pl.DataFrame, versions: Sequence[Mapping[str, Any]], features: pl.LazyFrame, sessions: pl.DataFrame
) -> dict[str, Any] | None:
    """The next row of a playlist, or None where there are too few players, or no new data."""
    is_simulated, playlist = rows.select(KIND).row(0)
    if too_few(rows, playlist):
        return None
    trained = sessions.join(rows.select("player_id"), on="player_id", how="semi")
    digest = _digest(rows, trained)
    if any(row["training_data_hash"] == digest for row in versions):
        return None
    of_kind = features.filter(pl.col("is_simulated") == is_simulated, pl.col("playlist") == playlist).join(
        rows.lazy().select("player_id"), on="player_id", how="semi"
    )
    last_day = of_kind.select(pl.col("match_date").max()).collect(engine="streaming").item()
    if versions and not _is_due(max(versions, key=lambda row: row["version"]), rows, last_day):
        return None
    model, fold_models = _trained(rows), _fold_models(rows)
    told = cross_validated(rows, fold_models)
    tier = told.get_column("rank_tier").to_numpy()

    def error(name: str) -> Floats:
        return np.abs(told.get_column(name).to_numpy() - tier)

    metrics: dict[str, Any] = {
        "mean_error_tiers": error("predicted").mean(),
        "error_standard_error": _standard_error(error("predicted")),
        "accuracy": (error("most_probable") == 0).mean(),
        "within_one_tier": (error("most_probable") <= 1).mean(),
        "interval_coverage": told.get_column("covered").mean(),
        "majority_mean_error_tiers": error("middle").mean(),
        "majority_accuracy": (error("most_frequent") == 0).mean(),
        "single_feature": _best_single(rows),
        "single_feature_mean_error_tiers": error("by_single").mean(),
    }
    reasons = _against_baselines(metrics, _standard_error(error("middle") - error("predicted")))
    before = [row for row in versions if row["state"] != "refused"]
    if before:
        compared = _against_best(rows, error("predicted"), before)
        metrics |= compared._asdict()
        difference = compared.compared_mean_error_tiers - compared.served_mean_error_tiers
        if difference > compared.served_difference_standard_error:
            reasons.append(
                f"On {compared.compared_players} players its mean error is {compared.compared_mean_error_tiers:.3f} "
                f"ranks and that of version {compared.compared_version}, the best that has served, "
                f"{compared.served_mean_error_tiers:.3f}: worse by more than the standard error of the difference, "
                f"{compared.served_difference_standard_error:.3f}."
            )
    return {
        "version": max((row["version"] for row in versions), default=0) + 1,
        "state": "refused" if reasons else "served",
        "reason": " ".join(reasons) or None,
        "training_data_hash": digest,
        "trained_to_day": last_day,
        "players": rows.height,
        "matches": int(rows.get_column("matches").sum()),
        "mean_inverse_matches": (1 / rows.get_column("matches")).mean(),
        **model.columns(),
        "fold_models": json.dumps([each.columns() for each in fold_models]),
        **metrics,
        **_over_time(model, rows, of_kind, trained),
    }


def _is_due(last: Mapping[str, Any], rows: pl.DataFrame, last_day: date) -> bool:
    """Whether there is enough that the last version has not seen: matches come all the time."""
    later = (last_day - last["trained_to_day"]).days if last["trained_to_day"] else None
    grown = abs(rows.get_column("matches").sum() / max(last["matches"], 1) - 1)
    return later is None or later >= RETRAINED_AFTER_DAYS or grown >= RETRAINED_BY_GROWTH


def _digest(rows: pl.DataFrame, sessions: pl.DataFrame) -> str:
    """Names all that a model is made from, and how."""
    means = [pl.col(name).round_sig_figs(_DIGITS) for name in FEATURES]
    texts = (
        f"{RIDGE} {MODEL_MATCHES} {TIER_PLAYERS} {KNOWN_SHARE}",
        rows.select("player_id", "rank_tier", "matches", *means).write_csv(),
        sessions.select("player_id", "completed_at", "duration_s").sort(pl.all()).write_csv(),
    )
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]


def _standard_error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _against_baselines(metrics: Mapping[str, Any], standard_error: float) -> list[str]:
    own, middle = metrics["mean_error_tiers"], metrics["majority_mean_error_tiers"]
    single = metrics["single_feature_mean_error_tiers"]
    reasons: list[str] = []
    if not middle - own > BEYOND_CHANCE * standard_error:
        reasons.append(
            f"Its mean error of {own:.2f} ranks is not better beyond chance than the {middle:.2f} of naming the middle "
            "rank for everybody."
        )
    if not own < single:
        reasons.append(
            f"Its mean error of {own:.2f} ranks is not better than the {single:.2f} of one feature alone "
            f"({metrics['single_feature']})."
        )
    return reasons


class _Compared(NamedTuple):
    """Columns of `RankModels`."""

    compared_version: int
    compared_players: int
    compared_mean_error_tiers: float
    served_mean_error_tiers: float
    served_difference_standard_error: float


def _against_best(rows: pl.DataFrame, errors: Floats, versions: Sequence[Mapping[str, Any]]) -> _Compared:
    """A candidate with these errors beside the version that is best on the same players."""
    tiers = rows.get_column("rank_tier").to_numpy()
    others = [(row["version"], np.abs(_unseen(row, rows) - tiers)) for row in versions]
    version, best = min(others, key=lambda each: each[1].mean())
    return _Compared(version, rows.height, float(errors.mean()), float(best.mean()), _standard_error(errors - best))


def _unseen(version: Mapping[str, Any], rows: pl.DataFrame) -> Floats:
    """The expected rank of players by a version, of each by a model that has not learnt from the player."""
    # A version that kept none is asked itself, which is in its favour.
    models = [_Model.of(each) for each in json.loads(version["fold_models"] or "[]")] or [_Model.of(version)]
    folds, told = _folds(rows, len(models)), np.empty(rows.height)
    names = {name for model in models for name in model.features} - {*rows.columns}
    known = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
    for fold, model in enumerate(models):
        told[folds == fold] = model.expected(model.strengths(_values(known.filter(folds == fold), model.features)))
    return told


# --------------------------------------------------------------------------- strength over time


def match_strengths(model: Mapping[str, Any] | _Model, features: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """The strength that players showed in single matches of one playlist, and how much they had trained by then.

    A feature that is not known in a match stands at the player's own mean, so that the mean of matches is the strength
    of the mean.

    Args:
        features: rows of PlayerMatchFeatures of one playlist, simulated or real.
        sessions: rows of TrainingSessions.

    Returns:
        Columns `player_id`, `started_at`, `day` (since 1970, with a fraction), `strength`, `weight` (time played; 1 is
        the player's mean) and `hours` (trained before the match).
    """
    known = model if isinstance(model, _Model) else _Model.of(model)
    own = zip(known.features, known.means, known.spreads, known.coefficients, strict=True)
    total = pl.lit(0.0)
    for name, mean, spread, coefficient in own:
        value = pl.col(name).cast(pl.Float64)
        at_mean = pl.coalesce(value, value.mean().over("player_id"), pl.lit(mean))
        total = total + (at_mean - mean) * (coefficient / spread)
    played = pl.when(pl.col("played_s") > 0).then("played_s")
    hours = sessions.sort("player_id", "completed_at", "duration_s").select(
        "player_id", "completed_at", hours=pl.col("duration_s").cum_sum().over("player_id") / _HOUR_S
    )
    return (
        features.select(
            "player_id",
            "started_at",
            day=pl.col("started_at").dt.epoch("us") / (_DAY_S * 1e6),
            strength=total,
            weight=(played / played.mean().over("player_id")).fill_null(1.0),
        )
        .sort("started_at", "player_id", "strength")
        .join_asof(
            hours.sort("completed_at"),
            left_on="started_at",
            right_on="completed_at",
            by="player_id",
            check_sortedness=False,
        )
        .drop("completed_at")
        .with_columns(pl.col("hours").fill_null(0.0))
    )


def sums_by_player(matches: pl.LazyFrame) -> pl.LazyFrame:
    """Weighted sums of squares and products around each player's means, of `day`, `strength` and `hours`.

    Args:
        matches: as `match_strengths` gives them.

    Returns:
        Columns `player_id`, `matches`, `days` (different ones), `last_day`, and for each pair such as
        `day_strength` the sum of the products.
    """
    names = ("day", "strength", "hours")
    weight = pl.col("weight")

    def mean(name: str) -> pl.Expr:
        total = exact_sum(pl.col(name) * weight, _DECIMALS) / exact_sum(weight, _DECIMALS)
        return total.over("player_id")

    centred = matches.with_columns((pl.col(name) - mean(name)).alias(name) for name in names)
    products = {
        f"{one}_{other}": exact_sum(weight * pl.col(one) * pl.col(other), _DECIMALS)
        for at, one in enumerate(names)
        for other in names[at:]
    }
    of_player = pl.col("started_at").dt.date()
    return (
        centred.group_by("player_id")
        .agg(matches=pl.len(), days=of_player.n_unique(), last_day=of_player.max(), **products)
        .sort("player_id")
    )


def recent(matches: pl.LazyFrame, until: pl.Expr | None = None) -> pl.LazyFrame:
    """The matches of the `FORM_DAYS` days up to each player's last match, or up to `until`."""
    end = pl.col("started_at").max().over("player_id") if until is None else until
    return matches.filter(pl.col("started_at") > end - timedelta(days=FORM_DAYS), pl.col("started_at") <= end)


def has_form() -> pl.Expr:
    """Whether sums of a player's recent matches tell a slope."""
    return (pl.col("matches") >= FORM_MATCHES) & (pl.col("days") >= FORM_PLAY_DAYS)


def _over_time(model: _Model, rows: pl.DataFrame, features: pl.LazyFrame, sessions: pl.DataFrame) -> dict[str, Any]:
    """What a model knows of matches one after another: the columns of `RankModels` from `strength_within_spread` on."""
    matches = match_strengths(model, features, sessions.lazy()).collect(engine="streaming").lazy()
    sums = sums_by_player(matches).collect()
    free = int(sums.get_column("matches").sum()) - sums.height
    within = float(np.sqrt(float(sums.get_column("strength_strength").sum()) / max(free, 1)))

    untrained = matches.join(sessions.lazy().select("player_id"), on="player_id", how="anti")
    form = sums_by_player(recent(untrained)).filter(has_form(), pl.col("day_day") > 0).collect()
    slope = (form.get_column("day_strength") / form.get_column("day_day")).to_numpy()
    variance = within**2 / form.get_column("day_day").to_numpy()
    spread = _spread_of(slope, variance) if len(slope) >= FORM_PLAYERS else None

    since = pl.col("hours") > pl.col("hours").max() / 2
    trained = (
        matches.group_by("player_id")
        .agg(before=(~since).sum(), since=since.sum())
        .filter(pl.col("before") >= TRAINING_MATCHES, pl.col("since") >= TRAINING_MATCHES)
        .collect()
        .height
    )
    effect = _training_effect(sums) if trained >= TRAINING_PLAYERS else None
    eta = model.strengths(_values(rows, model.features))
    chance = within**2 * float((1 / rows.get_column("matches").to_numpy()).mean())
    reliability = float(np.clip(1 - chance / eta.var(), LEAST_RELIABILITY, 1))
    per_strength = model.slopes(eta).mean() / reliability
    return {
        "strength_within_spread": within,
        "strength_spread": float(eta.std()),
        "strength_reliability": reliability,
        "form_players": len(slope),
        "slope_spread_per_day": spread,
        "training_players": trained,
        "training_effect_tiers_per_hour": effect and effect[0] * per_strength,
        "training_effect_standard_error": effect and effect[1] * per_strength,
    }


def _spread_of(values: Floats, variances: Floats) -> float:
    """The spread around 0 of what is known with these variances, by Paule and Mandel (1982); never below 0.

    It solves sum(values^2 / (variances + spread^2)) = number of values.
    """

    def excess(squared: float) -> float:
        return float((values**2 / (variances + squared)).sum() - len(values))

    # What is known without any doubt differs by all that it is.
    if not values.any() or ((variances > 0).all() and excess(0.0) <= 0):
        return 0.0
    low, high = 0.0, float((values**2).max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return float(np.sqrt((low + high) / 2))


def _training_effect(sums: pl.DataFrame) -> tuple[float, float] | None:
    """Change of strength per hour trained, and its standard error, robust to clusters (players, CR1).

    Least squares of the strength in a match on hours trained and time, around each player's means.
    """
    cross = np.array(
        [
            [sums.get_column("hours_hours"), sums.get_column("day_hours")],
            [sums.get_column("day_hours"), sums.get_column("day_day")],
        ],
        dtype=np.float64,
    )
    with_strength = np.array([sums.get_column("strength_hours"), sums.get_column("day_strength")], dtype=np.float64)
    information = cross.sum(axis=2)
    # Where all train at the same pace, hours and days tell each other.
    if np.linalg.cond(information / np.sqrt(np.outer(*[np.diag(information)] * 2))) > 1e8:
        return None
    bread = np.linalg.inv(information)
    estimate = bread @ with_strength.sum(axis=1)
    scores = with_strength - np.einsum("ijp,j->ip", cross, estimate)
    trained = int((sums.get_column("hours_hours") > 0).sum())
    covariance = bread @ (scores @ scores.T) @ bread * trained / (trained - 1)
    return float(estimate[0]), float(np.sqrt(covariance[0, 0]))
