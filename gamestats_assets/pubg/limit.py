"""The limit of the PUBG API, kept together by every process that uses one key, through PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable

from pydantic import SecretStr

from gamestats_assets.lakehouse.limits import SharedLimits, windows_in_force
from gamestats_assets.pubg.api import LIMITER, REQUESTS_A_WINDOW, WINDOW_SECONDS, KeyLimiter

__all__ = ["LIMITER", "SharedLimiter", "limit_in_force"]


class SharedLimiter(KeyLimiter):
    """A sliding window of requests, shared by all processes.

    `acquire` raises `RateLimitedError` when it would wait longer than `patience`, or until after `deadline`.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        limiter: name of the limit; one for each API key, whose shards share it.
        caller: whose requests these are.
        leave: requests of every window that are left to other callers: this one sends so many fewer than are allowed.
        patience: seconds of waiting after which `acquire` gives up.
        deadline: time of `time.monotonic` past which `acquire` does not wait.
        requests: requests allowed in a window, until the server tells its own figure.
        window: length of the window in seconds.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        url: SecretStr,
        limiter: str,
        *,
        caller: str = "",
        leave: int = 0,
        patience: float = float("inf"),
        deadline: float = float("inf"),
        requests: int = REQUESTS_A_WINDOW,
        window: float = WINDOW_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        limits = SharedLimits(url, caller=caller, leave=leave, patience=patience, deadline=deadline, sleep=sleep)
        super().__init__(limits, limiter, requests=requests, window=window)


def limit_in_force(url: SecretStr, limiter: str, requests: int) -> int:
    """Requests allowed in a window: as the server last told, else as many as are given."""
    told = windows_in_force(url, limiter)
    return told[0].requests if told else requests
