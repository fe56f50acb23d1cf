"""The application behind a real server, for tests."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr

from gamestats_assets.cli.services.serve import application
from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.postgres.roles import serving_urls
from gamestats_assets.serving.app import create_app
from gamestats_assets.serving.game import Game
from gamestats_assets.settings import Settings

KEY = SecretStr("dGhlIGtleSBvZiB3aGF0IHRlc3RzIHNlcnZlLi4uLi4=")
"""By default, so that none is made in the folder of the checkout."""


@contextmanager
def served(url: str, *, games: Sequence[Game] = (), **settings: Any) -> Iterator[httpx.Client]:
    """A client of the API over a database, once it is ready; by default of all games and without limits."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    migrate(SecretStr(url))
    asked = Settings(
        postgres_url=SecretStr(url),
        **{"requests_a_minute": None, "guesses_a_minute": 10_000, "encryption_key": KEY, **settings},
    )
    app = create_app(*serving_urls(asked), games, asked) if games else application(asked)
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=port, log_level="warning", timeout_graceful_shutdown=5, server_header=False, proxy_headers=False
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            deadline = time.monotonic() + 20
            while not _is_ready(client):
                assert time.monotonic() < deadline, "the API is not ready"
                time.sleep(0.02)
            yield client
    finally:
        server.should_exit = True
        thread.join()


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
