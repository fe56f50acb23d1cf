"""A clock for what waits, so that tests of limits and patience take no time; and waiting for what needs real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class FakeTime:
    """A clock that moves only when something sleeps; threads can share it.

    Args:
        now: unix time at which it begins.
    """

    def __init__(self, now: float = 1_760_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        """What time it is."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


def wait_until(condition: Callable[[], bool], seconds: float = 30, pause_s: float = 0.1) -> bool:
    """Waits until a condition holds; returns whether it did in time."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return holds
