"""Versions of the models of ranks: training, cross-validation, comparison, and refusal of worse ones.

**Cross-validation** is over players, in `FOLDS` parts by a hash of the player's id. Everything learnt (features, means,
pooling of ranks, coefficients, and the baselines) is learnt from the other parts.

**Versions** are compared on the same players. A player always belongs to the same part, and a version keeps the models
of its cross-validation. Each player is predicted by the model that was not trained on the player's part, so that no
version has an advantage. A candidate is compared with the version, among all that ever served, that is best on these
players. If it were compared with the last one alone, many small losses, each within its error, could add up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import dataframely as dy
import numpy as np
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.rank_models import (
    FEATURES,
    KIND,
    KNOWN_SHARE,
    MODEL_MATCHES,
    RIDGE,
    TIER_PLAYERS,
    FittedModel,
    Floats,
    Integers,
    best_single_feature,
    fit_model,
    too_few,
    training_rows,
    values_of,
)
from gamestats_assets.rocket_league.analysis.strength_over_time import over_time
from gamestats_assets.rocket_league.privacy.consents import allowing

FOLDS = 5
BEYOND_CHANCE = 2.0
"""Standard errors by which a model must beat naming the middle rank; by chance, fewer than one in forty useless
models do."""
RETRAINED_AFTER_DAYS, RETRAINED_BY_GROWTH = 7, 0.1
"""A new version is trained if the last match is so many days later, or if matches grew or shrank by this share."""
# Digits that do not depend on the order of sums.
_DIGITS = 7


# --------------------------------------------------------------------------- cross-validation


def fold_of(player_id: str, folds: int = FOLDS) -> int:
    """Returns the part of the cross-validation of a player, by a hash of the id; 0 is the first."""
    return int.from_bytes(hashlib.sha256(player_id.encode()).digest()[:4]) % folds


def _folds(rows: pl.DataFrame, folds: int = FOLDS) -> Integers:
    return np.array([fold_of(player, folds) for player in rows.get_column("player_id")], dtype=np.int64)


def _fold_models(rows: pl.DataFrame) -> list[FittedModel]:
    """Returns, for each part of the cross-validation, a model of all other parts."""
    folds = _folds(rows)
    return [fit_model(rows.filter(folds != fold)) for fold in range(FOLDS)]


def cross_validated(rows: pl.DataFrame, models: Sequence[FittedModel] = ()) -> pl.DataFrame:
    """Returns predictions of each player by models and baselines that never saw the player.

    Args:
        rows: training rows of one playlist.
        models: models by part, if they exist already.

    Returns:
        Columns `player_id`, `rank_tier`, `fold`; `predicted` (expected rank), `most_probable` (rank), `covered` (part
        of the rank within the 80% interval), `middle` and `most_frequent` (rank of the players of the other parts),
        `by_single` (expected rank by the best single feature of the other parts). Rows keep their order.
    """
    folds, models = _folds(rows), models or _fold_models(rows)
    columns = {
        name: np.full(rows.height, np.nan)
        for name in ("predicted", "most_probable", "covered", "middle", "most_frequent", "by_single")
    }
    tiers = rows.get_column("rank_tier").to_numpy().astype(np.float64)
    for fold in np.unique(folds):
        out = folds == fold
        others, own = rows.filter(~out), rows.filter(out)
        model = models[fold]
        eta = model.strengths(values_of(own, model.features))
        low, high = model.interval(eta)
        inside = np.minimum(high, tiers[out] + 0.5) - np.maximum(low, tiers[out] - 0.5)
        single = fit_model(others, only=best_single_feature(others))
        known, counts = np.unique(tiers[~out], return_counts=True)
        columns["predicted"][out] = model.expected(eta)
        columns["most_probable"][out] = model.most_probable(eta)
        columns["covered"][out] = np.clip(inside, 0, 1)
        columns["middle"][out] = np.median(tiers[~out])
        columns["most_frequent"][out] = known[counts.argmax()]
        columns["by_single"][out] = single.expected(single.strengths(values_of(own, single.features)))
    return rows.select("player_id", "rank_tier", fold=pl.Series(folds)).with_columns(
        **{name: pl.Series(values) for name, values in columns.items()}
    )


# --------------------------------------------------------------------------- the next version


def next_models(
    served: dy.LazyFrame[t.RankModels],
    profiles: dy.LazyFrame[t.PlayerProfiles],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    sessions: dy.LazyFrame[t.TrainingSessions],
    withheld: dy.LazyFrame[t.Withheld],
) -> dy.LazyFrame[t.RankModels]:
    """Returns the existing models, and a new one for each playlist with new training data.

    Nothing is added if the training data equal those of an existing version, or exceed those of the last version only
    slightly (`RETRAINED_AFTER_DAYS`). Otherwise the candidate is cross-validated. It is refused

    - when its mean error is not below that of naming the middle rank by two standard errors of the paired difference
      (a third of all useless models are below it by chance), or not below that of the best single feature;
    - when its mean error is above that of the best version that serves or has served, by more than one standard error
      of the paired difference. All versions predict the candidate's players, each with models that have not seen the
      player (see the top of this module).

    Otherwise it serves from then on, and its predecessor is superseded. Every version keeps its number.

    A model also has these results from matches of its players: how much strength differs between matches of a player;
    how much slopes over time differ between players (`slope_spread_per_day`, players without training sessions); and
    the effect of an hour of training: the change of strength per hour trained before a match, within players, given a
    change over time that all players have in common, with a standard error that is robust to players' own changes. That
    does not prove a cause: players who train may climb for other reasons. It is converted to ranks with the average
    slope of the expected rank.

    Args:
        served: the existing rows of this table.
        profiles: every player's means.
        features: the matches of the profiles.
        sessions: training sessions of players.
        withheld: purposes that players do not allow, such as models.
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
    result = pl.LazyFrame(rows, schema=t.RankModels.schema()).sort(*KIND, "version")
    return t.RankModels.cast(result)


def _candidate(
    rows: pl.DataFrame, versions: Sequence[Mapping[str, Any]], features: pl.LazyFrame, sessions: pl.DataFrame
) -> dict[str, Any] | None:
    """Returns the next row of a playlist, or None if there are too few players or no new data."""
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
    model, fold_models = fit_model(rows), _fold_models(rows)
    validated = cross_validated(rows, fold_models)
    tier = validated.get_column("rank_tier").to_numpy()

    def error(name: str) -> Floats:
        return np.abs(validated.get_column(name).to_numpy() - tier)

    metrics: dict[str, Any] = {
        "mean_error_tiers": error("predicted").mean(),
        "error_standard_error": _standard_error(error("predicted")),
        "accuracy": (error("most_probable") == 0).mean(),
        "within_one_tier": (error("most_probable") <= 1).mean(),
        "interval_coverage": validated.get_column("covered").mean(),
        "majority_mean_error_tiers": error("middle").mean(),
        "majority_accuracy": (error("most_frequent") == 0).mean(),
        "single_feature": best_single_feature(rows),
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
        **over_time(model, rows, of_kind, trained),
    }


def _is_due(last: Mapping[str, Any], rows: pl.DataFrame, last_day: date) -> bool:
    """Whether the last version has missed enough new data; small amounts arrive all the time."""
    later = (last_day - last["trained_to_day"]).days if last["trained_to_day"] else None
    grown = abs(rows.get_column("matches").sum() / max(last["matches"], 1) - 1)
    return later is None or later >= RETRAINED_AFTER_DAYS or grown >= RETRAINED_BY_GROWTH


def _digest(rows: pl.DataFrame, sessions: pl.DataFrame) -> str:
    """Returns a hash of everything a model is made from, parameters included."""
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
            f"Its mean error of {own:.2f} ranks is not better beyond chance than the {middle:.2f} of always naming the "
            "middle rank."
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
    """Returns the comparison of a candidate, given its errors, with the version that is best on the same players."""
    tiers = rows.get_column("rank_tier").to_numpy()
    others = [(row["version"], np.abs(_unseen(row, rows) - tiers)) for row in versions]
    version, best = min(others, key=lambda each: each[1].mean())
    return _Compared(version, rows.height, float(errors.mean()), float(best.mean()), _standard_error(errors - best))


def _unseen(version: Mapping[str, Any], rows: pl.DataFrame) -> Floats:
    """Returns the expected ranks by a version, each from a model that was not trained on the player."""
    # A version without such models predicts itself, which is in its favour.
    models = [FittedModel.of(each) for each in json.loads(version["fold_models"] or "[]")] or [FittedModel.of(version)]
    folds, expected = _folds(rows, len(models)), np.empty(rows.height)
    names = {name for model in models for name in model.features} - {*rows.columns}
    known = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
    for fold, model in enumerate(models):
        expected[folds == fold] = model.expected(
            model.strengths(values_of(known.filter(folds == fold), model.features))
        )
    return expected


# --------------------------------------------------------------------------- what is amiss


def worse_models(models: pl.DataFrame) -> pl.DataFrame:
    """Returns serving models that by their own figures are worse than a baseline or than the best before them.

    Columns `is_simulated`, `playlist`, `version` and `reason`; empty if all is well.
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
    worse: list[dict[str, Any]] = []
    for row in models.filter(pl.col("state") == "served").sort(*KIND, "version").iter_rows(named=True):
        for what, (own, other, margin) in figures.items():
            if margin is None:
                is_worse = row[own] is None or row[other] is None or row[own] >= row[other]
            else:
                is_worse = row[other] is not None and row[own] - row[other] > (row[margin] or 0.0)
            if is_worse:
                message = f"Its mean error is {_figure(row[own])} ranks, that of {what} {_figure(row[other])}."
                worse.append({name: row[name] for name in (*KIND, "version")} | {"reason": message})
    schema = {name: t.RankModels.schema()[name] for name in (*KIND, "version")} | {"reason": pl.String()}
    return pl.DataFrame(worse, schema=schema)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
