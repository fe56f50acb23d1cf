"""Replays exchanged with ballchasing.com: fetched on request, and uploaded if a player wants it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from gamestats_assets.apis.limits import SharedLimits
from gamestats_assets.lakehouse.entries.jobs import JobContext, Task
from gamestats_assets.lakehouse.landing.arrivals import MatchFetch
from gamestats_assets.lakehouse.postgres.server import connect, explained
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.rocket_league.ballchasing import discovery
from gamestats_assets.rocket_league.ballchasing.api import PATIENCE_S, BallchasingApi
from gamestats_assets.rocket_league.privacy.tombstones import any_buried
from gamestats_assets.rocket_league.source import GAME, REPLAY
from gamestats_assets.rocket_league.uploads.uploading import ANALYSIS_FAILED, linked_players, needed

_NOBODY = "None of your accounts is linked, so there are no replays to look for."
_FORGOTTEN = (
    "You asked to be forgotten, so your replays are not fetched. To be included again, first allow the analysis in "
    "your settings."
)


@contextmanager
def _ballchasing(stores: Stores, task: Task, what: str) -> Iterator[BallchasingApi]:
    """Yields a client that shares its limits with all others; only one process fetches at a time."""
    settings = stores.settings
    limits = SharedLimits(stores.postgres_url, caller=what, patience=PATIENCE_S)
    with (
        stores.alone("rocket_league_archive", lambda line: task.say("waiting for other requests to ballchasing")),
        BallchasingApi(
            settings.ballchasing_api_key, stores.landing, base_url=settings.ballchasing_api_url, limits=limits
        ) as api,
    ):
        yield api


def import_replays(context: JobContext, tasks: Sequence[Task]) -> None:
    """Fetch a replay, or all replays of a user's players, and analyse them."""
    for task in tasks:
        _import(context, task)


def _import(context: JobContext, task: Task) -> None:
    stores, payload = context.stores, task.job.payload
    with explained("accounts.players"), connect(stores.postgres_url) as conn:
        linked = linked_players(conn, task.job.user_id)
    own = [player_id for player_id in linked if not any_buried(stores.landing, GAME, [player_id])]
    ids = payload.get("ballchasing_ids")
    with _ballchasing(stores, task, "import") as api:
        if ids is None:
            if not own:
                task.fail(_FORGOTTEN if linked else _NOBODY)
                return
            task.say("asking ballchasing for your replays")
            since = payload.get("since") and datetime.fromisoformat(payload["since"])
            listed = [replay for player in own for replay in api.list_replays(player, since=since)]
            ids = [*dict.fromkeys(replay.id.strip().lower() for replay in listed)]
        task.say(f"fetching {len(ids)} from ballchasing")
        # A single replay is for watching, so its file is fetched; of many only the statistics, unless set otherwise.
        files = stores.settings.ballchasing_files or "ballchasing_ids" in payload
        fetched = discovery.take(stores.postgres_url, api, ids, files=files)
    landed = [file for each in fetched for file in each.files if file.day is not None and file.match_id is not None]
    result = {
        "matches": sorted({file.match_id for file in landed if file.match_id is not None}),
        "fetched": sum(each.status == "fetched" for each in fetched),
        "known": sum(each.status == "known" for each in fetched),
        "not_there": [each.reason for each in fetched if each.status in ("expired", "failed") and not each.is_delayed],
        "later": sum(each.is_delayed for each in fetched),
    }
    if days := sorted({file.day for file in landed if file.day is not None}):
        task.say("analysing")
        if context.follow(GAME, days=days, names=own, only=needed(stores)):
            task.fail(ANALYSIS_FAILED, result)
            return
    why_not = _why_nothing(fetched)
    if why_not is not None:
        task.fail(why_not, result)
    else:
        notes = sorted({file.reason for file in landed if file.reason})
        task.done(result, ". ".join(["done", *notes]))


def _why_nothing(fetched: Sequence[MatchFetch]) -> str | None:
    """Returns why an import brought nothing; None if it brought something."""
    if not fetched or any(each.status in ("fetched", "known") for each in fetched):
        return None
    if any(each.is_delayed for each in fetched):
        return f"{fetched[0].reason} gamestats up fetches it automatically later."
    return fetched[0].reason


def share_replay(context: JobContext, tasks: Sequence[Task]) -> None:
    """Upload replays to ballchasing for players who still want it, with the visibility they chose."""
    stores = context.stores
    for task in tasks:
        match_id, player_id = task.job.payload["match_id"], task.job.payload["player_id"]
        with explained("ops.rl_players"), connect(stores.postgres_url) as conn:
            chosen = conn.execute(
                "SELECT share_at_ballchasing FROM ops.rl_players WHERE player_id = %s AND consented_at IS NOT NULL",
                [player_id],
            ).fetchone()
        replays = stores.landing.held(GAME, [match_id])[match_id].get(REPLAY, ())
        if chosen is None or chosen[0] is None or not replays:
            task.done(said="nothing was uploaded: the player no longer wants it")
            continue
        with _ballchasing(stores, task, "share") as api, stores.landing.on_disk(replays[0]) as path:
            uploaded = discovery.share(stores.postgres_url, api, stores.landing, path, visibility=chosen[0])
        task.done({"ballchasing_id": uploaded.id, "is_new": uploaded.is_new, "visibility": chosen[0]})
