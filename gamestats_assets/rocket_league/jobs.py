"""What is done for the jobs that people ask for: each kind of them, and where that is.

What the work needs is loaded when there is some.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gamestats_assets.lakehouse.entries.jobs import JobContext, Kind, Task
from gamestats_assets.lakehouse.postgres.server import connect, explained

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.stores import Stores

_GAME = "rocket_league"


def _replay(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.uploads.uploading import analyse_uploads

    analyse_uploads(context, tasks)


def _ballchasing(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.uploads.importing import import_replays

    import_replays(context, tasks)


def _share(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.uploads.importing import share_replay

    share_replay(context, tasks)


def _backfill(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.uploads.own_matches import take_up_matches

    take_up_matches(context, tasks)


def _forget_match(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.uploads.own_matches import forget_match

    forget_match(context, tasks)


def _export(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.privacy.user_export import export_users

    export_users(context, tasks)


def _leaving(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.privacy.leaving_jobs import forget_people

    forget_people(context, tasks)


def _withdrawal(context: JobContext, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.privacy.withdrawals import make_without

    make_without(context, tasks)


KINDS: tuple[Kind, ...] = (
    Kind("replay", _GAME, _replay, at_once=16),
    Kind("ballchasing", _GAME, _ballchasing, is_slow=True),
    Kind("share", _GAME, _share, is_slow=True),
    Kind("backfill", _GAME, _backfill, at_once=20),
    Kind("forget_match", _GAME, _forget_match),
    Kind("export", _GAME, _export, is_slow=True),
    Kind("withdrawal", _GAME, _withdrawal, at_once=20, is_slow=True),
    Kind("erasure", _GAME, _leaving, is_slow=True),
    Kind("objection", _GAME, _leaving, is_slow=True),
)
"""Every kind of jobs of the game."""


def forget_old_jobs(stores: Stores) -> int:
    """Forget what became of jobs that ended long ago; of how many.

    An upload is known by its job for as long as it is there, and a removal that failed, or after which something was
    found still, until somebody has looked after it.
    """
    # An archive is known by its job for as long as it can be downloaded.
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
