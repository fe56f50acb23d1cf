"""Which rank a player plays at, why, and where that is heading.

**Rank played at.** The served model of the playlist is asked about the player's means. Its interval holds for players
with as many matches as those it was trained on. For fewer it is wider, and the rank nearer to the middle: chance in the
player's strength has the variance of single matches times 1/matches, which is above that in the model's players.

**Expected change.** Over `HORIZON_DAYS` days from the player's last match on. It is the sum of two parts, in ranks by
the local slope of the expected rank (`tiers_per_strength`):

- *form*: the slope over time of the strength shown in the matches of the 90 days up to the last one (weighted least
  squares, the weight of a match is the time played), less what the training done meanwhile is worth. It is drawn
  towards 0 by as much as chance is in it: the slope times s^2 / (s^2 + v), v being its variance and s the spread of
  slopes between players (empirical Bayes). Who climbs far faster than others do is told too little by it. There must
  be 20 matches on 5 different days, and the spread must be known.
- *training*: the pace of the 28 days up to the last match or training, whichever is later, is kept, and an hour is
  worth what it was for players who trained. Without training this part is 0; where the worth of training is not known
  it is null, and not counted.

The interval of the change is that of its mean, a normal one: of the slope, as it is known after it is drawn towards
0, and of the worth of training, which enters both parts. How much ranks go up and down by chance is not in it.
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
from gamestats_assets.rocket_league.playlists import playlist_name
from gamestats_assets.rocket_league.ranks import PLAYER, kept, known_tiers

PREDICTION_MATCHES = 10
"""Matches that a prediction needs."""
HORIZON_DAYS = 30
PACE_DAYS = 28
"""Days whose training sets the pace."""
_WIDTH = NormalDist().inv_cdf((1 + LEVEL) / 2)


def rank_predictions(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    models: dy.LazyFrame[t.RankModels],
    sessions: dy.LazyFrame[t.TrainingSessions],
    ranks: dy.LazyFrame[t.RlRanks],
    profiles: dy.LazyFrame[t.PlayerProfiles],
) -> dy.LazyFrame[t.RankPredictions]:
    """One row for each playlist in which a tracked player has matches: measured, or refused with the reason.

    Refused are players with fewer than ten matches, and playlists without a model that serves. Where the rank is
    measured and the change is not, its columns are null and `change_note` says why.
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
    found: list[dict[str, Any]] = []
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
            found.append(known)
    rows = pl.LazyFrame(found, schema=t.RankPredictions.schema())
    return t.RankPredictions.cast(rows)


def _without_model(versions: pl.DataFrame, profiles: pl.LazyFrame, playlist: str) -> str:
    """Why no model serves in a playlist, whose versions and profiles these are."""
    refused = versions.sort("version").get_column("reason").drop_nulls()
    if len(refused):
        return f"No model of ranks serves in {playlist_name(playlist)}: the last one was refused. {refused[-1]}"
    rows = training_rows(profiles).collect(engine="streaming")
    return too_few(rows, playlist) or f"No model of ranks has been trained in {playlist_name(playlist)} yet."


def _lately(
    model: Mapping[str, Any], matches: pl.LazyFrame, sessions: pl.DataFrame, players: pl.DataFrame
) -> dict[str, dict[str, Any]]:
    """By player, what there is of late: the sums of `sums_by_player` over the days of form, and training.

    Besides them `last`, the player's last match, up to which form is, and `trained_s` of the weeks up to the last match
    or session.
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
    """The columns of the expected change; `lately` is what `_lately` tells of the player."""
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
            f"What training is worth is not known yet: {counted(model['training_players'], 'player')} trained, "
            f"{TRAINING_PLAYERS} are needed; the {hours:.1f} hours of the last {PACE_DAYS} days do not count."
        )
    else:
        note = (
            f"Training: {hours:.1f} hours in the last {PACE_DAYS} days; an hour went with {_ranks(effect, 3)} for "
            f"{model['training_players']} players who trained; {_ranks(effect * ahead)} if it goes on so."
        )
    row = {"horizon_days": HORIZON_DAYS, "training_change_tiers": training}
    spread = model["slope_spread_per_day"]
    if matches < FORM_MATCHES or days < FORM_PLAY_DAYS:
        form = (
            f"Form is not told: {counted(matches, 'match', 'matches')} on {counted(days, 'day')} of the last "
            f"{FORM_DAYS} {'is' if matches == 1 else 'are'} known; it needs {FORM_MATCHES} on {FORM_PLAY_DAYS}."
        )
        return row | {"change_note": f"{form} {note}"}
    if spread is None:
        form = (
            f"Form is not told: how much it differs between players is known of {FORM_PLAYERS} players at least, and "
            f"{counted(model['form_players'], 'player')} have enough matches."
        )
        return row | {"change_note": f"{form} {note}"}
    day_day = lately["day_day"]
    trained_per_day = 0.0 if effect is None else lately["day_hours"] / day_day
    slope = lately["day_strength"] / day_day * in_tiers - (effect or 0.0) * trained_per_day
    prior = (spread * in_tiers) ** 2
    chance = (model["strength_within_spread"] * in_tiers) ** 2 / day_day
    kept_share = prior / (prior + chance) if prior else 0.0
    of_form = slope * kept_share * HORIZON_DAYS
    # What training is worth is taken off form by as much as it is added again.
    by_error = (error or 0.0) * (ahead - kept_share * trained_per_day * HORIZON_DAYS)
    deviation = (kept_share * chance * HORIZON_DAYS**2 + by_error**2) ** 0.5
    total = of_form + (training or 0.0)
    form = (
        f"Form: {matches} matches on {days} days up to {day_words(lately['last'])} change by "
        f"{_ranks(slope * HORIZON_DAYS)} in {HORIZON_DAYS} days, of which {kept_share:.0%} counts, as the rest is what "
        f"chance gives: {_ranks(of_form)}."
    )
    return row | {
        "form_change_tiers": of_form,
        "expected_change_tiers": total,
        "expected_change_low": total - _WIDTH * deviation,
        "expected_change_high": total + _WIDTH * deviation,
        "change_note": f"{form} {note}",
    }


def _ranks(value: float, digits: int = 1) -> str:
    """A number of ranks with its sign; what rounds to nought has none."""
    rounded = round(value, digits) or 0.0
    return f"{'+' if rounded > 0 else ''}{rounded:.{digits}f} ranks"
