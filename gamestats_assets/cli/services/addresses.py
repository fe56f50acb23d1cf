"""Addresses of services: whether a port is free, the URL for a browser, and whether a service answers."""

from __future__ import annotations

import errno
import http.client
import socket
from pathlib import Path

from gamestats_assets.lakehouse.errors import GamestatsError

HERE = ("127.0.0.1", "localhost", "::1")
"""Addresses that only this machine reaches."""


class AddressError(GamestatsError):
    """An address cannot be listened on."""


def refuse_taken_port(host: str, port: int, command: str) -> None:
    """Raise `AddressError` when the address cannot be listened on; it tells how the command is given another port."""
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        mend = f"Choose another: {command}{port + 1 if port < 65535 else port - 1}"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            mend = "It is no address of this machine: 127.0.0.1 is for this machine alone, 0.0.0.0 for everybody."
        raise AddressError(f"Cannot listen on {host}, port {port}: {error.strerror or error}. {mend}") from None


def address(host: str, port: int) -> str:
    """Address of a service for a browser on this machine."""
    reachable = _reachable(host)
    return f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


class _OverSocket(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=2)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))


def answers(where: tuple[str, int] | Path, path: str) -> bool:
    """Whether a service answers a path with success: at a host and port, or at a Unix socket."""
    connection = (
        _OverSocket(where)
        if isinstance(where, Path)
        else http.client.HTTPConnection(_reachable(where[0]), where[1], timeout=2)
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
