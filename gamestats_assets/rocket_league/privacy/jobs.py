"""What is done for people who go, and for those who take back what they allowed.

Of who goes every account is forgotten, and all that the person sent is removed. What is allowed no more ends with the
next run, which a job asks for, so that a page can tell when it did.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from gamestats_assets.lakehouse.entries.declared import UnknownNameError
from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets.lakehouse.entries.jobs import JobContext, Task
from gamestats_assets.lakehouse.entries.ops import rows
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.published.notes import forget_answers
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.rocket_league.privacy import tombstones
from gamestats_assets.rocket_league.privacy.erasure import STEPS, forget, names_of
from gamestats_assets.rocket_league.privacy.leaving import SEALED, Leaving
from gamestats_assets.rocket_league.source import GAME

_FAILED = "Tables could not be made again. It is tried again by itself; an administrator finds why in the worker's log."


class UnfinishedError(Exception):
    """Tables could not be made again without the person; the job is tried again."""


def forget_people(context: JobContext, tasks: Sequence[Task]) -> None:
    """Forget who has left, or who objected and was heard."""
    for task in tasks:
        _forget_one(context, task)


class Steps:
    """Tells which step is done of the removal of somebody's accounts, one after another.

    Args:
        task: is told.
        accounts: how many there are.
        matches: in how many somebody masked took a place already.
    """

    def __init__(self, task: Task, accounts: int, matches: int) -> None:
        self._task, self._of, self._number = task, accounts * STEPS, 0
        self.matches = matches

    def begin(self, account: int) -> None:
        """Begin with an account, however many steps there were of the one before."""
        self._number = account * STEPS

    def tell(self, text: str) -> None:
        """Tell of the next step."""
        self._number += 1
        self._say(text)

    def waits(self, runs: int) -> None:
        """Tell what the step waits for before it is begun."""
        whom = "a run that makes tables ends, which" if runs == 1 else f"{runs} runs that make tables end, which"
        self._say(f"Waiting until {whom} began before")

    def _say(self, text: str) -> None:
        said = f"Step {self._number} of {self._of}: {text[0].lower()}{text[1:]}"
        self._task.say(said, {"step": self._number, "steps": self._of, "matches": self.matches})


def _forget_one(context: JobContext, task: Task) -> None:
    began, stores, keys = time.monotonic(), context.stores, Keys.of(context.stores.settings)
    leaving = _with_names(stores, task, Leaving.opened(task.job.payload, keys), keys)
    for name in leaving.objects:
        stores.objects.delete(name)
    steps, left = Steps(task, len(leaving.players), task.job.result.get("matches") or 0), Counter[str]()

    def remake(days: Sequence[str]) -> None:
        context.let_runs_end(GAME, steps.waits)
        _remake(context, days)

    for number, player_id in enumerate(leaving.players):
        steps.begin(number)
        try:
            done = forget(
                stores,
                player_id,
                today=datetime.now(UTC).date(),
                remake=remake,
                forget_runs=context.forget_runs,
                called=leaving.called,
                tell=steps.tell,
            )
        except UnknownNameError:
            # Nothing is held, and nothing is to be: files that come later are refused as well.
            tombstones.bury(stores.landing, GAME, player_id, datetime.now(UTC).date())
        else:
            steps.matches += done.matches
            left.update(place.partition(":")[0] for place in done.left)
    # What serves keeps answers in memory: they are shown to nobody, and need not stay there.
    forget_answers(stores.postgres_url)
    seconds = round((task.job.result.get("seconds") or 0) + time.monotonic() - began, 1)
    task.done({"matches": steps.matches, "left": dict(left), "seconds": seconds}, _said(left))
    if not left:
        # Nothing says any more whose erasure it was; as long as something is found, it can be tried again.
        with connect(stores.postgres_url) as conn:
            conn.execute(
                "UPDATE ops.jobs SET payload = payload - %s::text, user_id = NULL WHERE job_id = %s",
                [SEALED, task.job.job_id],
            )


def _with_names(stores: Stores, task: Task, leaving: Leaving, keys: Keys) -> Leaving:
    """What is known of who goes, and what they are called, kept for an attempt after this one."""
    called = {name for player_id in leaving.players for name in names_of(stores, player_id)}
    known = replace(leaving, called=tuple(sorted(called.union(leaving.called))))
    with connect(stores.postgres_url) as conn:
        conn.execute(
            "UPDATE ops.jobs SET payload = payload || %s WHERE job_id = %s",
            [Jsonb(known.sealed(keys)), task.job.job_id],
        )
    return known


def _remake(context: JobContext, days: Sequence[str]) -> None:
    if failures := context.follow(GAME, days=days, names=tracked(context.stores)):
        raise UnfinishedError("\n".join(failures))


def _said(left: Counter[str]) -> str:
    if not left:
        return "Everything was removed, and nothing is found any more."
    places = ", ".join(f"{store} ({count})" for store, count in left.items())
    return f"Removed; but something is still found in: {places}. An administrator is told."


def make_without(context: JobContext, tasks: Sequence[Task]) -> None:
    """Make the tables again without those who allow them no more."""

    def tell(text: str) -> None:
        for task in tasks:
            task.say(text)

    context.let_runs_end(GAME, lambda runs: tell("waiting until what is being made already is done"))
    tell("making the tables again without you")
    if failures := context.follow(GAME, names=tracked(context.stores)):
        for task in tasks:
            task.fail(_FAILED)
        raise RuntimeError("; ".join(failures))


def tracked(stores: Stores) -> list[str]:
    """Whose tables there are: each may tell of another."""
    with connect(stores.postgres_url) as conn:
        return [row["player_id"] for row in rows(conn, "SELECT player_id FROM ops.rl_players")]
