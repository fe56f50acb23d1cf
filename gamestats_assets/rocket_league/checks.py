"""Rules across Rocket League tables, beyond those that each table declares itself.

Blocking checks find lost, doubled or contradictory rows, and mixtures of simulated and real data: they set the match
aside or, if no match is to blame, stop the materialization. The others report what a source can do at any time: a
replay that contradicts ballchasing, an unusual field, or statistics without a column.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.rank_versions import worse_models
from gamestats_assets.rocket_league.matches.facts import played_as_soccar
from gamestats_assets.rocket_league.matches.features import PLAYED_S, SHORTEST_PLAYED_S
from gamestats_assets.rocket_league.reference.playlists import is_matchmade
from gamestats_assets.rocket_league.source import BALLCHASING, REPLAY

MATCH = ["match_id", "match_date"]
PLAYER = [*MATCH, "player_id"]
TIMES_AGREE = 0.03
"""Largest relative difference between a replay's times and distances and ballchasing's for the same match."""
_COUNTS = ("score", "goals", "assists", "saves", "shots")
_TIMES = (
    "avg_speed_uu_s", "total_distance_uu", "time_supersonic_s", "time_boost_speed_s", "time_slow_s", "time_ground_s",
    "time_low_air_s", "time_defensive_third_s", "time_neutral_third_s", "time_offensive_third_s", "time_behind_ball_s",
    "avg_distance_to_ball_uu", "avg_distance_to_mates_uu", "avg_boost", "boost_collected",
)  # fmt: skip
# Relative differences of short times say little.
_LEAST = 5.0
_FIELD_X_UU, _FIELD_Y_UU, _FIELD_Z_UU = 4_300.0, 6_100.0, 2_100.0


# --------------------------------------------------------------------------- what landed


@breaking_rows(of=t.MatchFacts)
def every_file_is_of_a_match(facts: dy.LazyFrame[t.MatchFacts], raw: dy.LazyFrame[t.RawReplays]) -> pl.LazyFrame:
    """Every match with a file that was read is one row, and there are no other rows."""
    read = raw.select(MATCH).unique().with_columns(read=pl.lit(True))
    made = facts.group_by(MATCH).agg(rows=pl.len())
    return made.join(read, on=MATCH, how="full", coalesce=True).filter(
        pl.col("read").is_null() | (pl.col("rows").fill_null(0) != 1)
    )


@breaking_rows(of=t.Participants)
def everybody_who_is_listed_played(
    participants: dy.LazyFrame[t.Participants], raw: dy.LazyFrame[t.RawPlayerStats]
) -> pl.LazyFrame:
    """Every player of a scoreboard or of ballchasing is a participant, once, and there are no others."""
    listed = raw.select(PLAYER).unique().with_columns(listed=pl.lit(True))
    made = participants.group_by(PLAYER).agg(rows=pl.len())
    return made.join(listed, on=PLAYER, how="full", coalesce=True).filter(
        pl.col("listed").is_null() | (pl.col("rows").fill_null(0) != 1)
    )


@breaking_rows(of=t.MatchFacts, blocking=False, local=False)
def a_replay_is_of_one_match(facts: dy.LazyFrame[t.MatchFacts]) -> pl.LazyFrame:
    """No two matches of a day share a replay; if they do, its JSON and its file have different ids of the match."""
    return facts.filter(pl.col("replay_id").is_not_null() & (pl.len().over("replay_id", "match_date") > 1)).select(
        *MATCH, "replay_id"
    )


@breaking_rows(of=t.RawReplays, blocking=False)
def statistics_have_columns(raw: dy.LazyFrame[t.RawReplays]) -> pl.LazyFrame:
    """Every statistic of ballchasing has a column; new ones are counted."""
    return raw.filter(pl.col("uncounted_keys").fill_null(0) > 0).select(*MATCH, "source", "uncounted_keys")


@breaking_rows(of=t.Participants)
def goals_are_in_the_score(
    participants: dy.LazyFrame[t.Participants], facts: dy.LazyFrame[t.MatchFacts]
) -> pl.LazyFrame:
    """The players of a team have no more goals than the team; fewer are possible, because players may have left.

    Private matches are exempt: players change teams with their goals, and the host sets the score.
    """
    scored = participants.group_by(*MATCH, "team").agg(goals=pl.col("goals").sum())
    score = pl.when(pl.col("team") == "blue").then("blue_score").otherwise("orange_score")
    fixed = facts.filter(is_matchmade(pl.col("playlist")))
    return (
        scored.join(fixed.select(*MATCH, "blue_score", "orange_score"), on=MATCH)
        .filter(pl.col("goals") > score)
        .select(*MATCH, "team", "goals", score=score)
    )


# --------------------------------------------------------------------------- what happened


@breaking_rows(of=t.Touches)
def every_touch_told_is_a_touch(touches: dy.LazyFrame[t.Touches], events: dy.LazyFrame[t.ReplayEvents]) -> pl.LazyFrame:
    """There are as many touches as the events of a match have."""
    return _as_many(touches, events, "touch")


@breaking_rows(of=t.BoostPickups)
def every_pickup_told_is_a_pickup(
    pickups: dy.LazyFrame[t.BoostPickups], events: dy.LazyFrame[t.ReplayEvents]
) -> pl.LazyFrame:
    """There are as many boost pickups as the events of a match have."""
    return _as_many(pickups, events, "boost_pickup")


@breaking_rows(of=t.ShotsAndSaves)
def every_shot_told_is_a_shot(
    shots: dy.LazyFrame[t.ShotsAndSaves], events: dy.LazyFrame[t.ReplayEvents]
) -> pl.LazyFrame:
    """There are as many shots and as many goals as the events of a match have."""
    goals = _as_many(shots.filter(pl.col("outcome") == "goal"), events, "goal")
    return pl.concat([_as_many(shots.filter("is_counted"), events, "shot"), goals])


@breaking_rows(of=t.ReplayMoments)
def every_goal_and_save_told_is_a_moment(
    moments: dy.LazyFrame[t.ReplayMoments], events: dy.LazyFrame[t.ReplayEvents]
) -> pl.LazyFrame:
    """There are as many moments of goals, shots and saves as the events of a match have."""
    return pl.concat(
        _as_many(moments.filter(pl.col("kind") == kind), events, kind) for kind in ("goal", "shot", "save")
    )


@breaking_rows(of=t.ReplayTracks)
def every_frame_is_in_a_track(
    tracks: dy.LazyFrame[t.ReplayTracks],
    frames: dy.LazyFrame[t.ReplayFrames],
    participants: dy.LazyFrame[t.Participants],
) -> pl.LazyFrame:
    """Every match with frames has a track, with all its frames and players."""
    counted = frames.group_by(MATCH).agg(counted_frames=pl.col("frame").n_unique())
    people = participants.group_by(MATCH).agg(counted_players=pl.len())
    return (
        counted.join(people, on=MATCH)
        .join(tracks.select(*MATCH, "frames", "players"), on=MATCH, how="full", coalesce=True)
        .filter(
            pl.col("frames").ne_missing(pl.col("counted_frames"))
            | pl.col("players").ne_missing(pl.col("counted_players"))
        )
    )


def _as_many(rows: pl.LazyFrame, events: pl.LazyFrame, kind: str) -> pl.LazyFrame:
    counted = events.filter(pl.col("kind") == kind).group_by(MATCH).agg(counted=pl.len())
    made = rows.group_by(MATCH).agg(made=pl.len())
    return (
        made.join(counted, on=MATCH, how="full", coalesce=True)
        .filter(pl.col("made").fill_null(0) != pl.col("counted").fill_null(0))
        .with_columns(kind=pl.lit(kind))
    )


@breaking_rows(of=t.ReplayFrames, blocking=False)
def cars_are_on_the_field(frames: dy.LazyFrame[t.ReplayFrames], raw: dy.LazyFrame[t.RawReplays]) -> pl.LazyFrame:
    """Nothing is far outside a soccar field; otherwise the replay uses unknown units."""
    outside = (
        (pl.col("x_uu").abs() > _FIELD_X_UU) | (pl.col("y_uu").abs() > _FIELD_Y_UU) | (pl.col("z_uu") > _FIELD_Z_UU)
    )
    return (
        frames.filter(outside)
        .join(raw.filter(pl.col("source") == REPLAY, played_as_soccar()), on=MATCH, how="semi")
        .group_by(PLAYER)
        .agg(
            frames=pl.len(), x_uu=pl.col("x_uu").abs().max(), y_uu=pl.col("y_uu").abs().max(), z_uu=pl.col("z_uu").max()
        )
        # Walls and goals bulge here and there.
        .filter(pl.col("frames") > 20)
    )


@breaking_rows(of=t.RawPlayerStats, blocking=False)
def scoreboards_agree(raw: dy.LazyFrame[t.RawPlayerStats]) -> pl.LazyFrame:
    """A replay's scoreboard equals ballchasing's for the same match."""
    both = _side_by_side(raw.select(*PLAYER, "source", *_COUNTS))
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_theirs") for name in _COUNTS)
    return both.filter(differs)


@breaking_rows(of=t.PlayerMatchStats, blocking=False)
def replays_agree_with_ballchasing(stats: dy.LazyFrame[t.PlayerMatchStats]) -> pl.LazyFrame:
    """Times, distances and boost computed from a replay are within 3% of ballchasing's."""
    both = _side_by_side(stats.select(*PLAYER, "source", *_TIMES))
    apart = {name: (pl.col(name) / pl.col(f"{name}_theirs") - 1).abs() > TIMES_AGREE for name in _TIMES}
    differs = pl.any_horizontal(value & (pl.col(f"{name}_theirs") > _LEAST) for name, value in apart.items())
    return both.filter(differs)


def _side_by_side(rows: pl.LazyFrame) -> pl.LazyFrame:
    theirs = rows.filter(pl.col("source") == BALLCHASING).drop("source")
    return rows.filter(pl.col("source") == REPLAY).drop("source").join(theirs, on=PLAYER, suffix="_theirs")


@breaking_rows(of=t.PlayerMatchStats, blocking=False)
def times_are_of_one_match(stats: dy.LazyFrame[t.PlayerMatchStats]) -> pl.LazyFrame:
    """A player's times by speed, by height and by place add up to the same time, within a second."""
    families = {
        "by_speed_s": ("time_supersonic_s", "time_boost_speed_s", "time_slow_s"),
        "by_height_s": ("time_ground_s", "time_low_air_s", "time_high_air_s"),
        "by_third_s": ("time_defensive_third_s", "time_neutral_third_s", "time_offensive_third_s"),
        "by_half_s": ("time_defensive_half_s", "time_offensive_half_s"),
    }
    sums = stats.select(
        *PLAYER, "source", **{name: pl.sum_horizontal(*times, ignore_nulls=False) for name, times in families.items()}
    )
    return sums.filter(pl.max_horizontal(*families) - pl.min_horizontal(*families) > 1)


# --------------------------------------------------------------------------- gold


@breaking_rows(of=t.PlayerMatchFeatures)
def everybody_who_played_has_features(
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    participants: dy.LazyFrame[t.Participants],
    facts: dy.LazyFrame[t.MatchFacts],
    stats: dy.LazyFrame[t.PlayerMatchStats],
) -> pl.LazyFrame:
    """Every participant of a soccar match with at least a minute played has features, and no one else has."""
    # By the smaller of the sources' times.
    played = stats.group_by(PLAYER).agg(known_s=PLAYED_S.min())
    wanted = participants.join(facts.filter("is_soccar"), on=MATCH, how="semi").select(PLAYER)
    made = features.select(*PLAYER, "played_s")
    # Without statistics yet, frames show how long the player played.
    long_enough = wanted.join(played, on=PLAYER).filter(pl.col("known_s") >= SHORTEST_PLAYED_S)
    missing = long_enough.join(made, on=PLAYER, how="anti")
    beyond = made.join(wanted, on=PLAYER, how="anti")
    return pl.concat([missing, beyond, made.filter(pl.col("played_s") < SHORTEST_PLAYED_S)], how="diagonal")


@breaking_rows(of=t.PlayerMatchFeatures, blocking=False)
def shots_are_those_of_the_scoreboard(
    shots: dy.LazyFrame[t.ShotsAndSaves],
    participants: dy.LazyFrame[t.Participants],
    events: dy.LazyFrame[t.ReplayEvents],
) -> pl.LazyFrame:
    """A replay has as many shots and goals of each player as its scoreboard, and no more saved shots than saves.

    Players who left are on no scoreboard, and a save does not need a shot. A replay whose recording began late contains
    less than its scoreboard.
    """
    made = shots.group_by(PLAYER).agg(
        shots_found=pl.col("is_counted").sum().cast(pl.Int32),
        goals_found=(pl.col("outcome") == "goal").sum().cast(pl.Int32),
    )
    saved = shots.group_by(*MATCH, player_id="saver_id").agg(saves_found=pl.len().cast(pl.Int32))
    counts = pl.col("shots_found", "goals_found", "saves_found")
    return (
        participants.select(*PLAYER, "shots", "goals", "saves")
        .join(events.select(MATCH).unique(), on=MATCH, how="semi")
        .join(made, on=PLAYER, how="left")
        .join(saved, on=PLAYER, how="left")
        .with_columns(counts.fill_null(0))
        .filter(
            (pl.col("shots_found") != pl.col("shots"))
            | (pl.col("goals_found") != pl.col("goals"))
            | (pl.col("saves_found") > pl.col("saves"))
        )
    )


@breaking_rows(of=t.PlayerMatchFeatures)
def simulated_stays_simulated(
    features: dy.LazyFrame[t.PlayerMatchFeatures], facts: dy.LazyFrame[t.MatchFacts]
) -> pl.LazyFrame:
    """Features of simulated matches are labelled as simulated, and those of real matches are not."""
    labels = facts.select(*MATCH, of_match="is_simulated")
    return (
        features.join(labels, on=MATCH)
        .filter(pl.col("is_simulated") != pl.col("of_match"))
        .select(*PLAYER, "is_simulated", "of_match")
    )


@breaking_rows(of=t.RankCohorts)
def cohorts_are_of_players_who_are_there(
    cohorts: dy.LazyFrame[t.RankCohorts], features: dy.LazyFrame[t.PlayerMatchFeatures]
) -> pl.LazyFrame:
    """No cohort has more players than its playlist, counting simulated and real separately."""
    by = ["is_simulated", "playlist"]
    known = features.group_by(by).agg(there=pl.col("player_id").n_unique())
    return (
        cohorts.join(known, on=by, how="left")
        .filter(pl.col("players") > pl.col("there").fill_null(0))
        .select(*by, "rank_tier", "feature", "players", "there")
    )


@breaking_rows(of=t.RankModels)
def no_model_serves_that_is_worse(models: dy.LazyFrame[t.RankModels]) -> pl.LazyFrame:
    """The serving model beats naming the middle rank and one feature, and is not worse than the previous model."""
    return worse_models(models.collect()).lazy()


@breaking_rows(of=t.RankModels)
def one_model_serves(models: dy.LazyFrame[t.RankModels]) -> pl.LazyFrame:
    """At most one model per playlist serves."""
    return (
        models.filter(pl.col("state") == "served")
        .group_by("is_simulated", "playlist")
        .agg(serving=pl.len(), versions=pl.col("version"))
        .filter(pl.col("serving") > 1)
    )


@breaking_rows(of=t.Weaknesses)
def percentiles_are_within_their_intervals(weaknesses: dy.LazyFrame[t.Weaknesses]) -> pl.LazyFrame:
    """Measured rows have a percentile within its interval; refused rows have a reason and no percentile."""
    percentile, low, high = pl.col("percentile"), pl.col("percentile_low"), pl.col("percentile_high")
    measured = pl.col("state") == "measured"
    wrong = pl.when(measured).then((percentile < low) | (percentile > high)).otherwise(percentile.is_not_null())
    unexplained = ~measured & pl.col("reason").is_null()
    return weaknesses.filter(wrong.fill_null(True) | unexplained).select(
        "player_id", "playlist", "skill", "state", "percentile", "percentile_low", "percentile_high"
    )


@breaking_rows(of=t.PlayerStats)
def only_who_agreed_has_rows(
    stats: dy.LazyFrame[t.PlayerStats], tracked: dy.LazyFrame[t.TrackedPlayers]
) -> pl.LazyFrame:
    """All rows by player belong to tracked players who agreed."""
    return stats.join(tracked, on="player_id", how="anti").group_by("player_id").agg(rows=pl.len())


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
