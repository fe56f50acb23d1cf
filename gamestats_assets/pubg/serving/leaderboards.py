"""Standings of the teams and of the players of a division, as they are published."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from psycopg import sql
from pydantic import BaseModel, Field

from gamestats_assets.pubg.serving.context import (
    CONTEXT_TABLES,
    Context,
    Metadata,
    OfDivision,
    find,
    metadata,
)
from gamestats_assets.pubg.tables import (
    TournamentMatches,
    TournamentPlayerStandings,
    TournamentTeamStandings,
    TournamentTeamStandingsHistory,
)
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.lines import Lines, Order, answer_of, ordered, page_of
from gamestats_assets.serving.routes import Made, Page

TEAM_TABLES = (*CONTEXT_TABLES, TournamentTeamStandings, TournamentTeamStandingsHistory, TournamentMatches)
PLAYER_TABLES = (*CONTEXT_TABLES, TournamentPlayerStandings, TournamentMatches)


class Weapon(BaseModel):
    """What was done with a category of weapons."""

    damage: float
    kills: int


TEAM = Lines(
    "TeamLine",
    TournamentTeamStandings,
    {
        "rank": "rank",
        "rank_change": Annotated[int | None, Field(description="Ranks climbed; null when there is none before.")],
        "team_id": "team_id",
        "team_name": "team_name",
        "group": "group_name",
        "total_points": "points",
        "total_kills": "kills",
        "wwcd": "wins",
        "matches_played": "matches_played",
        "avg_placement": "average_placement",
        "recent_placements": "recent_placements",
    },
    digits={"avg_placement": 1},
)
PLAYER = Lines(
    "PlayerLine",
    TournamentPlayerStandings,
    {
        "rank": "rank",
        "account_id": "account_id",
        "player_name": "player_name",
        "team_id": "team_id",
        "team_name": "team_name",
        "total_points": "points",
        "total_kills": "kills",
        "total_damage": "damage_dealt",
        "avg_damage": "average_damage",
        "killsteals": "killsteals",
        "matches_played": "matches_played",
        "weapon_distribution": (
            dict[str, Weapon],
            Field(default=None, description="By weapon category; with include_weapons=true."),
        ),
    },
    digits={"total_damage": 1, "avg_damage": 1},
)
TeamLeaderboard = answer_of("TeamLeaderboard", {"teams": TEAM.model}, metadata=Metadata, counted=True)
PlayerLeaderboard = answer_of("PlayerLeaderboard", {"players": PLAYER.model}, metadata=Metadata, counted=True)


class TeamBoard(OfDivision, Page):
    """What may be asked of a team leaderboard."""

    sort: Annotated[
        Literal["rank", "team_name", "total_points", "total_kills", "wwcd", "matches_played", "avg_placement"],
        Field(description="By which column."),
    ] = "rank"
    order: Order = "asc"


class PlayerBoard(OfDivision, Page):
    """What may be asked of a player leaderboard."""

    include_weapons: Annotated[bool, Field(description="With damage and kills by weapon category.")] = False
    sort: Annotated[
        Literal[
            "rank",
            "player_name",
            "team_name",
            "total_points",
            "total_kills",
            "total_damage",
            "avg_damage",
            "killsteals",
            "matches_played",
        ],
        Field(description="By which column."),
    ] = "rank"
    order: Order = "asc"


async def team_leaderboard(conn: Connection, asked: TeamBoard) -> Made:
    """Standings of the teams of a division: of all rounds, or of one.

    `rank` is the official one, by the season's points and tie breakers, whatever the list is sorted by.
    """
    context = await find(conn, asked)
    where, bound = _where(context)
    before = {row["team_id"]: row["rank"] for row in await (await conn.execute(_RANKS_BEFORE, bound)).fetchall()}
    rows, total = await page_of(
        conn, TEAM.select() + where, bound, asked, ordered([asked.sort, "rank", "team_id"], asked.order)
    )
    changes = [before[row["team_id"]] - row["rank"] if row["team_id"] in before else None for row in rows]
    teams = [TEAM.line(row, rank_change=change) for row, change in zip(rows, changes, strict=True)]
    told = await metadata(conn, context, asked, TEAM_TABLES)
    return {"metadata": told, "data": {"teams": teams, "total_count": total}}


async def player_leaderboard(conn: Connection, asked: PlayerBoard) -> Made:
    """Standings of the players of a division: of all rounds, or of one."""
    context = await find(conn, asked)
    where, bound = _where(context)
    query = PLAYER.select(*(("weapon_categories", "weapon_damage", "weapon_kills") if asked.include_weapons else ()))
    order = ordered([asked.sort, "rank", "account_id"], asked.order)
    rows, total = await page_of(conn, query + where, bound, asked, order)
    players = [
        PLAYER.line(row, **({"weapon_distribution": _weapons(row)} if asked.include_weapons else {})) for row in rows
    ]
    told = await metadata(conn, context, asked, PLAYER_TABLES)
    return {"metadata": told, "data": {"players": players, "total_count": total}}


def _weapons(row: dict[str, Any]) -> dict[str, Any]:
    found = zip(row["weapon_categories"], row["weapon_damage"], row["weapon_kills"], strict=True)
    return {category: {"damage": round(damage, 1), "kills": kills} for category, damage, kills in found}


def _where(context: Context) -> tuple[sql.SQL, dict[str, Any]]:
    """The standings of a context, and the values that are bound."""
    where = sql.SQL(
        " WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s"
        " AND (%(group)s::text IS NULL OR group_name = %(group)s)"
    )
    return where, {**context.bound, "scope": context.scope}


_RANKS_BEFORE = """
WITH counted AS (
    SELECT round_id, started_at, ended_at FROM pubg.tournament_matches
    WHERE division_id = %(division)s AND counts AND season = %(season)s
), newest AS (
    SELECT * FROM counted WHERE %(scope)s IN ('overall', round_id::text) ORDER BY ended_at DESC, started_at DESC LIMIT 1
), bound AS (
    -- All rounds: before the first match of the newest round. One round: before its last match.
    SELECT CASE WHEN %(scope)s = 'overall'
                THEN (SELECT min(c.started_at) FROM counted c WHERE c.round_id = newest.round_id)
                ELSE newest.started_at END AS moment
    FROM newest
)
SELECT team_id, rank FROM pubg.tournament_team_standings_history
WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s AND taken_at = (
    SELECT max(taken_at) FROM pubg.tournament_team_standings_history, bound
    WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s
        AND starts_with(snapshot, 'match:') AND taken_at <= bound.moment
) AND starts_with(snapshot, 'match:')
"""
