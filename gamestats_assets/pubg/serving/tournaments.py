"""`/api/v1/tournaments`: standings, matches, rounds and schedules, as they are published."""

from __future__ import annotations

from typing import Any

from gamestats_assets.pubg.serving import leaderboards, matches, plans
from gamestats_assets.pubg.serving.context import OfSeason
from gamestats_assets.pubg.tables.ops import Divisions, Groups, Seasons
from gamestats_assets.serving.routes import Nothing, Route, router_of

ROUTES: tuple[Route[Any], ...] = (
    Route(
        "/leaderboard/teams",
        "Team standings",
        asked=leaderboards.TeamBoard,
        make=leaderboards.team_leaderboard,
        answer=leaderboards.TeamLeaderboard,
        tables=leaderboards.TEAM_TABLES,
        keeps_s=60,
    ),
    Route(
        "/leaderboard/players",
        "Player standings",
        asked=leaderboards.PlayerBoard,
        make=leaderboards.player_leaderboard,
        answer=leaderboards.PlayerLeaderboard,
        tables=leaderboards.PLAYER_TABLES,
        keeps_s=60,
    ),
    Route(
        "/matches/recent",
        "Matches, the newest first",
        asked=plans.Rest,
        make=matches.recent_matches,
        answer=matches.MatchHistory,
        tables=matches.MATCH_TABLES,
        keeps_s=60,
    ),
    Route(
        "/matches/{match_id}",
        "One match",
        asked=matches.OfMatch,
        make=matches.one_match,
        answer=matches.OneMatch,
        tables=matches.MATCH_TABLES,
        keeps_s=60,
    ),
    Route(
        "/seasons",
        "Seasons",
        asked=Nothing,
        make=plans.seasons,
        answer=plans.SeasonList,
        tables=(Seasons,),
        keeps_s=300,
    ),
    Route(
        "/divisions",
        "Divisions of a season",
        asked=OfSeason,
        make=plans.divisions,
        answer=plans.DivisionList,
        tables=(Seasons, Divisions, Groups),
        keeps_s=300,
    ),
    Route(
        "/rounds",
        "Rounds of a division",
        asked=plans.Rest,
        make=plans.rounds,
        answer=plans.RoundList,
        tables=plans.PLAN_TABLES,
        keeps_s=300,
    ),
    Route(
        "/schedule",
        "Schedule of a division",
        asked=plans.Rest,
        make=plans.schedule,
        answer=plans.Schedule,
        tables=plans.PLAN_TABLES,
        keeps_s=300,
    ),
)
"""What is answered; `/matches/recent` is before `/matches/{match_id}`, which it would be taken for."""

router = router_of("/tournaments", ROUTES)
