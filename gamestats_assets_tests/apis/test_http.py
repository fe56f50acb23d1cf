"""Retry headers of HTTP answers, and what requests send."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler

import msgspec
import pytest

from gamestats_assets.apis.http import (
    ApiError,
    Fetcher,
    NotFoundError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreadableAnswerError,
    bad_answer,
    read_body,
    retry_after_s,
)
from gamestats_assets_tests.support.local_server import LocalServer

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


@pytest.mark.parametrize(
    ("status", "kind", "message", "retry_after"),
    [
        (404, NotFoundError, "there is none, or it is private.", None),
        (410, NotFoundError, "there is none, or it is private.", None),
        (408, UnavailableError, "the server is in trouble.", 7.0),
        (500, UnavailableError, "the server is in trouble.", 7.0),
        (599, UnavailableError, "the server is in trouble.", 7.0),
        (418, UnexpectedAnswerError, "expected 201.", None),
        (200, UnexpectedAnswerError, "expected 201.", None),
    ],
)
def test_a_status_means_the_same_in_every_api(
    status: int, kind: type[ApiError], message: str, retry_after: float | None
) -> None:
    error = bad_answer("They answered", status, 7.0, missing=", or it is private", expected=201)
    assert (type(error), str(error), error.retry_after) == (kind, f"They answered: {message}", retry_after)


NUMBERS = msgspec.json.Decoder(list[int]).decode


@pytest.mark.parametrize("payload", [b"[1", b'["a"]', b"", gzip.compress(b"[1]", mtime=0)[:-4], b"[" * 100_000])
def test_the_error_of_an_unreadable_body_keeps_the_body(payload: bytes) -> None:
    read = NUMBERS if payload[:2] != b"[[" else msgspec.json.Decoder().decode
    with pytest.raises(UnreadableAnswerError, match=r"^The body for it is unusable: .") as error:
        read_body(payload, "it", read)
    assert error.value.payload == payload


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
def test_every_attempt_posts_files_completely(content: bytes) -> None:
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
