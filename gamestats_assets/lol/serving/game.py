"""League of Legends in the web application."""

from __future__ import annotations

from pathlib import Path

from gamestats_assets.serving.game import Game

LOL = Game("lol", "League of Legends", Path(__file__).parent)
