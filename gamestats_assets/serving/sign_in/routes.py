"""`/sign-in`: signing in at a browser, with an account elsewhere or by a one-time link.

Signed-in users add further accounts in the same way.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.serving.accounts import players, sessions, users
from gamestats_assets.serving.accounts.sessions import hashed, new_token
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.principal import caller, csrf_token, public, refuse_other_origins
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.middleware.site import ACCOUNT, NO_STORE, SIGN_IN, Site, cookie_name, own_path, set_cookie
from gamestats_assets.serving.pages.rendering import Pages
from gamestats_assets.serving.sign_in.openid_connect import OpenIdConnect
from gamestats_assets.serving.sign_in.providers import Attempt, Identity, Provider, ProviderDownError, SignInError
from gamestats_assets.serving.sign_in.steam import Steam
from gamestats_assets.settings import Settings

_LOG = logging.getLogger("gamestats.serving")
_MINUTES = 10
router = APIRouter(prefix=SIGN_IN, include_in_schema=False, dependencies=[Depends(public)])
Next = Annotated[str, Query(max_length=2000, description="Path to come back to.")]
ProviderName = Annotated[str, Path(description="Name of the provider, such as steam.")]


def providers_of(settings: Settings) -> dict[str, Provider]:
    """Returns the sign-in providers, by name."""
    return {
        each.name: Steam(each.name, each.title or each.name, each.issuer, each.platform)
        if each.client_id is None
        else OpenIdConnect(each, settings.sign_in_secrets.get(each.name))
        for each in settings.sign_in
    }


@router.get("")
def sign_in_page(request: Request, next: Next = "/", out: bool = False) -> Response:
    """Returns the page with all ways to sign in; users who are signed in go on.

    Args:
        out: whether the user has just signed out.
    """
    person = caller(request).person
    if person is None:
        return _page(request, next, is_out=out)
    with request.state.writing() as conn:
        return RedirectResponse(_begins(request, conn, person.user_id, next), 303, NO_STORE)


def _page(request: Request, next_path: str, error: SignInError | None = None, *, is_out: bool = False) -> Response:
    status = 200 if error is None else 503 if isinstance(error, ProviderDownError) else 401
    values = {"providers": _providers(request).values(), "next": _onward(next_path), "problem": error and str(error)}
    values["is_out"] = is_out
    pages: Pages = request.state.pages
    return pages.personal(request, "sign_in.html", values, status=status)


def _onward(path: str) -> str:
    """Returns where to go on to: a path of ours other than the sign-in."""
    return "/" if path.startswith(SIGN_IN) else own_path(path)


def _begins(request: Request, conn: psycopg.Connection, user_id: int, path: str) -> str:
    """Returns where a user goes on to: the requested path, or the user's pages in a game, which say how to begin.

    Admins without a game account get the first page.
    """
    asked = _onward(path)
    games: list[Game] = [game for game in request.state.games if game.accounts is not None]
    if asked != "/" or not games:
        return asked
    [found] = ops.rows(
        conn,
        "SELECT (SELECT array_agg(game) FROM accounts.players WHERE user_id = %(user)s AND state = 'linked') AS plays, "
        "EXISTS (SELECT FROM accounts.roles WHERE user_id = %(user)s AND role IN ('admin', 'tournament_admin')) "
        "AS rules",
        {"user": user_id},
    )
    played = next((game for game in games if game.name in (found["plays"] or ())), None)
    return (played.start if played else None if found["rules"] else games[0].start) or asked


def _signed_in(request: Request, user_id: int, next_path: str) -> Response:
    """Goes on to a path with a new session of a user; the browser's former session ends."""
    with request.state.writing() as conn:
        if before := request.cookies.get(cookie_name(request.state.site, request)):
            sessions.end_token(conn, before)
        token = sessions.begin_session(conn, user_id, sessions.device(request.headers.get("user-agent", "")))
        answer = RedirectResponse(_begins(request, conn, user_id, next_path), 303, NO_STORE)
    set_cookie(answer, request, "session", token, sessions.SESSION_DAYS * 86_400)
    return answer


# --- one-time links ------------------------------------------------------------------------------


@router.get("/link")
def link_page(request: Request, token: Annotated[str, Query(max_length=200)] = "", next: Next = "/") -> Response:
    """Returns a page with a button, so that mail servers that follow links do not use them up."""
    pages: Pages = request.state.pages
    values = {"token": token, "next": _onward(next), "minutes": sessions.LINK_MINUTES}
    return pages.personal(request, "sign_in_link.html", values)


@router.post("/link")
def use_link(
    request: Request, token: Annotated[str, Form(max_length=200)], next: Annotated[str, Form(max_length=2000)] = "/"
) -> Response:
    """Signs in by a link."""
    refuse_other_origins(request)
    with request.state.writing() as conn:
        user_id = sessions.use_link(conn, token)
    if user_id is None:
        detail = "The link was used already, or is older than 15 minutes. `gamestats user link NAME` makes another one."
        raise ProblemError(401, detail)
    return _signed_in(request, user_id, next)


# --- accounts from elsewhere ---------------------------------------------------------------------


@router.get("/with/{provider}")
def start(
    request: Request, provider: ProviderName, next: Next = "/", add: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Sends the browser to a provider.

    Args:
        next: a path of ours to come back to.
        add: the session's token, if the account is to be added to the signed-in user.
    """
    asker, attempt, browser = caller(request), Attempt.begin(), new_token()
    # Without the token, a malicious link could add the browser's account elsewhere to the signed-in user.
    if add and not hmac.compare_digest(add.encode(), csrf_token(request, "add").encode()):
        raise ProblemError(403, "The request lacks the token of this session. Load the page again.")
    user_id = asker.person.user_id if add and asker.person else None
    chosen, site = _provider(request, provider), request.state.site
    try:
        address = chosen.address(attempt, _callback(request, chosen), site.address(request))
    except SignInError as error:
        return _refused(request, chosen, next, user_id, error)
    with request.state.writing() as conn:
        conn.execute(
            "INSERT INTO accounts.sign_in_attempts "
            "(state_hash, browser_hash, provider, nonce, verifier, next_path, user_id, expires_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, now() + make_interval(mins => %s))",
            [
                *(hashed(attempt.state), hashed(browser), chosen.name, attempt.nonce, attempt.verifier),
                *(_onward(next), user_id, _MINUTES),
            ],
        )
    answer = RedirectResponse(address, 303, NO_STORE)
    set_cookie(answer, request, "attempt", browser, _MINUTES * 60)
    return answer


@router.get("/with/{provider}/callback")
def callback(request: Request, provider: ProviderName) -> Response:
    """Accepts the provider's answer, once, from the browser that was sent there."""
    chosen, returned = _provider(request, provider), dict(request.query_params)
    if len(request.query_params.multi_items()) != len(returned):
        raise ProblemError(400, "A parameter is given twice.")
    row = _attempt(request, chosen, returned.get("state", ""))
    if row is None:
        error = "This sign-in was not begun in this browser, is over, or took too long. Sign in again."
        return _page(request, "/", SignInError(error))
    attempt = Attempt(returned["state"], row["nonce"], row["verifier"])
    try:
        vouched = chosen.vouched(attempt, _callback(request, chosen), returned)
        if row["user_id"] is not None:
            return _added(request, row["user_id"], chosen, vouched)
        with request.state.writing() as conn:
            _use_once(conn, vouched)
            user_id = users.user_of_identity(conn, request.state.keys, vouched.issuer, vouched.subject, vouched.name)
            players.link_vouched(conn, request.state.games, user_id, chosen.platform, vouched.subject)
    except SignInError as error:
        return _refused(request, chosen, row["next_path"], row["user_id"], error)
    answer = _signed_in(request, user_id, row["next_path"])
    set_cookie(answer, request, "attempt", "", 0)
    return answer


# --- API -----------------------------------------------------------------------------------------

api = APIRouter(prefix="/auth", tags=["sign-in"], dependencies=[Depends(public)])


class Where(BaseModel):
    """The address at which a browser signs in."""

    address: Annotated[str, Field(description="Address to send the browser to.")]


_WHERE = {"address": "https://stats.example.org/api/v1/auth/steam/start?next=%2F"}


@api.post(
    "/{provider}-login",
    summary="Address of a sign-in, such as /auth/steam-login",
    responses={200: {"content": {"application/json": {"example": _WHERE}}}},
)
def login(request: Request, response: Response, provider: ProviderName, next: Next = "/") -> Where:
    """Get the address at which a browser signs in with a provider; it comes back to `next`."""
    response.headers.update(NO_STORE)
    chosen, site = _provider(request, provider), request.state.site
    query = urlencode({"next": _onward(next)})
    return Where(address=f"{site.address(request)}/api/v1/auth/{chosen.name}/start?{query}")


@api.get("/{provider}/start", summary="Sign in with a provider", status_code=303, response_class=Response)
def begin(request: Request, provider: ProviderName, next: Next = "/") -> Response:
    """Send the browser to a provider, which sends it back."""
    return start(request, provider, next)


@api.get("/{provider}/callback", summary="Come back from a provider", status_code=303, response_class=Response)
def come_back(request: Request, provider: ProviderName) -> Response:
    """Redirect to where the provider's answer is accepted."""
    address = f"{_callback(request, _provider(request, provider))}?{request.url.query}"
    return RedirectResponse(address, 303, NO_STORE)


def _added(request: Request, user_id: int, chosen: Provider, vouched: Identity) -> Response:
    person = caller(request).person
    if person is None or person.user_id != user_id:
        raise ProblemError(403, "The user who began to add this account is no longer signed in here.")
    with request.state.writing() as conn:
        _use_once(conn, vouched)
        is_new = users.add_identity(conn, request.state.keys, user_id, vouched.issuer, vouched.subject)
        players.link_vouched(conn, request.state.games, user_id, chosen.platform, vouched.subject)
    return RedirectResponse(f"{ACCOUNT}?done={'added' if is_new else 'had'}", 303, NO_STORE)


def _refused(request: Request, provider: Provider, next_path: str, user_id: int | None, error: SignInError) -> Response:
    """Says why the sign-in failed, or why the account was not added."""
    _LOG.warning("sign-in failed", extra={"fields": {"provider": provider.name, "reason": error.reason or str(error)}})
    if user_id is None:
        return _page(request, next_path, error)
    raise ProblemError(503 if isinstance(error, ProviderDownError) else 409, str(error))


def _attempt(request: Request, provider: Provider, state: str) -> ops.Row | None:
    """Takes the waiting sign-in of a state, for the browser that began it. It can be taken only once."""
    browser = request.cookies.get(cookie_name(request.state.site, request, "attempt"), "")
    with request.state.writing() as conn:
        found = ops.rows(
            conn,
            "DELETE FROM accounts.sign_in_attempts WHERE state_hash = %s AND browser_hash = %s AND provider = %s "
            "RETURNING *, expires_at > now() AS is_live",
            [hashed(state), hashed(browser), provider.name],
        )
    return found[0] if found and found[0]["is_live"] else None


def _use_once(conn: psycopg.Connection, vouched: Identity) -> None:
    used = "INSERT INTO accounts.used_nonces (issuer, nonce) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING nonce"
    if vouched.once is not None and not ops.rows(conn, used, [vouched.issuer, vouched.once]):
        raise SignInError("This answer of the provider was used before. Sign in again.")


def _providers(request: Request) -> Mapping[str, Provider]:
    return request.state.providers


def _provider(request: Request, name: str) -> Provider:
    known = _providers(request)
    if name not in known:
        raise ProblemError(404, f"There is no sign-in with {name[:40]!r}; there is {', '.join(known) or 'none'}.")
    return known[name]


def _callback(request: Request, provider: Provider) -> str:
    site: Site = request.state.site
    return f"{site.address(request)}{SIGN_IN}/with/{provider.name}/callback"
