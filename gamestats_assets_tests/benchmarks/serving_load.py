"""A load of HTTP requests on plain sockets: light enough that it is never what is measured.

A request is bytes that were written beforehand; of an answer its status, headers and length are read. Requests are
sent when they are due, whether or not the ones before were answered, and take from when they were due: a server that
stalls is not given the time it stalled for.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Given:
    """An answer."""

    status: int
    headers: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The value of a header, by its name in lower case; empty where there is none."""
        for line in self.headers.split(b"\r\n"):
            if line[: len(name) + 1].lower() == name + b":":
                return line[len(name) + 1 :].strip()
        return b""


class Connection(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Given] | None = None
        self._transport: Any = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport, self.is_open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and with it what was asked."""
        self.is_open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._waiting is None:
            return
        head = bytes(self._buffer[:end])
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        given = Given(int(head[9:12]), head, bytes(self._buffer[end + 4 : end + 4 + length]))
        del self._buffer[: end + 4 + length]
        if not self._waiting.done():
            self._waiting.set_result(given)

    def ask(self, request: bytes) -> asyncio.Future[Given]:
        """Send a request."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self.is_open:
            self._transport.write(request)
        else:
            self._waiting.set_exception(ConnectionError("closed"))
        return self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def request(path: str, **headers: str) -> bytes:
    """The bytes of a GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def connect(port: int, source: str | None = None) -> Connection:
    """A connection to this machine, from any of its addresses."""
    local = (source, 0) if source else None
    _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port, local_addr=local)
    return made


@dataclass
class Taken:
    """What requests took.

    Attributes:
        seconds: of those that were answered.
        statuses: how many answers there were of each; of none, by the error.
        stale: how many were marked as such.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    stale: int = 0

    def note(self, given: Given, seconds: float) -> None:
        """Note an answer."""
        self.seconds.append(seconds)
        self.statuses[str(given.status)] += 1
        self.stale += b"gamestats-stale" in given.headers.lower()

    def told(self) -> dict[str, Any]:
        """In milliseconds, with counts."""
        ordered = sorted(self.seconds)

        def at(share: float) -> float | None:
            return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else None

        errors = sum(n for status, n in self.statuses.items() if status not in ("200", "304"))
        told = {"requests": self.statuses.total(), "errors": errors, "statuses": dict(self.statuses)}
        told |= {"p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99), "longest_ms": at(1.0)}
        return {**told, **({"stale": self.stale} if self.stale else {})}


async def one_at_a_time(port: int, requests: list[bytes]) -> Taken:
    """Ask them one after the other on one connection."""
    taken, connection = Taken(), await connect(port)
    for each in requests:
        began = time.perf_counter()
        taken.note(await connection.ask(each), time.perf_counter() - began)
    connection.close()
    return taken


async def at_a_rate(
    port: int,
    requests: list[bytes],
    a_second: float,
    seconds: float,
    connections: int,
    *,
    seen: Callable[[float, Given], object] = lambda at, given: None,
) -> Taken:
    """Ask so many a second, one after the other, on so many connections.

    Args:
        seen: called with every answer and when it came.
    """
    taken = Taken()
    # As many addresses as connections: what counts requests by address does so, and none of them asks too often.
    free = deque([await connect(port, f"127.0.1.{1 + number % 250}") for number in range(connections)])
    tasks: set[asyncio.Task[None]] = set()
    waiting: deque[tuple[float, bytes]] = deque()

    async def work(connection: Connection, due: float, each: bytes) -> None:
        while True:
            try:
                if not connection.is_open:
                    connection = await connect(port)
                given = await asyncio.wait_for(connection.ask(each), 30)
                taken.note(given, time.perf_counter() - due)
                seen(time.time(), given)
            except (OSError, TimeoutError) as error:
                taken.statuses[type(error).__name__] += 1
                connection.close()
            if not waiting:
                free.append(connection)
                return
            due, each = waiting.popleft()

    began, sent, total = time.perf_counter(), 0, int(a_second * seconds)
    while sent < total:
        now = time.perf_counter() - began
        while sent < total and sent / a_second <= now:
            due, each = began + sent / a_second, requests[sent % len(requests)]
            if free:
                task = asyncio.create_task(work(free.popleft(), due, each))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                waiting.append((due, each))
            sent += 1
        await asyncio.sleep(0.001)
    while tasks:
        await asyncio.wait(tasks)
    for connection in free:
        connection.close()
    return taken
