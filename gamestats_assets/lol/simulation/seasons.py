"""Simulated League of Legends matches with a known truth planted in them.

    story = simulate(Plan(matches=5_000, effects=(Effect(kind="objective", objective="dragon", points=0.05),)))
    silver(story)             # silver tables, at once
    write(story, folder)      # files as the API and Data Dragon give them
    truth(story)              # what has to come out

Four modules: `reference` knows champions and items, `story` decides what happens, `silver` tells it as tables and
`files` as files. They know the form of files and tables and nothing of what is made of them, so that agreement proves
something.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from gamestats_assets.lol.simulation.files import write
from gamestats_assets.lol.simulation.reference import POSITIONS
from gamestats_assets.lol.simulation.silver import silver
from gamestats_assets.lol.simulation.story import (
    Effect,
    Flags,
    Plan,
    Planted,
    Story,
    partial_spearman,
    realised_points,
    simulate,
)

__all__ = ["Effect", "Plan", "Story", "is_true_null", "silver", "simulate", "truth", "write", "write_season"]

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
    """What has to come out: one row for each planted effect and patch, over matches that count in statistics.

    Returns:
        `patch`, `kind`, what it is of, `unit` (win_rate, dpm or correlation), `planted` (as the plan says), `realised`
        (the mean difference that it makes among the games of the patch, with the log odds that make the planted one
        over all patches), `log_odds`, `games` with it and `baseline_games` that could have had it, the mean outcomes
        `value` and `baseline_value` of both, and their difference `naive_effect`. Of an objective the games are those
        in which it was taken, and the baseline is the other team. Of skill orders the games are those in which a first
        skill was maxed. Of vision `value` is the plain rank correlation of those games, without the length held.
    """
    rows: list[dict[str, Any]] = []
    for number, (patch, _) in enumerate(story.plan.patches):
        of_patch = story.counted & (story.patch == number)
        rows += [_row(story, planted, patch, of_patch) for planted in story.planted]
    return pl.DataFrame(rows, schema=_TRUTH)


def _row(story: Story, planted: Planted, patch: str, of_patch: Flags) -> dict[str, Any]:
    effect = planted.effect
    unit = {"skill_order": "dpm", "vision": "correlation"}.get(effect.kind, "win_rate")
    row: dict[str, Any] = {
        "patch": patch,
        "kind": effect.kind,
        "champion_id": effect.champion_id,
        "champion_key": effect.champion,
        "position": effect.position,
        "core_order": effect.core_order,
        "item_id": effect.item,
        "objective": effect.objective,
        "skill_order": effect.order,
        "unit": unit,
        "planted": effect.points or effect.dpm or effect.correlation,
        "realised": planted.realised,
        "log_odds": planted.log_odds,
    }
    if effect.kind == "vision":
        return row | _of_vision(story, effect.place, of_patch)
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
        baseline, baseline_games = 1 - value if value is not None else None, int(has.sum())
    else:
        baseline, baseline_games = float(outcome[rest].mean()) if rest.any() else None, int(rest.sum())
    return row | {
        "games": int(has.sum()),
        "baseline_games": baseline_games,
        "value": value,
        "baseline_value": baseline,
        "naive_effect": value - baseline if value is not None and baseline is not None else None,
    }


def _of_vision(story: Story, place: int, of_patch: Flags) -> dict[str, Any]:
    match = np.repeat(np.flatnonzero(of_patch), 2)
    seat = np.where(np.arange(match.size) % 2, place + 5, place)
    length = story.duration_s[match].astype(np.float64)
    seen, died = story.stats["vision"][match, seat] / length, story.stats["deaths"][match, seat]
    nothing = {"realised": None, "games": int(match.size), "baseline_games": 0}
    if match.size < 3:
        return nothing
    plain = float(np.corrcoef(pl.Series(seen).rank().to_numpy(), pl.Series(died).rank().to_numpy())[0, 1])
    return {**nothing, "realised": partial_spearman(seen, died, length), "value": plain}


def is_true_null(
    plan: Plan,
    family: Literal["item", "item_path", "skill_order", "objective", "vision"],
    *,
    champion_id: int = 0,
    position: str = "ALL",
    objective: str | None = None,
    outcome: str = "win_rate",
) -> bool:
    """Whether a hypothesis about what goes with an outcome is false for certain.

    At an equal gold difference every choice is a draw of lots, so it is where nothing is planted in what it compares:
    of an item or a path of items with the winner, where no item effect is planted for the champion and position; of a
    skill order with damage (`outcome` dpm), where no order of theirs deals more; with the winner always; of an
    objective, where none is planted on it; of vision with deaths, where none is in the position. Over all positions
    together vision goes with deaths as positions do, so `ALL` is never one.
    """
    effects = plan.effects
    if family in ("item", "item_path"):
        return (champion_id, position) not in {(e.champion_id, e.position) for e in effects if e.kind == "item"}
    if family == "skill_order":
        planted = {(e.champion_id, e.position) for e in effects if e.kind == "skill_order"}
        return outcome != "dpm" or (champion_id, position) not in planted
    if family == "objective":
        return objective not in {e.objective for e in effects if e.kind == "objective"}
    return position in POSITIONS and position not in {e.position for e in effects if e.kind == "vision"}


def season(*, matches: int, first_day: date, days: int, seed: int) -> Plan:
    """A plan of everything there is: two patches, remakes, ARAM and bots, and an effect of each kind.

    Of fewer than a hundred matches nothing could be told, so nothing is planted in them.
    """
    return Plan(
        matches=matches,
        first_day=first_day,
        days=days,
        patches=(("13.13", 1), ("13.14", max(days - 1, 1))),
        seed=seed,
        remakes=0.02,
        aram=0.03,
        bots=0.01,
        effects=(
            Effect(kind="objective", objective="dragon", points=0.15),
            Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=2, item=3004, points=0.25),
            Effect(kind="skill_order", champion="Ahri", position="MIDDLE", order="QEW", dpm=60),
            Effect(kind="vision", position="UTILITY", correlation=-0.3),
        )
        if matches >= 100
        else (),
        champions={
            "TOP": ("Aatrox", "Camille", "Darius", "Malphite"),
            "JUNGLE": ("Hecarim", "LeeSin", "MonkeyKing", "Vi"),
            "MIDDLE": ("Ahri", "Akali", "Lux", "Zed"),
            "BOTTOM": ("Ezreal", "Jinx", "Kaisa", "Jhin"),
            "UTILITY": ("Leona", "Lulu", "Nami", "Thresh"),
        },
    )


def write_season(
    folder: Path,
    *,
    matches: int = 240,
    first_day: date = date(2023, 7, 18),
    days: int = 3,
    seed: int = 7,
    truth_file: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write matches over some days, with an effect of each kind planted, as `write` does, and the truth of them.

    Four champions of each position play, so that a few hundred matches say something.

    Args:
        folder: made if missing.
        truth_file: JSON file for the truth, `effects`; it is no file of the game's, so put it outside of the folder.
        progress: called with the number of matches written so far.

    Returns:
        The summary of `write`, and `truth`, the rows of `truth(story)`.
    """
    story = simulate(season(matches=matches, first_day=first_day, days=days, seed=seed))
    effects = truth(story).to_dicts()
    if truth_file is not None:
        told = json.dumps({"seed": seed, "effects": effects}, ensure_ascii=False, indent=1)
        truth_file.write_text(told, encoding="utf-8")
    return {**write(story, folder, progress=progress), "truth": effects}
