"""Users' jobs, requests that take a while, and their progress."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gamestats_assets.lakehouse.entries.ops import Row, rows
from gamestats_assets.serving.middleware.principal import Person, SignedIn
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.middleware.site import NO_STORE

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[Depends(only_known)])
JOBS = "/api/v1/jobs"
JobId = Annotated[UUID, Path(description="Id of the job, from the answer that created it.")]
_MOST = 50


class Job(BaseModel):
    """A job that a user asked for."""

    job_id: UUID
    kind: Annotated[str, Field(description="Kind of job: replay, ballchasing, backfill, export, forget_match, ...")]
    game: str
    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="The current step, in words.")]
    created_at: datetime
    error: Annotated[str | None, Field(description="Why the job failed, in words.")] = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class JobAnswer(BaseModel):
    """The answer."""

    data: Job


class JobList(BaseModel):
    """A user's jobs, the newest first."""

    jobs: list[Job]


class JobsAnswer(BaseModel):
    """The answer."""

    data: JobList


_JOB = {
    "job_id": "0d4c2a86-2d0c-4d6e-9f0e-5f0f0d3a1b7c",
    "kind": "ballchasing",
    "game": "rocket_league",
    "state": "failed",
    "said": "Asking ballchasing",
    "error": "There is no such replay at ballchasing, or it is private.",
    "created_at": "2026-10-03T18:00:00Z",
    "started_at": "2026-10-03T18:00:01Z",
    "finished_at": "2026-10-03T18:00:03Z",
}
# A failed one, because descriptions leave out what is null in an example.


def _shown(model: type[BaseModel], data: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "content": {"application/json": {"example": {"data": data}}}}}


@router.get("", summary="Your jobs", responses=_shown(JobsAnswer, {"jobs": [_JOB]}))
def own_jobs(request: Request, response: Response, person: SignedIn) -> dict[str, Any]:
    """Your last 50 jobs, the newest first."""
    response.headers.update(NO_STORE)
    return {"data": {"jobs": _jobs(request, person.user_id)}}


@router.get("/{job_id}", summary="Progress of a job", responses=_shown(JobAnswer, _JOB))
def own_job(request: Request, response: Response, person: SignedIn, job_id: JobId) -> dict[str, Any]:
    """State and progress of one of your jobs."""
    response.headers.update(NO_STORE)
    return {"data": job_of(request, person, job_id)}


def job_of(request: Request, person: Person, job_id: UUID) -> Row:
    """Returns a job of a person, as the API shows it.

    Raises:
        ProblemError: 404 if the person has no job of that id.
    """
    found = _jobs(request, person.user_id, job_id)
    if not found:
        raise ProblemError(404, f"You have no job with the id {job_id}.")
    return found[0]


def _jobs(request: Request, user_id: int, job_id: UUID | None = None) -> list[Row]:
    with request.state.writing() as conn:
        return rows(
            conn,
            "SELECT job_id, kind, game, state, said, error, created_at, started_at, finished_at FROM ops.jobs "
            "WHERE user_id = %(user_id)s AND (%(job_id)s::uuid IS NULL OR job_id = %(job_id)s) "
            "ORDER BY job_number DESC LIMIT %(most)s",
            {"user_id": user_id, "job_id": job_id, "most": _MOST},
        )
