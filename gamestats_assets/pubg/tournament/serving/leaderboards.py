"""Published standings of the teams and players of a division."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, LiteralString

from psycopg import sql
from pydantic import BaseModel, Field

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.serving.context import (
    CONTEXT_TABLES,
    Context,
    Metadata,
    OfDivisionOrMatch,
    find,
    metadata,
)
from gamestats_assets.pubg.tournament.tables import PAGE_CATEGORIES
from gamestats_assets.serving.answers.lines import Lines, Order, answer_of, named, ordered, page_of, rows_of
from gamestats_assets.serving.answers.routes import Flag, Made, Page
from gamestats_assets.serving.database import Connection

_BOTH = (*CONTEXT_TABLES, t.TournamentTeamResults, t.Teams)
TEAM_TABLES = (*_BOTH, t.TournamentTeamStandings, t.TournamentTeamStandingsHistory)
PLAYER_TABLES = (
    *_BOTH,
    t.TournamentPlayerStandings,
    t.TournamentLineups,
    t.MatchSummaries,
    t.PlayerMatchWeaponDistribution,
)


class Weapon(BaseModel):
    """Results with a category of weapons."""

    damage: float
    kills: int


TEAM_FIGURES = {
    "total_points": "points",
    "total_kills": "kills",
    "wwcd": "wins",
    "matches_played": "matches_played",
    "avg_placement": "average_placement",
    "recent_placements": "recent_placements",
}
TEAM_DIGITS = {"avg_placement": 1}
PLAYER_FIGURES = {
    "total_points": "points",
    "total_kills": "kills",
    "total_damage": "damage_dealt",
    "avg_damage": "average_damage",
    "killsteals": "killsteals",
    "matches_played": "matches_played",
}
PLAYER_DIGITS = {"total_damage": 1, "avg_damage": 1}
"""Columns of teams and players in standings, on boards and on their own pages, with their number of digits."""
TEAM = Lines(
    "TeamLine",
    t.TournamentTeamStandings,
    {
        "rank": "rank",
        "rank_change": Annotated[int | None, Field(description="Ranks gained; null without an earlier rank.")],
        "team_id": "team_id",
        "team_name": "team_name",
        "group": "group_name",
        **TEAM_FIGURES,
    },
    digits=TEAM_DIGITS,
)
PLAYER = Lines(
    "PlayerLine",
    t.TournamentPlayerStandings,
    {
        **named("rank", "account_id", "player_name", "team_id", "team_name"),
        **PLAYER_FIGURES,
        "weapon_distribution": (
            dict[str, Weapon],
            Field(default=None, description="By weapon category; with include_weapons=true."),
        ),
    },
    digits=PLAYER_DIGITS,
)
TeamLeaderboard = answer_of("TeamLeaderboard", {"teams": TEAM.model}, metadata=Metadata, counted=True)
PlayerLeaderboard = answer_of("PlayerLeaderboard", {"players": PLAYER.model}, metadata=Metadata, counted=True)


class TeamBoard(OfDivisionOrMatch, Page):
    """Parameters of a team leaderboard."""

    sort: Annotated[
        Literal["rank", "team_name", "total_points", "total_kills", "wwcd", "matches_played", "avg_placement"],
        Field(description="Column to sort by."),
    ] = "rank"
    order: Order = "asc"


class PlayerBoard(OfDivisionOrMatch, Page):
    """Parameters of a player leaderboard."""

    include_weapons: Annotated[Flag, Field(description="Whether to include damage and kills by weapon category.")] = (
        False
    )
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
        Field(description="Column to sort by."),
    ] = "rank"
    order: Order = "asc"


async def team_leaderboard(conn: Connection, asked: TeamBoard) -> Made:
    """Returns the standings of the teams of a division: over all rounds, one round, or one match; of all groups, or
    one.

    `rank` is the official one, by the season's points and tie breakers, whatever the order of the list. `rank_change`
    compares it with the end of the previous round, or within a round with the state before its last match.
    """
    context = await find(conn, asked)
    query, bound = (_of_match(context) if context.match else TEAM.select(rank=_AMONG_THESE) + _WHERE), context.bound
    order = ordered([asked.sort, "rank", "team_id"], asked.order)
    rows, total = await page_of(conn, query, bound, asked, order)
    ranks = [] if context.match else await rows_of(conn, _RANKS_BEFORE, bound)
    before = {row["team_id"]: row["rank"] for row in ranks}
    changes = [before[row["team_id"]] - row["rank"] if row["team_id"] in before else None for row in rows]
    teams = [TEAM.line(row, rank_change=change) for row, change in zip(rows, changes, strict=True)]
    about = await metadata(conn, context, asked, TEAM_TABLES)
    return {"metadata": about, "data": {"teams": teams, "total_count": total}}


async def player_leaderboard(conn: Connection, asked: PlayerBoard) -> Made:
    """Returns the standings of the players of a division: over all rounds, one round, or one match; of all groups, or
    one."""
    context = await find(conn, asked)
    weapons = ("weapon_categories", "weapon_damage", "weapon_kills")
    query = _PLAYERS_OF_MATCH if context.match else PLAYER.select(*weapons, rank=_AMONG_THESE) + _WHERE
    bound = {**context.bound, "categories": [*PAGE_CATEGORIES]}
    order = ordered([asked.sort, "rank", "account_id"], asked.order)
    rows, total = await page_of(conn, query, bound, asked, order)
    players = [
        PLAYER.line(row, **({"weapon_distribution": _weapons(row)} if asked.include_weapons else {})) for row in rows
    ]
    about = await metadata(conn, context, asked, PLAYER_TABLES)
    return {"metadata": about, "data": {"players": players, "total_count": total}}


def _weapons(row: dict[str, Any]) -> dict[str, Any]:
    found = zip(row["weapon_categories"], row["weapon_damage"], row["weapon_kills"], strict=True)
    return {category: {"damage": round(damage, 1), "kills": kills} for category, damage, kills in found}


_AMONG_THESE = "rank() OVER (ORDER BY rank)"
"""Rank of a line among the requested ones: with a group, its place within the group."""
_WHERE = sql.SQL(
    " WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s"
    " AND (%(group)s::text IS NULL OR group_name = %(group)s)"
)
_TIES: Mapping[str, LiteralString] = {
    "points": "points DESC",
    "wins": "(placement = 1) DESC NULLS LAST",
    "kills": "kills DESC",
    "latest_placement": "placement NULLS LAST",
    "average_placement": "placement NULLS LAST",
}


def _of_match(context: Context) -> sql.Composed:
    """Returns each team's line in one match, ranked by the season's rules."""
    deciding = sql.SQL(", ").join(sql.SQL(_TIES[name]) for name in ["points", *context.season["tie_breakers"]])
    return sql.SQL("""
        SELECT rank() OVER (ORDER BY {}) AS rank, r.team_id, r.team_name, g.group_name AS "group",
               points AS total_points, kills AS total_kills, coalesce(placement = 1, false)::int AS wwcd,
               1 AS matches_played, placement::float8 AS avg_placement, ARRAY[placement] AS recent_placements
        FROM pubg.tournament_team_results r LEFT JOIN pubg.teams t USING (team_id)
        LEFT JOIN pubg.groups g ON g.group_id = t.group_id
        WHERE match_id = %(match)s AND (%(group)s::text IS NULL OR g.group_name = %(group)s)
    """).format(deciding)


_PLAYERS_OF_MATCH = sql.SQL("""
    SELECT rank() OVER (ORDER BY points DESC, kills DESC, damage_dealt DESC) AS rank, account_id, player_name, team_id,
           team_name, points AS total_points, kills AS total_kills, damage_dealt AS total_damage,
           damage_dealt AS avg_damage, killsteals, 1 AS matches_played, weapons.*
    FROM (
        SELECT l.account_id, l.player_name, l.team_id, r.team_name, coalesce(m.kills, 0) AS kills,
               greatest(coalesce(m.damage_dealt, 0), 0) AS damage_dealt, coalesce(m.killsteals, 0) AS killsteals,
               coalesce(m.kills, 0) * s.kill_points
                   + CASE WHEN s.player_points_with_placement THEN r.placement_points ELSE 0 END AS points
        FROM pubg.tournament_lineups l
        JOIN pubg.tournament_team_results r USING (match_id, team_id)
        JOIN pubg.seasons s USING (season)
        JOIN pubg.match_summaries m USING (match_id, account_id)
        LEFT JOIN pubg.teams t ON t.team_id = l.team_id LEFT JOIN pubg.groups g ON g.group_id = t.group_id
        WHERE l.match_id = %(match)s AND (%(group)s::text IS NULL OR g.group_name = %(group)s)
    ) AS played, LATERAL (
        SELECT array_agg(category ORDER BY place) AS weapon_categories,
               array_agg(damage ORDER BY place) AS weapon_damage, array_agg(kills ORDER BY place) AS weapon_kills
        FROM (
            SELECT category, place, coalesce(sum(w.total_damage), 0) AS damage, coalesce(sum(w.total_kills), 0) AS kills
            FROM unnest(%(categories)s::text[]) WITH ORDINALITY AS listed (category, place)
            LEFT JOIN pubg.player_match_weapon_distribution w ON w.match_id = %(match)s
                AND w.account_id = played.account_id
                -- Categories that the page does not show are Other.
                AND (w.weapon_category = category
                     OR category = 'Other' AND w.weapon_category <> ALL(%(categories)s::text[]))
            GROUP BY category, place
        ) AS done
    ) AS weapons
""")


_RANKS_BEFORE = sql.SQL("""
WITH counted AS (
    SELECT round_id, round_number, ended_at FROM pubg.tournament_matches
    WHERE division_id = %(division)s AND counts AND season = %(season)s
), of_round AS (
    SELECT ended_at FROM counted WHERE round_id = %(round)s
), bound AS (
    -- Over all rounds, the end of the previous round; within a round, the end of the match before its last.
    SELECT CASE WHEN %(round)s::bigint IS NULL
                THEN (SELECT max(ended_at) FROM counted
                      WHERE round_number < (SELECT max(round_number) FROM counted))
                ELSE (SELECT max(ended_at) FROM of_round WHERE ended_at < (SELECT max(ended_at) FROM of_round))
           END AS moment
), newest AS (
    SELECT snapshot FROM pubg.tournament_team_standings_history, bound
    WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s
        AND starts_with(snapshot, 'match:') AND taken_at <= bound.moment
    ORDER BY taken_at DESC, snapshot LIMIT 1
)
SELECT team_id, rank() OVER (ORDER BY rank) AS rank FROM pubg.tournament_team_standings_history
WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s
    AND snapshot = (SELECT snapshot FROM newest) AND (%(group)s::text IS NULL OR group_name = %(group)s)
""")
