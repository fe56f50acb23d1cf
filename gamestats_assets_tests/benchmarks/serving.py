"""How fast and how steadily `gamestats serve` answers: a published season, the server on one core, the load on others.

    python -m gamestats_assets_tests.benchmarks.serving
    python -m gamestats_assets_tests.benchmarks.serving --only cached,rate --seconds 10

Everything runs here and is gone afterwards: an embedded PostgreSQL, one process of `gamestats serve` with all that its
requests usually meet (limits, logs to a file), and the load, which sends plain bytes over sockets (`serving_load`).
Prints one JSON object, by what was done, with the machine's load average and the server's memory after it:

    ready       seconds from its start until it is ready, and its memory
    uncached    each of the five endpoints, no answer of which is kept, one at a time
    cached      the same, kept; and `unchanged`, answered 304
    rate        so many requests a second of kept answers
    pages       so many open pages, each from an address of its own with its own ETag, that ask every so many seconds,
                while a match is published every so many; `oldest_s` is the longest that a page showed a table after
                another one was committed, `memory_mb` that of the server over this time
    restart     PostgreSQL stopped and started under load, every second request of which no answer is kept; `back_s` is
                from its start to the first answer that is not marked as stale, `all_back_s` to the last that is or
                fails, and `retry_after` whether every 503 told when to ask again
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_plus

import httpx
import psutil
import uvloop
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.postgres.embedded import start_embedded, stop_embedded
from gamestats_assets.settings import Settings
from gamestats_assets_tests.benchmarks.serving_load import (
    Given,
    Taken,
    at_a_rate,
    connect,
    one_at_a_time,
    request,
)
from gamestats_assets_tests.benchmarks.serving_season import SEASON, MadeUp

ROOT = "/api/v1/tournaments"
ENDPOINTS = ("/leaderboard/teams", "/leaderboard/players", "/matches/recent", "/rounds", "/schedule")
BOARD = f"{ROOT}/leaderboard/teams?season={SEASON}&division=Division+1"
_POINTS = re.compile(rb'"total_points":(\d+)')


@dataclass
class Served:
    """A server over a season."""

    settings: Settings
    season: Any
    url: str
    port: int
    process: psutil.Process
    ready_s: float

    @property
    def memory_mb(self) -> float:
        """Memory of the process."""
        return round(self.process.memory_info().rss / 2**20, 1)


class Filling(Protocol):
    """What is served."""

    def publish(self, url: str) -> None:
        """Fill the published tables of a PostgreSQL."""


@contextmanager
def serving(season: Filling, cores: list[int], kept: Path | None = None) -> Iterator[Served]:
    """What fills the tables, published and served; the server alone on the first core.

    Args:
        kept: a folder for the data, which stay there; they are gone afterwards without.
    """
    folder = kept or Path(tempfile.mkdtemp(prefix="gamestats-benchmark-"))
    settings = Settings(data=str(folder), postgres_url=None)
    try:
        url = start_embedded(settings)
        migrate(SecretStr(url))
        season.publish(url)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Limits are counted, and high enough for one address.
        given = {"GAMESTATS_DATA": str(folder), "GAMESTATS_REQUESTS_A_MINUTE": "1000000000"}
        given["GAMESTATS_REQUEST_LOGS"] = str(folder / "logs")
        command = [sys.executable, "-m", "gamestats_assets.cli", "serve", "--port", str(port)]
        began = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **given}, stdout=subprocess.DEVNULL)
        try:
            psutil.Process(process.pid).cpu_affinity(cores[:1])
            os.sched_setaffinity(0, cores[1:] or cores)
            while not _is_ready(port):
                if process.poll() is not None:
                    raise SystemExit("gamestats serve ended before it was ready.")
                time.sleep(0.01)
            ready_s = round(time.perf_counter() - began, 2)
            yield Served(settings, season, url, port, psutil.Process(process.pid), ready_s)
        finally:
            process.terminate()
            process.wait()
    finally:
        stop_embedded(settings)
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def paths(endpoint: str, divisions: int, *, times: int) -> list[str]:
    """Questions that are all different: the name of a division is found whatever its capitals."""
    written = itertools.product(*((letter.lower(), letter.upper()) for letter in "division"))
    names = ["".join(letters) for letters in itertools.islice(written, times)]
    return [
        f"{ROOT}{endpoint}?season={SEASON}&division={quote_plus(f'{name} {1 + n % divisions}')}"
        for n, name in enumerate(names)
    ]


async def uncached(served: Served, times: int) -> dict[str, Any]:
    """Each endpoint, one at a time, no answer of which is kept."""
    found = {}
    for endpoint in ENDPOINTS:
        asked = [request(path) for path in paths(endpoint, len(served.season.divisions), times=min(times, 250))]
        found[endpoint] = (await one_at_a_time(served.port, asked)).told()
    return found


async def cached(served: Served, times: int) -> dict[str, Any]:
    """Each endpoint from the cache, one at a time; and 304."""
    found: dict[str, Any] = {"cached": {}, "unchanged": {}}
    for endpoint in ENDPOINTS:
        path = f"{ROOT}{endpoint}?season={SEASON}&division=Division+1"
        connection = await connect(served.port)
        etag = (await connection.ask(request(path))).header(b"etag").decode()
        connection.close()
        found["cached"][endpoint] = (await one_at_a_time(served.port, [request(path)] * times)).told()
        again = request(path, **{"If-None-Match": etag})
        found["unchanged"][endpoint] = (await one_at_a_time(served.port, [again] * times)).told()
    return found


async def rate(served: Served, a_second: float, seconds: float, connections: int) -> dict[str, Any]:
    """So many requests a second of kept answers."""
    asked = [
        request(f"{ROOT}{endpoint}?season={SEASON}&division=Division+{division}")
        for endpoint in ENDPOINTS
        for division in served.season.divisions
    ]
    await one_at_a_time(served.port, asked)
    began = served.process.cpu_times()
    taken = await at_a_rate(served.port, asked, a_second, seconds, connections)
    ended = served.process.cpu_times()
    used = ended.user + ended.system - began.user - began.system
    return {**taken.told(), "a_second": a_second, "cpu_us_a_request": round(1e6 * used / max(1, len(taken.seconds)))}


class Publisher(threading.Thread):
    """Publishes a match every so many seconds, in a process of its own, and notes when each was committed."""

    def __init__(self, served: Served, every_s: float) -> None:
        super().__init__(daemon=True)
        sizes = [len(served.season.divisions), len(served.season.weeks), len(served.season.matches)]
        command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, "--publish", served.url]
        command += ["--every", str(every_s), "--sizes", *map(str, sizes)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.committed: list[float] = [0.0]
        self.start()

    def run(self) -> None:
        """Note them."""
        for line in self._process.stdout or ():
            self.committed.append(float(line))

    def stop(self) -> None:
        """Publish no more."""
        self._process.terminate()
        self._process.wait()


async def pages(served: Served, count: int, poll_s: float, seconds: float, publish_s: float) -> dict[str, Any]:
    """So many open pages, while matches are published."""
    taken = Taken()
    publisher = Publisher(served, publish_s)
    divisions = len(served.season.divisions)
    base: list[int | None] = [None] * divisions
    oldest = 0.0
    memory: list[float] = []
    # Before the first publication of this run.
    for division in range(divisions):
        connection = await connect(served.port)
        given = await connection.ask(request(BOARD.replace("Division+1", f"Division+{division + 1}")))
        base[division] = int(_POINTS.findall(given.body)[0])
        connection.close()
    began = time.time()
    ends = began + seconds

    async def page(number: int) -> None:
        """One page, from its own address: it asks, hangs up as browsers do after a while, and asks again."""
        nonlocal oldest
        path = BOARD.replace("Division+1", f"Division+{1 + number % divisions}") + f"&page_size={20 + number % 60}"
        source = f"127.{1 + number // 60_000}.{number // 250 % 240}.{1 + number % 250}"
        etag, held = "", None
        due = began + poll_s * number / count
        while due < ends:
            await asyncio.sleep(max(0.0, due - time.time()))
            asked_at = time.perf_counter()
            try:
                connection = await connect(served.port, source)
                asked = request(path, **({"If-None-Match": etag} if etag else {}), Connection="close")
                given = await asyncio.wait_for(connection.ask(asked), 30)
                connection.close()
            except (OSError, TimeoutError) as error:
                taken.statuses[type(error).__name__] += 1
                due += poll_s
                continue
            taken.note(given, time.perf_counter() - asked_at)
            now = time.time()
            if held is not None and held + 1 < len(publisher.committed):
                oldest = max(oldest, now - publisher.committed[held + 1])
            if given.status == 200:
                etag = given.header(b"etag").decode()
                held = int(_POINTS.findall(given.body)[0]) - (base[number % divisions] or 0)
            due += poll_s

    async def watch() -> None:
        while time.time() < ends:
            memory.append(served.memory_mb)
            await asyncio.sleep(min(5.0, seconds / 10))

    try:
        await asyncio.gather(watch(), *(page(number) for number in range(count)))
    finally:
        publisher.stop()
    told = {**taken.told(), "pages": count, "published": len(publisher.committed) - 1, "oldest_s": round(oldest, 2)}
    middle = memory[len(memory) // 3] if memory else None
    return {**told, "memory_mb": {"first": memory[0], "after_a_third": middle, "last": memory[-1]}}


async def restart(served: Served, a_second: float) -> dict[str, Any]:
    """PostgreSQL stopped and started under load."""
    seen: list[tuple[float, int, bool, bool]] = []

    def note(at: float, given: Given) -> None:
        head = given.headers.lower()
        seen.append((at, given.status, b"gamestats-stale" in head, b"retry-after" in head))

    kept = request(BOARD)
    # Every second one was never asked before.
    new = [
        f"{path}&page_size={size}"
        for size in range(1, 21)
        for path in paths(ENDPOINTS[1], len(served.season.divisions), times=250)
    ]
    asked = [each for path in new for each in (kept, request(path))]
    await one_at_a_time(served.port, [kept])
    times: dict[str, float] = {}

    def bounce() -> None:
        time.sleep(2)
        times["stopped"] = time.time()
        stop_embedded(served.settings)
        time.sleep(2)
        start_embedded(served.settings)
        times["started"] = time.time()

    thread = threading.Thread(target=bounce)
    thread.start()
    taken = await at_a_rate(served.port, asked, a_second, 20, 32, seen=note)
    thread.join()
    fresh = [at for at, status, is_stale, _ in seen if at > times["started"] and status == 200 and not is_stale]
    told = taken.told() | {"errors": sum(n for status, n in taken.statuses.items() if status not in ("200", "503"))}
    last_bad = max((at for at, status, is_stale, _ in seen if status != 200 or is_stale), default=times["started"])
    return {
        **told,
        "down_s": round(times["started"] - times["stopped"], 2),
        "back_s": round(min(fresh) - times["started"], 2) if fresh else None,
        "all_back_s": round(last_bad - times["started"], 2),
        "retry_after": all(told for _, status, _, told in seen if status == 503),
        "lives": served.process.is_running(),
    }


def publish_every(url: str, every_s: float, sizes: list[int]) -> None:
    """Publish a match every so many seconds, and print when it was committed."""
    season = MadeUp(*sizes)
    for number in itertools.count(1):
        time.sleep(every_s)
        season.publish_match(url, number)
        print(time.time(), flush=True)


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="uncached,cached,rate,pages,restart", help="with commas between them")
    parser.add_argument("--sizes", type=int, nargs=3, default=[3, 8, 12], help="divisions, weeks, matches of a round")
    parser.add_argument("--times", type=int, default=1000, help="requests of each endpoint, one at a time")
    parser.add_argument("--rate", type=float, default=3000, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60, help="for which that rate is kept")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--poll", type=float, default=30, help="seconds between two polls of a page")
    parser.add_argument("--pages-seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=10, help="seconds between two matches")
    parser.add_argument("--publish", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.publish:
        publish_every(arguments.publish, arguments.every, arguments.sizes)
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found: dict[str, Any] = {}
    with serving(MadeUp(*arguments.sizes), sorted(os.sched_getaffinity(0))) as served:
        found["ready"] = {"seconds": served.ready_s, "memory_mb": served.memory_mb}
        for name in arguments.only.split(","):
            done = {
                "uncached": lambda: uncached(served, arguments.times),
                "cached": lambda: cached(served, arguments.times),
                "rate": lambda: rate(served, arguments.rate, arguments.seconds, arguments.connections),
                "pages": lambda: pages(
                    served, arguments.pages, arguments.poll, arguments.pages_seconds, arguments.every
                ),
                "restart": lambda: restart(served, 200),
            }[name]
            found[name] = {**uvloop.run(done()), "memory_after_mb": served.memory_mb, "load": os.getloadavg()[0]}
            print(json.dumps({name: found[name]}), file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
