"""Gold: what players and coaches ask: how somebody plays, against whom that is measured, and what to train."""

from __future__ import annotations

from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import JSON, Table
from gamestats_assets.rocket_league.tables.rows import (
    BY_PLAYER,
    GOLD,
    PLAYER_ID,
    RESULTS,
    SOURCES,
    PlayerRow,
    count,
    flag,
    number_of,
    one_of,
    percent,
    player,
    real,
    reals,
    seconds,
    share,
    text,
    utc,
)

SKILLS = ("aerials", "saves", "positioning", "rotation", "shooting")
"""The skills that are measured."""
STATES = ("measured", "refused")
"""Whether there is an answer; where it is refused `reason` says why."""
MODEL_STATES = ("served", "superseded", "refused")

_WHOLE: dict[str, Any] = {"layer": "gold", "published": True}


def _skill(*, primary_key: bool = False) -> dy.String:
    return dy.String(
        primary_key=primary_key, check=lambda column: column.is_in(SKILLS), description=f"Skill: {', '.join(SKILLS)}."
    )


def _state() -> dy.String:
    return one_of(STATES, "measured, or refused with a reason.")


def _simulated(*, primary_key: bool = False) -> dy.Bool:
    return dy.Bool(
        primary_key=primary_key,
        description="simulated: whether it stands on simulated matches; these never mix with real ones.",
    )


def _playlist(*, primary_key: bool = False) -> dy.String:
    return dy.String(primary_key=primary_key, description="Playlist as ballchasing calls it, such as ranked-doubles.")


class PlayerMatchFeatures(
    PlayerRow,
    key="rocket_league/player_match_features",
    subject="players",
    **{**GOLD, "indexes": (("player_id", "started_at"), ("playlist", "rank_tier"))},
):
    """How a player played in a match: positional, mechanical and game-sense features, comparable between matches.

    Times are outside countdowns, with the car on the field. What ballchasing computes too is taken from the replay
    where that was read, else from ballchasing (`stats_source`). What needs frames
    or events is null without a replay. Ratios of nothing to nothing are null.
    """

    playlist = _playlist()
    is_simulated = _simulated()
    started_at = utc("When the match began.")
    stats_source = one_of(SOURCES, "replay (its frames and events) or ballchasing.")
    team_size = count("Players of the team at a time.")
    played_s = seconds("Time that counts.")
    rank_tier = count("Rank in the playlist, 1 (bronze 1) to 22 (supersonic legend); null where nobody told it.")
    won = flag("Whether the player's team won.")
    # Positional.
    avg_x_uu = real("Average distance from the middle line across the field.", minimum=0)
    avg_team_y_uu = real("Average position along the field, own goal line at -5120.")
    avg_z_uu = real("Average height.")
    position_spread_uu = real("Standard deviation of the position on the field: how much of it is covered.", minimum=0)
    defensive_third_share = share("Share of time in the own third.")
    neutral_third_share = share("Share of time in the middle third.")
    offensive_third_share = share("Share of time in the opponents' third.")
    defensive_half_share = share("Share of time in the own half.")
    behind_ball_share = share("Share of time goal-side of the ball.")
    avg_distance_to_ball_uu = real("Average distance to the ball.", minimum=0)
    avg_distance_to_ball_possession_uu = real("The same while the own team has the ball.", minimum=0)
    avg_distance_to_ball_no_possession_uu = real("The same while the opponents have it.", minimum=0)
    avg_distance_to_mates_uu = real("Average distance to team mates.", minimum=0)
    most_back_share = share("Share of time as the last of the team; 1/team_size where all take turns.")
    most_forward_share = share("Share of time as the foremost of the team.")
    closest_to_ball_share = share("Share of time as the team's nearest to the ball.")
    role_imbalance = share(
        "How far the shares of time as last, as foremost and as nearest to the ball are from 1/team_size, on average; "
        "0 is an even rotation. Null without team mates."
    )
    last_defender_conceded_share = share(
        "Share of the goals conceded in which the player was the last of the team; null where none was."
    )
    # Mechanical.
    avg_speed_uu_s = real("Average speed.", minimum=0)
    supersonic_share = share("Share of time at supersonic speed, 2200 uu/s and more.")
    boost_speed_share = share("Share of time at 1410 to 2200 uu/s, which needs boost.")
    slow_share = share("Share of time at lower speed.")
    ground_share = share("Share of time on the ground.")
    low_air_share = share("Share of time in the air below 840 uu.")
    high_air_share = share("Share of time in the air above 840 uu.")
    powerslides_per_minute = real("Powerslides per minute.", minimum=0)
    aerial_touches_per_minute = real(
        "Touches of the ball with the car in the air, per minute: aerial attempts.", minimum=0
    )
    aerial_success_share = share("Share of aerial touches after which the own team touched next: aerial accuracy.")
    shots_per_minute = real("Shots on goal per minute.", minimum=0)
    shot_accuracy = share("Share of shots that were goals; null without a shot.")
    avg_shot_speed_uu_s = real("Average speed of the ball in shots: shot power.", minimum=0)
    saves_per_minute = real("Saves per minute.", minimum=0)
    save_share = share("Saves in the shots against the team: save percentage; null without such a shot.")
    goals_per_minute = real("Goals per minute.", minimum=0)
    goals_against_per_minute = real("Goals conceded by the team per minute.", minimum=0)
    shots_against_per_minute = real("Shots of the opponents per minute.", minimum=0)
    boost_per_minute = real("Boost used per minute, from 0 to 100 a tank.", minimum=0)
    boost_collected_per_minute = real("Boost collected per minute.", minimum=0)
    avg_boost = real("Average boost in the tank, 0 to 100.", minimum=0)
    zero_boost_share = share("Share of time with an empty tank.")
    full_boost_share = share("Share of time with a full tank.")
    boost_overfill_share = share("Share of the boost of pads that found no room in the tank.")
    boost_wasted_supersonic_share = share(
        "Share of the boost used that was used at supersonic speed already; by ballchasing's rule, from it alone."
    )
    boost_stolen_share = share("Share of the boost collected that is from the opponents' half.")
    small_pad_share = share("Share of the boost collected that is from small pads.")
    # Game sense.
    touches_per_minute = real("Touches per minute.", minimum=0)
    possession_share = share(
        "Share of the time in which the ball was the player's: from each touch to the next one, of whomever, or to the "
        "end of the possession."
    )
    turnover_share = share("Share of the player's touches that were followed, before a kick-off, by an opponent's.")
    rotations_per_minute = real("Changes of role (first, second, third man) per minute.", minimum=0)
    rotation_efficiency = share(
        "Share of stints as first man that led to the last role, at once or by one between, not back to the ball: a "
        "full rotation. Null in teams of two, where every change is one; stints after which play stopped do not count."
    )
    first_man_stint_s = seconds("Average length of a stint as first man.", nullable=True)
    double_commits_per_minute = real(
        "Touches within a second after a team mate's, with no other between, where the ball has come no further than "
        "1000 uu, per minute.",
        minimum=0,
    )
    challenges_per_minute = real("50/50s per minute.", minimum=0)
    challenge_win_share = share("Share of the decided 50/50s won, those of kick-offs apart.")
    kickoff_win_share = share("Share of the decided 50/50s of kick-offs won.")
    demos_inflicted_per_minute = real("Opponents demolished per minute.", minimum=0)
    demos_taken_per_minute = real("Times demolished per minute.", minimum=0)


class Withheld(Table, key="rocket_league/withheld", subject="cohorts", layer="gold", personal=True):
    """What tracked players do not allow, or do not any more. Who is not tracked can object, and is forgotten then."""

    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Tracked player.")
    purpose = dy.String(primary_key=True, description="cohorts, models or comparison.")


class PlayerProfiles(Table, key="rocket_league/player_profiles", subject="cohorts", layer="gold", personal=True):
    """Every player with an account in a playlist: the mean of each feature over the matches there."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Player.")
    feature = dy.String(primary_key=True, description="Feature, as in player_match_features.")
    rank_tier = count("Rank in the playlist: the last that is known.")
    matches_ = count("Matches in which the feature is known.", nullable=False, alias="matches")
    mean = real("Mean over these matches.")
    spread = real("Standard deviation between them; null for one match.", minimum=0)


class RankCohorts(Table, key="rocket_league/rank_cohorts", subject="cohorts", **_WHOLE):
    """How a feature or a skill is distributed among the players of a playlist and rank.

    Each player counts once, with the mean over the player's matches. Where a rank has fewer players than a cohort
    needs, ranks around it are taken in (`from_tier` to `to_tier`). A skill is a sum of features in units of the
    cohort's spread, so its own mean is near 0; see skills.py.
    """

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    rank_tier = dy.Int32(primary_key=True, min=1, max=22, description="Rank, 1 (bronze 1) to 22 (supersonic legend).")
    feature = dy.String(
        primary_key=True, description="Feature, as in player_match_features, or skill_ and the name of a skill."
    )
    from_tier = count("Lowest rank taken in.", nullable=False)
    to_tier = count("Highest rank taken in.", nullable=False)
    players = count("Players in the cohort with the feature known.", nullable=False)
    matches_ = count("Their matches.", nullable=False, alias="matches")
    mean = real("Mean of players' means.")
    mean_standard_error = real("Standard error of it.", minimum=0)
    match_spread = real("Standard deviation of single matches of players taken at random.", minimum=0)
    match_quantiles = reals("Quantiles of single matches at 0, 5, ... 100%: 21 values, each match counting once.")
    within_spread = real("Standard deviation between matches of one player.", minimum=0)
    between_spread = real("Standard deviation between players, without what few matches add to it.", minimum=0)
    correlations = reals(
        "Of a skill: correlations of its features in single matches, so signed that more is better: of "
        "the first with every later one, then of the second. 0 where nothing tells; null of a feature."
    )
    p05 = real("5th percentile of players' means.")
    p25 = real("25th percentile.")
    p50 = real("Median.")
    p75 = real("75th percentile.")
    p95 = real("95th percentile.")


class RankModels(Table, key="rocket_league/rank_models", subject="cohorts", **_WHOLE):
    """Models of the rank by features: every one that was trained, and which one serves.

    Ordered logistic regressions. A model is compared by cross-validation over players with what takes no model (the
    most frequent rank; one feature alone) and with every one that has served; one that is worse than any is refused.
    """

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    version = number_of("Number of the model in its playlist.")
    state = one_of(MODEL_STATES, "served, superseded by a later one, or refused.")
    reason = text("Why it is refused.")
    training_data_hash = text("Names the very data it was trained on.", nullable=False)
    trained_to_day = dy.Date(nullable=True, description="Day of the last match in the training data.")
    players = count("Players it was trained on.", nullable=False)
    matches_ = count("Their matches.", nullable=False, alias="matches")
    tiers = dy.List(
        dy.Int32(),
        nullable=True,
        description="Ranks it tells apart, in order; of ranks with few players that are pooled the lowest.",
    )
    tier_means = reals("Mean rank of the players in each of them.")
    tier_edges = reals("Where each begins, and where the last ends: half a rank beside it.")
    features = dy.List(dy.String(), nullable=True, description="Features it takes, in order.")
    means = reals("Mean of each feature in the training data.")
    spreads = reals("Standard deviation of each.")
    coefficients = reals("Coefficient of each, in standard deviations.")
    thresholds = reals("Where one rank ends and the next begins.")
    fold_models = text(
        "The models of the cross-validation, as JSON: for each part of the players that of all others, by which later "
        "versions are compared with this one; null in versions that kept none."
    )
    mean_error_tiers = real("Mean absolute error in ranks, by cross-validation over players.", minimum=0)
    error_standard_error = real("Its standard error.", minimum=0)
    accuracy = share("Share of players whose rank it names exactly.")
    within_one_tier = share("Share of players for whom it is at most one rank off.")
    interval_coverage = share(
        "Share of players whose rank lies in its 80% interval; of a rank at an end of it the part that lies inside."
    )
    majority_mean_error_tiers = real("Mean absolute error of naming the middle rank for everybody.", minimum=0)
    majority_accuracy = share("Share of players who have the most frequent rank.")
    single_feature = text("The feature that goes with the rank best alone.")
    single_feature_mean_error_tiers = real("Mean absolute error with that feature alone.", minimum=0)
    compared_version = count("The version that it was compared with: of those that had served the best on its players.")
    compared_players = count("Players on whom they were compared.")
    compared_mean_error_tiers = real("Its mean absolute error on these.", minimum=0)
    served_mean_error_tiers = real("Mean absolute error of that version, on the same players.", minimum=0)
    served_difference_standard_error = real("Standard error of the difference between the two.", minimum=0)
    mean_inverse_matches = real("Mean of 1/matches over its players: how much chance is in their means.", minimum=0)
    strength_within_spread = real(
        "Standard deviation of strength, the sum that is compared with the thresholds, between matches of a player.",
        minimum=0,
    )
    strength_spread = real("Standard deviation of strength between the players it was trained on.", minimum=0)
    strength_reliability = share("Share of the variance of players' strengths that is not chance in few matches.")
    form_players = count("Players with enough matches in 90 days for a slope of their strength.")
    slope_spread_per_day = real(
        "Standard deviation between players of the change of strength per day, without what chance adds to it; null "
        "where they are too few.",
        minimum=0,
    )
    training_players = count("Players who trained, with enough matches before the middle of their training and since.")
    training_effect_tiers_per_hour = real("Ranks that went with an hour of training; null where they are too few.")
    training_effect_standard_error = real("Its standard error.", minimum=0)


class TrainingPacks(
    Table, key="rocket_league/training_packs", subject="cohorts", **{**_WHOLE, "indexes": (("category", "difficulty"),)}
):
    """The catalogue of training packs."""

    code = dy.String(
        primary_key=True, regex=r"^[0-9A-F]{4}(-[0-9A-F]{4}){3}$", description="Code to enter in the game."
    )
    name = text("Name.", nullable=False)
    category = text("What it trains: a skill, or dribbling, kickoffs, ...", nullable=False)
    difficulty = dy.Int32(min=1, max=10, description="Difficulty, from 1 to 10.")
    # A table has a description of its own.
    what = dy.String(alias="description", description="What is trained, in a sentence.")
    creator = text("Who made it.")
    tags = dy.List(dy.String(), description="Words to search by.")


class TrackedPlayers(Table, key="rocket_league/tracked_players", subject="players", layer="gold", personal=True):
    """Tracked players who agreed to the analysis, with what names all that their tables are made from."""

    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Player.")
    matches_ = count("Matches within the time they are kept for.", nullable=False, alias="matches")
    first_day = dy.Date(nullable=True, description="UTC day of the first of them.")
    last_day = dy.Date(nullable=True, description="UTC day of the last.")
    kept_from = dy.Date(description="UTC day before which matches are in none of the player's tables.")
    content_hash = text(
        "Another one whenever anything is another that the player's tables are made from.", nullable=False
    )


class _OfPlayer(Table):
    """The column that rows of a tracked player begin with."""

    player_id = dy.String(
        primary_key=True, regex=PLAYER_ID, description="Tracked player: platform and account; the user."
    )


class Users(
    _OfPlayer, key="rocket_league/users", subject="players", **{**BY_PLAYER, "indexes": (("steam_id",), ("epic_id",))}
):
    """Tracked players. E-mail addresses stand in ops.rl_players alone, encrypted."""

    steam_id = text("Account on Steam, where the player is of Steam.")
    epic_id = text("Account at Epic, where the player is of Epic.")
    username = text("Name as entered.", nullable=False)
    current_rank = text("Highest current rank in any playlist, such as champion-1; null where none is known.")
    current_rank_tier = count("The same as a number, 1 to 22.")
    is_simulated = _simulated()
    created_at = utc("When the player was tracked first.")
    updated_at = utc("When the entry was changed last.")


class Matches(
    _OfPlayer,
    key="rocket_league/matches",
    subject="players",
    **{
        **BY_PLAYER,
        "indexes": (
            ("player_id", "created_at"),
            ("player_id", "playlist", "is_simulated", "created_at"),
            ("ballchasing_id",),
        ),
    },
):
    """Matches of tracked players, one row per player and match."""

    match_id = dy.String(primary_key=True, description="Match.")
    ballchasing_id = text("Id at ballchasing.")
    playlist = _playlist()
    duration_s = seconds("Length of the replay.", nullable=True)
    score_team_0 = count("Goals of the blue team.")
    score_team_1 = count("Goals of the orange team.")
    result = one_of(RESULTS, "win, loss or draw.", nullable=True)
    replay_data = dy.String(
        metadata={**JSON},
        description="The analysis of the player in the match: a JSON object of features and of the scoreboard.",
    )
    is_simulated = _simulated()
    processed_at = utc("When the first file of the match landed.")
    created_at = utc("When the match began.")


_WHOLE_ROWS = ("player_id", "playlist", "is_simulated", "stat_type", "time", "value", "rank_percentile")
"""What means over a player's matches are made of: all of it, so that the index alone is read."""


class PlayerStats(
    _OfPlayer,
    key="rocket_league/player_stats",
    subject="players",
    **{**BY_PLAYER, "months_of": "time", "indexes": (_WHOLE_ROWS, ("match_id",))},
):
    """Every feature and skill of tracked players in every match, in long form, against players of the same rank.

    A skill is that of skills.py, measured by the cohort of the rank that the player has now. PostgreSQL keeps it in a
    partition for each month.
    """

    time = utc("When the match began.", primary_key=True)
    match_id = dy.String(primary_key=True, description="Match.")
    playlist = _playlist()
    stat_type = dy.String(
        primary_key=True, description="Feature, as in player_match_features, or skill_ and the name of a skill."
    )
    value = dy.Float64(description="Its value.")
    rank_percentile = percent(
        "Share of matches of the cohort (same playlist and rank) below it, in per cent, where those that "
        "tie count half: exact at every 5 %, interpolated between; null without a cohort."
    )
    is_simulated = _simulated()


class Weaknesses(_OfPlayer, key="rocket_league/weaknesses", subject="players", **BY_PLAYER):
    """How good a tracked player is in each skill for the rank, and where that is a weakness.

    A weakness is named when the player is below the mean of the cohort beyond chance: in a playlist in one player in
    twenty at most who is exactly average in all skills.
    """

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    skill = _skill(primary_key=True)
    state = _state()
    reason = text("Why it is refused.")
    rank_tier = count("Rank that it is measured against.")
    cohort_players = count("Players in the cohort.")
    matches_ = count("Matches of the player in which the skill is known.", nullable=False, alias="matches")
    score = real("The skill, in standard deviations from the mean of the cohort, drawn towards it for few matches.")
    percentile = percent("Share of the cohort that is worse, in per cent.")
    percentile_low = percent("Lower end of its 90% interval.")
    percentile_high = percent("Upper end of it.")
    confidence = share("How much of the score is the player's own matches and not the cohort; grows with them.")
    is_weakness = flag("Whether it is a weakness.")
    improvement_potential = dy.Float64(
        nullable=True,
        min=0,
        description="Ranks that the middle of the cohort in this skill would be worth, by the model of ranks.",
    )
    evidence = text("What shows it, in words.")


class RankPredictions(_OfPlayer, key="rocket_league/rank_predictions", subject="players", **BY_PLAYER):
    """Which rank a tracked player plays at, why, and where that is heading."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    state = _state()
    reason = text("Why it is refused.")
    model_version = count("Model of ranks that was asked.")
    matches_ = count("Matches of the player.", nullable=False, alias="matches")
    known_tier = count("Rank that is known, 1 to 22.")
    predicted_tier = real("Rank that the player plays at, 1 to 22.", minimum=0)
    predicted_tier_low = real("Lower end of its 80% interval.", minimum=0)
    predicted_tier_high = real("Upper end of it.", minimum=0)
    drivers = dy.List(
        dy.String(), nullable=True, description="Features that raise or lower it most, in words, the strongest first."
    )
    horizon_days = count("Days that the expected change is for.")
    expected_change_tiers = real("Expected change of the rank over the horizon.")
    expected_change_low = real("Lower end of its 80% interval.")
    expected_change_high = real("Upper end of it.")
    form_change_tiers = real("Part of the change that recent form gives.")
    training_change_tiers = real(
        "Part that training at the pace of the last weeks gives; null where its worth is unknown."
    )
    change_note = text("What the expected change rests on, in words.")


class TrainingRecommendations(_OfPlayer, key="rocket_league/training_recommendations", subject="players", **BY_PLAYER):
    """Training packs for a tracked player, the most useful first, each with the reason."""

    is_simulated = _simulated(primary_key=True)
    rank = number_of("Place in the list, from 1.")
    code = text("Training pack.", nullable=False)
    pack_name = text("Its name.", nullable=False)
    skill = _skill()
    playlist = _playlist()
    difficulty = dy.Int32(min=1, max=10, description="Difficulty, from 1 to 10.")
    reason = text("Why it is recommended, in words.", nullable=False)
    times_trained = count("How often the player has trained it.", nullable=False)


class TrainingProgress(_OfPlayer, key="rocket_league/training_progress", subject="players", **BY_PLAYER):
    """What a tracked player trained of each skill, and how the skill is before and since."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    skill = _skill(primary_key=True)
    state = _state()
    reason = text("Why the change is refused.")
    sessions = count("Training sessions.", nullable=False)
    trained_s = seconds("Time trained.")
    attempts = count("Attempts in sessions that counted both attempts and successes; null where none did.")
    success_share = share("Share of them that succeeded.")
    improvement_score = real("Success share of the last third of the sessions less that of the first third.")
    first_session_at = utc("First session.", nullable=True)
    last_session_at = utc("Last session.", nullable=True)
    matches_before = count("Matches before the first session in which the skill is known.", nullable=False)
    matches_since = count("Such matches since then.", nullable=False)
    skill_before = real("Mean of the skill in matches before, in standard deviations of the cohort's matches.")
    skill_since = real("Skill since.")
    change = real("Difference.")
    change_low = real("Lower end of its 90% interval.")
    change_high = real("Upper end of it.")
    has_helped = flag("Whether the skill is better beyond chance.")


class PlayerComparison(_OfPlayer, key="rocket_league/player_comparison", subject="players", **BY_PLAYER):
    """Players who play most like a tracked player, of the same rank and of the next one."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    of_next_rank = dy.Bool(primary_key=True, description="Whether the other is of the next rank, not of the same.")
    place = number_of("Place by likeness, from 1.")
    other_player_id = player("The other player.", nullable=False)
    other_rank_tier = count("Rank of the other.")
    other_matches = count("Matches of the other.", nullable=False)
    distance = real("Distance in features, in standard deviations of the cohort, per feature.", minimum=0)
    differences = dy.List(dy.String(), description="In what the other differs most, in words, the strongest first.")
