"""Real processes for tests of races and crashes."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier, Event
from typing import Any

# Threads of polars and deltalake do not survive a fork; a fork server has not started them.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["gamestats_assets_tests.lakehouse.declared", "gamestats_assets.lakehouse.landing.zone", "hypothesis", "pytest"]
)

_start: Barrier


def _await_start_at(barrier: Barrier) -> None:
    global _start
    _start = barrier


def _started(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    _start.wait(60)
    return function(*arguments)


def at_once(function: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> list[Any]:
    """Call a function of a module with each of the arguments, all at the same moment, each in a process."""
    barrier = _PROCESSES.Barrier(len(calls))
    with ProcessPoolExecutor(
        len(calls), mp_context=_PROCESSES, initializer=_await_start_at, initargs=(barrier,)
    ) as pool:
        return [future.result(60) for future in [pool.submit(_started, function, call) for call in calls]]


def _announced(ready: Event, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    ready.set()
    function(*arguments)


def killed(function: Callable[..., Any], *arguments: Any, after: float) -> bool:
    """Call a function of a module in a process that is killed so many seconds after it began.

    Returns:
        Whether the process died before the function was done, of this or by its own hand.
    """
    ready = _PROCESSES.Event()
    process = _PROCESSES.Process(target=_announced, args=(ready, function, arguments))
    process.start()
    assert ready.wait(60)
    process.join(after)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def die() -> None:
    """End this process as `kill -9` does: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
