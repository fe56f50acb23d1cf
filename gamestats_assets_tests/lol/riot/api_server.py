"""A local HTTP server that stands in for the Riot API and Data Dragon.

The region is the first part of a path. It knows players and their matches, lists them in pages, counts requests by the
limits it tells, and refuses those beyond. Answers that are queued for a path (`answer`) come before all that.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from urllib.parse import unquote

from gamestats_assets_tests.pubg.api_server import Answer, ApiServer, Request

KEY = "RGAPI-0a1b2c3d-secret-4e5f-6789-abcdef012345"


@dataclass(frozen=True)
class Listed:
    """A match in a player's list."""

    match_id: str
    began_s: int = 0
    queue: int = 420


@dataclass
class Bucket:
    """A window of a limit: it begins with the first request, and lets so many through until it ends."""

    requests: int
    seconds: float
    began: float = float("-inf")
    used: int = 0

    def take(self, now: float) -> None:
        """Count a request."""
        if now >= self.began + self.seconds:
            self.began, self.used = now, 0
        self.used += 1


class RiotServer(ApiServer):
    """The server.

    Attributes:
        players: puuid by Riot id, in small letters.
        listed: matches of a puuid, the newest first.
        files: bodies by path after the region, such as /lol/match/v5/matches/NA1_1; and of Data Dragon's paths.
        app, methods: windows of requests and seconds, of the key and by method (account, match_ids, match, timeline).
        refused: requests beyond a limit, by its type.
    """

    def __init__(self) -> None:
        super().__init__()
        self.players: dict[str, str] = {}
        self.listed: dict[str, list[Listed]] = defaultdict(list)
        self.files: dict[str, bytes] = {}
        self.app: list[tuple[int, float]] = []
        self.methods: dict[str, list[tuple[int, float]]] = {}
        self.refused: Counter[str] = Counter()
        self._buckets: dict[tuple[str, str], list[Bucket]] = {}

    @property
    def template(self) -> str:
        """What RIOT_API_URL is to be."""
        return self.url + "/{region}"

    def add_match(self, match_id: str, match: bytes | None, timeline: bytes | None) -> None:
        """Have a match, or only one of its files."""
        for path, body in (("", match), ("/timeline", timeline)):
            if body is not None:
                self.files[f"/lol/match/v5/matches/{match_id}{path}"] = body

    def paths(self) -> list[str]:
        """What was asked for, in order, without the region."""
        return ["/" + request.path.split("/", 2)[2] for request in self.requests]

    def answer_to(self, request: Request) -> Answer:
        """The answer to a request."""
        if request.path in self._answers:
            return super().answer_to(request)
        if request.path.startswith(("/cdn/", "/api/")):
            return self._file(request.path, {})
        if request.headers.get("x-riot-token") != KEY:
            return Answer(403 if "x-riot-token" in request.headers else 401)
        _, region, path = request.path.split("/", 2)
        method = (
            "account" if path.startswith("riot/")
            else "match_ids" if path.endswith("/ids")
            else "timeline" if path.endswith("/timeline")
            else "match"
        )  # fmt: skip
        headers: dict[str, str] = {}
        refused = ""
        for kind, name, windows in (
            ("application", "X-App-Rate-Limit", self.app),
            ("method", "X-Method-Rate-Limit", self.methods.get(method, [])),
        ):
            place = (region, kind if kind == "application" else method)
            buckets = self._buckets.setdefault(place, [Bucket(*window) for window in windows])
            for bucket in buckets:
                bucket.take(time.monotonic())
            if buckets:
                headers[name] = ",".join(f"{b.requests}:{b.seconds:g}" for b in buckets)
                headers[f"{name}-Count"] = ",".join(f"{b.used}:{b.seconds:g}" for b in buckets)
            over = [b.began + b.seconds - time.monotonic() for b in buckets if b.used > b.requests]
            if over:
                refused = refused or kind
                headers |= {"X-Rate-Limit-Type": kind, "Retry-After": f"{max(over):.3f}"}
        if refused:
            self.refused[refused] += 1
            return Answer(429, headers=headers)
        return self._known("/" + path, request, headers)

    def _known(self, path: str, request: Request, headers: dict[str, str]) -> Answer:
        *_, first, last = map(unquote, path.split("/"))
        if path.startswith("/riot/"):
            puuid = self.players.get(f"{first}#{last}".lower())
            result = {"puuid": puuid, "gameName": first, "tagLine": last}
            return Answer(404, headers=headers) if puuid is None else _json(result, headers)
        if path.endswith("/ids"):
            query = {name: int(values[0]) for name, values in request.query.items()}
            found = [
                match.match_id
                for match in self.listed[first]
                if query.get("startTime", 0) <= match.began_s <= query.get("endTime", 2**40)
                and query.get("queue", match.queue) == match.queue
            ]
            start = query.get("start", 0)
            return _json(found[start : start + query.get("count", 20)], headers)
        return self._file(path, headers)

    def _file(self, path: str, headers: dict[str, str]) -> Answer:
        body = self.files.get(path)
        if body is None:
            return Answer(404, headers=headers)
        return Answer(body=gzip.compress(body, mtime=0), headers={**headers, "Content-Encoding": "gzip"})


def _json(value: object, headers: dict[str, str]) -> Answer:
    return Answer(body=json.dumps(value).encode(), headers=headers)
