"""PUBG in the web application."""

from __future__ import annotations

from pathlib import Path

from gamestats_assets.pubg.serving import admin, admin_pages
from gamestats_assets.pubg.tournament.serving import pages, tournaments
from gamestats_assets.pubg.tournament.serving.context import SIMULATED
from gamestats_assets.serving.game import Game

PUBG = Game(
    "pubg",
    "PUBG",
    Path(__file__).parent,
    api=[tournaments.router, admin.router],
    pages=[pages.router, admin_pages.router],
    start="/tournaments",
    admin=admin_pages.SECTIONS,
    synthetic=("matches", SIMULATED),
)
