"""The limit of the PUBG API, kept together by every process that uses one key, through PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

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


class SharedLimiter:
    """A sliding window of requests in `ops.api_calls`, by the clock of PostgreSQL.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        limiter: name of the limit; one for each API key and shard.
        leave: requests of every window that are left to others.
        patience: seconds of waiting after which `acquire` gives up.
        requests: requests allowed in a window, until the server tells its own figure.
        window: length of the window in seconds.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        url: SecretStr,
        limiter: str,
        *,
        leave: int = 0,
        patience: float = float("inf"),
        requests: int = REQUESTS_A_WINDOW,
        window: float = WINDOW_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._limiter = limiter
        self._leave = leave
        self._patience = patience
        self._requests = requests
        self._window = window
        self._sleep = sleep

    def acquire(self) -> None:
        """Wait until the window has room and no refusal is in force, and count the request.

        Raises:
            RateLimitedError: when that would take longer than `patience`.
        """
        waited = 0.0
        while (wait := self._take()) > 0:
            if waited + wait > self._patience:
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
            requests, blocked = row or (self._requests, None)
            if blocked is not None and blocked > 0:
                return float(blocked)
            allowed = max(requests - self._leave, 1)
            # As many must leave the window as stand in it beyond one less than is allowed.
            nth = conn.execute(
                "SELECT extract(epoch FROM called_at + make_interval(secs => %s) - clock_timestamp())"
                " FROM ops.api_calls WHERE limiter = %s AND called_at > clock_timestamp() - make_interval(secs => %s)"
                " ORDER BY called_at DESC OFFSET %s LIMIT 1",
                [self._window, self._limiter, self._window, allowed - 1],
            ).fetchone()
            if nth is not None:
                return max(float(nth[0]), _SHORTEST_WAIT_S)
            conn.execute("INSERT INTO ops.api_calls (limiter) VALUES (%s)", [self._limiter])
            return 0.0

    def observe(self, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """Take over the server's limit; wait for its reset when none remain or one was refused."""
        requests, exhausted = limit_told(headers)
        wait = refusal_wait(headers, time.time(), self._window, refused=refused) if exhausted or refused else None
        if requests is None and wait is None:
            return
        with connect(self._url) as conn:
            conn.execute(
                "INSERT INTO ops.api_limits AS l (limiter, requests, blocked_until)"
                " VALUES (%(limiter)s, coalesce(%(told)s, %(default)s),"
                " clock_timestamp() + make_interval(secs => %(wait)s))"
                " ON CONFLICT (limiter) DO UPDATE SET requests = coalesce(%(told)s, l.requests),"
                " blocked_until = greatest(l.blocked_until, excluded.blocked_until)",
                {"limiter": self._limiter, "told": requests, "default": self._requests, "wait": wait},
            )
