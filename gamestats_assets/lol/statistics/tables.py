"""What statistics find on each patch (gold).

Rates and means stand beside their intervals of 95%. Differences of win rates are in shares: 0.03 is three points.
"""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.rows import BY_PATCH, count, number, real, seconds, share, text
from gamestats_assets.lol.matches.tables import OBJECTIVES
from gamestats_assets.lol.reference.tables import PATCH

ALL_POSITIONS = "ALL"
"""Stands for every position together, and for queues without positions."""
ANY_CHAMPION = 0
"""Stands for every champion together."""


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


def interval(of: str) -> tuple[dy.Float64, dy.Float64]:
    """The ends of the interval of a figure, a column each."""
    return real(f"Lower end of the interval of {of}."), real(f"Upper end of the interval of {of}.")


def _baseline(which: str) -> dy.Float64:
    return share(f"Win rate of all games {which}, these among them.")


class Outcomes(Table):
    """Columns that tell how games went, with intervals."""

    games = count("Games.", nullable=False)
    wins = count("Games won.", nullable=False)
    win_rate = share("Share of games won.")
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
    kda = real("Median of kills and assists per death.", minimum=0)
    kda_low, kda_high = interval("the median KDA (by ranks)")
    dpm = real("Mean damage to champions per minute.", minimum=0)
    dpm_low, dpm_high = interval("the mean damage per minute (allows for skewness)")
    gold_at_15 = real("Mean gold after 15 minutes, of games that lasted so long.", minimum=0)
    gold_at_15_low, gold_at_15_high = interval("the mean gold after 15 minutes (allows for skewness)")


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
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
    at_s = seconds("Median time at which it was taken.")
    team_gold_diff_before = real("Mean gold of the taking team less that of the other just before.")
    naive_effect = real("Win rate of the teams that took it less that of their opponents.")
    adjusted_effect = real("Difference that taking it makes at equal gold and time just before.")
    adjusted_low, adjusted_high = interval("the adjusted difference")
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
    partial_low, partial_high = interval("the partial correlation, by match")
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
    coefficient_low, coefficient_high = interval("the coefficient, clustered by match")
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
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
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
    win_rate_low, win_rate_high = interval("the win rate (Wilson)")
    baseline_win_rate = _baseline(
        "in which the champion completed as many core items as when the path was complete, others between counted"
    )
    lift = real("How many times more often than if its items came independently of each other.", minimum=0)
    is_closed = dy.Bool(description="Whether no longer path has the same games.")
