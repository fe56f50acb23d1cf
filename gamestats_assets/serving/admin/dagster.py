"""Dagster's own pages, for admins: requests under /dagster/ are passed on to its webserver.

The webserver obeys every request that reaches it, even by GET, under any host name, from any page. So it listens on a
Unix socket that only this machine's user can open, and this module decides which requests reach it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
from fastapi import APIRouter, Depends, Request, WebSocket
from starlette.requests import HTTPConnection
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from gamestats_assets.serving.middleware.principal import caller, guards_itself, person_of
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.middleware.site import Site

PREFIX = "/dagster"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SAFE = {"GET", "HEAD", "OPTIONS"}
_OF_ONE_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
    *("transfer-encoding", "upgrade"),
}
_TO_US = {"cookie", "authorization", "x-csrf-token", "x-request-id", "forwarded"}
"""Headers of requests that Dagster must not see, besides those that begin with `x-forwarded-`."""
_FROM_US = {"set-cookie", "server", "date", "content-security-policy", "x-frame-options", "x-request-id"}
"""Headers that we set in Dagster's place."""
_CHECKED_EVERY_S = 600.0
"""Seconds after which a WebSocket is closed; the page opens another one, whose sender is checked again."""


def dagster_router(place: Path | None) -> APIRouter:
    """Returns the routes of Dagster's pages.

    Args:
        place: the socket of its webserver; None if there is none.
    """
    # Nothing leaves the machine, so certificates are not loaded.
    client = httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(place), verify=False), timeout=httpx.Timeout(120, connect=5, pool=5)
    )

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with client:
            yield

    router = APIRouter(lifespan=lifespan, include_in_schema=False, dependencies=[Depends(guards_itself)])

    @router.api_route(f"{PREFIX}/{{path:path}}", methods=_METHODS)
    async def pages(request: Request, path: str) -> Response:
        _refuse_others(request, changes=request.method not in _SAFE)
        if request.method in _SAFE and path.strip("/").endswith("graphql") and "query" in request.query_params:
            detail = "Send GraphQL by POST here, so that no link and no picture can change anything."
            raise ProblemError(405, detail, headers={"Allow": "POST"})
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        asked = client.build_request(
            request.method,
            httpx.URL("http://dagster", raw_path=_target(request)),
            headers=[*_without(request.headers.raw, _TO_US), (b"x-request-id", request.scope["request_id"].encode())],
            content=request.stream() if has_body else None,
        )
        try:
            return _PassedOn(await client.send(asked, stream=True))
        except httpx.TransportError:
            raise _absent() from None

    @router.websocket(f"{PREFIX}/{{path:path}}")
    async def live(socket: WebSocket, path: str) -> None:
        protocols = [Subprotocol(each) for each in socket.scope.get("subprotocols", ())]
        try:
            _refuse_others(socket, changes=True)
            theirs = await unix_connect(
                str(place),
                f"ws://dagster{_target(socket).decode()}",
                subprotocols=protocols or None,
                additional_headers={"X-Request-Id": socket.scope["request_id"]},
                compression=None,
                max_size=None,
                # Both ends are on this machine: a process that ends closes its own.
                ping_interval=None,
            )
        except (ProblemError, OSError, WebSocketException):
            await socket.close(1008)
            return
        async with theirs:
            # A browser may leave at any time, even while it is answered.
            with suppress(WebSocketDisconnect):
                await socket.accept(theirs.subprotocol)
                await _pass_on_both_ways(socket, theirs)

    return router


def _refuse_others(asked: HTTPConnection, *, changes: bool) -> None:
    """Refuses users who are no admins, and requests that a page of another origin sent from an admin's browser.

    Raises:
        ProblemError: 401 or 403.
    """
    person = person_of(asked)
    if person is None:
        raise ProblemError(401, "Dagster's pages are for admins.", headers={"WWW-Authenticate": "Bearer"})
    person.require("admin")
    site: Site = asked.state.site
    # Dagster's pages have no CSRF token, but browsers always send the origin of requests that change something.
    if changes and caller(asked).cookie and not site.is_own(asked, asked.headers.get("origin", "")):
        raise ProblemError(403, "Only pages of this site may send this.")


def _absent() -> ProblemError:
    detail = "Dagster does not run here yet. `gamestats up` starts it."
    return ProblemError(503, detail, headers={"Retry-After": "5"})


def _target(asked: HTTPConnection) -> bytes:
    """Returns path and query unchanged."""
    query: bytes = asked.scope["query_string"]
    return asked.scope["raw_path"] + (b"?" + query if query else b"")


def _without(headers: Iterable[tuple[bytes, bytes]], names: set[str]) -> list[tuple[bytes, bytes]]:
    """Returns the headers to pass on, without the named ones and those for one hop only."""
    given = [(name.lower(), value) for name, value in headers]
    named = b",".join(value for name, value in given if name == b"connection").decode("latin-1").lower()
    dropped = names | _OF_ONE_HOP | {name.strip() for name in named.split(",")}
    return [
        (name, value)
        for name, value in given
        if name.decode("latin-1") not in dropped and not name.startswith(b"x-forwarded-")
    ]


class _PassedOn(StreamingResponse):
    """Dagster's answer, passed on as it arrives, with its own rules for scripts and ours for frames."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.aiter_raw(), answer.status_code)
        self._answer = answer
        own = [answer.headers.get("content-security-policy", "").strip("; "), "frame-ancestors 'none'"]
        rules = "; ".join(filter(None, own)).encode("latin-1")
        self.raw_headers = [*_without(answer.headers.raw, _FROM_US), (b"content-security-policy", rules)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.aclose()


async def _pass_on_both_ways(socket: WebSocket, theirs: ClientConnection) -> None:
    """Passes messages on until one side ends, or until it is time to check the sender again."""

    async def to_dagster() -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            await theirs.send(message["bytes"] if text is None else text)

    async def to_browser() -> None:
        async for message in theirs:
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))

    both: Sequence[asyncio.Task[None]] = [asyncio.create_task(each()) for each in (to_dagster, to_browser)]
    try:
        done, _ = await asyncio.wait(both, timeout=_CHECKED_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        ends = await asyncio.gather(*both, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception) and not isinstance(end, ConnectionClosed | WebSocketDisconnect):
            raise end
    with suppress(RuntimeError):
        # Service restart: the page opens it again.
        await socket.close(1000 if done else 1012)
