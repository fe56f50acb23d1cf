"""`/invitation`: the page on which a user accepts an invitation to another user's pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.serving.accounts import invitations
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.principal import SignedIn, csrf_token, guards_itself, maybe_signed_in
from gamestats_assets.serving.middleware.site import NO_STORE, SIGN_IN
from gamestats_assets.serving.pages.rendering import Pages
from gamestats_assets.serving.people import routes as linking

router = APIRouter(prefix=linking.INVITATION, include_in_schema=False)


@router.get("", dependencies=[Depends(guards_itself)])
async def invitation_page(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Shows who invites, and a button to accept; visitors sign in first."""
    person = await maybe_signed_in(request)
    if person is None:
        back = f"{linking.INVITATION}?{urlencode({'token': token})}"
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': back})}", 303, NO_STORE)
    by = await run_in_threadpool(_invited_by, request, token)
    game = _game(request, by["game"]) if by else None
    values = {"token": token, "by": by, "game": game.title if game else "", "csrf": csrf_token(request)}
    values["is_own"] = by is not None and by["user_id"] == person.user_id
    pages: Pages = request.state.pages
    return pages.personal(request, "invitation.html", values, status=200 if by else 404)


@router.post("")
def accept(request: Request, person: SignedIn, token: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Accepts, and goes on to the pages of the game."""
    by = _invited_by(request, token)
    linking.accept_invitation(request, person, token)
    game = _game(request, by["game"]) if by else None
    return RedirectResponse((game and game.start) or "/", 303, NO_STORE)


def _invited_by(request: Request, token: str) -> Row | None:
    with request.state.writing() as conn:
        return invitations.invited_by(conn, token)


def _game(request: Request, name: str) -> Game | None:
    games: Sequence[Game] = request.state.games
    return next((each for each in games if each.name == name), None)
