"""Moments of a replay worth watching: events of the match and players' mistakes.

Times are `time_s` of frames and events. Mistakes agree with the features that count them: double commits (`touches`),
turns as first man without a rotation (`rotations`), time with an empty tank, goals conceded as the last of the team.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.field import live_cars
from gamestats_assets.rocket_league.matches.play import GOAL_Y_UU
from gamestats_assets.rocket_league.matches.rotations import with_turns
from gamestats_assets.rocket_league.matches.touches import AERIAL_Z_UU, length, with_double_commits
from gamestats_assets.rocket_league.reference.ranks import kept
from gamestats_assets.rocket_league.tables.replays import HAPPENED, MISTAKES

EMPTY_TANK = 0.5
"""Boost, of 255, below which a tank counts as empty."""
STARVED_S = 3.0
"""Seconds of play with an empty tank that count as a mistake."""
STAYED_UP_S = 2.0
"""Seconds in front of the ball, in a team of two after a turn as first man, that count as a missed rotation."""
REACH_UU = 350.0
"""Largest distance to the ball of a car that tried to hit it: from middle to middle; a touch is at 100 to 250."""
SHORTEST_FLIGHT_S, AROUND_FLIGHT_S = 0.3, 0.5
"""A shorter flight is no attempt; a touch up to so long before or after belongs to the flight."""
_WALL_UU, _CORNER_UU, _CEILING_UU = 200.0, 7700.0, 1950.0
_SIDE_WALL_UU = 4096.0
_MATCH = ("match_id", "match_date")
_SIDE = pl.when(pl.col("team") == "blue").then(1.0).otherwise(-1.0)
_COLUMNS = tuple(name for name in t.Moments.column_names() if name != "moment_number")


def moments(
    facts: dy.LazyFrame[t.MatchFacts],
    events: dy.LazyFrame[t.ReplayEvents],
    touches: dy.LazyFrame[t.Touches],
    shots: dy.LazyFrame[t.ShotsAndSaves],
    rotations: dy.LazyFrame[t.Rotations],
    frames: dy.LazyFrame[t.ReplayFrames],
) -> dy.LazyFrame[t.Moments]:
    """Returns goals, shots, saves, demolitions and, in soccar, mistakes, numbered by time within the match."""
    soccar = facts.filter("is_soccar").select("match_id")
    cars = live_cars(frames.join(soccar, on="match_id", how="semi"))
    mistakes = [
        _double_commits(touches),
        _missed_rotations(rotations, cars),
        _boost_starved(cars),
        _missed_aerials(cars, touches),
        _conceded(events, frames),
    ]
    rows = (
        pl.concat(
            [
                *(_rows(each) for each in (_goals(events), _shots(shots), _saves(events), _demolitions(events))),
                *(_rows(each.join(soccar, on="match_id", how="semi")) for each in mistakes),
            ]
        )
        # Positions sort before ids, because a forgotten player's id changes.
        .sort("match_id", "time_s", "kind", "x_uu", "y_uu", "player_id", nulls_last=True)
        .with_columns(moment_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("match_id"))
    )
    return t.Moments.cast(rows)


def replay_moments(moments: dy.LazyFrame[t.Moments]) -> dy.LazyFrame[t.ReplayMoments]:
    """Returns the events of a match, which belong to all its players."""
    return t.ReplayMoments.cast(moments.filter(pl.col("kind").is_in(HAPPENED)))


def player_mistakes(
    tracked: dy.LazyFrame[t.TrackedPlayers], moments: dy.LazyFrame[t.Moments]
) -> dy.LazyFrame[t.PlayerMistakes]:
    """Returns the mistakes of tracked players, who agreed; those of others are in no table that anyone can read."""
    own = kept(moments, tracked).filter(pl.col("kind").is_in(MISTAKES)).sort("player_id", "match_id", "moment_number")
    return t.PlayerMistakes.cast(own)


def _rows(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Returns moments with all columns; missing columns are null."""
    known, types = set(rows.collect_schema().names()), t.Moments.schema()
    return rows.select(
        (pl.col(name) if name in known else pl.lit(None)).cast(types[name]).alias(name) for name in _COLUMNS
    )


# ---------------------------------------------------------------- what happened

_BALL = {f"{axis}_uu": pl.col(f"ball_{axis}_uu") for axis in "xyz"}
_CAR = {f"{axis}_uu": pl.col(f"player_{axis}_uu") for axis in "xyz"}
_IN_THE_AIR = pl.col("player_z_uu") >= AERIAL_Z_UU


def _goals(events: pl.LazyFrame) -> pl.LazyFrame:
    assists = (
        events.filter(pl.col("kind") == "assist")
        .sort("match_id", "event_number")
        .unique(["match_id", "kickoff_number", "team"], keep="last", maintain_order=True)
        .select("match_id", "kickoff_number", "team", assister="player_id")
    )
    return (
        events.filter(pl.col("kind") == "goal")
        .join(assists, on=["match_id", "kickoff_number", "team"], how="left")
        .with_columns(
            **_BALL,
            other_player_id="assister",
            speed_uu_s=length("ball_vx_before_uu_s", "ball_vy_before_uu_s", "ball_vz_before_uu_s"),
        )
    )


def _shots(shots: pl.LazyFrame) -> pl.LazyFrame:
    """Returns shots from where the ball was struck, at the time when the game counted them, one per moment.

    Dropshot counts one for each tile that the ball damages.
    """
    at_once = shots.filter("is_counted").sort("saver_id", nulls_last=True).unique(
        ["match_id", "time_s", "player_id"], keep="first", maintain_order=True
    )  # fmt: skip
    return at_once.with_columns(
        kind=pl.lit("shot"),
        other_player_id="saver_id",
        x_uu="ball_x_uu",
        y_uu=pl.col("ball_team_y_uu") * _SIDE,
        z_uu="ball_z_uu",
        is_aerial=pl.col("shooter_z_uu") >= AERIAL_Z_UU,
        speed_uu_s="shot_speed_uu_s",
    )


def _saves(events: pl.LazyFrame) -> pl.LazyFrame:
    return events.filter(pl.col("kind") == "save").with_columns(
        **_BALL, is_aerial=_IN_THE_AIR, other_player_id=pl.lit(None, pl.String)
    )


def _demolitions(events: pl.LazyFrame) -> pl.LazyFrame:
    return events.filter(pl.col("kind") == "demolition", pl.col("team").is_not_null()).with_columns(
        **_CAR, is_aerial=_IN_THE_AIR
    )


# ---------------------------------------------------------------- mistakes


def _double_commits(touches: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the later of two touches by mates within a second and ten metres."""
    return with_double_commits(touches).filter(pl.col("double_commit_with").is_not_null()).with_columns(
        **_BALL,
        kind=pl.lit("double_commit"),
        other_player_id="double_commit_with",
        speed_uu_s="ball_speed_after_uu_s",
    )  # fmt: skip


def _missed_rotations(rotations: pl.LazyFrame, cars: pl.LazyFrame) -> pl.LazyFrame:
    """Returns turns as first man without a rotation to last afterwards, as `rotation_efficiency` counts them.

    In a team of two, where that counts every change as a rotation, a player misses one by staying mostly in front of
    the ball for at least two seconds.
    """
    after = {name: pl.col(name).shift(-1).over("match_id", "player_id") for name in ("duration_s", "goal_side_share")}
    after_s = pl.col("end_s").shift(-1).over("match_id", "player_id")
    is_pair = (pl.col("role") == 1) & (pl.col("next_role") == 2) & (pl.col("role").max().over("match_id", "team") == 2)
    stays_up = is_pair & (after["duration_s"] >= STAYED_UP_S) & (after["goal_side_share"] < 0.5)
    rows = (
        with_turns(rotations)
        .with_columns(kind=pl.lit("missed_rotation"), time_s="end_s", end_s=pl.when(stays_up).then(after_s))
        .filter(~pl.col("has_rotated") | pl.col("end_s").is_not_null())
    )
    return _at_place(rows.drop("team"), cars)


def _conceded(events: pl.LazyFrame, frames: pl.LazyFrame) -> pl.LazyFrame:
    """Returns conceded goals of the last player of the team."""
    goals = events.filter(pl.col("kind") == "goal", pl.col("other_player_id").is_not_null()).select(
        *_MATCH, "time_s", kind=pl.lit("conceded"), player_id="other_player_id", other_player_id="player_id"
    )
    return _at_place(goals, frames)


def _at_place(rows: pl.LazyFrame, cars: pl.LazyFrame) -> pl.LazyFrame:
    """Returns moments with the team and the car's position in the last frame before."""
    places = cars.filter(pl.col("team").is_not_null()).select(
        "match_id", "player_id", "team", "x_uu", "y_uu", "z_uu", frame_s=pl.col("time_s").cast(pl.Float64)
    )
    return (
        rows.sort("time_s")
        .join_asof(
            places.sort("frame_s"),
            left_on="time_s",
            right_on="frame_s",
            by=["match_id", "player_id"],
            check_sortedness=False,
        )
        .filter(pl.col("team").is_not_null())
        .with_columns(is_aerial=pl.col("z_uu") >= AERIAL_Z_UU)
    )


def _stretches(cars: pl.LazyFrame, where: pl.Expr) -> pl.LazyFrame:
    """Returns frames of cars where something holds, with the `stretch`: consecutive frames of a player in one play."""
    changes = (pl.col("holds") != pl.col("holds").shift()) | (
        pl.col("kickoff_number") != pl.col("kickoff_number").shift()
    )
    return (
        cars.sort("match_id", "player_id", "frame")
        .with_columns(holds=where.fill_null(False))
        .with_columns(stretch=changes.fill_null(True).cum_sum().over("match_id", "player_id"))
        .filter("holds")
        .with_columns(time_s=pl.col("time_s").cast(pl.Float64))
    )


_STRETCH = (*_MATCH, "player_id", "team", "stretch")
_BEGIN = (pl.col("time_s") - pl.col("step_s")).first().clip(0)


def _boost_starved(cars: pl.LazyFrame) -> pl.LazyFrame:
    """Returns stretches of at least three seconds with an empty tank, at the car's position at their beginning."""
    return (
        _stretches(cars, pl.col("boost") < EMPTY_TANK)
        .group_by(_STRETCH, maintain_order=True)
        .agg(
            pl.col("x_uu", "y_uu", "z_uu").first(),
            lasted_s=pl.col("step_s").cast(pl.Float64).sum(),
            begin_s=_BEGIN,
            end_s=pl.col("time_s").last(),
        )
        .filter(pl.col("lasted_s") >= STARVED_S)
        .with_columns(kind=pl.lit("boost_starved"), time_s="begin_s", is_aerial=pl.col("z_uu") >= AERIAL_Z_UU)
    )


def _missed_aerials(cars: pl.LazyFrame, touches: pl.LazyFrame) -> pl.LazyFrame:
    """Returns flights close to an airborne ball without a touch, at their nearest point.

    Driving along a wall, through a corner or on the ceiling is not flying.
    """
    x, y, z = pl.col("x_uu").abs(), pl.col("y_uu").abs(), pl.col("z_uu")
    on_wall = (x > _SIDE_WALL_UU - _WALL_UU) | (y > GOAL_Y_UU - _WALL_UU) | (x + y > _CORNER_UU)
    flies = (z >= AERIAL_Z_UU) & (z < _CEILING_UU) & ~on_wall
    flights = (
        _stretches(cars, flies & (pl.col("ball_z_uu") >= AERIAL_Z_UU))
        .group_by(_STRETCH, maintain_order=True)
        .agg(
            pl.col("x_uu", "y_uu", "z_uu", "ball_distance_uu").sort_by("ball_distance_uu").first(),
            lasted_s=pl.col("step_s").cast(pl.Float64).sum(),
            nearest_s=pl.col("time_s").sort_by("ball_distance_uu").first(),
            begin_s=_BEGIN,
            end_s=pl.col("time_s").last(),
        )
        .filter(pl.col("lasted_s") >= SHORTEST_FLIGHT_S, pl.col("ball_distance_uu") <= REACH_UU)
    )
    touched = (
        flights.join(touches.select("match_id", "player_id", touch_s="time_s"), on=["match_id", "player_id"])
        .filter(pl.col("touch_s").is_between(pl.col("begin_s") - AROUND_FLIGHT_S, pl.col("end_s") + AROUND_FLIGHT_S))
        .select("match_id", "player_id", "stretch")
    )
    return (
        flights.join(touched, on=["match_id", "player_id", "stretch"], how="anti")
        .drop("end_s")
        .with_columns(kind=pl.lit("missed_aerial"), time_s="nearest_s", is_aerial=pl.lit(True))
    )
