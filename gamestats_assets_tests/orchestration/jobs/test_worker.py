"""The worker loads little until there is work, frees it when idle, and exits at once on a signal."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import JobContext, Kind, Task, enqueue, warm_up
from gamestats_assets.orchestration.jobs.worker import Worker

KIND_NAME, GAME = "replay", "rocket_league"
DONE: list[int] = []


def _note(context: JobContext, tasks: Sequence[Task]) -> None:
    DONE.extend(task.job.job_number for task in tasks)


def _hang(context: JobContext, tasks: Sequence[Task]) -> None:
    tasks[0].say("hanging")
    time.sleep(60)


def worker_of(url: str, work: Any, opened: list[bool], idle_s: float = 60) -> Worker:
    def open_context() -> Any:
        opened.append(True)
        return object()

    kind = Kind(KIND_NAME, GAME, work)
    return Worker(SecretStr(url), [kind], open_context, idle_s=idle_s, log=lambda line: None)


def put(url: str) -> None:
    with psycopg.connect(url) as conn:
        enqueue(conn, KIND_NAME, GAME, None, {})


def test_a_context_opens_for_an_announced_job_and_closes_when_idle(ops_database: str) -> None:
    opened: list[bool] = []
    DONE.clear()
    worker = worker_of(ops_database, _note, opened, idle_s=1)
    running = threading.Thread(target=worker.run, daemon=True)
    running.start()
    # Idle it stays as long as it has opened nothing.
    running.join(1.5)
    assert running.is_alive()
    assert opened == []
    with psycopg.connect(ops_database) as conn:
        warm_up(conn)
    _wait(lambda: bool(opened))
    put(ops_database)
    _wait(lambda: bool(DONE))
    running.join(10)
    assert not running.is_alive()
    assert opened == [True]


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_slow_jobs_run_in_a_helper_so_that_no_upload_waits(ops_database: str) -> None:
    DONE.clear()
    helped: list[str] = []

    def helper() -> Any:
        helped.append("started")
        return subprocess.Popen(["sleep", "60"])

    kinds = [Kind("erasure", GAME, _hang, is_slow=True), Kind(KIND_NAME, GAME, _note)]
    worker = Worker(SecretStr(ops_database), kinds, object, idle_s=1, log=print, helper=helper)  # type: ignore[arg-type]
    with psycopg.connect(ops_database) as conn:
        enqueue(conn, "erasure", GAME, None, {})
        enqueue(conn, KIND_NAME, GAME, None, {})
        enqueue(conn, "erasure", GAME, None, {})
    running = threading.Thread(target=worker.run, daemon=True)
    running.start()
    try:
        _wait(lambda: len(DONE) == 1)
        running.join(10)
        assert helped == ["started"]
    finally:
        assert worker._helper is not None
        worker._helper.kill()
        worker._helper.wait()


def _work_until_told(url: str) -> None:
    worker = worker_of(url, _hang, [])
    worker.exit_on_signal()
    worker.run()


def test_on_a_signal_it_puts_its_jobs_back_and_exits_at_once(ops_database: str) -> None:
    put(ops_database)
    process = multiprocessing.get_context("forkserver").Process(target=_work_until_told, args=(ops_database,))
    process.start()
    with psycopg.connect(ops_database, autocommit=True) as conn:
        state = "SELECT state, said, attempts FROM ops.jobs"
        _wait(lambda: conn.execute(state).fetchone() == ("processing", "hanging", 1))
        assert process.pid is not None
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        process.join(10)
        assert process.exitcode == 0
        assert time.monotonic() - began < 3
        assert conn.execute(state).fetchone() == ("queued", "waiting", 0)
