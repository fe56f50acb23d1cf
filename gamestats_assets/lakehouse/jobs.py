"""The queue of what people ask for and that takes a while: uploads, imports, exports, erasures (`ops.jobs`).

Who serves puts jobs in; workers take them out, the oldest first, and each job is taken by one worker. A worker says
all the time that it lives. What a dead one had is taken up again, three times at most: so whatever is done for a job
must be such that it can be done again.

    job_id = enqueue(conn, "export", "rocket_league", user_id, {"player_id": "steam_1"})

    queue = Queue(url, KINDS)
    for kind, tasks in iter(queue.take, None):
        with queue.alive(tasks):
            kind.work(workshop, tasks)
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
from gamestats_assets.lakehouse.postgres import PostgresError, PostgresUnavailableError, connect, explained

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.stores import Stores

CHANNEL = "gamestats_jobs"
"""PostgreSQL tells on this channel of every new job, and that one is about to come, for a worker to get ready."""
SOON = "soon"
"""What is told of one that is about to come; of a new one its kind."""
MOST_ATTEMPTS = 3
_ALIVE_EVERY_S, _DEAD_AFTER_S = 5.0, 30.0
_GIVEN_UP = (
    f"It was begun {MOST_ATTEMPTS} times, and each time the program that worked on it ended before it was done. "
    "An administrator finds why in the log of the worker."
)
_BROKEN = "Something went wrong that nobody foresaw. An administrator finds what in the log of the worker."


def enqueue(
    conn: psycopg.Connection[Any], kind: str, game: str, user_id: int | None, payload: Mapping[str, Any]
) -> UUID:
    """Put a job into the queue, in the transaction of the connection; its id."""
    row = conn.cursor(row_factory=tuple_row).execute(
        "INSERT INTO ops.jobs (kind, game, user_id, payload) VALUES (%s, %s, %s, %s) RETURNING job_id",
        [kind, game, user_id, Jsonb(dict(payload))],
    )
    return row.fetchall()[0][0]


def warm_up(conn: psycopg.Connection[Any]) -> None:
    """Tell workers that a job is about to come: one that is idle loads meanwhile what it needs."""
    conn.execute("SELECT pg_notify(%s, %s)", [CHANNEL, SOON])


@dataclass(frozen=True, slots=True)
class Job:
    """A job, as a worker took it.

    Attributes:
        payload: what is asked for, as whoever enqueued it wrote it.
        result: what came of it when it was worked on before; nothing the first time.
        attempts: how many times it was begun, this one included.
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
    """A job in the hands of a worker, who says what is going on and how it ended.

    What a worker says of a job that another one has taken up meanwhile is not heard.
    """

    job: Job
    url: SecretStr
    is_ended: bool = field(default=False, init=False)

    def say(self, text: str, result: Mapping[str, Any] | None = None) -> None:
        """Say in words for the person what is going on, and what came of it so far."""
        so_far = None if result is None else Jsonb(dict(result))
        self._update("said = %(text)s, result = coalesce(%(so_far)s, result)", text=text, so_far=so_far)

    def done(self, result: Mapping[str, Any] | None = None, said: str = "done") -> None:
        """End the job: it is done, and that is what came of it."""
        self._end("done", text=said, result=result)

    def fail(self, why: str, result: Mapping[str, Any] | None = None) -> None:
        """End the job: nothing came of it, and that is why, in words for the person."""
        self._end("failed", text="failed", error=why, result=result)

    def put_back(self) -> None:
        """Give the job back to the queue as if it had never been taken."""
        self._update("state = 'queued', attempts = attempts - 1, alive_at = NULL, said = %(text)s", text="waiting")
        self.is_ended = True

    def try_again(self) -> None:
        """Give the job back to the queue, or give it up when it was tried often enough."""
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


class Workshop(Protocol):
    """What those who work on jobs have at hand."""

    @property
    def stores(self) -> Stores:
        """The landing zone, the lake and PostgreSQL."""
        ...

    def follow(
        self, game: str, *, days: Collection[str] = (), names: Collection[str] = (), only: Collection[str] | None = None
    ) -> list[str]:
        """Bring tables of a game up to date, through to PostgreSQL.

        Args:
            days: whose partitions by day are made (YYYY-MM-DD).
            names: whose partitions by name are made, such as players.
            only: names of the tables that are made, such as `participants`; None: all.

        Returns:
            What failed, a sentence each.
        """
        ...

    def let_runs_end(self, game: str, tell: Callable[[int], object]) -> None:
        """Wait until runs of a game that are under way have ended: they may have read what is no longer so.

        Not for ever: what then still writes is found later.

        Args:
            tell: called with how many are waited for, whenever that is another number.
        """
        ...

    def forget_runs(self, texts: Sequence[str], partitions: Mapping[str, str]) -> None:
        """Take what holds one of the texts out of Dagster, and partitions by the name of their dimension."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs of a kind.

    Attributes:
        name: of the kind, as `ops.jobs` has it.
        game: whose jobs these are.
        work: works on some jobs, the oldest first, and ends each of them; those it leaves are done when it returns.
            What it raises fails those that are left: `GamestatsError` with its words, anything else after further
            attempts.
        at_once: jobs that are worked on together.
        is_slow: whether nobody should wait behind one, for it takes minutes, or waits for others itself.
    """

    name: str
    game: str
    work: Callable[[Workshop, Sequence[Task]], None]
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


_SAY_HOW_MANY_BEFORE = """
    WITH free AS (SELECT job_id FROM ops.jobs WHERE state = 'queued' FOR UPDATE SKIP LOCKED), line AS (
        SELECT job_id, CASE before
            WHEN 0 THEN 'waiting' WHEN 1 THEN 'waiting: another request came before'
            ELSE format('waiting: %%s other requests came before', before) END AS told
        FROM (
            SELECT job_id, row_number() OVER (ORDER BY job_number) - 1 AS before
            FROM ops.jobs WHERE state IN ('queued', 'processing')
        ) AS numbered
    )
    UPDATE ops.jobs SET said = told FROM free JOIN line USING (job_id)
    WHERE jobs.job_id = line.job_id AND said <> told
"""
_WORKS, _IS_WORKED_ON = (
    "SELECT pg_advisory_lock_shared(hashtextextended('gamestats at work on ' || %s, 0))",
    "SELECT NOT pg_try_advisory_xact_lock(hashtextextended('gamestats at work on ' || %s, 0))",
)


@contextmanager
def at_work(url: SecretStr, game: str) -> Iterator[None]:
    """Keep those who make up for what is behind from what a worker does of a game just now."""
    with explained("ops.jobs"), connect(url) as conn:
        conn.execute(_WORKS, [game])
        yield


def is_at_work(url: SecretStr, game: str) -> bool:
    """Whether a worker is at work on a game."""
    with explained("ops.jobs"), connect(url) as conn:
        return conn.execute(_IS_WORKED_ON, [game]).fetchone() == (True,)


class Queue:
    """The jobs of some kinds.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        kinds: what is taken; other jobs are left to others.
        dead_after_s: seconds after which a worker that says nothing is dead.
    """

    def __init__(self, url: SecretStr, kinds: Sequence[Kind], dead_after_s: float = _DEAD_AFTER_S) -> None:
        self._url, self._dead_after_s = url, dead_after_s
        self._kinds = {(kind.game, kind.name): kind for kind in kinds}
        self._known = {"games": [kind.game for kind in kinds], "names": [kind.name for kind in kinds]}

    def take(self) -> tuple[Kind, list[Task]] | None:
        """The oldest job that nobody works on, with as many more of its kind as are worked on together."""
        values = {"dead": self._dead_after_s, "most": MOST_ATTEMPTS, "given_up": _GIVEN_UP}
        # Before the first migration nobody has asked for anything.
        with explained("ops.jobs"), suppress(UndefinedTable), connect(self._url) as conn, conn.transaction():
            conn.execute(_GIVE_UP, values)
            first = conn.execute(_OLDEST, {**values, **self._known}).fetchone()
            if first is None:
                return None
            kind = self._kinds[first]
            of_kind = {**values, "game": kind.game, "kind": kind.name, "at_once": kind.at_once}
            jobs = conn.cursor(row_factory=class_row(Job)).execute(_TAKE, of_kind).fetchall()
            return kind, [Task(job, self._url) for job in sorted(jobs, key=lambda job: job.job_number)]
        return None

    def is_waiting(self) -> bool:
        """Whether there is a job that nobody works on."""
        values = {"dead": self._dead_after_s, **self._known}
        with explained("ops.jobs"), suppress(UndefinedTable), connect(self._url) as conn:
            return conn.execute(_OLDEST, values).fetchone() is not None
        return False

    @contextmanager
    def alive(self, tasks: Sequence[Task]) -> Iterator[None]:
        """Say all the time that who works on these jobs lives, and to those who wait how many are before them."""
        ended = threading.Event()
        own = [task.job.job_id for task in tasks], [task.job.attempts for task in tasks]

        def say() -> None:
            # A moment without PostgreSQL is shorter than what makes a worker a dead one.
            while True:
                with suppress(PostgresError, psycopg.Error), connect(self._url) as conn:
                    conn.execute(
                        "UPDATE ops.jobs SET alive_at = now() WHERE state = 'processing' AND (job_id, attempts) IN"
                        " (SELECT * FROM unnest(%s::uuid[], %s::int[]))",
                        own,
                    )
                    conn.execute(_SAY_HOW_MANY_BEFORE, [])
                if ended.wait(min(_ALIVE_EVERY_S, self._dead_after_s / 3)):
                    return

        teller = threading.Thread(target=say, name="alive", daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()


def work_on(kind: Kind, workshop: Workshop, tasks: Sequence[Task], log: Callable[[str], object]) -> None:
    """Work on jobs until every one has ended, whatever is raised by that.

    Raises:
        PostgresUnavailableError: when PostgreSQL is gone; the jobs are taken up again then.
    """
    try:
        kind.work(workshop, tasks)
    except PostgresUnavailableError:
        raise
    except GamestatsError as error:
        log(f"{kind.name}: {error}")
        for task in tasks:
            if not task.is_ended:
                task.fail(str(error))
    except Exception as error:  # noqa: BLE001 (whatever it is, the worker goes on with other jobs)
        import traceback

        log(f"{kind.name}: {''.join(traceback.format_exception(error))}")
        for task in tasks:
            if not task.is_ended:
                task.try_again()
    else:
        for task in tasks:
            if not task.is_ended:
                task.done()
