"""Connections to PostgreSQL: counted pools, and timed statements that end after 5 s."""

from __future__ import annotations

import select
from typing import Any, LiteralString, cast

import psycopg
from prometheus_client import Gauge, Histogram
from psycopg import IsolationLevel
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.server import parameters

Connection = psycopg.AsyncConnection[DictRow]
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
"""Buckets of durations in metrics, in seconds."""
POOL_IN_USE = Gauge("db_pool_in_use", "Connections in use, by pool.", ["pool"], multiprocess_mode="livesum")
POOL_SIZE = Gauge("db_pool_size", "Largest number of connections, by pool.", ["pool"], multiprocess_mode="livesum")
QUERY_SECONDS = Histogram("db_query_seconds", "Duration of statements in PostgreSQL, in seconds.", buckets=BUCKETS_S)


class TimedCursor(psycopg.AsyncCursor[DictRow]):
    """A cursor whose statements count in `db_query_seconds`."""

    async def execute(self, *args: Any, **kwargs: Any) -> TimedCursor:
        """Execute a statement, as psycopg does."""
        with QUERY_SECONDS.time():
            await super().execute(*args, **kwargs)
        return self


class TimedActsCursor(psycopg.Cursor[DictRow]):
    """The same for synchronous connections, which write for signed-in users."""

    def execute(self, *args: Any, **kwargs: Any) -> TimedActsCursor:
        """Execute a statement, as psycopg does."""
        with QUERY_SECONDS.time():
            super().execute(*args, **kwargs)
        return self


class CountedPool(AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]):
    """A pool whose connections count in `db_pool_in_use` while they are taken."""

    async def open(self, wait: bool = False, timeout: float = 30) -> None:
        """Opens the pool, as psycopg does."""
        POOL_SIZE.labels(self.name).set(self.max_size)
        POOL_IN_USE.labels(self.name).set(0)
        await super().open(wait, timeout)

    async def getconn(self, timeout: float | None = None) -> psycopg.AsyncConnection[DictRow]:
        """Takes a connection, as psycopg does."""
        conn = await super().getconn(timeout)
        POOL_IN_USE.labels(self.name).inc()
        return conn

    async def putconn(self, conn: psycopg.AsyncConnection[DictRow]) -> None:
        """Returns a connection, as psycopg does."""
        POOL_IN_USE.labels(self.name).dec()
        await super().putconn(conn)


def connections(url: SecretStr, name: str, most: int = 8) -> AsyncConnectionPool[Connection]:
    """Returns a pool of connections for answers: read-only snapshots with statements of at most 5 s.

    Args:
        name: name of the pool in the metrics.
    """

    async def configure(conn: psycopg.AsyncConnection[Any]) -> None:
        await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await conn.set_read_only(True)

    return CountedPool(
        name=name,
        connection_class=cast(type[Connection], psycopg.AsyncConnection),
        kwargs={**connecting(url), "cursor_factory": TimedCursor},
        min_size=1,
        max_size=most,
        timeout=3,
        open=False,
        configure=configure,
        check=cast(Any, still_there),
    )


async def still_there(conn: Connection) -> None:
    """Refuses a connection that its server has closed, which is visible here without a round trip.

    Raises:
        psycopg.OperationalError: so that the pool takes another one.
    """
    if not conn.closed:
        poll = select.poll()
        poll.register(conn, select.POLLIN)
        if not poll.poll(0):
            return
    # The pool then discards it.
    await conn.close()
    raise psycopg.OperationalError("The connection is lost.")


def connecting(url: SecretStr, plans: LiteralString = "force_custom_plan") -> dict[str, Any]:
    """Returns the options of serving connections: rows as dictionaries, UTC, statements of at most 5 s.

    Args:
        plans: a generic plan, which does not know the months and matches asked for, takes twice as long. Only lookups
            of single rows by their key should use one, since planning takes longer than the lookup.
    """
    asked = parameters(url)
    planned = f"-c plan_cache_mode={plans}"
    options = f"{asked.get('options', '')} -c statement_timeout=5000 -c timezone=UTC {planned}".strip()
    return {**asked, "row_factory": dict_row, "options": options, "application_name": "gamestats serve"}
