"""What is done for people who go: every account that was theirs is forgotten, and all that they sent is removed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from gamestats_assets.lakehouse.encryption import Keys
from gamestats_assets.lakehouse.entries import UnknownNameError
from gamestats_assets.lakehouse.jobs import Task, Workshop
from gamestats_assets.lakehouse.ops import rows
from gamestats_assets.lakehouse.postgres import connect
from gamestats_assets.lakehouse.published_notes import forget_answers
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.rocket_league.privacy import tombstones
from gamestats_assets.rocket_league.privacy.erasure import forget
from gamestats_assets.rocket_league.privacy.leaving import Leaving
from gamestats_assets.rocket_league.source import GAME


class UnfinishedError(Exception):
    """Tables could not be made again without the person; the job is tried again."""


def forget_people(workshop: Workshop, tasks: Sequence[Task]) -> None:
    """Forget who has left, or who objected and was heard."""
    for task in tasks:
        _forget_one(workshop, task)


def _forget_one(workshop: Workshop, task: Task) -> None:
    began, stores = time.monotonic(), workshop.stores
    leaving = Leaving.opened(task.job.payload, Keys.of(stores.settings))
    for name in leaving.objects:
        stores.objects.delete(name)
    matches, left = 0, Counter[str]()
    for player_id in leaving.players:
        try:
            done = forget(
                stores,
                player_id,
                today=datetime.now(UTC).date(),
                remake=lambda days: _remake(workshop, days),
                forget_runs=workshop.forget_runs,
                tell=task.say,
            )
        except UnknownNameError:
            # Nothing is held, and nothing is to be: files that come later are refused as well.
            tombstones.bury(stores.landing, GAME, player_id, datetime.now(UTC).date())
        else:
            matches += done.matches
            left.update(place.partition(":")[0] for place in done.left)
    # What serves keeps answers in memory: they are shown to nobody, and need not stay there.
    forget_answers(stores.postgres_url)
    seconds = round(time.monotonic() - began, 1)
    task.done({"matches": matches, "left": dict(left), "seconds": seconds}, _said(left))
    # Nothing says any more whose erasure it was.
    with connect(stores.postgres_url) as conn:
        conn.execute("UPDATE ops.jobs SET payload = '{}', user_id = NULL WHERE job_id = %s", [task.job.job_id])


def _remake(workshop: Workshop, days: Sequence[str]) -> None:
    names = _tracked(workshop.stores)
    if failures := workshop.follow(GAME, days=days, names=names):
        raise UnfinishedError("\n".join(failures))


def _tracked(stores: Stores) -> list[str]:
    """Whose tables there are: some may name who goes."""
    with connect(stores.postgres_url) as conn:
        return [row["player_id"] for row in rows(conn, "SELECT player_id FROM ops.rl_players")]


def _said(left: Counter[str]) -> str:
    if not left:
        return "Everything was removed, and nothing is found any more."
    places = ", ".join(f"{store} ({count})" for store, count in left.items())
    return f"Removed; but something is still found in: {places}. An administrator is told."
