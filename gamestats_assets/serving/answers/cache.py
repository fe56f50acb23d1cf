"""Answers that are functions of what is asked and of the published versions they are made of.

An answer is kept in the process with the versions of its tables, and given again as long as these stand. Its `ETag`
names its content, so a client that has it is answered 304, by another process and after an update too. What is made
anew is read in one snapshot, together with the versions that it is of; so no answer is older than another one that was
given before.
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
"""Makes what is answered, of what one snapshot of PostgreSQL holds."""
CACHE_HITS = Counter("cache_hits", "Answers that were kept and still hold, by route.", ["key"])
CACHE_MISSES = Counter("cache_misses", "Answers that had to be made, by route.", ["key"])
_WAIT_S = 0.5
"""Seconds for which a connection is waited for while PostgreSQL seems to be gone."""
_SMALL = 1000
"""Bytes of a body that is not worth compressing."""
_MOST_ASKED, _LONGEST_ASKED = 5_000, 1000
"""How many words with which something was asked are remembered, and of what length."""
_WORDS = (b"accept", b"accept-language", b"host")
_DECIDE = {*_WORDS, b"accept-encoding", b"if-none-match"}
"""Headers of which a GET's answer is a function, beside its scheme, path and query."""
_Words = tuple[str | bytes, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """How what was made is written down.

    Attributes:
        headers: of every such answer.
    """

    media_type: str
    encode: Callable[[Any], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


JSON = Format("application/json", msgspec.json.Encoder(decimal_format="number").encode)


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom an answer is made.

    Attributes:
        settings: of the transaction that it is made in: whose rows PostgreSQL shows there.
        players: whose rows alone it is made of, so that it holds while these do; None: while all its tables do.
        is_kept: whether it is kept at all; what people enter changes without being told.
        cache_control: how browsers keep it.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    players: tuple[str, ...] | None = None
    is_kept: bool = True
    cache_control: str = "private, no-cache"


_EVERYBODY = Audience()


@dataclass(slots=True)
class Answer:
    """An answer, and the versions of the tables that it is made of.

    Attributes:
        packed: the body, compressed; None where that is not worth it.
        written: the headers of its responses as they were written first, by status and whether gzip is taken.
        held_at: `Versions.changes` when it was seen last that the versions stand.
    """

    versions: tuple[int, ...]
    body: bytes
    packed: bytes | None
    etag: str
    written: dict[tuple[int, bool], list[tuple[bytes, bytes]]] = field(default_factory=dict)
    held_at: int = -1

    @property
    def size(self) -> int:
        """Bytes that it takes to keep."""
        return len(self.body) + len(self.packed or b"")

    def response(self, request: Request, form: Format, headers: Mapping[str, str]) -> Response:
        """The response to a request: 304 for whom has it."""
        is_packed = self.packed is not None and "gzip" in request.headers.get("accept-encoding", "")
        is_there = self.is_among(request.headers.get("if-none-match", ""), is_packed)
        return self.written_as(304 if is_there else 200, is_packed, form, headers)

    def written_as(self, status: int, is_packed: bool, form: Format, headers: Mapping[str, str]) -> Response:
        """The response of a status, 200 or 304."""
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
        """Whether it is one of those that `If-None-Match` says somebody has."""
        asked = {each.strip().removeprefix("W/") for each in has.split(",")} if has else ()
        return "*" in asked or self.tag(is_packed) in asked


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked with some words."""

    key: str
    tables: Sequence[type[Table]]
    route: Any
    path_params: Mapping[str, Any]
    hits: Any


@dataclass(frozen=True, slots=True)
class _Read:
    """What of a request decides its answer: the words it asks with, and what of the answer it has and can take."""

    asked: _Words
    has: str
    takes_gzip: bool

    @classmethod
    def of(cls, scope: Scope) -> _Read | None:
        """Of a GET; None where it is anything else, or says something twice or at great length."""
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
        most_bytes: of the bodies that are kept; those that were asked for last.
        entered: connections for answers that are not kept, which read what people enter; others cannot.
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
        """Keep nothing of what was answered."""
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
        """The answer to a request.

        Args:
            tables: all that it is made of; of one game, or none: of everything that is published.
            key: says what is asked: requests with the same key have the same answer.
            keeps_s: seconds for which proxies and browsers may keep it without asking; None: they ask every time.
            form: how it is written down.
            at_once: whether a GET with the same words has the same answer, whoever asks; then it need not be read
                again what they say.
            audience: of what is not for everybody; the key then says for whom it is, too.

        Raises:
            psycopg.OperationalError, psycopg_pool.PoolTimeout: when PostgreSQL is gone and nothing is kept.
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
        """The response to a request that was asked before with the same words, where its answer still holds."""
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
            # Of many that ask the same at once, one makes it; who knows of another version by now begins anew.
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
        # PostgreSQL that is gone is waited for no longer than somebody who waits would notice.
        wait_s = None if self._versions.are_live else _WAIT_S
        # Of all tables: no older than this, whatever is published meanwhile.
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
    """Gives what was asked before with the same words, and still holds, without looking for its route again."""

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
