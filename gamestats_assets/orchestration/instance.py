"""Dagster's instance: where its files and storage are, and runs started from here.

The daemon and the webserver of `gamestats up`, plain `dagster dev`, and the runs of the
command line all use the same instance, so every run is seen everywhere.
"""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psutil

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.home import dagster_environment
from gamestats_assets.orchestration.partitions import DAYS, dimensions, is_paired, is_partition_day
from gamestats_assets.orchestration.requests import partitions_tags, range_tags
from gamestats_assets.settings import Settings

_PROCESS_TAG = "gamestats/process"
_HEARTBEAT_WITHIN_S = 180.0
# Statuses of a run that its process has not finished.
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@contextmanager
def dagster_instance(stores: Stores) -> Iterator[dg.DagsterInstance]:
    """The instance of `dagster_environment`, with the runs of dead processes closed."""
    os.environ.update(dagster_environment(stores))
    with dg.DagsterInstance.get() as instance:
        close_abandoned_runs(instance)
        yield instance


def close_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose process on this machine is gone, and free the pools they hold.

    A run of the command line names its process. A run that a daemon launched is gone when no
    daemon is left: `gamestats up` and `dagster dev` take their runs with them. Without this,
    a killed run would keep its tables' pools, and the next one would wait for ever.

    Returns:
        Ids of the runs that were closed.
    """
    closed: list[str] = []
    daemon = None
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        owner = run.tags.get(_PROCESS_TAG)
        if owner is None:
            daemon = _daemon_may_live(instance) if daemon is None else daemon
            if daemon:
                continue
        elif _is_alive(owner):
            continue
        who = f"The process that ran this ({owner})" if owner else "The daemon that launched this"
        instance.report_run_failed(run, message=f"{who} is gone; run it again.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        closed.append(run.run_id)
    return closed


def _daemon_may_live(instance: dg.DagsterInstance) -> bool:
    """Whether a Dagster daemon over this instance may be running, here or elsewhere."""
    home = os.environ.get("DAGSTER_HOME")
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if not any("dagster" in word for word in words[:4]) or not any("daemon" in word for word in words):
                continue
            theirs = process.environ().get("DAGSTER_HOME")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if theirs in (None, home) or ".tmp_dagster_home_" in theirs:
            return True
    if Settings().postgres_url is None:
        return False
    # A server of one's own may serve daemons of other machines: a living one tells so twice a minute.
    newest = max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=0.0)
    return time.time() - newest < _HEARTBEAT_WITHIN_S


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
    days: tuple[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    log_level: str = "ERROR",
) -> dg.ExecuteInProcessResult:
    """Materialise a selection in this process, as one run.

    Args:
        partitions: its partitions; none for what has no partitions.
        days: in place of them the first and the last one of a range.
        config: run configuration of the steps (`ops`).

    Returns:
        The result; `success` is False when a step or a blocking check failed.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    keys = sorted(selection.resolve(definitions.resolve_asset_graph()))
    # A single day as a partition and not as a range of one: Dagster then files each check under its day.
    partitions = days[:1] if days and days[0] == days[1] else partitions
    spans = range_tags(*days) if days and not partitions else partitions_tags(partitions)
    return job.execute_in_process(
        instance=instance,
        asset_selection=keys,
        raise_on_error=False,
        partition_key=partitions[0] if partitions else None,
        tags={**spans, _PROCESS_TAG: _this_process(), **(tags or {})},
        run_config={"loggers": {"console": {"config": {"log_level": log_level}}}, **(config or {})},
    )


def stages(
    definitions: dg.Definitions, keys: Collection[dg.AssetKey]
) -> list[tuple[dg.PartitionsDefinition | None, dg.AssetSelection]]:
    """Assets by their partitions, in the order in which they are to be brought up to date.

    A run takes the assets of one kind of partitions: first what has none, then days, then the rest. What is made from
    another kind that comes later (a product's table from its days, and these from a table of products) waits for it
    in a stage of its own.
    """
    graph = definitions.resolve_asset_graph()
    order = {key: _order(graph.get(key).partitions_def) for key in keys}
    needs: dict[dg.AssetKey, set[dg.AssetKey]] = {}
    for key in graph.toposorted_asset_keys:
        parents = graph.get(key).parent_keys
        needs[key] = {*(parents & order.keys()), *(each for parent in parents for each in needs.get(parent, ()))}
    found: list[tuple[dg.PartitionsDefinition | None, dg.AssetSelection]] = []
    left = sorted(order, key=lambda key: (order[key], key))
    while left:
        # Of the first kind that has any, those that wait for no other kind.
        ready = {
            kind: [key for key in left if order[key] == kind and all(order[n] == kind for n in needs[key] & {*left})]
            for kind in sorted({order[key] for key in left})
        }
        stage = next(of_kind for of_kind in ready.values() if of_kind)
        found.append((graph.get(stage[0]).partitions_def, dg.AssetSelection.assets(*stage)))
        left = [key for key in left if key not in stage]
    return found


def _order(partitions: dg.PartitionsDefinition | None) -> str:
    return "0" if partitions is None else "1" if partitions == DAYS else f"2 {' '.join(dimensions(partitions))}"


def chosen_ranges(
    partitions: dg.PartitionsDefinition | None, chosen: tuple[str, str], instance: dg.DagsterInstance
) -> list[tuple[str, str]]:
    """The ranges of partitions that a person chose by the first and the last one; none when they do not exist.

    Days are days of every name too.
    """
    if partitions is None:
        return []
    if partitions == DAYS:
        return [chosen] if all("|" not in key and is_partition_day(key) for key in chosen) else []
    names = instance.get_dynamic_partitions(dimensions(partitions)[-1])
    if not is_paired(partitions):
        return [chosen] if set(chosen) <= {*names} else []
    first, last = chosen
    spans = [chosen] if "|" in first else [(f"{first}|{name}", f"{last}|{name}") for name in names]
    return [span for span in spans if all(is_partition_day(key) and key.partition("|")[2] in names for key in span)]
