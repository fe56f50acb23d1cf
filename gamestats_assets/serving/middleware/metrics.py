"""Metrics of the serving processes, in Prometheus's format.

The processes share their figures in files of the folder `PROMETHEUS_MULTIPROC_DIR`, so that one port reports all of
them. Set the variable before this module is loaded; without it the figures stay in the process.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.server import PostgresError, connect

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder of shared figures."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

_ACTIVE_DAYS = (1, 7, 30)
_ACTIVE = """
    SELECT count(DISTINCT user_id) FROM accounts.sessions WHERE last_seen_at > now() - make_interval(days => %s)"""


class _OfLiving(MultiProcessCollector):
    """Figures of all processes; gauges only of those alive, since a killed process cannot reset its own."""

    def collect(self) -> Iterable[Metric]:
        for path in Path(os.environ[FOLDER]).glob("gauge_live*_*.db"):
            number = int(path.stem.rpartition("_")[2])
            if not psutil.pid_exists(number):
                with suppress(FileNotFoundError):
                    mark_process_dead(number)
        return super().collect()


class _ActiveUsers(Collector):
    """Active users by their sessions; queried at each scrape, and left out while PostgreSQL is unreachable.

    The last use of a session is known to 5 minutes.
    """

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    def collect(self) -> Iterable[Metric]:
        help_text = "Users with a session, of a browser or a program, that was used within the window."
        family = GaugeMetricFamily("active_users", help_text, labels=["window"])
        with suppress(PostgresError, psycopg.Error), connect(self._url) as conn:
            for days in _ACTIVE_DAYS:
                row = conn.execute(_ACTIVE, [days]).fetchone()
                family.add_metric([f"{days}d"], row[0] if row else 0)
        yield family


_WAITED_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_JOBS = """
    SELECT state, width_bucket(seconds, %s::float8[]) AS bucket, count(*), sum(seconds)
    FROM (
        SELECT state, extract(epoch FROM finished_at - created_at)::float8 AS seconds
        FROM ops.jobs WHERE kind = 'replay' AND state IN ('done', 'failed') AND finished_at > %s AND finished_at <= %s
    ) AS ended GROUP BY 1, 2
"""
_QUEUE = """
    SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
    FROM ops.jobs WHERE state = 'queued'
"""


_SETTLED = "SELECT now() - interval '1 second'"
"""Whatever ended before this moment is committed by now."""


class _Jobs(Collector):
    """Waiting jobs and outcomes of replays; queried at each scrape.

    Outcomes are counted from the first scrape on: old jobs are deleted, and a counter must never fall.
    """

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self._asked = threading.Lock()
        self._until: datetime | None = None
        self._ended: Counts[tuple[str, int]] = Counts()
        self._seconds = 0.0

    def collect(self) -> Iterable[Metric]:
        with self._asked, suppress(PostgresError, psycopg.Error), connect(self._url) as conn:
            conn.execute("SELECT set_config('gamestats.sees_all', 'yes', false)")
            [(until,)] = conn.execute(_SETTLED).fetchall()
            ended = conn.execute(_JOBS, [[*_WAITED_S], self._until or until, until]).fetchall()
            [(waiting, oldest)] = conn.execute(_QUEUE).fetchall()
            self._until = until
            for state, bucket, jobs, seconds in ended:
                self._ended[state, bucket] += jobs
                self._seconds += seconds
            help_text = "Uploaded replays by outcome."
            results = CounterMetricFamily("replay_jobs", help_text, labels=["result"])
            for state in ("done", "failed"):
                results.add_metric([state], sum(jobs for (of, _), jobs in self._ended.items() if of == state))
            below = [
                sum(jobs for (_, bucket), jobs in self._ended.items() if bucket <= n) for n in range(len(_WAITED_S) + 1)
            ]
            help_text = "Seconds from the upload of a replay until it was analysed or refused."
            histogram = HistogramMetricFamily("replay_job_seconds", help_text)
            limits = [*map(str, _WAITED_S), "+Inf"]
            histogram.add_metric([], [*zip(limits, below, strict=True)], self._seconds)
            yield results
            yield histogram
            yield GaugeMetricFamily("queue_depth", "Jobs that wait for a worker.", waiting)
            yield GaugeMetricFamily("queue_oldest_seconds", "Seconds that the oldest waiting job has waited.", oldest)


class _Scores(Collector):
    """Scores of the models in use; queried at each scrape."""

    def __init__(self, url: SecretStr, queries: Sequence[LiteralString]) -> None:
        self._url, self._queries = url, queries

    def collect(self) -> Iterable[Metric]:
        help_text = "Cross-validation score of a model in use; 1 is best."
        family = GaugeMetricFamily("model_score", help_text, labels=["model", "version"])
        for query in self._queries:
            with suppress(PostgresError, psycopg.Error), connect(self._url) as conn:
                for model, version, score in conn.execute(query):
                    family.add_metric([model, str(version)], score)
        yield family


class _Memory(Collector):
    """Share of the memory in use: of the container's limit if there is one, else of the machine."""

    def collect(self) -> Iterable[Metric]:
        help_text = "Share of the memory in use, of the container's limit or of the machine."
        yield GaugeMetricFamily("memory_used_share", help_text, memory_used_share())


def memory_used_share(container: Path = Path("/sys/fs/cgroup")) -> float:
    """Returns the share of the memory in use, of the container's limit if there is one, else of the machine."""
    with suppress(OSError, ValueError):
        most = int((container / "memory.max").read_text())
        used = int((container / "memory.current").read_text())
        # Cached files do not count as used.
        kept = re.search(r"^inactive_file (\d+)$", (container / "memory.stat").read_text(), re.MULTILINE)
        return (used - int(kept[1] if kept else 0)) / most
    return psutil.virtual_memory().percent / 100


def collectors(url: SecretStr, scores: Sequence[LiteralString] = ()) -> list[Collector]:
    """Returns the collectors that are queried at each scrape."""
    return [_ActiveUsers(url), _Jobs(url), _Scores(url, scores), _Memory()]


def serve_metrics(host: str, port: int, url: SecretStr, scores: Sequence[LiteralString] = ()) -> None:
    """Answers Prometheus at an address, from a thread, until the process ends.

    Args:
        url: PostgreSQL with a role that may read sessions.
        scores: queries for the name, version and score of each model in use.

    Raises:
        OSError: if the address is not available.
        KeyError: if the folder of shared figures is not set.
    """
    registry = CollectorRegistry()
    _OfLiving(registry, os.environ[FOLDER])
    for collector in collectors(url, scores):
        registry.register(collector)
    start_http_server(port, host, registry)
