"""Answers about signed-in users, made from their own rows and shown to them alone.

A plain function answers, given a connection, the parameters and a scope, which says whose rows it may show. PostgreSQL
itself shows it no other rows of the guarded tables (`postgres.own_rows`). Requests that change something use
`request.state.writing()`, in which PostgreSQL accepts only the person's own rows.

Invited coaches may ask about the players of the person who invited them, but change nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from psycopg import errors, sql
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field
from starlette.responses import Response

from gamestats_assets.lakehouse.postgres.own_rows import own_settings, setting
from gamestats_assets.lakehouse.published.notes import notes_of, versions_of
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.accounts.views import seen_by_guest
from gamestats_assets.serving.answers.cache import Answers, Audience, Format
from gamestats_assets.serving.answers.lines import are_published
from gamestats_assets.serving.answers.routes import Made, Name, Parameters, ask, described, description_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.principal import Person, SignedIn, csrf_token
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.pages.rendering import HEADERS, Pages

OneOfYours = Annotated[Name | None, Query(description="One of your accounts; without it that with the most matches.")]
"""A parameter of requests that change something."""


class OfPlayer(Parameters):
    """The parameter of questions about a player."""

    player: Annotated[
        Name | None,
        Field(
            description="One of your accounts, or one of a user who invited you. The default is your account with "
            "the most matches, or else the first that you may see.",
            examples=["steam_76561190000000001"],
        ),
    ] = None


Asked = TypeVar("Asked", bound=OfPlayer)
Maker = Callable[[Connection, Asked, "Scope"], Awaitable[Made]]
"""Makes an answer."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows an answer may show.

    Attributes:
        user_id: the user who asks; None for a visitor with the link to a shared match.
        player: the player in question; None if the user has no account of the game and names none.
        players: the user's own accounts of the game.
        may_see: these, and the accounts of users who invited this one.
    """

    user_id: int | None
    player: str | None = None
    players: tuple[str, ...] = ()
    may_see: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether the player is one of the user's own."""
        return self.player in self.players

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of the transaction in which the answer is made."""
        return own_settings(self.user_id, self.may_see)


async def show_matches(conn: Connection, matches: Sequence[str]) -> None:
    """Lets PostgreSQL show all rows of some matches, too. Call it only after checking that the user may see them."""
    await conn.execute(*setting({"own_match_id": ",".join(matches)}))


Holds = Literal["player", "tables", "never"]
"""How long an answer stays valid: until rows of the scope's players change, until any of its tables changes, or not at
all, because it also rests on what people enter. Only in the last case may `make` read the schema `ops`."""


class OwnMetadata(BaseModel):
    """About an answer."""

    player: Annotated[str | None, Field(description="The player in question.", examples=["steam_76561190000000001"])]
    timestamp: Annotated[
        Any, Field(description="When its tables were last published.", examples=["2026-10-03T18:00:00Z"])
    ]
    is_simulated: Annotated[bool, Field(description="Whether it rests on simulated matches.", examples=[False])]


class OwnRouter(APIRouter):
    """Routes that answer questions about the signed-in user.

    Args:
        game: name of the game whose accounts they are about.
    """

    def __init__(self, game: str, prefix: str) -> None:
        super().__init__(prefix=prefix, tags=[prefix.strip("/")])
        self.game = game

    def asks(
        self,
        path: str,
        summary: str,
        answer: type[BaseModel],
        tables: tuple[type[Table], ...],
        holds: Holds,
        *,
        needs_player: bool = True,
    ) -> Callable[[Maker[Asked]], Maker[Asked]]:
        """Makes the decorated function, which stays unchanged, answer a route.

        The function receives a connection in one snapshot of PostgreSQL, the parameters (declared by their annotation)
        and a scope. An answer without `metadata` gets it, with the answer's other values as `about`. The function's
        docstring is the description of the route.

        Args:
            path: below the router's; names in braces are parameters.
            summary: the question, in a few words.
            answer: model of the answer.
            tables: all published tables that the answer rests on.
            holds: how long the answer stays valid; `player` only if it shows no row of another player, not even of the
                same match.
            needs_player: whether it is about a player; users without one get instructions.
        """

        def declare(make: Maker[Asked]) -> Maker[Asked]:
            asked_type: type[Asked] = get_type_hints(make)["asked"]

            async def endpoint(request: Request, person: SignedIn) -> Response:
                asked = ask(asked_type, request)
                scope = await scope_of(request, person, self.game, asked.player, needs_player=needs_player)

                async def whole(conn: Connection) -> Made:
                    made = await make(conn, asked, scope)
                    if "metadata" in made:
                        return made
                    about = await metadata_of(request, conn, self.game, tables, scope)
                    return {"metadata": {**about, **made.pop("about", {})}, **made}

                key = f"{self.prefix}{path} {asked.key()} {scope}"
                answers: Answers = request.state.own_answers
                return await answers.give(request, tables, key, whole, audience=_audience(scope, holds))

            self.add_api_route(
                path,
                endpoint,
                methods=["GET"],
                summary=summary,
                description=description_of(make),
                operation_id=make.__name__,
                responses={200: {"model": answer}},
                openapi_extra={"parameters": described(path, asked_type)},
            )
            return make

        return declare


async def own_page(
    request: Request,
    person: Person,
    game: str,
    template: str,
    asked: OfPlayer,
    make: Callable[[Connection, Scope], Awaitable[Mapping[str, Any]]],
    *,
    tables: Sequence[type[Table]],
    holds: Holds,
    needs_player: bool = False,
    entered: object = None,
) -> Response:
    """Returns a page about the user. No browser caches it; this process does while its tables stay unchanged.

    Args:
        make: returns the values of the template, which also has `person`, `scope`, `csrf_token` and `simulated`.
        tables: all published tables that the page rests on.
        entered: entries that the page rests on, if already read; they become part of the cache's key.
    """
    pages: Pages = request.state.pages
    answers: Answers = request.state.own_answers
    scope = await scope_of(request, person, game, asked.player, needs_player=needs_player)
    token = csrf_token(request)
    named = asked.model_dump(exclude_none=True, exclude_defaults=True, mode="json")

    async def render(conn: Connection) -> str:
        about = await metadata_of(request, conn, game, tables, scope)
        values = {"person": person, "scope": scope, "csrf_token": token, "simulated": about["is_simulated"]}
        return pages.render(request, template, {**values, **await make(conn, scope)}, asked=named)

    parts = (
        template,
        pages.language(request),
        request.base_url,
        # Parameters that the page does not declare, such as what was done.
        request.url.path,
        request.url.query,
        asked.key(),
        scope,
        person,
        token,
        entered,
    )
    form = Format("text/html; charset=utf-8", str.encode, HEADERS)
    audience = _audience(scope, holds, "no-store")
    return await answers.give(request, tables, " ".join(map(str, parts)), render, form=form, audience=audience)


def _audience(scope: Scope, holds: Holds, cache_control: str = "private, no-cache") -> Audience:
    players = scope.may_see if holds == "player" else None
    return Audience(scope.settings, players, holds != "never", cache_control)


@asynccontextmanager
async def reading(request: Request, scope: Scope) -> AsyncIterator[Connection]:
    """A connection in one snapshot in which PostgreSQL shows the rows of a scope, for routes outside an `OwnRouter`."""
    pool: AsyncConnectionPool[Connection] = request.state.own_pool
    async with pool.connection() as conn, conn.transaction():
        await conn.execute(*setting(scope.settings))
        yield conn


# --- scopes --------------------------------------------------------------------------------------


async def scope_of(
    request: Request, person: Person, game: str, player: str | None = None, *, needs_player: bool = True
) -> Scope:
    """Returns whose rows a person may see.

    Args:
        player: the player in question, if the person names one.

    Raises:
        ProblemError: 404 for a player whose rows the person may not see, as for one that does not exist.
    """
    own = person.players.get(game, ())
    may_see = (*own, *(each for each in person.guest_of.get(game, ()) if each not in own))
    if player is not None and player not in may_see:
        raise ProblemError(404, f"You have no account {player}, and no other user has invited you to it.")
    if player is None and len(own) > 1:
        player = await _main(request, game, Scope(person.user_id, own[0], own, own))
    elif player is None:
        player = next(iter(may_see), None)
    if player is None and needs_player:
        raise ProblemError(404, "No account of the game is linked to you yet. Link one first, in your settings.")
    if player is not None and player not in own:
        await run_in_threadpool(_seen, request, person, game, player)
    return Scope(person.user_id, player, own, may_see)


def _seen(request: Request, person: Person, game: str, player: str) -> None:
    with request.state.writing() as conn:
        seen_by_guest(conn, person.user_id, game, player)


async def _main(request: Request, game: str, scope: Scope) -> str | None:
    """Returns the account with the most matches, or the first if none has matches yet."""
    matches = _game(request, game).matches
    if matches is None:
        return scope.player
    query = sql.SQL(
        "SELECT partition_key FROM {} WHERE table_name = %s AND partition_key = ANY (%s) ORDER BY rows DESC, 1 LIMIT 1"
    ).format(sql.Identifier(game, notes_of(game).spec.name))
    async with reading(request, scope) as conn:
        try:
            row = await (await conn.execute(query, [matches[0].spec.name, [*scope.players]])).fetchone()
        except errors.UndefinedTable:
            row = None
    return row["partition_key"] if row else scope.player


def _game(request: Request, name: str) -> Game:
    return next(each for each in request.state.games if each.name == name)


async def metadata_of(
    request: Request, conn: Connection, game: str, tables: Sequence[type[Table]], scope: Scope
) -> Made:
    """Returns an answer with its metadata: the player, the last publication, whether matches are simulated."""
    matches = _game(request, game).matches
    # Wherever single players are published, so are the notes on publications.
    if not tables or matches is None or not await are_published(conn, matches[0]):
        return {"player": scope.player, "timestamp": None, "is_simulated": False}
    # The player's partition if partitions are players; else the newest of any table.
    query = sql.SQL(
        "SELECT coalesce((SELECT max(published_at) FROM {} WHERE table_name = ANY (%(tables)s) "
        "AND partition_key = %(player)s), (SELECT max(published_at) FROM {} WHERE table_name = ANY (%(tables)s))) "
        "AS timestamp, EXISTS (SELECT FROM {} WHERE {} = %(player)s AND {}) AS is_simulated"
    ).format(
        *(sql.Identifier(game, each.spec.name) for each in (notes_of(game), versions_of(game), matches[0])),
        *(sql.Identifier(matches[0].spec.partitioned_by or ""), sql.SQL(matches[1])),
    )
    published = {"tables": [table.spec.name for table in tables], "player": scope.player}
    [row] = await (await conn.execute(query, published)).fetchall()
    return {"player": scope.player, **row}
