"""Matches and their players, merged from all sources."""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league.players.identities import FORGOTTEN, GUEST
from gamestats_assets.rocket_league.reference.playlists import UNKNOWN, is_other_field, is_ranked, is_soccar
from gamestats_assets.rocket_league.source import BALLCHASING, REPLAY
from gamestats_assets.rocket_league.tables import MatchFacts, Participants, RawPlayerStats, RawReplays, ReplayEvents

_ERAS: Mapping[str, str] = {"free2play": "f", "legacy": ""}


def match_facts(raw: dy.LazyFrame[RawReplays]) -> dy.LazyFrame[MatchFacts]:
    """Returns one row per match: values from the replay, with gaps filled by ballchasing."""
    from_replay = pl.col("source") == REPLAY
    playlist = pl.col("playlist").fill_null(UNKNOWN)
    of = {
        name: _best(name)
        for name in ("map_code", "team_size", "duration_s", "went_to_overtime", "blue_score", "orange_score")
    }
    rows = (
        raw.group_by("match_id", "match_date")
        .agg(
            is_simulated=pl.col("is_simulated").any(),
            has_frames=(from_replay & (pl.col("frames").fill_null(0) > 0)).any(),
            has_ballchasing=(pl.col("source") == BALLCHASING).any(),
            replay_id=_best("replay_id"),
            ballchasing_id=pl.col("ballchasing_id").drop_nulls().first(),
            landed_at=pl.col("landed_at").min(),
            started_at=pl.col("started_at").sort_by(~pl.col("start_is_exact"), ~from_replay).first(),
            # Ballchasing names playlists whose numbers are unknown here.
            playlist=pl.col("playlist")
            .sort_by(pl.col("playlist").str.starts_with("playlist-"), ~from_replay)
            .drop_nulls()
            .first(),
            season=pl.col("season").drop_nulls().first(),
            season_type=pl.col("season_type").drop_nulls().first(),
            **of,
        )
        .with_columns(
            playlist=playlist,
            season=pl.col("season_type").replace_strict(_ERAS, default=None, return_dtype=pl.String)
            + pl.col("season").cast(pl.String),
        )
        .with_columns(is_ranked=is_ranked(pl.col("playlist")), is_soccar=played_as_soccar())
    )
    return MatchFacts.cast(rows)


def played_as_soccar() -> pl.Expr:
    """Whether a match is soccar, from its columns `playlist` and `map_code`."""
    playlist, field = pl.col("playlist").fill_null(UNKNOWN), pl.col("map_code").fill_null("")
    return is_soccar(playlist) & ~is_other_field(field)


def _best(name: str) -> pl.Expr:
    """Returns a column's value from the replay, else from ballchasing."""
    return pl.col(name).sort_by(pl.col("source") != REPLAY).drop_nulls().first()


def participants(
    stats: dy.LazyFrame[RawPlayerStats], facts: dy.LazyFrame[MatchFacts], events: dy.LazyFrame[ReplayEvents]
) -> dy.LazyFrame[Participants]:
    """Returns one row per player and match: values from the replay, with gaps such as ranks filled by ballchasing.

    Demolitions and the opponents' shots are counted from the replay's events: its scoreboard has no demolitions, and
    not the shots of players who left early.
    """
    demolitions = events.filter(pl.col("kind") == "demolition")
    inflicted = demolitions.group_by("match_id", "player_id").agg(demos=pl.len().cast(pl.Int32))
    taken = demolitions.group_by("match_id", player_id="other_player_id").agg(taken=pl.len().cast(pl.Int32))
    of_opponents = pl.when(pl.col("team") == "blue").then(pl.lit("orange")).otherwise(pl.lit("blue"))
    shots = events.filter(pl.col("kind") == "shot")
    faced = shots.group_by("match_id", team=of_opponents).agg(faced=pl.len().cast(pl.Int32))
    has_events = events.select("match_id").unique().with_columns(has_events=pl.lit(True))
    merged = (
        stats.group_by("match_id", "match_date", "player_id")
        .agg(
            **{
                name: _best(name)
                for name in (
                    "player_name",
                    "team",
                    "is_mvp",
                    "score",
                    "goals",
                    "assists",
                    "saves",
                    "shots",
                    "shots_against",
                    "goals_against",
                )
            },
            counted_demos=pl.col("demos_inflicted").drop_nulls().first(),
            counted_taken=pl.col("demos_taken").drop_nulls().first(),
            # Unranked players have no rank.
            rank_tier=pl.col("rank_tier").filter(pl.col("rank_tier") > 0).first(),
            rank_division=pl.col("rank_division").filter(pl.col("rank_tier") > 0).first(),
        )
        .join(inflicted, on=["match_id", "player_id"], how="left")
        .join(taken, on=["match_id", "player_id"], how="left")
        .join(faced, on=["match_id", "team"], how="left")
        .join(has_events, on="match_id", how="left")
        .join(facts.select("match_id", "blue_score", "orange_score"), on="match_id", how="left")
    )
    own = pl.when(pl.col("team") == "blue").then("blue_score").otherwise("orange_score")
    other = pl.when(pl.col("team") == "blue").then("orange_score").otherwise("blue_score")
    own_count = pl.when(pl.col("has_events"))
    rows = merged.with_columns(
        has_account=~(pl.col("player_id").str.starts_with(GUEST) | pl.col("player_id").str.starts_with(FORGOTTEN)),
        result=pl.when(own > other)
        .then(pl.lit("win"))
        .when(own < other)
        .then(pl.lit("loss"))
        .when(own == other)
        .then(pl.lit("draw")),
        demos_inflicted=own_count.then(pl.col("demos").fill_null(0)).otherwise("counted_demos"),
        # For players missing from the scoreboard, nothing else of the kind is known.
        shots_against=pl.when("has_events", pl.col("shots_against").is_not_null())
        .then(pl.col("faced").fill_null(0))
        .otherwise("shots_against"),
        demos_taken=own_count.then(pl.col("taken").fill_null(0)).otherwise("counted_taken"),
    )
    return Participants.cast(rows)
