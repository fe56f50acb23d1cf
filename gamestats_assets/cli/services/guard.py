"""The guard of `gamestats up`: if `up` is killed, it stops what `up` started.

`up` starts this module as a process of its own and keeps its standard input open. It
writes a line for whatever it starts: `group 1234` for a process group, `postgres` for the
embedded server, `folder /tmp/...` for one that is to be taken away, `done` when it has stopped everything itself.
When the pipe closes
without `done`, `up` is gone, however it went, and the guard stops the rest.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

GRACE_SECONDS = 10.0
"""How long a process may take to stop by itself before it is killed."""


def stop_groups(groups: Iterable[int], *, grace: float = GRACE_SECONDS) -> None:
    """Ask the leader of every process group to stop, then its members, and kill what is left.

    The leader comes first: it knows how to stop the processes it started.
    """
    groups = [group for group in groups if members(group)]
    _signal(os.kill, filter(leads, groups), signal.SIGTERM)
    _wait_while(leads, groups, grace)
    for sig in (signal.SIGTERM, signal.SIGKILL):
        _signal(os.killpg, filter(members, groups), sig)
        _wait_while(members, groups, grace / 3)


def members(group: int) -> list[int]:
    """Processes of a group that still run."""
    found: list[int] = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getpgid(process.info["pid"]) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.info["pid"])
        except (ProcessLookupError, PermissionError):
            continue
    return found


def leads(group: int) -> bool:
    """Whether the process that leads the group still runs."""
    return group in members(group)


def _signal(send: Callable[[int, int], None], targets: Iterable[int], sig: signal.Signals) -> None:
    for target in targets:
        with suppress(ProcessLookupError):
            send(target, sig)


def _wait_while(still: Callable[[int], object], groups: Iterable[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(still(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.05)


def watch(lines: Iterable[str]) -> None:
    """Read what `up` says until it says no more; then stop what it left behind."""
    groups: list[int] = []
    folders: list[str] = []
    postgres = False
    for line in lines:
        match line.split():
            case ["group", number]:
                groups.append(int(number))
            case ["folder", *path]:
                folders.append(" ".join(path))
            case ["postgres"]:
                postgres = True
            case ["done"]:
                return
            case _:
                continue
    stop_groups(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    if postgres:
        from gamestats_assets.lakehouse.postgres.embedded import stop_embedded
        from gamestats_assets.settings import Settings

        stop_embedded(Settings())


if __name__ == "__main__":
    # A terminal's Ctrl-C is for `up`; the guard ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch(sys.stdin)
