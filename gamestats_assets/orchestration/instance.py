"""Dagster's instance: where its files and storage are, and runs started from here.

The daemon and the webserver of `gamestats up`, plain `dagster dev`, and the runs of the
command line all use the same instance, so every run is seen everywhere.
"""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from gamestats_assets.lakehouse.files import write_whole
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.partitions import DAYS, PAIRED_DAYS, dimensions, is_paired, is_partition_day
from gamestats_assets.orchestration.requests import range_tags
from gamestats_assets.settings import Settings, shipped

_PROCESS_TAG = "gamestats/process"
_HEARTBEAT_WITHIN_S = 180.0
# Statuses of a run that its process has not finished.
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def dagster_environment(stores: Stores) -> dict[str, str]:
    """The environment that Dagster's processes need; fills the folder that `DAGSTER_HOME` names.

    `dagster.yaml` is copied into the home each time, so the shipped file is the one that counts.
    """
    home = stores.settings.state_folder / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    wanted = shipped("dagster.yaml").read_bytes()
    copy = home / "dagster.yaml"
    if not copy.exists() or copy.read_bytes() != wanted:
        write_whole(copy, wanted)
    return {
        "DAGSTER_HOME": str(home),
        "GAMESTATS_DATA": stores.settings.data
        if stores.settings.data_is_remote
        else str(Path(stores.settings.data).resolve()),
    }


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
    partitions: tuple[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    log_level: str = "ERROR",
) -> dg.ExecuteInProcessResult:
    """Materialise a selection in this process, as one run of the given partition range.

    Args:
        partitions: first and last partition key; None for what has no partitions.
        config: run configuration of the steps (`ops`).

    Returns:
        The result; `success` is False when a step or a blocking check failed.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    keys = sorted(selection.resolve(definitions.resolve_asset_graph()))
    first, last = partitions or ("", "")
    # A single day as a partition and not as a range of one: Dagster then files each check under its day.
    one = first if first == last and partitions else None
    whole_range = range_tags(first, last)
    return job.execute_in_process(
        instance=instance,
        asset_selection=keys,
        raise_on_error=False,
        partition_key=one,
        tags={**(whole_range if partitions and one is None else {}), _PROCESS_TAG: _this_process(), **(tags or {})},
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


def ranges(
    partitions: dg.PartitionsDefinition | None, keys: Collection[str], instance: dg.DagsterInstance
) -> list[tuple[str, str] | None]:
    """Partition keys as ranges that a run each can take; None is a run without partitions.

    Of days and names each range is of one name: Dagster takes a range of both for every day of every name.
    """
    if not keys or partitions is None:
        return [None] if keys else []
    if partitions == DAYS:
        return [*consecutive(sorted(keys))]
    if is_paired(partitions):
        days: dict[str, list[str]] = {}
        for key in sorted(keys):
            day, name = key.split("|")
            days.setdefault(name, []).append(day)
        return [
            (f"{first}|{name}", f"{last}|{name}") for name in sorted(days) for first, last in consecutive(days[name])
        ]
    wanted = set(keys)
    found: list[tuple[str, str] | None] = []
    stretch: list[str] = []
    for key in [*partitions.get_partition_keys(dynamic_partitions_store=instance), ""]:
        if key in wanted:
            stretch.append(key)
        elif stretch:
            found.append((stretch[0], stretch[-1]))
            stretch = []
    return found


def ranges_behind(
    partitions: dg.PartitionsDefinition | None, behind: Mapping[str, str], instance: dg.DagsterInstance
) -> list[tuple[str, str, str]]:
    """The `ranges` of what is to be done, as first and last key, and one hash of all that is to be done in between.

    Args:
        behind: partition key to a hash of what is to be done.
    """
    found: list[tuple[str, str, str]] = []
    for span in ranges(partitions, behind, instance):
        if span is not None:
            due = [f"{key} {behind[key]}" for key in within_range(partitions, span, instance) if key in behind]
            found.append((*span, combined_hash(due)))
    return found


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


def within_range(
    partitions: dg.PartitionsDefinition | None, part: tuple[str, str] | None, instance: dg.DagsterInstance
) -> Sequence[str]:
    """Partition keys of one of the `ranges`; "" where there are no partitions."""
    if partitions is None or part is None:
        return [""]
    if is_paired(partitions):
        (first, name), (last, _) = (key.split("|") for key in part)
        days = PAIRED_DAYS.get_partition_keys_in_range(dg.PartitionKeyRange(first, last))
        return [f"{day}|{name}" for day in days]
    keys = list(partitions.get_partition_keys(dynamic_partitions_store=instance))
    return keys[keys.index(part[0]) : keys.index(part[1]) + 1]


def consecutive(days: Sequence[str]) -> list[tuple[str, str]]:
    """Days grouped into ranges of consecutive ones, each as (first, last).

    >>> consecutive(["2026-03-02", "2026-03-01", "2026-03-05"])
    [('2026-03-01', '2026-03-02'), ('2026-03-05', '2026-03-05')]
    """
    from datetime import date, timedelta

    found: list[tuple[str, str]] = []
    for day in sorted(set(days)):
        if found and date.fromisoformat(day) - date.fromisoformat(found[-1][1]) == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
