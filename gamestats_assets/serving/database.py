"""Connections to PostgreSQL: pools that are counted, statements that are timed and end after 5 s."""

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
"""Seconds that metrics of time tell apart."""
POOL_IN_USE = Gauge(
    "db_pool_in_use", "Connections of the pools that are in use.", ["pool"], multiprocess_mode="livesum"
)
POOL_SIZE = Gauge("db_pool_size", "Connections that the pools may have at most.", ["pool"], multiprocess_mode="livesum")
QUERY_SECONDS = Histogram("db_query_seconds", "Seconds that PostgreSQL took for a statement.", buckets=BUCKETS_S)


class TimedCursor(psycopg.AsyncCursor[DictRow]):
    """A cursor whose statements are among `db_query_seconds`."""

    async def execute(self, *args: Any, **kwargs: Any) -> TimedCursor:
        """Execute a statement, as psycopg does."""
        with QUERY_SECONDS.time():
            await super().execute(*args, **kwargs)
        return self


class TimedActsCursor(psycopg.Cursor[DictRow]):
    """The same, for what signed-in people do."""

    def execute(self, *args: Any, **kwargs: Any) -> TimedActsCursor:
        """Execute a statement, as psycopg does."""
        with QUERY_SECONDS.time():
            super().execute(*args, **kwargs)
        return self


class CountedPool(AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]):
    """A pool whose connections are among `db_pool_in_use` from when they are taken until they are given back."""

    async def open(self, wait: bool = False, timeout: float = 30) -> None:
        """Begin, as psycopg does."""
        POOL_SIZE.labels(self.name).set(self.max_size)
        POOL_IN_USE.labels(self.name).set(0)
        await super().open(wait, timeout)

    async def getconn(self, timeout: float | None = None) -> psycopg.AsyncConnection[DictRow]:
        """Take a connection, as psycopg does."""
        conn = await super().getconn(timeout)
        POOL_IN_USE.labels(self.name).inc()
        return conn

    async def putconn(self, conn: psycopg.AsyncConnection[DictRow]) -> None:
        """Give a connection back, as psycopg does."""
        POOL_IN_USE.labels(self.name).dec()
        await super().putconn(conn)


def connections(url: SecretStr, name: str, most: int = 8) -> AsyncConnectionPool[Connection]:
    """Connections for answers: in snapshots, that only read, none of whose statements takes longer than 5 s.

    Args:
        name: of the pool, among the metrics.
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
    """Refuse a connection whose server is gone, without asking it: its end is closed, which is seen here.

    Raises:
        psycopg.OperationalError: so that a pool takes another one.
    """
    if not conn.closed:
        poll = select.poll()
        poll.register(conn, select.POLLIN)
        if not poll.poll(0):
            return
    # A pool lets go of it then.
    await conn.close()
    raise psycopg.OperationalError("The connection is lost.")


def connecting(url: SecretStr, plans: LiteralString = "force_custom_plan") -> dict[str, Any]:
    """How what serves connects: rows by column, in UTC, no statement longer than 5 s.

    Args:
        plans: one for everybody would read the months and matches of nobody in particular, and take twice as long;
            what looks up single rows by their key is planned once, which takes longer than to find them.
    """
    asked = parameters(url)
    planned = f"-c plan_cache_mode={plans}"
    options = f"{asked.get('options', '')} -c statement_timeout=5000 -c timezone=UTC {planned}".strip()
    return {**asked, "row_factory": dict_row, "options": options, "application_name": "gamestats serve"}
