"""Questions with several conditions, asked of the lake."""

from gamestats_assets.lol.questions.questions import ask

__all__ = ["ask"]
