"""Entered data of tournaments, one declaration per kind of thing (see `lakehouse.entries`)."""

from gamestats_assets.pubg.tournament.entered.overrides import OVERRIDE
from gamestats_assets.pubg.tournament.entered.schedule import ROUND, SLOT
from gamestats_assets.pubg.tournament.entered.teams import DIVISION, GROUP, ROSTER_ENTRY, SEASON, TEAM

__all__ = ["DIVISION", "GROUP", "OVERRIDE", "ROSTER_ENTRY", "ROUND", "SEASON", "SLOT", "TEAM"]
