"""The published version of each table, kept current by PostgreSQL's notifications.

A publication commits the version of its table with the rows, and PostgreSQL then notifies its listeners (see
`lakehouse.published`). So an answer stays valid until the version of one of its tables changes.

For tables about players, notifications also name the players whose rows changed: an answer about one player stays valid
until that player's rows change.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.server import parameters
from gamestats_assets.lakehouse.published.notes import CHANNEL, FORGET, versions_of
from gamestats_assets.lakehouse.table import Table

_LONGEST_WAIT_S = 2.0
_MOST_PLAYERS = 50_000
"""Most players of a table whose changes are remembered; beyond that, answers about its players are made again."""


class Versions:
    """The versions of the published tables.

    Attributes:
        are_live: whether PostgreSQL reports new versions at once. While it does not, every answer must ask it.
        changes: rises whenever a version changes; while it stays, so do all versions.
        on_forget: called when a person was erased, so that memory keeps nothing from before.
    """

    def __init__(self, url: SecretStr, games: Sequence[str]) -> None:
        self._url, self._games = url, games
        self._known: dict[str, int] = {}
        self._published: set[str] = set()
        self._announced: dict[str, int] = {}
        # Of each table: the last version that changed a player, and the version before which that is unknown.
        self._of_players: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._doubted: dict[str, int] = {}
        self.are_live = False
        self.changes = 0
        self.on_forget: list[Callable[[], None]] = []

    def of(self, tables: Sequence[type[Table]]) -> tuple[int, ...]:
        """Returns the known versions of tables; 0 for a table that was never published.

        Without tables, returns what stays the same while no table of any game changes.
        """
        if not tables:
            return (self.changes,)
        return tuple(self._known.get(table.spec.dotted, 0) for table in tables)

    def hold(
        self, tables: Sequence[type[Table]], versions: tuple[int, ...], players: Sequence[str] | None = None
    ) -> bool:
        """Whether an answer made from these versions is still valid.

        Args:
            players: the only players whose rows it rests on.
        """
        if players is None or not tables:
            return self.of(tables) == versions
        return all(self._changed(table, players) <= had for table, had in zip(tables, versions, strict=True))

    def _changed(self, table: type[Table], players: Sequence[str]) -> int:
        """Returns the last version that changed rows of some players."""
        name, of_players = table.spec.dotted, self._of_players[table.spec.dotted]
        known, announced = self._known.get(name, 0), self._announced.get(name, 0)
        if known > announced:
            # The version was read before the notification named its players.
            return known
        return max(self._doubted.get(name, 0), *(of_players.get(player, 0) for player in players), 0)

    def heard(self, payload: str) -> None:
        """Takes a notification of a publication; see `lakehouse.published.notes.CHANNEL`."""
        if payload == FORGET:
            for forget in self.on_forget:
                forget()
            return
        name, _, rest = payload.partition(" ")
        version, _, listed = rest.partition(" ")
        self._heard(name, int(version), json.loads(listed) if listed else None)

    def _heard(self, name: str, version: int, players: Sequence[str] | None) -> None:
        of_players = self._of_players[name]
        if players is None or len(of_players) > _MOST_PLAYERS:
            self._doubted[name] = max(version, self._doubted.get(name, 0))
            of_players.clear()
        else:
            of_players.update((player, max(version, of_players.get(player, 0))) for player in players)
        self._announced[name] = max(version, self._announced.get(name, 0))
        self.saw({name: version})
        self.changes += 1

    def saw(self, found: Mapping[str, int]) -> None:
        """Takes versions that were read; older ones than are known change nothing."""
        for name, version in found.items():
            if version > self._known.get(name, 0):
                self._known[name] = version
                self.changes += 1

    async def read(self, conn: psycopg.AsyncConnection[Any], game: str) -> dict[str, int]:
        """Returns the versions of a game's tables that a connection sees; none before the first publication."""
        table = versions_of(game).spec
        async with conn.cursor(row_factory=tuple_row) as cursor:
            if game not in self._published:
                await cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{game}.{table.name}"])
                if await cursor.fetchone() != (True,):
                    return {}
                self._published.add(game)
            query = sql.SQL("SELECT table_name, version FROM {}").format(sql.Identifier(game, table.name))
            await cursor.execute(query)
            return {f"{game}.{name}": version for name, version in await cursor.fetchall()}

    async def watch(self) -> None:
        """Listens until cancelled, and reconnects when PostgreSQL was away."""
        wait = 0.1
        while True:
            with suppress(psycopg.Error, OSError):
                async with await psycopg.AsyncConnection.connect(
                    **parameters(self._url), autocommit=True, application_name="gamestats serve"
                ) as conn:
                    # Before versions are read, so that none is missed.
                    await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    for game in self._games:
                        for name, version in (await self.read(conn, game)).items():
                            if version > self._announced.get(name, 0):
                                self._heard(name, version, None)
                    self.are_live, wait = True, 0.1
                    async for notification in conn.notifies():
                        self.heard(notification.payload)
            self.are_live = False
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
