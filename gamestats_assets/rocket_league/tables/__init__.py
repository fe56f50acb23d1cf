"""Every Rocket League table, declared: columns with descriptions and units, keys, rules.

`match_date`, the partition of what is made match by match, is the UTC day on which the match began. What is made for
tracked players is by `rl_player`.
"""

from __future__ import annotations

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.tables.bronze import (
    RawPlayerStats,
    RawReplays,
    ReplayEvents,
    ReplayFigures,
    ReplayFrames,
)
from gamestats_assets.rocket_league.tables.gold import (
    Matches,
    PlayerComparison,
    PlayerMatchFeatures,
    PlayerProfiles,
    PlayerStats,
    RankCohorts,
    RankModels,
    RankPredictions,
    TrackedPlayers,
    TrainingPacks,
    TrainingProgress,
    TrainingRecommendations,
    Users,
    Weaknesses,
    Withheld,
)
from gamestats_assets.rocket_league.tables.ops import SNAPSHOTS as SNAPSHOTS
from gamestats_assets.rocket_league.tables.ops import Retention, RlPlayers, RlRanks, TrainingSessions
from gamestats_assets.rocket_league.tables.replays import Moments, PlayerMistakes, ReplayMoments, ReplayTracks
from gamestats_assets.rocket_league.tables.silver import (
    BoostPickups,
    Challenges,
    FrameFigures,
    MatchFacts,
    Participants,
    PlayerMatchStats,
    Possessions,
    Rotations,
    ShotsAndSaves,
    Touches,
)

ALL: tuple[type[Table], ...] = (
    RlPlayers,
    RlRanks,
    TrainingSessions,
    Retention,
    RawReplays,
    RawPlayerStats,
    ReplayFrames,
    ReplayEvents,
    ReplayFigures,
    MatchFacts,
    Participants,
    FrameFigures,
    BoostPickups,
    Touches,
    Possessions,
    ShotsAndSaves,
    Challenges,
    Rotations,
    PlayerMatchStats,
    PlayerMatchFeatures,
    Moments,
    ReplayMoments,
    ReplayTracks,
    Withheld,
    PlayerProfiles,
    RankCohorts,
    RankModels,
    TrainingPacks,
    TrackedPlayers,
    Users,
    Matches,
    PlayerStats,
    PlayerMistakes,
    Weaknesses,
    RankPredictions,
    TrainingProgress,
    TrainingRecommendations,
    PlayerComparison,
)
"""Every table of the game."""
