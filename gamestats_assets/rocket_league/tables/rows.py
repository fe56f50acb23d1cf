"""Shared by Rocket League tables: keywords, column types, and leading columns.

Positions and distances are in unreal units (uu, one is a centimetre), speeds in uu per second. The field reaches from
-4096 to 4096 across (x), from -5120 to 5120 between the goal lines (y), and to 2044 (z); blue defends the goal at
y = -5120. Columns named `team_y` and the like are seen from the player's own team: its goal is at -5120.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table

DAILY: dict[str, Any] = {
    "partitioned_by": "match_date",
    "replaced_by": "match_id",
    "fresh_within": timedelta(days=1),
    # Release of the game.
    "first_day": date(2015, 7, 7),
    "personal": True,
    "significant_digits": 10,
}
LANDED: dict[str, Any] = {**DAILY, "subject": "replays", "layer": "bronze", "made_by": "raw"}
"""One step reads the landed files of a match and feeds these tables."""
EVENTS: dict[str, Any] = {**DAILY, "subject": "replays", "layer": "bronze", "made_by": "raw_events"}
"""Reading a replay's events takes ten times as long, so a separate step does it."""
SILVER: dict[str, Any] = {**DAILY, "subject": "matches", "layer": "silver"}
GOLD: dict[str, Any] = {**DAILY, "layer": "gold", "published": True, "guarded_by": ("player_id", "match_id")}
RL_PLAYER = "rl_player"
"""Dynamic partitions: the tracked players."""
BY_PLAYER: dict[str, Any] = {
    "layer": "gold",
    "partitioned_by": "player_id",
    "named": RL_PLAYER,
    "published": True,
    "personal": True,
    "guarded_by": ("player_id",),
}

MATCH_ID = r"^[0-9A-F]{32}$"
PLAYER_ID = r"^[a-z0-9]+_[a-z0-9_.-]+$"
TEAMS = ("blue", "orange")
RESULTS = ("win", "loss", "draw")
SOURCES = ("replay", "ballchasing")
"""Origin of a row: a replay, or ballchasing's JSON of one."""


def utc(description: str, *, nullable: bool = False, primary_key: bool = False) -> dy.Datetime:
    """Returns a column of UTC times, to the microsecond."""
    return dy.Datetime(
        time_unit="us", time_zone="UTC", nullable=nullable, primary_key=primary_key, description=description
    )


def text(description: str, *, nullable: bool = True) -> dy.String:
    """Returns a column of names or ids."""
    return dy.String(nullable=nullable, description=description)


def count(description: str, *, nullable: bool = True, alias: str | None = None) -> dy.Int32:
    """Returns a column of counts or sums of whole numbers; the alias is for names that a table uses otherwise."""
    return dy.Int32(nullable=nullable, min=0, description=description, alias=alias)


def number(description: str) -> dy.Int32:
    """Returns a nullable column of whole numbers that may be negative."""
    return dy.Int32(nullable=True, description=description)


def real(description: str, *, minimum: float | None = None) -> dy.Float64:
    """Returns a nullable column of measured or computed numbers."""
    return dy.Float64(nullable=True, min=minimum, description=description)


def sample(description: str) -> dy.Float32:
    """Returns a nullable column of samples, taken many times a second."""
    return dy.Float32(nullable=True, description=description)


def share(description: str, *, nullable: bool = True) -> dy.Float64:
    """Returns a column of shares from 0 to 1."""
    return dy.Float64(nullable=nullable, min=0, max=1, description=description)


def seconds(description: str, *, nullable: bool = False) -> dy.Float64:
    """Returns a column of times since the replay began, or of lengths, in seconds."""
    return dy.Float64(nullable=nullable, min=0, description=f"{description} In seconds.")


def flag(description: str, *, nullable: bool = True) -> dy.Bool:
    """Returns a column of booleans."""
    return dy.Bool(nullable=nullable, description=description)


def percent(description: str) -> dy.Float64:
    """Returns a nullable column of percentages."""
    return dy.Float64(nullable=True, min=0, max=100, description=description)


def reals(description: str) -> dy.List:
    """Returns a nullable column of lists of numbers."""
    return dy.List(dy.Float64(), nullable=True, description=description)


def number_of(description: str) -> dy.Int32:
    """Returns a key column that numbers the rows of a match, or of a player, from 1."""
    return dy.Int32(primary_key=True, min=1, description=description)


def one_of(
    values: Collection[str], description: str, *, nullable: bool = False, primary_key: bool = False
) -> dy.String:
    """Returns a column that takes one of some texts."""
    return dy.String(
        nullable=nullable, primary_key=primary_key, check=lambda column: column.is_in(values), description=description
    )


def team(description: str = "Team: blue or orange.", *, nullable: bool = False) -> dy.String:
    """Returns a column of teams."""
    return one_of(TEAMS, description, nullable=nullable)


def player(description: str, *, nullable: bool = True, primary_key: bool = False) -> dy.String:
    """Returns a column of player ids."""
    return dy.String(
        nullable=nullable and not primary_key, primary_key=primary_key, regex=PLAYER_ID, description=description
    )


class MatchRow(Table):
    """Columns of all tables whose rows belong to one match."""

    match_id = dy.String(
        primary_key=True,
        regex=MATCH_ID,
        description="Match id: the game's own (MatchGUID), else the id of the replay; 32 hexadecimal digits.",
    )
    match_date = dy.Date(description="UTC day the match is filed under; it never changes once claimed.")


class PlayerRow(MatchRow):
    """Columns of tables whose rows belong to one player in a match."""

    player_id = dy.String(
        primary_key=True, regex=PLAYER_ID, description="Player: platform and account, such as steam_76561190000000001."
    )


class NetworkFigures(Table):
    """Figures of a player that ballchasing computes and that every network update of a replay contains as well.

    Times are in seconds, distances in unreal units, speeds in unreal units per second, boost from 0 to 100 (a full
    tank).
    """

    boost_used_while_supersonic = real("Boost wasted at supersonic speed.", minimum=0)
    time_zero_boost_s = seconds("Time with an empty tank.", nullable=True)
    time_full_boost_s = seconds("Time with a full tank.", nullable=True)
    time_boost_0_25_s = seconds("Time with 0 to 25 boost.", nullable=True)
    time_boost_25_50_s = seconds("Time with 25 to 50 boost.", nullable=True)
    time_boost_50_75_s = seconds("Time with 50 to 75 boost.", nullable=True)
    time_boost_75_100_s = seconds("Time with 75 to 100 boost.", nullable=True)
    avg_speed_uu_s = real("Average speed, in unreal units per second.", minimum=0)
    total_distance_uu = real("Distance driven and flown, in unreal units.", minimum=0)
    time_supersonic_s = seconds("Time at supersonic speed.", nullable=True)
    time_boost_speed_s = seconds("Time faster than without boost and below supersonic speed.", nullable=True)
    time_slow_s = seconds("Time at lower speed.", nullable=True)
    time_ground_s = seconds("Time on the ground.", nullable=True)
    time_low_air_s = seconds("Time in the air below 840 unreal units.", nullable=True)
    time_high_air_s = seconds("Time in the air above.", nullable=True)
    time_powerslide_s = seconds("Time in powerslides.", nullable=True)
    powerslides = count("Powerslides.")
    avg_distance_to_ball_uu = real("Average distance to the ball, in unreal units.", minimum=0)
    avg_distance_to_ball_possession_uu = real("The same while the own team has the ball.", minimum=0)
    avg_distance_to_ball_no_possession_uu = real("The same while the opponents have it.", minimum=0)
    avg_distance_to_mates_uu = real("Average distance to team mates, in unreal units.", minimum=0)
    time_defensive_third_s = seconds("Time in the own third of the field.", nullable=True)
    time_neutral_third_s = seconds("Time in the middle third.", nullable=True)
    time_offensive_third_s = seconds("Time in the opponents' third.", nullable=True)
    time_defensive_half_s = seconds("Time in the own half.", nullable=True)
    time_offensive_half_s = seconds("Time in the opponents' half.", nullable=True)
    time_behind_ball_s = seconds("Time goal-side of the ball.", nullable=True)
    time_in_front_of_ball_s = seconds("Time on the other side of it.", nullable=True)
    time_most_back_s = seconds("Time as the last of the team.", nullable=True)
    time_most_forward_s = seconds("Time as the foremost of the team.", nullable=True)
    time_closest_to_ball_s = seconds("Time as the team's nearest to the ball.", nullable=True)
    time_farthest_from_ball_s = seconds("Time as the team's farthest from the ball.", nullable=True)
    team_possession_s = seconds("Time with the ball in the possession of the player's team.", nullable=True)
    team_ball_in_own_half_s = seconds("Time with the ball in the team's own half.", nullable=True)


class BoostFigures(Table):
    """Sources and use of a player's boost."""

    boost_per_minute = real("Boost used per minute.", minimum=0)
    boost_collected_per_minute = real("Boost collected per minute.", minimum=0)
    avg_boost = real("Average boost in the tank.", minimum=0)
    boost_collected = real("Boost collected.", minimum=0)
    boost_stolen = real("Boost collected from pads in the opponents' half.", minimum=0)
    boost_collected_big = real("Boost collected from big pads.", minimum=0)
    boost_stolen_big = real("Boost collected from big pads in the opponents' half.", minimum=0)
    boost_collected_small = real("Boost collected from small pads.", minimum=0)
    boost_stolen_small = real("Boost collected from small pads in the opponents' half.", minimum=0)
    big_pads_collected = count("Big pads taken.")
    big_pads_stolen = count("Big pads taken in the opponents' half.")
    small_pads_collected = count("Small pads taken.")
    small_pads_stolen = count("Small pads taken in the opponents' half.")
    boost_overfill = real("Boost of pads that did not fit into the tank.", minimum=0)
    boost_overfill_stolen = real("The same for pads in the opponents' half.", minimum=0)


class BallchasingFigures(BoostFigures, NetworkFigures):
    """All of ballchasing's figures of a player, except percentages, which follow from times."""

    goals_against_while_last_defender = count("Goals conceded while being the last of the team.")
