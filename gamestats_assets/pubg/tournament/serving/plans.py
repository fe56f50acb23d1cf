"""Plans: seasons and their points, divisions, rounds and the schedule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from psycopg import sql
from pydantic import Field

from gamestats_assets.pubg.tournament.serving.context import (
    CONTEXT_TABLES,
    Context,
    Metadata,
    OfAnyDivision,
    OfSeason,
    find,
    find_season,
    metadata,
)
from gamestats_assets.pubg.tournament.tables import Divisions, Rounds, ScheduledMatches, Seasons
from gamestats_assets.serving.answers.formats import Event
from gamestats_assets.serving.answers.lines import Lines, answer_of, named, rows_of
from gamestats_assets.serving.answers.routes import Made, Nothing
from gamestats_assets.serving.database import Connection

PLAN_TABLES = (*CONTEXT_TABLES, ScheduledMatches)
_SEASON_COLUMNS = ("season_id", "season", "name", "time_zone", "placement_points", "kill_points")
_SEASON_COLUMNS += ("player_points_with_placement", "tie_breakers")
SEASON = Lines("SeasonLine", Seasons, named(*_SEASON_COLUMNS))
DIVISION = Lines("DivisionLine", Divisions, {"division_id": "division_id", "division": "division", "groups": list[str]})
ROUND = Lines(
    "RoundLine",
    Rounds,
    {
        "round_id": "round_id",
        "division": Annotated[str, Field(description="Its division.")],
        "round": "round_number",
        "round_name": "round_name",
        "group": Annotated[str | None, Field(description="Its group; null if it belongs to the whole division.")],
        **named("status", "first_day", "last_day"),
        "starts_at": Annotated[datetime | None, Field(description="Scheduled start of its first match, UTC.")],
        "ends_at": Annotated[datetime | None, Field(description="Scheduled start of its last match, UTC.")],
        "matches_scheduled": Annotated[int, Field(description="Slots that are not cancelled.")],
        "matches_played": Annotated[int, Field(description="Matches that count.")],
    },
)
SLOT = Lines(
    "SlotLine",
    ScheduledMatches,
    {
        "schedule_match_id": "scheduled_match_id",
        "division": Annotated[str, Field(description="Its division.")],
        "group": Annotated[str | None, Field(description="Its group; null if it belongs to the whole division.")],
        "round": Annotated[int, Field(description="Number of the round.")],
        "round_name": Annotated[str, Field(description="Name of the round.")],
        "match_number": "match_number",
        "scheduled_datetime": "scheduled_at",
        "map_name": "map_name",
        "status": "status",
        "actual_match_id": Annotated[str | None, Field(description="Match played in the slot; null if unknown.")],
        **named("is_remake", "original_match_id", "remake_reason"),
    },
)
SeasonList = answer_of("SeasonList", {"seasons": SEASON.model})
DivisionList = answer_of("DivisionList", {"divisions": DIVISION.model}, metadata=Metadata)
RoundList = answer_of("RoundList", {"rounds": ROUND.model}, metadata=Metadata)
Schedule = answer_of("Schedule", {"matches": SLOT.model}, metadata=Metadata)


class Rest(OfAnyDivision):
    """A season, and optionally a division with a group or a round of it."""


async def seasons(conn: Connection, asked: Nothing) -> Made:
    """Returns every season, newest first, with its points and tie breakers."""
    return {"data": {"seasons": await rows_of(conn, SEASON.select() + sql.SQL(" ORDER BY season_id DESC"), [])}}


async def divisions(conn: Connection, asked: OfSeason) -> Made:
    """Returns the divisions of a season with their groups."""
    context = Context(await find_season(conn, asked))
    query = """
        SELECT division_id, division,
               ARRAY(SELECT group_name FROM pubg.groups g WHERE g.division_id = d.division_id ORDER BY group_id)
                   AS groups
        FROM pubg.divisions d WHERE season_id = %(season_id)s ORDER BY division_id
    """
    found = await rows_of(conn, query, context.bound)
    return {"metadata": await metadata(conn, context, asked, CONTEXT_TABLES), "data": {"divisions": found}}


async def rounds(conn: Connection, asked: Rest) -> Made:
    """Returns the rounds of a season or a division, with their days in the season's time zone and their progress.

    The rounds of a group are its own and those of its whole division.
    """
    context = await find(conn, asked)
    query = """
        SELECT r.round_id, d.division, r.round_number AS round, r.round_name, g.group_name AS "group", r.status,
               r.first_day, r.last_day, slots.starts_at, slots.ends_at, slots.matches_scheduled,
               (SELECT count(*) FROM pubg.tournament_matches m WHERE m.round_id = r.round_id AND m.counts)
                   AS matches_played
        FROM pubg.rounds r JOIN pubg.divisions d USING (division_id) LEFT JOIN pubg.groups g USING (group_id),
        LATERAL (SELECT min(scheduled_at) AS starts_at, max(scheduled_at) AS ends_at, count(*) AS matches_scheduled
                 FROM pubg.scheduled_matches s WHERE s.round_id = r.round_id AND s.status <> 'cancelled') AS slots
        WHERE d.season_id = %(season_id)s AND (%(division)s::bigint IS NULL OR d.division_id = %(division)s)
            AND (%(group)s::text IS NULL OR g.group_name IS NULL OR g.group_name = %(group)s)
            AND (%(round)s::bigint IS NULL OR r.round_id = %(round)s)
        ORDER BY d.division_id, r.round_number, g.group_id NULLS FIRST
    """
    found = await rows_of(conn, query, context.bound)
    return {"metadata": await metadata(conn, context, asked, PLAN_TABLES), "data": {"rounds": found}}


async def schedule(conn: Connection, asked: Rest) -> Made:
    """Returns the scheduled matches of a season, a division or a round, with the match played for each.

    The schedule of a group contains its own rounds and those of its whole division.
    """
    context = await find(conn, asked)
    query = """
        SELECT s.scheduled_match_id AS schedule_match_id, d.division, g.group_name AS "group", r.round_number AS round,
               r.round_name, s.match_number, s.scheduled_at AS scheduled_datetime, s.map_name, s.status,
               (SELECT min(m.match_id) FROM pubg.tournament_matches m
                WHERE m.scheduled_match_id = s.scheduled_match_id AND m.counts) AS actual_match_id,
               s.is_remake, s.original_match_id, s.remake_reason
        FROM pubg.scheduled_matches s JOIN pubg.rounds r USING (round_id)
        JOIN pubg.divisions d ON d.division_id = r.division_id LEFT JOIN pubg.groups g USING (group_id)
        WHERE d.season_id = %(season_id)s AND (%(division)s::bigint IS NULL OR d.division_id = %(division)s)
            AND (%(group)s::text IS NULL OR g.group_name IS NULL OR g.group_name = %(group)s)
            AND (%(round)s::bigint IS NULL OR r.round_id = %(round)s)
        ORDER BY s.scheduled_at, d.division_id, r.round_number, s.match_number, s.scheduled_match_id
    """
    found = await rows_of(conn, query, context.bound)
    return {"metadata": await metadata(conn, context, asked, PLAN_TABLES), "data": {"matches": found}}


def events_of(made: Made) -> tuple[str, list[Event]]:
    """Returns a schedule as a calendar: its name, and an event per match.

    Events carry the time of the schedule's publication, so the same schedule gives the same file.
    """
    about = made["metadata"]
    published: datetime = about["timestamp"]
    named = [about["season_name"], *(about[name] for name in ("division", "group", "round_name") if about[name])]
    events = []
    for slot in made["data"]["matches"]:
        where = [slot["division"], *([f"Group {slot['group']}"] if slot["group"] else []), slot["round_name"]]
        about = [f"Played again: {slot['remake_reason'] or 'the first match failed'}."] if slot["is_remake"] else []
        about += [f"Played as match {slot['actual_match_id']}."] if slot["actual_match_id"] else []
        events.append(
            Event(
                uid=f"pubg-scheduled-match-{slot['schedule_match_id']}@gamestats",
                begins_at=slot["scheduled_datetime"],
                ends_at=slot["scheduled_datetime"] + MATCH_LASTS,
                changed_at=published,
                sequence=int(published.timestamp()) - _FIRST_SEQUENCE,
                title=f"{', '.join(where)}, match {slot['match_number']}",
                about="\n".join(about),
                place=slot["map_name"] or "",
                is_cancelled=slot["status"] == "cancelled",
            )
        )
    return " · ".join(named), events


MATCH_LASTS = timedelta(minutes=35)
"""Length of a match in a calendar."""
_FIRST_SEQUENCE = 1_767_225_600
"""Seconds from 1970 to 2026: calendar sequences have 31 bits, which seconds since 2026 fit."""
