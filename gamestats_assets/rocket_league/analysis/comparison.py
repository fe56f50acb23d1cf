"""Players who play most like a tracked player, of the same rank and of the next one, and in what they differ."""

from __future__ import annotations

import typing
from collections.abc import Mapping

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league.analysis.rank_models import FEATURES
from gamestats_assets.rocket_league.analysis.wording import players_unit
from gamestats_assets.rocket_league.privacy.consents import allowing
from gamestats_assets.rocket_league.ranks import PLAYER, kept, known_tiers
from gamestats_assets.rocket_league.tables import (
    PlayerComparison,
    PlayerMatchFeatures,
    PlayerProfiles,
    RankCohorts,
    RlRanks,
    TrackedPlayers,
    Withheld,
)

COMPARED_MATCHES = 5
"""Matches that both players must have."""
NEAREST = 5
"""Players of a rank that are named."""
DIFFERENCES = 3
"""Differences that are told of each."""
KNOWN_SHARE = 0.5
"""Share of the features in which both must be known."""
_FAR_MORE = 3.0

Words = tuple[str, str, str, str, str]
_MORE = ("more", "less")
_FEWER = ("more", "fewer")
_OF_TIME = "of the time"
_PER_MINUTE = "a minute"
WORDS: Mapping[str, Words] = {
    "supersonic_share": ("spends", *_MORE, "time at supersonic speed", _OF_TIME),
    "slow_share": ("spends", *_MORE, "time at low speed", _OF_TIME),
    "avg_speed_uu_s": ("drives", "faster", "slower", "", "km/h"),
    "ground_share": ("spends", *_MORE, "time on the ground", _OF_TIME),
    "high_air_share": ("spends", *_MORE, "time high in the air", _OF_TIME),
    "powerslides_per_minute": ("powerslides", *_MORE, "", _PER_MINUTE),
    "boost_per_minute": ("boosts", *_MORE, "", _PER_MINUTE),
    "avg_boost": ("has", *_MORE, "boost in the tank", "on average"),
    "zero_boost_share": ("spends", *_MORE, "time without boost", _OF_TIME),
    "boost_wasted_supersonic_share": ("wastes", *_MORE, "boost at supersonic speed", "of the boost used"),
    "boost_stolen_share": ("takes", *_MORE, "boost from the opponents' half", "of the boost collected"),
    "small_pad_share": ("takes", *_MORE, "boost from small pads", "of the boost collected"),
    "behind_ball_share": ("spends", *_MORE, "time goal-side of the ball", _OF_TIME),
    "avg_distance_to_ball_uu": ("stays", "farther", "nearer", "to the ball", "m"),
    "role_imbalance": ("rotates", "less evenly", "more evenly", "", "away from an even share of each role"),
    "last_defender_conceded_share": ("is the last man of", *_FEWER, "goals conceded", "of the goals conceded"),
    "shots_per_minute": ("shoots", *_MORE, "", _PER_MINUTE),
    "shot_accuracy": ("scores with", *_FEWER, "shots", "of the shots"),
    "shots_against_per_minute": ("faces", *_FEWER, "shots", _PER_MINUTE),
    "goals_against_per_minute": ("concedes", *_FEWER, "goals", _PER_MINUTE),
    "save_share": ("saves", *_FEWER, "shots", "of the shots against"),
    "position_spread_uu": ("covers", *_MORE, "of the field", "m around the middle of it"),
    "aerial_touches_per_minute": ("touches the ball", *_MORE, "in the air", _PER_MINUTE),
    "aerial_success_share": ("keeps", *_FEWER, "aerial touches for the team", "of them"),
    "avg_shot_speed_uu_s": ("shoots", "harder", "softer", "", "km/h"),
    "touches_per_minute": ("touches the ball", *_MORE, "", _PER_MINUTE),
    "turnover_share": ("loses", *_FEWER, "possessions", "of them"),
    "rotation_efficiency": ("rotates out", *_MORE, "after being first man", "of the times"),
    "double_commits_per_minute": ("goes for the ball with a mate", *_MORE, "", _PER_MINUTE),
    "challenge_win_share": ("wins", *_FEWER, "50/50s", "of those decided"),
}
"""How a feature is told: what is done, by how much when it is more and when it is less, of what, and the unit."""


def difference_in_words(feature: str, value: float, other: float) -> str:
    """How a value of a feature is against another.

    >>> difference_in_words("boost_per_minute", 412.2, 335.0)
    'boosts 23% more (412 against 335 a minute)'
    >>> difference_in_words("behind_ball_share", 0.61, 0.7)
    'spends 13% less time goal-side of the ball (61% against 70% of the time)'

    Args:
        feature: one of `FEATURES`.
    """
    done, more, less, of_what, unit = WORDS[feature]
    ratio = value / other if other > 0 else float("inf") if value > other else 1.0
    # A ratio to next to nothing has no size worth telling.
    size = "far" if ratio >= _FAR_MORE else f"{abs(ratio - 1):.0%}"
    size = "hardly" if size == "0%" else size
    message = " ".join(filter(None, [done, size, more if value >= other else less, of_what]))
    one, two = _figures(feature, value, other)
    return f"{message} ({one} against {two} {unit})"


def _figures(feature: str, value: float, other: float) -> tuple[str, str]:
    """Two values with as many digits as their size asks for, and as it takes to tell them apart."""
    is_share = feature.endswith("_share") or feature in ("shot_accuracy", "role_imbalance", "rotation_efficiency")
    factor, sign = (100, "%") if is_share else (players_unit(feature)[0], "")
    largest = max(abs(value), abs(other)) * factor
    digits = 0 if largest >= (10 if is_share else 20) else 1 if largest >= (1 if is_share else 2) else 2
    for more in range(3):
        one, two = (f"{each * factor:,.{digits + more}f}{sign}" for each in (value, other))
        if one != two:
            return one, two
    return tuple(f"{each * factor:,.{digits}f}{sign}" for each in (value, other))  # type: ignore[return-value]


def player_comparison(
    tracked: dy.LazyFrame[TrackedPlayers],
    features: dy.LazyFrame[PlayerMatchFeatures],
    profiles: dy.LazyFrame[PlayerProfiles],
    cohorts: dy.LazyFrame[RankCohorts],
    ranks: dy.LazyFrame[RlRanks],
    withheld: dy.LazyFrame[Withheld],
) -> dy.LazyFrame[PlayerComparison]:
    """The five players of a tracked player's rank, and the five of the next one, who play most like the player.

    The distance between two players is the root of the mean, over the features that are known of both, of the squared
    difference of their means in units of `between_spread` of the player's cohort: the features are those that models
    of ranks may take, less those in which the cohort does not differ; at least half of them must be known of both.
    Players with fewer than five matches are left out, and those who do not allow to be compared. There is no row for
    a player who does not, whose rank is not known, who has fewer matches, or whose rank has no cohort.
    """
    matches = kept(features, allowing(tracked, withheld, "comparison"))
    cohort = ["is_simulated", "playlist", "rank_tier", "feature"]
    own = (
        matches.group_by(PLAYER)
        .agg(pl.len().alias("own_matches"), *(pl.col(name).cast(pl.Float64).mean() for name in FEATURES))
        .filter(pl.col("own_matches") >= COMPARED_MATCHES)
        .join(known_tiers(matches, ranks), on=PLAYER)
        .unpivot(FEATURES, index=[*PLAYER, "rank_tier"], variable_name="feature", value_name="own")
        .drop_nulls("own")
        .join(cohorts.filter(pl.col("between_spread") > 0).select(*cohort, "between_spread"), on=cohort)
        .with_columns(known=pl.len().over(PLAYER))
        .join(pl.LazyFrame({"of_next_rank": [False, True]}), how="cross")
        .with_columns(rank_tier=pl.col("rank_tier") + pl.col("of_next_rank"))
    )
    others = allowing(profiles, withheld, "comparison").select(
        *cohort, "matches", other="mean", other_player_id="player_id"
    )
    pair = [*PLAYER, "of_next_rank", "rank_tier", "other_player_id"]
    differences = (
        own.join(others, on=cohort)
        .filter(pl.col("other_player_id") != pl.col("player_id"))
        .with_columns(difference=(pl.col("other") - pl.col("own")) / pl.col("between_spread"))
        .drop_nulls("difference")
        .collect(engine="streaming")
        .sort(*pair, pl.col("difference").abs(), "feature", descending=[False] * len(pair) + [True, False])
    )
    told = (
        differences.group_by(pair, maintain_order=True)
        .agg(
            pl.col("matches").max().alias("other_matches"),
            (pl.col("difference") ** 2).mean().sqrt().alias("distance"),
            (pl.len() / pl.col("known").first()).alias("shared"),
            *(pl.col(name).head(DIFFERENCES) for name in ("feature", "own", "other")),
        )
        .filter(pl.col("other_matches") >= COMPARED_MATCHES, pl.col("shared") >= KNOWN_SHARE)
        .sort(*PLAYER, "of_next_rank", "distance", "other_player_id")
        .with_columns(place=pl.int_range(1, pl.len() + 1).over(*PLAYER, "of_next_rank"))
        .filter(pl.col("place") <= NEAREST)
    )
    words = [
        [difference_in_words(*each) for each in zip(*row, strict=True)]
        for row in told.select("feature", "other", "own").iter_rows()
    ]
    rows = told.rename({"rank_tier": "other_rank_tier"}).with_columns(
        differences=pl.Series(words, dtype=pl.List(pl.String))
    )
    return typing.cast("dy.LazyFrame[PlayerComparison]", PlayerComparison.cast(rows.lazy()))
