"""Pages of tournaments: the leaderboards, and one page per match, team and player."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from gamestats_assets.pubg.matches.tables import Matches
from gamestats_assets.pubg.tournament.serving import leaderboards, matches, plans, players, teams
from gamestats_assets.pubg.tournament.serving.context import OfDivision, are_synthetic
from gamestats_assets.pubg.tournament.serving.selection import Chosen, Selection, after_change, select
from gamestats_assets.serving.answers.routes import Parameters, ask, asked_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import public
from gamestats_assets.serving.pages.rendering import Column, Pages, Place

router = APIRouter(prefix="/tournaments", dependencies=[Depends(public)])
ROWS = 20
_MOST = 100
"""Most lines of a list that the API returns, and of a search."""
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
_TEXTS |= {"valid_from", "valid_until", "team_name", "division", "season", "kind"}
_TEXTS |= {"scheduled_at", "map_name", "slot_status"}


def _listed(*keys: str) -> tuple[Column, ...]:
    """Returns the columns of an unsorted table; the first is the heading of its rows."""
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
    "schedule": _listed("slot", "scheduled_at", "slot_status", "map_name"),
    "found": _listed("found", "kind", "team_name", "division", "season"),
    "sides": _listed("team_name", "ahead", "points", "kills", "kills_of_other"),
    "meetings": _listed("match", "played_at", "placements", "points_of_both", "kills_of_both"),
}
"""Columns of the tables that are not sorted."""


@router.get("")
async def tournaments(request: Request) -> Response:
    """Shows the leaderboards and matches of the selection."""
    if "was" in request.query_params:
        return RedirectResponse(Place(request.url.path, after_change(request.query_params)).link(), 303)
    chosen = ask(Chosen, request, only_known=False)

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
    """Returns the content of the tab."""
    sorted_by = {"sort": chosen.sort or "rank", "order": chosen.order or "asc"}
    asked: dict[str, Any] = {**selection.context, "page": chosen.page, "page_size": ROWS}
    kept = chosen.model_dump(include={"tab", "sort", "order", "page", "view"}, exclude_defaults=True)
    shown = {"tab": chosen.tab, "page": chosen.page, "page_size": ROWS, **sorted_by, "columns": COLUMNS}
    shown |= {"asked": {**selection.asked, **kept}, "radar_query": None, "files": [], "points": None}
    if chosen.tab == "matches":
        number = asked.pop("match")
        if number is not None:
            shown["page"] = 1
            asked |= {"page": 1, "page_size": _MOST}
        found = await matches.recent_matches(conn, matches.OfDivisionPaged(**asked))
        listed = [row for row in found["data"]["matches"] if number in (None, row["match_number"])]
        total = found["data"]["total_count"] if number is None else len(listed)
        slots = await _slots(conn, selection)
        files = [
            _file("calendar", "schedule.ics", selection.whole),
            _file("schedule_csv", "schedule.csv", selection.whole),
            *_lists("matches/recent.csv", selection.whole, found["data"]["total_count"]),
        ]
        content = {"metadata": found["metadata"], "matches": listed, "total": total, "slots": slots, "files": files}
        return {**shown, **content}
    if selection.match and not selection.match["actual_match_id"]:
        return {**shown, "metadata": None, "rows": [], "total": 0}
    if chosen.tab == "teams" and chosen.view == "points" and selection.match is None:
        found = await teams.points_by_match(conn, OfDivision(**selection.whole))
        rows = found["data"]["teams"]
        files = [_file("csv", "leaderboard/points.csv", selection.whole)] if rows else []
        content = {"metadata": found["metadata"], "points": found["data"]["matches"], "rows": rows, "files": files}
        return {**shown, **content, "total": len(rows), "page": 1, "page_size": len(rows) or 1}
    if chosen.tab == "teams":
        found = await leaderboards.team_leaderboard(conn, asked_of(leaderboards.TeamBoard, {**asked, **sorted_by}))
        shown["board"] = TEAM_COLUMNS
    else:
        found = await leaderboards.player_leaderboard(conn, asked_of(leaderboards.PlayerBoard, {**asked, **sorted_by}))
        shown["board"] = PLAYER_COLUMNS
        with_weapons = {**asked, **sorted_by, "include_weapons": "true"}
        shown["radar_query"] = urlencode({name: value for name, value in with_weapons.items() if value is not None})
    data, total = found["data"], found["data"]["total_count"]
    files = _lists(f"leaderboard/{chosen.tab}.csv", {**selection.context, **sorted_by}, total)
    return {**shown, "metadata": found["metadata"], "rows": data[chosen.tab], "total": total, "files": files}


async def _slots(conn: Connection, selection: Selection) -> list[dict[str, Any]]:
    """Returns the schedule of the selection: future slots first, the next one on top; then past ones, newest first."""
    slots = selection.matches
    if selection.match:
        slots = [selection.match]
    elif selection.round is None:
        slots = (await plans.schedule(conn, plans.Rest(**selection.whole)))["data"]["matches"]
    ahead = [slot for slot in slots if slot["actual_match_id"] is None and slot["status"] in ("scheduled", "active")]
    return ahead + [slot for slot in reversed(slots) if slot not in ahead]


def _file(text: str, path: str, asked: Mapping[str, Any]) -> tuple[str, int, str]:
    """Returns a download of the API: its label, its number among several, and its address."""
    return text, 1, Place(f"/api/v1/tournaments/{path}", asked).link()


def _lists(path: str, asked: Mapping[str, Any], total: int) -> list[tuple[str, int, str]]:
    """Returns a list as CSV, in as many files as the API's pages."""
    pages = [*range(1, -(-total // _MOST) + 1)]
    place = Place(f"/api/v1/tournaments/{path}", {**asked, "page_size": _MOST})
    text = "csv" if len(pages) == 1 else "csv_of_several"
    return [(text, page, place.link(page=page if page > 1 else None)) for page in pages]


@router.get("/matches/{match_id}")
async def match(request: Request) -> Response:
    """Shows a match: results, kills, weapons, fights, and a map that loads when opened."""
    asked = ask(matches.OfMatch, request, only_known=False)

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await matches.one_match(conn, asked))["data"]
        damage = sum(row["damage"] for row in found["weapons"])
        synthetic = await are_synthetic(conn, match_id=found["match_id"])
        return {"match": found, "damage": damage, "columns": COLUMNS, "synthetic": synthetic}

    return await _pages(request).answer(request, "pubg/match.html", (*matches.ONE_MATCH_TABLES, Matches), make)


@router.get("/teams/{team_id}")
async def team(request: Request) -> Response:
    """Shows a team: standings, results and roster."""
    asked = ask(teams.OfTeam, request, only_known=False)

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await teams.one_team(conn, asked))["data"]
        worst = max((row["placement"] or 1 for row in found["results"]), default=1)
        content = {"team": found, "worst": worst, "others": await teams.others_of_division(conn, asked)}
        return {**content, "columns": COLUMNS, "synthetic": await are_synthetic(conn, seasons=[found["season"]])}

    return await _pages(request).answer(request, "pubg/team.html", (*teams.TEAM_TABLES, Matches), make)


@router.get("/players/{account_id}")
async def player(request: Request) -> Response:
    """Shows a player: standings, results, weapons and teams."""
    asked = ask(players.OfPlayer, request, only_known=False)

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await players.one_player(conn, asked))["data"]
        damage = sum(row["damage"] for row in found["weapons"])
        synthetic = await are_synthetic(conn, seasons={row["season"] for row in found["standings"]})
        return {"player": found, "damage": damage, "columns": COLUMNS, "synthetic": synthetic}

    return await _pages(request).answer(request, "pubg/player.html", (*players.PLAYER_TABLES, Matches), make)


@router.get("/head-to-head")
async def head_to_head(request: Request) -> Response:
    """Shows two teams in the matches of both."""
    asked = ask(teams.OfPair, request, only_known=False)

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await teams.head_to_head(conn, asked))["data"]
        first = (await teams.one_team(conn, teams.OfTeam(team_id=asked.team)))["data"]
        synthetic = await are_synthetic(conn, seasons=[first["season"]])
        return {"pair": found, "of": first, "columns": COLUMNS, "synthetic": synthetic}

    tables = (*teams.PAIR_TABLES, *teams.TEAM_TABLES, Matches)
    return await _pages(request).answer(request, "pubg/head_to_head.html", tables, make, asked=asked.model_dump())


class Sought(Parameters):
    """Parameters of the search page; without a text nothing is searched."""

    q: Annotated[str, Field(max_length=100)] = ""


@router.get("/search")
async def search(request: Request) -> Response:
    """Shows teams and players by a part of their names."""
    sought = ask(Sought, request, only_known=False).q.strip()
    asked = asked_of(players.Sought, {"q": sought, "limit": _MOST}) if sought else None

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await players.search(conn, asked))["data"]["found"] if asked else []
        synthetic = await are_synthetic(conn, seasons={row["season"] for row in found})
        return {"sought": sought, "found": found, "most": _MOST, "columns": COLUMNS, "synthetic": synthetic}

    tables = (*players.SEARCH_TABLES, Matches)
    return await _pages(request).answer(
        request, "pubg/search.html", tables, make, asked={"q": sought} if sought else {}
    )


def _pages(request: Request) -> Pages:
    return request.state.pages
