"""Asking over HTTP: errors that say whether to ask again, and a client that is patient and tells no secrets."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec
import tenacity
from pydantic import SecretStr

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import decompressed

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]+")
_LARGEST_BODY = 512 * 1024 * 1024
_LONGEST_BACKOFF_S = 60.0
_T = TypeVar("_T")


# ---------------------------------------------------------------- errors


class ApiError(GamestatsError):
    """An API did not give what was asked for.

    Attributes:
        retry_after: seconds the server asked to wait, where it did.
    """

    is_passing = False
    """Whether nothing speaks against what was asked for: the server was in trouble, or its limit used up."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnauthorisedError(ApiError):
    """The key is missing, malformed or not accepted."""


class NotFoundError(ApiError):
    """The API knows no such thing, or has forgotten it."""


class RateLimitedError(ApiError):
    """The limit was still exceeded after the last try."""

    is_passing = True


class UnavailableError(ApiError):
    """Server errors, timeouts, broken connections or cut bodies until the last try."""

    is_passing = True


class UnreadableAnswerError(UnavailableError):
    """Bodies arrived, yet even the last one was damaged or not what was asked for.

    Attributes:
        payload: the last body, as received.
    """

    is_passing = False

    def __init__(self, message: str, payload: bytes) -> None:
        super().__init__(message)
        self.payload = payload


class UnexpectedAnswerError(ApiError):
    """An answer that trying again would not change: a status, address or scheme nobody expects."""


# ---------------------------------------------------------------- what answers say


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that an answer asks to wait with Retry-After, in seconds or as a date; None where it asks nothing.

    Source: RFC 9110, section 10.2.3. Servers are met that send fractions of a second.
    """
    text = _told(headers, "Retry-After")
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]+)?", text):
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - server_time(headers, now), 0.0)
    except (ValueError, OverflowError):
        return None


def server_time(headers: Mapping[str, str], now: float) -> float:
    """Unix time on the server's own clock (Date) where it tells it: a local clock that is wrong is no matter."""
    try:
        return parsedate_to_datetime(_told(headers, "Date")).timestamp()
    except (ValueError, OverflowError):
        return now


def _told(headers: Mapping[str, str], name: str) -> str:
    return next((value.strip() for key, value in headers.items() if key.lower() == name.lower()), "")


def bad_answer(found: str, status: int, wait: float | None, *, missing: str = "", expected: int = 200) -> ApiError:
    """The error of a status that says the same whichever API answers.

    Args:
        found: who answered what, and what was asked for, in the words of the message.
        wait: seconds that the server asks to wait; None where it asks nothing.
        missing: what else than that there is none a 404 can mean, such as `, or it is private`.
    """
    if status in (404, 410):
        return NotFoundError(f"{found}: there is none{missing}.")
    if status == 408 or status >= 500:
        return UnavailableError(f"{found}: the server is in trouble.", retry_after=wait)
    return UnexpectedAnswerError(f"{found}: expected {expected}.")


def read_body(payload: bytes, what: str, read: Callable[[bytes], _T]) -> _T:
    """What `read` makes of a body of what was asked for, decompressed.

    Raises:
        UnreadableAnswerError: when it is damaged, or `read` raises a `GamestatsError` or msgspec's error.
    """
    try:
        return read(decompressed(payload))
    except (GamestatsError, msgspec.DecodeError, RecursionError) as error:
        raise UnreadableAnswerError(f"The body sent for {what} is no good: {error}", payload) from None


# ---------------------------------------------------------------- asking


class Fetcher:
    """Asks over HTTP, and asks again when that may help; use it as a context manager. Threads can share it.

    Bodies come back as they were sent, still compressed if the server compressed them.

    Args:
        headers: sent with every request; none that is secret.
        sleep: waits for seconds.
        timeout: seconds for connecting, and between two pieces of a body.
        body_deadline: seconds for a whole answer, however steadily it trickles.
        deadline: time of `time.monotonic` after which nothing is asked for, and no answer waited for.
        attempts: tries in all before an error is raised.
        patience: seconds that a server may ask to wait before the next try; where it asks for more the error is raised.
    """

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = 20.0,
        body_deadline: float = 180.0,
        deadline: float = float("inf"),
        attempts: int = 5,
        patience: float = float("inf"),
    ) -> None:
        self._patience = patience
        self._sleep = sleep
        self._timeout = timeout
        self._body_deadline = body_deadline
        self._deadline = deadline
        self._attempts = attempts
        # Every game's sensors know the errors of this module, and few processes ask anybody for anything.
        import httpx

        # gzip alone is offered: it is what the landing zone keeps as it came.
        self._client = httpx.Client(
            timeout=timeout, headers={"Accept-Encoding": "gzip", "User-Agent": "gamestats", **(headers or {})}
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _may_help(self, error: BaseException) -> bool:
        """Whether trying again may help."""
        return isinstance(error, (RateLimitedError, UnavailableError)) and (error.retry_after or 0.0) <= self._patience

    def fetch(
        self,
        url: str,
        what: str,
        *,
        judge: Callable[[int, Mapping[str, str]], None],
        check: Callable[[bytes], _T],
        acquire: Callable[[], object] = lambda: None,
        params: Mapping[str, Any] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
        files: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> _T:
        """What `check` makes of the body of an answer.

        Args:
            url: address, http or https.
            what: what is asked for, in the words of error messages.
            judge: is given status and headers of every answer, and raises where that is no good one; what it
                raises of `RateLimitedError` and `UnavailableError` is tried again.
            check: is given the body, and raises `UnreadableAnswerError` where that is not what was asked for.
            acquire: is called before each request; it waits until one may be sent.
            params: of the address.
            secret_headers: sent as well; they show in no error.
            follow_redirects: whether to; a key is for one host, so a request that has one should not.
            files: name and content of files by field of a form, which is posted; every try sends it whole.

        Raises:
            ApiError: what `judge`, `check` or `acquire` raised at last, or one that says how the network failed.
        """
        import httpx

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=_wait,
            retry=tenacity.retry_if_exception(self._may_help),
            sleep=self._sleep,
            before_sleep=_log_retry,
            reraise=True,
        )

        def attempt() -> _T:
            if time.monotonic() >= self._deadline:
                raise UnavailableError(f"The time for asking is over before {what} came to it.")
            acquire()
            deadline = min(time.monotonic() + self._body_deadline, self._deadline)
            # Connecting, sending and each piece of the answer have this long.
            timeout = min(self._timeout, max((deadline - time.monotonic()) / 3, 0.1))
            try:
                with self._client.stream(
                    "POST" if files else "GET",
                    url,
                    params=params,
                    files=files,
                    headers=secret_headers,
                    follow_redirects=follow_redirects,
                    timeout=timeout,
                ) as response:
                    judge(response.status_code, response.headers)
                    payload = _body(response, deadline, url, what)
            # Not chained: httpx's errors carry the request, and with it the key.
            except (httpx.TooManyRedirects, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise UnexpectedAnswerError(f"{host_of(url)} leads nowhere for {what}: {error}.") from None
            except httpx.RequestError as error:
                told = f"{type(error).__name__}: {error}".rstrip(": ")
                raise UnavailableError(f"{host_of(url)} did not answer whole for {what}: {told}.") from None
            return check(payload)

        return retrying(attempt)


def host_of(url: str) -> str:
    """Host of an address, for messages: the rest of it may be signed."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or "The address"


def _body(response: httpx.Response, deadline: float, url: str, what: str) -> bytes:
    """The body as it came over the line, still compressed if it was sent compressed."""
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if time.monotonic() > deadline:
            raise UnavailableError(f"{host_of(url)} is too slow for {what}: {len(body)} bytes until the deadline.")
        if len(body) > _LARGEST_BODY:
            raise UnexpectedAnswerError(f"{host_of(url)} sent more than {_LARGEST_BODY} bytes for {what}.")
    return bytes(body)


_backoff = tenacity.wait_exponential(multiplier=0.5, max=20.0) + tenacity.wait_random(0.0, 0.5)


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: as the server asks, else growing, with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ApiError) else None
    return _backoff(state) if asked is None else max(asked, 1.0)


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("%s Try %d failed; the next comes in %.1f s.", error, state.attempt_number, state.upcoming_sleep)


# ---------------------------------------------------------------- clients of APIs


class ApiClient:
    """What clients of APIs that need a key have in common; use them as context managers.

    Args:
        key: the key; None where there is none.
        setting: name of its setting.
        base_url: address of the API.
        fetcher: what asks; it is closed with the client.

    Raises:
        UnauthorisedError: when the key has characters no key has.
    """

    def __init__(self, key: SecretStr | None, setting: str, base_url: str, fetcher: Fetcher) -> None:
        text = key.get_secret_value().strip() if key else ""
        # The HTTP library would print the header it refuses.
        if text and not _KEY.fullmatch(text):
            raise UnauthorisedError(f"{setting} has characters no key has; copy it again, without quotes or spaces.")
        self._key = SecretStr(text) if text else None
        self._base_url = base_url.rstrip("/")
        self._fetcher = fetcher
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
            UnauthorisedError: `without`, where there is no key; `_not_accepted`, once an answer has refused it.
        """
        if self._key is None:
            raise UnauthorisedError(without)
        if self._not_accepted is not None:
            raise UnauthorisedError(self._not_accepted)
        return self._key.get_secret_value()


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
