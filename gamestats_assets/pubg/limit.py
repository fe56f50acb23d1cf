"""The limit of the PUBG API, kept together by every process that uses one key, through PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import psycopg
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres import connect
from gamestats_assets.pubg.api import (
    REQUESTS_A_WINDOW,
    WINDOW_SECONDS,
    RateLimitedError,
    limit_told,
    refusal_wait,
)

# Rows older than this many windows serve nobody.
_KEPT_WINDOWS = 5
# Of two who wait for the same call, one comes too late; it looks again after this long at least.
_SHORTEST_WAIT_S = 0.05


LIMITER = "pubg"
"""Name of the limit of our API key."""


class SharedLimiter:
    """A sliding window of requests in `ops.api_calls`, by the clock of PostgreSQL.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        limiter: name of the limit; one for each API key, whose shards share it.
        caller: whose requests these are.
        leave: requests of every window that are left to other callers: this one sends so many fewer than are allowed.
        patience: seconds of waiting after which `acquire` gives up.
        deadline: time of `time.monotonic` past which `acquire` does not wait.
        requests: requests allowed in a window, until the server tells its own figure.
        window: length of the window in seconds.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        url: SecretStr,
        limiter: str,
        *,
        caller: str = "",
        leave: int = 0,
        patience: float = float("inf"),
        deadline: float = float("inf"),
        requests: int = REQUESTS_A_WINDOW,
        window: float = WINDOW_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._limiter = limiter
        self._caller = caller
        self._leave = leave
        self._patience = patience
        self._deadline = deadline
        self._requests = requests
        self._window = window
        self._sleep = sleep

    def acquire(self) -> None:
        """Wait until the window has room and no refusal is in force, and count the request.

        Raises:
            RateLimitedError: when that would take longer than `patience`, or until after `deadline`.
        """
        waited = 0.0
        while (wait := self._take()) > 0:
            if waited + wait > self._patience or time.monotonic() + wait > self._deadline:
                raise RateLimitedError(
                    f"The limit of the PUBG API is used up for the next {wait:.0f} s; what is left is asked for later.",
                    retry_after=wait,
                )
            self._sleep(max(wait, _SHORTEST_WAIT_S))
            waited += wait

    def _take(self) -> float:
        """Seconds until a request may be sent; 0 when this one has been counted."""
        with connect(self._url) as conn, conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('api limit ' || %s, 0))", [self._limiter])
            conn.execute(
                "DELETE FROM ops.api_calls WHERE limiter = %s"
                " AND called_at < clock_timestamp() - make_interval(secs => %s)",
                [self._limiter, _KEPT_WINDOWS * self._window],
            )
            row = conn.execute(
                "SELECT requests, extract(epoch FROM blocked_until - clock_timestamp()) FROM ops.api_limits"
                " WHERE limiter = %s",
                [self._limiter],
            ).fetchone()
            told, blocked = row or (None, None)
            if blocked is not None and blocked > 0:
                return float(blocked)
            requests = told or self._requests
            wait = max(self._until_room(conn, requests), self._until_room(conn, requests - self._leave, self._caller))
            if wait > 0:
                return max(wait, _SHORTEST_WAIT_S)
            conn.execute("INSERT INTO ops.api_calls (limiter, caller) VALUES (%s, %s)", [self._limiter, self._caller])
            return 0.0

    def _until_room(self, conn: psycopg.Connection, allowed: int, caller: str | None = None) -> float:
        """Seconds until fewer requests than are allowed stand in the window: everybody's, or one caller's."""
        # As many must leave the window as stand in it beyond one less than is allowed.
        nth = conn.execute(
            "SELECT extract(epoch FROM called_at + make_interval(secs => %(window)s) - clock_timestamp())"
            " FROM ops.api_calls WHERE limiter = %(limiter)s"
            " AND called_at > clock_timestamp() - make_interval(secs => %(window)s)"
            " AND (%(caller)s::text IS NULL OR caller = %(caller)s)"
            " ORDER BY called_at DESC OFFSET %(fewer)s LIMIT 1",
            {"window": self._window, "limiter": self._limiter, "caller": caller, "fewer": max(allowed, 1) - 1},
        ).fetchone()
        return 0.0 if nth is None else max(float(nth[0]), _SHORTEST_WAIT_S)

    def observe(self, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """Take over the server's limit; wait for its reset when none remain or one was refused."""
        requests, exhausted = limit_told(headers)
        wait = refusal_wait(headers, time.time(), self._window, refused=refused) if exhausted or refused else None
        if requests is None and wait is None:
            return
        with connect(self._url) as conn:
            conn.execute(
                "INSERT INTO ops.api_limits AS l (limiter, requests, blocked_until)"
                " VALUES (%(limiter)s, %(told)s, clock_timestamp() + make_interval(secs => %(wait)s))"
                " ON CONFLICT (limiter) DO UPDATE SET requests = coalesce(%(told)s, l.requests),"
                " blocked_until = greatest(l.blocked_until, excluded.blocked_until)",
                {"limiter": self._limiter, "told": requests, "wait": wait},
            )


def limit_in_force(url: SecretStr, limiter: str, requests: int) -> int:
    """Requests allowed in a window: as the server last told, else as many as are given."""
    with connect(url) as conn:
        row = conn.execute("SELECT requests FROM ops.api_limits WHERE limiter = %s", [limiter]).fetchone()
    return requests if row is None or row[0] is None else int(row[0])
