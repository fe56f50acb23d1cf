"""Silver: matches, players and their actions; each column means the same whatever the source."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.rocket_league.tables.rows import (
    RESULTS,
    SILVER,
    SOURCES,
    BallchasingFigures,
    MatchRow,
    PlayerRow,
    count,
    flag,
    number_of,
    one_of,
    player,
    real,
    seconds,
    share,
    team,
    text,
    utc,
)

KINDS_OF_END = ("turnover", "goal", "stoppage")
OUTCOMES = ("goal", "saved", "missed")


class MatchFacts(MatchRow, key="rocket_league/match_facts", published=True, guarded_by=("match_id",), **SILVER):
    """Matches. If a replay and ballchasing describe the same match, the replay counts, and ballchasing fills gaps."""

    is_simulated = flag("Whether a simulator made it.", nullable=False)
    has_frames = flag("Whether its replay was read, so that data from frames exist.", nullable=False)
    has_ballchasing = flag("Whether ballchasing's statistics exist.", nullable=False)
    replay_id = text("Id of the replay.")
    ballchasing_id = text("Id at ballchasing.")
    landed_at = utc("When the first file of the match landed.")
    started_at = utc("When the match began; if unknown, when the replay was saved.")
    map_code = text("Map, such as stadium_p.")
    playlist = text("Playlist as ballchasing calls it, such as ranked-doubles, or unknown.", nullable=False)
    is_ranked = flag("Whether it counts for ranks.", nullable=False)
    is_soccar = flag("Whether it is played with a ball and two goals, as features require.", nullable=False)
    team_size = count("Players a side.")
    season = text("Season, such as f21 (free to play) or 5 (before), as ballchasing writes it.")
    duration_s = seconds("Length of the replay.", nullable=True)
    went_to_overtime = flag("Whether it went to overtime.")
    blue_score = count("Goals of the blue team.")
    orange_score = count("Goals of the orange team.")


class Participants(
    PlayerRow,
    key="rocket_league/participants",
    published=True,
    indexes=(("player_id",),),
    guarded_by=("player_id", "match_id"),
    **SILVER,
):
    """Players of a match, with team, rank and scoreboard."""

    player_name = text("Name in this match.", nullable=False)
    has_account = flag("Whether the player has an account; false for bots and shared-screen guests.", nullable=False)
    team = team()
    result = one_of(RESULTS, "win, loss or draw.", nullable=True)
    rank_tier = count("Rank in the playlist, 1 (bronze 1) to 22 (supersonic legend), from ballchasing.")
    rank_division = count("Division of the rank, 1 to 4.")
    is_mvp = flag("Whether the player was the best of the winning team.")
    score = count("Points on the scoreboard.")
    goals = count("Goals.")
    assists = count("Assists.")
    saves = count("Saves.")
    shots = count("Shots on goal.")
    shots_against = count("Shots of all opponents on the player's goal.")
    goals_against = count("Goals conceded by the team.")
    demos_inflicted = count("Opponents demolished.")
    demos_taken = count("Times demolished.")


class _ByEitherSource(PlayerRow):
    """A player in a match, as described by one of the two sources."""

    source = one_of(SOURCES, "replay (computed from its frames and events) or ballchasing.", primary_key=True)
    counted_s = seconds("Time of the match outside countdowns, with or without the player.", nullable=True)


class PlayerMatchStats(_ByEitherSource, BallchasingFigures, key="rocket_league/player_match_stats", **SILVER):
    """Ballchasing's statistics of a player in a match, both as given by ballchasing and as computed from the replay.

    A match with both a replay and statistics has two rows per player, which ought to agree; PARITY.md shows how
    closely. Boost is from 0 to 100, a full tank.
    """


class FrameFigures(PlayerRow, key="rocket_league/frame_figures", **SILVER):
    """A player's movement and position during play, from ten frames a second.

    Figures that `player_match_stats` has, too, are more exact there; these are available sooner.
    """

    counted_s = seconds("Time during play with the car on the field.")
    avg_x_uu = real("Average distance from the middle line across the field.", minimum=0)
    avg_team_y_uu = real("Average position along the field, own goal line at -5120.")
    avg_z_uu = real("Average height.")
    position_spread_uu = real("Standard deviation of the position on the field.", minimum=0)
    avg_speed_uu_s = real("Average speed.", minimum=0)
    total_distance_uu = real("Distance driven and flown.", minimum=0)
    supersonic_share = share("Share of time at supersonic speed.")
    boost_speed_share = share("Share of time faster than without boost and below supersonic speed.")
    slow_share = share("Share of time at lower speed.")
    ground_share = share("Share of time on the ground.")
    low_air_share = share("Share of time in the air below 840 unreal units.")
    high_air_share = share("Share of time in the air above 840 unreal units.")
    defensive_third_share = share("Share of time in the own third.")
    neutral_third_share = share("Share of time in the middle third.")
    offensive_third_share = share("Share of time in the opponents' third.")
    defensive_half_share = share("Share of time in the own half.")
    behind_ball_share = share("Share of time goal-side of the ball.")
    avg_distance_to_ball_uu = real("Average distance to the ball.", minimum=0)
    avg_distance_to_mates_uu = real("Average distance to team mates.", minimum=0)
    most_back_share = share("Share of time as the last of the team.")
    most_forward_share = share("Share of time as the foremost of the team.")
    closest_to_ball_share = share("Share of time as the team's nearest to the ball.")
    avg_boost = real("Average boost in the tank, 0 to 100.", minimum=0)
    zero_boost_share = share("Share of time with an empty tank.")
    full_boost_share = share("Share of time with a full tank.")


class Touches(MatchRow, key="rocket_league/touches", **SILVER):
    """Touches of the ball: player, place and effect.

    A replay always names the team but not always the player, who is then taken to be the nearest of the team;
    `attribution_confidence` is the certainty.
    """

    touch_number = number_of("Number of the touch in the match.")
    time_s = seconds("Time since the replay began.")
    team = team("Touching team.")
    player_id = player("Touching player; null if no car of the team was near.")
    attribution_confidence = share("Certainty that it was this player; 1 if the replay names the player.")
    car_distance_uu = real("Distance of the player's car to the ball.", minimum=0)
    ball_x_uu = real("Position of the ball across the field.")
    ball_y_uu = real("Position of the ball along the field.")
    ball_z_uu = real("Height of the ball.")
    ball_team_y_uu = real("Position along the field, the touching team's goal line at -5120.")
    ball_speed_before_uu_s = real("Speed of the ball before the touch.", minimum=0)
    ball_speed_after_uu_s = real("Speed of the ball after it.", minimum=0)
    ball_team_vy_after_uu_s = real("Speed of the ball towards the opponents' goal line after it.")
    car_z_uu = real("Height of the player's car.")
    is_aerial = flag("Whether the car was in the air, higher than a jump from the ground reaches.")
    is_kickoff = flag("Whether it is the first touch after a kick-off.", nullable=False)


class Possessions(MatchRow, key="rocket_league/possessions", **SILVER):
    """Stretches with touches of one team alone: from its first touch to the other team's next, or a stop."""

    possession_number = number_of("Number of the possession in the match.")
    team = team("Team in possession.")
    start_s = seconds("First touch.")
    end_s = seconds("Touch of the other team or goal; if neither follows, the last touch.")
    duration_s = seconds("Length.")
    touches = count("Touches in it.", nullable=False)
    players = count("Known players who touched the ball.", nullable=False)
    first_player_id = player("Player of the first touch.")
    last_player_id = player("Player of the last touch.")
    start_team_y_uu = real("Position of the first touch along the field, the team's goal line at -5120.")
    end_team_y_uu = real("Position of the last touch along the field.")
    ended_by = one_of(KINDS_OF_END, "turnover, goal (of the team) or stoppage.")


class ShotsAndSaves(MatchRow, key="rocket_league/shots_and_saves", **SILVER):
    """Shots as counted by the game with their outcomes, and goals without such a shot.

    Every goal has one row: the row of its shot, or its own row if the game counted no shot of the scorer. The position
    of the ball comes from the player's last touch; without a touch in the six seconds before, from the moment in which
    the game counted the shot.
    """

    shot_number = number_of("Number of the row in the match: shots and goals by time.")
    is_counted = flag("Whether the game counts it as a shot; false for some goals.", nullable=False)
    time_s = seconds("When the game counted the shot, or the goal without a shot.")
    player_id = player("Shooter, or scorer as credited by the game; null if a goal's scorer is unknown.")
    team = team("Shooting or scoring team.")
    ball_x_uu = real("Position of the ball across the field; null for a goal without a shot or touch of its scorer.")
    ball_team_y_uu = real("Position along the field, the shooter's goal line at -5120.")
    ball_z_uu = real("Height of the ball.")
    distance_to_goal_uu = real(
        "Distance to the middle of the opponents' goal; null on a field without soccar's goals.", minimum=0
    )
    shot_speed_uu_s = real("Speed of the ball after the shooter's touch; null if unknown.", minimum=0)
    shooter_z_uu = real("Height of the shooter's car.")
    outcome = one_of(
        OUTCOMES,
        "goal, saved, or missed (neither of them, or another player's goal); null for missed on a field without "
        "soccar's goals.",
        nullable=True,
    )
    saver_id = player("Player who saved it.")
    saved_after_s = seconds("Time from the shot to the save.", nullable=True)
    assister_id = player("Player who assisted the goal.")


class BoostPickups(MatchRow, key="rocket_league/boost_pickups", **SILVER):
    """Boost pads taken by players."""

    pickup_number = number_of("Number of the pickup in the match.")
    time_s = seconds("Time of the pickup.")
    player_id = player("Player.", nullable=False)
    team = team("Team of the player.")
    pad_x_uu = real("Position of the pad across the field.")
    pad_y_uu = real("Position of the pad along the field.")
    is_big = flag("Whether it is a big pad, which fills the tank.", nullable=False)
    is_stolen = flag("Whether the pad is in the opponents' half.", nullable=False)
    boost_before = real("Boost in the tank before, from 0 to 100.", minimum=0)
    boost_gained = real("Boost gained.", minimum=0)
    boost_overfill = real("Boost of the pad that did not fit into the tank.", minimum=0)


class Challenges(MatchRow, key="rocket_league/challenges", **SILVER):
    """50/50s: a player of each team at the ball at the same moment."""

    challenge_number = number_of("Number of the challenge in the match.")
    time_s = seconds("Time of the challenge.")
    blue_player_id = player("Player of the blue team.")
    orange_player_id = player("Player of the orange team.")
    ball_x_uu = real("Position of the ball across the field.")
    ball_y_uu = real("Position of the ball along the field.")
    ball_z_uu = real("Height of the ball.")
    winner = team(
        "Team whose opponents' goal the ball left towards, or that touched next; null if neither won.", nullable=True
    )
    is_kickoff = flag("Whether it happened at a kick-off.", nullable=False)
    is_aerial = flag("Whether a car was in the air, higher than a jump from the ground reaches.")


class Rotations(PlayerRow, key="rocket_league/rotations", **SILVER):
    """Stints of players in a role: first man (the player of the team nearest to the ball), second man, third man.

    A role counts once it is held for half a second. Matches of one against one have no rows.
    """

    stint_number = number_of("Number of the player's stint.")
    team = team()
    role = dy.Int16(min=1, description="1 first man, 2 second man, 3 third man, ...")
    start_s = seconds("Beginning.")
    end_s = seconds("End, by a change of role or a stop of play.")
    duration_s = seconds("Length.")
    next_role = dy.Int16(nullable=True, min=1, description="Next role; null if play stopped.")
    goal_side_share = share("Share of the stint goal-side of the ball.")
