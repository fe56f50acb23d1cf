"""Processes that work for another one, and what each does before its first task.

This module imports nothing but the standard library: Polars reads its environment when it is
imported, so what `start` sets must be set before.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

Hear = Callable[[Any], None]
"""Takes what tasks tell."""
_hear: Hear | None = None


def tell(told: Any) -> None:
    """Tell the process that `pool` was called in something, from within a task."""
    if _hear is not None:
        _hear(told)


@contextmanager
def _heard_by(hear: Hear | None) -> Iterator[None]:
    global _hear
    before, _hear = _hear, hear
    try:
        yield
    finally:
        _hear = before


def start(told: SimpleQueue[Any] | None = None) -> None:
    """Prepare a worker: one thread for Polars, and an end when its parent has gone, however it went."""
    global _hear
    _hear = told.put if told is not None else None
    # The processes are the parallelism already.
    os.environ["POLARS_MAX_THREADS"] = "1"
    # Ctrl-C reaches every process of a terminal; what comes of it is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        # An idle worker would wait for ever: it holds the writing end of its own queue open too.
        threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


class _Later(Future[Any]):
    """A task that is done when its result is asked for."""

    def __init__(self, task: Callable[[], Any]) -> None:
        super().__init__()
        self._task = task

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self.set_result(self._task())
        return super().result()


class _InThisProcess(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return _Later(lambda: fn(*args, **kwargs))


@contextmanager
def _nameless_program() -> Iterator[None]:
    """Hide the running program from processes that are started meanwhile.

    A spawned process imports its parent's program again, for tasks that may stand in it. Ours stand in modules, and
    the program is often all of Dagster, or a script that starts workers whenever it is imported.
    """
    program = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


class _Process(multiprocessing.context.SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802
        with _nameless_program():
            return multiprocessing.context.SpawnProcess._Popen(process_obj)  # type: ignore[attr-defined]


class _Spawning(multiprocessing.context.SpawnContext):
    # Spawned, not forked: the parent may have threads, and a fork would copy their locks.
    Process = _Process


@contextmanager
def pool(processes: int, hear: Hear | None = None) -> Iterator[Executor]:
    """Processes that take tasks; when left, tasks not yet begun are forgotten, and those begun waited for.

    Without a second process each task is done in this one, when its result is asked for: ask in order, and what one
    leaves behind can be used and removed before the next.

    Args:
        hear: is called in this process with whatever a task tells by `tell`.
    """
    if processes <= 1:
        with _heard_by(hear):
            yield _InThisProcess()
        return
    context = _Spawning()
    with _listening(context, hear) if hear is not None else nullcontext() as told:
        executor = ProcessPoolExecutor(processes, context, start, (told,))
        try:
            yield executor
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _listening(context: _Spawning, hear: Hear) -> Iterator[SimpleQueue[Any]]:
    told: SimpleQueue[Any] = context.SimpleQueue()

    def listen() -> None:
        while (each := told.get()) is not None:
            hear(each)

    listener = threading.Thread(target=listen, name="listener", daemon=True)
    listener.start()
    try:
        yield told
    finally:
        told.put(None)
        listener.join()
        told.close()
