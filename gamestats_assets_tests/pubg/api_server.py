"""A local HTTP server that stands in for the PUBG API and its telemetry hosts.

Answers are queued for a path; the last one stays. Each can fail in the ways a network
fails: cut bodies, dribbling bodies, connections closed without a word.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from gamestats_assets_tests.support.local_server import LocalServer


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        status: HTTP status.
        body: the bytes to send.
        headers: headers beside Content-Length.
        sent: how many bytes of the body are sent before the connection closes; None for all.
        tells_length: whether Content-Length is sent; without it the end of the connection ends the body.
        seconds_a_byte: dribbles the body, one byte at a time.
        silent: closes the connection without answering.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None
    tells_length: bool = True
    seconds_a_byte: float = 0.0
    silent: bool = False


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names are in lower case."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class ApiServer(LocalServer):
    """The server."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = defaultdict(list)

    @property
    def url(self) -> str:
        """Address of the server, without a slash at the end."""
        return self.address

    def answer(self, path: str, *answers: Answer) -> None:
        """Queue answers for a path; the last one is repeated. A path without any answers 404."""
        with self.lock:
            self._answers[path] = list(answers)

    def replaced(self, path: str, *answers: Answer) -> list[Answer]:
        """Queue other answers for a path in place of those it had, which come back."""
        with self.lock:
            before, self._answers[path] = self._answers[path], [*answers]
        return before

    def asked(self, path: str) -> list[Request]:
        """Requests for a path, in order."""
        return [request for request in self.requests if request.path == path]

    def answer_to(self, request: Request) -> Answer:
        """The answer to a request; called by one thread at a time."""
        queue = self._answers.get(request.path, [])
        return (queue.pop(0) if len(queue) > 1 else queue[0]) if queue else Answer(404)

    def serve(self, handler: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes) -> None:
        """Answer a request."""
        parts = urlsplit(handler.path)
        request = Request(parts.path, parse_qs(parts.query), headers)
        with self.lock:
            self.requests.append(request)
            answer = self.answer_to(request)
        handler.close_connection = answer.sent is not None or not answer.tells_length or answer.silent
        if answer.silent:
            return
        # No Date of its own: answers say what time it is, where that matters.
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.tells_length:
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        sent = answer.body[: answer.sent]
        if not answer.seconds_a_byte:
            handler.wfile.write(sent)
        for byte in sent if answer.seconds_a_byte else b"":
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(answer.seconds_a_byte)
