"""The application, put together from middleware and the routes of all games."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import Depends, FastAPI, Request
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets.lakehouse.entries.ops import known_revisions
from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.serving.accounts.tokens import Tokens
from gamestats_assets.serving.admin import players as admin_players
from gamestats_assets.serving.admin import users as admin_people
from gamestats_assets.serving.admin.dagster import dagster_router
from gamestats_assets.serving.answers.cache import Answers, CachedAnswers
from gamestats_assets.serving.answers.versions import Versions
from gamestats_assets.serving.database import connections
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.limits import RateLimits, RequestBounds
from gamestats_assets.serving.middleware.logs import RequestLog
from gamestats_assets.serving.middleware.principal import Authentication, Principals, public
from gamestats_assets.serving.middleware.problems import handle_problems, problem
from gamestats_assets.serving.middleware.site import HeadAsGet, KnownHosts, Site
from gamestats_assets.serving.pages.bundle import Bundle
from gamestats_assets.serving.pages.docs import describe
from gamestats_assets.serving.pages.home import router as home
from gamestats_assets.serving.pages.rendering import Pages
from gamestats_assets.serving.people import invitation_page, jobs
from gamestats_assets.serving.people import routes as linking
from gamestats_assets.serving.sign_in import account, account_page
from gamestats_assets.serving.sign_in import routes as sign_in
from gamestats_assets.settings import Settings


def create_app(url: SecretStr, writer_url: SecretStr, games: Sequence[Game], settings: Settings) -> FastAPI:
    """Returns the application over a database.

    Args:
        url: PostgreSQL with the role for public answers.
        writer_url: PostgreSQL with the role that writes for signed-in users.
        games: games with their routes and pages, which use `request.state`.
    """
    versions = Versions(url, [game.name for game in games])
    bundle = Bundle()
    pages = Pages(games, bundle)
    pool, own_pool = connections(url, "answers"), connections(writer_url, "own")
    providers = sign_in.providers_of(settings)
    site = Site(settings.public_url, settings.hosts)
    keys = Keys.of(settings)
    accounts = Principals(writer_url, Tokens(site.issuer, keys))
    newest = known_revisions()[-1]
    objects = Objects(settings.under_data("objects"), settings.storage_options)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        for each in (pool, own_pool, accounts):
            await each.open()
        watching = asyncio.create_task(versions.watch())
        try:
            yield {
                "answers": Answers(pool, versions),
                "own_answers": Answers(pool, versions, entered=own_pool),
                "own_pool": own_pool,
                "pages": pages,
                "games": games,
                "providers": providers,
                "keys": keys,
                "objects": objects,
                "settings": settings,
                "landing": Landing(settings.under_data("landing"), settings.storage_options),
            }
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            for each in (accounts, own_pool, pool):
                await each.close()

    app = FastAPI(
        title="gamestats",
        version="1",
        summary="The published tables of each game.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.pages = pages
    handle_problems(app)
    api = [*(each for game in games for each in game.api), account.router, sign_in.api]
    api += [linking.router, jobs.router]
    shown = [*(each for game in games for each in game.pages), sign_in.router, account_page.router]
    shown += [invitation_page.router, home, admin_people.pages, admin_players.pages]
    api += [admin_people.api, admin_players.api]
    # Routes are tried in order; the many admin routes, which few use, come last.
    for is_of_admins in (False, True):
        for routers, prefix in ((api, "/api/v1"), (shown, "")):
            for router in routers:
                if router.prefix.startswith("/admin") == is_of_admins:
                    app.include_router(router, prefix=prefix, include_in_schema=routers is api)
    app.include_router(bundle.router(), dependencies=[Depends(public)])
    app.include_router(dagster_router(settings.dagster_socket))
    describe(app, games)

    @app.get("/healthz", include_in_schema=False, dependencies=[Depends(public)])
    async def alive() -> Response:
        return JSONResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})

    @app.get("/readyz", include_in_schema=False, dependencies=[Depends(public)])
    async def ready(request: Request) -> Response:
        if not versions.are_live:
            return problem(request, 503, "PostgreSQL does not answer yet.", headers={"Retry-After": "1"})
        if (found := await accounts.revision()) < newest:
            detail = (
                f"Schema ops of PostgreSQL is at revision {found or 'none'}; this gamestats needs {newest}. Run "
                "`gamestats serve` once with its owner's GAMESTATS_POSTGRES_URL, which migrates it."
            )
            return problem(request, 503, detail, headers={"Retry-After": "10"})
        return JSONResponse({"status": "ready"}, headers={"Cache-Control": "no-store"})

    # The last one runs first.
    app.add_middleware(CachedAnswers)
    app.add_middleware(RateLimits, settings=settings, forms=[path for game in games for path in game.forms_for_anybody])
    app.add_middleware(Authentication, accounts=accounts, site=site)
    app.add_middleware(KnownHosts, site=site)
    app.add_middleware(RequestBounds, settings=settings, uploads=[path for game in games for path in game.uploads])
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*settings.trusted_proxies])
    app.add_middleware(RequestLog)
    app.add_middleware(HeadAsGet)
    return app
