"""`/api/v1/replays/{replay}`: sharing a match by a link, and leaving a match."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.lakehouse.postgres.server import has_table
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables import Participants
from gamestats_assets.serving.accounts import invitations
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.answers.lines import Answer
from gamestats_assets.serving.middleware.principal import SignedIn
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.middleware.site import Site
from gamestats_assets.serving.people.jobs import JobAnswer, job_of

_EXAMPLE = {
    "match_id": "4B7D3F0D11F0A1B2C3D4E5F60718293A",
    "address": "https://stats.example.org/rocket-league/shared/aBk3Wf...",
}
SHARED = "/rocket-league/shared"
"""Prefix of shared pages."""
router = APIRouter(prefix="/replays", tags=["replays"], dependencies=[Depends(only_known)])
ReplayId = Annotated[str, Path(max_length=64, description="Id of a match, or of an upload of yours.")]


class Share(BaseModel):
    """A link to a match."""

    match_id: str
    address: Annotated[str, Field(description="Address of the page; everyone with it sees the match.")]


def own_match(conn: psycopg.Connection, replay_id: str) -> str:
    """Returns the match of a replay that the user played or sent.

    Args:
        conn: from `request.state.writing()`: PostgreSQL shows it only the user's rows.

    Raises:
        ProblemError: 404 when it is not a match of the user.
    """
    asked: dict[str, Any] = {"match": replay_id.upper(), "upload": None}
    with suppress(ValueError):
        asked["upload"] = UUID(replay_id)
    matches = ops.rows(
        conn,
        "SELECT match_id FROM ops.rl_uploads "
        "WHERE match_id = %(match)s OR upload_id = %(upload)s AND match_id IS NOT NULL",
        asked,
    )
    if not matches and has_table(conn, GAME, Participants.spec.name):
        played = "SELECT match_id FROM rocket_league.participants WHERE match_id = %(match)s LIMIT 1"
        matches = ops.rows(conn, played, asked)
    if not matches:
        raise ProblemError(404, f"You have no replay {replay_id}.")
    return matches[0]["match_id"]


@router.post(
    "/{replay}/share",
    status_code=201,
    responses={201: {"model": Answer[Share], "content": {"application/json": {"example": {"data": _EXAMPLE}}}}},
    summary="Share a replay",
)
def share_replay(request: Request, person: SignedIn, replay: ReplayId) -> Response:
    """Make the link to a replay's page; it stays the same while the replay is shared."""
    with request.state.writing() as conn:
        match_id = own_match(conn, replay)
        token = invitations.share(conn, person.user_id, GAME, match_id)
    site: Site = request.state.site
    return json_answer({"data": {"match_id": match_id, "address": f"{site.address(request)}{SHARED}/{token}"}}, 201)


@router.delete("/{replay}/share", status_code=204, summary="Stop sharing a replay")
def unshare_replay(request: Request, person: SignedIn, replay: ReplayId) -> None:
    """Disable the link to a replay's page."""
    with request.state.writing() as conn:
        if not invitations.unshare(conn, person.user_id, GAME, own_match(conn, replay)):
            raise ProblemError(404, f"Replay {replay} is not shared.")


_JOB = {
    "job_id": "5a0c7c1e-9f57-4c0c-8d1d-0a4f4e8f1c22",
    "kind": "forget_match",
    "game": GAME,
    "state": "queued",
    "said": "waiting",
    "created_at": "2026-10-03T18:00:00Z",
}


@router.delete(
    "/{replay}",
    status_code=202,
    summary="Leave a match",
    responses={202: {"model": JobAnswer, "content": {"application/json": {"example": {"data": _JOB}}}}},
)
def remove_replay(request: Request, person: SignedIn, replay: ReplayId) -> dict[str, Any]:
    """Remove a match from your pages, and the file if you sent it.

    A match belongs to all who played it: it stays for the others, with a masked player in your place. A job does that
    within a minute; it cannot be undone.
    """
    with request.state.writing() as conn:
        match_id = own_match(conn, replay)
        payload = {"match_id": match_id, "player_ids": [*person.players.get(GAME, ())]}
        job_id = enqueue(conn, "forget_match", GAME, person.user_id, payload)
    return {"data": job_of(request, person, job_id)}
