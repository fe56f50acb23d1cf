"""The cache of answers, which are functions of the question and of the published versions of their tables.

The process keeps an answer with the versions of its tables, and gives it again as long as these stay. Its `ETag` names
its content, so a client that has it gets 304, even from another process or after an update. A new answer is read in one
snapshot together with its versions, so no answer is older than an earlier one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg
from fastapi import Request
from isal import igzip
from prometheus_client import Counter
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gamestats_assets.lakehouse.postgres.own_rows import setting
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.answers.versions import Versions
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.logs import route_of

Make = Callable[[Connection], Awaitable[Any]]
"""Makes an answer from one snapshot of PostgreSQL."""
CACHE_HITS = Counter("cache_hits", "Answers from the cache, by route.", ["key"])
CACHE_MISSES = Counter("cache_misses", "Answers that had to be made, by route.", ["key"])
_WAIT_S = 0.5
"""Seconds to wait for a connection while PostgreSQL seems unreachable."""
_SMALL = 1000
"""Bytes below which a body is not compressed."""
_MOST_ASKED, _LONGEST_ASKED = 5_000, 1000
"""Number of remembered requests, and their greatest length in characters."""
_WORDS = (b"accept", b"accept-language", b"host")
_DECIDE = {*_WORDS, b"accept-encoding", b"if-none-match"}
"""Headers that decide the answer to a GET, besides its scheme, path and query."""
_Words = tuple[str | bytes, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of answers.

    Attributes:
        headers: headers of every such answer.
    """

    media_type: str
    encode: Callable[[Any], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


JSON = Format("application/json", msgspec.json.Encoder(decimal_format="number").encode)


@dataclass(frozen=True, slots=True)
class Audience:
    """The audience of an answer.

    Attributes:
        settings: settings of the transaction that makes it: whose rows PostgreSQL shows.
        players: the only players whose rows it rests on, until which change it stays valid; None: all its tables.
        is_kept: whether it is kept at all; answers that rest on entries are not, since entries send no notification.
        cache_control: how browsers may keep it.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    players: tuple[str, ...] | None = None
    is_kept: bool = True
    cache_control: str = "private, no-cache"


_EVERYBODY = Audience()


@dataclass(slots=True)
class Answer:
    """An answer with the versions of its tables.

    Attributes:
        packed: the compressed body; None if it is too small.
        written: finished headers of its responses, by status and whether gzip is accepted.
        held_at: `Versions.changes` when the answer was last found valid.
    """

    versions: tuple[int, ...]
    body: bytes
    packed: bytes | None
    etag: str
    written: dict[tuple[int, bool], list[tuple[bytes, bytes]]] = field(default_factory=dict)
    held_at: int = -1

    @property
    def size(self) -> int:
        """Its size in memory, in bytes."""
        return len(self.body) + len(self.packed or b"")

    def response(self, request: Request, form: Format, headers: Mapping[str, str]) -> Response:
        """Returns the response to a request: 304 if the client has the answer."""
        is_packed = self.packed is not None and "gzip" in request.headers.get("accept-encoding", "")
        is_there = self.is_among(request.headers.get("if-none-match", ""), is_packed)
        return self.written_as(304 if is_there else 200, is_packed, form, headers)

    def written_as(self, status: int, is_packed: bool, form: Format, headers: Mapping[str, str]) -> Response:
        """Returns the response with a status, 200 or 304."""
        packed = self.packed if is_packed else None
        given = {**form.headers, **headers, "ETag": self.tag(is_packed)}
        given["Vary"] = ", ".join(filter(None, (form.headers.get("Vary"), "Accept-Encoding")))
        if status == 304:
            return Response(None, 304, given)
        if packed:
            given["Content-Encoding"] = "gzip"
        return Response(packed or self.body, 200, given, form.media_type)

    def tag(self, is_packed: bool) -> str:
        """The `ETag`."""
        return f'"{self.etag}-gzip"' if is_packed else f'"{self.etag}"'

    def is_among(self, has: str, is_packed: bool) -> bool:
        """Whether `If-None-Match` names it."""
        asked = {each.strip().removeprefix("W/") for each in has.split(",")} if has else ()
        return "*" in asked or self.tag(is_packed) in asked


@dataclass(frozen=True, slots=True)
class _Asked:
    """A remembered request."""

    key: str
    tables: Sequence[type[Table]]
    route: Any
    path_params: Mapping[str, Any]
    hits: Any


@dataclass(frozen=True, slots=True)
class _Read:
    """The parts of a request that decide its response: path, query and headers, known answers and encodings."""

    asked: _Words
    has: str
    takes_gzip: bool

    @classmethod
    def of(cls, scope: Scope) -> _Read | None:
        """Reads a GET; returns None for other methods, repeated headers and very long requests."""
        if scope["method"] != "GET":
            return None
        said: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _DECIDE:
                if name in said:
                    return None
                said[name] = value
        asked = (scope["scheme"], scope["path"], scope["query_string"], *(said.get(name, b"") for name in _WORDS))
        if sum(map(len, asked)) > _LONGEST_ASKED:
            return None
        has, takes = said.get(b"if-none-match", b""), said.get(b"accept-encoding", b"")
        return cls(asked, has.decode("latin-1"), b"gzip" in takes)


class Answers:
    """The answers of one process.

    Args:
        most_bytes: bytes of kept bodies; the most recently requested are kept.
        entered: connections for answers that rest on entries, which other connections cannot read.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        versions: Versions,
        most_bytes: int = 24 << 20,
        entered: AsyncConnectionPool[Connection] | None = None,
    ) -> None:
        self._pool, self._versions, self._most = pool, versions, most_bytes
        self._entered = entered or pool
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._making: dict[tuple[str, tuple[int, ...]], asyncio.Task[Answer]] = {}
        self._asked: OrderedDict[_Words, _Asked] = OrderedDict()
        versions.on_forget.append(self.forget)

    def forget(self) -> None:
        """Empties the cache."""
        self._kept.clear()
        self._asked.clear()
        self._bytes = 0

    async def give(
        self,
        request: Request,
        tables: Sequence[type[Table]],
        key: str,
        make: Make,
        *,
        keeps_s: int | None = None,
        form: Format = JSON,
        at_once: bool = False,
        audience: Audience | None = None,
    ) -> Response:
        """Returns the answer to a request.

        Args:
            tables: all tables that it rests on, of one game; none stands for everything published.
            key: identifies the question: requests with the same key have the same answer.
            keeps_s: seconds for which proxies and browsers may keep it without asking; None: they ask every time.
            form: the format.
            at_once: whether the same GET has the same answer for all senders, so that it need not be parsed again.
            audience: the audience of an answer that is not public; the key must then include it.

        Raises:
            psycopg.OperationalError, psycopg_pool.PoolTimeout: if PostgreSQL is unreachable and nothing is kept.
        """
        headers = {"Cache-Control": "public, no-cache" if keeps_s is None else f"public, max-age={keeps_s}"}
        if audience is not None:
            headers, at_once = {"Cache-Control": audience.cache_control}, False
        audience = audience or _EVERYBODY
        route = route_of(request.scope)
        try:
            answer = self._current(tables, key, audience.players)
            (CACHE_MISSES if answer is None else CACHE_HITS).labels(route).inc()
            answer = answer or await self._answer(tables, key, make, form, audience)
        except (psycopg.OperationalError, PoolTimeout):
            kept = self._kept.get(key)
            if kept is None:
                raise
            answer, headers, at_once = kept, {"Cache-Control": "no-store", "Gamestats-Stale": "true"}, False
        response = answer.response(request, form, headers)
        if at_once and (read := _Read.of(request.scope)) is not None:
            for status in (200, 304):
                is_packed = read.takes_gzip and answer.packed is not None
                written = answer.written_as(status, is_packed, form, headers)
                answer.written[status, read.takes_gzip] = [*written.raw_headers]
            hits = CACHE_HITS.labels(route)
            self._asked[read.asked] = _Asked(key, tables, request.scope["route"], request.path_params, hits)
            if len(self._asked) > _MOST_ASKED:
                self._asked.popitem(last=False)
        return response

    def at_once(self, scope: Scope) -> tuple[Message, Message] | None:
        """Returns the response to a repeated request, if its answer is still valid."""
        if (read := _Read.of(scope)) is None or (asked := self._asked.get(read.asked)) is None:
            return None
        if (answer := self._current(asked.tables, asked.key)) is None:
            return None
        is_packed = read.takes_gzip and answer.packed is not None
        status = 304 if answer.is_among(read.has, is_packed) else 200
        headers = answer.written.get((status, read.takes_gzip))
        if headers is None:
            return None
        asked.hits.inc()
        scope["route"], scope["path_params"] = asked.route, asked.path_params
        body = b"" if status == 304 else answer.packed if is_packed else answer.body
        start = {"type": "http.response.start", "status": status, "headers": [*headers]}
        return start, {"type": "http.response.body", "body": body}

    async def _answer(
        self, tables: Sequence[type[Table]], key: str, make: Make, form: Format, audience: Audience
    ) -> Answer:
        if not audience.is_kept:
            return await self._made(tables, key, make, form, audience)
        while True:
            known = self._versions.of(tables)
            if (kept := self._current(tables, key, audience.players)) is not None:
                return kept
            # Of many equal requests, one makes the answer; those that know a newer version start again.
            making = self._making.get((key, known))
            if making is None:
                making = self._making[key, known] = asyncio.create_task(self._made(tables, key, make, form, audience))
                making.add_done_callback(lambda _, of=(key, known): self._making.pop(of, None))
            answer = await asyncio.shield(making)
            if not self._versions.are_live or self._versions.hold(tables, answer.versions, audience.players):
                return answer

    def _current(
        self, tables: Sequence[type[Table]], key: str, players: tuple[str, ...] | None = None
    ) -> Answer | None:
        kept = self._kept.get(key)
        if kept is None or not self._versions.are_live:
            return None
        if kept.held_at != self._versions.changes:
            if not self._versions.hold(tables, kept.versions, players):
                return None
            kept.held_at = self._versions.changes
        self._kept.move_to_end(key)
        return kept

    async def _made(
        self, tables: Sequence[type[Table]], key: str, make: Make, form: Format, audience: Audience
    ) -> Answer:
        # While PostgreSQL is unreachable, the wait stays too short for a person to notice.
        wait_s = None if self._versions.are_live else _WAIT_S
        # For all tables: at least as new as this, whatever is published in the meantime.
        versions = self._versions.of(())
        pool = self._pool if audience.is_kept else self._entered
        async with pool.connection(wait_s) as conn, conn.transaction():
            if audience.settings:
                await conn.execute(*setting(audience.settings))
            found = await self._versions.read(conn, tables[0].spec.game) if tables else {}
            made = await make(conn)
        if tables:
            self._versions.saw(found)
            versions = tuple(found.get(table.spec.dotted, 0) for table in tables)
        answer = _written(versions, made, form)
        if audience.is_kept:
            self._keep(key, answer)
        return answer

    def _keep(self, key: str, answer: Answer) -> None:
        if (before := self._kept.pop(key, None)) is not None:
            if before.versions > answer.versions:
                answer = before
            self._bytes -= before.size
        self._kept[key] = answer
        self._bytes += answer.size
        while self._bytes > self._most and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].size


def _written(versions: tuple[int, ...], made: Any, form: Format) -> Answer:
    body = form.encode(made)
    packed = igzip.compress(body, mtime=0) if len(body) > _SMALL else None
    return Answer(versions, body, packed, hashlib.sha256(body).hexdigest()[:32])


class CachedAnswers:
    """Answers repeated requests from the cache, before routing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answers: Answers | None = scope.get("state", {}).get("answers") if scope["type"] == "http" else None
        if answers is not None and (given := answers.at_once(scope)) is not None:
            for message in given:
                await send(message)
            return
        await self._app(scope, receive, send)
