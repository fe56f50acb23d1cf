"""Whole seasons: the story of a plan, and a plan with an effect of each kind, written as files with its truth."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from gamestats_assets.simulators.lol.choices import choose
from gamestats_assets.simulators.lol.files import write
from gamestats_assets.simulators.lol.gold import play
from gamestats_assets.simulators.lol.outcomes import decide, follow
from gamestats_assets.simulators.lol.plan import Effect, Plan
from gamestats_assets.simulators.lol.story import Story
from gamestats_assets.simulators.lol.truth import truth


def simulate(plan: Plan) -> Story:
    """Simulates every match of a plan. The same plan gives the same story.

    Raises:
        ValueError: when an effect cannot be planted, because there are no such games, or no log odds give so large a
            difference.
    """
    story = Story(plan)
    play(story)
    choose(story)
    story.planted = (*decide(story), *follow(story))
    return story


def season(*, matches: int, first_day: date, days: int, seed: int) -> Plan:
    """Returns a plan with everything: two patches, remakes, ARAM and bots, and an effect of each kind.

    Only four champions of each position play, so that a few hundred matches are informative. Fewer than a hundred are
    not, so nothing is planted in them.
    """
    effects = (
        Effect(kind="objective", objective="dragon", points=0.15),
        Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=2, item=3004, points=0.25),
        Effect(kind="skill_order", champion="Ahri", position="MIDDLE", order="QEW", dpm=60),
        Effect(kind="vision", position="UTILITY", correlation=-0.3),
    )
    return Plan(
        matches=matches,
        first_day=first_day,
        days=days,
        patches=(("13.13", 1), ("13.14", max(days - 1, 1))),
        seed=seed,
        remakes=0.02,
        aram=0.03,
        bots=0.01,
        effects=effects if matches >= 100 else (),
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
) -> dict[str, Any]:
    """Writes matches over some days, with an effect of each kind planted, as `write` does, and their truth.

    Args:
        folder: created if missing.
        truth_file: JSON file for the truth, `effects`; the game has no such file, so put it outside of the folder.

    Returns:
        The summary of `write`, and `truth`, the rows of `truth(story)`.
    """
    story = simulate(season(matches=matches, first_day=first_day, days=days, seed=seed))
    effects = truth(story).to_dicts()
    if truth_file is not None:
        text = json.dumps({"seed": seed, "effects": effects}, ensure_ascii=False, indent=1)
        truth_file.write_text(text, encoding="utf-8")
    return {**write(story, folder), "truth": effects}
