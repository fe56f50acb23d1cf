"""An S3-compatible server for tests of the landing zone and the lake."""

import itertools
import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
import pytest


@dataclass(frozen=True)
class S3:
    """A running S3 server.

    Attributes:
        storage_options: how the lake and the landing zone reach it.
        puts: path and If-None-Match header of every PUT received.
    """

    storage_options: dict[str, str]
    puts: list[tuple[str, str | None]]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def empty(self) -> str:
        """URL of a prefix that holds nothing."""
        return f"s3://gamestats/{next(self._numbers)}"


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """moto's server on a free port.

    moto looks for an object and stores it in two steps; one request at a time makes its
    conditional put atomic, as S3's is.
    """
    # What no test of an object store needs takes a second to import.
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    application = DomainDispatcherApplication(create_backend_app)
    puts: list[tuple[str, str | None]] = []
    one_at_a_time = threading.Lock()

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with one_at_a_time:
            if environ["REQUEST_METHOD"] == "PUT":
                puts.append((environ["PATH_INFO"], environ.get("HTTP_IF_NONE_MATCH")))
            return application(environ, start_response)

    server = make_server("127.0.0.1", 0, serve, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    httpx.put(f"{endpoint}/gamestats").raise_for_status()
    yield S3(
        {
            "aws_endpoint_url": endpoint,
            "aws_region": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "aws_allow_http": "true",
        },
        puts,
    )
    server.shutdown()
    thread.join()
    server.server_close()
