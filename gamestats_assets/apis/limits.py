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
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import psycopg
from pydantic import SecretStr

from gamestats_assets.apis.http import RateLimitedError
from gamestats_assets.lakehouse.postgres.server import connect

# If two callers wait for the same slot, one comes too late; it waits at least this long.
_SHORTEST_WAIT_S = 0.05
# Calls older than this many of the longest windows are deleted; without a known window, those older than a day.
_KEPT_WINDOWS = 5
_DAY_S = 86_400.0
_OTHERS = "(others)"
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
    matches = (_WINDOW.fullmatch(part.strip()) for part in text.split(","))
    windows = (Window(int(match[1]), float(match[2])) for match in matches if match)
    return sorted((w for w in windows if w.requests and w.seconds), key=lambda window: window.seconds)


def _format_windows(windows: Sequence[Window]) -> str:
    return ",".join(f"{window.requests}:{f'{window.seconds:.6f}'.rstrip('0').rstrip('.')}" for window in windows)


class Limits(ABC):
    """Decides when the next request may be sent.

    Args:
        patience: seconds of waiting after which `acquire` gives up.
        deadline: time of `time.monotonic` past which `acquire` does not wait.
        leave: requests of every window that this caller leaves to others.
        shortest_wait: a caller that must wait waits at least this many seconds.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self, patience: float, deadline: float, leave: int, shortest_wait: float, sleep: Callable[[float], None]
    ) -> None:
        self._patience = patience
        self._deadline = deadline
        self._leave = leave
        self._shortest_wait = shortest_wait
        self._sleep = sleep

    @abstractmethod
    def _states(self, limiters: Mapping[str, Sequence[Window]]) -> AbstractContextManager[tuple[float, _States]]:
        """Locks limiters, given with their default windows; yields the time and their states, and keeps changes."""

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
            with self._states(limiters) as (now, states):
                wait = max((state.wait(now, self._leave) for state in states.values()), default=0.0)
                if wait <= 0:
                    for state in states.values():
                        state.sent.append(now)
                    return now
            wait = max(wait, self._shortest_wait)
            if waited + wait > self._patience or time.monotonic() + wait > self._deadline:
                raise RateLimitedError(
                    f"The limit of requests ({', '.join(limiters)}) is used up for the next {wait:.0f} s; the "
                    "remaining requests follow later.",
                    retry_after=wait,
                )
            self._sleep(wait)
            waited += wait

    def learn(self, reported: Mapping[str, Sequence[Window]], since: float | None = None) -> None:
        """Adopts the limits that an answer reported, and counts what others have used of them.

        The server's count can include only those of our requests that we counted since a window's length before the
        answered one. The rest are others'; they are counted as late as possible outside the next shorter window, which
        reports its own.

        Args:
            reported: windows by limiter.
            since: when the answered request was counted.
        """
        with self._states({name: windows for name, windows in reported.items() if windows}) as (now, states):
            for name, state in states.items():
                state.reported = reported[name]
                shorter, new = 0.0, 0
                for window in state.reported:
                    if since is not None and window.used is not None:
                        known = _later_than(state.counted, since - window.seconds) + new
                        others = max(min(window.used, window.requests) - known, 0)
                        state.others += [now - shorter] * others
                        new += others
                    shorter = window.seconds

    def block(self, limiter: str, seconds: float) -> None:
        """Blocks a limiter for a number of seconds."""
        with self._states({limiter: ()}) as (now, states):
            states[limiter].blocked_until = max(states[limiter].blocked_until, now + seconds)


@dataclass(slots=True)
class _State:
    """State of a limiter.

    Attributes:
        default: windows that apply until an answer reports others.
        reported: windows that an answer reported.
        blocked_until: time until which it is blocked.
        counted: ordered times of counted requests.
        own: times of this caller's requests.
        sent: times of this caller's requests that are to be counted.
        others: times of others' requests that are to be counted.
    """

    default: Sequence[Window] = ()
    reported: Sequence[Window] = ()
    blocked_until: float = 0.0
    counted: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    @property
    def windows(self) -> Sequence[Window]:
        """The windows in force."""
        return self.reported or self.default

    def wait(self, now: float, leave: int) -> float:
        """Seconds until a request may be sent."""
        waits = [self.blocked_until - now, 0.0]
        for window in self.windows:
            for times, allowed in ((self.counted, window.requests), (self.own, max(window.requests - leave, 1))):
                # Enough requests must leave the window that one more fits.
                if _later_than(times, now - window.seconds) >= allowed:
                    waits.append(times[-allowed] + window.seconds - now)
        return max(waits)

    @property
    def kept_s(self) -> float:
        """Age of the oldest request to keep, in seconds."""
        return _KEPT_WINDOWS * max(window.seconds for window in self.windows) if self.windows else _DAY_S


_States = Mapping[str, _State]


def _later_than(times: Sequence[float], moment: float) -> int:
    """Number of ordered times after a moment."""
    return len(times) - bisect_right(times, moment)


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
        super().__init__(patience, float("inf"), 0, 0.0, sleep)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: defaultdict[str, _State] = defaultdict(_State)

    @contextmanager
    def _states(self, limiters: Mapping[str, Sequence[Window]]) -> Iterator[tuple[float, _States]]:
        with self._lock:
            now, states = self._clock(), {name: self._known[name] for name in limiters}
            for name, state in states.items():
                state.default = limiters[name]
            yield now, states
            for state in states.values():
                oldest = now - state.kept_s
                state.counted = sorted(each for each in (*state.counted, *state.sent, *state.others) if each >= oldest)
                state.own = sorted(each for each in (*state.own, *state.sent) if each >= oldest)
                state.sent, state.others = [], []


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
        super().__init__(patience, deadline, leave, _SHORTEST_WAIT_S, sleep)
        self._url = url
        self._caller = caller

    def leaving(self, requests: int) -> SharedLimits:
        """The same limits for a caller who leaves this many requests of every window to others."""
        limits = copy.copy(self)
        limits._leave = requests
        return limits

    @contextmanager
    def _states(self, limiters: Mapping[str, Sequence[Window]]) -> Iterator[tuple[float, _States]]:
        with connect(self._url) as conn, conn.transaction():
            # Every process locks limiters in the order of their names, so that no two wait for each other.
            states = {name: self._locked(conn, name, default) for name, default in sorted(limiters.items())}
            [(now,)] = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchall()
            before = {name: (state.reported, state.blocked_until) for name, state in states.items()}
            yield now, states
            for name, state in states.items():
                self._keep(conn, name, state, is_changed=before[name] != (state.reported, state.blocked_until))

    def _locked(self, conn: psycopg.Connection, limiter: str, default: Sequence[Window]) -> _State:
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('api limit ' || %s, 0))", [limiter])
        row = conn.execute(
            "SELECT windows, extract(epoch FROM blocked_until)::float8 FROM ops.api_limits WHERE limiter = %s",
            [limiter],
        ).fetchone()
        reported, blocked_until = row or (None, None)
        state = _State(default, parse_windows(reported or ""), blocked_until or 0.0)
        conn.execute(
            "DELETE FROM ops.api_calls WHERE limiter = %s"
            " AND called_at < clock_timestamp() - make_interval(secs => %s)",
            [limiter, state.kept_s],
        )
        query = "SELECT extract(epoch FROM called_at)::float8, caller FROM ops.api_calls WHERE limiter = %s ORDER BY 1"
        for called_at, caller in conn.execute(query, [limiter]):
            state.counted.append(called_at)
            state.own += [called_at] if caller == self._caller else []
        return state

    def _keep(self, conn: psycopg.Connection, limiter: str, state: _State, *, is_changed: bool) -> None:
        callers = [self._caller] * len(state.sent) + [_OTHERS] * len(state.others)
        conn.execute(
            "INSERT INTO ops.api_calls (limiter, caller, called_at)"
            " SELECT %s, caller, to_timestamp(at) FROM unnest(%s::text[], %s::float8[]) AS call (caller, at)",
            [limiter, callers, [*state.sent, *state.others]],
        )
        if is_changed:
            conn.execute(
                "INSERT INTO ops.api_limits (limiter, windows, blocked_until)"
                " VALUES (%s, nullif(%s, ''), to_timestamp(nullif(%s::float8, 0)))"
                " ON CONFLICT (limiter) DO UPDATE SET windows = excluded.windows,"
                " blocked_until = excluded.blocked_until",
                [limiter, _format_windows(state.reported), state.blocked_until],
            )


def windows_in_force(url: SecretStr, limiter: str) -> list[Window]:
    """The windows of a limiter that the API last reported; empty if it has reported none."""
    with connect(url) as conn:
        row = conn.execute("SELECT windows FROM ops.api_limits WHERE limiter = %s", [limiter]).fetchone()
    return parse_windows(row[0]) if row and row[0] else []
