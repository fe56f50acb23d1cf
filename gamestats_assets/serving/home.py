"""`/`: what there is of which game, how fresh it is, and how to begin."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from psycopg import sql
from starlette.responses import Response

from gamestats_assets.lakehouse.published import versions_of
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.pages import Column, Pages
from gamestats_assets.serving.who import anybody

router = APIRouter(include_in_schema=False, dependencies=[Depends(anybody)])
_COLUMNS = (Column("table", "name", None), Column("published_at", "text", None))


@router.get("/")
async def home(request: Request) -> Response:
    """The first page."""
    pages: Pages = request.state.pages
    games: list[Game] = request.state.games

    async def make(conn: Connection) -> dict[str, Any]:
        published = []
        for game in games:
            tables = await _tables(conn, game.name)
            published.append((game, tables, max((row["published_at"] for row in tables), default=None)))
        return {"published": published, "columns": _COLUMNS}

    return await pages.answer(request, "home.html", (), make)


async def _tables(conn: Connection, game: str) -> list[dict[str, Any]]:
    table = sql.Identifier(game, versions_of(game).spec.name)
    [there] = await (await conn.execute("SELECT to_regclass(%s) AS found", [table.as_string()])).fetchall()
    if there["found"] is None:
        return []
    query = sql.SQL("SELECT table_name, published_at FROM {} ORDER BY table_name").format(table)
    return await (await conn.execute(query)).fetchall()
