"""The application: what every request meets, whichever game it asks of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gamestats_assets.serving import account
from gamestats_assets.serving.answers import Answers, connections
from gamestats_assets.serving.bundle import PREFIX, Bundle
from gamestats_assets.serving.describing import describe
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.home import router as home
from gamestats_assets.serving.logs import Told
from gamestats_assets.serving.pages import Pages
from gamestats_assets.serving.problems import handle_problems, problem
from gamestats_assets.serving.site import HEALTH, Named, Site
from gamestats_assets.serving.versions import Versions
from gamestats_assets.serving.who import Accounts, Known
from gamestats_assets.settings import Settings

_FREE = (*HEALTH, PREFIX)
"""What paths begin with that nobody is kept from asking for too often."""


def create_app(url: SecretStr, writer_url: SecretStr, games: Sequence[Game], settings: Settings) -> FastAPI:
    """The application over a database.

    Args:
        url: PostgreSQL, as one who answers everybody.
        writer_url: PostgreSQL, as one who writes for signed-in people.
        games: whose routes and pages there are; they find what they answer by in `request.state`.
    """
    versions = Versions(url, [game.name for game in games])
    bundle = Bundle()
    pages = Pages(games, bundle)
    pool = connections(url)
    accounts = Accounts(writer_url)
    site = Site(settings.public_url, settings.hosts)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await pool.open()
        await accounts.open()
        watching = asyncio.create_task(versions.watch())
        try:
            yield {"answers": Answers(pool, versions), "pages": pages, "games": games}
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await accounts.close()
            await pool.close()

    app = FastAPI(
        title="gamestats",
        version="1",
        summary="What is published of each game.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.pages = pages
    handle_problems(app)
    for game in games:
        for router in game.api:
            app.include_router(router, prefix="/api/v1")
        for router in game.pages:
            app.include_router(router, include_in_schema=False)
    app.include_router(account.router, prefix="/api/v1")
    app.include_router(home)
    app.include_router(bundle.router())
    describe(app, games)

    @app.get("/healthz", include_in_schema=False)
    async def alive() -> Response:
        return JSONResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})

    @app.get("/readyz", include_in_schema=False)
    async def ready(request: Request) -> Response:
        if versions.are_live:
            return JSONResponse({"status": "ready"}, headers={"Cache-Control": "no-store"})
        return problem(request, 503, "PostgreSQL does not answer yet.", headers={"Retry-After": "1"})

    # The last one is met first.
    if settings.requests_a_minute is not None:
        app.add_middleware(Limited, requests_a_minute=settings.requests_a_minute)
    app.add_middleware(Known, accounts=accounts, site=site)
    app.add_middleware(Named, site=site)
    app.add_middleware(Told)
    return app


class Limited:
    """Refuses an address that asks more often than it may; an answer that nothing has changed costs nothing."""

    def __init__(self, app: ASGIApp, requests_a_minute: int) -> None:
        self._app, self._limit = app, RateLimitItemPerMinute(requests_a_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(_FREE):
            await self._app(scope, receive, send)
            return
        who = (scope.get("client") or ("unknown",))[0]
        window = await self._limiter.get_window_stats(self._limit, who)
        seconds = max(1, round(window.reset_time - time.time()))
        said = {"RateLimit-Limit": str(self._limit.amount), "RateLimit-Reset": str(seconds)}
        if window.remaining <= 0:
            headers = {**said, "RateLimit-Remaining": "0", "Retry-After": str(seconds)}
            detail = f"An address may ask {self._limit.amount} times a minute. Ask again in {seconds} s."
            await problem(Request(scope), 429, detail, headers=headers)(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                free = message["status"] == 304
                if not free:
                    await self._limiter.hit(self._limit, who)
                headers = MutableHeaders(scope=message)
                for name, value in said.items():
                    headers[name] = value
                headers["RateLimit-Remaining"] = str(max(0, window.remaining - (not free)))
            await send(message)

        await self._app(scope, receive, counted)
