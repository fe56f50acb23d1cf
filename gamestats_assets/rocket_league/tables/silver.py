"""Silver: matches, players and what they did, one meaning per column, whichever source told it."""

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
    """Matches: where the replay and ballchasing tell of the same, the replay counts, and ballchasing fills the gaps."""

    is_simulated = flag("Whether a simulator made it.", nullable=False)
    has_frames = flag("Whether its replay was read, so that all that needs frames is known.", nullable=False)
    has_ballchasing = flag("Whether ballchasing's statistics are there.", nullable=False)
    replay_id = text("Id of the replay.")
    ballchasing_id = text("Id at ballchasing.")
    landed_at = utc("When the first file of the match landed.")
    started_at = utc("When the match began, or where nothing tells that, when the replay was saved.")
    map_code = text("Map, such as stadium_p.")
    playlist = text("Playlist as ballchasing calls it, such as ranked-doubles, or unknown.", nullable=False)
    is_ranked = flag("Whether it counts for ranks.", nullable=False)
    is_soccar = flag("Whether it is played with a ball and two goals, as features need it.", nullable=False)
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
    """Who played in a match, for which team, at which rank, and what the scoreboard says."""

    player_name = text("Name in this match.", nullable=False)
    has_account = flag("Whether the player has an account: a bot has none, nor who shares a screen.", nullable=False)
    team = team()
    result = one_of(RESULTS, "win, loss or draw.", nullable=True)
    rank_tier = count("Rank in the playlist, 1 (bronze 1) to 22 (supersonic legend), as ballchasing tells it.")
    rank_division = count("Division of the rank, 1 to 4.")
    is_mvp = flag("Whether the player was best of the winners.")
    score = count("Points on the scoreboard.")
    goals = count("Goals.")
    assists = count("Assists.")
    saves = count("Saves.")
    shots = count("Shots on goal.")
    shots_against = count("Shots on the own goal, of all opponents.")
    goals_against = count("Goals conceded by the team.")
    demos_inflicted = count("Opponents demolished.")
    demos_taken = count("Times demolished.")


class _ByEitherSource(PlayerRow):
    """A player in a match, as one of the two sources tells of it."""

    source = one_of(SOURCES, "replay (computed from its frames and events) or ballchasing.", primary_key=True)
    counted_s = seconds("Time of the match outside countdowns, whether or not the player was there.", nullable=True)


class PlayerMatchStats(_ByEitherSource, BallchasingFigures, key="rocket_league/player_match_stats", **SILVER):
    """Ballchasing's statistics of a player in a match, as ballchasing gives them and as computed from the frames.

    A match whose replay and whose statistics are both there has two rows of each player, which ought to agree; how
    far they do is in the README of the game. Boost is from 0 to 100, a full tank.
    """


class FrameFigures(PlayerRow, key="rocket_league/frame_figures", **SILVER):
    """How a player moved and stood, from ten frames a second, while play is on.

    What stands in `player_match_stats` too is more exact there; this is known sooner.
    """

    counted_s = seconds("Time in which play is on and the car is on the field.")
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
    high_air_share = share("Share of time in the air above.")
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
    """Who hit the ball, where, and what that did to it.

    A replay tells the team that touched and not always the player, who is then taken to be the nearest of the team;
    `attribution_confidence` is how sure that is.
    """

    touch_number = number_of("Number of the touch in the match.")
    time_s = seconds("When, since the replay began.")
    team = team("Team that touched.")
    player_id = player("Player who touched; null where no car of the team was near.")
    attribution_confidence = share("How sure it is that it was this player; 1 where the replay tells it.")
    car_distance_uu = real("Distance of the player's car to the ball.", minimum=0)
    ball_x_uu = real("Position of the ball across the field.")
    ball_y_uu = real("Position of the ball along the field.")
    ball_z_uu = real("Height of the ball.")
    ball_team_y_uu = real("Position along the field, the touching team's goal line at -5120.")
    ball_speed_before_uu_s = real("Speed of the ball before the touch.", minimum=0)
    ball_speed_after_uu_s = real("Speed of the ball after it.", minimum=0)
    ball_team_vy_after_uu_s = real("Speed towards the opponents' goal line after it.")
    car_z_uu = real("Height of the player's car.")
    is_aerial = flag("Whether the car was in the air, higher than a jump from the ground takes it.")
    is_kickoff = flag("Whether it is the first after a kick-off.", nullable=False)


class Possessions(MatchRow, key="rocket_league/possessions", **SILVER):
    """Stretches in which one team alone touched the ball: from its first touch to the other team's next, or a stop."""

    possession_number = number_of("Number of the possession in the match.")
    team = team("Team that had the ball.")
    start_s = seconds("First touch.")
    end_s = seconds("Touch of the other team, goal, or where neither follows, the last touch.")
    duration_s = seconds("Length.")
    touches = count("Touches in it.", nullable=False)
    players = count("Players who are known to have touched.", nullable=False)
    first_player_id = player("Player who began it.")
    last_player_id = player("Player who touched last.")
    start_team_y_uu = real("Where it began along the field, the team's goal line at -5120.")
    end_team_y_uu = real("Where the last touch was.")
    ended_by = one_of(KINDS_OF_END, "turnover, goal (of the team) or stoppage.")


class ShotsAndSaves(MatchRow, key="rocket_league/shots_and_saves", **SILVER):
    """Shots as the game counts them and what became of each, and the goals that are of none of these.

    Every goal has one row: that of its shot, or one of its own, where the game counted no shot of the scorer. Where
    the ball was is told by the last touch of the player; of a shot without one in the six seconds before, by the
    moment in which it was counted.
    """

    shot_number = number_of("Number of the row in the match: shots and goals as they happened.")
    is_counted = flag("Whether the game counts it as a shot; a goal may be none.", nullable=False)
    time_s = seconds("When the game counted the shot, or the goal that is of none.")
    player_id = player("Shooter, or scorer as the game credits it; null of a goal whose scorer is not known.")
    team = team("Team that shot or scored.")
    ball_x_uu = real("Position of the ball across the field; null of a goal without a shot or touch of its scorer.")
    ball_team_y_uu = real("Position along the field, the shooter's goal line at -5120.")
    ball_z_uu = real("Height of the ball.")
    distance_to_goal_uu = real(
        "Distance to the middle of the opponents' goal; null on a field without soccar's goals.", minimum=0
    )
    shot_speed_uu_s = real("Speed of the ball after the shooter's touch; null where that is not known.", minimum=0)
    shooter_z_uu = real("Height of the shooter's car.")
    outcome = one_of(
        OUTCOMES,
        "goal, saved, or missed (neither, or the goal is another's); null for missed on a field without "
        "soccar's goals.",
        nullable=True,
    )
    saver_id = player("Player who saved it.")
    saved_after_s = seconds("Time from the shot to the save.", nullable=True)
    assister_id = player("Player who gave the assist, where it is a goal that has one.")


class BoostPickups(MatchRow, key="rocket_league/boost_pickups", **SILVER):
    """Boost pads that were taken."""

    pickup_number = number_of("Number of the pickup in the match.")
    time_s = seconds("When.")
    player_id = player("Player.", nullable=False)
    team = team("Team of the player.")
    pad_x_uu = real("Position of the pad across the field.")
    pad_y_uu = real("Position of the pad along the field.")
    is_big = flag("Whether it is a big pad, which fills the tank.", nullable=False)
    is_stolen = flag("Whether the pad is in the opponents' half.", nullable=False)
    boost_before = real("Boost in the tank before, from 0 to 100.", minimum=0)
    boost_gained = real("Boost gained.", minimum=0)
    boost_overfill = real("Boost of the pad that found no room.", minimum=0)


class Challenges(MatchRow, key="rocket_league/challenges", **SILVER):
    """50/50s: a player of each team at the ball at the same moment."""

    challenge_number = number_of("Number of the challenge in the match.")
    time_s = seconds("When.")
    blue_player_id = player("Player of the blue team.")
    orange_player_id = player("Player of the orange team.")
    ball_x_uu = real("Position of the ball across the field.")
    ball_y_uu = real("Position of the ball along the field.")
    ball_z_uu = real("Height of the ball.")
    winner = team(
        "Team towards whose opponents' goal the ball left, or that touched next; null where neither won.", nullable=True
    )
    is_kickoff = flag("Whether it is that of a kick-off.", nullable=False)
    is_aerial = flag("Whether a car was in the air, higher than a jump from the ground takes it.")


class Rotations(PlayerRow, key="rocket_league/rotations", **SILVER):
    """Stints of players in a role: first man (the team's nearest to the ball), second, third.

    A role counts once it is held for half a second. Matches of one against one have none.
    """

    stint_number = number_of("Number of the stint of the player.")
    team = team()
    role = dy.Int16(min=1, description="1 first man, 2 second man, 3 third man, ...")
    start_s = seconds("When it began.")
    end_s = seconds("When it ended, by a change of role or a stop of play.")
    duration_s = seconds("Length.")
    next_role = dy.Int16(nullable=True, min=1, description="Role after it; null where play stopped.")
    goal_side_share = share("Share of it goal-side of the ball.")
