"""Dagster's instance, and runs in this process.

The daemon and webserver of `gamestats up`, plain `dagster dev`, and the runs of the command line all share one
instance, so every run is visible everywhere.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psutil

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import is_day
from gamestats_assets.orchestration.partitions import day_of, days_of, dimensions
from gamestats_assets.orchestration.run_requests import partitions_tags
from gamestats_assets.orchestration.runs.dagster_home import dagster_environment
from gamestats_assets.settings import Settings

_PROCESS_TAG = "gamestats/process"
_HEARTBEAT_WITHIN_S = 180.0
_LAST: list[Stores] = []
UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
"""Statuses of a run whose process has not finished it."""


@dg.resource(description="The landing zone, the lake and PostgreSQL that the settings name.")
def stores_resource() -> Stores:
    """Stores for the environment of the process; reused while it stays the same, because they cache what they read."""
    settings = Settings()
    if _LAST and _LAST[-1].settings == settings:
        return _LAST[-1]
    _LAST[:] = [Stores(settings)]
    return _LAST[-1]


@contextmanager
def dagster_instance(stores: Stores) -> Iterator[dg.DagsterInstance]:
    """The instance of `dagster_environment`, after closing the runs of dead processes."""
    os.environ.update(dagster_environment(stores))
    with dg.DagsterInstance.get() as instance:
        close_abandoned_runs(instance)
        yield instance


def close_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Marks runs as failed if their process on this machine is gone.

    A run of the command line names its process. A run that a daemon launched is gone when no daemon is left, since
    `gamestats up` and `dagster dev` take their runs with them.

    Returns:
        Ids of the runs that were closed.
    """
    closed: list[str] = []
    daemon_may_live = None
    for run in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY)):
        owner = run.tags.get(_PROCESS_TAG)
        if owner is None:
            daemon_may_live = _daemon_may_live(instance) if daemon_may_live is None else daemon_may_live
            if daemon_may_live:
                continue
        elif _is_alive(owner):
            continue
        process = f"The process that ran this ({owner})" if owner else "The daemon that launched this"
        instance.report_run_failed(run, message=f"{process} is gone; run it again.")
        closed.append(run.run_id)
    return closed


def _daemon_may_live(instance: dg.DagsterInstance) -> bool:
    """Whether a Dagster daemon over this instance may be running, here or elsewhere."""
    if daemon_runs_here(os.environ.get("DAGSTER_HOME")):
        return True
    if Settings().postgres_url is None:
        return False
    # A separate server may serve daemons on other machines: a living one sends a heartbeat twice a minute.
    newest = max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=0.0)
    return time.time() - newest < _HEARTBEAT_WITHIN_S


def daemon_runs_here(home: str | None) -> bool:
    """Whether a process on this machine is a Dagster daemon of this home, or of one that cannot be determined."""
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            # These words follow the interpreter and the module that `gamestats up` runs.
            if not any("dagster" in word for word in words[:5]) or not any("daemon" in word for word in words):
                continue
            its_home = process.environ().get("DAGSTER_HOME")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if its_home in (None, home) or ".tmp_dagster_home_" in its_home:
            return True
    return False


def _this_process() -> str:
    process = psutil.Process()
    return f"{os.uname().nodename} {process.pid} {process.create_time():.2f}"


def _is_alive(owner: str) -> bool:
    node, pid, created = owner.rsplit(" ", 2)
    if node != os.uname().nodename:
        return True
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == created
    except psutil.NoSuchProcess:
        return False


def run_here(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    selection: dg.AssetSelection,
    *,
    partitions: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    log_level: str = "ERROR",
    run_id: str | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialises a selection in this process, as one run.

    Args:
        partitions: its partitions; empty for unpartitioned assets.
        config: run configuration of the steps (`ops`).
        run_id: its id, a UUID; generated by default.

    Returns:
        The result; `success` is False if a step or a blocking check failed. It is read from Dagster's storage, which
        may have lost its last moments, and the run with them, if PostgreSQL crashed; the events are kept in memory.
    """
    return run_job_here(
        definitions.resolve_implicit_global_asset_job_def(),
        instance,
        sorted(selection.resolve(definitions.resolve_asset_graph())),
        partition=partitions[0] if partitions else None,
        tags={**partitions_tags(partitions), **(tags or {})},
        config=config,
        log_level=log_level,
        run_id=run_id,
    )


def run_job_here(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    keys: Sequence[dg.AssetKey],
    *,
    partition: str | None = None,
    tags: Mapping[str, str],
    config: Mapping[str, Any] | None = None,
    log_level: str = "ERROR",
    run_id: str | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialises assets of a job in this process, as one run that names the process; see `run_here`."""
    return job.execute_in_process(
        instance=instance,
        asset_selection=[*keys],
        raise_on_error=False,
        run_id=run_id,
        partition_key=partition,
        tags={**tags, _PROCESS_TAG: _this_process()},
        run_config={"loggers": {"console": {"config": {"log_level": log_level}}}, **(config or {})},
    )


def may_have(partitions: dg.PartitionsDefinition | None, key: str, instance: dg.DagsterInstance) -> bool:
    """Whether a partition can exist. A day without a name stands for every name."""
    if partitions is None:
        return False
    dimension = dimensions(partitions)[-1]
    days = days_of(partitions)
    name = key.partition("|")[2] if days is not None else key
    if name and (partitions is days or name not in instance.get_dynamic_partitions(dimension)):
        return False
    return days is None or (is_day(day_of(key)) and days.has_partition_key(day_of(key)))
