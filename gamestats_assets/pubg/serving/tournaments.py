"""`/api/v1/tournaments`: standings, matches, rounds and schedules, as they are published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from psycopg import sql
from pydantic import BaseModel, Field
from starlette.responses import Response

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.serving.context import (
    CONTEXT_TABLES,
    Context,
    Metadata,
    OfDivision,
    OfSeason,
    Page,
    Parameters,
    find,
    find_season,
    metadata,
    rows_of,
)
from gamestats_assets.pubg.tables import (
    TournamentMatches,
    TournamentPlayerStandings,
    TournamentTeamResults,
    TournamentTeamStandings,
    TournamentTeamStandingsHistory,
)
from gamestats_assets.pubg.tables.ops import Divisions, Groups, ScheduledMatches, Seasons
from gamestats_assets.serving.answers import Answers, Connection
from gamestats_assets.serving.problems import ProblemError

router = APIRouter(prefix="/tournaments", tags=["tournaments"])
LEADERBOARD_KEEPS_S = 60
SCHEDULE_KEEPS_S = 300


async def _answered(
    request: Request,
    tables: Sequence[type[Table]],
    asked: Parameters,
    make: Callable[[Connection], Awaitable[Any]],
    keeps_s: int,
) -> Response:
    answers: Answers = request.state.answers
    # The path tells apart what has the same parameters.
    key = f"{request.url.path} {asked.key()}"
    return await answers.give(request, [*dict.fromkeys(tables)], key, make, keeps_s=keeps_s)


def _ordered(columns: dict[str, str], sort: str, order: str, then: Sequence[str]) -> sql.Composed:
    direction = sql.SQL("DESC NULLS LAST" if order == "desc" else "ASC NULLS LAST")
    rest = sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in then)
    return sql.SQL(" ORDER BY {} {}{}").format(sql.Identifier(columns[sort]), direction, rest)


# --------------------------------------------------------------------------- leaderboards

_TEAM_COLUMNS = {
    "rank": "rank",
    "team_name": "team_name",
    "total_points": "points",
    "total_kills": "kills",
    "wwcd": "wins",
    "matches_played": "matches_played",
    "avg_placement": "average_placement",
}
_PLAYER_COLUMNS = {
    "rank": "rank",
    "player_name": "player_name",
    "team_name": "team_name",
    "total_points": "points",
    "total_kills": "kills",
    "total_damage": "damage_dealt",
    "avg_damage": "average_damage",
    "killsteals": "killsteals",
    "matches_played": "matches_played",
}
Order = Annotated[Literal["asc", "desc"], Field(description="Which way.")]


class TeamBoard(OfDivision, Page):
    """What may be asked of a team leaderboard."""

    sort: Annotated[Literal[tuple(_TEAM_COLUMNS)], Field(description="By which column.")] = "rank"  # type: ignore[valid-type]
    order: Order = "asc"


class PlayerBoard(OfDivision, Page):
    """What may be asked of a player leaderboard."""

    include_weapons: Annotated[bool, Field(description="With damage and kills by weapon category.")] = False
    sort: Annotated[Literal[tuple(_PLAYER_COLUMNS)], Field(description="By which column.")] = "rank"  # type: ignore[valid-type]
    order: Order = "asc"


class TeamLine(BaseModel):
    """A team of a leaderboard."""

    rank: Annotated[int, Field(examples=[1])]
    rank_change: Annotated[int | None, Field(description="Ranks climbed; null when there is none before.")]
    team_id: Annotated[int, Field(examples=[12])]
    team_name: Annotated[str, Field(examples=["Team Alpha"])]
    group: str | None
    total_points: Annotated[int, Field(examples=[97])]
    total_kills: Annotated[int, Field(examples=[45])]
    wwcd: Annotated[int, Field(description="Matches won.", examples=[2])]
    matches_played: Annotated[int, Field(examples=[6])]
    avg_placement: Annotated[float | None, Field(examples=[3.5])]
    recent_placements: Annotated[list[int | None], Field(description="Of the last six matches, the newest last.")]


class Weapon(BaseModel):
    """What was done with a category of weapons."""

    damage: float
    kills: int


class PlayerLine(BaseModel):
    """A player of a leaderboard."""

    rank: int
    account_id: Annotated[str, Field(examples=["account.3e0f5f7a2f6b4c0f9a7d1c2b3a4d5e6f"])]
    player_name: Annotated[str, Field(examples=["Kim"])]
    team_id: int
    team_name: str
    total_points: int
    total_kills: int
    total_damage: float
    avg_damage: float | None
    killsteals: int
    matches_played: int
    weapon_distribution: Annotated[dict[str, Weapon] | None, Field(description="With include_weapons=true.")] = None


class Teams(BaseModel):
    """Lines of a page, and how many there are in all."""

    teams: list[TeamLine]
    total_count: int


class Players(BaseModel):
    """Lines of a page, and how many there are in all."""

    players: list[PlayerLine]
    total_count: int


class TeamLeaderboard(BaseModel):
    """The answer."""

    metadata: Metadata
    data: Teams


class PlayerLeaderboard(BaseModel):
    """The answer."""

    metadata: Metadata
    data: Players


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
_TEAM_TABLES = (*CONTEXT_TABLES, TournamentTeamStandings, TournamentTeamStandingsHistory, TournamentMatches)
_PLAYER_TABLES = (*CONTEXT_TABLES, TournamentPlayerStandings, TournamentMatches)


def _where(context: Context) -> tuple[sql.Composed, dict[str, Any]]:
    """The standings of a context, and the values that are bound."""
    where = sql.SQL(" WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s")
    bound = {
        "season": context.season["season"],
        "division": context.division["division_id"],
        "scope": context.scope,
        "group": context.group,
    }
    return where + sql.SQL(" AND (%(group)s::text IS NULL OR group_name = %(group)s)"), bound


async def _page(
    conn: Connection, query: sql.Composable, bound: dict[str, Any], page: Page, order: sql.Composable
) -> tuple[list[dict[str, Any]], int]:
    count = sql.SQL("SELECT count(*) AS found FROM ({}) AS rows").format(query)
    [total] = await (await conn.execute(count, bound)).fetchall()
    limited = query + order + sql.SQL(" LIMIT %(limit)s OFFSET %(offset)s")
    span = {"limit": page.page_size, "offset": (page.page - 1) * page.page_size}
    return await (await conn.execute(limited, {**bound, **span})).fetchall(), total["found"]


@router.get("/leaderboard/teams", responses={200: {"model": TeamLeaderboard}}, summary="Team standings")
async def team_leaderboard(request: Request, asked: Annotated[TeamBoard, Query()]) -> Response:
    """Standings of the teams of a division: of all rounds, or of one.

    `rank` is the official one, by the season's points and tie breakers, whatever the list is sorted by.
    """

    async def make(conn: Connection) -> dict[str, Any]:
        context = await find(conn, asked)
        where, bound = _where(context)
        before = {row["team_id"]: row["rank"] for row in await (await conn.execute(_RANKS_BEFORE, bound)).fetchall()}
        query = sql.SQL("SELECT * FROM pubg.tournament_team_standings") + where
        order = _ordered(_TEAM_COLUMNS, asked.sort, asked.order, ["rank", "team_id"])
        rows, total = await _page(conn, query, bound, asked, order)
        teams = [
            {
                "rank": row["rank"],
                "rank_change": before[row["team_id"]] - row["rank"] if row["team_id"] in before else None,
                "team_id": row["team_id"],
                "team_name": row["team_name"],
                "group": row["group_name"],
                "total_points": row["points"],
                "total_kills": row["kills"],
                "wwcd": row["wins"],
                "matches_played": row["matches_played"],
                "avg_placement": _rounded(row["average_placement"], 1),
                "recent_placements": row["recent_placements"],
            }
            for row in rows
        ]
        told = await metadata(conn, context, asked, _TEAM_TABLES)
        return {"metadata": told, "data": {"teams": teams, "total_count": total}}

    return await _answered(request, _TEAM_TABLES, asked, make, LEADERBOARD_KEEPS_S)


@router.get("/leaderboard/players", responses={200: {"model": PlayerLeaderboard}}, summary="Player standings")
async def player_leaderboard(request: Request, asked: Annotated[PlayerBoard, Query()]) -> Response:
    """Standings of the players of a division: of all rounds, or of one."""

    async def make(conn: Connection) -> dict[str, Any]:
        context = await find(conn, asked)
        where, bound = _where(context)
        query = sql.SQL("SELECT * FROM pubg.tournament_player_standings") + where
        order = _ordered(_PLAYER_COLUMNS, asked.sort, asked.order, ["rank", "account_id"])
        rows, total = await _page(conn, query, bound, asked, order)
        players = [
            {
                "rank": row["rank"],
                "account_id": row["account_id"],
                "player_name": row["player_name"],
                "team_id": row["team_id"],
                "team_name": row["team_name"],
                "total_points": row["points"],
                "total_kills": row["kills"],
                "total_damage": _rounded(row["damage_dealt"], 1),
                "avg_damage": _rounded(row["average_damage"], 1),
                "killsteals": row["killsteals"],
                "matches_played": row["matches_played"],
                **({"weapon_distribution": _weapons(row)} if asked.include_weapons else {}),
            }
            for row in rows
        ]
        told = await metadata(conn, context, asked, _PLAYER_TABLES)
        return {"metadata": told, "data": {"players": players, "total_count": total}}

    return await _answered(request, _PLAYER_TABLES, asked, make, LEADERBOARD_KEEPS_S)


def _weapons(row: dict[str, Any]) -> dict[str, Any]:
    found = zip(row["weapon_categories"], row["weapon_damage"], row["weapon_kills"], strict=True)
    return {category: {"damage": _rounded(damage, 1), "kills": kills} for category, damage, kills in found}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


# --------------------------------------------------------------------------- seasons, rounds, schedule


class SeasonLine(BaseModel):
    """A season, and how it scores."""

    season_id: int
    season: str
    name: str
    time_zone: str
    placement_points: list[int]
    kill_points: int
    player_points_with_placement: bool
    tie_breakers: list[str]


class SeasonList(BaseModel):
    """The answer."""

    data: dict[Literal["seasons"], list[SeasonLine]]


class DivisionLine(BaseModel):
    """A division, and its groups."""

    division_id: int
    division: str
    groups: list[str]


class DivisionList(BaseModel):
    """The answer."""

    data: dict[Literal["divisions"], list[DivisionLine]]


class RoundLine(BaseModel):
    """A round of a division or of one of its groups."""

    round_id: int
    round: int
    round_name: str
    group: str | None
    status: str
    first_day: date
    last_day: date
    matches_scheduled: int
    matches_played: int


class RoundList(BaseModel):
    """The answer."""

    metadata: Metadata
    data: dict[Literal["rounds"], list[RoundLine]]


class SlotLine(BaseModel):
    """A match of a schedule."""

    schedule_match_id: int
    round: int
    match_number: int
    scheduled_datetime: datetime
    map_name: str | None
    status: str
    actual_match_id: Annotated[str | None, Field(description="The match that was played, once it is known.")]
    is_remake: bool
    original_match_id: str | None
    remake_reason: str | None


class Schedule(BaseModel):
    """The answer."""

    metadata: Metadata
    data: dict[Literal["matches"], list[SlotLine]]


class Nothing(Parameters):
    """No parameters."""


class Rest(OfDivision, Page):
    """A division, and of it a group or a round."""


@router.get("/seasons", responses={200: {"model": SeasonList}}, summary="Seasons")
async def seasons(request: Request, asked: Annotated[Nothing, Query()]) -> Response:
    """Every season, the newest first, with its points and tie breakers."""

    async def make(conn: Connection) -> dict[str, Any]:
        query = """
            SELECT season_id, season, name, time_zone, placement_points, kill_points, player_points_with_placement,
                   tie_breakers
            FROM pubg.seasons ORDER BY season_id DESC
        """
        return {"data": {"seasons": await rows_of(conn, query, [])}}

    return await _answered(request, [Seasons], asked, make, SCHEDULE_KEEPS_S)


@router.get("/divisions", responses={200: {"model": DivisionList}}, summary="Divisions of a season")
async def divisions(request: Request, asked: Annotated[OfSeason, Query()]) -> Response:
    """The divisions of a season with their groups."""

    async def make(conn: Connection) -> dict[str, Any]:
        season = await find_season(conn, asked)
        query = """
            SELECT division_id, division,
                   ARRAY(SELECT group_name FROM pubg.groups g WHERE g.division_id = d.division_id ORDER BY group_id)
                       AS groups
            FROM pubg.divisions d WHERE season_id = %s ORDER BY division_id
        """
        return {"data": {"divisions": await rows_of(conn, query, [season["season_id"]])}}

    return await _answered(request, [Seasons, Divisions, Groups], asked, make, SCHEDULE_KEEPS_S)


_ROUND_TABLES = (*CONTEXT_TABLES, ScheduledMatches, TournamentMatches)


@router.get("/rounds", responses={200: {"model": RoundList}}, summary="Rounds of a division")
async def rounds(request: Request, asked: Annotated[Rest, Query()]) -> Response:
    """The rounds of a division, with their days in the season's time zone and how much of each is played."""

    async def make(conn: Connection) -> dict[str, Any]:
        context = await find(conn, asked)
        query = """
            SELECT r.round_id, r.round_number AS round, r.round_name, g.group_name AS "group", r.status, r.first_day,
                   r.last_day,
                   (SELECT count(*) FROM pubg.scheduled_matches s
                    WHERE s.round_id = r.round_id AND s.status <> 'cancelled') AS matches_scheduled,
                   (SELECT count(*) FROM pubg.tournament_matches m
                    WHERE m.round_id = r.round_id AND m.counts) AS matches_played
            FROM pubg.rounds r LEFT JOIN pubg.groups g USING (group_id)
            WHERE r.division_id = %(division)s AND (%(group)s::text IS NULL OR g.group_name IN (%(group)s))
                AND (%(round)s::int IS NULL OR r.round_number = %(round)s)
            ORDER BY r.round_number, g.group_id NULLS FIRST
        """
        bound = {"division": context.division["division_id"], "group": context.group, "round": asked.round}
        found = await (await conn.execute(query, bound)).fetchall()
        told = await metadata(conn, context, asked, _ROUND_TABLES)
        return {"metadata": told, "data": {"rounds": found}}

    return await _answered(request, _ROUND_TABLES, asked, make, SCHEDULE_KEEPS_S)


@router.get("/schedule", responses={200: {"model": Schedule}}, summary="Schedule of a division")
async def schedule(request: Request, asked: Annotated[Rest, Query()]) -> Response:
    """The scheduled matches of a division or of one of its rounds, and which match was played for each."""

    async def make(conn: Connection) -> dict[str, Any]:
        context = await find(conn, asked)
        query = """
            SELECT s.scheduled_match_id AS schedule_match_id, r.round_number AS round, s.match_number,
                   s.scheduled_at AS scheduled_datetime, s.map_name, s.status,
                   (SELECT min(m.match_id) FROM pubg.tournament_matches m
                    WHERE m.scheduled_match_id = s.scheduled_match_id AND m.counts) AS actual_match_id,
                   s.is_remake, s.original_match_id, s.remake_reason
            FROM pubg.scheduled_matches s JOIN pubg.rounds r USING (round_id) LEFT JOIN pubg.groups g USING (group_id)
            WHERE r.division_id = %(division)s AND (%(group)s::text IS NULL OR g.group_name IN (%(group)s))
                AND (%(round)s::bigint IS NULL OR r.round_id = %(round)s)
            ORDER BY s.scheduled_at, r.round_number, s.match_number
        """
        round_id = context.round and context.round["round_id"]
        bound = {"division": context.division["division_id"], "group": context.group, "round": round_id}
        found = await (await conn.execute(query, bound)).fetchall()
        told = await metadata(conn, context, asked, _ROUND_TABLES)
        return {"metadata": told, "data": {"matches": found}}

    return await _answered(request, _ROUND_TABLES, asked, make, SCHEDULE_KEEPS_S)


# --------------------------------------------------------------------------- matches


class TeamResult(BaseModel):
    """A team's result in a match."""

    team_id: int
    team_name: str
    placement: int | None
    kills: int
    damage_dealt: float
    placement_points: int
    kill_points: int
    points: int


class MatchLine(BaseModel):
    """A match and its results."""

    match_id: str
    round: int | None
    round_name: str | None
    match_number: int | None
    map_name: str | None
    started_at: datetime
    ended_at: datetime
    counts: bool
    validation_status: str
    winner_team_name: str | None
    results: list[TeamResult]


class Matches(BaseModel):
    """Matches of a page, and how many there are in all."""

    matches: list[MatchLine]
    total_count: int


class MatchHistory(BaseModel):
    """The answer."""

    metadata: Metadata
    data: Matches


class OneMatch(BaseModel):
    """The answer."""

    data: MatchLine


_MATCH_TABLES = (*CONTEXT_TABLES, TournamentMatches, TournamentTeamResults)
_MATCH = sql.SQL("""
    SELECT match_id, match_date, round_number AS round, round_name, match_number, map_name, started_at, ended_at,
           counts, validation_status, winner_team_name
    FROM pubg.tournament_matches
""")


async def _with_results(conn: Connection, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    query = """
        SELECT match_id, team_id, team_name, placement, kills, damage_dealt, placement_points, kill_points, points
        FROM pubg.tournament_team_results WHERE match_id = ANY(%s) AND match_date = ANY(%s)
        ORDER BY placement NULLS LAST, points DESC, team_id
    """
    days = sorted({row["match_date"] for row in found})
    results: dict[str, list[dict[str, Any]]] = {}
    for row in await rows_of(conn, query, [[row["match_id"] for row in found], days]):
        results.setdefault(row.pop("match_id"), []).append(row)
    return [
        {name: value for name, value in row.items() if name != "match_date"}
        | {"results": results.get(row["match_id"], [])}
        for row in found
    ]


@router.get("/matches/recent", responses={200: {"model": MatchHistory}}, summary="Matches, the newest first")
async def recent_matches(request: Request, asked: Annotated[Rest, Query()]) -> Response:
    """The matches of a division or of one of its rounds, the newest first, with each team's result."""

    async def make(conn: Connection) -> dict[str, Any]:
        context = await find(conn, asked)
        where = sql.SQL(
            " WHERE season = %(season)s AND division_id = %(division)s"
            " AND (%(group)s::text IS NULL OR group_name IN (%(group)s))"
            " AND (%(round)s::bigint IS NULL OR round_id = %(round)s)"
        )
        bound = {
            "season": context.season["season"],
            "division": context.division["division_id"],
            "group": context.group,
            "round": context.round and context.round["round_id"],
        }
        order = sql.SQL(" ORDER BY started_at DESC, match_id")
        found, total = await _page(conn, _MATCH + where, bound, asked, order)
        told = await metadata(conn, context, asked, _MATCH_TABLES)
        return {"metadata": told, "data": {"matches": await _with_results(conn, found), "total_count": total}}

    return await _answered(request, _MATCH_TABLES, asked, make, LEADERBOARD_KEEPS_S)


@router.get("/matches/{match_id}", responses={200: {"model": OneMatch}}, summary="One match")
async def one_match(request: Request, match_id: str, asked: Annotated[Nothing, Query()]) -> Response:
    """A tournament match with each team's result.

    Raises:
        ProblemError: 404 when there is none of that id.
    """

    async def make(conn: Connection) -> dict[str, Any]:
        query = _MATCH + sql.SQL(" WHERE match_id = %(match_id)s")
        found = await (await conn.execute(query, {"match_id": match_id.lower()})).fetchall()
        if not found:
            raise ProblemError(404, f"There is no tournament match {match_id[:80]!r}.")
        return {"data": (await _with_results(conn, found))[0]}

    return await _answered(request, [TournamentMatches, TournamentTeamResults], asked, make, LEADERBOARD_KEEPS_S)
