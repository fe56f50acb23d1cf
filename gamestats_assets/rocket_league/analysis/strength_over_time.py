"""How a player's strength, by a model of ranks, varies between matches: chance, form, and training."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.lakehouse.sums import exact_sum
from gamestats_assets.rocket_league.analysis.rank_models import FittedModel, Floats, values_of

LEAST_RELIABILITY = 0.1
"""Lowest reliability of strength: if all differences were chance, there would be no slope to correct."""
FORM_DAYS = 90
FORM_MATCHES = 20
FORM_PLAY_DAYS = 5
"""Form needs so many matches, on so many different days, within this period."""
_DECIMALS = 12
"""Decimals of sums over a player's matches, so that the sums do not depend on the order of matches."""
FORM_PLAYERS = 30
"""Players with form that are needed to estimate how much slopes differ."""
TRAINING_PLAYERS = 30
"""Players who trained that are needed to estimate the effect of training."""
TRAINING_MATCHES = 5
"""Matches that each of them needs before the middle of the hours trained, and since."""
_DAY_S = 86_400.0
_HOUR_S = 3_600.0


def match_strengths(
    model: Mapping[str, Any] | FittedModel, features: pl.LazyFrame, sessions: pl.LazyFrame
) -> pl.LazyFrame:
    """Returns the strength that players showed in single matches of one playlist, and their training until then.

    A feature that is unknown in a match is set to the player's own mean, so that the mean over matches is the strength
    of the means.

    Args:
        features: rows of PlayerMatchFeatures of one playlist, simulated or real.
        sessions: rows of TrainingSessions.

    Returns:
        Columns `player_id`, `started_at`, `day` (since 1970, with a fraction), `strength`, `weight` (time played; 1 is
        the player's mean) and `hours` (trained before the match).
    """
    known = model if isinstance(model, FittedModel) else FittedModel.of(model)
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
    """Returns weighted sums of squares and products around each player's means, of `day`, `strength` and `hours`.

    Args:
        matches: result of `match_strengths`.

    Returns:
        Columns `player_id`, `matches`, `days` (number of different days), `last_day`, and for each pair such as
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
    """Returns the matches of the `FORM_DAYS` days up to each player's last match, or up to `until`."""
    end = pl.col("started_at").max().over("player_id") if until is None else until
    return matches.filter(pl.col("started_at") > end - timedelta(days=FORM_DAYS), pl.col("started_at") <= end)


def has_form() -> pl.Expr:
    """Whether a player has enough recent matches for a slope."""
    return (pl.col("matches") >= FORM_MATCHES) & (pl.col("days") >= FORM_PLAY_DAYS)


def over_time(model: FittedModel, rows: pl.DataFrame, features: pl.LazyFrame, sessions: pl.DataFrame) -> dict[str, Any]:
    """Returns a model's results over time: the columns of `RankModels` from `strength_within_spread` on."""
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
    eta = model.strengths(values_of(rows, model.features))
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
    """Returns the spread around 0 of values with known variances, by Paule and Mandel (1982); never below 0.

    It solves sum(values^2 / (variances + spread^2)) = number of values.
    """

    def excess(squared: float) -> float:
        return float((values**2 / (variances + squared)).sum() - len(values))

    # Without variances the equation has no solution that the search below would find.
    if not values.any() or ((variances > 0).all() and excess(0.0) <= 0):
        return 0.0
    low, high = 0.0, float((values**2).max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return float(np.sqrt((low + high) / 2))


def _training_effect(sums: pl.DataFrame) -> tuple[float, float] | None:
    """Returns the change of strength per hour trained, and its standard error, robust to clusters (players, CR1).

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
    # If all train at the same pace, hours and days are collinear.
    if np.linalg.cond(information / np.sqrt(np.outer(*[np.diag(information)] * 2))) > 1e8:
        return None
    bread = np.linalg.inv(information)
    estimate = bread @ with_strength.sum(axis=1)
    scores = with_strength - np.einsum("ijp,j->ip", cross, estimate)
    trained = int((sums.get_column("hours_hours") > 0).sum())
    covariance = bread @ (scores @ scores.T) @ bread * trained / (trained - 1)
    return float(estimate[0]), float(np.sqrt(covariance[0, 0]))
