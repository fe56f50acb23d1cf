"""Processes that work for another one, and what each does before its first task.

This module imports nothing but the standard library: Polars reads its environment when it is
imported, so what `start` sets must be set before.
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


# --------------------------------------------------------------------------- what may end its process


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What a task may use that is done on what strangers sent.

    Attributes:
        megabytes: of memory, beyond what its process has before it.
        seconds: of its time, as the clock has it.
    """

    megabytes: int = 2048
    seconds: int = 120


class TaskDiedError(Exception):
    """A task ended its process: the message says why, as far as one knows.

    Attributes:
        was_killed: whether somebody else killed it, as the system does when memory runs out; the task may be innocent.
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
"""Processes with nothing to do, kept for the next tasks: what they have loaded takes half a second."""
_IDLE_LOCK, _STARTING = threading.Lock(), threading.Lock()


class _Guarded:
    """A process that does one task after another, each within limits."""

    def __init__(self) -> None:
        context = _Spawning()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_do_tasks, args=(theirs,), name="guarded", daemon=True)
        # The program is hidden meanwhile, from whichever thread; and no other child may inherit the pipe.
        with _STARTING:
            self._process.start()
        theirs.close()

    @property
    def lives(self) -> bool:
        return self._process.is_alive()

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def do(self, task: bytes, limits: TaskLimits) -> tuple[Any, BaseException | None]:
        """Do a task: what it gave, and what it raised.

        Raises:
            TaskDiedError: when the process ended.
        """
        try:
            self._pipe.send((task, limits))
            return self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise TaskDiedError(self._process.exitcode, limits) from None


def _do_tasks(pipe: Connection) -> None:
    start()
    # The system ends the process then, whatever it is doing.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with suppress(EOFError):
        while True:
            task, limits = pipe.recv()
            pipe.send(_within(limits, *pickle.loads(task)))


def _within(
    limits: TaskLimits, function: Callable[..., Any], arguments: Sequence[Any]
) -> tuple[Any, BaseException | None]:
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (limits.megabytes << 20), unlimited[1]))
    try:
        return function(*arguments), None
    except MemoryError:
        # What is left of it would be missing in the next task.
        os.abort()
    except Exception as error:  # noqa: BLE001 (it is raised where the task was given out)
        return None, error
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, unlimited)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _address_space() -> int:
    """Bytes of addresses that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def load(module: str) -> None:
    """Load a module, for tasks to come."""
    import_module(module)


def guarded(limits: TaskLimits, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a module in a process of its own, which may die of it.

    Raises:
        TaskDiedError: when it did; what the function raises is raised here, too.
    """
    task = pickle.dumps((function, arguments))
    with _IDLE_LOCK:
        process = _IDLE.pop() if _IDLE else None
    # One may have been killed while it had nothing to do.
    if process is None or not process.lives:
        process = _Guarded()
    try:
        value, error = process.do(task, limits)
    except BaseException:
        # Nobody knows what it is at, if it lives.
        process.end()
        raise
    with _IDLE_LOCK:
        _IDLE.append(process)
    if error is not None:
        raise error
    return value


def let_go() -> None:
    """End the processes that are kept for further guarded tasks."""
    with _IDLE_LOCK:
        while _IDLE:
            _IDLE.pop().end()


class _Guarding(ThreadPoolExecutor):
    """Has each task done in a process that may die of it; no other task suffers by that."""

    def __init__(self, processes: int, limits: TaskLimits) -> None:
        super().__init__(processes, "guarding")
        self._limits = limits

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(guarded, self._limits, functools.partial(fn, **kwargs) if kwargs else fn, *args)


@contextmanager
def guarded_pool(processes: int, limits: TaskLimits) -> Iterator[Executor]:
    """As `pool`, whose tasks may end their process: each such task raises `TaskDiedError`."""
    executor = _Guarding(max(1, processes), limits)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
