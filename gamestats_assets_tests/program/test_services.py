"""`gamestats up` refuses what cannot work, and stops all that it started however it ends."""

from __future__ import annotations

import inspect
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster._daemon.controller import DagsterDaemonController
from dagster._grpc import server_watcher

from gamestats_assets.cli.services.guard import members, stop_groups
from gamestats_assets.cli.services.up import stop_requests
from gamestats_assets.lakehouse.postgres.embedded import is_running
from gamestats_assets_tests.cli.runner import Gamestats, data_folder
from gamestats_assets_tests.program import stand_ins
from gamestats_assets_tests.program.up import free_port, processes_of, running
from gamestats_assets_tests.support.clocks import wait_until


@pytest.fixture(scope="module")
def gamestats() -> Iterator[Gamestats]:
    """A data folder in which nothing runs, before a test and after it."""
    with data_folder() as made:
        yield made


def test_up_revives_its_worker_and_ends_when_another_service_does(gamestats: Gamestats, tmp_path: Path) -> None:
    worked = tmp_path / "worked"
    worked.touch()
    daemon = f"until [ $(wc -l < {worked}) -ge 2 ]; do sleep 0.1; done; echo last words; kill -9 $$"
    worker = f"echo once >> {worked}"
    with running(gamestats, stand_ins.__name__, STAND_IN_DAEMON=daemon, STAND_IN_WORKER=worker) as up:
        code, output = up.ended()
    assert code == 1
    assert "daemon was killed by signal 9" in output
    assert "daemon.log ends:\nlast words" in output
    assert "Traceback" not in output
    assert not is_running(gamestats.stores.settings)
    assert processes_of(gamestats) == []


def test_a_killed_up_leaves_no_process_behind(gamestats: Gamestats) -> None:
    with running(gamestats, stand_ins.__name__) as up:
        assert is_running(gamestats.stores.settings)
        assert len(processes_of(gamestats)) > 10
        up.ended(signal.SIGKILL)
    assert wait_until(lambda: not processes_of(gamestats), 45), processes_of(gamestats)
    assert not is_running(gamestats.stores.settings)
    # Its details are still there, its lock is not.
    assert json.loads((gamestats.folder / "up.json").read_text())["pid"] == up.process.pid
    assert "runs at" not in gamestats("doctor").stdout
    assert "Nothing runs" in gamestats("down").stdout


def test_down_stops_an_up_with_all_that_it_started(gamestats: Gamestats) -> None:
    with running(gamestats, stand_ins.__name__) as up:
        assert "gamestats up was stopped." in gamestats("down").output
        code, output = up.ended()
    assert (code, "Traceback" in output) == (0, False), output
    assert processes_of(gamestats) == []
    assert not is_running(gamestats.stores.settings)


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
        port = str(taken.getsockname()[1])
        result = Gamestats(tmp_path)("up", "--port", port)
    assert result.exit_code == 1
    assert f"port {port}" in result.stderr
    assert [*tmp_path.glob("postgres"), *tmp_path.glob("logs/*")] == []


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
    done = Gamestats(tmp_path)("up", "--port", str(free_port()), *arguments, **given)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert output in " ".join(done.stderr.split())
    assert "pass-word" not in done.stderr
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
