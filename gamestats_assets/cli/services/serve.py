"""`gamestats serve`: pages and the HTTP API over what is published."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.services.addresses import address, refuse_taken_port
from gamestats_assets.cli.terminal import say

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import SecretStr

    from gamestats_assets.settings import Settings


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
    from gamestats_assets.lakehouse.entries.encryption import Keys, seal
    from gamestats_assets.lakehouse.entries.ops import migrate
    from gamestats_assets.lakehouse.postgres.roles import serving_urls
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    refuse_taken_port(host, port, "gamestats serve --port ")
    with ExitStack() as stack:
        if stores.settings.metrics_port is not None:
            refuse_taken_port(stores.settings.metrics_host, stores.settings.metrics_port, "GAMESTATS_METRICS_PORT=")
        # Who may only serve owns nothing that could be brought up to date.
        if stores.settings.postgres_serving_url is None or stores.settings.postgres_writer_url is None:
            migrate(stores.postgres_url)
            seal(stores.postgres_url, Keys.of(stores.settings))
        # What is wrong with it is said here, not by each process.
        _, writer = serving_urls(stores.settings)
        if stores.settings.metrics_port is not None:
            _tell_metrics(stores.settings, stores.settings.metrics_port, writer, stack)
        say(f"gamestats answers at {address(host, port)}", "bold green")
        # What uvicorn does for Ctrl-C, and the end of this function after it.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        import uvicorn

        uvicorn.run(
            "gamestats_assets.cli.services.serve:application",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,
            log_config=_logs(stores.settings),
            timeout_graceful_shutdown=10,
            server_header=False,
            proxy_headers=False,
        )


def _tell_metrics(settings: Settings, port: int, writer: SecretStr, stack: ExitStack) -> None:
    # Before what it is for is loaded; `up` has a folder of its own.
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gamestats-metrics-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    from gamestats_assets.rocket_league.serving.players.scores import SCORES
    from gamestats_assets.serving.middleware.metrics import serve_metrics

    serve_metrics(settings.metrics_host, port, writer, [SCORES])
    say(f"Metrics are at {address(settings.metrics_host, port)}/metrics")


def _logs(settings: Settings) -> dict[str, Any]:
    """Settings of Python's logging: all in lines of JSON, those about requests in files where a folder is set."""
    here = {"class": "logging.StreamHandler", "formatter": "json"}
    files = {"class": "gamestats_assets.serving.middleware.logs.DailyFiles", "folder": str(settings.request_logs)}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"class": "gamestats_assets.serving.middleware.logs.JsonLines"}},
        "handlers": {"here": here, "requests": here if settings.request_logs is None else {**here, **files}},
        "loggers": {
            "gamestats.serving": {"handlers": ["requests"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["here"], "level": "WARNING", "propagate": False},
        },
        "root": {"handlers": ["here"], "level": "WARNING"},
    }


def application(settings: Settings | None = None) -> FastAPI:
    """The application over the PostgreSQL of the settings, by default of the environment's; each process makes one."""
    from gamestats_assets.demo_data.serving.game import DEMO_DATA
    from gamestats_assets.l2m.serving.game import L2M
    from gamestats_assets.lakehouse.postgres.roles import serving_urls
    from gamestats_assets.lol.serving.game import LOL
    from gamestats_assets.pubg.serving.game import PUBG
    from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
    from gamestats_assets.serving.app import create_app
    from gamestats_assets.settings import Settings

    settings = settings or Settings()
    app = create_app(*serving_urls(settings), [PUBG, LOL, ROCKET_LEAGUE, L2M, DEMO_DATA], settings)
    # Objects that exist by now stay for good; the collector need not search them while a request waits.
    gc.freeze()
    return app
