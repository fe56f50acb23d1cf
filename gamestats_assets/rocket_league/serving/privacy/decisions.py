"""People's decisions about their data: consents, an archive, removal.

The routes call functions of a connection, which the pages use as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from gamestats_assets.lakehouse.entries.declared import Entered
from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.lakehouse.entries.ops import Row, rows
from gamestats_assets.lakehouse.files.objects import MissingObjectError, Objects
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.rocket_league.players.entered import PLAYER, Custody
from gamestats_assets.rocket_league.privacy.consents import PURPOSES, consent_texts, newest_text
from gamestats_assets.rocket_league.privacy.leaving import leave
from gamestats_assets.rocket_league.privacy.people_objects import archive_object
from gamestats_assets.rocket_league.privacy.tombstones import any_buried, unbury
from gamestats_assets.rocket_league.serving.context import OwnAccount
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.serving.accounts import sessions
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.answers.lines import Answer
from gamestats_assets.serving.middleware.principal import Person, SignedIn, caller, public
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.middleware.site import NO_STORE, set_cookie
from gamestats_assets.serving.people.jobs import JobId
from gamestats_assets.settings import Settings

router = APIRouter(prefix="/users", tags=["privacy"], dependencies=[Depends(only_known)])
status_router = APIRouter(prefix="/erasures", tags=["privacy"], dependencies=[Depends(public)])
ERASURES = "/api/v1/erasures"
WITHDRAWAL = "withdrawal"
"""Kind of the jobs that rebuild tables after a withdrawal."""
Visibility = Literal["public", "unlisted", "private"]
_Given = Annotated[bool | None, Field(description="Whether it is allowed; unchanged if left out.")]


# --- consents ------------------------------------------------------------------------------------


class Text(BaseModel):
    """The text of a consent."""

    purpose: Annotated[str, Field(examples=["cohorts"])]
    title: str
    text: str


class Withdrawal(BaseModel):
    """A withdrawn consent."""

    purposes: Annotated[list[str], Field(description="Withdrawn purposes.", examples=[["comparison"]])]
    withdrawn_at: datetime
    in_effect_at: Annotated[datetime | None, Field(description="Since when tables exclude it; null if not yet.")]
    said: Annotated[str, Field(description="Progress until then, in words.")]


class Consents(BaseModel):
    """Consents of a player, with their times."""

    player_id: Annotated[str, Field(examples=["steam_76561190000000001"])]
    analysis: Annotated[datetime | None, Field(description="Time of the consent; null without consent.")]
    cohorts: datetime | None
    models: datetime | None
    comparison: datetime | None
    share_at_ballchasing: Annotated[
        Visibility | None, Field(description="Who can see uploads at ballchasing; null: nothing is sent there.")
    ]
    text_version: Annotated[int | None, Field(description="Version of the accepted text.", examples=[1])]
    retention_days: Annotated[int | None, Field(description="Days for which matches are kept.", examples=[730])]
    is_forgotten: Annotated[
        bool, Field(description="Whether you had this player forgotten: future files show a masked player instead.")
    ]
    withdrawals: Annotated[
        list[Withdrawal], Field(description="Withdrawn consents, newest first, and whether they are in effect.")
    ]


class ConsentList(BaseModel):
    """Consents of the user's players, and the texts."""

    text_version: Annotated[int, Field(description="Version of the texts below, to be sent back when agreeing.")]
    texts: list[Text]
    players: list[Consents]


class ConsentsGiven(BaseModel):
    """Consents to give and to withdraw."""

    model_config = ConfigDict(extra="forbid")
    analysis: _Given = None
    cohorts: _Given = None
    models: _Given = None
    comparison: _Given = None
    share_at_ballchasing: Annotated[
        Visibility | None, Field(description="Who can see uploads at ballchasing; null: nothing is sent there.")
    ] = None
    text_version: Annotated[
        int | None, Field(description="Version of the texts that you read; required to allow anything.")
    ] = None
    take_me_back: Annotated[
        bool,
        Field(
            description="For a player whom you had forgotten: whether future files may name the player again. Existing "
            "matches stay masked: the player's name and accounts in them are gone."
        ),
    ] = False


@router.get("/consents", summary="Show consents", responses={200: {"model": Answer[ConsentList]}})
def get_consents(request: Request, response: Response, person: SignedIn) -> dict[str, Any]:
    """Consents of your players by purpose, and the texts that explain them."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        players = consents_of(conn, request.state.landing, person)
    return {"data": {"text_version": newest_text(), "texts": newest_texts(), "players": players}}


def newest_texts() -> list[dict[str, str]]:
    """Returns the newest texts."""
    newest = consent_texts()[newest_text()]
    return [{"purpose": name, "title": each.title, "text": each.text} for name, each in newest.items()]


def consents_of(conn: psycopg.Connection, landing: Landing, person: Person) -> list[dict[str, Any]]:
    """Returns the consents of each player of a user, including players without any."""
    jobs = rows(
        conn,
        "SELECT payload, said, error, created_at, finished_at, state = 'done' AS is_done FROM ops.jobs "
        "WHERE kind = %s AND user_id = %s ORDER BY job_number DESC LIMIT 50",
        [WITHDRAWAL, person.user_id],
    )
    known = {row["player_id"]: row for row in rows(conn, "SELECT * FROM ops.rl_players")}
    consents: list[dict[str, Any]] = []
    for player_id in person.players.get(GAME, ()):
        row: Mapping[str, Any] = known.get(player_id, {})
        consents.append(
            {
                "player_id": player_id,
                **{purpose: row.get(column) for purpose, column in PURPOSES.items()},
                "share_at_ballchasing": row.get("share_at_ballchasing"),
                "text_version": row.get("consent_text"),
                "retention_days": row.get("retention_days"),
                "is_forgotten": not row.get("consented_at") and any_buried(landing, GAME, [player_id]),
                "withdrawals": _withdrawals(row, [job for job in jobs if job["payload"].get("player_id") == player_id]),
            }
        )
    return consents


def _withdrawals(allowed: Mapping[str, Any], jobs: Sequence[Row]) -> list[dict[str, Any]]:
    """Returns the last withdrawal of each purpose that is not allowed, from a player's jobs, newest first."""
    withdrawals: list[dict[str, Any]] = []
    settled = {purpose for purpose, column in PURPOSES.items() if allowed.get(column)}
    for job in jobs:
        if purposes := [purpose for purpose in job["payload"]["purposes"] if purpose not in settled]:
            settled.update(purposes)
            in_effect_at = job["finished_at"] if job["is_done"] else None
            progress = {"said": job["error"] or job["said"], "in_effect_at": in_effect_at}
            withdrawals.append({"purposes": purposes, "withdrawn_at": job["created_at"], **progress})
    return withdrawals


@router.put("/consents", summary="Change consents", responses={200: {"model": Answer[ConsentList]}})
def put_consents(
    request: Request, response: Response, person: SignedIn, player: OwnAccount, given: ConsentsGiven
) -> dict[str, Any]:
    """Allow purposes of the texts, or withdraw.

    A withdrawal takes effect with the next run, which is requested at once; `withdrawals` shows when it was.

    Agreeing to the analysis means to be tracked: gamestats looks for matches and builds tables of you alone.
    """
    values = given.model_dump(exclude_unset=True)
    with request.state.writing() as conn:
        give_consents(conn, request, person, player, values)
    return get_consents(request, response, person)


def give_consents(
    conn: psycopg.Connection, request: Request, person: Person, player: str, given: Mapping[str, Any]
) -> Entered:
    """Enter consents of a user's player, and request the effect of withdrawals.

    Args:
        given: fields of `ConsentsGiven` that were sent.

    Raises:
        ProblemError: when a consent refers to an old version of the texts, or the player was forgotten.
    """
    landing: Landing = request.state.landing
    purposes = {name: given[name] for name in PURPOSES if given.get(name) is not None}
    visibility = {"share_at_ballchasing": given["share_at_ballchasing"]} if "share_at_ballchasing" in given else {}
    allows = any(purposes.values()) or any(visibility.values())
    if allows and given.get("text_version") != newest_text():
        detail = f"Read the texts first: a consent needs the version that was read, which must be {newest_text()}."
        raise ProblemError(409, detail)
    if any_buried(landing, GAME, [player]):
        if not (allows and given.get("take_me_back")):
            detail = (
                f"You had {player} forgotten, so all files show a masked player. Send `take_me_back` to be named again "
                "in future files; the player stays masked in existing matches."
            )
            raise ProblemError(409, detail)
        unbury(landing, GAME, player)
    text = {"consent_text": given["text_version"]} if allows else {}
    before: Mapping[str, Any] = next(iter(PLAYER.rows(conn, player_id=player)), {})
    entered = PLAYER.take(conn, player, context=custody(request), **purposes, **visibility, **text)
    withdrawn = [name for name, is_given in purposes.items() if not is_given and before.get(PURPOSES[name])]
    if withdrawn:
        enqueue(conn, WITHDRAWAL, GAME, person.user_id, {"player_id": player, "purposes": withdrawn})
    return entered


def custody(request: Request) -> Custody:
    """Returns the context of entries of players."""
    settings: Settings = request.state.settings
    return Custody(request.state.keys, retention_days=settings.retention_days)


# --- export --------------------------------------------------------------------------------------


class Export(BaseModel):
    """An archive of all data about a user."""

    job_id: UUID
    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="Progress, in words.")]
    error: Annotated[str | None, Field(description="Why it failed, in words.")]
    created_at: datetime
    bytes: Annotated[int | None, Field(description="Size of the archive.")]
    archive: Annotated[str | None, Field(description="Address of the download, once it exists.")]
    until: Annotated[datetime | None, Field(description="End of the download period.")]


@router.post("/export", status_code=202, summary="Export your data", responses={202: {"model": Answer[Export]}})
def post_export(request: Request, person: SignedIn) -> dict[str, Any]:
    """Request an archive of all data about you, as JSON and CSV, with the replays that you sent.

    It is made in the background. While one is in progress, the answer is that one.
    """
    with request.state.writing() as conn:
        job_id = ask_export(conn, person)
        [row] = exports_of(conn, request, person, job_id)
    return {"data": row}


def ask_export(conn: psycopg.Connection, person: Person) -> UUID:
    """Request an archive, unless one is in progress; returns the id of the job."""
    # Of two simultaneous requests, one waits here and finds the other's job.
    conn.execute("SELECT 1 FROM accounts.users WHERE user_id = %s FOR UPDATE", [person.user_id])
    under_way = (
        "SELECT job_id FROM ops.jobs WHERE kind = 'export' AND user_id = %s AND state IN ('queued', 'processing')"
    )
    in_progress = rows(conn, under_way, [person.user_id])
    return in_progress[0]["job_id"] if in_progress else enqueue(conn, "export", GAME, person.user_id, {})


@router.get("/export/{job_id}", summary="Progress of an archive", responses={200: {"model": Answer[Export]}})
def get_export(request: Request, response: Response, person: SignedIn, job_id: JobId) -> dict[str, Any]:
    """Progress of the archive, and its address once it can be downloaded."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        [row] = exports_of(conn, request, person, job_id)
    return {"data": row}


def exports_of(
    conn: psycopg.Connection, request: Request, person: Person, job_id: UUID | None = None
) -> list[dict[str, Any]]:
    """Returns the archives of a user that can be downloaded or are in progress, newest first; or one of them.

    Raises:
        ProblemError: 404 if the user has no such archive, 410 if it has expired.
    """
    settings: Settings = request.state.settings
    exports = rows(
        conn,
        "SELECT job_id, state, said, error, created_at, finished_at, result, "
        "finished_at < now() - make_interval(days => %(days)s) AS is_over FROM ops.jobs "
        "WHERE kind = 'export' AND user_id = %(user_id)s AND (%(job_id)s::uuid IS NULL OR job_id = %(job_id)s) "
        "ORDER BY job_number DESC",
        {"days": settings.export_days, "user_id": person.user_id, "job_id": job_id},
    )
    if job_id is not None and not exports:
        raise ProblemError(404, f"You have no export numbered {job_id}.")
    if job_id is not None and exports[0]["is_over"]:
        raise ProblemError(410, f"The archive was kept for {settings.export_days} days. Request another one.")
    return [_export(row, settings) for row in exports if not row["is_over"]]


def _export(row: Row, settings: Settings) -> dict[str, Any]:
    is_there = row["state"] == "done"
    until = row["finished_at"] + timedelta(days=settings.export_days) if is_there else None
    archive = f"/api/v1/users/export/{row['job_id']}/archive" if is_there else None
    shown = {name: row[name] for name in ("job_id", "state", "said", "error", "created_at")}
    return {**shown, "bytes": (row["result"] or {}).get("bytes"), "archive": archive, "until": until}


@router.get(
    "/export/{job_id}/archive",
    include_in_schema=False,  # Not JSON; the export has its address.
)
def get_archive(request: Request, person: SignedIn, job_id: JobId) -> Response:
    """The archive, for its user alone."""
    with request.state.writing() as conn:
        [row] = exports_of(conn, request, person, job_id)
    objects: Objects = request.state.objects
    if row["archive"] is None:
        raise ProblemError(409, f"The archive is not ready yet: {row['said']}.")
    try:
        pieces = objects.stream(archive_object(person.user_id, job_id))
    except MissingObjectError:
        raise ProblemError(410, "The archive no longer exists. Request another one.") from None
    headers = {"Content-Disposition": 'attachment; filename="gamestats.zip"', "Content-Length": str(row["bytes"])}
    return StreamingResponse(pieces, headers={**headers, **NO_STORE}, media_type="application/zip")


# --- removal -------------------------------------------------------------------------------------


class Erasure(BaseModel):
    """Progress of a removal."""

    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="Progress, in words.")]
    step: Annotated[int | None, Field(description="Number of the current step.")]
    steps: Annotated[int | None, Field(description="Number of steps.")]
    at: datetime
    matches: Annotated[int | None, Field(description="Matches with a masked player in the person's place.")]
    left: Annotated[
        dict[str, int] | None,
        Field(description="Number of remaining traces by store; empty if all went well."),
    ]
    seconds: Annotated[float | None, Field(description="Duration.")]
    status: Annotated[str, Field(description="Address of this answer; it needs no session.")]


@router.delete("/account", status_code=202, summary="Remove everything", responses={202: {"model": Answer[Erasure]}})
def delete_account(request: Request, person: SignedIn) -> Response:
    """Remove your account and all data about you, for good.

    It needs a session that is at most 10 minutes old. All sessions end at once; the rest follows within minutes, and
    the answer has an address that shows the progress. Matches stay for the other players, with a masked player in your
    place, in future matches, too.
    """
    job_id = go(request, person)
    response = json_answer({"data": erasure(request, job_id)}, 202)
    set_cookie(response, request, "session", "", 0)
    return response


def go(request: Request, person: Person) -> UUID:
    """Remove the user who asks, and enqueue the removal of all data; returns the id of the job.

    Raises:
        ProblemError: 403 without a fresh sign-in, 409 if no user would be left who can give roles.
    """
    with request.state.writing() as conn:
        if not sessions.is_fresh(conn, caller(request).session_id):
            minutes = sessions.FRESH_MINUTES
            detail = (
                f"This needs a sign-in in a browser within the last {minutes} minutes. Sign out and in again first."
            )
            raise ProblemError(403, detail)
        return leave(conn, request.state.keys, person)


@status_router.get("/{job_id}", summary="Progress of a removal", responses={200: {"model": Answer[Erasure]}})
def get_erasure(request: Request, response: Response, job_id: JobId) -> dict[str, Any]:
    """Progress of a removal, for anyone with the address."""
    response.headers.update(NO_STORE)
    return {"data": erasure(request, job_id)}


def erasure(request: Request, job_id: UUID) -> dict[str, Any]:
    """Returns the progress of a removal.

    Raises:
        ProblemError: 404 if it does not exist.
    """
    with request.state.writing() as conn:
        jobs = rows(conn, "SELECT * FROM ops.erasure(%s)", [job_id])
    if not jobs:
        raise ProblemError(404, "There is no such removal.")
    [row] = jobs
    result: Mapping[str, Any] = row["result"] or {}
    progress = row["error"] if row["state"] == "failed" else row["said"]
    fields = {"state": row["state"], "said": progress, "at": row["at"], "status": f"{ERASURES}/{job_id}"}
    return {**fields, **{name: result.get(name) for name in ("step", "steps", "matches", "left", "seconds")}}
