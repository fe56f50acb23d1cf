"""Tournament matches: in order, the newest, and one with all details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from psycopg import sql
from pydantic import BaseModel, Field, create_model

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.serving.context import CONTEXT_TABLES, Metadata, OfAnyDivision, find, metadata
from gamestats_assets.serving.answers.lines import Lines, answer_of, answer_with, are_published, named, page_of, rows_of
from gamestats_assets.serving.answers.routes import Made, Name, Page, Parameters
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.problems import ProblemError

MATCH_TABLES = (*CONTEXT_TABLES, t.TournamentTeamResults, t.ScheduledMatches)
ONE_MATCH_TABLES = (
    *MATCH_TABLES,
    t.TournamentLineups,
    t.MatchSummaries,
    t.KillPositions,
    t.PlayerMatchWeaponDistribution,
    t.TeamFights,
    t.FightParticipants,
)
_TEAM = Annotated[str | None, Field(description="Team of the tournament; null for players on no roster.")]
_RESULT_COLUMNS = ("team_id", "team_name", "placement", "kills", "damage_dealt")
_RESULT_COLUMNS += ("placement_points", "kill_points", "points")
RESULT = Lines("TeamResult", t.TournamentTeamResults, named(*_RESULT_COLUMNS))
_MATCH_COLUMNS: dict[str, Any] = {
    "match_id": "match_id",
    "division": "division",
    "group": "group_name",
    "round": "round_number",
    **named("round_name", "match_number", "map_name", "started_at", "ended_at", "counts"),
    "is_remake": Annotated[bool, Field(description="Whether it is a remake of a failed match.")],
    **named("validation_status", "winner_team_id", "winner_team_name"),
}
LISTED = Lines("MatchInList", t.TournamentMatches, _MATCH_COLUMNS)
MATCH = Lines("MatchLine", t.TournamentMatches, {**_MATCH_COLUMNS, "results": list[RESULT.model]})
PLAYER = Lines(
    "PlayerOfMatch",
    t.MatchSummaries,
    {
        "account_id": "account_id",
        "player_name": "player_name",
        "team_id": Annotated[int | None, Field(description="Team of the tournament; null for players on no roster.")],
        "team_name": _TEAM,
        **named("placement", "kills", "assists"),
        "knocks": "dbnos",
        **named("damage_dealt", "damage_received", "time_survived_s", "longest_kill_m", "revives", "killsteals"),
    },
    digits={"damage_dealt": 1, "damage_received": 1, "longest_kill_m": 1},
)
KILL = Lines(
    "Kill",
    t.KillPositions,
    {
        **named("event_index", "elapsed_time_s", "killer_account_id", "killer_name"),
        "killer_team_name": _TEAM,
        **named("killer_x_m", "killer_y_m", "victim_account_id", "victim_name"),
        "victim_team_name": _TEAM,
        **named("victim_x_m", "victim_y_m", "weapon_category", "distance_m", "is_suicide", "is_team_kill"),
    },
    digits={"elapsed_time_s": 1, "distance_m": 1},
)
WEAPON = Lines(
    "WeaponsOfMatch",
    t.PlayerMatchWeaponDistribution,
    {
        "weapon_category": "weapon_category",
        "damage": "total_damage",
        "kills": "total_kills",
        "knocks": "knock_downs",
        "players": Annotated[int, Field(description="Players who dealt damage, killed or knocked with it.")],
    },
    digits={"damage": 1},
)
FIGHT = Lines(
    "Fight",
    t.TeamFights,
    {
        **named("fight_number", "elapsed_time_s", "duration_s"),
        "teams": Annotated[list[str], Field(description="Teams of the tournament that took part.")],
        "other_teams": Annotated[int, Field(description="Number of other teams that took part.")],
        "winner_team_name": Annotated[
            str | None, Field(description="Team that won; null for a draw or a team outside the tournament.")
        ],
        **named(
            "is_third_party", "participants", "casualties", "knocks", "kills", "damage", "center_x_m", "center_y_m"
        ),
    },
    digits={"elapsed_time_s": 1, "duration_s": 1, "damage": 1},
)
MatchList = answer_of("MatchList", {"matches": LISTED.model}, metadata=Metadata, counted=True)
MatchHistory = answer_of("MatchHistory", {"matches": MATCH.model}, metadata=Metadata, counted=True)
_DETAILED = {"players": PLAYER, "kills": KILL, "weapons": WEAPON, "fights": FIGHT}
_Detailed: type[BaseModel] = create_model(
    "MatchDetails",
    __base__=MATCH.model,
    **{
        **{name: list[lines.model] for name, lines in _DETAILED.items()},
        "has_telemetry": Annotated[bool, Field(description="Whether kills, weapons and fights are available.")],
    },  # pyright: ignore[reportArgumentType]
)
OneMatch = answer_with("OneMatch", _Detailed)


class OfDivisionPaged(OfAnyDivision, Page):
    """A season, and optionally a division with a group or a round of it."""


class OfMatch(Parameters):
    """A match."""

    match_id: Annotated[Name, Field(description="Match id given by the API.", examples=["m-3"])]


async def list_matches(conn: Connection, asked: OfDivisionPaged) -> Made:
    """Returns the matches of a season, a division or a round, in the order of play."""
    return await _matches(conn, asked, newest_first=False)


async def recent_matches(conn: Connection, asked: OfDivisionPaged) -> Made:
    """Returns the matches of a season, a division or a round, newest first, with each team's result.

    Includes matches that do not count in standings, and marks them.
    """
    return await _matches(conn, asked, newest_first=True)


async def _matches(conn: Connection, asked: OfDivisionPaged, *, newest_first: bool) -> Made:
    context = await find(conn, asked)
    where = sql.SQL(
        " WHERE season = %(season)s AND (%(division)s::bigint IS NULL OR division_id = %(division)s)"
        " AND (%(group)s::text IS NULL OR group_name IS NULL OR group_name = %(group)s)"
        " AND (%(round)s::bigint IS NULL OR tournament_matches.round_id = %(round)s)"
    )
    order = " ORDER BY started_at DESC, match_id" if newest_first else " ORDER BY started_at, match_id"
    found, total = await page_of(conn, _MATCH + where, context.bound, asked, sql.SQL(order))
    about = await metadata(conn, context, asked, MATCH_TABLES)
    lines = await _with_results(conn, found) if newest_first else [LISTED.line(row) for row in found]
    return {"metadata": about, "data": {"matches": lines, "total_count": total}}


async def one_match(conn: Connection, asked: OfMatch) -> Made:
    """Returns a tournament match: team results, player results, kills, weapons and fights.

    Raises:
        ProblemError: 404 if there is none with that id.
    """
    query = _MATCH + sql.SQL(" WHERE match_id = %(match_id)s")
    found = await rows_of(conn, query, {"match_id": asked.match_id.lower()})
    if not found:
        raise ProblemError(404, f"There is no tournament match {asked.match_id[:80]!r}.")
    bound = {"match": found[0]["match_id"], "day": found[0]["match_date"]}
    details: dict[str, list[dict[str, Any]]] = {}
    for name, (lines, query) in _DETAILS.items():
        tables = [lines.table, t.MatchSummaries, t.TournamentLineups]
        rows = await rows_of(conn, query, bound) if await are_published(conn, *tables) else []
        details[name] = [lines.line(row) for row in rows]
    [line] = await _with_results(conn, found)
    has_telemetry = any(details[name] for name in ("kills", "weapons", "fights"))
    return {"data": {**line, **details, "has_telemetry": has_telemetry}}


_MATCH = MATCH.select("match_date", is_remake="coalesce(scheduled_matches.is_remake, false)") + sql.SQL(
    " LEFT JOIN pubg.scheduled_matches USING (scheduled_match_id)"
)
_ONE = sql.SQL(" WHERE match_id = %(match)s AND match_date = %(day)s")
_TEAM_OF = """
    (SELECT r.team_name FROM pubg.tournament_lineups l JOIN pubg.tournament_team_results r USING (match_id, team_id)
     WHERE l.match_id = %(match)s AND l.account_id = {})
"""
_PLAYERS = PLAYER.select(team_id="r.team_id", team_name="r.team_name") + sql.SQL("""
        LEFT JOIN pubg.tournament_lineups l
            ON l.match_id = match_summaries.match_id AND l.account_id = match_summaries.account_id
        LEFT JOIN pubg.tournament_team_results r ON r.match_id = l.match_id AND r.team_id = l.team_id
        WHERE match_summaries.match_id = %(match)s AND match_summaries.match_date = %(day)s
        ORDER BY match_summaries.placement NULLS LAST, r.team_name, match_summaries.kills DESC NULLS LAST, 1
    """)
_KILLS = (
    KILL.select(
        killer_team_name=_TEAM_OF.format("killer_account_id"), victim_team_name=_TEAM_OF.format("victim_account_id")
    )
    + _ONE
    + sql.SQL(" ORDER BY event_index")
)
_WEAPONS = sql.SQL("""
    SELECT weapon_category, sum(total_damage) AS damage, sum(total_kills) AS kills, sum(knock_downs) AS knocks,
           count(*) AS players
    FROM pubg.player_match_weapon_distribution WHERE match_id = %(match)s AND match_date = %(day)s
    GROUP BY weapon_category ORDER BY damage DESC, weapon_category
""")
# Fights contain teams by their number in the match; lineups map these numbers to tournament teams.
_FIGHTS = (
    sql.SQL("""
        WITH named AS (
            SELECT m.team_id AS number, mode() WITHIN GROUP (ORDER BY r.team_name) AS team_name
            FROM pubg.match_summaries m JOIN pubg.tournament_lineups l USING (match_id, account_id)
            JOIN pubg.tournament_team_results r ON r.match_id = l.match_id AND r.team_id = l.team_id
            WHERE m.match_id = %(match)s AND m.match_date = %(day)s GROUP BY 1
        )
    """)
    + FIGHT.select(
        teams="ARRAY(SELECT team_name FROM named WHERE number = ANY(team_ids) ORDER BY 1)",
        other_teams="team_fights.teams - (SELECT count(*) FROM named WHERE number = ANY(team_ids))",
        winner_team_name="(SELECT team_name FROM named WHERE number = winner_team_id)",
    )
    + _ONE
    + sql.SQL(" ORDER BY fight_number")
)
_DETAILS = {
    name: (_DETAILED[name], query) for name, query in zip(_DETAILED, (_PLAYERS, _KILLS, _WEAPONS, _FIGHTS), strict=True)
}


async def _with_results(conn: Connection, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    query = RESULT.select("match_id") + sql.SQL(
        " WHERE match_id = ANY(%s) AND match_date = ANY(%s) ORDER BY placement NULLS LAST, points DESC, team_id"
    )
    days = sorted({row["match_date"] for row in found})
    results: dict[str, list[dict[str, Any]]] = {row["match_id"]: [] for row in found}
    for row in await rows_of(conn, query, [[*results], days]):
        results[row.pop("match_id")].append(RESULT.line(row))
    return [MATCH.line(row, results=results[row["match_id"]]) for row in found]
