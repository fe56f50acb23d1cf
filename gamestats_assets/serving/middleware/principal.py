"""Who asks: a person signed in by a cookie or an access token, what they may do, and the guard against forgery.

A cookie is sent by the browser whoever made the page that asks. So a request that changes something and comes with
one needs the session's CSRF token as well, and a page of ours as its origin; `signed_in` and its like see to it.
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
    """A role that somebody holds: everywhere, or of one season or one division."""

    role: Role
    season_id: int | None = None
    division_id: int | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it is of no season and no division alone."""
        return self.season_id is None and self.division_id is None


@dataclass(frozen=True, slots=True)
class Places:
    """Where a role is held.

    Attributes:
        everywhere: whether it is of no season and no division alone.
        seasons: those that it is of, by number.
        divisions: those that it is of, by number.
    """

    everywhere: bool
    seasons: tuple[int, ...] = ()
    divisions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A user who is signed in.

    Attributes:
        roles: those held besides `user`, which everybody is.
        players: the person's accounts of games, by game; the one that was linked first comes first.
        guest_of: those of people who let the person see what is theirs, by game.
    """

    user_id: int
    name: str
    roles: tuple[Grant, ...] = ()
    players: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    guest_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def may(self, role: Role, season_id: int | None = None, division_id: int | None = None) -> bool:
        """Whether the person may what a role may: everywhere, or else in a season or a division that is given.

        Whoever may it in a season may it in its divisions: name both. An admin may all that a tournament admin may.
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
        """Where the person may what a role may."""
        held = [each for each in self.roles if each.role == role]
        return Places(
            self.may(role),
            tuple(each.season_id for each in held if each.season_id is not None),
            tuple(each.division_id for each in held if each.division_id is not None),
        )

    def may_somewhere(self, role: Role) -> bool:
        """Whether the person may it everywhere, or in any season or division."""
        return self.may(role) or any(held.role == role for held in self.roles)

    def require(self, role: Role, season_id: int | None = None, division_id: int | None = None) -> None:
        """Refuse what the person may not do there; see `may`.

        Raises:
            ProblemError: 403.
        """
        if not self.may(role, season_id, division_id):
            where = "" if season_id is None and division_id is None else " here"
            raise ProblemError(403, f"{self.name} may not do this{where}: it takes the role {role}.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as far as a request tells.

    Attributes:
        person: None where nobody is signed in.
        session_id: by which session.
        cookie: its token, where that is of a browser.
        refused: why an access token that was given is worth nothing.
        is_unknown: whether PostgreSQL could not be asked.
    """

    person: Person | None = None
    session_id: int | None = None
    cookie: str = field(default="", repr=False)
    refused: str = ""
    is_unknown: bool = False


# --- what routes use -----------------------------------------------------------------------------


def caller(request: HTTPConnection) -> Caller:
    """Who asks, without any guard: for limits and logs, not for what is somebody's to do."""
    return getattr(request.state, "caller", Caller())


def csrf_token(request: Request, of: str = "csrf") -> str:
    """What forms send as `csrf_token` and scripts as the header `X-CSRF-Token`; empty for who has no cookie.

    Args:
        of: what for; a token that stands in an address is good for that alone.
    """
    cookie = caller(request).cookie
    return hmac.new(cookie.encode(), of.encode(), "sha256").hexdigest() if cookie else ""


async def maybe_signed_in(request: Request) -> Person | None:
    """Who is signed in, or None; a dependency.

    Raises:
        ProblemError: 401 for an access token that is worth nothing, 403 for a request that may be forged.
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
    """Who is signed in, or None; for a route with a guard of its own against forged requests.

    Raises:
        ProblemError: 401 for an access token that is worth nothing, 503 while PostgreSQL cannot be asked.
    """
    found = caller(request)
    if found.is_unknown:
        raise ProblemError(503, "Who asks cannot be looked up just now. Ask again.", headers={"Retry-After": "2"})
    if found.refused:
        raise ProblemError(401, found.refused, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return found.person


def refuse_other_origins(request: Request) -> None:
    """Refuse what a page of another origin sent.

    Raises:
        ProblemError: 403.
    """
    site: Site = request.state.site
    origin = request.headers.get("origin")
    fetched_from = request.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and not site.is_own(request, origin)) or fetched_from not in ("same-origin", "none"):
        raise ProblemError(403, "The request was sent by a page of another origin.")


async def signed_in(person: Annotated[Person | None, Depends(maybe_signed_in)]) -> Person:
    """Who is signed in; a dependency.

    Raises:
        ProblemError: 401 for anybody else.
    """
    if person is None:
        raise ProblemError(401, "This is for who is signed in.", headers={"WWW-Authenticate": "Bearer"})
    return person


SignedIn = Annotated[Person, Depends(signed_in)]
"""Who is signed in, as a parameter of a route."""


async def public() -> None:
    """Nothing: the dependency of a router or route by which it says that it is for everybody.

    Every route says whom it is for, by this, `signed_in`, `requires` or `guards_itself`; a test sees to it.
    """


async def guards_itself() -> None:
    """Nothing: the dependency by which a route says that it finds out itself whom it refuses."""


def requires(role: Role, *, somewhere: bool = False) -> Callable[..., Awaitable[Person]]:
    """A dependency that gives the person, who may what a role may.

    Args:
        somewhere: whether a role of one season or division will do to come in; the route then asks
            `person.require(role, season_id, division_id)` of what it does.
    """

    return partial(person_in_role, role, somewhere)


async def person_in_role(role: Role, somewhere: bool, person: Annotated[Person, Depends(signed_in)]) -> Person:
    """The person, who may what a role may; `requires` makes a dependency of it."""
    if not (somewhere and person.may_somewhere(role)):
        person.require(role)
    return person


# --- how they are found --------------------------------------------------------------------------

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
    """Connections as the role that writes for signed-in people."""

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
        """The revision that the schema `ops` stands at, such as `0009`; empty before the first."""
        async with self._lookups.connection() as conn:
            with suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                row = await (await conn.execute("SELECT version_num FROM ops.alembic_version")).fetchone()
                return row["version_num"] if row else ""
        return ""

    async def by_cookie(self, token: str) -> Caller:
        """Who is signed in by a cookie."""
        async with self._lookups.connection() as conn:
            return await self._found(conn, _BY_COOKIE, hashed(token), token)

    async def by_access_token(self, token: str) -> Caller:
        """Who is signed in by an access token."""
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
        """A connection in one transaction, in which what is entered is somebody's.

        Of what is people's own PostgreSQL shows and takes in it the person's rows alone.

        Args:
            sees_all: shows and takes those of everybody, to an admin.

        Raises:
            ProblemError: 403 when all is to be seen and the person is no admin; or for a mistake in what is entered.
        """
        settings = {"person": person.name if person else "nobody"}
        if person is not None:
            settings |= own_settings(person.user_id, itertools.chain.from_iterable(person.players.values()))
        if sees_all:
            if person is None:
                raise ProblemError(403, "It takes the role admin.")
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
    """Tells every request who asks (`caller`), and gives it `request.state.writing`."""

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
        # Most ask as nobody, which is soon said.
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
