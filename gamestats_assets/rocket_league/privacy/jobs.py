"""Jobs for people who leave, and for those who withdraw a consent.

When a person leaves, every account is forgotten and all uploads are removed. A withdrawn consent ends with the next
run; a job requests that run, so that a page can show when it is in effect.
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

_FAILED = "The tables could not be rebuilt. It is tried again automatically; the worker's log has the reason."


class UnfinishedError(Exception):
    """Tables could not be rebuilt without the person; the job is tried again."""


def forget_people(context: JobContext, tasks: Sequence[Task]) -> None:
    """Forget people who left, or whose objection was granted."""
    for task in tasks:
        _forget_one(context, task)


class Steps:
    """Reports the steps of removing a person's accounts, one account after another.

    Args:
        task: receives the messages.
        accounts: number of accounts.
        matches: number of matches that are masked already.
    """

    def __init__(self, task: Task, accounts: int, matches: int) -> None:
        self._task, self._of, self._number = task, accounts * STEPS, 0
        self.matches = matches

    def begin(self, account: int) -> None:
        """Begin with an account, whatever step the previous account reached."""
        self._number = account * STEPS

    def tell(self, text: str) -> None:
        """Report the next step."""
        self._number += 1
        self._say(text)

    def waits(self, runs: int) -> None:
        """Report the runs that the step waits for before it begins."""
        waited_for = "a run that makes tables" if runs == 1 else f"{runs} runs that make tables"
        self._say(f"Waiting for {waited_for}")

    def _say(self, text: str) -> None:
        message = f"Step {self._number} of {self._of}: {text[0].lower()}{text[1:]}"
        self._task.say(message, {"step": self._number, "steps": self._of, "matches": self.matches})


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
            # There are no data, and there must be none later: the tombstone covers future files.
            tombstones.bury(stores.landing, GAME, player_id, datetime.now(UTC).date())
        else:
            steps.matches += done.matches
            left.update(place.partition(":")[0] for place in done.left)
    # Servers keep answers in memory; these are never shown again, but should not stay there.
    forget_answers(stores.postgres_url)
    seconds = round((task.job.result.get("seconds") or 0) + time.monotonic() - began, 1)
    task.done({"matches": steps.matches, "left": dict(left), "seconds": seconds}, _said(left))
    if not left:
        # Now the job no longer identifies the person; while traces remain, it must, so that it can be tried again.
        with connect(stores.postgres_url) as conn:
            conn.execute(
                "UPDATE ops.jobs SET payload = payload - %s::text, user_id = NULL WHERE job_id = %s",
                [SEALED, task.job.job_id],
            )


def _with_names(stores: Stores, task: Task, leaving: Leaving, keys: Keys) -> Leaving:
    """Returns the leaving person with all known names, and stores them for another attempt."""
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
        return "Everything was removed; no traces remain."
    places = ", ".join(f"{store} ({count})" for store, count in left.items())
    return f"Removed, but traces remain in: {places}. An administrator has been notified."


def make_without(context: JobContext, tasks: Sequence[Task]) -> None:
    """Rebuild the tables without the data of people who withdrew."""

    def tell(text: str) -> None:
        for task in tasks:
            task.say(text)

    context.let_runs_end(GAME, lambda runs: tell("waiting for runs under way"))
    tell("rebuilding the tables without you")
    if failures := context.follow(GAME, names=tracked(context.stores)):
        for task in tasks:
            task.fail(_FAILED)
        raise RuntimeError("; ".join(failures))


def tracked(stores: Stores) -> list[str]:
    """Returns all players with tables of their own: each may refer to another."""
    with connect(stores.postgres_url) as conn:
        return [row["player_id"] for row in rows(conn, "SELECT player_id FROM ops.rl_players")]
