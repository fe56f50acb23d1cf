"""Questions with several conditions, answered from the lake."""

from gamestats_assets.lol.questions.questions import ask

__all__ = ["ask"]
