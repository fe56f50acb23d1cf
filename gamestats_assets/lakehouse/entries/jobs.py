"""The queue of slow requests of people: uploads, imports, exports, erasures (`ops.jobs`).

Servers enqueue jobs. Workers take them, the oldest first, and each job goes to one worker. Workers send heartbeats; the
jobs of a dead one are taken up again, at most three times in all. The work of a job must therefore be repeatable.

    job_id = enqueue(conn, "export", "rocket_league", user_id, {"player_id": "steam_1"})

    queue = Queue(url, KINDS)
    for kind, tasks in iter(queue.take, None):
        with queue.alive(tasks):
            kind.work(context, tasks)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString, Protocol
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.errors import UndefinedTable
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.postgres.server import PostgresError, PostgresUnavailableError, connect, explained

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.stores import Stores

CHANNEL = "gamestats_jobs"
"""PostgreSQL's notification channel for new and announced jobs."""
SOON = "soon"
"""Payload that announces a job; the payload for a new job is its kind."""
MOST_ATTEMPTS = 3
_ALIVE_EVERY_S, _DEAD_AFTER_S = 5.0, 30.0
_GIVEN_UP = (
    f"It was begun {MOST_ATTEMPTS} times, and each time the program that worked on it ended before it was done. "
    "An administrator finds the reason in the log of the worker."
)
_BROKEN = "An unexpected error occurred. An administrator finds it in the log of the worker."


def enqueue(
    conn: psycopg.Connection[Any], kind: str, game: str, user_id: int | None, payload: Mapping[str, Any]
) -> UUID:
    """Adds a job to the queue, in the transaction of the connection; returns its id."""
    row = conn.cursor(row_factory=tuple_row).execute(
        "INSERT INTO ops.jobs (kind, game, user_id, payload) VALUES (%s, %s, %s, %s) RETURNING job_id",
        [kind, game, user_id, Jsonb(dict(payload))],
    )
    return row.fetchall()[0][0]


def warm_up(conn: psycopg.Connection[Any]) -> None:
    """Announces a job, so that an idle worker loads its libraries."""
    conn.execute("SELECT pg_notify(%s, %s)", [CHANNEL, SOON])


@dataclass(frozen=True, slots=True)
class Job:
    """A job, as a worker took it.

    Attributes:
        payload: the request, as enqueued.
        result: result of earlier attempts; empty at first.
        attempts: number of attempts, including this one.
    """

    job_id: UUID
    job_number: int
    kind: str
    game: str
    user_id: int | None
    payload: Mapping[str, Any]
    result: Mapping[str, Any]
    attempts: int


@dataclass(slots=True)
class Task:
    """A job in the hands of a worker, with which the worker reports progress and outcome.

    Reports are ignored if another worker has taken over the job.
    """

    job: Job
    url: SecretStr
    is_ended: bool = field(default=False, init=False)

    def say(self, text: str, result: Mapping[str, Any] | None = None) -> None:
        """Reports progress in words for the person, and the result so far."""
        so_far = None if result is None else Jsonb(dict(result))
        self._update("said = %(text)s, result = coalesce(%(so_far)s, result)", text=text, so_far=so_far)

    def done(self, result: Mapping[str, Any] | None = None, said: str = "done") -> None:
        """Ends the job as done, with its result."""
        self._end("done", text=said, result=result)

    def fail(self, why: str, result: Mapping[str, Any] | None = None) -> None:
        """Ends the job as failed, with the reason in words for the person."""
        self._end("failed", text="failed", error=why, result=result)

    def put_back(self) -> None:
        """Returns the job to the queue as if it had never been taken."""
        self._update("state = 'queued', attempts = attempts - 1, alive_at = NULL, said = %(text)s", text="waiting")
        self.is_ended = True

    def try_again(self) -> None:
        """Returns the job to the queue, or gives it up after the last attempt."""
        if self.job.attempts >= MOST_ATTEMPTS:
            self.fail(_BROKEN)
        else:
            self._update("state = 'queued', alive_at = NULL, said = %(text)s", text="waiting to be tried again")
            self.is_ended = True

    def _end(self, state: str, *, text: str, error: str | None = None, result: Mapping[str, Any] | None = None) -> None:
        self._update(
            "state = %(state)s, said = %(text)s, error = %(error)s, result = %(result)s, finished_at = now()",
            state=state,
            text=text,
            error=error,
            result=None if result is None else Jsonb(dict(result)),
        )
        self.is_ended = True

    def _update(self, change: LiteralString, **values: Any) -> None:
        own = sql.SQL("job_id = %(job_id)s AND state = 'processing' AND attempts = %(attempts)s")
        statement = sql.SQL("UPDATE ops.jobs SET {} WHERE {}").format(sql.SQL(change), own)
        with explained("ops.jobs"), connect(self.url) as conn:
            conn.execute(statement, {**values, "job_id": self.job.job_id, "attempts": self.job.attempts})


class JobContext(Protocol):
    """The tools for working on jobs."""

    @property
    def stores(self) -> Stores:
        """The landing zone, the lake and PostgreSQL."""
        ...

    def follow(
        self, game: str, *, days: Collection[str] = (), names: Collection[str] = (), only: Collection[str] | None = None
    ) -> list[str]:
        """Brings tables of a game up to date, PostgreSQL included.

        Args:
            game: name of the game.
            days: days to make in tables by day (YYYY-MM-DD).
            names: names to make in tables by name, such as players.
            only: names of tables to make, such as `participants`; None means all.

        Returns:
            Failures, a sentence each.
        """
        ...

    def let_runs_end(self, game: str, tell: Callable[[int], object]) -> None:
        """Waits until the current runs of a game have ended, since they may have read outdated data.

        The wait is limited; later writes of runs are found later.

        Args:
            game: name of the game.
            tell: called with the number of remaining runs whenever it changes.
        """
        ...

    def forget_runs(self, texts: Sequence[str], partitions: Mapping[str, str]) -> None:
        """Removes everything that contains one of the texts from Dagster, and partitions, given by dimension."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of jobs.

    Attributes:
        name: name in `ops.jobs`.
        game: the game of these jobs.
        work: works on some jobs, the oldest first, and ends each of them; those that it leaves open count as done when
            it returns. If it raises, the open jobs fail: with the message of a `GamestatsError`, or after further
            attempts for any other error.
        at_once: number of jobs to work on together.
        is_slow: whether other jobs should not wait behind one, because it takes minutes or itself waits for others.
    """

    name: str
    game: str
    work: Callable[[JobContext, Sequence[Task]], None]
    at_once: int = 1
    is_slow: bool = False


_DUE = sql.SQL("(state = 'queued' OR state = 'processing' AND alive_at < now() - make_interval(secs => %(dead)s))")
_GIVE_UP = sql.SQL("""
    UPDATE ops.jobs SET state = 'failed', said = 'failed', error = %(given_up)s, finished_at = now()
    WHERE job_id IN (SELECT job_id FROM ops.jobs WHERE {} AND attempts >= %(most)s FOR UPDATE SKIP LOCKED)
""").format(_DUE)
_OLDEST = sql.SQL("""
    SELECT game, kind FROM ops.jobs
    WHERE {} AND (game, kind) IN (SELECT * FROM unnest(%(games)s::text[], %(names)s::text[]))
    ORDER BY job_number LIMIT 1 FOR UPDATE SKIP LOCKED
""").format(_DUE)
_TAKE = sql.SQL("""
    UPDATE ops.jobs SET state = 'processing', attempts = attempts + 1, alive_at = now(),
        started_at = coalesce(started_at, now()), said = 'beginning'
    WHERE job_id IN (
        SELECT job_id FROM ops.jobs WHERE game = %(game)s AND kind = %(kind)s AND {}
        ORDER BY job_number LIMIT %(at_once)s FOR UPDATE SKIP LOCKED
    )
    RETURNING job_id, job_number, kind, game, user_id, payload, coalesce(result, '{{}}') AS result, attempts
""").format(_DUE)


_UPDATE_POSITIONS = """
    WITH free AS (SELECT job_id FROM ops.jobs WHERE state = 'queued' FOR UPDATE SKIP LOCKED), line AS (
        SELECT job_id, CASE before
            WHEN 0 THEN 'waiting' WHEN 1 THEN 'waiting: another request came before'
            ELSE format('waiting: %%s other requests came before', before) END AS position
        FROM (
            SELECT job_id, row_number() OVER (ORDER BY job_number) - 1 AS before
            FROM ops.jobs WHERE state IN ('queued', 'processing')
        ) AS numbered
    )
    UPDATE ops.jobs SET said = position FROM free JOIN line USING (job_id)
    WHERE jobs.job_id = line.job_id AND said <> position
"""
_LOCK_GAME, _IS_GAME_LOCKED = (
    "SELECT pg_advisory_lock_shared(hashtextextended('gamestats at work on ' || %s, 0))",
    "SELECT NOT pg_try_advisory_xact_lock(hashtextextended('gamestats at work on ' || %s, 0))",
)


@contextmanager
def at_work(url: SecretStr, game: str) -> Iterator[None]:
    """Marks a game as worked on, so that the sensor leaves its tables to the worker for a while."""
    with explained("ops.jobs"), connect(url) as conn:
        conn.execute(_LOCK_GAME, [game])
        yield


def is_at_work(url: SecretStr, game: str) -> bool:
    """Whether a worker is working on a game."""
    with explained("ops.jobs"), connect(url) as conn:
        return conn.execute(_IS_GAME_LOCKED, [game]).fetchone() == (True,)


class Queue:
    """The queued jobs of some kinds.

    Args:
        url: PostgreSQL, with the schema `ops` migrated.
        kinds: the kinds of jobs to take.
        dead_after_s: seconds without a heartbeat after which a worker counts as dead.
    """

    def __init__(self, url: SecretStr, kinds: Sequence[Kind], dead_after_s: float = _DEAD_AFTER_S) -> None:
        self._url, self._dead_after_s = url, dead_after_s
        self._kinds = {(kind.game, kind.name): kind for kind in kinds}
        self._known = {"games": [kind.game for kind in kinds], "names": [kind.name for kind in kinds]}

    def take(self) -> tuple[Kind, list[Task]] | None:
        """Takes the oldest waiting job, with as many more of its kind as are worked on together."""
        values = {"dead": self._dead_after_s, "most": MOST_ATTEMPTS, "given_up": _GIVEN_UP}
        # Before the first migration there are no jobs.
        with explained("ops.jobs"), suppress(UndefinedTable), connect(self._url) as conn, conn.transaction():
            conn.execute(_GIVE_UP, values)
            first = conn.execute(_OLDEST, {**values, **self._known}).fetchone()
            if first is None:
                return None
            kind = self._kinds[first]
            parameters = {**values, "game": kind.game, "kind": kind.name, "at_once": kind.at_once}
            jobs = conn.cursor(row_factory=class_row(Job)).execute(_TAKE, parameters).fetchall()
            return kind, [Task(job, self._url) for job in sorted(jobs, key=lambda job: job.job_number)]
        return None

    def is_waiting(self) -> bool:
        """Whether a job is waiting."""
        values = {"dead": self._dead_after_s, **self._known}
        with explained("ops.jobs"), suppress(UndefinedTable), connect(self._url) as conn:
            return conn.execute(_OLDEST, values).fetchone() is not None
        return False

    @contextmanager
    def alive(self, tasks: Sequence[Task]) -> Iterator[None]:
        """Sends heartbeats for these jobs, and updates the positions of waiting ones."""
        ended = threading.Event()
        own = [task.job.job_id for task in tasks], [task.job.attempts for task in tasks]

        def beat() -> None:
            # A short outage of PostgreSQL does not make a worker count as dead.
            while True:
                with suppress(PostgresError, psycopg.Error), connect(self._url) as conn:
                    conn.execute(
                        "UPDATE ops.jobs SET alive_at = now() WHERE state = 'processing' AND (job_id, attempts) IN"
                        " (SELECT * FROM unnest(%s::uuid[], %s::int[]))",
                        own,
                    )
                    conn.execute(_UPDATE_POSITIONS, [])
                if ended.wait(min(_ALIVE_EVERY_S, self._dead_after_s / 3)):
                    return

        heartbeat = threading.Thread(target=beat, name="alive", daemon=True)
        heartbeat.start()
        try:
            yield
        finally:
            ended.set()
            heartbeat.join()


def work_on(kind: Kind, context: JobContext, tasks: Sequence[Task], log: Callable[[str], object]) -> None:
    """Works on jobs and ends every one of them, whatever is raised.

    Raises:
        PostgresUnavailableError: if PostgreSQL is unavailable; the jobs are taken up again later.
    """
    try:
        kind.work(context, tasks)
    except PostgresUnavailableError:
        raise
    except GamestatsError as error:
        log(f"{kind.name}: {error}")
        for task in tasks:
            if not task.is_ended:
                task.fail(str(error))
    except Exception as error:  # noqa: BLE001 (the worker must go on with other jobs)
        import traceback

        log(f"{kind.name}: {''.join(traceback.format_exception(error))}")
        for task in tasks:
            if not task.is_ended:
                task.try_again()
    else:
        for task in tasks:
            if not task.is_ended:
                task.done()
