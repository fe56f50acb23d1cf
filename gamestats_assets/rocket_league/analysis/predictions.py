"""Predicts the rank at which a player plays, its drivers, and where it is heading.

**Rank played at.** The serving model of the playlist predicts it from the player's means. Its interval holds for
players with as many matches as its training players. With fewer matches it is wider, and the rank is nearer to the
middle: chance in the player's strength is the variance of single matches times 1/matches, which exceeds that of the
training players.

**Expected change.** It covers `HORIZON_DAYS` days from the player's last match on, and is the sum of two parts, in
ranks by the local slope of the expected rank (`tiers_per_strength`):

- *form*: the slope over time of the strength in the matches of the 90 days up to the last one (least squares weighted
  by the time played), minus the effect of training in that time. It is shrunk towards 0 according to its uncertainty:
  the slope times s^2 / (s^2 + v), with v its variance and s the spread of slopes between players (empirical Bayes). For
  players who climb far faster than others it is too low. It needs 20 matches on 5 different days, and a known spread.
- *training*: assumes the pace of the 28 days up to the last match or training, whichever is later, and the effect per
  hour that it had for players who trained. Without training this part is 0; if the effect is unknown it is null and not
  counted.

The interval of the change is a normal interval of its mean: from the uncertainty of the shrunk slope, and of the effect
of training, which enters both parts. It does not include how much ranks go up and down by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from statistics import NormalDist
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.comparison import difference_in_words
from gamestats_assets.rocket_league.analysis.rank_models import (
    FEATURES,
    KIND,
    LEVEL,
    drivers,
    predicted_tier,
    served_models,
    tier_interval,
    tiers_per_strength,
    too_few,
    training_rows,
)
from gamestats_assets.rocket_league.analysis.strength_over_time import (
    FORM_DAYS,
    FORM_MATCHES,
    FORM_PLAY_DAYS,
    FORM_PLAYERS,
    TRAINING_PLAYERS,
    match_strengths,
    recent,
    sums_by_player,
)
from gamestats_assets.rocket_league.analysis.wording import counted, day_words
from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.reference.ranks import PLAYER, kept, known_tiers

PREDICTION_MATCHES = 10
"""Matches needed for a prediction."""
HORIZON_DAYS = 30
PACE_DAYS = 28
"""Days of training that determine the pace."""
_WIDTH = NormalDist().inv_cdf((1 + LEVEL) / 2)


def rank_predictions(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    models: dy.LazyFrame[t.RankModels],
    sessions: dy.LazyFrame[t.TrainingSessions],
    ranks: dy.LazyFrame[t.RlRanks],
    profiles: dy.LazyFrame[t.PlayerProfiles],
) -> dy.LazyFrame[t.RankPredictions]:
    """Returns one row for each playlist with matches of a tracked player: measured, or refused with the reason.

    Players with fewer than ten matches and playlists without a serving model are refused. If the rank is measured and
    the change is not, its columns are null and `change_note` says why.
    """
    matches = kept(features, tracked)
    played = matches.group_by(PLAYER).agg(
        pl.len().alias("__matches__"),
        pl.col("started_at").max().alias("__last__"),
        *(pl.col(name).cast(pl.Float64).mean() for name in FEATURES),
    )
    players_known = played.join(known_tiers(matches, ranks), on=PLAYER, how="left").sort(PLAYER).collect()
    trained = sessions.join(tracked.select("player_id"), on="player_id", how="semi").collect()
    versions = models.collect()
    served = served_models(versions)
    predictions: list[dict[str, Any]] = []
    for (is_simulated, playlist), players in players_known.group_by(KIND, maintain_order=True):
        kind = bool(is_simulated), str(playlist)
        of_kind = (pl.col("is_simulated") == is_simulated) & (pl.col("playlist") == playlist)
        model = served.get(kind)
        lately = _lately(model, matches.filter(of_kind), trained, players) if model else {}
        without = None if model else _without_model(versions.filter(of_kind), profiles.filter(of_kind), kind[1])
        for values in players.iter_rows(named=True):
            known: dict[str, Any] = {name: values[name] for name in PLAYER}
            known |= {"matches": values["__matches__"], "known_tier": values["rank_tier"]}
            if values["__matches__"] < PREDICTION_MATCHES:
                found_of = f"{values['__matches__']} of {PREDICTION_MATCHES} in {playlist_name(kind[1])}"
                known |= {"state": "refused", "reason": f"Not enough matches yet: {found_of}."}
            elif model is None:
                known |= {"state": "refused", "reason": without}
            else:
                form = lately[values["player_id"]]
                known |= {"state": "measured"} | _prediction(model, values) | _change(model, values, form)
            predictions.append(known)
    rows = pl.LazyFrame(predictions, schema=t.RankPredictions.schema())
    return t.RankPredictions.cast(rows)


def _without_model(versions: pl.DataFrame, profiles: pl.LazyFrame, playlist: str) -> str:
    """Returns why no model serves in a playlist, from its versions and profiles."""
    refused = versions.sort("version").get_column("reason").drop_nulls()
    if len(refused):
        return f"No model of ranks serves in {playlist_name(playlist)}: the last one was refused. {refused[-1]}"
    rows = training_rows(profiles).collect(engine="streaming")
    return too_few(rows, playlist) or f"No model of ranks has been trained in {playlist_name(playlist)} yet."


def _lately(
    model: Mapping[str, Any], matches: pl.LazyFrame, sessions: pl.DataFrame, players: pl.DataFrame
) -> dict[str, dict[str, Any]]:
    """Returns recent data by player: the sums of `sums_by_player` over the days of form, and training.

    Further keys are `last`, the last match, at which form ends, and `trained_s`, the training in the weeks up to the
    last match or session.
    """
    ended = sessions.lazy().group_by("player_id").agg(ended=pl.col("completed_at").max())
    last = (
        players.lazy()
        .select("player_id", last="__last__")
        .join(ended, on="player_id", how="left")
        .select("player_id", "last", until=pl.max_horizontal("last", "ended"))
    )
    shown = match_strengths(model, matches, sessions.lazy()).join(last, on="player_id")
    sums = sums_by_player(recent(shown, pl.col("last")))
    pace = (
        sessions.lazy()
        .join(last, on="player_id")
        .filter(pl.col("completed_at") > pl.col("until") - timedelta(days=PACE_DAYS))
        .group_by("player_id")
        .agg(trained_s=pl.col("duration_s").sum())
    )
    rows = last.join(sums, on="player_id", how="left").join(pace, on="player_id", how="left").collect()
    return {row["player_id"]: row for row in rows.iter_rows(named=True)}


def _prediction(model: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    fewer = max(1 / values["__matches__"] - model["mean_inverse_matches"], 0.0)
    more_chance = model["strength_within_spread"] ** 2 * fewer
    low, high = tier_interval(model, values, LEVEL, more_chance)
    usual = dict(zip(model["features"], model["means"], strict=True))
    sentences = [
        f"{difference_in_words(name, values[name], usual[name])}: {_ranks(worth)}"
        for name, worth in drivers(model, values)
    ]
    return {
        "model_version": model["version"],
        "predicted_tier": predicted_tier(model, values, more_chance),
        "predicted_tier_low": low,
        "predicted_tier_high": high,
        "drivers": sentences,
    }


def _change(model: Mapping[str, Any], values: Mapping[str, Any], lately: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns of the expected change; `lately` is the player's entry of `_lately`."""
    in_tiers = tiers_per_strength(model, values)
    matches, days = lately["matches"] or 0, lately["days"] or 0
    hours = (lately["trained_s"] or 0) / 3600
    effect, error = model["training_effect_tiers_per_hour"], model["training_effect_standard_error"]
    ahead = hours / PACE_DAYS * HORIZON_DAYS
    training = 0.0 if not hours else None if effect is None else effect * ahead
    if not hours:
        note = f"No training in the last {PACE_DAYS} days."
    elif effect is None:
        note = (
            f"The effect of training is not known yet: {counted(model['training_players'], 'player')} trained, "
            f"{TRAINING_PLAYERS} are needed; the {hours:.1f} hours of the last {PACE_DAYS} days do not count."
        )
    else:
        note = (
            f"Training: {hours:.1f} hours in the last {PACE_DAYS} days; an hour went with {_ranks(effect, 3)} for "
            f"{model['training_players']} players who trained; at this pace {_ranks(effect * ahead)}."
        )
    row = {"horizon_days": HORIZON_DAYS, "training_change_tiers": training}
    spread = model["slope_spread_per_day"]
    if matches < FORM_MATCHES or days < FORM_PLAY_DAYS:
        form = (
            f"No form: {counted(matches, 'match', 'matches')} on {counted(days, 'day')} of the last "
            f"{FORM_DAYS} {'is' if matches == 1 else 'are'} known; it needs {FORM_MATCHES} on {FORM_PLAY_DAYS}."
        )
        return row | {"change_note": f"{form} {note}"}
    if spread is None:
        form = (
            f"No form: it needs {FORM_PLAYERS} players with enough matches to compare with, and there "
            f"{'is' if model['form_players'] == 1 else 'are'} {model['form_players']}."
        )
        return row | {"change_note": f"{form} {note}"}
    day_day = lately["day_day"]
    trained_per_day = 0.0 if effect is None else lately["day_hours"] / day_day
    slope = lately["day_strength"] / day_day * in_tiers - (effect or 0.0) * trained_per_day
    prior = (spread * in_tiers) ** 2
    chance = (model["strength_within_spread"] * in_tiers) ** 2 / day_day
    kept_share = prior / (prior + chance) if prior else 0.0
    of_form = slope * kept_share * HORIZON_DAYS
    # The effect of training is subtracted from form and added by training, so its error partly cancels.
    by_error = (error or 0.0) * (ahead - kept_share * trained_per_day * HORIZON_DAYS)
    deviation = (kept_share * chance * HORIZON_DAYS**2 + by_error**2) ** 0.5
    total = of_form + (training or 0.0)
    form = (
        f"Form: {matches} matches on {days} days up to {day_words(lately['last'])} change by "
        f"{_ranks(slope * HORIZON_DAYS)} in {HORIZON_DAYS} days; {kept_share:.0%} of it counts, because the rest is "
        f"chance: {_ranks(of_form)}."
    )
    return row | {
        "form_change_tiers": of_form,
        "expected_change_tiers": total,
        "expected_change_low": total - _WIDTH * deviation,
        "expected_change_high": total + _WIDTH * deviation,
        "change_note": f"{form} {note}",
    }


def _ranks(value: float, digits: int = 1) -> str:
    """Returns a number of ranks with its sign; 0 has none."""
    rounded = round(value, digits) or 0.0
    return f"{'+' if rounded > 0 else ''}{rounded:.{digits}f} ranks"
