"""Runs a long-lived Dagster program: `python -m ...runs.long_running SOCKET PROGRAM ARGUMENTS`.

Modules and definitions that such a process has loaded are never garbage. Searching them takes the collector longer than
everything the daemon does when it loads a code location, so they are frozen.

Dagster's webserver obeys everyone who reaches it. It therefore listens on a Unix socket, which only our proxy for
signed-in admins uses; the path is given as the host: `dagster-webserver -h /path/of/the/socket`.

Dagster opens a connection to the code server for each request, and asks every second whether the server is still the
same. gRPC reuses an open connection with the same options, so one is kept open here. And since the code server lives as
long as these programs, they ask rarely and do not reload it for nothing.
"""

import gc
import os
import sys
from importlib.metadata import entry_points
from typing import Any

import grpc
from grpc.experimental import ChannelOptions

MESSAGE_BYTES = ("DAGSTER_GRPC_MAX_RX_BYTES", "DAGSTER_GRPC_MAX_SEND_BYTES")
"""Environment variables with the largest message size, which is one of the connection's options."""


def connected(socket: str) -> tuple[grpc.Channel, object]:
    """Opens a connection to a code server, and a call that keeps the connection open while it is idle."""
    received, sent = (int(os.environ[name]) for name in MESSAGE_BYTES)
    channel = grpc.insecure_channel(
        f"unix:{socket}",
        options=[
            ("grpc.max_receive_message_length", received),
            ("grpc.max_send_message_length", sent),
            # With a thread of its own, the idle call would poll every 0.2 s.
            (ChannelOptions.SingleThreadedUnaryStream, 1),
        ],
        compression=grpc.Compression.Gzip,
    )
    # The server reports its health now and again only when it changes, that is, when it ends.
    health = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", wait_for_ready=True)
    next(health)
    return channel, health


def listen_on_sockets() -> None:
    """Makes `uvicorn.run` accept the path of a Unix socket as host.

    Dagster has no option for sockets, but passes its host on to uvicorn unchanged. If a later version listened in
    another way, it would reject the path as a host name and not listen at all.
    """
    import uvicorn

    run = uvicorn.run

    def run_there(app: Any, *, host: str, **options: Any) -> None:
        options["uds" if host.startswith("/") else "host"] = host
        run(app, **options)

    uvicorn.run = run_there


def poll_rarely(program: str) -> None:
    """Makes a program ask every 10 s whether the code server has changed, and reload the code location only then.

    Dagster asks every second, and its daemon reloads the location every minute in any case. It has no setting for
    either.
    """
    from dagster._grpc import server_watcher

    server_watcher.WATCH_INTERVAL = 10
    if program == "dagster-daemon":
        from dagster._daemon.controller import DagsterDaemonController

        def keep_workspace(self: DagsterDaemonController, last_workspace_update_time: float) -> float:
            return last_workspace_update_time

        DagsterDaemonController.check_workspace_freshness = keep_workspace


if __name__ == "__main__":
    # Loaded before the freeze, since the program will need it.
    import gamestats_assets.orchestration.runs.storage  # noqa: F401

    kept = connected(sys.argv[1])
    poll_rarely(sys.argv[2])
    if sys.argv[2] == "dagster-webserver":
        listen_on_sockets()
    gc.freeze()
    sys.argv = sys.argv[2:]
    [program] = entry_points(group="console_scripts", name=sys.argv[0])
    program.load()()
