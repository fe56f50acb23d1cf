"""Gold: one wide row per player and match for questions, and what statistics find on each patch.

Rates and means stand beside their intervals of 95%. Differences of win rates are in shares: 0.03 is three points.
"""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.tables.reference import PATCH
from gamestats_assets.lol.tables.rows import BY_PATCH, DAILY, count, flag, number, real, seconds, share, text
from gamestats_assets.lol.tables.silver import OBJECTIVES, Participants

ALL_POSITIONS = "ALL"
"""Stands for every position together, and for queues without positions."""
ANY_CHAMPION = 0
"""Stands for every champion together."""
EFFECT_UNITS = ("win_rate", "dpm", "correlation")
FAMILIES = ("item", "skill_order", "objective", "vision", "item_path")


class ParticipantFeatures(
    Participants,
    key="lol/participant_features",
    **{**DAILY, "subject": "matches", "layer": "gold", "published": True},
    indexes=(("champion_key", "position", "patch"), ("patch", "queue_group"), ("puuid",)),
    reconciled=("kills", "deaths", "assists", "damage_to_champions"),
):
    """One wide row per player and match that counts in statistics: what questions and statistics are made from."""

    patch = dy.String(regex=PATCH, description="Patch: the first two numbers of the version.")
    queue_id = dy.Int32(description="Queue.")
    queue_group = text("Group of queues that statistics take together, such as ranked_solo.", nullable=False)
    platform_id = text("Platform, such as NA1.")
    duration_s = seconds("Length of the game.")
    has_timeline = dy.Bool(description="Whether a timeline of the match could be read.")
    held_out = dy.Bool(description="Whether the match is of the half that patterns are tried again on, by its id.")
    core_items = dy.Int16(nullable=True, min=0, description="Core items completed; null without a timeline.")
    core_item_ids = dy.List(
        dy.Int32(), nullable=True, description="Core items in the order of completion, as they were bought."
    )
    core_items_at_s = dy.List(dy.Float64(), nullable=True, description="When each was completed, in seconds.")
    core_items_team_gold_diff = dy.List(
        dy.Float64(nullable=True),
        nullable=True,
        description="Gold of the team less that of the other when each was completed.",
    )
    core_items_lane_gold_diff = dy.List(
        dy.Float64(nullable=True),
        nullable=True,
        description="Gold less that of the lane's opponent when each was completed.",
    )
    completed_item_ids = dy.List(
        dy.Int32(),
        nullable=True,
        description="Core items and boots completed in order, with what items turned into.",
    )
    completed_items_at_s = dy.List(dy.Float64(), nullable=True, description="When each was completed, in seconds.")
    boots_id = number("First boots completed.")
    skill_max_order = text("Order in which Q, W and E reached their highest ranks, such as QEW.")
    skill_order_is_complete = flag("Whether two of them did.")
    skill_first_levels = text("First six levels, such as QEWQQR.")
    skill_trigrams = dy.List(dy.String(), nullable=True, description="Three levels in a row, among the first nine.")
    skill_first_maxed_at_s = seconds("When the first skill reached its highest rank.", nullable=True)
    skill_first_maxed_team_gold_diff = real("Gold of the team less that of the other at that moment.")
    team_first_blood = flag("Whether the team drew first blood.")
    team_first_dragon = flag("Whether the team slew the first dragon; null where nobody did.")
    team_first_herald = flag("Whether the team slew the first herald; null where nobody did.")
    team_first_grubs = flag("Whether the team slew the first void grub; null where nobody did.")
    team_first_baron = flag("Whether the team slew the first baron; null where nobody did.")
    team_first_tower = flag("Whether the team destroyed the first tower; null where nobody did.")
    first_blood_at_s = seconds("When somebody took first blood.", nullable=True)
    first_dragon_at_s = seconds("When somebody took the first dragon.", nullable=True)
    first_herald_at_s = seconds("When somebody took the first herald.", nullable=True)
    first_grubs_at_s = seconds("When somebody took the first void grub.", nullable=True)
    first_baron_at_s = seconds("When somebody took the first baron.", nullable=True)
    first_tower_at_s = seconds("When somebody took the first tower.", nullable=True)
    team_gold_diff_before_first_blood = real("Gold of the team less that of the other just before first blood.")
    team_gold_diff_before_first_dragon = real("Gold of the team less that of the other just before the first dragon.")
    team_gold_diff_before_first_herald = real("Gold of the team less that of the other just before the first herald.")
    team_gold_diff_before_first_grubs = real("Gold of the team less that of the other just before the first void grub.")
    team_gold_diff_before_first_baron = real("Gold of the team less that of the other just before the first baron.")
    team_gold_diff_before_first_tower = real("Gold of the team less that of the other just before the first tower.")
    team_dragons = count("Dragons the team slew.")
    team_towers = count("Towers the team destroyed.")
    objective_participation = share("Share of the team's epic monsters that the participant killed or assisted at.")
    team_synchronisation = share("Synchronisation score of the team, from 0 to 1.")


class OfPatch(Table):
    """Columns that statistics of a patch begin with."""

    patch = dy.String(primary_key=True, regex=PATCH, description="Patch, such as 13.14.")
    queue_group = dy.String(primary_key=True, description="Group of queues, such as ranked_solo.")


class OfPosition(OfPatch):
    """Columns of statistics of a position."""

    position = dy.String(primary_key=True, description="TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY; or ALL.")


class OfChampion(OfPosition):
    """Columns of statistics of a champion in a position."""

    champion_id = dy.Int32(primary_key=True, description="Champion.")
    champion_name = text("Champion's name in English.")
    champion_name_ko = text("Champion's name in Korean.")


def _interval(of: str) -> tuple[dy.Float64, dy.Float64]:
    return real(f"Lower end of the interval of {of}."), real(f"Upper end of the interval of {of}.")


def _baseline(which: str) -> dy.Float64:
    return share(f"Win rate of all games {which}, these among them.")


class Outcomes(Table):
    """Columns that tell how games went, with intervals."""

    games = count("Games.", nullable=False)
    wins = count("Games won.", nullable=False)
    win_rate = share("Share of games won.")
    win_rate_low, win_rate_high = _interval("the win rate (Wilson)")
    kda = real("Median of kills and assists per death.", minimum=0)
    kda_low, kda_high = _interval("the median KDA (by ranks)")
    dpm = real("Mean damage to champions per minute.", minimum=0)
    dpm_low, dpm_high = _interval("the mean damage per minute (allows for skewness)")
    gold_at_15 = real("Mean gold after 15 minutes, of games that lasted so long.", minimum=0)
    gold_at_15_low, gold_at_15_high = _interval("the mean gold after 15 minutes (allows for skewness)")


class ItemBuildStats(
    OfChampion,
    Outcomes,
    key="lol/item_build_stats",
    **BY_PATCH,
    indexes=(("champion_name", "position", "queue_group"),),
    reconciled=("games", "wins"),
):
    """How games went by the first one, two or three core items in their order, of those who got so far."""

    build = dy.String(primary_key=True, description="Items of the build in order, by id, such as 3078>3004.")
    items = dy.Int16(min=1, max=3, description="Number of items of the build.")
    item1_id = dy.Int32(description="First core item.")
    item2_id = number("Second core item.")
    item3_id = number("Third core item.")
    build_name = text("Names in English, such as Trinity Force > Manamune.", nullable=False)
    build_name_ko = text("Names in Korean.")
    pick_share = share("Share of the games in which the champion completed so many items.")
    baseline_win_rate = _baseline("in which the champion completed so many items")
    completed_at_s = seconds("Median time at which the last item was completed.")
    team_gold_diff = real("Mean gold of the team less that of the other at that moment.")


class SkillOrderStats(
    OfChampion,
    Outcomes,
    key="lol/skill_order_stats",
    **BY_PATCH,
    indexes=(("champion_name", "position", "queue_group"),),
):
    """How games went by the order in which skills were levelled."""

    kind = dy.String(
        primary_key=True,
        check=lambda column: column.is_in(["max_order", "first_levels", "trigram"]),
        description="max_order (complete ones, of games in which two of Q, W and E were maxed), first_levels (the "
        "first six, of games that got to six), or trigram (three levels in a row among the first nine, of games that "
        "got to nine; a game counts once for each).",
    )
    skills = dy.String(primary_key=True, description="The order, such as QEW.")
    pick_share = share("Share of the champion's games that came as far as the kind needs.")
    baseline_win_rate = _baseline("of the champion that came as far as the kind needs")


class FirstObjectiveStats(OfPatch, key="lol/first_objective_stats", **BY_PATCH):
    """Whether the team that takes the first objective of a kind wins: naively, and given the gold just before."""

    objective = dy.String(
        primary_key=True, check=lambda column: column.is_in(OBJECTIVES), description="Objective, such as dragon."
    )
    games = count("Games in which it was taken.", nullable=False)
    wins = count("Of these, won by the team that took it first.", nullable=False)
    win_rate = share("Share of games that the team won.")
    win_rate_low, win_rate_high = _interval("the win rate (Wilson)")
    at_s = seconds("Median time at which it was taken.")
    team_gold_diff_before = real("Mean gold of the taking team less that of the other just before.")
    naive_effect = real("Win rate of the teams that took it less that of their opponents.")
    adjusted_effect = real("Difference that taking it makes at equal gold and time just before.")
    adjusted_low, adjusted_high = _interval("the adjusted difference")
    p_value = share("Chance of such a difference, or a greater one, if there were none.")
    q_value = share("Share of false finds among all rows of the patch found up to this one (Benjamini and Hochberg).")


class VisionSurvival(OfPosition, key="lol/vision_survival", **BY_PATCH):
    """How vision goes with survival: rank correlation of vision score per minute and deaths, length of game held."""

    games = count("Games of a participant.", nullable=False)
    matches_played = count("Matches.", nullable=False)
    vision_per_minute = real("Mean vision score per minute.", minimum=0)
    deaths = real("Mean deaths.", minimum=0)
    deaths_per_minute = real("Mean deaths per minute.", minimum=0)
    spearman = real("Rank correlation of vision score per minute and deaths.")
    partial_spearman = real("The same with the length of the game held.")
    partial_low, partial_high = _interval("the partial correlation, by match")
    p_value = share("Chance of such a correlation, or a stronger one, if there were none.")
    q_value = share("Share of false finds among all rows of the patch found up to this one (Benjamini and Hochberg).")
    discovery_partial_spearman = real("The partial correlation in the half of the matches that is not held out.")
    discovery_p_value = share("p of that half alone.")
    held_out_partial_spearman = real("The partial correlation in the half that is held out.")
    held_out_p_value = share("p of the held out half alone.")


class VariableCorrelations(OfPosition, key="lol/variable_correlations", **BY_PATCH):
    """Correlations of every pair of variables of the wide rows, by position and queue."""

    variable = dy.String(primary_key=True, description="First variable, by alphabet.")
    other_variable = dy.String(primary_key=True, description="Second variable.")
    rows = count("Rows in which both are known.", nullable=False)
    matches_played = count(
        "Matches of these rows, as many a row as in all rows of the position: tests take this for the number of "
        "independent ones.",
        nullable=False,
    )
    pearson = real("Pearson's correlation.")
    pearson_p_value = share("Chance of such a correlation, or a stronger one, if there were none.")
    pearson_q_value = share("Share of false finds among all pairs found up to this one (Benjamini and Hochberg).")
    spearman = real("Spearman's rank correlation.")
    spearman_p_value = share("As of Pearson's.")
    spearman_q_value = share("As of Pearson's.")


class OutcomeModels(OfPosition, key="lol/outcome_models", **BY_PATCH):
    """Regressions of winning (logistic) and of damage per minute (linear): one row per term."""

    model = dy.String(primary_key=True, description="win_given_lead_at_15 or dpm, the model's name.")
    term = dy.String(primary_key=True, description="Variable, or intercept.")
    family = dy.String(
        check=lambda column: column.is_in(["logistic", "linear"]), description="logistic or linear regression."
    )
    outcome = text("Variable that is explained.", nullable=False)
    unit = text("What one step of the term is, such as 1,000 gold.", nullable=False)
    coefficient = real("Coefficient: log odds per unit, or the outcome's own unit per unit.")
    coefficient_low, coefficient_high = _interval("the coefficient, clustered by match")
    odds_ratio = real("Of a logistic model, odds per unit.", minimum=0)
    p_value = share("Chance of such a coefficient, or a greater one, if it were 0.")
    q_value = share("Share of false finds among all terms of the patch found up to this one; null of an intercept.")
    rows = count("Rows it was fitted on.", nullable=False)
    matches_played = count("Matches of these rows.", nullable=False)
    fit = real("McFadden's pseudo R² of a logistic model, R² of a linear one.")
    auc = share("Of a logistic model, the area under the ROC curve on matches held out of the fit.")


class ObjectiveDecisionTree(OfPatch, key="lol/objective_decision_tree", **BY_PATCH):
    """Rules of a decision tree: which objectives by minute 15, at which lead, go with winning. One row per leaf."""

    leaf = dy.Int32(primary_key=True, min=0, description="Number of the leaf.")
    rule = text("Conditions in words, joined by and.", nullable=False)
    depth = dy.Int16(min=0, description="Number of conditions.")
    games = count("Games of a team in the leaf, of matches held out of the tree's growth.", nullable=False)
    wins = count("Of these, won.", nullable=False)
    win_rate = share("Share of games won.")
    win_rate_low, win_rate_high = _interval("the win rate (Wilson)")
    grown_games = count("Games of a team in the leaf when the tree was grown.", nullable=False)
    grown_win_rate = share("Win rate when the tree was grown.")
    accuracy = share("Share of the held out games that the whole tree tells right.")


class ItemPathSequences(OfChampion, key="lol/item_path_sequences", **BY_PATCH):
    """Core items that are often completed one after another, with others between them or not."""

    path = dy.String(primary_key=True, description="Items in order, by id, such as 3078>3042.")
    path_name = text("Names in English.", nullable=False)
    path_name_ko = text("Names in Korean.")
    length = dy.Int16(min=2, description="Number of items.")
    item_ids = dy.List(dy.Int32(), description="The items.")
    games = count("Games with the path.", nullable=False)
    support = share("Share of the champion's games with as many core items or more.")
    wins = count("Of the games with it, won.", nullable=False)
    win_rate = share("Share of games won.")
    win_rate_low, win_rate_high = _interval("the win rate (Wilson)")
    baseline_win_rate = _baseline(
        "in which the champion completed as many core items as when the path was complete, others between counted"
    )
    lift = real("How many times more often than if its items came independently of each other.", minimum=0)
    is_closed = dy.Bool(description="Whether no longer path has the same games.")


class Tested(Table):
    """Columns of a hypothesis that was tested."""

    pattern_id = dy.String(primary_key=True, description="Names the hypothesis over all patches.")
    patch = dy.String(primary_key=True, regex=PATCH, description="Patch it was tested on.")
    patch_number = dy.Int32(min=0, description="Number that orders patches.")
    family = dy.String(check=lambda column: column.is_in(FAMILIES), description="Kind of hypothesis, such as item.")
    queue_group = text("Group of queues.", nullable=False)
    position = text("Position, or ALL.", nullable=False)
    champion_id = dy.Int32(description="Champion; 0 for all.")
    champion_name = text("Champion's name in English; null for all.")
    champion_name_ko = text("Champion's name in Korean; null for all.")
    condition = text("What is done, such as Trinity Force as the 1st core item.", nullable=False)
    condition_ko = text("The same with the names in Korean.")
    condition_key = text("The same by ids, such as item 3078 1st.", nullable=False)
    outcome = text("win_rate, dpm or deaths.", nullable=False)
    effect_unit = dy.String(
        check=lambda column: column.is_in(EFFECT_UNITS),
        description="win_rate (0.03 is three points), dpm (damage per minute) or correlation.",
    )
    baseline = text("What it is compared with, in words.", nullable=False)
    games = count("Games in which it was done: of first objectives, by either team.", nullable=False)
    baseline_games = count(
        "Eligible games in which it was not; 0 where the baseline are the same games: of first objectives as the other "
        "team played them, and of vision.",
        nullable=False,
    )
    games_left_out = count("Eligible games of neither, as the state of the game is unknown; null for vision.")
    matches_played = count("Matches of both.", nullable=False)
    value = real("Outcome of the games in which it was done.")
    baseline_value = real("Outcome of the eligible games in which it was not.")
    naive_effect = real("Difference of the two: what one would say without looking at the state of the game.")
    effect = real("Difference at an equal state of the game.")
    effect_low, effect_high = _interval("the effect, clustered by match")
    odds_ratio = real("Of win rates, odds with it to odds without, at an equal state of the game.", minimum=0)
    p_value = share("Chance of such an effect, or a greater one, if there were none.")
    q_value = share("Share of false finds among all found up to this one, over the patch's whole family of tests.")
    tests = count("Hypotheses of the patch, over which q is; also those that could not be tested.", nullable=False)
    is_found = dy.Bool(description="Whether q is at most 0.05.")
    discovery_effect = real("Effect in the discovery half alone: the half of the matches that is not held out.")
    discovery_p_value = share("p of the discovery half alone.")
    discovery_half_q_value = share("q of the discovery half alone, over the same family; null where too few games.")
    held_out_effect = real("Effect in the held out half alone, of what the discovery half finds.")
    held_out_p_value = share("p of the held out half alone, of what the discovery half finds.")
    is_replicated = flag(
        "Of what the discovery half finds alone (its q is at most 0.05): whether the held out half has the same sign "
        "and p of at most 0.05; null where only all games together find it, or nothing does, or it could not be tried."
    )
    smallest_effect = real(
        "Smallest true effect that so many games find with power 0.9 at the p that counted as found.", minimum=0
    )
    power_at_3_points = share("Of win rates, power to find a true effect of three points with so many games.")


class PatternTests(Tested, key="lol/pattern_tests", **{**BY_PATCH, "subject": "patterns", "published": False}):
    """Every hypothesis with enough games on a patch, found or not: the family that q-values are over."""

    reason = text("Why it could not be tested: it has no effect, p and q; null where it was.")


class DiscoveredPatterns(
    Tested,
    key="lol/discovered_patterns",
    **{**BY_PATCH, "subject": "patterns"},
    indexes=(("champion_name", "position", "queue_group"), ("pattern_id", "patch_number")),
):
    """Patterns found on a patch, one row people can read each."""

    sentence = text("The pattern in one sentence.", nullable=False)


class PatternHistory(
    Table,
    key="lol/pattern_history",
    subject="patterns",
    layer="gold",
    published=True,
    indexes=(("champion_name", "position", "queue_group"), ("patch",)),
):
    """How every pattern that was found on some patch fared on each patch on which it had enough games."""

    pattern_id = dy.String(primary_key=True, description="Names the hypothesis over all patches.")
    patch_number = dy.Int32(primary_key=True, min=0, description="Number that orders patches.")
    patch = text("Patch.", nullable=False)
    family = text("Kind of hypothesis.", nullable=False)
    queue_group = text("Group of queues.", nullable=False)
    position = text("Position, or ALL.", nullable=False)
    champion_id = number("Champion; 0 for all.")
    champion_name = text("Champion's name in English; null for all.")
    condition = text("What is done.", nullable=False)
    outcome = text("win_rate, dpm or deaths.", nullable=False)
    games = dy.Int64(min=0, description="Games in which it was done.")
    effect = real("Effect on the patch.")
    effect_low, effect_high = _interval("the effect")
    q_value = real("q-value on the patch.", minimum=0)
    is_found = flag("Whether it was found on the patch.")
    discovery_half_q_value = real("q-value of the discovery half alone.", minimum=0)
    is_replicated = flag("Of what the discovery half finds alone: whether it held on the held out half.")
    reason = text("Why it could not be tested on the patch; null where it was.")
    previous_effect = real("Effect on the patch before, of those with a row.")
    patches_found = dy.Int64(min=0, description="Patches up to this one on which it was found.")
    first_found_patch_number = number("First patch on which it was found.")
