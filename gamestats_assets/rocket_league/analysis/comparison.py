"""Players who play most like a tracked player, of the same rank and the next, and their differences."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.rank_models import FEATURES
from gamestats_assets.rocket_league.analysis.wording import feature_words, is_share, players_unit
from gamestats_assets.rocket_league.privacy.consents import allowing
from gamestats_assets.rocket_league.reference.ranks import PLAYER, kept, known_tiers

COMPARED_MATCHES = 5
"""Matches that both players need."""
NEAREST = 5
"""Players named per rank."""
DIFFERENCES = 3
"""Differences shown per player."""
KNOWN_SHARE = 0.5
"""Share of the features that both players must have."""
_FAR_MORE = 3.0


def difference_in_words(feature: str, value: float, other: float) -> str:
    """Returns the difference between two values of a feature, in words.

    >>> difference_in_words("boost_per_minute", 412.2, 335.0)
    'boosts 23% more (412 against 335 a minute)'
    >>> difference_in_words("behind_ball_share", 0.61, 0.7)
    'spends 13% less time goal-side of the ball (61% against 70% of the time)'

    Args:
        feature: one of `FEATURES`.
    """
    words = feature_words()[feature]
    ratio = value / other if other > 0 else float("inf") if value > other else 1.0
    # A ratio to almost nothing has no meaningful size.
    size = "far" if ratio >= _FAR_MORE else f"{abs(ratio - 1):.0%}"
    size = "hardly" if size == "0%" else size
    message = " ".join(filter(None, [words.verb, size, words.more if value >= other else words.less, words.of_what]))
    one, two = _figures(feature, value, other)
    return f"{message} ({one} against {two} {words.unit})"


def _figures(feature: str, value: float, other: float) -> tuple[str, str]:
    """Returns two values with as many digits as their size needs, and as distinguish them."""
    in_percent = is_share(feature)
    factor, sign = (100, "%") if in_percent else (players_unit(feature)[0], "")
    largest = max(abs(value), abs(other)) * factor
    digits = 0 if largest >= (10 if in_percent else 20) else 1 if largest >= (1 if in_percent else 2) else 2
    for more in range(3):
        one, two = (f"{each * factor:,.{digits + more}f}{sign}" for each in (value, other))
        if one != two:
            return one, two
    return tuple(f"{each * factor:,.{digits}f}{sign}" for each in (value, other))  # type: ignore[return-value]


def player_comparison(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    profiles: dy.LazyFrame[t.PlayerProfiles],
    cohorts: dy.LazyFrame[t.RankCohorts],
    ranks: dy.LazyFrame[t.RlRanks],
    withheld: dy.LazyFrame[t.Withheld],
) -> dy.LazyFrame[t.PlayerComparison]:
    """Returns the five players of a tracked player's rank, and the five of the next, who play most like the player.

    The distance between two players is the root mean square, over the features known for both, of the difference of
    their means in units of `between_spread` of the player's cohort. The features are those that models of ranks may
    use, without those in which the cohort does not differ; at least half of them must be known for both. Players with
    fewer than five matches, and those who do not allow comparison, are left out. A tracked player without consent, a
    known rank, enough matches or a cohort has no rows.
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
    nearest = (
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
        for row in nearest.select("feature", "other", "own").iter_rows()
    ]
    rows = nearest.rename({"rank_tier": "other_rank_tier"}).with_columns(
        differences=pl.Series(words, dtype=pl.List(pl.String))
    )
    return t.PlayerComparison.cast(rows.lazy())
