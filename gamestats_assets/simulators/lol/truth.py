"""The expected findings of an analysis of a story."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.simulators.lol.outcomes import partial_spearman, realised_points
from gamestats_assets.simulators.lol.story import Flags, Planted, Story

_TRUTH = {
    "patch": pl.String,
    "kind": pl.String,
    "champion_id": pl.Int32,
    "champion_key": pl.String,
    "position": pl.String,
    "core_order": pl.Int16,
    "item_id": pl.Int32,
    "objective": pl.String,
    "skill_order": pl.String,
    "unit": pl.String,
    "planted": pl.Float64,
    "realised": pl.Float64,
    "log_odds": pl.Float64,
    "games": pl.Int64,
    "baseline_games": pl.Int64,
    "value": pl.Float64,
    "baseline_value": pl.Float64,
    "naive_effect": pl.Float64,
}


def truth(story: Story) -> pl.DataFrame:
    """Returns the expected findings: one row per planted effect and patch, over matches that count in statistics.

    Returns:
        `patch`, `kind`, its subject, `unit` (win_rate, dpm or correlation), `planted` (as in the plan), `realised` (the
        mean difference among the games of the patch, with the log odds that produce the planted one over all patches),
        `log_odds`, `games` with it and `baseline_games` that could have had it, the mean outcomes `value` and
        `baseline_value` of both, and their difference `naive_effect`. For an objective the games are those in which it
        was taken, and the baseline is the other team. For skill orders the games are those in which a first skill was
        maxed. For vision `value` is the plain rank correlation of these games, without the length held.
    """
    rows: list[dict[str, Any]] = []
    for number, (patch, _) in enumerate(story.plan.patches):
        of_patch = story.counted & (story.patch == number)
        for planted in story.planted:
            outcome = _vision if planted.effect.kind == "vision" else _compared
            rows.append({"patch": patch, **_facts(planted), **outcome(story, planted, of_patch)})
    return pl.DataFrame(rows, schema=_TRUTH)


def _facts(planted: Planted) -> dict[str, Any]:
    effect = planted.effect
    return {
        "kind": effect.kind,
        "champion_id": effect.champion_id,
        "champion_key": effect.champion,
        "position": effect.position,
        "core_order": effect.core_order,
        "item_id": effect.item,
        "objective": effect.objective,
        "skill_order": effect.order,
        "unit": {"skill_order": "dpm", "vision": "correlation"}.get(effect.kind, "win_rate"),
        "planted": effect.points or effect.dpm or effect.correlation,
        "realised": planted.realised,
        "log_odds": planted.log_odds,
    }


def _compared(story: Story, planted: Planted, of_patch: Flags) -> dict[str, Any]:
    """Returns the mean outcomes of games with the effect and of those without."""
    effect, row = planted.effect, {}
    treated, eligible = planted.treated * of_patch, planted.eligible * of_patch
    if effect.kind == "skill_order":
        seat = effect.place + np.where(eligible < 0, 5, 0)
        damage = story.stats["damage"][np.arange(len(story)), seat]
        outcome = damage / np.maximum(story.duration_s, 1) * 60
    else:
        if eligible.any():
            row["realised"] = realised_points(effect, planted.log_odds, story.logit, treated, eligible)
        outcome = (story.blue_won == (eligible > 0)).astype(np.float64)
    has, rest = treated != 0, (eligible != 0) & (treated == 0)
    value = float(outcome[has].mean()) if has.any() else None
    if effect.kind == "objective":
        baseline, rest = (None if value is None else 1 - value), has
    else:
        baseline = float(outcome[rest].mean()) if rest.any() else None
    return row | {
        "games": int(has.sum()),
        "baseline_games": int(rest.sum()),
        "value": value,
        "baseline_value": baseline,
        "naive_effect": None if value is None or baseline is None else value - baseline,
    }


def _vision(story: Story, planted: Planted, of_patch: Flags) -> dict[str, Any]:
    """Returns the correlations of vision with deaths."""
    match = np.repeat(np.flatnonzero(of_patch), 2)
    seat = planted.effect.place + 5 * (np.arange(match.size) % 2)
    length = story.duration_s[match].astype(np.float64)
    seen, died = story.stats["vision"][match, seat] / length, story.stats["deaths"][match, seat]
    row: dict[str, Any] = {"realised": None, "games": int(match.size), "baseline_games": 0}
    if match.size >= 3:
        ranks = pl.DataFrame({"seen": seen, "died": died}).select(pl.all().rank())
        plain = ranks.select(pl.corr("seen", "died")).item()
        row |= {"realised": partial_spearman(seen, died, length), "value": plain}
    return row
