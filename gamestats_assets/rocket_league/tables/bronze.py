"""Bronze: what replays and ballchasing's statistics say, in the units of the source."""

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
"""What stands for a player in the rows of the ball."""
KINDS_OF_EVENT = (
    "touch", "boost_pickup", "pad_taken", "shot", "save", "assist", "goal", "demolition", "ball_cam_on", "ball_cam_off",
)  # fmt: skip


class RawReplays(MatchRow, key="rocket_league/raw_replays", **LANDED):
    """Matches as a source describes them: one row per match and source, of several files the one that tells most."""

    source = one_of(SOURCES, "replay or ballchasing.", primary_key=True)
    content_hash = text("Hash of the landed file this row was read from.", nullable=False)
    other_files = count("Further files of the kind landed for the match and not used.", nullable=False)
    landed_at = utc("When the first file of the kind landed.")
    replay_id = text("Id of the replay, 32 hexadecimal digits; every recording of a match has its own.")
    ballchasing_id = text("Id of the replay at ballchasing.")
    is_simulated = flag("Whether a simulator made the file.", nullable=False)
    started_at = utc("When the match began, or where nothing tells that, when the replay was saved.")
    start_is_exact = flag("Whether started_at is by the game server's clock.", nullable=False)
    uploaded_at = utc("When it was uploaded to ballchasing.", nullable=True)
    title = text("Title of the replay.")
    recorder = text("Name of the player whose game saved it.")
    map_code = text("Map, such as stadium_p, in lower case.")
    match_type = text("Online, Private, Tournament, LAN, ...")
    playlist = text("Playlist as ballchasing calls it, such as ranked-doubles; null where it is none that is known.")
    playlist_number = number("Number of the playlist in the replay, such as 11.")
    team_size = count("Players a side.")
    season = count("Season, counted from 1 within its era.")
    season_type = text("Era of the season: legacy or free2play.")
    build_version = text("Version of the game that saved it, such as 260114.55864.507183.")
    duration_s = seconds("Length of the replay as the source tells it.", nullable=True)
    played_s = seconds("Seconds played as the replay's header tells them.", nullable=True)
    went_to_overtime = flag("Whether it went to overtime.")
    was_forfeited = flag("Whether a team gave up.")
    blue_score = count("Goals of the blue team.")
    orange_score = count("Goals of the orange team.")
    min_rank_tier = count("Lowest rank of the players, 1 (bronze 1) to 22 (supersonic legend).")
    max_rank_tier = count("Highest rank of the players.")
    frames = count("Frames of the replay that were taken, ten a second at most.")
    frames_method = text("How they were read: matrix, or updates where players come or go midway.")
    uncounted_keys = count(
        "Keys of ballchasing's statistics that no column takes, percentages aside, or whose values are none that it "
        "could take."
    )


class _RawPlayer(MatchRow):
    """Who played, and what the scoreboard tells of them."""

    source = one_of(SOURCES, "replay or ballchasing.", primary_key=True)
    player_id = player("Player; guest_ and more for one without an account.", primary_key=True)
    player_name = text("Name in this match.", nullable=False)
    team = team()
    is_bot = flag("Whether a bot played.")
    start_time_s = seconds("When the player came.", nullable=True)
    end_time_s = seconds("When the player left.", nullable=True)
    is_mvp = flag("Whether the player was best of the winners.")
    rank_tier = count("Rank in the playlist, 1 (bronze 1) to 22 (supersonic legend); 0 is unranked.")
    rank_division = count("Division of the rank, 1 to 4.")
    car_name = text("Car, such as Octane.")
    car_id = count("Number of the car.")
    car_hitbox = text("Form of the car's hit box: octane, dominus, plank, breakout, hybrid or merc.")
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
    shots_against = count("Shots on the own goal, of all opponents.")
    goals_against = count("Goals conceded by the team.")
    demos_inflicted = count("Opponents demolished.")
    demos_taken = count("Times demolished.")


class RawPlayerStats(_RawPlayer, BallchasingFigures, key="rocket_league/raw_player_stats", **LANDED):
    """Players' statistics as a source gives them: a replay's scoreboard, or all that ballchasing computes.

    Times are in seconds, distances in unreal units, speeds in unreal units per second, boost from 0 to 100 (a full
    tank). Percentages are left out: they are the times in hundredths of their sum.
    """


class ReplayFrames(MatchRow, key="rocket_league/replay_frames", **LANDED):
    """Where everybody was, ten times a second: one row per frame for the ball, and for each player.

    A car that is demolished, and a player who has not come or has left, has no row in that frame. Boost is from 0 to
    255 (a full tank), rotations are quaternions.
    """

    frame = dy.Int32(primary_key=True, min=0, description="Number of the frame among those taken, from 0.")
    player_id = player("Player, or the_ball.", primary_key=True)
    team = team(nullable=True)
    time_s = dy.Float32(min=0, description="Time since the replay began, in seconds.")
    seconds_remaining = number("Seconds on the game's clock.")
    step_s = dy.Float32(min=0, description="Time since the frame before, in seconds; 0 over a goal replay.")
    kickoff_number = count("Number of the kick-off before it, from 1.", nullable=False)
    is_countdown = flag("Whether the game counts down to a kick-off.", nullable=False)
    is_live = flag("Whether play is on: after a kick-off's countdown, and before a goal or the end.", nullable=False)
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
    is_jumping = flag("Whether a jump, double jump or dodge is going on.")


class ReplayEvents(MatchRow, key="rocket_league/replay_events", **EVENTS):
    """What happened in a replay: touches, boost pickups, shots, saves, assists, goals, demolitions, cameras.

    Read from every network update of the replay, of which ten a second are kept elsewhere; so what that tells of
    touches is worked out here. A boost pickup is a tank that was told to be fuller, and counts as ballchasing counts;
    pad_taken is a pad that the server told to be gone. Boost is from 0 to 255.
    """

    event_number = dy.Int32(primary_key=True, min=0, description="Number of the event in the match, from 0.")
    kind = one_of(KINDS_OF_EVENT, f"One of {', '.join(KINDS_OF_EVENT)}.")
    frame = count("Frame of the replay, of all it has.", nullable=False)
    time_s = seconds("When, since the replay began, as the game's clock ran.")
    clock_s = seconds("The same without goal replays, which are not recorded.")
    kickoff_number = count("Number of the kick-off before it, from 1.", nullable=False)
    is_live = flag("Whether play is on.", nullable=False)
    player_id = player("Who did it.")
    other_player_id = player("Who was demolished; of a goal, who was the last of those who conceded it.")
    team = team("Team: that of the player, or that scored.", nullable=True)
    told_by = text("Of a touch, what tells it: server, or ball (whose velocity jumps beside a car).")
    car_distance_uu = real("Of a touch, from the car's hit box to the ball.", minimum=0)
    attribution_confidence = share("Of a touch, how sure it is that it was this player.")
    player_x_uu = real("Position of the player across the field.")
    player_y_uu = real("Position along the field.")
    player_z_uu = real("Height.")
    ball_x_uu = real("Position of the ball across the field.")
    ball_y_uu = real("Position along the field.")
    ball_z_uu = real("Height.")
    ball_vx_before_uu_s = real("Speed of the ball across the field, three frames before.")
    ball_vy_before_uu_s = real("Speed along the field.")
    ball_vz_before_uu_s = real("Speed upwards.")
    ball_vx_after_uu_s = real("Speed of the ball across the field, a frame after.")
    ball_vy_after_uu_s = real("Speed along the field.")
    ball_vz_after_uu_s = real("Speed upwards.")
    pad_x_uu = real("Position of the boost pad across the field.")
    pad_y_uu = real("Position along the field.")
    is_big_pad = flag("Whether it is a big one.")
    boost_before = real("Boost in the tank before.", minimum=0)
    boost_after = real("Boost after.", minimum=0)


class ReplayFigures(PlayerRow, NetworkFigures, key="rocket_league/replay_figures", **EVENTS):
    """What ballchasing computes of each player, computed from every network update of a replay.

    Of what boost pads gave `boost_pickups` tells. Boost is from 0 to 100, a full tank.
    """

    counted_s = seconds("Time played outside countdowns.", nullable=True)
    boost_per_minute = real("Boost used per minute.", minimum=0)
    avg_boost = real("Average boost in the tank.", minimum=0)
