"""L2M, an MMO, on the pages and in the API."""

from __future__ import annotations

from pathlib import Path

from gamestats_assets.serving.game import Game

L2M = Game("l2m", "L2M", Path(__file__).parent)
