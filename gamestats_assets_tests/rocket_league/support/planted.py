"""Rows of `player_match_features` with a known truth: what players are like, and how their matches differ from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.rocket_league.tables import PlayerMatchFeatures
from gamestats_assets_tests.rocket_league.support.building import filled

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first match of every player begins; the others follow an hour apart."""
MEANS: Mapping[str, float] = {
    "high_air_share": 0.06,
    "low_air_share": 0.33,
    "save_share": 0.25,
    "goals_against_per_minute": 0.5,
    "behind_ball_share": 0.7,
    "last_defender_conceded_share": 0.4,
    "role_imbalance": 0.06,
    "shot_accuracy": 0.3,
    "shots_per_minute": 0.5,
    "avg_speed_uu_s": 1500.0,
    "boost_per_minute": 400.0,
}
"""Features that ballchasing tells, with a mean of each."""
BETWEEN = 0.02
"""Standard deviation between players, as a part of a feature's mean."""
NOISE = 3.0
"""Standard deviation between a player's matches, in those between players."""


def later(hours: float) -> datetime:
    """So many hours after the first match began."""
    return FIRST + timedelta(hours=hours)


def player_id(number: int, kind: str = "steam") -> str:
    """The id of a planted player."""
    return f"{kind}_{number:06}"


def truths(rng: np.random.Generator, players: int, names: Sequence[str] = tuple(MEANS)) -> dict[str, np.ndarray]:
    """True values of players in each feature, in standard deviations between players from its mean."""
    return {name: rng.normal(size=players) for name in names}


def played(
    rng: np.random.Generator,
    true: Mapping[str, np.ndarray],
    matches: int | Sequence[int] | np.ndarray,
    *,
    tier: int | Sequence[int] | np.ndarray | None = 16,
    playlist: str | Sequence[str] | np.ndarray = "ranked-doubles",
    first: int = 0,
    noise: float = NOISE,
    is_simulated: bool = False,
    team_size: int = 2,
    kind: str = "steam",
) -> pl.DataFrame:
    """Matches of players, numbered from `first` on; features that are not in `true` are null.

    Args:
        true: as `truths` gives it.
        matches: how many each player has.
        tier: rank of each, or of all; None where nobody told it.
        playlist: playlist of each, or of all.
        noise: how matches of a player differ, in standard deviations between players.
        kind: what ids begin with.
    """
    players = len(next(iter(true.values())))
    counts = np.broadcast_to(np.asarray(matches), players)
    of = np.repeat(np.arange(players), counts)
    within = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    began = pl.Series(within).cast(pl.Int64) * 3_600_000_000
    columns: dict[str, Any] = {
        "match_id": [f"{number:032X}" for number in rng.integers(0, 2**62, size=len(of))],
        "player_id": pl.Series([player_id(first + number, kind) for number in range(players)]).gather(of),
        "playlist": np.broadcast_to(np.asarray(playlist), players)[of],
        "rank_tier": None if tier is None else np.broadcast_to(np.asarray(tier), players)[of],
        "started_at": pl.select(
            pl.lit(FIRST, dtype=pl.Datetime("us", "UTC")) + began.cast(pl.Duration("us"))
        ).to_series(),
    }
    for name, values in true.items():
        off = values[of] + noise * rng.normal(size=len(of))
        columns[name] = MEANS.get(name, 1.0) * (1 + BETWEEN * off)
    fixed = {"is_simulated": is_simulated, "stats_source": "ballchasing", "team_size": team_size, "played_s": 300.0}
    return filled(
        PlayerMatchFeatures, pl.DataFrame(columns).with_columns(match_date=pl.col("started_at").dt.date()), **fixed
    )
