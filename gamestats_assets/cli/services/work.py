"""`gamestats work`: does the slow jobs that people request on the pages."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gamestats_assets.cli.terminal import quiet_warnings

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.entries.jobs import JobContext
    from gamestats_assets.lakehouse.stores import Stores

_COMMAND = [sys.executable, "-m", "gamestats_assets.cli", "work"]
_NICE = 5
"""How far the processor's time goes to others first."""
_GAMES = ("rocket_league",)
"""Games that have jobs."""


def work(
    once: Annotated[bool, typer.Option("--once", help="End when there is nothing left to do.")] = False,
    idle_s: Annotated[
        float, typer.Option("--idle", help="Seconds without work after which memory is given back.", min=1)
    ] = 300,
    slow: Annotated[bool, typer.Option("--slow", hidden=True)] = False,
) -> None:
    """Do what people asked for on the pages: read uploaded replays, import, export, forget.

    `gamestats up` starts it. Several may run, on several machines, too; each job is done by one of them, and what one
    of them had when it was killed is done by another. What takes minutes is done by a process of its own, so that no
    upload waits for it. Runs until Ctrl-C.

    Examples:

        gamestats work
        gamestats work --once
    """
    quiet_warnings()
    # Pages come first: people wait for them, and read pages while their replay is analysed.
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), _NICE))
    _take_leave_of_children()
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.orchestration.jobs.worker import Worker
    from gamestats_assets.rocket_league.jobs import KINDS

    stores = Stores()
    with ExitStack() as stack:
        worker = Worker(
            stores.postgres_url,
            [kind for kind in KINDS if kind.is_slow or not slow],
            lambda: _opened(stores, stack),
            idle_s=idle_s,
            log=_log,
            helper=None if once else lambda: subprocess.Popen([*_COMMAND, "--once", "--slow"]),
        )
        worker.exit_on_signal()
        if once:
            worker.run_until_empty()
            return
        worker.run()
    # A restart gives back the memory that the work took.
    from gamestats_assets.lakehouse.worker import let_go

    let_go()
    os.execv(sys.executable, [*_COMMAND, "--idle", str(idle_s)])


def _take_leave_of_children() -> None:
    """Reaps processes that ended when this one restarted."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _opened(stores: Stores, stack: ExitStack) -> JobContext:
    """The context of jobs; what reads replays is loaded meanwhile, by the process that reads them."""
    from threading import Thread

    from gamestats_assets.lakehouse.worker import guarded, load

    reader = (stores.read_limits.decoding, load, "gamestats_assets.rocket_league.uploads.uploading")
    Thread(target=guarded, args=reader, daemon=True).start()
    return job_context(stores, stack)


def job_context(stores: Stores, stack: ExitStack) -> JobContext:
    """Everything that the work needs, which stays open as long as the stack does."""
    from dagster import ResourceDefinition

    from gamestats_assets.definitions import build_defs, game_of
    from gamestats_assets.lakehouse.entries.ops import migrate
    from gamestats_assets.orchestration.jobs.context import DagsterJobContext
    from gamestats_assets.orchestration.runs.instance import dagster_instance

    migrate(stores.postgres_url)
    definitions = build_defs({"stores": ResourceDefinition.hardcoded_resource(stores)}, _GAMES)
    instance = stack.enter_context(dagster_instance(stores))
    return DagsterJobContext(stores, instance, definitions, game_of)


def _log(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stdout.flush()
