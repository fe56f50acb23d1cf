"""The sender of a request: signed in by a cookie or an access token, with roles; and the guard against forged requests.

Browsers send cookies even with requests from other sites' pages. So a request with a cookie that changes something also
needs the session's CSRF token and a page of ours as its origin; `signed_in` and the other dependencies check both.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal, cast

import psycopg
from fastapi import Depends, Request
from psycopg_pool import ConnectionPool, PoolTimeout
from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gamestats_assets.lakehouse.postgres.own_rows import own_settings, setting
from gamestats_assets.serving.accounts.sessions import hashed
from gamestats_assets.serving.accounts.tokens import InvalidTokenError, Tokens
from gamestats_assets.serving.database import (
    POOL_IN_USE,
    POOL_SIZE,
    Connection,
    CountedPool,
    TimedActsCursor,
    TimedCursor,
    connecting,
    still_there,
)
from gamestats_assets.serving.middleware.problems import ProblemError, entry_problems
from gamestats_assets.serving.middleware.site import HEALTH, Site, cookie_name

Role = Literal["user", "premium", "tournament_admin", "admin"]
ROLES: tuple[Role, ...] = ("user", "premium", "tournament_admin", "admin")
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf_token"
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role of a user: everywhere, or in one season or division."""

    role: Role
    season_id: int | None = None
    division_id: int | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it is limited to no season or division."""
        return self.season_id is None and self.division_id is None


@dataclass(frozen=True, slots=True)
class Places:
    """Where a user has a role.

    Attributes:
        everywhere: whether it is limited to no season or division.
        seasons: ids of the seasons that it is limited to.
        divisions: ids of the divisions that it is limited to.
    """

    everywhere: bool
    seasons: tuple[int, ...] = ()
    divisions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user.

    Attributes:
        roles: roles besides `user`, which everyone has.
        players: the user's accounts of games, by game, in the order in which they were linked.
        guest_of: accounts of users who invited this one, by game.
    """

    user_id: int
    name: str
    roles: tuple[Grant, ...] = ()
    players: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    guest_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def may(self, role: Role, season_id: int | None = None, division_id: int | None = None) -> bool:
        """Whether the person has the rights of a role everywhere, or in the given season or division.

        A role in a season extends to its divisions: name both. Admins have all rights of tournament admins.
        """
        if role == "user" or (role == "tournament_admin" and self.may("admin")):
            return True
        return any(
            held.is_everywhere
            or (held.season_id is not None and held.season_id == season_id)
            or (held.division_id is not None and held.division_id == division_id)
            for held in self.roles
            if held.role == role
        )

    def places(self, role: Role) -> Places:
        """Returns where the person has the rights of a role."""
        held = [each for each in self.roles if each.role == role]
        return Places(
            self.may(role),
            tuple(each.season_id for each in held if each.season_id is not None),
            tuple(each.division_id for each in held if each.division_id is not None),
        )

    def may_somewhere(self, role: Role) -> bool:
        """Whether the person has the rights of a role in at least one place."""
        return self.may(role) or any(held.role == role for held in self.roles)

    def require(self, role: Role, season_id: int | None = None, division_id: int | None = None) -> None:
        """Refuses a person without the rights of a role there; see `may`.

        Raises:
            ProblemError: 403.
        """
        if not self.may(role, season_id, division_id):
            where = "" if season_id is None and division_id is None else " here"
            raise ProblemError(403, f"{self.name} may not do this{where}: it requires the role {role}.")


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request.

    Attributes:
        person: the signed-in user; None for visitors.
        session_id: id of the session.
        cookie: the session's token, if it is a browser's.
        refused: why the access token is invalid.
        is_unknown: whether PostgreSQL was unreachable.
    """

    person: Person | None = None
    session_id: int | None = None
    cookie: str = field(default="", repr=False)
    refused: str = ""
    is_unknown: bool = False


# --- dependencies of routes ----------------------------------------------------------------------


def caller(request: HTTPConnection) -> Caller:
    """Returns the sender without any check against forgery: for limits and logs only."""
    return getattr(request.state, "caller", Caller())


def csrf_token(request: Request, of: str = "csrf") -> str:
    """Returns what forms send as `csrf_token` and scripts as header `X-CSRF-Token`; empty without a cookie.

    Args:
        of: the purpose; a token in an address must be good for nothing else.
    """
    cookie = caller(request).cookie
    return hmac.new(cookie.encode(), of.encode(), "sha256").hexdigest() if cookie else ""


async def maybe_signed_in(request: Request) -> Person | None:
    """Returns the signed-in user or None; a dependency.

    Raises:
        ProblemError: 401 for an invalid access token, 403 for a request that may be forged.
    """
    person, found = person_of(request), caller(request)
    if found.cookie and request.method not in _SAFE:
        refuse_other_origins(request)
        given = request.headers.get(CSRF_HEADER)
        if given is None:
            given = (await request.form()).get(CSRF_FIELD)
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), csrf_token(request).encode()):
            detail = "The request lacks the CSRF token of this session. Load the page again and send it from there."
            raise ProblemError(403, detail)
    return person


def person_of(request: HTTPConnection) -> Person | None:
    """Returns the signed-in user or None; for routes with their own guard against forged requests.

    Raises:
        ProblemError: 401 for an invalid access token, 503 while PostgreSQL is unreachable.
    """
    found = caller(request)
    if found.is_unknown:
        raise ProblemError(503, "Your session cannot be checked just now. Try again.", headers={"Retry-After": "2"})
    if found.refused:
        raise ProblemError(401, found.refused, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return found.person


def refuse_other_origins(request: Request) -> None:
    """Refuses requests from pages of another origin.

    Raises:
        ProblemError: 403.
    """
    site: Site = request.state.site
    origin = request.headers.get("origin")
    fetched_from = request.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and not site.is_own(request, origin)) or fetched_from not in ("same-origin", "none"):
        raise ProblemError(403, "The request was sent by a page of another origin.")


async def signed_in(person: Annotated[Person | None, Depends(maybe_signed_in)]) -> Person:
    """Returns the signed-in user; a dependency.

    Raises:
        ProblemError: 401 for visitors.
    """
    if person is None:
        raise ProblemError(401, "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
    return person


SignedIn = Annotated[Person, Depends(signed_in)]
"""The signed-in user as a parameter of a route."""


async def public() -> None:
    """Does nothing: the dependency that declares a router or route public.

    Every route declares its audience by this, `signed_in`, `requires` or `guards_itself`; a test checks it.
    """


async def guards_itself() -> None:
    """Does nothing: the dependency that declares that a route checks its senders itself."""


def requires(role: Role, *, somewhere: bool = False) -> Callable[..., Awaitable[Person]]:
    """Returns a dependency that gives the user and requires a role.

    Args:
        somewhere: whether a role in one season or division suffices to enter; the route then calls
            `person.require(role, season_id, division_id)` before it acts.
    """

    return partial(person_in_role, role, somewhere)


async def person_in_role(role: Role, somewhere: bool, person: Annotated[Person, Depends(signed_in)]) -> Person:
    """Returns the user, who must have a role; `requires` makes it a dependency."""
    if not (somewhere and person.may_somewhere(role)):
        person.require(role)
    return person


# --- sessions and tokens -------------------------------------------------------------------------

_FOUND = """
    SELECT s.session_id, u.user_id, u.name, s.last_seen_at < now() - interval '5 minutes' AS was_seen_long_ago,
        (SELECT jsonb_agg(jsonb_build_array(role, season_id, division_id)) FROM accounts.roles r
            WHERE r.user_id = u.user_id) AS roles,
        (SELECT jsonb_agg(jsonb_build_array(p.game, p.player_id) ORDER BY p.created_at, p.player_id)
            FROM accounts.players p WHERE p.user_id = u.user_id AND p.state = 'linked') AS players,
        (SELECT jsonb_agg(DISTINCT jsonb_build_array(p.game, p.player_id))
            FROM accounts.invitations i JOIN accounts.players p USING (user_id, game)
            WHERE i.guest_id = u.user_id AND p.state = 'linked') AS guest_of
    FROM accounts.sessions s JOIN accounts.users u USING (user_id)
    WHERE s.expires_at > now() AND u.ended_at IS NULL AND """
_BY_COOKIE = _FOUND + "s.token_hash = %s"
_BY_SESSION = _FOUND + "s.session_id = %s AND s.token_hash IS NULL"


class Principals:
    """Finds senders, and opens connections with the role that writes for signed-in users."""

    def __init__(self, url: SecretStr, tokens: Tokens) -> None:
        self._tokens = tokens
        pooled = {"min_size": 0, "max_size": 4, "timeout": 3, "open": False}
        self._lookups = CountedPool(
            name="lookups",
            connection_class=cast(type[Connection], psycopg.AsyncConnection),
            kwargs={**connecting(url, "force_generic_plan"), "autocommit": True, "cursor_factory": TimedCursor},
            check=cast(Any, still_there),
            **pooled,
        )
        timed = {**connecting(url), "cursor_factory": TimedActsCursor}
        self._acts = ConnectionPool(name="acts", kwargs=timed, check=ConnectionPool.check_connection, **pooled)

    async def open(self) -> None:
        """Begin."""
        await self._lookups.open()
        POOL_SIZE.labels(self._acts.name).set(self._acts.max_size)
        self._acts.open()

    async def close(self) -> None:
        """End all connections."""
        await self._lookups.close()
        await asyncio.to_thread(self._acts.close)

    async def revision(self) -> str:
        """Returns the revision of the schema `ops`, such as `0009`; empty before the first."""
        async with self._lookups.connection() as conn:
            with suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                row = await (await conn.execute("SELECT version_num FROM ops.alembic_version")).fetchone()
                return row["version_num"] if row else ""
        return ""

    async def by_cookie(self, token: str) -> Caller:
        """Returns the sender with a cookie."""
        async with self._lookups.connection() as conn:
            return await self._found(conn, _BY_COOKIE, hashed(token), token)

    async def by_access_token(self, token: str) -> Caller:
        """Returns the sender with an access token."""
        async with self._lookups.connection() as conn:
            try:
                session_id = await self._tokens.session_of(conn, token)
            except InvalidTokenError as error:
                return Caller(refused=str(error))
            found = await self._found(conn, _BY_SESSION, session_id)
            return found if found.person else Caller(refused="The session of the access token is over.")

    async def _found(self, conn: Connection, query: str, value: Any, cookie: str = "") -> Caller:
        row = await (await conn.execute(query, [value])).fetchone()  # pyright: ignore[reportArgumentType]
        if row is None:
            return Caller()
        if row["was_seen_long_ago"]:
            seen = "UPDATE accounts.sessions SET last_seen_at = now() WHERE session_id = %s"
            await conn.execute(seen, [row["session_id"]])
        roles = tuple(Grant(*held) for held in row["roles"] or ())
        players, guest_of = _by_game(row["players"]), _by_game(row["guest_of"])
        return Caller(Person(row["user_id"], row["name"], roles, players, guest_of), row["session_id"], cookie)

    @contextmanager
    def writing(self, person: Person | None, *, sees_all: bool = False) -> Iterator[psycopg.Connection]:
        """A connection in one transaction that records the person as the author of entries.

        PostgreSQL shows and accepts only the person's own rows of personal tables.

        Args:
            sees_all: shows and accepts everyone's rows, for admins.

        Raises:
            ProblemError: 403 if `sees_all` and the person is no admin; or for a mistake in an entry.
        """
        settings = {"person": person.name if person else "nobody"}
        if person is not None:
            settings |= own_settings(person.user_id, itertools.chain.from_iterable(person.players.values()))
        if sees_all:
            if person is None:
                raise ProblemError(403, "This requires the role admin.")
            person.require("admin")
            settings["sees_all"] = "yes"
        with (
            entry_problems(),
            POOL_IN_USE.labels(self._acts.name).track_inprogress(),
            self._acts.connection() as conn,
            conn.transaction(),
        ):
            conn.execute(*setting(settings))
            yield conn


def _by_game(listed: Sequence[Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for game, player_id in listed or ():
        found[game] = (*found.get(game, ()), player_id)
    return found


class Authentication:
    """Gives every request its sender (`caller`) and `request.state.writing`."""

    def __init__(self, app: ASGIApp, accounts: Principals, site: Site) -> None:
        self._app, self._accounts, self._site = app, accounts, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] in ("http", "websocket") and scope["path"] not in HEALTH:
            found = await self._asking(scope)
            writing: Callable[..., AbstractContextManager[psycopg.Connection]]
            writing = partial(self._accounts.writing, found.person)
            scope.setdefault("state", {}).update(caller=found, writing=writing)
        await self._app(scope, receive, send)

    async def _asking(self, scope: Scope) -> Caller:
        # Most senders are not signed in: the short way for them.
        if not any(name in (b"cookie", b"authorization") for name, _ in scope["headers"]):
            return Caller()
        request = Request({**scope, "type": "http"})
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get(cookie_name(self._site, request), "")
        try:
            if kind.casefold() == "bearer":
                return await self._accounts.by_access_token(token.strip())
            return await self._accounts.by_cookie(cookie) if cookie else Caller()
        except (psycopg.Error, PoolTimeout):
            return Caller(is_unknown=True)
