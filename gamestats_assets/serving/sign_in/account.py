"""`/api/v1/auth`: the signed-in user, sessions and sign-in accounts; tokens of programs; signing out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import psycopg
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gamestats_assets.serving.accounts import sessions, users
from gamestats_assets.serving.accounts.tokens import ACCESS_S, access_token
from gamestats_assets.serving.middleware.principal import (
    Person,
    SignedIn,
    caller,
    csrf_token,
    guards_itself,
    maybe_signed_in,
    signed_in,
)
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.middleware.site import NO_STORE, Site, set_cookie

router = APIRouter(prefix="/auth", tags=["sign-in"], dependencies=[Depends(only_known)])
SessionId = Annotated[int, Path(description="Number of the session, from the list.")]
IdentityId = Annotated[int, Path(description="Number of the sign-in account, from `/auth/me`.")]


# --- programs ------------------------------------------------------------------------------------


class TokenAsked(BaseModel):
    """A request for tokens."""

    refresh_token: Annotated[
        str | None,
        Field(max_length=200, description="The newest refresh token; not needed in a browser."),
    ] = None
    name: Annotated[
        str, Field(max_length=200, description="Name of a new program in the list of sessions.", examples=["bot"])
    ] = ""


class TokensGiven(BaseModel):
    """Tokens of a program."""

    access_token: Annotated[str, Field(description="Send it in the header `Authorization: Bearer ...`.")]
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.", examples=[900])]
    refresh_token: Annotated[
        str, Field(description="Gets the next tokens, once, within 30 days. A second use ends the session.")
    ]


async def _asker(request: Request, asked: TokenAsked | None = None) -> Person | None:
    # A refresh token suffices: the user need not be signed in otherwise.
    if asked is not None and asked.refresh_token is not None:
        return None
    return await signed_in(await maybe_signed_in(request))


@router.post("/token", summary="Sign a program in, or refresh its tokens", dependencies=[Depends(guards_itself)])
def give_tokens(
    request: Request,
    response: Response,
    asker: Annotated[Person | None, Depends(_asker)],
    asked: TokenAsked | None = None,
) -> TokensGiven:
    """Get tokens for a new program, from a signed-in browser, or the next ones for a program with a refresh token."""
    response.headers.update(NO_STORE)
    if asker is not None:
        return let_in(request, asker, asked.name if asked else "")
    with request.state.writing() as conn:
        went_on = sessions.refresh(conn, (asked and asked.refresh_token) or "")
        # Committed even if it fails: a token that is used twice ends its session.
        given = went_on and _given(request, conn, went_on)
    if given is None:
        raise ProblemError(401, "The refresh token was used already, is older than 30 days, or its session is over.")
    return given


class RefreshAsked(BaseModel):
    """A program's refresh token."""

    refresh_token: Annotated[str, Field(max_length=200, description="The newest one.")]


_REFRESHED = {"access_token": "eyJhbGciOiJFZERTQSJ9...", "token_type": "Bearer", "expires_in": ACCESS_S}
_TOKEN = {"refresh_token": "b5M0d2..."}


@router.post(
    "/refresh",
    summary="Refresh a program's tokens",
    dependencies=[Depends(guards_itself)],
    responses={200: {"content": {"application/json": {"example": _REFRESHED | _TOKEN}}}},
    openapi_extra={"requestBody": {"content": {"application/json": {"example": _TOKEN}}}},
)
def refresh_tokens(request: Request, response: Response, asked: RefreshAsked) -> TokensGiven:
    """Get a program's next tokens by its refresh token, as `/auth/token` does."""
    return give_tokens(request, response, None, TokenAsked(refresh_token=asked.refresh_token))


def let_in(request: Request, person: Person, name: str) -> TokensGiven:
    """Signs a program in from a browser.

    Args:
        name: its name in the list of sessions; by default that of the browser.

    Raises:
        ProblemError: 403 if a program asks.
    """
    if not caller(request).cookie:
        raise ProblemError(403, "Sign a program in from a signed-in browser, not from another program.")
    called = "".join(filter(str.isprintable, name)).strip()[: users.LONGEST_NAME]
    with request.state.writing() as conn:
        label = called or sessions.device(request.headers.get("user-agent", ""))
        return _given(
            request, conn, sessions.begin_program(conn, person.user_id, caller(request).session_id or 0, label)
        )


def _given(request: Request, conn: psycopg.Connection, of: sessions.Refreshed) -> TokensGiven:
    site: Site = request.state.site
    access = access_token(conn, request.state.keys, site.issuer, of.user_id, of.session_id)
    return TokensGiven(access_token=access, expires_in=ACCESS_S, refresh_token=of.refresh_token)


# --- who is signed in ----------------------------------------------------------------------------


class HeldRole(BaseModel):
    """A role of the user, everywhere or in one season or division."""

    role: Annotated[str, Field(examples=["tournament_admin"])]
    season_id: Annotated[int | None, Field(examples=[None])]
    division_id: Annotated[int | None, Field(examples=[3])]


class Identity(BaseModel):
    """A sign-in account."""

    identity_id: Annotated[int, Field(examples=[4])]
    issuer: Annotated[
        str, Field(description="The provider that vouches for it.", examples=["https://steamcommunity.com/openid"])
    ]
    subject: Annotated[str, Field(description="Its id there.", examples=["76561197960287930"])]
    created_at: Annotated[datetime, Field(examples=["2026-10-03T18:00:00Z"])]


class LinkedPlayer(BaseModel):
    """An account of a game that is linked to the user."""

    game: Annotated[str, Field(examples=["rocket_league"])]
    player_id: Annotated[str, Field(examples=["steam_76561190000000001"])]


class Me(BaseModel):
    """The signed-in user."""

    user_id: Annotated[int, Field(examples=[1])]
    name: Annotated[str, Field(examples=["kim"])]
    roles: Annotated[list[HeldRole], Field(description="Roles besides `user`, which everyone has.")]
    identities: list[Identity]
    players: Annotated[list[LinkedPlayer], Field(description="Accounts of games that are linked to the user.")]
    session_id: Annotated[int, Field(description="The session of this request.", examples=[17])]
    csrf_token: Annotated[
        str, Field(description="Browsers send it as X-CSRF-Token with writes; empty for programs.", examples=[""])
    ]


class Session(BaseModel):
    """A browser or program that is signed in."""

    session_id: Annotated[int, Field(examples=[17])]
    kind: Literal["browser", "program"]
    device: Annotated[str, Field(examples=["Firefox on Linux"])]
    is_this: Annotated[bool, Field(description="Whether it is the session of this request.", examples=[True])]
    created_at: datetime
    last_seen_at: Annotated[datetime, Field(description="Within some minutes.")]
    expires_at: datetime


class Sessions(BaseModel):
    """A user's sessions, the last seen first."""

    sessions: list[Session]


@router.get("/me", summary="Who is signed in")
def me(request: Request, response: Response, person: SignedIn) -> Me:
    """The signed-in user, with roles and sign-in accounts."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        identities = users.identities_of(conn, request.state.keys, person.user_id)
    return Me(
        user_id=person.user_id,
        name=person.name,
        roles=[
            HeldRole(role=held.role, season_id=held.season_id, division_id=held.division_id) for held in person.roles
        ],
        identities=[Identity(**row) for row in identities],
        players=[LinkedPlayer(game=game, player_id=player) for game, of in person.players.items() for player in of],
        session_id=caller(request).session_id or 0,
        csrf_token=csrf_token(request),
    )


class Renamed(BaseModel):
    """Another name."""

    name: Annotated[str, Field(min_length=1, max_length=users.LONGEST_NAME, examples=["kim"])]


@router.patch("/me", summary="Call oneself otherwise", status_code=204)
def rename(request: Request, asked: Renamed, person: SignedIn) -> None:
    """Change the name that others see."""
    with request.state.writing() as conn:
        users.rename_user(conn, person.user_id, asked.name)


@router.get("/sessions", summary="Your sessions")
def list_sessions(request: Request, response: Response, person: SignedIn) -> Sessions:
    """Browsers and programs that are signed in as you."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        found = sessions.sessions_of(conn, person.user_id)
    this = caller(request).session_id
    return Sessions(sessions=[Session(**row, is_this=row["session_id"] == this) for row in found])


@router.delete("/sessions/{session_id}", summary="Sign out somewhere", status_code=204)
def end_session(request: Request, session_id: SessionId, person: SignedIn) -> None:
    """End a session, and those of the programs that were signed in from it."""
    with request.state.writing() as conn:
        if not sessions.end_session(conn, person.user_id, session_id):
            raise ProblemError(404, f"You have no session numbered {session_id}.")


@router.delete("/identities/{identity_id}", summary="Remove a sign-in account", status_code=204)
def take_identity(request: Request, identity_id: IdentityId, person: SignedIn) -> None:
    """Remove a sign-in account, unless it is the only one."""
    with request.state.writing() as conn:
        if not users.take_identity(conn, person.user_id, identity_id):
            raise ProblemError(404, f"You have no sign-in account numbered {identity_id}.")


@router.post("/logout", summary="Sign out", status_code=204)
def logout(request: Request, person: SignedIn) -> Response:
    """End this session, with its tokens and the programs that were signed in from it."""
    with request.state.writing() as conn:
        sessions.end_session(conn, person.user_id, caller(request).session_id or 0)
    answer = Response(status_code=204)
    set_cookie(answer, request, "session", "", 0)
    return answer
