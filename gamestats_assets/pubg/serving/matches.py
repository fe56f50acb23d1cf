"""Tournament matches with the result of each team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from psycopg import sql
from pydantic import Field, create_model

from gamestats_assets.pubg.serving.context import CONTEXT_TABLES, Metadata, find, metadata, rows_of
from gamestats_assets.pubg.serving.plans import Rest
from gamestats_assets.pubg.tables import TournamentMatches, TournamentTeamResults
from gamestats_assets.pubg.tables.ops import ScheduledMatches
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.lines import Lines, answer_of, page_of
from gamestats_assets.serving.problems import ProblemError
from gamestats_assets.serving.routes import Made, Parameters

MATCH_TABLES = (*CONTEXT_TABLES, TournamentMatches, TournamentTeamResults, ScheduledMatches)
_RESULT_COLUMNS = ("team_id", "team_name", "placement", "kills", "damage_dealt")
_RESULT_COLUMNS += ("placement_points", "kill_points", "points")
RESULT = Lines("TeamResult", TournamentTeamResults, {name: name for name in _RESULT_COLUMNS})
MATCH = Lines(
    "MatchLine",
    TournamentMatches,
    {
        "match_id": "match_id",
        "round": "round_number",
        "round_name": "round_name",
        "match_number": "match_number",
        "map_name": "map_name",
        "started_at": "started_at",
        "ended_at": "ended_at",
        "counts": "counts",
        "is_remake": Annotated[bool, Field(description="Whether it was played because the first one failed.")],
        "validation_status": "validation_status",
        "winner_team_name": "winner_team_name",
        "results": list[RESULT.model],
    },
)
MatchHistory = answer_of("MatchHistory", {"matches": MATCH.model}, metadata=Metadata, counted=True)
OneMatch = create_model("OneMatch", data=MATCH.model)


class OfMatch(Parameters):
    """A match."""

    match_id: Annotated[str, Field(description="Match id given by the API.")]


async def recent_matches(conn: Connection, asked: Rest) -> Made:
    """The matches of a division or of one of its rounds, the newest first, with each team's result."""
    context = await find(conn, asked)
    where = sql.SQL(
        " WHERE season = %(season)s AND division_id = %(division)s"
        " AND (%(group)s::text IS NULL OR group_name IN (%(group)s))"
        " AND (%(round)s::bigint IS NULL OR tournament_matches.round_id = %(round)s)"
    )
    order = sql.SQL(" ORDER BY started_at DESC, match_id")
    found, total = await page_of(conn, _MATCH + where, context.bound, asked, order)
    told = await metadata(conn, context, asked, MATCH_TABLES)
    return {"metadata": told, "data": {"matches": await _with_results(conn, found), "total_count": total}}


async def one_match(conn: Connection, asked: OfMatch) -> Made:
    """A tournament match with each team's result.

    Raises:
        ProblemError: 404 when there is none of that id.
    """
    query = _MATCH + sql.SQL(" WHERE match_id = %(match_id)s")
    found = await rows_of(conn, query, {"match_id": asked.match_id.lower()})
    if not found:
        raise ProblemError(404, f"There is no tournament match {asked.match_id[:80]!r}.")
    return {"data": (await _with_results(conn, found))[0]}


_MATCH = MATCH.select("match_date", is_remake="coalesce(scheduled_matches.is_remake, false)") + sql.SQL(
    " LEFT JOIN pubg.scheduled_matches USING (scheduled_match_id)"
)


async def _with_results(conn: Connection, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    query = RESULT.select("match_id") + sql.SQL(
        " WHERE match_id = ANY(%s) AND match_date = ANY(%s) ORDER BY placement NULLS LAST, points DESC, team_id"
    )
    days = sorted({row["match_date"] for row in found})
    results: dict[str, list[dict[str, Any]]] = {row["match_id"]: [] for row in found}
    for row in await rows_of(conn, query, [[*results], days]):
        results[row["match_id"]].append(RESULT.line(row))
    return [MATCH.line(row, results=results[row["match_id"]]) for row in found]
