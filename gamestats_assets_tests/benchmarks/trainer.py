"""How the trainer bears its people: `gamestats serve` on one core; the load, and the worker that reads replays, beside.

    python -m gamestats_assets_tests.benchmarks.trainer --replay match.replay
    python -m gamestats_assets_tests.benchmarks.trainer --people 500 --features 10 --only mix --seconds 10

Everything runs here and is gone afterwards: an embedded PostgreSQL filled with made-up people (`trainer_people`), one
process of `gamestats serve`, and the load, each request with the session of somebody else. Prints one JSON object:

    filled      rows of each table, and the seconds that took
    routes      each route of a dashboard, one at a time: `cold`, of people who never asked, and `warm`, asked again
    api         so many requests a second over those of the API, as a program asks that shows a dashboard
    mix         so many requests a second over all of them, two of thirteen a whole page
    uploads     `api` while so many replays an hour are uploaded and `gamestats work` reads them; `analysed_s` is
                from the last byte of a replay to its analysis, `an_hour_on_a_core` what the worker's seconds amount to
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import uvloop

from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets_tests.benchmarks.serving import Served, serving
from gamestats_assets_tests.benchmarks.serving_load import at_a_rate, one_at_a_time, request
from gamestats_assets_tests.benchmarks.trainer_people import PLAYLISTS, People, cookie

ROUTES = {
    "/rocket-league": 2,
    "/api/v1/users/profile": 1,
    "/api/v1/users/stats": 1,
    "/api/v1/replays/recent": 2,
    "/api/v1/analytics/weaknesses": 1,
    f"/api/v1/analytics/progress?playlist={PLAYLISTS[0]}": 1,
    "/api/v1/analytics/rank-prediction": 1,
    "/api/v1/analytics/comparison": 1,
    "/api/v1/training/recommendations": 1,
    "/api/v1/training/progress": 1,
    "/api/v1/training/packs": 1,
}
"""What a person asks who looks at a dashboard, and how often."""
_ID = re.compile(rb"(?<=[^0-9A-F])[0-9A-F]{32}(?=[^0-9A-F])")


def asked_by(number: int, path: str) -> bytes:
    """A request of a person."""
    return request(path, Cookie=f"gamestats_session={cookie(number)}")


def alone(served: Served, people: int, times: int) -> dict[str, Any]:
    """Each route by itself, of people who never asked and of those again."""
    found: dict[str, Any] = {}
    for path in ROUTES:
        numbers = random.Random(path).sample(range(1, people + 1), min(times, people))
        asked = [asked_by(number, path) for number in numbers]
        cold = uvloop.run(one_at_a_time(served.port, asked)).told()
        found[path] = {"cold": cold, "warm": uvloop.run(one_at_a_time(served.port, asked)).told()}
    return found


async def mix(served: Served, people: int, a_second: float, seconds: float, within: str = "/") -> dict[str, Any]:
    """So many requests a second, each of anybody.

    Args:
        within: what paths that are asked for begin with.
    """
    chance = random.Random(3)
    paths = [path for path, times in ROUTES.items() for _ in range(times) if path.startswith(within)]
    count = int(a_second * seconds)
    asked = [asked_by(chance.randint(1, people), chance.choice(paths)) for _ in range(count)]
    began = served.process.cpu_times()
    taken = await at_a_rate(served.port, asked, a_second, seconds, 32)
    ended = served.process.cpu_times()
    used = ended.user + ended.system - began.user - began.system
    return {**taken.told(), "a_second": a_second, "cpu_ms_a_request": round(1e3 * used / max(1, count), 2)}


@dataclass
class Uploads(threading.Thread):
    """Uploads a replay every so many seconds, each of another match, and waits for each analysis.

    Whoever played in it uploads them by turns: after the first these are the last of the people.
    """

    served: Served
    replay: bytes
    every_s: float
    people: int
    analysed_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Upload until it is ended."""
        waiting: dict[str, tuple[float, httpx.Client]] = {}
        due, sent = time.monotonic(), 0
        while waiting or not self.ended.is_set():
            if not self.ended.is_set() and time.monotonic() >= due:
                due += self.every_s
                client = self._of(self.people - sent % 6)
                file = ("match.replay", self._another())
                answer = client.post("/api/v1/replays/upload", files={"file": file})
                sent += 1
                if answer.status_code != 202:
                    self.failed.append(answer.text)
                else:
                    waiting[answer.json()["data"]["status_url"]] = (time.monotonic(), client)
            for url, (since, client) in [*waiting.items()]:
                job = client.get(url).json().get("data", {})
                if job.get("status") in ("done", "failed"):
                    waiting.pop(url)
                    self.analysed_s.append(time.monotonic() - since)
                    self.failed += [str(job.get("error"))] if job["status"] == "failed" else []
            time.sleep(0.5)

    def prepare(self) -> None:
        """Upload it once, and make the last of the people those who played in it."""
        client = self._of(self.people)
        sent = client.post("/api/v1/replays/upload", files={"file": ("match.replay", self._another())})
        while (told := client.get(sent.json()["data"]["status_url"]).json()["data"])["status"] != "done":
            time.sleep(0.5)
        match = [told["match"]["match_id"]]
        with connect(self.served.url) as conn:
            query = "SELECT player_id FROM rocket_league.participants WHERE match_id = %s"
            for number, (player,) in enumerate(conn.execute(query, match).fetchall()):
                named = {"player": player, "user": self.people - number}
                conn.execute(
                    "INSERT INTO ops.rl_players (player_id, username, wanted_since, consented_at, cohorts_at, "
                    "models_at, comparison_at, consent_text) VALUES (%(player)s, %(player)s, now() - interval '1 year',"
                    " now(), now(), now(), now(), 1) ON CONFLICT DO NOTHING", named,
                )  # fmt: skip
                conn.execute("UPDATE accounts.players SET player_id = %(player)s WHERE user_id = %(user)s", named)

    def _of(self, number: int) -> httpx.Client:
        client = httpx.Client(base_url=f"http://127.0.0.1:{self.served.port}", timeout=30)
        client.cookies.set("gamestats_session", cookie(number))
        page = client.get("/account").text
        found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
        client.headers["X-CSRF-Token"] = found[1] if found else ""
        return client

    def _another(self) -> bytes:
        """The same play as another match: ids of the match and of the replay are others wherever they stand."""
        others: dict[bytes, bytes] = {}
        return _ID.sub(lambda found: others.setdefault(found[0], uuid4().hex.upper().encode()), self.replay)


def with_uploads(served: Served, people: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """The mix, while replays are uploaded."""
    environment = {**os.environ, "GAMESTATS_DATA": served.settings.data}
    worker = subprocess.Popen([sys.executable, "-m", "gamestats_assets.cli", "work"], env=environment)
    others = sorted(os.sched_getaffinity(0))
    process = psutil.Process(worker.pid)
    process.cpu_affinity(others[-1:])
    uploads = Uploads(served, Path(arguments.replay).read_bytes(), 3600 / arguments.an_hour, people)
    try:
        uploads.prepare()
        before = _cpu_s(process)
        uploads.start()
        found = uvloop.run(mix(served, people, arguments.rate, arguments.seconds, "/api/"))
        uploads.ended.set()
        uploads.join(120)
        used = _cpu_s(process) - before
    finally:
        worker.terminate()
        worker.wait()
    done = sorted(uploads.analysed_s)
    told = {"uploaded": len(done), "failed": uploads.failed[:5], "worker_cpu_s": round(used, 1)}
    if done:
        told |= {"analysed_s": {"median": round(done[len(done) // 2], 1), "longest": round(done[-1], 1)}}
        told |= {"an_hour_on_a_core": round(3600 * len(done) / used)}
    return {**found, **told}


def _cpu_s(process: psutil.Process) -> float:
    """Processor time of a process and of all that it began."""
    return sum(sum(each.cpu_times()[:4]) for each in (process, *process.children(True)))


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="routes,api,mix,uploads", help="with commas between them")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=44, help="features of each match in player_stats")
    parser.add_argument("--times", type=int, default=200, help="requests of each route, one at a time")
    parser.add_argument("--rate", type=float, default=300, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60, help="for which that rate is kept")
    parser.add_argument("--an-hour", type=float, default=1000, help="replays uploaded an hour")
    parser.add_argument("--data", type=Path, help="folder for the data, to be kept for the next time")
    parser.add_argument("--replay", help="a replay; without one none are uploaded")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found: dict[str, Any] = {}
    people = People(people=arguments.people, features=arguments.features)
    with serving(people, sorted(os.sched_getaffinity(0)), arguments.data) as served:
        found["filled"] = people.filled
        found["ready"] = {"seconds": served.ready_s, "memory_mb": served.memory_mb}
        for name in filter(None, arguments.only.split(",")):
            if name == "uploads" and not arguments.replay:
                continue
            done = {
                "routes": lambda: alone(served, arguments.people, arguments.times),
                "api": lambda: uvloop.run(mix(served, arguments.people, arguments.rate, arguments.seconds, "/api/")),
                "mix": lambda: uvloop.run(mix(served, arguments.people, arguments.rate, arguments.seconds)),
                "uploads": lambda: with_uploads(served, arguments.people, arguments),
            }[name]
            found[name] = {**done(), "memory_after_mb": served.memory_mb, "load": os.getloadavg()[0]}
            print(json.dumps({name: found[name]}), file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
