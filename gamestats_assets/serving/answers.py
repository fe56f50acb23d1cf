"""Answers that are functions of what is asked and of the published versions they are made of.

An answer is kept in the process with the versions of its tables, and given again as long as these stand. Its `ETag`
names both, so a client that has it is answered 304 without anything being read. What is made anew is read in one
snapshot, together with the versions that it is of; so no answer is older than another one that was given before.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import psycopg
from fastapi import Request
from psycopg import IsolationLevel
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import SecretStr
from starlette.responses import Response

from gamestats_assets.lakehouse.postgres import parameters
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.versions import Versions, read_versions

Connection = psycopg.AsyncConnection[DictRow]
Make = Callable[[Connection], Awaitable[Any]]
"""Makes what is answered, of what one snapshot of PostgreSQL holds."""
_JSON = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the versions of the tables that it is made of."""

    versions: tuple[int, ...]
    body: bytes
    etag: str


class Answers:
    """The answers of one process.

    Args:
        most_bytes: of the bodies that are kept; those that were asked for last.
    """

    def __init__(self, pool: AsyncConnectionPool[Connection], versions: Versions, most_bytes: int = 64 << 20) -> None:
        self._pool, self._versions, self._most = pool, versions, most_bytes
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._making: dict[tuple[str, tuple[int, ...]], asyncio.Task[Answer]] = {}

    async def give(
        self, request: Request, tables: Sequence[type[Table]], key: str, make: Make, *, keeps_s: int
    ) -> Response:
        """The answer to a request.

        Args:
            tables: all that it is made of; of one game.
            key: says what is asked: requests with the same key have the same answer.
            keeps_s: seconds for which proxies may keep it.

        Raises:
            psycopg.OperationalError, psycopg_pool.PoolTimeout: when PostgreSQL is gone and nothing is kept.
        """
        asked = request.headers.get("if-none-match", "")
        headers = {"Cache-Control": f"public, max-age={keeps_s}"}
        try:
            answer = await self._answer(tables, key, make)
        except (psycopg.OperationalError, PoolTimeout):
            kept = self._kept.get(key)
            if kept is None:
                raise
            answer, headers = kept, {"Cache-Control": "no-store", "Gamestats-Stale": "true"}
        headers["ETag"] = answer.etag
        if answer.etag in {each.strip().removeprefix("W/") for each in asked.split(",")} or asked.strip() == "*":
            return Response(None, 304, headers)
        return Response(answer.body, 200, headers, "application/json")

    async def _answer(self, tables: Sequence[type[Table]], key: str, make: Make) -> Answer:
        while True:
            known = self._versions.of(tables)
            if (kept := self._current(tables, key)) is not None:
                return kept
            # Of many that ask the same at once, one makes it; who knows of another version by now begins anew.
            making = self._making.get((key, known))
            if making is None:
                making = self._making[key, known] = asyncio.create_task(self._made(tables, key, make))
                making.add_done_callback(lambda _, of=(key, known): self._making.pop(of, None))
            answer = await asyncio.shield(making)
            if not self._versions.are_live or answer.versions == self._versions.of(tables):
                return answer

    def _current(self, tables: Sequence[type[Table]], key: str) -> Answer | None:
        kept = self._kept.get(key)
        if kept is None or not self._versions.are_live or kept.versions != self._versions.of(tables):
            return None
        self._kept.move_to_end(key)
        return kept

    async def _made(self, tables: Sequence[type[Table]], key: str, make: Make) -> Answer:
        async with self._pool.connection() as conn, conn.transaction():
            found = await read_versions(conn, tables[0].spec.game)
            made = await make(conn)
        self._versions.saw(found)
        versions = tuple(found.get(table.spec.dotted, 0) for table in tables)
        body = _JSON.encode(made)
        named = hashlib.sha256(repr((key, versions)).encode()).hexdigest()[:32]
        answer = Answer(versions, body, f'"{named}"')
        self._keep(key, answer)
        return answer

    def _keep(self, key: str, answer: Answer) -> None:
        if (before := self._kept.pop(key, None)) is not None:
            if before.versions > answer.versions:
                answer = before
            self._bytes -= len(before.body)
        self._kept[key] = answer
        self._bytes += len(answer.body)
        while self._bytes > self._most and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1].body)


def connections(url: SecretStr, most: int = 8) -> AsyncConnectionPool[Connection]:
    """Connections for answers: in snapshots, that only read, none of whose statements takes longer than 5 s."""

    async def configure(conn: psycopg.AsyncConnection[Any]) -> None:
        await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await conn.set_read_only(True)

    given = {"row_factory": dict_row, "options": "-c statement_timeout=5000 -c timezone=UTC"}
    asked = parameters(url)
    asked["options"] = f"{asked.get('options', '')} {given['options']}".strip()
    return AsyncConnectionPool(
        connection_class=cast(type[Connection], psycopg.AsyncConnection),
        kwargs={**given, **asked, "application_name": "gamestats serve"},
        min_size=1,
        max_size=most,
        timeout=3,
        open=False,
        configure=configure,
        check=cast(Any, AsyncConnectionPool.check_connection),
    )
