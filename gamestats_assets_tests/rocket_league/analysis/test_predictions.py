"""Predictions: the rank played at, its drivers, and where it is heading."""

from __future__ import annotations

import functools
import re
from datetime import timedelta
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis import rank_models as rm
from gamestats_assets.rocket_league.analysis import rank_versions as rv
from gamestats_assets.rocket_league.analysis.predictions import HORIZON_DAYS, rank_predictions
from gamestats_assets_tests.rocket_league.support import building
from gamestats_assets_tests.rocket_league.support import planted_ranks as planted
from gamestats_assets_tests.rocket_league.support.building import rows
from gamestats_assets_tests.rocket_league.support.planted_ranks import (
    COEFFICIENTS,
    FIRST_DAY,
    PLAYLIST,
    SHAPES,
    expected,
    world,
)

Row = dict[str, Any]
SLOPES = 0.02
"""Standard deviation between players of the change of the first feature per day."""
NO_SESSIONS, NO_RANKS = rows(t.TrainingSessions), rows(t.RlRanks)


def predict(
    features: pl.DataFrame,
    models: pl.DataFrame,
    *players: str,
    sessions: pl.DataFrame = NO_SESSIONS,
    ranks: pl.DataFrame = NO_RANKS,
    profiles: pl.DataFrame | None = None,
    tracked: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Predictions for players, by id; without any for all who have matches."""
    who = building.tracked(*(players or features.get_column("player_id").unique())) if tracked is None else tracked
    known = planted.profiles_of(features) if profiles is None else profiles
    frames: list[Any] = [each.lazy() for each in (who, features, models, sessions, ranks, known)]
    made = rank_predictions(*frames).collect()
    return t.RankPredictions.validate(made).sort("player_id", "is_simulated", "playlist")


@functools.cache
def models() -> pl.DataFrame:
    """A model of 2,000 players whose strength climbs or falls."""
    slopes = np.random.default_rng(1).normal(0, SLOPES, 2000)
    known = world(2, 2000, matches=(30, 60), slopes=slopes)
    frames: list[Any] = [rows(t.RankModels), known.profiles, known.features, NO_SESSIONS, rows(t.Withheld)]
    return rv.next_models(*(frame.lazy() for frame in frames)).collect()


def model() -> Row:
    """The same as a row."""
    return models().row(0, named=True)


def inside(made: pl.DataFrame, tiers: np.ndarray) -> float:
    """The mean part of a rank, as wide as 1, that is in the interval; 1 and 22 reach to the ends of the scale."""
    low, high = made.get_column("predicted_tier_low").to_numpy(), made.get_column("predicted_tier_high").to_numpy()
    low, high = np.where(low <= 1, 0.5, low), np.where(high >= 22, 22.5, high)
    return float(np.clip(np.minimum(high, tiers + 0.5) - np.maximum(low, tiers - 0.5), 0, 1).mean())


# --------------------------------------------------------------------------- the rank played at


def test_eight_in_ten_players_are_in_the_interval() -> None:
    known = world(3, 700, matches=(10, 12), name="n")
    made = predict(known.features, models())
    assert made.height == 700
    # The part inside has a standard deviation of 0.38; the model itself is 0.01 off.
    assert inside(made, known.tiers) == pytest.approx(0.8, abs=0.01 + 3 * 0.38 / 700**0.5)
    means = made.get_column("predicted_tier").to_numpy()
    assert np.corrcoef(means, known.tiers)[0, 1] > 0.5
    low, high = made.get_column("predicted_tier_low").to_numpy(), made.get_column("predicted_tier_high").to_numpy()
    assert ((low < means) & (means < high)).all()


def test_few_matches_widen_the_interval_and_draw_the_rank_to_the_middle() -> None:
    many = world(5, 1, matches=(60, 60), within=0.0).features
    few = many.head(10)
    one, other = (predict(each, models()).row(0, named=True) for each in (many, few))
    values = {name: many.item(0, name) for name in planted.SHAPES}
    assert one["predicted_tier"] == pytest.approx(rm.predicted_tier(model(), values))
    assert (one["predicted_tier_low"], one["predicted_tier_high"]) == pytest.approx(rm.tier_interval(model(), values))
    chance = model()["strength_within_spread"] ** 2 * (1 / 10 - model()["mean_inverse_matches"])
    assert chance > 0
    found = other["predicted_tier_low"], other["predicted_tier_high"]
    assert found == pytest.approx(rm.tier_interval(model(), values, more_chance=chance))
    assert found[1] - found[0] > one["predicted_tier_high"] - one["predicted_tier_low"]
    middle = rm.predicted_tier(model(), {})
    assert abs(other["predicted_tier"] - middle) < abs(one["predicted_tier"] - middle)


def test_drivers_say_what_raises_and_lowers_the_rank() -> None:
    fast = world(6, 1, matches=(12, 12), within=0.0).features.with_columns(
        supersonic_share=pl.lit(0.36), boost_per_minute=pl.lit(430.0), behind_ball_share=pl.lit(0.68)
    )
    row = predict(fast, models()).row(0, named=True)
    drivers = {driver.split(" (")[0]: driver for driver in row["drivers"]}
    assert len(drivers) == 5
    assert re.fullmatch(
        r"spends 20% more time at supersonic speed \(36% against 30% of the time\): \+\d\.\d ranks",
        drivers["spends 20% more time at supersonic speed"],
    )
    boost = next(driver for driver in row["drivers"] if driver.startswith("boosts"))
    assert re.fullmatch(r"boosts 1\d% more \(430 against 3\d\d a minute\): -\d\.\d ranks", boost)
    sizes = [abs(float(re.findall(r"([+-]?\d\.\d) rank", driver)[-1])) for driver in row["drivers"]]
    assert sizes == sorted(sizes, reverse=True)


def test_the_known_rank_is_the_later_one_of_matches_and_of_the_player() -> None:
    known = world(7, 1, matches=(12, 12))
    player, tier = known.players[0], int(known.tiers[0])
    assert predict(known.features, models()).item(0, "known_tier") == tier
    given = building.given_ranks((player, PLAYLIST, 21, FIRST_DAY + timedelta(days=500)))
    assert predict(known.features, models(), ranks=given).item(0, "known_tier") == 21
    unranked = known.features.with_columns(rank_tier=pl.lit(None, pl.Int32))
    row = predict(unranked, models()).row(0, named=True)
    assert (row["state"], row["known_tier"]) == ("measured", None)


# --------------------------------------------------------------------------- what is refused


def test_few_matches_are_refused() -> None:
    known = world(8, 1, matches=(10, 10)).features
    assert predict(known, models()).item(0, "state") == "measured"
    row = predict(known.head(9), models()).row(0, named=True)
    assert row["state"] == "refused"
    assert row["reason"] == "Not enough matches yet: 9 of 10 in Ranked doubles."
    empty = ("model_version", "predicted_tier", "drivers", "expected_change_tiers", "change_note", "horizon_days")
    assert {row[name] for name in empty} == {None}
    # What is before the day from which matches are kept does not count.
    day = known.sort("match_date").item(1, "match_date")
    later = building.tracked(known.item(0, "player_id"), kept_from=day)
    assert predict(known, models(), tracked=later).item(0, "reason") == row["reason"]


def test_without_a_model_the_reason_is_why_there_is_none() -> None:
    known = world(9, 30, matches=(12, 12)).features
    player = known.item(0, "player_id")
    none = rows(t.RankModels)
    row = predict(known, none, player).row(0, named=True)
    assert (row["state"], row["reason"]) == (
        "refused",
        "30 players of known rank with 5 matches or more are known in Ranked doubles; a model of ranks needs 200.",
    )
    refused = models().with_columns(state=pl.lit("refused"), reason=pl.lit("It is worse than nothing."))
    assert predict(known, refused, player).item(0, "reason") == (
        "No model of ranks serves in Ranked doubles: the last one was refused. It is worse than nothing."
    )
    many = world(9, 300, matches=(12, 12))
    row = predict(known, none, player, profiles=many.profiles).row(0, named=True)
    assert row["reason"] == "No model of ranks has been trained in Ranked doubles yet."


# --------------------------------------------------------------------------- where it is heading


@functools.cache
def climbers() -> tuple[planted.World, np.ndarray, pl.DataFrame]:
    """500 players with slopes of their own, and what is predicted of them."""
    slopes = np.random.default_rng(11).normal(0, SLOPES, 500)
    known = world(12, 500, matches=(40, 60), days=89.0, slopes=slopes, name="c")
    return known, slopes, predict(known.features, models())


def test_planted_climbs_are_in_eight_of_ten_intervals() -> None:
    known, slopes, made = climbers()
    at_end = planted.strengths(known.true) + COEFFICIENTS[0] * slopes * 89 / 2
    truth = expected(at_end + COEFFICIENTS[0] * slopes * HORIZON_DAYS) - expected(at_end)
    low, high = made.get_column("expected_change_low").to_numpy(), made.get_column("expected_change_high").to_numpy()
    covered = ((low <= truth) & (truth <= high)).mean()
    # The change is told by the slope where a player stands on average, which makes the ends of the scale less exact.
    assert covered == pytest.approx(0.8, abs=0.03 + 3 * 0.4 / 500**0.5)
    changes = made.get_column("expected_change_tiers").to_numpy()
    assert np.corrcoef(changes, truth)[0, 1] > 0.45
    # Drawn towards 0, what is told is no larger than what comes.
    assert np.polyfit(changes, truth, 1)[0] == pytest.approx(1, abs=0.3)
    assert made.get_column("form_change_tiers").equals(made.get_column("expected_change_tiers"))


def test_form_is_weighted_least_squares_drawn_towards_none() -> None:
    known, _, made = climbers()
    player = known.players[7]
    row = made.filter(pl.col("player_id") == player).row(0, named=True)
    own = known.features.filter(pl.col("player_id") == player).sort("started_at")
    last = own.item(-1, "started_at")
    played = own.get_column("played_s").to_numpy()
    days = np.array([(each - last).total_seconds() / 86_400 for each in own.get_column("started_at")])
    shown = np.array([planted.strength(model(), each) for each in own.iter_rows(named=True)])
    root = np.sqrt(played / played.mean())
    design = np.stack([np.ones_like(days), days], axis=1)
    slope = float(np.linalg.lstsq(design * root[:, None], shown * root, rcond=None)[0][1])
    centred = days - np.average(days, weights=played)
    variance = model()["strength_within_spread"] ** 2 / float((root**2 * centred**2).sum())
    prior = model()["slope_spread_per_day"] ** 2
    values = own.select(planted.SHAPES.keys()).mean().row(0, named=True)
    per_strength = rm.tiers_per_strength(model(), values)
    counts = prior / (prior + variance)
    assert row["form_change_tiers"] == pytest.approx(slope * counts * 30 * per_strength, rel=1e-6)
    half = 1.2815516 * (counts * variance) ** 0.5 * 30 * per_strength
    assert row["expected_change_high"] - row["expected_change_low"] == pytest.approx(2 * half, rel=1e-6)
    assert f"{own.height} matches on {own.get_column('match_date').n_unique()} days" in row["change_note"]
    assert f"{counts:.0%} of it counts" in row["change_note"]
    assert row["change_note"].endswith("No training in the last 28 days.")


def test_matches_long_ago_are_no_form() -> None:
    old = world(13, 1, matches=(200, 200), days=400.0, slopes=np.array([0.03]), name="o").features
    last = old.get_column("started_at").max()
    lately = old.filter(pl.col("started_at") > last - timedelta(days=90))  # type: ignore[operator]
    row, of_lately = (predict(each, models()).row(0, named=True) for each in (old, lately))
    assert lately.height < 60
    assert f"Form: {lately.height} matches" in row["change_note"]
    assert f"Form: {lately.height} matches" in of_lately["change_note"]


def test_form_needs_enough_matches_and_days() -> None:
    twenty, nineteen = (
        predict(world(14, 1, matches=(matches, matches), days=6.0).features, models()).row(0, named=True)
        for matches in (20, 19)
    )
    assert twenty["expected_change_tiers"] is not None
    assert (nineteen["state"], nineteen["expected_change_tiers"]) == ("measured", None)
    assert nineteen["change_note"].startswith(
        "No form: 19 matches on 7 days of the last 90 are known; it needs 20 on 5."
    )
    row = predict(world(14, 1, matches=(30, 30), days=3.5).features, models()).row(0, named=True)
    assert row["expected_change_tiers"] is None
    assert "30 matches on 4 days" in row["change_note"]
    assert row["horizon_days"] == 30


def test_form_needs_a_spread_of_slopes() -> None:
    known = world(15, 1, matches=(30, 30)).features
    young = models().with_columns(slope_spread_per_day=pl.lit(None, pl.Float64), form_players=pl.lit(12, pl.Int32))
    row = predict(known, young).row(0, named=True)
    assert row["expected_change_tiers"] is None
    assert "needs 30 players with enough matches to compare with, and there are 12." in row["change_note"]
    still = models().with_columns(slope_spread_per_day=pl.lit(0.0))
    row = predict(known, still).row(0, named=True)
    assert row["form_change_tiers"] == row["expected_change_tiers"] == 0.0


# --------------------------------------------------------------------------- training


def with_effect(effect: float | None, error: float | None = 0.0, players: int = 40) -> pl.DataFrame:
    """The model, knowing what training is worth."""
    return models().with_columns(
        training_effect_tiers_per_hour=pl.lit(effect, pl.Float64),
        training_effect_standard_error=pl.lit(error if effect is not None else None, pl.Float64),
        training_players=pl.lit(players, pl.Int32),
    )


def test_training_goes_on_at_its_pace() -> None:
    known = world(16, 1, matches=(40, 40), days=80.0)
    player = known.players[0]
    last: Any = known.features.get_column("started_at").max()
    ends = [last - timedelta(days=each) for each in (1, 20, 27.9, 28.1)]
    sessions = building.sessions(*((player, end, 2.0) for end in ends), ("steam_other", ends[0], 50.0))
    row = predict(known.features, with_effect(0.1, 0.02), player, sessions=sessions).row(0, named=True)
    assert row["training_change_tiers"] == pytest.approx(0.1 * 6 / 28 * 30)
    assert "6.0 hours in the last 28 days" in row["change_note"]
    assert "+0.100 ranks" in row["change_note"]
    assert "40 players" in row["change_note"]
    assert row["expected_change_tiers"] == pytest.approx(row["form_change_tiers"] + row["training_change_tiers"])
    sure = predict(known.features, with_effect(0.1, 0.0), player, sessions=sessions).row(0, named=True)
    assert row["expected_change_high"] - row["expected_change_low"] > (
        sure["expected_change_high"] - sure["expected_change_low"]
    )
    # What comes after the last match counts, too: the pace is told by it, and form is not.
    after = building.sessions((player, last + timedelta(days=10), 3.0), (player, last - timedelta(days=20), 9.0))
    row = predict(known.features, with_effect(0.1), player, sessions=after).row(0, named=True)
    assert row["training_change_tiers"] == pytest.approx(0.1 * 3 / 28 * 30)
    long_after = building.sessions((player, last + timedelta(days=250), 3.0))
    late = predict(known.features, with_effect(0.1), player, sessions=long_after).row(0, named=True)
    alone = predict(known.features, with_effect(0.1), player).row(0, named=True)
    assert late["form_change_tiers"] == pytest.approx(alone["form_change_tiers"])
    assert late["training_change_tiers"] == row["training_change_tiers"]
    assert late["expected_change_low"] is not None


def test_training_of_unknown_worth_does_not_count() -> None:
    known = world(17, 1, matches=(40, 40), days=80.0)
    player = known.players[0]
    sessions = building.sessions((player, known.features.item(-1, "started_at"), 2.5))
    row = predict(known.features, with_effect(None, players=3), player, sessions=sessions).row(0, named=True)
    assert row["training_change_tiers"] is None
    assert row["expected_change_tiers"] == row["form_change_tiers"]
    assert "The effect of training is not known yet: 3 players trained, 30 are needed" in row["change_note"]
    row = predict(known.features, with_effect(None, players=3), player).row(0, named=True)
    assert row["training_change_tiers"] == 0.0


def test_what_training_gave_is_not_counted_as_form_again() -> None:
    # All of the climb is by training in the middle of the time; form alone is 0.
    known = world(19, 100, matches=(60, 80), days=80.0, gains=np.full(100, 1.5), name="t")
    middle = FIRST_DAY + timedelta(days=40)
    sessions = building.sessions(*((player, middle - timedelta(minutes=1), 10.0) for player in known.players))
    blind = predict(known.features, models(), sessions=sessions)
    spread = SHAPES["supersonic_share"][1]
    gain = 1.5 * spread * model()["coefficients"][0] / model()["spreads"][0]
    profiles = rm.training_rows(known.profiles.lazy()).collect()
    in_tiers = fmean(rm.tiers_per_strength(model(), each) for each in profiles.iter_rows(named=True))
    predicted = predict(known.features, with_effect(in_tiers * gain / 10), sessions=sessions)
    assert fmean(blind.get_column("form_change_tiers")) > 0.5
    assert fmean(predicted.get_column("form_change_tiers")) == pytest.approx(0, abs=0.3)


# --------------------------------------------------------------------------- as it is made
