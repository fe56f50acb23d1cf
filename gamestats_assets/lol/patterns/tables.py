"""Hypotheses that were tested on a patch, what was found, and how that fared on each patch (gold).

Intervals are of 95%. Differences of win rates are in shares: 0.03 is three points.
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
    effect_low, effect_high = interval("the effect, clustered by match")
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
    effect_low, effect_high = interval("the effect")
    q_value = real("q-value on the patch.", minimum=0)
    is_found = flag("Whether it was found on the patch.")
    discovery_half_q_value = real("q-value of the discovery half alone.", minimum=0)
    is_replicated = flag("Of what the discovery half finds alone: whether it held on the held out half.")
    reason = text("Why it could not be tested on the patch; null where it was.")
    previous_effect = real("Effect on the patch before, of those with a row.")
    patches_found = dy.Int64(min=0, description="Patches up to this one on which it was found.")
    first_found_patch_number = number("First patch on which it was found.")
