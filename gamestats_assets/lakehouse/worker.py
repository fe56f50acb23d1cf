"""Worker processes, and their preparation before the first task.

This module imports only the standard library: `start` must set environment variables before Polars is imported and
reads them.
"""

from __future__ import annotations

import functools
import multiprocessing
import multiprocessing.context
import os
import pickle
import resource
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.queues import SimpleQueue

Hear = Callable[[Any], None]
"""Receives messages of tasks."""
_hear: Hear | None = None


def tell(message: Any) -> None:
    """Sends a message from within a task to the process that called `pool`."""
    if _hear is not None:
        _hear(message)


@contextmanager
def _messages_to(hear: Hear | None) -> Iterator[None]:
    global _hear
    before, _hear = _hear, hear
    try:
        yield
    finally:
        _hear = before


def start(queue: SimpleQueue[Any] | None = None) -> None:
    """Prepares a worker: one thread for Polars, and exit when its parent ends for any reason."""
    global _hear
    _hear = queue.put if queue is not None else None
    # The processes already provide the parallelism.
    os.environ["POLARS_MAX_THREADS"] = "1"
    # Ctrl-C reaches every process of a terminal, but only the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        # Otherwise an idle worker would wait for ever, because it also holds the writing end of its queue open.
        threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


class _LazyResult(Future[Any]):
    """A task that runs when its result is requested."""

    def __init__(self, task: Callable[[], Any]) -> None:
        super().__init__()
        self._task = task

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self.set_result(self._task())
        return super().result()


class _InThisProcess(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return _LazyResult(lambda: fn(*args, **kwargs))


@contextmanager
def _nameless_program() -> Iterator[None]:
    """Hides the running program from processes that start at the same time.

    A spawned process imports its parent's program again, for tasks defined there. Ours are defined in modules, and the
    program is often all of Dagster, or a script that starts workers whenever it is imported.
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
    """Processes that run tasks. On exit, pending tasks are cancelled and running ones awaited.

    With a single process, each task runs in this one when its result is requested: if requested in order, the files of
    one task can be used and removed before the next.

    Args:
        processes: number of processes.
        hear: called in this process with every message that a task sends with `tell`.
    """
    if processes <= 1:
        with _messages_to(hear):
            yield _InThisProcess()
        return
    context = _Spawning()
    with _listening(context, hear) if hear is not None else nullcontext() as queue:
        executor = ProcessPoolExecutor(processes, context, start, (queue,))
        try:
            yield executor
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _listening(context: _Spawning, hear: Hear) -> Iterator[SimpleQueue[Any]]:
    queue: SimpleQueue[Any] = context.SimpleQueue()

    def listen() -> None:
        while (message := queue.get()) is not None:
            hear(message)

    listener = threading.Thread(target=listen, name="listener", daemon=True)
    listener.start()
    try:
        yield queue
    finally:
        queue.put(None)
        listener.join()
        queue.close()


# --------------------------------------------------------------------------- tasks that may crash


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """Limits of a task that processes files from strangers.

    Attributes:
        megabytes: memory in addition to that of its process before.
        seconds: wall-clock time.
    """

    megabytes: int = 2048
    seconds: int = 120


class TaskDiedError(Exception):
    """A task crashed its process; the message says why, as far as known.

    Attributes:
        was_killed: whether the process was killed from outside, as when the system runs out of memory, in which case
            the task may not be at fault.
    """

    def __init__(self, code: int | None, limits: TaskLimits) -> None:
        number = -(code or 0)
        self.was_killed = number in (signal.SIGKILL, signal.SIGTERM)
        if number == signal.SIGALRM:
            message = f"it took longer than {limits.seconds:,} s"
        elif number in (signal.SIGABRT, signal.SIGBUS) or number == 0:
            message = f"it needed more than {limits.megabytes:,} MB of memory, or broke down"
        elif number in [*signal.Signals]:
            message = f"the program that did it broke down ({signal.Signals(number).name})"
        else:
            message = f"the program that did it ended with code {code}"
        super().__init__(message)


_IDLE: list[_Guarded] = []
"""Idle processes, kept for later tasks because loading their modules takes half a second."""
_IDLE_LOCK, _STARTING = threading.Lock(), threading.Lock()


class _Guarded:
    """A process that runs one task after another, each within limits."""

    def __init__(self) -> None:
        context = _Spawning()
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(target=_do_tasks, args=(child_end,), name="guarded", daemon=True)
        # Only one thread at a time may hide the program, and no other child may inherit the pipe.
        with _STARTING:
            self._process.start()
        child_end.close()

    @property
    def lives(self) -> bool:
        return self._process.is_alive()

    def end(self) -> None:
        """Kills the process."""
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def do(self, task: bytes, limits: TaskLimits) -> tuple[Any, BaseException | None]:
        """Runs a task; returns its result and its exception.

        Raises:
            TaskDiedError: if the process ended.
        """
        try:
            self._pipe.send((task, limits))
            return self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise TaskDiedError(self._process.exitcode, limits) from None


def _do_tasks(pipe: Connection) -> None:
    start()
    # By default, the alarm kills the process, whatever it is doing.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with suppress(EOFError):
        while True:
            task, limits = pipe.recv()
            pipe.send(_run_within(limits, *pickle.loads(task)))


def _run_within(
    limits: TaskLimits, function: Callable[..., Any], arguments: Sequence[Any]
) -> tuple[Any, BaseException | None]:
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (limits.megabytes << 20), unlimited[1]))
    try:
        return function(*arguments), None
    except MemoryError:
        # Leaked memory would be missing for the next task.
        os.abort()
    except Exception as error:  # noqa: BLE001 (raised again in the parent)
        return None, error
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, unlimited)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _address_space() -> int:
    """Size of this process's address space, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def load(module: str) -> None:
    """Imports a module for later tasks."""
    import_module(module)


def guarded(limits: TaskLimits, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a module-level function in a separate process, which it may crash.

    Raises:
        TaskDiedError: if the process died; exceptions of the function are raised here, too.
    """
    task = pickle.dumps((function, arguments))
    with _IDLE_LOCK:
        process = _IDLE.pop() if _IDLE else None
    # An idle process may have been killed.
    if process is None or not process.lives:
        process = _Guarded()
    try:
        value, error = process.do(task, limits)
    except BaseException:
        # The state of the process is unknown, if it lives.
        process.end()
        raise
    with _IDLE_LOCK:
        _IDLE.append(process)
    if error is not None:
        raise error
    return value


def let_go() -> None:
    """Ends the processes that are kept for later guarded tasks."""
    with _IDLE_LOCK:
        while _IDLE:
            _IDLE.pop().end()


class _Guarding(ThreadPoolExecutor):
    """Runs each task in a process that it may crash without affecting other tasks."""

    def __init__(self, processes: int, limits: TaskLimits) -> None:
        super().__init__(processes, "guarding")
        self._limits = limits

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(guarded, self._limits, functools.partial(fn, **kwargs) if kwargs else fn, *args)


@contextmanager
def guarded_pool(processes: int, limits: TaskLimits) -> Iterator[Executor]:
    """As `pool`, for tasks that may crash their process: each such task raises `TaskDiedError`."""
    executor = _Guarding(max(1, processes), limits)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
