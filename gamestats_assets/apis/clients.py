"""What clients of APIs have in common: a key that shows nowhere, limits that are kept, refusals that are waited for."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Self, Unpack

from pydantic import SecretStr

from gamestats_assets.apis.http import Fetcher, FetcherOptions, RateLimitedError, UnauthorisedError, retry_after_s
from gamestats_assets.apis.limits import InProcessLimits, Limits

_KEY = re.compile(r"[A-Za-z0-9._~+/=-]+")
_LONGEST_BACKOFF_S = 60.0


class ClientOptions(FetcherOptions, total=False):
    """How a client asks; all of it has defaults. See `FetcherOptions`, too.

    Attributes:
        limits: decides when requests may be sent; by default those of this client alone.
        clock: wall clock in unix seconds.
    """

    limits: Limits | None
    clock: Callable[[], float]


class ApiClient:
    """What clients of APIs that need a key have in common; use them as context managers.

    Methods of a client raise `ApiError` or one of its kinds once trying again has not helped. Threads can share it.

    Args:
        key: the key; None where there is none.
        setting: name of its setting.
        base_url: address of the API.
        headers: sent with every request; none that is secret.
        patience: seconds that a request waits for its turn, or for as long as the server asks, before it is given up.
        limits: decides when requests may be sent; by default those of this client alone.
        clock: wall clock in unix seconds.
        options: see `FetcherOptions`.

    Raises:
        UnauthorisedError: when the key has characters no key has.
    """

    def __init__(
        self,
        key: SecretStr | None,
        setting: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        patience: float = float("inf"),
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        **options: Unpack[FetcherOptions],
    ) -> None:
        text = key.get_secret_value().strip() if key else ""
        # The HTTP library would print the header it refuses.
        if text and not _KEY.fullmatch(text):
            raise UnauthorisedError(f"{setting} has characters no key has; copy it again, without quotes or spaces.")
        self._key = SecretStr(text) if text else None
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        sleep = options.get("sleep", time.sleep)
        self._limits = limits or InProcessLimits(patience=patience, clock=clock, sleep=sleep)
        self._refusals = Refusals(self._limits.block, clock)
        self._fetcher = Fetcher(headers, patience=patience, **options)
        self._not_accepted: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._fetcher.close()

    def _secret(self, without: str) -> str:
        """The key, for a header that shows in no error.

        Raises:
            UnauthorisedError: `without`, where there is no key; what was said of it, once an answer has refused it.
        """
        if self._key is None:
            raise UnauthorisedError(without)
        if self._not_accepted is not None:
            raise UnauthorisedError(self._not_accepted)
        return self._key.get_secret_value()

    def _refuse_key(self, why: str) -> UnauthorisedError:
        """The error of a key that is not accepted: it is not sent again, for APIs bar whoever goes on with it."""
        self._not_accepted = why
        return UnauthorisedError(why)


class Refusals:
    """Requests refused as too many (429): after one, nobody asks against its limiter until the wait is over.

    Where the server names no time, as it may not when a service behind it has too much to do, the wait doubles with
    every refusal in a row. Threads can share it.

    Args:
        block: lets nobody ask against a limiter for seconds, as `Limits.block` does.
        clock: wall clock in unix seconds.
    """

    def __init__(self, block: Callable[[str, float], None], clock: Callable[[], float]) -> None:
        self._block = block
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row: Counter[str] = Counter()

    def add(self, limiter: str, found: str, headers: Mapping[str, str]) -> RateLimitedError:
        """The error of a refusal that was just answered, in the words of `found` and how long it lasts."""
        with self._lock:
            in_a_row = self._in_a_row[limiter]
            self._in_a_row[limiter] += 1
        wait = retry_after_s(headers, self._clock())
        wait = min(2.0**in_a_row, _LONGEST_BACKOFF_S) if wait is None else wait
        self._block(limiter, wait)
        return RateLimitedError(f"{found}, for the next {wait:.0f} s.", retry_after=wait)

    def end(self, *limiters: str) -> None:
        """A request that counts against these was answered: their next refusal is the first in a row."""
        with self._lock:
            for limiter in limiters:
                self._in_a_row.pop(limiter, None)
