"""What people enter for PUBG: tournaments and tracked players, one declaration per thing (see `lakehouse.entries`)."""

from gamestats_assets.pubg.entered.overrides import OVERRIDE
from gamestats_assets.pubg.entered.players import TRACKED_PLAYER
from gamestats_assets.pubg.entered.schedule import ROUND, SLOT
from gamestats_assets.pubg.entered.teams import DIVISION, GROUP, ROSTER_ENTRY, SEASON, TEAM

__all__ = ["DIVISION", "GROUP", "OVERRIDE", "ROSTER_ENTRY", "ROUND", "SEASON", "SLOT", "TEAM", "TRACKED_PLAYER"]
