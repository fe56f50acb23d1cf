"""Which version of each published table stands in PostgreSQL, known in the process as PostgreSQL tells of it.

A publication commits the version of its table with the rows, and PostgreSQL tells of it then (see
`lakehouse.published`). So an answer that was made of some versions holds until one of these changes, and need not be
asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres import parameters
from gamestats_assets.lakehouse.published import CHANNEL, versions_of
from gamestats_assets.lakehouse.table import Table

_LONGEST_WAIT_S = 2.0


class Versions:
    """The versions of the published tables.

    Attributes:
        are_live: whether PostgreSQL would tell of another version at once. While it would not, nothing may be answered
            without asking it.
        changes: rises with every version that is not as it was; while it stays, so do all of them.
    """

    def __init__(self, url: SecretStr, games: Sequence[str]) -> None:
        self._url, self._games = url, games
        self._known: dict[str, int] = {}
        self.are_live = False
        self.changes = 0

    def of(self, tables: Sequence[type[Table]]) -> tuple[int, ...]:
        """The versions of some tables as they are known; 0 is a table that was never published.

        Of none: what stands while no table of any game changes.
        """
        if not tables:
            return (self.changes,)
        return tuple(self._known.get(table.spec.dotted, 0) for table in tables)

    def saw(self, found: Mapping[str, int]) -> None:
        """Take note of versions that were read; an older one than is known changes nothing."""
        for name, version in found.items():
            if version > self._known.get(name, 0):
                self._known[name] = version
                self.changes += 1

    async def watch(self) -> None:
        """Listen until cancelled; where PostgreSQL went, until it is there again."""
        wait = 0.1
        while True:
            with suppress(psycopg.Error, OSError):
                async with await psycopg.AsyncConnection.connect(
                    **parameters(self._url), autocommit=True, application_name="gamestats serve"
                ) as conn:
                    # Before versions are read, so that none is missed in between.
                    await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    for game in self._games:
                        self.saw(await read_versions(conn, game))
                    self.are_live, wait = True, 0.1
                    async for told in conn.notifies():
                        name, _, version = told.payload.partition(" ")
                        self.saw({name: int(version)})
            self.are_live = False
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)


async def read_versions(conn: psycopg.AsyncConnection[Any], game: str) -> dict[str, int]:
    """The versions of the published tables of a game, as they stand for the connection; none before the first."""
    table = versions_of(game).spec
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{game}.{table.name}"])
        if await cursor.fetchone() != (True,):
            return {}
        query = sql.SQL("SELECT table_name, version FROM {}").format(sql.Identifier(game, table.name))
        return {f"{game}.{name}": version async for name, version in await cursor.execute(query)}
