"""Demo data on the pages and in the API."""

from __future__ import annotations

from pathlib import Path

from gamestats_assets.serving.game import Game

DEMO_DATA = Game("demo_data", "Demo data", Path(__file__).parent)
