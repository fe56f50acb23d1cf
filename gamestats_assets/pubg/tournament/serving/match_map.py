"""A match on its map: both circles, landings and deaths, and paths of tracked players."""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from psycopg import sql
from pydantic import BaseModel, Field, create_model

from gamestats_assets.pubg import reference
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.serving.matches import OfMatch
from gamestats_assets.serving.answers.lines import Lines, answer_with, are_published, named, rows_of
from gamestats_assets.serving.answers.routes import Made
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.problems import ProblemError

MAP_TABLES = (
    t.TournamentMatches,
    t.TournamentLineups,
    t.Circles,
    t.Landings,
    t.KillPositions,
    t.PlayerCirclePositions,
)
_CIRCLE = ("blue_x_m", "blue_y_m", "blue_radius_m", "white_x_m", "white_y_m", "white_radius_m")
_TEAM = Annotated[int | None, Field(description="Team of the tournament; null for players without one.")]
CIRCLE = Lines(
    "CircleState",
    t.Circles,
    named("elapsed_time_s", "alive_teams", "alive_players", *_CIRCLE),
    digits={name: 1 for name in ("elapsed_time_s", *_CIRCLE)},
)
LANDING = Lines(
    "LandingPlace",
    t.Landings,
    named("account_id", "player_name", "elapsed_time_s", "x_m", "y_m") | {"team_id": _TEAM},
    digits={name: 1 for name in ("elapsed_time_s", "x_m", "y_m")},
)
DEATH = Lines(
    "DeathPlace",
    t.KillPositions,
    {"elapsed_time_s": "elapsed_time_s", "x_m": "victim_x_m", "y_m": "victim_y_m", "victim_name": "victim_name"}
    | {"killer_name": "killer_name", "weapon_category": "weapon_category", "distance_m": "distance_m"}
    | {"killer_team_id": _TEAM, "victim_team_id": _TEAM},
    digits={name: 1 for name in ("elapsed_time_s", "x_m", "y_m", "distance_m")},
)


class Way(BaseModel):
    """Path of a tracked player, from the first zone on."""

    account_id: str
    player_name: str
    team_id: _TEAM
    positions: Annotated[
        list[tuple[float, float, float]],
        Field(description="Seconds since the match started; metres from the left and from the top edge."),
    ]


class TeamOfMap(BaseModel):
    """A team of the tournament."""

    team_id: int
    team_name: str


_MapData = create_model(
    "MatchMapData",
    match_id=str,
    map_name=str | None,
    side_m=Annotated[float | None, Field(description="Length of a side of the map; null if unknown.")],
    teams=list[TeamOfMap],
    circles=list[CIRCLE.model],
    landings=list[LANDING.model],
    deaths=list[DEATH.model],
    ways=list[Way],
)
MatchMap = answer_with("MatchMap", _MapData)


async def match_map(conn: Connection, asked: OfMatch) -> Made:
    """Returns a tournament match on its map, in metres from the left and from the top edge.

    Raises:
        ProblemError: 404 if there is none with that id.
    """
    found = await rows_of(conn, _MATCH, [asked.match_id.lower()])
    if not found:
        raise ProblemError(404, f"There is no tournament match {asked.match_id[:80]!r}.")
    [match] = found
    bound = {"match": match["match_id"], "day": match["match_date"]}
    places: dict[str, Any] = {}
    for name, (lines, query) in _PLACES.items():
        rows = await rows_of(conn, query, bound) if await are_published(conn, lines.table) else []
        places[name] = [lines.line(row) for row in rows]
    ways = await rows_of(conn, _WAYS, bound) if await are_published(conn, t.PlayerCirclePositions) else []
    sides = dict(reference.maps().select("map_name", pl.col("size_cm") / 100).iter_rows())
    data = {
        "match_id": match["match_id"],
        "map_name": match["map_name"],
        "side_m": sides.get(match["map_name"]),
        "teams": await rows_of(conn, _TEAMS, bound),
        **places,
        "ways": ways,
    }
    return {"data": data}


_MATCH = "SELECT match_id, match_date, map_name FROM pubg.tournament_matches WHERE match_id = %s"
_TEAMS = """
    SELECT DISTINCT team_id, team_name FROM pubg.tournament_lineups
    WHERE match_id = %(match)s AND match_date = %(day)s ORDER BY team_name, team_id
"""
_OF = sql.SQL(" WHERE match_id = %(match)s AND match_date = %(day)s")
_TEAM_OF = """
    (SELECT l.team_id FROM pubg.tournament_lineups l WHERE l.match_id = %(match)s AND l.account_id = {})
"""
_CIRCLES = CIRCLE.select() + _OF + sql.SQL(" ORDER BY event_index")
_LANDINGS = (
    LANDING.select(team_id=_TEAM_OF.format("landings.account_id"))
    + _OF
    + sql.SQL(" AND landing_number = 1 ORDER BY landed_at, account_id")
)
_DEATHS = (
    DEATH.select(
        killer_team_id=_TEAM_OF.format("killer_account_id"), victim_team_id=_TEAM_OF.format("victim_account_id")
    )
    + _OF
    + sql.SQL(" ORDER BY event_index")
)
_PLACES = {"circles": (CIRCLE, _CIRCLES), "landings": (LANDING, _LANDINGS), "deaths": (DEATH, _DEATHS)}
_WAYS = """
    SELECT p.account_id, max(p.player_name) AS player_name, max(l.team_id) AS team_id,
           json_agg(json_build_array(round(p.elapsed_time_s::numeric, 1), round(p.x_m::numeric, 1),
                                     round(p.y_m::numeric, 1)) ORDER BY p.elapsed_time_s, p.event_index) AS positions
    FROM pubg.player_circle_positions p
    LEFT JOIN pubg.tournament_lineups l ON l.match_id = p.match_id AND l.account_id = p.account_id
    WHERE p.match_id = %(match)s AND p.tracked_player = p.account_id GROUP BY p.account_id ORDER BY 2
"""
