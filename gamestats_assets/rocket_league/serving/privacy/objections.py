"""Objections of people who never signed in and do not want to be in the data; an admin decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Path, Request
from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from gamestats_assets.lakehouse.entries.encryption import EncryptionKeyError, Keys
from gamestats_assets.lakehouse.entries.ops import insert, rows
from gamestats_assets.rocket_league.players.identities import PlayerIdError, parse_player_id
from gamestats_assets.rocket_league.privacy.leaving import grant_objection, refuse_objection
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.serving.accounts.audit import audit
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.answers.lines import Answer
from gamestats_assets.serving.middleware.principal import Person, public, refuse_other_origins, requires
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.people.jobs import JobId

router = APIRouter(tags=["privacy"], dependencies=[Depends(public), Depends(only_known)])
admin_router = APIRouter(prefix="/admin", tags=["admins"], dependencies=[Depends(only_known)])
Admin = Annotated[Person, Depends(requires("admin"))]
ObjectionId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the objection in the list.")]
LONGEST_REASON, LONGEST_CONTACT = 2000, 255
NOTHING_TO_TRY = "There is no such removal that failed or left traces."


class Objection(BaseModel):
    """The objection of a person who does not want to be in the data."""

    model_config = ConfigDict(extra="forbid")
    player: Annotated[
        str,
        Field(min_length=1, max_length=100, description="Platform and account.", examples=["steam:76561190000000001"]),
    ]
    reason: Annotated[
        str, Field(min_length=1, max_length=LONGEST_REASON, description="Reason, and how we can verify the account.")
    ]
    contact: Annotated[
        str | None, Field(max_length=LONGEST_CONTACT, description="Reply address; stored encrypted.")
    ] = None


class Received(BaseModel):
    """Confirmation of an objection."""

    objection_id: Annotated[int, Field(description="Number, for questions about it.", examples=[12])]


@router.post("/objections", status_code=201, summary="Object", responses={201: {"model": Answer[Received]}})
def post_objection(request: Request, given: Objection) -> Response:
    """Request the removal of a player without having an account here. An administrator decides."""
    refuse_other_origins(request)
    with request.state.writing() as conn:
        number = object_to(conn, request.state.keys, given)
    return json_answer({"data": {"objection_id": number}}, 201)


def checked(texts: Mapping[str, str]) -> Objection:
    """Returns an objection from the fields of a form.

    Raises:
        ProblemError: 422 when something is missing or too long.
    """
    try:
        return Objection(player=texts["player"], reason=texts["reason"], contact=texts["contact"] or None)
    except ValidationError as error:
        longest = {"player": 100, "reason": LONGEST_REASON, "contact": LONGEST_CONTACT}
        wrong = [str(each["loc"][0]) for each in error.errors()]
        errors = [
            {"name": name, "message": f"Write 1 to {longest[name]} characters." if texts[name] else "Fill this in."}
            for name in wrong
        ]
        raise ProblemError(422, "A field is missing or too long.", errors=errors) from None


def object_to(conn: psycopg.Connection, keys: Keys, given: Objection) -> int:
    """Store an objection; returns its number.

    Raises:
        ProblemError: 422 when the player is invalid or there is no reason.
    """
    try:
        player_id = parse_player_id(given.player)
    except PlayerIdError as error:
        raise ProblemError(422, str(error), errors=[{"name": "player", "message": str(error)}]) from None
    reason, contact = given.reason.strip(), (given.contact or "").strip()
    if not reason:
        message = "Say how we can verify that it is you."
        raise ProblemError(422, message, errors=[{"name": "reason", "message": message}])
    values = {"player_id": player_id, "reason": reason}
    if contact:
        values["contact_encrypted"] = keys.encrypt(contact)
    return insert(conn, "rl_objections", values)["objection_id"]


# --- admins --------------------------------------------------------------------------------------


class ObjectionState(BaseModel):
    """An objection."""

    objection_id: int
    state: Literal["open", "granted", "refused"]
    player_id: Annotated[str | None, Field(description="Player to be removed; null once granted.")]
    user: Annotated[str | None, Field(description="User to whom the player is linked, if any.")]
    reason: str | None
    contact: Annotated[str | None, Field(description="Reply address.")]
    note: str | None
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None


class Removal(BaseModel):
    """Progress of removing a person who left or whose objection was granted."""

    job_id: UUID
    kind: Literal["erasure", "objection"]
    objection_id: Annotated[int | None, Field(description="Number of the objection, if there is one.")]
    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="Progress, or why it failed, in words.")]
    step: Annotated[int | None, Field(description="Number of the current step.")]
    steps: Annotated[int | None, Field(description="Number of steps.")]
    left: Annotated[dict[str, int] | None, Field(description="Number of remaining traces by store; null until done.")]
    can_be_tried_again: Annotated[bool, Field(description="Whether it failed or left traces.")]
    created_at: datetime
    finished_at: datetime | None


class ObjectionList(BaseModel):
    """Open work of admins."""

    objections: Annotated[list[ObjectionState], Field(description="Open ones first, then the last decided.")]
    removals: Annotated[list[Removal], Field(description="The last ones, and all unfinished ones.")]


class ObjectionDecision(BaseModel):
    """The stored part of a decision."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[
        str | None,
        Field(
            max_length=2000,
            description="Must not identify the person, whose data are removed.",
            examples=["The channel that was named shows the account."],
        ),
    ] = None


@admin_router.get("/objections", summary="Objections", responses={200: {"model": Answer[ObjectionList]}})
def get_objections(request: Request, person: Admin) -> Response:
    """Objections, and the progress of removals."""
    with request.state.writing(sees_all=True) as conn:
        work = objections_of(conn, request.state.keys)
    return json_answer({"data": work})


_MAY_BE_TRIED = sql.SQL(
    "(payload ? 'sealed' AND (state = 'failed' OR state = 'done' AND coalesce(result -> 'left', '{}') <> '{}'))"
)
"""Condition: the removal failed or left traces, and the job still identifies the person."""
_REMOVALS = sql.SQL("""
    SELECT job_id, kind, (payload -> 'objection_id')::bigint AS objection_id, state, coalesce(error, said) AS said,
        (result -> 'step')::int AS step, (result -> 'steps')::int AS steps, result -> 'left' AS left,
        {may_be_tried} AS can_be_tried_again, created_at, finished_at
    FROM ops.jobs WHERE kind IN ('erasure', 'objection')
    ORDER BY finished_at IS NOT NULL, NOT {may_be_tried}, job_number DESC LIMIT 200
""").format(may_be_tried=_MAY_BE_TRIED)
_TRY_AGAIN = sql.SQL("""
    UPDATE ops.jobs SET state = 'queued', attempts = 0, said = 'waiting', error = NULL, finished_at = NULL,
        result = result - ARRAY['left', 'step', 'steps']
    WHERE job_id = %s AND kind IN ('erasure', 'objection') AND {may_be_tried} RETURNING kind
""").format(may_be_tried=_MAY_BE_TRIED)


def objections_of(conn: psycopg.Connection, keys: Keys) -> dict[str, list[dict[str, Any]]]:
    """Returns the open work of admins: `objections` and `removals`."""
    objections = rows(
        conn,
        """
        SELECT objection_id, o.state, o.player_id, u.name AS user, reason, contact_encrypted, note, o.created_at,
            o.decided_at, decided_by
        FROM ops.rl_objections o
        LEFT JOIN accounts.players p ON p.game = %s AND p.player_id = o.player_id AND p.state = 'linked'
        LEFT JOIN accounts.users u USING (user_id)
        ORDER BY o.state <> 'open', o.decided_at DESC NULLS LAST, objection_id LIMIT 200
        """,
        [GAME],
    )
    for row in objections:
        row["contact"] = _readable(keys, row.pop("contact_encrypted"))
    return {"objections": objections, "removals": rows(conn, _REMOVALS)}


def _readable(keys: Keys, token: str | None) -> str | None:
    try:
        return keys.decrypt(token) if token else None
    except EncryptionKeyError:
        return "no longer readable"


@admin_router.post("/objections/{objection_id}/grant", status_code=204, summary="Grant an objection")
def grant(request: Request, person: Admin, objection_id: ObjectionId, given: ObjectionDecision | None = None) -> None:
    """Forget the player for good: matches stay masked. The objection no longer shows whom it was about."""
    with request.state.writing(sees_all=True) as conn:
        decide(conn, request.state.keys, person, objection_id, is_granted=True, note=given and given.note)


@admin_router.post("/objections/{objection_id}/refuse", status_code=204, summary="Refuse an objection")
def refuse(request: Request, person: Admin, objection_id: ObjectionId, given: ObjectionDecision | None = None) -> None:
    """Refuse, without changing any data."""
    with request.state.writing(sees_all=True) as conn:
        decide(conn, request.state.keys, person, objection_id, is_granted=False, note=given and given.note)


def decide(
    conn: psycopg.Connection, keys: Keys, person: Person, objection_id: int, *, is_granted: bool, note: str | None
) -> None:
    """Decide an objection.

    Raises:
        ProblemError: 404 when the objection does not exist or is not open.
    """
    note = (note or "").strip() or None
    try:
        if is_granted:
            grant_objection(conn, keys, person, objection_id, note)
        else:
            refuse_objection(conn, person, objection_id, note)
    except LookupError:
        raise ProblemError(404, f"No objection numbered {objection_id} is open.") from None


@admin_router.post("/removals/{job_id}/again", status_code=204, summary="Try a removal again")
def again(request: Request, person: Admin, job_id: JobId) -> None:
    """Repeat a removal that failed or left traces."""
    with request.state.writing(sees_all=True) as conn:
        try_again(conn, person, job_id)


def try_again(conn: psycopg.Connection, person: Person, job_id: UUID) -> None:
    """Enqueue a removal that failed or left traces again.

    Raises:
        ProblemError: 404 when there is none.
    """
    done = rows(conn, _TRY_AGAIN, [job_id])
    if not done:
        raise ProblemError(404, NOTHING_TO_TRY)
    audit(conn, person, f"{done[0]['kind']}.again", f"job {job_id}")
    conn.execute("SELECT pg_notify('gamestats_jobs', %s)", [done[0]["kind"]])
