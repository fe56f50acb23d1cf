"""Who may see whose pages: inviting a coach, taking that back, and accepting an invitation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gamestats_assets.rocket_league.serving.acts import NO_STORE, back
from gamestats_assets.rocket_league.serving.pages import GAME, HOME, page
from gamestats_assets.serving import invitations, linking
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.own import OfPlayer, Scope, SignedIn
from gamestats_assets.serving.pages import Pages
from gamestats_assets.serving.problems import ProblemError
from gamestats_assets.serving.routes import ask
from gamestats_assets.serving.site import SIGN_IN
from gamestats_assets.serving.who import Person, asks_itself, csrf_token, maybe_signed_in

COACH = f"{HOME}/coach"
router = APIRouter()
Token = Annotated[str, Query(max_length=200)]


@router.get(COACH)
async def coach(request: Request, person: SignedIn) -> Response:
    """Whom one invited, who accepted, and whose pages one may see."""
    return await _page(request, person, {})


async def _page(request: Request, person: Person, more: Mapping[str, Any]) -> Response:
    listed = await run_in_threadpool(_listed, request, person)

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        mine = [each for each in listed if each["is_mine"]]
        return {
            "invited": mine,
            "let": [each for each in listed if not each["is_mine"]],
            "invitation": None,
            "wrong": None,
            **more,
        }

    asked = ask(OfPlayer, request, only_known=False)
    return await page(
        request, person, "rocket_league/coach.html", asked, make, tables=(), holds="never", needs_player=False
    )


def _listed(request: Request, person: Person) -> list[dict[str, Any]]:
    with request.state.writing() as conn:
        return [each for each in invitations.invitations_of(conn, person.user_id) if each["game"] == GAME]


@router.post(COACH)
async def invite(request: Request, person: SignedIn) -> Response:
    """Make an invitation; its address is shown this once."""
    try:
        made = await run_in_threadpool(linking.invitation_of, request, person, GAME)
    except ProblemError as wrong:
        return await _page(request, person, {"wrong": wrong.detail})
    return await _page(request, person, {"invitation": made})


@router.post(f"{COACH}/{{invitation_id}}/end")
def end(request: Request, person: SignedIn, invitation_id: int) -> Response:
    """Take an invitation back, or leave it."""
    linking.end_invitation(request, person, invitation_id)
    return back(COACH, "ended")


# --------------------------------------------------------------------------- accepting


@router.get(linking.INVITATION, dependencies=[Depends(asks_itself)])
async def invitation(request: Request, token: Token = "") -> Response:
    """Who invites; whoever is not signed in signs in first."""
    if await maybe_signed_in(request) is None:
        here = f"{linking.INVITATION}?{urlencode({'token': token})}"
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': here})}", 303, NO_STORE)
    by = await run_in_threadpool(_invited_by, request, token)
    pages: Pages = request.state.pages
    values = {"by": by, "token": token, "csrf_token": csrf_token(request)}
    return pages.personal(request, "rocket_league/invitation.html", values, status=200 if by else 404)


def _invited_by(request: Request, token: str) -> dict[str, Any] | None:
    with request.state.writing() as conn:
        return invitations.invited_by(conn, token)


@router.post(linking.INVITATION)
def accept(request: Request, person: SignedIn, token: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Accept an invitation."""
    linking.accept_invitation(request, person, token)
    return back(COACH, "accepted")
