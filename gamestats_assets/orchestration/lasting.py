"""Runs a program of Dagster that lasts, as `python -m gamestats_assets.orchestration.lasting SOCKET PROGRAM ARGUMENTS`.

What such a process has loaded is never garbage: to look through it takes longer than all that the daemon does with a
code location when it reads it.

Dagster's webserver does what it is asked by whoever reaches it. So that nobody does but what asks for signed-in admins,
it listens on a Unix socket, whose path is given as the host: `dagster-webserver -h /path/of/the/socket`.

Dagster connects to the server of the code location for each question, and asks it every second whether it is still the
same one. gRPC takes a connection that is there already, if it was made with the same options: so one is kept here.
And as that server lasts as long as they do, they ask it seldom, and do not read it anew for nothing.
"""

import gc
import os
import sys
from importlib.metadata import entry_points
from typing import Any

import grpc
from grpc.experimental import ChannelOptions

MESSAGE_BYTES = ("DAGSTER_GRPC_MAX_RX_BYTES", "DAGSTER_GRPC_MAX_SEND_BYTES")
"""Variables that say how long a message may be, which is one of the options."""


def connected(socket: str) -> tuple[grpc.Channel, object]:
    """A connection to a server of a code location, and what keeps it from being closed when nobody asks anything."""
    received, sent = (int(os.environ[name]) for name in MESSAGE_BYTES)
    channel = grpc.insecure_channel(
        f"unix:{socket}",
        options=[
            ("grpc.max_receive_message_length", received),
            ("grpc.max_send_message_length", sent),
            # A thread for what is only held would look every 0.2 s whether something came.
            (ChannelOptions.SingleThreadedUnaryStream, 1),
        ],
        compression=grpc.Compression.Gzip,
    )
    # The server tells how it is now, and then only when that changes: with the end of both.
    health = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", wait_for_ready=True)
    next(health)
    return channel, health


def listen_on_sockets() -> None:
    """Let `uvicorn.run` take the path of a Unix socket for a host.

    Dagster passes its option on to uvicorn as it is, and has none for sockets. Were it to listen otherwise one day, it
    would find that a path is no host, and not listen at all.
    """
    import uvicorn

    run = uvicorn.run

    def run_there(app: Any, *, host: str, **options: Any) -> None:
        options["uds" if host.startswith("/") else "host"] = host
        run(app, **options)

    uvicorn.run = run_there


def look_seldom(program: str) -> None:
    """Let a program ask every 10 s whether the server of the code location is another one, and read it anew only then.

    Dagster asks every second, and its daemon reads the location anew every minute whether or not it is another one. It
    has no setting for either.
    """
    from dagster._grpc import server_watcher

    server_watcher.WATCH_INTERVAL = 10
    if program == "dagster-daemon":
        from dagster._daemon.controller import DagsterDaemonController

        def as_it_was_read(self: DagsterDaemonController, last_workspace_update_time: float) -> float:
            return last_workspace_update_time

        DagsterDaemonController.check_workspace_freshness = as_it_was_read


if __name__ == "__main__":
    # What the program will ask for, loaded before all that is there is kept out of the search.
    import gamestats_assets.orchestration.storage  # noqa: F401

    kept = connected(sys.argv[1])
    look_seldom(sys.argv[2])
    if sys.argv[2] == "dagster-webserver":
        listen_on_sockets()
    gc.freeze()
    sys.argv = sys.argv[2:]
    [program] = entry_points(group="console_scripts", name=sys.argv[0])
    program.load()()
