"""What HTTP answers say about when to ask again, and what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler

import pytest

from gamestats_assets.lakehouse.http import Fetcher, UnavailableError, retry_after_s
from gamestats_assets_tests.local_server import LocalServer

NOW = 1767225600.0
"""2026-01-01 00:00:00 UTC."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30),
        ({"Retry-After": "Wed, 31 Dec 2025 23:00:00 GMT"}, 0),
        # The server's clock is ten minutes ahead of ours.
        ({"Retry-After": "Thu, 01 Jan 2026 00:10:30 GMT", "Date": "Thu, 01 Jan 2026 00:10:00 GMT"}, 30),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


class Receiver(LocalServer):
    """Refuses the first request, and takes those after it."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[str, str, bytes]] = []

    def serve(self, handler: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes) -> None:
        self.came.append((handler.command, headers.get("content-type", ""), body))
        handler.send_response(503 if len(self.came) == 1 else 201)
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"good")


@pytest.mark.parametrize("content", [b"\x00\r\n--x\xff", b""])
def test_files_are_posted_as_a_form_and_whole_at_every_try(content: bytes) -> None:
    def judge(status: int, headers: Mapping[str, str]) -> None:
        if status != 201:
            raise UnavailableError("not now")

    with Receiver() as server, Fetcher(sleep=lambda seconds: None) as fetcher:
        files = {"file": ("a.bin", content)}
        assert fetcher.fetch(server.address, "it", judge=judge, check=bytes, files=files) == b"good"
    assert [method for method, _, _ in server.came] == ["POST", "POST"]
    for _, kind, body in server.came:
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        (part,) = list(message_from_bytes(head + body).walk())[1:]
        assert (part.get_param("name", header="content-disposition"), part.get_filename()) == ("file", "a.bin")
        assert part.get_payload(decode=True) == content
