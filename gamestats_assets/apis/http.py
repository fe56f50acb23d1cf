"""HTTP requests: errors that say whether to retry, and a fetcher that retries patiently and reveals no secrets."""

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
from gamestats_assets.lakehouse.landing.zone import decompressed

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)
_LARGEST_BODY = 512 * 1024 * 1024
_T = TypeVar("_T")


# ---------------------------------------------------------------- errors


class ApiError(GamestatsError):
    """A request to an API failed.

    Attributes:
        retry_after: seconds that the server asked to wait, if it did.
    """

    is_passing = False
    """Whether the same request may succeed later: the server was in trouble, or the limit was used up."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnauthorisedError(ApiError):
    """The key is missing, malformed or not accepted."""


class NotFoundError(ApiError):
    """The API does not have it, or no longer."""


class RateLimitedError(ApiError):
    """The limit was still exceeded at the last attempt."""

    is_passing = True


class UnavailableError(ApiError):
    """Server errors, timeouts, broken connections or truncated bodies up to the last attempt."""

    is_passing = True


class UnreadableAnswerError(UnavailableError):
    """The last body that arrived was damaged or not what was requested.

    Attributes:
        payload: the last body, as received.
    """

    is_passing = False

    def __init__(self, message: str, payload: bytes) -> None:
        super().__init__(message)
        self.payload = payload


class UnexpectedAnswerError(ApiError):
    """An answer that a retry would not change: an unexpected status, address or scheme."""


# ---------------------------------------------------------------- reading answers


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait according to Retry-After, which is in seconds or a date; None without this header.

    Source: RFC 9110, section 10.2.3. Some servers send fractions of a second.
    """
    text = _header(headers, "Retry-After")
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]+)?", text):
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - server_time(headers, now), 0.0)
    except (ValueError, OverflowError):
        return None


def server_time(headers: Mapping[str, str], now: float) -> float:
    """Unix time by the server's clock (Date) if it sends one, so that a wrong local clock does no harm."""
    try:
        return parsedate_to_datetime(_header(headers, "Date")).timestamp()
    except (ValueError, OverflowError):
        return now


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value.strip() for key, value in headers.items() if key.lower() == name.lower()), "")


def bad_answer(subject: str, status: int, wait: float | None, *, missing: str = "", expected: int = 200) -> ApiError:
    """The error for a status that means the same in every API.

    Args:
        subject: start of the message: who answered what to which request.
        status: HTTP status.
        wait: seconds that the server asks to wait, if it does.
        missing: another meaning of a 404, such as `, or it is private`.
        expected: the status of a success.
    """
    if status in (404, 410):
        return NotFoundError(f"{subject}: there is none{missing}.")
    if status == 408 or status >= 500:
        return UnavailableError(f"{subject}: the server is in trouble.", retry_after=wait)
    return UnexpectedAnswerError(f"{subject}: expected {expected}.")


def read_body(payload: bytes, what: str, read: Callable[[bytes], _T]) -> _T:
    """Decompresses a body and returns what `read` makes of it.

    Args:
        payload: the body as received.
        what: names the requested thing in messages.
        read: parses the decompressed body.

    Raises:
        UnreadableAnswerError: if it is damaged, or `read` raises a `GamestatsError` or msgspec's error.
    """
    try:
        return read(decompressed(payload))
    except (GamestatsError, msgspec.DecodeError, RecursionError) as error:
        raise UnreadableAnswerError(f"The body for {what} is unusable: {error}", payload) from None


# ---------------------------------------------------------------- requests


class FetcherOptions(TypedDict, total=False):
    """Options of a fetcher, all with defaults.

    Attributes:
        sleep: waits for a number of seconds.
        timeout: seconds for connecting, and between two pieces of a body.
        body_deadline: seconds for a whole answer, even if pieces keep arriving.
        deadline: time of `time.monotonic` after which nothing is requested and no answer awaited.
        attempts: number of attempts before an error is raised.
    """

    sleep: Callable[[float], None]
    timeout: float
    body_deadline: float
    deadline: float
    attempts: int


class Fetcher:
    """Sends HTTP requests and retries when that may help; use it as a context manager. Threads can share it.

    Bodies are returned as sent, still compressed if the server compressed them.

    Args:
        headers: sent with every request; must contain no secret.
        patience: longest wait before a retry that a server may ask for, in seconds; beyond it the error is raised.
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
        # Imported here, because every game's sensors import this module, but few processes send requests.
        import httpx

        # Accepts only gzip, which the landing zone stores as received.
        self._client = httpx.Client(
            timeout=self._timeout, headers={"Accept-Encoding": "gzip", "User-Agent": "gamestats", **(headers or {})}
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _may_help(self, error: BaseException) -> bool:
        """Whether a retry may help."""
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
        """Requests an address and returns what `check` makes of the body.

        Args:
            url: address, http or https.
            what: names the requested thing in error messages.
            judge: receives status and headers of every answer and raises for a bad one. Its `RateLimitedError` and
                `UnavailableError` are retried.
            check: receives the body and raises `UnreadableAnswerError` if it is not what was requested.
            acquire: called before each request; waits until one may be sent.
            params: query parameters.
            secret_headers: further headers, which show in no error.
            follow_redirects: whether to follow redirects. A key is for one host, so requests with a key must not.
            files: name and content of files by form field. The form is posted, completely with every attempt.
            content: a body to post.

        Raises:
            ApiError: the last error of `judge`, `check` or `acquire`, or one that says how the network failed.
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
                raise UnavailableError(f"The time is over before the request for {what}.")
            acquire()
            deadline = min(time.monotonic() + self._body_deadline, self._deadline)
            # Applies to connecting, sending and each piece of the answer.
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
                raise UnexpectedAnswerError(f"{host_of(url)} cannot be reached for {what}: {error}.") from None
            except httpx.RequestError as error:
                message = f"{type(error).__name__}: {error}".rstrip(": ")
                raise UnavailableError(f"{host_of(url)} sent no complete answer for {what}: {message}.") from None
            return check(payload)

        return retrying(attempt)


def host_of(url: str) -> str:
    """Host of an address, for messages: the rest may contain a signature."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or "The address"


def _body(response: httpx.Response, deadline: float, url: str, what: str) -> bytes:
    """The body as received, still compressed if it was sent compressed."""
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
    """Seconds before the next attempt: as the server asks, otherwise growing and with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ApiError) else None
    return _backoff(state) if asked is None else max(asked, 1.0)


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("%s Attempt %d failed; the next one is in %.1f s.", error, state.attempt_number, state.upcoming_sleep)
