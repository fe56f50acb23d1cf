"""Pages of tournaments: the leaderboards, and one page for each match, team and player."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from gamestats_assets.pubg.serving import leaderboards, matches, plans
from gamestats_assets.pubg.serving.selection import Chosen, Selection, after_change, select
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.pages import Column, Pages, Place
from gamestats_assets.serving.routes import ask, asked_of

router = APIRouter(prefix="/tournaments")
ROWS = 20
_TABLES = tuple(
    dict.fromkeys((*leaderboards.TEAM_TABLES, *leaderboards.PLAYER_TABLES, *matches.MATCH_TABLES, *plans.PLAN_TABLES))
)
TEAM_COLUMNS = (
    Column("rank", "rank", "asc"),
    Column("team_name", "name", "asc"),
    Column("recent_placements", "text", None),
    Column("total_points"),
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
RESULT_COLUMNS = (
    Column("placement", "rank", None),
    Column("team_name", "name", None),
    *(Column(key, "number", None) for key in ("points", "placement_points", "kill_points", "kills", "damage_dealt")),
)
_OF_PEOPLE = (
    "kills",
    "assists",
    "knocks",
    "damage_dealt",
    "damage_received",
    "longest_kill_m",
    "killsteals",
    "revives",
)
PEOPLE_COLUMNS = (
    Column("placement", "rank", None),
    Column("player_name", "name", None),
    Column("team_name", "text", None),
    *(Column(key, "number", None) for key in (*_OF_PEOPLE, "time_survived_s")),
)


@router.get("")
async def tournaments(request: Request) -> Response:
    """The leaderboards and the matches of what is chosen."""
    if "was" in request.query_params:
        return RedirectResponse(Place(request.url.path, after_change(request.query_params)).link(), 303)
    pages: Pages = request.state.pages
    chosen = ask(Chosen, request)

    async def make(conn: Connection) -> dict[str, Any]:
        selection = await select(conn, chosen)
        if selection is None:
            return {"selection": None, "asked": {}, "overlay": chosen.view == "overlay"}
        return {**await _shown(conn, selection, chosen), "selection": selection, "overlay": chosen.view == "overlay"}

    given = chosen.model_dump(exclude_defaults=True)
    template = "pubg/overlay.html" if chosen.view == "overlay" else "pubg/tournaments.html"
    return await pages.answer(request, template, _TABLES, make, asked=given)


async def _shown(conn: Connection, selection: Selection, chosen: Chosen) -> dict[str, Any]:
    """What the tab shows."""
    shown: dict[str, Any] = {"tab": chosen.tab, "page": chosen.page, "page_size": ROWS, "match": None}
    asked = {**selection.asked, **chosen.model_dump(include={"tab", "sort", "order", "page"}, exclude_defaults=True)}
    sorted_by = {"sort": chosen.sort or "rank", "order": chosen.order or "asc"}
    paged: dict[str, Any] = {"page": chosen.page, "page_size": ROWS}
    if chosen.view:
        asked["view"] = chosen.view
    if chosen.tab == "matches":
        found = await matches.recent_matches(conn, matches.OfDivisionPaged(**selection.context, **paged))
        shown |= {"matches": found["data"]["matches"], "schedule": selection.matches}
        if selection.match:
            number = selection.match["match_number"]
            shown["matches"] = [row for row in shown["matches"] if row["match_number"] == number]
    elif selection.match:
        found = await _of_match(conn, selection.match["actual_match_id"])
        shown |= {"match": selection.match, **found}
    elif chosen.tab == "teams":
        found = await leaderboards.team_leaderboard(
            conn, asked_of(leaderboards.TeamBoard, {**selection.context, **sorted_by, **paged})
        )
        shown |= {"rows": found["data"]["teams"], "columns": TEAM_COLUMNS}
    else:
        found = await leaderboards.player_leaderboard(
            conn, asked_of(leaderboards.PlayerBoard, {**selection.context, **sorted_by, **paged})
        )
        shown |= {"rows": found["data"]["players"], "columns": PLAYER_COLUMNS}
    of_players = {**selection.context, **sorted_by, **paged, "include_weapons": "true"}
    shown["radar_query"] = urlencode({name: value for name, value in of_players.items() if value is not None})
    shown |= {"result_columns": RESULT_COLUMNS, "people_columns": PEOPLE_COLUMNS}
    total = found.get("data", {}).get("total_count", 0)
    return {**shown, **sorted_by, "asked": asked, "total": total, "metadata": found.get("metadata")}


async def _of_match(conn: Connection, match_id: str | None) -> dict[str, Any]:
    """Results of the match of a slot; none while it is not played."""
    if match_id is None:
        return {"results": [], "players": []}
    one = (await matches.one_match(conn, matches.OfMatch(match_id=match_id)))["data"]
    return {"results": one["results"], "players": one.get("players", [])}
