"""Matches: their length, and whether they count in statistics."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.game_state import in_seconds
from gamestats_assets.lol.matches.tables import POSITIONS, Matches
from gamestats_assets.lol.reference.tables import Items, Queues
from gamestats_assets.lol.reference.versions import standing_versions
from gamestats_assets.lol.timelines.tables import RawMatches, RawParticipants, TimelineFiles

REMAKE_UNDER_S = 300
"""Games shorter than this are remakes, even if the match object does not mark them."""


def was_played() -> pl.Expr:
    """Whether a match object is of a game that was played, from its columns `game_version` and `participants`.

    For a game that was aborted before it began, Riot returns a match object with an empty version and no participants
    (RiotGames/developer-relations issues 642 and 898).
    """
    return (pl.col("game_version") != "") | (pl.col("participants") > 0)


def matches(
    raw: dy.LazyFrame[RawMatches],
    participants: dy.LazyFrame[RawParticipants],
    timelines: dy.LazyFrame[TimelineFiles],
    queues: dy.LazyFrame[Queues],
    items: dy.LazyFrame[Items],
) -> dy.LazyFrame[Matches]:
    """Returns every match with a match object of a game that was played; see `was_played`.

    `gameDuration` is in milliseconds if the match object has no end, else in seconds. A match is a remake if a
    participant has an early surrender, or if it was shorter than `REMAKE_UNDER_S`. It was aborted if neither team won,
    or both did; in the Arena, where subteams have placements, winners may be in both teams. The result in the match
    object is ignored: older ones have none, and since June 2024 the API has marked games as aborted that had a winner
    (RiotGames/developer-relations issue 939). An unlisted queue is a group of its own, `queue_<id>`, and its matches
    count in no statistics until it is listed; it has positions if any participant has one.
    """
    of_participants = participants.group_by("match_id").agg(
        gave_up_early=pl.col("game_ended_in_early_surrender").any(),
        tells_positions=pl.col("team_position").is_in(POSITIONS).any(),
        winning_teams=pl.col("team_id").filter("won").n_unique(),
        has_placements=(pl.col("placement") > 0).any(),
    )
    known = queues.select("queue_id", "queue_group", "has_positions", queue_counts="in_statistics")
    readable = timelines.filter(pl.col("status") == "processed").select("match_id", has_timeline=True)
    patch = pl.col("game_version").str.extract(r"^(\d{1,4}\.\d{1,3})(?:\.|$)")
    played = raw.filter(was_played()).with_columns(patch=patch)
    is_remake = pl.col("gave_up_early").fill_null(False) | (pl.col("duration_s") < REMAKE_UNDER_S)
    is_aborted = (
        pl.when(pl.col("winning_teams").is_null())
        .then(pl.col("winning_team_id").is_null())
        .when("has_placements")
        .then(pl.col("winning_teams") == 0)
        .otherwise(pl.col("winning_teams") != 1)
    )
    result = (
        played.join(of_participants, on="match_id", how="left")
        .join(known, on="queue_id", how="left")
        .join(readable, on="match_id", how="left")
        .join(standing_versions(played, items), on="patch", how="left")
        .with_columns(
            pl.coalesce("queue_group", pl.format("queue_{}", "queue_id")).alias("queue_group"),
            pl.coalesce("has_positions", "tells_positions", pl.lit(False)).alias("has_positions"),
            pl.col("has_timeline").fill_null(False),
            pl.col("version_is").fill_null("none"),
            duration_s=pl.when(pl.col("ended_at").is_null())
            .then(in_seconds("game_duration"))
            .otherwise("game_duration"),
        )
        .with_columns(is_remake=is_remake, is_aborted=is_aborted)
        .with_columns(
            in_statistics=~pl.col("is_remake") & ~pl.col("is_aborted") & pl.col("queue_counts").fill_null(False)
        )
    )
    return Matches.cast(result)
