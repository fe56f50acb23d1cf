"""Every League of Legends table, declared: columns with descriptions and units, keys, rules.

`match_date`, the partition of what is made match by match, is the UTC day on which the game began.
"""

from __future__ import annotations

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.tables.bronze import (
    RawMatches,
    RawParticipants,
    RawTeams,
    TimelineEventCounts,
    TimelineEvents,
    TimelineFiles,
    TimelineFrames,
)

ALL: tuple[type[Table], ...] = (
    RawMatches,
    RawTeams,
    RawParticipants,
    TimelineFiles,
    TimelineFrames,
    TimelineEvents,
    TimelineEventCounts,
)
"""Every table of the game."""

__all__ = [
    "ALL",
    "RawMatches",
    "RawParticipants",
    "RawTeams",
    "TimelineEventCounts",
    "TimelineEvents",
    "TimelineFiles",
    "TimelineFrames",
]
