"""A local HTTP server that behaves as ballchasing.com's API does.

It knows replays: lists them by its filters in pages with a cursor, tells their statistics and hands out their files.
It takes uploads, tells duplicates by their bytes, and has yet to read what is new. It counts requests by verb, and
refuses those beyond a limit. Answers that are queued for a path (`answer`) come before all that.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlencode

from gamestats_assets_tests.pubg.api_server import Answer, ApiServer, Request

TOKEN = "0aBcSecretTokenOfAnAccount123456789xyzQW"
ANN = "76561198000000001"
"""Steam account that plays in every replay made by `details`, unless document otherwise."""


def details(
    number: int, *, date: str | None = "2026-03-10T18:55:49Z", player: str = ANN, **more: Any
) -> dict[str, Any]:
    """What ballchasing tells of a replay, cut down to what identifies it."""
    replay_id = str(uuid.UUID(int=number, version=4))
    document: dict[str, Any] = {
        "id": replay_id,
        "link": f"https://ballchasing.com/api/replays/{replay_id}",
        "created": "2026-03-10T18:56:10.736579Z",
        "status": "ok",
        "rocket_league_id": f"{number:032X}",
        "match_guid": f"{number + 2**64:032X}",
        "playlist_id": "ranked-doubles",
        "duration": 340,
        "date": date,
        "date_has_timezone": True,
        "blue": {"color": "blue", "players": [{"name": "Ann", "id": {"platform": "steam", "id": player}}]},
        "orange": {"color": "orange", "players": [{"name": "Bob", "id": {"platform": "epic", "id": "b" * 32}}]},
    }
    document |= more
    return {name: value for name, value in document.items() if value is not None}


@dataclass
class Replay:
    """A replay as the server keeps it.

    Attributes:
        document: what it tells of the replay.
        file: the replay's bytes; None where they are gone.
        pending: how many more times it says that it has yet to read it.
        sent: name, visibility and group it was uploaded with.
    """

    document: dict[str, Any]
    file: bytes | None = None
    pending: int = 0
    sent: tuple[str, str, str] | None = None


class BallchasingServer(ApiServer):
    """The server.

    Attributes:
        replays: by id.
        tier: patron tier of the account.
        windows: requests and seconds by verb (list, get, file, upload); what is beyond them is refused.
        clock: what the windows are counted by.
        retry_after: the Retry-After of a refusal; none by default, as ballchasing documents none.
        page: most replays in a page, however many are asked for.
        refused: requests beyond a limit, by verb.
    """

    def __init__(self) -> None:
        super().__init__()
        self.replays: dict[str, Replay] = {}
        self.tier = "regular"
        self.windows: dict[str, list[tuple[int, float]]] = {}
        self.clock: Callable[[], float] = time.monotonic
        self.retry_after = ""
        self.page = 200
        self.refused: Counter[str] = Counter()
        self._let_through: defaultdict[str, list[float]] = defaultdict(list)
        self._arrived = threading.local()

    @property
    def url(self) -> str:
        """What BALLCHASING_API_URL is to be."""
        return f"{self.address}/api"

    def add(self, document: dict[str, Any], file: bytes | None = None, pending: int = 0) -> str:
        """Have a replay; its id."""
        self.replays[document["id"]] = Replay(document, file, pending)
        return document["id"]

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.path.removeprefix("/api") for request in self.requests]

    def serve(self, handler: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes) -> None:
        """Answer a request."""
        self._arrived.method, self._arrived.body = handler.command, body
        super().serve(handler, headers, body)

    def answer_to(self, request: Request) -> Answer:
        """The answer to a request."""
        if request.path in self._answers:
            return super().answer_to(request)
        if request.headers.get("authorization") != TOKEN:
            error = "invalid API key" if request.headers.get("authorization") else "missing API key"
            return _json({"error": error, "chat": {"Imp": "Sorry", "YOU": "Centering"}}, 401)
        *_, last = request.path.split("/")
        verb = {"replays": "list", "file": "file", "upload": "upload"}.get(last, "get")
        now = self.clock()
        for most, seconds in self.windows.get(verb, ()):
            if sum(at > now - seconds for at in self._let_through[verb]) >= most:
                self.refused[verb] += 1
                return _json(
                    {"error": "too many requests"}, 429, {"Retry-After": self.retry_after} if self.retry_after else {}
                )
        self._let_through[verb].append(now)
        if (self._arrived.method == "POST") != (verb == "upload"):
            return _json({"error": "no such method"}, 405)
        if verb == "upload":
            return self._taken(request)
        if verb == "list":
            return self._list(request)
        if request.path == "/api/":
            return _json({"ball": "is life", "name": "Can't Fly", "steam_id": ANN, "type": self.tier})
        return self._replay(request.path.split("/")[3], is_file=verb == "file")

    def _replay(self, replay_id: str, *, is_file: bool) -> Answer:
        replay = self.replays.get(replay_id)
        if replay is None or (is_file and replay.file is None):
            return _json({"error": "not found"}, 404)
        if is_file:
            return Answer(body=replay.file or b"", headers={"Content-Type": "binary/octet-stream"})
        if replay.pending:
            replay.pending -= 1
            return _json({"id": replay_id, "status": "pending"})
        return _json(replay.document)

    def _list(self, request: Request) -> Answer:
        def one(name: str, default: str = "") -> str:
            return request.query.get(name, [default])[0]

        def is_wanted(document: dict[str, Any]) -> bool:
            players = [p["id"] for team in ("blue", "orange") for p in document.get(team, {}).get("players", ())]
            after, before, created = (one(n) for n in ("replay-date-after", "replay-date-before", "created-after"))
            played = _moment(document.get("date") or document.get("created"))
            return (
                one("player-id") in ("", *(f"{player['platform']}:{player['id']}" for player in players))
                and one("playlist") in ("", document.get("playlist_id"))
                and (not after or played >= _moment(after))
                and (not before or played <= _moment(before))
                and (not created or _moment(document.get("created")) >= _moment(created))
            )

        by = "date" if one("sort-by") == "replay-date" else "created"
        found = sorted(
            (replay.document for replay in self.replays.values() if is_wanted(replay.document)),
            key=lambda document: (_moment(document.get(by) or document.get("created")), document["id"]),
            reverse=one("sort-dir", "desc") == "desc",
        )
        if cursor := one("after"):
            found = found[[document["id"] for document in found].index(cursor) + 1 :]
        page = found[: min(int(one("count", "150")), self.page)]
        listed = [{name: value for name, value in document.items() if name != "status"} for document in page]
        for document in listed:
            if self.replays[document["id"]].pending:
                document["status"] = "pending"
        answer: dict[str, Any] = {"count": len(listed), "list": listed}
        if len(found) > len(page):
            query = {**{name: values[0] for name, values in request.query.items()}, "after": page[-1]["id"]}
            answer["next"] = f"{self.url}/replays?{urlencode(query)}"
        return _json(answer)

    def _taken(self, request: Request) -> Answer:
        head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
        parts = message_from_bytes(head + self._arrived.body).get_payload()
        named = [part for part in parts if isinstance(part, Message)] if isinstance(parts, list) else []
        visibility = request.query.get("visibility", ["public"])[0]
        if [part.get_param("name", header="content-disposition") for part in named] != ["file"]:
            return _json({"error": 'expected a single part named "file"'}, 400)
        if visibility not in ("public", "unlisted", "private"):
            return _json({"error": "invalid visibility"}, 400)
        content = named[0].get_payload(decode=True)
        if not isinstance(content, bytes) or b"TAGame.Replay_" not in content[:64]:
            return _json({"error": '"file" not a .replay file', "chat": {"Buzz": "gg.", "YOU": "Whoops"}}, 400)
        replay_id = str(uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=4))
        place = {"id": replay_id, "location": f"https://ballchasing.com/replay/{replay_id}"}
        if replay_id in self.replays:
            return _json({"error": "duplicate replay", **place}, 409)
        name = re.search(rb'filename="([^"]*)"', self._arrived.body)
        sent = (name[1].decode() if name else "", visibility, request.query.get("group", [""])[0])
        self.replays[replay_id] = Replay({"id": replay_id, "status": "pending"}, content, sent=sent)
        return _json(place, 201)


def _moment(text: str | None) -> datetime:
    moment = datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    body = gzip.compress(json.dumps(value).encode(), mtime=0)
    return Answer(status, body, {"Content-Type": "application/json", "Content-Encoding": "gzip", **(headers or {})})
