"""`gamestats serve` as processes: ready soon and small, several that tell of themselves as one, stopped whole."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg

from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.serving.accounts import sessions, users
from gamestats_assets_tests.program.up import free_port
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.support.clocks import wait_until

SEASONS = "/api/v1/tournaments/seasons"


@contextmanager
def serving(environment: Mapping[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `gamestats serve` that is ready, and its address."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GAMESTATS_", "PROMETHEUS_"))}
    command = [sys.executable, "-m", "gamestats_assets.cli", "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, env={**kept, **environment}, stderr=subprocess.PIPE, text=True)
    try:
        assert wait_until(lambda: process.poll() is not None or is_ready(f"http://127.0.0.1:{port}"), 60)
        assert process.poll() is None
        yield process, f"http://127.0.0.1:{port}"
    finally:
        # The processes it started hold its standard error as well.
        started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for one in (process, *started):
            one.kill()
        process.communicate()


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_serving_processes_are_small_share_metrics_and_drain(ops_database: str, tmp_path: Path) -> None:
    publish_season(ops_database)
    with connect(ops_database) as conn:
        for name, days in (("new", 0), ("lately", 5), ("long ago", 20)):
            user = users.add_user(conn, "test", name)["user_id"]
            for _ in range(2):
                sessions.begin_session(conn, user, "a test")
            seen = "UPDATE accounts.sessions SET last_seen_at = now() - make_interval(days => %s) WHERE user_id = %s"
            conn.execute(seen, [days, user])
    metrics_port, temporary = free_port(), tmp_path / "temporary"
    temporary.mkdir()
    environment = {
        "GAMESTATS_DATA": str(tmp_path / "data"),
        "GAMESTATS_POSTGRES_URL": ops_database,
        "GAMESTATS_METRICS_PORT": str(metrics_port),
        "TMPDIR": str(temporary),
    }
    with serving(environment, "--workers", "2") as (process, address):
        metrics_address = f"http://127.0.0.1:{metrics_port}/metrics"
        # The first process is ready before the second is.
        assert wait_until(lambda: 'db_pool_size{pool="answers"} 16.0' in httpx.get(metrics_address).text, 60)
        for _ in range(20):
            # Each by a connection of its own, which either process takes.
            assert httpx.get(f"{address}{SEASONS}").status_code == 200
        output = httpx.get(metrics_address).text
        assert f'http_request_seconds_count{{method="GET",route="{SEASONS}",status="200"}} 20.0' in output
        kept = [
            re.findall(rf'^cache_{kind}_total{{key="{SEASONS}"}} (.+)$', output, re.M) for kind in ("hits", "misses")
        ]
        assert sum(float(value) for found in kept for value in found) == 20
        assert 'db_pool_in_use{pool="answers"} 0.0' in output
        active = dict(re.findall(r'^active_users{window="(.+)"} (.+)$', output, re.M))
        assert active == {"1d": "1.0", "7d": "2.0", "30d": "3.0"}
        processes = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
        assert len(processes) >= 3
        for pid in processes:
            assert psutil.Process(pid).memory_info().rss < 200 << 20

        port = address.rpartition(":")[2]
        again = [sys.executable, "-m", "gamestats_assets.cli", "serve", "--port", port]
        refused = subprocess.run(again, env=os.environ | environment, capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1
        (line,) = refused.stderr.strip().splitlines()
        assert f"port {port}" in line

        answers: list[httpx.Response] = []
        with psycopg.connect(ops_database) as conn:
            conn.execute("LOCK TABLE pubg.divisions")
            asked = f"{address}/api/v1/tournaments/divisions?season=fall"
            asking = threading.Thread(target=lambda: answers.append(httpx.get(asked, timeout=20)))
            asking.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pubg.divisions'::regclass"
            assert wait_until(lambda: conn.execute(waiting).fetchone() == (1,), 20)
            process.send_signal(signal.SIGTERM)
            time.sleep(1.5)
        asking.join()
        assert [answer.status_code for answer in answers] == [200]
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert {json.loads(line)["status"] for line in errors.splitlines() if '"request"' in line} >= {200}
        assert list(temporary.iterdir()) == []
        assert wait_until(lambda: not any(psutil.pid_exists(pid) for pid in processes), 10)
