"""Kinds of jobs that people request, and their functions."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gamestats_assets.lakehouse.entries.jobs import JobContext, Kind, Task
from gamestats_assets.lakehouse.postgres.server import connect, explained

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.stores import Stores

_GAME = "rocket_league"


def _kind(name: str, work: str, *, at_once: int = 1, is_slow: bool = False) -> Kind:
    """Returns a kind of job; `work` names its function as module:function, which is imported when needed."""

    def do(context: JobContext, tasks: Sequence[Task]) -> None:
        pkgutil.resolve_name(f"gamestats_assets.rocket_league.{work}")(context, tasks)

    return Kind(name, _GAME, do, at_once, is_slow)


KINDS: tuple[Kind, ...] = (
    _kind("replay", "uploads.uploading:analyse_uploads", at_once=16),
    _kind("ballchasing", "uploads.importing:import_replays", is_slow=True),
    _kind("share", "uploads.importing:share_replay", is_slow=True),
    _kind("backfill", "uploads.own_matches:take_up_matches", at_once=20),
    _kind("forget_match", "uploads.own_matches:forget_match"),
    _kind("export", "privacy.user_export:export_users", is_slow=True),
    _kind("withdrawal", "privacy.jobs:make_without", at_once=20, is_slow=True),
    _kind("erasure", "privacy.jobs:forget_people", is_slow=True),
    _kind("objection", "privacy.jobs:forget_people", is_slow=True),
)
"""Every kind of jobs of the game."""


def forget_old_jobs(stores: Stores) -> int:
    """Delete records of jobs that ended long ago; returns how many.

    Uploads keep their job for as long as they exist, and removals that failed or left traces keep theirs until an admin
    has looked after them.
    """
    # An archive keeps its job for as long as it can be downloaded.
    days = max(stores.settings.job_days, stores.settings.export_days)
    with explained("ops.jobs"), connect(stores.postgres_url) as conn:
        gone = conn.execute(
            """
            DELETE FROM ops.jobs WHERE game = %s AND finished_at < now() - make_interval(days => %s)
                AND NOT EXISTS (SELECT 1 FROM ops.rl_uploads WHERE rl_uploads.job_id = jobs.job_id)
                AND (kind NOT IN ('erasure', 'objection') OR state = 'done' AND coalesce(result -> 'left', '{}') = '{}')
            """,
            [_GAME, days],
        )
        return gone.rowcount
