"""`/`: the published tables of each game, how fresh they are, and how to begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from psycopg import sql
from starlette.responses import Response

from gamestats_assets.lakehouse.published.notes import versions_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.principal import public
from gamestats_assets.serving.pages.rendering import Column, Pages

router = APIRouter(include_in_schema=False, dependencies=[Depends(public)])
_COLUMNS = (Column("table", "name", None), Column("holds", "text", None), Column("published_at", "text", None))


@dataclass(frozen=True, slots=True)
class _Published:
    """The published tables of a game.

    Attributes:
        tables: `table_name`, `about` and `published_at` of each.
    """

    game: Game
    tables: list[dict[str, Any]]
    is_synthetic: bool

    @property
    def newest(self) -> datetime | None:
        return max((row["published_at"] for row in self.tables), default=None)


@router.get("/")
async def home(request: Request) -> Response:
    """The first page."""
    pages: Pages = request.state.pages
    games: list[Game] = request.state.games

    async def make(conn: Connection) -> Mapping[str, Any]:
        published = [await _published(conn, game) for game in games]
        return {"published": published, "columns": _COLUMNS, "synthetic": any(each.is_synthetic for each in published)}

    return await pages.answer(request, "home.html", (), make)


async def _published(conn: Connection, game: Game) -> _Published:
    versions = versions_of(game.name).spec.name
    if not await _is_there(conn, game, versions):
        return _Published(game, [], False)
    query = sql.SQL("""
        SELECT table_name, published_at,
               obj_description(to_regclass(format('%%I.%%I', %s::text, table_name)), 'pg_class') AS about
        FROM {} ORDER BY table_name
    """).format(sql.Identifier(game.name, versions))
    tables = await (await conn.execute(query, [game.name])).fetchall()
    found = False
    if game.synthetic and await _is_there(conn, game, game.synthetic[0]):
        table, condition = game.synthetic
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {}) AS found").format(
            sql.Identifier(game.name, table), sql.SQL(condition)
        )
        [row] = await (await conn.execute(query)).fetchall()
        found = row["found"]
    return _Published(game, tables, found)


async def _is_there(conn: Connection, game: Game, table: str) -> bool:
    name = sql.Identifier(game.name, table).as_string()
    [row] = await (await conn.execute("SELECT to_regclass(%s) IS NOT NULL AS found", [name])).fetchall()
    return row["found"]
