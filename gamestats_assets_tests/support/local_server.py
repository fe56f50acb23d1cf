"""A local HTTP server, for those that stand in for an API."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class LocalServer:
    """A threaded server on a free port of the loopback interface; use it as a context manager.

    Whoever inherits from it answers in `serve`, with `send`.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body go out in two writes; Nagle would hold the second back for 40 ms.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                owner._answered(self)

            def do_POST(self) -> None:
                owner._answered(self)

            def log_message(self, format: str, *args: object) -> None:
                """Tests need no access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.002})

    @property
    def address(self) -> str:
        """Address of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, handler: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes) -> None:
        """Answer a request; header names are in lower case."""
        raise NotImplementedError

    def _answered(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        try:
            self.serve(handler, headers, body)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True  # the client is gone

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
