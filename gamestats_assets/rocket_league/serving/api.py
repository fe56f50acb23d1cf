"""`/api/v1/replays`, `/training`, `/analytics` and `/users`: what is answered to a player of the own matches."""

from __future__ import annotations

from typing import Any

from gamestats_assets.rocket_league.serving import analytics, profile, progress, replay, replays, training
from gamestats_assets.rocket_league.serving.context import OfPlaylist
from gamestats_assets.rocket_league.serving.uploads import GAME
from gamestats_assets.serving.own import OfPlayer, OwnRoute, own_router_of
from gamestats_assets.serving.routes import Route, router_of

PUBLIC: tuple[Route[Any], ...] = (
    Route(
        "/packs",
        "Search training packs",
        asked=training.SoughtPacks,
        make=training.training_packs,
        answer=training.PackList,
        tables=training.PACK_TABLES,
        keeps_s=300,
        listed=("packs", training.PACK.model),
    ),
)
TRAINING: tuple[OwnRoute[Any], ...] = (
    OwnRoute(
        "/recommendations",
        "What to train next",
        OfPlayer,
        training.recommendations,
        training.RecommendationList,
        training.RECOMMENDATION_TABLES,
        "player",
    ),
    OwnRoute(
        "/suggested",
        "A session to train next",
        training.OfPlan,
        training.suggested_session,
        training.Plan,
        training.RECOMMENDATION_TABLES,
        "player",
    ),
    OwnRoute(
        "/sessions",
        "What was trained",
        training.NewestSessions,
        training.training_sessions,
        training.SessionList,
        training.SESSION_TABLES,
        "never",
    ),
    OwnRoute(
        "/progress",
        "Training by week, and what it has done",
        OfPlaylist,
        training.training_progress,
        training.Progress,
        training.PROGRESS_TABLES,
        "never",
    ),
)
ANALYTICS: tuple[OwnRoute[Any], ...] = (
    OwnRoute(
        "/weaknesses",
        "Skills against players of the rank",
        OfPlaylist,
        analytics.weaknesses,
        analytics.WeaknessList,
        analytics.WEAKNESS_TABLES,
        "player",
    ),
    OwnRoute(
        "/progress",
        "Statistics over time",
        progress.OfCourse,
        progress.progress,
        progress.Progress,
        progress.PROGRESS_TABLES,
        "player",
    ),
    OwnRoute(
        "/rank-prediction",
        "Rank played at, and where it is heading",
        OfPlaylist,
        analytics.rank_prediction,
        analytics.OnePrediction,
        analytics.PREDICTION_TABLES,
        "player",
    ),
    OwnRoute(
        "/comparison",
        "Beside similar players and one's own past",
        OfPlaylist,
        analytics.comparison,
        analytics.Comparison,
        analytics.COMPARISON_TABLES,
        "player",
    ),
)
USERS: tuple[OwnRoute[Any], ...] = (
    OwnRoute(
        "/stats",
        "Statistics of oneself",
        profile.OfStats,
        profile.user_stats,
        profile.StatList,
        profile.STATS_TABLES,
        "player",
    ),
)
REPLAYS: tuple[OwnRoute[Any], ...] = (
    OwnRoute(
        "/recent",
        "The newest matches",
        replays.NewestReplays,
        replays.recent_replays,
        replays.RecentReplays,
        replays.RECENT_TABLES,
        "player",
    ),
    OwnRoute(
        "/clips",
        "One's own moments of a kind",
        replays.NewestClips,
        replays.clips,
        replays.ClipList,
        replays.CLIP_TABLES,
        "tables",
    ),
    OwnRoute(
        "/{id}",
        "One replay",
        replay.OfReplay,
        replay.one_replay,
        replay.OneReplay,
        replay.REPLAY_TABLES,
        "never",
        needs_player=False,
    ),
    OwnRoute(
        "/{id}/moments",
        "Moments of a replay",
        replay.OfMoments,
        replay.replay_moments,
        replay.MomentList,
        replay.REPLAY_TABLES,
        "never",
        needs_player=False,
    ),
)
"""`/recent` and `/clips` are before `/{id}`, which they would be taken for."""
ROUTERS = (
    router_of("/training", PUBLIC),
    own_router_of(GAME, "/training", TRAINING),
    training.acts,
    own_router_of(GAME, "/analytics", ANALYTICS),
    own_router_of(GAME, "/replays", REPLAYS),
    own_router_of(GAME, "/users", USERS),
    profile.router,
    replay.router,
)
