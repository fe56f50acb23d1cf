"""A clock for what waits: tests of limits and of patience take no time."""

from __future__ import annotations

import threading


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
