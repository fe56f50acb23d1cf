"""`gamestats serve`: pages and the HTTP API over what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gamestats_assets.cli.terminal import say

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1)] = 1,
) -> None:
    """Serve what is published over HTTP: pages, and JSON under /api/v1, described by /api/v1/openapi.json.

    Starts the embedded PostgreSQL when it is used and does not run. Runs until Ctrl-C; requests that are on their way
    are answered first. Only this machine is answered, unless another --host is given.

    Examples:

        gamestats serve
        gamestats serve --port 8080 --workers 2
    """
    import uvicorn

    from gamestats_assets.lakehouse.stores import Stores

    _ = Stores().postgres_url
    say(f"gamestats answers at http://{host}:{port}/", "bold green")
    uvicorn.run(
        "gamestats_assets.cli.serve:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        log_config=_LOGS,
        timeout_graceful_shutdown=10,
        server_header=False,
        proxy_headers=False,
    )


_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(message)s"}, "told": {"format": "%(levelname)s %(message)s"}},
    "handlers": {
        "requests": {"class": "logging.StreamHandler", "formatter": "plain"},
        "server": {"class": "logging.StreamHandler", "formatter": "told"},
    },
    "loggers": {
        "gamestats.serving": {"handlers": ["requests"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["server"], "level": "WARNING", "propagate": False},
    },
}


def application() -> FastAPI:
    """The application over the PostgreSQL of the settings; each process makes its own."""
    from gamestats_assets.lakehouse.postgres import reading_url
    from gamestats_assets.pubg.serving.game import PUBG
    from gamestats_assets.serving.app import create_app
    from gamestats_assets.settings import Settings

    settings = Settings()
    return create_app(reading_url(settings), [PUBG], requests_a_minute=settings.requests_a_minute)
