"""Uploaded replays: recognised, landed and analysed, all waiting ones together.

Each replay is read in its own process, within limits, before any of it is kept. Every step can be repeated after the
worker was killed: the bytes are stored until their match is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg.rows import dict_row

from gamestats_assets.lakehouse.entries.jobs import JobContext, Task, enqueue
from gamestats_assets.lakehouse.files.objects import MissingObjectError
from gamestats_assets.lakehouse.files.unpacking import UnreadableContentError
from gamestats_assets.lakehouse.landing.arrivals import Recognised, UnrecognisedContentError
from gamestats_assets.lakehouse.postgres.server import connect, explained
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.worker import TaskDiedError, guarded_pool
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.privacy.people_objects import UPLOADS, upload_object
from gamestats_assets.rocket_league.privacy.tombstones import any_buried
from gamestats_assets.rocket_league.replays import files as replay_files
from gamestats_assets.rocket_league.replays.network import UnreadableReplayError
from gamestats_assets.rocket_league.source import GAME, REPLAY, SOURCE, accounts_in_header, recognise

_LATER = (t.PlayerProfiles, t.RankCohorts, t.RankModels, t.TrainingPacks)
"""Tables over all players, which no upload waits for: the sensor updates them later."""
ANALYSIS_FAILED = (
    "Your replay is kept, but its analysis failed; it is tried again automatically. "
    "Administrators find the reason in the worker's log."
)
"""Message when tables cannot be built."""

_ANOTHER = "The replay claims to be of an existing match with other players. It is rejected."
_FORGOTTEN = (
    "You asked to be forgotten as a player of this match, so the replay is rejected. To be included again, first allow "
    "the analysis in your settings."
)
_NOT_THEIRS = "done; none of your accounts played in it, but you can watch it"


@dataclass(frozen=True, slots=True)
class Found:
    """Contents of a replay.

    Attributes:
        players: accounts of its players, with name and team.
    """

    recognised: Recognised
    playlist: str | None
    map_code: str | None
    players: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class Upload:
    """An uploaded replay, and its state.

    Attributes:
        content: its bytes; None if it has landed already.
        own: accounts of the sender that played.
        note: message about masked players in it; empty if there are none.
    """

    task: Task
    upload_id: str
    user_id: int
    file_name: str
    content: bytes | None
    match_id: str | None
    found: Found | None = None
    day: str | None = None
    own: list[str] = field(default_factory=list)
    note: str = ""


def needed(stores: Stores) -> list[str]:
    """Returns the names of the tables behind a user's pages, which must follow a change at once."""
    # Tables that were never built must not be left out: others need them.
    later = [table for table in _LATER if stores.lake.version(table) is not None]
    return [table.spec.name for table in t.ALL if table not in later]


def analyse_uploads(context: JobContext, tasks: Sequence[Task]) -> None:
    """Recognise, land and analyse uploaded replays, and end each job with its result."""
    stores = context.stores
    uploads = [upload for task in tasks if (upload := _waiting(stores, task)) is not None]
    _recognise(stores, uploads)
    landed = [upload for upload in uploads if not upload.task.is_ended and _land(stores, upload)]
    tidy_up(stores)
    if not landed:
        return
    for upload in landed:
        upload.task.say("analysing", result_of(upload))
    days, players = {upload.day for upload in landed if upload.day}, {name for upload in landed for name in upload.own}
    failures = context.follow(GAME, days=days, names=players, only=needed(stores))
    _finish(stores, landed, failures)


# --- reading -------------------------------------------------------------------------------------


def _waiting(stores: Stores, task: Task) -> Upload | None:
    """Returns the upload of a task; None, with the task ended, if its user deleted it."""
    upload_id = str(task.job.payload["upload_id"])
    with explained("ops.rl_uploads"), connect(stores.postgres_url) as conn:
        row = (
            conn.cursor(row_factory=dict_row)
            .execute("SELECT user_id, file_name, match_id FROM ops.rl_uploads WHERE upload_id = %s", [upload_id])
            .fetchone()
        )
    if row is None:
        task.fail("The upload was withdrawn.")
        return None
    content = None
    try:
        content = stores.objects.get(upload_object(upload_id))
    except MissingObjectError:
        if row["match_id"] is None:
            task.fail("The file is no longer there. Send it again.")
            return None
    return Upload(task, upload_id, row["user_id"], row["file_name"], content, row["match_id"])


def _recognise(stores: Stores, uploads: Sequence[Upload]) -> None:
    """Read the replays, each in a process that may crash; those that cannot be read fail with the reason."""
    waiting = [upload for upload in uploads if upload.content is not None]
    with guarded_pool(min(stores.settings.workers, len(waiting)), stores.read_limits.decoding) as pool:
        reading = [(upload, pool.submit(read_upload, upload.content or b"")) for upload in waiting]
        for upload, result in reading:
            upload.task.say("reading")
            try:
                upload.found = result.result()
            except (UnrecognisedContentError, UnreadableReplayError) as error:
                upload.task.fail(str(error))
            except TaskDiedError as error:
                if error.was_killed:
                    upload.task.try_again()
                else:
                    upload.task.fail(f"Reading the replay failed: {error}. If it plays in the game, let us know.")


def read_upload(content: bytes) -> Found:
    """Returns the contents of a replay, its frames read to the end; its events are read once it has landed.

    Raises:
        UnrecognisedContentError: when it is no replay, is damaged, or lacks the match or time.
        UnreadableReplayError: when its frames cannot be read.
    """
    recognised = recognise(content)
    if recognised.kind != REPLAY:
        raise UnrecognisedContentError("This is not a replay.")
    replay = replay_files.read_replay(content)
    game_type = replay.meta.get("game_type") or {}
    return Found(
        recognised,
        replay_files.playlist_in(replay.header, game_type),
        str(replay.header.get("MapName") or "").lower() or None,
        {each.player_id: (each.name, "orange" if each.is_orange else "blue") for each in replay.players},
    )


# --- landing -------------------------------------------------------------------------------------


def _land(stores: Stores, upload: Upload) -> bool:
    """Land a replay, whoever else sent it before; returns whether it has landed."""
    if upload.content is not None and upload.found is not None:
        if _is_another(stores, upload.found):
            upload.task.fail(_ANOTHER)
            return False
        if _has_forgotten_player(stores, upload):
            _call_by_match(stores, upload)
            upload.task.fail(_FORGOTTEN)
            return False
        landed = SOURCE.land(upload.content, upload.file_name, upload.found.recognised, stores.landing)
        if landed.match_id is None or landed.day is None:
            upload.task.fail(landed.reason)
            return False
        upload.match_id, upload.day, upload.note = landed.match_id, landed.day, landed.reason
        if upload.note:
            _call_by_match(stores, upload)
    elif upload.match_id is not None:
        upload.day = stores.landing.day_of(GAME, upload.match_id)
    with explained("ops.rl_uploads"), connect(stores.postgres_url) as conn:
        conn.execute(
            "UPDATE ops.rl_uploads SET match_id = %s WHERE upload_id = %s", [upload.match_id, upload.upload_id]
        )
        linked = linked_players(conn, upload.user_id)
    played = upload.found.players if upload.found is not None else {}
    upload.own = [player_id for player_id in linked if upload.found is None or player_id in played]
    return True


def _is_another(stores: Stores, found: Found) -> bool:
    """Whether a replay claims the id of an existing match, while less than half of that match's players are in it.

    The longest recording of a match counts, whoever sent it: a forged replay must not replace a true one.
    """
    match_id = found.recognised.match_id or ""
    for file in stores.landing.held(GAME, [match_id])[match_id].get(REPLAY, ()):
        with suppress(UnrecognisedContentError, UnreadableContentError):
            known = accounts_in_header(stores.landing.content(file))
            if len(known & found.players.keys()) * 2 < len(known):
                return True
    return False


def _has_forgotten_player(stores: Stores, upload: Upload) -> bool:
    """Whether the sender was forgotten as a player of the match; having sent it would identify the player."""
    with explained("accounts.players"), connect(stores.postgres_url) as conn:
        linked = linked_players(conn, upload.user_id)
    played = upload.found.players if upload.found is not None else {}
    return any_buried(stores.landing, GAME, [player_id for player_id in linked if player_id in played])


def _call_by_match(stores: Stores, upload: Upload) -> None:
    """Replace the file's name, which often contains the player's, with the match id."""
    name = f"{upload.found.recognised.match_id}.replay" if upload.found is not None else ""
    with explained("ops.rl_uploads"), connect(stores.postgres_url) as conn:
        conn.execute("UPDATE ops.rl_uploads SET file_name = %s WHERE upload_id = %s", [name, upload.upload_id])


def tidy_up(stores: Stores) -> None:
    """Delete stored bytes without a waiting upload: of failed uploads, and of those never registered."""
    with explained("ops.rl_uploads"), connect(stores.postgres_url) as conn, conn.transaction():
        # The lock keeps out requests that have stored bytes but not registered them yet.
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('gamestats uploads', 0))")
        known = conn.execute(
            "SELECT upload_id FROM ops.rl_uploads JOIN ops.jobs USING (job_id)"
            " WHERE match_id IS NULL AND state IN ('queued', 'processing')"
        ).fetchall()
        stores.objects.keep_only(UPLOADS, [upload_object(upload_id) for (upload_id,) in known])


def linked_players(conn: psycopg.Connection, user_id: int | None) -> list[str]:
    """Returns a user's linked accounts, first linked first."""
    rows = conn.execute(
        "SELECT player_id FROM accounts.players WHERE user_id = %s AND game = %s AND state = 'linked'"
        " ORDER BY created_at, player_id",
        [user_id, GAME],
    )
    return [player_id for (player_id,) in rows.fetchall()]


# --- results -------------------------------------------------------------------------------------


def _finish(stores: Stores, uploads: Sequence[Upload], failures: Sequence[str]) -> None:
    """End each upload: done if its match is in the tables, else failed with the reason."""
    ids = [upload.match_id for upload in uploads]
    days = sorted({datetime.fromisoformat(upload.day).date() for upload in uploads if upload.day})
    rows = stores.lake.scan(t.RawReplays, days).filter(pl.col("match_id").is_in(ids)).select("match_id").collect()
    present = {*rows.to_series()}
    unread = stores.lake.scan(quarantine_of(GAME)).filter(pl.col("unit_id").is_in(ids), pl.col("scope") != "row")
    reasons = dict(unread.select("unit_id", "reason").collect().iter_rows())
    for upload in uploads:
        result = result_of(upload)
        if upload.match_id in present and not failures:
            # Before `done`: a repeated request does not upload it twice.
            _share(stores, upload)
            message = "done" if upload.own else _NOT_THEIRS
            # The scoreboard may have been read although the events were quarantined.
            upload.task.done(result, ". ".join(filter(None, (message, upload.note, reasons.get(upload.match_id)))))
        elif upload.match_id in reasons and upload.match_id not in present:
            upload.task.fail(reasons[upload.match_id], result)
        else:
            upload.task.fail(ANALYSIS_FAILED, result)
    if failures:
        raise RuntimeError("; ".join(failures))


def result_of(upload: Upload) -> dict[str, Any]:
    """Returns the result of an upload for its sender."""
    result: dict[str, Any] = {"match_id": upload.match_id, "own_players": sorted(upload.own)}
    if upload.found is None:
        return result
    started_at = upload.found.recognised.started_at
    result |= {
        "playlist": upload.found.playlist,
        "map_code": upload.found.map_code,
        "started_at": None if started_at is None else started_at.isoformat(),
    }
    if upload.note:
        result["note"] = upload.note
    else:
        result["players"] = [{"name": name, "team": team} for name, team in upload.found.players.values()]
    return result


def _share(stores: Stores, upload: Upload) -> None:
    """Request an upload to ballchasing if a player of the sender wants it, with the visibility the player chose."""
    with explained("ops.rl_players"), connect(stores.postgres_url) as conn:
        chosen = conn.execute(
            "SELECT player_id FROM ops.rl_players WHERE player_id = ANY (%s)"
            " AND share_at_ballchasing IS NOT NULL ORDER BY player_id LIMIT 1",
            [upload.own],
        ).fetchone()
        if chosen is not None:
            enqueue(conn, "share", GAME, upload.user_id, {"match_id": upload.match_id, "player_id": chosen[0]})
