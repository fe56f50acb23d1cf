"""Every Rocket League table, declared: columns with descriptions and units, keys, rules.

`match_date`, the partition of tables by match, is the UTC day on which the match began. Tables of tracked players are
partitioned by `rl_player`.
"""

# ruff: noqa: F401 (the imports are all tables)

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

ALL: tuple[type[Table], ...] = tuple(
    value for value in globals().values() if isinstance(value, type) and issubclass(value, Table) and value is not Table
)
"""Every table of the game."""
