"""JSON log lines for requests and failures, without personal data, and the files they go to."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gamestats_assets.serving.database import BUCKETS_S
from gamestats_assets.serving.middleware.problems import problem

KEPT_DAYS = 14
"""Days for which lines about requests are kept."""

REQUEST_SECONDS = Histogram(
    "http_request_seconds",
    "Seconds from a request to the last byte of its answer, by the template of its route.",
    ["route", "method", "status"],
    buckets=BUCKETS_S,
)
_LOG = logging.getLogger("gamestats.serving")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    # Other sites learn nothing, while our own pages still send the origin of forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


def route_of(scope: Scope) -> str:
    """Returns the template of a request's route, such as `/api/v1/tournaments/matches/{match_id}`.

    It is empty if there is none; it never contains user input.
    """
    route = scope.get("route")
    if route is None:
        return ""
    # The route does not know the prefix of its router.
    own = route.path_format.format(**scope.get("path_params", {}))
    path = str(scope["path"])
    return path.removesuffix(own) + route.path if path.endswith(own) else route.path


class RequestLog:
    """Gives every request an id and every answer its headers, and writes a line about it.

    The line has the template of the route, but no address, query or header of the person. Unforeseen errors are also
    answered here. Their line says where they happened, but leaves out their messages, which may contain user input.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        began, status, error = time.perf_counter(), 0, None

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = message["headers"] = [*message.get("headers", ())]
                own = {name for name, _ in headers}
                headers += [each for each in _RAW_HEADERS if each[0] not in own]
                headers.append((b"x-request-id", scope["request_id"].encode()))
            elif message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and not status:
                status = 403
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as failure:
            error = failure
            if status:
                # Too late for another answer: the server aborts this one.
                raise
            if scope["type"] == "http":
                detail = "The server's log has the details under the request id."
                await problem(Request(scope), 500, detail)(scope, receive, with_headers)
            else:
                await send({"type": "websocket.close", "code": 1011})
        finally:
            self._write(scope, status or 500, time.perf_counter() - began, error)

    @staticmethod
    def _write(scope: Scope, status: int, seconds: float, error: Exception | None) -> None:
        method = scope.get("method", "WEBSOCKET")
        method = method if method in _METHODS else "other"
        route = route_of(scope)
        if scope["type"] == "http":
            REQUEST_SECONDS.labels(route, method, status).observe(seconds)
        line = {"request_id": scope["request_id"], "method": method, "route": route, "status": status}
        level = logging.INFO if error is None else logging.ERROR
        _LOG.log(level, "request", exc_info=error, extra={"fields": {**line, "took_ms": round(1000 * seconds, 1)}})


class JsonLines(logging.Formatter):
    """Formats records as lines of JSON: time, level, message, own fields, and the place of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "message": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info and (error := record.exc_info[1]) is not None:
            line |= _failure(error)
        return _JSON.encode(line)


def _failure(error: BaseException) -> dict[str, Any]:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    where = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__)]
    cause = error.__cause__ or error.__context__
    return {"error": kind, "where": where, **({"cause": _failure(cause)} if cause is not None else {})}


_JSON = json.JSONEncoder(ensure_ascii=False)


class DailyFiles(logging.StreamHandler[Any]):
    """Writes to one file per UTC day in a folder, `requests.2026-11-24.log`, and keeps those of the last days.

    Any number of processes may write to the same folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder, self._day = Path(folder), ""
        self._folder.mkdir(parents=True, exist_ok=True)
        super().__init__(self._open())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        if self._day != _today():
            before, self.stream = self.stream, self._open()
            before.close()
        super().emit(record)

    def _open(self) -> Any:
        self._day = _today()
        oldest = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).date().isoformat()
        for path in self._folder.glob("requests.*.log"):
            if path.name.split(".")[1] < oldest:
                path.unlink(missing_ok=True)
        return (self._folder / f"requests.{self._day}.log").open("a", encoding="utf-8")


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
