"""Every table of every game, known without loading Dagster."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from gamestats_assets.lakehouse.table import Table

GAMES = ("pubg", "demo_data", "l2m", "lol", "rocket_league")
"""The games, each a package of its name; one is imported when it is asked for, for each costs its time."""


def tables_of(*games: str) -> tuple[type[Table], ...]:
    """The tables of the games given, or of every game, in the order of the layers within each."""
    return tuple(table for game in games or GAMES for table in _of(game))


def first_day(game: str) -> date | None:
    """First day that rows of a game by day can be of."""
    return next((table.spec.first_day for table in _of(game) if table.spec.first_day is not None), None)


@functools.cache
def _of(game: str) -> tuple[type[Table], ...]:
    return import_module(f"gamestats_assets.{game}.tables").ALL
