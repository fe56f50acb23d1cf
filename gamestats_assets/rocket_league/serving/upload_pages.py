"""Sending replays from the pages, and what becomes of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gamestats_assets.rocket_league.serving.acts import back
from gamestats_assets.rocket_league.serving.pages import GAME, HOME, OfReplays, leading, replay_page
from gamestats_assets.rocket_league.serving.uploads import take_uploads, uploads_of
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.own import OfPlayer, Scope, own_page
from gamestats_assets.serving.problems import ProblemError
from gamestats_assets.serving.who import SignedIn

router = APIRouter(prefix=HOME)
SEND_PATH = f"{HOME}/replays"
"""Where a form sends replays to."""
_SHOWN = 8


@router.get("/uploads")
async def uploads(request: Request, person: SignedIn, done: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """What becomes of the last uploads; a part of other pages, which ask for it again while something is being done.

    Args:
        done: how many of them had ended when it was asked for the last time.
    """

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        found = await uploads_of(conn, scope.user_id, most=_SHOWN)
        ended = sum(each["state"] in ("done", "failed") for each in found)
        in_work = ended < len(found)
        # What has ended is told for as long as anything is being done, and once more.
        listed = found if in_work or done is not None else []
        has_new = done is not None and ended > done
        return {"uploads": listed, "in_work": in_work, "ended": ended, "has_new": has_new, "to": leading(None)}

    template = "rocket_league/uploads.html"
    return await own_page(request, person, GAME, template, OfPlayer(), make, tables=(), holds="never")


@router.post("/replays")
async def send(request: Request, person: SignedIn) -> Response:
    """Send replays from a form; what of it is refused, and why, is told there."""
    try:
        taken = await take_uploads(request, person)
    except ProblemError as wrong:
        if wrong.status not in (413, 422, 429):
            raise
        return await replay_page(request, person, OfReplays(), wrong=wrong.detail)
    if taken.refused:
        return await replay_page(request, person, OfReplays(), refused=taken.refused)
    return back(f"{HOME}/replays", "sent")
