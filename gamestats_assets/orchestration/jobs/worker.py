"""The worker: takes jobs from the queue, the oldest first, and does them.

Until a job arrives or is announced, it has loaded only a connection to PostgreSQL; then it opens the job context, with
all of Dagster in it. It may be killed at any moment: another worker takes up its jobs again.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from subprocess import Popen
from typing import Any

import psutil
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import CHANNEL, SOON, JobContext, Kind, Queue, Task, at_work, work_on
from gamestats_assets.lakehouse.postgres.server import PostgresError, PostgresUnavailableError, connect, explained

_POLL_S = 30.0
"""Seconds between two looks at the queue without a notification, to find the jobs of dead workers."""
_RETRY_S = 2.0
_MAX_MEMORY_BYTES = 1500 << 20
"""Memory after which the worker restarts: three times that of a batch. Libraries do not free all of theirs."""


class Worker:
    """Works on jobs of some kinds.

    Args:
        url: PostgreSQL, with the schema `ops` migrated.
        kinds: kinds of jobs to work on.
        open_context: opens the tools for the work; called once, when a job arrives or is announced.
        idle_s: seconds without a job after which an open context is closed.
        log: receives messages.
        helper: starts a process that does slow jobs until none is left. This worker then leaves slow jobs to it.
        dead_after_s: as in `Queue`.
    """

    def __init__(
        self,
        url: SecretStr,
        kinds: Sequence[Kind],
        open_context: Callable[[], JobContext],
        *,
        idle_s: float,
        log: Callable[[str], object],
        helper: Callable[[], Popen[bytes]] | None = None,
        dead_after_s: float = 30.0,
    ) -> None:
        self._url, self._open, self._idle_s, self._log = url, open_context, idle_s, log
        own = [kind for kind in kinds if helper is None or not kind.is_slow]
        self._wakes_for = {SOON, *(kind.name for kind in own)}
        self._queue = Queue(url, own, dead_after_s)
        self._slow = Queue(url, [kind for kind in kinds if kind not in own], dead_after_s)
        self._start_helper = helper
        self._helper: Popen[bytes] | None = None
        self._context: JobContext | None = None
        self._tasks: Sequence[Task] = ()

    def run(self) -> None:
        """Works until an open context has been idle for a while, or the process uses too much memory."""
        while True:
            try:
                if self._listen():
                    return
            except PostgresUnavailableError as error:
                self._log(str(error))
                time.sleep(_RETRY_S)

    def run_until_empty(self) -> None:
        """Works until the queue is empty."""
        while self._work():
            pass

    def _listen(self) -> bool:
        """Works while PostgreSQL is available; returns whether the worker should restart."""
        with connect(self._url) as conn, explained("hearing of jobs"):
            conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            worked_at = time.monotonic()
            while True:
                self._start_helper_if_needed()
                if self._work():
                    worked_at = time.monotonic()
                    if psutil.Process().memory_info().rss > _MAX_MEMORY_BYTES:
                        return True
                    continue
                if self._context is not None and time.monotonic() - worked_at > self._idle_s:
                    return True
                # Sleeps in the kernel; psycopg would wake up ten times a second to check for interrupts.
                select.select([conn], [], [], min(_POLL_S, self._idle_s))
                if self._wakes_for.intersection(notification.payload for notification in conn.notifies(timeout=0)):
                    self._opened()
                    worked_at = time.monotonic()

    def _start_helper_if_needed(self) -> None:
        """Starts the helper if slow jobs are waiting and it is not running."""
        is_gone = self._helper is None or self._helper.poll() is not None
        if self._start_helper is not None and is_gone and self._slow.is_waiting():
            self._helper = self._start_helper()

    def _work(self) -> bool:
        """Works on the oldest job and those that are done together with it; returns whether there was one."""
        taken = self._queue.take()
        if taken is None:
            return False
        kind, self._tasks = taken
        with self._queue.alive(self._tasks), at_work(self._url, kind.game):
            work_on(kind, self._opened(), self._tasks, self._log)
        self._tasks = ()
        return True

    def _opened(self) -> JobContext:
        if self._context is None:
            self._context = self._open()
        return self._context

    def exit_on_signal(self) -> None:
        """On a signal to end, puts its jobs back and exits at once, since jobs can be repeated."""

        def end(number: int, frame: Any) -> None:
            with suppress(PostgresError):
                for task in self._tasks:
                    if not task.is_ended:
                        task.put_back()
            if self._helper is not None and self._helper.poll() is None:
                self._helper.terminate()
            sys.stdout.flush()
            os._exit(0)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
