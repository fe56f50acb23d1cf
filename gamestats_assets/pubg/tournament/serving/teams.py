"""A team: its roster, standings and results; a comparison of two teams; points of all teams by match."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from psycopg import sql
from pydantic import BaseModel, Field, create_model, model_validator

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.serving.context import CONTEXT_TABLES, Metadata, OfDivision, find, metadata
from gamestats_assets.pubg.tournament.serving.leaderboards import TEAM_DIGITS, TEAM_FIGURES
from gamestats_assets.serving.answers.lines import Lines, answer_of, answer_with, are_published, named, rows_of
from gamestats_assets.serving.answers.routes import Made, Number, Parameters
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.problems import ProblemError

TEAM_TABLES = (*CONTEXT_TABLES, t.Teams, t.RosterEntries, t.TournamentTeamStandings, t.TournamentTeamResults)
PAIR_TABLES = (*CONTEXT_TABLES, t.Teams, t.TournamentTeamResults, t.TournamentLineups, t.KillPositions)
POINTS_TABLES = (*CONTEXT_TABLES, t.Teams, t.TournamentTeamResults, t.TournamentTeamStandings)
TEAM = Lines(
    "Team",
    t.Teams,
    {
        **named("team_id", "team_name", "tag"),
        "season": Annotated[str, Field(description="Short name of its season.")],
        "season_name": Annotated[str, Field(description="Its display name.")],
        "division": Annotated[str, Field(description="Its division.")],
        "group": Annotated[str | None, Field(description="Group it plays in.")],
    },
)
ENTRY = Lines("RosterLine", t.RosterEntries, named("account_id", "player_name", "role", "valid_from", "valid_until"))
STANDING = Lines(
    "TeamStanding",
    t.TournamentTeamStandings,
    {
        "round": "round_number",
        "round_name": "round_name",
        "rank": "rank",
        **TEAM_FIGURES,
    },
    digits=TEAM_DIGITS,
)
RESULT = Lines(
    "ResultOfTeam",
    t.TournamentTeamResults,
    {
        "match_id": "match_id",
        "round": "round_number",
        "round_name": "round_name",
        "match_number": "match_number",
        "map_name": Annotated[str | None, Field(description="Map name.")],
        **named(
            "started_at", "counts", "placement", "kills", "damage_dealt", "placement_points", "kill_points", "points"
        ),
    },
    digits={"damage_dealt": 1},
)
_TeamData: type[BaseModel] = create_model(
    "TeamData",
    __base__=TEAM.model,
    roster=list[ENTRY.model],
    standings=list[STANDING.model],
    results=list[RESULT.model],
)
OneTeam = answer_with("OneTeam", _TeamData)


class OfTeam(Parameters):
    """A team."""

    team_id: Annotated[Number, Field(description="Number of the team.", examples=[1])]


async def one_team(conn: Connection, asked: OfTeam) -> Made:
    """Returns a team: current and former members, standings overall and per round, and results, newest first.

    Raises:
        ProblemError: 404 if there is none with that number.
    """
    team = await _team(conn, asked.team_id)
    bound = {"team": asked.team_id}
    roster = await rows_of(conn, ENTRY.select() + _OF_TEAM + sql.SQL(" ORDER BY valid_from, player_name"), bound)
    standings = STANDING.select() + _OF_TEAM + sql.SQL(" ORDER BY round_number NULLS FIRST, round_id")
    results = await rows_of(conn, _RESULTS, bound)
    data = {
        **team,
        "roster": roster,
        "standings": [STANDING.line(row) for row in await rows_of(conn, standings, bound)],
        "results": [RESULT.line(row) for row in results],
    }
    return {"data": data}


_OF_TEAM = sql.SQL(" WHERE team_id = %(team)s")
_RESULTS = RESULT.select(
    map_name="(SELECT m.map_name FROM pubg.tournament_matches m WHERE m.match_id = tournament_team_results.match_id)"
) + sql.SQL(" WHERE team_id = %(team)s ORDER BY started_at DESC, match_id")


async def others_of_division(conn: Connection, asked: OfTeam) -> list[dict[str, Any]]:
    """Returns the other teams of a team's division: `team_id` and `team_name`, by name."""
    query = """
        SELECT team_id, team_name FROM pubg.teams
        WHERE division_id = (SELECT division_id FROM pubg.teams WHERE team_id = %(team)s) AND team_id <> %(team)s
        ORDER BY lower(team_name), team_id
    """
    return await rows_of(conn, query, {"team": asked.team_id})


async def _team(conn: Connection, team_id: int, name: str = "team_id") -> dict[str, Any]:
    query = """
        SELECT t.team_id, t.team_name, t.tag, s.season, s.name AS season_name, d.division, g.group_name AS "group"
        FROM pubg.teams t JOIN pubg.divisions d USING (division_id) JOIN pubg.seasons s USING (season_id)
        LEFT JOIN pubg.groups g ON g.group_id = t.group_id WHERE t.team_id = %s
    """
    if found := await rows_of(conn, query, [team_id]):
        return found[0]
    detail = f"There is no team numbered {team_id}."
    raise ProblemError(404, detail, errors=[{"name": name, "message": detail}])


# --------------------------------------------------------------------------- two teams


class OfPair(Parameters):
    """Two teams."""

    team: Annotated[Number, Field(description="Number of a team.", examples=[1])]
    other: Annotated[Number, Field(description="Number of another one.", examples=[2])]

    @model_validator(mode="after")
    def _are_two(self) -> OfPair:
        if self.team == self.other:
            raise ValueError("give two teams; these are the same")
        return self


class Side(BaseModel):
    """One of the two."""

    team_id: int
    team_name: str
    ahead: Annotated[int, Field(description="Matches with a better placement than the other team.")]
    points: Annotated[int, Field(description="Points in these matches.")]
    kills: Annotated[int, Field(description="Kills in these matches.")]
    kills_of_other: Annotated[int, Field(description="Kills of players of the other team, from telemetry.")]


class Meeting(BaseModel):
    """A match of both."""

    match_id: str
    division: str
    round: int | None
    match_number: int | None
    started_at: datetime
    placement: int | None
    points: int
    kills: int
    other_placement: int | None
    other_points: int
    other_kills: int


class _Pair(BaseModel):
    team: Side
    other: Side
    matches: list[Meeting]


HeadToHead = answer_with("HeadToHead", _Pair)


async def head_to_head(conn: Connection, asked: OfPair) -> Made:
    """Returns two teams in the counting matches that both played, newest first.

    Raises:
        ProblemError: 404 if a number does not exist.
    """
    found = await _team(conn, asked.team, "team"), await _team(conn, asked.other, "other")
    bound = {"team": asked.team, "other": asked.other}
    matches = await rows_of(conn, _MEETINGS, bound)
    has_kills = await are_published(conn, t.KillPositions, t.TournamentLineups)
    kills = {row["killer"]: row["kills"] for row in (await rows_of(conn, _KILLS_BETWEEN, bound) if has_kills else [])}

    def side(team: dict[str, Any], own: str, others: str) -> dict[str, Any]:
        placed = [(row[own + "placement"], row[others + "placement"]) for row in matches]
        return {
            "team_id": team["team_id"],
            "team_name": team["team_name"],
            "ahead": sum(mine is not None and (its is None or mine < its) for mine, its in placed),
            "points": sum(row[own + "points"] for row in matches),
            "kills": sum(row[own + "kills"] for row in matches),
            "kills_of_other": kills.get(team["team_id"], 0),
        }

    first, second = side(found[0], "", "other_"), side(found[1], "other_", "")
    return {"data": {"team": first, "other": second, "matches": matches}}


_MEETINGS = """
    SELECT a.match_id, a.division, a.round_number AS round, a.match_number, a.started_at, a.placement, a.points,
           a.kills, b.placement AS other_placement, b.points AS other_points, b.kills AS other_kills
    FROM pubg.tournament_team_results a JOIN pubg.tournament_team_results b USING (match_id)
    WHERE a.team_id = %(team)s AND b.team_id = %(other)s AND a.counts ORDER BY a.started_at DESC, a.match_id
"""
_KILLS_BETWEEN = """
    SELECT k.team_id AS killer, count(*) AS kills
    FROM pubg.tournament_team_results r
    JOIN pubg.kill_positions p USING (match_id, match_date)
    JOIN pubg.tournament_lineups k ON k.match_id = p.match_id AND k.account_id = p.killer_account_id
    JOIN pubg.tournament_lineups v ON v.match_id = p.match_id AND v.account_id = p.victim_account_id
    WHERE r.team_id = %(team)s AND r.counts
        AND (k.team_id, v.team_id) IN ((%(team)s, %(other)s), (%(other)s, %(team)s))
    GROUP BY 1
"""


# --------------------------------------------------------------------------- points by match


class MatchOfPoints(BaseModel):
    """A match that counts."""

    match_id: str
    round: int | None
    match_number: int | None
    map_name: str | None
    started_at: datetime
    day: Annotated[date, Field(description="UTC day under which the match is filed.")]


class PointsOfTeam(BaseModel):
    """A team's points."""

    rank: Annotated[int, Field(description="Official rank in the round, or overall.")]
    team_id: int
    team_name: str
    group: str | None
    total_points: int
    points: Annotated[list[int | None], Field(description="Points by match; null if the team did not play.")]
    running: Annotated[list[int], Field(description="The sum after each match.")]


PointsByMatch = answer_of("PointsByMatch", {"matches": MatchOfPoints, "teams": PointsOfTeam}, metadata=Metadata)


async def points_by_match(conn: Connection, asked: OfDivision) -> Made:
    """Returns the points of each team by match: of a round, or of all rounds of a division."""
    context = await find(conn, asked)
    matches = await rows_of(conn, _MATCHES_OF_POINTS, context.bound)
    place = {row["match_id"]: number for number, row in enumerate(matches)}
    teams = {
        row["team_id"]: {**row, "points": [None] * len(matches)} for row in await rows_of(conn, _LINES, context.bound)
    }
    for row in await rows_of(conn, _POINTS, [[*place]]):
        if row["team_id"] in teams:
            teams[row["team_id"]]["points"][place[row["match_id"]]] = row["points"]
    for team in teams.values():
        sums, running = 0, []
        for points in team["points"]:
            sums += points or 0
            running.append(sums)
        team["running"] = running
    about = await metadata(conn, context, asked, POINTS_TABLES)
    return {"metadata": about, "data": {"matches": matches, "teams": [*teams.values()]}}


_MATCHES_OF_POINTS = """
    SELECT match_id, round_number AS round, match_number, map_name, started_at, match_date AS day
    FROM pubg.tournament_matches
    WHERE season = %(season)s AND division_id = %(division)s AND counts
        AND (%(group)s::text IS NULL OR group_name IS NULL OR group_name = %(group)s)
        AND (%(round)s::bigint IS NULL OR round_id = %(round)s)
    ORDER BY started_at, match_id
"""
_LINES = """
    SELECT rank() OVER (ORDER BY rank) AS rank, team_id, team_name, group_name AS "group", points AS total_points
    FROM pubg.tournament_team_standings
    WHERE season = %(season)s AND division_id = %(division)s AND scope = %(scope)s
        AND (%(group)s::text IS NULL OR group_name = %(group)s)
    ORDER BY 1, team_id
"""
_POINTS = "SELECT match_id, team_id, points FROM pubg.tournament_team_results WHERE match_id = ANY(%s)"
