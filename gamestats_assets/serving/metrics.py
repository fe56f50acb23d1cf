"""What the processes that serve tell of themselves, in Prometheus's format.

Processes add their figures up in files of the folder that `PROMETHEUS_MULTIPROC_DIR` names, so that one port tells of
all of them. The variable has to be set before this module is loaded; without it the figures stay in the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr
from starlette.types import Scope

from gamestats_assets.lakehouse.postgres import PostgresError, connect

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Variable of the folder whose files are added up."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

_ACTIVE_DAYS = (1, 7, 30)
_ACTIVE = """
    SELECT count(DISTINCT user_id) FROM accounts.sessions WHERE last_seen_at > now() - make_interval(days => %s)"""

REQUEST_SECONDS = Histogram(
    "http_request_seconds",
    "Seconds from a request to the last byte of its answer, by the template of its route.",
    ["route", "method", "status"],
    buckets=_SECONDS,
)
POOL_IN_USE = Gauge("db_pool_in_use", "Connections of the pools that are in use.", multiprocess_mode="livesum")
QUERY_SECONDS = Histogram("db_query_seconds", "Seconds that PostgreSQL took for a statement.", buckets=_SECONDS)
CACHE_HITS = Counter("cache_hits", "Answers that were kept and still hold, by route.", ["key"])
CACHE_MISSES = Counter("cache_misses", "Answers that had to be made, by route.", ["key"])


def route_of(scope: Scope) -> str:
    """The template of the route that a request was led to, such as `/api/v1/tournaments/matches/{match_id}`.

    Empty where there is none; never what a person wrote.
    """
    route = scope.get("route")
    if route is None:
        return ""
    # The route knows nothing of the prefix of its router, which is what stands before it.
    own = route.path_format.format(**scope.get("path_params", {}))
    path = str(scope["path"])
    return path.removesuffix(own) + route.path if path.endswith(own) else route.path


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

    async def getconn(self, timeout: float | None = None) -> psycopg.AsyncConnection[DictRow]:
        """Take a connection, as psycopg does."""
        conn = await super().getconn(timeout)
        POOL_IN_USE.inc()
        return conn

    async def putconn(self, conn: psycopg.AsyncConnection[DictRow]) -> None:
        """Give a connection back, as psycopg does."""
        POOL_IN_USE.dec()
        await super().putconn(conn)


class _OfLiving(MultiProcessCollector):
    """Figures of all processes; what is so just now, of those that live: a killed one could not say that it went."""

    def collect(self) -> Iterable[Metric]:
        for path in Path(os.environ[FOLDER]).glob("gauge_live*_*.db"):
            number = int(path.stem.rpartition("_")[2])
            if not psutil.pid_exists(number):
                with suppress(FileNotFoundError):
                    mark_process_dead(number)
        return super().collect()


class _ActiveUsers(Collector):
    """How many people were here, by their sessions; asked when it is to be told, and left out while PostgreSQL is gone.

    Of what a session was used for last, PostgreSQL knows to 5 minutes.
    """

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    def collect(self) -> Iterable[Metric]:
        told = "Users whose session, of a browser or a program, was used within a time."
        family = GaugeMetricFamily("active_users", told, labels=["window"])
        with suppress(PostgresError, psycopg.Error), connect(self._url) as conn:
            for days in _ACTIVE_DAYS:
                row = conn.execute(_ACTIVE, [days]).fetchone()
                family.add_metric([f"{days}d"], row[0] if row else 0)
        yield family


def tell(host: str, port: int, url: SecretStr) -> None:
    """Answer Prometheus at an address, from a thread, as long as the process lives.

    Args:
        url: PostgreSQL, as one who may read sessions.

    Raises:
        OSError: when the address cannot be listened on.
        KeyError: when the folder of the figures is not set.
    """
    registry = CollectorRegistry()
    _OfLiving(registry, os.environ[FOLDER])
    registry.register(_ActiveUsers(url))
    start_http_server(port, host, registry)
