"""Declarations of every League of Legends table: columns with descriptions and units, keys, rules.

`match_date`, the partition of tables built match by match, is the UTC day on which the game began. Statistics are
partitioned by `patch`.
"""

from __future__ import annotations

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.tables import (
    FinalItems,
    ItemBuilds,
    ItemEvents,
    Matches,
    Objectives,
    ParticipantFeatures,
    Participants,
    SkillOrders,
    TeamCoordination,
)
from gamestats_assets.lol.patterns.tables import DiscoveredPatterns, PatternHistory, PatternTests
from gamestats_assets.lol.reference.tables import (
    Champions,
    DataDragonChampions,
    DataDragonItems,
    Items,
    Patches,
    Queues,
)
from gamestats_assets.lol.statistics.tables import (
    FirstObjectiveStats,
    ItemBuildStats,
    ItemPathSequences,
    ObjectiveDecisionTree,
    OutcomeModels,
    SkillOrderStats,
    VariableCorrelations,
    VisionSurvival,
)
from gamestats_assets.lol.timelines.tables import (
    RawMatches,
    RawParticipants,
    RawTeams,
    TimelineEventCounts,
    TimelineEvents,
    TimelineFiles,
    TimelineFrames,
)

ALL: tuple[type[Table], ...] = (
    DataDragonItems,
    DataDragonChampions,
    RawMatches,
    RawTeams,
    RawParticipants,
    TimelineFiles,
    TimelineFrames,
    TimelineEvents,
    TimelineEventCounts,
    Items,
    Champions,
    Queues,
    Matches,
    Patches,
    Participants,
    ItemEvents,
    ItemBuilds,
    FinalItems,
    SkillOrders,
    Objectives,
    TeamCoordination,
    ParticipantFeatures,
    ItemBuildStats,
    SkillOrderStats,
    FirstObjectiveStats,
    VisionSurvival,
    VariableCorrelations,
    OutcomeModels,
    ObjectiveDecisionTree,
    ItemPathSequences,
    PatternTests,
    DiscoveredPatterns,
    PatternHistory,
)
"""Every table of the game."""
