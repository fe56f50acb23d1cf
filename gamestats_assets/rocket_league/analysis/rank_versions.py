"""Versions of the models of ranks: trained on what was ingested, cross-validated, compared, refused when worse.

**Cross-validation** is over players, in `FOLDS` parts by a hash of the player's id. All that is learnt (which features,
means, pooling of ranks, coefficients, the baselines too) is learnt from the other parts.

**Versions** are compared on the same players. A player is always of the same part, and a version keeps the models of
its cross-validation: of each player it is asked by the one that has not learnt from the player's part, so that no
version is at an advantage. A candidate is compared with the best, on these players, of all versions that ever served,
not with the last alone: of many small losses, each within its error, the sum would soon be more than that.
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
"""Standard errors by which a model must be better than naming the middle rank; of those that know nothing
fewer than one in forty are."""
RETRAINED_AFTER_DAYS, RETRAINED_BY_GROWTH = 7, 0.1
"""A version is trained when there are matches so many days later than the last one's, or so many more or fewer."""
# As many digits as sums in another order keep.
_DIGITS = 7


# --------------------------------------------------------------------------- cross-validation


def fold_of(player_id: str, folds: int = FOLDS) -> int:
    """The part of the cross-validation that a player belongs to, by a hash of the id; 0 is the first."""
    return int.from_bytes(hashlib.sha256(player_id.encode()).digest()[:4]) % folds


def _folds(rows: pl.DataFrame, folds: int = FOLDS) -> Integers:
    return np.array([fold_of(player, folds) for player in rows.get_column("player_id")], dtype=np.int64)


def _fold_models(rows: pl.DataFrame) -> list[FittedModel]:
    """For each part of the cross-validation a model of all others."""
    folds = _folds(rows)
    return [fit_model(rows.filter(folds != fold)) for fold in range(FOLDS)]


def cross_validated(rows: pl.DataFrame, models: Sequence[FittedModel] = ()) -> pl.DataFrame:
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
    result = pl.LazyFrame(rows, schema=t.RankModels.schema()).sort(*KIND, "version")
    return t.RankModels.cast(result)


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
    schema = {name: t.RankModels.schema()[name] for name in (*KIND, "version")} | {"reason": pl.String()}
    return pl.DataFrame(found, schema=schema)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
