"""`gamestats up` starts everything once, and stops all of it however it ends."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from dagster._daemon.controller import DagsterDaemonController
from dagster._grpc import server_watcher

from gamestats_assets.cli.services.guard import members, stop_groups
from gamestats_assets.cli.services.up import _REVIVED_AFTER_S, stop_requests
from gamestats_assets.lakehouse.postgres.embedded import is_running, stop_embedded
from gamestats_assets.orchestration.runs.instance import daemon_runs_here
from gamestats_assets.settings import Settings
from gamestats_assets_tests.cli.runner import Gamestats

pytestmark = pytest.mark.timeout(240)
_COMMAND = [sys.executable, "-m", "gamestats_assets.cli"]
_MUTATION = 'mutation { deleteRun(runId: "any") { __typename } }'


@dataclass
class Up:
    """A running `gamestats up` over a folder of its own."""

    process: subprocess.Popen[str]
    folder: Path
    port: int
    output: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_it_says(self, text: str, seconds: float = 90) -> str:
        """Everything printed up to the line that holds the text."""
        assert self.process.stdout is not None
        output = ""
        deadline = time.monotonic() + seconds
        while text not in output:
            line = self.process.stdout.readline()
            assert line, f"up ended; it said:\n{output}"
            assert time.monotonic() < deadline, f"up took too long; it said:\n{output}"
            output += line
        self.output = output
        return output

    @property
    def link(self) -> str:
        """The address it printed that signs in once."""
        return next(word for word in self.output.split() if "token=" in word)

    @contextmanager
    def admin(self) -> Iterator[httpx.Client]:
        """A client that is signed in by that address, as a browser is, and asks as a page of ours does."""
        with httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=60, follow_redirects=True) as client:
            token = httpx.URL(self.link).params["token"]
            assert client.get(self.link).status_code == 200
            assert client.post(httpx.URL(self.link).path, data={"token": token, "next": "/"}).is_success
            yield client


def environment(folder: Path) -> dict[str, str]:
    """The environment of a user who set the data folder and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GAMESTATS_", "DAGSTER_"))}
    return {**kept, "GAMESTATS_DATA": str(folder), "COLUMNS": "200"}


def settings_of(folder: Path) -> Settings:
    return Settings(GAMESTATS_DATA=str(folder), GAMESTATS_POSTGRES_URL=None)  # pyright: ignore[reportCallIssue]


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder, found by their environment and arguments."""
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            output = [*process.cmdline(), process.environ().get("GAMESTATS_DATA", "")]
            if any(str(folder) in part for part in output):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


def connections_of(folder: Path) -> set[str]:
    """Sockets of the server of the code location: the one it listens on, and one for each connection to it."""
    server = next(line for line in processes_of(folder) if "dagster api grpc" in line).split()
    place = server[server.index("-s") + 1]
    return {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(f" {place}")}


def ports_of(process: subprocess.Popen[str]) -> list[int]:
    """The ports on which a process and those it started listen."""
    found: list[int] = []
    for one in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
        # One that has ended meanwhile listens to nothing.
        with suppress(psutil.NoSuchProcess):
            found += [c.laddr.port for c in one.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder that the PostgreSQL of root's can reach, with nothing left running in it afterwards."""
    path = Path(tempfile.mkdtemp(prefix="gamestats-up-"))
    try:
        yield path
    finally:
        stop_embedded(settings_of(path))
        shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Up]]:
    """Starts `gamestats up`, with settings, and waits until it is up; whatever is left of it is killed afterwards."""
    started: list[Up] = []

    def up(**settings: str) -> Up:
        port = free_port()
        process = subprocess.Popen(
            [*_COMMAND, "up", "--port", str(port)],
            env={**environment(folder), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(Up(process, folder, port))
        started[-1].wait_until_it_says("Ctrl-C")
        return started[-1]

    yield up
    for one in started:
        one.process.kill()
        one.process.communicate()
    assert wait_until(lambda: not processes_of(folder), 90)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_COMMAND, *arguments], env=environment(folder), capture_output=True, text=True, timeout=120)


def _worker_of(folder: Path) -> str | None:
    return next((line.split()[0] for line in processes_of(folder) if line.endswith("gamestats_assets.cli work")), None)


def test_up_serves_refuses_a_second_one_and_ends_when_the_daemon_does(start: Callable[[], Up], folder: Path) -> None:
    up, gamestats = start(), Gamestats(folder)
    started = time.monotonic()
    locations = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
    with up.admin() as admin:
        assert "dagster_webserver_version" in admin.get("/dagster/server_info").json()
        answer = admin.post("/dagster/graphql", json={"query": locations}).json()
        assert admin.get("/dagster/graphql", params={"query": _MUTATION}).status_code == 405
    assert [entry["name"] for entry in answer["data"]["workspaceOrError"]["locationEntries"]] == ["gamestats"]
    assert ports_of(up.process) == [up.port], "nothing of it is reached in another way"
    for path in ("/graphql", "/dagster/graphql"):
        attack = httpx.get(f"{up.url}{path}", params={"query": _MUTATION}, headers={"Host": "evil.example.com"})
        assert attack.status_code == 421
    kept = connections_of(folder)
    assert len(kept) == 3, "the daemon and the webserver are connected to the code location"

    second = run(folder, "up", "--port", str(up.port + 1))
    assert second.returncode == 1
    assert up.url in second.stderr
    assert str(up.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert up.url in gamestats("doctor").stdout
    assert daemon_runs_here(str(folder / "dagster")), "commands leave the runs of this daemon alone"
    assert connections_of(folder) == kept, "and ask over these connections"

    # The worker may die of a job, and nothing else does.
    assert wait_until(lambda: _worker_of(folder) is not None, 60)
    time.sleep(max(0.0, started + _REVIVED_AFTER_S - time.monotonic()))
    worker = _worker_of(folder)
    assert worker is not None
    os.kill(int(worker), signal.SIGKILL)
    assert wait_until(lambda: _worker_of(folder) not in (None, worker), 60)
    assert up.process.poll() is None
    daemon = next(line for line in processes_of(folder) if "dagster-daemon run" in line)
    os.kill(int(daemon.split()[0]), signal.SIGKILL)
    output, _ = up.process.communicate(timeout=60)
    assert up.process.returncode == 1
    assert "daemon was killed by signal 9" in output
    assert "daemon.log ends:" in output
    assert "Traceback" not in output
    assert not is_running(settings_of(folder))
    assert processes_of(folder) == []


def test_a_killed_up_leaves_no_process_behind(start: Callable[[], Up], folder: Path) -> None:
    up = start()
    assert is_running(settings_of(folder))
    assert len(processes_of(folder)) >= 4
    up.process.kill()
    up.process.wait()
    assert wait_until(lambda: not processes_of(folder), 45), processes_of(folder)
    assert not is_running(settings_of(folder))
    # Its details are still there, its lock is not.
    assert json.loads((folder / "up.json").read_text())["pid"] == up.process.pid
    assert "runs at" not in Gamestats(folder)("doctor").stdout
    assert "Nothing runs" in Gamestats(folder)("down").stdout


@pytest.mark.parametrize("asked_by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_ask_to_stop_and_a_second_one_interrupts(asked_by: signal.Signals) -> None:
    before = signal.getsignal(asked_by)
    with stop_requests() as stop:
        signal.raise_signal(asked_by)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(asked_by)
    assert signal.getsignal(asked_by) == before


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(tmp_path, "up", "--port", str(port))
    assert result.returncode == 1
    assert f"port {port}" in result.stderr
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("arguments", "given", "output"),
    [
        (["--host", "203.0.113.5"], {}, "It is no address of this machine"),
        ([], {"GAMESTATS_POSTGRES_URL": "postgresql://me:pass-word@127.0.0.1:9/none"}, "port 9, database none"),
    ],
)
def test_wrong_addresses_are_reported_before_anything_starts(
    tmp_path: Path, arguments: list[str], given: dict[str, str], output: str
) -> None:
    command = [*_COMMAND, "up", "--port", str(free_port()), *arguments]
    done = subprocess.run(command, env={**environment(tmp_path), **given}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert output in done.stderr
    assert not {"Traceback", "pass-word"} & {*done.stderr.replace(":", " ").split()}
    assert [*tmp_path.glob("logs/*")] == []


def test_what_dagster_is_kept_from_doing_too_often_is_still_called_so() -> None:
    assert isinstance(server_watcher.WATCH_INTERVAL, int)
    read = inspect.signature(DagsterDaemonController.check_workspace_freshness)
    assert [*read.parameters] == ["self", "last_workspace_update_time"]


def test_what_does_not_stop_when_asked_is_killed_with_all_of_its_group() -> None:
    stubborn = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen([sys.executable, '-c', 'import signal, time;"
        " signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)']);"
        "print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert wait_until(lambda: len(members(process.pid)) == 2, 5)
    stop_groups([process.pid], grace=0.6)
    assert process.wait(timeout=5) == -signal.SIGKILL
    assert members(process.pid) == []
    process.stdout.close()
