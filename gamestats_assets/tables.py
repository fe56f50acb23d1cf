"""Every table of every game, without loading Dagster."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from gamestats_assets.lakehouse.table import Table

GAMES = ("pubg", "demo_data", "l2m", "lol", "rocket_league")
"""The games, each a package of that name; imported on demand, because each import takes time."""


def tables_of(*games: str) -> tuple[type[Table], ...]:
    """Returns the tables of the given games, or of every game, ordered by layer within each game."""
    return tuple(table for game in games or GAMES for table in _of(game))


def first_day(game: str) -> date | None:
    """Returns the first possible day of a game's tables by day."""
    return next((table.spec.first_day for table in _of(game) if table.spec.first_day is not None), None)


@functools.cache
def _of(game: str) -> tuple[type[Table], ...]:
    return import_module(f"gamestats_assets.{game}.tables").ALL
