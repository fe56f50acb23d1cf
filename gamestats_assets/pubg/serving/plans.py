"""What is planned: seasons and their points, divisions, rounds and the schedule."""

from __future__ import annotations

from typing import Annotated

from psycopg import sql
from pydantic import Field

from gamestats_assets.pubg.serving.context import (
    CONTEXT_TABLES,
    Metadata,
    OfDivision,
    OfSeason,
    find,
    find_season,
    metadata,
    rows_of,
)
from gamestats_assets.pubg.tables import TournamentMatches
from gamestats_assets.pubg.tables.ops import Divisions, Rounds, ScheduledMatches, Seasons
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.lines import Lines, answer_of
from gamestats_assets.serving.routes import Made, Nothing, Page

PLAN_TABLES = (*CONTEXT_TABLES, ScheduledMatches, TournamentMatches)
_SEASON_COLUMNS = ("season_id", "season", "name", "time_zone", "placement_points", "kill_points")
_SEASON_COLUMNS += ("player_points_with_placement", "tie_breakers")
SEASON = Lines("SeasonLine", Seasons, {name: name for name in _SEASON_COLUMNS})
DIVISION = Lines("DivisionLine", Divisions, {"division_id": "division_id", "division": "division", "groups": list[str]})
ROUND = Lines(
    "RoundLine",
    Rounds,
    {
        "round_id": "round_id",
        "round": "round_number",
        "round_name": "round_name",
        "group": Annotated[str | None, Field(description="Its group; null when it is of the whole division.")],
        "status": "status",
        "first_day": "first_day",
        "last_day": "last_day",
        "matches_scheduled": Annotated[int, Field(description="Slots that are not cancelled.")],
        "matches_played": Annotated[int, Field(description="Matches that count.")],
    },
)
SLOT = Lines(
    "SlotLine",
    ScheduledMatches,
    {
        "schedule_match_id": "scheduled_match_id",
        "round": int,
        "match_number": "match_number",
        "scheduled_datetime": "scheduled_at",
        "map_name": "map_name",
        "status": "status",
        "actual_match_id": Annotated[str | None, Field(description="The match that was played, once it is known.")],
        "is_remake": "is_remake",
        "original_match_id": "original_match_id",
        "remake_reason": "remake_reason",
    },
)
SeasonList = answer_of("SeasonList", {"seasons": SEASON.model})
DivisionList = answer_of("DivisionList", {"divisions": DIVISION.model})
RoundList = answer_of("RoundList", {"rounds": ROUND.model}, metadata=Metadata)
Schedule = answer_of("Schedule", {"matches": SLOT.model}, metadata=Metadata)


class Rest(OfDivision, Page):
    """A division, and of it a group or a round."""


async def seasons(conn: Connection, asked: Nothing) -> Made:
    """Every season, the newest first, with its points and tie breakers."""
    return {"data": {"seasons": await rows_of(conn, SEASON.select() + sql.SQL(" ORDER BY season_id DESC"), [])}}


async def divisions(conn: Connection, asked: OfSeason) -> Made:
    """The divisions of a season with their groups."""
    season = await find_season(conn, asked)
    query = """
        SELECT division_id, division,
               ARRAY(SELECT group_name FROM pubg.groups g WHERE g.division_id = d.division_id ORDER BY group_id)
                   AS groups
        FROM pubg.divisions d WHERE season_id = %s ORDER BY division_id
    """
    return {"data": {"divisions": await rows_of(conn, query, [season["season_id"]])}}


async def rounds(conn: Connection, asked: Rest) -> Made:
    """The rounds of a division, with their days in the season's time zone and how much of each is played."""
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
            AND (%(round_number)s::int IS NULL OR r.round_number = %(round_number)s)
        ORDER BY r.round_number, g.group_id NULLS FIRST
    """
    found = await rows_of(conn, query, {**context.bound, "round_number": asked.round})
    return {"metadata": await metadata(conn, context, asked, PLAN_TABLES), "data": {"rounds": found}}


async def schedule(conn: Connection, asked: Rest) -> Made:
    """The scheduled matches of a division or of one of its rounds, and which match was played for each."""
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
    found = await rows_of(conn, query, context.bound)
    return {"metadata": await metadata(conn, context, asked, PLAN_TABLES), "data": {"matches": found}}
