"""Gold: answers for players and coaches: how well a player plays, compared with whom, and what to train."""

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
"""The measured skills."""
STATES = ("measured", "refused")
"""Whether there is an answer; `reason` explains a refusal."""
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
        description="simulated: whether it comes from simulated matches; these never mix with real ones.",
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

    Times exclude countdowns and moments without the car on the field. Figures that ballchasing has, too, come from the
    replay if it was read, else from ballchasing (`stats_source`). Features that need frames or events are null without
    a replay. Ratios of zero to zero are null.
    """

    playlist = _playlist()
    is_simulated = _simulated()
    started_at = utc("When the match began.")
    stats_source = one_of(SOURCES, "replay (its frames and events) or ballchasing.")
    team_size = count("Players of the team at a time.")
    played_s = seconds("Counted playing time.")
    rank_tier = count("Rank in the playlist, 1 (bronze 1) to 22 (supersonic legend); null if unknown.")
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
    most_back_share = share("Share of time as the last of the team; 1/team_size if all take turns.")
    most_forward_share = share("Share of time as the foremost of the team.")
    closest_to_ball_share = share("Share of time as the team's nearest to the ball.")
    role_imbalance = share(
        "Mean distance of the shares of time as last, as foremost and as nearest to the ball from 1/team_size; 0 is an "
        "even rotation. Null without team mates."
    )
    last_defender_conceded_share = share(
        "Share of the conceded goals with the player as the last of the team; null without conceded goals."
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
    save_share = share("Saves divided by shots against the team: save percentage; null without such a shot.")
    goals_per_minute = real("Goals per minute.", minimum=0)
    goals_against_per_minute = real("Goals conceded by the team per minute.", minimum=0)
    shots_against_per_minute = real("Shots of the opponents per minute.", minimum=0)
    boost_per_minute = real("Boost used per minute; a full tank is 100.", minimum=0)
    boost_collected_per_minute = real("Boost collected per minute.", minimum=0)
    avg_boost = real("Average boost in the tank, 0 to 100.", minimum=0)
    zero_boost_share = share("Share of time with an empty tank.")
    full_boost_share = share("Share of time with a full tank.")
    boost_overfill_share = share("Share of the pads' boost that did not fit into the tank.")
    boost_wasted_supersonic_share = share(
        "Share of the used boost that was used at supersonic speed already; from ballchasing alone, by its rule."
    )
    boost_stolen_share = share("Share of the collected boost that comes from the opponents' half.")
    small_pad_share = share("Share of the collected boost that comes from small pads.")
    # Game sense.
    touches_per_minute = real("Touches per minute.", minimum=0)
    possession_share = share(
        "Share of the time with the ball: from each touch of the player to the next touch by any player, or to the end "
        "of the possession."
    )
    turnover_share = share("Share of the player's touches followed by an opponent's touch before the next kick-off.")
    rotations_per_minute = real("Changes of role (first, second, third man) per minute.", minimum=0)
    rotation_efficiency = share(
        "Share of stints as first man that led to the last role, directly or through one other role, and not back to "
        "the ball: full rotations. Stints ended by a stop of play do not count. Null in teams of two, where every "
        "change is a full rotation."
    )
    first_man_stint_s = seconds("Average length of a stint as first man.", nullable=True)
    double_commits_per_minute = real(
        "Touches per minute within a second after a team mate's, with no other touch between, while the ball moved at "
        "most 1000 uu.",
        minimum=0,
    )
    challenges_per_minute = real("50/50s per minute.", minimum=0)
    challenge_win_share = share("Share of the decided 50/50s won, kick-offs excluded.")
    kickoff_win_share = share("Share of the decided 50/50s of kick-offs won.")
    demos_inflicted_per_minute = real("Opponents demolished per minute.", minimum=0)
    demos_taken_per_minute = real("Times demolished per minute.", minimum=0)


class Withheld(Table, key="rocket_league/withheld", subject="cohorts", layer="gold", personal=True):
    """Purposes that tracked players do not allow. Players who are not tracked can object, and are then forgotten."""

    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Tracked player.")
    purpose = dy.String(primary_key=True, description="cohorts, models or comparison.")


class PlayerProfiles(Table, key="rocket_league/player_profiles", subject="cohorts", layer="gold", personal=True):
    """Every player with an account in a playlist: the mean of each feature over the player's matches there."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Player.")
    feature = dy.String(primary_key=True, description="Feature, as in player_match_features.")
    rank_tier = count("Last known rank in the playlist.")
    matches_ = count("Matches in which the feature is known.", nullable=False, alias="matches")
    mean = real("Mean over these matches.")
    spread = real("Standard deviation between them; null for one match.", minimum=0)


class RankCohorts(Table, key="rocket_league/rank_cohorts", subject="cohorts", **_WHOLE):
    """Distribution of a feature or a skill among the players of a playlist and rank.

    Each player counts once, with the mean over the player's matches. If a rank has too few players for a cohort,
    neighbouring ranks are included (`from_tier` to `to_tier`). A skill is a sum of features in units of the cohort's
    spread, so its own mean is near 0; see skills.py.
    """

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    rank_tier = dy.Int32(primary_key=True, min=1, max=22, description="Rank, 1 (bronze 1) to 22 (supersonic legend).")
    feature = dy.String(
        primary_key=True, description="Feature, as in player_match_features, or skill_ and the name of a skill."
    )
    from_tier = count("Lowest rank included.", nullable=False)
    to_tier = count("Highest rank included.", nullable=False)
    players = count("Players in the cohort with a known value of the feature.", nullable=False)
    matches_ = count("Their matches.", nullable=False, alias="matches")
    mean = real("Mean of players' means.")
    mean_standard_error = real("Standard error of it.", minimum=0)
    match_spread = real("Standard deviation of single matches of random players.", minimum=0)
    match_quantiles = reals("Quantiles of single matches at 0, 5, ... 100%: 21 values, each match counting once.")
    within_spread = real("Standard deviation between matches of one player.", minimum=0)
    between_spread = real("Standard deviation between players, corrected for the chance in few matches.", minimum=0)
    correlations = reals(
        "Correlations between a skill's features in single matches, signed so that more is better: the first feature "
        "with every later one, then the second. 0 if unknown; null for a feature."
    )
    p05 = real("5th percentile of players' means.")
    p25 = real("25th percentile.")
    p50 = real("Median.")
    p75 = real("75th percentile.")
    p95 = real("95th percentile.")


class RankModels(Table, key="rocket_league/rank_models", subject="cohorts", **_WHOLE):
    """Models of the rank by features: every trained model and its state.

    Ordered logistic regressions. Cross-validation over players compares a model with guesses that need no model (the
    most frequent rank; one feature alone) and with every model that has served; a model worse than any is refused.
    """

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    version = number_of("Number of the model in its playlist.")
    state = one_of(MODEL_STATES, "served, superseded by a later one, or refused.")
    reason = text("Reason of a refusal.")
    training_data_hash = text("Hash of the training data.", nullable=False)
    trained_to_day = dy.Date(nullable=True, description="Day of the last match in the training data.")
    players = count("Players in the training data.", nullable=False)
    matches_ = count("Their matches.", nullable=False, alias="matches")
    tiers = dy.List(
        dy.Int32(),
        nullable=True,
        description="Ranks that the model distinguishes, in order; pooled ranks with few players by their lowest.",
    )
    tier_means = reals("Mean rank of the players in each of them.")
    tier_edges = reals("Beginning of each, and end of the last: half a rank beside it.")
    features = dy.List(dy.String(), nullable=True, description="Features of the model, in order.")
    means = reals("Mean of each feature in the training data.")
    spreads = reals("Standard deviation of each.")
    coefficients = reals("Coefficient of each, in standard deviations.")
    thresholds = reals("Strengths that separate neighbouring ranks.")
    fold_models = text(
        "Models of the cross-validation, as JSON: for each part of the players the model trained on all others. They "
        "serve to compare later versions with this one; null for versions without them."
    )
    mean_error_tiers = real("Mean absolute error in ranks, by cross-validation over players.", minimum=0)
    error_standard_error = real("Its standard error.", minimum=0)
    accuracy = share("Share of players with exactly predicted rank.")
    within_one_tier = share("Share of players predicted at most one rank off.")
    interval_coverage = share(
        "Share of players with a rank inside the 80% interval; a rank at its end counts by the part inside."
    )
    majority_mean_error_tiers = real("Mean absolute error of always naming the middle rank.", minimum=0)
    majority_accuracy = share("Share of players who have the most frequent rank.")
    single_feature = text("Best single feature for predicting the rank.")
    single_feature_mean_error_tiers = real("Mean absolute error with that feature alone.", minimum=0)
    compared_version = count("Version that it was compared with: the best served version on its players.")
    compared_players = count("Players of this comparison.")
    compared_mean_error_tiers = real("Mean absolute error of this model on these players.", minimum=0)
    served_mean_error_tiers = real("Mean absolute error of the compared version on these players.", minimum=0)
    served_difference_standard_error = real("Standard error of the difference between the two.", minimum=0)
    mean_inverse_matches = real("Mean of 1/matches over its players: the amount of chance in their means.", minimum=0)
    strength_within_spread = real(
        "Standard deviation of strength, the sum compared with the thresholds, between matches of one player.",
        minimum=0,
    )
    strength_spread = real("Standard deviation of strength between the players of the training data.", minimum=0)
    strength_reliability = share("Share of the variance of players' strengths that is not chance in few matches.")
    form_players = count("Players with enough matches in 90 days for a slope of their strength.")
    slope_spread_per_day = real(
        "Standard deviation between players of the change of strength per day, corrected for chance; null with too few "
        "players.",
        minimum=0,
    )
    training_players = count("Players who trained, with enough matches before the middle of their training and since.")
    training_effect_tiers_per_hour = real("Ranks gained with an hour of training; null with too few players.")
    training_effect_standard_error = real("Its standard error.", minimum=0)


class TrainingPacks(
    Table, key="rocket_league/training_packs", subject="cohorts", **{**_WHOLE, "indexes": (("category", "difficulty"),)}
):
    """The catalogue of training packs."""

    code = dy.String(
        primary_key=True, regex=r"^[0-9A-F]{4}(-[0-9A-F]{4}){3}$", description="Code to enter in the game."
    )
    name = text("Name.", nullable=False)
    category = text("Trained skill, or dribbling, kickoffs, ...", nullable=False)
    difficulty = dy.Int32(min=1, max=10, description="Difficulty, from 1 to 10.")
    # Table has its own `description`.
    what = dy.String(alias="description", description="What the pack trains, in one sentence.")
    creator = text("Maker of the pack.")
    tags = dy.List(dy.String(), description="Search words.")


class TrackedPlayers(Table, key="rocket_league/tracked_players", subject="players", layer="gold", personal=True):
    """Tracked players who agreed to the analysis, with a fingerprint of everything their tables are made from."""

    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Player.")
    matches_ = count("Matches within the player's retention.", nullable=False, alias="matches")
    first_day = dy.Date(nullable=True, description="UTC day of the first of these matches.")
    last_day = dy.Date(nullable=True, description="UTC day of the last.")
    kept_from = dy.Date(description="First UTC day whose matches are in the player's tables.")
    content_hash = text(
        "Hash of everything that the player's tables are made from; changes with any of it.", nullable=False
    )


class _OfPlayer(Table):
    """First column of tables by tracked player."""

    player_id = dy.String(
        primary_key=True, regex=PLAYER_ID, description="Tracked player: platform and account; the user."
    )


class Users(
    _OfPlayer, key="rocket_league/users", subject="players", **{**BY_PLAYER, "indexes": (("steam_id",), ("epic_id",))}
):
    """Tracked players. Only ops.rl_players has their e-mail addresses, encrypted."""

    steam_id = text("Steam account; null for players of other platforms.")
    epic_id = text("Epic account; null for players of other platforms.")
    username = text("Name as entered.", nullable=False)
    current_rank = text("Highest current rank in any playlist, such as champion-1; null if unknown.")
    current_rank_tier = count("The same as a number, 1 to 22.")
    is_simulated = _simulated()
    created_at = utc("When the player was first tracked.")
    updated_at = utc("When the entry was last changed.")


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
        description="The analysis of the player in the match: a JSON object of features and scoreboard.",
    )
    is_simulated = _simulated()
    processed_at = utc("When the first file of the match landed.")
    created_at = utc("When the match began.")


_WHOLE_ROWS = ("player_id", "playlist", "is_simulated", "stat_type", "time", "value", "rank_percentile")
"""Columns for means over a player's matches: the index contains them all, so PostgreSQL reads only the index."""


class PlayerStats(
    _OfPlayer,
    key="rocket_league/player_stats",
    subject="players",
    **{**BY_PLAYER, "months_of": "time", "indexes": (_WHOLE_ROWS, ("match_id",))},
):
    """Every feature and skill of tracked players in every match, in long form, against players of the same rank.

    Skills are defined in skills.py and measured by the cohort of the player's current rank. PostgreSQL keeps one
    partition per month.
    """

    time = utc("When the match began.", primary_key=True)
    match_id = dy.String(primary_key=True, description="Match.")
    playlist = _playlist()
    stat_type = dy.String(
        primary_key=True, description="Feature, as in player_match_features, or skill_ and the name of a skill."
    )
    value = dy.Float64(description="Value of the feature or skill.")
    rank_percentile = percent(
        "Share of the cohort's matches (same playlist and rank) below the value, in per cent; ties count half. Exact "
        "at every 5 %, interpolated between; null without a cohort."
    )
    is_simulated = _simulated()


class Weaknesses(_OfPlayer, key="rocket_league/weaknesses", subject="players", **BY_PLAYER):
    """How good a tracked player is in each skill for the rank, and which skills are weaknesses.

    A weakness is a skill below the cohort's mean beyond chance: at most one in twenty players who are exactly average
    in all skills gets any in a playlist.
    """

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    skill = _skill(primary_key=True)
    state = _state()
    reason = text("Reason of a refusal.")
    rank_tier = count("Rank of the cohort.")
    cohort_players = count("Players in the cohort.")
    matches_ = count("Matches of the player with a known value of the skill.", nullable=False, alias="matches")
    score = real("The skill, in standard deviations from the cohort's mean, shrunk towards it for few matches.")
    percentile = percent("Share of the cohort that is worse, in per cent.")
    percentile_low = percent("Lower end of its 90% interval.")
    percentile_high = percent("Upper end of it.")
    confidence = share("Weight of the player's own matches in the score, against the cohort; grows with matches.")
    is_weakness = flag("Whether it is a weakness.")
    improvement_potential = dy.Float64(
        nullable=True,
        min=0,
        description="Ranks gained by reaching the middle of the cohort in this skill, by the model of ranks.",
    )
    evidence = text("Evidence, in words.")


class RankPredictions(_OfPlayer, key="rocket_league/rank_predictions", subject="players", **BY_PLAYER):
    """The rank at which a tracked player plays, its drivers, and where it is heading."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    state = _state()
    reason = text("Reason of a refusal.")
    model_version = count("Version of the model of ranks.")
    matches_ = count("Matches of the player.", nullable=False, alias="matches")
    known_tier = count("Known rank, 1 to 22.")
    predicted_tier = real("Rank that the player plays at, 1 to 22.", minimum=0)
    predicted_tier_low = real("Lower end of its 80% interval.", minimum=0)
    predicted_tier_high = real("Upper end of it.", minimum=0)
    drivers = dy.List(
        dy.String(), nullable=True, description="Features that raise or lower it most, in words, strongest first."
    )
    horizon_days = count("Days that the expected change covers.")
    expected_change_tiers = real("Expected change of the rank over the horizon.")
    expected_change_low = real("Lower end of its 80% interval.")
    expected_change_high = real("Upper end of it.")
    form_change_tiers = real("Part of the change from recent form.")
    training_change_tiers = real(
        "Part of the change from training at the pace of the last weeks; null if the effect of training is unknown."
    )
    change_note = text("Basis of the expected change, in words.")


class TrainingRecommendations(_OfPlayer, key="rocket_league/training_recommendations", subject="players", **BY_PLAYER):
    """Training packs for a tracked player, the most useful first, each with the reason."""

    is_simulated = _simulated(primary_key=True)
    rank = number_of("Place in the list, from 1.")
    code = text("Training pack.", nullable=False)
    pack_name = text("Its name.", nullable=False)
    skill = _skill()
    playlist = _playlist()
    difficulty = dy.Int32(min=1, max=10, description="Difficulty, from 1 to 10.")
    reason = text("Why the pack is recommended, in words.", nullable=False)
    times_trained = count("How often the player has trained it.", nullable=False)


class TrainingProgress(_OfPlayer, key="rocket_league/training_progress", subject="players", **BY_PLAYER):
    """Training of a tracked player by skill, and the skill before and since."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    skill = _skill(primary_key=True)
    state = _state()
    reason = text("Reason of a refused change.")
    sessions = count("Training sessions.", nullable=False)
    trained_s = seconds("Time trained.")
    attempts = count("Attempts in sessions with both attempts and successes; null without such sessions.")
    success_share = share("Share of these attempts that succeeded.")
    improvement_score = real("Success share of the last third of the sessions minus that of the first third.")
    first_session_at = utc("First session.", nullable=True)
    last_session_at = utc("Last session.", nullable=True)
    matches_before = count("Matches before the first session with a known value of the skill.", nullable=False)
    matches_since = count("Such matches since then.", nullable=False)
    skill_before = real("Mean of the skill in these matches before, in standard deviations of the cohort's matches.")
    skill_since = real("Mean of the skill in these matches since.")
    change = real("Difference between the two.")
    change_low = real("Lower end of its 90% interval.")
    change_high = real("Upper end of it.")
    has_helped = flag("Whether the skill is better beyond chance.")


class PlayerComparison(_OfPlayer, key="rocket_league/player_comparison", subject="players", **BY_PLAYER):
    """Players who play most like a tracked player, of the same rank and of the next one."""

    is_simulated = _simulated(primary_key=True)
    playlist = _playlist(primary_key=True)
    of_next_rank = dy.Bool(primary_key=True, description="Whether the other player has the next rank, not the same.")
    place = number_of("Place by similarity, from 1.")
    other_player_id = player("The other player.", nullable=False)
    other_rank_tier = count("Rank of the other player.")
    other_matches = count("Matches of the other player.", nullable=False)
    distance = real("Distance in features, in standard deviations of the cohort, per feature.", minimum=0)
    differences = dy.List(dy.String(), description="Largest differences of the other player, in words.")
