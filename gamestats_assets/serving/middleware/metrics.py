"""What the processes that serve tell of themselves, in Prometheus's format.

Processes add their figures up in files of the folder that `PROMETHEUS_MULTIPROC_DIR` names, so that one port tells of
all of them. The variable has to be set before this module is loaded; without it the figures stay in the process.
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
"""Variable of the folder whose files are added up."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

_ACTIVE_DAYS = (1, 7, 30)
_ACTIVE = """
    SELECT count(DISTINCT user_id) FROM accounts.sessions WHERE last_seen_at > now() - make_interval(days => %s)"""


class _OfLiving(MultiProcessCollector):
    """Figures of all processes; what is so just now, of those that live: a killed one could not say that it went."""

    def collect(self) -> Iterable[Metric]:
        for path in Path(os.environ[FOLDER]).glob("gauge_live*_*.db"):
            number = int(path.stem.rpartition("_")[2])
            if not psutil.pid_exists(number):
                with suppress(FileNotFoundError):
                    mark_process_dead(number)
        return super().collect()


class _ActiveUsers(Collector):
    """How many people were here, by their sessions; asked when it is to be told, and left out while PostgreSQL is gone.

    Of what a session was used for last, PostgreSQL knows to 5 minutes.
    """

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    def collect(self) -> Iterable[Metric]:
        help_text = "Users whose session, of a browser or a program, was used within a time."
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
"""Whatever ended before is committed by now."""


class _Jobs(Collector):
    """What waits for workers, and what became of replays; asked when it is to be told, as above.

    What became of replays is added up from the first time on: jobs are forgotten in time, and a counter never falls.
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
            help_text = "Replays that were sent, by what became of them."
            results = CounterMetricFamily("replay_jobs", help_text, labels=["result"])
            for state in ("done", "failed"):
                results.add_metric([state], sum(jobs for (of, _), jobs in self._ended.items() if of == state))
            below = [
                sum(jobs for (_, bucket), jobs in self._ended.items() if bucket <= n) for n in range(len(_WAITED_S) + 1)
            ]
            help_text = "Seconds from when a replay was sent until it was analysed, or refused."
            histogram = HistogramMetricFamily("replay_job_seconds", help_text)
            limits = [*map(str, _WAITED_S), "+Inf"]
            histogram.add_metric([], [*zip(limits, below, strict=True)], self._seconds)
            yield results
            yield histogram
            yield GaugeMetricFamily("queue_depth", "Jobs that wait for a worker.", waiting)
            yield GaugeMetricFamily("queue_oldest_seconds", "Seconds for which the oldest of these waits.", oldest)


class _Scores(Collector):
    """How good the models of games are that serve; asked when it is to be told, as above."""

    def __init__(self, url: SecretStr, queries: Sequence[LiteralString]) -> None:
        self._url, self._queries = url, queries

    def collect(self) -> Iterable[Metric]:
        help_text = "Score of a model that serves, by cross-validation; at best 1."
        family = GaugeMetricFamily("model_score", help_text, labels=["model", "version"])
        for query in self._queries:
            with suppress(PostgresError, psycopg.Error), connect(self._url) as conn:
                for model, version, score in conn.execute(query):
                    family.add_metric([model, str(version)], score)
        yield family


class _Memory(Collector):
    """How much of the memory is used: of the container where it has a limit, else of the machine."""

    def collect(self) -> Iterable[Metric]:
        help_text = "Share of the memory that is used: of the container's limit, or of the machine's."
        yield GaugeMetricFamily("memory_used_share", help_text, memory_used_share())


def memory_used_share(container: Path = Path("/sys/fs/cgroup")) -> float:
    """Share of the memory that is used, of the container where that has a limit, else of the machine."""
    with suppress(OSError, ValueError):
        most = int((container / "memory.max").read_text())
        used = int((container / "memory.current").read_text())
        # Files that are kept in memory for want of a better use are none.
        kept = re.search(r"^inactive_file (\d+)$", (container / "memory.stat").read_text(), re.MULTILINE)
        return (used - int(kept[1] if kept else 0)) / most
    return psutil.virtual_memory().percent / 100


def collectors(url: SecretStr, scores: Sequence[LiteralString] = ()) -> list[Collector]:
    """What is asked when it is to be told; see `tell`."""
    return [_ActiveUsers(url), _Jobs(url), _Scores(url, scores), _Memory()]


def serve_metrics(host: str, port: int, url: SecretStr, scores: Sequence[LiteralString] = ()) -> None:
    """Answer Prometheus at an address, from a thread, as long as the process lives.

    Args:
        url: PostgreSQL, as one who may read sessions.
        scores: queries that tell of models that serve: name, version and score of each.

    Raises:
        OSError: when the address cannot be listened on.
        KeyError: when the folder of the figures is not set.
    """
    registry = CollectorRegistry()
    _OfLiving(registry, os.environ[FOLDER])
    for collector in collectors(url, scores):
        registry.register(collector)
    start_http_server(port, host, registry)
