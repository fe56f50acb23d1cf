"""Features of a player in a match, which are comparable between matches, players and ranks.

The columns of `PlayerMatchFeatures` define them. Features that ballchasing computes, too, come from the replay's
updates, else from its frames, else from ballchasing; the three agree within some per cent.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.rotations import with_turns
from gamestats_assets.rocket_league.matches.touches import with_double_commits
from gamestats_assets.rocket_league.source import BALLCHASING, REPLAY

_PLAYER = ["match_id", "player_id"]


def player_match_features(
    facts: dy.LazyFrame[t.MatchFacts],
    participants: dy.LazyFrame[t.Participants],
    stats: dy.LazyFrame[t.PlayerMatchStats],
    frames: dy.LazyFrame[t.FrameFigures],
    touches: dy.LazyFrame[t.Touches],
    possessions: dy.LazyFrame[t.Possessions],
    shots: dy.LazyFrame[t.ShotsAndSaves],
    challenges: dy.LazyFrame[t.Challenges],
    rotations: dy.LazyFrame[t.Rotations],
) -> dy.LazyFrame[t.PlayerMatchFeatures]:
    """Returns one row per player and soccar match, for players with at least a minute of play."""
    players = participants.join(facts.filter("is_soccar").drop("match_date"), on="match_id").with_columns(
        won=pl.when(pl.col("result").is_not_null()).then(pl.col("result") == "win"),
        # Teams may be incomplete, and a substitute is listed beside the player who left.
        team_size=pl.min_horizontal("team_size", pl.col("player_id").count().over("match_id", "team")),
    )
    figures = _of_stats(stats).join(frames.drop("match_date"), on=_PLAYER, how="full", coalesce=True, suffix="_frames")
    rows = (
        players.join(_coalesced(figures), on=_PLAYER)
        .join(_of_touches(touches, possessions), on=_PLAYER, how="left")
        .join(_of_shots(shots), on=_PLAYER, how="left")
        .join(_of_challenges(challenges), on=_PLAYER, how="left")
        .join(_of_rotations(rotations), on=_PLAYER, how="left")
        .join(touches.select("match_id").unique().with_columns(has_events=pl.lit(True)), on="match_id", how="left")
        .filter(pl.col("played_s") >= SHORTEST_PLAYED_S)
    )
    minutes = pl.col("played_s") / 60
    with_events = pl.when(pl.col("has_events"))

    def per_minute(name: str) -> pl.Expr:
        return pl.col(name) / minutes

    def counted(name: str) -> pl.Expr:
        return with_events.then(pl.col(name).fill_null(0) / minutes)

    features = rows.with_columns(
        _share("goals", "shots").alias("shot_accuracy"),
        _share("saves", "shots_against").alias("save_share"),
        _share("goals_against_while_last_defender", "goals_against").alias("last_defender_conceded_share"),
        role_imbalance=pl.when(pl.col("team_size") > 1).then(
            pl.mean_horizontal(
                (pl.col(name) - 1 / pl.col("team_size")).abs()
                for name in ("most_back_share", "most_forward_share", "closest_to_ball_share")
            )
        ),
        shots_per_minute=per_minute("shots"),
        saves_per_minute=per_minute("saves"),
        goals_per_minute=per_minute("goals"),
        goals_against_per_minute=per_minute("goals_against"),
        shots_against_per_minute=per_minute("shots_against"),
        demos_inflicted_per_minute=per_minute("demos_inflicted"),
        demos_taken_per_minute=per_minute("demos_taken"),
        powerslides_per_minute=per_minute("powerslides"),
        touches_per_minute=counted("touches"),
        aerial_touches_per_minute=counted("aerial_touches"),
        double_commits_per_minute=counted("double_commits"),
        challenges_per_minute=counted("challenges"),
        possession_share=with_events.then((pl.col("possession_s").fill_null(0) / pl.col("played_s")).clip(0, 1)),
        rotations_per_minute=per_minute("role_changes"),
    )
    return t.PlayerMatchFeatures.cast(features)


SHORTEST_PLAYED_S = 60.0
"""Players who played less have no features."""
PLAYED_S = pl.min_horizontal(
    "counted_s", pl.sum_horizontal("time_ground_s", "time_low_air_s", "time_high_air_s", ignore_nulls=False)
)
"""From `player_match_stats`: `counted_s` includes others' play, and the player's own times include countdowns."""


def _share(part: str, whole: str) -> pl.Expr:
    """Returns a share; null of zero, and at most 1: a player can be credited with more saves than shots faced."""
    return pl.when(pl.col(whole) > 0).then((pl.col(part) / pl.col(whole)).clip(0, 1))


_FAMILIES: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("defensive_third_share", "time_defensive_third_s"),
        ("neutral_third_share", "time_neutral_third_s"),
        ("offensive_third_share", "time_offensive_third_s"),
    ),
    (("defensive_half_share", "time_defensive_half_s"), ("", "time_offensive_half_s")),
    (("behind_ball_share", "time_behind_ball_s"), ("", "time_in_front_of_ball_s")),
    (
        ("supersonic_share", "time_supersonic_s"),
        ("boost_speed_share", "time_boost_speed_s"),
        ("slow_share", "time_slow_s"),
    ),
    (("ground_share", "time_ground_s"), ("low_air_share", "time_low_air_s"), ("high_air_share", "time_high_air_s")),
)
"""Times that add up to a whole, with the share of each."""
_OF_PLAYED = (
    ("most_back_share", "time_most_back_s"),
    ("most_forward_share", "time_most_forward_s"),
    ("closest_to_ball_share", "time_closest_to_ball_s"),
    ("zero_boost_share", "time_zero_boost_s"),
    ("full_boost_share", "time_full_boost_s"),
)
"""Shares of the time played."""
_AS_THEY_ARE = (
    "avg_distance_to_ball_uu",
    "avg_distance_to_ball_possession_uu",
    "avg_distance_to_ball_no_possession_uu",
    "avg_distance_to_mates_uu",
    "avg_speed_uu_s",
    "boost_per_minute",
    "avg_boost",
    "powerslides",
    "goals_against_while_last_defender",
)
_IN_FRAMES = (
    *(share for family in _FAMILIES for share, _ in family if share),
    *(share for share, _ in _OF_PLAYED),
    "avg_distance_to_ball_uu",
    "avg_distance_to_mates_uu",
    "avg_speed_uu_s",
    "avg_boost",
)
"""Features that frames have as well."""
_OF_BALLCHASING_ALONE = ("boost_wasted_supersonic_share",)
"""Features with an unknown rule of ballchasing's: other figures would not be comparable."""
_IN_FRAMES_ALONE = ("avg_x_uu", "avg_team_y_uu", "avg_z_uu", "position_spread_uu")


def _of_stats(stats: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the features from statistics, by player and match, with both sources (`ours` and `theirs`)."""
    shares: dict[str, pl.Expr] = {}
    for family in _FAMILIES:
        whole = pl.sum_horizontal((pl.col(time) for _, time in family), ignore_nulls=False)
        shares |= {share: pl.when(whole > 0).then(pl.col(time) / whole) for share, time in family if share}
    shares |= {share: _share(time, "played_s") for share, time in _OF_PLAYED}
    held = pl.col("boost_collected") + pl.col("boost_overfill")
    used = pl.col("boost_per_minute") * pl.col("counted_s") / 60
    shares |= {
        "boost_collected_per_minute": pl.when(pl.col("played_s") > 0).then(
            60 * pl.col("boost_collected") / pl.col("played_s")
        ),
        "boost_overfill_share": pl.when(held > 0).then(pl.col("boost_overfill") / held),
        "boost_wasted_supersonic_share": pl.when(used > 0).then(
            (pl.col("boost_used_while_supersonic") / used).clip(0, 1)
        ),
        "boost_stolen_share": _share("boost_stolen", "boost_collected"),
        "small_pad_share": _share("boost_collected_small", "boost_collected"),
    }
    figures = stats.with_columns(played_s=PLAYED_S).select(*_PLAYER, "source", "played_s", *_AS_THEY_ARE, **shares)
    names = [name for name in figures.collect_schema().names() if name not in (*_PLAYER, "source")]
    theirs = figures.filter(pl.col("source") == BALLCHASING).drop("source")
    ours = figures.filter(pl.col("source") == REPLAY).drop("source")
    joined = ours.with_columns(has_updates=pl.lit(True)).join(
        theirs, on=_PLAYER, how="full", coalesce=True, suffix="_theirs"
    )
    return joined.rename({name: f"{name}_ours" for name in names})


def _coalesced(figures: pl.LazyFrame) -> pl.LazyFrame:
    """Returns one column per feature: from updates, else frames, else ballchasing; with the source."""
    known = set(figures.collect_schema().names())
    names = [name.removesuffix("_ours") for name in known if name.endswith("_ours") and name != "played_s_ours"]
    is_replay = pl.col("has_updates").fill_null(False) | pl.col("counted_s").is_not_null()

    def of(name: str) -> pl.Expr:
        if name in _OF_BALLCHASING_ALONE:
            return pl.col(f"{name}_theirs")
        return pl.coalesce(f"{name}_ours", *([name] if name in _IN_FRAMES else []), f"{name}_theirs")

    return figures.select(
        *_PLAYER,
        *_IN_FRAMES_ALONE,
        stats_source=pl.when(is_replay).then(pl.lit(REPLAY)).otherwise(pl.lit(BALLCHASING)),
        played_s=pl.coalesce("played_s_ours", "counted_s", "played_s_theirs"),
        **{name: of(name) for name in sorted(names)},
    )


def _of_touches(touches: pl.LazyFrame, possessions: pl.LazyFrame) -> pl.LazyFrame:
    ends = possessions.sort("start_s", "possession_number").select("match_id", "start_s", "end_s")
    own = (
        with_double_commits(touches)
        .with_columns(
            next_s=pl.col("time_s").shift(-1).over("match_id"),
            next_team=pl.col("team").shift(-1).over("match_id"),
            next_is_kickoff=pl.col("is_kickoff").shift(-1).over("match_id"),
        )
        .filter(pl.col("player_id").is_not_null())
        .sort("time_s", "touch_number")
        .join_asof(ends, left_on="time_s", right_on="start_s", by="match_id", check_sortedness=False)
    )
    is_followed = pl.col("next_team").is_not_null() & ~pl.col("next_is_kickoff").fill_null(True)
    aerials = pl.col("is_aerial") & is_followed
    return own.group_by(_PLAYER).agg(
        touches=pl.len(),
        aerial_touches=pl.col("is_aerial").sum(),
        aerial_success_share=(pl.col("next_team") == pl.col("team")).filter(aerials).mean(),
        turnover_share=(pl.col("next_team") != pl.col("team")).filter(is_followed).mean(),
        double_commits=pl.col("double_commit_with").is_not_null().sum(),
        # Until the next touch, or the end of the possession.
        possession_s=(pl.min_horizontal("next_s", "end_s") - pl.col("time_s")).sum(),
    )


def _of_shots(shots: pl.LazyFrame) -> pl.LazyFrame:
    return shots.filter("is_counted").group_by(_PLAYER).agg(avg_shot_speed_uu_s=pl.col("shot_speed_uu_s").mean())


def _of_challenges(challenges: pl.LazyFrame) -> pl.LazyFrame:
    sides = [
        challenges.select("match_id", "winner", "is_kickoff", player_id=f"{color}_player_id", side=pl.lit(color))
        for color in ("blue", "orange")
    ]
    won, decided = pl.col("winner") == pl.col("side"), pl.col("winner").is_not_null()
    return (
        pl.concat(sides)
        .group_by(_PLAYER)
        .agg(
            challenges=pl.len(),
            challenge_win_share=won.filter(decided & ~pl.col("is_kickoff")).mean(),
            kickoff_win_share=won.filter(decided & pl.col("is_kickoff")).mean(),
        )
    )


def _of_rotations(rotations: pl.LazyFrame) -> pl.LazyFrame:
    """Returns role changes, the share of full rotations, and the length of stints as first man."""
    return (
        with_turns(rotations)
        .group_by(_PLAYER)
        .agg(
            role_changes=pl.col("next_role").is_not_null().sum(),
            rotation_efficiency=pl.col("has_rotated").mean(),
            first_man_stint_s=pl.col("duration_s").filter(pl.col("role") == 1).mean(),
        )
    )
