"""Entered data of tracked players, one declaration per kind of thing (see `lakehouse.entries`)."""

from gamestats_assets.pubg.players.entered.tracked import TRACKED_PLAYER

__all__ = ["TRACKED_PLAYER"]
