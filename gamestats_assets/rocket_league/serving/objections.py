"""People who never signed in and do not want to be in the data: they say so, and an admin decides."""

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
from gamestats_assets.rocket_league.identities import PlayerIdError, parse_player_id
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
ObjectionId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the objection, as it is listed.")]
LONGEST_REASON, LONGEST_CONTACT = 2000, 255
NOTHING_TO_TRY = "There is no such removal that failed, or after which something was found still."


class Objection(BaseModel):
    """Somebody who does not want to be in the data."""

    model_config = ConfigDict(extra="forbid")
    player: Annotated[
        str,
        Field(min_length=1, max_length=100, description="Platform and account.", examples=["steam:76561190000000001"]),
    ]
    reason: Annotated[
        str, Field(min_length=1, max_length=LONGEST_REASON, description="Why, and by what we see that it is yours.")
    ]
    contact: Annotated[
        str | None, Field(max_length=LONGEST_CONTACT, description="Where you can be answered; kept encrypted.")
    ] = None


class Received(BaseModel):
    """That it was received."""

    objection_id: Annotated[int, Field(description="Its number, if you ask about it.", examples=[12])]


@router.post("/objections", status_code=201, summary="Object", responses={201: {"model": Answer[Received]}})
def post_objection(request: Request, given: Objection) -> Response:
    """Ask for a player to be removed without having an account here. An administrator decides."""
    refuse_other_origins(request)
    with request.state.writing() as conn:
        number = object_to(conn, request.state.keys, given)
    return json_answer({"data": {"objection_id": number}}, 201)


def checked(texts: Mapping[str, str]) -> Objection:
    """An objection as somebody filled in a form.

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
        raise ProblemError(422, "Something is missing, or too long.", errors=errors) from None


def object_to(conn: psycopg.Connection, keys: Keys, given: Objection) -> int:
    """Take an objection; its number.

    Raises:
        ProblemError: 422 when that is no player, or nothing is said.
    """
    try:
        player_id = parse_player_id(given.player)
    except PlayerIdError as error:
        raise ProblemError(422, str(error), errors=[{"name": "player", "message": str(error)}]) from None
    reason, contact = given.reason.strip(), (given.contact or "").strip()
    if not reason:
        message = "Say by what we see that it is you."
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
    player_id: Annotated[str | None, Field(description="Whom it is about; null once that was granted.")]
    user: Annotated[str | None, Field(description="Whose player that is here, if anybody's.")]
    reason: str | None
    contact: Annotated[str | None, Field(description="Where the person can be answered.")]
    note: str | None
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None


class Removal(BaseModel):
    """How far it is to remove somebody, who left or whose objection was granted."""

    job_id: UUID
    kind: Literal["erasure", "objection"]
    objection_id: Annotated[int | None, Field(description="Whose number it is, of an objection.")]
    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="What is going on, in words; or why it failed.")]
    step: Annotated[int | None, Field(description="Which step is being done.")]
    steps: Annotated[int | None, Field(description="How many there are.")]
    left: Annotated[
        dict[str, int] | None, Field(description="By store, in how many places something was found still; once done.")
    ]
    can_be_tried_again: Annotated[bool, Field(description="Whether it failed, or something was found still.")]
    created_at: datetime
    finished_at: datetime | None


class ObjectionList(BaseModel):
    """What there is for an admin to do."""

    objections: Annotated[list[ObjectionState], Field(description="Open ones first, then the last decided.")]
    removals: Annotated[list[Removal], Field(description="The last ones, and all that are not done.")]


class ObjectionDecision(BaseModel):
    """What is remembered of a decision."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[
        str | None,
        Field(
            max_length=2000,
            description="Not who it is about: that is not to stay.",
            examples=["The channel that was named shows the account."],
        ),
    ] = None


@admin_router.get("/objections", summary="Objections", responses={200: {"model": Answer[ObjectionList]}})
def get_objections(request: Request, person: Admin) -> Response:
    """Who does not want to be in the data, and how far removals are."""
    with request.state.writing(sees_all=True) as conn:
        found = objections_of(conn, request.state.keys)
    return json_answer({"data": found})


_MAY_BE_TRIED = sql.SQL(
    "(payload ? 'sealed' AND (state = 'failed' OR state = 'done' AND coalesce(result -> 'left', '{}') <> '{}'))"
)
"""Of a removal: whether it did not do what it should, and whom it is about is known still."""
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
    """What there is for an admin to do: `objections` and `removals`."""
    found = rows(
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
    for row in found:
        row["contact"] = _readable(keys, row.pop("contact_encrypted"))
    return {"objections": found, "removals": rows(conn, _REMOVALS)}


def _readable(keys: Keys, token: str | None) -> str | None:
    try:
        return keys.decrypt(token) if token else None
    except EncryptionKeyError:
        return "not readable any more"


@admin_router.post("/objections/{objection_id}/grant", status_code=204, summary="Grant an objection")
def grant(request: Request, person: Admin, objection_id: ObjectionId, given: ObjectionDecision | None = None) -> None:
    """Have the player forgotten, for good: matches stay masked. Who it is about is not told here any longer."""
    with request.state.writing(sees_all=True) as conn:
        decide(conn, request.state.keys, person, objection_id, is_granted=True, note=given and given.note)


@admin_router.post("/objections/{objection_id}/refuse", status_code=204, summary="Refuse an objection")
def refuse(request: Request, person: Admin, objection_id: ObjectionId, given: ObjectionDecision | None = None) -> None:
    """Leave everything as it is."""
    with request.state.writing(sees_all=True) as conn:
        decide(conn, request.state.keys, person, objection_id, is_granted=False, note=given and given.note)


def decide(
    conn: psycopg.Connection, keys: Keys, person: Person, objection_id: int, *, is_granted: bool, note: str | None
) -> None:
    """Decide an objection.

    Raises:
        ProblemError: 404 when no such one is open.
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
    """Have a removal tried again that failed, or after which something was found still."""
    with request.state.writing(sees_all=True) as conn:
        try_again(conn, person, job_id)


def try_again(conn: psycopg.Connection, person: Person, job_id: UUID) -> None:
    """Have a removal tried again that failed, or after which something was found still.

    Raises:
        ProblemError: 404 when there is no such one.
    """
    done = rows(conn, _TRY_AGAIN, [job_id])
    if not done:
        raise ProblemError(404, NOTHING_TO_TRY)
    audit(conn, person, f"{done[0]['kind']}.again", f"job {job_id}")
    conn.execute("SELECT pg_notify('gamestats_jobs', %s)", [done[0]["kind"]])
