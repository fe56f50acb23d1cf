"""Boost pickups, and shots with their outcomes, from a replay's events."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league.reference.playlists import has_soccar_goals
from gamestats_assets.rocket_league.tables import BoostPickups, MatchFacts, ReplayEvents, ShotsAndSaves, Touches

FULL_TANK = 255.0
"""Boost of a full tank in replays."""
SMALL_PAD = 12.0
"""Boost of a small pad, from 0 to 100."""
STRUCK_WITHIN_S = 6.0
"""Longest time from the touch until the game counts the shot."""
SAVE_WITHIN_S, GOAL_WITHIN_S = 4.0, 8.0
"""Longest time from a shot to its save, and to its goal."""
COUNTED_LATE_S = 0.5
"""Longest delay with which the game counts a shot after its goal or save."""
_SHOT, _THEN = ("match_id", "event_number"), ("match_id", "then_event")
GOAL_Y_UU = 5120.0
"""Goal line."""


def boost_pickups(events: dy.LazyFrame[ReplayEvents]) -> dy.LazyFrame[BoostPickups]:
    """Returns the pickups of boost pads, with amounts from 0 to 100.

    Pads in the opponents' half are stolen; pads on the middle line are neutral. Overfill is boost of a pad that does
    not fit into the tank.
    """
    per_cent = 100 / FULL_TANK
    before, holds = pl.col("boost_before") * per_cent, pl.when(pl.col("is_big_pad")).then(100.0).otherwise(SMALL_PAD)
    side = pl.when(pl.col("team") == "blue").then(1.0).otherwise(-1.0)
    rows = (
        events.filter(pl.col("kind") == "boost_pickup")
        .sort("match_id", "event_number")
        .with_columns(
            pickup_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("match_id"),
            is_big=pl.col("is_big_pad"),
            is_stolen=pl.col("pad_y_uu") * side > 0,
            boost_gained=(pl.col("boost_after") - pl.col("boost_before")) * per_cent,
            boost_overfill=pl.when(pl.col("boost_after") >= FULL_TANK)
            .then((before + holds - 100).clip(0))
            .otherwise(0.0),
            boost_before=before,
        )
    )
    return BoostPickups.cast(rows)


def shots_and_saves(
    events: dy.LazyFrame[ReplayEvents], touches: dy.LazyFrame[Touches], facts: dy.LazyFrame[MatchFacts]
) -> dy.LazyFrame[ShotsAndSaves]:
    """Returns shots as counted by the game, and goals without such a shot, from where the player touched the ball.

    A shot's goal is the next goal by the same player before the next kick-off; its save is the next save by an opponent
    within four seconds. Each goal and save belongs to one shot, the last before it. The game counts some shots a moment
    after their outcome: then the save or goal just before belongs to them, unless another shot has it. Goals without a
    shot exist: the game credits them to the last toucher of the team, whoever sent the ball in.

    On a field without soccar's goals the distance to them is null, and a shot that was neither a goal nor saved was not
    missed either: in dropshot it hit the floor, as intended.
    """
    counted, goals = (events.filter(pl.col("kind") == kind) for kind in ("shot", "goal"))
    times = counted.select(*_SHOT, "kickoff_number", "time_s", "team", "player_id")
    scored = _of_one_shot(
        times.join(
            goals.select("match_id", "kickoff_number", "player_id", then_s="time_s", then_event="event_number"),
            on=["match_id", "kickoff_number", "player_id"],
        ),
        GOAL_WITHIN_S,
    )
    saves = events.filter(pl.col("kind") == "save").select(
        "match_id", saver_id="player_id", save_team="team", then_s="time_s", then_event="event_number"
    )
    saved = _of_one_shot(
        times.join(saves, on="match_id").filter(pl.col("save_team") != pl.col("team")), SAVE_WITHIN_S
    ).select(*_SHOT, "saver_id", save_s="then_s")
    assists = (
        events.filter(pl.col("kind") == "assist")
        .sort("match_id", "event_number")
        .unique(["match_id", "kickoff_number", "team"], keep="last", maintain_order=True)
        .select("match_id", "kickoff_number", "team", assister_id="player_id")
    )
    field = pl.col("map_code").fill_null("")
    uncounted = goals.join(scored, left_on=_SHOT, right_on=_THEN, how="anti").with_columns(
        is_counted=pl.lit(False),
        is_goal=pl.lit(True),
        # At a goal the ball is in the goal, not where the scorer had it.
        **{name: pl.lit(None, pl.Float64) for name in ("ball_x_uu", "ball_y_uu", "ball_z_uu", "player_z_uu")},
    )
    rows = (
        pl.concat(
            [
                counted.with_columns(is_counted=pl.lit(True)).join(
                    scored.select(*_SHOT, is_goal=pl.lit(True)), on=_SHOT, how="left"
                ),
                uncounted,
            ]
        )
        .join(saved, on=_SHOT, how="left")
        .join(assists, on=["match_id", "kickoff_number", "team"], how="left")
        .join(
            facts.select("match_id", has_goals=has_soccar_goals(pl.col("playlist"), field)), on="match_id", how="left"
        )
    )
    is_goal, is_saved = pl.col("is_goal").is_not_null(), pl.col("save_s").is_not_null()
    result = (
        _from_where(rows, touches)
        .with_columns(
            distance_to_goal_uu=pl.when("has_goals").then("distance_to_goal_uu"),
            outcome=pl.when(is_goal)
            .then(pl.lit("goal"))
            .when(is_saved)
            .then(pl.lit("saved"))
            .when("has_goals")
            .then(pl.lit("missed")),
            saver_id=pl.when(~is_goal).then("saver_id"),
            saved_after_s=pl.when(~is_goal & is_saved).then((pl.col("save_s") - pl.col("time_s")).clip(0)),
            assister_id=pl.when(is_goal).then("assister_id"),
        )
        .sort("match_id", "event_number")
        .with_columns(shot_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("match_id"))
    )
    return ShotsAndSaves.cast(result)


def _from_where(rows: pl.LazyFrame, touches: pl.LazyFrame) -> pl.LazyFrame:
    """Adds where the player touched the ball; without such a touch, where the ball was when the shot was counted."""
    side = pl.when(pl.col("team") == "blue").then(1.0).otherwise(-1.0)
    struck = touches.sort("time_s").select(
        "match_id", "player_id", struck_s="time_s", touch_x="ball_x_uu", touch_y="ball_team_y_uu", touch_z="ball_z_uu",
        touch_speed="ball_speed_after_uu_s", touch_car_z="car_z_uu",
    )  # fmt: skip
    return (
        # The game counts a shot some moments after the touch; a goal, when the ball is in.
        rows.sort("time_s")
        .join_asof(
            struck,
            left_on="time_s",
            right_on="struck_s",
            by=["match_id", "player_id"],
            tolerance=STRUCK_WITHIN_S,
            check_sortedness=False,
        )
        .with_columns(
            ball_x_uu=pl.coalesce("touch_x", "ball_x_uu"),
            ball_team_y_uu=pl.coalesce("touch_y", pl.col("ball_y_uu") * side),
            ball_z_uu=pl.coalesce("touch_z", "ball_z_uu"),
            shooter_z_uu=pl.coalesce("touch_car_z", "player_z_uu"),
            shot_speed_uu_s="touch_speed",
        )
        .with_columns(
            distance_to_goal_uu=(pl.col("ball_x_uu") ** 2 + (GOAL_Y_UU - pl.col("ball_team_y_uu")) ** 2).sqrt()
        )
    )


def _of_one_shot(pairs: pl.LazyFrame, within_s: float) -> pl.LazyFrame:
    """Returns one outcome per shot from pairs of both: the one that followed, else the one counted just before."""
    after_s = pl.col("then_s") - pl.col("time_s")

    def nearest(near: pl.LazyFrame) -> pl.LazyFrame:
        return (
            near.sort(after_s.abs(), "match_id", -pl.col("event_number"), "then_event")
            .unique(_THEN, keep="first", maintain_order=True)
            .unique(_SHOT, keep="first", maintain_order=True)
        )

    followed = nearest(pairs.filter(after_s.is_between(0, within_s)))
    late = pairs.filter(after_s.is_between(-COUNTED_LATE_S, 0, closed="left"))
    return pl.concat(
        [followed, nearest(late.join(followed, on=_SHOT, how="anti").join(followed, on=_THEN, how="anti"))]
    )
