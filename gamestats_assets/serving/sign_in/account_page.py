"""`/account`: the user's name, sign-in accounts, sessions and programs, and signing out.

It works without JavaScript: each form leads back to the page, which says what was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gamestats_assets.serving.accounts import sessions, users
from gamestats_assets.serving.middleware.principal import (
    Person,
    SignedIn,
    caller,
    csrf_token,
    guards_itself,
    maybe_signed_in,
)
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.middleware.site import ACCOUNT, NO_STORE, SIGN_IN, Site, own_path, set_cookie
from gamestats_assets.serving.pages.rendering import Pages
from gamestats_assets.serving.sign_in import account
from gamestats_assets.serving.sign_in.account import TokensGiven
from gamestats_assets.serving.sign_in.providers import Provider

router = APIRouter(prefix=ACCOUNT, include_in_schema=False)
_DONE = ("added", "ended", "had", "renamed", "taken")
Text = Annotated[str, Form(max_length=200)]
NextPath = Annotated[str, Form(max_length=2000)]


@router.get("", dependencies=[Depends(guards_itself)])
async def account_page(request: Request, done: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Returns the page; visitors sign in first."""
    person = await maybe_signed_in(request)
    if person is None:
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': ACCOUNT})}", 303, NO_STORE)
    return await run_in_threadpool(_page, request, person, done=done if done in _DONE else "")


def _page(
    request: Request,
    person: Person,
    *,
    done: str = "",
    tokens: TokensGiven | None = None,
    problem: ProblemError | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    site: Site = request.state.site
    providers: Mapping[str, Provider] = request.state.providers
    with request.state.writing() as conn:
        values: dict[str, Any] = {
            "roles": users.find_user(conn, person.name)["roles"],
            "identities": users.identities_of(conn, request.state.keys, person.user_id),
            "sessions": sessions.sessions_of(conn, person.user_id),
        }
    values |= {"person": person, "providers": providers.values(), "this": caller(request)}
    values |= {"titles": {each.issuer: each.title for each in providers.values()}, "address": site.address(request)}
    values |= {"csrf": csrf_token(request), "add": csrf_token(request, "add")}
    values |= {"done": done, "tokens": tokens, "problem": problem and problem.detail, "errors": errors or {}}
    pages: Pages = request.state.pages
    return pages.personal(request, "account.html", values, status=problem.status if problem else 200)


def _done(what: str) -> Response:
    return RedirectResponse(f"{ACCOUNT}?done={what}", 303, NO_STORE)


@router.post("/name")
def rename(request: Request, person: SignedIn, name: Text = "") -> Response:
    """Call oneself otherwise."""
    try:
        account.rename(request, account.Renamed.model_construct(name=name), person)
    except ProblemError as error:
        return _page(request, person, problem=error, errors={"name": error.detail})
    return _done("renamed")


@router.post("/sessions/{session_id}")
def end_session(request: Request, person: SignedIn, session_id: int) -> Response:
    """Ends a session; ending this one signs out."""
    if session_id == caller(request).session_id:
        return sign_out(request, person)
    account.end_session(request, session_id, person)
    return _done("ended")


@router.post("/identities/{identity_id}")
def take_identity(request: Request, person: SignedIn, identity_id: int) -> Response:
    """Removes a sign-in account."""
    try:
        account.take_identity(request, identity_id, person)
    except ProblemError as error:
        return _page(request, person, problem=error)
    return _done("taken")


@router.post("/programs")
def let_in(request: Request, person: SignedIn, program: Text = "") -> Response:
    """Signs a program in; its tokens are shown once."""
    return _page(request, person, tokens=account.let_in(request, person, program))


@router.post("/sign-out")
def sign_out(request: Request, person: SignedIn, next: NextPath = "/") -> Response:
    """Ends the session of this browser, and those of programs signed in from it.

    Args:
        next: the page to show after signing in again.
    """
    account.logout(request, person)
    onward = {"next": own_path(next)} if next != "/" else {}
    answer = RedirectResponse(f"{SIGN_IN}?{urlencode({'out': 'true', **onward})}", 303, NO_STORE)
    set_cookie(answer, request, "session", "", 0)
    return answer
