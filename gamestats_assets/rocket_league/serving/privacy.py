"""What people decide about what is held on them: consents, an archive, an end of it.

What the routes do is done by functions of a connection, which the pages call as well.
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
from gamestats_assets.rocket_league.entered import PLAYER, Custody
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
"""Kind of the jobs that make tables without what was taken back."""
Visibility = Literal["public", "unlisted", "private"]
_Given = Annotated[bool | None, Field(description="Whether it is allowed; what is not said stays as it is.")]


# --- consents ------------------------------------------------------------------------------------


class Text(BaseModel):
    """A text that is agreed to."""

    purpose: Annotated[str, Field(examples=["cohorts"])]
    title: str
    text: str


class Withdrawal(BaseModel):
    """Something that was taken back."""

    purposes: Annotated[list[str], Field(description="What is allowed no more.", examples=[["comparison"]])]
    withdrawn_at: datetime
    in_effect_at: Annotated[datetime | None, Field(description="Since when all is made without it; null: not yet.")]
    said: Annotated[str, Field(description="What is going on until then, in words.")]


class Consents(BaseModel):
    """What a player allows, since when."""

    player_id: Annotated[str, Field(examples=["steam_76561190000000001"])]
    analysis: Annotated[datetime | None, Field(description="Since when; null: it is not allowed.")]
    cohorts: datetime | None
    models: datetime | None
    comparison: datetime | None
    share_at_ballchasing: Annotated[
        Visibility | None, Field(description="Who may see there what is uploaded here; null: nothing is sent there.")
    ]
    text_version: Annotated[int | None, Field(description="Of the text that was agreed to.", examples=[1])]
    retention_days: Annotated[int | None, Field(description="Days for which matches are kept.", examples=[730])]
    is_forgotten: Annotated[
        bool, Field(description="Whether you had this player forgotten: in files that come later the player is masked.")
    ]
    withdrawals: Annotated[
        list[Withdrawal], Field(description="What was taken back, the newest first, and whether that is in effect.")
    ]


class ConsentList(BaseModel):
    """What one's players allow, and the texts."""

    text_version: Annotated[int, Field(description="Of the texts below, which is given back when one agrees.")]
    texts: list[Text]
    players: list[Consents]


class ConsentsGiven(BaseModel):
    """What is allowed from now on, and what no more."""

    model_config = ConfigDict(extra="forbid")
    analysis: _Given = None
    cohorts: _Given = None
    models: _Given = None
    comparison: _Given = None
    share_at_ballchasing: Annotated[
        Visibility | None, Field(description="Who may see there what is uploaded here; null: nothing is sent there.")
    ] = None
    text_version: Annotated[
        int | None, Field(description="The version of the texts that you read; needed to allow anything.")
    ] = None
    take_me_back: Annotated[
        bool,
        Field(
            description="Of a player whom you had forgotten: whether files that come later may name the player again. "
            "Matches that are there stay masked: what named the player in them is gone."
        ),
    ] = False


@router.get("/consents", summary="What one allows", responses={200: {"model": Answer[ConsentList]}})
def get_consents(request: Request, response: Response, person: SignedIn) -> dict[str, Any]:
    """What your players allow, purpose by purpose, and the texts that say what that is."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        players = consents_of(conn, request.state.landing, person)
    return {"data": {"text_version": newest_text(), "texts": newest_texts(), "players": players}}


def newest_texts() -> list[dict[str, str]]:
    """The newest texts."""
    newest = consent_texts()[newest_text()]
    return [{"purpose": name, "title": each.title, "text": each.text} for name, each in newest.items()]


def consents_of(conn: psycopg.Connection, landing: Landing, person: Person) -> list[dict[str, Any]]:
    """What each player of a person allows; of one that allowed nothing yet, too."""
    jobs = rows(
        conn,
        "SELECT payload, said, error, created_at, finished_at, state = 'done' AS is_done FROM ops.jobs "
        "WHERE kind = %s AND user_id = %s ORDER BY job_number DESC LIMIT 50",
        [WITHDRAWAL, person.user_id],
    )
    known = {row["player_id"]: row for row in rows(conn, "SELECT * FROM ops.rl_players")}
    found: list[dict[str, Any]] = []
    for player_id in person.players.get(GAME, ()):
        row: Mapping[str, Any] = known.get(player_id, {})
        found.append(
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
    return found


def _withdrawals(allowed: Mapping[str, Any], jobs: Sequence[Row]) -> list[dict[str, Any]]:
    """The last withdrawal of each purpose that is not allowed, by the jobs of a player, the newest first."""
    found: list[dict[str, Any]] = []
    settled = {purpose for purpose, column in PURPOSES.items() if allowed.get(column)}
    for job in jobs:
        if purposes := [purpose for purpose in job["payload"]["purposes"] if purpose not in settled]:
            settled.update(purposes)
            in_effect_at = job["finished_at"] if job["is_done"] else None
            said = {"said": job["error"] or job["said"], "in_effect_at": in_effect_at}
            found.append({"purposes": purposes, "withdrawn_at": job["created_at"], **said})
    return found


@router.put("/consents", summary="Allow something, or no more", responses={200: {"model": Answer[ConsentList]}})
def put_consents(
    request: Request, response: Response, person: SignedIn, player: OwnAccount, given: ConsentsGiven
) -> dict[str, Any]:
    """Allow something of what the texts say, or take it back.

    What is taken back ends with the next run, which is asked for at once; `withdrawals` tells when that has been.

    To agree to the analysis is to be tracked: matches are looked for, and tables made of you alone.
    """
    values = given.model_dump(exclude_unset=True)
    with request.state.writing() as conn:
        give_consents(conn, request, person, player, values)
    return get_consents(request, response, person)


def give_consents(
    conn: psycopg.Connection, request: Request, person: Person, player: str, given: Mapping[str, Any]
) -> Entered:
    """Enter what a player of a person allows, and have what is allowed no more end.

    Args:
        given: of `ConsentsGiven`, what is said.

    Raises:
        ProblemError: when something is allowed by another text than the newest, or the player was forgotten.
    """
    landing: Landing = request.state.landing
    purposes = {name: given[name] for name in PURPOSES if given.get(name) is not None}
    visibility = {"share_at_ballchasing": given["share_at_ballchasing"]} if "share_at_ballchasing" in given else {}
    allows = any(purposes.values()) or any(visibility.values())
    if allows and given.get("text_version") != newest_text():
        detail = f"Read the texts first: who allows something says which version was read, and that is {newest_text()}."
        raise ProblemError(409, detail)
    if any_buried(landing, GAME, [player]):
        if not (allows and given.get("take_me_back")):
            detail = (
                f"You had {player} forgotten, who is masked in all files since. Say `take_me_back` to be named again "
                "in files that come later; in the matches that are there the player stays masked."
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
    """What entries of players need to know besides."""
    settings: Settings = request.state.settings
    return Custody(request.state.keys, retention_days=settings.retention_days)


# --- export --------------------------------------------------------------------------------------


class Export(BaseModel):
    """An archive of everything that is held on somebody."""

    job_id: UUID
    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="What is going on, in words.")]
    error: Annotated[str | None, Field(description="Why there is none, in words.")]
    created_at: datetime
    bytes: Annotated[int | None, Field(description="How large it is.")]
    archive: Annotated[str | None, Field(description="Where it can be downloaded, once it is there.")]
    until: Annotated[datetime | None, Field(description="Until when.")]


@router.post("/export", status_code=202, summary="Have everything", responses={202: {"model": Answer[Export]}})
def post_export(request: Request, person: SignedIn) -> dict[str, Any]:
    """Have an archive made of everything that is held on you, as JSON and CSV, with the replays that you sent.

    It is made in the background. While one is being made, that one is told of.
    """
    with request.state.writing() as conn:
        job_id = ask_export(conn, person)
        [row] = exports_of(conn, request, person, job_id)
    return {"data": row}


def ask_export(conn: psycopg.Connection, person: Person) -> UUID:
    """Have an archive made, unless one is being made; the number of the job."""
    # Of two requests at once one asks.
    conn.execute("SELECT 1 FROM accounts.users WHERE user_id = %s FOR UPDATE", [person.user_id])
    under_way = (
        "SELECT job_id FROM ops.jobs WHERE kind = 'export' AND user_id = %s AND state IN ('queued', 'processing')"
    )
    found = rows(conn, under_way, [person.user_id])
    return found[0]["job_id"] if found else enqueue(conn, "export", GAME, person.user_id, {})


@router.get("/export/{job_id}", summary="How far an archive is", responses={200: {"model": Answer[Export]}})
def get_export(request: Request, response: Response, person: SignedIn, job_id: JobId) -> dict[str, Any]:
    """How far the archive is, and where it can be downloaded."""
    response.headers.update(NO_STORE)
    with request.state.writing() as conn:
        [row] = exports_of(conn, request, person, job_id)
    return {"data": row}


def exports_of(
    conn: psycopg.Connection, request: Request, person: Person, job_id: UUID | None = None
) -> list[dict[str, Any]]:
    """The archives of a person that can be downloaded, or are on their way, the newest first; or one of them.

    Raises:
        ProblemError: 404 where that one is none of the person's, 410 where it was kept long enough.
    """
    settings: Settings = request.state.settings
    found = rows(
        conn,
        "SELECT job_id, state, said, error, created_at, finished_at, result, "
        "finished_at < now() - make_interval(days => %(days)s) AS is_over FROM ops.jobs "
        "WHERE kind = 'export' AND user_id = %(user_id)s AND (%(job_id)s::uuid IS NULL OR job_id = %(job_id)s) "
        "ORDER BY job_number DESC",
        {"days": settings.export_days, "user_id": person.user_id, "job_id": job_id},
    )
    if job_id is not None and not found:
        raise ProblemError(404, f"You have no export numbered {job_id}.")
    if job_id is not None and found[0]["is_over"]:
        raise ProblemError(410, f"The archive was kept for {settings.export_days} days. Have another one made.")
    return [_export(row, settings) for row in found if not row["is_over"]]


def _export(row: Row, settings: Settings) -> dict[str, Any]:
    is_there = row["state"] == "done"
    until = row["finished_at"] + timedelta(days=settings.export_days) if is_there else None
    archive = f"/api/v1/users/export/{row['job_id']}/archive" if is_there else None
    shown = {name: row[name] for name in ("job_id", "state", "said", "error", "created_at")}
    return {**shown, "bytes": (row["result"] or {}).get("bytes"), "archive": archive, "until": until}


@router.get(
    "/export/{job_id}/archive",
    include_in_schema=False,  # No JSON; the export tells where it is.
)
def get_archive(request: Request, person: SignedIn, job_id: JobId) -> Response:
    """The archive itself, for its person alone."""
    with request.state.writing() as conn:
        [row] = exports_of(conn, request, person, job_id)
    objects: Objects = request.state.objects
    if row["archive"] is None:
        raise ProblemError(409, f"The archive is not there yet: {row['said']}.")
    try:
        pieces = objects.stream(archive_object(person.user_id, job_id))
    except MissingObjectError:
        raise ProblemError(410, "The archive is not there any more. Have another one made.") from None
    headers = {"Content-Disposition": 'attachment; filename="gamestats.zip"', "Content-Length": str(row["bytes"])}
    return StreamingResponse(pieces, headers={**headers, **NO_STORE}, media_type="application/zip")


# --- the end -------------------------------------------------------------------------------------


class Erasure(BaseModel):
    """How far the removal of everything is."""

    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="What is going on, in words.")]
    step: Annotated[int | None, Field(description="Which step is being done.")]
    steps: Annotated[int | None, Field(description="How many there are.")]
    at: datetime
    matches: Annotated[int | None, Field(description="Matches in which somebody masked is in the person's place.")]
    left: Annotated[
        dict[str, int] | None,
        Field(description="Where something was found still, by store; nothing when all went well."),
    ]
    seconds: Annotated[float | None, Field(description="How long it took.")]
    status: Annotated[str, Field(description="The address of this answer; no session is needed for it.")]


@router.delete("/account", status_code=202, summary="Remove everything", responses={202: {"model": Answer[Erasure]}})
def delete_account(request: Request, person: SignedIn) -> Response:
    """Remove your account and everything that is held on you, for good.

    It takes a session that is not older than 10 minutes. All sessions end at once; the rest follows within minutes,
    and the answer has an address that tells how far it is. Matches stay for the others who played in them, with
    somebody masked in your place, in those that come later, too.
    """
    job_id = go(request, person)
    response = json_answer({"data": erasure(request, job_id)}, 202)
    set_cookie(response, request, "session", "", 0)
    return response


def go(request: Request, person: Person) -> UUID:
    """Remove who asks, and have all that is held removed; the number of the job.

    Raises:
        ProblemError: 403 without a fresh sign-in, 409 where nobody would be left who may give roles.
    """
    with request.state.writing() as conn:
        if not sessions.is_fresh(conn, caller(request).session_id):
            minutes = sessions.FRESH_MINUTES
            detail = (
                f"This takes a sign-in at a browser within the last {minutes} minutes. Sign out and in again first."
            )
            raise ProblemError(403, detail)
        return leave(conn, request.state.keys, person)


@status_router.get("/{job_id}", summary="How far an erasure is", responses={200: {"model": Answer[Erasure]}})
def get_erasure(request: Request, response: Response, job_id: JobId) -> dict[str, Any]:
    """How far the removal of everything is, to whoever has the address."""
    response.headers.update(NO_STORE)
    return {"data": erasure(request, job_id)}


def erasure(request: Request, job_id: UUID) -> dict[str, Any]:
    """How far an erasure is.

    Raises:
        ProblemError: 404 where there is none.
    """
    with request.state.writing() as conn:
        found = rows(conn, "SELECT * FROM ops.erasure(%s)", [job_id])
    if not found:
        raise ProblemError(404, "There is no such erasure.")
    [row] = found
    result: Mapping[str, Any] = row["result"] or {}
    said = row["error"] if row["state"] == "failed" else row["said"]
    fields = {"state": row["state"], "said": said, "at": row["at"], "status": f"{ERASURES}/{job_id}"}
    return {**fields, **{name: result.get(name) for name in ("step", "steps", "matches", "left", "seconds")}}
