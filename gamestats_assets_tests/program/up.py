"""A running `gamestats up`: how tests start it, ask it, and see what of it is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx
import psutil

from gamestats_assets_tests.cli.runner import Gamestats


@dataclass
class Up:
    """A running `gamestats up` over a data folder."""

    gamestats: Gamestats
    process: subprocess.Popen[str]
    port: int
    output: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_it_says(self, text: str) -> None:
        """Read what is printed up to the line that holds the text."""
        assert self.process.stdout is not None
        while text not in self.output:
            line = self.process.stdout.readline()
            assert line, f"up ended; it said:\n{self.output}"
            self.output += line

    def ended(self, signalled: signal.Signals | None = None) -> tuple[int, str]:
        """The exit code, after a signal to the process or by itself, and everything that it printed."""
        if signalled is not None:
            self.process.send_signal(signalled)
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, self.output + rest

    @contextmanager
    def admin(self) -> Iterator[httpx.Client]:
        """A client that is signed in by the address it printed, as a browser is, and asks as a page of ours does."""
        link = next(word for word in self.output.split() if "token=" in word)
        with httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=60, follow_redirects=True) as client:
            assert client.get(link).status_code == 200
            token = httpx.URL(link).params["token"]
            assert client.post(httpx.URL(link).path, data={"token": token, "next": "/"}).is_success
            yield client


@contextmanager
def running(gamestats: Gamestats, module: str = "gamestats_assets.cli", **settings: str) -> Iterator[Up]:
    """`gamestats up` over a data folder, once it is up; whatever is left of it is killed afterwards."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", module, "up", "--port", str(port)],
        env=gamestats.environment({"COLUMNS": "200", **settings}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        up = Up(gamestats, process, port)
        up.wait_until_it_says("Ctrl-C")
        yield up
    finally:
        process.kill()
        process.communicate()


def processes_of(gamestats: Gamestats) -> list[str]:
    """Command lines of the processes that work in a data folder, found by their environment and arguments."""
    places = {str(gamestats.folder), str(gamestats.stores.settings.state_folder)}
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            told = [*process.cmdline(), process.environ().get("GAMESTATS_DATA", "")]
            if any(place in part for part in told for place in places):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
