"""Asking over HTTP: errors that say whether to ask again, and a fetcher that is patient and tells no secrets."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import msgspec
import tenacity

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import decompressed

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)
_LARGEST_BODY = 512 * 1024 * 1024
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


class FetcherOptions(TypedDict, total=False):
    """How a fetcher asks; all of it has defaults.

    Attributes:
        sleep: waits for seconds.
        timeout: seconds for connecting, and between two pieces of a body.
        body_deadline: seconds for a whole answer, however steadily it trickles.
        deadline: time of `time.monotonic` after which nothing is asked for, and no answer waited for.
        attempts: tries in all before an error is raised.
    """

    sleep: Callable[[float], None]
    timeout: float
    body_deadline: float
    deadline: float
    attempts: int


class Fetcher:
    """Asks over HTTP, and asks again when that may help; use it as a context manager. Threads can share it.

    Bodies come back as they were sent, still compressed if the server compressed them.

    Args:
        headers: sent with every request; none that is secret.
        patience: seconds that a server may ask to wait before the next try; where it asks for more the error is raised.
        options: see `FetcherOptions`.
    """

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        patience: float = float("inf"),
        **options: Unpack[FetcherOptions],
    ) -> None:
        self._patience = patience
        self._sleep = options.get("sleep", time.sleep)
        self._timeout = options.get("timeout", 20.0)
        self._body_deadline = options.get("body_deadline", 180.0)
        self._deadline = options.get("deadline", float("inf"))
        self._attempts = options.get("attempts", 5)
        # Every game's sensors know the errors of this module, and few processes ask anybody for anything.
        import httpx

        # gzip alone is offered: it is what the landing zone keeps as it came.
        self._client = httpx.Client(
            timeout=self._timeout, headers={"Accept-Encoding": "gzip", "User-Agent": "gamestats", **(headers or {})}
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
        content: bytes | None = None,
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
            content: a body, which is posted.

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
                    "GET" if files is None and content is None else "POST",
                    url,
                    params=params,
                    files=files,
                    content=content,
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
                message = f"{type(error).__name__}: {error}".rstrip(": ")
                raise UnavailableError(f"{host_of(url)} did not answer whole for {what}: {message}.") from None
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
