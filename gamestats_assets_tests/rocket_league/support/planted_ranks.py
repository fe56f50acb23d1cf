"""Players whose rank follows from how they play by a known model, and the matches they show it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets_tests.rocket_league.support.building import filled

# Mean and standard deviation between players.
SHAPES = {
    "supersonic_share": (0.3, 0.02),
    "avg_speed_uu_s": (1400.0, 60.0),
    "boost_per_minute": (380.0, 25.0),
    "behind_ball_share": (0.7, 0.01),
    "shot_accuracy": (0.4, 0.02),
    "save_share": (0.5, 0.02),
}
COEFFICIENTS = (1.2, 0.8, -0.6, 0.9, 0.0, 0.5)
"""Per standard deviation of each of `SHAPES`."""
THRESHOLDS = tuple(np.linspace(-4.0, 4.0, 21).tolist())
"""Between the 22 ranks."""
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
PLAYLIST = "ranked-doubles"
# Matches of a player differ three times as much as players.
WITHIN = 3.0


def expected(eta: np.ndarray) -> np.ndarray:
    """The expected rank at a strength by the planted model."""
    return 1 + (1 / (1 + np.exp(np.asarray(THRESHOLDS) - eta[:, None]))).sum(axis=1)


@dataclass(frozen=True)
class World:
    """Players of one playlist."""

    players: list[str]
    tiers: np.ndarray
    """True rank by the model."""
    true: np.ndarray
    """True means, in standard deviations between players: a row for each player, a column for each of `SHAPES`."""
    features: pl.DataFrame
    """PlayerMatchFeatures."""

    @property
    def profiles(self) -> pl.DataFrame:
        """PlayerProfiles."""
        return profiles_of(self.features)


def strengths(true: np.ndarray, coefficients: Sequence[float] = COEFFICIENTS) -> np.ndarray:
    """Strengths by the planted model."""
    return true @ np.asarray(coefficients)


def strength(model: Mapping[str, Any], values: Mapping[str, float | None]) -> float:
    """The strength of a player by a row of RankModels; what is not known stands at the mean."""
    shapes = zip(*(model[name] for name in ("features", "means", "spreads", "coefficients")), strict=True)
    known = ((values.get(name), mean, spread, coefficient) for name, mean, spread, coefficient in shapes)
    return sum((value - mean) / spread * coefficient for value, mean, spread, coefficient in known if value is not None)


def world(
    seed: int,
    players: int,
    *,
    matches: tuple[int, int] = (20, 40),
    coefficients: Sequence[float] = COEFFICIENTS,
    days: float = 120.0,
    slopes: np.ndarray | None = None,
    gains: np.ndarray | None = None,
    is_simulated: bool = False,
    playlist: str = PLAYLIST,
    within: float = WITHIN,
    name: str = "p",
) -> World:
    """Players drawn by a seed.

    Args:
        matches: fewest and most of a player, each as likely.
        coefficients: of the rank by the true means.
        days: over which each player's matches are spread evenly.
        slopes: of each player the change per day of the first feature, in standard deviations between players; it is 0
            in the middle of the time.
        gains: of each player, what the first feature rises by in the second half of the time, likewise.
    """
    rng = np.random.default_rng(seed)
    true = rng.standard_normal((players, len(SHAPES)))
    latent = strengths(true, coefficients) + rng.logistic(size=players)
    tiers = np.searchsorted(THRESHOLDS, latent) + 1
    ids = [f"steam_{name}{number:06d}" for number in range(players)]
    counts = rng.integers(matches[0], matches[1] + 1, size=players)
    owner = np.repeat(np.arange(players), counts)
    place = np.concatenate([np.arange(count) / max(count - 1, 1) for count in counts])
    shown = true[owner] + within * rng.standard_normal((len(owner), len(SHAPES)))
    if slopes is not None:
        shown[:, 0] += slopes[owner] * (place - 0.5) * days
    if gains is not None:
        shown[:, 0] += gains[owner] * (place >= 0.5)
    values = {feature: mean + spread * shown[:, at] for at, (feature, (mean, spread)) in enumerate(SHAPES.items())}
    starts = [FIRST_DAY + timedelta(days=float(each)) for each in place * days]
    frame = pl.DataFrame(
        {
            "match_id": [f"{seed:04X}{number:028X}" for number in range(len(owner))],
            "match_date": [start.date() for start in starts],
            "player_id": [ids[each] for each in owner],
            "playlist": playlist,
            "is_simulated": is_simulated,
            "started_at": starts,
            "stats_source": "ballchasing",
            "team_size": 2,
            "played_s": rng.uniform(250, 400, len(owner)),
            "rank_tier": tiers[owner],
            **values,
        }
    )
    return World(ids, tiers, true, filled(t.PlayerMatchFeatures, frame))


def profiles_of(features: pl.DataFrame) -> pl.DataFrame:
    """The profiles of matches."""
    keys = ["is_simulated", "playlist", "player_id"]
    last = features.sort("started_at").group_by(keys).agg(pl.col("rank_tier").last())
    long = features.select(*keys, *SHAPES).unpivot(index=keys, variable_name="feature").drop_nulls("value")
    means = long.group_by(*keys, "feature").agg(
        matches=pl.len(), mean=pl.col("value").mean(), spread=pl.col("value").std()
    )
    return filled(t.PlayerProfiles, means.join(last, on=keys))


def true_profiles(true: np.ndarray, tiers: np.ndarray, *, name: str = "p", **more: Any) -> pl.DataFrame:
    """Profiles with the true means, as after endless matches."""
    players = [f"steam_{name}{number:06d}" for number in range(len(true))]
    wide = pl.DataFrame(
        {"player_id": players, "rank_tier": tiers}
        | {feature: mean + spread * true[:, at] for at, (feature, (mean, spread)) in enumerate(SHAPES.items())}
    )
    long = wide.unpivot(index=["player_id", "rank_tier"], variable_name="feature", value_name="mean")
    given = {"is_simulated": False, "playlist": PLAYLIST, "matches": 50} | more
    return filled(t.PlayerProfiles, long.with_columns(pl.lit(value).alias(key) for key, value in given.items()))
