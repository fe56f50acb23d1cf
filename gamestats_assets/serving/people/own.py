"""What is a person's own: questions that are answered of the rows of whoever is signed in, and to nobody else.

Beside `routes`: what answers is a plain function of a connection, of what is asked and of a scope that says whose rows
it may show. PostgreSQL itself shows it no other rows of the guarded tables (`postgres.own_rows`). What somebody does,
rather than asks, goes by `request.state.writing()`, in which PostgreSQL takes the person's own rows alone.

Whoever was let in by another person, as a coach is, may ask about that person's players, too, and change nothing there.
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
"""A parameter of what somebody does."""


class OfPlayer(Parameters):
    """Whom it is about."""

    player: Annotated[
        Name | None,
        Field(
            description="One of your accounts, or one of somebody who lets you see it; without it your account with "
            "the most matches, or where you have none the first that you may see.",
            examples=["steam_76561190000000001"],
        ),
    ] = None


Asked = TypeVar("Asked", bound=OfPlayer)
Maker = Callable[[Connection, Asked, "Scope"], Awaitable[Made]]
"""Answers what is asked."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows an answer may show.

    Attributes:
        user_id: who asks; None for whoever has a link to something that is shared.
        player: whom it is about; None where the person has no account of the game yet, and names none.
        players: the person's own accounts of the game.
        may_see: these, and those of people who let the person see theirs.
    """

    user_id: int | None
    player: str | None = None
    players: tuple[str, ...] = ()
    may_see: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is about the person, and not about somebody who lets the person see."""
        return self.player in self.players

    @property
    def settings(self) -> Mapping[str, str]:
        """Of the transaction in which the answer is made."""
        return own_settings(self.user_id, self.may_see)


async def show_matches(conn: Connection, matches: Sequence[str]) -> None:
    """Have PostgreSQL show all rows of some matches, too, once it is clear that whoever asks may see them."""
    await conn.execute(*setting({"own_match_id": ",".join(matches)}))


Holds = Literal["player", "tables", "never"]
"""While what an answer holds: until rows of the players whom the scope may see change, until any of its tables does, or
never: it is made of what people enter, too, and so made anew each time. Only then can `make` read the schema `ops`."""


class OwnMetadata(BaseModel):
    """About an answer."""

    player: Annotated[str | None, Field(description="Whom it is about.", examples=["steam_76561190000000001"])]
    timestamp: Annotated[
        Any, Field(description="When what it is made of was published last.", examples=["2026-10-03T18:00:00Z"])
    ]
    is_simulated: Annotated[bool, Field(description="Whether it stands on simulated matches.", examples=[False])]


class OwnRouter(APIRouter):
    """Routes that answer questions about whoever is signed in.

    Args:
        game: whose accounts it is about, by its name.
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
        """Has a question answered by the function that is decorated, which stays as it is.

        It is given a connection in one snapshot of PostgreSQL, what is asked (whose annotation says which parameters
        there are) and a scope; an answer without `metadata` is given that, with what else the answer has as `about`.
        Its docstring is the description.

        Args:
            path: below the router's; names in braces are parameters.
            summary: what is answered, in a few words.
            answer: the model of what is answered.
            tables: all published ones that it is made of.
            holds: while what; `player` is for what shows no row of anybody else, not even of the same match.
            needs_player: whether it is about a player; whoever has none is told how to have one.
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
    """A page about oneself: no browser keeps it, but the process while what it is made of stands.

    Args:
        make: gives the values of the template, which has `person`, `scope`, `csrf_token` and `simulated` besides.
        tables: all published ones that it is made of.
        entered: what people entered that it is made of, if it was read before: a page that holds is another one then.
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
        # With what pages are told that they do not ask for, such as what was done.
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
    """A connection in one snapshot in which PostgreSQL shows the rows of a scope, for what no `OwnRouter` answers."""
    pool: AsyncConnectionPool[Connection] = request.state.own_pool
    async with pool.connection() as conn, conn.transaction():
        await conn.execute(*setting(scope.settings))
        yield conn


# --- whom it is about ----------------------------------------------------------------------------


async def scope_of(
    request: Request, person: Person, game: str, player: str | None = None, *, needs_player: bool = True
) -> Scope:
    """Whose rows a person may be shown.

    Args:
        player: whom it is about, if the person says so.

    Raises:
        ProblemError: 404 for a player whose rows are not the person's to see, as if there were none.
    """
    own = person.players.get(game, ())
    may_see = (*own, *(each for each in person.guest_of.get(game, ()) if each not in own))
    if player is not None and player not in may_see:
        raise ProblemError(404, f"You have no account {player}, and nobody lets you see it.")
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
    """Of several accounts the one with the most matches; of none yet the first."""
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
    """What is said of an answer: whom it is about, when that was published last, whether it was simulated."""
    matches = _game(request, game).matches
    # Where anything is published of single players, the notes of what is published are there, too.
    if not tables or matches is None or not await are_published(conn, matches[0]):
        return {"player": scope.player, "timestamp": None, "is_simulated": False}
    # Where partitions are players, when the player's was; else when any of the tables was.
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
