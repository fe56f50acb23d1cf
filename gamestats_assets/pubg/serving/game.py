"""PUBG, as it is served."""

from __future__ import annotations

from pathlib import Path

from gamestats_assets.pubg.serving import admin, pages, tournaments
from gamestats_assets.serving.game import Game

PUBG = Game(
    "pubg",
    "PUBG",
    Path(__file__).parent,
    api=[tournaments.router, admin.router],
    pages=[pages.router],
    start="/tournaments",
)
