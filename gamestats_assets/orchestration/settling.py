"""The sensor that has settled tables made again where what they are made from is not what it was.

A day that changed can change every later day of the tables that look back, and through them others. Which days are
behind is read from the ledgers: one tick asks for those that are behind now, a later one for those that have become so
by that. A day whose rows turn out to be the same ends the chain, and when nothing is behind nothing is asked for.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ledger import combined_hash, ledger_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import behind_evaluations
from gamestats_assets.orchestration.instance import ranges_behind
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import DAYS, is_partition_day
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


def days_behind(lake: Lake, settled: Sequence[Settled]) -> tuple[dict[str, str], str]:
    """By day, a hash of all that is to be made again there; and one of what is to be made of tables without days alone.

    The second is empty where nothing is, or where a day is behind: tables without days are made with it.
    """
    contents = Contents(lake)
    return _by_day({each: each.behind(lake, contents) for each in settled})


def _by_day(behind: Mapping[Settled, Mapping[str, str]]) -> tuple[dict[str, str], str]:
    days: dict[str, list[str]] = {}
    undated: list[str] = []
    for each, keys in behind.items():
        for key, wanted in keys.items():
            if each.has_days and is_partition_day(key):
                days.setdefault(key, []).append(f"{each.table.spec.key} {wanted}")
            elif not each.has_days:
                undated.append(f"{each.table.spec.key} {key} {wanted}")
    return {day: combined_hash(of) for day, of in days.items()}, combined_hash(undated) if undated and not days else ""


def _stale(
    instance: dg.DagsterInstance, each: Settled, behind: Collection[str], made: Collection[str]
) -> list[dg.AssetCheckEvaluation]:
    """For people: which days of a table were made, and are behind."""
    days = [key for key in behind if key in made and is_partition_day(key)] if each.has_days else [""]
    return behind_evaluations(instance, each.table, days) if behind and days else []


def settling_sensor(
    name: str,
    settled: Sequence[Settled],
    publications: Sequence[dg.AssetKey],
    *,
    after: Sequence[str],
    description: str,
    interval_s: int = 15,
) -> dg.SensorDefinition:
    """A sensor that requests what is behind, consecutive days as one run, until nothing is.

    What was made and is behind fails its check `is_up_to_date` until it is made again.

    Args:
        publications: made in the same runs.
        after: sensors whose runs make the same tables; their end is waited for.
    """
    undated = [asset_key(each.table) for each in settled if not each.has_days]
    by_day = [asset_key(each.table) for each in settled if each.has_days]
    held_in: list[type[Table]] = sorted(
        {*(each.table for each in settled), *(source for each in settled for source in each.reads)},
        key=lambda table: table.spec.key,
    )
    ledgers = [ledger_of(table.spec.game, table.spec.step) for table in held_in]
    undated_publications = [key for key in publications if dg.AssetKey(key.path[1:]) in undated]

    @dg.sensor(
        name=name,
        target=dg.AssetSelection.assets(*undated, *by_day, *publications),
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
            days, alone = _by_day(behind)
            if told.get("held") != held:
                stale = [
                    evaluation
                    for each, keys in behind.items()
                    for evaluation in _stale(instance, each, keys, contents.of(each.table))
                ]
            for first, last, work in ranges_behind(DAYS, days, instance):
                reason = f"{name} {first} {last} {work}"
                if (attempt := due_attempt(instance, reason)) is not None:
                    of_range = {**tags, **range_tags(first, last)}
                    requests.append(request(reason, attempt, [*undated, *by_day, *publications], tags=of_range))
            if alone and (attempt := due_attempt(instance, f"{name} {alone}")) is not None:
                requests.append(request(f"{name} {alone}", attempt, [*undated, *undated_publications], tags=tags))
            told = {"held": held}
            if days or alone:
                told["again_at"] = time.time() + (interval_s if requests else _LOOK_AGAIN_S)
        return dg.SensorResult(
            run_requests=requests,
            asset_events=stale,
            cursor=json.dumps(told, sort_keys=True),
            skip_reason=None if requests else "Every day is as its logs and the days before make it, or on its way.",
        )

    return sensor
