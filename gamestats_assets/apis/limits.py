"""Rate limits of APIs: how many requests may be sent in which time windows, by one process or by all that use a key.

A limiter is a name, such as `pubg`, with one or more windows. A request can count against several limiters, such as a
key's and an endpoint's. Windows slide: no interval of a window's length contains more requests than it allows.
"""

from __future__ import annotations

import copy
import re
import threading
import time
from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from pydantic import SecretStr

from gamestats_assets.apis.http import RateLimitedError
from gamestats_assets.lakehouse.postgres.server import connect

# If two callers wait for the same slot, one comes too late; it waits at least this long.
_SHORTEST_WAIT_S = 0.05
# Calls older than this many of the longest windows are deleted.
_KEPT_WINDOWS = 5
_WINDOW = re.compile(r"([0-9]{1,9}):([0-9]{1,9}(?:\.[0-9]{1,6})?)")


@dataclass(frozen=True, slots=True)
class Window:
    """Requests allowed in an interval.

    Attributes:
        requests: number of requests.
        seconds: length of the interval.
        used: number of requests already used, if an answer reported it.
    """

    requests: int
    seconds: float
    used: int | None = None


def parse_windows(text: str) -> list[Window]:
    """Parses windows as headers write them, the shortest first; unreadable ones are left out.

    >>> parse_windows("100:120,20:1")
    [Window(requests=20, seconds=1.0, used=None), Window(requests=100, seconds=120.0, used=None)]
    """
    others_by_time = (_WINDOW.fullmatch(part.strip()) for part in text.split(","))
    windows = (Window(int(match[1]), float(match[2])) for match in others_by_time if match)
    return sorted((w for w in windows if w.requests and w.seconds), key=lambda window: window.seconds)


def _format_windows(windows: Sequence[Window]) -> str:
    return ",".join(f"{window.requests}:{f'{window.seconds:.6f}'.rstrip('0').rstrip('.')}" for window in windows)


class Limits(ABC):
    """Decides when the next request may be sent.

    Args:
        patience: seconds of waiting after which `acquire` gives up.
        deadline: time of `time.monotonic` past which `acquire` does not wait.
        sleep: waits for a number of seconds.
    """

    def __init__(self, patience: float, deadline: float, sleep: Callable[[float], None]) -> None:
        self._patience = patience
        self._deadline = deadline
        self._sleep = sleep

    def acquire(self, limiters: Mapping[str, Sequence[Window]]) -> float:
        """Waits until all limiters allow a request, and counts it in each.

        Args:
            limiters: windows by limiter; they apply until an answer reports others.

        Returns:
            The time at which the request was counted, for `learn`.

        Raises:
            RateLimitedError: if the wait would exceed `patience` or `deadline`.
        """
        waited = 0.0
        while True:
            wait, counted_at = self._take(limiters)
            if wait <= 0:
                return counted_at
            if waited + wait > self._patience or time.monotonic() + wait > self._deadline:
                raise RateLimitedError(
                    f"The limit of requests ({', '.join(limiters)}) is used up for the next {wait:.0f} s; what is left "
                    "is asked for later.",
                    retry_after=wait,
                )
            self._sleep(wait)
            waited += wait

    @abstractmethod
    def _take(self, limiters: Mapping[str, Sequence[Window]]) -> tuple[float, float]:
        """Counts a request if it may be sent. Returns the seconds to wait, 0 if it was counted, and when it was."""

    @abstractmethod
    def learn(self, reported: Mapping[str, Sequence[Window]], since: float | None = None) -> None:
        """Adopts the limits that an answer reported, and counts what others have used of them.

        Args:
            reported: windows by limiter.
            since: when the answered request was counted.
        """

    @abstractmethod
    def block(self, limiter: str, seconds: float) -> None:
        """Blocks a limiter for a number of seconds."""


# ---------------------------------------------------------------- one process


@dataclass(slots=True)
class _State:
    """State of a limiter: ordered times of counted requests, and what answers reported."""

    counted: list[float] = field(default_factory=list)
    windows: Sequence[Window] = ()
    blocked_until: float = 0.0

    def since(self, time: float) -> int:
        """Number of requests counted after a time."""
        return len(self.counted) - bisect_right(self.counted, time)

    def wait(self, default: Sequence[Window], now: float) -> float:
        """Seconds until a request may be sent."""
        waits = [self.blocked_until - now, 0.0]
        for window in self.windows or default:
            # Enough requests must leave the window that one more fits.
            if self.since(now - window.seconds) >= window.requests:
                waits.append(self.counted[-window.requests] + window.seconds - now)
        return max(waits)


class InProcessLimits(Limits):
    """Limits shared by the threads of one process.

    Args:
        clock: wall clock in unix seconds.
    """

    def __init__(
        self,
        *,
        patience: float = float("inf"),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(patience, float("inf"), sleep)
        self._clock = clock
        self._lock = threading.Lock()
        self._states: defaultdict[str, _State] = defaultdict(_State)

    def _take(self, limiters: Mapping[str, Sequence[Window]]) -> tuple[float, float]:
        with self._lock:
            now = self._clock()
            states = {name: self._states[name] for name in limiters}
            wait = max((state.wait(limiters[name], now) for name, state in states.items()), default=0.0)
            if wait <= 0:
                for name, state in states.items():
                    longest = max((window.seconds for window in state.windows or limiters[name]), default=0.0)
                    del state.counted[: bisect_right(state.counted, now - _KEPT_WINDOWS * longest)]
                    insort(state.counted, now)
            return wait, now

    def learn(self, reported: Mapping[str, Sequence[Window]], since: float | None = None) -> None:
        """As `Limits.learn`."""
        with self._lock:
            now = self._clock()
            for name, windows in reported.items():
                if not windows:
                    continue
                state = self._states[name]
                state.windows = windows
                for counted_at, others in _requests_of_others(windows, now, since, state.since):
                    for _ in range(others):
                        insort(state.counted, counted_at)

    def block(self, limiter: str, seconds: float) -> None:
        """As `Limits.block`."""
        with self._lock:
            state = self._states[limiter]
            state.blocked_until = max(state.blocked_until, self._clock() + seconds)


def _requests_of_others(
    windows: Sequence[Window], now: float, since: float | None, counted_since: Callable[[float], int]
) -> list[tuple[float, int]]:
    """Requests that others sent: when to count them, and how many.

    The server's count can include only those of our requests that we counted since a window's length before the
    answered one. The rest are others'; they are counted as late as possible outside the next shorter window, which
    reports its own.
    """
    others_by_time: list[tuple[float, int]] = []
    shorter = 0.0
    for window in windows:
        if since is not None and window.used is not None:
            known = counted_since(since - window.seconds) + sum(number for _, number in others_by_time)
            if (others := min(window.used, window.requests) - known) > 0:
                others_by_time.append((now - shorter, others))
        shorter = window.seconds
    return others_by_time


# ---------------------------------------------------------------- all processes


class SharedLimits(Limits):
    """Limits shared by all processes, in `ops.api_calls` and `ops.api_limits`, by the clock of PostgreSQL.

    Args:
        url: PostgreSQL, with the schema `ops` migrated.
        caller: names the sender of these requests.
        leave: requests of every window that this caller leaves to others.
    """

    def __init__(
        self,
        url: SecretStr,
        *,
        caller: str = "",
        leave: int = 0,
        patience: float = float("inf"),
        deadline: float = float("inf"),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(patience, deadline, sleep)
        self._url = url
        self._caller = caller
        self._leave = leave

    def leaving(self, requests: int) -> SharedLimits:
        """The same limits for a caller who leaves this many requests of every window to others."""
        limits = copy.copy(self)
        limits._leave = requests
        return limits

    def _take(self, limiters: Mapping[str, Sequence[Window]]) -> tuple[float, float]:
        with connect(self._url) as conn, conn.transaction():
            waits = [self._wait(conn, name, default) for name, default in sorted(limiters.items())]
            if any(wait > 0 for wait in waits):
                return max(*waits, _SHORTEST_WAIT_S), 0.0
            row = conn.execute(
                "WITH counted AS (INSERT INTO ops.api_calls (limiter, caller)"
                " SELECT unnest(%s::text[]), %s RETURNING called_at)"
                " SELECT extract(epoch FROM min(called_at)) FROM counted",
                [[*limiters], self._caller],
            ).fetchone()
            return 0.0, float(row[0]) if row and row[0] is not None else 0.0

    def _wait(self, conn: psycopg.Connection, limiter: str, default: Sequence[Window]) -> float:
        _lock(conn, limiter)
        row = conn.execute(
            "SELECT windows, extract(epoch FROM blocked_until - clock_timestamp()) FROM ops.api_limits"
            " WHERE limiter = %s",
            [limiter],
        ).fetchone()
        reported, blocked = row or (None, None)
        windows = (parse_windows(reported) if reported else None) or default
        longest = max((window.seconds for window in windows), default=0.0)
        conn.execute(
            "DELETE FROM ops.api_calls WHERE limiter = %s"
            " AND called_at < clock_timestamp() - make_interval(secs => %s)",
            [limiter, _KEPT_WINDOWS * longest],
        )
        rooms = [(window.requests, window.seconds, None) for window in windows]
        if self._leave:
            rooms += [(window.requests - self._leave, window.seconds, self._caller) for window in windows]
        return max([float(blocked or 0.0), 0.0, *(_wait_for_room(conn, limiter, *room) for room in rooms)])

    def learn(self, reported: Mapping[str, Sequence[Window]], since: float | None = None) -> None:
        """As `Limits.learn`."""
        with connect(self._url) as conn, conn.transaction():
            for name, windows in sorted(reported.items()):
                if not windows:
                    continue
                conn.execute(
                    "INSERT INTO ops.api_limits AS l (limiter, windows) VALUES (%s, %s)"
                    " ON CONFLICT (limiter) DO UPDATE SET windows = excluded.windows"
                    " WHERE l.windows IS DISTINCT FROM excluded.windows",
                    [name, _format_windows(windows)],
                )
                if since is not None and any(window.used for window in windows):
                    _lock(conn, name)
                    self._count_others(conn, name, windows, since)

    def _count_others(self, conn: psycopg.Connection, limiter: str, windows: Sequence[Window], since: float) -> None:
        def counted_since(time: float) -> int:
            row = conn.execute(
                "SELECT count(*) FROM ops.api_calls WHERE limiter = %s AND called_at > to_timestamp(%s)",
                [limiter, time],
            ).fetchone()
            return int(row[0]) if row else 0

        for before_now, others in _requests_of_others(windows, 0.0, since, counted_since):
            conn.execute(
                "INSERT INTO ops.api_calls (limiter, caller, called_at)"
                " SELECT %s, '(others)', clock_timestamp() + make_interval(secs => %s) FROM generate_series(1, %s)",
                [limiter, before_now, others],
            )

    def block(self, limiter: str, seconds: float) -> None:
        """As `Limits.block`."""
        with connect(self._url) as conn:
            conn.execute(
                "INSERT INTO ops.api_limits AS l (limiter, blocked_until)"
                " VALUES (%s, clock_timestamp() + make_interval(secs => %s))"
                " ON CONFLICT (limiter) DO UPDATE SET"
                " blocked_until = greatest(l.blocked_until, excluded.blocked_until)",
                [limiter, seconds],
            )


def _lock(conn: psycopg.Connection, limiter: str) -> None:
    # Every process locks limiters in the order of their names, so that no two wait for each other.
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('api limit ' || %s, 0))", [limiter])


def _wait_for_room(conn: psycopg.Connection, limiter: str, allowed: int, seconds: float, caller: str | None) -> float:
    """Seconds until the window has room for one more request, counting those of all callers or of one."""
    # Enough requests must leave the window that one more fits.
    nth = conn.execute(
        "SELECT extract(epoch FROM called_at + make_interval(secs => %(window)s) - clock_timestamp())"
        " FROM ops.api_calls WHERE limiter = %(limiter)s"
        " AND called_at > clock_timestamp() - make_interval(secs => %(window)s)"
        " AND (%(caller)s::text IS NULL OR caller = %(caller)s)"
        " ORDER BY called_at DESC OFFSET %(fewer)s LIMIT 1",
        {"window": seconds, "limiter": limiter, "caller": caller, "fewer": max(allowed, 1) - 1},
    ).fetchone()
    return 0.0 if nth is None else max(float(nth[0]), _SHORTEST_WAIT_S)


def windows_in_force(url: SecretStr, limiter: str) -> list[Window]:
    """The windows of a limiter that the API last reported; empty if it has reported none."""
    with connect(url) as conn:
        row = conn.execute("SELECT windows FROM ops.api_limits WHERE limiter = %s", [limiter]).fetchone()
    return parse_windows(row[0]) if row and row[0] else []
