"""Names and addresses of the application, and the check of hosts."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gamestats_assets.serving.middleware.problems import problem

LOOPBACK = ("localhost", "127.0.0.1", "::1")
AUTH = "/api/v1/auth"
"""Path of the API for sessions and tokens."""
SIGN_IN = "/sign-in"
"""Path at which browsers sign in."""
ACCOUNT = "/account"
"""Path of the page about the user."""
HEALTH = ("/healthz", "/readyz")
"""Paths without limits and checks of the host."""

NO_STORE = {"Cache-Control": "no-store"}
"""Header of answers that must not be stored."""
STATIC = "/static/"
"""Path of scripts, styles and pictures."""

_LONGEST_HOST = 300
"""Longest host name with port, in characters."""


@dataclass(frozen=True, slots=True)
class Site:
    """The names of an application.

    Attributes:
        public_url: its public address, such as `https://stats.example.org`; None: reachable on this machine only.
        hosts: further host names under which it may be reached.
    """

    public_url: str | None = None
    hosts: Sequence[str] = ()

    @property
    def issuer(self) -> str:
        """Issuer of access tokens, who also accepts them."""
        return self.public_url or "gamestats"

    def knows(self, host: str) -> bool:
        """Whether a `Host` header names this application. Any other name is an attack or a mistake."""
        if len(host) > _LONGEST_HOST:
            return False
        name = _host_name(host)
        own = [_host_name(urlsplit(self.public_url).netloc)] if self.public_url else []
        return name in {*LOOPBACK, *own, *map(_host_name, self.hosts)}

    def address(self, request: HTTPConnection) -> str:
        """Returns the application's scheme, host and port, for links in answers."""
        return self.public_url or _origin(request)

    def is_secure(self, request: HTTPConnection) -> bool:
        """Whether browsers reach it by HTTPS."""
        return self.address(request).startswith("https:")

    def is_own(self, request: HTTPConnection, origin: str) -> bool:
        """Whether a page of an origin is one of ours."""
        return origin in (self.public_url, _origin(request))


def _origin(request: HTTPConnection) -> str:
    # The page that opens a WebSocket came by HTTP.
    scheme = "https" if request.url.scheme in ("https", "wss") else "http"
    return f"{scheme}://{request.headers.get('host', 'localhost')}"


@functools.lru_cache(1000)
def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def own_path(path: str) -> str:
    """Returns a path of ours to go on to, or `/` if the given path could lead elsewhere."""
    parts = urlsplit(path) if path.isprintable() and "\\" not in path and not path.startswith("//") else None
    return path if parts and path.startswith("/") and not (parts.scheme or parts.netloc) else "/"


def link_address(site: str, token: str) -> str:
    """Returns the address that signs a browser in once by the token of a link.

    Args:
        site: scheme, host and port of the application.
    """
    return f"{site.rstrip('/')}{SIGN_IN}/link?{urlencode({'token': token})}"


def cookie_name(site: Site, request: HTTPConnection, of: str = "session") -> str:
    """Returns the name of a cookie of ours. With HTTPS, no other host of the domain can set it."""
    return f"{'__Host-' if site.is_secure(request) else ''}gamestats_{of}"


def set_cookie(answer: Response, request: Request, of: str, value: str, seconds: int) -> None:
    """Sets a cookie that scripts cannot read and other sites' forms do not send; 0 seconds delete it."""
    site: Site = request.state.site
    name, is_secure = cookie_name(site, request, of), site.is_secure(request)
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=is_secure, httponly=True, samesite="lax")


class HeadAsGet:
    """Answers HEAD wherever GET is answered; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class KnownHosts:
    """Refuses requests under other host names, as they come from DNS rebinding."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in HEALTH:
            await self._app(scope, receive, send)
        elif self._site.knows(Headers(scope=scope).get("host", "")):
            scope.setdefault("state", {})["site"] = self._site
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            detail = "gamestats is not served under this name. Name it in GAMESTATS_HOSTS, or in GAMESTATS_PUBLIC_URL."
            await problem(Request(scope), 421, detail)(scope, receive, send)
