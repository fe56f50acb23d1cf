"""The worker: takes jobs out of the queue and has them done, the oldest first.

It loads nothing but a connection to PostgreSQL until a job comes, or is about to; the workshop, with all of Dagster in
it, is opened then. It may be killed at any moment: what it had is taken up again.
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

from gamestats_assets.lakehouse.jobs import CHANNEL, SOON, Kind, Queue, Task, Workshop, at_work, work_on
from gamestats_assets.lakehouse.postgres import PostgresError, PostgresUnavailableError, connect, explained

_LOOKS_EVERY_S = 30.0
"""Seconds between two looks at the queue while nothing is told: for the jobs of dead workers."""
_AFTER_LOSS_S = 2.0
_MOST_BYTES = 1500 << 20
"""Of memory: three times what a batch takes. Libraries do not give back all of theirs."""


class Worker:
    """Works on the jobs of some kinds.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        kinds: of jobs.
        open_workshop: opens what the work needs; called once, when a job is there or about to come.
        idle_s: seconds without a job after which an open workshop is closed.
        log: is told what happens.
        helper: starts a process that does slow jobs until none is left: this one leaves these to it then.
        dead_after_s: as of `Queue`.
    """

    def __init__(
        self,
        url: SecretStr,
        kinds: Sequence[Kind],
        open_workshop: Callable[[], Workshop],
        *,
        idle_s: float,
        log: Callable[[str], object],
        helper: Callable[[], Popen[bytes]] | None = None,
        dead_after_s: float = 30.0,
    ) -> None:
        self._url, self._open, self._idle_s, self._log = url, open_workshop, idle_s, log
        own = [kind for kind in kinds if helper is None or not kind.is_slow]
        self._heralds = {SOON, *(kind.name for kind in own)}
        self._queue = Queue(url, own, dead_after_s)
        self._slow = Queue(url, [kind for kind in kinds if kind not in own], dead_after_s)
        self._start_helper = helper
        self._helper: Popen[bytes] | None = None
        self._workshop: Workshop | None = None
        self._tasks: Sequence[Task] = ()

    def run(self) -> None:
        """Work until the workshop is open for nothing, for there was nothing to do for a while, or is full."""
        while True:
            try:
                if self._listens():
                    return
            except PostgresUnavailableError as error:
                self._log(str(error))
                time.sleep(_AFTER_LOSS_S)

    def run_until_empty(self) -> None:
        """Work until the queue is empty."""
        while self._work():
            pass

    def _listens(self) -> bool:
        """Work as long as PostgreSQL is there; whether to begin anew."""
        with connect(self._url) as conn, explained("hearing of jobs"):
            conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            worked_at = time.monotonic()
            while True:
                self._have_help()
                if self._work():
                    worked_at = time.monotonic()
                    if psutil.Process().memory_info().rss > _MOST_BYTES:
                        return True
                    continue
                if self._workshop is not None and time.monotonic() - worked_at > self._idle_s:
                    return True
                # Sleeps in the kernel: psycopg would look ten times a second whether somebody interrupts.
                select.select([conn], [], [], min(_LOOKS_EVERY_S, self._idle_s))
                if self._heralds.intersection(told.payload for told in conn.notifies(timeout=0)):
                    self._at_hand()
                    worked_at = time.monotonic()

    def _have_help(self) -> None:
        """Have slow jobs done by the helper, if there are any."""
        is_gone = self._helper is None or self._helper.poll() is not None
        if self._start_helper is not None and is_gone and self._slow.is_waiting():
            self._helper = self._start_helper()

    def _work(self) -> bool:
        """Work on the oldest job, with those that are done together with it; whether there was one."""
        taken = self._queue.take()
        if taken is None:
            return False
        kind, self._tasks = taken
        with self._queue.alive(self._tasks), at_work(self._url, kind.game):
            work_on(kind, self._at_hand(), self._tasks, self._log)
        self._tasks = ()
        return True

    def _at_hand(self) -> Workshop:
        if self._workshop is None:
            self._workshop = self._open()
        return self._workshop

    def end_when_told(self) -> None:
        """Give the jobs back and end at once when the process is asked to end: what it does can be done again."""

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
