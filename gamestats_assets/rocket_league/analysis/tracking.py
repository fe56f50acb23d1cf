"""Tracked players with tables: their matches, and a hash of everything that their tables are made from."""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.delta.ledger import combined_hash, ledger_of
from gamestats_assets.rocket_league import tables as t

_PLAYLIST = ("is_simulated", "playlist")
FeaturesTaken = ledger_of(t.PlayerMatchFeatures)
"""Matches with features, each with a hash of its inputs."""


def tracked_players(
    players: dy.LazyFrame[t.RlPlayers],
    retention: dy.LazyFrame[t.Retention],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    participants: dy.LazyFrame[t.Participants],
    taken: dy.LazyFrame[FeaturesTaken],  # type: ignore[valid-type]
    ranks: dy.LazyFrame[t.RlRanks],
    sessions: dy.LazyFrame[t.TrainingSessions],
    packs: dy.LazyFrame[t.TrainingPacks],
    profiles: dy.LazyFrame[t.PlayerProfiles],
    cohorts: dy.LazyFrame[t.RankCohorts],
    models: dy.LazyFrame[t.RankModels],
    withheld: dy.LazyFrame[t.Withheld],
) -> dy.LazyFrame[t.TrackedPlayers]:
    """Returns all players who agreed to the analysis, whether or not gamestats looks for new replays of theirs.

    `content_hash` changes with any match of the player within the retention, the entry, a rank, a training session or
    the catalogue of packs; and, for playlists in which the player has matches with features, with any profile, cohort
    or model of ranks, and with withdrawals from comparison.
    """
    consenting = players.filter(pl.col("consented_at").is_not_null()).join(
        retention.select("player_id", "kept_from"), on="player_id", how="left"
    )
    kept = consenting.with_columns(
        # Until retention is known, all matches are kept.
        pl.col("kept_from").fill_null(pl.col("wanted_since").dt.date() - pl.duration(days=36_500))
    )
    since = kept.select("player_id", "kept_from")

    def within(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(since, on="player_id").filter(pl.col("match_date") >= pl.col("kept_from"))

    done = taken.select(match_id="unit_id", digest="input_hash")
    matches = (
        # Matches without features count among the player's matches, too.
        within(participants.select("match_id", "match_date", "player_id"))
        .join(done, on="match_id", how="left")
        .group_by("player_id")
        .agg(
            matches=pl.len().cast(pl.Int32),
            first_day=pl.col("match_date").min(),
            last_day=pl.col("match_date").max(),
            played=pl.format("{} {}", "match_id", pl.col("digest").fill_null("")).sort().str.join("\n"),
        )
    )
    uncompared = profiles.join(withheld.filter(pl.col("purpose") == "comparison"), on="player_id", how="semi")
    others = (
        within(features.select("player_id", "match_date", *_PLAYLIST))
        .select("player_id", *_PLAYLIST)
        .unique()
        .join(pl.concat([_by(_PLAYLIST, rows) for rows in (profiles, uncompared, cohorts, models)]), on=_PLAYLIST)
        .group_by("player_id")
        .agg(playlists=pl.col("digest").sort().str.join("\n"))
    )
    catalogue = _by(["all"], packs.with_columns(all=True)).collect().get_column("digest").to_list()
    own = [_by_player(rows, name) for rows, name in ((players, "entry"), (ranks, "ranks"), (sessions, "sessions"))]
    rows = kept.join(matches, on="player_id", how="left").join(others, on="player_id", how="left")
    for each in own:
        rows = rows.join(each, on="player_id", how="left")
    hashed = rows.with_columns(
        pl.col("matches").fill_null(0),
        content_hash=pl.struct("played", "kept_from", "entry", "ranks", "sessions", "playlists").map_elements(
            lambda of: combined_hash([*(f"{name} {value}" for name, value in of.items()), *catalogue]),
            return_dtype=pl.String,
        ),
    )
    return t.TrackedPlayers.cast(hashed)


def _by(names: Sequence[str], rows: pl.LazyFrame) -> pl.LazyFrame:
    """Returns a hash of a table's rows per playlist, or per other names, whatever their order."""
    row = pl.struct(pl.all())
    sums = [row.hash(seed).sum().alias(f"sum_{seed}") for seed in range(2)]
    columns = pl.lit(",".join(rows.collect_schema().names()))
    return (
        rows.group_by(names)
        .agg(pl.len(), *sums)
        .select(*names, digest=pl.format("{} {} {} {}", columns, "len", "sum_0", "sum_1"))
    )


def _by_player(rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
    line = pl.struct(pl.all()).struct.json_encode()
    return (
        rows.select("player_id", line=line).group_by("player_id").agg(pl.col("line").sort().str.join("\n").alias(name))
    )
