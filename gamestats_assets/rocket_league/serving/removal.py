"""`DELETE /api/v1/replays/{replay}`: a match in which a person wants to stand no more."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.rocket_league.serving.shares import GAME, ReplayId, own_match
from gamestats_assets.serving.describing import SIGNED_IN
from gamestats_assets.serving.jobs import JobAnswer, job_of
from gamestats_assets.serving.problems import only_known
from gamestats_assets.serving.who import SignedIn

_JOB = {
    "job_id": "5a0c7c1e-9f57-4c0c-8d1d-0a4f4e8f1c22",
    "kind": "forget_match",
    "game": GAME,
    "state": "queued",
    "said": "waiting",
    "created_at": "2026-10-03T18:00:00Z",
}
router = APIRouter(prefix="/replays", tags=["replays"], dependencies=[Depends(only_known)])


@router.delete(
    "/{replay}",
    status_code=202,
    summary="Be taken out of a match",
    responses={202: {"model": JobAnswer, "content": {"application/json": {"example": {"data": _JOB}}}}},
    openapi_extra=SIGNED_IN,
)
def remove_replay(request: Request, person: SignedIn, replay: ReplayId) -> dict[str, Any]:
    """Remove a match from your pages, and the file if you sent it.

    A match is of all who played it: it stays for them, with somebody masked in your place. A job does that, within a
    minute; what it did cannot be taken back.
    """
    with request.state.writing() as conn:
        match_id = own_match(conn, replay)
        payload = {"match_id": match_id, "player_ids": [*person.players.get(GAME, ())]}
        job_id = enqueue(conn, "forget_match", GAME, person.user_id, payload)
    return {"data": job_of(request, person, job_id)}
