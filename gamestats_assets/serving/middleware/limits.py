"""Limits on the rate, size and duration of requests, by the sender."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gamestats_assets.serving.middleware.principal import Person, caller
from gamestats_assets.serving.middleware.problems import ProblemError, problem
from gamestats_assets.serving.middleware.site import AUTH, HEALTH, SIGN_IN, STATIC
from gamestats_assets.settings import Settings

_LOG = logging.getLogger("gamestats.serving")
_FREE = (*HEALTH, STATIC)
"""Beginnings of paths without a rate limit."""
_SWEPT_EVERY_S = 10.0
_WRITTEN_AN_HOUR = 10
"""Forms that an address may send without signing in."""
_PREMIUM = 5
"""Factor by which the limit of premium users is higher."""


@dataclass(frozen=True, slots=True)
class _Special:
    """A limit in addition to that of all requests.

    Attributes:
        message: explains the refusal.
        counts: the status of answers that count; None counts all.
    """

    limit: RateLimitItem
    who: str
    message: str
    counts: int | None = None


class InProcess(MemoryStorage):
    """Counters in the memory of this process.

    The library's own storage scans all its counters in another thread at each request, to find expired ones.
    """

    STORAGE_SCHEME = ("async+in-process",)
    _swept_at = 0.0

    async def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802 (the library's own name)
        now = time.time()
        if now - self._swept_at < _SWEPT_EVERY_S:
            return
        self._swept_at = now
        # The newest is first.
        self.events = {
            key: [entry for entry in entries if entry.expiry > now]
            for key, entries in self.events.items()
            if entries and entries[0].expiry > now
        }
        for key in [key for key in self.locks if key not in self.events]:
            if not self.locks[key].locked():
                del self.locks[key]


class RateLimits:
    """Refuses requests above the limit; answers 304 do not count.

    An upload counts as one file unless its route calls `await request.state.count_files(n)`, which refuses too many
    files.

    Args:
        forms: paths to which visitors may write without signing in.
    """

    def __init__(self, app: ASGIApp, settings: Settings, forms: Sequence[str] = ()) -> None:
        self._app, self._forms = app, frozenset(forms)
        is_here = settings.limits_url.startswith("memory:")
        found = InProcess() if is_here else storage_from_string(f"async+{settings.limits_url}", wrap_exceptions=True)
        storage = cast(Storage, found)
        self._limiter = MovingWindowRateLimiter(storage)
        amounts = {
            "address": settings.requests_a_minute,
            "user": settings.requests_a_minute_of_user,
            "premium": _PREMIUM * settings.requests_a_minute_of_user,
            "admin": settings.requests_a_minute_of_admin,
        }
        self._written = RateLimitItemPerHour(_WRITTEN_AN_HOUR, namespace="written")
        self._guesses = RateLimitItemPerMinute(settings.guesses_a_minute, namespace="guesses")
        self._files = [RateLimitItemPerHour(n * settings.files_an_hour, namespace="files") for n in (1, _PREMIUM)]
        self._limits = {kind: RateLimitItemPerMinute(most) for kind, most in amounts.items() if most is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(_FREE):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        address = _network((scope.get("client") or ("unknown",))[0])
        limit, who, whom = self._limit(caller(request).person, address)
        special = self._special(request, address)
        is_counted = False

        async def count_files(files: int) -> None:
            nonlocal is_counted
            is_counted = True
            if special is None:
                return
            with suppress(StorageError):
                if not await self._limiter.hit(special.limit, special.who, cost=files):
                    window = await self._limiter.get_window_stats(special.limit, special.who)
                    seconds = _seconds(window.reset_time)
                    detail = (
                        f"{special.message} These are {files}, and {window.remaining} are left; more in {seconds} s."
                    )
                    raise ProblemError(429, detail, headers={"Retry-After": str(seconds)})

        scope.setdefault("state", {})["count_files"] = count_files

        try:
            if special is not None and not await self._limiter.test(special.limit, special.who):
                window = await self._limiter.get_window_stats(special.limit, special.who)
                await _refused(request, special.message, window.reset_time)(scope, receive, send)
                return
            window = None if limit is None else await self._limiter.get_window_stats(limit, who)
        except StorageError as error:
            # The counters are unreachable, but the answers may not be.
            _LOG.warning("requests cannot be counted", extra={"fields": {"error": type(error.storage_error).__name__}})
            await self._app(scope, receive, send)
            return
        if limit is not None and window is not None and window.remaining <= 0:
            # Cached answers are still given, so open pages stay alive when others use up the limit of their address.
            if (unchanged := _unchanged(scope)) is not None:
                for message in unchanged:
                    await send(message)
                return
            detail = f"{whom} may ask {limit.amount} times a minute."
            await _refused(request, detail, window.reset_time, limit.amount)(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                free = message["status"] == 304
                counts = special is not None and special.counts in (None, message["status"]) and not is_counted
                with suppress(StorageError):
                    if special is not None and counts:
                        await self._limiter.hit(special.limit, special.who)
                    if limit is not None and not free:
                        await self._limiter.hit(limit, who)
                if limit is not None and window is not None:
                    headers = MutableHeaders(scope=message)
                    headers["RateLimit-Limit"] = str(limit.amount)
                    headers["RateLimit-Remaining"] = str(max(0, window.remaining - (not free)))
                    headers["RateLimit-Reset"] = str(_seconds(window.reset_time))
            await send(message)

        await self._app(scope, receive, counted)

    def _special(self, request: Request, address: str) -> _Special | None:
        """Returns the further limit of a request: for guessed links and tokens, forms without sign-in, and uploads."""
        person = caller(request).person
        if request.method == "POST" and request.url.path.startswith((AUTH, SIGN_IN)):
            message = "Too many links or tokens from this address were invalid."
            return _Special(self._guesses, address, message, counts=401)
        if request.method == "POST" and request.url.path in self._forms and "address" in self._limits:
            message = f"This address may send {_WRITTEN_AN_HOUR} of these an hour."
            return _Special(self._written, address, message)
        sends = request.headers.get("content-type", "").startswith("multipart/form-data")
        # Admins' files are small tables, and each is sent twice: for the preview and for good.
        if not sends or (person is not None and person.may_somewhere("tournament_admin")):
            return None
        limit = self._files[person is not None and person.may("premium")]
        who = f"address {address}" if person is None else f"user {person.user_id}"
        return _Special(limit, who, f"You may send {limit.amount} files an hour.")

    def _limit(self, person: Person | None, address: str) -> tuple[RateLimitItemPerMinute | None, str, str]:
        """Returns the limit of a sender, the key that it is counted under, and the sender in words."""
        if "address" not in self._limits:
            return None, "", ""
        if person is None:
            return self._limits["address"], f"address {address}", "An address"
        kinds = ["user"]
        kinds += ["premium"] if person.may("premium") else []
        kinds += ["admin"] if person.may_somewhere("tournament_admin") else []
        most = max((self._limits[kind] for kind in kinds), key=lambda limit: limit.amount)
        return most, f"user {person.user_id}", "You"


def _unchanged(scope: Scope) -> tuple[Message, Message] | None:
    """Returns a 304 if the process knows without asking PostgreSQL that nothing has changed."""
    answers = scope.get("state", {}).get("answers")
    given = answers.at_once(scope) if answers is not None else None
    return given if given is not None and given[0]["status"] == 304 else None


@functools.lru_cache(10_000)
def _network(address: str) -> str:
    """Returns an IPv4 address, or the network of an IPv6 address, since one customer has all of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address


def _seconds(until: float) -> int:
    return max(1, round(until - time.time()))


def _refused(request: Request, detail: str, until: float, amount: int | None = None) -> Any:
    seconds = _seconds(until)
    headers = {"Retry-After": str(seconds)}
    if amount is not None:
        headers |= {"RateLimit-Limit": str(amount), "RateLimit-Remaining": "0", "RateLimit-Reset": str(seconds)}
    return problem(request, 429, f"{detail} Try again in {seconds} s.", headers=headers)


class RequestBounds:
    """Refuses requests that are too large, and gives up on answers that take too long.

    Args:
        uploads: paths for large files, which have limits of their own.
    """

    def __init__(self, app: ASGIApp, settings: Settings, uploads: Collection[str] = ()) -> None:
        self._app, self._uploads = app, frozenset(uploads)
        self._usual = settings.largest_request_mb, settings.longest_request_s
        self._of_uploads = settings.largest_upload_mb, settings.longest_upload_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if b"%00" in scope["query_string"] or "\0" in scope["path"]:
            message = "The address contains a null character, which no text here has."
            await problem(Request(scope), 422, message)(scope, receive, send)
            return
        most_mb, longest_s = self._of_uploads if scope["path"] in self._uploads else self._usual
        most, detail = most_mb << 20, f"A request may have at most {most_mb} MB."
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            await problem(Request(scope), 413, detail)(scope, receive, send)
            return
        taken, is_begun = 0, False

        async def measured() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413, detail)
            return message

        timer = asyncio.timeout(longest_s)

        async def begun(message: Message) -> None:
            # An answer that has begun may take as long as its reader does.
            nonlocal is_begun
            if not is_begun:
                is_begun = True
                timer.reschedule(None)
            await send(message)

        try:
            async with timer:
                await self._app(scope, measured, begun)
        except TimeoutError:
            if is_begun or not timer.expired():
                raise
            message = f"There was no answer within {longest_s} s. Ask for less, or try again in a moment."
            await problem(Request(scope), 504, message)(scope, receive, send)
