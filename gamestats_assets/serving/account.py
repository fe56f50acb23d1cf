"""`/api/v1/auth`: who is signed in, where, by what; one-time links; signing out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from jinja2 import Template
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gamestats_assets.lakehouse.entry_fields import EntryError
from gamestats_assets.serving import sessions, users
from gamestats_assets.serving.problems import ProblemError
from gamestats_assets.serving.site import Site, own_path
from gamestats_assets.serving.tokens import ACCESS_S, access_token
from gamestats_assets.serving.who import (
    Person,
    asking,
    cookie_name,
    csrf_token,
    maybe_signed_in,
    refuse_other_origins,
    signed_in,
)

router = APIRouter(prefix="/auth", tags=["sign-in"])
NO_STORE = {"Cache-Control": "no-store"}
SignedIn = Annotated[Person, Depends(signed_in)]


def signed_in_at(request: Request, user_id: int, next_path: str) -> Response:
    """Go on to a path with a new session of a user; the session that the browser had is over."""
    site: Site = request.state.site
    with request.state.writing() as conn:
        if before := request.cookies.get(cookie_name(site, request)):
            sessions.end_token(conn, before)
        token = sessions.begin_session(conn, user_id, sessions.device(request.headers.get("user-agent", "")))
    answer = RedirectResponse(own_path(next_path), 303, NO_STORE)
    set_cookie(answer, request, "session", token, sessions.SESSION_DAYS * 86_400)
    return answer


def set_cookie(answer: Response, request: Request, of: str, value: str, seconds: int) -> None:
    """Give a browser a cookie that no script reads and no other site sends with what it writes; 0 seconds take it."""
    site: Site = request.state.site
    name, is_secure = cookie_name(site, request, of), site.is_secure(request)
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=is_secure, httponly=True, samesite="lax")


# --- one-time links ------------------------------------------------------------------------------

_LINK_PAGE = Template(
    """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in to gamestats</title><h1>Sign in to gamestats</h1>
<form method="post"><input type="hidden" name="token" value="{{ token }}">
<input type="hidden" name="next" value="{{ next }}"><p><button>Sign in at this browser</button></p></form>
<p>The link works once, within 15 minutes of when it was made.</p></html>""",
    autoescape=True,
)
_PAGE_HEADERS = {
    **NO_STORE,
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}


@router.get("/link", include_in_schema=False)
def link_page(
    token: Annotated[str, Query(max_length=200)] = "", next: Annotated[str, Query(max_length=2000)] = "/"
) -> Response:
    """A page with a button: what looks at links for people, as mail servers do, uses none up."""
    return HTMLResponse(_LINK_PAGE.render(token=token, next=own_path(next)), 200, _PAGE_HEADERS)


@router.post("/link", include_in_schema=False)
def use_link(
    request: Request,
    token: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Sign in by a link."""
    refuse_other_origins(request)
    with request.state.writing() as conn:
        user_id = sessions.use_link(conn, token)
    if user_id is None:
        detail = "The link was used already, or is older than 15 minutes. `gamestats user link NAME` makes another one."
        raise ProblemError(401, detail)
    return signed_in_at(request, user_id, next)


# --- programs ------------------------------------------------------------------------------------


class TokenAsked(BaseModel):
    """By what tokens are asked for."""

    refresh_token: Annotated[
        str | None, Field(max_length=200, description="The newest one; without it the session of a browser.")
    ] = None


class TokensGiven(BaseModel):
    """Tokens of a program."""

    access_token: Annotated[str, Field(description="Goes into the header `Authorization: Bearer ...`.")]
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: Annotated[int, Field(description="Seconds that the access token is good for.", examples=[900])]
    refresh_token: Annotated[
        str, Field(description="Gets the next tokens, once, within 30 days. Used twice it ends the session.")
    ]


async def _asker(request: Request, asked: TokenAsked | None = None) -> tuple[Person | None, str | None]:
    # Whoever has a refresh token need not be signed in otherwise, or is no more.
    if asked is not None and asked.refresh_token is not None:
        return None, asked.refresh_token
    return await signed_in(await maybe_signed_in(request)), None


@router.post("/token", summary="Let a program in, or go on with one")
def give_tokens(
    request: Request, response: Response, asker: Annotated[tuple[Person | None, str | None], Depends(_asker)]
) -> TokensGiven:
    """Give tokens: to a new program from a browser that is signed in, or to one that has a refresh token."""
    response.headers.update(NO_STORE)
    person, given = asker
    site: Site = request.state.site
    if person is not None and not asking(request).cookie:
        raise ProblemError(403, "A program is let in from a browser that is signed in, not from another program.")
    label = sessions.device(request.headers.get("user-agent", ""))
    with request.state.writing() as conn:
        if person is not None:
            begun = sessions.begin_program(conn, person.user_id, asking(request).session_id or 0, label)
        else:
            begun = sessions.refresh(conn, given or "")
        access = begun and access_token(conn, site.issuer, begun.user_id, begun.session_id)
    if begun is None or access is None:
        raise ProblemError(401, "The refresh token was used already, is older than 30 days, or its session is over.")
    return TokensGiven(access_token=access, expires_in=ACCESS_S, refresh_token=begun.refresh_token)


# --- who is signed in ----------------------------------------------------------------------------


class HeldRole(BaseModel):
    """A role that is held, everywhere or of one season or division."""

    role: Annotated[str, Field(examples=["tournament_admin"])]
    season_id: Annotated[int | None, Field(examples=[None])]
    division_id: Annotated[int | None, Field(examples=[3])]


class Identity(BaseModel):
    """An account to sign in with."""

    identity_id: Annotated[int, Field(examples=[4])]
    issuer: Annotated[str, Field(description="Who vouches for it.", examples=["https://steamcommunity.com/openid"])]
    created_at: Annotated[datetime, Field(examples=["2026-10-03T18:00:00Z"])]


class Me(BaseModel):
    """Who is signed in."""

    user_id: Annotated[int, Field(examples=[1])]
    name: Annotated[str, Field(examples=["kim"])]
    roles: list[HeldRole]
    identities: list[Identity]
    session_id: Annotated[int, Field(description="The session that asks.", examples=[17])]
    csrf_token: Annotated[
        str,
        Field(description="What a browser sends as X-CSRF-Token with writes; empty for programs.", examples=[""]),
    ]


class Session(BaseModel):
    """Where somebody is signed in."""

    session_id: Annotated[int, Field(examples=[17])]
    kind: Literal["browser", "program"]
    device: Annotated[str, Field(examples=["Firefox on Linux"])]
    is_this: Annotated[bool, Field(description="Whether it is the one that asks.", examples=[True])]
    created_at: datetime
    last_seen_at: Annotated[datetime, Field(description="Within some minutes.")]
    expires_at: datetime


class Sessions(BaseModel):
    """Where somebody is signed in, the last seen first."""

    sessions: list[Session]


@router.get("/me", summary="Who is signed in")
def me(request: Request, response: Response, person: SignedIn) -> Me:
    """The person who asks, with roles and the accounts to sign in with."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        identities = users.identities_of(conn, person.user_id)
    return Me(
        user_id=person.user_id,
        name=person.name,
        roles=[
            HeldRole(role=held.role, season_id=held.season_id, division_id=held.division_id) for held in person.roles
        ],
        identities=[Identity(**row) for row in identities],
        session_id=asking(request).session_id or 0,
        csrf_token=csrf_token(request),
    )


class Renamed(BaseModel):
    """Another name."""

    name: Annotated[str, Field(min_length=1, max_length=users.LONGEST_NAME, examples=["kim"])]


@router.patch("/me", summary="Call oneself otherwise", status_code=204)
def rename(request: Request, asked: Renamed, person: SignedIn) -> None:
    """Change the name that others see."""
    with request.state.writing() as conn:
        try:
            users.rename_user(conn, person.user_id, asked.name)
        except EntryError as error:
            raise ProblemError(409, str(error)) from None


@router.get("/sessions", summary="Where one is signed in")
def list_sessions(request: Request, response: Response, person: SignedIn) -> Sessions:
    """The browsers and programs that are signed in."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        found = sessions.sessions_of(conn, person.user_id)
    this = asking(request).session_id
    return Sessions(sessions=[Session(**row, is_this=row["session_id"] == this) for row in found])


@router.delete("/sessions/{session_id}", summary="Sign out somewhere", status_code=204)
def end_session(request: Request, session_id: int, person: SignedIn) -> None:
    """End a session, with the programs that were let in from it."""
    with request.state.writing() as conn:
        if not sessions.end_session(conn, person.user_id, session_id):
            raise ProblemError(404, f"You have no session numbered {session_id}.")


@router.delete("/identities/{identity_id}", summary="Take away an account to sign in with", status_code=204)
def take_identity(request: Request, identity_id: int, person: SignedIn) -> None:
    """Take away an account to sign in with, if there is another one."""
    with request.state.writing() as conn:
        try:
            if not users.take_identity(conn, person.user_id, identity_id):
                raise ProblemError(404, f"You have no account numbered {identity_id} to sign in with.")
        except EntryError as error:
            raise ProblemError(409, str(error)) from None


@router.post("/logout", summary="Sign out", status_code=204)
def logout(request: Request, person: SignedIn) -> Response:
    """End the session that asks, with its tokens and the programs that were let in from it."""
    with request.state.writing() as conn:
        sessions.end_session(conn, person.user_id, asking(request).session_id or 0)
    answer = Response(status_code=204)
    set_cookie(answer, request, "session", "", 0)
    return answer
