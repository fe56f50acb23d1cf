"""Tables of tracked players: who they are, their matches, and every feature in these compared with their rank."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.skills import FEATURES, SKILL, match_skills
from gamestats_assets.rocket_league.reference.ranks import PLAYER, kept, known_tiers, tier_id

QUANTILES = 21
"""Length of `rank_cohorts.match_quantiles`: at 0, 5, ... 100%."""
_OF_ROW = ("match_id", "match_date", "player_id", "playlist", "is_simulated", "started_at")
_SCOREBOARD: tuple[str, ...] = tuple(name for name in t.Participants.schema() if name not in {*_OF_ROW, "has_account"})
_ANALYSIS: tuple[str, ...] = tuple(
    name for name in t.PlayerMatchFeatures.schema() if name not in {*_OF_ROW, *_SCOREBOARD}
)
_FACTS = (
    "match_id", "ballchasing_id", "playlist", "duration_s", "is_simulated", "blue_score", "orange_score", "started_at",
    "landed_at",
)  # fmt: skip


def users(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    players: dy.LazyFrame[t.RlPlayers],
    ranks: dy.LazyFrame[t.RlRanks],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
) -> dy.LazyFrame[t.Users]:
    """Returns tracked players with their highest current rank.

    In each playlist the last known rank counts (see `known_tiers`), or the entered one if no match of the playlist is
    kept. A player counts as simulated if at least one match is kept and all kept matches are simulated.
    """
    own = kept(features, tracked)
    kinds = own.group_by("player_id").agg(pl.col("is_simulated").all())
    simulated = pl.col("is_simulated").fill_null(False)
    current = known_tiers(own, ranks).join(kinds, on=["player_id", "is_simulated"], how="semi")
    given = ranks.join(current, on=["player_id", "playlist"], how="anti").select("player_id", rank_tier="tier")
    highest = (
        pl.concat([current.select("player_id", "rank_tier"), given])
        .group_by("player_id")
        .agg(current_rank_tier=pl.col("rank_tier").max())
    )
    result = (
        players.join(tracked, on="player_id", how="semi")
        .join(highest, on="player_id", how="left")
        .join(kinds, on="player_id", how="left")
        .with_columns(
            simulated,
            steam_id=pl.col("player_id").str.extract(r"^steam_(.+)$"),
            epic_id=pl.col("player_id").str.extract(r"^epic_(.+)$"),
            current_rank=pl.col("current_rank_tier").replace_strict(
                range(1, 23), [tier_id(tier) for tier in range(1, 23)], default=None, return_dtype=pl.String
            ),
        )
        .sort("player_id")
    )
    return t.Users.cast(result)


def matches(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    facts: dy.LazyFrame[t.MatchFacts],
    participants: dy.LazyFrame[t.Participants],
) -> dy.LazyFrame[t.Matches]:
    """Returns every match of tracked players, whatever its playlist.

    `replay_data` is a JSON object: the features, named and ordered as in `player_match_features` (none for modes
    without features, such as dropshot), then further columns of `participants`: name, team, result and the scoreboard.
    Unknown values are left out, so every value is a number, a text or a boolean. PostgreSQL stores it as jsonb, in an
    order of its own.
    """
    analysed = kept(features, tracked).select("match_id", "player_id", *_ANALYSIS)
    scoreboard = kept(participants, tracked).select("match_id", "player_id", *_SCOREBOARD)
    result = (
        # All matches are scanned; those of others are dropped before anything is built.
        facts.select(_FACTS)
        .join(scoreboard, on="match_id", how="inner")
        .join(analysed, on=["match_id", "player_id"], how="left")
        .with_columns(
            replay_data=pl.struct(*_ANALYSIS, *_SCOREBOARD).map_elements(_written, return_dtype=pl.String),
            score_team_0=pl.col("blue_score"),
            score_team_1=pl.col("orange_score"),
            processed_at=pl.col("landed_at"),
            created_at=pl.col("started_at"),
        )
        .sort("player_id", "created_at", "match_id")
    )
    return t.Matches.cast(result)


def _written(row: Mapping[str, Any]) -> str:
    known = {name: value for name, value in row.items() if not _is_unknown(value)}
    # PostgreSQL's jsonb cannot hold the zero character.
    cleaned = {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in known.items()}
    return json.dumps(cleaned, allow_nan=False, ensure_ascii=False)


def _is_unknown(value: Any) -> bool:
    # JSON cannot represent NaN and infinity.
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def player_stats(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    cohorts: dy.LazyFrame[t.RankCohorts],
    ranks: dy.LazyFrame[t.RlRanks],
) -> dy.LazyFrame[t.PlayerStats]:
    """Returns every known feature and skill of tracked players in every match, with the share of the cohort below it.

    The cohort is that of the player's current rank in the playlist, so that all matches there are on one scale. The
    share is interpolated between the cohort's quantiles of single matches at every 5%: exact there, and off by at most
    5 points between. If several quantiles equal the value, for example if many matches have no goal, it is the middle
    between the first and the last of them: half of the ties count as below.
    """
    own = kept(features, tracked)
    known = known_tiers(own, ranks)
    distributions = cohorts.select("is_simulated", "playlist", "rank_tier", "match_quantiles", stat_type="feature")
    skills = match_skills(own, cohorts, ranks).with_columns(stat_type=SKILL + pl.col("skill"))
    columns = (*PLAYER, "match_id", "started_at", "stat_type", "value")
    long = (
        pl.concat(
            [
                own.unpivot(on=FEATURES, index=columns[:-2], variable_name="stat_type").select(columns),
                skills.select(columns),
            ]
        )
        .filter(pl.col("value").is_finite())
        .join(known, on=PLAYER, how="left")
        .join(distributions, on=["is_simulated", "playlist", "rank_tier", "stat_type"], how="left")
        .with_columns(time=pl.col("started_at"), rank_percentile=_percentile(pl.col("value")))
        .sort("player_id", "time", "match_id", "stat_type")
    )
    return t.PlayerStats.cast(long)


def _percentile(value: pl.Expr) -> pl.Expr:
    """Returns the place of a value among `match_quantiles`, in per cent; null without them."""
    quantiles = pl.col("match_quantiles")
    each = [quantiles.list.get(place, null_on_oob=True) for place in range(QUANTILES)]
    below = pl.sum_horizontal(quantile < value for quantile in each).cast(pl.Int32)
    up_to = pl.sum_horizontal(quantile <= value for quantile in each).cast(pl.Int32)
    before = quantiles.list.get((below - 1).clip(0, QUANTILES - 1), null_on_oob=True)
    after = quantiles.list.get(below.clip(0, QUANTILES - 1), null_on_oob=True)
    place = (
        pl.when(quantiles.is_null())
        .then(None)
        .when(up_to > below)
        .then((below + up_to - 1) / 2)
        .when(below == 0)
        .then(0.0)
        .when(below == QUANTILES)
        .then(QUANTILES - 1.0)
        .otherwise(below - 1 + (value - before) / (after - before))
    )
    return place * (100 / (QUANTILES - 1))
