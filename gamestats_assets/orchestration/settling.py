"""The sensor that has settled tables made again where what they are made from is not what it was.

A day that changed can change every later day of the tables that look back, and through them others. Which days are
behind is read from the ledgers: one tick asks for those that are behind now, a later one for those that have become so
by that. A day whose rows turn out to be the same ends the chain, and when nothing is behind nothing is asked for.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ledger import combined_hash, ledger_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import Days
from gamestats_assets.orchestration.checks import behind_evaluations
from gamestats_assets.orchestration.instance import ranges_behind
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import DAYS, is_partition_day, partitions_of
from gamestats_assets.orchestration.requests import (
    FOLLOWING_PRIORITY,
    REQUESTED_BY_TAG,
    due_attempt,
    is_on_its_way,
    range_tags,
    request,
)
from gamestats_assets.orchestration.settled import Contents, Settled

# How soon to look again at what is behind and must wait, or was given up.
_LOOK_AGAIN_S = 60


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be made again.

    Attributes:
        days: by day, a hash of all that is to be made again there.
        names: by name (a patch), the same.
        alone: a hash of what is to be made of tables without days and names alone; "" where nothing is, or where a day
            is behind: they are made with it.
    """

    days: Mapping[str, str]
    names: Mapping[str, str]
    alone: str

    @classmethod
    def of(cls, behind: Mapping[Settled, Mapping[str, str]]) -> "Due":
        """From what is behind of each table."""
        parts: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
        alone: list[str] = []
        for each, keys in behind.items():
            for key, wanted in keys.items():
                work = f"{each.table.spec.key} {wanted}"
                if not each.has_partitions:
                    alone.append(f"{each.table.spec.key} {key} {wanted}")
                elif each.by_name or is_partition_day(key):
                    parts[each.has_days].setdefault(key, []).append(work)
        days, names = ({key: combined_hash(of) for key, of in parts[dated].items()} for dated in (True, False))
        return cls(days, names, combined_hash(alone) if alone and not days else "")


def days_behind(lake: Lake, settled: Sequence[Settled]) -> Due:
    """What is to be made again of tables."""
    contents = Contents(lake)
    return Due.of({each: each.behind(lake, contents) for each in settled})


def add_names(instance: dg.DagsterInstance, settled: Settled, names: Collection[str]) -> None:
    """Make names partitions of a table that is by names."""
    partitions = partitions_of(settled.table)
    if isinstance(partitions, dg.DynamicPartitionsDefinition) and partitions.name:
        new = sorted({*names} - {*instance.get_dynamic_partitions(partitions.name)})
        if new:
            instance.add_dynamic_partitions(partitions.name, new)


def _stale(
    instance: dg.DagsterInstance, each: Settled, behind: Collection[str], made: Collection[str]
) -> list[dg.AssetCheckEvaluation]:
    """For people: which days or names of a table were made, and are behind."""
    keys = [key for key in behind if key in made and (each.by_name or is_partition_day(key))]
    keys = keys if each.has_partitions else [""]
    return behind_evaluations(instance, each.table, keys) if behind and keys else []


def settling_sensor(
    name: str,
    settled: Sequence[Settled],
    publications: Sequence[dg.AssetKey],
    *,
    after: Sequence[str],
    description: str,
    interval_s: int = 15,
    names_rest_s: float = 0,
) -> dg.SensorDefinition:
    """A sensor that requests what is behind, consecutive days as one run, until nothing is.

    What was made and is behind fails its check `is_up_to_date` until it is made again.

    Args:
        publications: made in the same runs.
        after: sensors whose runs make the same tables; their end is waited for.
        names_rest_s: seconds after which names are asked for again at the earliest: what they are made from may grow
            all the time.
    """
    undated = [asset_key(each.table) for each in settled if not each.has_partitions]
    by_day = [asset_key(each.table) for each in settled if each.has_days]
    by_name = [each for each in settled if each.by_name]

    def with_publications(keys: Sequence[dg.AssetKey]) -> list[dg.AssetKey]:
        return [*keys, *(key for key in publications if dg.AssetKey(key.path[1:]) in keys)]

    held_in: list[type[Table]] = sorted(
        {*(each.table for each in settled), *(source for each in settled for source in each.reads)},
        key=lambda table: table.spec.key,
    )
    ledgers = [ledger_of(table.spec.game, table.spec.step) for table in held_in]
    of_undated = with_publications(undated)
    of_days = with_publications([*undated, *by_day])
    of_names = with_publications([*undated, *(asset_key(each.table) for each in by_name)])
    targets: dict[str, Any] = {"target": dg.AssetSelection.assets(*of_days)}
    dated_job = named_job = None
    if by_name:
        # One job cannot have assets of different partitions.
        dated_job, named_job = f"{name}_made", f"{name}_by_name"
        of_jobs = {dated_job: of_days, named_job: of_names}
        targets = {"jobs": [dg.define_asset_job(job, dg.AssetSelection.assets(*of)) for job, of in of_jobs.items()]}

    @dg.sensor(
        name=name,
        **targets,
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        told: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        lake, instance = stores.lake, context.instance
        held = combined_hash(f"{table.spec.key} {lake.version(table)}" for table in (*held_in, *ledgers))
        requests: list[dg.RunRequest] = []
        stale: list[dg.AssetCheckEvaluation] = []
        is_due = told.get("held") != held or told.get("again_at", float("inf")) <= time.time()
        if is_due and not any(is_on_its_way(instance, sensor) for sensor in (name, *after)):
            tags = {"dagster/priority": FOLLOWING_PRIORITY, REQUESTED_BY_TAG: name}
            contents = Contents(lake)
            behind = {each: each.behind(lake, contents) for each in settled}
            due = Due.of(behind)
            if told.get("held") != held:
                stale = [
                    evaluation
                    for each, keys in behind.items()
                    for evaluation in _stale(instance, each, keys, contents.of(each.table))
                ]
            named_at = told.get("named_at", 0)

            def ask(reason: str, assets: Sequence[dg.AssetKey], job: str | None, span: Days = None) -> None:
                if (attempt := due_attempt(instance, f"{name} {reason}")) is not None:
                    tagged = {**tags, **(range_tags(*span) if span else {})}
                    requests.append(request(f"{name} {reason}", attempt, assets, tags=tagged, job_name=job))

            for first, last, work in ranges_behind(DAYS, due.days, instance):
                ask(f"{first} {last} {work}", of_days, dated_job, (first, last))
            if due.alone:
                ask(due.alone, of_undated, dated_job)
            # What tells of names comes first.
            elif due.names and not due.days and named_at + names_rest_s <= time.time():
                add_names(instance, by_name[0], due.names)
                for first, last, work in ranges_behind(partitions_of(by_name[0].table), due.names, instance):
                    ask(f"{first} {last} {work}", of_names, named_job, (first, last))
                named_at = time.time() if requests else named_at
            told = {"held": held, "named_at": named_at}
            if due.days or due.names or due.alone:
                told["again_at"] = time.time() + (interval_s if requests else _LOOK_AGAIN_S)
        return dg.SensorResult(
            run_requests=requests,
            asset_events=stale,
            cursor=json.dumps(told, sort_keys=True),
            skip_reason=None if requests else "Every day is as its logs and the days before make it, or on its way.",
        )

    return sensor
