"""Hypotheses tested on a patch, the patterns found, and their history over patches (gold).

Intervals are 95%. Differences of win rates are shares: 0.03 is three points.
"""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.rows import BY_PATCH, count, flag, number, real, share, text
from gamestats_assets.lol.reference.tables import PATCH
from gamestats_assets.lol.statistics.tables import interval

EFFECT_UNITS = ("win_rate", "dpm", "correlation")
FAMILIES = ("item", "skill_order", "objective", "vision", "item_path")


class Tested(Table):
    """Columns of a tested hypothesis."""

    pattern_id = dy.String(primary_key=True, description="Id of the hypothesis over all patches.")
    patch = dy.String(primary_key=True, regex=PATCH, description="Patch of the test.")
    patch_number = dy.Int32(min=0, description="Number that orders patches.")
    family = dy.String(check=lambda column: column.is_in(FAMILIES), description="Kind of hypothesis, such as item.")
    queue_group = text("Group of queues.", nullable=False)
    position = text("Position, or ALL.", nullable=False)
    champion_id = dy.Int32(description="Champion; 0 for all.")
    champion_name = text("Champion's name in English; null for all.")
    champion_name_ko = text("Champion's name in Korean; null for all.")
    condition = text("Condition in words, such as Trinity Force as the 1st core item.", nullable=False)
    condition_ko = text("Condition with names in Korean.")
    condition_key = text("Condition by ids, such as item 3078 1st.", nullable=False)
    outcome = text("win_rate, dpm or deaths.", nullable=False)
    effect_unit = dy.String(
        check=lambda column: column.is_in(EFFECT_UNITS),
        description="win_rate (0.03 is three points), dpm (damage per minute) or correlation.",
    )
    baseline = text("Baseline of the comparison, in words.", nullable=False)
    games = count("Games that meet the condition; for first objectives, those of either team.", nullable=False)
    baseline_games = count(
        "Eligible games that do not meet the condition; 0 if the baseline are the same games, as for first objectives "
        "(seen from the other team) and vision.",
        nullable=False,
    )
    games_left_out = count("Eligible games left out because the state of the game is unknown; null for vision.")
    matches_played = count("Matches of both groups of games.", nullable=False)
    value = real("Outcome of the games that meet the condition.")
    baseline_value = real("Outcome of the eligible games that do not.")
    naive_effect = real("Difference of the two, ignoring the state of the game.")
    effect = real("Difference at an equal state of the game.")
    effect_low, effect_high = interval("the effect, clustered by match")
    odds_ratio = real(
        "For win rates, odds of winning with the condition relative to those without, at an equal state of the game.",
        minimum=0,
    )
    p_value = share("Probability of such an effect, or a greater one, if there were none.")
    q_value = share(
        "Share of false finds among all tests with a q up to this one, over the patch's whole family of tests."
    )
    tests = count(
        "Number of hypotheses of the patch behind q, including those that could not be tested.", nullable=False
    )
    is_found = dy.Bool(description="Whether q is at most 0.05.")
    discovery_effect = real("Effect in the discovery half alone: the half of the matches that is not held out.")
    discovery_p_value = share("p of the discovery half alone.")
    discovery_half_q_value = share("q of the discovery half alone, over the same family; null if it has too few games.")
    held_out_effect = real("Effect in the held out half alone, for finds of the discovery half.")
    held_out_p_value = share("p of the held out half alone, for finds of the discovery half.")
    is_replicated = flag(
        "For finds of the discovery half alone (its q is at most 0.05), whether the held out half has the same sign "
        "and a p of at most 0.05; null for other hypotheses and if it could not be tested."
    )
    smallest_effect = real(
        "Smallest true effect that so many games find with power 0.9 at the largest p that counted as found.", minimum=0
    )
    power_at_3_points = share("For win rates, power to find a true effect of three points with so many games.")


class PatternTests(Tested, key="lol/pattern_tests", **{**BY_PATCH, "subject": "patterns", "published": False}):
    """Every hypothesis with enough games on a patch, found or not: the family behind q-values."""

    reason = text("Reason why it could not be tested, in which case effect, p and q are null; null if tested.")


class DiscoveredPatterns(
    Tested,
    key="lol/discovered_patterns",
    **{**BY_PATCH, "subject": "patterns"},
    indexes=(("champion_name", "position", "queue_group"), ("pattern_id", "patch_number")),
):
    """Patterns found on a patch, one readable row each."""

    sentence = text("The pattern in one sentence.", nullable=False)


class PatternHistory(
    Table,
    key="lol/pattern_history",
    subject="patterns",
    layer="gold",
    published=True,
    indexes=(("champion_name", "position", "queue_group"), ("patch",)),
):
    """History of every pattern found on any patch: its results on each patch with enough games."""

    pattern_id = dy.String(primary_key=True, description="Id of the hypothesis over all patches.")
    patch_number = dy.Int32(primary_key=True, min=0, description="Number that orders patches.")
    patch = text("Patch.", nullable=False)
    family = text("Kind of hypothesis.", nullable=False)
    queue_group = text("Group of queues.", nullable=False)
    position = text("Position, or ALL.", nullable=False)
    champion_id = number("Champion; 0 for all.")
    champion_name = text("Champion's name in English; null for all.")
    condition = text("Condition in words.", nullable=False)
    outcome = text("win_rate, dpm or deaths.", nullable=False)
    games = dy.Int64(min=0, description="Games that meet the condition.")
    effect = real("Effect on the patch.")
    effect_low, effect_high = interval("the effect")
    q_value = real("q-value on the patch.", minimum=0)
    is_found = flag("Whether it was found on the patch.")
    discovery_half_q_value = real("q-value of the discovery half alone.", minimum=0)
    is_replicated = flag("For finds of the discovery half alone, whether they held on the held out half.")
    reason = text("Reason why it could not be tested on the patch; null if tested.")
    previous_effect = real("Effect on the previous patch with a row.")
    patches_found = dy.Int64(min=0, description="Number of patches up to this one on which it was found.")
    first_found_patch_number = number("First patch on which it was found.")
