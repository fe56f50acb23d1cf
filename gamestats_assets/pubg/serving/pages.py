"""Pages of tournaments: the leaderboards, and one page for each match, team and player."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gamestats_assets.pubg.serving import leaderboards, matches, plans, players, teams
from gamestats_assets.pubg.serving.context import are_synthetic
from gamestats_assets.pubg.serving.selection import Chosen, Selection, after_change, select
from gamestats_assets.pubg.tables import Matches
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.pages import Column, Pages, Place
from gamestats_assets.serving.routes import ask, asked_of
from gamestats_assets.serving.who import anybody

router = APIRouter(prefix="/tournaments", dependencies=[Depends(anybody)])
ROWS = 20
_TABLES = tuple(
    dict.fromkeys(
        (*leaderboards.TEAM_TABLES, *leaderboards.PLAYER_TABLES, *matches.MATCH_TABLES, *plans.PLAN_TABLES, Matches)
    )
)
TEAM_COLUMNS = (
    Column("rank", "rank", "asc"),
    Column("team_name", "name", "asc"),
    Column("total_points"),
    Column("recent_placements", "text", None),
    Column("total_kills"),
    Column("wwcd"),
    Column("avg_placement", "number", "asc"),
    Column("matches_played"),
)
PLAYER_COLUMNS = (
    Column("rank", "rank", "asc"),
    Column("player_name", "name", "asc"),
    Column("team_name", "text", "asc"),
    Column("total_points"),
    Column("total_kills"),
    Column("total_damage"),
    Column("avg_damage"),
    Column("killsteals"),
    Column("matches_played"),
    Column("weapons", "text", None),
)


_TEXTS = {"killer", "victim", "weapon_category", "teams", "winner", "recent_placements", "played_at", "role"}
_TEXTS |= {"valid_from", "valid_until", "team_name", "division"}


def _listed(*keys: str) -> tuple[Column, ...]:
    """Columns of a table that is not sorted; the first is the heading of its rows."""
    return (
        Column(keys[0], "name", None),
        *(Column(key, "text" if key in _TEXTS else "number", None) for key in keys[1:]),
    )


_PLACE = Column("placement", "rank", None)
_SCORED = ("points", "placement_points", "kill_points", "kills", "damage_dealt")
_PLAYED = ("kills", "assists", "knocks", "damage_dealt", "damage_received")
_STOOD = ("rank_in", "total_points", "total_kills")
_SINCE = ("role", "valid_from", "valid_until")
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "results": (_PLACE, *_listed("team_name", *_SCORED)),
    "people": (
        _PLACE,
        *_listed("player_name", "team_name", *_PLAYED, "longest_kill_m", "killsteals", "revives", "time_survived_s"),
    ),
    "kills": _listed("time", "killer", "victim", "weapon_category", "distance_m"),
    "weapons": _listed("weapon_category", "damage_dealt", "share", "kills", "knocks"),
    "fights": _listed("time", "teams", "winner", "duration_s", "casualties", "damage_dealt"),
    "team_standings": _listed("scope", *_STOOD, "wwcd", "avg_placement", "matches_played", "recent_placements"),
    "team_results": _listed("match", "played_at", "placement", *_SCORED),
    "roster": _listed("player_name", *_SINCE),
    "player_standings": _listed(
        "scope", "team_name", *_STOOD, "total_damage", "avg_damage", "killsteals", "matches_played"
    ),
    "player_results": _listed("match", "played_at", "team_name", "placement", *_PLAYED, "time_survived_s"),
    "player_teams": _listed("team_name", "division", *_SINCE),
}
"""Columns of the tables on the pages of matches, teams and players."""


@router.get("")
async def tournaments(request: Request) -> Response:
    """The leaderboards and the matches of what is chosen."""
    if "was" in request.query_params:
        return RedirectResponse(Place(request.url.path, after_change(request.query_params)).link(), 303)
    chosen = ask(Chosen, request)

    async def make(conn: Connection) -> dict[str, Any]:
        selection = await select(conn, chosen)
        if selection is None:
            return {"selection": None, "asked": {}, "overlay": chosen.view == "overlay"}
        synthetic = await are_synthetic(conn, seasons=[selection.season["season"]])
        shown = await _shown(conn, selection, chosen)
        return {**shown, "selection": selection, "synthetic": synthetic, "overlay": chosen.view == "overlay"}

    given = chosen.model_dump(exclude_defaults=True)
    template = "pubg/overlay.html" if chosen.view == "overlay" else "pubg/tournaments.html"
    return await _pages(request).answer(request, template, _TABLES, make, asked=given)


async def _shown(conn: Connection, selection: Selection, chosen: Chosen) -> dict[str, Any]:
    """What the tab shows."""
    sorted_by = {"sort": chosen.sort or "rank", "order": chosen.order or "asc"}
    asked: dict[str, Any] = {**selection.context, "page": chosen.page, "page_size": ROWS}
    kept = chosen.model_dump(include={"tab", "sort", "order", "page", "view"}, exclude_defaults=True)
    shown = {"tab": chosen.tab, "page": chosen.page, "page_size": ROWS, **sorted_by, "columns": COLUMNS}
    shown |= {"asked": {**selection.asked, **kept}, "radar_query": None}
    if chosen.tab == "matches":
        number = asked.pop("match")
        found = await matches.recent_matches(conn, matches.OfDivisionPaged(**asked))
        listed = [row for row in found["data"]["matches"] if number in (None, row["match_number"])]
        total = found["data"]["total_count"] if number is None else len(listed)
        return {**shown, "metadata": found["metadata"], "matches": listed, "total": total}
    if selection.match and not selection.match["actual_match_id"]:
        return {**shown, "metadata": None, "rows": [], "total": 0}
    if chosen.tab == "teams":
        found = await leaderboards.team_leaderboard(conn, asked_of(leaderboards.TeamBoard, {**asked, **sorted_by}))
        shown["board"] = TEAM_COLUMNS
    else:
        found = await leaderboards.player_leaderboard(conn, asked_of(leaderboards.PlayerBoard, {**asked, **sorted_by}))
        shown["board"] = PLAYER_COLUMNS
        with_weapons = {**asked, **sorted_by, "include_weapons": "true"}
        shown["radar_query"] = urlencode({name: value for name, value in with_weapons.items() if value is not None})
    data = found["data"]
    return {**shown, "metadata": found["metadata"], "rows": data[chosen.tab], "total": data["total_count"]}


@router.get("/matches/{match_id}")
async def match(request: Request) -> Response:
    """A match: results, kills, weapons, fights, and a map that comes when it is opened."""
    asked = ask(matches.OfMatch, request)

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await matches.one_match(conn, asked))["data"]
        damage = sum(row["damage"] for row in found["weapons"])
        synthetic = await are_synthetic(conn, match_id=found["match_id"])
        return {"match": found, "damage": damage, "columns": COLUMNS, "synthetic": synthetic}

    return await _pages(request).answer(request, "pubg/match.html", (*matches.ONE_MATCH_TABLES, Matches), make)


@router.get("/teams/{team_id}")
async def team(request: Request) -> Response:
    """A team: standings, results and roster."""
    asked = ask(teams.OfTeam, request)

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await teams.one_team(conn, asked))["data"]
        worst = max((row["placement"] or 1 for row in found["results"]), default=1)
        synthetic = await are_synthetic(conn, seasons=[found["season"]])
        return {"team": found, "worst": worst, "columns": COLUMNS, "synthetic": synthetic}

    return await _pages(request).answer(request, "pubg/team.html", (*teams.TEAM_TABLES, Matches), make)


@router.get("/players/{account_id}")
async def player(request: Request) -> Response:
    """A player: standings, results, weapons and teams."""
    asked = ask(players.OfPlayer, request)

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await players.one_player(conn, asked))["data"]
        damage = sum(row["damage"] for row in found["weapons"])
        synthetic = await are_synthetic(conn, seasons={row["season"] for row in found["standings"]})
        return {"player": found, "damage": damage, "columns": COLUMNS, "synthetic": synthetic}

    return await _pages(request).answer(request, "pubg/player.html", (*players.PLAYER_TABLES, Matches), make)


def _pages(request: Request) -> Pages:
    return request.state.pages
