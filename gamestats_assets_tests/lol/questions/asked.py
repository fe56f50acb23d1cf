"""Questions about simulated games and about rows made by hand, and what they are checked with."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lol.questions.answers import Answer, Comparison
from gamestats_assets.lol.questions.questions import ask
from gamestats_assets.lol.tables import ParticipantFeatures
from gamestats_assets.simulators.lol.plan import Effect, Plan
from gamestats_assets_tests.lol.patterns.discoveries import FEW_CHAMPIONS

TRINITY_FORCE, MANAMUNE, MURAMANA = 3078, 3004, 3042
PLAN = Plan(
    matches=1_500,
    patches=(("13.13", 1), ("13.14", 1)),
    days=2,
    champions=FEW_CHAMPIONS,
    effects=(Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=1, item=TRINITY_FORCE, points=0.15),),
)
BOUGHT: dict[str, Any] = {"core_item_ids": [TRINITY_FORCE], "completed_item_ids": [TRINITY_FORCE]}
WITHOUT_TIMELINE: dict[str, Any] = {
    "has_timeline": False,
    **{name: None for name in ParticipantFeatures.column_names() if name.startswith(("core_item", "completed_item"))},
}
Made = Callable[[list[dict[str, Any]]], Lake]
"""A lake of rows, each said by what it differs in from a game of Ezreal's who bought one core item after 900 s."""


def one(lake: Lake, **question: Any) -> Answer:
    (answer,) = ask(lake, **question).groups
    return answer


def of(games: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    return [game for game in games if all(game[name] == value for name, value in wanted.items())]


def mean(games: list[dict[str, Any]], metric: str) -> float:
    values = [game[metric] for game in games if game[metric] is not None]
    return sum(values) / len(values)


def compared(answer: Answer) -> Comparison:
    """What an answer is compared with: there is something."""
    assert answer.comparison is not None
    return answer.comparison


def interval(given: Comparison) -> tuple[float, float]:
    """Both ends of the adjusted difference: there is one."""
    assert given.low is not None
    assert given.high is not None
    return given.low, given.high


def at_core_item(games: list[dict[str, Any]], order: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Games whose core item of an order is Trinity Force, and those that got so far without it."""
    so_far = [game for game in games if len(game["core_item_ids"]) > order]
    has = [game for game in so_far if game["core_item_ids"][order] == TRINITY_FORCE]
    return has, [game for game in so_far if TRINITY_FORCE not in game["core_item_ids"][: order + 1]]


def standardised(arms: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]], metric: str) -> tuple[float, float]:
    """Means of both arms over the strata that have both, each weighing as much as its first arm."""
    both = [(has, rest) for has, rest in arms if has and rest]
    treated = sum(len(has) for has, _ in both)
    return (
        sum(len(has) * mean(has, metric) for has, _ in both) / treated,
        sum(len(has) * mean(rest, metric) for has, rest in both) / treated,
    )


def at_random(number: int, **spread: float) -> dict[str, Any]:
    """State of a game, and its damage without any item."""
    draw = random.Random(number)
    gold = draw.gauss(0, 1000)
    return {
        "core_items_team_gold_diff": [gold],
        "core_items_lane_gold_diff": [draw.gauss(0, 300)],
        "dpm": spread.get("dpm", 500.0) + gold / 20 + draw.gauss(0, 50),
    }
