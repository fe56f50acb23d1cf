"""Base of all API clients: the key shows nowhere, limits are kept, and refused requests wait."""

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
    """Options of a client, all with defaults; see also `FetcherOptions`.

    Attributes:
        limits: decides when requests may be sent; by default limits of this client alone.
        clock: wall clock in unix seconds.
    """

    limits: Limits | None
    clock: Callable[[], float]


class ApiClient:
    """Base of clients of APIs that need a key; use them as context managers.

    Methods of a client raise `ApiError` or a subclass when retries have not helped. Threads can share a client.

    Args:
        key: the key, if there is one.
        setting: name of the setting with the key.
        base_url: address of the API.
        headers: sent with every request; must contain no secret.
        patience: longest wait of a request, in seconds, for its turn or because the server asks for it.
        limits: decides when requests may be sent; by default limits of this client alone.
        clock: wall clock in unix seconds.
        options: see `FetcherOptions`.

    Raises:
        UnauthorisedError: if the key contains invalid characters.
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
        # The HTTP library would print a header that it refuses.
        if text and not _KEY.fullmatch(text):
            raise UnauthorisedError(f"{setting} contains invalid characters; copy it again, without quotes or spaces.")
        self._key = SecretStr(text) if text else None
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        sleep = options.get("sleep", time.sleep)
        self._limits = limits or InProcessLimits(patience=patience, clock=clock, sleep=sleep)
        self._refusals = Refusals(self._limits.block, clock)
        self._fetcher = Fetcher(headers, patience=patience, **options)
        self._key_refusal: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._fetcher.close()

    def _secret(self, missing_message: str) -> str:
        """The key, for a header that shows in no error.

        Raises:
            UnauthorisedError: with `missing_message` if there is no key; with the refusal once an answer refused it.
        """
        if self._key is None:
            raise UnauthorisedError(missing_message)
        if self._key_refusal is not None:
            raise UnauthorisedError(self._key_refusal)
        return self._key.get_secret_value()

    def _refuse_key(self, why: str) -> UnauthorisedError:
        """The error for a refused key. The key is not sent again, since APIs bar callers that keep sending it."""
        self._key_refusal = why
        return UnauthorisedError(why)


class Refusals:
    """Requests refused as too many (429). After one, its limiter is blocked until the wait is over.

    If the server names no time, as when a service behind it is overloaded, the wait doubles with every consecutive
    refusal. Threads can share it.

    Args:
        block: blocks a limiter for a number of seconds, as `Limits.block` does.
        clock: wall clock in unix seconds.
    """

    def __init__(self, block: Callable[[str, float], None], clock: Callable[[], float]) -> None:
        self._block = block
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row: Counter[str] = Counter()

    def add(self, limiter: str, subject: str, headers: Mapping[str, str]) -> RateLimitedError:
        """Records a refusal and returns its error, which starts with `subject` and says how long the wait is."""
        with self._lock:
            in_a_row = self._in_a_row[limiter]
            self._in_a_row[limiter] += 1
        wait = retry_after_s(headers, self._clock())
        wait = min(2.0**in_a_row, _LONGEST_BACKOFF_S) if wait is None else wait
        self._block(limiter, wait)
        return RateLimitedError(f"{subject}, for the next {wait:.0f} s.", retry_after=wait)

    def end(self, *limiters: str) -> None:
        """Records that a request against these limiters succeeded: their next refusal is the first in a row."""
        with self._lock:
            for limiter in limiters:
                self._in_a_row.pop(limiter, None)
