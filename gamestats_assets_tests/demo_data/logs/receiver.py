"""A local HTTP server that stands in for a ThinkingData receiver.

It takes what server SDKs send to `/sync_server`: the head says the project and the compression, the body is a JSON
array of records. It answers as the real one: `{"code": 0}`, a negative code for what it will not have, and it keeps
one record for each `#uuid`. Other answers can be queued before that one.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from gamestats_assets_tests.support.local_server import LocalServer


@dataclass(frozen=True)
class Answer:
    """One answer that is not the receiver's own judgement.

    Attributes:
        status: HTTP status.
        body: text to send.
        headers: beside Content-Length.
        silent: closes the connection without a word.
        takes: whether the records are kept all the same, as when an answer is lost on its way.
    """

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    takes: bool = False


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names are in lower case, `at` is a monotonic time in seconds."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def records(self) -> list[Any]:
        """The records of the body, unpacked as the head says."""
        plain = gzip.decompress(self.body) if self.headers.get("compress") == "gzip" else self.body
        return json.loads(plain)


class Receiver(LocalServer):
    """The server.

    Attributes:
        app_id: the only project there is.
        requests: in the order in which they came.
        taken: records that were taken, in order, those that came twice included.
        on_request: called with each request before it is answered.
    """

    def __init__(self, app_id: str = "0123456789abcdef0123456789abcdef") -> None:
        super().__init__()
        self.app_id = app_id
        self.requests: list[Request] = []
        self.taken: list[dict[str, Any]] = []
        self.on_request: Callable[[Request], None] | None = None
        self._answers: list[Answer] = []

    @property
    def url(self) -> str:
        """Address of the server, without a slash at the end."""
        return self.address

    @property
    def stored(self) -> dict[str, dict[str, Any]]:
        """What is left of the records taken, by `#uuid`."""
        return {record["#uuid"]: record for record in self.taken}

    def answer(self, *answers: Answer) -> None:
        """Queue answers; after the last one the receiver judges for itself."""
        with self.lock:
            self._answers = list(answers)

    def serve(self, handler: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes) -> None:
        """Answer a request."""
        request = Request(handler.path, headers, body, time.monotonic())
        with self.lock:
            self.requests.append(request)
            queued = self._answers.pop(0) if self._answers else None
            if queued is None:
                answer = self._judged(request)
            else:
                answer = queued
                if queued.takes:
                    self._judged(request)
        if self.on_request is not None:
            self.on_request(request)
        if answer.silent:
            handler.close_connection = True
            return
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body.encode())))
        handler.end_headers()
        handler.wfile.write(answer.body.encode())

    def _judged(self, request: Request) -> Answer:
        if request.path != "/sync_server":
            return Answer(404, "not found")
        if request.headers.get("appid") != self.app_id:
            return Answer(body=json.dumps({"code": -2, "msg": "APP ID doesn't exist"}))
        try:
            records = request.records
        except (ValueError, EOFError, OSError):
            return Answer(body=json.dumps({"code": -1, "msg": "invalid data format"}))
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            return Answer(body=json.dumps({"code": -1, "msg": "invalid data format"}))
        self.taken += records
        return Answer(body=json.dumps({"code": 0, "msg": "success"}))
