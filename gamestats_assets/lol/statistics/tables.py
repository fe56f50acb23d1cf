"""Statistics of each patch (gold).

Rates and means have 95% intervals. Differences of win rates are shares: 0.03 is three points.
"""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.rows import BY_PATCH, count, number, real, seconds, share, text
from gamestats_assets.lol.matches.tables import OBJECTIVES
from gamestats_assets.lol.reference.tables import PATCH

ALL_POSITIONS = "ALL"
"""Position name for all positions together, and for queues without positions."""
ANY_CHAMPION = 0
"""Champion id for all champions together."""


class OfPatch(Table):
    """Leading columns of a patch's statistics."""

    patch = dy.String(primary_key=True, regex=PATCH, description="Patch, such as 13.14.")
    queue_group = dy.String(primary_key=True, description="Group of queues, such as ranked_solo.")


class OfPosition(OfPatch):
    """Columns of a position's statistics."""

    position = dy.String(primary_key=True, description="TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY; or ALL.")


class OfChampion(OfPosition):
    """Columns of the statistics of a champion in a position."""

    champion_id = dy.Int32(primary_key=True, description="Champion.")
    champion_name = text("Champion's name in English.")
    champion_name_ko = text("Champion's name in Korean.")


def interval(of: str) -> tuple[dy.Float64, dy.Float64]:
    """Returns the columns for the ends of a figure's interval."""
    return real(f"Lower end of the interval of {of}."), real(f"Upper end of the interval of {of}.")


def _baseline(which: str) -> dy.Float64:
    return share(f"Win rate of all games {which}, including these.")


class Outcomes(Table):
    """Columns of results, with intervals."""

    games = count("Games.", nullable=False)
    wins = count("Games won.", nullable=False)
    win_rate = share("Share of games won.")
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
    kda = real("Median of kills and assists per death.", minimum=0)
    kda_low, kda_high = interval("the median KDA (by ranks)")
    dpm = real("Mean damage to champions per minute.", minimum=0)
    dpm_low, dpm_high = interval("the mean damage per minute (allows for skewness)")
    gold_at_15 = real("Mean gold after 15 minutes, in games that lasted so long.", minimum=0)
    gold_at_15_low, gold_at_15_high = interval("the mean gold after 15 minutes (allows for skewness)")


class ItemBuildStats(
    OfChampion,
    Outcomes,
    key="lol/item_build_stats",
    **BY_PATCH,
    indexes=(("champion_name", "position", "queue_group"),),
    reconciled=("games", "wins"),
):
    """Results by the first one, two or three core items in order, in games with at least so many."""

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
    team_gold_diff = real("Mean gold of the team minus that of the other at that moment.")


class SkillOrderStats(
    OfChampion,
    Outcomes,
    key="lol/skill_order_stats",
    **BY_PATCH,
    indexes=(("champion_name", "position", "queue_group"),),
):
    """Results by the order in which skills were levelled."""

    kind = dy.String(
        primary_key=True,
        check=lambda column: column.is_in(["max_order", "first_levels", "trigram"]),
        description="max_order (complete ones, in games with two of Q, W and E maxed), first_levels (the first six, "
        "in games with six levels), or trigram (three levels in a row among the first nine, in games with "
        "nine levels; each counts once per game).",
    )
    skills = dy.String(primary_key=True, description="Order of levels, such as QEW.")
    pick_share = share("Share of the champion's games that came as far as the kind needs.")
    baseline_win_rate = _baseline("of the champion that came as far as the kind needs")


class FirstObjectiveStats(OfPatch, key="lol/first_objective_stats", **BY_PATCH):
    """How often the team that takes the first objective of a kind wins: naively, and given the gold just before."""

    objective = dy.String(
        primary_key=True, check=lambda column: column.is_in(OBJECTIVES), description="Objective, such as dragon."
    )
    games = count("Games with the objective.", nullable=False)
    wins = count("Games won by the team that took it first.", nullable=False)
    win_rate = share("Share of games that the team won.")
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
    at_s = seconds("Median time at which it was taken.")
    team_gold_diff_before = real("Mean gold of the taking team minus that of the other just before.")
    naive_effect = real("Win rate of the teams that took it minus that of their opponents.")
    adjusted_effect = real("Difference at equal gold and time just before.")
    adjusted_low, adjusted_high = interval("the adjusted difference")
    p_value = share("Probability of such a difference, or a greater one, if there were none.")
    q_value = share(
        "Share of false finds among all rows of the patch with a q up to this one (Benjamini and Hochberg)."
    )


class VisionSurvival(OfPosition, key="lol/vision_survival", **BY_PATCH):
    """Vision and survival: rank correlation of vision score per minute and deaths, at equal length of the game."""

    games = count("Number of participants' games.", nullable=False)
    matches_played = count("Matches.", nullable=False)
    vision_per_minute = real("Mean vision score per minute.", minimum=0)
    deaths = real("Mean deaths.", minimum=0)
    deaths_per_minute = real("Mean deaths per minute.", minimum=0)
    spearman = real("Rank correlation of vision score per minute and deaths.")
    partial_spearman = real("Rank correlation at equal length of the game.")
    partial_low, partial_high = interval("the partial correlation, by match")
    p_value = share("Probability of such a correlation, or a stronger one, if there were none.")
    q_value = share(
        "Share of false finds among all rows of the patch with a q up to this one (Benjamini and Hochberg)."
    )
    discovery_partial_spearman = real("Partial correlation in the half of the matches that is not held out.")
    discovery_p_value = share("p of that half alone.")
    held_out_partial_spearman = real("Partial correlation in the held out half.")
    held_out_p_value = share("p of the held out half alone.")


class VariableCorrelations(OfPosition, key="lol/variable_correlations", **BY_PATCH):
    """Correlations of every pair of variables of the wide rows, by position and queue."""

    variable = dy.String(primary_key=True, description="First variable in alphabetical order.")
    other_variable = dy.String(primary_key=True, description="Second variable.")
    rows = count("Rows in which both are known.", nullable=False)
    matches_played = count(
        "Matches of these rows, with as many rows per match as in all rows of the position; used in tests as the "
        "number of independent rows.",
        nullable=False,
    )
    pearson = real("Pearson's correlation.")
    pearson_p_value = share("Probability of such a correlation, or a stronger one, if there were none.")
    pearson_q_value = share("Share of false finds among all pairs with a q up to this one (Benjamini and Hochberg).")
    spearman = real("Spearman's rank correlation.")
    spearman_p_value = share("Like pearson_p_value.")
    spearman_q_value = share("Like pearson_q_value.")


class OutcomeModels(OfPosition, key="lol/outcome_models", **BY_PATCH):
    """Regressions of winning (logistic) and of damage per minute (linear): one row per term."""

    model = dy.String(primary_key=True, description="win_given_lead_at_15 or dpm, the model's name.")
    term = dy.String(primary_key=True, description="Variable, or intercept.")
    family = dy.String(
        check=lambda column: column.is_in(["logistic", "linear"]), description="logistic or linear regression."
    )
    outcome = text("Explained variable.", nullable=False)
    unit = text("Size of one unit of the term, such as 1,000 gold.", nullable=False)
    coefficient = real("Coefficient: log odds, or the outcome's own unit, per unit of the term.")
    coefficient_low, coefficient_high = interval("the coefficient, clustered by match")
    odds_ratio = real("Odds ratio per unit in a logistic model.", minimum=0)
    p_value = share("Probability of such a coefficient, or a greater one, if it were 0.")
    q_value = share("Share of false finds among all terms of the patch with a q up to this one; null for an intercept.")
    rows = count("Number of rows of the fit.", nullable=False)
    matches_played = count("Matches of these rows.", nullable=False)
    fit = real("McFadden's pseudo R² of a logistic model, R² of a linear one.")
    auc = share("Area under the ROC curve of a logistic model on matches held out of the fit.")


class ObjectiveDecisionTree(OfPatch, key="lol/objective_decision_tree", **BY_PATCH):
    """Rules of a decision tree: objectives by minute 15 and leads that go with winning. One row per leaf."""

    leaf = dy.Int32(primary_key=True, min=0, description="Number of the leaf.")
    rule = text("Conditions in words, joined by and.", nullable=False)
    depth = dy.Int16(min=0, description="Number of conditions.")
    games = count("Games of teams in the leaf, in matches held out of the tree's growth.", nullable=False)
    wins = count("Number of these games won.", nullable=False)
    win_rate = share("Share of games won.")
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
    grown_games = count("Games of teams in the leaf when the tree was grown.", nullable=False)
    grown_win_rate = share("Win rate when the tree was grown.")
    accuracy = share("Share of the held out games that the whole tree predicts correctly.")


class ItemPathSequences(OfChampion, key="lol/item_path_sequences", **BY_PATCH):
    """Core items that are often completed in sequence, possibly with others in between."""

    path = dy.String(primary_key=True, description="Items in order, by id, such as 3078>3042.")
    path_name = text("Names in English.", nullable=False)
    path_name_ko = text("Names in Korean.")
    length = dy.Int16(min=2, description="Number of items.")
    item_ids = dy.List(dy.Int32(), description="The items.")
    games = count("Games with the path.", nullable=False)
    support = share("Share of the champion's games with as many core items or more.")
    wins = count("Number of games with it that were won.", nullable=False)
    win_rate = share("Share of games won.")
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
    baseline_win_rate = _baseline(
        "in which the champion completed as many core items as at the end of the path, including those in between"
    )
    lift = real("Ratio of its frequency to that expected for independent items.", minimum=0)
    is_closed = dy.Bool(description="Whether no longer path has the same games.")
