"""Replays that people send, or request from ballchasing: accepts them, and shows their progress.

An uploaded file waits as an object until a worker has landed and analysed it; `GET /replays/{id}` and `/jobs/{id}` show
the progress. The same file of the same user is one upload, however often it is sent.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, BinaryIO, Literal
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from gamestats_assets.lakehouse.entries.jobs import enqueue, warm_up
from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.rocket_league.privacy.people_objects import upload_object
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.serving.answers.lines import Answer
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import Person, SignedIn
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.middleware.site import NO_STORE
from gamestats_assets.serving.people.jobs import JOBS
from gamestats_assets.settings import Settings

UPLOAD_PATH = "/api/v1/replays/upload"
"""Path for uploads; it accepts larger requests than others."""
router = APIRouter(prefix="/replays", tags=["replays"], dependencies=[Depends(only_known)])

_MOST_FILES = 500
_LONGEST_NAME = 200
_ZIP, _HEAD = (b"PK\x03\x04", b"PK\x05\x06"), 64
_BALLCHASING_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


class Taken(BaseModel):
    """An accepted replay."""

    replay_id: Annotated[UUID, Field(description="Id of the upload; also identifies the replay.")]
    job_id: Annotated[UUID, Field(description="Job that processes it.")]
    status_url: Annotated[str, Field(description="Address of its progress.")]
    file_name: str
    is_new: Annotated[bool, Field(description="False if you sent the same file before.")]


class Refused(BaseModel):
    """A rejected file."""

    file_name: str
    status: Annotated[int, Field(description="413: too large; 415: not a replay.", examples=[415])]
    detail: Annotated[str, Field(description="Reason.")]


class Uploads(BaseModel):
    """Results for the files of a request, in their order."""

    replays: list[Taken]
    refused: list[Refused]
    replay_id: Annotated[UUID | None, Field(description="For a single file: as in `replays`.")] = None
    job_id: Annotated[UUID | None, Field(description="For a single file.")] = None
    status_url: Annotated[str | None, Field(description="For a single file.")] = None


_FILES = {"type": "string", "format": "binary", "description": "A replay, or a zip of replays; as many as you like."}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _FILES}}}
        },
    }
}


@router.post(
    "/upload",
    status_code=202,
    response_model=Answer[Uploads],
    summary="Send replays",
    responses={200: {"model": Answer[Uploads], "description": "All files were sent before."}},
    openapi_extra=_BODY,
    operation_id="upload_replays",
)
async def upload(request: Request, person: SignedIn) -> Response:
    """Send replays, or zips of them, in fields of any name; they are analysed one after another.

    Files that are not replays are rejected, and the others accepted; if nothing is accepted, the status is that of the
    first rejected file.
    """
    uploads = await take_uploads(request, person)
    if not uploads.replays:
        first = uploads.refused[0]
        raise ProblemError(first.status, f"{first.file_name}: {first.detail}")
    status = 202 if any(taken.is_new for taken in uploads.replays) else 200
    headers = dict(NO_STORE)
    if uploads.status_url is not None:
        headers["Location"] = uploads.status_url
    return JSONResponse(Answer[Uploads](data=uploads).model_dump(mode="json"), status, headers)


async def take_uploads(request: Request, person: Person) -> Uploads:
    """Accept the files of a request; files that are not replays, or too large, are rejected.

    Raises:
        ProblemError: 422 when there are none, 429 when there are too many.
    """
    await run_in_threadpool(_get_ready, request)
    form = await request.form(max_files=_MOST_FILES)
    sent = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not sent:
        raise ProblemError(422, "No file was sent. Send replays (.replay) or zips of them as multipart/form-data.")
    number = await run_in_threadpool(lambda: sum(map(_number_of_files, sent)))
    await request.state.count_files(number)
    replays, refused = await run_in_threadpool(_take_all, request, person, sent)
    one = replays[0].model_dump(include={"replay_id", "job_id", "status_url"}) if number == 1 and replays else {}
    return Uploads(replays=replays, refused=refused, **one)


def _take_all(request: Request, person: Person, sent: Sequence[UploadFile]) -> tuple[list[Taken], list[Refused]]:
    """Accept files one by one, so that only one of them is in memory."""
    taken: list[Taken] = []
    refused: list[Refused] = []
    for each in sent:
        for file in _files_of(each, request.state.settings):
            if isinstance(file, Refused):
                refused.append(file)
            else:
                taken.append(_take(request, person, file))
    return taken, refused


def _get_ready(request: Request) -> None:
    with request.state.writing() as conn:
        warm_up(conn)


# --- what is sent --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    content: bytes


def _number_of_files(sent: UploadFile) -> int:
    """Returns the number of files in an upload: for a zip, those inside."""
    is_zip = sent.file.read(_HEAD).startswith(_ZIP)
    sent.file.seek(0)
    if not is_zip:
        return 1
    try:
        with zipfile.ZipFile(sent.file) as archive:
            return max(1, len(_members(archive)))
    except _DAMAGED:
        return 1
    finally:
        sent.file.seek(0)


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [each for each in archive.infolist() if not each.is_dir() and not _is_of_system(each.filename)]


def _files_of(sent: UploadFile, settings: Settings) -> Iterator[_File | Refused]:
    """Yields the replays of an uploaded file: itself, or those of a zip."""
    name, file = _named(sent.filename or ""), sent.file
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith(_ZIP):
        yield from _of_zip(name, file, settings)
    else:
        yield _replay(name, head, lambda most: file.read(most), settings)


def _replay(name: str, head: bytes, read: Any, settings: Settings) -> _File | Refused:
    if not is_replay(head):
        message = "This is not a replay. Accepted are replays (.replay) and zips of them."
        return Refused(file_name=name, status=415, detail=message)
    most = settings.largest_replay_mb * 1_000_000
    content = read(most + 1)
    if len(content) > most:
        return _too_large(name, settings)
    return _File(name, content)


def _of_zip(name: str, file: BinaryIO, settings: Settings) -> Iterator[_File | Refused]:
    """Yields the replays of a zip, without trusting its sizes and paths: nothing is written under its names."""

    def refuse(status: int, detail: str, within: str = "") -> Refused:
        return Refused(file_name=f"{name}: {within}" if within else name, status=status, detail=detail)

    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            if len(members) > _MOST_FILES:
                yield refuse(413, f"It contains {len(members):,} files; a zip may contain {_MOST_FILES}.")
                return
            if not members:
                yield refuse(415, "It contains no files.")
            left = settings.largest_upload_mb * 1_000_000
            for member in members:
                within = _named(member.filename)
                # Never unpacks more than the declared size.
                left -= member.file_size if member.file_size <= settings.largest_replay_mb * 1_000_000 else 0
                if left < 0:
                    yield refuse(413, f"It unpacks to more than {settings.largest_upload_mb} MB.")
                    return
                replay = _of_member(archive, member, within, settings)
                if isinstance(replay, Refused):
                    yield refuse(replay.status, replay.detail, within)
                else:
                    yield replay
    except _DAMAGED:
        yield refuse(415, "The zip is damaged, or its compression is not supported. Pack it again.")


def _of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, within: str, settings: Settings) -> _File | Refused:
    if member.flag_bits & 1:
        return Refused(file_name=within, status=415, detail="It has a password.")
    if member.file_size > settings.largest_replay_mb * 1_000_000:
        return _too_large(within, settings)
    with archive.open(member) as packed:
        head = packed.read(_HEAD)
        if head.startswith(_ZIP):
            return Refused(file_name=within, status=415, detail="It is a zip within a zip; send its replays.")
        return _replay(within, head, lambda most: head + packed.read(most), settings)


def _too_large(name: str, settings: Settings) -> Refused:
    message = f"It is larger than {settings.largest_replay_mb} MB, the limit for a replay."
    return Refused(file_name=name, status=413, detail=message)


def is_replay(head: bytes) -> bool:
    """Whether a content begins as replays do."""
    return b"TAGame.Replay_" in head[:_HEAD]


def _is_of_system(name: str) -> bool:
    """Whether a file of a zip was added by the operating system."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or (bool(parts) and parts[-1].startswith("."))


def _named(name: str) -> str:
    """Returns a file's name for display, without its folders."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(filter(str.isprintable, last)).strip()[:_LONGEST_NAME] or "a file"


# --- storing -------------------------------------------------------------------------------------


def _take(request: Request, person: Person, file: _File) -> Taken:
    """Store a replay until a worker has landed it; a file that the user sent before is not stored again."""
    digest = hashlib.sha256(file.content).hexdigest()
    with request.state.writing() as conn:
        # The clean-up takes this lock, too, so that it sees uploads as registered.
        conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('gamestats uploads', 0))")
        known = _known(conn, person, digest)
        if known is None:
            known = _kept(conn, request.state.objects, person, file, digest)
            if known is not None:
                return _taken(*known, file, is_new=True)
            # Another request of the user has stored the same file in the meantime.
            known = _known(conn, person, digest)
        assert known is not None
        upload_id, job_id, failed = known
        if failed:
            request.state.objects.put(upload_object(upload_id), file.content)
            job_id = enqueue(conn, "replay", GAME, person.user_id, {"upload_id": str(upload_id)})
            conn.execute("UPDATE ops.rl_uploads SET job_id = %s WHERE upload_id = %s", [job_id, upload_id])
        return _taken(upload_id, job_id, file, is_new=failed)


def _known(conn: psycopg.Connection[Any], person: Person, digest: str) -> tuple[UUID, UUID, bool] | None:
    """Returns upload and job of a file that the user sent before, and whether the job failed."""
    upload = conn.execute(
        "SELECT upload_id, job_id, state = 'failed' AS failed FROM ops.rl_uploads JOIN ops.jobs USING (job_id)"
        " WHERE rl_uploads.user_id = %s AND content_hash = %s",
        [person.user_id, digest],
    ).fetchone()
    return None if upload is None else (upload["upload_id"], upload["job_id"], upload["failed"])


def _kept(
    conn: psycopg.Connection[Any], objects: Objects, person: Person, file: _File, digest: str
) -> tuple[UUID, UUID] | None:
    """Store a file; returns upload and job, or None if it has been stored already."""
    upload_id: UUID = conn.execute("SELECT gen_random_uuid() AS id").fetchone()["id"]  # type: ignore[index]
    try:
        with conn.transaction():
            job_id = enqueue(conn, "replay", GAME, person.user_id, {"upload_id": str(upload_id)})
            conn.execute(
                "INSERT INTO ops.rl_uploads (upload_id, user_id, content_hash, file_name, bytes, job_id)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                [upload_id, person.user_id, digest, file.name, len(file.content), job_id],
            )
            objects.put(upload_object(upload_id), file.content)
    except psycopg.errors.UniqueViolation:
        return None
    return upload_id, job_id


def _taken(upload_id: UUID, job_id: UUID, file: _File, *, is_new: bool) -> Taken:
    where = f"/api/v1/replays/{upload_id}"
    return Taken(replay_id=upload_id, job_id=job_id, status_url=where, file_name=file.name, is_new=is_new)


# --- progress ------------------------------------------------------------------------------------


class Status(BaseModel):
    """Progress of an upload."""

    replay_id: Annotated[UUID, Field(description="Id of the upload.")]
    job_id: UUID
    state: Literal["queued", "processing", "done", "failed"]
    said: Annotated[str, Field(description="Progress, in words.", examples=["waiting, 12 before it"])]
    error: Annotated[str | None, Field(description="Why the analysis failed.")]
    file_name: str
    match_id: Annotated[str | None, Field(description="The match, once it is known.")]
    result: Annotated[
        dict[str, Any] | None,
        Field(
            description="Contents: `playlist`, `started_at`, `players` (names by team), `own_players` (your accounts "
            "that played; you can watch it even without any); a `note` if a player is masked in it."
        ),
    ]
    created_at: datetime
    finished_at: datetime | None


async def upload_status(conn: Connection, upload_id: UUID | str, scope: Any) -> dict[str, Any] | None:
    """Returns the progress of a user's upload, with the fields of `Status`; None if the user has no such upload.

    Args:
        scope: the user, by its `user_id`.
    """
    uploads = await uploads_of(conn, scope.user_id, upload_id=upload_id, most=1)
    return uploads[0] if uploads else None


async def uploads_of(
    conn: Connection, user_id: int | None, *, upload_id: UUID | str | None = None, most: int = 50
) -> list[dict[str, Any]]:
    """Returns the last uploads of a user, newest first, with the fields of `Status`."""
    rows = await conn.execute(
        """
        SELECT upload_id AS replay_id, job_id, state, said, error, file_name, match_id, result,
            u.created_at, finished_at
        FROM ops.rl_uploads u JOIN ops.jobs j USING (job_id)
        WHERE u.user_id = %(user_id)s AND (%(upload_id)s::uuid IS NULL OR upload_id = %(upload_id)s)
        ORDER BY job_number DESC LIMIT %(most)s
        """,
        {"user_id": user_id, "upload_id": upload_id, "most": most},
    )
    return [dict(row) for row in await rows.fetchall()]


# --- from ballchasing ----------------------------------------------------------------------------


class Wanted(BaseModel):
    """A request for replays from ballchasing: one replay, by its id or address, or all own replays."""

    model_config = ConfigDict(extra="forbid")

    ballchasing_id: Annotated[
        str | None,
        Field(
            max_length=300,
            description="Id of a replay there, or its address.",
            examples=["https://ballchasing.com/replay/c9f6a2b1-0ecc-4d3b-9b53-1b0a5b5e9f0c"],
        ),
    ] = None
    mine: Annotated[bool, Field(description="All replays of your accounts that are public at ballchasing.")] = False
    since: Annotated[datetime | None, Field(description="With `mine`: only matches played since then.")] = None


class Asked(BaseModel):
    """The job of a request."""

    job_id: UUID
    status_url: Annotated[str, Field(description="Address of its progress.")]


@router.post(
    "/ballchasing",
    status_code=202,
    response_model=Answer[Asked],
    summary="Import replays from ballchasing",
    operation_id="import_from_ballchasing",
)
def import_from_ballchasing(request: Request, person: SignedIn, wanted: Wanted) -> Response:
    """Fetch replays from ballchasing.com and analyse them: one, or all of the user's own."""
    if (wanted.ballchasing_id is None) == (not wanted.mine) or (wanted.since is not None and not wanted.mine):
        raise ProblemError(422, "Give either ballchasing_id, or mine (optionally with since).")
    payload: dict[str, Any] = {}
    if wanted.ballchasing_id is not None:
        replay_id = _BALLCHASING_ID.search(wanted.ballchasing_id.lower())
        if replay_id is None:
            message = (
                "Expected the id of a replay at ballchasing, c9f6a2b1-0ecc-4d3b-9b53-1b0a5b5e9f0c, or its address."
            )
            raise ProblemError(422, message, errors=[{"name": "ballchasing_id", "message": message}])
        payload = {"ballchasing_ids": [replay_id.group()]}
    else:
        payload = {"since": wanted.since.isoformat() if wanted.since else None}
    settings: Settings = request.state.settings
    if settings.ballchasing_api_key is None:
        raise ProblemError(503, "This server cannot fetch from ballchasing: BALLCHASING_API_KEY is not set.")
    with request.state.writing() as conn:
        job_id = enqueue(conn, "ballchasing", GAME, person.user_id, payload)
    data = Asked(job_id=job_id, status_url=f"{JOBS}/{job_id}")
    return JSONResponse({"data": data.model_dump(mode="json")}, 202, {**NO_STORE, "Location": data.status_url})
