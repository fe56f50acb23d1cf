"""Every PUBG table, declared: columns with descriptions and units, keys, rules.

Bronze keeps the units of the source (centimetres, origin top left of the map); silver
and gold are in metres. `account_id` is a person; bots have ids that start with `ai.`.
`match_date`, the partition, is the UTC day claimed for a match when its first file landed.
"""

from __future__ import annotations

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.tables.bronze import (
    RawMatches,
    RawParticipants,
    TelemetryAttacks,
    TelemetryCharacters,
    TelemetryDamage,
    TelemetryEventCounts,
    TelemetryFiles,
    TelemetryGameStates,
    TelemetryItemUses,
    TelemetryKills,
    TelemetryKnocks,
    TelemetryLandings,
    TelemetryPositions,
    TelemetryRevives,
)
from gamestats_assets.pubg.tables.detail import (
    CirclePositions,
    DamageEvents,
    WeaponKills,
)
from gamestats_assets.pubg.tables.results import (
    KillPositions,
    Landings,
    Matches,
    MatchSummaries,
    PlayerMatchWeaponDistribution,
)
from gamestats_assets.pubg.tables.rows import MatchRow, TelemetryEvent

ALL: tuple[type[Table], ...] = (
    RawMatches,
    RawParticipants,
    TelemetryFiles,
    TelemetryEventCounts,
    TelemetryPositions,
    TelemetryGameStates,
    TelemetryKills,
    TelemetryKnocks,
    TelemetryRevives,
    TelemetryDamage,
    TelemetryAttacks,
    TelemetryItemUses,
    TelemetryLandings,
    TelemetryCharacters,
    CirclePositions,
    DamageEvents,
    WeaponKills,
    Matches,
    MatchSummaries,
    Landings,
    KillPositions,
    PlayerMatchWeaponDistribution,
)

__all__ = [
    "ALL",
    "CirclePositions",
    "DamageEvents",
    "KillPositions",
    "Landings",
    "MatchRow",
    "MatchSummaries",
    "Matches",
    "PlayerMatchWeaponDistribution",
    "RawMatches",
    "RawParticipants",
    "TelemetryAttacks",
    "TelemetryCharacters",
    "TelemetryDamage",
    "TelemetryEvent",
    "TelemetryEventCounts",
    "TelemetryFiles",
    "TelemetryGameStates",
    "TelemetryItemUses",
    "TelemetryKills",
    "TelemetryKnocks",
    "TelemetryLandings",
    "TelemetryPositions",
    "TelemetryRevives",
    "WeaponKills",
]
