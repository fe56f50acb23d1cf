"""Bronze: the contents of replays and of ballchasing's statistics, in the units of the source."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.rocket_league.tables.rows import (
    EVENTS,
    LANDED,
    SOURCES,
    BallchasingFigures,
    MatchRow,
    NetworkFigures,
    PlayerRow,
    count,
    flag,
    number,
    one_of,
    player,
    real,
    sample,
    seconds,
    share,
    team,
    text,
    utc,
)

BALL = "the_ball"
"""Stands for a player in the rows of the ball."""
KINDS_OF_EVENT = (
    "touch", "boost_pickup", "pad_taken", "shot", "save", "assist", "goal", "demolition", "ball_cam_on", "ball_cam_off",
)  # fmt: skip


class RawReplays(MatchRow, key="rocket_league/raw_replays", **LANDED):
    """Matches as described by a source: one row per match and source, from the file with the most content."""

    source = one_of(SOURCES, "replay or ballchasing.", primary_key=True)
    content_hash = text("Hash of the landed file this row was read from.", nullable=False)
    other_files = count("Unused files of the same kind for the match.", nullable=False)
    landed_at = utc("When the first file of the kind landed.")
    replay_id = text("Id of the replay, 32 hexadecimal digits; every recording of a match has its own.")
    ballchasing_id = text("Id of the replay at ballchasing.")
    is_simulated = flag("Whether a simulator made the file.", nullable=False)
    started_at = utc("When the match began; if unknown, when the replay was saved.")
    start_is_exact = flag("Whether started_at comes from the game server's clock.", nullable=False)
    uploaded_at = utc("When it was uploaded to ballchasing.", nullable=True)
    title = text("Title of the replay.")
    recorder = text("Name of the player whose game saved the replay.")
    map_code = text("Map, such as stadium_p, in lower case.")
    match_type = text("Online, Private, Tournament, LAN, ...")
    playlist = text("Playlist as ballchasing calls it, such as ranked-doubles; null if unknown.")
    playlist_number = number("Number of the playlist in the replay, such as 11.")
    team_size = count("Players a side.")
    season = count("Season, counted from 1 within its era.")
    season_type = text("Era of the season: legacy or free2play.")
    build_version = text("Version of the game that saved the replay, such as 260114.55864.507183.")
    duration_s = seconds("Length of the replay by the source.", nullable=True)
    played_s = seconds("Seconds played by the replay's header.", nullable=True)
    went_to_overtime = flag("Whether it went to overtime.")
    was_forfeited = flag("Whether a team gave up.")
    blue_score = count("Goals of the blue team.")
    orange_score = count("Goals of the orange team.")
    min_rank_tier = count("Lowest rank of the players, 1 (bronze 1) to 22 (supersonic legend).")
    max_rank_tier = count("Highest rank of the players.")
    frames = count("Frames taken from the replay, at most ten a second.")
    frames_method = text("How the frames were read: matrix, or updates for replays whose players come or go midway.")
    uncounted_keys = count(
        "Keys of ballchasing's statistics, percentages aside, that have no column or a value that the column cannot "
        "hold."
    )


class _RawPlayer(MatchRow):
    """Players of a match, and their scoreboard."""

    source = one_of(SOURCES, "replay or ballchasing.", primary_key=True)
    player_id = player("Player; guest_ and a hash for players without an account.", primary_key=True)
    player_name = text("Name in this match.", nullable=False)
    team = team()
    is_bot = flag("Whether a bot played.")
    start_time_s = seconds("When the player came.", nullable=True)
    end_time_s = seconds("When the player left.", nullable=True)
    is_mvp = flag("Whether the player was the best of the winning team.")
    rank_tier = count("Rank in the playlist, 1 (bronze 1) to 22 (supersonic legend); 0 is unranked.")
    rank_division = count("Division of the rank, 1 to 4.")
    car_name = text("Car, such as Octane.")
    car_id = count("Number of the car.")
    car_hitbox = text("Hit box of the car: octane, dominus, plank, breakout, hybrid or merc.")
    camera_fov = real("Camera: field of view, in degrees.")
    camera_height = real("Camera: height, in unreal units.")
    camera_pitch = real("Camera: pitch, in degrees.")
    camera_distance = real("Camera: distance, in unreal units.")
    camera_stiffness = real("Camera: stiffness, from 0 to 1.")
    camera_swivel_speed = real("Camera: swivel speed.")
    camera_transition_speed = real("Camera: transition speed.")
    steering_sensitivity = real("Steering sensitivity.")
    score = count("Points on the scoreboard.")
    goals = count("Goals.")
    assists = count("Assists.")
    saves = count("Saves.")
    shots = count("Shots on goal.")
    shots_against = count("Shots of all opponents on the player's goal.")
    goals_against = count("Goals conceded by the team.")
    demos_inflicted = count("Opponents demolished.")
    demos_taken = count("Times demolished.")


class RawPlayerStats(_RawPlayer, BallchasingFigures, key="rocket_league/raw_player_stats", **LANDED):
    """Players' statistics as given by a source: a replay's scoreboard, or all of ballchasing's statistics.

    Times are in seconds, distances in unreal units, speeds in unreal units per second, boost from 0 to 100 (a full
    tank). Percentages are left out: they follow from the times.
    """


class ReplayFrames(MatchRow, key="rocket_league/replay_frames", **LANDED):
    """Positions ten times a second: one row per frame for the ball and for each player.

    Demolished cars, and players who have not come yet or have left, have no row in that frame. Boost is from 0 to 255
    (a full tank), rotations are quaternions.
    """

    frame = dy.Int32(primary_key=True, min=0, description="Number of the frame among the frames taken, from 0.")
    player_id = player("Player, or the_ball.", primary_key=True)
    team = team(nullable=True)
    time_s = dy.Float32(min=0, description="Time since the replay began, in seconds.")
    seconds_remaining = number("Seconds on the game's clock.")
    step_s = dy.Float32(min=0, description="Time since the previous frame, in seconds; 0 across a goal replay.")
    kickoff_number = count("Number of the last kick-off, from 1.", nullable=False)
    is_countdown = flag("Whether the game counts down to a kick-off.", nullable=False)
    is_live = flag("Whether play is on: between a kick-off's countdown and the next goal or the end.", nullable=False)
    is_ball_hit = flag("Whether the ball was hit since the last kick-off.")
    x_uu = sample("Position across the field.")
    y_uu = sample("Position along the field; blue's goal is at -5120.")
    z_uu = sample("Height.")
    rotation_x = sample("Rotation, as a quaternion.")
    rotation_y = sample("Rotation, as a quaternion.")
    rotation_z = sample("Rotation, as a quaternion.")
    rotation_w = sample("Rotation, as a quaternion.")
    vx_uu_s = sample("Speed across the field.")
    vy_uu_s = sample("Speed along the field.")
    vz_uu_s = sample("Speed upwards.")
    boost = sample("Boost in the tank, from 0 to 255.")
    is_jumping = flag("Whether the car is in a jump, double jump or dodge.")


class ReplayEvents(MatchRow, key="rocket_league/replay_events", **EVENTS):
    """Events of a replay: touches, boost pickups, shots, saves, assists, goals, demolitions, cameras.

    Read from every network update of the replay; other tables keep only ten updates a second, so touches are worked out
    here. A boost pickup is an update with a fuller tank, counted as ballchasing counts; pad_taken is a pad that the
    server reports as gone. Boost is from 0 to 255.
    """

    event_number = dy.Int32(primary_key=True, min=0, description="Number of the event in the match, from 0.")
    kind = one_of(KINDS_OF_EVENT, f"One of {', '.join(KINDS_OF_EVENT)}.")
    frame = count("Number of the frame in the replay.", nullable=False)
    time_s = seconds("Time of the game's clock since the replay began.")
    clock_s = seconds("The same without goal replays, which are not recorded.")
    kickoff_number = count("Number of the last kick-off, from 1.", nullable=False)
    is_live = flag("Whether play is on.", nullable=False)
    player_id = player("Acting player.")
    other_player_id = player("Demolished player; for a goal, the last defender of the conceding team.")
    team = team("Team of the player, or the scoring team.", nullable=True)
    told_by = text("Evidence for a touch: server, or ball (its velocity jumps beside a car).")
    car_distance_uu = real("Distance from the car's hit box to the ball at a touch.", minimum=0)
    attribution_confidence = share("How sure a touch is to be this player's.")
    player_x_uu = real("Position of the player across the field.")
    player_y_uu = real("Position along the field.")
    player_z_uu = real("Height.")
    ball_x_uu = real("Position of the ball across the field.")
    ball_y_uu = real("Position along the field.")
    ball_z_uu = real("Height.")
    ball_vx_before_uu_s = real("Speed of the ball across the field, three frames before.")
    ball_vy_before_uu_s = real("Speed along the field.")
    ball_vz_before_uu_s = real("Speed upwards.")
    ball_vx_after_uu_s = real("Speed of the ball across the field, one frame after.")
    ball_vy_after_uu_s = real("Speed along the field.")
    ball_vz_after_uu_s = real("Speed upwards.")
    pad_x_uu = real("Position of the boost pad across the field.")
    pad_y_uu = real("Position along the field.")
    is_big_pad = flag("Whether it is a big pad.")
    boost_before = real("Boost in the tank before.", minimum=0)
    boost_after = real("Boost after.", minimum=0)


class ReplayFigures(PlayerRow, NetworkFigures, key="rocket_league/replay_figures", **EVENTS):
    """Ballchasing's figures of each player, computed from every network update of a replay.

    `boost_pickups` has the boost from pads. Boost is from 0 to 100, a full tank.
    """

    counted_s = seconds("Time played outside countdowns.", nullable=True)
    boost_per_minute = real("Boost used per minute.", minimum=0)
    avg_boost = real("Average boost in the tank.", minimum=0)
